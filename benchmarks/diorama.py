"""How fast is the diorama drawn? Images per second, with worker processes and without.

    python -m benchmarks.diorama

The processes' start is left out: a first, small round starts them and draws the patterns' tiles. Aim: 400 images/s on
two cores with workers.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from functools import partial

from neuro_explain.diorama.render import BLOCK, in_blocks
from neuro_explain.diorama.scene import SIZE, make_scene


def drawn(size: int, indices: Sequence[int]) -> int:
    """Draws some scenes and hands back only their number: what is measured is the drawing."""
    for index in indices:
        scene = make_scene(1, index)
        scene.image(size)
    return len(indices)


def rates(workers: int, count: int, size: int, rounds: int) -> list[float]:
    """Images per second of each round, the start left out."""
    found = []
    first = 2 * max(workers, 1) * BLOCK
    blocks = in_blocks(partial(drawn, size), range(first + rounds * count), workers=workers)
    while first > 0:
        first -= next(blocks)
    for _ in range(rounds):
        start, done = time.perf_counter(), 0
        while done < count:
            done += next(blocks)
        found.append(done / (time.perf_counter() - start))
    return found


def main() -> None:
    """Prints the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1024, help="images per round")
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for workers in (0, options.workers):
        found = rates(workers, options.count, options.size, options.rounds)
        print(
            f"{workers or 'no'} workers: {statistics.median(found):.0f} images/s of {options.size} × {options.size} "
            f"({min(found):.0f} to {max(found):.0f})"
        )


if __name__ == "__main__":
    main()
