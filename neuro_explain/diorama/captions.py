"""What would a person say of a scene, and which region makes each word true?

    for caption in captions(scene):
        caption.text                          # "a red lamp next to two chairs"
        caption.mentions[0].box               # where the red lamp is
    region_captions(scene)                    # "a red lamp", "a striped rug", … one per visible thing

The words are few and follow from the labels: nothing is said that the picture does not show clearly. The choice
among what could be said follows from the scene's seed and index.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from neuro_explain.diorama.habits import habits
from neuro_explain.diorama.looks import WHOLE, Box, Look, is_many, look_at, named, with_article
from neuro_explain.diorama.relations import Relation, relations
from neuro_explain.diorama.scene import Scene
from neuro_explain.diorama.words import MASSES

_AT = {
    "coast": "at",
    "farm field": "on",
    "forest path": "on",
    "rope bridge": "at",
    "street": "on",
    "waterfall": "at",
}
_THE = frozenset({"sea", "sky", "sun"})  # there is only one of these
_LEAST = 3  # captions per scene


@dataclass(frozen=True)
class Mention:
    """Some words of a caption, and what in the picture they speak of.

    Attributes:
        start, end: the words are `text[start:end]`.
        things: the numbers of the things; empty for the place as a whole.
        box: the box of their visible pixels in shares of the frame: left, top, right, bottom.
    """

    start: int
    end: int
    things: tuple[int, ...]
    box: Box


@dataclass(frozen=True)
class Caption:
    """A line about a scene, in lower case and without a full stop, with its mentions in the order of the text."""

    text: str
    mentions: tuple[Mention, ...]


@dataclass(frozen=True)
class _Phrase:
    """Words that speak of something visible."""

    text: str
    things: tuple[int, ...] = ()
    box: Box = WHOLE
    many: bool = False


def captions(scene: Scene) -> tuple[Caption, ...]:
    """Three to five different captions: the place, its main things, how many, and how they lie to each other."""
    rng = random.Random(f"diorama captions {scene.seed} {scene.index}")
    place = _Phrase(with_article(scene.category))
    at = _AT.get(scene.category, "in")
    main = [_of_kind(scene, look, rng) for look in _main(scene, rng, 4)]
    lines: list[tuple[str | _Phrase, ...]] = []
    if len(main) > 1:
        lines.append((place, " with ", main[0], " and ", main[1]))
    if main:
        lines.append(rng.choice(((place, " with ", main[0]), (main[0], f" {at} ", place))))
    lines += [_related(relation, rng) for relation in _some_relations(scene, rng)]
    if len(main) > 2:
        verb = "there are " if main[2].many else "there is "
        lines.append(rng.choice(((main[-1], " and ", main[-2]), (verb, main[2], f" {at} ", place))))
    made = {caption.text: caption for caption in map(_caption, lines)}
    for line in (("this is ", place), ("a picture of ", place), (place,)):  # where there is little to say
        if len(made) < _LEAST:
            made.setdefault(_caption(line).text, _caption(line))
    return tuple(made.values())


def region_captions(scene: Scene) -> tuple[Caption, ...]:
    """A short phrase for each clearly visible thing, and for each mass as a whole; one mention spans it all."""
    rng = random.Random(f"diorama regions {scene.seed} {scene.index}")
    looks = look_at(scene)
    single = [look for look in looks.things.values() if look.kind not in MASSES]
    masses = [look for look in looks.kinds.values() if look.kind in MASSES]
    return tuple(_caption((_phrase(look, rng),)) for look in single + masses if look.clear)


def _main(scene: Scene, rng: random.Random, count: int) -> list[Look]:
    """The kinds that a person would name: large ones and such as few other categories have, by a weighted draw."""
    usual = habits()
    # a kind is named by its size, but a wall is everywhere: rarity counts twice
    weights = {
        look.kind: look.pixels**0.5 * usual.rarity(look.kind) ** 2
        for look in look_at(scene).kinds.values()
        if _largest(scene, look).clear and look.kind not in scene.category.split()
    }
    # the keys of Efraimidis and Spirakis: the largest are a weighted sample without replacement
    keys = {kind: rng.random() ** (1 / weight) for kind, weight in weights.items()}
    chosen = sorted(keys, key=lambda kind: -keys[kind])[:count]
    return [look_at(scene).kinds[kind] for kind in chosen]


def _largest(scene: Scene, look: Look) -> Look:
    """Of a kind, the thing that is most visible; a mass is one."""
    if look.kind in MASSES:
        return look
    return max((look_at(scene).things[number] for number in look.things), key=lambda one: one.pixels)


def _of_kind(scene: Scene, look: Look, rng: random.Random) -> _Phrase:
    """All of a kind, with their number if each can be counted; else the largest one alone."""
    together = look.kind in MASSES or (look.clear and habits().in_numbers(look.kind))
    return _phrase(look if together else _largest(scene, look), rng)


def _phrase(look: Look, rng: random.Random) -> _Phrase:
    said = [word for word in (look.color, look.texture) if word and rng.random() < 0.7]
    text = named(look.kind, before=" ".join(said), count=len(look.things))
    if look.kind in _THE:
        text = f"the {look.kind}"
    many = is_many(look.kind) if look.kind in MASSES else len(look.things) > 1
    return _Phrase(text, look.things, look.box, many)


def _some_relations(scene: Scene, rng: random.Random) -> list[Relation]:
    """Up to two relations of different kinds, between different kinds of things."""
    chosen: dict[str, Relation] = {}
    found = [relation for relation in relations(scene) if relation.first.kind != relation.second.kind]
    rng.shuffle(found)
    for relation in sorted(found, key=lambda one: one.place == "left of"):  # the plainest of them comes last
        chosen.setdefault(relation.place, relation)
    return list(chosen.values())[:2]


def _related(relation: Relation, rng: random.Random) -> tuple[str | _Phrase, ...]:
    first, second = _phrase(relation.first, rng), _phrase(relation.second, rng)
    if relation.place == "left of" and rng.random() < 0.5:
        return second, " right of ", first
    if relation.place == "in front of" and rng.random() < 0.3:
        return second, " behind ", first
    return first, f" {relation.place} ", second


def _caption(line: tuple[str | _Phrase, ...]) -> Caption:
    text, mentions = "", []
    for piece in line:
        words = piece if isinstance(piece, str) else piece.text
        if not isinstance(piece, str):
            mentions.append(Mention(len(text), len(text) + len(words), piece.things, piece.box))
        text += words
    return Caption(text, tuple(mentions))
