"""Which class do a label in a list and the name of a folder stand for? Millions of them, looked up quickly.

    labels = Labels(model.classes)
    labels.of("165"), labels.of("kitchen"), labels.of("/k/kitchen")
    labels.of_folder("a/apartment_building/outdoor")

A class is meant by its number, by its name, or by its name written otherwise: other capitals, `_`, `-` or `/` for a
space, the letter folder of Places before it.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from neuro_explain.classes import find_class

_BETWEEN_WORDS = re.compile(r"[\s_/-]+")
_SHOWN = 4  # folders that a message names
_LETTER_FOLDER = re.compile(r"^/?[a-z]/(?=.)", re.IGNORECASE)


class Labels:
    """The classes of one network, found by what stands in lists and folder names."""

    def __init__(self, classes: Sequence[str], *, digits: bool = True, owner: str = "the model") -> None:
        """Takes the class names in the order of their numbers; two may be alike.

        Args:
            classes: the names.
            digits: whether a text of digits that is no name is a number.
            owner: whose they are, for messages.
        """
        self._classes, self._digits, self._owner = tuple(classes), digits, owner
        self._exact: dict[str, list[int]] = defaultdict(list)
        self._loose: dict[str, list[int]] = defaultdict(list)
        for number, name in enumerate(self._classes):
            self._exact[name].append(number)
            self._loose[_key(name)].append(number)
        self._known: dict[str, int] = {}

    def of(self, text: str) -> int:
        """The class that a label means.

        Raises:
            ValueError: none, or several; or a number out of range.
        """
        number = self._known.get(text)
        if number is None:
            named = self._named(text)
            # Numbers, and all that cannot be understood, are the other's to judge.
            number = (
                named[0]
                if len(named) == 1
                else find_class(self._classes, text, what="label", owner=self._owner, digits=self._digits)
            )
            self._known[text] = number
        return number

    def of_folder(self, folder: str) -> int | None:
        """The class that a folder is called after, or the nearest folder around it that is; None if there is none.

        Args:
            folder: relative to the folder of all images, with `/`.

        Raises:
            ValueError: several classes are called so.
        """
        parts = folder.split("/")
        for count in range(len(parts), 0, -1):
            name = "/".join(parts[:count])
            named = self._named(name)
            if len(named) > 1:
                which = ", ".join(f"{number} ({self._classes[number]})" for number in named)
                raise ValueError(
                    f"the folder {name!r} could be several classes: {which}; write a list instead"
                )
            if named:
                return named[0]
        return None

    def none_of(self, folders: Sequence[str]) -> str:
        """Says that none of these folders, those inside the folder of all images, has the name of a class."""
        what = f"{self._owner}'s {len(self._classes):,} {'classes' if self._digits else 'labels'}"
        if not folders:
            return f"the images lie in no folders that are called after {what}"
        shown = ", ".join(repr(folder) for folder in folders[:_SHOWN])
        if len(folders) > _SHOWN:
            shown += f" and {len(folders) - _SHOWN:,} more"
        are = "folder is called {}, which is" if len(folders) == 1 else "folders are called {}, which are"
        return f"the {are.format(shown)} none of {what}"

    def _named(self, text: str) -> list[int]:
        for found in (self._exact.get(text), self._loose.get(_key(text))):
            if found:
                return found
        return self._loose.get(_key(_LETTER_FOLDER.sub("", text)), [])


@dataclass(frozen=True)
class Accepted:
    """Labels of a set of one's own, each of which stands for any of some classes of the network.

    Attributes:
        names: of the labels.
        classes: numbers of the classes that each stands for.
        column: what the labels are called where they are kept.
    """

    names: tuple[str, ...]
    classes: tuple[tuple[int, ...], ...]
    column: str = "label"

    @classmethod
    def of(
        cls, label_classes: Mapping[str, Sequence[str]] | str | os.PathLike[str], classes: Sequence[str]
    ) -> Accepted:
        """What a mapping, or a JSON file that holds one, says.

        Args:
            label_classes: from each label to class names.
            classes: the network's.

        Raises:
            FileNotFoundError: no such file.
            ValueError: something else than such a mapping, or a class that the network has not.
        """
        where = "label_classes"
        told: object = label_classes
        if not isinstance(label_classes, Mapping):
            where = str(label_classes)
            try:
                told = json.loads(
                    Path(label_classes).read_text(encoding="utf-8"), object_pairs_hook=_each_once
                )
            except FileNotFoundError as error:
                raise FileNotFoundError(f"{where}: there is no such file") from error
            except ValueError as error:
                what = "" if isinstance(error, _TwiceError) else "cannot be read as JSON: "
                raise ValueError(f"{where}: {what}{error}") from error
        expected = (
            f'{where}: expected each label with the names of some classes, as {{"sea": ["ocean", "coast"]}}'
        )
        if not isinstance(told, Mapping) or not told:
            raise ValueError(f"{expected}; got {type(told).__name__ if told else 'nothing'}")
        known = Labels(classes)
        numbers = []
        for label, names in told.items():
            if isinstance(names, str) or not isinstance(names, Sequence) or not names:
                raise ValueError(f"{expected}; got {names!r} for {label!r}")
            try:
                numbers.append(tuple(known.of(str(name)) for name in names))
            except ValueError as error:
                raise ValueError(f"{where}, {label!r}: {error}") from error
        return cls(tuple(map(str, told)), tuple(numbers))

    def mask(self, classes: int) -> Tensor:
        """bool `[labels, classes]`: which stand for which."""
        mask = torch.zeros(len(self.names), classes, dtype=torch.bool)
        for row, numbers in enumerate(self.classes):
            mask[row, list(numbers)] = True
        return mask


class _TwiceError(ValueError):
    """A label that is there twice."""


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    told = dict(pairs)
    if len(told) < len(pairs):
        twice = next(label for label, count in Counter(label for label, _ in pairs).items() if count > 1)
        raise _TwiceError(f"the label {twice!r} is there twice; give it all its classes in one list")
    return told


def _key(name: str) -> str:
    """A name without what is written in several ways."""
    if name.startswith("/"):
        name = _LETTER_FOLDER.sub("", name)
    return _BETWEEN_WORDS.sub(" ", name.casefold()).strip()
