"""What the profile page says: what speaks for and against each class, and where two groups of images differ.

A class shows its strongest concepts and the differences in which it stands out; all numbers lie in `profile.json`.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from reports import draw, words
from reports.contract import PROFILE_DIFFERENCES, PROFILE_MEANS, Row
from reports.read import Artifact

OPEN = 6  # classes up to which all are open at first
FEW, RANKED, MORE = (
    10,
    25,
    200,
)  # differences that a comparison shows at first: findings, but so many; and in all
OF_CLASS = 5  # differences that a class shows
GROUPS = 30  # classes up to which the sizes of both groups are listed
UNNAMED = "(unnamed)"


def profile_view(artifact: Artifact) -> Row:
    """The template's variables for a profile."""
    facts = artifact.facts
    classes = [_class(facts, one) for one in facts["classes"]]
    comparisons = [
        _comparison(facts, one, number) for number, one in enumerate(facts["comparisons"], start=1)
    ]
    for comparison, source in zip(comparisons, facts["comparisons"], strict=True):
        of_class: dict[int, list[tuple[int, int]]] = {}
        for row, place in source["ranked"]:
            of_class.setdefault(source["classes"][row]["number"], []).append((row, place))
        for one in classes:
            pairs = of_class.get(one["number"], [])[:OF_CLASS]
            if pairs:
                one["differences"].append({**comparison, "rows": _ranked(facts, source, pairs)})
    named = sum(concept["units"] for concept in facts["concepts"] if concept["name"] is not None)
    return {
        "title": f"What speaks for each class of {artifact.manifest['model']}",
        "manifest": artifact.manifest,
        "facts": facts,
        "said": "predicted as" if facts["of"] == "predicted" else "labelled as",
        "accuracy": _accuracy(facts),
        "named": f"{named:,}",
        "units": f"{sum(concept['units'] for concept in facts['concepts']):,}",
        "names": sum(concept["name"] is not None for concept in facts["concepts"]),
        "classes": classes,
        "open": len(classes) <= OPEN,
        "comparisons": comparisons,
    }


def profile_twin(artifact: Artifact) -> Row:
    """The facts that the page shows, for machines: of each class the places of concepts shown, and their numbers."""
    facts = artifact.facts
    classes = [_cut(one, _shown(facts, one), PROFILE_MEANS) for one in facts["classes"]]
    comparisons = []
    for comparison in facts["comparisons"]:
        kept: dict[int, list[int]] = {}
        for row, place in _kept(comparison):
            kept.setdefault(row, []).append(place)
        rows = [
            _cut(one, kept.get(i, []), PROFILE_DIFFERENCES) for i, one in enumerate(comparison["classes"])
        ]
        comparisons.append({**comparison, "classes": rows, "ranked": comparison["ranked"][:MORE]})
    return {
        "manifest": artifact.manifest,
        "profile": {**facts, "classes": classes, "comparisons": comparisons},
    }


def _kept(comparison: Row) -> list[tuple[int, int]]:
    """Which differences the page shows: the first of all, and the first of each class."""
    count: dict[int, int] = {}
    kept = []
    for rank, (row, place) in enumerate(comparison["ranked"]):
        count[row] = count.get(row, 0) + 1
        if rank < MORE or count[row] <= OF_CLASS:
            kept.append((row, place))
    return kept


def _cut(one: Row, places: Sequence[int], columns: Sequence[str]) -> Row:
    return {
        **one,
        "concepts": list(places),
        **{name: [one[name][place] for place in places] for name in columns},
    }


def _shown(facts: Row, one: Row) -> list[int]:
    """Places of the concepts that a class shows; the units without a name come last."""
    unnamed = [place for place, concept in enumerate(facts["concepts"]) if concept["name"] is None]
    return [*one["for"], *one["against"], *unnamed]


def _class(facts: Row, one: Row) -> Row:
    shown = _shown(facts, one)
    ends = [one[name][place] for place in shown for name in ("mean", "low", "high")]
    longest = max((abs(end) for end in ends if end is not None), default=0.0)
    rest = shown[len(one["for"]) + len(one["against"]) :]
    sides = (("for", one["for"]), ("against", one["against"]), ("without a name", rest))
    return {
        "number": one["number"],
        "name": one["name"],
        "images": one["images"],
        "right": one["right"] / one["labelled"] if one["labelled"] else -1,
        "accuracy": _accuracy(one),
        "best": {
            side: [facts["concepts"][place]["name"] for place in one[side][:3]] for side in ("for", "against")
        },
        "few": one["images"] < facts["least"],
        "sides": [
            {"side": side, "rows": [_mean(facts, one, place, longest) for place in places]}
            for side, places in sides
            if places
        ],
        "differences": [],
    }


def _mean(facts: Row, one: Row, place: int, longest: float) -> Row:
    concept = facts["concepts"][place]
    mean, low, high = (one[name][place] for name in ("mean", "low", "high"))
    return {
        "concept": concept["name"] or UNNAMED,
        "kind": concept["category"] or "",
        "units": words.count(concept["units"], "unit"),
        "bar": _bar(mean, low, high, longest),
        "mean": words.signed(mean),
        "interval": _interval(low, high),
        "share": words.percent(one["share"][place]),
        "positive": words.percent(one["positive"][place]),
    }


def _comparison(facts: Row, comparison: Row, number: int) -> Row:
    rows = _ranked(facts, comparison, comparison["ranked"][:MORE])
    slim = [one for one in comparison["classes"] if not one["tested"]]
    groups = [
        {
            "name": one["name"],
            "number": one["number"],
            "sides": [
                {"images": f"{one[side]['images']:,}", "right": _share_right(one[side])}
                for side in ("first", "second")
            ],
        }
        for one in comparison["classes"]
    ]
    first = min(RANKED, max(FEW, comparison["findings"]))
    return {
        "number": number,
        "sides_differ_in_right": facts["compare"] != "right" and bool(facts["labelled"]),
        "name": comparison["name"],
        "first": comparison["first"],
        "second": comparison["second"],
        "about": comparison["about"],
        "tests": words.count(comparison["tests"], "test"),
        "findings": comparison["findings"],
        "slim": [{**one, "images": [one[side]["images"] for side in ("first", "second")]} for one in slim],
        "groups": groups if len(groups) <= GROUPS else [],
        "rows": rows[:first],
        "more": rows[first:],
        "left": max(0, len(comparison["ranked"]) - len(rows)),
    }


def _ranked(facts: Row, comparison: Row, pairs: Sequence[Sequence[int]]) -> list[Row]:
    """Rows of a table of differences, on one axis."""
    several = [(comparison["classes"][row], place) for row, place in pairs]
    reach = max((max(abs(one["low"][place]), abs(one["high"][place])) for one, place in several), default=1.0)
    return [
        {
            "class": one["name"],
            "number": one["number"],
            "concept": facts["concepts"][place]["name"] or UNNAMED,
            "first": words.signed(one["first_mean"][place]),
            "second": words.signed(one["second_mean"][place]),
            "difference": words.signed(one["difference"][place]),
            "interval": _interval(one["low"][place], one["high"][place]),
            "bar": draw.interval_bar(
                one["difference"][place], one["low"][place], one["high"][place], -reach, reach
            ),
            "d": f"{one['d'][place]:+.2f}".replace("-", words.MINUS),
            "q": _small(one["q"][place]),
            "found": one["q"][place] <= facts["level"],
            "images": f"{one['first']['images']:,} and {one['second']['images']:,}",
        }
        for one, place in several
    ]


def _accuracy(row: Row) -> Row | None:
    """How many of the labelled images are right; None if none has a label."""
    if not row["labelled"]:
        return None
    return {
        "share": words.percent(row["right"] / row["labelled"]),
        "right": f"{row['right']:,}",
        "labelled": f"{row['labelled']:,}",
    }


def _share_right(side: Row) -> str:
    return words.percent(side["right"] / side["labelled"]) if side["labelled"] else "–"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{words.signed(low)} to {words.signed(high)}"


def _small(q: float) -> str:
    return "< 0.001" if q < 0.001 else f"{q:.3f}"


def _bar(mean: float, low: float | None, high: float | None, longest: float) -> Markup:
    """From zero in the middle to the mean, + to the right, − hatched to the left, and a line over the interval."""

    def at(value: float) -> float:
        return 50 + 50 * max(-1.0, min(1.0, value / longest)) if longest > 0 else 50.0

    start, end = sorted((50.0, at(mean)))
    parts = Markup('<rect class="{}" x="{:.4g}%" width="{:.4g}%" y="20%" height="60%"/>').format(
        "minus" if mean < 0 else "plus", start, end - start
    )
    if low is not None and high is not None:
        parts += Markup('<line class="whisker" x1="{:.4g}%" x2="{:.4g}%" y1="50%" y2="50%"/>').format(
            at(low), at(high)
        )
    axis = Markup('<line class="axis" x1="50%" x2="50%" y1="0" y2="100%"/>')
    return Markup('<svg class="spoken-bar" aria-hidden="true">{}{}</svg>').format(axis, parts)
