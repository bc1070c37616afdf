"""People: standing about, or reading."""

from __future__ import annotations

from neuro_explain.diorama.stage import Stage, Thing


def person(
    stage: Stage, x: float, z: float, *, high: float = 1.65, y: float = 0.0, on: Thing | None = None
) -> Thing:
    """Someone standing, in trousers or a skirt, with short or long hair."""
    return _figure(stage, x, z, high, y, on, reading=False)


def reader(stage: Stage, x: float, z: float, *, high: float = 1.65) -> Thing:
    """Someone who stands and holds an open book; the book is a thing of its own, on the person."""
    thing = _figure(stage, x, z, high, 0.0, None, reading=True)
    cover = stage.paint("paper", plain=True)
    white = stage.paint("paper", color="white", plain=True)
    h = high
    book = stage.thing("book", x=x, y=0.6 * h, z=z, on=thing, color=cover.color)
    book.poly(
        [
            (-0.17 * h, 0.0),
            (0.0, -0.02 * h),
            (0.17 * h, 0.0),
            (0.17 * h, 0.17 * h),
            (0.0, 0.15 * h),
            (-0.17 * h, 0.17 * h),
        ],
        cover,
    )
    book.poly(
        [
            (-0.15 * h, 0.15 * h),
            (0.0, 0.13 * h),
            (0.15 * h, 0.15 * h),
            (0.15 * h, 0.19 * h),
            (0.0, 0.165 * h),
            (-0.15 * h, 0.19 * h),
        ],
        white,
        part="page",
    )
    book.rect(-0.008 * h, -0.02 * h, 0.008 * h, 0.15 * h, cover, part="spine", shade=0.7)
    return thing


def _figure(
    stage: Stage, x: float, z: float, high: float, y: float, on: Thing | None, *, reading: bool
) -> Thing:
    rng = stage.rng
    skin = stage.paint("skin", color=rng.choice(("pink", "brown")), plain=True)
    if skin.color == "pink":
        skin = skin._replace(rgb=(236, 188, 160), second=(236, 188, 160))
    shirt = stage.paint("fabric", texture=rng.choice(("", "", "striped")))
    legs = stage.paint("fabric", color=rng.choice(("blue", "black", "grey", "brown")), plain=True)
    hair = stage.paint("fur", color=rng.choice(("black", "brown", "orange", "grey")), plain=True)
    shoe = stage.paint("leather", color=rng.choice(("black", "brown", "red")), plain=True)
    thing = stage.thing("person", x=x, y=y, z=z, color=shirt.color, on=on)
    thing.shadow(high * 0.16)
    h = high
    if stage.chance(0.4):  # long hair falls behind the shoulders
        thing.poly(
            [(-0.09 * h, 0.93 * h), (0.09 * h, 0.93 * h), (0.11 * h, 0.78 * h), (-0.11 * h, 0.78 * h)],
            hair,
            part="head",
            shade=0.9,
        )
    skirt = stage.chance(0.35)
    for u0, u1, shade in ((-0.09, -0.012, 0.88), (0.012, 0.09, 1.0)):
        thing.rect(u0 * h, 0.02 * h, u1 * h, 0.48 * h, skin if skirt else legs, part="leg", shade=shade)
        thing.rect((u0 - 0.01) * h, 0, (u1 + 0.01) * h, 0.04 * h, shoe, part="leg")
    if skirt:
        thing.poly(
            [(-0.1 * h, 0.5 * h), (0.1 * h, 0.5 * h), (0.17 * h, 0.24 * h), (-0.17 * h, 0.24 * h)],
            legs,
            part="body",
        )
    thing.poly(
        [(-0.1 * h, 0.46 * h), (0.1 * h, 0.46 * h), (0.135 * h, 0.82 * h), (-0.135 * h, 0.82 * h)],
        shirt,
        part="body",
    )
    thing.rect(-0.03 * h, 0.8 * h, 0.03 * h, 0.87 * h, skin, part="head", shade=0.85)
    for side in (-1, 1):
        hand = (side * 0.12 * h, 0.62 * h) if reading else (side * 0.175 * h, 0.46 * h)
        elbow = (side * 0.18 * h, 0.62 * h)
        thing.line([(side * 0.125 * h, 0.79 * h), elbow, hand], 0.05 * h, shirt, part="arm", shade=0.86)
        thing.disc(*hand, 0.028 * h, skin, part="hand")
    thing.disc(0, 0.92 * h, 0.07 * h, skin, high=0.08 * h, part="head")
    thing.poly(
        [
            (-0.078 * h, 0.91 * h),
            (-0.06 * h, 0.955 * h),
            (0.06 * h, 0.955 * h),
            (0.078 * h, 0.91 * h),
            (0.075 * h, 0.98 * h),
            (0.03 * h, 1.015 * h),
            (-0.03 * h, 1.015 * h),
            (-0.075 * h, 0.98 * h),
        ],
        hair,
        part="head",
    )
    return thing
