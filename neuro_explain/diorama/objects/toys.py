"""What small children play with: sandbox, spring rider, playhouse, ball."""

from __future__ import annotations

from neuro_explain.diorama.stage import Stage, Thing

_BRIGHT = ("red", "blue", "yellow", "green", "orange", "purple", "pink")


def sandbox(stage: Stage, x: float, z: float) -> Thing:
    """Sand in a wooden frame, often with a bucket's heap of it."""
    rng = stage.rng
    wood = stage.paint("wood", color=rng.choice(("brown", "red", "green", "orange", "blue")))
    sand = stage.paint("sand", color="yellow")
    thing = stage.thing("sandbox", x=x, z=z, color=wood.color)
    half, deep, high = rng.uniform(0.8, 1.1), rng.uniform(1.0, 1.4), 0.26
    thing.shadow(half * 1.15, 0.3)
    thing.face([(-half, high, 0), (half, high, 0), (half, high, deep), (-half, high, deep)], sand, shade=0.95)
    thing.rect(-half, high - 0.02, half, high + 0.08, wood, part="frame", w=deep, shade=0.75)
    for _ in range(rng.randrange(1, 3)):
        u = rng.uniform(-0.5, 0.5) * half
        thing.poly(
            [(u - 0.32, high), (u + 0.32, high), (u + 0.12, high + 0.26), (u - 0.1, high + 0.28)],
            sand,
            w=deep * 0.5,
            shade=1.08,
        )
    for side in (-1, 1):
        a, b = side * half, side * (half - 0.12)
        thing.face(
            [(a, high, 0), (b, high, 0), (b, high, deep), (a, high, deep)], wood, part="frame", shade=1.1
        )
    thing.rect(-half, 0, half, high + 0.04, wood, part="frame")
    return thing


def spring_rider(stage: Stage, x: float, z: float) -> Thing:
    """A horse, or so, on a thick spring."""
    rng = stage.rng
    body = stage.paint("plastic", color=rng.choice(_BRIGHT))
    iron = stage.paint("metal", color="black", plain=True)
    seat = stage.paint("plastic", color="white" if body.color == "yellow" else "yellow", plain=True)
    thing = stage.thing("spring rider", x=x, z=z, color=body.color)
    k = rng.choice((-1, 1))
    thing.shadow(0.55)
    thing.box(-0.3, 0, 0.3, 0.06, 0.3, iron)
    thing.line(
        [(-0.12, 0.06), (0.14, 0.14), (-0.14, 0.24), (0.14, 0.34), (-0.12, 0.44)], 0.08, iron, part="spring"
    )
    outline = [
        (-0.6, 0.62),
        (-0.45, 0.42),
        (0.35, 0.42),
        (0.5, 0.62),
        (0.56, 0.85),
        (0.78, 0.92),
        (0.8, 1.12),
        (0.52, 1.3),
        (0.34, 1.2),
        (0.2, 0.85),
        (-0.3, 0.82),
        (-0.5, 1.0),
        (-0.64, 0.9),
    ]
    thing.poly([(u * k, v) for u, v in outline], body, part="body")
    thing.poly([(-0.3 * k, 0.74), (0.16 * k, 0.74), (0.14 * k, 0.9), (-0.26 * k, 0.9)], seat, part="seat")
    thing.line([(0.3 * k, 1.0), (0.12 * k, 1.06)], 0.09, iron, part="handle")
    thing.disc(0.58 * k, 1.12, 0.06, stage.paint("plastic", color="white", plain=True), part="head")
    return thing


def playhouse(stage: Stage, x: float, z: float) -> Thing:
    """A small wooden house with a bright roof."""
    rng = stage.rng
    wall = stage.paint("wood", color=rng.choice(("brown", "orange", "yellow", "blue", "pink", "white")))
    roof = stage.paint(
        "wood",
        color=rng.choice(("red", "green", "purple", "blue")),
        texture=rng.choice(("", "", "zigzagged")),
    )
    dark = stage.paint("wood", color="black", plain=True)
    thing = stage.thing("playhouse", x=x, z=z, color=wall.color)
    thing.shadow(1.0, 0.35)
    thing.box(-0.75, 0, 0.75, 1.15, 0.9, wall)
    thing.poly([(-0.95, 1.1), (0.95, 1.1), (0, 1.85)], roof, part="roof", w=-0.1)
    thing.poly([(-0.52, 1.18), (0.52, 1.18), (0, 1.62)], wall, shade=0.9, w=-0.1)
    u = rng.choice((-0.5, 0.08))
    thing.rect(u, 0, u + 0.42, 0.85, dark, part="door")
    pane = -0.5 if u > 0 else 0.12
    thing.rect(
        pane - 0.05, 0.5, pane + 0.43, 0.95, stage.paint("wood", color="white", plain=True), part="frame"
    )
    thing.rect(pane, 0.55, pane + 0.38, 0.9, stage.paint("glass", plain=True), part="window pane")
    return thing


def ball(stage: Stage, x: float, z: float) -> Thing:
    """A large play ball."""
    rng = stage.rng
    texture = rng.choice(("", "", "striped", "dotted", "chequered"))
    paint = stage.paint("rubber", color=rng.choice(_BRIGHT), texture=texture)
    thing = stage.thing("ball", x=x, z=z, color=paint.color)
    r = rng.uniform(0.26, 0.34)
    thing.shadow(r)
    thing.disc(0, r, r, paint, shade=0.85)
    thing.disc(0.02, r + 0.03, r * 0.88, paint, shade=1.0)
    if not texture:
        thing.poly(
            [(-r * 0.9, r * 0.85), (r * 0.9, r * 0.85), (r * 0.9, r * 1.3), (-r * 0.9, r * 1.3)],
            stage.paint("rubber", color="white", plain=True),
        )
    return thing
