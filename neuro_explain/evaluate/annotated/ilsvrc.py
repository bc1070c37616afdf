"""`ilsvrc:DIR`: ImageNet's localisation challenge. One class for each image, a synset, and the boxes of its things.

    DIR/Annotations/CLS-LOC/val/ILSVRC2012_val_00000001.xml      or Annotations/val/ or Annotations/
    DIR/Data/CLS-LOC/val/ILSVRC2012_val_00000001.JPEG            or images/val/, val/ or images/
    DIR/ImageSets/CLS-LOC/val.txt                                or val.txt: which images; optional

Synsets (`n01440764`) stand for classes by `class_map`. Corners are pixels that both belong to the box. Their publisher
does not say whether they are counted from 0 or from 1; here it is from 0, and what then reaches one pixel beyond the
image is clipped without ado. A list's line is the image's name and whatever follows it. A listed image without boxes is
left out and counted.
"""

from __future__ import annotations

from pathlib import Path

from dissection.images import SUFFIXES
from dissection.readers.files import by_stem
from dissection.readers.lines import read_lines
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

_BOXES = ("Annotations/CLS-LOC/val", "Annotations/val", "Annotations")
_IMAGES = ("Data/CLS-LOC/val", "images/val", "val", "images")
_LISTS = ("ImageSets/CLS-LOC/val.txt", "ImageSets/val.txt", "val.txt")


def open_ilsvrc(root: Path) -> AnnotatedSet:
    """The validation images of ILSVRC's layout.

    Raises:
        FileNotFoundError: folders or images are not there.
        ValueError: an annotation is broken, or names several synsets; the message names the file.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: there is no such folder")
    boxes, images = _first(root, _BOXES, "annotations"), _first(root, _IMAGES, "images")
    annotations, photographs = (
        {Path(stem).name: file for stem, file in by_stem(root, folder, suffixes).items()}
        for folder, suffixes in ((boxes, frozenset((".xml",))), (images, SUFFIXES))
    )
    listed = next((root / name for name in _LISTS if (root / name).is_file()), None)
    names = sorted(photographs)
    if listed is not None:
        names = [Path(line.split()[0]).stem for _, line in read_lines(listed)]
    notes, found, categories = Notes(), [], set()
    for name in names:
        if name not in photographs:
            raise FileNotFoundError(f"{root / images / name}.JPEG: there is no image of {name}")
        if name not in annotations:
            notes.add(EMPTY)
            continue
        file = root / annotations[name]
        size, instances = _read(file, notes)
        if not instances:
            notes.add(EMPTY)
            continue
        synsets = {one.category for one in instances}
        if len(synsets) > 1:
            raise ValueError(
                f"{file}: boxes of several classes ({', '.join(sorted(synsets))}), one was expected"
            )
        categories |= synsets
        photograph = photographs[name]
        found.append(AnnotatedImage(photograph, root / photograph, size, instances, whole=tuple(synsets)))
    return AnnotatedSet(f"ilsvrc:{root.name}", "ilsvrc", found, sorted(categories), notes.sentences())


def _first(root: Path, folders: tuple[str, ...], what: str) -> str:
    for folder in folders:
        if (root / folder).is_dir():
            return folder
    raise FileNotFoundError(f"{root}: no {what} in {', '.join(folders)}")


def _read(file: Path, notes: Notes) -> tuple[tuple[int, int], tuple[Instance, ...]]:
    root = read_xml(file)
    width, height = size_of(root, file)
    instances = []
    for number, thing in enumerate(root.findall("object"), start=1):
        where = f"{file}, object {number}"
        (left, top, right, bottom), written = corners(thing, 0, where)
        # a corner counted from 1 ends one pixel beyond the image
        right = float(width) if right == width + 1 else right
        bottom = float(height) if bottom == height + 1 else bottom
        box = clipped((left, top, right, bottom), (width, height), where, notes, written=written)
        if box is not None:
            difficult = (thing.findtext("difficult") or "0").strip() == "1"
            instances.append(Instance(text_of(thing, "name", where), box, difficult=difficult))
    return (width, height), tuple(instances)
