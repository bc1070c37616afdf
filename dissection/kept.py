"""The maps that may still matter, in bounded memory.

A unit's map on an image matters only if it exceeds T_k somewhere. T_k is known at the end, but a lower bound
of it rises all the while (`threshold.TopValues.bound`), so most maps can be dropped at once and more of the
kept ones later. What is kept is held batch by batch with the labels of its images; beyond a stated budget it
goes to disk, into a folder that the owner removes.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dissection.overlap import PackedLabels

_FIRST_PRUNE = 64 << 20  # bytes; below it pruning saves nothing worth the time


@dataclass
class KeptBatch:
    """Labels of some images, and the maps kept of them.

    Attributes:
        numbers: of the images, ascending.
        labels: one per image, in order.
        image: int32 `[M]`, image of each map, as an index into `numbers`, ascending.
        unit: int32 `[M]`, unit of each map.
        maps: float32 `[M, h, w]`.
        outside: what lies around a map; where resizing mixes that in, a mask may reach it though no cell does.
    """

    numbers: list[int]
    labels: list[PackedLabels]
    image: Tensor
    unit: Tensor
    maps: Tensor
    outside: float = -math.inf

    @property
    def nbytes(self) -> int:
        """Bytes of labels and maps."""
        arrays = sum(t.element_size() * t.nelement() for t in (self.image, self.unit, self.maps))
        return arrays + sum(len(one.packed) + one.present.nbytes for one in self.labels)

    def above(self, bound: Tensor) -> KeptBatch:
        """The batch without the maps that nowhere exceed their unit's value in `bound` `[U]`, however resized."""
        reach = self.maps.flatten(1).amax(dim=1).clamp(min=self.outside)
        rows = reach > bound[self.unit.long()]
        return replace(self, image=self.image[rows], unit=self.unit[rows], maps=self.maps[rows])


class KeptMaps:
    """A growing pile of `KeptBatch`es.

    Args:
        budget: bytes that may stay in memory.
        folder: where the rest goes; created when needed.
    """

    def __init__(self, budget: int, folder: Path) -> None:
        self.budget = budget
        self.folder = folder
        self.spilled_bytes = 0
        self._batches: list[KeptBatch] = []
        self._bytes = 0
        self._prune_at = min(_FIRST_PRUNE, budget)
        self._files: list[Path] = []

    def add(self, batch: KeptBatch, bound: Tensor) -> None:
        """Adds a batch; `bound` `[U]` may drop maps of earlier ones."""
        self._batches.append(batch)
        self._bytes += batch.nbytes
        if self._bytes <= self._prune_at:
            return
        for position, one in enumerate(self._batches):  # in place: old and new never lie side by side
            self._batches[position] = one.above(bound)
        self._bytes = sum(one.nbytes for one in self._batches)
        if self._bytes > self.budget // 2:
            self._spill()
        # Twice what is left, so that each map is looked at a few times in all and not once per batch.
        self._prune_at = min(self.budget, max(_FIRST_PRUNE, 2 * self._bytes))

    def __iter__(self) -> Iterator[KeptBatch]:
        """All batches in the order in which they came."""
        for path in self._files:
            with path.open("rb") as file:
                while (batch := _read(file)) is not None:
                    yield batch
        yield from self._batches

    def _spill(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"kept-{len(self._files):05d}.bin"
        with path.open("wb") as file:
            for batch in self._batches:
                _write(file, batch)
        self._files.append(path)
        self.spilled_bytes += path.stat().st_size
        self._batches, self._bytes = [], 0


def _write(file: Any, batch: KeptBatch) -> None:
    # Pickle is safe here: the file is this process's own scratch, in a folder nobody else can have named.
    pickle.dump((batch.numbers, batch.labels, batch.outside), file, protocol=pickle.HIGHEST_PROTOCOL)
    for tensor in (batch.image, batch.unit, batch.maps):
        np.save(file, tensor.numpy(), allow_pickle=False)


def _read(file: Any) -> KeptBatch | None:
    try:
        numbers, labels, outside = pickle.load(file)
    except EOFError:
        return None
    image, unit, maps = (torch.from_numpy(np.load(file, allow_pickle=False)) for _ in range(3))
    return KeptBatch(numbers, labels, image, unit, maps, outside)
