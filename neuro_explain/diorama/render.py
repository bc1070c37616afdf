"""Many scenes at once, on several processors.

    images, categories = render_scenes(seed=1, indices=range(1000))

Drawing a scene takes a few milliseconds of one processor; worker processes draw blocks of scenes, and the result
does not depend on how many there are.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from neuro_explain.diorama.scene import SIZE, make_scene
from neuro_explain.diorama.words import SCENES

_BLOCK = 64

Rendered = tuple[NDArray[np.uint8], NDArray[np.int64]]


def render_scenes(seed: int, indices: Sequence[int], *, size: int = SIZE, workers: int = 2) -> Rendered:
    """The pictures of these scenes, and the numbers of their categories.

    Args:
        seed: which world.
        indices: which of its scenes.
        size: side of the pictures in pixels.
        workers: processes; 0 draws in this one.

    Returns:
        uint8 `[N, size, size, 3]`, and int64 `[N]`: indices into `words.SCENES`.
    """
    images = np.empty((len(indices), size, size, 3), np.uint8)
    categories = np.empty(len(indices), np.int64)
    place = 0
    for block, numbers in in_blocks(partial(_render_block, seed, size), indices, workers=workers):
        images[place : place + len(block)], categories[place : place + len(block)] = block, numbers
        place += len(block)
    return images, categories


def in_blocks(
    draw: Callable[[Sequence[int]], Rendered], numbers: Sequence[int], *, workers: int = 2
) -> Iterator[Rendered]:
    """What `draw` makes of the numbers, block after block in their order, drawn by several processes.

    Args:
        draw: from some numbers to pictures and labels; it must be picklable.
        numbers: all of them.
        workers: processes; 0 draws in this one.
    """
    blocks = [list(numbers[start : start + _BLOCK]) for start in range(0, len(numbers), _BLOCK)]
    if workers == 0:
        yield from map(draw, blocks)
        return
    # not plain fork: this process may have threads, whose locks a copy would inherit
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(draw, blocks)


def _render_block(seed: int, size: int, indices: Sequence[int]) -> Rendered:
    scenes = [make_scene(seed, index) for index in indices]
    images = np.stack([np.asarray(scene.image(size)) for scene in scenes])
    return images, np.array([SCENES.index(scene.category) for scene in scenes], np.int64)
