"""Where do the images of a run come from? Files, or a `DataLoader` of one's own (`loader`).

A source knows how many images there are, what they are called, and hands out the batches of the parts that are still
missing, in order.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neuro_explain.batch.decode import Decoded, batches
from neuro_explain.batch.plan import Cut
from neuro_explain.inputs import Inputs
from neuro_explain.labels import Accepted
from neuro_explain.preprocess import Preprocess


@dataclass(frozen=True)
class Batch:
    """B images of a run.

    Attributes:
        number: of the batch.
        decoded: the images, and which of them could not be read.
        ids: what they are called.
        labels: int64 `[B]`, −1 for none.
        metadata: what else is known of them, by column.
    """

    number: int
    decoded: Decoded
    ids: Sequence[str]
    labels: NDArray[np.int64]
    metadata: Mapping[str, Sequence[str | None]]


@dataclass(frozen=True)
class Listed:
    """What is known of a batch of images in files before they are read.

    Attributes:
        number: of the batch.
        ids, labels, metadata: see `Batch`.
    """

    number: int
    ids: Sequence[str]
    labels: NDArray[np.int64]
    metadata: Mapping[str, Sequence[str | None]]


def read_listed(listed: Iterable[Listed], read: Iterable[Decoded]) -> Generator[Batch, None, None]:
    """Batches of what is known of images, and what is read of them."""
    for one, decoded in zip(listed, read, strict=True):
        yield Batch(one.number, decoded, one.ids, one.labels, one.metadata)


class Source(Protocol):
    """What a run needs of its images."""

    cut: Cut
    accepted: Accepted | None

    def describe(self) -> dict[str, Any]:
        """What must be the same when a run is resumed."""

    def batches(
        self, parts: Sequence[int], *, thumbnails: bool, workers: int, pin: bool
    ) -> Generator[Batch, None, None]:
        """The batches of these parts, in order; the parts ascend."""


class Files:
    """Images in files.

    Args:
        inputs: which.
        preprocess: how an image becomes the network's input.
        batch_size: images of a batch.
    """

    def __init__(self, inputs: Inputs, preprocess: Preprocess, batch_size: int) -> None:
        self.inputs, self.preprocess = inputs, preprocess
        self.cut = Cut(len(inputs.ids), batch_size)
        self.accepted = inputs.accepted

    def describe(self) -> dict[str, Any]:
        """See `Source`."""
        metadata = [] if self.inputs.metadata is None else [str(one) for one in self.inputs.metadata.columns]
        return {
            "source": self.inputs.folder.resolve().name,
            "count": self.cut.count,
            "fingerprint": self.inputs.fingerprint,
            "labelled": self.inputs.labels is not None,
            "own_labels": None
            if self.accepted is None
            else {"column": self.accepted.column, "names": list(self.accepted.names)},
            "metadata": metadata,
        }

    def batches(
        self, parts: Sequence[int], *, thumbnails: bool, workers: int, pin: bool
    ) -> Generator[Batch, None, None]:
        """See `Source`; images are read ahead across parts."""
        paths = [some for part in parts for some in self.paths(part)]
        read = batches(paths, self.preprocess, thumbnails=thumbnails, workers=workers, pin=pin)
        return read_listed((one for part in parts for one in self.listed(part)), read)

    def paths(self, part: int) -> list[list[str]]:
        """The files of each batch of a part."""
        return [[str(self.inputs.paths[i]) for i in rows] for _, rows in self.cut.batches(part)]

    def listed(self, part: int) -> list[Listed]:
        """What is known of each batch of a part."""
        return [
            Listed(
                number,
                self.inputs.ids[rows.start : rows.stop],
                self._labels(rows),
                self._metadata(rows),
            )
            for number, rows in self.cut.batches(part)
        ]

    def _labels(self, rows: range) -> NDArray[np.int64]:
        if self.inputs.labels is None:
            return np.full(len(rows), -1, np.int64)
        return self.inputs.labels[rows.start : rows.stop].astype(np.int64)

    def _metadata(self, rows: range) -> dict[str, list[str | None]]:
        if self.inputs.metadata is None:
            return {}
        here = self.inputs.metadata.iloc[rows.start : rows.stop]
        return {str(name): _texts(here[name]) for name in here.columns}


def _texts(column: Any) -> list[str | None]:
    """A column of the input list as text; an empty cell says nothing."""
    return [None if gone else str(value) or None for value, gone in zip(column, column.isna(), strict=True)]
