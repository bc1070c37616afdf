"""A batch as a person runs it: the command, its index page, and the page of one image."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from toy import photograph, toy_model, toy_names

from dissection.artifact import ArtifactError
from neuro_explain.batch import explain_batch
from neuro_explain.batch.page import explanation_page
from neuro_explain.cli import run
from neuro_explain.inputs import open_inputs


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """Five photographs, one of them broken, and a dissection of the toy model."""
    monkeypatch.chdir(tmp_path)
    for number in range(5):
        for folder in ("images", "set/images"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            photograph(64, 64, seed=number).save(tmp_path / folder / f"{number}.png")
    (tmp_path / "images" / "3.png").write_bytes(b"")
    dissected = [
        "dissect",
        "--model",
        "toy:toy_model",
        "--concepts",
        "images:set/images",
        "--concepts",
        "colors",
        "--quantile",
        "0.05",
    ]
    assert run([*dissected, "--out", "names"]) == 0
    capsys.readouterr()
    return tmp_path


def batch(*more: str) -> int:
    fixed = [
        "batch",
        "images",
        "--model",
        "toy:toy_model",
        "--names",
        "names",
        "--top",
        "3",
        "--workers",
        "0",
    ]
    return run([*fixed, *more])


def test_the_whole_road(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert batch("--out", "runs/batch") == 0
    said = capsys.readouterr().out
    assert "4 images explained, 1 could not be" in said and "index.html" in said
    folder = world / "runs" / "batch"
    index = (folder / "index.html").read_text()
    assert "colour-net" in index and str(world) not in index
    assert run(["report", "runs/batch", "--image", "2.png"]) == 0
    page = Path(capsys.readouterr().out.strip())
    assert page.is_file() and page.parent.parent == Path("runs/batch/pages")
    twin = json.loads((page.parent / "explanation.json").read_text())
    assert (
        twin["image"]["name"] == "2.png"
        if isinstance(twin.get("image"), dict)
        else "2.png" in json.dumps(twin)
    )
    assert page.parent.name in (folder / "index.html").read_text()  # the index page links to it
    assert run(["report", "runs/batch", "--image", "2.png"]) == 0  # and again
    assert run(["report", "runs/batch"]) == 0
    for path in (folder / "run.json", folder / "manifest.json"):
        assert str(world) not in path.read_text()


def test_results_as_json(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert batch("--out", "b", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["images"], found["errors"], found["labelled"]) == (5, 1, 0)


@pytest.mark.parametrize(
    ("image", "said"),
    [("2.pn", "did you mean 2.png"), ("3.png", "could not be explained"), ("", "has no image")],
)
def test_images_without_a_page_are_named(
    world: Path, capsys: pytest.CaptureFixture[str], image: str, said: str
) -> None:
    assert batch("--out", "b") == 0
    assert run(["report", "b", "--image", image]) == 1
    assert said in capsys.readouterr().err


def test_an_image_or_a_network_that_has_changed_is_refused(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch("--out", "b") == 0
    photograph(64, 64, seed=77).save(world / "images" / "2.png")
    assert run(["report", "b", "--image", "2.png"]) == 1
    assert "has changed since" in capsys.readouterr().err
    assert not (world / "b" / "pages").exists()
    other = toy_model()
    with pytest.raises(ArtifactError, match="names"):
        explanation_page(world / "b", "1.png", model=other, names=toy_names(other))


def test_a_run_from_python_asks_for_what_it_does_not_know(tmp_path: Path, world: Path) -> None:
    model = toy_model()
    names = toy_names(model)
    inputs = open_inputs(world / "images", classes=model.classes)
    explain_batch(model, inputs, names, world / "b", top=3, workers=0, progress=False)
    with pytest.raises(ArtifactError, match="--file"):
        explanation_page(world / "b", "1.png", model=model, names=names)
    with pytest.raises(ArtifactError, match="--model"):
        explanation_page(world / "b", "1.png", names=names, file=world / "images" / "1.png")
    page = explanation_page(world / "b", "1.png", model=model, names=names, file=world / "images" / "1.png")
    assert page.is_file()


def test_options_of_one_images_page_go_with_it(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "b", "--model", "toy:toy_model"]) == 2
    assert "--image" in capsys.readouterr().err
    assert run(["report", "a", "b", "--image", "1.png"]) == 2
    assert "one run" in capsys.readouterr().err


def test_a_refused_resume_leaves_the_run_as_it_was(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert batch("--out", "b") == 0
    (world / "b" / "manifest.json").unlink()
    before = {path: path.read_bytes() for path in sorted((world / "b").rglob("*")) if path.is_file()}
    assert batch("--out", "b", "--resume", "--top", "2") == 1
    assert "options.top: 3 in the run, 2 now" in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in sorted((world / "b").rglob("*")) if path.is_file()}
