"""Model randomisation: which layers get fresh weights and when, that nothing is touched, and who is flagged."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from map_toys import fixed
from scipy.stats import spearmanr
from small_nets import LAYER, Split, State, conv_backbone, gap_net, images, slow_alpha, slow_maps
from torch import Tensor, nn

from neuro_explain.evaluate.map_source import NO_ORDER
from neuro_explain.evaluate.randomisation import learned_layers, randomisation, randomised, stages
from neuro_explain.methods import METHODS
from neuro_explain.targets import Target

TARGETS = [Target.of_class(index) for index in (0, 1, 4)]


def edges(_net: nn.Module, pictures: Tensor, _targets: Sequence[Target]) -> Tensor:
    """A method that looks at the picture alone."""
    return pictures.abs().sum(dim=1)


def test_the_layers_from_the_top() -> None:
    net = gap_net(norm=True)
    assert learned_layers(net, images(1)) == (["head.2", "backbone.3", "backbone.1", "backbone.0"], [])
    net.never_run = nn.Linear(3, 3)
    net.scale = nn.Parameter(torch.ones(1))
    assert learned_layers(net, images(1)) == (
        ["head.2", "backbone.3", "backbone.1", "backbone.0"],
        ["scale", "never_run.weight", "never_run.bias"],
    )


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 50])
def test_stages(count: int) -> None:
    layers = [f"layer{place}" for place in range(7)]
    alone = stages(layers, "independent", count)
    down = stages(layers, "cascading", count)
    assert len(alone) == len(down) == max(1, min(count, 7))
    assert alone[0].layers == down[0].layers == ("layer0",)
    gone: list[str] = []
    for one, all_so_far in zip(alone, down, strict=True):
        gone += one.layers
        assert list(all_so_far.layers) == gone
        assert one.lowest == all_so_far.lowest == gone[-1]
    if count > 1:
        assert gone == layers
        sizes = [len(one.layers) for one in alone[1:]]
        assert max(sizes) - min(sizes) <= 1
    assert [stage.layers for stage in stages(["only"], "cascading", 8)] == [("only",)]


def test_fresh_weights_are_those_of_reset_parameters_and_the_rest_stays() -> None:
    net = gap_net(norm=True)
    net.backbone[1].running_mean.fill_(3)
    state = State(net)
    other = randomised(net, ["head.2", "backbone.1"], seed=5)
    state.assert_same()  # bytes, modes, hooks, gradients, and the random numbers to come
    want = copy.deepcopy(net)
    generator = torch.get_rng_state()
    torch.manual_seed(5)
    want.head[2].reset_parameters()
    want.backbone[1].reset_parameters()
    torch.set_rng_state(generator)
    for name, value in want.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name
    changed = {
        name for name, value in net.state_dict().items() if not torch.equal(other.state_dict()[name], value)
    }
    assert changed == {"head.2.weight", "head.2.bias", "backbone.1.running_mean"}
    assert not torch.equal(
        randomised(net, ["head.2"], seed=6).state_dict()["head.2.weight"], want.state_dict()["head.2.weight"]
    )
    state.assert_same()


@pytest.mark.parametrize("wrap", [lambda net: net, nn.DataParallel])
@pytest.mark.parametrize("grad", [True, False])
def test_the_network_is_never_touched(wrap: object, grad: bool) -> None:
    net = gap_net(norm=True)
    net.train()
    net.backbone[0].weight.requires_grad_(False)
    net.head[2].weight.grad = torch.ones_like(net.head[2].weight)
    given = wrap(net)  # type: ignore[operator]
    with torch.set_grad_enabled(grad):
        state = State(net)
        randomisation(given, images(3), TARGETS, [METHODS["grad-cam"]], layer="backbone.4", count=3)
        state.assert_same()
        with pytest.raises(ValueError, match="expected maps"):
            randomisation(given, images(3), TARGETS, [METHODS["grad-cam"]], layer="head.1")
        state.assert_same()


def test_under_inference_mode() -> None:
    net = gap_net()
    want = randomisation(net, images(3), TARGETS, [METHODS["grad-cam"]], layer=LAYER)
    with torch.inference_mode():
        got = randomisation(net, images(3), TARGETS, [METHODS["grad-cam"]], layer=LAYER)
    assert got.to_dict() == want.to_dict()


@pytest.mark.parametrize("batch", [1, 2, 16])
def test_restated_slowly(batch: int) -> None:
    net, x = gap_net().double(), images(3).double()
    report = randomisation(net, x, TARGETS, [METHODS["grad-cam"]], layer=LAYER, count=3, seed=2, batch=batch)
    assert len(report.figures) == 6
    layers = ["head.2", "backbone.2", "backbone.0"]
    groups = [layers[:1], layers[:2], layers, ["head.2"], ["backbone.2"], ["backbone.0"]]

    def maps_of(of: Split, index: int) -> np.ndarray:
        alpha = slow_alpha(of, x[index : index + 1], [TARGETS[index].index])
        return slow_maps(of, x[index : index + 1], alpha)[0].clamp(min=0).detach().numpy().ravel()

    measured = 0
    for figure, group in zip(report.figures, groups, strict=True):
        other = randomised(net, group, seed=2)
        values = []
        for index in range(3):
            a, b = maps_of(net, index), maps_of(other, index)
            if np.ptp(a) and np.ptp(b):
                values.append(spearmanr(a, b).statistic)
        measured += len(values)
        assert figure.count == len(values)
        assert figure.apart == ({NO_ORDER: 3 - len(values)} if len(values) < 3 else {})
        assert figure.mean == (pytest.approx(np.mean(values), abs=1e-9) if values else None)
    assert measured > 6


def test_a_method_that_looks_at_the_picture_alone_is_flagged() -> None:
    report = randomisation(
        gap_net(), images(3), TARGETS, [fixed(edges, "edges"), METHODS["grad-cam"]], layer=LAYER, count=3
    )
    assert report.more["flagged"]["edges"] == "backbone.0"
    assert all(figure.mean == pytest.approx(1) for figure in report.figures if figure.method == "edges")
    assert any(line.startswith("FLAGGED: edges hardly changes") for line in report.lines())
    assert report.to_dict()["flagged"] == report.more["flagged"]


def test_guided_backprop_is_flagged_where_grad_cam_is_not() -> None:
    backbone = nn.Sequential(
        *[part for width in (3, 16, 16, 16) for part in (nn.Conv2d(width, 16, 3, padding=1), nn.ReLU())]
    )
    net = Split(backbone, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 6))).eval()
    x = torch.randn(6, 3, 16, 16)
    targets = [Target.of_class(index) for index in range(6)]
    report = randomisation(
        net,
        x,
        targets,
        [METHODS["grad-cam"], METHODS["guided-backprop"]],
        layer="backbone.7",
        kinds=["cascading"],
    )
    top = {figure.method: figure.mean for figure in report.figures[:2]}
    assert top["guided backprop"] > top["Grad-CAM"]
    assert "guided backprop" in report.more["flagged"]
    assert "Grad-CAM" not in report.more["flagged"]


def test_random_weights_that_leave_nothing_finite_are_counted_apart() -> None:
    class Fragile(nn.Linear):
        def reset_parameters(self) -> None:
            nn.init.constant_(self.weight, torch.nan if getattr(self, "made", False) else 0.5)
            self.made = True

    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), Fragile(5, 6, bias=False))
    net = Split(conv_backbone(), head).eval()
    report = randomisation(
        net, images(3), TARGETS, [METHODS["grad-cam"]], layer=LAYER, kinds=["independent"], count=2
    )
    top, below = report.figures
    assert top.count == 0 and list(top.apart.values()) == [3]
    assert below.count + sum(below.apart.values()) == 3


def test_one_image_and_wrong_uses() -> None:
    net, x = gap_net(), images(1)
    report = randomisation(net, x, TARGETS[:1], [fixed(edges, "edges")], layer=LAYER, count=1)
    assert [figure.low for figure in report.figures] == [None, None]
    grad_cam = [METHODS["grad-cam"]]
    for given, targets, message in (
        (x, TARGETS, "targets: expected one for each image"),
        (x[:0], [], "targets: expected one for each image"),
        (x[0], TARGETS, "targets: expected one for each image"),
    ):
        with pytest.raises(ValueError, match=message):
            randomisation(net, given, targets, grad_cam, layer=LAYER)
    with pytest.raises(ValueError, match="count: expected at least one stage"):
        randomisation(net, x, TARGETS[:1], grad_cam, layer=LAYER, count=0)
    with pytest.raises(ValueError, match="NaN or infinite"):
        randomisation(net, x * torch.nan, TARGETS[:1], grad_cam, layer=LAYER)

    class Mean(nn.Module):
        def forward(self, pictures: Tensor) -> Tensor:
            return pictures.mean(dim=(2, 3))

    with pytest.raises(ValueError, match="no layer with weights"):
        randomisation(Mean(), x, TARGETS[:1], [fixed(edges)], layer="any")
    net.backbone[0].extra = net.backbone[0].weight * 2  # torch copies no tensor that hangs on a graph
    with pytest.raises(ValueError, match="cannot be copied"):
        randomisation(net, x, TARGETS[:1], [fixed(edges)], layer=LAYER)
