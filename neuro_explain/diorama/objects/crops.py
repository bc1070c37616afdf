"""What grows on a farm and what watches it: rows of crops, hay, sunflower, pumpkin, scarecrow."""

from __future__ import annotations

import math

from neuro_explain.diorama.stage import Stage, Thing


def hay_bale(stage: Stage, x: float, z: float, *, size: float = 1.0, low: bool = False) -> Thing:
    """A round bale that shows its end, or one or two tied blocks; `low`: one block, 0.62 m high times size."""
    rng = stage.rng
    hay = stage.paint("grass", color="yellow")
    rope = stage.paint("fabric", color=rng.choice(("brown", "red", "blue")), plain=True)
    thing = stage.thing("hay bale", x=x, z=z, color="yellow")
    s = size
    if not low and stage.chance(0.6):
        r, k = 0.62 * s, rng.choice((-1, 1))
        thing.shadow(1.0 * s, 0.35)
        thing.disc(0.5 * k * s, r, r, hay, shade=0.75)
        thing.rect(min(0, 0.5 * k * s), 0, max(0, 0.5 * k * s), 2 * r, hay, shade=0.78)
        thing.disc(0, r, r, hay, shade=1.0)
        for ring in (0.72, 0.42):
            thing.disc(0, r, r * ring, hay, shade=0.75)
            thing.disc(0, r, r * (ring - 0.12), hay, shade=1.0)
        return thing
    thing.shadow(0.75 * s, 0.35)
    thing.box(-0.68 * s, 0, 0.68 * s, 0.62 * s, 0.6, hay)
    for u in (-0.3, 0.3):
        thing.rect(u * s - 0.03, 0, u * s + 0.03, 0.62 * s, rope, part="rope")
    if not low and stage.chance(0.5):
        thing.box(-0.5 * s, 0.62 * s, 0.5 * s, 1.15 * s, 0.5, hay, w=0.05)
        thing.rect(-0.03, 0.62 * s, 0.03, 1.15 * s, rope, part="rope")
    return thing


def scarecrow(stage: Stage, x: float, z: float) -> Thing:
    """A scarecrow with a hat, arms stretched out."""
    rng = stage.rng
    wood, straw = stage.paint("wood", plain=True), stage.paint("grass", color="yellow", plain=True)
    shirt = stage.paint(
        "fabric",
        color=rng.choice(("red", "blue", "green", "purple", "orange")),
        texture=rng.choice(("chequered", "striped", "")),
    )
    hat = stage.paint("fabric", color=rng.choice(("brown", "black", "orange")), plain=True)
    thing = stage.thing("scarecrow", x=x, z=z, color=shirt.color)
    thing.shadow(0.3)
    thing.rect(-0.06, 0, 0.06, 0.8, wood, part="pole")
    for side in (-1, 1):
        thing.poly(
            [(side * 0.7, 1.1), (side * 0.98, 1.0), (side * 0.98, 1.4), (side * 0.7, 1.3)], straw, part="hand"
        )
    thing.poly([(-0.75, 1.06), (0.75, 1.06), (0.75, 1.38), (-0.75, 1.38)], shirt, part="arm", shade=0.88)
    thing.poly([(-0.34, 0.5), (0.34, 0.5), (0.28, 1.4), (-0.28, 1.4)], shirt, part="body")
    for u in (-0.2, 0.0, 0.2):
        thing.poly([(u - 0.1, 0.54), (u + 0.1, 0.54), (u, 0.32)], straw, part="body")
    thing.disc(0, 1.6, 0.25, straw, part="head", shade=0.92)
    for u in (-0.09, 0.09):
        thing.disc(u, 1.62, 0.04, hat, part="head", shade=0.4)
    thing.poly([(-0.45, 1.74), (0.45, 1.74), (0.38, 1.84), (-0.38, 1.84)], hat, part="hat")
    thing.poly([(-0.24, 1.82), (0.24, 1.82), (0.14, 2.12), (-0.14, 2.12)], hat, part="hat", shade=1.15)
    return thing


def sunflower(stage: Stage, x: float, z: float) -> Thing:
    """One tall sunflower."""
    rng = stage.rng
    green = stage.paint("foliage", color="green", plain=True)
    petal = stage.paint("foliage", color=rng.choice(("yellow", "yellow", "orange")), plain=True)
    seeds = stage.paint("soil", color="brown", plain=True)
    thing = stage.thing("sunflower", x=x, z=z, color=petal.color)
    high, r, lean = rng.uniform(1.0, 1.5), rng.uniform(0.32, 0.42), rng.uniform(-0.1, 0.1)
    thing.shadow(0.25, strength=0.35)
    thing.line([(0, 0), (lean, high)], 0.08, green, part="stem")
    for side, v in ((-1, 0.35), (1, 0.5)):
        thing.poly(
            [
                (lean * v, high * v - 0.05),
                (side * 0.2, high * v + 0.12),
                (side * 0.42, high * v + 0.02),
                (side * 0.2, high * v - 0.08),
            ],
            green,
            part="leaf",
            shade=0.9,
        )
    star = []
    for k in range(20):
        a, out = k * math.pi / 10 + lean, r if k % 2 else r * 0.72
        star.append((lean + out * math.cos(a), high + out * math.sin(a)))
    thing.poly(star, petal, part="petal")
    thing.disc(lean, high, r * 0.5, seeds, part="face")
    return thing


def pumpkin(stage: Stage, x: float, z: float) -> Thing:
    """A ribbed pumpkin on the ground."""
    rng = stage.rng
    skin = stage.paint("foliage", color="orange", plain=True)
    stem = stage.paint("foliage", color="green", plain=True)
    thing = stage.thing("pumpkin", x=x, z=z, color="orange")
    r = rng.uniform(0.32, 0.42)
    thing.shadow(r * 1.2)
    for u, shade in ((-0.5, 0.75), (0.5, 0.8), (-0.25, 0.9), (0.28, 0.95), (0.0, 1.08)):
        thing.disc(u * r, 0.8 * r, 0.62 * r, skin, high=0.8 * r, shade=shade)
    thing.poly(
        [(-0.06, 1.5 * r), (0.06, 1.5 * r), (0.12, 1.5 * r + 0.16), (0.0, 1.5 * r + 0.18)], stem, part="stem"
    )
    return thing


def crop_rows(stage: Stage, *, near: float, far: float, left: float, right: float, along: bool) -> Thing:
    """Rows of crops on soil between x = left and right: running away (`along`) or across; one thing, "field"."""
    rng = stage.rng
    soil = stage.paint("soil")
    crop = stage.paint("foliage", color=rng.choice(("green", "green", "yellow", "purple")))
    thing = stage.thing("field", x=0.0, z=near, color=crop.color, behind=True, flat=True)
    thing.face([(left, 0, 0), (right, 0, 0), (right, 0, far - near), (left, 0, far - near)], soil)
    if along:
        count = min(max(round((right - left) / 0.9), 3), 22)
        step = (right - left) / count
        for k in range(count):
            u0, u1 = left + (k + 0.2) * step, left + (k + 0.75) * step
            thing.face(
                [(u0, 0.05, 0), (u1, 0.05, 0), (u1, 0.05, far - near), (u0, 0.05, far - near)],
                crop,
                shade=0.9 + 0.1 * (k % 2),
            )
        return thing
    z = near
    while z < far:
        deep = 0.07 * z  # rows look alike in depth however far they are
        thing.face(
            [
                (left, 0.1, z - near),
                (right, 0.1, z - near),
                (right, 0.1, z - near + deep),
                (left, 0.1, z - near + deep),
            ],
            crop,
        )
        z += 2 * deep
    return thing
