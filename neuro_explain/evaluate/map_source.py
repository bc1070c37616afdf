"""Whence come the maps that are measured? From several methods, for the same network, layer, images and targets.

source = MapSource(net, [METHODS["grad-cam"]], layer="layer4")
source.maps(images, [Target.of_class(281), Target.of_class(207)])      # {"Grad-CAM": [2, 7, 7]}
source.notes                                                           # what the methods said of themselves
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from neuro_explain.methods.saliency import Method
from neuro_explain.targets import Target

NO_ORDER = "map without an order (zero or the same everywhere)"
"""Why a map is counted apart by measures that go by its order."""
_NUMBER = re.compile(r"(?<![\w.])(?:0|[1-9][0-9]*)(?![\w.])")  # whole, and no part of a name


class MapSource:
    """Methods, with the network and the layer that they explain.

    Args:
        net: any module; comes back as it was.
        methods: at least one, of different titles.
        layer: dotted name of the explained layer; methods that explain pixels take no notice of it.

    Raises:
        ValueError: no method, or a title twice.
    """

    def __init__(self, net: nn.Module, methods: Sequence[Method], *, layer: str) -> None:
        titles = [method.title for method in methods]
        if not titles or len(set(titles)) < len(titles):
            raise ValueError(
                f"methods: expected at least one, each once, got {', '.join(titles) or 'nothing'}"
            )
        self.net = net
        self.methods = tuple(methods)
        self.layer = layer
        self._notes: dict[tuple[str, ...], list[tuple[int, int]]] = {}

    @property
    def titles(self) -> tuple[str, ...]:
        """Of the methods, in their order."""
        return tuple(method.title for method in self.methods)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the methods said of how their maps were made, each once; of numbers that differ the range."""
        return tuple(
            "".join(
                words + (f"{low}" if low == high else f"{low}…{high}")
                for words, (low, high) in zip(text, numbers, strict=False)
            )
            + text[-1]
            for text, numbers in self._notes.items()
        )

    def maps(self, images: Tensor, targets: Sequence[Target]) -> dict[str, NDArray[np.float64]]:
        """The raw maps by the method's title, at least 0, `[N, h, w]` or `[N, H, W]`, at their own size.

        Args:
            images: prepared, `[N, 3, H, W]`.
            targets: one for each.

        Raises:
            ValueError: the method's own, or a map that is NaN, infinite, or below 0 somewhere.
        """
        found: dict[str, NDArray[np.float64]] = {}
        for method in self.methods:
            saliency = method(self.net, images, list(targets), layer=self.layer)
            maps: NDArray[np.float64] = saliency.map.detach().cpu().double().numpy()
            if not np.isfinite(maps).all() or (maps < 0).any():
                raise ValueError(
                    f"{method.title}: the map is NaN, infinite or negative for at least one image, so it puts no "
                    "places in order; check the network's weights, its preprocessing and its precision"
                )
            found[method.title] = maps
            for note in saliency.notes:
                self._take(f"{method.title}: {note}")
        return found

    def _take(self, note: str) -> None:
        """Keeps a note, or of one that differs in numbers alone its numbers: batches do, and there may be thousands."""
        numbers = [int(number) for number in _NUMBER.findall(note)]
        known = self._notes.setdefault(tuple(_NUMBER.split(note)), [(number, number) for number in numbers])
        known[:] = [
            (min(low, number), max(high, number)) for (low, high), number in zip(known, numbers, strict=True)
        ]
