"""What did the raters see? Shares of right answers, or mean preferences, by method, with intervals.

report = score(key, read_answers(key, files))
report.lines(); report.to_dict()

For discrimination: the share right, with Wilson's interval, which takes ratings for independent, and with one that
respects that raters and photographs differ (`crossed`); the majority of each question; differences of methods on the
same raters and photographs. For trust: the mean preference for the first network, beside what is true.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

from neuro_explain.evaluate.estimate import Estimate, share_of
from neuro_explain.methods.registry import METHODS
from neuro_explain.study.answers import LARGEST, Answers, Rating
from neuro_explain.study.crossed import Crossed, crossed_difference, crossed_mean
from neuro_explain.study.key import Key
from neuro_explain.study.question import Task
from neuro_explain.text_table import text_table

CHANCE = 0.5
PAPER: dict[Task, dict[str, float]] = {
    "discrimination": {
        "guided-grad-cam": 0.6123,
        "guided-backprop": 0.4444,
        "deconvolution": 0.5333,
        "deconvolution-grad-cam": 0.6037,
    },
    "trust": {"guided-grad-cam": 1.27, "guided-backprop": 1.00},
}
"""Selvaraju et al. 2019, Sec. 5.1 and 5.2: photographs of VOC 2007; for trust VGG-16 against AlexNet."""


@dataclass(frozen=True)
class MethodScore:
    """What raters made of one method.

    Attributes:
        method: its name.
        mean: the share right, or the mean preference for the first network, -2 to 2.
        independent: the share right with Wilson's interval; None for trust.
        majority: the share of questions that most of their raters got right, a tie being none; None for trust.
        ties: of these questions.
        paper: the paper's figure, of other photographs and networks.
    """

    method: str
    mean: Crossed
    independent: Estimate | None = None
    majority: Estimate | None = None
    ties: int = 0
    paper: float | None = None


@dataclass(frozen=True, eq=False)
class StudyReport:
    """The scores of a study.

    Attributes:
        key: of the study.
        answers: what came back.
        scores: of the methods, in the order of the key.
        differences: of each two methods, the first less the second.
    """

    key: Key
    answers: Answers
    scores: tuple[MethodScore, ...]
    differences: tuple[tuple[str, str, Crossed], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "study": self.key.study,
            "task": self.key.task,
            "networks": [asdict(network) for network in self.key.networks],
            "raters": len(self.answers.raters),
            "raters_asked": len(self.key.sheets),
            "ratings": len(self.answers.ratings),
            "ratings_asked": sum(map(len, self.key.sheets.values())),
            "simulated": self.answers.simulated,
            "chance": CHANCE if self.key.task == "discrimination" else None,
            "methods": [asdict(one) for one in self.scores],
            "differences": [
                {"first": first, "second": second, **asdict(one)} for first, second, one in self.differences
            ],
            "notes": self.notes(),
            "notes_of_making": list(self.key.notes),
        }

    def notes(self) -> list[str]:
        """What a reader must know of the scores; what making the study left out was said then, and is in the key."""
        task, said = self.key.task, []
        if self.answers.simulated:
            said.append(f"{self.answers.simulated} of the {len(self.answers.raters)} files are simulated")
        if task == "discrimination":
            said.append("chance: 50 %; a tie of the raters of a question is no majority")
        said.append(
            "95 %: raters and photographs taken as drawn by chance"
            + ("; Wilson: ratings taken as independent, too narrow" if task == "discrimination" else "")
        )
        said.append("paper: Selvaraju et al. 2019, other photographs and networks")
        return said

    def lines(self) -> list[str]:
        """The report for people."""
        asked = sum(map(len, self.key.sheets.values()))
        first = self.key.networks[0]
        networks = " against ".join(network.name for network in self.key.networks)
        lines = [
            f"{self.key.task}: {networks}, on {self.key.source}; {len(self.answers.raters)} of "
            f"{len(self.key.sheets)} raters, {len(self.answers.ratings):,} of {asked:,} ratings"
        ]
        if self.key.task == "trust":
            lines += [
                f"{network.name}: {_percent(network.accuracy)} of {network.images:,} photographs right"
                for network in self.key.networks
            ]
            lines.append(f"above 0: raters trust {first.name} more")
        show = _percent if self.key.task == "discrimination" else _signed
        header = ["method", "share right" if show is _percent else "preference", "95 %", "ratings"]
        extra = ["Wilson", "majority right", "95 %", "ties"] if show is _percent else []
        lines += text_table(
            [[*header, *extra, "paper"], *(_row(one, show) for one in self.scores)], left=(0,)
        )
        if self.differences:
            rows = [
                [f"{_title(a)} − {_title(b)}", _signed_percent(one.value, show), _reach(one, show, sign=True)]
                for a, b, one in self.differences
            ]
            lines += ["", *text_table([["difference", "", "95 %"], *rows], left=(0,))]
        return [*lines, "", *self.notes()]


def score(key: Key, answers: Answers) -> StudyReport:
    """Counts the answers.

    Raises:
        ValueError: not one question is answered.
    """
    if not answers.ratings:
        raise ValueError("the returned files answer no question, so there is nothing to score")
    by_method: dict[str, list[Rating]] = {
        method: [] for method in dict.fromkeys(one.method for one in key.questions)
    }
    for rating in answers.ratings:
        by_method[key.questions[rating.question].method].append(rating)
    scores = tuple(_score(key, method, ratings) for method, ratings in by_method.items())
    differences = tuple(
        (first, second, _difference(key, by_method[first], by_method[second]))
        for first, second in combinations(by_method, 2)
    )
    return StudyReport(key, answers, scores, differences)


def _score(key: Key, method: str, ratings: Sequence[Rating]) -> MethodScore:
    values = [_value(key, rating) for rating in ratings]
    mean = _within(crossed_mean(values, *_groups(key, ratings)), key.task)
    paper = PAPER[key.task].get(method)
    if key.task == "trust":
        return MethodScore(method, mean, paper=paper)
    votes: dict[int, list[float]] = defaultdict(list)
    for rating, value in zip(ratings, values, strict=True):
        votes[rating.question].append(value)
    shares = [sum(own) / len(own) for own in votes.values()]
    return MethodScore(
        method,
        mean,
        share_of([value == 1 for value in values]),
        share_of([share > 0.5 for share in shares]),
        sum(share == 0.5 for share in shares),
        paper,
    )


def _within(mean: Crossed, task: Task) -> Crossed:
    """The interval within the scale; where all answers are right, or none is, Wilson's.

    That is of as many as there are raters or photographs, whichever are fewer. Answers may also balance out within each
    rater and photograph; then there is no interval.
    """
    low, high = mean.low, mean.high
    lowest, highest = (0.0, 1.0) if task == "discrimination" else (-float(LARGEST), float(LARGEST))
    fewer = min(mean.raters, mean.images)
    if low is None and fewer >= 2 and task == "discrimination" and mean.value in (0.0, 1.0):
        wilson = share_of([mean.value == 1] * fewer)
        low, high = wilson.low, wilson.high
    if low is None or high is None:
        return mean
    return replace(mean, low=max(lowest, low), high=min(highest, high))


def _difference(key: Key, first: Sequence[Rating], second: Sequence[Rating]) -> Crossed:
    both = [*first, *second]
    mine = [place < len(first) for place in range(len(both))]
    if not first or not second:
        return Crossed(None, None, None, len(both), 0, 0)
    return crossed_difference([_value(key, rating) for rating in both], mine, *_groups(key, both))


def _value(key: Key, rating: Rating) -> float:
    truth = key.questions[rating.question].truth
    return float(rating.value) if truth is None else float(rating.value == truth)


def _groups(key: Key, ratings: Sequence[Rating]) -> tuple[list[str], list[str]]:
    return [one.rater for one in ratings], [key.questions[one.question].image for one in ratings]


def _title(method: str) -> str:
    return METHODS[method].title if method in METHODS else method


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2f}"


_Show = Callable[[float | None], str]


def _signed_percent(value: float | None, show: _Show) -> str:
    return show(value) if value is None or show is _signed else f"{100 * value:+.1f} %"


def _reach(one: Crossed | Estimate, show: _Show, *, sign: bool = False) -> str:
    if one.low is None or one.high is None:
        return ""
    ends = [_signed_percent(end, show) if sign else show(end) for end in (one.low, one.high)]
    return " to ".join(end.removesuffix(" %") if place == 0 else end for place, end in enumerate(ends))


def _row(one: MethodScore, show: _Show) -> list[str]:
    row = [_title(one.method), show(one.mean.value), _reach(one.mean, show), str(one.mean.ratings)]
    if one.independent is not None and one.majority is not None:
        row += [
            _reach(one.independent, show),
            show(one.majority.value),
            _reach(one.majority, show),
            str(one.ties),
        ]
    return [*row, "" if one.paper is None else show(one.paper)]
