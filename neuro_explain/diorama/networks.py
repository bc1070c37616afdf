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
_STAGES = ((24, 2), (40, 2), (56, 1), (80, 2), (96, 1), (112, 2))


class SceneNet(nn.Module):
    """A small convolutional classifier.

    Args:
        classes: how many scores it gives.
        head: what follows the last convolution.
        units: channels of the last convolution.
    """

    def __init__(self, classes: int, *, head: Head = "pool", units: int = UNITS) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        channels = 3
        for number, (width, stride) in enumerate((*_STAGES, (units, 1)), 1):
            layers[f"conv{number}"] = nn.Conv2d(
                channels, width, 3 if number > 1 else 5, stride, padding=1 if number > 1 else 2, bias=False
            )
            layers[f"norm{number}"] = nn.BatchNorm2d(width)
            layers[f"relu{number}"] = nn.ReLU(inplace=True)
            channels = width
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

    def forward(self, images: Tensor) -> Tensor:
        """Scores before softmax `[N, classes]` of images `[N, 3, h, w]`."""
        scores: Tensor = self.head(self.features(images))
        return scores
