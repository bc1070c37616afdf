"""SoftWPMI against the paper's formulas in plain Python, and what chance says of it."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dissection import word_match
from dissection.word_chance import turn, word_chance
from dissection.word_match import (
    log_fit,
    memberships,
    soft_wpmi,
    strongest,
    top_images,
    word_probability,
)


def slow_soft_wpmi(
    images: list[list[float]], words: list[list[float]], activation: list[list[float]], top: int, lam: float
) -> list[list[float]]:
    """The paper's formulas, letter by letter; every image has a membership, which is 0 outside the top."""
    cosine = [[sum(a * b for a, b in zip(x, t, strict=True)) for t in words] for x in images]
    p_word = []
    for row in cosine:
        raised = [math.exp(10 * value) for value in row]
        p_word.append([value / sum(raised) for value in raised])
    units, count = len(activation[0]), len(images)
    log_e = [[0.0] * len(words) for _ in range(units)]
    for k in range(units):
        order = sorted(range(count), key=lambda i: -activation[i][k])
        member = [0.0] * count
        for rank, i in enumerate(order[:top]):
            member[i] = 0.998 - (0.998 - 0.97) * rank / top
        for t in range(len(words)):
            log_e[k][t] = sum(math.log(1 + member[i] * (p_word[i][t] - 1)) for i in range(count))
    p_t = [sum(math.exp(log_e[k][t]) for k in range(units)) / units for t in range(len(words))]
    return [[log_e[k][t] - lam * math.log(p_t[t]) for t in range(len(words))] for k in range(units)]


def embeddings(count: int, size: int, seed: int) -> Tensor:
    return F.normalize(torch.randn(count, size, generator=torch.Generator().manual_seed(seed)), dim=1)


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(2, 9), st.integers(1, 6))
@settings(max_examples=30)
def test_the_score_is_the_papers(seed: int, top: int, words: int, units: int) -> None:
    rng = random.Random(seed)
    images, texts = embeddings(14, 5, seed), embeddings(words, 5, seed + 1)
    activation = torch.tensor([rng.sample(range(1000), units) for _ in range(14)], dtype=torch.float32)
    activation += torch.arange(14)[:, None] / 100  # no ties
    lam = rng.choice([1.0, 0.6, 0.0])
    got = soft_wpmi(log_fit(word_probability(images, texts), strongest(activation, top)), lam=lam)
    want = slow_soft_wpmi(images.double().tolist(), texts.double().tolist(), activation.tolist(), top, lam)
    assert got.shape == (units, words)
    torch.testing.assert_close(got.double(), torch.tensor(want, dtype=torch.float64), rtol=1e-4, atol=1e-4)


def test_the_paper_s_constants() -> None:
    assert (word_match.TOP, word_match.SHARPNESS, word_match.LAMBDA) == (100, 10.0, 1.0)
    member = memberships(100)
    assert float(member[0]) == 0.998
    assert float(member[50]) == pytest.approx(0.984)
    assert bool((member.diff() < 0).all()) and float(member[-1]) > 0.97
    assert [top_images(n) for n in (10_000, 1000, 999, 200, 20, 5)] == [100, 100, 99, 20, 2, 1]


def test_what_the_authors_add_inside_of_the_logarithm_changes_nothing_to_speak_of() -> None:
    """Their `soft_wpmi` takes log(1 + p(x in B_k) (p(t|x) - 1) + 1e-7); ours the same without 1e-7."""
    probability = word_probability(embeddings(300, 6, 0), embeddings(40, 6, 1))
    order = strongest(torch.rand(300, 8, generator=torch.Generator().manual_seed(2)), 100)
    member = (0.998 - torch.arange(100) / 100 * (0.998 - 0.97))[:, None]
    theirs = [
        (1 + member.double() * (probability[order[:, unit]].double() - 1) + 1e-7).log().sum(dim=0)
        for unit in range(8)
    ]
    # 1e-7 of at least 0.002 each, a hundred times: 0.005 at most
    torch.testing.assert_close(log_fit(probability, order).double(), torch.stack(theirs), rtol=0, atol=0.005)


def test_tables_in_parts_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    probability = word_probability(embeddings(40, 6, 0), embeddings(23, 6, 1))
    order = strongest(torch.rand(40, 11), 7)
    whole = log_fit(probability, order)
    for cells in (1, 7, 50, 300):
        monkeypatch.setattr(word_match, "_CELLS", cells)
        torch.testing.assert_close(log_fit(probability, order), whole)


def test_probabilities_are_left_as_they_were() -> None:
    probability = word_probability(embeddings(12, 4, 0), embeddings(5, 4, 1))
    before = probability.clone()
    log_fit(probability, strongest(torch.rand(12, 3), 12))
    assert torch.equal(probability, before)


def test_the_strongest_images_come_first_and_ties_go_by_lot() -> None:
    activation = torch.zeros(100, 50)
    activation[10:13] = torch.tensor([1.0, 3.0, 2.0])[:, None]
    order = strongest(activation, 10)
    assert order[:3].T.tolist() == [[11, 12, 10]] * 50
    rest = order[3:]
    # The other seven are any of the 97 that leave the unit at zero: as often late as early ones, not the same for all.
    assert {10, 11, 12}.isdisjoint(rest.flatten().tolist())
    assert len(set(map(tuple, rest.T.tolist()))) == 50
    assert 40 < float(rest.float().mean()) < 60
    assert torch.equal(order, strongest(activation, 10))
    assert not torch.equal(order, strongest(activation, 10, seed=1))
    with pytest.raises(ValueError, match="top: expected 1 to 100, the number of images, got 101"):
        strongest(activation, 101)


def test_turned_words_keep_their_mean_and_distances() -> None:
    words = embeddings(30, 8, 3) + 0.5
    turned = turn(words, torch.Generator().manual_seed(0))
    torch.testing.assert_close(turned.mean(dim=0), words.mean(dim=0))
    apart = [(one[:, None] - one[None]).norm(dim=2) for one in (turned, words)]
    torch.testing.assert_close(*apart, atol=1e-4, rtol=1e-4)
    assert float((turned - words).norm()) > 1


@pytest.mark.parametrize("turns", [0, 20])
def test_units_that_fire_on_anything_have_p_values_that_are_no_smaller_than_uniform(turns: int) -> None:
    units, seeds, small = 40, 6, []
    for seed in range(seeds):
        images, words = embeddings(200, 16, seed), embeddings(25, 16, 100 + seed)
        generator = torch.Generator().manual_seed(seed)
        order = strongest(torch.rand(200, units, generator=generator), 20)
        chosen = soft_wpmi(log_fit(word_probability(images, words), order)).argmax(dim=1)
        found = word_chance(
            images, words, order, chosen, tested=np.ones(units, bool), draws=400, turns=turns, seed=seed
        )
        small += [*(found.p <= 0.1)]
        assert bool((found.q >= found.p).all())
    deviation = math.sqrt(0.1 * 0.9 * len(small))
    assert sum(small) <= 0.1 * len(small) + 3 * deviation
    assert len(small) == units * seeds


def test_a_unit_that_is_not_tested_counts_for_nothing() -> None:
    images, words = embeddings(100, 8, 0), embeddings(6, 8, 1)
    activation = (images @ words.T)[:, :4].clone()
    order = strongest(activation, 10)
    asked = {"draws": 300, "turns": 10, "seed": 0}
    chosen = torch.arange(4)
    tested = np.array([True, True, False, True])
    all_, some = (
        word_chance(images, words, order, chosen, tested=t, **asked) for t in (tested | True, tested)
    )  # type: ignore[arg-type]
    assert (some.p[2], some.q[2]) == (1, 1)
    # one unit alone, at the smallest p of the coarser null: that of 3 · 10 turned words
    assert some.smallest_q == pytest.approx(3 / (1 + 3 * 10))
    assert all_.smallest_q == pytest.approx(4 / (1 + 4 * 10))
    many = np.ones(100, bool)
    asked_for_nothing = word_chance(
        images, words, order[:, :1].expand(-1, 100), torch.zeros(100, dtype=torch.int64), tested=many, turns=0
    )
    # as many draws as let one unit of a hundred pass alone
    assert asked_for_nothing.draws == 2500 and asked_for_nothing.smallest_q < 0.05
    with pytest.raises(ValueError, match="at least 2 draws"):
        word_chance(images, words, order, chosen, tested=tested, draws=1)
    with pytest.raises(ValueError, match="0 turns or at least 2, got 300 and 1"):
        word_chance(images, words, order, chosen, tested=tested, draws=300, turns=1)
