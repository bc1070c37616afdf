"""Saving a collection: its two files beside the members, or a refusal that names what is wrong."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from artifacts_for_pages import write_dissection, write_explanation

from dissection.artifact import ArtifactError, read_artifact
from neuro_explain.collection import KIND, Member, save_collection
from neuro_explain.report import write_report


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with two explanations and a dissection, and a file that belongs to nobody."""
    folder = tmp_path / "demo"
    for name in ("kitchen", "attic"):
        write_explanation(folder / name, with_strips=False)
    write_dissection(folder / "dissection", 4, with_exemplars=False)
    (folder / "mine.txt").write_text("mine")
    return folder


def contents(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def save(root: Path, **options: Any) -> Path:
    given: dict[str, Any] = {
        "title": "Two scenes",
        "intro": "One and two.",
        "members": [Member("kitchen", label="kitchen"), Member("attic", note="a hard one")],
        "dissection": "dissection",
    }
    return save_collection(root, **{**given, **options})


def refusal(root: Path, **options: Any) -> str:
    before = contents(root)
    with pytest.raises(ArtifactError) as caught:
        save(root, **options)
    assert contents(root) == before
    assert [path.name for path in root.parent.iterdir()] == [root.name]
    return str(caught.value)


def test_two_files_are_added_and_nothing_else_changes(root: Path) -> None:
    before = contents(root)
    assert save(root, command=["neuro-explain", "demo"]) == root
    after = contents(root)
    assert set(after) - set(before) == {"manifest.json", "collection.json"}
    assert {name: after[name] for name in before} == before
    assert json.loads((root / "collection.json").read_text(encoding="utf-8")) == {
        "title": "Two scenes",
        "intro": "One and two.",
        "members": [
            {"folder": "kitchen", "label": "kitchen", "note": None},
            {"folder": "attic", "label": None, "note": "a hard one"},
        ],
        "dissection": "dissection",
    }
    manifest, first = read_artifact(root, KIND), read_artifact(root / "kitchen", "explanation")
    assert list(manifest["files"]) == ["collection.json"]
    for key in ("model", "layer", "weights_fingerprint"):
        assert manifest[key] == first[key]
    assert manifest["command"] == ["neuro-explain", "demo"]


def test_an_older_collection_is_replaced_only_if_allowed(root: Path) -> None:
    save(root)
    write_report(root)
    assert "let it be replaced" in refusal(root)
    save(root, members=[Member("attic")], dissection=None, overwrite=True)
    facts = json.loads((root / "collection.json").read_text(encoding="utf-8"))
    assert [member["folder"] for member in facts["members"]] == ["attic"]
    assert facts["dissection"] is None
    # The old page went with the old collection; members that are no longer listed stay.
    assert not (root / "index.html").exists()
    assert (root / "kitchen" / "index.html").is_file() and (root / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("write", [write_explanation, write_dissection])
def test_another_kind_is_never_replaced(root: Path, write: Any) -> None:
    write(root)
    assert "of kind" in refusal(root, overwrite=True)


def test_a_file_in_the_way_is_kept(root: Path) -> None:
    (root / "collection.json").write_text("something else")
    assert "collection.json" in refusal(root, overwrite=True)


def test_a_failure_half_way_keeps_the_old_one(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(root)

    def full_disk(path: Path, value: object) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    before = contents(root)
    with monkeypatch.context() as patch:
        patch.setattr("neuro_explain.collection.write_json", full_disk)
        with pytest.raises(OSError, match="No space left"):
            save(root, title="another", overwrite=True)
    assert contents(root) == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"members": []}, "at least one"),
        ({"members": [Member("nowhere")]}, "nowhere is not a folder"),
        ({"members": [Member("kitchen"), Member("kitchen")]}, "'kitchen' is listed twice"),
        ({"members": [Member("dissection")], "dissection": None}, "kind 'dissection'"),
        ({"members": [Member("dissection")]}, "'dissection' is listed twice"),
        ({"dissection": "attic", "members": [Member("kitchen")]}, "kind 'explanation'"),
        ({"dissection": "nowhere"}, "nowhere is not a folder"),
        *(
            ({"members": [Member(name)]}, "bare name")
            for name in ("", ".", "..", "/etc", "a/b", "a\\b", "C:", "a\0b")
        ),
        ({"title": None}, "title: expected str"),
        ({"members": [Member("kitchen", label=3)]}, "label: expected str"),  # type: ignore[arg-type]
    ],
)
def test_refusals(root: Path, options: dict[str, Any], said: str) -> None:
    assert said in refusal(root, **options)


@pytest.mark.parametrize(
    ("key", "value"),
    [("model", "resnet18"), ("layer", "layer3"), ("weights_fingerprint", "sha256:" + "ab" * 32)],
)
def test_one_network_only(root: Path, key: str, value: str) -> None:
    write_explanation(root / "attic", with_strips=False, manifest={key: value})
    said = refusal(root)
    assert "attic" in said and key in said and value in said


def test_a_dissection_of_other_weights_is_refused(root: Path) -> None:
    other = {"weights_fingerprint": "sha256:" + "ab" * 32}
    write_dissection(root / "dissection", 4, with_exemplars=False, manifest=other)
    assert "weights_fingerprint" in refusal(root)
    # Names that carry no fingerprint are allowed, as `explain` allows them.
    none = {"weights_fingerprint": None, "model": "imported"}
    write_dissection(root / "dissection", 4, with_exemplars=False, manifest=none)
    save(root)


def test_a_damaged_member_is_refused(root: Path) -> None:
    (root / "attic" / "explanation.json").write_text("{}")
    assert "attic" in refusal(root)


def test_the_report_is_written_through_the_public_name(root: Path) -> None:
    assert write_report(save(root)) == root / "index.html"
    (root / "attic" / "image.webp").unlink()
    with pytest.raises(ArtifactError, match=r"image\.webp is missing"):
        write_report(root)
