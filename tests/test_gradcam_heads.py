"""Several targets in one batched backward pass, and one after the other where a head does not allow that."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from small_nets import LAYER, TABLE, Split, State, assert_right, conv_backbone, gap_net, images
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from neuro_explain.gradcam import grad_cam


class Square(torch.autograd.Function):
    """x², with a backward pass in plain tensor operations."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return 2 * ctx.saved_tensors[0] * gradient


class SquareNumpy(Square):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return torch.from_numpy(2 * ctx.saved_tensors[0].numpy() * gradient.numpy())


class SquareDecides(Square):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        if float(gradient.abs().max()) == 0:
            return torch.zeros_like(gradient)
        return 2 * ctx.saved_tensors[0] * gradient


class SquareWrites(Square):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        out = torch.zeros_like(ctx.saved_tensors[0])
        out += 2 * ctx.saved_tensors[0] * gradient
        return out


class SquareRaisesItsOwn(Square):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        if torch._C._functorch.is_batchedtensor(gradient):
            raise TypeError("plain tensors only")
        return Square.backward(ctx, gradient)


class Head(nn.Module):
    """`work` on the maps, then the mean and a linear layer."""

    def __init__(self, work: Callable[..., Tensor], *parts: nn.Module) -> None:
        super().__init__()
        self.work = work
        self.parts = nn.ModuleList(parts)
        self.fc = nn.Linear(5, 6)

    def forward(self, maps: Tensor) -> Tensor:
        out = self.work(maps, *self.parts)
        return self.fc(out.mean(dim=(2, 3)) if out.dim() == 4 else out)


def per_image(maps: Tensor) -> Tensor:
    """Each image takes the path that its own values choose."""
    return torch.stack([m.exp() if float(m.detach().sum()) > 1 else 3 * m for m in maps])


HEADS: dict[str, Callable[[], Head]] = {
    "function": lambda: Head(Square.apply),
    "function with NumPy": lambda: Head(SquareNumpy.apply),
    "function that decides": lambda: Head(SquareDecides.apply),
    "function that writes": lambda: Head(SquareWrites.apply),
    "function that refuses": lambda: Head(SquareRaisesItsOwn.apply),
    "data-dependent": lambda: Head(per_image),
    "max pooling": lambda: Head(lambda m: F.max_pool2d(m, 3, 2)),
    "pooling with indices": lambda: Head(
        lambda m: F.max_unpool2d(*F.max_pool2d(m[:, :, :4, :4], 2, return_indices=True), 2)
    ),
    "in place": lambda: Head(lambda m: (m * 1).mul_(2).sub_(0.1).relu_()),
    "dropout": lambda: Head(lambda m, d: d(m) * m, nn.Dropout(0.5)),
    "sparse": lambda: Head(
        lambda m, d: (torch.eye(5, dtype=m.dtype).to_sparse() @ m.mean(dim=(2, 3)).T).T, nn.Identity()
    ),
    "norms": lambda: Head(lambda m, a, b: b(a(m)), nn.GroupNorm(5, 5), nn.BatchNorm2d(5)),
    "recurrent": lambda: Head(
        lambda m, r: r(m.flatten(2).transpose(1, 2))[0][:, -1], nn.LSTM(5, 5, batch_first=True)
    ),
    "attention": lambda: Head(
        lambda m: F.scaled_dot_product_attention(*[m.flatten(2).transpose(1, 2)] * 3).mean(dim=1)
    ),
    "sorting": lambda: Head(lambda m: m.flatten(2).topk(3).values.sum(dim=2)),
    "sampling": lambda: Head(lambda m: F.interpolate(m, scale_factor=1.5, mode="bicubic")),
    "checkpoint": lambda: Head(
        lambda m, c: checkpoint(c, m, use_reentrant=False), nn.Sequential(nn.Conv2d(5, 5, 1), nn.Tanh())
    ),
    "singular values": lambda: Head(lambda m: torch.linalg.svdvals(m.flatten(2))),
}


@pytest.mark.parametrize("name", HEADS)
def test_heads_of_all_kinds(name: str) -> None:
    net = Split(conv_backbone(), HEADS[name]()).double().eval()
    assert_right(net, net)  # warnings are errors here: none leaks


def test_a_checkpointed_block_that_holds_the_layer() -> None:
    class Saving(Split):
        def forward(self, x: Tensor) -> Tensor:
            return self.head(checkpoint(self.backbone, x, use_reentrant=False))

    plain = gap_net()
    for layer in ("backbone.1", "backbone.3"):
        cut = int(layer[-1]) + 1
        reference = Split(plain.backbone[:cut], nn.Sequential(*plain.backbone[cut:], plain.head))
        assert_right(Saving(plain.backbone, plain.head), reference, layer=layer)


def test_what_is_wrong_with_the_network_is_not_swallowed() -> None:
    class Fails(Square):
        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            raise RuntimeError("no such gradient")

    net = Split(conv_backbone(), Head(Fails.apply)).eval()
    for targets in ([0, 1], TABLE):
        state = State(net)
        message = r"network behind layer 'backbone\.3' cannot be differentiated: no such gradient"
        with pytest.raises(ValueError, match=message) as caught:
            grad_cam(net, images(), targets, layer=LAYER)
        assert isinstance(caught.value.__cause__, RuntimeError)
        state.assert_same()


@pytest.mark.parametrize(
    ("work", "why"),
    [
        (lambda m: m.exp().mul_(2), "modified by an inplace operation"),
        (lambda m, c: checkpoint(c, m, use_reentrant=True), "use_reentrant=False"),
    ],
)
def test_networks_that_can_only_run_forward(work: Any, why: str) -> None:
    parts = [nn.Conv2d(5, 5, 1)] if "use_reentrant" in why else []
    net = Split(conv_backbone(), Head(work, *parts)).eval()
    state = State(net)
    with pytest.raises(ValueError, match=f"'backbone\\.3' cannot be differentiated: .*{why}"):
        grad_cam(net, images(), TABLE, layer=LAYER)
    state.assert_same()


def test_hooks_of_the_caller_see_the_pass_and_stay() -> None:
    net = gap_net()
    seen: list[torch.Size] = []
    net.head[2].register_full_backward_hook(lambda module, into, out: seen.append(out[0].shape))
    state = State(net)
    with warnings.catch_warnings():
        # torch says so when a hooked module's input needs no gradient
        warnings.filterwarnings("ignore", message="Full backward hook is firing")
        assert_right(net, net)
    state.assert_same()
    assert seen
