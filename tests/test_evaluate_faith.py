"""The commands that measure maps and units over images, and the sample of images that they take."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import neuro_explain as nx
from neuro_explain.cli import run
from neuro_explain.evaluate.image_sample import ImageSample
from neuro_explain.inputs import open_inputs
from neuro_explain.shipped_names import shipped_names

MODEL = "diorama-balanced"


@pytest.fixture(scope="module")
def model() -> nx.Model:
    return nx.load_model(MODEL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, model: nx.Model) -> Path:
    """Five images, one that is broken, and a list that labels some of them."""
    root = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    for number in range(5):
        coarse = Image.fromarray(generator.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        coarse.resize((96, 96)).save(root / f"{number}.png")
    (root / "5.png").write_bytes(b"no image")
    lines = ["image,label", f"0.png,{model.classes[0]}", f"1.png,{model.classes[1]}", "2.png,", "5.png,"]
    (root / "list.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def test_the_sample(model: nx.Model, folder: Path) -> None:
    inputs = open_inputs(folder, classes=model.classes)
    sample = ImageSample(model, inputs)
    found = list(sample)
    assert [one.name for one in found] == [f"{number}.png" for number in range(5)]
    assert [one.number for one in found] == list(range(5))
    assert list(sample.unreadable) == ["5.png"]
    assert any("1 images could not be read" in note and "5.png" in note for note in sample.notes())
    for one in found:
        with torch.no_grad():
            scores = model.net(one.image)[0]
        assert one.target.index == int(scores.argmax())
        assert one.second is not None and one.second.index != one.target.index
        assert one.target.label == model.classes[one.target.index or 0]
    assert len(list(sample)) == 5  # again
    assert [one.number for one in ImageSample(model, inputs, limit=3)] == [0, 2, 4]  # evenly
    assert len(ImageSample(model, inputs, limit=99)) == 6


def test_labels_are_explained_where_there_are_some(model: nx.Model, folder: Path) -> None:
    inputs = open_inputs(folder / "list.csv", classes=model.classes)
    sample = ImageSample(model, inputs, explained="label")
    found = list(sample)
    assert [one.target.index for one in found[:2]] == [0, 1]
    assert all(one.second is not None and one.second.index == 1 - one.target.index for one in found)
    assert any("1 images without a label" in note for note in sample.notes())
    with pytest.raises(ValueError, match="no image has a label"):
        ImageSample(model, open_inputs(folder, classes=model.classes), explained="label")
    with pytest.raises(ValueError, match="limit: expected at least 1"):
        ImageSample(model, inputs, limit=0)
    with pytest.raises(ValueError, match="no image can be read; the first of them: .*5.png"):
        list(ImageSample(model, open_inputs(folder / "5.png", classes=model.classes)))


@pytest.mark.parametrize(
    ("command", "options", "measures"),
    [
        (
            "faithfulness",
            ["--method", "grad-cam", "--method", "guided-backprop", "--cells", "4", "--steps", "4"],
            {"rank correlation with occlusion", "deletion, area (small is good)"},
        ),
        ("ablation", ["--draws", "20", "--top", "3"], {"fall of the score"}),
        ("discrimination", [], {"rank correlation of the maps of two classes"}),
        ("sanity", ["--stages", "2"], set()),
    ],
)
def test_the_commands(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str, options: list[str], measures: set[str]
) -> None:
    call = ["evaluate", command, "--model", MODEL, "--images", str(folder), "--limit", "4", *options]
    assert run([*call, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["figures"]
    assert measures <= {figure["measure"] for figure in found["figures"]}
    assert all(figure["network"] == MODEL for figure in found["figures"])
    assert "4 of 6 images; the class explained is the one that the network predicts" in found["notes"]
    if command == "sanity":
        assert [figure["measure"].split(":")[0] for figure in found["figures"]] == [
            "cascading",
            "cascading",
            "independent",
            "independent",
        ]
        assert "flagged" in found
    assert run(call) == 0
    out = capsys.readouterr().out.splitlines()
    assert MODEL in out[0] and out[1].startswith("measure")
    assert len(out) >= 2 + len(found["figures"])


def test_named_units_alone(
    model: nx.Model, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = [
        "evaluate",
        "ablation",
        "--model",
        MODEL,
        "--images",
        str(folder),
        "--limit",
        "2",
        "--draws",
        "20",
    ]
    assert run([*call, "--names", str(tmp_path / "nothing")]) == 1
    assert "does not exist" in capsys.readouterr().err
    nx.dissect(model, nx.open_concepts("diorama:7:40"), exemplars=0).save(tmp_path / "names")
    assert run([*call, "--names", str(tmp_path / "names"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["figures"][0]["method"] == "5 named units by contribution"
    assert found["figures"][0]["count"] + sum(found["figures"][0]["apart"].values()) == 2
    shipped_names("efficientnet-lite0").save(tmp_path / "others")
    assert run([*call, "--names", str(tmp_path / "others")]) == 1
    assert "are those of layer 'bn2'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        "faithfulness --cells 1",
        "faithfulness --steps 0",
        "faithfulness --limit -1",
        "faithfulness --seed -1",
        "faithfulness --method gradcam",
        "ablation --draws 19",
        "ablation --top 0",
        "sanity --stages 0",
        "sanity --method gradcam",
        "discrimination --method gradcam",
    ],
)
def test_wrong_values_are_usage_errors_before_a_network_is_loaded(
    wrong: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *options = wrong.split()
    assert run(["evaluate", command, "--model", "nowhere:nothing", "--images", str(folder), *options]) == 2
    assert f"Invalid value for '{options[0]}'" in capsys.readouterr().err


def test_labels_that_are_none_are_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "ward").mkdir()
    (tmp_path / "ward" / "1.png").write_bytes((folder / "0.png").read_bytes())
    classes = ["office", "kitchen"]
    with pytest.raises(
        ValueError, match="the folder is called 'ward', which is none of the model's 2 classes"
    ):
        ImageSample(nx.load_model(MODEL), open_inputs(tmp_path, classes=classes), explained="label")


def test_mistakes_are_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["evaluate", "discrimination", "--model", MODEL, "--images", str(folder)]
    assert run([*call, "--method", "gradcam"]) == 2
    said = capsys.readouterr().err
    assert "'--method': method 'gradcam' does not exist: did you mean grad-cam" in said
    assert run([*call, "--layer", "fc"]) in (1, 2)
    assert capsys.readouterr().err
    assert run(["evaluate", "discrimination", "--model", MODEL, "--images", str(folder / "nowhere")]) == 1
    assert "there is no such folder" in capsys.readouterr().err
