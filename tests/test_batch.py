"""Many images: every row is what the definition says, and nothing that happens on the way changes one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from batch_runs import deep_model, explained, nx_image, rows_of, same_rows, write_photographs
from PIL import Image
from torch import nn
from toy import CLASSES, toy_model, toy_names

import neuro_explain as nx
from dissection.artifact import read_artifact
from neuro_explain.batch import explain_batch, job, plan
from neuro_explain.batch.measure import class_alphas
from neuro_explain.batch.parts import sheet_path
from neuro_explain.batch.plan import Cut
from neuro_explain.batch.rows import schema
from neuro_explain.explain import explain
from neuro_explain.inputs import open_inputs
from neuro_explain.model import Model
from reports.batch_rows import unpacked


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return write_photographs(tmp_path / "photographs")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "PART", 8)


@pytest.mark.parametrize("rank_by", ["alpha", "contribution"])
@pytest.mark.parametrize("named_only", [False, True])
def test_rows_are_what_explain_says_of_each_image(
    photographs: Path, tmp_path: Path, rank_by: str, named_only: bool
) -> None:
    model = toy_model()
    names = toy_names(model)
    done = explained(model, photographs, tmp_path / "out", best=2, rank_by=rank_by, named_only=named_only)
    rows = rows_of(tmp_path / "out").to_pylist()
    labels = pd.read_csv(photographs / "list.csv", keep_default_na=False)
    assert [row["id"] for row in rows] == list(labels["image"])
    assert done.images == 13 and done.errors == 2
    seen_right = seen_labelled = 0
    for number, row in enumerate(rows):
        assert row["batch"] == number // 4
        assert row["meta.camera"] == (labels["camera"][number] or None)
        label = labels["label"][number]
        assert row["label"] == (CLASSES.index(label) if label else None)
        if number in (3, 7):
            assert "png" in row["error"] and str(tmp_path) not in row["error"]
            empty = {"id", "batch", "error", "label", "meta.camera"}
            assert all(value is None for key, value in row.items() if key not in empty)
            continue
        assert row["error"] is None
        why = explain(
            model,
            photographs / row["id"],
            names,
            top=3,
            rank_by=rank_by,
            named_only=named_only,
            check=False,  # type: ignore[arg-type]
        )
        best = why.predictions
        assert row["predicted"] == best[0].index
        assert row["probability"] == pytest.approx(best[0].probability, rel=1e-5)
        assert row["score"] == pytest.approx(best[0].score, rel=1e-5)
        assert (row["width"], row["height"]) == why.image_size
        wanted = [best[0].index, best[1].index]
        if label:
            seen_labelled += 1
            seen_right += row["right"]
            assert row["right"] == (row["predicted"] == row["label"])
            wanted += [row["label"]] if row["label"] not in wanted else []
        else:
            assert row["right"] is None
        assert [one["class"] for one in row["explained"]] == wanted
        for one in row["explained"]:
            alone = explain(
                model,
                photographs / row["id"],
                names,
                target=one["class"],
                top=3,
                rank_by=rank_by,  # type: ignore[arg-type]
                named_only=named_only,
                check=False,
            ).targets[0]
            assert one["score"] == pytest.approx(alone.score, rel=1e-5)
            np.testing.assert_allclose(one["map"], alone.signed_map.ravel(), rtol=1e-4, atol=1e-6)
            for side, units in (("top", alone.top), ("bottom", alone.bottom)):
                assert [unit["unit"] for unit in one[side]] == [unit.index for unit in units]
                for got, unit in zip(one[side], units, strict=True):
                    assert got["concept"] == (None if unit.concept is None else unit.concept.name)
                    assert got["alpha"] == pytest.approx(unit.alpha, rel=1e-4)
                    assert got["contribution"] == pytest.approx(unit.contribution, rel=1e-4, abs=1e-6)
        # the contribution of every unit, for the prediction and for the label
        cam = nx.grad_cam(
            model.net, model.prepare(nx_image(photographs / row["id"])), [row["predicted"]], layer=model.layer
        )
        total = cam.activations.double().sum((2, 3))
        np.testing.assert_allclose(row["contribution"], (cam.alpha * total)[0], rtol=1e-4, atol=1e-6)
        assert row["alpha"] is None  # w / Z, for all images: it stands once, in class_alpha.npy
        if label and row["label"] != row["predicted"]:
            cam = nx.grad_cam(
                model.net, model.prepare(nx_image(photographs / row["id"])), [row["label"]], layer=model.layer
            )
            np.testing.assert_allclose(
                row["label_contribution"], (cam.alpha * total)[0], rtol=1e-4, atol=1e-6
            )
        else:
            assert row["label_contribution"] is None
    assert (done.labelled, done.right) == (seen_labelled, seen_right) and seen_labelled > 4
    kept = np.load(tmp_path / "out" / "class_alpha.npy")
    np.testing.assert_allclose(kept, model.net.head.weight.detach().numpy() / 64, rtol=1e-5)
    assert read_artifact(tmp_path / "out", "batch")["summary"]["errors"] == 2


def test_alphas_that_depend_on_the_image_are_kept_for_each(photographs: Path, tmp_path: Path) -> None:
    model = deep_model()
    explained(model, photographs, tmp_path / "out")
    assert not (tmp_path / "out" / "class_alpha.npy").exists()
    seen = 0
    for row in rows_of(tmp_path / "out").to_pylist():
        if row["error"]:
            assert row["alpha"] is None
            continue
        image = model.prepare(nx_image(photographs / row["id"]))
        cam = nx.grad_cam(model.net, image, [row["predicted"]], layer="fire")
        np.testing.assert_allclose(row["alpha"], cam.alpha[0], rtol=1e-3, atol=1e-7)
        if row["label_alpha"] is not None:
            seen += 1
            cam = nx.grad_cam(model.net, image, [row["label"]], layer="fire")
            np.testing.assert_allclose(row["label_alpha"], cam.alpha[0], rtol=1e-3, atol=1e-7)
    assert seen


def test_an_image_without_a_finite_score_is_a_row_with_its_error(photographs: Path, tmp_path: Path) -> None:
    plain = toy_model()
    means = {
        path.name: float(plain.prepare(nx_image(path)).mean())
        for path in sorted(photographs.glob("*.png"))
        if path.name not in ("03.png", "07.png")
    }
    bright = float(np.median(list(means.values()))) + 1e-4
    bad = {name for name, mean in means.items() if mean > bright}
    assert bad and len(bad) < len(means)

    class Fragile(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = toy_model().net

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            scores = self.inner(images)
            return torch.where(images.mean((1, 2, 3))[:, None] > bright, torch.nan, scores)

    model = Model(
        Fragile().eval(), preprocess=plain.preprocess, classes=CLASSES, layer="inner.fire", name="fragile"
    )
    explain_batch(
        model,
        open_inputs(photographs / "list.csv", classes=CLASSES),
        toy_names(model, fingerprint=None, layer=None),
        tmp_path / "out",
        batch_size=4,
        workers=0,
        top=3,
        progress=False,
    )
    rows = rows_of(tmp_path / "out").to_pylist()
    assert {row["id"] for row in rows if row["error"] and "NaN" in row["error"]} == bad
    for row in rows:
        if row["error"] is None:
            one = explain(plain, photographs / row["id"], toy_names(plain), top=3, check=False)
            assert row["predicted"] == one.predictions[0].index


def test_ties_go_to_the_smaller_unit_as_in_an_explanation(photographs: Path, tmp_path: Path) -> None:
    model = toy_model()
    with torch.no_grad():
        model.net.head.weight.fill_(1.0)
        model.net.head.weight[:, 4:] = -1.0
    explained(model, photographs, tmp_path / "out", rank_by="alpha")
    for row in rows_of(tmp_path / "out").to_pylist():
        if row["error"] is None:
            (one,) = row["explained"][:1]
            assert [unit["unit"] for unit in one["top"]] == [0, 1, 2]
            assert [unit["unit"] for unit in one["bottom"]] == [4, 5, 6]


@pytest.mark.parametrize("rank_by", ["alpha", "contribution"])
def test_lists_are_as_short_as_those_of_an_explanation(
    photographs: Path, tmp_path: Path, rank_by: str
) -> None:
    """Lists of no unit, of one, and of `top`, in one part, each with its own units."""
    model = toy_model()
    with torch.no_grad():
        model.net.head.weight.zero_()
        model.net.head.weight[0, :4] = -1.0  # it is said of every image: nothing speaks for it
        model.net.head.weight[1, 5] = 1.0
        model.net.head.bias.copy_(torch.tensor([1000.0, 500, 0, 0, 0, 0]))
    explained(model, photographs, tmp_path / "out", rank_by=rank_by, best=2)
    seen = set()
    for row in rows_of(tmp_path / "out").to_pylist():
        if row["error"] is not None:
            continue
        why = explain(
            model,
            photographs / row["id"],
            toy_names(model),
            top=3,
            rank_by=rank_by,
            check=False,  # type: ignore[arg-type]
        )
        of = {target.index: target for target in why.targets if target.kind == "class"}
        for one in row["explained"]:
            alone = of.get(one["class"])
            if alone is None:
                continue
            for side, units in (("top", alone.top), ("bottom", alone.bottom)):
                assert [unit["unit"] for unit in one[side]] == [unit.index for unit in units]
                assert [unit["concept"] for unit in one[side]] == [str(unit.concept.name) for unit in units]
                np.testing.assert_allclose(
                    [unit["alpha"] for unit in one[side]], [unit.alpha for unit in units]
                )
                seen.add((one["class"], side, len(units)))
    assert {(0, "top", 0), (0, "bottom", 3), (1, "top", 1), (1, "bottom", 0)} <= seen
    page = nx.write_report(tmp_path / "out").read_text(encoding="utf-8")
    twin = json.loads(re.search('<script type="application/json" id="twin">(.*?)</script>', page, re.S)[1])
    assert (unpacked(twin["speaking"]["for"]) == -1).all()
    assert (unpacked(twin["speaking"]["against"]) >= 0).any()


def test_columns_are_those_of_the_schema(photographs: Path, tmp_path: Path) -> None:
    explained(toy_model(), photographs, tmp_path / "out")
    for path in (tmp_path / "out" / "predictions").iterdir():
        assert pq.read_schema(path).remove_metadata().equals(schema(["camera"]))
    frame = pd.read_parquet(tmp_path / "out" / "predictions")
    assert len(frame) == 13


def test_every_image_is_in_one_batch_and_every_batch_in_one_part() -> None:
    for count in (1, 3, 4, 5, 8, 9, 31, 32, 33):
        for size in (1, 3, 4, 7, 40):
            cut = Cut(count, size)
            batches = [each for part in range(cut.parts) for each in cut.batches(part)]
            assert [number for number, _ in batches] == list(range(len(batches)))
            assert [row for _, rows in batches for row in rows] == list(range(count))
            assert [row for part in range(cut.parts) for row in cut.rows(part)] == list(range(count))
            assert all(len(rows) == size for _, rows in batches[:-1])


def test_workers_do_not_change_a_row(photographs: Path, tmp_path: Path) -> None:
    explained(toy_model(), photographs, tmp_path / "alone")
    explained(toy_model(), photographs, tmp_path / "two", workers=2)
    assert same_rows(tmp_path / "alone", tmp_path / "two")


def test_thumbnails_show_what_the_network_is_shown(photographs: Path, tmp_path: Path) -> None:
    model = toy_model()
    explained(model, photographs, tmp_path / "out")
    with Image.open(sheet_path(tmp_path / "out", 0)) as opened:
        sheet = np.asarray(opened.convert("RGB")).astype(float)
    assert sheet.shape == (64, 32 * 64, 3)
    image = nx_image(photographs / "02.png")
    shown = model.preprocess(image).permute(1, 2, 0).numpy() * 255
    there = sheet[:, 2 * 64 : 3 * 64]
    assert np.abs(there.reshape(32, 2, 32, 2, 3).mean((1, 3)) - shown).mean() < 12
    assert there.std() > 10
    assert sheet[:, 3 * 64 : 4 * 64].mean() < 3  # the broken one is blank
    explained(model, photographs, tmp_path / "without", thumbnails=False)
    assert not (tmp_path / "without" / "thumbnails").exists()
    assert same_rows(tmp_path / "out", tmp_path / "without")


def test_a_network_that_changes_its_mind_about_alpha_is_caught(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "class_alphas", lambda *_args, **_more: torch.zeros(6, 8))
    with pytest.raises(ValueError, match="alpha did not depend"):
        explained(toy_model(), photographs, tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"best": 0}, "best"),
        ({"workers": -1}, "workers"),
        ({"top": 9}, "top"),
    ],
)
def test_options_out_of_range_are_refused(
    photographs: Path, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        explained(toy_model(), photographs, tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


def test_a_network_in_training_mode_comes_back_as_it_was() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    net.train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    alpha = class_alphas(net, torch.rand(1, 3, 8, 8), layer="2")
    assert net.training and all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    torch.testing.assert_close(alpha, torch.eye(4) / 36)


def test_scores_that_look_like_probabilities_are_said_once(photographs: Path, tmp_path: Path) -> None:
    model = toy_model()
    net = nn.Sequential(model.net, nn.Softmax(dim=1))
    with pytest.warns(UserWarning, match="probabilities"):
        class_alphas(net, torch.rand(1, 3, 32, 32), layer="0.fire")


def test_the_plan_is_json_and_says_what_was_run(photographs: Path, tmp_path: Path) -> None:
    explained(toy_model(), photographs, tmp_path / "out")
    found = json.loads((tmp_path / "out" / "run.json").read_text())
    assert found["model"] == "colour-net" and found["classes"] == list(CLASSES)
    assert found["inputs"]["count"] == 13 and found["inputs"]["metadata"] == ["camera"]
    assert found["alpha_varies"] is False and found["units"] == 8 and found["map"] == [8, 8]
    names = pd.read_csv(tmp_path / "out" / "units.csv")
    assert list(names["unit"]) == list(range(8)) and names["concept"][0] == "red"


def test_memory_that_is_free_is_given_back() -> None:
    """What lies between small things that are kept stays with the process unless it is asked for."""
    code = """
        import ctypes
        from neuro_explain.batch.memory import give_back

        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * 4096

        blocks = [bytearray(100_000) for _ in range(2000)]
        kept = blocks[::20]
        del blocks
        before = resident()
        give_back()
        print(before - resident())
    """
    if sys.platform != "linux":
        pytest.skip("the memory of a process is read as Linux tells it")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], check=True, capture_output=True, text=True
    )
    assert int(done.stdout) > 100_000_000
