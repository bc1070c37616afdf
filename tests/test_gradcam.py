"""Grad-CAM against its definition: on paper, by finite differences, and slowly in float64."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from small_nets import Split, conv_backbone, deep_head_net, gap_net, images, slow_alpha, slow_maps
from torch import Tensor, nn

from neuro_explain.gradcam import GradCAM, alphas, grad_cam, weighted_sum
from neuro_explain.targets import Target

NETS: dict[str, Callable[[], Split]] = {"gap": gap_net, "deep head": deep_head_net}


# On paper.


def paper_net() -> Split:
    """Two units: the input's first channel and its second turned in sign, through a ReLU.

    Two scores: y_0 = 2 ΣA_0 + 3 ΣA_1 + 10, y_1 = ΣA_0 · ΣA_1.
    """

    class Head(nn.Module):
        def forward(self, maps: Tensor) -> Tensor:
            a, b = maps.sum(dim=(2, 3)).unbind(dim=1)
            return torch.stack([2 * a + 3 * b + 10, a * b], dim=1)

    conv = nn.Conv2d(3, 2, 1, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([[1.0, 0, 0], [0, -1.0, 0]])[:, :, None, None])
    return Split(nn.Sequential(conv, nn.ReLU()), Head())


PAPER_IMAGE = torch.tensor(
    [[[[1.0, -1.0], [2.0, 0.0]], [[1.0, -3.0], [0.0, -2.0]], [[9.0, 9.0], [9.0, 9.0]]]]
)  # A_0 = [[1, 0], [2, 0]], ΣA_0 = 3; A_1 = [[0, 3], [0, 2]], ΣA_1 = 5


def test_on_paper() -> None:
    cam = grad_cam(paper_net(), PAPER_IMAGE, [[0, 1]], layer="backbone.1")
    assert cam.scores.tolist() == [[2 * 3 + 3 * 5 + 10, 3 * 5]]
    # ∂y_0/∂A is 2 and 3 in every cell; ∂y_1/∂A_0 = ΣA_1 = 5 and ∂y_1/∂A_1 = ΣA_0 = 3. The mean, not the sum.
    assert cam.alpha.tolist() == [[[2, 3], [5, 3]]]
    assert cam.activations.tolist() == [[[[1, 0], [2, 0]], [[0, 3], [0, 2]]]]
    assert cam.signed_map.tolist() == [[[[2, 9], [4, 6]], [[5, 9], [10, 6]]]]
    assert torch.equal(cam.map, cam.signed_map)
    assert cam.output.tolist() == [[31, 15]]


def test_the_counterfactual_on_paper() -> None:
    cam = grad_cam(paper_net(), PAPER_IMAGE, [Target.against(0)], layer="backbone.1")
    assert cam.alpha.tolist() == [[-2, -3]]
    assert cam.signed_map.tolist() == [[[-2, -9], [-4, -6]]]
    assert cam.map.tolist() == [[[0, 0], [0, 0]]]  # a blank map, but no NaN, and the signed one is there
    assert cam.scores.tolist() == [-31]


def test_the_contrast_on_paper() -> None:
    cam = grad_cam(paper_net(), PAPER_IMAGE, [Target.contrast(0, 1)], layer="backbone.1")
    assert cam.alpha.tolist() == [[-3, 0]]
    assert cam.signed_map.tolist() == [[[-3, 0], [-6, 0]]]
    assert cam.scores.tolist() == [16]


def test_a_gradient_that_differs_between_cells_is_averaged() -> None:
    class Corner(nn.Module):
        def forward(self, maps: Tensor) -> Tensor:
            return torch.stack([8 * maps[:, 0, 0, 0] - 4 * maps[:, 1, 1, 1], maps[:, 0, 1, 0]], dim=1)

    cam = grad_cam(Split(paper_net().backbone, Corner()), PAPER_IMAGE, [0], layer="backbone.1")
    assert cam.alpha.tolist() == [[2, -1]]  # 8/4, -4/4
    assert cam.signed_map.tolist() == [[[2, -3], [4, -2]]]


def test_the_two_equations() -> None:
    gradient = torch.arange(24.0).view(1, 2, 3, 4)
    assert alphas(gradient).tolist() == [[5.5, 17.5]]
    assert alphas(gradient.expand(3, 5, 2, 3, 4)).shape == (3, 5, 2)
    maps = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])
    assert weighted_sum(torch.tensor([[10.0, -1.0]]), maps).tolist() == [[[7, 16]]]
    several = weighted_sum(torch.tensor([[[10.0, -1.0], [0.0, 1.0]]]), maps)
    assert several.tolist() == [[[[7, 16]], [[3, 4]]]]


# Against the definition, slowly.


@pytest.mark.parametrize("name", NETS)
def test_equals_explicit_differentiation_in_float64(name: str) -> None:
    net, x, classes = NETS[name](), images(3), [4, 0, 5]
    want = slow_alpha(net, x, classes)
    wide = grad_cam(copy.deepcopy(net).double(), x.double(), classes, layer="backbone.3")
    torch.testing.assert_close(wide.alpha, want, rtol=1e-12, atol=0)
    torch.testing.assert_close(wide.signed_map, slow_maps(net, x, want), rtol=1e-11, atol=1e-15)
    assert wide.alpha.dtype == wide.signed_map.dtype == wide.scores.dtype == torch.float64
    cam = grad_cam(net, x, classes, layer="backbone.3")
    torch.testing.assert_close(cam.alpha.double(), want, rtol=1e-4, atol=1e-6 * float(want.abs().max()))
    torch.testing.assert_close(cam.scores, net(x).detach()[range(3), classes], rtol=1e-5, atol=1e-6)
    assert cam.map.shape == (3, 5, 7)
    assert torch.equal(cam.map, cam.signed_map.clamp(min=0))


@pytest.mark.parametrize("name", NETS)
def test_alpha_is_what_raising_a_whole_map_by_a_little_does(name: str) -> None:
    """Σ_ij ∂y/∂A_ij is the derivative of y along a map of ones, so alpha is that derivative over Z."""
    net, x = NETS[name]().double(), images(1).double()
    cam = grad_cam(net, x, [2], layer="backbone.3")
    maps, step = net.backbone(x).detach(), 1e-6
    for unit in range(maps.shape[1]):
        ones = torch.zeros_like(maps)
        ones[:, unit] = step
        with torch.no_grad():
            rise = (net.head(maps + ones) - net.head(maps - ones))[0, 2] / (2 * step)
        # Central differences err by about step² and by rounding / step, some 1e-9 here.
        assert float(cam.alpha[0, unit]) == pytest.approx(float(rise) / maps[0, 0].numel(), abs=1e-8)


@pytest.mark.parametrize(
    "layer", ["backbone.0", "backbone.1", "backbone.2", "backbone.3", "backbone", "head.0"]
)
def test_any_layer_with_maps(layer: str) -> None:
    net, x = deep_head_net().double(), images().double()
    parts = [*net.backbone, *net.head]
    cut = {"backbone": 4, "head.0": 5}[layer] if layer in ("backbone", "head.0") else int(layer[-1]) + 1
    split = Split(nn.Sequential(*parts[:cut]), nn.Sequential(*parts[cut:]))
    cam = grad_cam(net, x, [1, 2], layer=layer)
    want = slow_alpha(split, x, [1, 2])
    torch.testing.assert_close(cam.alpha, want, rtol=1e-10, atol=1e-15)
    torch.testing.assert_close(cam.signed_map, slow_maps(split, x, want), rtol=1e-10, atol=1e-15)


# What follows on networks with global average pooling and one linear layer.


def test_alpha_is_the_weight_over_the_cells_for_every_image() -> None:
    net = gap_net().double()
    cam = grad_cam(net, images(4).double(), [3] * 4, layer="backbone.3")
    want = net.head[2].weight[3].detach() / (5 * 7)
    torch.testing.assert_close(cam.alpha, want.expand(4, -1), rtol=1e-12, atol=0)


def test_contributions_add_up_to_the_score_without_its_bias() -> None:
    net, x = gap_net().double(), images(4).double()
    cam = grad_cam(net, x, lambda output: output.argmax(dim=1), layer="backbone.3")
    best = net(x).argmax(dim=1)
    contribution = cam.alpha * cam.activations.sum(dim=(2, 3))
    want = cam.scores - net.head[2].bias.detach()[best]
    torch.testing.assert_close(contribution.sum(dim=1), want, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(cam.signed_map.sum(dim=(1, 2)), want, rtol=1e-12, atol=1e-15)


# Targets.


@pytest.mark.parametrize("name", NETS)
def test_several_targets_equal_single_calls(name: str) -> None:
    net, x = NETS[name]().double(), images(3).double()
    table = [[0, 1, 5], [2, 2, 3], [5, 0, 4]]
    together = grad_cam(net, x, table, layer="backbone.3")
    assert together.alpha.shape == (3, 3, 5)
    assert together.map.shape == (3, 3, 5, 7)
    assert together.activations.shape == (3, 5, 5, 7)
    for t in range(3):
        single = grad_cam(net, x, [row[t] for row in table], layer="backbone.3")
        torch.testing.assert_close(together.alpha[:, t], single.alpha, rtol=1e-12, atol=1e-16)
        torch.testing.assert_close(together.signed_map[:, t], single.signed_map, rtol=1e-11, atol=1e-15)
        torch.testing.assert_close(together.scores[:, t], single.scores, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", NETS)
def test_a_batch_equals_its_images(name: str) -> None:
    net, x = NETS[name]().double(), images(4).double()
    classes = [0, 5, 2, 2]
    batch = grad_cam(net, x, classes, layer="backbone.3")
    for i, c in enumerate(classes):
        single = grad_cam(net, x[i : i + 1], [c], layer="backbone.3")
        torch.testing.assert_close(batch.alpha[i], single.alpha[0], rtol=1e-12, atol=1e-16)
        torch.testing.assert_close(batch.signed_map[i], single.signed_map[0], rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("name", NETS)
def test_contrast_is_the_difference_and_counterfactual_the_negative(name: str) -> None:
    net, x = NETS[name]().double(), images().double()
    targets = [Target.of_class(1), Target.of_class(4), Target.contrast(1, 4), Target.against(1)]
    cam = grad_cam(net, x, [targets] * 2, layer="backbone.3")
    one, other, contrast, against = cam.alpha.unbind(dim=1)
    torch.testing.assert_close(contrast, one - other, rtol=1e-11, atol=1e-16)
    assert torch.equal(against, -one)
    maps = cam.signed_map
    torch.testing.assert_close(maps[:, 2], maps[:, 0] - maps[:, 1], rtol=1e-11, atol=1e-15)
    assert torch.equal(maps[:, 3], -maps[:, 0])
    assert torch.equal(cam.scores[:, 3], -cam.scores[:, 0])


def test_one_target_for_all_images_and_targets_from_the_output() -> None:
    net, x = gap_net(), images(3)
    want = grad_cam(net, x, [2, 2, 2], layer="backbone.3")
    for targets in (
        Target.of_class(2),
        [Target.of_class(2)] * 3,
        torch.tensor([2, 2, 2]),
        lambda output: [2] * 3,
    ):
        assert torch.equal(grad_cam(net, x, targets, layer="backbone.3").alpha, want.alpha)
    seen: list[Tensor] = []

    def best(output: Tensor) -> Tensor:
        seen.append(output)
        return output.argmax(dim=1)

    cam = grad_cam(net, x, best, layer="backbone.3")
    assert len(seen) == 1
    assert not seen[0].requires_grad
    assert torch.equal(seen[0], cam.output)
    assert torch.equal(cam.scores, net(x).detach().amax(dim=1))


def test_a_target_that_depends_on_nothing_among_others() -> None:
    flat = Target("constant", lambda output: torch.full((len(output),), 2.5))
    cam = grad_cam(gap_net(), images(), [[Target.of_class(1), flat]] * 2, layer="backbone.3")
    assert torch.equal(cam.alpha[:, 1], torch.zeros(2, 5))
    assert torch.equal(cam.signed_map[:, 1], torch.zeros(2, 5, 7))
    assert cam.scores[:, 1].tolist() == [2.5, 2.5]


def test_a_network_of_maps_with_a_target_of_ones_own() -> None:
    net = Split(conv_backbone(), nn.Conv2d(5, 4, 1))
    area = Target("class 1 anywhere", lambda output: output[:, 1].sum(dim=(1, 2)))
    cam = grad_cam(net, images(), area, layer="backbone.3")
    torch.testing.assert_close(
        cam.alpha, net.head.weight.detach()[1, :, 0, 0].expand(2, -1), rtol=1e-6, atol=0
    )


# Shapes of networks.


class Residual(nn.Module):
    """The target layer beside a skip, and its output used once more at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 5, 3)
        self.layer = nn.Conv2d(5, 5, 3, padding=1)
        self.last = nn.Conv2d(10, 5, 1)
        self.fc = nn.Linear(5, 4)

    def tail(self, stem: Tensor, maps: Tensor) -> Tensor:
        out = F.relu_(maps + stem)
        out = self.last(torch.cat([out, maps], dim=1)) * maps.sigmoid()
        return self.fc(out.amax(dim=(2, 3)) + stem.mean(dim=(2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        stem = self.stem(x)
        return self.tail(stem, self.layer(stem))


class UNet(nn.Module):
    """Down, up, and a bridge from the target layer to the end."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.layer = nn.Conv2d(4, 6, 3, padding=1)
        self.deep = nn.Conv2d(6, 6, 3, padding=1)
        self.out = nn.Conv2d(12, 3, 1)

    def tail(self, stem: Tensor, maps: Tensor) -> Tensor:
        deep = F.relu(self.deep(F.max_pool2d(maps, 2)))
        up = F.interpolate(deep, size=maps.shape[2:], mode="bilinear", align_corners=False)
        return self.out(torch.cat([up, maps.relu()], dim=1)).logsumexp(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        stem = self.stem(x)
        return self.tail(stem, self.layer(stem))


@pytest.mark.parametrize("kind", [Residual, UNet])
def test_every_path_from_the_layer_counts_and_no_path_around_it(kind: type[Residual | UNet]) -> None:
    net, x = kind().double().eval(), images(2, (12, 10)).double()
    cam = grad_cam(net, x, [[0, 1, 2], [2, 2, 0]], layer="layer")
    stem = net.stem(x).detach()
    maps = net.layer(stem).detach().requires_grad_()
    output = net.tail(stem, maps)
    for i, row in enumerate([[0, 1, 2], [2, 2, 0]]):
        for t, c in enumerate(row):
            (gradient,) = torch.autograd.grad(output[i, c], maps, retain_graph=True)
            torch.testing.assert_close(cam.alpha[i, t], gradient[i].mean(dim=(1, 2)), rtol=1e-11, atol=1e-16)


def test_a_convolutional_network_with_attention_at_its_end() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.TransformerEncoderLayer(6, 2, 12, batch_first=True)
            self.fc = nn.Linear(6, 4)

        def forward(self, maps: Tensor) -> Tensor:
            return self.fc(self.attention(maps.flatten(2).transpose(1, 2)).mean(dim=1))

    net, x = Split(conv_backbone(6), Tokens()).eval().requires_grad_(False), images()
    cam = grad_cam(net.double(), x.double(), [[1, 0], [3, 3]], layer="backbone.3")
    torch.testing.assert_close(cam.alpha[:, 0], slow_alpha(net, x, [1, 3]), rtol=1e-10, atol=1e-16)


def test_no_square_no_rgb_one_cell() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2, 3)).double()
    x = torch.rand(2, 1, 3, 3, dtype=torch.float64)
    cam = grad_cam(net, x, [0, 1], layer="1")
    assert cam.map.shape == (2, 1, 1)
    assert isinstance(cam, GradCAM)
    torch.testing.assert_close(cam.alpha, net[3].weight.detach()[:2])
