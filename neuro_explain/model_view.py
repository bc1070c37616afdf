"""The list of models as lines for a terminal: those that need a word each, the rest by family."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from neuro_explain.recipes import ModelEntry


def model_lines(entries: Sequence[ModelEntry]) -> Iterator[str]:
    """A line per model, grouped by where its weights come from; ready ones are marked."""
    for family in dict.fromkeys(entry.family for entry in entries):
        group = [entry for entry in entries if entry.family == family]
        yield f"{family}:"
        width = max(len(entry.name) for entry in group)
        for entry in group:
            mark = "ready  " if entry.ready else "       "
            yield f"  {mark} {entry.name:<{width}}  {entry.about}; {entry.weights}; {entry.licence}"
