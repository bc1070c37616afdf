"""What did this layer put out? Record it during an ordinary forward pass.

    with record(net, "layer4") as seen:
        net(images)
    seen.output                      # [N, U, h, w], detached

The hook keeps a copy of the layer's output, because whatever follows may write into it (an in-place ReLU
turns the recorded map of its predecessor into something else without a word). Hooks are removed when the
block ends, whatever happens in it. This module is the only place in the project that registers any.

A layer is named as in `net.named_modules()`. Some activations are function calls and no modules: the suffix
`+relu` names the output of the functional ReLU that directly follows a layer (`features.norm5+relu` of a
DenseNet). Transformers keep tokens `[N, T, D]` where convolutions keep maps: the suffix `+HxW`
(`encoder.layers.10+14x14`) names the last H·W tokens of a layer, row by row, as a map `[N, D, H, W]`. Class,
register and text tokens come before those and are left alone. The suffix `+1x1` makes maps of one cell of a fully
connected layer's `[N, U]`, and of the last of some tokens. Wrappers (`DataParallel`, `torch.compile`) do not show in
the names, and recording looks through them.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

RELU_SUFFIX = "+relu"
_GRID_SUFFIX = re.compile(r"\+([1-9][0-9]*)x([1-9][0-9]*)\Z")
_WRAPPERS = ("module", "_orig_mod")
_RELUS = frozenset({F.relu, F.relu_, F.relu6, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_})


@dataclass
class Recording:
    """What `record` saw: `output`, the layer's detached output, any shape, set by the forward pass.

    With `graph`, `root` is the same output undetached: all that follows the layer grows from it.
    """

    layer: str
    root: Tensor | None = None
    _output: Tensor | None = None

    @property
    def output(self) -> Tensor:
        """The layer's output. Raises ValueError if the forward pass did not run the layer."""
        if self._output is None:
            raise ValueError(
                f"layer {self.layer!r} did not run in this forward pass; choose a layer that the network "
                f"{'follows directly with a ReLU' if split_layer(self.layer)[1] else 'calls'} "
                "(inside TorchScript, and through .forward(), nothing can be recorded)"
            )
        return self._output


def unwrap(net: nn.Module) -> nn.Module:
    """The network inside `DataParallel`, `DistributedDataParallel` and `torch.compile`'s wrapper."""
    while True:
        inner = getattr(net, "_orig_mod", None)
        if inner is None and isinstance(net, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            inner = net.module
        if not isinstance(inner, nn.Module):
            return net
        net = inner


def plain_name(name: str) -> str:
    """A module's or weight's dotted name without the parts that wrappers add.

    `module` goes from the front only (a network may call a part of its own so), `_orig_mod` from anywhere.
    """
    parts = [part for part in name.split(".") if part != "_orig_mod"]
    while parts and parts[0] in _WRAPPERS:
        parts = parts[1:]
    return ".".join(parts)


def named_layers(net: nn.Module) -> dict[str, nn.Module]:
    """Every module of the unwrapped network by its plain dotted name; the network itself is ''."""
    inner = unwrap(net)
    return {".".join(p for p in name.split(".") if p != "_orig_mod"): m for name, m in inner.named_modules()}


def split_layer(layer: str) -> tuple[str, bool, tuple[int, int] | None]:
    """A layer's name in its parts: the module's dotted name, whether `+relu` follows, the (H, W) of `+HxW`."""
    grid = _GRID_SUFFIX.search(layer)
    name = layer[: grid.start()] if grid else layer
    size = (int(grid[1]), int(grid[2])) if grid else None
    return name.removesuffix(RELU_SUFFIX), name.endswith(RELU_SUFFIX), size


def get_layer(net: nn.Module, layer: str) -> nn.Module:
    """The module that `layer` names, `+relu` and `+HxW` left aside.

    Raises:
        ValueError: no such module; the message offers near names.
    """
    if not isinstance(layer, str):
        raise ValueError(f"layer: expected a dotted name such as 'layer4', got a {type(layer).__name__}")
    layers = named_layers(net)
    name, _, _ = split_layer(layer)
    if name and name in layers:
        return layers[name]
    near = difflib.get_close_matches(name, [n for n in layers if n], n=5, cutoff=0.4)
    top = [n for n, _ in unwrap(net).named_children()]
    hint = f"did you mean {', '.join(near)}?" if near else f"its parts are {', '.join(top)}"
    raise ValueError(f"layer {layer!r} is not in {type(unwrap(net)).__name__}: {hint}")


class _FollowingRelu(TorchFunctionMode):
    """Hands the output of the ReLU called on `awaited` to `take` and passes on what it returns."""

    def __init__(self, take: Callable[[Tensor], Tensor | None]) -> None:
        super().__init__()
        self.take = take
        self.awaited: Tensor | None = None

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        taken = (args[0] if args else kwargs.get("input")) if func in _RELUS else None
        result = func(*args, **kwargs)
        if taken is None or taken is not self.awaited:
            return result
        self.awaited = None
        replaced = self.take(result)
        return result if replaced is None else replaced


@dataclass(frozen=True)
class _Tokens:
    """A layer's output `[N, T, D]`, taken apart: a map of its last H·W tokens, and all that is beside it.

    A fully connected layer's `[N, D]` counts as one token.

    Attributes:
        map: `[N, D, H, W]`, a view.
        others: the tokens before, `[N, T - H·W, D]`, detached unless the graph is wanted.
        whole: what the layer put out: the tokens, or a tuple that begins with them.
        flat: whether it is `[N, D]`.
    """

    map: Tensor
    others: Tensor
    whole: Tensor | tuple[Any, ...]
    flat: bool = False

    @classmethod
    def of(cls, layer: str, output: Any, size: tuple[int, int], *, graph: bool) -> _Tokens:
        tokens = output[0] if isinstance(output, tuple) and output else output
        cells = size[0] * size[1]
        flat = isinstance(tokens, Tensor) and tokens.dim() == 2 and cells == 1
        if flat:
            tokens = tokens[:, None]
        if not isinstance(tokens, Tensor) or tokens.dim() != 3 or tokens.shape[1] < cells:
            got = list(tokens.shape) if isinstance(tokens, Tensor) else f"a {type(tokens).__name__}"
            raise ValueError(
                f"layer {layer!r} puts out {got}, expected tokens [N, T, D] with T at least "
                f"{size[0]}·{size[1]} = {cells}; choose a layer of tokens, and the grid of the image's patches"
            )
        before = tokens.shape[1] - cells
        cut = tokens[:, before:].transpose(1, 2).reshape(len(tokens), tokens.shape[2], *size)
        others = tokens[:, :before]
        return cls(cut, others if graph else others.detach(), output, flat)

    def with_map(self, maps: Tensor) -> Any:
        """The layer's output with other maps `[S, D, H, W]` in place of its own; S may differ if N is 1."""
        tokens = maps.flatten(2).transpose(1, 2)
        others = self.others
        if len(others) != len(maps):
            others = others.expand(len(maps), -1, -1)
        tokens = tokens[:, 0] if self.flat else torch.cat([others, tokens], dim=1)
        if not isinstance(self.whole, tuple):
            return tokens
        rest = (tokens, *self.whole[1:])
        return type(self.whole)(*rest) if hasattr(self.whole, "_fields") else rest


@contextmanager
def record(
    net: nn.Module,
    layer: str,
    *,
    leaf: bool = False,
    graph: bool = False,
    edit: Callable[[Tensor], Tensor] | None = None,
) -> Iterator[Recording]:
    """Records one layer's output while the block runs the network once.

    Args:
        net: any module; run it inside the block (its own `unwrap`ped form if it is compiled).
        layer: dotted name, perhaps with the suffix `+relu` or `+HxW`. With `+HxW` the output that is kept,
            and that `edit` gets and returns, is the map of the last H·W tokens; the rest of the network
            sees the other tokens, for as many images as there are maps, and then the map's. A layer that
            puts out a tuple is taken by its first item.
        leaf: gradients are switched on at this layer, the copy kept is a leaf that requires them, and what
            the rest of the network sees grows from it: one backward pass then ends here, and nothing
            before the layer is kept if the block runs with gradients off.
        graph: the rest of the network sees a copy that hangs on the layer's output in the graph, and that output is
            kept as `root`, which nothing writes into: one graph to differentiate both down to the layer and through it.
        edit: what the rest of the network sees instead of the output; gets the output, returns a tensor.

    Yields:
        The `Recording`, filled by the forward pass.

    Raises:
        ValueError: no such layer; a layer whose output is not a tensor, or has no H·W tokens; a layer that
            runs twice in one forward pass (its two outputs have no one gradient), or not at all.
    """
    module = get_layer(net, layer)
    _, relu, size = split_layer(layer)
    recording = Recording(layer)

    def take(output: Any) -> Any:
        tokens = None if size is None else _Tokens.of(layer, output, size, graph=graph)
        if tokens is not None:
            output = tokens.map
        if not isinstance(output, Tensor):
            raise ValueError(
                f"layer {layer!r} puts out a {type(output).__name__}, not a tensor; name a module inside it"
            )
        if recording._output is not None:
            raise ValueError(
                f"layer {layer!r} runs more than once in one forward pass, so it has no single map; "
                "name the block around it"
            )
        if leaf and not output.is_floating_point():
            raise ValueError(
                f"layer {layer!r} puts out {output.dtype}, which has no gradient; choose a layer with "
                "floating-point maps"
            )
        if graph:
            recording.root = output.clone()
        kept = output.detach().clone() if recording.root is None else recording.root.detach()
        recording._output = kept
        if leaf:
            torch.set_grad_enabled(True)
            kept.requires_grad_()
        if not leaf and not graph and edit is None:
            return None
        passed_on = (kept if recording.root is None else recording.root).clone()
        if edit is not None:
            passed_on = edit(passed_on)
        return passed_on if tokens is None else tokens.with_map(passed_on)

    with ExitStack() as stack:
        # The hook may switch gradients on in the middle of a forward pass: set them back as they were.
        stack.enter_context(torch.set_grad_enabled(torch.is_grad_enabled()))
        if relu:
            mode = stack.enter_context(_FollowingRelu(take))

            def await_relu(_module: nn.Module, _inputs: Any, output: Any) -> None:
                mode.awaited = output if isinstance(output, Tensor) else None

            handle = module.register_forward_hook(await_relu)
        else:
            handle = module.register_forward_hook(lambda _module, _inputs, output: take(output))
        stack.callback(handle.remove)
        yield recording
        _ = recording.output  # raises if there is none


@contextmanager
def evaluating(net: nn.Module) -> Iterator[nn.Module]:
    """The unwrapped network in eval mode, each module's own mode given back at the end.

    Compiled parts run uncompiled inside: a compiled graph does not see hooks.
    """
    inner = unwrap(net)
    training = [module for module in inner.modules() if module.training]
    with ExitStack() as stack:
        if "torch._dynamo" in sys.modules:  # without it nothing is compiled, and it is slow to import
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        try:
            for module in training:  # not .eval(): a network may do more in it than can be undone
                module.training = False
            yield inner
        finally:
            for module in training:
                module.training = True


@dataclass(frozen=True)
class Call:
    """One call of a module: its plain dotted name, the module, and what went in and came out."""

    name: str
    module: nn.Module
    inputs: tuple[object, ...]
    output: object


@dataclass(frozen=True)
class Trace:
    """One forward pass, seen from outside.

    Attributes:
        calls: every module call in the order of completion (children before their parent).
        relus: (input, output) of each functional ReLU that is not the inside of a ReLU module.
        output: what the network returned.
    """

    calls: tuple[Call, ...]
    relus: tuple[tuple[Tensor, Tensor], ...]
    output: object


class _Relus(TorchFunctionMode):
    def __init__(self, stack: list[nn.Module]) -> None:
        super().__init__()
        self.stack = stack
        self.seen: list[tuple[Tensor, Tensor]] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        inside = bool(self.stack) and isinstance(self.stack[-1], (nn.ReLU, nn.ReLU6))
        if func in _RELUS and not inside:
            self.seen.append((args[0] if args else kwargs["input"], result))
        return result


def trace(net: nn.Module, example: Tensor) -> Trace:
    """Runs the network once on `example` in eval mode, without gradients, and notes every module call.

    Every output stays alive in the trace, so compare tensors by identity, and use small examples.
    """
    return trace_part(net, lambda: unwrap(net)(example))


def trace_part(net: nn.Module, run: Callable[[], object]) -> Trace:
    """As `trace`, of a network that is part of a larger one: `run` runs the whole and returns its output.

    Only the part is put into eval mode; the rest is the caller's.
    """
    calls: list[Call] = []
    running: list[nn.Module] = []

    with ExitStack() as stack:
        inner = stack.enter_context(evaluating(net))
        stack.enter_context(torch.no_grad())
        relus = stack.enter_context(_Relus(running))
        for name, module in named_layers(inner).items():

            def leave(module: nn.Module, inputs: Any, output: Any, name: str = name) -> None:
                running.pop()
                calls.append(Call(name, module, inputs, output))

            stack.callback(module.register_forward_pre_hook(lambda m, _inputs: running.append(m)).remove)
            stack.callback(module.register_forward_hook(leave).remove)
        output = run()
    return Trace(tuple(calls), tuple(relus.seen), output)
