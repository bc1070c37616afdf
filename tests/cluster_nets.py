"""What the tests of a cluster send to its processes: networks that kill the process they are in, once."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from probes import MemorySet
from torch import Tensor
from toy import ColourNet

from dissection.concepts import Labels


def die_once(mark: Path) -> None:
    """Kills this process as an out-of-memory killer would, unless that was done before."""
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


class Mortal(ColourNet):
    """Dies in the midst of its third batch, wherever that is; the mark tells its successors not to."""

    def __init__(self, mark: Path) -> None:
        super().__init__()
        self.mark, self.batches = mark, 0

    def forward(self, images: Tensor) -> Tensor:
        self.batches += len(images) > 1
        if self.batches == 3:
            die_once(self.mark)
        return super().forward(images)


@dataclass
class Pictures(MemorySet):
    """A set in memory that can be handed to another process; where it is told to, a reader dies, or finds nothing."""

    mark: Path | None = None
    bad: int = -1

    def image(self, index: int) -> Image.Image:
        if index == self.bad:
            raise ValueError(f"{self.image_id(index)} is damaged")
        return Image.new("RGB", (8, 6), (index * 37 % 256, index * 91 % 256, index * 17 % 256))

    def labels(self, index: int, size: int) -> Labels:
        if self.mark is not None and index == 20:
            die_once(self.mark)
        return self.answers[index]

    def __getstate__(self) -> dict[str, object]:
        return {key: value for key, value in vars(self).items() if key not in ("_lock", "before_image")}
