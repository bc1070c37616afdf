"""What is dissected, and how: all that a process needs to take a share in it.

for seen in work.survey(range(len(work.dataset))):
    for survey, batch in seen:  # of each layer
        ...                     # what the images together say so far, and what may matter of these
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from dissection.concepts import ConceptDataset, by_category, source_of
from dissection.kept import KeptBatch
from dissection.overlap import PackedLabels
from dissection.presets import OURS, Rules
from dissection.recording import evaluating, record
from dissection.tally import Survey

_Read: TypeAlias = "tuple[int, Tensor, PackedLabels] | None"


@dataclass(frozen=True, eq=False)
class Work:
    """Layers of a network to dissect, in one pass.

    Attributes:
        layers: their dotted names.
        net, preprocess, dataset, quantile, label_size, exemplars, batch_size, workers: see `dissect`.
        chance: whether to keep what tells how good a label chance gives.
        rules: whose rules hold.
        compositions: whether to keep what formulas over labels are found from.
    """

    net: nn.Module
    layers: tuple[str, ...]
    preprocess: Callable[[Image.Image], Tensor]
    dataset: ConceptDataset
    quantile: float
    label_size: int
    exemplars: int
    batch_size: int
    workers: int
    chance: bool = False
    rules: Rules = OURS
    compositions: bool = False

    @cached_property
    def _categories(self) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        return by_category(self.dataset.concepts)

    def pack(self, index: int) -> PackedLabels | None:
        """The labels of an image; None if it has none.

        Raises:
            ValueError: labels that are none; the message names the image.
        """
        labels = self.dataset.labels(index, self.label_size)
        if labels.empty:
            return None
        try:
            source = source_of(self.dataset, index)
            return PackedLabels.pack(labels, self.label_size, *self._categories, source)
        except ValueError as error:
            raise ValueError(f"{self.dataset.image_id(index)}: {error}") from error

    def survey(
        self,
        numbers: Iterable[int],
        *,
        pack: Callable[[int], PackedLabels | None] | None = None,
        floors: Sequence[Tensor | None] | None = None,
        done: Callable[[int], object] = lambda _count: None,
    ) -> Iterator[list[tuple[Survey, KeptBatch]]]:
        """Runs the network over images; after each batch, what they say so far, and what may matter of the batch.

        Args:
            numbers: of the images, ascending; batches are made of those that have labels.
            pack: gives the labels of an image, in place of the data set.
            floors: of each layer, see `Survey`.
            done: called with the number of images just looked at.

        Raises:
            ValueError: no such layer, maps of another shape, a value that is not finite.
        """
        # Images go where the network's weights are, in their precision.
        weights = next((p for p in self.net.parameters() if p.is_floating_point()), torch.empty(0))
        surveys: list[Survey] = []
        with evaluating(self.net) as net:
            for indices, images, labels, looked_at in self._batches(numbers, pack or self.pack):
                seen = self._activations(net, images.to(weights))
                for layer, activations in zip(self.layers, seen, strict=True):
                    self._check_finite(layer, activations, indices)
                if not surveys:
                    surveys = [
                        Survey(
                            activations.shape[1],
                            (activations.shape[2], activations.shape[3]),
                            len(self.dataset),
                            quantile=self.quantile,
                            exemplars=self.exemplars,
                            floor=floor,
                            rules=self.rules,
                            label_size=self.label_size,
                            device=activations.device,
                        )
                        for activations, floor in zip(seen, floors or [None] * len(seen), strict=True)
                    ]
                yield [
                    (survey, survey.add(indices, activations, labels))
                    for survey, activations in zip(surveys, seen, strict=True)
                ]
                del seen  # the next batch's maps need the room
                done(looked_at)

    def _batches(
        self, numbers: Iterable[int], pack: Callable[[int], PackedLabels | None]
    ) -> Iterator[tuple[list[int], Tensor, list[PackedLabels], int]]:
        """(numbers, images [N, 3, H, W], labels, how many were looked at) with images read ahead in threads.

        At most 2 · batch_size images are being prepared or waiting at any time.
        """

        def prepare(index: int) -> _Read:
            labels = pack(index)
            return None if labels is None else (index, self.preprocess(self.dataset.image(index)), labels)

        waiting: deque[Future[_Read]] = deque()
        ready: list[tuple[int, Tensor, PackedLabels]] = []
        looked_at = 0
        todo = iter(numbers)
        with ThreadPoolExecutor(self.workers) as pool:

            def read_ahead() -> None:
                room = 2 * self.batch_size - len(waiting) - len(ready)
                waiting.extend(pool.submit(prepare, i) for i in islice(todo, room))

            try:
                read_ahead()
                while waiting:
                    one = waiting.popleft().result()
                    looked_at += 1
                    if one is not None:
                        ready.append(one)
                    if len(ready) == self.batch_size or (ready and not waiting):
                        indices, images, labels = (list(part) for part in zip(*ready, strict=True))
                        stacked = torch.stack(images)
                        ready.clear()
                        del images  # the batch is a copy
                        read_ahead()
                        yield indices, stacked, labels, looked_at
                        looked_at = 0
                    read_ahead()
            finally:
                for future in waiting:
                    future.cancel()

    def _activations(self, net: nn.Module, images: Tensor) -> list[Tensor]:
        with ExitStack() as stack:
            stack.enter_context(torch.no_grad())
            seen = [stack.enter_context(record(net, layer)) for layer in self.layers]
            net(images)
        for recording in seen:
            shape = list(recording.output.shape)
            if len(shape) != 4 or shape[0] != len(images) or 0 in shape:
                raise ValueError(
                    f"layer {recording.layer!r} puts out {shape} for {len(images)} images, expected maps "
                    "[N, U, h, w], one per image and unit; choose a spatial layer, or put +1x1 behind the name of a "
                    "fully connected one and +HxW behind that of one that keeps tokens"
                )
        return [recording.output for recording in seen]

    def _check_finite(self, layer: str, activations: Tensor, indices: list[int]) -> None:
        # The sum is not finite exactly if one of the values is not (or it overflows, which is no better).
        bad = ~activations.flatten(1).float().sum(dim=1).isfinite()
        if bool(bad.any()):
            name = self.dataset.image_id(indices[int(bad.nonzero()[0])])
            raise ValueError(
                f"layer {layer!r} puts out NaN or infinity on {name}; "
                "check the network's weights and its preprocessing"
            )
