"""What can be seen in an image: concepts, their labels, and sets of labelled images.

A concept is a name in a category ("book", object). A concept data set shows images and says, pixel by
pixel or for the whole image, which concepts are there. "No label" is absence: a pixel without a label
holds -1 in a layer, and an image that does not *carry* a category (nobody looked for its concepts there)
is unlabelled for it, not negative (Bau et al. 2017, Sec. 2.1).

Bring your own data by writing a class with the five members of `ConceptDataset`; nothing is inherited.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

NO_LABEL = -1
_BREAKING = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, lone surrogates, line and paragraph separators
_TURNING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


class ConceptNameError(ValueError):
    """A name that cannot be shown as it is; the message says which character is in it."""


@dataclass(frozen=True, order=True)
class Concept:
    """A thing that a unit may detect. Two concepts are the same if name and category are equal.

    Both stand in tables, on pages and on terminals, so neither may hold what breaks a line there or turns what stands
    beside it around: control characters (a tab and a line break are such), separators of lines and paragraphs, lone
    surrogates, and the controls that embed, override or isolate a direction of writing (U+202A to U+202E, U+2066 to
    U+2069). Letters of any script are welcome.

    Raises:
        ConceptNameError: one of these characters.
    """

    name: str
    category: str

    def __post_init__(self) -> None:
        for what, text in (("name", self.name), ("category", self.category)):
            wrong = "" if text.isprintable() else next(filter(_unshown, text), "")
            if wrong:
                known = unicodedata.name(wrong, "a control character")
                raise ConceptNameError(
                    f"{what} {text!a}: holds U+{ord(wrong):04X} ({known}), which cannot be shown in a line of text; "
                    f"take it out of the {what}"
                )

    def __str__(self) -> str:
        return f"{self.name} ({self.category})"


def _unshown(character: str) -> bool:
    """Whether it has no place in a name; see `Concept`."""
    return unicodedata.category(character) in _BREAKING or unicodedata.bidirectional(character) in _TURNING


@dataclass(frozen=True)
class Labels:
    """The labels of one image.

    Attributes:
        layers: pixel labels, int32 `[L, S, S]`, each value a concept's number or `NO_LABEL`. Layers
            overlap: a pixel may be "car" in one and "wheel" in another. L may be 0.
        whole: numbers of the concepts that hold for the whole image (scene, texture); every pixel counts.
        categories: the categories that this image carries, with or without a label of theirs in it.
    """

    layers: NDArray[np.int32]
    whole: tuple[int, ...]
    categories: frozenset[str]

    def __post_init__(self) -> None:
        if self.layers.ndim != 3 or self.layers.dtype != np.int32:
            raise ValueError(
                f"layers: expected int32 [L, S, S], got {self.layers.dtype} {list(self.layers.shape)}"
            )

    @property
    def empty(self) -> bool:
        """True if no pixel has a label; such an image is left out of a dissection."""
        return not self.whole and not bool((self.layers != NO_LABEL).any())


@runtime_checkable
class ConceptDataset(Protocol):
    """Images with concept labels. Numbers are indices into `concepts`; images are numbered from 0."""

    @property
    def concepts(self) -> Sequence[Concept]:
        """All concepts, in the order of their numbers."""
        ...

    @property
    def fingerprint(self) -> str:
        """A hash of what the set is made of; it changes when images or labels change."""
        ...

    def __len__(self) -> int:
        """The number of images."""
        ...

    def image_id(self, index: int) -> str:
        """A name for the image that a person can find it by (a path relative to the set)."""
        ...

    def image(self, index: int) -> Image.Image:
        """The image, RGB and upright."""
        ...

    def labels(self, index: int, size: int) -> Labels:
        """The labels of the image squashed to `size` × `size` pixels (nearest neighbour)."""
        ...


def by_category(concepts: Sequence[Concept]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The K categories in order of first appearance, and the index of each concept's category `[C]`.

    Raises:
        ValueError: a concept stands there twice.
    """
    for concept, count in Counter(concepts).items():
        if count > 1:
            raise ValueError(f"concepts: {concept} stands there {count} times, expected one number for each")
    categories = tuple(dict.fromkeys(concept.category for concept in concepts))
    order = {name: i for i, name in enumerate(categories)}
    return categories, np.array([order[concept.category] for concept in concepts], np.int64)


def source_of(dataset: ConceptDataset, index: int) -> int:
    """Which of several joined sets an image comes from; 0 where a set does not say (it may have a `source(index)`)."""
    source = getattr(dataset, "source", None)
    return int(source(index)) if callable(source) else 0
