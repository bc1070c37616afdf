"""Occlusion of many images: restated square by square, and held against captum."""

from __future__ import annotations

import pytest
import torch
from small_nets import LAYER, State, deep_head_net, gap_net, images
from torch import Tensor

from neuro_explain.methods.occlusion import occlusion, occlusion_map
from neuro_explain.targets import Target


def test_on_the_cells_of_the_layer_it_is_the_map_of_each_image() -> None:
    net, x = deep_head_net(), images(3)
    got = occlusion(net, x, [1, 4, 0], layer=LAYER, batch=7)  # batches end within images
    assert got.signed.shape == (3, 5, 7) and got.signed.dtype == torch.float64
    for n, c in enumerate([1, 4, 0]):
        alone = torch.from_numpy(occlusion_map(net, x[n : n + 1], Target.of_class(c), (5, 7)))
        torch.testing.assert_close(got.signed[n], alone, rtol=1e-4, atol=1e-6)  # float32, other batches
    torch.testing.assert_close(got.scores, net(x)[range(3), [1, 4, 0]].detach(), rtol=1e-5, atol=1e-6)
    assert float(got.signed.abs().max()) > 0
    one = occlusion(net, x, lambda output: output.argmax(1), layer=LAYER)  # type: ignore[arg-type]
    two = occlusion(net, x, net(x).argmax(1), layer=LAYER)
    torch.testing.assert_close(one.signed, two.signed)


@pytest.mark.parametrize(("size", "stride"), [(3, 3), (4, 2), (5, 3), (9, 1)])
def test_with_a_size_it_is_captums(size: int, stride: int) -> None:
    captum = pytest.importorskip("captum.attr")
    net, x = deep_head_net(), images()
    ours = occlusion(net, x, [2, 5], layer="", size=size, stride=stride, fill=0.25)
    theirs = captum.Occlusion(net).attribute(
        x, (3, size, size), strides=(3, stride, stride), baselines=0.25, target=torch.tensor([2, 5])
    )
    torch.testing.assert_close(ours.signed, theirs[:, 0].double(), rtol=1e-4, atol=1e-6)
    assert float(ours.signed.abs().max()) > 0


def test_what_hides() -> None:
    net, x = gap_net(), images()
    color = x.mean((2, 3))
    alone = [
        occlusion(net, x[n : n + 1], [1], layer=LAYER, fill=color[n].tolist()).signed[0] for n in range(2)
    ]
    torch.testing.assert_close(occlusion(net, x, [1, 1], layer=LAYER).signed, torch.stack(alone))


def test_the_network_and_the_images_come_back_as_they_were() -> None:
    net, x = gap_net(inplace=True).train(), images()
    before = x.clone()
    state = State(net)
    occlusion(net, x, [0, 1], layer=LAYER)
    occlusion(net, x, Target.against(2), layer="", size=4)
    state.assert_same()
    assert torch.equal(x, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 2}, "stride: expected with a size alone"),
        (
            {"size": 3, "stride": 4},
            "expected a stride from 1 to the size and a size up to 9 pixels, got 3 and 4",
        ),
        ({"size": 10}, "a size up to 9 pixels, got 10 and 10"),
        ({"size": 3, "fill": [1.0, 2.0]}, "fill: expected one number, or 3, got 2"),
    ],
)
def test_squares_that_do_not_fit_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        occlusion(gap_net(), images(), [0, 1], layer=LAYER, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("x", "targets", "message"),
    [
        (images(), [1], "one entry for each of the 2 images, got 1"),
        (images(), [[1, 2], [1, 2]], "one for each image, got 2"),
        (images(), [1, 9], "class 9 does not exist"),
        (images() * torch.nan, [1, 2], "score of 'class 1' is NaN"),
        (images()[0], [1], r"expected a tensor \[N, 3, H, W\]"),
    ],
)
def test_bad_input_is_refused(x: Tensor, targets: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        occlusion(gap_net(), x, targets, layer=LAYER)
    with pytest.raises(ValueError, match="choose a spatial layer"):
        occlusion(gap_net(), images(), [1, 2], layer="head.1")


def test_batches_hold_at_least_one_picture() -> None:
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 2)).eval()
    for batch in (0, -1):
        with pytest.raises(ValueError, match=f"batch: expected at least 1 picture, got {batch}"):
            occlusion(net, torch.rand(1, 3, 4, 4), [0], layer="", size=2, batch=batch)
