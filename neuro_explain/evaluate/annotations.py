"""What is known to be where in a photograph? Annotated images, of whichever layout.

    images = open_annotated("coco:annotations/val2017")        # neuro_explain.evaluate.annotated
    one = images[0].instances[0]
    one.category, one.box                                      # "cat", (12.0, 30.0, 120.5, 200.0)

Boxes are edges, not pixels: the pixel in column x covers x to x + 1, so a box of one pixel is (x, y, x + 1, y + 1), its
area is width times height, and the whole image is (0, 0, width, height). x comes before y, left before right, and all
is in pixels of the upright original. Readers turn their layout's convention into this one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neuro_explain.evaluate.counted import counted

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels of the original; right and bottom are the edges behind the last pixel."""

VOID = -1
"""What a pixel of a segmentation is that is neither a category nor background."""


class Drawn(Protocol):
    """A mask as it lies in the file; it takes its room only when it is asked for."""

    def pixels(self, width: int, height: int) -> NDArray[np.bool_]:
        """Its pixels in an image of that size, `[height, width]`."""


class LabelMap(Protocol):
    """A segmentation as it lies in the file."""

    def categories(self, width: int, height: int, numbers: dict[str, int]) -> NDArray[np.int32]:
        """The category of each pixel `[height, width]`: from `numbers`, 0 for background, `VOID` where none says."""


@dataclass(frozen=True, eq=False)
class Instance:
    """One thing in a photograph.

    Attributes:
        category: what it is, as its set calls it.
        box: around it, within the image.
        mask: its pixels, where they are known.
        crowd: whether it is many in one (`iscrowd`), so that its box is around no one of them.
        difficult: whether its set says that it is too hard to be asked for.
    """

    category: str
    box: Box
    mask: Drawn | None = None
    crowd: bool = False
    difficult: bool = False

    def pixels(self, width: int, height: int) -> NDArray[np.bool_]:
        """Its mask's pixels `[height, width]`, or its box's where it has none."""
        return box_pixels(self.box, width, height) if self.mask is None else self.mask.pixels(width, height)


@dataclass(frozen=True, eq=False)
class AnnotatedImage:
    """A photograph and what is in it.

    Attributes:
        id: the path in its set, with `/`.
        path: where it is.
        size: (width, height) that its annotation speaks of.
        instances: what is in it, in the order of the file; at least one.
        whole: the classes of the whole image; empty where its set has none, and the instances say it.
        segmentation: the category of every pixel, where a file holds that.
    """

    id: str
    path: Path
    size: tuple[int, int]
    instances: tuple[Instance, ...]
    whole: tuple[str, ...] = ()
    segmentation: LabelMap | None = None

    @property
    def categories(self) -> tuple[str, ...]:
        """What is in it: the classes of the whole image, or those of its instances, by first appearance."""
        return self.whole or tuple(dict.fromkeys(one.category for one in self.instances))

    @property
    def has_pixels(self) -> bool:
        """Whether it is known which pixels are what, and not only boxes."""
        return self.segmentation is not None or any(one.mask is not None for one in self.instances)

    def of(self, category: str) -> tuple[Instance, ...]:
        """The instances of a category."""
        return tuple(one for one in self.instances if one.category == category)

    def segmented(self, numbers: dict[str, int]) -> NDArray[np.int32]:
        """The category of each pixel, `[height, width]`; see `LabelMap.categories`.

        Without a file that says it, masks are laid over each other, the smallest on top; crowds and difficult ones
        are void, and so is a box without a mask, of which some pixels are not its category's. Categories without a
        number are background, as everything else.
        """
        width, height = self.size
        if self.segmentation is not None:
            return self.segmentation.categories(width, height, numbers)
        answer = np.zeros((height, width), np.int32)
        layers = [(one, one.pixels(width, height)) for one in self.instances if one.category in numbers]
        for one, pixels in sorted(layers, key=lambda layer: -int(layer[1].sum())):
            known = one.mask is not None and not one.crowd and not one.difficult
            answer[pixels] = numbers[one.category] if known else VOID
        return answer


class AnnotatedSet(Sequence[AnnotatedImage]):
    """Annotated images in a fixed order.

    Attributes:
        name: what messages call it: `coco:val2017`.
        kind: its layout: "coco", "voc", "ilsvrc".
        categories: all that may occur, in the order of their numbers in the set.
        notes: sentences on what was left out or put right.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        images: Sequence[AnnotatedImage],
        categories: Sequence[str],
        notes: Sequence[str] = (),
    ) -> None:
        if not images:
            raise ValueError(f"{name}: no image has an annotated instance{_because(notes)}")
        self.name, self.kind = name, kind
        self.categories, self.notes = tuple(categories), tuple(notes)
        self._images = tuple(images)

    def __len__(self) -> int:
        """The number of images."""
        return len(self._images)

    def __getitem__(self, index: int) -> AnnotatedImage:  # type: ignore[override]
        """One image."""
        return self._images[index]

    def __iter__(self) -> Iterator[AnnotatedImage]:
        """All images, in order."""
        return iter(self._images)

    def need_pixels(self) -> None:
        """Sees to it that of one image at least it is known which pixels are what.

        Raises:
            ValueError: only boxes are known.
        """
        if not any(image.has_pixels for image in self):
            raise ValueError(
                f"{self.name}: only boxes are known of its {counted(len(self), 'images')}, no masks and no "
                "segmentations: there is nothing to judge pixels by"
            )

    def first(self, count: int) -> AnnotatedSet:
        """The first so many images.

        Raises:
            ValueError: fewer than one.
        """
        if count < 1:
            raise ValueError(f"images: expected at least 1, got {count}")
        note = (f"only the first {count:,} of {counted(len(self), 'images')}",) if count < len(self) else ()
        return AnnotatedSet(self.name, self.kind, self._images[:count], self.categories, (*self.notes, *note))


def _because(notes: Sequence[str]) -> str:
    return f" ({'; '.join(notes)})" if notes else ""


def box_pixels(box: Box, width: int, height: int) -> NDArray[np.bool_]:
    """The pixels whose centres lie in a box, `[height, width]`; a centre on its left or upper edge does."""
    left, top, right, bottom = (math.ceil(edge - 0.5) for edge in box)
    inside = np.zeros((height, width), np.bool_)
    inside[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    return inside


def box_iou(first: Box, second: Box) -> float:
    """What two boxes share, as a share of what they cover together; 0 to 1."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / (_area(first) + _area(second) - shared)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
