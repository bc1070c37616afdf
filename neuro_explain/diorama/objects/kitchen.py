"""A kitchen's large things: stove, refrigerator, sink, counter, hood."""

from __future__ import annotations

from neuro_explain.diorama.paint import Paint
from neuro_explain.diorama.stage import Stage, Thing


def stove(stage: Stage, x: float, z: float, *, wide: float = 0.9, high: float = 0.95) -> Thing:
    """A stove with an oven door, knobs and burners."""
    rng = stage.rng
    body = stage.paint(
        "metal", color=rng.choice(("white", "white", "grey", "black", "red", "green")), plain=True
    )
    dark = stage.paint("metal", color="black", plain=True)
    pale = stage.paint("metal", color="grey" if body.color != "grey" else "white", plain=True)
    glass = stage.paint("glass", color="black")
    thing = stage.thing("stove", x=x, z=z, color=body.color)
    half, deep = wide / 2, 0.55
    thing.shadow(half * 1.05, 0.3)
    thing.box(-half, 0, half, high, deep, body, top=dark)
    for u in (-half * 0.5, half * 0.5):
        for w in (0.14, 0.4):
            thing.disc(u, high + 0.01, 0.14, pale, high=0.035, part="burner", w=w, shade=0.8)
            thing.disc(u, high + 0.01, 0.07, dark, high=0.02, part="burner", w=w)
    thing.rect(-half, high - 0.2, half, high, body, shade=1.1)
    for k in range(4):
        thing.disc(
            -half * 0.66 + k * half * 0.44,
            high - 0.1,
            0.055,
            dark if body.color != "black" else pale,
            part="knob",
        )
    thing.rect(-half + 0.05, 0.1, half - 0.05, high - 0.23, body, part="door", shade=0.75)
    thing.rect(-half + 0.13, 0.18, half - 0.13, high - 0.4, glass, part="door", shade=1.1)
    thing.rect(-half + 0.1, high - 0.34, half - 0.1, high - 0.28, pale, part="handle")
    return thing


def refrigerator(stage: Stage, x: float, z: float, *, wide: float = 0.85, high: float = 1.85) -> Thing:
    """A refrigerator with two doors, one above the other."""
    rng = stage.rng
    color = rng.choice(("white", "white", "grey", "red", "blue", "green", "yellow"))
    body = stage.paint("metal", color=color, plain=stage.chance(0.65))
    grip = stage.paint("metal", color="black" if body.color in ("white", "yellow") else "white", plain=True)
    thing = stage.thing("refrigerator", x=x, z=z, color=body.color)
    half, split = wide / 2, high * rng.uniform(0.58, 0.7)
    thing.shadow(half * 1.1, 0.3)
    thing.box(-half, 0.06, half, high, 0.55, body, shade=0.98)
    thing.rect(-half + 0.04, 0, half - 0.04, 0.08, stage.paint("rubber", plain=True))
    side = rng.choice((-1, 1))
    for v0, v1 in ((0.1, split - 0.02), (split + 0.02, high - 0.03)):
        thing.rect(-half + 0.03, v0, half - 0.03, v1, body, part="door", shade=1.08)
        grip_at = side * (half - 0.13)
        middle = split - 0.3 if v0 < split else split + 0.25
        thing.rect(grip_at - 0.035, middle - 0.14, grip_at + 0.035, middle + 0.14, grip, part="door handle")
    thing.rect(-half, split - 0.015, half, split + 0.015, body, shade=0.45)
    return thing


def counter(
    stage: Stage, x: float, z: float, *, wide: float = 1.0, high: float = 0.92, kind: str = "counter"
) -> Thing:
    """A counter with cupboard doors or drawers below its top; its top is at `high`."""
    rng = stage.rng
    body = stage.paint("wood", color=rng.choice(("brown", "white", "white", "blue", "green", "orange")))
    slab = stage.paint(rng.choice(("stone", "wood", "tile")))
    knob = stage.paint("metal", color=rng.choice(("grey", "black", "yellow")), plain=True)
    thing = stage.thing(kind, x=x, z=z, color=body.color)
    half, deep = wide / 2, 0.55
    thing.shadow(half * 1.05, 0.3)
    thing.box(-half, 0.0, half, high - 0.07, deep, body)
    thing.rect(-half + 0.03, 0, half - 0.03, 0.09, body, shade=0.4)
    doors = max(round(wide / 0.5), 1)
    for k in range(doors):
        u0 = -half + k * wide / doors
        u1 = u0 + wide / doors
        low = 0.13
        if stage.chance(0.45):
            low = high - 0.34
            thing.rect(u0 + 0.03, low + 0.02, u1 - 0.03, high - 0.1, body, part="drawer", shade=1.08)
            thing.rect(
                (u0 + u1) / 2 - 0.08, high - 0.24, (u0 + u1) / 2 + 0.08, high - 0.19, knob, part="handle"
            )
        top = low if low > 0.2 else high - 0.1
        thing.rect(u0 + 0.03, 0.13, u1 - 0.03, top - 0.02, body, part="door", shade=0.86)
        thing.disc(u1 - 0.1 if k % 2 else u0 + 0.1, top - 0.14, 0.04, knob, part="door handle")
    thing.box(-half - 0.03, high - 0.07, half + 0.03, high, deep, slab, w=-0.03)
    return thing


def kitchen_sink(stage: Stage, on: Thing, u: float, v: float) -> Thing:
    """A broad sink let into a counter, its basin before it, with a high tap."""
    steel = stage.paint(
        stage.rng.choice(("metal", "ceramic")), color=stage.rng.choice(("grey", "white")), plain=True
    )
    chrome = stage.paint("metal", color="grey", plain=True)
    thing = stage.thing("sink", x=on.x + u, y=on.y + v, z=on.z - 0.05, on=on, color=steel.color)
    thing.box(-0.34, -0.26, 0.34, 0.02, 0.5, steel)
    thing.face(
        [(-0.28, 0.02, 0.06), (0.28, 0.02, 0.06), (0.28, 0.02, 0.42), (-0.28, 0.02, 0.42)], steel, shade=0.5
    )
    tap(thing, 0.02, 0.45, 0.42, chrome)
    return thing


def tap(thing: Thing, v: float, w: float, high: float, chrome: Paint) -> None:
    """Draws a bent tap, a part of `thing`, that rises `high` above v."""
    bend = [(0.0, v), (0.0, v + high), (0.16, v + high), (0.16, v + high * 0.65)]
    thing.line(bend, 0.06, chrome, part="faucet", w=w, shade=1.15)


def hood(stage: Stage, wall: Thing, x: float, y: float, *, wide: float = 0.85) -> Thing:
    """A hood over a stove: its lower edge at y, its chimney up to the ceiling."""
    rng = stage.rng
    steel = stage.paint(
        "metal", color=rng.choice(("grey", "grey", "white", "black", "red")), plain=stage.chance(0.6)
    )
    thing = stage.thing("hood", x=x, y=y, z=wall.z - 0.35, on=wall, color=steel.color)
    half = wide / 2
    thing.rect(-0.15, 0.3, 0.15, 1.3, steel, part="chimney", shade=0.85)
    thing.poly([(-half, 0.08), (half, 0.08), (0.2, 0.42), (-0.2, 0.42)], steel, shade=1.0)
    thing.rect(-half, 0, half, 0.1, steel, shade=0.75)
    return thing


def wall_cabinet(
    stage: Stage, wall: Thing, x: float, y: float, *, wide: float = 1.0, high: float = 0.6
) -> Thing:
    """A cupboard on the wall with two doors; y is its lower edge."""
    rng = stage.rng
    body = stage.paint("wood", color=rng.choice(("brown", "white", "white", "blue", "green", "orange")))
    knob = stage.paint("metal", color=rng.choice(("grey", "black", "yellow")), plain=True)
    thing = stage.thing("cabinet", x=x, y=y, z=wall.z - 0.35, on=wall, color=body.color)
    half = wide / 2
    thing.box(-half, 0, half, high, 0.35, body)
    for u0, u1, at in ((-half, 0.0, -0.09), (0.0, half, 0.09)):
        thing.rect(u0 + 0.03, 0.04, u1 - 0.03, high - 0.04, body, part="door", shade=0.8)
        thing.rect(u0 + 0.08, 0.09, u1 - 0.08, high - 0.09, body, part="door", shade=1.08)
        thing.disc(at, 0.16, 0.035, knob, part="door handle")
    return thing
