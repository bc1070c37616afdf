"""Where do the images of a run come from? Files, or a `DataLoader` of one's own.

A source knows how many images there are, what they are called, and hands out the batches of the parts that are still
missing, in order. A `DataLoader` may give `images`, `(images, labels)` or `(images, labels, ids)`, the images prepared
for the network, `[B, 3, h, w]`; without ids an image is called by its number. It must go through its images in the same
order every time; what is done already is read and passed over when a run is resumed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, RandomSampler

from neuro_explain.batch.decode import THUMBNAIL, Decoded, batches
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


class Loader:
    """Images out of a `DataLoader`.

    Args:
        loader: gives images, with labels and ids if there are any.
        classes: how many classes labels may name.

    Raises:
        ValueError: a loader without a length or a batch size, one that drops what is left over, or one whose order is
            drawn by lot.
    """

    def __init__(self, loader: DataLoader[Any], classes: int) -> None:
        try:
            count = len(loader.dataset)  # type: ignore[arg-type]
        except TypeError as error:
            raise ValueError("inputs: expected a DataLoader over a data set that has a length") from error
        if loader.batch_size is None or loader.drop_last:
            raise ValueError("inputs: expected a DataLoader with a batch_size and without drop_last")
        if isinstance(loader.sampler, RandomSampler):
            raise ValueError(
                "inputs: expected a DataLoader without shuffle: a run must meet its images in order"
            )
        self.loader, self.classes = loader, classes
        self.accepted: Accepted | None = None
        self.cut = Cut(count, loader.batch_size)

    def describe(self) -> dict[str, Any]:
        """See `Source`; what is in the images is not known before they are read."""
        name = type(self.loader.dataset).__name__
        digest = hashlib.sha256(f"{name} {self.cut.count}".encode()).hexdigest()
        return {
            "source": name,
            "count": self.cut.count,
            "fingerprint": f"sha256:{digest}",
            "labelled": True,
            "own_labels": None,
            "metadata": [],
        }

    def batches(
        self, parts: Sequence[int], *, thumbnails: bool, workers: int, pin: bool
    ) -> Generator[Batch, None, None]:
        """See `Source`; the loader's own workers read, and there are no photographs to make thumbnails of."""
        wanted = {number: len(rows) for part in parts for number, rows in self.cut.batches(part)}
        for number, given in enumerate(self.loader):
            if number not in wanted:
                continue
            batch = self._batch(number, given)
            if len(batch.ids) != wanted[number]:
                raise ValueError(
                    f"inputs: the DataLoader gave {len(batch.ids)} images in batch {number}, expected "
                    f"{wanted[number]} of its data set's {self.cut.count}; every batch but the last must be full"
                )
            yield batch
            del wanted[number]
        if wanted:
            raise ValueError(
                f"inputs: the DataLoader ended before batch {min(wanted)}; its data set says that it has "
                f"{self.cut.count} images; what is done is kept"
            )

    def _batch(self, number: int, given: Any) -> Batch:
        images, labels, ids = (
            (*given, None, None)[:3] if isinstance(given, (tuple, list)) else (given, None, None)
        )
        if not isinstance(images, Tensor) or images.dim() != 4:
            got = list(images.shape) if isinstance(images, Tensor) else f"a {type(images).__name__}"
            raise ValueError(
                f"inputs: expected the DataLoader to give images [B, 3, h, w], alone or with labels and ids; got {got}"
            )
        count = len(images)
        first = number * self.cut.batch
        named = (
            [str(one) for one in ids] if ids is not None else [f"{first + row:09d}" for row in range(count)]
        )
        known = (
            np.full(count, -1, np.int64) if labels is None else torch.as_tensor(labels).long().cpu().numpy()
        )
        if len(named) != count or known.shape != (count,) or known.max() >= self.classes or known.min() < -1:
            raise ValueError(
                f"inputs: expected {count} ids and {count} labels from 0 to {self.classes - 1}, or −1 for none; got "
                f"{len(named)} ids and labels of shape {list(known.shape)} from {known.min()} to {known.max()}"
            )
        blank = np.zeros((count, THUMBNAIL, THUMBNAIL, 3), np.uint8)
        sizes = np.full((count, 2), [images.shape[3], images.shape[2]], np.int32)
        return Batch(number, Decoded(images, sizes, blank, [""] * count), named, known, {})


def _texts(column: Any) -> list[str | None]:
    """A column of the input list as text; an empty cell says nothing."""
    return [None if gone else str(value) or None for value, gone in zip(column, column.isna(), strict=True)]
