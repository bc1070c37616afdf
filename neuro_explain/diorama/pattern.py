"""How do patterns look? Tiles of levels 0 to 15: how much of a paint's second colour a pixel takes.

All patterns at all scales lie in one flat array per canvas side, so that a whole picture's patterns are one
lookup: the offset of a shape's tile plus the pixel's place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LEVELS = 16
PERIODS = (0.016, 0.026, 0.042, 0.066, 0.105)
"""The scales, as the pattern's period in shares of the frame's side."""

NAMES = (
    "plain", "chequered", "dotted", "stratified", "striped", "woven", "zigzagged",
    "blades", "courses", "fade", "glints", "grain", "grid", "leaves", "ripples", "speckle",
)  # fmt: skip

_PLACE = {name: place for place, name in enumerate(NAMES)}

# the scale changes half-way between two periods, in ratio
_BETWEEN = np.sqrt(np.array(PERIODS[:-1]) * np.array(PERIODS[1:]))

Field = NDArray[np.float64]


@dataclass(frozen=True)
class Bank:
    """The tiles for one canvas.

    Attributes:
        levels: uint8, flat; every tile is `stride` × `stride`.
        stride: the side of a tile in pixels, larger than the canvas by `slack`.
        slack: a tile may be shifted by so many pixels in both directions.
        place: integers `[N * N]`: where each pixel of the canvas lies in a tile.
    """

    levels: NDArray[np.uint8]
    stride: int
    slack: int
    place: NDArray[np.intp]

    def offsets(self, patterns: Sequence[str], periods: Field, right: Field, down: Field) -> NDArray[np.intp]:
        """Where each shape's tile starts.

        Args:
            patterns: their names.
            periods: shares of the frame's side `[P]`; of the tiles' scales the one nearest in ratio is taken.
            right, down: shifts `[P]`, in shares (0 to 1) of the slack; `plain` and `fade` are never shifted.
        """
        kinds = np.array([_PLACE[pattern] for pattern in patterns], np.intp)
        scales = np.searchsorted(_BETWEEN, periods, side="right")
        scales[kinds == _PLACE["plain"]] = 0
        shifts = (down * self.slack).astype(np.intp) * self.stride + (right * self.slack).astype(np.intp)
        shifts[(kinds == _PLACE["plain"]) | (kinds == _PLACE["fade"])] = 0
        return (kinds * len(PERIODS) + scales) * self.stride**2 + shifts


@lru_cache(maxsize=4)
def bank(side: int) -> Bank:
    """The tiles for a canvas of `side` × `side` pixels."""
    slack = max(side // 8, 1)
    stride = side + slack
    rows, columns = np.mgrid[0:stride, 0:stride].astype(np.float64)
    noise = np.random.RandomState(7)  # its stream never changes between versions
    rough = noise.random_sample((stride, stride))
    smooth = _smooth(noise.random_sample((stride, stride)), max(side // 42, 1))
    tiles = []
    for name in NAMES:
        for period in PERIODS:
            p = max(period * side, 2.0)
            field = _field(name, rows, columns, p, rough, smooth, side)
            # the dither hides the steps between levels
            tiles.append(np.clip(np.floor(field * (LEVELS - 1) + rough), 0, LEVELS - 1).astype(np.uint8))
    place = (rows[:side, :side] * stride + columns[:side, :side]).astype(np.intp).ravel()
    return Bank(np.stack(tiles).ravel(), stride, slack, place)


def _smooth(field: Field, radius: int) -> Field:
    for axis in (0, 1):
        field = sum(
            (np.roll(field, shift, axis) for shift in range(-radius, radius + 1)), np.zeros_like(field)
        )
    low, high = field.min(), field.max()
    spread: Field = (field - low) / (high - low)
    return spread


def _field(name: str, y: Field, x: Field, p: float, rough: Field, smooth: Field, side: int) -> Field:
    """The pattern's field, 0 to 1, with a period of `p` pixels."""
    u, v = x / p, y / p
    match name:
        case "plain":
            return np.zeros_like(x)
        case "striped":
            return (u % 1 < 0.5).astype(np.float64)
        case "chequered":
            return ((np.floor(u * 2) + np.floor(v * 2)) % 2).astype(np.float64)
        case "dotted":
            shifted = u + 0.5 * (np.floor(v) % 2)
            return (((shifted % 1 - 0.5) ** 2 + (v % 1 - 0.5) ** 2) < 0.085).astype(np.float64)
        case "woven":
            over = (np.floor(u) + np.floor(v)) % 2
            thread = np.where(over > 0, np.abs(u % 1 - 0.5), np.abs(v % 1 - 0.5)) * 2
            return np.where(over > 0, 0.15 + 0.35 * thread, 0.55 + 0.45 * thread)
        case "stratified":
            wave = v + 0.25 * np.sin(u * 1.3) + 0.5 * smooth
            return (np.floor(wave * 2) * 0.37) % 1
        case "zigzagged":
            return ((v + np.abs(u % 1 - 0.5)) % 1 < 0.5).astype(np.float64)
        case "courses":
            shifted = u + 0.5 * (np.floor(v * 2) % 2)
            return ((v * 2 % 1 < 0.18) | (shifted % 1 < 0.09)).astype(np.float64)
        case "grid":
            return ((u % 1 < 0.1) | (v % 1 < 0.1)).astype(np.float64)
        case "grain":
            return 0.5 + 0.5 * np.sin(2 * np.pi * (v * 1.5 + 1.6 * smooth)) * (0.4 + 0.6 * smooth)
        case "glints":
            glint: Field = np.sin(np.pi * (u * 0.22 + v * 0.16 + 0.5 * smooth)) ** 6 * 0.8
            return glint
        case "ripples":
            ripple: Field = (
                np.clip(np.sin(2 * np.pi * (v * 2 + 0.8 * smooth + 0.15 * np.sin(u * 2))), 0, 1) ** 2
            )
            return ripple
        case "leaves":
            return 0.55 * (np.sin(u * 5 + 4 * smooth) * np.sin(v * 5 + 5 * smooth) > 0.1) + 0.45 * smooth
        case "blades":
            return np.clip(rough * 0.55 + 0.45 * (np.sin(u * 11 + smooth * 9) > 0.3), 0, 1)
        case "fade":
            return y / side
        case _:  # speckle
            return rough * 0.7 + 0.3 * smooth
