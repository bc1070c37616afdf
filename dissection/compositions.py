"""Which short formula over labels says best where a unit fires? "water and not boat", "(red or orange) and flower".

    patterns = Patterns(units, concepts, size)                    # takes in images while they are counted
    for one in compositions(patterns.table(), concepts, length=3):
        one.unit, one.text, one.iou, one.gain

After Mu and Andreas 2020 (Sec. 2): formulas grow to the left, ((a op b) op c), by and, or, and not; from the `beam`
best formulas of one length come those of the next. All are counted exactly, as sums over `patterns`.

A formula holds or fails only where somebody looked for all of its concepts: on images that carry every category that
it mentions. On these, I are active pixels where it holds, A active pixels, G pixels where it holds, and

    IoU = I / (A + G - I)

so that of a single label is the usual one (whatever a preset makes of it). Where IoUs are equal the shorter formula
comes first, then that with the smaller concept numbers, then `and` before `or` before `and not`.

A concept stands in a formula once, and must add something: on the images on which the longer formula is defined it
must hold for other pixels than the shorter one, and than that concept alone. These images may be few where a formula
joins labels of different sources; a `Composition` carries I, A and G for that reason. Chance is not asked here: among
so many formulas some fits any masks better than all single labels do, so a small gain says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dissection.concepts import Concept
from dissection.formulas import AND, AND_NOT, OPERATORS, OR, Composition, Parts, canonical, formula_text
from dissection.patterns import Table

LENGTH = 3
BEAM = 5
_AT_ONCE = 1 << 23  # candidates scored at a time


@dataclass(frozen=True)
class _Scored:
    """A formula of one unit, with its counts."""

    parts: Parts
    iou: float
    counts: tuple[int, int, int]

    @property
    def order(self) -> tuple[float, int, tuple[int, ...], tuple[int, ...]]:
        concepts, operators = zip(*((c, op) for op, c in self.parts), strict=True)
        return -self.iou, len(self.parts), concepts, operators


def compositions(
    table: Table, concepts: Sequence[Concept], *, length: int = LENGTH, beam: int = BEAM
) -> tuple[Composition, ...]:
    """The best formula of each unit.

    Args:
        table: of the data set's patterns.
        concepts: the C concepts.
        length: how many concepts a formula may have.
        beam: how many formulas of each length grow further.

    Raises:
        ValueError: length or beam below 1.
    """
    for name, value in (("length", length), ("beam", beam)):
        if value < 1:
            raise ValueError(f"{name}: expected at least 1, got {value}")
    units = table.active.shape[0]
    best: list[list[_Scored]] = [[] for _ in range(units)]
    single = np.zeros(units)
    grown: list[list[_Scored]] = [[] for _ in range(units)]
    for now in range(1, length + 1):
        grown = _singles(table, beam) if now == 1 else _grow(table, grown, beam)
        for unit, some in enumerate(grown):
            if some and (not best[unit] or some[0].iou > best[unit][0].iou):
                best[unit] = some[:1]
            if now == 1 and some:
                single[unit] = some[0].iou
    return tuple(
        _composition(unit, some[0] if some else None, float(single[unit]), concepts)
        for unit, some in enumerate(best)
    )


def _composition(unit: int, found: _Scored | None, single: float, concepts: Sequence[Concept]) -> Composition:
    if found is None:
        return Composition(unit, "", (), 0.0, 0.0, 0, 0, 0)
    words = ["", *(OPERATORS[op] for op, _ in found.parts[1:])]
    parts = tuple((word, concepts[c]) for word, (_, c) in zip(words, found.parts, strict=True))
    text = formula_text(found.parts, concepts)
    return Composition(unit, text, parts, found.iou, single, *found.counts)


def _ratio(both: NDArray[np.float64], union: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.divide(both, union, out=np.zeros_like(both), where=union > 0)
    return ratio


def _everywhere(table: Table) -> NDArray[np.uint8]:
    """The set of all patterns, packed `[1, ceil(P / 8)]`."""
    return np.packbits(np.ones((1, len(table.pixels)), np.uint8), axis=1)


def _rows_at_once(table: Table) -> int:
    """How many sets of patterns may be in memory."""
    return max(1, 8 * _AT_ONCE // max(1, len(table.pixels)))


def _singles(table: Table, beam: int) -> list[list[_Scored]]:
    """Formulas of one concept, best first, `beam` for each unit."""
    units, number = np.arange(table.active.shape[0]), len(table.category_of)
    every = _everywhere(table)
    met = table.met(units, every, np.zeros(len(units), np.int64))
    both, active = met[:, :number], met[:, number + table.category_of]
    area = table.areas(every)[0, :number]
    iou = _ratio(both, active + area - both)
    order = np.argsort(-iou, axis=1, kind="stable")[:, :beam]
    return [
        [
            _Scored(
                ((AND, c),), float(iou[unit, c]), (int(both[unit, c]), int(active[unit, c]), int(area[c]))
            )
            for c in row
            if iou[unit, c] > 0
        ]
        for unit, row in enumerate(order.tolist())
    ]


class _Formulas:
    """Different formulas of one length: where they hold, and the images on which they are defined.

    Attributes:
        parts: operators and concepts, `[F, 2, L]`.
        defined: the D different domains, packed bits `[D, ceil(P / 8)]`.
        domain: which of them each formula has `[F]`.
        areas: pixels where each holds, with each column of the table `[F, C + K + 1]`.
        domains: pixels of each domain likewise `[D, C + K + 1]`.
    """

    def __init__(self, table: Table, parts: NDArray[np.int64]) -> None:
        self.table, self.parts = table, parts
        mentions = np.zeros((len(parts), table.categories), bool)
        np.put_along_axis(mentions, table.category_of[parts[:, 1]], True, axis=1)
        different, domain = np.unique(mentions, axis=0, return_inverse=True)
        self.domain = domain.reshape(-1)
        self.defined = _everywhere(table).repeat(len(different), axis=0)
        for category in range(table.categories):
            self.defined[different[:, category]] &= table.there[len(table.category_of) + category]
        step = _rows_at_once(table)
        starts = range(0, len(parts), step)
        numbers = np.arange(len(parts))
        self.areas = np.concatenate([table.areas(self.holds(numbers[at : at + step])) for at in starts])
        self.domains = table.areas(self.defined)

    def holds(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The patterns of which some formulas hold, packed bits `[N, ceil(P / 8)]`."""
        there, parts = self.table.there, self.parts[numbers]
        holds = there[parts[:, 1, 0]]
        for place in range(1, parts.shape[2]):
            for operator in (AND, OR, AND_NOT):
                some = parts[:, 0, place] == operator
                theirs = there[parts[some, 1, place]]
                if operator == OR:
                    holds[some] |= theirs
                else:
                    holds[some] &= theirs if operator == AND else ~theirs
        holds &= self.defined[self.domain[numbers]]
        return holds


def _grow(table: Table, shorter: Sequence[Sequence[_Scored]], beam: int) -> list[list[_Scored]]:
    """Formulas longer by one concept, best first, `beam` for each unit."""
    grown: list[list[_Scored]] = [[] for _ in shorter]
    unit = np.array([u for u, some in enumerate(shorter) for _ in some], np.int64)
    if not len(unit):
        return grown
    parts = np.array([list(zip(*one.parts, strict=True)) for some in shorter for one in some], np.int64)
    different, of = np.unique(parts, axis=0, return_inverse=True)
    of = of.reshape(-1)
    formulas = _Formulas(table, different)
    candidates = _Candidates(table, formulas)
    step = max(1, min(_AT_ONCE // (3 * len(table.category_of)), _rows_at_once(table)) // beam)
    length = parts.shape[2] + 1
    for start in range(0, len(shorter), step):
        here = (unit >= start) & (unit < start + step)
        # a formula comes from at most `length` shorter ones, so among so many times more there are enough different
        for one, found in candidates.best(unit[here], of[here], length * beam):
            grown[one].append(found)
    for one, some in enumerate(grown):
        unique = {found.parts: found for found in some}
        grown[one] = sorted(unique.values(), key=lambda found: found.order)[:beam]
    return grown


class _Candidates:
    """What comes of formulas by one more concept: three operators with C concepts each."""

    def __init__(self, table: Table, formulas: _Formulas) -> None:
        self.table, self.formulas = table, formulas
        self.number = len(table.category_of)
        self.area = self._joined(formulas.areas, formulas.domains[formulas.domain])
        self.new = self._new()

    def _joined(self, holds: NDArray[np.float64], defined: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels where new formulas hold, from those where old ones hold or are defined, `[N, 3, C]`."""
        with_it, there = holds[:, : self.number], holds[:, self.number + self.table.category_of]
        return np.stack([with_it, there + defined[:, : self.number] - with_it, there - with_it], axis=1)

    def _new(self) -> NDArray[np.bool_]:
        """Which new formulas say something else than the old one, and than the concept alone, bool `[F, 3, C]`.

        On the images on which they are defined: to be defined on fewer is nothing to say.
        """
        formulas, number = self.formulas, self.number
        # an operator adds pixels or takes some away, never both: as many pixels are the same pixels
        old = formulas.areas[:, number + self.table.category_of]
        alone = formulas.domains[formulas.domain][:, :number]
        new: NDArray[np.bool_] = self.area != old[:, None, :]
        new[:, [AND, OR]] &= self.area[:, [AND, OR]] != alone[:, None, :]
        new[np.arange(len(new))[:, None], :, formulas.parts[:, 1]] = False
        return new

    def best(
        self, unit: NDArray[np.int64], of: NDArray[np.int64], count: int
    ) -> Iterator[tuple[int, _Scored]]:
        """At least the `count` best new formulas of each unit, as far as they overlap with it.

        Args:
            unit, of: units, ascending, each with the number of an old formula.
            count: how many; more come where IoUs are equal.
        """
        formulas, table = self.formulas, self.table
        pairs, back = np.unique(np.stack([unit, formulas.domain[of]]), axis=1, return_inverse=True)
        defined = table.met(pairs[0], formulas.defined, pairs[1])[back.reshape(-1)]
        here, which = np.unique(of, return_inverse=True)
        both = self._joined(table.met(unit, formulas.holds(here), which), defined)
        active = defined[:, None, self.number + table.category_of]
        iou = _ratio(both, active + self.area[of] - both)
        iou[~self.new[of]] = 0
        starts = np.flatnonzero(np.diff(unit, prepend=-1))
        for start, end in zip(starts, [*starts[1:], len(unit)], strict=True):
            some = iou[start:end]
            least = np.partition(some, -count, axis=None)[-count] if some.size > count else 0.0
            for row, operator, concept in np.argwhere((some >= least) & (some > 0)).tolist():
                row += start
                old = formulas.parts[of[row]].T.tolist()
                parts = canonical((*((op, c) for op, c in old), (operator, concept)))
                counts = (
                    int(both[row, operator, concept]),
                    int(active[row, 0, concept]),
                    int(self.area[of[row], operator, concept]),
                )
                yield int(unit[row]), _Scored(parts, float(iou[row, operator, concept]), counts)
