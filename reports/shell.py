"""What every page has around its contents: style and scripts, the policy that lets in only these, provenance.

page = render("dissection.html", artifact, view, place)      # the bytes of one HTML file
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
from typing import Any

import jinja2
from markupsafe import Markup

from reports import draw, words
from reports.place import PAGE, Place
from reports.read import Artifact

TEMPLATES = Path(__file__).parent / "templates"
_SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "explanation": ("maps.js", "explanation.js"),
    "dissection": ("dissection.js",),
    "collection": ("collection.js",),
    "profile": ("profile.js",),
    "batch": ("batch_rows.js", "batch.js"),
    "document": (),
}


def render(template: str, artifact: Artifact, view: Mapping[str, Any], place: Place) -> bytes:
    """The page of an artifact.

    Args:
        template: name of the template.
        artifact: what the page shows.
        view: the template's own variables.
        place: the pages that this one links to; a page that stands alone carries nothing for links.
    """
    in_a_set = artifact.kind in ("collection", "batch", "document") or place.home is not None
    asked = artifact.facts.get("asked") if artifact.kind == "explanation" else None
    styles = ["page.css", *(["set.css"] if in_a_set else []), *(["asked.css"] if asked else [])]
    styles += [f"{artifact.kind}.css"] if artifact.kind in ("profile", "document") else []
    if artifact.kind == "batch":
        styles.append("batch.css")
    links = ["links.js"] if place.names is not None else []
    caption = ["caption.js"] if asked and asked["task"] == "caption" else []
    style = _joined(styles)
    first, script = _asset("first.js"), _joined([*links, *_SCRIPTS[artifact.kind], *caption, "shell.js"])
    options = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
        for name, value in sorted(artifact.manifest["options"].items())
    }
    command = artifact.manifest["command"]
    shell = {
        "policy": _policy([style], [first, script], beside=artifact.kind == "batch"),
        "style": style,
        "first_script": first,
        "script": script,
        "place": place,
        "environment": _made_with(artifact),
        "options": options,
        "command": shlex.join(command) if command else None,
    }
    return _environment().get_template(template).render({**view, **shell}).encode("utf-8")


def render_alone(
    template: str, view: Mapping[str, Any], *, styles: Iterable[str], scripts: Iterable[str]
) -> bytes:
    """A page that shows no artifact, and says nothing of what it was made with.

    Args:
        template: its name; gets `policy`, `style`, `first_script` and `script` besides.
        view: the template's own variables.
        styles, scripts: names of files beside it, `page.css` and `shell.js` not among them.
    """
    style, first = _joined(["page.css", *styles]), _asset("first.js")
    script = _joined([*scripts, "shell.js"])
    shell = {
        "policy": _policy([style], [first, script]),
        "style": style,
        "first_script": first,
        "script": script,
    }
    return _environment().get_template(template).render({**view, **shell}).encode("utf-8")


def island(value: Any) -> Markup:
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


def _joined(names: Iterable[str]) -> Markup:
    return Markup("\n").join(_asset(name) for name in names)


def _policy(styles: Iterable[str], scripts: Iterable[str], *, beside: bool = False) -> str:
    """A content security policy that lets in these styles and scripts, `data:` pictures and nothing else.

    With `beside`, pictures of the page's own origin too: of its host, or on a disk those that are files.
    """

    def hashes(texts: Iterable[str]) -> str:
        digests = (hashlib.sha256(text.encode()).digest() for text in texts)
        return " ".join(f"'sha256-{base64.b64encode(digest).decode('ascii')}'" for digest in digests)

    pictures = "'self' data:" if beside else "data:"
    return (
        f"default-src 'none'; img-src {pictures}; style-src {hashes(styles)}; script-src {hashes(scripts)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _made_with(artifact: Artifact) -> list[tuple[str, Any]]:
    """What the artifact was made with, as terms and their values."""
    manifest, facts = artifact.manifest, artifact.facts
    rows: list[tuple[str, Any]] = [("Model", manifest["model"]), ("Layer", manifest["layer"])]
    if artifact.kind == "explanation":
        model = facts["model"]
        rows += [
            ("Why this layer", model["layer_reason"]),
            ("Origin of the weights", model["origin"]),
            ("Licence of the weights", model["licence"]),
            ("Names from", facts["names"]["source"]),
            ("Names belong to these weights", "yes" if facts["names"]["verified"] else "not verified"),
            *_naming(facts["names"]),
        ]
    elif artifact.kind == "batch":
        rows += [("Names from", facts["names"]["source"]), ("Images from", facts["inputs"]["source"])]
    elif artifact.kind == "dissection":
        rows += [("Why this layer", facts["layer_reason"]), *_naming(facts)]
    rows.append(("Weights fingerprint", manifest["weights_fingerprint"] or "none"))
    whole = (facts.get("asked") or {}).get("fingerprint") if artifact.kind == "explanation" else None
    if whole is not None:
        rows.append(("Whole network’s fingerprint", whole))
    if artifact.kind != "collection":  # its members have their own
        rows.append(("Data fingerprint", manifest["data_fingerprint"] or "none"))
        rows.append(("Seed", str(manifest["seed"])))
    versions = ", ".join(f"{name} {number}" for name, number in sorted(manifest["versions"].items()))
    return [*rows, ("Made", manifest["created"]), ("Versions", versions)]


def _naming(names: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("Concept sets", ", ".join(names["concept_sets"]) or "none"),
        ("Share of positions that are active", words.plain(names["quantile"])),
        ("Smallest IoU of a name", words.plain(names["min_iou"])),
    ]


def put(folder: Path, page: bytes) -> Path:
    """Write a page whole or not at all."""
    path = folder / PAGE
    unfinished = path.with_name(f".{PAGE}.{os.getpid()}")
    try:
        unfinished.write_bytes(page)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path
