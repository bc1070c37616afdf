"""How sure is a mean, and is the difference of two more than chance?

    low, high = mean_interval(n, mean, variance)
    test = welch(n_a, mean_a, variance_a, n_b, mean_b, variance_b)
    q = benjamini_hochberg(test.p)

NaN stands for what cannot be said: too few images, or values that do not vary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

LEAST = 10
"""Images from which on there is an interval or a test: with fewer, a mean of skewed values is far from normal."""

LEVEL = 0.05
_TAIL = 0.975
_STEADY = 1e-6  # contributions are float32: what spreads less than this beside its mean does not vary


@dataclass(frozen=True)
class Welch:
    """Welch's test of two means, elementwise.

    Attributes:
        difference: first mean − second mean.
        low, high: its 95 % interval.
        p: two-sided probability of a difference as large by chance.
        d: Cohen's d, the difference in pooled standard deviations.
    """

    difference: Numbers
    low: Numbers
    high: Numbers
    p: Numbers
    d: Numbers


def mean_interval(n: NDArray[np.int64], mean: Numbers, variance: Numbers) -> tuple[Numbers, Numbers]:
    """Ends of the 95 % interval of a mean, mean ± t(0.975, n − 1) · s / √n; NaN for n below `LEAST`."""
    from scipy.special import stdtrit

    with np.errstate(invalid="ignore", divide="ignore"):
        enough = n >= LEAST
        reach = stdtrit(np.where(enough, n - 1, np.nan), _TAIL) * np.sqrt(
            variance / np.where(enough, n, np.nan)
        )
    return mean - reach, mean + reach


def welch(
    n_a: NDArray[np.int64],
    mean_a: Numbers,
    variance_a: Numbers,
    n_b: NDArray[np.int64],
    mean_b: Numbers,
    variance_b: Numbers,
) -> Welch:
    """Welch's test: t = (m_a − m_b) / √(s_a²/n_a + s_b²/n_b), its degrees of freedom after Satterthwaite.

    Args:
        n_a, n_b: images of each group; below `LEAST` nothing is tested.
        mean_a, mean_b: of each group; the shapes of all arguments broadcast.
        variance_a, variance_b: of each group, with n − 1 below.
    """
    from scipy.special import stdtr, stdtrit

    difference = np.where((n_a > 0) & (n_b > 0), mean_a - mean_b, np.nan)
    scale = _STEADY * np.maximum(np.abs(mean_a), np.abs(mean_b))
    with np.errstate(invalid="ignore", divide="ignore"):
        tested = (n_a >= LEAST) & (n_b >= LEAST) & (np.sqrt(np.maximum(variance_a, variance_b)) > scale)
        part_a = np.where(tested, variance_a / n_a, np.nan)
        part_b = np.where(tested, variance_b / n_b, np.nan)
        error = np.sqrt(part_a + part_b)
        freedom = (part_a + part_b) ** 2 / (part_a**2 / (n_a - 1) + part_b**2 / (n_b - 1))
        p = 2 * stdtr(freedom, -np.abs(difference / error))
        reach = stdtrit(freedom, _TAIL) * error
        pooled = np.sqrt(((n_a - 1) * variance_a + (n_b - 1) * variance_b) / (n_a + n_b - 2))
        d = np.where(tested, difference / pooled, np.nan)
    return Welch(difference, difference - reach, difference + reach, p, d)


def benjamini_hochberg(p: Numbers) -> Numbers:
    """q of each of m tests: the smallest false discovery rate at which it would still be called a finding.

    q_(i) = min over j ≥ i of p_(j) m / j, after Benjamini and Hochberg (1995). NaN is no test and is left as it is.
    """
    q = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    if tested.size:
        order = tested[np.argsort(p.ravel()[tested], kind="stable")]
        raised = p.ravel()[order] * len(order) / np.arange(1, len(order) + 1)
        q.ravel()[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    return q
