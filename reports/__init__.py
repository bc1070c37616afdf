"""Pages made from artifact folders; needs neither torch nor a network."""

DISTRIBUTION = "neuro-explain"
