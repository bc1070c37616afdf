"""COCO's two layouts give the same labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from concept_sets import (
    COCO_CATEGORIES,
    COCO_MASK,
    panoptic_json,
    write_coco_masks,
    write_coco_panoptic,
    write_mask,
    write_photo,
    write_rgb_mask,
)
from PIL import Image

from dissection.concepts import NO_LABEL, Concept, ConceptDataset
from dissection.readers.coco import CocoMasks, CocoPanoptic, open_coco
from dissection.readers.errors import ConceptSetError, MissingFileError

CONCEPTS = [Concept(str(c["name"]), "object") for c in COCO_CATEGORIES]
NUMBERS = {0: NO_LABEL, 1: 0, 44: 1, 187: 2}


@pytest.mark.parametrize("write", [write_coco_masks, write_coco_panoptic])
def test_both_layouts(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    coco = open_coco(write(tmp_path))
    assert isinstance(coco, ConceptDataset)
    assert list(coco.concepts) == CONCEPTS
    assert [coco.image_id(i) for i in range(len(coco))] == ["images/val2017/000000000001.png"], (
        "only annotated ones"
    )
    labels = coco.labels(0, 4)
    # 2 × 4 to 4 × 4: each row twice
    assert labels.layers.tolist() == [[[NUMBERS[v] for v in COCO_MASK[y // 2]] for y in range(4)]]
    assert labels.whole == () and labels.categories == {"object"}


@pytest.mark.parametrize("images", ["images/val2017", "val2017", "images"])
def test_places_of_the_images(tmp_path: Path, images: str) -> None:
    coco = open_coco(write_coco_panoptic(tmp_path, images))
    assert coco.image_id(0) == f"{images}/000000000001.png" and coco.image(0).size == (4, 2)


def test_panoptic_goes_before_masks(tmp_path: Path) -> None:
    write_coco_masks(tmp_path)
    assert isinstance(open_coco(tmp_path), CocoMasks)
    write_coco_panoptic(tmp_path)
    assert isinstance(open_coco(tmp_path), CocoPanoptic)


def test_a_split_that_is_not_unpacked_is_left_out_and_noted(tmp_path: Path) -> None:
    write_coco_panoptic(tmp_path)
    (tmp_path / "annotations/panoptic_train2017.json").write_text(json.dumps(panoptic_json()))
    coco = open_coco(tmp_path)
    assert len(coco) == 1
    assert coco.notes == (
        "annotations/panoptic_train2017.json: left out, no folder panoptic_train2017/ with PNGs is beside it",
    )


def test_splits_are_joined_by_name(tmp_path: Path) -> None:
    write_coco_panoptic(tmp_path)
    other = panoptic_json()
    other["categories"] = [
        {"id": 1, "name": "bottle"},
        {"id": 187, "name": "cup"},
        {"id": 44, "name": "person"},
    ]
    (tmp_path / "annotations/panoptic_train2017.json").write_text(json.dumps(other))
    write_rgb_mask(tmp_path / "annotations/panoptic_train2017/000000000001.png", [[7, 70_000, 300, 0]] * 2)
    write_photo(tmp_path / "images/train2017/000000000001.png", 4, 2)
    coco = open_coco(tmp_path)
    names = [concept.name for concept in coco.concepts]
    assert names == ["bottle", "cup", "person", "sky-other-merged"]
    assert [names[n] for n in coco.labels(0, 4).layers[0, 0] if n >= 0] == ["bottle", "cup", "person"]
    assert [names[n] for n in coco.labels(1, 4).layers[0, 0] if n >= 0] == [
        "person",
        "person",
        "sky-other-merged",
    ]


def test_no_coco_at_all(tmp_path: Path) -> None:
    with pytest.raises(
        MissingFileError, match=r"neither annotations/panoptic_SPLIT\.json .* was found there"
    ):
        open_coco(tmp_path)
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/panoptic_val2017.json").write_text(json.dumps(panoptic_json()))
    with pytest.raises(
        MissingFileError, match=r"there is no folder panoptic_val2017 beside it; unpack its PNGs"
    ):
        open_coco(tmp_path)
    (tmp_path / "annotations/panoptic_val2017").mkdir()
    with pytest.raises(MissingFileError, match=r"needs its images in images/val2017/, val2017/ or images/"):
        open_coco(tmp_path)


def change(path: str, value: Any) -> dict[str, Any]:
    """The panoptic JSON with one value replaced, or removed if it is None."""
    data = json.loads(json.dumps(panoptic_json()))
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    place: Any = data
    for key in parents:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return data


WHERE = r"annotations/panoptic_val2017\.json, annotation of image 1"


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("annotations", None, r"panoptic_val2017\.json: 'annotations' is missing; the layout of COCO's"),
        ("annotations", 3, r"panoptic_val2017\.json: 'annotations' is int, a list was expected"),
        ("annotations", [], "holds no images"),
        ("categories", [], r"panoptic_val2017\.json: a list of categories with 'id' and 'name' was expected"),
        ("categories.1.id", 1, r"panoptic_val2017\.json: category id 1 is there twice or has no name"),
        ("categories.1.id", "x", r"panoptic_val2017\.json: 'id' is 'x', a whole number"),
        ("annotations.0.image_id", 5, "annotation of image 5: 'images' has no image with that id"),
        ("annotations.0.file_name", None, WHERE + ": 'file_name' is missing"),
        ("annotations.0.file_name", "../x.png", WHERE + r": PNG '.*' does not exist"),
        ("annotations.0.file_name", "../../../x.png", WHERE + ": PNG '.*' points outside the set"),
        ("images.0.file_name", "../../../x.png", WHERE + ": image '.*' points outside the set"),
        ("images.0.file_name", "no.jpg", WHERE + r": image 'images/val2017/no\.jpg' does not exist"),
        ("annotations.0.segments_info.0.category_id", 9, WHERE + ": category id 9 is not in 'categories'"),
        ("annotations.0.segments_info.0.id", [], WHERE + r": 'id' is \[\], a whole number"),
    ],
)
def test_broken_json(tmp_path: Path, path: str, value: Any, sentence: str) -> None:
    write_coco_panoptic(tmp_path)
    (tmp_path / "annotations/panoptic_val2017.json").write_text(json.dumps(change(path, value)))
    with pytest.raises(ConceptSetError, match=sentence):
        open_coco(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_not_json(tmp_path: Path, content: bytes) -> None:
    write_coco_panoptic(tmp_path)
    (tmp_path / "annotations/panoptic_val2017.json").write_bytes(content)
    with pytest.raises(ConceptSetError, match=r"panoptic_val2017\.json: is not JSON in UTF-8"):
        open_coco(tmp_path)


def test_numbers_that_the_tables_lack(tmp_path: Path) -> None:
    panoptic = open_coco(write_coco_panoptic(tmp_path / "panoptic"))
    write_rgb_mask(tmp_path / "panoptic/annotations/panoptic_val2017/000000000001.png", [[7, 7, 8, 7]] * 2)
    with pytest.raises(ConceptSetError, match=r"000000000001\.png: segment 8 is not in the segments_info"):
        panoptic.labels(0, 4)
    masks = open_coco(write_coco_masks(tmp_path / "masks"))
    write_mask(tmp_path / "masks/semantic_segmentation/masks/val2017/000000000001.png", [[1, 1, 2, 1]] * 2)
    with pytest.raises(ConceptSetError, match=r"000000000001\.png: category id 2 is not in categories\.json"):
        masks.labels(0, 4)


@pytest.mark.parametrize("write", [write_coco_masks, write_coco_panoptic])
def test_an_image_of_another_size(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    coco = open_coco(write(tmp_path))
    write_photo(tmp_path / coco.image_id(0), 5, 2)
    with pytest.raises(
        ConceptSetError,
        match=r"1\.png: the mask is 4 × 2 pixels, its upright image .*1\.png is 5 × 2; they must be",
    ):
        coco.labels(0, 4)


def test_a_mask_without_an_image(tmp_path: Path) -> None:
    write_coco_masks(tmp_path)
    (tmp_path / "images/val2017/000000000001.png").unlink()
    with pytest.raises(
        MissingFileError, match=r"masks/val2017/000000000001\.png has no image images/val2017/"
    ):
        open_coco(tmp_path)


@pytest.mark.data
def test_both_layouts_agree_on_real_photographs(data_dir: Path) -> None:
    root = data_dir / "coco_panoptic256"
    panoptic, masks = open_coco(root), CocoMasks(root, "semantic_segmentation/masks")
    assert isinstance(panoptic, CocoPanoptic)
    assert (
        len(panoptic) == len(masks) == 200
        and panoptic.concepts == masks.concepts
        and len(panoptic.concepts) == 133
    )
    for index in range(0, 200, 10):
        assert panoptic.image_id(index) == masks.image_id(index)
        found = panoptic.labels(index, 112).layers
        np.testing.assert_array_equal(found, masks.labels(index, 112).layers)
        # against Pillow's own nearest of the category mask, value by value
        mask = root / "semantic_segmentation/masks" / Path(masks.image_id(index)).relative_to("images")
        with Image.open(mask.with_suffix(".png")) as image:
            values = np.asarray(image.resize((112, 112), Image.Resampling.NEAREST))
        ids = {c["name"]: c["id"] for c in json.loads((root / "categories.json").read_text())}
        back = np.array([*(ids[c.name] for c in panoptic.concepts), 0])
        np.testing.assert_array_equal(back[found[0]], values)
