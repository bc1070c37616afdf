"""What maps are measured by: ratios, points, ranks, occlusion, tallies, each against its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from small_nets import State, gap_net
from torch import Tensor, nn

from neuro_explain.evaluate.ranks import average_ranks, rank_correlation
from neuro_explain.evaluate.regions import (
    _connected,
    area,
    chance_of,
    framed_pixels,
    inside_outside,
    maximum_point,
    on_picture,
    points_at,
)
from neuro_explain.evaluate.tally import (
    NOTHING_OUTSIDE,
    ONE_SIDED,
    POINTLESS,
    ZERO,
    Tally,
    bootstrap_interval,
)
from neuro_explain.methods.occlusion import occlusion_map
from neuro_explain.preprocess import Preprocess
from neuro_explain.targets import Target

WHOLE = (0.0, 0.0, 128.0, 128.0)


def halves() -> np.ndarray:
    inside = np.zeros((4, 4), np.bool_)
    inside[:, :2] = True
    return inside


# --- a map on the picture ---


def test_a_map_on_the_picture_is_bilinear_between_centres() -> None:
    picture = on_picture(torch.tensor([[0.0, 4.0]]), (0, 0, 4, 4), 4)
    # cell centres at 1 and 3, pixel centres at 0.5, 1.5, 2.5, 3.5; shares of the maximum
    np.testing.assert_array_equal(picture, np.tile([0, 0.25, 0.75, 1], (4, 1)))


def test_what_a_crop_cuts_off_is_not_known() -> None:
    crop = Preprocess(input_size=(2, 2), resize=4).crop((8, 8))
    assert crop == (2, 2, 6, 6)
    picture = on_picture(torch.tensor([[0.0, 2.0]]), crop, 8)
    known = np.isfinite(picture)
    expected = np.zeros((8, 8), np.bool_)
    expected[2:6, 2:6] = True
    np.testing.assert_array_equal(known, expected)
    # the network's two columns cover the picture's pixels 2 to 6: centres at 3 and 5
    np.testing.assert_allclose(picture[2, 2:6], [0, 0.25, 0.75, 1], atol=1e-15)  # sums of float64


def test_a_map_of_zeros_stays_zero() -> None:
    assert not on_picture(torch.zeros(2, 2), WHOLE, 128).any()


# --- inside and outside ---


@pytest.mark.parametrize("value", [1.0, 0.1, 7e-9, 3e20])
@pytest.mark.parametrize("box", [(0.0, 0.0, 0.5, 0.5), (0.1, 0.2, 0.35, 0.95), (0.3, 0.3, 0.31, 0.31)])
def test_a_uniform_map_gives_exactly_one(value: float, box: tuple[float, float, float, float]) -> None:
    picture = on_picture(torch.full((8, 8), value), WHOLE, 128)
    assert inside_outside(picture, framed_pixels(box, 128)) == 1.0
    assert inside_outside(np.full((128, 128), value), framed_pixels(box, 128)) == 1.0


def test_the_ratio_is_that_of_the_means() -> None:
    picture = np.random.default_rng(0).random((4, 4))
    inside = halves()
    within = [picture[r, c] for r in range(4) for c in range(2)]
    beyond = [picture[r, c] for r in range(4) for c in range(2, 4)]
    expected = (sum(within) / 8) / (sum(beyond) / 8)
    assert inside_outside(picture, inside) == pytest.approx(expected, rel=1e-12)  # float64
    picture[0] = np.nan
    expected = (sum(within[2:]) / 6) / (sum(beyond[2:]) / 6)
    assert inside_outside(picture, inside) == pytest.approx(expected, rel=1e-12)


def test_ratios_at_the_ends() -> None:
    inside = halves()
    assert inside_outside(np.zeros((4, 4)), inside) is None
    assert inside_outside(inside.astype(float), inside) == math.inf
    assert inside_outside((~inside).astype(float), inside) == 0.0


@pytest.mark.parametrize("inside", [np.zeros((4, 4), np.bool_), np.ones((4, 4), np.bool_)])
def test_a_region_without_two_sides_is_refused(inside: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected pixels on both sides, got"):
        inside_outside(np.ones((4, 4)), inside)


def test_a_region_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected the picture's shape \(4, 4\), got \(3, 4\)"):
        inside_outside(np.ones((4, 4)), np.ones((3, 4), np.bool_))


def test_boxes() -> None:
    pixels = framed_pixels((0.25, 0.0, 0.75, 0.5), 4)
    expected = np.zeros((4, 4), np.bool_)
    expected[:2, 1:3] = True
    np.testing.assert_array_equal(pixels, expected)
    assert area((0.25, 0.0, 0.75, 0.5)) == 0.25


# --- the maximum ---


def test_the_maximum_of_a_corner_is_the_middle_of_its_plateau() -> None:
    cells = torch.zeros(7, 7)
    cells[0, 6] = 1
    picture = on_picture(cells, (0, 0, 224, 224), 224)
    assert (picture == picture.max()).sum() == 256  # a corner's maximum covers 16 × 16 pixels
    assert maximum_point(picture) == (8, 216)


def test_a_single_pixel_is_its_own_maximum() -> None:
    picture = np.zeros((5, 5))
    picture[3, 1] = 0.1
    assert maximum_point(picture) == (3, 1)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((4, 4)),
        np.full((4, 4), 0.3),
        np.eye(4)[[0, 3, 2, 1]],
        np.array([[1.0, 0, 1 - 1e-8], [0, 0, 0]]),  # equal up to float32's rounding
        np.full((4, 4), np.nan),
    ],
    ids=["zero", "uniform", "diagonals apart", "two maxima", "unseen"],
)
def test_maps_without_a_single_maximum_point_nowhere(picture: np.ndarray) -> None:
    assert maximum_point(picture) is None
    assert not points_at(picture, np.ones(picture.shape, np.bool_))


def test_pixels_that_touch_at_a_corner_are_one_plateau() -> None:
    picture = np.zeros((5, 5))
    picture[1, 1] = picture[2, 2] = picture[3, 3] = 2
    assert maximum_point(picture) == (2, 2)


def test_plateaus_are_connected_as_skimage_says() -> None:
    label = pytest.importorskip("skimage.measure").label
    rng = np.random.default_rng(7)
    seen = set()
    for _ in range(200):
        pixels = rng.random((5, 6)) < 0.6
        pixels[2, 3] = True
        alone = int(label(pixels, connectivity=2).max()) == 1
        assert _connected(pixels) == alone
        seen.add(alone)
    assert seen == {True, False}


def test_a_hit_is_a_maximum_on_the_pixels() -> None:
    picture = np.zeros((4, 4))
    picture[1, 2] = 1
    pixels = np.zeros((4, 4), np.bool_)
    assert not points_at(picture, pixels)
    pixels[1, 2] = True
    assert points_at(picture, pixels)
    assert chance_of(picture, pixels) == 1 / 16
    picture[2:] = np.nan
    assert chance_of(picture, pixels) == 1 / 8


# --- ranks ---


def test_equal_values_share_the_average_of_their_ranks() -> None:
    assert average_ranks([[5, 1], [5, 0], [5, 1]]).tolist() == [5, 2.5, 5, 1, 5, 2.5]


def test_rank_correlation_is_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(3)
    for _ in range(20):
        a, b = rng.integers(0, 6, (2, 8, 8))  # many ties
        expected = float(stats.spearmanr(a.ravel(), b.ravel()).statistic)
        assert rank_correlation(a, b) == pytest.approx(expected, abs=1e-12)  # float64


def test_rank_correlation_by_hand() -> None:
    assert rank_correlation([1, 2, 3, 4], [10, 20, 30, 1e9]) == 1.0
    assert rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]) == -1.0
    # ranks 1 2 3 against 2 1 3: 1 − 6·2 / (3·8)
    assert rank_correlation([1, 2, 3], [5, 4, 6]) == pytest.approx(0.5, abs=1e-15)
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None


def test_maps_that_cannot_be_ranked_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected the shape of first, \[2\], got \[3\]"):
        rank_correlation([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="expected finite numbers"):
        rank_correlation([1, math.nan], [1, 2])


# --- occlusion ---


class Weighted(nn.Module):
    """The sum of the first channel under given weights."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.register_buffer("weights", weights)
        self.batches: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.batches.append(len(images))
        return (images[:, 0] * self.weights).sum((1, 2))[:, None]


def test_occlusion_is_what_the_score_loses() -> None:
    generator = torch.Generator().manual_seed(2)
    weights = torch.randn(6, 9, generator=generator, dtype=torch.float64)
    image = torch.randn(1, 3, 6, 9, generator=generator, dtype=torch.float64)
    net = Weighted(weights)
    got = occlusion_map(net, image, Target.of_class(0), (2, 3))
    assert net.batches == [7]  # all in one batch
    expected = np.zeros((2, 3))
    for row in range(2):
        for column in range(3):
            part = np.s_[3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
            lost = image[0, 0] - image[0, 0].mean()
            expected[row, column] = float((lost[part] * weights[part]).sum())
    np.testing.assert_allclose(got, expected, atol=1e-12)  # float64
    np.testing.assert_allclose(
        occlusion_map(net, image, Target.of_class(0), (2, 3), batch=2), got, atol=1e-12
    )


def test_each_pixel_is_hidden_once_where_cells_do_not_divide_the_picture() -> None:
    image = torch.randn(1, 3, 7, 5, dtype=torch.float64)
    got = occlusion_map(Weighted(torch.ones(7, 5).double()), image, Target.of_class(0), (3, 2))
    # what all cells lose together is the sum of the differences from the mean, which is zero
    assert abs(got.sum()) < 1e-12
    assert np.abs(got).min() > 0


def test_occlusion_leaves_the_network_as_it_was() -> None:
    net, image = gap_net().train(), torch.randn(1, 3, 9, 11)
    state = State(net)
    occlusion_map(net, image, Target.of_class(1), (3, 3))
    state.assert_same()


@pytest.mark.parametrize(
    ("image", "cells", "message"),
    [
        (torch.zeros(2, 3, 4, 4), (2, 2), r"expected one prepared image \[1, 3, H, W\], got \[2, 3, 4, 4\]"),
        (torch.zeros(1, 3, 4, 4), (5, 2), "expected 1 to 4 rows and 1 to 4 columns, got 5 × 2"),
        (torch.full((1, 3, 4, 4), torch.nan), (2, 2), "'class 0' is NaN or infinite"),
    ],
)
def test_occlusion_refuses(image: Tensor, cells: tuple[int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        occlusion_map(Weighted(torch.ones(4, 4)), image, Target.of_class(0), cells)


# --- tallies ---


def test_a_tally_counts_what_it_cannot_average() -> None:
    tally = Tally()
    inside = halves()
    picture = np.where(inside, 3.0, 1.0)
    tally.add_ratio(0, picture, inside)
    tally.add_ratio(0, np.where(inside, 5.0, 1.0), inside)
    tally.add_ratio(1, np.zeros((4, 4)), inside)
    tally.add_ratio(1, inside.astype(float), inside)
    tally.add_ratio(2, np.where(inside, np.nan, 1.0), inside)
    row = tally.figure("ratio", "net", "Grad-CAM", chance=1.0, paper=3.27)
    assert (row.mean, row.median, row.count, row.scenes) == (4.0, 5.0, 2, 1)
    assert row.apart == {ZERO: 1, NOTHING_OUTSIDE: 1, ONE_SIDED: 1}
    assert (row.low, row.high) == (None, None)  # one scene tells nothing of others


def test_a_median_may_be_infinite() -> None:
    tally = Tally()
    for value in (1.0, math.inf, math.inf):
        tally.add(0, value)
    row = tally.figure("ratio", "net", "Grad-CAM")
    assert (row.mean, row.median) == (1.0, math.inf)
    assert row.to_dict()["median"] == "infinity"


def test_misses_count_as_misses() -> None:
    tally = Tally()
    picture, pixels = np.zeros((4, 4)), halves()
    tally.add_hit(0, picture, pixels)
    picture[0, 0] = 1
    tally.add_hit(1, picture, pixels)
    row = tally.figure("hits", "net", "Grad-CAM", median=False)
    assert (row.mean, row.count, row.chance, row.median) == (0.5, 2, 0.5, None)
    assert row.apart == {POINTLESS: 1}


def test_nothing_measured_is_no_zero() -> None:
    row = Tally().figure("ratio", "net", "Grad-CAM")
    assert (row.mean, row.low, row.median, row.count) == (None, None, None, 0)
    with pytest.raises(ValueError, match="got NaN"):
        Tally().add(0, math.nan)


def test_the_interval_is_of_scenes() -> None:
    rng = np.random.default_rng(0)
    means = rng.standard_normal(400)
    # ten equal values in each scene tell no more than one
    once = bootstrap_interval([(scene, mean) for scene, mean in enumerate(means)])
    tenfold = bootstrap_interval([(scene, mean) for scene, mean in enumerate(means) for _ in range(10)])
    assert None not in once
    np.testing.assert_allclose(np.array(tenfold, float), np.array(once, float), rtol=1e-9)
    low, high = once
    # of 400 standard normal values the mean has the standard error 0.05; 2,000 resamples find it to a few per cent
    assert low is not None and high is not None
    assert (high - low) / 2 == pytest.approx(1.96 * means.std() / 20, rel=0.1)
    assert low < means.mean() < high


def test_intervals_of_many_scenes_fit_into_memory() -> None:
    import tracemalloc

    count = 20_000
    values = [(scene, float(scene % 3 == 0)) for scene in range(count)]
    tracemalloc.start()
    low, high = bootstrap_interval(values)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 << 20  # all draws at once are 320 MB, and as much again as floating point
    away = 1.96 * (1 / 3 * 2 / 3 / count) ** 0.5
    assert (low, high) == (
        pytest.approx(1 / 3 - away, abs=away / 5),
        pytest.approx(1 / 3 + away, abs=away / 5),
    )


def test_draws_in_parts_are_the_draws_at_once() -> None:
    random = np.random.default_rng(3)
    values = [
        (int(scene), float(value))
        for scene, value in zip(random.integers(0, 9, 40), random.random(40), strict=True)
    ]
    scenes = sorted({scene for scene, _ in values})
    sums = np.array([sum(value for one, value in values if one == scene) for scene in scenes])
    counts = np.array([sum(one == scene for one, _ in values) for scene in scenes])
    drawn = np.random.default_rng(0).multinomial(
        len(scenes), np.full(len(scenes), 1 / len(scenes)), size=2000
    )
    want = np.percentile((drawn @ sums) / (drawn @ counts), (2.5, 97.5))
    assert bootstrap_interval(values) == pytest.approx(tuple(want), rel=1e-12)
