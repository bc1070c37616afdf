"""Bookstore."""

from __future__ import annotations

from neuro_explain.diorama.objects import lobby, shop
from neuro_explain.diorama.objects.backdrops import Room
from neuro_explain.diorama.objects.books import book_pile, bookshelf
from neuro_explain.diorama.objects.furniture import table
from neuro_explain.diorama.objects.kitchen import counter
from neuro_explain.diorama.objects.people import reader
from neuro_explain.diorama.scenes.anywhere import floor_things, hanging_lamp, some_rug, wall_things
from neuro_explain.diorama.scenes.layout import Layout, Put, some
from neuro_explain.diorama.stage import Stage

_ROOM = {
    "armchair": (0.85, 3.2, 4.0),
    "basket": (0.6, 2.8, 3.8),
    "ladder": (0.7, 3.7, 4.3),
    "piles": (1.0, 2.8, 3.6),
    "reader": (0.55, 3.3, 4.1),
    "stand": (0.65, 3.2, 4.1),
    "till": (0.8, 3.4, 4.1),
}  # fmt: skip
"""Per thing on the shop's floor: its width, and how near and how far it may stand, in metres."""


def bookstore(stage: Stage) -> None:
    """Shelves along the back; piles on a table, a till on a counter, a card stand, a ladder, baskets, readers."""
    rng = stage.rng
    room = Room(stage)
    layout = Layout(stage, room)
    here = some(
        stage, ("shelves", "piles", "till", "stand", "ladder", "basket", "armchair", "reader"), share=0.7
    )
    some_rug(stage, 0.35)
    back = room.deep - 0.35
    items: list[tuple[float, float, Put]] = []
    for _ in range(rng.randrange(2, 4) if "shelves" in here else rng.randrange(2)):
        wide, shelves = rng.uniform(0.9, 1.25), rng.randrange(3, 6)
        items.append((wide + 0.05, 0.42 * shelves + 0.15, _shelf(stage, back, wide, shelves)))
    layout.along_wall(items)
    for name in rng.sample(sorted(here), len(here)):  # who comes first finds the most room
        _put(stage, layout, name)
    wall_things(stage, room, layout, window=0.3, picture=0.3, clock=0.25)
    hanging_lamp(stage, room, 0.35)
    floor_things(stage, layout, chairs=0.2, plants=0.25, lamps=0.25, cats=0.12)


def _put(stage: Stage, layout: Layout, name: str) -> None:
    """Puts one of the shop's things on the floor, if there is room."""
    rng = stage.rng
    wide, near, far = _ROOM.get(name, (0.0, 0.0, 0.0))
    place = layout.on_floor(wide, near=near, far=far) if wide else None
    if place is None:
        return
    match name:
        case "till":
            desk = counter(stage, *place, wide=rng.uniform(0.75, 0.95), high=0.9)
            shop.cash_register(stage, desk, rng.uniform(-0.15, 0.15), 0.9)
        case "piles":
            board = table(stage, *place, wide=rng.uniform(1.0, 1.2))
            for u in (-0.32, 0.2):
                book_pile(stage, board, u + rng.uniform(-0.05, 0.08), 0.75, w=0.1, count=rng.randrange(3, 7))
        case "stand":
            shop.display_stand(stage, *place, high=rng.uniform(1.2, 1.4))
        case "ladder":
            shop.ladder(stage, *place, high=rng.uniform(1.3, 1.7))
        case "basket":
            shop.basket(stage, *place)
        case "armchair":
            lobby.sofa(stage, *place, wide=rng.uniform(0.75, 0.9), kind="armchair")
        case _:
            reader(stage, *place, high=rng.uniform(1.35, 1.65))


def _shelf(stage: Stage, z: float, wide: float, shelves: int) -> Put:
    def put(x: float) -> object:
        return bookshelf(stage, x, z, wide=wide, shelves=shelves)

    return put
