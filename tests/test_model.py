"""The record of a network: its layer, its classes, and the network untouched."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from neuro_explain.model import Model
from neuro_explain.preprocess import PRESETS, Preprocess

RECIPE = Preprocess((32, 48), 40)


class Net(nn.Module):
    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(4, 6, 3, 2, 1), nn.ReLU())
        self.fc = nn.Linear(6, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.second(self.first(x)).mean((2, 3)))


def test_a_network_of_your_own() -> None:
    model = Model(Net(), preprocess=RECIPE, classes=["cat", "dog", "bird"])
    assert (model.layer, model.units, model.map_size) == ("second", 6, (8, 12))
    assert model.layer_rectified and model.layer_reason == (
        "second: the last spatial map before pooling, 6 units of 8×12, rectified"
    )
    assert model.classes == ("cat", "dog", "bird") and model.class_index("Dog") == 1
    assert (model.name, model.origin, model.licence) == ("Net", "the caller's network", "not stated")
    assert (model.device, model.dtype) == (torch.device("cpu"), torch.float32)


def test_a_named_layer_and_numbered_classes() -> None:
    model = Model(Net(), preprocess=RECIPE, layer="first", name="mine")
    assert (model.layer, model.units, model.name) == ("first", 4, "mine")
    assert model.classes == ("class 0", "class 1", "class 2")
    assert model.layer_reason.startswith("first: as given, 4 units of 16×24")


def test_names_of_classes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("a\nb\nc\n")
    assert Model(Net(), preprocess=RECIPE, classes=tmp_path / "names.txt").classes == ("a", "b", "c")


def test_recipes_by_name() -> None:
    assert Model(Net(), preprocess="caffe").preprocess is PRESETS["caffe"]


def test_replacing_a_part_checks_again() -> None:
    model = Model(Net(), preprocess=RECIPE, name="mine", weights="w.pth")
    other = dataclasses.replace(model, layer="first")
    assert (other.layer, other.units, other.name, other.weights) == ("first", 4, "mine", "w.pth")
    with pytest.raises(ValueError, match="3 scores, but there are 2 class names"):
        dataclasses.replace(model, classes=("a", "b"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.layer = "first"  # type: ignore[misc]


def test_the_network_is_untouched() -> None:
    net = Net().train()
    net.first.eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    random = torch.get_rng_state()
    Model(net, preprocess=RECIPE)
    assert net.training and net.second.training and not net.first.training
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_half_precision_networks() -> None:
    model = Model(Net().to(torch.bfloat16), preprocess=RECIPE)
    assert (model.layer, model.dtype) == ("second", torch.bfloat16)


def test_a_network_without_weights_has_a_home() -> None:
    class Pixels(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return self.act(x).flatten(1)

    model = Model(Pixels(), preprocess=Preprocess((4, 4), 4), layer="act")
    assert (model.device, model.dtype, len(model.classes)) == (torch.device("cpu"), torch.float32, 48)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"net": "resnet18"}, "net: expected a torch.nn.Module, got str"),
        (
            {"preprocess": lambda image: image},
            "preprocess: expected a neuro_explain.Preprocess, .*got function",
        ),
        ({"preprocess": None}, "preprocess: expected a neuro_explain.Preprocess, .*got nothing"),
        ({"preprocess": "caffee"}, "preprocess: expected one of .*did you mean 'caffe'"),
        ({"classes": ["a"]}, "classes: Net gives 3 scores, but there are 1 class names"),
        ({"layer": "secnd"}, "Net: layer 'secnd' is not in Net: did you mean second"),
        ({"net": nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 48, 2))}, "Sequential: no spatial"),
        ({"net": nn.Conv2d(3, 4, 3)}, r"Conv2d: the network: expected class scores \[1, C\]"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, object], message: str) -> None:
    arguments = {"net": Net(), "preprocess": RECIPE} | changes
    net = arguments.pop("net")
    with pytest.raises(ValueError, match=message):
        Model(net, **arguments)  # type: ignore[arg-type]
