"""Rocks, cliffs, mountains, and what lies or grows on stone."""

from __future__ import annotations

import itertools

from neuro_explain.diorama.paint import Paint, mix
from neuro_explain.diorama.stage import Stage, Thing

ROCK_COLORS = ("grey", "grey", "brown", "orange")


def stone_paint(stage: Stage, *, layered: float = 0.5) -> Paint:
    """Stone: grey, brown or sandstone, `layered` of them (0 to 1) in visible strata."""
    rng = stage.rng
    paint = stage.paint("stone", color=rng.choice(ROCK_COLORS))
    paint = paint._replace(rgb=mix(paint.rgb, (140, 130, 120), 0.35))
    texture = "stratified" if stage.chance(layered) else ""
    if not texture:
        return paint._replace(second=mix(paint.rgb, (40, 36, 34), 0.3))
    second = mix(paint.rgb, rng.choice(((60, 50, 46), (232, 220, 200))), 0.55)
    return paint._replace(second=second, pattern="stratified", texture="stratified")


def rock(
    stage: Stage, x: float, z: float, *, high: float = 0.7, y: float = 0.0, on: Thing | None = None
) -> Thing:
    """A boulder with a light top and a dark side."""
    rng = stage.rng
    paint = stone_paint(stage, layered=0.3)
    thing = stage.thing("rock", x=x, y=y, z=z, color=paint.color, on=on)
    wide = high * rng.uniform(0.7, 1.05)
    if y == 0.0:
        thing.shadow(wide * 1.15, strength=0.45)
    a, b = rng.uniform(0.45, 0.65) * high, rng.uniform(0.5, 0.75) * high
    tip = rng.uniform(-0.3, 0.2) * wide
    rim = [(-wide, 0.0), (-wide * 0.88, a), (tip - wide * 0.3, high * 0.96), (tip + wide * 0.3, high)]
    thing.poly([*rim, (wide * 0.85, b), (wide, 0.0)], paint, shade=0.92)
    thing.poly(
        [(-wide * 0.88, a), rim[2], rim[3], (wide * 0.3, b * 0.95), (-wide * 0.3, a * 1.05)], paint, shade=1.2
    )
    thing.poly(
        [(tip + wide * 0.3, high), (wide * 0.85, b), (wide, 0.0), (wide * 0.2, 0.0), (wide * 0.3, b * 0.95)],
        paint,
        shade=0.68,
    )
    return thing


def cliff(
    stage: Stage,
    x0: float,
    x1: float,
    z: float,
    *,
    high: float,
    y: float = 0.0,
    paint: Paint | None = None,
    grassy: bool = True,
    kind: str = "cliff",
) -> Thing:
    """A wall of rock from x0 to x1, its foot at y, with buttresses, ledges and, if wanted, grass on top."""
    rng = stage.rng
    paint = paint or stone_paint(stage, layered=0.7)
    thing = stage.thing(kind, x=(x0 + x1) / 2, y=y, z=z, color=paint.color, behind=True)
    half = (x1 - x0) / 2
    count = max(round(half * 2 / (0.16 * z)), 3)
    edge = [(-half + 2 * half * k / count, high * rng.uniform(0.93, 1.04)) for k in range(count + 1)]
    thing.poly([(-half, 0.0), *edge, (half, 0.0)], paint, shade=0.95)
    for (u0, v0), (u1, v1) in itertools.pairwise(edge):
        if stage.chance(0.6):
            wide, low = (u1 - u0) * rng.uniform(0.3, 0.8), rng.uniform(0.0, 0.4) * high
            side = [(u0, v0 * 0.98), (u0 + wide, v1 * 0.96), (u0 + wide * 1.2, low)]
            thing.poly([*side, (u0 + wide * 0.3, low)], paint, shade=rng.choice((0.68, 0.8, 1.14)))
        if stage.chance(0.4):
            v = rng.uniform(0.25, 0.8) * high
            ledge = [(u0, v), (u1, v + 0.03 * high), (u1, v - 0.03 * high), (u0 + 0.2, v - 0.05 * high)]
            thing.poly(ledge, paint, shade=1.2)
    if grassy:
        grass = stage.paint("grass")
        cap = stage.thing("grass", x=thing.x, y=y, z=z, color="green", on=thing)
        drop = [(u, v - high * rng.uniform(0.04, 0.1)) for u, v in reversed(edge)]
        cap.poly([*((u, v + 0.04 * high) for u, v in edge), *drop], grass)
    return thing


def moss(stage: Stage, on: Thing, u: float, v: float, *, wide: float = 0.6, w: float = -0.2) -> Thing:
    """A cushion of moss that hangs over the stone of `on` at (u, v)."""
    rng = stage.rng
    green = stage.paint("foliage", color="green", plain=True)
    green = green._replace(rgb=mix(green.rgb, (150, 170, 50), rng.uniform(0.35, 0.6)))
    thing = stage.thing("moss", x=on.x + u, y=on.y + v, z=on.z + w, color="green", on=on)
    thing.blob(0, 0, wide, wide * 0.42, green, rough=0.1, shade=0.85)
    for k in range(3):
        at, long = (k - 1) * wide * 0.55, wide * rng.uniform(0.5, 0.9)
        thing.poly(
            [(at - wide * 0.25, 0), (at + wide * 0.25, 0), (at + rng.uniform(-0.1, 0.1) * wide, -long)],
            green,
            shade=0.78,
        )
    thing.blob(-wide * 0.1, wide * 0.14, wide * 0.75, wide * 0.24, green, shade=1.12)
    return thing


def cairn(stage: Stage, x: float, z: float, *, high: float = 0.95) -> Thing:
    """Flat stones piled up by hikers."""
    rng = stage.rng
    thing = stage.thing("cairn", x=x, z=z)
    thing.shadow(high * 0.45)
    count = rng.randrange(4, 6)
    v, wide = 0.0, high * 0.42
    for _ in range(count):
        paint = stage.paint(
            "stone", color=rng.choice(("grey", "grey", "brown", "white", "black")), plain=True
        )
        tall = high / count * rng.uniform(0.9, 1.15)
        u = rng.uniform(-0.04, 0.04) * high
        thing.blob(u, v + tall / 2, wide, tall * 0.58, paint, rough=0.07, shade=0.74)
        thing.blob(u - wide * 0.05, v + tall * 0.62, wide * 0.85, tall * 0.38, paint, rough=0.06, shade=1.05)
        v, wide = v + tall * 0.92, wide * rng.uniform(0.74, 0.86)
    return thing


def mountain(stage: Stage, x: float, *, high: float = 14.0, wide: float = 22.0, z: float = 60.0) -> Thing:
    """A far peak with a dark side, often with snow on top."""
    rng = stage.rng
    rgb = rng.choice(((112, 118, 134), (104, 124, 112), (136, 122, 116), (96, 108, 140)))
    paint = Paint(rgb, rgb, "plain", "stone", "", "grey")
    thing = stage.thing("mountain", x=x, z=z, color="grey", behind=True)
    tip, half = rng.uniform(-0.15, 0.15) * wide, wide / 2
    left = [(-half, 0.0), (-half * 0.5, high * rng.uniform(0.42, 0.55)), (-half * 0.3, high * 0.55)]
    right = [(half * 0.35, high * rng.uniform(0.5, 0.62)), (half * 0.6, high * 0.4), (half, 0.0)]
    thing.poly([*left, (tip, high), *right], paint)
    ridge = [(tip - half * 0.06, high * 0.6), (tip + half * 0.12, high * 0.35), (tip, 0.0)]
    thing.poly([(tip, high), *right, *reversed(ridge)], paint, shade=0.76)
    if stage.chance(0.6):
        snow = Paint((240, 244, 250), (240, 244, 250), "plain", "", "", "white")
        share = rng.uniform(0.22, 0.36)
        a = (tip + (left[2][0] - tip) * share * 1.6, high - (high - left[2][1]) * share * 1.6)
        b = (tip + (right[0][0] - tip) * share * 1.6, high - (high - right[0][1]) * share * 1.6)
        thing.poly(
            [
                a,
                (tip, high),
                b,
                (tip + half * 0.08, high * (1 - share)),
                (tip - half * 0.03, high * (1 - share * 0.6)),
            ],
            snow,
        )
    return thing
