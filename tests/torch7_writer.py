"""What Lua Torch's `torch.save` writes, written here a second time and for tests only.

    write(path, {"weight": tensor(np.zeros((2, 3), "f4"))})

Tables are Python's dicts and lists, and objects that are the same object are written once and then referred to.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

NAMES = {
    "u1": "Byte", "i1": "Char", "i2": "Short", "i4": "Int", "i8": "Long", "f2": "Half", "f4": "Float", "f8": "Double",
}  # fmt: skip


@dataclass(eq=False)
class Lua:
    """An object of a class that writes the table of its fields."""

    class_name: str
    fields: dict[Any, Any]


@dataclass(eq=False)
class Pairs:
    """A table of which the keys are anything."""

    pairs: list[tuple[Any, Any]]


@dataclass(eq=False)
class Function:
    """A function: byte code that nobody should run, and what it closes over."""

    code: bytes
    upvalues: Any
    kind: int = 8


@dataclass(eq=False)
class Storage:
    numbers: np.ndarray
    class_name: str = ""

    def __post_init__(self) -> None:
        assert self.numbers.ndim == 1
        self.class_name = self.class_name or f"torch.{NAMES[self.numbers.dtype.str[1:]]}Storage"


@dataclass(eq=False)
class Tensor:
    storage: Storage | None
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0
    class_name: str = ""

    def __post_init__(self) -> None:
        if not self.class_name:
            assert self.storage is not None
            self.class_name = self.storage.class_name.replace("Storage", "Tensor")


def tensor(array: Any, *, cuda: bool = False) -> Tensor:
    """A contiguous tensor with a storage of its own."""
    array = np.ascontiguousarray(array)
    name = NAMES[array.dtype.str[1:]]
    if cuda:
        name = "Cuda" if name == "Float" else f"Cuda{name}"
    strides = tuple(step // array.itemsize for step in array.strides)
    return Tensor(Storage(array.reshape(-1), f"torch.{name}Storage"), array.shape, strides)


class Writer:
    def __init__(self) -> None:
        self.out = bytearray()
        self.indices: dict[int, int] = {}
        self.kept: list[Any] = []  # so that no id is used twice

    def int(self, *values: int) -> None:
        self.out += struct.pack(f"<{len(values)}i", *values)

    def long(self, *values: int) -> None:
        self.out += struct.pack(f"<{len(values)}q", *values)

    def string(self, value: str | bytes) -> None:
        raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
        self.int(len(raw))
        self.out += raw

    def again(self, kind: int, value: Any) -> bool:
        """The type and index; whether the object has been written before."""
        before = id(value) in self.indices
        self.kept.append(value)
        self.int(kind, self.indices.setdefault(id(value), len(self.indices) + 1))
        return before

    def object(self, value: Any) -> None:
        if value is None:
            self.int(0)
        elif isinstance(value, bool):
            self.int(5, int(value))
        elif isinstance(value, int | float):
            self.int(1)
            self.out += struct.pack("<d", value)
        elif isinstance(value, str | bytes):
            self.int(2)
            self.string(value)
        elif isinstance(value, dict | list | Pairs):
            if not self.again(3, value):
                self.table(value)
        elif isinstance(value, Function):
            if value.kind == 6:
                self.int(6)
            elif self.again(value.kind, value):
                return
            self.string(value.code)
            self.object(value.upvalues)
        elif not self.again(4, value):
            self.string("V 1")
            self.string(value.class_name)
            self.torch(value)

    def table(self, value: dict[Any, Any] | list[Any] | Pairs) -> None:
        if isinstance(value, list):
            pairs = list(enumerate(value, 1))
        else:
            pairs = list(value.items()) if isinstance(value, dict) else value.pairs
        self.int(len(pairs))
        for key, one in pairs:
            self.object(key)
            self.object(one)

    def torch(self, value: Any) -> None:
        if isinstance(value, Storage):
            self.long(len(value.numbers))
            self.out += value.numbers.astype(value.numbers.dtype.newbyteorder("<")).tobytes()
        elif isinstance(value, Tensor):
            self.int(len(value.sizes))
            self.long(*value.sizes, *value.strides, value.offset + 1)
            self.object(value.storage)
        else:
            self.object(value.fields)


def saved(value: Any) -> bytes:
    """The bytes of a file that holds the value."""
    writer = Writer()
    writer.object(value)
    return bytes(writer.out)


def write(path: Path, value: Any) -> Path:
    path.write_bytes(saved(value))
    return path
