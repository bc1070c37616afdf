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
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dissection.concepts import NO_LABEL, Concept
from dissection.readers.colors import CATEGORY as COLOR
from dissection.readers.colors import NAMES as COLOR_NAMES
from dissection.readers.colors import color_indices
from neuro_explain.diorama.paint import Paint, mix
from neuro_explain.diorama.picture import labels_of, paint_picture, shape_map
from neuro_explain.diorama.scenes import COMPOSERS
from neuro_explain.diorama.stage import Shape, Stage, Thing
from neuro_explain.diorama.words import CONCEPTS, SCENES

SIZE = 128
"""The side at which scenes are rendered unless something else is asked for, and at which their labels are native."""

LAYERS = ("object", "part", "material", "texture", COLOR)
"""The categories with a label per pixel, in the order of the label layers; the scene is a whole-image label."""

_NUMBER = {concept: number for number, concept in enumerate(CONCEPTS)}


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
        self._maps: dict[int, NDArray[np.int32]] = {}

    @property
    def things(self) -> Sequence[Thing]:
        """All things, hidden ones too."""
        return self.stage.things

    def image(self, size: int = SIZE, *, without: Concept | None = None) -> Image.Image:
        """The picture, RGB, `size` × `size`.

        Args:
            size: its side in pixels.
            without: a concept that is switched off, with all else equal: objects and parts are left out and
                show what is behind them; materials and textures are painted grey, or plain, in the same
                brightness; a colour's pixels lose their colour.

        Raises:
            ValueError: a scene category, or an achromatic colour, which cannot be switched off.
        """
        if without is None:
            return paint_picture(self.stage, self._map(size), self.shapes)
        if without.category in ("object", "part"):
            kept = [shape for shape in self.shapes if not self._shows(shape, without)]
            return paint_picture(self.stage, shape_map(self.stage, size, kept), kept)
        if without.category in ("material", "texture"):
            return paint_picture(
                self.stage, self._map(size), self.shapes, repaint=lambda shape: _neutral(shape.paint, without)
            )
        if without.category == COLOR and without.name not in ("black", "grey", "white"):
            return _without_color(self.image(size), without.name)
        raise ValueError(f"{without} cannot be switched off in a scene")

    def labels(self, size: int = SIZE) -> NDArray[np.int32]:
        """The concept numbers of each pixel: int32 `[5, size, size]`, one layer per category of `LAYERS`."""
        seen = labels_of(self._map(size))
        tables = np.full((4, len(self.shapes) + 1), NO_LABEL, np.int32)
        for place, shape in enumerate(self.shapes, 1):
            tables[0, place] = _NUMBER[Concept(self.things[shape.thing].kind, "object")]
            if shape.part:
                tables[1, place] = _NUMBER[Concept(shape.part, "part")]
            if shape.paint.material:
                tables[2, place] = _NUMBER[Concept(shape.paint.material, "material")]
            if shape.paint.texture:
                tables[3, place] = _NUMBER[Concept(shape.paint.texture, "texture")]
        first = _NUMBER[Concept(COLOR_NAMES[0], COLOR)]
        colors = color_indices(self.image(size)).astype(np.int32) + first
        return np.concatenate([tables[:, seen], colors[None]])

    @property
    def whole(self) -> int:
        """The number of the scene's own concept, which holds for the whole image."""
        return _NUMBER[Concept(self.category, "scene")]

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

    def _shows(self, shape: Shape, concept: Concept) -> bool:
        if concept.category == "part":
            return shape.part == concept.name
        return self.things[shape.thing].kind == concept.name


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


def _neutral(paint: Paint, concept: Concept) -> Paint:
    """The paint without this material or texture, as bright as before."""
    if concept.category == "texture":
        if paint.texture != concept.name:
            return paint
        middle = mix(paint.rgb, paint.second, 0.5)
        return paint._replace(rgb=middle, second=middle, pattern="plain")
    if paint.material != concept.name:
        return paint
    grey = round(0.299 * paint.rgb[0] + 0.587 * paint.rgb[1] + 0.114 * paint.rgb[2])
    return paint._replace(rgb=(grey, grey, grey), second=(grey, grey, grey), pattern="plain")


def _without_color(image: Image.Image, name: str) -> Image.Image:
    pixels = np.array(image)
    at = color_indices(image) == COLOR_NAMES.index(name)
    grey = np.asarray(image.convert("L"))
    pixels[at] = grey[at][:, None]
    return Image.fromarray(pixels)


@lru_cache(maxsize=64)
def cached_scene(seed: int, index: int) -> Scene:
    """`make_scene`, remembered for a while: image and labels are asked for one after the other."""
    return make_scene(seed, index)
