"""Where is there room left? Places along a room's back wall, on the wall above, and on its floor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from neuro_explain.diorama.objects.backdrops import Room
from neuro_explain.diorama.stage import Stage

Put = Callable[[float], object]
"""Draws something at this place along the wall."""


class Layout:
    """The free places of a room, used up as things are put there.

    Args:
        stage: gives the random numbers and the camera.
        room: the room to furnish.
    """

    def __init__(self, stage: Stage, room: Room) -> None:
        self._stage = stage
        self._room = room
        # what is taken of the wall: from, to, up to which height, from which height
        self._wall: list[tuple[float, float, float, float]] = []
        # what is taken of the view by things on the floor: from, to, in shares of the frame
        self._view: list[tuple[float, float]] = []

    def along_wall(self, items: Sequence[tuple[float, float, Put]]) -> None:
        """Puts things along the back wall in random order, as many as fit, with random gaps.

        Args:
            items: width and height in metres, and what draws it at a given x.
        """
        rng, half = self._stage.rng, self._room.wide - 0.1
        waiting, chosen, used = rng.sample(items, len(items)), [], 0.0
        for item in waiting:
            if used + item[0] <= 2 * half:
                chosen.append(item)
                used += item[0]
        cuts = sorted(rng.uniform(0, 2 * half - used) for _ in chosen)
        x, before = -half, 0.0
        for (wide, high, put), cut in zip(chosen, cuts, strict=True):
            x += cut - before
            before = cut
            self._wall.append((x, x + wide, 0.0, high))
            put(x + wide / 2)
            x += wide

    def on_wall(self, wide: float, low: float, put: Put, *, high: float = 3.0) -> bool:
        """Puts a thing on the back wall, beside and above what stands there.

        Args:
            wide: the width that it needs.
            low, high: the heights in metres between which it hangs.
            put: draws it at a given x.

        Returns:
            Whether a free place was found.
        """
        half = self._room.wide - wide / 2 - 0.05
        if half <= 0:
            return False
        for _ in range(24):
            x = self._stage.rng.uniform(-half, half)
            x0, x1 = x - wide / 2, x + wide / 2
            if all(x1 <= a or x0 >= b or low >= top or high <= bottom for a, b, bottom, top in self._wall):
                self._wall.append((x0 - 0.06, x1 + 0.06, low, high))
                put(x)
                return True
        return False

    def on_wall_at(self, x: float, wide: float, low: float, put: Put) -> None:
        """Puts a thing on the wall at this very x, above what stands there."""
        self._wall.append((x - wide / 2, x + wide / 2, low, 3.0))
        put(x)

    def on_floor(self, wide: float, *, near: float = 2.7, far: float = 3.9) -> tuple[float, float] | None:
        """A free place (x, z) on the floor before the wall, hiding others there only a little; None if full."""
        rng, camera = self._stage.rng, self._stage.camera
        for _ in range(40):
            z = rng.uniform(near, far)
            share = wide * camera.focal / z / 2
            if share > 0.44:
                continue
            middle = rng.uniform(0.04 + share, 0.96 - share)
            x = camera.x_at(middle - 0.5, z)
            if abs(x) + wide / 2 > self._room.wide - 0.05:
                continue
            start, end = middle - share, middle + share
            if all(end <= a or start >= b for a, b in self._view):
                edge = 0.2 * (end - start)  # things may hide each other a little
                self._view.append((start + edge, end - edge))
                return x, z
        return None


def some(stage: Stage, names: Sequence[str], *, share: float = 0.78, least: int = 4) -> frozenset[str]:
    """A random subset: each name with probability `share`, but at least so many."""
    order = stage.rng.sample(names, len(names))
    kept = [name for name in order if stage.rng.random() < share]
    missing = [name for name in order if name not in kept]
    return frozenset(kept + missing[: max(least - len(kept), 0)])
