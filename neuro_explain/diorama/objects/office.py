"""What stands in an office: monitor, keyboard, printer, telephone, swivel chair, bin."""

from __future__ import annotations

from neuro_explain.diorama.stage import Stage, Thing


def monitor(stage: Stage, on: Thing, u: float, v: float, *, w: float = 0.35, wide: float = 0.62) -> Thing:
    """A computer's monitor, on or off."""
    rng = stage.rng
    case = stage.paint("plastic", color=rng.choice(("black", "black", "grey", "white")), plain=True)
    lit = stage.chance(0.7)
    screen = stage.paint(
        "glass", color=rng.choice(("blue", "white", "green")) if lit else "black", plain=True
    )
    thing = stage.thing("monitor", x=on.x + u, y=on.y + v, z=on.z + w, on=on, color=case.color)
    half, high = wide / 2, wide * 0.66
    thing.poly([(-0.15, 0), (0.15, 0), (0.1, 0.03), (-0.1, 0.03)], case, shade=0.8)
    thing.rect(-0.04, 0.02, 0.04, 0.14, case, shade=0.7)
    thing.rect(-half, 0.1, half, 0.1 + high, case)
    thing.rect(-half + 0.035, 0.145, half - 0.035, 0.065 + high, screen, part="screen", shade=1.1)
    if lit:
        ink = stage.paint("glass", color=rng.choice(("orange", "purple", "yellow", "black")), plain=True)
        for k in range(3):
            thing.rect(
                -half + 0.09,
                0.2 + k * 0.09,
                -half + 0.09 + rng.uniform(0.15, 0.4),
                0.25 + k * 0.09,
                ink,
                part="screen",
            )
    return thing


def keyboard(stage: Stage, on: Thing, u: float, v: float, *, w: float = 0.02) -> Thing:
    """A thick keyboard, its back raised so that the keys can be seen."""
    rng = stage.rng
    case = stage.paint("plastic", color=rng.choice(("white", "grey", "black")), plain=True)
    keys = stage.paint("plastic", color="black" if case.color != "black" else "white", plain=True)
    thing = stage.thing("keyboard", x=on.x + u, y=on.y + v, z=on.z + w, on=on, color=case.color)
    half, deep = 0.32, 0.3
    thing.rect(-half, 0, half, 0.05, case, shade=0.75)
    thing.face([(-half, 0.05, 0), (half, 0.05, 0), (half, 0.16, deep), (-half, 0.16, deep)], case, shade=1.05)
    for k in range(3):
        w0 = 0.04 + k * 0.085
        v0, v1 = 0.055 + w0 * 0.37, 0.055 + (w0 + 0.055) * 0.37
        u0 = half - 0.04
        thing.face(
            [(-u0, v0, w0), (u0, v0, w0), (u0, v1, w0 + 0.055), (-u0, v1, w0 + 0.055)], keys, part="keys"
        )
    return thing


def printer(
    stage: Stage, x: float, z: float, *, y: float = 0.0, on: Thing | None = None, wide: float = 0.65
) -> Thing:
    """A printer with paper in and out."""
    rng = stage.rng
    case = stage.paint("plastic", color=rng.choice(("white", "grey", "black")), plain=True)
    dark = stage.paint("plastic", color="black" if case.color != "black" else "grey", plain=True)
    paper = stage.paint("paper", color="white", plain=True)
    thing = stage.thing("printer", x=x, y=y, z=z, color=case.color, on=on)
    half, high = wide / 2, wide * 0.55
    if on is None:
        thing.shadow(half * 1.1)
    thing.poly(
        [(-half * 0.6, high), (half * 0.6, high), (half * 0.55, high + 0.2), (-half * 0.55, high + 0.2)],
        paper,
        part="page",
        w=0.25,
    )
    thing.box(-half, 0, half, high, 0.4, case)
    thing.rect(-half * 0.7, high * 0.28, half * 0.7, high * 0.55, dark)
    thing.rect(-half * 0.6, high * 0.12, half * 0.6, high * 0.42, paper, part="page", w=-0.03)
    thing.disc(
        half * 0.75, high * 0.8, 0.035, stage.paint("plastic", color="green", plain=True), part="button"
    )
    thing.rect(-half * 0.8, high * 0.7, half * 0.2, high * 0.88, dark, part="screen", shade=1.3)
    return thing


def telephone(stage: Stage, on: Thing, u: float, v: float, *, w: float = 0.1, size: float = 0.42) -> Thing:
    """A telephone with its receiver on top."""
    rng = stage.rng
    shell = stage.paint("plastic", color=rng.choice(("red", "black", "green", "white", "yellow")), plain=True)
    pale = stage.paint("plastic", color="white" if shell.color != "white" else "grey", plain=True)
    thing = stage.thing("telephone", x=on.x + u, y=on.y + v, z=on.z + w, on=on, color=shell.color)
    s = size
    thing.poly([(-0.45 * s, 0), (0.45 * s, 0), (0.3 * s, 0.55 * s), (-0.3 * s, 0.55 * s)], shell, shade=0.9)
    thing.disc(0, 0.26 * s, 0.19 * s, pale, part="keys")
    thing.disc(0, 0.26 * s, 0.08 * s, shell)
    thing.rect(-0.5 * s, 0.58 * s, 0.5 * s, 0.74 * s, shell, part="handle", shade=1.12)
    for side in (-1, 1):
        thing.disc(side * 0.42 * s, 0.55 * s, 0.13 * s, shell, part="handle", shade=1.0)
    return thing


def swivel_chair(stage: Stage, x: float, z: float) -> Thing:
    """An office chair on castors, seen from the front or the back."""
    rng = stage.rng
    cloth = stage.paint(
        rng.choice(("fabric", "leather")),
        color=rng.choice(("black", "blue", "red", "green", "grey", "orange")),
    )
    metal = stage.paint("metal", color=rng.choice(("black", "grey")), plain=True)
    thing = stage.thing("swivel chair", x=x, z=z, color=cloth.color)
    thing.shadow(0.38, 0.25)
    for u in (-0.3, 0.0, 0.3):
        thing.line([(0, 0.16), (u, 0.08)], 0.05, metal, part="leg", shade=0.9)
        thing.disc(u, 0.05, 0.055, stage.paint("rubber", plain=True), part="wheel")
    thing.rect(-0.035, 0.12, 0.035, 0.44, metal, part="pole")
    front = stage.chance(0.5)
    back = [(-0.25, 0.62), (0.25, 0.62), (0.29, 1.1), (0.2, 1.2), (-0.2, 1.2), (-0.29, 1.1)]
    if front:
        thing.poly(back, cloth, part="back", shade=0.85, w=0.3)
    thing.box(-0.31, 0.42, 0.31, 0.54, 0.42, cloth, part="seat")
    for side in (-1, 1):
        thing.line([(side * 0.33, 0.5), (side * 0.35, 0.74), (side * 0.24, 0.74)], 0.06, metal, part="arm")
    if not front:
        thing.poly(back, cloth, part="back")
        thing.rect(-0.04, 0.5, 0.04, 0.72, metal, part="pole")
    return thing


def bin_(stage: Stage, x: float, z: float, *, high: float = 0.55) -> Thing:
    """A waste bin with paper sticking out."""
    rng = stage.rng
    texture = rng.choice(("", "", "woven", "striped"))
    body = stage.paint(
        rng.choice(("plastic", "metal")),
        color=rng.choice(("grey", "blue", "green", "black", "red")),
        texture=texture,
    )
    paper = stage.paint("paper", color="white", plain=True)
    thing = stage.thing("bin", x=x, z=z, color=body.color)
    thing.shadow(0.26)
    low, top = high * 0.36, high * 0.48
    thing.disc(0, high, top, body, high=0.06, shade=0.5)
    for u, v in ((-0.4, 0.05), (0.3, 0.08)):
        thing.blob(u * top, high + v, top * 0.45, 0.1, paper, rough=0.3)
    thing.poly([(-low, 0), (low, 0), (top, high), (-top, high)], body)
    thing.poly([(low * 0.4, 0), (low, 0), (top, high), (top * 0.4, high)], body, shade=0.82)
    thing.rect(-top, high - 0.06, top, high, body, shade=1.15)
    return thing
