"""What does the score lose when a part of the picture is hidden? The occlusion map (Zeiler & Fergus 2014).

    occlusion(net, images, [281, 207], layer="layer4").signed       # [N, h, w]: y, minus y with the cell hidden
    occlusion(net, images, [281], layer="", size=45, stride=15)     # [N, H, W]: mean over squares that hide a pixel
    occlusion_map(net, image, target, (8, 8))                       # [8, 8] of one image

Each cell of a grid, or each of overlapping squares, is covered in turn by the picture's mean colour. It is slow and
knows nothing of the network's inside, which is why maps that are quick are measured by it (Selvaraju et al. 2019,
Sec. 5.3 and 8.2). Hidden pictures of all images go through the network together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dissection.recording import evaluating, record
from neuro_explain.gradcam import wide
from neuro_explain.methods.saliency import Saliency, check_images, one_score_each
from neuro_explain.targets import Target, Targets

Span = tuple[int, int]


def occlusion(
    net: nn.Module,
    images: Tensor,
    targets: Targets,
    *,
    layer: str,
    size: int | None = None,
    stride: int | None = None,
    fill: float | Sequence[float] | None = None,
    batch: int = 64,
) -> Saliency:
    """How far the score falls with each part hidden; negative where it rises.

    Args:
        net: any module; comes back as it was.
        images: prepared, `[N, 3, H, W]`.
        targets: one for each image.
        layer: the squares are this layer's cells, unless `size` is given; then it is not looked at.
        size: side of the squares in pixels; those at the right and lower edge are cut off.
        stride: pixels from square to square, at most `size`, which it is if not given.
        fill: what hides, in prepared numbers: one, or one for each channel; the mean of each channel of the picture if
            not given (what grey is in prepared numbers, only the preprocessing knows).
        batch: pictures that go through the network at once.

    Returns:
        `[N, h, w]` on the layer's cells, float64; with `size` `[N, H, W]`, each pixel the mean over the squares that
        hide it.

    Raises:
        ValueError: squares that do not fit, a stride without a size; a batch of nothing; scores that are not finite.
    """
    check_images(images)
    height, width = images.shape[2:]
    if size is None:
        if stride is not None:
            raise ValueError(
                "stride: expected with a size alone; without one the squares are the layer's cells"
            )
        rows, columns = (
            _cells(n, length)
            for n, length in zip(_map_size(net, images, layer), (height, width), strict=True)
        )
    else:
        rows, columns = (
            _steps(size, size if stride is None else stride, length) for length in (height, width)
        )
    drops, scores = _drops(net, images, targets, rows, columns, _color(images, fill), batch)
    if size is not None:
        drops = _on_pixels(drops, rows, columns, (height, width))
    return Saliency(drops, scores)


def occlusion_map(
    net: nn.Module, image: Tensor, target: Target, cells: tuple[int, int], *, batch: int = 64
) -> NDArray[np.float64]:
    """The drops of one image's score on a grid.

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
    color = _color(image, None)
    drops, _ = _drops(net, image, target, _cells(h, height), _cells(w, width), color, batch)
    made: NDArray[np.float64] = drops[0].cpu().numpy()
    return made


def _drops(
    net: nn.Module,
    images: Tensor,
    targets: Targets,
    rows: list[Span],
    columns: list[Span],
    color: Tensor,
    batch: int,
) -> tuple[Tensor, Tensor]:
    """The score of each image minus that with each square hidden, float64 `[N, rows, columns]`; the scores `[N]`."""
    if batch < 1:
        raise ValueError(f"batch: expected at least 1 picture, got {batch}")
    squares = list(product(rows, columns))
    shown = len(squares) + 1  # pictures of each image; the last one stays whole
    with evaluating(net) as plain, torch.no_grad():
        if callable(targets) and not isinstance(targets, Target):
            targets = targets(torch.cat([plain(part.clone()) for part in torch.split(images, batch)]))
        each = _one_each(targets, len(images))
        made = []
        for part in _parts(len(images) * shown, batch):
            of = [number // shown for number in part]
            pictures = images[of]
            for picture, number in enumerate(part):
                if number % shown < len(squares):
                    (top, bottom), (left, right) = squares[number % shown]
                    pictures[picture, :, top:bottom, left:right] = color[of[picture]]
            made.append(one_score_each(plain(pictures), [each[image] for image in of], len(part)))
    scores = torch.cat(made).view(len(images), shown)
    drops = scores[:, -1:].double() - scores[:, :-1].double()
    broken = (~drops.isfinite()).any(dim=1).nonzero()
    if len(broken):
        target = each[int(broken[0])]
        label = target.label if isinstance(target, Target) else f"class {target}"
        raise ValueError(f"the score of {label!r} is NaN or infinite with a part of the picture hidden")
    return drops.view(len(images), len(rows), len(columns)), wide(scores[:, -1])


def _one_each(targets: Any, images: int) -> list[Any]:
    """One target for each image, from all that `target_scores` takes."""
    if isinstance(targets, Target):
        return [targets] * images
    rows = targets.tolist() if hasattr(targets, "tolist") else targets
    if not isinstance(rows, Sequence) or isinstance(rows, str) or len(rows) != images:
        got = f"{len(rows)}" if isinstance(rows, Sequence) else repr(rows)
        raise ValueError(f"targets: expected one entry for each of the {images} images, got {got}")
    return list(rows)


def _parts(count: int, batch: int) -> Iterator[range]:
    for start in range(0, count, batch):
        yield range(start, min(start + batch, count))


def _color(images: Tensor, fill: float | Sequence[float] | None) -> Tensor:
    """What hides each image, `[N, 3, 1, 1]`."""
    if fill is None:
        return images.mean(dim=(2, 3), keepdim=True)
    color = torch.as_tensor(fill, dtype=images.dtype, device=images.device).reshape(-1, 1, 1)
    if len(color) not in (1, images.shape[1]):
        raise ValueError(f"fill: expected one number, or {images.shape[1]}, got {len(color)}")
    return color.expand(len(images), images.shape[1], 1, 1)


def _map_size(net: nn.Module, images: Tensor, layer: str) -> tuple[int, int]:
    with evaluating(net) as plain, torch.no_grad(), record(plain, layer) as seen:
        plain(images[:1].clone())
    if seen.output.dim() != 4:
        raise ValueError(
            f"layer {layer!r} puts out {list(seen.output.shape)}, expected maps [N, U, h, w]; choose a spatial layer"
        )
    h, w = seen.output.shape[2:]
    height, width = images.shape[2:]
    return min(h, height), min(w, width)


def _cells(count: int, length: int) -> list[Span]:
    edges = [round(edge * length / count) for edge in range(count + 1)]
    return list(pairwise(edges))


def _steps(size: int, stride: int, length: int) -> list[Span]:
    if not 1 <= stride <= size <= length:
        raise ValueError(
            f"size, stride: expected a stride from 1 to the size and a size up to {length} pixels, got "
            f"{size} and {stride}"
        )
    count = -(-(length - size) // stride) + 1
    return [(start, min(start + size, length)) for start in range(0, count * stride, stride)]


def _on_pixels(drops: Tensor, rows: list[Span], columns: list[Span], size: tuple[int, int]) -> Tensor:
    """The mean drop of the squares that hide each pixel, `[N, H, W]`."""

    def covers(spans: list[Span], length: int) -> Tensor:
        inside = torch.zeros(len(spans), length, dtype=drops.dtype, device=drops.device)
        for span, (start, end) in enumerate(spans):
            inside[span, start:end] = 1
        return inside

    vertical, horizontal = covers(rows, size[0]), covers(columns, size[1])
    total = torch.einsum("nij,iy,jx->nyx", drops, vertical, horizontal)
    return total / (vertical.sum(0)[:, None] * horizontal.sum(0)[None, :])
