"""The rows of a batch run: what was measured of many images, as an Arrow table.

Each image is a row; its columns are described in docs/batch.md. Nothing here runs per image or per unit: the nested
columns are made of flat arrays and offsets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dissection.names import Names
from neuro_explain.batch.measure import Measured
from neuro_explain.batch.parts import META
from neuro_explain.evidence import RankBy

UNIT = pa.struct(
    [
        ("unit", pa.int32()),
        ("concept", pa.string()),
        ("category", pa.string()),
        ("iou", pa.float32()),
        ("alpha", pa.float32()),
        ("contribution", pa.float32()),
    ]
)
EXPLAINED = pa.struct(
    [
        ("class", pa.int32()),
        ("score", pa.float32()),
        ("probability", pa.float32()),
        ("top", pa.list_(UNIT)),
        ("bottom", pa.list_(UNIT)),
        ("map", pa.list_(pa.float32())),
    ]
)
_NUMBERS = pa.list_(pa.float32())


def schema(metadata: Sequence[str] = ()) -> pa.Schema:
    """The columns; `metadata` are those of the input list."""
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("batch", pa.int32(), nullable=False),
            ("error", pa.string()),
            ("label", pa.int32()),
            ("predicted", pa.int32()),
            ("probability", pa.float32()),
            ("score", pa.float32()),
            ("right", pa.bool_()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("explained", pa.list_(EXPLAINED)),
            ("contribution", _NUMBERS),
            ("alpha", _NUMBERS),
            ("label_contribution", _NUMBERS),
            ("label_alpha", _NUMBERS),
            *((META + name, pa.string()) for name in metadata),
        ]
    )


@dataclass(frozen=True)
class Images:
    """What is known of N images besides what the network says.

    Attributes:
        ids: of each.
        batch: number of their batch.
        labels: int64 `[N]`, −1 for none.
        sizes: (width, height), int32 `[N, 2]`.
        errors: why it could not be read, or "".
        metadata: the input list's columns.
    """

    ids: Sequence[str]
    batch: int
    labels: NDArray[np.int64]
    sizes: NDArray[np.int32]
    errors: Sequence[str]
    metadata: Mapping[str, Sequence[str | None]]


class Rows:
    """Makes tables of rows.

    Args:
        names: of the units.
        top: how many units in each direction, at most: none stands where it does not pull.
        rank_by: what the ranking sorts by.
        named_only: rank named units alone.
        alpha_varies: keep the alphas of all units.
    """

    def __init__(
        self, names: Names, *, top: int, rank_by: RankBy, named_only: bool, alpha_varies: bool
    ) -> None:
        self.top, self.rank_by, self.alpha_varies = top, rank_by, alpha_varies
        concepts = [name.concept for name in names]
        self._concept = pa.array([None if one is None else one.name for one in concepts], pa.string())
        self._category = pa.array([None if one is None else one.category for one in concepts], pa.string())
        self._iou = pa.array([name.iou for name in names], pa.float32())
        members = [unit for unit, one in enumerate(concepts) if one is not None or not named_only]
        self._members = np.array(members, dtype=np.int64)

    def table(self, images: Images, measured: Measured) -> pa.Table:
        """The rows of N images.

        Args:
            images: what is known of them; those with an error get no result.
            measured: what the network says; the last of the explained classes is the label's.
        """
        bad = np.array([bool(error) for error in images.errors])
        labels = images.labels
        classes = measured.classes.numpy()
        predicted, labelled = classes[:, 0], labels >= 0
        # the label's column is one more only where the label is not among the best
        kept = np.ones(classes.shape, bool)
        kept[:, -1] = labelled & ~(classes[:, :-1] == classes[:, -1:]).any(axis=1)
        kept[bad] = False
        contribution = measured.contribution.numpy()
        alpha = measured.alpha.numpy()
        other = labelled & (labels != predicted) & ~bad
        none: NDArray[np.bool_] = np.zeros(len(bad), bool)
        columns = {
            "id": pa.array(list(images.ids), pa.string()),
            "batch": pa.array(np.full(len(bad), images.batch, np.int32)),
            "error": pa.array([error or None for error in images.errors], pa.string()),
            "label": pa.array(labels.astype(np.int32), mask=~labelled),
            "predicted": pa.array(predicted.astype(np.int32), mask=bad),
            "probability": pa.array(measured.probabilities[:, 0].numpy(), mask=bad),
            "score": pa.array(measured.scores[:, 0].numpy(), mask=bad),
            "right": pa.array(predicted == labels, mask=bad | ~labelled),
            "width": pa.array(images.sizes[:, 0], mask=bad),
            "height": pa.array(images.sizes[:, 1], mask=bad),
            "explained": self._explained(measured, kept, bad),
            "contribution": _lists(contribution[:, 0], ~bad),
            "alpha": _lists(alpha[:, 0], ~bad if self.alpha_varies else none),
            "label_contribution": _lists(contribution[:, -1], other),
            "label_alpha": _lists(alpha[:, -1], other if self.alpha_varies else none),
            **{META + name: pa.array(list(values), pa.string()) for name, values in images.metadata.items()},
        }
        rows = pa.RecordBatch.from_pydict(columns, schema=schema(list(images.metadata)))
        # Arrays made of NumPy's stand in the midst of what the network needs for a moment: kept there until their part
        # is written, they would keep it from being given back, and memory would grow from part to part.
        return pa.Table.from_batches([rows.copy_to(pa.default_cpu_memory_manager())])

    def _explained(self, measured: Measured, kept: NDArray[np.bool_], bad: NDArray[np.bool_]) -> pa.Array:
        alpha, contribution = measured.alpha.numpy()[kept], measured.contribution.numpy()[kept]
        value = (alpha.astype(np.float64) if self.rank_by == "alpha" else contribution)[:, self._members]
        maps = measured.maps.numpy()[kept]
        each = pa.StructArray.from_arrays(
            [
                pa.array(measured.classes.numpy()[kept].astype(np.int32)),
                pa.array(measured.scores.numpy()[kept]),
                pa.array(measured.probabilities.numpy()[kept]),
                self._units(value, alpha, contribution),
                self._units(-value, alpha, contribution),
                _lists(maps.reshape(len(maps), int(np.prod(maps.shape[1:]))), np.ones(len(maps), bool)),
            ],
            fields=list(EXPLAINED),
        )
        return pa.ListArray.from_arrays(_offsets(kept.sum(axis=1)), each, mask=pa.array(bad))

    def _units(
        self, value: NDArray[np.floating], alpha: NDArray[np.float32], contribution: NDArray[np.float64]
    ) -> pa.Array:
        """The units with the largest values above 0, of members alone: a list for each row, of `top` or fewer."""
        # stable: ties go to the smaller unit, in both directions
        places = np.argsort(-value, axis=1, kind="stable")[:, : self.top]
        pulls = np.take_along_axis(value, places, axis=1) > 0
        units = self._members[places]
        flat = pa.array(units[pulls].astype(np.int32))
        shown = pa.StructArray.from_arrays(
            [
                flat,
                self._concept.take(flat),
                self._category.take(flat),
                self._iou.take(flat),
                pa.array(np.take_along_axis(alpha, units, axis=1)[pulls]),
                pa.array(np.take_along_axis(contribution, units, axis=1)[pulls].astype(np.float32)),
            ],
            fields=list(UNIT),
        )
        return pa.ListArray.from_arrays(_offsets(pulls.sum(axis=1)), shown)


def _offsets(lengths: NDArray[np.int64]) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))


def _lists(values: NDArray[np.floating], there: NDArray[np.bool_]) -> pa.Array:
    """Rows of `[N, W]` as lists of float32; null where nothing is there."""
    width = values.shape[1]
    offsets = _offsets(np.where(there, width, 0))
    flat = pa.array(np.ascontiguousarray(values[there], dtype=np.float32).ravel())
    return pa.ListArray.from_arrays(offsets, flat, mask=pa.array(~there))
