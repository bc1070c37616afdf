"""Which part of Grad-CAM does what? Each left out or replaced, as in App. B of Selvaraju et al. 2019.

    grad_cam_ablation(net, images, [281], layer="layer4", relu=False)

* no ReLU in eq. 2: the map is the signed sum, from its lowest value up;
* the absolute value of the gradient in eq. 1;
* its maximum over the cells in place of its mean in eq. 1;
* the gradient between the score and the layer follows the ReLU rule of guided backpropagation, or of deconvolution.

The options go together. The rule concerns the ReLUs *behind* the layer; where there are none, as behind `layer4` of a
ResNet, the map is Grad-CAM's and the notes say so.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from neuro_explain.gradcam import alphas, layer_gradient, weighted_sum
from neuro_explain.methods.rectifiers import Rectifiers, Rule
from neuro_explain.methods.saliency import Saliency, check_finite
from neuro_explain.targets import Targets


def grad_cam_ablation(
    net: nn.Module,
    images: Tensor,
    targets: Targets,
    *,
    layer: str,
    relu: bool = True,
    gradient: Literal["signed", "absolute"] = "signed",
    pool: Literal["mean", "max"] = "mean",
    rule: Rule = "plain",
) -> Saliency:
    """Grad-CAM with some of its parts changed; with none, Grad-CAM.

    Args:
        net, images, targets, layer: as for `grad_cam`, one target for each image.
        relu: whether the map is the positive part of Σ_k alpha_k A^k; else it is all of it.
        gradient: what is pooled: ∂y/∂A, or its absolute value.
        pool: over the cells, to alpha.
        rule: how the gradient passes the ReLUs behind the layer.

    Raises:
        ValueError: as `grad_cam`; several targets for one image; an option that does not exist.
    """
    for name, value, known in (
        ("gradient", gradient, ("signed", "absolute")),
        ("pool", pool, ("mean", "max")),
    ):
        if value not in known:
            raise ValueError(f"{name}: expected {known[0]!r} or {known[1]!r}, got {value!r}")
    with Rectifiers(rule) as relus:
        at = layer_gradient(net, images, targets, layer=layer)
    if at.scores.dim() != 1:
        raise ValueError(
            f"targets: expected one for each image, got {at.scores.shape[1]}; methods give one map per image: repeat "
            "the image for each of its targets"
        )
    pooled = at.gradient.abs() if gradient == "absolute" else at.gradient
    alpha = pooled.amax(dim=(-2, -1)) if pool == "max" else alphas(pooled)
    signed = weighted_sum(alpha, at.activations)
    check_finite(at.scores, signed)
    return Saliency(signed, at.scores, relus.notes() if rule != "plain" else (), rectified=relu)


def grad_cam_no_relu(net: nn.Module, images: Tensor, targets: Targets, *, layer: str) -> Saliency:
    """Grad-CAM without the ReLU of eq. 2; top-1 localisation error 74.98 in the paper, Grad-CAM's 59.65."""
    return grad_cam_ablation(net, images, targets, layer=layer, relu=False)


def grad_cam_absolute_gradient(net: nn.Module, images: Tensor, targets: Targets, *, layer: str) -> Saliency:
    """alpha_k = (1/Z) Σ_ij |∂y/∂A^k_ij|; 58.19 in the paper."""
    return grad_cam_ablation(net, images, targets, layer=layer, gradient="absolute")


def grad_cam_max_pooled(net: nn.Module, images: Tensor, targets: Targets, *, layer: str) -> Saliency:
    """alpha_k = max_ij ∂y/∂A^k_ij; 59.96 in the paper."""
    return grad_cam_ablation(net, images, targets, layer=layer, pool="max")


def grad_cam_guided_relu(net: nn.Module, images: Tensor, targets: Targets, *, layer: str) -> Saliency:
    """The gradient behind the layer is a guided one; 59.14 in the paper."""
    return grad_cam_ablation(net, images, targets, layer=layer, rule="guided")


def grad_cam_deconvolution_relu(net: nn.Module, images: Tensor, targets: Targets, *, layer: str) -> Saliency:
    """The gradient behind the layer is one of deconvolution; 83.95 in the paper."""
    return grad_cam_ablation(net, images, targets, layer=layer, rule="deconvolution")
