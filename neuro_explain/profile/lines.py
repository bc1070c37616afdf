"""How is a profile said in plain text? A table for each class, or of many classes a line for each.

print("\n".join(profile_lines(profile)))
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from neuro_explain.profile.significance import LEAST, LEVEL
from neuro_explain.text_table import text_table
from reports import words

if TYPE_CHECKING:
    from neuro_explain.profile.result import ClassProfile, Comparison, Profile

IN_FULL = 6  # classes up to which each has a table of its own
RANKED = 20  # differences that are shown of a comparison
UNNAMED = "(unnamed)"


def profile_lines(profile: Profile) -> list[str]:
    """The whole profile."""
    said = "predicted as" if profile.of == "predicted" else "labelled as"
    lines = [
        f"{profile.model}, {profile.layer}: {words.count(profile.images, 'image')}, {profile.errors:,} unreadable; "
        f"{right_of(profile.right, profile.labelled)}",
        f"contribution of each concept to a class, over the images {said} it",
    ]
    if not profile.classes and profile.errors == profile.images:
        lines.append("no image could be read, so there is nothing to show")
    elif not profile.classes:
        lines.append(f"no class has {LEAST} images {said} it; name a class to see it nevertheless (--class)")
    elif profile.asked or len(profile.classes) <= IN_FULL:
        for one in profile.classes:
            lines += ["", *_class_lines(profile, one)]
    else:
        lines += ["", *_summary(profile)]
    if profile.few:
        lines.append(
            f"{profile.few:,} {'class' if profile.few == 1 else 'classes'} with fewer than {LEAST} images left out"
        )
    for comparison in profile.comparisons:
        lines += ["", *_comparison_lines(profile, comparison)]
    lines += [
        "",
        "mean: with its 95 % interval (t); share: of all that is said for or against; see `profile --help`",
    ]
    if profile.comparisons:
        lines.append(
            "difference: Welch's test; q: Benjamini and Hochberg over all tests made; d: in standard deviations. "
            "A difference says what the network used, not why"
        )
    return lines


def right_of(right: int, labelled: int) -> str:
    """How many of the labelled images are right, in words."""
    if not labelled:
        return "no labels"
    return f"{right:,} of {labelled:,} labelled right ({words.percent(right / labelled)})"


def small(value: float) -> str:
    """A probability; those too small to matter only as that."""
    return "–" if math.isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


def interval(low: float, high: float) -> str:
    """Both ends, if there are any."""
    return "–" if math.isnan(low) else f"{words.signed(low)} to {words.signed(high)}"


def concept_name(profile: Profile, place: int) -> str:
    """What the concept at a place is called."""
    concept = profile.concepts[place]
    return UNNAMED if concept is None else concept.name


def _class_lines(profile: Profile, one: ClassProfile) -> list[str]:
    head = f"{one.name}: {words.count(one.images, 'image')}"
    if one.labelled:
        head += f"; of those labelled so, {right_of(one.right, one.labelled)}"
    elif profile.labelled:
        head += "; none labelled so"
    rows: list[tuple[str, ...]] = [("", "concept", "category", "mean", "95 %", "share", "positive")]
    places = {"+": profile.strongest(one, "for"), "−": profile.strongest(one, "against")}
    places[" "] = [place for place, concept in enumerate(profile.concepts) if concept is None]
    for sign, several in places.items():
        for place in several:
            concept = profile.concepts[place]
            rows.append(
                (
                    sign,
                    concept_name(profile, place),
                    "" if concept is None else concept.category,
                    words.signed(float(one.mean[place])),
                    interval(float(one.low[place]), float(one.high[place])),
                    words.percent(float(one.share[place])),
                    words.percent(float(one.positive[place])),
                )
            )
    note = [f"fewer than {LEAST} images: no intervals"] if one.images < LEAST else []
    return [head, *text_table(rows, left=(0, 1, 2)), *note]


def _summary(profile: Profile) -> list[str]:
    rows: list[tuple[str, ...]] = [("class", "images", "right", "speak for it", "against it")]
    for one in profile.classes:
        sides = (
            ", ".join(concept_name(profile, place) for place in profile.strongest(one, side)[:3])
            for side in ("for", "against")
        )
        share = words.percent(one.right / one.labelled) if one.labelled else "–"
        rows.append((one.name, f"{one.images:,}", share, *sides))
    return text_table(rows, left=(0, 3, 4))


def _comparison_lines(profile: Profile, comparison: Comparison) -> list[str]:
    ranked = comparison.ranked()
    lines = [
        f"{comparison.name}: {comparison.first} − {comparison.second}",
        comparison.about,
        *(
            []
            if comparison.tests
            else ["NOTHING COULD BE COMPARED: too few images of any class on both sides"]
        ),
        f"{words.count(comparison.tests, 'test')}, {comparison.findings:,} with q up to {LEVEL:g}",
    ]
    slim = [one for one in comparison.classes if not one.tested]
    if slim:
        named = ", ".join(f"{one.name} ({one.first.images:,} and {one.second.images:,})" for one in slim[:5])
        lines.append(
            f"not tested, for fewer than {LEAST} images on a side: {named}{', …' if len(slim) > 5 else ''}"
        )
    if not ranked:
        return lines
    rows: list[tuple[str, ...]] = [
        (
            "class",
            "concept",
            comparison.first,
            comparison.second,
            "difference",
            "95 %",
            "d",
            "p",
            "q",
            "images",
        )
    ]
    for one, place in ranked[:RANKED]:
        rows.append(
            (
                one.name,
                concept_name(profile, place),
                *(words.signed(float(x[place])) for x in (one.first_mean, one.second_mean, one.difference)),
                interval(float(one.low[place]), float(one.high[place])),
                f"{one.d[place]:+.2f}".replace("-", words.MINUS),
                small(float(one.p[place])),
                small(float(one.q[place])),
                f"{one.first.images:,} / {one.second.images:,}",
            )
        )
    more = [f"{len(ranked) - RANKED:,} more (--json, --out)"] if len(ranked) > RANKED else []
    return [*lines, *text_table(rows, left=(0, 1)), *more]
