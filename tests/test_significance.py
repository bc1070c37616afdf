"""When is a name out of reach, however much a unit stands out? The rule restated, and what a dissection says."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from probes import Given, MemorySet, dissect_by_iou, giving, random_labels, some_concepts

from dissection.chance import false_discovery_rate
from dissection.significance import Significance, out_of_reach
from dissection.summary import chance_lines


@settings(max_examples=100, deadline=None)
@given(tested=st.integers(1, 60), draws=st.integers(2, 400), per_cent=st.sampled_from([1, 5, 10, 50, 100]))
def test_it_is_said_exactly_where_q_cannot_be_reached(tested: int, draws: int, per_cent: int) -> None:
    """k units of the smallest p, the others of p = 1: the least k for which these k get a name."""
    smallest, max_q = Fraction(1, 1 + draws), Fraction(per_cent, 100)
    enough = [k for k in range(1, tested + 1) if smallest * tested / k <= max_q]
    told = out_of_reach(float(smallest), float(max_q), tested=tested, more="draws")
    if enough and enough[0] == 1:
        assert told == []
    elif enough:
        assert told == [
            f"a unit that stands out alone cannot be named: {enough[0]} or more of {tested} must, for a q of "
            f"{float(max_q):g}; use more draws"
        ]
        p = np.ones(tested)
        p[: enough[0]] = float(smallest)
        assert false_discovery_rate(p)[0] <= float(max_q) + 1e-12
    else:
        said = f"no unit can be named: q would exceed {float(max_q):g} even if all {tested} stood out; use more draws"
        assert told == [said]


def _chance(units: int, smallest_q: float, permutations: int) -> Significance:
    ones = np.ones(units)
    return Significance(ones, ones, 0 * ones, ones, smallest_q, 0.0, permutations, 0)


def test_a_dissection_says_so() -> None:
    rng = np.random.default_rng(0)
    known = some_concepts(4, 2)
    labels = [random_labels(rng, known, 8) for _ in range(12)]
    maps = torch.from_numpy(rng.random((12, 6, 2, 2))).float()
    found = dissect_by_iou(
        Given(), "maps", giving(maps), MemorySet(known, labels), label_size=8, quantile=0.1
    )
    fine = dataclasses.replace(found, chance=_chance(len(found), 0.001, 100), max_q=0.05)
    assert int((found.active_pixels > 0).sum()) == 6
    assert len(chance_lines(fine)) == 1
    poor = dataclasses.replace(fine, chance=_chance(len(found), 0.12, 10))
    assert chance_lines(poor)[1:] == [
        "a unit that stands out alone cannot be named: 3 or more of 6 must, for a q of 0.05; use more permutations "
        "or images"
    ]
