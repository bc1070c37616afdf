"""NetDissect's result CSV: the published files, the way there and back, and files that are none."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from probes import Given, MemorySet, dissect_by_iou, giving, random_labels

from dissection.artifact import ArtifactError
from dissection.concepts import Concept
from dissection.names import Names, name_units
from dissection.netdissect_csv import read_netdissect_csv, write_netdissect_csv
from dissection.overlap import iou
from dissection.presets import PRESETS, best_labels
from dissection.result import Dissection

FIELDS = ("label", "truth", "activation", "intersect", "iou")
CATEGORIES = ("object", "scene", "color")
KNOWN = [
    Concept("bed", "object"),
    Concept("bed", "scene"),
    Concept("red", "color"),
    Concept('wheel, of "a" car', "object"),
    Concept("<b>🛏️", "scene"),
    Concept("kitchen", "scene"),
]


def small(units: int = 12, min_iou: float = 0.05) -> Dissection:
    rng = np.random.default_rng(3)
    labels = [random_labels(rng, KNOWN, 4) for _ in range(10)]
    maps = torch.from_numpy(rng.integers(0, 50, (10, units, 2, 2)).astype(np.float32))
    maps[:, 2] = 0
    return dissect_by_iou(
        Given(), "maps", giving(maps), MemorySet(KNOWN, labels), label_size=4, quantile=0.2, min_iou=min_iou
    )


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_written_table_reads_back_as_the_same_names(tmp_path: Path) -> None:
    result = small(min_iou=0.1)
    assert 0 < result.named < len(result)
    write_netdissect_csv(result, tmp_path / "result.csv")
    names = read_netdissect_csv(tmp_path / "result.csv", min_iou=0.1)
    assert type(names) is Names
    assert len(names) == len(result)
    for name, original in zip(names, result, strict=True):
        assert (name.unit, name.concept, name.best) == (original.unit, original.concept, original.best)
        assert name.iou == original.iou
        # The table holds the best label of each category, so its runner-up is that of another category.
        ious = result.iou[name.unit]
        rivals = {
            category: max(ious[c] for c, concept in enumerate(KNOWN) if concept.category == category)
            for category in CATEGORIES
            if name.best is not None and category != name.best.category
        }
        best = max(rivals.values(), default=0.0)
        assert name.runner_up_iou == (best if best > 0 else None)
        assert name.runner_up is None or ious[KNOWN.index(name.runner_up)] == best
        assert (name.threshold, name.note) == (None, "")
    assert (names.layer, names.fingerprint, names.quantile, names.concept_sets) == (None, None, None, ())
    assert (names.source, names.min_iou, dict(names.exemplars)) == ("result.csv", 0.1, {})


def test_the_cells_are_the_counts_of_each_category_s_best_label(tmp_path: Path) -> None:
    result = small()
    write_netdissect_csv(result, tmp_path / "result.csv")
    rows = rows_of(tmp_path / "result.csv")
    assert list(rows[0]) == [
        *("unit", "category", "label", "score"),
        *(f"{category}-{field}" for category in CATEGORIES for field in FIELDS),
    ]
    assert sorted(int(row["unit"]) for row in rows) == list(range(1, 13))
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    suffix = {"object": "", "scene": "-s", "color": "-c"}
    for row in rows:
        unit = int(row["unit"]) - 1
        for k, category in enumerate(CATEGORIES):
            members = [c for c, concept in enumerate(KNOWN) if concept.category == category]
            best = max(members, key=lambda c: (result.iou[unit, c], -c))
            assert row[f"{category}-label"] == KNOWN[best].name + suffix[category]
            assert int(row[f"{category}-truth"]) == result.concept_area[best]
            assert float(row[f"{category}-activation"]) == result.activation_area[unit, k]
            assert int(row[f"{category}-intersect"]) == result.intersection[unit, best]
            assert float(row[f"{category}-iou"]) == result.iou[unit, best]
        assert float(row["score"]) == max(result.iou[unit])
        if result[unit].best is not None:
            assert row["category"] == result[unit].best.category
            assert row["label"] == result[unit].best.name + suffix[row["category"]]


def test_ties_between_categories_go_to_the_smaller_concept_number(tmp_path: Path) -> None:
    base = small()
    # Object 3 and scene 1 overlap the same; the object's category comes first, the scene's number is smaller.
    intersection = np.zeros_like(base.intersection)
    intersection[:, [3, 1]] = 7
    area, labelled = np.full_like(base.activation_area, 10), np.full_like(base.concept_area, 10)
    changed = dataclasses.replace(
        base, intersection=intersection, activation_area=area, concept_area=labelled
    )
    units = name_units(changed.iou, KNOWN, changed.threshold, changed.peak)
    result = dataclasses.replace(changed, units=units)
    write_netdissect_csv(result, tmp_path / "r.csv")
    assert {(row["category"], row["label"]) for row in rows_of(tmp_path / "r.csv")} == {("scene", "bed-s")}
    assert read_netdissect_csv(tmp_path / "r.csv").units[0].best == result[0].best == Concept("bed", "scene")


def test_a_unit_without_overlap_stays_without_a_label(tmp_path: Path) -> None:
    result = small()
    assert result[2].note == "dead"
    write_netdissect_csv(result, tmp_path / "r.csv")
    for min_iou in (0.0, 0.05):
        name = read_netdissect_csv(tmp_path / "r.csv", min_iou=min_iou)[2]
        assert (name.concept, name.best, name.iou, name.runner_up, name.margin) == (None,) * 5


def test_pandas_reads_the_table(tmp_path: Path) -> None:
    write_netdissect_csv(small(), tmp_path / "r.csv")
    frame = pd.read_csv(tmp_path / "r.csv")
    assert len(frame) == 12
    for category in CATEGORIES:
        union = frame[f"{category}-truth"] + frame[f"{category}-activation"] - frame[f"{category}-intersect"]
        expected = (frame[f"{category}-intersect"] / union).fillna(0)
        np.testing.assert_allclose(frame[f"{category}-iou"], expected, rtol=1e-15)


HEADER = "unit,category,label,score,object-label,object-truth,object-activation,object-intersect,object-iou"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a NetDissect result CSV.*got none"),
        ("a,b\n1,2\n", "not a NetDissect result CSV.*got a, b"),
        (HEADER + "\n", "expected the units 1 to 1, each once"),
        (HEADER + "\n2,object,bed,0.5,bed,1,1,1,0.5\n", "expected the units 1 to 1"),
        (HEADER + "\n0,object,bed,0.5,bed,1,1,1,0.5\n", "expected the units 1 to 1"),
        (
            HEADER + "\n1,object,bed,0.5,bed,1,1,1,0.5\n1,object,bed,0.5,bed,1,1,1,0.5\n",
            "line 3: unit 1.*twice",
        ),
        (HEADER + "\none,object,bed,0.5,bed,1,1,1,0.5\n", "line 2: not a unit's numbers"),
        (HEADER + "\n1,object,bed,much,bed,1,1,1,0.5\n", "line 2: not a unit's numbers"),
        (HEADER + "\n1,object,bed,nan,bed,1,1,1,0.5\n", "line 2: .*IoU from 0 to 1 .*, got nan"),
        (HEADER + "\n1,object,bed,inf,bed,1,1,1,0.5\n", "line 2: .*IoU from 0 to 1 .*, got inf"),
        (HEADER + "\n1,object,bed,-0.1,bed,1,1,1,0.5\n", "line 2: .*IoU from 0 to 1 .*, got -0.1"),
        (HEADER + "\n1,object,bed,0.5,bed,1,1,1,2.5\n", "line 2: .*IoU from 0 to 1 .*, got 2.5"),
        (HEADER + "\n1,object,bed,0.5,bed,1,1,1,\n", "line 2: not a unit's numbers"),
        (HEADER + "\n1,object,bed,0.5\n", "line 2: expected 9 cells"),
        (HEADER + "\n1,object,bed,0.5,bed,1,1,1,0.5,more\n", "line 2: expected 9 cells"),
        ("unit,score,category,label\n1,0.5\n", "line 2: expected 4 cells"),
        ("unit,category,label,score,object-label\n1,object,bed,0.5,bed\n", "object-iou"),
    ],
)
def test_files_that_are_no_such_table(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(ArtifactError, match=message) as caught:
        read_netdissect_csv(path)
    assert "bad.csv" in str(caught.value) and "\n" not in str(caught.value)


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"absent\.csv cannot be read as a NetDissect result CSV"):
        read_netdissect_csv(tmp_path / "absent.csv")
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_netdissect_csv(tmp_path)
    (tmp_path / "binary.csv").write_bytes(bytes(range(128, 256)))
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_netdissect_csv(tmp_path / "binary.csv")


def test_a_byte_order_mark_and_a_table_of_four_columns_will_do(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(
        "\ufeffunit,category,label,score\n2,scene,bed-s,0.3\n1,part,wheel,0.01\n", encoding="utf-8"
    )
    names = read_netdissect_csv(path)
    assert [(n.unit, n.concept, n.best, n.iou, n.runner_up) for n in names] == [
        (0, None, Concept("wheel", "part"), 0.01, None),
        (1, Concept("bed", "scene"), Concept("bed", "scene"), 0.3, None),
    ]


# Counted from the published files at IoU >= 0.04. The release prints, for Places365, 118 named units and 91
# "unique detectors": the sum over the categories of the different labels that some unit detects there.
PUBLISHED: dict[str, dict[str, Any]] = {
    "places365": {
        "named": 118,
        "distinct": 72,
        "unique/detectors": {
            "object": (40, 81),
            "part": (9, 17),
            "scene": (13, 21),
            "material": (2, 3),
            "texture": (25, 47),
            "color": (2, 2),
        },
    },
    "imagenet": {
        "named": 97,
        "distinct": 50,
        "unique/detectors": {
            "object": (21, 49),
            "part": (8, 26),
            "scene": (4, 5),
            "material": (1, 4),
            "texture": (23, 45),
            "color": (4, 6),
        },
    },
}


@pytest.mark.data
@pytest.mark.parametrize("network", PUBLISHED)
def test_the_published_tables(data_dir: Path, network: str) -> None:
    path = data_dir / "reference" / f"netdissect_result_caffe_reference_{network}.csv"
    names = read_netdissect_csv(path, min_iou=0.04)
    expected = PUBLISHED[network]
    assert len(names) == 256
    assert (names.named, names.distinct) == (expected["named"], expected["distinct"])
    assert not any(c.name.endswith(("-s", "-c")) for n in names for c in (n.best, n.runner_up) if c)
    rows = {int(row["unit"]) - 1: row for row in rows_of(path)}
    for category, (unique, detectors) in expected["unique/detectors"].items():
        above = [row[f"{category}-label"] for row in rows.values() if float(row[f"{category}-iou"]) >= 0.04]
        assert (len(set(above)), len(above)) == (unique, detectors)
    if network == "places365":
        assert sum(unique for unique, _ in expected["unique/detectors"].values()) == 91
    for unit, row in rows.items():
        for category in expected["unique/detectors"]:
            truth, active, overlap = (
                float(row[f"{category}-{f}"]) for f in ("truth", "activation", "intersect")
            )
            assert float(row[f"{category}-iou"]) == overlap / (truth + active - overlap)
        name = names[unit]
        assert name.best is not None and name.iou is not None
        best = max(expected["unique/detectors"], key=lambda c: float(row[f"{c}-iou"]))
        assert name.best.category == best == row["category"]
        assert name.iou == float(row[f"{best}-iou"]) == float(row["score"])
        rest = sorted(
            (float(row[f"{c}-iou"]) for c in expected["unique/detectors"] if c != best), reverse=True
        )
        assert name.runner_up_iou == rest[0]
        assert name.margin is not None and name.margin >= 0


@pytest.mark.data
def test_our_tables_have_the_columns_of_the_published_ones(data_dir: Path, tmp_path: Path) -> None:
    published = pd.read_csv(data_dir / "reference" / "netdissect_result_caffe_reference_places365.csv")
    order = ("object", "color", "material", "scene", "texture", "part")
    known = [Concept(f"some {category}", category) for category in order]
    rng = np.random.default_rng(0)
    labels = [random_labels(rng, known, 4, unlabelled=0) for _ in range(6)]
    maps = torch.from_numpy(rng.random((6, 4, 2, 2))).float()
    result = dissect_by_iou(
        Given(), "maps", giving(maps), MemorySet(known, labels), label_size=4, quantile=0.2
    )
    write_netdissect_csv(result, tmp_path / "r.csv")
    ours = pd.read_csv(tmp_path / "r.csv")
    assert ours.columns.tolist() == published.columns.tolist()
    assert [dtype.kind for dtype in ours.dtypes] == [dtype.kind for dtype in published.dtypes]
    assert (tmp_path / "r.csv").read_bytes().count(b"\r\n") == len(result) + 1  # as in the published files


@pytest.mark.data
@pytest.mark.parametrize("network", PUBLISHED)
def test_our_ratio_is_that_of_the_published_tables(data_dir: Path, network: str) -> None:
    table = pd.read_csv(data_dir / "reference" / f"netdissect_result_caffe_reference_{network}.csv")
    categories = list(PUBLISHED[network]["unique/detectors"])
    columns = {}
    for category in categories:
        both, active, truth = (
            table[f"{category}-{field}"].to_numpy() for field in ("intersect", "activation", "truth")
        )
        assert (active == active.astype(np.int64)).all() and (both <= truth).all()
        # one row of the table is one unit, one label of a category of its own
        ratios = [
            iou(np.array([[i]]), np.array([[int(a)]]), np.array([g]), np.array([0]))[0, 0]
            for i, a, g in zip(both, active, truth, strict=True)
        ]
        columns[category] = ratios
        assert ratios == table[f"{category}-iou"].tolist()
    ious = np.array([columns[category] for category in categories]).T
    best = best_labels(ious, np.arange(len(categories)), PRESETS["netdissect2017"].ties)[:, 0]
    assert [categories[k] for k in best] == table["category"].tolist()
    assert ious[np.arange(len(ious)), best].tolist() == table["score"].tolist()
    named = int((ious.max(axis=1) >= PRESETS["netdissect2017"].min_iou).sum())
    assert named == PUBLISHED[network]["named"]
