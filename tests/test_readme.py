"""The README promises commands, options, names and files: they must exist."""

from __future__ import annotations

import re
from pathlib import Path

import click

import neuro_explain as nx
from neuro_explain.cli import cli

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _command(words: list[str]) -> tuple[click.Command, list[str]]:
    command: click.Command = cli
    rest = list(words)
    while isinstance(command, click.Group) and rest:
        command = command.commands[rest.pop(0)]
    return command, rest


def test_every_command_line_uses_commands_and_options_that_exist() -> None:
    lines = re.findall(r"neuro-explain ((?:[a-z]+ ?)+(?:[^`\n|]*))", README)
    assert len(lines) > 10
    for line in lines:
        words = line.split()
        if words[0] not in cli.commands:
            continue  # prose: "neuro-explain says why"
        command, _ = _command(words)
        known = [text for p in command.params for text in (*p.opts, *p.secondary_opts)]
        used = set(re.findall(r"(?<!\S)--[a-z-]+", line)) - {"--help"}
        assert used <= set(known), (line, used - set(known))


def test_every_command_is_in_the_readme() -> None:
    def walk(command: click.Command, path: str) -> list[str]:
        if isinstance(command, click.Group):
            return [found for name, sub in command.commands.items() for found in walk(sub, f"{path} {name}")]
        return [path]

    for path in walk(cli, "neuro-explain"):
        assert path in README, path


def test_every_public_function_that_it_names_exists() -> None:
    for name in set(re.findall(r"\bnx\.(\w+)", README)):
        assert name in nx.__all__, name


def test_links_and_benchmarks_exist() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    for module in set(re.findall(r"python -m benchmarks\.(\w+)", README)):
        assert (ROOT / "benchmarks" / f"{module}.py").is_file(), module


def test_nothing_is_left_to_fill_in() -> None:
    assert not re.findall(r"@[A-Z_]+@|TODO|TBD", README)
