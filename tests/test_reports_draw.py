"""Colour maps, overlays, charts and picture sizes."""

import base64
import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from artifacts_for_pages import scene, webp
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from reports import draw


def oklab(table: np.ndarray) -> np.ndarray:
    """sRGB to OKLab, from Ottosson's two matrices."""
    rgb = table / 255.0
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_cones = np.array(
        [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
         [0.0883024619, 0.2817188376, 0.6299787005]]
    )  # fmt: skip
    to_lab = np.array(
        [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
         [0.0259040371, 0.7827717662, -0.8086757660]]
    )  # fmt: skip
    return np.cbrt(linear @ to_cones.T) @ to_lab.T


def test_heat_grows_lighter_in_even_steps() -> None:
    lab = oklab(draw.colour_table("heat").astype(float))
    # Every 8 colours: single steps are at the limit of 8-bit rounding.
    steps = np.linalg.norm(np.diff(lab[::8], axis=0), axis=1)
    assert (np.diff(lab[::4, 0]) > 0).all()
    assert steps.max() / steps.min() < 1.25  # "viridis" itself: about 1.4
    assert lab[0, 0] < 0.25 and lab[-1, 0] > 0.9


def test_heat_is_told_apart_in_greyscale() -> None:
    grey = np.asarray(Image.fromarray(draw.colour_table("heat")[None]).convert("L"), int)[0]
    assert (np.diff(grey[::4]) > 0).all()


def test_signed_is_equally_light_on_both_sides() -> None:
    lab = oklab(draw.colour_table("signed").astype(float))
    assert np.abs(lab[:, 0] - lab[::-1, 0]).max() < 0.03
    assert np.abs(lab[127:129, 1:]).max() < 0.01  # grey in the middle
    assert lab[0, 2] < -0.05 and lab[-1, 2] > 0.05  # blue, orange


def test_paper_is_the_rainbow() -> None:
    table = draw.colour_table("paper").astype(int)
    assert table[0].tolist() == [0, 0, 128] and table[-1].tolist() == [128, 0, 0]
    assert table[128].argmax() == 1  # green in the middle


def test_an_unknown_colour_map_is_refused() -> None:
    with pytest.raises(ValueError, match="heat, signed or paper"):
        draw.colour_table("viridis")


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


@given(hnp.arrays(np.float32, (4, 5), elements=st.floats(-100, 100, width=32)))
def test_the_hottest_cell_has_the_hottest_colour(cells: np.ndarray) -> None:
    pixels = decoded(draw.overlay(cells, "heat"))
    assert pixels.shape == (4, 5, 4)
    if cells.max() > 0:
        hottest = pixels[np.unravel_index(cells.argmax(), cells.shape)]
        assert hottest.tolist() == [*draw.colour_table("heat")[255], 255]
        coldest = pixels[np.unravel_index(cells.argmin(), cells.shape)]
        assert cells.min() > 0 or coldest[:3].tolist() == draw.colour_table("heat")[0].tolist()
    else:
        assert not pixels[..., 3].any()


def test_paper_covers_evenly() -> None:
    assert (decoded(draw.overlay(np.eye(3, dtype=np.float32), "paper"))[..., 3] == 255).all()


def unpacked(text: str) -> np.ndarray:
    """Signed bytes; a 0 is followed by the number of zeros that it stands for."""
    data = iter(base64.b64decode(text))
    cells: list[int] = []
    for value in data:
        cells += [value - 256 if value > 127 else value] if value else [0] * next(data)
    return np.array(cells)


@given(hnp.arrays(np.float32, (3, 4), elements=st.floats(-1000, 1000, width=32)))
@example(np.full((3, 4), 1e-45, np.float32))
@example(np.array([[0, 0, 0, 5], [-5, 0, 1, 0], [0, 0, 0, 0]], np.float32))
def test_packed_cells_are_close_and_keep_their_sign(cells: np.ndarray) -> None:
    packed = draw.pack(cells)
    step, text = packed["step"], packed["cells"]
    assert isinstance(step, float) and isinstance(text, str)
    back = unpacked(text).reshape(3, 4) * step
    # Half a step of rounding, and the step itself is written with six digits.
    assert np.abs(back - cells).max() <= step * 0.501 + 1e-4 * np.abs(cells).max() + 1e-30
    assert (np.sign(back) * np.sign(cells) >= 0).all()


def test_a_long_run_of_zeros_is_packed_in_parts() -> None:
    cells = np.zeros(600, np.float32)
    cells[[0, 599]] = 1, -1
    text = draw.pack(cells)["cells"]
    assert isinstance(text, str) and list(base64.b64decode(text)) == [127, 0, 255, 0, 255, 0, 88, 129]
    assert unpacked(text).tolist() == [127, *[0] * 598, -127]
    assert list(base64.b64decode(str(draw.pack(np.zeros((2, 3), np.float32))["cells"]))) == [0, 6]


def test_bars_show_sign_by_side_and_class() -> None:
    plus = ET.fromstring(str(draw.signed_bar(0.5))).find("rect")
    minus = ET.fromstring(str(draw.signed_bar(-0.5))).find("rect")
    assert plus is not None and minus is not None
    assert (plus.get("class"), plus.get("x"), plus.get("width")) == ("plus", "50", "25")
    assert (minus.get("class"), minus.get("x"), minus.get("width")) == ("minus", "25", "25")


def test_an_interval_lies_on_its_axis() -> None:
    chart = ET.fromstring(str(draw.interval_bar(0.5, 0.25, 0.75, 0.0, 1.0)))
    reach, dot = chart.findall("line")[2], chart.find("circle")
    assert dot is not None and dot.get("cx") == "50%"
    assert (reach.get("x1"), reach.get("x2")) == ("25%", "75%")
    flat = ET.fromstring(str(draw.interval_bar(2.0, 2.0, 2.0, 2.0, 2.0))).find("circle")
    assert flat is not None and flat.get("cx") == "0%"


def test_an_iou_with_its_interval() -> None:
    track, bar, reach = ET.fromstring(str(draw.iou_bar(0.25, 0.125, 0.5))).findall("rect")
    assert (track.get("width"), bar.get("class"), bar.get("width")) == ("100", "plus", "25")
    assert (reach.get("class"), reach.get("x"), reach.get("width")) == ("reach", "12.5", "37.5")
    assert str(draw.iou_bar(0.25, None, None, "quiet")) == str(draw.share_bar(0.25, "quiet"))


def test_shrink_keeps_what_is_already_smaller() -> None:
    photograph = webp(scene(200, 120), quality=10)
    assert draw.shrink(photograph, 95) == photograph
    small = draw.shrink(webp(scene(384, 96), quality=95), 40, 48)
    assert draw.image_size(small) == (192, 48)


def test_data_addresses_say_what_they_hold() -> None:
    assert draw.data_uri(draw.overlay(np.ones((2, 2), np.float32), "heat")).startswith(
        "data:image/png;base64,"
    )
    assert draw.data_uri(webp(scene(8, 8))).startswith("data:image/webp;base64,")
