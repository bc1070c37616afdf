"""What does a network get wrong, and what speaks for the wrong class? Its failures over labelled images.

    found = find_failures(model, open_inputs("photographs", classes=model.classes), names)
    found.wrong[0].said, found.wrong[0].true, found.wrong[0].probability
    found.confusions(), found.concepts

For each wrong image the contrast of the class that it said and the true one is explained (`Target.contrast`), and the
concepts are counted whose units are among the strongest for the wrong one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dissection.artifact import ArtifactError
from dissection.concepts import Concept
from dissection.images import ImageError, read_image
from dissection.recording import evaluating
from neuro_explain.evaluate.estimate import Estimate, share_of
from neuro_explain.evidence import RankBy
from neuro_explain.image_lists import UNKNOWN
from neuro_explain.inputs import Inputs
from neuro_explain.inquiry import Inquiry, NamesSource, open_inquiry
from neuro_explain.model import Model
from neuro_explain.speaking import check_classifier
from neuro_explain.targets import Target, class_probabilities

MOST = 1000  # wrong images whose contrast is explained


@dataclass(frozen=True)
class Failure:
    """One image of which the network says something else than its label.

    Attributes:
        number: in the inputs, from 0.
        name: its id.
        said, true: class numbers; where a label stands for several classes, `true` is the one scored highest.
        label: what its label is called.
        probability, of_true: of the two classes, in 0…1.
    """

    number: int
    name: str
    said: int
    true: int
    label: str
    probability: float
    of_true: float


@dataclass(frozen=True)
class Blamed:
    """A concept that speaks for the wrong class.

    Attributes:
        concept: its name.
        count: wrong images in which one of its units is among the strongest for the wrong class.
        label, said: the confusion in which it does so most often.
        of_these: how many of the images are of that confusion.
    """

    concept: Concept
    count: int
    label: str
    said: str
    of_these: int


@dataclass(frozen=True, eq=False)
class Failures:
    """What was found over all images.

    Attributes:
        classes: of the network.
        images: how many there are.
        unlabelled: of these have no label.
        unreadable: what could not be read, and why.
        judged: labelled images that could be read.
        wrong: those named wrongly, the most confident first.
        asked: so many of these were asked what spoke for the wrong class, evenly over the list.
        concepts: what did, most often first.
        top: so many units count as the strongest.
    """

    classes: tuple[str, ...]
    images: int
    unlabelled: int
    unreadable: dict[str, str]
    judged: int
    wrong: tuple[Failure, ...]
    asked: int
    concepts: tuple[Blamed, ...]
    top: int

    def confusions(self) -> list[tuple[str, str, int]]:
        """(label, class said, images), the commonest first."""
        counts = Counter((one.label, self.classes[one.said]) for one in self.wrong)
        return [
            (*pair, count) for pair, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        ]

    def share(self) -> Estimate:
        """The share of the images judged that are wrong."""
        return share_of([True] * len(self.wrong) + [False] * (self.judged - len(self.wrong)))

    def lines(self) -> list[str]:
        """The failures for people, in a few lines."""
        lines = [f"{len(self.wrong):,} of {self.judged:,} labelled images named wrongly"]
        if self.unreadable:
            lines[0] += f"; {len(self.unreadable):,} could not be read"
        lines += [f"{label} taken for {said}: {count:,}" for label, said, count in self.confusions()[:5]]
        lines += [
            f"{one.concept.name} speaks for the wrong class in {one.count:,} of {self.asked:,}"
            for one in self.concepts[:5]
        ]
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "images": self.images,
            "unlabelled": self.unlabelled,
            "unreadable": dict(self.unreadable),
            "judged": self.judged,
            "wrong": [
                {
                    "image": one.name,
                    "label": one.label,
                    "true": self.classes[one.true],
                    "said": self.classes[one.said],
                    "probability": one.probability,
                    "probability_of_true": one.of_true,
                }
                for one in self.wrong
            ],
            "confusions": [
                {"label": label, "said": said, "images": count} for label, said, count in self.confusions()
            ],
            "asked": self.asked,
            "top": self.top,
            "concepts": [
                {
                    "concept": one.concept.name,
                    "category": one.concept.category,
                    "images": one.count,
                    "label": one.label,
                    "said": one.said,
                    "of_these": one.of_these,
                }
                for one in self.concepts
            ],
        }


def find_failures(
    model: Model,
    inputs: Inputs,
    names: NamesSource,
    *,
    top: int = 5,
    rank_by: RankBy = "contribution",
    most: int = MOST,
    batch_size: int = 16,
    progress: bool = False,
) -> Failures:
    """Goes through all labelled images, and asks the wrong ones why.

    Args:
        model: the network.
        inputs: the images.
        names: of the units of the model's layer.
        top: how many units count as the strongest for the wrong class.
        rank_by: what makes a unit strong.
        most: how many wrong images to ask at most, evenly over the list.
        batch_size: images that go through the network at once.
        progress: show a bar.

    Raises:
        ArtifactError: names of another layer, of other weights, or of another number of units.
        ValueError: no image has a label; none with one can be read; scores that are not finite.
    """
    check_classifier(model)
    for name, value in (("most", most), ("batch_size", batch_size)):
        if value < 1:
            raise ValueError(f"{name}: expected at least 1, got {value}")
    if inputs.labels is None:
        raise ValueError(
            "images: none has a label, so nobody can tell which answers are wrong: "
            f"{inputs.unlabelled or 'there are no labels'}; labels that are not the model's classes are taken with "
            "label_classes, which says of each what classes it stands for"
        )
    inquiry = open_inquiry(
        model, names, top=top, rank_by=rank_by, named_only=False, check=False, draws=1, seed=0
    )
    # names without a fingerprint may be of anything; better said now than at the first wrong image
    if len(inquiry.names) != model.units:
        raise ArtifactError(
            f"the names ({inquiry.names.source}) are those of {len(inquiry.names)} units, layer {model.layer!r} of "
            f"{model.name} has {model.units}; use the names of this layer"
        )
    labelled: list[int] = np.flatnonzero(inputs.labels != UNKNOWN).tolist()
    unreadable: dict[str, str] = {}
    wrong: list[Failure] = []
    judged = 0
    prepared = _prepared(model, inputs, labelled, unreadable, progress)
    while batch := list(islice(prepared, batch_size)):
        wrong += _wrong_of(model, inputs, batch)
        judged += len(batch)
    if not judged:
        raise ValueError(
            f"images: none of those with a label can be read; the first of them: {next(iter(unreadable.values()))}"
        )
    asked = [wrong[place * len(wrong) // min(most, len(wrong))] for place in range(min(most, len(wrong)))]
    return Failures(
        tuple(model.classes),
        len(inputs.ids),
        len(inputs.ids) - len(labelled),
        unreadable,
        judged,
        tuple(sorted(wrong, key=lambda one: (-one.probability, one.number))),
        len(asked),
        tuple(_blamed(inquiry, model, inputs, asked, progress)),
        top,
    )


def _prepared(
    model: Model, inputs: Inputs, numbers: Sequence[int], unreadable: dict[str, str], progress: bool
) -> Iterator[tuple[int, Tensor]]:
    from tqdm import tqdm

    hidden = None if progress else True
    for number in tqdm(numbers, desc="asking", unit="image", disable=hidden, delay=1):
        try:
            photograph = read_image(inputs.paths[number])
        except ImageError as error:
            # the folder is nobody's business
            name = inputs.ids[number]
            unreadable[name] = str(error).replace(str(inputs.paths[number]), name)
            continue
        yield number, model.prepare(photograph)


def _wrong_of(model: Model, inputs: Inputs, batch: Sequence[tuple[int, Tensor]]) -> Iterator[Failure]:
    assert inputs.labels is not None
    with evaluating(model.net) as plain, torch.no_grad():
        scores = plain(torch.cat([image for _, image in batch])).float().cpu()
    probabilities = class_probabilities(scores)
    for (number, _), row, probability in zip(batch, scores, probabilities, strict=True):
        if not bool(row.isfinite().all()):
            raise ValueError(
                f"{inputs.ids[number]}: the network's scores are NaN or infinite, so they say nothing; check its "
                "weights and its preprocessing"
            )
        label, said = int(inputs.labels[number]), int(row.argmax())
        accepted = inputs.accepted
        meant = [label] if accepted is None else list(accepted.classes[label])
        if said in meant:
            continue
        true = max(meant, key=lambda one: float(row[one]))
        name = model.classes[label] if accepted is None else accepted.names[label]
        yield Failure(
            number, inputs.ids[number], said, true, name, float(probability[said]), float(probability[true])
        )


def _blamed(
    inquiry: Inquiry, model: Model, inputs: Inputs, asked: Sequence[Failure], progress: bool
) -> list[Blamed]:
    from tqdm import tqdm

    found: dict[Concept, Counter[tuple[str, str]]] = {}
    hidden = None if progress else True
    for one in tqdm(asked, desc="explaining", unit="image", disable=hidden, delay=1):
        contrast = [Target.contrast(one.said, one.true)]
        image = model.prepare(read_image(inputs.paths[one.number]))

        def choose(_output: Tensor, contrast: list[Target] = contrast) -> list[Target]:
            return contrast

        (evidence,) = inquiry.examine(model.net, image, model.layer, choose, image_name=one.name).evidence
        for concept in {unit.concept for unit in evidence.top if unit.concept is not None}:
            found.setdefault(concept, Counter())[one.label, model.classes[one.said]] += 1
    blamed = []
    for concept, pairs in found.items():
        (label, said), of_these = min(pairs.items(), key=lambda item: (-item[1], item[0]))
        blamed.append(Blamed(concept, pairs.total(), label, said, of_these))
    return sorted(blamed, key=lambda one: (-one.count, one.concept.name, one.concept.category))
