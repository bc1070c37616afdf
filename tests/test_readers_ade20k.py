"""ADE20K's three layouts on disk: the benchmark of 150 objects, the full set of 2021, the full set of 2016."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from concept_sets import write_broden, write_mask, write_photo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dissection.concepts import NO_LABEL, Concept, ConceptDataset
from dissection.images import ImageError
from dissection.readers import open_concepts
from dissection.readers.ade20k import SceneParse150, open_ade20k
from dissection.readers.ade20k_full import FullAde20k
from dissection.readers.errors import ConceptSetError, MissingFileError


def photo(path: Path, width: int = 4, height: int = 2) -> None:
    """A photograph; its endings say JPEG, as the set's do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), (90, 120, 150)).save(path)


def names(dataset: ConceptDataset, layer: Any) -> list[list[str]]:
    """Label names of a layer, "" for no label."""
    return [
        [str(dataset.concepts[n]) if n != NO_LABEL else "" for n in row] for row in np.asarray(layer).tolist()
    ]


# SceneParse150

# Lines 8 and 22 end in a blank, or have one inside a cell, in the published file too.
OBJECTS = (
    "Idx\tRatio\tTrain\tVal\tName",
    "1\t0.1576\t11664\t1172\twall",
    "2\t0.1072\t6046\t612\tbuilding, edifice",
    "8\t0.0231\t1906\t199\tbed ",
    "22 \t0.0074\t709\t75\twater",
    "150\t0.0002\t421\t56\tflag",
)
ANNOTATION = ((0, 1, 2, 8), (22, 150, 0, 0))


def write_benchmark(root: Path, *, scenes: Sequence[str] | None = None) -> Path:
    """Two training images, of which one has a scene, a validation image, and one that nobody labelled."""
    (root / "images").mkdir(parents=True, exist_ok=True)
    for name in ("training/ADE_train_00000001", "training/ADE_train_00000002", "validation/ADE_val_00000001"):
        photo(root / f"images/{name}.jpg")
        write_mask(root / f"annotations/{name}.png", ANNOTATION)
    photo(root / "images/training/ADE_train_00000003.jpg")
    (root / "objectInfo150.txt").write_text("\n".join(OBJECTS) + "\n")
    listed = (
        "ADE_train_00000001 airport_terminal",
        "ADE_train_00000002 misc",
        "ADE_train_00000003 badlands",
        "ADE_val_00000001 abbey",
    )
    (root / "sceneCategories.txt").write_text("\n".join(listed if scenes is None else scenes) + "\n")
    return root


def test_the_benchmark(tmp_path: Path) -> None:
    ade = open_ade20k(write_benchmark(tmp_path))
    assert isinstance(ade, SceneParse150) and isinstance(ade, ConceptDataset)
    objects = [Concept(name, "object") for name in ("wall", "building", "bed", "water", "flag")]
    scenes = [Concept("airport_terminal", "scene"), Concept("abbey", "scene")]
    assert list(ade.concepts) == objects + scenes, "badlands: its image has no annotation"
    assert [ade.image_id(i) for i in range(len(ade))] == [
        "images/training/ADE_train_00000001.jpg",
        "images/training/ADE_train_00000002.jpg",
        "images/validation/ADE_val_00000001.jpg",
    ]
    assert ade.image(0).size == (4, 2) and ade.notes == ()
    labels = ade.labels(0, 4)
    none = NO_LABEL
    assert labels.layers.tolist() == [
        [[none, 0, 1, 2], [none, 0, 1, 2], [3, 4, none, none], [3, 4, none, none]]
    ]
    assert labels.whole == (5,) and labels.categories == {"object", "scene"}
    assert ade.labels(2, 1).whole == (6,)


def test_misc_and_unlisted_images_carry_no_scene(tmp_path: Path) -> None:
    ade = open_ade20k(write_benchmark(tmp_path))
    assert ade.labels(1, 4).whole == () and ade.labels(1, 4).categories == {"object"}
    ade = open_ade20k(write_benchmark(tmp_path, scenes=["ADE_val_00000001 abbey"]))
    assert ade.labels(0, 4).categories == {"object"} and ade.labels(2, 4).categories == {"object", "scene"}


def test_a_benchmark_without_scenes(tmp_path: Path) -> None:
    write_benchmark(tmp_path)
    (tmp_path / "sceneCategories.txt").unlink()
    ade = open_ade20k(tmp_path)
    assert {concept.category for concept in ade.concepts} == {"object"}
    assert ade.notes == ("sceneCategories.txt is not there, so no image carries a scene",)
    assert ade.labels(0, 4).whole == () and ade.labels(0, 4).categories == {"object"}


def test_synonyms_stand_behind_commas_or_semicolons(tmp_path: Path) -> None:
    write_benchmark(tmp_path)
    lines = [*OBJECTS[:2], "2\t0.1\t1\t1\tcar;auto;automobile", *OBJECTS[3:]]
    (tmp_path / "objectInfo150.txt").write_text("\r\n".join(lines))
    assert [concept.name for concept in open_ade20k(tmp_path).concepts][:3] == ["wall", "car", "bed"]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 12), st.integers(0, 2**31))
def test_benchmark_labels_equal_a_loop_over_pixels(
    tmp_path: Path, height: int, width: int, size: int, seed: int
) -> None:
    write_benchmark(tmp_path)
    values = np.random.default_rng(seed).choice([0, 1, 2, 8, 22, 150], (height, width))
    photo(tmp_path / "images/training/ADE_train_00000001.jpg", width, height)
    write_mask(tmp_path / "annotations/training/ADE_train_00000001.png", values)
    found = open_ade20k(tmp_path).labels(0, size).layers[0]
    kept = Image.fromarray(values.astype(np.int32)).resize((size, size), Image.Resampling.NEAREST)
    place = {0: NO_LABEL, 1: 0, 2: 1, 8: 2, 22: 3, 150: 4}
    for y in range(size):
        for x in range(size):
            assert found[y, x] == place[int(kept.getpixel((x, y)))]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("2\t0.1\t1\t1\tsky", r"objectInfo150\.txt, line 7: Idx 2 is there twice"),
        (
            "3\t0.1\t1\t1\twall, barrier",
            r"line 7: 'wall' is also the name in objectInfo150\.txt, line 2; rename",
        ),
        ("3\t0.1\t1\t1\t, barrier", r"line 7: is '3.*barrier'; Idx \(from 1\), …, Name with tabs between"),
        ("0\t0.1\t1\t1\tother", r"line 7: is '0.*other'; Idx \(from 1\)"),
        ("x\t0.1\t1\t1\tsky", r"line 7: is 'x.*sky'; Idx \(from 1\)"),
        ("3 0.1 1 1 sky", r"line 7: is '3 0\.1 1 1 sky'; Idx \(from 1\), …, Name with tabs between"),
        ("3", r"line 7: is '3'; Idx \(from 1\)"),
    ],
)
def test_broken_object_tables(tmp_path: Path, line: str, sentence: str) -> None:
    write_benchmark(tmp_path)
    (tmp_path / "objectInfo150.txt").write_text("\n".join([*OBJECTS, line]))
    with pytest.raises(ConceptSetError, match=sentence):
        open_ade20k(tmp_path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"objectInfo150\.txt: is empty"),
        (OBJECTS[0].encode(), r"objectInfo150\.txt: has a header but no objects"),
        (OBJECTS[1].encode(), r"line 1: a header that begins with 'Idx' was expected"),
        (b"Idx\tName\n1\tcaf\xe9", r"objectInfo150\.txt: is not UTF-8 text"),
    ],
)
def test_no_object_table(tmp_path: Path, content: bytes, sentence: str) -> None:
    write_benchmark(tmp_path)
    (tmp_path / "objectInfo150.txt").write_bytes(content)
    with pytest.raises(ConceptSetError, match=sentence):
        open_ade20k(tmp_path)


def test_broken_scenes(tmp_path: Path) -> None:
    write_benchmark(tmp_path, scenes=["ADE_train_00000001 abbey", "ADE_train_00000002"])
    with pytest.raises(
        ConceptSetError, match=r"sceneCategories\.txt, line 2: is 'ADE_train_00000002', an image's"
    ):
        open_ade20k(tmp_path)
    write_benchmark(tmp_path, scenes=["ADE_train_00000001 abbey"] * 2 + ["ADE_train_00000001 attic"])
    with pytest.raises(ConceptSetError, match="line 3: ADE_train_00000001 is 'attic' here and 'abbey' above"):
        open_ade20k(tmp_path)


def test_broken_annotations(tmp_path: Path) -> None:
    ade = open_ade20k(write_benchmark(tmp_path))
    path = tmp_path / "annotations/training/ADE_train_00000001.png"
    write_mask(path, [[0, 1, 2, 9]] * 2)
    with pytest.raises(
        ConceptSetError, match=r"00000001\.png: value 9 is not in objectInfo150\.txt; add its line"
    ):
        ade.labels(0, 4)
    write_mask(path, [[0, 1, 2]] * 2)
    with pytest.raises(ConceptSetError, match=r"the mask is 3 × 2 pixels, its upright image .* is 4 × 2"):
        ade.labels(0, 4)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ImageError, match=r"ADE_train_00000001\.png: "):
        ade.labels(0, 4)
    (tmp_path / "images/training/ADE_train_00000001.jpg").unlink()
    with pytest.raises(
        MissingFileError, match=r"annotations/training/ADE_train_00000001\.png has no image images/"
    ):
        open_ade20k(tmp_path)


# The full set

STREET = "images/ADE/training/urban/street/ADE_train_00000001"
APSE = "images/ADE/validation/cultural/apse__indoor/ADE_val_00000001"
CAR, WHEEL, RIM, HOUSE, UNNAMED = 401, 3002, 2100, 312, 17


def encoded(classes: Any, instances: Any) -> Any:
    """Classes and instances as the set's colours: red 10 · (class // 256), green class % 256, blue instance."""
    classes = np.asarray(classes)
    return np.stack([classes // 256 * 10, classes % 256, np.asarray(instances)], axis=-1)


def test_colours_of_classes(tmp_path: Path) -> None:
    """As in the release of 2021: a building is class 312, a traffic light 2836."""
    Image.fromarray(np.array([[[10, 56, 7], [110, 20, 255]]], np.uint8)).save(tmp_path / "a_seg.png")
    with Image.open(tmp_path / "a_seg.png") as image:
        np.testing.assert_array_equal(np.asarray(image), encoded([[312, 2836]], [[7, 255]]))
    photo(tmp_path / "images/a.jpg", 2, 1)
    (tmp_path / "a_seg.png").rename(tmp_path / "images/a_seg.png")
    write_json(tmp_path / "images/a.json", [record(312, "building, edifice"), record(2836, "traffic light")])
    ade = open_ade20k(tmp_path)
    assert names(ade, ade.labels(0, 2).layers[0]) == [["building (object)", "traffic light (object)"]] * 2


def record(number: int, name: Any, level: int = 0) -> dict[str, Any]:
    return {
        "id": 0,
        "name": name,
        "name_ndx": number,
        "hypernym": [],
        "raw_name": "",
        "attributes": [],
        "occluded": [],
        "crop": "0",
        "parts": {"hasparts": [], "ispartof": [], "part_level": level},
        "polygon": {"x": [1], "y": [1], "click_date": []},
    }


def write_json(path: Path, objects: Any) -> None:
    path.write_text(
        json.dumps({"annotation": {"filename": path.name, "scene": ["outdoor"], "object": objects}})
    )


def write_full(root: Path) -> Path:
    """The release of 2021: a street with parts and parts of parts, and an apse of one object without any."""
    photo(root / f"{STREET}.jpg")
    car, blue = [[CAR, CAR, 0, HOUSE]] * 2, [[40, 40, 0, 200]] * 2
    write_mask(root / f"{STREET}_seg.png", encoded(car, blue))
    write_mask(root / f"{STREET}_parts_1.png", encoded([[WHEEL, 0, 0, UNNAMED]] * 2, [[9, 0, 0, 8]] * 2))
    write_mask(root / f"{STREET}_parts_2.png", encoded([[RIM, 0, 0, 0], [0, 0, 0, 0]], [[9, 0, 0, 0]] * 2))
    write_mask(root / f"{STREET}/instance_000_ADE_train_00000001.png", [[255] * 4] * 2)
    objects = [
        record(CAR, "car, auto, automobile"),
        record(HOUSE, "building, edifice"),
        record(WHEEL, "wheel", 1),
        record(UNNAMED, "-", 1),
        record(RIM, "rim", 2),
        record(CAR, "car, auto, automobile"),
    ]
    write_json(root / f"{STREET}.json", objects)
    photo(root / f"{APSE}.jpg")
    write_mask(root / f"{APSE}_seg.png", encoded([[WHEEL, WHEEL, 0, 0]] * 2, [[3, 3, 0, 0]] * 2))
    write_json(root / f"{APSE}.json", record(WHEEL, "wheel"))  # MATLAB writes a list of one so
    photo(root / "images/ADE/training/urban/street/ADE_train_00000002.jpg")  # nobody labelled it
    return root


def test_the_release_of_2021(tmp_path: Path) -> None:
    ade = open_ade20k(write_full(tmp_path))
    assert isinstance(ade, FullAde20k) and isinstance(ade, ConceptDataset)
    assert [ade.image_id(i) for i in range(len(ade))] == [f"{STREET}.jpg", f"{APSE}.jpg"]
    assert [str(concept) for concept in ade.concepts] == [
        *("car (object)", "building (object)", "wheel (object)", "wheel (part)", "rim (part)"),
        *("street (scene)", "apse-indoor (scene)"),
    ]
    labels = ade.labels(0, 4)
    assert labels.layers.shape == (3, 4, 4) and labels.layers.dtype == np.int32
    assert names(ade, labels.layers[0]) == [["car (object)", "car (object)", "", "building (object)"]] * 4
    assert names(ade, labels.layers[1]) == [["wheel (part)", "", "", ""]] * 4, "the class '-' is no label"
    assert names(ade, labels.layers[2]) == [["rim (part)", "", "", ""]] * 2 + [[""] * 4] * 2
    assert [ade.concepts[n].name for n in labels.whole] == ["street"]
    assert labels.categories == {"object", "part", "scene"}
    apse = ade.labels(1, 2)
    assert names(ade, apse.layers[0]) == [["wheel (object)", ""]] * 2
    assert apse.layers.shape == (1, 2, 2) and apse.categories == {"object", "scene"}, "nobody drew parts"


ATR = (
    '001 # 0 # 0 # car, auto, automobile # red car # "parked"',
    '002 # 0 # 1 # building, edifice # house # ""',
    '003 # 0 # 0 # car, auto, automobile # car # ""',
    '001 # 1 # 0 # wheel # wheel # ""',
)
OLD = "images/training/a/apse/indoor/ADE_train_00000004"


def write_old(root: Path, rows: Sequence[str] = ATR) -> Path:
    """The release of 2016: blue values are scattered, their order counts."""
    photo(root / f"{OLD}.jpg")
    classes = [[CAR, CAR, 0, HOUSE], [CAR, CAR, 0, HOUSE]]
    write_mask(root / f"{OLD}_seg.png", encoded(classes, [[40, 40, 0, 90], [200, 200, 0, 90]]))
    write_mask(root / f"{OLD}_parts_1.png", encoded([[WHEEL, 0, 0, 0]] * 2, [[77, 0, 0, 0]] * 2))
    (root / f"{OLD}_atr.txt").write_text("\n".join(rows) + "\n")
    return root


def test_the_release_of_2016(tmp_path: Path) -> None:
    ade = open_ade20k(write_old(tmp_path))
    assert isinstance(ade, FullAde20k)
    assert [str(c) for c in ade.concepts] == [
        "car (object)",
        "building (object)",
        "wheel (part)",
        "apse-indoor (scene)",
    ]
    labels = ade.labels(0, 4)
    assert names(ade, labels.layers[0]) == [["car (object)", "car (object)", "", "building (object)"]] * 4
    assert names(ade, labels.layers[1]) == [["wheel (part)", "", "", ""]] * 4
    assert labels.whole == (3,) and labels.categories == {"object", "part", "scene"}


def test_instances_are_counted_on_the_whole_png(tmp_path: Path) -> None:
    """An instance that shrinking loses still counts; a PNG without background begins at 1 too."""
    write_old(tmp_path)
    photo(tmp_path / f"{OLD}.jpg", 5, 5)
    classes, blue = np.full((5, 5), HOUSE), np.full((5, 5), 90)
    classes[0, 0], blue[0, 0] = CAR, 40  # instance 1 in the corner
    write_mask(tmp_path / f"{OLD}_seg.png", encoded(classes, blue))
    (tmp_path / f"{OLD}_parts_1.png").unlink()
    ade = open_ade20k(tmp_path)
    assert names(ade, ade.labels(0, 1).layers[0]) == [["building (object)"]]
    assert names(ade, ade.labels(0, 5).layers[0])[0] == ["car (object)"] + ["building (object)"] * 4


def test_both_releases_in_one_folder(tmp_path: Path) -> None:
    write_old(write_full(tmp_path))
    ade = open_ade20k(tmp_path)
    alone = open_ade20k(write_old(tmp_path / "alone"))
    assert ade.image_id(2) == f"{OLD}.jpg" and len(ade) == 3
    for layer, expected in zip(ade.labels(2, 4).layers, alone.labels(0, 4).layers, strict=True):
        assert names(ade, layer) == names(alone, expected)


@pytest.mark.parametrize(
    ("folder", "scene"),
    [
        ("images/training/a/abbey", "abbey"),
        ("images/ADE/training/urban/street", "street"),
        ("images/validation/b/bakery/shop", "bakery-shop"),
        ("images/ADE/training/nature_landscape/waterfall__block", "waterfall-block"),
        ("images/training/misc", None),
        ("images/ADE/training/unclassified/misc", None),
        ("images", None),
    ],
)
def test_scenes_are_folders(tmp_path: Path, folder: str, scene: str | None) -> None:
    photo(tmp_path / folder / "a.jpg")
    write_mask(tmp_path / folder / "a_seg.png", encoded([[CAR] * 4] * 2, [[1] * 4] * 2))
    write_json(tmp_path / folder / "a.json", [record(CAR, "car")])
    ade = open_ade20k(tmp_path)
    labels = ade.labels(0, 2)
    assert [str(ade.concepts[n]) for n in labels.whole] == ([f"{scene} (scene)"] if scene else [])
    assert labels.categories == ({"object", "scene"} if scene else {"object"})


def test_text_in_latin_1(tmp_path: Path) -> None:
    write_full(tmp_path)
    text = (tmp_path / f"{STREET}.json").read_text().replace("building", "caf\u00e9")
    (tmp_path / f"{STREET}.json").write_bytes(text.encode("latin-1"))
    assert Concept("caf\u00e9", "object") in open_ade20k(tmp_path).concepts
    (tmp_path / f"{STREET}.json").write_bytes(text.encode("utf-8"))
    assert Concept("caf\u00e9", "object") in open_ade20k(tmp_path).concepts


def test_an_image_in_which_nothing_is_labelled(tmp_path: Path) -> None:
    write_full(tmp_path)
    write_json(tmp_path / f"{APSE}.json", [])
    write_mask(tmp_path / f"{APSE}_seg.png", encoded([[0] * 4] * 2, [[0] * 4] * 2))
    ade = open_ade20k(tmp_path)
    assert (ade.labels(1, 4).layers == NO_LABEL).all()
    (write_old(tmp_path) / f"{OLD}_atr.txt").write_bytes(b"")
    for level in ("seg", "parts_1"):
        write_mask(tmp_path / f"{OLD}_{level}.png", encoded([[0] * 4] * 2, [[0] * 4] * 2))
    assert (open_ade20k(tmp_path).labels(2, 4).layers == NO_LABEL).all()


@pytest.mark.parametrize(
    ("level", "classes", "sentence"),
    [
        ("seg", [[CAR, 999, 0, 0]] * 2, r"_seg\.png: class 999 is no object in any JSON file of the set"),
        ("seg", [[RIM, 0, 0, 0]] * 2, r"_seg\.png: class 2100 is no object in any JSON file"),
        ("parts_2", [[CAR, 0, 0, 0]] * 2, r"_parts_2\.png: class 401 is no part in any JSON file"),
        ("seg", [[CAR] * 3] * 2, r"_seg\.png: the mask is 3 × 2 pixels, its upright image .* is 4 × 2"),
        (
            "parts_1",
            [[WHEEL] * 4] * 3,
            r"_parts_1\.png: the mask is 4 × 3 pixels, its upright image .* is 4 × 2",
        ),
    ],
)
def test_classes_without_a_name_and_sizes(tmp_path: Path, level: str, classes: Any, sentence: str) -> None:
    ade = open_ade20k(write_full(tmp_path))
    write_mask(tmp_path / f"{STREET}_{level}.png", encoded(classes, np.ones_like(classes)))
    with pytest.raises(ConceptSetError, match=sentence):
        ade.labels(0, 4)


def test_broken_pngs(tmp_path: Path) -> None:
    ade = open_ade20k(write_full(tmp_path))
    write_mask(tmp_path / f"{STREET}_seg.png", [[1] * 4] * 2)
    with pytest.raises(ImageError, match=r"_seg\.png: has one channel, an RGB label image was expected"):
        ade.labels(0, 4)
    (tmp_path / f"{STREET}_seg.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"_seg\.png: not an image"):
        ade.labels(0, 4)


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in record(CAR, "car").items() if name != key}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", r"ADE_val_00000001\.json: 'annotation', in it a list 'object' .*JSONDecodeError"),
        (b"[" * 100_000, r"ADE_val_00000001\.json: 'annotation', in it a list 'object'"),
        (b"[]", "'annotation', in it a list 'object' with 'name', 'name_ndx' and 'parts' was expected"),
        (b'{"annotation": {}}', r"was expected \(KeyError: 'object'\)"),
        (json.dumps({"annotation": {"object": [without("name")]}}).encode(), r"KeyError: 'name'"),
        (json.dumps({"annotation": {"object": [without("parts")]}}).encode(), r"KeyError: 'parts'"),
        (
            json.dumps({"annotation": {"object": [record(6656, "car")]}}).encode(),
            "'name_ndx' is 6656, which no",
        ),
        (json.dumps({"annotation": {"object": [record(CAR, 3)]}}).encode(), "AttributeError"),
        (
            json.dumps({"annotation": {"object": [record(CAR, "tree")]}}).encode(),
            "class 401 is 'tree', in .* 'car'",
        ),
    ],
)
def test_broken_json(tmp_path: Path, content: bytes, sentence: str) -> None:
    write_full(tmp_path)
    (tmp_path / f"{APSE}.json").write_bytes(content)
    with pytest.raises(ConceptSetError, match=sentence):
        open_ade20k(tmp_path)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([*ATR, ATR[0]], r"_atr\.txt, line 5: instance 1 of level 0 is there twice; drop one"),
        (
            [*ATR, "004 # 0"],
            r"_atr\.txt, line 5: is '004 # 0'; instance # part level # occluded # class name",
        ),
        ([*ATR, "x # 0 # 0 # car # car # "], r"line 5: is 'x # 0 # 0 # car # car #'; instance"),
    ],
)
def test_broken_attributes(tmp_path: Path, rows: Sequence[str], sentence: str) -> None:
    with pytest.raises(ConceptSetError, match=sentence):
        open_ade20k(write_old(tmp_path, rows))


def test_instances_that_do_not_fit(tmp_path: Path) -> None:
    ade = open_ade20k(write_old(tmp_path, [ATR[0], ATR[1], ATR[3]]))
    with pytest.raises(
        ConceptSetError, match=r"_seg\.png: instance 3 is no object in ADE_train_00000004_atr\.txt"
    ):
        ade.labels(0, 4)
    swapped = [ATR[0], ATR[1].replace("002", "003"), ATR[2].replace("003", "002"), ATR[3]]
    ade = open_ade20k(write_old(tmp_path, swapped))
    with pytest.raises(
        ConceptSetError,
        match=r"class 401 is both 'car' and 'building' by .*_atr\.txt, so the instances .* do not fit",
    ):
        ade.labels(0, 4)


def test_no_names_at_all(tmp_path: Path) -> None:
    write_full(tmp_path)
    (tmp_path / f"{APSE}.json").unlink()
    with pytest.raises(
        MissingFileError, match=r"ADE_val_00000001\.jpg: has neither .*\.json nor _atr\.txt beside it"
    ):
        open_ade20k(tmp_path)


def test_links_out_of_the_set(tmp_path: Path) -> None:
    write_full(tmp_path / "set")
    write_mask(tmp_path / "secret.png", encoded([[CAR] * 4] * 2, [[1] * 4] * 2))
    (tmp_path / f"set/{APSE}_seg.png").unlink()
    (tmp_path / f"set/{APSE}_seg.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(ConceptSetError, match=r"annotation '.*_seg\.png' points outside the set"):
        open_ade20k(tmp_path / "set")


@pytest.mark.parametrize("write", [write_benchmark, write_full, write_old])
def test_fingerprints(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    write(tmp_path / "one")
    before = open_ade20k(tmp_path / "one").fingerprint
    assert open_ade20k(write(tmp_path / "two")).fingerprint == before
    labelled = next(
        path for path in sorted((tmp_path / "one").rglob("*")) if path.suffix in (".json", ".txt")
    )
    labelled.write_text(labelled.read_text().replace("building", "barnyard"))  # the same length
    assert open_ade20k(tmp_path / "one").fingerprint != before


def test_no_ade20k_at_all(tmp_path: Path) -> None:
    expected = (
        r"neither objectInfo150\.txt with images/ and annotations/ \(SceneParse150\) nor "
        r"images/…/NAME\.jpg with NAME_seg\.png beside it \(the full set\) was found there"
    )
    with pytest.raises(MissingFileError, match=expected + "$"):
        open_ade20k(tmp_path)
    write_photo(tmp_path / "images/a.jpg")
    with pytest.raises(MissingFileError, match=expected):
        open_ade20k(tmp_path)
    write_full(tmp_path / "ADE20K_2021_17_01")
    with pytest.raises(MissingFileError, match=expected + r"; did you mean 'ade20k:.*/ADE20K_2021_17_01'\?"):
        open_ade20k(tmp_path)
    write_benchmark(tmp_path / "ADE20K_2021_17_01")
    with pytest.raises(MissingFileError, match=r"did you mean 'ade20k:.*/ADE20K_2021_17_01'\?"):
        open_ade20k(tmp_path)
    with pytest.raises(MissingFileError, match="no such folder"):
        open_ade20k(tmp_path / "no")


def test_a_bare_path_gets_its_kind_offered(tmp_path: Path) -> None:
    for root in (write_benchmark(tmp_path / "one"), write_full(tmp_path / "two")):
        with pytest.raises(ConceptSetError, match=f"did you mean 'ade20k:{root}'"):
            open_concepts(str(root))


@pytest.mark.data
def test_the_published_scene_table(data_dir: Path, tmp_path: Path) -> None:
    table = gzip.decompress((data_dir / "reference/ade_sceneCategories.txt.gz").read_bytes()).decode()
    assert len(table.splitlines()) == 22_210
    write_benchmark(tmp_path)
    (tmp_path / "sceneCategories.txt").write_text(table)
    ade = open_ade20k(tmp_path)
    scenes = [[ade.concepts[n].name for n in ade.labels(index, 2).whole] for index in range(3)]
    assert scenes == [["airport_terminal"], ["airport_terminal"], ["abbey"]]


def test_joined_with_broden_and_colours(tmp_path: Path) -> None:
    """Broden's car and wheel and street are ADE20K's."""
    broden = open_concepts(f"broden:{write_broden(tmp_path / 'broden')}")
    ade = open_concepts(f"ade20k:{write_full(tmp_path / 'ade')}")
    joined = open_concepts([f"broden:{tmp_path / 'broden'}", f"ade20k:{tmp_path / 'ade'}", "colors"])
    shared = set(broden.concepts) & set(ade.concepts)
    assert shared == {Concept("car", "object"), Concept("wheel", "part"), Concept("street", "scene")}
    assert len(set(joined.concepts)) == len(joined.concepts) == len({*broden.concepts, *ade.concepts}) + 10
    assert joined.image_id(3) == f"ade/{STREET}.jpg" and len(joined) == 5
    labels, alone = joined.labels(3, 4), ade.labels(0, 4)
    assert labels.layers.shape == (4, 4, 4), "and a layer of colours"
    for layer, own in zip(labels.layers[:3], alone.layers, strict=True):
        assert names(joined, layer) == names(ade, own)
    assert labels.categories == {"object", "part", "scene", "color"}
    assert [joined.concepts[n] for n in labels.whole] == [Concept("street", "scene")]
