"""Many images: every row is what the definition says, and nothing that happens on the way changes one."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torch import nn
from toy import CLASSES, photograph, toy_model, toy_names

import neuro_explain as nx
from dissection.artifact import ArtifactError, read_artifact
from neuro_explain.batch import BatchRun, explain_batch, job, plan
from neuro_explain.batch.lock import locked
from neuro_explain.batch.measure import class_alphas
from neuro_explain.batch.parts import part_path, read_run, sheet_path
from neuro_explain.batch.plan import Cut, differences
from neuro_explain.batch.rows import schema
from neuro_explain.explain import explain
from neuro_explain.inputs import Inputs, open_inputs
from neuro_explain.model import Model
from neuro_explain.preprocess import Preprocess


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Thirteen photographs, one of them broken and one empty, with a list of labels and where they were taken."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    lines = ["image,label,camera"]
    for number in range(13):
        path = folder / f"{number:02d}.png"
        photograph(40 + number, 32, seed=number).save(path)
        label = CLASSES[number % 6] if number % 4 else ""
        lines.append(f"{path.name},{label},{'left' if number % 2 else ''}")
    (folder / "03.png").write_bytes((folder / "03.png").read_bytes()[:200])
    (folder / "07.png").write_bytes(b"")
    (folder / "list.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "PART", 8)


def rows_of(folder: Path) -> pa.Table:
    return pa.concat_tables(
        [pq.read_table(path) for path in sorted((folder / "predictions").glob("*.parquet"))]
    )


def explained(model: Model, photographs: Path, out: Path, **options: object) -> BatchRun:
    inputs = open_inputs(photographs / "list.csv", classes=model.classes)
    fixed: dict[str, object] = {"batch_size": 4, "workers": 0, "top": 3, "progress": False}
    return explain_batch(model, inputs, toy_names(model), out, **{**fixed, **options})  # type: ignore[arg-type]


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


def nx_image(path: Path) -> Image.Image:
    from dissection.images import read_image

    return read_image(path)


class Deep(nn.Module):
    """A network whose alphas depend on the image."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.see, self.fire = nn.Conv2d(3, 8, 3, 2, padding=1), nn.ReLU()
        self.dense, self.out = nn.Linear(8 * 64, 16), nn.Linear(16, 6)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = nn.functional.avg_pool2d(self.fire(self.see(images)), 2)
        return self.out(torch.relu(self.dense(maps.flatten(1))))


def deep_model() -> Model:
    recipe = Preprocess(input_size=(32, 32), resize=32, mean=(0, 0, 0), std=(1, 1, 1))
    return Model(Deep().eval(), preprocess=recipe, classes=CLASSES, layer="fire", name="deep")


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
    explain_batch(
        model,
        open_inputs(photographs / "list.csv", classes=CLASSES),
        toy_names(model),
        tmp_path / "out",
        batch_size=4,
        workers=0,
        top=4,
        rank_by="alpha",
        progress=False,
    )
    for row in rows_of(tmp_path / "out").to_pylist():
        if row["error"] is None:
            (one,) = row["explained"][:1]
            assert [unit["unit"] for unit in one["top"]] == [0, 1, 2, 3]
            assert [unit["unit"] for unit in one["bottom"]] == [0, 1, 2, 3]


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


def same_rows(one: Path, other: Path) -> bool:
    return rows_of(one).equals(rows_of(other))


def test_workers_do_not_change_a_row(photographs: Path, tmp_path: Path) -> None:
    explained(toy_model(), photographs, tmp_path / "alone")
    explained(toy_model(), photographs, tmp_path / "two", workers=2)
    assert same_rows(tmp_path / "alone", tmp_path / "two")


def test_a_run_goes_on_where_it_stopped(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = deep_model()
    explained(model, photographs, tmp_path / "whole")
    out = tmp_path / "out"
    real = job.write_part

    def full(folder: Path, number: int, rows: pa.Table) -> None:
        if number == 1:
            raise OSError(28, "No space left on device")
        real(folder, number, rows)

    monkeypatch.setattr(job, "write_part", full)
    with pytest.raises(OSError, match="No space"):
        explained(model, photographs, out)
    monkeypatch.setattr(job, "write_part", real)
    assert part_path(out, 0).is_file() and not part_path(out, 1).exists()
    with pytest.raises(ArtifactError, match="not finished"):
        read_run(out)
    with pytest.raises(ArtifactError, match="--resume"):
        explained(model, photographs, out)
    before = part_path(out, 0).stat().st_mtime_ns
    explained(model, photographs, out, resume=True)
    assert part_path(out, 0).stat().st_mtime_ns == before
    assert same_rows(tmp_path / "whole", out)
    again = explained(model, photographs, out, resume=True)  # nothing is left to do
    assert (again.images, again.errors) == (13, 2)


def test_a_damaged_part_is_made_again(photographs: Path, tmp_path: Path) -> None:
    model = toy_model()
    explained(model, photographs, tmp_path / "whole")
    explained(model, photographs, tmp_path / "out")
    out = tmp_path / "out"
    (out / "manifest.json").unlink()
    part_path(out, 0).write_bytes(part_path(out, 0).read_bytes()[:-20])
    sheet_path(out, 1).unlink()
    explained(model, photographs, out, resume=True)
    assert same_rows(tmp_path / "whole", out)
    assert sheet_path(out, 1).is_file()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"top": 2}, "options.top: 3 in the run, 2 now"),
        ({"batch_size": 3}, "options.batch_size"),
        ({"rank_by": "alpha"}, "options.rank_by"),
        ({"best": 2}, "options.best"),
    ],
)
def test_other_options_do_not_go_on_with_a_run(
    photographs: Path, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    model = toy_model()
    explained(model, photographs, tmp_path / "out")
    (tmp_path / "out" / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match=said):
        explained(model, photographs, tmp_path / "out", resume=True, **changes)


def test_another_model_other_names_or_other_images_do_not_go_on_with_a_run(
    photographs: Path, tmp_path: Path
) -> None:
    model = toy_model()
    out = tmp_path / "out"
    explained(model, photographs, out)
    (out / "manifest.json").unlink()
    other = toy_model()
    with torch.no_grad():
        other.net.head.weight[0, 0] += 1
    with pytest.raises(ArtifactError, match="weights_fingerprint"):
        explained(other, photographs, out, resume=True)
    inputs = open_inputs(photographs / "list.csv", classes=model.classes)
    fixed: dict[str, object] = {"batch_size": 4, "workers": 0, "top": 3, "progress": False, "resume": True}
    with pytest.raises(ArtifactError, match="names.fingerprint"):
        explain_batch(model, inputs, toy_names(model, named=(0, 1)), out, **fixed)  # type: ignore[arg-type]
    text = (photographs / "list.csv").read_text().replace("01.png,street", "01.png,coast")
    (photographs / "list.csv").write_text(text)
    with pytest.raises(ArtifactError, match="inputs.fingerprint"):
        explained(model, photographs, out, resume=True)


def test_differences_name_every_key_that_differs() -> None:
    one = {"a": 1, "b": {"c": 2, "d": [1]}, "e": 0}
    assert list(differences(one, one)) == []
    assert list(differences(one, {"a": 1, "b": {"c": 3, "d": [1]}, "f": 0})) == [
        "b.c: 2 in the run, 3 now",
        "e: 0 in the run, None now",
        "f: None in the run, 0 now",
    ]


def test_a_second_writer_is_refused(photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with locked(tmp_path / "out"), pytest.raises(ArtifactError, match="another process"):
        explained(toy_model(), photographs, tmp_path / "out", resume=True)


def test_what_is_not_a_run_is_left_alone(photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(ArtifactError, match="not empty"):
        explained(toy_model(), photographs, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_a_finished_run_is_never_replaced(photographs: Path, tmp_path: Path) -> None:
    explained(toy_model(), photographs, tmp_path / "out")
    with pytest.raises(ArtifactError, match="already holds an artifact; choose another folder$"):
        explained(toy_model(), photographs, tmp_path / "out")


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


KILLED = """
import sys, time
from pathlib import Path
sys.path[:0] = sys.argv[3].split(":")
from neuro_explain.batch import job, plan
plan.PART = 8
from test_batch import deep_model, explained
real = job.write_part
def slow(*arguments):
    real(*arguments)
    time.sleep(0.05)
job.write_part = slow
print("ready", flush=True)
explained(deep_model(), Path(sys.argv[1]), Path(sys.argv[2]), resume=True, batch_size=2, workers=int(sys.argv[4]))
print("done", flush=True)
"""


@pytest.mark.slow
def test_killed_at_any_moment_the_rows_are_those_of_an_undisturbed_run(tmp_path: Path) -> None:
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    lines = ["image,label,camera"]
    for number in range(120):
        photograph(40, 32, seed=number).save(photographs / f"{number:03d}.png")
        lines.append(f"{number:03d}.png,{CLASSES[number % 6]},x")
    (photographs / "list.csv").write_text("\n".join(lines) + "\n")
    (photographs / "050.png").write_bytes(b"broken")
    explained(deep_model(), photographs, tmp_path / "whole", batch_size=2)
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    rng = np.random.default_rng(0)
    kills = 0
    for attempt in range(60):
        out = tmp_path / f"out{kills // 5}"  # each run is killed five times, then it may end
        command = [sys.executable, "-c", KILLED, photographs, out, ":".join(sys.path), str(attempt % 2)]
        child = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, env=environment)
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(float(rng.uniform(0, 0.7)))
        if kills < 20 and child.poll() is None:
            child.send_signal(signal.SIGKILL)
            kills += child.wait() == -signal.SIGKILL
        else:
            assert child.wait(timeout=120) == 0
        child.stdout.close()
        if (out / "manifest.json").is_file() and kills >= 20:
            break
    assert kills == 20
    for number in range(4):
        out = tmp_path / f"out{number}"
        explained(deep_model(), photographs, out, batch_size=2, resume=True)
        assert same_rows(tmp_path / "whole", out)
        assert not list(out.rglob("*.writing"))


@pytest.mark.slow
def test_a_lost_worker_costs_nothing(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neuro_explain.batch import decode

    model = toy_model()
    explained(model, photographs, tmp_path / "whole")
    marker = tmp_path / "died"
    real = decode.read_image

    def dies_once(path: str) -> Image.Image:
        if path.endswith("09.png") and not marker.exists():
            marker.write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        return real(path)

    monkeypatch.setattr(decode, "read_image", dies_once)
    gc.disable()  # nothing may wait for it: torch tells of a dead worker whenever a child of the process ends
    try:
        explained(model, photographs, tmp_path / "out", workers=1)
        for _ in range(3):
            subprocess.run([sys.executable, "-c", ""], check=True)
    finally:
        gc.enable()
    assert marker.exists()
    assert same_rows(tmp_path / "whole", tmp_path / "out")


class Prepared(torch.utils.data.Dataset[object]):
    """Prepared photographs, with labels and ids as asked for."""

    def __init__(self, model: Model, folder: Path, gives: int) -> None:
        self.paths = [path for path in sorted(folder.glob("*.png")) if path.name not in ("03.png", "07.png")]
        self.model, self.gives = model, gives

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> object:
        image = self.model.preprocess(nx_image(self.paths[number]))
        given = (image, number % 6 if number % 3 else -1, self.paths[number].name)[: self.gives]
        return given if self.gives > 1 else image


def test_a_label_of_several_classes_is_the_one_that_scores_highest(photographs: Path, tmp_path: Path) -> None:
    model = deep_model()
    groups = {"inside": ["kitchen", "office"], "outside": ["street", "coast", "forest", "desert"]}
    lines = ["image,where,camera"]
    for number in range(13):
        lines.append(f"{number:02d}.png,{('inside', 'outside', '')[number % 3]},x")
    (photographs / "mine.csv").write_text("\n".join(lines) + "\n")
    inputs = open_inputs(
        photographs / "mine.csv", classes=model.classes, label_column="where", label_classes=groups
    )
    done = explain_batch(
        model, inputs, toy_names(model), tmp_path / "out", top=3, batch_size=4, workers=0, progress=False
    )
    right = 0
    rows = rows_of(tmp_path / "out").to_pylist()
    for number, row in enumerate(rows):
        where = ("inside", "outside", "")[number % 3]
        assert row["meta.where"] == (where or None) and row["meta.camera"] == "x"
        if number in (3, 7) or not where:
            assert (
                row["label"] is None and row["right"] is None and (row["error"] is None) != (number in (3, 7))
            )
            continue
        image = model.preprocess(nx_image(photographs / row["id"]))[None]
        with torch.no_grad():
            scores = model.net(image)[0]
        allowed = [CLASSES.index(name) for name in groups[where]]
        assert row["label"] == max(allowed, key=lambda one: float(scores[one]))
        assert row["right"] == (int(scores.argmax()) in allowed) == (row["label"] == row["predicted"])
        assert row["explained"][-1]["class"] == row["label"]
        right += row["right"]
    assert done.right == right and 0 < right < done.labelled < 13


class Early(torch.utils.data.IterableDataset[torch.Tensor]):
    """Says that it has ten images, and has seven."""

    def __len__(self) -> int:
        return 10

    def __iter__(self) -> Iterator[torch.Tensor]:
        return iter(torch.rand(7, 3, 32, 32))


def test_a_loader_that_ends_early_is_refused(tmp_path: Path) -> None:
    model = deep_model()
    names = toy_names(model)
    for batch, said in (
        (2, "gave 1 images in batch 3, expected 2 of its data set's 10"),
        (7, "ended before batch 1"),
    ):
        loader = torch.utils.data.DataLoader(Early(), batch_size=batch)
        with pytest.raises(ValueError, match=said):
            explain_batch(model, loader, names, tmp_path / str(batch), top=3, progress=False)


@pytest.mark.parametrize("gives", [1, 2, 3])
def test_a_loader_of_ones_own_gives_the_rows_of_its_images(
    photographs: Path, tmp_path: Path, gives: int
) -> None:
    model = deep_model()
    loader = torch.utils.data.DataLoader(Prepared(model, photographs, gives), batch_size=4)
    fixed: dict[str, object] = {"top": 3, "progress": False}
    done = explain_batch(model, loader, toy_names(model), tmp_path / "out", **fixed)  # type: ignore[arg-type]
    rows = rows_of(tmp_path / "out").to_pylist()
    assert done.images == len(rows) == 11 and done.errors == 0
    assert not (tmp_path / "out" / "thumbnails").exists()
    for number, row in enumerate(rows):
        path = loader.dataset.paths[number]  # type: ignore[attr-defined]
        assert row["id"] == (path.name if gives == 3 else f"{number:09d}")
        assert row["label"] == (number % 6 if gives > 1 and number % 3 else None)
        alone = explain(model, path, toy_names(model), top=3, rank_by="contribution", check=False)
        assert row["predicted"] == alone.predictions[0].index
        assert [one["unit"] for one in row["explained"][0]["top"]] == [
            one.index for one in alone.targets[0].top
        ]
    # a run that lacks its second part goes on with it
    whole = rows_of(tmp_path / "out")
    (tmp_path / "out" / "manifest.json").unlink()
    part_path(tmp_path / "out", 1).unlink()
    explain_batch(model, loader, toy_names(model), tmp_path / "out", resume=True, **fixed)  # type: ignore[arg-type]
    assert rows_of(tmp_path / "out").equals(whole)


def test_loaders_that_do_not_keep_their_order_are_refused(photographs: Path, tmp_path: Path) -> None:
    model = deep_model()
    images = Prepared(model, photographs, 1)
    names = toy_names(model)
    make = torch.utils.data.DataLoader
    for loader, said in (
        (make(images, batch_size=4, shuffle=True), "shuffle"),
        (make(images, batch_size=4, drop_last=True), "drop_last"),
        (make(images, batch_size=None), "batch_size"),
        (make(images, batch_size=4, sampler=torch.utils.data.SubsetRandomSampler(range(11))), "by lot"),
        (
            make(images, batch_size=4, sampler=torch.utils.data.WeightedRandomSampler([1.0] * 11, 11)),
            "by lot",
        ),
    ):
        with pytest.raises(ValueError, match=said):
            explain_batch(model, loader, names, tmp_path / "out", top=3)


IMAGE = torch.zeros(3, 32, 32)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            [(IMAGE, 6)] * 3,
            r"whole numbers, each that of a class, 0 to 5, or −1 for none; in batch 0 got 6 to 6$",
        ),
        ([(IMAGE, 0.5)] * 3, r"whole numbers.*got torch.float64, \[0.5, 0.5\]"),
        ([(IMAGE, torch.tensor(True))] * 3, "got torch.bool"),
        ([(IMAGE, torch.zeros(6).long())] * 3, r"got the shape \[2, 6\]"),
        ([(IMAGE, "sea")] * 3, "got a .*'sea'.*; ids come third"),
        ([(IMAGE, 1, "a", 7)] * 3, "got 4 things"),
        ([torch.zeros(3)] * 3, r"images \[B, 3, h, w\].*got \[2, 3\]"),
        ([torch.zeros(32, 32, 3)] * 3, r"images \[B, 3, h, w\].*got \[2, 32, 32, 3\]"),
        ([torch.zeros(3, 32, 32, dtype=torch.uint8)] * 3, "got torch.uint8; prepare them"),
    ],
)
def test_what_a_loader_gives_is_what_is_meant(given: list[object], said: str, tmp_path: Path) -> None:
    model, loader = deep_model(), torch.utils.data.DataLoader(given, batch_size=2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=said):
        explain_batch(model, loader, toy_names(model), tmp_path / "out", top=3, progress=False)
    # refused before anything is made, it stands in nobody's way
    fine = torch.utils.data.DataLoader([(IMAGE, 1)] * 3, batch_size=2)  # type: ignore[arg-type]
    assert explain_batch(model, fine, toy_names(model), tmp_path / "out", top=3, progress=False).images == 3


def test_ids_that_are_numbers_stay_numbers(tmp_path: Path) -> None:
    model = deep_model()
    loader = torch.utils.data.DataLoader([(IMAGE, -1, 7 + i) for i in range(3)], batch_size=2)  # type: ignore[arg-type]
    explain_batch(model, loader, toy_names(model), tmp_path / "out", top=3, progress=False)
    assert rows_of(tmp_path / "out")["id"].to_pylist() == ["7", "8", "9"]


@pytest.mark.parametrize(
    ("other", "said"), [("id", "id '100' in batch 0, where the run has '0'"), ("label", "label 2 in")]
)
def test_a_loader_of_other_images_does_not_go_on_with_a_run(
    other: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "PART", 4)
    model = deep_model()

    def loader(ids: int = 0, label: int = 1) -> torch.utils.data.DataLoader[object]:
        images = [(IMAGE, label, ids + i) for i in range(10)]
        return torch.utils.data.DataLoader(images, batch_size=2)  # type: ignore[arg-type]

    out, fixed = tmp_path / "out", {"top": 3, "progress": False}
    explain_batch(model, loader(), toy_names(model), out, **fixed)  # type: ignore[arg-type]
    whole = rows_of(out)
    (out / "manifest.json").unlink()
    part_path(out, 2).unlink()
    wrong = loader(ids=100) if other == "id" else loader(label=2)
    with pytest.raises(ArtifactError, match=said):
        explain_batch(model, wrong, toy_names(model), out, resume=True, **fixed)  # type: ignore[arg-type]
    explain_batch(model, loader(), toy_names(model), out, resume=True, **fixed)  # type: ignore[arg-type]
    assert rows_of(out).equals(whole)


@pytest.mark.parametrize("inputs", [[IMAGE], IMAGE, np.zeros((2, 3, 8, 8)), None])
def test_what_is_no_source_of_images_is_refused(inputs: object, tmp_path: Path) -> None:
    model = deep_model()
    with pytest.raises(ValueError, match="inputs: expected a folder, a list, a pattern, .* got a "):
        explain_batch(model, inputs, toy_names(model), tmp_path / "out", top=3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(104, "Connection reset by peer"),
        ConnectionRefusedError(111, "Connection refused"),
        FileNotFoundError(2, "No such file or directory"),
        EOFError(),
        RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "),
        RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly"),
    ],
)
def test_however_the_loss_of_a_worker_shows_the_run_goes_on(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    from neuro_explain.batch import decode

    model = toy_model()
    explained(model, photographs, tmp_path / "whole")
    times = iter(range(100))

    class Fails(torch.utils.data.DataLoader):  # type: ignore[type-arg]
        def __iter__(self):  # type: ignore[no-untyped-def]
            for number, batch in enumerate(super().__iter__()):
                if number == 3 and next(times) == 0:
                    raise error
                yield batch

    monkeypatch.setattr(decode, "DataLoader", Fails)
    explained(model, photographs, tmp_path / "out")
    assert next(times) > 0
    assert same_rows(tmp_path / "whole", tmp_path / "out")


def test_a_worker_that_is_lost_again_and_again_ends_the_run_with_a_sentence(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neuro_explain.batch import decode

    class Fails(torch.utils.data.DataLoader):  # type: ignore[type-arg]
        def __iter__(self):  # type: ignore[no-untyped-def]
            yield from ()
            raise EOFError

    monkeypatch.setattr(decode, "DataLoader", Fails)
    with pytest.raises(OSError, match="died 3 times.*--resume"):
        explained(toy_model(), photographs, tmp_path / "out")


def test_an_error_inside_a_worker_is_not_its_loss(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neuro_explain.batch import decode

    def fails(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(decode, "thumbnail", fails)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        explained(toy_model(), photographs, tmp_path / "out", workers=1)


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


def test_inputs_are_counted_and_none_is_an_error(tmp_path: Path) -> None:
    model = toy_model()
    nothing = Inputs([], [], None, None, "sha256:0")
    with pytest.raises(ValueError, match="image"):
        explain_batch(model, nothing, toy_names(model), tmp_path / "out", top=3)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_who_outlives_a_killed_run_does_not_hold_its_lock(tmp_path: Path) -> None:
    """Of a run that is killed, readers may be left for a while."""
    lines = f"""
        import os, time
        from pathlib import Path
        from neuro_explain.batch.lock import locked
        with locked(Path({str(tmp_path)!r})):
            child = os.fork()
            if child:
                print(child, flush=True)
            time.sleep(60)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(lines)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    try:
        with pytest.raises(ArtifactError, match="being written by another process"), locked(tmp_path):
            pass
        parent.kill()
        parent.wait()
        os.kill(child, 0)  # it is still there
        with locked(tmp_path):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        parent.stdout.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch's own watch must do")
def test_readers_end_with_a_killed_run(photographs: Path, tmp_path: Path) -> None:
    """Also those that wait for someone to read what they have read."""
    lines = f"""
        import multiprocessing, time
        from pathlib import Path
        from neuro_explain.batch.decode import batches
        from neuro_explain.preprocess import Preprocess
        path = {str(photographs / "00.png")!r}
        read = batches([[path] * 16] * 50, Preprocess(), workers=2)
        next(read)
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        time.sleep(60)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(lines)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    children = [int(pid) for pid in parent.stdout.readline().split()]
    parent.stdout.close()
    assert len(children) == 2
    time.sleep(1)  # the line to the parent is full by now
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while alive := [pid for pid in children if Path(f"/proc/{pid}").exists()]:
        state = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in alive]
        if set(state) == {"Z"}:  # ended; nobody has asked after it
            break
        assert time.monotonic() < deadline, state
        time.sleep(0.1)


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
