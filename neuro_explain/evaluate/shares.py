"""What is the mean of a measure over all things asked for, and over categories? With intervals over photographs.

    shares = Shares()
    shares.add(photograph=0, category="dog", value=1.0, chance=0.2)
    shares.figures("pointing game", "resnet50", "Grad-CAM")       # over all, over categories

Things in one photograph are not independent: intervals are a bootstrap over photographs. The mean over categories gives
each category that occurs the same weight; in a draw where one does not occur, it is the mean of the others.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from neuro_explain.evaluate.tally import Figure, drawn_interval


class Shares:
    """Collects the values of one measure, each of a photograph and a category."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, str, float, float]] = []
        self._apart: Counter[str] = Counter()

    def __len__(self) -> int:
        """The number of values."""
        return len(self._rows)

    def add(self, photograph: int, category: str, value: float, *, chance: float | None = None) -> None:
        """Takes a value in, and what chance would reach in its place."""
        self._rows.append((photograph, category, float(value), np.nan if chance is None else chance))

    def note(self, reason: str, count: int = 1) -> None:
        """Counts something apart."""
        self._apart[reason] += count

    def figures(
        self, measure: str, network: str, method: str, *, paper: float | None = None
    ) -> tuple[Figure, Figure]:
        """The rows of this measure: over all values, and over categories."""
        photographs, which_photograph = np.unique([row[0] for row in self._rows], return_inverse=True)
        categories, which_category = np.unique(
            np.array([row[1] for row in self._rows], dtype=object).astype(str), return_inverse=True
        )
        values = np.array([row[2] for row in self._rows], np.float64)
        chances = np.array([row[3] for row in self._rows], np.float64)
        shape = (len(photographs), len(categories))
        sums, counts = (
            sparse.csr_array((data, (which_photograph, which_category)), shape=shape)
            for data in (values, np.ones(len(values)))
        )
        plain = Figure(
            measure,
            network,
            method,
            count=len(values),
            scenes=len(photographs),
            apart={reason: count for reason, count in self._apart.items() if count},
            paper=paper,
        )
        over = replace(plain, measure=f"{measure}, over categories", count=len(categories), paper=None)
        if not len(values):
            return plain, over
        known = np.isfinite(chances).all()
        chance = (
            sparse.csr_array((chances, (which_photograph, which_category)), shape=shape) if known else None
        )
        once = np.ones((1, len(photographs)))
        return tuple(  # type: ignore[return-value]
            _filled(figure, sums, counts, chance, once, by_category=by_category)
            for figure, by_category in ((plain, False), (over, True))
        )


def _filled(
    figure: Figure,
    sums: sparse.csr_array,
    counts: sparse.csr_array,
    chance: sparse.csr_array | None,
    once: NDArray[np.float64],
    *,
    by_category: bool,
) -> Figure:
    low, high = None, None
    if sums.shape[0] > 1:
        low, high = drawn_interval(
            sums.shape[0], lambda drawn: _means(sums, counts, drawn, by_category=by_category)
        )
    return replace(
        figure,
        mean=float(_means(sums, counts, once, by_category=by_category)[0]),
        low=low,
        high=high,
        chance=None if chance is None else float(_means(chance, counts, once, by_category=by_category)[0]),
    )


def _means(
    sums: sparse.csr_array,
    counts: sparse.csr_array,
    weights: NDArray[np.float64] | NDArray[np.int64],
    *,
    by_category: bool,
) -> NDArray[np.float64]:
    """The mean for each row of weights `[R, photographs]`."""
    total, count = weights @ sums, weights @ counts  # [R, categories]
    if not by_category:
        means: NDArray[np.float64] = total.sum(axis=1) / count.sum(axis=1)
        return means
    there = count > 0
    own = np.divide(total, count, out=np.zeros_like(total), where=there)
    over: NDArray[np.float64] = own.sum(axis=1) / there.sum(axis=1)
    return over
