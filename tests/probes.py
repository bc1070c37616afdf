"""Concept sets in memory, networks whose maps are known, and Network Dissection restated slowly.

`slow_dissection` is the definition, letter by letter: exact fractions, Python loops, every map kept, sorted
and resized. It shares no code with the package beyond the records that hold concepts and labels.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from math import floor
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from dissection.concepts import NO_LABEL, Concept, Labels
from dissection.dissect import dissect


@dataclass
class MemorySet:
    """A `ConceptDataset` whose images carry their own number in the colour of every pixel."""

    concepts: Sequence[Concept]
    answers: Sequence[Labels]
    size: tuple[int, int] = (8, 6)
    fingerprint: str = "sha256:in-memory"
    before_image: Callable[[int], None] = lambda _index: None
    images_read: Counter[int] = field(default_factory=Counter)
    labels_read: Counter[int] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __len__(self) -> int:
        return len(self.answers)

    def image_id(self, index: int) -> str:
        return f"images/{index:04d}.png"

    def image(self, index: int) -> Image.Image:
        with self._lock:
            self.images_read[index] += 1
        self.before_image(index)
        return Image.new("RGB", self.size, (index % 256, index // 256, 99))

    def labels(self, index: int, size: int) -> Labels:
        with self._lock:
            self.labels_read[index] += 1
        return self.answers[index]


def number_of(image: Image.Image) -> int:
    """The number that a `MemorySet` painted into an image."""
    red, green, _ = image.getpixel((0, 0))  # type: ignore[misc]
    return int(red) + 256 * int(green)


class Given(nn.Module):
    """A network whose layer "maps" puts out what comes in: `preprocess` decides the activations."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Identity()
        self.scale = nn.Parameter(torch.ones(1))
        self.seen: list[tuple[torch.dtype, int]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append((x.dtype, len(x)))
        return self.maps(x).mean(dim=(2, 3)) * self.scale


def giving(maps: Tensor) -> Callable[[Image.Image], Tensor]:
    """A preprocessing that turns image number i into `maps[i]`, `[U, h, w]`."""
    return lambda image: maps[number_of(image)]


dissect_by_iou = partial(dissect, max_q=1.0)
"""Names by IoU alone: in noise there are none that chance would not give as well."""


def no_layers(size: int) -> NDArray[np.int32]:
    return np.zeros((0, size, size), np.int32)


def random_labels(
    rng: np.random.Generator, concepts: Sequence[Concept], size: int, *, unlabelled: float = 0.2
) -> Labels:
    """0 to 3 layers, perhaps whole-image labels, perhaps categories that are carried without any label."""
    if rng.random() < unlabelled:
        carried = frozenset(c.category for c in concepts if rng.random() < 0.5)
        return Labels(np.full((int(rng.integers(0, 3)), size, size), NO_LABEL, np.int32), (), carried)
    layers = rng.integers(NO_LABEL, len(concepts), (int(rng.integers(0, 4)), size, size)).astype(np.int32)
    layers[rng.random(layers.shape) < 0.3] = NO_LABEL
    whole = rng.choice(len(concepts), int(rng.integers(0, min(3, len(concepts) + 1))), replace=False)
    there = {int(n) for n in np.unique(layers) if n != NO_LABEL} | {int(n) for n in whole}
    carried = {concepts[n].category for n in there} | {c.category for c in concepts if rng.random() < 0.3}
    return Labels(layers, tuple(int(n) for n in whole), frozenset(carried))


def some_concepts(count: int, categories: int) -> list[Concept]:
    """Concepts whose categories take turns, so that their order of appearance is not that of the numbers."""
    return [Concept(f"thing {i}", f"category {i * 7 % categories}") for i in range(count)]


def labelled_everywhere(count: int, size: int) -> Labels:
    """Every pixel is labelled, with each of `count` concepts in turn."""
    layer = (np.arange(size * size, dtype=np.int32) % count).reshape(1, size, size)
    return Labels(layer, (), frozenset({"object"}))


@dataclass
class Slow:
    """What `slow_dissection` found; `near_tie` if float arithmetic could not be expected to agree."""

    images: list[int]
    threshold: list[Fraction]
    peak: list[Fraction]
    intersection: list[list[int]]
    activation_area: list[list[int]]
    concept_area: list[int]
    concept_images: list[int]
    category_area: list[int]
    active_pixels: list[int]
    categories: list[str]
    iou: list[list[Fraction]]
    near_tie: bool


def _taps(pixel: int, pixels: int, cells: int) -> list[tuple[int, Fraction]]:
    """The cells that an output pixel's centre lies between, with their bilinear weights."""
    centre = Fraction(2 * pixel + 1, 2) * cells / pixels - Fraction(1, 2)
    centre = min(max(centre, Fraction(0)), Fraction(cells - 1))
    low = floor(centre)
    weight = centre - low
    taps = [(low, 1 - weight), (min(low + 1, cells - 1), weight)]
    return [(cell, share) for cell, share in taps if share > 0]


def slow_mask(rows: list[list[Fraction]], threshold: Fraction, size: int) -> tuple[list[list[bool]], bool]:
    """A map resized to size × size and compared with T_k; True if rounding could turn a pixel."""
    height, width = len(rows), len(rows[0])
    mask, near = [], False
    for i in range(size):
        line = []
        for j in range(size):
            cells = [
                (rows[y][x], share_y * share_x)
                for y, share_y in _taps(i, size, height)
                for x, share_x in _taps(j, size, width)
            ]
            value = sum((cell * share for cell, share in cells), Fraction(0))
            line.append(value > threshold)
            plateau = all(cell == threshold for cell, _ in cells)
            near |= abs(value - threshold) < Fraction(1, 10_000) and not plateau
        mask.append(line)
    return mask, near


def slow_dissection(
    maps: NDArray[np.float64], labels: Sequence[Labels], concepts: Sequence[Concept], quantile: str, size: int
) -> Slow:
    """Network Dissection as method.md defines it; `maps` is `[N, U, h, w]`, the quantile a decimal number."""
    used = [i for i, one in enumerate(labels) if one.whole or (one.layers != NO_LABEL).any()]
    exact = [[[[Fraction(v) for v in row] for row in unit] for unit in maps[i].tolist()] for i in used]
    units = maps.shape[1]
    thresholds, peaks = [], []
    for k in range(units):
        values = sorted((v for image in exact for row in image[k] for v in row), reverse=True)
        thresholds.append(values[floor(Fraction(quantile) * len(values))])
        peaks.append(values[0])

    categories: list[str] = []
    for concept in concepts:
        if concept.category not in categories:
            categories.append(concept.category)
    intersection = [[0] * len(concepts) for _ in range(units)]
    activation_area = [[0] * len(categories) for _ in range(units)]
    concept_area, concept_images = [0] * len(concepts), [0] * len(concepts)
    category_area, active_pixels = [0] * len(categories), [0] * units
    near_tie = False
    for position, i in enumerate(used):
        masks = []
        for k in range(units):
            mask, near = slow_mask(exact[position][k], thresholds[k], size)
            masks.append(mask)
            near_tie |= near
        seen: set[int] = set()
        for y in range(size):
            for x in range(size):
                here = {int(layer[y, x]) for layer in labels[i].layers} - {NO_LABEL} | set(labels[i].whole)
                seen |= here
                for c in here:
                    concept_area[c] += 1
                for number, category in enumerate(categories):
                    category_area[number] += category in labels[i].categories
                for k in range(units):
                    if not masks[k][y][x]:
                        continue
                    active_pixels[k] += 1
                    for c in here:
                        intersection[k][c] += 1
                    for number, category in enumerate(categories):
                        activation_area[k][number] += category in labels[i].categories
        for c in seen:
            concept_images[c] += 1

    iou = []
    for k in range(units):
        row = []
        for c, concept in enumerate(concepts):
            active = activation_area[k][categories.index(concept.category)]
            union = active + concept_area[c] - intersection[k][c]
            row.append(Fraction(intersection[k][c], union) if union else Fraction(0))
        iou.append(row)
    return Slow(
        images=used,
        threshold=thresholds,
        peak=peaks,
        intersection=intersection,
        activation_area=activation_area,
        concept_area=concept_area,
        concept_images=concept_images,
        category_area=category_area,
        active_pixels=active_pixels,
        categories=categories,
        iou=iou,
        near_tie=near_tie,
    )


def ranking(iou: Sequence[Fraction]) -> list[int]:
    """Concept numbers that overlap at all, the largest IoU first, the smaller number first among equals."""
    return sorted((c for c, value in enumerate(iou) if value > 0), key=lambda c: (-iou[c], c))


def slow_best_images(maps: NDArray[np.float64], slow: Slow, count: int) -> list[tuple[int, int, int, float]]:
    """(unit, rank, image, peak) of the exemplars: largest peak, then larger mean, then the earlier image."""
    found = []
    for k, threshold in enumerate(slow.threshold):
        order = sorted(slow.images, key=lambda i: (-maps[i, k].max(), -maps[i, k].mean(), i))[:count]
        above = [i for i in order if maps[i, k].max() > threshold]
        found += [(k, rank, i, float(maps[i, k].max())) for rank, i in enumerate(above)]
    return found


def arrays_of(result: Any) -> dict[str, Any]:
    """Everything counted, as plain lists, for exact comparison."""
    names = (
        *("threshold", "peak", "intersection", "activation_area", "concept_area", "concept_images"),
        *("category_of", "category_area", "active_pixels"),
    )
    return {name: getattr(result, name).tolist() for name in names}


class Integers(nn.Module):
    """A small real network with whole-number weights, so that its output does not depend on the batch."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.conv = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.drop = nn.Dropout(0.5)
        self.last = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        for module in (self.conv, self.last):
            module.weight.data = torch.randint(-2, 3, module.weight.shape, generator=generator).float()
            module.bias.data = torch.randint(-2, 3, module.bias.shape, generator=generator).float()

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu_(self.last(self.drop(F.relu(self.conv(x)))))  # in place: whoever keeps no copy sees zeros
        return x.amax(dim=(2, 3))


def noise_set(images: int, size: int, known: list[Concept], seed: int = 0) -> MemorySet:
    class Noise(MemorySet):
        def image(self, index: int) -> Image.Image:
            super().image(index)
            pixels = np.random.default_rng([seed, index]).integers(0, 8, (9, 13, 3), dtype=np.uint8)
            return Image.fromarray(pixels)

    rng = np.random.default_rng(seed)
    return Noise(known, [random_labels(rng, known, size) for _ in range(images)])


def to_tensor(image: Image.Image) -> Tensor:
    pixels = np.asarray(image.resize((16, 16), Image.Resampling.NEAREST))
    return torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)


def hooks(net: nn.Module) -> int:
    return sum(
        len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in net.modules()
    )
