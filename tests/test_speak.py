"""`caption` and `ask` from the command line: what a person may type, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neuro_explain.cli import run
from neuro_explain.diorama.scene import make_scene
from neuro_explain.recipes import diorama_speakers


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_scene(9003, 1).image(256).save("classroom.png")
    return tmp_path


def says(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 1) -> str:
    """The last line on the standard error."""
    capsys.readouterr()
    assert run([*arguments]) == status
    err = capsys.readouterr().err
    assert "Traceback" not in err
    return err.strip().splitlines()[-1]


LAMP = "is there a ceiling lamp?"


def test_a_question_too_long_for_a_path_is_a_question(capsys: pytest.CaptureFixture[str]) -> None:
    long = "is there a zebra " * 20
    line = says(capsys, "ask", "--no-check", "classroom.png", long, "--out", "o")
    assert "the question has" in line and "takes at most" in line
    line = says(capsys, "ask", "classroom.png", "z" * 300, "--out", "o")
    assert "has no word that diorama-vqa knows" in line and "z" * 81 not in line
    line = says(capsys, "ask", long * 2, "--out", "o", status=2)
    assert "got only" in line and len(line) < 260
    assert "is a file" in says(capsys, "ask", "classroom.png", "classroom.png", "--out", "o", status=2)


def test_a_word_by_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    def explained(word: str) -> dict[str, object]:
        arguments = ["--no-check", "--word", word, "--out", "o", "--overwrite"]
        assert run(["caption", "classroom.png", *arguments]) == 0
        facts: dict[str, object] = json.loads(Path("o/explanation.json").read_text())
        return facts

    assert explained("8") == explained("map")
    assert any("--word 3" in str(note) for note in explained("a")["notes"])  # type: ignore[attr-defined]
    line = says(capsys, "caption", "classroom.png", "--word", "mapp", "--out", "p")
    assert line.endswith("or a place from 0 to 8; did you mean map?")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["caption", "classroom.png", "--beams", "0"], ["beams: expected at least 1, got 0"]),
        (["caption", "classroom.png", "--caption", ""], ["such as", "vocabulary"]),
        (["ask", "classroom.png", ""], ["such as", "vocabulary"]),
        (["ask", "classroom.png", LAMP, "--answer", "xyzzy"], ["All of them:", "elevator lobby", "yes"]),
        (["ask", "classroom.png", LAMP, "--versus", "yes"], ["versus is 'yes'", "the answer to compare"]),
    ],
)
def test_mistakes_and_what_to_do_instead(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: list[str]
) -> None:
    line = says(capsys, *arguments, "--no-check", "--out", "o")
    assert all(word in line for word in words), line
    assert not Path("o").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["ask", "classroom.png", LAMP, "--model", "diorama-captioner"],
            ["captioner", "`neuro-explain caption`"],
        ),
        (["caption", "classroom.png", "--model", "diorama-vqa"], ["questions", "`neuro-explain ask`"]),
        (["ask", "classroom.png", LAMP, "--model", "resnet18"], ["classifier", "`neuro-explain explain`"]),
        (["caption", "classroom.png", "--model", "neuraltalk"], ["unknown", "did you mean neuraltalk2"]),
        (
            ["caption", "classroom.png", "--model", "hf:x/y"],
            ["dissect --model hf:x/y --concepts", "--names DIR"],
        ),
        (["ask", "classroom.png", LAMP, "--model", "mine:net"], ["dissect --model mine:net", "--out DIR"]),
        (["caption", "classroom.png", "--model", "neuraltalk2"], ["dissect --model neuraltalk2"]),
    ],
)
def test_what_is_wrong_with_the_model_is_said_before_it_is_loaded(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: list[str],
) -> None:
    for name in ("load_captioner", "load_answerer"):
        monkeypatch.setattr(diorama_speakers, name, lambda *_: pytest.fail("it was loaded"))
    line = says(capsys, *arguments, "--out", "o")
    assert all(word in line for word in words), line


def test_a_place_that_cannot_be_written_is_called_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    if not Path("/proc/self").exists():
        pytest.skip("no /proc here")
    line = says(capsys, "ask", "classroom.png", LAMP, "--out", "/proc/nope")
    assert "/proc/nope cannot be created" in line and "writing-" not in line
