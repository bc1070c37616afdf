"""What lies inside an artifact: JSON, tables, and every kind of damage, named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_artifact import KIND, manifest, write

from dissection.artifact import (
    ArtifactError,
    new_artifact,
    read_artifact,
    read_csv,
    write_csv,
    write_json,
)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_json_holds_no_nan_and_no_infinity(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"deep": [{"value": value}]})
    assert not (tmp_path / "a.json").exists()
    with pytest.raises(ValueError), new_artifact(tmp_path / "d", manifest(options={"q": value})):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["<script>", "🛏️", "\u202ertl", "\udce9", "a\0b", '"\\', "\u2028"])
def test_json_gives_any_text_back(tmp_path: Path, text: str) -> None:
    write_json(tmp_path / "a.json", {text: [text]})
    raw = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(raw) == {text: [text]}
    assert raw.endswith("\n")


def test_tables_give_their_cells_back(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows: list[dict[str, object]] = [
        {"a": "x\ry", "b": None, "c": 0.1},
        {"a": 'q"\n,', "b": True, "c": 1e-300},
    ]
    write_csv(path, rows)
    assert read_csv(path) == [{"a": "x\ry", "b": "", "c": "0.1"}, {"a": 'q"\n,', "b": "True", "c": "1e-300"}]
    write_csv(path, [], columns=("a", "b"))
    assert path.read_bytes() == b"a,b\r\n"
    assert read_csv(path) == []
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"t\.csv has no header"):
        read_csv(path)


def damaged(folder: Path, how: str) -> None:
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    if how == "no manifest":
        path.unlink()
    elif how == "manifest is a folder":
        path.unlink()
        path.mkdir()
    elif how == "file missing":
        (folder / "more" / "deep.txt").unlink()
    elif how == "byte changed":
        (folder / "data.txt").write_text("onE")
    elif how == "byte added":
        (folder / "data.txt").write_text("one ")
    elif how == "bad json":
        path.write_text(path.read_text()[:-20])
    elif how == "not utf-8":
        path.write_bytes(b"\xff\xfe{}")
    elif how == "empty":
        path.write_text("")
    elif how == "a list":
        path.write_text("[1, 2]")
    elif how == "a word":
        path.write_text('"manifest"')
    elif how == "null":
        path.write_text("null")
    elif how == "no kind":
        del content["kind"]
        path.write_text(json.dumps(content))
    elif how == "files is a list":
        path.write_text(json.dumps({**content, "files": ["data.txt"]}))
    elif how == "files is null":
        path.write_text(json.dumps({**content, "files": None}))
    elif how == "another kind":
        path.write_text(json.dumps({**content, "kind": "dissection"}))
    elif how == "newer":
        path.write_text(json.dumps({**content, "schema_version": 2}))
    else:
        raise AssertionError(how)


DAMAGE = {
    "no manifest": "has no manifest.json",
    "manifest is a folder": "has no manifest.json",
    "file missing": r"lacks more/deep\.txt, which its manifest lists",
    "byte changed": r"data\.txt differs from what its manifest recorded",
    "byte added": r"data\.txt differs from what its manifest recorded",
    "bad json": r"manifest\.json is damaged",
    "not utf-8": r"manifest\.json is damaged",
    "empty": r"manifest\.json is damaged",
    "a list": r"manifest\.json is damaged",
    "a word": r"manifest\.json is damaged",
    "null": r"manifest\.json is damaged",
    "no kind": r"manifest\.json is damaged.*kind",
    "files is a list": r"manifest\.json is damaged",
    "files is null": r"manifest\.json is damaged",
    "another kind": "holds an artifact of kind 'dissection', expected 'explanation'",
    "newer": "has layout version 2, this program reads 1",
}


@pytest.mark.parametrize("how", DAMAGE)
def test_every_kind_of_damage_is_named(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "d"
    write(folder)
    damaged(folder, how)
    with pytest.raises(ArtifactError, match=DAMAGE[how]) as caught:
        read_artifact(folder, KIND)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "how", [h for h in DAMAGE if h not in ("no manifest", "manifest is a folder", "another kind")]
)
def test_a_damaged_artifact_can_be_overwritten(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "d"
    write(folder, "old")
    (folder / "notes.md").write_text("mine")
    damaged(folder, how)
    write(folder, "new", overwrite=True)
    read_artifact(folder, KIND)
    assert (folder / "notes.md").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_an_artifact_of_another_kind_is_never_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    write(folder, "old")
    damaged(folder, "another kind")
    with pytest.raises(ArtifactError, match="kind 'dissection'.*does not replace"):
        write(folder, "new", overwrite=True)
    assert (folder / "data.txt").is_file()


def test_a_manifest_that_lists_files_elsewhere_moves_nothing_there(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    write(folder)
    content = json.loads((folder / "manifest.json").read_text())
    content["files"] |= {
        "../precious.txt": {},
        "/etc/passwd": {},
        "": {},
        ".": {},
        "notes/../../precious.txt": {},
    }
    (folder / "manifest.json").write_text(json.dumps(content))
    (tmp_path / "precious.txt").write_text("keep")
    write(folder, "new", overwrite=True)
    assert (tmp_path / "precious.txt").read_text() == "keep"
    read_artifact(folder, KIND)


def test_paths_that_hold_no_artifact(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="is not a folder"):
        read_artifact(tmp_path / "absent", KIND)
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="is not a folder"):
        read_artifact(tmp_path / "file", KIND)
    with pytest.raises(ArtifactError, match=r"has no manifest\.json"):
        read_artifact(tmp_path, KIND)
