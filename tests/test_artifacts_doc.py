"""docs/artifacts.md is the contract: what `save` writes has its files, keys, columns and dtypes, no others.

The tables and sentences of the document are parsed, so that the document cannot drift away from the code.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from artifacts_for_pages import write_dissection, write_explanation
from PIL import Image
from probes import Given, MemorySet, dissect_by_iou, giving, random_labels, some_concepts

from dissection.artifact import is_artifact
from dissection.result import KIND, Dissection
from neuro_explain.collection import KIND as COLLECTION
from neuro_explain.collection import Member, save_collection

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "artifacts.md"


def section(title: str) -> str:
    """The part of the document under a heading that starts so."""
    parts = re.split(r"^## ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (found,) = [part for part in parts if part.startswith(title)]
    return found


def table(text: str, head: str) -> dict[str, tuple[str, str]]:
    """name → (type, meaning) of the first table after `head`; a row may describe several names."""
    lines = iter(text[text.index(head) :].splitlines())
    rows: dict[str, tuple[str, str]] = {}
    for line in lines:
        if not line.startswith("|"):
            if rows:
                break
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        names = re.findall(r"`([^`]+)`", cells[0])
        types = [part.strip() for part in re.split(r",\s*(?![^\[]*\])", cells[1])]
        types = types * len(names) if len(types) == 1 else types
        for name, type_ in zip(names, types, strict=True):
            rows[name] = (type_, cells[2])
    return rows


def typed(text: str, head: str) -> dict[str, str]:
    """name → type of a sentence like "`name` str, `pixels` int (G)" after `head`, up to its full stop."""
    start = text.index(head) + len(head)
    sentence = text[start : text.index(".\n", start) if ".\n" in text[start:] else None]
    found = re.findall(r"`(\w+)`\s+(int|float|str|bool|[fi]\d)\b(?:\s*\[([^\]]*)\])?", sentence)
    return {name: type_ + (f" [{shape}]" if shape else "") for name, type_, shape in found}


JSON_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "int": lambda v: type(v) is int,
    "float": lambda v: type(v) in (int, float),
    "str": lambda v: type(v) is str,
    "str or null": lambda v: v is None or type(v) is str,
    "object": lambda v: type(v) is dict,
    "object or null": lambda v: v is None or type(v) is dict,
    "[int, int]": lambda v: type(v) is list and [type(x) for x in v] == [int, int],
    "list of str": lambda v: type(v) is list and all(type(x) is str for x in v),
    "list of str or null": lambda v: v is None or (type(v) is list and all(type(x) is str for x in v)),
    "list of objects": lambda v: type(v) is list and all(type(x) is dict for x in v),
}
CELLS: Mapping[str, Callable[[str], object]] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": lambda cell: {"True": True, "False": False}[cell],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(11)
    known = some_concepts(6, 3)
    labels = [random_labels(rng, known, 8) for _ in range(15)]
    maps = torch.from_numpy(rng.random((15, 9, 2, 4))).float()
    maps[:, 4] = 0
    maps[:, 5, 0, 0] = 7
    result = dissect_by_iou(
        Given(),
        "maps",
        giving(maps),
        MemorySet(known, labels),
        label_size=8,
        quantile=0.1,
        compositions=2,
        model_name="toy",
    )
    assert any(name.best is None for name in result) and result.named
    return result.save(tmp_path_factory.mktemp("runs") / "dissection", command=["neuro-explain", "dissect"])


def read_rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        return list(reader.fieldnames or ()), list(reader)


def test_the_files(folder: Path) -> None:
    text = section("kind `dissection`")
    documented = set(re.findall(r"`([a-z]+\.(?:json|csv|npz))`", text))
    tables = {"units.csv", "concepts.csv", "exemplars.csv", "evidence.csv", "labels.csv", "compositions.csv"}
    assert documented == {"summary.json", "arrays.npz", *tables}
    files = {p.name for p in folder.iterdir()}
    assert files == documented | {"manifest.json", "exemplars", "evidence"}
    for kind in ("exemplars", "evidence"):
        assert f"`{kind}/unit-00012.webp`" in text
        assert all(re.fullmatch(r"unit-\d{5}\.webp", p.name) for p in (folder / kind).iterdir())


def test_the_manifest(folder: Path) -> None:
    documented = table(section("manifest.json"), "| key |")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert list(manifest) == list(documented)
    files = documented.pop("files")
    assert files[0] == "object" and '`{name: {"bytes": int, "sha256": str}}`' in files[1]
    for key, (type_, _) in documented.items():
        assert JSON_TYPES[type_](manifest[key]), (key, type_, manifest[key])
    assert manifest["kind"] == KIND
    assert f'`"{KIND}"`' in documented["kind"][1]
    assert manifest["schema_version"] == int(documented["schema_version"][1])
    words = re.sub(r"^of ", "", documented["versions"][1]).replace(" and ", ", ")
    assert set(manifest["versions"]) == {word.strip() for word in words.split(",") if word.strip()}
    for record in manifest["files"].values():
        assert [(k, type(v)) for k, v in record.items()] == [("bytes", int), ("sha256", str)]
    on_disk = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert set(manifest["files"]) == on_disk - {"manifest.json", "index.html"}
    assert is_artifact(folder)


def test_the_summary(folder: Path) -> None:
    documented = table(section("kind `dissection`"), "`summary.json`")
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert set(summary) == set(documented)
    for key, (type_, _) in documented.items():
        assert JSON_TYPES[type_](summary[key]), (key, type_, summary[key])
    braces = re.search(r"`\{([^}]*)\}`", documented["categories"][1])
    assert braces is not None
    keys = [key.strip() for key in braces[1].split(",")]
    for category in summary["categories"]:
        assert list(category) == keys
        assert type(category["category"]) is str
        assert all(type(category[key]) is int for key in keys if key != "category")


def test_the_units(folder: Path) -> None:
    documented = table(section("kind `dissection`"), "`units.csv`")
    columns, rows = read_rows(folder / "units.csv")
    assert set(columns) == set(documented)
    may_be_empty = {name for name, (_, meaning) in documented.items() if "empty" in meaning}
    assert {"concept", "category", "iou", "runner_up", "note"} <= may_be_empty
    # The counts belong to the best label: where there is none they are empty with it.
    of_the_best = {
        "intersection",
        "activation_area",
        "concept_area",
        "best_concept",
        "best_category",
        "margin",
    }
    for row in rows:
        for name, (type_, _) in documented.items():
            if row[name] == "":
                assert name in may_be_empty | of_the_best, name
                assert name not in of_the_best - {"margin"} or row["iou"] == ""
            else:
                CELLS[type_](row[name])
        assert row["note"] in ("", "dead", "threshold <= 0")
    assert [int(row["unit"]) for row in rows] == list(range(9))


def test_the_concepts(folder: Path) -> None:
    documented = typed(section("kind `dissection`"), "`concepts.csv`")
    columns, rows = read_rows(folder / "concepts.csv")
    assert columns == list(documented)
    for row in rows:
        for name, type_ in documented.items():
            CELLS[type_](row[name])
    assert [int(row["concept"]) for row in rows] == list(range(6))


def test_the_exemplars(folder: Path) -> None:
    documented = typed(section("kind `dissection`"), "`exemplars.csv`")
    columns, rows = read_rows(folder / "exemplars.csv")
    assert columns == list(documented)
    crops: dict[int, int] = {}
    for row in rows:
        for name, type_ in documented.items():
            CELLS[type_](row[name])
        crops[int(row["unit"])] = crops.get(int(row["unit"]), 0) + 1
        assert int(row["rank"]) == crops[int(row["unit"])] - 1
    pictures = {int(p.stem[5:]): p for p in (folder / "exemplars").iterdir()}
    assert set(pictures) == set(crops)
    for unit, path in pictures.items():
        with Image.open(io.BytesIO(path.read_bytes())) as strip:
            assert strip.format == "WEBP"
            assert strip.width == crops[unit] * strip.height  # square, side by side


def test_the_arrays(folder: Path) -> None:
    documented = typed(section("kind `dissection`"), "`arrays.npz`")
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    sizes = {"U": summary["units"], "C": 6, "K": len(summary["categories"])}
    with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
        assert set(arrays.files) == set(documented)
        for name, description in documented.items():
            dtype, _, shape = description.partition(" ")
            assert arrays[name].dtype == np.dtype(dtype), name
            assert arrays[name].shape == tuple(
                sizes[axis.strip()] for axis in shape.strip("[]").split(",")
            ), name


def test_the_frames_have_the_documented_columns(folder: Path) -> None:
    result = Dissection.load(folder)
    text = section("kind `dissection`")
    assert {"unit", *result.to_frame().columns} == set(table(text, "`units.csv`"))
    assert ["concept", *result.concepts_frame().columns] == list(typed(text, "`concepts.csv`"))
    kinds = {"int": "iI", "float": "f", "bool": "b", "str": "OUT"}
    for frame, documented in (
        (result.to_frame(), {name: t for name, (t, _) in table(text, "`units.csv`").items()}),
        (result.concepts_frame(), typed(text, "`concepts.csv`")),
    ):
        for name, dtype in frame.dtypes.items():
            assert dtype.kind in kinds[documented[str(name)]], (name, dtype)


def test_the_labels_and_compositions(folder: Path) -> None:
    text = section("kind `dissection`")
    for name in ("labels", "compositions"):
        documented = typed(
            text, f"`{name}.csv`" if name == "labels" else "`compositions.csv`, only with `--compositions`:"
        )
        columns, rows = read_rows(folder / f"{name}.csv")
        assert columns == list(documented) and rows
        for row in rows:
            for column, type_ in documented.items():
                CELLS[type_](row[column])
    frame = Dissection.load(folder).labels_frame()
    columns, rows = read_rows(folder / "labels.csv")
    assert list(frame.columns) == columns
    assert frame["unit"].tolist() == [int(row["unit"]) for row in rows]
    assert frame["iou"].tolist() == [float(row["iou"]) for row in rows]


def test_no_path_of_this_machine_is_kept(folder: Path) -> None:
    here = str(folder.parent)
    for path in folder.rglob("*"):
        if path.suffix in (".json", ".csv"):
            assert here not in path.read_text(encoding="utf-8"), path.name


def test_json_holds_no_nan(folder: Path) -> None:
    for path in folder.glob("*.json"):
        json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)


def test_a_collection(tmp_path: Path) -> None:
    text = section("kind `collection`")
    write_explanation(tmp_path / "cat", with_strips=False)
    write_dissection(tmp_path / "names", 3, with_exemplars=False)
    before = {path.name for path in tmp_path.iterdir()}
    members = [Member("cat", label="tabby", note="a note")]
    save_collection(tmp_path, title="A set", intro="One cat.", members=members, dissection="names")
    documented = set(re.findall(r"`([a-z]+\.json)`", text))
    assert {path.name for path in tmp_path.iterdir()} - before == documented | {"manifest.json"}
    assert COLLECTION == "collection" and is_artifact(tmp_path)

    facts = json.loads((tmp_path / "collection.json").read_text(encoding="utf-8"))
    keys = table(text, "`collection.json`")
    assert list(facts) == list(keys)
    for key, (type_, _) in keys.items():
        assert JSON_TYPES[type_](facts[key]), (key, type_, facts[key])
    braces = re.search(r"`\{([^}]*)\}`", keys["members"][1])
    assert braces is not None
    (member,) = facts["members"]
    assert list(member) == [key.strip() for key in braces[1].split(",")]
    for key in member:
        assert f"`{key}` str" in text and type(member[key]) is str

    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    general = table(section("manifest.json"), "|")
    assert set(manifest) == set(general)
    assert f'"{manifest["kind"]}"' in general["kind"][1]
    assert list(manifest["files"]) == sorted(documented)
    for key, (type_, _) in general.items():
        assert JSON_TYPES[type_](manifest[key]), (key, type_)
