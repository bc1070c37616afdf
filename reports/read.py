"""Load an artifact folder and check it: what a page shows is what was written, or there is no page.

The folder's contract stands in `docs/artifacts.md`. A folder is accepted if its manifest is of a schema and
kind that this version knows, every file that the manifest lists has the listed size and sha256, and the
documents hold the keys, columns and shapes that the pages use.

    artifact = read_artifact("runs/resnet18/kitchen")
    artifact.facts["text"]
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reports import draw
from reports.contract import (
    COLUMNS,
    LATER,
    MANIFEST,
    SCHEMA_VERSION,
    ReportError,
    Row,
    check_collection,
    check_evidence,
    check_explanation,
    check_profile,
    check_summary,
    need,
    need_type,
    typed_rows,
)
from reports.document import check_document

Kind = Literal["dissection", "explanation", "collection", "profile", "batch", "document"]

_FACTS: dict[str, str] = {
    "dissection": "summary.json",
    "explanation": "explanation.json",
    "collection": "collection.json",
    "profile": "profile.json",
    "document": "document.json",
}
_NEEDED: dict[str, tuple[str, ...]] = {
    "dissection": ("summary.json", "units.csv", "concepts.csv"),
    "explanation": ("explanation.json", "arrays.npz", "image.webp"),
    "collection": ("collection.json",),
    "profile": ("profile.json",),
    "document": ("document.json",),
}


@dataclass(frozen=True)
class Artifact:
    """What an artifact folder holds, read and checked.

    Attributes:
        kind: `"dissection"`, `"explanation"`, `"collection"`, `"profile"` or `"document"`.
        manifest: `manifest.json`.
        facts: `summary.json`, or the file that is called like the kind.
        tables: the rows of each CSV file, by its stem (`units`, `concepts`, `exemplars`, `evidence`, `labels`,
            `compositions`).
        arrays: what the pages use of `arrays.npz`: `signed_map` `[T, h, w]` and `unit_map` `[M, h, w]`.
        photograph: the bytes of `image.webp`, or None.
        strips: the bytes of each unit's exemplar strip.
        evidence: the bytes of each unit's strip of crops for and against its name.
        pictures: the bytes of each picture of a document, by its path.
    """

    kind: Kind
    manifest: Row
    facts: Row
    tables: Mapping[str, list[Row]]
    arrays: Mapping[str, NDArray[np.float32]]
    photograph: bytes | None
    strips: Mapping[int, bytes]
    evidence: Mapping[int, bytes] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)


def read_artifact(folder: str | os.PathLike[str]) -> Artifact:
    """Read and check the artifact in `folder`.

    Raises:
        ReportError: if the folder is missing, no artifact, of a newer schema, or not as it was written.
    """
    root = Path(folder)
    manifest = _manifest(root)
    kind: Kind = manifest["kind"]
    data = {name: _checked_bytes(root, name, entry) for name, entry in sorted(manifest["files"].items())}
    missing = [name for name in _NEEDED[kind] if name not in data]
    if missing:
        names = ", ".join(missing)
        raise ReportError(f"{root}: the manifest of this {kind} does not list {names}; make it again")
    facts = _json(data[_FACTS[kind]], f"{root / _FACTS[kind]}")
    tables = {
        stem: typed_rows(data[f"{stem}.csv"], str(root / f"{stem}.csv"), columns, LATER.get(stem))
        for stem, columns in COLUMNS.items()
        if kind == "dissection" and f"{stem}.csv" in data
    }
    arrays: dict[str, NDArray[np.float32]] = {}
    if kind == "dissection":
        check_summary(facts, tables, root)
    elif kind == "collection":
        check_collection(facts, str(root / "collection.json"))
    elif kind == "profile":
        check_profile(facts, str(root / "profile.json"))
    elif kind == "document":
        check_document(facts, data, str(root / "document.json"))
    else:
        arrays = _arrays(data["arrays.npz"], ("signed_map", "unit_map"), root / "arrays.npz")
        check_explanation(facts, arrays, str(root / "explanation.json"))
    for name, content in data.items():
        if name.endswith(".webp"):
            _check_picture(content, root / name)
    evidence = _strips(data, "evidence")
    if kind in ("dissection", "explanation"):
        rows = tables.get("evidence", []) if kind == "dissection" else facts.get("evidence", [])
        sizes = {unit: draw.image_size(picture) for unit, picture in evidence.items()}
        where = "evidence.csv" if kind == "dissection" else "explanation.json: evidence"
        check_evidence(rows, sizes, str(root / where))
    photograph = data.get("image.webp")
    pictures = {name: data[name] for name in data if name.startswith("pictures/")}
    return Artifact(
        kind, manifest, facts, tables, arrays, photograph, _strips(data, "exemplars"), evidence, pictures
    )


def _manifest(root: Path) -> Row:
    if not root.is_dir():
        what = "is a file, not" if root.exists() else "does not exist; expected"
        raise ReportError(f"{root} {what} an artifact folder (a folder with a manifest.json)")
    path = root / "manifest.json"
    if not path.is_file():
        raise ReportError(
            f"{root} is not an artifact: it has no manifest.json; expected a folder "
            "written by a dissection, an explanation or a collection (an unfinished run leaves none)"
        )
    manifest = _json(path.read_bytes(), str(path))
    version, kind = manifest.get("schema_version"), manifest.get("kind")
    if not isinstance(version, int) or version < 1:
        raise ReportError(f"{path}: expected a schema_version from 1, got {version!r}; not our manifest")
    if version > SCHEMA_VERSION:
        raise ReportError(
            f"{path}: schema_version {version} is newer than this program, which reads up to "
            f"{SCHEMA_VERSION}; install a newer neuro-explain"
        )
    if kind not in _FACTS:
        kinds = ", ".join(map(repr, _FACTS))
        raise ReportError(f"{path}: expected a kind among {kinds}, got {kind!r}")
    need(manifest, MANIFEST, str(path))
    need_type(manifest["files"], dict, f"{path}: files")
    return manifest


def _checked_bytes(root: Path, name: str, entry: Any) -> bytes:
    """A file of the artifact, if it is inside the folder and as long and as hashed as the manifest says."""
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts or "\\" in name or ":" in name:
        raise ReportError(f"{root}: the manifest lists {name!r}, which is outside the folder")
    need(entry, ["bytes", "sha256"], f"{root / 'manifest.json'}: files: {name}")
    path = root / name
    if not path.is_file():
        raise ReportError(f"{path} is missing, although the manifest lists it; make the artifact again")
    data = path.read_bytes()
    if len(data) != entry["bytes"]:
        raise ReportError(
            f"{path} is cut off or changed: expected {entry['bytes']} bytes, got {len(data)}; "
            "make the artifact again"
        )
    if hashlib.sha256(data).hexdigest() != str(entry["sha256"]).removeprefix("sha256:"):
        raise ReportError(f"{path} was changed after it was written (other sha256); make the artifact again")
    return data


def _json(data: bytes, where: str) -> Row:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not a number")

    try:
        value = json.loads(data.decode("utf-8"), parse_constant=refuse)
    except ValueError as error:
        raise ReportError(f"{where} is not readable JSON ({error}); make the artifact again") from error
    need_type(value, dict, where)
    return value  # type: ignore[no-any-return]


def _arrays(data: bytes, names: Iterable[str], path: Path) -> dict[str, NDArray[np.float32]]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: np.asarray(archive[name], dtype=np.float32) for name in names}
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise ReportError(f"{path}: expected the arrays {', '.join(names)} ({error})") from error
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ReportError(f"{path}: {name} holds values that are not finite")
    return arrays


def _check_picture(data: bytes, path: Path) -> None:
    try:
        with Image.open(io.BytesIO(data)):
            pass
    except OSError as error:
        raise ReportError(f"{path} is not a picture that can be opened; make the artifact again") from error


def _strips(data: Mapping[str, bytes], folder: str) -> dict[int, bytes]:
    """Pictures by unit, from names such as `exemplars/unit-00012.webp`."""
    strips = {}
    for name, content in data.items():
        path = PurePosixPath(name)
        digits = path.stem.removeprefix("unit-")
        if path.parent.name == folder and path.suffix == ".webp" and digits.isdecimal():
            strips[int(digits)] = content
    return strips
