"""`images:DIR`: photographs without labels, for use with `colors`, which labels any image.

All image files below the folder, sorted by path; hidden ones are left out.
"""

from __future__ import annotations

import os

import numpy as np

from dissection.concepts import Labels
from dissection.images import SUFFIXES
from dissection.readers.files import FileSet, files_under, locate, set_folder


class Photographs(FileSet):
    """The images of a folder, with no concept at all.

    Args:
        path: the folder.

    Raises:
        ConceptSetError: no such folder, no image in it, or a link that leads out of it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        root = set_folder(path)
        super().__init__(
            root, locate(root, (("image", path) for path in files_under(root, ".", SUFFIXES))), ()
        )

    def labels(self, index: int, size: int) -> Labels:
        """No labels, and no category that anybody looked for."""
        self.image_id(index)  # IndexError for an image that there is not
        return Labels(np.empty((0, size, size), np.int32), (), frozenset())
