"""What units detect, as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from dissection.formulas import Composition
from dissection.names import Names, UnitName
from dissection.result import Dissection


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


def formulas_of(names: Names) -> dict[int, Composition]:
    """The compositional names by unit, as far as there are any: a formula of one label says no more than the name."""
    found = names.compositions if isinstance(names, Dissection) else ()
    return {one.unit: one for one in found if len(one.parts) > 1}


def name_lines(
    names: Sequence[UnitName], formulas: Mapping[int, Composition] = MappingProxyType({})
) -> Iterator[str]:
    """A line per unit: its name, how sure, what it is closest to if it has none, and its formula if it has one.

    Args:
        names: of the units to show.
        formulas: see `formulas_of`.
    """
    for name in names:
        line = str(name)
        if name.concept is None and name.best is not None:
            line += f" (closest: {name.best}, {name.strength}{_chance(name)})"
        else:
            if name.margin is not None:
                line += f", {name.margin:.3f} before {name.runner_up}"
            line += _chance(name)
        if name.unit in formulas:
            formula = formulas[name.unit]
            line += f"; formula: {formula.text}, IoU {formula.iou:.3f}"
        yield f"{line} [{name.note}]" if name.note else line


def _chance(name: UnitName) -> str:
    return "" if name.q is None else f", q {name.q:.2g}"
