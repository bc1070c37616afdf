"""The run: which concept does each unit of a layer detect? One forward pass over a concept data set.

    result = dissect(net, "layer4", preprocess, concepts)
    result[312].concept

Thresholds and counts are exact. While the network runs, each unit's largest values give a lower bound of its
T_k, and only maps that exceed it are kept; at the end T_k is known and the kept maps, with the labels, are
all that the tally needs. There is no second pass over the network.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from dissection.concepts import ConceptDataset
from dissection.exemplars import BestImages, Exemplar, draw_exemplars
from dissection.fingerprint import weights_fingerprint
from dissection.kept import KeptBatch, KeptMaps
from dissection.names import MIN_IOU, name_units
from dissection.overlap import Overlap, PackedLabels, by_category, checked_label_size, iou
from dissection.recording import evaluating, record
from dissection.result import Dissection
from dissection.threshold import TopValues, threshold_index

QUANTILE = 0.005
LABEL_SIZE = 112
MEMORY = 1 << 30


class Tally:
    """Turns batches of activations and labels into thresholds and counts; holds no network, reads no files.

    Args:
        dataset: for its concepts.
        units, map_size: U and (h, w) of the layer.
        images: at most so many images will be added.
        quantile: q.
        label_size: S.
        exemplars: E.
        memory: bytes of kept maps and labels before they go to `scratch`.
        scratch: a folder for them.
        device: where activations come from and the counting runs.
    """

    def __init__(
        self,
        dataset: ConceptDataset,
        units: int,
        map_size: tuple[int, int],
        images: int,
        *,
        scratch: Path,
        quantile: float = QUANTILE,
        label_size: int = LABEL_SIZE,
        exemplars: int = 4,
        memory: int = MEMORY,
        device: torch.device | str = "cpu",
    ) -> None:
        self.quantile = quantile
        self.device = device
        self.map_size = map_size
        self.cells = map_size[0] * map_size[1]
        self.images = 0
        self.overlap = Overlap(units, dataset.concepts, label_size, device=device)
        # With fewer images than announced the index is smaller, and still among the values kept.
        keep = threshold_index(quantile, images * self.cells) + 1
        self.top = TopValues(units, keep, device=device)
        self.kept = KeptMaps(memory, scratch)
        self.best = BestImages(units, exemplars)
        self.peak = torch.full((units,), -torch.inf, dtype=torch.float32)
        self.exemplar_maps: dict[tuple[int, int], Tensor] = {}

    def add(self, activations: Tensor, labels: list[PackedLabels]) -> None:
        """Takes in a batch: `[N, U, h, w]`, finite, and the labels of its N images."""
        expected = (len(labels), len(self.peak), *self.map_size)
        if tuple(activations.shape) != expected:
            raise ValueError(
                f"expected activations of shape {list(expected)} like those of the first images, got "
                f"{list(activations.shape)}; every image must reach the network in the same size"
            )
        activations = activations.float()
        peaks = activations.flatten(2).amax(dim=2)
        image, unit = (peaks > self.top.bound).nonzero(as_tuple=True)
        maps = activations[image, unit]
        if self.top.full:
            self.top.add_maps(unit, maps.flatten(1))
        else:
            self.top.add(activations.transpose(0, 1).flatten(1))
        bound = self.top.bound
        batch = KeptBatch(self.images, labels, image.int().cpu(), unit.int().cpu(), maps.cpu())
        batch = batch.above(bound.cpu())
        self.kept.add(batch, bound.cpu())
        self.best.add(peaks, activations.mean(dim=(2, 3)), self.images)
        self.peak = torch.maximum(self.peak, peaks.amax(dim=0).cpu())
        self.images += len(labels)

    def finish(self, done: Callable[[int], object] = lambda _count: None) -> Tensor:
        """Counts everything; returns T_k `[U]`. `done` is called with the number of images just counted."""
        threshold = self.top.at(threshold_index(self.quantile, self.images * self.cells))
        on_cpu = threshold.cpu()
        units_of = torch.arange(len(on_cpu))[:, None]
        wanted = (self.best.image * len(on_cpu) + units_of)[self.best.peak > on_cpu[:, None]]
        for batch in self.kept:
            batch = batch.above(on_cpu)
            counts = torch.bincount(batch.image, minlength=len(batch.labels)).tolist()
            units = torch.split(batch.unit.long().to(self.device), counts)
            maps = torch.split(batch.maps.to(self.device), counts)
            for number, labels in enumerate(batch.labels):
                self.overlap.add(labels, units[number], maps[number], threshold)
            keys = (batch.image.long() + batch.first) * len(on_cpu) + batch.unit
            for row in torch.isin(keys, wanted).nonzero().flatten().tolist():
                unit = int(batch.unit[row])
                self.exemplar_maps[unit, batch.first + int(batch.image[row])] = batch.maps[row] - on_cpu[unit]
            done(len(batch.labels))
        return on_cpu

    def exemplars(self, numbers: list[int]) -> tuple[list[Exemplar], list[Tensor]]:
        """The exemplars and their maps minus T_k; `numbers` are the data set's numbers of the images used."""
        chosen, maps = [], []
        for unit, row in enumerate(self.best.image.tolist()):
            keys = [(unit, image) for image in row if (unit, image) in self.exemplar_maps]
            for rank, key in enumerate(keys):
                peak = float(self.best.peak[unit, row.index(key[1])])
                chosen.append(Exemplar(unit, rank, numbers[key[1]], peak))
                maps.append(self.exemplar_maps[key])
        return chosen, maps


def _batches(
    dataset: ConceptDataset,
    preprocess: Callable[[Image.Image], Tensor],
    label_size: int,
    batch_size: int,
    workers: int,
) -> Iterator[tuple[list[int], Tensor, list[PackedLabels], int]]:
    """(numbers, images [N, 3, H, W], labels, how many were looked at) with images read ahead in threads.

    At most 2 · batch_size images are being prepared or waiting at any time.
    """
    categories, category_of = by_category(dataset.concepts)

    def prepare(index: int) -> tuple[int, Tensor, PackedLabels] | None:
        labels = dataset.labels(index, label_size)
        if labels.empty:
            return None
        try:
            packed = PackedLabels.pack(labels, label_size, categories, category_of)
        except ValueError as error:
            raise ValueError(f"{dataset.image_id(index)}: {error}") from error
        return index, preprocess(dataset.image(index)), packed

    waiting: deque[Future[tuple[int, Tensor, PackedLabels] | None]] = deque()
    ready: list[tuple[int, Tensor, PackedLabels]] = []
    looked_at = 0
    todo = iter(range(len(dataset)))
    with ThreadPoolExecutor(workers) as pool:

        def read_ahead() -> None:
            room = 2 * batch_size - len(waiting) - len(ready)
            waiting.extend(pool.submit(prepare, i) for i in islice(todo, room))

        try:
            read_ahead()
            while waiting:
                one = waiting.popleft().result()
                looked_at += 1
                if one is not None:
                    ready.append(one)
                if len(ready) == batch_size or (ready and not waiting):
                    numbers, images, labels = (list(part) for part in zip(*ready, strict=True))
                    stacked = torch.stack(images)
                    ready.clear()
                    del images  # the batch is a copy
                    read_ahead()
                    yield numbers, stacked, labels, looked_at
                    looked_at = 0
                read_ahead()
        finally:
            for future in waiting:
                future.cancel()


def dissect(
    net: nn.Module,
    layer: str,
    preprocess: Callable[[Image.Image], Tensor],
    dataset: ConceptDataset,
    *,
    quantile: float = QUANTILE,
    label_size: int = LABEL_SIZE,
    min_iou: float = MIN_IOU,
    exemplars: int = 4,
    batch_size: int = 32,
    workers: int = 2,
    memory: int = MEMORY,
    scratch: Path | None = None,
    model_name: str = "",
    layer_reason: str = "",
    concept_sets: tuple[str, ...] = (),
    progress: bool | None = None,
) -> Dissection:
    """Names the units of a layer (Bau et al. 2017, Sec. 2).

    Args:
        net: any module; comes back as it was.
        layer: dotted name of a layer that puts out `[N, U, h, w]`.
        preprocess: an upright RGB image to the network's input `[3, H, W]`, the *whole* image squashed to
            H × W, so that pixels and labels stay aligned.
        dataset: images with concept labels; images without any label are left out.
        quantile: q, the share of positions in which a unit may be active.
        label_size: S, the side of the square on which masks and labels meet, in pixels.
        min_iou: the IoU that a name needs.
        exemplars: how many example crops to keep per unit; 0 for none.
        batch_size: images per forward pass.
        workers: threads that read images and labels.
        memory: bytes of kept maps and labels before they go to disk.
        scratch: an existing folder in which they go to a temporary folder, removed at the end; default: the
            system's place for temporary files.
        model_name, layer_reason, concept_sets: carried into the result, for people.
        progress: show progress bars; None: only on a terminal.

    Raises:
        ValueError: no such layer, maps of another shape, a value that is not finite, no labelled image.
    """
    least = {"batch_size": 1, "workers": 1, "exemplars": 0, "memory": 1}
    given = {"batch_size": batch_size, "workers": workers, "exemplars": exemplars, "memory": memory}
    for name, value in given.items():
        if value < least[name]:
            raise ValueError(f"{name}: expected at least {least[name]}, got {value}")
    if not 0 <= min_iou <= 1:
        raise ValueError(f"min_iou: expected 0 to 1, got {min_iou}; 0.05 is usual")
    threshold_index(quantile, 1)
    checked_label_size(label_size)
    concepts = tuple(dataset.concepts)
    if not concepts:
        raise ValueError(
            "the concept set has no concepts, so nothing can be named; add one with labels, or colors"
        )
    from tqdm import tqdm

    disable = None if progress is None else not progress
    # Images go where the network's weights are, in their precision.
    weights = next((p for p in net.parameters() if p.is_floating_point()), torch.empty(0))
    numbers: list[int] = []
    tally: Tally | None = None
    with tempfile.TemporaryDirectory(prefix=".dissecting-", dir=scratch) as temporary:
        with evaluating(net) as plain:
            bar = tqdm(total=len(dataset), desc="dissecting", unit="image", disable=disable, delay=1)
            with bar:
                for indices, images, labels, looked_at in _batches(
                    dataset, preprocess, label_size, batch_size, workers
                ):
                    activations = _activations(plain, layer, images.to(weights))
                    _check_finite(activations, indices, dataset, layer)
                    if tally is None:
                        units, size = activations.shape[1], (activations.shape[2], activations.shape[3])
                        tally = Tally(
                            dataset,
                            units,
                            size,
                            len(dataset),
                            scratch=Path(temporary),
                            quantile=quantile,
                            label_size=label_size,
                            exemplars=exemplars,
                            memory=memory,
                            device=activations.device,
                        )
                    tally.add(activations, labels)
                    numbers += indices
                    bar.update(looked_at)
        if tally is None:
            raise ValueError(
                f"none of the {len(dataset)} images of the concept set has a label; "
                "`neuro-explain concepts show SPEC` says what is in it"
            )
        with tqdm(total=len(numbers), desc="counting", unit="image", disable=disable, delay=1) as bar:
            threshold = tally.finish(bar.update)
        chosen, above = tally.exemplars(numbers)
        with tqdm(total=len(chosen), desc="drawing examples", unit="crop", disable=disable, delay=1) as bar:
            strips = draw_exemplars(chosen, above, dataset.image, workers=workers, done=bar.update)

    overlap = tally.overlap
    intersection, activation_area = overlap.intersection.cpu().numpy(), overlap.activation_area.cpu().numpy()
    concept_area, category_of = overlap.concept_area.cpu().numpy(), overlap.category_of.numpy()
    ious = iou(intersection, activation_area, concept_area, category_of)
    return Dissection(
        units=name_units(ious, concepts, threshold.numpy(), tally.peak.numpy(), min_iou=min_iou),
        layer=layer,
        fingerprint=weights_fingerprint(net),
        source=f"the dissection of {model_name or type(net).__name__} {layer}",
        concept_sets=concept_sets,
        quantile=quantile,
        min_iou=min_iou,
        exemplars=strips,
        model_name=model_name or type(net).__name__,
        layer_reason=layer_reason,
        data_fingerprint=dataset.fingerprint,
        concepts=concepts,
        categories=overlap.categories,
        map_size=size,
        label_size=label_size,
        images=len(numbers),
        images_left_out=len(dataset) - len(numbers),
        threshold=threshold.numpy(),
        peak=tally.peak.numpy(),
        intersection=intersection,
        activation_area=activation_area,
        concept_area=concept_area,
        concept_images=overlap.concept_images.cpu().numpy(),
        category_of=category_of,
        category_area=overlap.category_area.cpu().numpy(),
        active_pixels=overlap.active_pixels.cpu().numpy(),
        best_images=tuple((one.unit, one.rank, dataset.image_id(one.image), one.peak) for one in chosen),
        options={"batch_size": batch_size, "exemplars": exemplars},
    )


def _activations(net: nn.Module, layer: str, images: Tensor) -> Tensor:
    with torch.no_grad(), record(net, layer) as seen:
        net(images)
    shape = list(seen.output.shape)
    if len(shape) != 4 or shape[0] != len(images) or 0 in shape:
        raise ValueError(
            f"layer {layer!r} puts out {shape} for {len(images)} images, expected maps [N, U, h, w], one "
            "per image and unit; choose a spatial layer"
        )
    return seen.output


def _check_finite(activations: Tensor, indices: list[int], dataset: ConceptDataset, layer: str) -> None:
    # The sum is not finite exactly if one of the values is not (or it overflows, which is no better).
    bad = ~activations.flatten(1).float().sum(dim=1).isfinite()
    if bool(bad.any()):
        name = dataset.image_id(indices[int(bad.nonzero()[0])])
        raise ValueError(
            f"layer {layer!r} puts out NaN or infinity on {name}; "
            "check the network's weights and its preprocessing"
        )
