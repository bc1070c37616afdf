"""How does each function of a network hand a winning probability down? The rules of excitation backprop.

    run = Run()
    with Rules(run):
        score = net(images)…
    run.prepare(score, maps)                    # says which layer with weights is the last one, and what has no rule
    torch.autograd.grad(score, maps)            # probabilities now, not gradients

Each function that has a rule is replaced, while `Rules` is entered, by one with the same values and another backward
pass, which gets the probabilities of what it put out and returns those of what went in. The rules stand in
`excitation_backprop`. Above the last layer with weights the gradients are ordinary ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

_WEIGHTED = frozenset({F.conv2d, F.linear})
_AVERAGES = frozenset({F.avg_pool2d, F.adaptive_avg_pool2d, torch.mean, Tensor.mean})
_RELUS = frozenset({F.relu, F.relu_, F.relu6, F.hardtanh, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_})
_POINTWISE = _RELUS | {
    F.leaky_relu, F.prelu, F.elu, F.celu, F.selu, F.gelu, F.silu, F.mish, F.hardswish, F.softplus,
    torch.sigmoid, torch.tanh, Tensor.sigmoid, Tensor.tanh,
}  # fmt: skip
_SUMS = frozenset({torch.add, Tensor.add, Tensor.add_, Tensor.__add__, Tensor.__radd__, Tensor.__iadd__})
# Their gradients hand each value to the places that it came from, so probabilities too; of a maximum, to the winner.
_MOVING = frozenset({
    "View", "UnsafeView", "ReshapeAlias", "Permute", "Transpose", "T", "Squeeze", "Unsqueeze", "Clone",
    "Cat", "Split", "SplitWithSizes", "Slice", "Select", "Copy", "Alias", "AsStrided", "ToCopy",
    "ConstantPadNd", "MaxPool2DWithIndices", "MkldnnMaxPool2D", "AdaptiveMaxPool2D", "Unbind", "Stack",
})  # fmt: skip


@dataclass
class Run:
    """One forward pass with the rules, and what is to be known of it.

    Attributes:
        sign: −1 while the top neuron's dual is asked for.
        top: the backward node of the last layer with weights; None if none comes behind the maps.
        weighted, negative: layers with weights, and how many of them got negative activations.
        alone: batch normalisations that follow no layer with weights.
        passed: functions that are no ReLU and pass probabilities on.
    """

    sign: int = 1
    top: Any = None
    weighted: int = 0
    negative: int = 0
    alone: int = 0
    passed: dict[str, int] = field(default_factory=dict)

    def prepare(self, score: Tensor, maps: Tensor) -> bool:
        """Looks from the score down to the maps for the last layer with weights; False if the maps are not reached.

        Raises:
            ValueError: a function without a rule; several last layers with weights.
        """
        below = _reaching(score.grad_fn, maps)
        if score.grad_fn not in below:
            return False
        above: list[Any] = [score.grad_fn]
        tops = []
        seen = set(above)
        for node in above:
            if _rule(node) is _Weighted:
                tops.append(node)
                continue
            if _rule(node) is not None:
                node.above = True
            for child, _ in node.next_functions:
                if child in below and child not in seen:
                    seen.add(child)
                    above.append(child)
        if len(tops) > 1:
            raise ValueError(
                f"excitation backprop: the score comes from {len(tops)} layers with weights at once, expected one last "
                "layer; choose another method"
            )
        self.top = tops[0] if tops else None
        missing = sorted({_operation(node) for node in below - seen if not _has_rule(node)})
        if missing:
            instead = "another method"
            if not any(map(_attends, missing)):
                instead = f"a layer behind that, or {instead}"
            raise ValueError(
                f"excitation backprop has no rule for {', '.join(missing)}, which the network calls between the layer "
                f"and its score; choose {instead}"
            )
        return True


def _reaching(start: Any, maps: Tensor) -> set[Any]:
    """The backward nodes between a score and a leaf: all from which the leaf can be reached."""
    found: dict[Any, bool] = {None: False}
    stack = [start]
    while stack:
        node = stack[-1]
        if node in found:
            stack.pop()
            continue
        children = [child for child, _ in node.next_functions]
        waiting = [child for child in children if child not in found]
        if waiting:
            stack += waiting
            continue
        found[node] = getattr(node, "variable", None) is maps or any(found[child] for child in children)
        stack.pop()
    return {node for node, reached in found.items() if reached}


def _operation(node: Any) -> str:
    """What made a backward node: "Mul" of MulBackward0."""
    return str(node.name()).rpartition("::")[2].partition("Backward")[0]


def _attends(operation: str) -> bool:
    """Whether this is part of attention, behind whose last there is no layer of maps."""
    return operation.startswith("ScaledDotProduct") or operation in ("Softmax", "Bmm")


def _has_rule(node: Any) -> bool:
    return _rule(node) is not None or _operation(node) in _MOVING or hasattr(node, "variable")


def _rule(node: Any) -> Any:
    """The function below that a backward node belongs to; None for PyTorch's own."""
    rule = getattr(node, "_forward_cls", None)
    return rule if rule in (_Weighted, _Averaged, _Passed, _Added) else None


def excitation(values: Tensor, gradient: Tensor, sign: int) -> Tensor:
    """P of what excites one neuron, the score of each image: a_i w_i⁺ / Σ, with w = `sign` times the gradient."""
    excited = values.clamp(min=0) * (sign * gradient).clamp(min=0)
    total = excited.flatten(1).sum(1).view(-1, *[1] * (values.dim() - 1))
    return torch.where(total > 0, excited / total.clamp(min=torch.finfo(total.dtype).tiny), 0)


def _shared(linear: Callable[[Tensor], Tensor], values: Tensor, won: Tensor) -> Tensor:
    """Σ_j P(a_i | a_j) P(a_j) for a linear function with weights of at least 0."""
    exciting = values.detach().clamp(min=0).requires_grad_()
    with torch.enable_grad():
        reached = linear(exciting)
    tiny = torch.finfo(reached.dtype).tiny
    each = torch.where(reached > 0, won / reached.detach().clamp(min=tiny), 0)
    (back,) = torch.autograd.grad(reached, exciting, each)
    return back * exciting.detach()


def _gradient(function: Callable[[Tensor], Tensor], values: Tensor, outer: Tensor) -> Tensor:
    """The ordinary gradient of a function."""
    values = values.detach().requires_grad_()
    with torch.enable_grad():
        (back,) = torch.autograd.grad(function(values.clone()), values, outer)
    return back


class _Weighted(torch.autograd.Function):
    """A convolution or a linear layer; `ctx.scale` is the sign of the batch normalisation behind it, `[C]`."""

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, weight: Tensor, call: Callable[..., Tensor], bias: Any, run: Run
    ) -> Tensor:
        ctx.save_for_backward(values)
        ctx.weight, ctx.call, ctx.bias, ctx.run, ctx.scale = weight.detach(), call, bias, run, None
        return call(values, weight, bias)

    @staticmethod
    def backward(ctx: Any, won: Tensor) -> Any:
        (values,) = ctx.saved_tensors
        if ctx is ctx.run.top:
            gradient = _gradient(lambda x: ctx.call(x, ctx.weight, ctx.bias), values, won)
            return excitation(values, gradient, ctx.run.sign), None, None, None, None
        weight = ctx.weight
        if ctx.scale is not None:
            weight = weight * ctx.scale.view(-1, *[1] * (weight.dim() - 1))
        weight = weight.clamp(min=0)
        return _shared(lambda x: ctx.call(x, weight, None), values, won), None, None, None, None


class _Averaged(torch.autograd.Function):
    """Average pooling."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, call: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.save_for_backward(values)
        ctx.call, ctx.above = call, False
        return call(values)

    @staticmethod
    def backward(ctx: Any, won: Tensor) -> Any:
        rule = _gradient if ctx.above else _shared
        return rule(ctx.call, ctx.saved_tensors[0], won), None


class _Passed(torch.autograd.Function):
    """A function of one input and one output at each place."""

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, result: Tensor, before: Tensor, call: Callable[[Tensor], Tensor]
    ) -> Tensor:
        ctx.save_for_backward(before)
        ctx.call, ctx.above = call, False
        return result.clone()

    @staticmethod
    def backward(ctx: Any, won: Tensor) -> Any:
        return _gradient(ctx.call, ctx.saved_tensors[0], won) if ctx.above else won, None, None, None


class _Added(torch.autograd.Function):
    """a + b, of equal shape."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        first, second = a.clamp(min=0), b.clamp(min=0)
        ctx.save_for_backward(first, second)
        ctx.above = False
        return a + b

    @staticmethod
    def backward(ctx: Any, won: Tensor) -> Any:
        if ctx.above:
            return won, won
        first, second = ctx.saved_tensors
        both = first + second
        each = torch.where(both > 0, won / both.clamp(min=torch.finfo(both.dtype).tiny), 0)
        return each * first, each * second


class Rules(TorchFunctionMode):
    """Puts the rules in place of the functions that are called on what needs a gradient."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in _SUMS:
            return self._sum(func, args, kwargs)
        known = func in _WEIGHTED or func in _AVERAGES or func in _POINTWISE or func is F.batch_norm
        if not known:
            return func(*args, **kwargs)
        given = [*args]
        values = given.pop(0) if given else kwargs.pop("input")
        if not isinstance(values, Tensor) or not values.requires_grad or not torch.is_grad_enabled():
            return func(*args, **kwargs) if args else func(values, **kwargs)
        if func in _WEIGHTED:
            return self._weigh(func, values, given, kwargs)
        if func in _AVERAGES:
            return _Averaged.apply(values, lambda x: func(x, *given, **kwargs))
        if func is F.batch_norm:
            self._fold(values, _argument(given, kwargs, 2, "weight"))
        elif func not in _RELUS:
            name = str(getattr(func, "__name__", func))
            self.run.passed[name] = self.run.passed.get(name, 0) + 1
        return self._pass(func, values, given, kwargs)

    def _weigh(self, func: Any, values: Tensor, given: list[Any], kwargs: dict[str, Any]) -> Tensor:
        weight = given.pop(0) if given else kwargs.pop("weight")
        bias = given.pop(0) if given else kwargs.pop("bias", None)
        self.run.weighted += 1
        self.run.negative += bool((values.detach() < 0).any())
        made: Tensor = _Weighted.apply(
            values, weight.detach(), lambda x, w, b: func(x, w, b, *given, **kwargs), bias, self.run
        )
        return made

    def _fold(self, values: Tensor, weight: Tensor | None) -> None:
        """Tells the layer before a batch normalisation the signs of its scales."""
        if _rule(values.grad_fn) is not _Weighted:
            self.run.alone += 1
        elif weight is not None:
            values.grad_fn.scale = weight.detach().sign()  # type: ignore[union-attr]

    def _pass(self, func: Any, values: Tensor, given: list[Any], kwargs: dict[str, Any]) -> Tensor:
        # On a copy, whose version tells whether the function writes into its input.
        before = values.detach().clone()
        work = before.clone()
        version = work._version
        with torch.no_grad():
            result = func(work, *given, **kwargs)
        made: Tensor = _Passed.apply(values, result, before, lambda x: func(x, *given, **kwargs))
        return made if work._version == version else values.copy_(made)

    def _sum(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        fits = len(args) == 2 and all(isinstance(a, Tensor) for a in args) and not kwargs
        if not fits or args[0].shape != args[1].shape or not any(a.requires_grad for a in args):
            return func(*args, **kwargs)
        if not torch.is_grad_enabled():
            return func(*args)
        made = _Added.apply(*args)
        return args[0].copy_(made) if func in (Tensor.add_, Tensor.__iadd__) else made


def _argument(given: list[Any], kwargs: dict[str, Any], place: int, name: str) -> Any:
    return given[place] if len(given) > place else kwargs.get(name)
