"""Which maps are measured? From (net, images, target, layer) to a saliency map, by the name of the method.

    METHODS["Grad-CAM"](net, images, target, "layer4")         # [N, h, w], never negative

A method that is added here is measured by all reports that run over `METHODS`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor, nn

from neuro_explain.gradcam import grad_cam
from neuro_explain.targets import Target

Method: TypeAlias = Callable[[nn.Module, Tensor, Target, str], Tensor]
"""From the network, prepared images `[N, 3, H, W]`, what is explained, and a layer, to maps `[N, h, w]`, at least 0
everywhere: of the layer's size or of the images'."""


def grad_cam_map(net: nn.Module, images: Tensor, target: Target, layer: str) -> Tensor:
    """Grad-CAM's map after its ReLU, of the layer's size."""
    with warnings.catch_warnings():
        # what a captioner puts out is logarithms of probabilities, and means to be
        warnings.simplefilter("ignore", UserWarning)
        return grad_cam(net, images, target, layer=layer).map


METHODS: dict[str, Method] = {"Grad-CAM": grad_cam_map}
"""The methods that are built."""
