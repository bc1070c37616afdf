"""`cityscapes:DIR`: street scenes in the folders of Cityscapes, and other sets that are laid out the same way.

    DIR/leftImg8bit/SPLIT/CITY/aachen_000000_000019_leftImg8bit.png
    DIR/gtFine/SPLIT/CITY/aachen_000000_000019_gtFine_labelIds.png      (or gtCoarse/…_gtCoarse_labelIds.png)

A mask has one channel of label ids. Without a table in DIR these are Cityscapes' own: `LABELS` here, all of category
"object". Its void ids (unlabeled, ego vehicle, static, …) are no labels, nor is 255, the licence plate's −1 in
8 bits. An id that the table lacks is an error: masks of *train* ids are other numbers, and are not read.

A Cityscapes-style set brings a table of its own, and then a value without an entry is no label:

    DIR/labels.csv    value,name,category            7,road,object
    DIR/labels.json   [{"id": 7, "name": "road"}, {"id": 4, "name": "static", "void": true}]

In `labels.json` an entry may have a "category", which is "object" otherwise; "void": true says that the id is no
label. Where both files exist `labels.csv` is read. Images without a mask are not members; a set whose gtFine/ has
masks is read from there, and `notes` says so if there is gtCoarse/ too.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from dissection.concepts import Concept, Labels
from dissection.images import SUFFIXES
from dissection.readers import masks
from dissection.readers.errors import ConceptSetError, MissingFileError
from dissection.readers.files import FileSet, files_under, locate, set_folder
from dissection.readers.value_table import values_from_csv, values_from_json

CATEGORY = "object"
# What Cityscapes publishes: its ids are 0 to 33, of which 0 to 6 are void.
LABELS = {
    7: "road",
    8: "sidewalk",
    9: "parking",
    10: "rail track",
    11: "building",
    12: "wall",
    13: "fence",
    14: "guard rail",
    15: "bridge",
    16: "tunnel",
    17: "pole",
    18: "polegroup",
    19: "traffic light",
    20: "traffic sign",
    21: "vegetation",
    22: "terrain",
    23: "sky",
    24: "person",
    25: "rider",
    26: "car",
    27: "truck",
    28: "bus",
    29: "caravan",
    30: "trailer",
    31: "train",
    32: "motorcycle",
    33: "bicycle",
}
# unlabeled, ego vehicle, rectification border, out of roi, static, dynamic, ground; licence plate in 8 bits
VOID = frozenset((0, 1, 2, 3, 4, 5, 6, 255))

_IMAGES = "leftImg8bit"
_DRAWN = ("gtFine", "gtCoarse")


class Cityscapes(FileSet):
    """Cityscapes, or a set in its layout.

    Args:
        path: the folder that holds `leftImg8bit/` and `gtFine/`.

    Raises:
        ConceptSetError: a folder or an image is missing, or a table of the set's own is broken.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        root = set_folder(path)
        table = next((name for name in ("labels.csv", "labels.json") if (root / name).is_file()), None)
        named = _named(root, table)
        concepts = list(dict.fromkeys(named.values()))
        place = {concept: number for number, concept in enumerate(concepts)}
        self._numbers = masks.NumberTable({value: place[concept] for value, concept in named.items()})
        self._strict = table is None
        self._categories = frozenset(concept.category for concept in concepts)
        kind, pairs = _pairs(root)
        notes = []
        if kind != _DRAWN[-1] and (root / _DRAWN[-1]).is_dir():
            notes.append(f"{_DRAWN[-1]}/: left out, {kind}/ is read")
        super().__init__(
            root,
            [image for image, _ in pairs],
            concepts,
            tables=[table] if table else [],
            masks=[mask for _, mask in pairs],
            notes=notes,
        )

    def labels(self, index: int, size: int) -> Labels:
        """The labels of an image, one layer.

        Raises:
            ConceptSetError: a mask of another size than its image, or an id that is not Cityscapes'.
            ImageError: the mask cannot be read.
        """
        mask = self._masks[index]
        values = masks.one_channel(self.root / mask)
        self._check_size(index, mask, *values.shape)
        small = masks.nearest(values, size)
        numbers = self._numbers.look_up(small)
        strangers = self._numbers.strangers(small, numbers) if self._strict else []
        for value in strangers:
            if value not in VOID:
                raise ConceptSetError(
                    f"{self.root / mask}: label id {value} is none of Cityscapes', which end at {max(LABELS)}; if the "
                    "ids are the set's own, say what they mean in labels.csv (value,name,category) in its folder"
                )
        return Labels(numbers[None], (), self._categories)


def _pairs(root: Path) -> tuple[str, list[tuple[str, str]]]:
    """The folder of the masks, and (image, mask) pairs sorted by image."""
    for kind in _DRAWN:
        drawn = {
            _frame(path, kind, f"_{kind}_labelIds"): path
            for path in files_under(root, kind, masks.SUFFIXES)
            if PurePosixPath(path).stem.endswith("_labelIds")
        }
        if not drawn:
            continue
        photos = {_frame(path, _IMAGES, f"_{_IMAGES}"): path for path in files_under(root, _IMAGES, SUFFIXES)}
        lost = sorted(set(drawn) - set(photos))
        if lost:
            raise MissingFileError(
                f"{root}: {drawn[lost[0]]} has no image {_IMAGES}/{lost[0]}_{_IMAGES}.png ({len(lost)} masks have "
                "none); bring it back or move the mask away"
            )
        pairs = sorted((photos[frame], drawn[frame]) for frame in drawn)
        images = locate(root, (("image", image) for image, _ in pairs))
        return kind, list(zip(images, locate(root, (("mask", mask) for _, mask in pairs)), strict=True))
    raise MissingFileError(
        f"{root}: holds no {_DRAWN[0]}/SPLIT/CITY/…_{_DRAWN[0]}_labelIds.png and nothing like it in {_DRAWN[1]}/; "
        "Cityscapes' layout was expected, unpack its label images there"
    )


def _frame(path: str, folder: str, ending: str) -> str:
    """What an image and its mask have in common: split, city and frame."""
    return PurePosixPath(path).relative_to(folder).with_suffix("").as_posix().removesuffix(ending)


def _named(root: Path, table: str | None) -> dict[int, Concept]:
    """The concept of each label id, void ones left out."""
    if table is None:
        return {value: Concept(name, CATEGORY) for value, name in LABELS.items()}
    if table == "labels.csv":
        return values_from_csv(root / table)
    return values_from_json(root / table, CATEGORY)
