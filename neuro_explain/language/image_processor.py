"""How does a Hugging Face image processor make the network's input? As one of our recipes.

    preprocess_of(processor.image_processor, image_size=(384, 384))

Only what such a recipe can say is taken over: resizing, a centre crop, division by 255, mean and deviation per channel.
A processor that keeps each image's own proportions (ViLT's) gives inputs of many sizes; here every image is squashed
to `image_size`, so that maps have one size and labels stay aligned.
"""

from __future__ import annotations

import math
from typing import Any, cast

from neuro_explain.preprocess import Interpolation, Preprocess

_RESAMPLING: dict[int, Interpolation] = {
    0: "nearest",
    1: "lanczos",
    2: "bilinear",
    3: "bicubic",
    4: "box",
    5: "hamming",
}


def preprocess_of(processor: Any, *, image_size: tuple[int, int]) -> Preprocess:
    """The recipe of an image processor.

    Args:
        processor: a `transformers` image processor.
        image_size: (height, width) that the network was made for; used where the processor fixes none.

    Raises:
        ValueError: it does what a recipe cannot say; the message says what.
    """
    resize, crop = _get(processor, "size", {}), _get(processor, "crop_size", {})
    squash = _pair(resize)
    size: int | tuple[int, int] = squash or image_size
    shown = squash or image_size
    if processor.do_resize and squash is None and _get(processor, "do_center_crop", False):
        shortest = _of(resize, "shortest_edge")
        if shortest is None or _pair(crop) is None:
            raise ValueError(f"{_named(processor)} crops to {crop!r} after resizing to {resize!r}; {_HINT}")
        size = int(shortest)
    if _get(processor, "do_center_crop", False):
        shown = _pair(crop) or shown
    factor = _get(processor, "rescale_factor", 1 / 255)
    scale = bool(_get(processor, "do_rescale", True))
    if scale and not math.isclose(factor, 1 / 255, rel_tol=1e-3):
        raise ValueError(f"{_named(processor)} multiplies pixels by {factor}, not by 1/255; {_HINT}")
    resample = _get(processor, "resample", 2)
    if int(getattr(resample, "value", resample) or 0) not in _RESAMPLING:
        raise ValueError(
            f"{_named(processor)} resizes with {resample!r}, expected one of Pillow's filters; {_HINT}"
        )
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if _get(processor, "do_normalize", True):
        mean, std = (
            cast("tuple[float, float, float]", tuple(float(v) for v in values))
            for values in (processor.image_mean, processor.image_std)
        )
    return Preprocess(
        input_size=shown,
        resize=size,
        interpolation=_RESAMPLING[int(getattr(resample, "value", resample) or 0)],
        scale=scale,
        mean=mean,
        std=std,
    )


_HINT = "give preprocess= a neuro_explain.Preprocess of your own"


def _named(processor: Any) -> str:
    return type(processor).__name__


def _get(processor: Any, name: str, default: Any) -> Any:
    value = getattr(processor, name, None)
    return default if value is None else value


def _of(size: Any, side: str) -> int | None:
    value = size.get(side) if isinstance(size, dict) else getattr(size, side, None)
    return None if value is None else int(value)


def _pair(size: Any) -> tuple[int, int] | None:
    """(height, width) of a size that fixes both, else None."""
    if isinstance(size, int):
        return size, size
    high, wide = _of(size, "height"), _of(size, "width")
    return None if high is None or wide is None else (high, wide)
