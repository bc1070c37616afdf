"""What units detect, as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dissection.names import Names, UnitName


def choose_names(
    names: Names, units: Sequence[int], concept: str | None, category: str | None
) -> list[UnitName]:
    """The names that were asked for: of some units, of a concept, of a category, or all.

    Raises:
        IndexError: a unit that does not exist.
        ValueError: a concept that the names do not know.
    """
    if concept is not None:
        return names.find(concept, category)
    chosen = [names[unit] for unit in units] or list(names)
    if category is not None:
        known = sorted({best.category for name in names if (best := name.best) is not None})
        if category not in known:
            raise ValueError(
                f"category {category!r} is not among those of {names.source}: {', '.join(known)}"
            )
        chosen = [name for name in chosen if name.concept is not None and name.concept.category == category]
    return chosen


def name_lines(names: Sequence[UnitName]) -> Iterator[str]:
    """A line per unit: its name, how sure, and what it is closest to if it has none."""
    for name in names:
        line = str(name)
        if name.concept is None and name.best is not None:
            line += f" (closest: {name.best}, {name.strength}{_chance(name)})"
        else:
            if name.margin is not None:
                line += f", {name.margin:.3f} before {name.runner_up}"
            line += _chance(name)
        yield f"{line} [{name.note}]" if name.note else line


def _chance(name: UnitName) -> str:
    return "" if name.q is None else f", q {name.q:.2g}"
