"""What the wheel holds: three packages with their data, and nothing else at the top level."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_wheel_contents(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
        (record,) = [name for name in names if name.endswith("/RECORD")]
        listed = {line.split(",")[0].split("/")[0] for line in file.read(record).decode().splitlines()}
    assert listed == {"neuro_explain", "dissection", "reports", record.split("/")[0]}
    for needed in (
        "dissection/data/w2color.npy",
        "dissection/py.typed",
        "neuro_explain/data/categories_places365.txt",
        "neuro_explain/data/imagenet_coco.csv",
        "neuro_explain/data/imagenet_synsets.txt",
        "neuro_explain/data/names/efficientnet-lite0/units.csv",
        "neuro_explain/diorama/weights/diorama-scenes.safetensors",
        "neuro_explain/diorama/weights/diorama-scenes.json",
        "neuro_explain/py.typed",
        "reports/templates/explanation.html",
        "reports/templates/document.html",
        "reports/templates/survey.html",
        "reports/templates/page.css",
        "reports/py.typed",
    ):
        assert needed in names, needed
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert wheel.stat().st_size < 15_000_000
