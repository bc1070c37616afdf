"""Masks keep their exact values, and shrink to the very pixels that Pillow's nearest takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from concept_sets import png_bytes, write_mask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from dissection.concepts import NO_LABEL
from dissection.images import ImageError
from dissection.readers.masks import NumberTable, nearest, one_channel, read_mask, three_channels


@pytest.mark.parametrize(
    ("suffix", "dtype", "largest"),
    [
        ("png", np.uint8, 255),
        ("png", np.uint16, 65535),
        ("tiff", np.uint16, 65535),
        ("tiff", np.int32, 2**31 - 1),
    ],
)
def test_values_are_exact(tmp_path: Path, suffix: str, dtype: type, largest: int) -> None:
    values = np.array([[0, 1, 2], [127, largest - 1, largest]])
    write_mask(tmp_path / f"m.{suffix}", values, dtype)
    read = one_channel(tmp_path / f"m.{suffix}")
    assert read.dtype == np.int32
    np.testing.assert_array_equal(read, values)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([np.uint8, np.uint16]).flatmap(
        lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=2, max_dims=2))
    )
)
def test_any_mask_comes_back(tmp_path: Path, values: np.ndarray) -> None:
    write_mask(tmp_path / "m.png", values, values.dtype)
    np.testing.assert_array_equal(one_channel(tmp_path / "m.png"), values)


def test_a_palette_mask_gives_its_indices(tmp_path: Path) -> None:
    values = np.array([[0, 1], [200, 2]], np.uint8)
    image = Image.frombytes("P", (2, 2), values.tobytes())
    image.putpalette([channel for i in range(256) for channel in (255 - i, 0, i)])
    for name, options in (("m.png", {}), ("t.png", {"transparency": 0}), ("m.gif", {"optimize": False})):
        image.save(tmp_path / name, **options)
        np.testing.assert_array_equal(one_channel(tmp_path / name), values)


@pytest.mark.parametrize(
    ("depth", "packed", "values"), [(4, b"\x01\x9f", [0, 1, 9, 15]), (2, b"\x1b", [0, 1, 2, 3])]
)
def test_small_bit_depths_are_not_spread(
    tmp_path: Path, depth: int, packed: bytes, values: list[int]
) -> None:
    (tmp_path / "m.png").write_bytes(png_bytes(4, 1, depth, 0, [packed]))
    assert one_channel(tmp_path / "m.png").tolist() == [values]


def test_one_bit(tmp_path: Path) -> None:
    write_mask(tmp_path / "m.png", [[True, False]], bool)
    assert one_channel(tmp_path / "m.png").tolist() == [[1, 0]]


def test_channels(tmp_path: Path) -> None:
    colored = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    write_mask(tmp_path / "rgb.png", colored)
    np.testing.assert_array_equal(three_channels(tmp_path / "rgb.png"), colored)
    alpha = np.concatenate([colored, np.zeros((2, 3, 1), np.uint8)], axis=2)
    write_mask(tmp_path / "rgba.png", alpha)
    np.testing.assert_array_equal(three_channels(tmp_path / "rgba.png"), colored)
    with pytest.raises(ImageError, match=r"rgb\.png: is an RGB image, a mask with one channel"):
        one_channel(tmp_path / "rgb.png")
    write_mask(tmp_path / "grey.png", [[1]])
    with pytest.raises(ImageError, match=r"grey\.png: has one channel, an RGB label image was expected"):
        three_channels(tmp_path / "grey.png")


def test_masks_that_cannot_be_exact(tmp_path: Path) -> None:
    Image.new("L", (8, 8), 3).save(tmp_path / "m.jpg")
    with pytest.raises(ImageError, match=r"m\.jpg: is a JPEG, which changes label values; save masks as PNG"):
        read_mask(tmp_path / "m.jpg")
    Image.new("F", (2, 2)).save(tmp_path / "m.tiff")
    with pytest.raises(ImageError, match=r"m\.tiff: is a mask of mode F; one channel"):
        read_mask(tmp_path / "m.tiff")
    Image.new("LA", (2, 2)).save(tmp_path / "la.png")
    with pytest.raises(ImageError, match=r"la\.png: is a mask of mode LA"):
        read_mask(tmp_path / "la.png")


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 120))
def test_nearest_is_pillows(height: int, width: int, size: int) -> None:
    values = np.random.default_rng(height * 71 + width).integers(0, 256, (height, width), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(values).resize((size, size), Image.Resampling.NEAREST))
    np.testing.assert_array_equal(nearest(values, size), expected)
    stacked = np.stack([values] * 3, axis=-1)
    np.testing.assert_array_equal(nearest(stacked, size), np.stack([expected] * 3, axis=-1))


def test_nearest_needs_a_pixel() -> None:
    with pytest.raises(ValueError, match="size: expected at least 1 pixel, got 0"):
        nearest(np.zeros((2, 2), np.uint8), 0)


@given(
    st.dictionaries(st.integers(0, 2**31 - 1), st.integers(0, 2000), max_size=20),
    hnp.arrays(np.int32, (3, 4), elements=st.integers(0, 2**31 - 1) | st.integers(0, 5)),
    st.data(),
)
def test_look_up_is_a_dictionary(numbers: dict[int, int], values: np.ndarray, data: st.DataObject) -> None:
    if numbers:  # let some pixels be known
        values[0, 0] = data.draw(st.sampled_from(sorted(numbers)))
    table = NumberTable(numbers)
    found = table.look_up(values)
    assert found.dtype == np.int32
    assert found.tolist() == [[numbers.get(v, NO_LABEL) for v in row] for row in values.tolist()]
    strangers = {v for v in values.ravel().tolist() if v and v not in numbers}
    assert table.strangers(values, found) == sorted(strangers)
