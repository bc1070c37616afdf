"""Memory that is used over and over.

A tally fills a few megabytes per image and drops them again. Asking the system for fresh pages each time costs
many times the arithmetic done in them, so the same pages serve all images.
"""

from __future__ import annotations

import math
import threading

import torch
from torch import Tensor


class PerThread(threading.local):
    """What each thread keeps for itself, as attributes; handed to another process, it is empty."""

    def __reduce__(self) -> tuple[type[PerThread], tuple[()]]:
        return PerThread, ()


class Scratch:
    """Buffers by name, each as large as the largest request so far.

    Args:
        device: where they live.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = device
        self._buffers: dict[str, Tensor] = {}

    def __reduce__(self) -> tuple[type[Scratch], tuple[torch.device | str]]:
        return Scratch, (self.device,)  # what is written in it is of no use to another process

    def take(self, name: str, *shape: int) -> Tensor:
        """A float32 tensor of this shape, its content undefined; the last one of this name is overwritten."""
        size = math.prod(shape)
        buffer = self._buffers.get(name)
        if buffer is None or buffer.nelement() < size:
            buffer = torch.empty(size + size // 2, dtype=torch.float32, device=self.device)
            self._buffers[name] = buffer
        return buffer[:size].view(shape)
