"""Names that come with this package, for networks whose concept sets do not.

    names = shipped_names("efficientnet-lite0")

Each is an ordinary dissection folder, made by `neuro-explain dissect`: on real photographs, or for the networks that
speak of the diorama on its scenes. Its manifest says which sets, which options and which weights.
"""

from __future__ import annotations

from pathlib import Path

from dissection.result import Dissection
from neuro_explain.recipes.diorama_speakers import ANSWERERS, CAPTIONERS

_FOLDER = Path(__file__).resolve().parent / "data" / "names"
# the three see through one tower, whose units are named once
_SPEAKERS = dict.fromkeys((*CAPTIONERS, *ANSWERERS), "diorama-speakers")


def has_shipped_names(model_name: str) -> bool:
    """Whether names of this network come with the package."""
    return (_FOLDER / _SPEAKERS.get(model_name, model_name)).is_dir()


def shipped_names(model_name: str) -> Dissection:
    """The names of a network's units.

    Raises:
        ValueError: no names of this network come with the package.
    """
    if not has_shipped_names(model_name):
        known = ", ".join(
            sorted({path.name for path in _FOLDER.iterdir()} - {"diorama-speakers"} | {*_SPEAKERS})
        )
        raise ValueError(
            f"no names of {model_name} come with this package ({known} have some): dissect it on a concept set of "
            "yours, with --concepts coco:DIR or another"
        )
    return Dissection.load(_FOLDER / _SPEAKERS.get(model_name, model_name))
