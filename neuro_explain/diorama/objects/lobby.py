"""What stands in a lobby: elevators, sofas, columns, suitcases, vases, machines."""

from __future__ import annotations

from neuro_explain.diorama.stage import Stage, Thing


def elevator(stage: Stage, wall: Thing, x: float, *, wide: float = 1.05, high: float = 2.05) -> Thing:
    """An elevator in the back wall: two door leaves, a frame, a display, a panel of buttons; now and then open."""
    rng = stage.rng
    steel = stage.paint(
        "metal", color=rng.choice(("grey", "grey", "white", "black", "yellow")), plain=stage.chance(0.4)
    )
    frame = stage.paint(rng.choice(("metal", "stone", "wood")), plain=True)
    dark = stage.paint("metal", color="black", plain=True)
    thing = stage.thing("elevator", x=x, z=wall.z - 0.03, color=steel.color, on=wall)
    half = wide / 2
    thing.rect(-half - 0.13, 0, half + 0.13, high + 0.14, frame, part="frame")
    thing.rect(-half, 0, half, high, dark, shade=0.8)
    gap = wide * 0.22 if stage.chance(0.25) else 0.015
    if gap > 0.1:
        thing.rect(-gap, 0, gap, high, stage.paint("wood"), part="back", shade=1.1)
    for u0, u1 in ((-half, -gap), (gap, half)):
        thing.rect(u0, 0, u1, high, steel, part="door", shade=1.05)
        thing.rect(u0 + (u1 - u0) * 0.4, 0, u0 + (u1 - u0) * 0.6, high, steel, part="door", shade=1.2)
    thing.rect(-0.22, high + 0.16, 0.22, high + 0.34, dark, part="screen")
    lit = stage.paint("glass", color=rng.choice(("red", "green", "orange")), plain=True)
    thing.poly([(-0.07, high + 0.2), (0.07, high + 0.2), (0.0, high + 0.31)], lit, part="screen", shade=1.2)
    side = half + 0.35
    thing.rect(side - 0.11, 0.95, side + 0.11, 1.4, steel, part="button panel", shade=0.75)
    for v in (1.08, 1.26):
        thing.disc(side, v, 0.065, lit, part="button")
    return thing


def sofa(stage: Stage, x: float, z: float, *, wide: float = 1.5, kind: str = "sofa") -> Thing:
    """A sofa (or, narrow, an armchair) with arms and cushions."""
    rng = stage.rng
    texture = rng.choice(("", "", "", "striped", "chequered", "dotted"))
    cloth = stage.paint("leather") if stage.chance(0.3) else stage.paint("fabric", texture=texture)
    foot = stage.paint("wood", color="black", plain=True)
    thing = stage.thing(kind, x=x, z=z, color=cloth.color)
    half = wide / 2
    thing.shadow(half * 1.05, 0.35)
    thing.rect(-half + 0.1, 0.3, half - 0.1, 0.92, cloth, part="back", shade=0.85, w=0.45)
    thing.rect(-half + 0.1, 0.86, half - 0.1, 0.94, cloth, part="back", shade=1.05, w=0.45)
    for u in (-half + 0.05, half - 0.13):
        thing.rect(u, 0, u + 0.08, 0.12, foot, part="leg")
    thing.box(-half + 0.1, 0.1, half - 0.1, 0.34, 0.5, cloth, shade=0.85)
    seats = max(round((wide - 0.3) / 0.6), 1)
    span = (wide - 0.4) / seats
    for k in range(seats):
        u = -half + 0.2 + k * span
        thing.box(u + 0.01, 0.32, u + span - 0.01, 0.46, 0.45, cloth, part="cushion", w=-0.02, shade=1.05)
    for u in (-half, half - 0.2):
        thing.box(u, 0.08, u + 0.2, 0.62, 0.5, cloth, part="arm", w=-0.02, shade=0.95)
    return thing


def column(stage: Stage, x: float, z: float, high: float, *, radius: float = 0.2) -> Thing:
    """A column from the floor to the ceiling."""
    rng = stage.rng
    stone = stage.paint(rng.choice(("stone", "stone", "concrete", "plaster", "tile")))
    thing = stage.thing("column", x=x, z=z, color=stone.color)
    r = radius
    thing.shadow(r * 1.5, r)
    thing.rect(-r, 0.0, r, high, stone)
    thing.rect(-r, 0.0, -r * 0.5, high, stone, shade=0.78)
    thing.rect(r * 0.5, 0.0, r, high, stone, shade=0.86)
    thing.rect(-r * 0.2, 0.0, r * 0.15, high, stone, shade=1.12)
    thing.rect(-r * 1.35, 0, r * 1.35, 0.22, stone, shade=0.95)
    thing.rect(-r * 1.35, high - 0.2, r * 1.35, high, stone, shade=0.85)
    return thing


def suitcase(stage: Stage, x: float, z: float, *, high: float = 0.65) -> Thing:
    """A suitcase on wheels."""
    rng = stage.rng
    shell = stage.paint(
        rng.choice(("plastic", "leather", "fabric")),
        color=rng.choice(("red", "blue", "brown", "black", "orange", "green", "purple")),
    )
    metal = stage.paint("metal", color="grey", plain=True)
    thing = stage.thing("suitcase", x=x, z=z, color=shell.color)
    half = high * 0.36
    thing.shadow(half * 1.2)
    thing.line(
        [(-half * 0.45, high), (-half * 0.45, high * 1.4), (half * 0.45, high * 1.4), (half * 0.45, high)],
        0.05,
        metal,
        part="handle",
    )
    for u in (-half * 0.75, half * 0.75):
        thing.disc(u, 0.05, 0.055, stage.paint("rubber", plain=True), part="wheel")
    thing.box(-half, 0.08, half, high, 0.26, shell)
    for u in (-half * 0.55, 0.0, half * 0.55):
        thing.rect(u - 0.025, 0.12, u + 0.025, high - 0.06, shell, shade=0.7)
    thing.rect(-half, high * 0.52, half, high * 0.6, metal, part="strap", shade=0.9)
    return thing


def vase(
    stage: Stage, x: float, z: float, *, y: float = 0.0, on: Thing | None = None, high: float = 0.8
) -> Thing:
    """A large vase with dry branches."""
    rng = stage.rng
    glaze = stage.paint(
        "ceramic",
        color=rng.choice(("blue", "white", "red", "black", "orange")),
        texture=rng.choice(("", "zigzagged", "striped", "chequered")),
    )
    twig = stage.paint("wood", color="brown", plain=True)
    thing = stage.thing("vase", x=x, y=y, z=z, color=glaze.color, on=on)
    h = high
    if on is None:
        thing.shadow(h * 0.32)
    for lean in (-0.3, -0.08, 0.12, 0.32):
        tip = lean * h, h * rng.uniform(1.3, 1.55)
        thing.line([(lean * 0.2 * h, 0.9 * h), tip], 0.03, twig, part="branch")
        thing.disc(
            tip[0],
            tip[1],
            0.055 * h,
            stage.paint("fabric", color=rng.choice(("pink", "white", "red", "yellow")), plain=True)._replace(
                material=""
            ),
            part="branch",
        )
    outline = [
        (-0.16 * h, 0),
        (0.16 * h, 0),
        (0.32 * h, 0.4 * h),
        (0.28 * h, 0.65 * h),
        (0.13 * h, 0.85 * h),
        (0.19 * h, h),
        (-0.19 * h, h),
        (-0.13 * h, 0.85 * h),
        (-0.28 * h, 0.65 * h),
        (-0.32 * h, 0.4 * h),
    ]
    thing.poly(outline, glaze)
    thing.disc(0, h, 0.19 * h, glaze, high=0.04 * h, shade=0.6)
    return thing


def vending_machine(stage: Stage, x: float, z: float, *, wide: float = 0.9, high: float = 1.85) -> Thing:
    """A vending machine with lit rows of cans behind glass."""
    rng = stage.rng
    case = stage.paint("metal", color=rng.choice(("red", "blue", "black", "green")), plain=True)
    glow = stage.paint("glass", color="white", plain=True)
    dark = stage.paint("plastic", color="black", plain=True)
    thing = stage.thing("vending machine", x=x, z=z, color=case.color)
    half = wide / 2
    thing.shadow(half * 1.1, 0.3)
    thing.box(-half, 0, half, high, 0.5, case)
    u0, u1, v0, v1 = -half + 0.07, half - 0.26, 0.55, high - 0.12
    thing.rect(u0, v0, u1, v1, glow, part="window pane", shade=1.05)
    for row in range(3):
        v = v0 + 0.04 + row * (v1 - v0) / 3
        for k in range(3):
            u = u0 + 0.03 + k * (u1 - u0) / 3
            can = stage.paint(
                "metal", color=rng.choice(("red", "orange", "green", "blue", "yellow", "purple")), plain=True
            )
            thing.rect(u, v, u + 0.12, v + 0.26, can)
        thing.rect(u0, v - 0.04, u1, v, dark, part="shelf", shade=1.6)
    thing.rect(half - 0.2, 1.0, half - 0.06, 1.4, dark, part="button panel")
    for v in (1.1, 1.28):
        thing.disc(half - 0.13, v, 0.045, stage.paint("plastic", color="yellow", plain=True), part="button")
    thing.rect(u0, 0.18, u1, 0.4, dark, shade=1.2)
    return thing
