"""Gradients through ReLUs by three rules, against a restatement that differentiates nothing.

The toy networks are chains of linear maps and ReLUs. `slow_signal` writes each linear map as a matrix, column by
column, in float64, and sends the signal back through the transposed matrices and, at each ReLU, through the rule as
printed in Springenberg et al. 2015, Fig. 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neuro_explain.methods.rectifiers import Rectifiers, Rule
from neuro_explain.methods.registry import METHODS

RULES: tuple[Rule, ...] = ("plain", "guided", "deconvolution")
METHOD_OF = {"plain": "gradient", "guided": "guided-backprop", "deconvolution": "deconvolution"}


def x_of(count: int = 2) -> Tensor:
    return torch.randn(count, 3, 6, 5, generator=torch.Generator().manual_seed(count))


class Chain(nn.Module):
    """Two convolutions and a linear layer, with a ReLU of some form behind the convolutions and the first linear."""

    def __init__(self, relu: Callable[[Tensor], Tensor], scale: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.one, self.two = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 2)
        self.three, self.four = nn.Linear(5 * 3 * 2, 7), nn.Linear(7, 3)
        for part in (self.one, self.two, self.three):
            part.weight.data *= scale
        self.relu = relu

    def parts(self) -> list[Callable[[Tensor], Tensor] | None]:
        """The linear maps in order, None where a ReLU stands."""
        return [self.one, None, self.two, None, lambda maps: self.three(maps.flatten(1)), None, self.four]

    def forward(self, x: Tensor) -> Tensor:
        for part in self.parts():
            x = self.relu(x) if part is None else part(x)
        return x


def matrix(linear: Callable[[Tensor], Tensor], shape: torch.Size) -> Tensor:
    """Of an affine map on one tensor of that shape, without its offset: `[outputs, inputs]`."""
    offset = linear(torch.zeros(1, *shape, dtype=torch.float64))
    columns = []
    for place in range(shape.numel()):
        unit = torch.zeros(shape.numel(), dtype=torch.float64)
        unit[place] = 1
        columns.append((linear(unit.view(1, *shape)) - offset).flatten())
    return torch.stack(columns, dim=1)


def slow_rule(rule: Rule, signal: Tensor, given: Tensor, top: float = float("inf")) -> Tensor:
    """One number after the other."""
    result = torch.zeros_like(signal)
    for i, (s, x) in enumerate(zip(signal.tolist(), given.tolist(), strict=True)):
        fires = 0 < x < top
        keeps = {"plain": fires, "guided": fires and s > 0, "deconvolution": s > 0}[rule]
        result[i] = s if keeps else 0.0
    return result


@torch.no_grad()
def slow_signal(
    parts: Sequence[Callable[[Tensor], Tensor] | None],
    image: Tensor,
    index: int,
    rule: Rule,
    top: float = float("inf"),
) -> Tensor:
    """What reaches `image` `[3, H, W]` from output `index` of a chain of float64 parts."""
    inputs, x = [], image.double()[None]
    for part in parts:
        inputs.append(x)
        x = x.clamp(0, top) if part is None else part(x)
    signal = torch.zeros(x.numel(), dtype=torch.float64)
    signal[index] = 1
    for part, given in zip(reversed(parts), reversed(inputs), strict=True):
        if part is None:
            signal = slow_rule(rule, signal, given.flatten(), top)
        else:
            signal = matrix(part, given.shape[1:]).T @ signal
    return signal.view(image.shape)


FORMS: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "nn.ReLU": (nn.ReLU(), float("inf")),
    "nn.ReLU in place": (nn.ReLU(inplace=True), float("inf")),
    "F.relu": (F.relu, float("inf")),
    "F.relu by name": (lambda x: F.relu(input=x), float("inf")),
    "F.relu in place": (lambda x: F.relu(x, True), float("inf")),
    "F.relu_": (F.relu_, float("inf")),
    "torch.relu": (torch.relu, float("inf")),
    "torch.relu_": (torch.relu_, float("inf")),
    "Tensor.relu": (lambda x: x.relu(), float("inf")),
    "Tensor.relu_": (lambda x: x.relu_(), float("inf")),
    "F.threshold": (lambda x: F.threshold(x, 0, 0), float("inf")),
    "nn.Threshold in place": (nn.Threshold(0.0, 0.0, inplace=True), float("inf")),
    "clamp(min=0)": (lambda x: x.clamp(min=0), float("inf")),
    "clamp_(0)": (lambda x: x.clamp_(0), float("inf")),
    "torch.clamp(0.0)": (lambda x: torch.clamp(x, 0.0), float("inf")),
    "clip(0)": (lambda x: x.clip(0), float("inf")),
    "clamp_min(0)": (lambda x: x.clamp_min(0), float("inf")),
    "torch.clamp_min(min=0)": (lambda x: torch.clamp_min(x, min=0), float("inf")),
    "nn.ReLU6": (nn.ReLU6(), 6.0),
    "nn.ReLU6 in place": (nn.ReLU6(inplace=True), 6.0),
    "F.relu6": (F.relu6, 6.0),
    "F.hardtanh(0, 4)": (lambda x: F.hardtanh(x, 0, 4), 4.0),
    "nn.Hardtanh(0, 4) in place": (nn.Hardtanh(0, 4, inplace=True), 4.0),
    "clamp(0, 6)": (lambda x: x.clamp(0, 6), 6.0),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_relu_follows_the_rule(form: str, rule: Rule) -> None:
    relu, top = FORMS[form]
    net = Chain(relu, scale=3.0).eval()
    wide = Chain(relu, scale=3.0).double()
    got = METHODS[METHOD_OF[rule]](net, x_of(), [2, 0], layer="one")
    want = torch.stack(
        [
            slow_signal(wide.parts(), image, index, rule, top)
            for image, index in zip(x_of(), [2, 0], strict=True)
        ]
    )
    assert float(want.abs().min(dim=0).values.max()) > 0
    torch.testing.assert_close(got.signed.double(), want, rtol=1e-4, atol=1e-5 * float(want.abs().max()))
    torch.testing.assert_close(got.scores, net(x_of())[[0, 1], [2, 0]].detach(), rtol=0, atol=0)
    assert got.notes == (() if rule == "plain" else (f"3 ReLUs were replaced by the {rule} rule",))


def test_the_rules_differ_and_the_upper_bound_matters() -> None:
    wide = Chain(F.relu, scale=3.0).double()
    signals = [slow_signal(wide.parts(), x_of()[0], 2, rule) for rule in RULES]
    signals += [slow_signal(wide.parts(), x_of()[0], 2, rule, 4.0) for rule in ("plain", "guided")]
    for i, one in enumerate(signals):
        assert all(not torch.allclose(one, other) for other in signals[:i])


@pytest.mark.parametrize("form", FORMS)
def test_what_goes_forward_and_the_plain_rule_are_torchs_own(form: str) -> None:
    """Also at the bounds themselves, where the derivative is a convention, and for `clamp` has changed with torch."""
    relu, _ = FORMS[form]
    values = torch.tensor([-1.0, -1e-30, 1e-30, 3.0, 3.5, 5.0, 7.0])
    if "cl" not in form:
        values = torch.cat([values, torch.tensor([-0.0, 0.0, 4.0, 6.0])])
    results = []
    for mode in (None, Rectifiers()):
        x = values.clone().requires_grad_()
        if mode is None:
            y = relu(x.clone())
            (g,) = torch.autograd.grad(y.sum(), x)
        else:
            with mode:
                y = relu(x.clone())
                (g,) = torch.autograd.grad(y.sum(), x)
        results.append((y.detach(), g))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@pytest.mark.parametrize(
    "other",
    [
        lambda x: x.clamp(min=0.1),
        lambda x: x.clamp(max=0),
        lambda x: x.clamp(-1, 1),
        lambda x: x.clamp_min(1e-6),
        lambda x: F.threshold(x, 0.1, 0),
        lambda x: F.hardtanh(x),
        lambda x: torch.clamp(x, torch.zeros(1)),
        lambda x: F.leaky_relu(x),
        lambda x: F.silu(x),
    ],
)
def test_what_is_no_relu_is_left_alone(other: Callable[[Tensor], Tensor]) -> None:
    x = torch.linspace(-2, 2, 9).requires_grad_()
    (want,) = torch.autograd.grad(-other(x).sum(), x)
    with Rectifiers("deconvolution") as relus:
        (got,) = torch.autograd.grad(-other(x).sum(), x)
    assert torch.equal(got, want) and bool((want < 0).any())
    assert relus.replaced == 0


def test_one_graph_serves_all_rules() -> None:
    net, x = Chain(F.relu), x_of().requires_grad_()
    with Rectifiers() as relus:
        y = net(x)[:, 1].sum()
        seen = []
        for rule in (*RULES, "plain"):
            relus.rule = rule
            seen.append(torch.autograd.grad(y, x, retain_graph=True)[0])
    assert torch.equal(seen[0], seen[3])
    for rule, got in zip(RULES, seen[:3], strict=True):
        want = METHODS[METHOD_OF[rule]](net, x_of(), [1, 1], layer="one").signed
        assert torch.equal(got, want)


class Twice(nn.Module):
    """ReLUs called on the same tensor twice, and one ReLU module called twice."""

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.left, self.right = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.head = nn.Linear(4, 3)
        self.relu = nn.ReLU(inplace)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = self.relu(self.relu(x))
        return self.head((self.left(torch.relu(x)) - self.right(F.relu(x))).mean((2, 3)))


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("rule", RULES)
def test_a_relu_twice_on_the_same_tensor(rule: Rule, inplace: bool) -> None:
    net, x = Twice(inplace).eval(), x_of(1)
    got = METHODS[METHOD_OF[rule]](net, x, [1], layer="conv")
    wide = Twice(False).double()
    with torch.no_grad():
        given = wide.conv(x.double())
        fires = given.relu()
        cells = given.shape[2] * given.shape[3]
        back = (wide.head.weight[1] / cells)[None, :, None, None].expand_as(given)
        left = torch.einsum("oi,nohw->nihw", wide.left.weight[:, :, 0, 0], back)
        right = torch.einsum("oi,nohw->nihw", wide.right.weight[:, :, 0, 0], -back)

        def ruled(signal: Tensor, went_in: Tensor) -> Tensor:
            return slow_rule(rule, signal.flatten(), went_in.flatten()).view_as(signal)

        signal = ruled(left, fires) + ruled(right, fires)
        signal = ruled(ruled(signal, fires), given)
        want = (matrix(wide.conv, x.shape[1:]).T @ signal.flatten()).view_as(x)
    assert float(want.abs().max()) > 0
    torch.testing.assert_close(got.signed.double(), want, rtol=1e-4, atol=1e-6)
    assert got.notes == (() if rule == "plain" else (f"4 ReLUs were replaced by the {rule} rule",))


class Residual(nn.Module):
    """relu(a + conv(relu(a))), a = relu(conv(x)), with the sum in place."""

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv, self.inner, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, 3)
        self.relu = nn.ReLU(inplace)

    def forward(self, x: Tensor) -> Tensor:
        a = self.relu(self.conv(x))
        out = self.inner(F.relu(a))
        out += a
        return self.head(self.relu(out).mean((2, 3)))


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("rule", RULES)
def test_a_residual_network(rule: Rule, inplace: bool) -> None:
    x = x_of(1)
    got = METHODS[METHOD_OF[rule]](Residual(inplace).eval(), x, [2], layer="conv")
    wide = Residual(False).double()
    with torch.no_grad():
        first = wide.conv(x.double())
        a = first.relu()
        out = wide.inner(a) + a
        cells = out.shape[2] * out.shape[3]
        back = (wide.head.weight[2] / cells)[None, :, None, None].expand_as(out)

        def ruled(signal: Tensor, went_in: Tensor) -> Tensor:
            return slow_rule(rule, signal.flatten(), went_in.flatten())

        at_sum = ruled(back, out)
        through = ruled(matrix(wide.inner, a.shape[1:]).T @ at_sum, a)
        want = (matrix(wide.conv, x.shape[1:]).T @ ruled(at_sum + through, first)).view_as(x)
    assert float(want.abs().max()) > 0
    torch.testing.assert_close(got.signed.double(), want, rtol=1e-4, atol=1e-6)


# Notes.


def test_other_activation_functions_are_counted_and_keep_their_derivative() -> None:
    def mixed(x: Tensor) -> Tensor:
        return F.gelu(F.silu(x)) if x.dim() == 4 else nn.LeakyReLU()(x)

    net = Chain(mixed).eval()
    plain = METHODS["gradient"](net, x_of(), [0, 1], layer="one")
    for name in ("guided-backprop", "deconvolution"):
        got = METHODS[name](net, x_of(), [0, 1], layer="one")
        assert torch.equal(got.signed, plain.signed)
        assert got.notes == (
            "no ReLU was found to replace, so the gradient is the plain one",
            "other activation functions kept their own derivative: GELU (2×), SiLU (2×), leaky ReLU (1×)",
        )
    assert plain.notes == ()


@pytest.mark.parametrize(
    ("activation", "name"),
    [
        *((getattr(nn, n)(), n) for n in ("SiLU", "GELU", "ELU", "SELU", "CELU", "PReLU", "RReLU")),
        (nn.LeakyReLU(inplace=True), "leaky ReLU"),
        (nn.Hardswish(), "hardswish"),
        (nn.Hardsigmoid(), "hardsigmoid"),
        (nn.Mish(), "mish"),
        (nn.Softplus(), "softplus"),
        (nn.Softsign(), "softsign"),
        (nn.Tanh(), "tanh"),
        (nn.Sigmoid(), "sigmoid"),
        (nn.LogSigmoid(), "log-sigmoid"),
        (nn.Hardshrink(), "hardshrink"),
        (nn.Softshrink(), "softshrink"),
        (nn.Tanhshrink(), "tanhshrink"),
        (nn.Hardtanh(), "hardtanh"),
        (nn.Threshold(0.1, 0.0), "threshold"),
        (nn.GLU(dim=0), "GLU"),
        (lambda x: x.sigmoid(), "sigmoid"),
        (lambda x: x.tanh_(), "tanh"),
    ],
)
def test_each_other_activation_function_has_a_name(activation: Any, name: str) -> None:
    x = torch.randn(4, 2, requires_grad=True)
    with Rectifiers("guided") as relus:
        activation(x.clone())
        activation(x.detach().clone())  # nothing is differentiated there, unless it has weights
    assert relus.others[name] == (2 if name == "PReLU" else 1)
    assert relus.notes()[1].endswith(f": {name} ({relus.others[name]}×)")


def test_a_relu_that_no_gradient_passes_is_not_counted() -> None:
    class Aside(Chain):
        def forward(self, x: Tensor) -> Tensor:
            F.relu(x)
            return super().forward(x)

    got = METHODS["guided-backprop"](Aside(F.relu), x_of(), [0, 1], layer="one")
    assert got.notes == ("3 ReLUs were replaced by the guided rule",)


def test_a_rule_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="rule: expected 'plain', 'guided' or 'deconvolution', got 'guide'"):
        Rectifiers("guide")  # type: ignore[arg-type]
