"""`coco:DIR`: COCO's things, with boxes and masks. Two layouts, looked for in this order:

1. `instances_SPLIT.json` (in DIR, in `annotations/` or in `*/annotations/`): boxes [x, y, width, height], polygons or
   run lengths, `iscrowd`;
2. `panoptic_SPLIT.json` with its PNGs in `panoptic_SPLIT/` beside it: of its segments, those of things.

Images lie in `images/SPLIT/`, `SPLIT/` or `images/`. Several splits are joined; `coco:FILE.json` reads one alone, whose
images are looked for from its own folder, or from above `annotations/`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dissection.readers.files import locate
from neuro_explain.evaluate.annotated.drawn import RunLengths, Segment, polygons_of
from neuro_explain.evaluate.annotated.records import EMPTY, Notes, clipped, entry, read_json
from neuro_explain.evaluate.annotations import AnnotatedImage, AnnotatedSet, Drawn, Instance

_PLACES = ("", "annotations/", "*/annotations/")
_Collected = dict[int, list[Instance]]


def open_coco(path: Path) -> AnnotatedSet:
    """The photographs of a COCO folder, or of one of its JSON files.

    Raises:
        FileNotFoundError: no annotations, no folder of images, or images that are missing.
        ValueError: what is there is broken; the message names the file and the annotation.
    """
    root, tables, read = _found(path)
    notes = Notes()
    images: list[AnnotatedImage] = []
    categories: dict[str, None] = {}
    for table in tables:
        loaded = read_json(table)
        names = _category_names(loaded, table.name)
        categories |= dict.fromkeys(names[key] for key in names if key in _things(loaded, table.name))
        sizes = _images(loaded, table.name)
        instances = read(loaded, table, names, {key: size for key, (_, size) in sizes.items()}, notes)
        notes.add(EMPTY, sum(key not in instances for key in sizes))
        images += _joined(root, table, {key: sizes[key] for key in sizes if key in instances}, instances)
    return AnnotatedSet(f"coco:{path.name}", "coco", images, list(categories), notes.sentences())


def _found(path: Path) -> tuple[Path, list[Path], Callable[..., _Collected]]:
    """The folder, the tables to read, and by which layout."""
    if path.is_file():
        root = path.parent.parent if path.parent.name == "annotations" else path.parent
        return root, [path], _segments if path.name.startswith("panoptic_") else _instances
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: there is no such folder")
    for kind, read in (("instances", _instances), ("panoptic", _segments)):
        tables = sorted({table for place in _PLACES for table in path.glob(f"{place}{kind}_*.json")})
        if tables:
            return path, tables, read
    raise FileNotFoundError(
        f"{path}: neither instances_SPLIT.json nor panoptic_SPLIT.json is there, in annotations/ or in */annotations/"
    )


def _joined(
    root: Path, table: Path, images: dict[int, tuple[str, tuple[int, int]]], instances: _Collected
) -> list[AnnotatedImage]:
    split = table.stem.partition("_")[2]
    folder = next(
        (name for name in (f"images/{split}", split, "images") if name and (root / name).is_dir()), None
    )
    if folder is None:
        raise FileNotFoundError(
            f"{root}: {table.name} needs its images in images/{split}/, {split}/ or images/"
        )
    rows = [(f"{table.name}, image {key}:", f"{folder}/{name}") for key, (name, _) in images.items()]
    return [
        AnnotatedImage(file, root / file, size, tuple(instances[key]))
        for file, (key, (_, size)) in zip(locate(root, rows), images.items(), strict=True)
    ]


def _instances(
    loaded: Any, table: Path, names: dict[int, str], sizes: dict[int, tuple[int, int]], notes: Notes
) -> _Collected:
    found: _Collected = defaultdict(list)
    for record in entry(loaded, "annotations", list, table.name):
        where = f"{table.name}, annotation {record.get('id', '?') if isinstance(record, dict) else '?'}"
        image = _known(entry(record, "image_id", int, where), sizes, "image", where)
        category = names[_known(entry(record, "category_id", int, where), names, "category", where)]
        box = _box(record, sizes[image], where, notes)
        if box is not None:
            mask, crowd = _mask(record, where), bool(record.get("iscrowd", 0))
            found[image].append(Instance(category, box, mask, crowd))
    return dict(found)


def _segments(
    loaded: Any, table: Path, names: dict[int, str], sizes: dict[int, tuple[int, int]], notes: Notes
) -> _Collected:
    things = _things(loaded, table.name)
    pngs = table.with_suffix("")
    if not pngs.is_dir():
        raise FileNotFoundError(f"{table}: there is no folder {pngs.name} beside it; unpack its PNGs there")
    found: _Collected = defaultdict(list)
    for annotation in entry(loaded, "annotations", list, table.name):
        image = entry(annotation, "image_id", int, f"{table.name}, an annotation")
        where = f"{table.name}, annotation of image {image}"
        _known(image, sizes, "image", where)
        file = pngs / entry(annotation, "file_name", str, where)
        if not file.is_file():
            raise FileNotFoundError(f"{where}: {file} does not exist")
        for segment in entry(annotation, "segments_info", list, where):
            category = _known(entry(segment, "category_id", int, where), names, "category", where)
            box = _box(segment, sizes[image], where, notes) if category in things else None
            if box is not None:
                mask = Segment(file, entry(segment, "id", int, where))
                crowd = bool(segment.get("iscrowd", 0))
                found[image].append(Instance(names[category], box, mask, crowd))
    return dict(found)


def _box(
    record: Any, size: tuple[int, int], where: str, notes: Notes
) -> tuple[float, float, float, float] | None:
    numbers = entry(record, "bbox", list, where)
    if len(numbers) != 4 or not all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers):
        raise ValueError(f"{where}: 'bbox' is {numbers}, four numbers x, y, width, height were expected")
    x, y, width, height = numbers
    written = f"the box {numbers} (x, y, width, height)"
    return clipped((x, y, x + width, y + height), size, where, notes, written=written)


def _mask(record: Any, where: str) -> Drawn | None:
    drawn = record.get("segmentation")
    if not drawn:
        return None
    if isinstance(drawn, list):
        return polygons_of(drawn, where)
    size, counts = entry(drawn, "size", list, where), entry(drawn, "counts", (list, str), where)
    if len(size) != 2 or not all(
        isinstance(n, int) for n in (*size, *(counts if isinstance(counts, list) else ()))
    ):
        raise ValueError(f"{where}: run lengths need a size of two whole numbers, and whole numbers")
    return RunLengths((size[0], size[1]), counts if isinstance(counts, str) else tuple(counts))


def _images(loaded: Any, table: str) -> dict[int, tuple[str, tuple[int, int]]]:
    """File name and (width, height) of each image."""
    found = {}
    for record in entry(loaded, "images", list, table):
        key = entry(record, "id", int, f"{table}, an image")
        where = f"{table}, image {key}"
        size = (entry(record, "width", int, where), entry(record, "height", int, where))
        found[key] = (entry(record, "file_name", str, where), size)
    return found


def _category_names(loaded: Any, table: str) -> dict[int, str]:
    """Names of things by their id."""
    records = entry(loaded, "categories", list, table)
    where = f"{table}, a category"
    return {entry(record, "id", int, where): entry(record, "name", str, where).strip() for record in records}


def _things(loaded: Any, table: str) -> set[int]:
    """The ids of what has instances; in a table of instances, of all."""
    return {record["id"] for record in entry(loaded, "categories", list, table) if record.get("isthing", 1)}


def _known(key: int, known: Iterable[int], what: str, where: str) -> int:
    if key not in known:
        raise ValueError(f"{where}: there is no {what} with the id {key}")
    return key
