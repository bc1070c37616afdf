"""How is each kind of object drawn? One function per kind: a stage and a place in, a thing out."""
