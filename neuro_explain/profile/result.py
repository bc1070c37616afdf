"""What a profile holds, and the shapes in which it is handed on: tables for pandas, plain data, lines, an artifact.

Arrays are `[G]`, a value for each of `Profile.concepts`; the last concept is None, "(unnamed)", if there are units
without a name. NaN stands for what cannot be said, and is null in plain data.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from dissection.concepts import Concept
from neuro_explain.profile.significance import LEAST, LEVEL
from neuro_explain.profile.slices import Of

if TYPE_CHECKING:
    import pandas as pd

KIND = "profile"
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class ClassProfile:
    """What speaks for and against one class.

    Attributes:
        number, name: of the class.
        images: that the means are of.
        predicted: images predicted as it.
        labelled: images labelled as it that could be read.
        right: those of them that were predicted as it.
        mean: of the contribution of each concept to the class.
        low, high: ends of the mean's 95 % interval; NaN for fewer than ten images.
        share: of all that is said either way, 0…1; they add up to 1.
        positive: share of the images with a contribution above zero.
    """

    number: int
    name: str
    images: int
    predicted: int
    labelled: int
    right: int
    mean: Numbers
    low: Numbers
    high: Numbers
    share: Numbers
    positive: Numbers


@dataclass(frozen=True)
class Side:
    """Images of a class in one of two groups; how many have a label, and how many are right."""

    images: int
    labelled: int
    right: int


@dataclass(frozen=True)
class Difference:
    """Two groups of a class's images.

    Attributes:
        number, name: of the class.
        first, second: the groups.
        first_mean, second_mean: of the contribution of each concept; NaN for a group without images.
        difference: first − second.
        low, high: ends of its 95 % interval.
        p: of Welch's test; NaN where nothing is tested.
        q: p corrected for all tests of the profile.
        d: Cohen's d, the difference in standard deviations.
    """

    number: int
    name: str
    first: Side
    second: Side
    first_mean: Numbers
    second_mean: Numbers
    difference: Numbers
    low: Numbers
    high: Numbers
    p: Numbers
    q: Numbers
    d: Numbers

    @property
    def tested(self) -> bool:
        """Are there images enough on both sides?"""
        return min(self.first.images, self.second.images) >= LEAST


@dataclass(frozen=True)
class Comparison:
    """Two groups of images, class by class.

    Attributes:
        name: of the comparison.
        first, second: names of the groups.
        about: what is compared, in words.
        classes: a difference for each class of the profile.
    """

    name: str
    first: str
    second: str
    about: str
    classes: tuple[Difference, ...]

    @property
    def tests(self) -> int:
        """How many tests were made."""
        return sum(int((~np.isnan(one.p)).sum()) for one in self.classes)

    @property
    def findings(self) -> int:
        """How many have q up to 0.05."""
        return sum(int((one.q <= LEVEL).sum()) for one in self.classes)

    def ranked(self) -> list[tuple[Difference, int]]:
        """Every test, as a class's difference and the place of a concept: findings first, by the size of d."""
        tested = [(one, place) for one in self.classes for place in np.flatnonzero(~np.isnan(one.p)).tolist()]
        return sorted(tested, key=lambda row: (not row[0].q[row[1]] <= LEVEL, -abs(row[0].d[row[1]])))


@dataclass(frozen=True)
class Profile:
    """Which concepts speak for and against each class; see the package for the definitions.

    Attributes:
        model, layer, weights_fingerprint: of the network.
        data_fingerprint, source: of the images.
        of: whether a class's images are those predicted as it or those labelled as it.
        compare: what was asked to be compared, if anything.
        asked: names of the classes that were asked for; empty if none were.
        top: how many concepts to show for and against a class.
        images: in the run.
        errors: of them, could not be read.
        labelled: of those read, have a label.
        right: of those labelled, were predicted as labelled.
        all_classes: how many classes the network has.
        few: classes left out because they have fewer than ten images (but some).
        concepts: G concepts; None for the units without a name.
        units: of each concept, int64 `[G]`.
        classes: the profiles.
        comparisons: what was compared.
    """

    model: str
    layer: str
    weights_fingerprint: str | None
    data_fingerprint: str | None
    source: str
    of: Of
    compare: str | None
    asked: tuple[str, ...]
    top: int
    images: int
    errors: int
    labelled: int
    right: int
    all_classes: int
    few: int
    concepts: tuple[Concept | None, ...]
    units: NDArray[np.int64]
    classes: tuple[ClassProfile, ...]
    comparisons: tuple[Comparison, ...]

    def strongest(self, one: ClassProfile, side: Literal["for", "against"]) -> list[int]:
        """Places of the concepts that speak most for or against a class, by their means; unnamed units left out."""
        sign = 1 if side == "for" else -1
        named = [place for place, concept in enumerate(self.concepts) if concept is not None]
        speaking = [place for place in named if sign * one.mean[place] > 0]
        return sorted(speaking, key=lambda place: -sign * one.mean[place])[: self.top]

    def to_frame(self) -> pd.DataFrame:
        """A row for each class and concept; the concept of units without a name is missing."""
        from neuro_explain.profile.frames import means_frame

        return means_frame(self)

    def compare_frame(self) -> pd.DataFrame:
        """A row for each comparison, class and concept, tested or not; no rows if nothing was compared."""
        from neuro_explain.profile.frames import differences_frame

        return differences_frame(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, which is also `profile.json`: numbers to seven digits, in the order of `concepts`."""
        return {
            "model": self.model,
            "layer": self.layer,
            "source": self.source,
            "of": self.of,
            "compare": self.compare,
            "asked": list(self.asked),
            "top": self.top,
            "least": LEAST,
            "level": LEVEL,
            "images": self.images,
            "errors": self.errors,
            "labelled": self.labelled,
            "right": self.right,
            "all_classes": self.all_classes,
            "few": self.few,
            "concepts": [
                {
                    "name": concept and concept.name,
                    "category": concept and concept.category,
                    "units": int(count),
                }
                for concept, count in zip(self.concepts, self.units, strict=True)
            ],
            "classes": [
                {
                    **_fields(one, ("number", "name", "images", "predicted", "labelled", "right")),
                    "for": self.strongest(one, "for"),
                    "against": self.strongest(one, "against"),
                    **_numbers(one, ("mean", "low", "high", "share", "positive")),
                }
                for one in self.classes
            ],
            "comparisons": [self._compared(comparison) for comparison in self.comparisons],
        }

    def _compared(self, comparison: Comparison) -> dict[str, Any]:
        columns = ("first_mean", "second_mean", "difference", "low", "high", "p", "q", "d")
        place = {one.number: row for row, one in enumerate(comparison.classes)}
        return {
            **_fields(comparison, ("name", "first", "second", "about", "tests", "findings")),
            "classes": [
                {
                    **_fields(one, ("number", "name", "tested")),
                    "first": _fields(one.first, ("images", "labelled", "right")),
                    "second": _fields(one.second, ("images", "labelled", "right")),
                    **_numbers(one, columns),
                }
                for one in comparison.classes
            ],
            "ranked": [[place[one.number], concept] for one, concept in comparison.ranked()],
        }

    def lines(self) -> list[str]:
        """The profile for people."""
        from neuro_explain.profile.lines import profile_lines

        return profile_lines(self)

    def save(
        self,
        folder: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        command: list[str] | None = None,
    ) -> Path:
        """Writes `manifest.json` and `profile.json`; `write_report` makes the page.

        Args:
            folder: of the new artifact.
            overwrite: whether an older profile there is replaced.
            command: the command line, paths cut to their last part.

        Raises:
            ArtifactError: the folder holds another artifact, or cannot be written to.
        """
        from dissection.artifact import describe_run, new_artifact, write_json

        described = describe_run(
            KIND,
            model=self.model,
            layer=self.layer,
            weights_fingerprint=self.weights_fingerprint,
            data_fingerprint=self.data_fingerprint,
            options={"of": self.of, "compare": self.compare, "class": list(self.asked), "top": self.top},
            command=command,
        )
        with new_artifact(folder, described, overwrite=overwrite) as draft:
            write_json(draft / "profile.json", self.to_dict())
        return Path(folder)


def _fields(one: object, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(one, name) for name in names}


def _numbers(one: object, names: Sequence[str]) -> dict[str, list[float | None]]:
    """Columns as lists, NaN as None, to seven digits, which is what float32 contributions have."""
    return {
        name: [None if np.isnan(value) else float(f"{value:.7g}") for value in getattr(one, name).tolist()]
        for name in names
    }
