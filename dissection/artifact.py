"""Folders that are either whole or not there.

    with new_artifact("runs/cat", manifest, overwrite=False) as folder:
        (folder / "explanation.json").write_text(…)
    manifest = read_artifact("runs/cat", kind="explanation")

Files are written into a folder of a temporary name beside the wanted one; the manifest, with each file's size
and SHA-256, comes last; then the folder is renamed, or its files take the places of an older artifact's. If
anything fails half-way, or Ctrl-C is pressed, the temporary folder is removed and an older artifact of that
name stays as it was. Files that belong to no artifact are never touched.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from dissection import DISTRIBUTION

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
PAGE = "index.html"


class ArtifactError(ValueError):
    """An artifact folder cannot be written, or is missing, damaged, or of another kind or network."""


def describe_run(
    kind: str,
    *,
    model: str,
    layer: str,
    weights_fingerprint: str | None,
    data_fingerprint: str | None,
    options: Mapping[str, Any],
    seed: int = 0,
    command: list[str] | None = None,
) -> dict[str, Any]:
    """A manifest without its `files`: what was made, from what, by which versions, when."""
    versions = {name: metadata.version(name) for name in (DISTRIBUTION, "torch", "numpy", "pillow")}
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "created": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "model": model,
        "layer": layer,
        "weights_fingerprint": weights_fingerprint,
        "data_fingerprint": data_fingerprint,
        "options": dict(options),
        "seed": seed,
        "versions": {**versions, "python": platform.python_version()},
        "command": command,
    }


def is_artifact(folder: str | os.PathLike[str]) -> bool:
    """True if the folder holds a manifest."""
    return (Path(folder) / MANIFEST).is_file()


def check_writable(folder: str | os.PathLike[str], *, kind: str, overwrite: bool = False) -> None:
    """Says before the work starts what would stop it from being kept.

    Args:
        folder: where an artifact is to go.
        kind: of the new artifact; one of another kind is never replaced by it.
        overwrite: whether one of this kind may be replaced.

    Raises:
        ArtifactError: an artifact is there that may not be replaced, or the path is a file.
    """
    path = Path(folder).resolve()
    if path.exists() and not path.is_dir():
        raise ArtifactError(f"{folder} is a file; the output must be a folder, existing or new")
    if is_artifact(path) and not overwrite:
        raise ArtifactError(
            f"{folder} already holds an artifact; choose another folder, or let it be replaced: overwrite=True, on the "
            "command line --overwrite"
        )
    if is_artifact(path):
        try:
            found = json.loads((path / MANIFEST).read_text(encoding="utf-8"))["kind"]
        except (ValueError, KeyError, TypeError):
            found = kind  # damaged, so nothing is lost with it
        if found != kind:
            raise ArtifactError(
                f"{folder} holds an artifact of kind {found!r}, which one of kind {kind!r} does not replace; "
                "choose another folder"
            )
    nearest = next((parent for parent in path.parents if parent.exists()), path)
    for place in [nearest, path] if path.exists() else [nearest]:
        if not place.is_dir() or not os.access(place, os.W_OK) or not _takes_a_folder(place):
            raise ArtifactError(f"{folder} cannot be created: {place} is not a folder that can be written to")


def _takes_a_folder(place: Path) -> bool:
    """Tries it: root may write anywhere by permission, but not into /proc or onto a read-only disk."""
    try:
        with tempfile.TemporaryDirectory(prefix=".trying-", dir=place):
            return True
    except OSError:
        return False


@contextmanager
def new_artifact(
    folder: str | os.PathLike[str], manifest: Mapping[str, Any], *, overwrite: bool = False
) -> Iterator[Path]:
    """Yields an empty folder to write into; it becomes `folder` when the block ends well.

    Other files in `folder` stay: only those of an older artifact are replaced.

    Raises:
        ArtifactError: as `check_writable`; or files of the artifact's would replace others in `folder`.
        OSError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    check_writable(folder, kind=str(manifest.get("kind")), overwrite=overwrite)
    path = Path(folder).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}.writing-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=path.parent, ignore_cleanup_errors=True) as work:
        draft, old = Path(work) / "new", Path(work) / "old"
        draft.mkdir()
        yield draft
        files = {
            item.relative_to(draft).as_posix(): file_record(item)
            for item in sorted(draft.rglob("*"))
            if item.is_file() and item.name != PAGE
        }
        write_json(draft / MANIFEST, {**manifest, "files": files})
        _put_in_place(draft, path, old)


def _put_in_place(draft: Path, path: Path, old: Path) -> None:
    """Moves what is in `draft` to `path`, and an artifact that is there to `old`; all of it or nothing."""
    if not path.exists():
        draft.rename(path)
        return
    new = sorted((item.name for item in draft.iterdir()), key=lambda name: name == MANIFEST)
    there = {item.name for item in path.iterdir()}
    replaced = [name for name in _parts(path) | set(new) if name in there] if is_artifact(path) else []
    taken = [name for name in new if name in there and name not in replaced]
    if taken:
        raise ArtifactError(f"{path} holds no artifact but has {', '.join(taken)}; choose another folder")
    # The manifest goes first and comes last: in between, the folder is no artifact.
    replaced.sort(key=lambda name: name != MANIFEST)
    moves = [(path / name, old / name) for name in replaced] + [(draft / name, path / name) for name in new]
    old.mkdir()
    try:
        for source, target in moves:
            source.rename(target)
    except BaseException:
        for source, target in reversed(moves):
            if target.exists() and not source.exists():
                target.rename(source)
        raise


def _parts(path: Path) -> set[str]:
    """Names in the folder that belong to the artifact there, as far as its manifest can be read."""
    try:
        files = json.loads((path / MANIFEST).read_text(encoding="utf-8"))["files"]
        return {MANIFEST, PAGE, *(str(name).split("/")[0] for name in files)}
    except (ValueError, KeyError, TypeError):
        return {MANIFEST, PAGE}


def file_record(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def write_json(path: Path, value: Any) -> None:
    """JSON in UTF-8, keys in the given order. Raises ValueError for NaN and infinity."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    # A file name that is not UTF-8 holds lone surrogates; their \\u escapes are JSON, and read back the same.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_csv(path: Path, rows: Sequence[Mapping[str, object]], *, columns: Sequence[str] = ()) -> None:
    """A table in UTF-8, the columns those of the first row if not given; None is an empty cell.

    Lines end as RFC 4180 has it, which also makes the writer quote a lone carriage return in a name. The file
    name of an image that is not UTF-8 is written escaped: it is no reason to lose hours of work.
    """
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as stream:
        writer = csv.DictWriter(stream, columns or list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a table; raises ValueError or csv.Error for what is none."""
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream, strict=True)
        if not reader.fieldnames:
            raise ValueError(f"{path.name} has no header")
        return list(reader)


def read_arrays(folder: Path, names: Sequence[str]) -> dict[str, Any]:
    """These arrays of `arrays.npz`; raises what `reading` makes a sentence of."""
    import numpy as np

    with (folder / "arrays.npz").open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        return {name: file[name] for name in names}


@contextmanager
def reading(folder: Path, what: str) -> Iterator[None]:
    """Makes one sentence of whatever damaged files raise while they are read.

    Raises:
        ArtifactError: the folder cannot be read as `what`.
    """
    try:
        yield
    except (LookupError, ValueError, TypeError, EOFError, BadZipFile, csv.Error) as error:
        raise ArtifactError(f"{folder} cannot be read as {what} ({error}); make it again") from error


def read_artifact(folder: str | os.PathLike[str], kind: str) -> dict[str, Any]:
    """The manifest of a whole artifact.

    Raises:
        ArtifactError: no artifact there, another kind or a newer layout, or a file missing or changed.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ArtifactError(f"{path} is not a folder; expected an artifact of kind {kind!r}")
    if not is_artifact(path):
        raise ArtifactError(f"{path} has no {MANIFEST}, so it is not a (whole) artifact; make it again")
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        version, found, files = manifest["schema_version"], manifest["kind"], dict(manifest["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path / MANIFEST} is damaged ({error}); make the artifact again") from error
    if version != SCHEMA_VERSION:
        raise ArtifactError(
            f"{path} has layout version {version}, this program reads {SCHEMA_VERSION}; "
            "use the version that made it"
        )
    if found != kind:
        raise ArtifactError(f"{path} holds an artifact of kind {found!r}, expected {kind!r}")
    for name, record in files.items():
        if not (path / name).is_file():
            raise ArtifactError(f"{path} lacks {name}, which its manifest lists; make the artifact again")
        if file_record(path / name) != record:
            raise ArtifactError(
                f"{path / name} differs from what its manifest recorded; make the artifact again"
            )
    return dict(manifest)
