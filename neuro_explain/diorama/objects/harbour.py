"""What is found on the water's edge: boats, a lighthouse, a pier."""

from __future__ import annotations

from neuro_explain.diorama.stage import Stage, Thing


def sailing_boat(stage: Stage, on: Thing, x: float, z: float, *, long: float = 3.0) -> Thing:
    """A boat with a mast, a mainsail and a jib, on the sea `on`."""
    rng = stage.rng
    paint = stage.paint(
        rng.choice(("wood", "plastic")),
        color=rng.choice(("red", "blue", "white", "brown", "green")),
        plain=True,
    )
    color = rng.choice(("white", "white", "orange", "red", "yellow", "blue"))
    cloth = stage.paint("fabric", color=color, texture=rng.choice(("", "", "striped", "chequered")))
    thing = stage.thing("boat", x=x, z=z, color=paint.color, on=on)
    s, turn = long / 2, rng.choice((-1, 1))
    top = s * rng.uniform(1.9, 2.4)
    mast = stage.paint("wood", color="brown", plain=True)
    thing.rect(-0.03 * s, 0.3 * s, 0.04 * s, top * 1.05, mast, part="mast")
    thing.poly(
        [(-0.1 * s * turn, 0.5 * s), (-0.95 * s * turn, 0.52 * s), (-0.08 * s * turn, top)],
        cloth,
        part="sail",
    )
    thing.poly(
        [(0.1 * s * turn, 0.5 * s), (0.85 * s * turn, 0.55 * s), (0.06 * s * turn, top * 0.88)],
        cloth,
        part="sail",
        shade=0.8,
    )
    hull = [(-s * turn, 0.45 * s), (1.12 * s * turn, 0.5 * s), (0.75 * s * turn, 0), (-0.8 * s * turn, 0)]
    thing.poly(hull, paint, part="hull")
    thing.poly(
        [(-0.9 * s * turn, 0.2 * s), (0.9 * s * turn, 0.2 * s), (0.75 * s * turn, 0), (-0.8 * s * turn, 0)],
        paint,
        part="hull",
        shade=0.6,
    )
    white = stage.paint("plastic", color="white" if paint.color != "white" else "red", plain=True)
    thing.poly(
        [
            (-s * turn, 0.45 * s),
            (1.12 * s * turn, 0.5 * s),
            (1.06 * s * turn, 0.4 * s),
            (-0.96 * s * turn, 0.36 * s),
        ],
        white,
        part="hull",
    )
    return thing


def rowing_boat(stage: Stage, x: float, z: float, *, long: float = 1.9, on: Thing | None = None) -> Thing:
    """A small open boat, afloat or drawn up on the shore."""
    rng = stage.rng
    paint = stage.paint("wood", color=rng.choice(("red", "blue", "white", "brown", "green", "orange")))
    inside = stage.paint("wood", color="brown", plain=True)
    thing = stage.thing("boat", x=x, z=z, color=paint.color, on=on)
    if on is None:
        thing.shadow(long * 0.52)
    s, t = long / 2, rng.choice((-1, 1))
    thing.poly(
        [
            (-0.95 * s * t, 0.5 * s),
            (0, 0.62 * s),
            (1.1 * s * t, 0.66 * s),
            (0.8 * s * t, 0.3 * s),
            (-0.8 * s * t, 0.3 * s),
        ],
        inside,
        shade=0.6,
    )
    for u in (-0.4, 0.3):
        thing.rect((u - 0.1) * s, 0.42 * s, (u + 0.1) * s, 0.52 * s, inside, part="seat", shade=1.1)
    hull = [
        (-s * t, 0.52 * s),
        (0.0, 0.4 * s),
        (1.15 * s * t, 0.68 * s),
        (0.75 * s * t, 0),
        (-0.75 * s * t, 0),
    ]
    thing.poly(hull, paint, part="hull")
    thing.poly(
        [
            (-0.88 * s * t, 0.26 * s),
            (0, 0.16 * s),
            (0.93 * s * t, 0.34 * s),
            (0.75 * s * t, 0),
            (-0.75 * s * t, 0),
        ],
        paint,
        part="hull",
        shade=0.68,
    )
    thing.line([(-0.2 * s * t, 0.6 * s), (-0.75 * s * t, 0.04 * s)], 0.07, inside, part="pole")
    return thing


def lighthouse(
    stage: Stage, x: float, z: float, *, high: float = 5.0, y: float = 0.0, on: Thing | None = None
) -> Thing:
    """A tower in bands of two colours, with a gallery, a lantern room and a door."""
    rng = stage.rng
    color = rng.choice(("red", "red", "black", "blue", "orange"))
    wall, band = stage.paint("plaster", color="white"), stage.paint("plaster", color=color, plain=True)
    thing = stage.thing("lighthouse", x=x, y=y, z=z, color=color, on=on)
    if y == 0.0:
        thing.shadow(high * 0.2)
    foot, top, count = high * 0.15, high * 0.76, rng.choice((3, 5, 5))
    for k in range(count):
        a, b = k / count, (k + 1) / count
        p, q = foot * (1 - 0.38 * a), foot * (1 - 0.38 * b)
        paint = band if k % 2 == 0 else wall
        thing.poly([(-p, a * top), (p, a * top), (q, b * top), (-q, b * top)], paint, part="body")
        thing.poly(
            [(p * 0.35, a * top), (p, a * top), (q, b * top), (q * 0.35, b * top)],
            paint,
            part="body",
            shade=0.72,
        )
    dark = stage.paint("metal", color="black", plain=True)
    thing.rect(
        -foot * 0.28, 0, foot * 0.28, high * 0.13, stage.paint("wood", color="brown", plain=True), part="door"
    )
    thing.rect(-foot * 0.12, top * 0.6, foot * 0.12, top * 0.7, dark, part="window pane")
    thing.rect(-foot * 0.9, top, foot * 0.9, top + high * 0.035, dark, part="rail")
    glass = stage.paint("glass", color="white", plain=True)._replace(rgb=(255, 240, 170))
    thing.rect(-foot * 0.45, top + high * 0.035, foot * 0.45, top + high * 0.14, glass, part="window pane")
    thing.rect(-foot * 0.06, top + high * 0.035, foot * 0.06, top + high * 0.14, dark, part="frame")
    thing.poly(
        [(-foot * 0.65, top + high * 0.14), (foot * 0.65, top + high * 0.14), (0, high)],
        band,
        part="roof",
        shade=0.9,
    )
    return thing


def pier(
    stage: Stage, x: float, z: float, *, long: float = 8.0, wide: float = 1.3, high: float = 0.5
) -> Thing:
    """A wooden pier from z outwards, on posts, with planks and now and then a rail."""
    wood = stage.paint("wood", color=stage.rng.choice(("brown", "brown", "grey")))
    thing = stage.thing("pier", x=x, z=z, color=wood.color)
    half, rail = wide / 2, stage.chance(0.5)
    posts = [long * k / 5 for k in range(6)]
    for w in reversed(posts):
        for u in (-half, half):
            thing.rect(u - 0.07, -0.1, u + 0.07, high, wood, part="post", shade=0.55, w=w)
    thing.face(
        [(-half, high - 0.14, 0), (half, high - 0.14, 0), (half, high, 0), (-half, high, 0)],
        wood,
        part="plank",
        shade=0.6,
    )
    for k in range(10):
        w0, w1 = long * (k / 10) ** 1.5, long * ((k + 1) / 10) ** 1.5
        thing.face(
            [(-half, high, w0), (half, high, w0), (half, high, w1), (-half, high, w1)],
            wood,
            part="plank",
            shade=1.05 if k % 2 else 0.92,
        )
    for u in (-half, half):
        inner = -1 if u * (stage.camera.x - x) < 0 else 1
        thing.face(
            [(u, high - 0.14, 0), (u, high, 0), (u, high, long), (u, high - 0.14, long)],
            wood,
            part="plank",
            shade=0.6 + 0.05 * inner,
        )
    if rail:
        for w in reversed(posts):
            for u in (-half, half):
                thing.rect(u - 0.05, high, u + 0.05, high + 0.55, wood, part="post", shade=0.8, w=w)
        for u in (-half, half):
            thing.face(
                [(u, high + 0.5, 0), (u, high + 0.6, 0), (u, high + 0.6, long), (u, high + 0.5, long)],
                wood,
                part="rail",
                shade=0.9,
            )
    return thing
