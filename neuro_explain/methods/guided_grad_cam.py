"""Which fine details speak for this class? Guided Grad-CAM (Selvaraju et al. 2019, Sec. 3.2).

The element-wise product of guided backpropagation, which is fine but the same for most classes, and of the Grad-CAM
map, which is coarse and tells classes apart, resized to the image.
"""

from __future__ import annotations

from torch import Tensor, nn

from neuro_explain.methods.pixels import grad_cam_of_pixels
from neuro_explain.methods.saliency import Saliency
from neuro_explain.targets import Targets


def guided_grad_cam(net: nn.Module, images: Tensor, targets: Targets, *, layer: str) -> Saliency:
    """Guided gradient × ReLU(Σ_k alpha_k A^k), `[N, 3, H, W]`, from one forward pass.

    See `pixels.grad_cam_of_pixels` for errors.
    """
    return grad_cam_of_pixels(net, images, targets, layer=layer, rule="guided")
