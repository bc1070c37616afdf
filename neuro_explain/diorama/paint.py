"""What is a surface made of, and what does that look like? Paints: colour, material, pattern.

    stage.paint("wood")                                     # some brown or so, with a grain
    stage.paint("fabric", color="red", texture="striped")   # second colour chosen by the stage's random numbers

A paint's *texture* is one of the labelled textures and strong enough to be one; its *pattern* is what is drawn:
the texture's, or the faint one that materials have by nature (grain, courses of brick, blades of grass).
"""

from __future__ import annotations

import random
from functools import cache
from typing import NamedTuple

RGB = tuple[int, int, int]

# Per colour name, shades that the public colour table reads as that name, also in dimmer light.
COLORS: dict[str, tuple[RGB, ...]] = {
    "black": ((28, 28, 30), (38, 36, 38)),
    "blue": ((40, 80, 190), (60, 110, 210), (30, 60, 150)),
    "brown": ((122, 78, 44), (140, 92, 54), (102, 66, 40)),
    "grey": ((128, 128, 130), (150, 150, 150), (108, 110, 112)),
    "green": ((52, 132, 58), (80, 160, 70), (40, 104, 50)),
    "orange": ((232, 128, 36), (240, 144, 50)),
    "pink": ((236, 140, 172), (240, 160, 190)),
    "purple": ((120, 60, 150), (140, 84, 170)),
    "red": ((196, 40, 40), (214, 54, 48), (170, 30, 36)),
    "white": ((236, 236, 232), (246, 246, 244)),
    "yellow": ((238, 206, 60), (244, 220, 84)),
}

# Per material: the colours it comes in, and the pattern it has by nature.
MATERIALS: dict[str, tuple[tuple[str, ...], str]] = {
    "asphalt": (("grey", "black"), "speckle"),
    "brick": (("red", "brown", "orange"), "courses"),
    "carpet": (("red", "blue", "green", "purple", "grey", "brown"), "speckle"),
    "ceramic": (("white", "white", "blue", "green", "yellow"), "plain"),
    "concrete": (("grey", "white"), "speckle"),
    "fabric": (tuple(COLORS), "plain"),
    "foliage": (("green",), "leaves"),
    "fur": (("brown", "white", "black"), "speckle"),
    "glass": (("blue", "white", "grey"), "glints"),
    "grass": (("green",), "blades"),
    "leather": (("brown", "black", "red"), "plain"),
    "metal": (("grey", "white", "black"), "glints"),
    "paper": (tuple(COLORS), "plain"),
    "plaster": (("white", "yellow", "pink", "blue", "green", "grey", "orange"), "plain"),
    "plastic": (tuple(COLORS), "plain"),
    "rubber": (("black",), "plain"),
    "sand": (("yellow", "orange"), "speckle"),
    "skin": (("pink", "brown"), "plain"),
    "soil": (("brown",), "speckle"),
    "stone": (("grey", "brown"), "speckle"),
    "tile": (("white", "blue", "green", "grey"), "grid"),
    "water": (("blue",), "ripples"),
    "wood": (("brown", "brown", "brown", "orange"), "grain"),
}

TEXTURES = ("chequered", "dotted", "stratified", "striped", "woven", "zigzagged")
"""The labelled textures: strong patterns of two colours, drawn under the same names."""

PLAIN = "plain"


class Paint(NamedTuple):
    """One surface's look. `second` is the pattern's other colour."""

    rgb: RGB
    second: RGB
    pattern: str
    material: str
    texture: str
    color: str


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """The colour that lies the share (0 to 1) of the way from the first to the second."""
    return (
        round(first[0] + (second[0] - first[0]) * share),
        round(first[1] + (second[1] - first[1]) * share),
        round(first[2] + (second[2] - first[2]) * share),
    )


def choose_paint(
    rng: random.Random, material: str, *, color: str | None = None, texture: str = "", plain: bool = False
) -> Paint:
    """A paint of this material.

    Args:
        rng: decides what is left open.
        material: a key of `MATERIALS`.
        color: a key of `COLORS`; one that the material comes in if not given.
        texture: one of `TEXTURES`, or none.
        plain: leave out the material's own pattern too (for small things).

    Raises:
        KeyError: an unknown material or colour.
        ValueError: an unknown texture.
    """
    if texture and texture not in TEXTURES:
        raise ValueError(f"texture: expected one of {', '.join(TEXTURES)}, got {texture!r}")
    if color is None:
        colors = MATERIALS[material][0]
        color = colors[int(rng.random() * len(colors))]
    choices = _paints(material, color, texture, plain)
    return choices[int(rng.random() * len(choices))]


@cache
def _paints(material: str, color: str, texture: str, plain: bool) -> tuple[Paint, ...]:
    """The shades in which such a paint comes: a few brightnesses, and for textures a few second colours."""
    pattern = MATERIALS[material][1]
    made = []
    for base in COLORS[color]:
        for bright in (0.93, 0.98, 1.02, 1.07):
            rgb = _scaled(base, bright)
            if material == "plaster":
                rgb = mix(rgb, (244, 240, 232), 0.5)  # walls are painted in pale colours
            if texture:
                others = ("white", "black", "yellow")
                if color in others:
                    others = ("blue", "red", "green")
                made += [Paint(rgb, COLORS[other][0], texture, material, texture, color) for other in others]
            elif plain or pattern == PLAIN:
                made.append(Paint(rgb, rgb, PLAIN, material, "", color))
            else:
                made.append(Paint(rgb, _own_second(rgb, pattern), pattern, material, "", color))
    return tuple(made)


# How much of the second colour a material's own pattern has; light on glass, metal and water is stronger.
_STRENGTHS = {"glints": 0.4, "ripples": 0.35, "courses": 0.45, "grid": 0.4, "leaves": 0.45, "blades": 0.35}


def _own_second(rgb: RGB, pattern: str) -> RGB:
    """The second colour of a material's own pattern: darker, or lighter where light plays on it."""
    if pattern == "courses":
        return mix(rgb, (225, 215, 205), _STRENGTHS[pattern])
    lighter = pattern in ("glints", "ripples") or sum(rgb) < 150
    return mix(rgb, (255, 255, 255) if lighter else (0, 0, 0), _STRENGTHS.get(pattern, 0.25))


def _scaled(rgb: RGB, factor: float) -> RGB:
    red, green, blue = (min(round(value * factor), 255) for value in rgb)
    return red, green, blue
