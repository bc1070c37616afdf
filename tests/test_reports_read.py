"""Reading artifact folders: the whole and true ones are read, every other one gets one clear sentence."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from artifacts_for_pages import HOSTILE, write_dissection, write_explanation

from reports.contract import ReportError
from reports.read import read_artifact


@pytest.fixture
def explanation(tmp_path: Path) -> Path:
    return write_explanation(tmp_path / "cat")


@pytest.fixture
def dissection(tmp_path: Path) -> Path:
    return write_dissection(tmp_path / "names")


def rewrite(folder: Path, name: str, data: bytes) -> None:
    """Change a file and the manifest with it, as a faulty writer would."""
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def change_json(folder: Path, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    facts = json.loads((folder / name).read_text())
    change(facts)
    data = json.dumps(facts).encode()
    if name == "manifest.json":
        (folder / name).write_bytes(data)
    else:
        rewrite(folder, name, data)


def test_an_explanation_is_read(explanation: Path) -> None:
    artifact = read_artifact(explanation)
    assert artifact.kind == "explanation"
    assert artifact.arrays["signed_map"].shape == (7, 7, 7)
    assert artifact.arrays["unit_map"].shape == (70, 7, 7)
    assert set(artifact.strips) == {
        u["unit"] for side in ("for", "against") for u in artifact.facts["targets"][0][side]
    }
    assert artifact.photograph == (explanation / "image.webp").read_bytes()


def test_a_dissection_is_read_with_types(dissection: Path) -> None:
    artifact = read_artifact(str(dissection))
    units = artifact.tables["units"]
    assert [row["unit"] for row in units] == list(range(24))
    assert units[5]["iou"] is None and units[5]["note"] == "dead" and units[5]["active_pixels"] == 0
    assert isinstance(units[0]["iou"], float) and isinstance(units[0]["intersection"], int)
    assert [row["name"] for row in artifact.tables["concepts"] if not row["reachable"]] == ["sky"]
    assert 5 not in artifact.strips and 23 in artifact.strips


def test_hostile_names_come_through_unchanged(tmp_path: Path) -> None:
    folder = write_dissection(tmp_path / "x", 4, concepts=((HOSTILE, "a,b\n"),))
    assert read_artifact(folder).tables["units"][0]["concept"] == HOSTILE
    assert read_artifact(folder).tables["units"][0]["category"] == "a,b\n"


def refusal(folder: Path) -> str:
    with pytest.raises(ReportError) as caught:
        read_artifact(folder)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "nowhere")


def test_a_file_where_a_folder_is_wanted(explanation: Path) -> None:
    assert "is a file" in refusal(explanation / "manifest.json")


def test_a_foreign_folder(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    assert "no manifest.json" in refusal(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": NaN}', "\udcff"])
def test_a_manifest_that_is_no_json_object(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text, errors="surrogateescape")
    assert "manifest.json" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda m: m.update(schema_version=2), "newer than this program"),
        (lambda m: m.update(schema_version="1"), "schema_version"),
        (lambda m: m.pop("schema_version"), "schema_version"),
        (lambda m: m.update(kind="batch"), "'batch'"),
        (lambda m: m.pop("versions"), "'versions'"),
        (lambda m: m.update(files=[]), "expected dict, got list"),
        (lambda m: m["files"].pop("arrays.npz"), "does not list arrays.npz"),
        (lambda m: m["files"].update({"../up": m["files"]["arrays.npz"]}), "outside the folder"),
        (lambda m: m["files"].update({"/etc/x": m["files"]["arrays.npz"]}), "outside the folder"),
        (lambda m: m["files"]["arrays.npz"].pop("sha256"), "'sha256'"),
    ],
)
def test_a_manifest_with_a_flaw(explanation: Path, change: Callable[[Any], None], expected: str) -> None:
    change_json(explanation, "manifest.json", change)
    assert expected in refusal(explanation)


def test_a_listed_file_that_is_missing(explanation: Path) -> None:
    (explanation / "image.webp").unlink()
    assert "image.webp is missing" in refusal(explanation)


def test_a_truncated_file(explanation: Path) -> None:
    path = explanation / "arrays.npz"
    path.write_bytes(path.read_bytes()[:-7])
    assert "arrays.npz is cut off" in refusal(explanation)


def test_a_changed_file_of_the_same_length(explanation: Path) -> None:
    path = explanation / "explanation.json"
    path.write_bytes(path.read_bytes().replace(b"tiger", b"tigre", 1))
    assert "sha256" in refusal(explanation)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda f: f.pop("notes"), "'notes'"),
        (lambda f: f["image"].pop("crop"), "image: expected the key 'crop'"),
        (lambda f: f["targets"][1].pop("sentence"), "targets[1]: expected the key 'sentence'"),
        (lambda f: f["targets"][0]["for"][2].pop("alpha"), "for[2]: expected the key 'alpha'"),
        (lambda f: f["targets"][0]["for"][2].update(map=70), "map 70 of 70"),
        (lambda f: f["targets"][0].update(kind="wish"), "'wish'"),
        (lambda f: f["targets"].pop(), "6 targets"),
        (lambda f: f["model"].update(map_size=[7, 8]), "maps of [7, 8]"),
        (lambda f: f["check"].pop("draws"), "check: expected the key 'draws'"),
    ],
)
def test_an_explanation_that_breaks_the_contract(
    explanation: Path, change: Callable[[Any], None], expected: str
) -> None:
    change_json(explanation, "explanation.json", change)
    assert expected in refusal(explanation)


def test_maps_that_are_not_finite(tmp_path: Path) -> None:
    def spoil(_: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        arrays["signed_map"][0, 0, 0] = np.nan

    assert "not finite" in refusal(write_explanation(tmp_path / "x", change=spoil))


def test_arrays_that_are_none(explanation: Path) -> None:
    rewrite(explanation, "arrays.npz", b"not a zip file")
    assert "arrays.npz" in refusal(explanation)


def test_a_picture_that_is_none(explanation: Path) -> None:
    rewrite(explanation, "image.webp", b"RIFF")
    assert "image.webp is not a picture" in refusal(explanation)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"unit,concept", b"unit,konzept", "expected the column concept"),
        (b"0,cat", b"null,cat", "row 2"),
        (b"\r\n23,", b"\r\n24,", "a row for each of 24 units"),
        (b"1.37", b"inf", "not finite"),
        (b"unit", b"\xff\xfe", "not readable as CSV"),
    ],
)
def test_a_table_that_breaks_the_contract(dissection: Path, old: bytes, new: bytes, expected: str) -> None:
    data = (dissection / "units.csv").read_bytes()
    assert old in data
    rewrite(dissection, "units.csv", data.replace(old, new, 1))
    assert expected in refusal(dissection)


def test_a_summary_without_its_categories(dissection: Path) -> None:
    change_json(dissection, "summary.json", lambda f: f["categories"][0].pop("detectors"))
    assert "categories[0]: expected the key 'detectors'" in refusal(dissection)
