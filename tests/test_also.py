"""Labels beside the best: the best of each category, and what a unit also fires for."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from probes import some_concepts

from dissection.also import COLUMNS, best_of_categories, label_rows
from dissection.concepts import Concept

KNOWN = [
    Concept("car", "object"),
    Concept("red", "color"),
    Concept("dog", "object"),
    Concept("blue", "color"),
    Concept("street", "scene"),
]


def test_by_hand() -> None:
    iou = np.array(
        [
            [0.2, 0.04, 0.2, 0.01, 0.0],  # two objects alike, a colour too weak
            [0.0, 0.05, 0.02, 0.3, 0.06],
            [0.0, 0.0, 0.0, 0.0, 0.0],
        ]
    )
    assert best_of_categories(iou, KNOWN).tolist() == [[0, -1, -1], [-1, 3, 4], [-1, -1, -1]]
    rows = [tuple(row.values()) for row in label_rows(iou, KNOWN, further=1)]
    assert rows == [
        (0, 0, "car", "object", 0.2, True),
        (0, 1, "dog", "object", 0.2, False),
        (1, 0, "blue", "color", 0.3, True),
        (1, 1, "street", "scene", 0.06, True),
    ]
    late = [tuple(row.values())[:3] for row in label_rows(iou, KNOWN, further=0, min_iou=0.02)]
    assert late == [
        *((0, 0, "car"), (0, 2, "red")),
        *((1, 0, "blue"), (1, 1, "street"), (1, 3, "dog")),
    ]


@given(
    iou=st.integers(1, 12).flatmap(
        lambda count: arrays(np.float64, (3, count), elements=st.sampled_from([0.0, 0.01, 0.05, 0.3, 1.0]))
    ),
    least=st.sampled_from([0.0, 0.05, 0.3]),
    further=st.integers(0, 6),
)
def test_restated_slowly(iou: np.ndarray, least: float, further: int) -> None:
    concepts = some_concepts(iou.shape[1], 3)
    wanted = []
    for unit, values in enumerate(iou.tolist()):
        ranked = sorted(range(len(values)), key=lambda c: (-Fraction(values[c]), c))
        seen: set[str] = set()
        for rank, c in enumerate(ranked):
            concept = concepts[c]
            first = concept.category not in seen and values[c] >= least
            seen.add(concept.category)
            if values[c] > 0 and (first or rank <= further):
                wanted.append((unit, rank, concept.name, concept.category, values[c], first))
    rows = label_rows(iou, concepts, min_iou=least, further=further)
    assert [tuple(row[column] for column in COLUMNS) for row in rows] == wanted
    assert all(tuple(row) == COLUMNS for row in rows)


@pytest.mark.parametrize("shape", [(0, 5), (2, 0)])
def test_nothing_to_list(shape: tuple[int, int]) -> None:
    assert label_rows(np.zeros(shape), KNOWN[: shape[1]]) == []
