"""Small networks for tests of recording and Grad-CAM, the definition restated slowly, the state of a network.

`slow_alpha` and `slow_maps` follow Selvaraju et al. 2019, eq. 1 and 2, letter by letter, in float64, on a
network whose split into backbone and head is known; `assert_right` holds `grad_cam` against them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from neuro_explain.gradcam import grad_cam

LAYER = "backbone.3"  # the last ReLU of `conv_backbone`
TABLE = [[0, 1, 4], [2, 2, 5]]  # three classes for each of two images


class Split(nn.Module):
    """A backbone that puts out maps and a head that turns them into scores."""

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.backbone(images))


def conv_backbone(units: int = 5, *, inplace: bool = False, norm: bool = False) -> nn.Sequential:
    """Its last ReLU is `3`, or `4` with `norm`, a batch normalisation behind the first convolution."""
    layers: list[nn.Module] = [nn.Conv2d(3, 4, 3), nn.ReLU(inplace), nn.Conv2d(4, units, 3), nn.ReLU(inplace)]
    if norm:
        layers.insert(1, nn.BatchNorm2d(4))
    return nn.Sequential(*layers)


def gap_net(units: int = 5, classes: int = 6, **options: bool) -> Split:
    """Convolutions, global average pooling, one linear layer; in eval mode."""
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(units, classes))
    return Split(conv_backbone(units, **options), head).eval()


def deep_head_net(units: int = 5, classes: int = 6) -> Split:
    """A head that is no linear function of the maps: convolution, max pooling, two linear layers."""
    head = nn.Sequential(
        nn.Conv2d(units, 7, 3, padding=1),
        nn.GELU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.LazyLinear(9),
        nn.Tanh(),
        nn.Dropout(0.5),
        nn.Linear(9, classes),
    )
    net = Split(conv_backbone(units), head).eval()
    net(images(1))  # gives the lazy layer its size
    return net


def images(count: int = 2, size: tuple[int, int] = (9, 11)) -> Tensor:
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(count))


def slow_alpha(net: Split, x: Tensor, classes: Sequence[int]) -> Tensor:
    """Eq. 1 per image, one after the other, float64: `[N, U]`."""
    wide = copy.deepcopy(net).double().eval()
    rows = []
    for image, c in zip(x.double(), classes, strict=True):
        maps = wide.backbone(image[None]).detach().requires_grad_()
        y = wide.head(maps)[0, c]
        (gradient,) = torch.autograd.grad(y, maps)
        cells = gradient.shape[2] * gradient.shape[3]
        rows.append(torch.stack([unit.sum() / cells for unit in gradient[0]]))
    return torch.stack(rows)


def slow_maps(net: Split, x: Tensor, alpha: Tensor) -> Tensor:
    """Eq. 2 before its ReLU, unit after unit, float64: `[N, h, w]`."""
    maps = copy.deepcopy(net).double().eval().backbone(x.double()).detach()
    total = torch.zeros(maps.shape[0], *maps.shape[2:], dtype=torch.float64)
    for image in range(maps.shape[0]):
        for unit in range(maps.shape[1]):
            total[image] += alpha[image, unit] * maps[image, unit]
    return total


def assert_right(net: nn.Module, reference: Split, *, layer: str = LAYER, table: Any = TABLE) -> None:
    """One target and several, against the slow definition on a network with equal weights."""
    x = images().to(next(net.parameters()).dtype)
    cam = grad_cam(net, x, table, layer=layer)
    for t in range(len(table[0])):
        classes = [row[t] for row in table]
        want = slow_alpha(reference, x, classes)
        scale = float(want.abs().max())
        torch.testing.assert_close(cam.alpha[:, t].double(), want, rtol=1e-4, atol=1e-6 * scale)
        single = grad_cam(net, x, classes, layer=layer)
        torch.testing.assert_close(single.alpha.double(), want, rtol=1e-4, atol=1e-6 * scale)
        torch.testing.assert_close(
            single.signed_map.double(), slow_maps(reference, x, want), rtol=1e-3, atol=1e-4 * scale
        )


def _bytes(tensor: Tensor) -> bytes:
    return bytes(tensor.detach().contiguous().view(-1).view(torch.uint8).tolist())


class State:
    """All that a network, its gradients and torch's modes are; `assert_same` compares with now."""

    def __init__(self, net: nn.Module) -> None:
        self.net = net
        self.before = self._look()

    def _look(self) -> dict[str, object]:
        seen: dict[str, object] = {
            "grad mode": torch.is_grad_enabled(),
            "inference mode": torch.is_inference_mode_enabled(),
            "random numbers": torch.get_rng_state().tolist(),
        }
        for name, module in self.net.named_modules():
            seen[f"{name}: training"] = module.training
            seen[f"{name}: attributes"] = sorted(module.__dict__)
            for key, value in module.__dict__.items():
                if key.endswith("_hooks"):
                    seen[f"{name}: {key}"] = list(value.values())
        for name, p in self.net.named_parameters():
            seen[f"{name}: requires_grad"] = p.requires_grad
            seen[f"{name}: grad"] = None if p.grad is None else (id(p.grad), _bytes(p.grad))
            seen[f"{name}: id"] = id(p)
        for name, tensor in self.net.state_dict().items():
            seen[f"{name}: value"] = (tensor.dtype, tensor.stride(), _bytes(tensor))
        return seen

    def assert_same(self) -> None:
        now = self._look()
        assert now.keys() == self.before.keys()
        for key, value in self.before.items():
            assert now[key] == value, key
