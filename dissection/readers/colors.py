"""`colors`: eleven colour names for every pixel of every image of the other sets.

The image is squashed to the size of the labels (Pillow's bilinear filter, as for a network's input), and
each pixel is looked up in the colour table of Network Dissection: red, green and blue in steps of 8. Images
that carry the category "color" already (Broden's) keep their own labels.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dissection.concepts import Concept, ConceptDataset, Labels
from dissection.images import squash
from dissection.readers.merged import Rule
from dissection.readers.over import Over
from dissection.scratch import PerThread

CATEGORY = "color"
NAMES = ("black", "blue", "brown", "grey", "green", "orange", "pink", "purple", "red", "white", "yellow")

_TABLE = Path(__file__).resolve().parent.parent / "data" / "w2color.npy"


@lru_cache(maxsize=1)
def color_table() -> NDArray[np.uint8]:
    """uint8 `[32, 32, 32]`, indexed by R // 8, G // 8, B // 8: an index into `NAMES`."""
    table: NDArray[np.uint8] = np.load(_TABLE, allow_pickle=False)
    table.setflags(write=False)
    return table


def color_indices(image: Image.Image) -> NDArray[np.uint8]:
    """The colour of each pixel of an RGB image: uint8 `[h, w]`, indices into `NAMES`."""
    steps = np.asarray(image) >> 3
    indices: NDArray[np.uint8] = color_table()[steps[..., 0], steps[..., 1], steps[..., 2]]
    return indices


class WithColors(Over):
    """A concept data set whose images also carry the eleven colours.

    Args:
        base: the set whose images are looked at; its concepts keep their numbers.
    """

    def __init__(self, base: ConceptDataset) -> None:
        super().__init__(base)
        concepts = list(base.concepts)
        place = {concept: number for number, concept in enumerate(concepts)}
        colors = [Concept(name, CATEGORY) for name in NAMES]
        self._concepts = tuple(concepts + [color for color in colors if color not in place])
        place = {concept: number for number, concept in enumerate(self._concepts)}
        self._numbers = np.array([place[color] for color in colors], dtype=np.int32)
        # Whoever asks for an image's labels asks for the image next, in the same thread: decode it once.
        self._last = PerThread()

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """The concepts of the set below, then the colours that it lacks."""
        return self._concepts

    @property
    def fingerprint(self) -> str:
        """Of the set below and of the colour table."""
        parts = f"colors {self.base.fingerprint} ".encode() + color_table().tobytes()
        return f"sha256:{hashlib.sha256(parts).hexdigest()}"

    @property
    def merge_rules(self) -> tuple[Rule, ...]:
        """As in the set below."""
        return tuple(getattr(self.base, "merge_rules", ()))

    def image(self, index: int) -> Image.Image:
        """As in the set below."""
        number, image = getattr(self._last, "image", (None, None))
        self._last.image = (None, None)
        return image if number == index and image is not None else self.base.image(index)

    def labels(self, index: int, size: int) -> Labels:
        """The labels of the set below, and the colours as one more layer."""
        below = self.base.labels(index, size)
        if CATEGORY in below.categories:
            return below
        image = self.base.image(index)
        self._last.image = (index, image)
        colors = self._numbers[color_indices(squash(image, size))]
        return Labels(
            np.concatenate([below.layers, colors[None]]), below.whole, below.categories | {CATEGORY}
        )
