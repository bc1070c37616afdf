"""What rolls along a street: car, bus, bicycle."""

from __future__ import annotations

from neuro_explain.diorama.paint import Paint
from neuro_explain.diorama.stage import Stage, Thing

_BODY = ("red", "blue", "green", "yellow", "white", "black", "grey", "orange")


def _wheel(thing: Thing, u: float, radius: float, rubber: Paint, hub: Paint, *, w: float = 0.0) -> None:
    """A tyre with its hub."""
    thing.disc(u, radius, radius, rubber, part="wheel", w=w)
    thing.disc(u, radius, radius * 0.5, hub, part="wheel", w=w)


def car(stage: Stage, x: float, z: float, *, view: str = "side", size: float = 1.0) -> Thing:
    """A car: `view` is "side", "front" or "rear"."""
    if view == "side":
        return _car_side(stage, x, z, size)
    return _car_end(stage, x, z, size, front=view == "front")


def _car_side(stage: Stage, x: float, z: float, size: float) -> Thing:
    rng = stage.rng
    body = stage.paint("metal", color=rng.choice(_BODY), plain=True)
    rubber, hub = stage.paint("rubber", plain=True), stage.paint("metal", color="grey", plain=True)
    glass = stage.paint("glass", color=rng.choice(("blue", "grey", "white")))
    thing = stage.thing("car", x=x, z=z, color=body.color)
    k = size * rng.choice((-1, 1))  # which way it faces: u is multiplied by it
    s = size
    # bonnet, windscreen's foot and top, roof's end, boot: a saloon, a hatchback, a van
    foot, top, end, boot = rng.choice(
        ((0.62, 0.36, -0.42, -0.74), (0.62, 0.34, -0.86, -1.0), (0.9, 0.7, -1.0, -1.08))
    )
    roof = 0.98 if boot > -1.05 else 1.2
    thing.shadow(1.25 * s, 0.35)
    for u in (-0.66, 0.7):
        thing.disc(u * k, 0.2 * s, 0.22 * s, rubber, part="wheel", shade=0.5, w=0.8)
    thing.poly(
        [(foot * k, 0.58 * s), (top * k, roof * s), (end * k, roof * s), (boot * k, 0.58 * s)],
        body,
        shade=0.92,
    )
    low = [(-1.14, 0.2), (1.16, 0.2), (1.18, 0.44), (1.06, 0.58), (foot, 0.66), (boot, 0.66), (-1.12, 0.6)]
    thing.poly([(u * k, v * s) for u, v in low], body, part="body")
    thing.poly(
        [(u * k, v * s) for u, v in ((-1.14, 0.2), (1.16, 0.2), (1.16, 0.28), (-1.14, 0.28))],
        body,
        part="body",
        shade=0.7,
    )
    middle = (top + end) / 2
    sill, lintel = 0.66 * s, (roof - 0.08) * s
    front = [
        ((foot - 0.1) * k, sill),
        ((top - 0.02) * k, lintel),
        ((middle + 0.04) * k, lintel),
        ((middle + 0.04) * k, sill),
    ]
    back = [
        ((middle - 0.04) * k, sill),
        ((middle - 0.04) * k, lintel),
        ((end + 0.03) * k, lintel),
        ((boot + 0.12) * k, sill),
    ]
    thing.poly(front, glass, part="window pane")
    thing.poly(back, glass, part="window pane", shade=0.9)
    thing.line([(middle * k, 0.28 * s), (middle * k, 0.64 * s)], 0.03, body, part="door", shade=0.6)
    thing.line(
        [((middle + 0.1) * k, 0.55 * s), ((middle + 0.24) * k, 0.55 * s)], 0.04, hub, part="door handle"
    )
    for u in (-0.7, 0.72):
        thing.disc(u * k, 0.24 * s, 0.29 * s, body, shade=0.45)
        _wheel(thing, u * k, 0.25 * s, rubber, hub)
    thing.disc(
        1.08 * k,
        0.47 * s,
        0.1 * s,
        stage.paint("glass", color="yellow", plain=True),
        part="headlight",
        shade=1.1,
    )
    thing.disc(-1.09 * k, 0.5 * s, 0.07 * s, stage.paint("plastic", color="red", plain=True), part="light")
    return thing


def _car_end(stage: Stage, x: float, z: float, size: float, *, front: bool) -> Thing:
    rng = stage.rng
    body = stage.paint("metal", color=rng.choice(_BODY), plain=True)
    rubber, trim = stage.paint("rubber", plain=True), stage.paint("metal", color="grey", plain=True)
    glass = stage.paint("glass", color=rng.choice(("blue", "grey", "white")))
    thing = stage.thing("car", x=x, z=z, color=body.color)
    s = size
    roof = rng.choice((1.15, 1.25, 1.4))
    thing.shadow(0.85 * s, 0.4)
    for u in (-0.6, 0.36):
        thing.rect(u * s, 0, (u + 0.24) * s, 0.35 * s, rubber, part="wheel")
    cabin = [(-0.66, 0.7), (0.66, 0.7), (0.5, roof), (-0.5, roof)]
    thing.poly([(u * s, v * s) for u, v in cabin], body, part="roof", shade=0.88)
    pane = [(-0.57, 0.72), (0.57, 0.72), (0.44, roof - 0.07), (-0.44, roof - 0.07)]
    thing.poly([(u * s, v * s) for u, v in pane], glass, part="window pane")
    low = [(-0.7, 0.16), (0.7, 0.16), (0.74, 0.45), (0.68, 0.75), (-0.68, 0.75), (-0.74, 0.45)]
    thing.poly([(u * s, v * s) for u, v in low], body, part="body")
    thing.rect(-0.7 * s, 0.16 * s, 0.7 * s, 0.28 * s, trim, shade=0.7)
    if front:
        thing.rect(-0.28 * s, 0.36 * s, 0.28 * s, 0.54 * s, rubber)
        lamp = stage.paint("glass", color="yellow", plain=True)
        for u in (-0.5, 0.5):
            thing.disc(u * s, 0.5 * s, 0.14 * s, lamp, part="headlight", shade=1.1)
    else:
        thing.rect(-0.22 * s, 0.34 * s, 0.22 * s, 0.48 * s, stage.paint("metal", color="white", plain=True))
        lamp = stage.paint("plastic", color="red", plain=True)
        for u in (-0.64, 0.42):
            thing.rect(u * s, 0.44 * s, (u + 0.22) * s, 0.6 * s, lamp, part="light", shade=1.1)
    return thing


def bus(stage: Stage, x: float, z: float, *, view: str = "side", size: float = 1.0) -> Thing:
    """A bus: `view` is "side" or, for anything else, its front."""
    rng = stage.rng
    body = stage.paint(
        "metal", color=rng.choice(("red", "yellow", "orange", "blue", "green", "white")), plain=True
    )
    stripe = stage.paint("metal", color="white" if body.color != "white" else "blue", plain=True)
    rubber, hub = stage.paint("rubber", plain=True), stage.paint("metal", color="grey", plain=True)
    glass = stage.paint("glass", color=rng.choice(("blue", "grey")))
    lamp = stage.paint("glass", color="yellow", plain=True)
    thing = stage.thing("bus", x=x, z=z, color=body.color)
    s = size
    if view != "side":
        thing.shadow(0.9 * s, 0.4)
        for u in (-0.66, 0.4):
            thing.rect(u * s, 0, (u + 0.26) * s, 0.3 * s, rubber, part="wheel")
        thing.box(-0.8 * s, 0.18 * s, 0.8 * s, 2.0 * s, 2.6 * s, body, part="body")
        thing.rect(-0.68 * s, 0.85 * s, 0.68 * s, 1.65 * s, glass, part="window pane")
        thing.line([(0, 0.85 * s), (0, 1.65 * s)], 0.05, rubber)
        thing.rect(
            -0.5 * s,
            1.72 * s,
            0.5 * s,
            1.92 * s,
            stage.paint("plastic", color="black", plain=True),
            part="screen",
        )
        thing.rect(
            -0.4 * s,
            1.77 * s,
            0.3 * s,
            1.86 * s,
            stage.paint("glass", color="orange", plain=True),
            part="screen",
        )
        thing.rect(-0.8 * s, 0.62 * s, 0.8 * s, 0.72 * s, stripe, part="body")
        for u in (-0.58, 0.58):
            thing.disc(u * s, 0.44 * s, 0.13 * s, lamp, part="headlight", shade=1.1)
        return thing
    k = s * rng.choice((-1, 1))
    half = 1.6
    thing.shadow(half * s * 1.05, 0.35)
    thing.box(-half * s, 0.22 * s, half * s, 1.72 * s, 0.8, body, part="body")
    thing.rect(-half * s, 0.62 * s, half * s, 0.74 * s, stripe, part="body")
    for u in (-1.48, -0.92, -0.36, 0.2):
        thing.poly(
            [(u * k, 0.88 * s), ((u + 0.46) * k, 0.88 * s), ((u + 0.46) * k, 1.5 * s), (u * k, 1.5 * s)],
            glass,
            part="window pane",
        )
    for u in (0.82, 1.06):
        door = [(u * k, 0.28 * s), ((u + 0.22) * k, 0.28 * s), ((u + 0.22) * k, 1.5 * s), (u * k, 1.5 * s)]
        thing.poly(door, glass, part="door", shade=0.8)
    nose = [(1.36 * k, 0.86 * s), (half * k, 0.86 * s), (half * k, 1.5 * s), (1.36 * k, 1.5 * s)]
    thing.poly(nose, glass, part="window pane", shade=1.05)
    for u in (-0.95, 0.6):
        thing.disc(u * k, 0.28 * s, 0.31 * s, body, shade=0.45)
        _wheel(thing, u * k, 0.26 * s, rubber, hub)
    thing.disc(1.52 * k, 0.42 * s, 0.1 * s, lamp, part="headlight", shade=1.1)
    return thing


def bicycle(stage: Stage, x: float, z: float, *, size: float = 1.25) -> Thing:
    """A bicycle from the side."""
    rng = stage.rng
    frame = stage.paint(
        "metal", color=rng.choice(("red", "blue", "green", "yellow", "orange", "pink", "white")), plain=True
    )
    rubber, spokes = stage.paint("rubber", plain=True), stage.paint("metal", color="grey", plain=True)
    saddle = stage.paint("leather", plain=True)
    thing = stage.thing("bicycle", x=x, z=z, color=frame.color)
    k, s = size * rng.choice((-1, 1)), size
    thing.shadow(0.85 * s, 0.15)
    for u in (-0.5, 0.5):
        thing.disc(u * k, 0.34 * s, 0.34 * s, rubber, part="wheel")
        thing.disc(u * k, 0.34 * s, 0.26 * s, spokes, part="wheel", shade=1.15)
        for du, dv in ((0.26, 0.0), (0.0, 0.26)):
            thing.line(
                [((u - du) * k, (0.34 - dv) * s), ((u + du) * k, (0.34 + dv) * s)], 0.02, rubber, part="wheel"
            )
    for a, b in (
        ((-0.5, 0.34), (-0.08, 0.3)),
        ((-0.5, 0.34), (-0.2, 0.72)),
        ((-0.08, 0.3), (0.38, 0.74)),
        ((-0.2, 0.7), (0.38, 0.74)),
        ((-0.08, 0.3), (-0.24, 0.84)),
        ((0.5, 0.34), (0.34, 0.96)),
    ):
        thing.line([(a[0] * k, a[1] * s), (b[0] * k, b[1] * s)], 0.075, frame, part="frame")
    thing.line([(0.34 * k, 0.96 * s), (0.2 * k, 1.0 * s)], 0.08, rubber, part="handle")
    thing.poly(
        [(-0.4 * k, 0.82 * s), (-0.08 * k, 0.85 * s), (-0.1 * k, 0.91 * s), (-0.4 * k, 0.93 * s)],
        saddle,
        part="seat",
    )
    thing.disc(-0.08 * k, 0.3 * s, 0.09 * s, rubber, part="pedal")
    if stage.chance(0.4):
        basket = stage.paint("wood", texture="woven")
        thing.poly(
            [(0.42 * k, 0.66 * s), (0.7 * k, 0.66 * s), (0.76 * k, 0.92 * s), (0.38 * k, 0.92 * s)], basket
        )
    return thing
