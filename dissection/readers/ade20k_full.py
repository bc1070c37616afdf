"""The full ADE20K: every object by its WordNet name, parts of objects, and parts of parts.

The folder holds `images/`, in it (or in `images/ADE/`) SPLIT/GROUP/SCENE/, and there, for each image NAME:

| file | what |
|---|---|
| `NAME.jpg` | the photograph |
| `NAME_seg.png` | its objects, RGB: class = red // 10 · 256 + green, blue tells instances apart |
| `NAME_parts_1.png`, `NAME_parts_2.png`, … | their parts, and the parts of these, in the same colours |
| `NAME.json` | release of 2021: for each object `name_ndx`, which is the class, and `name`; `part_level` 0 if no part |
| `NAME_atr.txt` | release of 2016: instance # part level # occluded # class name # raw name # attributes |

An image with `NAME.json` is read by classes. `NAME_atr.txt` does not tell classes but instances: instance k of a
level is the k-th smallest blue value above 0 in that level's PNG, as the set's own tools count. If one class then
had two names the two files do not fit together, which is an error. `index*.mat`, `index*.pkl` and the folders of
single instances are not read. These text files are UTF-8, or else Latin-1.

A class has several names ("car, auto, automobile"); the first one is the concept, and classes of equal first names
are one concept. The class "-" has no name and is no label, as class 0. An image carries "part" if it has
`NAME_parts_1.png`. The scene is the folder below GROUP, "apse__indoor" and "apse/indoor" being "apse-indoor";
an image without such a folder, or in one called "misc", does not carry "scene". Images without `NAME_seg.png` are
no members. Opening the set reads every image's text file, since they hold the names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dissection.concepts import Concept, Labels
from dissection.readers import masks
from dissection.readers.errors import ConceptSetError, MissingFileError
from dissection.readers.files import FileSet, files_under, locate
from dissection.readers.lines import read_lines, read_text

NO_SCENE = "misc"
_CATEGORIES = ("object", "part")
_Rows = Mapping[tuple[int, int], str]  # from part level and instance to a name, "" for none


def annotated_images(root: Path) -> list[str]:
    """The images below `images/` that have their `_seg.png`, sorted."""
    images = files_under(root, "images", frozenset((".jpg",)))
    return [image for image in images if (root / _beside(image, "_seg.png")).is_file()]


@dataclass(frozen=True)
class _Names:
    """What the values of a PNG are called.

    Attributes:
        table: from values to concept numbers.
        nameless: values that are known, but have no name and so no label.
    """

    table: masks.NumberTable
    nameless: frozenset[int]


@dataclass(frozen=True)
class _Entry:
    """One image.

    Attributes:
        masks: its PNGs, that of the objects first.
        text: its JSON or `_atr.txt` file.
        instances: the names of the instances in each PNG; None if names go by classes.
        scene: the number of its scene.
    """

    masks: tuple[str, ...]
    text: str
    instances: tuple[_Names, ...] | None
    scene: int | None


class FullAde20k(FileSet):
    """ADE20K with objects, parts and scenes.

    Args:
        root: the folder that holds `images/`.
        images: `annotated_images(root)`.

    Raises:
        ConceptSetError: a text file is missing or broken.
    """

    def __init__(self, root: Path, images: Sequence[str]) -> None:
        drawn = [_drawn(root, image) for image in images]
        texts = [_text(root, image) for image in images]
        annotations = [path for pngs, text in zip(drawn, texts, strict=True) for path in (*pngs, text)]
        locate(root, [("image", path) for path in images] + [("annotation", path) for path in annotations])
        classes = _Classes()
        instances: list[_Rows | None] = []
        for text in texts:
            if text.endswith(".json"):
                classes.add(text, _objects(root, text))
            instances.append(None if text.endswith(".json") else _rows(root, text))
        scenes = [_scene(image) for image in images]
        place = _place(classes, instances, scenes)
        self._classes = [
            _numbered(names, category, place)
            for names, category in zip(classes.names, _CATEGORIES, strict=True)
        ]
        self._entries = [
            _Entry(
                tuple(pngs),
                text,
                None if rows is None else tuple(_of_level(rows, level, place) for level in range(len(pngs))),
                place[Concept(scene, "scene")] if scene else None,
            )
            for pngs, text, rows, scene in zip(drawn, texts, instances, scenes, strict=True)
        ]
        # The text files count as masks do, by name and size where they are many: together they are gigabytes.
        super().__init__(root, images, list(place), masks=annotations)

    def labels(self, index: int, size: int) -> Labels:
        """The labels of an image: a layer of objects, one for each level of parts, and the scene.

        Raises:
            ConceptSetError: a PNG of another size than its image, or a value that has no name.
            ImageError: a PNG cannot be read.
        """
        entry = self._entries[index]
        layers = [self._layer(index, level, size) for level in range(len(entry.masks))]
        carried = {*_CATEGORIES[: len(layers)], *(("scene",) if entry.scene is not None else ())}
        whole = () if entry.scene is None else (entry.scene,)
        return Labels(np.stack(layers), whole, frozenset(carried))

    def _layer(self, index: int, level: int, size: int) -> NDArray[np.int32]:
        entry = self._entries[index]
        mask = entry.masks[level]
        pixels = masks.three_channels(self.root / mask)
        self._check_size(index, mask, *pixels.shape[:2])
        small = masks.nearest(pixels, size).astype(np.int32)
        classes = small[..., 0] // 10 * 256 + small[..., 1]
        if entry.instances is None:
            names, values, kind = self._classes[level > 0], classes, "class"
        else:
            names, values, kind = entry.instances[level], _ranks(pixels)[small[..., 2]], "instance"
        numbers = names.table.look_up(values)
        for value in names.table.strangers(values, numbers):
            if value not in names.nameless:
                where = "any JSON file of the set" if kind == "class" else PurePosixPath(entry.text).name
                category = _CATEGORIES[level > 0]
                raise ConceptSetError(f"{self.root / mask}: {kind} {value} is no {category} in {where}")
        if kind == "instance":
            self._check_fit(mask, entry.text, classes, numbers)
        return numbers

    def _check_fit(
        self, mask: str, text: str, classes: NDArray[np.int32], numbers: NDArray[np.int32]
    ) -> None:
        """Instances of one class have one name."""
        pairs = np.unique(np.stack([classes.ravel(), numbers.ravel()]), axis=1)
        named = pairs[:, pairs[1] >= 0]
        for one, other in zip(named.T[:-1], named.T[1:], strict=True):
            if one[0] == other[0]:
                names = [self.concepts[number].name for number in (one[1], other[1])]
                raise ConceptSetError(
                    f"{self.root / mask}: class {one[0]} is both {names[0]!r} and {names[1]!r} by "
                    f"{PurePosixPath(text).name}, so the instances of the two files do not fit; move the image away"
                )


class _Classes:
    """The classes that all JSON files speak of, of objects and of parts."""

    def __init__(self) -> None:
        self.names: tuple[dict[int, str], dict[int, str]] = ({}, {})
        self._first: dict[int, tuple[str, str]] = {}

    def add(self, text: str, found: Sequence[tuple[int, int, str]]) -> None:
        """Add (class, level, name) of one file; a class has the same name everywhere."""
        for number, level, name in found:
            known, where = self._first.setdefault(number, (name, text))
            if known != name:
                raise ConceptSetError(f"{text}: class {number} is {name!r}, in {where} it is {known!r}")
            self.names[level > 0][number] = name


def _ranks(pixels: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Which instance each blue value is: int32 `[256]`, 0 for 0."""
    present = np.bincount(pixels[..., 2].ravel(), minlength=256) > 0
    present[0] = False
    ranks: NDArray[np.int32] = np.where(present, np.cumsum(present), 0).astype(np.int32)
    return ranks


def _place(
    classes: _Classes, instances: Sequence[_Rows | None], scenes: Sequence[str | None]
) -> dict[Concept, int]:
    """The number of each concept: objects, parts, scenes, each by first appearance."""
    named: dict[str, list[str]] = {
        category: list(names.values()) for category, names in zip(_CATEGORIES, classes.names, strict=True)
    }
    for rows in instances:
        for (level, _), name in (rows or {}).items():
            named[_CATEGORIES[level > 0]].append(name)
    named["scene"] = [scene for scene in scenes if scene]
    concepts = (Concept(name, category) for category, names in named.items() for name in names if name)
    return {concept: number for number, concept in enumerate(dict.fromkeys(concepts))}


def _of_level(rows: _Rows, level: int, place: Mapping[Concept, int]) -> _Names:
    names = {number: name for (at, number), name in rows.items() if at == level}
    return _numbered(names, _CATEGORIES[level > 0], place)


def _numbered(names: Mapping[int, str], category: str, place: Mapping[Concept, int]) -> _Names:
    numbers = {value: place[Concept(name, category)] for value, name in names.items() if name}
    return _Names(masks.NumberTable(numbers), frozenset(names) - frozenset(numbers))


def _beside(image: str, ending: str) -> str:
    return image[: -len(".jpg")] + ending


def _drawn(root: Path, image: str) -> list[str]:
    found = [_beside(image, "_seg.png")]
    while (root / _beside(image, f"_parts_{len(found)}.png")).is_file():
        found.append(_beside(image, f"_parts_{len(found)}.png"))
    return found


def _text(root: Path, image: str) -> str:
    for ending in (".json", "_atr.txt"):
        if (root / _beside(image, ending)).is_file():
            return _beside(image, ending)
    raise MissingFileError(f"{root / image}: has neither {_beside(image, '.json')} nor _atr.txt beside it")


def _scene(image: str) -> str | None:
    folders = [*PurePosixPath(image).parent.parts[1:]]  # without images/
    if folders[:1] == ["ADE"]:
        del folders[0]
    scene = "-".join(folders[2:]).replace("__", "-")
    return None if scene in ("", NO_SCENE) else scene


def _first_name(names: str) -> str:
    """The first of several names; "" for the class without a name."""
    name = names.split(",")[0].strip()
    return "" if name == "-" else name


def _objects(root: Path, text: str) -> list[tuple[int, int, str]]:
    """(class, part level, name) of each object in a JSON file."""
    written = read_text(root / text, latin=True)
    try:
        found = json.loads(written)["annotation"]["object"]
        # MATLAB wrote the files: a list of one is the one itself, and an empty text is an empty list
        records = [found] if isinstance(found, dict) else list(found)
        return [
            (_class(record), int(record["parts"]["part_level"]), _first_name(record["name"] or ""))
            for record in records
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConceptSetError(
            f"{root / text}: 'annotation', in it a list 'object' with 'name', 'name_ndx' and 'parts' was expected "
            f"({type(error).__name__}: {error})"
        ) from error


def _class(record: Mapping[str, Any]) -> int:
    number = int(record["name_ndx"])
    if not 0 <= number < 26 * 256:
        raise ValueError(f"'name_ndx' is {number}, which no colour can hold")
    return number


def _rows(root: Path, text: str) -> dict[tuple[int, int], str]:
    """The name of each (part level, instance) in an `_atr.txt` file."""
    rows: dict[tuple[int, int], str] = {}
    if not (root / text).stat().st_size:
        return rows  # an image in which nothing is labelled
    for where, line in read_lines(root / text, latin=True):
        cells = [cell.strip() for cell in line.split("#", 5)]
        if len(cells) < 4 or not all(cell.isascii() and cell.isdigit() for cell in cells[:2]):
            raise ConceptSetError(
                f"{where}: is {line!r}; instance # part level # occluded # class name # … was expected"
            )
        key = (int(cells[1]), int(cells[0]))
        if key in rows:
            raise ConceptSetError(
                f"{where}: instance {key[1]} of level {key[0]} is there twice; drop one of them"
            )
        rows[key] = _first_name(cells[3])
    return rows
