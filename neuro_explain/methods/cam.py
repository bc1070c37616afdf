"""Which parts of the picture does the last layer read as the class? Class activation mapping (Zhou et al. 2016).

    cam(net, images, [281], layer="layer4").map         # [N, h, w]

For a network that ends in global average pooling of the maps A and one linear layer with weights w (their eq. 2):

    M^c = Σ_k w_k^c A^k

Grad-CAM's alpha_k is w_k^c / Z on such a network, Z the number of cells, so CAM is Grad-CAM times Z. Other networks are
refused: a CAM of them would be of another network, with another head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dissection.recording import record, trace
from neuro_explain.gradcam import differentiable, weighted_sum, wide
from neuro_explain.methods.saliency import Saliency, check_finite, check_images, one_score_each
from neuro_explain.targets import Targets

_ROUNDING = 1e-3  # of the largest mean: twice what half precision loses


def cam(net: nn.Module, images: Tensor, targets: Targets, *, layer: str) -> Saliency:
    """Σ_k w_k A^k, `[N, h, w]`; w are the weights of y, a class's or what a target makes of several.

    Raises:
        ValueError: the network does not end in global average pooling of the layer and one linear layer.
    """
    check_images(images)
    with differentiable(net) as plain:
        weight = head_weights(plain, images[:1], layer)
        with torch.no_grad(), record(plain, layer) as seen:
            output = plain(images.clone())
        scores_of = output.detach().clone().requires_grad_()
        with torch.enable_grad():
            scores = one_score_each(scores_of, targets, len(images))
            (per_output,) = torch.autograd.grad(scores.sum(), scores_of)
    signed = weighted_sum(wide(per_output) @ wide(weight), wide(seen.output))
    scores = wide(scores.detach())
    check_finite(scores, signed)
    return Saliency(signed, scores)


def head_weights(net: nn.Module, example: Tensor, layer: str) -> Tensor:
    """The weights `[C, U]` of the one linear layer behind global average pooling of the layer's maps.

    Args:
        net: the network.
        example: an image `[1, 3, H, W]`.
        layer: whose maps are pooled.

    Raises:
        ValueError: the network ends otherwise.
    """
    with record(net, layer) as seen:
        calls = trace(net, example.clone())
    maps = seen.output
    if maps.dim() != 4:
        raise ValueError(
            f"layer {layer!r} puts out {list(maps.shape)}, expected maps [N, U, h, w]; choose a spatial layer"
        )
    last = next(
        (
            call
            for call in reversed(calls.calls)
            if isinstance(call.module, nn.Linear | nn.Conv2d) and isinstance(call.output, Tensor)
        ),
        None,
    )
    expected = (
        f"CAM expects a network that ends in global average pooling of layer {layer!r} and one linear layer"
    )
    instead = "Grad-CAM explains any network, and is CAM up to a factor where CAM applies"
    if last is None:
        raise ValueError(f"{expected}; {type(net).__name__} calls no linear layer; {instead}")
    got, weight = last.inputs[0], last.module.get_parameter("weight").detach()
    pooled = maps.mean(dim=(2, 3))
    same = (
        isinstance(got, Tensor)
        and got.numel() == pooled.numel()
        and weight[0].numel() == pooled.shape[1]
        # what is not a number is told of the score below
        and not bool(((got.flatten() - pooled.flatten()).abs() > _ROUNDING * pooled.abs().max()).any())
    )
    if not same:
        raise ValueError(
            f"{expected}; what goes into {last.name!r} is not the mean of that layer’s maps; {instead}"
        )
    if not (isinstance(calls.output, Tensor) and _equal(calls.output, last.output)):
        raise ValueError(
            f"{expected}; what {last.name!r} puts out is not what the network returns; {instead}"
        )
    return weight.flatten(1)


def _equal(output: Tensor, made: object) -> bool:
    return (
        isinstance(made, Tensor)
        and made.numel() == output.numel()
        and torch.allclose(made.flatten(), output.flatten(), rtol=0, atol=0, equal_nan=True)
    )
