"""How soon does the answer go when a map's best places are taken away, how soon does it come when they are given?

    measure = InsertionDeletion(net, [METHODS["grad-cam"]], layer="layer4")
    measure.add(0, image, Target.of_class(281))
    measure.report("ResNet-18").lines()

Petsiuk et al. 2018 (RISE): deletion covers the places in the order of the map, insertion uncovers them in that order,
and the area under the curve of the class's probability (softmax, trapezoids, 0 to 1 of the picture) is small for a good
map's deletion and large for its insertion.

What they leave open is fixed here. Places are the cells of a grid, and a map comes to it by the mean over each cell;
equal values go in reading order. Deletion covers with the picture's mean colour; insertion starts from the blurred
picture (Gaussian of 5 pixels, cut off at 5 pixels, edges repeated: theirs, but for the edges). A random order of the
same cells is drawn for each image: single pixels at random would disturb a network far more than any map's patches,
and make every map look bad. `cells` of the picture's own size gives their order pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from dissection.recording import evaluating
from neuro_explain.evaluate.attention_maps import to_cells
from neuro_explain.evaluate.map_report import MapReport
from neuro_explain.evaluate.map_source import NO_ORDER, MapSource
from neuro_explain.evaluate.tally import Tally
from neuro_explain.methods.saliency import Method
from neuro_explain.targets import Target

CELLS = (14, 14)
STEPS = 49
DELETION, INSERTION = "deletion, area (small is good)", "insertion, area (large is good)"
SOONER, LATER = "deletion, better than random by", "insertion, better than random by"
RANDOM = "a random order"
_BLUR, _REACH = 5.0, 5  # pixels


class InsertionDeletion:
    """Areas under the deletion and the insertion curve, over images, against a random order.

    Args:
        net: any module; comes back as it was.
        methods: those whose maps are measured.
        layer: that they explain.
        cells: rows and columns of the grid; fewer where the image has fewer pixels.
        steps: into how many the order is cut, at most the number of cells.
        seed: of the random orders, together with the image's number.
        batch: pictures that go through the network at once.

    Raises:
        ValueError: no methods, cells or steps.
    """

    def __init__(
        self,
        net: nn.Module,
        methods: Sequence[Method],
        *,
        layer: str,
        cells: tuple[int, int] = CELLS,
        steps: int = STEPS,
        seed: int = 0,
        batch: int = 16,
    ) -> None:
        if min(cells) < 1 or cells == (1, 1):
            raise ValueError(f"cells: expected at least two of them, got {cells[0]} × {cells[1]}")
        if steps < 1:
            raise ValueError(f"steps: expected at least 1, got {steps}")
        self.source = MapSource(net, methods, layer=layer)
        self.cells, self.steps, self.seed, self.batch = cells, steps, seed, batch
        self._tallies = {
            (measure, title): Tally()
            for measure in (DELETION, INSERTION, SOONER, LATER)
            for title in (*self.source.titles, RANDOM)
        }

    def add(self, number: int, image: Tensor, target: Target) -> dict[str, tuple[float, float] | None]:
        """Measures one image.

        Args:
            number: of the image.
            image: prepared, `[1, 3, H, W]`.
            target: a class; of other targets those that have a probability.

        Returns:
            Areas under the deletion and the insertion curve by title; None for a map without an order.

        Raises:
            ValueError: a target without a probability; a layer that a method cannot explain; what is not finite.
        """
        cells = (min(self.cells[0], image.shape[2]), min(self.cells[1], image.shape[3]))
        count = cells[0] * cells[1]
        orders: dict[str, NDArray[np.int64] | None] = {
            title: removal_order(to_cells(made[0], cells))
            for title, made in self.source.maps(image, [target]).items()
        }
        orders[RANDOM] = np.random.default_rng([self.seed, number]).permutation(count)
        found: dict[str, tuple[float, float] | None] = {}
        for title, order in orders.items():
            found[title] = None if order is None else self._areas(image, target, order, cells)
        chance = found[RANDOM]
        assert chance is not None
        for title, areas in found.items():
            for place, (measure, gain) in enumerate(((DELETION, SOONER), (INSERTION, LATER))):
                if areas is None:
                    self._tallies[measure, title].note(NO_ORDER)
                    self._tallies[gain, title].note(NO_ORDER)
                    continue
                better = (chance[place] - areas[place]) * (1 if place == 0 else -1)
                self._tallies[measure, title].add(number, areas[place], chance=chance[place])
                self._tallies[gain, title].add(number, better, chance=0.0)
        return found

    def _areas(
        self, image: Tensor, target: Target, order: NDArray[np.int64], cells: tuple[int, int]
    ) -> tuple[float, float]:
        """The two areas of one order."""
        color = image.mean(dim=(2, 3), keepdim=True).expand_as(image)
        steps = min(self.steps, len(order))
        shares, gone = curve(
            self.source.net, image, color, target, order, cells, steps=steps, batch=self.batch
        )
        _, there = curve(
            self.source.net, blurred(image), image, target, order, cells, steps=steps, batch=self.batch
        )
        return float(np.trapezoid(gone, shares)), float(np.trapezoid(there, shares))

    def report(self, network: str = "") -> MapReport:
        """What was found so far, of a network of this name."""
        figures = [
            tally.figure(measure, network, title, median=False)
            for (measure, title), tally in self._tallies.items()
            if not (title == RANDOM and measure in (SOONER, LATER))  # zero by definition
        ]
        rows, columns = self.cells
        return MapReport(
            "insertion and deletion",
            tuple(figures),
            (
                f"insertion and deletion: {rows} × {columns} cells in {min(self.steps, rows * columns)} steps, equal "
                "values in reading order; deletion covers with the picture's mean colour, insertion starts from the "
                "blurred picture; area under the class's probability; chance is a random order of the cells, seed "
                f"{self.seed}",
                *self.source.notes,
            ),
        )


def removal_order(values: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """Cell numbers, the largest value first, equal ones in reading order; None if all are equal.

    Args:
        values: `[h, w]`, finite.

    Raises:
        ValueError: NaN or infinity among them.
    """
    if not np.isfinite(values).all():
        raise ValueError("values: expected finite numbers, got NaN or infinity, which have no order")
    if np.ptp(values) == 0:
        return None
    return np.argsort(-values.ravel(), kind="stable")


def curve(
    net: nn.Module,
    before: Tensor,
    after: Tensor,
    target: Target,
    order: NDArray[np.int64],
    cells: tuple[int, int],
    *,
    steps: int,
    batch: int = 16,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The target's probability while one picture turns into another, cell by cell.

    Args:
        net: any module; comes back as it was.
        before, after: prepared pictures `[1, 3, H, W]`.
        target: what has a probability.
        order: all cell numbers, the first to change first.
        cells: rows and columns of the grid, at most H and W.
        steps: after which the network is asked again, at least 1.
        batch: pictures that go through the network at once.

    Returns:
        Share of the cells that have changed, 0 … 1, and the probability then; `[steps + 1]` each.

    Raises:
        ValueError: a target without a probability; one that is not finite.
    """
    if target.probability is None:
        raise ValueError(f"target {target.label!r} has no probability to follow; choose a class")
    changed = np.round(np.arange(steps + 1) * len(order) / steps).astype(np.int64)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    when = torch.from_numpy(place[cell_numbers(cells, before.shape[2:])]).to(before.device)
    parts = []
    with evaluating(net) as plain, torch.no_grad():
        for part in torch.split(torch.from_numpy(changed).to(before.device), batch):
            pictures = torch.where((when < part[:, None, None])[:, None], after, before)
            parts.append(target.probability(plain(pictures)).double().cpu())
    probabilities: NDArray[np.float64] = torch.cat(parts).numpy()
    if not np.isfinite(probabilities).all():
        raise ValueError(
            f"the probability of {target.label!r} is NaN or infinite with a part of the picture changed"
        )
    return changed / len(order), probabilities


def cell_numbers(cells: tuple[int, int], size: Sequence[int]) -> NDArray[np.int64]:
    """The cell in which each pixel lies, in reading order, `[H, W]`; the squares are those of `occlusion_map`."""
    rows, columns = (
        np.searchsorted(
            [round(edge * pixels / count) for edge in range(1, count)], np.arange(pixels), "right"
        )
        for count, pixels in zip(cells, size, strict=True)
    )
    numbers: NDArray[np.int64] = rows[:, None] * cells[1] + columns[None, :]
    return numbers


def blurred(image: Tensor) -> Tensor:
    """The picture `[1, 3, H, W]` under a Gaussian of 5 pixels, cut off at 5 pixels, edges repeated."""
    reach = torch.arange(-_REACH, _REACH + 1, dtype=image.dtype, device=image.device)
    weights = torch.exp(-(reach**2) / (2 * _BLUR**2))
    weights = (weights / weights.sum()).expand(image.shape[1], 1, 1, -1)
    padded = F.pad(image, (_REACH,) * 4, mode="replicate")
    across = F.conv2d(padded, weights, groups=image.shape[1])
    return F.conv2d(across, weights.transpose(2, 3), groups=image.shape[1])
