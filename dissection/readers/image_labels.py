"""`labels:FILE.csv`: labels of whole images, as scene and texture sets have them.

    image,scene,mood
    photos/1.jpg,street,busy;loud
    photos/2.jpg,beach,

The first column is the image, relative to the table's folder; every other column is a category. A cell
holds a name, or several with `;` between them. An empty cell means that nobody looked: the image does not
carry the category.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from dissection.concepts import Concept, Labels
from dissection.readers.errors import ConceptSetError
from dissection.readers.files import FileSet, locate, set_folder
from dissection.readers.tables import items, read_table


class ImageLabels(FileSet):
    """Images with whole-image labels from a CSV file.

    Args:
        path: the CSV file.

    Raises:
        ConceptSetError: the table is broken, or an image is missing or outside the table's folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        table = Path(path).expanduser()
        rows = read_table(table, first="image")
        categories = [column for column in rows[0].cells if column != "image"]
        if not categories or "" in categories:
            raise ConceptSetError(f"{table.name}: after 'image' a named column per category was expected")
        root = set_folder(table.parent)
        images = locate(root, ((f"{row.where}: image", row["image"]) for row in rows))
        place: dict[Concept, int] = {}
        first: dict[str, str] = {}
        self._labels: list[tuple[tuple[int, ...], frozenset[str]]] = []
        for row, image in zip(rows, images, strict=True):
            if image in first:
                raise ConceptSetError(
                    f"{row.where}: image {image!r} is also in {first[image]}; each image has one row, "
                    "with ';' between several labels"
                )
            first[image] = row.where
            named = [Concept(name, category) for category in categories for name in items(row[category])]
            whole = tuple(place.setdefault(concept, len(place)) for concept in dict.fromkeys(named))
            self._labels.append((whole, frozenset(category for category in categories if row[category])))
        super().__init__(root, images, list(place), tables=[table.name])

    def labels(self, index: int, size: int) -> Labels:
        """The labels of an image: no layers."""
        whole, categories = self._labels[index]
        return Labels(np.empty((0, size, size), np.int32), whole, categories)
