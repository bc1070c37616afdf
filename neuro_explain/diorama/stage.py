"""Where do things stand? A stage seen by a camera: things with shapes, in metres, in perspective.

    lamp = stage.thing("lamp", x=0.8, z=3.0, color="yellow")
    lamp.rect(-0.03, 0.0, 0.03, 0.9, stage.paint("metal"))                      # the pole
    lamp.poly([(-0.2, 0.9), (0.2, 0.9), (0.12, 1.2), (-0.12, 1.2)], cloth, part="shade")

x is to the right of the camera's axis, y above the ground, z away from the camera. A thing's own coordinates
(u, v, w) start where it stands: u right, v up, w away. Nothing is drawn yet: a stage is a list of shapes, each
with its thing, part and paint, so that a picture of any size, its labels, and the same picture without one
concept all come from the same list.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from neuro_explain.diorama.light import Light
from neuro_explain.diorama.paint import Paint, choose_paint
from neuro_explain.diorama.words import KINDS, PARTS

FAR = 80.0
"""How far away a landscape ends, in metres: where the sky hangs."""

Kind = Literal["polygon", "ellipse", "line"]
Point = tuple[float, float]

_CIRCLE = [(math.cos(2 * math.pi * k / 12), math.sin(2 * math.pi * k / 12)) for k in range(12)]


class Shape(NamedTuple):
    """One shape of the picture, in frame coordinates (0 to 1, y down).

    Attributes:
        thing: number of the thing that it belongs to.
        part: name of the part, or "".
        paint: how it looks.
        shade: light on it, 1 is full.
        kind: what to draw.
        points: x0, y0, x1, y1, …: corners, or an ellipse's box, or a line.
        width: a line's width as a share of the frame.
        z: its distance in metres, for haze and the scale of its pattern.
    """

    thing: int
    part: str
    paint: Paint
    shade: float
    kind: Kind
    points: tuple[float, ...]
    width: float
    z: float


class Shadow(NamedTuple):
    """A soft dark ellipse on the ground: box in the frame, strength 0 to 1."""

    box: tuple[float, float, float, float]
    strength: float


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks level.

    Attributes:
        height: of its eye, in metres.
        focal: how large a metre at one metre's distance is, in shares of the frame.
        horizon: how far down the frame the horizon lies, 0 to 1.
        x: how far to the right it stands.
    """

    height: float = 1.45
    focal: float = 1.0
    horizon: float = 0.45
    x: float = 0.0

    def project(self, x: float, y: float, z: float) -> Point:
        """Where a point in metres appears in the frame."""
        scale = self.focal / z
        return 0.5 + (x - self.x) * scale, self.horizon + (self.height - y) * scale

    def x_at(self, across: float, z: float) -> float:
        """The x that is seen a share `across` (−0.5 to 0.5) from the middle of the frame, at the distance z."""
        return self.x + across * z / self.focal


@dataclass
class Thing:
    """An object on the stage, and the pen that draws it in its own coordinates.

    Attributes:
        number: its place in the stage's list.
        kind: what it is, a word of `words.KINDS`.
        x, y, z: where it stands.
        color: the name of its main colour, or "".
        on: number of the thing that it stands or hangs on, or -1.
        order: distance by which it is drawn, the farthest first.
        flat: whether shadows fall on it.
    """

    stage: Stage = field(repr=False)
    number: int
    kind: str
    x: float
    y: float
    z: float
    color: str
    on: int
    order: float
    flat: bool

    def point(self, u: float, v: float, w: float = 0.0) -> Point:
        """Where (u, v, w) of this thing appears in the frame."""
        # as Camera.project, without the call: a scene has a thousand corners
        camera, z = self.stage.camera, self.z + w
        scale = camera.focal / (z if z > 0.3 else 0.3)
        return (
            0.5 + (self.x + u - camera.x) * scale,
            camera.horizon + (camera.height - (self.y + v)) * scale,
        )

    def _add(
        self, kind: Kind, points: tuple[float, ...], paint: Paint, part: str, shade: float, width: float = 0.0
    ) -> None:
        if part and part not in PARTS:
            raise KeyError(f"part {part!r} of {self.kind} is not among the words of the diorama")
        self.stage.shapes.append(Shape(self.number, part, paint, shade, kind, points, width, self.z))

    def poly(
        self, corners: Sequence[Point], paint: Paint, *, part: str = "", shade: float = 1.0, w: float = 0.0
    ) -> None:
        """A polygon, upright at depth `w`."""
        flat: list[float] = []
        for u, v in corners:
            flat += self.point(u, v, w)
        self._add("polygon", tuple(flat), paint, part, shade)

    def face(
        self,
        corners: Sequence[tuple[float, float, float]],
        paint: Paint,
        *,
        part: str = "",
        shade: float = 1.0,
    ) -> None:
        """A polygon whose corners have depths of their own."""
        flat: list[float] = []
        for u, v, w in corners:
            flat += self.point(u, v, w)
        self._add("polygon", tuple(flat), paint, part, shade)

    def rect(
        self,
        u0: float,
        v0: float,
        u1: float,
        v1: float,
        paint: Paint,
        *,
        part: str = "",
        shade: float = 1.0,
        w: float = 0.0,
    ) -> None:
        """An upright rectangle."""
        x0, y1 = self.point(u0, v0, w)
        x1, y0 = self.point(u1, v1, w)
        self._add("polygon", (x0, y0, x1, y0, x1, y1, x0, y1), paint, part, shade)

    def disc(
        self,
        u: float,
        v: float,
        radius: float,
        paint: Paint,
        *,
        high: float | None = None,
        part: str = "",
        shade: float = 1.0,
        w: float = 0.0,
    ) -> None:
        """A circle about (u, v); with `high`, an ellipse of that half height."""
        up = radius if high is None else high
        x0, y0 = self.point(u - radius, v + up, w)
        x1, y1 = self.point(u + radius, v - up, w)
        self._add("ellipse", (x0, y0, x1, y1), paint, part, shade)

    def blob(
        self,
        u: float,
        v: float,
        wide: float,
        high: float,
        paint: Paint,
        *,
        rough: float = 0.15,
        part: str = "",
        shade: float = 1.0,
        w: float = 0.0,
    ) -> None:
        """A rounded, irregular outline about (u, v), as of foliage, rocks, clouds."""
        random_ = self.stage.rng.random
        flat: list[float] = []
        for c, s in _CIRCLE:
            r = 1 - rough + 2 * rough * random_()
            flat += self.point(u + wide * c * r, v + high * s * r, w)
        self._add("polygon", tuple(flat), paint, part, shade)

    def line(
        self,
        corners: Sequence[Point],
        width: float,
        paint: Paint,
        *,
        part: str = "",
        shade: float = 1.0,
        w: float = 0.0,
    ) -> None:
        """A stroke `width` metres wide, at least about a pixel."""
        flat: list[float] = []
        for u, v in corners:
            flat += self.point(u, v, w)
        scale = self.stage.camera.focal / max(self.z + w, 0.3)
        self._add("line", tuple(flat), paint, part, shade, width * scale)

    def box(
        self,
        u0: float,
        v0: float,
        u1: float,
        v1: float,
        depth: float,
        paint: Paint,
        *,
        part: str = "",
        top: Paint | None = None,
        w: float = 0.0,
        shade: float = 1.0,
    ) -> None:
        """A block: its front at depth `w`, and those of its top and sides that the camera sees, shaded apart."""
        eye_u, eye_v = self.stage.camera.x - self.x, self.stage.camera.height - self.y
        back = w + depth
        if eye_v > v1:
            self.face(
                [(u0, v1, w), (u1, v1, w), (u1, v1, back), (u0, v1, back)],
                top or paint,
                part=part,
                shade=1.12 * shade,
            )
        elif eye_v < v0:
            self.face(
                [(u0, v0, w), (u1, v0, w), (u1, v0, back), (u0, v0, back)],
                paint,
                part=part,
                shade=0.6 * shade,
            )
        if eye_u > u1:
            self.face(
                [(u1, v0, w), (u1, v1, w), (u1, v1, back), (u1, v0, back)],
                paint,
                part=part,
                shade=0.78 * shade,
            )
        elif eye_u < u0:
            self.face(
                [(u0, v0, w), (u0, v1, w), (u0, v1, back), (u0, v0, back)],
                paint,
                part=part,
                shade=0.84 * shade,
            )
        self.rect(u0, v0, u1, v1, paint, part=part, shade=0.96 * shade, w=w)

    def shadow(self, wide: float, deep: float | None = None, strength: float = 0.5) -> None:
        """A soft shadow on the ground around the thing's foot: half its width and half its depth."""
        half = wide * 0.3 if deep is None else deep
        x0, y1 = self.stage.camera.project(self.x - wide, 0.0, max(self.z - half, 0.3))
        x1, y0 = self.stage.camera.project(self.x + wide, 0.0, self.z + half)
        self.stage.shadows.append(Shadow((x0, min(y0, y1 - 0.008), x1, y1), strength))


class Stage:
    """An empty stage with a camera, a light, and the random numbers that furnish it.

    Args:
        rng: the only source of chance; the same state gives the same stage.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.camera = Camera()
        self.light = Light()
        self.things: list[Thing] = []
        self.shapes: list[Shape] = []
        self.shadows: list[Shadow] = []
        self.mirrored = rng.random() < 0.5

    def thing(
        self,
        kind: str,
        *,
        x: float = 0.0,
        y: float = 0.0,
        z: float = 10.0,
        color: str = "",
        on: Thing | None = None,
        behind: bool = False,
        flat: bool = False,
    ) -> Thing:
        """A new thing without any shape yet.

        Args:
            kind: a word of `words.KINDS`.
            x, y, z: where it stands, in metres.
            color: the name of its main colour, for questions about it.
            on: the thing that it stands on or hangs on; it is drawn right after that one.
            behind: part of the backdrop: drawn before everything that stands, in the order of creation.
            flat: a ground or wall that takes shadows.

        Raises:
            KeyError: the kind is not a word of the diorama.
        """
        if kind not in KINDS:
            raise KeyError(f"kind {kind!r} is not among the words of the diorama")
        order = math.inf if behind else on.order if on is not None else z
        made = Thing(
            self, len(self.things), kind, x, y, z, color, -1 if on is None else on.number, order, flat
        )
        self.things.append(made)
        return made

    def paint(
        self, material: str, *, color: str | None = None, texture: str = "", plain: bool = False
    ) -> Paint:
        """A paint of this material; what is left open is drawn at random. See `choose_paint`."""
        return choose_paint(self.rng, material, color=color, texture=texture, plain=plain)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.rng.random() < probability

    def drawn(self) -> list[Shape]:
        """The shapes in the order in which they are drawn: by distance, the farthest first."""
        order = [thing.order for thing in self.things]
        return sorted(self.shapes, key=lambda shape: -order[shape.thing])
