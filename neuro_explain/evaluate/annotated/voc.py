"""`voc:DIR`: PASCAL VOC's boxes. DIR is one year's folder, such as `VOCdevkit/VOC2012`.

    DIR/Annotations/2007_000032.xml          boxes, `difficult`, the image's size
    DIR/JPEGImages/2007_000032.jpg           the photographs
    DIR/SegmentationClass/2007_000032.png    where there is one: 0 background, 1 to 20 the classes, 255 void
    DIR/ImageSets/Main/val.txt               `voc:DIR:val` takes the images of a list; ImageSets/Segmentation too

Corners are pixels, counted from 1, and both belong to the box: xmin 1 and xmax 1 are one pixel. An object's parts
(head, hand) are not its boxes.
"""

from __future__ import annotations

from pathlib import Path

from dissection.images import SUFFIXES
from dissection.readers.files import by_stem
from dissection.readers.lines import read_lines
from dissection.readers.voc import CLASSES, PHOTOGRAPHS
from neuro_explain.evaluate.annotated.drawn import PaletteMap
from neuro_explain.evaluate.annotated.records import (
    EMPTY,
    Notes,
    clipped,
    corners,
    read_xml,
    size_of,
    text_of,
)
from neuro_explain.evaluate.annotations import AnnotatedImage, AnnotatedSet, Instance

_SEGMENTED = "SegmentationClass"
_LISTS = ("ImageSets/Main", "ImageSets/Segmentation")


def open_voc(path: Path) -> AnnotatedSet:
    """The photographs of one year's folder, or with `:LIST` behind it those of a list.

    Raises:
        FileNotFoundError: folders, photographs or the list are not there.
        ValueError: an annotation is broken; the message names the file.
    """
    root, chosen = _with_list(path)
    for folder in ("Annotations", PHOTOGRAPHS):
        if not (root / folder).is_dir():
            raise FileNotFoundError(f"{root}: there is no {folder}/; one year's folder of VOC was expected")
    annotations = by_stem(root, "Annotations", frozenset((".xml",)))
    photographs = by_stem(root, PHOTOGRAPHS, SUFFIXES)
    maps = by_stem(root, _SEGMENTED, frozenset((".png",))) if (root / _SEGMENTED).is_dir() else {}
    stems = sorted(annotations) if chosen is None else [line.split()[0] for _, line in read_lines(chosen)]
    notes, images, categories = Notes(), [], dict.fromkeys(CLASSES)
    unlisted = [stem for stem in photographs if stem not in annotations] if chosen is None else []
    notes.add("photographs without an annotation were left out", len(unlisted))
    for stem in stems:
        for what, files, place in (
            ("annotation", annotations, f"Annotations/{stem}.xml"),
            ("photograph", photographs, f"{PHOTOGRAPHS}/{stem}.jpg"),
        ):
            if stem not in files:
                raise FileNotFoundError(f"{root / place}: there is no {what} of {stem}")
        file = root / annotations[stem]
        size, instances = _read(file, notes)
        if not instances:
            notes.add(EMPTY)
            continue
        categories |= dict.fromkeys(one.category for one in instances)
        segmentation = PaletteMap(root / maps[stem], CLASSES) if stem in maps else None
        photograph = photographs[stem]
        images.append(
            AnnotatedImage(photograph, root / photograph, size, instances, segmentation=segmentation)
        )
    return AnnotatedSet(f"voc:{path.name}", "voc", images, list(categories), notes.sentences())


def _with_list(path: Path) -> tuple[Path, Path | None]:
    """The folder, and the list behind its name."""
    if path.is_dir():
        return path, None
    folder, colon, name = str(path).rpartition(":")
    if not colon or not Path(folder).is_dir():
        raise FileNotFoundError(f"{path}: there is no such folder")
    lists = [Path(folder) / place / f"{name}.txt" for place in _LISTS]
    for one in lists:
        if one.is_file():
            return Path(folder), one
    raise FileNotFoundError(f"{folder}: there is no list {name}.txt in {' or '.join(_LISTS)}")


def _read(file: Path, notes: Notes) -> tuple[tuple[int, int], tuple[Instance, ...]]:
    root = read_xml(file)
    size = size_of(root, file)
    instances = []
    for number, thing in enumerate(root.findall("object"), start=1):
        where = f"{file}, object {number}"
        edges, written = corners(thing, 1, where)
        box = clipped(edges, size, where, notes, written=written)
        if box is not None:
            difficult = (thing.findtext("difficult") or "0").strip() == "1"
            instances.append(Instance(text_of(thing, "name", where), box, difficult=difficult))
    return size, tuple(instances)
