"""Is this a network that speaks, of the kind that is wanted, and are there names? What both explanations check first.

    check_speaker(captioner, Captioner, names)

`explain_caption` and `explain_answer` take what the other one takes too, and a classifier is soon given to either.
"""

from __future__ import annotations

import os

from dissection.names import Names
from neuro_explain.captioning import Captioner
from neuro_explain.model import Model
from neuro_explain.vqa import QuestionAnswerer

_EXPLAINED_BY = ((Captioner, "explain_caption"), (QuestionAnswerer, "explain_answer"), (Model, "explain"))


def check_speaker(given: object, kind: type[Captioner] | type[QuestionAnswerer], names: object) -> None:
    """Refuses what the call cannot explain.

    Args:
        given: the network.
        kind: what it must be.
        names: of its units, or where they are.

    Raises:
        ValueError: another kind of network, or no names.
    """
    if not isinstance(given, kind):
        what = "captioner" if kind is Captioner else "answerer"
        other = next((f"; {by} explains it" for cls, by in _EXPLAINED_BY if isinstance(given, cls)), "")
        raise ValueError(
            f"{what}: expected a neuro_explain.{kind.__name__}, got a {type(given).__name__}{other}"
        )
    if not isinstance(names, (Names, str, os.PathLike)):
        got = "None" if names is None else f"a {type(names).__name__}"
        raise ValueError(
            f"names: expected those of the units of layer {given.tower.layer!r}, or the folder of a dissection, got "
            f"{got}; make them with dissect(), which is given the tower of {given.name}"
        )
