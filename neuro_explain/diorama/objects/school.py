"""What stands in a classroom: small desks, a globe, backpacks, an abacus, a lectern."""

from __future__ import annotations

from neuro_explain.diorama.stage import Stage, Thing


def globe(stage: Stage, on: Thing, u: float, v: float, *, w: float = 0.2, radius: float = 0.24) -> Thing:
    """A globe in a bow on a foot."""
    rng = stage.rng
    sea = stage.paint("plastic", color="blue", plain=True)
    foot = stage.paint(rng.choice(("wood", "metal")), plain=True)
    thing = stage.thing("globe", x=on.x + u, y=on.y + v, z=on.z + w, on=on, color="blue")
    r = radius
    thing.disc(0, 0.03, r * 0.6, foot, high=0.035)
    thing.rect(-0.025, 0.03, 0.025, 0.16, foot, part="pole")
    middle = 0.14 + r
    thing.disc(0.02, middle, r * 1.12, foot, part="frame")
    thing.disc(0, middle, r, sea)
    for du, dv, wide in ((-0.35, 0.25, 0.4), (0.4, -0.2, 0.34), (-0.2, -0.5, 0.25), (0.35, 0.5, 0.25)):
        land = stage.paint("plastic", color=rng.choice(("green", "yellow", "green")), plain=True)
        thing.blob(du * r, middle + dv * r, wide * r, wide * r * 0.9, land, rough=0.3)
    return thing


def backpack(
    stage: Stage, x: float, z: float, *, y: float = 0.0, on: Thing | None = None, high: float = 0.55
) -> Thing:
    """A backpack with a front pocket."""
    rng = stage.rng
    texture = rng.choice(("", "", "striped", "dotted", "zigzagged"))
    cloth = stage.paint("fabric", texture=texture)
    pocket = stage.paint("fabric", plain=True)
    thing = stage.thing("backpack", x=x, y=y, z=z, color=cloth.color, on=on)
    h = high
    if on is None:
        thing.shadow(h * 0.45)
    thing.line(
        [(-0.1 * h, 0.95 * h), (-0.1 * h, 1.1 * h), (0.1 * h, 1.1 * h), (0.1 * h, 0.95 * h)],
        0.05,
        pocket,
        part="strap",
    )
    for side in (-1, 1):
        thing.line(
            [(side * 0.32 * h, 0.85 * h), (side * 0.47 * h, 0.4 * h), (side * 0.36 * h, 0.08 * h)],
            0.06,
            pocket,
            part="strap",
            shade=0.8,
        )
    outline = [
        (-0.36 * h, 0),
        (0.36 * h, 0),
        (0.4 * h, 0.5 * h),
        (0.33 * h, 0.88 * h),
        (0.16 * h, h),
        (-0.16 * h, h),
        (-0.33 * h, 0.88 * h),
        (-0.4 * h, 0.5 * h),
    ]
    thing.poly(outline, cloth)
    thing.poly(
        [(-0.26 * h, 0.06 * h), (0.26 * h, 0.06 * h), (0.28 * h, 0.4 * h), (-0.28 * h, 0.4 * h)],
        pocket,
        shade=0.95,
    )
    thing.rect(-0.28 * h, 0.36 * h, 0.28 * h, 0.43 * h, pocket, shade=0.65)
    thing.line([(-0.3 * h, 0.7 * h), (0.0, 0.78 * h), (0.3 * h, 0.7 * h)], 0.03, pocket, shade=0.7)
    return thing


def abacus(
    stage: Stage, x: float, z: float, *, y: float = 0.0, on: Thing | None = None, wide: float = 0.65
) -> Thing:
    """A counting frame with coloured beads."""
    rng = stage.rng
    wood = stage.paint("wood", plain=True)
    metal = stage.paint("metal", color="grey", plain=True)
    thing = stage.thing("abacus", x=x, y=y, z=z, on=on)
    half, high = wide / 2, wide * 0.85
    if on is None:
        thing.shadow(half)
    rows = 4
    for k in range(rows):
        v = 0.1 + (k + 0.5) * (high - 0.15) / rows
        thing.rect(-half, v - 0.012, half, v + 0.012, metal, part="pole")
        bead = stage.paint("wood", color=rng.choice(("red", "yellow", "blue", "green", "orange")), plain=True)
        count, left = 4, rng.randrange(0, 5)
        for n in range(count):
            u = -half + 0.1 + n * 0.09 if n < left else half - 0.1 - (count - 1 - n) * 0.09
            thing.disc(u, v, 0.042, bead, high=0.055)
    for u in (-half, half):
        thing.rect(u - 0.03, 0, u + 0.03, high, wood, part="frame")
    thing.rect(-half, high - 0.05, half, high + 0.02, wood, part="frame", shade=1.1)
    thing.rect(-half - 0.06, 0, half + 0.06, 0.07, wood, part="frame", shade=0.85)
    return thing


def lectern(stage: Stage, x: float, z: float, *, high: float = 1.2) -> Thing:
    """A teacher's stand with a slanted top."""
    wood = stage.paint("wood")
    thing = stage.thing("lectern", x=x, z=z, color=wood.color)
    thing.shadow(0.4, 0.25)
    thing.box(-0.36, 0, 0.36, 0.12, 0.4, wood, shade=0.8)
    thing.poly([(-0.22, 0.12), (0.22, 0.12), (0.3, high - 0.16), (-0.3, high - 0.16)], wood)
    thing.poly([(-0.14, 0.22), (0.14, 0.22), (0.2, high - 0.3), (-0.2, high - 0.3)], wood, shade=0.78)
    thing.face(
        [(-0.42, high - 0.16, -0.08), (0.42, high - 0.16, -0.08), (0.42, high, 0.35), (-0.42, high, 0.35)],
        wood,
        shade=1.12,
    )
    thing.rect(-0.42, high - 0.22, 0.42, high - 0.15, wood, shade=0.9, w=-0.08)
    return thing


def school_desk(stage: Stage, x: float, z: float, *, wide: float = 0.75) -> Thing:
    """A pupil's desk with metal legs and a shelf below its coloured or wooden top."""
    rng = stage.rng
    board = stage.paint("wood", color=rng.choice(("brown", "orange", "white", "green", "blue")), plain=True)
    metal = stage.paint("metal", color=rng.choice(("grey", "black", "blue")), plain=True)
    thing = stage.thing("desk", x=x, z=z, color=board.color)
    half, high, deep = wide / 2, 0.68, 0.42
    thing.shadow(half, 0.25)
    for w, shade in ((deep - 0.04, 0.55), (0.0, 0.9)):
        for u in (-half + 0.03, half - 0.08):
            thing.rect(u, 0, u + 0.05, high, metal, part="leg", shade=shade, w=w)
    thing.rect(-half + 0.06, high - 0.22, half - 0.06, high - 0.05, board, part="shelf", shade=0.55, w=0.06)
    thing.box(-half, high - 0.06, half, high, deep, board)
    return thing
