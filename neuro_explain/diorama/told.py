"""Many scenes with what is said of them, on several processors.

    told = tell_scenes(seed=1, indices=range(1000))
    told.images, told.captions[0], told.questions[0]

For training and measuring networks that speak. What is drawn and said does not depend on the number of processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuro_explain.diorama.captions import Caption, captions
from neuro_explain.diorama.looks import CLEAR
from neuro_explain.diorama.questions import Question, questions
from neuro_explain.diorama.render import in_blocks
from neuro_explain.diorama.scene import SIZE, Scene, make_scene
from neuro_explain.diorama.words import CONCEPTS, MASSES

CELLS = 16
"""Cells of the speaking networks' maps in each direction."""

SEEN = tuple(c for c in CONCEPTS if c.category in ("object", "material", "texture", "color"))
"""What a cell can show."""

CENTRE = len(SEEN)
"""The row of `Told.cells` behind those of `SEEN`: the middle of a countable, clearly visible thing."""

_COVERED = 0.25  # of a cell
_LAYERS = (0, 2, 3, 4)  # of a scene's labels: objects, materials, textures, colours


class Told(NamedTuple):
    """N scenes with what is said of them.

    Attributes:
        images: uint8 `[N, 128, 128, 3]`.
        cells: uint8 `[N, S + 1, 32]`: for each of `SEEN` and the centre one bit per cell, 16 × 16 of them: whether it
            covers a quarter of the cell or more.
        captions: of each scene.
        questions: about each scene, none twice.
    """

    images: NDArray[np.uint8]
    cells: NDArray[np.uint8]
    captions: list[tuple[Caption, ...]]
    questions: list[tuple[Question, ...]]


def tell_scenes(seed: int, indices: Sequence[int], *, draws: int = 1, workers: int = 2) -> Told:
    """These scenes with their captions and questions.

    Args:
        seed: which world.
        indices: which of its scenes, at least one.
        draws: how many draws of questions about each.
        workers: processes; 0 draws in this one.
    """
    blocks = list(in_blocks(partial(_tell_block, seed, draws), indices, workers=workers))
    return Told(
        np.concatenate([block.images for block in blocks]),
        np.concatenate([block.cells for block in blocks]),
        [said for block in blocks for said in block.captions],
        [asked for block in blocks for asked in block.questions],
    )


def unpacked(cells: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """`Told.cells` as bool `[N, S + 1, 16, 16]`."""
    bits = np.unpackbits(cells, axis=-1).view(np.bool_)
    return bits.reshape(*cells.shape[:-1], CELLS, CELLS)


def _tell_block(seed: int, draws: int, indices: Sequence[int]) -> Told:
    scenes = [make_scene(seed, index) for index in indices]
    return Told(
        np.stack([np.asarray(scene.image()) for scene in scenes]),
        np.stack([np.packbits(shown_in_cells(scene).reshape(CENTRE + 1, -1), axis=-1) for scene in scenes]),
        [captions(scene) for scene in scenes],
        [_asked(scene, draws) for scene in scenes],
    )


def _asked(scene: Scene, draws: int) -> tuple[Question, ...]:
    every = (one for draw in range(draws) for one in questions(scene, draw=draw))
    return tuple({one.text: one for one in every}.values())


def shown_in_cells(scene: Scene) -> NDArray[np.bool_]:
    """What each cell shows: bool `[S + 1, 16, 16]`, see `Told.cells`."""
    rows = np.arange(SIZE) * CELLS // SIZE
    cell = rows[:, None] * CELLS + rows[None]
    counts = np.zeros((len(CONCEPTS) + 1) * CELLS**2, np.int64)
    labels = scene.labels()
    for layer in _LAYERS:
        counts += np.bincount(((labels[layer] + 1) * CELLS**2 + cell).ravel(), minlength=len(counts))
    of = {concept: number for number, concept in enumerate(CONCEPTS)}
    shares = counts.reshape(-1, CELLS, CELLS)[1:][[of[concept] for concept in SEEN]] * (CELLS / SIZE) ** 2
    shown = np.zeros((CENTRE + 1, CELLS, CELLS), np.bool_)
    shown[:CENTRE] = shares >= _COVERED
    for seen in scene.seen():
        if seen.thing.kind not in MASSES and seen.pixels >= CLEAR:
            left, top, right, bottom = seen.box
            shown[CENTRE, int((top + bottom) / 2 * CELLS), int((left + right) / 2 * CELLS)] = True
    return shown
