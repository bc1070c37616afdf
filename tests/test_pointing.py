"""The pointing game: hits by hand, players that need no network, the difficult subset, the variant with recall."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from annotated_sets import color_model, painted, write_coco, write_voc

from neuro_explain.evaluate.annotated import open_annotated
from neuro_explain.evaluate.annotations import AnnotatedImage, Instance
from neuro_explain.evaluate.class_map import ClassMap, class_map
from neuro_explain.evaluate.map_report import MapReport
from neuro_explain.evaluate.pointing import CENTRE, centre_of, is_difficult, pointing_report, within
from neuro_explain.evaluate.recall import Recall, _Answer, best_threshold
from neuro_explain.evaluate.shown import Shown
from neuro_explain.evaluate.tally import Figure
from neuro_explain.methods import METHODS

GRAD_CAM = METHODS["grad-cam"]


def _report(spec: str, model: Any = None, **options: Any) -> MapReport:
    model = color_model() if model is None else model
    images = open_annotated(spec)
    return pointing_report(model, images, [GRAD_CAM], class_map(images.categories, model.classes), **options)


def _figure(report: MapReport, measure: str = "pointing", maps: str = "Grad-CAM") -> Figure:
    (found,) = [one for one in report.figures if (one.measure, one.method) == (measure, maps)]
    return found


def test_tolerance_is_a_distance_of_centres() -> None:
    pixels = np.zeros((9, 9), bool)
    pixels[4, 2] = True

    def slow(reach: float) -> np.ndarray:
        return np.array([[(y - 4) ** 2 + (x - 2) ** 2 <= reach**2 for x in range(9)] for y in range(9)])

    for reach in (0, 0.9, 1, 2, 5, 3.5):
        assert (within(pixels, reach) == slow(reach)).all(), reach
    assert not within(np.zeros((3, 3), bool), 15).any()  # nothing is near nothing


@pytest.mark.parametrize(("tolerance", "hit"), [(0, 0), (4, 0), (5, 1), (15, 1)])
def test_a_point_may_miss_by_the_tolerance(tmp_path: Path, tolerance: float, hit: float) -> None:
    # the maximum is the pixel (row 10, column 20); the box's nearest one is 3 columns and 4 rows away
    picture = painted(32, 32, [("red", (20, 10, 21, 11), 200)])
    spec = write_coco(tmp_path / "c", [(picture, [{"category": "red", "bbox": [23, 14, 5, 5]}])])
    figure = _figure(_report(f"coco:{spec}", tolerance=tolerance))
    assert (figure.mean, figure.count) == (hit, 1)


def test_masks_count_and_not_their_boxes(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (5, 5, 7, 7), 200)])
    corner = [[5.0, 20.0, 20.0, 5.0, 20.0, 20.0]]  # the half of the box that the maximum is not in
    masked = {"category": "red", "bbox": [5, 5, 15, 15], "segmentation": corner}
    assert _figure(_report(f"coco:{write_coco(tmp_path / 'a', [(picture, [masked])])}")).mean == 0
    boxed = {"category": "red", "bbox": [5, 5, 15, 15]}
    assert _figure(_report(f"coco:{write_coco(tmp_path / 'b', [(picture, [boxed])])}")).mean == 1


def test_x_and_y_are_not_swapped(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (25, 4, 27, 6), 200)])
    for name, box, hit in (("right", [24, 3, 4, 4], 1), ("swapped", [3, 24, 4, 4], 0)):
        spec = write_coco(tmp_path / name, [(picture, [{"category": "red", "bbox": box}])])
        assert _figure(_report(f"coco:{spec}")).mean == hit


def test_zero_maps_and_several_maxima_are_misses_and_said(tmp_path: Path) -> None:
    everything = {"category": "red", "bbox": [0, 0, 32, 32]}
    zero = painted(32, 32, [("green", (1, 1, 5, 5), 200)])
    two = painted(32, 32, [("red", (1, 1, 5, 5), 200), ("red", (20, 20, 25, 25), 200)])
    one = painted(32, 32, [("red", (1, 1, 5, 5), 200), ("red", (20, 20, 25, 25), 199)])
    spec = write_coco(tmp_path / "c", [(image, [everything]) for image in (zero, two, one)])
    figure = _figure(_report(f"coco:{spec}"))
    assert figure.mean == pytest.approx(1 / 3)
    assert figure.apart == {"zero map or several maxima, a miss": 2}


def test_the_centroid_of_a_plateau_is_the_point(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (10, 10, 21, 21), 200)])  # centroid: pixel 15, 15
    for name, box, hit in (("in", [15, 15, 1, 1], 1), ("first", [10, 10, 1, 1], 0)):
        spec = write_coco(tmp_path / name, [(picture, [{"category": "red", "bbox": box}])])
        assert _figure(_report(f"coco:{spec}")).mean == hit


def test_an_empty_mask_is_a_miss(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (5, 5, 7, 7), 200)])
    nothing = {"category": "red", "bbox": [5, 5, 2, 2], "segmentation": {"size": [32, 32], "counts": [1024]}}
    figure = _figure(_report(f"coco:{write_coco(tmp_path / 'c', [(picture, [nothing])])}", tolerance=15))
    assert (figure.mean, figure.chance) == (0, 0)
    assert figure.apart == {"out of the network's sight, a miss": 1}


def test_crowds_are_of_their_category_and_difficult_ones_only_on_demand(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (5, 5, 7, 7), 200)])
    crowd = {"category": "red", "bbox": [4, 4, 4, 4], "iscrowd": 1}
    assert _figure(_report(f"coco:{write_coco(tmp_path / 'c', [(picture, [crowd])])}")).mean == 1
    things = [("red", (5, 5, 8, 8), True)]
    root = write_voc(
        tmp_path / "v", {"a": (picture, things), "b": (picture, [*things, ("red", (20, 20, 22, 22), False)])}
    )
    report = _report(f"voc:{root}")
    assert (_figure(report).mean, _figure(report).count) == (0, 1)
    assert "1 category in photographs with nothing but difficult ones" in report.notes
    asked = _figure(_report(f"voc:{root}", difficult=True))
    assert (asked.mean, asked.count) == (1, 2)


def test_players_without_a_network_by_hand(tmp_path: Path) -> None:
    # 64 × 32, of which the network sees columns 16 to 48: its centre is pixel (16, 32), half of each box is seen
    picture = painted(64, 32, [("red", (20, 5, 22, 7), 200)])
    boxes = [{"category": "red", "bbox": [8, 0, 16, 32]}, {"category": "green", "bbox": [32, 16, 1, 1]}]
    spec = write_coco(tmp_path / "c", [(picture, boxes)])
    report = _report(f"coco:{spec}", color_model(resize=32))
    centre = _figure(report, maps=CENTRE)
    assert centre.mean == 0.5  # the green pixel, not the red box
    assert centre.chance == pytest.approx((8 * 32 + 1) / (32 * 32) / 2)
    assert _figure(report, "pointing, over categories", CENTRE).mean == 0.5
    # Zhang et al.: green is small and not alone; red covers exactly a quarter
    assert _figure(report, "pointing, difficult subset", CENTRE).count == 1
    assert _figure(report, "pointing, difficult subset", CENTRE).mean == 1
    assert centre_of(np.ones((4, 4), bool)) == (2, 2) and centre_of(np.ones((5, 5), bool)) == (2, 2)


def test_the_difficult_subset_is_small_and_not_alone() -> None:
    def image(*boxes: tuple[str, tuple[float, float, float, float]]) -> AnnotatedImage:
        things = tuple(Instance(name, box) for name, box in boxes)
        return AnnotatedImage("x", Path("x"), (10, 10), things)

    small, quarter = (0.0, 0.0, 4.0, 6.0), (0.0, 0.0, 5.0, 5.0)
    assert is_difficult(image(("dog", small), ("cat", small)), "dog")
    assert not is_difficult(image(("dog", small)), "dog")
    assert not is_difficult(image(("dog", quarter), ("cat", small)), "dog")
    assert not is_difficult(image(("dog", small), ("dog", small), ("cat", small)), "dog")  # together 48


def _answers(*rows: tuple[float, bool, bool]) -> list[_Answer]:
    return [_Answer(0, "dog", *row) for row in rows]


def test_a_correct_rejection_is_a_hit() -> None:
    present, absent = _Answer(0, "dog", 3.0, True, True), _Answer(0, "dog", 3.0, False, False)
    off = _Answer(0, "dog", 3.0, False, True)
    assert [present.hit(limit) for limit in (2.0, 3.0, 4.0)] == [
        True,
        True,
        False,
    ]  # at the threshold it is kept
    assert [absent.hit(limit) for limit in (2.0, 3.0, 4.0)] == [False, False, True]
    assert not any(off.hit(limit) for limit in (2.0, 4.0))


@pytest.mark.parametrize("seed", range(30))
def test_the_chosen_threshold_has_the_most_hits(seed: int) -> None:
    random = np.random.default_rng(seed)
    answers = _answers(
        *[
            (float(random.integers(6)), *(random.random(2) < 0.5).tolist())
            for _ in range(random.integers(1, 12))
        ]
    )
    chosen = best_threshold(answers)
    hits = [sum(one.hit(limit) for one in answers) for limit in np.arange(-0.5, 8, 0.25)]
    assert sum(one.hit(chosen) for one in answers) == max(hits)
    assert best_threshold([]) == 0.0


def test_recall_by_hand() -> None:
    classes = ClassMap({"dog": (0, 1), "cat": (2,), "cow": (3,)}, ())
    image = AnnotatedImage(
        "x", Path("x"), (4, 4), (Instance("dog", (0, 0, 2, 4)), Instance("cow", (0, 0, 1, 1)))
    )
    left = np.zeros((4, 4), bool)
    left[:, :2] = True
    maps = {number: np.full((2, 2), value) for number, value in ((0, 5.0), (1, 1.0), (2, 2.0), (3, 9.0))}
    scores = np.array([9.0, 8.0, 7.0, 6.0, 5.0, 0.0])
    shown = Shown(0, image, (0, 0, 4, 4), scores, {"maps": maps})
    points = {("maps", 0): (0, 1), ("maps", 1): (0, 3), ("maps", 2): (0, 0), ("maps", 3): (0, 0)}
    recall = Recall(["maps"])
    recall.take_in(shown, points, classes, {"dog": left, "cow": None})
    # class 0: dog, hit; 1: dog, points elsewhere; 2: no cat there; 3: nothing but difficult cows; 4: no category
    rejecting = recall.judged("net", 3.0, 1, 0)
    assert [one.mean for one in rejecting.figures] == [pytest.approx(2 / 3), pytest.approx(1 / 3)]
    assert rejecting.more == {"recall_thresholds": {"maps": 3.0}}
    assert (
        "recall variant: 1 of the 5 best classes not asked: no category that they stand for"
        in rejecting.notes
    )
    assert (
        "recall variant: 1 of the 5 best classes left out: nothing but difficult ones there"
        in rejecting.notes
    )
    assert recall.judged("net", 6.0, 1, 0).figures[0].mean == pytest.approx(1 / 3)
    assert recall.judged("net", 1.5, 1, 0).figures[0].mean == pytest.approx(1 / 3)


def test_the_halves_share_no_photograph(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    material = []
    for _ in range(10):
        left, top = random.integers(0, 25, 2).tolist()
        bright = int(random.integers(60, 250))
        picture = painted(32, 32, [("red", (left, top, left + 5, top + 5), bright)])
        material.append((picture, [{"category": "red", "bbox": [left, top, 5, 5]}]))
    spec = write_coco(tmp_path / "c", material)
    report = _report(f"coco:{spec}")
    chosen = _figure(report, "recall variant")
    assert chosen.scenes == 5 and chosen.count == 15  # three classes each
    # red is always right; the zero maps of green and blue are under any threshold above 0
    assert chosen.mean == 1
    assert _figure(report, "recall variant, none rejected").mean == pytest.approx(1 / 3)
    given = _figure(_report(f"coco:{spec}", reject_below=1e9), "recall variant")
    assert given.scenes == 10 and given.mean == pytest.approx(2 / 3)


def test_the_network_comes_back_as_it_was(tmp_path: Path) -> None:
    model = color_model()
    model.net.train()
    model.net[0].eval()
    modes = [module.training for module in model.net.modules()]
    before = {name: value.clone() for name, value in model.net.state_dict().items()}
    picture = painted(32, 32, [("red", (5, 5, 7, 7), 200)])
    spec = write_coco(tmp_path / "c", [(picture, [{"category": "red", "bbox": [4, 4, 4, 4]}])])
    with torch.no_grad():
        _report(f"coco:{spec}", model)
    assert [module.training for module in model.net.modules()] == modes
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.net.parameters())
    assert all((value == before[name]).all() for name, value in model.net.state_dict().items())
    with pytest.raises(ValueError, match="tolerance: expected 0 pixels or more, got -1"):
        _report(f"coco:{spec}", model, tolerance=-1)


def test_the_paper_stands_beside_the_variant_that_rejects_alone() -> None:
    recall = Recall(["Grad-CAM"])
    with_rejection, without = recall.judged("net", 0.0, 1, 0).figures
    assert (with_rejection.paper, without.paper) == (0.7058, None)


def test_a_threshold_is_a_number_from_0_on(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (5, 5, 7, 7), 200)])
    spec = write_coco(tmp_path / "c", [(picture, [{"category": "red", "bbox": [4, 4, 4, 4]}])])
    for threshold in (float("nan"), -1.0):
        with pytest.raises(ValueError, match="reject_below: expected 0 or more, got"):
            _report(f"coco:{spec}", reject_below=threshold)


def test_too_few_photographs_give_no_threshold(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (5, 5, 7, 7), 200)])
    thing = [{"category": "red", "bbox": [4, 4, 4, 4]}]
    for count, rows in ((1, 0), (9, 0), (10, 2)):
        spec = write_coco(tmp_path / str(count), [(picture, thing)] * count)
        report = _report(f"coco:{spec}")
        assert sum(one.measure.startswith("recall") for one in report.figures) == rows
        assert bool(report.more["recall_thresholds"]) == bool(rows)
        few = f"recall variant: too few photographs for a threshold ({count} asked, 10 are needed); give --reject-below"
        assert (few in report.notes) == (not rows)
        assert _figure(report).count == count
    given = _report(f"coco:{tmp_path / '1'}", reject_below=0.0)
    assert _figure(given, "recall variant").count == 3


def test_nothing_asked_is_no_table_of_dashes(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (5, 5, 7, 7), 200)])
    root = write_voc(tmp_path / "v", {"a": (picture, [("red", (5, 5, 8, 8), True)])})
    with pytest.raises(
        ValueError,
        match="^voc:v: nothing could be measured: 1 category in photographs with nothing but difficult",
    ):
        _report(f"voc:{root}")
