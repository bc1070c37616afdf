"""Who is asked what: exact counts, no class twice, no photograph twice, halves that are flipped."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from study_toys import discrimination, trust

from neuro_explain.study.assignment import assign, halved
from neuro_explain.study.question import Material


def spread(counts: list[int]) -> int:
    return max(counts) - min(counts)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("material", "raters", "ratings"),
    [
        (discrimination(5), 72, 9),  # as many as for no photograph twice
        (discrimination(5), 36, 9),  # as many as for no class twice
        (discrimination(5), 50, 9),
        (discrimination(6), 12, 9),  # fewer: some see a class under several methods
        (discrimination(3), 9, 9),
        (discrimination(4), 7, 3),
        (discrimination(2), 16, 1),
        (trust(7), 18, 9),
        (trust(7), 9, 9),
        (trust(5), 11, 4),
    ],
)
def test_every_question_is_asked_as_often_and_of_as_many(
    material: Material, raters: int, ratings: int, seed: int
) -> None:
    questions = material.questions
    sheets = assign(questions, raters=raters, ratings=ratings, generator=np.random.default_rng(seed))
    assert len(sheets) == raters
    asked = Counter(number for sheet in sheets for number, _ in sheet)
    assert asked == dict.fromkeys(range(len(questions)), ratings)
    for sheet in sheets:
        assert len({number for number, _ in sheet}) == len(sheet)  # none is asked the same twice
    assert spread([len(sheet) for sheet in sheets]) <= 1

    methods = len({question.method for question in questions})
    own = [[questions[number] for number, _ in sheet] for sheet in sheets]
    in_class = [Counter((one.image, one.category) for one in sheet) for sheet in own]
    in_image = [Counter(one.image for one in sheet) for sheet in own]
    per_image = len(questions) // len({one.image for one in questions})
    # as rare as it can be: so many ratings of a class, or a photograph, over so many raters
    assert max(max(count.values()) for count in in_class) == -(-methods * ratings // raters)
    assert max(max(count.values()) for count in in_image) == -(-per_image * ratings // raters)

    turned = Counter(number for sheet in sheets for number, flipped in sheet if flipped)
    assert all(turned[number] in (ratings // 2, -(-ratings // 2)) for number in range(len(questions)))
    for sheet in sheets:
        assert sum(flipped for _, flipped in sheet) in (len(sheet) // 2, -(-len(sheet) // 2))


@pytest.mark.parametrize("seed", range(3))
def test_every_rater_sees_every_method_as_often(seed: int) -> None:
    material = discrimination(6)
    sheets = assign(material.questions, raters=36, ratings=9, generator=np.random.default_rng(seed))
    for sheet in sheets:
        counts = Counter(material.questions[number].method for number, _ in sheet)
        assert counts == dict.fromkeys(counts, 3) and len(counts) == 4


def test_the_seed_decides_and_the_order_is_by_chance() -> None:
    questions = discrimination(6).questions

    def dealt(seed: int) -> list[list[tuple[int, bool]]]:
        return assign(questions, raters=48, ratings=6, generator=np.random.default_rng(seed))

    assert dealt(0) == dealt(0) != dealt(1)
    assert any([number for number, _ in sheet] != sorted(number for number, _ in sheet) for sheet in dealt(0))


@pytest.mark.parametrize("seed", range(20))
def test_half_of_the_edges_is_half_at_every_node(seed: int) -> None:
    generator = np.random.default_rng(seed)
    count = int(generator.integers(1, 60))
    left, right = (generator.integers(0, 7, count).tolist() for _ in range(2))
    taken = halved(left, right, generator)
    assert len(taken) == count
    for ends in (left, right):
        for node in set(ends):
            own = [bool(one) for one, end in zip(taken, ends, strict=True) if end == node]
            assert abs(2 * sum(own) - len(own)) <= 1


@pytest.mark.parametrize(
    ("raters", "ratings", "message"),
    [(8, 9, "ratings: expected from 1 to 8"), (3, 0, "got 0"), (500, 1, "raters: expected at most 48")],
)
def test_what_cannot_be_dealt_is_refused(raters: int, ratings: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        assign(
            discrimination(6).questions,
            raters=raters,
            ratings=ratings,
            generator=np.random.default_rng(0),
        )


def test_a_question_twice_is_refused() -> None:
    questions = discrimination(2).questions
    with pytest.raises(ValueError, match="comes twice"):
        assign([*questions, questions[3]], raters=40, ratings=1, generator=np.random.default_rng(0))
