"""Silent errors that are common in Grad-CAM code: each is a test that we pass.

In-place operations behind the layer, too few targets, models left changed, results that hold on to the graph,
blank maps, outputs after softmax.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from small_nets import LAYER, TABLE, Split, State, assert_right, conv_backbone, deep_head_net, gap_net, images
from torch import Tensor, nn

from neuro_explain.gradcam import grad_cam
from neuro_explain.targets import Target

# In-place operations.


@pytest.mark.parametrize(
    "after",
    [
        nn.ReLU(inplace=True),
        nn.SiLU(inplace=True),
        nn.Hardswish(inplace=True),
        nn.Dropout(inplace=True),
    ],
)
def test_an_in_place_layer_behind_the_target_layer(after: nn.Module) -> None:
    backbone = conv_backbone()[:3]
    head = nn.Sequential(after, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 6))
    reference = copy.deepcopy(head)
    if hasattr(reference[0], "inplace"):
        reference[0].inplace = False
    net = Split(backbone, head).eval()
    assert_right(net, Split(backbone, reference), layer="backbone.2")


def test_in_place_arithmetic_behind_the_target_layer() -> None:
    class Head(nn.Module):
        def __init__(self, inplace: bool) -> None:
            super().__init__()
            self.inplace = inplace
            self.fc = nn.Linear(5, 6)

        def forward(self, maps: Tensor) -> Tensor:
            if self.inplace:
                maps *= 3
                maps[:, 1] += maps[:, 0]
                maps.clamp_(max=1)
            else:
                maps = 3 * maps
                maps = torch.cat([maps[:, :1], maps[:, 1:2] + maps[:, :1], maps[:, 2:]], dim=1)
                maps = maps.clamp(max=1)
            return self.fc(maps.mean(dim=(2, 3)))

    plain = Head(inplace=False)
    inplace = Head(inplace=True)
    inplace.load_state_dict(plain.state_dict())
    backbone = conv_backbone()
    assert_right(Split(backbone, inplace), Split(backbone, plain))


def test_an_in_place_relu_as_the_target_layer() -> None:
    net = gap_net(inplace=True)
    reference = gap_net()
    reference.load_state_dict(net.state_dict())
    assert_right(net, reference)


def test_a_relu_function_as_the_target_layer() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = conv_backbone()[:3]
            self.fc = nn.Linear(5, 6)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(F.relu(self.conv(x), inplace=True).mean(dim=(2, 3)))

    net = Functional().eval()
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), net.fc)
    assert_right(net, Split(nn.Sequential(net.conv, nn.ReLU()), head), layer="conv+relu")


@pytest.mark.parametrize("frozen", [False, True])
def test_a_network_that_normalises_its_input_in_place(frozen: bool) -> None:
    class Normalises(Split):
        def forward(self, x: Tensor) -> Tensor:
            x -= 0.5
            with torch.no_grad() if frozen else contextlib.nullcontext():  # then it takes a second pass
                maps = self.backbone(x)
            return self.head(maps)

    plain, x = gap_net(), images()
    net = Normalises(plain.backbone, plain.head)
    given = x.clone()
    cam = grad_cam(net, x, [1, 2], layer=LAYER)
    want = grad_cam(plain, x - 0.5, [1, 2], layer=LAYER)
    torch.testing.assert_close(cam.signed_map, want.signed_map)
    torch.testing.assert_close(cam.scores, want.scores)
    assert torch.equal(x, given)


# The number of targets, and other things that cannot be explained.


@pytest.mark.parametrize("targets", [[0], [0, 1, 2], [], [[0, 1]], torch.tensor([3]), [Target.of_class(0)]])
def test_too_few_or_too_many_targets(targets: Any) -> None:
    net = gap_net()
    state = State(net)
    with pytest.raises(ValueError, match="expected one entry for each of the 2 images"):
        grad_cam(net, images(), targets, layer=LAYER)
    state.assert_same()


@pytest.mark.parametrize("x", [images()[0], images()[:0], images()[None], "photo.jpg", None])
def test_images_that_are_none(x: Any) -> None:
    with pytest.raises(ValueError, match=r"images: expected a tensor \[N, 3, H, W\]"):
        grad_cam(gap_net(), x, [0], layer=LAYER)


def test_layers_that_cannot_be_explained() -> None:
    net = gap_net()
    with pytest.raises(
        ValueError, match=r"'head\.1' puts out \[2, 5\] for 2 images, expected maps \[N, U, h, w\]"
    ):
        grad_cam(net, images(), [0, 1], layer="head.1")
    with pytest.raises(ValueError, match=r"'backbone\.4' is not in Split: did you mean"):
        grad_cam(net, images(), [0, 1], layer="backbone.4")
    net.unused = nn.Conv2d(3, 3, 1)
    with pytest.raises(ValueError, match="'unused' did not run"):
        grad_cam(net, images(), [0, 1], layer="unused")
    twice = Split(conv_backbone(), nn.Sequential(nn.Conv2d(5, 5, 1), *gap_net().head))
    twice.head[1] = nn.Sequential(twice.head[0], nn.AdaptiveAvgPool2d(1))
    with pytest.raises(ValueError, match=r"'head\.0' runs more than once"):
        grad_cam(twice, images(), [0, 1], layer="head.0")


@pytest.mark.parametrize(
    ("wrap", "message"),
    [
        (lambda y: (y, y), "the network returns a tuple for 2 images"),
        (lambda y: {"logits": y}, "the network returns a dict for 2 images"),
        (lambda y: y[:1], r"the network returns \[1, 6\] for 2 images"),
        (lambda y: y.sum(), r"the network returns \[\] for 2 images"),
        (lambda y: y[:, :, None], r"output is \[2, 6, 1\], expected scores \[N, C\]"),
    ],
)
def test_outputs_that_are_no_scores(wrap: Callable[[Tensor], Any], message: str) -> None:
    class Wrapped(Split):
        def forward(self, x: Tensor) -> Any:
            return wrap(super().forward(x))

    net = Wrapped(*gap_net().children())
    with pytest.raises(ValueError, match=message):
        grad_cam(net, images(), [0, 1], layer=LAYER)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("targets", [[0, 1], TABLE])
def test_scores_that_are_not_finite(value: float, targets: Any) -> None:
    net = gap_net()
    with torch.no_grad():
        net.head[2].bias[0] = value
    state = State(net)
    with pytest.raises(ValueError, match="score is NaN or infinite"):
        grad_cam(net, images(), targets, layer=LAYER)
    state.assert_same()
    finite = grad_cam(net, images(), [1, 1], layer=LAYER)  # the other classes can be explained
    assert bool(finite.alpha.isfinite().all())


def test_gradients_that_are_not_finite() -> None:
    class Root(nn.Module):
        def forward(self, maps: Tensor) -> Tensor:
            return (0 * maps.sum(dim=(2, 3))).sqrt()  # 0, with an infinite slope

    with pytest.raises(ValueError, match=r"the gradient at layer 'backbone\.3' is NaN or infinite"):
        grad_cam(Split(conv_backbone(), Root()), images(), [0, 1], layer=LAYER)


# The model comes back as it was.


def failing(kind: str) -> Callable[[nn.Module], None]:
    class Broken(nn.Module):
        def forward(self, maps: Tensor) -> Tensor:
            raise RuntimeError("broken head")

    class BrokenBackward(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            raise RuntimeError("broken backward")

    class Layer(nn.Module):
        def forward(self, maps: Tensor) -> Tensor:
            return BrokenBackward.apply(maps)

    def run(net: nn.Module) -> None:
        if kind == "works":
            grad_cam(net, images(), TABLE, layer="backbone.4")
            return
        layer, targets = "backbone.4", [[0, 1], [2, 3]]
        inserted: nn.Module | None = None
        if kind == "forward":
            inserted = Broken()
        elif kind == "backward":
            inserted = Layer()
        elif kind == "class":
            targets = [[0, 1], [2, 600]]
        elif kind == "layer":
            layer = "head.1"
        if inserted is not None:
            net.head[0].add_module("inserted", inserted)
        with pytest.raises((RuntimeError, ValueError)):
            grad_cam(net, images(), targets, layer=layer)
        if inserted is not None:
            del net.head[0].inserted

    return run


class Pool(nn.Sequential):
    """Holds what a test inserts."""

    def forward(self, maps: Tensor) -> Tensor:
        return super().forward(maps).mean(dim=(2, 3))


@pytest.mark.parametrize("kind", ["works", "forward", "backward", "class", "layer"])
@pytest.mark.parametrize("grad", [True, False])
def test_the_model_comes_back_exactly_as_it_was(kind: str, grad: bool) -> None:
    net = Split(
        conv_backbone(norm=True), nn.Sequential(Pool(), nn.Dropout(), nn.BatchNorm1d(5), nn.Linear(5, 6))
    )
    net.train()
    net.backbone[1].eval()
    net.head[1].eval()
    net.backbone[0].weight.requires_grad_(False)
    net.backbone[3].weight.grad = torch.full_like(net.backbone[3].weight, 7.0)
    kept = net.backbone[3].weight.grad
    handles = [
        net.head[3].register_forward_hook(lambda *_: None),
        net.backbone[0].register_forward_pre_hook(lambda *_: None),
    ]
    with torch.set_grad_enabled(grad):
        state = State(net)
        failing(kind)(net)
        state.assert_same()
    assert net.backbone[3].weight.grad is kept
    assert len(handles) == 2


def test_the_caller_can_go_on_training() -> None:
    net, x = gap_net(), images()
    net.train()
    twin = copy.deepcopy(net)
    for one in (net, twin):
        loss = F.cross_entropy(one(x), torch.tensor([1, 2]))
        if one is net:
            grad_cam(net, x, [0, 0], layer=LAYER)  # between forward and backward
        loss.backward()
    for p, q in zip(net.parameters(), twin.parameters(), strict=True):
        assert torch.equal(p.grad, q.grad)


def test_an_input_that_requires_gradients_gets_none() -> None:
    x = images().requires_grad_()
    cam = grad_cam(gap_net(), x, [0, 1], layer=LAYER)
    assert x.grad is None
    assert not cam.alpha.requires_grad


def test_it_runs_in_eval_mode_whatever_the_mode() -> None:
    net = deep_head_net()
    want = grad_cam(net, images(), [0, 1], layer=LAYER)
    net.train()
    got = grad_cam(net, images(), [0, 1], layer=LAYER)
    assert torch.equal(got.alpha, want.alpha)


# Results hold nothing.


def test_results_carry_no_graph() -> None:
    cam = grad_cam(deep_head_net(), images(), TABLE, layer=LAYER)
    for tensor in (cam.alpha, cam.signed_map, cam.map, cam.scores, cam.activations, cam.output):
        assert not tensor.requires_grad
        assert tensor.grad_fn is None
        assert tensor.is_leaf


@pytest.mark.parametrize("targets", [[0, 1], TABLE])
@pytest.mark.parametrize("guarded", [False, True])
def test_nothing_of_a_call_stays_alive(targets: Any, guarded: bool) -> None:
    """Without the cycle collector: a graph that waits for it holds its memory until then."""

    class Watched(Split):
        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad() if guarded else contextlib.nullcontext():
                maps = self.backbone(x)
            output = self.head(maps)
            for tensor in (x, maps, output):
                seen.append(weakref.ref(tensor))
            return output

    seen: list[weakref.ref[Tensor]] = []
    net = Watched(*deep_head_net().children())
    gc.collect()
    gc.disable()
    try:
        cam = grad_cam(net, images(), targets, layer=LAYER)
        assert len(seen) == (6 if guarded else 3)
        assert [ref() for ref in seen] == [None] * len(seen)
        assert not cam.alpha.requires_grad
    finally:
        gc.enable()


def test_fifty_calls_take_no_more_memory_than_one() -> None:
    net, x = deep_head_net(), images()

    def alive() -> int:
        return sum(type(thing) in (Tensor, nn.Parameter) for thing in gc.get_objects())

    grad_cam(net, x, TABLE, layer=LAYER)
    gc.collect()
    before = alive()
    gc.disable()
    try:
        for _ in range(50):
            grad_cam(net, x, TABLE, layer=LAYER)
        assert alive() == before
    finally:
        gc.enable()


def test_the_backbone_keeps_nothing_for_a_backward_pass() -> None:
    saved: list[torch.Size] = []
    net, x = gap_net(), images()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.shape) or t, lambda t: t):
        grad_cam(net, x, [0, 1], layer=LAYER)
    inside = {p.shape for p in net.backbone.parameters()} | {x.shape, net.backbone[:2](x).shape}
    assert saved
    assert not inside & set(saved)


# Blank maps and outputs after softmax.


def test_a_blank_map_is_zero_and_the_signed_one_is_kept() -> None:
    net = gap_net()
    with torch.no_grad():
        net.head[2].weight.copy_(-net.head[2].weight.abs())
    cam = grad_cam(net, images(), TABLE, layer=LAYER)
    assert torch.equal(cam.map, torch.zeros_like(cam.map))
    assert float(cam.signed_map.min()) < 0


def test_units_that_are_silent_everywhere() -> None:
    net = gap_net()
    with torch.no_grad():
        net.backbone[2].bias.fill_(-1e6)
    cam = grad_cam(net, images(), TABLE, layer=LAYER)
    assert torch.equal(cam.signed_map, torch.zeros_like(cam.signed_map))
    assert bool((cam.alpha != 0).all())  # alpha does not say whether a unit fires


@pytest.mark.parametrize("last", [nn.Softmax(dim=1), nn.LogSoftmax(dim=1)])
def test_an_output_after_softmax_warns_at_the_callers_line(last: nn.Module) -> None:
    net = gap_net()
    net.head.append(last)
    state = State(net)
    with pytest.warns(UserWarning, match="explains scores before softmax") as caught:
        grad_cam(net, images(), [0, 1], layer=LAYER)
    assert [w.filename for w in caught] == [__file__]
    state.assert_same()
