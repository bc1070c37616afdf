"""From the network's output to the scalars that are explained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from neuro_explain.targets import Target, class_probabilities, softmax_note, target_scores

OUTPUT = torch.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]])


def test_the_three_kinds() -> None:
    one, two, three = Target.of_class(1), Target.contrast(2, 0), Target.against(1)
    assert one(OUTPUT).tolist() == [2, 16]
    assert two(OUTPUT).tolist() == [3, 24]
    assert three(OUTPUT).tolist() == [-2, -16]
    assert [(t.kind, t.index, t.versus) for t in (one, two, three)] == [
        ("class", 1, None),
        ("contrast", 2, 0),
        ("counterfactual", 1, None),
    ]
    assert [t.label for t in (one, two, three)] == ["class 1", "class 2 rather than class 0", "not class 1"]
    assert Target.of_class(1, "tabby").label == "tabby"


@pytest.mark.parametrize(
    ("targets", "want"),
    [
        ([0, 2], [1, 32]),
        ((0, 2), [1, 32]),
        (torch.tensor([0, 2]), [1, 32]),
        (torch.tensor([0, 2], dtype=torch.uint8), [1, 32]),
        (np.array([0, 2]), [1, 32]),
        ([np.int64(0), np.int64(2)], [1, 32]),
        ([torch.tensor(0), torch.tensor(2)], [1, 32]),
        (range(1, 3), [2, 32]),
        (Target.of_class(1), [2, 16]),
        ([Target.of_class(0), Target.against(2)], [1, -32]),
        ([[0, 1], [2, 2]], [[1, 2], [32, 32]]),
        ([(0, 1), (2, 2)], [[1, 2], [32, 32]]),
        (torch.tensor([[0, 1], [2, 2]]), [[1, 2], [32, 32]]),
        (np.array([[0, 1], [2, 2]]), [[1, 2], [32, 32]]),
        ([torch.tensor([0, 1]), torch.tensor([2, 2])], [[1, 2], [32, 32]]),
        ([[0], [1]], [[1], [16]]),
        ([[Target.of_class(0), Target.contrast(2, 0)]] * 2, [[1, 3], [8, 24]]),
    ],
)
def test_scores(targets: Any, want: list[Any]) -> None:
    scores = target_scores(OUTPUT, targets, 2)
    assert scores.tolist() == want
    assert scores.dtype == OUTPUT.dtype


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([0], "expected one entry for each of the 2 images, got 1; .* repeat it"),
        ([0, 1, 2], r"got 3; .*for several per image give \[N, T\]"),
        ([], "got 0"),
        (torch.tensor([[0, 1]]), "got 1"),
        ([Target.of_class(0)], "got 1"),
        (5, "expected an entry for each of the 2 images, got 5; give a list"),
        (None, "got None"),
        (torch.tensor(1), "got tensor"),
        ("ab", "got 'ab'"),
        ([[0, 1], [2]], "the same number of targets, at least one, for every image"),
        ([[0, 1], 2], "the same number"),
        ([2, [0, 1]], "the same number"),
        ([[], []], "at least one"),
        ([0, 3], "class 3 does not exist: the network has classes 0 to 2"),
        ([0, -1], "class -1 does not exist"),
        ([Target.of_class(0), Target.of_class(3)], "class 3 does not exist"),
        (Target.contrast(0, -1), "class -1 does not exist"),
        ([0.0, 1.0], "class numbers alone, or Targets alone, got 0.0"),
        (torch.tensor([0.0, 1.0]), "got 0.0"),
        ([True, False], "got True"),
        (torch.tensor([True, False]), "got True"),
        (["tabby", "cat"], "got 'tabby'"),
        ([0, Target.of_class(1)], "class numbers alone, or Targets alone"),
        ([[[0]], [[1]]], r"got \[0\]"),
        (Target.of_class(1.0), "got 1.0"),
    ],
)
def test_targets_that_do_not_fit(targets: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        target_scores(OUTPUT, targets, 2)


@pytest.mark.parametrize(
    ("score", "got"),
    [
        (lambda output: output.sum(), r"\[\]"),
        (lambda output: output, r"\[2, 3\]"),
        (lambda output: output[:1, 0], r"\[1\]"),
        (lambda output: None, "None"),
        (lambda output: 1.0, "1.0"),
    ],
)
def test_a_target_that_gives_no_score_per_image(score: Any, got: str) -> None:
    with pytest.raises(
        ValueError, match=f"target 'mine' returns {got}, expected one score for each of 2 images"
    ):
        target_scores(OUTPUT, Target("mine", score), 2)


def test_an_output_without_classes() -> None:
    for targets in ([0, 1], Target.of_class(0), [Target.against(0)] * 2):
        with pytest.raises(ValueError, match=r"output is \[[12], 3, 4, 4\], expected scores \[N, C\]"):
            target_scores(torch.zeros(2, 3, 4, 4), targets, 2)


def test_a_target_of_ones_own_reads_any_output() -> None:
    area = Target("area of class 1", lambda output: output[:, 1].sum(dim=(1, 2)))
    assert target_scores(torch.ones(2, 3, 4, 4), area, 2).tolist() == [16, 16]
    assert target_scores(torch.ones(2, 3, 4, 4), [area, area], 2).tolist() == [16, 16]


def test_gradients_go_to_the_chosen_scores_alone() -> None:
    output = OUTPUT.clone().requires_grad_()
    target_scores(output, [[0, 2], [1, 1]], 2).sum().backward()
    assert output.grad.tolist() == [[1, 0, 1], [0, 2, 0]]


# Outputs that are no scores.


def logits(count: int, classes: int) -> Tensor:
    return torch.randn(count, classes, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("classes", [2, 10, 1000])
@pytest.mark.parametrize("sharp", [0.1, 1.0, 30.0])
def test_softmax_is_noted_in_any_precision(dtype: torch.dtype, classes: int, sharp: float) -> None:
    output = (sharp * logits(8, classes)).softmax(dim=1).to(dtype)
    assert "looks like probabilities" in str(softmax_note(output))
    assert "scores before softmax" in str(softmax_note(output))


def test_log_softmax_is_noted() -> None:
    assert "looks like logarithms of probabilities" in str(softmax_note(F.log_softmax(logits(4, 10), dim=1)))


@pytest.mark.parametrize(
    "output",
    [
        logits(4, 10),
        logits(1, 2),
        logits(4, 10).abs(),
        -logits(4, 10).abs(),
        logits(4, 10).sigmoid(),
        torch.zeros(2, 5),
        torch.ones(3, 1),  # one score: every positive number is a distribution over one class
        torch.full((2, 4), 0.25) * torch.tensor([[1.0], [1.1]]),  # one row is one, the other is not
        torch.zeros(2, 3, 4, 4),
    ],
)
def test_scores_are_not_noted(output: Tensor) -> None:
    assert softmax_note(output) is None


def test_probabilities() -> None:
    scores = logits(4, 10)
    want = scores.double().exp() / scores.double().exp().sum(dim=1, keepdim=True)
    for output in (scores, want.float(), want.log().float(), scores + 100):
        assert torch.allclose(class_probabilities(output).double(), want, atol=1e-5)
    assert class_probabilities(scores.bfloat16()).dtype == torch.float32
    assert class_probabilities(torch.tensor([[3.0]])).tolist() == [[1.0]]
