"""The mean image of Places365: what the networks that Caffe trained on it subtract from their input.

It is a file of its own, `places365CNN_mean.binaryproto` in github.com/CSAILVision/places365, of 3×256×256 numbers,
BGR, 0 to 255. Caffe subtracts it from an image of 256×256 pixels and crops both alike, at inference their centre
(`train_val_vgg16.prototxt` there: `mean_file`, `crop_size: 224`).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from neuro_explain.recipes.caffe import read_mean
from neuro_explain.recipes.published import PublishedFile

MEAN = PublishedFile(
    "places365CNN_mean.binaryproto",
    # The repository states no checksum; this is its file at the one commit that ever changed it.
    "https://raw.githubusercontent.com/CSAILVision/places365/e2b7711194a797279d4460ea0a50cec41c8aed80/"
    "places365CNN_mean.binaryproto",
)
MEAN_FILES = (MEAN.name, "places365_mean_bgr_u8.npy")
"""What the file may be called beside a network's weights: Caffe's, or the same as an array."""
MEAN_PIXEL = (104.051, 112.514, 116.676)
"""The mean over all pixels of that image: blue, green, red."""

_SIDE = 256


def mean_near(weights: Path, size: int) -> Tensor | None:
    """The centre of the mean image, float32 BGR `[3, size, size]`; None if there is no such file.

    Args:
        weights: the network's file, beside which it is looked for first; then in the cache.
        size: the input's height and width.

    Raises:
        ValueError: the file is damaged or altered, or holds another image.
    """
    for path in [weights.parent / file for file in MEAN_FILES]:
        if path.is_file():
            return _centre(path, size)
    return _centre(MEAN.checked(), size) if MEAN.here else None


def _centre(path: Path, size: int) -> Tensor:
    image = read_mean(path)
    if image.shape != (3, _SIDE, _SIDE):
        raise ValueError(f"{path}: expected a mean image of 3×{_SIDE}×{_SIDE}, got {list(image.shape)}")
    edge = (_SIDE - size) // 2
    return torch.from_numpy(image[:, edge : edge + size, edge : edge + size].copy())
