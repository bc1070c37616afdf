"""A new folder of data, whole or not there, and the names and pictures in it.

    with new_folder("data/mine") as draft:
        save_png(draft / "images/1.png", pixels)

Files go into a folder of a temporary name beside the wanted one, which is renamed when the block ends well. If
anything fails, or Ctrl-C is pressed, it is removed. Other than an artifact's, the folder has no manifest: it is in
the layout of others, and a folder that exists is never replaced.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dissection.artifact import ArtifactError, check_writable
from dissection.readers.errors import ConceptSetError

_SLUG = 60  # characters of an image's id that its file's name keeps


@dataclass(frozen=True)
class Group:
    """What was written of one category.

    Attributes:
        category: its name.
        concepts: how many the set has.
        seen: how many of them at least one image shows.
        images: how many images carry the category.
    """

    category: str
    concepts: int
    seen: int
    images: int


@dataclass(frozen=True)
class Written:
    """What was written: the folder, and how many images, concepts and categories of concepts are in it.

    Attributes:
        val: how many of the images are in split "val", where a layout has splits.
        groups: the categories one by one, where they were counted.
    """

    folder: Path
    images: int
    concepts: int
    categories: int
    val: int = 0
    groups: tuple[Group, ...] = ()


def check_new(folder: str | os.PathLike[str]) -> None:
    """Says before the work starts what would stop its result from being kept.

    Raises:
        ArtifactError: something of that name exists, or the folder cannot be created there.
    """
    if os.path.lexists(folder):
        raise ArtifactError(
            f"{os.fspath(folder)} exists already; an export needs a new folder, choose another"
        )
    check_writable(folder, kind="concept set")


@contextmanager
def new_folder(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields an empty folder to write into; it becomes `folder` when the block ends well.

    Raises:
        ArtifactError: as `check_new`.
        OSError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    check_new(folder)
    path = Path(folder).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}.writing-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=path.parent, ignore_cleanup_errors=True) as work:
        draft = Path(work) / "new"
        draft.mkdir()
        yield draft
        check_new(
            folder
        )  # somebody may have made it meanwhile; an empty one would be replaced without a word
        draft.rename(path)


def file_stem(index: int, count: int, image_id: str) -> str:
    """A file name without suffix for an image: its number, then what of its id any file system can hold."""
    slug = plain(PurePosixPath(image_id).stem)
    number = str(index).zfill(len(str(count - 1)))
    return f"{number}-{slug}" if slug else number


def plain(text: str) -> str:
    """The text in letters, digits, dots and dashes; several texts may give the same."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text)[:_SLUG].strip("-.")


def save_image(path: Path, image: Image.Image) -> None:
    """A photograph as PNG: its pixels, and nothing else that might change how they are read."""
    save_png(path, np.asarray(image.convert("RGB")))


def save_numbers(path: Path, numbers: NDArray[np.integer[Any]]) -> None:
    """Label numbers `[h, w]` below 2²⁴ as PNG: red + 256 · green + 65536 · blue."""
    wide = numbers.astype(np.int64)  # 255 is not a number of every type
    channels = [wide & 255, wide >> 8 & 255, wide >> 16 & 255]
    save_png(path, np.stack(channels, axis=-1).astype(np.uint8))


def save_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    """RGB pixels `[h, w, 3]` as PNG."""
    Image.fromarray(pixels).save(path)


def check_text(what: str, text: str) -> None:
    """A name must come through a table as it is.

    Args:
        what: what the name is of, for the message ("concept", "category").
        text: the name.

    Raises:
        ConceptSetError: it is empty, has white space at its ends, which readers of tables drop, or holds a
            character that UTF-8 tables cannot.
    """
    if text != text.strip() or not text:
        raise ConceptSetError(
            f"{what} {text!r}: a name without white space at its ends was expected; rename it"
        )
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ConceptSetError(f"{what} {text!r}: holds a character that no UTF-8 table can hold; rename it")
