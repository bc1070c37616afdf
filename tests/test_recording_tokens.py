"""A layer's last H·W tokens are recorded, differentiated, edited and dissected as the map that they are."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from probes import Given, MemorySet, arrays_of, giving, labelled_everywhere
from small_nets import State, gap_net, images
from torch import Tensor, nn
from torchvision.models import VisionTransformer

from dissection.concepts import Concept
from dissection.dissect import dissect
from dissection.recording import get_layer, record, split_layer, trace, trace_part
from neuro_explain.ablation import ablated_outputs
from neuro_explain.gradcam import grad_cam
from neuro_explain.layer import find_layer

LAST_NORM = "encoder.layers.encoder_layer_1.ln_1"


class Pair(NamedTuple):
    """A named tuple, as some blocks return."""

    tokens: Tensor
    note: str


class Tokens(nn.Module):
    """Two class tokens, then the pixels of the image as tokens; the scores mix all of them, out of proportion."""

    def __init__(self, wrap: Any = lambda tokens: tokens, channels: int = 3) -> None:
        super().__init__()
        self.classes = nn.Parameter(torch.randn(1, 2, channels))
        self.block = nn.Identity()
        self.wrapped = nn.Identity()
        self.head = nn.Linear(channels, 4)
        self.wrap = wrap
        self.got: Any = None

    def forward(self, x: Tensor) -> Tensor:
        tokens = torch.cat([self.classes.expand(len(x), -1, -1), x.flatten(2).transpose(1, 2)], dim=1)
        got = self.wrapped(self.wrap(self.block(tokens)))
        self.got = got
        tokens = got[0] if isinstance(got, tuple) else got
        weights = torch.arange(1.0, tokens.shape[1] + 1, dtype=tokens.dtype).sin()
        return self.head((tokens * tokens * weights[:, None]).sum(dim=1))


def vit() -> VisionTransformer:
    net = VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=5
    )
    nn.init.normal_(net.heads.head.weight)  # torchvision starts it at zero
    return net.eval()


@given(
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(0, 3),
    st.booleans(),
)
def test_the_last_tokens_are_the_map_row_by_row(
    count: int, width: int, h: int, w: int, before: int, leaf: bool
) -> None:
    layer = nn.Sequential(nn.Identity())
    tokens = torch.arange(float(count * (before + h * w) * width)).reshape(count, before + h * w, width)
    with record(layer, f"0+{h}x{w}", leaf=leaf) as seen:
        passed_on = layer(tokens)
    assert seen.output.shape == (count, width, h, w)
    for n in range(count):
        for unit in range(width):
            for i in range(h):
                for j in range(w):
                    assert seen.output[n, unit, i, j] == tokens[n, before + i * w + j, unit]
    assert torch.equal(passed_on, tokens)


@pytest.mark.parametrize(
    ("layer", "parts"),
    [
        ("a.b", ("a.b", False, None)),
        ("a.b+relu", ("a.b", True, None)),
        ("a.10+14x7", ("a.10", False, (14, 7))),
        ("a+relu+2x3", ("a", True, (2, 3))),
        ("a+0x3", ("a+0x3", False, None)),
        ("a+2x3+relu", ("a+2x3", True, None)),
        ("a+2×3", ("a+2×3", False, None)),
        ("a2x3", ("a2x3", False, None)),
        ("a+2x3\n", ("a+2x3\n", False, None)),
    ],
)
def test_a_name_in_its_parts(layer: str, parts: Any) -> None:
    assert split_layer(layer) == parts


def test_the_suffix_does_not_count_for_the_module() -> None:
    net = vit()
    assert get_layer(net, f"{LAST_NORM}+4x4") is net.encoder.layers[1].ln_1
    with pytest.raises(ValueError, match=r"did you mean .*encoder\.layers\.encoder_layer_1\.ln_1"):
        get_layer(net, "encoder.layers.encoder_layer_1.ln_3+4x4")


@pytest.mark.parametrize("leaf", [False, True])
@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: (t, "note"), lambda t: Pair(t, "note")])
def test_recording_changes_nothing_downstream(wrap: Any, leaf: bool) -> None:
    net, x = Tokens(wrap), images(size=(2, 3))
    want = net(x)
    whole = net.got
    with record(net, "wrapped+2x3", leaf=leaf) as seen:
        assert torch.equal(net(x), want)
    assert torch.equal(seen.output, x)  # two class tokens went before, and are not in it
    assert type(net.got) is type(whole)
    if isinstance(whole, tuple):
        assert net.got[1:] == whole[1:]


@pytest.mark.parametrize("layer", ["block+2x3", "wrapped+2x3"])
def test_the_gradient_is_autograds_on_the_tokens(layer: str) -> None:
    net, x = Tokens(lambda t: (t, None)).double(), images(size=(2, 3)).double()
    with torch.no_grad(), record(net, layer, leaf=True) as seen:
        scores = net(x)
    (gradient,) = torch.autograd.grad(scores[:, 1].sum(), seen.output)

    tokens = torch.cat([net.classes.expand(2, -1, -1), x.flatten(2).transpose(1, 2)], dim=1)
    tokens = tokens.detach().requires_grad_()
    weights = torch.arange(1.0, 9.0, dtype=torch.float64).sin()
    (want,) = torch.autograd.grad(net.head((tokens**2 * weights[:, None]).sum(1))[:, 1].sum(), tokens)
    for n in range(2):
        for cell in range(6):
            assert torch.allclose(gradient[n, :, cell // 3, cell % 3], want[n, 2 + cell], rtol=1e-12)
    assert seen.output.is_leaf


def test_the_graph_ends_at_the_map_and_at_the_other_tokens() -> None:
    net, x = Tokens(), images(size=(2, 3))
    with record(net, "block+2x3", leaf=True) as seen:  # gradients are on before the layer too
        scores = net(x)
    got = torch.autograd.grad(scores.sum(), [seen.output, net.classes, net.head.weight], allow_unused=True)
    assert got[0] is not None and got[2] is not None
    assert got[1] is None


def test_one_image_becomes_several_copies_with_the_same_class_tokens() -> None:
    net, x = Tokens(lambda t: (t, "note")), images(1, (2, 3))
    sets = [[0], [1, 2], []]
    got = ablated_outputs(net, x, "wrapped+2x3", sets)
    for row, units in zip(got, sets, strict=True):
        changed = x.clone()
        changed[:, units] = 0  # the tokens are the pixels
        assert torch.allclose(row, net(changed)[0], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(got[0], got[2])


def test_an_edit_in_place_does_not_reach_the_record_or_the_other_tokens() -> None:
    net, x = Tokens(), images(size=(2, 3))
    with torch.no_grad(), record(net, "block+2x3", edit=lambda maps: maps.zero_()) as seen:
        net(x)
    assert torch.equal(seen.output, x)
    assert torch.equal(net.got[:, 2:], torch.zeros(2, 6, 3))
    assert torch.equal(net.got[:, :2], net.classes.expand(2, -1, -1))


@pytest.mark.parametrize(
    ("put_out", "got"),
    [
        (lambda t: t[:, :5], r"\[2, 5, 3\]"),
        (lambda t: t[:, :, None], r"\[2, 8, 1, 3\]"),
        (lambda t: t[:, 0], r"\[2, 3\]"),
        (lambda t: {"tokens": t}, "a dict"),
        (lambda t: (), "a tuple"),
        (lambda t: ("note", t), "a str"),
    ],
)
def test_outputs_without_the_tokens_are_refused(put_out: Any, got: str) -> None:
    net = Tokens(put_out)
    message = rf"layer 'wrapped\+2x3' puts out {got}, expected tokens \[N, T, D\] with T at least 2·3 = 6"
    with pytest.raises(ValueError, match=message), record(net, "wrapped+2x3"):
        net(images(size=(2, 3)))


def test_a_tuple_without_the_suffix_is_refused_as_before() -> None:
    net = Tokens(lambda t: (t, "note"))
    with pytest.raises(ValueError, match="puts out a tuple, not a tensor"), record(net, "wrapped"):
        net(images(size=(2, 3)))


def test_the_functional_relu_behind_a_layer_can_be_a_grid() -> None:
    net, x = Tokens(torch.relu), images(size=(2, 3))
    with record(net, "block+relu+2x3", leaf=True) as seen:
        scores = net(x)
    assert torch.equal(seen.output.detach(), x.clamp(min=0))
    (gradient,) = torch.autograd.grad(scores.sum(), seen.output)
    assert torch.equal(gradient != 0, x > 0)


@pytest.mark.parametrize("leaf", [True, False])
def test_nothing_stays_behind(leaf: bool) -> None:
    net, x = vit(), images(size=(32, 32))
    with torch.no_grad():
        state = State(net)
        with record(net, f"{LAST_NORM}+4x4", leaf=leaf):
            net(x)
        state.assert_same()
        with pytest.raises(ValueError, match="at least 5·5 = 25"), record(net, f"{LAST_NORM}+5x5", leaf=leaf):
            net(x)
        state.assert_same()


def test_grad_cam_of_a_vision_transformer_restated() -> None:
    net, x = vit(), images(size=(32, 32))
    state = State(net)
    table = [[0, 3], [4, 1]]
    cam = grad_cam(net, x, table, layer=f"{LAST_NORM}+4x4")
    state.assert_same()

    wide = copy.deepcopy(net).double()
    first, last = wide.encoder.layers
    tokens = torch.cat([wide.class_token.expand(2, -1, -1), wide._process_input(x.double())], dim=1)
    hidden = first(tokens + wide.encoder.pos_embedding)
    normed = last.ln_1(hidden).detach().requires_grad_()
    attended, _ = last.self_attention(normed, normed, normed, need_weights=False)
    middle = attended + hidden
    scores = wide.heads(wide.encoder.ln(middle + last.mlp(last.ln_2(middle)))[:, 0])
    torch.testing.assert_close(cam.output.double(), scores.detach(), rtol=1e-4, atol=1e-5)
    for n in range(2):
        for t in range(2):
            (gradient,) = torch.autograd.grad(scores[n, table[n][t]], normed, retain_graph=True)
            alpha = gradient[n, 1:].sum(dim=0) / 16
            assert float(alpha.abs().max()) > 0
            want = torch.tensor(
                [[float(alpha @ normed.detach()[n, 1 + 4 * i + j]) for j in range(4)] for i in range(4)]
            )
            # float32 against float64 through two blocks
            torch.testing.assert_close(cam.alpha[n, t].double(), alpha, rtol=1e-3, atol=1e-6)
            torch.testing.assert_close(cam.signed_map[n, t], want, rtol=1e-3, atol=1e-5)


def test_captum_agrees_on_a_vision_transformer() -> None:
    captum = pytest.importorskip("captum.attr", reason="captum is a development dependency")
    net, x = vit(), images(size=(32, 32))
    cam = grad_cam(net, x, [2, 4], layer=f"{LAST_NORM}+4x4")
    peer = captum.LayerActivation(net, net.encoder.layers[1].ln_1).attribute(x)
    product = captum.LayerGradientXActivation(net, net.encoder.layers[1].ln_1).attribute(x, target=[2, 4])
    activations = peer[:, 1:].transpose(1, 2).reshape(2, 16, 4, 4)
    torch.testing.assert_close(cam.activations, activations)
    mean_gradient = (product[:, 1:] / peer[:, 1:]).mean(dim=1)
    torch.testing.assert_close(cam.alpha, mean_gradient, rtol=1e-4, atol=1e-6)


def test_ablation_of_a_vision_transformer() -> None:
    net, x = vit(), images(1, (32, 32))
    sets = [[], [0, 5], list(range(16))]
    got = ablated_outputs(net, x, f"{LAST_NORM}+4x4", sets)
    norm = net.encoder.layers[1].ln_1
    for row, units in zip(got, sets, strict=True):

        def without(_module: nn.Module, _inputs: Any, output: Tensor, units: list[int] = units) -> Tensor:
            output = output.clone()
            output[:, 1:, units] = 0
            return output

        handle = norm.register_forward_hook(without)
        with torch.no_grad():
            want = net(x)[0]
        handle.remove()
        assert torch.allclose(row, want, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(got[0], got[1])


def test_a_named_token_layer_passes_the_check_of_layers() -> None:
    found = find_layer(vit(), images(1, (32, 32)), layer=f"{LAST_NORM}+4x4")
    assert (found.map_size, found.units, found.rectified, found.scores) == ((4, 4), 16, False, 5)


class GivenTokens(Given):
    """As `Given`, with the maps as tokens behind a class token that would outshine them."""

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        return self.maps(torch.cat([tokens.amax(dim=1, keepdim=True) + 100, tokens], dim=1))[:, 0]


def test_dissection_of_tokens_is_that_of_the_map() -> None:
    maps = torch.from_numpy(np.random.default_rng(0).integers(0, 50, (9, 4, 2, 3))).float()
    dataset = MemorySet([Concept(f"thing {i}", "object") for i in range(3)], [labelled_everywhere(3, 6)] * 9)
    options: dict[str, Any] = {"label_size": 6, "quantile": 0.1, "batch_size": 4}
    want = dissect(Given(), "maps", giving(maps), dataset, **options)
    got = dissect(GivenTokens(), "maps+2x3", giving(maps), dataset, **options)
    assert arrays_of(got) == arrays_of(want)
    assert got.intersection.sum() > 0
    assert got.layer == "maps+2x3"


def test_a_part_is_traced_while_the_whole_runs() -> None:
    net, x = gap_net(), images()
    part = trace_part(net.backbone, lambda: net(x))
    assert [call.name for call in part.calls] == ["0", "1", "2", "3", ""]
    assert torch.equal(part.output, net(x))  # type: ignore[arg-type]
    assert [call.name for call in trace(net, x).calls][-1] == ""
