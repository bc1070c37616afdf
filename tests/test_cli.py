"""The command line as a person meets it: output, exit status, and one sentence for each mistake."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy import CLASSES, photograph, toy_model

from neuro_explain.cli import cli, run

TOY = "toy:toy_model"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a concept set of coloured masks and two photographs; the toy model can be imported."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set/images").mkdir(parents=True)
    (tmp_path / "set/masks").mkdir()
    for i in range(12):
        photograph(64, 64, seed=i).save(tmp_path / f"set/images/{i}.png")
        mask = np.random.default_rng(i).integers(0, 3, (4, 4)).astype(np.uint8).repeat(16, 0).repeat(16, 1)
        Image.fromarray(mask).save(tmp_path / f"set/masks/{i}.png")
    (tmp_path / "set/labels.csv").write_text("value,name,category\n1,book,object\n2,shelf,object\n")
    photograph(90, 60, seed=50).save(tmp_path / "a.jpg")
    photograph(60, 90, seed=51).save(tmp_path / "b.jpg")
    return tmp_path


def dissect(*more: str) -> int:
    # q is large because twelve images of 8 × 8 cells leave only 768 positions
    fixed = [
        "dissect",
        "--model",
        TOY,
        "--concepts",
        "folder:set",
        "--concepts",
        "colors",
        "--quantile",
        "0.05",
    ]
    return run([*fixed, "--out", "runs/dissection", *more])


def explain(*more: str) -> int:
    # eight units: at most four on each side
    return run(["explain", "--top", "4", *more, "--model", TOY, "--names", "runs/dissection"])


def explain_with(names: str, *more: str) -> int:
    return run(["explain", "--top", "4", *more, "--model", TOY, "--names", names])


def test_the_whole_road(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dissect() == 0
    out, err = capsys.readouterr()
    assert re.search(r"\d+ of 8 units named \(\d+ different names\) from 12 images", out)
    assert out.strip().endswith("index.html")
    assert "fire" in err  # the layer and the reason for it
    assert explain("a.jpg", "--out", "runs/a") == 0
    out, _ = capsys.readouterr()
    assert "Without the four strongest units" in out
    assert (world / "runs/a/index.html").is_file()
    manifest = json.loads((world / "runs/a/manifest.json").read_text())
    assert str(world) not in (world / "runs/a/manifest.json").read_text()
    assert manifest["command"][0] == "neuro-explain"


def test_several_images_go_into_folders_of_their_own(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dissect()
    (world / "more").mkdir()
    (world / "more/a.jpg").write_bytes((world / "b.jpg").read_bytes())
    assert explain("a.jpg", "b.jpg", "more/a.jpg", "--out", "runs/all") == 0
    assert sorted(p.name for p in (world / "runs/all").iterdir()) == ["a", "a-2", "b"]


def test_one_bad_image_stops_none_of_the_others(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dissect()
    (world / "bad.jpg").write_bytes((world / "a.jpg").read_bytes()[:300])
    capsys.readouterr()
    assert explain("a.jpg", "bad.jpg", "missing.jpg", "b.jpg", "--out", "runs/all") == 1
    _, err = capsys.readouterr()
    assert "bad.jpg" in err and "missing.jpg" in err
    assert sorted(p.name for p in (world / "runs/all").iterdir()) == ["a", "b"]


def test_json_is_json_and_nothing_else(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dissect("--json") == 0
    assert json.loads(capsys.readouterr().out)["units"] == 8
    assert explain("a.jpg", "--out", "runs/a", "--json") == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert one["targets"][0]["for"][0]["unit"] in range(8)
    assert run(["names", "runs/dissection", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 8
    assert run(["concepts", "show", "folder:set", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 12
    assert run(["models", "list", "--json"]) == 0
    assert any(m["name"] == "efficientnet-lite0" for m in json.loads(capsys.readouterr().out))


def test_targets_and_options_reach_the_explanation(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dissect()
    options = [
        "--target",
        CLASSES[3],
        "--versus",
        "1",
        "--top",
        "2",
        "--rank-by",
        "contribution",
        "--no-check",
    ]
    assert explain("a.jpg", "--out", "runs/a", *options) == 0
    data = json.loads((world / "runs/a/explanation.json").read_text())
    assert data["targets"][0]["kind"] == "contrast"
    assert (data["top"], data["rank_by"], data["check"]) == (2, "contribution", None)


def test_names_are_queried_by_unit_and_concept(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dissect()
    capsys.readouterr()
    assert run(["names", "runs/dissection", "0", "3"]) == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["unit 0", "unit 3"]
    assert run(["names", "runs/dissection", "99"]) == 1
    assert "0 to 7" in capsys.readouterr().err
    assert run(["names", "runs/dissection", "--concept", "bok"]) == 1
    assert "book" in capsys.readouterr().err
    assert run(["names", "runs/dissection", "--netdissect-csv", "result.csv"]) == 0
    assert run(["names", "result.csv"]) == 0
    assert (
        run(["explain", "a.jpg", "--model", TOY, "--names", "result.csv", "--top", "4", "--out", "runs/csv"])
        == 0
    )
    assert "not verified" in capsys.readouterr().out


def test_concepts_show_counts_examples_and_what_is_broken(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("L", (10, 10)).save(world / "set/masks/3.png")
    assert run(["concepts", "show", "folder:set"]) == 0
    out, _ = capsys.readouterr()
    assert "12 images" in out and "1 broken" in out and "3.png" in out and "book" in out
    assert run(["concepts", "show", "folder:set", "--label", "book", "--limit", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert run(["concepts", "show", "folder:set", "--label", "boook"]) == 1
    assert "book" in capsys.readouterr().err
    assert run(["concepts", "show", "folder:set", "--category", "objct"]) == 1


def test_an_existing_artifact_is_refused_before_any_work(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dissect()
    before = (world / "runs/dissection/manifest.json").read_bytes()
    assert dissect() == 1
    assert "--overwrite" in capsys.readouterr().err
    assert (world / "runs/dissection/manifest.json").read_bytes() == before
    assert dissect("--overwrite") == 0
    explain("a.jpg", "--out", "runs/a")
    assert explain("a.jpg", "--out", "runs/a") == 1
    assert explain("a.jpg", "--out", "runs/a", "--overwrite") == 0


def test_an_explanation_never_replaces_names(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dissect()
    before = (world / "runs/dissection/manifest.json").read_bytes()
    assert explain("a.jpg", "--out", "runs/dissection", "--overwrite") == 1
    assert "dissection" in capsys.readouterr().err
    assert (world / "runs/dissection/manifest.json").read_bytes() == before


def test_a_page_tells_of_no_other_image(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dissect()
    arguments = [
        "explain",
        "a.jpg",
        "b.jpg",
        "--model",
        TOY,
        "--names",
        "runs/dissection",
        "--out",
        "runs/all",
    ]
    monkeypatch.setattr("sys.argv", ["neuro-explain", *arguments, "--top", "4"])
    assert run([*arguments, "--top", "4"]) == 0
    manifest = (world / "runs/all/a/manifest.json").read_text()
    assert "a.jpg" in manifest and "b.jpg" not in manifest


def test_a_name_that_is_not_utf8_is_no_obstacle(world: Path) -> None:
    dissect()
    name = os.fsdecode(b"caf\xe9.jpg")
    (world / name).write_bytes((world / "a.jpg").read_bytes())
    assert explain(name, "--out", "runs/cafe") == 0
    assert (world / "runs/cafe/index.html").is_file()


def test_an_unknown_category_of_names_is_said(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dissect()
    assert run(["names", "runs/dissection", "--category", "objct"]) == 1
    assert "'objct' is not among" in capsys.readouterr().err


def test_a_report_can_be_rendered_again(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dissect()
    page = world / "runs/dissection/index.html"
    before = page.read_bytes()
    page.unlink()
    assert run(["report", "runs/dissection"]) == 0
    assert page.read_bytes() == before
    assert run(["report", "set"]) == 1
    assert "manifest.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (
            ["explain", "a.jpg", "--model", "resnet81", "--names", "x", "--out", "o"],
            1,
            ["x", "does not exist"],
        ),
        (
            ["dissect", "--model", "resnet81", "--concepts", "folder:set", "--out", "o"],
            1,
            ["resnet81", "resnet18"],
        ),
        (["dissect", "--model", TOY, "--concepts", "foldr:set", "--out", "o"], 1, ["foldr", "folder"]),
        (["dissect", "--model", TOY, "--concepts", "folder:nowhere", "--out", "o"], 1, ["nowhere"]),
        (["dissect", "--model", TOY, "--concepts", "colors", "--out", "o"], 1, ["colors"]),
        (
            ["dissect", "--model", TOY, "--concepts", "folder:set", "--layer", "fier", "--out", "o"],
            1,
            ["fire"],
        ),
        (
            ["dissect", "--model", TOY, "--concepts", "folder:set", "--quantile", "2", "--out", "o"],
            2,
            ["--quantile: expected a share"],
        ),
        (["dissect", "--model", TOY, "--concepts", "folder:set", "--out", "a.jpg"], 1, ["a.jpg", "file"]),
        (["dissect", "--model", TOY], 2, ["--concepts"]),
        (["explain"], 2, ["IMAGES"]),
        (["explian"], 2, ["explian"]),
        (["names", "nowhere"], 1, ["nowhere"]),
        (["names", "a.jpg"], 1, ["a.jpg", "CSV"]),
        (["report", "nowhere"], 1, ["nowhere"]),
    ],
)
def test_mistakes_get_a_sentence_and_a_status(
    world: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, words: list[str]
) -> None:
    assert run(arguments) == status
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert all(word in err for word in words), err
    assert not (world / "o").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--max-q", "2"], "--max-q: expected a false discovery rate above 0, up to 1, got 2.0"),
        (["--max-q", "nan"], "--max-q: expected"),
        (["--min-iou", "-1"], "--min-iou: expected 0 to 1, got -1.0"),
        (["--permutations", "1"], "--permutations: expected at least 2, or 0 for none, got 1"),
        (["--permutations", "2.5"], "--permutations"),
        (
            ["--permutations", "0", "--max-q", "0.1"],
            "--max-q: 0.1 asks what chance gives, but --permutations 0 does not ask; leave one out",
        ),
        (["--seed", "-1"], "--seed: expected at least 0, got -1"),
        (["--label-size", "0"], "--label-size: expected 1 to 4096 pixels, got 0"),
        (["--batch-size", "0"], "--batch-size: expected at least 1, got 0"),
        (["--workers", "0"], "--workers: expected at least 1, got 0"),
        (["--exemplars", "-1"], "--exemplars: expected at least 0, got -1"),
        (["--memory", "0"], "--memory: expected at least 1, got 0"),
        (["--compositions", "-3"], "--compositions: expected at least 0, got -3"),
        (["--layers", ","], "'--layers': expected different names, at least one, got none"),
        (["--layers", "a,b,a"], "'--layers': expected different names, at least one, got a, b, a"),
        (["--layer", "a", "--layers", "b"], "give --layer or --layers, not both"),
    ],
)
def test_wrong_usage_of_dissect_is_said_of_the_flag_before_anything_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], words: str
) -> None:
    """Neither model nor concepts exist: whoever looks for them first would say so."""
    out = tmp_path / "o"
    fixed = ["dissect", "--model", "no-such-model", "--concepts", "folder:nowhere", "--out", str(out)]
    assert run([*fixed, *flags]) == 2
    err = capsys.readouterr().err
    assert words in err and "no-such-model" not in err and "nowhere" not in err, err
    assert not out.exists()


@pytest.mark.parametrize("flags", [["--top", "0"], ["--top", "2.5"], ["--top", "five"], ["--seed", "-1"]])
@pytest.mark.parametrize(
    "command", [["explain", "a.jpg"], ["caption", "a.jpg"], ["ask", "a.jpg", "is it red?"]]
)
def test_wrong_usage_of_explain_is_said_of_the_flag_before_anything_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], flags: list[str]
) -> None:
    out = tmp_path / "o"
    fixed = [*command, "--model", "no-such-model", "--names", "nowhere", "--out", str(out)]
    assert run([*fixed, *flags]) == 2
    err = capsys.readouterr().err
    assert flags[0] in err and "no-such-model" not in err and "nowhere" not in err, err
    assert not out.exists()


@pytest.mark.parametrize(
    "flags",
    [["--top", "0"], ["--best", "0"], ["--batch-size", "0"], ["--workers", "-1"]],
)
def test_wrong_usage_of_batch_is_said_of_the_flag_before_anything_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    fixed = [
        "batch",
        "photos",
        "--model",
        "no-such-model",
        "--names",
        "nowhere",
        "--out",
        str(tmp_path / "o"),
    ]
    assert run([*fixed, *flags]) == 2
    err = capsys.readouterr().err
    assert flags[0] in err and "no-such-model" not in err, err


def test_the_command_has_the_options_and_defaults_of_the_library() -> None:
    from dissection.options import DEFAULTS

    mine = {parameter.name: parameter.default for parameter in cli.commands["dissect"].params}
    theirs = dict(DEFAULTS) | {"memory": DEFAULTS["memory"] >> 20}
    del theirs["scratch"], theirs["progress"]  # beside --out; on a terminal
    assert set(theirs) <= set(mine)
    fixed = {
        name: value for name, value in theirs.items() if value is not None
    }  # the rest is as the preset has it
    assert {name: mine[name] for name in fixed} == fixed


def test_too_few_permutations_are_said_before_the_model_is_opened_and_again_at_the_end(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fixed = ["dissect", "--model", "no-such-model", "--concepts", "folder:set", "--out", "o"]
    assert run([*fixed, "--permutations", "5"]) == 1
    err = capsys.readouterr().err
    assert "note: --permutations: with 5 a unit that stands out alone has a q of about 0.2" in err
    assert "and --max-q is 0.05" in err and err.index("note:") < err.index("no-such-model")
    assert run([*fixed, "--permutations", "5", "--max-q", "1"]) == 1
    assert "note:" not in capsys.readouterr().err
    assert dissect("--permutations", "5") == 0
    out, err = capsys.readouterr()
    assert err.count("note: --permutations") == 1
    assert re.search(r"named: .*; use more permutations or images\n", out)


def test_the_layer_in_a_file_gives_way_to_layers_on_the_command_line(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (world / "run.toml").write_text('layer = "no.such.layer"\n')
    assert dissect("--config", "run.toml", "--layers", "fire,maps", "--json") == 0
    assert [Path(one["folder"]).name for one in json.loads(capsys.readouterr().out)] == ["fire", "maps"]
    (world / "run.toml").write_text('layers = ["maps", "fire"]\n')
    assert dissect("--config", "run.toml", "--json", "--overwrite") == 0
    assert [Path(one["folder"]).name for one in json.loads(capsys.readouterr().out)] == ["maps", "fire"]
    assert (
        run(
            [
                "dissect",
                "--config",
                "run.toml",
                "--model",
                TOY,
                "--concepts",
                "folder:set",
                "--quantile",
                "0.05",
                "--layer",
                "fire",
                "--out",
                "runs/one",
            ]
        )
        == 0
    )
    assert (world / "runs/one/manifest.json").is_file()


def test_only_names_of_other_layers_are_called_so(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An explanation in the same folder is none, nor is a folder with a manifest that cannot be read."""
    assert dissect("--layers", "fire") == 0
    assert explain_with("runs/dissection/fire", "a.jpg", "--out", "runs/dissection/a") == 0
    (world / "runs/dissection/odd").mkdir()
    (world / "runs/dissection/odd/manifest.json").write_text("[]")
    capsys.readouterr()
    assert dissect("--layers", "fire", "--overwrite") == 0
    assert "holds" not in capsys.readouterr().err
    assert dissect("--layers", "maps") == 0
    assert "runs/dissection holds names of other layers too: fire\n" in capsys.readouterr().err


def test_messages_speak_of_options_and_not_of_arguments(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(
            [
                "dissect",
                "--model",
                "resnet50-places365",
                "--concepts",
                "diorama:1:4",
                "--out",
                str(world / "n"),
            ]
        )
        == 1
    )
    err = capsys.readouterr().err
    assert "--weights" in err and "weights=" not in err


def test_a_config_file_sets_options_and_flags_win(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dissect()
    (world / "run.toml").write_text(
        f'model = "{TOY}"\nnames = "runs/dissection"\nrank-by = "contribution"\ntop = 3\n'
    )
    assert run(["explain", "a.jpg", "--config", "run.toml", "--out", "runs/a", "--top", "2"]) == 0
    data = json.loads((world / "runs/a/explanation.json").read_text())
    assert (data["rank_by"], data["top"]) == ("contribution", 2)
    (world / "run.toml").write_text("tpo = 3\n")
    assert run(["explain", "a.jpg", "--config", "run.toml", "--out", "runs/b"]) == 2
    err = capsys.readouterr().err
    assert "'tpo'" in err and "'top'" in err and "rank-by" in err
    (world / "run.toml").write_text("top = [3]\n")
    assert run(["explain", "a.jpg", "--config", "run.toml", "--out", "runs/b"]) == 2
    (world / "run.toml").write_text("top = \n")
    assert run(["explain", "a.jpg", "--config", "run.toml", "--out", "runs/b"]) == 2


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).resolve().parents[1] / "configs").glob("*.toml")), ids=lambda p: p.name
)
def test_the_example_configs_load(path: Path) -> None:
    from neuro_explain.config import read_config

    command = cli.commands[path.stem]
    assert read_config(path, command)


def test_a_full_disk_leaves_nothing_half_written(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dissect()
    capsys.readouterr()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "arrays.npz")

    monkeypatch.setattr(np, "savez_compressed", full)
    assert explain("a.jpg", "--out", "runs/a") == 1
    assert "No space left on device" in capsys.readouterr().err
    assert [p.name for p in (world / "runs").iterdir()] == ["dissection"]


def test_ctrl_c_leaves_nothing_half_written(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", stop)
    assert dissect() == 1
    assert "interrupted" in capsys.readouterr().err
    assert list((world / "runs").iterdir()) == []


def test_hostile_names_survive(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = '<script>alert(1)</script> "quoted" 🐱 עברית'
    (world / "set/labels.csv").write_text(
        'value,name,category\n1,"' + hostile.replace('"', '""') + '",object\n2,shelf,object\n',
        encoding="utf-8",
    )
    name = "<b>'photo' 🐱.jpg"
    (world / name).write_bytes((world / "a.jpg").read_bytes())
    assert dissect() == 0
    assert explain(name, "--out", "runs/hostile") == 0
    page = (world / "runs/hostile/index.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in page and "<b>'photo'" not in page
    assert (
        name
        in json.loads((world / "runs/hostile/explanation.json").read_text(encoding="utf-8"))["image"]["name"]
    )


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for path in (
        [],
        ["demo"],
        ["models", "list"],
        ["concepts", "show"],
        ["dissect"],
        ["names"],
        ["explain"],
        ["report"],
    ):
        assert run([*path, "--help"]) == 0
        assert "Usage" in capsys.readouterr().out


def test_the_toy_model_is_what_the_tests_think_it_is() -> None:
    assert toy_model().units == 8


def test_arguments_of_python_are_options_here() -> None:
    from neuro_explain.cli import _with_options

    said = _with_options(
        ValueError("load the model with layer='a.b', or weights=True, or give layer= a name")
    )
    assert said == "load the model with --layer 'a.b', or --weights, or give --layer a name"


def test_arguments_of_two_words_are_options_of_a_command_that_has_them() -> None:
    from neuro_explain.commands.options import with_flags

    dissect_command, names = cli.commands["dissect"], cli.commands["names"]
    said = (
        "max_q: 0.1 is more than min_iou allows, permutations=0 asks for nothing, see seed= and 'a/max_q.csv'"
    )
    assert with_flags(said, dissect_command) == (
        "--max-q: 0.1 is more than --min-iou allows, --permutations 0 asks for nothing, see --seed and 'a/max_q.csv'"
    )
    assert with_flags(said, names) == said  # which has none of them
    assert with_flags("preset of seed and top", dissect_command) == "preset of seed and top"
