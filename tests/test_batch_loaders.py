"""Many images from where the user has them: labels of several classes, and loaders of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from batch_runs import deep_model, nx_image, rows_of, write_photographs
from toy import CLASSES, toy_model, toy_names

from dissection.artifact import ArtifactError
from neuro_explain.batch import explain_batch, plan
from neuro_explain.batch.parts import part_path
from neuro_explain.explain import explain
from neuro_explain.inputs import Inputs, open_inputs
from neuro_explain.model import Model


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return write_photographs(tmp_path / "photographs")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "PART", 8)


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


def test_inputs_are_counted_and_none_is_an_error(tmp_path: Path) -> None:
    model = toy_model()
    nothing = Inputs([], [], None, None, "sha256:0")
    with pytest.raises(ValueError, match="image"):
        explain_batch(model, nothing, toy_names(model), tmp_path / "out", top=3)
