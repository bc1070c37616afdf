"""How does the score change with each number of the image? The gradient itself (Simonyan et al. 2014, Sec. 3)."""

from __future__ import annotations

from torch import Tensor, nn

from neuro_explain.methods.pixels import pixel_gradient
from neuro_explain.methods.saliency import Saliency
from neuro_explain.targets import Targets


def gradient(net: nn.Module, images: Tensor, targets: Targets, *, layer: str) -> Saliency:
    """∂y/∂image, `[N, 3, H, W]`. The layer makes no difference. See `pixels.pixel_gradient` for errors."""
    return pixel_gradient(net, images, targets, rule="plain")
