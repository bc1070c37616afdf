"""The commands of `neuro-explain`, one module each: options in, a call, lines out.

`neuro_explain.cli` attaches them to the program. torch takes a second to import: each command imports what it needs
inside its function, so that --help and wrong usage answer at once.
"""
