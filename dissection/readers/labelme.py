"""`labelme:DIR`: outlines drawn by hand, as the LabelMe website and the desktop program labelme keep them.

Two layouts, looked for in this order:

1. the website's: `Annotations/FOLDER/NAME.xml`, and the image `Images/FOLDER/` with the XML's `<filename>`. An
   object is a polygon with a name; one that is part of another (`<ispartof>`) is of category "part", the others are
   "object". Deleted objects are left out. An image carries "part" if it has one: else nobody looked for parts.
2. the program's: a `NAME.json` anywhere below DIR, its image at `imagePath` from there. Polygons, rectangles,
   circles and masks are objects. "__ignore__" and "_background_" say that a region has no label. `imageData` is not
   read.

A pixel belongs to a shape if its centre is inside (`dissection.readers.polygons`), at the image's own resolution.
Objects form one layer, parts another, parts of parts a third. Within a layer the shape with fewer pixels lies on top,
since what is in front is mostly the smaller one, and of two equal ones that which comes later in its file.

Shapes without an area or a name, and the website's own masks, are left out, and so is JSON of another kind; `notes`
says how many.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dissection.concepts import NO_LABEL, Concept, Labels
from dissection.images import upright_size
from dissection.readers.errors import ConceptSetError, MissingFileError
from dissection.readers.files import FileSet, files_under, locate, set_folder
from dissection.readers.labelme_files import Drawing, Shape, read_json, read_xml
from dissection.readers.masks import nearest
from dissection.readers.polygons import Filled, fill_circle, fill_polygon, place_mask

OBJECT, PART = "object", "part"


class LabelMe(FileSet):
    """A LabelMe folder in whichever layout it has.

    Args:
        path: the folder.

    Raises:
        ConceptSetError: neither layout is there, a file is broken, or an image is missing or outside the folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        root = set_folder(path)
        files, drawings, notes = _read(root)
        images = locate(
            root, ((f"{file}: image", drawn.image) for file, drawn in zip(files, drawings, strict=True))
        )
        first: dict[str, str] = {}
        for file, image in zip(files, images, strict=True):
            if image in first:
                raise ConceptSetError(
                    f"{root / file}: {image} is also drawn in {first[image]}; keep one of them"
                )
            first[image] = file
        self._drawings = drawings
        concepts = dict.fromkeys(
            _concept(shape) for drawn in drawings for shape in drawn.shapes if shape.name is not None
        )
        self._place = {concept: number for number, concept in enumerate(concepts)}
        super().__init__(root, images, list(concepts), tables=files, notes=notes)

    def labels(self, index: int, size: int) -> Labels:
        """The labels of an image: a layer of objects and one for each depth of parts.

        Raises:
            ConceptSetError: the image has another size than its annotation states.
            ImageError: the image cannot be read.
        """
        drawn, image = self._drawings[index], self.root / self.image_id(index)
        width, height = upright_size(image)
        if drawn.size is not None and drawn.size != (height, width):
            raise ConceptSetError(
                f"{self.root / self._tables[index]}: states an image of {drawn.size[1]} × {drawn.size[0]} pixels, "
                f"{image} upright is {width} × {height}; they must be equal"
            )
        depths = sorted({shape.depth for shape in drawn.shapes})
        layers = [
            nearest(self._painted([s for s in drawn.shapes if s.depth == depth], height, width), size)
            for depth in depths
        ]
        stack = np.stack(layers) if layers else np.empty((0, size, size), np.int32)
        return Labels(stack, (), frozenset({OBJECT, *((PART,) if max(depths, default=0) else ())}))

    def _painted(self, shapes: Iterable[Shape], height: int, width: int) -> NDArray[np.int32]:
        """Concept numbers `[h, w]`, smaller shapes over larger ones, later ones over earlier ones of equal size."""
        layer = np.full((height, width), NO_LABEL, np.int32)
        filled = []
        for shape in shapes:
            number = NO_LABEL if shape.name is None else self._place[_concept(shape)]
            filled.append((number, _filled(shape, height, width)))
        for number, (top, left, inside) in sorted(filled, key=lambda one: -int(one[1][2].sum())):
            below = layer[top : top + inside.shape[0], left : left + inside.shape[1]]
            below[inside] = number
        return layer


def _filled(shape: Shape, height: int, width: int) -> Filled:
    if shape.mask is not None:
        left, top = shape.points[0].astype(int).tolist()
        return place_mask(shape.mask, left, top, height, width)
    if shape.circle:
        return fill_circle(shape.points[0], shape.points[1], height, width)
    return fill_polygon(shape.points, height, width)


def _concept(shape: Shape) -> Concept:
    return Concept(shape.name or "", PART if shape.depth else OBJECT)


def _read(root: Path) -> tuple[list[str], list[Drawing], list[str]]:
    """The annotation files, what they say, and notes on what is left out."""
    notes, files, drawings = [], [], []
    if (root / "Annotations").is_dir():
        found = _inside(root, "Annotations", ".xml")
        files, drawings = found, [read_xml(root, path) for path in found]
    else:
        for path in _inside(root, ".", ".json"):
            drawn = read_json(root, path)
            if drawn is None:
                notes.append(f"{path}: left out, it has no 'shapes'")
                continue
            files.append(path)
            drawings.append(drawn)
    if not files:
        raise MissingFileError(
            f"{root}: neither Annotations/FOLDER/NAME.xml of the LabelMe website nor NAME.json of the program labelme "
            "was found there"
        )
    reasons = Counter(reason for drawn in drawings for reason in drawn.skipped)
    notes += [f"left out: {count} shapes {reason}" for reason, count in reasons.items()]
    return files, drawings, notes


def _inside(root: Path, folder: str, suffix: str) -> list[str]:
    """The files with this suffix; a link that leads out of the set is refused."""
    return locate(root, (("annotation", path) for path in files_under(root, folder, frozenset((suffix,)))))
