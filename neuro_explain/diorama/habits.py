"""What is usual in the diorama? How often each answer is right, so that rare and common ones can be evened out.

A question whose answer can be guessed without the picture teaches nothing. For each category some stages are
furnished, not drawn, from seeds of their own, and what stands on them is counted. Once per process; it
takes a few seconds.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from neuro_explain.diorama.scenes import COMPOSERS
from neuro_explain.diorama.stage import Stage
from neuro_explain.diorama.words import MASSES

STAGES = 40
"""Stages per category; a share of one half is then known to about 0.08."""

_OFTEN = 0.25  # share of a category's stages


@dataclass(frozen=True)
class Habits:
    """Counts over the stages.

    Attributes:
        numbers: per category and stage, how many things of each kind.
        counts: per category and kind ever there, how often each number of it, as a word: "0", "1", …
        colors, materials: per kind, the colours and main materials of things that are alone of their kind.
        loads: per kind, the kinds that stand on a thing of it, where only one kind does.
    """

    numbers: Mapping[str, tuple[Counter[str], ...]]
    counts: Mapping[str, Mapping[str, Counter[str]]]
    colors: Mapping[str, Counter[str]]
    materials: Mapping[str, Counter[str]]
    loads: Mapping[str, Counter[str]]

    def presence(self, category: str, kind: str) -> Counter[str]:
        """How often "yes" and "no" are right when asked for the kind."""
        counts = self.counts[category][kind]
        return Counter(yes=STAGES - counts["0"], no=counts["0"])

    def more(self, category: str, first: str, second: str) -> Counter[str]:
        """How often there are more of the first, "yes", and how often more of the second, "no"."""
        pairs = [(numbers[first], numbers[second]) for numbers in self.numbers[category]]
        return Counter("yes" if a > b else "no" for a, b in pairs if a != b)

    def rarity(self, kind: str) -> float:
        """1 for a kind of a single category, towards 0 for one that is everywhere."""
        return 1 / max(sum(kind in here for here in self.counts.values()), 1)

    def in_numbers(self, kind: str) -> bool:
        """Whether there is, somewhere, often more than one of the kind, so that its plural is worth a word."""
        homes = [here[kind] for here in self.counts.values() if kind in here]
        return any(STAGES - counts["0"] - counts["1"] >= _OFTEN * STAGES for counts in homes)


@lru_cache(maxsize=1)
def habits() -> Habits:
    """The diorama's habits; the same in every process."""
    numbers: dict[str, tuple[Counter[str], ...]] = {}
    colors: dict[str, Counter[str]] = {}
    materials: dict[str, Counter[str]] = {}
    loads: dict[str, Counter[str]] = {}
    for category, compose in COMPOSERS.items():
        here = []
        for number in range(STAGES):
            stage = Stage(random.Random(f"diorama habits {category} {number}"))
            compose(stage)
            kinds = Counter(thing.kind for thing in stage.things)
            here.append(kinds)
            surfaces, loaded = _surfaces(stage), _loads(stage)
            for thing in stage.things:
                if kinds[thing.kind] > 1 and thing.kind not in MASSES:
                    continue
                for table, answer in (
                    (colors, thing.color),
                    (materials, surfaces.get(thing.number, "")),
                    (loads, loaded.get(thing.number, "")),
                ):
                    if answer:
                        table.setdefault(thing.kind, Counter())[answer] += 1
        numbers[category] = tuple(here)
    counts = {
        category: {
            kind: Counter(str(stage[kind]) for stage in stages) for kind in sorted(set().union(*stages))
        }
        for category, stages in numbers.items()
    }
    return Habits(numbers, counts, colors, materials, loads)


def evenness(answers: Counter[str], answer: str, *, floor: float = 0.0) -> float:
    """How likely this answer should be kept so that all are about as frequent: the rarest's share over its own.

    Args:
        answers: how often each answer is right.
        answer: the one that is right here.
        floor: share below which a rare answer does not thin out the others, as a part of an equal share, 0 to 1.

    Returns:
        0 to 1; 0 if the answer can be guessed because there is no other.
    """
    known = [count for count in answers.values() if count]
    if not answers[answer] or len(known) < 2:
        return 0.0
    total = sum(known)
    rarest = max(min(known) / total, floor / len(known))
    return min(1.0, rarest * total / answers[answer])


def _surfaces(stage: Stage) -> dict[int, str]:
    """The material with the largest surface of each thing, by the boxes of its shapes."""
    areas: dict[int, Counter[str]] = {}
    for shape in stage.shapes:
        xs, ys = shape.points[::2], shape.points[1::2]
        area = (max(xs) - min(xs)) * (max(ys) - min(ys))
        areas.setdefault(shape.thing, Counter())[shape.paint.material] += area  # type: ignore[assignment]
    return {thing: found.most_common(1)[0][0] for thing, found in areas.items()}


def _loads(stage: Stage) -> dict[int, str]:
    """The kind of all things that stand on a thing, where it is one kind."""
    loads: dict[int, set[str]] = {}
    for thing in stage.things:
        support = thing.on
        while support != -1:
            loads.setdefault(support, set()).add(thing.kind)
            support = stage.things[support].on
    return {thing: kinds.pop() for thing, kinds in loads.items() if len(kinds) == 1}
