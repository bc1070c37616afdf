"""Rope bridge."""

from __future__ import annotations

from neuro_explain.diorama.objects.backdrops import Landscape
from neuro_explain.diorama.objects.birds import flying_bird
from neuro_explain.diorama.objects.bridge import bridge_across, bridge_along, flags, hut, vine
from neuro_explain.diorama.objects.hiking import backpack, hiker
from neuro_explain.diorama.objects.rocks import cairn, cliff, moss, mountain, rock, stone_paint
from neuro_explain.diorama.objects.trees import bush, conifer, flower, tree
from neuro_explain.diorama.objects.water import river
from neuro_explain.diorama.objects.water import waterfall as falls
from neuro_explain.diorama.objects.wildlife import goat
from neuro_explain.diorama.scenes.open_air import (
    Maker,
    Place,
    bed,
    bed_at,
    beside,
    furnish,
    mossy_rock,
    nearest,
    spot,
)
from neuro_explain.diorama.stage import Stage


def rope_bridge(stage: Stage) -> None:
    """A rope bridge over a gorge, seen along it or from its side: goats, cairns, flags, vines, a hut."""
    rng = stage.rng
    ground = rng.choice((("grass", "grass"), ("grass", "grass"), ("sand", "sand")))
    Landscape(stage, *ground)
    near = nearest(stage)
    for _ in range(rng.choice((0, 1, 2, 3))):
        mountain(stage, rng.uniform(-35, 35), high=rng.uniform(9, 20), wide=rng.uniform(22, 38))
    place = _gorge_ahead(stage, near) if stage.chance(0.5) else _gorge_aside(stage, near)
    for _ in range(rng.choice((0, 0, 1, 1))):
        z = rng.uniform(5, 8)
        flying_bird(
            stage,
            spot(stage, rng.uniform(-0.4, 0.4), z),
            rng.uniform(2.6, 3.4),
            z,
            span=z * rng.uniform(0.2, 0.27),
        )
    typical: list[tuple[float, Maker]] = [
        (0.75, lambda x, z: goat(stage, x, z, high=rng.uniform(0.75, 0.95))),
        (0.75, lambda x, z: cairn(stage, x, z, high=rng.uniform(0.8, 1.05))),
        (0.65, lambda x, z: hut(stage, x, z, wide=rng.uniform(0.95, 1.2))),
        (0.3, lambda x, z: backpack(stage, x, z, high=rng.uniform(0.65, 0.8))),
    ]
    shared: list[tuple[float, Maker]] = [
        (0.35, lambda x, z: rock(stage, x, z, high=rng.uniform(0.5, 0.9))),
        (0.3, lambda x, z: mossy_rock(stage, x, z)),
        (0.3, lambda x, z: conifer(stage, x, max(z, near * 1.25), high=rng.uniform(1.8, 2.6))),
        (0.3, lambda x, z: bush(stage, x, z)),
        (0.25, lambda x, z: flower(stage, x, z)),
        (0.25, lambda x, z: hiker(stage, x, z)),
    ]
    rng.shuffle(shared)
    furnish(stage, typical, shared[:4], place, most=4)


def _gorge_ahead(stage: Stage, near: float) -> Place:
    """A gorge between the camera and the other side, and a bridge that leads across; where things can stand."""
    rng = stage.rng
    camera = stage.camera
    far, edge = rng.uniform(12, 15), near * rng.uniform(1.2, 1.35)
    # so deep that the river at the bottom can still be seen over the edge
    deep = max(camera.height * (far / edge * rng.uniform(0.7, 0.82) - 1), 1.0)
    stone = stone_paint(stage, layered=0.7)
    wall = cliff(stage, -1.1 * far, 1.1 * far, far, high=deep, y=-deep, paint=stone)
    bed = river(stage, [(0.0, 1.5 * far, far - 0.5), (0.0, 1.5 * far, 2.0)], y=-deep)
    if stage.chance(0.35):
        falls(
            stage,
            wall,
            spot(stage, rng.choice((-1, 1)) * rng.uniform(0.25, 0.4), far) - wall.x,
            high=deep,
            wide=far * 0.09,
        )
    if stage.chance(0.4):
        rock(stage, spot(stage, rng.uniform(-0.4, 0.4), far * 0.75), far * 0.75, high=1.2, y=-deep, on=bed)
    for _ in range(rng.randrange(1, 4)):
        grow = rng.choice((tree, conifer, conifer))
        grow(
            stage,
            spot(stage, rng.uniform(-0.48, 0.48), far + 1),
            far + rng.uniform(0.6, 4.0),
            high=rng.uniform(3, 5),
        )
    if stage.chance(0.7):
        vine(stage, wall, spot(stage, rng.uniform(-0.45, 0.45), far), 0.0, far - 0.2, long=far * 0.18)
    x = spot(stage, rng.uniform(-0.25, 0.25), near)
    _ledge(stage, edge, stone.rgb)
    bridge_along(
        stage, x, edge - 0.2, far + 0.3, wide=near * rng.uniform(0.26, 0.34), sag=rng.uniform(0.2, 0.6)
    )
    if stage.chance(0.6):
        hiker(stage, x, edge + rng.uniform(0.6, 2.0), y=-0.12)
    if stage.chance(0.6):
        z = edge + rng.uniform(0.0, 1.5)
        y = camera.height + rng.uniform(0.24, 0.36) * z
        flags(stage, spot(stage, -0.6, z), spot(stage, 0.6, z), y, z, size=z * rng.uniform(0.07, 0.09))

    def place(across: float, depth: float) -> tuple[float, float]:
        z = near + (edge - near) * 0.8 * depth
        u = spot(stage, across, z)
        if abs(u - x) < near * 0.2:  # not where the bridge begins
            u = x + (near * 0.28 if u > x else -near * 0.28)
        return u, z

    return place


def _ledge(stage: Stage, edge: float, rgb: tuple[int, int, int]) -> None:
    """The ground on this side of the gorge, up to a ragged edge."""
    rng = stage.rng
    grass = stage.paint("grass")
    stone = stage.paint("stone")._replace(rgb=rgb)
    thing = stage.thing("grass", z=3.0, color="green", behind=True, flat=True)
    rim = [((k / 8 - 0.5) * 1.6 * edge, edge * rng.uniform(0.95, 1.04) - 3.0) for k in range(9)]
    thing.face(
        [*((u, 0.0, w) for u, w in rim), (0.9 * edge, 0.0, -2.4), (-0.9 * edge, 0.0, -2.4)], stone, shade=0.9
    )
    thing.face(
        [*((u, 0.0, w - 0.14) for u, w in rim), (0.9 * edge, 0.0, -2.4), (-0.9 * edge, 0.0, -2.4)], grass
    )


def _gorge_aside(stage: Stage, near: float) -> Place:
    """A valley between two cliffs, a river in it and a bridge above; where things can stand."""
    rng = stage.rng
    z, stone = rng.uniform(7.5, 10.0), stone_paint(stage, layered=0.7)
    y = stage.camera.height + z * rng.uniform(-0.06, 0.1)
    left, right = spot(stage, rng.uniform(-0.42, -0.26), z), spot(stage, rng.uniform(0.26, 0.42), z)
    foot = spot(stage, rng.uniform(-0.2, 0.2), 30)
    stations = bed(
        stage,
        (foot, 2.0, 30.0),
        (spot(stage, rng.uniform(-0.3, 0.3), near * 0.85), near * rng.uniform(0.18, 0.28), near * 0.85),
    )
    stream = river(stage, stations)
    for x0, x1 in ((left - 8, left), (right, right + 8)):
        side = cliff(stage, x0, x1, z, high=y, paint=stone)
        inner = x1 if x1 == left else x0
        out = -1 if x1 == left else 1
        if stage.chance(0.6):
            grow = rng.choice((tree, conifer))
            grow(
                stage, inner + out * rng.uniform(1.0, 2.0), z, high=rng.uniform(2.0, 3.0), y=y * 0.94, on=side
            )
        if stage.chance(0.5):
            vine(
                stage, side, inner + out * rng.uniform(0.4, 1.2), y, z - 0.1, long=z * rng.uniform(0.17, 0.23)
            )
        if stage.chance(0.25):
            moss(stage, side, inner + out * 1.0 - side.x, y * 0.5, wide=0.5)
    sag = rng.uniform(0.3, 0.8)
    bridge = bridge_across(stage, left - 0.3, right + 0.3, z, y=y, sag=sag)
    if stage.chance(0.55):
        at = rng.uniform(0.15, 0.85)
        drop = y - sag * 4 * at * (1 - at) - 0.15
        vine(stage, bridge, left + (right - left) * at, drop, z - 0.05, long=z * rng.uniform(0.17, 0.23))
    if stage.chance(0.6):
        hiker(stage, (left + right) / 2 + rng.uniform(-1, 1), z + 0.4, y=y - sag * 0.8, on=bridge)
    if stage.chance(0.6):
        flags(stage, left, right, y + z * rng.uniform(0.16, 0.24), z + 0.3, size=z * rng.uniform(0.07, 0.09))
    if stage.chance(0.3):
        x1, _, z1 = bed_at(stations, near * 1.4)
        rock(stage, x1, z1, high=0.6, y=0.0, on=stream)
    return beside(stage, stations, near)
