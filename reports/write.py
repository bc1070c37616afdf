"""Make the page of an artifact folder: one HTML file that opens anywhere, offline, by double click.

    write_report("runs/resnet18/kitchen")                    # runs/resnet18/kitchen/index.html
    write_report("runs/resnet18/kitchen", colors="paper")    # the same in rainbow colours at first sight
    write_report("runs/demo")                                # a collection: its page and those of its members

The page needs nothing but itself: one stylesheet, plain scripts and every picture lie inside it, each picture
once. Its content security policy allows exactly these styles and scripts (by hash) and `data:` pictures, so
no request can leave it. Names, labels and file names are hostile input: the templates escape everything, and
the JSON inside the page cannot end its element. The same folder gives the same bytes: no clock, no chance.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from reports import draw
from reports.batch_page import RUN, write_batch_page
from reports.collection_page import collection_twin, collection_view
from reports.contract import ReportError, Row
from reports.dissection_page import dissection_view
from reports.document_page import document_view
from reports.explanation_page import explanation_maps, explanation_view
from reports.place import Place, find_place, place_in
from reports.profile_page import profile_twin, profile_view
from reports.read import Artifact, read_artifact
from reports.shell import island, put, render

Colors = Literal["perceptual", "paper"]

BYTES_OF_EXPLANATION = 250_000  # with up to ten exemplar strips; more strips may take as much again for each
BYTES_OF_EVIDENCE = 40_000  # beside them, for the crops behind "why this name" of ten units
TARGETS = 8  # as many targets as that holds
BYTES_OF_TARGET = 11_500  # a caption has a target for each word: 20 words make 400 kB
BYTES_OF_STRIPS = 8_000_000  # of a dissection page: 2,048 strips of 4 kB
BYTES_OF_CROPS = 4_000_000  # of a dissection page: half as much for the crops behind "why this name"
_SMALLER: tuple[tuple[int, int | None], ...] = ((75, None), (60, None), (45, None), (35, 72), (25, 64))


def write_report(folder: str | os.PathLike[str], *, colors: Colors = "perceptual") -> Path:
    """Render `index.html` into an artifact folder, from its files alone, and return its path.

    The pages of a collection's members and of its dissection are rendered with it, so that every link on its
    page leads somewhere; a page of a folder that a collection lists links back to the collection's page.

    Args:
        folder: an artifact folder of kind dissection, explanation, collection, profile, batch or document.
        colors: the colour map at first sight; the reader can change it on the page.

    Raises:
        ReportError: if the folder holds no artifact that a page can be made from.
    """
    if colors not in ("perceptual", "paper"):
        raise ReportError(f"colors: expected 'perceptual' or 'paper', got {colors!r}")
    if (Path(folder) / RUN).is_file():
        return write_batch_page(folder)
    artifact = read_artifact(folder)
    if artifact.kind == "collection":
        return _write_collection(Path(folder), artifact, colors)
    return put(Path(folder), _page(artifact, colors, find_place(folder)))


def _page(artifact: Artifact, colors: Colors, place: Place) -> bytes:
    made = {
        "explanation": _explanation,
        "dissection": _dissection,
        "profile": _profile,
        "document": _document,
    }[artifact.kind]
    return made(artifact, colors, place)


def _write_collection(root: Path, artifact: Artifact, colors: Colors) -> Path:
    """The pages of all members and of the dissection, and last the page that links to them."""
    facts = artifact.facts

    def read(name: str, kind: str) -> Artifact:
        part = read_artifact(root / name)
        if part.kind != kind:
            raise ReportError(f"{root / name}: expected kind {kind!r}, as {root} lists it, got {part.kind!r}")
        return part

    members = [(row, read(row["folder"], "explanation")) for row in facts["members"]]
    pages = [(row["folder"], member) for row, member in members]
    if facts["dissection"] is not None:
        pages.append((facts["dissection"], read(facts["dissection"], "dissection")))
    view = collection_view(artifact, members, "paper" if colors == "paper" else "heat")
    view["twin"] = island(collection_twin(artifact, view["cards"]))
    for name, part in pages:
        put(root / name, _page(part, colors, place_in(facts, name)))
    return put(root, render("collection.html", artifact, view, Place()))


def _explanation(artifact: Artifact, colors: Colors, place: Place) -> bytes:
    """The page of an explanation; pictures are encoded again, ever smaller, until it fits its size."""
    view = explanation_view(artifact, "paper" if colors == "paper" else "heat")
    columns = [column for target in view["targets"] for column in target["columns"]]
    shown = {unit["unit"] for column in columns for unit in column["units"]}
    strips = {unit: data for unit, data in sorted(artifact.strips.items()) if unit in shown}
    first = {
        unit["unit"] for column in view["targets"][0]["columns"] for unit in column["units"] if unit["crops"]
    }
    evidence = {unit: data for unit, data in sorted(artifact.evidence.items()) if unit in first}
    limit = BYTES_OF_EXPLANATION * max(10, len(strips)) // 10
    limit += BYTES_OF_TARGET * max(0, len(view["targets"]) - TARGETS)
    # In base64 three bytes are four. These crops stand small, two in a card's half.
    smaller_crops = _fitting(evidence, BYTES_OF_EVIDENCE * 3 // 4 * max(10, len(evidence)) // 10)
    crops = _pictures(evidence, smaller_crops)
    limit += sum(len(picture["uri"]) for picture in crops.values())
    view["twin"] = island(
        {
            "explanation": _with_columns(artifact.facts),
            "manifest": artifact.manifest,
            "maps": explanation_maps(artifact),
        }
        | {"colours": _colour_tables()}
    )
    view["paper"] = colors == "paper"
    photograph = artifact.photograph or b""
    page = b""
    for smaller in (None, *_SMALLER):
        pictures = {
            "photograph": _picture(photograph, (smaller[0], None) if smaller else None),
            "strips": _pictures(strips, smaller),
            "evidence": crops,
        }
        page = render("explanation.html", artifact, {**view, **pictures}, place)
        if len(page) <= limit:
            break
    return page


def _dissection(artifact: Artifact, _: Colors, place: Place) -> bytes:
    """The page of a dissection; strips that together are too large for one page are encoded again."""
    view = dissection_view(artifact)
    strips, evidence = _fitting(artifact.strips, BYTES_OF_STRIPS), _fitting(artifact.evidence, BYTES_OF_CROPS)
    smaller = [name for name, step in (("exemplars/", strips), ("evidence/", evidence)) if step is not None]
    twin = {"manifest": artifact.manifest, "summary": artifact.facts}
    twin |= {name: _columns(artifact.tables[name]) for name in ("units", "concepts")}
    view |= {
        "strips": _pictures(artifact.strips, strips),
        "evidence": _pictures(artifact.evidence, evidence),
        "smaller": smaller,
        "twin": island(twin),
    }
    return render("dissection.html", artifact, view, place)


def _fitting(pictures: Mapping[int, bytes], limit: int) -> tuple[int, int | None] | None:
    """How to encode pictures again so that they fit a number of bytes together; None if they do as they are.

    The first step that fits, judged by a sample: every picture is encoded only once more.
    """
    whole = sum(map(len, pictures.values()))
    if whole <= limit:
        return None
    sample = [data for _, data in sorted(pictures.items())][:: max(1, len(pictures) // 16)]
    bare = sum(map(len, sample))
    for smaller in _SMALLER:
        made = sum(len(draw.shrink(data, *smaller)) for data in sample)
        if whole * made / bare <= limit:
            break
    return smaller


def _pictures(pictures: Mapping[int, bytes], smaller: tuple[int, int | None] | None) -> dict[int, Row]:
    return {unit: _picture(data, smaller) for unit, data in sorted(pictures.items())}


def _profile(artifact: Artifact, _: Colors, place: Place) -> bytes:
    """The page of a profile, which has no pictures."""
    view = profile_view(artifact)
    view["twin"] = island(profile_twin(artifact))
    return render("profile.html", artifact, view, place)


def _document(artifact: Artifact, _: Colors, place: Place) -> bytes:
    """The page of a document."""
    view = document_view(artifact)
    view["twin"] = island({"document": artifact.facts, "manifest": artifact.manifest})
    return render("document.html", artifact, view, place)


def _picture(data: bytes, smaller: tuple[int, int | None] | None) -> Row:
    """An encoded picture for a template: its `data:` address, width and height."""
    made = draw.shrink(data, *smaller) if smaller else data
    width, height = draw.image_size(made)
    return {"uri": draw.data_uri(made), "width": width, "height": height}


def _colour_tables() -> dict[str, str]:
    tables = {name: draw.colour_table(name).tobytes() for name in ("heat", "signed", "paper")}
    return {name: base64.b64encode(table).decode("ascii") for name, table in tables.items()}


def _with_columns(facts: Row) -> Row:
    """An explanation whose lists of units are tables by column: the keys of many targets' units would fill the page."""
    sides = ("for", "against")
    targets = [target | {side: _columns(target[side]) for side in sides} for target in facts["targets"]]
    return facts | {"targets": targets}


def _columns(rows: list[Row]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
