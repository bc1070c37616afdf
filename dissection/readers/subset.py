"""Some images of a concept set, as a set; and a set cut into two halves.

    some = Subset(dataset, [0, 3, 4])
    first, second = halves(dataset)

The concepts and their numbers stay those of the whole set, whether the part shows them or not, so what is said of one
part can be held against what is said of another.

The halves are the same on every machine and in every run: images are sorted by the folder that stands in their id,
within a folder by the SHA-256 of the id, and dealt out in turn. So either half has half of each folder: of each of
several joined sets, and of each texture or scene where these lie in folders of their own. Files of one name in several
joined sets are taken for one photograph (PASCAL's, say, with the labels of VOC and of Context) and stay on one side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from dissection.concepts import ConceptDataset, source_of
from dissection.readers.errors import ConceptSetError
from dissection.readers.over import Over


class Subset(Over):
    """Some images of a set; a `ConceptDataset` itself.

    Args:
        base: the whole set.
        numbers: of its images, in the order that they are to have.

    Raises:
        ConceptSetError: no number, a number without an image, or one that stands there twice.
    """

    def __init__(self, base: ConceptDataset, numbers: Sequence[int]) -> None:
        super().__init__(base)
        self.numbers = tuple(int(number) for number in numbers)
        if not self.numbers:
            raise ConceptSetError("numbers: expected those of the images that the part is to have, got none")
        if not 0 <= min(self.numbers) <= max(self.numbers) < len(base):
            raise ConceptSetError(
                f"numbers: expected 0 to {len(base) - 1}, those of the set's images, got {min(self.numbers)} to "
                f"{max(self.numbers)}"
            )
        if len(set(self.numbers)) < len(self.numbers):
            twice = next(n for n in self.numbers if self.numbers.count(n) > 1)
            raise ConceptSetError(f"numbers: {twice} stands there twice; its image would count twice")

    @property
    def name(self) -> str:
        """What it is a part of, for people."""
        whole = getattr(self.base, "name", type(self.base).__name__)
        return f"{len(self)} of the {len(self.base)} images of {whole}"

    @property
    def fingerprint(self) -> str:
        """Of the whole set's fingerprint and the numbers, in order."""
        parts = f"subset {self.base.fingerprint} {' '.join(map(str, self.numbers))}"
        return f"sha256:{hashlib.sha256(parts.encode()).hexdigest()}"

    def __len__(self) -> int:
        """The number of images."""
        return len(self.numbers)

    def _below(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"index: expected 0 to {len(self) - 1}, got {index}")
        return self.numbers[index]


def halves(dataset: ConceptDataset) -> tuple[Subset, Subset]:
    """Two halves of a set, dealt out as the module says; the first has the odd image.

    Raises:
        ConceptSetError: fewer than two images.
    """
    if len(dataset) < 2:
        raise ConceptSetError(f"expected a set of at least 2 images to cut into halves, got {len(dataset)}")

    def place(index: int) -> tuple[str, str]:
        known = dataset.image_id(index)
        return known.rpartition("/")[0], hashlib.sha256(known.encode()).hexdigest()

    sides: tuple[list[int], list[int]] = ([], [])
    dealt: dict[str, tuple[int, int]] = {}
    turn = 0
    for index in sorted(range(len(dataset)), key=place):
        file, source = dataset.image_id(index).rpartition("/")[2], source_of(dataset, index)
        first, side = dealt.get(file, (source, turn))
        if first == source:  # else another set has a file of that name: very likely the same photograph
            side, turn = turn, 1 - turn
            dealt.setdefault(file, (source, side))
        sides[side].append(index)
    if not sides[1]:
        raise ConceptSetError(
            "expected a set of at least 2 photographs to cut into halves, got one in several sets"
        )
    return Subset(dataset, sorted(sides[0])), Subset(dataset, sorted(sides[1]))
