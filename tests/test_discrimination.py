"""Class discrimination: maps that are the same for every class, maps that lie on their class, regions and boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from map_toys import Linear, fixed
from scipy.stats import spearmanr
from small_nets import LAYER, State, gap_net, images, slow_alpha, slow_maps
from torch import Tensor, nn

from neuro_explain.evaluate.discrimination import ALIKE, APART, OWN, Discrimination, box_region
from neuro_explain.evaluate.map_source import NO_ORDER
from neuro_explain.methods import METHODS
from neuro_explain.targets import Target

CAT, DOG = Target.of_class(0, "cat"), Target.of_class(1, "dog")
LEFT, RIGHT = torch.tensor([[3.0, 1], [2, 0]]), torch.tensor([[0.0, 2], [1, 3]])
NET = Linear(torch.rand(3, 4, 4))
IMAGE = torch.rand(1, 3, 4, 4)


def sides(_net: nn.Module, _images: Tensor, targets: Sequence[Target]) -> Tensor:
    """The cat is on the left, the dog on the right."""
    return torch.stack([LEFT if target.index == 0 else RIGHT for target in targets])


def half(left: bool) -> np.ndarray:
    region = np.zeros((4, 4), np.bool_)
    region[:, slice(0, 2) if left else slice(2, 4)] = True
    return region


def rows_of(measure: Discrimination) -> dict[tuple[str, str], object]:
    return {(row.measure, row.method): row for row in measure.report("toy").figures}


def test_grad_cam_against_the_slow_definition() -> None:
    net, x = gap_net().double(), images(1).double()
    measure = Discrimination(net, [METHODS["grad-cam"]], layer=LAYER)
    state = State(net)
    pairs, known = [(0, 1), (2, 5), (3, 4)], 0
    for number, (a, b) in enumerate(pairs):
        found = measure.add(number, x, Target.of_class(a), Target.of_class(b))["Grad-CAM"]
        first, second = (
            slow_maps(net, x, slow_alpha(net, x, [index]))[0].clamp(min=0).detach().numpy().ravel()
            for index in (a, b)
        )
        if np.ptp(first) == 0 or np.ptp(second) == 0:
            assert found is None
        else:
            known += 1
            assert found == pytest.approx(spearmanr(first, second).statistic, abs=1e-9)
    assert known
    state.assert_same()


def test_the_same_map_for_all_classes_and_maps_on_their_own() -> None:
    methods = [fixed(sides, "sides"), fixed(LEFT, "same"), fixed(torch.zeros(2, 2), "zero")]
    measure = Discrimination(NET, methods, layer="any")
    for number in range(3):
        found = measure.add(number, IMAGE, CAT, DOG, regions=(half(True), half(False)))
        assert found == {"sides": pytest.approx(-1), "same": pytest.approx(1), "zero": None}
    # where the dog is on the left, its map is wrong
    measure.add(3, IMAGE, CAT, DOG, regions=(half(False), half(True)))
    rows = rows_of(measure)
    assert [rows[APART, name].mean for name in ("sides", "same", "zero")] == [0.75, 0, 0]
    assert [rows[OWN, name].mean for name in ("sides", "same", "zero")] == [0.75, 0.5, 0]
    assert rows[OWN, "zero"].apart == {"zero map, a miss": 8}
    assert rows[ALIKE, "zero"].apart == {NO_ORDER: 4} and rows[ALIKE, "zero"].mean is None
    assert rows[APART, "sides"].low is not None and rows[APART, "sides"].count == 4
    assert rows[OWN, "sides"].count == 8 and rows[OWN, "sides"].scenes == 4


def test_a_tie_is_a_miss() -> None:
    measure = Discrimination(NET, [fixed(torch.ones(2, 2), "even")], layer="any")
    measure.add(0, IMAGE, CAT, DOG, regions=(half(True), half(False)))
    rows = rows_of(measure)
    assert rows[OWN, "even"].mean == rows[APART, "even"].mean == 0
    assert rows[APART, "even"].count == 1


def test_what_both_regions_cover_counts_for_neither() -> None:
    measure = Discrimination(NET, [fixed(sides, "sides")], layer="any")
    everything = np.ones((4, 4), np.bool_)
    measure.add(0, IMAGE, CAT, DOG, regions=(everything, half(False)))
    rows = rows_of(measure)
    assert rows[OWN, "sides"].count == 0 and rows[APART, "sides"].mean is None
    assert rows[OWN, "sides"].apart == {"image with a region that the other covers": 1}
    wide = half(True) | (np.arange(4) < 3)
    measure.add(1, IMAGE, CAT, DOG, regions=(wide, half(False)))
    assert rows_of(measure)[APART, "sides"].mean == 1


def test_without_regions_there_is_one_row_for_a_method() -> None:
    measure = Discrimination(NET, [fixed(sides, "sides")], layer="any")
    measure.add(0, IMAGE, CAT, DOG)
    (row,) = measure.report("toy").figures
    assert (row.measure, row.count, row.low) == (ALIKE, 1, None)


def test_boxes() -> None:
    region = box_region((1, 0, 3, 2), (3, 4))
    assert region.tolist() == [[False, True, True, False]] * 2 + [[False] * 4]
    assert box_region((-5, -5, 50, 50), (2, 3)).all()
    assert not box_region((10, 10, 20, 20), (2, 3)).any()
    for box in ((1, 0, 1, 2), (0, 3, 2, 1), (0, 0, float("nan"), 1)):
        with pytest.raises(ValueError, match="box: expected left < right"):
            box_region(box, (3, 4))


def test_wrong_uses() -> None:
    measure = Discrimination(NET, [fixed(sides, "sides")], layer="any")
    with pytest.raises(ValueError, match="another class than first"):
        measure.add(0, IMAGE, CAT, CAT)
    for regions in (
        (half(True), half(True)[:2]),
        (half(True).astype(int), half(True)),
        (torch.ones(4, 4).bool(), half(True)),
    ):
        with pytest.raises(ValueError, match="regions: expected two arrays"):
            measure.add(0, IMAGE, CAT, DOG, regions=regions)
    with pytest.raises(ValueError, match="the map is NaN"):
        Discrimination(NET, [fixed(LEFT * torch.nan)], layer="any").add(0, IMAGE, CAT, DOG)
    with pytest.raises(ValueError, match="expected maps"):
        Discrimination(gap_net(), [METHODS["grad-cam"]], layer="head.1").add(0, images(1), CAT, DOG)
