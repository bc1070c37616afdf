"""Numbers and places in words."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0, "0"),
        (-0.0, "0"),
        (7, "7"),
        (1280, "1,280"),
        (-1280, "−1,280"),
        (0.012345, "0.0123"),
        (1234.5, "1,234"),
        (9.999, "10.0"),
        (-2.5, "−2.50"),
        (0.000032, "3.20 × 10⁻⁵"),
        (-4.2e9, "−4.20 × 10⁹"),
        (None, "unknown"),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert words.number(value) == text


@given(st.floats(min_value=1e-12, max_value=1e12))
def test_a_number_in_words_is_the_number_to_three_digits(value: float) -> None:
    text = words.number(value).replace(",", "")
    if "×" in text:
        mantissa, power = text.split(" × 10")
        text = f"{mantissa}e{power.translate(str.maketrans('⁻⁰¹²³⁴⁵⁶⁷⁸⁹', '-0123456789'))}"
    assert math.isclose(float(text), value, rel_tol=0.0051)  # half a unit of the third digit of 1.00


def test_a_logarithm_has_two_decimals_and_a_true_minus() -> None:
    assert [words.logarithm(v) for v in (-3.214, -12.0, -0.004, -0.006, 0.0)] == [
        "−3.21", "−12.00", "0.00", "−0.01", "0.00"
    ]  # fmt: skip


def test_signed_shows_both_signs_and_none_for_zero() -> None:
    assert words.signed(0.5) == "+0.500"
    assert words.signed(-0.5) == "−0.500"
    assert words.signed(0.0) == "0"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.6131, "61 %"),
        (0.09, "9.0 %"),
        (0.004, "0.40 %"),
        (0.00003, "less than 0.01 %"),
        (0.996, "99.60 %"),
        (0.999999, "more than 99.99 %"),
        (None, "unknown"),
    ],
)
def test_percent(share: float | None, text: str) -> None:
    assert words.percent(share) == text


@given(st.floats(min_value=0, max_value=1, exclude_min=True, exclude_max=True))
def test_percent_never_claims_certainty(share: float) -> None:
    assert float(words.percent(share).rsplit(" ", 2)[-2]) not in (0.0, 100.0)


def test_count_has_a_plural() -> None:
    assert [words.count(n, "unit") for n in (0, 1, 2048)] == ["0 units", "1 unit", "2,048 units"]


def test_settings_and_overlaps() -> None:
    assert words.plain(0.05) == "0.05"
    assert words.plain(None) == "unknown"
    assert words.overlap(0.0671) == "0.067"
    assert words.overlap(-0.001) == "−0.001"


@pytest.mark.parametrize(
    ("cell", "where", "left", "top"),
    [((0, 0), "the upper left", "15 %", "15 %"), ((1, 1), "the centre", "50 %", "50 %"),
     ((1, 0), "the centre left", "15 %", "50 %"), ((2, 1), "the lower centre", "50 %", "85 %")],
)  # fmt: skip
def test_where_hot_names_the_largest_cell(cell: tuple[int, int], where: str, left: str, top: str) -> None:
    cells = np.zeros((3, 3), np.float32)
    cells[cell] = 2.0
    text = words.where_hot(cells, (0, 0, 300, 300), 300, 300)
    assert text.startswith(f"hot in {where}, strongest at about {left} from the left and {top} from the top")
    assert "11 % of its cells" in text


def test_where_hot_passes_through_the_crop() -> None:
    cells = np.zeros((2, 2), np.float32)
    cells[0, 0] = 1.0
    # The crop is the right half: its first cell's centre lies at 62.5 % of the width.
    text = words.where_hot(cells, (200, 0, 400, 100), 400, 100)
    assert "about 65 % from the left and 25 % from the top" in text


def test_where_hot_of_a_map_without_heat() -> None:
    assert words.where_hot(-np.ones((2, 2), np.float32), (0, 0, 1, 1), 1, 1) == "not above zero anywhere"
