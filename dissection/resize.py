"""The only place where a map changes size.

Convention: pixels are squares, their values stand at the centres. A map of h × w cells covers the same
square as its resized version of H × W, so the centre of output row i lies at `(i + 0.5) · h / H - 0.5` in
units of input rows; values between centres are bilinear, and beyond the outermost centres the edge value goes
on. (PyTorch calls this `align_corners=False`.)

Two programs before this one did otherwise (`presets`); `resize_as` does what they did.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Centres: TypeAlias = Literal["half pixels", "whole pixels", "zeros outside"]
"""The convention above; that of 2017, where values stand at whole pixels; that of 2020, with zeros beyond the edge."""


def check_centres(map_size: tuple[int, int], size: int, centres: Centres) -> None:
    """Says so if maps cannot be resized to `size` × `size` in that way.

    Raises:
        ValueError: maps larger than that in the way of 2017, which steps by whole pixels from cell to cell.
    """
    if centres == "whole pixels" and max(map_size) > size:
        raise ValueError(
            f"label_size: expected at least {max(map_size)} pixels, since the rules of 2017 put the cells of a map at "
            f"different pixels and the layer's maps have {map_size[0]} × {map_size[1]}; got {size}"
        )


def resize_as(centres: Centres, maps: Tensor, size: int, *, out: Tensor | None = None) -> Tensor:
    """Bilinear to `size` × `size` pixels, by one of several conventions.

    Args:
        centres: "half pixels": as `resize`. "whole pixels": with a step of ⌊S/h⌋ whole pixels, cell i stands at pixel
            ⌊S/2h⌋ + i · step; beyond the outermost, the edge value goes on. (Where S is a multiple of 2h, that is the
            other convention moved by half a pixel.) "zeros outside": half pixels, and the map lies in a plane of
            zeros, so that values fade towards its edges.
        maps: float32 `[M, h, w]`.
        size: S.
        out: where to put the result if that is possible.

    Returns:
        float32 `[M, S, S]`. With zeros outside, every value lies between the cells, or the zero, that it is made of,
        and does not depend on which other maps are given, to the last bit.

    Raises:
        ValueError: see `check_centres`.
    """
    if centres == "half pixels":
        return resize(maps, (size, size), out=out)
    check_centres((maps.shape[1], maps.shape[2]), size, centres)
    if centres == "whole pixels":
        rows, columns = (_whole_pixel_weights(n, size, maps.dtype, maps.device) for n in maps.shape[1:])
        return torch.matmul(rows @ maps, columns.T, out=out)
    padded = F.pad(maps, (1, 1, 1, 1))
    low, share = _taps(maps.shape[1], size, maps.dtype, maps.device)
    padded = _between(padded[:, low], padded[:, low + 1], share[:, None])
    low, share = _taps(maps.shape[2], size, maps.dtype, maps.device)
    return _between(padded[:, :, low], padded[:, :, low + 1], share)


def _whole_pixel_weights(cells: int, pixels: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """`[pixels, cells]`: how much each cell gives to each pixel, by the convention of 2017."""
    first, step = pixels // (2 * cells), pixels // cells
    centre = ((torch.arange(pixels, dtype=torch.float64) - first) / step).clamp(0, cells - 1)
    distance = (centre[:, None] - torch.arange(cells, dtype=torch.float64)[None, :]).abs()
    return (1 - distance).clamp(min=0).to(device, dtype)


def _taps(cells: int, pixels: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Where each pixel lies in a row of cells with one zero before and one after: the cell before it `[pixels]`, and
    the share of the one behind.
    """
    centre = (torch.arange(pixels, dtype=torch.float64) + 0.5) * cells / pixels - 0.5 + 1
    low = centre.floor()
    return low.to(device, torch.int64), (centre - low).to(device, dtype)


def _between(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """(1 - share) · a + share · b, which rounding puts nowhere outside a…b.

    One rounding after the other in single steps: a product of matrices may add in another order for another number of
    maps, and T_k, which comes from such values, must be met by them again.
    """
    mixed = a * (1 - share) + b * share
    return torch.minimum(torch.maximum(mixed, torch.minimum(a, b)), torch.maximum(a, b))


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # what is kept must also serve those who differentiate
def _weights(
    cells: int, pixels: int, low: float, high: float, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """`[pixels, cells]`: how much each cell gives to each pixel between `low` and `high`; rows sum to 1."""
    steps = (torch.arange(pixels, dtype=torch.float64) + 0.5) * (high - low) * cells / pixels
    centre = (low * cells + steps - 0.5).clamp(0, cells - 1)
    distance = (centre[:, None] - torch.arange(cells, dtype=torch.float64)[None, :]).abs()
    return (1 - distance).clamp(min=0).to(device, dtype)


def resize(
    maps: Tensor,
    size: tuple[int, int],
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Bilinear, half-pixel centres, edges clamped.

    Two small matrix products instead of a gather: about ten times faster for many small maps on a CPU.

    Args:
        maps: floating point `[M, h, w]`.
        size: (H, W).
        box: left, top, right, bottom of the part that is wanted, as shares of the map's width and height;
            whatever lies outside still bends the values near its edges.
        out: where to put the result, contiguous, of the result's shape and dtype; a new tensor if not given.

    Returns:
        `[M, H, W]` of the same dtype.
    """
    if maps.dim() != 3 or not maps.is_floating_point():
        raise ValueError(f"maps: expected floating point [M, h, w], got {maps.dtype} {list(maps.shape)}")
    rows = _weights(maps.shape[1], size[0], box[1], box[3], maps.dtype, maps.device)
    columns = _weights(maps.shape[2], size[1], box[0], box[2], maps.dtype, maps.device)
    return torch.matmul(rows @ maps, columns.T, out=out)
