"""Which images speak for a unit's name, and which against it?

    witnesses(cells, ious, units)

A name says "where this unit fires, there is a cat". Images where it fires on a cat earned it; images where it fires
and no cat lies under its mask, although cats were looked for there, cost it. Shown are those that earned and cost the
most: with the most active pixels on the label, and with the most active pixels beside it. An image may only speak for
a name if most of the mask there lies on the label, and only against it if most does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dissection.cells import Cells

SIDES = 2
"""Images on each side."""
Kind = Literal["for", "against"]


@dataclass(frozen=True, eq=False)
class Witness:
    """An image that speaks for a unit's best label, or against it.

    Attributes:
        unit, rank: whose, and its place among the unit's.
        kind: "for" or "against".
        image: number of the image.
        active: active pixels of the unit there.
        labelled: those of them that carry the label.
        above: where it fires, above 0, `[g, g]`, to the accuracy of the cells.
    """

    unit: int
    rank: int
    kind: Kind
    image: int
    active: int
    labelled: int
    above: Tensor


def witnesses(
    cells: Cells, best: NDArray[np.int64], units: Sequence[int], *, count: int = SIDES
) -> list[Witness]:
    """The images that speak for and against the best label of some units, unit by unit, those for it first.

    Args:
        cells: masks and labels of all images.
        best: the number of each unit's best label, `[U]`.
        units: those that are asked for.
        count: at most so many images for, and so many against.
    """
    if not cells.concepts:
        return []
    each = len(cells.pixels)
    carried = cells.carries()[:, cells.category_of]
    numbers = cells.images()
    found = []
    for one in units:
        image, of_unit, _, pixels = cells.masks(one, one + 1)
        places, where = np.unique(image, return_inverse=True)
        active = np.bincount(where, pixels)
        (_, met), both = cells.met(best, one, one + 1)
        on_label = np.zeros(len(places), np.int64)
        on_label[np.searchsorted(places, met)] = both
        beside = active - on_label
        # a stable sort of the negated values leaves equals in the order of the images
        most_on = [
            at for at in np.argsort(-on_label, kind="stable").tolist() if 0 < on_label[at] >= beside[at]
        ]
        most_off = [
            at
            for at in np.argsort(-beside, kind="stable").tolist()
            if beside[at] > on_label[at] and carried[places[at], best[one]]
        ]
        chosen = [("for", at) for at in most_on[:count]] + [("against", at) for at in most_off[:count]]
        for rank, (kind, at) in enumerate(chosen):
            here = where == at
            share = np.zeros(each)
            cell = of_unit[here]
            share[cell] = pixels[here] / cells.pixels[cell]
            # a cell is inside if half of it is active, or as much as the fullest one
            above = torch.from_numpy(share - min(0.5, share.max() / 2)).float().view(cells.grid, cells.grid)
            found.append(
                Witness(
                    one,
                    rank,
                    "for" if kind == "for" else "against",
                    int(numbers[places[at]]),
                    round(active[at]),
                    int(on_label[at]),
                    above,
                )
            )
    return found
