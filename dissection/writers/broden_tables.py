"""What Broden's tables say of a set: the numbers of its labels, and how often each is seen.

    tables = Tables(dataset.concepts)
    tables.add(image_id, labels, size)      # every image
    tables.write(folder)                    # label.csv, category.csv, c_CATEGORY.csv

What the columns mean stands at the top of `dissection.writers.broden`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dissection.artifact import write_csv
from dissection.concepts import NO_LABEL, Concept, Labels
from dissection.readers.broden import broden_name
from dissection.readers.errors import ConceptSetError
from dissection.writers.folder import Group, check_text

COLUMNS = ("image", "split", "ih", "iw", "sh", "sw")  # of index.csv, before those of the categories
_LARGEST = 2**16 - 1  # red + 256 · green


class Tables:
    """The numbers of all labels, and the counts that the tables need.

    Args:
        concepts: of the set, in the order of their numbers in it.
        synonyms: other names of concepts; those of concepts that the set lacks are not used.

    Attributes:
        categories: for each category an int32 `[C + 1]`, from a concept's number to its label number. It is 0 for
            concepts of other categories, and last for `NO_LABEL`, which is index -1.

    Raises:
        ConceptSetError: a concept twice, a name that the layout cannot hold, or more than 65535 names.
    """

    def __init__(
        self, concepts: Sequence[Concept], synonyms: Mapping[Concept, Sequence[str]] | None = None
    ) -> None:
        self.concepts = tuple(concepts)
        self._synonyms = {concept: (synonyms or {}).get(concept, ()) for concept in self.concepts}
        for concept, times in Counter(self.concepts).items():
            check_text(f"concept of category {concept.category!r},", concept.name)
            if times > 1:
                raise ConceptSetError(f"concept {concept} is in the set {times} times; give it one number")
            for other in self._synonyms[concept]:
                check_text(f"synonym of {concept}", other)
                if ";" in other:
                    raise ConceptSetError(
                        f"synonym {other!r} of {concept}: has a semicolon; write two synonyms"
                    )
        names: dict[str, int] = {}
        self._numbers = [names.setdefault(broden_name(c), len(names) + 1) for c in self.concepts]
        if len(names) > _LARGEST:
            raise ConceptSetError(
                f"the set has {len(names)} names, Broden's label maps can tell {_LARGEST} apart; write a part of it"
            )
        self.categories: dict[str, NDArray[np.int32]] = {}
        for concept in self.concepts:
            self._open(concept.category)
        self._frequency = np.zeros(len(self.concepts), np.int64)
        self._coverage = np.zeros(len(self.concepts))
        self._carried: Counter[str] = Counter()

    def _open(self, category: str) -> None:
        """Makes a category known."""
        if category in self.categories:
            return
        check_text("category", category)
        if category in COLUMNS or any(character in category for character in "/\\;"):
            raise ConceptSetError(
                f"category {category!r}: none of {', '.join(COLUMNS)}, which are columns of index.csv, and no name "
                "with a slash or semicolon was expected; rename it"
            )
        own = [
            number if concept.category == category else 0
            for number, concept in zip(self._numbers, self.concepts, strict=True)
        ]
        self.categories[category] = np.array([*own, 0], np.int32)

    def add(self, image_id: str, labels: Labels, size: int) -> None:
        """Checks an image's labels and counts them.

        Args:
            image_id: for messages.
            labels: at S × S.
            size: S.

        Raises:
            ConceptSetError: another shape than S × S, a number that is no concept's, or a label of a category that
                the image does not carry.
        """
        if labels.layers.shape[1:] != (size, size):
            raise ConceptSetError(
                f"{image_id}: labels are {list(labels.layers.shape)}, [L, {size}, {size}] was expected"
            )
        seen = {int(number) for number in (*np.unique(labels.layers), *labels.whole)}
        if (
            min(seen, default=0) < NO_LABEL
            or NO_LABEL in labels.whole
            or max(seen, default=0) >= len(self.concepts)
        ):
            raise ConceptSetError(
                f"{image_id}: has labels numbered {min(seen)} to {max(seen)}, but the set has the concepts 0 to "
                f"{len(self.concepts) - 1}"
            )
        seen -= {NO_LABEL}
        silent = sorted({self.concepts[number].category for number in seen} - labels.categories)
        if silent:
            raise ConceptSetError(
                f"{image_id}: has a label of category {silent[0]!r}, but the categories that it carries are "
                f"{', '.join(sorted(labels.categories)) or 'none'}"
            )
        for category in sorted(labels.categories):
            self._open(category)
        self._carried.update(labels.categories)
        for number in seen:
            everywhere = number in labels.whole
            self._frequency[number] += 1
            self._coverage[number] += 1 if everywhere else (labels.layers == number).any(axis=0).mean()

    def groups(self) -> tuple[Group, ...]:
        """What was counted of each category."""
        seen = Counter(
            concept.category
            for concept, times in zip(self.concepts, self._frequency.tolist(), strict=True)
            if times
        )
        known = Counter(concept.category for concept in self.concepts)
        return tuple(Group(name, known[name], seen[name], self._carried[name]) for name in self.categories)

    def write(self, folder: Path) -> None:
        """Writes all tables but `index.csv`."""
        by_number: dict[int, list[_Count]] = {}
        by_category: dict[str, list[_Count]] = {category: [] for category in self.categories}
        counts = map(_Count, self.concepts, self._numbers, self._frequency.tolist(), self._coverage.tolist())
        for count in counts:
            by_number.setdefault(count.number, []).append(count)
            by_category[count.concept.category].append(count)
        write_csv(folder / "label.csv", [_label_row(group, self._synonyms) for group in by_number.values()])
        write_csv(
            folder / "category.csv", [_category_row(name, group) for name, group in by_category.items()]
        )
        # A table without rows is none to its readers; code 0 is "no label", which every category has.
        none = {"code": 0, "number": 0, "name": "-", "frequency": 0, "coverage": _decimal(0)}
        for category, group in by_category.items():
            rows = [_code_row(code, count) for code, count in enumerate(group, start=1)]
            write_csv(folder / f"c_{category}.csv", rows or [none])


@dataclass(frozen=True)
class _Count:
    """In how many images a concept is, and the sum of its shares of them."""

    concept: Concept
    number: int
    frequency: int
    coverage: float


def _label_row(group: Sequence[_Count], synonyms: Mapping[Concept, Sequence[str]]) -> dict[str, object]:
    """A row of `label.csv`, from the counts of one name in all its categories."""
    frequent = sorted(group, key=lambda count: -count.frequency)
    others = dict.fromkeys(other for count in group for other in synonyms[count.concept])
    others.pop(broden_name(group[0].concept), None)
    return {
        "number": group[0].number,
        "name": broden_name(group[0].concept),
        "category": ";".join(f"{count.concept.category}({count.frequency})" for count in frequent),
        "frequency": sum(count.frequency for count in group),
        "coverage": _decimal(sum(count.coverage for count in group)),
        "syns": ";".join(others),
    }


def _category_row(name: str, group: Sequence[_Count]) -> dict[str, object]:
    """A row of `category.csv`, from the counts of its concepts."""
    numbers = [count.number for count in group]
    return {
        "name": name,
        "first": min(numbers, default=0),
        "last": max(numbers, default=0),
        "count": len(numbers),
        "frequency": sum(count.frequency for count in group),
    }


def _code_row(code: int, count: _Count) -> dict[str, object]:
    """A row of `c_CATEGORY.csv`."""
    return {
        "code": code,
        "number": count.number,
        "name": broden_name(count.concept),
        "frequency": count.frequency,
        "coverage": _decimal(count.coverage),
    }


def _decimal(value: float) -> str:
    return f"{value:.6f}"
