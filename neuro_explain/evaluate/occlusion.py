"""What does the score lose when a part of the picture is hidden? The occlusion map (Zeiler & Fergus 2014).

    occlusion_map(net, image, target, (8, 8))       # [8, 8]: the score, minus that with the cell's square hidden

Each cell of a grid is covered in turn, by a square of the picture's mean colour. It is slow and knows nothing of the
network's inside, which is why maps that are quick are measured by it (Selvaraju et al. 2019, Sec. 5.3 and 8.2).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dissection.recording import evaluating
from neuro_explain.targets import Target


def occlusion_map(
    net: nn.Module, image: Tensor, target: Target, cells: tuple[int, int], *, batch: int = 64
) -> NDArray[np.float64]:
    """How far the score falls with each cell hidden; negative where it rises.

    Args:
        net: any module; comes back as it was.
        image: one prepared image `[1, 3, H, W]`.
        target: the score.
        cells: (h, w) of the grid; the squares are the cells' own, so that they touch and do not overlap.
        batch: pictures that go through the network at once.

    Returns:
        `[h, w]`.

    Raises:
        ValueError: more than one image, or more cells than pixels; scores that are not finite.
    """
    if image.dim() != 4 or len(image) != 1:
        raise ValueError(f"image: expected one prepared image [1, 3, H, W], got {list(image.shape)}")
    h, w = cells
    height, width = image.shape[2:]
    if not (1 <= h <= height and 1 <= w <= width):
        raise ValueError(f"cells: expected 1 to {height} rows and 1 to {width} columns, got {h} × {w}")
    rows = [round(edge * height / h) for edge in range(h + 1)]
    columns = [round(edge * width / w) for edge in range(w + 1)]
    # mean, not grey: what grey is in prepared numbers, only the preprocessing knows
    color = image.mean(dim=(2, 3))[0, :, None, None]
    hidden = image.repeat(h * w + 1, 1, 1, 1)  # the last one stays whole
    for cell in range(h * w):
        row, column = divmod(cell, w)
        hidden[cell, :, rows[row] : rows[row + 1], columns[column] : columns[column + 1]] = color
    with evaluating(net) as plain, torch.no_grad():
        scores = (
            torch.cat([target(plain(part)) for part in torch.split(hidden, batch)]).double().cpu().numpy()
        )
    if not np.isfinite(scores).all():
        raise ValueError(
            f"the score of {target.label!r} is NaN or infinite with a part of the picture hidden"
        )
    drops: NDArray[np.float64] = (scores[-1] - scores[:-1]).reshape(h, w)
    return drops
