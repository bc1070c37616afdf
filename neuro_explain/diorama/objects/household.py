"""What may stand anywhere indoors: potted plants, cats, balls."""

from __future__ import annotations

from neuro_explain.diorama.stage import Stage, Thing


def plant(
    stage: Stage, x: float, z: float, *, y: float = 0.0, on: Thing | None = None, high: float = 0.9
) -> Thing:
    """A potted plant with pointed leaves or a round head."""
    rng = stage.rng
    clay = stage.paint(
        "ceramic", color=rng.choice(("orange", "brown", "white", "blue", "yellow")), plain=True
    )
    leaves = stage.paint("foliage", plain=True)
    thing = stage.thing("plant", x=x, y=y, z=z, color="green", on=on)
    h = high
    if on is None:
        thing.shadow(h * 0.25)
    if stage.chance(0.5):
        for k, (lean, reach) in enumerate(
            ((-0.42, 0.75), (0.42, 0.8), (-0.24, 0.95), (0.24, 1.0), (0.0, 1.1))
        ):
            base, tip = 0.3 * h, reach * h
            middle = (base + tip) / 2
            thing.poly(
                [
                    (-0.03 * h, base),
                    (lean * 0.6 * h - 0.07 * h, middle),
                    (lean * h, tip),
                    (lean * 0.6 * h + 0.08 * h, middle),
                    (0.03 * h, base),
                ],
                leaves,
                part="leaf",
                shade=0.75 + 0.09 * k,
            )
    else:
        thing.rect(
            -0.025 * h,
            0.25 * h,
            0.025 * h,
            0.6 * h,
            stage.paint("wood", color="brown", plain=True),
            part="stem",
        )
        bushy = stage.paint("foliage")
        for du, dv, shade in ((-0.14, 0.66, 0.8), (0.14, 0.7, 0.92), (0.0, 0.85, 1.08)):
            thing.blob(du * h, dv * h, 0.22 * h, 0.2 * h, bushy, part="leaf", shade=shade)
    thing.poly([(-0.14 * h, 0), (0.14 * h, 0), (0.19 * h, 0.3 * h), (-0.19 * h, 0.3 * h)], clay)
    thing.poly([(0.04 * h, 0), (0.14 * h, 0), (0.19 * h, 0.3 * h), (0.06 * h, 0.3 * h)], clay, shade=0.8)
    thing.rect(-0.21 * h, 0.26 * h, 0.21 * h, 0.33 * h, clay, shade=1.12)
    return thing


def cat(
    stage: Stage, x: float, z: float, *, y: float = 0.0, on: Thing | None = None, high: float = 0.55
) -> Thing:
    """A sitting cat."""
    rng = stage.rng
    fur = stage.paint(
        "fur",
        color=rng.choice(("black", "grey", "orange", "white", "brown")),
        texture=rng.choice(("", "", "striped")),
    )
    dark = stage.paint("fur", color="black" if fur.color != "black" else "yellow", plain=True)
    thing = stage.thing("cat", x=x, y=y, z=z, color=fur.color, on=on)
    h, side = high, rng.choice((-1, 1))
    if on is None:
        thing.shadow(h * 0.4)
    thing.line(
        [(side * 0.2 * h, 0.06 * h), (side * 0.5 * h, 0.1 * h), (side * 0.55 * h, 0.38 * h)],
        0.09 * h,
        fur,
        part="tail",
        shade=0.85,
    )
    thing.poly(
        [
            (-0.3 * h, 0),
            (0.3 * h, 0),
            (0.26 * h, 0.32 * h),
            (0.13 * h, 0.6 * h),
            (-0.13 * h, 0.6 * h),
            (-0.26 * h, 0.32 * h),
        ],
        fur,
        part="body",
    )
    for ear in (-1, 1):
        thing.poly(
            [(ear * 0.05 * h, 0.86 * h), (ear * 0.24 * h, 0.8 * h), (ear * 0.21 * h, 1.06 * h)],
            fur,
            part="head",
            shade=0.85,
        )
    thing.disc(0, 0.73 * h, 0.24 * h, fur, high=0.2 * h, part="head", shade=1.1)
    for eye in (-1, 1):
        thing.disc(eye * 0.09 * h, 0.77 * h, 0.035 * h, dark, part="head")
    thing.poly(
        [(-0.05 * h, 0.69 * h), (0.05 * h, 0.69 * h), (0, 0.63 * h)],
        stage.paint("skin", color="pink", plain=True),
        part="head",
    )
    return thing


def toy_ball(stage: Stage, x: float, z: float, *, radius: float = 0.2) -> Thing:
    """A ball on the floor, often striped or dotted."""
    rubber = stage.paint("plastic", texture=stage.rng.choice(("", "striped", "dotted")))
    thing = stage.thing("ball", x=x, z=z, color=rubber.color)
    thing.shadow(radius)
    thing.disc(0, radius, radius, rubber)
    if not rubber.texture:
        thing.disc(-radius * 0.25, radius * 1.3, radius * 0.35, rubber, shade=1.3)
    return thing
