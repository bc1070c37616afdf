"""The widely used implementations give the same maps where they are right; where they are not, we differ.

Agreement is asserted bit by bit on alpha_k A^k (captum), and to 1e-6 of the largest Σ_k |alpha_k A^k| on the
maps, the size of the numbers that are summed: each side rounds that sum in float32 in its own order.
pytorch-grad-cam's map is compared after its own resizing and min-max, to 1e-5 of the range 0…1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from small_nets import gap_net, images
from torch import Tensor, nn

from neuro_explain.gradcam import GradCAM, grad_cam

CLASSES = [3, 7]


@dataclass
class Case:
    """A torchvision network with random weights and its last layer before the head.

    Attributes:
        name: of the builder in torchvision.models.
        layer: as we call it.
        options: of the builder.
    """

    name: str
    layer: str
    options: dict[str, Any] = field(default_factory=dict)

    def build(self) -> nn.Module:
        import torchvision

        torch.manual_seed(0)
        net: nn.Module = getattr(torchvision.models, self.name)(weights=None, num_classes=20, **self.options)
        return net.eval()

    def for_peers(self, net: nn.Module) -> tuple[nn.Module, nn.Module]:
        """(network, layer) as the peers need them: the layer must be a module."""
        if not self.layer.endswith("+relu"):
            return net, net.get_submodule(self.layer)
        relu = nn.ReLU()
        return nn.Sequential(net.features, relu, nn.AdaptiveAvgPool2d(1), nn.Flatten(), net.classifier), relu

    def __str__(self) -> str:
        return f"{self.name} {self.layer}"


CASES = [
    Case("resnet18", "layer4"),
    Case("squeezenet1_1", "features.12"),
    Case("mobilenet_v3_small", "features.12"),
    Case("mobilenet_v2", "features.18"),
    Case("vgg11", "features.19"),  # the ReLU behind the last convolution, in place
    Case("vgg16", "features.29"),
    Case("googlenet", "inception5b", {"aux_logits": False, "init_weights": False}),
    Case("densenet121", "features.norm5+relu"),
]
HEAVY = {"vgg11", "vgg16", "googlenet", "densenet121"}


@dataclass
class Compared:
    """A case, the peers' network and layer, images, and our result on the plain network."""

    case: Case
    net: nn.Module
    module: nn.Module
    x: Tensor
    cam: GradCAM


@pytest.fixture(
    scope="module",
    params=[pytest.param(c, marks=[pytest.mark.slow] if c.name in HEAVY else []) for c in CASES],
    ids=str,
)
def seen(request: pytest.FixtureRequest) -> Compared:
    case: Case = request.param
    net = case.build()
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    return Compared(case, *case.for_peers(net), x, grad_cam(net, x, CLASSES, layer=case.layer))


def assert_close(got: Tensor, want: Tensor, cam: GradCAM, share: float = 1e-6) -> None:
    size = float((cam.alpha[:, :, None, None] * cam.activations).abs().sum(dim=1).max())
    assert size > 0
    assert float((got - want).abs().max()) <= share * size


def test_captum(seen: Compared) -> None:
    from captum.attr import LayerGradCam

    x, cam = seen.x, seen.cam
    captum = LayerGradCam(seen.net, seen.module)
    per_unit = captum.attribute(x, target=CLASSES, attr_dim_summation=False).detach()
    ours = cam.alpha[:, :, None, None] * cam.activations
    assert torch.equal(per_unit, ours)  # not a bit differs before the sum
    assert_close(captum.attribute(x, target=CLASSES)[:, 0].detach(), cam.signed_map, cam)
    rectified = captum.attribute(x, target=CLASSES, relu_attributions=True)[:, 0].detach()
    assert_close(rectified, cam.map, cam)


def test_torchcam(seen: Compared) -> None:
    from torchcam.methods import GradCAM as TorchCAM

    with TorchCAM(seen.net, target_layer=seen.module) as peer:
        (maps,) = peer(CLASSES, seen.net(seen.x), normalized=False)
    assert_close(maps.detach(), seen.cam.map, seen.cam)


def test_pytorch_grad_cam(seen: Compared) -> None:
    from pytorch_grad_cam import GradCAM as Peer
    from pytorch_grad_cam.utils.image import scale_cam_image
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    x = seen.x
    with Peer(model=seen.net, target_layers=[seen.module]) as peer:
        theirs = peer(input_tensor=x.clone(), targets=[ClassifierOutputTarget(c) for c in CLASSES])
    # It scales each map to 0…1, resizes it, and scales the mean over its layers, here one, once more.
    ours = scale_cam_image(scale_cam_image(seen.cam.map.numpy(), (x.shape[3], x.shape[2])))
    assert theirs.shape == (2, x.shape[2], x.shape[3])
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "layer", "last"),
    [
        ("resnet18", "layer4", "fc"),
        ("mobilenet_v2", "features.18", "classifier.1"),
        pytest.param("densenet121", "features.norm5+relu", "classifier", marks=pytest.mark.slow),
    ],
)
def test_alpha_is_the_weight_over_the_cells(name: str, layer: str, last: str) -> None:
    """Where global pooling and one linear layer are all that follows."""
    net = Case(name, layer).build()
    cam = grad_cam(net, torch.randn(2, 3, 64, 64), CLASSES, layer=layer)
    want = net.get_submodule(last).weight.detach()[CLASSES] / cam.activations[0, 0].numel()
    torch.testing.assert_close(cam.alpha, want, rtol=1e-6, atol=0)


# Where a peer errs.


def test_an_in_place_relu_behind_the_layer_misleads_torchcam_but_not_us() -> None:
    from torchcam.methods import GradCAM as TorchCAM

    net, safe, x = gap_net(inplace=True), gap_net(), images()
    safe.load_state_dict(net.state_dict())
    ours = grad_cam(net, x, CLASSES[:1] * 2, layer="backbone.2")
    want = grad_cam(safe, x, CLASSES[:1] * 2, layer="backbone.2")
    torch.testing.assert_close(ours.signed_map, want.signed_map)
    peers = []
    for one in (safe, net):
        with TorchCAM(one, target_layer="backbone.2") as peer:
            peers.append(peer(CLASSES[:1] * 2, one(x), normalized=False)[0].detach())
    right, misled = peers
    assert_close(right, ours.map, ours)
    assert float((misled - ours.map).abs().max()) > 0.1 * float(ours.map.max())


@pytest.mark.slow
def test_functional_relus_hide_the_rectified_map_from_module_hooks() -> None:
    """On DenseNet the output of `features` is not rectified, and alpha · map over it is another map."""
    net = Case("densenet121", "features").build()
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    rectified = grad_cam(net, x, [3], layer="features.norm5+relu")
    hooked = grad_cam(net, x, [3], layer="features")
    assert float(rectified.activations.min()) == 0
    assert float(hooked.activations.min()) < 0
    alpha = net.classifier.weight.detach()[3] / rectified.activations[0, 0].numel()
    torch.testing.assert_close(rectified.alpha[0], alpha, rtol=1e-6, atol=0)
    assert float((hooked.alpha[0] - alpha).abs().max()) > 0.5 * float(alpha.abs().max())
