"""Which tokens of a transformer are the image's, and which layer's tokens explain the answer?

    found = find_token_layer(lambda: model(pixels).logits, model.vision_tower)
    found.name                      # "encoder.layers.11.layernorm_before+14x14", for `record` on the tower

A vision transformer cuts the image into patches with a convolution; its map of h × w cells becomes the last h·w
of T tokens, row by row, behind class and register tokens and perhaps a text. So one forward pass of the whole,
with the tower watched, shows the grid, also of images that are not square. Where neighbouring patches are merged
later (Swin), the grid is halved, once or several times.

The layer is the last one whose image tokens still influence the score, which is asked of the gradient. It is a
block or a normalisation. In a classifier that reads the class token, what the last block puts out for the image is
read by nothing: there the first normalisation of that block is the one, the input of its attention.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dissection.recording import (
    Call,
    Trace,
    evaluating,
    get_layer,
    named_layers,
    record,
    split_layer,
    trace_part,
)

_EXAMPLE = "'encoder.layers.10+14x14'"


@dataclass(frozen=True)
class TokenLayer:
    """The layer whose units are meant.

    Attributes:
        name: dotted name inside the tower, with the suffix `+HxW`, as `dissection.recording.record` takes it.
        reason: why this layer and what its map is, in one sentence.
        map_size: (h, w) of the grid of image tokens.
        units: width of the tokens, U.
        others: number of class, register and text tokens before the image's.
    """

    name: str
    reason: str
    map_size: tuple[int, int]
    units: int
    others: int


def find_token_layer(run: Callable[[], object], tower: nn.Module, *, layer: str | None = None) -> TokenLayer:
    """The last layer of an image tower whose image tokens influence the score, or the named one after a check.

    Args:
        run: runs the whole model, in eval mode, on an example of one image or several (best not constant), and
            returns a floating-point tensor of scores. It is called a few times.
        tower: the part of the model, or the whole of it, that turns the image into tokens.
        layer: a dotted name inside the tower instead of the automatic choice, with its grid or without.

    Raises:
        ValueError: no convolution makes the patches, or several could; no layer's image tokens influence the
            score; a named layer that does not exist, does not run exactly once, or has too few tokens.
    """
    seen = trace_part(tower, run)
    if layer is not None:
        return _named(layer, seen, tower)
    patches = _patches(seen)
    candidates = _candidates(seen, patches, tower)
    for unread, (call, tokens, size) in enumerate(candidates):
        name = f"{call.name}+{_plain(size)}"
        if _influences(run, tower, name):
            why = "the last layer of tokens" if unread == 0 else "the last layer whose image tokens are read"
            return _described(name, why, tokens, size)
    raise ValueError(
        f"the score depends on none of the {len(candidates)} layers that put out the {_plain(patches.size)} image "
        "tokens; does the model run under its own no_grad(), or not read the tower?"
    )


@dataclass(frozen=True)
class _Patches:
    """The patch embedding: its (h, w), the number of images, and where in the trace it stands."""

    size: tuple[int, int]
    images: int
    at: int


def _patches(seen: Trace) -> _Patches:
    """The one convolution whose map `[N, D, h, w]` becomes tokens `[N, T, D]`, T at least h·w."""
    found: dict[tuple[int, int], tuple[str, _Patches]] = {}
    for at, call in enumerate(seen.calls):
        made = call.output
        if not isinstance(call.module, nn.Conv2d) or not isinstance(made, Tensor) or made.dim() != 4:
            continue
        images, width, h, w = made.shape
        following = (tokens for c in seen.calls[at + 1 :] if (tokens := _tokens(c)) is not None)
        tokens = next((t for t in following if len(t) == images and t.shape[2] == width), None)
        if h * w > 1 and tokens is not None and tokens.shape[1] >= h * w:
            found.setdefault((h, w), (call.name, _Patches((h, w), images, at)))
    if len(found) == 1:
        ((_, patches),) = found.values()
        return patches
    what = (
        "several convolutions could make the patches: "
        + ", ".join(f"{name or 'the tower itself'} ({_plain(size)})" for size, (name, _) in found.items())
        if found
        else "no convolution of the image tower makes patches that become tokens [N, T, D]"
    )
    raise ValueError(f"{what}; name a layer of tokens with its grid, as in {_EXAMPLE}")


def _candidates(
    seen: Trace, patches: _Patches, tower: nn.Module
) -> list[tuple[Call, Tensor, tuple[int, int]]]:
    """Blocks and normalisations that hold the grid, from the last to the first.

    What only projects (the keys, the values, a layer of the MLP) is left out, and all that attention does
    inside itself: these are no states of the image's tokens. So is what runs more than once, and what only hands
    on the tokens of a part of its own.
    """
    runs = Counter(call.name for call in seen.calls)
    attention = [name + "." for name, m in named_layers(tower).items() if _is_attention(m) and name]
    found: list[tuple[Call, Tensor, tuple[int, int]]] = []
    for call in seen.calls[patches.at + 1 :]:
        tokens = _tokens(call)
        if tokens is None or len(tokens) != patches.images or runs[call.name] > 1 or not call.name:
            continue
        block = any(True for _ in call.module.children()) and not _is_attention(call.module)
        if not block and "Norm" not in type(call.module).__name__:
            continue
        if any(call.name.startswith(outer) for outer in attention):
            continue
        size = _grid(tokens, patches.size)
        if size is not None and not any(tokens is earlier for _, earlier, _ in found):
            found.append((call, tokens, size))
    return found[::-1]


def _is_attention(module: nn.Module) -> bool:
    kind = type(module).__name__.lower()
    return ("attention" in kind or "attn" in kind) and not ("block" in kind or "layer" in kind)


def _influences(run: Callable[[], object], tower: nn.Module, layer: str) -> bool:
    """Whether the gradient of the scores, in a drawn direction, is other than zero at the image tokens.

    A drawn direction, because some sums are the same whatever the tokens are: that of normalised scores is zero.
    """
    with evaluating(tower) as inner, torch.no_grad(), record(inner, layer, leaf=True) as seen:
        scores = run()
    if not isinstance(scores, Tensor) or not scores.is_floating_point():
        got = f"a tensor of {scores.dtype}" if isinstance(scores, Tensor) else f"a {type(scores).__name__}"
        raise ValueError(
            f"run: expected a function that returns a floating-point tensor of scores, got {got}"
        )
    if not scores.requires_grad:
        return False
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(scores.shape, generator=generator).to(scores)
    (gradient,) = torch.autograd.grad(scores, seen.output, direction, allow_unused=True)
    return gradient is not None and bool((gradient != 0).any())


def _named(layer: str, seen: Trace, tower: nn.Module) -> TokenLayer:
    get_layer(tower, layer)
    name, _, size = split_layer(layer)
    calls = [call for call in seen.calls if call.name == name]
    if len(calls) != 1:
        raise ValueError(
            f"layer {layer!r} runs {len(calls)} times in one forward pass, expected once; choose another layer"
        )
    tokens = _tokens(calls[0])
    if tokens is not None and size is None:
        size = _grid(tokens, _patches(seen).size)
    if tokens is None or size is None or tokens.shape[1] < size[0] * size[1]:
        got = f"a {type(calls[0].output).__name__}" if tokens is None else list(tokens.shape)
        raise ValueError(
            f"layer {layer!r} puts out {got}, expected tokens [N, T, D] that hold the grid of patches; choose a "
            f"block or a normalisation of the image tower, perhaps with its grid, as in {_EXAMPLE}"
        )
    full = layer if split_layer(layer)[2] else f"{layer}+{_plain(size)}"
    return _described(full, "as given", tokens, size)


def _grid(tokens: Tensor, patches: tuple[int, int]) -> tuple[int, int] | None:
    """(h, w) of the image's tokens in `[N, T, D]`: the patches', or their grid halved until it fills T."""
    h, w = patches
    if tokens.shape[1] >= h * w:
        return patches
    while h * w > max(1, tokens.shape[1]):
        h, w = (h + 1) // 2, (w + 1) // 2  # an odd side is padded before it is halved
    return (h, w) if h * w == tokens.shape[1] > 1 else None


def _tokens(call: Call) -> Tensor | None:
    """The tokens `[N, T, D]` that a call puts out, perhaps as the first item of a tuple."""
    output = call.output[0] if isinstance(call.output, tuple) and call.output else call.output
    return output if isinstance(output, Tensor) and output.dim() == 3 else None


def _described(name: str, why: str, tokens: Tensor, size: tuple[int, int]) -> TokenLayer:
    others, units = tokens.shape[1] - size[0] * size[1], tokens.shape[2]
    reason = f"{name}: {why}, {units} units of {size[0]}×{size[1]}"
    if others:
        reason += f", behind {others} other token{'s' if others > 1 else ''}"
    return TokenLayer(name, reason, size, units, others)


def _plain(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
