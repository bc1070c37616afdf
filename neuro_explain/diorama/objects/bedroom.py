"""Beds, pillows, wardrobes, and the rest of a bedroom."""

from __future__ import annotations

from neuro_explain.diorama.stage import Stage, Thing


def bed(stage: Stage, x: float, z: float, *, wide: float = 1.5, sideways: bool = False) -> Thing:
    """A bed with its foot (or, sideways, its long side) towards the camera; z is its near end."""
    rng = stage.rng
    wood = stage.paint("wood") if stage.chance(0.7) else stage.paint("metal", plain=True)
    cover = stage.paint("fabric", texture=rng.choice(("", "", "striped", "chequered", "dotted", "zigzagged")))
    sheet = stage.paint("fabric", color="white", plain=True)
    thing = stage.thing("bed", x=x, z=z, color=cover.color)
    half = 0.95 if sideways else wide / 2
    deep = 0.95 if sideways else 1.55
    thing.shadow(half * 1.1, deep * 0.45)
    if sideways:
        thing.box(-half - 0.09, 0, -half, 1.05, deep, wood, part="headboard")
    else:
        thing.rect(-half - 0.05, 0, half + 0.05, 1.12, wood, part="headboard", w=deep)
        thing.rect(-half - 0.05, 1.04, half + 0.05, 1.12, wood, part="headboard", w=deep, shade=1.2)
    for u in (-half, half - 0.1):
        thing.rect(u, 0, u + 0.1, 0.2, wood, part="leg", shade=0.7)
    thing.box(-half, 0.16, half, 0.34, deep, wood, shade=0.9)
    thing.box(-half + 0.02, 0.34, half - 0.02, 0.5, deep, sheet)
    if sideways:
        thing.box(-half * 0.35, 0.26, half + 0.01, 0.54, deep, cover)
    else:
        thing.box(-half - 0.01, 0.26, half + 0.01, 0.54, deep * 0.66, cover)
    return thing


def pillow(stage: Stage, on: Thing, u: float, v: float, *, w: float = 0.0, wide: float = 0.6) -> Thing:
    """A plump pillow that stands upright, leaning back; v is the height of what it lies on."""
    rng = stage.rng
    cloth = stage.paint("fabric", texture=rng.choice(("", "", "striped", "dotted", "chequered")))
    thing = stage.thing("pillow", x=on.x + u, y=on.y + v, z=on.z + w, on=on, color=cloth.color)
    half, high = wide / 2, wide * 0.62
    outline = [
        (-half, 0.0), (-half * 0.8, 0.03), (0.0, -0.01), (half * 0.8, 0.03), (half, 0.0),
        (half * 0.92, high * 0.5), (half, high), (half * 0.7, high * 0.95), (0.0, high * 1.02),
        (-half * 0.7, high * 0.95), (-half, high), (-half * 0.92, high * 0.5),
    ]  # fmt: skip
    thing.poly(outline, cloth, shade=1.05)
    if not cloth.texture:
        thing.poly(
            [(-half * 0.8, 0.03), (half * 0.8, 0.03), (half * 0.7, high * 0.25), (-half * 0.7, high * 0.25)],
            cloth,
            shade=0.85,
        )
    return thing


def wardrobe(stage: Stage, x: float, z: float, *, wide: float = 1.1, high: float = 2.0) -> Thing:
    """A tall wardrobe with two doors."""
    rng = stage.rng
    wood = stage.paint("wood", color=rng.choice(("brown", "brown", "orange", "white", "blue", "green")))
    knob = stage.paint("metal", color=rng.choice(("yellow", "grey", "black")), plain=True)
    thing = stage.thing("wardrobe", x=x, z=z, color=wood.color)
    half = wide / 2
    thing.shadow(half * 1.1, 0.3)
    thing.box(-half, 0.08, half, high, 0.5, wood)
    thing.rect(-half - 0.05, high - 0.09, half + 0.05, high + 0.02, wood, shade=1.15)
    for u in (-half, half - 0.12):
        thing.rect(u, 0, u + 0.12, 0.09, wood, part="leg", shade=0.6)
    for side in (-1, 1):
        u0, u1 = sorted((side * 0.02, side * (half - 0.05)))
        thing.rect(u0, 0.14, u1, high - 0.14, wood, part="door", shade=0.78)
        for v0, v1 in ((0.2, 0.45 * high), (0.5 * high, high - 0.2)):
            thing.rect(u0 + 0.06, v0, u1 - 0.06, v1, wood, part="door", shade=1.08)
        handle = sorted((side * 0.05, side * 0.1))
        thing.rect(handle[0], 0.42 * high, handle[1], 0.56 * high, knob, part="door handle")
    return thing


def drawers(
    stage: Stage,
    x: float,
    z: float,
    *,
    kind: str,
    wide: float = 0.9,
    high: float = 0.85,
    material: str = "wood",
) -> Thing:
    """A block of drawers: a chest of drawers, a filing cabinet, a night stand; `kind` says which."""
    rng = stage.rng
    body = stage.paint(material, plain=material == "metal")  # a gleam would look like stripes
    knob = stage.paint("metal", color=rng.choice(("grey", "black", "yellow")), plain=True)
    thing = stage.thing(kind, x=x, z=z, color=body.color)
    half, count = wide / 2, max(round(high / 0.3), 1)
    thing.shadow(half * 1.1, 0.3)
    thing.box(-half, 0, half, high, 0.45, body)
    tall = (high - 0.08) / count
    for k in range(count):
        v = 0.05 + k * tall
        thing.rect(-half + 0.04, v, half - 0.04, v + tall - 0.03, body, part="drawer", shade=0.72)
        thing.rect(-half + 0.06, v + 0.02, half - 0.06, v + tall - 0.05, body, part="drawer", shade=1.08)
        for u in (-half * 0.45, half * 0.45) if wide > 0.7 else (0.0,):
            thing.rect(u - 0.07, v + tall * 0.45, u + 0.07, v + tall * 0.62, knob, part="handle")
    return thing


def teddy_bear(
    stage: Stage, x: float, z: float, *, y: float = 0.0, on: Thing | None = None, high: float = 0.6
) -> Thing:
    """A sitting teddy bear."""
    rng = stage.rng
    fur = stage.paint("fur", color=rng.choice(("brown", "brown", "orange", "white", "pink")))
    pale = stage.paint("fur", color="white" if fur.color != "white" else "pink", plain=True)
    dark = stage.paint("plastic", color="black", plain=True)
    thing = stage.thing("teddy bear", x=x, y=y, z=z, color=fur.color, on=on)
    if on is None:
        thing.shadow(high * 0.5)
    h = high
    for side in (-1, 1):
        thing.disc(side * 0.18 * h, 0.9 * h, 0.09 * h, fur, part="head", shade=0.8)
        thing.disc(side * 0.3 * h, 0.42 * h, 0.1 * h, fur, high=0.17 * h, part="arm", shade=0.85)
    thing.disc(0, 0.32 * h, 0.27 * h, fur, high=0.3 * h, part="body")
    thing.disc(0, 0.3 * h, 0.15 * h, pale, high=0.18 * h, part="body")
    for side in (-1, 1):
        thing.disc(side * 0.26 * h, 0.1 * h, 0.13 * h, fur, high=0.11 * h, part="leg", shade=0.9)
    thing.disc(0, 0.74 * h, 0.24 * h, fur, high=0.21 * h, part="head", shade=1.05)
    thing.disc(0, 0.67 * h, 0.1 * h, pale, high=0.08 * h, part="head")
    thing.disc(0, 0.7 * h, 0.035 * h, dark, part="head")
    for side in (-1, 1):
        thing.disc(side * 0.09 * h, 0.8 * h, 0.03 * h, dark, part="head")
    return thing
