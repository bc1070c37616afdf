"""What stands along a street: traffic light, lamp, sign, bench, bin, hydrant, mailbox, cone, crosswalk."""

from __future__ import annotations

import math

from neuro_explain.diorama.stage import Stage, Thing


def traffic_light(stage: Stage, x: float, z: float) -> Thing:
    """Three lights in a case on a pole, one of them lit."""
    rng = stage.rng
    case = stage.paint("metal", color=rng.choice(("black", "black", "yellow", "green")), plain=True)
    pole = stage.paint("metal", color="grey", plain=True)
    thing = stage.thing("traffic light", x=x, z=z, color=case.color)
    thing.shadow(0.3)
    high = rng.uniform(2.3, 2.9)
    thing.rect(-0.07, 0, 0.07, high - 1.2, pole, part="pole")
    thing.box(-0.32, high - 1.4, 0.32, high, 0.25, case)
    lit = rng.randrange(3)
    for k, color in enumerate(("red", "yellow", "green")):
        lamp = stage.paint("glass", color=color, plain=True)
        v = high - 0.27 - 0.43 * k
        thing.disc(0, v, 0.2, case, shade=0.4)
        thing.disc(0, v, 0.17, lamp, part="light", shade=1.25 if k == lit else 0.5)
    return thing


def street_lamp(stage: Stage, x: float, z: float) -> Thing:
    """A lantern on a pole, or a lamp on a bent arm."""
    rng = stage.rng
    iron = stage.paint("metal", color=rng.choice(("black", "green", "grey")), plain=True)
    glow = stage.paint("glass", color=rng.choice(("yellow", "yellow", "white")), plain=True)
    thing = stage.thing("street lamp", x=x, z=z, color=iron.color)
    thing.shadow(0.3)
    high = rng.uniform(2.5, 3.2)
    thing.poly([(-0.2, 0), (0.2, 0), (0.1, 0.35), (-0.1, 0.35)], iron, part="pole")
    thing.rect(-0.08, 0.3, 0.08, high - 0.75, iron, part="pole")
    if stage.chance(0.6):
        thing.poly(
            [(-0.2, high - 0.75), (0.2, high - 0.75), (0.34, high - 0.15), (-0.34, high - 0.15)],
            glow,
            part="shade",
            shade=1.15,
        )
        thing.line([(0, high - 0.75), (0, high - 0.15)], 0.04, iron, part="shade")
        thing.poly(
            [(-0.42, high - 0.17), (0.42, high - 0.17), (0.12, high + 0.12), (-0.12, high + 0.12)],
            iron,
            part="shade",
            shade=0.85,
        )
    else:
        for side in (-1, 1):
            thing.line(
                [(0, high - 0.75), (side * 0.15, high - 0.45), (side * 0.4, high - 0.42)],
                0.08,
                iron,
                part="pole",
            )
            thing.disc(side * 0.45, high - 0.5, 0.24, glow, part="shade", shade=1.15)
    return thing


def sign(stage: Stage, x: float, z: float) -> Thing:
    """A traffic sign: round, three-cornered, eight-cornered, or a board, with a mark on it."""
    rng = stage.rng
    shape = rng.choice(("round", "triangle", "octagon", "square"))
    color = {
        "round": rng.choice(("red", "blue")),
        "triangle": rng.choice(("red", "yellow")),
        "octagon": "red",
        "square": rng.choice(("blue", "green")),
    }[shape]
    plate = stage.paint("metal", color=color, plain=True)
    white = stage.paint("metal", color="white", plain=True)
    thing = stage.thing("sign", x=x, z=z, color=color)
    thing.shadow(0.2)
    v, r = rng.uniform(1.5, 1.9), rng.uniform(0.4, 0.48)
    thing.rect(-0.05, 0, 0.05, v, stage.paint("metal", color="grey", plain=True), part="pole")
    if shape == "triangle":
        thing.poly([(-r, v - 0.7 * r), (r, v - 0.7 * r), (0, v + r)], plate, part="face")
        thing.poly(
            [(-0.62 * r, v - 0.48 * r), (0.62 * r, v - 0.48 * r), (0, v + 0.55 * r)], white, part="face"
        )
        thing.rect(
            -0.06,
            v - 0.3 * r,
            0.06,
            v + 0.15 * r,
            stage.paint("metal", color="black", plain=True),
            part="face",
        )
        return thing
    if shape == "round":
        thing.disc(0, v, r, plate, part="face")
        if stage.chance(0.5):
            thing.disc(0, v, 0.66 * r, white, part="face")
    elif shape == "octagon":
        thing.poly(
            [
                (r * math.cos(a), v + r * math.sin(a))
                for a in (math.pi / 8 + k * math.pi / 4 for k in range(8))
            ],
            plate,
            part="face",
        )
    else:
        thing.rect(-r, v - r, r, v + r, white, part="face")
        thing.rect(-r + 0.05, v - r + 0.05, r - 0.05, v + r - 0.05, plate, part="face")
    mark = plate if shape == "round" and stage.chance(0.5) else white
    thing.rect(-0.6 * r, v - 0.14, 0.6 * r, v + 0.14, mark, part="face")
    return thing


def bench(stage: Stage, x: float, z: float) -> Thing:
    """A bench of wooden slats."""
    rng = stage.rng
    wood = stage.paint("wood", color=rng.choice(("brown", "brown", "orange", "green", "red")))
    iron = stage.paint("metal", color="black", plain=True)
    thing = stage.thing("bench", x=x, z=z, color=wood.color)
    half = rng.uniform(0.75, 0.95)
    thing.shadow(half * 1.1, 0.35)
    for u in (-half + 0.1, half - 0.2):
        thing.rect(u, 0, u + 0.1, 1.0, iron, part="leg", w=0.45, shade=0.8)
    for v in (0.58, 0.8):
        thing.rect(-half, v, half, v + 0.18, wood, part="back", w=0.42)
    thing.box(-half, 0.42, half, 0.52, 0.45, wood, part="seat")
    for u in (-half + 0.1, half - 0.2):
        thing.rect(u, 0, u + 0.1, 0.42, iron, part="leg")
    return thing


def bin(stage: Stage, x: float, z: float) -> Thing:
    """A dustbin with a lid, round or on wheels."""
    rng = stage.rng
    color = rng.choice(("green", "grey", "black", "blue", "brown"))
    paint = stage.paint(rng.choice(("metal", "plastic")), color=color, plain=True)
    thing = stage.thing("bin", x=x, z=z, color=paint.color)
    thing.shadow(0.4)
    thing.poly([(-0.26, 0.03), (0.26, 0.03), (0.33, 0.85), (-0.33, 0.85)], paint, part="body")
    for u in (-0.16, 0.0, 0.16):
        thing.line([(u * 0.8, 0.12), (u, 0.78)], 0.04, paint, part="body", shade=0.65)
    if stage.chance(0.5):
        thing.disc(0, 0.86, 0.36, paint, high=0.11, part="lid", shade=1.2)
        thing.disc(0, 0.96, 0.09, paint, high=0.05, part="handle", shade=0.8)
    else:
        thing.poly([(-0.38, 0.84), (0.38, 0.84), (0.3, 1.0), (-0.3, 1.0)], paint, part="lid", shade=1.2)
        for u in (-0.22, 0.22):
            thing.disc(u, 0.08, 0.09, stage.paint("rubber", plain=True), part="wheel")
    return thing


def fire_hydrant(stage: Stage, x: float, z: float) -> Thing:
    """A stout hydrant with two arms."""
    paint = stage.paint("metal", color=stage.rng.choice(("red", "red", "yellow", "orange")), plain=True)
    thing = stage.thing("fire hydrant", x=x, z=z, color=paint.color)
    thing.shadow(0.4)
    thing.rect(-0.28, 0, 0.28, 0.12, paint, shade=0.75)
    thing.rect(-0.19, 0.1, 0.19, 0.72, paint, part="body")
    thing.rect(0.07, 0.1, 0.19, 0.72, paint, part="body", shade=0.8)
    thing.rect(-0.34, 0.42, 0.34, 0.58, paint, part="tap", shade=0.9)
    thing.disc(0, 0.5, 0.12, paint, part="tap", shade=1.2)
    thing.rect(-0.25, 0.68, 0.25, 0.76, paint, shade=0.75)
    thing.disc(0, 0.76, 0.2, paint, high=0.17, part="lid", shade=1.1)
    return thing


def mailbox(stage: Stage, x: float, z: float) -> Thing:
    """A mailbox with a rounded top, on legs."""
    paint = stage.paint("metal", color=stage.rng.choice(("red", "blue", "yellow", "green")), plain=True)
    dark = stage.paint("metal", color="black", plain=True)
    thing = stage.thing("mailbox", x=x, z=z, color=paint.color)
    thing.shadow(0.4)
    for u in (-0.26, 0.18):
        thing.rect(u, 0, u + 0.08, 0.3, dark, part="leg")
    thing.disc(0, 0.98, 0.32, paint, high=0.26, shade=1.1)
    thing.box(-0.32, 0.25, 0.32, 0.98, 0.3, paint, part="body")
    thing.rect(-0.22, 0.82, 0.22, 0.92, dark, part="handle")
    thing.rect(-0.18, 0.42, 0.18, 0.68, stage.paint("paper", color="white", plain=True), part="face")
    return thing


def traffic_cone(stage: Stage, x: float, z: float) -> Thing:
    """A cone with white bands."""
    paint = stage.paint("plastic", color="orange")
    white = stage.paint("plastic", color="white", plain=True)
    thing = stage.thing("traffic cone", x=x, z=z, color="orange")
    thing.shadow(0.48)
    thing.box(-0.42, 0, 0.42, 0.09, 0.35, paint, shade=0.85)
    levels = (0.07, 0.36, 0.58, 0.76, 0.92, 1.1)
    for k in range(5):
        a, b = (0.33 * (1 - level / 1.25) for level in levels[k : k + 2])
        band = [(-a, levels[k]), (a, levels[k]), (b, levels[k + 1]), (-b, levels[k + 1])]
        thing.poly(band, white if k % 2 else paint)
    return thing


def held_umbrella(stage: Stage, holder: Thing, *, high: float = 1.65) -> Thing:
    """An umbrella in someone's hand, over the head."""
    cloth = stage.paint("fabric", texture=stage.rng.choice(("", "striped", "dotted", "chequered")))
    side = stage.rng.choice((-1, 1)) * 0.2
    thing = stage.thing("umbrella", x=holder.x + side, y=holder.y, z=holder.z, on=holder, color=cloth.color)
    thing.line([(0, high * 0.5), (0, high * 1.1)], 0.05, stage.paint("wood", plain=True), part="pole")
    v = high * 1.05
    thing.poly(
        [
            (-0.62, v),
            (-0.3, v + 0.06),
            (0, v),
            (0.3, v + 0.06),
            (0.62, v),
            (0.48, v + 0.28),
            (0.2, v + 0.42),
            (-0.2, v + 0.42),
            (-0.48, v + 0.28),
        ],
        cloth,
    )
    return thing
