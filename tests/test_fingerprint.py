"""The fingerprint follows the weights that matter, and nothing else."""

from __future__ import annotations

import copy
import hashlib
from collections import OrderedDict
from typing import Any

import pytest
import torch
from small_nets import State, gap_net
from torch import nn

from dissection.fingerprint import weights_fingerprint


@pytest.fixture
def net() -> nn.Module:
    net = gap_net(norm=True)
    with torch.no_grad():
        net.backbone[1].running_mean.uniform_()
    return net


def test_it_is_the_hash_of_names_shapes_and_float32_values() -> None:
    net = nn.Sequential(nn.Linear(2, 1))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, -2.0]]))
        net[0].bias.copy_(torch.tensor([0.5]))
    one, minus_two, half = b"\x00\x00\x80\x3f", b"\x00\x00\x00\xc0", b"\x00\x00\x00\x3f"  # little endian
    data = b"0.bias [1]\n" + half + b"0.weight [1, 2]\n" + one + minus_two
    assert weights_fingerprint(net) == f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.mark.parametrize(
    "same",
    [
        copy.deepcopy,
        nn.DataParallel,
        lambda net: torch.compile(net, backend="eager"),
        lambda net: torch.compile(nn.DataParallel(net), backend="eager"),
        lambda net: nn.DataParallel(torch.compile(net, backend="eager")),
        lambda net: net.double(),
        lambda net: net.to(memory_format=torch.channels_last),
        lambda net: net.train(),
        lambda net: net.requires_grad_(False),
    ],
)
def test_same_weights_same_fingerprint(net: nn.Module, same: Any) -> None:
    want = weights_fingerprint(net)
    assert weights_fingerprint(same(net)) == want


def test_a_compiled_part_changes_nothing(net: nn.Module) -> None:
    want = weights_fingerprint(net)
    net.backbone = torch.compile(net.backbone, backend="eager")
    assert weights_fingerprint(net) == want


def test_the_order_of_the_parts_does_not_matter() -> None:
    a, b = nn.Linear(2, 3), nn.Linear(3, 2)
    one, two = (nn.Sequential(OrderedDict(parts)) for parts in ([("a", a), ("b", b)], [("b", b), ("a", a)]))
    assert list(one.state_dict()) != list(two.state_dict())
    assert weights_fingerprint(one) == weights_fingerprint(two)


def test_counters_do_not_matter(net: nn.Module) -> None:
    want = weights_fingerprint(net)
    net.backbone[1].num_batches_tracked += 5
    assert weights_fingerprint(net) == want


def _next_float(tensor: torch.Tensor) -> None:
    tensor.view(-1)[0] = torch.nextafter(tensor.view(-1)[0], torch.tensor(torch.inf))


@pytest.mark.parametrize(
    "change",
    [
        lambda net: _next_float(net.backbone[0].weight),
        lambda net: _next_float(net.head[2].bias),
        lambda net: _next_float(net.backbone[1].running_mean),
        lambda net: _next_float(net.backbone[1].running_var),
        lambda net: net.head[2].weight.copy_(net.head[2].weight.flip(0)),
        lambda net: net.bfloat16(),
        lambda net: net.register_buffer("scale", torch.tensor(2.0)),
        lambda net: net.head.append(nn.Linear(6, 6)),
    ],
)
def test_other_weights_other_fingerprint(net: nn.Module, change: Any) -> None:
    before = weights_fingerprint(net)
    with torch.no_grad():
        change(net)
    assert weights_fingerprint(net) != before


def test_equal_numbers_in_another_shape_or_place_differ() -> None:
    one, two = nn.Linear(2, 3, bias=False), nn.Linear(3, 2, bias=False)
    with torch.no_grad():
        two.weight.copy_(one.weight.view(2, 3))
    assert weights_fingerprint(one) != weights_fingerprint(two)
    assert weights_fingerprint(nn.Sequential(one)) != weights_fingerprint(nn.Sequential(nn.ReLU(), one))


def test_names_that_are_equal_without_prefix_both_count() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(2))
            self.module = nn.Linear(1, 2, bias=False)

    net = Named()
    seen = {weights_fingerprint(net)}
    for weight in (net.weight, net.module.weight):
        with torch.no_grad():
            weight.add_(1)
        seen.add(weights_fingerprint(net))
    assert len(seen) == 3


def test_scalars_and_empty_buffers() -> None:
    net = nn.Module()
    net.register_buffer("scale", torch.tensor(2.0))
    net.register_buffer("none", torch.zeros(0, 3))
    before = weights_fingerprint(net)
    net.scale += 1
    assert weights_fingerprint(net) != before
    assert weights_fingerprint(nn.ReLU()) == f"sha256:{hashlib.sha256().hexdigest()}"


def test_looking_changes_nothing(net: nn.Module) -> None:
    net.train()
    state = State(net)
    with torch.inference_mode():
        inside = weights_fingerprint(net)
    assert inside == weights_fingerprint(net)
    state.assert_same()
