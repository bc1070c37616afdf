"""Could it be chance that a word fits what a unit fires on?

    found = word_chance(images, words, order, chosen, draws=2000, turns=50, seed=0)
    found.q                                             # [U]

A word is chosen among thousands, so some word fits any images. Two things may be chance, and a name has to beat both:

* *The images.* Were the unit's strongest images any images, how well would the word fit them that fits them best?
  Images are drawn, in any order, and scored as a unit's. How well a word fits is counted in standard deviations of its
  fit to such draws, and the best of all words is what the unit's word is compared with (Westfall and Young's max-T),
  so that having looked at all words is paid for. Only ranks count, hence one null serves all units.
* *The words.* Embeddings of images that look alike lie together, also those of a network that has learned nothing: a
  direction that means nothing will fit a unit that sees, say, brightness. So all words are turned together at random
  about their mean, by which they keep their distances and lose what they mean, and the best of the turned words is what
  the unit's word is compared with. The null is that of its own unit, pooled over units as in `chance`.

p is the larger of the two, q the false discovery rate over units (Benjamini and Hochberg 1995).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dissection.chance import false_discovery_rate, pooled_p
from dissection.word_match import SHARPNESS, log_fit, word_probability

DRAWS = 2000
DRAWS_PER_UNIT = 25
"""So many at least, so that one unit alone can reach a q of 0.04, however many units there are."""
TURNS = 50
_BLOCK = 2000  # draws that are scored at a time; the first of them tell a word's mean and deviation
_TURNED_DRAWS = 200  # likewise for a turned word
_FLAT = 1e-6


@dataclass(frozen=True)
class WordChance:
    """What chance says of the words of U units.

    Attributes:
        p: p-value of each unit's word, float64 `[U]`; 1 for a unit that was not tested.
        q: false discovery rate, float64 `[U]`.
        fit: how well the word fits, in standard deviations of its fit to any images, float64 `[U]`.
        smallest_q: what a single unit could reach.
        draws, turns, seed: as asked.
    """

    p: NDArray[np.float64]
    q: NDArray[np.float64]
    fit: NDArray[np.float64]
    smallest_q: float
    draws: int
    turns: int
    seed: int


def word_chance(
    images: Tensor,
    words: Tensor,
    order: Tensor,
    chosen: Tensor,
    *,
    tested: NDArray[np.bool_],
    draws: int | None = None,
    turns: int = TURNS,
    seed: int = 0,
    sharpness: float = SHARPNESS,
) -> WordChance:
    """How likely chance alone gives each unit as good a word.

    Args:
        images, words: embeddings of length 1, `[N, D]` and `[W, D]`.
        order: each unit's strongest images, `[K, U]`.
        chosen: the number of each unit's word `[U]`, chosen by whatever rule.
        tested: bool `[U]`; the others get 1 and are not counted.
        draws: of images, at least 2; `DRAWS` or more if not given.
        turns: of the words, at least 2, or 0 to leave that question out.
        seed: of both.
        sharpness: see `word_match`.

    Raises:
        ValueError: too few draws or turns.
    """
    if draws is None:
        draws = max(DRAWS, DRAWS_PER_UNIT * int(tested.sum()))
    if draws < 2 or turns < 0 or turns == 1:
        raise ValueError(f"expected at least 2 draws, and 0 turns or at least 2, got {draws} and {turns}")
    generator = torch.Generator().manual_seed(seed)
    top, units = order.shape
    drawn = torch.stack([torch.randperm(len(images), generator=generator)[:top] for _ in range(draws)], dim=1)
    probability = word_probability(images, words, sharpness=sharpness)
    mean, deviation = _spread(log_fit(probability, drawn[:, :_BLOCK]))
    best_of_null = np.concatenate(
        [
            ((log_fit(probability, drawn[:, i : i + _BLOCK]) - mean) / deviation).amax(dim=1).double().cpu()
            for i in range(0, draws, _BLOCK)
        ]
    )
    fits = (log_fit(probability, order) - mean) / deviation
    observed = fits[torch.arange(units), chosen.to(fits.device)].double().cpu().numpy()
    p = (1 + draws - np.searchsorted(np.sort(best_of_null), observed)) / (1 + draws)
    smallest = 1 / (1 + draws)
    if turns and tested.any():
        best_of_turned = np.empty((turns, units))
        for row in best_of_turned:
            turned = word_probability(images, turn(words, generator), sharpness=sharpness)
            around, scale = _spread(log_fit(turned, drawn[:, :_TURNED_DRAWS]))
            row[:] = ((log_fit(turned, order) - around) / scale).amax(dim=1).double().cpu().numpy()
        by_words, least = pooled_p(observed, best_of_turned, tested)
        p, smallest = np.maximum(p, by_words), max(smallest, least)
    p[~tested] = 1
    q = np.ones(units)
    q[tested] = false_discovery_rate(p[tested])
    return WordChance(
        p=p,
        q=q,
        fit=observed,
        smallest_q=min(1.0, smallest * max(1, int(tested.sum()))),
        draws=draws,
        turns=turns,
        seed=seed,
    )


def turn(words: Tensor, generator: torch.Generator) -> Tensor:
    """The words' embeddings `[W, D]` turned at random about their mean.

    Their mean stays, since words lie apart from images as a whole; so do their distances from it and from one another.
    """
    size = words.shape[1]
    axes, upper = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    axes = axes * upper.diagonal().sign()  # else the turns would not be equally likely
    mean = words.mean(dim=0)
    turned: Tensor = mean + (words - mean) @ axes.to(words)
    return turned


def _spread(fit: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each word's fit over draws, `[W]` each."""
    return fit.mean(dim=0), fit.std(dim=0).clamp_min(_FLAT)
