"""Many scenes at once, on several processors.

    rendered = render_scenes(seed=1, indices=range(1000))
    rendered.images, rendered.labels

Drawing a scene takes a few milliseconds of one processor; worker processes draw blocks of scenes, and the result
does not depend on how many there are.
"""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from neuro_explain.diorama.scene import SIZE, Scene, make_scene
from neuro_explain.diorama.words import KINDS, SCENES

BLOCK = 64
"""Scenes that a process draws in one go."""

Block = TypeVar("Block")

CELLS = 8
"""Cells of the networks' maps in each direction."""

KIND_NAMES = tuple(sorted(KINDS))
_NUMBER = {kind: number for number, kind in enumerate(KIND_NAMES)}


class Rendered(NamedTuple):
    """Pictures of N scenes with what is known of them.

    Attributes:
        images: uint8 `[N, size, size, 3]`.
        labels: int64 `[N]`: the number of each scene's class.
        cells: float16 `[N, K, 8, 8]`: the share of each cell that shows each of the kinds `KIND_NAMES`.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    cells: NDArray[np.float16]


def render_scenes(seed: int, indices: Sequence[int], *, size: int = SIZE, workers: int = 2) -> Rendered:
    """The pictures of these scenes; their labels are indices into `words.SCENES`.

    Args:
        seed: which world.
        indices: which of its scenes.
        size: side of the pictures in pixels.
        workers: processes; 0 draws in this one.
    """
    return join(in_blocks(partial(_render_block, seed, size), indices, workers=workers), len(indices))


def join(blocks: Iterator[Rendered], count: int) -> Rendered:
    """Blocks of `count` scenes as one, without holding two copies of everything."""
    whole: Rendered | None = None
    place = 0
    for block in blocks:
        if whole is None:
            whole = Rendered(
                np.empty((count, *block.images.shape[1:]), np.uint8),
                np.empty(count, np.int64),
                np.empty((count, *block.cells.shape[1:]), np.float16),
            )
        end = place + len(block.labels)
        whole.images[place:end], whole.labels[place:end], whole.cells[place:end] = block
        place = end
    if whole is None:
        raise ValueError(f"{count} scenes: expected at least one")
    return whole


def in_blocks(
    draw: Callable[[Sequence[int]], Block], numbers: Sequence[int], *, workers: int = 2
) -> Iterator[Block]:
    """What `draw` makes of the numbers, block after block in their order, drawn by several processes.

    Args:
        draw: from some numbers to what is wanted of their scenes; it must be picklable.
        numbers: all of them.
        workers: processes; 0 draws in this one.
    """
    blocks = [list(numbers[start : start + BLOCK]) for start in range(0, len(numbers), BLOCK)]
    if workers == 0:
        yield from map(draw, blocks)
        return
    # not plain fork: this process may have threads, whose locks a copy would inherit
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_collect_seldom) as pool:
        yield from pool.map(draw, blocks)


def _collect_seldom() -> None:
    """Scenes are many small objects that live shortly: looking for garbage all the time takes a tenth of the work."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def kinds_in_cells(scene: Scene) -> NDArray[np.float16]:
    """The share of each cell that shows each kind: float16 `[K, 8, 8]`."""
    kinds = np.array([len(KIND_NAMES), *(_NUMBER[thing.kind] for thing in scene.things)])
    rows = np.arange(SIZE) * CELLS // SIZE
    cell = rows[:, None] * CELLS + rows[None]
    counts = np.bincount(
        (kinds[scene.segments() + 1] * CELLS**2 + cell).ravel(), minlength=(len(KIND_NAMES) + 1) * CELLS**2
    )
    shares = counts[: len(KIND_NAMES) * CELLS**2].reshape(len(KIND_NAMES), CELLS, CELLS)
    return (shares / (SIZE // CELLS) ** 2).astype(np.float16)


def _render_block(seed: int, size: int, indices: Sequence[int]) -> Rendered:
    scenes = [make_scene(seed, index) for index in indices]
    return Rendered(
        np.stack([np.asarray(scene.image(size)) for scene in scenes]),
        np.array([SCENES.index(scene.category) for scene in scenes], np.int64),
        np.stack([kinds_in_cells(scene) for scene in scenes]),
    )
