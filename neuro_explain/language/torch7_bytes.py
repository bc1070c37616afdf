"""Which objects follow one another in the bytes of a Torch7 file?

    root, parted = parse(data)

The format (binary, little-endian; an int has 4 bytes, a long and a double 8): an object is an int that tells its
type, then its value.

    0 nil        nothing
    1 number     a double
    2 string     int length, bytes
    3 table      int index, int size, then `size` pairs of objects
    4 torch      int index, string "V 1", string class name, then what the class writes
    5 boolean    int, 0 or 1
    8 function   int index, string of byte code, then its upvalues, an object (7: the same of old; 6: no index)

An index that came before stands for that same object, and nothing follows it. A storage writes its length, a long,
and its numbers; a tensor its number of dimensions, an int, its sizes, strides and offset from 1, longs, and its
storage, an object. All other classes (`nn.Linear`, `nngraph.Node`) write the table of their fields.

Nothing recurses, because networks are nested deeper than Python's stack; and no count is believed that the rest of
the file could not hold.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

_NIL, _NUMBER, _STRING, _TABLE, _TORCH, _BOOLEAN = range(6)
_OLD_FUNCTION, _LEGACY_FUNCTION, _FUNCTION = 6, 7, 8

_NUMBERS = {
    "Byte": "u1",
    "Char": "i1",
    "Short": "<i2",
    "Int": "<i4",
    "Long": "<i8",
    "Half": "<f2",
    "Float": "<f4",
    "Double": "<f8",
}
# A CudaTensor without a further name holds floats.
_DTYPES = {**_NUMBERS, "Cuda": "<f4", **{f"Cuda{name}": dtype for name, dtype in _NUMBERS.items()}}
_STORAGES = {f"torch.{name}Storage": np.dtype(dtype) for name, dtype in _DTYPES.items()}
TENSORS = {f"torch.{name}Tensor": np.dtype(dtype) for name, dtype in _DTYPES.items()}

_MOST_DIMENSIONS = 32
LONGS = (
    "longs of 64 bits are expected: a file written where they have 32 (Windows, 32-bit Linux) cannot be read"
)


class DamageError(Exception):
    """What was expected, what came, and where."""


@dataclass(eq=False)
class Parts:
    """An object whose `expected` parts, objects too, follow it in the file."""

    kind: Literal["table", "record", "tensor", "function"]
    expected: int
    at: int
    class_name: str = ""
    sizes: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    offset: int = 0
    parts: list[Any] = field(default_factory=list)


def parse(data: bytes) -> tuple[Any, list[Parts]]:
    """The object that the bytes hold, and all objects that have parts, in the order of the file.

    Returns:
        None, float, str, bool, a storage as a read-only array, or `Parts`; and every `Parts` once.

    Raises:
        DamageError: the bytes are no such file, or not all of one.
    """
    reader = _Reader(data)
    return reader.read(), reader.parted


class _Reader:
    """Goes through the bytes once, from the start to the end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.seen: dict[int, tuple[int, Any]] = {}  # by index: the type and the object
        self.parted: list[Parts] = []

    def read(self) -> Any:
        root = self._object()
        unfinished = [root] if isinstance(root, Parts) else []
        while unfinished:
            parts = unfinished[-1]
            if len(parts.parts) == parts.expected:
                unfinished.pop()
                continue
            known = len(self.parted)
            part = self._object()
            parts.parts.append(part)
            if len(self.parted) > known:
                unfinished.append(part)
        if self.at != len(self.data):
            raise DamageError(f"expected the end of the file at byte {self.at}, got {len(self.data):,} bytes")
        return root

    def _take(self, count: int, what: str) -> int:
        """The position of the next `count` bytes, which are skipped."""
        start = self.at
        if not 0 <= count <= len(self.data) - start:
            raise DamageError(
                f"damaged or cut short at byte {start}: expected {what}, {count:,} bytes, "
                f"but the file has {len(self.data):,}"
            )
        self.at += count
        return start

    def _int(self, what: str) -> int:
        (value,) = struct.unpack_from("<i", self.data, self._take(4, what))
        return int(value)

    def _longs(self, count: int, what: str) -> tuple[int, ...]:
        return struct.unpack_from(f"<{count}q", self.data, self._take(8 * count, what))

    def _bytes(self, what: str) -> bytes:
        count = self._int(f"the length of {what}")
        start = self._take(count, what)
        return self.data[start : start + count]

    def _string(self, what: str) -> str:
        return self._bytes(what).decode("utf-8", "surrogateescape")

    def _object(self) -> Any:
        """The next object; if its parts follow it, they are still to come."""
        start = self.at
        kind = self._int("the type of an object, an int from 0 to 8")
        if kind == _NIL:
            return None
        if kind == _NUMBER:
            (number,) = struct.unpack_from("<d", self.data, self._take(8, "a number"))
            return number
        if kind == _STRING:
            return self._string("a string")
        if kind == _BOOLEAN:
            boolean = self._int("a boolean")
            if boolean not in (0, 1):
                raise DamageError(f"damaged at byte {start}: expected a boolean, 0 or 1, got {boolean}")
            return boolean == 1
        if kind == _OLD_FUNCTION:
            return self._function(start)
        if kind not in (_TABLE, _TORCH, _LEGACY_FUNCTION, _FUNCTION):
            raise DamageError(f"damaged at byte {start}: expected the type of an object, 0 to 8, got {kind}")
        index = self._int("the index of an object")
        if index in self.seen:
            before, value = self.seen[index]
            if before != kind:
                raise DamageError(
                    f"damaged at byte {start}: expected the object {index} again, of type {before}, got type {kind}"
                )
            return value
        readers = {_TABLE: self._table, _TORCH: self._torch}
        value = readers.get(kind, self._function)(start)
        self.seen[index] = kind, value
        return value

    def _parts(self, parts: Parts) -> Parts:
        self.parted.append(parts)
        return parts

    def _function(self, start: int) -> Parts:
        self._bytes("the byte code of a function")
        return self._parts(Parts("function", 1, start))

    def _table(self, start: int) -> Parts:
        size = self._int("the size of a table")
        room = (len(self.data) - self.at) // 8
        if not 0 <= size <= room:  # a key and a value take four bytes each at the least
            raise DamageError(
                f"damaged or cut short at byte {self.at - 4}: expected the size of a table, at most {room:,} "
                f"in a file of {len(self.data):,} bytes, got {size:,}"
            )
        return self._parts(Parts("table", 2 * size, start))

    def _torch(self, start: int) -> NDArray[Any] | Parts:
        name = self._string("a version or class name")
        if name.startswith("V "):  # files older than the versions begin with the class
            name = self._string("the name of a class")
        if name in _STORAGES:
            return self._storage(_STORAGES[name])
        if name in TENSORS:
            return self._tensor(name, start)
        if name.startswith("tds.") or (name.startswith("torch.") and name.endswith(("Tensor", "Storage"))):
            raise DamageError(
                f"at byte {start}: expected a class that writes its fields, or a tensor or storage of "
                f"{', '.join(_DTYPES)}, got {name!r}, which writes itself in another way; convert it in Torch first"
            )
        return self._parts(Parts("record", 1, start, name))

    def _storage(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        start = self.at
        (length,) = self._longs(1, "the length of a storage")
        room = (len(self.data) - self.at) // dtype.itemsize
        if not 0 <= length <= room:
            raise DamageError(
                f"damaged or cut short at byte {start}: expected the length of a storage, at most {room:,} "
                f"in a file of {len(self.data):,} bytes, got {length:,}; {LONGS}"
            )
        return np.frombuffer(
            self.data, dtype, length, self._take(length * dtype.itemsize, "a storage's numbers")
        )

    def _tensor(self, name: str, start: int) -> Parts:
        dimensions = self._int("the number of a tensor's dimensions")
        if not 0 <= dimensions <= _MOST_DIMENSIONS:
            raise DamageError(
                f"damaged at byte {self.at - 4}: expected the number of a tensor's dimensions, at most "
                f"{_MOST_DIMENSIONS}, got {dimensions:,}"
            )
        sizes = self._longs(dimensions, "the sizes of a tensor")
        strides = self._longs(dimensions, "the strides of a tensor")
        (offset,) = self._longs(1, "the offset of a tensor")
        longest = max([*sizes, *strides, offset])
        if longest >= 2**32:  # two of 32 bits, taken for one of 64
            raise DamageError(
                f"damaged at byte {start}: expected sizes, strides and offset of a tensor below 2^32, "
                f"got {longest:,}; {LONGS}"
            )
        return self._parts(Parts("tensor", 1, start, name, sizes, strides, offset - 1))
