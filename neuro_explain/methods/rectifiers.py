"""How does a gradient pass a ReLU? By one of three rules, in every ReLU that a network calls.

    with Rectifiers("guided") as relus:
        scores = net(images)[:, 281]
        (gradient,) = torch.autograd.grad(scores.sum(), images)
    relus.notes()                       # what followed the rule, and what did not

For g, the gradient that comes from above, and x, what went in:

    plain            g · [x > 0]              the derivative
    guided           max(g, 0) · [x > 0]      Springenberg et al. 2015
    deconvolution    max(g, 0)                Zeiler and Fergus 2014

A ReLU that is cut off at the top, such as ReLU6, has a derivative of 0 from there on too.

It is the function that is replaced and not the module: `nn.ReLU`, `F.relu`, `torch.relu`, `Tensor.relu`, `nn.ReLU6`,
their in-place forms, and `clamp`, `clip`, `hardtanh` and `threshold` where they cut at 0. What goes forward keeps its
value to the last bit. The rule is asked for on the way back, so one graph serves several rules (`relus.rule = …`).
Other activation functions keep their own derivative, and are counted. Inside TorchScript nothing is seen.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

Rule: TypeAlias = Literal["plain", "guided", "deconvolution"]
NONE_REPLACED = "no ReLU was found to replace, so the gradient is the plain one"
"""The note where a rule had nothing to follow it."""

_RELU = {F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_}
_HARDTANH = {F.hardtanh, F.hardtanh_}
_THRESHOLD = {F.threshold, F.threshold_, torch.threshold}  # type: ignore[attr-defined]
_CLAMP = {
    *(torch.clamp, torch.clamp_, torch.clip, torch.clip_),
    *(Tensor.clamp, Tensor.clamp_, Tensor.clip, Tensor.clip_),
}
_CLAMP_MIN = {torch.clamp_min, torch.clamp_min_, Tensor.clamp_min, Tensor.clamp_min_}
_OTHERS: dict[Any, str] = {
    F.silu: "SiLU",
    F.gelu: "GELU",
    **dict.fromkeys((F.leaky_relu, F.leaky_relu_), "leaky ReLU"),
    **dict.fromkeys((F.elu, F.elu_), "ELU"),
    **dict.fromkeys((F.selu, F.selu_, torch.selu, torch.selu_), "SELU"),
    **dict.fromkeys((F.celu, F.celu_, torch.celu, torch.celu_), "CELU"),
    **dict.fromkeys((F.prelu, torch.prelu, Tensor.prelu), "PReLU"),
    **dict.fromkeys((F.rrelu, F.rrelu_, torch.rrelu, torch.rrelu_), "RReLU"),
    F.hardswish: "hardswish",
    F.hardsigmoid: "hardsigmoid",
    F.mish: "mish",
    F.softplus: "softplus",
    F.softsign: "softsign",
    F.logsigmoid: "log-sigmoid",
    F.glu: "GLU",
    F.hardshrink: "hardshrink",
    F.softshrink: "softshrink",
    F.tanhshrink: "tanhshrink",
    **dict.fromkeys((F.tanh, torch.tanh, torch.tanh_, Tensor.tanh, Tensor.tanh_), "tanh"),
    **dict.fromkeys((F.sigmoid, torch.sigmoid, torch.sigmoid_, Tensor.sigmoid, Tensor.sigmoid_), "sigmoid"),
    **dict.fromkeys(_HARDTANH, "hardtanh"),  # those that do not cut at 0
    **dict.fromkeys(_THRESHOLD, "threshold"),
}


class Rectifiers(TorchFunctionMode):
    """The ReLUs of the networks that run in the block, and the rule that gradients follow in them.

    Enter it before `record`, which must see the ReLUs first to take a layer's `+relu`.

    Attributes:
        rule: followed by backward passes from now on.
        others: how often each other activation function was called on something that is differentiated.
    """

    def __init__(self, rule: Rule = "plain") -> None:
        super().__init__()
        if rule not in ("plain", "guided", "deconvolution"):
            raise ValueError(f"rule: expected 'plain', 'guided' or 'deconvolution', got {rule!r}")
        self.rule: Rule = rule
        self.others: Counter[str] = Counter()
        self._calls = 0
        self._followed: set[int] = set()

    @property
    def replaced(self) -> int:
        """How many calls of a ReLU a gradient has passed by the guided rule, or that of deconvolution."""
        return len(self._followed)

    def notes(self) -> tuple[str, ...]:
        """What a reader must know: how many ReLUs followed the rule, and which functions did not."""
        relus = "1 ReLU was" if self.replaced == 1 else f"{self.replaced} ReLUs were"
        first = f"{relus} replaced by the {self.rule} rule"
        if not self.replaced:
            first = NONE_REPLACED
        if not self.others:
            return (first,)
        calls = ", ".join(f"{name} ({count}×)" for name, count in sorted(self.others.items()))
        return first, f"other activation functions kept their own derivative: {calls}"

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Replaces calls of ReLU, counts those of other activation functions, lets all else pass."""
        kwargs = kwargs or {}
        top = _top(func, args[1:], kwargs)
        if top is not None and "out" not in kwargs:
            given = args[0] if args else kwargs["input"]
            rest = {key: value for key, value in kwargs.items() if key != "input"}
            self._calls += 1
            return _Rectified.apply(given, lambda x: func(x, *args[1:], **rest), top, self, self._calls)
        result = func(*args, **kwargs)
        if func in _OTHERS and isinstance(result, Tensor) and result.requires_grad:
            self.others[_OTHERS[func]] += 1
        return result


class _Rectified(torch.autograd.Function):
    """A ReLU whose gradient follows the rule that its `Rectifiers` have when it comes back."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, run: Callable[[Tensor], Tensor], top: float, relus: Rectifiers, number: int
    ) -> Tensor:
        ctx.top, ctx.relus, ctx.number = top, relus, number
        result = run(x)
        if result is x:
            ctx.mark_dirty(x)
        # Whoever works in place may write into this very tensor again.
        ctx.save_for_backward(result.clone() if result is x else result)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (result,) = gradients, ctx.saved_tensors
        rule = ctx.relus.rule
        if rule != "plain":
            ctx.relus._followed.add(ctx.number)
            gradient = gradient.clamp(min=0)
        if rule != "deconvolution":
            # torch's own two functions: several times faster than a product with a mask
            if ctx.top == math.inf:
                gradient = torch.ops.aten.threshold_backward(gradient, result, 0)
            else:
                gradient = torch.ops.aten.hardtanh_backward(gradient, result, 0, ctx.top)
        return gradient, None, None, None, None


def _top(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float | None:
    """Where a call cuts its values off, if it is one of a ReLU, infinity if nowhere; None if it is no ReLU.

    Args:
        func: the function.
        args: what it is given after the tensor.
        kwargs: what it is given by name.
    """

    def given(place: int, name: str, default: Any = None) -> Any:
        return args[place] if len(args) > place else kwargs.get(name, default)

    low, top = None, math.inf
    if func in _RELU:
        low = 0.0
    elif func is F.relu6:
        low, top = 0.0, 6.0
    elif func in _HARDTANH:
        low, top = given(0, "min_val", -1.0), given(1, "max_val", 1.0)
    elif func in _THRESHOLD:
        low = given(0, "threshold") if _is_zero(given(1, "value")) else None
    elif func in _CLAMP_MIN:
        low = given(0, "min")
    elif func in _CLAMP:
        low, top = given(0, "min"), given(1, "max", math.inf)
        top = math.inf if top is None else top
    return float(top) if _is_zero(low) and isinstance(top, (int, float)) and top > 0 else None


def _is_zero(bound: Any) -> bool:
    return isinstance(bound, (int, float)) and bound == 0
