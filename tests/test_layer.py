"""The automatic target layer, on nets whose answer is known, and the check of a named one."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dissection.recording import record
from neuro_explain.layer import find_layer

IMAGE = (1, 3, 32, 32)


def noise(*shape: int) -> Tensor:
    return torch.randn(*(shape or IMAGE), generator=torch.Generator().manual_seed(1))


class Head(nn.Module):
    """Backbone, mean over the map, one linear layer."""

    def __init__(self, backbone: nn.Module, units: int, classes: int = 5) -> None:
        super().__init__()
        self.backbone = backbone
        self.fc = nn.Linear(units, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.backbone(x).mean((2, 3)))


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    from torchvision.models import resnet18

    return resnet18()


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, 1)


@pytest.mark.parametrize(
    ("name", "layer", "rectified"),
    [
        ("resnet18", "layer4", True),
        ("alexnet", "features.11", True),
        ("squeezenet1_1", "features.12", True),
        ("mobilenet_v2", "features.18", True),
        ("shufflenet_v2_x0_5", "conv5", True),
        ("mobilenet_v3_small", "features.12", False),
        ("densenet121", "features.norm5+relu", True),
    ],
)
def test_torchvision_networks(name: str, layer: str, rectified: bool) -> None:
    from torchvision import models

    found = find_layer(models.get_model(name, weights=None), noise(1, 3, 96, 96))
    assert (found.name, found.rectified, found.scores) == (layer, rectified, 1000)
    assert f"{found.units} units of {found.map_size[0]}×{found.map_size[1]}" in found.reason
    assert found.reason.startswith(f"{layer}: ")
    assert ("not rectified" in found.reason) is not rectified


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "side", "layer", "rectified"),
    [
        ("googlenet", 96, "inception5b", True),
        ("inception_v3", 128, "Mixed_7c", True),
        ("resnet50", 64, "layer4", True),
        ("resnext50_32x4d", 64, "layer4", True),
        ("regnet_y_400mf", 64, "trunk_output", True),
        ("regnet_x_400mf", 64, "trunk_output", True),
        ("mnasnet0_5", 64, "layers.16", True),
        ("squeezenet1_0", 96, "features.12", True),
        ("densenet169", 64, "features.norm5+relu", True),
        ("convnext_tiny", 64, "features.7", False),
        ("efficientnet_b0", 64, "features.8", False),
        ("efficientnet_v2_s", 64, "features.7", False),
        ("mobilenet_v3_large", 64, "features.16", False),
        ("maxvit_t", 224, "blocks.3", False),
        ("swin_t", 224, "permute", False),
    ],
)
def test_more_torchvision_networks(name: str, side: int, layer: str, rectified: bool) -> None:
    from neuro_explain.recipes.torchvision_nets import build

    found = find_layer(build(name, 1000), noise(1, 3, side, side))
    assert (found.name, found.rectified) == (layer, rectified)


def test_vgg16_conv5_3_is_14_by_14() -> None:
    from torchvision.models.vgg import cfgs, make_layers

    # only the features: the head's 120 million weights take seconds to draw
    found = find_layer(Head(make_layers(cfgs["D"]), 512), noise(1, 3, 224, 224))
    assert (found.name, found.map_size, found.units, found.rectified) == ("backbone.29", (14, 14), 512, True)


@pytest.mark.parametrize(
    ("name", "layer", "rectified"),
    [
        ("tf_efficientnet_lite0", "bn2", True),
        ("regnetx_002", "s4", True),
        pytest.param("densenet121", "features.norm5", True, marks=pytest.mark.slow),
        pytest.param("convnext_atto", "stages", False, marks=pytest.mark.slow),
    ],
)
def test_timm_networks(name: str, layer: str, rectified: bool) -> None:
    timm = pytest.importorskip("timm")
    found = find_layer(timm.create_model(name), noise(1, 3, 64, 64))
    assert (found.name, found.rectified) == (layer, rectified)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "swin_tiny_patch4_window7_224",
        "mixer_s32_224",
        "mambaout_femto",
        "pit_ti_224",
    ],
)
def test_networks_that_end_in_tokens_have_no_spatial_layer(name: str) -> None:
    timm = pytest.importorskip("timm")
    with pytest.raises(ValueError, match=r"no spatial convolutional layer.*give layer="):
        find_layer(timm.create_model(name), noise(1, 3, 224, 224))


def vit() -> nn.Module:
    from torchvision.models import VisionTransformer

    net = VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=5)
    nn.init.normal_(net.heads.head.weight)  # torchvision starts it at zero
    return net


def test_a_vision_transformer_is_read_at_its_last_tokens_that_count() -> None:
    """The last block's image tokens are read by nothing: what its attention reads is the last that counts."""
    net = vit()
    found = find_layer(net, noise())
    assert found.name == "encoder.layers.encoder_layer_1.ln_1+4x4"
    assert (found.map_size, found.units, found.scores, found.rectified) == ((4, 4), 16, 5, False)
    assert "the last layer whose image tokens are read" in found.reason


def test_the_grid_of_a_named_layer_of_tokens_is_found() -> None:
    net = vit()
    found = find_layer(net, noise(), layer="encoder.layers.encoder_layer_0")
    assert (found.name, found.map_size, found.units) == ("encoder.layers.encoder_layer_0+4x4", (4, 4), 16)
    assert find_layer(net, noise(), layer=found.name).name == found.name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "layer", "units"),
    [
        ("vit_tiny_patch16_224", "blocks.11.norm1+14x14", 192),
        ("xcit_nano_12_p16_224", "cls_attn_blocks.1.norm1+14x14", 128),
        ("levit_128s", "stages.2.blocks.3+4x4", 384),
    ],
)
def test_transformers_of_timm_are_read_at_their_tokens(name: str, layer: str, units: int) -> None:
    timm = pytest.importorskip("timm")
    found = find_layer(timm.create_model(name), noise(1, 3, 224, 224))
    assert (found.name, found.units) == (layer, units)


def test_a_fully_connected_layer_has_maps_of_one_cell(resnet: nn.Module) -> None:
    found = find_layer(resnet, noise(), layer="fc")
    assert (found.name, found.map_size, found.units) == ("fc+1x1", (1, 1), 1000)
    with record(resnet.eval(), found.name) as seen:
        scores = resnet(noise())
    assert torch.equal(seen.output, scores[:, :, None, None])


def test_a_fully_connected_layer_can_be_edited_and_differentiated() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 3))
    x = torch.randn(2, 3, 2, 2)
    with torch.no_grad(), record(net, "2+1x1", leaf=True) as seen:
        scores = net(x)
    (alpha,) = torch.autograd.grad(scores[:, 1].sum(), seen.output)
    assert torch.equal(alpha[..., 0, 0], net[3].weight[1].expand(2, -1))
    with torch.no_grad(), record(net, "2+1x1", edit=torch.zeros_like):
        assert torch.equal(net(x), net[3].bias.expand(2, -1))


@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 8), nn.ReLU(), nn.Linear(8, 5)),
        nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(3 * 64, 5)),
        nn.Sequential(nn.Conv2d(3, 8, 32), nn.ReLU(), nn.Flatten(), nn.Linear(8, 5)),
        nn.Sequential(conv(3, 5), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    ],
    ids=["perceptron", "pools first", "one cell", "class scores at every cell"],
)
def test_no_spatial_layer(net: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"no spatial convolutional layer.*give layer="):
        find_layer(net, noise())


def test_pooling_and_dropout_do_not_count() -> None:
    net = nn.Sequential(
        conv(3, 6), nn.ReLU(), nn.Dropout(), nn.Identity(), nn.MaxPool2d(2), nn.Dropout2d(), nn.Flatten(),
        nn.Linear(6 * 256, 5),
    )  # fmt: skip
    found = find_layer(net, noise())
    assert (found.name, found.map_size, found.units, found.rectified) == ("1", (32, 32), 6, True)


@pytest.mark.parametrize("inplace", [False, True])
def test_in_place_relus_name_the_relu_and_not_the_convolution(inplace: bool) -> None:
    net = Head(nn.Sequential(conv(3, 6), nn.ReLU(inplace)), 6)
    assert find_layer(net, noise()).name == "backbone.1"
    # and the convolution by name is its own output, before the ReLU
    given = find_layer(net, noise(), layer="backbone.0")
    assert not given.rectified and "backbone.0+relu" in given.reason


class FunctionalRelu(nn.Module):
    def __init__(self, inplace: bool) -> None:
        super().__init__()
        self.first, self.second, self.inplace = conv(3, 4), conv(4, 6), inplace

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x), self.inplace)
        return F.relu(self.second(x), self.inplace)


@pytest.mark.parametrize("inplace", [False, True])
def test_functional_relus_are_taken(inplace: bool) -> None:
    net = Head(FunctionalRelu(inplace), 6)
    found = find_layer(net, noise())
    # the backbone is fed the image, so its inside is preferred where it hands on the same map
    assert found.name == ("backbone.second+relu" if inplace else "backbone") and found.rectified
    with record(net, found.name) as seen:
        net(noise())
    assert torch.equal(seen.output, net.backbone(noise()))
    named = find_layer(net, noise(), layer="backbone.second")
    assert not named.rectified and "backbone.second+relu is its rectified map" in named.reason


def test_one_convolution_fed_the_image_is_better_than_nothing() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = conv(3, 6), nn.Linear(6, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(F.relu(self.conv(x)).amax((2, 3)))

    found = find_layer(Net(), noise())
    assert (found.name, found.rectified) == ("conv+relu", True)


def test_a_relu_module_that_runs_twice_names_the_layer_before() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.relu, self.fc = conv(3, 4), conv(4, 6), nn.ReLU(), nn.Linear(6, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.relu(self.b(self.relu(self.a(x)))).mean((2, 3)))

    net = Net()
    found = find_layer(net, noise())
    assert (found.name, found.units, found.rectified) == ("b+relu", 6, True)
    with record(net, found.name) as seen:
        scores = net(noise())
    torch.testing.assert_close(net.fc(seen.output.mean((2, 3))), scores)
    with pytest.raises(ValueError, match="more than once"):
        find_layer(net, noise(), layer="relu")


def test_concatenated_relus_are_rectified_and_leaky_ones_are_not() -> None:
    class Fire(nn.Module):
        def __init__(self, act: nn.Module) -> None:
            super().__init__()
            self.a, self.b, self.act = conv(4, 3), nn.Conv2d(4, 3, 1), act

        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([self.act(self.a(x)), self.act(self.b(x))], 1)

    for act, rectified in ((nn.ReLU(), True), (nn.LeakyReLU(0.5), False), (nn.SiLU(), False)):
        found = find_layer(Head(nn.Sequential(conv(3, 4), Fire(act)), 6), noise())
        assert (found.name, found.rectified) == ("backbone.1", rectified)
        assert ("the block's output" in found.reason) is not rectified


def test_class_scores_per_cell_are_skipped_with_everything_per_channel_behind_them() -> None:
    net = nn.Sequential(
        conv(3, 6), nn.ReLU(), nn.Dropout(), nn.Conv2d(6, 5, 1), nn.BatchNorm2d(5), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip
    assert find_layer(net, noise()).name == "1"
    # as many channels as classes, but a linear layer behind: an ordinary map
    net = nn.Sequential(conv(3, 5), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 5))
    assert find_layer(net, noise()).name == "1"


class ChannelsLast(nn.Module):
    """Works on [N, h, w, U] from the patches on."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 12, 4, 4)
        self.block = nn.Sequential(nn.LayerNorm(12), nn.Linear(12, 12))
        self.fc = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.block(self.patches(x).permute(0, 2, 3, 1)).mean((1, 2)))


def test_channels_last_outputs_are_no_maps() -> None:
    with pytest.raises(ValueError, match="no spatial convolutional layer"):
        find_layer(ChannelsLast(), noise())
    with pytest.raises(ValueError, match=r"'block': expected a map.*\[1, 8, 8, 12\].*channels last"):
        find_layer(ChannelsLast(), noise(), layer="block")
    assert find_layer(ChannelsLast(), noise(), layer="patches").map_size == (8, 8)


def test_inputs_need_not_be_square() -> None:
    net = Head(nn.Sequential(nn.Conv2d(3, 4, 5, 2), nn.ReLU(), nn.Conv2d(4, 6, 3, 2), nn.ReLU()), 6)
    found = find_layer(net, noise(1, 3, 40, 96))
    assert (found.name, found.map_size) == ("backbone.3", (8, 22))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("layer5", "did you mean layer"),
        ("layer4.1.relu", "more than once"),
        ("", "its parts are"),
    ],
)
def test_a_named_layer_is_checked(resnet: nn.Module, layer: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_layer(resnet, noise(), layer=layer)


def test_a_layer_that_never_runs_is_refused() -> None:
    net = Head(nn.Sequential(conv(3, 4), nn.ReLU()), 4)
    net.spare = conv(3, 3)
    with pytest.raises(ValueError, match="did not run"):
        find_layer(net, noise(), layer="spare")


@pytest.mark.parametrize(
    ("wrap", "got"),
    [
        (lambda y: {"out": y}, "a dict"),
        (lambda y: (y, y), "a tuple"),
        (lambda y: y[:, :, None, None], r"a tensor \[1, 5, 1, 1\]"),
        (lambda y: y[0], r"a tensor \[5\]"),
    ],
)
def test_outputs_other_than_scores_are_named(wrap: object, got: str) -> None:
    class Net(Head):
        def forward(self, x: Tensor) -> Tensor:
            return wrap(super().forward(x))  # type: ignore[operator,no-any-return]

    net = Net(nn.Sequential(conv(3, 4), nn.ReLU()), 4)
    for layer in (None, "backbone.1"):
        with pytest.raises(ValueError, match=rf"expected class scores \[1, C\].*got {got}"):
            find_layer(net, noise(), layer=layer)


@pytest.mark.parametrize("fails", [False, True])
def test_the_network_comes_back_as_it_was(fails: bool) -> None:
    net = Head(nn.Sequential(conv(3, 4), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout()), 4)
    net.train()
    net.backbone[1].eval()  # a mixture, as when fine-tuning
    net.fc.weight.requires_grad_(False)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    modes = [m.training for m in net.modules()]
    if fails:
        with pytest.raises(ValueError, match="did you mean"):
            find_layer(net, noise(), layer="backbone.9")
    else:
        assert find_layer(net, noise()).name == "backbone.2"
    assert [m.training for m in net.modules()] == modes
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters()) and not net.fc.weight.requires_grad
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert torch.is_grad_enabled()


def test_wrappers_do_not_show() -> None:
    net = nn.DataParallel(Head(nn.Sequential(conv(3, 4), nn.ReLU()), 4))
    assert find_layer(net, noise()).name == "backbone.1"
