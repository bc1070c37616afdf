"""What lies behind everything: a room's walls, floor and ceiling; a landscape's sky and ground."""

from __future__ import annotations

from neuro_explain.diorama.light import DUSK, indoor_light, outdoor_light
from neuro_explain.diorama.paint import Paint, mix
from neuro_explain.diorama.stage import FAR, Camera, Stage, Thing


class Room:
    """A room seen from its open side.

    Attributes:
        wide: half its width in metres.
        high: its height.
        deep: the distance of the back wall.
        wall, floor, ceiling: the things.
    """

    def __init__(self, stage: Stage, *, wall: Paint | None = None, floor: Paint | None = None) -> None:
        rng = stage.rng
        stage.light = indoor_light(rng)
        stage.camera = Camera(
            height=rng.uniform(1.3, 1.7),
            focal=rng.uniform(0.92, 1.08),
            horizon=rng.uniform(0.4, 0.5),
            x=rng.uniform(-0.45, 0.45),
        )
        self.wide, self.high, self.deep = rng.uniform(2.0, 2.5), rng.uniform(2.55, 2.9), rng.uniform(4.6, 5.4)
        wall = wall or choose_wall(stage)
        floor = floor or stage.paint(rng.choice(("wood", "wood", "carpet", "tile", "stone", "concrete")))
        roof = stage.paint("plaster", color="white")
        w, h, d, near = self.wide, self.high, self.deep, 0.5
        self.ceiling = stage.thing("ceiling", z=d, color=roof.color, behind=True, flat=True)
        self.ceiling.face([(-w, h, near - d), (w, h, near - d), (w, h, 0), (-w, h, 0)], roof, shade=0.92)
        self.floor = stage.thing("floor", z=d, color=floor.color, behind=True, flat=True)
        self.floor.face([(-w, 0, near - d), (w, 0, near - d), (w, 0, 0), (-w, 0, 0)], floor)
        self.wall = stage.thing("wall", z=d, color=wall.color, behind=True)
        self.wall.face([(-w, 0, near - d), (-w, h, near - d), (-w, h, 0), (-w, 0, 0)], wall, shade=0.82)
        self.wall.face([(w, 0, near - d), (w, h, near - d), (w, h, 0), (w, 0, 0)], wall, shade=0.74)
        self.wall.rect(-w, 0, w, h, wall, shade=0.95)
        base = stage.paint("wood", color=rng.choice(("white", "brown")), plain=True)
        self.wall.rect(-w, 0, w, 0.1, base, shade=0.9)


def choose_wall(stage: Stage) -> Paint:
    """Some wall: mostly plaster, sometimes papered, panelled, tiled or of brick."""
    material = stage.rng.choice(("plaster", "plaster", "plaster", "plaster", "brick", "wood", "tile"))
    return stage.paint(material)


class Landscape:
    """An open place: sky above, ground below.

    Args:
        stage: where.
        ground: the ground's kind ("grass", "sand", …) and material.
        horizon: bounds of the horizon's height in the frame.
        clouds: whether clouds and a sun may be seen, in clear weather.

    Attributes:
        sky, ground: the things.
    """

    def __init__(
        self,
        stage: Stage,
        ground: str,
        material: str,
        *,
        horizon: tuple[float, float] = (0.38, 0.5),
        clouds: bool = True,
    ) -> None:
        rng = stage.rng
        stage.light = outdoor_light(rng)
        stage.camera = Camera(
            height=rng.uniform(1.5, 2.2),
            focal=rng.uniform(0.92, 1.1),
            horizon=rng.uniform(*horizon),
            x=rng.uniform(-0.6, 0.6),
        )
        self.sky = stage.thing("sky", z=FAR, color="blue", behind=True)
        top, low = _sky_colors(stage)
        self.sky.rect(-FAR, -4, FAR, FAR, Paint(top, low, "fade", "", "", "blue"))
        if clouds and stage.light.weather == "clear":
            if stage.chance(0.35):
                sun(stage)
            for _ in range(rng.randrange(0, 4)):
                cloud(stage)
        paint = stage.paint(material)
        self.ground = stage.thing(ground, z=FAR, color=paint.color, behind=True, flat=True)
        near = 0.6
        for start, end in (
            (FAR, 14.0),
            (14.0, 5.0),
            (5.0, near),
        ):  # the pattern is coarser where it is nearer
            band = (
                stage.thing(ground, z=end, color=paint.color, behind=True, flat=True)
                if start < FAR
                else self.ground
            )
            w = 1.2 * start
            band.face(
                [
                    (-w, 0, start - band.z),
                    (w, 0, start - band.z),
                    (w, 0, end - band.z),
                    (-w, 0, end - band.z),
                ],
                paint,
            )


def _sky_colors(stage: Stage) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    light = stage.light
    if light.weather != "clear":
        return (150, 158, 168), (205, 208, 210)
    if light.haze_color == DUSK:
        return stage.rng.choice(((92, 112, 176), (120, 110, 160))), (252, 190, 140)
    blue = stage.rng.choice(((78, 140, 214), (100, 160, 226), (124, 176, 230)))
    return blue, mix(blue, (250, 244, 232), 0.95)


def sun(stage: Stage) -> Thing:
    """The sun's disc, high up."""
    rng = stage.rng
    thing = stage.thing(
        "sun", x=rng.uniform(-25, 25), y=rng.uniform(12, 26), z=70, color="yellow", behind=True
    )
    thing.disc(
        0, 0, rng.uniform(3.0, 4.5), Paint((255, 236, 150), (255, 236, 150), "plain", "", "", "yellow")
    )
    return thing


def cloud(stage: Stage) -> Thing:
    """A cloud of a few puffs."""
    rng = stage.rng
    thing = stage.thing(
        "cloud", x=rng.uniform(-32, 32), y=rng.uniform(9, 28), z=75, color="white", behind=True
    )
    paint = Paint((244, 246, 250), (214, 222, 232), "plain", "", "", "white")
    size = rng.uniform(2.4, 4.2)
    for k in range(rng.randrange(3, 6)):
        thing.blob(
            (k - 1.5) * size * 0.9,
            rng.uniform(-0.3, 0.3) * size,
            size,
            size * 0.55,
            paint,
            shade=0.96 + 0.015 * k,
        )
    return thing
