"""What does the network say of a batch of images, and which units said so? All images at once, in tensors.

    measured = measure(net, images, layer="layer4", labels=labels, classes=5)
    measured.predicted, measured.contribution

For each image the best K classes and its label's class are explained in one forward and one batched backward pass
(`gradcam`); the contribution of unit k is alpha_k · Σ_ij A^k_ij, in double precision.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dissection.recording import evaluating
from neuro_explain.gradcam import grad_cam
from neuro_explain.targets import class_probabilities

_CLASSES_AT_ONCE = 64
_SAME = 1e-4  # of the largest alpha: what rounding may change in alphas that do not depend on the image


@dataclass(frozen=True, eq=False)
class Measured:
    """N images, T explained classes each: the best first, the label's last; on the CPU.

    Attributes:
        classes: int64 `[N, T]`.
        scores, probabilities: float32 `[N, T]`.
        alpha: float32 `[N, T, U]`.
        contribution: float64 `[N, T, U]`.
        maps: Σ_k alpha_k A^k, float32 `[N, T, h, w]`.
        finite: bool `[N]`, False for an image whose scores are NaN or infinite; its numbers are those of a blank one.
    """

    classes: Tensor
    scores: Tensor
    probabilities: Tensor
    alpha: Tensor
    contribution: Tensor
    maps: Tensor
    finite: Tensor


def measure(
    net: nn.Module,
    images: Tensor,
    *,
    layer: str,
    labels: Tensor,
    classes: int,
    accepted: Tensor | None = None,
) -> Measured:
    """Explains a batch.

    Args:
        net: the network, scores before softmax out.
        images: `[N, 3, H, W]`, where the network is.
        layer: whose units are meant.
        labels: int64 `[N]`, −1 where there is none; the predicted class takes its place.
        classes: K, how many of the best classes are explained.
        accepted: bool `[L, C]`, where a label is none of the classes: those that it stands for, of which the one with
            the highest score is the label's class.

    Raises:
        ValueError: see `grad_cam`.
    """
    finite = torch.ones(len(images), dtype=torch.bool)
    chosen = torch.empty(0)

    def choose(output: Tensor) -> Tensor:
        nonlocal chosen
        fine = output.isfinite().all(dim=1).cpu()
        if not bool(fine.all()):
            finite.logical_and_(fine)
            raise _NotFiniteError
        best = output.topk(min(classes, output.shape[1]), dim=1).indices
        label = labels.to(best.device)[:, None]
        if accepted is not None:
            among = accepted.to(best.device)[label[:, 0].clamp(min=0)]
            label = torch.where(label >= 0, output.masked_fill(~among, -torch.inf).argmax(1, True), label)
        chosen = torch.cat([best, torch.where(label >= 0, label, best[:, :1])], dim=1)
        return chosen

    with warnings.catch_warnings():
        # of scores that look like probabilities `class_alphas` has warned, once and not for each batch
        warnings.simplefilter("ignore", UserWarning)
        try:
            cam = grad_cam(net, images, choose, layer=layer)
        except _NotFiniteError:
            there = finite.to(images.device)[:, None, None, None]
            cam = grad_cam(net, torch.where(there, images, torch.zeros_like(images)), choose, layer=layer)
    contribution = cam.alpha.double() * cam.activations.double().sum(dim=(2, 3))[:, None]
    return Measured(
        chosen.cpu(),
        cam.scores.float().cpu(),
        class_probabilities(cam.output).gather(1, chosen).cpu(),
        cam.alpha.float().cpu(),
        contribution.cpu(),
        cam.signed_map.float().cpu(),
        finite,
    )


class _NotFiniteError(Exception):
    """Some image's scores are NaN or infinite."""


def class_alphas(net: nn.Module, example: Tensor, *, layer: str, seed: int = 0) -> Tensor | None:
    """Alpha of every class, `[C, U]`, of a network on which it does not depend on the image; None if it does.

    On a network that ends in global pooling and one linear layer, alpha = w / Z for all images. Whether it is so is
    tried on eight images of noise of different strength, and held against every image that is explained afterwards.

    Args:
        net: the network.
        example: `[1, 3, H, W]`, a prepared image.
        layer: whose units are meant.
        seed: of the noise.
    """
    generator = torch.Generator().manual_seed(seed)
    noise = (
        torch.randn(8, *example.shape[1:], generator=generator)
        * torch.linspace(0.2, 3, 8)[:, None, None, None]
    )
    some = torch.arange(4)[None].expand(8, 4)
    with torch.no_grad(), evaluating(net) as plain:
        count = plain(example).shape[1]
    tried = grad_cam(net, noise.to(example), some % count, layer=layer).alpha
    if not same_alpha(tried, tried[:1].expand_as(tried)):
        return None
    parts = [
        grad_cam(net, example, torch.arange(count)[None, at : at + _CLASSES_AT_ONCE], layer=layer).alpha[0]
        for at in range(0, count, _CLASSES_AT_ONCE)
    ]
    return torch.cat(parts).float().cpu()


def same_alpha(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors of alphas are equal but for rounding."""
    return bool((one - other).abs().max() <= _SAME * other.abs().max())
