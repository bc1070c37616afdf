"""How is a list of images read? Text with a path per line, perhaps with a label, and tables.

    read_list(Path("places365_val.txt"), Labels(classes))

| file | holds |
|---|---|
| `.txt` | `PATH` or `PATH LABEL` per line; blank lines and lines that begin with `#` are skipped |
| `.csv` | the columns `image`, perhaps `label` or another with labels, and any others, kept as metadata |

A label is a class's number or name; an image without one has -1. A path in a `.txt` list ends with the suffix of an
image file, and what follows it is the label, so both may hold spaces. The lists of Places365
(`places365_val.txt`, `places365_train_standard.txt`) are such.
"""

from __future__ import annotations

import csv
import os
import posixpath
import re
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dissection.images import SUFFIXES
from neuro_explain.labels import Labels

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = ", ".join(sorted(SUFFIXES))
_LINE = re.compile(
    rf"(.*(?:{'|'.join(re.escape(suffix) for suffix in sorted(SUFFIXES))}))(?:\s+(\S.*))?", re.IGNORECASE
)
UNKNOWN = -1
"""The label of an image without one."""


@dataclass
class ImageList:
    """What a list says, in its order. Text and numbers alone, so that ten million lines fit.

    Attributes:
        images: paths with `/`, as written, but for `.` and `..` inside.
        labels: a class number for each, or `UNKNOWN`.
        metadata: the other columns by name; every cell is text.
        columns: all that a table has, by name.
    """

    images: list[str] = field(default_factory=list)
    labels: array[int] = field(default_factory=lambda: array("i"))
    metadata: pd.DataFrame | None = None
    columns: tuple[str, ...] = ()

    def add(self, image: str, label: str, labels: Labels) -> None:
        """One more image; an empty label is none."""
        self.images.append(posixpath.normpath(image.replace(os.sep, "/")))
        self.labels.append(labels.of(label) if label else UNKNOWN)


def read_list(path: Path, labels: Labels, *, column: str = "label") -> ImageList:
    """The images of a `.txt` or `.csv` list.

    Args:
        path: of the list.
        labels: what labels mean.
        column: which column of a table holds them.

    Raises:
        ValueError: the file is not text in UTF-8; a line or a label cannot be understood; a column is missing.
    """
    if column == "image":
        raise ValueError("label_column: 'image' is the column of the paths; name that of the labels")
    if column != "label" and path.suffix.lower() != ".csv":
        raise ValueError(f"label_column: only a .csv list has columns; {path} has none")
    try:
        return (
            _read_table(path, labels, column) if path.suffix.lower() == ".csv" else _read_lines(path, labels)
        )
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text file in UTF-8") from error


def _read_lines(path: Path, labels: Labels) -> ImageList:
    found = ImageList()
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            parts = _LINE.fullmatch(line)
            if parts is None:
                raise ValueError(
                    f"{path}, line {number}: expected PATH or PATH LABEL with a path that ends in one of {_SHOWN}, "
                    f"got {line[:200]!r}"
                )
            try:
                found.add(parts[1], parts[2] or "", labels)
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from error
    return found


def _read_table(path: Path, labels: Labels, column: str) -> ImageList:
    found = ImageList()
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        rows = _rows(path, reader)
        header = [name.strip() for name in next(rows, [])]
        repeated = [name for name in header if header.count(name) > 1]
        if "image" not in header or repeated:
            trouble = f"the column {repeated[0]!r} twice" if repeated else ", ".join(header) or "nothing"
            raise ValueError(
                f"{path}: expected a first line that names the columns, image among them, each once; got {trouble}"
            )
        if column != "label" and column not in header:
            raise ValueError(f"{path}: has no column {column!r} for the labels; it has {', '.join(header)}")
        found.columns = tuple(header)
        others: dict[str, list[str]] = {name: [] for name in header if name not in ("image", column)}
        for cells in rows:
            where = f"{path}, line {reader.line_num}"
            if len(cells) != len(header):
                raise ValueError(f"{where}: expected {len(header)} cells, got {len(cells)}")
            row = dict(zip(header, cells, strict=True))
            image = row.pop("image").strip()
            if not image:
                raise ValueError(f"{where}: the image is missing")
            try:
                found.add(image, row.pop(column, "").strip(), labels)
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from error
            for name, cell in row.items():
                others[name].append(sys.intern(cell))  # few values, many rows
    if others:
        import pandas as pd

        found.metadata = pd.DataFrame(others, dtype=object)
    return found


def _rows(path: Path, reader: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield cells
    except csv.Error as error:
        raise ValueError(f"{path}: cannot be read as CSV: {error}") from error
