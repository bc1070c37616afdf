"""Does a map also say that a class is not there? The pointing game with recall (Selvaraju et al. 2019, Sec. 4.3).

The maps of the five best classes are looked at. A map whose maximum is under a threshold rejects its class. A class
that is in the photograph is a hit if it is not rejected and the map points at it; one that is not there is a hit if it
is rejected. Only classes that stand for a category are asked: of others nobody annotated whether they are there.

The paper does not say how its threshold was chosen. Here it is given, or chosen on one half of the photographs, drawn
at random, as the one with the most hits (of equally good ones the lowest), and the hits are counted on the other half.
With fewer than ten photographs that are asked, halves tell nothing: there is no row, and a note says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro_explain.evaluate.class_map import ClassMap
from neuro_explain.evaluate.shares import Shares
from neuro_explain.evaluate.shown import Shown
from neuro_explain.evaluate.tally import Figure

TOP = 5
LEAST = 10
"""Photographs that must have been asked before a threshold is chosen on half of them."""
REJECTING = "recall variant"
PAPER = 0.7058  # Grad-CAM on VGG-16, COCO; c-MWP 0.6030

Point = tuple[int, int] | None


@dataclass(frozen=True)
class _Answer:
    """A map of one of the best classes: its maximum before resizing, whether it points at it, whether it is there."""

    photograph: int
    category: str
    maximum: float
    pointed: bool
    present: bool

    def hit(self, threshold: float) -> bool:
        kept = self.maximum >= threshold
        return kept and self.pointed if self.present else not kept


@dataclass(frozen=True)
class Recalled:
    """Rows, sentences, and the thresholds by the method's title."""

    figures: tuple[Figure, ...]
    notes: tuple[str, ...]
    more: Mapping[str, Any]


class Recall:
    """Collects the maps of the best classes, by the method's title."""

    def __init__(self, titles: Sequence[str]) -> None:
        self._answers: dict[str, list[_Answer]] = {title: [] for title in titles}
        self._looked = 0
        self._unknown = 0
        self._difficult = 0

    def take_in(
        self,
        shown: Shown,
        points: Mapping[tuple[str, int], Point],
        classes: ClassMap,
        pixels: Mapping[str, NDArray[np.bool_] | None],
    ) -> None:
        """Takes in the best classes of a photograph.

        Args:
            shown: with the maps of those that stand for a category.
            points: of all maps, by the method's title and the class.
            classes: which classes stand for which category.
            pixels: of each category in the photograph, where a point is a hit; None if only difficult ones are there.
        """
        for number in shown.ranked(TOP):
            self._looked += 1
            meant = classes.categories_of(number)
            there = [category for category in meant if category in pixels]
            if not meant:
                self._unknown += 1
                continue
            regions = [region for category in there if (region := pixels[category]) is not None]
            if there and not regions:
                self._difficult += 1
                continue
            for title, answers in self._answers.items():
                point = points[title, number]
                pointed = point is not None and any(bool(region[point]) for region in regions)
                maximum = float(shown.maps[title][number].max())
                name = there[0] if there else meant[0]
                answers.append(_Answer(shown.number, name, maximum, pointed, bool(there)))

    def judged(self, network: str, threshold: float | None, photographs: int, seed: int) -> Recalled:
        """Rows of all methods: with rejection, and without; none if a threshold would need more photographs.

        Args:
            network: its name.
            threshold: under which a map rejects its class; chosen on a half if None.
            photographs: how many the set has.
            seed: of the halves.
        """
        order = np.random.default_rng(seed).permutation(photographs)
        chosen_on = set() if threshold is not None else set(order[: photographs // 2].tolist())
        asked = {one.photograph for answers in self._answers.values() for one in answers}
        if threshold is None and (len(asked) < LEAST or asked <= chosen_on or not asked & chosen_on):
            few = (
                f"recall variant: too few photographs for a threshold ({len(asked)} asked, "
                f"{LEAST} are needed); give --reject-below"
            )
            return Recalled((), (few, *self._left_out()), {"recall_thresholds": {}})
        figures, thresholds = [], {}
        for title, answers in self._answers.items():
            chosen = (
                best_threshold([one for one in answers if one.photograph in chosen_on])
                if threshold is None
                else threshold
            )
            thresholds[title] = chosen
            for measure, limit in ((REJECTING, chosen), (f"{REJECTING}, none rejected", 0.0)):
                shares = Shares()
                for one in answers:
                    if one.photograph not in chosen_on:
                        shares.add(one.photograph, one.category, float(one.hit(limit)))
                paper = PAPER if title == "Grad-CAM" and measure == REJECTING else None
                figures.append(shares.figures(measure, network, title, paper=paper)[0])
        shown = ", ".join(f"{title} {value:.4g}" for title, value in thresholds.items())
        how = (
            "given"
            if threshold is not None
            else "chosen on one half of the photographs, counted on the other"
        )
        how_rejected = (
            f"recall variant: a map whose maximum is under the threshold rejects its class; {how}: {shown}"
        )
        return Recalled(tuple(figures), (how_rejected, *self._left_out()), {"recall_thresholds": thresholds})

    def _left_out(self) -> list[str]:
        return [
            f"recall variant: {count:,} of the {self._looked:,} best classes {why}"
            for count, why in (
                (self._unknown, "not asked: no category that they stand for"),
                (self._difficult, "left out: nothing but difficult ones there"),
            )
            if count
        ]


def best_threshold(answers: Sequence[_Answer]) -> float:
    """The threshold with the most hits; of equally good ones the lowest, 0 (none rejected) if there are no answers.

    Tried are 0, the middle between each two neighbouring maxima, and one above all.
    """
    if not answers:
        return 0.0
    maxima = np.unique([one.maximum for one in answers])
    tried = np.concatenate([[0.0], (maxima[1:] + maxima[:-1]) / 2, [np.nextafter(maxima[-1], np.inf)]])
    # hits as a function of the threshold: those that are lost and won as it passes each maximum
    ordered = sorted(answers, key=lambda one: one.maximum)
    change = np.array([-int(one.pointed) if one.present else 1 for one in ordered])
    passed = np.searchsorted([one.maximum for one in ordered], tried, side="left")
    hits = np.concatenate([[0], np.cumsum(change)])[passed]
    return float(tried[int(hits.argmax())])
