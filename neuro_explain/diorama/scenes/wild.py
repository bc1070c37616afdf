"""Waterfall, forest path; and, from modules of their own, coast and rope bridge."""

from __future__ import annotations

from neuro_explain.diorama.objects.backdrops import Landscape
from neuro_explain.diorama.objects.birds import standing_bird
from neuro_explain.diorama.objects.bridge import vine
from neuro_explain.diorama.objects.forest import birdhouse, fern, log, mushroom, path, signpost, stump
from neuro_explain.diorama.objects.harbour import rowing_boat
from neuro_explain.diorama.objects.hiking import hiker, tent
from neuro_explain.diorama.objects.rocks import cliff, moss, mountain, rock, stone_paint
from neuro_explain.diorama.objects.trees import bush, conifer, flower, tall_tree, tree
from neuro_explain.diorama.objects.water import lily_pad, rainbow, river
from neuro_explain.diorama.objects.water import waterfall as falls
from neuro_explain.diorama.objects.wildlife import deer, fish, squirrel
from neuro_explain.diorama.scenes.gorge import rope_bridge
from neuro_explain.diorama.scenes.open_air import (
    Maker,
    bed,
    bed_at,
    beside,
    clear,
    furnish,
    mossy_rock,
    nearest,
    spot,
)
from neuro_explain.diorama.scenes.seashore import coast
from neuro_explain.diorama.stage import Stage

__all__ = ["coast", "forest_path", "rope_bridge", "waterfall"]


def waterfall(stage: Stage) -> None:
    """Water that falls over a cliff into a stream, with moss, lily pads, leaping fish, a tent, a rainbow."""
    rng = stage.rng
    Landscape(stage, *rng.choice((("grass", "grass"), ("grass", "grass"), ("sand", "sand"))))
    near = nearest(stage)
    z = rng.uniform(11, 15)
    high, stone = z * rng.uniform(0.24, 0.42), stone_paint(stage, layered=0.6)
    if stage.chance(0.4):
        mountain(stage, rng.uniform(-25, 25), high=rng.uniform(16, 28), wide=rng.uniform(30, 45))
    wall = cliff(stage, -z, z, z, high=high, paint=stone, grassy=stage.chance(0.7))
    for _ in range(rng.randrange(0, 4)):
        grow = rng.choice((tree, conifer))
        grow(
            stage,
            spot(stage, rng.uniform(-0.48, 0.48), z),
            z,
            high=rng.uniform(2.5, 4.0),
            y=high * 0.92,
            on=wall,
        )
    at = spot(stage, rng.uniform(-0.28, 0.28), z)
    wide = z * rng.uniform(0.1, 0.17)
    bank = stage.rng.uniform(-0.3, 0.3)
    stations = bed(
        stage,
        (at, wide * 0.8, z),
        (spot(stage, bank, near * 0.85), near * rng.uniform(0.16, 0.26), near * 0.85),
    )
    stream = river(stage, stations)
    falls(stage, wall, at - wall.x, high=high, wide=wide, steps=rng.choice((1, 1, 2, 3)))
    if stage.chance(0.5):
        side, z1 = rng.choice((-1, 1)), z * rng.uniform(0.6, 0.8)
        inner, outer = spot(stage, side * rng.uniform(0.25, 0.38), z1), spot(stage, side * 0.9, z1)
        wing = cliff(
            stage, min(inner, outer), max(inner, outer), z1, high=high * rng.uniform(0.35, 0.8), paint=stone
        )
        if stage.chance(0.5):
            vine(stage, wing, inner + side * 0.8, wing.y + high * 0.4, z1 - 0.1, long=z1 * 0.14)
    for _ in range(rng.choice((0, 1, 2, 2))):
        moss(
            stage,
            wall,
            spot(stage, rng.uniform(-0.4, 0.4), z) - wall.x,
            high * rng.uniform(0.35, 0.9),
            wide=z * rng.uniform(0.05, 0.08),
        )
    if stage.chance(0.6):
        rainbow(stage, at + rng.uniform(-0.25, 0.25) * z, z - 1.0, radius=z * rng.uniform(0.15, 0.24))
    if stage.chance(0.65):
        x1, _, z1 = bed_at(stations, near * rng.uniform(1.1, 1.6))
        lily_pad(stage, stream, x1 + rng.uniform(-0.3, 0.3), z1, radius=z1 * rng.uniform(0.09, 0.12))
    if stage.chance(0.6):
        x1, _, z1 = bed_at(stations, near * rng.uniform(1.1, 2.0))
        fish(stage, stream, x1 + rng.uniform(-0.5, 0.5), z1, long=z1 * rng.uniform(0.16, 0.22))

    typical: list[tuple[float, Maker]] = [
        (0.75, lambda x, z: tent(stage, x, z, wide=rng.uniform(1.2, 1.5))),
        (0.7, lambda x, z: mossy_rock(stage, x, z)),
        (0.6, lambda x, z: fern(stage, x, z)),
        (0.5, lambda x, z: rock(stage, x, z, high=rng.uniform(0.45, 0.75))),
        (0.3, lambda x, z: log(stage, x, z, long=1.2)),
    ]
    shared: list[tuple[float, Maker]] = [
        (0.4, lambda x, z: standing_bird(stage, x, z, high=0.9)),
        (0.4, lambda x, z: tree(stage, x, max(z, near * 1.5), high=rng.uniform(2.2, 3.0))),
        (0.3, lambda x, z: flower(stage, x, z, stems=rng.randrange(1, 4))),
        (0.3, lambda x, z: bush(stage, x, z)),
        (0.3, lambda x, z: hiker(stage, x, z)),
        (0.2, lambda x, z: rowing_boat(stage, x, z, long=1.6)),
    ]
    rng.shuffle(shared)
    furnish(stage, typical, shared, beside(stage, stations, near))


def forest_path(stage: Stage) -> None:
    """A path between trees: mushrooms, stumps, logs, ferns, signs, deer and squirrels."""
    rng = stage.rng
    Landscape(stage, "grass", "grass", horizon=(0.36, 0.46))
    near = nearest(stage)
    _far_wood(stage)
    end = (spot(stage, rng.uniform(-0.25, 0.25), 24), 0.9, 24.0)
    stations = bed(
        stage,
        end,
        (spot(stage, rng.uniform(-0.3, 0.3), near * 0.85), near * rng.uniform(0.13, 0.22), near * 0.85),
    )
    path(stage, stations)
    aside = beside(stage, stations, near)
    for k in range(rng.randrange(3, 6)):
        grow = rng.choice((tree, tree, conifer))
        x, _, z = *clear(stations, spot(stage, rng.uniform(-0.5, 0.5), 9 + 2.0 * k), 9 + 2.0 * k), 9 + 2.0 * k
        grow(stage, x, z, high=rng.uniform(3.5, 5.5))
    trunks = []
    for across in rng.sample((-0.44, -0.3, -0.16, 0.16, 0.3, 0.44), rng.randrange(1, 4)):
        z = near * rng.uniform(1.4, 2.3)
        x, z = clear(stations, spot(stage, across, z), z)
        trunks.append(tall_tree(stage, x, z, wide=z * rng.uniform(0.07, 0.1)))
    for trunk in trunks[:2]:
        if stage.chance(0.5):
            birdhouse(stage, trunk, 0.0, rng.uniform(1.6, 2.2), wide=trunk.z * rng.uniform(0.1, 0.13))
        elif stage.chance(0.25):
            vine(stage, trunk, trunk.x + 0.3, 2.6, trunk.z - 0.1, long=1.4)
    typical: list[tuple[float, Maker]] = [
        (0.8, lambda x, z: mushroom(stage, x, z, high=rng.uniform(0.6, 0.85))),
        (0.75, lambda x, z: stump(stage, x, z, wide=rng.uniform(0.6, 0.8))),
        (0.7, lambda x, z: log(stage, x, z, long=rng.uniform(1.1, 1.4))),
        (0.7, lambda x, z: fern(stage, x, z, high=rng.uniform(0.7, 1.0))),
        (0.75, lambda x, z: deer(stage, x, max(z, near * 1.3), high=rng.uniform(1.2, 1.6))),
        (0.75, lambda x, z: squirrel(stage, x, z, high=rng.uniform(0.65, 0.85))),
        (0.4, lambda x, z: signpost(stage, x, z, high=rng.uniform(1.2, 1.6))),
    ]
    shared: list[tuple[float, Maker]] = [
        (0.3, lambda x, z: flower(stage, x, z, stems=rng.randrange(1, 4))),
        (0.3, lambda x, z: bush(stage, x, z)),
        (0.3, lambda x, z: rock(stage, x, z, high=rng.uniform(0.5, 0.9))),
        (0.25, lambda x, z: hiker(stage, x, z)),
        (0.25, lambda x, z: mossy_rock(stage, x, z)),
        (0.25, lambda x, z: tent(stage, x, z, wide=1.5)),
    ]
    rng.shuffle(shared)
    furnish(stage, typical, shared, aside)


def _far_wood(stage: Stage) -> None:
    """Dark foliage that closes the view, with or without gaps."""
    rng = stage.rng
    leaves = stage.paint("foliage", color="green")
    dark = leaves._replace(rgb=(leaves.rgb[0] * 2 // 3, leaves.rgb[1] * 3 // 4, leaves.rgb[2] * 2 // 3))
    wood = stage.thing("tree", z=26.0, color="green", behind=True)
    high = rng.uniform(4.0, 12.0)
    for k in range(9):
        if rng.random() < 0.88:
            u = (k - 4) * 3.6
            wood.blob(
                u,
                high * 0.45,
                3.2,
                high * rng.uniform(0.5, 0.75),
                dark,
                part="crown",
                shade=rng.uniform(0.7, 1.1),
            )
            wood.rect(
                u - 0.25,
                0,
                u + 0.25,
                high * 0.35,
                stage.paint("wood", color="brown", plain=True),
                part="tree trunk",
                shade=0.6,
            )
