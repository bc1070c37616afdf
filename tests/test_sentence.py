"""What is said in words: only what named units say, in order, with honest numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissection.concepts import Concept
from dissection.names import Names, UnitName
from neuro_explain.ablation import AblationCheck, Spread
from neuro_explain.evidence import rank_units
from neuro_explain.sentence import (
    check_sentence,
    listing,
    number_word,
    ordinal,
    percent,
    target_sentence,
)
from neuro_explain.targets import Target
from reports.words import percent as chart_percent

X = Target.of_class(0, "x")


def say(
    units: Sequence[tuple[str | None, float]],
    *,
    top: int = 5,
    target: Target | None = None,
    probability: float | None = None,
    named_only: bool = False,
) -> str:
    """The sentence for units of the given names and values."""
    names = tuple(
        UnitName(number, None if word is None else Concept(word, "object"))
        for number, (word, _) in enumerate(units)
    )
    ranking = rank_units(
        np.array([value for _, value in units]),
        Names(names, None, None, "a test", (), None, None, {}),
        named_only=named_only,
    )
    return target_sentence(target or Target.of_class(0, "tiger cat"), probability, ranking, top)


def spread_out(*words: str | None) -> list[tuple[str | None, float]]:
    """Units whose values fall from 1; nobody is against."""
    return [(word, 1 - number / 100) for number, word in enumerate(words)]


# The sentence about a target.


def test_both_sides() -> None:
    units = [("cat", 5.0), ("dog", 4.0), ("cat", 3.0), ("cat", 2.0), ("road", -1.0), ("sky", -2.0)]
    want = "tiger cat (42.1 %): cat (3 units) and dog speak for it; sky and road speak against it."
    assert say([*units, *3 * [(None, -0.5)]], probability=0.421, top=4) == want
    few = "speak for it (only four units do); sky and road speak against it (only two units do)."
    assert say(units, probability=0.421) == f"tiger cat (42.1 %): cat (3 units) and dog {few}"


def test_one_unit_speaks() -> None:
    units = [("cat", 1.0), ("sky", -1.0)]
    assert say(units, top=1) == "tiger cat: cat speaks for it; sky speaks against it."
    assert say(units) == (
        "tiger cat: cat speaks for it (only one unit does); sky speaks against it (only one unit does)."
    )


def test_two_units_of_one_name_speak() -> None:
    assert "cat (2 units) speak for it" in say([("cat", 2.0), ("cat", 1.0)])


def test_nobody_on_one_side() -> None:
    assert say([("cat", 2.0), ("fur", 1.0), (None, -1.0)], top=1) == (
        "tiger cat: cat and fur (the 2nd strongest) speak for it; no named unit speaks against it."
    )
    assert say([("cat", 2.0), ("fur", 1.0), (None, -1.0)]) == (
        "tiger cat: cat and fur speak for it (only two units do); no named unit speaks against it (only one unnamed "
        "unit does)."
    )
    assert say([("sky", -2.0), (None, 1.0), (None, 2.0)], top=3) == (
        "tiger cat: no named unit speaks for it (only two unnamed units do); sky speaks against it (only one unit "
        "does)."
    )
    assert say([("sky", -2.0), ("sea", -2.0)], top=2) == (
        "tiger cat: no unit speaks for it; sky and sea speak against it."
    )
    assert say([("sky", -2.0), (None, 1.0)], named_only=True) == (
        "tiger cat: no named unit speaks for it; sky speaks against it (only one named unit does)."
    )


@pytest.mark.parametrize(
    ("units", "top", "text"),
    [
        ([(None, 1.0), (None, -1.0)], 1, "no named unit speaks for or against it"),
        ([("cat", 0.0)], 5, "no unit speaks for or against it"),
        ([("cat", -0.0), (None, 3.0)], 1, "no named unit speaks for it; no unit speaks against it"),
        (
            [("cat", 0.0), (None, 3.0), (None, -3.0), (None, -3.0)],
            2,
            "no named unit speaks for it (only one unnamed unit does); no named unit speaks against it",
        ),
    ],
)
def test_nobody_on_either_side(units: list[tuple[str | None, float]], top: int, text: str) -> None:
    assert say(units, top=top) == f"tiger cat: {text}."


def test_no_named_unit_on_either_side_where_only_those_are_ranked() -> None:
    units = [("cat", 0.0), (None, 3.0)]
    assert say(units, named_only=True) == "tiger cat: no named unit speaks for or against it."


def test_a_unit_of_no_weight_or_of_the_other_sign_is_not_heard() -> None:
    text = say([("cat", 1.0), ("lamp", 0.0), ("sky", -1.0)])
    assert "lamp" not in text and text.count("only one unit does") == 2


def test_three_named_among_the_shown_are_enough() -> None:
    text = say(spread_out("cat", None, "fur", None, "eye", "dog", "car"))
    assert text.startswith("tiger cat: cat, fur and eye speak for it;")


def test_going_on_down_the_ranking_and_saying_so() -> None:
    text = say(spread_out(None, "cat", None, None, None, None, None, None, "fur", "cat", "eye", "dog"))
    assert text.startswith(
        "tiger cat: cat, fur (the 9th strongest) and eye (the 11th strongest) speak for it;"
    )


def test_going_on_against_counts_from_the_other_end() -> None:
    units = [("cat", 3.0), *((None, -1.0 - number) for number in range(6)), ("sky", -0.5)]
    assert say(units).endswith("; sky (the 7th strongest) speaks against it.")


def test_it_does_not_go_on_for_ever() -> None:
    far = spread_out(*[None] * 19, "cat", "dog")
    assert say(far) == "tiger cat: cat (the 20th strongest) speaks for it; no unit speaks against it."
    further = [*spread_out(*[None] * 20, "cat"), (None, -1.0)]
    assert say(further) == (
        "tiger cat: none of the 20 units that speak most for it has a name; no named unit speaks against it (only one "
        "unnamed unit does)."
    )
    neither = [*further[:-1], *((None, -9.0 - number) for number in range(20)), ("sky", -1.0)]
    assert say(neither) == (
        "tiger cat: none of the 20 units that speak most for it has a name, and none of the 20 that speak most "
        "against it."
    )
    against = [("cat", 30.0), *((None, -3.0 - number) for number in range(8)), ("sky", -1.0), ("fog", -2.0)]
    assert say(against, top=2) == (
        "tiger cat: cat speaks for it (only one unit does); none of the 8 units that speak most against it has a name."
    )


def test_five_units_of_one_name_are_no_reason_to_go_on() -> None:
    text = say(spread_out("bear", "bear", "bear", "bear", "bear", "frisbee"))
    assert text.startswith("tiger cat: bear (5 units) speak for it;")


def test_two_units_of_one_name_are_a_reason_to_go_on() -> None:
    text = say(spread_out("bear", None, "bear", None, None, "bear", "net", None, "tv", "car"))
    assert text.startswith(
        "tiger cat: bear (2 units), net (the 7th strongest) and tv (the 9th strongest) speak for it;"
    )


def test_fewer_shown_than_wanted() -> None:
    text = say(spread_out("cat", "fur", "eye", "dog"), top=1)
    assert "cat, fur (the 2nd strongest) and eye (the 3rd strongest) speak for it" in text


def test_named_only_counts_named_units() -> None:
    units = spread_out(None, "cat", None, "fur", None, None, "eye", "dog")
    text = say(units, named_only=True)
    assert text.startswith("tiger cat: cat, fur, eye and dog speak for it (only four named units do);")
    assert say(units, named_only=True, top=4).startswith("tiger cat: cat, fur, eye and dog speak for it;")


def test_contrast_and_counterfactual() -> None:
    contrast = Target.contrast(0, 1, "cat rather than dog")
    assert say([("whiskers", 1.0), ("tail", -1.0)], target=contrast, top=1) == (
        "cat rather than dog: whiskers speaks for it; tail speaks against it."
    )


def test_names_are_printed_as_they_are() -> None:
    assert say([("<b>&{x}</b>", 1.0), ("قطة", -1.0)], top=1) == (
        "tiger cat: <b>&{x}</b> speaks for it; قطة speaks against it."
    )


@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, None, "a", "b", "c", "d"]), st.sampled_from([-2.0, -1.0, 0.0, 1.0, 3.0])
        ),
        min_size=1,
        max_size=25,
    ),
    st.integers(1, 6),
)
def test_who_is_heard(units: list[tuple[str | None, float]], top: int) -> None:
    """Restated: in each direction all named units that are shown, then further names up to three, not for ever."""
    text = say(units, top=top)
    for side, sign in (("for", 1), ("against", -1)):
        order = sorted(range(len(units)), key=lambda unit: (-sign * units[unit][1], unit))
        pulling = [unit for unit in order if sign * units[unit][1] > 0]
        shown = [units[unit][0] for unit in pulling[:top] if units[unit][0] is not None]
        heard = list(dict.fromkeys(shown))
        if len(shown) < 3:
            for unit in pulling[top : 4 * top]:
                word = units[unit][0]
                if word is not None and word not in heard and len(heard) < 3:
                    heard.append(word)
        said_of_both = {"no named unit speaks for or against it", "no unit speaks for or against it"}
        clauses = text.removesuffix(".").split(": ")[1].split("; ")
        (clause,) = [part for part in clauses if f" {side} " in part]
        words = clause.split(" speak")[0].replace(" and ", ", ")
        nobody = "no named unit" in clause or "none of" in clause or "no unit" in clause
        said = [] if nobody else [word.split(" (")[0] for word in words.split(", ")]
        assert said == heard
        if not heard:
            further = any(units[unit][0] is not None for unit in pulling[4 * top :])
            assert (f"none of the {4 * top} " in clause) == further
        if clause not in said_of_both:
            assert ("no unit speaks" in clause) == (not pulling)
            assert ("only" in clause) == (0 < len(pulling) < top)
            if 0 < len(pulling) < top:
                unnamed = "" if heard else "unnamed "
                units_do = "unit does" if len(pulling) == 1 else "units do"
                assert clause.endswith(f" (only {number_word(len(pulling))} {unnamed}{units_do})")
        else:
            assert ("no unit" in clause) == all(value == 0 for _, value in units)


# Words and numbers.


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0.421, "42.1 %"),
        (0.5, "50.0 %"),
        (0.0, "under 0.0001 %"),
        (1e-9, "under 0.0001 %"),
        (1e-6, "0.0001 %"),
        (0.00004, "0.004 %"),
        (0.0004, "0.04 %"),
        (0.0006, "0.1 %"),
        (0.9994, "99.9 %"),
        (0.99951, "99.95 %"),
        (0.99997, "99.997 %"),
        (0.999999, "99.9999 %"),
        (0.9999999, "over 99.9999 %"),
        (1.0, "over 99.9999 %"),
    ],
)
def test_percent(probability: float, text: str) -> None:
    assert percent(probability) == text


@given(st.floats(0, 1))
def test_percent_never_says_nothing_or_all(probability: float) -> None:
    text = percent(probability)
    number = float(text.removesuffix(" %").split()[-1])
    assert 0 < number < 100
    if text[0].isdigit():
        assert number == pytest.approx(100 * probability, rel=0.5, abs=0.05)


def test_ordinals_and_number_words() -> None:
    numbers = [1, 2, 3, 4, 10, 11, 12, 13, 14, 21, 22, 23, 24, 101, 111, 112, 113, 121, 1002]
    assert [ordinal(n)[-2:] for n in numbers] == (
        [
            "st",
            "nd",
            "rd",
            "th",
            "th",
            "th",
            "th",
            "th",
            "th",
            "st",
            "nd",
            "rd",
            "th",
            "st",
            "th",
            "th",
            "th",
            "st",
            "nd",
        ]
    )
    assert ordinal(21) == "21st"
    assert [number_word(n) for n in (0, 1, 5, 10, 11, 1280)] == ["no", "one", "five", "ten", "11", "1280"]
    assert [listing(words) for words in (["a"], ["a", "b"], ["a", "b", "c"])] == [
        "a",
        "a and b",
        "a, b and c",
    ]


# The sentence about the ablation check.


def check(**changes: Any) -> AblationCheck:
    values: dict[str, Any] = {
        "units": (3, 1, 4, 8, 5),
        "silent": (),
        "score": 7.5,
        "score_without": 2.25,
        "probability": 0.83,
        "probability_without": 0.21,
        "draws": 100,
        "drawn_units": 5,
        "firing": 400,
        "random_score": Spread(7.25, 6.5, 7.75),
        "random_probability": Spread(0.82, 0.79, 0.85),
        "seed": 0,
        "text": "",
    }
    return AblationCheck(**{**values, **changes})


CONTRAST = {"probability": None, "probability_without": None, "random_probability": None}
NONE_FIRES = {"firing": 0, "drawn_units": 0, "draws": 0, "random_score": None, "random_probability": None}


AVERAGE = "it is 0.82 on average (0.79 to 0.85 in 90 % of the draws)"
RANDOM = f"without five other random units that fire here {AVERAGE}"
FALLS = "p(bookstore) falls from 0.83 to 0.21"
NOTHING = "there is nothing to compare with, as no other unit fires on this image"
SCORES = (
    "without five other random units that fire here it is 7.25 on average (6.50 to 7.75 in 90 % of the draws)"
)
FLAT = Spread(0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, f"Without the five strongest units {FALLS}; {RANDOM}."),
        (
            {"probability_without": 0.9},
            f"Without the five strongest units p(bookstore) rises from 0.83 to 0.90; {RANDOM}.",
        ),
        (
            {"probability_without": 0.8312, "score_without": 7.4},
            f"Without the five strongest units p(bookstore) stays at 0.83; {RANDOM}, so these units matter no more "
            "here than random ones.",
        ),
        (
            {"units": (3,), "drawn_units": 1, "probability_without": 0.81, "score_without": 7.0},
            "Without the strongest unit p(bookstore) falls from 0.83 to 0.81; without one other random unit that fires "
            f"here {AVERAGE}, so this unit matters no more here than a random one.",
        ),
        (
            CONTRAST,
            f"Without the five strongest units the score of “bookstore” falls from 7.50 to 2.25; {SCORES}.",
        ),
        (
            {**CONTRAST, "score": -0.5, "score_without": -1.25},
            f"Without the five strongest units the score of “bookstore” falls from −0.50 to −1.25; {SCORES}.",
        ),
        (
            {"units": (3,), "drawn_units": 1},
            f"Without the strongest unit {FALLS}; without one other random unit that fires here {AVERAGE}.",
        ),
        (
            {"firing": 5, "random_probability": FLAT},
            f"Without the five strongest units {FALLS}; without the five other units that fire here it is 0.50 on "
            "average.",
        ),
        (
            {"units": (3,), "firing": 1, "drawn_units": 1, "random_probability": FLAT},
            f"Without the strongest unit {FALLS}; without the only other unit that fires here it is 0.50 on average.",
        ),
        (
            {**NONE_FIRES, "firing": 4},
            f"Without the five strongest units {FALLS}; only four other units fire on this image, too few for a fair "
            "comparison.",
        ),
        (
            {**NONE_FIRES, "firing": 1, "silent": (3,)},
            f"Without the five strongest units {FALLS}; only one other unit fires on this image, too few for a fair "
            "comparison. One of these five units is silent on this image, so zeroing it changes nothing.",
        ),
        (
            {"silent": (3,)},
            f"Without the five strongest units {FALLS}; {RANDOM}. One of these five units is silent on this image, "
            "so zeroing it changes nothing.",
        ),
        (
            {"silent": (3, 8)},
            f"Without the five strongest units {FALLS}; {RANDOM}. Two of these five units are silent on this image, "
            "so zeroing them changes nothing.",
        ),
        (
            {**NONE_FIRES, "silent": (3, 1, 4, 8, 5), "probability_without": 0.83},
            f"Without the five strongest units p(bookstore) stays at 0.83; {NOTHING}. All of these five units are "
            "silent on this image, so zeroing them changes nothing.",
        ),
        (
            {**NONE_FIRES, "units": (3,), "silent": (3,), "probability_without": 0.83},
            f"Without the strongest unit p(bookstore) stays at 0.83; {NOTHING}. This unit is silent on this image, so "
            "zeroing it changes nothing.",
        ),
    ],
)
def test_the_check_in_words(changes: dict[str, Any], text: str) -> None:
    assert check_sentence(check(**changes), Target.of_class(0, "bookstore")) == text


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (0.83, 0.001, "falls from 0.830 to 0.001"),
        (0.9996, 0.5, "falls from 0.9996 to 0.5000"),
        (0.99999999, 1e-9, "falls from above 0.9999 to below 0.0001"),
        (1.0, 0.0, "falls from 1.00 to 0.00"),
        (0.004, 0.0042, "stays at 0.004"),
        (1e-6, 1e-7, "stays below 0.0001"),
        (1 - 1e-6, 1 - 1e-7, "stays above 0.9999"),
        (0.5, 0.5, "stays at 0.50"),
    ],
)
def test_small_and_large_probabilities(before: float, after: float, words: str) -> None:
    text = check_sentence(check(probability=before, probability_without=after, random_probability=FLAT), X)
    assert f"p(x) {words};" in text


def test_a_captions_score_is_called_what_it_is_and_quoted_once() -> None:
    near = {**CONTRAST, "random_score": Spread(-0.5, -0.5, -0.5)}
    caption = Target("“a red lamp”", lambda output: output.sum(1), "caption")
    text = check_sentence(check(**near, score=-3.0, score_without=-5.0), caption)
    assert "the log-probability of “a red lamp” falls from −3.00 to −5.00;" in text


def test_small_scores() -> None:
    near = {**CONTRAST, "random_score": Spread(-0.5, -0.5, -0.5)}
    assert "falls from 0.004 to −0.250;" in check_sentence(check(**near, score=0.004, score_without=-0.25), X)
    assert "stays at 0.0000;" in check_sentence(check(**near, score=1e-9, score_without=-1e-9), X)
    assert "from −3.00 to 0.00;" in check_sentence(check(**near, score=-3.0, score_without=-0.0), X)


def shown_within(text: str) -> bool:
    """Whether the sentence shows what is left among the draws, by its own numbers."""
    number = r"(below 0\.0001|above 0\.9999|\d\.\d+)"
    first, drawn = text.split("; without ")[:2]
    values = [{"below 0.0001": 0, "above 0.9999": 1}.get(one, one) for one in re.findall(number, first)]
    mean, *ends = [{"below 0.0001": 0, "above 0.9999": 1}.get(one, one) for one in re.findall(number, drawn)]
    low, high = ends or (mean, mean)
    return float(low) <= float(values[-1]) <= float(high)


def test_scores_stand_there_where_probabilities_would_show_another_verdict() -> None:
    """In both directions, and nowhere else."""
    seems_little = check(
        score=11.4,
        score_without=2.25,
        probability=0.9953,
        probability_without=0.0006,
        random_probability=Spread(0.9261, 0.0003, 0.9983),
    )
    assert check_sentence(seems_little, X) == (
        "Without the five strongest units p(x) falls from 0.9953 to 0.0006; without five other random units that fire "
        "here it is 0.9261 on average (0.0003 to 0.9983 in 90 % of the draws); its score falls from 11.40 to 2.25, "
        "without random ones it is 7.25 (6.50 to 7.75)."
    )
    seems_much = check(score_without=6.75, probability_without=0.7)
    assert check_sentence(seems_much, X) == (
        f"Without the five strongest units p(x) falls from 0.83 to 0.70; {RANDOM}; its score falls from 7.50 to 6.75, "
        "without random ones it is 7.25 (6.50 to 7.75), so these units matter no more here than random ones."
    )
    for agrees in (check(), check(score_without=6.75, probability_without=0.8), check(**CONTRAST)):
        assert "; its" not in check_sentence(agrees, X)


def test_scores_beside_probabilities_have_the_decimals_that_show_the_verdict() -> None:
    rounded = {"score_without": 6.4996, "probability_without": 0.8, "random_score": Spread(7, 6.5, 8)}
    assert "from 7.500 to 6.4996" not in (text := check_sentence(check(**rounded), X))
    assert "falls from 7.5000 to 6.4996, without random ones it is 7.0000 (6.5000 to 8.0000)." in text
    word = Target("“map”", lambda output: output[:, 0], "word", 0)
    below = {"score": -1.0, "score_without": -1.7, "random_score": Spread(-1.1, -1.2, -1.0)}
    text = check_sentence(check(**below, probability_without=0.8), word)
    assert (
        "; its log-probability falls from −1.00 to −1.70, without random ones it is −1.10 (−1.20 to" in text
    )


@given(st.floats(0, 1), st.floats(0, 1))
def test_small_and_large_shares_are_called_so_where_the_chart_does(before: float, after: float) -> None:
    drawn = Spread(0.5, 0.5, 0.5)
    text = check_sentence(
        check(probability=before, probability_without=after, random_probability=drawn), X
    ).split("; without")[0]
    for word, called in (("below", "less than"), ("above", "more than")):
        on_the_page = [chart_percent(value).startswith(called) for value in (before, after)]
        if "stays" not in text:
            assert text.count(word) == sum(on_the_page)
        assert (word in text) <= any(on_the_page)


@given(st.floats(0, 1), st.floats(0, 1), st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)))
def test_words_agree_with_numbers(before: float, after: float, three: tuple[float, float, float]) -> None:
    low, mean, high = sorted(three)
    drawn = Spread(mean, low, high)
    probabilities = {"probability": before, "probability_without": after, "random_probability": drawn}
    scores = {"score": before, "score_without": after, "random_score": drawn}
    text = check_sentence(check(**probabilities, **scores), X)
    share_text = text.split("; its score")[0]
    assert ("; its score" in text) == (shown_within(share_text) != (low <= after <= high))
    if "falls from" in text:
        assert after < before
    elif "rises from" in text:
        assert after > before
    else:
        assert abs(after - before) <= 0.01
    assert ("no more here than" in text) == (low <= after <= high)
    assert text.endswith(".")
    assert ".." not in text
