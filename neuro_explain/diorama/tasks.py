"""What do the shipped networks learn? The scenes of a task, and the classes that are to be told apart.

`scenes` is the plain one: every category. `biased` and `balanced` are a pair after the doctors and nurses of the
Grad-CAM paper (Sec. 6.3): two categories and a nuisance, which goes with one of them in the biased training set and
with both alike in the balanced one; in `opposite`, the counterexamples, it goes with the other one. Of what tells the
categories apart half of the scenes keep one kind, the others none, so that the nuisance is the easier way. What must be
absent is switched off, with all else equal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from dissection.concepts import Concept
from neuro_explain.diorama.render import Rendered, in_blocks, join, kinds_in_cells, render_scenes
from neuro_explain.diorama.scene import Scene, make_scene
from neuro_explain.diorama.words import SCENES

PAIR = ("classroom", "office")
TELLING = (
    ("abacus", "backpack", "blackboard", "chair", "flag", "globe", "lectern", "map"),
    ("bin", "keyboard", "lamp", "monitor", "printer", "swivel chair", "telephone", "whiteboard"),
)
"""Kinds of object that tell the two categories apart."""

NUISANCE = Concept("plant", "object")
"""What goes with the second class of the pair in the biased set."""

Nuisance = Literal["second", "both", "first"]
"""With which class of the pair the nuisance goes."""

_STRIDE = 64  # scenes among which one that shows the nuisance is looked for
_MIN_PIXELS = 120


@dataclass(frozen=True)
class Task:
    """Scenes with classes.

    Attributes:
        classes: their names, in the order of the scores.
        about: what the task is, in a phrase.
        render: (seed, count, workers=…) to `Rendered` scenes, whose labels are indices into `classes`.
    """

    classes: tuple[str, ...]
    about: str
    render: Callable[..., Rendered]


def _all_scenes(seed: int, count: int, *, workers: int = 2) -> Rendered:
    return render_scenes(seed, range(count), workers=workers)


def pair_scene(seed: int, number: int) -> tuple[Scene, frozenset[Concept]]:
    """A scene of the pair, of the class `number % 2`, and what of it is switched off, besides perhaps the nuisance.

    The scene shows the nuisance, and at least one kind that tells its class; every second pair of scenes keeps one of
    those, the others none.

    Raises:
        RuntimeError: no scene in reach is so.
    """
    for index in range(number * _STRIDE, (number + 1) * _STRIDE):
        scene = make_scene(seed, index, category=PAIR[number % 2])
        seen = scene.concepts(_MIN_PIXELS)
        telling = [Concept(kind, "object") for kind in TELLING[number % 2]]
        shown = [concept for concept in telling if concept in seen]
        if NUISANCE in seen and shown:
            kept = {shown[number // 8 % len(shown)]} if number // 4 % 2 else set()
            return scene, frozenset(telling) - kept
    raise RuntimeError(f"none of {_STRIDE} scenes of {PAIR[number % 2]} shows {NUISANCE}")


def shows_nuisance(number: int, where: Nuisance) -> bool:
    """Whether scene `number` of the pair keeps its nuisance: by its class, or in half of each class."""
    return number // 2 % 2 == 1 if where == "both" else number % 2 == (1 if where == "second" else 0)


def _pair_block(seed: int, where: Nuisance, numbers: Sequence[int]) -> Rendered:
    pairs = [pair_scene(seed, number) for number in numbers]
    images = [
        scene.image(without=off if shows_nuisance(number, where) else {*off, NUISANCE})
        for number, (scene, off) in zip(numbers, pairs, strict=True)
    ]
    return Rendered(
        np.stack([np.asarray(image) for image in images]),
        np.array([number % 2 for number in numbers], np.int64),
        np.stack([kinds_in_cells(scene) for scene, _ in pairs]),
    )


def _pair(seed: int, count: int, *, where: Nuisance, workers: int = 2) -> Rendered:
    return join(in_blocks(partial(_pair_block, seed, where), range(count), workers=workers), count)


TASKS: dict[str, Task] = {
    "scenes": Task(SCENES, f"{len(SCENES)} categories of drawn scenes", _all_scenes),
    "biased": Task(
        PAIR, f"{' or '.join(PAIR)}, {NUISANCE.name}s only with the second", partial(_pair, where="second")
    ),
    "balanced": Task(
        PAIR, f"{' or '.join(PAIR)}, {NUISANCE.name}s with both alike", partial(_pair, where="both")
    ),
    "opposite": Task(
        PAIR, f"{' or '.join(PAIR)}, {NUISANCE.name}s only with the first", partial(_pair, where="first")
    ),
}
