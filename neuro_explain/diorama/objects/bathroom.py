"""Bathtub, toilet, basin, shower, towels, washing machine, bottles."""

from __future__ import annotations

from neuro_explain.diorama.objects.kitchen import tap
from neuro_explain.diorama.stage import Stage, Thing


def bathtub(stage: Stage, x: float, z: float, *, wide: float = 1.7) -> Thing:
    """A bathtub on feet, long side to the camera, sometimes full of foam."""
    rng = stage.rng
    glaze = stage.paint(
        "ceramic", color=rng.choice(("white", "white", "white", "blue", "pink", "green")), plain=True
    )
    chrome = stage.paint("metal", color=rng.choice(("grey", "yellow")), plain=True)
    thing = stage.thing("bathtub", x=x, z=z, color=glaze.color)
    half, side = wide / 2, rng.choice((-1, 1))
    thing.shadow(half, 0.35)
    inside = stage.paint("water") if stage.chance(0.5) else glaze
    pipe = [
        (side * half * 0.8, 0.6),
        (side * half * 0.8, 0.98),
        (side * half * 0.6, 0.98),
        (side * half * 0.6, 0.86),
    ]
    thing.line(pipe, 0.06, chrome, part="faucet", w=0.6)
    for u in (-half * 0.7, half * 0.7):
        thing.poly([(u - 0.06, 0), (u + 0.06, 0), (u + 0.1, 0.16), (u - 0.1, 0.16)], chrome, part="leg")
    outline = [
        (-half * 0.78, 0.1),
        (half * 0.78, 0.1),
        (half * 0.93, 0.3),
        (half, 0.62),
        (-half, 0.62),
        (-half * 0.93, 0.3),
    ]
    thing.poly(outline, glaze)
    thing.poly(
        [(-half * 0.78, 0.1), (half * 0.78, 0.1), (half * 0.9, 0.25), (-half * 0.9, 0.25)], glaze, shade=0.82
    )
    thing.face(
        [(-half, 0.62, 0), (half, 0.62, 0), (half * 0.97, 0.62, 0.65), (-half * 0.97, 0.62, 0.65)],
        glaze,
        shade=1.08,
    )
    thing.face(
        [
            (-half * 0.88, 0.62, 0.08),
            (half * 0.88, 0.62, 0.08),
            (half * 0.86, 0.62, 0.57),
            (-half * 0.86, 0.62, 0.57),
        ],
        inside,
        shade=0.95 if inside is not glaze else 0.65,
    )
    thing.rect(-half - 0.03, 0.57, half + 0.03, 0.64, glaze, shade=1.1)
    return thing


def toilet(stage: Stage, x: float, z: float, *, size: float = 1.2) -> Thing:
    """A toilet seen from the front: tank, lid, seat, bowl."""
    rng = stage.rng
    glaze = stage.paint("ceramic", color=rng.choice(("white", "white", "white", "green", "pink")), plain=True)
    board = stage.paint(
        rng.choice(("plastic", "wood", "plastic")),
        color=rng.choice(("white", "brown", "black", "blue")),
        plain=True,
    )
    chrome = stage.paint("metal", color="grey", plain=True)
    thing = stage.thing("toilet", x=x, z=z, color=glaze.color)
    s = size
    thing.shadow(0.28 * s, 0.25)
    thing.box(-0.27 * s, 0.42 * s, 0.27 * s, 0.88 * s, 0.2, glaze, w=0.35)
    thing.rect(-0.29 * s, 0.82 * s, 0.29 * s, 0.9 * s, glaze, w=0.34, shade=1.12)
    thing.rect(-0.2 * s, 0.7 * s, -0.08 * s, 0.75 * s, chrome, part="handle", w=0.34)
    if stage.chance(0.5):
        thing.disc(0, 0.6 * s, 0.21 * s, board, high=0.22 * s, part="lid", w=0.3, shade=0.9)
    thing.poly(
        [
            (-0.13 * s, 0),
            (0.13 * s, 0),
            (0.12 * s, 0.15 * s),
            (0.22 * s, 0.4 * s),
            (-0.22 * s, 0.4 * s),
            (-0.12 * s, 0.15 * s),
        ],
        glaze,
        shade=0.88,
    )
    thing.disc(0, 0.4 * s, 0.24 * s, board, high=0.1 * s, part="seat")
    thing.disc(0, 0.4 * s, 0.16 * s, glaze, high=0.055 * s, shade=0.55)
    return thing


def basin(stage: Stage, x: float, z: float, *, wide: float = 0.85) -> Thing:
    """A wash basin on a foot, with a tap."""
    glaze = stage.paint(
        "ceramic", color=stage.rng.choice(("white", "white", "white", "blue", "green")), plain=True
    )
    chrome = stage.paint("metal", color=stage.rng.choice(("grey", "yellow")), plain=True)
    thing = stage.thing("sink", x=x, z=z, color=glaze.color)
    half = wide / 2
    thing.shadow(0.3, 0.2)
    thing.poly([(-0.14, 0), (0.14, 0), (0.09, 0.65), (-0.09, 0.65)], glaze, part="leg", shade=0.8, w=0.15)
    thing.poly([(-half * 0.6, 0.62), (half * 0.6, 0.62), (half, 0.88), (-half, 0.88)], glaze, shade=0.92)
    thing.face(
        [(-half, 0.88, 0), (half, 0.88, 0), (half * 0.95, 0.88, 0.45), (-half * 0.95, 0.88, 0.45)],
        glaze,
        shade=1.08,
    )
    thing.face(
        [
            (-half * 0.75, 0.88, 0.07),
            (half * 0.75, 0.88, 0.07),
            (half * 0.7, 0.88, 0.35),
            (-half * 0.7, 0.88, 0.35),
        ],
        glaze,
        shade=0.6,
    )
    thing.rect(-half, 0.84, half, 0.9, glaze, shade=1.1)
    tap(thing, 0.88, 0.38, 0.24, chrome)
    return thing


def towel(stage: Stage, wall: Thing, x: float, y: float, *, wide: float = 0.55, high: float = 0.75) -> Thing:
    """A towel on a bar; y is the bar's height."""
    rng = stage.rng
    cloth = stage.paint("fabric", texture=rng.choice(("", "striped", "chequered", "woven", "zigzagged")))
    chrome = stage.paint("metal", color="grey", plain=True)
    thing = stage.thing("towel", x=x, y=y, z=wall.z - 0.06, on=wall, color=cloth.color)
    half = wide / 2
    thing.rect(-half - 0.1, -0.03, half + 0.1, 0.03, chrome, part="pole")
    thing.rect(-half, -high, half, 0.05, cloth)
    thing.rect(
        -half,
        -high * 0.86,
        half,
        -high * 0.74,
        stage.paint("fabric", color="white" if cloth.color != "white" else "red", plain=True),
    )
    thing.rect(half * 0.1, -high * 0.65, half, 0.05, cloth, shade=0.85)
    return thing


def washing_machine(stage: Stage, x: float, z: float, *, wide: float = 0.85) -> Thing:
    """A washing machine with a round door."""
    rng = stage.rng
    body = stage.paint("metal", color=rng.choice(("white", "white", "grey")), plain=True)
    rim = stage.paint("metal", color=rng.choice(("grey", "black", "blue")), plain=True)
    glass = stage.paint("glass", color=rng.choice(("blue", "black")))
    thing = stage.thing("washing machine", x=x, z=z, color=body.color)
    half, high = wide / 2, wide * 1.12
    thing.shadow(half * 1.1, 0.3)
    thing.box(-half, 0, half, high, 0.5, body)
    thing.rect(-half, high - 0.18, half, high, body, shade=1.12)
    thing.rect(-half + 0.06, high - 0.14, -half + 0.3, high - 0.05, rim, part="drawer", shade=1.1)
    thing.disc(half - 0.14, high - 0.09, 0.06, rim, part="knob")
    thing.disc(0, high * 0.42, half * 0.72, rim, part="door")
    thing.disc(0, high * 0.42, half * 0.52, glass, part="door", shade=0.8)
    thing.disc(-half * 0.15, high * 0.42 + half * 0.15, half * 0.15, glass, part="door", shade=1.5)
    return thing


def shower(stage: Stage, x: float, z: float, *, wide: float = 0.88, high: float = 2.0) -> Thing:
    """A shower with a tray, a drawn-back curtain and a shower head."""
    rng = stage.rng
    cloth = stage.paint("plastic", texture=rng.choice(("", "striped", "dotted", "zigzagged", "chequered")))
    chrome = stage.paint("metal", color="grey", plain=True)
    tray = stage.paint("ceramic", color="white", plain=True)
    thing = stage.thing("shower", x=x, z=z, color=cloth.color)
    half, side = wide / 2, rng.choice((-1, 1))
    thing.shadow(half, 0.3)
    thing.rect(-half, 0.1, half, high, stage.paint("tile"), part="back", w=0.5, shade=0.9)
    pipe = [(side * half * 0.5, 0.9), (side * half * 0.5, high - 0.2), (side * half * 0.15, high - 0.2)]
    thing.line(pipe, 0.05, chrome, part="pole", w=0.45)
    thing.poly(
        [
            (side * half * 0.15 - 0.16, high - 0.34),
            (side * half * 0.15 + 0.16, high - 0.34),
            (side * half * 0.15, high - 0.18),
        ],
        chrome,
        w=0.4,
    )
    thing.box(-half, 0, half, 0.14, 0.55, tray)
    edge, inner = -side * half, side * half * rng.uniform(-0.3, 0.1)
    thing.poly([(edge, 0.16), (inner * 1.2, 0.16), (inner, high), (edge, high)], cloth, part="curtain")
    thing.rect(-half - 0.04, high - 0.02, half + 0.04, high + 0.04, chrome, part="pole")
    return thing


def bottle(stage: Stage, on: Thing, u: float, v: float, *, w: float = 0.1, high: float = 0.46) -> Thing:
    """A bottle of soap with a cap."""
    body = stage.paint(
        "plastic", color=stage.rng.choice(("green", "pink", "blue", "orange", "purple", "yellow")), plain=True
    )
    cap = stage.paint("plastic", color=stage.rng.choice(("white", "black", "red")), plain=True)
    thing = stage.thing("bottle", x=on.x + u, y=on.y + v, z=on.z + w, on=on, color=body.color)
    h = high
    thing.poly(
        [
            (-0.24 * h, 0),
            (0.24 * h, 0),
            (0.24 * h, 0.6 * h),
            (0.1 * h, 0.78 * h),
            (-0.1 * h, 0.78 * h),
            (-0.24 * h, 0.6 * h),
        ],
        body,
    )
    thing.rect(-0.1 * h, 0.76 * h, 0.1 * h, h, cap, part="lid")
    thing.rect(-0.24 * h, 0.18 * h, 0.24 * h, 0.44 * h, cap)
    return thing
