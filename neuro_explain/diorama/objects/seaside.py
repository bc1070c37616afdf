"""What people bring to the beach: umbrellas, towels, buckets, balls, surfboards, and what they build."""

from __future__ import annotations

import math

from neuro_explain.diorama.stage import Stage, Thing

_BRIGHT = ("red", "blue", "yellow", "green", "orange", "white", "pink", "purple")
_PATTERNS = ("striped", "striped", "chequered", "dotted", "zigzagged", "")


def umbrella(stage: Stage, x: float, z: float, *, wide: float = 1.9, high: float = 1.9) -> Thing:
    """A sunshade on a tilted pole; striped, chequered, dotted, or in gores of two colours."""
    rng = stage.rng
    color = rng.choice(_BRIGHT)
    texture = rng.choice((*_PATTERNS, ""))
    cloth = stage.paint("fabric", color=color, texture=texture)
    other = stage.paint("fabric", color="white" if color != "white" else "red", plain=True)
    thing = stage.thing("umbrella", x=x, z=z, color=color)
    thing.shadow(wide * 0.45, wide * 0.2, strength=0.45)
    tilt, half, low, rise = rng.uniform(-0.18, 0.18) * high, wide / 2, high * 0.68, high * 0.34
    thing.line([(0, 0), (tilt, high)], 0.06, stage.paint("wood", color="white", plain=True), part="pole")
    slope = tilt * 0.7
    arc = []
    for k in range(9):
        angle = math.pi * (1 - k / 8)
        arc.append((tilt + math.cos(angle) * half, low + math.sin(angle) * rise - math.cos(angle) * slope))
    hem = [
        (tilt + half * (1 - k / 4), low + (0.07 if k % 2 else 0.0) * high - (1 - k / 4) * slope)
        for k in range(1, 8)
    ]
    thing.poly([*arc, *hem], cloth, part="shade")
    if not texture:
        for k in (1, 3, 5):
            gore = [
                arc[4],
                (tilt + half * (k / 4 - 1), low - (k / 4 - 1) * slope + 0.03),
                (tilt + half * ((k + 1) / 4 - 1), low + 0.03 - ((k + 1) / 4 - 1) * slope),
            ]
            thing.poly(gore, other, part="shade")
    thing.poly([arc[4], arc[5], arc[6], arc[7], arc[8], hem[0]], cloth, part="shade", shade=0.76)
    thing.disc(tilt, low + rise, 0.06, other)
    return thing


def towel(stage: Stage, x: float, z: float, *, wide: float = 1.0, deep: float = 1.7) -> Thing:
    """A bath towel spread out on the sand, nearly always patterned."""
    rng = stage.rng
    color = rng.choice(_BRIGHT)
    cloth = stage.paint("fabric", color=color, texture=rng.choice(_PATTERNS))
    plain = stage.paint("fabric", color="white" if color != "white" else "blue", plain=True)
    thing = stage.thing("towel", x=x, z=z, color=color)
    half, skew = wide / 2, rng.uniform(-0.5, 0.5)
    thing.shadow(half * 1.1, 0.1, strength=0.3)
    thing.face([(-half, 0, 0), (half, 0, 0), (half + skew, 0, deep), (-half + skew, 0, deep)], cloth)
    for share in (0.0, 0.88):
        a, b = skew * share, skew * (share + 0.12)
        w0, w1 = deep * share, deep * (share + 0.12)
        thing.face(
            [(a - half, 0, w0), (a + half, 0, w0), (b + half, 0, w1), (b - half, 0, w1)], plain, shade=0.95
        )
    return thing


def bucket(stage: Stage, x: float, z: float, *, high: float = 0.55) -> Thing:
    """A child's bucket with a handle, often full of sand, a spade in it."""
    rng = stage.rng
    paint = stage.paint("plastic", color=rng.choice(("red", "blue", "yellow", "green", "pink", "purple")))
    thing = stage.thing("bucket", x=x, z=z, color=paint.color)
    h = high
    thing.shadow(h * 0.6)
    white = stage.paint("plastic", color="white", plain=True)
    if stage.chance(0.6):
        thing.rect(0.1 * h, 0.9 * h, 0.16 * h, 1.5 * h, white, part="handle")
        thing.rect(0.0, 1.45 * h, 0.26 * h, 1.55 * h, white, part="handle", shade=0.9)
    thing.poly([(-0.34 * h, 0.04 * h), (0.34 * h, 0.04 * h), (0.5 * h, h), (-0.5 * h, h)], paint, part="body")
    thing.poly(
        [(0.15 * h, 0.02 * h), (0.34 * h, 0.04 * h), (0.5 * h, h), (0.22 * h, h)],
        paint,
        part="body",
        shade=0.7,
    )
    thing.disc(0, 0.04 * h, 0.34 * h, paint, high=0.05 * h, part="body", shade=0.85)
    thing.disc(0, h, 0.52 * h, paint, high=0.12 * h, shade=1.2)
    thing.disc(0, h, 0.44 * h, stage.paint("sand", plain=True), high=0.09 * h, shade=0.75)
    thing.line(
        [
            (-0.48 * h, 0.95 * h),
            (-0.36 * h, 0.5 * h),
            (0.0, 0.38 * h),
            (0.36 * h, 0.5 * h),
            (0.48 * h, 0.95 * h),
        ],
        0.06 * h,
        white,
        part="handle",
    )
    return thing


def beach_ball(stage: Stage, x: float, z: float, *, radius: float = 0.32, y: float = 0.0) -> Thing:
    """A ball in gores of two colours."""
    rng = stage.rng
    color = rng.choice(("red", "blue", "yellow", "green", "orange"))
    paint, white = stage.paint("plastic", color=color), stage.paint("plastic", color="white")
    thing = stage.thing("ball", x=x, y=y, z=z, color=color)
    r, tilt = radius, rng.uniform(0, 0.8)
    thing.shadow(r * 1.0, r * 0.4)
    thing.disc(0, r, r, paint, shade=0.92)
    for k in range(3):
        start = tilt + k * 2 * math.pi / 3
        rim = [start + 0.26 * j for j in range(5)]
        hub = (0.25 * r * math.cos(tilt * 3), r * 1.2)
        thing.poly(
            [hub, *((math.cos(a) * r * 0.98, r + math.sin(a) * r * 0.98) for a in rim)], white, shade=0.96
        )
    thing.disc(0.25 * r * math.cos(tilt * 3), 1.2 * r, 0.16 * r, paint, shade=1.15)
    return thing


def surfboard(stage: Stage, x: float, z: float, *, high: float = 1.9) -> Thing:
    """A surfboard that stands in the sand."""
    rng = stage.rng
    color = rng.choice(_BRIGHT)
    paint = stage.paint("plastic", color=color, texture=rng.choice(("", "", "zigzagged", "chequered")))
    other = stage.paint("plastic", color="white" if color not in ("white", "yellow") else "blue", plain=True)
    thing = stage.thing("surfboard", x=x, z=z, color=color)
    thing.shadow(high * 0.2)
    h, lean, half = high, rng.uniform(-0.12, 0.12) * high, high * 0.15
    rim = [(-0.7, 0.0), (-1.0, 0.3), (-0.95, 0.6), (-0.6, 0.85), (0.0, 1.0)]
    left = [(u * half + lean * v, v * h) for u, v in rim]
    right = [(-u * half + lean * v, v * h) for u, v in reversed(rim[:-1])]
    thing.poly([*left, *right], paint)
    thing.poly(
        [(half * 0.55 + lean * 0.1, 0.1 * h), *reversed(right), (lean * 0.95 + half * 0.2, 0.9 * h)],
        paint,
        shade=0.74,
    )
    thing.poly(
        [(-half * 0.13, 0), (half * 0.13, 0), (lean + half * 0.05, 0.96 * h), (lean - half * 0.05, 0.96 * h)],
        other,
    )
    return thing


def sandcastle(stage: Stage, x: float, z: float, *, wide: float = 1.1) -> Thing:
    """Towers and a wall of sand, with a flag on top."""
    rng = stage.rng
    sand = stage.paint("sand", color="orange")._replace(rgb=(206, 166, 96), color="yellow")
    sand = sand._replace(second=(170, 130, 70))
    thing = stage.thing("sandcastle", x=x, z=z, color="yellow")
    s = wide / 2
    thing.shadow(s * 1.3)
    thing.poly([(-1.3 * s, 0), (1.3 * s, 0), (1.0 * s, 0.14 * s), (-1.0 * s, 0.14 * s)], sand, shade=0.85)
    for u, high, half in ((0.0, 1.35, 0.36), (-0.7, 0.85, 0.32), (0.7, 0.8 + rng.uniform(0, 0.2), 0.32)):
        thing.poly(
            [
                ((u - half) * s, 0.05 * s),
                ((u + half) * s, 0.05 * s),
                ((u + half * 0.8) * s, high * s),
                ((u - half * 0.8) * s, high * s),
            ],
            sand,
        )
        thing.poly(
            [
                ((u + half * 0.3) * s, 0.05 * s),
                ((u + half) * s, 0.05 * s),
                ((u + half * 0.8) * s, high * s),
                ((u + half * 0.3) * s, high * s),
            ],
            sand,
            shade=0.7,
        )
        for du in (-0.6, 0.0, 0.6):
            thing.rect(
                (u + (du - 0.2) * half) * s,
                high * s,
                (u + (du + 0.2) * half) * s,
                (high + 0.14) * s,
                sand,
                shade=1.08,
            )
    thing.rect(-0.5 * s, 0.05 * s, 0.5 * s, 0.5 * s, sand, shade=0.92)
    thing.disc(0, 0.18 * s, 0.16 * s, sand, high=0.2 * s, part="door", shade=0.45)
    if stage.chance(0.7):
        thing.line(
            [(0, 1.4 * s), (0, 2.0 * s)], 0.04, stage.paint("wood", color="brown", plain=True), part="pole"
        )
        thing.poly(
            [(0, 2.0 * s), (0.5 * s, 1.85 * s), (0, 1.68 * s)],
            stage.paint("paper", color=rng.choice(("red", "blue", "green")), plain=True),
        )
    return thing
