"""What the tests of batch runs share: thirteen photographs, a run over them, and a network whose alpha varies."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch import nn
from toy import CLASSES, photograph, toy_names

from neuro_explain.batch import BatchRun, explain_batch
from neuro_explain.inputs import open_inputs
from neuro_explain.model import Model
from neuro_explain.preprocess import Preprocess


def write_photographs(folder: Path) -> Path:
    """Thirteen photographs, one of them broken and one empty, with a list of labels and where they were taken."""
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


def rows_of(folder: Path) -> pa.Table:
    return pa.concat_tables(
        [pq.read_table(path) for path in sorted((folder / "predictions").glob("*.parquet"))]
    )


def explained(model: Model, photographs: Path, out: Path, **options: object) -> BatchRun:
    inputs = open_inputs(photographs / "list.csv", classes=model.classes)
    fixed: dict[str, object] = {"batch_size": 4, "workers": 0, "top": 3, "progress": False}
    return explain_batch(model, inputs, toy_names(model), out, **{**fixed, **options})  # type: ignore[arg-type]


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


def same_rows(one: Path, other: Path) -> bool:
    return rows_of(one).equals(rows_of(other))
