"""CSV tables of a concept set, read strictly: every cell is text, and what is broken is named by its line.

    for row in read_table(root / "labels.csv", required=("value", "name")):
        number = row.integer("value")

Names come through verbatim ("NA" and "007" stay what they are); only white space around a cell is dropped.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dissection.readers.errors import ConceptSetError, MissingFileError, hint

LARGEST = 2**31 - 1  # values and numbers fit int32


@dataclass(frozen=True)
class Row:
    """One line of a table: `row["name"]`, and `row.where` for messages."""

    table: str
    line: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    @property
    def where(self) -> str:
        """`labels.csv, line 7`."""
        return f"{self.table}, line {self.line}"

    def text(self, column: str) -> str:
        """The cell, which may not be empty."""
        if not self.cells[column]:
            raise ConceptSetError(f"{self.where}: column {column!r} is empty; fill it in or drop the row")
        return self.cells[column]

    def integer(self, column: str, least: int = 0) -> int:
        """The cell as a whole number from `least` to 2³¹ − 1."""
        cell = self.cells[column]
        # int() alone would also take "1_000", "+3" and digits of other scripts
        if not (cell.isascii() and cell.isdigit() and len(cell) <= 10 and least <= int(cell) <= LARGEST):
            raise ConceptSetError(
                f"{self.where}: {column} is {cell!r}, a whole number from {least} to {LARGEST} was expected"
            )
        return int(cell)


def read_table(path: Path, required: Sequence[str] = (), first: str | None = None) -> list[Row]:
    """All rows of a CSV file with a header; blank lines are skipped, a byte-order mark is not part of a name.

    Args:
        path: the file; messages call it by its last part.
        required: columns that must be there; others may.
        first: what the first column must be called.

    Raises:
        MissingFileError: no such file.
        ConceptSetError: not UTF-8, no CSV, a missing or repeated column, a row of another length, or no row.
    """
    name = path.name
    if path.is_dir():
        raise ConceptSetError(f"{path}: is a folder, a CSV file was expected")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except FileNotFoundError as error:
        raise MissingFileError(f"{path}: no such file, a table was expected there") from error
    except UnicodeDecodeError as error:
        raise ConceptSetError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from error
    except (csv.Error, OSError) as error:
        raise ConceptSetError(f"{path}: cannot be read as CSV ({error})") from error
    if not lines:
        raise ConceptSetError(f"{path}: is empty, a header and rows were expected")
    header = [cell.strip() for cell in lines[0][1]]
    for column in header:
        if header.count(column) > 1:
            raise ConceptSetError(
                f"{name}: column {column!r} is there {header.count(column)} times; rename one"
            )
    if first is not None and header[0] != first:
        raise ConceptSetError(f"{name}: the first column is {header[0]!r}, {first!r} was expected")
    for column in required:
        if column not in header:
            raise ConceptSetError(f"{name}: has no column {column!r}; {hint(column, header)}")
    if len(lines) == 1:
        raise ConceptSetError(f"{path}: has a header but no rows")
    return [_row(name, line, header, cells) for line, cells in lines[1:]]


def _row(table: str, line: int, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        raise ConceptSetError(
            f"{table}, line {line}: has {len(cells)} cells, the header has {len(header)}; "
            "a name that contains a comma needs quotes"
        )
    return Row(table, line, {column: cell.strip() for column, cell in zip(header, cells, strict=True)})


def items(cell: str) -> list[str]:
    """The parts of a `;`-separated cell, without the empty ones."""
    return [part for part in (piece.strip() for piece in cell.split(";")) if part]
