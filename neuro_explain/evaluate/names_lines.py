"""What does a report on names say, for people? A table, the counts behind it, a sentence for each kind of number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dissection.presets import OURS
from neuro_explain.evaluate.estimate import Estimate
from neuro_explain.evaluate.logits import PUBLISHED, TOP
from neuro_explain.evaluate.stability import FEWEST
from neuro_explain.text_table import text_table

if TYPE_CHECKING:
    from neuro_explain.evaluate.names import NamesReport

_HEADER = ("measure", "units", "value", "95 %", "chance", "beside it")
_LEFT = tuple(map(_HEADER.index, ("measure", "beside it")))  # columns of text


def names_lines(report: NamesReport) -> list[str]:
    """The report, line by line."""
    return [
        *_subject(report),
        *_table([*_class_rows(report), *_simulation_rows(report), *_stability_rows(report)]),
        *_class_notes(report),
        *_simulation_notes(report),
        *_stability_notes(report),
        *report.notes,
        *(f"not measured: {measure}: {why}" for measure, why in report.skipped.items()),
    ]


def _subject(report: NamesReport) -> Iterator[str]:
    if report.images:
        first, second = report.images
        yield (
            f"{report.model}, {report.layer}: named on {first} images and tried on {second} others, and the other way "
            f"round; {report.concepts} concepts; {_rule(report)}"
        )
    if report.logits is not None:
        one = report.logits
        yield (
            f"{report.model}, {one.layer}: {one.tested} of {one.classes} classes are among {one.concepts} concepts; "
            f"{one.images} images, q = {one.quantile:.3g}; the rule names {one.named} of their units, "
            f"{one.named_right} rightly"
        )


def _rule(report: NamesReport) -> str:
    """What a name needs, and by whose rules."""
    of = "" if report.preset == OURS.name else f" by the rules of {report.preset}"
    if report.max_q >= 1:
        return f"a name needs IoU {report.min_iou:g}{of}; chance has no say in names here"
    asked = f"{report.permutations} permutations, seed {report.seed}"
    return f"a name needs IoU {report.min_iou:g} and q up to {report.max_q:g} ({asked}){of}"


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    return text_table([_HEADER, *rows], left=_LEFT)


def _class_rows(report: NamesReport) -> Iterator[tuple[str, ...]]:
    if report.logits is not None:
        one, what = report.logits, "class scores named after their class"
        beside = f"other data: {PUBLISHED}"
        yield _row(f"{what}, top-1", one.top1, one.top1_chance, beside, share=True)
        yield _row(f"{what}, top-{TOP}", one.top5, one.top5_chance, share=True)


def _simulation_rows(report: NamesReport) -> Iterator[tuple[str, ...]]:
    for each in report.simulation:
        by = "name" if each.names_of == "named" else "best label"
        for what, found in (("mean", each.mean), ("maximum", each.maximum)):
            chance = _number(found.spearman_chance.value)
            beside = (
                ""
                if found.spearman.value is None
                else f"Spearman {_interval(found.spearman)}, chance {chance}"
            )
            measure = f"{each.names_of} units, {by} tells {what}: r"
            yield _row(measure, found.pearson, found.pearson_chance.value, beside)


def _stability_rows(report: NamesReport) -> Iterator[tuple[str, ...]]:
    for each in report.stability:
        beside = "" if each.kappa.value is None else f"kappa {_interval(each.kappa)}"
        if beside and each.too_few:
            beside += " (too few)"
        yield _row(
            f"named alike on both halves, {each.rule}", each.agreement, each.chance, beside, share=True
        )


def _class_notes(report: NamesReport) -> Iterator[str]:
    if report.logits is None:
        return
    yield (
        "class scores: the share of classes whose own unit gets the class's name; the network's mistakes count against "
        "it; chance: labels drawn at random"
    )
    if report.logits.labels_met < TOP:
        yield (
            f"  a unit meets {report.logits.labels_met:g} labels (median), so top-{TOP} says no more than that; with "
            f"--class-quantile {TOP * report.logits.quantile:.3g} more compete, at the price of ties in top-1"
        )


def _simulation_notes(report: NamesReport) -> Iterator[str]:
    if report.simulation:
        yield (
            "r: how well the share of an image that the concept covers tells what the unit does on images it was not "
            "named on (1 is perfectly), the mean over units, each once a half; chance: another concept of the same "
            "category"
        )
    for each in report.simulation:
        if each.unseen:
            yield (
                f"  {each.unseen} of {each.units} {each.names_of} units cannot be told: the other half does not show "
                "their concept, or they do not vary there"
            )


def _stability_notes(report: NamesReport) -> Iterator[str]:
    if report.stability:
        yield (
            "alike: of the units that either half names, the share that both name the same; chance: the same names "
            "dealt out at random; kappa is 0 at chance and 1 for full agreement, unnamed units included"
        )
    for each in report.stability:
        yield (
            f"  {each.rule}: {each.alike} units alike, {each.different} with another name, {each.first_only} named on "
            f"the first half only, {each.second_only} on the second only, {each.neither} on neither"
        )
    if any(each.too_few and each.kappa.value is not None for each in report.stability):
        yield f"  too few: less than {FEWEST} units have a name on both halves, so kappa is given without an interval"


def _row(
    measure: str, found: Estimate, chance: float | None, beside: str = "", *, share: bool = False
) -> tuple[str, ...]:
    interval = "" if found.low is None else f"{_number(found.low, share)} to {_number(found.high, share)}"
    return (
        measure,
        str(found.count),
        _number(found.value, share),
        interval,
        _number(chance, share),
        beside,
    )


def _interval(found: Estimate) -> str:
    ends = "" if found.low is None else f" ({_number(found.low)} to {_number(found.high)})"
    return f"{_number(found.value)}{ends}"


def _number(value: float | None, share: bool = False) -> str:
    if value is None:
        return "–"
    if share:
        return f"{value:.1%}"
    return f"{round(value, 2) + 0.0:.2f}"  # + 0.0: no "-0.00"
