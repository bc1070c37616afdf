"""Tables, chairs, lamps, rugs: what stands in most rooms."""

from __future__ import annotations

from neuro_explain.diorama.stage import Stage, Thing


def table(
    stage: Stage,
    x: float,
    z: float,
    *,
    wide: float = 1.3,
    high: float = 0.75,
    kind: str = "table",
    deep: float = 0.6,
) -> Thing:
    """A table (or desk) on four legs; its top is at `high`."""
    wood = stage.paint("wood")
    thing = stage.thing(kind, x=x, z=z, color=wood.color)
    half = wide / 2
    thing.shadow(half * 1.05, deep * 0.6)
    for u in (-half + 0.05, half - 0.11):
        thing.rect(u, 0, u + 0.06, high - 0.06, wood, part="leg", shade=0.6, w=deep - 0.06)
        thing.rect(u, 0, u + 0.06, high - 0.06, wood, part="leg", shade=0.85)
    thing.box(-half, high - 0.07, half, high, deep, wood)
    if kind == "table" and stage.chance(0.3):  # a cloth that hangs over the near edge
        cloth = stage.paint(
            "fabric", texture=stage.rng.choice(("", "chequered", "striped", "dotted", "woven"))
        )
        thing.box(-half - 0.02, high - 0.2, half + 0.02, high, deep, cloth, w=-0.02)
    return thing


def chair(stage: Stage, x: float, z: float, *, facing: bool | None = None) -> Thing:
    """A chair; `facing` the camera or seen from behind."""
    rng = stage.rng
    facing = stage.chance(0.5) if facing is None else facing
    paint = stage.paint(rng.choice(("wood", "plastic", "fabric")))
    legs = stage.paint(rng.choice(("wood", "metal")), plain=True)
    thing = stage.thing("chair", x=x, z=z, color=paint.color)
    thing.shadow(0.3)
    for u in (-0.22, 0.17):
        thing.rect(u, 0, u + 0.05, 0.45, legs, part="leg", shade=0.6, w=0.4)
    if facing:
        thing.rect(-0.23, 0.5, 0.23, 0.98, paint, part="back", shade=0.9, w=0.4)
    for u in (-0.22, 0.17):
        thing.rect(u, 0, u + 0.05, 0.45, legs, part="leg", shade=0.9)
    thing.box(-0.25, 0.42, 0.25, 0.5, 0.42, paint, part="seat")
    if not facing:
        thing.rect(-0.23, 0.5, 0.23, 0.98, paint, part="back", shade=1.0)
        thing.rect(-0.23, 0.66, 0.23, 0.72, paint, part="back", shade=0.75)
    return thing


def floor_lamp(stage: Stage, x: float, z: float) -> Thing:
    """A lamp on a long pole."""
    color = stage.rng.choice(("yellow", "orange", "white", "red", "pink"))
    cloth = stage.paint("fabric", color=color)
    metal = stage.paint("metal", plain=True)
    thing = stage.thing("lamp", x=x, z=z, color=color)
    thing.shadow(0.2)
    thing.disc(0, 0.02, 0.16, metal, high=0.04)
    thing.rect(-0.02, 0.02, 0.02, 1.4, metal, part="pole")
    thing.poly([(-0.3, 1.3), (0.3, 1.3), (0.18, 1.72), (-0.18, 1.72)], cloth, part="shade", shade=1.15)
    return thing


def table_lamp(stage: Stage, on: Thing, u: float, v: float, *, w: float = 0.1) -> Thing:
    """A small lamp on a table."""
    color = stage.rng.choice(("yellow", "orange", "white", "red", "green"))
    cloth = stage.paint("fabric", color=color)
    foot = stage.paint("ceramic", plain=True)
    thing = stage.thing("lamp", x=on.x + u, y=on.y + v, z=on.z + w, on=on, color=color)
    thing.disc(0, 0.1, 0.08, foot, high=0.1)
    thing.rect(-0.015, 0.18, 0.015, 0.3, stage.paint("metal", plain=True), part="pole")
    thing.poly([(-0.2, 0.26), (0.2, 0.26), (0.11, 0.52), (-0.11, 0.52)], cloth, part="shade", shade=1.15)
    return thing


def rug(stage: Stage, x: float, z: float, *, wide: float = 1.6, deep: float = 0.9) -> Thing:
    """A rug on the floor, often patterned."""
    rng = stage.rng
    texture = rng.choice(("", "striped", "chequered", "zigzagged", "dotted", "woven"))
    paint = stage.paint("fabric", texture=texture)
    thing = stage.thing("rug", x=x, z=z, color=paint.color, behind=True, flat=True)
    half = wide / 2
    thing.face([(-half, 0, 0), (half, 0, 0), (half, 0, deep), (-half, 0, deep)], paint)
    return thing
