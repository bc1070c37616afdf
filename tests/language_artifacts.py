"""Made-up explanations of a caption and of an answer, for the tests of their pages."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from artifacts_for_pages import Change, bump, explanation, write_explanation

CAPTION = "a red lamp next to two chairs"
LIKELY = (0.981, 0.44, 0.73, 0.12, 0.9996, 0.31, 0.62)
BEAM = ((CAPTION, -4.41), ("a lamp next to two chairs", -4.93), ("two chairs and a red lamp", -6.208))
QUESTION = "what colour is the lamp?"
COLOURS = ("red", "yellow", "blue", "white", "no")


def _target(base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    target = copy.deepcopy(base)
    said = changes["label"].strip("“”")
    target.update(changes, sentence=f"“{said}”: lamp and chair speak for it; road speaks against it.")
    return target


def captioned(
    *,
    text: str = CAPTION,
    likely: Sequence[float] = LIKELY,
    beam: Sequence[tuple[str, float]] = BEAM,
    first: int | None = None,
    forced: bool = False,
    then: Change | None = None,
) -> Change:
    """What makes an explanation one of a caption.

    Args:
        text: the caption.
        likely: the probability of each of its words.
        beam: the captions that were found, with their log-probabilities.
        first: the place of the word whose target comes first; None for the caption's.
        forced: whether the caption was given.
        then: a further change.
    """

    def change(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        bases = facts["targets"]
        scores = np.log(np.asarray(likely))
        texts = text.split()
        targets = [
            _target(bases[0], kind="caption", label=text, index=None, score=float(scores.sum()) - 0.02,
                    probability=None),
            *(
                _target(bases[(place + 1) % len(bases)], kind="word", label=f"“{word}”", index=place,
                        score=float(scores[place]), probability=float(likely[place]))
                for place, word in enumerate(texts)
            ),
        ]  # fmt: skip
        order = list(range(len(targets)))
        if first is not None:
            order.insert(0, order.pop(first + 1))
        facts["targets"] = [targets[i] for i in order]
        shape = arrays["signed_map"].shape[1:]
        maps = [
            bump(shape, (0.5 + 0.37 * i) % 1, (0.3 + 0.23 * i) % 1)
            - 0.6 * bump(shape, (0.9 + 0.37 * i) % 1, 0.9)
            for i in order
        ]
        arrays["signed_map"] = np.stack(maps).astype(np.float32)
        facts["predictions"] = [
            {"index": i, "label": label, "score": score, "probability": float(np.exp(score))}
            for i, (label, score) in enumerate(beam)
        ]
        facts["asked"] = {
            "task": "caption", "text": text, "question": None, "forced": forced,
            "words": [{"text": word, "target": order.index(place + 1), "probability": float(likely[place])}
                      for place, word in enumerate(texts)],
            "fingerprint": f"sha256:{'2b' * 32}",
        }  # fmt: skip
        facts["check"]["text"] = "Without the five units at the top, its log-probability falls."
        facts["text"] = f"{facts['targets'][0]['sentence']} {facts['check']['text']}"
        if first is None:
            facts["check"].update(probability=None, probability_without=None, random_probability=None,
                                  score=-4.43, score_without=-7.9,
                                  random_score={"mean": -4.6, "p5": -5.1, "p95": -4.4})  # fmt: skip
        if then is not None:
            then(facts, arrays)

    return change


def answered(*, question: str = QUESTION, forced: bool = False, then: Change | None = None) -> Change:
    """What makes an explanation one of an answer; a forced one puts the second answer's target first."""

    def change(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        if forced:
            targets = facts["targets"]
            second = targets.pop(1)
            targets.insert(0, second)
            contrast, against = targets[5:]
            contrast.update(
                index=second["index"], versus=facts["predictions"][0]["index"], label="yellow rather than red"
            )
            against.update(index=second["index"], label="not yellow")
            facts["check"].update(
                probability=0.21,
                probability_without=0.03,
                text="Without the five units at the top, p(yellow) falls.",
            )
            facts["text"] = f"{second['sentence']} {facts['check']['text']}"
        facts["asked"] = {
            "task": "answer", "text": facts["targets"][0]["label"], "question": question, "forced": forced,
            "words": [], "fingerprint": f"sha256:{'2b' * 32}",
        }  # fmt: skip
        if then is not None:
            then(facts, arrays)

    return change


def write_caption(folder: Path, **options: Any) -> Path:
    """An explanation folder of a caption; options of `captioned` and of `write_explanation`."""
    names = ("text", "likely", "beam", "first", "forced", "then")
    own = {name: options.pop(name) for name in names if name in options}
    return write_explanation(folder, change=captioned(**own), **options)


def write_answer(folder: Path, **options: Any) -> Path:
    """An explanation folder of an answer; options of `answered` and of `write_explanation`."""
    own = {name: options.pop(name) for name in ("question", "forced", "then") if name in options}
    return write_explanation(folder, change=answered(**own), **{"classes": COLOURS, **options})


def long_caption(words: int = 20) -> dict[str, Any]:
    """Options of `write_caption`: so many words, each with ten units of its own and their maps on 14 × 14 cells."""
    given = (
        "a red lamp stands next to two wooden chairs near a small round table under the window of a bedroom"
    )
    text = " ".join(given.split()[:words])
    assert len(text.split()) == words
    likely = [0.05 + 0.9 * ((7 * i) % words) / words for i in range(words)]

    def own_units(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """As many different units as fit into 320; a unit has one map, as on a real photograph."""
        _, other = explanation(arrays["signed_map"].shape[1:])
        numbers = iter((131 * i) % 320 for i in range(10 * len(facts["targets"])))
        shown = sorted({(131 * i) % 320 for i in range(10 * len(facts["targets"]))})
        for target in facts["targets"]:
            for unit in target["for"] + target["against"]:
                unit["unit"] = next(numbers)
                unit["map"] = shown.index(unit["unit"])
                for key in ("iou", "runner_up_iou", "margin", "threshold", "activation"):
                    unit[key] = float(np.float32(unit[key] + unit["unit"] / 3e4))
        rolled = [np.roll(other["unit_map"][i % 70], i, axis=1) for i in range(len(shown))]
        arrays["unit_map"] = np.stack(rolled)

    beam = ((text, float(np.log(likely).sum())), ("a room with chairs", -9.0), ("a lamp", -9.5))
    return {"text": text, "likely": likely, "beam": beam, "then": own_units, "shape": (14, 14)}


Written = Callable[[Path], Path]
