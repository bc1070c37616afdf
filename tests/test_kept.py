"""Kept maps: nothing that matters is lost, memory is bounded, order is kept, disk gives back what it got."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from probes import random_labels, some_concepts

from dissection import kept
from dissection.concepts import by_category
from dissection.kept import KeptBatch, KeptMaps
from dissection.overlap import PackedLabels

CONCEPTS = some_concepts(4, 2)


def batch_of(rng: np.random.Generator, first: int, images: int, maps: int, cells: int = 4) -> KeptBatch:
    labels = [
        PackedLabels.pack(random_labels(rng, CONCEPTS, 3), 3, *by_category(CONCEPTS)) for _ in range(images)
    ]
    return KeptBatch(
        list(range(first, first + images)),
        labels,
        torch.from_numpy(np.sort(rng.integers(0, images, maps)).astype(np.int32)),
        torch.from_numpy(rng.integers(0, 5, maps).astype(np.int32)),
        torch.from_numpy(rng.integers(0, 10, (maps, cells, cells)).astype(np.float32)),
    )


def content(batch: KeptBatch) -> tuple[object, ...]:
    labels = [
        (one.present.tolist(), one.whole, one.categories, one.layers, one.packed) for one in batch.labels
    ]
    return batch.numbers, labels, batch.image.tolist(), batch.unit.tolist(), batch.maps.tolist()


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), budget=st.sampled_from([1, 500, 5_000, 10**9]), count=st.integers(0, 6)
)
def test_what_may_matter_comes_back_in_order_under_any_budget(
    tmp_path_factory: pytest.TempPathFactory, seed: int, budget: int, count: int
) -> None:
    folder = tmp_path_factory.mktemp("kept") / "not yet there"
    rng = np.random.default_rng(seed)
    pile, given_in = KeptMaps(budget, folder), []
    bound = torch.full((5,), -torch.inf)
    for number in range(count):
        bound = torch.maximum(bound, torch.from_numpy(rng.integers(0, 5, 5).astype(np.float32)))
        batch = batch_of(rng, 3 * number, 3, int(rng.integers(0, 20)))
        given_in.append(batch)
        pile.add(batch, bound)
    final = torch.maximum(bound, torch.full((5,), 3.0))
    # Whatever was pruned lies below a bound that never falls, so after the last cut nothing is missing.
    assert [content(b.above(final)) for b in pile] == [content(b.above(final)) for b in given_in]
    assert [content(b.above(final)) for b in pile] == [
        content(b.above(final)) for b in given_in
    ]  # a second time
    assert folder.exists() == (pile.spilled_bytes > 0)
    if folder.exists():
        assert sum(f.stat().st_size for f in folder.iterdir()) == pile.spilled_bytes


def test_above_drops_the_maps_that_nowhere_exceed_the_bound() -> None:
    maps = torch.tensor([[[1.0, 2.0]], [[2.0, 2.0]], [[-1.0, -3.0]]])
    batch = KeptBatch([7, 9], [], torch.tensor([0, 0, 1]).int(), torch.tensor([0, 1, 2]).int(), maps)
    cut = batch.above(torch.tensor([1.5, 2.0, -2.0]))  # unit 1 only reaches its bound
    assert cut.unit.tolist() == [0, 2]
    assert cut.image.tolist() == [0, 1]
    assert cut.maps.tolist() == [[[1.0, 2.0]], [[-1.0, -3.0]]]
    assert cut.numbers == [7, 9]


def test_memory_stays_within_the_budget(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    one = batch_of(rng, 0, 2, 50).nbytes
    budget = 4 * one
    pile = KeptMaps(budget, tmp_path)
    for number in range(40):
        pile.add(batch_of(rng, 2 * number, 2, 50), torch.full((5,), -torch.inf))
        assert sum(b.nbytes for b in pile._batches) <= budget
        assert pile._bytes == sum(b.nbytes for b in pile._batches)
    assert len(list(tmp_path.iterdir())) > 1
    assert sum(len(b.unit) for b in pile) == 40 * 50


def test_pruning_saves_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_FIRST_PRUNE", 2_000)
    rng = np.random.default_rng(0)
    pile = KeptMaps(200_000, tmp_path)
    for number in range(60):
        pile.add(batch_of(rng, number, 1, 50), torch.full((5,), 9.0))  # no map exceeds the bound
    # What is left is one batch's maps and everybody's labels.
    assert sum(len(b.unit) for b in pile) <= 50 * 12
    assert pile.spilled_bytes == 0
    assert sum(len(b.labels) for b in pile) == 60


def test_nbytes_counts_maps_and_labels() -> None:
    batch = batch_of(np.random.default_rng(3), 0, 3, 10)
    labels = sum(len(one.packed) + one.present.nbytes for one in batch.labels)
    assert batch.nbytes == 10 * (4 + 4 + 16 * 4) + labels


def test_a_full_disk_is_not_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept.np, "save", full)
    pile = KeptMaps(1, tmp_path)
    with pytest.raises(OSError, match="No space left"):
        pile.add(batch_of(np.random.default_rng(0), 0, 1, 5), torch.zeros(5))
