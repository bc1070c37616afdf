"""What chance has to say of names: p, q and an interval for each unit. How they come about, `chance` says."""

from __future__ import annotations

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
