"""The small networks of the diorama: what they are made of.

`SceneNet` with the head "pool" ends in global average pooling and one linear layer, so that alpha is w / Z for
every image; with the head "dense" it has fully connected layers after its last convolution, as VGG-16 has, so
that alpha depends on the image. Both have 128 units of 8 × 8 for a picture of 128 × 128.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

from torch import Tensor, nn

from neuro_explain.preprocess import Preprocess

PREPROCESS = Preprocess(input_size=(128, 128), resize=128, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
"""How all networks of the diorama take their images."""

Head = Literal["pool", "dense"]

UNITS = 128
# (channels, kernel, stride) of each convolution. Together they see 49 × 49 pixels: an object, not the whole room.
_STAGES = ((24, 5, 2), (48, 3, 2), (64, 3, 1), (96, 3, 2), (128, 3, 1), (128, 2, 2))

AFTER_LOGITS = 3
"""Layers behind the units' logits: sigmoid, doubt, ReLU."""


class Doubt(nn.Module):
    """Takes one hundredth off, so that what is very unlikely is nothing at all once it is rectified."""

    def forward(self, probability: Tensor) -> Tensor:
        """`probability` − 0.01."""
        return probability - 0.01


class SceneNet(nn.Module):
    """A small convolutional classifier, whose last map's units are probabilities.

    The last convolution's outputs are logits; `features.units` is ReLU(sigmoid(logit) − 0.01): near 1 where a unit is
    sure, and 0, silent, where it takes what it looks for to be very unlikely.

    Args:
        classes: how many scores it gives.
        head: what follows the last convolution.
        units: channels of the last convolution.

    Attributes:
        features: the convolutions, down to the rectified map `[N, units, h / 16, w / 16]`.
        head: what follows.
    """

    def __init__(self, classes: int, *, head: Head = "pool", units: int = UNITS) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        channels = 3
        for number, (width, kernel, stride) in enumerate((*_STAGES, (units, 1, 1)), 1):
            layers[f"conv{number}"] = nn.Conv2d(
                channels, width, kernel, stride, padding=(kernel - 1) // 2, bias=False
            )
            layers[f"norm{number}"] = nn.BatchNorm2d(width)
            if number <= len(_STAGES):
                layers[f"relu{number}"] = nn.ReLU(inplace=True)
            channels = width
        layers["probability"] = nn.Sigmoid()
        layers["doubt"] = Doubt()
        layers["units"] = nn.ReLU(inplace=True)
        self.features = nn.Sequential(layers)
        if head == "pool":
            self.head = nn.Sequential(
                OrderedDict(pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), linear=nn.Linear(units, classes))
            )
        else:
            self.head = nn.Sequential(
                OrderedDict(
                    pool=nn.AdaptiveAvgPool2d(4),
                    flat=nn.Flatten(),
                    dense=nn.Linear(units * 16, 64),
                    relu=nn.ReLU(inplace=True),
                    linear=nn.Linear(64, classes),
                )
            )

    def logits(self, images: Tensor) -> Tensor:
        """The units' logits `[N, units, h / 16, w / 16]`."""
        seen: Tensor = self.features[:-AFTER_LOGITS](images)
        return seen

    def forward(self, images: Tensor) -> Tensor:
        """Scores before softmax `[N, classes]` of images `[N, 3, h, w]`."""
        scores: Tensor = self.head(self.features(images))
        return scores
