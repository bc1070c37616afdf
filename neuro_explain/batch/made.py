"""Is a batch that is given again the one that was made?

A `DataLoader` has no list of its images by which a run could know it again, but it gives all of them once more when the
run goes on; so those that are there already are held against their rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dissection.artifact import ArtifactError
from neuro_explain.batch.parts import part_path
from neuro_explain.batch.plan import Cut
from neuro_explain.batch.source import Batch


class Made:
    """The rows of a run that are there.

    Args:
        folder: of the run.
        cut: into batches and parts.
    """

    def __init__(self, folder: Path, cut: Cut) -> None:
        self.folder, self.cut = folder, cut
        self._part = -1
        self._rows: Any = None

    def check(self, batch: Batch) -> None:
        """Refuses a batch of other images.

        Raises:
            ArtifactError: an id or a label differs from the run's.
        """
        part, place = divmod(batch.number, self.cut.per_part)
        if part != self._part:
            import pyarrow.parquet as pq

            self._part = part
            self._rows = pq.read_table(part_path(self.folder, part), columns=["id", "label"])
        rows = self._rows.slice(place * self.cut.batch, self.cut.batch)
        labels = [None if label < 0 else label for label in batch.labels.tolist()]
        ids = list(batch.ids)
        for what, made, now in (
            ("number of images", [rows.num_rows], [len(ids)]),
            ("id", rows["id"].to_pylist(), ids),
            ("label", rows["label"].to_pylist(), labels),
        ):
            for before, after in zip(made, now, strict=True):
                if before != after:
                    raise ArtifactError(
                        f"inputs: the DataLoader gives other images than the run was begun with: {what} {after!r} in "
                        f"batch {batch.number}, where the run has {before!r}; go on with the same ones, or choose "
                        "another folder"
                    )
