"""Comparisons with peers and with the plain work; each module prints a table. Nothing here is a test."""
