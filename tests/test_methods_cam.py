"""CAM, Grad-CAM++ and LayerCAM: restated slowly in float64, and held against the peers where these are right."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from small_nets import LAYER, Split, State, deep_head_net, gap_net, images, slow_alpha, slow_maps
from torch import Tensor, nn

from neuro_explain.gradcam import grad_cam
from neuro_explain.layer import find_layer
from neuro_explain.methods import METHODS
from neuro_explain.methods.cam import cam
from neuro_explain.methods.grad_cam_plus_plus import grad_cam_plus_plus, plus_plus_weights
from neuro_explain.methods.layer_cam import layer_cam
from neuro_explain.methods.saliency import Saliency
from neuro_explain.targets import Target

CLASSES = [2, 5]
Function = Callable[..., Saliency]


def slow_gradient(net: Split, x: Tensor, classes: list[int]) -> tuple[Tensor, Tensor]:
    """∂y/∂A and A in float64, one image after the other."""
    wide = copy.deepcopy(net).double().eval()
    gradients, activations = [], []
    for image, c in zip(x.double(), classes, strict=True):
        maps = wide.backbone(image[None]).detach().requires_grad_()
        gradients.append(torch.autograd.grad(wide.head(maps)[0, c], maps)[0][0])
        activations.append(maps.detach()[0])
    return torch.stack(gradients), torch.stack(activations)


# --- CAM ---


def test_cam_is_the_weighted_sum_of_the_last_maps() -> None:
    net, x = gap_net(), images()
    wide = copy.deepcopy(net).double()
    maps, weight = wide.backbone(x.double()).detach(), wide.head[2].weight.detach()
    want = torch.zeros(2, *maps.shape[2:], dtype=torch.float64)
    for image, c in enumerate(CLASSES):
        for unit in range(maps.shape[1]):
            want[image] += weight[c, unit] * maps[image, unit]
    got = cam(net, x, CLASSES, layer=LAYER)
    torch.testing.assert_close(got.signed.double(), want, rtol=1e-5, atol=1e-6)  # float32
    torch.testing.assert_close(got.scores, net(x)[[0, 1], CLASSES].detach())
    assert float(got.map.max()) > 0


@pytest.mark.parametrize("norm", [False, True])
def test_cam_is_grad_cam_up_to_the_number_of_cells(norm: bool) -> None:
    net, x = gap_net(norm=norm).double(), images().double()
    layer = "backbone.4" if norm else LAYER
    one, other = cam(net, x, CLASSES, layer=layer), grad_cam(net, x, CLASSES, layer=layer)
    cells = one.signed.shape[1] * one.signed.shape[2]
    torch.testing.assert_close(one.signed, cells * other.signed_map, rtol=1e-12, atol=1e-12)  # float64


def test_cam_of_powers_of_two_is_grad_cam_to_the_last_bit() -> None:
    """16 cells, and weights and maps of few bits: no sum is rounded, so the factor is exactly Z."""
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    net = Split(nn.Conv2d(3, 3, 1, bias=False), head).eval()
    with torch.no_grad():
        net.backbone.weight.copy_(torch.randint(-3, 4, (3, 3, 1, 1)))
        head[2].weight.copy_(torch.randint(-4, 5, (2, 3)))
    x = torch.randint(-8, 9, (2, 3, 4, 4)).float()
    one, other = cam(net, x, [0, 1], layer="backbone"), grad_cam(net, x, [0, 1], layer="backbone")
    assert torch.equal(one.signed, 16 * other.signed_map)
    assert float(one.signed.abs().max()) > 0


class ByHand(nn.Module):
    """Pooling by a function call, dropout, and a 1 × 1 convolution as the linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3)
        self.head = nn.Conv2d(4, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = torch.relu(self.body(x)).mean((2, 3), keepdim=True)
        return self.head(nn.functional.dropout(pooled, 0.5, self.training)).flatten(1)


def test_the_head_is_known_by_what_it_does_and_not_by_its_modules() -> None:
    net, x = ByHand().train(), images()
    one, other = cam(net, x, [0, 2], layer="body+relu"), grad_cam(net, x, [0, 2], layer="body+relu")
    cells = one.signed.shape[1] * one.signed.shape[2]
    torch.testing.assert_close(one.signed, cells * other.signed_map, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("net", "layer", "message"),
    [
        (deep_head_net(), LAYER, "what goes into 'head.7' is not the mean of that layer’s maps; Grad-CAM"),
        (gap_net(), "backbone.1", r"pooling of layer 'backbone.1' .*; what goes into 'head.2' is not"),
        (nn.Sequential(gap_net(), nn.Softmax(1)), f"0.{LAYER}", "what '0.head.2' puts out is not what"),
        (gap_net(), "head.1", r"puts out \[1, 5\], expected maps"),
    ],
)
def test_another_head_is_refused_with_what_was_expected(net: nn.Module, layer: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cam(net, images(), CLASSES, layer=layer)


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "densenet121", "mobilenet_v2"])
def test_cam_on_real_architectures(name: str) -> None:
    models = pytest.importorskip("torchvision.models")
    options = {"init_weights": False} if name == "googlenet" else {}
    net, x = models.get_model(name, weights=None, **options).eval(), torch.rand(2, 3, 96, 96)
    layer = find_layer(net, x[:1]).name
    one, other = cam(net, x, [3, 7], layer=layer), grad_cam(net, x, [3, 7], layer=layer)
    cells = one.signed.shape[1] * one.signed.shape[2]
    scale = float(one.signed.abs().max())
    torch.testing.assert_close(one.signed, cells * other.signed_map, rtol=1e-4, atol=1e-5 * scale)


def test_vgg_has_no_cam() -> None:
    models = pytest.importorskip("torchvision.models")
    with pytest.raises(ValueError, match="CAM expects a network that ends in global average pooling"):
        cam(models.vgg11(num_classes=5), torch.rand(1, 3, 64, 64), [0], layer="features.19")


# --- Grad-CAM++ ---


def slow_plus_plus(gradient: Tensor, activations: Tensor) -> Tensor:
    """Eq. 19 and 5 of the paper, cell after cell; exp(y) left out."""
    weights = torch.zeros(gradient.shape[:2], dtype=torch.float64)
    for n in range(gradient.shape[0]):
        for k in range(gradient.shape[1]):
            total = activations[n, k].sum()
            for g in gradient[n, k].flatten():
                if g == 0:
                    continue
                weights[n, k] += g**2 / (2 * g**2 + total * g**3) * torch.relu(g)
    return weights


@pytest.mark.parametrize("make", [gap_net, deep_head_net])
def test_grad_cam_plus_plus_restated(make: Callable[[], Split]) -> None:
    net, x = make(), images()
    gradient, activations = slow_gradient(net, x, CLASSES)
    weights = slow_plus_plus(gradient, activations)
    got = grad_cam_plus_plus(net, x, CLASSES, layer=LAYER)
    want = slow_maps(net, x, weights)
    torch.testing.assert_close(got.signed.double(), want, rtol=1e-4, atol=1e-6 * float(want.max()))
    assert float(want.max()) > 0 and float(weights.min()) >= 0


def test_small_gradients_do_not_underflow() -> None:
    """Squares of 1e-25 are zero in float32; the weights are not."""
    gradient, activations = torch.full((1, 1, 2, 2), 1e-25), torch.ones(1, 1, 2, 2)
    torch.testing.assert_close(plus_plus_weights(gradient, activations), torch.tensor([[2e-25]]))


def scaled(net: Split, factor: float) -> Split:
    """The same network with `factor` times the scores."""
    made = copy.deepcopy(net)
    with torch.no_grad():
        made.head[2].weight.mul_(factor)
    return made


def _grad_cam_peer(net: nn.Module, x: Tensor, kind: str) -> Tensor:
    peer = pytest.importorskip("pytorch_grad_cam")
    outputs = pytest.importorskip("pytorch_grad_cam.utils.model_targets")
    module = copy.deepcopy(net)
    with getattr(peer, kind)(model=module, target_layers=[module.get_submodule(LAYER)]) as made:
        seen = made(x.clone(), [outputs.ClassifierOutputTarget(c) for c in CLASSES])
    return torch.from_numpy(np.asarray(seen))


def as_the_peer_shows(map: Tensor, size: tuple[int, int]) -> Tensor:
    """Min-max per image, enlarged as OpenCV does it."""
    cv2 = pytest.importorskip("cv2")
    shown = []
    for one in map.numpy():
        one = (one - one.min()) / (1e-7 + (one - one.min()).max())
        one = cv2.resize(one.astype(np.float32), size[::-1])
        shown.append((one - one.min()) / (1e-7 + (one - one.min()).max()))
    return torch.from_numpy(np.stack(shown))


def test_grad_cam_plus_plus_agrees_with_the_peer_for_large_gradients_and_not_for_small_ones() -> None:
    """grad-cam adds 1e-6 to a denominator of the size of g²: right for |g| far above 1e-3 only."""
    x = images()
    for factor, same in ((1e4, True), (1e-2, False)):
        net = scaled(gap_net(), factor)
        ours = grad_cam_plus_plus(net, x, CLASSES, layer=LAYER)
        gradient, activations = slow_gradient(net, x, CLASSES)
        want = slow_maps(net, x, slow_plus_plus(gradient, activations))
        torch.testing.assert_close(ours.signed.double(), want, rtol=1e-4, atol=1e-6 * float(want.max()))
        apart = (_grad_cam_peer(net, x, "GradCAMPlusPlus") - as_the_peer_shows(ours.map, (9, 11))).abs().max()
        assert (float(apart) < 1e-3) is same, (factor, float(apart))


def test_torchcam_forgets_the_denominator() -> None:
    """It divides a copy (`alpha[mask].div_`), so that its weights are Σ g² ReLU(g)."""
    methods = pytest.importorskip("torchcam.methods")
    net, x = gap_net(), images()
    with methods.GradCAMpp(copy.deepcopy(net), LAYER) as peer:
        scores = peer.model(x.requires_grad_())
        (got,) = peer(CLASSES, scores, normalized=False)
    gradient, activations = slow_gradient(net, x.detach(), CLASSES)
    cubes = (gradient**2 * gradient.clamp(min=0)).sum(dim=(2, 3))
    theirs = torch.einsum("nk,nkhw->nhw", cubes, activations).clamp(min=0)
    torch.testing.assert_close(got.double(), theirs, rtol=1e-3, atol=1e-6 * float(theirs.max()))
    ours = grad_cam_plus_plus(net, x.detach(), CLASSES, layer=LAYER).map
    assert float((got / got.max() - ours / ours.max()).abs().max()) > 0.01


# --- LayerCAM ---


@pytest.mark.parametrize("make", [gap_net, deep_head_net])
def test_layer_cam_restated(make: Callable[[], Split]) -> None:
    net, x = make(), images()
    gradient, activations = slow_gradient(net, x, CLASSES)
    want = torch.zeros(2, *gradient.shape[2:], dtype=torch.float64)
    for k in range(gradient.shape[1]):
        want += torch.relu(gradient[:, k]) * activations[:, k]
    got = layer_cam(net, x, CLASSES, layer=LAYER)
    torch.testing.assert_close(got.signed.double(), want, rtol=1e-4, atol=1e-6 * float(want.max()))
    assert float(want.max()) > 0


def test_layer_cam_agrees_with_the_peers() -> None:
    net, x = gap_net(), images()
    ours = layer_cam(net, x, CLASSES, layer=LAYER).map
    shown = as_the_peer_shows(ours, (9, 11))
    assert float((_grad_cam_peer(net, x, "LayerCAM") - shown).abs().max()) < 1e-4  # float32, twice min-max
    methods = pytest.importorskip("torchcam.methods")
    with methods.LayerCAM(copy.deepcopy(net), LAYER) as peer:
        (got,) = peer(CLASSES, peer.model(x.clone().requires_grad_()), normalized=False)
    torch.testing.assert_close(got, ours, rtol=1e-5, atol=1e-6)


# --- all of them ---


@pytest.mark.parametrize("function", [cam, grad_cam_plus_plus, layer_cam])
def test_the_network_comes_back_as_it_was_in_every_mode(function: Function) -> None:
    net, x = gap_net(inplace=True).train(), images()
    plain = function(net, x, CLASSES, layer=LAYER)
    state = State(net)
    with torch.no_grad():
        torch.testing.assert_close(function(net, x, CLASSES, layer=LAYER).signed, plain.signed)
    with torch.inference_mode():
        inside = function(net, x, CLASSES, layer=LAYER)
    torch.testing.assert_close(inside.signed.clone(), plain.signed)
    state.assert_same()
    with pytest.raises(ValueError, match="class 9 does not exist"):
        function(net, x, [9, 9], layer=LAYER)
    state.assert_same()
    assert not plain.signed.requires_grad and plain.signed.dim() == 3


@pytest.mark.parametrize("function", [cam, grad_cam_plus_plus, layer_cam])
def test_bad_input_is_refused(function: Function) -> None:
    net = gap_net()
    with pytest.raises(ValueError, match=r"images: expected a tensor \[N, 3, H, W\]"):
        function(net, images()[0], [1], layer=LAYER)
    with pytest.raises(ValueError, match="one entry for each of the 2 images, got 1"):
        function(net, images(), [1], layer=LAYER)
    with pytest.raises(ValueError, match="one for each image, got 2"):
        function(net, images(), [[1, 2], [1, 2]], layer=LAYER)
    with pytest.raises(ValueError, match="NaN or infinite"):
        function(net, images() * torch.nan, CLASSES, layer=LAYER)


# --- contrast and counterfactual: no methods of their own, but targets that every method takes ---


def test_contrast_is_the_difference_of_the_alphas() -> None:
    net, x = deep_head_net().double(), images().double()
    seen = {}
    for name, target in (
        ("a", Target.of_class(2)),
        ("b", Target.of_class(4)),
        ("a-b", Target.contrast(2, 4)),
        ("not a", Target.against(2)),
    ):
        seen[name] = grad_cam(net, x, target, layer=LAYER)
    torch.testing.assert_close(seen["a-b"].alpha, seen["a"].alpha - seen["b"].alpha, rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(seen["not a"].alpha, -seen["a"].alpha, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(seen["not a"].signed_map, -seen["a"].signed_map, rtol=1e-12, atol=1e-15)
    want = slow_alpha(net, x, [2, 2]) - slow_alpha(net, x, [4, 4])
    torch.testing.assert_close(seen["a-b"].alpha, want, rtol=1e-8, atol=1e-12)
    assert float(want.abs().max()) > 0


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("target", [Target.contrast(2, 4), Target.against(3)], ids=lambda t: t.kind)
def test_every_method_takes_contrasts_and_counterfactuals(name: str, target: Target) -> None:
    net, x = gap_net(units=16), images()
    made = METHODS[name](net, x, target, layer=LAYER)
    torch.testing.assert_close(made.scores, target(net(x)).detach(), rtol=1e-5, atol=1e-6)
    each = METHODS[name](net, x, [target, target], layer=LAYER)
    torch.testing.assert_close(each.signed, made.signed)
    assert made.map.shape[0] == 2 and float(made.signed.abs().max()) > 0
