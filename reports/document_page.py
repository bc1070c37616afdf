"""What the page of a document says: its figures, text, tables and pictures, as `document.json` has them."""

from __future__ import annotations

from urllib.parse import quote

from reports import draw
from reports.contract import Row
from reports.read import Artifact


def document_view(artifact: Artifact) -> Row:
    """The template's variables for a document."""
    facts = artifact.facts
    return {
        "title": facts["title"],
        "manifest": artifact.manifest,
        "facts": facts,
        "pictures": {name: _picture(data) for name, data in sorted(artifact.pictures.items())},
        "address": lambda path: quote(path),
    }


def _picture(data: bytes) -> Row:
    width, height = draw.image_size(data)
    return {"uri": draw.data_uri(data), "width": width, "height": height}
