"""Which photographs are asked about, what is drawn of them, and the commands from making to scoring."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from annotated_sets import color_model, painted, write_coco
from PIL import Image
from torch import nn

from dissection.artifact import read_artifact
from dissection.fingerprint import weights_fingerprint
from neuro_explain.cli import run
from neuro_explain.diorama.scene import make_scene
from neuro_explain.evaluate.annotated import open_annotated
from neuro_explain.evaluate.class_map import class_map
from neuro_explain.inputs import open_inputs
from neuro_explain.methods import METHODS
from neuro_explain.model import Model
from neuro_explain.preprocess import Preprocess
from neuro_explain.study import trust
from neuro_explain.study.discrimination import discrimination_questions
from neuro_explain.study.drawing import SIDE, common_frame, draw_map
from neuro_explain.study.folder import KIND, make_study
from neuro_explain.study.question import Material
from neuro_explain.study.trust import trust_questions
from neuro_explain.zoo import load_model

TWO = [("red", (0, 0, 16, 32), 200), ("green", (16, 0, 32, 32), 100)]
CAM = [METHODS["grad-cam"], METHODS["gradient"]]


def pixels(picture: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"), np.float64)


def things(
    *names: str, box: tuple[int, int, int, int] = (0, 0, 16, 32), crowd: int = 0
) -> list[dict[str, object]]:
    return [{"category": name, "bbox": list(box), "iscrowd": crowd} for name in names]


def asked(root: Path, model: Model | None = None, **options: object) -> Material:
    model = model or color_model()
    images = open_annotated(f"coco:{root}")
    return discrimination_questions(
        model,
        images,
        CAM,
        class_map(images.categories, model.classes),
        **options,  # type: ignore[arg-type]
    )


def test_only_photographs_with_exactly_two_categories_are_asked_about(tmp_path: Path) -> None:
    picture = painted(32, 32, TWO)
    root = write_coco(
        tmp_path / "set",
        [
            (picture, things("red", "green")),
            (picture, things("red")),
            (picture, things("red", "green", "blue")),
            (picture, [*things("red", "green"), *things("blue", crowd=1)]),  # a crowd can be seen, too
            (picture, things("green", "red", "red")),
            (picture, things("red", "cow")),
        ],
        ("red", "green", "blue", "cow"),
    )
    material = asked(root)
    assert {one.image for one in material.questions} == {"val/10.png", "val/14.png"}
    assert {(one.category, one.method) for one in material.questions} == {
        (category, method.name) for category in ("red", "green") for method in CAM
    }
    assert len(material.questions) == 8
    for one in material.questions:
        assert one.choices == ("green", "red") and one.truth is not None
        assert one.choices[one.truth] == one.category
    assert "2 photographs of the 2 that fit, of 6" in material.notes
    assert "3 photographs of fewer or more categories than two, left out" in material.notes
    assert "1 photographs with a category that no class stands for, left out" in material.notes


def test_the_picture_shows_the_class_that_it_is_for(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "set", [(painted(32, 32, TWO), things("red", "green"))])
    for one in asked(root).questions:
        if one.method == "grad-cam":
            drawn = pixels(one.pictures[0])
            assert drawn.shape == (SIDE, SIDE, 3)
            left, right = (
                drawn[:, : SIDE // 2 - 30].max(axis=2).mean(),
                drawn[:, SIDE // 2 + 30 :].max(axis=2).mean(),
            )
            shown, hidden = (left, right) if one.category == "red" else (right, left)
            assert shown > 50 and hidden < 5


def test_what_the_network_does_not_see_is_not_asked_for(tmp_path: Path) -> None:
    wide = painted(96, 32, [("red", (0, 0, 30, 32), 200), ("green", (40, 0, 60, 32), 200)])
    root = write_coco(
        tmp_path / "set",
        [(wide, [*things("red", box=(0, 0, 30, 32)), *things("green", box=(40, 0, 20, 32))])],
    )
    model = color_model(resize=32)  # sees the middle third
    with pytest.raises(
        ValueError, match="1 photographs with a category of which the network sees less than half"
    ):
        asked(root, model)
    assert len(asked(root, model, view="whole").questions) == 4


def test_the_seed_chooses_and_bad_numbers_are_refused(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "set", [(painted(32, 32, TWO), things("red", "green"))] * 6)
    chosen = [{one.image for one in asked(root, photographs=2, seed=seed).questions} for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2] and len(chosen[0]) == 2
    with pytest.raises(ValueError, match="photographs: expected at least 1"):
        asked(root, photographs=0)


def test_pictures_of_one_photograph_have_one_size_whoever_drew_them() -> None:
    photo = painted(60, 30, TWO)
    frame = common_frame((0, 0, 60, 30), (15, 0, 45, 30))
    assert frame == (15, 0, 45, 30)
    maps = (np.ones((7, 14)), (0, 0, 60, 30)), (np.ones((5, 5)), frame)
    sizes = {
        pixels(draw_map(photo, cells, crop, frame, pixels=of_pixels)).shape
        for cells, crop in maps
        for of_pixels in (True, False)
    }
    assert sizes == {(SIDE, SIDE, 3)}
    # and both show the same part: a uniform map is the photograph in its frame
    first, second = (pixels(draw_map(photo, cells, crop, frame, pixels=False)) for cells, crop in maps)
    assert np.abs(first - second).max() <= 2
    assert not pixels(draw_map(photo, np.zeros((3, 3)), frame, frame, pixels=False)).max() > 8
    with pytest.raises(ValueError, match="no part of the photograph both"):
        common_frame((0, 0, 10, 10), (10, 0, 20, 10))


def blind_model() -> Model:
    """Says red whatever it sees, but looks at the green."""
    conv, head = nn.Conv2d(3, 3, 1, bias=False), nn.Linear(3, 3)
    with torch.no_grad():
        conv.weight.copy_(torch.eye(3)[:, :, None, None])
        head.weight.copy_(torch.eye(3)[[1, 0, 2]])
        head.bias.copy_(torch.tensor([9.0, 0.0, 0.0]))
    net = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head).eval()
    preprocess = Preprocess((32, 32), mean=(0, 0, 0), std=(1, 1, 1), resize=(32, 32), interpolation="nearest")
    return Model(net, preprocess=preprocess, classes=["red", "green", "blue"], layer="1", name="blind")


def labelled(root: Path) -> Path:
    for label, count in (("red", 3), ("green", 2)):
        (root / label).mkdir(parents=True)
        for number in range(count):
            painted(32, 32, [(label, (0, 0, 16, 32), 200), ("green", (16, 0, 32, 32), 90)]).save(
                root / label / f"{number}.png"
            )
    return root


def test_trust_asks_of_what_both_get_right(tmp_path: Path) -> None:
    model, blind = color_model(), blind_model()
    inputs = open_inputs(labelled(tmp_path / "photos"), classes=model.classes)
    material = trust_questions(model, blind, inputs, CAM, photographs=2)
    assert len({one.image for one in material.questions}) == 2 and len(material.questions) == 4
    assert all(one.image.startswith("red/") and one.category == "red" for one in material.questions)
    assert [(network.name, network.accuracy, network.images) for network in material.networks] == [
        ("colours", 1.0, 5),
        ("blind", 0.6, 5),
    ]
    assert "2 photographs of the 3 that both get right, of 5 with a label" in material.notes
    for one in material.questions:
        if one.method == "grad-cam":
            first, second = (pixels(picture).max(axis=2) for picture in one.pictures)
            assert first[:, : SIDE // 3].mean() > 50 > 5 > first[:, -SIDE // 3 :].mean()
            assert second[:, -SIDE // 3 :].mean() > 50 > 5 > second[:, : SIDE // 3].mean()


@pytest.mark.parametrize("size", [1, 2, 16])
def test_batches_change_nothing(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, blind = color_model(), blind_model()
    root = labelled(tmp_path / "photos")
    (root / "red" / "1.png").write_bytes(b"broken")
    inputs = open_inputs(root, classes=model.classes)
    monkeypatch.setattr(trust, "BATCH", size)
    seen: list[int] = []
    model.net.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    right, apart = trust._right((model, blind), inputs)
    assert sum(seen) == 4 and max(seen) == min(size, 4)
    assert dict(apart) == {"photographs that cannot be read, left out": 1}
    reds = {number: inputs.ids[number].startswith("red/") for number in right}
    assert right == {number: (True, red) for number, red in reds.items()} and len(right) == 4


def test_networks_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    model = color_model()
    inputs = open_inputs(labelled(tmp_path / "photos"), classes=model.classes)
    other = Model(
        model.net, preprocess=model.preprocess, classes=["red", "green", "cow"], layer="1", name="other"
    )
    with pytest.raises(ValueError, match="colours and other must have the same classes"):
        trust_questions(model, other, inputs, CAM)
    with pytest.raises(ValueError, match="photographs: expected at least 1"):
        trust_questions(model, model, inputs, CAM, photographs=0)
    plain = open_inputs(tmp_path / "photos" / "red" / "0.png", classes=model.classes)
    with pytest.raises(ValueError, match="needs labels"):
        trust_questions(model, model, plain, CAM)


def test_a_study_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = painted(64, 64, [("red", (2, 3, 30, 40), 200)])
    write_coco(tmp_path / "set", [(picture, things("kitchen", "bedroom"))] * 3, ("kitchen", "bedroom"))
    out = tmp_path / "study"
    make = [
        "study",
        "make",
        "discrimination",
        "--model",
        "diorama-scenes",
        "--images",
        f"coco:{tmp_path / 'set'}",
    ]
    make += ["--out", str(out), "--ratings", "2", "--method", "grad-cam", "--method", "guided-backprop"]
    assert run(make) == 0
    said = capsys.readouterr().out
    assert "12 questions, 2 raters for each: 8 pages of 3" in said
    assert f"{out / 'private' / 'key.json'} holds the answers" in said
    assert len(list((out / "pages").iterdir())) == 8
    back = tmp_path / "back"
    assert run(["study", "simulate", str(out), "--accuracy", "1", "--raters", "5", "--out", str(back)]) == 0
    assert "5 files" in capsys.readouterr().out
    files = list(map(str, sorted(back.iterdir())))
    assert run(["study", "score", str(out), *files]) == 0
    assert "5 of 8 raters, 15 of 24 ratings" in capsys.readouterr().out
    assert run(["study", "score", str(out), str(back)]) == 0
    assert "5 of 8 raters, 15 of 24 ratings" in capsys.readouterr().out
    assert run(["study", "score", str(out), *files, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["mean"]["value"] for one in told["methods"]] == [1.0, 1.0]
    for wrong, status, message in (
        ([*make], 1, "already holds an artifact"),
        ([*make, "--overwrite", "--raters", "1"], 2, "--ratings: expected at most 1"),
        ([*make, "--overwrite", "--method", "grad-cm"], 2, "'--method': method 'grad-cm' does not exist"),
        (
            ["study", "simulate", str(out), "--accuracy", "2", "--out", str(tmp_path / "x")],
            2,
            "--accuracy: expected",
        ),
        (["study", "score", str(out), files[0], files[0]], 1, "has answered in"),
        (["study", "score", str(tmp_path), files[0]], 1, "manifest.json"),
    ):
        assert run(wrong) == status, wrong
        assert message in capsys.readouterr().err


def test_a_study_of_trust_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = tmp_path / "photos"
    for number in range(3):
        (photos / "kitchen").mkdir(parents=True, exist_ok=True)
        make_scene(3, number, category="kitchen").image().save(photos / "kitchen" / f"{number}.png")
    arguments = ["study", "make", "trust", "--model", "diorama-scenes", "--against", "diorama-scenes-dense"]
    arguments += ["--images", str(photos), "--ratings", "2", "--out", str(tmp_path / "study"), "--json"]
    assert run(arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["questions"] in (2, 4, 6) and told["raters"] == 4
    manifest = read_artifact(tmp_path / "study", KIND)
    fingerprints = [
        weights_fingerprint(load_model(name).net) for name in ("diorama-scenes", "diorama-scenes-dense")
    ]
    assert manifest["options"]["weights_fingerprints"] == fingerprints and len(set(fingerprints)) == 2
    assert manifest["weights_fingerprint"] == fingerprints[0]
    page = next((tmp_path / "study" / "pages").iterdir()).read_text()
    assert "diorama" not in page and page.count("<img ") == told["questions_per_rater"][0] * 2


def test_made_twice_a_study_is_the_same_bytes(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "set", [(painted(32, 32, TWO), things("red", "green"))] * 2)
    first, second = (make_study(asked(root), ratings=2, seed=3) for _ in range(2))
    assert [first.page(rater) for rater in first.key.sheets] == [
        second.page(rater) for rater in second.key.sheets
    ]
    assert make_study(asked(root), ratings=2, seed=4).key.study != first.key.study
