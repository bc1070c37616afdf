"""The same with deconvolution: Deconvolution Grad-CAM (Selvaraju et al. 2019, Sec. 3.2 and 5.1).

As Guided Grad-CAM, with the signal of deconvolution in place of that of guided backpropagation.

The paper finds that it shows more artefacts than Guided Grad-CAM, and people who see it about as often right.
"""

from __future__ import annotations

from torch import Tensor, nn

from neuro_explain.methods.pixels import grad_cam_of_pixels
from neuro_explain.methods.saliency import Saliency
from neuro_explain.targets import Targets


def deconvolution_grad_cam(net: nn.Module, images: Tensor, targets: Targets, *, layer: str) -> Saliency:
    """Deconvolution × ReLU(Σ_k alpha_k A^k), `[N, 3, H, W]`, from one forward pass.

    See `pixels.grad_cam_of_pixels` for errors.
    """
    return grad_cam_of_pixels(net, images, targets, layer=layer, rule="deconvolution")
