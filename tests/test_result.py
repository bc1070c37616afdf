"""A dissection on disk and back, its summary restated slowly, and names that want to break a table."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from concept_sets import may_be_a_name
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from probes import (
    Given,
    MemorySet,
    arrays_of,
    dissect_by_iou,
    giving,
    labelled_everywhere,
    no_layers,
    random_labels,
    some_concepts,
)

from dissection.artifact import ArtifactError, file_record
from dissection.concepts import Concept, Labels, by_category
from dissection.names import name_units
from dissection.overlap import iou
from dissection.result import Dissection, exemplar_name
from dissection.significance import Significance

HOSTILE = [
    "<script>alert(1)</script>",
    "\"quoted\", 'twice'",
    "comma, semicolon; end",
    "NA",
    "null",
    "nan",
    "None",
    "1.0",
    "007",
    "True",
    "-inf",
    " ",
    " padded ",
    "#comment",
    "=SUM(A1)",
    "🛏️ bed",
    "\u05de\u05d9\u05d8\u05d4 \u200fRTL",
    "back\\slash",
    "e\u0301",
    "é",
]


def small(
    names: list[str] | None = None, *, categories: int = 2, units: int = 6, **options: Any
) -> Dissection:
    """Some dissection, with the concepts' names replaced if names are given."""
    rng = np.random.default_rng(4)
    known = some_concepts(5 if names is None else len(names), categories)
    if names is not None:
        known = [Concept(name, concept.category) for name, concept in zip(names, known, strict=True)]
    labels = [random_labels(rng, known, 4, unlabelled=0.2) for _ in range(12)]
    maps = torch.from_numpy(rng.integers(0, 60, (12, units, 3, 3)).astype(np.float32)) / 7
    maps[:, -1] = 0
    options = {
        "quantile": 0.1,
        "label_size": 4,
        "model_name": "toy",
        "layer_reason": "the only one",
        **options,
    }
    return dissect_by_iou(
        Given(), "maps", giving(maps), MemorySet(known, labels), concept_sets=("memory",), **options
    )


def assert_same(one: Dissection, other: Dissection) -> None:
    """All that a folder keeps; `source` tells where each came from."""
    assert one.units == other.units
    assert arrays_of(one) == arrays_of(other)
    for field in dataclasses.fields(Dissection):
        if field.name in ("source", "exemplars", "evidence", "units", "chance", *arrays_of(one)):
            continue
        left, right = getattr(one, field.name), getattr(other, field.name)
        assert left == right and type(left) is type(right), field.name
    assert (one.chance is None) == (other.chance is None)
    if one.chance is not None and other.chance is not None:
        for field in dataclasses.fields(Significance):
            left, right = getattr(one.chance, field.name), getattr(other.chance, field.name)
            assert np.array_equal(left, right) and type(left) is type(right), field.name
    for name in arrays_of(one):
        assert getattr(one, name).dtype == getattr(other, name).dtype, name
    assert dict(one.exemplars) == dict(other.exemplars)
    assert dict(one.evidence) == dict(other.evidence)
    pd.testing.assert_frame_equal(one.to_frame(), other.to_frame())
    pd.testing.assert_frame_equal(one.concepts_frame(), other.concepts_frame())
    assert one.summary() == other.summary()


def test_a_saved_dissection_reads_back_the_same(tmp_path: Path) -> None:
    result = small()
    assert result.named > 0 and len(result.exemplars) > 0
    folder = result.save(tmp_path / "runs" / "toy" / "dissection", command=["neuro-explain", "dissect"])
    loaded = Dissection.load(folder)
    assert_same(result, loaded)
    assert loaded.source == "toy/dissection"
    assert folder == tmp_path / "runs" / "toy" / "dissection"
    again = loaded.save(tmp_path / "copy")
    assert_same(loaded, Dissection.load(again))
    for name in ("summary.json", "units.csv", "concepts.csv", "exemplars.csv"):
        assert (again / name).read_bytes() == (folder / name).read_bytes(), name


def test_the_options_are_all_in_the_manifest(tmp_path: Path) -> None:
    folder = small(exemplars=2, batch_size=5).save(
        tmp_path / "d", command=["neuro-explain", "dissect", "--x"]
    )
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["options"] == {
        "preset": "ours",
        "quantile": 0.1,
        "label_size": 4,
        "min_iou": 0.05,
        "max_q": 1,
        "permutations": 100,
        "concepts": ["memory"],
        "batch_size": 5,
        "exemplars": 2,
        "compositions": 0,
    }
    assert manifest["command"] == ["neuro-explain", "dissect", "--x"]
    assert (manifest["model"], manifest["layer"]) == ("toy", "maps")
    assert manifest["weights_fingerprint"].startswith("sha256:")
    assert manifest["data_fingerprint"] == "sha256:in-memory"


def test_one_unit_without_overlap_one_concept(tmp_path: Path) -> None:
    dataset = MemorySet([Concept("a", "object")], [Labels(no_layers(1), (0,), frozenset({"object"}))])
    result = dissect_by_iou(Given(), "maps", giving(torch.zeros(1, 1, 1, 1)), dataset, label_size=1)
    assert_same(result, Dissection.load(result.save(tmp_path / "d")))
    frame = result.to_frame()
    assert (
        frame.loc[0, ["iou", "best_concept", "intersection", "activation_area", "concept_area"]].isna().all()
    )
    assert (result.named, result.distinct) == (0, 0)


def test_hostile_names_survive(tmp_path: Path) -> None:
    result = small(HOSTILE, categories=3, units=40, quantile=0.3, min_iou=0.0)
    loaded = Dissection.load(result.save(tmp_path / 'odd "name" <b>'))
    assert [c.name for c in loaded.concepts] == HOSTILE
    assert_same(result, loaded)
    units = pd.read_csv(tmp_path / 'odd "name" <b>' / "units.csv", keep_default_na=False, dtype=str)
    expected = ["" if name.concept is None else name.concept.name for name in result]
    assert units["concept"].tolist() == expected


# what a file name may hold and a concept's may not
ODD = "line\nbreak, carriage\rreturn, both\r\nkinds, tab\tend, \u202e, a\u2028b\x85c"


def test_hostile_categories_and_images_survive(tmp_path: Path) -> None:
    class Odd(MemorySet):
        def image_id(self, index: int) -> str:
            return HOSTILE[index] + ODD

    known = [Concept("same name", category) for category in HOSTILE]
    labels = [Labels(no_layers(2), (i,), frozenset({HOSTILE[i]})) for i in range(len(HOSTILE))]
    rng = np.random.default_rng(0)
    maps = torch.from_numpy(rng.random((len(HOSTILE), 9, 2, 2))).float()
    result = dissect_by_iou(Given(), "maps", giving(maps), Odd(known, labels), label_size=2, quantile=0.1)
    loaded = Dissection.load(result.save(tmp_path / "d"))
    assert loaded.categories == tuple(HOSTILE)
    assert {image for _, _, image, _ in loaded.best_images} <= {name + ODD for name in HOSTILE}
    assert_same(result, loaded)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(
        st.text(st.characters(codec="utf-8"), max_size=6).filter(may_be_a_name),
        min_size=1,
        max_size=5,
        unique=True,
    )
)
def test_any_text_survives_as_a_name(tmp_path: Path, names: list[str]) -> None:
    base = small([str(i) for i in range(len(names))], categories=1)
    concepts = tuple(Concept(name, "object") for name in names)
    units = name_units(base.iou, concepts, base.threshold, base.peak, chance=base.chance, max_q=base.max_q)
    result = dataclasses.replace(base, concepts=concepts, categories=("object",), units=units)
    loaded = Dissection.load(result.save(tmp_path / "d", overwrite=True))
    assert loaded.concepts == concepts
    assert_same(result, loaded)


def test_a_file_name_that_is_not_utf_8_does_not_cost_the_run(tmp_path: Path) -> None:
    class Latin(MemorySet):
        def image_id(self, index: int) -> str:
            return f"caf\udce9-{index}.png"

    known = [Concept("a", "object")]
    dataset = Latin(known, [labelled_everywhere(1, 2)] * 3)
    maps = torch.arange(12.0).reshape(3, 1, 2, 2)
    result = dissect_by_iou(
        Given(), "maps", giving(maps), dataset, label_size=2, quantile=0.3, concept_sets=("folder:caf\udce9",)
    )
    loaded = Dissection.load(result.save(tmp_path / "d"))
    assert loaded.best_images[0][2] == "caf\\udce9-2.png"
    assert loaded.concept_sets == result.concept_sets
    assert loaded.units == result.units


def slow_summary(result: Dissection) -> list[dict[str, Any]]:
    """The categories of `summary.json`, counted unit by unit from I, A and G."""
    categories = []
    for k, category in enumerate(result.categories):
        members = [c for c, concept in enumerate(result.concepts) if concept.category == category]
        units, names, detectors, labels = 0, set(), 0, set()
        for u in range(len(result)):
            ious = {}
            for c in range(len(result.concepts)):
                area = int(result.activation_area[u, result.category_of[c]])
                overlap = int(result.intersection[u, c])
                union = area + int(result.concept_area[c]) - overlap
                ious[c] = overlap / union if union else 0.0
            best = min(ious, key=lambda c: (-ious[c], c))
            if ious[best] > 0 and ious[best] >= (result.min_iou or 0) and best in members:
                units += 1
                names.add(best)
            inside = min(members, key=lambda c: (-ious[c], c))
            if ious[inside] > 0 and ious[inside] >= (result.min_iou or 0):
                detectors += 1
                labels.add(inside)
        categories.append(
            {
                "category": category,
                "units": units,
                "distinct": len(names),
                "detectors": detectors,
                "unique_detectors": len(labels),
                "concepts": len(members),
                "pixels": int(result.category_area[k]),
                "images": int(result.category_area[k]) // result.label_size**2,
            }
        )
    return categories


@pytest.mark.parametrize("min_iou", [0.0, 0.05, 0.1, 0.3, 1.0])
def test_the_summary_counts_what_it_says(min_iou: float) -> None:
    result = small(categories=3, units=30, min_iou=min_iou, quantile=0.2)
    summary = result.summary()
    assert summary["categories"] == slow_summary(result)
    assert summary["units"] == 30
    assert summary["named"] == sum(c["units"] for c in summary["categories"]) == result.named
    assert summary["distinct"] == sum(c["distinct"] for c in summary["categories"]) == result.distinct
    assert summary["images"] + summary["images_left_out"] == 12
    assert summary["positions"] == summary["images"] * 9
    assert summary["map_size"] == [3, 3]
    if min_iou == 0.05:
        assert summary["named"] > 0
        assert any(c["detectors"] > c["units"] for c in summary["categories"])


def test_a_dead_unit_is_no_detector_even_if_names_need_nothing() -> None:
    result = small(min_iou=0.0)
    assert result[5].note == "dead"
    assert max(c["detectors"] for c in result.summary()["categories"]) <= 5


def test_the_concepts_table_counts_names_and_what_is_within_reach() -> None:
    result = small(categories=2, units=30, quantile=0.02)
    frame = result.concepts_frame()
    assert frame.index.tolist() == list(range(5))
    pixels = result.images * 16
    for c, concept in enumerate(result.concepts):
        row = frame.loc[c]
        carried = int(result.category_area[result.category_of[c]])
        assert (row["name"], row["category"]) == (concept.name, concept.category)
        assert row["pixels"] == result.concept_area[c]
        assert row["images"] == result.concept_images[c]
        assert row["share"] == result.concept_area[c] / carried
        assert row["units"] == sum(name.concept == concept for name in result)
        # At most 2 % of all pixels are active; all of them may lie on images that carry the category.
        active = 0.02 * pixels
        least = max(0, active - (pixels - carried))
        area = int(result.concept_area[c])
        expected = active / area if area > active else area / least if area < least else 1
        assert row["ceiling"] == pytest.approx(expected)
        assert row["reachable"] == (row["ceiling"] >= 0.05)
    assert frame["units"].sum() == result.named


def test_a_concept_that_names_a_unit_is_within_reach() -> None:
    # Textures are annotated on 5 of 100 images; one covers a quarter of these, far more than q. A unit that
    # fires nowhere else reaches it all the same, because its active pixels may all lie on those five.
    known = [Concept("dotted", "texture"), Concept("sky", "object")]
    texture = frozenset({"texture"})
    labels = [Labels(no_layers(4), (0,), texture)]
    labels += [Labels(np.full((1, 4, 4), -1, np.int32), (), texture)] * 4
    labels[1:5] = [Labels(np.array([[[-1, -1, -1, 0]] + [[-1] * 4] * 3], np.int32), (), texture)] * 4
    labels += [Labels(no_layers(4), (1,), frozenset({"object"}))] * 95
    maps = torch.zeros(100, 1, 4, 4)
    maps[0, 0] = torch.arange(1.0, 17).reshape(4, 4)
    result = dissect_by_iou(
        Given(), "maps", giving(maps), MemorySet(known, labels), label_size=4, quantile=0.005
    )
    assert result[0].concept == known[0]
    frame = result.concepts_frame()
    assert frame.loc[0, "share"] == 20 / 80
    assert frame.loc[0, "ceiling"] == pytest.approx(0.005 * 1600 / 20)
    assert bool(frame.loc[0, "reachable"])
    assert not frame.loc[1, "reachable"]  # "sky" fills 95 % of all pixels


def test_what_is_written_is_what_the_frame_says(tmp_path: Path) -> None:
    result = small(units=12)
    folder = result.save(tmp_path / "d")
    units = pd.read_csv(folder / "units.csv", keep_default_na=False, na_values=[""])
    frame = result.to_frame().reset_index()
    assert units.columns.tolist() == frame.columns.tolist()
    for column in ("iou", "runner_up_iou", "margin", "threshold"):
        # pandas' own parser of numbers may be off in the last digit.
        np.testing.assert_allclose(units[column].to_numpy(float), frame[column].to_numpy(float), rtol=1e-15)
    with (folder / "units.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["threshold"]) for row in rows] == result.threshold.tolist()
    for row in rows:
        if row["iou"]:
            overlap = int(row["intersection"])
            union = int(row["activation_area"]) + int(row["concept_area"]) - overlap
            assert float(row["iou"]) == overlap / union
        if row["runner_up_iou"]:
            assert float(row["margin"]) == float(row["iou"]) - float(row["runner_up_iou"])
    with (folder / "exemplars.csv").open(newline="", encoding="utf-8") as stream:
        found = tuple(
            (int(r["unit"]), int(r["rank"]), r["image"], float(r["peak"])) for r in csv.DictReader(stream)
        )
    assert found == result.best_images
    assert sorted(p.name for p in (folder / "exemplars").iterdir()) == sorted(
        exemplar_name(u).split("/")[1] for u in result.exemplars
    )
    for file in folder.rglob("*.json"):
        json.loads(file.read_text(), parse_constant=pytest.fail)


def test_exemplars_of_a_saved_dissection_are_read_when_asked_for(tmp_path: Path) -> None:
    result = small()
    folder = result.save(tmp_path / "d")
    pictures = Dissection.load(folder).exemplars
    assert list(pictures) == sorted(result.exemplars)
    assert len(pictures) == len(result.exemplars)
    assert 5 not in pictures  # the dead unit
    with pytest.raises(KeyError):
        pictures[5]
    (folder / exemplar_name(0)).write_bytes(b"later")
    assert pictures[0] == b"later"


def test_find_knows_concepts_that_name_nothing() -> None:
    result = small(min_iou=1.0)
    assert result.find(result.concepts[2].name) == []
    with pytest.raises(ValueError, match=r"did you mean thing \d"):
        result.find("thnig 2")


def test_arrays_of_another_shape_are_refused() -> None:
    result = small()
    with pytest.raises(ValueError, match=r"concept_area: expected shape \(5,\), got \(4,\)"):
        dataclasses.replace(result, concept_area=result.concept_area[:4])


def resign(folder: Path, name: str) -> None:
    """Makes the manifest agree with a changed file, as somebody who edits artifacts by hand may do."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][name] = file_record(folder / name)
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("summary.json", b"[]"),
        ("summary.json", b"{}"),
        ("summary.json", b"{"),
        ("summary.json", b"\xff\xfe"),
        ("concepts.csv", b""),
        ("concepts.csv", b"concept,name\n0,a\n"),
        ("concepts.csv", b"concept,name,category,pixels,images\n0,a,object,1,1\n"),
        ("exemplars.csv", b""),
        ("arrays.npz", b"not a zip"),
        ("arrays.npz", b""),
        ("arrays.npz", b"PK\x03\x04 broken"),
    ],
)
def test_files_that_say_something_else_are_refused_in_one_sentence(
    tmp_path: Path, name: str, content: bytes
) -> None:
    folder = small().save(tmp_path / "d")
    (folder / name).write_bytes(content)
    resign(folder, name)
    with pytest.raises(ArtifactError, match="cannot be read as a dissection.*make it again"):
        Dissection.load(folder)


def test_pickles_inside_the_arrays_are_not_opened(tmp_path: Path) -> None:
    folder = small().save(tmp_path / "d")
    with np.load(folder / "arrays.npz") as file:
        arrays = dict(file)
    arrays["peak"] = np.array([{"a": 1}] * 6, dtype=object)
    np.savez(folder / "arrays.npz", **arrays)
    resign(folder, "arrays.npz")
    with pytest.raises(ArtifactError, match="cannot be read as a dissection"):
        Dissection.load(folder)


def test_iou_property_is_the_ratio_of_the_counts() -> None:
    result = small()
    expected = iou(
        result.intersection, result.activation_area, result.concept_area, by_category(result.concepts)[1]
    )
    assert (result.iou == expected).all()


@pytest.mark.data
def test_real_concepts_with_a_joined_texture_set(data_dir: Path, tmp_path: Path) -> None:
    from dissection.readers import open_concepts

    opened = open_concepts([f"coco:{data_dir / 'coco_panoptic256'}", "colors"])

    class First(MemorySet):
        def image(self, index: int) -> Any:
            return opened.image(index)

        def image_id(self, index: int) -> str:
            return opened.image_id(index)

    dataset = First(opened.concepts, [opened.labels(i, 28) for i in range(6)])
    generator = torch.Generator().manual_seed(0)
    result = dissect_by_iou(
        Given(), "maps", lambda _image: torch.rand(16, 7, 7, generator=generator), dataset,
        label_size=28, quantile=0.05, workers=1,
    )  # fmt: skip
    loaded = Dissection.load(result.save(tmp_path / "d"))
    assert_same(result, loaded)
    assert result.summary()["categories"] == slow_summary(result)
