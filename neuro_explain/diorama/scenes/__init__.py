"""How is each category of scene furnished? One function per category."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from neuro_explain.diorama.scenes.country import farm_field
from neuro_explain.diorama.scenes.homes import bathroom, bedroom, kitchen
from neuro_explain.diorama.scenes.shops import bookstore
from neuro_explain.diorama.scenes.town import playground, street
from neuro_explain.diorama.scenes.wild import coast, forest_path, rope_bridge, waterfall
from neuro_explain.diorama.scenes.work import classroom, elevator_lobby, office
from neuro_explain.diorama.stage import Stage

COMPOSERS: Mapping[str, Callable[[Stage], None]] = {
    "bathroom": bathroom,
    "bedroom": bedroom,
    "bookstore": bookstore,
    "classroom": classroom,
    "coast": coast,
    "elevator lobby": elevator_lobby,
    "farm field": farm_field,
    "forest path": forest_path,
    "kitchen": kitchen,
    "office": office,
    "playground": playground,
    "rope bridge": rope_bridge,
    "street": street,
    "waterfall": waterfall,
}
