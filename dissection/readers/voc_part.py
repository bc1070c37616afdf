"""`voc-part:DIR`: PASCAL-Part, the objects of VOC photographs and the parts of their bodies.

    DIR/JPEGImages/2008_000008.jpg           the photographs (VOC2010's)
    DIR/Annotations_Part/2008_000008.mat     their labels; the folder may also be DIR/part/Annotations_Part

A MATLAB file holds the struct `anno`: `anno.objects(i)` has `class`, `class_ind` (1 to 20, VOC's classes), `mask`
and `parts`, of which `parts(j)` has `part_name` and `mask`. A mask is not 0 where the object or part is. Objects
are of category "object", called as in `voc`; parts are of category "part". Where masks overlap (an eye in a head)
a pixel has all the labels, in as many layers as that takes. An image carries "part" if one of its objects has
parts: of boats, chairs, tables and sofas none were drawn.

A part's name says what it is, not which one of several, as in Broden:

- a number is dropped: `engine_2` is "engine";
- left and right, front and back, upper and lower are dropped: `lear` is "ear", `rfuleg` "leg", `fwheel` "wheel";
- sides of a bus or car are "side", the roof is "roof"; sides of a train are its "head" or "coach", the roofs
  "head roof" and "coach roof" (Broden drops the sides of buses and cars);
- short forms are written out: "eyebrow", "hoof", "paw", "license plate", "chain wheel", "handle bar".

The names are known beforehand (`PARTS`), since finding them in the files would take minutes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dissection.concepts import NO_LABEL, Concept, Labels
from dissection.readers import masks
from dissection.readers.errors import ConceptSetError, hint
from dissection.readers.files import FileSet
from dissection.readers.matlab import matlab_variable
from dissection.readers.voc import CLASSES, voc_folder, voc_pairs

_PLACES = ("Annotations_Part", "part/Annotations_Part")

# By first appearance in VOC's order of classes.
PARTS = (
    *("body", "stern", "wing", "tail", "engine", "wheel"),  # aeroplane
    *("saddle", "handle bar", "chain wheel", "headlight"),  # bicycle
    *("head", "eye", "beak", "torso", "neck", "leg", "foot"),  # bird
    "cap",  # bottle
    *("side", "roof", "mirror", "license plate", "door", "window"),  # bus, car
    *("ear", "nose", "paw"),  # cat, dog
    *("muzzle", "horn", "hoof"),  # cow, horse, sheep
    *("eyebrow", "mouth", "hair", "arm", "hand"),  # person
    *("pot", "plant"),  # potted plant
    *("head roof", "coach", "coach roof"),  # train
    "screen",  # monitor
)

# left or right, front or back, upper or lower, and what of the body
_PAIRED = re.compile(r"[lr][fb]?[ul]?(eye|ear|ebrow|wing|horn|arm|hand|leg|foot|pa|ho)")
_OF_VEHICLES = re.compile(r"(?:left|right)(mirror)|[fb](wheel|liplate)")
_SIDE = re.compile(r"([hc]?)(?:(roof)|front|left|right|back)side")
_WRITTEN_OUT = {
    "ebrow": "eyebrow",
    "pa": "paw",
    "ho": "hoof",
    "liplate": "license plate",
    "handlebar": "handle bar",
    "chainwheel": "chain wheel",
}


def plain_part(name: str) -> str:
    """What a part is, without which one of several it is: "rfuleg" is "leg"."""
    name = re.sub(r"_[0-9]+$", "", name)
    side = _SIDE.fullmatch(name)
    if side:
        words = ({"h": "head", "c": "coach"}.get(side[1], ""), side[2] or "")
        return " ".join(word for word in words if word) or "side"
    part = _PAIRED.fullmatch(name) or _OF_VEHICLES.fullmatch(name)
    if part:
        name = next(group for group in part.groups() if group)
    return _WRITTEN_OUT.get(name, name)


class VocPart(FileSet):
    """PASCAL-Part.

    Args:
        path: the folder that holds `JPEGImages/` and `Annotations_Part/`.

    Raises:
        ConceptSetError: these folders are not there, or a label file has no photograph.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        root = voc_folder(path, "voc-part", *_PLACES)
        folder = next(place for place in _PLACES if (root / place).is_dir())
        pairs = voc_pairs(root, folder, {".mat"})
        concepts = [Concept(name, "object") for name in CLASSES] + [Concept(name, "part") for name in PARTS]
        self._place = {concept: number for number, concept in enumerate(concepts)}
        super().__init__(
            root, [image for image, _ in pairs], concepts, masks=[labelled for _, labelled in pairs]
        )

    def labels(self, index: int, size: int) -> Labels:
        """The labels of an image: layers of objects, then of parts.

        Raises:
            ConceptSetError: a label file that cannot be read, a class or part that PASCAL-Part does not have, or
                a mask of another size than the image.
        """
        path = self._masks[index]
        anno = matlab_variable(self.root / path, "anno")
        objects: dict[int, NDArray[np.bool_]] = {}
        parts: dict[int, NDArray[np.bool_]] = {}
        shape: tuple[int, ...] | None = None  # of the masks that were found right: a look at the image costs
        for record in self._records(anno, path, "objects"):
            drawn = [(objects, self._object(record, path), record)]
            drawn += [(parts, self._part(part, path), part) for part in self._records(record, path, "parts")]
            for found, number, holder in drawn:
                mask = self._field(holder, path, "mask")
                if mask.ndim != 2 or mask.dtype.kind not in "buif":
                    raise ConceptSetError(
                        f"{self.root / path}: a mask is {mask.dtype} {list(mask.shape)}, numbers [h, w] were expected"
                    )
                if mask.shape != shape:
                    self._check_size(index, path, *mask.shape)
                    shape = mask.shape
                small = masks.nearest(mask, size) != 0
                found[number] = found[number] | small if number in found else small
        layers = [*_layered(objects), *_layered(parts)]
        stack = np.stack(layers) if layers else np.empty((0, size, size), np.int32)
        return Labels(stack, (), frozenset({"object", "part"} if parts else {"object"}))

    def _object(self, record: Any, path: str) -> int:
        index = self._field(record, path, "class_ind").ravel()
        if index.size != 1 or index.dtype.kind not in "uif" or index[0] not in range(1, len(CLASSES) + 1):
            raise ConceptSetError(
                f"{self.root / path}: 'class_ind' is {index.tolist()}, a number from 1 to {len(CLASSES)} was expected"
            )
        return self._place[Concept(CLASSES[int(index[0]) - 1], "object")]

    def _part(self, record: Any, path: str) -> int:
        written = self._field(record, path, "part_name").ravel()
        name = str(written[0]) if written.size else ""
        concept = Concept(plain_part(name), "part")
        if concept not in self._place:
            raise ConceptSetError(
                f"{self.root / path}: part {name!r} is none of PASCAL-Part's; {hint(name, PARTS)}"
            )
        return self._place[concept]

    def _records(self, holder: Any, path: str, name: str) -> list[Any]:
        """The records of a struct array; an empty one comes without fields."""
        if getattr(holder, "shape", ()) == (1, 1):
            holder = holder[0, 0]
        field = self._field(holder, path, name)
        return list(field.ravel()) if field.size else []

    def _field(self, record: Any, path: str, name: str) -> NDArray[Any]:
        if name not in (getattr(getattr(record, "dtype", None), "names", None) or ()):
            raise ConceptSetError(
                f"{self.root / path}: a struct without the field {name!r}; the layout of PASCAL-Part was expected"
            )
        return np.asarray(record[name])


def _layered(found: Mapping[int, NDArray[np.bool_]]) -> list[NDArray[np.int32]]:
    """The masks in as few layers as taking them one by one gives; in a layer none overlaps another."""
    layers: list[NDArray[np.int32]] = []
    for number, mask in found.items():
        free = (layer for layer in layers if not (layer[mask] != NO_LABEL).any())
        layer = next(free, None)
        if layer is None:
            layer = np.full(mask.shape, NO_LABEL, np.int32)
            layers.append(layer)
        layer[mask] = number
    return layers
