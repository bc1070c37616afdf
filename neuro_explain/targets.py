"""What is being explained: a target turns the network's output into one scalar per image.

    Target.of_class(281, "tabby")            y^c
    Target.contrast(281, 282)                y^c - y^c', "why this one rather than that one"
    Target.against(281)                      -y^c, the counterfactual (Selvaraju et al. 2019, Sec. 3.3)

Any function of the output will do: `Target("entropy", lambda output: …)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

Kind = Literal["class", "contrast", "counterfactual", "other"]


@dataclass(frozen=True)
class Target:
    """A scalar of the network's output, with a label to print.

    Attributes:
        label: what to call it.
        score: maps the output `[N, C]` to scores `[N]`.
        kind: what sort of target it is.
        index, versus: the class numbers that it compares, where there are any.
    """

    label: str
    score: Callable[[Tensor], Tensor]
    kind: Kind = "other"
    index: int | None = None
    versus: int | None = None

    def __call__(self, output: Tensor) -> Tensor:
        """The scores `[N]`."""
        return self.score(output)

    @classmethod
    def of_class(cls, index: int, label: str | None = None) -> Target:
        """The score of a class."""
        return cls(label or f"class {index}", lambda output: _column(output, index), "class", index)

    @classmethod
    def contrast(cls, index: int, versus: int, label: str | None = None) -> Target:
        """The score of one class minus that of another."""
        return cls(
            label or f"class {index} rather than class {versus}",
            lambda output: _column(output, index) - _column(output, versus),
            "contrast",
            index,
            versus,
        )

    @classmethod
    def against(cls, index: int, label: str | None = None) -> Target:
        """The negative score of a class: what would make the network drop it."""
        return cls(label or f"not class {index}", lambda output: -_column(output, index), "counterfactual", index)


Targets: TypeAlias = (
    Tensor | Target | Sequence[int] | Sequence[Target] | Sequence[Sequence[int]] | Sequence[Sequence[Target]]
)


def softmax_note(output: Tensor) -> str | None:
    """A sentence if every row of `[N, C]` (C > 1) is a distribution or the logarithm of one, else None."""
    if output.dim() != 2 or output.shape[1] < 2:
        return None
    rows = output.detach().float()
    if _is_distribution(rows):
        what = "probabilities (rows sum to 1)"
    elif bool((rows <= 0).all() and (rows.logsumexp(dim=1).abs() < 1e-3).all()):
        what = "logarithms of probabilities"
    else:
        return None
    return f"the network's output looks like {what}; Grad-CAM explains scores before softmax, so return those instead"


def _is_distribution(rows: Tensor) -> bool:
    return bool((rows >= 0).all() and ((rows.sum(dim=1) - 1).abs() < 1e-3).all())


def class_probabilities(output: Tensor) -> Tensor:
    """Softmax of the scores `[N, C]`; the output itself if it already is a distribution."""
    rows = output.float()
    return rows if rows.shape[1] > 1 and _is_distribution(rows) else rows.softmax(dim=1)


def _column(output: Tensor, index: int) -> Tensor:
    _check_scores(output)
    if not 0 <= index < output.shape[1]:
        raise ValueError(f"class {index} does not exist: the network has classes 0 to {output.shape[1] - 1}")
    return output[:, index]


def _check_scores(output: object) -> None:
    if not isinstance(output, Tensor) or output.dim() != 2:
        got = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(f"the network's output is {got}, expected scores [N, C]; wrap it so that it returns them")


def target_scores(
    output: Tensor,
    targets: Targets,
    images: int,
) -> Tensor:
    """The scores of the targets, `[N]` for one per image, `[N, T]` for several.

    Args:
        output: of the network, `[N, C]`.
        targets: see `gradcam.grad_cam`.
        images: N.

    Raises:
        ValueError: their number does not fit, or a class does not exist.
    """
    if isinstance(targets, Target):
        return _scores_of(targets, output)
    rows: list[Any] = targets.tolist() if isinstance(targets, Tensor) else list(targets)
    if len(rows) != images:
        raise ValueError(
            f"targets: expected one entry for each of the {images} images, got {len(rows)}; "
            "for the same target everywhere repeat it, for several per image give [N, T]"
        )
    nested = any(isinstance(row, Sequence) for row in rows)
    if nested and (
        not all(isinstance(row, Sequence) for row in rows) or len({len(row) for row in rows}) != 1 or not rows[0]
    ):
        raise ValueError("targets: expected the same number of targets, at least one, for every image")
    table: list[list[Any]] = [list(row) if nested else [row] for row in rows]
    if all(isinstance(target, Target) for row in table for target in row):
        scores = torch.stack(
            [
                torch.stack([_scores_of(target, output[image : image + 1])[0] for target in row])
                for image, row in enumerate(table)
            ]
        )
    else:
        scores = _class_scores(output, table)
    return scores if nested else scores[:, 0]


def _class_scores(output: Tensor, table: list[list[Any]]) -> Tensor:
    """Scores `[N, T]` of the classes in `table`."""
    _check_scores(output)
    for index in (index for row in table for index in row):
        if isinstance(index, bool) or not isinstance(index, int):
            raise ValueError(f"targets: expected class numbers, or Targets alone, got {index!r}")
        if not 0 <= index < output.shape[1]:
            raise ValueError(f"class {index} does not exist: the network has classes 0 to {output.shape[1] - 1}")
    return output.gather(1, torch.tensor(table, device=output.device))


def _scores_of(target: Target, output: Tensor) -> Tensor:
    scores = target(output)
    if scores.shape != (len(output),):
        raise ValueError(
            f"target {target.label!r} returns {list(scores.shape)}, expected one score for each of {len(output)} images"
        )
    return scores
