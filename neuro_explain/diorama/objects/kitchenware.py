"""Pots, pans, kettles, plates, cups, bowls: what is cooked in and eaten from."""

from __future__ import annotations

from neuro_explain.diorama.stage import Stage, Thing


def pot(stage: Stage, on: Thing, u: float, v: float, *, w: float = 0.15, size: float = 0.46) -> Thing:
    """A pot with a lid and two handles."""
    rng = stage.rng
    body = stage.paint("metal", color=rng.choice(("grey", "red", "blue", "orange", "black")), plain=True)
    dark = stage.paint("plastic", color="black", plain=True)
    thing = stage.thing("pot", x=on.x + u, y=on.y + v, z=on.z + w, on=on, color=body.color)
    half, high = size / 2, size * 0.62
    for side in (-1, 1):
        a, b = sorted((side * half * 0.9, side * half * 1.35))
        thing.rect(a, high * 0.6, b, high * 0.8, dark, part="handle")
    thing.rect(-half, 0.02, half, high, body, shade=0.95)
    thing.disc(0, 0.02, half, body, high=0.04, shade=0.8)
    thing.rect(-half * 0.75, 0.05, -half * 0.5, high, body, shade=1.3)
    thing.disc(0, high, half * 1.05, body, high=size * 0.15, part="lid", shade=1.15)
    thing.disc(0, high + size * 0.16, size * 0.08, dark, part="lid")
    return thing


def pan(stage: Stage, wall: Thing, x: float, y: float, *, radius: float = 0.26) -> Thing:
    """A frying pan that hangs on the wall by its handle."""
    rng = stage.rng
    body = stage.paint("metal", color=rng.choice(("black", "black", "grey", "orange")), plain=True)
    grip = stage.paint("wood", color=rng.choice(("brown", "black")), plain=True)
    thing = stage.thing("pan", x=x, y=y, z=wall.z - 0.04, on=wall, color=body.color)
    thing.rect(-0.04, radius * 0.8, 0.04, radius + 0.36, grip, part="handle")
    thing.disc(0, 0, radius, body, shade=1.2)
    thing.disc(0, 0, radius * 0.82, body, shade=0.8)
    thing.disc(radius * 0.2, radius * 0.2, radius * 0.4, body, shade=1.0)
    return thing


def kettle(stage: Stage, on: Thing, u: float, v: float, *, w: float = 0.15, size: float = 0.4) -> Thing:
    """A round kettle with a spout and a bow handle."""
    rng = stage.rng
    body = stage.paint(
        "metal", color=rng.choice(("red", "blue", "grey", "white", "green", "yellow")), plain=True
    )
    dark = stage.paint("plastic", color="black", plain=True)
    thing = stage.thing("kettle", x=on.x + u, y=on.y + v, z=on.z + w, on=on, color=body.color)
    s, side = size, rng.choice((-1, 1))
    thing.line(
        [(-0.3 * s, 0.5 * s), (-0.24 * s, 0.95 * s), (0.24 * s, 0.95 * s), (0.3 * s, 0.5 * s)],
        0.12 * s,
        dark,
        part="handle",
    )
    thing.poly(
        [
            (side * 0.3 * s, 0.2 * s),
            (side * 0.75 * s, 0.66 * s),
            (side * 0.62 * s, 0.72 * s),
            (side * 0.28 * s, 0.5 * s),
        ],
        body,
        shade=0.85,
    )
    thing.poly(
        [
            (-0.5 * s, 0),
            (0.5 * s, 0),
            (0.42 * s, 0.42 * s),
            (0.22 * s, 0.66 * s),
            (-0.22 * s, 0.66 * s),
            (-0.42 * s, 0.42 * s),
        ],
        body,
    )
    thing.rect(-0.32 * s, 0.1 * s, -0.18 * s, 0.45 * s, body, shade=1.35)
    thing.disc(0, 0.66 * s, 0.2 * s, body, high=0.07 * s, part="lid", shade=0.8)
    thing.disc(0, 0.75 * s, 0.07 * s, dark, part="lid")
    return thing


def wall_plate(stage: Stage, wall: Thing, x: float, y: float, *, radius: float = 0.25) -> Thing:
    """A painted plate hung on the wall."""
    rim = stage.paint(
        "ceramic", color=stage.rng.choice(("blue", "red", "green", "yellow", "orange")), plain=True
    )
    white = stage.paint("ceramic", color="white", plain=True)
    thing = stage.thing("plate", x=x, y=y, z=wall.z - 0.04, on=wall, color=white.color)
    thing.disc(0, 0, radius, white)
    thing.disc(0, 0, radius * 0.82, rim)
    thing.disc(0, 0, radius * 0.6, white, shade=0.95)
    thing.disc(0, 0, radius * 0.22, rim)
    return thing


def plates(stage: Stage, on: Thing, u: float, v: float, *, w: float = 0.2) -> Thing:
    """A pile of plates on a table."""
    rng = stage.rng
    white = stage.paint("ceramic", color="white", plain=True)
    rim = stage.paint("ceramic", color=rng.choice(("blue", "red", "green")), plain=True)
    thing = stage.thing("plate", x=on.x + u, y=on.y + v, z=on.z + w, on=on, color="white")
    count = rng.randrange(3, 6)
    for k in range(count):
        thing.disc(0, 0.05 + k * 0.06, 0.22, rim if k % 2 else white, high=0.06, shade=0.85)
    thing.disc(0, 0.06 + count * 0.06, 0.22, white, high=0.06, shade=1.05)
    thing.disc(0, 0.06 + count * 0.06, 0.13, white, high=0.03, shade=0.85)
    return thing


def cup(stage: Stage, on: Thing, u: float, v: float, *, w: float = 0.1, size: float = 0.26) -> Thing:
    """A cup with a handle."""
    rng = stage.rng
    glaze = stage.paint(
        "ceramic", color=rng.choice(("red", "blue", "white", "yellow", "green", "orange")), plain=True
    )
    thing = stage.thing("cup", x=on.x + u, y=on.y + v, z=on.z + w, on=on, color=glaze.color)
    half, side = size * 0.42, rng.choice((-1, 1))
    grip = [
        (side * half, size * 0.8),
        (side * half * 1.7, size * 0.7),
        (side * half * 1.7, size * 0.35),
        (side * half, size * 0.25),
    ]
    thing.line(grip, 0.045, glaze, part="handle", shade=0.85)
    thing.poly([(-half * 0.8, 0), (half * 0.8, 0), (half, size), (-half, size)], glaze)
    thing.disc(0, size, half, glaze, high=half * 0.25, shade=0.6)
    return thing


def fruit_bowl(stage: Stage, on: Thing, u: float, v: float, *, w: float = 0.2) -> Thing:
    """A bowl; the fruit in it is a thing of its own."""
    rng = stage.rng
    glaze = stage.paint(
        "ceramic", color=rng.choice(("white", "blue", "green", "yellow")), texture=rng.choice(("", "striped"))
    )
    thing = stage.thing("bowl", x=on.x + u, y=on.y + v, z=on.z + w, on=on, color=glaze.color)
    fruit = stage.thing("fruit", x=thing.x, y=thing.y, z=thing.z, on=thing)
    wide = rng.uniform(0.32, 0.38)
    for at, color in ((-0.62, "red"), (0.62, "orange"), (0.0, "green"), (0.3, "yellow"), (-0.3, "red")):
        skin = stage.paint("plastic", color=color)._replace(material="")
        fruit.disc(at * wide, 0.3 if abs(at) > 0.5 else 0.38, 0.12, skin, shade=0.9 + abs(at) / 4)
    thing.poly(
        [(-0.14, 0), (0.14, 0), (wide * 0.9, 0.17), (wide, 0.26), (-wide, 0.26), (-wide * 0.9, 0.17)], glaze
    )
    thing.rect(-wide, 0.22, wide, 0.26, glaze, shade=1.15)
    return thing
