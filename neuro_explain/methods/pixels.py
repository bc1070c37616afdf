"""How does the score change with each number of the image? The backward pass down to the pixels.

`pixel_gradient` is the gradient under one rule for ReLUs (`rectifiers`); `grad_cam_of_pixels` its product with the
Grad-CAM map (Selvaraju et al. 2019, Sec. 3.2). Both run the network once and compute no gradient of a weight.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from dissection.recording import Recording, record
from dissection.resize import resize
from neuro_explain.gradcam import alphas, differentiable, weighted_sum, wide
from neuro_explain.methods.rectifiers import Rectifiers, Rule
from neuro_explain.methods.saliency import Saliency, check_finite, check_images, one_score_each
from neuro_explain.targets import Targets

_Targets = Targets | Callable[[Tensor], Targets]


def pixel_gradient(net: nn.Module, images: Tensor, targets: _Targets, *, rule: Rule) -> Saliency:
    """∂y/∂image, every ReLU differentiated by a rule.

    Args:
        net: any module that maps images to scores before softmax, `[N, C]`.
        images: `[N, 3, H, W]`, prepared for the network.
        targets: one for each image.
        rule: how gradients pass ReLUs.

    Raises:
        ValueError: images, targets or weights as `grad_cam` refuses them; scores that do not depend on the image
            through differentiable operations.
    """
    return _of_pixels(net, images, targets, None, rule)


def grad_cam_of_pixels(
    net: nn.Module, images: Tensor, targets: _Targets, *, layer: str, rule: Rule
) -> Saliency:
    """The gradient of the pixels under a rule times the Grad-CAM map of a layer, resized to the image.

    One forward pass serves both: the rule is asked for on the way back, so the same graph is differentiated plainly
    down to the layer, for alpha, and by the rule down to the pixels.

    Args and errors are those of `pixel_gradient` and, for the layer, of `grad_cam`.
    """
    return _of_pixels(net, images, targets, layer, rule)


def _of_pixels(net: nn.Module, images: Tensor, targets: _Targets, layer: str | None, rule: Rule) -> Saliency:
    check_images(images)
    if not images.is_floating_point():
        raise ValueError(f"images: expected floating point, prepared for the network, got {images.dtype}")
    with differentiable(net) as plain, torch.enable_grad(), Rectifiers() as relus:
        pixels = images.detach().clone().requires_grad_()
        with nullcontext() if layer is None else record(plain, layer, graph=True) as seen:
            output = plain(pixels.clone())  # networks that normalise in place may write into their input
            if not isinstance(output, Tensor) or output.shape[:1] != (len(images),):
                got = list(output.shape) if isinstance(output, Tensor) else f"a {type(output).__name__}"
                raise ValueError(
                    f"the network returns {got} for {len(images)} images, expected scores [N, C]; wrap the network "
                    "in a module that returns them"
                )
            scores = one_score_each(output, targets, len(images))
        cam = None if layer is None or seen is None else _grad_cam(scores, seen)
        relus.rule = rule
        gradient = wide(_gradient(scores, pixels, "the image", keep=False))
    signed = gradient if cam is None else gradient * resize(cam, (images.shape[2], images.shape[3]))[:, None]
    scores = wide(scores.detach())
    check_finite(scores, signed)
    return Saliency(signed, scores, relus.notes() if rule != "plain" else ())


def _grad_cam(scores: Tensor, seen: Recording) -> Tensor:
    """Eq. 1 and 2 in a graph that is kept, `[N, h, w]`."""
    maps, root = seen.output, seen.root
    if root is None or maps.dim() != 4 or len(maps) != len(scores):
        raise ValueError(
            f"layer {seen.layer!r} puts out {list(maps.shape)} for {len(scores)} images, expected maps [N, U, h, w]; "
            "choose a spatial layer"
        )
    gradient = wide(_gradient(scores, root, f"the output of layer {seen.layer!r}", keep=True))
    return weighted_sum(alphas(gradient), wide(maps)).clamp(min=0)


def _gradient(scores: Tensor, of: Tensor, what: str, *, keep: bool) -> Tensor:
    """∂scores/∂of; an image's score depends on its own pixels alone, so all are differentiated at once."""
    gradient = None
    if scores.requires_grad and of.requires_grad:
        try:
            (gradient,) = torch.autograd.grad(scores.sum(), of, retain_graph=keep, allow_unused=True)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise ValueError(f"the network cannot be differentiated down to {what}: {error}") from error
    if gradient is None:
        raise ValueError(
            f"the score does not depend on {what} through differentiable operations; remove detach(), no_grad(), "
            "inference_mode() from the network's forward pass"
        )
    return gradient
