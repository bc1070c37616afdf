"""Let a reader judge a name with their own eyes: crops of images on which a unit fires, its mask outlined.

A strip is one picture: square crops side by side, each around the region above T_k on one image.
"""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from dissection.resize import resize

CROP = 96  # pixels a side
_INSIDE, _EDGE = (255, 214, 10), (20, 20, 20)  # a light line with a dark one around it shows on any ground


@dataclass(frozen=True)
class Exemplar:
    """One image on which a unit fires: the data set's number of the image, and the unit's peak there."""

    unit: int
    rank: int
    image: int
    peak: float


class BestImages:
    """The E images with the largest activation of each unit.

    Activations that saturate (ReLU6) reach the same peak on many images: among these the one whose map is
    larger on the whole comes first, and what is equal even then is in the order of the images, however they come.

    Args:
        units: U.
        count: E.
    """

    def __init__(self, units: int, count: int) -> None:
        self.count = count
        self.peak = torch.zeros((units, 0), dtype=torch.float32)
        self.mean = torch.zeros((units, 0), dtype=torch.float32)
        self.image = torch.zeros((units, 0), dtype=torch.int64)

    def add(self, numbers: Tensor, peaks: Tensor, means: Tensor) -> None:
        """Takes in the images `numbers` `[N]`: peaks and means of their maps, `[N, U]`."""
        self._add(numbers.expand(peaks.shape[1], -1), peaks.T.cpu(), means.T.cpu())

    def merge(self, other: BestImages) -> None:
        """Takes in the best of other images."""
        self._add(other.image, other.peak, other.mean)

    def _add(self, image: Tensor, peak: Tensor, mean: Tensor) -> None:
        image, peak, mean = (
            torch.cat(pair, dim=1) for pair in ((self.image, image), (self.peak, peak), (self.mean, mean))
        )
        order = image.argsort(dim=1)
        for values in (mean, peak):
            order = order.gather(1, values.gather(1, order).argsort(dim=1, descending=True, stable=True))
        order = order[:, : self.count]
        self.peak, self.mean, self.image = (values.gather(1, order) for values in (peak, mean, image))


def _crop_box(above: NDArray[np.float32], width: int, height: int) -> tuple[int, int, int, int]:
    """A square of the image around the cells above 0: with room, not below half the short side.

    Where they lie too far apart for a square, it goes around the largest one.
    """
    cell = (width / above.shape[1], height / above.shape[0])
    rows, columns = np.nonzero(above > 0)
    row, column = np.unravel_index(above.argmax(), above.shape)
    low = np.multiply((columns.min(), rows.min()), cell)
    high = np.multiply((columns.max() + 1, rows.max() + 1), cell)
    peak = np.multiply((column + 0.5, row + 0.5), cell)
    short = min(width, height)
    side = int(min(short, max(1.5 * (high - low).max(), 0.5 * short, 1)))
    centre = np.where(high - low <= side, (low + high) / 2, peak)
    left, top = np.clip(centre - side / 2, 0, (width - side, height - side)).astype(int).tolist()
    return left, top, left + side, top + side


def _shrunk(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask without the pixels at its edge; the picture's border is no edge."""
    padded = np.pad(mask, 1, mode="edge")
    neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    smaller: NDArray[np.bool_] = mask & np.logical_and.reduce(neighbours)
    return smaller


def _outlined(crop: Image.Image, mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The crop with a light line of two pixels just inside the mask and a dark one of one pixel just outside."""
    pixels = np.array(crop)
    pixels[~mask & ~_shrunk(~mask)] = _EDGE
    pixels[mask & ~_shrunk(_shrunk(mask))] = _INSIDE
    return pixels


def _draw(image: Image.Image, above: Tensor) -> NDArray[np.uint8]:
    """One crop, uint8 `[CROP, CROP, 3]`; `above` is the unit's map minus T_k, `[h, w]`."""
    width, height = image.size
    left, top, right, bottom = box = _crop_box(above.numpy(), width, height)
    crop = image.resize((CROP, CROP), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
    shown = (left / width, top / height, right / width, bottom / height)
    return _outlined(crop, (resize(above[None], (CROP, CROP), shown)[0] > 0).numpy())


@dataclass(frozen=True)
class Crop:
    """A crop to draw: in which strip, at which place in it, of which image, and map minus T_k there, `[h, w]`."""

    strip: tuple[str, int]
    place: int
    image: int
    above: Tensor


def draw_strips(
    crops: Sequence[Crop],
    read: Callable[[int], Image.Image],
    *,
    workers: int = 2,
    done: Callable[[int], object] = lambda _count: None,
) -> dict[tuple[str, int], bytes]:
    """WebP strips.

    Args:
        crops: those to draw; the places of a strip are 0, 1, ….
        read: reads an image by its number in the data set; each is read once.
        workers: threads.
        done: called with the number of crops just drawn.
    """
    by_image: dict[int, list[Crop]] = defaultdict(list)
    for crop in crops:
        by_image[crop.image].append(crop)
    counts = Counter(crop.strip for crop in crops)
    strips = {strip: np.zeros((CROP, CROP * count, 3), np.uint8) for strip, count in counts.items()}

    def draw_image(number: int) -> int:
        image = read(number)
        for crop in by_image[number]:
            left = crop.place * CROP
            strips[crop.strip][:, left : left + CROP] = _draw(image, crop.above)
        return len(by_image[number])

    def encode(strip: tuple[str, int]) -> tuple[tuple[str, int], bytes]:
        buffer = io.BytesIO()
        Image.fromarray(strips[strip]).save(buffer, "WEBP", quality=60, method=2)
        return strip, buffer.getvalue()

    with ThreadPoolExecutor(workers) as pool:
        for count in pool.map(draw_image, sorted(by_image)):
            done(count)
        return dict(pool.map(encode, sorted(strips)))
