"""What may be found in any room: shared things, and now and then one that belongs elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from neuro_explain.diorama.objects import hanging, household, lobby, school, shop, walls
from neuro_explain.diorama.objects.backdrops import Room
from neuro_explain.diorama.objects.bedroom import teddy_bear
from neuro_explain.diorama.objects.furniture import chair, floor_lamp, rug
from neuro_explain.diorama.objects.office import bin_
from neuro_explain.diorama.objects.people import person
from neuro_explain.diorama.scenes.layout import Layout
from neuro_explain.diorama.stage import Stage, Thing

_STRAYS: Mapping[str, Callable[[Stage, float, float], Thing]] = {
    "backpack": school.backpack,
    "ball": household.toy_ball,
    "basket": shop.basket,
    "ladder": shop.ladder,
    "suitcase": lobby.suitcase,
    "teddy bear": teddy_bear,
    "vase": lobby.vase,
}


def wall_things(
    stage: Stage, room: Room, layout: Layout, *, window: float, picture: float, clock: float
) -> None:
    """Perhaps a window, a picture, a clock on the back wall, with these probabilities."""
    rng = stage.rng
    wall = room.wall
    if stage.chance(window):
        for wide in (rng.uniform(0.9, 1.2), 0.75):  # a narrow one if there is no place for a wide one
            if layout.on_wall(wide + 0.12, 1.1, partial(_window, stage, wall, wide), high=2.35):
                break
    if stage.chance(picture):
        y = rng.uniform(1.55, 1.85)
        layout.on_wall(0.72, y - 0.3, lambda x: walls.picture(stage, wall, x, y), high=y + 0.3)
    if stage.chance(clock):
        y = rng.uniform(1.7, 2.1)
        layout.on_wall(0.56, y - 0.28, lambda x: walls.clock(stage, wall, x, y), high=y + 0.28)


def _window(stage: Stage, wall: Thing, wide: float, x: float) -> Thing:
    return walls.window(stage, wall, x, 1.75, wide=wide)


def floor_things(
    stage: Stage, layout: Layout, *, plants: float = 0.3, cats: float = 0.1, people: float = 0.15, lamps: float = 0.2,
    chairs: float = 0.0, bins: float = 0.0, stray: float = 0.25,
) -> None:  # fmt: skip
    """Perhaps a plant, a cat, a person, a lamp, a chair, a bin, and a thing that belongs elsewhere."""
    rng = stage.rng
    if stage.chance(stray):
        name = rng.choice(sorted(_STRAYS))
        if place := layout.on_floor(0.6):
            _STRAYS[name](stage, *place)
    if stage.chance(plants) and (place := layout.on_floor(0.55, near=2.8, far=4.2)):
        plant_high = rng.uniform(0.75, 1.1)
        household.plant(stage, *place, high=plant_high)
    if stage.chance(cats) and (place := layout.on_floor(0.5)):
        household.cat(stage, *place)
    if stage.chance(people) and (place := layout.on_floor(0.6, near=3.0, far=4.0)):
        person(stage, *place)
    if stage.chance(chairs) and (place := layout.on_floor(0.6, near=2.9)):
        chair(stage, *place)
    if stage.chance(bins) and (place := layout.on_floor(0.55)):
        bin_(stage, *place)
    if stage.chance(lamps) and (place := layout.on_floor(0.55, near=3.2, far=4.2)):
        floor_lamp(stage, *place)


def hanging_lamp(stage: Stage, room: Room, probability: float) -> None:
    """Perhaps a lamp that hangs from the ceiling."""
    if stage.chance(probability):
        z = stage.rng.uniform(3.2, 4.2)
        hanging.ceiling_lamp(stage, room.ceiling, stage.rng.uniform(-0.9, 0.9), room.high, z)


def some_rug(stage: Stage, probability: float) -> None:
    """Perhaps a rug."""
    if stage.chance(probability):
        rug(
            stage, stage.rng.uniform(-0.6, 0.6), stage.rng.uniform(2.8, 3.4), wide=stage.rng.uniform(1.3, 1.9)
        )
