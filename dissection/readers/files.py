"""What all sets that lie in files have in common: a folder, its tables, and the files that rows point to.

A row may only point to a file inside the set's own folder, by whatever route (`..`, an absolute path, a
symbolic link): pictures end up in reports that are passed on. That, and that every file is there, is
checked when a set is opened. Sizes and contents are looked at when an image or its labels are asked for.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from PIL import Image

from dissection.concepts import Concept
from dissection.images import read_image, upright_size
from dissection.readers.errors import ConceptSetError, MissingFileError

HASHED_BYTES = 64 * 2**20  # up to this many bytes of masks their contents are hashed, beyond it their sizes


def set_folder(path: str | os.PathLike[str]) -> Path:
    """The folder of a set, which must exist."""
    root = Path(path).expanduser()
    if root.is_dir():
        return root
    if root.exists():
        raise ConceptSetError(f"{root}: is a file, the folder of a concept set was expected")
    raise MissingFileError(f"{root}: no such folder, a concept set was expected there")


def locate(root: Path, rows: Iterable[tuple[str, str]]) -> list[str]:
    """The files that rows point to, as tidy paths relative to `root`.

    Args:
        root: folder of the set.
        rows: (where, path) pairs: where the path is written ("index.csv, line 7: image") and the path itself.

    Raises:
        ConceptSetError: a path leaves the folder, or points to something that is not a file.
        MissingFileError: files are missing; the first one is named, the others are counted.
    """
    finder = _Finder(root)
    found, missing = [], []
    for where, written in rows:
        path = finder.find(where, written)
        if path is None:
            missing.append((where, written))
        else:
            found.append(path)
    if missing:
        where, written = missing[0]
        count = (
            "it is the only missing file" if len(missing) == 1 else f"{len(missing)} files are missing in all"
        )
        raise MissingFileError(f"{where} {written!r} does not exist in {root}; {count}")
    return found


def files_under(root: Path, folder: str, suffixes: frozenset[str]) -> list[str]:
    """All files below `folder` with one of the suffixes, relative to `root`, sorted; no hidden ones."""
    found = []
    for where, folders, names in os.walk(root / folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        relative = Path(where).relative_to(root)
        found += [
            (relative / name).as_posix()
            for name in names
            if not name.startswith(".") and posixpath.splitext(name)[1].lower() in suffixes
        ]
    return sorted(found)


class _Finder:
    """Looks paths up in folder listings: one system call a folder instead of several a file."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.listings: dict[str, dict[str, os.DirEntry[str]] | None] = {}

    def find(self, where: str, written: str) -> str | None:
        """The tidy path; None if there is no such file."""
        if not written:
            raise ConceptSetError(f"{where} is empty; write the file's path or drop the row")
        path = posixpath.normpath(written.replace(os.sep, "/"))
        if path.startswith("/") or path.split("/")[0] == ".." or "\0" in path:
            raise _outside(where, written)
        folder, name = posixpath.split(path)
        if folder not in self.listings:
            self.listings[folder] = self._list(where, written, folder)
        entry = (self.listings[folder] or {}).get(name)
        if entry is not None and entry.is_file(follow_symlinks=False):
            return path
        # a link, a folder, nothing, or a file system to which upper and lower case are one
        full = self.root / path
        if not os.path.lexists(full):
            return None
        if not self._inside(full):
            raise _outside(where, written)
        if full.is_dir():
            raise ConceptSetError(f"{where} {written!r} is a folder, a file was expected")
        return path if full.is_file() else None

    def _inside(self, full: Path) -> bool:
        # not Path.resolve(): older Pythons raise on a link that leads to itself
        return Path(os.path.realpath(full)).is_relative_to(self.root)

    def _list(self, where: str, written: str, folder: str) -> dict[str, os.DirEntry[str]] | None:
        full = self.root / folder
        if not self._inside(full):
            raise _outside(where, written)
        try:
            with os.scandir(full) as entries:
                return {entry.name: entry for entry in entries}
        except OSError:  # no such folder, or a name that no file system can hold: its files are missing
            return None


def _outside(where: str, written: str) -> ConceptSetError:
    return ConceptSetError(
        f"{where} {written!r} points outside the set; only files in its own folder are read, copy it there"
    )


class FileSet:
    """The part of a `ConceptDataset` that is the same for every set in files: all but `labels`.

    Args:
        root: folder of the set.
        images: path of each image, relative to `root`.
        concepts: all concepts, in the order of their numbers.
        tables: files whose whole contents belong to the fingerprint.
        masks: label images; their names and sizes belong to the fingerprint, and if they are at most
            64 MiB together also their contents.
        notes: sentences on what of the folder is not used.
    """

    def __init__(
        self,
        root: Path,
        images: Sequence[str],
        concepts: Sequence[Concept],
        *,
        tables: Sequence[str] = (),
        masks: Sequence[str] = (),
        notes: Sequence[str] = (),
    ) -> None:
        if not images:
            raise ConceptSetError(f"{root}: holds no images")
        self.root = root
        self.name = root.resolve().name or "set"
        self.notes = tuple(notes)
        self._images = tuple(images)
        self._concepts = tuple(concepts)
        self._tables = tuple(tables)
        self._masks = tuple(masks)

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """All concepts, in the order of their numbers."""
        return self._concepts

    def __len__(self) -> int:
        """The number of images."""
        return len(self._images)

    def image_id(self, index: int) -> str:
        """The image's path relative to the set's folder."""
        return self._images[index]

    def image(self, index: int) -> Image.Image:
        """The image, RGB and upright."""
        return read_image(self.root / self._images[index])

    @cached_property
    def fingerprint(self) -> str:
        """`sha256:…` of the tables' contents and of every image's and mask's relative name and size.

        Neither the folder's own place nor times of change count, so a copy has the same fingerprint.
        """
        digest = hashlib.sha256()
        masks = {mask: (self.root / mask).stat().st_size for mask in self._masks}
        read = [*self._tables, *(masks if sum(masks.values()) <= HASHED_BYTES else ())]
        for image in self._images:
            digest.update(f"image {image!a} {(self.root / image).stat().st_size}\n".encode())
        for mask, size in masks.items():
            digest.update(f"mask {mask!a} {size}\n".encode())
        for path in read:
            content = hashlib.sha256((self.root / path).read_bytes()).hexdigest()
            digest.update(f"content {path!a} {content}\n".encode())
        return f"sha256:{digest.hexdigest()}"

    def _check_size(self, index: int, mask: str, height: int, width: int) -> None:
        """A mask must have the size of its upright image."""
        image = self.root / self._images[index]
        expected = upright_size(image)
        if (width, height) != expected:
            raise ConceptSetError(
                f"{self.root / mask}: the mask is {width} × {height} pixels, its upright image "
                f"{image} is {expected[0]} × {expected[1]}; they must be equal"
            )


def by_stem(root: Path, folder: str, suffixes: frozenset[str]) -> dict[str, str]:
    """The files in a folder of a set by their path in it without the suffix.

    Raises:
        ConceptSetError: two of one stem, or one outside the set.
    """
    found: dict[str, str] = {}
    for path in locate(root, ((f"{folder}:", path) for path in files_under(root, folder, suffixes))):
        stem = PurePosixPath(path).relative_to(folder).with_suffix("").as_posix()
        if stem in found:
            raise ConceptSetError(f"{root}: {found[stem]} and {path} have the same stem; rename one of them")
        found[stem] = path
    return found
