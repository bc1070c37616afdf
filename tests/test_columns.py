"""Rows that wait, lie in memory or on disk, and are read for some units: the same as a sorted list of all."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from test_chance import World, world

from dissection.cells import Cells
from dissection.chance import significance
from dissection.columns import ByUnit, Shelf

UNITS = 7


def filled(shelf: Shelf, waiting: int, rows: list[tuple[int, ...]]) -> ByUnit:
    kept = ByUnit(UNITS, shelf, waiting)
    for image in dict.fromkeys(row[0] for row in rows):
        mine = np.array([row[1:] for row in rows if row[0] == image])
        kept.add(image, *mine.T)
    return kept


@pytest.mark.parametrize("waiting", [0, 2000, 1 << 20])
@pytest.mark.parametrize("on_disk", [False, True])
def test_rows_come_back_by_unit_and_image(tmp_path: Path, on_disk: bool, waiting: int) -> None:
    rng, path = np.random.default_rng(0), tmp_path / "new" / "rows.bin"
    order = rng.permutation(40).tolist()
    rows = [
        (image * 30, int(unit), int(cell), int(rng.integers(1, 70_000)))
        for image in order
        for unit in rng.permutation(UNITS)[:4]
        for cell in range(int(rng.integers(0, 3)))
        if unit != 3
    ]
    kept = filled(Shelf(0 if on_disk else 1 << 30, path), waiting, rows[:100])
    other = filled(Shelf(1 << 30), waiting, [row for row in rows if row not in rows[:100]])
    kept.merge(pickle.loads(pickle.dumps(other)))
    assert path.exists() == on_disk
    wanted = sorted(rows, key=lambda row: (row[1], row[0], row[2]))
    assert kept.counts().tolist() == [sum(row[1] == unit for row in rows) for unit in range(UNITS)]
    for first, end in ((0, UNITS), (2, 5), (3, 4), (6, 7)):
        unit, columns = kept.read(first, end)
        found = list(
            zip(columns[0].tolist(), unit.tolist(), *(one.tolist() for one in columns[1:]), strict=True)
        )
        assert found == [row for row in wanted if first <= row[1] < end]


def test_nothing_kept_is_nothing_read() -> None:
    unit, columns = ByUnit(UNITS, Shelf(0), 0).read(0, UNITS)
    assert len(unit) == 0 and columns == ()


@pytest.mark.parametrize("rows_at_once", [1, 300])
def test_where_things_lie_changes_nothing_that_chance_says(tmp_path: Path, rows_at_once: int) -> None:
    one: World = world(11, images=20)
    wanted = significance(one.cells, one.iou, permutations=8, seed=2)
    cells = Cells(one.cells.units, one.concepts, one.cells.size, budget=0, folder=tmp_path)
    cells.merge(one.cells)
    cells.rows_at_once = rows_at_once
    assert (tmp_path / "cells.bin").stat().st_size > 1000 and len(list(cells.blocks())) > 1
    found = significance(cells, one.iou, permutations=8, seed=2)
    for name in ("p", "q", "low", "high"):
        assert getattr(found, name).tolist() == getattr(wanted, name).tolist()
    assert (found.error, found.smallest_q) == (wanted.error, wanted.smallest_q)
    assert [path.name for path in tmp_path.iterdir()] == ["cells.bin"]
