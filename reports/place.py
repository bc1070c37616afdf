"""Where a page stands: alone, or in a set of pages that link to one another.

    find_place("runs/demo/kitchen")     # Place(home='../index.html', names='../dissection/index.html')

A folder belongs to a set if the folder that holds it is a collection and lists it. The links are relative, so
the set can be moved and opened offline.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from reports.contract import ReportError, Row
from reports.read import read_artifact

PAGE = "index.html"


@dataclass(frozen=True)
class Place:
    """Addresses, relative to the page, of the other pages of its set; None where there is none.

    Attributes:
        home: the page of the collection.
        names: the page of the dissection, whose elements `unit-N` say what a unit detects.
    """

    home: str | None = None
    names: str | None = None


def address(folder: str) -> str:
    """The relative address of the page in a folder beside this page, whatever signs the folder's name has."""
    return f"{quote(os.fsencode(folder))}/{PAGE}"


def place_in(collection: Row, name: str) -> Place:
    """The place of the folder `name` inside a collection's folder."""
    home, names = f"../{PAGE}", collection["dissection"]
    if name == names:
        return Place(home)
    if name in [member["folder"] for member in collection["members"]]:
        return Place(home, None if names is None else f"../{address(names)}")
    return Place()


def find_place(folder: str | os.PathLike[str]) -> Place:
    """The place of an artifact folder, found by looking at the folder that holds it."""
    # The browser resolves "../" by the path's text, not through symbolic links, and so does abspath.
    here = Path(os.path.abspath(folder))  # noqa: PTH100
    try:
        kind = json.loads((here.parent / "manifest.json").read_bytes())["kind"]
        if kind == "collection":
            return place_in(read_artifact(here.parent).facts, here.name)
    except (OSError, ValueError, KeyError, TypeError, ReportError):
        # A page of its own needs nothing from the folder above; a damaged collection says so when it is rendered.
        pass
    return Place()
