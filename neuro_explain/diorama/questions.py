"""What can be asked about a scene, what is the answer, and which region justifies it?

    for question in questions(scene):
        question.text, question.answer        # "what colour is the lamp?", "red"
        question.box                          # where the lamp is

Only what is clearly visible is asked for. A number is asked for only if every one of the kind can be counted; a
kind counts as absent only if not one of its pixels is visible; "the lamp" must be the only one. So that no answer
can be guessed from the question, common answers are left out as often as `habits` says that they are common, and
for every kind found there another one, as usual in that place, is missed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Literal, TypeVar

from dissection.readers.colors import NAMES as COLOR_NAMES
from neuro_explain.diorama.habits import evenness, habits
from neuro_explain.diorama.looks import CLEAR, WHOLE, Box, Look, Looks, is_many, look_at, named, union
from neuro_explain.diorama.relations import is_left
from neuro_explain.diorama.scene import Scene
from neuro_explain.diorama.words import KINDS, MASSES, SCENES, plural

QuestionKind = Literal["place", "presence", "count", "colour", "material", "relation", "comparison"]

MOST = 4
"""The largest number that is asked for."""

SURFACES = (
    "brick", "carpet", "ceramic", "concrete", "fabric", "glass", "leather", "metal", "paper", "plaster", "plastic",
    "rubber", "stone", "tile", "wood",
)  # fmt: skip
"""The materials that people name when asked what a thing is made of; not skin, foliage, grass."""

ANSWERS: tuple[str, ...] = tuple(
    dict.fromkeys(("yes", "no", *map(str, range(MOST + 1)), *COLOR_NAMES, *SURFACES, *SCENES, *sorted(KINDS)))
)
"""All possible answers, in order, each once: a word may be a scene and a kind."""

_FLOOR = 0.5  # a rare colour or number thins out the others as if it had half of an equal share

Candidate = TypeVar("Candidate")


@dataclass(frozen=True)
class Question:
    """A question about a scene.

    Attributes:
        text: in lower case, with its question mark.
        answer: one of `ANSWERS`.
        kind: what it asks for.
        things: the numbers of the things that justify the answer; empty where it is the whole picture.
        box: the box of their visible pixels in shares of the frame: left, top, right, bottom.
    """

    text: str
    answer: str
    kind: QuestionKind
    things: tuple[int, ...]
    box: Box


def questions(scene: Scene, *, draw: int = 0) -> tuple[Question, ...]:
    """One to about ten questions, at most two of a kind except for four of presence; the same scene gives the same.

    Args:
        scene: what is asked about.
        draw: which draw of all that could be asked, from 0; another draw asks other questions, and some again.
    """
    rng = random.Random(f"diorama questions {scene.seed} {scene.index}" + (f" {draw}" if draw else ""))
    looks = look_at(scene)
    asked = [Question("what is this place?", scene.category, "place", (), WHOLE)]
    asked += _presence(scene, looks, rng)
    asked += _counts(scene, looks, rng)
    asked += _colors(looks, rng)
    asked += _materials(looks, rng)
    asked += _sides(looks, rng)
    asked += _loads(scene, looks, rng)
    asked += _comparisons(scene, looks, rng)
    return tuple(asked)


def _ask(text: str, answer: str, kind: QuestionKind, looks: Sequence[Look]) -> Question:
    things = tuple(number for look in looks for number in look.things)
    return Question(text, answer, kind, things, union(list(looks)) if looks else WHOLE)


def _draw(
    rng: random.Random, candidates: Sequence[Candidate], share: Callable[[Candidate], float], most: int
) -> list[Candidate]:
    """Up to `most` candidates in random order, each of which survives with its own share."""
    kept: list[Candidate] = []
    for candidate in rng.sample(candidates, len(candidates)):
        if len(kept) < most and rng.random() < share(candidate):
            kept.append(candidate)
    return kept


def _definite(looks: Looks) -> list[Look]:
    """What "the" can be said of: clearly visible, and the only one of which the word can be said."""
    return [
        look for kind, look in looks.kinds.items() if look.clear and look.one and looks.named(kind) == {kind}
    ]


def _counted(looks: Looks, kind: str) -> int | None:
    """How many things of a kind there are; None if that cannot be seen for certain."""
    if looks.named(kind) - {kind}:
        return None
    look = looks.kinds.get(kind)
    if look is None:
        return 0
    return len(look.things) if look.clear else None


def _presence(scene: Scene, looks: Looks, rng: random.Random) -> list[Question]:
    """Pairs of a kind that is there and one that could be: as many "yes" as "no"."""
    usual = habits()
    there: list[tuple[str, float]] = []
    missing: list[tuple[str, float]] = []
    for kind in usual.counts[scene.category]:
        answers = usual.presence(scene.category, kind)
        if not looks.named(kind):
            missing.append((kind, evenness(answers, "no")))
        elif kind in looks.kinds and _surely_there(looks, kind):
            there.append((kind, evenness(answers, "yes")))
    asked = []
    for _ in range(2):
        found, missed = _weighted(rng, there), _weighted(rng, missing)
        if found and missed:
            asked.append(_ask(f"{_is_there(found)}?", "yes", "presence", [looks.kinds[found]]))
            asked.append(_ask(f"{_is_there(missed)}?", "no", "presence", []))
    rng.shuffle(asked)
    return asked


def _surely_there(looks: Looks, kind: str) -> bool:
    """Whether at least one of the kind is clearly visible."""
    look = looks.kinds[kind]
    return look.clear or any(looks.things[number].clear for number in look.things)


def _is_there(kind: str) -> str:
    return f"{'are' if is_many(kind) else 'is'} there {named(kind)}"


def _weighted(rng: random.Random, candidates: list[tuple[str, float]]) -> str | None:
    """Draws one and takes it from the list; None if none has a weight."""
    if not any(weight for _, weight in candidates):
        return None
    drawn = rng.choices(candidates, [weight for _, weight in candidates])[0]
    candidates.remove(drawn)
    return drawn[0]


def _known_numbers(scene: Scene, looks: Looks) -> dict[str, int]:
    """The kinds that come in numbers here or elsewhere, and how many there are, where that can be seen."""
    usual = habits()
    kinds = [kind for kind in usual.counts[scene.category] if kind not in MASSES and usual.in_numbers(kind)]
    numbers = {kind: _counted(looks, kind) for kind in kinds}
    return {kind: number for kind, number in numbers.items() if number is not None}


def _counts(scene: Scene, looks: Looks, rng: random.Random) -> list[Question]:
    usual = habits().counts[scene.category]
    known = [(kind, number) for kind, number in _known_numbers(scene, looks).items() if number <= MOST]

    def share(one: tuple[str, int]) -> float:
        kind, number = one
        # where there is never more than one, a number is mere presence: less often asked, whatever it is
        return evenness(usual[kind], str(number), floor=_FLOOR) * (1.0 if len(usual[kind]) > 2 else 0.25)

    drawn = _draw(rng, known, share, 2)
    return [
        _ask(
            f"how many {plural(kind)} are there?", str(number), "count", [looks.kinds[kind]] if number else []
        )
        for kind, number in drawn
    ]


def _colors(looks: Looks, rng: random.Random) -> list[Question]:
    usual = habits().colors
    found = [look for look in _definite(looks) if look.color and look.kind in usual]
    drawn = _draw(rng, found, lambda look: evenness(usual[look.kind], look.color, floor=_FLOOR), 2)
    return [_ask(f"what colour {_is_the(look.kind)}?", look.color, "colour", [look]) for look in drawn]


def _materials(looks: Looks, rng: random.Random) -> list[Question]:
    usual = habits().materials
    found = [look for look in _definite(looks) if look.material in SURFACES and look.kind in usual]
    drawn = _draw(rng, found, lambda look: evenness(usual[look.kind], look.material, floor=_FLOOR), 1)
    return [_ask(f"what {_is_the(look.kind)} made of?", look.material, "material", [look]) for look in drawn]


def _is_the(kind: str) -> str:
    return f"are the {plural(kind)}" if is_many(kind) else f"is the {kind}"


def _sides(looks: Looks, rng: random.Random) -> list[Question]:
    """Left or right of: the world is mirrored by a coin, and so is the question."""
    found = [look for look in _definite(looks) if look.kind not in MASSES]
    pairs = [
        (first, second)
        for first, second in combinations(found, 2)
        if is_left(first, second) or is_left(second, first)
    ]
    asked = []
    for first, second in rng.sample(pairs, min(1, len(pairs))):
        if rng.random() < 0.5:
            first, second = second, first
        side = rng.choice(("left", "right"))
        answer = "yes" if is_left(first, second) == (side == "left") else "no"
        text = f"is the {first.kind} {side} of the {second.kind}?"
        asked.append(_ask(text, answer, "relation", [first, second]))
    return asked


def _loads(scene: Scene, looks: Looks, rng: random.Random) -> list[Question]:
    """What stands on the table, if all that can be seen on it, however little, is of one kind."""
    usual = habits().loads
    found = []
    for support in (look for look in _definite(looks) if look.kind not in MASSES):
        loads = [
            look for number, look in looks.things.items() if _stands_on(scene, number, support.things[0])
        ]
        one_kind = len({look.kind for look in loads}) == 1
        if one_kind and max(look.pixels for look in loads) >= CLEAR and support.kind in usual:
            found.append((support, loads))
    drawn = _draw(rng, found, lambda one: evenness(usual[one[0].kind], one[1][0].kind, floor=_FLOOR), 1)
    return [
        _ask(f"what is on the {support.kind}?", loads[0].kind, "relation", [*loads, support])
        for support, loads in drawn
    ]


def _stands_on(scene: Scene, number: int, support: int) -> bool:
    """Whether the thing stands on the support, or on something that does."""
    below = scene.things[number].on
    return below == support or (below != -1 and _stands_on(scene, below, support))


def _comparisons(scene: Scene, looks: Looks, rng: random.Random) -> list[Question]:
    """More of these than of those, where both can be counted and differ."""
    usual, numbers = habits(), _known_numbers(scene, looks)
    pairs = [
        (more, fewer) for more, fewer in permutations(numbers, 2) if numbers[more] > max(numbers[fewer], 1)
    ]
    drawn = _draw(rng, pairs, lambda pair: evenness(usual.more(scene.category, *pair), "yes"), 1)
    asked = []
    for more, fewer in drawn:
        first, second, answer = (more, fewer, "yes") if rng.random() < 0.5 else (fewer, more, "no")
        evidence = [looks.kinds[kind] for kind in (first, second) if kind in looks.kinds]
        asked.append(
            _ask(f"are there more {plural(first)} than {plural(second)}?", answer, "comparison", evidence)
        )
    return asked
