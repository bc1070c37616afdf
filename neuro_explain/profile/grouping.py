"""Which units belong together? Those of one name: the contribution of a concept is the sum of its units'.

grouping = read_grouping("runs/batch", units=1280)
q = grouping.sums(contributions)        # [n, U] → [n, G]
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dissection.artifact import ArtifactError, read_csv
from dissection.concepts import Concept


class Grouping:
    """U units in G groups.

    Attributes:
        concepts: of each group; None, the last if there is one, is the group of the units without a name.
        sizes: how many units each has, int64 `[G]`.

    Args:
        names: the concept of each unit, None if it has no name.
    """

    def __init__(self, names: Sequence[Concept | None]) -> None:
        named = list(dict.fromkeys(name for name in names if name is not None))
        self.concepts: tuple[Concept | None, ...] = (*named, *([None] if None in names else []))
        place = {concept: number for number, concept in enumerate(self.concepts)}
        group = np.array([place[name] for name in names], dtype=np.intp)
        self.sizes: NDArray[np.int64] = np.bincount(group, minlength=len(self.concepts)).astype(np.int64)
        # units of one concept beside each other
        self._order = np.argsort(group, kind="stable")
        self._start = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])

    def sums(self, contributions: NDArray[np.float32]) -> NDArray[np.float64]:
        """q_ig = Σ_{k: name(k) = g} x_ik, in float64: `[n, U]` → `[n, G]`."""
        beside = np.take(contributions, self._order, axis=1)
        summed: NDArray[np.float64] = np.add.reduceat(beside, self._start, axis=1, dtype=np.float64)
        return summed


def read_grouping(folder: str | os.PathLike[str], units: int) -> Grouping:
    """The groups that a batch run's `units.csv` makes.

    Raises:
        ArtifactError: no such file, a damaged one, or one that is not of so many units in order.
    """
    path = Path(folder) / "units.csv"
    try:
        rows = read_csv(path)
        numbers = [int(row["unit"]) for row in rows]
        names = [Concept(row["concept"], row["category"]) if row["concept"] else None for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{path} cannot be read as a table of units ({error}); run the batch again"
        ) from error
    if numbers != list(range(units)):
        raise ArtifactError(
            f"{path}: expected a row for each of {units} units in order, got {len(numbers)} rows"
        )
    return Grouping(names)
