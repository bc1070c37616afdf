"""Which classes of the network stand for which annotated category? COCO says dog, ImageNet says whippet.

    classes = class_map(images.categories, model.classes, "imagenet-coco")
    classes.of["dog"]                   # (151, 152, …): numbers of the network's classes
    classes.categories_of(151)          # ("dog",)
    classes.without                     # categories that no class stands for

A table is a CSV with the columns `category` and `class`; further columns are for people. A class is a number, a name of
the network's classes, or a synset (`n02085620`) where the network's classes are those of ImageNet-1k. A category may
have several rows. A row without a class says that no class stands for it, whatever is called the same: ImageNet's
"kite" is a bird. Without a row, a category stands for the one class of exactly its name, or its synset.

In one's own table each row's category is one of the set's. Of a shipped one's categories a smaller set has fewer; so
has one in ILSVRC's layout, whose categories are the synsets of its images: rows of other synsets say nothing there.
"""

from __future__ import annotations

import csv
import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuro_explain.classes import find_class
from neuro_explain.evaluate.counted import counted

_DATA = Path(__file__).resolve().parents[1] / "data"
SHIPPED = {"imagenet-coco": _DATA / "imagenet_coco.csv"}
"""The tables that come with the package, by name: COCO's 80 things, and the classes of ImageNet-1k."""


@dataclass(frozen=True)
class ClassMap:
    """Categories and the classes that stand for them.

    Attributes:
        of: the classes of each category that has any, in ascending order.
        without: the others.
        source: which table, for reports; "" if equal names sufficed.
        equal: with a table, the categories without a row in it, whose class is of equal name.
    """

    of: Mapping[str, tuple[int, ...]]
    without: tuple[str, ...]
    source: str = ""
    equal: tuple[str, ...] = ()

    def categories_of(self, number: int) -> tuple[str, ...]:
        """The categories that a class stands for."""
        return tuple(category for category, classes in self.of.items() if number in classes)

    def best(self, category: str, scores: NDArray[np.float64]) -> int:
        """Of the classes of a category the one with the highest score; of equal ones the lowest number."""
        return min(self.of[category], key=lambda number: (-scores[number], number))

    def sentences(self) -> list[str]:
        """What a reader must know of it."""
        by = f", by {self.source}" if self.source else ", by equal names"
        if self.source and self.equal:
            by = f": {len(self.of) - len(self.equal)} by {self.source}, {len(self.equal)} by equal names"
        meant = Counter(number for numbers in self.of.values() for number in numbers)
        classes = counted(len(meant), "classes stand for")
        said = [f"{classes} {counted(len(self.of), 'categories')}{by}"]
        several = sorted(number for number, times in meant.items() if times > 1)
        if several:
            named = [f"{number} for {' and '.join(self.categories_of(number))}" for number in several]
            said.append(
                f"{counted(len(several), 'classes stand for')} several categories, in each of which its map is "
                f"measured: class {_listed(named, '; class ')}"
            )
        if self.without:
            said.append(
                f"{counted(len(self.without), 'categories have no class and are left out')}: {_listed(self.without)}"
            )
        return said


def _listed(names: Sequence[str], between: str = ", ", most: int = 8) -> str:
    return between.join(names[:most]) + (", …" if len(names) > most else "")


def class_map(
    categories: Sequence[str], classes: Sequence[str], table: str | Path | None = None, *, kind: str = ""
) -> ClassMap:
    """Which of a network's classes stand for which of a set's categories.

    Args:
        categories: of the set.
        classes: the network's class names, in the order of their numbers.
        table: a CSV file, or the name of one in `SHIPPED`. If not given, and the set is COCO's and the classes those
            of ImageNet-1k, the shipped one is taken.
        kind: the set's layout.

    Raises:
        FileNotFoundError: there is no such table.
        ValueError: a row that cannot be understood, or whose category is none of the set's; no category that any
            class stands for.
    """
    if table is None and kind == "coco" and are_imagenet(classes):
        table = "imagenet-coco"
    rows, lines = ({}, {}) if table is None else _read(table_path(table), classes)
    if table is not None and str(table) not in SHIPPED:
        synsets = set(synset_numbers()) if kind == "ilsvrc" else set()
        for category, where in lines.items():
            if category not in categories and category not in synsets:
                raise ValueError(
                    f"{where}: category {category!r} is none of the {len(categories)} of the photographs"
                    f"{_near(category, categories)}"
                )
    found = {
        category: tuple(sorted(rows[category] if category in rows else _equal(category, classes)))
        for category in categories
    }
    of = {category: numbers for category, numbers in found.items() if numbers}
    if not of:
        raise ValueError(
            f"class map: none of the network's {counted(len(classes), 'classes')} stands for any of the "
            f"{counted(len(found), 'categories')} ({_listed(categories, most=4)}); give a CSV with the columns "
            "category and class (--class-map)"
        )
    without = tuple(category for category in found if category not in of)
    equal = () if table is None else tuple(category for category in of if category not in rows)
    return ClassMap(of, without, "" if table is None else Path(table).name, equal)


def table_path(table: str | Path) -> Path:
    """The file of a table, or of a shipped one's name.

    Raises:
        FileNotFoundError: there is no such table.
    """
    path = SHIPPED.get(str(table), Path(table))
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file; shipped class maps: {', '.join(SHIPPED)}")
    return path


def are_imagenet(classes: Sequence[str]) -> bool:
    """Whether these are the classes of ImageNet-1k in their usual order: a thousand, from tench to toilet tissue."""
    ends = [classes[0], classes[-1]] if len(classes) == 1000 else ["", ""]
    return all(name in text.casefold() for name, text in zip(("tench", "toilet tissue"), ends, strict=True))


def synset_numbers() -> dict[str, int]:
    """The number of each of ImageNet-1k's synsets."""
    lines = (_DATA / "imagenet_synsets.txt").read_text(encoding="ascii").split()
    return {synset: number for number, synset in enumerate(lines)}


def _is_synset(text: str) -> bool:
    return len(text) == 9 and text[0] == "n" and text[1:].isdigit()


def _equal(category: str, classes: Sequence[str]) -> list[int]:
    """The one class of exactly that name or synset; two of one name are none, for which is meant is unknown."""
    if _is_synset(category) and are_imagenet(classes):
        return [number for synset, number in synset_numbers().items() if synset == category]
    same = [number for number, name in enumerate(classes) if name == category]
    return same if len(same) == 1 else []


def _near(category: str, categories: Sequence[str]) -> str:
    same = [name for name in categories if name.casefold() == category.casefold()]
    near = same or difflib.get_close_matches(category, categories, n=3)
    if near:
        return f": did you mean {', '.join(near)}?"
    return f" ({_listed(categories, most=4)})"


def _read(path: Path, classes: Sequence[str]) -> tuple[dict[str, set[int]], dict[str, str]]:
    """The classes of each category, and where its first row is."""
    rows: dict[str, set[int]] = {}
    lines: dict[str, str] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames is None:
            raise ValueError(f"{path}: is empty; expected a CSV with the columns category and class")
        if not {"category", "class"} <= set(reader.fieldnames):
            raise ValueError(f"{path}: expected the columns category and class, got {reader.fieldnames}")
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            category, wanted = (row["category"] or "").strip(), (row["class"] or "").strip()
            if not category:
                raise ValueError(f"{where}: the category is empty")
            lines.setdefault(category, where)
            numbers = rows.setdefault(category, set())
            if wanted:
                numbers.add(_number(wanted, classes, where))
    if not rows:
        raise ValueError(f"{path}: is empty below its header; expected a row for each category")
    return rows, lines


def _number(wanted: str, classes: Sequence[str], where: str) -> int:
    if _is_synset(wanted) and wanted not in classes:
        if not are_imagenet(classes):
            raise ValueError(
                f"{where}: {wanted} is a synset, and the network's {len(classes)} classes are not those of "
                "ImageNet-1k; write their names or numbers"
            )
        numbers = synset_numbers()
        if wanted not in numbers:
            raise ValueError(f"{where}: {wanted} is none of ImageNet-1k's synsets")
        return numbers[wanted]
    try:
        return find_class(classes, wanted)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
