"""LayerCAM (Jiang et al. 2021): every cell of every unit has its own weight, its positive gradient.

    layer_cam(net, images, [281], layer="layer2").map       # [N, h, w]

    L = ReLU(Σ_k ReLU(∂y/∂A^k_ij) A^k_ij)               (eq. 5 to 7)

It is meant for layers far from the score as well, where the mean of a unit's gradient says little about its cells.
"""

from __future__ import annotations

from torch import Tensor, nn

from neuro_explain.gradcam import layer_gradient
from neuro_explain.methods.saliency import Saliency, check_finite, one_score_each
from neuro_explain.targets import Targets


def layer_cam(net: nn.Module, images: Tensor, targets: Targets, *, layer: str) -> Saliency:
    """Σ_k ReLU(∂y/∂A^k) A^k, `[N, h, w]`."""
    at = layer_gradient(net, images, targets, layer=layer)
    one_score_each(at.output, targets, len(images))
    signed = (at.gradient.clamp(min=0) * at.activations).sum(dim=1)
    check_finite(at.scores, signed)
    return Saliency(signed, at.scores)
