"""Make the page of an artifact folder: one HTML file that opens anywhere, offline, by double click.

    write_report("runs/resnet18/kitchen")                    # runs/resnet18/kitchen/index.html
    write_report("runs/resnet18/kitchen", colors="paper")    # the same in rainbow colours at first sight

The page needs nothing but itself: one stylesheet, plain scripts and every picture lie inside it, each picture
once. Its content security policy allows exactly these styles and scripts (by hash) and `data:` pictures, so
no request can leave it. Names, labels and file names are hostile input: the templates escape everything, and
the JSON inside the page cannot end its element. The same folder gives the same bytes: no clock, no chance.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import jinja2
from markupsafe import Markup

from reports import draw, words
from reports.contract import ReportError, Row
from reports.dissection_page import dissection_view
from reports.explanation_page import explanation_maps, explanation_view
from reports.read import Artifact, read_artifact

Colors = Literal["perceptual", "paper"]

TEMPLATES = Path(__file__).parent / "templates"
BYTES_OF_EXPLANATION = 250_000  # with up to ten exemplar strips; more strips may take as much again for each
BYTES_OF_STRIPS = 8_000_000  # of a dissection page: 2,048 strips of 4 kB
_SMALLER: tuple[tuple[int, int | None], ...] = ((75, None), (60, None), (45, None), (35, 72), (25, 64))


def write_report(folder: str | os.PathLike[str], *, colors: Colors = "perceptual") -> Path:
    """Render `index.html` into an artifact folder, from its files alone, and return its path.

    Args:
        folder: an artifact folder of kind dissection or explanation.
        colors: the colour map at first sight; the reader can change it on the page.

    Raises:
        ReportError: if the folder holds no artifact that a page can be made from.
    """
    if colors not in ("perceptual", "paper"):
        raise ReportError(f"colors: expected 'perceptual' or 'paper', got {colors!r}")
    artifact = read_artifact(folder)
    render = _explanation if artifact.kind == "explanation" else _dissection
    page = render(artifact, colors)
    path = Path(folder) / "index.html"
    unfinished = path.with_name(f".index.html.{os.getpid()}")
    try:
        unfinished.write_bytes(page)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _explanation(artifact: Artifact, colors: Colors) -> bytes:
    """The page of an explanation; pictures are encoded again, ever smaller, until it fits its size."""
    view = explanation_view(artifact, "paper" if colors == "paper" else "heat")
    columns = [column for target in view["targets"] for column in target["columns"]]
    shown = {unit["unit"] for column in columns for unit in column["units"]}
    strips = {unit: data for unit, data in sorted(artifact.strips.items()) if unit in shown}
    limit = BYTES_OF_EXPLANATION * max(10, len(strips)) // 10
    view["twin"] = _island(
        {"explanation": artifact.facts, "manifest": artifact.manifest, "maps": explanation_maps(artifact)}
        | {"colours": _colour_tables()}
    )
    view["paper"] = colors == "paper"
    photograph = artifact.photograph or b""
    page = b""
    for smaller in (None, *_SMALLER):
        pictures = {
            "photograph": _picture(photograph, (smaller[0], None) if smaller else None),
            "strips": {unit: _picture(data, smaller) for unit, data in strips.items()},
        }
        page = _render("explanation.html", artifact, {**view, **pictures})
        if len(page) <= limit:
            break
    return page


def _dissection(artifact: Artifact, colors: Colors) -> bytes:
    """The page of a dissection; strips that together are too large for one page are encoded again."""
    view = dissection_view(artifact)
    whole = sum(map(len, artifact.strips.values()))
    smaller = None
    if whole > BYTES_OF_STRIPS:
        # The first step that fits, judged by a sample: every strip is encoded only once more.
        sample = dict(sorted(artifact.strips.items())[:: max(1, len(artifact.strips) // 16)])
        bare = sum(map(len, sample.values()))
        for smaller in _SMALLER:
            made = sum(len(draw.shrink(data, *smaller)) for data in sample.values())
            if whole * made / bare <= BYTES_OF_STRIPS:
                break
    strips = {unit: _picture(data, smaller) for unit, data in sorted(artifact.strips.items())}
    twin = {"manifest": artifact.manifest, "summary": artifact.facts}
    twin |= {name: _columns(rows) for name, rows in artifact.tables.items() if name != "exemplars"}
    view |= {"strips": strips, "smaller": smaller is not None, "twin": _island(twin)}
    return _render("dissection.html", artifact, view)


def _picture(data: bytes, smaller: tuple[int, int | None] | None) -> Row:
    """An encoded picture for a template: its `data:` address, width and height."""
    made = draw.shrink(data, *smaller) if smaller else data
    width, height = draw.image_size(made)
    return {"uri": draw.data_uri(made), "width": width, "height": height}


def _colour_tables() -> dict[str, str]:
    tables = {name: draw.colour_table(name).tobytes() for name in ("heat", "signed", "paper")}
    return {name: base64.b64encode(table).decode("ascii") for name, table in tables.items()}


def _columns(rows: list[Row]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _island(value: Any) -> Markup:
    """JSON that is safe inside a script element: no `<`, `>`, `&` and nothing beyond ASCII remains."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(signed_bar=draw.signed_bar, share_bar=draw.share_bar)
    return environment


@cache
def _asset(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def _policy(styles: Iterable[str], scripts: Iterable[str]) -> str:
    """A content security policy that lets in these styles and scripts, `data:` pictures and nothing else."""

    def hashes(texts: Iterable[str]) -> str:
        digests = (hashlib.sha256(text.encode()).digest() for text in texts)
        return " ".join(f"'sha256-{base64.b64encode(digest).decode('ascii')}'" for digest in digests)

    return (
        f"default-src 'none'; img-src data:; style-src {hashes(styles)}; script-src {hashes(scripts)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _made_with(artifact: Artifact) -> list[tuple[str, Any]]:
    """What the artifact was made with, as terms and their values."""
    manifest, facts = artifact.manifest, artifact.facts
    rows: list[tuple[str, Any]] = [("Model", manifest["model"]), ("Layer", manifest["layer"])]
    if artifact.kind == "explanation":
        model, names = facts["model"], facts["names"]
        rows += [
            ("Why this layer", model["layer_reason"]),
            ("Origin of the weights", model["origin"]),
            ("Licence of the weights", model["licence"]),
            ("Names from", names["source"]),
            ("Names belong to these weights", "yes" if names["verified"] else "not verified"),
        ]
    else:
        names = facts
        rows.append(("Why this layer", facts["layer_reason"]))
    rows += [
        ("Concept sets", ", ".join(names["concept_sets"]) or "none"),
        ("Quantile q", words.plain(names["quantile"])),
        ("Smallest IoU of a name", words.plain(names["min_iou"])),
        ("Weights fingerprint", manifest["weights_fingerprint"] or "none"),
        ("Data fingerprint", manifest["data_fingerprint"] or "none"),
        ("Seed", str(manifest["seed"])),
        ("Made", manifest["created"]),
        ("Versions", ", ".join(f"{name} {number}" for name, number in sorted(manifest["versions"].items()))),
    ]
    return rows


def _render(template: str, artifact: Artifact, view: Mapping[str, Any]) -> bytes:
    style, first = _asset("page.css"), _asset("first.js")
    names = ("maps.js", "explanation.js") if artifact.kind == "explanation" else ("dissection.js",)
    script = Markup("\n").join(_asset(name) for name in (*names, "shell.js"))
    options = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
        for name, value in sorted(artifact.manifest["options"].items())
    }
    command = artifact.manifest["command"]
    shell = {
        "policy": _policy([style], [first, script]),
        "style": style,
        "first_script": first,
        "script": script,
        "environment": _made_with(artifact),
        "options": options,
        "command": shlex.join(command) if command else None,
    }
    return _environment().get_template(template).render({**view, **shell}).encode("utf-8")
