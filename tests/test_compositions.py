"""Compositional names: patterns and formulas restated slowly, pixel by pixel, and what is planted is found."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from probes import no_layers, random_labels, some_concepts

from dissection import compositions as module
from dissection import patterns as patterns_module
from dissection.artifact import read_csv, write_csv
from dissection.cells import Cells
from dissection.compositions import compositions
from dissection.concepts import Concept, Labels, by_category
from dissection.formulas import (
    AND,
    AND_NOT,
    COLUMNS,
    OPERATORS,
    OR,
    Composition,
    Parts,
    canonical,
    composition_from,
    composition_row,
    formula_text,
)
from dissection.overlap import Overlap, PackedLabels, iou
from dissection.patterns import Patterns
from dissection.watchers import together


class World:
    """Images with labels and masks, collected and kept."""

    def __init__(
        self,
        concepts: list[Concept],
        labels: list[Labels],
        masks: NDArray[np.bool_],
        order: Sequence[int] | None = None,
    ) -> None:
        self.concepts, self.given, self.masks = concepts, labels, masks
        units, size = masks.shape[1], masks.shape[2]
        categories, category_of = by_category(concepts)
        overlap, self.patterns = Overlap(units, concepts, size), Patterns(units, concepts, size)
        for image in range(len(labels)) if order is None else order:
            there = torch.from_numpy(np.flatnonzero(masks[image].any(axis=(1, 2))))
            maps = torch.from_numpy(masks[image]).float()[there]
            packed = PackedLabels.pack(labels[image], size, categories, category_of)
            watcher = self.patterns.of(image)
            overlap.add(packed, there, maps, torch.full((units,), 0.5), watcher=watcher)
        self.iou = iou(
            overlap.intersection.numpy(),
            overlap.activation_area.numpy(),
            overlap.concept_area.numpy(),
            category_of,
        )
        # every pixel on its own: its concepts, its image's categories, the units that are active
        self.pixels = [
            (
                frozenset(int(layer[y, x]) for layer in one.layers) - {-1} | set(one.whole),
                one.categories,
                masks[image, :, y, x],
            )
            for image, one in enumerate(labels)
            for y, x in product(range(size), range(size))
        ]

    def counts(self, parts: Parts, unit: int) -> tuple[int, int, int]:
        """I, A and G of a formula, pixel by pixel."""
        both = active = area = 0
        for here, carried, fires in self.pixels:
            if not all(self.concepts[c].category in carried for _, c in parts):
                continue
            true = holds(parts, here)
            both += bool(fires[unit] and true)
            active += bool(fires[unit])
            area += bool(true)
        return both, active, area

    def ratio(self, parts: Parts, unit: int) -> Fraction:
        both, active, area = self.counts(parts, unit)
        return Fraction(both, active + area - both) if both else Fraction(0)

    def adds(self, parts: Parts) -> bool:
        """Does every concept, new from left to right, change the pixels, and do those before the last one matter?"""
        if len(parts) == 1:
            return True
        both = {concept for _, concept in parts}
        if len(both) < len(parts):
            return False
        there = [
            here
            for here, carried, _ in self.pixels
            if all(self.concepts[c].category in carried for c in both)
        ]
        longer = [holds(parts, here) for here in there]
        return (
            self.adds(parts[:-1])
            and longer != [holds(parts[:-1], here) for here in there]
            and longer != [holds(parts[-1:], here) for here in there]
        )


def world(
    seed: int, *, images: int = 4, units: int = 3, size: int = 4, concepts: int = 4, categories: int = 2
) -> World:
    rng = np.random.default_rng(seed)
    known = some_concepts(concepts, categories)
    labels = [random_labels(rng, known, size) for _ in range(images)]
    return World(known, labels, rng.random((images, units, size, size)) < 0.3)


def holds(parts: Parts, here: frozenset[int]) -> bool:
    """Is a formula true of a pixel with these concepts?"""
    so_far = parts[0][1] in here
    for operator, concept in parts[1:]:
        other = concept in here
        so_far = {AND: so_far and other, OR: so_far or other, AND_NOT: so_far and not other}[operator]
    return so_far


def formulas(concepts: int, length: int) -> Iterator[Parts]:
    """All that grow to the left, with repeated concepts and all."""
    for leaves in product(range(concepts), repeat=length):
        for operators in product((AND, OR, AND_NOT), repeat=length - 1):
            yield ((AND, leaves[0]), *zip(operators, leaves[1:], strict=True))


def told(one: World, found: Composition) -> Parts:
    """A composition's parts as numbers."""
    return tuple(
        (OPERATORS.index(word or "and"), one.concepts.index(concept)) for word, concept in found.parts
    )


def order(ratio: Fraction, parts: Parts) -> tuple[Fraction, int, tuple[int, ...], tuple[int, ...]]:
    return -ratio, len(parts), tuple(c for _, c in parts), tuple(op for op, _ in parts)


@settings(max_examples=30)
@given(seed=st.integers(0, 100_000))
def test_every_count_of_a_found_formula_is_that_of_its_pixels(seed: int) -> None:
    one = world(seed, concepts=5, categories=3)
    for found in compositions(one.patterns.table(), one.concepts, length=3):
        counts = (found.intersection, found.activation_area, found.area)
        if not found.parts:
            assert counts == (0, 0, 0) and found.text == "" and found.iou == found.gain == 0
            assert not one.iou[found.unit].any()
            continue
        parts = told(one, found)
        assert counts == one.counts(parts, found.unit)
        assert found.iou == counts[0] / (counts[1] + counts[2] - counts[0]) > 0
        assert found.gain == found.iou - one.iou[found.unit].max() >= 0
        assert parts == canonical(parts) and found.text == formula_text(parts, one.concepts)


@settings(max_examples=25)
@given(seed=st.integers(0, 100_000), units=st.integers(1, 3), categories=st.integers(1, 3))
def test_a_wide_beam_finds_the_best_of_all_formulas(seed: int, units: int, categories: int) -> None:
    one = world(seed, units=units, categories=categories)
    every = [parts for length in (1, 2) for parts in formulas(4, length) if one.adds(parts)]
    for found in compositions(one.patterns.table(), one.concepts, length=2, beam=1000):
        best = min(every, key=lambda parts: order(one.ratio(parts, found.unit), parts))
        if one.ratio(best, found.unit) == 0:
            assert found.parts == ()
        else:
            assert told(one, found) == best


@pytest.mark.parametrize("seed", range(4))
def test_a_wide_beam_finds_the_best_of_three_concepts(seed: int) -> None:
    one = world(seed, images=3, units=2, size=3, concepts=3)
    every = [parts for length in (1, 2, 3) for parts in formulas(3, length) if one.adds(parts)]
    for found in compositions(one.patterns.table(), one.concepts, beam=1000):
        best = min((one.ratio(parts, found.unit) for parts in every), default=Fraction(0), key=lambda r: -r)
        assert found.iou == float(best)
        ties = {canonical(parts) for parts in every if one.ratio(parts, found.unit) == best}
        if best:
            assert order(best, told(one, found)) == min(order(best, parts) for parts in ties)


def test_one_concept_is_the_plain_name_to_the_last_integer() -> None:
    one = world(11, images=12, units=9, size=6, concepts=7, categories=3)
    for beam in (1, 5):
        found = compositions(one.patterns.table(), one.concepts, length=1, beam=beam)
        assert [c.iou for c in found] == one.iou.max(axis=1).tolist()
        assert [one.concepts.index(c.parts[0][1]) for c in found] == one.iou.argmax(axis=1).tolist()
        assert all(c.gain == 0 and len(c.parts) == 1 for c in found)


def test_longer_formulas_are_never_worse_and_beams_only_help_here() -> None:
    one = world(5, images=10, units=6, size=6, concepts=6)
    table = one.patterns.table()
    found = [[c.iou for c in compositions(table, one.concepts, length=n)] for n in (1, 2, 3, 4)]
    for shorter, longer in pairwise(found):
        assert all(b >= a for a, b in zip(shorter, longer, strict=True))
    assert found[2] != found[0]


def flat(layer: list[list[int]], *, categories: str, whole: tuple[int, ...] = ()) -> Labels:
    return Labels(np.array([layer], np.int32), whole, frozenset(categories.split()))


def test_a_formula_lives_on_images_that_carry_all_of_its_categories() -> None:
    """By hand: 'dog' on both images, 'sunny' only looked for on the first."""
    concepts = [Concept("dog", "object"), Concept("sunny", "weather")]
    labels = [
        flat([[0, 0], [-1, -1]], categories="object weather", whole=(1,)),
        flat([[0, 0], [0, 0]], categories="object"),
    ]
    masks = np.array([[[[1, 1], [1, 0]]], [[[1, 0], [0, 0]]]], bool)
    one = World(concepts, labels, masks)
    single = compositions(one.patterns.table(), concepts, length=1)[0]
    assert (single.text, single.intersection, single.activation_area, single.area) == ("sunny", 3, 3, 4)
    both = compositions(one.patterns.table(), concepts, length=2)[0]
    assert both.text == "sunny" and both.gain == 0
    assert one.counts(((AND, 0), (AND, 1)), 0) == (2, 3, 2)  # all on the first image
    table = one.patterns.table()
    grown = module._grow(table, module._singles(table, 5), 5)[0]
    # there "dog and sunny" holds where "dog" does, and "dog or sunny" where "sunny" does
    assert [(formula_text(g.parts, concepts), g.counts) for g in grown] == [("sunny and not dog", (1, 3, 2))]


def test_planted_units_are_found() -> None:
    rng = np.random.default_rng(0)
    concepts = [Concept(f"thing {c}", "object") for c in range(8)]
    concepts += [Concept(f"color {c}", "color") for c in range(4)]
    images, size = 30, 16
    labels, planted = [], np.zeros((images, 5, size, size), bool)
    for i in range(images):
        things = rng.integers(-1, 8, (4, 4)).repeat(4, axis=0).repeat(4, axis=1).astype(np.int32)
        colors = rng.integers(8, 12, (8, 8)).repeat(2, axis=0).repeat(2, axis=1).astype(np.int32)
        labels.append(Labels(np.stack([things, colors]), (), frozenset({"object", "color"})))
        planted[i, 0] = (things == 5) & (colors != 9)
        planted[i, 1] = (things == 2) | (things == 3)
        planted[i, 2] = ((things == 1) & (colors != 8)) | (things == 6)
        planted[i, 3] = ((things == 1) | (things == 6)) & (colors == 8)
    one = World(concepts, labels, planted)
    table = one.patterns.table()
    found = compositions(table, concepts, beam=20)
    assert [c.text for c in found] == [
        "thing 5 and not color 1",
        "thing 2 or thing 3",
        "thing 6 or (thing 1 and not color 0)",
        "color 0 and (thing 1 or thing 6)",
        "",
    ]
    assert [c.iou for c in found] == [1, 1, 1, 1, 0]
    assert found[0].parts == (("", concepts[5]), ("and not", concepts[9]))
    assert 0 < found[3].gain < 1 and found[3].gain == 1 - one.iou[3].max()
    narrow = compositions(table, concepts, beam=5)
    assert narrow[:2] == found[:2]
    # "thing 1 or thing 6" is not among the five best of two concepts, so what comes of it is not seen
    assert narrow[3].iou < 1 and narrow[3].text == "thing 6 and color 0"


@settings(max_examples=15)
@given(seed=st.integers(0, 100_000))
def test_patterns_restated_slowly(seed: int) -> None:
    one = world(seed, concepts=30, categories=3)  # more than fit one number
    table = one.patterns.table()
    names, category_of = by_category(one.concepts)
    slow: dict[tuple[frozenset[int], frozenset[str]], list[int]] = {}
    for here, carried, fires in one.pixels:
        counts = slow.setdefault((here, carried), [0] * 4)
        counts[0] += 1
        for unit in range(3):
            counts[1 + unit] += bool(fires[unit])
    bits = np.unpackbits(table.there, axis=1, count=len(table.pixels)).T
    assert bits.tolist() == table.labels.toarray()[:, :-1].astype(int).tolist()
    fast = {
        (
            frozenset(np.flatnonzero(row[:30]).tolist()),
            frozenset(names[k] for k in np.flatnonzero(row[30:])),
        ): [int(n) for n in (table.pixels[p], *table.active.toarray()[:, p])]
        for p, row in enumerate(bits)
    }
    assert fast == slow and len(one.patterns) == len(slow) == len(table.pixels)
    assert table.category_of.tolist() == category_of.tolist()


def test_more_concepts_than_one_number_tells_apart() -> None:
    concepts = [Concept(f"thing {c}", "object") for c in range(80)]
    layer = np.arange(81, dtype=np.int32).reshape(1, 9, 9) - 1
    masks = np.zeros((1, 80, 9, 9), bool)
    masks[0] = layer == np.arange(80)[:, None, None]
    one = World(concepts, [Labels(layer, (), frozenset({"object"}))], masks)
    assert len(one.patterns) == 81
    found = compositions(one.patterns.table(), concepts, length=2, beam=1)
    assert [c.text for c in found] == [c.name for c in concepts] and {c.iou for c in found} == {1.0}


def test_layers_and_whole_labels_that_say_the_same_are_one_pattern() -> None:
    concepts = some_concepts(2, 1)
    category = concepts[0].category
    swapped = [
        Labels(np.array([[[0]], [[1]]], np.int32), (), frozenset({category})),
        Labels(np.array([[[1]], [[0]], [[1]]], np.int32), (), frozenset({category})),
        Labels(np.array([[[1]]], np.int32), (0,), frozenset({category})),
        Labels(no_layers(1), (1, 0), frozenset({category})),
    ]
    one = World(concepts, swapped, np.ones((4, 1, 1, 1), bool))
    table = one.patterns.table()
    assert table.pixels.tolist() == [4] and table.active.toarray().tolist() == [[4]]


def same(one: Patterns, other: Patterns, concepts: list[Concept]) -> bool:
    return compositions(one.table(), concepts) == compositions(other.table(), concepts)


def test_the_order_of_images_and_of_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    one = world(3, images=10, units=4, concepts=6, categories=3)
    args = (one.concepts, one.given, one.masks)
    assert same(one.patterns, World(*args, order=[4, 9, 0, 2, 1, 3, 8, 7, 6, 5]).patterns, one.concepts)
    monkeypatch.setattr(patterns_module, "_WAITING", 3)  # adds up all the time
    first, second = (World(*args, order=some).patterns for some in ([7, 1, 3], [0, 2, 9, 8, 4, 5, 6]))
    first.merge(pickle.loads(pickle.dumps(second)))
    first.merge(Patterns(4, one.concepts, 4))
    assert same(one.patterns, first, one.concepts)
    monkeypatch.setattr(patterns_module, "_AT_ONCE", 1)  # one by one
    monkeypatch.setattr(patterns_module, "_BLOCK", 8)
    monkeypatch.setattr(module, "_AT_ONCE", 1)
    assert same(one.patterns, first, one.concepts)


def test_nothing_at_all() -> None:
    concepts = some_concepts(3, 2)
    empty = Patterns(2, concepts, 4)
    for found in compositions(empty.table(), concepts):
        assert (found.text, found.parts, found.iou, found.area) == ("", (), 0, 0)
    # labels that no unit fires on, categories that nobody looked for, images without a label
    labels = [Labels(no_layers(4), (), frozenset()), Labels(no_layers(4), (1,), frozenset({"category 1"}))]
    masks = np.zeros((2, 2, 4, 4), bool)
    masks[0, 1] = True
    one = World(concepts, labels, masks)
    assert [c.text for c in compositions(one.patterns.table(), concepts)] == ["", ""]


def test_formulas_in_words() -> None:
    names = [("sea", "object"), ("water", "object"), ("boat", "object"), ("water", "material")]
    concepts = [Concept(*one) for one in names]
    assert formula_text(((AND, 0),), concepts) == "sea"
    assert formula_text(((AND, 0), (AND_NOT, 2), (OR, 1)), concepts) == "water (object) or (sea and not boat)"
    assert (
        formula_text(((AND, 0), (OR, 3), (AND_NOT, 2)), concepts) == "(sea or water (material)) and not boat"
    )
    four = ((AND, 0), (OR, 2), (AND, 1), (AND_NOT, 3))
    assert formula_text(four, concepts) == "water (object) and (sea or boat) and not water (material)"


def test_orders_that_say_the_same_become_one() -> None:
    assert canonical(((AND, 2), (AND_NOT, 0), (AND, 1))) == ((AND, 1), (AND, 2), (AND_NOT, 0))
    assert canonical(((AND, 2), (OR, 3), (OR, 1))) == ((AND, 1), (OR, 2), (OR, 3))
    assert canonical(((AND, 2), (AND_NOT, 5), (AND_NOT, 1))) == ((AND, 2), (AND_NOT, 1), (AND_NOT, 5))
    assert canonical(((AND, 2), (AND, 1), (OR, 0))) == ((AND, 1), (AND, 2), (OR, 0))
    one = world(2)
    for parts in formulas(4, 3):
        assert one.counts(parts, 0) == one.counts(canonical(parts), 0)


@pytest.mark.parametrize("wrong", [{"length": 0}, {"beam": 0}])
def test_less_than_one_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected at least 1, got 0"):
        compositions(Patterns(1, some_concepts(1, 1), 2).table(), some_concepts(1, 1), **wrong)


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    one = world(4, images=8, units=5, concepts=6, categories=3)
    one.masks[:, 2] = False
    one = World(one.concepts, one.given, one.masks)
    found = compositions(one.patterns.table(), one.concepts)
    assert {len(c.parts) for c in found} >= {0, 3}
    write_csv(tmp_path / "compositions.csv", [composition_row(c) for c in found], columns=COLUMNS)
    assert tuple(composition_from(row) for row in read_csv(tmp_path / "compositions.csv")) == found


def test_several_watch_at_once() -> None:
    one = world(6)
    cells, patterns = Cells(3, one.concepts, 4), Patterns(3, one.concepts, 4)
    overlap = Overlap(3, one.concepts, 4)
    for image, labels in enumerate(one.given):
        packed = PackedLabels.pack(labels, 4, *by_category(one.concepts))
        maps = torch.from_numpy(one.masks[image]).float()
        watcher = together(cells.of(image), None, patterns.of(image))
        overlap.add(packed, torch.arange(3), maps, torch.full((3,), 0.5), watcher=watcher)
    assert same(one.patterns, patterns, one.concepts)
    assert len(cells.masks()[0]) == one.masks.sum()
    assert together(None, None) is None
