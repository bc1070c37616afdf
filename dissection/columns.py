"""Columns of whole numbers in the smallest integers that hold them; beyond a stated budget they lie on disk.

    shelf = Shelf(budget, folder / "cells.bin")
    box = shelf.put(cells, concepts)      # arrays of one length
    shelf.get(box, 10, 20)                # rows 10 to 19 of each

    rows = ByUnit(units, shelf, waiting)
    rows.add(image, unit, cell, pixels)   # image by image, in any order
    rows.read(4, 9)                       # those of units 4 to 8 on all images

Rows come image by image and are asked for unit by unit. So they wait until there are some megabytes of them, are
sorted by unit, and are put away with the place where each unit begins: whoever asks for some units gets a piece of
each such pile.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_OF_AN_ARRAY = 128  # bytes, whatever it holds


@dataclass(frozen=True, slots=True)
class Box:
    """Columns on a shelf.

    Attributes:
        rows: how many.
        arrays: the columns; None if they lie on disk.
        kinds: their types there, one after the other.
        offset: where they begin there, in bytes.
    """

    rows: int
    arrays: tuple[NDArray[Any], ...] | None
    kinds: tuple[str, ...] = ()
    offset: int = 0


class Shelf:
    """Holds columns.

    Args:
        budget: bytes that may stay in memory.
        path: of the file where the rest goes, in a folder that the owner removes and that is made when needed;
            None: all stay in memory.
    """

    def __init__(self, budget: int, path: Path | None = None) -> None:
        self.path = path
        self._left, self._written = budget, 0

    def put(self, *columns: NDArray[Any]) -> Box:
        """Takes in columns of one length, of whole numbers from 0."""
        arrays = tuple(small(column) for column in columns)
        size = nbytes(arrays)
        if self.path is None or size <= self._left:
            self._left -= size
            return Box(len(arrays[0]), arrays)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        box = Box(len(arrays[0]), None, tuple(array.dtype.str for array in arrays), self._written)
        with self.path.open("ab") as file:
            for array in arrays:
                self._written += file.write(array.tobytes())
        return box

    def get(self, box: Box, first: int = 0, end: int | None = None) -> tuple[NDArray[Any], ...]:
        """The columns from row `first` to before `end`; not to be written to."""
        end = box.rows if end is None else end
        if box.arrays is not None:
            return tuple(array[first:end] for array in box.arrays)
        assert self.path is not None
        found, offset = [], box.offset
        with self.path.open("rb") as file:
            for kind in map(np.dtype, box.kinds):
                file.seek(offset + first * kind.itemsize)
                found.append(np.frombuffer(file.read((end - first) * kind.itemsize), kind))
                offset += box.rows * kind.itemsize
        return tuple(found)


class ByUnit:
    """Rows of columns, each of a unit and an image.

    Args:
        units: U.
        shelf: where they are put.
        waiting: bytes that are collected before they are sorted.
    """

    def __init__(self, units: int, shelf: Shelf, waiting: int) -> None:
        self.units, self.shelf, self.waiting = units, shelf, waiting
        self._new: list[tuple[int, tuple[NDArray[Any], ...]]] = []
        self._bytes = 0
        self._piles: list[tuple[NDArray[Any], Box]] = []

    def add(self, image: int, unit: NDArray[Any], *columns: NDArray[Any]) -> None:
        """Takes in rows of an image: the unit of each, and what else there is to say."""
        if not len(unit):
            return
        arrays = tuple(small(column) for column in (unit, *columns))
        self._new.append((image, arrays))
        self._bytes += nbytes(arrays)
        if self._bytes > self.waiting:
            self._put_away()

    def merge(self, other: ByUnit) -> None:
        """Takes in the rows of other images."""
        self._put_away()
        other._put_away()
        self._piles += [(starts, self.shelf.put(*other.shelf.get(box))) for starts, box in other._piles]

    def counts(self) -> NDArray[np.int64]:
        """How many rows each unit has, `[U]`."""
        self._put_away()
        found = np.zeros(self.units, np.int64)
        for starts, _ in self._piles:
            whole = starts.astype(np.int64)
            found += whole[1:] - whole[:-1]
        return found

    def read(self, first: int, end: int) -> tuple[NDArray[np.int32], tuple[NDArray[Any], ...]]:
        """The rows of units from `first` to before `end`, by unit, then by image, then as they came.

        Returns:
            The unit of each; the image and the other columns, none if there are no rows at all.
        """
        self._put_away()
        units, parts = [np.zeros(0, np.int32)], []
        for starts, box in self._piles:
            mine = starts[first : end + 1].astype(np.int64)
            units.append(np.repeat(np.arange(first, end, dtype=np.int32), np.diff(mine)))
            parts.append(self.shelf.get(box, int(mine[0]), int(mine[-1])))
        unit, columns = np.concatenate(units), tuple(map(np.concatenate, zip(*parts, strict=True)))
        if not len(unit):
            return unit, columns
        key = unit.astype(np.int64) * (int(columns[0].max()) + 1) + columns[0]
        if (key[1:] >= key[:-1]).all():
            return unit, columns
        order = np.argsort(key, kind="stable")
        return unit[order], tuple(column[order] for column in columns)

    def _put_away(self) -> None:
        if not self._new:
            return
        lengths = [len(arrays[0]) for _, arrays in self._new]
        image = np.repeat(small(np.array([image for image, _ in self._new])), lengths)
        unit, *columns = map(np.concatenate, zip(*(arrays for _, arrays in self._new), strict=True))
        self._new, self._bytes = [], 0
        order = np.argsort(unit, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(unit, minlength=self.units))])
        self._piles.append((small(starts), self.shelf.put(image[order], *(one[order] for one in columns))))


def small(values: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers from 0 in the smallest integers that hold them."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))), copy=False)


def nbytes(arrays: tuple[NDArray[Any], ...]) -> int:
    """Bytes that arrays take, each for itself."""
    return sum(array.nbytes + _OF_AN_ARRAY for array in arrays)
