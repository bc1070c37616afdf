"""Insertion and deletion: a linear network by hand, the curves restated slowly, ties and maps without an order."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from map_toys import Linear, fixed
from small_nets import LAYER, State, gap_net, images

from neuro_explain.evaluate.insertion_deletion import (
    DELETION,
    INSERTION,
    LATER,
    RANDOM,
    SOONER,
    InsertionDeletion,
    blurred,
    cell_numbers,
    curve,
    removal_order,
)
from neuro_explain.evaluate.map_source import NO_ORDER
from neuro_explain.methods import METHODS
from neuro_explain.methods.occlusion import occlusion_map
from neuro_explain.targets import Target

CAT = Target.of_class(0, "cat")


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_a_linear_network_by_hand() -> None:
    """Four pixels 4, 0, 0, 0 with weight 1, 2, 3, 0 in each: the mean is 1, and each pixel turns into it."""
    weight = torch.zeros(3, 2, 2)
    weight[0] = torch.tensor([[1.0, 2], [3, 0]])
    image = torch.zeros(1, 3, 2, 2)
    image[0, 0, 0, 0] = 4
    mean = torch.zeros(1, 3, 2, 2)
    mean[0, 0] = 1
    shares, got = curve(Linear(weight), image, mean, CAT, np.array([2, 0, 3, 1]), (2, 2), steps=4)
    assert shares.tolist() == [0, 0.25, 0.5, 0.75, 1]
    want = [sigmoid(score) for score in (4, 7, 4, 4, 6)]  # +3, -3, 0, +2
    assert got == pytest.approx(want, abs=1e-6)
    measure = InsertionDeletion(
        Linear(weight), [fixed(torch.tensor([[2.0, 0], [3, 1]]))], layer="any", cells=(2, 2), steps=4
    )
    area = measure.add(0, image, CAT)["fixed"]
    assert area is not None
    assert area[0] == pytest.approx(sum((a + b) / 2 / 4 for a, b in pairwise(want)), abs=1e-6)
    soft = blurred(image)[0, 0].double()
    scores = [float((weight[0] * soft).sum())]
    for place in ((1, 0), (0, 0), (1, 1), (0, 1)):
        soft[place] = image[0, 0][place]
        scores.append(float((weight[0] * soft).sum()))
    values = [sigmoid(score) for score in scores]
    assert area[1] == pytest.approx(sum((a + b) / 2 / 4 for a, b in pairwise(values)), abs=1e-6)


@pytest.mark.parametrize(("cells", "steps", "batch"), [((3, 4), 12, 2), ((3, 4), 5, 64), ((9, 11), 7, 3)])
def test_a_curve_restated_slowly(cells: tuple[int, int], steps: int, batch: int) -> None:
    net, x = gap_net().double(), images(2).double()
    count = cells[0] * cells[1]
    order = np.random.default_rng(1).permutation(count)
    shares, got = curve(net, x[:1], x[1:], CAT, order, cells, steps=steps, batch=batch)
    rows = [round(edge * 9 / cells[0]) for edge in range(cells[0] + 1)]
    columns = [round(edge * 11 / cells[1]) for edge in range(cells[1] + 1)]
    for step in range(steps + 1):
        done = round(step * count / steps)
        picture = x[:1].clone()
        for cell in order[:done]:
            r, c = divmod(int(cell), cells[1])
            picture[..., rows[r] : rows[r + 1], columns[c] : columns[c + 1]] = x[
                1:, :, rows[r] : rows[r + 1], columns[c] : columns[c + 1]
            ]
        with torch.no_grad():
            want = net(picture).softmax(dim=1)[0, 0]
        assert got[step] == pytest.approx(float(want), abs=1e-6)
        assert shares[step] == pytest.approx(done / count)


def test_the_cells_are_those_of_occlusion() -> None:
    numbers = cell_numbers((4, 3), (9, 11))
    weight = torch.randn(3, 9, 11, dtype=torch.float64)
    image = torch.randn(1, 3, 9, 11, dtype=torch.float64)
    drops = occlusion_map(Linear(weight), image, CAT, (4, 3)).ravel()
    change = (weight * (image[0] - image[0].mean(dim=(1, 2), keepdim=True))).sum(dim=0).numpy()
    for cell in range(12):
        assert change[numbers == cell].sum() == pytest.approx(drops[cell])
    assert set(numbers.ravel().tolist()) == set(range(12))


def test_the_order() -> None:
    assert removal_order(np.array([[1.0, 3], [3, 2]])).tolist() == [1, 2, 3, 0]  # ties in reading order
    assert removal_order(np.array([[0.0, 0, 0, 5]])).tolist() == [3, 0, 1, 2]
    assert removal_order(np.zeros((2, 2))) is None
    assert removal_order(np.full((2, 2), 7.0)) is None
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="no order"):
            removal_order(np.array([[1.0, bad]]))


def test_the_blur() -> None:
    image = torch.zeros(1, 3, 31, 33, dtype=torch.float64)
    image[0, 1, 15, 16] = 1
    soft = blurred(image)
    weights = np.exp(-(np.arange(-5, 6) ** 2) / 50)
    weights /= weights.sum()
    want = np.zeros((31, 33))
    want[10:21, 11:22] = np.outer(weights, weights)
    np.testing.assert_allclose(soft[0, 1].numpy(), want, atol=1e-15)
    assert not soft[0, 0].any() and not soft[0, 2].any()
    for size in ((1, 1), (2, 40), (9, 11)):
        torch.testing.assert_close(blurred(torch.full((1, 3, *size), 2.5)), torch.full((1, 3, *size), 2.5))


def test_a_good_map_is_better_than_random_and_its_reverse_worse() -> None:
    weight = torch.zeros(3, 16, 16)
    weight[:, :4, :4] = 0.05
    image = torch.zeros(1, 3, 16, 16)
    image[:, :, :4, :4] = 1
    good = weight[0] * 20
    measure = InsertionDeletion(
        Linear(weight), [fixed(good, "good"), fixed(1 - good, "bad")], layer="any", cells=(8, 8), steps=64
    )
    for number in range(4):
        measure.add(number, image, CAT)
    found = {(row.measure, row.method): row for row in measure.report("toy").figures}
    for gain in (SOONER, LATER):
        assert found[gain, "good"].low > 0 > found[gain, "bad"].high
        assert (gain, RANDOM) not in found
    for name in ("good", "bad"):
        chance = found[DELETION, RANDOM].mean
        assert found[DELETION, name].chance == pytest.approx(chance)
        assert found[SOONER, name].mean == pytest.approx(chance - found[DELETION, name].mean)
        chance = found[INSERTION, RANDOM].mean
        assert found[LATER, name].mean == pytest.approx(found[INSERTION, name].mean - chance)


def test_random_orders_differ_from_image_to_image_and_come_again() -> None:
    net, x = gap_net(), images(1)

    def areas(seed: int) -> list[object]:
        measure = InsertionDeletion(net, [METHODS["grad-cam"]], layer=LAYER, cells=(4, 4), seed=seed)
        return [measure.add(number, x, CAT)[RANDOM] for number in range(2)]

    first = areas(0)
    assert first[0] != first[1]
    assert areas(0) == first
    assert areas(1) != first


def test_what_cannot_be_measured() -> None:
    net, x = gap_net(), images(1)
    state = State(net)
    methods = [fixed(torch.zeros(3, 3), "zero"), METHODS["grad-cam"]]
    measure = InsertionDeletion(net, methods, layer=LAYER, cells=(3, 3))
    assert measure.add(0, x, CAT)["zero"] is None
    rows = [row for row in measure.report("toy").figures if row.method == "zero"]
    assert len(rows) == 4
    assert all(row.apart == {NO_ORDER: 1} and row.mean is None for row in rows)
    state.assert_same()
    with pytest.raises(ValueError, match="has no probability"):
        measure.add(1, x, Target.contrast(0, 1))
    with pytest.raises(ValueError, match="expected maps"):
        InsertionDeletion(net, [METHODS["grad-cam"]], layer="head.1").add(0, x, CAT)
    with pytest.raises(ValueError, match="steps: expected at least 1"):
        InsertionDeletion(net, methods, layer=LAYER, steps=0)
    with pytest.raises(ValueError, match="cells: expected at least two"):
        InsertionDeletion(net, methods, layer=LAYER, cells=(1, 1))
    with pytest.raises(ValueError, match="NaN or infinite"):
        curve(
            Linear(torch.full((3, 4, 4), torch.nan)),
            *[torch.ones(1, 3, 4, 4)] * 2,
            CAT,
            np.arange(4),
            (2, 2),
            steps=1,
        )
    state.assert_same()
