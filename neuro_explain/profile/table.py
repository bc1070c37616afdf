"""What does a batch run hold of each image? Its parts as arrays, one part after the other.

    batch = open_batch("runs/batch")
    for part in batch.parts(column="gender", labels=True):
        part.predicted, part.own        # [n] class numbers, [r, U] contributions of the images that could be read

The next part is read while the caller works on one, so two are in memory at a time, however long the run.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dissection.artifact import ArtifactError
from neuro_explain.batch.parts import META, part_paths, read_run

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Part:
    """The n images of a part.

    Attributes:
        predicted: class number, int64 `[n]`; −1 where the image could not be read.
        label: class number, int64 `[n]`; −1 where it is not known.
        own: contribution of each unit to the predicted class, float32 `[r, U]`: a row for each image that was read.
        other: the same to the label's class, float32 `[w, U]`: a row for each image that was read and predicted as
            another class than its label; None if not asked for.
        value: of the metadata column, `[n]` of str or None; None if not asked for.
    """

    predicted: NDArray[np.int64]
    label: NDArray[np.int64]
    own: NDArray[np.float32]
    other: NDArray[np.float32] | None
    value: NDArray[np.object_] | None

    @property
    def read(self) -> NDArray[np.bool_]:
        """`[n]`: could it be read?"""
        return self.predicted >= 0

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """`[n]`: read, labelled, and predicted as another class."""
        wrong: NDArray[np.bool_] = self.read & (self.label >= 0) & (self.label != self.predicted)
        return wrong


@dataclass(frozen=True)
class Batch:
    """A finished batch run.

    Attributes:
        folder: where it is.
        plan: its `run.json`.
        paths: its parts, in order.
    """

    folder: Path
    plan: dict[str, Any]
    paths: tuple[Path, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(self.plan["classes"])

    @property
    def units(self) -> int:
        """How many units the layer has."""
        return int(self.plan["units"])

    @property
    def metadata(self) -> tuple[str, ...]:
        """Names of the metadata columns."""
        return tuple(self.plan["inputs"]["metadata"])

    def values(self, column: str) -> Counter[str]:
        """How often each value of a metadata column occurs; rows without one are not counted."""
        import pyarrow.compute as pc

        counts: Counter[str] = Counter()
        for path in self.paths:
            values = _columns(path, [META + column])[META + column]
            for row in pc.value_counts(values).to_pylist():
                if row["values"] is not None:
                    counts[row["values"]] += row["counts"]
        return counts

    def parts(self, *, column: str | None = None, labels: bool = False) -> Iterator[Part]:
        """The parts in order.

        Args:
            column: metadata column to read.
            labels: whether to read the contributions to the classes of labels.

        Raises:
            ArtifactError: a part is damaged, lacks a column, or does not hold what the run's plan says.
        """
        with ThreadPoolExecutor(1) as reader:
            coming = None
            for path in self.paths:
                after = reader.submit(self._part, path, column, labels)
                if coming is not None:
                    yield coming.result()
                coming = after
            if coming is not None:
                yield coming.result()

    def _part(self, path: Path, column: str | None, labels: bool) -> Part:
        names = ["predicted", "label", "contribution"]
        names += ["label_contribution"] if labels else []
        names += [] if column is None else [META + column]
        table = _columns(path, names)
        classes = len(self.plan["classes"])
        predicted, label = (_numbers(table[name], path, name, classes) for name in ("predicted", "label"))
        part = Part(
            predicted,
            label,
            _matrix(table["contribution"], self.units, predicted >= 0, path, "contribution"),
            None,
            None if column is None else table[META + column].to_numpy(zero_copy_only=False),
        )
        if not labels:
            return part
        other = _matrix(table["label_contribution"], self.units, part.wrong, path, "label_contribution")
        return Part(part.predicted, part.label, part.own, other, part.value)


def open_batch(folder: str | os.PathLike[str]) -> Batch:
    """The batch run in a folder. The parts' checksums are not compared: that would take longer than the profile.

    Raises:
        ArtifactError: no run there, one that is not finished, or one whose parts are not all there.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(folder)
    plan = read_run(path)
    batch = Batch(path, plan, tuple(part_paths(path)))
    try:
        rows = sum(pq.read_metadata(part).num_rows for part in batch.paths)
    except (OSError, pa.ArrowException) as error:
        raise ArtifactError(f"{path}: a part cannot be read ({error}); run the batch again") from error
    wanted = plan["inputs"]["count"]
    if rows != wanted:
        raise ArtifactError(
            f"{path}: expected {wanted:,} images, as its plan says, but its parts hold {rows:,}; run the batch again"
        )
    return batch


def _columns(path: Path, names: list[str]) -> dict[str, pa.Array]:
    """Columns of a part, each in one piece."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=names, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise ArtifactError(f"{path} cannot be read ({error}); run the batch again") from error
    missing = [name for name in names if name not in table.column_names]
    if missing:
        raise ArtifactError(f"{path} lacks the column {', '.join(missing)}; run the batch again")
    columns = {}
    for name in names:
        column = table[name].combine_chunks()
        # of an empty table there are no chunks to combine, and some versions hand back a chunked array
        columns[name] = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    return columns


def _numbers(column: pa.Array, path: Path, name: str, classes: int) -> NDArray[np.int64]:
    """Class numbers, −1 for null."""
    import pyarrow as pa

    numbers: NDArray[np.int64] = column.fill_null(-1).cast(pa.int64()).to_numpy()
    if numbers.size and not -1 <= numbers.min() <= numbers.max() < classes:
        raise ArtifactError(
            f"{path}: {name}: expected classes from 0 to {classes - 1}, got {numbers.min()} to {numbers.max()}"
        )
    return numbers


def _matrix(
    column: pa.Array, units: int, wanted: NDArray[np.bool_], path: Path, name: str
) -> NDArray[np.float32]:
    """The lists that are not null as rows `[r, U]`; exactly the wanted ones must be there."""
    import pyarrow as pa

    there = column.is_valid().to_numpy(zero_copy_only=False)
    if not np.array_equal(there, wanted):
        raise ArtifactError(
            f"{path}: {name}: expected a list in {int(wanted.sum())} rows, got one in {int(there.sum())} (or in others)"
        )
    lengths = np.diff(column.offsets.to_numpy())[there] if pa.types.is_list(column.type) else None
    values: NDArray[np.float32] = column.flatten().to_numpy(zero_copy_only=False)
    if len(values) != int(wanted.sum()) * units or (lengths is not None and (lengths != units).any()):
        raise ArtifactError(f"{path}: {name}: expected {units} units in every list, as the run's plan says")
    if values.dtype != np.float32:
        raise ArtifactError(f"{path}: {name}: expected float32 without nulls, got {values.dtype}")
    return values.reshape(-1, units)
