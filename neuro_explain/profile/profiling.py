"""How is a profile made? In one pass over the parts: sums per class and concept, then means and tests.

profile = profile_batch("runs/batch", classes=["nurse", "doctor"], compare="gender")
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from dissection.artifact import ArtifactError
from neuro_explain.classes import find_class
from neuro_explain.profile.grouping import Grouping, read_grouping
from neuro_explain.profile.moments import Moments
from neuro_explain.profile.result import ClassProfile, Comparison, Difference, Profile, Side
from neuro_explain.profile.significance import LEAST, benjamini_hochberg, mean_interval, welch
from neuro_explain.profile.slices import Of, Selection, Slices, find_slices, refuse_without_labels
from neuro_explain.profile.table import Batch, Part, open_batch

Counts = NDArray[np.int64]


def profile_batch(
    folder: str | os.PathLike[str],
    *,
    classes: Sequence[str | int] = (),
    of: Of = "predicted",
    compare: str | None = None,
    top: int = 5,
) -> Profile:
    """What speaks for and against each class, over all images of a batch run.

    Args:
        folder: of a finished run.
        classes: names or numbers; all with at least ten images if none is given.
        of: "predicted" takes images predicted as a class, "label" those labelled as it. Contributions are to the class
            itself in both, so with "label" also to a class that the network did not choose.
        compare: "right" (against wrong), a metadata column with exactly two values, or "COLUMN=A,B".
        top: how many concepts to show for and against a class.

    Raises:
        ArtifactError: no finished run there, or a damaged one.
        ValueError: no such class, column or value; a class without images; no labels where they are needed.
    """
    if of not in get_args(Of):
        raise ValueError(f"of: expected 'predicted' or 'label', got {of!r}")
    if top < 1:
        raise ValueError(f"top: expected at least 1, got {top}")
    batch = open_batch(folder)
    if of == "label":
        refuse_without_labels(batch, "there are none of a class by its label")
    asked = [_class(batch, wanted) for wanted in classes]
    slices, column = ((), None) if compare is None else find_slices(compare, batch, of=of)
    grouping = read_grouping(batch.folder, batch.units)
    counts = _Counts(len(batch.classes))
    every = _Gathered(Selection(of), batch, grouping, shares=True)
    sides = [
        (_Gathered(pair.first, batch, grouping), _Gathered(pair.second, batch, grouping)) for pair in slices
    ]
    gathered = [every, *(side for pair in sides for side in pair)]
    wanted = np.isin(np.arange(len(batch.classes)), asked) if asked else np.ones(len(batch.classes), bool)
    _gather(batch, grouping, counts, gathered, column, wanted)
    if asked:
        _refuse_empty(batch, asked, every.moments.count, of)
    enough = np.flatnonzero(every.moments.count >= LEAST)
    shown = list(dict.fromkeys(asked)) if asked else enough.tolist()
    return Profile(
        model=str(batch.plan["model"]),
        layer=str(batch.plan["layer"]),
        weights_fingerprint=batch.plan["weights_fingerprint"],
        data_fingerprint=batch.plan["inputs"]["fingerprint"],
        source=str(batch.plan["inputs"]["source"]),
        of=of,
        compare=compare,
        asked=tuple(batch.classes[number] for number in asked),
        top=top,
        images=counts.images,
        errors=counts.errors,
        labelled=int(counts.labelled.sum()),
        right=int(counts.right.sum()),
        all_classes=len(batch.classes),
        few=0 if asked else int(((every.moments.count > 0) & (every.moments.count < LEAST)).sum()),
        concepts=grouping.concepts,
        units=grouping.sizes,
        classes=_class_profiles(batch, shown, counts, every.moments),
        comparisons=_compared(batch, slices, sides, shown),
    )


def _class(batch: Batch, wanted: str | int) -> int:
    try:
        return find_class(batch.classes, wanted, owner="the run")
    except ValueError as error:
        own = batch.plan["inputs"].get("own_labels")
        if own is None or wanted not in own["names"]:
            raise
        raise ValueError(
            f"{error} {wanted!r} is a label of its own, in the column {own['column']!r}; what is shown is shown by the "
            f"network's classes, two labels are compared with {own['column']}={wanted},OTHER (--compare)"
        ) from error


class _Counts:
    """Images of each class, however they are profiled."""

    def __init__(self, classes: int) -> None:
        self.images = self.errors = 0
        self.predicted, self.labelled, self.right = (np.zeros(classes, np.int64) for _ in range(3))

    def add(self, part: Part) -> None:
        classes, read = len(self.predicted), part.read
        known = read & (part.label >= 0)
        self.images += len(read)
        self.errors += int((~read).sum())
        self.predicted += np.bincount(part.predicted[read], minlength=classes)
        self.labelled += np.bincount(part.label[known], minlength=classes)
        self.right += np.bincount(part.label[known & ~part.wrong], minlength=classes)


class _Gathered:
    """The sums over the images of one selection."""

    def __init__(
        self, selection: Selection, batch: Batch, grouping: Grouping, *, shares: bool = False
    ) -> None:
        self.selection = selection
        self.moments = Moments(len(batch.classes), len(grouping.concepts), shares=shares)
        self.labelled, self.right = (np.zeros(len(batch.classes), np.int64) for _ in range(2))

    def add(self, part: Part, group: Counts, own: NDArray[np.float64], to_label: NDArray[np.float64]) -> None:
        """Takes in a part's images: the class that each counts for, and q to the predicted and to the label's class."""
        there = np.flatnonzero(group >= 0)
        rows = own if self.selection.of == "predicted" else to_label
        self.moments.add(group[there], rows[there])
        known = there[part.label[there] >= 0]
        hits = known[part.label[known] == part.predicted[known]]
        self.labelled += np.bincount(group[known], minlength=len(self.labelled))
        self.right += np.bincount(group[hits], minlength=len(self.right))

    def mean(self, number: int) -> NDArray[np.float64]:
        """Of a class; NaN if it has no image."""
        mean = self.moments.mean[number]
        return mean if self.moments.count[number] else np.full_like(mean, np.nan)

    def side(self, number: int) -> Side:
        """How many images of a class there are."""
        return Side(int(self.moments.count[number]), int(self.labelled[number]), int(self.right[number]))


def _gather(
    batch: Batch,
    grouping: Grouping,
    counts: _Counts,
    gathered: Iterable[_Gathered],
    column: str | None,
    wanted: NDArray[np.bool_],
) -> None:
    """The pass over the parts; only images of the wanted classes, bool `[C]`, are summed."""
    gathered = list(gathered)
    labels = any(one.selection.of == "label" for one in gathered)
    for path, part in zip(batch.paths, batch.parts(column=column, labels=labels), strict=True):
        counts.add(part)
        groups = []
        for one in gathered:
            group = one.selection.classes(part)
            groups.append(np.where((group >= 0) & wanted[group], group, -1))
        used = np.any([group >= 0 for group in groups], axis=0)
        own = _sums(grouping, part.own, part.read, used)
        to_label = own
        if part.other is not None:
            to_label = np.where(part.wrong[:, None], _sums(grouping, part.other, part.wrong, used), own)
        # an overflow or NaN in a unit is one in its concept
        if not (np.isfinite(own).all() and np.isfinite(to_label).all()):
            raise ArtifactError(f"{path}: expected finite contributions; run the batch again")
        for one, group in zip(gathered, groups, strict=True):
            one.add(part, group, own, to_label)


def _sums(
    grouping: Grouping, rows: NDArray[np.float32], there: NDArray[np.bool_], used: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """q `[n, G]` from a row of contributions for each image that is there; 0 for the others and for unused ones."""
    summed = np.zeros((len(there), len(grouping.concepts)))
    needed = used[there]
    summed[there & used] = grouping.sums(rows if needed.all() else rows[needed])
    return summed


def _refuse_empty(batch: Batch, asked: Sequence[int], count: Counts, of: Of) -> None:
    for number in asked:
        if not count[number]:
            how = "predicted as" if of == "predicted" else "labelled as"
            raise ValueError(
                f"no image of {batch.folder} was {how} {batch.classes[number]!r}; there is nothing to profile"
            )


def _class_profiles(
    batch: Batch, shown: Sequence[int], counts: _Counts, moments: Moments
) -> tuple[ClassProfile, ...]:
    low, high = mean_interval(moments.count[:, None], moments.mean, moments.variance)
    share, positive = moments.share, moments.positive
    return tuple(
        ClassProfile(
            number=number,
            name=batch.classes[number],
            images=int(moments.count[number]),
            predicted=int(counts.predicted[number]),
            labelled=int(counts.labelled[number]),
            right=int(counts.right[number]),
            mean=moments.mean[number],
            low=low[number],
            high=high[number],
            share=share[number],
            positive=positive[number],
        )
        for number in shown
    )


def _compared(
    batch: Batch, slices: Sequence[Slices], sides: Sequence[tuple[_Gathered, _Gathered]], shown: Sequence[int]
) -> tuple[Comparison, ...]:
    """The tests of the shown classes; q counts those of all comparisons together."""
    which = np.array(shown, dtype=np.intp)
    tests = []
    for pair in sides:
        a, b = (
            (one.moments.count[which, None], one.moments.mean[which], one.moments.variance[which])
            for one in pair
        )
        tests.append(welch(*a, *b))
    if not tests:
        return ()
    q = benjamini_hochberg(np.stack([test.p for test in tests]))
    return tuple(
        Comparison(
            name=pair.name,
            first=pair.first_name,
            second=pair.second_name,
            about=pair.about,
            classes=tuple(
                Difference(
                    number=number,
                    name=batch.classes[number],
                    first=first.side(number),
                    second=second.side(number),
                    first_mean=first.mean(number),
                    second_mean=second.mean(number),
                    difference=test.difference[row],
                    low=test.low[row],
                    high=test.high[row],
                    p=test.p[row],
                    q=corrected[row],
                    d=test.d[row],
                )
                for row, number in enumerate(shown)
            ),
        )
        for pair, (first, second), test, corrected in zip(slices, sides, tests, q, strict=True)
    )
