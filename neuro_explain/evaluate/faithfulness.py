"""Do maps put the places of a picture in the order in which hiding them hurts the score?

    measure = Faithfulness(net, [METHODS["grad-cam"]], layer="layer4")
    for number, (image, target) in enumerate(pairs):
        measure.add(number, image, target)
    measure.report("ResNet-18").lines()

Spearman's rank correlation of a map with the occlusion map (Selvaraju et al. 2019, Sec. 5.3): each cell of a grid is
covered by the picture's mean colour, and the score before softmax falls. A map comes to the grid by the mean of the
area of each cell, coarse maps bilinearly first (`attention_maps.to_cells`); equal values share a rank. Many pictures
have their subject in the middle, so beside the methods stands a map that knows nothing but where the middle is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from neuro_explain.evaluate.attention_maps import to_cells
from neuro_explain.evaluate.map_report import MapReport
from neuro_explain.evaluate.map_source import NO_ORDER, MapSource
from neuro_explain.evaluate.ranks import rank_correlation
from neuro_explain.evaluate.tally import Tally
from neuro_explain.methods.occlusion import occlusion_map
from neuro_explain.methods.saliency import Method
from neuro_explain.targets import Target

CELLS = (14, 14)
"""The occlusion grid: squares of 16 × 16 pixels on a picture of 224 × 224."""
CENTRE = "the middle (no method)"
MEASURE = "rank correlation with occlusion"
_NO_OCCLUSION = "occlusion map without an order (hiding any part costs the same)"


class Faithfulness:
    """The rank correlation of maps with occlusion maps, over images.

    Args:
        net: any module; comes back as it was.
        methods: those whose maps are measured.
        layer: that they explain.
        cells: rows and columns of the grid; fewer where the image has fewer pixels.
        batch: pictures that go through the network at once.

    Raises:
        ValueError: no methods, or no cells.
    """

    def __init__(
        self,
        net: nn.Module,
        methods: Sequence[Method],
        *,
        layer: str,
        cells: tuple[int, int] = CELLS,
        batch: int = 16,
    ) -> None:
        if min(cells) < 1 or cells == (1, 1):
            raise ValueError(f"cells: expected at least two of them, got {cells[0]} × {cells[1]}")
        self.source = MapSource(net, methods, layer=layer)
        self.cells, self.batch = cells, batch
        self._tallies = {title: Tally() for title in (*self.source.titles, CENTRE)}

    def add(self, number: int, image: Tensor, target: Target) -> dict[str, float | None]:
        """Measures one image.

        Args:
            number: of the image; the interval draws whole images.
            image: prepared, `[1, 3, H, W]`.
            target: the score that is explained.

        Returns:
            The correlation by the method's title; None for a map without an order.

        Raises:
            ValueError: a layer that a method cannot explain; scores or maps that are not finite.
        """
        cells = (min(self.cells[0], image.shape[2]), min(self.cells[1], image.shape[3]))
        drops = occlusion_map(self.source.net, image, target, cells, batch=self.batch)
        maps = {title: made[0] for title, made in self.source.maps(image, [target]).items()}
        maps[CENTRE] = centre_map(cells)
        found: dict[str, float | None] = {}
        for title, made in maps.items():
            on_grid = to_cells(made, cells)
            found[title] = rank_correlation(on_grid, drops)
            self._take(self._tallies[title], number, found[title], on_grid)
        return found

    @staticmethod
    def _take(tally: Tally, number: int, value: float | None, on_grid: NDArray[np.float64]) -> None:
        if value is not None:
            tally.add(number, value, chance=0.0)
        else:
            tally.note(NO_ORDER if np.ptp(on_grid) == 0 else _NO_OCCLUSION)

    def report(self, network: str = "") -> MapReport:
        """What was found so far, of a network of this name."""
        rows, columns = self.cells
        return MapReport(
            MEASURE,
            tuple(
                tally.figure(MEASURE, network, title, median=False) for title, tally in self._tallies.items()
            ),
            (
                f"occlusion: each of {rows} × {columns} cells covered by the picture's mean colour, fall of the score "
                "before softmax; maps by the mean over each cell; 0 is no order in common, 1 the same order",
                *self.source.notes,
            ),
        )


def centre_map(cells: tuple[int, int]) -> NDArray[np.float64]:
    """A map that falls off from the middle of the picture, at least 0: `[h, w]`."""
    rows, columns = ((np.arange(count) + 0.5) / count - 0.5 for count in cells)
    bump: NDArray[np.float64] = np.exp(-8 * (rows[:, None] ** 2 + columns[None, :] ** 2))
    return bump
