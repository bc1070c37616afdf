"""Weights and mean images out of Caffe, whose files are protocol-buffers messages, read without the library.

    read_layers("vgg16_places365.caffemodel")["conv1_1"]     # its weight and its bias
    read_mean("places365CNN_mean.binaryproto")               # [3, 256, 256]

A message is a row of fields. A field's key is `number << 3 | kind`; kind 0 is a whole number in groups of seven bits,
kind 1 eight bytes, kind 2 a length and that many bytes, kind 5 four bytes. Of Caffe's messages (`caffe.proto`) these
fields matter:

| message | fields |
|---|---|
| NetParameter | 100: layers; 2: layers as written until 2014 |
| LayerParameter | 1: name; 7: blobs |
| V1LayerParameter, the old one | 4: name; 6: blobs |
| BlobProto | 5: 32-bit numbers; 8: 64-bit numbers; 7: shape; 1 to 4: sizes as written until 2014 |
| BlobShape | 1: sizes |
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_LAYERS, _OLD_LAYERS = 100, 2
_NAME_AND_BLOBS = {_LAYERS: (1, 7), _OLD_LAYERS: (4, 6)}
_SIZES, _DATA, _SHAPE, _DOUBLES = (1, 2, 3, 4), 5, 7, 8


def read_layers(path: Path) -> dict[str, list[NDArray[np.float32]]]:
    """The learned arrays of every layer that has any, by the layer's name.

    The file is mapped, not read: 32-bit numbers come as read-only windows of it, which keep it open while they live
    and may begin at any byte. Copy what is to stay.

    Args:
        path: a `.caffemodel`, which is not empty.

    Raises:
        ValueError: the file is damaged or no network of Caffe, or two layers with weights have one name.
    """
    with path.open("rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    layers: dict[str, list[NDArray[np.float32]]] = {}
    try:
        for field, value in _fields(data):
            if field not in _NAME_AND_BLOBS or not isinstance(value, memoryview):
                continue
            name, blobs = _layer(value, *_NAME_AND_BLOBS[field])
            if blobs and name in layers:
                raise ValueError(f"two layers are called {name!r}")
            if blobs:
                layers[name] = blobs
    except (IndexError, ValueError) as error:
        raise ValueError(f"{path}: damaged, or not a network of Caffe: {error}") from error
    if not layers:
        raise ValueError(f"{path}: no network of Caffe, or one without weights")
    return layers


def _layer(data: memoryview, name_field: int, blobs_field: int) -> tuple[str, list[NDArray[np.float32]]]:
    name, blobs = "", []
    for field, value in _fields(data):
        if field == name_field and isinstance(value, memoryview):
            name = str(value, "utf-8")
        elif field == blobs_field and isinstance(value, memoryview):
            blobs.append(_shaped(*_blob(value)))
    return name, blobs


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
        shape, numbers = _blob(memoryview(path.read_bytes()))
        while len(shape) > 3 and shape[0] == 1:
            shape = shape[1:]
        if len(shape) != 3:
            raise ValueError(f"{numbers.size} numbers of shape {shape} are no image")
        return np.array(_shaped(shape, numbers))
    except (IndexError, ValueError) as error:
        raise ValueError(f"{path}: damaged, or not a Caffe mean image: {error}") from error


def _shaped(shape: list[int], numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    count = 1
    for size in shape:  # in whole numbers of any length: sizes out of a damaged file overflow those of NumPy
        count *= size
    if count != numbers.size:
        raise ValueError(f"{numbers.size} numbers for a shape of {shape}")
    return numbers.reshape(shape)


def _blob(data: memoryview) -> tuple[list[int], NDArray[np.float32]]:
    sizes: dict[int, int] = {}
    shape: list[int] = []
    numbers: list[NDArray[np.float32]] = []
    for field, value in _fields(data):
        if field in (_DATA, _DOUBLES) and isinstance(value, memoryview):
            read = np.frombuffer(value, "<f4" if field == _DATA else "<f8")
            numbers.append(read.astype(np.float32, copy=False))
        elif field in _SIZES and isinstance(value, int):
            sizes[field] = value
        elif field == _SHAPE and isinstance(value, memoryview):
            for inner, size in _fields(value):
                shape += [size] if inner == 1 and isinstance(size, int) else list(_numbers(size))
    if len(numbers) == 1:
        return shape or [sizes.get(field, 1) for field in _SIZES], numbers[0]
    found = np.concatenate(numbers) if numbers else np.empty(0, np.float32)
    return shape or [sizes.get(field, 1) for field in _SIZES], found


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
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


def _numbers(data: int | memoryview) -> Iterator[int]:
    at = 0
    while isinstance(data, memoryview) and at < len(data):
        value, at = _number(data, at)
        yield value


def _number(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, more, shift = at + 1, data[at] >= 0x80, shift + 7
        if not more:
            return value, at
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
