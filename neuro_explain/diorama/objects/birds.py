"""Birds, in the air and on their legs."""

from __future__ import annotations

from neuro_explain.diorama.paint import Paint
from neuro_explain.diorama.stage import Stage, Thing

_ORANGE = Paint((236, 150, 40), (236, 150, 40), "plain", "", "", "orange")
_BLACK = Paint((26, 26, 30), (26, 26, 30), "plain", "", "", "black")


def plumage(stage: Stage, colors: tuple[str, ...]) -> Paint:
    """Feathers or scales, which are among no materials."""
    paint = stage.paint("paper", color=stage.rng.choice(colors), plain=True)
    return paint._replace(material="")


def flying_bird(stage: Stage, x: float, y: float, z: float, *, span: float = 1.2) -> Thing:
    """A bird in the air, wings raised or lowered."""
    rng = stage.rng
    paint = plumage(stage, ("white", "white", "grey", "black", "brown"))
    thing = stage.thing("bird", x=x, y=y, z=z, color=paint.color)
    half, lift, turn = span / 2, rng.choice((0.3, 0.22, -0.12)) * span, rng.choice((-1, 1))
    body = span * 0.09
    for side, shade in ((-turn, 0.75), (turn, 1.0)):
        bend, tip = (side * half * 0.5, lift), (side * half, lift * 0.7)
        thing.poly(
            [(-body * 1.2, 0.02), bend, tip, (side * half * 0.55, lift * 0.3), (body * 1.2, -0.02)],
            paint,
            part="wing",
            shade=shade,
        )
        thing.poly([bend, tip, (side * half * 0.72, lift * 0.55)], _BLACK, part="wing")
    thing.poly(
        [(-turn * body * 3.2, body), (-turn * body * 3.2, -body), (0.0, 0.0)], paint, part="tail", shade=0.8
    )
    thing.disc(0, 0, body * 2.1, paint, high=body, part="body", shade=0.9)
    thing.disc(turn * body * 2.2, body * 0.4, body * 0.85, paint, part="head")
    thing.poly(
        [(turn * body * 2.8, body * 0.7), (turn * body * 4.2, body * 0.2), (turn * body * 2.8, 0)],
        _ORANGE,
        part="beak",
    )
    return thing


def standing_bird(
    stage: Stage, x: float, z: float, *, high: float = 0.65, y: float = 0.0, on: Thing | None = None
) -> Thing:
    """A gull or heron on its legs."""
    rng = stage.rng
    paint = plumage(stage, ("white", "white", "grey", "brown"))
    thing = stage.thing("bird", x=x, y=y, z=z, color=paint.color, on=on)
    if y == 0.0:
        thing.shadow(high * 0.35)
    h, turn = high, rng.choice((-1, 1))
    for u in (-0.06, 0.06):
        thing.line([(u * h, 0), (u * h, h * 0.36)], h * 0.05, _ORANGE, part="leg")
    thing.poly(
        [(-turn * 0.55 * h, 0.5 * h), (-turn * 0.1 * h, 0.62 * h), (-turn * 0.1 * h, 0.4 * h)],
        _BLACK,
        part="tail",
    )
    thing.disc(0, h * 0.5, h * 0.32, paint, high=h * 0.19, part="body", shade=0.92)
    thing.poly(
        [
            (turn * 0.1 * h, 0.45 * h),
            (turn * 0.16 * h, 0.85 * h),
            (turn * 0.32 * h, 0.85 * h),
            (turn * 0.3 * h, 0.5 * h),
        ],
        paint,
        part="body",
    )
    thing.poly(
        [(turn * 0.14 * h, 0.6 * h), (-turn * 0.4 * h, 0.56 * h), (-turn * 0.1 * h, 0.4 * h)],
        paint,
        part="wing",
        shade=0.68,
    )
    thing.disc(turn * 0.24 * h, h * 0.87, h * 0.13, paint, part="head", shade=1.05)
    thing.poly(
        [(turn * 0.34 * h, 0.92 * h), (turn * 0.6 * h, 0.83 * h), (turn * 0.34 * h, 0.81 * h)],
        _ORANGE,
        part="beak",
    )
    thing.disc(turn * 0.28 * h, h * 0.9, h * 0.03, _BLACK, part="head")
    return thing
