"""Counts by loops over pixels, and the dense form: every map resized, mask × one-hot product."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from probes import no_layers, random_labels, some_concepts

from dissection.concepts import NO_LABEL, Concept, Labels, by_category
from dissection.overlap import (
    MAX_LABEL_SIZE,
    Overlap,
    PackedLabels,
    checked_label_size,
    iou,
    iou_ceiling,
)

COUNTS = (
    "intersection",
    "activation_area",
    "concept_area",
    "concept_images",
    "category_area",
    "active_pixels",
)
CONCEPTS = (Concept("road", "object"), Concept("wheel", "part"), Concept("car", "object"))


def pack(labels: Labels, size: int, concepts: tuple[Concept, ...] | list[Concept] = CONCEPTS) -> PackedLabels:
    return PackedLabels.pack(labels, size, *by_category(concepts))


def counts(overlap: Overlap) -> dict[str, list[object]]:
    return {name: getattr(overlap, name).tolist() for name in COUNTS}


def all_units(count: int) -> torch.Tensor:
    return torch.arange(count)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    concepts=st.integers(1, 7),
    categories=st.integers(1, 3),
    size=st.integers(1, 7),
)
def test_packed_labels_say_what_the_pixels_said(seed: int, concepts: int, categories: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    known = some_concepts(concepts, categories)
    labels = random_labels(rng, known, size)
    packed = pack(labels, size, known)
    matrix = packed.incidence(size)
    assert matrix.dtype == torch.float32
    assert matrix.shape == (size * size, len(packed.present) + 1)
    for y in range(size):
        for x in range(size):
            here = {int(layer[y, x]) for layer in labels.layers} - {NO_LABEL} | set(labels.whole)
            row = matrix[y * size + x]
            assert {int(c) for c, value in zip(packed.present, row, strict=False) if value == 1} == here
            assert row[-1] == 1
            assert set(row.tolist()) <= {0.0, 1.0}
    order = list(dict.fromkeys(c.category for c in known))
    assert {order[k] for k in packed.categories} == labels.categories & set(order)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    units=st.integers(1, 6),
    shape=st.sampled_from([(1, 1), (2, 4), (4, 2), (8, 8), (4, 1)]),
    images=st.integers(1, 4),
)
def test_counts_equal_the_dense_product(seed: int, units: int, shape: tuple[int, int], images: int) -> None:
    # Small integers on grids whose bilinear weights are binary fractions: float arithmetic is exact.
    size, rng, known = 8, np.random.default_rng(seed), some_concepts(5, 2)
    threshold = torch.from_numpy(rng.integers(0, 3, units).astype(np.float32))
    sparse = Overlap(units, known, size)
    categories, category_of = by_category(known)
    intersection = torch.zeros(units, len(known), dtype=torch.int64)
    area = torch.zeros(units, len(categories), dtype=torch.int64)
    labelled = torch.zeros(len(known), dtype=torch.int64)
    for _ in range(images):
        labels = random_labels(rng, known, size)
        maps = torch.from_numpy(rng.integers(-2, 7, (units, *shape)).astype(np.float32))
        firing = (maps.flatten(1).amax(dim=1) > threshold).nonzero().flatten()
        sparse.add(pack(labels, size, known), firing, maps[firing], threshold)

        full = F.interpolate(maps[None].double(), (size, size), mode="bilinear", align_corners=False)[0]
        mask = (full > threshold[:, None, None]).long()
        one_hot = torch.zeros(len(known), size, size, dtype=torch.int64)
        for number in range(len(known)):
            for layer in torch.from_numpy(labels.layers):
                one_hot[number] |= (layer == number).long()
            if number in labels.whole:
                one_hot[number] = 1
        carries = torch.tensor([int(category in labels.categories) for category in categories])
        intersection += torch.einsum("uyx,cyx->uc", mask, one_hot)
        area += mask.sum(dim=(1, 2))[:, None] * carries
        labelled += one_hot.sum(dim=(1, 2))
    assert sparse.intersection.tolist() == intersection.tolist()
    assert sparse.activation_area.tolist() == area.tolist()
    assert sparse.concept_area.tolist() == labelled.tolist()
    assert sparse.category_of.tolist() == category_of.tolist()
    assert all(getattr(sparse, name).dtype == torch.int64 for name in COUNTS)


def test_counts_on_paper() -> None:
    # Two layers of 2 × 2 pixels; "car" stands in both layers of the upper left pixel and counts there once.
    layers = np.array([[[2, 0], [NO_LABEL, 0]], [[2, 1], [NO_LABEL, NO_LABEL]]], np.int32)
    labels = Labels(layers, (), frozenset({"object", "part"}))
    overlap = Overlap(2, CONCEPTS, 2)
    maps = torch.tensor([[[5.0, 5.0], [5.0, 0.0]], [[0.0, 0.0], [0.0, 9.0]]])
    overlap.add(pack(labels, 2), all_units(2), maps, torch.tensor([4.0, 1.0]))
    assert overlap.categories == ("object", "part")
    assert counts(overlap) == {
        "intersection": [[1, 1, 1], [1, 0, 0]],
        "activation_area": [[3, 3], [1, 1]],
        "concept_area": [2, 1, 1],
        "concept_images": [1, 1, 1],
        "category_area": [4, 4],
        "active_pixels": [3, 1],
    }
    # An image that carries only parts is unlabelled for objects: what fires there is not held against them.
    parts = Labels(no_layers(2), (1,), frozenset({"part"}))
    overlap.add(pack(parts, 2), all_units(2), maps, torch.tensor([4.0, 1.0]))
    assert overlap.activation_area.tolist() == [[3, 6], [1, 2]]
    assert overlap.concept_area.tolist() == [2, 5, 1]
    assert overlap.category_area.tolist() == [4, 8]
    assert overlap.active_pixels.tolist() == [6, 2]
    ratios = iou(*(getattr(overlap, n).numpy() for n in (*COUNTS[:3], "category_of")))
    assert ratios[0].tolist() == [1 / 4, 4 / 7, 1 / 3]


def test_a_plateau_at_the_threshold_is_inactive_at_every_size() -> None:
    # Saturated units: T_k is the plateau itself, and rounding while resizing must not lift it above.
    for size in (3, 7, 10, 31, 56):
        for value in (6.0, 0.1, 1 / 3, 1e-3, 12345.678):
            overlap = Overlap(1, CONCEPTS, size)
            threshold = torch.tensor([value])
            maps = threshold.expand(1, 7 * 5).reshape(1, 7, 5).clone()
            maps[0, 3, 2] = 0
            overlap.add(
                pack(Labels(no_layers(size), (0,), frozenset({"object"})), size),
                all_units(1),
                maps,
                threshold,
            )
            assert overlap.active_pixels.tolist() == [0], (size, value)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), order=st.permutations(range(4)))
def test_merging_parts_is_associative_and_commutative(seed: int, order: list[int]) -> None:
    rng, size, known = np.random.default_rng(seed), 4, some_concepts(4, 2)
    threshold = torch.tensor([1.0, 2.0])
    images = [
        (
            pack(random_labels(rng, known, size), size, known),
            torch.from_numpy(rng.random((2, 2, 2)) * 4).float(),
        )
        for _ in range(4)
    ]

    def counted(*numbers: int) -> Overlap:
        overlap = Overlap(2, known, size)
        for number in numbers:
            overlap.add(images[number][0], all_units(2), images[number][1], threshold)
        return overlap

    left = counted(order[0])
    for number in order[1:]:
        left.merge(counted(number))
    right, tail = counted(order[0], order[1]), counted(order[2])
    tail.merge(counted(order[3]))
    right.merge(tail)
    assert counts(counted(0, 1, 2, 3)) == counts(left) == counts(right)


def test_parts_on_other_sizes_do_not_merge() -> None:
    with pytest.raises(ValueError, match="4 × 4 pixels, got 5"):
        Overlap(1, CONCEPTS, 4).merge(Overlap(1, CONCEPTS, 5))


def test_an_image_without_firing_units_still_counts_its_labels() -> None:
    overlap = Overlap(3, CONCEPTS, 2)
    labels = Labels(np.zeros((1, 2, 2), np.int32), (), frozenset({"object"}))
    overlap.add(pack(labels, 2), torch.empty(0, dtype=torch.int64), torch.empty(0, 5, 5), torch.zeros(3))
    assert overlap.concept_area.tolist() == [4, 0, 0]
    assert overlap.category_area.tolist() == [4, 0]
    assert overlap.active_pixels.tolist() == [0, 0, 0]


def test_units_that_are_not_given_are_untouched() -> None:
    overlap = Overlap(4, CONCEPTS, 2)
    labels = Labels(no_layers(2), (0,), frozenset({"object"}))
    overlap.add(
        pack(labels, 2), torch.tensor([3, 1]), torch.ones(2, 1, 1), torch.tensor([0.0, 2.0, 0.0, 0.0])
    )
    assert overlap.intersection.tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 0], [4, 0, 0]]


def test_counts_of_a_large_label_size_are_exact() -> None:
    size = 1200  # 1.44 million pixels: float16 or int16 sums would show
    overlap = Overlap(1, CONCEPTS, size)
    labels = Labels(np.full((1, size, size), 2, np.int32), (), frozenset({"object"}))
    overlap.add(pack(labels, size), all_units(1), torch.ones(1, 1, 1), torch.zeros(1))
    assert overlap.intersection.tolist() == [[0, 0, size * size]]
    assert overlap.concept_area.tolist() == [0, 0, size * size]


def test_iou_is_a_ratio_of_sums_and_0_where_there_is_nothing() -> None:
    ratios = iou(np.array([[0, 3], [0, 0]]), np.array([[0, 5], [0, 0]]), np.array([0, 4]), np.array([0, 1]))
    assert ratios.dtype == np.float64
    assert ratios.tolist() == [[0.0, 3 / 6], [0.0, 0.0]]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (Labels(np.full((1, 2, 2), 3, np.int32), (), frozenset({"object"})), "numbers 0 to 2.*got 3 to 3"),
        (Labels(np.full((1, 2, 2), -2, np.int32), (), frozenset({"object"})), "numbers 0 to 2.*got -2 to -2"),
        (Labels(no_layers(2), (3,), frozenset({"object"})), "numbers 0 to 2.*got 3 to 3"),
        (Labels(no_layers(2), (0, -1), frozenset({"object"})), "numbers 0 to 2.*got -1 to 0"),
        (Labels(np.zeros((1, 3, 3), np.int32), (), frozenset({"object"})), r"2 × 2 pixels, got \[3, 3\]"),
        (Labels(np.zeros((1, 2, 3), np.int32), (), frozenset({"object"})), r"2 × 2 pixels, got \[2, 3\]"),
        (Labels(np.zeros((1, 2, 2), np.int32), (), frozenset({"part"})), "labels of object, but.*are part"),
        (Labels(no_layers(2), (1,), frozenset()), "labels of part, but.*are none"),
    ],
)
def test_labels_that_cannot_be_counted_are_refused(labels: Labels, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pack(labels, 2)


def test_labels_of_the_wrong_kind_are_refused() -> None:
    with pytest.raises(ValueError, match=r"int32 \[L, S, S\], got int64"):
        Labels(np.zeros((1, 2, 2), np.int64), (), frozenset())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"got int32 \[2, 2\]"):
        Labels(np.zeros((2, 2), np.int32), (), frozenset())


@pytest.mark.parametrize("size", [0, -1, MAX_LABEL_SIZE + 1])
def test_a_label_size_that_cannot_be_counted_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=rf"label_size: expected 1 to 4096 pixels, got {size}"):
        checked_label_size(size)
    with pytest.raises(ValueError, match="label_size"):
        Overlap(1, CONCEPTS, size)


def test_equal_concepts_have_one_number() -> None:
    with pytest.raises(ValueError, match=r"car \(object\) stands there 2 times"):
        by_category([*CONCEPTS, Concept("car", "object")])
    assert by_category([*CONCEPTS, Concept("car", "part")])[0] == ("object", "part")


@pytest.mark.parametrize("quantile", [0.005, 0.1, 0.7])
@pytest.mark.parametrize("labelled", [0, 1, 5, 10, 100, 700, 1000])
def test_the_ceiling_of_a_category_on_every_image_is_min_over_max(quantile: float, labelled: int) -> None:
    share = labelled / 1000
    expected = min(quantile, share) / max(quantile, share)
    assert iou_ceiling(labelled, 1000, 1000, quantile) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=200, deadline=None)
@given(
    pixels=st.integers(1, 40),
    data=st.data(),
)
def test_no_mask_of_the_right_size_beats_the_ceiling(pixels: int, data: st.DataObject) -> None:
    carried = data.draw(st.integers(1, pixels))
    labelled = data.draw(st.integers(0, carried))
    active = data.draw(st.integers(1, max(1, pixels - 1)))
    best = Fraction(0)
    for on_carried in range(max(0, active - (pixels - carried)), min(active, carried) + 1):
        overlap = min(on_carried, labelled)
        union = on_carried + labelled - overlap
        best = max(best, Fraction(overlap, union) if union else Fraction(0))
    if active < pixels:
        assert iou_ceiling(labelled, carried, pixels, active / pixels) == pytest.approx(float(best), rel=1e-9)
