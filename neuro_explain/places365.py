"""The 365 scenes of Places365: their names, and which are indoors.

    places365.names()[60]      # "bookstore"
    places365.indoor()[60]     # True

The tables come with the package (see `data/NOTICE`). Names lose the letter folder that stands before them in
the data set (`/b/bookstore`).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def names() -> tuple[str, ...]:
    """Display names of the categories, in the order of their numbers."""
    return tuple(name for name, _ in _table("categories_places365.txt"))


@cache
def indoor() -> tuple[bool, ...]:
    """Whether each category is indoors."""
    return tuple(value == 1 for _, value in _table("IO_places365.txt"))


def _table(file: str) -> list[tuple[str, int]]:
    text = (files("neuro_explain") / "data" / file).read_text(encoding="utf-8")
    rows = [line.rsplit(" ", 1) for line in text.splitlines()]
    return [(name[3:], int(value)) for name, value in rows]
