"""Several concept sets as one, by Broden's rule: unlabelled is not negative.

Concepts with equal name and category are one concept, numbered by first appearance; images stand one set
after the other. An image carries only the categories that its own set looked for: for the others its pixels
are unlabelled and count neither for nor against.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dissection.concepts import NO_LABEL, Concept, ConceptDataset, Labels
from dissection.readers.errors import ConceptSetError
from dissection.readers.merged import Rule


class Union:
    """Joined sets; a `ConceptDataset` itself.

    Args:
        sets: the sets, at least one.
        names: what to call each, for the ids of its images; equal ones are numbered ("coco", "coco-2").
    """

    def __init__(self, sets: Sequence[ConceptDataset], names: Sequence[str]) -> None:
        self.sets = tuple(sets)
        self.names = tuple(_distinct(names))
        place: dict[Concept, int] = {}
        self._numbers: list[NDArray[np.int32]] = []
        for part in self.sets:
            numbers = [place.setdefault(concept, len(place)) for concept in part.concepts]
            # the last entry is what index -1 finds: NO_LABEL stays NO_LABEL
            self._numbers.append(np.array([*numbers, NO_LABEL], dtype=np.int32))
        self._concepts = tuple(place)
        self._ends = np.cumsum([len(part) for part in self.sets]).tolist()

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """All concepts, in the order of their first appearance."""
        return self._concepts

    @property
    def fingerprint(self) -> str:
        """Of the sets' fingerprints, in order."""
        parts = " ".join(part.fingerprint for part in self.sets)
        return f"sha256:{hashlib.sha256(parts.encode()).hexdigest()}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What of the sets' folders is not used."""
        return tuple(note for part in self.sets for note in getattr(part, "notes", ()))

    @property
    def merge_rules(self) -> tuple[Rule, ...]:
        """What the sets say of their own concepts (`merged.own_table`)."""
        return tuple(dict.fromkeys(rule for part in self.sets for rule in getattr(part, "merge_rules", ())))

    def __len__(self) -> int:
        """The number of images of all sets."""
        return int(self._ends[-1])

    def source(self, index: int) -> int:
        """Which set the image comes from."""
        if not 0 <= index < len(self):
            raise IndexError(f"index: expected 0 to {len(self) - 1}, got {index}")
        return bisect_right(self._ends, index)

    def image_id(self, index: int) -> str:
        """The set's name and the image's id in it."""
        source, own = self._own(index)
        return f"{self.names[source]}/{self.sets[source].image_id(own)}"

    def image(self, index: int) -> Image.Image:
        """The image, RGB and upright."""
        source, own = self._own(index)
        return self.sets[source].image(own)

    def labels(self, index: int, size: int) -> Labels:
        """The labels of the image's own set, with the numbers of the union."""
        source, own = self._own(index)
        labels = self.sets[source].labels(own, size)
        numbers = self._numbers[source]
        seen = [labels.layers.min(initial=NO_LABEL), labels.layers.max(initial=NO_LABEL), *labels.whole]
        if min(seen) < NO_LABEL or max(seen) > len(numbers) - 2:
            raise ConceptSetError(
                f"{self.image_id(index)}: has labels numbered {min(seen)} to {max(seen)}, but "
                f"{self.names[source]} has the concepts 0 to {len(numbers) - 2}"
            )
        whole = tuple(dict.fromkeys(int(numbers[number]) for number in labels.whole))
        return Labels(numbers[labels.layers], whole, labels.categories)

    def _own(self, index: int) -> tuple[int, int]:
        source = self.source(index)
        return source, index - (self._ends[source - 1] if source else 0)


def _distinct(names: Sequence[str]) -> list[str]:
    distinct: list[str] = []
    for name in names:
        candidates = (name if number == 1 else f"{name}-{number}" for number in range(1, len(names) + 2))
        distinct.append(next(candidate for candidate in candidates if candidate not in distinct))
    return distinct
