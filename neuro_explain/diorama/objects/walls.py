"""What hangs on a wall: windows, curtains, pictures, mirrors, clocks, boards, maps, flags, signs.

Each function takes the wall and the place of the thing's centre on it.
"""

from __future__ import annotations

import math

from neuro_explain.diorama.paint import Paint
from neuro_explain.diorama.stage import Stage, Thing


def _hung(stage: Stage, kind: str, wall: Thing, x: float, y: float, color: str = "") -> Thing:
    return stage.thing(kind, x=x, y=y, z=wall.z - 0.03, color=color, on=wall)


def window(stage: Stage, wall: Thing, x: float, y: float, *, wide: float = 1.0, high: float = 1.1) -> Thing:
    """A window with two, four or one panes and a sill."""
    rng = stage.rng
    frame = stage.paint("wood", color=rng.choice(("white", "white", "brown")), plain=True)
    glass = stage.paint("glass", color=rng.choice(("blue", "blue", "white")))
    thing = _hung(stage, "window", wall, x, y)
    u, v = wide / 2, high / 2
    thing.rect(-u, -v, u, v, frame, part="frame")
    columns, rows = rng.choice(((1, 1), (2, 1), (2, 2), (1, 2)))
    for column in range(columns):
        for row in range(rows):
            u0 = -u + 0.06 + column * (wide - 0.06) / columns
            v0 = -v + 0.06 + row * (high - 0.06) / rows
            pane = u0 + (wide - 0.06) / columns - 0.06, v0 + (high - 0.06) / rows - 0.06
            thing.rect(u0, v0, *pane, glass, part="window pane", shade=1.15)
    thing.rect(-u - 0.08, -v - 0.05, u + 0.08, -v + 0.02, frame, part="frame", shade=0.8)
    return thing


def curtain(stage: Stage, wall: Thing, x: float, y: float, *, wide: float = 1.0, high: float = 1.5) -> Thing:
    """A pair of curtains on a rod, `wide` apart, with folds."""
    rng = stage.rng
    cloth = stage.paint("fabric", texture=rng.choice(("", "", "striped", "dotted", "zigzagged")))
    rod = stage.paint("metal", color="black", plain=True)
    thing = _hung(stage, "curtain", wall, x, y, cloth.color)
    top, low, half = high / 2, -high / 2, wide / 2
    for side in (-1, 1):
        out, inn = side * (half + 0.28), side * (half - 0.2)
        tied = side * (half + 0.02)
        thing.poly(
            [(out, top), (inn, top), (tied, low + high * 0.4), (inn, low), (out, low)], cloth, shade=0.98
        )
        if not cloth.texture:
            for share in (0.3, 0.62):
                fold = out + (tied - out) * share
                thing.line([(fold, top), (fold, low)], 0.035, cloth, shade=0.76)
    thing.line([(-half - 0.36, top + 0.02), (half + 0.36, top + 0.02)], 0.045, rod, part="pole")
    return thing


def picture(stage: Stage, wall: Thing, x: float, y: float, *, wide: float = 0.7, high: float = 0.55) -> Thing:
    """A framed picture of hills, of a ball, or of stripes."""
    rng = stage.rng
    frame = stage.paint("wood", color=rng.choice(("brown", "black", "orange", "white")), plain=True)
    back = stage.paint("paper", color=rng.choice(("white", "yellow", "blue", "pink")), plain=True)
    thing = _hung(stage, "picture", wall, x, y)
    u, v = wide / 2, high / 2
    thing.rect(-u, -v, u, v, frame, part="frame")
    u, v = u - 0.06, v - 0.06
    thing.rect(-u, -v, u, v, back)
    ink = stage.paint("paper", color=rng.choice(("green", "red", "purple", "orange")), plain=True)
    match rng.randrange(3):
        case 0:
            thing.poly(
                [(-u, -v), (u, -v), (u, -v * 0.2), (u * 0.4, v * 0.3), (-u * 0.2, -v * 0.3), (-u, 0)], ink
            )
        case 1:
            thing.disc(rng.uniform(-0.4, 0.4) * u, 0, v * 0.6, ink)
        case _:
            thing.rect(-u, -v, -u * 0.2, v * 0.2, ink)
            thing.rect(u * 0.1, -v * 0.4, u * 0.8, v * 0.7, ink, shade=0.7)
    return thing


def mirror(stage: Stage, wall: Thing, x: float, y: float, *, wide: float = 0.7, high: float = 0.9) -> Thing:
    """A mirror, round or square, with a gleam."""
    rng = stage.rng
    frame = stage.paint(rng.choice(("wood", "metal")), plain=True)
    glass = Paint((196, 214, 222), (196, 214, 222), "plain", "glass", "", "white")
    gleam = Paint((232, 242, 246), (232, 242, 246), "plain", "glass", "", "white")
    thing = _hung(stage, "mirror", wall, x, y)
    u, v = wide / 2, high / 2
    if stage.chance(0.45):
        thing.disc(0, 0, u, frame, high=v, part="frame")
        thing.disc(0, 0, u - 0.06, glass, high=v - 0.06, part="face")
    else:
        thing.rect(-u, -v, u, v, frame, part="frame")
        thing.rect(-u + 0.06, -v + 0.06, u - 0.06, v - 0.06, glass, part="face")
    thing.poly(
        [(-u * 0.5, -v * 0.4), (-u * 0.2, -v * 0.4), (u * 0.5, v * 0.5), (u * 0.2, v * 0.5)],
        gleam,
        part="face",
    )
    return thing


def clock(stage: Stage, wall: Thing, x: float, y: float, *, radius: float = 0.27) -> Thing:
    """A round clock with two hands."""
    rng = stage.rng
    rim = stage.paint(rng.choice(("plastic", "metal", "wood")), plain=True)
    white = stage.paint("paper", color="white", plain=True)
    black = stage.paint("metal", color="black", plain=True)
    thing = _hung(stage, "clock", wall, x, y, rim.color)
    thing.disc(0, 0, radius, rim)
    thing.disc(0, 0, radius * 0.82, white, part="face")
    for reach in (0.5, 0.72):
        turn = rng.uniform(0, 2 * math.pi)
        tip = radius * reach * math.cos(turn), radius * reach * math.sin(turn)
        thing.line([(0.0, 0.0), tip], 0.035, black, part="hand")
    return thing


def board(
    stage: Stage, wall: Thing, x: float, y: float, *, kind: str, wide: float = 1.7, high: float = 0.8
) -> Thing:
    """A blackboard with chalk marks, or a whiteboard with ink; `kind` says which."""
    rng = stage.rng
    if kind == "blackboard":
        face = stage.paint("stone", color=rng.choice(("green", "black", "black")), plain=True)
        frame = stage.paint("wood", plain=True)
        inks = ["white", "white", "yellow"]
    else:
        face = stage.paint("plastic", color="white", plain=True)
        frame = stage.paint("metal", color="grey", plain=True)
        inks = ["blue", "red", "green", "black"]
    thing = _hung(stage, kind, wall, x, y, face.color)
    u, v = wide / 2, high / 2
    thing.rect(-u - 0.05, -v - 0.05, u + 0.05, v + 0.05, frame, part="frame")
    thing.rect(-u, -v, u, v, face, part="face")
    thing.rect(-u, -v - 0.1, u, -v - 0.04, frame, part="shelf", shade=1.1)
    for _ in range(rng.randrange(2, 5)):
        ink = stage.paint("paper", color=rng.choice(inks), plain=True)
        u0, v0 = rng.uniform(-0.85, 0.4) * u, rng.uniform(-0.7, 0.7) * v
        if stage.chance(0.6):
            points = [(u0 + k * 0.1, v0 + rng.uniform(-0.04, 0.04)) for k in range(rng.randrange(3, 6))]
            thing.line(points, 0.03, ink, part="face")
        else:
            thing.line(
                [(u0, v0 - 0.1), (u0 + 0.3, v0 - 0.1), (u0 + 0.15, v0 + 0.12), (u0, v0 - 0.1)],
                0.03,
                ink,
                part="face",
            )
    return thing


def land_map(stage: Stage, wall: Thing, x: float, y: float, *, wide: float = 1.0, high: float = 0.7) -> Thing:
    """A map of lands in a sea, on two rods."""
    rng = stage.rng
    sea = stage.paint("paper", color="blue", plain=True)
    rod = stage.paint("wood", color="brown", plain=True)
    thing = _hung(stage, "map", wall, x, y)
    u, v = wide / 2, high / 2
    thing.rect(-u, -v, u, v, sea, shade=1.25)
    for place in (-0.55, 0.0, 0.55):
        land = stage.paint("paper", color=rng.choice(("green", "yellow", "orange", "brown")), plain=True)
        thing.blob(
            place * u, rng.uniform(-0.4, 0.4) * v, u * 0.3, v * rng.uniform(0.3, 0.5), land, rough=0.35
        )
    for edge in (-v, v):
        thing.rect(-u - 0.04, edge - 0.03, u + 0.04, edge + 0.03, rod, part="pole")
    return thing


def flag(stage: Stage, wall: Thing, x: float, y: float, *, wide: float = 0.8) -> Thing:
    """A flag of three bands on a slanted pole."""
    rng = stage.rng
    thing = _hung(stage, "flag", wall, x, y)
    pole = stage.paint("wood", color="brown", plain=True)
    colors = rng.sample(("red", "white", "blue", "green", "yellow", "black", "orange"), 3)
    upright = stage.chance(0.5)
    u, v = wide / 2, wide * 0.34
    for k, color in enumerate(colors):
        cloth = stage.paint("fabric", color=color, plain=True)
        if upright:
            u0 = -u + k * wide / 3
            thing.poly([(u0, -v - 0.03), (u0 + wide / 3, -v), (u0 + wide / 3, v), (u0, v + 0.03)], cloth)
        else:
            v0 = v - k * v * 2 / 3
            thing.poly(
                [
                    (-u, v0),
                    (0, v0 + 0.04),
                    (u, v0),
                    (u, v0 - v * 2 / 3),
                    (0, v0 - v * 2 / 3 + 0.04),
                    (-u, v0 - v * 2 / 3),
                ],
                cloth,
            )
    thing.rect(-u - 0.05, -v - 0.35, -u + 0.01, v + 0.1, pole, part="pole")
    return thing


def exit_sign(stage: Stage, wall: Thing, x: float, y: float) -> Thing:
    """A sign with an arrow."""
    thing = _hung(stage, "sign", wall, x, y)
    _arrow(stage, thing)
    return thing


def hanging_sign(stage: Stage, ceiling: Thing, x: float, y: float, z: float) -> Thing:
    """A sign with an arrow on two rods from the ceiling, whose height is `y`."""
    thing = stage.thing("sign", x=x, y=y - 0.5, z=z, on=ceiling)
    thing.order = z  # it hangs in the room, before what stands farther away
    rod = stage.paint("metal", color="black", plain=True)
    for u in (-0.25, 0.25):
        thing.rect(u - 0.015, 0.15, u + 0.015, 0.5, rod, part="pole")
    _arrow(stage, thing)
    return thing


def _arrow(stage: Stage, thing: Thing) -> None:
    ground = stage.paint("plastic", color=stage.rng.choice(("green", "red", "blue", "yellow")), plain=True)
    ink = stage.paint("plastic", color="white" if ground.color != "yellow" else "black", plain=True)
    thing.color = ground.color
    thing.rect(-0.36, -0.22, 0.36, 0.22, ground)
    thing.line([(-0.22, 0), (0.1, 0)], 0.08, ink)
    thing.poly([(0.05, -0.14), (0.25, 0.0), (0.05, 0.14)], ink)
