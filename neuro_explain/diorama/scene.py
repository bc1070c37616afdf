"""One scene of the diorama: what is in it, how it looks, and which concept is at which pixel.

    scene = make_scene(seed=1, index=0)
    scene.category                       # "bookstore"
    scene.image(128)                     # Pillow, RGB
    scene.image(128, without=Concept("book", "object"))   # all else equal
    scene.graph()                        # things, their parts, colours, places, and what stands on what

Everything follows from (seed, index): the same numbers give the same bytes.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dissection.concepts import NO_LABEL, Concept
from dissection.readers.colors import CATEGORY as COLOR
from dissection.readers.colors import NAMES as COLOR_NAMES
from dissection.readers.colors import color_indices
from neuro_explain.diorama.paint import PLAIN, Paint, mix
from neuro_explain.diorama.picture import labels_of, paint_picture, shape_map
from neuro_explain.diorama.scenes import COMPOSERS
from neuro_explain.diorama.stage import Shape, Stage, Thing
from neuro_explain.diorama.words import CONCEPTS, SCENES

SIZE = 128
"""The side at which scenes are rendered unless something else is asked for, and at which their labels are native."""

LAYERS = ("object", "part", "material", "texture", COLOR)
"""The categories with a label per pixel, in the order of the label layers; the scene is a whole-image label."""

ACHROMATIC = ("black", "grey", "white")
"""Colours that cannot be switched off: a pixel without colour is one of them."""

_NUMBERS = {
    category: {
        concept.name: number for number, concept in enumerate(CONCEPTS) if concept.category == category
    }
    for category in (*LAYERS, "scene")
}


@dataclass(frozen=True)
class Seen:
    """A thing that can be seen in the picture.

    Attributes:
        thing: the thing.
        pixels: how many pixels of the 128 × 128 picture show it.
        box: its visible pixels' box in shares of the frame: left, top, right, bottom.
        parts, materials, textures: what of it can be seen.
    """

    thing: Thing
    pixels: int
    box: tuple[float, float, float, float]
    parts: frozenset[str]
    materials: frozenset[str]
    textures: frozenset[str]


class Scene:
    """A furnished stage with its category.

    Args:
        stage: the furnished stage.
        category: one of `words.SCENES`.
        seed, index: where it comes from.
    """

    def __init__(self, stage: Stage, category: str, seed: int, index: int) -> None:
        self.stage = stage
        self.category = category
        self.seed = seed
        self.index = index
        self.shapes: Sequence[Shape] = stage.drawn()
        # labels need the picture too, for its colours; whoever keeps scenes keeps a fraction of a megabyte each
        self._maps: dict[int, NDArray[np.int32]] = {}
        self._pictures: dict[int, Image.Image] = {}

    @property
    def things(self) -> Sequence[Thing]:
        """All things, hidden ones too."""
        return self.stage.things

    def image(self, size: int = SIZE, *, without: Concept | Collection[Concept] = ()) -> Image.Image:
        """The picture, RGB, `size` × `size`.

        Args:
            size: its side in pixels.
            without: a concept, or several, that are switched off, with all else equal: objects and parts are left
                out and show what is behind them; materials and textures are painted grey, or plain, in the
                same brightness (an overexposed window is white with its glass and without); a colour's pixels lose
                their colour.

        Raises:
            ValueError: a scene category, or an achromatic colour, which cannot be switched off.
        """
        off = {without} if isinstance(without, Concept) else set(without)
        if not off:
            if size not in self._pictures:
                self._pictures[size] = paint_picture(self.stage, self._map(size), self.shapes)
            return self._pictures[size].copy()
        for concept in off:
            if concept.category == "scene" or (concept.category == COLOR and concept.name in ACHROMATIC):
                raise ValueError(f"{concept} cannot be switched off in a scene")
        shapes, numbers = self.shapes, None
        if any(concept.category in ("object", "part") for concept in off):
            shapes = [shape for shape in self.shapes if off.isdisjoint(self._holds(shape))]
            numbers = shape_map(self.stage, size, shapes)
        looks = [concept for concept in off if concept.category in ("material", "texture")]
        image = paint_picture(
            self.stage,
            self._map(size) if numbers is None else numbers,
            shapes,
            repaint=partial(_neutral, looks=looks) if looks else None,
        )
        for concept in sorted(off):
            if concept.category == COLOR:
                image = _without_color(image, concept.name)
        return image

    def labels(self, size: int = SIZE) -> NDArray[np.int32]:
        """The concept numbers of each pixel: int32 `[5, size, size]`, one layer per category of `LAYERS`."""
        tables = np.full((4, len(self.shapes) + 1), NO_LABEL, np.int32)
        for layer, words in enumerate(
            (
                [self.things[shape.thing].kind for shape in self.shapes],
                [shape.part for shape in self.shapes],
                [shape.paint.material for shape in self.shapes],
                [shape.paint.texture for shape in self.shapes],
            )
        ):
            numbers = _NUMBERS[LAYERS[layer]]
            tables[layer, 1:] = [numbers.get(word, NO_LABEL) for word in words]
        layers = np.empty((len(LAYERS), size, size), np.int32)
        np.take(tables, labels_of(self._map(size)), axis=1, out=layers[:4])
        layers[4] = color_indices(self.image(size)).astype(np.int32) + _NUMBERS[COLOR][COLOR_NAMES[0]]
        return layers

    @property
    def whole(self) -> int:
        """The number of the scene's own concept, which holds for the whole image."""
        return _NUMBERS["scene"][self.category]

    def segments(self, size: int = SIZE) -> NDArray[np.int32]:
        """Which thing is seen at each pixel: int32 `[size, size]`, its number, −1 where there is nothing."""
        things = np.array([-1, *(shape.thing for shape in self.shapes)], np.int32)
        return things[labels_of(self._map(size))]

    def seen(self) -> tuple[Seen, ...]:
        """The things that can be seen at 128 × 128, in their order."""
        shapes_seen = labels_of(self._map(SIZE))
        counts = np.bincount(shapes_seen.ravel(), minlength=len(self.shapes) + 1)
        segments = self.segments(SIZE)
        result = []
        visible = [shape for shape, count in zip(self.shapes, counts[1:], strict=True) if count]
        for thing in self.things:
            own = [shape for shape in visible if shape.thing == thing.number]
            if not own:
                continue
            rows, columns = np.nonzero(segments == thing.number)
            box = (
                columns.min() / SIZE,
                rows.min() / SIZE,
                (columns.max() + 1) / SIZE,
                (rows.max() + 1) / SIZE,
            )
            result.append(
                Seen(
                    thing,
                    len(rows),
                    (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
                    frozenset(shape.part for shape in own if shape.part),
                    frozenset(shape.paint.material for shape in own if shape.paint.material),
                    frozenset(shape.paint.texture for shape in own if shape.paint.texture),
                )
            )
        return tuple(result)

    def concepts(self, pixels: int = 1) -> frozenset[Concept]:
        """The concepts with at least so many pixels in the 128 × 128 picture, and the scene."""
        counts = np.bincount(self.labels().ravel() + 1, minlength=len(CONCEPTS) + 1)[1:]
        present = [concept for concept, count in zip(CONCEPTS, counts, strict=True) if count >= pixels]
        return frozenset(present) | {CONCEPTS[self.whole]}

    def graph(self) -> dict[str, Any]:
        """The scene graph as plain data: what can be seen, where, and what stands on what."""
        things = [
            {
                "id": seen.thing.number,
                "kind": seen.thing.kind,
                "color": seen.thing.color,
                "parts": sorted(seen.parts),
                "materials": sorted(seen.materials),
                "textures": sorted(seen.textures),
                "position": [round(seen.thing.x, 3), round(seen.thing.y, 3), round(seen.thing.z, 3)],
                "box": [round(value, 4) for value in seen.box],
                "pixels": seen.pixels,
                "on": seen.thing.on,
            }
            for seen in self.seen()
        ]
        return {"category": self.category, "seed": self.seed, "index": self.index, "things": things}

    def _map(self, size: int) -> NDArray[np.int32]:
        if size not in self._maps:
            self._maps[size] = shape_map(self.stage, size, self.shapes)
        return self._maps[size]

    def _holds(self, shape: Shape) -> set[Concept]:
        """The object and the part that a shape belongs to."""
        return {Concept(self.things[shape.thing].kind, "object"), Concept(shape.part, "part")}


def make_scene(seed: int, index: int, *, category: str | None = None) -> Scene:
    """Scene number `index` of the world `seed`.

    Args:
        seed: which world.
        index: which of its scenes, from 0.
        category: one of `words.SCENES`; drawn at random if not given.

    Raises:
        ValueError: an unknown category.
    """
    if category is not None and category not in SCENES:
        raise ValueError(f"category: expected one of {', '.join(SCENES)}, got {category!r}")
    # seeding from text goes through SHA-512, so that near seeds give unrelated scenes
    rng = random.Random(f"diorama {seed} {index}")
    drawn = SCENES[int(rng.random() * len(SCENES))]
    chosen = drawn if category is None else category
    stage = Stage(rng)
    COMPOSERS[chosen](stage)
    return Scene(stage, chosen, seed, index)


def _neutral(shape: Shape, looks: Collection[Concept]) -> Paint:
    """The shape's paint without these materials and textures, as bright as before."""
    paint = shape.paint
    for concept in looks:
        if concept.category == "texture" and paint.texture == concept.name:
            middle = mix(paint.rgb, paint.second, 0.5)
            paint = paint._replace(rgb=middle, second=middle, pattern=PLAIN)
        elif concept.category == "material" and paint.material == concept.name:
            grey = round(0.299 * paint.rgb[0] + 0.587 * paint.rgb[1] + 0.114 * paint.rgb[2])
            paint = paint._replace(rgb=(grey, grey, grey), second=(grey, grey, grey), pattern=PLAIN)
    return paint


def _without_color(image: Image.Image, name: str) -> Image.Image:
    pixels = np.array(image)
    at = color_indices(image) == COLOR_NAMES.index(name)
    grey = np.asarray(image.convert("L"))
    pixels[at] = grey[at][:, None]
    return Image.fromarray(pixels)
