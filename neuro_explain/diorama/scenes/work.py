"""Office, classroom, elevator lobby."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from neuro_explain.diorama.objects import household, kitchenware, lobby, school, walls
from neuro_explain.diorama.objects import office as desk_ware
from neuro_explain.diorama.objects.backdrops import Room
from neuro_explain.diorama.objects.bedroom import drawers
from neuro_explain.diorama.objects.books import book_pile, bookshelf, open_book
from neuro_explain.diorama.objects.furniture import chair, table, table_lamp
from neuro_explain.diorama.objects.kitchen import counter
from neuro_explain.diorama.objects.people import person
from neuro_explain.diorama.scenes.anywhere import floor_things, hanging_lamp, some_rug, wall_things
from neuro_explain.diorama.scenes.layout import Layout, Put, some
from neuro_explain.diorama.stage import Stage, Thing

Item = tuple[float, float, Put]


_DESK_WARE: Mapping[str, Callable[[Stage, Thing, float, float], Thing]] = {
    "keyboard": desk_ware.keyboard,
    "monitor": desk_ware.monitor,
    "telephone": desk_ware.telephone,
}


def office(stage: Stage) -> None:
    """Desks with monitors, keyboards and telephones, swivel chairs, a printer, files, a whiteboard."""
    rng = stage.rng
    room = Room(stage)
    layout = Layout(stage, room)
    here = some(
        stage,
        ("monitor", "keyboard", "swivel chair", "printer", "telephone", "whiteboard", "files", "desk"),
        least=5,
    )
    some_rug(stage, 0.15)
    back = room.deep - 0.5
    items: list[Item] = []
    moved = rng.choice(("", "telephone", "monitor", "keyboard")) if "files" in here else ""

    def files(x: float) -> None:
        block = drawers(stage, x, back, kind="cabinet", wide=0.75, high=1.2, material="metal")
        if moved in here:
            _DESK_WARE[moved](stage, block, 0.0, 1.2)
        elif stage.chance(0.5):
            household.plant(stage, x, block.z + 0.15, y=1.2, on=block, high=0.65)

    if "files" in here:
        items.append((0.8, 1.3, files))
    apart = stage.chance(0.5)
    if "printer" in here and not apart:
        items.append((0.85, 1.2, lambda x: _printing(stage, x, back)))
    if stage.chance(0.3):
        items.append((1.05, 2.2, lambda x: bookshelf(stage, x, back, wide=1.0, shelves=4)))
    if stage.chance(0.35):
        items.append((1.35, 1.5, lambda x: _work_place(stage, x, back - 0.15, here - {moved}, 1.3)))
    layout.along_wall(items)
    if place := layout.on_floor(1.55, near=2.8, far=3.3):
        _work_place(stage, *place, here - {moved}, rng.uniform(1.4, 1.65))
    if "printer" in here and apart and (place := layout.on_floor(0.8, near=3.2, far=3.9)):
        _printing(stage, *place)
    if "swivel chair" in here and (place := layout.on_floor(0.7, near=2.9, far=3.6)):
        desk_ware.swivel_chair(stage, *place)
    if "whiteboard" in here:
        for wide in (rng.uniform(1.1, 1.5), 0.9):  # a small one if there is no place for a large one
            if layout.on_wall(wide + 0.12, 1.3, _white(stage, room, wide), high=2.35):
                break
    wall_things(stage, room, layout, window=0.6, picture=0.35, clock=0.4)
    hanging_lamp(stage, room, 0.35)
    floor_things(stage, layout, plants=0.45, people=0.35, bins=0.7, lamps=0.15, cats=0.02)


def _printing(stage: Stage, x: float, z: float) -> None:
    block = drawers(stage, x, z, kind="cabinet", wide=0.8, high=0.62)
    desk_ware.printer(stage, x, z + 0.03, y=0.62, on=block, wide=0.74)


def _work_place(stage: Stage, x: float, z: float, here: frozenset[str], wide: float) -> None:
    """A desk with what an office worker needs, in changing order."""
    rng = stage.rng
    board = table(stage, x, z, wide=wide, kind="desk" if "desk" in here else "table", deep=0.65)
    left, middle, right = rng.sample((-wide * 0.33, 0.0, wide * 0.33), 3)
    if "monitor" in here:
        desk_ware.monitor(stage, board, left, 0.75, wide=rng.uniform(0.55, 0.7))
    if "keyboard" in here:
        desk_ware.keyboard(stage, board, left if stage.chance(0.5) else middle, 0.75)
    if "telephone" in here:
        desk_ware.telephone(stage, board, right, 0.75)
    if stage.chance(0.35):
        kitchenware.cup(stage, board, middle, 0.75, w=0.3)
    elif stage.chance(0.35):
        table_lamp(stage, board, middle, 0.75, w=0.35)
    elif stage.chance(0.35):
        book_pile(stage, board, middle, 0.75, w=0.35, count=3)


def _white(stage: Stage, room: Room, wide: float) -> Put:
    def put(x: float) -> object:
        return walls.board(stage, room.wall, x, 1.85, kind="whiteboard", wide=wide)

    return put


def classroom(stage: Stage) -> None:
    """Small desks and chairs before a blackboard; a map, a flag, a globe, an abacus, backpacks."""
    rng = stage.rng
    room = Room(stage)
    layout = Layout(stage, room)
    here = some(stage, ("blackboard", "globe", "backpack", "map", "flag", "abacus", "lectern", "desks"))
    if "blackboard" in here:
        wide = rng.uniform(1.3, 1.9)
        layout.on_wall(
            wide + 0.1,
            1.1,
            lambda x: walls.board(stage, room.wall, x, 1.65, kind="blackboard", wide=wide),
            high=2.2,
        )
    if "map" in here:
        layout.on_wall(1.1, 1.2, lambda x: walls.land_map(stage, room.wall, x, 1.7), high=2.2)
    if "flag" in here:
        layout.on_wall(0.95, 1.2, lambda x: walls.flag(stage, room.wall, x, 1.95), high=2.3)
    wall_things(stage, room, layout, window=0.6, picture=0.25, clock=0.45)
    back = room.deep - 0.5
    seats: list[Thing] = []
    items: list[Item] = []
    if "lectern" in here:
        items.append((0.9, 1.2, lambda x: school.lectern(stage, x, back - 0.3)))
    if "globe" in here:
        items.append(
            (
                0.7,
                1.2,
                lambda x: school.globe(
                    stage, drawers(stage, x, back, kind="cabinet", wide=0.65, high=0.6), 0.0, 0.6
                ),
            )
        )
    if stage.chance(0.3):
        items.append((0.9, 1.1, lambda x: bookshelf(stage, x, back, wide=0.85, shelves=2)))
    if "abacus" in here:
        items.append((0.8, 1.2, lambda x: _on_cabinet(stage, x, back)))
    layout.along_wall(items)
    if "desks" in here:
        for z in (3.6, 2.8):
            for _ in range(rng.randrange(1, 3)):
                if place := layout.on_floor(0.8, near=z, far=z + 0.3):
                    desk = school.school_desk(stage, *place)
                    seats.append(desk)
                    if stage.chance(0.4):
                        chair(stage, place[0] + rng.uniform(-0.1, 0.1), place[1] + 0.45, facing=True)
    for desk in seats:
        if stage.chance(0.25):
            open_book(stage, desk, 0.0, 0.68, w=0.05)
        elif "globe" in here and stage.chance(0.2):
            school.globe(stage, desk, 0.0, 0.68, radius=0.2)
    if "backpack" in here:
        for _ in range(rng.randrange(1, 3)):
            if place := layout.on_floor(0.5, near=2.8):
                school.backpack(stage, *place)
    hanging_lamp(stage, room, 0.3)
    floor_things(stage, layout, plants=0.35, people=0.45, chairs=0.3, bins=0.3, lamps=0.05, cats=0.03)


def _on_cabinet(stage: Stage, x: float, z: float) -> None:
    block = drawers(stage, x, z, kind="cabinet", wide=0.75, high=0.6)
    school.abacus(stage, x, z + 0.1, y=0.6, on=block, wide=0.7)


def elevator_lobby(stage: Stage) -> None:
    """One or two elevators; sofas, columns, suitcases, vases, a vending machine, a sign."""
    rng = stage.rng
    room = Room(
        stage, floor=stage.paint(rng.choice(("stone", "stone", "tile", "carpet", "concrete", "wood")))
    )
    layout = Layout(stage, room)
    here = some(stage, ("elevator", "sofa", "column", "suitcase", "vase", "machine", "sign", "counter"))
    some_rug(stage, 0.3)
    back = room.deep - 0.5
    items: list[Item] = []
    if "elevator" in here:
        wide = rng.uniform(0.85, 1.1)
        for _ in range(rng.randrange(1, 3)):
            items.append((wide + 0.6, 2.5, lambda x: lobby.elevator(stage, room.wall, x - 0.15, wide=wide)))
    if "machine" in here:
        items.append((1.0, 1.95, lambda x: lobby.vending_machine(stage, x, back)))
    layout.along_wall(items)
    if "column" in here:
        for x in rng.sample((-1.0, 1.0), rng.randrange(1, 3)):
            lobby.column(stage, x * rng.uniform(1.2, 1.6), rng.uniform(3.9, 4.5), room.high)
    if "sofa" in here and (place := layout.on_floor(1.4, near=3.1, far=3.9)):
        lobby.sofa(stage, *place, wide=rng.uniform(1.15, 1.4))
    if "counter" in here and stage.chance(0.4) and (place := layout.on_floor(0.95, near=3.5, far=4.0)):
        desk = counter(stage, *place, wide=0.9, high=1.0)
        if stage.chance(0.5):
            desk_ware.telephone(stage, desk, rng.uniform(-0.2, 0.2), 1.0)
    if "vase" in here and (place := layout.on_floor(0.6, near=3.0, far=4.4)):
        lobby.vase(stage, *place, high=rng.uniform(0.65, 0.85))
    if "suitcase" in here:
        for _ in range(rng.randrange(1, 3)):
            if place := layout.on_floor(0.55, near=2.8):
                lobby.suitcase(stage, *place, high=rng.uniform(0.6, 0.75))
                if stage.chance(0.3):
                    person(stage, place[0] + 0.45, place[1] + 0.1)
    if "sign" in here and not layout.on_wall(
        0.78, 1.65, lambda x: walls.exit_sign(stage, room.wall, x, 1.9), high=2.15
    ):
        walls.hanging_sign(stage, room.ceiling, rng.uniform(-0.9, 0.9), room.high, rng.uniform(3.4, 4.2))
    wall_things(stage, room, layout, window=0.15, picture=0.45, clock=0.4)
    hanging_lamp(stage, room, 0.5)
    floor_things(stage, layout, plants=0.5, people=0.3, bins=0.3, lamps=0.2, cats=0.02)
