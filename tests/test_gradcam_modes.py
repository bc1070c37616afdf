"""Grad-CAM on networks as people have them: compiled, wrapped, frozen, of low precision, under no_grad …"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from small_nets import LAYER, TABLE, Split, State, assert_right, deep_head_net, gap_net, images, slow_alpha
from torch import Tensor, nn

from neuro_explain.gradcam import grad_cam

# Wrappers, modes, precisions.


@contextlib.contextmanager
def compiled_away() -> Iterator[None]:
    try:
        yield
    finally:
        torch._dynamo.reset()


@pytest.mark.parametrize("how", ["wrapper", "in place", "part", "parallel", "both", "warm"])
def test_compiled_and_parallel_networks(how: str) -> None:
    plain = gap_net()
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
        assert_right(net, reference)
        state.assert_same()
        torch.testing.assert_close(net(images()), reference(images()))  # it still runs


@pytest.mark.parametrize("frozen", ["all", "backbone", "head"])
def test_frozen_parameters(frozen: str) -> None:
    net = gap_net()
    (net if frozen == "all" else getattr(net, frozen)).requires_grad_(False)
    state = State(net)
    assert_right(net, copy.deepcopy(net))
    state.assert_same()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_under_modes(mode: Any) -> None:
    net, x = deep_head_net(), images()
    want = grad_cam(net, x, TABLE, layer=LAYER)
    with mode():
        state = State(net)
        cam = grad_cam(net, x, TABLE, layer=LAYER)
        inside = grad_cam(net, images(), TABLE, layer=LAYER)  # images made in that mode
        state.assert_same()
    assert torch.equal(cam.alpha, want.alpha)
    assert torch.equal(inside.signed_map, want.signed_map)


def test_images_of_inference_mode_used_outside_of_it() -> None:
    net = deep_head_net()
    with torch.inference_mode():
        x = images()
    assert x.is_inference()
    assert torch.equal(
        grad_cam(net, x, TABLE, layer=LAYER).alpha, grad_cam(net, images(), TABLE, layer=LAYER).alpha
    )


def test_weights_of_inference_mode_are_refused_and_a_copy_works() -> None:
    with torch.inference_mode():
        net = gap_net()
        with pytest.raises(
            ValueError, match=r"weight 'backbone\.0\.weight' was made under torch\.inference_mode"
        ):
            grad_cam(net, images(), [0, 1], layer=LAYER)
    with pytest.raises(ValueError, match="copy.deepcopy"):
        grad_cam(net, images(), [0, 1], layer=LAYER)
    assert_right(copy.deepcopy(net), copy.deepcopy(net))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_precisions(dtype: torch.dtype) -> None:
    net, x = gap_net().to(dtype), images().to(dtype)
    cam = grad_cam(net, x, TABLE, layer=LAYER)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    assert {cam.alpha.dtype, cam.signed_map.dtype, cam.scores.dtype, cam.activations.dtype} == {wide}
    want = slow_alpha(net, x, [row[0] for row in TABLE])
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(cam.alpha[:, 0].double(), want, rtol=4 * eps, atol=0)


def test_autocast() -> None:
    net = gap_net()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cam = grad_cam(net, images(), TABLE, layer=LAYER)
    want = grad_cam(net, images(), TABLE, layer=LAYER)
    assert cam.alpha.dtype == torch.float32
    torch.testing.assert_close(cam.alpha, want.alpha, rtol=2**-6, atol=0)


def test_channels_last() -> None:
    net = deep_head_net().to(memory_format=torch.channels_last)
    x = images().contiguous(memory_format=torch.channels_last)
    want = grad_cam(deep_head_net_like(net), images(), TABLE, layer=LAYER)
    cam = grad_cam(net, x, TABLE, layer=LAYER)
    torch.testing.assert_close(cam.alpha, want.alpha, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(cam.signed_map, want.signed_map, rtol=1e-4, atol=1e-6)


def deep_head_net_like(net: nn.Module) -> nn.Module:
    return copy.deepcopy(net).to(memory_format=torch.contiguous_format)


# Parts of a network that switch gradients off.


class Guarded(Split):
    """Runs its backbone, its head or both under a mode."""

    def __init__(
        self, plain: Split, backbone: Any = contextlib.nullcontext, head: Any = contextlib.nullcontext
    ):
        super().__init__(plain.backbone, plain.head)
        self.modes = (backbone, head)

    def forward(self, x: Tensor) -> Tensor:
        with self.modes[0]():
            maps = self.backbone(x)
        with self.modes[1]():
            return self.head(maps)


@pytest.mark.parametrize("layer", ["backbone.3", "backbone.2", "backbone.0", "backbone"])
@pytest.mark.parametrize("frozen", [True, False])
def test_a_backbone_under_its_own_no_grad(layer: str, frozen: bool) -> None:
    plain = gap_net().requires_grad_(not frozen)
    calls: list[int] = []

    def choose(output: Tensor) -> list[int]:
        calls.append(len(output))
        return [1, 2]

    cam = grad_cam(Guarded(plain, torch.no_grad), images(), choose, layer=layer)
    assert calls == [2]  # asked once, though it takes a second pass
    want = grad_cam(plain, images(), [1, 2], layer=layer)
    assert torch.equal(cam.alpha, want.alpha)
    assert not cam.signed_map.requires_grad


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("targets", [[0, 1], TABLE])
@pytest.mark.parametrize(
    "how", ["no_grad", "inference_mode", "detach", "backbone in inference_mode", "ignored"]
)
def test_no_way_from_the_layer_to_the_score(how: str, targets: Any, frozen: bool) -> None:
    class Detaches(Split):
        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.backbone(x).detach())

    class Ignores(Split):
        """Calls the layer for what it does in place."""

        def forward(self, x: Tensor) -> Tensor:
            maps = self.backbone[:3](x)
            self.backbone[3](maps)
            return self.head(maps)

    plain = gap_net(inplace=True)
    net = {
        "no_grad": Guarded(plain, head=torch.no_grad),
        "inference_mode": Guarded(plain, head=torch.inference_mode),
        "backbone in inference_mode": Guarded(plain, torch.inference_mode),
        "detach": Detaches(plain.backbone, plain.head),
        "ignored": Ignores(plain.backbone, plain.head),
    }[how].requires_grad_(not frozen)
    state = State(net)
    message = r"the score does not depend on the output of layer 'backbone\.3' through differentiable"
    with pytest.raises(ValueError, match=message):
        grad_cam(net, images(), targets, layer=LAYER)
    state.assert_same()


def test_a_layer_whose_output_nobody_uses() -> None:
    class Aside(Split):
        def forward(self, x: Tensor) -> Tensor:
            maps = self.backbone(x)
            self.aside(maps)
            return self.head(maps)

    net = Aside(*gap_net().children())
    net.aside = nn.Conv2d(5, 3, 1)
    with pytest.raises(ValueError, match="does not depend on the output of layer 'aside'"):
        grad_cam(net, images(), TABLE, layer="aside")
