"""How much does each unit matter for this score? Grad-CAM (Selvaraju et al. 2019, eq. 1 and 2).

    cam = grad_cam(net, images, [281, 207], layer="layer4")
    cam.alpha, cam.map        # [N, U], [N, h, w]

For a score y before softmax and the maps A of one layer:

    alpha_k = (1/Z) Σ_ij ∂y/∂A^k_ij          (eq. 1, the mean of the gradient over the Z cells)
    L       = ReLU(Σ_k alpha_k A^k)           (eq. 2)

The network runs with gradients off up to the layer and with gradients on from there, so the cost is
that of a plain forward pass and a small backward one, and nothing of the backbone's graph is ever kept.
Several targets share one forward pass and one batched backward pass of the head.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn

from dissection.recording import evaluating, record
from neuro_explain.targets import Target, Targets, softmax_note, target_scores


@dataclass(frozen=True, eq=False)
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


@dataclass(frozen=True, eq=False)
class LayerGradient:
    """What `layer_gradient` returns; everything detached, float32 or wider.

    Attributes:
        gradient: ∂y/∂A, `[N, U, h, w]`, or `[N, T, U, h, w]` for T targets per image.
        scores: y, `[N]` or `[N, T]`.
        activations: A, `[N, U, h, w]`.
        output: what the network returned, `[N, C]`.
    """

    gradient: Tensor
    scores: Tensor
    activations: Tensor
    output: Tensor


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
            layer that runs twice, not at all, or without maps; scores that do not depend on the layer; scores
            or gradients that are not finite; weights made under `inference_mode`.
    """
    at = layer_gradient(net, images, targets, layer=layer)
    alpha = alphas(at.gradient)
    signed_map = weighted_sum(alpha, at.activations)
    if not bool(at.scores.isfinite().all() and signed_map.isfinite().all()):
        what = (
            f"the gradient at layer {layer!r}" if bool(at.scores.isfinite().all()) else "the network's score"
        )
        raise ValueError(
            f"{what} is NaN or infinite for at least one image, so there is nothing to explain; check the "
            "network's weights, its preprocessing and its precision"
        )
    if note := softmax_note(at.output):
        warnings.warn(note, UserWarning, stacklevel=2)
    return GradCAM(alpha, signed_map, at.scores, at.activations, at.output)


def layer_gradient(
    net: nn.Module,
    images: Tensor,
    targets: Targets | Callable[[Tensor], Targets],
    *,
    layer: str,
) -> LayerGradient:
    """∂y/∂A at every cell, for methods that need more of it than its mean.

    As `grad_cam`, whose arguments and errors it shares; only whether the numbers are finite is the caller's to ask.
    """
    if not isinstance(images, Tensor) or images.dim() != 4 or len(images) == 0:
        got = list(images.shape) if isinstance(images, Tensor) else f"a {type(images).__name__}"
        raise ValueError(
            f"images: expected a tensor [N, 3, H, W], N at least 1, got {got}; one image is image[None]"
        )
    with differentiable(net) as plain:
        # First with gradients off up to the layer. If a part of the network that holds the layer runs under
        # its own no_grad, they go off again at that part's end: then once more, gradients on from the start.
        for backbone_graph in (False, True):
            with torch.set_grad_enabled(backbone_graph), record(plain, layer, leaf=True) as seen:
                output = plain(images.clone())  # networks that normalise in place may write into their input
                _check_shapes(layer, seen.output, output, len(images))
                if not isinstance(targets, Target) and callable(targets):
                    targets = targets(output.detach())
                scores = target_scores(output, targets, len(images))
            try:
                gradient = _gradient(scores, seen.output)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                raise ValueError(
                    f"the network behind layer {layer!r} cannot be differentiated: {error}"
                ) from error
            if gradient is not None:
                break
        else:
            raise ValueError(
                f"the score does not depend on the output of layer {layer!r} through differentiable "
                "operations; choose another layer, or remove detach(), no_grad(), inference_mode() behind it"
            )
    return LayerGradient(wide(gradient), wide(scores.detach()), wide(seen.output.detach()), output.detach())


@contextmanager
def differentiable(net: nn.Module) -> Iterator[nn.Module]:
    """The unwrapped network in eval mode, ready for backward passes whatever mode the caller is in.

    Gradients are as the caller has them, so switch them on. The network is as it was at the end.

    Raises:
        ValueError: weights made under `inference_mode`.
    """
    with ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        plain = stack.enter_context(evaluating(net))
        _check_weights(plain)
        stack.enter_context(_differentiable_recurrence(plain))
        yield plain


@contextmanager
def _differentiable_recurrence(net: nn.Module) -> Iterator[None]:
    """Lets `nn.LSTM` and its like be differentiated in a network that is in eval mode.

    cuDNN has a backward pass for them in training mode alone. All that this mode changes in them is dropout, which is
    off meanwhile.
    """
    recurrent = [(module, module.dropout) for module in net.modules() if isinstance(module, nn.RNNBase)]
    try:
        for module, _ in recurrent:
            module.training, module.dropout = True, 0.0
        yield
    finally:
        for module, dropout in recurrent:
            module.training, module.dropout = False, dropout


def _check_weights(net: nn.Module) -> None:
    for name, tensor in chain(net.named_parameters(), net.named_buffers()):
        if tensor.is_inference():
            raise ValueError(
                f"weight {name!r} was made under torch.inference_mode(), which rules out gradients; load the "
                "network outside of it, or pass a copy.deepcopy of the network that was made outside of it"
            )


def _check_shapes(layer: str, maps: Tensor, output: object, images: int) -> None:
    if maps.dim() != 4 or len(maps) != images:
        raise ValueError(
            f"layer {layer!r} puts out {list(maps.shape)} for {images} images, expected maps "
            "[N, U, h, w]; choose a spatial layer"
        )
    if not isinstance(output, Tensor) or output.shape[:1] != (images,):
        got = list(output.shape) if isinstance(output, Tensor) else f"a {type(output).__name__}"
        raise ValueError(
            f"the network returns {got} for {images} images, expected scores [N, C]; wrap the network in a "
            "module that returns them"
        )


def _gradient(scores: Tensor, maps: Tensor) -> Tensor | None:
    """∂scores/∂maps, `[N, U, h, w]` for scores `[N]`, `[N, T, U, h, w]` for `[N, T]`; None without a path.

    An image's score depends on its own maps alone (the network is in eval mode), so the scores of all images
    are differentiated at once.
    """
    if not scores.requires_grad:
        return None

    def backward(direction: Tensor, *, batched: bool = False) -> Tensor | None:
        gradient: Tensor | None
        (gradient,) = torch.autograd.grad(
            scores,
            maps,
            direction,
            retain_graph=scores.dim() > 1,
            is_grads_batched=batched,
            allow_unused=True,
        )
        return gradient

    if scores.dim() == 1:
        return backward(torch.ones_like(scores))
    one_hot = torch.eye(scores.shape[1], dtype=scores.dtype, device=scores.device)
    directions = one_hot[:, None].expand(-1, len(scores), -1)  # [T, N, T]
    try:
        gradient = backward(directions, batched=True)
    except Exception:
        # Some operations know no batched backward (functions of one's own that call NumPy, sparse products):
        # one target after the other. What is wrong with the network itself goes wrong here again.
        rows = [row for row in map(backward, directions) if row is not None]
        gradient = torch.stack(rows) if rows else None
    return None if gradient is None else gradient.transpose(0, 1)


def wide(tensor: Tensor) -> Tensor:
    """At least float32: sums of many half-precision terms lose digits that ranking needs."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
