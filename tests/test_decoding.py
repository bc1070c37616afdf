"""Beam search against all sentences there are."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from neuro_explain.language.decoding import beam_search

END, TOKENS, LONGEST = 0, 4, 3


def _table(seed: int) -> dict[tuple[int, ...], np.ndarray]:
    """Log-probabilities of what follows each beginning."""
    rng = np.random.default_rng(seed)
    table = {}
    for length in range(LONGEST + 1):
        for start in itertools.product(range(1, TOKENS), repeat=length):
            scores = rng.normal(0, 2, TOKENS)
            table[start] = scores - np.log(np.exp(scores).sum())
    return table


def _following(table: dict[tuple[int, ...], np.ndarray], calls: list[int]) -> object:
    def following(rows: Tensor) -> Tensor:
        calls.append(len(rows))
        return torch.tensor(np.stack([table[tuple(row[1:])] + 3.0 for row in rows.tolist()]))

    return following


def _all(table: dict[tuple[int, ...], np.ndarray]) -> list[tuple[float, tuple[int, ...]]]:
    """Every sentence that ends, likeliest first."""
    found = []
    for start in table:
        steps = sum(table[start[:i]][token] for i, token in enumerate(start))
        found.append((steps + table[start][END], start))
    return sorted(found, reverse=True)


@given(st.integers(0, 2**16))
@settings(max_examples=40)
def test_with_beams_enough_the_best_sentences_of_all_are_found(seed: int) -> None:
    table = _table(seed)
    found = beam_search(_following(table, []), start=9, end=END, beams=200, longest=LONGEST)  # type: ignore[arg-type]
    best = _all(table)
    assert [one.tokens for one in found] == [tokens for _, tokens in best][: len(found)]
    assert len(found) == len(best)
    for one, (total, _) in zip(found, best, strict=True):
        assert one.ended
        assert math.isclose(one.log_probability, total, rel_tol=1e-12)  # sums of the same float64 numbers


@given(st.integers(0, 2**16))
@settings(max_examples=40)
def test_one_beam_is_greedy(seed: int) -> None:
    table = _table(seed)
    calls: list[int] = []
    (found,) = beam_search(_following(table, calls), start=9, end=END, beams=1, longest=LONGEST)  # type: ignore[arg-type]
    assert set(calls) == {1}
    greedy: tuple[int, ...] = ()
    while len(greedy) < LONGEST and table[greedy].argmax() != END:
        greedy = (*greedy, int(table[greedy].argmax()))
    assert found.tokens == greedy


def test_a_sentence_without_an_end_is_cut_off_and_says_so() -> None:
    def following(rows: Tensor) -> Tensor:
        scores = torch.full((len(rows), 3), -math.inf)
        scores[:, 1] = 0.0
        return scores

    (found,) = beam_search(following, start=2, end=0, beams=2, longest=4)
    assert found.tokens == (1, 1, 1, 1)
    assert not found.ended
    assert found.log_probability == 0.0


def test_bad_options_and_scores_are_refused() -> None:
    def nan(rows: Tensor) -> Tensor:
        return torch.full((len(rows), 3), math.nan)

    with pytest.raises(ValueError, match="NaN"):
        beam_search(nan, start=2, end=0, beams=1, longest=2)
    for beams, longest in ((0, 3), (3, 0)):
        with pytest.raises(ValueError, match="expected at least 1"):
            beam_search(nan, start=2, end=0, beams=beams, longest=longest)
