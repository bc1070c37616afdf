"""Is it true? Measurements of names and explanations against what is known."""
