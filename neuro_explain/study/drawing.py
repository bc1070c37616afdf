"""How does a rater see a map? All pictures of one photograph have the same frame and size, whoever made them.

    draw_map(photo, cells, crop, frame, pixels=True)      # WebP

A map of single pixels is shown by itself; a map of a layer as the photograph, as bright as the map is strong there, so
that what it leaves out cannot be seen. Nothing in the picture tells whose it is: no border where a network sees less.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from neuro_explain.evaluate.annotations import Box
from reports.draw import COLOURS, colour_table

SIDE = 384
"""Pixels of a picture's longer side."""

_CUT = 0.995  # of a map of pixels, what lies below full brightness: one pixel would darken all others


def draw_map(photo: Image.Image, cells: NDArray[np.float64], crop: Box, frame: Box, *, pixels: bool) -> bytes:
    """A map as a picture.

    Args:
        photo: upright, RGB.
        cells: the map, `[h, w]`, at least 0; its strongest cell is brightest.
        crop: what it covers of the photograph: left, top, right, bottom in pixels.
        frame: what is shown of it, within `crop`.
        pixels: whether it is a map of single pixels.
    """
    left, top, right, bottom = frame
    scale = SIDE / max(right - left, bottom - top)
    size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    height, width = cells.shape
    across, down = width / (crop[2] - crop[0]), height / (crop[3] - crop[1])
    box = (
        max(0.0, (left - crop[0]) * across),
        max(0.0, (top - crop[1]) * down),
        min(float(width), (right - crop[0]) * across),
        min(float(height), (bottom - crop[1]) * down),
    )
    # as shares of the maximum first: what is drawn is display, and no measure looks at it
    whole = Image.fromarray((cells / (cells.max() or 1.0)).astype(np.float32))
    values = np.asarray(whole.resize(size, Image.Resampling.BILINEAR, box=box))
    peak = (float(np.quantile(values, _CUT)) if pixels else 0.0) or float(values.max()) or 1.0
    share = np.clip(values / peak, 0, 1)
    if pixels:
        drawn = colour_table("heat")[np.rint(share * (COLOURS - 1)).astype(np.intp)]
    else:
        shown = np.asarray(photo.convert("RGB").resize(size, Image.Resampling.BICUBIC, box=frame), np.float64)
        drawn = np.rint(shown * share[..., None]).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(drawn).save(buffer, "WEBP", quality=70, method=4)
    return buffer.getvalue()


def common_frame(first: Box, second: Box) -> Box:
    """What two networks both see of a photograph.

    Raises:
        ValueError: nothing.
    """
    left, top = max(first[0], second[0]), max(first[1], second[1])
    right, bottom = min(first[2], second[2]), min(first[3], second[3])
    if left >= right or top >= bottom:
        raise ValueError(
            "the two networks see no part of the photograph both; give both the same preprocessing"
        )
    return left, top, right, bottom
