"""What does each unit detect? Names by number, by concept, or as a table.

    names[312].concept, names[312].iou
    names.find("bed")
    names.to_frame()

A unit is named after the label with the largest IoU if that reaches `min_iou` and chance would hardly have given as
good a one (q up to `max_q`, see `chance`); ties go to the smaller concept number, unless a preset has it otherwise.
Another unit is unnamed and stays in every list: how much is unnamed is part of the answer.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dissection.arguments import shown
from dissection.concepts import Concept, by_category
from dissection.presets import Ties, best_labels

if TYPE_CHECKING:
    import pandas as pd

    from dissection.significance import Significance

MIN_IOU = 0.05
MAX_Q = 0.05


@dataclass(frozen=True)
class UnitName:
    """What one unit detects.

    Attributes:
        unit: number, from 0.
        concept: its name, or None if it has none.
        iou: IoU of the best label, in 0…1; None if no label overlaps.
        best: the best label, named or not.
        runner_up, runner_up_iou: the second-best label; None if no other overlaps.
        threshold: T_k; None if the source does not tell.
        note: "dead", "threshold <= 0" or "".
        p, q: of the best label, under chance (`significance.Significance`); None if the source does not tell.
        low, high: 95 % of its IoU over images; None likewise.
        score: how well the word fits, where names are words and not labels (`word_match`); None elsewhere.
    """

    unit: int
    concept: Concept | None
    iou: float | None = None
    best: Concept | None = None
    runner_up: Concept | None = None
    runner_up_iou: float | None = None
    threshold: float | None = None
    note: str = ""
    p: float | None = None
    q: float | None = None
    low: float | None = None
    high: float | None = None
    score: float | None = None

    @property
    def margin(self) -> float | None:
        """IoU of the best label minus that of the runner-up."""
        if self.iou is None or self.runner_up_iou is None:
            return None
        return self.iou - self.runner_up_iou

    @property
    def strength(self) -> str:
        """How strong the evidence for the best label is, for people."""
        if self.iou is None and self.score is not None:
            return f"score {self.score:.2f}"
        return "no IoU" if self.iou is None else f"IoU {self.iou:.3f}"

    def __str__(self) -> str:
        if self.concept is None:
            return f"unit {self.unit}: unnamed"
        return f"unit {self.unit}: {self.concept}, {self.strength}"


@dataclass(frozen=True)
class Names:
    """The names of a layer's units.

    Attributes:
        units: one `UnitName` per unit, in order.
        layer: dotted name of the layer; None if the source does not tell.
        fingerprint: of the weights that the names were made with; None if the source does not tell.
        source: where the names come from, for people.
        concept_sets: the concept sets used.
        quantile: q of the thresholds; None if unknown.
        min_iou: the IoU that a name needs; None if unknown.
        exemplars: WebP pictures by unit: crops on which it fires most, side by side.
        evidence: WebP pictures by unit: crops that speak for its best label, and against it (`witnesses`).
    """

    units: tuple[UnitName, ...]
    layer: str | None
    fingerprint: str | None
    source: str
    concept_sets: tuple[str, ...]
    quantile: float | None
    min_iou: float | None
    exemplars: Mapping[int, bytes]
    evidence: Mapping[int, bytes] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        for expected, name in enumerate(self.units):
            if name.unit != expected:
                raise ValueError(f"names of {self.source}: expected unit {expected}, got {name.unit}")

    def __len__(self) -> int:
        return len(self.units)

    def __iter__(self) -> Iterator[UnitName]:
        return iter(self.units)

    def __getitem__(self, unit: int) -> UnitName:
        """The name of a unit. Raises IndexError outside 0…U-1, TypeError for what is no number."""
        if not isinstance(unit, Integral) or isinstance(unit, bool):
            hint = (
                "names.find() takes a word"
                if isinstance(unit, str)
                else "names.units is a tuple of all of them"
            )
            raise TypeError(
                f"names[…]: expected a unit's number, 0 to {len(self.units) - 1}, got {shown(unit)}; {hint}"
            )
        if not 0 <= unit < len(self.units):
            raise IndexError(f"unit {unit}: {self.source} has units 0 to {len(self.units) - 1}")
        return self.units[unit]

    @property
    def named(self) -> int:
        """The number of units with a name."""
        return sum(name.concept is not None for name in self.units)

    @property
    def distinct(self) -> int:
        """The number of different concepts among the names."""
        return len({name.concept for name in self.units if name.concept is not None})

    def find(self, concept: str, category: str | None = None) -> list[UnitName]:
        """The units named `concept` (any case), the surest first; empty if it is known but names none.

        Only plain names are searched, no formulas over labels (`compositions`): "bed and not pillow" is no bed.

        Raises:
            ValueError: no unit has it as its best label or runner-up; the message offers near names.
        """
        wanted = concept.casefold()

        def matches(other: Concept | None) -> bool:
            return (
                other is not None
                and other.name.casefold() == wanted
                and (category is None or other.category.casefold() == category.casefold())
            )

        found = [name for name in self.units if matches(name.concept)]
        if not found and not any(matches(c) for c in self._known()):
            known = sorted(self._known())
            words = difflib.get_close_matches(wanted, {c.name.casefold() for c in known}, n=5, cutoff=0.5)
            near = [str(c) for word in words for c in known if c.name.casefold() == word]
            first = ", ".join(str(c) for c in known[:10]) or "none"
            hint = f"did you mean {', '.join(near)}?" if near else f"it knows {first} …"
            where = "" if category is None else f" in category {category!r}"
            raise ValueError(f"concept {concept!r}{where} is not among the concepts of {self.source}: {hint}")
        return sorted(found, key=lambda name: (-(name.iou or name.score or 0.0), name.unit))

    def _known(self) -> Sequence[Concept]:
        seen = [c for name in self.units for c in (name.best, name.runner_up, name.concept) if c is not None]
        return list(dict.fromkeys(seen))

    def to_frame(self) -> pd.DataFrame:
        """A row per unit with the columns of `units.csv` that every source has, indexed by unit."""
        return units_frame([unit_row(name) for name in self.units])


def units_frame(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """The rows of `units.csv` as a DataFrame indexed by unit, with the same dtypes whatever is absent."""
    import pandas as pd

    numbers = ("iou", "runner_up_iou", "margin", "threshold", "p", "q", "iou_low", "iou_high")
    frame: pd.DataFrame = pd.DataFrame(rows).set_index("unit")
    words = [name for name in unit_row(UnitName(0, None)) if name not in ("unit", *numbers)]
    frame = frame.astype({**dict.fromkeys(numbers, "float64"), **dict.fromkeys(words, "string")})
    return frame


def unit_row(name: UnitName) -> dict[str, object]:
    """The cells of `units.csv` that a `UnitName` fills; None where there is nothing."""

    def parts(concept: Concept | None, prefix: str) -> dict[str, object]:
        values = (None, None) if concept is None else (concept.name, concept.category)
        keys = ("concept", "category") if prefix == "" else (f"{prefix}_concept", f"{prefix}_category")
        return dict(zip(keys, values, strict=True))

    runner_up = name.runner_up
    return {
        "unit": name.unit,
        **parts(name.concept, ""),
        "iou": name.iou,
        **parts(name.best, "best"),
        "runner_up": None if runner_up is None else runner_up.name,
        "runner_up_category": None if runner_up is None else runner_up.category,
        "runner_up_iou": name.runner_up_iou,
        "margin": name.margin,
        "threshold": name.threshold,
        "note": name.note,
        "p": name.p,
        "q": name.q,
        "iou_low": name.low,
        "iou_high": name.high,
    }


def name_units(
    iou: NDArray[np.float64],
    concepts: Sequence[Concept],
    threshold: NDArray[np.float32],
    peak: NDArray[np.float32],
    *,
    min_iou: float = MIN_IOU,
    chance: Significance | None = None,
    max_q: float = MAX_Q,
    ties: Ties = "number",
) -> tuple[UnitName, ...]:
    """Names from IoUs.

    Args:
        iou: float64 `[U, C]`.
        concepts: the C concepts.
        threshold: T_k `[U]`.
        peak: each unit's largest activation `[U]`; where it is at most 0, and T_k, the unit is dead.
        min_iou: the IoU that a name needs.
        chance: what it would have given; None if that was not asked.
        max_q: the false discovery rate that a name may have.
        ties: which of two labels with the same IoU names the unit.
    """
    order = best_labels(iou, by_category(concepts)[1], ties)
    names = []
    for unit, ranked in enumerate(order.tolist()):
        overlapping = [(concepts[c], float(iou[unit, c])) for c in ranked if iou[unit, c] > 0]
        best, best_iou = overlapping[0] if overlapping else (None, None)
        runner_up, runner_up_iou = overlapping[1] if len(overlapping) > 1 else (None, None)
        # a signed layer's unit may be negative everywhere and fire nevertheless
        dead = peak[unit] <= 0 and peak[unit] <= threshold[unit]
        note = "dead" if dead else "threshold <= 0" if threshold[unit] <= 0 else ""
        is_named = best_iou is not None and best_iou >= min_iou
        tested: tuple[float, ...] = ()
        if chance is not None:
            tested = tuple(float(one[unit]) for one in (chance.p, chance.q, chance.low, chance.high))
            is_named = is_named and tested[1] <= max_q
        names.append(
            UnitName(
                unit,
                best if is_named else None,
                best_iou,
                best,
                runner_up,
                runner_up_iou,
                float(threshold[unit]),
                note,
                *tested,
            )
        )
    return tuple(names)
