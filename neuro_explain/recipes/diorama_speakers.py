"""The networks that speak of the diorama, whose weights come inside this package.

Each has a card beside its weights: `card("diorama-captioner")` says on which scenes it was trained, how, when, its
words and answers, and how good it is on other scenes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from neuro_explain.captioning import Captioner
from neuro_explain.checkpoint import existing_file, fit, read_state_dict, without_wrappers
from neuro_explain.language.vocabulary import Vocabulary
from neuro_explain.recipes import RANDOM, ModelEntry, reproducible, untrained
from neuro_explain.vqa import QuestionAnswerer

CAPTIONERS = ("diorama-captioner",)
ANSWERERS = ("diorama-vqa", "diorama-vqa-coattention")
_FOLDER = Path(__file__).resolve().parent.parent / "diorama" / "weights"
_LICENCE = "Apache-2.0"


def card(name: str) -> dict[str, Any]:
    """What is known of a shipped network: words, answers, seeds, epochs, figures, date, command, sha256.

    Raises:
        ValueError: not one of `CAPTIONERS` and `ANSWERERS`.
    """
    if name not in (*CAPTIONERS, *ANSWERERS):
        raise ValueError(f"network {name!r}: expected one of {', '.join((*CAPTIONERS, *ANSWERERS))}")
    read: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return read


def load_captioner(name: str, weights: str | Path | None) -> Captioner:
    """The captioner with its own weights, a file's of the same layout, or `"random"` ones."""
    from neuro_explain.diorama.networks import PREPROCESS
    from neuro_explain.diorama.speakers import captioning_net
    from neuro_explain.language.adapters import ShowAndTellCaptioner

    words = card(name)["words"]
    with reproducible():
        net = captioning_net(len(words)).eval()
    return ShowAndTellCaptioner(
        net,
        preprocess=PREPROCESS,
        vocabulary=Vocabulary(words),
        start=len(words),
        end=len(words),
        tower="cnn.features",
        layer="units",
        **_fill(net, name, weights),
    )


def load_answerer(name: str, weights: str | Path | None) -> QuestionAnswerer:
    """A network that answers questions, with its own weights, a file's of the same layout, or `"random"` ones."""
    from neuro_explain.diorama.networks import PREPROCESS
    from neuro_explain.diorama.speakers import attending_net, product_net
    from neuro_explain.language.adapters import CoAttentionAnswerer, LstmCnnAnswerer

    known = card(name)
    words, answers = known["words"], known["answers"]
    attends = name == "diorama-vqa-coattention"
    with reproducible():
        net = (attending_net if attends else product_net)(len(words), len(answers)).eval()
    kind = CoAttentionAnswerer if attends else LstmCnnAnswerer
    return kind(
        net,
        preprocess=PREPROCESS,
        vocabulary=Vocabulary(words),
        answers=answers,
        tower="cnn.features",
        layer="units",
        **_fill(net, name, weights),
    )


def _fill(net: Any, name: str, weights: str | Path | None) -> dict[str, Any]:
    """Puts the weights in, and says what they are."""
    if weights == RANDOM:
        which = "random (seed 0), never trained"
        return {"name": untrained(name), "weights": which, "origin": "this package", "licence": _LICENCE}
    path = _FOLDER / f"{name}.safetensors" if weights is None else existing_file(weights)
    fit(net, without_wrappers(read_state_dict(path)), source=path.name)
    origin = f"trained on {card(name)['scenes']:,} scenes of the diorama, which this package draws"
    return {
        "name": name,
        "weights": path.name,
        "origin": origin if weights is None else f"the file {path.name}",
        "licence": _LICENCE,
    }


def entries() -> Iterator[ModelEntry]:
    """The list's lines."""
    for name in (*CAPTIONERS, *ANSWERERS):
        yield ModelEntry(name, "package", card(name)["about"], True, "in this package", _LICENCE)
