"""Which layer's units explain an answer? The last one that still says where.

    found = find_layer(net, example)                  # automatic
    found = find_layer(net, example, layer="layer3")  # checked
    found.name, found.reason

Grad-CAM reads the *rectified* map of the last spatial layer (Selvaraju et al. 2019, Sec. 3): for a ResNet
that is the output of `layer4`, for VGG-16 that of the ReLU after conv5_3, not of the pooling behind it. One
forward pass shows every module's output. From its end backwards, the first `[N, U, h, w]` map with more
than one cell is taken, unless it is a pooling's or already the class scores at every cell. Of several
modules that hand on the same map the outermost names it, so long as it is not fed the image itself.

Where no ReLU comes before the map leaves its block (SiLU, GELU, leaky ReLU) the map has negative values, and
the reason calls it the block's output.

A vision transformer has no such map; there the last grid of image tokens that the scores depend on is taken
(`token_grid`). A fully connected layer is taken if it is named: its units have maps of one cell, which say whether,
not where.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dissection.recording import RELU_SUFFIX, Call, Trace, evaluating, record, trace, unwrap
from neuro_explain.token_grid import find_token_layer

_POOLING = (
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.LPPool2d,
    nn.FractionalMaxPool2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
)
_PASSING_ON = (nn.Dropout, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout, nn.Identity, nn.Flatten)
# They have weights, but one channel stays one channel: behind class scores they still leave class scores.
_PER_CHANNEL = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.PReLU)
_RELUS = (nn.ReLU, nn.ReLU6)


@dataclass(frozen=True)
class FoundLayer:
    """The layer whose units are meant.

    Attributes:
        name: dotted name as `dissection.recording.record` takes it, perhaps with the suffix `+relu`.
        reason: why this layer and what its map is, in one sentence.
        rectified: the map is never negative.
        map_size: (h, w) of the map.
        units: its number of channels, U.
        scores: the number of class scores that the network gives; 0 if it need not give any.
    """

    name: str
    reason: str
    rectified: bool
    map_size: tuple[int, int]
    units: int
    scores: int


def find_layer(
    net: nn.Module, example: Tensor, *, layer: str | None = None, scores: bool = True
) -> FoundLayer:
    """The last spatial layer of a classifier, or the named one after a check.

    Args:
        net: a classifier; it runs in eval mode without gradients, and comes back as it was.
        example: an input `[1, 3, h, w]` of its usual size, best not constant.
        layer: a dotted name, instead of the automatic choice.
        scores: whether the network must give class scores; an image tower inside a larger network gives anything.

    Raises:
        ValueError: the network's output is not `[1, C]` though it must be; there is no spatial layer; the named layer
            does not exist, does not run exactly once, or does not give a map.
    """
    seen = trace(net, example)
    classes = _scores(seen.output, example) if scores else 0
    if layer is not None:
        layer = _with_grid(net, layer, example, seen)
        output, least = _recorded(net, layer, example)
        units, size = _map_of(layer, output, example)
        reason = f"{layer}: as given, {_described(units, size, least)}"
        if least < 0 and any(c.name == layer and _relu_follows(seen, c) for c in seen.calls):
            reason += f"; {layer + RELU_SUFFIX} is its rectified map"
        return FoundLayer(layer, reason, least >= 0, size, units, classes)
    try:
        call = _last_spatial(seen, example, classes)
    except _OnTokens as error:
        return _last_tokens(net, example, classes, seen, error)
    name, why = call.name, "the last spatial map before pooling"
    output, least = _recorded(net, name, example)
    if least < 0 and _relu_follows(seen, call):
        name = call.name + RELU_SUFFIX
        why += f", out of the ReLU that follows {call.name}"
        output, least = _recorded(net, name, example)
    units, size = _map_of(name, output, example)
    return FoundLayer(
        name, f"{name}: {why}, {_described(units, size, least)}", least >= 0, size, units, classes
    )


class _OnTokens(ValueError):
    """The network ends in tokens, not in maps."""


def _last_tokens(
    net: nn.Module, example: Tensor, classes: int, seen: Trace, refused: _OnTokens
) -> FoundLayer:
    """The last grid of tokens that the scores depend on, or the refusal where there is none, or a doubtful one.

    Doubtful are networks that keep maps with their channels last as well, or that merge tokens further on.
    """
    try:
        found = find_token_layer(lambda: unwrap(net)(example), net)
    except ValueError:
        raise refused from None
    cells = found.map_size[0] * found.map_size[1]
    made = [call.output for call in seen.calls if _is_token_block(call, example)]
    if any(isinstance(t, Tensor) and (t.ndim == 4 or t.shape[1] < cells) for t in made):
        raise refused
    return FoundLayer(found.name, found.reason, False, found.map_size, found.units, classes)


def _with_grid(net: nn.Module, layer: str, example: Tensor, seen: Trace) -> str:
    """The name with what makes maps of the layer's output, if that is tokens or no map at all, and it is not there."""
    output = next((call.output for call in seen.calls if call.name == layer), None)
    if not isinstance(output, Tensor) or len(output) != len(example):
        return layer
    if output.ndim == 2:
        return f"{layer}+1x1"
    if output.ndim == 3:
        return find_token_layer(lambda: unwrap(net)(example), net, layer=layer).name
    return layer


def _described(units: int, size: tuple[int, int], least: float) -> str:
    shape = f"{units} units of {size[0]}×{size[1]}"
    return f"{shape}, rectified" if least >= 0 else f"{shape}, the block's output (not rectified)"


def _scores(output: object, example: Tensor) -> int:
    if isinstance(output, Tensor) and output.ndim == 2 and len(output) == len(example):
        return output.shape[1]
    got = f"a tensor {list(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
    raise ValueError(
        f"the network: expected class scores [{len(example)}, C] for an input {list(example.shape)}, "
        f"got {got}; wrap it in a module that returns the scores alone"
    )


def _recorded(net: nn.Module, layer: str, example: Tensor) -> tuple[Tensor, float]:
    """The layer's map, and its least value on the example and on the example's negative.

    Whether a map is rectified is read from its values and not from the module's kind: a concatenation of
    rectified maps is, a ReLU whose output is scaled by signed weights is not. The negative input turns a
    linear map's sign, so no signed map passes by chance.
    """
    with evaluating(net) as inner, torch.no_grad():
        with record(inner, layer) as seen:
            inner(torch.cat([example, -example]))
        output = seen.output
    least = float(output.min()) if output.numel() and output.is_floating_point() else 0.0
    return output[: len(example)], least


def _map_of(layer: str, output: Tensor, example: Tensor) -> tuple[int, tuple[int, int]]:
    """Units and size of a named layer's map, if it is one."""
    if output.ndim == 4 and len(output) == len(example) and output.numel():
        if output.shape[2:] == (1, 1) or not _channels_last(output, example):
            return output.shape[1], (output.shape[2], output.shape[3])
        kind = f"{list(output.shape)}, which has its channels last"
    else:
        kind = str(list(output.shape))
    raise ValueError(
        f"layer {layer!r}: expected a map [N, U, h, w], got {kind}; name a convolutional layer or block, "
        "or a fully connected layer"
    )


def _last_spatial(seen: Trace, example: Tensor, scores: int) -> Call:
    """The call that names the last spatial map."""
    runs = Counter(call.name for call in seen.calls)
    pooled = [call.output for call in seen.calls if _pools(call.module)]
    candidates = [
        at
        for at, call in enumerate(seen.calls)
        # A module that runs twice has no one map; the block around it, or the layer before it, has.
        if runs[call.name] == 1
        and _is_map(call.output, example)
        and not _hands_on(call)
        and not any(call.output is p for p in pooled)
        and not _is_class_map(seen, at, scores)
    ]
    if not candidates:
        raise ValueError(
            "no spatial convolutional layer: no part of the network puts out a map [N, U, h, w] with more "
            "than one cell before its scores; give layer= if there is one nevertheless"
        )
    last = candidates[-1]
    if any(_is_token_block(call, example) for call in seen.calls[last + 1 :]):
        raise _OnTokens(
            "no spatial convolutional layer at the end of the network: there it works on tokens, as "
            "transformers do; give layer= with the name of a layer that puts out a map [N, U, h, w], or of a block "
            "of tokens with their grid, as in encoder.layers.10+14x14"
        )
    # Blocks complete after their parts: of the calls that hand on this same map, the last is the outermost.
    same = [seen.calls[at] for at in candidates if seen.calls[at].output is seen.calls[last].output]
    inner = [call for call in same if not any(x is example for x in call.inputs)]
    return (inner or same)[-1]


def _is_class_map(seen: Trace, at: int, scores: int) -> bool:
    """Whether a map is the scores, cell by cell: as many channels, and nothing behind mixes them."""
    call = seen.calls[at]
    if not isinstance(call.output, Tensor) or call.output.shape[1] != scores:
        return False
    return not any(_mixes(c) for c in seen.calls[at + 1 :] if not _holds(c, call))


def _is_map(t: object, example: Tensor) -> bool:
    return (
        isinstance(t, Tensor)
        and t.ndim == 4
        and len(t) == len(example)
        and t.shape[2] * t.shape[3] > 1
        and _in_proportion(t.shape[2:], example)
    )


def _in_proportion(size: Sequence[int], example: Tensor) -> bool:
    """Whether h : w is that of the input, as far as whole numbers and unpadded borders allow.

    A square input gives square maps. Channels that stand last ([N, h, w, U], as transformers keep them)
    are found out by this: h and U are in no such proportion.
    """
    h, w = size
    height, width = example.shape[2:]
    unpadded = 8 * abs(height - width)  # borders that convolutions without padding cut off weigh unequally
    return abs(h * width - w * height) <= max(height, width) + unpadded


def _channels_last(t: Tensor, example: Tensor) -> bool:
    return not _in_proportion(t.shape[2:], example) and _in_proportion(t.shape[1:3], example)


def _pools(module: nn.Module) -> bool:
    # timm has pooling classes of its own, named so
    return isinstance(module, _POOLING) or (not _has_weights(module) and "Pool" in type(module).__name__)


def _hands_on(call: Call) -> bool:
    """Whether the call only passes its input on (dropout at rest, an empty shortcut)."""
    if isinstance(call.module, _PASSING_ON):
        return True
    return any(x is call.output for x in call.inputs) and not getattr(call.module, "inplace", False)


def _holds(outer: Call, inner: Call) -> bool:
    return not outer.name or inner.name.startswith(outer.name + ".")


def _has_weights(module: nn.Module) -> bool:
    return any(True for _ in module.parameters())


def _mixes(call: Call) -> bool:
    own = any(True for _ in call.module.parameters(recurse=False))
    return own and not isinstance(call.module, _PER_CHANNEL)


def _is_token_block(call: Call, example: Tensor) -> bool:
    """A block, not a single layer, that puts out tokens [N, T, D] or a map with its channels last."""
    t = call.output
    if (
        not isinstance(t, Tensor)
        or not any(True for _ in call.module.children())
        or not _has_weights(call.module)
    ):
        return False
    if t.ndim == 3:
        return len(t) == len(example) and t.shape[1] > 1
    return t.ndim == 4 and t.shape[1] * t.shape[2] > 1 and _channels_last(t, example)


def _relu_follows(seen: Trace, call: Call) -> bool:
    """Whether a ReLU, as a function or as a module that runs several times, takes the call's output."""
    taken: list[object] = [before for before, _after in seen.relus]
    taken += [c.inputs[0] for c in seen.calls if isinstance(c.module, _RELUS) and c.inputs]
    return any(x is call.output for x in taken)
