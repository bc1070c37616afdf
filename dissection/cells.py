"""Where on coarse cells do masks and labels of images lie, and how many pixels do both cover?

    cells = Cells(units, concepts, size)
    overlap.add(labels, units, maps, threshold, watcher=cells.of(image))   # image by image, in any order
    cells.labels()                                                         # on cells, of all images, for exchanges
    for first, end in cells.blocks():                                      # units from first to before end
        cells.masks(first, end)                                            # on cells
        cells.met(best, first, end)                                        # exact, in pixels

What an image adds is kept in the smallest integers that hold it, beyond a budget on disk (`columns`). An exchange may
give an image the labels of any other, so labels are there of all images at once; masks are read for some units at a
time, as many as fit into a share of the budget.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dissection.columns import Box, ByUnit, Shelf
from dissection.concepts import Concept, by_category
from dissection.overlap import PackedLabels

GRID = 14
"""Cells along a side."""
BUDGET = 1 << 28
_WAITING = 1 << 25  # bytes of rows; sorting more of them at once saves no time
_A_ROW = 40  # bytes of it while masks are exchanged
_LEAST_ROWS = 1 << 14  # exchanging fewer at once takes longer and saves next to nothing


class Cells:
    """Masks and labels of images on coarse cells.

    Args:
        units: U.
        concepts: the C concepts, by number.
        size: S.
        device: where masks and labels are handed over.
        budget: about so many bytes may stay in memory, of what is kept and for exchanges.
        folder: where the rest goes; made when needed, and removed by the owner. None: all that is kept stays in memory.
    """

    def __init__(
        self,
        units: int,
        concepts: Sequence[Concept],
        size: int,
        *,
        device: torch.device | str = "cpu",
        budget: int = BUDGET,
        folder: Path | None = None,
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
        self._folder = folder
        # Of the budget: 3/8 for what is kept, 1/8 for what waits to be, 1/4 each for the labels and masks of exchanges.
        self._in_labels = budget // 4
        self.rows_at_once = max(_LEAST_ROWS, budget // 4 // _A_ROW)
        waiting = min(_WAITING, budget // 16)
        self._shelf = Shelf(budget * 3 // 8, None if folder is None else folder / "cells.bin")
        self._carried: dict[int, tuple[int, ...]] = {}
        self._source: dict[int, int] = {}
        self._labels: dict[int, Box] = {}
        self._masks = ByUnit(units, self._shelf, waiting)
        self._met = ByUnit(units, self._shelf, waiting)

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
        self._labels[image] = self._shelf.put(*_whole(cell, concept, pixels[cell, local]))

    def add_masks(
        self, image: int, labels: PackedLabels, incidence: Tensor, units: Tensor, masks: Tensor
    ) -> None:
        """Takes in masks of an image, of units that were not given yet: 0 or 1, float32 `[M, S, S]`."""
        both = masks.flatten(1) @ incidence[:, :-1]
        row, local = both.nonzero(as_tuple=True)
        concept = torch.from_numpy(labels.present)[local.cpu()]
        self._met.add(image, *_whole(units[row], concept, both[row, local]))
        pixels = (self._rows @ masks @ self._rows.T).flatten(1)
        row, cell = pixels.nonzero(as_tuple=True)
        self._masks.add(image, *_whole(units[row], cell, pixels[row, cell]))

    def merge(self, other: Cells) -> None:
        """Takes in other images."""
        self._carried |= other._carried
        self._source |= other._source
        self._labels |= {
            image: self._shelf.put(*other._shelf.get(box)) for image, box in other._labels.items()
        }
        self._masks.merge(other._masks)
        self._met.merge(other._met)

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
        """The share of each cell that a concept covers, a sparse `csr_array`, float32 `[N · g², C]`.

        Beyond a quarter of the budget it lies in a file.
        """
        from scipy import sparse

        boxes = [self._labels[image] for image in sorted(self._labels)]
        each, entries = len(self.pixels), sum(box.rows for box in boxes)
        rows = len(boxes) * each
        whole = np.dtype(np.int32 if max(rows, entries) < 2**31 else np.int64)
        share = self._array(entries, np.dtype(np.float32))
        concepts = self._array(entries, whole)
        starts = self._array(rows + 1, whole)
        starts[0] = at = 0
        for place, box in enumerate(boxes):
            cell, concept, pixels = self._shelf.get(box)
            end = at + box.rows
            share[at:end] = pixels / self.pixels[cell]
            concepts[at:end] = concept
            ends = at + np.cumsum(np.bincount(cell, minlength=each))
            starts[place * each + 1 : (place + 1) * each + 1] = ends
            at = end
        return sparse.csr_array((share, concepts, starts), shape=(rows, self.concepts))

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Units that are looked at together, from the first to before the end; at least one block, perhaps of none."""
        ends = np.cumsum(self._masks.counts() + self._met.counts())
        first = 0
        while True:
            before = ends[first - 1] if first else 0
            fit = int(np.searchsorted(ends, before + self.rows_at_once, side="right"))
            end = min(self.units, max(first + 1, fit))
            yield first, end
            if end >= self.units:
                return
            first = end

    def masks(
        self, first: int = 0, end: int | None = None
    ) -> tuple[NDArray[np.int32], NDArray[Any], NDArray[np.int32], NDArray[np.float32]]:
        """Cells that units cover in part, of units from `first` to before `end`; sorted by unit, image and cell.

        Returns:
            The place of the image among all, the cell, the unit, and how many pixels.
        """
        unit, columns = self._masks.read(first, self.units if end is None else end)
        image, cell, pixels = columns or (np.zeros(0, np.uint8),) * 3
        return self._places(image), cell, unit, pixels.astype(np.float32)

    def met(
        self, best: NDArray[np.int64], first: int = 0, end: int | None = None
    ) -> tuple[tuple[NDArray[np.int32], NDArray[np.int32]], NDArray[np.int64]]:
        """(unit, place of the image) `[M]` each, and the pixels `[M]` that unit and its label `best` `[U]` share there.

        Of units from `first` to before `end`, only where there are some; sorted by unit and image.
        """
        unit, columns = self._met.read(first, self.units if end is None else end)
        image, concept, pixels = columns or (np.zeros(0, np.uint8),) * 3
        mine = best[unit] == concept
        return (unit[mine], self._places(image[mine])), pixels[mine].astype(np.int64)

    def _places(self, images: NDArray[Any]) -> NDArray[np.int32]:
        numbers = self.images()
        places = np.zeros(int(numbers.max(initial=0)) + 1, np.int32)
        places[numbers] = np.arange(len(numbers))
        found: NDArray[np.int32] = places[images]
        return found

    def _array(self, length: int, kind: np.dtype[Any]) -> NDArray[Any]:
        """An array of the labels' matrix, its content undefined."""
        if self._folder is None or length * kind.itemsize <= self._in_labels // 3 or not length:
            return np.empty(length, kind)
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self._folder) as file:  # gone from the disk with the array
            return np.memmap(file, kind, "w+", shape=(length,))


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


def _whole(*columns: Tensor) -> tuple[NDArray[np.int64], ...]:
    return tuple(column.cpu().numpy().astype(np.int64) for column in columns)
