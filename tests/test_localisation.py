"""Localisation: boxes of maps by hand, the protocol on painted pictures whose maps are known, intervals restated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotated_sets import color_model, painted, write_coco, write_voc, xml
from PIL import Image

from neuro_explain.evaluate.annotated import open_annotated
from neuro_explain.evaluate.class_map import class_map
from neuro_explain.evaluate.localisation import is_right, localisation_report, map_box
from neuro_explain.evaluate.map_report import MapReport
from neuro_explain.evaluate.shares import Shares
from neuro_explain.evaluate.tally import Figure, bootstrap_interval
from neuro_explain.methods import METHODS

GRAD_CAM = METHODS["grad-cam"]


def _report(spec: str, model: Any = None, **options: Any) -> MapReport:
    model = color_model() if model is None else model
    images = open_annotated(spec)
    return localisation_report(
        model, images, [GRAD_CAM], class_map(images.categories, model.classes), **options
    )


def _figure(report: MapReport, kind: str) -> Figure:
    (found,) = [one for one in report.figures if one.measure == f"localisation error, {kind}"]
    return found


def test_the_box_of_a_map_by_hand() -> None:
    picture = np.zeros((6, 8))
    picture[1:3, 2:6] = 1.0  # 8 pixels
    picture[4:6, 7] = 5.0  # 2 pixels, brighter
    assert map_box(picture) == (2, 1, 6, 3)  # 1 ≥ 0.15 · 5: the larger part
    assert map_box(picture, 0.21) == (7, 4, 8, 6)  # 1 < 0.21 · 5
    assert map_box(picture, 0.2) == (2, 1, 6, 3)  # at least: the share itself counts
    one = np.zeros((6, 8))
    one[2, 5] = 1e-30
    assert map_box(one) == (5, 2, 6, 3)
    assert map_box(np.zeros((6, 8))) is None
    assert map_box(np.ones((6, 8))) == (0, 0, 8, 6)


def test_parts_hang_together_at_corners_and_the_first_of_equal_ones_is_taken() -> None:
    picture = np.zeros((5, 5))
    picture[0, 0] = picture[1, 1] = 1
    picture[4, 3] = picture[4, 4] = 1
    assert map_box(picture) == (0, 0, 2, 2)
    assert map_box(picture[::-1, ::-1]) == (0, 0, 2, 1)
    assert map_box(picture.T) == (0, 0, 2, 2)


def test_what_the_network_does_not_see_belongs_to_no_part() -> None:
    picture = np.full((4, 9), np.nan)
    picture[:, 2:4] = picture[:, 5:8] = 1.0
    assert map_box(picture) == (5, 0, 8, 4)  # NaN parts them
    assert map_box(np.full((4, 4), np.nan)) is None


def test_iou_of_one_half_is_right() -> None:
    assert is_right((0, 0, 4, 4), [(9, 9, 10, 10), (0, 0, 4, 2)])
    assert not is_right((0, 0, 4, 4), [(0, 0, 4, 1.99)])
    assert not is_right(None, [(0, 0, 4, 4)]) and not is_right((0, 0, 4, 4), [])
    with pytest.raises(ValueError, match="share: expected above 0 and up to 1, got 0"):
        map_box(np.ones((2, 2)), 0)


def test_top_1_needs_the_class_and_the_box(tmp_path: Path) -> None:
    wide, narrow = (2, 3, 30, 9), (3, 20, 8, 30)
    both = painted(32, 32, [("red", wide, 200), ("green", narrow, 250)])  # red is predicted
    spec = write_coco(
        tmp_path / "c",
        [(both, [{"category": "red", "bbox": [2, 3, 28, 6]}, {"category": "green", "bbox": [3, 20, 5, 10]}])],
    )
    report = _report(f"coco:{spec}")
    # red: class and box right; green: box right, but only the second class
    assert _figure(report, "top-1").mean == 0.5
    assert _figure(report, "top-5").mean == 0
    assert _figure(report, "class given").mean == 0
    assert _figure(report, "class given").count == 2 and _figure(report, "class given").scenes == 1
    assert _figure(report, "class given").low is None  # one photograph tells no interval
    assert _figure(report, "class given").chance == 1  # the box around everything is neither


def test_a_box_of_the_wrong_axis_is_an_error(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (2, 3, 30, 9), 200)])
    turned = write_coco(tmp_path / "t", [(picture, [{"category": "red", "bbox": [3, 2, 6, 28]}])])
    assert _figure(_report(f"coco:{turned}"), "class given").mean == 1


def test_the_crop_is_where_it_was_cut(tmp_path: Path) -> None:
    # 64 × 32, of which the network sees columns 16 to 48
    picture = painted(64, 32, [("red", (20, 5, 40, 15), 200), ("red", (0, 20, 14, 32), 250)])
    spec = write_coco(tmp_path / "c", [(picture, [{"category": "red", "bbox": [20, 5, 20, 10]}])])
    model = color_model(resize=32)
    assert model.preprocess.crop((64, 32)) == (16, 0, 48, 32)
    assert _figure(_report(f"coco:{spec}", model), "class given").mean == 0
    # shown whole, the bright corner outside is the larger part of the two that it makes
    assert _figure(_report(f"coco:{spec}", model, view="whole", share=0.9), "class given").mean == 1


def test_another_instance_of_the_class_may_be_met_and_a_crowd_may_not(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (2, 3, 30, 9), 200)])
    right, far = [2, 3, 28, 6], [1, 20, 4, 4]
    one = write_coco(
        tmp_path / "1", [(picture, [{"category": "red", "bbox": far}, {"category": "red", "bbox": right}])]
    )
    assert _figure(_report(f"coco:{one}"), "class given").mean == 0
    crowd = [{"category": "red", "bbox": far}, {"category": "red", "bbox": right, "iscrowd": 1}]
    two = write_coco(tmp_path / "2", [(picture, crowd), (picture, crowd[1:])])
    report = _report(f"coco:{two}")
    assert _figure(report, "class given").mean == 1
    assert _figure(report, "class given").count == 1
    assert "1 category in photographs with nothing but crowds or difficult ones" in report.notes


def test_difficult_ones_are_asked_for_on_demand(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (2, 3, 30, 9), 200)])
    root = write_voc(
        tmp_path / "v",
        {
            "a": (picture, [("red", (3, 4, 30, 9), True)]),
            "b": (picture, [("red", (1, 1, 2, 2), False), ("red", (3, 4, 30, 9), True)]),
        },
    )
    left = _figure(_report(f"voc:{root}"), "class given")
    assert (left.mean, left.count) == (1, 1)
    asked = _figure(_report(f"voc:{root}", difficult=True), "class given")
    assert (asked.mean, asked.count) == (0, 2)


def test_the_class_of_an_ilsvrc_image_is_its_synset(tmp_path: Path) -> None:
    root = tmp_path / "i"
    for folder in ("Annotations/val", "val"):
        (root / folder).mkdir(parents=True)
    for name, color in (("v1", "red"), ("v2", "green")):
        painted(32, 32, [(color, (2, 3, 30, 9), 200)]).save(root / "val" / f"{name}.png")
        (root / "Annotations" / "val" / f"{name}.xml").write_text(
            xml((32, 32), [("n02123045", (2, 3, 29, 8), False)])
        )
    table = tmp_path / "map.csv"
    table.write_text("category,class\nn02123045,red\n")
    images, model = open_annotated(f"ilsvrc:{root}"), color_model()
    report = localisation_report(
        model, images, [GRAD_CAM], class_map(images.categories, model.classes, table)
    )
    assert _figure(report, "top-1").mean == 0.5  # the second is green
    assert [one.paper for one in report.figures][::2] == [0.5651, 0.4641, None]


def test_a_zero_map_is_an_error_and_said(tmp_path: Path) -> None:
    picture = painted(32, 32, [("green", (2, 3, 30, 9), 200)])
    spec = write_coco(tmp_path / "c", [(picture, [{"category": "red", "bbox": [2, 3, 28, 6]}])])
    figure = _figure(_report(f"coco:{spec}"), "class given")
    assert figure.mean == 1 and figure.apart == {"no box: a map without a positive value": 1}


def test_photographs_of_another_size_are_left_out_and_counted(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (2, 3, 30, 9), 200)])
    good = {"category": "red", "bbox": [2, 3, 28, 6]}
    spec = write_coco(tmp_path / "c", [(picture, [good]), (picture, [good])])
    exif = Image.Exif()
    exif[274] = 6  # turned, and stretched so that its size differs
    painted(40, 32, []).save(spec / "val" / "11.png", exif=exif)
    report = _report(f"coco:{spec}")
    assert _figure(report, "class given").count == 1
    assert "1 photograph of another size than annotated, left out" in report.notes


@pytest.mark.parametrize(
    ("turn", "size", "left_out"),
    [
        *((turn, (32, 32), turn != 1) for turn in range(1, 9)),
        *((turn, (40, 32), turn in (2, 3, 4)) for turn in range(1, 9)),
    ],
)
def test_photographs_whose_size_does_not_tell_that_they_are_turned_are_left_out(
    tmp_path: Path, turn: int, size: tuple[int, int], left_out: bool
) -> None:
    upright = painted(*size, [("red", (2, 3, 30, 9), 200)])
    good = {"category": "red", "bbox": [2, 3, 28, 6]}
    spec = write_coco(tmp_path / "c", [(upright, [good]), (upright, [good])])
    exif = Image.Exif()
    exif[274] = turn
    stored = size if turn < 5 else size[::-1]  # of the size that its annotation speaks of, once it is upright
    painted(*stored, []).save(spec / "val" / "11.png", exif=exif)
    report = _report(f"coco:{spec}", share=0.9)
    assert _figure(report, "class given").count == (1 if left_out else 2)
    said = [note for note in report.notes if note.startswith("1 photograph turned or mirrored by EXIF")]
    assert len(said) == left_out


def test_nothing_measured_is_no_table_of_dashes(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (2, 3, 30, 9), 200)])
    crowd = {"category": "red", "bbox": [2, 3, 28, 6], "iscrowd": 1}
    sofa = {"category": "sofa", "bbox": [2, 3, 28, 6]}
    spec = write_coco(tmp_path / "a", [(picture, [crowd]), (picture, [sofa])], ("red", "sofa"))
    with pytest.raises(
        ValueError,
        match="^coco:a: nothing could be measured: 1 category in photographs with nothing but crowds or difficult "
        "ones; 1 category in photographs without a class$",
    ):
        _report(f"coco:{spec}")
    spec = write_coco(tmp_path / "b", [(picture, [{"category": "red", "bbox": [2, 3, 28, 6]}])])
    painted(40, 32, []).save(spec / "val" / "10.png")
    with pytest.raises(
        ValueError, match="nothing could be measured: 1 photograph of another size than annotated"
    ):
        _report(f"coco:{spec}")


def test_categories_without_a_class_are_counted(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (2, 3, 30, 9), 200)])
    boxes = [{"category": name, "bbox": [2, 3, 28, 6]} for name in ("red", "sofa")]
    spec = write_coco(tmp_path / "c", [(picture, boxes)], ("red", "sofa"))
    report = _report(f"coco:{spec}")
    assert _figure(report, "class given").count == 1
    assert "1 category in photographs without a class" in report.notes
    assert "1 category has no class and is left out: sofa" in report.notes


@pytest.mark.parametrize("batch_size", [1, 2, 3, 50])
def test_batches_change_nothing(tmp_path: Path, batch_size: int) -> None:
    random = np.random.default_rng(3)
    material = []
    for _ in range(7):
        boxes = []
        for color in ("red", "green", "blue"):
            left, top = random.integers(0, 20, 2).tolist()
            boxes.append((color, (left, top, left + 8, top + 6), int(random.integers(50, 250))))
        truth = [
            {"category": color, "bbox": [box[0] + int(random.integers(0, 5)), box[1], 8, 6]}
            for color, box, _ in boxes
        ]
        material.append((painted(32, 32, boxes), truth))
    spec = write_coco(tmp_path / "c", material)
    whole, parts = _report(f"coco:{spec}"), _report(f"coco:{spec}", batch_size=batch_size)
    assert whole == parts
    assert 0 < (_figure(whole, "class given").mean or 0) < 1


def test_bad_options_are_refused(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (2, 3, 30, 9), 200)])
    spec = write_coco(tmp_path / "c", [(picture, [{"category": "red", "bbox": [2, 3, 28, 6]}])])
    for options, message in (
        ({"share": 0.0}, "share: expected above 0"),
        ({"min_iou": 1.5}, "min_iou: expected above 0"),
        ({"batch_size": 0}, "batch_size: expected at least 1"),
        ({"view": "half"}, "view: expected crop or whole"),
    ):
        with pytest.raises(ValueError, match=message):
            _report(f"coco:{spec}", **options)


def test_shares_over_things_and_over_categories() -> None:
    shares = Shares()
    for photograph, category, value in (
        (0, "dog", 1),
        (0, "dog", 1),
        (1, "dog", 0),
        (1, "cat", 0),
        (4, "cat", 1),
    ):
        shares.add(photograph, category, value, chance=0.25)
    plain, over = shares.figures("m", "net", "maps")
    assert (plain.mean, plain.count, plain.scenes) == (3 / 5, 5, 3)
    assert over.mean == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert (over.measure, over.count) == ("m, over categories", 2)
    assert plain.chance == over.chance == 0.25
    # the interval over all values is the one that other reports have
    low, high = bootstrap_interval([(0, 1), (0, 1), (1, 0), (1, 0), (4, 1)])
    assert plain.low == pytest.approx(low, abs=0.05) and plain.high == pytest.approx(high, abs=0.05)
    empty = Shares().figures("m", "net", "maps")
    assert [one.mean for one in empty] == [None, None]


def test_the_bootstrap_over_categories_restated() -> None:
    random = np.random.default_rng(5)
    rows = [
        (int(random.integers(12)), "abc"[int(random.integers(3))], float(random.random())) for _ in range(60)
    ]
    shares = Shares()
    for row in rows:
        shares.add(*row)
    over = shares.figures("m", "net", "maps")[1]
    photographs = sorted({row[0] for row in rows})
    means = []
    for _ in range(3000):
        draw = random.choice(photographs, len(photographs))
        drawn = [row for photograph in draw for row in rows if row[0] == photograph]
        own = [[row[2] for row in drawn if row[1] == name] for name in "abc"]
        means.append(np.mean([np.mean(values) for values in own if values]))
    assert over.low == pytest.approx(np.percentile(means, 2.5), abs=0.015)
    assert over.high == pytest.approx(np.percentile(means, 97.5), abs=0.015)
