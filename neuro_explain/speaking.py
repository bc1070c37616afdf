"""Is this a network of the kind that is wanted, and are there names? What explanations check first.

    check_speaker(captioner, Captioner, names)
    check_classifier(model)

`explain_caption` and `explain_answer` take what the other one takes too, and a classifier is soon given to either; or
a network that speaks to `explain`.
"""

from __future__ import annotations

import os

from dissection.names import Names
from neuro_explain.captioning import Captioner
from neuro_explain.model import Model
from neuro_explain.vqa import QuestionAnswerer

_EXPLAINED_BY = ((Captioner, "explain_caption"), (QuestionAnswerer, "explain_answer"), (Model, "explain"))


def check_classifier(given: object) -> None:
    """Refuses a network that answers otherwise than with scores of classes.

    Raises:
        ValueError: another kind of network.
    """
    if not isinstance(given, Model):
        raise ValueError(
            f"model: expected a neuro_explain.Model, got a {type(given).__name__}{_explained_by(given)}"
        )


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
        raise ValueError(
            f"{what}: expected a neuro_explain.{kind.__name__}, got a {type(given).__name__}{_explained_by(given)}"
        )
    if not isinstance(names, (Names, str, os.PathLike)):
        got = "None" if names is None else f"a {type(names).__name__}"
        raise ValueError(
            f"names: expected those of the units of layer {given.tower.layer!r}, or the folder of a dissection, got "
            f"{got}; make them with dissect(), which is given the tower of {given.name}"
        )


def _explained_by(given: object) -> str:
    if isinstance(given, str):
        return "; load_model gives one by its name"
    return next((f"; {by} explains it" for cls, by in _EXPLAINED_BY if isinstance(given, cls)), "")
