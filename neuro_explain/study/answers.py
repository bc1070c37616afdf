"""What did raters answer? Returned files, checked against the key.

    answers = read_answers(key, ["answers-rater-01.json", …])           # or ["returned"], their folder
    answers.ratings[0]                  # Rating(rater="rater-01", question=17, value=1)

A file holds `study`, `rater` and `answers`, a list of `question` (its token) and `answer`: 0 or 1 for the first or the
second choice that was shown, or -2 to 2, positive for the picture that was shown first. Questions may be missing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuro_explain.study.key import Key, Placed

LARGEST = 2
"""Of the scale of trust, which goes from its negative to it."""


@dataclass(frozen=True)
class Rating:
    """One answer, the right way round.

    Attributes:
        rater: who gave it.
        question: its number in the key.
        value: which of the question's choices, or the preference for the first network, -2 to 2.
    """

    rater: str
    question: int
    value: int


@dataclass(frozen=True, eq=False)
class Answers:
    """All that came back.

    Attributes:
        ratings: one for each rater and question that was answered.
        raters: whose files these are, in their order.
        simulated: how many of the files say that no person gave them.
    """

    ratings: tuple[Rating, ...]
    raters: tuple[str, ...]
    simulated: int = 0


def read_answers(key: Key, files: Sequence[str | os.PathLike[str]]) -> Answers:
    """The ratings in these files; of a folder, in all its `.json` files.

    Raises:
        FileNotFoundError: a file is missing, or a folder holds none.
        ValueError: no file; another study's; a rater twice or unknown; a question twice, or not asked of that rater; an
            answer that was not offered.
    """
    if not files:
        raise ValueError("no returned file is named; give the answers-RATER.json that raters sent back")
    came: dict[str, Path] = {}
    ratings: list[Rating] = []
    simulated = 0
    for file in [one for place in map(Path, files) for one in _files(place)]:
        facts = _read(file)
        if facts["study"] != key.study:
            raise ValueError(
                f"{file}: it answers the study {facts['study']!r}, and this one is {key.study!r}"
            )
        rater = facts["rater"]
        if rater not in key.sheets:
            raise ValueError(f"{file}: there is no rater {rater!r}; the study has {len(key.sheets)}")
        if rater in came:
            raise ValueError(
                f"{file}: {rater} has answered in {came[rater]} already; give one of the two files"
            )
        came[rater] = file
        simulated += facts.get("simulated") is True
        ratings += _ratings(key, rater, facts["answers"], file)
    return Answers(tuple(ratings), tuple(came), simulated)


def _files(place: Path) -> list[Path]:
    if not place.is_dir():
        return [place]
    found = sorted(one for one in place.glob("*.json") if not one.name.startswith("."))
    if not found:
        raise FileNotFoundError(
            f"{place}: there is no .json file in this folder; name the one with the answers-RATER.json that raters sent"
        )
    return found


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise FileNotFoundError(f"{file}: there is no such file")
    try:
        facts = json.loads(file.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{file} is no answers of a study: it is not JSON ({error})") from error
    kinds = {"study": str, "rater": str, "answers": list}
    if not isinstance(facts, dict) or not all(isinstance(facts.get(name), kinds[name]) for name in kinds):
        raise ValueError(f"{file} is no answers of a study: expected the keys study, rater and answers")
    return facts


def _ratings(key: Key, rater: str, answers: list[Any], file: Path) -> list[Rating]:
    asked = {placed.token: placed for placed in key.sheets[rater]}
    offered = range(2) if key.task == "discrimination" else range(-LARGEST, LARGEST + 1)
    found: dict[str, Rating] = {}
    for place, one in enumerate(answers, start=1):
        where = f"{file}, answer {place}"
        if not isinstance(one, dict) or not isinstance(one.get("question"), str):
            raise ValueError(f"{where}: expected a question and an answer, got {one!r}")
        token, value = one["question"], one.get("answer")
        if token not in asked:
            raise ValueError(f"{where}: the question {token!r} was not asked of {rater}")
        if token in found:
            raise ValueError(f"{where}: the question {token!r} is answered twice")
        if not isinstance(value, int) or isinstance(value, bool) or value not in offered:
            raise ValueError(
                f"{where}: expected a whole number from {offered[0]} to {offered[-1]}, got {value!r}"
            )
        found[token] = Rating(rater, asked[token].question, unflipped(key, asked[token], value))
    return list(found.values())


def unflipped(key: Key, placed: Placed, value: int) -> int:
    """An answer as it would be to the question that is not flipped; or the other way round, which is the same."""
    if not placed.flipped:
        return value
    return 1 - value if key.task == "discrimination" else -value
