"""`coco:DIR`: COCO's panoptic labels: things (person, cup) and stuff (sky, wall), all of category "object".

Two layouts, looked for in this order:

1. panoptic, as COCO publishes it: `panoptic_SPLIT.json` with its PNGs unpacked in `panoptic_SPLIT/` beside
   it (in DIR, in `annotations/` or in `*/annotations/`), images in `images/SPLIT/`, `SPLIT/` or `images/`.
   A PNG's pixel is a segment, red + 256 · green + 65536 · blue; the JSON says of which category.
2. masks: `semantic_segmentation/masks/` or `masks/` with one-channel PNGs whose values are category ids, at
   the same relative paths as the images below `images/`, and `categories.json` with id and name.

A category's `supercategory`, if there, is a broader concept for `merged`.

Where both exist the first is read, since it is the source of the second. 0 is unlabelled. Images without
annotation are not members. A split whose PNGs are not unpacked is left out, and `notes` says so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dissection.concepts import Concept, Labels
from dissection.readers import masks
from dissection.readers.errors import ConceptSetError, MissingFileError
from dissection.readers.files import FileSet, locate, set_folder
from dissection.readers.folder import paired
from dissection.readers.merged import HYPERNYM, Rule

CATEGORY = "object"
_MASK_FOLDERS = ("semantic_segmentation/masks", "masks")


def open_coco(path: str | os.PathLike[str]) -> CocoPanoptic | CocoMasks:
    """Open a COCO folder in whichever layout it has.

    Raises:
        ConceptSetError: neither layout is there, or what is there is broken.
    """
    root = set_folder(path)
    tables = sorted(
        path
        for pattern in ("panoptic_*.json", "annotations/panoptic_*.json", "*/annotations/panoptic_*.json")
        for path in root.glob(pattern)
    )
    unpacked = [table for table in tables if table.with_suffix("").is_dir()]
    if unpacked:
        notes = [
            f"{table.relative_to(root).as_posix()}: left out, no folder {table.stem}/ with PNGs is beside it"
            for table in tables
            if table not in unpacked
        ]
        return CocoPanoptic(root, unpacked, notes)
    for folder in _MASK_FOLDERS:
        if (root / folder).is_dir() and (root / "categories.json").is_file():
            return CocoMasks(root, folder)
    if tables:
        raise MissingFileError(
            f"{tables[0]}: there is no folder {tables[0].stem} beside it; unpack its PNGs there"
        )
    raise MissingFileError(
        f"{root}: neither annotations/panoptic_SPLIT.json with a folder of PNGs beside it, nor "
        f"categories.json with {_MASK_FOLDERS[0]}/, was found there"
    )


class CocoMasks(FileSet):
    """Per-pixel masks of category ids with `categories.json`.

    Args:
        root: the folder of the set.
        folder: where in it the masks are.
    """

    def __init__(self, root: Path, folder: str) -> None:
        records = _load(root / "categories.json")
        names = _categories(records, "categories.json")
        self._broader = tuple(_broader(records))
        concepts, numbers = _numbered([names])
        self._numbers = masks.NumberTable(numbers[0])
        pairs = paired(root, "images", folder, only_labelled=True)
        images, drawn = [image for image, _ in pairs], [mask for _, mask in pairs]
        super().__init__(root, images, concepts, tables=["categories.json"], masks=drawn)

    @property
    def merge_rules(self) -> tuple[Rule, ...]:
        """The supercategories (`merged.own_table`)."""
        return self._broader

    def labels(self, index: int, size: int) -> Labels:
        """The labels of an image, one layer.

        Raises:
            ConceptSetError: a mask of another size than its image, or an id that `categories.json` lacks.
        """
        mask = self._masks[index]
        values = masks.one_channel(self.root / mask)
        self._check_size(index, mask, *values.shape)
        small = masks.nearest(values, size)
        numbers = self._numbers.look_up(small)
        for value in self._numbers.strangers(small, numbers):
            raise ConceptSetError(
                f"{self.root / mask}: category id {value} is not in categories.json; add its entry"
            )
        return Labels(numbers[None], (), frozenset({CATEGORY}))


@dataclass
class _Annotations:
    """The annotated images of all splits, side by side."""

    images: list[tuple[str, str]] = field(default_factory=list)
    pngs: list[tuple[str, str]] = field(default_factory=list)
    segments: list[masks.NumberTable] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)


class CocoPanoptic(FileSet):
    """Panoptic PNGs with the JSON that says what each segment is.

    Args:
        root: the folder of the set.
        annotations: the `panoptic_SPLIT.json` files in it.
        notes: sentences on what is left out.
    """

    def __init__(self, root: Path, annotations: Iterable[Path], notes: Iterable[str] = ()) -> None:
        loaded = {table.relative_to(root).as_posix(): _load(table) for table in annotations}
        concepts, numbers = _numbered(
            [_categories(_get(data, "categories", t), t) for t, data in loaded.items()]
        )
        found = _Annotations()
        for (table, data), known in zip(loaded.items(), numbers, strict=True):
            _collect(root, table, data, known, found)
        self._segments = found.segments
        self._broader = tuple(rule for data in loaded.values() for rule in _broader(data["categories"]))
        super().__init__(
            root,
            locate(root, found.images),
            concepts,
            tables=found.tables,
            masks=locate(root, found.pngs),
            notes=tuple(notes),
        )

    @property
    def merge_rules(self) -> tuple[Rule, ...]:
        """The supercategories (`merged.own_table`)."""
        return self._broader

    def labels(self, index: int, size: int) -> Labels:
        """The labels of an image, one layer.

        Raises:
            ConceptSetError: a PNG of another size than its image, or a segment that the JSON lacks.
        """
        mask = self._masks[index]
        pixels = masks.three_channels(self.root / mask)
        self._check_size(index, mask, *pixels.shape[:2])
        small = masks.nearest(pixels, size).astype(np.int32)
        values = small[..., 0] + 256 * small[..., 1] + 65536 * small[..., 2]
        numbers = self._segments[index].look_up(values)
        for value in self._segments[index].strangers(values, numbers):
            raise ConceptSetError(
                f"{self.root / mask}: segment {value} is not in the segments_info of its annotation"
            )
        return Labels(numbers[None], (), frozenset({CATEGORY}))


def _collect(root: Path, table: str, data: Any, numbers: Mapping[int, int], found: _Annotations) -> None:
    """Add one split's annotated images to what was found."""
    split = Path(table).stem.removeprefix("panoptic_")
    folders = [folder for folder in (f"images/{split}", split, "images") if (root / folder).is_dir()]
    if not folders:
        raise MissingFileError(f"{root}: {table} needs its images in images/{split}/, {split}/ or images/")
    names = {
        _integer(image, "id", table): _get(image, "file_name", table) for image in _get(data, "images", table)
    }
    pngs = Path(table).with_suffix("").as_posix()
    for annotation in _get(data, "annotations", table):
        image = _integer(annotation, "image_id", table)
        where = f"{table}, annotation of image {image}"
        if image not in names:
            raise ConceptSetError(f"{where}: 'images' has no image with that id")
        segments: dict[int, int] = {}
        for segment in _get(annotation, "segments_info", where):
            category = _integer(segment, "category_id", where)
            if category not in numbers:
                raise ConceptSetError(f"{where}: category id {category} is not in 'categories'")
            segments[_integer(segment, "id", where)] = numbers[category]
        found.images.append((f"{where}: image", f"{folders[0]}/{names[image]}"))
        found.pngs.append((f"{where}: PNG", f"{pngs}/{_get(annotation, 'file_name', where)}"))
        found.segments.append(masks.NumberTable(segments))
    found.tables.append(table)


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON
        raise ConceptSetError(f"{path}: is not JSON in UTF-8 ({error})") from error
    except OSError as error:
        raise ConceptSetError(f"{path}: cannot be read ({error.strerror or error})") from error


def _get(record: Any, key: str, where: str) -> Any:
    if not isinstance(record, dict) or key not in record:
        raise ConceptSetError(
            f"{where}: {key!r} is missing; the layout of COCO's panoptic annotations was expected"
        )
    value = record[key]
    if key in ("images", "annotations", "categories", "segments_info") and not isinstance(value, list):
        raise ConceptSetError(f"{where}: {key!r} is {type(value).__name__}, a list was expected")
    return value


def _integer(record: Any, key: str, where: str) -> int:
    value = _get(record, key, where)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ConceptSetError(f"{where}: {key!r} is {value!r}, a whole number from 0 on was expected")
    return value


def _categories(records: Any, where: str) -> dict[int, str]:
    """Names by category id."""
    names: dict[int, str] = {}
    if not isinstance(records, list) or not records:
        raise ConceptSetError(f"{where}: a list of categories with 'id' and 'name' was expected")
    for record in records:
        number, name = _integer(record, "id", where), str(_get(record, "name", where)).strip()
        if number in names or not name:
            raise ConceptSetError(f"{where}: category id {number} is there twice or has no name")
        names[number] = name
    return names


def _broader(records: Any) -> list[Rule]:
    """The supercategory of each of the categories, which were looked at before."""
    rules = []
    for record in records:
        name, into = str(record["name"]).strip(), record.get("supercategory")
        if isinstance(into, str) and into.strip() not in ("", name):
            rules.append(Rule(name, CATEGORY, into.strip(), HYPERNYM))
    return rules


def _numbered(tables: Iterable[Mapping[int, str]]) -> tuple[list[Concept], list[dict[int, int]]]:
    """All concepts by first appearance, and per table the concept number of each category id."""
    place: dict[Concept, int] = {}
    numbers = []
    for names in tables:
        numbers.append(
            {key: place.setdefault(Concept(name, CATEGORY), len(place)) for key, name in names.items()}
        )
    return list(place), numbers
