"""How sure is a mean of ratings, if both raters and photographs were drawn by chance?

    crossed_mean([1, 0, 1, 1], raters=[0, 0, 1, 1], images=[5, 6, 5, 6])
    crossed_difference(…)               # of two methods, on the same raters and photographs

Ratings by one rater are alike, and so are ratings of one photograph. The variance of the mean is that between raters
plus that between photographs less that between pairs of both, which the two have in common (Cameron, Gelbach and Miller
2011, "Robust inference with multiway clustering", eq. 2.11), and at least the last. The interval is Student's, with as
many degrees of freedom as the fewer of raters and photographs have. Drawing raters and photographs anew at once counts
what is neither's up to three times (Owen 2007, "The pigeonhole bootstrap"): intervals up to √3 too wide.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

LEVEL = 0.95


@dataclass(frozen=True)
class Crossed:
    """A mean, or a difference of two.

    Attributes:
        value: None if there is nothing that it could be of.
        low, high: 95 %; None with fewer than two raters or photographs, where all ratings are equal, or where they
            balance out within every rater and photograph: nothing then tells how far the figure may lie off.
        ratings, raters, images: that it is of.
    """

    value: float | None
    low: float | None
    high: float | None
    ratings: int
    raters: int
    images: int


def crossed_mean(values: Sequence[float], raters: Sequence[Hashable], images: Sequence[Hashable]) -> Crossed:
    """The mean of ratings.

    Args:
        values: one for each rating.
        raters, images: whose, and of what.
    """
    return crossed_difference(values, [True] * len(values), raters, images, second=False)


def crossed_difference(
    values: Sequence[float],
    first: Sequence[bool],
    raters: Sequence[Hashable],
    images: Sequence[Hashable],
    *,
    second: bool = True,
) -> Crossed:
    """The mean of some ratings less that of the others.

    Args:
        values: one for each rating.
        first: whether it belongs to the first mean, and not to the one that is taken off.
        raters, images: whose, and of what.
        second: whether there are others; if not, the first mean alone is told.
    """
    numbers, mine = np.asarray(values, np.float64), np.asarray(first, np.bool_)
    people, photographs = len(set(raters)), len(set(images))
    if not mine.any() or (second and mine.all()):
        return Crossed(None, None, None, len(numbers), people, photographs)
    # what each rating moves the figure by
    moved = np.zeros(len(numbers))
    value = 0.0
    for side, sign in ((mine, 1.0), (~mine, -1.0))[: 1 + second]:
        mean = float(numbers[side].mean())
        value += sign * mean
        moved[side] = sign * (numbers[side] - mean) / side.sum()
    low = high = None
    pairs = list(zip(raters, images, strict=True))
    between = _variance(moved, pairs)
    variance = max(_variance(moved, raters) + _variance(moved, images) - between, between)
    if min(people, photographs) >= 2 and variance > 0:
        away = float(t.ppf((1 + LEVEL) / 2, min(people, photographs) - 1)) * variance**0.5
        low, high = value - away, value + away
    return Crossed(value, low, high, len(numbers), people, photographs)


def _variance(moved: NDArray[np.float64], groups: Sequence[Hashable]) -> float:
    """The variance of a sum whose parts are independent between groups, and not within."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    count = len(numbers)
    if count < 2:
        return 0.0
    sums = np.bincount([numbers[group] for group in groups], weights=moved, minlength=count)
    return float((sums**2).sum()) * count / (count - 1)
