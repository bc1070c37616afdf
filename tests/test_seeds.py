"""Seeds: which pixels maps claim, mean IoU by hand, the cues that training by seeds reads."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotated_sets import color_model, painted, write_coco, write_voc

from neuro_explain.evaluate.annotated import open_annotated
from neuro_explain.evaluate.annotations import VOID
from neuro_explain.evaluate.class_map import class_map
from neuro_explain.evaluate.map_report import MapReport
from neuro_explain.evaluate.seeds import GRID, cues_of, seed_labels
from neuro_explain.evaluate.segmentation import mean_iou, overlaps, seeds_report
from neuro_explain.methods import METHODS

GRAD_CAM = METHODS["grad-cam"]


def _report(spec: str, model: Any = None, **options: Any) -> MapReport:
    model = color_model() if model is None else model
    images = open_annotated(spec)
    return seeds_report(model, images, [GRAD_CAM], class_map(images.categories, model.classes), **options)


def _outline(left: int, top: int, right: int, bottom: int) -> dict[str, Any]:
    corners = [left, top, right, top, right, bottom, left, bottom]
    return {"bbox": [left, top, right - left, bottom - top], "segmentation": [corners]}


def test_seeds_by_hand() -> None:
    first = np.array([[0.0, 0.19, 0.2, 1.0]])
    second = np.array([[0.0, 0.0, 0.0, 9.0]])
    assert seed_labels({1: first}, (4, 1)).tolist() == [[0, 0, 1, 1]]  # at least the share
    assert seed_labels({1: first, 2: second}, (4, 1)).tolist() == [[0, 0, 1, 2]]  # fewer pixels win
    assert seed_labels({2: first, 1: second}, (4, 1)).tolist() == [[0, 0, 2, 1]]
    assert seed_labels({5: second, 3: second}, (4, 1)).tolist() == [[0, 0, 0, 3]]  # equal: the lower number
    assert seed_labels({1: first * 0, 2: np.full((1, 4), np.nan)}, (4, 1)).tolist() == [[0, 0, 0, 0]]
    assert seed_labels({}, (4, 1)).tolist() == [[0, 0, 0, 0]]
    unseen = np.array([[np.nan, 1.0, np.nan, 0.5]])
    assert seed_labels({7: unseen}, (4, 1)).tolist() == [[0, 7, 0, 7]]


def test_mean_iou_by_hand() -> None:
    labels = np.array([[0, 1, 1, 2, 0, 3]], np.int32)
    truth = np.array([[0, 1, 2, 2, VOID, 0]], np.int32)
    judged = np.array([[True, True, True, True, True, True]])
    found = overlaps(labels, truth, judged)
    # background 1 of 2, class 1: 1 of 2, class 2: 1 of 2, class 3: 0 of 1; the void pixel is left out
    assert found.numbers.tolist() == [0, 1, 2, 3]
    assert found.counts.tolist() == [[1, 1, 2], [1, 2, 1], [1, 1, 2], [0, 1, 0]]
    assert mean_iou(found.counts.astype(float)) == pytest.approx((1 / 2 + 1 / 2 + 1 / 2 + 0) / 4)
    judged[0, 5] = False
    assert overlaps(labels, truth, judged).numbers.tolist() == [0, 1, 2]
    assert mean_iou(np.zeros((3, 3))) == 0


def test_mean_iou_of_painted_pictures(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (2, 3, 12, 9), 200), ("green", (20, 20, 30, 30), 100)])
    exact = [{"category": "red", **_outline(2, 3, 12, 9)}, {"category": "green", **_outline(20, 20, 30, 30)}]
    half = [{"category": "red", **_outline(2, 3, 7, 9)}, exact[1]]
    right = _report(f"coco:{write_coco(tmp_path / 'a', [(picture, exact)])}").figures[0]
    assert (right.mean, right.count) == (1, 3)
    assert right.chance == pytest.approx((1024 - 160) / 1024 / 3)
    # red 30 of 60; background 864 of 894: sums over both photographs first, then the ratio
    both = _report(f"coco:{write_coco(tmp_path / 'b', [(picture, exact), (picture, half)])}").figures[0]
    assert both.mean == pytest.approx((90 / 120 + 1 + (864 + 864) / (864 + 894)) / 3)
    assert both.low is not None and both.low <= both.mean <= both.high


def test_crowds_and_what_has_no_class_are_void_and_zero_maps_said(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (2, 3, 12, 9), 200)])
    things = [
        {"category": "red", **_outline(2, 3, 12, 9)},
        {"category": "red", **_outline(20, 20, 30, 30), "iscrowd": 1},
        {"category": "sofa", **_outline(0, 20, 10, 30)},
        {"category": "green", **_outline(20, 0, 22, 2)},
    ]
    spec = write_coco(tmp_path / "c", [(picture, things)], ("red", "green", "sofa"))
    report = _report(f"coco:{spec}")
    figure = report.figures[0]
    # green: 0 of 4; background lacks nothing but claims green's 4 pixels
    left = 32 * 32 - 60 - 200
    assert figure.mean == pytest.approx((1 + 0 + (left - 4) / left) / 3)
    assert figure.apart == {"zero map, no seeds": 1}
    assert "1 category in photographs without a class, its pixels void" in report.notes


def test_what_the_network_does_not_see_is_not_judged(tmp_path: Path) -> None:
    picture = painted(64, 32, [("red", (20, 5, 40, 15), 200), ("red", (0, 20, 14, 32), 250)])
    spec = write_coco(
        tmp_path / "c",
        [
            (
                picture,
                [
                    {"category": "red", **_outline(20, 5, 40, 15)},
                    {"category": "red", **_outline(50, 0, 60, 9)},
                ],
            )
        ],
    )
    model = color_model(resize=32)
    assert _report(f"coco:{spec}", model, view="crop").figures[0].mean == 1
    whole = _report(f"coco:{spec}", model).figures[0]
    assert whole.mean is not None and 0 < whole.mean < 1


def test_the_segmentation_of_voc_is_the_truth(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (2, 3, 12, 9), 200)])
    values = np.zeros((32, 32), np.uint8)
    values[3:9, 2:12], values[10:12] = 8, 255  # cat; void
    things = (picture, [("cat", (3, 4, 12, 9), False)])
    root = write_voc(tmp_path / "v", {"a": things, "b": things}, {"a": values})
    table = tmp_path / "map.csv"
    table.write_text("category,class\ncat,red\n")
    images = open_annotated(f"voc:{root}")
    model = color_model()
    report = seeds_report(model, images, [GRAD_CAM], class_map(images.categories, model.classes, table))
    assert (report.figures[0].mean, report.figures[0].scenes) == (1, 1)
    assert "1 photograph with boxes alone, not judged" in report.notes
    (root / "SegmentationClass" / "a.png").unlink()
    boxes, classes = open_annotated(f"voc:{root}"), class_map(images.categories, model.classes, table)
    with pytest.raises(ValueError, match="^voc:v: only boxes are known of its 2 images, no masks"):
        seeds_report(model, boxes, [GRAD_CAM], classes)
    # cues need no truth
    cues = seeds_report(model, boxes, [GRAD_CAM], classes, out=tmp_path / "cues")
    assert cues.figures[0].mean is None and (tmp_path / "cues" / "grad-cam").is_dir()


def test_cues_by_hand() -> None:
    def slow(map: np.ndarray) -> set[tuple[int, int, int]]:
        # one cell of the map for each cell of the grid
        cells = {(7, int(y), int(x)) for y, x in np.argwhere(map >= 0.2 * map.max())}
        return cells | {(0, int(y), int(x)) for y, x in np.argwhere(map < 0.05 * map.max())}

    random = np.random.default_rng(0)
    map = random.random((GRID, GRID)) ** 3
    cues = cues_of({7: map}, (0, 0, 500, 300), (500, 300))
    assert cues.dtype == np.int16 and cues.shape[0] == 3
    assert set(zip(*cues.tolist(), strict=True)) == slow(map)
    assert cues_of({7: map * 0}, (0, 0, 500, 300), (500, 300)).shape == (3, 0)
    assert cues_of({}, (0, 0, 500, 300), (500, 300)).shape == (3, 0)


def test_cues_lie_at_rows_and_columns_of_the_whole_photograph() -> None:
    # the network sees the right half of a wide photograph
    map = np.zeros((4, 4))
    map[0, 3] = 1  # at the top, on the far right
    cues = cues_of({2: map}, (100, 0, 200, 50), (200, 50))
    kind, row, column = cues[:, cues[0] == 2]
    assert kind.size and row.max() < GRID / 2 and column.min() > 0.75 * GRID
    background = cues[:, cues[0] == 0]
    assert (
        background.shape[1] and background[2].min() >= GRID // 2
    )  # nothing is said of the half that is not seen


def test_the_files_are_what_training_by_seeds_reads(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (2, 3, 12, 9), 200), ("blue", (20, 20, 30, 30), 100)])
    dark = painted(32, 32, [])
    both = [{"category": "red", **_outline(2, 3, 12, 9)}, {"category": "blue", **_outline(20, 20, 30, 30)}]
    spec = write_coco(tmp_path / "c", [(picture, both), (dark, both[1:])])
    out = tmp_path / "cues"
    _report(f"coco:{spec}", out=out)
    folder = out / "grad-cam"
    assert (folder / "classes.txt").read_text() == "1 red\n2 green\n3 blue\n"
    lines = (folder / "input_list.txt").read_text().splitlines()
    assert lines == ["val/10.png 0", "val/11.png 1"]
    # the detour over a pickle of protocol 2 that the docstring gives
    with np.load(folder / "localization_cues.npz") as file:
        cues = pickle.loads(pickle.dumps(dict(file), 2))
    for line in lines:
        key = int(line.split()[1])
        there = np.zeros((4, GRID, GRID))
        found = cues[f"{key}_cues"]
        there[found[0], found[1], found[2]] = 1.0
        labels = np.zeros(4)
        labels[cues[f"{key}_labels"]] = 1.0
        assert (there.sum(axis=0) <= 1).all()
        if key == 0:
            assert labels.tolist() == [0, 1, 0, 1]
            assert there[1, 8, 9] == 1 and there[3, 32, 32] == 1 and there[0, 0, 40] == 1
        else:
            assert labels.tolist() == [0, 0, 0, 1] and there.sum() == 0  # a zero map tells nothing
    again = tmp_path / "again"
    _report(f"coco:{spec}", out=again, batch_size=1)
    name = "grad-cam/localization_cues.npz"
    assert (again / name).read_bytes() == (out / name).read_bytes()
    with pytest.raises(FileExistsError, match="is there already"):
        _report(f"coco:{spec}", out=out)


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (2, 3, 12, 9), 200)])
    thing = [{"category": "red", **_outline(2, 3, 12, 9)}]
    spec = write_coco(tmp_path / "c", [(picture, thing), (picture, thing)])
    (spec / "val" / "11.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="11.png"):
        _report(f"coco:{spec}", out=tmp_path / "runs" / "cues", batch_size=1)
    assert list((tmp_path / "runs").iterdir()) == []
    with pytest.raises(ValueError, match="background_share from 0 up to it, got 0.2 and 0.3"):
        _report(f"coco:{spec}", background_share=0.3)


def test_the_list_names_only_photographs_that_have_cues(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (2, 3, 12, 9), 200)])
    thing = [{"category": "red", **_outline(2, 3, 12, 9)}]
    spec = write_coco(tmp_path / "c", [(picture, thing), (picture, thing), (picture, thing)])
    painted(30, 32, []).save(spec / "val" / "11.png")  # of another size than annotated
    report = _report(f"coco:{spec}", out=tmp_path / "cues")
    assert any("of another size than annotated" in note for note in report.notes)
    folder = tmp_path / "cues" / "grad-cam"
    listed = [line.split()[1] for line in (folder / "input_list.txt").read_text().splitlines()]
    assert listed == ["0", "2"]
    with np.load(folder / "localization_cues.npz") as file:
        assert set(file) == {f"{key}_{what}" for key in listed for what in ("labels", "cues")}


def test_nothing_half_written_stays_if_the_disk_gives_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neuro_explain.evaluate.seeds import CueWriter

    picture = painted(32, 32, [("red", (2, 3, 12, 9), 200)])
    spec = write_coco(tmp_path / "c", [(picture, [{"category": "red", **_outline(2, 3, 12, 9)}])])
    images = open_annotated(f"coco:{spec}")
    full = Path.write_text

    def write_text(self: Path, *args: Any, **options: Any) -> int:
        if self.name in ("classes.txt", "input_list.txt"):
            raise OSError(28, "No space left on device")
        return full(self, *args, **options)

    monkeypatch.setattr(Path, "write_text", write_text)
    with (
        pytest.raises(OSError, match="No space"),
        CueWriter(tmp_path / "runs" / "x", ["a"], images, {"red": 1}),
    ):
        pass
    assert list((tmp_path / "runs").iterdir()) == []


def test_background_alone_is_nothing_measured(tmp_path: Path) -> None:
    picture = painted(32, 32, [("red", (2, 3, 12, 9), 200)])
    things = [{"category": "sofa", **_outline(2, 3, 12, 9)}]
    spec = write_coco(tmp_path / "c", [(picture, things)], ("red", "sofa"))
    for out in (None, tmp_path / "runs" / "cues"):
        with pytest.raises(
            ValueError, match="coco:c: nothing could be measured: 1 category in photographs without a class"
        ):
            _report(f"coco:{spec}", out=out)
    assert list((tmp_path / "runs").iterdir()) == []
