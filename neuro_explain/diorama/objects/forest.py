"""What is found in the woods: a path, mushrooms, stumps, logs, ferns, signs, nest boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from neuro_explain.diorama.objects.water import Station, ribbon
from neuro_explain.diorama.stage import Stage, Thing


def path(stage: Stage, stations: Sequence[Station]) -> Thing:
    """A path of soil, sand or gravel through the stations."""
    rng = stage.rng
    paint = stage.paint(rng.choice(("soil", "soil", "sand", "stone")))
    thing = stage.thing("path", z=5.0, color=paint.color, behind=True, flat=True)
    ribbon(thing, stations, paint, grow=1.12, shade=0.72)
    ribbon(thing, stations, paint)
    return thing


def mushroom(stage: Stage, x: float, z: float, *, high: float = 0.5) -> Thing:
    """A large mushroom, its cap spotted or plain, often with a small one beside it."""
    rng = stage.rng
    color = rng.choice(("red", "red", "brown", "orange", "white", "purple"))
    skin = stage.paint("paper", color=color, plain=True)._replace(material="")
    pale = skin._replace(rgb=(240, 232, 214), second=(240, 232, 214))
    thing = stage.thing("mushroom", x=x, z=z, color=color)
    thing.shadow(high * 0.55)
    spots = color != "white" and stage.chance(0.75)
    sizes = (
        [(rng.choice((-0.62, 0.6)) * high, high * 0.55), (0.0, high)] if stage.chance(0.6) else [(0.0, high)]
    )
    for u, h in sizes:
        thing.poly(
            [(u - 0.15 * h, 0), (u + 0.15 * h, 0), (u + 0.1 * h, 0.6 * h), (u - 0.1 * h, 0.6 * h)],
            pale,
            part="stem",
        )
        thing.poly(
            [(u + 0.04 * h, 0), (u + 0.15 * h, 0), (u + 0.1 * h, 0.6 * h), (u + 0.03 * h, 0.6 * h)],
            pale,
            part="stem",
            shade=0.75,
        )
        rim = [math.pi * k / 8 for k in range(9)]
        dome = [(u + math.cos(a) * 0.52 * h, 0.52 * h + math.sin(a) * 0.5 * h) for a in rim]
        thing.disc(u, 0.53 * h, 0.5 * h, pale, high=0.1 * h, part="cap", shade=0.7)
        thing.poly([*dome, (u, 0.46 * h)], skin, part="cap")
        thing.poly(
            [dome[0], dome[1], dome[2], dome[3], (u + 0.22 * h, 0.5 * h)], skin, part="cap", shade=0.76
        )
        if spots:
            for du, dv, r in (
                (-0.28, 0.66, 0.075),
                (0.02, 0.85, 0.085),
                (0.28, 0.68, 0.07),
                (0.0, 0.6, 0.06),
            ):
                thing.disc(u + du * h, dv * h, r * h, pale, part="cap")
    return thing


def stump(stage: Stage, x: float, z: float, *, wide: float = 0.8) -> Thing:
    """What is left of a felled tree: bark, roots, rings."""
    bark, inner = stage.paint("wood", color="brown"), stage.paint("wood", color="orange", plain=True)
    inner = inner._replace(rgb=(222, 180, 120))
    thing = stage.thing("stump", x=x, z=z, color="brown")
    half, high = wide / 2, wide * stage.rng.uniform(0.6, 0.9)
    thing.shadow(wide * 0.75)
    thing.poly(
        [
            (-half * 1.5, 0),
            (-half, high * 0.3),
            (-half * 0.95, high),
            (half * 0.95, high),
            (half, high * 0.3),
            (half * 1.5, 0),
            (half * 0.5, 0.05),
            (0, -0.02),
            (-half * 0.5, 0.05),
        ],
        bark,
        part="tree trunk",
        shade=0.9,
    )
    thing.poly(
        [(half * 0.35, 0.04), (half * 0.4, high), (half * 0.95, high), (half, high * 0.3), (half * 1.5, 0)],
        bark,
        part="tree trunk",
        shade=0.62,
    )
    thing.disc(0, high, half * 0.97, bark, high=half * 0.34, shade=0.7)
    for share, shade in ((0.86, 1.05), (0.56, 0.85), (0.46, 1.05), (0.16, 0.8)):
        thing.disc(0, high, half * share, inner, high=half * 0.34 * share, shade=shade)
    return thing


def log(stage: Stage, x: float, z: float, *, long: float = 1.7) -> Thing:
    """A felled trunk that lies across, its cut end towards us."""
    bark, inner = stage.paint("wood", color="brown"), stage.paint("wood", color="orange", plain=True)
    inner = inner._replace(rgb=(226, 186, 128))
    thing = stage.thing("log", x=x, z=z, color="brown")
    half, r, t = long / 2, long * stage.rng.uniform(0.13, 0.17), stage.rng.choice((-1, 1))
    thing.shadow(half * 1.15, r * 0.6)
    thing.line(
        [(-0.2 * half * t, r * 1.8), (-0.5 * half * t, r * 3.0)], r * 0.4, bark, part="branch", shade=0.8
    )
    thing.disc(-half * t, r * 1.1, r * 0.6, bark, high=r * 0.95, part="tree trunk", shade=0.7)
    thing.poly(
        [(-half, 0.15 * r), (half, 0), (half, 2 * r), (-half, 2.05 * r)], bark, part="tree trunk", shade=0.95
    )
    thing.rect(-half, 0.02, half, 0.7 * r, bark, part="tree trunk", shade=0.6)
    thing.rect(-half, 1.65 * r, half, 2.0 * r, bark, part="tree trunk", shade=1.2)
    for share, shade in ((1.0, 0.6), (0.86, 1.0), (0.52, 0.82), (0.4, 1.0)):
        thing.disc(
            half * t, r, r * 0.62 * share, bark if share == 1.0 else inner, high=r * share, shade=shade
        )
    return thing


def fern(stage: Stage, x: float, z: float, *, high: float = 0.85) -> Thing:
    """A fern: feathered fronds that arch out of one place."""
    rng = stage.rng
    green = stage.paint("foliage", color="green", plain=True)
    thing = stage.thing("fern", x=x, z=z, color="green")
    thing.shadow(high * 0.7, strength=0.4)
    for angle, shade in ((12, 0.6), (168, 0.6), (35, 0.78), (145, 0.78), (62, 0.95), (118, 0.95), (90, 1.12)):
        turn = math.radians(angle + rng.uniform(-6, 6))
        c, s = math.cos(turn), math.sin(turn)
        reach = high * rng.uniform(0.9, 1.08)
        teeth: list[tuple[float, float]] = []
        back: list[tuple[float, float]] = []
        for k in range(6):
            along = k / 5
            u, v = (
                c * reach * along,
                s * reach * along * (1.12 - 0.25 * along) - reach * 0.16 * along**3 * abs(c),
            )
            wide = reach * 0.16 * (1 - along * 0.8) * (1.0 if k % 2 else 0.35)
            teeth.append((u - s * wide, v + c * wide))
            back.append((u + s * wide, v - c * wide))
        thing.poly([*teeth, *reversed(back)], green, part="frond", shade=shade)
    return thing


def signpost(stage: Stage, x: float, z: float, *, high: float = 1.5) -> Thing:
    """A wooden post with one or two arrows."""
    rng = stage.rng
    wood = stage.paint("wood", color="brown")
    board = stage.paint("wood", color=rng.choice(("orange", "white", "yellow", "green")), plain=True)
    thing = stage.thing("sign", x=x, z=z, color=board.color)
    thing.shadow(high * 0.2)
    thing.rect(-0.06, 0, 0.06, high, wood, part="post")
    thing.rect(0.02, 0, 0.06, high, wood, part="post", shade=0.65)
    side = rng.choice((-1, 1))
    for k in range(rng.randrange(1, 3)):
        v, t, long = high * (0.72 - 0.27 * k), side * (1 - 2 * k), high * 0.4
        arrow = [
            (-long * 0.7 * t, v),
            (long * 0.75 * t, v),
            (long * 1.05 * t, v + 0.11 * high),
            (long * 0.75 * t, v + 0.22 * high),
            (-long * 0.7 * t, v + 0.22 * high),
        ]
        thing.poly(arrow, board, part="plank")
        thing.poly(
            [
                (-long * 0.7 * t, v),
                (long * 0.75 * t, v),
                (long * 0.8 * t, v + 0.04 * high),
                (-long * 0.7 * t, v + 0.04 * high),
            ],
            board,
            part="plank",
            shade=0.68,
        )
        thing.rect(-long * 0.5, v + 0.1 * high, long * 0.5, v + 0.14 * high, wood, part="plank", shade=0.6)
    return thing


def birdhouse(stage: Stage, on: Thing, u: float, v: float, *, wide: float = 0.6) -> Thing:
    """A nest box that hangs on the trunk of `on`."""
    rng = stage.rng
    color = rng.choice(("red", "blue", "yellow", "white", "orange"))
    wall, roof = stage.paint("wood", color=color, plain=True), stage.paint("wood", color="brown", plain=True)
    thing = stage.thing("birdhouse", x=on.x + u, y=on.y + v, z=on.z - 0.2, color=color, on=on)
    s = wide / 2
    thing.poly([(-0.8 * s, 0), (0.8 * s, 0), (0.8 * s, 1.3 * s), (0, 2.0 * s), (-0.8 * s, 1.3 * s)], wall)
    thing.poly([(0.4 * s, 0), (0.8 * s, 0), (0.8 * s, 1.3 * s), (0.4 * s, 1.6 * s)], wall, shade=0.72)
    thing.poly(
        [
            (-1.15 * s, 1.1 * s),
            (0, 2.1 * s),
            (1.15 * s, 1.1 * s),
            (1.15 * s, 1.4 * s),
            (0, 2.45 * s),
            (-1.15 * s, 1.4 * s),
        ],
        roof,
        part="roof",
        shade=0.85,
    )
    thing.disc(0, 1.0 * s, 0.28 * s, stage.paint("wood", color="black", plain=True), part="door")
    thing.rect(-0.06 * s, 0.3 * s, 0.06 * s, 0.62 * s, roof, part="pole", shade=0.6)
    return thing
