"""The list of models as lines for a terminal, grouped by where their weights come from."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from neuro_explain.recipes import ModelEntry

_MANY = 12  # a family with more missing networks than this is listed by name alone


def model_lines(entries: Sequence[ModelEntry]) -> Iterator[str]:
    """Lines to print: what is ready, and what is missing where."""
    for number, family in enumerate(dict.fromkeys(entry.family for entry in entries)):
        if number:
            yield ""
        group = [entry for entry in entries if entry.family == family]
        missing = [entry for entry in group if not entry.ready]
        brief = missing if len(missing) > _MANY else []
        shown = [entry for entry in group if entry not in brief]
        yield f"{family}: {len(group) - len(missing)} of {len(group)} ready"
        for entry in shown:
            yield f"  {entry.name} ({entry.about}; {entry.licence})"
            yield f"    {'ready' if entry.ready else 'not ready'}: {entry.weights}"
        if brief:
            yield "  weights missing; give a file with --weights, allow --download, or try 'random':"
            yield from textwrap.wrap(
                ", ".join(entry.name for entry in brief), 100, initial_indent="    ", subsequent_indent="    "
            )
            yield f"    for example {brief[0].name}: {_without_home(brief[0].weights)}"


def _without_home(text: str) -> str:
    return text.replace(str(Path.home()), "~")
