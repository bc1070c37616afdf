"""The networks of the diorama, whose weights come inside this package.

Each has a card beside its weights: `card("diorama-scenes")` says on which scenes it was trained, how, when, and how
often it is right on others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from neuro_explain.checkpoint import existing_file, fit, read_state_dict, without_wrappers
from neuro_explain.recipes import RANDOM, Loaded, ModelEntry, reproducible, untrained

NAMES = ("diorama-scenes", "diorama-scenes-dense", "diorama-biased", "diorama-balanced")
_FOLDER = Path(__file__).resolve().parent.parent / "diorama" / "weights"
_LICENCE = "Apache-2.0"


def card(name: str) -> dict[str, Any]:
    """What is known of a shipped network: task, classes, seeds, epochs, accuracy, date, command, sha256.

    Raises:
        ValueError: not one of `NAMES`.
    """
    if name not in NAMES:
        raise ValueError(f"network {name!r}: expected one of {', '.join(NAMES)}")
    read: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return read


def load(name: str, weights: str | Path | None, download: bool) -> Loaded:
    """A network of the diorama with its own weights, a file's of the same layout, or `"random"` ones."""
    from neuro_explain.diorama.networks import PREPROCESS, SceneNet

    known = card(name)
    classes = tuple(known["classes"])
    with reproducible():
        net = SceneNet(len(classes), head=known["head"])
    if weights == RANDOM:
        which = "random (seed 0), never trained"
        return Loaded(net, PREPROCESS, classes, untrained(name), which, "this package", _LICENCE)
    path = _FOLDER / f"{name}.safetensors" if weights is None else existing_file(weights)
    fit(net, without_wrappers(read_state_dict(path)), source=path.name)
    origin = f"trained on {known['scenes']:,} scenes of the diorama, which this package draws"
    return Loaded(
        net,
        PREPROCESS,
        classes,
        name,
        path.name,
        origin if weights is None else f"the file {path.name}",
        _LICENCE,
    )


def entries() -> Iterator[ModelEntry]:
    """The list's lines."""
    for name in NAMES:
        about = f"{card(name)['about']}, 128 units of 8×8"
        yield ModelEntry(name, "package", about, True, "in this package", _LICENCE)
