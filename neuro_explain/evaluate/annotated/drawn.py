"""How is a mask written down? Polygons, run lengths, segments of a panoptic PNG, indices of a palette.

    RunLengths((4, 4), (5, 2, 9)).pixels(4, 4)      # [4, 4]; counted down the columns, as COCO does

Each is decoded when its pixels are asked for; of PNGs, the last few that were read are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dissection.readers import masks
from dissection.readers.polygons import fill_polygon
from neuro_explain.evaluate.annotations import VOID


@dataclass(frozen=True)
class Polygons:
    """Outlines: x and y of each corner in turn. A pixel is inside if its centre is, in any of them."""

    outlines: tuple[tuple[float, ...], ...]

    def pixels(self, width: int, height: int) -> NDArray[np.bool_]:
        """The pixels inside, `[height, width]`."""
        inside = np.zeros((height, width), np.bool_)
        for outline in self.outlines:
            corners = np.asarray(outline, np.float64).reshape(-1, 2)
            top, left, filled = fill_polygon(corners, height, width)
            inside[top : top + filled.shape[0], left : left + filled.shape[1]] |= filled
        return inside


@dataclass(frozen=True)
class RunLengths:
    """COCO's run lengths: how many pixels off, on, off, … down the columns, one column after the other.

    Attributes:
        size: (height, width), in COCO's order.
        counts: the lengths, or the text that COCO packs them into.
    """

    size: tuple[int, int]
    counts: tuple[int, ...] | str

    def pixels(self, width: int, height: int) -> NDArray[np.bool_]:
        """The pixels that are on, `[height, width]`.

        Raises:
            ValueError: another size than the image's, or runs that do not fill it.
        """
        if self.size != (height, width):
            raise ValueError(
                f"run lengths of {self.size[1]} × {self.size[0]} pixels, the image has {width} × {height}"
            )
        runs = unpacked_counts(self.counts) if isinstance(self.counts, str) else self.counts
        if sum(runs) != width * height or min(runs, default=0) < 0:
            raise ValueError(f"run lengths: expected to fill {width * height} pixels, got {sum(runs)}")
        flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        down: NDArray[np.bool_] = flat.reshape(width, height).T
        return down


def unpacked_counts(text: str) -> tuple[int, ...]:
    """Run lengths out of COCO's packed text.

    Each character holds five bits, lowest first, and a sixth that says whether more follow; the last one's fifth bit
    is the sign. From the fourth number on, they are differences from the one before the last.

    Raises:
        ValueError: the text ends within a number, or holds a character that COCO never writes.
    """
    counts: list[int] = []
    value, shift = 0, 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"run lengths: {character!r} is no character of packed run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value, shift = 0, 0
    if shift:
        raise ValueError("run lengths: the text ends within a number")
    return tuple(counts)


@dataclass(frozen=True)
class Segment:
    """A segment of a panoptic PNG, whose pixels are red + 256 · green + 65536 · blue."""

    file: Path
    number: int

    def pixels(self, width: int, height: int) -> NDArray[np.bool_]:
        """The pixels of that number, `[height, width]`.

        Raises:
            ValueError: the PNG has another size.
        """
        values = _segments(self.file)
        _check_size(self.file, values, width, height)
        own: NDArray[np.bool_] = values == self.number
        return own


@dataclass(frozen=True)
class PaletteMap:
    """A PNG of palette indices: 0 background, 255 void, the others by their place among `names`, from 1."""

    file: Path
    names: tuple[str, ...]

    def categories(self, width: int, height: int, numbers: dict[str, int]) -> NDArray[np.int32]:
        """The category of each pixel `[height, width]`; those without a number are background.

        Raises:
            ValueError: the PNG has another size, or an index that is no class.
        """
        values = masks.one_channel(self.file)
        _check_size(self.file, values, width, height)
        table = np.zeros(256, np.int32)
        table[255] = VOID
        for place, name in enumerate(self.names, start=1):
            table[place] = numbers.get(name, 0)
        strange = values[(values > len(self.names)) & (values != 255)]
        if strange.size:
            raise ValueError(
                f"{self.file}: value {int(strange[0])} is no class; 0 to {len(self.names)} or 255 was expected"
            )
        found: NDArray[np.int32] = table[values]
        return found


@lru_cache(maxsize=2)
def _segments(file: Path) -> NDArray[np.int32]:
    # the instances of one image are asked for one after the other
    pixels = masks.three_channels(file).astype(np.int32)
    values: NDArray[np.int32] = pixels[..., 0] + 256 * pixels[..., 1] + 65536 * pixels[..., 2]
    values.setflags(write=False)
    return values


def _check_size(file: Path, values: NDArray[np.int32], width: int, height: int) -> None:
    if values.shape != (height, width):
        raise ValueError(
            f"{file}: has {values.shape[1]} × {values.shape[0]} pixels, its image {width} × {height}; "
            "they must be equal"
        )


def polygons_of(outlines: Sequence[Sequence[float]], where: str) -> Polygons:
    """Checked polygons.

    Raises:
        ValueError: one with fewer than three corners, or half a corner.
    """
    for outline in outlines:
        if len(outline) < 6 or len(outline) % 2:
            raise ValueError(
                f"{where}: a polygon needs x and y of at least 3 corners, got {len(outline)} numbers"
            )
    return Polygons(tuple(tuple(map(float, outline)) for outline in outlines))
