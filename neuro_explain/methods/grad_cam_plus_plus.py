"""Grad-CAM++ (Chattopadhay et al. 2018): units weighed by their positive gradients, cell by cell.

    grad_cam_plus_plus(net, images, [281], layer="layer4").map      # [N, h, w]

With g = ∂y/∂A^k_ij, and the exponential of the score differentiated, whose higher derivatives are powers of g (eq. 19):

    w_k = Σ_ij  g_ij² / (2 g_ij² + g_ij³ Σ_ab A^k_ab) · ReLU(g_ij)          L = ReLU(Σ_k w_k A^k)

(0 where the denominator is 0). The gradient of exp(y) has the factor exp(y) as well; it is the same for all units of an
image and is left out, since it would overflow. Where A is at least 0, as behind a ReLU, no w_k is negative: evidence
against a class does not count. Where it is not, as behind SiLU or GELU, the denominator may come close to 0 or below:
the method was made for ReLUs, and its maps of such layers mean little.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neuro_explain.gradcam import layer_gradient, weighted_sum
from neuro_explain.methods.saliency import Saliency, check_finite, one_score_each
from neuro_explain.targets import Targets


def grad_cam_plus_plus(net: nn.Module, images: Tensor, targets: Targets, *, layer: str) -> Saliency:
    """Σ_k w_k A^k, `[N, h, w]`."""
    at = layer_gradient(net, images, targets, layer=layer)
    one_score_each(at.output, targets, len(images))
    signed = weighted_sum(plus_plus_weights(at.gradient, at.activations), at.activations)
    check_finite(at.scores, signed)
    return Saliency(signed, at.scores)


def plus_plus_weights(gradient: Tensor, activations: Tensor) -> Tensor:
    """w_k of the equation above, `[N, U, h, w]` twice to `[N, U]`."""
    # g² cancels, and with it the underflow of small gradients: ReLU(g) / (2 + g Σ A)
    positive = gradient.clamp(min=0)
    denominator = 2 + positive * activations.sum(dim=(2, 3), keepdim=True)
    return torch.where(denominator != 0, positive / denominator, 0).sum(dim=(2, 3))
