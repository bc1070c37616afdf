"""What LabelMe files say: shapes with names, from the website's XML and from the desktop program's JSON.

    drawing = read_xml(root, "Annotations/street/1.xml")     # shapes, the image's path, its stated size
    drawing = read_json(root, "street/1.json")               # None if it is no drawing

The layouts stand at the top of `dissection.readers.labelme`.
"""

from __future__ import annotations

import base64
import json
import math
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dissection.readers.errors import ConceptSetError
from dissection.readers.polygons import rectangle

NOTHING = frozenset(("__ignore__", "_background_"))  # what the desktop program calls "no label"
_CORNERS = {
    "polygon": (3, math.inf),
    "rectangle": (2, 2),
    "circle": (2, 2),
    "mask": (2, 2),
}  # least, most points
_FLAT = ("point", "points", "line", "linestrip")  # shapes that have no area


@dataclass(frozen=True)
class Shape:
    """A region of an image.

    Attributes:
        name: None if the region is marked as having no label.
        depth: 0 for an object, 1 for a part of it, 2 for a part of a part.
        points: float64 `[N, 2]`, x and y from the upper left corner, in pixels: the corners of a polygon, or the
            center of a circle and a point of its rim, or the first and the last pixel of a mask.
        circle: whether it is a circle.
        mask: bool `[h, w]`, the pixels of a mask; None of other shapes.
    """

    name: str | None
    depth: int
    points: NDArray[np.float64]
    circle: bool = False
    mask: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Drawing:
    """What one file says.

    Attributes:
        image: path of the image relative to the set, as written.
        size: height and width that the file states, None if it states none.
        shapes: in the order of the file.
        skipped: why shapes were left out, a reason each.
    """

    image: str
    size: tuple[int, int] | None
    shapes: tuple[Shape, ...]
    skipped: tuple[str, ...]


def read_xml(root: Path, path: str) -> Drawing:
    """An annotation of the LabelMe website, `Annotations/FOLDER/NAME.xml`.

    Raises:
        ConceptSetError: no such XML, or parts that belong to nothing or to themselves.
    """
    try:
        data = (root / path).read_bytes()
        if b"<!DOCTYPE" in data or b"<!ENTITY" in data:  # LabelMe writes none, and they can grow without end
            raise ConceptSetError(f"{root / path}: defines a document type, plain LabelMe XML was expected")
        top = ElementTree.fromstring(data)
    except (OSError, ElementTree.ParseError, ValueError, LookupError) as error:
        if isinstance(error, ConceptSetError):
            raise
        raise ConceptSetError(f"{root / path}: cannot be read as XML ({error})") from error
    filename = _said(top, "filename")
    if top.tag != "annotation" or not filename:
        raise ConceptSetError(f"{root / path}: an <annotation> with a <filename> was expected")
    objects: dict[str, ElementTree.Element] = {}
    for place, thing in enumerate(top.iter("object")):
        key = _said(thing, "id") or f"#{place}"
        if key in objects:
            raise ConceptSetError(f"{root / path}: object {key} is there twice; give each its own <id>")
        objects[key] = thing
    whole = {key: _said(thing, "parts/ispartof") for key, thing in objects.items()}
    shapes, skipped = [], []
    for key, thing in objects.items():
        name = " ".join(_said(thing, "name").split())
        if _said(thing, "deleted") == "1":
            continue
        points = [_point(point, root / path) for point in thing.iterfind("polygon/pt")]
        if thing.find("polygon") is None:
            skipped.append("drawn as a mask, not as a polygon")
        elif len(points) < 3:
            skipped.append("with fewer than three points")
        elif not name:
            skipped.append("without a name")
        else:
            shapes.append(Shape(name, _depth(key, whole, root / path), np.array(points, np.float64)))
    folder = posixpath.dirname(path).removeprefix("Annotations").strip("/")
    rows, columns = (_said(top, f"imagesize/{side}") for side in ("nrows", "ncols"))
    stated = rows.isdecimal() and columns.isdecimal() and int(rows) > 0 and int(columns) > 0
    size = (int(rows), int(columns)) if stated else None
    return Drawing(posixpath.join("Images", folder, filename), size, tuple(shapes), tuple(skipped))


def _said(element: ElementTree.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _point(point: ElementTree.Element, path: Path) -> tuple[float, float]:
    try:
        x, y = float(_said(point, "x")), float(_said(point, "y"))
    except ValueError as error:
        raise ConceptSetError(f"{path}: a point has no x or y that is a number ({error})") from error
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ConceptSetError(f"{path}: a point is at x = {x}, y = {y}; finite numbers were expected")
    return x, y


def _depth(key: str, whole: Mapping[str, str], path: Path) -> int:
    """How many objects this one is a part of, one within the other."""
    chain = [key]
    while whole[chain[-1]]:
        owner = whole[chain[-1]]
        if owner not in whole:
            raise ConceptSetError(
                f"{path}: object {chain[-1]} is part of {owner!r}, which is not in the file"
            )
        if owner in chain:
            raise ConceptSetError(f"{path}: object {owner} is a part of itself; correct its <ispartof>")
        chain.append(owner)
    return len(chain) - 1


def read_json(root: Path, path: str) -> Drawing | None:
    """An annotation of the labelme program, `NAME.json`; None if the file is JSON of another kind.

    Raises:
        ConceptSetError: not JSON, or a shape that is broken or of a type that cannot be read.
    """
    try:
        data = json.loads((root / path).read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON
        raise ConceptSetError(f"{root / path}: is not JSON in UTF-8 ({error})") from error
    except OSError as error:
        raise ConceptSetError(f"{root / path}: cannot be read ({error.strerror or error})") from error
    if not isinstance(data, dict) or "shapes" not in data:
        return None
    records, image = data["shapes"], data.get("imagePath")
    if not isinstance(records, list) or not isinstance(image, str) or not image:
        raise ConceptSetError(f"{root / path}: a list 'shapes' and a file name 'imagePath' were expected")
    shapes, skipped = [], []
    for place, record in enumerate(records, start=1):
        where = f"{root / path}, shape {place}"
        kind = str(record.get("shape_type") or "polygon") if isinstance(record, dict) else None
        if kind in _FLAT:
            skipped.append(f"of type {kind!r}, which have no area")
        else:
            shapes.append(_shape(record, kind, where))
    height, width = data.get("imageHeight"), data.get("imageWidth")
    size = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    # the program writes the separators of the system that it ran on
    beside = posixpath.join(posixpath.dirname(path), image.replace("\\", "/"))
    return Drawing(beside, size, tuple(shapes), tuple(skipped))


def _shape(record: Any, kind: Any, where: str) -> Shape:
    if kind not in _CORNERS:
        raise ConceptSetError(
            f"{where}: is of type {kind!r}, one of {', '.join(_CORNERS)} was expected; draw it as a polygon"
        )
    name = record.get("label")
    if not isinstance(name, str) or not name.strip():
        raise ConceptSetError(f"{where}: 'label' is {name!r}, a name was expected")
    least, most = _CORNERS[kind]
    points = record.get("points")
    try:
        corners = np.array(points, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConceptSetError(f"{where}: 'points' are no pairs of numbers ({error})") from error
    if corners.ndim != 2 or corners.shape[1] != 2 or not least <= len(corners) <= most:
        wanted = "at least 3" if kind == "polygon" else str(least)
        raise ConceptSetError(
            f"{where}: {wanted} points [x, y] were expected of a {kind}, got {points!r:.80}"
        )
    if not np.isfinite(corners).all():
        raise ConceptSetError(f"{where}: has a point that is not finite")
    label = None if name in NOTHING else name.strip()
    if kind == "mask":
        return Shape(label, 0, np.trunc(corners), mask=_mask(record.get("mask"), np.trunc(corners), where))
    return Shape(label, 0, rectangle(corners) if kind == "rectangle" else corners, kind == "circle")


def _mask(text: Any, corners: NDArray[np.float64], where: str) -> NDArray[np.bool_]:
    """The pixels from the first corner to the last, which are a PNG in base 64."""
    try:
        with Image.open(BytesIO(base64.b64decode(text, validate=True)), formats=["PNG"]) as picture:
            width, height = (corners[1] - corners[0] + 1).tolist()
            if picture.size != (width, height):
                raise ValueError(
                    f"it has {picture.width} × {picture.height} pixels, its corners {width:g} × {height:g}"
                )
            return np.asarray(picture.convert("L")) > 0
    except Exception as error:  # decoders raise whatever broken bytes lead them to
        raise ConceptSetError(f"{where}: its mask is no PNG of the size of its box ({error})") from error
