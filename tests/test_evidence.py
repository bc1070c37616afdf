"""Ranking of units, and what is said of each: on paper and against slow restatements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_reports_read import change_json
from toy import photograph, picture, toy_model, toy_names

import neuro_explain as nx
from dissection.concepts import Concept
from dissection.names import Names, UnitName
from neuro_explain.evidence import TargetEvidence, rank_units, weigh
from neuro_explain.targets import Target


def named(concepts: Sequence[str | None], threshold: float | None = None) -> Names:
    """Names of units; None is an unnamed unit, whose best label is "wall"."""
    units = tuple(
        UnitName(
            unit,
            None if word is None else Concept(word, "object"),
            0.02 if word is None else 0.2,
            Concept(word or "wall", "object"),
            threshold=threshold,
        )
        for unit, word in enumerate(concepts)
    )
    return Names(units, "layer4", None, "a test", (), 0.005, 0.05, {})


# Four units on a map of 2 × 2 cells.
MAPS = np.array(
    [[[1, 0], [0, 3]], [[0, 0], [0, 0]], [[2, 2], [2, 2]], [[0, 0.5], [0, 0]]], dtype=np.float32
)  # sums 4, 0, 8, 0.5
ALPHA = np.array([0.5, 4.0, -1.0, 2.0], dtype=np.float32)  # contributions 2, 0, -8, 1


def evidence(concepts: Sequence[str | None] = ("bed", "sky", None, "lamp"), **options: Any) -> TargetEvidence:
    given: dict[str, Any] = {
        "score": 3.0,
        "probability": 0.75,
        "alpha": ALPHA,
        "activations": MAPS,
        "signed_map": np.tensordot(ALPHA, MAPS, 1).astype(np.float32),
        "names": named(concepts, 0.75),
        "top": 2,
        "rank_by": "alpha",
        "named_only": False,
        **options,
    }
    return weigh(Target.of_class(7, "bedroom"), **given)


def test_by_alpha() -> None:
    seen = evidence()
    assert [(one.index, one.rank, one.alpha) for one in seen.top] == [(1, 1, 4.0), (3, 2, 2.0)]
    assert [(one.index, one.rank, one.alpha) for one in seen.bottom] == [(2, 1, -1.0)]


def test_by_contribution() -> None:
    seen = evidence(rank_by="contribution")
    assert [(one.index, one.contribution) for one in seen.top] == [(0, 2.0), (3, 1.0)]
    assert [(one.index, one.contribution) for one in seen.bottom] == [(2, -8.0)]


def test_named_only() -> None:
    seen = evidence(named_only=True, top=5)
    assert [one.index for one in seen.top] == [1, 3, 0]
    assert [one.rank for one in seen.top] == [1, 2, 3]
    assert seen.bottom == ()
    none = evidence([None] * 4, named_only=True)
    assert none.top == none.bottom == ()
    assert none.sentence == "bedroom (75.0 %): no named unit speaks for or against it."


def test_what_is_said_of_a_unit() -> None:
    first = evidence(top=4).top[2]
    assert first.index == 0
    assert first.concept == Concept("bed", "object")
    assert first.iou == 0.2
    assert first.activation == 1.0  # 4 over 4 cells
    assert first.contribution == 2.0
    assert first.above_threshold == 0.5  # 1 and 3 of 1, 0, 0, 3 are above 0.75
    assert not first.silent
    assert first.activation_map.tolist() == [[1, 0], [0, 3]]
    silent = evidence().top[0]
    assert silent.index == 1
    assert silent.silent
    assert (silent.activation, silent.contribution, silent.above_threshold) == (0, 0, 0)
    unnamed = evidence().bottom[0]
    assert unnamed.concept is None
    assert unnamed.iou == 0.02
    assert unnamed.name.best == Concept("wall", "object")


def test_a_cell_at_the_threshold_is_not_above_it() -> None:
    assert evidence(names=named(("a", "b", "c", "d"), 1.0), top=3).top[2].above_threshold == 0.25
    # T_k is a float32 of the maps; as a Python number it must not lie a hair below itself.
    third = float(np.float32(1 / 3))
    maps = np.full((4, 2, 2), np.float32(1 / 3))
    assert evidence(names=named("abcd", third), activations=maps).top[0].above_threshold == 0
    assert (
        evidence(names=named("abcd", np.nextafter(np.float32(third), 0)), activations=maps)
        .top[0]
        .above_threshold
        == 1
    )


def test_an_unknown_threshold() -> None:
    assert evidence(names=named("abcd", None)).top[0].above_threshold is None


def test_what_is_said_of_the_target() -> None:
    seen = evidence()
    assert (seen.label, seen.kind, seen.index, seen.versus) == ("bedroom", "class", 7, None)
    assert (seen.score, seen.probability) == (3.0, 0.75)
    assert seen.silent_units == 1
    # |alpha|: 0.5 + 4 + 1 + 2, the third unit unnamed; |contribution|: 2 + 0 + 8 + 1
    assert seen.named_alpha_share == pytest.approx(6.5 / 7.5)
    assert seen.named_contribution_share == pytest.approx(3 / 11)
    assert seen.signed_map.tolist() == [[-1.5, -1.0], [-2.0, -0.5]]
    assert seen.map.tolist() == [[0, 0], [0, 0]]
    assert seen.zero_map


def test_shares_at_the_ends() -> None:
    assert evidence([None] * 4).named_alpha_share == 0
    assert evidence("abcd").named_alpha_share == 1
    nothing = evidence(activations=np.zeros_like(MAPS), alpha=np.zeros_like(ALPHA))
    assert nothing.named_alpha_share is None
    assert nothing.named_contribution_share is None
    assert nothing.silent_units == 4


def test_a_map_that_is_not_blank() -> None:
    assert not evidence(signed_map=np.array([[-1, 0], [0, 1e-9]], dtype=np.float32)).zero_map
    assert evidence(signed_map=np.zeros((2, 2), dtype=np.float32)).zero_map


def test_negative_maps_are_not_silent() -> None:
    maps = MAPS.copy()
    maps[1, 0, 0] = -0.5
    maps[3] = -0.0
    seen = evidence(activations=maps)
    assert not seen.top[0].silent
    assert seen.top[0].contribution == -2.0
    assert seen.top[1].silent


def test_more_are_asked_for_than_there_are() -> None:
    seen = evidence(top=9)
    assert [one.index for one in seen.top] == [1, 3, 0]
    assert [one.index for one in seen.bottom] == [2]
    assert seen.sentence == (
        "bedroom (75.0 %): sky, lamp and bed speak for it (only three units do); no named unit speaks against it (only "
        "one unnamed unit does)."
    )


def test_sums_are_in_double_precision() -> None:
    maps = np.full((4, 64, 64), 0.1, dtype=np.float32)
    seen = evidence(activations=maps, signed_map=np.zeros((64, 64), dtype=np.float32))
    want = 64 * 64 * float(np.float32(0.1))
    assert seen.top[0].contribution == pytest.approx(4.0 * want, rel=1e-12)
    assert seen.top[0].activation == pytest.approx(float(np.float32(0.1)), rel=1e-12)


def test_evidence_can_be_searched() -> None:
    seen = evidence()
    assert seen.top[0] in seen.top
    assert seen.top[0] not in seen.bottom
    assert len({*seen.top, *seen.bottom}) == 3


# Ranking.


def test_ties_go_to_the_smaller_number_in_both_directions() -> None:
    ranking = rank_units(np.array([1.0, 2.0, 2.0, 1.0, 0.0, -0.0]), named("abcdef"))
    assert ranking.order.tolist() == [1, 2, 0, 3, 4, 5]
    assert ranking.reverse.tolist() == [4, 5, 0, 3, 1, 2]
    some = rank_units(np.array([1.0, 2.0, 2.0, 1.0, 1.0]), named(["a", None, "c", "d", "e"]), named_only=True)
    assert some.order.tolist() == [2, 0, 3, 4]
    assert some.reverse.tolist() == [0, 3, 4, 2]


@given(
    st.lists(st.tuples(st.sampled_from([-2.0, -1.0, 0.0, 1.0, 1.5]), st.booleans()), min_size=1, max_size=30),
    st.booleans(),
)
def test_ranking_is_sorting_by_value_then_number(units: list[tuple[float, bool]], named_only: bool) -> None:
    names = named(["a" if has_name else None for _, has_name in units])
    ranking = rank_units(np.array([value for value, _ in units]), names, named_only=named_only)
    members = [unit for unit, (_, has_name) in enumerate(units) if has_name or not named_only]
    assert ranking.order.tolist() == sorted(members, key=lambda unit: (-units[unit][0], unit))
    assert ranking.reverse.tolist() == sorted(members, key=lambda unit: (units[unit][0], unit))


def test_alpha_and_contribution_differ_where_a_strong_unit_is_silent() -> None:
    by_alpha, by_contribution = evidence(top=1), evidence(top=1, rank_by="contribution")
    assert by_alpha.top[0].index == 1
    assert by_alpha.top[0].silent
    assert by_contribution.top[0].index == 0


@given(
    st.lists(st.sampled_from([-2.0, -1.0, -0.0, 0.0, 1.0, 1.5]), min_size=4, max_size=4),
    st.integers(1, 5),
    st.sampled_from(["alpha", "contribution"]),
)
def test_a_unit_stands_on_the_side_to_which_it_pulls(alpha: list[float], top: int, rank_by: str) -> None:
    """Restated; and no unit stands on both sides, or on one to which it does not pull."""
    seen = evidence(alpha=np.array(alpha, np.float32), top=top, rank_by=rank_by)
    value = (
        alpha if rank_by == "alpha" else [a * total for a, total in zip(alpha, (4, 0, 8, 0.5), strict=True)]
    )
    for units, sign in ((seen.top, 1), (seen.bottom, -1)):
        order = sorted(range(4), key=lambda unit: (-sign * value[unit], unit))
        wanted = [unit for unit in order if sign * value[unit] > 0][:top]
        assert [(one.index, one.rank) for one in units] == [(unit, r) for r, unit in enumerate(wanted, 1)]
    assert not {one.index for one in seen.top} & {one.index for one in seen.bottom}


def test_no_unit_pulls() -> None:
    seen = evidence(alpha=np.zeros(4, np.float32))
    assert seen.top == seen.bottom == ()
    assert seen.sentence == "bedroom (75.0 %): no unit speaks for or against it."


# What chance says of a name, carried into an explanation.


@dataclass(frozen=True)
class NamesUnderTest(Names):
    """Names as a dissection makes them: tested against chance, with images that speak for and against some."""

    witnesses: tuple[tuple[int, int, str, str, int, int], ...] = ()
    max_q: float = 0.05


def names_with_witnesses(model: nx.Model) -> NamesUnderTest:
    names = toy_names(model)
    units = tuple(
        replace(name, p=0.01 * name.unit, q=0.02 * name.unit, low=0.1, high=0.4, score=0.5) for name in names
    )
    values = {field.name: getattr(names, field.name) for field in fields(Names)}
    witnesses = tuple(
        (unit, rank, kind, f"{unit}-{rank}.png", 40 - rank, 10 * (kind == "for"))
        for unit in (2, 4)
        for rank, kind in enumerate(("for", "against"))
    )
    return NamesUnderTest(
        **{**values, "units": units, "evidence": {2: picture(), 4: picture()}, "witnesses": witnesses}
    )


def test_evidence_tells_how_sure_a_name_is() -> None:
    name = UnitName(
        0, Concept("bed", "object"), 0.2, runner_up=Concept("sofa", "object"), runner_up_iou=0.15, q=0.03
    )
    names = replace(named("abcd"), units=(name, *named("abcd").units[1:]))
    one = evidence(names=names, top=3).top[2]
    assert (one.index, one.q, one.margin) == (0, 0.03, pytest.approx(0.05))
    assert (evidence().top[0].q, evidence().top[0].margin) == (None, None)


def test_an_explanation_carries_what_chance_says_of_names(tmp_path: Path) -> None:
    model = toy_model()
    names = names_with_witnesses(model)
    why = nx.explain(model, photograph(), names, top=4, check=False)
    assert why.names.max_q == 0.05
    shown = {one.index for one in (*why.targets[0].top, *why.targets[0].bottom)}
    assert {2, 4} <= shown
    assert why.witnesses == names.witnesses and why.evidence == names.evidence
    why.save(tmp_path / "why")
    assert {path.name for path in (tmp_path / "why/evidence").iterdir()} == {
        "unit-00002.webp",
        "unit-00004.webp",
    }
    again = nx.load_explanation(tmp_path / "why")
    assert again.to_dict() == why.to_dict()
    assert (again.witnesses, again.evidence, again.names) == (why.witnesses, why.evidence, why.names)
    unit = why.to_dict()["targets"][0]["for"][0]
    name = names[unit["unit"]]
    assert [unit[key] for key in ("p", "q", "iou_low", "iou_high", "score")] == [
        name.p,
        name.q,
        0.1,
        0.4,
        0.5,
    ]
    assert again.targets[0].top[0].name == why.targets[0].top[0].name == name
    page = nx.write_report(tmp_path / "why").read_text(encoding="utf-8")
    assert page.count('<image id="crops-') == 2 and "fires beside it" in page


def test_only_the_pictures_of_shown_units_are_carried() -> None:
    model = toy_model()
    names = names_with_witnesses(model)
    why = nx.explain(model, photograph(), names, top=1, check=False)
    shown = {one.index for one in (*why.targets[0].top, *why.targets[0].bottom)}
    assert set(why.evidence) == {one[0] for one in why.witnesses} == shown & {2, 4} != {2, 4}


def test_names_without_a_test_carry_nothing(tmp_path: Path) -> None:
    model = toy_model()
    why = nx.explain(model, photograph(), toy_names(model), top=2, check=False)
    assert (why.names.max_q, why.witnesses, dict(why.evidence)) == (None, (), {})
    why.save(tmp_path / "why")
    assert not (tmp_path / "why/evidence").exists()


def test_an_explanation_of_an_older_version_is_read(tmp_path: Path) -> None:
    model = toy_model()
    why = nx.explain(model, photograph(), toy_names(model), top=2, check=False)
    why.save(tmp_path / "why")

    def forget(facts: dict[str, Any]) -> None:
        del facts["evidence"], facts["names"]["max_q"]
        for target in facts["targets"]:
            for unit in target["for"] + target["against"]:
                for key in ("p", "q", "iou_low", "iou_high", "score"):
                    del unit[key]

    change_json(tmp_path / "why", "explanation.json", forget)
    assert nx.load_explanation(tmp_path / "why").to_dict() == why.to_dict()
    assert nx.write_report(tmp_path / "why").read_text(encoding="utf-8").count("q not tested") == 1
