"""What chance has to say of names: p, q and an interval for each unit. How they come about, `chance` says."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Significance:
    """What chance has to say of each unit's best label.

    Attributes:
        p: float64 `[U]`, of the best label among all; 1 for a unit that is nowhere active.
        q: float64 `[U]`, its false discovery rate over the units that are active somewhere.
        low, high: float64 `[U]`, 95 % of the IoU of the best label over images drawn with replacement, T_k as it is.
        smallest_q: what q can be at least, for a single unit that stands out.
        error: how far the IoU of the best label on coarse cells is from the true one, the mean over units.
        permutations, seed: as asked.
    """

    p: NDArray[np.float64]
    q: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    smallest_q: float
    error: float
    permutations: int
    seed: int


def out_of_reach(smallest_p: float, max_q: float, *, tested: int, more: str) -> list[str]:
    """Says so where one unit alone cannot get a name, however much it stands out; nothing where it can.

    Where k of U units stand out as far as can be told, the q of each is U · p / k.

    Args:
        smallest_p: what p can be at least.
        max_q: the false discovery rate that a name may have.
        tested: U, the units that could get a name.
        more: what to ask for more of.
    """
    together = math.ceil(
        smallest_p * tested / max_q - 1e-9
    )  # rounding may leave it a little above a whole number
    if together <= 1:
        return []
    if together > tested:
        return [
            f"no unit can be named: q would exceed {max_q:g} even if all {tested} stood out; use more {more}"
        ]
    return [
        f"a unit that stands out alone cannot be named: {together} or more of {tested} must, for a q of {max_q:g}; "
        f"use more {more}"
    ]
