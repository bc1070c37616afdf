"""A figure over units, and how sure it is.

estimate([(3, 0.5), (8, 0.25)]).value        # a mean of values, each with its unit
share_of([True, False, True]).low            # a share of units
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuro_explain.evaluate.tally import bootstrap_interval

_Z = 1.959964  # of the normal distribution 95 % lie nearer than that


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval.

    Attributes:
        value: None if there is nothing that it could be of.
        low, high: 95 %; None where too few units cannot tell (fewer than two, or what the figure says of itself).
        count: values that it is of.
    """

    value: float | None
    low: float | None
    high: float | None
    count: int


def estimate(values: Sequence[tuple[int, float]]) -> Estimate:
    """The mean of finite values, each with its unit; the interval is a bootstrap over units."""
    mean = float(np.mean([value for _, value in values])) if values else None
    return Estimate(mean, *bootstrap_interval(list(values)), len(values))


def share_of(hits: Sequence[bool]) -> Estimate:
    """The share of hits with Wilson's interval (1927), which does not shrink to nothing where all hit or none."""
    count = len(hits)
    if not count:
        return Estimate(None, None, None, 0)
    share = sum(hits) / count
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    away = _Z / (1 + _Z**2 / count) * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return Estimate(share, max(0.0, middle - away), min(1.0, middle + away), count)
