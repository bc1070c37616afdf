"""What stands on a farm: barn, silo, windmill, fence."""

from __future__ import annotations

import math
from itertools import pairwise

from neuro_explain.diorama.stage import Stage, Thing


def barn(stage: Stage, x: float, z: float, *, size: float = 1.0) -> Thing:
    """A wooden barn with a broken roof and a large door."""
    rng = stage.rng
    wall = stage.paint("wood", color=rng.choice(("red", "red", "brown", "green", "grey")))
    roof = stage.paint(rng.choice(("tile", "metal")), color=rng.choice(("grey", "brown", "black")))
    trim = stage.paint("wood", color="white", plain=True)
    dark = stage.paint("wood", color=rng.choice(("black", "brown")), plain=True)
    thing = stage.thing("barn", x=x, z=z, color=wall.color)
    s = size
    thing.shadow(2.1 * s, 0.8, 0.4)
    thing.box(-1.8 * s, 0, 1.8 * s, 1.9 * s, 4.0, wall)
    gable = [(-1.8, 1.9), (1.8, 1.9), (1.2, 2.8), (0, 3.35), (-1.2, 2.8)]
    thing.poly([(u * s, v * s) for u, v in gable], wall, shade=0.96)
    bent = [(-2.0, 1.75), (-1.28, 2.85), (0, 3.45), (1.28, 2.85), (2.0, 1.75)]
    for a, b in pairwise(bent):
        thing.line([(a[0] * s, a[1] * s), (b[0] * s, b[1] * s)], 0.3 * s, roof, part="roof")
    thing.rect(-0.4 * s, 2.05 * s, 0.4 * s, 2.7 * s, trim, part="frame")
    thing.rect(-0.3 * s, 2.12 * s, 0.3 * s, 2.62 * s, dark, part="window pane")
    thing.rect(-0.85 * s, 0, 0.85 * s, 1.6 * s, trim, part="door")
    thing.rect(-0.74 * s, 0, 0.74 * s, 1.48 * s, dark if stage.chance(0.4) else wall, part="door", shade=0.8)
    for a, b in (((-0.74, 0.05), (0.74, 1.45)), ((-0.74, 1.45), (0.74, 0.05))):
        thing.line([(a[0] * s, a[1] * s), (b[0] * s, b[1] * s)], 0.14 * s, trim, part="door")
    return thing


def silo(stage: Stage, x: float, z: float) -> Thing:
    """A round tower with a dome."""
    rng = stage.rng
    wall = stage.paint(rng.choice(("metal", "concrete", "brick")))
    dome = stage.paint("metal", color=rng.choice(("red", "grey", "blue", "green")), plain=True)
    thing = stage.thing("silo", x=x, z=z, color=wall.color)
    r, high = rng.uniform(0.75, 1.0), rng.uniform(3.2, 4.2)
    thing.shadow(r * 1.2, 0.5, 0.4)
    thing.disc(0, high, r, dome, part="roof", high=0.8 * r)
    thing.disc(0.08, high + 0.12, r * 0.6, dome, part="roof", high=0.5 * r, shade=1.15)
    thing.rect(-r, 0, r, high, wall, part="body")
    thing.rect(-r, 0, -0.5 * r, high, wall, part="body", shade=0.75)
    thing.rect(0.6 * r, 0, r, high, wall, part="body", shade=0.88)
    for v in (0.3, 0.55, 0.8):
        thing.rect(-r, v * high, r, v * high + 0.1, wall, part="body", shade=0.6)
    thing.rect(
        -0.12,
        0.2,
        0.16,
        high * 0.9,
        stage.paint("metal", color="black", plain=True),
        part="ladder",
        shade=1.2,
    )
    return thing


def windmill(stage: Stage, x: float, z: float) -> Thing:
    """A tower mill with four sails, turned at random."""
    rng = stage.rng
    wall = stage.paint(rng.choice(("stone", "plaster", "brick")))
    cap = stage.paint("wood", color=rng.choice(("red", "brown", "blue", "green")))
    cloth = stage.paint(
        "fabric",
        color=rng.choice(("white", "red", "yellow")),
        texture=rng.choice(("", "", "striped", "chequered")),
    )
    wood = stage.paint("wood", color="brown", plain=True)
    thing = stage.thing("windmill", x=x, z=z, color=wall.color)
    high = rng.uniform(3.0, 3.6)
    thing.shadow(1.2, 0.5, 0.4)
    thing.poly([(-0.95, 0), (0.95, 0), (0.6, high), (-0.6, high)], wall, part="body")
    thing.poly([(0.5, 0), (0.95, 0), (0.6, high), (0.3, high)], wall, part="body", shade=0.82)
    thing.poly(
        [(-0.72, high), (0.72, high), (0.45, high + 0.55), (0, high + 0.75), (-0.45, high + 0.55)],
        cap,
        part="roof",
    )
    thing.rect(-0.28, 0, 0.28, 0.95, wood, part="door")
    thing.rect(
        -0.18,
        high * 0.5,
        0.18,
        high * 0.5 + 0.45,
        stage.paint("glass", plain=True),
        part="window pane",
        shade=0.7,
    )
    turn, v, long = rng.uniform(0, math.pi / 2), high + 0.15, rng.uniform(1.7, 2.1)
    for k in range(4):
        c, s = math.cos(turn + k * math.pi / 2), math.sin(turn + k * math.pi / 2)
        near, far, broad = 0.35, long, 0.5
        thing.poly(
            [
                (near * c, v + near * s),
                (far * c, v + far * s),
                (far * c - broad * s, v + far * s + broad * c),
                (near * c - broad * s, v + near * s + broad * c),
            ],
            cloth,
            part="wing",
        )
        thing.line([(0, v), (far * c, v + far * s)], 0.12, wood, part="wing")
    thing.disc(0, v, 0.16, wood, part="wing", shade=0.7)
    return thing


def fence(stage: Stage, x: float, z: float, *, wide: float = 4.0, rails: bool | None = None) -> Thing:
    """A fence: posts with two rails, or pickets."""
    rng = stage.rng
    wood = stage.paint("wood", color=rng.choice(("white", "brown", "brown", "grey")))
    thing = stage.thing("fence", x=x, z=z, color=wood.color)
    half = wide / 2
    rails = stage.chance(0.5) if rails is None else rails
    thing.shadow(half, 0.2, 0.3)
    for v in (0.35, 0.75):
        thing.rect(-half, v, half, v + 0.15, wood, part="rail", shade=0.9)
    step = 0.8 if rails else 0.36
    count = min(max(round(wide / step), 2), 26)
    for k in range(count + 1):
        u = -half + k * wide / count
        if rails:
            thing.rect(u - 0.08, 0, u + 0.08, 1.05, wood, part="pole")
        else:
            thing.poly(
                [(u - 0.1, 0), (u + 0.1, 0), (u + 0.1, 0.92), (u, 1.05), (u - 0.1, 0.92)], wood, part="plank"
            )
    return thing
