"""Do two maps put the places in the same order? Spearman's rank correlation, with ties.

    rank_correlation(a, b)          # -1 to 1; None if one of them has no order

Equal values share the average of their ranks; the correlation is Pearson's, of the ranks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def average_ranks(values: ArrayLike) -> NDArray[np.float64]:
    """The ranks of some values, from 1 for the smallest; equal ones share the average of theirs.

    Args:
        values: of any shape; finite.

    Returns:
        `[n]`, in the order of the flattened values.

    Raises:
        ValueError: NaN or infinity among them.
    """
    flat = np.asarray(values, np.float64).ravel()
    if not np.isfinite(flat).all():
        raise ValueError("values: expected finite numbers, got NaN or infinity, which have no rank")
    _, which, counts = np.unique(flat, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: NDArray[np.float64] = (last - (counts - 1) / 2)[which.ravel()]
    return shared


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float | None:
    """Spearman's rank correlation of two maps.

    Args:
        first, second: of the same shape; finite.

    Returns:
        -1 to 1; None where one of them is constant, which has no order to compare.

    Raises:
        ValueError: different shapes, or values that are not finite.
    """
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape:
        raise ValueError(f"second: expected the shape of first, {list(a.shape)}, got {list(b.shape)}")
    x, y = average_ranks(a), average_ranks(b)
    x, y = x - x.mean(), y - y.mean()
    spread = float(np.sqrt((x @ x) * (y @ y)))
    if spread == 0:
        return None
    return min(1.0, max(-1.0, float(x @ y) / spread))  # rounding may step over
