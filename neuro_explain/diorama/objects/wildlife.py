"""Wild animals: fish, deer, squirrels, goats."""

from __future__ import annotations

from neuro_explain.diorama.objects.birds import plumage
from neuro_explain.diorama.paint import RGB, Paint, mix
from neuro_explain.diorama.stage import Stage, Thing

_BLACK = Paint((26, 26, 30), (26, 26, 30), "plain", "", "", "black")


def _coat(stage: Stage, choices: tuple[RGB, ...], color: str) -> Paint:
    rgb = stage.rng.choice(choices)
    return Paint(rgb, mix(rgb, (0, 0, 0), 0.25), "plain", "fur", "", color)


def fish(stage: Stage, on: Thing, x: float, z: float, *, long: float = 0.8) -> Thing:
    """A fish that leaps out of the river `on`."""
    rng = stage.rng
    paint = plumage(stage, ("orange", "grey", "red", "grey"))
    thing = stage.thing("fish", x=x, y=on.y + rng.uniform(0.25, 0.5), z=z, color=paint.color, on=on)
    s, turn = long / 2, rng.choice((-1, 1))
    rim = [
        (0.95, 0.1),
        (0.5, 0.38),
        (0.0, 0.42),
        (-0.5, 0.12),
        (-0.95, -0.05),
        (-1.05, -0.55),
        (-0.72, -0.3),
        (-0.35, -0.2),
    ]
    thing.poly(
        [(-0.15 * s * turn, 0.3 * s), (0.15 * s * turn, 0.75 * s), (0.35 * s * turn, 0.38 * s)],
        paint,
        part="fin",
        shade=0.7,
    )
    thing.poly(
        [(turn * u * s, v * s) for u, v in [*rim, (0.2, -0.18), (0.75, -0.12)]],
        paint,
        part="body",
        shade=0.85,
    )
    thing.poly([(turn * u * s, v * s) for u, v in rim[4:7]], paint, part="tail", shade=0.65)
    belly = [(0.9, 0.0), (0.0, 0.05), (-0.4, -0.1), (-0.3, -0.2), (0.2, -0.18), (0.75, -0.12)]
    thing.poly([(turn * u * s, v * s) for u, v in belly], paint, part="body", shade=1.25)
    thing.disc(turn * 0.68 * s, 0.14 * s, 0.08 * s, _BLACK, part="head")
    splash = Paint((240, 246, 250), (240, 246, 250), "plain", "water", "", "white")
    below = on.y - thing.y
    thing.face(
        [(-s, below, -0.1), (0, below, -0.25), (s, below, -0.1), (0, below, 0.15)],
        splash,
        part="foam",
        shade=0.95,
    )
    return thing


def deer(stage: Stage, x: float, z: float, *, high: float = 1.5) -> Thing:
    """A deer seen from the side, with or without antlers."""
    rng = stage.rng
    paint = _coat(stage, ((150, 96, 52), (132, 84, 48), (168, 112, 64)), "brown")
    pale = paint._replace(rgb=(226, 206, 176))
    thing = stage.thing("deer", x=x, z=z, color="brown")
    h, t = high, rng.choice((-1, 1))
    thing.shadow(h * 0.38)
    for u, shade in ((-0.24, 0.62), (0.2, 0.62), (-0.3, 0.9), (0.26, 0.9)):
        thing.poly(
            [
                ((u - 0.035) * h * t, 0),
                ((u + 0.03) * h * t, 0),
                ((u + 0.055) * h * t, 0.42 * h),
                ((u - 0.055) * h * t, 0.42 * h),
            ],
            paint,
            part="leg",
            shade=shade,
        )
    thing.poly(
        [(-0.38 * h * t, 0.5 * h), (-0.45 * h * t, 0.66 * h), (-0.32 * h * t, 0.62 * h)], pale, part="tail"
    )
    torso = [(-0.38, 0.4), (-0.36, 0.6), (-0.1, 0.64), (0.2, 0.62), (0.36, 0.56), (0.34, 0.38), (0.0, 0.34)]
    thing.poly([(u * h * t, v * h) for u, v in torso], paint, part="body")
    thing.poly(
        [(u * h * t, v * h) for u, v in ((-0.34, 0.4), (0.3, 0.38), (0.0, 0.34))],
        pale,
        part="body",
        shade=0.9,
    )
    neck = [(0.2, 0.6), (0.34, 0.46), (0.46, 0.76), (0.34, 0.82)]
    thing.poly([(u * h * t, v * h) for u, v in neck], paint, part="body", shade=0.9)
    for u, v in ((-0.2, 0.55), (-0.05, 0.58), (-0.1, 0.5), (0.1, 0.54)):
        thing.disc(u * h * t, v * h, 0.018 * h, pale, part="body")
    thing.poly(
        [(u * h * t, v * h) for u, v in ((0.33, 0.8), (0.2, 0.9), (0.38, 0.86))],
        paint,
        part="ear",
        shade=0.75,
    )
    head = [(0.33, 0.76), (0.36, 0.87), (0.46, 0.86), (0.6, 0.76), (0.58, 0.71), (0.44, 0.72)]
    thing.poly([(u * h * t, v * h) for u, v in head], paint, part="head", shade=1.05)
    thing.disc(0.585 * h * t, 0.745 * h, 0.022 * h, _BLACK, part="head")
    thing.disc(0.45 * h * t, 0.81 * h, 0.016 * h, _BLACK, part="head")
    if stage.chance(0.65):
        horn = stage.paint("wood", color="brown", plain=True)._replace(material="")
        for lean in (-0.1, 0.06):
            stem = [(0.38, 0.86), (0.36 + lean, 1.0), (0.44 + lean, 1.12)]
            thing.line([(u * h * t, v * h) for u, v in stem], 0.035 * h, horn, part="antler")
            thing.line(
                [((0.36 + lean) * h * t, h), ((0.25 + lean) * h * t, 1.08 * h)], 0.03 * h, horn, part="antler"
            )
    return thing


def squirrel(stage: Stage, x: float, z: float, *, high: float = 0.55) -> Thing:
    """A squirrel that sits up, its tail behind its back."""
    paint = _coat(stage, ((178, 92, 40), (150, 80, 44), (120, 116, 112)), "")
    pale = paint._replace(rgb=(236, 222, 200))
    thing = stage.thing("squirrel", x=x, z=z)
    h, t = high, stage.rng.choice((-1, 1))
    thing.shadow(h * 0.45)
    bow = [
        (-0.1, 0.02),
        (-0.45, 0.1),
        (-0.58, 0.5),
        (-0.5, 0.92),
        (-0.25, 1.0),
        (-0.12, 0.82),
        (-0.3, 0.7),
        (-0.28, 0.4),
    ]
    thing.poly([(u * h * t, v * h) for u, v in bow], paint, part="tail", shade=0.72)
    tuft = [(-0.45, 0.2), (-0.5, 0.55), (-0.4, 0.88), (-0.28, 0.9), (-0.38, 0.6)]
    thing.poly([(u * h * t, v * h) for u, v in tuft], paint, part="tail", shade=1.1)
    thing.disc(0.02 * h * t, 0.3 * h, 0.24 * h, paint, high=0.3 * h, part="body", shade=0.95)
    thing.disc(0.12 * h * t, 0.3 * h, 0.11 * h, pale, high=0.22 * h, part="body")
    thing.disc(0.1 * h * t, 0.06 * h, 0.22 * h, paint, high=0.07 * h, part="leg", shade=0.75)
    thing.poly(
        [(0.02 * h * t, 0.72 * h), (0.02 * h * t, 0.98 * h), (0.16 * h * t, 0.8 * h)],
        paint,
        part="ear",
        shade=0.8,
    )
    thing.disc(0.14 * h * t, 0.68 * h, 0.18 * h, paint, high=0.15 * h, part="head", shade=1.05)
    thing.disc(0.2 * h * t, 0.71 * h, 0.035 * h, _BLACK, part="head")
    thing.line([(0.08 * h * t, 0.44 * h), (0.3 * h * t, 0.46 * h)], 0.09 * h, paint, part="arm", shade=0.75)
    return thing


def goat(
    stage: Stage, x: float, z: float, *, high: float = 1.05, y: float = 0.0, on: Thing | None = None
) -> Thing:
    """A mountain goat with curved horns and a beard."""
    rng = stage.rng
    paint = _coat(stage, ((232, 226, 214), (170, 160, 150), (92, 78, 68)), "")
    thing = stage.thing("goat", x=x, y=y, z=z, on=on)
    h, t = high, rng.choice((-1, 1))
    if y == 0.0:
        thing.shadow(h * 0.5)
    for u, shade in ((-0.26, 0.6), (0.22, 0.6), (-0.34, 0.85), (0.3, 0.85)):
        thing.rect((u - 0.045) * h, 0, (u + 0.045) * h, 0.36 * h, paint, part="leg", shade=shade)
    torso = [(-0.45, 0.34), (-0.46, 0.62), (-0.2, 0.7), (0.25, 0.66), (0.42, 0.5), (0.36, 0.3), (0.0, 0.28)]
    thing.poly([(u * h * t, v * h) for u, v in torso], paint, part="body", shade=0.95)
    thing.poly(
        [(u * h * t, v * h) for u, v in (torso[0], (0.36, 0.44), (0.36, 0.3), (0.0, 0.26))],
        paint,
        part="body",
        shade=0.74,
    )
    thing.poly(
        [(-0.44 * h * t, 0.62 * h), (-0.56 * h * t, 0.74 * h), (-0.46 * h * t, 0.5 * h)],
        paint,
        part="tail",
        shade=0.8,
    )
    neck = [(0.2, 0.66), (0.42, 0.48), (0.55, 0.74), (0.4, 0.86)]
    thing.poly([(u * h * t, v * h) for u, v in neck], paint, part="body", shade=0.9)
    thing.poly(
        [(u * h * t, v * h) for u, v in ((0.56, 0.66), (0.66, 0.5), (0.64, 0.66))],
        paint,
        part="head",
        shade=0.7,
    )
    head = [(0.38, 0.74), (0.42, 0.9), (0.54, 0.9), (0.74, 0.7), (0.7, 0.63), (0.52, 0.66)]
    thing.poly([(u * h * t, v * h) for u, v in head], paint, part="head", shade=1.05)
    thing.poly(
        [(u * h * t, v * h) for u, v in ((0.42, 0.8), (0.26, 0.74), (0.4, 0.88))],
        paint,
        part="ear",
        shade=0.65,
    )
    bone = Paint((92, 80, 66), (92, 80, 66), "plain", "", "", "brown")
    for lean in (0.0, 0.07):
        bow = [
            (0.46 + lean, 0.88),
            (0.4 + lean, 1.05),
            (0.24 + lean, 1.1),
            (0.36 + lean, 0.98),
            (0.42 + lean, 0.86),
        ]
        thing.poly([(u * h * t, v * h) for u, v in bow], bone, part="horn", shade=0.8 + 3 * lean)
    thing.disc(0.56 * h * t, 0.8 * h, 0.025 * h, _BLACK, part="head")
    return thing
