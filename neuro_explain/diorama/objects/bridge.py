"""A rope bridge, and what is found in the mountains around it: flags, vines, a hut."""

from __future__ import annotations

import itertools

from neuro_explain.diorama.paint import Paint
from neuro_explain.diorama.stage import Stage, Thing


def _rope_paint(stage: Stage) -> Paint:
    rgb = stage.rng.choice(((196, 164, 112), (150, 120, 80), (214, 200, 170), (96, 78, 60)))
    return Paint(rgb, rgb, "plain", "fabric", "", "brown")


def bridge_along(
    stage: Stage, x: float, near: float, far: float, *, wide: float = 1.1, sag: float = 0.5
) -> Thing:
    """A rope bridge that leads away from the camera, from `near` to `far`: planks, ropes, posts."""
    rng = stage.rng
    wood, rope = stage.paint("wood", plain=True), _rope_paint(stage)
    thing = stage.thing("bridge", x=x, z=near + 2.0, color=wood.color)
    long, half, swing = far - near, wide / 2, rng.uniform(-0.5, 0.5)

    def spot(share: float) -> tuple[float, float, float]:
        curve = 4 * share * (1 - share)
        return swing * curve, -sag * curve, near + long * share - thing.z

    # planks lie denser in metres near the camera, so that they look alike in the picture
    shares = [(k / 14) ** 1.7 for k in range(15)]
    for a, b in zip(reversed(shares[:-1]), reversed(shares[1:]), strict=True):
        if rng.random() < 0.06:
            continue
        end = a + (b - a) * 0.72
        (u0, v0, w0), (u1, v1, w1) = spot(a), spot(end)
        shade = rng.uniform(0.8, 1.15)
        skew = rng.uniform(0.0, 0.08) * wide
        thing.face(
            [
                (u0 - half - skew, v0, w0),
                (u0 + half, v0, w0),
                (u1 + half + skew, v1, w1),
                (u1 - half, v1, w1),
            ],
            wood,
            part="plank",
            shade=shade,
        )
        thing.face(
            [
                (u0 - half - skew, v0 - 0.07, w0),
                (u0 + half, v0 - 0.07, w0),
                (u0 + half, v0, w0),
                (u0 - half - skew, v0, w0),
            ],
            wood,
            part="plank",
            shade=0.5,
        )
    for side in (-1, 1):
        for level, thick in ((0.0, 0.05), (0.95, 0.07)):
            for a, b in zip(reversed(shares[:-2:2]), reversed(shares[2::2]), strict=True):
                (u0, v0, w0), (u1, v1, w1) = spot(a), spot(b)
                u0, u1 = u0 + side * half * 1.1, u1 + side * half * 1.1
                bar = [
                    (u0, v0 + level - thick, w0),
                    (u0, v0 + level + thick, w0),
                    (u1, v1 + level + thick, w1),
                    (u1, v1 + level - thick, w1),
                ]
                thing.face(bar, rope, part="rope", shade=0.9 + 0.1 * side)
        for share in reversed(shares[2::3]):
            u, v, w = spot(share)
            thing.line(
                [(u + side * half * 1.1, v), (u + side * half * 1.1, v + 0.95)],
                0.05,
                rope,
                part="rope",
                shade=0.8,
                w=w,
            )
        for share in (1.0, 0.0):
            u, v, w = spot(share)
            u += side * half * 1.2
            thing.rect(u - 0.1, v - 0.1, u + 0.1, v + 1.25, wood, part="post", w=w)
            thing.rect(u + 0.03, v - 0.1, u + 0.1, v + 1.25, wood, part="post", w=w, shade=0.62)
    return thing


def bridge_across(stage: Stage, x0: float, x1: float, z: float, *, y: float = 1.2, sag: float = 0.5) -> Thing:
    """A rope bridge seen from the side, from x0 to x1 at the height y."""
    rng = stage.rng
    wood, rope = stage.paint("wood", plain=True), _rope_paint(stage)
    thing = stage.thing("bridge", x=(x0 + x1) / 2, y=y, z=z, color=wood.color)
    half, tall, deep = (x1 - x0) / 2, rng.uniform(0.9, 1.15), 0.9

    def low(share: float) -> float:
        return -sag * 4 * share * (1 - share)

    shares = [k / 14 for k in range(15)]

    def rail(w: float, shade: float) -> None:
        for level in (tall, tall * 0.5):
            line = [(-half + 2 * half * s, low(s) * 1.1 + level) for s in shares[::2]]
            thing.line(line, 0.08, rope, part="rope", shade=shade, w=w)
        for s in shares[::2]:
            u = -half + 2 * half * s
            thing.line([(u, low(s)), (u, low(s) * 1.1 + tall)], 0.06, rope, part="rope", shade=shade, w=w)
        for u in (-half, half):
            thing.rect(u - 0.13, -0.2, u + 0.13, tall + 0.35, wood, part="post", w=w, shade=shade)
            thing.rect(u + 0.03, -0.2, u + 0.13, tall + 0.35, wood, part="post", w=w, shade=shade * 0.62)

    rail(deep, 0.72)
    for a, b in itertools.pairwise(shares):
        u0, u1 = -half + 2 * half * a, -half + 2 * half * (a + (b - a) * 0.84)
        shade = rng.uniform(0.85, 1.15)
        thing.face(
            [(u0, low(a), 0), (u1, low(b), 0), (u1, low(b), deep), (u0, low(a), deep)],
            wood,
            part="plank",
            shade=shade,
        )
        thing.poly(
            [(u0, low(a) - 0.2), (u1, low(b) - 0.2), (u1, low(b)), (u0, low(a))],
            wood,
            part="plank",
            shade=shade * 0.8,
        )
    rail(0.0, 1.0)
    return thing


def flags(
    stage: Stage, x0: float, x1: float, y: float, z: float, *, size: float = 0.5, on: Thing | None = None
) -> Thing:
    """A string of small flags in many colours between two places."""
    rng = stage.rng
    rope = _rope_paint(stage)
    thing = stage.thing("flag", x=(x0 + x1) / 2, y=y, z=z, on=on)
    half = (x1 - x0) / 2
    count = max(round(2 * half / (size * 1.15)), 3)
    dip = half * rng.uniform(0.15, 0.3)
    pointed = stage.chance(0.5)
    hang = [
        (-half + 2 * half * k / count, -dip * 4 * (k / count) * (1 - k / count)) for k in range(count + 1)
    ]
    thing.line(hang, 0.04, rope, part="rope")
    colors = ["red", "yellow", "blue", "green", "white", "orange"]
    rng.shuffle(colors)
    for k, ((u0, v0), (u1, v1)) in enumerate(itertools.pairwise(hang)):
        cloth = stage.paint("fabric", color=colors[k % len(colors)], plain=True)
        a, b = (u0 * 0.93 + u1 * 0.07, v0), (u0 * 0.1 + u1 * 0.9, v1)
        blow = rng.uniform(-0.1, 0.1) * size
        if pointed:
            thing.poly([a, b, ((u0 + u1) / 2 + blow, (v0 + v1) / 2 - size * 1.15)], cloth)
        else:
            thing.poly([a, b, (b[0] + blow, b[1] - size), (a[0] + blow, a[1] - size)], cloth)
    return thing


def vine(stage: Stage, on: Thing | None, x: float, y: float, z: float, *, long: float = 1.6) -> Thing:
    """A few hanging stems with leaves, from the height y down."""
    rng = stage.rng
    green = stage.paint("foliage", color="green", plain=True)
    thing = stage.thing("vine", x=x, y=y, z=z, color="green", on=on)
    for du, share in ((-0.24, 0.75), (0.22, 0.85), (0.0, 1.0)):
        drop, bend = long * share * rng.uniform(0.85, 1.1), rng.uniform(-0.08, 0.08) * long
        u = du * long * 0.6
        thing.line([(u, 0), (u + bend, -drop * 0.5), (u, -drop)], 0.04 * long, green, part="stem", shade=0.6)
        for k in range(4):
            at, side = (k + 0.6) / 4, 1 if k % 2 else -1
            r = 0.13 * long
            leaf = [
                (u, -drop * at),
                (u + side * r * 1.3, -drop * at + r * 0.4),
                (u + side * r, -drop * at - r),
            ]
            thing.poly([*leaf, (u, -drop * at - r * 0.5)], green, part="leaf", shade=rng.uniform(0.8, 1.15))
    return thing


def hut(
    stage: Stage, x: float, z: float, *, wide: float = 2.2, y: float = 0.0, on: Thing | None = None
) -> Thing:
    """A hut of planks or stones under a steep roof of straw."""
    rng = stage.rng
    wall = stage.paint(rng.choice(("wood", "stone", "plaster")))
    straw = stage.paint("wood", color="orange")._replace(
        rgb=(206, 168, 92), second=(160, 120, 60), material="grass"
    )
    dark = stage.paint("wood", color="black", plain=True)
    thing = stage.thing("hut", x=x, y=y, z=z, color=wall.color, on=on)
    half, high = wide / 2, wide * 0.48
    if y == 0.0:
        thing.shadow(half * 1.15)
    thing.box(-half * 0.8, 0, half * 0.8, high, 0.8, wall)
    thing.rect(-half * 0.2, 0, half * 0.25, high * 0.75, dark, part="door")
    thing.rect(
        half * 0.42,
        high * 0.4,
        half * 0.68,
        high * 0.72,
        stage.paint("glass", plain=True),
        part="window pane",
    )
    thing.poly(
        [
            (-half * 1.12, high * 0.85),
            (half * 1.12, high * 0.85),
            (half * 0.35, high * 1.95),
            (-half * 0.35, high * 1.95),
        ],
        straw,
        part="roof",
    )
    thing.poly(
        [(half * 0.3, high * 0.85), (half * 1.12, high * 0.85), (half * 0.35, high * 1.95)],
        straw,
        part="roof",
        shade=0.75,
    )
    thing.rect(-half * 1.12, high * 0.78, half * 1.12, high * 0.88, straw, part="roof", shade=0.6)
    return thing
