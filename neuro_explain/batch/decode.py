"""Photographs for the network, read and prepared in worker processes.

    for batch in batches(paths, preprocess, sizes, workers=2):
        batch.images, batch.errors

Which image is in which batch is fixed before anything is read: a file that cannot be read leaves a blank image in its
place, so that the others meet the same neighbours, and get the same scores to the last digit, in every run.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dissection.images import ImageError, read_image
from neuro_explain.preprocess import Preprocess

THUMBNAIL = 64
"""Side of a thumbnail in pixels."""


class Decoded(NamedTuple):
    """A batch of B images.

    Attributes:
        images: the network's input, float32 `[B, 3, h, w]`; blank where there is an error.
        sizes: (width, height) of the upright photographs, int32 `[B, 2]`; 0 where there is an error.
        thumbnails: what the network is shown of each, uint8 `[B, 64, 64, 3]`.
        errors: why an image could not be read, or "".
    """

    images: Tensor
    sizes: NDArray[np.int32]
    thumbnails: NDArray[np.uint8]
    errors: list[str]


class LostWorkerError(RuntimeError):
    """A process that reads images died."""


def is_lost_worker(error: BaseException) -> bool:
    """Whether an error says that a process that reads images died.

    torch says so in the midst of whatever the main process does, as soon as it hears of it; if that is too late, there
    is nobody at the other end of a connection. What goes wrong inside a process that lives on is "Caught" there.
    """
    if isinstance(error, (LostWorkerError, ConnectionError, EOFError, FileNotFoundError)):
        return not str(error).startswith("Caught ")
    return isinstance(error, RuntimeError) and "DataLoader worker (pid" in str(error)


class _Files(Dataset[Decoded]):
    """Reads a batch at a time; an item is asked for by its paths, so no worker needs the list of all of them."""

    def __init__(self, preprocess: Preprocess, thumbnails: bool) -> None:
        self.preprocess, self.thumbnails = preprocess, thumbnails

    def __getitem__(self, paths: Sequence[str]) -> Decoded:
        h, w = self.preprocess.input_size
        count = len(paths)
        images = torch.zeros(count, 3, h, w)
        sizes = np.zeros((count, 2), np.int32)
        thumbnails = np.zeros((count, THUMBNAIL, THUMBNAIL, 3), np.uint8)
        errors = [""] * count
        for row, path in enumerate(paths):
            try:
                photograph = read_image(path)
                images[row] = self.preprocess(photograph)
            except (ImageError, ValueError) as error:
                errors[row] = _without_folder(str(error), path)
                continue
            sizes[row] = photograph.size
            if self.thumbnails:
                thumbnails[row] = thumbnail(photograph, self.preprocess)
        return Decoded(images, sizes, thumbnails, errors)


def _end_with_parent(_worker: int) -> None:
    """Lets the system end this process with the one that reads from it: one that is killed cannot do so itself."""
    if sys.platform == "linux":
        set_signal_of_parents_death = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(set_signal_of_parents_death, signal.SIGKILL)
        if os.getppid() == 1:  # too late
            os._exit(1)


def _as_it_is(batch: Decoded) -> Decoded:
    return batch


def thumbnail(photograph: Image.Image, preprocess: Preprocess) -> NDArray[np.uint8]:
    """What the network is shown of a photograph, uint8 `[64, 64, 3]`."""
    left, top, right, bottom = preprocess.crop(photograph.size)
    seen = (
        max(left, 0.0),
        max(top, 0.0),
        min(right, float(photograph.width)),
        min(bottom, float(photograph.height)),
    )
    small = photograph.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX, box=seen, reducing_gap=2.0)
    return np.asarray(small)


def _without_folder(message: str, path: str) -> str:
    """The message with the file's name alone: a result is passed on, and folders are nobody's business."""
    return message.replace(path, Path(path).name)


def batches_in_threads(
    paths: Sequence[Sequence[str]], preprocess: Preprocess, *, thumbnails: bool = True, threads: int = 2
) -> Iterator[Decoded]:
    """As `batches`, read in threads of this process: for processes that must not be forked."""
    files = _Files(preprocess, thumbnails)
    waiting: deque[Future[Decoded]] = deque()
    todo = iter(paths)
    with ThreadPoolExecutor(max(1, threads)) as pool:
        try:
            waiting.extend(pool.submit(files.__getitem__, some) for some in islice(todo, 2 * max(1, threads)))
            while waiting:
                decoded = waiting.popleft().result()
                waiting.extend(pool.submit(files.__getitem__, some) for some in islice(todo, 1))
                yield decoded
        finally:
            for future in waiting:
                future.cancel()


def batches(
    paths: Sequence[Sequence[str]],
    preprocess: Preprocess,
    *,
    thumbnails: bool = True,
    workers: int = 2,
    pin: bool = False,
) -> Iterator[Decoded]:
    """The images of each batch, in order.

    Args:
        paths: of each batch its files.
        preprocess: how an image becomes the network's input.
        thumbnails: make these too; blank if not.
        workers: processes that read; 0 reads in this one.
        pin: put the images into memory from which an accelerator can copy at once.

    Raises:
        LostWorkerError: a worker process died.
    """
    loader = DataLoader(
        _Files(preprocess, thumbnails),
        batch_size=None,
        sampler=paths,  # an item is a list of paths
        collate_fn=_as_it_is,  # type: ignore[arg-type]  # it is handed what _Files gives
        num_workers=workers,
        prefetch_factor=2 if workers else None,
        pin_memory=pin,
        worker_init_fn=_end_with_parent if workers else None,
    )
    iterator = iter(loader)
    try:
        yield from iterator
    except (RuntimeError, OSError, EOFError) as error:
        if is_lost_worker(error):
            raise LostWorkerError(str(error) or type(error).__name__) from error
        raise
    finally:
        # At once, and not when Python comes round to it: until then torch would tell of a dead worker in the midst of
        # whatever the process does when another child of it ends.
        shut_down = getattr(iterator, "_shutdown_workers", None)
        if shut_down is not None:
            shut_down()
