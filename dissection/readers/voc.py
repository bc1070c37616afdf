"""`voc:DIR`: PASCAL VOC's twenty classes, pixel by pixel. DIR is one year's folder, such as `VOCdevkit/VOC2012`.

    DIR/JPEGImages/2007_000032.jpg           the photographs
    DIR/SegmentationClass/2007_000032.png    palette indices: 0 background, 1 to 20 the classes, 255 void

Every image with a mask is a member, of whichever list in `ImageSets/`; all others are none. The classes are called
as VOC calls them ("aeroplane", "diningtable", "tvmonitor") and are all of category "object". Background and void,
the rim around objects, are no labels.

The same photographs have two further sets of labels, which lie beside `JPEGImages/`: see `voc_context`, `voc_part`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from dissection.concepts import Concept, Labels
from dissection.images import SUFFIXES
from dissection.readers import masks
from dissection.readers.errors import ConceptSetError, MissingFileError
from dissection.readers.files import FileSet, by_stem, set_folder

PHOTOGRAPHS = "JPEGImages"
VOID = 255
# In the order of their palette indices, from 1; no file of the set holds them.
CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *(
        "diningtable",
        "dog",
        "horse",
        "motorbike",
        "person",
        "pottedplant",
        "sheep",
        "sofa",
        "train",
        "tvmonitor",
    ),
)


class Voc(FileSet):
    """PASCAL VOC's class segmentation.

    Args:
        path: the folder that holds `JPEGImages/` and `SegmentationClass/`.

    Raises:
        ConceptSetError: these folders are not there, or a mask has no image.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        root = voc_folder(path, "voc", "SegmentationClass")
        self._numbers = masks.NumberTable({number + 1: number for number in range(len(CLASSES))})
        pairs = voc_pairs(root, "SegmentationClass", masks.SUFFIXES)
        super().__init__(
            root,
            [image for image, _ in pairs],
            [Concept(name, "object") for name in CLASSES],
            masks=[mask for _, mask in pairs],
        )

    def labels(self, index: int, size: int) -> Labels:
        """The labels of an image, one layer.

        Raises:
            ConceptSetError: a mask of another size than its image, or a value that is no class.
            ImageError: the mask cannot be read.
        """
        mask = self._masks[index]
        values = masks.one_channel(self.root / mask)
        self._check_size(index, mask, *values.shape)
        small = masks.nearest(values, size)
        numbers = self._numbers.look_up(small)
        for value in self._numbers.strangers(small, numbers):
            if value != VOID:
                raise ConceptSetError(
                    f"{self.root / mask}: value {value} is no class of VOC; 0 to {len(CLASSES)} or {VOID} was expected"
                )
        return Labels(numbers[None], (), frozenset({"object"}))


def voc_folder(path: str | os.PathLike[str], kind: str, *labelled: str) -> Path:
    """The folder of one year, which holds the photographs and a folder of labels.

    Args:
        path: the folder.
        kind: what the set is called in a spec.
        labelled: where the labels may lie in it.

    Raises:
        MissingFileError: one of the two is not there; the sentence offers a year's folder below, if there is one.
    """
    root = set_folder(path)

    def whole(folder: Path) -> bool:
        return (folder / PHOTOGRAPHS).is_dir() and any((folder / name).is_dir() for name in labelled)

    if whole(root):
        return root
    below = [child for child in sorted(root.iterdir()) if whole(child)]
    meant = f"; did you mean '{kind}:{below[0]}'?" if below else ""
    places = " or ".join(f"{name}/" for name in labelled)
    raise MissingFileError(f"{root}: {PHOTOGRAPHS}/ and beside it {places} were expected there{meant}")


def voc_pairs(root: Path, folder: str, suffixes: Iterable[str]) -> list[tuple[str, str]]:
    """(photograph, label file) of equal stems, for all label files, sorted.

    Raises:
        ConceptSetError: no label file, two of one stem, or one that has no photograph.
    """
    photographs = by_stem(root, PHOTOGRAPHS, SUFFIXES)
    labelled = by_stem(root, folder, frozenset(suffixes))
    lost = sorted(set(labelled) - set(photographs))
    if lost:
        raise MissingFileError(
            f"{root}: {labelled[lost[0]]} has no photograph {PHOTOGRAPHS}/{lost[0]}.jpg ({len(lost)} have none); "
            "bring it back or move the label file away"
        )
    if not labelled:
        raise MissingFileError(f"{root / folder}: holds no label files ({', '.join(sorted(suffixes))})")
    return [(photographs[stem], labelled[stem]) for stem in sorted(labelled)]
