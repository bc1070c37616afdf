"""A concept set that stands over another and hands most of it on: what is the same, said once.

    class Half(Over):
        def labels(self, index, size): ...

What such a set says otherwise it defines itself. `Over` alone is the other set under a new fingerprint, which it has to
give. Rules of synonyms (`merge_rules`) are not handed on: they are about the concepts below.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from dissection.concepts import Concept, ConceptDataset, Labels, source_of


class Over:
    """What a `ConceptDataset` over another one hands on.

    Args:
        base: the set below.
    """

    def __init__(self, base: ConceptDataset) -> None:
        self.base = base

    @property
    def concepts(self) -> Sequence[Concept]:
        """As in the set below."""
        return self.base.concepts

    @property
    def notes(self) -> tuple[str, ...]:
        """What of the folders below is not used."""
        return tuple(getattr(self.base, "notes", ()))

    def __len__(self) -> int:
        """The number of images."""
        return len(self.base)

    def source(self, index: int) -> int:
        """Which of several joined sets the image comes from."""
        return source_of(self.base, self._below(index))

    def image_id(self, index: int) -> str:
        """As in the set below."""
        return self.base.image_id(self._below(index))

    def image(self, index: int) -> Image.Image:
        """As in the set below."""
        return self.base.image(self._below(index))

    def labels(self, index: int, size: int) -> Labels:
        """As in the set below."""
        return self.base.labels(self._below(index), size)

    def _below(self, index: int) -> int:
        """The number that an image has in the set below."""
        return index
