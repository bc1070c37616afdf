"""`dtd:DIR`: Describable Textures, photographs of textures with one or several names each.

    DIR/images/banded/banded_0002.jpg
    DIR/labels/labels_joint_anno.txt      banded/banded_0002.jpg banded grid

The folder of an image is its key texture. The table, which may be absent, adds the other textures that the image
shows: its path below `images/`, then all names, with white space between. All of them hold for the whole image, and
are of category "texture". The lists of the ten splits (`train1.txt`, …) are not used.

Concepts are numbered by name.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import numpy as np

from dissection.concepts import Concept, Labels
from dissection.images import SUFFIXES
from dissection.readers.errors import ConceptSetError, MissingFileError
from dissection.readers.files import FileSet, files_under, locate, set_folder

CATEGORY = "texture"
_JOINT = "labels/labels_joint_anno.txt"


class DescribableTextures(FileSet):
    """Describable Textures, or a set in its layout.

    Args:
        path: the folder that holds `images/`.

    Raises:
        ConceptSetError: no image in a folder of its texture, or a table that is broken or names a missing image.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        root = set_folder(path)
        textures: dict[str, tuple[str, ...]] = {}
        for image in locate(root, (("image", path) for path in files_under(root, "images", SUFFIXES))):
            parts = PurePosixPath(image).parts
            if len(parts) != 3:
                raise ConceptSetError(
                    f"{root}: {image} is not in images/TEXTURE/; move it to its texture's folder"
                )
            textures[image] = (parts[1],)
        if not textures:
            raise MissingFileError(
                f"{root}: holds no images/TEXTURE/….jpg; the layout of Describable Textures was expected"
            )
        table = (root / _JOINT).is_file()
        if table:
            _join(root, textures)
        names = sorted({name for several in textures.values() for name in several})
        place = {name: number for number, name in enumerate(names)}
        self._whole = [tuple(place[name] for name in several) for several in textures.values()]
        concepts = [Concept(name, CATEGORY) for name in names]
        super().__init__(root, list(textures), concepts, tables=[_JOINT] if table else [])

    def labels(self, index: int, size: int) -> Labels:
        """The textures of an image, its key texture first: no layers."""
        return Labels(np.empty((0, size, size), np.int32), self._whole[index], frozenset({CATEGORY}))


def _join(root: Path, textures: dict[str, tuple[str, ...]]) -> None:
    """Adds the names that the table gives to those of the folders."""
    try:
        lines = (root / _JOINT).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise ConceptSetError(f"{root / _JOINT}: cannot be read as UTF-8 text ({error})") from error
    rows = [
        (f"{PurePosixPath(_JOINT).name}, line {n}", line.split()) for n, line in enumerate(lines, start=1)
    ]
    rows = [(where, words) for where, words in rows if words]
    images = locate(root, ((f"{where}: image", f"images/{words[0]}") for where, words in rows))
    for (where, words), image in zip(rows, images, strict=True):
        if len(words) == 1:
            raise ConceptSetError(
                f"{where}: {words[0]!r} has no name after it; at least its texture was expected"
            )
        if image not in textures:
            raise ConceptSetError(f"{where}: {words[0]!r} is no image in a folder of its texture")
        textures[image] = tuple(dict.fromkeys((*textures[image], *words[1:])))
