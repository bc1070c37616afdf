"""How do weights get out of a file and into a network, without running code from the file?

    state = read_state_dict("resnet18.pth")        # safetensors, or torch's own format
    fit(net, state, source="resnet18.pth")         # all of it, or a sentence that says what differs

A pickle may call anything while it is read, so torch files go through torch's `weights_only` reader, which
builds tensors and plain containers and nothing else. A file that holds a whole network as a Python object is
refused: reading it would mean running it. Checkpoints of training runs are unwrapped (`state_dict`, `model`,
…), and the prefixes that `DataParallel` and `torch.compile` leave on names are removed where the names
would not fit otherwise.
"""

from __future__ import annotations

import pickle
import re
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

StateDict = OrderedDict[str, Tensor]

# Where training scripts keep the weights inside a checkpoint, the likeliest first.
_WRAPPING_KEYS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights")
_WRAPPER_PARTS = {"module", "_orig_mod"}
_SHOWN = 3


def read_state_dict(path: str | Path) -> StateDict:
    """The tensors of a weights file by name, on the CPU.

    Args:
        path: a safetensors file, or a file of `torch.save`; which one is read from its first bytes.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a folder, an empty or damaged file, a whole network, or no weights in it.
    """
    path = existing_file(path)
    with path.open("rb") as file:
        start = file.read(9)
    if start[8:9] == b"{":  # an eight-byte length, then JSON
        return _read_safetensors(path)
    if start[:4] == b"PK\x03\x04" or start[:1] == b"\x80":  # torch's zip, or its pickle of old
        return _weights_in(_read_torch(path), path)
    raise ValueError(f"{path}: not a weights file: expected safetensors or a file written by torch.save")


def existing_file(path: str | Path) -> Path:
    """The path, if it is a file that holds anything."""
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path}: expected a weights file, got a folder")
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty")
    return path


def _read_safetensors(path: Path) -> StateDict:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = OrderedDict(load_file(path))
    except SafetensorError as error:
        raise ValueError(f"{path}: damaged or cut short; safetensors says: {error}") from error
    if not state:
        raise ValueError(f"{path}: holds no tensors")
    return state


def _read_torch(path: Path) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of its own storage classes in old files
            # latin1 takes the byte strings of Python 2 as they are, whatever they hold
            return torch.load(path, map_location="cpu", weights_only=True, encoding="latin1")
    except pickle.UnpicklingError as error:
        found = re.search(r"(?:GLOBAL|class|function) ([A-Za-z_][\w.]*\w)", str(error))
        if found is None:
            reason = str(error).rsplit("WeightsUnpickler error:", 1)[-1].strip().split("\n")[0]
            raise ValueError(f"{path}: damaged, or not a file of weights: {reason}") from error
        raise ValueError(
            f"{path}: refused, because it holds a Python object ({found[1]}) that only running code from the "
            "file could rebuild; save the weights alone: torch.save(net.state_dict(), PATH)"
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        if "TorchScript" in str(error):
            raise ValueError(
                f"{path}: refused, because it is a TorchScript program; save the weights alone: "
                "torch.save(net.state_dict(), PATH)"
            ) from error
        raise ValueError(f"{path}: damaged or cut short: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:160]


def _weights_in(content: object, path: Path) -> StateDict:
    """The state dict in what a file holds: the thing itself, or under one of the usual keys."""
    for _ in range(3):
        if not isinstance(content, Mapping):
            break
        if content and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in content.items()):
            state = OrderedDict(content)
            # Layers read from it which generation of names the file has.
            if hasattr(content, "_metadata"):
                state._metadata = content._metadata  # type: ignore[attr-defined]
            return state
        inner = next((content[k] for k in _WRAPPING_KEYS if isinstance(content.get(k), Mapping)), None)
        if inner is None:
            break
        content = inner
    if isinstance(content, Mapping):
        held = f"a dictionary with {', '.join(map(str, list(content)[:6])) or 'nothing in it'}"
    else:
        held = f"a {type(content).__name__}"
    raise ValueError(f"{path}: expected a state dict (names and tensors), got {held}")


def without_wrappers(state: StateDict) -> StateDict:
    """The same weights, the names without the parts `module` and `_orig_mod` that wrappers insert."""
    plain = OrderedDict(
        (".".join(part for part in name.split(".") if part not in _WRAPPER_PARTS), tensor)
        for name, tensor in state.items()
    )
    return plain if len(plain) == len(state) else state


def fit(net: nn.Module, state: StateDict, *, source: str) -> None:
    """Puts the weights into the network: every name and every shape must agree.

    Names of older generations that the network's own layers know how to read are accepted, and so are
    files without `num_batches_tracked`, which nothing at inference needs.

    Args:
        net: the network to fill.
        state: the weights by name.
        source: what to call them in a message.

    Raises:
        ValueError: they do not fit; the message shows the first names and shapes that differ.
    """
    expected = net.state_dict()
    if not set(state) <= set(expected):
        state = without_wrappers(state)
    ready = OrderedDict(state)
    metadata = getattr(state, "_metadata", None)
    if metadata is None and set(ready) == set(expected):
        metadata = getattr(expected, "_metadata", None)  # the names are today's, so read them as such
    if metadata is not None:
        ready._metadata = metadata  # type: ignore[attr-defined]
    kinds = [
        f"{name} (file {_kind(ready[name])}, network {_kind(tensor)})"
        for name, tensor in expected.items()
        if name in ready and ready[name].is_floating_point() != tensor.is_floating_point()
    ]
    if kinds:
        raise ValueError(f"{source} does not fit {type(net).__name__}: other number types: {_some(kinds)}")
    try:
        net.load_state_dict(ready)
    except (RuntimeError, ValueError) as error:
        differences = _differences(expected, ready) or _first_line(error)
        raise ValueError(f"{source} does not fit {type(net).__name__}: {differences}") from error


def _differences(expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    missing = [k for k in expected if k not in state and not k.endswith("num_batches_tracked")]
    unexpected = [k for k in state if k not in expected]
    shapes = [
        f"{k} (file {list(state[k].shape)}, network {list(expected[k].shape)})"
        for k in expected
        if k in state and state[k].shape != expected[k].shape
    ]
    found = []
    if missing:
        found.append(
            f"{len(missing)} of its {len(expected)} weights are missing in the file: {_some(missing)}"
        )
    if unexpected:
        found.append(f"{len(unexpected)} in the file are unknown to it: {_some(unexpected)}")
    if shapes:
        found.append(f"{len(shapes)} have another shape: {_some(shapes)}")
    return "; ".join(found)


def _some(items: list[str]) -> str:
    return ", ".join(items[:_SHOWN]) + (", …" if len(items) > _SHOWN else "")


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def class_count(build: Callable[[int], nn.Module], state: StateDict) -> int | None:
    """How many classes the head in the file has, or None if it cannot be told.

    Two networks that differ only in their number of classes (made without memory for their weights) show
    which tensors are the head's, and along which axis; the file's tensor of that name gives the number.

    Args:
        build: makes the network for a number of classes.
        state: the weights in the file.
    """
    with torch.device("meta"):
        one, other = build(1000).state_dict(), build(1001).state_dict()
    plain = without_wrappers(state)
    counts = {
        plain[name].shape[axis]
        for name in one
        for axis, (a, b) in enumerate(zip(one[name].shape, other[name].shape, strict=True))
        if a != b and name in plain and plain[name].ndim == one[name].ndim
    }
    return counts.pop() if len(counts) == 1 else None
