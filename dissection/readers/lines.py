"""Text files of a concept set that are no CSV: whole, or line by line with their numbers."""

from __future__ import annotations

from pathlib import Path

from dissection.readers.errors import ConceptSetError, MissingFileError


def read_text(path: Path, *, latin: bool = False) -> str:
    """The text of a UTF-8 file, without a byte-order mark.

    Args:
        path: the file.
        latin: a file that is not UTF-8 is read as Latin-1, for sets whose publisher mixed the two.

    Raises:
        MissingFileError: no such file.
        ConceptSetError: it cannot be read, or is not UTF-8.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise MissingFileError(f"{path}: no such file, a table was expected there") from error
    except OSError as error:
        raise ConceptSetError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if latin:
            return content.decode("latin-1")
        raise ConceptSetError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from error


def read_lines(path: Path, *, latin: bool = False) -> list[tuple[str, str]]:
    """(where, line) of each line that is not blank: ("labels.txt, line 7", "7: atrium").

    Raises:
        MissingFileError: no such file.
        ConceptSetError: it cannot be read, is not UTF-8, or holds nothing.
    """
    text = read_text(path, latin=latin)
    # not splitlines(): that would also break a line at characters that Latin-1 text may hold
    lines = [
        (f"{path.name}, line {number}", line.strip())
        for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1)
        if line.strip()
    ]
    if not lines:
        raise ConceptSetError(f"{path}: is empty")
    return lines
