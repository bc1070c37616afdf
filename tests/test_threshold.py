"""T_k from its definition: sort everything, count down ⌊q·n⌋ places."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import ceil, floor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dissection.threshold import TopValues, threshold_index, threshold_place


@pytest.mark.parametrize(
    ("quantile", "positions", "index"),
    [
        (0.005, 29_400, 147),  # in floats 0.005 · 29400 is 147.0, 0.29 · 100 is 28.999…
        (0.29, 100, 29),
        (0.57, 100, 57),
        (0.005, 199, 0),
        (0.005, 200, 1),
        (0.1, 30, 3),
        (1e-9, 10**6, 0),
        (0.999, 1000, 999),
        (0.5, 0, 0),
        (0.005, 63_305 * 13 * 13, 53_492),
    ],
)
def test_index_is_the_floor_of_the_decimal_product(quantile: float, positions: int, index: int) -> None:
    assert threshold_index(quantile, positions) == index
    assert threshold_index(np.float64(quantile), positions) == index


@pytest.mark.parametrize("quantile", [0, 1, 0.0, 1.0, -0.005, 1.5, float("nan"), float("inf")])
def test_a_quantile_outside_0_to_1_is_refused(quantile: float) -> None:
    with pytest.raises(ValueError, match=r"quantile.*between 0 and 1.*0\.005"):
        threshold_index(quantile, 100)


def pieces(values: torch.Tensor, cuts: list[int]) -> list[torch.Tensor]:
    edges = [0, *sorted(c % (values.shape[1] + 1) for c in cuts), values.shape[1]]
    return [values[:, a:b] for a, b in pairwise(edges)]


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    units=st.integers(1, 5),
    count=st.integers(1, 60),
    levels=st.sampled_from([1, 2, 5, 1000]),
    cuts=st.lists(st.integers(0, 1000), max_size=8),
    quantile=st.sampled_from(["0.005", "0.1", "0.25", "0.5", "0.9", "0.999"]),
)
def test_at_is_the_sorted_value_however_the_values_arrive(
    seed: int, units: int, count: int, levels: int, cuts: list[int], quantile: str
) -> None:
    rng = np.random.default_rng(seed)
    values = torch.from_numpy(rng.integers(-levels, levels, (units, count)).astype(np.float32))
    index = floor(Fraction(quantile) * count)
    assert threshold_index(float(quantile), count) == index
    top = TopValues(units, index + 1)
    last = torch.full((units,), -torch.inf)
    expected = torch.tensor([sorted(row, reverse=True)[index] for row in values.tolist()])
    for piece in pieces(values, cuts):
        top.add(piece)
        assert (top.bound >= last).all()  # it only rises
        assert (top.bound <= expected).all()  # and stays a lower bound
        last = top.bound.clone()
    assert top.at(index).tolist() == expected.tolist()
    for smaller in range(index + 1):
        assert top.at(smaller).tolist() == [sorted(row, reverse=True)[smaller] for row in values.tolist()]
    # Strictly above T_k lie at most ⌊q·n⌋ values.
    assert ((values > top.at(index)[:, None]).sum(dim=1) <= index).all()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), keep=st.integers(1, 12), parts=st.permutations(range(4)))
def test_merging_is_associative_and_commutative(seed: int, keep: int, parts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, 9, 4)
    chunks = [torch.from_numpy(rng.integers(0, 5, (3, n)).astype(np.float32)) for n in sizes]

    def filled(*numbers: int) -> TopValues:
        top = TopValues(3, keep)
        for number in numbers:
            top.add(chunks[number])
        return top

    together = filled(0, 1, 2, 3)
    left = filled(parts[0])
    for number in parts[1:]:
        left.merge(filled(number))
    right, tail = filled(parts[0], parts[1]), filled(parts[2])
    tail.merge(filled(parts[3]))
    right.merge(tail)
    for index in range(min(keep, int(sizes.sum()))):
        assert together.at(index).tolist() == left.at(index).tolist() == right.at(index).tolist()


def test_the_state_is_bounded_by_what_must_be_kept() -> None:
    top = TopValues(4, 10)
    for step in range(200):
        top.add(torch.rand(4, 37) + step)  # ever rising: the worst case
        assert top._best.shape[1] <= 10
        assert top._pending_columns < 20
    assert top.at(9).shape == (4,)


def test_nothing_can_exceed_the_bound_that_is_not_counted_before_enough_was_seen() -> None:
    top = TopValues(2, 5)
    top.add(torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
    assert top.bound.tolist() == [-torch.inf, -torch.inf]
    top.add(torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]))
    assert top.bound.tolist() == [1.0, 0.0]


def test_half_precision_values_are_kept_as_float32() -> None:
    top = TopValues(1, 2)
    top.add(torch.tensor([[0.1, 0.3, 0.2]], dtype=torch.bfloat16))
    assert top.at(0).dtype == torch.float32
    assert top.at(1).item() == torch.tensor(0.2, dtype=torch.bfloat16).item()


def test_an_empty_piece_changes_nothing() -> None:
    top = TopValues(2, 1)
    top.add(torch.empty(2, 0))
    top.add(torch.tensor([[1.0], [2.0]]))
    top.add(torch.empty(2, 0))
    assert top.at(0).tolist() == [1.0, 2.0]


def test_misuse_is_named() -> None:
    with pytest.raises(ValueError, match="keep: expected at least 1, got 0"):
        TopValues(3, 0)
    top = TopValues(1, 3)
    top.add(torch.tensor([[1.0, 2.0]]))
    with pytest.raises(ValueError, match="index 2 is outside the 2 largest"):
        top.at(2)
    with pytest.raises(ValueError, match="index -1"):
        top.at(-1)
    with pytest.raises(ValueError, match="keeps at least 3 values, got one of 2"):
        top.merge(TopValues(1, 2))


@given(
    seed=st.integers(0, 10_000), units=st.integers(1, 5), keep=st.integers(1, 9), batches=st.integers(1, 5)
)
def test_maps_of_some_units_are_as_good_as_all_values(seed: int, units: int, keep: int, batches: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    whole, part = TopValues(units, keep), TopValues(units, keep)
    for _ in range(batches):
        maps = torch.randint(-3, 9, (4, units, 3), generator=generator).float()
        whole.add(maps.transpose(0, 1).flatten(1))
        if part.full:
            image, unit = (maps.amax(dim=2) > part.bound).nonzero(as_tuple=True)
            part.add_maps(unit, maps[image, unit])
        else:
            part.add(maps.transpose(0, 1).flatten(1))
    for index in range(min(keep, 12 * batches)):
        assert whole.at(index).tolist() == part.at(index).tolist()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), keep=st.integers(1, 12), parts=st.integers(1, 6))
def test_what_others_have_seen_lets_a_part_leave_out_what_cannot_matter(
    seed: int, keep: int, parts: int
) -> None:
    rng = np.random.default_rng(seed)
    whole, merged = TopValues(3, keep), TopValues(3, keep)
    floors = [None]
    for _ in range(parts):
        floor = floors[rng.integers(len(floors))]  # shares begin with what was known at some time
        part = TopValues(3, keep, floor=floor)
        for _ in range(rng.integers(1, 4)):
            maps = torch.from_numpy(rng.integers(-3, 9, (4, 3, 2)).astype(np.float32))
            whole.add(maps.transpose(0, 1).flatten(1))
            if part.bounded:
                image, unit = (maps.amax(dim=2) > part.bound).nonzero(as_tuple=True)
                part.add_maps(unit, maps[image, unit])
            else:
                part.add(maps.transpose(0, 1).flatten(1))
        merged.merge(part)
        floors.append(merged.bound if merged.bounded else None)
        assert (merged.bound <= whole.at(0)).all()
    count = whole._best.shape[1]
    for index in range(count):
        assert merged.at(index).tolist() == whole.at(index).tolist()


# where other programs put T_k


def test_the_place_of_point_994_of_999() -> None:
    assert threshold_place(0.005, 1000, "readout") == 5
    assert threshold_place(0.005, 1999, "readout") == Fraction(5 * 1998, 999) == 10
    assert threshold_place(0.005, 200, "readout") == Fraction(5 * 199, 999)
    assert threshold_place(0.005, 29_400) == 147
    assert threshold_place(0.9996, 7, "readout") == 6  # the last of them
    assert threshold_place(0.0004, 7, "readout") == 0
    assert threshold_place(0.01, 100, "midpoints") == Fraction(1, 2)
    assert threshold_place(0.01, 10, "midpoints") == 0
    assert threshold_place(0.999, 10, "midpoints") == 9
    for place in ("index", "readout", "midpoints"):
        assert threshold_place(0.005, 0, place) == 0  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="between 0 and 1"):
            threshold_place(1.0, 10, place)  # type: ignore[arg-type]


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 400),
    levels=st.sampled_from([2, 1000]),
    quantile=st.sampled_from([0.005, 0.01, 0.04, 0.25, 0.5, 0.999]),
    place=st.sampled_from(["readout", "midpoints"]),
)
def test_between_two_values_is_what_numpy_calls_so(
    seed: int, count: int, levels: int, quantile: float, place: str
) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.integers(-levels, levels, (3, count)) / 8).astype(np.float32)
    at = threshold_place(quantile, count, place)  # type: ignore[arg-type]
    top = TopValues(3, ceil(at) + 1)
    top.add(torch.from_numpy(values))
    got = top.between(at)
    assert got.dtype == torch.float32
    share = 1 - (round(quantile * 1000) / 999 if place == "readout" else quantile)
    method = "linear" if place == "readout" else "hazen"
    want = np.quantile(values.astype(np.float64), max(share, 0), axis=1, method=method)
    # float32 rounds numbers up to 125 by at most 8e-6
    np.testing.assert_allclose(got.numpy(), want, rtol=0, atol=8e-6)
    ordered = np.sort(values, axis=1)[:, ::-1]
    assert (top.bound <= got).all()
    assert (torch.from_numpy(ordered[:, ceil(at)].copy()) <= got).all()
    assert (got <= torch.from_numpy(ordered[:, floor(at)].copy())).all()


def test_what_lies_between_neighbouring_floats_is_the_lower() -> None:
    low = torch.tensor(1.0)
    high = torch.nextafter(low, torch.tensor(2.0))
    for place in (Fraction(1, 10), Fraction(1, 2), Fraction(9, 10)):
        top = TopValues(1, 2)
        top.add(torch.stack([low, high])[None])
        assert top.between(place).tolist() == [1.0]  # so that `high`, which exceeds T_k, is active
    assert top.between(Fraction(0)).item() == high.item()
