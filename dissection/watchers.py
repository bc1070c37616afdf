"""Several who watch a count at once.

overlap.add(labels, units, maps, threshold, watcher=together(cells.of(image), patterns.of(image)))
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from dissection.overlap import PackedLabels, Watcher


@dataclass(frozen=True)
class Watchers:
    """Shows each what is counted, in turn (`overlap.Watcher`)."""

    each: tuple[Watcher, ...]

    def labels(self, labels: PackedLabels, incidence: Tensor) -> None:
        """See `overlap.Watcher`."""
        for one in self.each:
            one.labels(labels, incidence)

    def masks(self, units: Tensor, masks: Tensor) -> None:
        """See `overlap.Watcher`."""
        for one in self.each:
            one.masks(units, masks)


def together(*watchers: Watcher | None) -> Watcher | None:
    """One who stands for all that are not None; None if there is nobody."""
    there = tuple(one for one in watchers if one is not None)
    return Watchers(there) if there else None
