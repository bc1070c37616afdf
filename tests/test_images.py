"""Any image file comes out upright and RGB, or as one sentence that names it."""

from __future__ import annotations

import io
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from concept_sets import png_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from dissection.images import ImageError, MissingImageError, orientation, read_image, squash, upright_size

RGB = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[10, 20, 30], [200, 100, 50], [255, 255, 255]]], np.uint8
)

# EXIF's own definition: how the stored rows and columns become the upright picture.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def pixels(path: Path) -> NDArray[np.uint8]:
    image = read_image(path)
    assert image.mode == "RGB"
    return np.asarray(image)


def test_plain_image_is_unchanged(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png")
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), RGB)
    np.testing.assert_array_equal(np.asarray(read_image(str(tmp_path / "a.png"))), RGB)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tiff", "webp"])
def test_exif_orientation_is_applied(tmp_path: Path, turn: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    path = tmp_path / f"a.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(RGB).save(path, exif=exif, **options)
    expected = UPRIGHT[turn](RGB)
    np.testing.assert_array_equal(pixels(path), expected)
    assert upright_size(path) == (expected.shape[1], expected.shape[0])
    assert orientation(path) == turn
    assert not read_image(path).getexif(), "a kept orientation would be applied twice"


def test_exif_orientation_of_a_jpeg(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.zeros((16, 32, 3), np.uint8)
    stored[:, :16] = 255  # left half white; turned to the right it becomes the upper half
    Image.fromarray(stored).save(tmp_path / "a.jpg", exif=exif)
    upright = pixels(tmp_path / "a.jpg")
    assert upright.shape == (32, 16, 3) and upright[:12].min() > 200 and upright[20:].max() < 50
    assert upright_size(tmp_path / "a.jpg") == (16, 32)


def test_nonsense_orientation_is_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 42
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), RGB)
    assert orientation(tmp_path / "a.png") == 1


def test_cmyk(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    red = pixels(tmp_path / "a.jpg").astype(int)
    assert abs(red - [255, 0, 0]).max() <= 3  # what JPEG's rounding may change


def test_grey_and_one_bit(tmp_path: Path) -> None:
    grey = np.array([[0, 7, 255]], np.uint8)
    Image.fromarray(grey).save(tmp_path / "l.png")
    np.testing.assert_array_equal(pixels(tmp_path / "l.png"), np.repeat(grey[..., None], 3, axis=2))
    Image.fromarray(grey > 5).save(tmp_path / "1.png")
    assert pixels(tmp_path / "1.png")[0].tolist() == [[0] * 3, [255] * 3, [255] * 3]


@pytest.mark.parametrize(("suffix", "dtype"), [("png", np.uint16), ("tiff", np.uint16), ("tiff", np.int32)])
def test_sixteen_bits_keep_their_high_byte(tmp_path: Path, suffix: str, dtype: type) -> None:
    values = np.array([[0, 255, 256, 0x1234, 0x8000, 0xFFFF]], dtype)
    Image.fromarray(values).save(tmp_path / f"a.{suffix}")
    assert pixels(tmp_path / f"a.{suffix}")[0, :, 0].tolist() == [0, 0, 1, 0x12, 0x80, 0xFF]


def test_sixteen_bits_a_channel(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_bytes(1, 1, 16, 2, [bytes([0x12, 0xFF, 0x80, 0x00, 0xFE, 0x01])]))
    assert pixels(tmp_path / "a.png")[0, 0].tolist() == [0x12, 0x80, 0xFE]


def test_transparency_is_composited_on_white(tmp_path: Path) -> None:
    rgba = np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 128]]], np.uint8)
    Image.fromarray(rgba).save(tmp_path / "rgba.png")
    assert pixels(tmp_path / "rgba.png")[0].tolist() == [[255, 0, 0], [255, 255, 255], [127, 127, 127]]
    Image.fromarray(rgba).convert("LA").save(tmp_path / "la.png")
    assert pixels(tmp_path / "la.png")[0, 1].tolist() == [255, 255, 255]
    Image.fromarray(rgba[..., :3]).save(tmp_path / "trns.png", transparency=(255, 0, 0))
    assert pixels(tmp_path / "trns.png")[0].tolist() == [[255, 255, 255], [255, 255, 255], [0, 0, 0]]


@pytest.mark.parametrize("transparency", [1, bytes([255, 0])])
def test_palette_with_transparency(tmp_path: Path, transparency: int | bytes) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 255, 0, 255, 0])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=transparency)
    assert pixels(tmp_path / "a.png")[0].tolist() == [[0, 0, 255], [255, 255, 255]]


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tiff"])
def test_animation_gives_its_first_frame(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue", "lime")]
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], **options)
    assert (pixels(tmp_path / f"a.{suffix}") == [255, 0, 0]).all()


def test_values_without_a_known_white_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0.0, 1.0]], np.float32)).save(tmp_path / "f.tiff")
    with pytest.raises(ImageError, match=r"f\.tiff: holds floating-point values"):
        read_image(tmp_path / "f.tiff")
    Image.fromarray(np.array([[0, 65536]], np.int32)).save(tmp_path / "i.tiff")
    with pytest.raises(ImageError, match=r"i\.tiff: has grey values 0 to 65536, 0 to 65535 was expected"):
        read_image(tmp_path / "i.tiff")


def one_sentence(error: Exception, path: Path) -> str:
    text = str(error)
    assert text.startswith(str(path)) and "\n" not in text
    return text


def test_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "no.jpg"
    for read in (read_image, upright_size):
        with pytest.raises(MissingImageError) as caught:
            read(path)
        assert isinstance(caught.value, FileNotFoundError) and isinstance(caught.value, ValueError)
        assert one_sentence(caught.value, path).endswith("no such image file")


def test_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="is a folder, an image file was expected") as caught:
        read_image(tmp_path)
    one_sentence(caught.value, tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty, an image was expected"),
        (b"hello, this is text", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "not an image"),
    ],
)
def test_files_that_are_no_images(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=reason) as caught:
        read_image(path)
    one_sentence(caught.value, path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "bmp"])
def test_truncated_file(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / f"whole.{suffix}")
    content = (tmp_path / f"whole.{suffix}").read_bytes()
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageError, match=r"truncated or damaged|not an image") as caught:
        read_image(path)
    one_sentence(caught.value, path)


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"])
def test_damaged_bytes_are_an_image_error_or_an_image(tmp_path: Path, kind: str) -> None:
    whole = encoded(kind)
    path = tmp_path / "a"

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, len(whole) - 1), st.binary(min_size=1, max_size=4), st.integers(1, len(whole)))
    def run(at: int, patch: bytes, length: int) -> None:
        path.write_bytes((whole[:at] + patch + whole[at + len(patch) :])[:length])
        for read in (read_image, upright_size):
            try:
                read(path)
            except ImageError as error:
                assert str(path) in str(error)

    run()


def test_too_many_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (10, 10)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    with pytest.raises(ImageError, match=r"a\.png: has more than 80 pixels; make it smaller"):
        read_image(tmp_path / "a.png")


def test_many_pixels_are_read_without_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (10, 10)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 60)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert read_image(tmp_path / "a.png").size == (10, 10)
    assert not caught


def test_warnings_of_others_and_the_filters_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (10, 10)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 60)  # Pillow would warn each time
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        sizes = list(pool.map(lambda _: read_image(tmp_path / "a.png").size, range(64)))
    assert sizes == [(10, 10)] * 64
    assert warnings.filters == before
    with pytest.raises(Image.DecompressionBombWarning):
        Image.open(tmp_path / "a.png")


def test_squash_takes_the_whole_image() -> None:
    image = Image.fromarray(RGB)
    assert squash(image, 2).size == (2, 2)
    np.testing.assert_array_equal(
        np.asarray(squash(image, 5)), np.asarray(image.resize((5, 5), Image.Resampling.BILINEAR))
    )


@pytest.mark.data
def test_real_photographs_are_rgb(data_dir: Path) -> None:
    photos = sorted((data_dir / "coco_panoptic256/images/val2017").glob("*.jpg"))[:12]
    for photo in photos:
        image = read_image(photo)
        assert image.mode == "RGB" and image.size == upright_size(photo)
        with Image.open(photo) as direct:
            np.testing.assert_array_equal(np.asarray(image), np.asarray(direct.convert("RGB")))
    assert re.fullmatch(r"\d{12}", photos[0].stem)
