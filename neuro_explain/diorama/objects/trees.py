"""Trees, bushes, flowers: what grows in more than one kind of landscape."""

from __future__ import annotations

import math

from neuro_explain.diorama.stage import Stage, Thing

_LEAVES = ("green",) * 8 + ("orange", "yellow", "red")  # now and then it is autumn


def tree(
    stage: Stage, x: float, z: float, *, high: float = 4.0, y: float = 0.0, on: Thing | None = None
) -> Thing:
    """A tree with a round, wide or tall crown of foliage; sometimes a birch."""
    rng = stage.rng
    birch = stage.chance(0.15)
    bark = stage.paint("wood", color="white" if birch else "brown")
    leaves = stage.paint("foliage", color=rng.choice(_LEAVES))
    thing = stage.thing("tree", x=x, y=y, z=z, color=leaves.color, on=on)
    if y == 0.0:
        thing.shadow(high * 0.24, strength=0.4)
    foot, crown, lean = high * 0.05, high * rng.uniform(0.21, 0.27), high * rng.uniform(-0.04, 0.04)
    wide, tall = rng.choice(((1.0, 1.0), (1.25, 0.8), (0.85, 1.2)))
    top, middle = high * 0.6, high - crown * tall * 1.1
    trunk = [(-foot * 1.5, 0), (-foot * 0.9, top * 0.2), (lean - foot * 0.6, top), (lean + foot * 0.6, top)]
    thing.poly([*trunk, (foot * 0.9, top * 0.2), (foot * 1.6, 0)], bark, part="tree trunk")
    dark = [(foot * 0.1, 0), (lean + foot * 0.1, top), (lean + foot * 0.6, top), (foot * 0.9, top * 0.2)]
    thing.poly([*dark, (foot * 1.6, 0)], bark, part="tree trunk", shade=0.72)
    if birch:
        black = stage.paint("wood", color="black", plain=True)
        for share in (0.2, 0.45, 0.65):
            thing.rect(-foot * 0.7, top * share, 0, top * (share + 0.05), black, part="tree trunk")
    side = rng.choice((-1, 1))
    fork = [(lean * 0.6, top * 0.6), (lean + side * crown * 0.6, middle)]
    thing.line(fork, foot * 0.8, bark, part="branch", shade=0.85)
    for du, dv, size, shade in (
        (0.1, -0.3, 0.95, 0.66),
        (-0.55, -0.05, 0.7, 0.82),
        (0.55, 0.0, 0.7, 0.78),
        (0.0, 0.4, 0.75, 0.98),
        (-0.25, 0.45, 0.42, 1.15),
    ):
        u, v, grow = lean + du * crown * wide, middle + dv * crown * tall, size * rng.uniform(0.9, 1.1)
        thing.blob(u, v, grow * crown * wide, grow * crown * tall * 0.9, leaves, part="crown", shade=shade)
    return thing


def conifer(
    stage: Stage, x: float, z: float, *, high: float = 4.5, y: float = 0.0, on: Thing | None = None
) -> Thing:
    """A fir or spruce: tiers of needles that narrow towards the top, white when it snows."""
    rng = stage.rng
    bark, leaves = stage.paint("wood", color="brown"), stage.paint("foliage", color="green")
    leaves = leaves._replace(rgb=(leaves.rgb[0] * 2 // 3, leaves.rgb[1] * 4 // 5, leaves.rgb[2]))
    thing = stage.thing("tree", x=x, y=y, z=z, color="green", on=on)
    if y == 0.0:
        thing.shadow(high * 0.2, strength=0.4)
    wide, foot = high * rng.uniform(0.19, 0.26), high * 0.035
    thing.rect(-foot, 0, foot, high * 0.25, bark, part="tree trunk", shade=0.8)
    tiers = rng.randrange(3, 5)
    step = high * 0.82 / tiers
    for k in range(tiers):
        half, low = wide * (1 - 0.8 * k / tiers), high * 0.14 + step * k
        tip = min(low + step * 1.55, high)
        fringe = [(half * 0.5, low + step * 0.14), (0.0, low - step * 0.06), (-half * 0.5, low + step * 0.14)]
        thing.poly([(-half, low), (0, tip), (half, low), *fringe], leaves, part="crown", shade=0.95)
        thing.poly([(0, tip), (half, low), *fringe[:2]], leaves, part="crown", shade=0.68)
        if stage.light.weather == "snow":
            snow = stage.paint("plaster", color="white", plain=True)._replace(material="")
            bend = [(-half * 0.75, low + step * 0.3), (0, tip), (0, tip - step * 0.5)]
            thing.poly(bend, snow, part="crown", shade=0.96)
    return thing


def tall_tree(stage: Stage, x: float, z: float, *, wide: float = 0.5) -> Thing:
    """An old tree whose trunk fills the picture from the ground to the top; `wide` is the trunk's width."""
    rng = stage.rng
    bark = stage.paint("wood", color=rng.choice(("brown", "brown", "brown", "grey")))
    leaves = stage.paint("foliage", color=rng.choice(_LEAVES))
    thing = stage.thing("tree", x=x, z=z, color=leaves.color)
    thing.shadow(wide * 1.3, strength=0.45)
    top = stage.camera.height + stage.camera.horizon * z / stage.camera.focal
    half, lean = wide / 2, rng.uniform(-0.15, 0.15) * wide
    left = [(-half * 1.8, 0.0), (-half * 1.1, 0.35), (lean - half * 0.85, top + 0.3)]
    thing.poly(
        [*left, (lean + half * 0.85, top + 0.3), (half * 1.1, 0.35), (half * 1.9, 0.0)],
        bark,
        part="tree trunk",
    )
    dark = [(half * 0.3, 0.05), (lean + half * 0.3, top + 0.3), (lean + half * 0.85, top + 0.3)]
    thing.poly([*dark, (half * 1.1, 0.35), (half * 1.9, 0.0)], bark, part="tree trunk", shade=0.68)
    for u, v in ((-0.55, 0.2), (-0.1, 0.45), (-0.6, 0.62)):
        thing.line(
            [(u * half, top * v), (u * half, top * (v + 0.12))], 0.05, bark, part="tree trunk", shade=0.6
        )
    side = rng.choice((-1, 1))
    limb = [(side * half * 0.5, top * 0.55), (side * wide * 1.7, top * 0.85)]
    thing.line(limb, half * 0.5, bark, part="branch", shade=0.85)
    for du, dv, shade in ((1.6, -0.02, 0.72), (-1.4, 0.02, 0.85), (0.2, 0.08, 1.0)):
        grow = wide * rng.uniform(1.3, 1.8)
        thing.blob(
            du * wide * side, top * (0.95 + dv), grow * 1.2, grow * 0.7, leaves, part="crown", shade=shade
        )
    return thing


def palm(stage: Stage, x: float, z: float, *, high: float = 3.6) -> Thing:
    """A palm: a bent, ringed trunk and drooping fronds, often with coconuts."""
    rng = stage.rng
    bark, leaves = stage.paint("wood", color="brown"), stage.paint("foliage", color="green", plain=True)
    thing = stage.thing("palm", x=x, z=z, color="green")
    thing.shadow(high * 0.2, strength=0.4)
    bend, foot = rng.choice((-1, 1)) * high * rng.uniform(0.08, 0.24), high * 0.045
    middle, top = bend * 0.3, high * 0.78
    rim = [(-foot * 1.5, 0), (middle - foot, top * 0.5), (bend - foot * 0.7, top)]
    thing.poly(
        [*rim, (bend + foot * 0.7, top), (middle + foot, top * 0.5), (foot * 1.5, 0)], bark, part="tree trunk"
    )
    for k in range(1, 6):
        share = k / 6
        u, v = bend * share**1.7, top * share
        thing.line([(u - foot, v), (u + foot, v)], 0.05, bark, part="tree trunk", shade=0.65)
    for angle, shade in ((-25, 0.7), (205, 0.7), (20, 0.85), (160, 0.85), (55, 1.0), (125, 1.0), (90, 1.1)):
        turn = math.radians(angle + rng.uniform(-8, 8))
        reach = high * rng.uniform(0.3, 0.36)
        c, s = math.cos(turn) * reach, math.sin(turn) * reach
        droop = reach * 0.32
        frond = [
            (bend, top + 0.08),
            (bend + c * 0.45, top + s * 0.75 + droop),
            (bend + c, top + s * 0.7 - droop * 0.6),
        ]
        thing.poly([*frond, (bend + c * 0.5, top + s * 0.6 + droop * 0.1)], leaves, part="frond", shade=shade)
    if stage.chance(0.6):
        nut = stage.paint("wood", color="brown", plain=True)
        for du in (-0.7, 0.6):
            thing.disc(bend + du * foot * 2, top - foot, foot * 1.2, nut, part="fruit", shade=0.8)
    return thing


def bush(stage: Stage, x: float, z: float, *, high: float = 0.8) -> Thing:
    """A round bush, sometimes with berries or blossoms."""
    rng = stage.rng
    leaves = stage.paint("foliage", color=rng.choice(_LEAVES))
    thing = stage.thing("bush", x=x, z=z, color=leaves.color)
    thing.shadow(high * 0.8, strength=0.4)
    wide = rng.uniform(0.9, 1.2)
    for du, dv, size, shade in (
        (0.05, 0.36, 0.72, 0.62),
        (-0.42, 0.4, 0.5, 0.85),
        (0.42, 0.42, 0.48, 0.78),
        (0.0, 0.58, 0.46, 1.02),
    ):
        u, v = du * high * wide, dv * high
        thing.blob(u, v, size * high * wide, size * high * 0.62, leaves, shade=shade)
    if stage.chance(0.3):
        color = rng.choice(("red", "white", "pink", "purple"))
        berry = stage.paint("paper", color=color, plain=True)._replace(material="")
        for _ in range(5):
            u, v = rng.uniform(-0.6, 0.6) * high * wide, rng.uniform(0.25, 0.8) * high
            thing.disc(u, v, high * 0.07, berry, part="fruit")
    return thing


def flower(stage: Stage, x: float, z: float, *, high: float = 0.55, stems: int = 1) -> Thing:
    """One large flower, or a few: stem, leaf, petals around a heart."""
    rng = stage.rng
    color = rng.choice(("red", "yellow", "white", "pink", "purple", "blue", "orange"))
    petal = stage.paint("paper", color=color, plain=True)._replace(material="")
    heart = petal._replace(rgb=(235, 190, 60) if color != "yellow" else (120, 74, 40))
    green = stage.paint("foliage", color="green", plain=True)
    thing = stage.thing("flower", x=x, z=z, color=color)
    thing.shadow(high * 0.25, strength=0.3)
    for k in range(stems):
        u, top = (k - (stems - 1) / 2) * high * 0.62, high * rng.uniform(0.68, 0.85)
        radius = high * rng.uniform(0.14, 0.17)
        thing.line([(u * 0.4, 0), (u, top)], high * 0.06, green, part="stem", shade=0.85)
        leaf = [(u * 0.5, top * 0.2), (u * 0.5 + high * 0.26, top * 0.5), (u * 0.5 + high * 0.05, top * 0.5)]
        thing.poly(leaf, green, part="leaf")
        for turn in range(5):
            angle = math.radians(72 * turn + 18)
            c, s = math.cos(angle) * radius, math.sin(angle) * radius
            thing.disc(u + c, top + s, radius * 0.75, petal, part="petal", shade=0.94 + 0.03 * turn)
        thing.disc(u, top, radius * 0.6, heart)
    return thing
