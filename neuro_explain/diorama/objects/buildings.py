"""Houses of a town: seen from the front across a street, or from the side along it."""

from __future__ import annotations

from neuro_explain.diorama.paint import Paint
from neuro_explain.diorama.stage import Stage, Thing

STOREY = 2.3
"""The height of a storey in metres."""


def _wall(stage: Stage) -> Paint:
    return stage.paint(
        stage.rng.choice(("brick", "brick", "plaster", "plaster", "plaster", "concrete", "stone"))
    )


def _awning(stage: Stage) -> Paint:
    color = stage.rng.choice(("red", "blue", "green", "orange", "yellow", "purple"))
    return stage.paint("fabric", color=color, texture=stage.rng.choice(("striped", "striped", "")))


def building(stage: Stage, x: float, z: float, *, wide: float = 4.0, floors: int = 2) -> Thing:
    """A house seen from the front, with a door and rows of windows, perhaps a shop with an awning."""
    rng = stage.rng
    wall = _wall(stage)
    glass = stage.paint("glass", color=rng.choice(("blue", "grey", "white", "yellow")))
    frame = stage.paint("wood", color=rng.choice(("white", "white", "brown", "black")), plain=True)
    thing = stage.thing("building", x=x, z=z, color=wall.color, behind=True)
    half, high = wide / 2, STOREY * floors + 0.4
    thing.box(-half, 0.0, half, high, 4.0, wall)
    _roof(stage, thing, half, high)
    count = max(int(wide / 1.5), 2)
    step = wide / count
    shop = stage.chance(0.55)
    for floor in range(1 if shop else 0, floors):
        for k in range(count):
            if floor == 0 and k == 0:
                continue  # the door is there
            u, v = -half + (k + 0.5) * step, STOREY * floor + 0.75
            thing.rect(u - 0.5, v - 0.1, u + 0.5, v + 1.3, frame, part="frame")
            thing.rect(u - 0.4, v, u + 0.4, v + 1.2, glass, part="window pane")
            thing.line([(u, v), (u, v + 1.2)], 0.07, frame, part="frame")
    door = stage.paint("wood", color=rng.choice(("red", "blue", "green", "brown", "black")))
    u = -half + 0.5 * step
    thing.rect(u - 0.5, 0, u + 0.5, 1.95, frame, part="frame", shade=0.9)
    thing.rect(u - 0.4, 0, u + 0.4, 1.85, door, part="door")
    thing.disc(u + 0.25, 0.9, 0.07, stage.paint("metal", color="yellow", plain=True), part="door handle")
    if shop:
        left, right = -half + step, half - 0.25
        thing.rect(left - 0.05, 0.4, right + 0.05, 1.75, frame, part="frame", shade=0.85)
        thing.rect(left + 0.05, 0.5, right - 0.05, 1.7, glass, part="window pane", shade=0.95)
        thing.face(
            [
                (left - 0.1, 2.2, 0.0),
                (right + 0.1, 2.2, 0.0),
                (right + 0.2, 1.6, -0.6),
                (left - 0.2, 1.6, -0.6),
            ],
            _awning(stage),
            part="awning",
        )
    return thing


def _roof(stage: Stage, thing: Thing, half: float, high: float) -> None:
    """A gable with a chimney, a sloping roof, or a flat one with its edge."""
    rng = stage.rng
    style = rng.choice(("gable", "slope", "flat", "flat"))
    tiles = stage.paint("tile", color=rng.choice(("red", "brown", "grey", "black")))
    if style == "flat":
        thing.rect(
            -half - 0.12,
            high - 0.2,
            half + 0.12,
            high + 0.12,
            stage.paint("concrete", plain=True),
            part="roof",
            w=-0.1,
        )
        return
    if stage.chance(0.6):
        u = rng.choice((-0.5, 0.4)) * half
        thing.rect(u, high, u + 0.5, high + 1.5, stage.paint("brick"), part="chimney")
    inset = half * (1.0 if style == "gable" else 0.25)
    up = min(half * 0.6, 1.3)
    thing.poly(
        [(-half - 0.2, high), (half + 0.2, high), (half - inset, high + up), (inset - half, high + up)],
        tiles,
        part="roof",
        w=-0.1,
    )


def side_building(
    stage: Stage, x: float, z: float, *, side: int, long: float = 5.0, floors: int = 2
) -> Thing:
    """A house along a street: its wall at x runs from z away from the camera; it lies to the `side` (−1, 1)."""
    rng = stage.rng
    wall = _wall(stage)
    glass = stage.paint("glass", color=rng.choice(("blue", "grey", "white", "yellow")), plain=True)
    thing = stage.thing("building", x=x, z=z, color=wall.color, behind=True)
    high = STOREY * floors + 0.4
    light = 0.82 if side < 0 else 0.92
    thing.rect(min(0, side * 6.0), 0, max(0, side * 6.0), high, wall, shade=0.72)
    thing.face([(0, 0, 0), (0, high, 0), (0, high, long), (0, 0, long)], wall, shade=light)
    edge = stage.paint("concrete", plain=True)
    thing.face(
        [
            (0, high - 0.25, 0),
            (-side * 0.1, high + 0.1, 0),
            (-side * 0.1, high + 0.1, long),
            (0, high - 0.25, long),
        ],
        edge,
        part="roof",
    )
    count = max(int(long / 1.7), 2) if z < 14 else 2  # far off, more cannot be seen
    step = long / count
    shop = stage.chance(0.6)
    for floor in range(floors):
        for k in range(count):
            near, far, low = (k + 0.22) * step, (k + 0.78) * step, STOREY * floor + 0.75
            if floor == 0 and (shop or k == 0):
                continue
            thing.face(
                [(0, low, near), (0, low + 1.25, near), (0, low + 1.25, far), (0, low, far)],
                glass,
                part="window pane",
                shade=light,
            )
    door = stage.paint("wood", color=rng.choice(("red", "blue", "green", "brown", "black")), plain=True)
    thing.face(
        [(0, 0, 0.2 * step), (0, 1.9, 0.2 * step), (0, 1.9, 0.8 * step), (0, 0, 0.8 * step)],
        door,
        part="door",
        shade=light,
    )
    if shop:
        thing.face(
            [(0, 0.45, step), (0, 1.75, step), (0, 1.75, long - 0.3), (0, 0.45, long - 0.3)],
            glass,
            part="window pane",
            shade=light,
        )
        out = -side * 0.7
        thing.face(
            [(0, 2.3, step), (out, 1.75, step), (out, 1.75, long - 0.2), (0, 2.3, long - 0.2)],
            _awning(stage),
            part="awning",
        )
    return thing
