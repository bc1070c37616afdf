"""A network whose units are known: detectors by construction, and noise.

    net, planted = planted_network(kinds, classes=4)
    names = dissect(model, KeyedDiorama(seed, count))     # each detector must get its name, no noise unit any

The scenes are drawn in *key colours*: each kind of object in a red and green of its own, and noise in the blue.
A detector is then a formula: it reads one key, pixel by pixel, and its map is the share of each cell that shows
its kind, times 1 plus a tenth of the cell's mean blue: so no two full cells are equal, and a threshold can lie
between them. Noise units read the blue alone, which knows nothing of the scene. The head is global average
pooling and a given matrix W, so that alpha_k = W[c, k] / Z on paper (Z = 64 cells).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from dissection.concepts import NO_LABEL, Concept, Labels
from neuro_explain.diorama.dataset import Diorama
from neuro_explain.diorama.words import KINDS

LEVELS = 16
_STEP = 17  # 16 levels of 0, 17, …, 255: red and green together have 256 keys
_CELL = 16
_ORDER = {kind: number for number, kind in enumerate(sorted(KINDS))}


def key(kind: str) -> tuple[int, int]:
    """The red and the green of a kind, each a multiple of 17; black is no kind's.

    Raises:
        KeyError: not a kind of the diorama.
    """
    number = _ORDER[kind] + 1
    return (number % LEVELS) * _STEP, (number // LEVELS) * _STEP


class KeyedDiorama:
    """The diorama in key colours, with its object labels; a `ConceptDataset`.

    Args:
        seed, count: as for `Diorama`.
        shuffled: give each image the labels of another one, for the test that nothing is named then.
    """

    def __init__(self, seed: int, count: int, *, shuffled: bool = False) -> None:
        self.base = Diorama(seed, count)
        self.name = f"diorama:{seed}:{count} in key colours"
        self.shuffled = shuffled
        self._concepts = tuple(Concept(kind, "object") for kind in sorted(KINDS))

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """The kinds of objects."""
        return self._concepts

    @property
    def fingerprint(self) -> str:
        """Of the diorama, and of what was done to it."""
        return f"{self.base.fingerprint} keyed{' shuffled' if self.shuffled else ''}"

    def __len__(self) -> int:
        """The number of scenes."""
        return len(self.base)

    def image_id(self, index: int) -> str:
        """As in the diorama."""
        return self.base.image_id(index)

    def image(self, index: int) -> Image.Image:
        """The scene in key colours: red and green say what a pixel shows, blue is noise."""
        scene = self.base.scene(index)
        keys = np.array([(0, 0), *(key(thing.kind) for thing in scene.things)], np.uint8)
        pixels = np.empty((self.base.size, self.base.size, 3), np.uint8)
        pixels[..., :2] = keys[scene.segments(self.base.size) + 1]
        pixels[..., 2] = np.random.RandomState(index).randint(0, 256, pixels.shape[:2])
        return Image.fromarray(pixels)

    def labels(self, index: int, size: int) -> Labels:
        """The kind of each pixel."""
        scene = self.base.scene((index + len(self) // 2) % len(self) if self.shuffled else index)
        numbers = np.array([NO_LABEL, *(_ORDER[thing.kind] for thing in scene.things)], np.int32)
        layer = numbers[scene.segments(self.base.size) + 1]
        squashed = Image.fromarray(layer).resize((size, size), Image.Resampling.NEAREST)
        return Labels(np.asarray(squashed)[None], (), frozenset({"object"}))


def planted_network(
    kinds: Sequence[str], noise: int, weights: NDArray[np.float32], *, seed: int = 0
) -> nn.Sequential:
    """The network: `len(kinds)` detectors, then `noise` noise units, 8 × 8 for a picture of 128 × 128.

    Args:
        kinds: which kind each detector detects.
        noise: how many noise units.
        weights: float32 `[C, len(kinds) + noise]`, the linear head.
        seed: of the noise units' filters.

    Returns:
        A network on pixels scaled to 0..1 whose layer "units" is the rectified map `[N, U, 8, 8]`.

    Raises:
        ValueError: weights of another shape.
    """
    units = len(kinds) + noise
    if weights.ndim != 2 or weights.shape[1] != units:
        raise ValueError(f"weights: expected [C, {units}], got {list(weights.shape)}")
    keys = torch.tensor([key(kind) for kind in kinds], dtype=torch.float32) / 255
    net = nn.Sequential()
    net.add_module("distance", _Distances(keys))
    net.add_module("cells", _Cells(noise, seed))
    net.add_module("units", nn.ReLU())
    net.add_module("pool", nn.AdaptiveAvgPool2d(1))
    net.add_module("flat", nn.Flatten())
    head = nn.Linear(units, len(weights), bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weights))
    net.add_module("head", head)
    return net.eval()


class _Distances(nn.Module):
    """Per key 1 where a pixel has it and 0 elsewhere `[N, K, h, w]`; and the blue as it is `[N, 1, h, w]`."""

    keys: Tensor

    def __init__(self, keys: Tensor) -> None:
        super().__init__()
        self.register_buffer("keys", keys)

    def forward(self, images: Tensor) -> Tensor:
        away = (images[:, None, :2] - self.keys[None, :, :, None, None]).abs().sum(2)
        # keys are at least 1/15 apart; half of that keeps rounding harmless
        hit = (1 - away * 30).clamp(min=0)
        return torch.cat([hit, images[:, 2:]], 1)


class _Cells(nn.Module):
    """Shares of each cell, weighed by its blue; and projections of its blue, `[N, U, h/16, w/16]`."""

    filters: Tensor

    def __init__(self, noise: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        filters = torch.randn(noise, 1, _CELL, _CELL, generator=generator) / _CELL
        self.register_buffer("filters", filters - filters.mean((1, 2, 3), keepdim=True))

    def forward(self, maps: Tensor) -> Tensor:
        means = nn.functional.avg_pool2d(maps, _CELL)
        shares = means[:, :-1] * (1 + means[:, -1:] / 10)
        return torch.cat([shares, nn.functional.conv2d(maps[:, -1:], self.filters, stride=_CELL)], 1)
