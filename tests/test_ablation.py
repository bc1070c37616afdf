"""The ablation check: on paper, against a slow version on a network that was split by hand, and its draws."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_nets import LAYER, Split, State, conv_backbone, deep_head_net, gap_net, images
from torch import Tensor, nn

from neuro_explain.ablation import (
    DRAWS,
    AblationCheck,
    Spread,
    ablated_outputs,
    check_by_ablation,
    draw_units,
    other_units,
)
from neuro_explain.targets import Target

SETS = [[0], [1, 4], [], [0, 1, 2, 3, 4], [2], [3, 0], [4]]


def slowly(net: Split, x: Tensor, sets: Sequence[Sequence[int]]) -> Tensor:
    """The maps are computed, units zeroed one set after the other, and the head run on each."""
    rows = []
    for units in sets:
        with torch.no_grad():
            maps = net.backbone(x)
            for unit in units:
                maps[:, unit] = 0
            rows.append(net.head(maps)[0])
    return torch.stack(rows)


# On paper.


def paper_net() -> Split:
    """Units see the input's channels, through a ReLU; y_0 = ΣA_0 + 2 ΣA_1 + 4 ΣA_2 + 1, y_1 = -ΣA_0."""
    conv = nn.Conv2d(3, 3, 1, bias=False)
    fc = nn.Linear(3, 2)
    with torch.no_grad():
        conv.weight.copy_(torch.eye(3)[:, :, None, None])
        fc.weight.copy_(torch.tensor([[4.0, 8, 16], [-4, 0, 0]]))  # the mean over four cells follows
        fc.bias.copy_(torch.tensor([1.0, 0]))
    return Split(nn.Sequential(conv, nn.ReLU()), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), fc))


PAPER_IMAGE = torch.tensor(
    [[[[1.0, 2], [0, -5]], [[3.0, 0], [0, 2]], [[-1.0, -1], [-1, -1]]]]
)  # ΣA = 3, 5, 0


def test_outputs_on_paper() -> None:
    got = ablated_outputs(paper_net(), PAPER_IMAGE, "backbone.1", [[], [0], [1], [2], [0, 1], [0, 1, 2]])
    # y_0 = 3 + 10 + 0 + 1
    assert got.tolist() == [[14, -3], [11, 0], [4, -3], [14, -3], [1, 0], [1, 0]]


def check_paper(units: Sequence[int], target: Target, **options: Any) -> AblationCheck:
    net = paper_net()
    activations = net.backbone(PAPER_IMAGE)[0].detach().numpy()
    scores = net(PAPER_IMAGE).detach()
    given = {
        "score": float(target(scores)),
        "probability": float(scores.softmax(1)[0, target.index]) if target.kind == "class" else None,
        **options,
    }
    return check_by_ablation(net, PAPER_IMAGE, "backbone.1", units, activations, target, **given)


def test_the_check_on_paper() -> None:
    check = check_paper([1, 2], Target.of_class(0, "cat"))
    assert check.units == (1, 2)
    assert check.silent == (2,)
    assert (check.score, check.score_without) == (14, 4)
    assert check.probability == pytest.approx(1 / (1 + np.exp(-17)))
    assert check.probability_without == pytest.approx(1 / (1 + np.exp(-7)))
    # Only unit 0 fires besides: to lose one unit costs less than to lose two, whichever they are.
    assert (check.firing, check.drawn_units, check.draws) == (1, 0, 0)
    assert check.random_score is check.random_probability is None
    assert check.text == (
        "Without the two strongest units p(cat) falls from 1.000 to 0.999; only one other unit fires on this image, "
        "too few for a fair comparison. One of these two units is silent on this image, so zeroing it changes nothing."
    )


def test_the_tested_units_are_not_drawn() -> None:
    check = check_paper([1], Target.of_class(0, "cat"))
    assert (check.firing, check.drawn_units, check.draws) == (1, 1, DRAWS)
    assert (check.score_without, check.random_score) == (4, Spread(11, 11, 11))  # unit 0, in every draw
    assert check.random_probability.mean == pytest.approx(1 / (1 + np.exp(-11)))
    assert "; without the only other unit that fires here it is" in check.text


def test_a_contrast_has_no_probability() -> None:
    check = check_paper([0], Target.contrast(0, 1, "cat rather than dog"))
    assert (check.score, check.score_without) == (17, 11)
    assert check.probability is check.probability_without is check.random_probability is None
    assert check.random_score == Spread(7, 7, 7)  # without unit 1, the only other one that fires
    assert "the score of “cat rather than dog” falls from 17.00 to 11.00" in check.text


def test_zeroing_a_silent_unit_changes_nothing() -> None:
    check = check_paper([2], Target.of_class(0))
    assert check.silent == (2,)
    assert check.score_without == check.score
    assert check.probability_without == pytest.approx(check.probability, abs=1e-7)
    assert "This unit is silent on this image, so zeroing it changes nothing" in check.text


# Against the slow version.


@pytest.mark.parametrize("copies", [1, 2, 7, 32])
@pytest.mark.parametrize("make", [gap_net, deep_head_net])
def test_equals_the_slow_version_whatever_the_chunks(make: Callable[[], Split], copies: int) -> None:
    net, x = make().double(), images(1).double()
    got = ablated_outputs(net, x, LAYER, SETS, copies=copies)
    torch.testing.assert_close(got, slowly(net, x, SETS), rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(got[2], net(x)[0].detach(), rtol=1e-12, atol=1e-15)


def test_one_set() -> None:
    net, x = gap_net(), images(1)
    torch.testing.assert_close(ablated_outputs(net, x, LAYER, [[1]]), slowly(net, x, [[1]]))


def test_an_infinite_activation_is_zeroed_too() -> None:
    class Shifted(nn.Module):
        def forward(self, maps: Tensor) -> Tensor:
            return maps + torch.tensor([torch.inf, 0, 0, 0, 0])[:, None, None]

    net = gap_net()
    net.backbone.append(Shifted())
    got = ablated_outputs(net, images(1), "backbone.4", [[0], [1]])
    assert bool(got[0].isfinite().all())
    assert not bool(got[1].isfinite().any())


class Counts(Split):
    """Notes how many images there are before its backbone runs, and relies on it behind."""

    def __init__(self, backbone: nn.Module, work: Callable[[Tensor, int], Tensor]) -> None:
        super().__init__(backbone, nn.Linear(5, 6))
        self.work = work

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.work(self.backbone(x), len(x)))


def looks(maps: Tensor, count: int) -> Tensor:
    if len(maps) != count:
        raise ValueError("another number of images")
    return maps.mean(dim=(2, 3))


def asserts(maps: Tensor, count: int) -> Tensor:
    assert len(maps) == count
    return maps.mean(dim=(2, 3))


@pytest.mark.parametrize(
    "work",
    [
        lambda maps, count: maps.view(count, 5, 5 * 7).mean(dim=2),
        lambda maps, count: maps.reshape(count, 5, -1).mean(dim=2),  # mixes the copies, and gives one row
        lambda maps, count: torch.cat([maps, maps.new_zeros(count, 5, 1, 7)], dim=2).sum(dim=(2, 3)) / 35,
        lambda maps, count: torch.stack([maps[i].mean(dim=(1, 2)) for i in range(count)]),
        looks,
        asserts,
    ],
)
@pytest.mark.parametrize("copies", [1, 3, 32])
def test_a_head_that_counted_the_images(work: Any, copies: int) -> None:
    net, x = Counts(conv_backbone(), work).double().eval(), images(1).double()
    reference = Split(net.backbone, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), net.head))
    got = ablated_outputs(net, x, LAYER, SETS, copies=copies)
    torch.testing.assert_close(got, slowly(reference, x, SETS), rtol=1e-12, atol=1e-15)


def test_a_skip_around_the_layer() -> None:
    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 5, 3)
            self.layer = nn.Conv2d(5, 5, 3, padding=1)
            self.fc = nn.Linear(5, 4)

        def forward(self, x: Tensor, gone: Sequence[int] = ()) -> Tensor:
            stem = self.stem(x)
            maps = self.layer(stem)
            maps[:, list(gone)] = 0
            return self.fc(F.relu_(maps.add_(stem)).mean(dim=(2, 3)))

    net, x = Skip().double(), images(1).double()
    with torch.no_grad():
        want = torch.cat([net(x, units) for units in SETS])
    torch.testing.assert_close(ablated_outputs(net, x, "layer", SETS), want, rtol=1e-12, atol=0)


def test_in_place_networks() -> None:
    class Normalises(Split):
        def forward(self, x: Tensor) -> Tensor:
            x -= 0.5
            return super().forward(x)

    plain, x = gap_net(inplace=True), images(1)
    net = Normalises(plain.backbone, plain.head)
    given = x.clone()
    for layer, reference in (("backbone.3", plain), ("backbone.2", Split(plain.backbone[:3], None))):
        if reference.head is None:
            reference.head = nn.Sequential(nn.ReLU(), *plain.head)
        want = slowly(reference, x - 0.5, SETS)
        torch.testing.assert_close(ablated_outputs(net, x, layer, SETS, copies=3), want)
    assert torch.equal(x, given)


def test_the_output_of_a_functional_relu() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = conv_backbone()[:3]
            self.fc = nn.Linear(5, 6)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(F.relu(self.conv(x)).mean(dim=(2, 3)))

    net, x = Functional(), images(1)
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), net.fc)
    want = slowly(Split(nn.Sequential(net.conv, nn.ReLU()), head), x, SETS)
    torch.testing.assert_close(ablated_outputs(net, x, "conv+relu", SETS), want)


@pytest.mark.parametrize(
    "how", ["compiled", "parallel", "inference mode", "inference weights", "train", "bfloat16"]
)
def test_networks_as_people_have_them(how: str) -> None:
    plain, x = gap_net(), images(1)
    want = slowly(plain, x, SETS)
    net: nn.Module = plain
    mode: Any = contextlib.nullcontext()
    tolerance = 1e-6
    if how == "compiled":
        net = torch.compile(plain, backend="eager")
        with torch.no_grad():
            net(x)
    elif how == "parallel":
        net = nn.DataParallel(plain)
    elif how.startswith("inference"):
        mode = torch.inference_mode()
    elif how == "train":
        net.train()
    elif how == "bfloat16":
        net, x, tolerance = net.bfloat16(), x.bfloat16(), 2**-6
    with mode:
        if how == "inference weights":
            net = copy.deepcopy(net)
        got = ablated_outputs(net, x, LAYER, SETS)
    if how == "compiled":
        torch._dynamo.reset()
    assert not got.requires_grad
    torch.testing.assert_close(got.float(), want.float(), rtol=tolerance, atol=tolerance)


# What cannot be ablated, and what stays as it was.


def test_layers_and_units_that_cannot_be_ablated() -> None:
    net, x = gap_net(), images(1)
    net.unused = nn.Conv2d(3, 3, 1)
    for layer, sets, message in (
        ("backbone.4", [[0]], "is not in Split: did you mean"),
        ("unused", [[0]], "'unused' did not run"),
        ("unused", [[0], [1]], "'unused' did not run"),
        ("head.1", [[0]], r"'head\.1' puts out \[1, 5\], expected maps"),
        (LAYER, [[0], [5]], r"unit 5 does not exist: layer 'backbone\.3' has 0 to 4"),
        (LAYER, [[-1]], "unit -1 does not exist"),
    ):
        state = State(net)
        with pytest.raises(ValueError, match=message):
            ablated_outputs(net, x, layer, sets)
        state.assert_same()


@pytest.mark.parametrize("grad", [True, False])
def test_the_model_comes_back_exactly_as_it_was(grad: bool) -> None:
    net, x = gap_net(norm=True), images(1)
    net.train()
    net.head.eval()
    net.backbone[0].weight.grad = torch.ones_like(net.backbone[0].weight)
    with torch.set_grad_enabled(grad):
        state = State(net)
        ablated_outputs(net, x, "backbone.4", SETS, copies=2)
        state.assert_same()
        net.head.append(nn.Linear(5, 5))  # does not fit
        state = State(net)
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            ablated_outputs(net, x, "backbone.4", SETS)
        state.assert_same()


def test_scores_that_are_not_finite_once_units_are_gone() -> None:
    class Shares(nn.Module):
        def forward(self, maps: Tensor) -> Tensor:
            sums = maps.sum(dim=(2, 3))
            return sums / sums.sum(dim=1, keepdim=True)

    net, x = Split(conv_backbone(), Shares()), images(1)
    activations = net.backbone(x)[0].detach().numpy()
    with pytest.raises(ValueError, match="score of 'class 0' is NaN or infinite once units of layer"):
        check_by_ablation(
            net, x, LAYER, range(5), activations, Target.of_class(0), score=0.2, probability=None
        )


# The draws.


@pytest.mark.parametrize(("count", "firing"), [(5, 40), (5, 5), (1, 1)])
def test_draws(count: int, firing: int) -> None:
    units = np.arange(firing) * 3 + 1
    draws = draw_units(units, count, 50, seed=7)
    assert len(draws) == 50
    for draw in draws:
        assert len(draw) == count == len(set(draw))
        assert set(draw) <= set(units.tolist())
        assert all(type(unit) is int for unit in draw)
    assert draws == draw_units(units, count, 50, seed=7)
    if firing > count:
        assert draws != draw_units(units, count, 50, seed=8)
        assert set().union(*draws) == set(units.tolist())  # 250 picks among 40 leave none out, by this seed


def test_every_firing_unit_is_as_likely() -> None:
    draws = draw_units(np.arange(10), 3, 4000, seed=0)
    counts = np.bincount(np.concatenate(draws), minlength=10)
    # 4000 draws, each unit in 3/10 of them: standard deviation √(4000 · 0.3 · 0.7) = 29; five of them
    assert np.abs(counts - 1200).max() < 145


@pytest.mark.parametrize(("count", "firing"), [(5, 4), (1, 0), (5, 0), (0, 3), (0, 0)])
def test_no_draws_where_they_would_not_be_fair(count: int, firing: int) -> None:
    assert draw_units(np.arange(firing), count, 100, seed=0) == []


@given(st.lists(st.booleans(), max_size=12), st.data())
def test_others_are_those_that_fire_and_are_not_tested(fires: list[bool], data: st.DataObject) -> None:
    tested = data.draw(st.lists(st.integers(0, len(fires) - 1), unique=True)) if fires else []
    given_flags = np.array(fires, dtype=bool)
    others = other_units(given_flags, tested)
    assert others.tolist() == [unit for unit, fire in enumerate(fires) if fire and unit not in tested]
    assert given_flags.tolist() == fires


def test_no_unit_fires() -> None:
    net, x = gap_net(), images(1)
    with torch.no_grad():
        net.backbone[2].bias.fill_(-1e6)
    activations = net.backbone(x)[0].detach().numpy()
    score = float(net(x).detach()[0, 0])
    check = check_by_ablation(
        net, x, LAYER, [3, 1], activations, Target.of_class(0, "cat"), score=score, probability=0.5
    )
    assert check.silent == (3, 1)
    assert (check.firing, check.drawn_units, check.draws) == (0, 0, 0)
    assert check.random_score is check.random_probability is None
    assert check.score_without == pytest.approx(score, abs=1e-6)
    assert "no other unit fires on this image" in check.text


def big_check(**options: Any) -> tuple[Split, NDArray[np.float32], AblationCheck]:
    net, x = gap_net(units=12), images(1)
    with torch.no_grad():
        net.backbone[2].bias[[2, 7]] = -1e6
    activations = net.backbone(x)[0].detach().numpy()
    target = Target.of_class(3)
    scores = net(x).detach()
    check = check_by_ablation(
        net,
        x,
        LAYER,
        [4, 2],
        activations,
        target,
        score=float(scores[0, 3]),
        probability=float(scores.softmax(dim=1)[0, 3]),
        **options,
    )
    return net, activations, check


def test_only_firing_units_are_drawn_and_the_spread_is_that_of_the_draws() -> None:
    net, activations, check = big_check(draws=40, seed=5)
    firing = np.array([unit for unit in range(12) if activations[unit].any()])
    assert not {2, 7} & set(firing.tolist())
    assert 4 in firing.tolist() and check.units == (4, 2)
    others = firing[firing != 4]
    assert check.firing == len(others) and check.drawn_units == 2
    sets = draw_units(others, 2, 40, 5)
    assert len(sets) == 40 and not {4, 2} & set().union(*sets)
    outputs = slowly(net, images(1), sets).double()
    scores, probabilities = outputs[:, 3].numpy(), outputs.softmax(dim=1)[:, 3].numpy()
    for spread, values in ((check.random_score, scores), (check.random_probability, probabilities)):
        assert spread.mean == pytest.approx(values.mean(), rel=1e-5)
        assert spread.p5 == pytest.approx(np.quantile(values, 0.05), rel=1e-5)
        assert spread.p95 == pytest.approx(np.quantile(values, 0.95), rel=1e-5)


def test_the_seed_decides_and_nothing_else() -> None:
    torch.manual_seed(0)
    first = big_check(seed=1)[2]
    before = np.random.get_state()[1].copy()
    torch.manual_seed(0)
    assert asdict(big_check(seed=1)[2]) == asdict(first)
    torch.manual_seed(0)
    other = big_check(seed=2)[2]
    assert other.random_score != first.random_score
    assert other.score_without == first.score_without
    assert (first.seed, other.seed) == (1, 2)
    assert np.array_equal(np.random.get_state()[1], before)
    assert first.draws == DRAWS == 100


def test_a_network_that_returns_probabilities() -> None:
    net, x = gap_net(), images(1)
    net.head.append(nn.Softmax(dim=1))
    p = net(x).detach()
    activations = net.backbone(x)[0].detach().numpy()
    check = check_by_ablation(
        net, x, LAYER, [0], activations, Target.of_class(1), score=float(p[0, 1]), probability=float(p[0, 1])
    )
    assert check.probability_without == pytest.approx(check.score_without)


def test_spread() -> None:
    spread = Spread.of(np.arange(101.0))
    assert (spread.mean, spread.p5, spread.p95) == (50, 5, 95)
