"""Names by number, by concept, as a table; and how IoUs become names."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissection.concepts import Concept
from dissection.names import Names, UnitName, name_units, unit_row

BED, BOOKCASE, BED_SCENE = Concept("bed", "object"), Concept("Bookcase", "object"), Concept("bed", "scene")
SKY, BEDROOM = Concept("sky", "object"), Concept("bedroom", "scene")

COLUMNS: Mapping[str, str] = {
    "concept": "string",
    "category": "string",
    "iou": "float64",
    "best_concept": "string",
    "best_category": "string",
    "runner_up": "string",
    "runner_up_category": "string",
    "runner_up_iou": "float64",
    "margin": "float64",
    "threshold": "float64",
    "note": "string",
    "p": "float64",
    "q": "float64",
    "iou_low": "float64",
    "iou_high": "float64",
}


def names_of(*units: UnitName) -> Names:
    return Names(
        units=units,
        layer="layer4",
        fingerprint=None,
        source="some names",
        concept_sets=(),
        quantile=None,
        min_iou=0.05,
        exemplars={},
    )


@pytest.fixture
def names() -> Names:
    return names_of(
        UnitName(0, BED, 0.2, BED, BOOKCASE, 0.15, 1.5),
        UnitName(1, None, 0.04, BOOKCASE, None, None, 0.5),
        UnitName(2, BED_SCENE, 0.3, BED_SCENE, BED, 0.1, 2.5),
        UnitName(3, None, threshold=0.0, note="dead"),
        UnitName(4, BED, 0.2, BED, SKY, 0.01, 1.0),
        UnitName(5, BED, 0.4, BED, BED_SCENE, 0.3, 1.0),
    )


def test_length_order_and_iteration(names: Names) -> None:
    assert len(names) == 6
    assert [name.unit for name in names] == [0, 1, 2, 3, 4, 5]
    assert [name.unit for name in reversed(names)] == [5, 4, 3, 2, 1, 0]  # type: ignore[call-overload]
    assert names[2] is names.units[2]
    assert names[np.int64(5)].unit == 5
    assert UnitName(0, BED, 0.2, BED, BOOKCASE, 0.15, 1.5) in names


@pytest.mark.parametrize("unit", [-1, 6, 10**9, -(10**9)])
def test_a_unit_that_is_not_there(names: Names, unit: int) -> None:
    with pytest.raises(IndexError, match=rf"unit {unit}: some names has units 0 to 5"):
        names[unit]


def test_counts(names: Names) -> None:
    assert (names.named, names.distinct) == (4, 2)


def test_units_must_stand_in_order() -> None:
    with pytest.raises(ValueError, match="expected unit 0, got 1"):
        names_of(UnitName(1, BED))


@pytest.mark.parametrize("word", ["bed", "BED", "Bed"])
def test_find_gives_the_strongest_first_and_equal_ones_by_number(names: Names, word: str) -> None:
    assert [n.unit for n in names.find(word)] == [5, 2, 0, 4]
    assert [n.unit for n in names.find(word, "object")] == [5, 0, 4]
    assert [n.unit for n in names.find(word, "SCENE")] == [2]


def test_find_what_is_known_but_names_no_unit(names: Names) -> None:
    assert names.find("bookcase") == []
    assert names.find("sky", "object") == []


@pytest.mark.parametrize("word", ["bde", "bedd", "BEDD", "Beds"])
def test_find_offers_near_names_in_any_case(names: Names, word: str) -> None:
    with pytest.raises(
        ValueError, match=rf"'{word}' is not among the concepts of some names: did you mean bed"
    ):
        names.find(word)


def test_find_says_in_which_category_a_word_is_known(names: Names) -> None:
    with pytest.raises(
        ValueError, match=r"'bed' in category 'color'.*did you mean bed \(object\), bed \(scene\)"
    ):
        names.find("bed", "color")
    with pytest.raises(ValueError, match=r"'sky' in category 'scene'.*did you mean sky \(object\)"):
        names.find("sky", "scene")


def test_find_without_anything_near_shows_what_there_is(names: Names) -> None:
    with pytest.raises(ValueError, match=r"it knows Bookcase \(object\), bed \(object\)"):
        names.find("xylophone")
    with pytest.raises(ValueError, match="it knows none"):
        names_of(UnitName(0, None)).find("bed")
    with pytest.raises(ValueError, match="concept ''"):
        names.find("")


def test_margin() -> None:
    assert UnitName(0, BED, 0.5, BED, SKY, 0.25).margin == 0.25
    assert UnitName(0, BED, 0.5, BED).margin is None
    assert UnitName(0, None).margin is None


def test_text_of_a_unit() -> None:
    assert str(UnitName(12, BED, 0.12345, BED)) == "unit 12: bed (object), IoU 0.123"
    assert str(UnitName(7, None, 0.04, BED)) == "unit 7: unnamed"


def test_frame_has_the_documented_columns_whatever_is_absent(names: Names) -> None:
    for one in (names, names_of(UnitName(0, None)), names_of(UnitName(0, BED, 0.5, BED))):
        frame = one.to_frame()
        assert frame.index.name == "unit"
        assert frame.index.tolist() == list(range(len(one)))
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == COLUMNS
    frame = names.to_frame()
    assert frame[frame["concept"] == "bed"].index.tolist() == [0, 2, 4, 5]
    assert frame.loc[0, "margin"] == 0.2 - 0.15
    assert frame.loc[1, ["concept", "runner_up", "runner_up_iou", "margin"]].isna().all()
    assert frame.loc[1, "best_concept"] == "Bookcase"
    assert frame.loc[3, "note"] == "dead"
    assert frame.loc[[3], ["iou", "best_concept"]].isna().all(axis=None)


def test_a_row_has_the_frame_s_columns() -> None:
    assert list(unit_row(UnitName(0, BED))) == ["unit", *COLUMNS]


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    units=st.integers(1, 4),
    count=st.integers(1, 6),
    min_iou=st.sampled_from([0.0, 0.05, 0.2, 1.0]),
)
def test_a_name_is_the_largest_iou_and_ties_go_to_the_smaller_number(
    seed: int, units: int, count: int, min_iou: float
) -> None:
    rng = np.random.default_rng(seed)
    ious = rng.choice([0.0, 0.05, 0.2, 0.2000001, 1.0], (units, count))
    concepts = [Concept(str(i), "object") for i in range(count)]
    threshold = rng.choice(np.array([-1, 0, 1], np.float32), units)
    peak = np.maximum(rng.choice(np.array([-1, 0, 2], np.float32), units), threshold)
    for unit, name in enumerate(name_units(ious, concepts, threshold, peak, min_iou=min_iou)):
        ranked = sorted((c for c in range(count) if ious[unit, c] > 0), key=lambda c: (-ious[unit, c], c))
        assert name.unit == unit
        assert name.best == (concepts[ranked[0]] if ranked else None)
        assert name.iou == (ious[unit, ranked[0]] if ranked else None)
        assert name.runner_up == (concepts[ranked[1]] if len(ranked) > 1 else None)
        assert name.runner_up_iou == (ious[unit, ranked[1]] if len(ranked) > 1 else None)
        assert name.concept == (name.best if ranked and ious[unit, ranked[0]] >= min_iou else None)
        assert name.threshold == threshold[unit]
        dead = peak[unit] <= 0 and peak[unit] <= threshold[unit]  # a signed map may fire below 0
        expected = "dead" if dead else "threshold <= 0" if threshold[unit] <= 0 else ""
        assert name.note == expected


def test_a_name_needs_min_iou_and_the_limit_itself_is_enough() -> None:
    def named(value: float) -> bool:
        ones = np.ones(1, np.float32)
        return name_units(np.array([[value]]), [BED], ones, ones, min_iou=0.05)[0].concept is not None

    assert named(0.05)
    assert not named(np.nextafter(0.05, 0))


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("sky", r"got the text 'sky'; names\.find\(\) takes a word"),
        (2.0, r"got 2\.0; names\.units is a tuple"),
        (True, "got True"),
        (None, "got None"),
        (slice(1, 3), "got a value of type slice"),
    ],
)
def test_a_unit_that_is_no_number(names: Names, unit: object, message: str) -> None:
    with pytest.raises(TypeError, match=rf"names\[…\]: expected a unit's number, 0 to 5, {message}"):
        names[unit]  # type: ignore[index]
