"""Let a reader judge a name with their own eyes: crops on which a unit fires most, its mask outlined.

Per unit one picture: up to E square crops side by side, each around the region above T_k on one image.
"""

from __future__ import annotations

import io
from collections import defaultdict
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
    """One image on which a unit fires: the data set's index of the image, and the largest activation there."""

    unit: int
    rank: int
    image: int
    peak: float


class BestImages:
    """The E images with the largest activation of each unit; equal ones in the order of the images.

    Args:
        units: U.
        count: E.
    """

    def __init__(self, units: int, count: int) -> None:
        self.count = count
        self.peak = torch.full((units, 0), -torch.inf)
        self.image = torch.zeros((units, 0), dtype=torch.int64)

    def add(self, peaks: Tensor, first: int) -> None:
        """Takes in the peaks `[N, U]` of the images `first`, `first + 1`, …"""
        numbers = torch.arange(first, first + len(peaks)).expand(peaks.shape[1], -1)
        peak = torch.cat([self.peak, peaks.T.cpu()], dim=1)
        image = torch.cat([self.image, numbers], dim=1)
        order = peak.sort(dim=1, descending=True, stable=True).indices[:, : self.count]
        self.peak, self.image = peak.gather(1, order), image.gather(1, order)


def _crop_box(mask: NDArray[np.bool_], width: int, height: int) -> tuple[int, int, int, int]:
    """A square of the original around the mask (given on the squashed image): with room, not below half the image."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    size = mask.shape[0]
    top, bottom = rows[0] / size * height, (rows[-1] + 1) / size * height
    left, right = columns[0] / size * width, (columns[-1] + 1) / size * width
    short = min(width, height)
    side = int(min(short, max(1.5 * max(bottom - top, right - left), 0.5 * short, 1)))
    x = int(min(max((left + right - side) / 2, 0), width - side))
    y = int(min(max((top + bottom - side) / 2, 0), height - side))
    return x, y, x + side, y + side


def _outlined(crop: Image.Image, mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The crop with a light line just inside the mask and a dark one just outside."""
    pixels = np.array(crop)
    padded = np.pad(mask, 1, mode="edge")
    neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    inside = mask & ~np.logical_and.reduce(neighbours)
    outside = ~mask & np.logical_or.reduce(neighbours)
    pixels[outside], pixels[inside] = _EDGE, _INSIDE
    return pixels


def _draw(image: Image.Image, above: Tensor) -> NDArray[np.uint8]:
    """One crop, uint8 `[CROP, CROP, 3]`; `above` is the unit's map minus T_k, `[h, w]`."""
    width, height = image.size
    mask = (resize(above[None], (112, 112))[0] > 0).numpy()
    if not mask.any():  # a peak so sharp that no pixel centre lies above: show the whole map's largest cell
        mask = (resize((above == above.max()).float()[None], (112, 112))[0] > 0.5).numpy()
    box = _crop_box(mask, width, height)
    crop = image.resize((CROP, CROP), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
    # The same map on the whole image at the crop's scale, then the part of it that the crop shows.
    scale = CROP / (box[2] - box[0])
    full = resize(above[None], (max(round(height * scale), CROP), max(round(width * scale), CROP)))[0]
    y = min(round(box[1] * scale), full.shape[0] - CROP)
    x = min(round(box[0] * scale), full.shape[1] - CROP)
    return _outlined(crop, (full[y : y + CROP, x : x + CROP] > 0).numpy())


def draw_exemplars(
    exemplars: Sequence[Exemplar],
    above: Sequence[Tensor],
    read: Callable[[int], Image.Image],
    *,
    workers: int = 2,
    done: Callable[[int], object] = lambda _count: None,
) -> dict[int, bytes]:
    """WebP strips by unit.

    Args:
        exemplars: those to draw.
        above: for each, the unit's map on that image minus T_k, `[h, w]`.
        read: reads an image by its number in the data set; each is read once.
        workers: threads.
        done: called with the number of crops just drawn.
    """
    by_image: dict[int, list[int]] = defaultdict(list)
    strips: dict[int, NDArray[np.uint8]] = {}
    counts: dict[int, int] = defaultdict(int)
    for position, exemplar in enumerate(exemplars):
        by_image[exemplar.image].append(position)
        counts[exemplar.unit] += 1
    for unit, count in counts.items():
        strips[unit] = np.zeros((CROP, CROP * count, 3), np.uint8)

    def draw_image(number: int) -> int:
        image = read(number)
        for position in by_image[number]:
            one = exemplars[position]
            left = one.rank * CROP
            strips[one.unit][:, left : left + CROP] = _draw(image, above[position])
        return len(by_image[number])

    def encode(unit: int) -> tuple[int, bytes]:
        buffer = io.BytesIO()
        Image.fromarray(strips[unit]).save(buffer, "WEBP", quality=60, method=4)
        return unit, buffer.getvalue()

    with ThreadPoolExecutor(workers) as pool:
        for count in pool.map(draw_image, sorted(by_image)):
            done(count)
        return dict(pool.map(encode, sorted(strips)))
