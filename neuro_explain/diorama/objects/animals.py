"""Animals of a farm: cow, sheep, chicken."""

from __future__ import annotations

from neuro_explain.diorama.stage import Stage, Thing


def cow(stage: Stage, x: float, z: float, *, size: float = 1.2) -> Thing:
    """A cow from the side, spotted or of one colour, grazing or looking up."""
    rng = stage.rng
    coat = stage.paint("fur", color=rng.choice(("white", "white", "brown")))
    spot = stage.paint(
        "fur", color=rng.choice(("black", "brown")) if coat.color == "white" else "white", plain=True
    )
    nose, dark = stage.paint("skin", color="pink", plain=True), stage.paint("fur", color="black", plain=True)
    thing = stage.thing("cow", x=x, z=z, color=coat.color)
    k, s = size * rng.choice((-1, 1)), size
    thing.shadow(0.85 * s, 0.3)
    for u in (-0.45, 0.38):
        thing.rect(u * k - 0.07, 0.04, u * k + 0.07, 0.5 * s, coat, part="leg", shade=0.65, w=0.25)
    thing.line([(-0.64 * k, 0.95 * s), (-0.74 * k, 0.45 * s)], 0.06, coat, part="tail", shade=0.75)
    for u in (-0.56, 0.48):
        thing.rect(u * k - 0.08, 0.08, u * k + 0.08, 0.5 * s, coat, part="leg", shade=0.85)
        thing.rect(u * k - 0.08, 0.0, u * k + 0.08, 0.1, dark, part="leg")
    thing.disc(-0.3 * k, 0.42 * s, 0.13 * s, nose, high=0.09 * s, part="body")
    trunk = [
        (-0.66, 0.5),
        (-0.3, 0.42),
        (0.3, 0.42),
        (0.62, 0.52),
        (0.66, 0.92),
        (0.5, 1.02),
        (-0.58, 1.02),
        (-0.7, 0.9),
    ]
    thing.poly([(u * k, v * s) for u, v in trunk], coat, part="body")
    for _ in range(rng.randrange(2, 4)):
        thing.blob(
            rng.uniform(-0.45, 0.4) * k,
            rng.uniform(0.62, 0.86) * s,
            0.17 * s,
            0.14 * s,
            spot,
            part="body",
            rough=0.3,
        )
    v = rng.choice((0.62, 1.0))
    thing.poly(
        [(0.45 * k, 0.98 * s), (0.6 * k, 0.6 * s), (0.82 * k, (v - 0.06) * s), (0.78 * k, (v + 0.14) * s)],
        coat,
        part="body",
        shade=0.95,
    )
    thing.disc(0.7 * k, (v + 0.2) * s, 0.1 * s, dark, high=0.06 * s, part="head")
    head = [(0.66, 0.18), (0.86, 0.18), (1.06, -0.02), (1.02, -0.14), (0.86, -0.14), (0.68, 0.0)]
    thing.poly([(u * k, (v + dv) * s) for u, dv in head], coat, part="head", shade=1.05)
    thing.disc(1.0 * k, (v - 0.06) * s, 0.09 * s, nose, part="head")
    thing.disc(0.84 * k, (v + 0.08) * s, 0.035 * s, dark, part="head")
    return thing


def sheep(stage: Stage, x: float, z: float, *, size: float = 1.15) -> Thing:
    """A woolly sheep."""
    rng = stage.rng
    wool = stage.paint("fur", color="white")
    dark = stage.paint("fur", color=rng.choice(("black", "black", "brown")), plain=True)
    thing = stage.thing("sheep", x=x, z=z, color="white")
    k, s = size * rng.choice((-1, 1)), size
    thing.shadow(0.55 * s, 0.25)
    for u, shade in ((-0.28, 0.7), (0.22, 0.7), (-0.36, 1.0), (0.3, 1.0)):
        thing.rect(u * k - 0.05, 0, u * k + 0.05, 0.36 * s, dark, part="leg", shade=shade)
    for u, v, shade in ((-0.3, 0.52, 0.9), (0.28, 0.52, 0.96), (0.0, 0.56, 1.07)):
        thing.blob(u * k, v * s, 0.32 * s, 0.27 * s, wool, part="body", rough=0.1, shade=shade)
    v = rng.choice((0.42, 0.72))
    thing.disc(0.58 * k, v * s, 0.16 * s, dark, high=0.2 * s, part="head")
    thing.disc(0.5 * k, (v + 0.16) * s, 0.15 * s, wool, high=0.1 * s, part="head")
    thing.disc(0.62 * k, (v + 0.04) * s, 0.03 * s, wool, part="head")
    return thing


def chicken(
    stage: Stage, x: float, z: float, *, y: float = 0.0, on: Thing | None = None, size: float = 1.2
) -> Thing:
    """A stout hen."""
    rng = stage.rng
    coat = stage.paint("fur", color=rng.choice(("white", "brown", "orange")), plain=True)
    red = stage.paint("skin", color="red", plain=True)
    yellow = stage.paint("skin", color="yellow", plain=True)
    thing = stage.thing("chicken", x=x, y=y, z=z, color=coat.color, on=on)
    k, s = size * rng.choice((-1, 1)), size
    if on is None:
        thing.shadow(0.3 * s)
    for u in (-0.06, 0.08):
        thing.line([(u * k, 0.02), (u * k, 0.2 * s)], 0.05, yellow, part="leg")
    trunk = [
        (-0.42, 0.62),
        (-0.3, 0.28),
        (-0.05, 0.14),
        (0.2, 0.2),
        (0.32, 0.45),
        (0.3, 0.7),
        (0.12, 0.66),
        (0.0, 0.46),
        (-0.22, 0.46),
    ]
    thing.poly([(u * k, v * s) for u, v in trunk], coat, part="body")
    thing.disc(-0.05 * k, 0.34 * s, 0.16 * s, coat, high=0.1 * s, part="wing", shade=0.75)
    thing.disc(0.22 * k, 0.72 * s, 0.12 * s, coat, part="head", shade=1.05)
    thing.poly(
        [(0.12 * k, 0.8 * s), (0.3 * k, 0.8 * s), (0.28 * k, 0.92 * s), (0.14 * k, 0.9 * s)], red, part="head"
    )
    thing.poly([(0.32 * k, 0.76 * s), (0.44 * k, 0.7 * s), (0.32 * k, 0.66 * s)], yellow, part="head")
    return thing
