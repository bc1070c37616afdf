"""Could it be chance that a unit's masks meet a label as they do?

    cells = Cells(units, concepts, size)
    overlap.add(labels, units, maps, threshold, watcher=cells.of(image))   # image by image, in any order
    found = significance(cells, iou, permutations=100, seed=0)
    found.q, found.low, found.high                                         # [U]

On some hundreds of images some label meets any mask. The null hypothesis: which labels an image has does not depend on
where the unit fires in it. Under it the labels of images of one source (one of the joined sets, and those of its images
that carry the same categories) can be exchanged; where in an image a unit fires and labels lie, and how often, stays as
it is. The statistic is the IoU of the *best* label, so that having looked at all labels is paid for.

A hundred exchanges alone cannot give a p-value that survives a correction for a thousand units. So each value of the
null is taken in standard deviations from the mean of its own unit's other values, and all units' values together are
the null of each. What its own images allow bounds it: a unit that fires on one image of N has only N ways to meet
labels, so its p is 1/N at least, however well it meets them; images that do not carry the category of its best label do
not count. q is the false discovery rate over units of Benjamini and Hochberg (1995).

Masks and labels meet on coarse cells here, where the share of a cell that both cover is taken for the product of their
shares. What is compared is coarse on both sides: coarseness may cost power, it makes no name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dissection.cells import Cells
from dissection.significance import Significance

PERMUTATIONS = 100
RESAMPLES = 200
"""Draws of images, for the intervals."""
_FLAT = 1e-6  # a standard deviation of IoUs below this is rounding
_IMAGES_AT_ONCE = 1024
_NARROW = 0.1  # of the median deviation: a unit whose null hardly varies is taken to vary so much


def significance(
    cells: Cells,
    iou: NDArray[np.float64],
    *,
    best: NDArray[np.int64] | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Significance:
    """How likely chance alone gives each unit as good a label.

    Args:
        cells: masks and labels.
        iou: exact, float64 `[U, C]`.
        best: number of each unit's best label `[U]`; of several with the same IoU the first if not given.
        permutations: how often labels are exchanged, at least 2.
        seed: of the exchanges and draws.

    Raises:
        ValueError: fewer than two permutations.
    """
    if permutations < 2:
        raise ValueError(f"permutations: expected at least 2, got {permutations}")
    if best is None:
        best = iou.argmax(axis=1) if iou.shape[1] else np.zeros(len(iou), np.int64)
    meeting = _Meeting(cells)
    observed, null = np.zeros(cells.units), np.empty((permutations, cells.units))
    active, least = np.zeros(cells.units, bool), np.ones(cells.units)
    low, high = np.zeros(cells.units), np.zeros(cells.units)
    drawn: NDArray[np.float64] | None = None
    covered = np.zeros((0, RESAMPLES))
    for block in meeting.blocks():
        rng, mine = np.random.default_rng(seed), block.units  # all units see the same exchanges
        observed[mine] = block.ious(np.arange(meeting.images)).max(axis=1, initial=0.0)
        for row in null:
            row[mine] = block.ious(meeting.exchange(rng)).max(axis=1, initial=0.0)
        active[mine], least[mine] = block.active, block.least_p(best)
        if iou.size and meeting.images:
            if drawn is None:
                drawn = meeting.draws(rng)
                covered = meeting.covered.T @ drawn
            low[mine], high[mine] = block.interval(iou, best, drawn, covered)
    p, smallest = pooled_p(observed, null, active)
    p = np.maximum(p, least)
    smallest = max(smallest, least[active].min(initial=1.0))
    q = np.ones(cells.units)
    q[active] = false_discovery_rate(p[active])
    largest = iou.max(axis=1, initial=0.0)
    tested = max(1, int(active.sum()))
    return Significance(
        p=p,
        q=q,
        low=low,
        high=high,
        smallest_q=min(1.0, float(smallest) * tested),
        error=float(np.abs(observed - largest)[active].mean()) if active.any() else 0.0,
        permutations=permutations,
        seed=seed,
    )


def pooled_p(
    observed: NDArray[np.float64], null: NDArray[np.float64], tested: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float]:
    """p-values against a null that all units share, and the smallest there can be.

    Args:
        observed: `[U]`.
        null: `[R, U]`, R at least 2.
        tested: bool `[U]`; the others get 1 and are not part of the null.
    """
    count, null, seen = len(null), null[:, tested], observed[tested]
    mean, deviation = null.mean(axis=0), null.std(axis=0, ddof=1)
    # of the others: from R values' mean and variance, those of all but one
    others = (count * mean - null) / (count - 1)
    if count > 2:
        squares = (count - 1) * deviation**2 - (null - mean) ** 2 * count / (count - 1)
        spread = np.sqrt(np.maximum(squares, 0) / (count - 2))
    else:
        spread = np.broadcast_to(deviation, null.shape)
    # Where all draws but one give nothing, that one would stand any number of deviations above the others.
    least = max(_FLAT, _NARROW * float(np.median(deviation))) if seen.size else _FLAT
    pool = np.sort(((null - others) / np.maximum(spread, least)).ravel())
    value = (seen - mean) / np.maximum(deviation, least)
    p = np.ones(len(observed))
    p[tested] = (1 + len(pool) - np.searchsorted(pool, value)) / (1 + len(pool))
    return p, 1 / (1 + len(pool))


def false_discovery_rate(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """q of each p-value: the false discovery rate at which it would just be found (Benjamini, Hochberg 1995)."""
    order = np.argsort(p, kind="stable")
    rate = p[order] * len(p) / np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum(1, np.minimum.accumulate(rate[::-1])[::-1])
    return q


class _Meeting:
    """Labels of all images, and masks of some units after the other."""

    def __init__(self, cells: Cells) -> None:
        from scipy import sparse

        self.matrix = sparse.csr_array
        self.cells, self.sources = cells, cells.sources()
        self.labels = cells.labels()
        self.carries = cells.carries()
        self.images = len(self.carries)
        each = len(cells.pixels)
        covered = []
        for first in range(0, max(1, self.images), _IMAGES_AT_ONCE):
            count = min(_IMAGES_AT_ONCE, self.images - first)
            ends = np.arange(count + 1) * each
            whole = (np.tile(cells.pixels, count).astype(np.float64), np.arange(count * each), ends)
            some = self.labels[first * each : (first + count) * each]
            covered.append(self.matrix(whole, shape=(count, count * each)) @ some)
        self.covered = sparse.vstack(covered, format="csr")  # pixels of each concept on each image, [N, C]
        self.concept_area = np.asarray(self.covered.sum(axis=0)).ravel()

    def blocks(self) -> Iterator[_Block]:
        """All units, as many at once as `cells` says."""
        for first, end in self.cells.blocks():
            yield _Block(self, first, end)

    def exchange(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Whose labels each image is given, `[N]`."""
        to = np.arange(self.images)
        for places in self.sources:
            to[places] = rng.permutation(places)
        return to

    def draws(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """How often each image is drawn, `[N, RESAMPLES]`, images drawn with replacement."""
        drawn = np.empty((self.images, RESAMPLES))
        for draw in range(RESAMPLES):  # one by one: all at once they would be there twice
            drawn[:, draw] = rng.multinomial(self.images, np.full(self.images, 1 / self.images))
        return drawn


class _Block:
    """Masks of units from `first` to before `end`, on labels of the same images or of others."""

    def __init__(self, meeting: _Meeting, first: int, end: int) -> None:
        self.meeting, self.cells = meeting, meeting.cells
        self.units, self.count = slice(first, end), end - first
        self.image, self.cell, unit, self.pixels = meeting.cells.masks(first, end)
        self.unit = unit - first
        counts = np.bincount(self.unit, minlength=self.count)
        self.active = counts > 0
        self._starts = np.concatenate([[0], np.cumsum(counts)]).astype(meeting.labels.indices.dtype)
        self._area = np.stack(
            [
                np.bincount(self.unit, self.pixels * carried[self.image], minlength=self.count)
                for carried in meeting.carries.T
            ],
            axis=1,
        )

    def ious(self, to: NDArray[np.int64]) -> NDArray[np.float64]:
        """IoU of each unit with each concept where image i's masks meet the labels of image `to[i]`, `[u, C]`."""
        labels = self.meeting.labels
        rows = (to * len(self.cells.pixels)).astype(labels.indices.dtype)[self.image] + self.cell
        masks = self.meeting.matrix((self.pixels, rows, self._starts), shape=(self.count, labels.shape[0]))
        both = (masks @ labels).toarray().astype(np.float64)
        union = self._area[:, self.cells.category_of] + self.meeting.concept_area - both
        ratio: NDArray[np.float64] = np.divide(both, union, out=np.zeros_like(both), where=union > 0)
        return ratio

    def least_p(self, best: NDArray[np.int64]) -> NDArray[np.float64]:
        """1 ÷ the ways in which exchanges can place each unit's images on labels, `[u]`; 1 where it is not active.

        Images that do not carry the category of its best label have no part in that.
        """
        least = np.zeros(self.count)
        if not len(self.cells.category_of):
            return np.exp(least)
        images = self.meeting.images
        pairs = np.unique(self.unit.astype(np.int64) * images + self.image)
        unit, image = np.divmod(pairs, max(1, images))
        there = self.meeting.carries[image, self.cells.category_of[best[self.units][unit]]]
        for places in self.meeting.sources:
            fires = np.bincount(unit[there & np.isin(image, places)], minlength=self.count)
            falling = np.log(np.arange(len(places), 0, -1))  # of n (n - 1) …, as many factors as images
            least -= np.concatenate([[0], np.cumsum(falling)])[fires]
        one: NDArray[np.float64] = np.exp(least)
        return one

    def interval(
        self,
        iou: NDArray[np.float64],
        best: NDArray[np.int64],
        drawn: NDArray[np.float64],
        covered: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """95 % of the IoU of each unit's best label over images drawn with replacement, `[u]` each.

        Args:
            iou: of all units, `[U, C]`.
            best: of all units, `[U]`.
            drawn: how often each image is drawn, `[N, RESAMPLES]`.
            covered: pixels of each concept on these, `[C, RESAMPLES]`.
        """
        mine = best[self.units]
        (of, at), both = self.cells.met(best, self.units.start, self.units.stop)
        carried = self.pixels * self.meeting.carries[self.image, self.cells.category_of[mine[self.unit]]]

        def resampled(pixels: NDArray[Any], unit: NDArray[Any], image: NDArray[Any]) -> NDArray[np.float64]:
            shape = (self.count, self.meeting.images)
            return np.asarray(self.meeting.matrix((pixels.astype(float), (unit, image)), shape=shape) @ drawn)

        common = resampled(both, of - self.units.start, at)
        union = resampled(carried, self.unit, self.image) + covered[mine] - common
        ratio = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
        true = iou[self.units][np.arange(self.count), mine]
        low, high = np.quantile(ratio, [0.025, 0.975], axis=1)
        # a label that counts twice may have an IoU above 1, which draws of pixels do not reach
        return np.minimum(low, true), np.maximum(high, true)
