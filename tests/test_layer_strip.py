"""Grad-CAM at every layer: each map is Grad-CAM's own, and the layers are the ends of blocks in their order."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from small_nets import State, deep_head_net, gap_net, images
from torch import Tensor, nn

from neuro_explain.gradcam import grad_cam
from neuro_explain.methods.layer_strip import block_ends, layer_strip
from neuro_explain.targets import Target


@pytest.mark.parametrize("inplace", [False, True])
def test_each_map_is_grad_cams_own(inplace: bool) -> None:
    net, x = gap_net(inplace=inplace, norm=True), images()
    strip = layer_strip(net, x, [1, 4])
    assert strip.layers == ("backbone.2", "backbone.4")
    for layer in strip.layers:
        want = grad_cam(net, x, [1, 4], layer=layer)
        torch.testing.assert_close(strip.signed[layer], want.signed_map)
        assert float(want.signed_map.abs().max()) > 0
    torch.testing.assert_close(strip.scores, net(x)[[0, 1], [1, 4]].detach())


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.two(F.relu(self.one(x))))


def test_blocks_are_taken_whole_and_relus_by_function_too() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 4, 3)
            self.body = nn.Sequential(Residual(), nn.MaxPool2d(2), Residual(), nn.Conv2d(4, 5, 1))
            self.head = nn.Linear(5, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.body(F.relu(self.stem(x))).mean((2, 3)))

    net, x = Net().eval(), images()
    assert block_ends(net, x[:1]) == ("stem+relu", "body.0", "body.2", "body.3")
    strip = layer_strip(net, x, Target.contrast(2, 0))
    for layer in strip.layers:
        want = grad_cam(net, x, Target.contrast(2, 0), layer=layer).signed_map
        torch.testing.assert_close(strip.signed[layer], want)


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("resnet18", ("relu", *(f"layer{i}.{j}" for i in (1, 2, 3, 4) for j in (0, 1)))),
        ("alexnet", tuple(f"features.{i}" for i in (1, 4, 7, 9, 11))),
        (
            "googlenet",
            (
                "conv1",
                "conv2",
                "conv3",
                *(f"inception{n}" for n in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")),
            ),
        ),
    ],
)
def test_the_ends_of_real_architectures(name: str, ends: tuple[str, ...]) -> None:
    models = pytest.importorskip("torchvision.models")
    options = {"init_weights": False} if name == "googlenet" else {}
    net, x = models.get_model(name, weights=None, **options), torch.rand(1, 3, 96, 96)
    strip = layer_strip(net, x, [3])
    assert strip.layers == ends
    for layer in (ends[0], ends[-1]):
        want = grad_cam(net, x, [3], layer=layer).signed_map
        scale = float(want.abs().max())
        torch.testing.assert_close(strip.signed[layer], want, rtol=1e-4, atol=1e-5 * scale)


def test_the_network_comes_back_as_it_was_in_every_mode() -> None:
    net, x = deep_head_net().train(), images()
    for weight in net.backbone.parameters():
        weight.requires_grad_(False)
    plain = layer_strip(net, x, [1, 2])
    assert plain.layers[:2] == ("backbone.1", "backbone.3")
    state = State(net)
    with torch.inference_mode():
        inside = layer_strip(net, x, [1, 2])
    for layer in plain.layers:
        torch.testing.assert_close(inside.signed[layer].clone(), plain.signed[layer])
        assert not plain.signed[layer].requires_grad
    with pytest.raises(ValueError, match="class 9 does not exist"):
        layer_strip(net, x, [9, 9])
    state.assert_same()


def test_without_maps_there_is_no_strip() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 99, 2))
    with pytest.raises(ValueError, match="Sequential has no layer that puts out maps"):
        layer_strip(net, images(), [0, 1])
