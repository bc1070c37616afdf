"""`voc-context:DIR`: PASCAL-Context, which labels whole VOC photographs: things, and the stuff around them.

DIR is the folder of a year that holds `JPEGImages/` (VOC2010 is the one that was labelled), with one of these
pairs in it or in `DIR/context/`, looked for in this order:

| label maps | names | classes |
|---|---|---|
| `trainval/*.mat` | `labels.txt` or `459_labels.txt` | 459 |
| `59_context_labels/*.png` | `59_labels.txt` | 59 |
| `33_context_labels/*.png` | `33_labels.txt` | 33 |

A line of names is `NUMBER: NAME`. In each of the folders a label map is either a MATLAB file whose variable
`LabelMap` has a number for each pixel, or a mask of one channel with the same numbers. All classes are of category
"object", called as the table calls them. 0 (background) and the class "unknown" are no labels. Photographs without
label map are no members.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dissection.concepts import Concept, Labels
from dissection.readers import masks
from dissection.readers.errors import ConceptSetError, MissingFileError
from dissection.readers.files import FileSet
from dissection.readers.lines import read_lines
from dissection.readers.matlab import matlab_variable
from dissection.readers.voc import voc_folder, voc_pairs

_PAIRS = (
    ("trainval", "labels.txt"),
    ("trainval", "459_labels.txt"),
    ("59_context_labels", "59_labels.txt"),
    ("33_context_labels", "33_labels.txt"),
)
_UNKNOWN = "unknown"


class VocContext(FileSet):
    """PASCAL-Context.

    Args:
        path: the folder that holds `JPEGImages/` and the label maps.

    Raises:
        ConceptSetError: label maps or their names are not there, or the table is broken.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        places = [f"{folder}{maps}" for folder in ("", "context/") for maps in dict(_PAIRS)]
        root = voc_folder(path, "voc-context", *places)
        folder, self._table = _found(root)
        names = _names(root / self._table)
        labels = {number: name for number, name in names.items() if name != _UNKNOWN}
        self._numbers = masks.NumberTable({value: number for number, value in enumerate(labels)})
        self._unknown = frozenset(names) - frozenset(labels)
        pairs = voc_pairs(root, folder, {".mat", *masks.SUFFIXES})
        super().__init__(
            root,
            [image for image, _ in pairs],
            [Concept(name, "object") for name in labels.values()],
            tables=[self._table],
            masks=[mask for _, mask in pairs],
        )

    def labels(self, index: int, size: int) -> Labels:
        """The labels of an image, one layer.

        Raises:
            ConceptSetError: a label map that cannot be read or has another size than its image, or a number
                without a name.
            ImageError: a mask that cannot be read.
        """
        mask = self._masks[index]
        path = self.root / mask
        values = _label_map(path) if path.suffix.lower() == ".mat" else masks.one_channel(path)
        self._check_size(index, mask, *values.shape)
        small = masks.nearest(values, size)
        numbers = self._numbers.look_up(small)
        for value in self._numbers.strangers(small, numbers):
            if value not in self._unknown:
                raise ConceptSetError(f"{path}: number {value} is not in {self._table}; add its line")
        return Labels(numbers[None], (), frozenset({"object"}))


def _found(root: Path) -> tuple[str, str]:
    """The folder of label maps and the table of names that are there."""
    for place in ("", "context/"):
        for folder, table in _PAIRS:
            if (root / place / folder).is_dir() and (root / place / table).is_file():
                return place + folder, place + table
    wanted = ", ".join(f"{table} for {folder}/" for folder, table in _PAIRS)
    raise MissingFileError(f"{root}: the names of its label maps are not there ({wanted})")


def _names(path: Path) -> dict[int, str]:
    """The name of each number but 0."""
    names: dict[int, str] = {}
    first: dict[str, str] = {}
    for where, line in read_lines(path):
        parts = re.fullmatch(r"([0-9]{1,6})\s*:\s*(.+)", line)
        if parts is None:
            raise ConceptSetError(f"{where}: is {line!r}, 'NUMBER: NAME' was expected")
        number, name = int(parts[1]), parts[2]
        if number in names:
            raise ConceptSetError(f"{where}: number {number} is there twice; drop one of the lines")
        if name in first:
            raise ConceptSetError(f"{where}: {name!r} is also the name in {first[name]}; rename one of them")
        first[name] = where
        names[number] = name
    names.pop(0, None)
    if not names:
        raise ConceptSetError(f"{path}: names no class; lines such as '2: aeroplane' were expected")
    return names


def _label_map(path: Path) -> NDArray[np.int32]:
    values = matlab_variable(path, "LabelMap")
    if values.ndim != 2 or values.dtype.kind not in "uif" or not values.size:
        raise ConceptSetError(
            f"{path}: LabelMap is {values.dtype} {list(values.shape)}, numbers [h, w] were expected"
        )
    whole = np.floor(values)  # MATLAB's own numbers are floating-point
    if not (whole == values).all() or whole.min() < 0 or whole.max() >= 2**31:
        raise ConceptSetError(f"{path}: LabelMap holds other values than whole numbers from 0 on")
    return np.asarray(whole, dtype=np.int32)
