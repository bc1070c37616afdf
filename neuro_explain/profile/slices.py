"""Which images are compared with which? What `--compare` says, and which images of a part that means.

    slices = find_slices("gender", batch, of="predicted")
    slices[0].first.classes(part)           # [n]: the class that each image counts for, −1 if it is in neither group

`right` makes two comparisons, because a network can be wrong about a class in two ways: images of the class that it
misses, and images of other classes that it takes for it. In the first, contributions are those to the class of the
label, on the missed images too, though the network answered something else: only so can be seen what was missing.
"""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neuro_explain.profile.table import Batch, Part

Of = Literal["predicted", "label"]

RIGHT = "right"


@dataclass(frozen=True)
class Selection:
    """Some images of each class.

    Attributes:
        of: whether an image counts for the class that was predicted or for that of its label; contributions are those
            to this class.
        only: "right" or "wrong": only images predicted so; "all" takes those without a label too.
        value: only images whose metadata column has this value; None for all.
    """

    of: Of
    only: Literal["all", "right", "wrong"] = "all"
    value: str | None = None

    def classes(self, part: Part) -> NDArray[np.int64]:
        """`[n]`: the class for which each image counts, −1 if it does not."""
        chosen = part.read & (part.label >= 0) if self.of == "label" or self.only != "all" else part.read
        if self.only == "right":
            chosen = chosen & (part.label == part.predicted)
        elif self.only == "wrong":
            chosen = chosen & (part.label != part.predicted)
        if self.value is not None:
            assert part.value is not None
            chosen = chosen & np.asarray(part.value == self.value, dtype=bool)
        return np.where(chosen, part.predicted if self.of == "predicted" else part.label, -1)


@dataclass(frozen=True)
class Slices:
    """Two groups of images to compare, class by class.

    Attributes:
        name: of the comparison.
        first_name, second_name: of the groups.
        first, second: the groups.
        about: what is compared, for people.
    """

    name: str
    first_name: str
    second_name: str
    first: Selection
    second: Selection
    about: str


_CHOSEN_SO = (
    "right images have the higher scores by being right, so most of what speaks for a class is larger on them: "
    "the order says which concepts carry that"
)


def find_slices(compare: str, batch: Batch, *, of: Of) -> tuple[tuple[Slices, ...], str | None]:
    """What is to be compared, and the metadata column that must be read for it.

    Args:
        compare: `right`, a metadata column with exactly two values, or `COLUMN=A,B`.
        batch: the run.
        of: which images count for a class, where the groups are slices.

    Raises:
        ValueError: no such column (near ones are offered) or value, not two values, no labels.
    """
    if compare == RIGHT:
        refuse_without_labels(batch, "right and wrong cannot be told apart")
        return _right_and_wrong(), None
    column = next((name for name in _longest_first(batch.metadata) if compare.startswith(f"{name}=")), None)
    if compare not in batch.metadata and column is None:
        raise ValueError(_no_such_column(compare.split("=")[0], batch.metadata))
    if compare in batch.metadata:
        counts = batch.values(compare)
        first, second = _only_two(compare, counts)
        column = compare
    else:
        assert column is not None
        counts = batch.values(column)
        first, second = _two_values(column, compare[len(column) + 1 :], counts)
    said = "predicted as" if of == "predicted" else "labelled as"
    about = (
        f"images {said} the class whose {column} is {first} against those whose {column} is {second}; what differs may "
        f"come from {column}, or from something else in which the two groups differ"
    )
    return (
        Slices(column, first, second, Selection(of, value=first), Selection(of, value=second), about),
    ), column


def refuse_without_labels(batch: Batch, why: str) -> None:
    """Raises ValueError if the run knows no labels."""
    if not batch.plan["inputs"]["labelled"]:
        raise ValueError(
            f"the images of {batch.folder} have no labels, so {why}; run the batch on a list or folders with labels"
        )


def _right_and_wrong() -> tuple[Slices, ...]:
    return (
        Slices(
            "right against missed",
            "right",
            "missed",
            Selection("label", only="right"),
            Selection("label", only="wrong"),
            "images labelled as the class: those predicted so against those predicted as another; contributions are to "
            f"the class of the label. What was missing when it was missed? ({_CHOSEN_SO})",
        ),
        Slices(
            "right against false alarms",
            "right",
            "false alarms",
            Selection("predicted", only="right"),
            Selection("predicted", only="wrong"),
            "images predicted as the class: those labelled so against those labelled as another. What misled, where "
            "the difference is below zero? Images without a label are left out",
        ),
    )


def _longest_first(names: tuple[str, ...]) -> list[str]:
    """Of two columns `a` and `a=b`, `a=b=…` means the second."""
    return sorted(names, key=len, reverse=True)


def _no_such_column(wanted: str, columns: tuple[str, ...]) -> str:
    if not columns:
        return f"compare: expected 'right', got {wanted!r}; this run's images have no metadata columns"
    near = difflib.get_close_matches(wanted, columns, n=2, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return (
        f"compare: there is no metadata column {wanted!r}; {hint}there are {', '.join(columns)}, and 'right'"
    )


def _only_two(column: str, counts: Counter[str]) -> tuple[str, str]:
    if len(counts) == 2:
        first, second = sorted(counts)
        return first, second
    if len(counts) < 2:
        what = f"has only one value, {next(iter(counts))!r}" if counts else "has no value"
        raise ValueError(f"compare: {column} {what}; there is nothing to compare")
    first, second = (name for name, _ in counts.most_common(2))
    raise ValueError(
        f"compare: {column} has {len(counts)} values, {_some(counts)}; name two of them: {column}={first},{second}"
    )


def _two_values(column: str, written: str, counts: Counter[str]) -> tuple[str, str]:
    """The two values of `A,B`, which may have commas themselves."""
    cuts = [(written[:place], written[place + 1 :]) for place, sign in enumerate(written) if sign == ","]
    if not cuts:
        raise ValueError(f"compare: expected two values, {column}=A,B, got {column}={written}")
    found = [cut for cut in cuts if cut[0] in counts and cut[1] in counts]
    if not found:
        strange = next(value for value in cuts[0] if value not in counts)
        raise ValueError(f"compare: no image's {column} is {strange!r}; there are {_some(counts)}")
    first, second = found[0]
    if first == second:
        raise ValueError(f"compare: expected two different values of {column}, got {first!r} twice")
    return first, second


def _some(counts: Counter[str]) -> str:
    """The most frequent values with their counts."""
    shown = ", ".join(f"{value!r} ({count:,})" for value, count in counts.most_common(6))
    return f"{shown}, …" if len(counts) > 6 else shown or "none"
