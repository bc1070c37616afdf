"""What is known of all images together, and what is counted on each of them; parts of both add up, in any order.

    survey.add(numbers, activations, labels)      # while the network runs: which maps may matter?
    threshold = survey.threshold()                # T_k, once all images were seen
    count = Count(best, concepts, size, threshold)
    count.add(batch)                              # on the maps that were kept

Counts are integers and the largest values a set, so an image set can be cut into shares that other processes take, and
what they found is merged into what one process would have found, to the last integer.

The one pass stays exact under every preset (`presets`). Its bound is the smallest of so many largest values that T_k,
also one between two values, is among them or above; that can only rise. No pixel of a mask exceeds the cells around it;
only where zeros lie outside may it lie above all of them, up to 0, and so with them a map matters as well if 0 exceeds
the bound. (Where T_k is negative that is every map: what exceeds the memory goes to disk.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from dissection.cells import BUDGET, Cells
from dissection.concepts import Concept
from dissection.exemplars import BestImages, Crop, Exemplar
from dissection.kept import KeptBatch
from dissection.overlap import Overlap, PackedLabels
from dissection.patterns import Patterns
from dissection.presets import OURS, Rules
from dissection.resize import check_centres, resize_as
from dissection.threshold import TopValues, threshold_place
from dissection.watchers import together

QUANTILE = OURS.quantile
LABEL_SIZE = OURS.label_size
_PIXELS_AT_ONCE = 1 << 24  # of resized maps


class Survey:
    """What all images together say of each unit: its largest values, its peak, the images where it fires most.

    Args:
        units, map_size: U and (h, w) of the layer.
        images: at most so many images will be added, here and in all parts.
        quantile: q.
        exemplars: E.
        floor: `[U]`, what other parts have shown T_k not to lie below; no value at or below it is kept.
        rules: where T_k stands, and among which values.
        label_size: S, for rules by which T_k is one of S × S pixels of resized maps. (About q · S² values per image and
            unit are kept then, in place of q · h · w.)
        device: where activations come from.

    Attributes:
        images: how many were added.
        positions: values per image among which T_k is found.
        peak: `[U]`, the largest values of the maps as they are.
        best: the images where each unit fires most.
    """

    def __init__(
        self,
        units: int,
        map_size: tuple[int, int],
        images: int,
        *,
        quantile: float = QUANTILE,
        exemplars: int = 4,
        floor: Tensor | None = None,
        rules: Rules = OURS,
        label_size: int = LABEL_SIZE,
        device: torch.device | str = "cpu",
    ) -> None:
        check_centres(map_size, label_size, rules.centres)
        self.quantile, self.map_size, self.device = quantile, map_size, device
        self.rules, self.label_size = rules, label_size
        self.positions = label_size**2 if rules.resized else map_size[0] * map_size[1]
        self._outside = 0.0 if rules.centres == "zeros outside" else -math.inf
        self.images, self._announced = 0, images
        self.peak = torch.full((units,), -torch.inf, dtype=torch.float32)
        self.best = BestImages(units, exemplars)
        # With fewer images than announced T_k stands higher up, and still among the values kept.
        self._top = TopValues(units, math.ceil(self._place(images)) + 1, floor=floor, device=device)

    @property
    def bound(self) -> Tensor:
        """`[U]`, on the CPU: T_k lies nowhere below it."""
        return self._top.bound.cpu()

    @property
    def floor(self) -> Tensor | None:
        """`[U]`, on the CPU: what a part that begins now may leave out; None while that is nothing."""
        return self.bound if self._top.bounded else None

    def on(self, device: torch.device | str) -> Survey:
        """The same elsewhere."""
        there = Survey(
            len(self.peak),
            self.map_size,
            self._announced,
            quantile=self.quantile,
            exemplars=self.best.count,
            floor=self._top.floor,
            rules=self.rules,
            label_size=self.label_size,
            device=device,
        )
        there.merge(self)
        return there

    def add(self, numbers: Sequence[int], activations: Tensor, labels: list[PackedLabels]) -> KeptBatch:
        """Takes in a batch, and gives back what may matter of it.

        Args:
            numbers: of its N images, ascending.
            activations: `[N, U, h, w]`, finite.
            labels: of each image.
        """
        expected = (len(labels), len(self.peak), *self.map_size)
        if tuple(activations.shape) != expected:
            raise ValueError(
                f"expected activations of shape {list(expected)} like those of the first images, got "
                f"{list(activations.shape)}; every image must reach the network in the same size"
            )
        activations = activations.float()
        peaks = activations.flatten(2).amax(dim=2)
        reach = peaks.clamp(min=self._outside)
        image, unit = (reach > self._top.bound).nonzero(as_tuple=True)
        maps = activations[image, unit]
        if self.rules.resized:
            self._add_resized(activations, unit, maps)
        elif self._top.bounded:
            self._top.add_maps(unit, maps.flatten(1))
        else:
            self._top.add(activations.transpose(0, 1).flatten(1))
        self.best.add(torch.tensor(list(numbers)), peaks, activations.mean(dim=(2, 3)))
        self.peak = torch.maximum(self.peak, peaks.amax(dim=0).cpu())
        self.images += len(labels)
        batch = KeptBatch(
            list(numbers), labels, image.int().cpu(), unit.int().cpu(), maps.cpu(), self._outside
        )
        return batch.above(self.bound)

    def _add_resized(self, activations: Tensor, unit: Tensor, maps: Tensor) -> None:
        """Takes in the pixels of resized maps: of all, or once there is a bound of those that may exceed it."""
        if not self._top.bounded:
            for one in activations:
                self._top.add(resize_as(self.rules.centres, one, self.label_size).flatten(1))
            return
        at_once = max(1, _PIXELS_AT_ONCE // self.positions)
        for units, some in zip(torch.split(unit, at_once), torch.split(maps, at_once), strict=True):
            self._top.add_maps(units, resize_as(self.rules.centres, some, self.label_size).flatten(1))

    def _place(self, images: int) -> Fraction:
        return threshold_place(self.quantile, images * self.positions, self.rules.place)

    def merge(self, other: Survey) -> None:
        """Takes in what another part of the same image set has shown."""
        if other.map_size != self.map_size or len(other.peak) != len(self.peak):
            raise ValueError(
                f"expected a part with {len(self.peak)} units of {self.map_size}, got {len(other.peak)} of "
                f"{other.map_size}"
            )
        self._top.merge(other._top)
        self.best.merge(other.best)
        self.peak = torch.maximum(self.peak, other.peak)
        self.images += other.images

    def threshold(self) -> Tensor:
        """T_k `[U]`, on the CPU."""
        return self._top.between(self._place(self.images)).cpu()


class Count:
    """What is counted with known thresholds, and the maps of the images that are shown.

    Args:
        best: the images where each unit fires most, of all images.
        concepts: by number.
        label_size: S.
        threshold: T_k `[U]`, on the CPU.
        rules: which masks and areas are counted.
        device: where the counting runs.
        chance: keep what `chance.significance` needs.
        compositions: keep what `compositions` needs.
        budget, folder: what chance needs of memory, and where the rest of it goes, see `Cells`.

    Attributes:
        overlap: the integers.
        cells: masks and labels on coarse cells; None if chance is not asked for.
        patterns: which labels stand together, and how often units are active there; None if not asked for.
        maps: map minus T_k of (unit, image), for the exemplars.
    """

    def __init__(
        self,
        best: BestImages,
        concepts: Sequence[Concept],
        label_size: int,
        threshold: Tensor,
        *,
        rules: Rules = OURS,
        device: torch.device | str = "cpu",
        chance: bool = False,
        compositions: bool = False,
        budget: int = BUDGET,
        folder: Path | None = None,
    ) -> None:
        units = len(threshold)
        self.overlap = Overlap(units, concepts, label_size, rules=rules, device=device)
        self.cells = None
        if chance:
            self.cells = Cells(units, concepts, label_size, device=device, budget=budget, folder=folder)
        self.patterns = Patterns(units, concepts, label_size, device=device) if compositions else None
        self.maps: dict[tuple[int, int], Tensor] = {}
        self._threshold, self._on_device = threshold, threshold.to(device)
        keys = best.image * units + torch.arange(units)[:, None]
        self._best = keys[best.peak > threshold[:, None]]

    def add(self, batch: KeptBatch) -> None:
        """Counts the images of a batch."""
        batch = batch.above(self._threshold)
        counts = torch.bincount(batch.image, minlength=len(batch.labels)).tolist()
        units = torch.split(batch.unit.long().to(self._on_device.device), counts)
        maps = torch.split(batch.maps.to(self._on_device.device), counts)
        for number, labels in enumerate(batch.labels):
            image = batch.numbers[number]
            watcher = together(
                None if self.cells is None else self.cells.of(image),
                None if self.patterns is None else self.patterns.of(image),
            )
            self.overlap.add(labels, units[number], maps[number], self._on_device, watcher=watcher)
        of = torch.tensor(batch.numbers)[batch.image.long()]
        keys = of * len(self._threshold) + batch.unit
        for row in torch.isin(keys, self._best).nonzero().flatten().tolist():
            unit = int(batch.unit[row])
            self.maps[unit, int(of[row])] = batch.maps[row] - self._threshold[unit]

    def merge(self, other: Count) -> None:
        """Adds what was counted on other images."""
        self.overlap.merge(other.overlap)
        if self.cells is not None and other.cells is not None:
            self.cells.merge(other.cells)
        if self.patterns is not None and other.patterns is not None:
            self.patterns.merge(other.patterns)
        self.maps.update(other.maps)


def count_all(
    best: BestImages,
    kept: Iterable[KeptBatch],
    concepts: Sequence[Concept],
    label_size: int,
    threshold: Tensor,
    *,
    rules: Rules = OURS,
    device: torch.device | str = "cpu",
    chance: bool = False,
    compositions: bool = False,
    budget: int = BUDGET,
    folder: Path | None = None,
    done: Callable[[int], object] = lambda _count: None,
) -> Count:
    """Counts what was kept; `done` is called with the number of images just counted."""
    count = Count(
        best,
        concepts,
        label_size,
        threshold,
        rules=rules,
        device=device,
        chance=chance,
        compositions=compositions,
        budget=budget,
        folder=folder,
    )
    for batch in kept:
        count.add(batch)
        done(len(batch.labels))
    return count


def shown(survey: Survey, count: Count) -> tuple[list[Exemplar], list[Crop]]:
    """The exemplars, unit by unit, and how to draw them."""
    chosen, crops = [], []
    for unit, row in enumerate(survey.best.image.tolist()):
        keys = [(unit, image) for image in row if (unit, image) in count.maps]
        for rank, key in enumerate(keys):
            peak = float(survey.best.peak[unit, row.index(key[1])])
            chosen.append(Exemplar(unit, rank, key[1], peak))
            crops.append(Crop(("exemplars", unit), rank, key[1], count.maps[key]))
    return chosen, crops
