"""Label images in: the exact values of a mask, and concept numbers for them.

A mask is never colour-converted: a palette mask gives its indices, 8, 16 and 32 bits give their values, and
an RGB mask gives its three channels, which the reader's own rule makes one number of. Masks lie in the
frame of the upright image, so an orientation of their own is not applied.

    values = read_mask("masks/kitchen.png")            # [h, w], or [h, w, 3]
    numbers = table.look_up(nearest(values, 112))      # [112, 112], NO_LABEL where the table has no row
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dissection.concepts import NO_LABEL
from dissection.images import ImageError, opened

SUFFIXES = frozenset((".bmp", ".gif", ".pgm", ".png", ".tif", ".tiff"))

# Pillow spreads grey values of two and four bits over 0…255; dividing by this gives them back.
_SPREAD = {"L;2": 85, "L;4": 17}


def read_mask(path: str | os.PathLike[str]) -> NDArray[np.int32] | NDArray[np.uint8]:
    """The values of a label image: int32 `[h, w]`, or uint8 `[h, w, 3]` if it is RGB.

    Raises:
        ImageError: as for `read_image`; or a format or mode that cannot hold exact labels.
    """
    with opened(path) as image:
        if image.format == "JPEG":
            raise ImageError(f"{os.fspath(path)}: is a JPEG, which changes label values; save masks as PNG")
        tile = getattr(image, "tile", None)
        packing = str(tile[0][3]) if image.mode == "L" and tile else ""
        image.load()
        if image.mode in ("RGB", "RGBA"):
            return np.asarray(image, dtype=np.uint8)[..., :3]
        if image.mode in ("1", "L", "P") or image.mode.startswith("I"):
            values = np.asarray(image).astype(np.int32)
            return values // _SPREAD[packing] if packing in _SPREAD else values
        raise ImageError(
            f"{os.fspath(path)}: is a mask of mode {image.mode}; one channel of 8, 16 or 32 bits, a palette, "
            "or RGB was expected"
        )


def one_channel(path: str | os.PathLike[str]) -> NDArray[np.int32]:
    """`read_mask` of a mask whose pixels are the values themselves: `[h, w]`."""
    values = read_mask(path)
    if values.ndim != 2:
        raise ImageError(
            f"{os.fspath(path)}: is an RGB image, a mask with one channel (8, 16 or 32 bits) or palette "
            "indices was expected; write each pixel's value from the label table instead of a colour"
        )
    return values.astype(np.int32, copy=False)


def three_channels(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """`read_mask` of a mask that spreads its numbers over red, green and blue: `[h, w, 3]`."""
    values = read_mask(path)
    if values.ndim != 3:
        raise ImageError(f"{os.fspath(path)}: has one channel, an RGB label image was expected")
    return values.astype(np.uint8, copy=False)


def nearest(values: NDArray[Any], size: int) -> NDArray[Any]:
    """`[h, w, …]` as `[size, size, …]`: the very pixels that Pillow's nearest-neighbour resize takes."""
    if size < 1:
        raise ValueError(f"size: expected at least 1 pixel, got {size}")
    rows, columns = _picks(values.shape[0], size), _picks(values.shape[1], size)
    picked: NDArray[Any] = values[rows[:, None], columns[None, :]]
    return picked


@lru_cache(maxsize=256)
def _picks(length: int, size: int) -> NDArray[np.int32]:
    """Which of `length` pixels Pillow keeps on the way to `size`, found by resizing a ramp."""
    ramp = Image.fromarray(np.arange(length, dtype=np.int32)[None, :])
    picks: NDArray[np.int32] = np.asarray(ramp.resize((size, 1), Image.Resampling.NEAREST))[0]
    return picks


class NumberTable:
    """From a mask's values to concept numbers: sorted values, so that any range costs the same."""

    def __init__(self, numbers: Mapping[int, int]) -> None:
        self._values = np.array(sorted(numbers), dtype=np.int64)
        self._numbers = np.array([numbers[value] for value in sorted(numbers)], dtype=np.int32)

    def look_up(self, values: NDArray[Any]) -> NDArray[np.int32]:
        """The number of each value, `NO_LABEL` for a value without one; same shape."""
        if not len(self._values):
            return np.full(values.shape, NO_LABEL, dtype=np.int32)
        place = np.searchsorted(self._values, values).clip(max=len(self._values) - 1)
        found: NDArray[np.int32] = np.where(self._values[place] == values, self._numbers[place], NO_LABEL)
        return found.astype(np.int32, copy=False)

    def strangers(self, values: NDArray[Any], numbers: NDArray[np.int32]) -> list[int]:
        """Values other than 0 that have no number."""
        return [int(value) for value in np.unique(values[(numbers == NO_LABEL) & (values != 0)])]
