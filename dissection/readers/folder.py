"""`folder:DIR`: your own masks, with a table that says what their values mean.

    DIR/labels.csv     value,name,category      3,wheel,part
    DIR/index.csv      image,mask               photos/car.jpg,masks/car.png
    or, without index.csv, files of equal stems: DIR/images/car.jpg and DIR/masks/car.png

A mask has one channel of 8, 16 or 32 bits, or palette indices, and the size of its upright image. A value
without a row in `labels.csv` is unlabelled; 0 is a label if and only if it has a row. Every image carries
every category of `labels.csv`: whoever drew the masks looked for all of them.
"""

from __future__ import annotations

import os
from pathlib import Path

from dissection.concepts import Labels
from dissection.images import SUFFIXES
from dissection.readers import masks
from dissection.readers.errors import ConceptSetError, MissingFileError
from dissection.readers.files import FileSet, by_stem, locate, set_folder
from dissection.readers.tables import read_table
from dissection.readers.value_table import values_from_csv


class MaskFolder(FileSet):
    """A folder of images and masks.

    Args:
        path: the folder that holds `labels.csv`.

    Raises:
        ConceptSetError: a table is broken, or an image or mask is missing or outside the folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        root = set_folder(path)
        values = values_from_csv(root / "labels.csv")
        concepts = list(dict.fromkeys(values.values()))
        place = {concept: number for number, concept in enumerate(concepts)}
        self._numbers = masks.NumberTable({value: place[concept] for value, concept in values.items()})
        self._categories = frozenset(concept.category for concept in concepts)
        indexed = (root / "index.csv").is_file()
        pairs = _indexed(root) if indexed else paired(root, "images", "masks")
        super().__init__(
            root,
            [image for image, _ in pairs],
            concepts,
            tables=["labels.csv", "index.csv"] if indexed else ["labels.csv"],
            masks=[mask for _, mask in pairs],
        )

    def labels(self, index: int, size: int) -> Labels:
        """The labels of an image, one layer.

        Raises:
            ConceptSetError: the mask has another size than the upright image.
            ImageError: the mask cannot be read.
        """
        mask = self._masks[index]
        values = masks.one_channel(self.root / mask)
        self._check_size(index, mask, *values.shape)
        return Labels(self._numbers.look_up(masks.nearest(values, size))[None], (), self._categories)


def paired(root: Path, images: str, labelled: str, *, only_labelled: bool = False) -> list[tuple[str, str]]:
    """(image, mask) pairs of equal stems below two folders, sorted by image.

    Args:
        root: folder of the set.
        images: the folder of the images in it.
        labelled: the folder of the masks in it.
        only_labelled: images without a mask are left out instead of refused.
    """
    photos = by_stem(root, images, SUFFIXES)
    drawn = by_stem(root, labelled, masks.SUFFIXES)
    bare = [] if only_labelled else sorted(set(photos) - set(drawn))
    lost = sorted(set(drawn) - set(photos))
    if bare:
        raise MissingFileError(
            f"{root}: {photos[bare[0]]} has no mask {labelled}/{bare[0]}.png ({len(bare)} images have none); "
            "draw it or move the image away"
        )
    if lost:
        raise MissingFileError(
            f"{root}: {drawn[lost[0]]} has no image {images}/{lost[0]}.jpg ({len(lost)} masks have none); "
            "bring it back or move the mask away"
        )
    return sorted((photos[stem], drawn[stem]) for stem in drawn)


def _indexed(root: Path) -> list[tuple[str, str]]:
    rows = read_table(root / "index.csv", ("image", "mask"))
    images = locate(root, ((f"{row.where}: image", row["image"]) for row in rows))
    drawn = locate(root, ((f"{row.where}: mask", row["mask"]) for row in rows))
    first: dict[str, str] = {}
    for row, image in zip(rows, images, strict=True):
        if image in first:
            raise ConceptSetError(
                f"{row.where}: image {image!r} is also in {first[image]}; each image has one row"
            )
        first[image] = row.where
    return list(zip(images, drawn, strict=True))
