"""Networks that speak of an image: their words, their parts, and how other people's become ours.

The adapters that explain them are `neuro_explain.captioning` and `neuro_explain.vqa`.
"""
