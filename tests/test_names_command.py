"""`names` and `to_frame` show formulas where there are some, and nothing in their place where there are none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from probes import Given, MemorySet, dissect_by_iou, giving, random_labels, some_concepts

from dissection.artifact import read_csv
from dissection.names import Names, UnitName
from dissection.result import Dissection
from neuro_explain.cli import run
from neuro_explain.name_view import formulas_of, name_lines


def dissected(compositions: int, **options: object) -> Dissection:
    rng = np.random.default_rng(11)
    known = some_concepts(6, 3)
    labels = [random_labels(rng, known, 8) for _ in range(15)]
    maps = torch.from_numpy(rng.random((15, 9, 2, 4))).float()
    maps[:, 4] = 0  # dead: no label overlaps, so it has no formula either
    given: dict[str, object] = {"label_size": 8, "quantile": 0.1, "compositions": compositions, **options}
    return dissect_by_iou(Given(), "maps", giving(maps), MemorySet(known, labels), **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def composed() -> Dissection:
    found = dissected(2)
    assert sum(len(one.parts) == 2 for one in found.compositions) >= 3
    return found


def test_the_frame_and_the_table_have_a_formula_for_each_unit(composed: Dissection, tmp_path: Path) -> None:
    frame = composed.to_frame()
    assert (frame["formula"].dtype, frame["formula_iou"].dtype) == ("string", "float64")
    rows = read_csv(composed.save(tmp_path / "d") / "units.csv")
    for one, row in zip(composed.compositions, rows, strict=True):
        if not one.text:
            assert frame["formula"].isna()[one.unit] and frame["formula_iou"].isna()[one.unit]
            assert (row["formula"], row["formula_iou"]) == ("", "")
        else:
            assert (frame["formula"][one.unit], frame["formula_iou"][one.unit]) == (one.text, one.iou)
            assert (row["formula"], float(row["formula_iou"])) == (one.text, one.iou)
    assert composed.compositions[4].text == ""


def test_without_formulas_all_is_blank(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = dissected(0)
    frame = plain.to_frame()
    assert (frame["formula"].dtype, frame["formula_iou"].dtype) == ("string", "float64")
    assert frame["formula"].isna().all() and frame["formula_iou"].isna().all()
    folder = plain.save(tmp_path / "d")
    assert run(["names", str(folder)]) == 0
    assert "formula" not in capsys.readouterr().out
    assert run(["names", str(folder), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["formula"], row["formula_iou"]) for row in rows] == [(None, None)] * 9


def test_the_command_prints_formulas_of_several_labels(
    composed: Dissection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = composed.save(tmp_path / "d")
    assert run(["names", str(folder)]) == 0
    lines = {line.split()[1].rstrip(":"): line for line in capsys.readouterr().out.splitlines()[1:]}
    assert run(["names", str(folder), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    for one, row in zip(composed.compositions, rows, strict=True):
        line = lines[str(one.unit)]
        if len(one.parts) > 1:
            assert f"; formula: {one.text}, IoU {one.iou:.3f}" in line
            assert (row["formula"], row["formula_iou"]) == (one.text, one.iou)
        else:  # the formula is the best label itself, or there is none
            assert "formula" not in line and row["formula"] is None


def test_names_from_elsewhere_have_none() -> None:
    names = Names((UnitName(0, None),), None, None, "x.csv", (), None, None, {})
    assert formulas_of(names) == {}
    assert list(name_lines(list(names), formulas_of(names))) == ["unit 0: unnamed"]


@pytest.mark.parametrize("preset", ["netdissect2017", "netdissect-lite"])
def test_where_labels_count_twice_there_is_no_precision_to_show(preset: str, tmp_path: Path) -> None:
    """I counts a pixel twice there and A once: I / A would be no share."""
    found = dissected(0, preset=preset)
    frame = found.to_frame()
    rows = read_csv(found.save(tmp_path / "d") / "units.csv")
    for column in ("precision", "recall", "f1"):
        assert frame[column].dtype == "float64" and frame[column].isna().all()
        assert [row[column] for row in rows] == [""] * 9
    once = dissected(0, preset="dissect2020").to_frame()
    assert once["f1"].notna().any()
