"""Scenes of every category, and what can be counted on their pixels, for tests of the words about them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from neuro_explain.diorama.scene import Scene, make_scene
from neuro_explain.diorama.scenes import COMPOSERS

SEED = 3
Box = tuple[float, float, float, float]


@lru_cache(maxsize=1)
def some_scenes(least: int = 150) -> tuple[Scene, ...]:
    """At least so many scenes, as many of each category."""
    each = -(-least // len(COMPOSERS))
    return tuple(make_scene(SEED, index, category=name) for name in COMPOSERS for index in range(each))


@lru_cache(maxsize=200)
def segments_of(scene: Scene) -> np.ndarray:
    return scene.segments()


@lru_cache(maxsize=200)
def labels_of(scene: Scene) -> np.ndarray:
    return scene.labels()


def pixels_of(scene: Scene, things: Iterable[int]) -> np.ndarray:
    """bool `[128, 128]`: where one of the things is seen."""
    return np.isin(segments_of(scene), list(things))


def sizes_of(scene: Scene, kind: str) -> list[int]:
    """How many pixels show each thing of a kind; the hidden ones are left out."""
    segments = segments_of(scene)
    sizes = [int((segments == thing.number).sum()) for thing in scene.things if thing.kind == kind]
    return [size for size in sizes if size]


def seen_kinds(scene: Scene) -> set[str]:
    """The kinds of which at least one pixel is seen."""
    return {scene.things[number].kind for number in np.unique(segments_of(scene)) if number >= 0}


def box_of(scene: Scene, things: Iterable[int]) -> Box:
    """The smallest box around the pixels of some things, or the whole frame for no things at all."""
    numbers = list(things)
    if not numbers:
        return (0.0, 0.0, 1.0, 1.0)
    where = np.argwhere(pixels_of(scene, numbers))
    (top, left), (bottom, right) = where.min(axis=0), where.max(axis=0) + 1
    return (left / 128, top / 128, right / 128, bottom / 128)
