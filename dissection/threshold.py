"""T_k: how strongly must unit k fire to count as active?

`T_k` is the value at index ⌊q·n⌋ (from 0) of the unit's activations in descending order over all n positions
of all images, zeros included; a position is active where a > T_k. So at most ⌊q·n⌋ positions are active, and
for continuous activations exactly that many (Bau et al. 2017, Sec. 2.2: P(a > T_k) = q, q = 0.005).

The threshold is exact, not sketched: the ⌊q·n⌋ + 1 largest values of each unit are all it depends on.

    top = TopValues(units, keep=threshold_index(q, n) + 1)
    top.add(activations)            # [U, M], as often as there are batches
    top.bound                       # [U] a lower bound of T_k that only rises
    top.at(threshold_index(q, n))   # [U] T_k
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Place: TypeAlias = Literal["index", "readout", "midpoints"]
"""Where T_k stands: at ⌊q·n⌋; at a point of a readout of 1,000; between the midpoints of the n steps of a staircase."""


def threshold_index(quantile: float, positions: int) -> int:
    """⌊q·n⌋, with q taken as the decimal number that it prints as (0.005 · 29400 is 147, not 146.99…)."""
    return int(_share(quantile) * positions)


def threshold_place(quantile: float, positions: int, place: Place = "index") -> Fraction:
    """Where T_k stands among n values in descending order, from 0 to n - 1; what lies between two is interpolated.

    "readout": the older two programs read 1,000 equally spaced points, the first the smallest value, the last the
    largest, and take the one that is q · 1000 points before the last: q = 0.005 is point 994 of 0…999.
    "midpoints": the i-th of n values from below stands at (i + 1/2) / n, and T_k at 1 - q.
    """
    share, last = _share(quantile), max(positions - 1, 0)
    if place == "readout":
        points = floor(share * 1000 + Fraction(1, 2))
        return min(Fraction(points, 999), Fraction(1)) * last
    if place == "midpoints":
        return min(max(share * positions - Fraction(1, 2), Fraction(0)), Fraction(last))
    return Fraction(threshold_index(quantile, positions))


def _share(quantile: float) -> Fraction:
    if not 0 < quantile < 1:
        raise ValueError(f"quantile: expected a share between 0 and 1, got {quantile}; 0.005 is usual")
    return Fraction(repr(float(quantile)))


class TopValues:
    """The `keep` largest values of each unit, over everything added.

    The order in which values arrive does not matter, and two halves can be merged: the state is the same
    multiset of values for the same data.

    Args:
        units: U.
        keep: how many values to keep, at least 1.
        floor: `[U]`, the bound of another part of the same data: nothing at or below it is kept.
        device: where the values live.
    """

    def __init__(
        self, units: int, keep: int, *, floor: Tensor | None = None, device: torch.device | str = "cpu"
    ) -> None:
        if keep < 1:
            raise ValueError(f"keep: expected at least 1, got {keep}")
        self.keep = keep
        self.floor = None if floor is None else floor.to(device)
        self._best = torch.empty((units, 0), dtype=torch.float32, device=device)
        self._pending: list[Tensor] = []
        self._pending_columns = 0

    @property
    def full(self) -> bool:
        """Whether `keep` values of each unit were seen."""
        return self._best.shape[1] == self.keep

    @property
    def bounded(self) -> bool:
        """Whether there is a bound."""
        return self.full or self.floor is not None

    @property
    def bound(self) -> Tensor:
        """`[U]`: no value at or below it can exceed the final T_k; -inf, or the floor, until `keep` were seen."""
        if not self.full:
            nothing = self._best.new_full((self._best.shape[0],), -torch.inf)
            return nothing if self.floor is None else self.floor
        last = self._best[:, -1]
        return last if self.floor is None else torch.maximum(last, self.floor)

    def add(self, values: Tensor) -> None:
        """Takes in `[U, M]` values, finite, any order."""
        # Only values above the bound can matter; their largest number in any unit is what must be looked at.
        above = int((values > self.bound[:, None]).sum(dim=1).max())
        columns = min(above, self.keep)
        if columns:
            self._append(values.topk(columns, dim=1).values.float())

    def add_maps(self, units: Tensor, values: Tensor) -> None:
        """Takes in the values `[M, n]` of some units `[M]` (int64, repeats allowed), finite, in any order.

        All values of other units, and of these units elsewhere, must be at or below the bound. Once there is a
        bound this is the cheaper way: few values exceed it, and only these are sorted by unit.
        """
        above = values > self.bound[units, None]
        unit, order = units[:, None].expand_as(values)[above].sort(stable=True)
        if len(unit) == 0:
            return
        counts = torch.bincount(unit, minlength=len(self._best))
        place = torch.arange(len(unit), device=unit.device) - (counts.cumsum(0) - counts)[unit]
        block = self._best.new_full((len(self._best), int(counts.max())), -torch.inf)
        block[unit, place] = values[above][order].float()
        self._append(block)

    def _append(self, block: Tensor) -> None:
        self._pending.append(block)
        self._pending_columns += block.shape[1]
        # Merging costs about as much as it reads, so wait until there is as much new as there is old; and while there
        # is room for all, until there is none.
        have = 0 if self.full else self._best.shape[1]
        if have + self._pending_columns >= self.keep:
            self._merge_pending()

    def merge(self, other: TopValues) -> None:
        """Takes in what another one has seen, which must keep at least as many values."""
        if other.keep < self.keep:
            raise ValueError(
                f"expected a part that keeps at least {self.keep} values, got one of {other.keep}"
            )
        other._merge_pending()
        if other._best.shape[1]:
            self.add(other._best.to(self._best.device))

    def at(self, index: int) -> Tensor:
        """`[U]`: the value at `index` (from 0) in descending order.

        Raises:
            ValueError: fewer values than that were added, or kept.
        """
        self._merge_pending()
        if not 0 <= index < self._best.shape[1]:
            kept = self._best.shape[1]
            raise ValueError(f"index {index} is outside the {kept} largest values that were kept")
        return self._best[:, index].clone()

    def between(self, place: Fraction) -> Tensor:
        """`[U]`: the value at `place` (from 0) in descending order, interpolated linearly between two.

        What comes out is the largest float32 up to that, so that a float32 exceeds it exactly if it exceeds the
        interpolated value itself.

        Raises:
            ValueError: fewer values than that were added, or kept.
        """
        upper = self.at(floor(place))
        if place.denominator == 1:
            return upper
        share = float(place - floor(place))
        exact = upper.double() + (self.at(ceil(place)).double() - upper.double()) * share
        nearest = exact.float()
        below = torch.nextafter(nearest, torch.full_like(nearest, -torch.inf))
        return torch.where(nearest.double() > exact, below, nearest)

    def _merge_pending(self) -> None:
        if self._pending:
            merged = torch.cat([self._best, *self._pending], dim=1)
            self._best = merged.topk(min(self.keep, merged.shape[1]), dim=1).values
            self._pending, self._pending_columns = [], 0
