"""Which words does the diorama know? Every kind of object, part, material, texture, colour and scene.

A concept's number never depends on what a seed happens to draw: the words are listed here, in order.
"""

from __future__ import annotations

from dissection.concepts import Concept
from dissection.readers.colors import NAMES as COLOR_NAMES
from neuro_explain.diorama.paint import MATERIALS, TEXTURES

_INDOORS = """
backpack basket bathtub bed bin blackboard book bookshelf cabinet ceiling ceiling_lamp chair clock
counter cup curtain
desk door elevator floor globe keyboard kettle lamp mirror monitor pan person picture pillow plant
plate pot refrigerator
rug sink sofa stove table toilet towel wall wardrobe window
abacus armchair bottle bowl cash_register cat chest_of_drawers column display_stand fruit hood
ladder lectern map printer
shower suitcase swivel_chair teddy_bear telephone vase vending_machine washing_machine whiteboard
"""
_OUTDOORS = """
ball barn bench bicycle bird boat bridge building bus bush car cloud cow fence field flower grass
hay_bale lighthouse log
mountain mushroom path pier road rock river sand sea sheep sidewalk sign sky slide stairs stump street_lamp sun
sunflower swing seesaw tractor traffic_light tree umbrella waterfall windmill cliff
chicken climbing_frame crosswalk fire_hydrant mailbox merry_go_round play_mat playhouse pumpkin
sandbox scarecrow silo
spring_rider traffic_cone wheelbarrow
birdhouse bucket cairn deer fern fish flag goat hut lily_pad moss palm rainbow sandcastle squirrel
surfboard tent vine
"""
_PARTS = """
back blade branch button cushion door door_handle drawer faucet flame frame handle headlight hull
leaf leg lid mast page
pedal petal pole rail roof rope screen seat shade shelf spine step stem tap tree_trunk wheel
window_pane headboard hand
awning arm head body crown wing plank burner keys strap chimney sail platform face
button_panel curtain knob
hat ladder light spring tail
antler beak cap ear fin foam frond fruit horn post
"""
_SCENES = """
bathroom bedroom bookstore classroom coast elevator_lobby farm_field forest_path kitchen office
playground rope_bridge
street waterfall
"""


def _words(text: str) -> tuple[str, ...]:
    return tuple(sorted(word.replace("_", " ") for word in text.split()))


KINDS = frozenset(_words(_INDOORS + _OUTDOORS))
PARTS = frozenset(_words(_PARTS))
SCENES = _words(_SCENES)

MASSES = frozenset(
    _words(
        """
        book ceiling cliff crosswalk curtain fence fern field floor flower fruit grass lily_pad
moss mountain mushroom
        path pier plate river road sand sea sidewalk sky stairs sunflower vine wall waterfall
        """
    )
)
"""Kinds whose things are rows, stretches or masses: nobody counts them, and all of a kind are one."""

_PLURALS = {"deer": "deer", "fish": "fish", "person": "people", "sheep": "sheep", "stairs": "stairs"}


def plural(kind: str) -> str:
    """The plural of a kind: "benches", "traffic lights", "sheep"."""
    if kind in _PLURALS:
        return _PLURALS[kind]
    if " of " in kind:
        first, rest = kind.split(" of ", 1)
        return f"{plural(first)} of {rest}"
    if kind.endswith("shelf"):
        return kind[:-1] + "ves"
    if kind.endswith("y") and kind[-2] not in "aeiou":
        return kind[:-1] + "ies"
    return kind + ("es" if kind.endswith(("s", "x", "ch", "sh")) else "s")


CONCEPTS: tuple[Concept, ...] = (
    *(Concept(name, "object") for name in sorted(KINDS)),
    *(Concept(name, "part") for name in sorted(PARTS)),
    *(Concept(name, "material") for name in sorted(MATERIALS)),
    *(Concept(name, "texture") for name in TEXTURES),
    *(Concept(name, "color") for name in COLOR_NAMES),
    *(Concept(name, "scene") for name in SCENES),
)
"""All concepts, in the order of their numbers."""
