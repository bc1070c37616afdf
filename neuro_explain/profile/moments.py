"""What are the mean and the spread of many rows, group by group, if the rows come in portions?

    moments = Moments(groups=365, columns=151)
    moments.add(group, q)                   # [n], [n, G]; as often as there are rows
    moments.mean, moments.variance          # [C, G]

Portions are joined by the rule of Chan, Golub and LeVeque (1979), which does not subtract large sums of squares:

    M₂ ← M₂ + M₂' + δ² n n' / (n + n'),     mean ← mean + δ n' / (n + n'),     δ = mean' − mean
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


class Moments:
    """Count, mean, spread, share and sign of the rows of each group.

    Attributes:
        count: rows of each group, int64 `[C]`.
        mean: of each group, `[C, G]`; 0 where there is no row.

    Args:
        groups: C.
        columns: G.
        shares: whether shares and signs are asked for; half of the work.
    """

    def __init__(self, groups: int, columns: int, *, shares: bool = True) -> None:
        self._wanted = shares
        self.count: NDArray[np.int64] = np.zeros(groups, np.int64)
        self.mean: Matrix = np.zeros((groups, columns))
        self._squares: Matrix = np.zeros((groups, columns))
        self._shares: Matrix = np.zeros((groups, columns))
        self._positive: NDArray[np.int64] = np.zeros((groups, columns), np.int64)

    def add(self, group: NDArray[np.int64], rows: Matrix) -> None:
        """Takes in rows `[n, G]` and the group of each, `[n]` in 0…C − 1."""
        if not len(group):
            return
        from scipy.sparse import csr_array

        which, place, count = np.unique(group, return_inverse=True, return_counts=True)
        # [groups, n]: a product with it sums the rows of each group
        of = csr_array((np.ones(len(group)), (place, np.arange(len(group)))))
        n, before = count[:, None].astype(np.float64), self.count[which][:, None].astype(np.float64)
        mean = (of @ rows) / n
        squares = of @ (rows - mean[place]) ** 2
        away = mean - self.mean[which]
        self._squares[which] += squares + away**2 * before * n / (before + n)
        self.mean[which] += away * n / (before + n)
        self.count[which] += count
        if not self._wanted:
            return
        self._positive[which] += (of @ (rows > 0)).astype(np.int64)
        size = np.abs(rows)
        whole = size.sum(axis=1, keepdims=True)
        np.divide(size, whole, out=size, where=whole > 0)
        self._shares[which] += of @ size

    @property
    def variance(self) -> Matrix:
        """s² with n − 1 below, `[C, G]`; NaN for fewer than two rows."""
        n = self.count[:, None].astype(np.float64)
        return np.divide(
            self._squares,
            n - 1,
            out=np.full_like(self._squares, np.nan),
            where=np.broadcast_to(n > 1, self.mean.shape),
        )

    @property
    def share(self) -> Matrix:
        """Mean over the rows of |q| / Σ |q|, `[C, G]` in 0…1; 0 where there is no row."""
        return self._shares / np.maximum(self.count, 1)[:, None]

    @property
    def positive(self) -> Matrix:
        """Share of the rows above zero, `[C, G]` in 0…1; 0 where there is no row."""
        return self._positive / np.maximum(self.count, 1)[:, None]
