"""Folders that are whole or not there: whatever fails, wherever, nothing is lost and no scrap stays."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dissection import artifact
from dissection.artifact import (
    ArtifactError,
    check_writable,
    describe_run,
    is_artifact,
    new_artifact,
    read_artifact,
)

KIND = "explanation"


def manifest(**changes: Any) -> dict[str, Any]:
    made = describe_run(
        KIND,
        model="toy",
        layer="layer4",
        weights_fingerprint="sha256:00",
        data_fingerprint=None,
        options={"top": 5},
        command=["neuro-explain", "explain"],
    )
    return {**made, **changes}


def write(folder: Path, text: str = "one", *, overwrite: bool = False, **files: str) -> None:
    with new_artifact(folder, manifest(), overwrite=overwrite) as draft:
        (draft / "data.txt").write_text(text)
        (draft / "more").mkdir()
        (draft / "more" / "deep.txt").write_text(text * 2)
        for name, content in files.items():
            (draft / name).write_text(content)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file and its bytes, hidden ones included; folders end with a slash."""
    return {
        item.relative_to(folder).as_posix() + ("/" if item.is_dir() else ""): b""
        if item.is_dir()
        else item.read_bytes()
        for item in sorted(folder.rglob("*"))
    }


def test_a_new_artifact_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "cat"
    write(folder)
    assert set(tree(folder)) == {"data.txt", "more/", "more/deep.txt", "manifest.json"}
    assert [p.name for p in folder.parent.iterdir()] == ["cat"]
    read = read_artifact(folder, KIND)
    assert read["files"] == {
        "data.txt": {
            "bytes": 3,
            "sha256": "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed",
        },
        "more/deep.txt": {
            "bytes": 6,
            "sha256": artifact.file_record(folder / "more" / "deep.txt")["sha256"],
        },
    }
    assert read["options"] == {"top": 5}
    assert is_artifact(folder)


def test_the_manifest_says_when_and_by_what(tmp_path: Path) -> None:
    made = manifest()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made["created"])
    assert list(made["versions"]) == ["neuro-explain", "torch", "numpy", "pillow", "python"]
    assert all(isinstance(version, str) and version for version in made["versions"].values())
    assert (made["schema_version"], made["kind"], made["seed"]) == (1, KIND, 0)


def test_folder_and_files_have_ordinary_permissions(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    write(tmp_path / "d")
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_the_page_is_no_part_of_what_is_checked(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    write(folder, **{"index.html": "<p>"})
    (folder / "index.html").write_text("rendered again")
    assert "index.html" not in read_artifact(folder, KIND)["files"]
    (folder / "index.html").unlink()
    read_artifact(folder, KIND)


def test_an_existing_artifact_is_refused_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    write(folder, "old")
    before = tree(tmp_path)
    with pytest.raises(
        ArtifactError, match="already holds an artifact.*overwrite=True, on the .* --overwrite"
    ):
        write(folder, "new")
    assert tree(tmp_path) == before


def test_overwriting_replaces_all_of_the_old_artifact_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    write(folder, "old", **{"gone.txt": "only the old one has it", "index.html": "the old page"})
    (folder / "notes.md").write_text("mine")
    (folder / "kitchen").mkdir()
    (folder / "kitchen" / "manifest.json").write_text("another artifact inside this folder")
    write(folder, "new", overwrite=True)
    assert set(tree(folder)) == {
        *("data.txt", "more/", "more/deep.txt", "manifest.json"),
        *("notes.md", "kitchen/", "kitchen/manifest.json"),
    }
    assert (folder / "data.txt").read_text() == "new"
    assert (folder / "notes.md").read_text() == "mine"
    read_artifact(folder, KIND)
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_a_folder_with_other_files_is_joined_and_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("mine")
    write(tmp_path)
    assert (tmp_path / "notes.md").read_text() == "mine"
    read_artifact(tmp_path, KIND)
    other = tmp_path / "other"
    other.mkdir()
    (other / "data.txt").write_text("somebody's")
    before = tree(tmp_path)
    for overwrite in (False, True):
        with pytest.raises(ArtifactError, match=r"holds no artifact but has data\.txt"):
            write(other, overwrite=overwrite)
        assert tree(tmp_path) == before


def test_an_empty_folder_and_the_current_one_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    write(Path())
    read_artifact(Path(), KIND)
    write(Path("../empty"), "new", overwrite=True)
    assert Path("data.txt").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["empty"]


def test_a_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    real = tmp_path / "real"
    write(real, "old")
    (tmp_path / "link").symlink_to(real)
    write(tmp_path / "link", "new", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert (real / "data.txt").read_text() == "new"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "real"]


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    file = tmp_path / "taken"
    file.write_text("a file")
    for overwrite in (False, True):
        with pytest.raises(ArtifactError, match="taken is a file; the output must be a folder"):
            write(file, overwrite=overwrite)
        with pytest.raises(ArtifactError, match="cannot be created: .*taken is not a folder"):
            write(file / "below", overwrite=overwrite)
    assert tree(tmp_path) == {"taken": b"a file"}


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_parent(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ArtifactError, match="not a folder that can be written to"):
            write(tmp_path / "d")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("locked", ["parent", "folder"])
def test_what_cannot_be_written_is_said_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: str
) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    place = tmp_path if locked == "parent" else folder
    monkeypatch.setattr(artifact.os, "access", lambda path, _mode: Path(path) != place)
    with pytest.raises(ArtifactError, match=f"{place.name} is not a folder that can be written to"):
        check_writable(folder, kind="dissection")


def test_a_folder_that_permissions_allow_and_the_disk_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write to /proc by its permissions: the message names what was asked for, and comes before the work."""

    def refused(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(tmp_path / ".nope.writing-x"))

    monkeypatch.setattr(artifact.tempfile, "TemporaryDirectory", refused)
    with pytest.raises(ArtifactError, match=r"nope cannot be created: .* is not a folder") as caught:
        check_writable(tmp_path / "nope", kind=KIND)
    assert ".nope" not in str(caught.value)


def test_nothing_stays_of_the_trial(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    for folder in (tmp_path / "d", tmp_path / "new" / "deep"):
        check_writable(folder, kind=KIND)
    assert tree(tmp_path) == {"d/": b""}


class Interrupted(BaseException):
    """Like Ctrl-C: no Exception."""


FULL = OSError(28, "No space left on device")


@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt(), Interrupted()])
@pytest.mark.parametrize("existing", ["nothing", "artifact", "other files"])
def test_a_failure_in_the_block_leaves_what_was_there(
    tmp_path: Path, error: BaseException, existing: str
) -> None:
    folder = tmp_path / "d"
    prepare(folder, existing)
    before = tree(tmp_path)
    with pytest.raises(type(error)), new_artifact(folder, manifest(), overwrite=True) as draft:
        (draft / "data.txt").write_text("half")
        raise error
    assert tree(tmp_path) == before


def prepare(folder: Path, existing: str) -> None:
    if existing == "artifact":
        write(folder, "old", **{"gone.txt": "x", "index.html": "page"})
        (folder / "notes.md").write_text("mine")
    elif existing == "other files":
        folder.mkdir()
        (folder / "notes.md").write_text("mine")


@contextlib.contextmanager
def failing(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, at: int, error: BaseException, late: bool
) -> Iterator[list[int]]:
    """Lets call number `at` of owner.name fail, before or after it did its work."""
    calls: list[int] = []
    real = getattr(owner, name)

    def wrapped(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == at and not late:
            raise error
        result = real(*args, **options)
        if len(calls) == at:
            raise error
        return result

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, wrapped)
        yield calls


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt()])
@pytest.mark.parametrize("existing", ["nothing", "artifact", "other files"])
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Path, "rename"),
        (Path, "mkdir"),
        (Path, "write_text"),
        (artifact, "file_record"),
        (artifact, "write_json"),
    ],
)
def test_a_failure_at_any_step_keeps_the_old_or_has_the_new(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    existing: str,
    error: BaseException,
    late: bool,
) -> None:
    for at in range(1, 30):
        base = tmp_path / str(at)
        base.mkdir()
        folder = base / "d"
        prepare(folder, existing)
        before = tree(base)
        try:
            with failing(monkeypatch, owner, name, at, error, late) as calls:
                write(folder, "new", overwrite=True)
        except (OSError, KeyboardInterrupt):
            if existing == "nothing" and is_artifact(folder):
                read_artifact(folder, KIND)  # the last step was done: it is whole
                assert set(tree(base)) == {"d/", *(f"d/{n}" for n in NEW)}
            else:
                assert tree(base) == before
        else:
            assert len(calls) < at
            read_artifact(folder, KIND)
            break
    else:
        raise AssertionError("it never came through")


NEW = ("data.txt", "more/", "more/deep.txt", "manifest.json")


def test_a_crash_without_any_cleaning_up_leaves_nothing_that_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The power goes off after each of the renames: nothing is undone.
    folder = tmp_path / "d"
    write(folder, "old")
    seen: list[str] = []
    rename = Path.rename

    def watched(source: Path, target: Path) -> Path:
        moved = rename(source, target)
        if is_artifact(folder):
            read_artifact(folder, KIND)
            seen.append((folder / "data.txt").read_text())
        else:
            seen.append("none")
        return moved

    monkeypatch.setattr(Path, "rename", watched)
    write(folder, "new", overwrite=True)
    assert seen[-1] == "new"
    assert set(seen[:-1]) == {"none"}


def test_two_writers_of_one_folder_do_not_touch_each_other_s_drafts(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    with new_artifact(folder, manifest()) as first:
        (first / "data.txt").write_text("first")
        with new_artifact(folder, manifest()) as second:
            (second / "data.txt").write_text("second")
        assert (first / "data.txt").read_text() == "first"
        assert (folder / "data.txt").read_text() == "second"
    # Whoever finishes last replaces the other's files; the folder is whole either way.
    assert (folder / "data.txt").read_text() == "first"
    read_artifact(folder, KIND)
    assert [p.name for p in tmp_path.iterdir()] == ["d"]
