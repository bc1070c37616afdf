"""What speaks for a name and against it, against a slow count over pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from probes import random_labels, some_concepts

from dissection.cells import Cells
from dissection.concepts import NO_LABEL, Concept, Labels, by_category
from dissection.overlap import Overlap, PackedLabels, iou
from dissection.witnesses import Witness, witnesses

SIZE = 30  # more than there are cells, and no multiple: what is counted is exact all the same


def counted(
    known: list[Concept], labels: list[Labels], maps: torch.Tensor, numbers: list[int]
) -> tuple[Cells, np.ndarray]:
    """Counts images `[N]` whose maps `[N, U, S, S]` are above 0 where a unit is active."""
    units = maps.shape[1]
    cells = Cells(units, known, SIZE)
    overlap = Overlap(units, known, SIZE)
    for number, one, above in zip(numbers, labels, maps, strict=True):
        packed = PackedLabels.pack(one, SIZE, *by_category(known))
        overlap.add(packed, torch.arange(units), above, torch.zeros(units), watcher=cells.of(number))
    ious = iou(
        overlap.intersection.numpy(),
        overlap.activation_area.numpy(),
        overlap.concept_area.numpy(),
        overlap.category_of.numpy(),
    )
    return cells, ious


def slowly(
    known: list[Concept], labels: list[Labels], maps: torch.Tensor, numbers: list[int], ious: np.ndarray
) -> dict[int, list[tuple[str, int, int, int]]]:
    found: dict[int, list[tuple[str, int, int, int]]] = {}
    for unit in range(maps.shape[1]):
        best = int(ious[unit].argmax())
        rows = []
        for number, one, above in zip(numbers, labels, maps, strict=True):
            mask = above[unit].numpy() > 0
            there = (one.layers == best).any(axis=0) if best not in one.whole else np.ones((SIZE, SIZE), bool)
            looked_for = known[best].category in one.categories
            rows.append((number, int(mask.sum()), int((mask & there).sum()), looked_for))
        on = sorted((r for r in rows if 0 < r[2] >= r[1] - r[2]), key=lambda r: (-r[2], r[0]))[:2]
        off = sorted((r for r in rows if r[1] - r[2] > r[2] and r[3]), key=lambda r: (-(r[1] - r[2]), r[0]))[
            :2
        ]
        found[unit] = [("for", *r[:3]) for r in on] + [("against", *r[:3]) for r in off]
    return found


def told(found: list[Witness]) -> dict[int, list[tuple[str, int, int, int]]]:
    of: dict[int, list[tuple[str, int, int, int]]] = {}
    for one in found:
        mine = of.setdefault(one.unit, [])
        assert one.rank == len(mine)
        mine.append((one.kind, one.image, one.active, one.labelled))
    return of


@pytest.mark.parametrize("seed", range(8))
def test_they_are_those_that_a_count_over_pixels_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    known = some_concepts(6, 3)
    labels = [random_labels(rng, known, SIZE) for _ in range(12)]
    numbers = sorted(rng.choice(50, 12, replace=False).tolist())
    maps = torch.from_numpy(rng.random((12, 7, SIZE, SIZE)) - 0.9).float()
    maps[:, 3] = -1  # never fires
    cells, ious = counted(known, labels, maps, numbers)
    expected = slowly(known, labels, maps, numbers, ious)
    found = told(witnesses(cells, ious.argmax(1), range(7)))
    assert found == {unit: rows for unit, rows in expected.items() if rows}
    assert 3 not in found and any(kind == "against" for rows in found.values() for kind, *_ in rows)
    assert told(witnesses(cells, ious.argmax(1), [5, 2])) == {unit: expected[unit] for unit in (5, 2)}


def test_the_mask_is_shown_where_the_unit_fires() -> None:
    known = [Concept("cat", "object")]
    layer = np.full((1, SIZE, SIZE), NO_LABEL, np.int32)
    layer[0, :15] = 0
    maps = torch.full((1, 1, SIZE, SIZE), -1.0)
    maps[0, 0, 3:20, 4:9] = 1
    cells, ious = counted(known, [Labels(layer, (), frozenset({"object"}))], maps, [9])
    (only,) = witnesses(cells, ious.argmax(1), [0])
    assert (only.kind, only.image, only.active, only.labelled) == ("for", 9, 85, 60)
    rows, columns = (only.above > 0).nonzero(as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (1, 8, 2, 3)


def test_an_image_on_which_nobody_looked_for_the_label_is_not_held_against_it() -> None:
    known = [Concept("cat", "object"), Concept("red", "color")]
    cat = np.zeros((1, SIZE, SIZE), np.int32)
    labels = [Labels(cat, (), frozenset({"object"})), Labels(cat + 1, (), frozenset({"color"}))]
    maps = torch.full((2, 1, SIZE, SIZE), -1.0)
    maps[0, 0, :20] = 1
    maps[1, 0, 0] = 1
    cells, ious = counted(known, labels, maps, [0, 1])
    assert ious[0].argmax() == 0
    assert [one.kind for one in witnesses(cells, ious.argmax(1), [0])] == ["for"]


def test_nothing_counted_no_witness() -> None:
    assert witnesses(Cells(2, [], SIZE), np.zeros(2, np.int64), [0, 1]) == []


def test_stripes_beside_the_label_do_not_speak_for_it() -> None:
    """Mask and label share every coarse cell and no pixel."""
    known = [Concept("cat", "object")]
    layer = np.full((1, SIZE, SIZE), NO_LABEL, np.int32)
    layer[0, ::2] = 0
    maps = torch.full((2, 1, SIZE, SIZE), -1.0)
    maps[0, 0, 1::2, :10] = 1
    maps[1, 0, ::2, :3] = 1
    labels = [Labels(layer, (), frozenset({"object"}))] * 2
    cells, ious = counted(known, labels, maps, [0, 1])
    found = told(witnesses(cells, ious.argmax(1), [0]))
    assert found == {0: [("for", 1, 45, 45), ("against", 0, 150, 0)]}
