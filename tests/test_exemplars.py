"""Example crops: the right images, squares inside them, and lines where the mask ends."""

from __future__ import annotations

import io
import threading
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from dissection.exemplars import _EDGE, _INSIDE, CROP, BestImages, Crop, _crop_box, _draw, draw_strips

GROUND = (90, 120, 150)


def plain(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), GROUND)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    units=st.integers(1, 4),
    images=st.integers(1, 12),
    count=st.integers(0, 5),
    batch=st.integers(1, 5),
)
def test_best_images_are_those_of_a_full_sort(
    seed: int, units: int, images: int, count: int, batch: int
) -> None:
    rng = np.random.default_rng(seed)
    peaks = torch.from_numpy(rng.integers(0, 3, (images, units)).astype(np.float32))
    means = torch.from_numpy(rng.integers(0, 2, (images, units)).astype(np.float32))
    best, others = BestImages(units, count), BestImages(units, count)
    starts = list(range(0, images, batch))
    for place in rng.permutation(len(starts)).tolist():
        numbers = torch.arange(images)[starts[place] :][:batch]
        (best if place % 2 else others).add(numbers, peaks[numbers], means[numbers])
    best.merge(others)
    for unit in range(units):
        order = sorted(range(images), key=lambda i: (-peaks[i, unit], -means[i, unit], i))[:count]
        assert best.image[unit].tolist() == order
        assert best.peak[unit].tolist() == [peaks[i, unit] for i in order]


maps = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1), st.floats(0.02, 1))
sides = st.one_of(st.integers(1, 9), st.integers(10, 700))


def above_of(drawn: tuple[int, int, int, float]) -> NDArray[np.float32]:
    """A map minus its threshold: some cells above 0, at least one."""
    height, width, seed, share = drawn
    rng = np.random.default_rng(seed)
    above = -1 - rng.random((height, width), dtype=np.float32)
    above[rng.random((height, width)) < share] *= -1
    above[rng.integers(height), rng.integers(width)] = 3
    return above


@settings(max_examples=300, deadline=None)
@given(drawn=maps, width=sides, height=sides)
def test_a_crop_is_a_square_inside_the_image_that_shows_the_peak(
    drawn: tuple[int, int, int, float], width: int, height: int
) -> None:
    above = above_of(drawn)
    left, top, right, bottom = box = _crop_box(above, width, height)
    assert all(type(value) is int for value in box)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert right - left == bottom - top
    assert right - left >= min(width, height) // 2
    y, x = (int(v) for v in np.unravel_index(above.argmax(), above.shape))
    cells_y, cells_x = above.shape
    # One pixel of tolerance: corners are whole pixels.
    assert left - 1 <= (x + 0.5) / cells_x * width <= right + 1
    assert top - 1 <= (y + 0.5) / cells_y * height <= bottom + 1


def test_the_crop_shows_the_whole_region_if_a_square_can() -> None:
    above = -np.ones((8, 8), np.float32)
    above[2:4, 5:7] = 1
    left, top, right, bottom = _crop_box(above, 800, 800)
    assert left <= 500 and right >= 700 and top <= 200 and bottom >= 400
    assert (left, top, right, bottom) == (400, 100, 800, 500)


def test_regions_too_far_apart_for_one_square_show_the_stronger() -> None:
    above = -np.ones((1, 10), np.float32)
    above[0, 0], above[0, 9] = 1, 2
    left, _, right, _ = _crop_box(above, 1000, 100)
    assert (left, right) == (900, 1000)
    above[0, 0] = 3
    left, _, right, _ = _crop_box(above, 1000, 100)
    assert (left, right) == (0, 100)


def slow_mask(
    above: NDArray[np.float32], box: tuple[int, int, int, int], width: int, height: int
) -> NDArray[np.float64]:
    """The map minus T_k at the centre of each pixel of the crop, by the bilinear formula; float64."""
    values = np.zeros((CROP, CROP))
    cells_y, cells_x = above.shape
    side = box[2] - box[0]
    for i in range(CROP):
        y = (box[1] + (i + 0.5) * side / CROP) / height * cells_y - 0.5
        y = min(max(y, 0), cells_y - 1)
        y0 = int(y)
        y1 = min(y0 + 1, cells_y - 1)
        for j in range(CROP):
            x = (box[0] + (j + 0.5) * side / CROP) / width * cells_x - 0.5
            x = min(max(x, 0), cells_x - 1)
            x0 = int(x)
            x1 = min(x0 + 1, cells_x - 1)
            upper = above[y0, x0] * (1 - (x - x0)) + above[y0, x1] * (x - x0)
            lower = above[y1, x0] * (1 - (x - x0)) + above[y1, x1] * (x - x0)
            values[i, j] = upper * (1 - (y - y0)) + lower * (y - y0)
    return values


@settings(max_examples=12, deadline=None)
@given(drawn=maps, width=st.integers(1, 500), height=st.integers(1, 500))
def test_lines_lie_on_both_sides_of_the_mask_s_edge(
    drawn: tuple[int, int, int, float], width: int, height: int
) -> None:
    above = above_of(drawn)
    pixels = _draw(plain(width, height), torch.from_numpy(above))
    assert pixels.shape == (CROP, CROP, 3)
    values = slow_mask(above, _crop_box(above, width, height), width, height)
    mask = values > 0
    doubtful = np.abs(values) < 1e-4
    for i in range(CROP):
        for j in range(CROP):
            around = [
                (min(max(i + a, 0), CROP - 1), min(max(j + b, 0), CROP - 1))
                for a, b in ((-1, 0), (1, 0), (0, -1), (0, 1))
            ]
            near = [
                (min(max(i + a, 0), CROP - 1), min(max(j + b, 0), CROP - 1))
                for a in range(-2, 3)
                for b in range(-2, 3)
                if abs(a) + abs(b) <= 2
            ]
            if any(doubtful[place] for place in near):
                continue
            expected = GROUND
            if mask[i, j] and not all(mask[place] for place in near):
                expected = _INSIDE
            elif not mask[i, j] and any(mask[place] for place in around):
                expected = _EDGE
            assert tuple(pixels[i, j].tolist()) == expected, (i, j)


def test_a_mask_that_fills_the_crop_has_no_line() -> None:
    pixels = _draw(plain(50, 40), torch.ones(3, 3))
    assert (pixels == GROUND).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (2, 3), (3, 1000)])
@pytest.mark.parametrize("cells", [(1, 1), (7, 7), (13, 5)])
def test_tiny_and_extreme_images_are_drawn(size: tuple[int, int], cells: tuple[int, int]) -> None:
    above = -torch.ones(cells)
    above[-1, -1] = 1
    assert _draw(plain(*size), above).shape == (CROP, CROP, 3)


@pytest.mark.parametrize("side", [224, 448])
def test_one_cell_of_a_map_finer_than_the_crop(side: int) -> None:
    # A first convolution's map may have more cells than the crop has pixels, and one of them may be active.
    above = -torch.ones(side, side)
    above[side // 3, side // 2] = 0.001
    assert _draw(plain(300, 200), above).shape == (CROP, CROP, 3)


def test_the_crop_shows_the_image_where_the_unit_fires() -> None:
    image = plain(200, 100)
    image.paste((250, 0, 0), (150, 0, 200, 50))
    above = -torch.ones(2, 4)
    above[0, 3] = 1  # the upper right 50 × 50
    pixels = _draw(image, above)
    assert pixels[5, -5].tolist() == [250, 0, 0]
    assert pixels[-5, 5].tolist() == list(GROUND)


def test_strips_hold_the_crops_in_rank_order_and_each_image_is_read_once() -> None:
    colours = {3: (200, 40, 40), 7: (40, 200, 40), 9: (40, 40, 200)}
    reads: Counter[int] = Counter()
    lock = threading.Lock()

    def read(number: int) -> Image.Image:
        with lock:
            reads[number] += 1
        return Image.new("RGB", (64, 48), colours[number])

    wanted = [
        Crop(("unit", 0), 0, 7, torch.ones(2, 2)),
        Crop(("unit", 0), 1, 3, torch.ones(2, 2)),
        Crop(("unit", 0), 2, 9, torch.ones(2, 2)),
        Crop(("unit", 12), 0, 3, torch.ones(2, 2)),
    ]
    drawn: list[int] = []
    strips = draw_strips(wanted, read, workers=3, done=drawn.append)
    assert set(strips) == {("unit", 0), ("unit", 12)}
    assert reads == {3: 1, 7: 1, 9: 1}
    assert sum(drawn) == 4
    for unit, numbers in ((0, (7, 3, 9)), (12, (3,))):
        with Image.open(io.BytesIO(strips["unit", unit])) as strip:
            assert strip.format == "WEBP"
            assert strip.size == (CROP * len(numbers), CROP)
            pixels = np.asarray(strip.convert("RGB")).astype(int)
        for rank, number in enumerate(numbers):
            middle = pixels[CROP // 2, rank * CROP + CROP // 2]
            assert np.abs(middle - colours[number]).max() < 12, (unit, rank)  # WebP is lossy


def test_no_exemplars_no_strips() -> None:
    def read(number: int) -> Image.Image:
        raise AssertionError(number)

    assert draw_strips([], read) == {}


def test_the_same_crops_give_the_same_bytes() -> None:
    above = torch.tensor([[1.0, -1.0], [-1.0, -1.0]])

    def strips(workers: int) -> dict[tuple[str, int], bytes]:
        wanted = [Crop(("unit", unit), 0, unit, above) for unit in range(5)]
        return draw_strips(wanted, lambda n: plain(30 + n, 40), workers=workers)

    assert strips(1) == strips(3)


def test_a_broken_image_stops_the_drawing_with_its_own_message() -> None:
    def read(number: int) -> Image.Image:
        raise ValueError(f"image {number} is truncated")

    with pytest.raises(ValueError, match="image 4 is truncated"):
        draw_strips([Crop(("unit", 0), 0, 4, torch.ones(1, 1))], read)
