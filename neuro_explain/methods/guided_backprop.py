"""Which pixels speak for the score through firing units alone? Guided backpropagation (Springenberg et al. 2015).

The gradient of the pixels, where each ReLU lets pass what is positive, and only where its input was positive.
Networks without ReLUs give the plain gradient, and the saliency's notes say so.
"""

from __future__ import annotations

from torch import Tensor, nn

from neuro_explain.methods.pixels import pixel_gradient
from neuro_explain.methods.saliency import Saliency
from neuro_explain.targets import Targets


def guided_backprop(net: nn.Module, images: Tensor, targets: Targets, *, layer: str) -> Saliency:
    """Guided gradient, `[N, 3, H, W]`. The layer makes no difference. See `pixels.pixel_gradient` for errors."""
    return pixel_gradient(net, images, targets, rule="guided")
