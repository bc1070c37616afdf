"""What stands in a shop: cash register, display stand, ladder, basket."""

from __future__ import annotations

from neuro_explain.diorama.stage import Stage, Thing


def cash_register(
    stage: Stage, on: Thing, u: float, v: float, *, w: float = 0.12, size: float = 0.5
) -> Thing:
    """A cash register: drawer, slanted keys, display."""
    rng = stage.rng
    case = stage.paint("metal", color=rng.choice(("grey", "black", "red", "green", "white")), plain=True)
    dark = stage.paint("plastic", color="black" if case.color != "black" else "grey", plain=True)
    lit = stage.paint("glass", color=rng.choice(("green", "orange", "yellow")), plain=True)
    thing = stage.thing("cash register", x=on.x + u, y=on.y + v, z=on.z + w, on=on, color=case.color)
    s = size
    thing.box(-0.5 * s, 0, 0.5 * s, 0.3 * s, 0.35, case, shade=0.9)
    thing.rect(-0.42 * s, 0.06 * s, 0.42 * s, 0.24 * s, case, part="drawer", shade=0.7)
    thing.rect(-0.08 * s, 0.12 * s, 0.08 * s, 0.18 * s, dark, part="handle")
    thing.poly(
        [(-0.5 * s, 0.3 * s), (0.5 * s, 0.3 * s), (0.42 * s, 0.72 * s), (-0.42 * s, 0.72 * s)],
        case,
        shade=1.12,
    )
    for row in range(3):
        for k in range(4):
            thing.rect(
                (-0.34 + k * 0.18) * s,
                (0.36 + row * 0.12) * s,
                (-0.22 + k * 0.18) * s,
                (0.43 + row * 0.12) * s,
                dark,
                part="keys",
            )
    thing.rect(-0.06 * s, 0.7 * s, 0.06 * s, 0.84 * s, case, shade=0.7)
    thing.rect(-0.3 * s, 0.8 * s, 0.3 * s, 1.08 * s, case)
    thing.rect(-0.24 * s, 0.86 * s, 0.24 * s, 1.02 * s, lit, part="screen", shade=1.1)
    return thing


def display_stand(stage: Stage, x: float, z: float, *, high: float = 1.45) -> Thing:
    """A turning stand on a foot, with rows of cards."""
    rng = stage.rng
    metal = stage.paint("metal", color=rng.choice(("grey", "black", "white", "red")), plain=True)
    thing = stage.thing("display stand", x=x, z=z, color=metal.color)
    thing.shadow(0.35)
    thing.disc(0, 0.04, 0.3, metal, high=0.06)
    thing.rect(-0.03, 0.04, 0.03, high + 0.1, metal, part="pole")
    thing.disc(0, high + 0.12, 0.06, metal)
    rows = 3
    tall = (high - 0.35) / rows
    for row in range(rows):
        v = 0.38 + row * tall
        for u0, u1, w, shade in (
            (-0.34, -0.12, 0.08, 0.75),
            (0.12, 0.34, 0.08, 0.85),
            (-0.13, 0.13, 0.0, 1.05),
        ):
            thing.rect(
                u0, v, u1, v + tall - 0.09, stage.paint("paper", plain=True), part="page", shade=shade, w=w
            )
        thing.rect(-0.36, v - 0.03, 0.36, v + 0.04, metal, part="shelf", shade=1.1)
    return thing


def ladder(stage: Stage, x: float, z: float, *, high: float = 1.7) -> Thing:
    """A step ladder."""
    rng = stage.rng
    rail = stage.paint(
        rng.choice(("wood", "wood", "metal")),
        color=rng.choice(("orange", "brown", "grey", "yellow", "red")),
        plain=True,
    )
    thing = stage.thing("ladder", x=x, z=z, color=rail.color)
    low, top = 0.36, 0.22
    thing.shadow(low)
    for side in (-1, 1):
        thing.line(
            [(side * (low + 0.08), 0), (side * top * 0.9, high)], 0.06, rail, part="leg", shade=0.55, w=0.35
        )
    steps = 5
    for k in range(steps):
        v = high * (k + 0.6) / steps
        half = low + (top - low) * v / high
        thing.rect(-half, v - 0.045, half, v + 0.045, rail, part="step", shade=0.85)
    for side in (-1, 1):
        thing.line([(side * low, 0), (side * top, high)], 0.085, rail, part="rail", shade=1.05)
    thing.box(-top - 0.06, high - 0.03, top + 0.06, high + 0.06, 0.25, rail, part="step")
    return thing


def basket(
    stage: Stage, x: float, z: float, *, y: float = 0.0, on: Thing | None = None, wide: float = 0.6
) -> Thing:
    """A woven basket with a bow handle."""
    rng = stage.rng
    cane = stage.paint("wood", color=rng.choice(("orange", "brown", "yellow")), texture="woven")
    bow = stage.paint("wood", color="brown", plain=True)
    thing = stage.thing("basket", x=x, y=y, z=z, color=cane.color, on=on)
    half, high = wide / 2, wide * 0.6
    if on is None:
        thing.shadow(half)
    if stage.chance(0.6):
        arch = [
            (-half * 0.9, high),
            (-half * 0.7, high * 1.6),
            (0, high * 1.85),
            (half * 0.7, high * 1.6),
            (half * 0.9, high),
        ]
        thing.line(arch, 0.06, bow, part="handle")
    thing.disc(0, high, half, bow, high=0.07, shade=0.5)
    thing.poly([(-half * 0.75, 0), (half * 0.75, 0), (half, high), (-half, high)], cane)
    thing.rect(-half * 1.04, high - 0.05, half * 1.04, high + 0.03, bow, shade=1.2)
    return thing
