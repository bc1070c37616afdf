"""Where on coarse cells do masks and labels of images lie, and how many pixels do both cover?

    cells = Cells(units, concepts, size)
    overlap.add(labels, units, maps, threshold, watcher=cells.of(image))   # image by image, in any order
    cells.masks(), cells.labels()                                          # on cells, for exchanges
    cells.met(best)                                                        # exact, in pixels

What an image adds is kept in the smallest integers that hold it. It stays in memory until the end, since an exchange
needs the labels of all images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dissection.concepts import Concept, by_category
from dissection.overlap import PackedLabels

GRID = 14
"""Cells along a side."""
_Kept: TypeAlias = dict[int, list[tuple[NDArray[Any], ...]]]


class Cells:
    """Masks and labels of images on coarse cells.

    Args:
        units: U.
        concepts: the C concepts, by number.
        size: S.
        device: where masks and labels are handed over.
    """

    def __init__(
        self, units: int, concepts: Sequence[Concept], size: int, *, device: torch.device | str = "cpu"
    ) -> None:
        self.units, self.concepts, self.size = units, len(concepts), size
        self.grid = min(GRID, size)
        self.categories, self.category_of = by_category(concepts)
        of = torch.arange(size) * self.grid // size
        rows = torch.zeros(self.grid, size, dtype=torch.float32)
        rows[of, torch.arange(size)] = 1
        self._rows = rows.to(device)
        along = torch.bincount(of, minlength=self.grid)
        self.pixels = (along[:, None] * along[None, :]).flatten().numpy()
        self._carried: dict[int, tuple[int, ...]] = {}
        self._source: dict[int, int] = {}
        self._labels: _Kept = {}
        self._masks: _Kept = {}
        self._met: _Kept = {}

    def of(self, image: int) -> CellsOf:
        """Takes in an image, by its number, as it is counted (`overlap.Watcher`)."""
        return CellsOf(self, image)

    def add_labels(self, image: int, labels: PackedLabels, incidence: Tensor) -> None:
        """Takes in the labels of an image; `incidence` is float32 `[S², c + 1]`."""
        count = incidence.shape[1]
        rows = (self._rows @ incidence.view(self.size, -1)).view(self.grid, self.size, count)
        pixels = (self._rows @ rows).flatten(0, 1)[:, :-1]  # of each concept, [g², c]
        cell, local = pixels.nonzero(as_tuple=True)
        concept = torch.from_numpy(labels.present)[local.cpu()]
        self._carried[image], self._source[image] = labels.categories, labels.source
        self._labels[image] = [_arrays(cell, concept, pixels[cell, local])]

    def add_masks(
        self, image: int, labels: PackedLabels, incidence: Tensor, units: Tensor, masks: Tensor
    ) -> None:
        """Takes in masks of an image, of units that were not given yet: 0 or 1, float32 `[M, S, S]`."""
        both = masks.flatten(1) @ incidence[:, :-1]
        row, local = both.nonzero(as_tuple=True)
        concept = torch.from_numpy(labels.present)[local.cpu()]
        self._met.setdefault(image, []).append(_arrays(units[row], concept, both[row, local]))
        pixels = (self._rows @ masks @ self._rows.T).flatten(1)
        row, cell = pixels.nonzero(as_tuple=True)
        self._masks.setdefault(image, []).append(_arrays(cell, units[row], pixels[row, cell]))

    def merge(self, other: Cells) -> None:
        """Takes in other images."""
        self._carried |= other._carried
        self._source |= other._source
        self._labels |= other._labels
        self._masks |= other._masks
        self._met |= other._met

    def sources(self) -> list[NDArray[np.int64]]:
        """The images of each source, by their place among all in ascending order.

        A source is what comes from one of several joined sets and carries the same categories.
        """
        of: dict[tuple[int, ...], list[int]] = {}
        for place, image in enumerate(sorted(self._carried)):
            of.setdefault((self._source[image], *sorted(self._carried[image])), []).append(place)
        return [np.array(places) for places in of.values()]

    def images(self) -> NDArray[np.int64]:
        """Their numbers, ascending: what place among all stands for which."""
        return np.array(sorted(self._carried), np.int64)

    def carries(self) -> NDArray[np.bool_]:
        """Which image carries which category, bool `[N, K]`."""
        there = np.zeros((len(self._carried), len(self.categories)), bool)
        for place, image in enumerate(sorted(self._carried)):
            there[place, list(self._carried[image])] = True
        return there

    def labels(self) -> Any:
        """The share of each cell that a concept covers, a sparse `csr_array`, float32 `[N · g², C]`."""
        from scipy import sparse

        row, concept, pixels = self._all(self._labels)
        share = pixels / self.pixels[row % len(self.pixels)]
        shape = (len(self._carried) * len(self.pixels), self.concepts)
        return sparse.csr_array((share.astype(np.float32), (row, concept)), shape=shape)

    def masks(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Cells that units cover in part: their row in `labels`, the unit, and how many pixels, sorted by unit."""
        row, unit, pixels = self._all(self._masks)
        order = np.argsort(unit, kind="stable")
        return row[order], unit[order], pixels[order].astype(np.float32)

    def met(
        self, best: NDArray[np.int64]
    ) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]:
        """(unit, place of the image) `[M]` each, and the pixels `[M]` that unit and its label `best` `[U]` share there.

        Only where there are some; in the order of the images.
        """
        none = np.zeros(0, np.int64)
        units, places, pixels = [none], [none], [none]
        for place, image in enumerate(sorted(self._carried)):
            for unit, concept, both in self._met.get(image, ()):
                mine = best[unit] == concept
                units.append(unit[mine].astype(np.int64))
                pixels.append(both[mine].astype(np.int64))
                places.append(np.full(int(mine.sum()), place))
        return (np.concatenate(units), np.concatenate(places)), np.concatenate(pixels)

    def _all(self, of: _Kept) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        none = np.zeros(0, np.int64)
        rows, others, pixels = [none], [none], [none]
        for place, image in enumerate(sorted(self._carried)):
            for cell, other, count in of.get(image, ()):
                rows.append(cell.astype(np.int64) + place * len(self.pixels))
                others.append(other.astype(np.int64))
                pixels.append(count.astype(np.int64))
        return np.concatenate(rows), np.concatenate(others), np.concatenate(pixels)


@dataclass
class CellsOf:
    """An image on its way into `Cells`."""

    cells: Cells
    image: int
    _labels: tuple[PackedLabels, Tensor] | None = None

    def labels(self, labels: PackedLabels, incidence: Tensor) -> None:
        """See `Cells.add_labels`."""
        self._labels = labels, incidence  # as it is until the image's masks have come
        self.cells.add_labels(self.image, labels, incidence)

    def masks(self, units: Tensor, masks: Tensor) -> None:
        """See `Cells.add_masks`."""
        assert self._labels is not None  # labels come first
        self.cells.add_masks(self.image, *self._labels, units, masks)


def _arrays(*columns: Tensor) -> tuple[NDArray[Any], ...]:
    return tuple(_small(column.cpu().numpy().astype(np.int64)) for column in columns)


def _small(values: NDArray[np.int64]) -> NDArray[Any]:
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))
