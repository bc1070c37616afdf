"""Questions about rendered scenes: every answer is counted again on the pixels, and none can be guessed."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

import numpy as np
import pytest
from diorama_scenes import SEED, box_of, labels_of, pixels_of, seen_kinds, segments_of, sizes_of, some_scenes

from dissection.concepts import Concept
from dissection.readers.colors import NAMES as COLOR_NAMES
from dissection.readers.colors import color_indices
from neuro_explain.diorama.habits import evenness, habits
from neuro_explain.diorama.looks import CLEAR, named
from neuro_explain.diorama.questions import ANSWERS, MOST, Question, questions
from neuro_explain.diorama.scene import Scene, make_scene
from neuro_explain.diorama.scenes import COMPOSERS
from neuro_explain.diorama.words import CONCEPTS, KINDS, MASSES, SCENES, plural

KIND = {plural(kind): kind for kind in KINDS} | {kind: kind for kind in KINDS}
ASKED_AS = {named(kind): kind for kind in KINDS}


@lru_cache(maxsize=1)
def asked() -> tuple[tuple[Scene, Question], ...]:
    return tuple((scene, question) for scene in some_scenes() for question in questions(scene))


def of(kind: str, pattern: str = ".*") -> list[tuple[Scene, Question, tuple[str, ...]]]:
    """The questions of a kind that read like this, with what the pattern's groups caught."""
    found = []
    for scene, question in asked():
        match = re.fullmatch(pattern, question.text)
        if question.kind == kind and match:
            found.append((scene, question, match.groups()))
    return found


def number_of(scene: Scene, kind: str) -> int:
    """How many of a kind are seen; fails if one of them is too small to be counted, or may be called so."""
    sizes = sizes_of(scene, kind)
    assert not sizes or min(sizes) >= CLEAR
    assert {other for other in seen_kinds(scene) if other.endswith(kind)} <= {kind}
    return len(sizes)


def assert_definite(scene: Scene, kind: str) -> None:
    """ "The" kind: one thing, clearly visible, or a mass."""
    sizes = sizes_of(scene, kind)
    assert sum(sizes) >= CLEAR and (len(sizes) == 1 or kind in MASSES)
    assert {other for other in seen_kinds(scene) if other.endswith(kind)} == {kind}


def balanced(answers: Counter[str]) -> bool:
    """Whether yes and no are as frequent as tosses of a fair coin: within 3.5 standard deviations, 1 in 2000."""
    total = answers["yes"] + answers["no"]
    return abs(answers["yes"] - answers["no"]) <= 3.5 * total**0.5


def test_answers_are_a_fixed_list() -> None:
    assert len(set(ANSWERS)) == len(ANSWERS)
    assert ANSWERS[:7] == ("yes", "no", "0", "1", "2", "3", "4")
    assert set(COLOR_NAMES) | set(SCENES) <= set(ANSWERS)
    assert {question.answer for _, question in asked()} <= set(ANSWERS)


def test_every_question_is_of_a_known_form() -> None:
    forms = {
        "place": r"what is this place\?",
        "presence": r"(is|are) there .+\?",
        "count": r"how many .+ are there\?",
        "colour": r"what colour (is|are) the .+\?",
        "material": r"what (is|are) the .+ made of\?",
        "relation": r"is the .+ (left|right) of the .+\?|what is on the .+\?",
        "comparison": r"are there more .+ than .+\?",
    }
    counts = Counter(question.kind for _, question in asked())
    assert set(counts) == set(forms)
    assert all(count >= 10 for count in counts.values())
    for _, question in asked():
        assert re.fullmatch(forms[question.kind], question.text)


def test_at_most_two_of_a_kind_and_none_twice() -> None:
    for scene in some_scenes():
        texts = [question.text for question in questions(scene)]
        assert len(set(texts)) == len(texts)
        counts = Counter(question.kind for question in questions(scene))
        assert counts["place"] == 1
        assert all(count <= (4 if kind == "presence" else 2) for kind, count in counts.items())


def test_the_same_scene_gives_the_same_questions() -> None:
    for scene in some_scenes()[::10]:
        assert questions(make_scene(SEED, scene.index, category=scene.category)) == questions(scene)


def test_boxes_hold_the_pixels_that_justify_the_answer() -> None:
    for scene, question in asked():
        assert question.box == box_of(scene, question.things)
        for number in question.things:
            assert pixels_of(scene, [number]).any()


def test_place() -> None:
    for scene, question, _ in of("place"):
        assert question.answer == scene.category and question.things == ()


def test_presence() -> None:
    found = of("presence", r"(?:is|are) there (.+)\?")
    for scene, question, (words,) in found:
        kind = ASKED_AS[words]
        sizes = sizes_of(scene, kind)
        if question.answer == "yes":
            assert max(sizes) >= CLEAR or (kind in MASSES and sum(sizes) >= CLEAR)
            assert len(question.things) == len(sizes)
            assert {scene.things[number].kind for number in question.things} == {kind}
        else:
            assert question.answer == "no" and question.things == ()
            assert not [other for other in seen_kinds(scene) if other.endswith(kind)]
    answers = Counter(question.answer for _, question, _ in found)
    assert answers["yes"] == answers["no"] > 50  # so between 40 and 60 % of them are "yes"


def test_presence_cannot_be_guessed_from_the_question() -> None:
    """Who learns each question's commoner answer on the even scenes gets little more than half of the odd ones."""
    seen: dict[str, Counter[str]] = {}
    found = of("presence")
    for scene, question, _ in found:
        if scene.index % 2 == 0:
            seen.setdefault(question.text, Counter())[question.answer] += 1
    guesses = [
        seen[question.text].most_common(1)[0][0] == question.answer
        for scene, question, _ in found
        if scene.index % 2 == 1 and question.text in seen
    ]
    assert len(guesses) > 50 and np.mean(guesses) < 0.65


def test_what_is_missing_is_usual_there() -> None:
    for scene, question, (words,) in of("presence", r"(?:is|are) there (.+)\?"):
        answers = habits().presence(scene.category, ASKED_AS[words])
        assert answers["yes"] and answers["no"], question.text


def test_counts() -> None:
    found = of("count", r"how many (.+) are there\?")
    for scene, question, (words,) in found:
        kind = KIND[words]
        assert kind not in MASSES
        assert question.answer == str(number_of(scene, kind))
        assert len(question.things) == int(question.answer) <= MOST
    answers = Counter(question.answer for _, question, _ in found)
    assert len(answers) >= 4
    assert max(answers.values()) < 0.6 * len(found)


def test_colours() -> None:
    found = of("colour", r"what colour (?:is|are) the (.+)\?")
    for scene, question, (words,) in found:
        assert_definite(scene, KIND[words])
        picture = color_indices(scene.image())[pixels_of(scene, question.things)]
        assert np.mean(picture == COLOR_NAMES.index(question.answer)) > 0.5
        assert {scene.things[number].color for number in question.things} == {question.answer}
    answers = Counter(question.answer for _, question, _ in found)
    assert len(answers) >= 6
    assert max(answers.values()) < 0.4 * len(found)


def test_materials() -> None:
    found = of("material", r"what (?:is|are) the (.+) made of\?")
    for scene, question, (words,) in found:
        assert_definite(scene, KIND[words])
        here = labels_of(scene)[2][pixels_of(scene, question.things)]
        assert np.mean(here == CONCEPTS.index(Concept(question.answer, "material"))) > 0.5
    assert len({question.answer for _, question, _ in found}) >= 4


def test_sides() -> None:
    found = of("relation", r"is the (.+) (left|right) of the (.+)\?")
    for scene, question, (first, side, second) in found:
        assert_definite(scene, first)
        assert_definite(scene, second)
        columns = {
            scene.things[number].kind: np.nonzero(pixels_of(scene, [number]).any(axis=0))[0]
            for number in question.things
        }
        left = columns[first].max() < columns[second].min()
        assert left or columns[first].min() > columns[second].max()
        assert question.answer == ("yes" if left == (side == "left") else "no")
    assert len(found) > 20 and balanced(Counter(question.answer for _, question, _ in found))


def test_what_stands_on_something() -> None:
    for scene, question, (support,) in of("relation", r"what is on the (.+)\?"):
        assert_definite(scene, support)
        assert {scene.things[number].kind for number in question.things} == {question.answer, support}
        under = {thing.number for thing in scene.things if thing.kind == support}
        loads = {
            scene.things[number].kind
            for number in np.unique(segments_of(scene))
            if number >= 0 and scene.things[number].on in under
        }
        assert loads == {question.answer}


def test_comparisons() -> None:
    found = of("comparison", r"are there more (.+) than (.+)\?")
    for scene, question, (first, second) in found:
        one, two = number_of(scene, KIND[first]), number_of(scene, KIND[second])
        assert one != two
        assert question.answer == ("yes" if one > two else "no")
    assert balanced(Counter(question.answer for _, question, _ in found))


def test_evenness_makes_answers_as_frequent_as_the_rarest() -> None:
    answers = Counter(yes=30, no=10)
    assert evenness(answers, "yes") == pytest.approx(1 / 3)
    assert evenness(answers, "no") == 1.0


def test_evenness_with_a_floor_keeps_rare_answers_from_thinning_out_all() -> None:
    answers = Counter(red=98, blue=2)
    assert evenness(answers, "red", floor=0.5) == pytest.approx(0.25 / 0.98)
    assert evenness(answers, "blue", floor=0.5) == 1.0


@pytest.mark.parametrize("answers", [Counter(), Counter(yes=40), Counter(no=3, maybe=2)])
def test_what_can_be_guessed_or_was_never_seen_is_not_asked(answers: Counter[str]) -> None:
    assert evenness(answers, "yes") == 0.0


def test_habits_know_every_category() -> None:
    usual = habits()
    assert set(usual.numbers) == set(COMPOSERS)
    for category in COMPOSERS:
        assert set(usual.counts[category]) <= KINDS
        for kind in usual.counts[category]:
            assert usual.presence(category, kind)["yes"] > 0
