"""What lies flat on the ground: sidewalk, marks on the road, crosswalk, mats and paths."""

from __future__ import annotations

from neuro_explain.diorama.paint import Paint
from neuro_explain.diorama.stage import Stage, Thing


def _slab(
    thing: Thing, x0: float, x1: float, near: float, far: float, paint: Paint, shade: float = 1.0
) -> None:
    """A rectangle on the ground between two x and two distances from the camera, in metres."""
    u0, u1, w0, w1 = x0 - thing.x, x1 - thing.x, near - thing.z, far - thing.z
    thing.face([(u0, 0, w0), (u1, 0, w0), (u1, 0, w1), (u0, 0, w1)], paint, shade=shade)


def sidewalk(stage: Stage, x0: float, x1: float, near: float, far: float, *, kerb: str) -> Thing:
    """Paving between two x and two distances; its `kerb` is at "near", "far" or "x0"."""
    paint = stage.paint(stage.rng.choice(("concrete", "stone", "tile")), color="grey")
    stone = stage.paint("stone", color=stage.rng.choice(("white", "grey")), plain=True)
    thing = stage.thing("sidewalk", z=max(near, 3.0), color="grey", behind=True, flat=True)
    _slab(thing, x0, x1, near, far, paint, 1.15)
    if kerb == "x0":
        _slab(thing, x0 - 0.08, x0 + 0.08, near, far, stone)
    else:
        edge = near if kerb == "near" else far
        _slab(thing, x0, x1, edge - 0.08, edge + 0.12, stone)
    return thing


def road_marks(stage: Stage, dashes: list[tuple[float, float, float, float]]) -> Thing:
    """White marks on the road: x, z, width and depth of each, in metres."""
    white = stage.paint("asphalt", color="white", plain=True)
    road = stage.thing("road", z=5.0, color="white", behind=True, flat=True)
    for x, z, wide, deep in dashes:
        _slab(road, x - wide / 2, x + wide / 2, z, z + deep, white)
    return road


def crosswalk(stage: Stage, x: float, z: float, *, wide: float, deep: float, along: bool) -> Thing:
    """White bars across a road, from z away; `along`: the bars lie side by side in x instead of in z."""
    road, white = stage.paint("asphalt", color="black"), stage.paint("asphalt", color="white", plain=True)
    thing = stage.thing("crosswalk", x=x, z=z, color="white", behind=True, flat=True)
    left = x - wide / 2
    _slab(thing, left, left + wide, z, z + deep, road)
    count = max(int(wide / 0.6), 3) if along else 4
    for k in range(count):
        start, end = (k + 0.2) / count, (k + 0.8) / count
        if along:
            _slab(thing, left + start * wide, left + end * wide, z + 0.08, z + deep - 0.08, white, 1.05)
        else:
            _slab(thing, left, left + wide, z + start * deep, z + end * deep, white, 1.05)
    return thing


def mat(stage: Stage, kind: str, paint: Paint, *, near: float, far: float) -> Thing:
    """Ground of another make right across the picture: a "play mat", a "path"."""
    thing = stage.thing(kind, z=4.0, color=paint.color, behind=True, flat=True)
    _slab(thing, -far, far, near, far, paint)
    return thing
