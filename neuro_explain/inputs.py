"""Which images are meant, and what is known of them? A folder, a list, a pattern or one image becomes `Inputs`.

    inputs = open_inputs("places365_val.txt", classes=model.classes, root="val_256")
    inputs.ids[0], inputs.paths[0], inputs.labels[0]

A folder is searched with its subfolders. Where these are called after classes, their images have labels; so
`val/kitchen/1.jpg` is a kitchen, and in the tree of Places365 `a/apartment_building/outdoor/1.jpg` is what it says.
Lists are described in `neuro_explain.image_lists`. A pattern (`photographs/*/*.jpg`, `**` for any depth) is taken in
quotes, and labelled as a folder is, from the first `*` on.

No image is opened here. Ids and labels are plain text and numbers, so that ten million images fit.
"""

from __future__ import annotations

import glob
import hashlib
import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from dissection.images import SUFFIXES
from neuro_explain.image_lists import UNKNOWN, ImageList, read_list
from neuro_explain.labels import Accepted, Labels

if TYPE_CHECKING:
    import pandas as pd

_LISTS = (".txt", ".csv")
_TRIED = (
    10  # so many of a list's first images are looked for, before it is taken to start from another folder
)
_CHUNK = 100_000


@dataclass(frozen=True, eq=False)
class Inputs:
    """Images in a fixed order, N of them.

    Attributes:
        ids: what each is called, all different: its path from `folder`, with `/`.
        paths: where each is.
        labels: int32 [N], the number of its class, or of its label in `accepted`, -1 where unknown; None if no image
            has one.
        metadata: N rows of text, what else a list says of each; None if it says nothing else.
        fingerprint: of ids, labels and metadata, not of the pixels.
        folder: where the ids start.
        accepted: labels that stand for several classes, if they do.
        note: a sentence on where the labels come from; empty where a list gives them or there are none.
        unlabelled: where no image has a label, why; for messages.
    """

    ids: list[str]
    paths: Sequence[Path]
    labels: NDArray[np.int32] | None
    metadata: pd.DataFrame | None
    fingerprint: str
    folder: Path = Path()
    accepted: Accepted | None = None
    note: str = ""
    unlabelled: str = ""


class _Paths(Sequence[Path]):
    """Paths made when they are asked for: ten million `Path` objects would take gigabytes."""

    def __init__(self, folder: Path, ids: Sequence[str]) -> None:
        self._folder, self._ids = folder, ids

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, index: int) -> Path: ...

    @overload
    def __getitem__(self, index: slice) -> _Paths: ...

    def __getitem__(self, index: int | slice) -> Path | _Paths:
        if isinstance(index, slice):
            return _Paths(self._folder, self._ids[index])
        return self._folder / self._ids[index]


def open_inputs(
    source: str | os.PathLike[str],
    *,
    classes: Sequence[str],
    root: str | os.PathLike[str] | None = None,
    label_column: str = "label",
    label_classes: Mapping[str, Sequence[str]] | str | os.PathLike[str] | None = None,
) -> Inputs:
    """The images that `source` names.

    Args:
        source: a folder, a `.txt` or `.csv` list, a pattern, or an image.
        classes: the network's class names, in the order of their numbers.
        root: the folder that a list's paths start from, if not the list's own.
        label_column: which column of a `.csv` list holds the labels.
        label_classes: for labels that are not the network's classes: of each, the classes that it stands for, or a
            JSON file that says so. What the network scores highest among them is the image's class then, and the
            label itself becomes metadata.

    Raises:
        FileNotFoundError: there is nothing at `source`, or none of a list's first images is there.
        ValueError: no images; an image twice; a list, label or folder name that cannot be understood; `root` for
            something other than a list.
    """
    if label_classes is None:
        return _open(source, Labels(classes), root, label_column)
    accepted = Accepted.of(label_classes, classes)
    owner = "label_classes" if isinstance(label_classes, Mapping) else Path(label_classes).name
    inputs = _open(source, Labels(accepted.names, digits=False, owner=owner), root, label_column)
    if inputs.labels is None:
        raise ValueError(f"label_classes: no image of {source} has a label; {inputs.unlabelled}")
    return _with_accepted(inputs, accepted, label_column)


def _open(
    source: str | os.PathLike[str], labels: Labels, root: str | os.PathLike[str] | None, column: str
) -> Inputs:
    path = Path(source)
    if path.is_file() and path.suffix.lower() in _LISTS:
        return _listed(path, labels, path.parent if root is None else Path(root), column)
    if column != "label":
        raise ValueError(f"label_column: only a list has columns; {source} is none")
    if root is not None:
        raise ValueError(
            f"root: only the paths of a list start from a folder that can be chosen; {source} is no list"
        )
    if path.is_dir():
        return _searched(
            path, sorted(_walk(path)), labels, f"{path}: no images in this folder or those inside it"
        )
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            raise ValueError(
                f"{path}: expected a folder, an image, a .txt or .csv list, or a pattern in quotes"
            )
        return _made([path.name], None, None, path.parent, unlabelled="one image by itself has none")
    if glob.has_magic(str(source)):
        folder, ids = _matched(str(source))
        return _searched(folder, ids, labels, f"{source}: no images match this pattern")
    raise FileNotFoundError(f"{path}: there is no such folder, image or list")


def _with_accepted(inputs: Inputs, accepted: Accepted, column: str) -> Inputs:
    """The labels' names become metadata: which class each image has, only the network can say."""
    import pandas as pd

    assert inputs.labels is not None
    accepted = replace(accepted, column=column)
    said = [accepted.names[label] if label != UNKNOWN else "" for label in inputs.labels]
    metadata = pd.DataFrame(dtype=object) if inputs.metadata is None else inputs.metadata.copy()
    metadata[column] = pd.Series(said, dtype=object)
    digest = hashlib.sha256(f"{inputs.fingerprint}\0{accepted}".encode()).hexdigest()
    return replace(inputs, metadata=metadata, accepted=accepted, fingerprint=f"sha256:{digest}")


def _listed(path: Path, labels: Labels, folder: Path, column: str) -> Inputs:
    found = read_list(path, labels, column=column)
    if not found.images:
        raise ValueError(f"{path}: the list holds no images")
    ids = found.images
    # The training list of Places365 begins its paths with a slash, and means its own folder by it.
    rooted = next((name for name in ids if name.startswith("/")), None)
    if rooted and not Path(rooted).exists() and (folder / rooted.lstrip("/")).exists():
        ids = [name.lstrip("/") for name in ids]
    if not any((folder / name).exists() for name in ids[:_TRIED]):
        raise FileNotFoundError(
            f"{path}: none of its first images is there, such as {folder / ids[0]}; if its paths start from another "
            "folder, say which with root (--root)"
        )
    known = any(label != UNKNOWN for label in found.labels)
    if column != "label" and not known:
        raise ValueError(f"label_column: no image of {path} has a label in its column {column!r}")
    folder, ids = _relative(folder, ids)
    return _made(
        ids,
        found.labels if known else None,
        found.metadata,
        folder,
        source=path,
        unlabelled="" if known else _without_labels(path, found, column),
    )


def _without_labels(path: Path, found: ImageList, column: str) -> str:
    if not found.columns:
        return f"no line of {path} has one after its path; in a .csv list they are looked for in the column {column!r}"
    if column in found.columns:
        return f"the column {column!r} of {path} is empty"
    return (
        f"{path} has no column {column!r}, it has {', '.join(found.columns)}; say which of them holds the "
        "labels with label_column"
    )


def _relative(folder: Path, ids: list[str]) -> tuple[Path, list[str]]:
    """Absolute paths from the folder that they have in common: where it lies is nobody's business."""
    if not all(name.startswith("/") for name in ids):
        return folder, ids
    # all others lie between the first and the last
    shared = os.path.commonpath([Path(name).parent for name in (min(ids), max(ids))])
    start = len(shared.rstrip("/")) + 1
    return Path(shared), [name[start:] for name in ids]


def _searched(folder: Path, ids: list[str], labels: Labels, nothing: str) -> Inputs:
    """Images found in folders, whose names may be classes."""
    if not ids:
        raise ValueError(nothing)
    of_folder: dict[str, int | None] = {"": None}
    numbers = array("i")
    for name in ids:
        parent = name.rpartition("/")[0]
        if parent not in of_folder:
            of_folder[parent] = labels.of_folder(parent)
        number = of_folder[parent]
        numbers.append(UNKNOWN if number is None else number)
    unlabelled = sum(number == UNKNOWN for number in numbers)
    if unlabelled == len(ids):
        why = labels.none_of([name for name in of_folder if name])
        return _made(ids, None, None, folder, unlabelled=why)
    note = f"labels are the names of folders; {len(ids) - unlabelled:,} of {len(ids):,} images have one"
    return _made(ids, numbers, None, folder, note=note)


def _made(
    ids: list[str],
    labels: array[int] | None,
    metadata: pd.DataFrame | None,
    folder: Path,
    *,
    note: str = "",
    source: Path | None = None,
    unlabelled: str = "",
) -> Inputs:
    if len(set(ids)) < len(ids):
        seen: set[str] = set()
        twice = next(name for name in ids if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"{source or folder}: {twice} is there twice; every image may be there once")
    numbers = None if labels is None else np.array(labels, dtype=np.int32)
    return Inputs(
        ids,
        _Paths(folder, ids),
        numbers,
        metadata,
        _fingerprint(ids, numbers, metadata),
        folder,
        note=note,
        unlabelled=unlabelled,
    )


def _walk(folder: Path) -> Iterator[str]:
    """The images in a folder and those inside it; hidden ones are left out, links are followed once."""
    seen = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        status = Path(here).stat()
        if (status.st_dev, status.st_ino) in seen:  # a link to a folder around it
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = [name for name in sorted(folders) if not name.startswith(".")]
        within = os.path.relpath(here, folder).replace(os.sep, "/")
        start = "" if within == "." else f"{within}/"
        for name in files:
            if _is_image(name):
                yield start + name


def _matched(pattern: str) -> tuple[Path, list[str]]:
    """The folder before a pattern's first wildcard, and the images that match, from there."""
    parts = Path(pattern).parts
    plain = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    folder = Path(*parts[:plain])
    found = folder.glob(str(Path(*parts[plain:])))
    return folder, sorted(
        {p.relative_to(folder).as_posix() for p in found if _is_image(p.name) and p.is_file()}
    )


def _is_image(name: str) -> bool:
    # By hand: Path(name).suffix makes an object of each of millions of names.
    return not name.startswith(".") and name[name.rfind(".") :].lower() in SUFFIXES


def _fingerprint(ids: list[str], labels: NDArray[np.int32] | None, metadata: pd.DataFrame | None) -> str:
    digest = hashlib.sha256()

    def add(what: str, texts: Sequence[str]) -> None:
        # No name holds the character 0, so it parts them without doubt.
        digest.update(f"{what}\0{len(texts)}\0".encode())
        for start in range(0, len(texts), _CHUNK):
            chunk = "\0".join(texts[start : start + _CHUNK]) + "\0"
            digest.update(chunk.encode("utf-8", "surrogateescape"))

    add("ids", ids)
    if labels is not None:
        digest.update(b"labels\0" + labels.astype("<i4").tobytes())
    if metadata is not None:
        for column in metadata.columns:
            add(f"column\0{column}", metadata[column].tolist())
    return f"sha256:{digest.hexdigest()}"
