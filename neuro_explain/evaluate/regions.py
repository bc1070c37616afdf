"""Does a map point at a region of the picture?

    picture = on_picture(cam.map[0], preprocess.crop(image.size), 128)      # [128, 128]
    inside_outside(picture, inside)            # mean inside the region / mean outside; 1 for a uniform map
    points_at(picture, pixels)                 # does its maximum fall on these pixels?

Maps are coarse, and resizing makes plateaus of their corners: the maximum is the centroid of the connected plateau.
Several separate maxima, and maps without any (all zero, or uniform), point nowhere.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dissection.resize import resize

# Maps are float32: two maxima that differ by its rounding are equal.
_EQUAL = 1e-6


def on_picture(map: Tensor, crop: tuple[float, float, float, float], side: int) -> NDArray[np.float64]:
    """A map, resized to a square picture of `side` pixels; see `on_image`."""
    return on_image(map, crop, (side, side))


def on_image(
    map: Tensor, crop: tuple[float, float, float, float], size: tuple[int, int]
) -> NDArray[np.float64]:
    """A map, resized to a picture.

    Args:
        map: `[h, w]`, at least 0 everywhere.
        crop: left, top, right, bottom of what the network sees, in the picture's pixels (`Preprocess.crop`).
        size: (width, height) of the picture, in pixels, as Pillow gives it.

    Returns:
        `[height, width]`, NaN where the network does not see; as shares of the map's maximum, where it has one.
    """
    left, top, right, bottom = crop
    width, height = right - left, bottom - top
    cells = map.detach().cpu().double()
    largest = float(cells.max())
    if largest > 0:
        cells = cells / largest
    columns, rows = size
    box = (-left / width, -top / height, (columns - left) / width, (rows - top) / height)
    picture: NDArray[np.float64] = resize(cells[None], (rows, columns), box)[0].numpy()
    picture[~seen_pixels(crop, size)] = np.nan
    return picture


def seen_pixels(crop: tuple[float, float, float, float], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels of a picture whose centres the network sees, `[height, width]`; arguments as for `on_image`."""
    left, top, right, bottom = crop
    across, down = np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5
    seen: NDArray[np.bool_] = ((down >= top) & (down <= bottom))[:, None] & (
        (across >= left) & (across <= right)
    )
    return seen


def framed_pixels(box: tuple[float, float, float, float], side: int) -> NDArray[np.bool_]:
    """The pixels of a square picture in a box: left, top, right, bottom in shares of the frame; `[side, side]`."""
    left, top, right, bottom = (round(edge * side) for edge in box)
    inside = np.zeros((side, side), np.bool_)
    inside[top:bottom, left:right] = True
    return inside


def area(box: tuple[float, float, float, float]) -> float:
    """The share of the frame that a box covers."""
    left, top, right, bottom = box
    return (right - left) * (bottom - top)


def inside_outside(picture: NDArray[np.float64], inside: NDArray[np.bool_]) -> float | None:
    """The mean of a map inside a region, divided by its mean outside (Selvaraju et al. 2019, Sec. 8.1).

    Args:
        picture: `[H, W]`, at least 0; NaN where it is not known.
        inside: `[H, W]`.

    Returns:
        0 or more, infinite where there is nothing outside; None for a map of nothing but zeros.

    Raises:
        ValueError: no pixel inside, or none outside, or another shape.
    """
    if picture.shape != inside.shape:
        raise ValueError(f"inside: expected the picture's shape {picture.shape}, got {inside.shape}")
    known = np.isfinite(picture)
    within, beyond = picture[known & inside], picture[known & ~inside]
    if not within.size or not beyond.size:
        raise ValueError(
            f"inside: expected pixels on both sides, got {within.size} inside and {beyond.size} outside that the "
            "network sees; leave regions out that have no outside"
        )
    largest = max(float(within.max()), float(beyond.max()))
    if largest <= 0:
        return None
    # as shares of the maximum, so that the sums of a uniform map are whole numbers and its ratio exactly 1
    mean_within, mean_beyond = float((within / largest).mean()), float((beyond / largest).mean())
    return mean_within / mean_beyond if mean_beyond > 0 else math.inf


def maximum_point(picture: NDArray[np.float64]) -> tuple[int, int] | None:
    """Row and column of a map's maximum; None if it has no single one.

    Args:
        picture: `[H, W]`, at least 0; NaN where it is not known.
    """
    known = np.isfinite(picture)
    largest = float(picture[known].max()) if known.any() else 0.0
    if largest <= 0:
        return None
    plateau = known & (np.where(known, picture, 0.0) >= largest * (1 - _EQUAL))
    if plateau.sum() == known.sum() or not _connected(plateau):
        return None
    rows, columns = np.nonzero(plateau)
    return math.floor(rows.mean() + 0.5), math.floor(columns.mean() + 0.5)


def points_at(picture: NDArray[np.float64], pixels: NDArray[np.bool_]) -> bool:
    """Whether the map's maximum falls on one of these pixels `[H, W]`; see `maximum_point`."""
    point = maximum_point(picture)
    return point is not None and bool(pixels[point])


def chance_of(picture: NDArray[np.float64], pixels: NDArray[np.bool_]) -> float:
    """How often a point drawn at random in what the network sees falls on these pixels `[H, W]`."""
    return float(pixels[np.isfinite(picture)].mean())


def _connected(pixels: NDArray[np.bool_]) -> bool:
    """Whether pixels, at least one, hang together at their sides or corners.

    Plateaus are small: growing from one of their pixels is quicker than importing a library that labels images.
    """
    rows, columns = np.nonzero(pixels)
    patch = pixels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    height, width = patch.shape
    reached = np.zeros(patch.shape, np.bool_)
    reached[rows[0] - rows.min(), columns[0] - columns.min()] = True
    while True:
        wide = np.pad(reached, 1)
        around = [
            wide[down : down + height, right : right + width] for down in range(3) for right in range(3)
        ]
        grown = np.logical_or.reduce(around) & patch
        if (grown == reached).all():
            return bool((reached == patch).all())
        reached = grown
