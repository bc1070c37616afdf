"""The ablations of App. B, each against its formula written out slowly in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_nets import LAYER, State, deep_head_net, gap_net, images
from test_methods_of_gradients import relu_head_net
from test_rectifiers import RULES, slow_signal
from torch import Tensor

from neuro_explain.gradcam import grad_cam
from neuro_explain.methods.ablations import grad_cam_ablation
from neuro_explain.methods.rectifiers import Rule
from neuro_explain.methods.registry import METHODS

CLASSES = [3, 5]


def slow_map(x: Tensor, classes: list[int], gradient: str, pool: str, rule: Rule) -> Tensor:
    """Σ_k alpha_k A^k of `relu_head_net`, cell by cell, without autograd."""
    wide = relu_head_net().double()
    conv, _, *rest = wide.head
    maps = wide.backbone(x.double()).detach()
    total = torch.zeros(len(x), *maps.shape[2:], dtype=torch.float64)
    for image, c in enumerate(classes):
        signal = slow_signal([conv, None, lambda m: rest[2](rest[1](rest[0](m)))], maps[image], c, rule)
        for unit in range(maps.shape[1]):
            cells = [abs(g) if gradient == "absolute" else g for g in signal[unit].flatten().tolist()]
            alpha = max(cells) if pool == "max" else sum(cells) / len(cells)
            total[image] += alpha * maps[image, unit]
    return total


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("pool", ["mean", "max"])
@pytest.mark.parametrize("gradient", ["signed", "absolute"])
@pytest.mark.parametrize("relu", [True, False])
def test_every_combination(relu: bool, gradient: Any, pool: Any, rule: Rule) -> None:
    net, x = relu_head_net(), images()
    got = grad_cam_ablation(net, x, CLASSES, layer=LAYER, relu=relu, gradient=gradient, pool=pool, rule=rule)
    want = slow_map(x, CLASSES, gradient, pool, rule)
    scale = float(want.abs().max())
    torch.testing.assert_close(got.signed.double(), want, rtol=1e-4, atol=1e-5 * scale)
    shown = want.clamp(min=0) if relu else torch.stack([one - one.min() for one in want])
    torch.testing.assert_close(got.map.double(), shown, rtol=1e-4, atol=1e-5 * scale)
    assert got.notes == (() if rule == "plain" else (f"1 ReLU was replaced by the {rule} rule",))


def test_no_two_of_the_five_and_grad_cam_are_alike() -> None:
    net, x = relu_head_net(), images()
    names = [name for name in METHODS if name.startswith("grad-cam")]
    five = ["no-relu", "absolute-gradient", "max-pooled", "guided-relu", "deconvolution-relu"]
    assert {f"grad-cam-{name}" for name in five} | {"grad-cam"} <= set(names)
    maps = [METHODS[f"grad-cam-{name}"](net, x, CLASSES, layer=LAYER).map for name in five]
    maps.append(METHODS["grad-cam"](net, x, CLASSES, layer=LAYER).map)
    for i, one in enumerate(maps):
        assert all(not torch.allclose(one, other, rtol=1e-3) for other in maps[:i])
    options: list[dict[str, Any]] = [
        {"relu": False},
        {"gradient": "absolute"},
        {"pool": "max"},
        {"rule": "guided"},
        {"rule": "deconvolution"},
    ]
    for option, shown in zip(options, maps, strict=False):
        assert torch.equal(grad_cam_ablation(net, x, CLASSES, layer=LAYER, **option).map, shown)


def test_without_an_option_it_is_grad_cam() -> None:
    net, x = deep_head_net(), images()
    got, want = grad_cam_ablation(net, x, CLASSES, layer=LAYER), grad_cam(net, x, CLASSES, layer=LAYER)
    assert torch.equal(got.signed, want.signed_map) and torch.equal(got.map, want.map)
    assert got.notes == () and torch.equal(got.scores, want.scores)


def test_the_map_without_relu_keeps_cells_below_zero_apart() -> None:
    """A share of its largest value is the same share of the signed map scaled from 0 to 1."""
    got = METHODS["grad-cam-no-relu"](relu_head_net(), images(), CLASSES, layer=LAYER)
    assert float(got.signed.min()) < 0
    for signed, shown in zip(got.signed, got.map, strict=True):
        scaled = (signed - signed.min()) / (signed.max() - signed.min())
        torch.testing.assert_close(shown / shown.max(), scaled)
        assert float(shown.min()) == 0 and int((shown == 0).sum()) == 1


@pytest.mark.parametrize("rule", ["guided", "deconvolution"])
def test_no_relu_behind_the_layer(rule: Rule) -> None:
    """Those before the layer make no difference to alpha, and are not counted."""
    net, x = gap_net(), images()
    got = grad_cam_ablation(net, x, CLASSES, layer=LAYER, rule=rule)
    assert torch.equal(got.map, grad_cam(net, x, CLASSES, layer=LAYER).map)
    assert got.notes == ("no ReLU was found to replace, so the gradient is the plain one",)
    deep = grad_cam_ablation(deep_head_net(), x, CLASSES, layer=LAYER, rule=rule)
    assert deep.notes[1] == "other activation functions kept their own derivative: GELU (1×), tanh (1×)"


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_the_network_is_left_as_it_was(mode: Any) -> None:
    net = relu_head_net().train()
    state = State(net)
    for name in (n for n in METHODS if n.startswith("grad-cam-")):
        want = METHODS[name](relu_head_net(), images(), CLASSES, layer=LAYER)
        with mode():
            assert torch.equal(METHODS[name](net, images(), CLASSES, layer=LAYER).map, want.map)
            with pytest.raises(ValueError, match="class 99 does not exist"):
                METHODS[name](net, images(), [0, 99], layer=LAYER)
    state.assert_same()


def test_what_is_refused() -> None:
    net, x = relu_head_net(), images()
    with pytest.raises(ValueError, match="gradient: expected 'signed' or 'absolute', got 'abs'"):
        grad_cam_ablation(net, x, CLASSES, layer=LAYER, gradient="abs")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="pool: expected 'mean' or 'max', got 'sum'"):
        grad_cam_ablation(net, x, CLASSES, layer=LAYER, pool="sum")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rule: expected 'plain'"):
        grad_cam_ablation(net, x, CLASSES, layer=LAYER, rule="none")  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match="expected one for each image, got 2; methods give one map per image"
    ):
        grad_cam_ablation(net, x, [[1, 2], [3, 4]], layer=LAYER)
