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

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Rows that are probabilities sum to 1; in bfloat16 only up to 2^-9, the rounding of each of them. Twice that.
_SUM_TOLERANCE = 2**-8

Kind = Literal["class", "contrast", "counterfactual", "caption", "word", "other"]


@dataclass(frozen=True)
class Target:
    """A scalar of the network's output, with a label to print.

    Attributes:
        label: what to call it.
        score: maps the output `[N, C]` to scores `[N]`.
        kind: what sort of target it is.
        index, versus: the class numbers that it compares, where there are any; for a word its place in the caption.
        probability: maps the output to probabilities `[N]`; None for a score that has none.
    """

    label: str
    score: Callable[[Tensor], Tensor]
    kind: Kind = "other"
    index: int | None = None
    versus: int | None = None
    probability: Callable[[Tensor], Tensor] | None = None

    def __call__(self, output: Tensor) -> Tensor:
        """The scores `[N]`."""
        return self.score(output)

    @classmethod
    def of_class(cls, index: int, label: str | None = None) -> Target:
        """The score of a class."""
        return cls(
            label or f"class {index}",
            lambda output: _column(output, index),
            "class",
            index,
            probability=lambda output: class_probabilities(output)[:, index],
        )

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
        return cls(
            label or f"not class {index}", lambda output: -_column(output, index), "counterfactual", index
        )


Targets: TypeAlias = (
    Tensor
    | NDArray[np.integer[Any]]
    | Target
    | Sequence[int]
    | Sequence[Target]
    | Sequence[Sequence[int]]
    | Sequence[Sequence[Target]]
)


def softmax_note(output: Tensor) -> str | None:
    """A sentence if every row of `[N, C]` (C > 1) is a distribution or the logarithm of one, else None."""
    if output.dim() != 2 or output.shape[1] < 2:
        return None
    rows = output.detach().float()
    if _is_distribution(rows):
        what = "probabilities (rows sum to 1)"
    elif bool((rows <= 0).all() and (rows.logsumexp(dim=1).abs() < _SUM_TOLERANCE).all()):
        what = "logarithms of probabilities"
    else:
        return None
    return (
        f"the network's output looks like {what}; Grad-CAM explains scores before softmax, "
        "so let the network return those"
    )


def _is_distribution(rows: Tensor) -> bool:
    return bool((rows >= 0).all() and ((rows.sum(dim=1) - 1).abs() < _SUM_TOLERANCE).all())


def class_probabilities(output: Tensor) -> Tensor:
    """Softmax of the scores `[N, C]`; the output itself if it already is a distribution."""
    rows = output.float()
    return rows if rows.shape[1] > 1 and _is_distribution(rows) else rows.softmax(dim=1)


def _column(output: Tensor, index: int) -> Tensor:
    _check_class(index, output)
    return output[:, index]


def _check_class(index: object, output: Tensor) -> None:
    if output.dim() != 2:
        raise ValueError(
            f"the network's output is {list(output.shape)}, expected scores [N, C]; wrap the network in a "
            "module that returns them"
        )
    if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
        raise ValueError(f"targets: expected class numbers alone, or Targets alone, got {index!r}")
    if not 0 <= index < output.shape[1]:
        raise ValueError(f"class {index} does not exist: the network has classes 0 to {output.shape[1] - 1}")


def target_scores(output: Tensor, targets: Targets, images: int) -> Tensor:
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
    rows = _as_lists(targets)
    if not isinstance(rows, list):
        raise ValueError(
            f"targets: expected an entry for each of the {images} images, got {targets!r}; give a list of "
            "class numbers or of Targets, or a single Target for all of them"
        )
    if len(rows) != images:
        raise ValueError(
            f"targets: expected one entry for each of the {images} images, got {len(rows)}; "
            "for the same target everywhere repeat it, for several per image give [N, T]"
        )
    nested = any(isinstance(row, list) for row in rows)
    table = rows if nested else [[row] for row in rows]
    if not all(isinstance(row, list) and len(row) == len(table[0]) > 0 for row in table):
        raise ValueError("targets: expected the same number of targets, at least one, for every image")
    if all(isinstance(target, Target) for row in table for target in row):
        scores = torch.stack(
            [
                torch.cat([_scores_of(target, output[image : image + 1]) for target in row])
                for image, row in enumerate(table)
            ]
        )
    else:
        for index in (index for row in table for index in row):
            _check_class(index, output)
        scores = output.gather(1, torch.tensor(table, device=output.device))
    return scores if nested else scores[:, 0]


def _as_lists(value: Any) -> Any:
    """Tensors, arrays and sequences as lists; numbers of tensors and arrays as Python's."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_as_lists(item) for item in value]
    return value


def _scores_of(target: Target, output: Tensor) -> Tensor:
    scores = target(output)
    if not isinstance(scores, Tensor) or scores.shape != (len(output),):
        got = list(scores.shape) if isinstance(scores, Tensor) else repr(scores)
        raise ValueError(
            f"target {target.label!r} returns {got}, expected one score for each of {len(output)} images, "
            f"[{len(output)}]"
        )
    return scores
