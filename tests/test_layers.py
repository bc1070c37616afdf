"""Several layers in one pass: each gets what it gets alone; vectors and tokens are layers too."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from probes import MemorySet, arrays_of, no_layers, random_labels, some_concepts
from small_nets import State
from torch import Tensor, nn

import neuro_explain as nx
from dissection.concepts import Concept, Labels
from dissection.dissect import dissect, dissect_layers
from neuro_explain.cli import run
from neuro_explain.preprocess import Preprocess
from neuro_explain.tower import Tower

OPTIONS = {"label_size": 8, "quantile": 0.1, "batch_size": 4, "max_q": 1, "workers": 1}


class Small(nn.Module):
    """Two blocks of maps and a fully connected end."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, 1, 1), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(4, 6, 3, 2, 1), nn.ReLU())
        self.fc = nn.Linear(6, 5)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.fc(self.second(self.first(x)).mean((2, 3)))


class Noise(MemorySet):
    """Pictures of noise, one for each number."""

    def image(self, index: int):  # type: ignore[no-untyped-def]
        from PIL import Image

        super().image(index)
        pixels = np.random.default_rng(index).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        return Image.fromarray(pixels)


def noise(count: int = 30) -> Noise:
    rng, known = np.random.default_rng(5), some_concepts(5, 2)
    empty = Labels(no_layers(8), (), frozenset({"object"}))
    return Noise(known, [random_labels(rng, known, 8) if i % 5 else empty for i in range(count)])


def pixels(image: object) -> Tensor:
    return torch.from_numpy(np.asarray(image).astype(np.float32)).permute(2, 0, 1) / 255


def test_each_layer_gets_what_it_gets_alone_and_images_are_read_once() -> None:
    net, data = Small(), noise()
    layers = ["second", "first", "fc+1x1"]
    together = dissect_layers(net, layers, pixels, data, **OPTIONS, exemplars=0)
    assert list(together) == layers
    assert max(data.images_read.values()) == 1 and net.calls == -(-len(data.images_read) // 4)
    assert together["first"].named and together["second"].named
    for layer, names in together.items():
        alone = dissect(net, layer, pixels, noise(), **OPTIONS, exemplars=0)
        assert arrays_of(names) == arrays_of(alone) and names.units == alone.units
        assert names.layer == layer and names.map_size == alone.map_size


def test_the_memory_is_shared_and_the_network_comes_back(tmp_path: Path) -> None:
    net = Small().train()
    state = State(net)
    small = dissect_layers(net, ["first", "second"], pixels, noise(), **OPTIONS, memory=2, scratch=tmp_path)
    net.calls = 0
    state.assert_same()
    assert list(tmp_path.iterdir()) == []
    large = dissect_layers(net, ["first", "second"], pixels, noise(), **OPTIONS)
    assert all(arrays_of(small[layer]) == arrays_of(large[layer]) for layer in small)
    assert all(small[layer].evidence == large[layer].evidence != {} for layer in small)


@pytest.mark.parametrize("layers", [[], ["first", "first"]])
def test_layers_are_different_and_at_least_one(layers: list[str]) -> None:
    with pytest.raises(ValueError, match="layers: expected different names, at least one"):
        dissect_layers(Small(), layers, pixels, noise())


def test_a_layer_without_maps_says_how_to_name_it() -> None:
    with pytest.raises(ValueError, match=r"'fc' puts out \[4, 5\] for 4 images.*put \+1x1 behind"):
        dissect_layers(Small(), ["first", "fc"], pixels, noise(), **OPTIONS)


def test_a_fully_connected_unit_is_active_on_whole_images() -> None:
    class Vector(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x.mean((2, 3)))

    def preprocess(image: object) -> Tensor:
        number = int(np.asarray(image)[0, 0, 0])
        return torch.full((3, 2, 2), float(number % 5))

    net = Vector()
    with torch.no_grad():
        k = torch.arange(5.0)
        net.fc.weight.copy_(torch.stack([2 * k / 3] * 3, dim=1))
        net.fc.bias.copy_(-k * k)
    known = [Concept(f"class {k}", "scene") for k in range(5)]
    labels = [Labels(no_layers(4), (i % 5,), frozenset({"scene"})) for i in range(40)]
    names = dissect(net, "fc+1x1", preprocess, MemorySet(known, labels), label_size=4, quantile=0.2)
    assert names.map_size == (1, 1)
    # 2kn - k² grows with n: every unit but the first, which is always 0, fires on the eight images of the last class
    assert names[0].note == "dead"
    assert [(name.best, name.iou) for name in names][1:] == [(Concept("class 4", "scene"), 1.0)] * 4


def test_dissect_layers_of_a_model_names_and_saves_each(tmp_path: Path) -> None:
    tower = Tower(Small(), preprocess=Preprocess(resize=8, input_size=(8, 8)), layer="second")
    found = nx.dissect_layers(tower, noise(), ["first", "fc"], label_size=8, max_q=1, progress=False)
    assert list(found) == ["first", "fc"] and found["fc"].layer == "fc+1x1"
    assert found["fc"].layer_reason.startswith("fc+1x1: as given, 5 units of 1×1")
    for layer, names in found.items():
        folder = names.save(tmp_path / layer)
        assert nx.load_names(folder).layer == names.layer
        assert nx.write_report(folder).exists()
    with pytest.raises(ValueError, match="layers: expected different ones"):
        nx.dissect_layers(tower, noise(), ["fc", "fc+1x1"])
    with pytest.raises(ValueError, match="layers: expected a list of names, got the text 'fc'"):
        nx.dissect_layers(tower, noise(), "fc")
    with pytest.raises(
        nx.ArtifactError, match="is no dissection, but holds some: give one of fc, first in it"
    ):
        nx.load_names(tmp_path)


def test_the_command_writes_a_folder_for_each_layer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["dissect", "--model", "diorama-scenes", "--concepts", "diorama:5:20", "--label-size", "32"]
    out = tmp_path / "names"
    assert run([*common, "--layers", "features.relu5, head.linear", "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [Path(one["folder"]).name for one in told] == ["features.relu5", "head.linear"]
    for one in told:
        assert Path(one["page"]).exists() and nx.load_names(one["folder"]).layer
    assert run([*common, "--layers", "features.relu5", "--out", str(out)]) == 1
    assert "features.relu5" in capsys.readouterr().err
    assert run([*common, "--layers", "features.relu6", "--out", str(out / "head.linear")]) == 2
    assert "is a result itself" in capsys.readouterr().err
    assert run([*common, "--layers", "features.relu6", "--out", str(out)]) == 0
    assert "holds names of other layers too: features.relu5, head.linear" in capsys.readouterr().err
    assert run([*common, "--layers", "a", "--layer", "b", "--out", str(tmp_path / "x")]) == 2


@pytest.mark.slow
@pytest.mark.xdist_group("cluster")
def test_a_cluster_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="the extra [ray] is not installed")
    from toy import toy_model

    from neuro_explain.cluster import Cluster, dissection

    monkeypatch.setattr(dissection, "_IMAGES", 8)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rng, known = np.random.default_rng(4), some_concepts(7, 3)
        from cluster_nets import Pictures

        data = Pictures(known, [random_labels(rng, known, 16) for _ in range(30)])
        options = {"label_size": 16, "quantile": 0.05, "max_q": 1, "batch_size": 4, "progress": False}
        layers = ["fire", "head"]
        alone = nx.dissect_layers(toy_model(), data, layers, **options)
        shared = nx.dissect_layers(toy_model(), data, layers, **options, cluster=Cluster("local", cpus=1))
        assert list(shared) == ["fire", "head"]
        for layer, names in alone.items():
            assert arrays_of(shared[layer]) == arrays_of(names) and shared[layer].units == names.units
    finally:
        torch.set_num_threads(threads)
