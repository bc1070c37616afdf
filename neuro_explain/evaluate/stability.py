"""Are units named alike on two halves of a concept set?

    found = stability([name.concept for name in first], [name.concept for name in second], "IoU alone")
    found.agreement.value, found.chance

A name that other images do not give again is not the unit's. Agreement is the share of units named alike among the
units that either half names: a unit that only one half names counts against it, one that neither names does not count
at all.

Beside it stands what names dealt out at random would reach, each name and "unnamed" as often as in each half: with
p(l) and p'(l) the shares of units under name l, U Σ p(l) p'(l) of them are expected to agree, and U (1 - p(unnamed)
p'(unnamed)) to be named by either. Cohen's kappa (1960) takes "unnamed" for a name like any other:
(o - e) / (1 - e), with o the share of units on which the halves agree, e that expected by chance. Its interval draws
units, so it is given only where both halves name `FEWEST` of them or more: with one such unit every draw agrees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dissection.concepts import Concept
from neuro_explain.evaluate.estimate import Estimate, share_of
from neuro_explain.evaluate.tally import RESAMPLES

FEWEST = 10
"""Units with a name on both halves, below which kappa has no interval."""


@dataclass(frozen=True)
class Stability:
    """How the names of two halves agree.

    Attributes:
        rule: by which units are named.
        alike: units with the same name in both.
        first_only, second_only: units that only one half names.
        different: units with another name in each.
        neither: units that neither names.
        agreement: alike, of those that either names.
        chance: what names dealt out at random would reach; None if no unit is named in either.
        kappa: of all units, "unnamed" a name as well; its value is None if chance alone agrees everywhere, and it has
            no interval if too few units have a name on both halves, or if every draw of units gives the same.
    """

    rule: str
    alike: int
    first_only: int
    second_only: int
    different: int
    neither: int
    agreement: Estimate
    chance: float | None
    kappa: Estimate

    @property
    def units(self) -> int:
        """All of them."""
        return self.alike + self.first_only + self.second_only + self.different + self.neither

    @property
    def too_few(self) -> bool:
        """Whether fewer than `FEWEST` units have a name on both halves."""
        return self.alike + self.different < FEWEST


def stability(first: Sequence[Concept | None], second: Sequence[Concept | None], rule: str) -> Stability:
    """Compares the names that two halves give to the same units.

    Args:
        first, second: a name or None for each unit.
        rule: by which they were named, for people.

    Raises:
        ValueError: different numbers of units, or none.
    """
    if len(first) != len(second) or not first:
        raise ValueError(f"expected the same units in both halves, got {len(first)} and {len(second)}")
    pairs = list(zip(first, second, strict=True))
    alike = [one is not None and one == other for one, other in pairs]
    either = [one is not None or other is not None for one, other in pairs]
    labels = list(dict.fromkeys([None, *first, *second]))
    mine, theirs = (_one_hot(names, labels) for names in (first, second))
    whole = np.full((1, len(pairs)), 1.0)
    both = _expected(whole, mine, theirs)[0]
    unnamed, named = both[0], both[1:].sum()
    return Stability(
        rule=rule,
        alike=sum(alike),
        first_only=sum(one is not None and other is None for one, other in pairs),
        second_only=sum(one is None and other is not None for one, other in pairs),
        different=sum(None not in pair and pair[0] != pair[1] for pair in pairs),
        neither=len(pairs) - sum(either),
        agreement=share_of([alike[unit] for unit, counts in enumerate(either) if counts]),
        chance=float(named / (1 - unnamed)) if any(either) else None,
        kappa=_kappa(mine, theirs, shared=sum(None not in pair for pair in pairs)),
    )


def _one_hot(names: Sequence[Concept | None], labels: Sequence[Concept | None]) -> NDArray[np.float64]:
    place = {label: number for number, label in enumerate(labels)}
    return np.eye(len(labels))[[place[name] for name in names]]


def _expected(
    drawn: NDArray[np.float64], mine: NDArray[np.float64], theirs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """p(l) p'(l) for each label, where unit u stands there `drawn[:, u]` times: `[R, L]`."""
    units = drawn.sum(axis=1, keepdims=True)
    shares: NDArray[np.float64] = (drawn @ mine / units) * (drawn @ theirs / units)
    return shares


def _kappa(mine: NDArray[np.float64], theirs: NDArray[np.float64], *, shared: int) -> Estimate:
    units = len(mine)
    same = (mine * theirs).sum(axis=1)

    def kappa(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        chance = _expected(drawn, mine, theirs).sum(axis=1)
        left = np.where(chance < 1 - 1e-12, 1 - chance, np.nan)  # 1: all units bear one name in both halves
        values: NDArray[np.float64] = (drawn @ same / units - chance) / left
        return values

    value = float(kappa(np.ones((1, units)))[0])
    if np.isnan(value):
        return Estimate(None, None, None, units)
    if shared < FEWEST:
        return Estimate(value, None, None, units)
    even = np.full(units, 1 / units)
    drawn = np.random.default_rng(0).multinomial(units, even, size=RESAMPLES).astype(np.float64)
    low, high = np.nanpercentile(kappa(drawn), (2.5, 97.5))
    if low == high:
        return Estimate(value, None, None, units)
    return Estimate(value, float(low), float(high), units)
