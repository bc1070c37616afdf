"""The three programs before this one, restated slowly from their sources, and what the presets make of the same maps.

Each `slow_…` takes labels as its program did: numbers from 1, with 0 for nothing, pixel layers apart from numbers that
hold for the whole image. Maps are float64, every map is kept, and all is counted by loops.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from probes import no_layers, random_labels, some_concepts

from dissection.concepts import NO_LABEL, Concept, Labels, by_category
from dissection.kept import KeptBatch, KeptMaps
from dissection.names import MAX_Q, MIN_IOU
from dissection.overlap import Overlap, PackedLabels, iou
from dissection.presets import OURS, PRESETS, Rules, best_labels, preset
from dissection.tally import Count, Survey, count_all

Floats = NDArray[np.float64]
ANCESTORS = tuple(name for name in PRESETS if name != "ours")
NEAR = 1e-4  # closer to T_k than this, float32 may decide otherwise than float64


@dataclass
class Slow:
    """Thresholds, I, A, G, active pixels; `near` is the smallest distance above 0 of a pixel from T_k."""

    threshold: Floats
    intersection: NDArray[np.int64]
    activation_area: NDArray[np.int64]
    concept_area: NDArray[np.int64]
    active_pixels: NDArray[np.int64]
    near: float


class Taken:
    """Labels as the programs took them, and empty counts."""

    def __init__(self, maps: Floats, labels: Sequence[Labels], concepts: Sequence[Concept]) -> None:
        used = [i for i, one in enumerate(labels) if one.whole or (one.layers != NO_LABEL).any()]
        self.maps = maps[used]
        self.pixels = [labels[i].layers.astype(int) + 1 for i in used]
        self.scalars = [[number + 1 for number in labels[i].whole] for i in used]
        self.categories = list(dict.fromkeys(c.category for c in concepts))
        self.labels = len(concepts) + 1
        # label 0 has no coverage anywhere, and the largest of equal coverages is that of the last category
        self.labelcat = np.zeros((self.labels, len(self.categories)), int)
        self.labelcat[0, -1] = 1
        for number, concept in enumerate(concepts, 1):
            self.labelcat[number, self.categories.index(concept.category)] = 1
        units = maps.shape[1]
        self.both = np.zeros((units, self.labels), int)
        self.area = np.zeros((units, len(self.categories)), int)
        self.truth = np.zeros(self.labels, int)
        self.active = np.zeros(units, int)
        self.near = np.inf

    def mask(self, pixels: Floats, threshold: float) -> NDArray[np.bool_]:
        apart = np.abs(pixels - threshold)
        self.near = min([self.near, *apart[apart > 0]])
        return pixels > threshold

    def found(self, threshold: Floats) -> Slow:
        return Slow(threshold, self.both[:, 1:], self.area, self.truth[1:], self.active, self.near)


def readout(values: Floats) -> Floats:
    """1,000 equally spaced points from the smallest value to the largest."""
    return np.interp(np.linspace(0, 1, 1000), np.linspace(0, 1, len(values)), np.sort(values))


def steps_of_2017(cells: int, size: int) -> list[int]:
    """Where cells stand on a label map of half the input's side: `centered_arange`."""
    field = 2 * size // cells
    return [field // 2 // 2 + i * (field // 2) for i in range(cells)]


def upsampled_2017(cells: Floats, size: int) -> Floats:
    """A linear spline through the cells at every whole pixel; outside the cells the edge value."""
    down, across = (steps_of_2017(n, size) for n in cells.shape)
    wide = np.array([np.interp(np.arange(size), across, row) for row in cells])
    return np.array([np.interp(np.arange(size), down, column) for column in wide.T]).T


def upsampled_lite(cells: Floats, size: int) -> Floats:
    """Bilinear with half-pixel centres, as Pillow enlarges; outside the outermost centres the edge value."""
    down, across = ((np.arange(size) + 0.5) * n / size - 0.5 for n in cells.shape)
    wide = np.array([np.interp(across, np.arange(len(row)), row) for row in cells])
    return np.array([np.interp(down, np.arange(len(column)), column) for column in wide.T]).T


def upsampled_2020(cells: Floats, size: int) -> Floats:
    """`grid_sample` with zeros beyond the edge."""
    height, width = cells.shape
    out = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            y, x = (i + 0.5) * height / size - 0.5, (j + 0.5) * width / size - 0.5
            for row in (int(np.floor(y)), int(np.floor(y)) + 1):
                for column in (int(np.floor(x)), int(np.floor(x)) + 1):
                    if 0 <= row < height and 0 <= column < width:
                        out[i, j] += (1 - abs(y - row)) * (1 - abs(x - column)) * cells[row, column]
    return out


def slow_2017(
    maps: Floats, labels: Sequence[Labels], concepts: Sequence[Concept], quantile: float, size: int
) -> Slow:
    taken = Taken(maps, labels, concepts)
    taken.labelcat[0] = 0  # "be sure to zero out the background label"
    values = taken.maps.swapaxes(0, 1).reshape(maps.shape[1], -1)
    threshold = np.array([readout(row)[::-1][round(1000 * quantile)] for row in values])
    for image, cells in enumerate(taken.maps):
        count_g = np.zeros(taken.labels, int)
        for layer in taken.pixels[image]:
            count_g += np.bincount(layer.ravel(), minlength=taken.labels)
        for scalar in taken.scalars[image]:
            count_g[scalar] += size * size
        taken.truth += count_g
        in_image = count_g @ taken.labelcat > 0
        for unit, row in enumerate(cells):
            mask = taken.mask(upsampled_2017(row, size), threshold[unit])
            for layer in taken.pixels[image]:
                taken.both[unit] += np.bincount(layer[mask], minlength=taken.labels)
            for scalar in taken.scalars[image]:
                taken.both[unit, scalar] += mask.sum()
            taken.active[unit] += mask.sum()
            taken.area[unit] += mask.sum() * in_image
    return taken.found(threshold)


def slow_lite(
    maps: Floats, labels: Sequence[Labels], concepts: Sequence[Concept], quantile: float, size: int
) -> Slow:
    taken = Taken(maps, labels, concepts)  # label 0 keeps its category, the last
    values = taken.maps.swapaxes(0, 1).reshape(maps.shape[1], -1)
    threshold = np.array([readout(row)[int(1000 * (1 - quantile) - 1)] for row in values])
    for image, cells in enumerate(taken.maps):
        for scalar in taken.scalars[image]:
            taken.truth[scalar] += size * size
        tally_label = np.bincount(taken.pixels[image].ravel(), minlength=taken.labels)
        tally_label[0] = 0
        taken.truth += tally_label
        for unit, row in enumerate(cells):
            mask = taken.mask(upsampled_lite(row, size), threshold[unit])
            if not row.max() > threshold[unit]:
                assert not mask.any()
                continue
            tally_bt = np.bincount(taken.pixels[image][:, mask].ravel(), minlength=taken.labels)
            tally_bt[0] = 0
            tally_cat = tally_bt @ taken.labelcat
            taken.both[unit] += tally_bt
            for scalar in taken.scalars[image]:
                tally_cat = tally_cat + taken.labelcat[scalar]
                taken.both[unit, scalar] += mask.sum()
            taken.active[unit] += mask.sum()
            taken.area[unit] += mask.sum() * (tally_cat > 0)
    return taken.found(threshold)


def slow_2020(
    maps: Floats, labels: Sequence[Labels], concepts: Sequence[Concept], quantile: float, size: int
) -> Slow:
    taken = Taken(maps, labels, concepts)
    full = np.array([[upsampled_2020(row, size) for row in cells] for cells in taken.maps])
    threshold = []
    for unit in range(maps.shape[1]):
        values = np.sort(full[:, unit].ravel())
        weights = np.concatenate([[0], np.ones(len(values)), [0]])  # the extremes weigh nothing
        at = (np.cumsum(weights) - weights / 2) / weights.sum()
        threshold.append(np.interp(1 - quantile, at, [values[0], *values, values[-1]]))
    for image, pixels in enumerate(full):
        where = {c: (taken.pixels[image] == c).any(axis=0) for c in range(1, taken.labels)}
        for scalar in taken.scalars[image]:
            where[scalar][:] = True
        for unit, one in enumerate(pixels):
            mask = taken.mask(one, threshold[unit])
            taken.active[unit] += mask.sum()
            taken.area[unit] += mask.sum()
            for c, there in where.items():
                taken.both[unit, c] += (mask & there).sum()
        for c, there in where.items():
            taken.truth[c] += there.sum()
    return taken.found(np.array(threshold))


SLOW = {"netdissect2017": slow_2017, "netdissect-lite": slow_lite, "dissect2020": slow_2020}


def counted(
    rules: Rules,
    maps: Floats,
    labels: Sequence[Labels],
    concepts: Sequence[Concept],
    quantile: float,
    size: int,
    *,
    batch: int = 2,
    memory: int = 1,
    more: int = 0,
    shares: int = 1,
    chance: bool = False,
) -> tuple[torch.Tensor, Count]:
    """T_k and counts by one pass; `more` images are announced that never come, several shares are merged."""
    used = [i for i, one in enumerate(labels) if not one.empty]
    packed = {i: PackedLabels.pack(labels[i], size, *by_category(concepts)) for i in used}
    given_maps = torch.from_numpy(maps).float()
    whole: Survey | None = None
    bounds, batches = [], []
    for share in range(shares):
        mine = used[share::shares]
        part = Survey(
            maps.shape[1],
            (maps.shape[2], maps.shape[3]),
            len(used) + more,
            quantile=quantile,
            floor=None if whole is None else whole.floor,
            rules=rules,
            label_size=size,
        )
        for at in range(0, len(mine), batch):
            numbers = mine[at : at + batch]
            batches.append((part.add(numbers, given_maps[numbers], [packed[i] for i in numbers]), part.bound))
            bounds.append(part.bound)
        part = part.on("cpu")
        if whole is None:
            whole = part
        else:
            whole.merge(part)
            bounds.append(whole.bound)
    assert whole is not None
    threshold = whole.threshold()
    assert all((bound <= threshold).all() for bound in bounds)
    with tempfile.TemporaryDirectory() as folder:
        kept = KeptMaps(memory, Path(folder))
        for one, bound in batches:
            kept.add(one, bound)
        return threshold, count_all(whole.best, kept, concepts, size, threshold, rules=rules, chance=chance)


def assert_equal(threshold: torch.Tensor, overlap: Overlap, slow: Slow) -> None:
    assert threshold.dtype == torch.float32
    # T_k is rounded down to float32, so never above, and not below by more than one step of it.
    np.testing.assert_allclose(threshold.double().numpy(), slow.threshold, rtol=3e-7, atol=1e-6)
    assert overlap.active_pixels.tolist() == slow.active_pixels.tolist()
    assert overlap.concept_area.tolist() == slow.concept_area.tolist()
    assert overlap.intersection.tolist() == slow.intersection.tolist()
    assert overlap.activation_area.tolist() == slow.activation_area.tolist()


def activations(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> Floats:
    """Small whole numbers, so that every sum is exact in float32 too."""
    values = {
        "few levels": lambda: rng.integers(0, 4, shape),
        "saturated": lambda: rng.integers(-3, 14, shape).clip(0, 6),
        "all equal": lambda: np.full(shape, rng.integers(-2, 3)),
        "sparse": lambda: rng.integers(1, 50, shape) * (rng.random(shape) < 0.1),
        "negative": lambda: rng.integers(-60, 0, shape),
        "hardly positive": lambda: rng.integers(-60, 2, shape),
        "wide": lambda: rng.integers(-60, 60, shape),
    }[kind]()
    values[:, rng.random(shape[1]) < 0.2] = 0
    return values.astype(np.float64)


# Weights are binary fractions under all three conventions.
GRIDS = [(h, w, s) for h in (1, 2, 4) for w in (1, 2, 4) for s in (4, 8)]


@pytest.mark.parametrize("name", ANCESTORS)
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(
        ["few levels", "saturated", "all equal", "sparse", "negative", "hardly positive", "wide"]
    ),
    grid=st.sampled_from(GRIDS),
    images=st.integers(1, 6),
    concepts=st.integers(1, 6),
    categories=st.integers(1, 3),
    quantile=st.sampled_from([0.005, 0.01, 0.1, 0.25, 0.5, 0.95]),
    batch=st.integers(1, 3),
    memory=st.sampled_from([1, 1 << 20]),
    more=st.integers(0, 3),
    shares=st.integers(1, 3),
)
@example(0, "negative", (2, 2, 8), 6, 4, 2, 0.005, 2, 1, 0, 2)
@example(1, "saturated", (4, 4, 8), 6, 6, 3, 0.1, 1, 1, 2, 1)
@example(2, "all equal", (4, 2, 4), 4, 6, 3, 0.25, 1, 1, 2, 3)
def test_a_preset_is_its_program_to_the_last_integer(
    name: str,
    seed: int,
    kind: str,
    grid: tuple[int, int, int],
    images: int,
    concepts: int,
    categories: int,
    quantile: float,
    batch: int,
    memory: int,
    more: int,
    shares: int,
) -> None:
    rng, (height, width, size) = np.random.default_rng(seed), grid
    known = some_concepts(concepts, categories)
    labels = [random_labels(rng, known, size) for _ in range(images)]
    assume(not all(one.empty for one in labels))
    maps = activations(rng, kind, (images, 3, height, width))
    slow = SLOW[name](maps, labels, known, quantile, size)
    assume(slow.near > NEAR)
    threshold, count = counted(
        PRESETS[name],
        maps,
        labels,
        known,
        quantile,
        size,
        batch=batch,
        memory=memory,
        more=more,
        shares=min(shares, sum(not one.empty for one in labels)),
    )
    assert_equal(threshold, count.overlap, slow)


@pytest.mark.parametrize("name", ANCESTORS)
@pytest.mark.parametrize(("height", "width", "size"), [(7, 7, 56), (3, 5, 7), (13, 13, 30), (6, 4, 6)])
@pytest.mark.parametrize("shift", [-3.0, 0.0, 1.0])
def test_maps_of_any_shape_and_continuous_values(
    name: str, height: int, width: int, size: int, shift: float
) -> None:
    rng, known = np.random.default_rng(size), some_concepts(5, 3)
    labels = [random_labels(rng, known, size) for _ in range(8)]
    maps = (rng.standard_normal((8, 4, height, width)) + shift).astype(np.float32).astype(np.float64)
    slow = SLOW[name](maps, labels, known, 0.04, size)
    # float32 rounds numbers of size 8 by less than 1e-6, a few times; no pixel of these seeds is that close to T_k.
    assert slow.near > 1e-5 and slow.active_pixels.all()
    threshold, count = counted(PRESETS[name], maps, labels, known, 0.04, size)
    assert_equal(threshold, count.overlap, slow)


# the differences, on paper

KNOWN = (Concept("car", "object"), Concept("wheel", "part"), Concept("dotted", "texture"))
EVERY = frozenset({"object", "part", "texture"})


def on_paper(
    name: str, layers: list[Any], whole: tuple[int, ...] = (), carried: frozenset[str] = EVERY
) -> Overlap:
    """A mask on the upper row of 2 × 2 pixels, and labels."""
    overlap = Overlap(1, KNOWN, 2, rules=PRESETS[name])
    array = np.array(layers, np.int32).reshape(-1, 2, 2)
    packed = PackedLabels.pack(Labels(array, whole, carried), 2, *by_category(KNOWN))
    overlap.add(packed, torch.tensor([0]), torch.tensor([[[2.0, 2.0], [0.0, 0.0]]]), torch.tensor([1.0]))
    assert overlap.active_pixels.tolist() == [2]
    return overlap


def test_whose_active_pixels_count() -> None:
    # A car above, a wheel below, where the unit is silent; of textures nothing, though someone looked.
    layers = [[[0, 0], [NO_LABEL, 1]]]
    assert {name: on_paper(name, layers).activation_area.tolist()[0] for name in PRESETS} == {
        "ours": [2, 2, 2],  # the image carries all three
        "netdissect2017": [2, 2, 0],  # it has labels of two
        "netdissect-lite": [2, 0, 0],  # the mask touches one
        "dissect2020": [2, 2, 2],
    }
    only_parts = {name: on_paper(name, [[[1, 1], [1, 1]]], (), frozenset({"part"})) for name in PRESETS}
    assert {name: one.activation_area.tolist()[0] for name, one in only_parts.items()} == {
        "ours": [0, 2, 0],
        "netdissect2017": [0, 2, 0],
        "netdissect-lite": [0, 2, 0],
        "dissect2020": [2, 2, 2],  # nobody looked for objects or textures, and yet
    }
    assert only_parts["dissect2020"].category_area.tolist() == [4, 4, 4]


def test_a_label_in_two_layers_and_of_the_whole_image() -> None:
    layers = [[[0, 0], [0, NO_LABEL]], [[0, 1], [NO_LABEL, NO_LABEL]]]
    for name, twice in (
        ("ours", False),
        ("netdissect2017", True),
        ("netdissect-lite", True),
        ("dissect2020", False),
    ):
        overlap = on_paper(name, layers, (1,))
        assert overlap.concept_area.tolist() == ([4, 5, 0] if twice else [3, 4, 0]), name
        assert overlap.intersection.tolist() == ([[3, 3, 0]] if twice else [[2, 2, 0]]), name
        assert overlap.concept_images.tolist() == [1, 1, 0]


def test_label_0_is_no_label_of_any_category() -> None:
    # Lite leaves label 0 with the last category. In pixels it is wiped out there too; as the number of a whole image,
    # which no image can have here, it would make every active pixel one of an image with a texture.
    layers = [[[0, NO_LABEL], [NO_LABEL, NO_LABEL]]]
    assert on_paper("netdissect-lite", layers).activation_area.tolist() == [[2, 0, 0]]
    labels = [Labels(np.array(layers, np.int32), (), EVERY)]
    maps = np.array([[[[2.0, 2.0], [0.0, 0.0]]]])
    assert slow_lite(maps, labels, KNOWN, 0.7, 2).activation_area.tolist() == [[2, 0, 0]]
    leaking = Taken(maps, labels, KNOWN)
    assert leaking.labelcat[0].tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="numbers 0 to 2.*got -1"):
        PackedLabels.pack(Labels(no_layers(2), (NO_LABEL,), EVERY), 2, *by_category(KNOWN))


def test_an_iou_that_counts_pixels_twice_can_exceed_1() -> None:
    overlap = on_paper("netdissect2017", [[[0, 0], [NO_LABEL] * 2]] * 2)
    arrays = (overlap.intersection, overlap.activation_area, overlap.concept_area, overlap.category_of)
    assert iou(*(one.numpy() for one in arrays))[0, 0] == 4 / (2 + 4 - 4)


def test_zeros_outside_lift_a_negative_map_at_its_edge() -> None:
    # All cells are -8 or lower; on 4 × 4 pixels the corners of a map are 9/16 of a cell, the rest zero.
    maps = np.full((2, 1, 2, 2), -8.0)
    maps[1] = -16.0
    labels = [Labels(np.zeros((1, 4, 4), np.int32), (), frozenset({"object"}))] * 2
    rules = PRESETS["dissect2020"]
    threshold, count = counted(rules, maps, labels, KNOWN[:1], 0.25, 4, batch=1)
    # 32 pixels: 4 at -4.5, 8 at -6, 8 of -8 and -9 each, …; the midpoint rule stands between the 8th and the 9th
    assert threshold.tolist() == [-6.0]
    assert count.overlap.active_pixels.tolist() == [4]
    assert counted(PRESETS["netdissect-lite"], maps, labels, KNOWN[:1], 0.25, 4)[
        1
    ].overlap.active_pixels.tolist() == [0]


def test_maps_are_kept_as_they_are_and_only_while_they_may_matter() -> None:
    rules = PRESETS["dissect2020"]
    packed = PackedLabels.pack(
        Labels(np.zeros((1, 8, 8), np.int32), (), frozenset({"object"})), 8, *by_category(KNOWN)
    )
    survey = Survey(1, (2, 2), 8, quantile=0.1, rules=rules, label_size=8)
    assert survey.positions == 64
    batches = [survey.add([i], torch.full((1, 1, 2, 2), 8.0 - i), [packed]) for i in range(8)]
    # The 52 largest pixels matter. The first map's reach down to 5, those of two maps to 6.125: the third's are 6.
    assert [len(one.maps) for one in batches] == [1, 1, 0, 0, 0, 0, 0, 0]
    assert batches[0].maps.shape == (1, 2, 2) and batches[0].outside == 0.0
    below = KeptBatch([0], [packed], torch.tensor([0]), torch.tensor([0]), torch.full((1, 2, 2), -5.0), 0.0)
    assert len(below.above(torch.tensor([-1.0])).maps) == 1
    assert len(below.above(torch.tensor([0.0])).maps) == 0


# chance, names, misuse


class Seen:
    """A watcher that copies."""

    def __init__(self) -> None:
        self.incidence: list[torch.Tensor] = []
        self.active = 0

    def labels(self, labels: PackedLabels, incidence: torch.Tensor) -> None:
        self.incidence.append(incidence.clone())

    def masks(self, units: torch.Tensor, masks: torch.Tensor) -> None:
        assert set(masks.unique().tolist()) <= {0.0, 1.0}
        self.active += int(masks.sum())


@pytest.mark.parametrize("name", PRESETS)
def test_who_watches_sees_each_label_once_and_the_masks_that_are_counted(name: str) -> None:
    rng, known = np.random.default_rng(4), some_concepts(3, 2)
    overlap, seen = Overlap(2, known, 4, rules=PRESETS[name]), Seen()
    for _ in range(6):
        packed = PackedLabels.pack(random_labels(rng, known, 4, unlabelled=0), 4, *by_category(known))
        maps = torch.from_numpy(rng.standard_normal((2, 2, 2))).float()
        overlap.add(packed, torch.arange(2), maps, torch.zeros(2), watcher=seen)
        assert torch.equal(seen.incidence[-1], packed.incidence(4))
    assert seen.active == int(overlap.active_pixels.sum()) > 0


@pytest.mark.parametrize("name", PRESETS)
def test_chance_can_be_asked_under_every_preset(name: str) -> None:
    from dissection.chance import significance

    rng, known = np.random.default_rng(5), some_concepts(4, 2)
    labels = [random_labels(rng, known, 8, unlabelled=0) for _ in range(12)]
    maps = rng.standard_normal((12, 3, 4, 4))
    _, count = counted(PRESETS[name], maps, labels, known, 0.1, 8, chance=True)
    assert count.cells is not None and count.cells.labels().max() <= 1.0
    arrays = (count.overlap.intersection, count.overlap.activation_area, count.overlap.concept_area)
    found = significance(
        count.cells, iou(*(one.numpy() for one in arrays), count.overlap.category_of.numpy()), permutations=5
    )
    assert ((found.p > 0) & (found.p <= 1)).all()


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    concepts=st.integers(1, 8),
    categories=st.integers(1, 4),
    levels=st.integers(1, 5),
)
def test_ties_go_to_the_later_category_and_in_it_to_the_lower_number(
    seed: int, concepts: int, categories: int, levels: int
) -> None:
    rng = np.random.default_rng(seed)
    ious = rng.integers(1, levels + 1, (6, concepts)) / 8
    names, category_of = by_category(some_concepts(concepts, categories))

    def best_of(scores: Floats) -> NDArray[np.int64]:
        """As both older programs do: the best label in each category, then the best category."""
        pciou = np.array([scores * (category_of == k) for k in range(len(names))])
        label_pciou = pciou.argmax(axis=2)
        score_pciou = pciou.max(axis=2)
        bestcat = score_pciou.argsort(axis=0, kind="stable")[::-1][0]
        return label_pciou[bestcat, np.arange(len(scores))]

    got = best_labels(ious, category_of, "category")
    assert got.shape == (6, min(2, concepts))
    assert got[:, 0].tolist() == best_of(ious).tolist()
    if concepts > 1:
        rest = ious.copy()
        rest[np.arange(6), got[:, 0]] = 0
        assert got[:, 1].tolist() == best_of(rest).tolist()
    plain = best_labels(ious, category_of, "number")
    assert plain[:, 0].tolist() == ious.argmax(axis=1).tolist()


def test_ties_on_paper() -> None:
    ious = np.array([[0.5, 0.5, 0.5, 0.5], [0.5, 0.2, 0.1, 0.2], [0.0, 0.0, 0.3, 0.0]])
    of = np.array([0, 1, 0, 1])
    assert best_labels(ious, of, "number").tolist() == [[0, 1], [0, 1], [2, 0]]
    assert best_labels(ious, of, "category").tolist() == [[1, 3], [0, 1], [2, 1]]


def test_presets_by_name() -> None:
    assert preset("ours") is OURS and (OURS.min_iou, OURS.max_q) == (MIN_IOU, MAX_Q)
    assert tuple(PRESETS) == ("ours", "netdissect2017", "netdissect-lite", "dissect2020")
    assert all(rules.name == name for name, rules in PRESETS.items())
    with pytest.raises(ValueError, match="preset: expected one of ours, netdissect2017.*got 'netdisect'"):
        preset("netdisect")


def test_what_cannot_be_counted_is_said() -> None:
    with pytest.raises(ValueError, match=r"label_size: expected at least 9 pixels.*have 9 × 2; got 8"):
        Survey(1, (9, 2), 1, rules=PRESETS["netdissect2017"], label_size=8)
    Survey(1, (9, 2), 1, rules=PRESETS["netdissect-lite"], label_size=8)
    size = 2400
    labels = Labels(np.zeros((3, size, size), np.int32), (), frozenset({"object"}))
    packed = PackedLabels.pack(labels, size, *by_category(KNOWN))
    with pytest.raises(ValueError, match="a label may count 3 times in each of 2400 × 2400 pixels"):
        Overlap(1, KNOWN, size, rules=PRESETS["netdissect2017"]).add(
            packed, torch.tensor([0]), torch.ones(1, 1, 1), torch.zeros(1)
        )


def test_the_default_rules_are_ours() -> None:
    rng, known = np.random.default_rng(0), some_concepts(4, 2)
    labels = [random_labels(rng, known, 4, unlabelled=0) for _ in range(5)]
    maps = rng.integers(-9, 9, (5, 2, 2, 2)).astype(np.float64)
    threshold, count = counted(OURS, maps, labels, known, 0.2, 4)
    index = int(Fraction("0.2") * 20)
    values = np.sort(maps.swapaxes(0, 1).reshape(2, -1), axis=1)[:, ::-1]
    assert threshold.tolist() == values[:, index].tolist()
    assert Overlap(2, known, 4).rules is count.overlap.rules is OURS
