"""Segments written in COCO's panoptic layout: pixel by pixel through the reader, and number by number in the JSON."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dissection.artifact import ArtifactError
from dissection.concepts import NO_LABEL, Concept, ConceptNameError
from dissection.readers.coco import CocoPanoptic, open_coco
from dissection.readers.errors import ConceptSetError
from dissection.writers import PanopticImage, write_coco_panoptic

SKY, CUP, GRID = Concept("sky", "object"), Concept("cup", "object"), Concept("grid", "texture")


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def one(
    numbers: Any,
    segments: dict[int, tuple[Concept, bool]],
    dtype: Any = np.int32,
    image_id: str = "photo.jpg",
) -> PanopticImage:
    drawn = np.array(numbers, dtype)
    return PanopticImage(image_id, picture(drawn.shape[1], drawn.shape[0]), drawn, segments)


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_ids_boxes_and_areas_counted_on_paper(tmp_path: Path) -> None:
    big = 16_777_215
    images = [
        one(
            [[7, 7, 7, 7, 0], [7, 300, 300, 7, 0], [7, 7, 300, 7, 70_000]],
            {7: (SKY, False), 300: (CUP, True), 70_000: (CUP, True), 9: (CUP, True)},
            image_id="a/kitchen sink.jpg",
        ),
        one([[0, big]], {big: (SKY, False)}, np.int64),
    ]
    written = write_coco_panoptic(images, [GRID, SKY, CUP], tmp_path / "out")
    assert (written.images, written.concepts, written.categories) == (2, 2, 1)
    data = json.loads((tmp_path / "out/annotations/panoptic_all.json").read_text(encoding="utf-8"))
    name = "000000-kitchen-sink.png"
    assert data["images"] == [
        {"id": 1, "file_name": name, "width": 5, "height": 3},
        {"id": 2, "file_name": "000001-photo.png", "width": 2, "height": 1},
    ]
    assert data["categories"] == [  # nothing says whether a grid is a thing
        {"id": 2, "name": "sky", "supercategory": "object", "isthing": 0},
        {"id": 3, "name": "cup", "supercategory": "object", "isthing": 1},
    ]
    assert data["annotations"][0] == {
        "image_id": 1,
        "file_name": name,
        "segments_info": [  # 9 is hidden by others
            {"id": 7, "category_id": 2, "area": 9, "bbox": [0, 0, 4, 3], "iscrowd": 0},
            {"id": 300, "category_id": 3, "area": 3, "bbox": [1, 1, 2, 2], "iscrowd": 0},
            {"id": 70_000, "category_id": 3, "area": 1, "bbox": [4, 2, 1, 1], "iscrowd": 0},
        ],
    }
    pixels = np.asarray(Image.open(tmp_path / "out/annotations/panoptic_all" / name))
    assert pixels[1, 1].tolist() == [300 - 256, 1, 0]
    assert pixels[2, 4].tolist() == [70_000 - 65_536 - 17 * 256, 17, 1]
    assert pixels[0, 4].tolist() == [0, 0, 0]
    assert (
        np.asarray(Image.open(tmp_path / "out/annotations/panoptic_all/000001-photo.png"))[0, 1].tolist()
        == [255] * 3
    )
    assert Image.open(tmp_path / "out/images/all" / name).tobytes() == images[0].image.tobytes()


def _is_a_name(text: str) -> bool:
    try:
        Concept(text, "object")
    except ConceptNameError:  # signs that no label may hold
        return False
    return bool(text)


NAMES = (
    st.one_of(
        st.text(st.sampled_from(list(",;\"'()é猫🐱/\\a")), min_size=1, max_size=6),
        st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=6),
    )
    .map(str.strip)
    .filter(_is_a_name)
)


@st.composite
def panoptic_sets(draw: st.DrawFn) -> tuple[list[Concept], list[PanopticImage]]:
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    concepts = [Concept(name, category) for name in names for category in ("object", "part")]
    things = {concept: draw(st.booleans()) for concept in concepts}
    images = []
    for _ in range(draw(st.integers(1, 3))):
        numbers = draw(st.lists(st.integers(1, 2**24 - 1), max_size=4, unique=True))
        segments = {}
        for number in numbers:
            concept = draw(st.sampled_from(concepts))
            segments[number] = (concept, things[concept])
        height, width = draw(st.integers(1, 4)), draw(st.integers(1, 4))
        row = st.lists(st.sampled_from([0, *numbers]), min_size=width, max_size=width)
        images.append(
            one(draw(st.lists(row, min_size=height, max_size=height)), segments, np.int64, draw(NAMES))
        )
    return concepts, images


@settings(max_examples=100)
@given(panoptic_sets(), st.integers(1, 9))
def test_any_segments_come_back(drawn: tuple[list[Concept], list[PanopticImage]], size: int) -> None:
    concepts, images = drawn
    used = {concept for image in images for concept, _ in image.segments.values()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out"
        if not used:
            with pytest.raises(ConceptSetError, match="no segment"):
                write_coco_panoptic(images, concepts, path)
            assert listed(Path(folder)) == []
            return
        written = write_coco_panoptic(iter(images), concepts, path)
        assert listed(Path(folder)) == ["out"] and written.concepts == len(used)
        read = open_coco(path)
        assert isinstance(read, CocoPanoptic) and len(read) == len(images)
        # the reader calls all of them objects, so equal names of two categories become one
        assert set(read.concepts) == {Concept(concept.name, "object") for concept in used}
        for index, image in enumerate(images):
            assert read.image(index).tobytes() == image.image.tobytes()
            resized = Image.fromarray(image.segment_map.astype(np.int32)).resize(
                (size, size), Image.Resampling.NEAREST
            )
            (layer,) = read.labels(index, size).layers
            for number, label in zip(
                np.asarray(resized).ravel().tolist(), layer.ravel().tolist(), strict=True
            ):
                assert (label == NO_LABEL) == (number == 0)
                if number:
                    assert read.concepts[label].name == image.segments[number][0].name


def test_an_image_without_a_segment_is_a_member(tmp_path: Path) -> None:
    images = [one([[0, 0]], {}), one([[1, 1]], {1: (CUP, True)})]
    write_coco_panoptic(images, [CUP], tmp_path / "out")
    read = open_coco(tmp_path / "out")
    assert len(read) == 2
    assert read.labels(0, 2).empty and not read.labels(1, 2).empty


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int64, np.uint64])
def test_every_type_of_integers_does(tmp_path: Path, dtype: Any) -> None:
    write_coco_panoptic([one([[0, 100]], {100: (CUP, True)}, dtype)], [CUP], tmp_path / "out")
    assert open_coco(tmp_path / "out").labels(0, 2).layers.tolist() == [[[NO_LABEL, 0]] * 2]


@pytest.mark.parametrize(
    ("numbers", "segments", "dtype", "words"),
    [
        ([[1]], {}, np.int32, "photo.jpg: segment 1 is in the map"),
        ([[-1]], {}, np.int32, "segment -1 is in the map"),
        ([[0]], {0: (CUP, True)}, np.int32, "segment 0, 1 to 16777215"),
        ([[0]], {2**24: (CUP, True)}, np.int32, "segment 16777216, 1 to 16777215"),
        ([[0.0]], {}, np.float32, r"float32 \[1, 1\], integers \[1, 1\]"),
        ([[True]], {1: (CUP, True)}, bool, "bool"),
    ],
)
def test_a_map_that_cannot_be_is_refused(numbers: Any, segments: Any, dtype: Any, words: str) -> None:
    with pytest.raises(ConceptSetError, match=words):
        one(numbers, segments, dtype)


def test_a_map_of_another_size_is_refused() -> None:
    with pytest.raises(ConceptSetError, match=r"int32 \[3, 2\], integers \[2, 3\]"):
        PanopticImage("photo.jpg", picture(3, 2), np.zeros((3, 2), np.int32), {})


@pytest.mark.parametrize(
    ("images", "categories", "words"),
    [
        ([], [CUP], "0 images"),
        ([one([[0]], {})], [CUP], "1 images with no segment"),
        ([one([[1]], {1: (CUP, True)})], [SKY], r"photo.jpg, segment 1: cup \(object\) is not among"),
        (
            [one([[1]], {1: (CUP, True)}), one([[1]], {1: (CUP, False)})],
            [CUP],
            r"cup \(object\) is both a thing and stuff",
        ),
        ([one([[1]], {1: (CUP, True)})], [CUP, Concept("", "object")], "white space"),
        ([one([[1]], {1: (CUP, True)})], [CUP, Concept(" a", "object")], "' a'.*white space"),
    ],
)
def test_what_the_layout_cannot_hold_is_refused_and_leaves_nothing(
    tmp_path: Path, images: list[PanopticImage], categories: list[Concept], words: str
) -> None:
    with pytest.raises(ConceptSetError, match=words):
        write_coco_panoptic(images, categories, tmp_path / "out")
    assert listed(tmp_path) == []


def test_a_failure_half_way_leaves_nothing_and_what_exists_stays(tmp_path: Path) -> None:
    there = []

    def broken() -> Iterator[PanopticImage]:
        yield one([[1]], {1: (CUP, True)})
        there.append(listed(tmp_path))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_coco_panoptic(broken(), [CUP], tmp_path / "out")
    assert len(there[0]) == 1 and listed(tmp_path) == []
    (tmp_path / "out").mkdir()
    with pytest.raises(ArtifactError, match="exists already"):
        write_coco_panoptic([one([[1]], {1: (CUP, True)})], [CUP], tmp_path / "out")
    assert listed(tmp_path) == ["out"] and listed(tmp_path / "out") == []
