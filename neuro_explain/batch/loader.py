"""Images that a `DataLoader` gives, prepared: what are they called, and what are their labels?

It may give `images`, `(images, labels)` or `(images, labels, ids)`, the images prepared for the network,
`[B, 3, h, w]`; without ids an image is called by its number. It must go through its images in the same order every
time; what is done already is read and passed over when a run is resumed, and held against what is there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, RandomSampler, SubsetRandomSampler, WeightedRandomSampler

from neuro_explain.batch.decode import THUMBNAIL, Decoded
from neuro_explain.batch.plan import Cut
from neuro_explain.batch.source import Batch
from neuro_explain.labels import Accepted

_BY_LOT = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)


class Loader:
    """Images out of a `DataLoader`.

    Args:
        loader: gives images, with labels and ids if there are any.
        classes: how many classes labels may name.

    Attributes:
        met: called with each batch that is not made, because it is there already; may refuse it.

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
        if isinstance(loader.sampler, _BY_LOT):
            raise ValueError(
                "inputs: expected a DataLoader without shuffle, and without a sampler that draws by lot: a run must "
                "meet its images in order"
            )
        self.loader, self.classes = loader, classes
        self.accepted: Accepted | None = None
        self.cut = Cut(count, loader.batch_size)
        self.met: Callable[[Batch], object] = lambda _batch: None

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
            batch = self._batch(number, given)
            if number not in wanted:
                self.met(batch)
                continue
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
        several = isinstance(given, (tuple, list))
        if several and not 1 <= len(given) <= 3:
            raise ValueError(
                f"inputs: expected the DataLoader to give images, (images, labels), or (images, labels, ids), got "
                f"{len(given)} things"
            )
        images, labels, ids = (*given, None, None)[:3] if several else (given, None, None)
        count, height, width = _checked(images)
        first = number * self.cut.batch
        if ids is None:
            named = [f"{first + row:09d}" for row in range(count)]
        else:
            named = [str(one) for one in (ids.tolist() if hasattr(ids, "tolist") else ids)]
        if len(named) != count:
            raise ValueError(f"inputs: expected {count} ids in batch {number}, got {len(named)}")
        known = np.full(count, -1, np.int64) if labels is None else self._labels(labels, count, number)
        blank = np.zeros((count, THUMBNAIL, THUMBNAIL, 3), np.uint8)
        sizes = np.full((count, 2), [width, height], np.int32)
        return Batch(number, Decoded(images, sizes, blank, [""] * count), named, known, {})

    def _labels(self, labels: Any, count: int, number: int) -> NDArray[np.int64]:
        expected = (
            f"inputs: expected labels as {count} whole numbers, each that of a class, 0 to {self.classes - 1}, or −1 "
            f"for none; in batch {number} got"
        )
        try:
            known = torch.as_tensor(labels)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(
                f"{expected} a {type(labels).__name__}, {_short(labels)}; ids come third"
            ) from error
        if known.is_floating_point() or known.is_complex() or known.dtype == torch.bool:
            raise ValueError(f"{expected} {known.dtype}, {_short(known.flatten().tolist())}")
        if known.shape != (count,):
            raise ValueError(f"{expected} the shape {list(known.shape)}")
        if known.max() >= self.classes or known.min() < -1:
            raise ValueError(f"{expected} {int(known.min())} to {int(known.max())}")
        return known.long().cpu().numpy()


def _checked(images: Any) -> tuple[int, int, int]:
    """How many images there are, and their height and width."""
    what = "inputs: expected the DataLoader to give images [B, 3, h, w], alone or with labels and ids; got"
    if not isinstance(images, Tensor):
        raise ValueError(f"{what} a {type(images).__name__}")
    if images.dim() != 4 or images.shape[1] != 3:
        raise ValueError(f"{what} {list(images.shape)}")
    if not images.is_floating_point():
        raise ValueError(f"{what} {images.dtype}; prepare them as the network wants them (model.preprocess)")
    return images.shape[0], images.shape[2], images.shape[3]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
