"""Recording sees the right tensor, keeps it whole, and leaves nothing behind."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from small_nets import Split, State, conv_backbone, gap_net, images
from torch import Tensor, nn

from dissection.recording import (
    evaluating,
    get_layer,
    named_layers,
    plain_name,
    record,
    trace,
    unwrap,
)


class Calls(nn.Module):
    """A convolution, then whatever `after` does with its output."""

    def __init__(self, after: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.other = nn.Conv2d(4, 4, 1)
        self.act = nn.ReLU(inplace=True)
        self.fc = nn.Linear(4, 2)
        self.after = after

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.after(self, self.conv(x)).mean(dim=(2, 3)))


def test_output_is_what_the_layer_put_out() -> None:
    net, x = gap_net(), images()
    with record(net, "backbone.2") as seen:
        net(x)
    want = net.backbone[2](net.backbone[1](net.backbone[0](x)))
    assert torch.equal(seen.output, want)
    assert not seen.output.requires_grad
    assert seen.output.grad_fn is None


def test_an_in_place_operation_behind_the_layer_does_not_reach_the_record() -> None:
    net, x = gap_net(inplace=True), images()
    with record(net, "backbone.2") as seen:
        net(x)
    with torch.no_grad():
        want = F.conv2d(F.relu(net.backbone[0](x)), net.backbone[2].weight, net.backbone[2].bias)
    assert float(want.min()) < 0  # the ReLU would show
    assert torch.allclose(seen.output, want, rtol=1e-6, atol=0)


def test_an_in_place_relu_is_recorded_after_it_ran() -> None:
    net, x = gap_net(inplace=True), images()
    with record(net, "backbone.3") as seen:
        net(x)
    assert torch.equal(seen.output, net.backbone(x))


def test_recording_changes_nothing_downstream() -> None:
    net, x = gap_net(inplace=True), images()
    want = net(x)
    with record(net, "backbone.2"):
        assert torch.equal(net(x), want)
    with record(net, "backbone.2", leaf=True):
        assert torch.equal(net(x), want)


def test_memory_format_is_kept() -> None:
    net, x = gap_net().to(memory_format=torch.channels_last), images().to(memory_format=torch.channels_last)
    with record(net, "backbone.2") as seen:
        net(x)
    assert seen.output.is_contiguous(memory_format=torch.channels_last)


def test_leaf_cuts_the_graph_at_the_layer() -> None:
    net, x = gap_net(), images()
    with torch.no_grad(), record(net, "backbone.3", leaf=True) as seen:
        output = net(x)
    assert seen.output.is_leaf
    assert seen.output.requires_grad
    reached: set[int] = set()
    todo: list[Any] = [output.grad_fn]
    while todo:
        node = todo.pop()
        if hasattr(node, "variable"):
            reached.add(id(node.variable))
        todo += [edge for edge, _ in node.next_functions if edge is not None]
    head = {id(p) for p in net.head.parameters()}
    assert reached == head | {id(seen.output)}


def test_leaf_is_not_the_tensor_that_the_rest_writes_into() -> None:
    net, x = gap_net(inplace=True), images()
    with torch.no_grad(), record(net, "backbone.2", leaf=True) as seen:
        output = net(x)
    assert float(seen.output.detach().min()) < 0
    (gradient,) = torch.autograd.grad(output.sum(), seen.output)
    assert torch.equal(gradient != 0, (seen.output > 0) & (net.head[2].weight.sum(0) != 0)[:, None, None])


@pytest.mark.parametrize("leaf", [False, True])
def test_edit_replaces_what_the_rest_sees(leaf: bool) -> None:
    net, x = gap_net(), images()
    with torch.no_grad(), record(net, "backbone.3", leaf=leaf, edit=lambda maps: maps.mul_(2)) as seen:
        output = net(x)
    maps = net.backbone(x)
    assert torch.equal(seen.output, maps)  # the edit writes in place, and still the record is of before
    assert torch.allclose(output, net.head(2 * maps), rtol=1e-6)


def test_a_replacing_hook_of_the_caller_is_seen() -> None:
    net, x = gap_net(), images()
    handle = net.backbone[3].register_forward_hook(lambda *_: torch.ones(2, 5, 5, 7))
    with record(net, "backbone.3") as seen:
        net(x)
    handle.remove()
    assert torch.equal(seen.output, torch.ones(2, 5, 5, 7))


@pytest.mark.parametrize("mode", [True, False])
@pytest.mark.parametrize("layer", ["backbone.3", "backbone.2+relu"])
@pytest.mark.parametrize("leaf", [True, False])
def test_nothing_stays_behind(layer: str, leaf: bool, mode: bool) -> None:
    net, x = gap_net(), images()
    with torch.set_grad_enabled(mode):
        state = State(net)
        with record(net, layer, leaf=leaf):
            net(x)
        state.assert_same()
        with pytest.raises(KeyError, match="mine"), record(net, layer, leaf=leaf):
            net(x)
            raise KeyError("mine")
        state.assert_same()
        with pytest.raises(RuntimeError, match="expected input"), record(net, layer, leaf=leaf):
            net(x[:, :2])
        state.assert_same()


def test_an_exception_behind_the_layer_gives_the_grad_mode_back() -> None:
    net = Calls(lambda m, a: (_ for _ in ()).throw(RuntimeError("head")))
    with torch.no_grad():
        state = State(net)
        with pytest.raises(RuntimeError, match="head"), record(net, "conv", leaf=True):
            net(images())
        state.assert_same()
        assert not torch.is_grad_enabled()


# Names.


def test_unknown_layer_offers_near_names() -> None:
    with pytest.raises(ValueError, match=r"layer 'backbon\.3' is not in Split: did you mean .*backbone\.3"):
        get_layer(gap_net(), "backbon.3")


def test_unknown_layer_without_near_names_offers_the_parts() -> None:
    with pytest.raises(ValueError, match=r"'xyzzy' is not in Split: its parts are backbone, head"):
        get_layer(gap_net(), "xyzzy")


@pytest.mark.parametrize("layer", ["", "+relu", "backbone.", ".backbone", "backbone.3.", "module.backbone.3"])
def test_names_that_are_none(layer: str) -> None:
    with pytest.raises(ValueError, match="is not in Split"):
        get_layer(gap_net(), layer)


def test_names_do_not_show_wrappers() -> None:
    plain = gap_net()
    want = list(dict(plain.named_modules()))
    for net in (
        nn.DataParallel(plain),
        torch.compile(plain, backend="eager"),
        nn.DataParallel(torch.compile(plain, backend="eager")),
        torch.compile(nn.DataParallel(plain), backend="eager"),
    ):
        assert unwrap(net) is plain
        assert list(named_layers(net)) == want
        assert get_layer(net, "backbone.3") is plain.backbone[3]


def test_a_compiled_part_keeps_its_name() -> None:
    net = gap_net()
    inner = net.backbone
    net.backbone = torch.compile(inner, backend="eager")
    assert get_layer(net, "backbone.3") is inner[3]
    assert get_layer(net, "backbone") is inner


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("conv.weight", "conv.weight"),
        ("module.conv.weight", "conv.weight"),
        ("_orig_mod.conv.weight", "conv.weight"),
        ("module._orig_mod.module.conv.weight", "conv.weight"),
        ("stem._orig_mod.conv.weight", "stem.conv.weight"),
        ("stem.module.conv.weight", "stem.module.conv.weight"),  # a part that is called so
    ],
)
def test_plain_name(name: str, plain: str) -> None:
    assert plain_name(name) == plain


# Layers that cannot be recorded.


def test_a_layer_that_does_not_run() -> None:
    net = Calls(lambda m, a: a)
    with (
        pytest.raises(ValueError, match="layer 'other' did not run in this forward pass"),
        record(net, "other"),
    ):
        net(images())


def test_a_block_without_a_forward_pass() -> None:
    with pytest.raises(ValueError, match="did not run"), record(gap_net(), "backbone.3"):
        pass
    with pytest.raises(ValueError, match="did not run"), record(gap_net(), "backbone.3") as seen:
        _ = seen.output


def test_a_layer_that_runs_twice() -> None:
    net = Calls(lambda m, a: m.other(m.other(a)))
    with pytest.raises(ValueError, match="more than once.*name the block around it"), record(net, "other"):
        net(images())
    shared = Calls(lambda m, a: m.act(m.other(m.act(a))))
    with pytest.raises(ValueError, match="'act' runs more than once"), record(shared, "act"):
        shared(images())


def test_a_layer_that_puts_out_a_tuple() -> None:
    net = nn.Sequential(nn.Flatten(2), nn.LSTM(99, 5))
    with pytest.raises(ValueError, match="layer '1' puts out a tuple, not a tensor"), record(net, "1"):
        net(images())


def test_a_layer_of_whole_numbers_has_no_gradient() -> None:
    class Rounds(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.long()

    net = nn.Sequential(Rounds())
    with record(net, "0") as seen:
        net(images())
    assert seen.output.dtype == torch.int64
    with pytest.raises(ValueError, match="int64, which has no gradient"), record(net, "0", leaf=True):
        net(images())


# The suffix +relu.


@pytest.mark.parametrize(
    ("relu", "factor"),
    [
        (lambda m, a: F.relu(a), 1),
        (lambda m, a: F.relu(input=a), 1),
        (lambda m, a: F.relu(a, inplace=True), 1),
        (lambda m, a: F.relu_(a), 1),
        (lambda m, a: torch.relu(a), 1),
        (lambda m, a: torch.relu_(a), 1),
        (lambda m, a: a.relu(), 1),
        (lambda m, a: a.relu_(), 1),
        (lambda m, a: m.act(a), 1),
        (lambda m, a: F.relu(a).mul_(-3), -3),  # what follows may write into it
    ],
)
@pytest.mark.parametrize("leaf", [False, True])
def test_the_relu_that_follows(relu: Any, factor: int, leaf: bool) -> None:
    net, x = Calls(relu), images()
    with torch.no_grad(), record(net, "conv+relu", leaf=leaf) as seen:
        output = net(x)
    with torch.no_grad():
        assert torch.equal(seen.output, net.conv(x).clamp(min=0))
        assert torch.equal(output, net(x))
    if leaf:
        (gradient,) = torch.autograd.grad(output.sum(), seen.output)
        want = factor * net.fc.weight.detach().sum(0) / seen.output[0, 0].numel()
        assert torch.allclose(gradient, want[:, None, None], rtol=1e-6)


def test_relu6_that_follows() -> None:
    net, x = Calls(lambda m, a: F.relu6(100 * a)), images()
    with pytest.raises(ValueError, match="follows directly with a ReLU"), record(net, "conv+relu"):
        net(x)
    direct = Calls(lambda m, a: F.relu6(a))
    with record(direct, "conv+relu") as seen:
        direct(x)
    assert torch.equal(seen.output, direct.conv(x).clamp(0, 6))


def test_a_relu_of_something_else_is_not_taken() -> None:
    net = Calls(lambda m, a: a + F.relu(m.other(a)))
    with pytest.raises(ValueError, match="'conv\\+relu' did not run"), record(net, "conv+relu"):
        net(images())
    with record(net, "other+relu") as seen:
        net(images())
    assert torch.equal(seen.output, net.other(net.conv(images())).clamp(min=0))


def test_the_relu_mode_ends_with_the_block() -> None:
    net = Calls(lambda m, a: F.relu(a))
    with record(net, "conv+relu") as seen:
        net(images())
    kept = seen.output
    net(images(3))
    assert seen.output is kept


# Modes.


class Surprising(nn.Module):
    """Its `train` and `eval` do things that a flag cannot undo."""

    def __init__(self) -> None:
        super().__init__()
        self.merged = 0

    def train(self, mode: bool = True) -> Surprising:
        self.merged += 1
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        return x


def test_each_module_gets_its_own_mode_back() -> None:
    net = Split(conv_backbone(norm=True), nn.Sequential(Surprising(), nn.Dropout(), nn.Identity()))
    net.train()
    net.backbone[1].eval()  # as in fine-tuning with frozen statistics
    net.head[1].eval()
    state = State(net)
    with evaluating(net) as plain:
        assert plain is net
        assert not any(module.training for module in net.modules())
    state.assert_same()
    with pytest.raises(KeyError), evaluating(net):
        raise KeyError
    state.assert_same()


def test_wrappers_get_their_modes_back() -> None:
    net = gap_net().train()
    for wrapped in (nn.DataParallel(net), torch.compile(net, backend="eager")):
        net.head.eval()
        wrapped.training = True
        before = [module.training for module in wrapped.modules()]
        with evaluating(wrapped) as plain:
            assert plain is net
            assert not any(module.training for module in net.modules())
        assert [module.training for module in wrapped.modules()] == before


@pytest.mark.parametrize("how", ["wrapper", "in place", "part", "forward"])
def test_hooks_see_into_compiled_networks(how: str) -> None:
    net, x = gap_net(), images()
    want = net.backbone(x)
    run: nn.Module = net
    if how == "wrapper":
        run = torch.compile(net, backend="eager")
    elif how == "in place":
        net.compile(backend="eager")
    elif how == "part":
        net.backbone = torch.compile(net.backbone, backend="eager")
    else:
        net.forward = torch.compile(net.forward, backend="eager")  # type: ignore[method-assign]
    with torch.no_grad():
        run(x)  # compiles, before there is any hook
        with evaluating(run) as plain, record(plain, "backbone.3") as seen:
            plain(x)
    assert torch.allclose(seen.output, want)
    torch._dynamo.reset()


def test_the_compiler_stance_is_given_back() -> None:
    from torch._dynamo import eval_frame

    before = eval_frame._stance
    with pytest.raises(KeyError), evaluating(gap_net()):
        assert eval_frame._stance.stance == "force_eager"
        raise KeyError
    assert eval_frame._stance == before


# Tracing.


def test_trace_lists_calls_children_first_and_functional_relus() -> None:
    net = Calls(lambda m, a: m.act(F.relu(m.other(a))))
    net.train()
    state = State(net)
    seen = trace(net, images(1))
    state.assert_same()
    assert [call.name for call in seen.calls] == ["conv", "other", "act", "fc", ""]
    assert seen.output is seen.calls[-1].output
    ((before, after),) = seen.relus  # the module's own ReLU is not among them
    assert before is seen.calls[1].output
    assert torch.equal(after, before.clamp(min=0))
    assert all(not call.output.requires_grad for call in seen.calls)


def test_trace_leaves_nothing_behind_after_an_exception() -> None:
    net = gap_net().train()
    state = State(net)
    with pytest.raises(RuntimeError):
        trace(net, images()[:, :2])
    state.assert_same()


def test_trace_of_a_module_that_runs_twice() -> None:
    net = Calls(lambda m, a: m.other(m.other(a)))
    assert [call.name for call in trace(net, images(1)).calls] == ["conv", "other", "other", "fc", ""]
