"""Which words of a caption name which category of objects?

    table = read_word_table("words.csv")                # columns word, category
    table.find("a man on two traffic lights".split())   # [Naming(1, 2, "person"), Naming(4, 6, "traffic light")]

Two layouts are read. A `.csv` has the columns `word` and `category`. Any other file is text with a line per category:
its name, then further words for it, with commas between (`person, child, man, woman`), as lists of synonyms of the 80
categories of COCO are usually kept; the name counts as a word too. Words may consist of several ("traffic light").
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Naming:
    """Words `start` to `end` (without the last) of a caption name this category."""

    start: int
    end: int
    category: str


class WordTable:
    """Words and the categories that they name.

    Args:
        category_of: from a word, or several with spaces between, to its category.

    Raises:
        ValueError: no words; a word or a category that is empty.
    """

    def __init__(self, category_of: Mapping[str, str]) -> None:
        if not category_of:
            raise ValueError("category_of: expected at least one word with its category, got none")
        self._category_of: dict[tuple[str, ...], str] = {}
        for word, category in category_of.items():
            if not word.split() or not category.strip():
                raise ValueError(f"category_of: expected words and categories, got {word!r}: {category!r}")
            self._category_of[tuple(word.lower().split())] = category
        self._longest = max(map(len, self._category_of))

    def __len__(self) -> int:
        return len(self._category_of)

    @property
    def categories(self) -> tuple[str, ...]:
        """All categories, in alphabetical order."""
        return tuple(sorted(set(self._category_of.values())))

    def find(self, words: Sequence[str]) -> list[Naming]:
        """What the words of a caption name, from the left; of words that overlap the longest count."""
        found, start, spoken = [], 0, [word.lower() for word in words]
        while start < len(spoken):
            for end in range(min(start + self._longest, len(spoken)), start, -1):
                if category := self._category_of.get(tuple(spoken[start:end])):
                    found.append(Naming(start, end, category))
                    start = end
                    break
            else:
                start += 1
        return found


def read_word_table(path: str | Path, *, conflicts: Literal["error", "leave out"] = "error") -> WordTable:
    """Reads a table of words and categories; see the module's docstring for its layouts.

    Args:
        path: a `.csv` or a text file, UTF-8.
        conflicts: what becomes of a word that stands for two categories. The same line twice is no conflict.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line that cannot be read, or a conflict; the message names the line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected a table in UTF-8 ({error}); save it so") from error
    pairs = _from_csv if path.suffix.lower() == ".csv" else _from_lines
    known: dict[str, tuple[str, int]] = {}
    left_out: set[str] = set()
    for line, written, category in pairs(path, text):
        word = " ".join(written.lower().split())
        before, first_line = known.setdefault(word, (category, line))
        if before == category:
            continue
        if conflicts == "error":
            raise ValueError(
                f"{path}: {word!r} stands for {before!r} (line {first_line}) and for {category!r} (line {line}); "
                'decide for one, or read with conflicts="leave out"'
            )
        left_out.add(word)
    if not known.keys() - left_out:
        raise ValueError(f"{path}: expected words with their categories, found none that could be kept")
    return WordTable({word: category for word, (category, _) in known.items() if word not in left_out})


def _from_csv(path: Path, text: str) -> Iterator[tuple[int, str, str]]:
    """Line number, word and category of each row."""
    rows = csv.DictReader(text.splitlines())
    header = [name.strip().lower() for name in rows.fieldnames or ()]
    if not {"word", "category"} <= set(header):
        raise ValueError(f"{path}: expected the columns word and category, got {', '.join(header) or 'none'}")
    rows.fieldnames = header
    for row in rows:
        word, category = ((row.get(column) or "").strip() for column in ("word", "category"))
        if not word and not category:
            continue
        if not word or not category:
            raise ValueError(f"{path}: line {rows.line_num}: expected a word and its category, got {row}")
        yield rows.line_num, word, category


def _from_lines(path: Path, text: str) -> Iterator[tuple[int, str, str]]:
    """Line number, word and category of each word; the category is the first of its line."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        words = [word.strip() for word in line.split(",")]
        if not all(_without_last_empty(words)):
            raise ValueError(
                f"{path}: line {number}: expected a category and its words with commas between, got {line!r}"
            )
        for word in _without_last_empty(words):
            yield number, word, words[0]


def _without_last_empty(words: Sequence[str]) -> Iterable[str]:
    """The words without what stands behind a comma at the end of the line."""
    return words[:-1] if len(words) > 1 and not words[-1] else words
