"""What children climb, ride and turn on: slide, swing, seesaw, climbing frame, merry-go-round."""

from __future__ import annotations

from neuro_explain.diorama.paint import Paint
from neuro_explain.diorama.stage import Stage, Thing

_BRIGHT = ("red", "blue", "yellow", "green", "orange", "purple", "pink")


def _bright(stage: Stage, material: str, *, plain: bool = False) -> Paint:
    return stage.paint(material, color=stage.rng.choice(_BRIGHT), plain=plain)


def slide(stage: Stage, x: float, z: float) -> Thing:
    """A slide with a ladder, a platform and a chute down to one side."""
    chute, frame = _bright(stage, "plastic"), _bright(stage, "metal", plain=True)
    thing = stage.thing("slide", x=x, z=z, color=chute.color)
    k, high = stage.rng.choice((-1, 1)), stage.rng.uniform(1.4, 1.75)
    thing.shadow(1.3, 0.35)
    for u in (-0.95, -0.45):
        thing.line([(u * k, 0), (u * k, high + 0.55)], 0.09, frame, part="frame", shade=0.8, w=0.4)
    for step in range(5):
        v = (step + 0.6) * high / 5
        thing.line([(-0.95 * k, v), (-0.45 * k, v)], 0.07, frame, part="ladder", shade=0.9)
    thing.poly(
        [(-1.0 * k, high), (-0.4 * k, high), (-0.4 * k, high - 0.1), (-1.0 * k, high - 0.1)],
        frame,
        part="platform",
        shade=0.7,
    )
    lower = [
        (-0.45 * k, high),
        (0.75 * k, 0.28),
        (1.15 * k, 0.22),
        (1.15 * k, 0.08),
        (0.7 * k, 0.1),
        (-0.5 * k, high - 0.18),
    ]
    thing.poly(lower, chute, part="body", shade=0.7)
    upper = [
        (-0.5 * k, high + 0.22),
        (-0.3 * k, high + 0.18),
        (0.78 * k, 0.52),
        (1.2 * k, 0.4),
        (1.2 * k, 0.2),
        (0.74 * k, 0.26),
        (-0.45 * k, high),
    ]
    thing.poly(upper, chute, part="body")
    for u in (-0.95, -0.45):
        thing.line([(u * k, 0), (u * k, high + 0.55)], 0.1, frame, part="frame")
    thing.line([(-0.95 * k, high + 0.5), (-0.45 * k, high + 0.5)], 0.09, frame, part="rail")
    if stage.chance(0.4):
        cloth = stage.paint("fabric", texture=stage.rng.choice(("striped", "dotted", "chequered", "")))
        top = high + 0.5
        thing.poly(
            [(-1.15 * k, top), (-0.25 * k, top), (-0.5 * k, top + 0.4), (-0.9 * k, top + 0.4)],
            cloth,
            part="roof",
        )
    return thing


def swing(stage: Stage, x: float, z: float) -> Thing:
    """One or two seats on ropes under a frame."""
    rng = stage.rng
    frame = stage.paint(
        rng.choice(("wood", "metal")),
        color=rng.choice(("red", "blue", "brown", "green", "yellow")),
        plain=True,
    )
    seat = stage.paint(
        rng.choice(("rubber", "wood", "plastic")),
        color=rng.choice(("black", "red", "yellow", "blue")),
        plain=True,
    )
    rope = stage.paint("fabric", color=rng.choice(("white", "yellow", "brown")), plain=True)
    thing = stage.thing("swing", x=x, z=z, color=frame.color)
    count = rng.choice((1, 2))
    half, high = 0.55 + 0.35 * count, 1.95
    thing.shadow(half * 1.2, 0.4, 0.35)
    for side in (-1, 1):
        thing.line(
            [(side * half, high), (side * (half + 0.1), 0.06)], 0.13, frame, part="frame", w=0.7, shade=0.7
        )
        thing.line([(side * half, high), (side * (half + 0.28), 0)], 0.14, frame, part="frame", w=-0.2)
    thing.rect(-half - 0.1, high - 0.1, half + 0.1, high + 0.08, frame, part="frame", shade=1.05)
    for k in range(count):
        u, lean = (k - (count - 1) / 2) * 0.85, rng.uniform(-0.2, 0.2)
        for side in (-1, 1):
            thing.line(
                [(u + side * 0.24, high - 0.1), (u + side * 0.24 + lean, 0.55)], 0.05, rope, part="rope"
            )
        thing.box(u + lean - 0.34, 0.42, u + lean + 0.34, 0.6, 0.32, seat, part="seat")
    return thing


def seesaw(stage: Stage, x: float, z: float) -> Thing:
    """A plank across a stand, one end up."""
    rng = stage.rng
    plank = stage.paint("wood", color=rng.choice(("red", "blue", "yellow", "brown", "green", "orange")))
    stand, grip = _bright(stage, "metal", plain=True), stage.paint("metal", color="grey", plain=True)
    thing = stage.thing("seesaw", x=x, z=z, color=plank.color)
    k = rng.choice((-1, 1))
    thing.shadow(1.3, 0.3)
    thing.poly([(-0.34, 0), (0.34, 0), (0.1, 0.58), (-0.1, 0.58)], stand, part="frame")
    low, high = 0.24, 0.86
    for u, v in ((-1.0, low + 0.12), (1.0, high - 0.06)):
        thing.line([(u * k * 0.78, v), (u * k * 0.78, v + 0.4)], 0.08, grip, part="handle")
        thing.line(
            [(u * k * 0.78 - 0.12, v + 0.4), (u * k * 0.78 + 0.12, v + 0.4)], 0.08, grip, part="handle"
        )
    thing.poly(
        [(-1.25 * k, low - 0.05), (1.25 * k, high - 0.05), (1.25 * k, high + 0.12), (-1.25 * k, low + 0.12)],
        plank,
        part="plank",
    )
    seat = stage.paint("plastic", color=rng.choice(_BRIGHT), plain=True)
    for a, b, v in ((-1.25, -0.9, low), (0.9, 1.25, high - 0.08)):
        thing.poly(
            [(a * k, v + 0.1), (b * k, v + 0.18), (b * k, v + 0.28), (a * k, v + 0.2)], seat, part="seat"
        )
    return thing


def climbing_frame(stage: Stage, x: float, z: float) -> Thing:
    """A dome of bars, or a wall of coloured holds under a beam."""
    rng = stage.rng
    thing_color = rng.choice(_BRIGHT)
    if stage.chance(0.5):
        bars = stage.paint("metal", color=thing_color, plain=True)
        thing = stage.thing("climbing frame", x=x, z=z, color=thing_color)
        thing.shadow(1.1, 0.4, 0.35)
        for w, shade in ((0.8, 0.6), (0.0, 1.0)):
            for u in (-0.85, -0.28, 0.28, 0.85):
                thing.line([(u, 0), (u, 1.5)], 0.11, bars, part="pole", w=w, shade=shade)
            for v in (0.4, 0.95, 1.5):
                thing.line([(-0.9, v), (0.9, v)], 0.11, bars, part="rail", w=w, shade=shade * 0.92)
        return thing
    wall = stage.paint("wood", color=rng.choice(("brown", "orange", "grey")))
    beam = stage.paint("metal", color=thing_color, plain=True)
    thing = stage.thing("climbing frame", x=x, z=z, color=wall.color)
    thing.shadow(0.9, 0.4)
    thing.box(-0.7, 0, 0.7, 1.6, 0.2, wall)
    for u in (-0.72, 0.72):
        thing.rect(u - 0.08, 0, u + 0.08, 1.75, beam, part="pole")
    thing.rect(-0.8, 1.62, 0.8, 1.78, beam, part="rail")
    for k in range(9):
        u, v = -0.45 + 0.45 * (k % 3) + rng.uniform(-0.08, 0.08), 0.3 + 0.48 * (k // 3)
        thing.disc(u, v, 0.11, _bright(stage, "plastic", plain=True), part="handle")
    return thing


def merry_go_round(stage: Stage, x: float, z: float) -> Thing:
    """A turning disc with rails."""
    disc, other = _bright(stage, "metal", plain=True), _bright(stage, "metal", plain=True)
    rail = stage.paint("metal", color="grey", plain=True)
    thing = stage.thing("merry go round", x=x, z=z, color=disc.color)
    thing.shadow(1.15, 0.5)
    for u in (-0.55, 0.55):
        thing.line([(u, 0.3), (u, 0.9), (0, 1.0)], 0.09, rail, part="rail", shade=0.75, w=0.5)
    thing.disc(0, 0.2, 1.05, disc, high=0.24, part="platform", shade=0.6)
    thing.disc(0, 0.3, 1.05, disc, high=0.24, part="platform")
    thing.disc(0, 0.31, 0.6, other, high=0.13, part="platform", shade=1.05)
    thing.rect(-0.07, 0.3, 0.07, 1.05, other, part="pole")
    for u in (-0.9, -0.35, 0.35, 0.9):
        thing.line([(u, 0.2), (u, 0.82), (0, 1.0)], 0.1, rail, part="rail")
    thing.disc(0, 1.05, 0.14, disc, part="wheel")
    return thing
