"""Bedroom, kitchen, bathroom."""

from __future__ import annotations

from neuro_explain.diorama.objects import bathroom as bath
from neuro_explain.diorama.objects import bedroom as sleep
from neuro_explain.diorama.objects import household, kitchenware, walls
from neuro_explain.diorama.objects import kitchen as cook
from neuro_explain.diorama.objects.backdrops import Room, choose_wall
from neuro_explain.diorama.objects.books import book_pile, open_book
from neuro_explain.diorama.objects.furniture import table, table_lamp
from neuro_explain.diorama.objects.shop import basket
from neuro_explain.diorama.scenes.anywhere import floor_things, hanging_lamp, some_rug, wall_things
from neuro_explain.diorama.scenes.layout import Layout, Put, some
from neuro_explain.diorama.stage import Stage, Thing

Item = tuple[float, float, Put]


def bedroom(stage: Stage) -> None:
    """A bed with pillows before the wall, a wardrobe, drawers, curtains, a bear; each may be missing."""
    rng = stage.rng
    room = Room(stage)
    layout = Layout(stage, room)
    here = some(stage, ("bed", "wardrobe", "chest", "curtain", "bear", "night stand"))
    some_rug(stage, 0.45)
    items: list[Item] = []
    back = room.deep - 0.5
    bears: list[tuple[Thing, float]] = []  # what a bear may sit on, and how high that is

    def chest(x: float) -> None:
        block = sleep.drawers(stage, x, back, kind="chest of drawers", wide=0.95, high=1.0)
        if stage.chance(0.4):
            table_lamp(stage, block, rng.uniform(-0.2, 0.2), 1.0)
        elif stage.chance(0.5):
            household.plant(stage, x, block.z + 0.15, y=1.0, on=block, high=0.65)
        else:
            bears.append((block, 1.0))

    def stand(x: float) -> None:
        block = sleep.drawers(stage, x, back, kind="cabinet", wide=0.6, high=0.6)
        if stage.chance(0.7):
            table_lamp(stage, block, 0.0, 0.6)
        else:
            book_pile(stage, block, 0.0, 0.6, w=0.1, count=3)

    if "wardrobe" in here:
        wide, high = rng.uniform(0.95, 1.25), rng.uniform(1.8, 2.1)
        items.append((wide, 2.1, lambda x: sleep.wardrobe(stage, x, back, wide=wide, high=high)))
    if "chest" in here:
        items.append((1.0, 1.2, chest))
    if "night stand" in here:
        items.append((0.65, 1.0, stand))
    sideways = stage.chance(0.45)
    lies = "bed" in here
    if lies and not sideways:
        bed_wide = rng.uniform(1.15, 1.5)
        items.append(
            (
                bed_wide + 0.15,
                1.15,
                lambda x: bears.append((_made_bed(stage, x, room.deep - 1.65, bed_wide), 0.54)),
            )
        )
    layout.along_wall(items)
    if lies and sideways and (place := layout.on_floor(2.0, near=3.1, far=3.5)):
        bears.append((_made_bed(stage, *place, 0.0), 0.54))
    if "curtain" in here:
        for wide in (1.5, 1.3):  # a narrower place if there is no wide one
            if layout.on_wall(wide, 1.2, lambda x: _curtained(stage, room.wall, x), high=2.5):
                break
    wall_things(stage, room, layout, window=0.2, picture=0.6, clock=0.25)
    if stage.chance(0.25):
        layout.on_wall(0.75, 1.15, lambda x: walls.mirror(stage, room.wall, x, 1.6), high=2.1)
    if "bear" in here:
        _seat_bear(stage, layout, bears)
    hanging_lamp(stage, room, 0.35)
    floor_things(stage, layout, cats=0.2, chairs=0.3, people=0.2)


def _made_bed(stage: Stage, x: float, z: float, wide: float) -> Thing:
    """A bed with one or two pillows; sideways if `wide` is 0."""
    sideways = wide == 0.0
    bed = sleep.bed(stage, x, z, wide=wide, sideways=sideways)
    if sideways:
        sleep.pillow(stage, bed, -0.62, 0.49, w=0.3)
    elif stage.chance(0.6):
        for u in (-wide * 0.24, wide * 0.24):
            sleep.pillow(stage, bed, u, 0.5, w=1.25, wide=min(0.66, wide * 0.46))
    else:
        sleep.pillow(stage, bed, 0.0, 0.5, w=1.25, wide=0.8)
    return bed


def _curtained(stage: Stage, wall: Thing, x: float) -> None:
    if stage.chance(0.85):
        walls.window(stage, wall, x, 1.75, wide=0.9, high=1.1)
    walls.curtain(stage, wall, x, 1.7, wide=0.9, high=1.55)


def _seat_bear(stage: Stage, layout: Layout, seats: list[tuple[Thing, float]]) -> None:
    high = stage.rng.uniform(0.5, 0.65)
    if seats and stage.chance(0.5):
        seat, up = stage.rng.choice(seats)
        sleep.teddy_bear(stage, seat.x + stage.rng.uniform(-0.2, 0.2), seat.z + 0.2, y=up, on=seat, high=high)
    elif place := layout.on_floor(0.6, near=2.8):
        sleep.teddy_bear(stage, *place, high=high)


def kitchen(stage: Stage) -> None:
    """Stove, refrigerator, sink and counters along the wall; pans and plates on it; a laid table before it."""
    rng = stage.rng
    tiled = stage.chance(0.35)
    room = Room(stage, wall=stage.paint("tile") if tiled else choose_wall(stage))
    layout = Layout(stage, room)
    here = some(
        stage,
        ("stove", "refrigerator", "sink", "kettle", "pot", "pan", "plate", "hood", "bowl", "table"),
        least=6,
    )
    back = room.deep - 0.55
    tops: list[tuple[Thing, float, float]] = []  # what pots stand on: thing, offset, height
    items: list[Item] = []

    def stove(x: float) -> None:
        tops.append((cook.stove(stage, x, back), rng.choice((-0.2, 0.2)), 0.95))
        if "hood" in here:
            layout.on_wall_at(x, 0.9, 1.65, lambda at: cook.hood(stage, room.wall, at, 1.75))

    def sink(x: float) -> None:
        cook.kitchen_sink(stage, cook.counter(stage, x, back, wide=0.95), 0.0, 0.92)

    def bench(x: float) -> None:
        tops.append((cook.counter(stage, x, back, wide=0.85), rng.uniform(-0.15, 0.15), 0.92))

    if "stove" in here:
        items.append((0.92, 1.25, stove))
    if "sink" in here:
        items.append((1.0, 1.25, sink))
    if "refrigerator" in here:
        high = rng.uniform(1.65, 2.0)
        items.append((0.9, 2.05, lambda x: cook.refrigerator(stage, x, back, high=high)))
    if stage.chance(0.75):
        items.append((0.9, 1.25, bench))
    layout.along_wall(items)
    if "table" in here and (place := layout.on_floor(1.3, near=2.8, far=3.3)):
        board = table(stage, *place, wide=rng.uniform(1.2, 1.5))
        tops += [(board, u, 0.75) for u in (-0.36, 0.36)]
    wares = {
        "kettle": kitchenware.kettle, "pot": kitchenware.pot, "bowl": kitchenware.fruit_bowl, "cup": kitchenware.cup,
    }  # fmt: skip
    rng.shuffle(tops)
    for name in (*rng.sample(("kettle", "pot", "bowl"), 3), "cup"):
        if tops and (name in here or (name == "cup" and stage.chance(0.5))):
            on, u, v = tops.pop()
            wares[name](stage, on, u, v)
    if tops and stage.chance(0.4):
        on, u, v = tops.pop()
        kitchenware.plates(stage, on, u, v)
    wall_things(stage, room, layout, window=0.35, picture=0.0, clock=0.0)
    wall = room.wall
    for _ in range(rng.randrange(1, 3) if "pan" in here else 0):
        layout.on_wall(
            0.56, 1.3, lambda x: kitchenware.pan(stage, wall, x, rng.uniform(1.58, 1.72)), high=2.35
        )
    for _ in range(rng.randrange(1, 4) if "plate" in here else 0):
        layout.on_wall(
            0.56, 1.4, lambda x: kitchenware.wall_plate(stage, wall, x, rng.uniform(1.7, 2.05)), high=2.3
        )
    if stage.chance(0.4):
        layout.on_wall(1.0, 1.55, lambda x: cook.wall_cabinet(stage, room.wall, x, 1.6, wide=0.95))
    wall_things(stage, room, layout, window=0.0, picture=0.2, clock=0.35)
    hanging_lamp(stage, room, 0.45)
    some_rug(stage, 0.15)
    floor_things(stage, layout, cats=0.12, chairs=0.5, people=0.3, plants=0.25, bins=0.2)


def bathroom(stage: Stage) -> None:
    """A bathtub before the wall; toilet, basin, shower, washing machine along it; towels and a mirror on it."""
    rng = stage.rng
    tiled = stage.chance(0.45)
    room = Room(stage, wall=stage.paint("tile") if tiled else choose_wall(stage))
    layout = Layout(stage, room)
    here = some(stage, ("bathtub", "toilet", "basin", "towel", "machine", "shower", "bottle", "mirror"))
    some_rug(stage, 0.4)
    back = room.deep - 0.5
    ledges: list[tuple[Thing, float]] = []
    items: list[Item] = []

    def machine(x: float) -> None:
        ledges.append((bath.washing_machine(stage, x, back), 0.95))

    def wash(x: float) -> None:
        bath.basin(stage, x, back)
        if "mirror" in here and stage.chance(0.6):
            layout.on_wall_at(x, 0.75, 1.2, lambda at: walls.mirror(stage, room.wall, at, 1.65))

    if "toilet" in here:
        items.append((0.75, 1.05, lambda x: bath.toilet(stage, x, back - 0.15)))
    if "basin" in here:
        items.append((0.9, 1.05, wash))
    if "machine" in here:
        items.append((0.9, 1.35 if "bottle" in here else 1.0, machine))
    if "shower" in here:
        items.append((0.98, 2.05, lambda x: bath.shower(stage, x, back - 0.1)))
    layout.along_wall(items)
    if "bathtub" in here and (place := layout.on_floor(1.7, near=3.0, far=3.7)):
        bath.bathtub(stage, *place, wide=rng.uniform(1.5, 1.75))
    if "bottle" in here:
        for on, v in ledges:
            for u in rng.sample((-0.25, 0.0, 0.25), 2):
                bath.bottle(stage, on, u, v)
        if not ledges and (place := layout.on_floor(0.7, near=2.8, far=3.4)):
            stool = table(stage, *place, wide=0.65, high=0.55, deep=0.35)
            for u in (-0.15, 0.15):
                bath.bottle(stage, stool, u, 0.55)
    for _ in range(rng.randrange(1, 4) if "towel" in here else 0):
        layout.on_wall(
            0.68, 1.12, lambda x: bath.towel(stage, room.wall, x, 1.95, high=rng.uniform(0.65, 0.8)), high=2.1
        )
    if "mirror" in here and stage.chance(0.5):
        layout.on_wall(0.75, 1.15, lambda x: walls.mirror(stage, room.wall, x, 1.65), high=2.15)
    wall_things(stage, room, layout, window=0.45, picture=0.15, clock=0.1)
    if stage.chance(0.3) and (place := layout.on_floor(0.65)):
        basket(stage, *place)
    hanging_lamp(stage, room, 0.25)
    floor_things(stage, layout, cats=0.1, people=0.12, plants=0.35, lamps=0.08, bins=0.25)
    if stage.chance(0.05) and (place := layout.on_floor(1.0)):
        open_book(stage, table(stage, *place, wide=0.9), 0.0, 0.75)
