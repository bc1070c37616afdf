"""Arrays in, pictures out: the colour maps, tiny overlays, small charts, and images that fit a budget.

Three colour maps of 256 colours, first colour for zero (or the most negative value), last for the maximum:

* `heat`: from dark violet over red to light yellow. Its lightness (OKLab) rises evenly, so it reads the same
  for colour-blind eyes and in greyscale, and equal steps of the value look equally large.
* `signed`: blue – grey – orange around zero, equally light on both sides. A page never shows it without
  hatching or signs: the sign is not told by colour alone.
* `paper`: the rainbow ("jet") of the Grad-CAM paper, as a choice.

OKLab: Björn Ottosson, "A perceptual color space for image processing", 2020.
"""

from __future__ import annotations

import base64
import io
from functools import cache, lru_cache
from itertools import groupby

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

COLOURS = 256
THUMBNAIL_BYTES = 6_000
_THUMBNAILS = ((320, 70), (320, 50), (280, 40), (224, 35), (160, 30), (96, 20))  # long side, quality
_MAP_OPACITY, _UNSEEN, _DIMMED = 0.8, (0x0D, 0x0B, 0x10), 0.62  # as page.css shows a large photograph


def _oklch_to_rgb(
    lightness: NDArray[np.float64], chroma: NDArray[np.float64], hue: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """OKLCh (hue in degrees) to 8-bit sRGB, clipped to the gamut. `[N]` each to `[N, 3]`."""
    a, b = chroma * np.cos(np.radians(hue)), chroma * np.sin(np.radians(hue))
    cones = np.stack(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ]
    )
    to_linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = np.clip(to_linear @ cones**3, 0, 1)
    encoded: NDArray[np.float64] = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
    )
    colours: NDArray[np.uint8] = np.rint(255 * encoded.T).astype(np.uint8)
    return colours


def _even(
    lightness: NDArray[np.float64], chroma: NDArray[np.float64], hue: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """`COLOURS` colours along a path through OKLCh, equally far from one another."""
    steps = np.hypot(np.diff(lightness), np.hypot(*_polar_steps(chroma, hue)))
    way = np.concatenate([[0.0], np.cumsum(steps)])
    at = np.linspace(0, way[-1], COLOURS)
    path = (lightness, chroma, hue)
    return _oklch_to_rgb(*(np.interp(at, way, values) for values in path))


def _polar_steps(
    chroma: NDArray[np.float64], hue: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    angle = np.radians(hue)
    return np.diff(chroma * np.cos(angle)), np.diff(chroma * np.sin(angle))


@cache
def colour_table(name: str) -> NDArray[np.uint8]:
    """The 256 colours of a map, `[256, 3]`: `heat`, `signed` or `paper`."""
    t = np.linspace(0, 1, 2001)
    if name == "heat":
        return _even(0.16 + 0.79 * t, 0.085 + 0.095 * np.sin(np.pi * t), 285 + 175 * t)
    if name == "signed":
        t = np.linspace(0, 1, COLOURS)
        side = np.abs(2 * t - 1)
        return _oklch_to_rgb(0.94 - 0.34 * side, 0.155 * side, np.where(t < 0.5, 252.0, 50.0))
    if name == "paper":
        t = np.linspace(0, 1, COLOURS)
        ramps = [1.5 - np.abs(4 * t - centre) for centre in (3, 2, 1)]
        return np.rint(255 * np.clip(np.stack(ramps, axis=1), 0, 1)).astype(np.uint8)
    raise ValueError(f"colour map {name!r}: expected heat, signed or paper")


def overlay(cells: NDArray[np.float32], colours: str) -> bytes:
    """A map `[h, w]` as a picture of h × w pixels, for a browser to enlarge: PNG with transparency.

    Zero is the first colour and lets the photograph through (not with `paper`, which covers evenly); the
    largest cell is exactly the last colour, opaque. A map without a positive cell is transparent.
    """
    return _encode(Image.fromarray(_tint(cells, colours)), "PNG")


def _tint(cells: NDArray[np.float32], colours: str) -> NDArray[np.uint8]:
    """Colour and opacity of each cell, `[h, w, 4]`, as `overlay` says."""
    peak = float(cells.max())
    share = np.clip(cells, 0, None) / peak if peak > 0 else np.zeros(cells.shape)
    index = np.rint(share * (COLOURS - 1)).astype(np.intp)
    opacity = np.rint(255.0 if colours == "paper" else 90 + 165 * share) * np.ones(cells.shape) * (peak > 0)
    return np.dstack([colour_table(colours)[index], opacity.astype(np.uint8)])


def thumbnail(
    photograph: bytes,
    cells: NDArray[np.float32],
    colours: str,
    crop: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
) -> bytes:
    """A small photograph with a map over it, as the large one of a page looks: WebP within `THUMBNAIL_BYTES`.

    Args:
        photograph: an encoded image.
        cells: the map `[h, w]`; enlarged bilinearly, then coloured.
        colours: `heat` or `paper`.
        crop: left, top, right, bottom of the map as shares of the photograph; what lies outside is dimmed.
    """
    with Image.open(io.BytesIO(photograph)) as image:
        whole = image.convert("RGB")
    made = b""
    for side, quality in _THUMBNAILS:
        small = whole.copy()
        small.thumbnail((side, side))
        left, top, right, bottom = (
            round(share * length) for share, length in zip(crop, small.size * 2, strict=True)
        )
        size = (max(1, right - left), max(1, bottom - top))
        values = np.asarray(Image.fromarray(np.clip(cells, 0, None)).resize(size, Image.Resampling.BILINEAR))
        picture = Image.blend(small, Image.new("RGB", small.size, _UNSEEN), _DIMMED)
        picture.paste(small.crop((left, top, left + size[0], top + size[1])), (left, top))
        tint = _tint(values, colours)
        opacity = np.rint(_MAP_OPACITY * tint[..., 3]).astype(np.uint8)
        picture.paste(Image.fromarray(tint[..., :3]), (left, top), Image.fromarray(opacity))
        made = _encode(picture, "WEBP", quality=quality, method=4)
        if len(made) <= THUMBNAIL_BYTES:
            break
    return made


def pixel_picture(cells: NDArray[np.float32], size: tuple[int, int]) -> bytes:
    """A map of single pixels, by itself, since a photograph would hide its lines: WebP, as large as a thumbnail.

    Args:
        cells: `[h, w]`, at least 0. The brightest half per cent is cut off: one pixel would darken all the others.
        size: width and height of the picture that it belongs to.
    """
    scale = min(1.0, _THUMBNAILS[0][0] / max(size))
    width, height = (max(1, round(length * scale)) for length in size)
    # smaller by the mean, so that no line is lost between two pixels
    values = np.asarray(
        Image.fromarray(np.clip(cells, 0, None)).resize((width, height), Image.Resampling.BOX)
    )
    peak = float(np.quantile(values, 0.995)) or float(values.max())
    share = np.clip(values / peak, 0, 1) if peak > 0 else np.zeros(values.shape)
    colours = colour_table("heat")[np.rint(share * (COLOURS - 1)).astype(np.intp)]
    return _encode(Image.fromarray(colours), "WEBP", quality=60, method=4)


def _encode(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def data_uri(data: bytes) -> str:
    """Bytes of a PNG, WebP or JPEG as a `data:` address."""
    kind = "png" if data[:4] == b"\x89PNG" else "jpeg" if data[:2] == b"\xff\xd8" else "webp"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height of an encoded image."""
    with Image.open(io.BytesIO(data)) as image:
        return image.width, image.height


@lru_cache(maxsize=512)  # the pages of a collection show the same units
def shrink(data: bytes, quality: int, height: int | None = None) -> bytes:
    """The image as WebP of the given quality, no higher than `height`; the original where that is smaller."""
    with Image.open(io.BytesIO(data)) as image:
        small = image.convert("RGB")
    if height is not None and small.height > height:
        small = small.resize((max(1, round(small.width * height / small.height)), height))
    made = _encode(small, "WEBP", quality=quality)
    return made if len(made) < len(data) else data


def pack(cells: NDArray[np.float32]) -> dict[str, float | str]:
    """A map's cells for the browser: signed bytes, −127…127, in base64, and the value of one step.

    Zero stays exactly zero, so the sign of a cell survives the rounding or becomes none. Most cells of a rectified
    map are zero, so a run of zeros is written as one 0 and the length of the run, 1…255.
    """
    peak = float(np.abs(cells).max())
    step = peak / 127 if peak > 0 else 0.0
    # in float64: a step of the smallest float32 numbers is 0 in float32
    whole = np.rint(cells.astype(np.float64) / step) if step > 0 else np.zeros(cells.shape)
    data = bytearray()
    for value, run in groupby(whole.astype(np.int8).tobytes()):
        length = len(list(run))
        if value:
            data += bytes([value]) * length
        while not value and length > 0:
            data += bytes([0, min(length, 255)])
            length -= 255
    return {"step": float(f"{step:.6g}"), "cells": base64.b64encode(data).decode("ascii")}


def signed_bar(share: float) -> Markup:
    """A bar from the middle: to the right for +, hatched and to the left for −; `share` in −1…1."""
    width = round(50 * min(1.0, abs(share)), 1)
    kind, x = ("minus", round(50 - width, 1)) if share < 0 else ("plus", 50)
    return Markup(
        '<svg class="bar" viewBox="0 0 100 8" aria-hidden="true"><path class="axis" d="M50 0v8"/>'
        '<rect class="{}" x="{}" y="1" width="{}" height="6"/></svg>'
    ).format(kind, f"{x:g}", f"{width:g}")


def share_bar(share: float, kind: str = "plus") -> Markup:
    """A bar from the left on a track; `share` in 0…1."""
    return Markup(
        '<svg class="bar wide" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="8"/><rect class="{}" width="{}" height="8"/></svg>'
    ).format(kind, f"{100 * min(1.0, max(0.0, share)):.4g}")


def iou_bar(iou: float, low: float | None, high: float | None, kind: str = "plus") -> Markup:
    """A bar from the left on a track as `share_bar`, with a line from `low` to `high` where they are known."""
    reach = Markup("")
    if low is not None and high is not None:
        start, end = (100 * min(1.0, max(0.0, value)) for value in (low, high))
        reach = Markup('<rect class="reach" x="{}" y="3" width="{}" height="2"/>').format(
            f"{start:.4g}", f"{end - start:.4g}"
        )
    return share_bar(iou, kind).replace(Markup("</svg>"), reach + Markup("</svg>"))


def interval_bar(value: float, low: float, high: float, start: float, end: float) -> Markup:
    """A dot at `value` with a line from `low` to `high`, on an axis from `start` to `end`."""
    span = (end - start) or 1.0
    at, left, right = (100 * min(1.0, max(0.0, (v - start) / span)) for v in (value, low, high))
    zero = 100 * min(1.0, max(0.0, -start / span))
    return Markup(
        '<svg class="interval" aria-hidden="true"><line class="track" x1="0" x2="100%" y1="50%" y2="50%"/>'
        '<line class="axis" x1="{}%" x2="{}%" y1="0" y2="100%"/>'
        '<line class="reach" x1="{}%" x2="{}%" y1="50%" y2="50%"/><circle cx="{}%" cy="50%" r="5"/></svg>'
    ).format(*(f"{v:.4g}" for v in (zero, zero, left, right, at)))
