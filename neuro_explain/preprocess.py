"""How does a photograph become the network's input?

    shown = preprocess(image)            # [3, h, w]: resize, centre crop, normalise, as at inference
    probe = preprocess.probe(image)      # [3, h, w]: the whole image squashed to h x w, normalised alike
    rect = preprocess.crop(image.size)   # which rectangle of the photograph `shown` is

A network answers rightly only to inputs made as in its training, so the recipe belongs to the weights and is
one small record. Geometry: the image is resized with a Pillow filter, then its centre is cut out; the pixels
equal those of torchvision's `Resize` and `CenterCrop` on the same image, bit by bit. Values:

    x = pixels in 0..255, the channels in the order of `channels`
    x = x / 255                    if `scale`
    x = x - mean_image             if there is one
    x = (x - mean) / std           per channel, in that same order
"""

from __future__ import annotations

import difflib
import hashlib
import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor

Interpolation = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
Channels = Literal["RGB", "BGR"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)

# A strip of 1 x 100,000 pixels with its short side brought to 256 would fill the memory.
_MOST_PIXELS = 200_000_000


@dataclass(frozen=True, eq=False)
class Preprocess:
    """The recipe of one network's input. The defaults are the usual ones of ImageNet classifiers.

    Attributes:
        input_size: (height, width) of the input.
        resize: the length that the shorter side gets, or (height, width) to squash the image to.
        interpolation: Pillow's filter of that resizing.
        channels: the order of the channels.
        scale: whether pixels are divided by 255 first.
        mean: what is subtracted per channel, in the order of `channels` and in units after `scale`.
        std: what is divided by per channel, last.
        mean_image: float `[3, h, w]` of the input's size, subtracted too, or None.
    """

    input_size: tuple[int, int] = (224, 224)
    resize: int | tuple[int, int] = 256
    interpolation: Interpolation = "bilinear"
    channels: Channels = "RGB"
    scale: bool = True
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    mean_image: Tensor | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_size", _size("input_size", self.input_size))
        if isinstance(self.resize, tuple | list):
            object.__setattr__(self, "resize", _size("resize", self.resize))
        elif not _is_length(self.resize):
            raise ValueError(
                "resize: expected the length of the shorter side in pixels, or (height, width), "
                f"got {self.resize!r}"
            )
        for field, value, allowed in (
            ("interpolation", self.interpolation, get_args(Interpolation)),
            ("channels", self.channels, get_args(Channels)),
            ("scale", self.scale, (True, False)),
        ):
            if value not in allowed:
                raise ValueError(f"{field}: expected one of {', '.join(map(str, allowed))}, got {value!r}")
        object.__setattr__(self, "mean", _three("mean", self.mean))
        object.__setattr__(self, "std", _three("std", self.std))
        if min(self.std) <= 0:
            raise ValueError(f"std: expected three numbers above 0, got {self.std}")
        if self.mean_image is not None:
            object.__setattr__(self, "mean_image", self._checked(self.mean_image))

    def _checked(self, mean_image: Tensor) -> Tensor:
        expected = [3, *self.input_size]
        if list(mean_image.shape) != expected or not mean_image.isfinite().all():
            raise ValueError(
                f"mean_image: expected finite numbers of shape {expected}, the input's size, "
                f"got shape {list(mean_image.shape)}"
            )
        return mean_image.detach().to("cpu", torch.float32, copy=True)

    def __call__(self, image: Image.Image) -> Tensor:
        """The input as at inference: resize, centre crop, normalise.

        Args:
            image: RGB and upright.

        Returns:
            float32 `[3, h, w]`. Where the crop is larger than the resized image, black pixels fill it up.

        Raises:
            ValueError: the image is not RGB, or so elongated that resizing it would fill the memory.
        """
        _check_rgb(image)
        width, height = self._resized(image.size)
        if width * height > _MOST_PIXELS:
            raise ValueError(
                f"the image has {image.width}×{image.height} pixels, and resized for the network it would "
                f"have {width:,}×{height:,}; cut out the part that matters first"
            )
        left, top = self._offset((width, height))
        h, w = self.input_size
        resized = image.resize((width, height), Image.Resampling[self.interpolation.upper()])
        return self._values(resized.crop((left, top, left + w, top + h)))

    def probe(self, image: Image.Image) -> Tensor:
        """The whole image squashed to the input's size (Pillow's bilinear filter), normalised alike.

        Dissection uses it, so that every labelled pixel is seen and labels stay aligned with the maps.

        Args:
            image: RGB and upright.

        Returns:
            float32 `[3, h, w]`.
        """
        _check_rgb(image)
        h, w = self.input_size
        return self._values(image.resize((w, h), Image.Resampling.BILINEAR))

    def crop(self, image_size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Which rectangle of the original the network sees.

        Args:
            image_size: (width, height) of the original, as Pillow gives it.

        Returns:
            (left, top, right, bottom) in the original's pixels; the corners of the whole image are
            (0, 0) and (width, height). It reaches beyond them where the input is filled up with black.
        """
        width, height = self._resized(image_size)
        left, top = self._offset((width, height))
        h, w = self.input_size
        sx, sy = image_size[0] / width, image_size[1] / height
        return (left * sx, top * sy, (left + w) * sx, (top + h) * sy)

    def describe(self) -> dict[str, object]:
        """The record for a manifest; all of it is JSON, a mean image is given by its hash."""
        mean_image = None
        if self.mean_image is not None:
            digest = hashlib.sha256(self.mean_image.contiguous().numpy().astype("<f4").tobytes())
            mean_image = f"sha256:{digest.hexdigest()}"
        return {
            "input_size": list(self.input_size),
            "resize": list(self.resize) if isinstance(self.resize, tuple) else self.resize,
            "interpolation": self.interpolation,
            "channels": self.channels,
            "scale": self.scale,
            "mean": list(self.mean),
            "std": list(self.std),
            "mean_image": mean_image,
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Preprocess) and self.describe() == other.describe()

    def __hash__(self) -> int:
        return hash(repr(self.describe()))

    def _resized(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) after resizing; the longer side is rounded down, as in torchvision."""
        width, height = image_size
        if isinstance(self.resize, tuple):
            return self.resize[1], self.resize[0]
        longer = int(self.resize * max(width, height) / min(width, height))
        return (self.resize, longer) if width <= height else (longer, self.resize)

    def _offset(self, resized: tuple[int, int]) -> tuple[int, int]:
        """(left, top) of the centre crop; negative where it sticks out. Halves go to the even number."""
        h, w = self.input_size
        left, top = (
            round((have - want) / 2) if have >= want else -((want - have) // 2)
            for have, want in zip(resized, (w, h), strict=True)
        )
        return left, top

    def _values(self, pixels: Image.Image) -> Tensor:
        # uint8 [h, w, 3] -> float32 [3, h, w]; division and subtraction in torchvision's order and precision
        x = torch.from_numpy(np.array(pixels)).permute(2, 0, 1).contiguous().float()
        if self.channels == "BGR":
            x = x.flip(0)
        if self.scale:
            x = x / 255
        if self.mean_image is not None:
            x = x - self.mean_image
        mean, std = (torch.tensor(v, dtype=torch.float32)[:, None, None] for v in (self.mean, self.std))
        return (x - mean) / std


def _is_length(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _size(field: str, value: object) -> tuple[int, int]:
    if isinstance(value, tuple | list) and len(value) == 2 and all(map(_is_length, value)):
        return (value[0], value[1])
    raise ValueError(f"{field}: expected (height, width) in whole pixels above 0, got {value!r}")


def _three(field: str, value: object) -> tuple[float, float, float]:
    if isinstance(value, tuple | list) and len(value) == 3:
        numbers = [v for v in value if isinstance(v, int | float) and not isinstance(v, bool)]
        if len(numbers) == 3 and all(map(math.isfinite, numbers)):
            return (float(numbers[0]), float(numbers[1]), float(numbers[2]))
    raise ValueError(f"{field}: expected three finite numbers, one per channel, got {value!r}")


def _check_rgb(image: Image.Image) -> None:
    if image.mode != "RGB":
        raise ValueError(
            f"the image: expected an upright RGB image, got mode {image.mode}; dissection.images.read_image "
            "reads any picture file as one"
        )


PRESETS: dict[str, Preprocess] = {
    "imagenet": Preprocess(),
    "caffe": Preprocess(channels="BGR", scale=False, mean=CAFFE_MEAN, std=(1.0, 1.0, 1.0)),
    "caffe-227": Preprocess((227, 227), channels="BGR", scale=False, mean=CAFFE_MEAN, std=(1.0, 1.0, 1.0)),
}
"""Recipes by name: torchvision's usual one, and that of networks converted from Caffe (224 or 227 pixels)."""


def preprocess_named(name: str) -> Preprocess:
    """The recipe that `PRESETS` holds under `name`.

    Raises:
        ValueError: there is none; the message offers near names.
    """
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(name.lower(), PRESETS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "bring any other as a neuro_explain.Preprocess"
    raise ValueError(f"preprocess: expected one of {', '.join(PRESETS)}, got {name!r}; {hint}")
