"""The ablation check over images: restated slowly on a network that was split by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_nets import LAYER, Split, State, deep_head_net, gap_net, images, slow_alpha

from neuro_explain.ablation import draw_units
from neuro_explain.evaluate.unit_ablation import (
    CHANCE_FALL,
    FALL,
    FEW,
    GAIN,
    NONE,
    P_FALL,
    SHARE,
    UnitAblation,
)
from neuro_explain.targets import Target


def slow_fall(net: Split, x: torch.Tensor, units: list[int], index: int, *, p: bool = False) -> float:
    with torch.no_grad():
        maps = net.backbone(x)
        whole = net.head(maps)
        maps = maps.clone()
        maps[:, units] = 0
        without = net.head(maps)
    if p:
        whole, without = whole.softmax(dim=1), without.softmax(dim=1)
    return float(whole[0, index] - without[0, index])


@pytest.mark.parametrize("rank_by", ["alpha", "contribution"])
@pytest.mark.parametrize("make", [gap_net, deep_head_net])
def test_restated_slowly(make: object, rank_by: str) -> None:
    net: Split = make(units=12).double()  # type: ignore[operator]
    x = images(4).double()
    measure = UnitAblation(net, layer=LAYER, units=3, rank_by=rank_by, draws=40, seed=3)
    falls, means, gains, beyond, p_falls = [], [], [], [], []
    for number in range(4):
        one = x[number : number + 1]
        found = measure.add(number, one, Target.of_class(2))
        with torch.no_grad():
            maps = net.backbone(one)[0]
        value = slow_alpha(net, one, [2])[0]
        if rank_by == "contribution":
            value = value * maps.sum(dim=(1, 2))
        want = [u for u in sorted(range(12), key=lambda u: (-float(value[u]), u)) if value[u] > 0][:3]
        others = np.array([u for u in range(12) if bool((maps[u] != 0).any()) and u not in want])
        if len(others) < len(want):
            assert found is None
            continue
        assert found is not None and list(found.units) == want
        random = [slow_fall(net, one, units, 2) for units in draw_units(others, len(want), 40, 3 + number)]
        assert found.fall == pytest.approx(slow_fall(net, one, want, 2))
        assert found.random_falls == pytest.approx(np.array(random))
        assert found.probability_fall == pytest.approx(slow_fall(net, one, want, 2, p=True), abs=1e-6)
        assert found.beyond == (found.fall > np.quantile(random, 0.95))
        falls.append(found.fall)
        p_falls.append(found.probability_fall)
        means.append(np.mean(random))
        gains.append(found.fall - np.mean(random))
        beyond.append(found.beyond)
    assert falls
    rows = {row.measure: row for row in measure.report("toy").figures}
    assert rows[SHARE].mean == pytest.approx(np.mean(beyond))
    assert rows[SHARE].low < rows[SHARE].mean + 1e-12
    assert rows[SHARE].mean < rows[SHARE].high + 1e-12
    assert rows[FALL].mean == pytest.approx(np.mean(falls))
    assert rows[FALL].chance == rows[CHANCE_FALL].mean == pytest.approx(np.mean(means))
    assert rows[GAIN].mean == pytest.approx(np.mean(gains))
    assert rows[P_FALL].mean == pytest.approx(np.mean(p_falls))


def paper_net(weights: list[float]) -> Split:
    """One cell, a unit for each weight, each 1 everywhere: the score is their sum."""
    conv = torch.nn.Conv2d(3, len(weights), 1)
    fc = torch.nn.Linear(len(weights), 2)
    with torch.no_grad():
        conv.weight.zero_()
        conv.bias.fill_(1)
        fc.weight.copy_(torch.tensor([weights, [0.0] * len(weights)]))
        fc.bias.zero_()
    head = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), fc)
    return Split(torch.nn.Sequential(conv, torch.nn.ReLU()), head).eval()


def test_on_paper() -> None:
    net = paper_net([5.0, 4, 1, 1, 1, -1])
    measure = UnitAblation(net, layer="backbone.1", units=2, draws=20)
    found = measure.add(0, torch.zeros(1, 3, 2, 2), Target.of_class(0))
    assert found is not None
    assert found.units == (0, 1)
    assert found.fall == 9
    assert set(found.random_falls.tolist()) <= {2, 0}  # two of 1, 1, 1, -1: never the tested ones
    assert found.beyond
    share = measure.report("toy").figures[0]
    assert (share.mean, share.count, share.chance) == (1, 1, pytest.approx(0.05))


def test_equal_units_do_not_beat_chance() -> None:
    measure = UnitAblation(paper_net([1.0] * 8), layer="backbone.1", units=2, draws=20)
    for number in range(3):
        found = measure.add(number, torch.zeros(1, 3, 2, 2), Target.of_class(0))
        assert found is not None and found.fall == 2 and not found.beyond  # a tie is no gain
    assert measure.report("toy").figures[0].mean == 0


def test_few_units_and_none_are_counted_apart() -> None:
    x = torch.zeros(1, 3, 2, 2)
    few = UnitAblation(paper_net([1.0, 1, 1]), layer="backbone.1", units=2)
    assert few.add(0, x, Target.of_class(0)) is None
    none = UnitAblation(paper_net([-1.0, -1, -1]), layer="backbone.1", units=2)
    assert none.add(0, x, Target.of_class(0)) is None
    for measure, reason in ((few, FEW), (none, NONE)):
        report = measure.report("toy")
        assert report.figures[0].apart == {reason: 1}
        assert all(row.mean is None for row in report.figures)
        assert report.lines()
    short = UnitAblation(paper_net([1.0, -1, -1]), layer="backbone.1", units=2)
    assert short.add(0, x, Target.of_class(0)).units == (0,)
    assert "on 1 of the images fewer units pull" in short.report("toy").notes[0]


def test_named_units_alone() -> None:
    net = paper_net([5.0, 4, 3, 1, 1, 1])
    named = np.array([False, True, False, True, False, False])
    measure = UnitAblation(net, layer="backbone.1", units=2, named=named)
    found = measure.add(0, torch.zeros(1, 3, 2, 2), Target.of_class(0))
    assert found is not None and found.units == (1, 3) and found.fall == 5
    assert "2 named units" in measure.report("toy").figures[0].method
    wrong = UnitAblation(net, layer="backbone.1", named=named[:5])
    with pytest.raises(ValueError, match="has 6 units, but 5 are told of"):
        wrong.add(0, torch.zeros(1, 3, 2, 2), Target.of_class(0))


def test_a_target_without_probability() -> None:
    measure = UnitAblation(paper_net([5.0, 1, 1, 1]), layer="backbone.1", units=1)
    found = measure.add(0, torch.zeros(1, 3, 2, 2), Target.contrast(0, 1))
    assert found is not None and found.probability_fall is None
    rows = {row.measure: row for row in measure.report("toy").figures}
    assert rows[P_FALL].count == 0 and rows[FALL].count == 1


def test_wrong_uses_and_the_network_comes_back() -> None:
    net, x = gap_net(units=12, norm=True), images(1)
    net.train()
    state = State(net)
    UnitAblation(net, layer="backbone.4", units=2).add(0, x, Target.of_class(1))
    state.assert_same()
    with pytest.raises(ValueError, match="expected maps"):
        UnitAblation(net, layer="head.1").add(0, x, Target.of_class(1))
    state.assert_same()
    for options, message in (
        ({"units": 0}, "units: expected at least 1"),
        ({"draws": 19}, "draws: expected at least 20"),
        ({"rank_by": "iou"}, "rank_by: expected"),
    ):
        with pytest.raises(ValueError, match=message):
            UnitAblation(net, layer=LAYER, **options)
    with pytest.raises(ValueError, match="NaN or infinite"):
        UnitAblation(net, layer="backbone.4").add(0, x * torch.nan, Target.of_class(1))


def test_silent_units_are_told() -> None:
    # the first unit has the largest weight, and never fires: by alpha it is zeroed, and nothing changes
    net = paper_net([9.0, 5, 1, 1, 1])
    with torch.no_grad():
        net.backbone[0].bias[0] = -1
    x = torch.zeros(1, 3, 2, 2)
    by_alpha = UnitAblation(net, layer="backbone.1", units=2, rank_by="alpha", draws=20)
    found = by_alpha.add(0, x, Target.of_class(0))
    assert found is not None and found.units == (0, 1) and found.fall == 5
    assert (
        "on 1 of the images some of the units are silent, and zeroing those changes nothing"
        in (by_alpha.report("toy").notes[0])
    )
    measure = UnitAblation(net, layer="backbone.1", units=2, draws=20)
    measure.add(0, x, Target.of_class(0))
    assert "silent" not in measure.report("toy").notes[0]
