"""What can be said of the things in a scene? Whether they are clearly visible, their colour, material and pattern.

    looks = look_at(scene)
    looks.things[7].color        # "red": so the thing is called, and so most of its visible pixels look
    looks.kinds["chair"].things  # the numbers of all chairs of which a pixel is visible

A colour, material or pattern is said only if more than half of the visible pixels show it, so that the picture
agrees with the words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dissection.readers.colors import NAMES as COLOR_NAMES
from neuro_explain.diorama.scene import LAYERS, SIZE, Scene
from neuro_explain.diorama.words import CONCEPTS, MASSES, plural

CLEAR = 128
"""Pixels of the 128 × 128 picture from which on a thing is clearly visible: 0.8 % of the picture, half a cell of the
8 × 8 map on which a small network's last layer sees it. Below that even people must guess."""

Box = tuple[float, float, float, float]
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)

_BARE = frozenset({"fruit", "grass", "moss", "sand"})
_MANY = frozenset(
    {"book", "curtain", "flower", "lily pad", "mushroom", "plate", "stairs", "sunflower", "vine"}
)
_NUMBERS = {2: "two", 3: "three", 4: "four"}


@dataclass(frozen=True)
class Look:
    """How one thing, or all of a kind, look in the picture.

    Attributes:
        kind: what it is.
        things: the numbers of the things that it speaks of.
        pixels: how many pixels of the 128 × 128 picture show them.
        least: how many pixels show the smallest of them.
        box: the box of these pixels in shares of the frame: left, top, right, bottom.
        color: the name of the colour that they are called by and mostly look, or "".
        material: what they mostly consist of, or "".
        texture: the labelled texture that they mostly show, or "".
    """

    kind: str
    things: tuple[int, ...]
    pixels: int
    least: int
    box: Box
    color: str
    material: str
    texture: str

    @property
    def clear(self) -> bool:
        """Whether every one of the things is clearly visible; of a mass, whether it is as a whole."""
        return (self.pixels if self.kind in MASSES else self.least) >= CLEAR

    @property
    def one(self) -> bool:
        """Whether "the" is right: one thing, or a mass."""
        return len(self.things) == 1 or self.kind in MASSES


@dataclass(frozen=True)
class Looks:
    """The things with at least one visible pixel, by number, and all of a kind together, by kind."""

    things: Mapping[int, Look]
    kinds: Mapping[str, Look]

    def named(self, kind: str) -> set[str]:
        """The visible kinds that the word may mean: "lamp" means a ceiling lamp too, "flower" a sunflower."""
        return {other for other in self.kinds if other.endswith(kind)}


@lru_cache(maxsize=8)
def look_at(scene: Scene) -> Looks:
    """The looks of a scene's things at 128 × 128; remembered for the last few scenes."""
    segments = scene.segments(SIZE)
    labels = scene.labels(SIZE)
    kinds = sorted({thing.kind for thing in scene.things})
    of_kind = np.array([kinds.index(thing.kind) for thing in scene.things] + [-1], np.int32)
    sizes = np.bincount(segments.ravel() + 1, minlength=len(scene.things) + 1)[1:]
    single: list[tuple[int, ...]] = [
        (number,) if sizes[number] else () for number in range(len(scene.things))
    ]
    together: list[tuple[int, ...]] = [()] * len(kinds)
    for number in np.flatnonzero(sizes):
        together[of_kind[number]] += (int(number),)
    things = _looks(scene, segments, labels, single, sizes)
    return Looks(
        {look.things[0]: look for look in things},
        {look.kind: look for look in _looks(scene, of_kind[segments], labels, together, sizes)},
    )


def _looks(
    scene: Scene,
    groups: NDArray[np.int32],
    labels: NDArray[np.int32],
    members: list[tuple[int, ...]],
    sizes: NDArray[np.int64],
) -> list[Look]:
    """The look of each group of things; `groups` `[128, 128]` says which group is at each pixel, −1 none."""
    count = len(members)
    lines = np.broadcast_to(np.arange(SIZE), groups.shape)
    across, down = (_histogram(groups, line, count, SIZE) > 0 for line in (lines, lines.T))
    most = {name: _majority(groups, labels[LAYERS.index(name)], count) for name in LAYERS[2:]}
    looks = []
    for group, numbers in enumerate(members):
        if not numbers:
            continue
        columns, rows = np.flatnonzero(across[group]), np.flatnonzero(down[group])
        said = {scene.things[number].color for number in numbers}
        color = most["color"][group]
        looks.append(
            Look(
                kind=scene.things[numbers[0]].kind,
                things=numbers,
                pixels=int(sizes[list(numbers)].sum()),
                least=int(sizes[list(numbers)].min()),
                box=(
                    float(columns[0] / SIZE),
                    float(rows[0] / SIZE),
                    float((columns[-1] + 1) / SIZE),
                    float((rows[-1] + 1) / SIZE),
                ),
                color=color if said == {color} and color in COLOR_NAMES else "",
                material=most["material"][group],
                texture=most["texture"][group],
            )
        )
    return looks


def _histogram(
    groups: NDArray[np.int32], values: NDArray[np.integer], count: int, width: int
) -> NDArray[np.int64]:
    """How often each group meets each value: `[count, width]`."""
    keys = (groups + 1) * width + values
    return np.bincount(keys.ravel(), minlength=(count + 1) * width).reshape(-1, width)[1:]


def _majority(groups: NDArray[np.int32], layer: NDArray[np.int32], count: int) -> list[str]:
    """Per group, the concept that more than half of its pixels have, or ""."""
    found = _histogram(groups, layer + 1, count, len(CONCEPTS) + 1)
    first, most, total = found.argmax(axis=1), found.max(axis=1), found.sum(axis=1)
    return [
        CONCEPTS[place - 1].name if place and 2 * best > pixels else ""
        for place, best, pixels in zip(first.tolist(), most.tolist(), total.tolist(), strict=True)
    ]


def union(looks: list[Look]) -> Box:
    """The box around all of these."""
    boxes = [look.box for look in looks]
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )


def with_article(words: str) -> str:
    """The words with "a" or "an" before them."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def is_many(kind: str) -> bool:
    """Whether one says "are", not "is", of a mass: books, stairs."""
    return kind in _MANY


def named(kind: str, *, before: str = "", count: int = 1) -> str:
    """A kind in words: "a red lamp", "two lamps", "several lamps", "books", "grass".

    Args:
        kind: what it is.
        before: adjectives, or "".
        count: how many; of no account for masses.
    """
    before = f"{before} " if before else ""
    if kind in _BARE:
        return before + kind
    if kind in _MANY:
        return before + plural(kind)
    if kind in MASSES or count == 1:
        return with_article(before + kind)
    return f"{_NUMBERS.get(count, 'several')} {before}{plural(kind)}"
