"""What hikers bring along: a tent, a backpack, themselves."""

from __future__ import annotations

from neuro_explain.diorama.objects.people import person
from neuro_explain.diorama.stage import Stage, Thing


def tent(stage: Stage, x: float, z: float, *, wide: float = 2.2) -> Thing:
    """A ridge tent with an open flap and guy ropes."""
    rng = stage.rng
    color = rng.choice(("orange", "red", "blue", "yellow", "green", "purple"))
    cloth = stage.paint("fabric", color=color, texture=rng.choice(("", "", "striped", "zigzagged")))
    dark = stage.paint("fabric", color="black", plain=True)
    thing = stage.thing("tent", x=x, z=z, color=color)
    s, t = wide / 2, rng.choice((-1, 1))
    thing.shadow(s * 1.2)
    high = s * rng.uniform(1.05, 1.3)
    rope = stage.paint("fabric", color="white", plain=True)
    thing.line([(-1.0 * s * t, high * 0.95), (-1.45 * s * t, 0)], 0.03, rope, part="rope")
    thing.poly(
        [(-0.4 * s * t, high), (0.75 * s * t, high * 0.88), (1.25 * s * t, 0.18 * s), (0.3 * s * t, 0)],
        cloth,
        part="roof",
        shade=0.76,
    )
    thing.poly([(-1.0 * s * t, 0), (-0.35 * s * t, high), (0.35 * s * t, 0)], cloth)
    thing.poly([(-0.62 * s * t, 0), (-0.35 * s * t, high * 0.78), (-0.02 * s * t, 0)], dark, part="door")
    thing.poly(
        [(-0.35 * s * t, high * 0.78), (-0.02 * s * t, 0), (0.16 * s * t, 0), (-0.22 * s * t, high * 0.5)],
        cloth,
        part="door",
        shade=1.15,
    )
    thing.line([(-0.35 * s * t, high), (-0.35 * s * t, high * 0.8)], 0.05, rope, part="pole")
    return thing


def hiker(
    stage: Stage, x: float, z: float, *, high: float = 1.65, y: float = 0.0, on: Thing | None = None
) -> Thing:
    """Someone who carries a large backpack, seen beside the back; returns the person."""
    side = stage.rng.choice((-1, 1)) * high * 0.15
    # drawn before the person who wears it, hence made first
    bag = backpack(stage, x + side, z + 0.05, high=high * 0.46, y=y + high * 0.4, on=on)
    who = person(stage, x, z, high=high, y=y, on=on)
    bag.on = who.number
    return who


def backpack(
    stage: Stage, x: float, z: float, *, high: float = 0.65, y: float = 0.0, on: Thing | None = None
) -> Thing:
    """A hiker's backpack with a flap, a pocket and a rolled mat."""
    rng = stage.rng
    color = rng.choice(("red", "blue", "green", "orange", "yellow", "purple"))
    cloth, strap = stage.paint("fabric", color=color), stage.paint("leather", plain=True)
    thing = stage.thing("backpack", x=x, y=y, z=z, color=color, on=on)
    h, half = high, high * 0.33
    if y == 0.0:
        thing.shadow(half * 1.4)
    mat = stage.paint("fabric", color=rng.choice(("grey", "yellow", "blue")), plain=True)
    thing.rect(-half * 1.1, h * 0.86, half * 1.1, h * 1.05, mat, shade=0.9)
    thing.poly(
        [
            (-half * 1.05, 0),
            (half * 1.05, 0),
            (half, h * 0.7),
            (half * 0.7, h * 0.9),
            (-half * 0.7, h * 0.9),
            (-half, h * 0.7),
        ],
        cloth,
        part="body",
    )
    thing.poly(
        [(half * 0.5, 0), (half * 1.05, 0), (half, h * 0.7), (half * 0.55, h * 0.88)],
        cloth,
        part="body",
        shade=0.7,
    )
    thing.rect(-half * 0.65, h * 0.08, half * 0.65, h * 0.38, cloth, shade=1.2)
    thing.rect(-half, h * 0.56, half, h * 0.62, cloth, shade=0.55)
    for u in (-0.5, 0.4):
        thing.rect(u * half, h * 0.38, (u + 0.16) * half, h * 0.86, strap, part="strap")
    return thing
