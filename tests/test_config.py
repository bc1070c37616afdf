"""`--config FILE`: what a file sets, what a flag sets in its place, and what is refused."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from neuro_explain.config import Names, config_option, flags_win


@click.command()
@click.option("--layer")
@click.option("--layers", type=Names())
@click.option("--top", type=int)
@click.option("--share", type=float)
@click.option("--concepts", multiple=True)
@click.option("--fast", is_flag=True)
@config_option
@click.pass_context
def command(context: click.Context, /, **options: object) -> None:
    held = flags_win(context, "layer", "layers")
    click.echo({name: value for name, value in options.items() if name in held or "layer" not in name})
    click.echo(sorted(held))


def run(tmp_path: Path, config: str, *arguments: str) -> tuple[int, str]:
    path = tmp_path / "run.toml"
    path.write_text(config, encoding="utf-8")
    done = CliRunner().invoke(command, [*arguments, "--config", str(path)])
    return done.exit_code, done.output


@pytest.mark.parametrize("written", ['["a", "b.c"]', '"a, b.c"', '"a,b.c,"'])
def test_layers_are_a_list_or_one_text(tmp_path: Path, written: str) -> None:
    status, said = run(tmp_path, f"layers = {written}\n")
    assert status == 0 and "'layers': ('a', 'b.c')" in said
    assert "'layers': ('a', 'b.c')" in run(tmp_path, "", "--layers", "a,b.c")[1]


@pytest.mark.parametrize("written", ["[]", '""', '","', '["a", "a"]', '"a,a"', "[3]", "3.5e0", "{a=1}"])
def test_layers_that_are_none(tmp_path: Path, written: str) -> None:
    status, said = run(tmp_path, f"layers = {written}\n")
    # 3.5 is a name, if a strange one; the rest is refused
    assert (status == 0) == (written == "3.5e0"), said
    assert "Traceback" not in said and (status == 0 or "layers" in said)


@pytest.mark.parametrize(
    ("config", "flag", "held"),
    [
        ('layer = "in the file"\n', ["--layers", "a,b"], "layers"),
        ('layers = ["in", "the file"]\n', ["--layer", "a"], "layer"),
        ('layer = "in the file"\n', [], "layer"),
        ('layers = ["in", "the file"]\n', [], "layers"),
        ('layers = ["in", "the file"]\n', ["--layers", "a"], "layers"),
        ('layer = "x"\nlayers = ["in", "the file"]\n', ["--layers", "a"], "layers"),
    ],
)
def test_a_flag_beats_the_file_also_where_it_stands_in_place_of_another(
    tmp_path: Path, config: str, flag: list[str], held: str
) -> None:
    status, said = run(tmp_path, config, *flag)
    assert status == 0 and f"['{held}']" in said
    assert ("in the file" in said) == (not flag) or flag == []


def test_two_in_one_place_are_one_too_many(tmp_path: Path) -> None:
    status, said = run(tmp_path, 'layer = "a"\nlayers = ["b"]\n')
    assert status == 2 and "give --layer or --layers, not both in the file of --config" in said
    status, said = run(tmp_path, "", "--layer", "a", "--layers", "b")
    assert status == 2 and "give --layer or --layers, not both" in said and "file" not in said


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("top = 2.5\n", ["--top", "'2.5' is not a valid"]),  # and not 2, in silence
        ("top = true\n", ["'top' takes a text or a number, got True"]),
        ("top = {a = 1}\n", ["'top' takes a text or a number"]),
        ("top = 2020-01-01\n", ["'top' takes a text or a number"]),
        ("fast = 1\n", ["'fast' takes true or false"]),
        ("concepts = [true]\n", ["'concepts' takes a text or a number"]),
    ],
)
def test_values_of_the_wrong_kind(tmp_path: Path, config: str, words: list[str]) -> None:
    status, said = run(tmp_path, config)
    assert status == 2 and all(word in said for word in words), said


def test_values_are_what_they_are_on_the_command_line(tmp_path: Path) -> None:
    status, said = run(tmp_path, 'top = 3\nshare = 0.1\nfast = true\nconcepts = ["a", "b"]\n')
    assert status == 0
    assert "{'top': 3, 'share': 0.1, 'concepts': ('a', 'b'), 'fast': True}" in said
