"""Make the index page of a batch run: every image of it, to be filtered, sorted and looked through.

    write_batch_page("runs/resnet18/batch")      # runs/resnet18/batch/index.html

The page is one file with sheets of thumbnails beside it, which are all that it ever asks for: its content security
policy lets in its own style and script (by hash) and pictures from beside it. What it says of each image is packed in
columns (`batch_rows`), which the script reads; of 36,500 images that is about two megabytes. Without scripts there
remain what was run and the counts per class. The same folder gives the same bytes: no clock, no chance.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports import words
from reports.batch_rows import SIDES, Rows, packed, packed_names, read_rows
from reports.contract import MANIFEST, SCHEMA_VERSION, ReportError, Row, need, need_type
from reports.place import PAGE, Place
from reports.read import Artifact
from reports.shell import island, put, render

LISTED = 200_000
"""As many images a page lists: more would take a browser seconds to open. The counts are always of all."""

RUN = "run.json"
"""The file that makes a folder one of a batch run."""

SHOWN = 60
"""Images that the page shows at a time."""

ACROSS = 32
"""Thumbnails beside each other in a sheet."""

_RUN = ("names", "inputs", "classes", "units", "options")


def page_slug(image: str) -> str:
    """The name of the folder inside `pages/` that holds the explanation of an image of the run.

    >>> page_slug("kitchen/0001.jpg")
    '255a1fc79d9c8f4a'
    """
    return hashlib.sha256(image.encode()).hexdigest()[:16]


def write_batch_page(folder: str | os.PathLike[str]) -> Path:
    """Render `index.html` into the folder of a finished batch run, and return its path.

    Explanations that stand in `pages/` by then are linked; for the others the page shows the command that makes them.

    Args:
        folder: an artifact folder of kind batch.

    Raises:
        ReportError: the folder holds no batch run, an unfinished one, or one that is not as it was written.
    """
    root = Path(folder)
    manifest, run = _read(root)
    files = manifest["files"]
    parts = [root / name for name in sorted(files) if name.startswith("predictions/")]
    options = run["options"]
    rows = read_rows(
        parts,
        classes=len(run["classes"]),
        units=run["units"],
        top=options["top"],
        rank_by=options["rank_by"],
        own_labels=run["inputs"].get("own_labels"),
    )
    images = manifest["summary"]["images"]
    if len(rows.ids) != images:
        raise ReportError(
            f"{root}: expected {images} images, as manifest.json says, got {len(rows.ids)} rows"
        )
    sheets = [root / name for name in sorted(files) if name.startswith("thumbnails/")]
    view = _view(root, manifest, run, rows)
    view["sheets"] = _megabytes(sum(files[path.relative_to(root).as_posix()]["bytes"] for path in sheets))
    view["thumbnails"] = bool(sheets)
    view["twin"] = island(_twin(root, run, rows, sheets))
    artifact = Artifact("batch", manifest, run, {}, {}, None, {})
    # Its size stands on the page, and how that is written may change the size; a length of text settles it.
    page = b""
    for _ in range(2):
        view["size"] = _megabytes(len(page))
        page = render("batch.html", artifact, view, Place())
    return put(root, page)


def _read(root: Path) -> tuple[Row, Row]:
    """The manifest and the plan of a run."""
    if not (root / RUN).is_file():
        raise ReportError(f"{root} holds no batch run: it has no run.json; give the folder of one")
    run = _json(root / RUN)
    if run.get("kind") != "batch":
        raise ReportError(f"{root / 'run.json'}: expected kind 'batch', got {run.get('kind')!r}")
    version = run.get("schema_version")
    if not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
        raise ReportError(
            f"{root / 'run.json'}: this program reads a schema_version from 1 to {SCHEMA_VERSION}, got {version!r}; "
            "use the version of neuro-explain that made it, or a newer one"
        )
    need(run, _RUN, str(root / RUN))
    for part, keys in (("options", ("top", "rank_by")), ("names", ("source",)), ("inputs", ("source",))):
        need(run[part], keys, f"{root / 'run.json'}: {part}")
    if not (root / "manifest.json").is_file():
        raise ReportError(
            f"the run in {root} is not finished (it has no manifest.json); "
            f"go on with `neuro-explain batch … --out {root.resolve().name} --resume`"
        )
    manifest = _json(root / "manifest.json")
    need(manifest, (*MANIFEST, "summary"), str(root / "manifest.json"))
    need(manifest["summary"], ("images",), f"{root / 'manifest.json'}: summary")
    return manifest, run


def _json(path: Path) -> Row:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ReportError(f"{path} is not readable JSON ({error}); make the run again") from error
    need_type(value, dict, str(path))
    return value  # type: ignore[no-any-return]


def _view(root: Path, manifest: Row, run: Row, rows: Rows) -> Row:
    """The template's variables, without what depends on the size of things."""
    counts = _class_counts(run["classes"], rows)
    seen = [row for row in counts if row["predicted"] or (row["labelled"] and rows.own is None)]
    judged = int(((rows.predicted >= 0) & (rows.label >= 0)).sum())
    right = sum(row["right"] for row in counts)
    return {
        "manifest": manifest,
        "folder": root.resolve().name,
        "images": len(rows.ids),
        "listed": min(len(rows.ids), LISTED),
        "errors": len(rows.errors),
        "judged": judged,
        "right": right,
        "wrong": judged - right,
        "unlabelled": len(rows.ids) - len(rows.errors) - judged,
        "accuracy": words.percent(right / judged) if judged else None,
        "names": run["names"]["source"],
        "classes": len(counts),
        "predicted_classes": sum(row["predicted"] > 0 for row in counts),
        "counts": seen,
        "own_labels": None if rows.own is None else _label_counts(run, rows.own, rows),
    }


def _label_counts(run: Row, own: NDArray[np.int32], rows: Rows) -> list[Row]:
    """Of each label that is no class: how many readable images carry it, and of how many the answer is right."""
    carried = (rows.predicted >= 0) & (own >= 0)
    names = run["inputs"]["own_labels"]["names"]
    images = np.bincount(own[carried], minlength=len(names)).tolist()
    right = np.bincount(own[carried & (rows.predicted == rows.label)], minlength=len(names)).tolist()
    return [
        {
            "name": name,
            "images": images[number],
            "right": right[number],
            "found": words.percent(right[number] / images[number]) if images[number] else "–",
        }
        for number, name in enumerate(names)
    ]


def _class_counts(classes: Sequence[str], rows: Rows) -> list[Row]:
    """Of each class: how often it was said, and was right; how many images carry it as their label."""
    read = rows.predicted >= 0
    right = read & (rows.predicted == rows.label)

    def counted(numbers: Any) -> list[int]:
        return np.bincount(numbers, minlength=len(classes)).tolist()  # type: ignore[no-any-return]

    said, hits = counted(rows.predicted[read]), counted(rows.predicted[right])
    carried = counted(rows.label[read & (rows.label >= 0)])
    table = [
        {
            "number": number,
            "name": name,
            "predicted": said[number],
            "labelled": carried[number],
            "right": hits[number],
            "found": words.percent(hits[number] / carried[number]) if carried[number] else "–",
        }
        for number, name in enumerate(classes)
    ]
    return sorted(table, key=lambda row: (-row["predicted"], -row["labelled"], row["number"]))


def _twin(root: Path, run: Row, rows: Rows, sheets: Sequence[Path]) -> Row:
    """What the page's script reads."""
    concepts, unit_concept = _concepts(root / "units.csv", run["units"])
    addresses = _sheets(sheets, rows.parts) if sheets else None
    if len(rows.ids) > LISTED:
        rows = rows.take(np.sort(rows.surprising()[:LISTED]))
    return {
        "across": ACROSS,
        "classes": run["classes"],
        "command": ["neuro-explain", "report", root.resolve().name, "--image"],
        "concepts": concepts,
        "errors": {str(place): text for place, text in rows.errors.items()},
        "ids": packed_names(rows.ids),
        "label": packed(rows.label),
        "own": None if rows.own is None else packed(rows.own),
        "labels": run["classes"] if rows.own is None else run["inputs"]["own_labels"]["names"],
        "number": packed(rows.number) if len(rows.ids) != sum(rows.parts) else None,
        "pages": _pages(root, rows.ids),
        "parts": list(rows.parts),
        "predicted": packed(rows.predicted),
        "probability": packed(rows.probability),
        "sheets": addresses,
        "shown": SHOWN,
        "speaking": {side: packed(rows.speaking[side]) for side in SIDES},
        "top": run["options"]["top"],
        "unit_concept": packed(np.array(unit_concept, np.int32)),
    }


def _concepts(path: Path, units: int) -> tuple[list[tuple[str, str]], list[int]]:
    """The names in use with their categories, in alphabetical order, and the number of each unit's.

    The number of an unnamed unit is one beyond the last name.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            table = [(int(row["unit"]), row["concept"], row["category"]) for row in csv.DictReader(stream)]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise ReportError(f"{path} cannot be read ({error!r}); make the run again") from error
    if [row[0] for row in table] != list(range(units)):
        raise ReportError(f"{path}: expected a row for each of {units} units in order, got {len(table)}")
    named = [(concept, category) for _, concept, category in table]
    concepts = sorted({name for name in named if name[0]})
    number = {name: place for place, name in enumerate(concepts)}
    return concepts, [number.get(name, len(concepts)) for name in named]


def _sheets(sheets: Sequence[Path], parts: Sequence[int]) -> list[str]:
    """The address of each part's sheet, relative to the page."""
    if len(sheets) != len(parts):
        raise ReportError(
            f"{sheets[0].parent}: expected {len(parts)} sheets, one per part, got {len(sheets)}"
        )
    for path in sheets:
        if not path.is_file():
            raise ReportError(f"{path} is missing, although the manifest lists it; make the run again")
    return [f"thumbnails/{path.name}" for path in sheets]


def _pages(root: Path, ids: Sequence[str]) -> dict[str, str]:
    """Of each image whose explanation is there: its place, and the name of the folder in `pages/`."""
    there = {path.parent.name for path in root.glob(f"pages/*/{PAGE}")}
    slugs = {place: page_slug(image) for place, image in enumerate(ids)} if there else {}
    return {str(place): slug for place, slug in slugs.items() if slug in there}


def _megabytes(size: int) -> str:
    return "less than 0.1 MB" if size < 100_000 else f"{size / 1e6:,.1f} MB"
