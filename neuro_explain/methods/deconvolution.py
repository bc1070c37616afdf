"""Which pixels would bring the score about? The deconvolutional network (Zeiler and Fergus 2014).

The gradient of the pixels, where each ReLU lets pass what is positive, whatever its input was. Max pooling sends the
signal to where the maximum was (its "switches"), which is its derivative. Networks without ReLUs give the plain
gradient, and the saliency's notes say so.
"""

from __future__ import annotations

from torch import Tensor, nn

from neuro_explain.methods.pixels import pixel_gradient
from neuro_explain.methods.saliency import Saliency
from neuro_explain.targets import Targets


def deconvolution(net: nn.Module, images: Tensor, targets: Targets, *, layer: str) -> Saliency:
    """The signal that reaches the pixels, `[N, 3, H, W]`. The layer makes no difference.

    See `pixels.pixel_gradient` for errors.
    """
    return pixel_gradient(net, images, targets, rule="deconvolution")
