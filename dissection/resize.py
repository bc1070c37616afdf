"""The only place where a map changes size.

Convention: pixels are squares, their values stand at the centres. A map of h × w cells covers the same
square as its resized version of H × W, so the centre of output row i lies at `(i + 0.5) · h / H - 0.5` in
units of input rows; values between centres are bilinear, and beyond the outermost centres the edge value goes
on. (PyTorch calls this `align_corners=False`.)
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor


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
