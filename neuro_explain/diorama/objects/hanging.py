"""What hangs from the ceiling: lamps."""

from __future__ import annotations

from neuro_explain.diorama.paint import Paint
from neuro_explain.diorama.stage import Stage, Thing


def ceiling_lamp(stage: Stage, ceiling: Thing, x: float, y: float, z: float) -> Thing:
    """A lamp on a cord or a rod from the ceiling, whose height is `y`."""
    rng = stage.rng
    color = rng.choice(("white", "yellow", "red", "green", "black", "orange"))
    shade = stage.paint(rng.choice(("fabric", "metal", "plastic")), color=color, plain=True)
    thing = stage.thing("ceiling lamp", x=x, y=y, z=z, color=color, on=ceiling)
    thing.order = z  # it hangs in the room, before what stands farther away
    light = Paint((255, 244, 200), (255, 244, 200), "plain", "glass", "", "yellow")
    long, wide = rng.uniform(0.25, 0.4), rng.uniform(0.26, 0.36)
    thing.rect(-0.015, -long, 0.015, 0, stage.paint("metal", color="black", plain=True), part="pole")
    match rng.randrange(3):
        case 0:
            thing.disc(0, -long - wide * 0.8, wide * 0.8, light, shade=1.05)
        case 1:
            thing.disc(0, -long - 0.27, wide * 0.55, light, high=0.08)
            thing.poly(
                [(-wide, -long - 0.28), (wide, -long - 0.28), (0.1, -long), (-0.1, -long)],
                shade,
                part="shade",
            )
        case _:
            thing.rect(-wide, -long - 0.24, wide, -long, shade, part="shade")
            thing.rect(-wide, -long - 0.3, wide, -long - 0.2, light)
    return thing
