"""Captions of rendered scenes: every word is justified by pixels, and the regions are where they say."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

import numpy as np
import pytest
from diorama_scenes import SEED, box_of, labels_of, pixels_of, segments_of, sizes_of, some_scenes

from dissection.concepts import Concept
from dissection.readers.colors import NAMES as COLOR_NAMES
from neuro_explain.diorama.captions import Caption, Mention, captions, region_captions
from neuro_explain.diorama.looks import CLEAR, look_at, named
from neuro_explain.diorama.paint import TEXTURES
from neuro_explain.diorama.questions import questions
from neuro_explain.diorama.scene import Scene, make_scene
from neuro_explain.diorama.words import CONCEPTS, KINDS, MASSES, plural

NUMBERS = {"a": 1, "an": 1, "two": 2, "three": 3, "four": 4}
GLUE = {"", " with ", " and ", " in ", " on ", " at ", "there is ", "there are ", "this is ", "a picture of "}
PLACES = {" on ", " next to ", " in front of ", " behind ", " left of ", " right of "}


@lru_cache(maxsize=1)
def lines() -> tuple[tuple[Scene, Caption], ...]:
    return tuple((scene, caption) for scene in some_scenes() for caption in captions(scene))


@lru_cache(maxsize=1)
def regions() -> tuple[tuple[Scene, Caption], ...]:
    return tuple((scene, caption) for scene in some_scenes() for caption in region_captions(scene))


def mentions() -> list[tuple[Scene, str, Mention]]:
    return [
        (scene, caption.text[mention.start : mention.end], mention)
        for scene, caption in (*lines(), *regions())
        for mention in caption.mentions
    ]


def between(caption: Caption) -> list[str]:
    """The text before, between and after the mentions."""
    ends = [0, *(mention.end for mention in caption.mentions)]
    starts = [*(mention.start for mention in caption.mentions), len(caption.text)]
    return [caption.text[end:start] for end, start in zip(ends, starts, strict=True)]


def kinds_of(scene: Scene, mention: Mention) -> set[str]:
    return {scene.things[number].kind for number in mention.things}


def share_of(scene: Scene, things: tuple[int, ...], layer: int, concept: Concept) -> float:
    """The share of the things' pixels that carry a concept."""
    here = labels_of(scene)[layer][pixels_of(scene, things)]
    return float(np.mean(here == CONCEPTS.index(concept)))


def test_three_to_five_different_captions() -> None:
    for scene in some_scenes():
        texts = [caption.text for caption in captions(scene)]
        assert 3 <= len(texts) <= 5
        assert len(set(texts)) == len(texts)
        assert any(scene.category in text for text in texts)


def test_the_same_scene_gives_the_same_captions() -> None:
    for scene in some_scenes()[::10]:
        again = make_scene(SEED, scene.index, category=scene.category)
        assert captions(again) == captions(scene)
        assert region_captions(again) == region_captions(scene)


def test_captions_vary() -> None:
    counts = Counter(caption.text for _, caption in lines())
    assert len(counts) > len(some_scenes())
    assert counts.most_common(1)[0][1] < len(some_scenes()) / 5


def test_all_but_small_words_is_a_mention() -> None:
    for _, caption in lines():
        assert caption.mentions
        assert set(between(caption)) <= GLUE | PLACES
        assert re.fullmatch("[a-z]+( [a-z]+)*", caption.text)


def test_mentions_name_their_things_and_the_place() -> None:
    places = 0
    for scene, words, mention in mentions():
        if not mention.things:
            assert words.split(" ", 1)[1] == scene.category and words.split()[0] in ("a", "an")
            places += 1
            continue
        (kind,) = kinds_of(scene, mention)
        assert words.endswith((kind, plural(kind)))
    assert places > len(some_scenes())


def test_boxes_hold_the_visible_pixels_exactly() -> None:
    for scene, _, mention in mentions():
        assert mention.box == box_of(scene, mention.things)


def test_numbers_are_those_of_the_visible_things() -> None:
    seen: Counter[str] = Counter()
    for scene, words, mention in mentions():
        if not mention.things or kinds_of(scene, mention) & MASSES:
            continue
        (kind,) = kinds_of(scene, mention)
        first = words.split()[0]
        if first == "the":
            assert len(mention.things) == 1
        elif first == "several":
            assert len(mention.things) > 4
        else:
            assert len(mention.things) == NUMBERS[first]
        if len(mention.things) > 1:
            sizes = sizes_of(scene, kind)
            assert len(sizes) == len(mention.things) and min(sizes) >= CLEAR
        seen[first] += 1
    assert seen["a"] > 100 and seen["two"] > 5 and seen["three"] > 5


def test_what_is_mentioned_is_clearly_visible() -> None:
    for scene, _, mention in mentions():
        if mention.things:
            assert int(pixels_of(scene, mention.things).sum()) >= CLEAR


def test_colours_and_patterns_are_those_of_the_pixels() -> None:
    colors = textures = 0
    for scene, words, mention in mentions():
        if not mention.things:
            continue
        (kind,) = kinds_of(scene, mention)
        before = set(words.removesuffix(kind).removesuffix(plural(kind)).split())
        for color in before & set(COLOR_NAMES):
            assert share_of(scene, mention.things, 4, Concept(color, "color")) > 0.5
            assert {scene.things[number].color for number in mention.things} == {color}
            colors += 1
        for texture in before & set(TEXTURES):
            assert share_of(scene, mention.things, 3, Concept(texture, "texture")) > 0.5
            textures += 1
        assert before <= set(COLOR_NAMES) | set(TEXTURES) | set(NUMBERS) | {"several", "the"}
    assert colors > 100 and textures > 5


def test_relations_hold() -> None:
    found: Counter[str] = Counter()
    for scene, caption in lines():
        places = set(between(caption)) & PLACES
        if (
            not places
            or len(caption.mentions) != 2
            or not all(mention.things for mention in caption.mentions)
        ):
            continue
        first, second = caption.mentions
        one, two = (scene.things[mention.things[0]] for mention in caption.mentions)
        (place,) = places
        found[place] += 1
        if place == " on ":
            assert one.on == two.number
        elif place == " left of ":
            assert first.box[2] <= second.box[0]
        elif place == " right of ":
            assert first.box[0] >= second.box[2]
        elif place == " in front of ":
            assert one.z < two.z and first.box[3] > second.box[3]
        elif place == " behind ":
            assert one.z > two.z and first.box[3] < second.box[3]
        else:
            gap = max(first.box[0], second.box[0]) - min(first.box[2], second.box[2])
            assert 0 <= gap <= 0.1 and abs(one.z - two.z) < 1
    assert set(found) == PLACES


def test_every_clear_thing_has_its_region() -> None:
    for scene in some_scenes():
        found = region_captions(scene)
        counted = [caption.mentions[0].things for caption in found]
        clear = {
            (thing.number,)
            for thing in scene.things
            if thing.kind not in MASSES and int((segments_of(scene) == thing.number).sum()) >= CLEAR
        }
        assert clear <= set(counted) and len(set(counted)) == len(counted)
        for things in set(counted) - clear:
            assert {scene.things[number].kind for number in things} <= MASSES
        for caption in found:
            assert [(m.start, m.end) for m in caption.mentions] == [(0, len(caption.text))]


def test_the_vocabulary_is_small() -> None:
    texts = [caption.text for _, caption in (*lines(), *regions())]
    texts += [question.text.rstrip("?") for scene in some_scenes() for question in questions(scene)]
    words = {word for text in texts for word in text.split()}
    assert 50 < len(words) < 250


def test_majorities_by_a_loop() -> None:
    scene = some_scenes()[0]
    labels = labels_of(scene)
    for look in (*look_at(scene).things.values(), *look_at(scene).kinds.values()):
        here = pixels_of(scene, look.things)
        assert look.pixels == int(here.sum())
        materials = Counter(labels[2][here].tolist())
        best, count = materials.most_common(1)[0]
        want = CONCEPTS[best].name if best >= 0 and 2 * count > look.pixels else ""
        assert look.material == want


@pytest.mark.parametrize(
    ("kind", "many"),
    [
        ("bench", "benches"),
        ("bush", "bushes"),
        ("bus", "buses"),
        ("traffic light", "traffic lights"),
        ("sheep", "sheep"),
        ("person", "people"),
        ("bookshelf", "bookshelves"),
        ("stairs", "stairs"),
        ("sky", "skies"),
        ("hay bale", "hay bales"),
    ],
)
def test_plurals(kind: str, many: str) -> None:
    assert plural(kind) == many


def test_masses_are_kinds() -> None:
    assert MASSES <= KINDS


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (named("lamp", before="red"), "a red lamp"),
        (named("umbrella"), "an umbrella"),
        (named("chair", before="orange", count=3), "three orange chairs"),
        (named("chair", before="orange"), "an orange chair"),
        (named("car", count=9), "several cars"),
        (named("book", count=9), "books"),
        (named("grass", before="green", count=3), "green grass"),
        (named("fence", count=2), "a fence"),
    ],
)
def test_names_in_words(words: str, said: str) -> None:
    assert words == said
