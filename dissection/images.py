"""Photographs in: whatever lies in the file comes out as one upright RGB picture.

    picture = read_image("kitchen.jpg")        # PIL, mode RGB, turned as its EXIF orientation says
    square = squash(picture, 224)              # what a network or the colour table is shown

| in the file | out |
|---|---|
| CMYK, YCbCr, grey, one bit, palette | converted to RGB |
| 16 bits a channel | the high byte (value >> 8) |
| an alpha channel or a transparent colour | composited on white |
| several frames (GIF, APNG, TIFF, WebP) | the first |
| EXIF orientation | applied, then forgotten |

A file that cannot be read is an `ImageError`: one sentence with the file's name. Pillow's own warnings (odd
metadata, many pixels) do not reach the caller; from twice `PIL.Image.MAX_IMAGE_PIXELS` on a file is refused.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

# Formats that hold photographs or masks. Not every format that Pillow knows: some of its readers start other
# programs (EPS), and a concept set may come from a stranger.
_FORMATS = (
    "AVIF",
    "BMP",
    "DIB",
    "GIF",
    "ICO",
    "JPEG",
    "JPEG2000",
    "PCX",
    "PNG",
    "PPM",
    "TGA",
    "TIFF",
    "WEBP",
)
# What a search for photographs in a folder takes.
SUFFIXES = frozenset(
    (".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
)

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageError(ValueError):
    """An image file that cannot be used; the message names it and says why."""


class MissingImageError(ImageError, FileNotFoundError):
    """An image file that is not there."""


def read_image(path: str | os.PathLike[str]) -> Image.Image:
    """The photograph in a file: upright, RGB, without metadata.

    Args:
        path: a file in one of the usual image formats.

    Raises:
        ImageError: no such file, a folder, an empty or truncated file, not an image, too many pixels, or
            pixel values that have no agreed brightness (floating point, more than 16 bits).
    """
    with opened(path) as image:
        image.load()
        rgb = _to_rgb(image)
        turn = _TURNS.get(_orientation(image))
        if turn is not None:
            rgb = rgb.transpose(turn)
        clean = Image.new("RGB", rgb.size)  # pixels only: a kept EXIF orientation would be applied twice
        clean.paste(rgb)
    return clean


def upright_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """(width, height) of `read_image(path)`; for most formats only the file's head is read.

    Raises:
        ImageError: as for `read_image`, as far as the head tells.
    """
    with opened(path) as image:
        if image.format == "TIFF":
            image.load()  # Pillow itself turns TIFF images while it loads them
        width, height = image.size
        return (height, width) if _orientation(image) >= 5 else (width, height)


def orientation(path: str | os.PathLike[str]) -> int:
    """How the photograph in a file lies there, as its EXIF says: 1 upright, 2 to 8 mirrored or turned.

    From 5 on, its sides swap when it is turned upright; below, its size stays the same.

    Raises:
        ImageError: as for `upright_size`.
    """
    with opened(path) as image:
        return _orientation(image)


def squash(image: Image.Image, size: int) -> Image.Image:
    """The whole image as `size` × `size` pixels (bilinear, Pillow's); no crop, so labels stay aligned."""
    return image.resize((size, size), Image.Resampling.BILINEAR)


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Image.Image]:
    """Open an image file and turn whatever goes wrong with it, here or in the body, into an `ImageError`."""
    name = os.fspath(path)
    try:
        with _quiet(), Image.open(_readable(Path(path)), formats=_formats()) as image:
            yield image
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: not an image in a known format (JPEG, PNG, TIFF, WebP, …)") from error
    except Image.DecompressionBombError as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise ImageError(f"{name}: has more than {limit:,} pixels; make it smaller first") from error
    except Exception as error:  # decoders raise whatever broken bytes lead them to; the cause stays attached
        reason = str(error) or type(error).__name__
        raise ImageError(f"{name}: cannot be decoded, it is truncated or damaged ({reason})") from error


def _readable(path: Path) -> Path:
    try:
        if path.is_dir():
            raise ImageError(f"{path}: is a folder, an image file was expected")
        if path.stat().st_size == 0:
            raise ImageError(f"{path}: is empty, an image was expected")
    except FileNotFoundError as error:
        raise MissingImageError(f"{path}: no such image file") from error
    except OSError as error:
        raise ImageError(f"{path}: cannot be opened ({error.strerror or error})") from error
    return path


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8; 1 (upright) where it is absent or nonsense."""
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if isinstance(value, int) and value in _TURNS else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits, or 16 of them in 32
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ImageError(
                f"{_name(image)}: has grey values {values.min()} to {values.max()}, 0 to 65535 was expected; "
                "save it with 8 or 16 bits"
            )
        return Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ImageError(
            f"{_name(image)}: holds floating-point values, of which none is known to be white; "
            "save it with 8 or 16 bits"
        )
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        return white.convert("RGB")
    return image.convert("RGB")


def _name(image: Image.Image) -> str:
    return str(getattr(image, "filename", "") or "image")


@lru_cache(maxsize=1)
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)  # which ones depends on Pillow's build


class _Quiet:
    """A context that ignores warnings raised inside Pillow, for several threads at a time.

    The list of warning filters belongs to the whole process, and `catch_warnings` in two threads can put it
    back in the wrong order. So the first thread in sets the filter and the last one out takes it away.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._caught = warnings.catch_warnings()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        if getattr(sys.flags, "context_aware_warnings", False):  # newer Pythons: each thread has its own list
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", module=r"PIL\.")
                yield
            return
        with self._lock:
            if self._inside == 0:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._caught.__exit__(None, None, None)


_quiet = _Quiet()
