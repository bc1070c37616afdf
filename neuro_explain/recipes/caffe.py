"""A mean image out of Caffe: what a network subtracts from its input, pixel by pixel.

Caffe keeps it as a BlobProto, a protocol-buffers message of which four fields matter here: the sizes, old
(fields 1 to 4) or new (field 7), and the numbers (field 5, 32-bit floats). That much is read without the
library: a key is `field << 3 | kind`; kind 0 is a whole number in groups of seven bits, kind 2 a length
and that many bytes, kind 5 four bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_SIZES, _DATA, _SHAPE = (1, 2, 3, 4), 5, 7


def read_mean(path: Path) -> NDArray[np.float32]:
    """The mean image, float32 `[channels, h, w]`.

    Args:
        path: a `.binaryproto` or a `.npy` file.

    Raises:
        ValueError: the file is damaged or holds no image.
    """
    if path.suffix == ".npy":
        try:
            image = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ValueError(f"{path}: damaged, or not an array: {error}") from error
        if image.ndim != 3 or image.dtype.kind not in "fui":
            raise ValueError(
                f"{path}: expected numbers [channels, h, w], got {image.dtype} {list(image.shape)}"
            )
        return np.asarray(image, dtype=np.float32)
    try:
        shape, numbers = _blob(path.read_bytes())
    except (IndexError, ValueError) as error:
        raise ValueError(f"{path}: damaged, or not a Caffe mean image: {error}") from error
    while len(shape) > 3 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) != 3 or int(np.prod(shape)) != numbers.size:
        raise ValueError(f"{path}: damaged: {numbers.size} numbers for an image of {shape}")
    return numbers.reshape(shape)


def _blob(data: bytes) -> tuple[list[int], NDArray[np.float32]]:
    sizes: dict[int, int] = {}
    shape: list[int] = []
    numbers: list[NDArray[np.float32]] = []
    for field, value in _fields(data):
        if field == _DATA and isinstance(value, bytes):
            numbers.append(np.frombuffer(value, "<f4"))
        elif field in _SIZES and isinstance(value, int):
            sizes[field] = value
        elif field == _SHAPE and isinstance(value, bytes):
            for inner, size in _fields(value):
                shape += [size] if inner == 1 and isinstance(size, int) else list(_numbers(size))
    found = np.concatenate(numbers) if numbers else np.empty(0, np.float32)
    return shape or [sizes.get(field, 1) for field in _SIZES], found.astype(np.float32)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        key, at = _number(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _number(data, at)
            yield key >> 3, value
            continue
        if kind == 2:
            length, at = _number(data, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field of unknown kind {kind}")
        if at + length > len(data):
            raise ValueError("the file ends too early")
        yield key >> 3, data[at : at + length]
        at += length


def _numbers(data: int | bytes) -> Iterator[int]:
    at = 0
    while isinstance(data, bytes) and at < len(data):
        value, at = _number(data, at)
        yield value


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, more, shift = at + 1, data[at] >= 0x80, shift + 7
        if not more:
            return value, at
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
