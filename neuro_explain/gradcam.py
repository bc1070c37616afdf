"""How much does each unit matter for this score? Grad-CAM (Selvaraju et al. 2019, eq. 1 and 2).

    cam = grad_cam(net, images, [281, 207], layer="layer4")
    cam.alpha, cam.map        # [N, U], [N, h, w]

For a score y before softmax and the maps A of one layer:

    alpha_k = (1/Z) Σ_ij ∂y/∂A^k_ij          (eq. 1, the mean of the gradient over the Z cells)
    L       = ReLU(Σ_k alpha_k A^k)           (eq. 2)

The network runs with gradients off up to the layer and with gradients on from there, so the cost is that of
a plain forward pass and a small backward one, and nothing of the backbone's graph is ever kept. Several targets
share one forward pass and one batched backward pass of the head.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dissection.recording import evaluating, record
from neuro_explain.targets import Target, Targets, softmax_note, target_scores


@dataclass(frozen=True)
class GradCAM:
    """What `grad_cam` returns; everything detached, float32 or wider.

    Attributes:
        alpha: importance of each unit, `[N, U]`, or `[N, T, U]` for T targets per image.
        signed_map: Σ_k alpha_k A^k, `[N, h, w]` or `[N, T, h, w]`.
        scores: y, `[N]` or `[N, T]`.
        activations: A, `[N, U, h, w]`.
        output: what the network returned, `[N, C]`.
    """

    alpha: Tensor
    signed_map: Tensor
    scores: Tensor
    activations: Tensor
    output: Tensor

    @property
    def map(self) -> Tensor:
        """ReLU of the signed map: where the evidence for the score lies. Raw, not normalised."""
        return self.signed_map.clamp(min=0)


def alphas(gradient: Tensor) -> Tensor:
    """Equation 1: the mean of the gradient over the cells, `[..., U, h, w]` to `[..., U]`."""
    return gradient.mean(dim=(-2, -1))


def weighted_sum(alpha: Tensor, activations: Tensor) -> Tensor:
    """Equation 2 before its ReLU: Σ_k alpha_k A^k.

    Args:
        alpha: `[N, U]` or `[N, T, U]`.
        activations: `[N, U, h, w]`.

    Returns:
        `[N, h, w]` or `[N, T, h, w]`.
    """
    return torch.einsum("n...u,nuhw->n...hw", alpha, activations)


def grad_cam(
    net: nn.Module,
    images: Tensor,
    targets: Targets | Callable[[Tensor], Targets],
    *,
    layer: str,
) -> GradCAM:
    """Importance of each unit, and the map, for one or several scores per image.

    The network comes back exactly as it was: modes, hooks, gradients, also after an exception. It may be
    compiled, wrapped in `DataParallel`, frozen, of any precision, and the call may stand under `no_grad` or
    `inference_mode`.

    Args:
        net: any module that maps images to scores before softmax, `[N, C]`.
        images: `[N, 3, H, W]`, prepared for the network, on its device.
        targets: for each image a class index, a `Target`, or several of either (the same number for each);
            a single `Target` holds for all images. Or a function that is given the network's output and
            returns them (`lambda output: output.argmax(1)`).
        layer: dotted name of a layer that puts out maps `[N, U, h, w]`.

    Raises:
        ValueError: the number of targets differs from the number of images; a class that does not exist; a
            layer without maps; scores that are not finite, or that do not depend on the layer.
    """
    with ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        plain = stack.enter_context(evaluating(net))
        if images.is_inference():
            images = images.clone()  # autograd may not keep tensors that were born in inference mode
        activations, output, scores = _forward(plain, images, targets, layer, backbone_graph=False)
        if not scores.requires_grad:
            # A part of the network that holds the layer runs under its own no_grad and leaves gradients as they
            # were before: off. Leave them on, then; a frozen backbone builds no graph anyway.
            activations, output, scores = _forward(plain, images, targets, layer, backbone_graph=True)
        if not scores.requires_grad:
            raise ValueError(
                f"the score does not depend on layer {layer!r} through differentiable operations; "
                "choose a later layer, or remove detach() and no_grad() between it and the output"
            )
        gradient = _gradient(scores, activations)
    activations = _wide(activations.detach())
    output, scores = output.detach(), _wide(scores.detach())
    if note := softmax_note(output):
        warnings.warn(note, UserWarning, stacklevel=2)
    alpha = alphas(_wide(gradient))
    return GradCAM(alpha, weighted_sum(alpha, activations), scores, activations, output)


def _forward(
    net: nn.Module,
    images: Tensor,
    targets: Targets | Callable[[Tensor], Targets],
    layer: str,
    *,
    backbone_graph: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """(maps as a leaf, output, scores); the scores' graph begins at the leaf."""
    with torch.set_grad_enabled(backbone_graph), record(net, layer, leaf=True) as seen:
        output = net(images)
        maps = seen.output
        if maps.dim() != 4 or maps.shape[0] != images.shape[0]:
            raise ValueError(
                f"layer {layer!r} puts out {list(maps.shape)} for {images.shape[0]} images, expected maps "
                "[N, U, h, w]; choose a spatial layer"
            )
        if not isinstance(targets, Target) and callable(targets):
            targets = targets(output.detach())
        scores = target_scores(output, targets, len(images))
    if not bool(scores.detach().isfinite().all()):
        raise ValueError(
            "the network's score is NaN or infinite for at least one image, so there is nothing to explain; "
            "check its weights, its preprocessing and its precision"
        )
    return maps, output, scores


def _gradient(scores: Tensor, maps: Tensor) -> Tensor:
    """∂scores/∂maps, `[N, U, h, w]` for scores `[N]`, `[N, T, U, h, w]` for `[N, T]`.

    An image's score depends on its own maps alone (the network is in eval mode), so the scores of all images
    are differentiated at once.
    """
    if scores.dim() == 1:
        (gradient,) = torch.autograd.grad(scores.sum(), maps)
        return gradient
    per_target = scores.sum(dim=0)
    if len(per_target) == 1:
        (gradient,) = torch.autograd.grad(per_target[0], maps)
        return gradient.unsqueeze(1)
    one_hot = torch.eye(len(per_target), dtype=scores.dtype, device=scores.device)
    (batched,) = torch.autograd.grad(per_target, maps, one_hot, is_grads_batched=True)
    return batched.transpose(0, 1)


def _wide(tensor: Tensor) -> Tensor:
    """At least float32: sums of many half-precision terms lose digits that ranking needs."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
