"""How little must a photograph change until the network says a class that is not in it? A targeted perturbation.

    low, high = pixel_range(model.preprocess)
    found = perturb(model.net, image, 281, low=low, high=high, epsilon=8 / 255)
    found.reached, found.probability, found.change.abs().max()

The basic iterative method (Kurakin et al. 2017, "Adversarial examples in the physical world"), to the confidence that
the Grad-CAM paper's Fig. 7 asks for: each step adds `step` times the sign of the gradient of log p to the input,

    x ← clip(x + step · sign(∂ log p(class) / ∂x)),

where the clip keeps every value within epsilon of the original and within what pixels can be. Epsilon and step are
shares of the range of a pixel, so 8/255 is eight steps of an 8-bit picture, whatever the network's normalisation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from neuro_explain.gradcam import differentiable
from neuro_explain.preprocess import Preprocess
from neuro_explain.targets import class_probabilities

CONFIDENCE = 0.9999
EPSILON = 8 / 255
STEP = 1 / 255
STEPS = 100
LEVELS = 255  # of an 8-bit picture, above black


@dataclass(frozen=True, eq=False)
class Perturbed:
    """What `perturb` found; float32, on the image's device.

    Attributes:
        image: the last input, `[1, 3, h, w]`, prepared; the most confident one where it was not reached.
        change: what was added, in steps of an 8-bit picture, `[1, 3, h, w]`.
        before, probability: of the class, in the original and in `image`.
        steps: that were taken.
        reached: whether `probability` is above what was asked for.
    """

    image: Tensor
    change: Tensor
    before: float
    probability: float
    steps: int
    reached: bool


def pixel_range(preprocess: Preprocess) -> tuple[Tensor, Tensor]:
    """The least and the largest value that each place of the input can have, float32 `[3, h, w]` each."""
    h, w = preprocess.input_size
    low, high = (preprocess.probe(Image.new("RGB", (w, h), colour)) for colour in ("black", "white"))
    return low, high


def as_picture(image: Tensor, preprocess: Preprocess) -> Image.Image:
    """A prepared input `[1, 3, h, w]` as the 8-bit picture that comes closest to it."""
    low, high = pixel_range(preprocess)
    levels = ((image[0].float().cpu() - low) / (high - low) * LEVELS).round().clamp(0, LEVELS)
    return _picture(levels, preprocess)


def change_picture(change: Tensor, preprocess: Preprocess) -> Image.Image:
    """A change `[1, 3, h, w]` as a picture: grey is none, the largest change reaches black or white."""
    values = change[0].float().cpu()
    largest = float(values.abs().max())
    scaled = values / largest if largest > 0 else values
    return _picture((127.5 + 127.5 * scaled).round(), preprocess)


def _picture(levels: Tensor, preprocess: Preprocess) -> Image.Image:
    if preprocess.channels == "BGR":
        levels = levels.flip(0)
    return Image.fromarray(levels.permute(1, 2, 0).numpy().astype(np.uint8))


def perturb(
    net: nn.Module,
    image: Tensor,
    index: int,
    *,
    low: Tensor,
    high: Tensor,
    confidence: float = CONFIDENCE,
    epsilon: float = EPSILON,
    step: float = STEP,
    steps: int = STEPS,
) -> Perturbed:
    """Changes an image until the network is confident of a class, or the steps are used up.

    The network comes back as it was, and no gradient of its weights is computed; see `grad_cam`.

    Args:
        net: from images to scores before softmax, `[N, C]`.
        image: prepared, `[1, 3, h, w]`.
        index: the class.
        low, high: what each place can be at the least and the most, `[3, h, w]` or what broadcasts to it.
        confidence: the probability to exceed, in 0…1.
        epsilon: the largest change of a pixel, as a share of its range.
        step: how far a pixel goes in one step, likewise.
        steps: how many at most.

    Raises:
        ValueError: an argument out of range, a class that does not exist, scores or gradients that are not finite.
    """
    _check(image, confidence, epsilon, step, steps)
    with differentiable(net) as plain:
        # clones: what was made under inference mode cannot be saved for a backward pass
        original = image.detach().clone().float()
        bottom, top = (bound.detach().to(original, copy=True) for bound in (low, high))
        span = top - bottom
        _check_range(original, bottom, top)
        least = torch.maximum(original - epsilon * span, bottom)
        most = torch.minimum(original + epsilon * span, top)

        x = best = original
        before = probability = _probability(plain, x, index, image.dtype)
        taken = 0
        while probability <= confidence and taken < steps:
            direction = _gradient(plain, x, index, image.dtype).sign()
            if not bool(direction.any()):
                break  # nothing that is done to the input changes the score
            x = torch.minimum(torch.maximum(x + step * span * direction, least), most)
            taken += 1
            now = _probability(plain, x, index, image.dtype)
            if now > probability:
                best, probability = x, now
    change = (best - original) / span * LEVELS
    return Perturbed(best, change, before, probability, taken, probability > confidence)


def _probability(net: nn.Module, x: Tensor, index: int, dtype: torch.dtype) -> float:
    with torch.no_grad():
        return float(class_probabilities(_output(net, x, index, dtype))[0, index])


def _gradient(net: nn.Module, x: Tensor, index: int, dtype: torch.dtype) -> Tensor:
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        log_p = _output(net, x, index, dtype).float().log_softmax(dim=1)[0, index]
        if not log_p.requires_grad:
            raise ValueError(
                "net: the scores do not depend on the image through differentiable operations; remove detach() and "
                "no_grad() from the network"
            )
        (gradient,) = torch.autograd.grad(log_p, x, allow_unused=True)
    if gradient is None:
        return torch.zeros_like(x)
    if not bool(gradient.isfinite().all()):
        raise ValueError(
            "net: the gradient of the image is NaN or infinite; check the network's weights and its precision"
        )
    found: Tensor = gradient
    return found


def _output(net: nn.Module, x: Tensor, index: int, dtype: torch.dtype) -> Tensor:
    output: Tensor = net(x.to(dtype, copy=True))  # some networks write into their input
    if output.dim() != 2 or not 0 <= index < output.shape[1]:
        raise ValueError(
            f"index: expected a class among scores [N, C], got {index} for {list(output.shape)}; give a class that "
            "the network has"
        )
    if not bool(output.isfinite().all()):
        raise ValueError(
            "net: the scores are NaN or infinite; check the network's weights and its preprocessing"
        )
    return output


def _check(image: Tensor, confidence: float, epsilon: float, step: float, steps: int) -> None:
    if image.dim() != 4 or len(image) != 1:
        raise ValueError(f"image: expected one prepared image [1, 3, h, w], got {list(image.shape)}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a probability between 0 and 1, got {confidence}")
    for name, value in (("epsilon", epsilon), ("step", step)):
        if not (math.isfinite(value) and 0 < value <= 1):
            raise ValueError(f"{name}: expected a share of a pixel's range, above 0 up to 1, got {value}")
    if steps < 1:
        raise ValueError(f"steps: expected at least 1, got {steps}")


def _check_range(original: Tensor, low: Tensor, high: Tensor) -> None:
    if not bool((low < high).all()):
        raise ValueError("low: expected values below those of high everywhere")
    slack = (high - low) / LEVELS  # half precision rounds
    if not bool(((original >= low - slack) & (original <= high + slack)).all()):
        raise ValueError(
            "image: expected values within low and high; prepare the image with the preprocessing that these are of"
        )
