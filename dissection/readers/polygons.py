"""Outlines as pixels, by one rule: a pixel is inside if its centre is.

    y, x, inside = fill_polygon(points, height, width)    # a box of the image, and which of its pixels

Points are in pixels from the upper left corner of the image, so the pixel in column x and row y has its centre at
(x + ½, y + ½). A centre is inside if a ray from it to the left crosses the outline an odd number of times (even-odd
rule); one that lies on the outline belongs to the side where the inside is right of it or below. So two polygons with
a common edge never share a pixel and leave none out. What lies outside the image is cut off.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Filled = tuple[int, int, NDArray[np.bool_]]


def fill_polygon(points: NDArray[np.float64], height: int, width: int) -> Filled:
    """The pixels inside a closed outline.

    Args:
        points: `[N, 2]`, x and y of each corner; the last is joined to the first.
        height: of the image.
        width: of the image.

    Returns:
        Row and column of a box's upper left pixel, and bool `[h, w]`, which of its pixels are inside.
    """
    left, right = _span(points[:, 0], width)
    top, bottom = _span(points[:, 1], height)
    crossed = np.zeros((bottom - top, right - left + 1), np.uint8)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if y0 > y1:  # from above, so that an edge cuts the same pixels in both of its directions
            x0, y0, x1, y1 = x1, y1, x0, y0
        # rows whose centre is in [y0, y1)
        rows = np.arange(max(math.ceil(y0 - 0.5), top), min(math.ceil(y1 - 0.5), bottom))
        if not len(rows):
            continue
        # the division last, so that a crossing that is a number of the grid comes out as that number
        crossing = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
        # the first column whose centre is at the crossing or right of it
        columns = np.clip(np.ceil(crossing - 0.5), left, right).astype(np.int64)
        crossed[rows - top, columns - left] += 1  # a row occurs once an edge
    inside = np.cumsum(crossed, axis=1, dtype=np.uint8)[:, :-1] & 1  # 255 + 1 = 0 keeps odd and even
    return top, left, inside.astype(bool)


def fill_circle(center: NDArray[np.float64], rim: NDArray[np.float64], height: int, width: int) -> Filled:
    """The pixels whose centres are at most as far from `center` as the point `rim`; returns as `fill_polygon`."""
    radius = math.dist(center, rim)
    left, right = _span(np.array([center[0] - radius, center[0] + radius]), width)
    top, bottom = _span(np.array([center[1] - radius, center[1] + radius]), height)
    rows, columns = np.arange(top, bottom)[:, None] + 0.5, np.arange(left, right)[None, :] + 0.5
    # squares on both sides: a root in between could lose a centre that lies on the rim
    reach = (rim[1] - center[1]) ** 2 + (rim[0] - center[0]) ** 2
    inside = (rows - center[1]) ** 2 + (columns - center[0]) ** 2 <= reach
    return top, left, inside


def place_mask(mask: NDArray[np.bool_], left: int, top: int, height: int, width: int) -> Filled:
    """The pixels of a mask whose first one lies at column `left` and row `top`; returns as `fill_polygon`."""
    inside = mask[max(-top, 0) : max(height - top, 0), max(-left, 0) : max(width - left, 0)]
    return min(max(top, 0), height), min(max(left, 0), width), inside


def rectangle(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """The outline `[4, 2]` of the upright rectangle between two opposite corners `[2, 2]`."""
    (x0, y0), (x1, y1) = corners
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def _span(values: NDArray[np.float64], length: int) -> tuple[int, int]:
    """The whole pixels, from first to behind the last, that these coordinates touch inside the image."""
    first = min(max(math.floor(values.min()), 0), length)
    return first, max(min(math.ceil(values.max()), length), first)
