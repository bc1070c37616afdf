"""What does a file of Lua Torch's `torch.save` hold, without running anything from it?

    checkpoint = read_torch7("model_id1.t7")
    checkpoint["protos"].keys()                         # lm, cnn
    checkpoint["protos"]["cnn"].class_name              # "nn.Sequential"
    checkpoint["protos"]["cnn"].fields["modules"][0]    # its first layer, a Torch7Object too

In Python: a table with the keys 1 to n is a list, any other a dict; a number is a float; a string is decoded from
UTF-8, and bytes that are not UTF-8 are escaped ("surrogateescape"); tensors and storages are read-only NumPy arrays
that share memory where they did in Torch, those of CUDA included; a function is None. One object stays one object
wherever it is referred to, so a table may hold itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro_explain.checkpoint import existing_file
from neuro_explain.language.torch7_bytes import LONGS, TENSORS, DamageError, Parts, parse

# Strides of zero repeat numbers at no cost, but beyond this NumPy cannot count them.
_MOST_NUMBERS = 2**48


@dataclass(frozen=True, eq=False)
class Torch7Object:
    """An object of any class but the tensors and storages, with nothing of the class but its name.

    Attributes:
        class_name: such as `nn.Linear`.
        fields: its fields by name.
    """

    class_name: str
    fields: dict[Any, Any] = field(repr=False)  # networks refer to one another in circles


@dataclass(frozen=True, eq=False)
class Torch7Key:
    """A key of a table that is itself a table or tensor, or a boolean (in a dict True would equal 1).

    Two are equal if they hold the very same object.
    """

    value: Any = field(repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Torch7Key) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def read_torch7(path: str | Path) -> Any:
    """The object that a file of `torch.save` holds.

    Args:
        path: a file in the binary format, which is `torch.save`'s own choice.

    Returns:
        None, float, str, bool, list, dict, array or `Torch7Object`; see the top of this module.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: damaged or cut short, of another format, or with a class that cannot be read past; the message
            says at which byte, and what was expected there.
    """
    path = existing_file(path)
    data = path.read_bytes()
    try:
        return _built(*parse(data))
    except DamageError as damage:
        raise ValueError(f"{path}: {damage}{_other_format(data)}") from None


def _built(root: Any, parted: list[Parts]) -> Any:
    """What the parts mean.

    Whether a table is a list is known only when all its keys are, by which time other objects may refer to it: so
    everything is made first, and filled then.
    """
    made: dict[int, Any] = {}

    def made_of(value: Any) -> Any:
        return made[id(value)] if isinstance(value, Parts) else value

    for parts in parted:
        made[id(parts)] = _made(parts)
    for parts in parted:
        if parts.kind == "table":
            _fill(made[id(parts)], [made_of(part) for part in parts.parts])
    for parts in parted:
        if parts.kind == "record":
            table = made_of(parts.parts[0])
            if not isinstance(table, dict | list):
                raise DamageError(
                    f"damaged at byte {parts.at}: expected the table of the fields of a {parts.class_name!r}, "
                    f"got {type(table).__name__}; or the class writes itself in another way"
                )
            items = table if isinstance(table, dict) else {float(i): v for i, v in enumerate(table, 1)}
            made[id(parts)].fields.update(items)
    return made_of(root)


def _made(parts: Parts) -> Any:
    """The object in Python; tables and records are still empty."""
    if parts.kind == "function":
        return None
    if parts.kind == "record":
        return Torch7Object(parts.class_name, {})
    if parts.kind == "tensor":
        return _array(parts)
    keys = parts.parts[::2]
    if any(key is None or (isinstance(key, float) and math.isnan(key)) for key in keys):
        raise DamageError(
            f"damaged at byte {parts.at}: expected a table, got one with nil or NaN among its keys"
        )
    counts = all(isinstance(key, float) for key in keys) and set(keys) == set(range(1, len(keys) + 1))
    return [None] * len(keys) if counts else {}


def _fill(table: list[Any] | dict[Any, Any], parts: list[Any]) -> None:
    """Puts in the keys and values, which alternate."""
    for key, value in zip(parts[::2], parts[1::2], strict=True):
        if isinstance(table, list):
            table[int(key) - 1] = value
        elif isinstance(key, float | str | Torch7Object):
            table[key] = value
        elif key is not None:  # an entry under a function goes with the function
            table[Torch7Key(key)] = value


def _array(tensor: Parts) -> NDArray[Any]:
    """The tensor as a view of its storage; one without dimensions holds nothing, in Torch."""
    dtype = TENSORS[tensor.class_name]
    (storage,) = tensor.parts
    if storage is None:
        storage = np.empty(0, dtype)
        storage.flags.writeable = False
    if not isinstance(storage, np.ndarray) or storage.dtype != dtype:
        got = storage.dtype if isinstance(storage, np.ndarray) else type(storage).__name__
        raise DamageError(
            f"damaged at byte {tensor.at}: expected the storage of a {tensor.class_name}, {dtype}, got {got}"
        )
    if not tensor.sizes:
        return storage[:0]
    # the stride of a single step is never taken, and may be anything
    strides = [0 if size == 1 else stride for size, stride in zip(tensor.sizes, tensor.strides, strict=True)]
    last = tensor.offset + sum(
        (size - 1) * stride for size, stride in zip(tensor.sizes, strides, strict=True)
    )
    sound = min(tensor.sizes) >= 0 and math.prod(tensor.sizes) <= _MOST_NUMBERS
    if sound and 0 in tensor.sizes:
        return storage[:0].reshape(tensor.sizes)
    if not sound or min(strides) < 0 or not 0 <= tensor.offset <= last < len(storage):
        raise DamageError(
            f"damaged at byte {tensor.at}: expected a tensor within its storage of {len(storage):,} numbers, got "
            f"sizes {list(tensor.sizes)}, strides {list(tensor.strides)} and offset {tensor.offset + 1}; {LONGS}"
        )
    steps = [stride * dtype.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.sizes, steps, writeable=False)


def _other_format(data: bytes) -> str:
    """What else the file may be, by its first bytes."""
    if data[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04"):
        return "; this looks like a file of PyTorch, not of Lua Torch"
    if data[:1].isdigit() and data[1:2] in b"\r\n":
        return "; this looks like Torch's ASCII format: load it in Torch and save it again, as binary"
    if len(data) >= 4 and data[:3] == b"\0\0\0" and 0 < data[3] <= 8:
        return "; this looks like a big-endian file, and little-endian ones are expected"
    return ""
