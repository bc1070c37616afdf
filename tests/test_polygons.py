"""Outlines as pixels, against the definition pixel by pixel, and against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.draw import polygon2mask

from dissection.readers.polygons import fill_circle, fill_polygon, rectangle

# Halves and quarters, in and outside a 6 × 7 image, so that corners and edges often lie on pixel centres.
COORDINATES = st.integers(-8, 36).map(lambda n: n / 4)
OUTLINES = st.lists(st.tuples(COORDINATES, COORDINATES), min_size=3, max_size=9)


def whole(points: list[tuple[float, float]], height: int = 6, width: int = 7) -> NDArray[np.bool_]:
    """The filled outline on the whole image; nothing of it lies outside."""
    image = np.zeros((height, width), bool)
    top, left, inside = fill_polygon(np.array(points, np.float64), height, width)
    assert top >= 0 and left >= 0
    assert top + inside.shape[0] <= height and left + inside.shape[1] <= width
    image[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return image


def by_definition(points: list[tuple[float, float]], height: int = 6, width: int = 7) -> NDArray[np.bool_]:
    """A ray from each centre to the left, and how many edges it crosses; exact, as quarters are in floats."""
    image = np.zeros((height, width), bool)
    for row in range(height):
        for column in range(width):
            x, y, crossings = column + 0.5, row + 0.5, 0
            for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True):
                (x0, y0), (x1, y1) = ((ax, ay), (bx, by)) if ay <= by else ((bx, by), (ax, ay))
                if y0 <= y < y1:
                    # x ≥ crossing, without dividing
                    crossings += (x - x0) * (y1 - y0) >= (y - y0) * (x1 - x0)
            image[row, column] = crossings % 2 == 1
    return image


@settings(max_examples=300)
@given(OUTLINES)
def test_by_definition(points: list[tuple[float, float]]) -> None:
    np.testing.assert_array_equal(whole(points), by_definition(points))


@given(OUTLINES)
def test_direction_and_start_do_not_matter(points: list[tuple[float, float]]) -> None:
    filled = whole(points)
    np.testing.assert_array_equal(whole(points[::-1]), filled)
    np.testing.assert_array_equal(whole([*points[1:], points[0]]), filled)


@pytest.mark.parametrize("seed", range(20))
def test_as_scikit_image_where_no_centre_is_on_an_edge(seed: int) -> None:
    points = np.random.default_rng(seed).uniform(-5, 45, (7, 2))
    expected = polygon2mask((40, 30), points[:, ::-1] - 0.5)  # its pixel centres are whole numbers
    filled = whole([tuple(p) for p in points], 40, 30)
    assert filled.any()
    np.testing.assert_array_equal(filled, expected)


@given(st.lists(st.tuples(COORDINATES, COORDINATES), min_size=4, max_size=4))
def test_neighbours_share_no_pixel_and_leave_none_out(corners: list[tuple[float, float]]) -> None:
    """A quadrangle cut along a diagonal: the two triangles add up to it, modulo 2 where it crosses itself."""
    a, b, c, d = corners
    np.testing.assert_array_equal(whole([a, b, c]) ^ whole([a, c, d]), whole(corners))


def test_a_rectangle_covers_whole_pixels() -> None:
    expected = np.zeros((6, 7), bool)
    expected[1:3, 2:5] = True
    for corners in ([[2, 1], [5, 3]], [[5, 3], [2, 1]], [[2, 3], [5, 1]]):
        points = [tuple(p) for p in rectangle(np.array(corners, np.float64)).tolist()]
        np.testing.assert_array_equal(whole(points), expected)
    assert whole([(-9, -9), (99, -9), (99, 99), (-9, 99)]).all(), "cut off at the image's edges"
    assert not whole([(8, 1), (9, 1), (9, 5)]).any(), "outside"
    assert not whole([(1, 1), (5, 5), (1, 1)]).any(), "no area"


def test_more_than_256_edges_in_a_row() -> None:
    """A comb whose teeth all lie left of the image: an even number of crossings, more than a byte counts."""
    teeth = [(-1.0 - x / 1000, 5.0 if x % 2 else 0.0) for x in range(300)]
    assert not whole(teeth).any()
    np.testing.assert_array_equal(whole([*teeth, (6.0, 0.0)]), by_definition([*teeth, (6.0, 0.0)]))


@given(*[st.integers(-8, 36).map(lambda n: n / 4)] * 4)
def test_circles(x: float, y: float, rim_x: float, rim_y: float) -> None:
    top, left, inside = fill_circle(np.array([x, y]), np.array([rim_x, rim_y]), 6, 7)
    image = np.zeros((6, 7), bool)
    image[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    reach = (rim_x - x) ** 2 + (rim_y - y) ** 2  # exact in quarters
    for row in range(6):
        for column in range(7):
            assert image[row, column] == ((column + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2 <= reach)
