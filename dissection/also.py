"""What else does a unit fire for, and which label of each category suits it best?

    rows = label_rows(names.iou, names.concepts, min_iou=names.min_iou)       # the rows of labels.csv

A unit has one name, after its best label. Its name in each *category* is its best label of that category, if that
reaches `min_iou`: Network Dissection counts "detectors" so. And the labels that come after the best one, by IoU, are
what the unit also fires for. Ties go to the smaller concept number, unless a preset has it otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dissection.concepts import Concept, by_category
from dissection.names import MIN_IOU
from dissection.presets import Ties, ranked_labels

FURTHER = 5
"""Labels after the best."""
COLUMNS = ("unit", "rank", "concept", "category", "iou", "best_of_category")


def best_of_categories(
    iou: NDArray[np.float64], concepts: Sequence[Concept], *, min_iou: float = MIN_IOU
) -> NDArray[np.int64]:
    """The best label of each category for each unit.

    Args:
        iou: float64 `[U, C]`.
        concepts: the C concepts.
        min_iou: the IoU that it needs, beside being above 0.

    Returns:
        Concept numbers, int64 `[U, K]`, -1 where no label reaches `min_iou`; categories in order of first appearance.
    """
    categories, category_of = by_category(concepts)
    best = np.full((len(iou), len(categories)), -1, np.int64)
    for category in range(len(categories)):
        theirs = np.flatnonzero(category_of == category)
        at = iou[:, theirs].argmax(axis=1)  # the first among equals
        value = iou[np.arange(len(iou)), theirs[at]]
        good = (value >= min_iou) & (value > 0)
        best[good, category] = theirs[at[good]]
    return best


def label_rows(
    iou: NDArray[np.float64],
    concepts: Sequence[Concept],
    *,
    min_iou: float = MIN_IOU,
    further: int = FURTHER,
    ties: Ties = "number",
) -> list[dict[str, object]]:
    """The rows of `labels.csv`: of each unit its best label, the further ones, and the best of each category.

    Args:
        iou: float64 `[U, C]`.
        concepts: the C concepts.
        min_iou: the IoU that the best of a category needs.
        ties: which of two labels with the same IoU comes first, as for names.
        further: how many labels after the best are there whatever their IoU, as long as it is above 0.

    Returns:
        Rows with `COLUMNS`, by unit and rank. Ranks are from 0, among all labels of the unit by IoU; where the best of
            a category comes late, ranks between are left out.
    """
    best = best_of_categories(iou, concepts, min_iou=min_iou)
    order = ranked_labels(iou, by_category(concepts)[1], ties)
    rows: list[dict[str, object]] = []
    for unit, ranked in enumerate(order):
        of_category = np.isin(ranked, best[unit])
        shown = (iou[unit, ranked] > 0) & (of_category | (np.arange(len(ranked)) <= further))
        for rank in np.flatnonzero(shown).tolist():
            concept = concepts[ranked[rank]]
            value = float(iou[unit, ranked[rank]])
            cells = (unit, rank, concept.name, concept.category, value, bool(of_category[rank]))
            rows.append(dict(zip(COLUMNS, cells, strict=True)))
    return rows
