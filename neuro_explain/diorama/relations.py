"""How do two visible things of a scene lie to each other? On, next to, in front of, left of.

Sides are those of the picture, which may be mirrored, so they come from the visible boxes; what stands on what
and what is nearer comes from the stage.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from neuro_explain.diorama.looks import Look, look_at
from neuro_explain.diorama.scene import Scene
from neuro_explain.diorama.words import MASSES

Place = Literal["on", "next to", "in front of", "left of"]

# Next to: a small gap in the picture (a twelfth of the frame) and about the same distance from the camera.
_GAP, _SAME_DEPTH = 0.08, 0.8
_NEARER = 0.4  # metres by which what is in front must be nearer
_STANDS = 0.3  # metres above the ground up to which a thing stands on it


class Relation(NamedTuple):
    """The first thing is `place` the second: "lamp" "on" "table"."""

    place: Place
    first: Look
    second: Look


def relations(scene: Scene) -> tuple[Relation, ...]:
    """All relations between clearly visible things; between countable, free-standing ones except for "on"."""
    looks = [look for look in look_at(scene).things.values() if look.clear]
    found = [
        Relation("on", look, other)
        for look in looks
        for other in looks
        if scene.things[look.things[0]].on == other.things[0]
    ]
    apart = [
        look
        for look in looks
        if look.kind not in MASSES and not math.isinf(scene.things[look.things[0]].order)
    ]
    for look in apart:
        for other in apart:
            if look is not other:
                found += [Relation(place, look, other) for place in _places(scene, look, other)]
    return tuple(found)


def is_left(first: Look, second: Look) -> bool:
    """Whether all of the first is left of all of the second."""
    return first.box[2] <= second.box[0]


def _places(scene: Scene, look: Look, other: Look) -> list[Place]:
    one, two = scene.things[look.things[0]], scene.things[other.things[0]]
    if one.on == two.number or two.on == one.number:
        return []
    found: list[Place] = []
    (left, top, right, bottom), (other_left, other_top, other_right, other_bottom) = look.box, other.box
    side_by_side = min(bottom, other_bottom) > max(top, other_top)
    if side_by_side and is_left(look, other):
        found.append("left of")
    gap = max(left, other_left) - min(right, other_right)
    if one.on == two.on and side_by_side and 0 <= gap <= _GAP and abs(one.z - two.z) <= _SAME_DEPTH:
        found.append("next to")
    grounded = one.on == two.on == -1 and max(one.y, two.y) <= _STANDS
    narrower = min(right - left, other_right - other_left)
    if grounded and one.z + _NEARER < two.z and -gap >= narrower / 2 and bottom > other_bottom:
        found.append("in front of")
    return found
