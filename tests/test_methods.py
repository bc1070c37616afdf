"""The one interface of the methods: names, targets, what is refused."""

from __future__ import annotations

import pytest
import torch
from small_nets import LAYER, gap_net

from neuro_explain.gradcam import grad_cam
from neuro_explain.methods import METHODS, Saliency, method_named
from neuro_explain.methods.saliency import one_score_each
from neuro_explain.targets import Target


def test_grad_cam_is_one_of_them() -> None:
    net, x = gap_net(), torch.randn(2, 3, 9, 11)
    got = METHODS["grad-cam"](net, x, Target.of_class(3), layer=LAYER)
    cam = grad_cam(net, x, [3, 3], layer=LAYER)
    torch.testing.assert_close(got.signed, cam.signed_map, rtol=0, atol=0)
    torch.testing.assert_close(got.map, cam.map, rtol=0, atol=0)
    torch.testing.assert_close(got.scores, cam.scores, rtol=0, atol=0)
    assert got.map.max() > 0


def test_a_method_stands_under_its_own_name() -> None:
    assert all(method.name == name for name, method in METHODS.items())
    assert len({method.title for method in METHODS.values()}) == len(METHODS)
    assert method_named("grad-cam") is METHODS["grad-cam"]
    with pytest.raises(ValueError, match="method 'gradcam' does not exist: did you mean grad-cam"):
        method_named("gradcam")


def test_the_map_of_pixels_is_the_largest_magnitude_over_channels() -> None:
    signed = torch.tensor([[[[1.0, -2.0]], [[-3.0, 0.5]], [[0.0, 0.0]]]])
    assert Saliency(signed, torch.zeros(1)).map.tolist() == [[[3.0, 2.0]]]


def test_the_map_of_cells_is_the_positive_part() -> None:
    assert Saliency(torch.tensor([[[1.0, -2.0]]]), torch.zeros(1)).map.tolist() == [[[1.0, 0.0]]]


def test_one_target_for_each_image() -> None:
    output = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert one_score_each(output, [1, 0], 2).tolist() == [2.0, 3.0]
    assert one_score_each(output, Target.of_class(1), 2).tolist() == [2.0, 4.0]
    assert one_score_each(output, lambda given: given.argmin(1), 2).tolist() == [1.0, 3.0]
    with pytest.raises(
        ValueError, match="expected one for each image, got 2; methods give one map per image"
    ):
        one_score_each(output, [[0, 1], [1, 0]], 2)
