"""What does a perturbation that fools the network do to the evidence? Maps and units, before and after.

    found = fool(model, "cat.jpg", "airliner", names)
    found.perturbed.probability                 # over 0.9999
    found.classes[0].correlation                # of the map of a class that is there, before and after

The Grad-CAM paper (Sec. 6.2, Fig. 7): a network is made to be sure of a class that is absent, and hardly gives the
present ones any probability; their maps still show where they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from dissection.names import Names, UnitName
from dissection.recording import evaluating
from neuro_explain.evaluate.adversarial import (
    CONFIDENCE,
    EPSILON,
    LEVELS,
    STEP,
    STEPS,
    Perturbed,
    as_picture,
    perturb,
    pixel_range,
)
from neuro_explain.evaluate.ranks import rank_correlation
from neuro_explain.evidence import RankBy, TargetEvidence, UnitEvidence
from neuro_explain.inquiry import Findings, ImageSource, open_inquiry, read_photo
from neuro_explain.model import Model
from neuro_explain.sentence import percent
from neuro_explain.speaking import check_classifier
from neuro_explain.targets import Target, class_probabilities

PRESENT = 2  # classes, the network's best, that count as present where none are named


class NotReachedError(ValueError):
    """The network could not be made as confident as was asked for."""


@dataclass(frozen=True, eq=False)
class ClassEffect:
    """The evidence for one class, before and after.

    Attributes:
        before, after: the evidence.
        correlation: Spearman's, of the two maps; None where one of them has no order.
        absent: whether it is the class that the network was made to say.
    """

    before: TargetEvidence
    after: TargetEvidence
    correlation: float | None
    absent: bool

    @property
    def entered(self) -> tuple[UnitEvidence, ...]:
        """Units that are among the strongest for the class after, and were not before."""
        return _without(self.after.top, self.before.top)

    @property
    def left(self) -> tuple[UnitEvidence, ...]:
        """Units that were among the strongest for the class before, and are not after."""
        return _without(self.before.top, self.after.top)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, without the maps."""
        return {
            "class": self.before.label,
            "absent": self.absent,
            "probability_before": self.before.probability,
            "probability_after": self.after.probability,
            "rank_correlation": self.correlation,
            "entered": [_unit(one) for one in self.entered],
            "left": [_unit(one) for one in self.left],
        }


@dataclass(frozen=True, eq=False)
class Fooled:
    """One image, before and after.

    Attributes:
        name: the image's.
        perturbed: the change.
        before, after: what the network saw, as 8-bit pictures.
        rounded: the probability of the absent class in the picture `after`, whose values are whole steps.
        said: (class, probability) of the network's best class before.
        classes: the present ones, then the absent one.
        confidence: the probability that was to be exceeded.
        fingerprint: of the photograph's bytes.
    """

    name: str
    perturbed: Perturbed
    before: Image.Image
    after: Image.Image
    rounded: float
    said: tuple[str, float]
    classes: tuple[ClassEffect, ...]
    confidence: float
    fingerprint: str

    @property
    def absent(self) -> ClassEffect:
        """The class that the network was made to say."""
        return self.classes[-1]

    @property
    def largest(self) -> float:
        """The largest change of a value, in steps of an 8-bit picture."""
        return float(self.perturbed.change.abs().max())

    @property
    def mean(self) -> float:
        """The mean change of a value, likewise."""
        return float(self.perturbed.change.abs().mean())

    def lines(self) -> list[str]:
        """What was found, for people."""
        absent = self.absent.before.label
        lines = [
            f"{self.name}: {absent} {percent(self.perturbed.before)} before, "
            f"{percent_over(self.perturbed.probability, self.confidence)} after; steps: {self.perturbed.steps}; "
            f"largest change {self.largest:.1f}, mean {self.mean:.1f} of {LEVELS}"
        ]
        for one in self.classes:
            correlation = "no order" if one.correlation is None else f"{one.correlation:.2f}"
            lines.append(
                f"  map of {one.before.label}: rank correlation {correlation}; {len(one.entered)} units new among its "
                f"{len(one.after.top)} strongest"
            )
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Plain data, without pictures."""
        return {
            "image": self.name,
            "fingerprint": self.fingerprint,
            "said_before": {"class": self.said[0], "probability": self.said[1]},
            "probability": self.perturbed.probability,
            "probability_as_8_bit_picture": self.rounded,
            "steps": self.perturbed.steps,
            "largest_change": self.largest,
            "mean_change": self.mean,
            "classes": [one.to_dict() for one in self.classes],
        }


def percent_over(probability: float, threshold: float) -> str:
    """A probability for reading; above the threshold with so many decimals that it reads above it too."""
    said = percent(probability)
    if probability <= threshold or said.startswith("over"):
        return said
    for decimals in range(1, 7):
        shown = f"{100 * probability:.{decimals}f}"
        if 100 * threshold < float(shown) < 100:
            return said if float(said.removesuffix(" %")) >= float(shown) else f"{shown} %"
    return f"over {percent(threshold)}"


def unnamed(model: Model) -> Names:
    """Names for the units of the model's layer that say nothing, where there was no dissection."""
    units = tuple(UnitName(unit, None) for unit in range(model.units))
    return Names(units, model.layer, None, "no names", (), None, None, {})


def fool(
    model: Model,
    image: ImageSource,
    absent: str | int,
    names: Names | None = None,
    *,
    present: Sequence[str | int] = (),
    confidence: float = CONFIDENCE,
    epsilon: float = EPSILON,
    step: float = STEP,
    steps: int = STEPS,
    top: int = 5,
    rank_by: RankBy = "contribution",
) -> Fooled:
    """Makes the network say a class that is absent, and compares the evidence.

    Args:
        model: the network.
        image: a photograph.
        absent: the class, by name or number.
        names: of the units of the model's layer.
        present: classes that the photograph shows; the network's two best if none are given.
        confidence, epsilon, step, steps: see `perturb`.
        top: how many of the strongest units count.
        rank_by: what makes a unit strong.

    Raises:
        NotReachedError: the network did not become so confident.
        ArtifactError: names of another layer or of other weights.
        ValueError: the class is what the network says anyway, or among the present ones; an unreadable image.
    """
    check_classifier(model)
    index = model.class_index(absent)
    given = list(dict.fromkeys(model.class_index(one) for one in present))
    if index in given:
        raise ValueError(f"present: {model.classes[index]!r} cannot be absent too; give it as one of the two")
    inquiry = open_inquiry(
        model,
        unnamed(model) if names is None else names,
        top=top,
        rank_by=rank_by,
        named_only=False,
        check=False,
        draws=1,
        seed=0,
    )
    photo = read_photo(image)
    prepared = model.prepare(photo.image)
    predicted: list[tuple[str, float]] = []

    def choose(output: Tensor) -> list[Target]:
        probabilities = class_probabilities(output.float().cpu())[0]
        ranked = probabilities.argsort(descending=True, stable=True).tolist()
        predicted.append((model.classes[ranked[0]], float(probabilities[ranked[0]])))
        if ranked[0] == index:
            raise ValueError(
                f"{photo.name}: the network says {model.classes[index]!r} of it anyway; give a class that is absent"
            )
        others = given or [one for one in ranked if one != index][:PRESENT]
        return _targets(model, [*others, index])

    was = inquiry.examine(model.net, prepared, model.layer, choose, image_name=photo.name)
    targets = _targets(model, [one.index for one in was.evidence if one.index is not None])
    low, high = pixel_range(model.preprocess)
    found = perturb(
        model.net,
        prepared,
        index,
        low=low,
        high=high,
        confidence=confidence,
        epsilon=epsilon,
        step=step,
        steps=steps,
    )
    if not found.reached:
        raise NotReachedError(
            f"{photo.name}: after {found.steps} steps the network gives {model.classes[index]!r} "
            f"{percent(found.probability)} ({percent(found.before)} before), not over {percent(confidence)}; allow "
            f"more steps or a larger epsilon, now {255 * epsilon:.3g} of 255"
        )
    after = found.image.to(prepared.dtype)
    now = inquiry.examine(model.net, after, model.layer, lambda _output: targets, image_name=photo.name)
    picture = as_picture(found.image, model.preprocess)
    return Fooled(
        photo.name,
        found,
        as_picture(prepared, model.preprocess),
        picture,
        _probability(model, picture, index),
        predicted[0],
        tuple(_effects(was, now, index)),
        confidence,
        photo.fingerprint,
    )


def _targets(model: Model, classes: Sequence[int]) -> list[Target]:
    return [Target.of_class(one, model.classes[one]) for one in classes]


def _probability(model: Model, picture: Image.Image, index: int) -> float:
    # probe: the picture has the input's size already, and the centre crop would resize it
    image = model.preprocess.probe(picture)[None].to(model.device, model.dtype)
    with evaluating(model.net) as plain, torch.no_grad():
        return float(class_probabilities(plain(image))[0, index])


def _effects(was: Findings, now: Findings, absent: int) -> Iterator[ClassEffect]:
    for before, after in zip(was.evidence, now.evidence, strict=True):
        correlation = rank_correlation(before.map, after.map)
        yield ClassEffect(before, after, correlation, before.index == absent)


def _without(units: Sequence[UnitEvidence], others: Sequence[UnitEvidence]) -> tuple[UnitEvidence, ...]:
    known = {one.index for one in others}
    return tuple(one for one in units if one.index not in known)


def _unit(one: UnitEvidence) -> dict[str, Any]:
    return {"unit": one.index, "concept": None if one.concept is None else one.concept.name}
