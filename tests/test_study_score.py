"""Scores and their intervals: against slow restatements, and over simulated raters whose accuracy is known."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t
from study_toys import METHODS, discrimination, trust

from neuro_explain.evaluate.estimate import share_of
from neuro_explain.study.answers import Answers, Rating, read_answers, unflipped
from neuro_explain.study.crossed import crossed_difference, crossed_mean
from neuro_explain.study.folder import make_study
from neuro_explain.study.key import Key
from neuro_explain.study.score import score
from neuro_explain.study.simulation import simulate, write_simulated


def answered(key: Key, accuracy: float, raters: int, seed: int) -> Answers:
    """What `read_answers` makes of simulated files; without the files, for there are thousands."""
    files = simulate(key, accuracy=accuracy, raters=raters, seed=seed)
    ratings = [
        Rating(rater, placed.question, unflipped(key, placed, answer["answer"]))
        for rater, facts in files.items()
        for placed, answer in zip(key.sheets[rater], facts["answers"], strict=True)
    ]
    return Answers(tuple(ratings), tuple(files), len(files))


def test_simulated_files_are_read_as_they_were_meant(tmp_path: Path) -> None:
    for material in (discrimination(3), trust(3)):
        key = make_study(material, ratings=3).key
        files = write_simulated(simulate(key, accuracy=0.7, raters=5, seed=1), tmp_path / key.task)
        read, meant = read_answers(key, files), answered(key, 0.7, 5, 1)
        assert (read.ratings, read.raters, read.simulated) == (meant.ratings, meant.raters, 5)
        (tmp_path / key.task / "README.txt").write_text("how these came")
        together = read_answers(key, [tmp_path / key.task])
        assert (together.ratings, together.raters) == (read.ratings, read.raters)
        assert len(read.ratings) == sum(len(key.sheets[rater]) for rater in read.raters)


def test_a_folder_without_answers_is_refused(tmp_path: Path) -> None:
    key = make_study(trust(3), ratings=3).key
    with pytest.raises(FileNotFoundError, match=r"there is no \.json file in this folder"):
        read_answers(key, [tmp_path])


def test_the_interval_is_the_formula() -> None:
    generator = np.random.default_rng(0)
    values = generator.integers(-2, 3, 60).astype(float)
    raters, images = generator.integers(0, 6, 60).tolist(), generator.integers(0, 5, 60).tolist()
    found = crossed_mean(values.tolist(), raters, images)
    mean = sum(values) / 60

    def between(groups: list[object]) -> float:
        names = sorted(set(groups), key=str)
        total = 0.0
        for name in names:
            own = sum(value - mean for value, group in zip(values, groups, strict=True) if group == name)
            total += (own / 60) ** 2
        return total * len(names) / (len(names) - 1)

    pairs = list(zip(raters, images, strict=True))
    variance = max(between(raters) + between(images) - between(pairs), between(pairs))
    away = t.ppf(0.975, 4) * variance**0.5
    assert found.value == pytest.approx(mean)
    assert (found.low, found.high) == (pytest.approx(mean - away), pytest.approx(mean + away))
    assert (found.ratings, found.raters, found.images) == (60, 6, 5)


def test_a_difference_on_the_same_raters_and_photographs_is_paired() -> None:
    # raters differ wildly, and the two methods by exactly as much with each
    cells = list(product(range(8), range(6), (True, False)))
    values = [rater + image + (0.5 if first else 0.0) for rater, image, first in cells]
    raters, images, mine = ([cell[place] for cell in cells] for place in range(3))
    found = crossed_difference(values, mine, raters, images)
    assert found.value == pytest.approx(0.5)
    assert found.low is None or found.high - found.low < 1e-6  # type: ignore[operator]
    alone = crossed_mean(
        [value for value, first in zip(values, mine, strict=True) if first], raters[::2], images[::2]
    )
    assert alone.low is not None and alone.high is not None and alone.high - alone.low > 1


def test_too_few_cannot_tell() -> None:
    assert crossed_mean([], [], []).value is None
    one = crossed_mean([1.0, 0.0], ["a", "a"], [1, 2])
    assert (one.value, one.low, one.high) == (0.5, None, None)
    assert crossed_difference([1.0], [True], ["a"], [1]).value is None


def test_intervals_cover_a_known_accuracy() -> None:
    key = make_study(discrimination(16), ratings=5, raters=20, seed=0).key
    covered: list[bool] = []
    wilson: list[bool] = []
    differences: list[bool] = []
    for seed in range(200):
        report = score(key, answered(key, 0.7, 20, seed))
        for one in report.scores:
            assert one.mean.low is not None and one.mean.high is not None and one.independent is not None
            assert one.independent.low is not None and one.independent.high is not None
            covered.append(one.mean.low <= 0.7 <= one.mean.high)
            wilson.append(one.independent.low <= 0.7 <= one.independent.high)
        for _, _, found in report.differences:
            assert found.low is not None and found.high is not None
            differences.append(found.low <= 0 <= found.high)
    # 800 draws, of which 95 % is 760; three standard errors are 18, and raters are few
    assert 0.925 <= np.mean(covered) <= 0.985
    assert 0.925 <= np.mean(wilson) <= 0.975  # these raters are independent
    assert 0.925 <= np.mean(differences) <= 0.985


def test_intervals_cover_a_known_preference() -> None:
    key = make_study(trust(16), ratings=9, raters=18, seed=0).key
    covered = []
    for seed in range(200):
        for one in score(key, answered(key, 0.8, 18, seed)).scores:
            assert one.mean.low is not None and one.mean.high is not None
            covered.append(one.mean.low <= 1.5 * (2 * 0.8 - 1) <= one.mean.high)
    assert 0.92 <= np.mean(covered) <= 0.99


def test_intervals_respect_that_raters_and_photographs_differ() -> None:
    people, photographs = 20, 20
    raters, images = np.divmod(np.arange(people * photographs), photographs)
    crossed, wilson = [], []
    for seed in range(200):
        generator = np.random.default_rng(seed)
        chance = (
            0.6
            + generator.uniform(-0.2, 0.2, people)[raters]
            + generator.uniform(-0.2, 0.2, photographs)[images]
        )
        hits = generator.random(len(raters)) < chance
        found, plain = (
            crossed_mean(hits.astype(float).tolist(), raters.tolist(), images.tolist()),
            share_of(hits.tolist()),
        )
        assert found.low is not None and found.high is not None
        assert plain.low is not None and plain.high is not None
        crossed.append(found.low <= 0.6 <= found.high)
        wilson.append(plain.low <= 0.6 <= plain.high)
    assert 0.91 <= np.mean(crossed) <= 0.985
    assert np.mean(wilson) < 0.88  # what is taken for independent, and is not, promises too much


def test_shares_majorities_and_ties_are_counted() -> None:
    key = make_study(discrimination(2, METHODS[:1]), ratings=4, raters=8, seed=0).key
    wanted = {
        0: (1, 1, 1, 0),
        1: (1, 1, 0, 0),
        2: (0, 0, 0, 1),
    }  # right or wrong; the last question is not answered
    ratings = []
    for number, hits in wanted.items():
        own = [rater for rater, sheet in key.sheets.items() for one in sheet if one.question == number]
        truth = key.questions[number].truth
        assert truth is not None and len(own) == 4
        ratings += [
            Rating(rater, number, truth if hit else 1 - truth) for rater, hit in zip(own, hits, strict=True)
        ]
    (one,) = score(key, Answers(tuple(ratings), tuple(key.sheets))).scores
    assert one.mean.value == 6 / 12 and one.independent == share_of([True, False] * 6)
    assert one.majority == share_of([True, False, False]) and one.ties == 1
    assert one.paper == 0.4444


def test_all_right_is_no_certainty() -> None:
    key = make_study(discrimination(6), ratings=3, seed=0).key
    for one in score(key, answered(key, 1.0, len(key.sheets), 0)).scores:
        assert one.mean.value == 1 and one.mean.high == 1
        assert one.mean.low == share_of([True] * 6).low


def test_partial_returns_are_counted(tmp_path: Path) -> None:
    key = make_study(discrimination(6), ratings=3, seed=0).key
    files = simulate(key, accuracy=0.7, raters=3, seed=1)
    del files["rater-02"]["answers"][2:]
    files["rater-03"]["simulated"] = False
    report = score(key, read_answers(key, write_simulated(files, tmp_path / "back")))
    assert report.lines()[0].endswith("3 of 24 raters, 14 of 144 ratings")
    told = json.loads(json.dumps(report.to_dict()))
    assert (told["ratings"], told["ratings_asked"], told["raters"], told["simulated"]) == (14, 144, 3, 2)
    assert "2 of the 3 files are simulated" in report.notes()
    assert "a note" not in report.lines() and report.to_dict()["notes_of_making"] == ["a note"]
    assert sum(one["mean"]["ratings"] for one in told["methods"]) == 14
    files["rater-01"]["answers"] = []
    with pytest.raises(ValueError, match="answer no question"):
        score(key, read_answers(key, write_simulated({"rater-01": files["rater-01"]}, tmp_path / "none")))


def test_trust_is_signed_for_the_first_network() -> None:
    key = make_study(trust(6), ratings=4, seed=0).key
    for accuracy, sign in ((1.0, 1), (0.0, -1)):
        report = score(key, answered(key, accuracy, len(key.sheets), int(accuracy)))
        for one in report.scores:
            assert one.mean.value is not None and 1 <= sign * one.mean.value <= 2
        lines = "\n".join(report.lines())
        assert "zebranet: 80.0 % of 50 photographs right" in lines
        assert "quaggaloo: 60.0 % of 50 photographs right" in lines
        assert "above 0: raters trust zebranet more" in lines and "+1.27" in lines


@pytest.mark.parametrize(
    ("accuracy", "raters", "message"), [(1.1, 3, "accuracy"), (0.5, 99, "raters: expected")]
)
def test_raters_that_cannot_be_simulated(accuracy: float, raters: int, message: str) -> None:
    key = make_study(discrimination(3), ratings=2).key
    with pytest.raises(ValueError, match=message):
        simulate(key, accuracy=accuracy, raters=raters)


def test_an_interval_that_cannot_be_told_is_not_that_of_none_right() -> None:
    # each rater takes both pictures of a photograph for the same class: one is right and one is wrong, always
    key = make_study(discrimination(9, METHODS[:1]), ratings=9, raters=9, seed=0).key
    ratings = [
        Rating(rater, placed.question, placed.question // 2 % 2)
        for rater in key.sheets
        for placed in key.sheets[rater]
    ]
    (one,) = score(key, Answers(tuple(ratings), tuple(key.sheets))).scores
    assert (one.mean.value, one.mean.low, one.mean.high) == (0.5, None, None)
    assert one.independent is not None and one.independent.value == 0.5
