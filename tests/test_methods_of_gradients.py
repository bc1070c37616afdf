"""The gradient of the pixels, guided backpropagation, deconvolution, and their products with Grad-CAM.

The rules themselves are tested in `test_rectifiers`; here are peers, networks as people have them, and the product.
"""

from __future__ import annotations

import copy
import types
import warnings
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from small_nets import LAYER, Split, State, conv_backbone, images
from test_gradcam_modes import Guarded, compiled_away
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from dissection.recording import record
from dissection.resize import resize
from neuro_explain.gradcam import grad_cam
from neuro_explain.methods.registry import METHODS

PIXELS = ("gradient", "guided-backprop", "deconvolution", "guided-grad-cam", "deconvolution-grad-cam")
CLASSES = [3, 5]


def relu_head_net(**options: bool) -> Split:
    """ReLUs before the layer and behind it."""
    torch.manual_seed(0)
    head = nn.Sequential(
        nn.Conv2d(5, 7, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(28, 6)
    )
    return Split(conv_backbone(**options), head).eval()


# The product.


@pytest.mark.parametrize("size", [(9, 11), (16, 16)])
@pytest.mark.parametrize(
    ("name", "fine"), [("guided-grad-cam", "guided-backprop"), ("deconvolution-grad-cam", "deconvolution")]
)
@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("layer", ["backbone.3", "backbone.2", "backbone.0", "backbone"])
def test_the_product_of_the_two_maps(
    layer: str, inplace: bool, name: str, fine: str, size: tuple[int, int]
) -> None:
    net, x = relu_head_net(inplace=inplace), images(2, size)
    got = METHODS[name](net, x, CLASSES, layer=layer)
    cam = grad_cam(net, x, CLASSES, layer=layer)  # whose alpha is of the plain gradient
    pixels = METHODS[fine](net, x, CLASSES, layer=layer)
    want = pixels.signed * resize(cam.map, size)[:, None]
    assert float(want.abs().amax((1, 2, 3)).min()) > 0
    torch.testing.assert_close(got.signed, want, rtol=1e-5, atol=1e-7 * float(want.abs().max()))
    assert torch.equal(got.scores, cam.scores)
    assert torch.equal(got.map, got.signed.abs().amax(dim=1))
    assert got.notes == pixels.notes and got.notes[0].startswith("3 ReLUs were replaced")
    assert not got.signed.requires_grad


def test_a_functional_relu_behind_the_layer() -> None:
    class Normed(Split):
        def forward(self, x: Tensor) -> Tensor:
            return self.head(F.relu(self.backbone(x), inplace=True))

    plain = relu_head_net()
    net = Normed(plain.backbone[:3], plain.head).eval()
    got = METHODS["guided-grad-cam"](net, images(), CLASSES, layer="backbone+relu")
    want = METHODS["guided-grad-cam"](plain, images(), CLASSES, layer=LAYER)
    assert float(want.signed.abs().max()) > 0
    assert torch.equal(got.signed, want.signed)
    assert got.notes == want.notes


def test_tokens_as_maps() -> None:
    """Gradients go on to the pixels through all tokens, not through those of the map alone."""

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.patches, self.block, self.head = nn.Conv2d(3, 4, 2, 2), nn.Linear(4, 4), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            tokens = self.patches(x).flatten(2).transpose(1, 2)
            tokens = self.block(torch.cat([tokens.mean(1, keepdim=True), tokens], 1)).relu()
            return self.head(tokens[:, 0] + (tokens**2).mean(1))

    net, x = Tokens(), images(2, (4, 6))
    got = METHODS["guided-grad-cam"](net, x, [0, 2], layer="block+2x3")
    cam = grad_cam(net, x, [0, 2], layer="block+2x3")
    want = METHODS["guided-backprop"](net, x, [0, 2], layer="block").signed * resize(cam.map, (4, 6))[:, None]
    assert float(want.abs().max()) > 0
    torch.testing.assert_close(got.signed, want)


@pytest.mark.parametrize("name", PIXELS)
def test_one_forward_pass_and_no_gradient_of_a_weight(name: str) -> None:
    class Watched(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.forward = 0
            self.masks: list[list[bool]] = []

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func is torch.ops.aten.convolution.default:
                self.forward += 1
            if func is torch.ops.aten.convolution_backward.default:
                self.masks.append(args[-1])  # whether of the input, the weight, the offset
            return func(*args, **(kwargs or {}))

    net = relu_head_net()
    with Watched() as watched:
        METHODS[name](net, images(), CLASSES, layer=LAYER)
    assert watched.forward == sum(isinstance(module, nn.Conv2d) for module in net.modules()) == 3
    backward = 4 if name in PIXELS[3:] else 3  # that of the head once for alpha, and once for the pixels
    assert watched.masks == [[True, False, False]] * backward


# Peers.


def network(name: str, **options: Any) -> nn.Module:
    import torchvision

    torch.manual_seed(0)
    net: nn.Module = getattr(torchvision.models, name)(weights=None, num_classes=20, **options)
    return net.eval()


def captum(name: str, net: nn.Module, x: Tensor, layer: str | None = None) -> Tensor:
    from captum.attr import Deconvolution, GuidedBackprop, GuidedGradCam

    goals = torch.tensor(CLASSES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that hooks are set, and that the input now requires gradients
        if name == "guided-grad-cam":
            method = GuidedGradCam(net, net.get_submodule(layer))
            return method.attribute(x.clone(), goals, interpolate_mode="bilinear").detach()
        peer = {"guided-backprop": GuidedBackprop, "deconvolution": Deconvolution}[name]
        return peer(net).attribute(x.clone(), goals).detach()


@pytest.mark.parametrize(
    ("arch", "layer"),
    [
        ("resnet18", "layer4"),
        ("squeezenet1_1", "features.12"),
        ("mobilenet_v3_small", "features.12"),  # most of its functions are hardswish
        pytest.param("vgg11", "features.19", marks=pytest.mark.slow),
    ],
)
def test_captum_on_networks_of_relu_modules(arch: str, layer: str) -> None:
    net = network(arch)
    for size in ((64, 64), (75, 98)):
        x = images(2, size)
        for name in ("guided-backprop", "deconvolution"):
            theirs = captum(name, net, x)
            assert float(theirs.abs().amax((1, 2, 3)).min()) > 0
            assert torch.equal(METHODS[name](net, x, CLASSES, layer=layer).signed, theirs)
        theirs = captum("guided-grad-cam", net, x, layer)
        ours = METHODS["guided-grad-cam"](net, x, CLASSES, layer=layer)
        assert float(theirs.abs().max()) > 0
        torch.testing.assert_close(ours.signed, theirs, rtol=0, atol=1e-5 * float(theirs.abs().max()))


def googlenet_of_modules(net: nn.Module) -> nn.Module:
    """The same network with an `nn.ReLU` wherever it calls `F.relu`."""
    twin = copy.deepcopy(net)
    for module in list(twin.modules()):
        if type(module).__name__ == "BasicConv2d":
            module.relu = nn.ReLU()
            module.forward = types.MethodType(lambda self, x: self.relu(self.bn(self.conv(x))), module)
    return twin


@pytest.mark.slow
@pytest.mark.parametrize("name", ["guided-backprop", "deconvolution"])
def test_captum_returns_the_plain_gradient_where_relus_are_functions_and_we_do_not(name: str) -> None:
    net, x = network("googlenet", aux_logits=False, init_weights=False), images(2, (64, 64))
    ours = METHODS[name](net, x, CLASSES, layer="inception5b").signed
    theirs = captum(name, net, x)
    assert torch.equal(theirs, METHODS["gradient"](net, x, CLASSES, layer="inception5b").signed)
    assert float((ours - theirs).abs().max()) > 0.5 * float(ours.abs().max())
    want = captum(name, googlenet_of_modules(net).double(), x.double())
    torch.testing.assert_close(ours.double(), want, rtol=1e-2, atol=1e-4 * float(want.abs().max()))


def test_captum_leaves_relu6_alone_and_we_do_not() -> None:
    net, x = network("mobilenet_v2"), images(2, (64, 64))
    ours = METHODS["guided-backprop"](net, x, CLASSES, layer="features.18")
    theirs = captum("guided-backprop", net, x)
    assert torch.equal(theirs, METHODS["gradient"](net, x, CLASSES, layer="features.18").signed)
    assert ours.notes == ("35 ReLUs were replaced by the guided rule",)
    assert float((ours.signed - theirs).abs().max()) > 0.5 * float(ours.signed.abs().max())


def test_pytorch_grad_cam_on_a_network_of_relu_modules() -> None:
    from pytorch_grad_cam import GuidedBackpropReLUModel

    net, x = relu_head_net(), images(1, (16, 16))
    ours = METHODS["guided-backprop"](net, x, [3], layer=LAYER).signed
    theirs = GuidedBackpropReLUModel(copy.deepcopy(net), device="cpu")(x.clone(), target_category=3)
    want = torch.from_numpy(theirs).permute(2, 0, 1)[None]
    torch.testing.assert_close(ours, want, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", PIXELS)
def test_shipped_networks(name: str) -> None:
    from neuro_explain.zoo import load_model

    model = load_model("diorama-scenes")
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    got = METHODS[name](model.net, x, [0, 1], layer=model.layer)
    assert got.map.shape == (2, 64, 64) and float(got.map.max()) > 0
    assert all("replaced by the" in note for note in got.notes[:1])


# Networks and modes as people have them.


def assert_same_as(reference: nn.Module, net: nn.Module, x: Tensor, **close: float) -> None:
    for name in PIXELS:
        want = METHODS[name](reference, images(), CLASSES, layer=LAYER)
        got = METHODS[name](net, x, CLASSES, layer=LAYER)
        assert got.signed.dtype == got.scores.dtype == torch.float32
        assert float(want.signed.abs().max()) > 0
        if not close:
            assert torch.equal(got.signed, want.signed)
        torch.testing.assert_close(got.signed, want.signed, **close)
        assert got.notes == want.notes


@pytest.mark.parametrize("how", ["wrapper", "in place", "part", "parallel", "both", "warm"])
def test_compiled_and_parallel_networks(how: str) -> None:
    plain = relu_head_net()
    reference = copy.deepcopy(plain)
    net: nn.Module = plain
    with compiled_away():
        if how in ("wrapper", "warm"):
            net = torch.compile(plain, backend="eager")
        elif how == "in place":
            net.compile(backend="eager")
        elif how == "part":
            net.backbone = torch.compile(net.backbone, backend="eager")
        elif how == "parallel":
            net = nn.DataParallel(plain)
        else:
            net = nn.DataParallel(torch.compile(plain, backend="eager"))
        if how == "warm":
            with torch.no_grad():
                net(images())
        state = State(net)
        assert_same_as(reference, net, images())
        state.assert_same()
        torch.testing.assert_close(net(images()), reference(images()))  # it still runs


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_under_modes_and_the_network_is_left_as_it_was(mode: Any, training: bool, frozen: bool) -> None:
    reference = relu_head_net(norm=True)
    net = copy.deepcopy(reference).train(training).requires_grad_(not frozen)
    net.head[-1].weight.grad = torch.ones_like(net.head[-1].weight)
    state = State(net)
    x = images().requires_grad_()
    with mode():
        inside = images()
        for given in (x, inside):
            assert_same_as(reference, net, given)
    assert x.grad is None and x.requires_grad and torch.equal(x, images())
    assert torch.equal(inside, images())
    state.assert_same()


@pytest.mark.parametrize("name", PIXELS)
@pytest.mark.parametrize("where", ["forward", "backward", "targets"])
def test_the_network_is_left_as_it_was_after_an_exception(where: str, name: str) -> None:
    class Breaks(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            if where == "forward":
                raise RuntimeError("broken")
            return x.clone()

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            raise RuntimeError("broken")

    class Broken(Split):
        def forward(self, x: Tensor) -> Tensor:
            x = super().forward(x)
            return x if where == "targets" else Breaks.apply(x)

    net = Broken(*relu_head_net().children()).train()
    state, relu = State(net), F.relu
    error, message = {
        "forward": (RuntimeError, "broken"),
        "backward": (ValueError, "the network cannot be differentiated down to .*: broken"),
        "targets": (ValueError, "class 99 does not exist"),
    }[where]
    with pytest.raises(error, match=message):
        METHODS[name](net, images(), [0, 99 if where == "targets" else 1], layer=LAYER)
    state.assert_same()
    assert F.relu is relu
    x = -images().requires_grad_()
    assert torch.autograd.grad(-F.relu(x).sum(), x)[0].min() == -1  # a plain ReLU again


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_precisions(dtype: torch.dtype) -> None:
    net = relu_head_net().to(dtype)
    for name in PIXELS:
        got = METHODS[name](net, images().to(dtype), CLASSES, layer=LAYER)
        want = METHODS[name](net.float(), images().to(dtype).float(), CLASSES, layer=LAYER)
        net.to(dtype)
        assert got.signed.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        likeness = torch.corrcoef(
            torch.stack([got.signed.flatten().double(), want.signed.flatten().double()])
        )
        assert float(likeness[0, 1]) > (0.99 if dtype == torch.bfloat16 else 1 - 1e-9)


def test_channels_last() -> None:
    net = relu_head_net().to(memory_format=torch.channels_last)
    x = images().contiguous(memory_format=torch.channels_last)
    assert_same_as(relu_head_net(), net, x, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", PIXELS)
def test_a_batch_equals_its_images_one_by_one(name: str) -> None:
    net, x = relu_head_net(), images(4)
    classes = [3, 5, 0, 3]
    together = METHODS[name](net, x, classes, layer=LAYER)
    for i, c in enumerate(classes):
        alone = METHODS[name](net, x[i : i + 1], [c], layer=LAYER)
        torch.testing.assert_close(together.signed[i], alone.signed[0], rtol=1e-4, atol=1e-7)
        torch.testing.assert_close(together.scores[i], alone.scores[0])


def test_a_network_that_writes_into_its_input() -> None:
    class InPlace(Split):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.sub_(0.1).div_(2))

    class Aside(Split):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward((x - 0.1) / 2)

    parts = list(relu_head_net().children())
    x = images()
    assert_same_as(Aside(*parts), InPlace(*parts), x)
    assert torch.equal(x, images())


# Refused.


@pytest.mark.parametrize("name", PIXELS)
def test_what_is_refused(name: str) -> None:
    net, method = relu_head_net(), METHODS[name]
    with pytest.raises(ValueError, match=r"images: expected a tensor \[N, 3, H, W\].*image\[None\]"):
        method(net, images()[0], [1], layer=LAYER)
    with pytest.raises(
        ValueError, match="images: expected floating point, prepared for the network, got torch.uint8"
    ):
        method(net, images().byte(), CLASSES, layer=LAYER)
    with pytest.raises(ValueError, match="methods give one map per image"):
        method(net, images(), [[1, 2], [3, 4]], layer=LAYER)
    with pytest.raises(ValueError, match=r"the network returns \[2, 5, 5, 7\]|expected scores \[N, C\]"):
        method(net.backbone, images(), CLASSES, layer="3")
    for broken, message in ((torch.nan, "the network's score is NaN"), (torch.inf, "is NaN or infinite")):
        spoilt = copy.deepcopy(net)
        spoilt.head[-1].weight.data.fill_(broken)
        with pytest.raises(ValueError, match=message):
            method(spoilt, images(), CLASSES, layer=LAYER)
    for blind in (torch.no_grad, torch.inference_mode):
        with pytest.raises(
            ValueError, match="the score does not depend on .* through differentiable operations"
        ):
            method(Guarded(net, torch.no_grad, blind), images(), CLASSES, layer=LAYER)


@pytest.mark.parametrize("name", PIXELS[3:])
def test_layers_that_are_refused(name: str) -> None:
    net, method = relu_head_net(), METHODS[name]
    with pytest.raises(ValueError, match=r"layer 'head.4' puts out \[2, 6\] .* choose a spatial layer"):
        method(net, images(), CLASSES, layer="head.4")
    with pytest.raises(ValueError, match="layer 'backbone.9' is not in Split: did you mean"):
        method(net, images(), CLASSES, layer="backbone.9")


# Recording with the graph.


@pytest.mark.parametrize("inplace", [False, True])
def test_the_root_of_a_recording_is_what_all_behind_it_grows_from(inplace: bool) -> None:
    net, x = relu_head_net(inplace=inplace), images().requires_grad_()
    with record(net, "backbone.2", graph=True) as seen:
        y = net(x.clone())[:, 0].sum()
    with record(net, "backbone.2") as plain:
        net(images())
    assert seen.root is not None and torch.equal(seen.output, plain.output)
    assert torch.equal(seen.root, plain.output)
    at_layer, at_pixels = torch.autograd.grad(y, [seen.root, x], retain_graph=True)
    (onward,) = torch.autograd.grad(seen.root, x, at_layer)
    torch.testing.assert_close(onward, at_pixels)
    assert float(at_pixels.abs().max()) > 0
    assert plain.root is None
