"""What do the readers of annotated images share? Tables of JSON and XML that are checked, boxes that are clipped."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path
from typing import Any

from neuro_explain.evaluate.annotations import Box
from neuro_explain.evaluate.counted import counted


class Notes:
    """Counts what was left out or put right, and says it."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, what: str, count: int = 1) -> None:
        """Counts `what`, a plural: "boxes that reached beyond their image were clipped"."""
        self._counts[what] += count

    def sentences(self) -> list[str]:
        """One sentence each."""
        return [counted(count, what) for what, count in self._counts.items() if count]


CLIPPED = "boxes that reached beyond their image were clipped"
NO_AREA = "boxes without area were left out"
EMPTY = "images without an annotated instance were left out"


def clipped(
    box: Box, size: tuple[int, int], where: str, notes: Notes, *, written: str | None = None
) -> Box | None:
    """A box within its image; what reaches beyond is cut off and counted. None for one without area, counted too.

    Args:
        box: left, top, right, bottom.
        size: (width, height) of the image.
        where: the file and the instance, for messages.
        notes: where clipping is counted.
        written: the box in the file's own numbers, for messages; its edges if not given.

    Raises:
        ValueError: a box that is upside down, not finite, or wholly outside.
    """
    left, top, right, bottom = box
    written = f"box {_shown(box)}" if written is None else written
    if not all(map(math.isfinite, box)) or left > right or top > bottom:
        raise ValueError(f"{where}: {written} is upside down or not finite")
    if left == right or top == bottom:
        notes.add(NO_AREA)  # COCO has a few
        return None
    width, height = size
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        raise ValueError(f"{where}: {written} lies wholly outside its image of {width} × {height} pixels")
    inside = (max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height)))
    if inside != box:
        notes.add(CLIPPED)
    return inside


def _shown(box: Box) -> str:
    return "({})".format(", ".join(f"{edge:g}" for edge in box))


def read_json(path: Path) -> Any:
    """The contents of a JSON file.

    Raises:
        ValueError: it is no JSON in UTF-8.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: is not JSON in UTF-8 ({error})") from error


def entry(record: Any, key: str, kind: type | tuple[type, ...], where: str) -> Any:
    """The value of a key in a JSON object.

    Raises:
        ValueError: there is none, or it is of another kind.
    """
    if not isinstance(record, dict) or key not in record:
        raise ValueError(f"{where}: {key!r} is missing")
    value = record[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{where}: {key!r} is {value!r:.60}, which is not of the expected kind")
    return value


def read_xml(path: Path) -> ElementTree.Element:
    """The root of an annotation's XML.

    Raises:
        ValueError: it is no XML, or declares entities, which annotations do not.
    """
    text = path.read_bytes()
    if b"<!ENTITY" in text:
        raise ValueError(f"{path}: declares entities; an annotation has none")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"{path}: is not XML ({error})") from error


def text_of(element: ElementTree.Element, path: str, where: Path | str) -> str:
    """The text of an element below.

    Raises:
        ValueError: there is none.
    """
    found = element.findtext(path)
    if found is None or not found.strip():
        raise ValueError(f"{where}: <{path}> is missing or empty")
    return found.strip()


def number_of(element: ElementTree.Element, path: str, where: Path | str) -> float:
    """The number in an element below.

    Raises:
        ValueError: there is none.
    """
    text = text_of(element, path, where)
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(f"{where}: <{path}> is {text!r}, a number was expected") from error


def size_of(root: ElementTree.Element, where: Path) -> tuple[int, int]:
    """(width, height) that an annotation gives its image.

    Raises:
        ValueError: none, or none above 0.
    """
    width, height = (int(number_of(root, f"size/{side}", where)) for side in ("width", "height"))
    if width < 1 or height < 1:
        raise ValueError(f"{where}: <size> is {width} × {height}, an image has at least one pixel")
    return width, height


def corners(element: ElementTree.Element, first: int, where: Path | str) -> tuple[Box, str]:
    """The edges of a `bndbox`, whose corners are pixels that both belong to it; and how it is written, for messages.

    Args:
        element: the object that holds it.
        first: the number of the first column and row: 1 in VOC.
        where: for messages.
    """
    xmin, ymin, xmax, ymax = (
        number_of(element, f"bndbox/{name}", where) for name in ("xmin", "ymin", "xmax", "ymax")
    )
    edges = (xmin - first, ymin - first, xmax - first + 1, ymax - first + 1)
    return edges, f"the box with xmin {xmin:g}, ymin {ymin:g}, xmax {xmax:g}, ymax {ymax:g}"
