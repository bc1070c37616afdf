"""What does every method take, and what does it give?

    saliency = method(net, images, [281, 207], layer="layer4")
    saliency.map                        # [N, h, w] or [N, H, W], at least 0: for measuring and for drawing
    saliency.signed                     # what the map was made of

A method is a function of the network, a batch of prepared images, one target per image, and the layer that is
explained; methods that explain pixels take no notice of the layer. Maps are raw: nothing is normalised or resized.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from neuro_explain.targets import Targets, target_scores


@dataclass(frozen=True, eq=False)
class Saliency:
    """What a method gives; everything detached, float32 or wider.

    Attributes:
        signed: what the map was made of: `[N, h, w]` (a map of the layer, with its signs) or `[N, 3, H, W]` (a value
            for each number of the prepared image).
        scores: y of each image, `[N]`.
        notes: what a reader must know of how it was made ("16 ReLUs replaced; 3 SiLUs were not").
        rectified: whether the map of a layer is the positive part of `signed`. If not, all of it is the map.
    """

    signed: Tensor
    scores: Tensor
    notes: tuple[str, ...] = ()
    rectified: bool = True

    @property
    def map(self) -> Tensor:
        """Where the evidence lies, at least 0, `[N, h, w]`.

        Of a layer's map its positive part (eq. 2's ReLU), or, if it is not `rectified`, how far each cell lies above
        the image's lowest, so that shares of the largest value are those of the map scaled from lowest to largest; of
        pixels the largest magnitude over the three channels (Simonyan et al. 2014, Sec. 3.1).
        """
        if self.signed.dim() != 3:
            return self.signed.abs().amax(dim=1)
        return self.signed.clamp(min=0) if self.rectified else self.signed - self.signed.amin((1, 2), True)


class SaliencyFunction(Protocol):
    """The one shape of all methods."""

    def __call__(self, net: nn.Module, images: Tensor, targets: Targets, *, layer: str) -> Saliency:
        """Maps of prepared images `[N, 3, H, W]`, one target each; the network comes back as it was."""


@dataclass(frozen=True)
class Method:
    """A method under its name; call it like the function that it holds.

    Attributes:
        name: as it is typed: `guided-backprop`.
        title: as it is printed: `guided backprop`.
        run: the function.
        pixels: whether it explains the image's numbers, and not a layer's cells.
        source: where it is defined.
    """

    name: str
    title: str
    run: SaliencyFunction
    pixels: bool
    source: str

    def __call__(self, net: nn.Module, images: Tensor, targets: Targets, *, layer: str) -> Saliency:
        """The saliency of some images; see `SaliencyFunction`."""
        return self.run(net, images, targets, layer=layer)


def one_score_each(output: Tensor, targets: Targets | Callable[[Tensor], Targets], images: int) -> Tensor:
    """The score of each image's one target, `[N]`.

    Args:
        output: of the network, `[N, C]`.
        targets: as for `gradcam.grad_cam`, but one for each image.
        images: N.

    Raises:
        ValueError: their number does not fit, several for one image, or a class that does not exist.
    """
    if isinstance(output, Tensor) and callable(targets) and not hasattr(targets, "score"):
        targets = targets(output.detach())
    scores = target_scores(output, targets, images)  # type: ignore[arg-type]
    if scores.dim() != 1:
        raise ValueError(
            f"targets: expected one for each image, got {scores.shape[1]}; methods give one map per image: repeat the "
            "image for each of its targets"
        )
    return scores


def check_images(images: Tensor) -> None:
    """Refuses what is no batch of images.

    Raises:
        ValueError: not `[N, 3, H, W]` with at least one image.
    """
    if not isinstance(images, Tensor) or images.dim() != 4 or len(images) == 0:
        got = list(images.shape) if isinstance(images, Tensor) else f"a {type(images).__name__}"
        raise ValueError(
            f"images: expected a tensor [N, 3, H, W], N at least 1, got {got}; one image is image[None]"
        )


def check_finite(scores: Tensor, signed: Tensor) -> None:
    """Refuses scores and maps that are NaN or infinite.

    Raises:
        ValueError: there are such.
    """
    for what, tensor in (("the network's score", scores), ("the map", signed)):
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(
                f"{what} is NaN or infinite for at least one image, so there is nothing to explain; check the "
                "network's weights, its preprocessing and its precision"
            )
