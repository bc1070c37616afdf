"""Folders of masks, tables of whole-image labels, and plain photographs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from concept_sets import (
    FOLDER_LABELS,
    FOLDER_MASK,
    write_csv,
    write_folder,
    write_image_labels,
    write_mask,
    write_photo,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from dissection.concepts import NO_LABEL, Concept, ConceptDataset
from dissection.images import ImageError
from dissection.readers.errors import ConceptSetError, MissingFileError
from dissection.readers.folder import MaskFolder
from dissection.readers.image_labels import ImageLabels
from dissection.readers.photographs import Photographs

HOSTILE = ("<script>alert('x')</script>", '"quoted", with a comma', "🚗 <b>", "מכונית", "NA", "007")


@pytest.mark.parametrize("index", [True, False])
def test_masks_with_a_label_table(tmp_path: Path, index: bool) -> None:
    folder = MaskFolder(write_folder(tmp_path, index=index))
    assert isinstance(folder, ConceptDataset)
    assert list(folder.concepts) == [Concept(name, category) for _, name, category in FOLDER_LABELS]
    ids = [folder.image_id(i) for i in range(len(folder))]
    assert ids == (["images/b.png", "images/a.png"] if index else ["images/a.png", "images/b.png"])
    labels = folder.labels(0, 4)
    numbers = {0: 0, 3: 1, 7: 2, 9: NO_LABEL}  # 0 has a row, 9 has none
    assert labels.layers.tolist() == [[[numbers[v] for v in FOLDER_MASK[y // 2]] for y in range(4)]]
    assert labels.categories == {"object", "part"} and labels.whole == ()


def test_zero_without_a_row_is_no_label(tmp_path: Path) -> None:
    write_folder(tmp_path)
    write_csv(tmp_path / "labels.csv", [("value", "name", "category"), (7, "car", "object")])
    labels = MaskFolder(tmp_path).labels(0, 4)
    assert sorted(set(labels.layers.ravel().tolist())) == [NO_LABEL, 0]
    write_mask(tmp_path / "masks/a.png", np.zeros((2, 4)))
    assert MaskFolder(tmp_path).labels(1, 4).empty, "a mask of zeros is an image without any label"


def test_nested_folders_pair_by_their_path(tmp_path: Path) -> None:
    write_folder(tmp_path, index=False)
    write_photo(tmp_path / "images/x/a.jpeg", 4, 2)
    write_mask(tmp_path / "masks/x/a.tiff", FOLDER_MASK, np.int32)
    folder = MaskFolder(tmp_path)
    assert [folder.image_id(i) for i in range(3)] == ["images/a.png", "images/b.png", "images/x/a.jpeg"]
    np.testing.assert_array_equal(folder.labels(2, 4).layers, folder.labels(0, 4).layers)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([(np.uint8, "png"), (np.uint16, "png"), (np.uint16, "tiff"), (np.int32, "tiff")]),
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=7),
    st.integers(1, 9),
    st.integers(0, 99),
)
def test_labels_equal_a_loop_over_pixels(
    tmp_path: Path, kind: tuple[type, str], shape: tuple[int, int], size: int, seed: int
) -> None:
    dtype, suffix = kind
    known = {0: "zero", 5: "five", int(np.iinfo(dtype).max): "last"}
    values = np.random.default_rng(seed).choice([*known, 6, 77], shape).astype(dtype)
    shutil.rmtree(tmp_path / "set", ignore_errors=True)
    write_photo(tmp_path / "set/images/a.png", shape[1], shape[0])
    write_mask(tmp_path / f"set/masks/a.{suffix}", values, dtype)
    rows = [(value, name, "object") for value, name in known.items()]
    write_csv(tmp_path / "set/labels.csv", [("value", "name", "category"), *rows])
    folder = MaskFolder(tmp_path / "set")
    found = folder.labels(0, size).layers[0]
    kept = Image.fromarray(values.astype(np.int32)).resize((size, size), Image.Resampling.NEAREST)
    names = [concept.name for concept in folder.concepts]
    for y in range(size):
        for x in range(size):
            number = int(found[y, x])
            assert (names[number] if number >= 0 else None) == known.get(int(kept.getpixel((x, y))))


def test_masks_lie_in_the_upright_frame(tmp_path: Path) -> None:
    """A photograph stored on its side: the mask has the size that people see."""
    write_folder(tmp_path, index=False)
    exif = Image.Exif()
    exif[0x0112] = 6
    for stem in ("a", "b"):
        Image.new("RGB", (2, 4)).save(tmp_path / f"images/{stem}.png", exif=exif)  # upright: 4 × 2
    folder = MaskFolder(tmp_path)
    assert folder.image(0).size == (4, 2) and folder.labels(0, 4).layers.shape == (1, 4, 4)
    write_mask(tmp_path / "masks/a.png", np.zeros((4, 2)))  # the size as stored
    with pytest.raises(
        ConceptSetError,
        match=r"masks/a\.png: the mask is 2 × 4 pixels, its upright image .*a\.png is 4 × 2; they must",
    ):
        folder.labels(0, 4)


def test_rgb_and_unreadable_masks(tmp_path: Path) -> None:
    folder = MaskFolder(write_folder(tmp_path, index=False))
    Image.new("RGB", (4, 2)).save(tmp_path / "masks/a.png")
    with pytest.raises(
        ImageError, match=r"a\.png: is an RGB image, a mask with one channel \(8, 16 or 32 bits\)"
    ):
        folder.labels(0, 4)
    (tmp_path / "masks/a.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"a\.png: not an image"):
        folder.labels(0, 4)
    (tmp_path / "masks/a.png").unlink()
    with pytest.raises(ImageError, match=r"a\.png: no such image file"):
        folder.labels(0, 4)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (("images/no.png", "masks/a.png"), r"index\.csv, line 3: image 'images/no\.png' does not exist"),
        (
            ("images/a.png", "masks/no.png"),
            r"index\.csv, line 3: mask 'masks/no\.png' does not exist in .*only missing",
        ),
        (("images/a.png", ""), r"index\.csv, line 3: mask is empty"),
        (("../a.png", "masks/a.png"), r"index\.csv, line 3: image '\.\./a\.png' points outside the set"),
        (("images/a.png", "/a.png"), r"index\.csv, line 3: mask '/a\.png' points outside the set"),
        (
            ("images/b.png", "masks/a.png"),
            r"index\.csv, line 3: image 'images/b\.png' is also in index\.csv, line 2",
        ),
        (("images", "masks/a.png"), r"index\.csv, line 3: image 'images' is a folder"),
    ],
)
def test_broken_index(tmp_path: Path, row: tuple[str, str], sentence: str) -> None:
    write_folder(tmp_path)
    write_csv(tmp_path / "index.csv", [("image", "mask"), ("images/b.png", "masks/b.png"), row])
    with pytest.raises(ConceptSetError, match=sentence):
        MaskFolder(tmp_path)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ((0, "x", "object"), r"labels\.csv, line 3: value 0 is there twice; a value is one label"),
        (("a", "x", "object"), r"labels\.csv, line 3: value is 'a', a whole number"),
        ((1, "", "object"), r"labels\.csv, line 3: column 'name' is empty"),
        ((1, "x", ""), r"labels\.csv, line 3: column 'category' is empty"),
        ((1, "x"), r"labels\.csv, line 3: has 2 cells"),
    ],
)
def test_broken_label_table(tmp_path: Path, row: tuple[object, ...], sentence: str) -> None:
    write_folder(tmp_path)
    write_csv(tmp_path / "labels.csv", [("value", "name", "category"), (0, "road", "object"), row])
    with pytest.raises(ConceptSetError, match=sentence):
        MaskFolder(tmp_path)


def test_files_without_a_partner(tmp_path: Path) -> None:
    write_folder(tmp_path, index=False)
    write_photo(tmp_path / "images/c.png")
    with pytest.raises(
        MissingFileError, match=r"images/c\.png has no mask masks/c\.png \(1 images have none\)"
    ):
        MaskFolder(tmp_path)
    (tmp_path / "images/c.png").unlink()
    write_mask(tmp_path / "masks/d.png", [[1]])
    with pytest.raises(
        MissingFileError, match=r"masks/d\.png has no image images/d\.jpg \(1 masks have none\)"
    ):
        MaskFolder(tmp_path)
    write_photo(tmp_path / "images/d.png")
    write_photo(tmp_path / "images/d.jpg")
    with pytest.raises(ConceptSetError, match=r"images/d\.jpg and images/d\.png have the same stem"):
        MaskFolder(tmp_path)


def test_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"labels\.csv: no such file"):
        MaskFolder(tmp_path)
    write_csv(tmp_path / "labels.csv", [("value", "name", "category"), *FOLDER_LABELS])
    with pytest.raises(ConceptSetError, match="holds no images"):
        MaskFolder(tmp_path)


def test_hostile_names_survive(tmp_path: Path) -> None:
    write_folder(tmp_path)
    rows = [(value, name, f"part of {name}") for value, name in enumerate(HOSTILE)]
    write_csv(tmp_path / "labels.csv", [("value", "name", "category"), *rows])
    assert [c.name for c in MaskFolder(tmp_path).concepts] == list(HOSTILE)
    assert [c.category for c in MaskFolder(tmp_path).concepts] == [f"part of {name}" for name in HOSTILE]


def test_hostile_file_names_survive(tmp_path: Path) -> None:
    names = ["<img src=x>.png", "a, b; \"c\" 'd'.png", "🚗.png", "\u202eגפ.png", "-rf.png", "a\nb.png"]
    for name in names:
        write_photo(tmp_path / name)
    write_csv(tmp_path / "labels.csv", [("image", "scene"), *[(name, "street") for name in names]])
    labels = ImageLabels(tmp_path / "labels.csv")
    assert [labels.image_id(i) for i in range(len(names))] == names
    assert all(labels.image(i).size == (6, 4) for i in range(len(names)))
    assert sorted(names) == [Photographs(tmp_path).image_id(i) for i in range(len(names))]


def test_fingerprint_of_masks(tmp_path: Path) -> None:
    one, two = write_folder(tmp_path / "one"), write_folder(tmp_path / "two")
    before = MaskFolder(one).fingerprint
    assert MaskFolder(two).fingerprint == before
    write_mask(two / "masks/a.png", np.roll(FOLDER_MASK, 1))
    assert MaskFolder(two).fingerprint != before, "contents of masks count in a small set"
    assert MaskFolder(write_folder(tmp_path / "three", index=False)).fingerprint != before


def test_fingerprint_of_a_large_set_looks_at_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissection.readers.files.HASHED_BYTES", 0)
    one, two = write_folder(tmp_path / "one"), write_folder(tmp_path / "two")
    before = MaskFolder(one).fingerprint
    assert MaskFolder(two).fingerprint == before
    (two / "masks/a.png").write_bytes((two / "masks/a.png").read_bytes() + b"x")
    assert MaskFolder(two).fingerprint != before


# Whole-image labels


def test_image_labels(tmp_path: Path) -> None:
    labels = ImageLabels(write_image_labels(tmp_path))
    assert isinstance(labels, ConceptDataset)
    assert [str(c) for c in labels.concepts] == [
        "street (scene)",
        "busy (mood)",
        "loud (mood)",
        "beach (scene)",
    ]
    first, second, third = (labels.labels(i, 3) for i in range(3))
    assert first.whole == (0, 1, 2) and first.categories == {"scene", "mood"}
    assert second.whole == (3,) and second.categories == {"scene"}
    assert third.empty and third.categories == frozenset() and third.layers.shape == (0, 3, 3)
    assert labels.image_id(1) == "photos/2.png" and labels.image(1).mode == "RGB"


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            [("img", "scene"), ("photos/1.png", "a")],
            r"labels\.csv: the first column is 'img', 'image' was expected",
        ),
        ([("image",), ("photos/1.png",)], r"labels\.csv: after 'image' a named column per category"),
        ([("image", ""), ("photos/1.png", "a")], r"labels\.csv: after 'image' a named column per category"),
        ([("image", "scene"), ("no.png", "a")], r"labels\.csv, line 2: image 'no\.png' does not exist"),
        ([("image", "scene"), ("", "a")], r"labels\.csv, line 2: image is empty"),
        (
            [("image", "scene"), ("../x.png", "a")],
            r"labels\.csv, line 2: image '\.\./x\.png' points outside the set",
        ),
        (
            [("image", "scene"), ("photos/1.png", "a"), ("./photos/1.png", "b")],
            r"labels\.csv, line 3: image 'photos/1\.png' is also in labels\.csv, line 2",
        ),
    ],
)
def test_broken_image_labels(tmp_path: Path, rows: list[tuple[str, ...]], sentence: str) -> None:
    path = write_image_labels(tmp_path)
    write_csv(path, rows)
    with pytest.raises(ConceptSetError, match=sentence):
        ImageLabels(path)


def test_image_labels_need_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConceptSetError, match="is a folder, a CSV file was expected"):
        ImageLabels(tmp_path)
    with pytest.raises(MissingFileError, match=r"no\.csv: no such file"):
        ImageLabels(tmp_path / "no.csv")


@pytest.mark.data
def test_real_textures_and_scenes(data_dir: Path) -> None:
    textures = ImageLabels(data_dir / "dtd10_textures/labels.csv")
    assert len(textures) == 400 and len(textures.concepts) == 10
    assert textures.labels(0, 7).categories == {"texture"}
    assert textures.concepts[textures.labels(0, 7).whole[0]] == Concept("banded", "texture")
    scenes = ImageLabels(data_dir / "intel_scenes6/labels.csv")
    assert len(scenes) == 360
    assert {c.name for c in scenes.concepts} == {
        "buildings",
        "forest",
        "glacier",
        "mountain",
        "sea",
        "street",
    }
    assert scenes.image(359).size == (100, 100)


# Photographs


def test_photographs(tmp_path: Path) -> None:
    for name in ("b.JPG", "sub/c.webp", "a.png", ".hidden.png"):
        write_photo(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    photos = Photographs(tmp_path)
    assert isinstance(photos, ConceptDataset)
    assert [photos.image_id(i) for i in range(len(photos))] == ["a.png", "b.JPG", "sub/c.webp"]
    labels = photos.labels(0, 5)
    assert labels.empty and labels.categories == frozenset() and list(photos.concepts) == []
    with pytest.raises(IndexError):
        photos.labels(3, 5)


def test_photographs_need_some(tmp_path: Path) -> None:
    with pytest.raises(ConceptSetError, match="holds no images"):
        Photographs(tmp_path)
    (tmp_path / "out.png").symlink_to("/etc/hostname")
    with pytest.raises(ConceptSetError, match=r"image 'out\.png' points outside the set"):
        Photographs(tmp_path)
