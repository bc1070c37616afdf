"""Rank correlation with occlusion: restated slowly, and maps that have no order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from map_toys import Linear, fixed
from scipy.stats import spearmanr
from small_nets import LAYER, State, gap_net, images
from torch import nn

from neuro_explain.evaluate.faithfulness import CENTRE, Faithfulness, centre_map
from neuro_explain.evaluate.map_report import MapReport, joined
from neuro_explain.evaluate.map_source import NO_ORDER
from neuro_explain.methods import METHODS
from neuro_explain.methods.saliency import Saliency
from neuro_explain.targets import Target

CAT = Target.of_class(0, "cat")


def block_means(values: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
    h, w = values.shape[0] // cells[0], values.shape[1] // cells[1]
    return np.array(
        [
            [values[r * h : (r + 1) * h, c * w : (c + 1) * w].mean() for c in range(cells[1])]
            for r in range(cells[0])
        ]
    )


def test_a_linear_network_by_its_definition() -> None:
    weight = torch.randn(3, 8, 12, dtype=torch.float64)
    image = torch.randn(1, 3, 8, 12, dtype=torch.float64)
    map = torch.rand(8, 12, dtype=torch.float64)
    measure = Faithfulness(Linear(weight), [fixed(map)], layer="any", cells=(4, 3))
    found = measure.add(0, image, CAT)
    # hiding a cell replaces its numbers by the colour's mean
    change = (weight * (image[0] - image[0].mean(dim=(1, 2), keepdim=True))).sum(dim=0).numpy()
    drops = block_means(change, (4, 3)) * 8
    want = spearmanr(block_means(map.numpy(), (4, 3)).ravel(), drops.ravel()).statistic
    assert found["fixed"] == pytest.approx(want, abs=1e-12)
    assert found[CENTRE] == pytest.approx(spearmanr(centre_map((4, 3)).ravel(), drops.ravel()).statistic)
    assert measure.add(1, image, Target.against(0))["fixed"] == pytest.approx(-want, abs=1e-12)


def test_the_occlusion_map_itself_and_its_reverse() -> None:
    weight = torch.zeros(3, 4, 4)
    weight[:, :2] = torch.rand(3, 2, 4)
    image = torch.rand(1, 3, 4, 4)
    change = (weight * (image[0] - image[0].mean(dim=(1, 2), keepdim=True))).sum(dim=0)
    right, wrong = change - change.min(), change.max() - change
    measure = Faithfulness(
        Linear(weight), [fixed(right, "right"), fixed(wrong, "wrong")], layer="any", cells=(14, 14)
    )
    found = measure.add(0, image, CAT)  # four by four cells: there are no more pixels
    assert found["right"] == pytest.approx(1)
    assert found["wrong"] == pytest.approx(-1)


def test_maps_without_an_order_are_counted_apart() -> None:
    methods = [fixed(torch.zeros(2, 2), "zero"), fixed(torch.ones(4, 4), "constant")]
    measure = Faithfulness(Linear(torch.rand(3, 8, 8)), methods, layer="any", cells=(4, 4))
    assert measure.add(0, torch.rand(1, 3, 8, 8), CAT)["zero"] is None
    assert measure.add(1, torch.zeros(1, 3, 8, 8), CAT)["constant"] is None
    zero, constant, centre = measure.report("toy").figures
    assert zero.apart == constant.apart == {NO_ORDER: 2}
    assert zero.mean is None and zero.count == 0
    assert centre.count == 1
    assert sum(centre.apart.values()) == 1 and "occlusion map" in next(
        iter(centre.apart)
    )  # of the black image


def test_one_image_has_no_interval_and_several_have() -> None:
    net, x = gap_net(), images(3)
    measure = Faithfulness(net, [METHODS["grad-cam"]], layer=LAYER, cells=(3, 3))
    values = []
    for number in range(3):
        values.append(measure.add(number, x[number : number + 1], Target.of_class(number))["Grad-CAM"])
        figure = measure.report("toy").figures[0]
        assert (figure.low is None) == (number == 0)
        known = [value for value in values if value is not None]
        assert figure.mean == (pytest.approx(np.mean(known)) if known else None)
    assert known
    report = measure.report("toy")
    assert report.to_dict()["figures"][0]["count"] == len(known)
    assert any("3 × 3 cells" in line for line in report.lines())


def test_the_network_comes_back_and_wrong_uses_are_refused() -> None:
    net, x = gap_net(norm=True), images(1)
    net.train()
    state = State(net)
    Faithfulness(net, [METHODS["grad-cam"]], layer="backbone.4", cells=(3, 3)).add(0, x, Target.of_class(1))
    state.assert_same()
    with pytest.raises(ValueError, match="expected maps"):
        Faithfulness(net, [METHODS["grad-cam"]], layer="head.1", cells=(3, 3)).add(0, x, Target.of_class(1))
    state.assert_same()
    for cells in ((0, 3), (1, 1)):
        with pytest.raises(ValueError, match="cells: expected at least two"):
            Faithfulness(net, [METHODS["grad-cam"]], layer=LAYER, cells=cells)
    with pytest.raises(ValueError, match="at least one, each once, got nothing"):
        Faithfulness(net, [], layer=LAYER)
    with pytest.raises(ValueError, match="each once, got a, a"):
        Faithfulness(net, [fixed(torch.ones(2, 2), "a")] * 2, layer=LAYER)


def test_nan_is_refused() -> None:
    bad = fixed(torch.tensor([[1.0, torch.nan]]))
    with pytest.raises(ValueError, match="fixed: the map is NaN"):
        Faithfulness(Linear(torch.rand(3, 4, 4)), [bad], layer="any").add(0, torch.rand(1, 3, 4, 4), CAT)
    with pytest.raises(ValueError, match="NaN or infinite"):
        Faithfulness(Linear(torch.full((3, 4, 4), torch.nan)), [fixed(torch.eye(4))], layer="any").add(
            0, torch.rand(1, 3, 4, 4), CAT
        )


def test_what_methods_say_is_said_once() -> None:
    measure = Faithfulness(Linear(torch.rand(3, 4, 4)), [fixed(torch.eye(4))], layer="any")
    for number in range(2):
        measure.add(number, torch.rand(1, 3, 4, 4), CAT)
    assert measure.report("toy").notes.count("fixed: made by fixed") == 1
    both = joined("both", [measure.report("toy"), measure.report("toy")])
    assert len(both.figures) == 4
    assert both.notes == measure.report("toy").notes
    assert isinstance(both, MapReport)


def test_pixel_maps_too() -> None:
    def run(net: nn.Module, pictures: torch.Tensor, targets: object, *, layer: str) -> Saliency:
        return Saliency(pictures, torch.zeros(len(pictures)))

    from neuro_explain.methods.saliency import Method

    measure = Faithfulness(
        Linear(torch.rand(3, 6, 6)),
        [Method("p", "pixels", run, True, "this test")],
        layer="any",
        cells=(3, 3),
    )
    assert measure.add(0, torch.rand(1, 3, 6, 6), CAT)["pixels"] is not None


def test_what_differs_in_a_number_is_said_once_with_its_range() -> None:
    def run(net: nn.Module, pictures: torch.Tensor, targets: object, *, layer: str) -> Saliency:
        share = round(100 * float(pictures.mean()))
        return Saliency(pictures[:, 0].double(), torch.zeros(1), notes=(f"{share}% arrives at {layer}",))

    from neuro_explain.evaluate.map_source import MapSource
    from neuro_explain.methods.saliency import Method

    source = MapSource(nn.Identity(), [Method("s", "shares", run, False, "this test")], layer="layer4")
    for share in (0.5, 0.07, 0.9):
        source.maps(torch.full((1, 3, 2, 2), share), [CAT])
    assert source.notes == ("shares: 7…90% arrives at layer4",)


def test_a_network_that_returns_probabilities_is_told_of() -> None:
    net = nn.Sequential(gap_net(), nn.Softmax(dim=1))
    made = METHODS["grad-cam"](net, images(1), [1], layer=f"0.{LAYER}")
    assert "looks like probabilities" in made.notes[0]
    assert METHODS["grad-cam"](gap_net(), images(1), [1], layer=LAYER).notes == ()
