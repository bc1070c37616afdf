"""What is the mean of a measure over scenes, how sure is it, and what could not be measured?

    tally = Tally()
    tally.add_ratio(scene, picture, inside)
    tally.figure("region captions", "diorama-captioner", "Grad-CAM", paper=3.27)

Values of one scene are not independent: the interval is a bootstrap over scenes, not over values.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro_explain.evaluate.regions import chance_of, inside_outside, maximum_point, points_at

LARGEST = 0.5
"""The share of the frame up to which a box has enough outside to tell attention from none."""

RESAMPLES = 2000
_INTERVAL = (2.5, 97.5)  # per cent
_AT_ONCE = 50  # draws at a time, so that a hundred thousand scenes fit
NOTHING_OUTSIDE = "nothing outside, infinite"
TOO_LARGE = "box over half of the frame"
ZERO = "zero map"
POINTLESS = "zero map or several maxima, a miss"
ONE_SIDED = "box that the network sees nothing of, or nothing but"


@dataclass(frozen=True)
class Figure:
    """One row of a report.

    Attributes:
        measure: what is measured.
        network: of what.
        method: by which maps; "" where there are none.
        mean: None if nothing could be measured.
        low, high: ends of the mean's 95 % interval; None with fewer than two scenes.
        median: of the values, infinite ones included; None for shares of hits.
        count: values that the mean is of.
        scenes: scenes that they are of.
        chance: what a point at random would reach, or a uniform map; None where that means nothing.
        apart: how many were counted apart, by the reason.
        paper: the figure of the Grad-CAM paper, on other data with another network; None if it has none.
    """

    measure: str
    network: str
    method: str
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    median: float | None = None
    count: int = 0
    scenes: int = 0
    chance: float | None = None
    apart: Mapping[str, int] = field(default_factory=dict)
    paper: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data; an infinite median is the string "infinity", for which JSON has no number."""
        values = asdict(self)
        if self.median is not None and math.isinf(self.median):
            values["median"] = "infinity"
        return {**values, "apart": dict(self.apart)}


class Tally:
    """Collects the values of one measure."""

    def __init__(self) -> None:
        self._values: list[tuple[int, float]] = []
        self._chances: list[float] = []
        self._apart: Counter[str] = Counter()

    def add(self, scene: int, value: float, *, chance: float | None = None) -> None:
        """Takes a value in: of which scene, and what chance would reach in its place.

        Raises:
            ValueError: NaN.
        """
        if math.isnan(value):
            raise ValueError(f"scene {scene}: expected a number, got NaN")
        self._values.append((scene, value))
        if chance is not None:
            self._chances.append(chance)

    def note(self, reason: str) -> None:
        """Counts something apart."""
        self._apart[reason] += 1

    def add_ratio(self, scene: int, picture: NDArray[np.float64], inside: NDArray[np.bool_]) -> None:
        """Takes in the ratio of a map's mean inside a region to that outside; see `regions.inside_outside`."""
        known = np.isfinite(picture)
        if inside[known].all() or not inside[known].any():
            self.note(ONE_SIDED)
        elif (ratio := inside_outside(picture, inside)) is None:
            self.note(ZERO)
        else:
            self.add(scene, ratio)

    def add_hit(self, scene: int, picture: NDArray[np.float64], pixels: NDArray[np.bool_]) -> None:
        """Takes in whether a map points at these pixels, and how often chance would; see `regions.points_at`."""
        if maximum_point(picture) is None:
            self.note(POINTLESS)
        self.add(scene, float(points_at(picture, pixels)), chance=chance_of(picture, pixels))

    def figure(
        self,
        measure: str,
        network: str,
        method: str,
        *,
        chance: float | None = None,
        median: bool = True,
        paper: float | None = None,
    ) -> Figure:
        """The row of this measure. Infinite values count in the median; the mean is of the others.

        Args:
            measure, network, method, paper: as in `Figure`.
            chance: where it is the same for all values.
            median: whether there is one to report.
        """
        finite = [(scene, value) for scene, value in self._values if math.isfinite(value)]
        apart = Counter(self._apart)
        apart[NOTHING_OUTSIDE] += len(self._values) - len(finite)
        low, high = bootstrap_interval(finite)
        if self._chances:
            chance = float(np.mean(self._chances))
        everything = sorted(value for _, value in self._values)
        return Figure(
            measure=measure,
            network=network,
            method=method,
            mean=float(np.mean([value for _, value in finite])) if finite else None,
            low=low,
            high=high,
            median=_median(everything) if median and everything else None,
            count=len(finite),
            scenes=len({scene for scene, _ in finite}),
            chance=chance,
            apart={reason: count for reason, count in apart.items() if count},
            paper=paper,
        )


def bootstrap_interval(
    values: list[tuple[int, float]], *, seed: int = 0
) -> tuple[float | None, float | None]:
    """The ends of the mean's 95 % interval, by drawing scenes with replacement.

    Args:
        values: each with its scene; finite.
        seed: of the draws.

    Returns:
        (None, None) for fewer than two scenes.
    """
    scenes = sorted({scene for scene, _ in values})
    if len(scenes) < 2:
        return None, None
    place = {scene: number for number, scene in enumerate(scenes)}
    sums, counts = np.zeros(len(scenes)), np.zeros(len(scenes))
    for scene, value in values:
        sums[place[scene]] += value
        counts[place[scene]] += 1
    return drawn_interval(len(scenes), lambda drawn: (drawn @ sums) / (drawn @ counts), seed=seed)


def drawn_interval(
    scenes: int, means: Callable[[NDArray[np.int64]], NDArray[np.float64]], *, seed: int = 0
) -> tuple[float, float]:
    """The ends of a figure's 95 % interval, by drawing scenes with replacement.

    Args:
        scenes: how many there are.
        means: the figure in each of some draws, `[R]`, from how often each scene is in it, `[R, scenes]`.
        seed: of the draws.
    """
    even = np.full(scenes, 1 / scenes)
    random = np.random.default_rng(seed)
    parts = [
        means(random.multinomial(scenes, even, size=min(_AT_ONCE, RESAMPLES - start)))
        for start in range(0, RESAMPLES, _AT_ONCE)
    ]
    low, high = np.percentile(np.concatenate(parts), _INTERVAL)
    return float(low), float(high)


def _median(ordered: list[float]) -> float:
    """The median; between a finite and an infinite value it is infinite."""
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
