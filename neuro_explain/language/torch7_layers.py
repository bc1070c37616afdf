"""Which PyTorch layers do the layers of a Torch7 file stand for?

    cnn = sequential(checkpoint["protos"]["cnn"], "protos.cnn")      # an nn.Sequential of a chain of layers

Known are the layers of which VGG networks are made, those of `nn` and `cudnn` alike. A layer keeps the name that
loadcaffe gave it (`conv5_3`, `relu5_3`), or is called after its kind and its place. ReLUs do not work in place here:
the values are the same, and maps before them stay as they were.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neuro_explain.language.torch7 import Torch7Object

Fields = dict[Any, Any]


def sequential(record: object, what: str) -> nn.Sequential:
    """A chain of layers with its weights, in eval mode.

    Args:
        record: the `nn.Sequential` as it was read.
        what: what it is called in errors.

    Raises:
        ValueError: no such chain, a layer of an unknown class, or weights that do not fit their layer.
    """
    if not isinstance(record, Torch7Object) or record.class_name != "nn.Sequential":
        raise ValueError(f"{what}: expected an nn.Sequential, got {kind(record)}")
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    chain = record.fields.get("modules")
    if not isinstance(chain, list) or not chain:
        raise ValueError(f"{what}: expected an nn.Sequential with a list of layers, got {kind(chain)}")
    for place, one in enumerate(chain, 1):
        here = f"{what}, layer {place}"
        if not isinstance(one, Torch7Object) or one.class_name not in _MAKERS:
            raise ValueError(f"{here}: expected one of {', '.join(sorted(_MAKERS))}, got {kind(one)}")
        try:
            layer = _MAKERS[one.class_name](one.fields)
        except ValueError as error:
            raise ValueError(f"{here} ({one.class_name}): {error}") from None
        name = one.fields.get("name")
        if (
            not isinstance(name, str)
            or not name.isidentifier()
            or hasattr(nn.Sequential(), name)
            or name in layers
        ):
            name = f"{type(layer).__name__.lower()}_{place}"
        layers[name] = layer
    return nn.Sequential(layers).eval()


def kind(value: object) -> str:
    """What a value of a Torch7 file is, for errors."""
    if isinstance(value, Torch7Object):
        return value.class_name
    if isinstance(value, np.ndarray):
        return f"a tensor {list(value.shape)}"
    return {type(None): "nothing", dict: "a table", list: "a list"}.get(type(value), repr(value))


def weight(value: object, what: str) -> Tensor:
    """A weight as float32, copied out of the file.

    Raises:
        ValueError: no tensor of floating-point numbers, or one whose numbers do not lie one after the other.
    """
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or not value.size:
        raise ValueError(f"{what}: expected a tensor of floating-point numbers, got {kind(value)}")
    if not value.flags.c_contiguous:  # repeated numbers would take memory that no file has
        raise ValueError(
            f"{what}: expected a contiguous tensor, got strides; call contiguous() on it in Torch"
        )
    return torch.from_numpy(value.astype(np.float32))


def fill(parameter: Tensor, value: object, what: str) -> None:
    """Copies a weight of the file into a parameter of the same shape.

    Raises:
        ValueError: as `weight`, or another shape.
    """
    given = weight(value, what)
    if given.shape != parameter.shape:
        raise ValueError(f"{what}: expected the shape {list(parameter.shape)}, got {list(given.shape)}")
    with torch.no_grad():
        parameter.copy_(given)


def whole(fields: Fields, name: str, default: int | None = None) -> int:
    """A field that is a whole number, from 0 on.

    Raises:
        ValueError: it is missing, though there is no default, or is no such number.
    """
    value = fields.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**31 or value % 1:
        raise ValueError(f"{name}: expected a whole number from 0 on, got {kind(value)}")
    return int(value)


def dropout(fields: Fields) -> nn.Dropout:
    """Dropout that changes nothing at inference.

    Raises:
        ValueError: one of Torch's first version, which scales at inference instead of in training.
    """
    share = fields.get("p", 0.5)
    if not isinstance(share, float) or not 0 <= share < 1:
        raise ValueError(f"p: expected a share from 0 on and below 1, got {kind(share)}")
    if share and fields.get("v2") is not True:
        raise ValueError("expected dropout of version 2, got version 1, which scales at inference")
    return nn.Dropout(share)


def linear(fields: Fields) -> nn.Linear:
    """A linear layer.

    Raises:
        ValueError: as `weight`; a weight that is no matrix, or a bias that does not fit it.
    """
    numbers = weight(fields.get("weight"), "weight")
    if numbers.dim() != 2:
        raise ValueError(f"weight: expected [outputs, inputs], got {list(numbers.shape)}")
    layer = nn.Linear(numbers.shape[1], numbers.shape[0], device="meta")
    _give(layer, fields, numbers)
    return layer


def _convolution(fields: Fields) -> nn.Conv2d:
    inputs, outputs = whole(fields, "nInputPlane"), whole(fields, "nOutputPlane")
    groups = whole(fields, "groups", 1)
    if not groups or not inputs or inputs % groups or not outputs or outputs % groups:
        raise ValueError(
            f"groups: expected a divisor of {inputs} input and {outputs} output planes, got {groups}"
        )
    size = _pair(fields, "kH", "kW")
    shape = [outputs, inputs // groups, *size]
    numbers = weight(fields.get("weight"), "weight")
    if numbers.numel() != math.prod(shape):
        raise ValueError(f"weight: expected {shape}, got {list(numbers.shape)}")
    around = whole(fields, "padding", 0)  # the one padding of old files
    padding = (whole(fields, "padH", around), whole(fields, "padW", around))
    step = _pair(fields, "dH", "dW", 1)
    layer = nn.Conv2d(inputs, outputs, size, step, padding, groups=groups, device="meta")
    # SpatialConvolutionMM keeps its weight as a matrix
    _give(layer, fields, numbers.view(shape))
    return layer


def _give(layer: nn.Module, fields: Fields, numbers: Tensor) -> None:
    """Puts in the weight, and the bias if there is one."""
    bias = None
    if fields.get("bias") is not None:
        bias = nn.Parameter(weight(fields["bias"], "bias"))
        if bias.shape != numbers.shape[:1]:
            raise ValueError(f"bias: expected {list(numbers.shape[:1])}, got {list(bias.shape)}")
    layer.register_parameter("weight", nn.Parameter(numbers))
    layer.register_parameter("bias", bias)


def _pooling(fields: Fields) -> nn.MaxPool2d:
    return nn.MaxPool2d(
        _pair(fields, "kH", "kW"),
        _pair(fields, "dH", "dW"),
        (whole(fields, "padH", 0), whole(fields, "padW", 0)),
        ceil_mode=fields.get("ceil_mode") is True,
    )


def _pair(fields: Fields, height: str, width: str, default: int | None = None) -> tuple[int, int]:
    pair = whole(fields, height, default), whole(fields, width, default)
    if not all(pair):
        raise ValueError(f"{height} and {width}: expected whole numbers above 0, got {pair[0]} and {pair[1]}")
    return pair


def _flatten(fields: Fields) -> nn.Flatten:
    size = fields.get("size")
    if not isinstance(size, np.ndarray) or size.shape != (1,):
        raise ValueError(f"size: expected one number, a vector for each image, got {kind(size)}")
    return nn.Flatten()


_MAKERS: dict[str, Callable[[Fields], nn.Module]] = {
    "nn.SpatialConvolution": _convolution,
    "nn.SpatialConvolutionMM": _convolution,
    "cudnn.SpatialConvolution": _convolution,
    "nn.SpatialMaxPooling": _pooling,
    "cudnn.SpatialMaxPooling": _pooling,
    "nn.ReLU": lambda fields: nn.ReLU(),
    "cudnn.ReLU": lambda fields: nn.ReLU(),
    "nn.Linear": linear,
    "nn.Dropout": dropout,
    "nn.View": _flatten,
    "nn.Reshape": _flatten,
}
