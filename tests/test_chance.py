"""Names and chance: the null restated slowly, its calibration over seeds, what is planted is found."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from probes import MemorySet, no_layers, random_labels, some_concepts
from scipy.stats import false_discovery_control

from dissection.cells import Cells
from dissection.chance import _Meeting, false_discovery_rate, pooled_p, significance
from dissection.concepts import Concept, Labels, by_category, source_of
from dissection.overlap import Overlap, PackedLabels, iou
from dissection.readers import Union, WithColors
from dissection.readers.merged import Merged
from dissection.readers.subset import Subset
from dissection.work import Work

SIZE = 8  # up to as many pixels as cells: then nothing is coarse


class World:
    """Images with labels and masks, counted."""

    def __init__(
        self,
        concepts: list[Concept],
        labels: list[Labels],
        masks: NDArray[np.bool_],
        order: list[int] | None = None,
    ) -> None:
        self.concepts, self.given, self.masks = concepts, labels, masks
        units, size = masks.shape[1], masks.shape[2]
        self.categories, self.category_of = by_category(concepts)
        self.packed = [PackedLabels.pack(one, size, self.categories, self.category_of) for one in labels]
        overlap, self.cells = Overlap(units, concepts, size), Cells(units, concepts, size)
        for image in order or range(len(labels)):
            there = torch.from_numpy(np.flatnonzero(masks[image].any(axis=(1, 2))))
            # a map of its own size that exceeds 0.5 where the mask is
            maps = torch.from_numpy(masks[image]).float()[there]
            overlap.add(
                self.packed[image], there, maps, torch.full((units,), 0.5), watcher=self.cells.of(image)
            )
        self.iou = iou(
            overlap.intersection.numpy(),
            overlap.activation_area.numpy(),
            overlap.concept_area.numpy(),
            self.category_of,
        )

    def slow_ious(self, to: NDArray[np.int64]) -> NDArray[np.float64]:
        """Where image i's masks meet the labels of image `to[i]`."""
        units, concepts, size = self.masks.shape[1], len(self.concepts), self.masks.shape[2]
        found = np.zeros((units, concepts))
        for c, concept in enumerate(self.concepts):
            covered = np.stack([(one.layers == c).any(axis=0) | (c in one.whole) for one in self.given])
            covered = np.broadcast_to(covered, (len(self.given), size, size))
            carried = np.array([concept.category in one.categories for one in self.given])
            for k in range(units):
                both = sum(int((self.masks[i, k] & covered[to[i]]).sum()) for i in range(len(to)))
                union = int(self.masks[carried, k].sum()) + int(covered.sum()) - both
                found[k, c] = both / union if union else 0.0
        return found


def world(seed: int, images: int = 12, units: int = 5, size: int = SIZE, share: float = 0.2) -> World:
    rng = np.random.default_rng(seed)
    concepts = some_concepts(6, 3)
    labels = [random_labels(rng, concepts, size) for _ in range(images)]
    return World(concepts, labels, rng.random((images, units, size, size)) < share)


def all_ious(meeting: _Meeting, to: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.concatenate([block.ious(to) for block in meeting.blocks()])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), blocks=st.sampled_from([1, 10_000]))
def test_masks_meet_the_labels_of_other_images(seed: int, blocks: int) -> None:
    one = world(seed)
    meeting, rng = _Meeting(one.cells), np.random.default_rng(seed)
    one.cells.rows_at_once = blocks
    assert len(list(meeting.blocks())) == (5 if blocks == 1 else 1)
    assert np.allclose(all_ious(meeting, np.arange(12)), one.iou, atol=1e-6)
    for places in meeting.sources:
        assert len({one.given[i].categories for i in places}) == 1
    assert sorted(np.concatenate(meeting.sources)) == list(range(12))
    to = meeting.exchange(rng)
    for places in meeting.sources:
        assert set(to[places]) == set(places)
    assert np.allclose(all_ious(meeting, to), one.slow_ious(to), atol=1e-6)


def ways(one: World, unit: int) -> int:
    """How many different images' labels the images that the unit fires on can be given, in order."""
    count = 1
    best = one.concepts[int(one.iou[unit].argmax())]
    for categories in {labels.categories for labels in one.given if best.category in labels.categories}:
        members = [i for i, labels in enumerate(one.given) if labels.categories == categories]
        fires = [i for i in members if one.masks[i, unit].any()]
        count *= len(list(permutations(range(len(members)), len(fires))))
    return count


def test_a_unit_that_fires_on_few_images_has_few_ways_to_meet_labels() -> None:
    """Unit 0 is right on the one image where it fires, unit 1 on two, unit 2 on the only image of a source."""
    concepts = [Concept("thing", "object"), Concept("other", "object"), Concept("red", "color")]
    labels, masks = [], np.zeros((10, 4, SIZE, SIZE), bool)
    for i in range(10):
        layer = np.full((1, SIZE, SIZE), int(i > 1), np.int32)
        if i == 0:
            layer[0, :4] = 1
        there = {"object", "color"} if i == 9 else {"object"}
        labels.append(Labels(layer, (2,) if i == 9 else (), frozenset(there)))
    masks[0, 0] = masks[0, 1] = labels[0].layers[0] == 0
    masks[1, 1] = True
    masks[9, 2] = True
    masks[:, 3, 0] = True
    one = World(concepts, labels, masks)
    found = significance(one.cells, one.iou, permutations=200)
    assert [ways(one, unit) for unit in range(4)] == [9, 9 * 8, 1, 362_880]
    assert found.p[0] > 0.11 and 0.05 > found.p[1] > 0.0138 and found.p[2] == 1
    assert one.iou[1, 0] == 1  # as good as can be
    # what could be reached at best is said: by unit 3, 1 of all values of the null
    assert found.smallest_q == pytest.approx(4 / 801)
    alone = World(concepts, labels, masks[:, :1])
    assert significance(alone.cells, alone.iou, permutations=200).smallest_q == pytest.approx(1 / 9)


def test_images_without_the_category_of_the_best_label_do_not_count_as_ways() -> None:
    """The unit is right on one of ten images with objects; that it fires on textures too says nothing of objects."""
    concepts = [Concept("thing", "object"), Concept("other", "object"), Concept("dotted", "texture")]
    masks = np.zeros((20, 2, SIZE, SIZE), bool)
    labels = []
    for i in range(10):
        layer = np.full((1, SIZE, SIZE), int(i > 0), np.int32)
        labels.append(Labels(layer, (), frozenset({"object"})))
    labels += [Labels(no_layers(SIZE), (2,), frozenset({"texture"}))] * 10
    masks[0, :] = True
    masks[10:, 1, 0, 0] = True
    one = World(concepts, labels, masks)
    assert one.iou[:, 0].tolist() == [1, 1]
    found = significance(one.cells, one.iou, permutations=200)
    assert found.p[0] == pytest.approx(found.p[1]) and found.p[1] >= 0.1


def test_labels_are_exchanged_within_each_of_several_joined_sets() -> None:
    """Both sets carry objects alone, so nothing else tells them apart."""
    rng = np.random.default_rng(2)
    known = [Concept("thing", "object"), Concept("other", "object")]
    layers = [rng.integers(0, 2, (1, SIZE, SIZE)).astype(np.int32) for _ in range(6)]
    labels = [Labels(layer, (), frozenset({"object"})) for layer in layers]
    first, second = MemorySet(known, labels[:4]), MemorySet(known, labels[4:])
    joined = Union([first, second], ["one", "other"])
    for dataset in (joined, WithColors(joined), Subset(joined, range(6)), Merged(joined, [])):
        assert [source_of(dataset, i) for i in range(6)] == [0, 0, 0, 0, 1, 1]
    work = Work(
        torch.nn.Identity(), ("",), lambda _: torch.zeros(3, 2, 2), joined, 0.1, SIZE, 0, 4, 1, chance=True
    )
    cells, overlap = Cells(1, known, SIZE), Overlap(1, known, SIZE)
    for i in range(6):
        packed = work.pack(i)
        assert packed is not None
        maps = torch.ones(1, SIZE, SIZE)
        overlap.add(packed, torch.arange(1), maps, torch.zeros(1), watcher=cells.of(i))
    assert [places.tolist() for places in cells.sources()] == [[0, 1, 2, 3], [4, 5]]


def test_one_draw_that_stands_out_of_a_flat_null_does_not_rule_the_pool() -> None:
    rng = np.random.default_rng(0)
    null = rng.normal(0.1, 0.01, (100, 50))
    null[:, 25:] = 0
    null[0, 25:] = 0.005  # once something, else nothing
    observed = np.concatenate([np.full(25, 0.4), np.zeros(25)])
    p, least = pooled_p(observed, null, np.ones(50, bool))
    assert (p[:25] == least).all()


def test_the_whole_restated_slowly() -> None:
    one = world(3)
    found = significance(one.cells, one.iou, permutations=20, seed=7)
    rng = np.random.default_rng(7)
    sources = one.cells.sources()
    null = []
    for _ in range(20):
        to = np.arange(12)
        for places in sources:
            to[places] = rng.permutation(places)
        null.append(one.slow_ious(to).max(axis=1))
    pool = []
    for unit in range(5):
        values = [row[unit] for row in null]
        for at, value in enumerate(values):
            others = values[:at] + values[at + 1 :]
            pool.append((value - np.mean(others)) / np.std(others, ddof=1))
    for unit in range(5):
        values = [row[unit] for row in null]
        z = (one.iou[unit].max() - np.mean(values)) / np.std(values, ddof=1)
        as_large = sum(value >= z - 1e-6 for value in pool)
        wanted = max((1 + as_large) / 101, 1 / ways(one, unit))
        assert found.p[unit] == pytest.approx(wanted, abs=0.011)
    assert found.error < 1e-6 and found.smallest_q == pytest.approx(5 / 101)
    assert found.q.tolist() == pytest.approx(false_discovery_control(found.p).tolist())


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_false_discovery_rates_are_scipys(p: list[float]) -> None:
    assert np.allclose(false_discovery_rate(np.array(p)), false_discovery_control(p), atol=1e-12)


def test_units_that_are_nowhere_active_are_not_tested() -> None:
    one = world(1)
    one.masks[:, 2] = False
    other = World(one.concepts, one.given, one.masks)
    found = significance(other.cells, other.iou, permutations=10)
    assert found.p[2] == found.q[2] == 1 and found.low[2] == found.high[2] == 0
    assert found.smallest_q == pytest.approx(4 / 41)
    nothing = World(one.concepts, one.given, np.zeros_like(one.masks))
    assert (significance(nothing.cells, nothing.iou, permutations=4).q == 1).all()


def test_the_order_of_images_and_of_parts_changes_nothing() -> None:
    one = world(5)
    rng = np.random.default_rng(0)
    shuffled = World(one.concepts, one.given, one.masks, order=rng.permutation(12).tolist())
    parts = [
        World(one.concepts, one.given, one.masks, order=some).cells
        for some in ([7, 8, 9, 10, 11], [0, 6, 5, 4, 3, 2, 1])
    ]
    parts[0].merge(parts[1])
    wanted = significance(one.cells, one.iou, permutations=5)
    for cells in (shuffled.cells, parts[0]):
        found = significance(cells, one.iou, permutations=5)
        for name in ("p", "q", "low", "high"):
            assert getattr(found, name).tolist() == getattr(wanted, name).tolist()


def test_fewer_than_two_exchanges_are_refused() -> None:
    one = world(5)
    with pytest.raises(ValueError, match="permutations: expected at least 2, got 1"):
        significance(one.cells, one.iou, permutations=1)


def test_intervals_are_those_of_images_drawn_again() -> None:
    one = world(9, images=40)
    found = significance(one.cells, one.iou, permutations=2, seed=1)
    rng, best = np.random.default_rng(0), one.iou.argmax(axis=1)
    drawn = []
    for _ in range(300):
        some = rng.integers(0, 40, 40)
        again = World(one.concepts, [one.given[i] for i in some], one.masks[some])
        drawn.append(again.iou[np.arange(5), best])
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    true = one.iou[np.arange(5), best]
    assert (found.low <= true).all() and (true <= found.high).all()
    assert np.allclose(found.low, low, atol=0.25 * (high - low).max())
    assert np.allclose(found.high, high, atol=0.25 * (high - low).max())


def clumps(seed: int, images: int, units: int, planted: int = 0) -> World:
    """Things in boxes on 28 × 28 pixels; units that fire in boxes anywhere, the planted ones where their thing is."""
    rng, size, kinds = np.random.default_rng(seed), 28, 12
    concepts = [Concept(f"thing {c}", "object") for c in range(kinds)]
    labels, masks = [], np.zeros((images, units, size, size), bool)
    for i in range(images):
        layer = np.full((1, size, size), -1, np.int32)
        where = {}
        for c in rng.choice(kinds, 3, replace=False).tolist():
            y, x = rng.integers(0, size - 8, 2)
            layer[0, y : y + 8, x : x + 8] = c
            where[c] = (y, x)
        labels.append(Labels(layer, (), frozenset({"object"})))
        for k in range(units):
            if k < planted:
                if k % kinds in where:
                    y, x = where[k % kinds]
                    masks[i, k, y + 1 : y + 7, x + 1 : x + 7] = True
            elif rng.random() < 0.08:
                y, x = rng.integers(0, size - 6, 2)
                masks[i, k, y : y + 6, x : x + 6] = True
    return World(concepts, labels, masks)


@pytest.mark.slow
def test_what_is_planted_is_found_and_noise_is_not() -> None:
    """Twenty worlds of 12 planted units among 120 that fire anywhere."""
    found, false = 0, []
    for seed in range(20):
        one = clumps(seed, images=60, units=132, planted=12)
        q = significance(one.cells, one.iou, permutations=50, seed=seed).q
        named = np.flatnonzero(q <= 0.05)
        found += int((named < 12).sum())
        false.append((named >= 12).mean() if len(named) else 0.0)
    assert found >= 0.95 * 20 * 12
    assert np.mean(false) <= 0.05 + 2 * np.std(false) / np.sqrt(20)


@pytest.mark.slow
def test_a_world_of_noise_has_no_names() -> None:
    """A discovery among nothing but noise is always false: at q = 0.05 it may happen in 5 worlds of a hundred."""
    with_names = 0
    for seed in range(40):
        one = clumps(1000 + seed, images=50, units=100)
        with_names += bool((significance(one.cells, one.iou, permutations=50, seed=seed).q <= 0.05).any())
    assert with_names <= 6  # 40 draws at 5 %: more than 6 come in one of 300 tries
    assert clumps(1000, images=50, units=100).iou.max() > 0.05  # a rule of IoU alone would name some


@pytest.mark.parametrize("count", [2, 3, 50])
def test_p_values_are_uniform_without_an_effect(count: int) -> None:
    rng = np.random.default_rng(0)
    # the mean of the units' own values differs, and their spread
    scale, shift = rng.random(2000) + 0.1, rng.random(2000)
    values = rng.gumbel(size=(count + 1, 2000)) * scale + shift
    p, smallest = pooled_p(values[0], values[1:], np.ones(2000, bool))
    assert smallest == 1 / (1 + 2000 * count) and p.min() >= smallest
    if count > 3:
        for level in (0.01, 0.05, 0.5):
            assert (p <= level).mean() == pytest.approx(level, abs=4 * np.sqrt(level / 2000))
