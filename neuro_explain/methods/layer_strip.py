"""Where does the evidence lie at each depth? Grad-CAM at every layer, in the order of the layers, as a strip.

    strip = layer_strip(net, images, [281])
    strip.layers                        # ("relu", "layer1.0", …, "layer4.1")
    strip.signed["layer4.1"]            # [N, h, w], as grad_cam(net, images, [281], layer="layer4.1").signed_map

The layers are the ends of the network's blocks: of each residual, inception or dense block its output; of layers in a
row that of each activation, or of a convolution that no activation follows. All maps come from one forward pass and
one backward pass. Selvaraju et al. 2019 show such strips (App. C): maps are sharpest in meaning at the last layer.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dissection.recording import RELU_SUFFIX, Call, Trace, record, trace
from neuro_explain.gradcam import alphas, differentiable, weighted_sum, wide
from neuro_explain.methods.saliency import check_finite, check_images, one_score_each
from neuro_explain.targets import Targets

_ACTIVATIONS = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish,
    nn.Hardtanh, nn.Tanh, nn.Sigmoid, nn.Softplus,
)  # fmt: skip
_NORMS = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm)
_TOWER = 3  # a module with maps of as many sizes inside is no block, but a network


@dataclass(frozen=True, eq=False)
class LayerStrip:
    """Grad-CAM at every layer.

    Attributes:
        signed: the signed map `[N, h, w]` of each layer, by its name, in the order in which the layers run.
        scores: y of each image, `[N]`.
    """

    signed: dict[str, Tensor]
    scores: Tensor

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers' names, in the order in which they run."""
        return tuple(self.signed)


def layer_strip(
    net: nn.Module, images: Tensor, targets: Targets, *, layers: tuple[str, ...] | None = None
) -> LayerStrip:
    """Grad-CAM's signed maps at the ends of all blocks, or at the named layers.

    Args:
        net: a classifier; comes back as it was.
        images: prepared, `[N, 3, H, W]`.
        targets: one for each image.
        layers: dotted names, perhaps with `+relu`.

    Raises:
        ValueError: no layer with maps; a score that depends on none of them; as `grad_cam`.
    """
    check_images(images)
    with differentiable(net) as plain:
        names = block_ends(plain, images[:1]) if layers is None else layers
        with torch.enable_grad(), ExitStack() as stack:
            seen = {name: stack.enter_context(record(plain, name, graph=True)) for name in names}
            # with a gradient from the start on, frozen weights or not
            output = plain(images.detach().clone().requires_grad_().clone())
            scores = one_score_each(output, targets, len(images))
        roots = {
            name: one.root for name, one in seen.items() if one.root is not None and one.root.requires_grad
        }
        if not scores.requires_grad or not roots:
            raise ValueError(
                "the score depends on no layer with maps through differentiable operations; name layers yourself"
            )
        gradients = torch.autograd.grad(scores.sum(), list(roots.values()), allow_unused=True)
    signed = {
        name: weighted_sum(alphas(wide(gradient)), wide(output.detach()))
        for (name, output), gradient in zip(roots.items(), gradients, strict=True)
        if gradient is not None  # a branch that the score does not use
    }
    scores = wide(scores.detach())
    for one in signed.values():
        check_finite(scores, one)
    return LayerStrip(signed, scores)


def block_ends(net: nn.Module, example: Tensor) -> tuple[str, ...]:
    """The names of the layers whose maps make up the strip, in the order in which they run.

    Args:
        net: any module.
        example: an image `[1, 3, H, W]`.

    Raises:
        ValueError: there is none.
    """
    seen = trace(net, example.clone())
    runs = Counter(call.name for call in seen.calls)
    spatial = [call for call in seen.calls if runs[call.name] == 1 and _is_map(call.output)]
    blocks = [call.name for call in spatial if _is_block(call, spatial)]
    ends = []
    for call in spatial:
        inside = any(call.name.startswith(f"{block}.") for block in blocks if block != call.name)
        if inside:
            continue
        if call.name in blocks or isinstance(call.module, _ACTIVATIONS):
            ends.append(call.name)
        elif isinstance(call.module, (nn.Conv2d, *_NORMS)) and not _goes_on(seen, call):
            ends.append(call.name + RELU_SUFFIX if _relu_follows(seen, call) else call.name)
    if not ends:
        raise ValueError(f"{type(net).__name__} has no layer that puts out maps [N, U, h, w] exactly once")
    return tuple(ends)


def _is_map(output: object) -> bool:
    return isinstance(output, Tensor) and output.dim() == 4 and output.shape[2] * output.shape[3] > 1


def _is_block(call: Call, spatial: list[Call]) -> bool:
    """Whether it has convolutions and a forward of its own, and is not nearly a network itself."""
    if isinstance(call.module, nn.Sequential | nn.Conv2d) or not call.name:
        return False
    if not any(isinstance(module, nn.Conv2d) for module in call.module.modules()):
        return False
    inside = [one.output for one in spatial if one.name.startswith(f"{call.name}.")]
    return len({tuple(output.shape[2:]) for output in inside if isinstance(output, Tensor)}) < _TOWER


def _goes_on(seen: Trace, call: Call) -> bool:
    """Whether a normalisation or an activation module takes its output."""
    return any(
        isinstance(other.module, (*_NORMS, *_ACTIVATIONS)) and other.inputs and other.inputs[0] is call.output
        for other in seen.calls
    )


def _relu_follows(seen: Trace, call: Call) -> bool:
    return any(given is call.output for given, _ in seen.relus)
