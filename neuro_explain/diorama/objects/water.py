"""Sea, river, waterfall, and what belongs to water: lily pads, a rainbow."""

from __future__ import annotations

import math
from collections.abc import Sequence

from neuro_explain.diorama.paint import Paint, mix
from neuro_explain.diorama.stage import FAR, Stage, Thing

Station = tuple[float, float, float]
"""A place that a river or a path runs through: x, half its width, z, in metres."""

FOAM = Paint((240, 246, 250), (240, 246, 250), "plain", "water", "", "white")


def water_paint(stage: Stage) -> Paint:
    """Water: blue, or greenish, or grey."""
    paint = stage.paint("water")
    if stage.chance(0.5):
        return paint
    towards = stage.rng.choice(((84, 150, 130), (120, 132, 142), (70, 120, 96)))
    share = stage.rng.uniform(0.45, 0.8)
    return paint._replace(
        rgb=mix(paint.rgb, towards, share), second=mix(paint.second, towards, share * 0.6), color=""
    )


def ribbon(
    thing: Thing, stations: Sequence[Station], paint: Paint, *, grow: float = 1.0, shade: float = 1.0
) -> None:
    """A strip on the ground through the stations, `grow` times as wide; x counts from the stage's middle."""
    left = [(x - half * grow - thing.x, 0.0, z - thing.z) for x, half, z in stations]
    right = [(x + half * grow - thing.x, 0.0, z - thing.z) for x, half, z in reversed(stations)]
    thing.face([*left, *right], paint, shade=shade)


def sea(stage: Stage, *, left: float, right: float) -> Thing:
    """The sea up to a shore that lies `left` metres away at the left edge of the picture, `right` at the right."""
    rng = stage.rng
    paint = water_paint(stage)
    thing = stage.thing("sea", z=8.0, color=paint.color, behind=True)
    shore = []
    for k in range(9):
        share = k / 8
        # along a straight shore, one over the distance changes evenly across the picture
        z = 1 / ((1 - share) / left + share / right) * rng.uniform(0.95, 1.05)
        shore.append(((2 * share - 1) * 0.75 * z, z))
    far = [(-1.2 * FAR, 0.0, FAR - 8), (1.2 * FAR, 0.0, FAR - 8)]
    middle = [(u * 2.2, 0.0, z * 2.2 - 8) for u, z in reversed(shore)]
    near = [(u, 0.0, z - 8) for u, z in reversed(shore)]
    thing.face([*far, *near], paint, shade=1.05)
    thing.face(
        [*far, *middle], paint._replace(pattern="plain", rgb=mix(paint.rgb, paint.second, 0.2)), shade=0.86
    )
    wash = [(u * 0.94, 0.0, z * 0.94 - 8) for u, z in shore]
    thing.face([*near, *wash], FOAM, part="foam")
    for out in (1.2, 1.5):
        start = rng.randrange(0, 4)
        crest = [(u * out, 0.0, z * out - 8) for u, z in shore[start : start + 5]]
        back = [(u * out * 1.05, 0.0, z * out * 1.05 - 8) for u, z in reversed(shore[start : start + 5])]
        thing.face([*crest, *back], FOAM, part="foam", shade=0.95)
    return thing


def river(stage: Stage, stations: Sequence[Station], *, y: float = 0.0) -> Thing:
    """A river or stream through the stations, with a dark rim and glints."""
    rng = stage.rng
    paint = water_paint(stage)
    thing = stage.thing("river", y=y, z=5.0, color=paint.color, behind=True)
    ribbon(thing, stations, paint._replace(pattern="plain"), grow=1.12, shade=0.6)
    ribbon(thing, stations, paint)
    for _ in range(4):
        x, half, z = rng.choice(stations)
        u, w = x + rng.uniform(-0.5, 0.5) * half, z - thing.z
        glint = [
            (u - half * 0.35, 0.0, w),
            (u, 0.0, w - z * 0.015),
            (u + half * 0.35, 0.0, w),
            (u, 0.0, w + z * 0.01),
        ]
        thing.face(glint, FOAM, part="foam", shade=0.92)
    return thing


def waterfall(stage: Stage, on: Thing, u: float, *, high: float, wide: float, steps: int = 1) -> Thing:
    """Water that falls down the cliff `on` at u, in one or more steps, with foam where it lands."""
    rng = stage.rng
    light = rng.choice(((170, 202, 226), (190, 214, 228), (150, 188, 214)))
    paint = Paint(light, light, "plain", "water", "", "blue")
    thing = stage.thing("waterfall", x=on.x + u, y=on.y, z=on.z, color="white", on=on)
    shift, top, half = 0.0, high, wide * 0.42
    for step in range(steps):
        low = high * (1 - (step + 1) / steps)
        spread = half * rng.uniform(1.1, 1.35)
        rim = [
            (shift - half, top),
            (shift - half * 0.6, top + 0.12),
            (shift + half * 0.7, top + 0.1),
            (shift + half, top),
        ]
        thing.poly([*rim, (shift + spread, low), (shift - spread, low)], paint, w=-0.15)
        for k in range(6):
            at = -0.86 + 0.32 * k + rng.uniform(-0.06, 0.06)
            start, end = top - rng.uniform(0, 0.25) * (top - low), low + rng.uniform(0, 0.2) * (top - low)
            thick = rng.uniform(0.05, 0.12)
            streak = [
                (shift + at * half, start),
                (shift + (at + thick) * half, start),
                (shift + (at + thick * 1.6) * spread, end),
            ]
            thing.poly(
                [*streak, (shift + at * spread, end)],
                FOAM if k % 2 else paint,
                shade=1.0 if k % 2 else 0.86,
                w=-0.15,
            )
        for k in range(4):
            foot = shift + (k - 1.5) / 1.5 * spread
            size = wide * rng.uniform(0.16, 0.26) * (1.0 if step == steps - 1 else 0.6)
            thing.blob(
                foot,
                low + size * 0.2,
                size * 1.15,
                size * 0.7,
                FOAM,
                part="foam",
                shade=0.93 + 0.03 * (k % 3),
                w=-0.3,
            )
        top, half = low, spread * 0.95
        shift += rng.uniform(-0.25, 0.25) * wide
    return thing


def rainbow(stage: Stage, x: float, z: float, *, radius: float = 3.0, y: float = 0.0) -> Thing:
    """A bow of six colours, standing on both feet."""
    thing = stage.thing("rainbow", x=x, y=y, z=z)
    wide = radius * 0.055
    colors = ((214, 66, 60), (240, 146, 60), (244, 220, 90), (92, 176, 90), (70, 120, 214), (136, 84, 176))
    turns = [math.pi * k / 14 for k in range(15)]
    for k, rgb in enumerate(colors):
        outer, inner = radius - k * wide, radius - (k + 1) * wide
        bow = [(math.cos(a) * outer, math.sin(a) * outer) for a in turns]
        bow += [(math.cos(a) * inner, math.sin(a) * inner) for a in reversed(turns)]
        thing.poly(bow, Paint(rgb, rgb, "plain", "", "", ""))
    return thing


def lily_pad(stage: Stage, on: Thing, x: float, z: float, *, radius: float = 0.5) -> Thing:
    """A few round leaves afloat on the river `on`, often with a blossom."""
    rng = stage.rng
    green = stage.paint("foliage", color="green", plain=True)
    thing = stage.thing("lily pad", x=x, y=on.y, z=z, color="green", on=on)
    for du, dw, size in ((0.9, 0.75, 0.75), (-0.75, 0.55, 0.8), (0.15, -0.2, 1.0)):
        start, r = rng.uniform(0, 6), radius * size * rng.uniform(0.9, 1.1)
        rim = [(start + 5.6 * k / 9) for k in range(10)]
        u, w = du * radius, dw * radius * 1.4
        leaf = [(u + math.cos(a) * r, 0.0, w + math.sin(a) * r * 1.3) for a in rim]
        thing.face([(u, -0.03, w), *((a, b - 0.04, c) for a, b, c in leaf)], green, part="leaf", shade=0.6)
        thing.face([(u, 0.0, w), *leaf], green, part="leaf", shade=0.92 + 0.1 * size)
    if stage.chance(0.75):
        color = rng.choice(("pink", "white", "purple", "yellow"))
        petal = stage.paint("paper", color=color, plain=True)._replace(material="")
        r = radius * 0.42
        for du, lean in ((-1.0, 0.5), (1.0, 0.5), (-0.5, 0.95), (0.5, 0.95), (0.0, 1.15)):
            thing.poly(
                [(-r * 0.3, 0), (du * r, lean * r), (r * 0.3, 0)],
                petal,
                part="petal",
                shade=0.82 + 0.18 * lean,
            )
    return thing
