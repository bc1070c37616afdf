"""The embedded world: rendered, annotated scenes in which the truth is known, and small networks trained on them."""
