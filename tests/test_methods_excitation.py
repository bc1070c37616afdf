"""Excitation backprop: against explicit tables of probabilities, and what must hold on any network."""

from __future__ import annotations

import copy
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from small_nets import LAYER, State, deep_head_net, gap_net, images
from torch import Tensor, nn

from neuro_explain.methods.excitation_backprop import contrastive_excitation_backprop, excitation_backprop
from neuro_explain.targets import Target


class Deep(nn.Module):
    """Two convolutions with pooling by functions, batch normalisation, a sum, a concatenation, a linear layer."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.last = nn.Linear(8, 5)
        self.inplace = inplace
        with torch.no_grad():
            self.norm.weight.copy_(torch.tensor([1.5, -0.7, 0.3, -2.0]))
            self.norm.bias.copy_(torch.tensor([0.2, 0.6, -0.1, 0.3]))
            self.norm.running_mean.copy_(torch.randn(4) / 5)
            self.norm.running_var.copy_(torch.rand(4) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        a = F.relu(self.first(x))
        b = self.norm(self.second(a))
        if self.inplace:
            b += a
            F.relu_(b)
        else:
            b = F.relu(a + b)
        pooled = torch.cat([F.avg_pool2d(b, 2), F.max_pool2d(b, 2)], dim=1)
        return self.last(F.dropout(F.adaptive_avg_pool2d(pooled, 1).flatten(1), 0.5, self.training))


def linear_table(function: object, size: torch.Size) -> Tensor:
    """The weights `[out, in]` of a linear function, one unit vector after the other."""
    count = size.numel()
    rows = [function(row.view(1, *size)).flatten() for row in torch.eye(count, dtype=torch.float64)]  # type: ignore[operator]
    return torch.stack(rows, dim=1)


def winning(values: Tensor, table: Tensor, won: Tensor) -> Tensor:
    """Σ_j P(a_i | a_j) P(a_j), neuron after neuron: eq. 3 and 1 of the paper."""
    below = torch.zeros_like(values)
    for j in range(len(table)):
        excites = values.clamp(min=0) * table[j].clamp(min=0)
        if float(excites.sum()) > 0:
            below += excites / excites.sum() * won[j]
    return below


def slow(net: Deep, image: Tensor, weights: Tensor) -> list[Tensor]:
    """P of the neurons of each layer of `Deep`, from the top down to the first ReLU's; float64, no autograd."""
    net = copy.deepcopy(net).double().eval()
    x = image.double()[None]
    with torch.no_grad():
        a = F.relu(net.first(x))
        normed = net.norm(net.second(a))
        b = F.relu(a + normed)
        averaged, highest = F.avg_pool2d(b, 2), F.max_pool2d(b, 2)
        both = torch.cat([averaged, highest], 1)
        pooled = F.adaptive_avg_pool2d(both, 1).flatten()
    seen = []
    top = pooled.clamp(min=0) * weights.double().clamp(min=0)
    seen.append(top / top.sum())
    seen.append(
        winning(both.flatten(), linear_table(lambda v: F.adaptive_avg_pool2d(v, 1), both.shape[1:]), seen[-1])
    )
    of_average, of_maximum = seen[-1].view_as(both)[0].split(4)
    p = winning(
        b.flatten(), linear_table(lambda v: F.avg_pool2d(v, 2), b.shape[1:]), of_average.flatten()
    ).view_as(b)
    for k, i, j in product(*(range(n) for n in highest.shape[1:])):
        window = b[0, k, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        row, column = divmod(int(window.argmax()), 2)
        p[0, k, 2 * i + row, 2 * j + column] += of_maximum[k, i, j]
    seen.append(p.flatten())
    shares = a.clamp(min=0) / (a.clamp(min=0) + normed.clamp(min=0))
    shares = torch.where(p > 0, shares, 0.0)
    folded = net.second.weight.detach() * (
        net.norm.weight / (net.norm.running_var + net.norm.eps).sqrt()
    ).view(-1, 1, 1, 1)
    table = linear_table(lambda v: F.conv2d(v, folded.detach(), padding=1), a.shape[1:])
    seen.append(((p * shares).flatten() + winning(a.flatten(), table, (p * (1 - shares)).flatten())).detach())
    return seen


def test_on_a_network_of_all_rules_it_is_the_table_of_probabilities() -> None:
    net, x = Deep().eval(), images(2, (9, 9))
    got = excitation_backprop(net, x, [1, 3], layer="first+relu")
    contrast = contrastive_excitation_backprop(net, x, [1, 3], layer="first+relu")
    for n, c in enumerate([1, 3]):
        won = slow(net, x[n], net.last.weight[c].detach())
        lost = slow(net, x[n], -net.last.weight[c].detach())
        for p in (*won, *lost):
            assert abs(float(p.sum()) - 1) < 1e-12  # a distribution on each layer
        want = won[-1].view(4, 7, 7).sum(0)
        torch.testing.assert_close(got.signed[n].double(), want, rtol=1e-4, atol=1e-6)
        want -= lost[-1].view(4, 7, 7).sum(0)
        torch.testing.assert_close(contrast.signed[n].double(), want, rtol=1e-4, atol=1e-6)
        assert float(want.abs().max()) > 0.01
    torch.testing.assert_close(got.scores, net(x)[[0, 1], [1, 3]].detach())
    assert got.notes == ()


def test_functions_that_write_into_their_input_make_no_difference() -> None:
    net = Deep().eval()
    other = Deep(inplace=True).eval()
    other.load_state_dict(net.state_dict())
    x = images(2, (9, 9))
    one, two = (contrastive_excitation_backprop(n, x, [0, 4], layer="first+relu") for n in (net, other))
    torch.testing.assert_close(one.signed, two.signed)


def test_targets_weigh_the_top_neuron() -> None:
    """A contrast is a neuron with the difference of the weights; the counterfactual is the dual."""
    net, x = Deep().eval(), images(1, (9, 9))
    weights = net.last.weight.detach()
    got = excitation_backprop(net, x, Target.contrast(1, 3), layer="first+relu")
    want = slow(net, x[0], weights[1] - weights[3])[-1].view(4, 7, 7).sum(0)
    torch.testing.assert_close(got.signed[0].double(), want, rtol=1e-4, atol=1e-6)
    both = [
        contrastive_excitation_backprop(net, x, target, layer="first+relu").signed
        for target in (Target.of_class(1), Target.against(1))
    ]
    torch.testing.assert_close(both[0], -both[1], rtol=0, atol=1e-7)


def test_at_the_last_maps_of_a_gap_network_it_is_activation_times_weight() -> None:
    net, x = gap_net(units=16), images()
    got = excitation_backprop(net, x, [1, 2], layer=LAYER)
    maps, weight = net.backbone(x).detach(), net.head[2].weight.detach()
    for n, c in enumerate([1, 2]):
        # pooling hands P_k to the cells in the ratio of their activations
        excited = (weight[c].clamp(min=0).view(-1, 1, 1) * maps[n]).sum(0)
        torch.testing.assert_close(got.signed[n], excited / excited.sum(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("resnet18", "layer3"),
        ("googlenet", "inception4d"),
        ("squeezenet1_1", "features.9"),
        ("densenet121", "features.denseblock4"),
        ("mobilenet_v2", "features.15"),
        ("shufflenet_v2_x0_5", "stage4"),
    ],
)
def test_all_probability_arrives_on_real_architectures(name: str, layer: str) -> None:
    models = pytest.importorskip("torchvision.models")
    options = {"init_weights": False} if name == "googlenet" else {}
    net, x = models.get_model(name, weights=None, **options).eval(), torch.rand(2, 3, 96, 96)
    made = excitation_backprop(net, x, [3, 7], layer=layer)
    torch.testing.assert_close(made.scores, net(x)[[0, 1], [3, 7]].detach(), rtol=1e-4, atol=1e-6)
    total = made.signed.sum((1, 2))
    torch.testing.assert_close(total, torch.ones(2), rtol=0, atol=1e-4)  # float32
    assert float(made.signed.min()) >= 0
    contrast = contrastive_excitation_backprop(net, x, [3, 7], layer=layer).signed
    torch.testing.assert_close(contrast.sum((1, 2)), torch.zeros(2), rtol=0, atol=1e-4)
    assert float(contrast.max()) > 0 > float(contrast.min())


def test_modules_and_functions_give_the_same() -> None:
    by_modules = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU(True), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(6, 3),
    )  # fmt: skip

    class Calls(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = by_modules

        def forward(self, x: Tensor) -> Tensor:
            a = self.net[0](x).relu_()
            b = torch.relu(F.conv2d(input=a, weight=self.net[2].weight, bias=self.net[2].bias))
            return F.linear(b.mean((2, 3)), self.net[6].weight, self.net[6].bias)

    x = images()
    one = contrastive_excitation_backprop(by_modules, x, [0, 2], layer="1")
    two = contrastive_excitation_backprop(Calls(), x, [0, 2], layer="net.0+relu")
    torch.testing.assert_close(one.signed, two.signed)
    assert float(one.signed.abs().max()) > 0


def test_what_is_no_relu_is_told_and_what_has_no_rule_is_refused() -> None:
    net = deep_head_net()
    notes = " ".join(excitation_backprop(net, images(), [0, 1], layer=LAYER).notes)
    assert "functions that are no ReLU pass the probability on like one: 1 gelu, 1 tanh" in notes
    assert "get negative activations, which count as 0" in notes

    class Gate(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * x.mean((2, 3), keepdim=True).sigmoid()

    gated = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), Gate(), nn.Flatten(), nn.LazyLinear(2))
    gated(images())
    with pytest.raises(
        ValueError,
        match="no rule for Mul, which the network calls between the layer and its score; choose a layer behind that",
    ):
        excitation_backprop(gated, images(), [0, 1], layer="1")

    class Attention(nn.Module):
        def __init__(self, fused: bool) -> None:
            super().__init__()
            self.patches, self.head, self.fused = nn.Conv2d(3, 4, 3, stride=3), nn.Linear(4, 2), fused

        def forward(self, x: Tensor) -> Tensor:
            x = self.patches(x).flatten(2).transpose(1, 2)
            if self.fused:
                return self.head(
                    F.scaled_dot_product_attention(x[:, None], x[:, None], x[:, None])[:, 0].mean(1)
                )
            return self.head(torch.bmm(torch.bmm(x, x.transpose(1, 2)).softmax(-1), x).mean(1))

    # behind attention there is no layer of maps to choose
    for fused in (False, True):
        with pytest.raises(ValueError, match="calls between the layer and its score; choose another method"):
            excitation_backprop(Attention(fused), images(), [0, 1], layer="patches")
    # behind the gate all is well
    assert float(excitation_backprop(gated, images(), [0, 1], layer="2").signed.sum()) > 0


def test_lost_probability_is_told() -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 99, 1)).eval()
    with torch.no_grad():
        net[3].weight.fill_(-1)
    made = excitation_backprop(net, images(), [0, 0], layer="1")
    assert float(made.signed.abs().max()) == 0 and "0% to 0% arrives at 1" in made.notes[0]


@pytest.mark.parametrize("function", [excitation_backprop, contrastive_excitation_backprop])
def test_the_network_comes_back_as_it_was_in_every_mode(function: object) -> None:
    net, x = Deep(inplace=True).train(), images(2, (9, 9))
    plain = function(net, x, [1, 2], layer="first+relu")  # type: ignore[operator]
    state = State(net)
    with torch.no_grad():
        again = function(net, x, [1, 2], layer="first+relu")  # type: ignore[operator]
    with torch.inference_mode():
        inside = function(net, x, [1, 2], layer="first+relu")  # type: ignore[operator]
    for other in (again, inside):
        torch.testing.assert_close(other.signed.clone(), plain.signed)
    for bad, layer in (([9, 9], "first+relu"), ([1], "first+relu"), ([1, 2], "last"), ([1, 2], "none")):
        with pytest.raises(ValueError):
            function(net, x, bad, layer=layer)  # type: ignore[operator]
    state.assert_same()
    assert not plain.signed.requires_grad
