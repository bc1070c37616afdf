"""What do the shipped networks learn? The scenes of a task, and the classes that are to be told apart.

`scenes` is the plain one: every category. `biased` and `balanced` are a pair after the doctors and nurses of the
Grad-CAM paper (Sec. 6.3): two categories that can be told apart by their furniture, and a nuisance that goes with one
of them in the biased training set and with both alike in the balanced one. Where the nuisance must be absent it
is switched off, with all else equal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from dissection.concepts import Concept
from neuro_explain.diorama.render import Rendered, in_blocks, render_scenes
from neuro_explain.diorama.scene import Scene, make_scene
from neuro_explain.diorama.words import SCENES

PAIR = ("classroom", "office")
NUISANCE = Concept("plant", "object")
"""What goes with the second class of the pair in the biased set."""

_STRIDE = 64  # scenes among which one that shows the nuisance is looked for
_MIN_PIXELS = 120


@dataclass(frozen=True)
class Task:
    """Scenes with classes.

    Attributes:
        classes: their names, in the order of the scores.
        about: what the task is, in a phrase.
        render: (seed, count, workers=…) to pictures uint8 `[N, 128, 128, 3]` and labels int64 `[N]`.
    """

    classes: tuple[str, ...]
    about: str
    render: Callable[..., Rendered]


def _all_scenes(seed: int, count: int, *, workers: int = 2) -> Rendered:
    return render_scenes(seed, range(count), workers=workers)


def pair_scene(seed: int, number: int) -> Scene:
    """A scene of the pair, of the class `number % 2`, that shows the nuisance.

    Raises:
        RuntimeError: no scene in reach shows it.
    """
    for index in range(number * _STRIDE, (number + 1) * _STRIDE):
        scene = make_scene(seed, index, category=PAIR[number % 2])
        if NUISANCE in scene.concepts(_MIN_PIXELS):
            return scene
    raise RuntimeError(f"none of {_STRIDE} scenes of {PAIR[number % 2]} shows {NUISANCE}")


def shows_nuisance(number: int, *, biased: bool) -> bool:
    """Whether scene `number` of the pair keeps its nuisance: by its class, or in half of each class."""
    return number % 2 == 1 if biased else number // 2 % 2 == 1


def _pair_block(seed: int, biased: bool, numbers: Sequence[int]) -> Rendered:
    images = [
        np.asarray(
            pair_scene(seed, number).image(
                without=None if shows_nuisance(number, biased=biased) else NUISANCE
            )
        )
        for number in numbers
    ]
    return np.stack(images), np.array([number % 2 for number in numbers], np.int64)


def _pair(seed: int, count: int, *, biased: bool, workers: int = 2) -> Rendered:
    blocks = list(in_blocks(partial(_pair_block, seed, biased), range(count), workers=workers))
    return np.concatenate([images for images, _ in blocks]), np.concatenate([labels for _, labels in blocks])


TASKS: dict[str, Task] = {
    "scenes": Task(SCENES, f"{len(SCENES)} categories of drawn scenes", _all_scenes),
    "biased": Task(
        PAIR, f"{' or '.join(PAIR)}, {NUISANCE.name}s only with the second", partial(_pair, biased=True)
    ),
    "balanced": Task(
        PAIR, f"{' or '.join(PAIR)}, {NUISANCE.name}s with both alike", partial(_pair, biased=False)
    ),
}
