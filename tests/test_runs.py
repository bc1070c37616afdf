"""What a manifest tells of the command line: what was said in full, of paths the last part."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuro_explain.runs import command_line


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("Is the cube red/blue?", "Is the cube red/blue?"),
        ("--question=Is it red/blue?", "--question=Is it red/blue?"),
        ("photographs/cat.jpg", "cat.jpg"),
        ("/home/someone/my photographs/cat.jpg", "cat.jpg"),
        ("~/my photographs/cat.jpg", "cat.jpg"),
        ("--out=/home/someone/runs/cat", "--out=cat"),
        ("coco:/data/coco val/annotations.json", "coco:annotations.json"),
        ("here is one/cat.jpg", "cat.jpg"),
        ("what is it", "what is it"),
        (f"Is {'very ' * 60}old red/blue?", f"Is {'very ' * 60}old red/blue?"),
    ],
)
def test_questions_are_told_and_paths_are_not(
    argument: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here is one").mkdir()
    monkeypatch.chdir(tmp_path)
    assert command_line([argument]) == ["neuro-explain", told]
