"""What does a formula over labels say, and how is it written?

    formula_text(((AND, 3), (AND_NOT, 8), (OR, 1)), concepts)       # "sea or (water and not boat)"

Formulas grow to the left: each operator applies to all that stands before it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from dissection.concepts import Concept

AND, OR, AND_NOT = range(3)
OPERATORS = ("and", "or", "and not")
COLUMNS = (
    "unit",
    "formula",
    "length",
    "iou",
    "single_iou",
    "intersection",
    "activation_area",
    "area",
    "parts",
)
"""Of `compositions.csv`; `parts` is JSON: a list of [operator, name, category]."""

Parts = tuple[tuple[int, int], ...]
"""A formula: (operator, concept number) from left to right; the first operator is `AND`, to nothing."""


@dataclass(frozen=True)
class Composition:
    """The best formula of a unit.

    Attributes:
        unit: number, from 0.
        text: "sea or (water and not boat)"; "" if no label overlaps.
        parts: (operator, concept) from left to right, each applied to all before it; the first operator is "".
        iou: of the formula, in 0…1.
        single_iou: that of the best single label.
        intersection, activation_area, area: I, A and G on the images on which it is defined, in pixels.
    """

    unit: int
    text: str
    parts: tuple[tuple[str, Concept], ...]
    iou: float
    single_iou: float
    intersection: int
    activation_area: int
    area: int

    @property
    def gain(self) -> float:
        """By how much the IoU of the formula exceeds that of the best single label."""
        return self.iou - self.single_iou


def formula_text(parts: Parts, concepts: Sequence[Concept]) -> str:
    """A formula in words; a name that several categories have goes with its category."""
    known = Counter(concept.name for concept in concepts)

    def word(number: int) -> str:
        concept = concepts[number]
        return concept.name if known[concept.name] == 1 else str(concept)

    text = ""
    for number, run in enumerate(_runs(parts)):
        with_it = [word(c) for op, c in run if op != AND_NOT]
        without = [f" and not {word(c)}" for op, c in run if op == AND_NOT]
        if number:
            with_it.append(f"({text})")
        text = (" or " if run[-1][0] == OR else " and ").join(with_it) + "".join(without)
    return text


def canonical(parts: Parts) -> Parts:
    """The one among the orders of a formula's concepts that say the same, by the smaller concept numbers."""
    ordered: list[tuple[int, int]] = []
    for run in _runs(parts):
        ordered += sorted(run, key=lambda part: (part[0] == AND_NOT, part[1]))
    return ((AND, ordered[0][1]), *ordered[1:])


def _runs(parts: Parts) -> list[list[tuple[int, int]]]:
    """Parts whose order does not matter, side by side; the first operator is taken for that after it."""
    first = parts[1][0] if len(parts) > 1 and parts[1][0] == OR else AND
    told = [(first, parts[0][1]), *parts[1:]]
    return [list(run) for _, run in groupby(told, key=lambda part: part[0] == OR)]


def composition_row(found: Composition) -> dict[str, object]:
    """The cells of `compositions.csv`."""
    parts = [[word, concept.name, concept.category] for word, concept in found.parts]
    counts = (found.intersection, found.activation_area, found.area)
    told = json.dumps(parts, ensure_ascii=False)
    cells = (found.unit, found.text, len(parts), found.iou, found.single_iou, *counts, told)
    return dict(zip(COLUMNS, cells, strict=True))


def composition_from(row: Mapping[str, str]) -> Composition:
    """A composition from its row as it was read.

    Raises:
        LookupError, ValueError, TypeError: the row is damaged.
    """
    unit, both, active, area = (int(row[c]) for c in ("unit", "intersection", "activation_area", "area"))
    parts = tuple((str(word), Concept(str(name), str(kind))) for word, name, kind in json.loads(row["parts"]))
    single = float(row["single_iou"])
    return Composition(unit, row["formula"], parts, float(row["iou"]), single, both, active, area)
