"""Half-pixel centres, bilinear, edges clamped: the convention restated slowly in float64."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dissection.resize import check_centres, resize, resize_as

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))


def at(row: Tensor, place: float) -> float:
    """The value of a row of cells at `place`, in cells from the left edge, whose centres are at 0.5, 1.5 …"""
    left = math.floor(place - 0.5)
    share = place - 0.5 - left
    a, b = (float(row[min(max(i, 0), len(row) - 1)]) for i in (left, left + 1))
    return (1 - share) * a + share * b


def slowly(
    cells: Tensor, size: tuple[int, int], box: tuple[float, float, float, float] = (0, 0, 1, 1)
) -> Tensor:
    """One map `[h, w]`, float64."""
    h, w = cells.shape
    left, top, right, bottom = box
    out = torch.empty(size, dtype=torch.float64)
    for i in range(size[0]):
        for j in range(size[1]):
            y = (top + (bottom - top) * (i + 0.5) / size[0]) * h
            x = (left + (right - left) * (j + 0.5) / size[1]) * w
            column = torch.tensor([at(cells[k], x) for k in range(h)], dtype=torch.float64)
            out[i, j] = at(column, y)
    return out


def maps(count: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    return torch.randn(count, *size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_on_paper() -> None:
    doubled = resize(torch.tensor([[[0.0, 4.0]]]), (1, 4))
    assert doubled.tolist() == [[[0.0, 1.0, 3.0, 4.0]]]
    halved = resize(torch.tensor([[[0.0, 2.0, 4.0, 10.0]]]), (1, 2))
    assert halved.tolist() == [[[1.0, 7.0]]]
    square = resize(torch.tensor([[[0.0, 4.0], [8.0, 12.0]]]), (4, 4))
    assert square[0].tolist() == [[0, 1, 3, 4], [2, 3, 5, 6], [6, 7, 9, 10], [8, 9, 11, 12]]


@given(SIZES, SIZES, st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_equals_the_definition(cells: tuple[int, int], size: tuple[int, int], seed: int) -> None:
    given_maps = maps(2, cells, seed)
    got = resize(given_maps, size)
    assert got.shape == (2, *size)
    for one, want in zip(got, given_maps, strict=True):
        torch.testing.assert_close(one, slowly(want, size), rtol=0, atol=1e-12)


@given(SIZES, SIZES)
@settings(deadline=None, max_examples=60)
def test_equals_torch(cells: tuple[int, int], size: tuple[int, int]) -> None:
    given_maps = maps(3, cells).float()
    want = F.interpolate(given_maps[:, None], size, mode="bilinear", align_corners=False)[:, 0]
    # Both round sums of four products of numbers of size 1 in float32.
    torch.testing.assert_close(resize(given_maps, size), want, rtol=0, atol=2e-6)


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), SIZES, SIZES)
@settings(deadline=None, max_examples=40)
def test_a_box_is_that_part_of_the_map(
    edges: list[float], cells: tuple[int, int], size: tuple[int, int]
) -> None:
    box = (min(edges[:2]), min(edges[2:]), max(edges[:2]), max(edges[2:]))
    given_maps = maps(1, cells)
    got = resize(given_maps, size, box)[0]
    torch.testing.assert_close(got, slowly(given_maps[0], size, box), rtol=0, atol=1e-12)


def test_half_of_a_map_is_half_of_its_enlargement() -> None:
    given_maps = maps(2, (3, 5))
    whole = resize(given_maps, (12, 20))
    torch.testing.assert_close(resize(given_maps, (12, 10), (0.5, 0, 1, 1)), whole[:, :, 10:])
    torch.testing.assert_close(resize(given_maps, (6, 20), (0, 0.5, 1, 1)), whole[:, 6:])


@given(SIZES, SIZES, st.floats(-1e3, 1e3, width=32))
@settings(deadline=None, max_examples=40)
def test_constant_maps_stay(cells: tuple[int, int], size: tuple[int, int], value: float) -> None:
    got = resize(torch.full((1, *cells), value, dtype=torch.float64), size)
    torch.testing.assert_close(got, torch.full((1, *size), value, dtype=torch.float64), rtol=1e-14, atol=0)


@given(SIZES, SIZES)
@settings(deadline=None, max_examples=40)
def test_values_stay_between_the_cells(cells: tuple[int, int], size: tuple[int, int]) -> None:
    given_maps = maps(2, cells)
    got = resize(given_maps, size)
    assert float(got.max()) <= float(given_maps.max()) + 1e-12
    assert float(got.min()) >= float(given_maps.min()) - 1e-12


def test_the_same_size_changes_no_bit() -> None:
    given_maps = maps(4, (7, 5)).float()
    assert torch.equal(resize(given_maps, (7, 5)), given_maps)


def test_zero_stays_exactly_zero_away_from_what_fires() -> None:
    given_maps = torch.zeros(1, 7, 7)
    given_maps[0, 3, 3] = 1
    got = resize(given_maps, (112, 112))[0]
    reach = (torch.arange(112) + 0.5) / 16 - 0.5
    inside = (reach - 3).abs() < 1
    assert torch.equal(got > 0, inside[:, None] & inside[None, :])


def test_turning_and_mirroring_commute_with_resizing() -> None:
    given_maps = maps(2, (3, 5))
    torch.testing.assert_close(resize(given_maps.flip(2), (8, 9)), resize(given_maps, (8, 9)).flip(2))
    torch.testing.assert_close(resize(given_maps.mT, (9, 8)), resize(given_maps, (8, 9)).mT)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_keeps_the_number_type(dtype: torch.dtype) -> None:
    got = resize(maps(1, (3, 3)).to(dtype), (6, 6))
    assert got.dtype == dtype
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(got.double(), resize(maps(1, (3, 3)), (6, 6)), rtol=4 * eps, atol=8 * eps)


def test_not_contiguous_and_no_maps() -> None:
    given_maps = maps(4, (3, 5))
    torch.testing.assert_close(resize(given_maps[::2].mT, (4, 4)), resize(given_maps[::2].mT.clone(), (4, 4)))
    assert resize(maps(0, (3, 5)), (4, 4)).shape == (0, 4, 4)


def test_gradients_pass_also_after_a_first_use_in_inference_mode() -> None:
    with torch.inference_mode():
        resize(
            torch.ones(1, 3, 2, dtype=torch.float64), (5, 7)
        )  # weights for these sizes are kept from here on
    given_maps = maps(1, (3, 2)).requires_grad_()
    resize(given_maps, (5, 7)).sum().backward()
    assert float(given_maps.grad.sum()) == pytest.approx(35)  # each pixel's weights sum to 1


@pytest.mark.parametrize("shape", [(3, 3), (1, 1, 3, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"maps: expected floating point \[M, h, w\]"):
        resize(torch.zeros(shape), (2, 2))


def test_whole_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="expected floating point.*torch.int64"):
        resize(torch.ones(1, 3, 3, dtype=torch.int64), (2, 2))


# the conventions of other programs


def test_other_conventions_on_paper() -> None:
    row = torch.tensor([[[2.0, 10.0]]])
    assert resize_as("half pixels", row, 4)[0, 0].tolist() == [2, 4, 8, 10]
    assert resize_as("whole pixels", row, 4)[0, 0].tolist() == [
        2,
        2,
        6,
        10,
    ]  # the cells stand at pixels 1 and 3
    assert resize_as("whole pixels", row, 5)[0, 0].tolist() == [2, 2, 6, 10, 10]  # and so with a pixel more
    column = torch.tensor(
        [[[8.0]]]
    )  # a cell fades to half where its map ends: at 4 pixels a side 3/4 is 1/8 inside
    assert resize_as("zeros outside", column, 1).tolist() == [[[8.0]]]
    assert resize_as("zeros outside", column, 4)[0].diag().tolist() == [3.125, 6.125, 6.125, 3.125]
    assert resize_as("zeros outside", column, 4)[0, 0].tolist() == [3.125, 4.375, 4.375, 3.125]


@given(SIZES, st.integers(1, 3), st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_whole_pixels_are_half_pixels_moved_by_half_a_pixel(
    cells: tuple[int, int], times: int, seed: int
) -> None:
    side = 2 * math.lcm(*cells) * times
    given_maps = maps(2, cells, seed)
    half = 0.5 / side
    moved = resize(given_maps, (side, side), (-half, -half, 1 - half, 1 - half))
    torch.testing.assert_close(resize_as("whole pixels", given_maps, side), moved, rtol=0, atol=1e-12)


@given(SIZES, st.integers(1, 12), st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_zeros_outside_are_what_torch_samples(cells: tuple[int, int], side: int, seed: int) -> None:
    given_maps = maps(3, cells, seed).float()
    line = (torch.arange(side) + 0.5) * 2 / side - 1
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1)[None]
    want = F.grid_sample(given_maps[None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)[
        0
    ]
    got = resize_as("zeros outside", given_maps, side)
    torch.testing.assert_close(
        got, want, rtol=0, atol=4e-6
    )  # both round places and products of size 4 in float32
    low, high = given_maps.amin((1, 2)).clamp(max=0), given_maps.amax((1, 2)).clamp(min=0)
    assert (got >= low[:, None, None]).all() and (got <= high[:, None, None]).all()  # without tolerance
    for row in range(3):
        assert torch.equal(resize_as("zeros outside", given_maps[row : row + 1], side)[0], got[row])


def test_a_plateau_stays_one_where_no_zero_is_near() -> None:
    for side in (7, 10, 31, 56):
        for value in (6.0, 0.1, 1 / 3, 12345.678):
            given_maps = torch.full((1, 6, 5), value)
            got = resize_as("zeros outside", given_maps, side)
            assert set(
                got[0, side // 6 + 1 : -side // 6 - 1, side // 5 + 1 : -side // 5 - 1].unique().tolist()
            ) <= {given_maps.max().item()}


def test_whole_pixels_need_one_for_each_cell() -> None:
    check_centres((4, 7), 7, "whole pixels")
    check_centres((9, 9), 7, "half pixels")
    check_centres((9, 9), 7, "zeros outside")
    with pytest.raises(ValueError, match=r"label_size: expected at least 9 pixels.*have 4 × 9; got 8"):
        resize_as("whole pixels", torch.zeros(1, 4, 9), 8)
