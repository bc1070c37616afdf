"""Which labels meet in the pixels of a data set, and where among them does each unit fire?

    patterns = Patterns(units, concepts, size)
    overlap.add(labels, units, maps, threshold, watcher=patterns.of(image))   # image by image, in any order
    table = patterns.table()

The pixels of a data set fall into few *patterns*: the set of concepts at a pixel together with the categories that its
image carries. Two pixels of one pattern are alike to every formula over labels. So how many pixels each pattern has,
and how many of them each unit is active in, replace all masks: I and G of any formula are sums over patterns, exact to
the last integer.

Memory does not grow with the number of images, but with what is different in them: for each pattern (C + K) / 8 bytes
and about 150 more, for each unit and pattern that meet 16 bytes. There are at most as many patterns as pixels, and as
many meetings as active pixels; label maps made by people have thousands, noise in several layers comes close to these
bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dissection.concepts import Concept, by_category
from dissection.overlap import PackedLabels

_BITS = 24  # so many concepts become one float32 that tells every set of them apart
_WAITING = 1 << 21  # meetings that may wait to be added up
_BLOCK = 1 << 16  # patterns unpacked at a time
_AT_ONCE = 1 << 22  # numbers in a sum's largest array


class Patterns:
    """The patterns of a data set, and the units' active pixels in each.

    Args:
        units: U.
        concepts: the C concepts, by number.
        size: S.
        device: where masks and labels are handed over.
    """

    def __init__(
        self, units: int, concepts: Sequence[Concept], size: int, *, device: torch.device | str = "cpu"
    ) -> None:
        self.units, self.concepts, self.size, self.device = units, len(concepts), size, device
        self.categories, self.category_of = by_category(concepts)
        self._ids: dict[bytes, int] = {}  # from the packed bits of concepts and categories
        self._pixels = np.zeros(0, np.int64)
        # a meeting is unit · 2^32 + pattern, with the number of active pixels
        self._meetings = (np.zeros(0, np.int64), np.zeros(0, np.int64))
        self._waiting: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        self._waits = 0

    def __len__(self) -> int:
        """The number of patterns so far."""
        return len(self._ids)

    def of(self, image: int) -> PatternsOf:
        """Takes in an image, by its number, as it is counted (`overlap.Watcher`)."""
        return PatternsOf(self, image)

    def merge(self, other: Patterns) -> None:
        """Takes in other images."""
        there = self._known(list(other._ids))
        self._pixels[there] += other._pixels[: len(other)]
        keys, counts = other._summed()
        self._wait((keys >> 32 << 32) + there[keys & 0xFFFFFFFF], counts)

    def table(self) -> Table:
        """All that was taken in."""
        from scipy import sparse

        keys, counts = self._summed()
        where = (keys >> 32, keys & 0xFFFFFFFF)
        active = sparse.csr_array((counts.astype(np.float64), where), shape=(self.units, len(self)))
        columns = self.concepts + len(self.categories)
        packed = np.frombuffer(b"".join(self._ids), np.uint8).reshape(len(self), (columns + 7) // 8)
        there, rows, found = [], [], []
        for start in range(0, len(self), _BLOCK):
            block = np.unpackbits(packed[start : start + _BLOCK], axis=1, count=columns)
            there.append(np.packbits(block.T, axis=1))
            row, column = np.nonzero(block)
            rows.append(row + start)
            found.append(column)
        every = np.arange(len(self))
        row = np.concatenate([*rows, every])
        column = np.concatenate([*found, np.full(len(self), columns)])
        labels = sparse.csr_array((np.ones(len(row)), (row, column)), shape=(len(self), columns + 1))
        return Table(
            self.category_of,
            len(self.categories),
            self._pixels[: len(self)].copy(),
            np.concatenate([np.zeros((columns, 0), np.uint8), *there], axis=1),
            labels,
            active,
        )

    def _add_labels(self, labels: PackedLabels, incidence: Tensor) -> tuple[Tensor, NDArray[np.int64]]:
        """Which of the image's patterns each pixel has, `[S²]`, and their numbers here."""
        of, count = _alike(incidence[:, :-1])
        # any pixel of a pattern stands for it
        first = torch.zeros(count, dtype=torch.int64, device=of.device)
        first[of] = torch.arange(len(of), device=of.device)
        there = np.zeros((count, self.concepts + len(self.categories)), bool)
        there[:, labels.present] = incidence[first, :-1].cpu().numpy() > 0
        there[:, [self.concepts + k for k in labels.categories]] = True
        packed = np.packbits(there, axis=1)
        numbers = self._known([row.tobytes() for row in packed])
        self._pixels[numbers] += torch.bincount(of, minlength=count).cpu().numpy()
        return of, numbers

    def _add_masks(self, units: Tensor, masks: Tensor, of: Tensor, numbers: NDArray[np.int64]) -> None:
        """Takes in masks on pixels of the given patterns."""
        row, pixel = masks.flatten(1).nonzero(as_tuple=True)
        met = torch.bincount(row * len(numbers) + of[pixel])
        at = met.nonzero().flatten()
        unit = units[at // len(numbers)].cpu().numpy()
        self._wait((unit << 32) + numbers[(at % len(numbers)).cpu().numpy()], met[at].cpu().numpy())

    def _known(self, keys: Sequence[bytes]) -> NDArray[np.int64]:
        """The numbers of patterns; new ones get the next."""
        ids = self._ids
        numbers = np.array([ids.setdefault(key, len(ids)) for key in keys], np.int64)
        if len(ids) > len(self._pixels):
            # as large as needed and half as much again, so that growing costs little
            pixels = np.zeros(len(ids) + len(ids) // 2, np.int64)
            pixels[: len(self._pixels)] = self._pixels
            self._pixels = pixels
        return numbers

    def _wait(self, keys: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        self._waiting.append((keys, counts))
        self._waits += len(keys)
        if self._waits > max(_WAITING, len(self._meetings[0])):
            self._summed()

    def _summed(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Every meeting once, in ascending order."""
        if self._waiting:
            parts = [self._meetings, *self._waiting]
            keys, at = np.unique(np.concatenate([one for one, _ in parts]), return_inverse=True)
            counts = np.zeros(len(keys), np.int64)
            np.add.at(counts, at, np.concatenate([one for _, one in parts]))
            self._meetings, self._waiting, self._waits = (keys, counts), [], 0
        return self._meetings


@dataclass
class PatternsOf:
    """An image on its way into `Patterns`."""

    patterns: Patterns
    image: int
    _of: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    _numbers: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def labels(self, labels: PackedLabels, incidence: Tensor) -> None:
        """Takes in the labels; `incidence` is float32 `[S², c + 1]`."""
        self._of, self._numbers = self.patterns._add_labels(labels, incidence)

    def masks(self, units: Tensor, masks: Tensor) -> None:
        """Takes in masks of units that were not given yet, after the labels: 0 or 1, float32 `[M, S, S]`."""
        self.patterns._add_masks(units, masks, self._of, self._numbers)


@dataclass(frozen=True, eq=False)
class Table:
    """Patterns as numbers: `columns` are the C concepts, the K categories and, in sums, one that is everywhere.

    Attributes:
        category_of: the category of each concept `[C]`.
        categories: K.
        pixels: of each pattern, int64 `[P]`.
        there: which patterns have a concept or carry a category, packed bits, uint8 `[C + K, ceil(P / 8)]`.
        labels: the same, a sparse `csr_array` of zeros and ones, float64 `[P, C + K + 1]`.
        active: active pixels of each unit in each pattern, sparse, float64 `[U, P]`.
    """

    category_of: NDArray[np.int64]
    categories: int
    pixels: NDArray[np.int64]
    there: NDArray[np.uint8]
    labels: Any
    active: Any

    @cached_property
    def _weighted(self) -> Any:
        """Pixels of each pattern with each column, `[C + K + 1, P]`."""
        weighted = self.labels.T.tocsr()
        weighted.data *= self.pixels[weighted.indices]
        return weighted

    def areas(self, sets: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Pixels in sets of patterns, with each column.

        Args:
            sets: packed bits, uint8 `[F, ceil(P / 8)]`.

        Returns:
            Whole numbers, `[F, C + K + 1]`.
        """
        found = np.zeros((len(sets), self.labels.shape[1]))
        step = max(1, _AT_ONCE // max(1, len(self.pixels)))
        for start in range(0, len(sets), step):
            some = np.unpackbits(sets[start : start + step], axis=1, count=len(self.pixels))
            found[start : start + step] = (self._weighted @ some.T.astype(np.float64, order="C")).T
        return found

    def met(
        self, units: NDArray[np.int64], sets: NDArray[np.uint8], of: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Active pixels of units in sets of patterns, with each column.

        Args:
            units: `[N]`.
            sets: packed bits, uint8 `[F, ceil(P / 8)]`.
            of: which set goes with which unit `[N]`.

        Returns:
            Whole numbers, `[N, C + K + 1]`.
        """
        found = np.zeros((len(units), self.labels.shape[1]))
        longest = int(np.diff(self.active.indptr).max(initial=1))
        step = max(1, _AT_ONCE // max(1, longest))
        for start in range(0, len(units), step):
            rows = self.active[units[start : start + step]]
            row = of[start : start + step].repeat(np.diff(rows.indptr))
            pattern = rows.indices
            rows.data *= sets[row, pattern >> 3] >> (7 - (pattern & 7)) & 1
            rows.eliminate_zeros()
            found[start : start + step] = (rows @ self.labels).toarray()
        return found


def _alike(incidence: Tensor) -> tuple[Tensor, int]:
    """Numbers for the different rows of a matrix of zeros and ones, that of each row `[S²]`, and how many there are."""
    pixels, concepts = incidence.shape
    of = torch.zeros(pixels, dtype=torch.int64, device=incidence.device)
    count = 1
    for start in range(0, concepts, _BITS):
        some = incidence[:, start : start + _BITS]
        # sums of different powers of two below 2^24 are exact in float32; so many rows there are at most, too
        power = 2.0 ** torch.arange(some.shape[1], device=some.device)
        here = (of << _BITS) + (some @ power).long()
        values, of = torch.unique(here, return_inverse=True)
        count = len(values)
    return of, count
