"""How do folders of explanations come into a document's folder? All of them with the document, or none.

    stale = linked_explanations(folder)             # of the document that is there
    with put_inside(draft, folder, stale, old):     # wrong-1, wrong-2 … of the draft are in the folder
        document.save(folder, overwrite=True, …)    # if this fails, all is as it was

Files that are no part of an explanation stay where they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dissection.artifact import MANIFEST, PAGE, ArtifactError, is_artifact
from neuro_explain.explanation import KIND


def linked_explanations(folder: Path) -> list[Path]:
    """The folders directly inside that hold an explanation to which the document there has a link."""
    try:
        facts = json.loads((folder / "document.json").read_text(encoding="utf-8"))
        blocks = [block for section in facts["sections"] for block in section["blocks"]]
        paths = [link["path"] for block in blocks if block["kind"] == "links" for link in block["links"]]
        names = [str(path).split("/") for path in paths]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # no document, or a damaged one: what it may have linked stays
    inside = [folder / parts[0] for parts in names if len(parts) == 2 and parts[1] == PAGE]
    return [one for one in inside if not one.is_symlink() and one.name != ".." and _kind(one) == KIND]


@contextmanager
def put_inside(draft: Path, folder: Path, stale: list[Path], old: Path) -> Iterator[None]:
    """Moves the folders of a draft into a folder; takes all back if what is done inside the block fails.

    Args:
        draft: holds folders of explanations, on the same disk.
        folder: where they go; made if it is not there.
        stale: folders inside it whose explanations go away, whether others take their names or not.
        old: a new folder, which holds these from then on.

    Raises:
        ArtifactError: other files are where an explanation's would go.
    """
    new = sorted(one.name for one in draft.iterdir())
    gone = sorted({*stale, *(folder / name for name in new if _kind(folder / name) == KIND)})
    # A manifest goes first and comes last: in between, the folder is no artifact.
    moves = [(one / name, old / one.name / name) for one in gone for name in _parts(one)]
    for name in new:
        files = sorted((draft / name).iterdir(), key=lambda file: file.name == MANIFEST)
        moves += [(file, folder / name / file.name) for file in files]
    leaving = {source for source, _ in moves}
    taken = [target for _, target in moves if target.exists() and target not in leaving]
    if taken:
        raise ArtifactError(f"{taken[0]} is there and belongs to no explanation; choose another folder")
    made: list[Path] = []
    done: list[tuple[Path, Path]] = []
    try:
        for source, target in moves:
            _make(target.parent, made)
            source.rename(target)
            done.append((source, target))
        yield
    except BaseException:
        for source, target in reversed(done):
            target.rename(source)
        _remove_empty(reversed(made))
        raise
    _remove_empty(gone)


def _make(folder: Path, made: list[Path]) -> None:
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir()
        made.append(one)


def _remove_empty(folders: Iterator[Path] | list[Path]) -> None:
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _kind(folder: Path) -> str | None:
    """Of the artifact in a folder; None if there is none, or its manifest is damaged."""
    if not is_artifact(folder):
        return None
    try:
        return str(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["kind"])
    except (ValueError, KeyError, TypeError):
        return None


def _parts(folder: Path) -> list[str]:
    """What of an explanation's folder is the explanation's, its manifest first."""
    files = json.loads((folder / MANIFEST).read_text(encoding="utf-8")).get("files", ())
    names = {MANIFEST, PAGE, *(str(name).split("/")[0] for name in files)} - {"", ".", ".."}
    # a manifest lists files, so a folder of none is not in it
    names |= {one.name for one in folder.iterdir() if one.is_dir() and not any(one.iterdir())}
    return sorted((name for name in names if (folder / name).exists()), key=lambda name: name != MANIFEST)
