"""`broden:DIR`: Broden 1, the concept set of Network Dissection (Bau et al. 2017).

| file | columns | meaning |
|---|---|---|
| `index.csv` | image, sh, sw, a column per category | an image, height and width of its PNGs, its labels |
| `category.csv` | name | the categories; other columns of `index.csv` are not labels |
| `label.csv` | number, name, category | a label; the category cell reads `object(120);part(3)` |
| `c_CATEGORY.csv` | code, number | the category's labels in the order of their codes |

`label.csv` may have a column `syns`, a label's other names, `;`-separated; `merged` makes use of them.

Paths are relative to `images/`. A category cell of `index.csv` is empty (nobody looked: the image does not
carry the category) or holds `;`-separated items: a whole number is a label of the whole image, anything else
a PNG whose label is red + 256 · green. Number 0 is no label. A label may occur in several categories; the
column decides for which one its pixels count.

Broden tells scenes and colours from objects of the same name by a suffix ("street-s", "black-c"). The
category says that already, so names here go without it, and Broden's black is the black of `colors`.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dissection.concepts import Concept, Labels
from dissection.readers.errors import ConceptSetError
from dissection.readers.files import FileSet, locate, set_folder
from dissection.readers.masks import NumberTable, nearest, three_channels
from dissection.readers.merged import SYNONYM, Rule
from dissection.readers.tables import Row, items, read_table

_NUMBER = re.compile(r"[0-9]{1,9}")  # a whole-image label; anything else in a category's cell is a PNG
_SUFFIX = {"scene": "-s", "color": "-c"}


def concept_from_broden(name: str, category: str) -> Concept:
    """The concept that Broden calls `name` in `category`: ("street-s", "scene") is "street"."""
    suffix = _SUFFIX.get(category, "")
    return Concept(name.removesuffix(suffix) or name, category)


def broden_name(concept: Concept) -> str:
    """What Broden calls a concept, for files that its own tools read: scene "street" is "street-s"."""
    return concept.name + _SUFFIX.get(concept.category, "")


@dataclass(frozen=True)
class _Entry:
    """What `index.csv` says of one image.

    Attributes:
        size: height and width that its PNGs must have.
        categories: those that it carries.
        whole: numbers of its whole-image concepts.
        masks: (category, PNG) pairs.
    """

    size: tuple[int, int]
    categories: frozenset[str]
    whole: tuple[int, ...]
    masks: tuple[tuple[str, str], ...]


class Broden(FileSet):
    """Broden 1, or a set in its layout.

    Args:
        path: the folder that holds `index.csv`.

    Raises:
        ConceptSetError: a table is broken, or a row points to a file that is missing or outside the folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        root = set_folder(path)
        categories = _categories(root)
        listed = _listed(root, categories)
        concepts = list(dict.fromkeys(c for numbers in listed.values() for c in numbers.values()))
        place = {concept: number for number, concept in enumerate(concepts)}
        numbers = {
            category: {label: place[concept] for label, concept in labels.items()}
            for category, labels in listed.items()
        }
        self._synonyms = tuple(_synonyms(root, listed))
        self._numbers = {category: NumberTable(known) for category, known in numbers.items()}
        rows = read_table(root / "index.csv", ("image", "sh", "sw", *categories))
        images = locate(root, ((f"{row.where}: image", _under_images(row.text("image"))) for row in rows))
        self._entries = _entries(root, rows, numbers)
        masks = dict.fromkeys(mask for entry in self._entries for _, mask in entry.masks)
        tables = ["index.csv", "category.csv", "label.csv", *(f"c_{category}.csv" for category in categories)]
        super().__init__(
            root,
            images,
            concepts,
            tables=[table for table in tables if (root / table).is_file()],
            masks=list(masks),
        )

    @property
    def merge_rules(self) -> tuple[Rule, ...]:
        """Other names of its labels (`merged.own_table`); most are no concepts of this set, but may be another's."""
        return self._synonyms

    def labels(self, index: int, size: int) -> Labels:
        """The labels of an image: a layer per PNG, in the order of the categories.

        Raises:
            ConceptSetError: a PNG of another size than `index.csv` states, or a number that the tables lack.
        """
        entry = self._entries[index]
        layers = [self._layer(category, mask, entry.size, size) for category, mask in entry.masks]
        stack = np.stack(layers) if layers else np.empty((0, size, size), np.int32)
        return Labels(stack, entry.whole, entry.categories)

    def _layer(self, category: str, mask: str, stated: tuple[int, int], size: int) -> NDArray[np.int32]:
        pixels = three_channels(self.root / mask)
        if pixels.shape[:2] != stated:
            raise ConceptSetError(
                f"{self.root / mask}: is {pixels.shape[1]} × {pixels.shape[0]} pixels, "
                f"index.csv states sw × sh = {stated[1]} × {stated[0]}"
            )
        small = nearest(pixels, size).astype(np.int32)
        values = small[..., 0] + 256 * small[..., 1]
        table = self._numbers[category]
        numbers = table.look_up(values)
        for number in table.strangers(values, numbers):
            raise ConceptSetError(f"{self.root / mask}: {_not_listed(number, category)}")
        return numbers


def _under_images(path: str) -> str:
    return path if posixpath.isabs(path) else f"images/{path}"  # absolute ones are refused by name


def _not_listed(number: int, category: str) -> str:
    return f"label number {number} is not in label.csv for category {category!r}; add it there or correct it"


def _categories(root: Path) -> list[str]:
    names = []
    for row in read_table(root / "category.csv", ("name",)):
        name = row.text("name")
        if name in names or "/" in name or "\\" in name:  # it becomes part of a file name
            raise ConceptSetError(f"{row.where}: category {name!r} is there twice or has a slash; rename it")
        names.append(name)
    return names


def _listed(root: Path, categories: Sequence[str]) -> dict[str, dict[int, Concept]]:
    """For each category its label numbers with their concepts, in the order of the codes."""
    names: dict[int, str] = {}
    mentioned: dict[str, list[int]] = {category: [] for category in categories}
    for row in read_table(root / "label.csv", ("number", "name", "category")):
        number = row.integer("number", least=1)
        if number in names:
            raise ConceptSetError(f"{row.where}: label number {number} is there twice; drop one of the rows")
        names[number] = row.text("name")
        for item in items(row["category"]):
            category = re.sub(r"\(\d+\)$", "", item)
            if category in mentioned:
                mentioned[category].append(number)
    for category in categories:
        if (root / f"c_{category}.csv").is_file():
            mentioned[category] = _coded(root, category, names) + mentioned[category]
    return {
        category: {number: concept_from_broden(names[number], category) for number in numbers}
        for category, numbers in mentioned.items()
    }


def _coded(root: Path, category: str, names: dict[int, str]) -> list[int]:
    rows = read_table(root / f"c_{category}.csv", ("code", "number"))
    numbers = []
    for row in sorted(rows, key=lambda row: row.integer("code")):
        number = row.integer("number")
        if number == 0:
            continue  # code 0 is "no label" where a table lists it
        if number not in names:
            raise ConceptSetError(f"{row.where}: label number {number} is not in label.csv")
        numbers.append(number)
    return numbers


def _synonyms(root: Path, listed: Mapping[str, Mapping[int, Concept]]) -> list[Rule]:
    rules = []
    for row in read_table(root / "label.csv", ("number", "name", "category")):
        number = row.integer("number")
        for category, labels in listed.items():
            for item in items(row.cells.get("syns", "")) if number in labels else ():
                other, concept = concept_from_broden(item, category), labels[number]
                if other != concept:
                    rules.append(Rule(other.name, category, concept.name, SYNONYM))
    return rules


def _entries(root: Path, rows: Sequence[Row], numbers: Mapping[str, Mapping[int, int]]) -> list[_Entry]:
    cells = [(row, category, items(row[category])) for row in rows for category in numbers if row[category]]
    pngs = [
        (row, category, item)
        for row, category, parts in cells
        for item in parts
        if not _NUMBER.fullmatch(item)
    ]
    written = ((f"{row.where}: {category}", _under_images(item)) for row, category, item in pngs)
    found = iter(locate(root, written))
    carried: dict[int, list[str]] = {row.line: [] for row in rows}
    whole: dict[int, list[int]] = {row.line: [] for row in rows}
    masks: dict[int, list[tuple[str, str]]] = {row.line: [] for row in rows}
    for row, category, parts in cells:
        carried[row.line].append(category)
        for label in (int(item) for item in parts if _NUMBER.fullmatch(item)):
            if label != 0 and label not in numbers[category]:
                raise ConceptSetError(f"{row.where}: {_not_listed(label, category)}")
            whole[row.line] += [numbers[category][label]] if label else []
    for row, category, _ in pngs:
        masks[row.line].append((category, next(found)))
    return [
        _Entry(
            (row.integer("sh", least=1), row.integer("sw", least=1)),
            frozenset(carried[row.line]),
            tuple(dict.fromkeys(whole[row.line])),
            tuple(masks[row.line]),
        )
        for row in rows
    ]
