"""Annotated photographs: each layout's convention turned into edges, what is left out counted, what is wrong named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotated_sets import painted, write_coco, write_voc, xml
from PIL import Image

from neuro_explain.evaluate.annotated import open_annotated
from neuro_explain.evaluate.annotated.drawn import Polygons, RunLengths, unpacked_counts
from neuro_explain.evaluate.annotations import VOID, Instance, box_iou, box_pixels

BLACK = painted(8, 6, [])


def test_a_box_of_one_pixel_in_each_layout(tmp_path: Path) -> None:
    # the pixel in column 2 and row 4
    coco = write_coco(tmp_path / "coco", [(BLACK, [{"category": "red", "bbox": [2, 4, 1, 1]}])])
    voc = write_voc(tmp_path / "voc", {"a": (BLACK, [("cat", (3, 5, 3, 5), False)])})
    ilsvrc = tmp_path / "ilsvrc"
    (ilsvrc / "Annotations" / "val").mkdir(parents=True)
    (ilsvrc / "val").mkdir()
    (ilsvrc / "Annotations" / "val" / "v1.xml").write_text(xml((8, 6), [("n02123045", (2, 4, 2, 4), False)]))
    BLACK.save(ilsvrc / "val" / "v1.png")
    for spec in (f"coco:{coco}", f"voc:{voc}", f"ilsvrc:{ilsvrc}"):
        (image,) = open_annotated(spec)
        (one,) = image.instances
        assert one.box == (2, 4, 3, 5), spec
        assert image.size == (8, 6)
        pixels = one.pixels(*image.size)
        assert pixels.shape == (6, 8)
        assert np.argwhere(pixels).tolist() == [[4, 2]]
    assert open_annotated(f"ilsvrc:{ilsvrc}")[0].whole == ("n02123045",)


def test_box_pixels_are_those_whose_centres_lie_inside() -> None:
    def slow(box: tuple[float, float, float, float], width: int, height: int) -> np.ndarray:
        return np.array(
            [
                [box[0] <= x + 0.5 < box[2] and box[1] <= y + 0.5 < box[3] for x in range(width)]
                for y in range(height)
            ]
        )

    random = np.random.default_rng(0)
    for _ in range(50):
        left, right = sorted(random.integers(-4, 30, 2) / 2)
        top, bottom = sorted(random.integers(-4, 30, 2) / 2)
        box = (float(left), float(top), float(right), float(bottom))
        assert (box_pixels(box, 11, 9) == slow(box, 11, 9)).all(), box


def test_iou_by_hand() -> None:
    # 4 × 2 and 2 × 4 share 2 × 2: 4 / (8 + 8 - 4)
    assert box_iou((0, 0, 4, 2), (0, 0, 2, 4)) == 4 / 12
    assert box_iou((0, 0, 4, 2), (4, 0, 6, 2)) == 0  # they touch
    assert box_iou((1, 1, 3, 3), (1, 1, 3, 3)) == 1
    # VOC's own formula for inclusive corners, (w + 1)(h + 1), gives the same
    a, b = (3, 5, 6, 9), (4, 6, 9, 9)
    width, height = min(a[2], b[2]) - max(a[0], b[0]) + 1, min(a[3], b[3]) - max(a[1], b[1]) + 1
    areas = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (a, b)]
    inclusive = width * height / (sum(areas) - width * height)
    edges = [(box[0] - 1, box[1] - 1, box[2], box[3]) for box in (a, b)]
    assert box_iou(edges[0], edges[1]) == inclusive


def test_polygons_and_both_run_lengths_give_the_same_pixels(tmp_path: Path) -> None:
    mask = np.zeros((6, 8), bool)
    mask[1:4, 2:7] = True
    down = mask.T.ravel()  # columns first
    edges = np.flatnonzero(np.diff(down)) + 1
    counts = np.diff([0, *edges, down.size]).tolist()
    segmentations = [
        [[2, 1, 7, 1, 7, 4, 2, 4]],
        {"size": [6, 8], "counts": counts},
        {"size": [6, 8], "counts": "=3303000L0"},
    ]
    pycocotools = pytest.importorskip("pycocotools.mask")
    packed = pycocotools.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    segmentations[2] = {"size": [6, 8], "counts": packed}
    records = [
        {"category": "red", "bbox": [2, 1, 5, 3], "segmentation": one, "iscrowd": int(isinstance(one, dict))}
        for one in segmentations
    ]
    (image,) = open_annotated(f"coco:{write_coco(tmp_path / 'c', [(BLACK, records)])}")
    for one in image.instances:
        assert (one.pixels(8, 6) == mask).all(), one.mask
    assert [one.crowd for one in image.instances] == [False, True, True]


@pytest.mark.parametrize("seed", range(20))
def test_packed_run_lengths_agree_with_pycocotools(seed: int) -> None:
    pycocotools = pytest.importorskip("pycocotools.mask")
    random = np.random.default_rng(seed)
    mask = random.random((37, 53)) < random.choice([0.01, 0.5, 0.99])
    packed = pycocotools.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert (RunLengths((37, 53), packed["counts"].decode()).pixels(53, 37) == mask).all()


def test_run_lengths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="expected to fill 48 pixels, got 47"):
        RunLengths((6, 8), (40, 7)).pixels(8, 6)
    with pytest.raises(ValueError, match="run lengths of 6 × 8 pixels, the image has 8 × 6"):
        RunLengths((8, 6), (48,)).pixels(8, 6)
    for text in ("\x01", "o"):
        with pytest.raises(ValueError, match="run lengths"):
            unpacked_counts(text)


def test_several_polygons_are_one_thing() -> None:
    both = Polygons(((0, 0, 2, 0, 2, 2, 0, 2), (5, 5, 6, 5, 6, 6, 5, 6)))
    assert np.argwhere(both.pixels(8, 8)).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [5, 5]]


def test_boxes_beyond_the_image_are_clipped_and_counted_and_outside_refused(tmp_path: Path) -> None:
    beyond = [{"category": "red", "bbox": [-2, 4, 5, 9]}, {"category": "red", "bbox": [1, 1, 0, 3]}]
    images = open_annotated(f"coco:{write_coco(tmp_path / 'a', [(BLACK, beyond), (BLACK, [])])}")
    assert [one.box for one in images[0].instances] == [(0, 4, 3, 6)]
    assert set(images.notes) == {
        "1 box that reached beyond its image was clipped",
        "1 box without area was left out",
        "1 image without an annotated instance was left out",
    }
    outside = write_coco(tmp_path / "b", [(BLACK, [{"category": "red", "bbox": [8, 0, 3, 3]}])])
    with pytest.raises(
        ValueError,
        match=r"instances_val.json, annotation 0: the box \[8, 0, 3, 3\] \(x, y, width, height\) lies wholly outside",
    ):
        open_annotated(f"coco:{outside}")
    upside = write_voc(tmp_path / "v", {"a": (BLACK, [("cat", (5, 5, 2, 2), False)])})
    with pytest.raises(
        ValueError, match="a.xml, object 1: the box with xmin 5, ymin 5, xmax 2, ymax 2 is upside down"
    ):
        open_annotated(f"voc:{upside}")


def test_x_comes_before_y(tmp_path: Path) -> None:
    wide = painted(40, 10, [])
    spec = write_coco(tmp_path / "a", [(wide, [{"category": "red", "bbox": [30, 1, 5, 2]}])])
    (one,) = open_annotated(f"coco:{spec}")[0].instances
    rows, columns = np.nonzero(one.pixels(40, 10))
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (30, 34, 1, 2)


def _broken(root: Path, change: Any) -> str:
    write_coco(root, [(BLACK, [{"category": "red", "bbox": [1, 1, 2, 2]}])])
    file = root / "annotations" / "instances_val.json"
    table = json.loads(file.read_text())
    change(table)
    file.write_text(json.dumps(table))
    return f"coco:{root}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t["annotations"][0].update(image_id=7), "annotation 0: there is no image with the id 7"),
        (lambda t: t["annotations"][0].update(category_id=2), "there is no category with the id 2"),
        (lambda t: t["annotations"][0].update(bbox=[1, 2, 3]), r"'bbox' is \[1, 2, 3\], four numbers"),
        (lambda t: t["annotations"][0].pop("bbox"), "annotation 0: 'bbox' is missing"),
        (lambda t: t["annotations"][0].update(bbox=[1, 1, -1, 2]), "upside down"),
        (
            lambda t: t["annotations"][0].update(segmentation=[[1, 2, 3, 4]]),
            "at least 3 corners, got 4 numbers",
        ),
        (lambda t: t["images"][0].update(file_name="gone.png"), "'val/gone.png' does not exist"),
        (lambda t: t["images"][0].update(file_name="../../x.png"), "points outside the set"),
        (lambda t: t.pop("categories"), "'categories' is missing"),
        (lambda t: t["annotations"].clear(), "no image has an annotated instance"),
    ],
)
def test_broken_tables_are_named(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_annotated(_broken(tmp_path / "set", change))


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected coco:DIR, voc:DIR, ilsvrc:DIR, got 'broden:x'"):
        open_annotated("broden:x")
    for layout in ("coco", "voc", "ilsvrc"):
        with pytest.raises(FileNotFoundError, match="none: there is no such folder$"):
            open_annotated(f"{layout}:{tmp_path / 'none'}")
    with pytest.raises(FileNotFoundError, match="neither instances_SPLIT.json nor panoptic"):
        open_annotated(f"coco:{tmp_path}")
    with pytest.raises(FileNotFoundError, match="there is no Annotations/"):
        open_annotated(f"voc:{tmp_path}")
    with pytest.raises(FileNotFoundError, match="no annotations in Annotations/CLS-LOC/val"):
        open_annotated(f"ilsvrc:{tmp_path}")


def test_panoptic_segments_of_things(tmp_path: Path) -> None:
    root = tmp_path / "p"
    (root / "annotations" / "panoptic_val").mkdir(parents=True)
    (root / "images").mkdir()
    BLACK.save(root / "images" / "1.png")
    ids = np.zeros((6, 8), np.int64)
    ids[1:3, 2:6], ids[4:, :] = 70_000, 5
    rgb = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
    Image.fromarray(rgb).save(root / "annotations" / "panoptic_val" / "1.png")
    segments = [
        {"id": 70_000, "category_id": 3, "bbox": [2, 1, 4, 2], "iscrowd": 0},
        {"id": 5, "category_id": 9, "bbox": [0, 4, 8, 2], "iscrowd": 0},
    ]
    table = {
        "images": [{"id": 1, "file_name": "1.png", "width": 8, "height": 6}],
        "annotations": [{"image_id": 1, "file_name": "1.png", "segments_info": segments}],
        "categories": [{"id": 3, "name": "dog", "isthing": 1}, {"id": 9, "name": "grass", "isthing": 0}],
    }
    (root / "annotations" / "panoptic_val.json").write_text(json.dumps(table))
    images = open_annotated(f"coco:{root}")
    assert images.categories == ("dog",)  # grass has no instances
    (one,) = images[0].instances
    assert (one.category, one.box) == ("dog", (2, 1, 6, 3))
    assert (one.pixels(8, 6) == (ids == 70_000)).all()


def test_voc_flags_lists_and_segmentation(tmp_path: Path) -> None:
    values = np.zeros((6, 8), np.uint8)
    values[:3], values[3, :], values[4, 0] = 8, 255, 12  # cat, void, dog
    objects = [("cat", (1, 1, 8, 3), False), ("dog", (1, 5, 1, 5), True)]
    root = write_voc(
        tmp_path / "VOC2012",
        {"a": (BLACK, objects), "b": (BLACK, [("cow", (2, 2, 3, 3), False)])},
        {"a": values},
    )
    (root / "ImageSets" / "Main" / "val.txt").write_text("a\n")
    images = open_annotated(f"voc:{root}")
    assert [image.id for image in images] == ["JPEGImages/a.png", "JPEGImages/b.png"]
    assert [one.difficult for one in images[0].instances] == [False, True]
    assert len(images[0].instances) == 2  # no parts
    (listed,) = open_annotated(f"voc:{root}:val")
    assert listed.id == "JPEGImages/a.png"
    numbers = {name: place for place, name in enumerate(images.categories, start=1)}
    truth = listed.segmented(numbers)
    assert set(truth[:3].ravel()) == {numbers["cat"]} and set(truth[3]) == {VOID}
    assert truth[4, 0] == numbers["dog"] and set(truth[5]) == {0}
    # without a segmentation, boxes are void: which of their pixels are the cow's is unknown
    assert set(images[1].segmented(numbers).ravel()) == {0, VOID}
    with pytest.raises(FileNotFoundError, match="there is no list test.txt"):
        open_annotated(f"voc:{root}:test")
    (root / "ImageSets" / "Main" / "val.txt").write_text("zzz\n")
    with pytest.raises(FileNotFoundError, match="VOC2012/Annotations/zzz.xml: there is no annotation of zzz"):
        open_annotated(f"voc:{root}:val")
    (root / "Annotations" / "zzz.xml").write_text(xml((8, 6), [("cat", (1, 1, 8, 3), False)]))
    with pytest.raises(FileNotFoundError, match="VOC2012/JPEGImages/zzz.jpg: there is no photograph of zzz"):
        open_annotated(f"voc:{root}:val")


def test_smaller_masks_lie_on_top_and_crowds_are_void() -> None:
    from neuro_explain.evaluate.annotations import AnnotatedImage

    big, small = Polygons(((0, 0, 8, 0, 8, 6, 0, 6),)), Polygons(((1, 1, 3, 1, 3, 3, 1, 3),))
    crowd = Polygons(((6, 4, 8, 4, 8, 6, 6, 6),))
    image = AnnotatedImage(
        "x",
        Path("x"),
        (8, 6),
        (
            Instance("cat", (1, 1, 3, 3), small),
            Instance("dog", (0, 0, 8, 6), big),
            Instance("dog", (6, 4, 8, 6), crowd, crowd=True),
            Instance("cow", (0, 0, 8, 6), big),  # no number: background
        ),
    )
    truth = image.segmented({"cat": 1, "dog": 2})
    assert (truth[1:3, 1:3] == 1).all() and (truth[4:, 6:] == VOID).all() and truth[0, 0] == 2


def test_ilsvrc_lists_zeros_and_the_last_pixel(tmp_path: Path) -> None:
    root = tmp_path / "i"
    for folder in ("Annotations/CLS-LOC/val", "Data/CLS-LOC/val", "ImageSets/CLS-LOC"):
        (root / folder).mkdir(parents=True)
    for name in ("v1", "v2", "v3"):
        BLACK.save(root / "Data/CLS-LOC/val" / f"{name}.png")
    boxes = root / "Annotations/CLS-LOC/val"
    boxes.joinpath("v1.xml").write_text(xml((8, 6), [("n02123045", (0, 0, 8, 6), False)]))
    boxes.joinpath("v2.xml").write_text(xml((8, 6), [("n01440764", (1, 1, 1, 1), False)]))
    images = open_annotated(f"ilsvrc:{root}")
    assert [image.whole for image in images] == [("n02123045",), ("n01440764",)]
    assert images[0].instances[0].box == (0, 0, 8, 6)
    assert images.notes == ("1 image without an annotated instance was left out",)
    (root / "ImageSets/CLS-LOC/val.txt").write_text("v2 1\n")
    assert [image.id for image in open_annotated(f"ilsvrc:{root}")] == ["Data/CLS-LOC/val/v2.png"]
    (root / "ImageSets/CLS-LOC/val.txt").write_text("v9 1\n")
    with pytest.raises(FileNotFoundError, match="Data/CLS-LOC/val/v9.JPEG: there is no image of v9"):
        open_annotated(f"ilsvrc:{root}")


@pytest.mark.data
def test_real_panoptic_boxes_are_those_of_their_pixels(data_dir: Path) -> None:
    images = open_annotated(f"coco:{data_dir / 'coco_panoptic256'}")
    assert len(images) == 198 and len(images.categories) == 80
    for image in list(images)[:10]:
        for one in image.instances:
            rows, columns = np.nonzero(one.pixels(*image.size))
            tight = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert one.box == tight, (image.id, one)
