"""Are units whose truth is known named rightly? The units of the class scores are the classes.

    found = logit_agreement(model, open_concepts("labels:photographs/labels.csv"))
    found.top1.value, found.top1_chance

The layer that puts out the class scores is dissected like any other (CLIP-Dissect, Oikarinen and Weng 2023, asks the
same of names by other means), on a set whose concepts bear the names of classes. Unit k is named rightly if its best
label is class k's name; for top-5, if one of its five best labels is. Classes whose name is not among the concepts are
left out. What the network itself mistakes is counted against the names: the figure is of both.

A score has one value an image, and an image one class, so a unit should be active on its class's share of the images:
the quantile is 1 / (number of classes tested) unless another is given.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dissection.concepts import Concept, ConceptDataset
from dissection.presets import PRESETS, ranked_labels
from dissection.recording import trace
from neuro_explain.evaluate.estimate import Estimate, share_of
from neuro_explain.model import Model
from neuro_explain.names import dissect
from neuro_explain.tower import example_input

TOP = 5
PUBLISHED = "58 % CLIP-Dissect, 44 % NetDissect (ResNet-18 of Places365)"
"""Top-1 as Oikarinen and Weng (2023) report it: other data and another network than ours."""


@dataclass(frozen=True)
class LogitAgreement:
    """How many units of the class scores are named after their class.

    Attributes:
        layer: that puts out the class scores.
        classes: of the network.
        tested: classes whose name is among the concepts.
        concepts: labels that every unit could get.
        images: with labels.
        quantile: q.
        labels_met: labels that a unit overlaps at all, the median over the classes tested.
        top1, top5: share of the classes tested whose unit has its class as best label, or among its five best.
        top1_chance, top5_chance: what labels drawn at random would reach.
        named: units of the classes tested that the rule of names (IoU and q) names.
        named_right: of these, those named after their class.
    """

    layer: str
    classes: int
    tested: int
    concepts: int
    images: int
    quantile: float
    labels_met: float
    top1: Estimate
    top1_chance: float
    top5: Estimate
    top5_chance: float
    named: int
    named_right: int


def score_layer(model: Model) -> str:
    """The layer that puts out the class scores, as `dissection.recording.record` takes it.

    That is the last module to finish whose output is the network's: `[N, C]` (named as a map of one cell, `fc+1x1`) or
    `[N, C, 1, 1]`; or else one whose map `[N, C, h, w]` has the scores as its mean.

    Raises:
        ValueError: no module puts them out; they come from a calculation outside of all modules.
    """
    example = example_input(model.net, model.preprocess)
    seen = trace(model.net, example)
    scores = seen.output
    assert isinstance(scores, Tensor)  # a Model gives class scores
    names = [call.name for call in seen.calls]
    found: dict[str, list[tuple[str, bool]]] = {"scores": [], "mean": []}
    for call in seen.calls:
        out = call.output
        if not call.name or names.count(call.name) > 1 or not isinstance(out, Tensor):
            continue
        fed_image = any(one is example for one in call.inputs)
        if out.shape == scores.shape and torch.equal(out, scores):
            found["scores"].append((f"{call.name}+1x1", fed_image))
        elif out.ndim == 4 and out.shape[:2] == scores.shape:
            mean = out.mean(dim=(2, 3))
            if out.shape[2:] == (1, 1) and torch.equal(mean, scores):
                found["scores"].append((call.name, fed_image))
            elif torch.allclose(mean, scores, rtol=1e-4, atol=1e-5 * float(scores.abs().max())):
                found["mean"].append((call.name, fed_image))  # float32 sums differ by their order
    for layers in found.values():
        # Wrappers hand on what a layer inside put out; the one that is fed the image is the network itself.
        inside = [name for name, fed_image in layers if not fed_image] or [name for name, _ in layers]
        if inside:
            return inside[-1]
    raise ValueError(
        f"{model.name}: none of its modules puts out the class scores themselves, so they cannot be named as units; "
        "make them the output of a module, a Linear or an Identity at the end"
    )


def accepted_names(
    classes: Sequence[str],
    concepts: Sequence[Concept],
    *,
    stands_for: Mapping[str, Collection[str]] | None = None,
) -> dict[int, frozenset[int]]:
    """Which concepts name which class: numbers of concepts by number of the class; classes without one are not there.

    Names are equal exactly, or else but for capitals, underscores, hyphens, slashes and the letter folder of Places;
    of several names with commas between them ("tabby, tabby cat") one must be equal.

    Args:
        classes: their names.
        concepts: of the set.
        stands_for: names of classes that a concept's name means, where the two lists cut the world otherwise; then
            nothing else is accepted.
    """
    accepted: dict[int, frozenset[int]] = {}
    spelled = [_spellings(concept.name) for concept in concepts]
    for number, name in enumerate(classes):
        if stands_for is not None:
            fitting = {n for n, one in enumerate(concepts) if name in stands_for.get(one.name, ())}
        else:
            # Exactly first: ImageNet has both a "Cardigan" (a dog) and a "cardigan".
            fitting = {n for n, one in enumerate(concepts) if one.name == name}
            if not fitting:
                mine = _spellings(name)
                fitting = {n for n, theirs in enumerate(spelled) if mine & theirs}
        if fitting:
            accepted[number] = frozenset(fitting)
    return accepted


def _spellings(name: str) -> frozenset[str]:
    """A name, and each of its synonyms, without what people write differently."""
    return frozenset(_loosely(part) for part in (name, *name.split(",")) if _loosely(part))


def _loosely(name: str) -> str:
    name = name.strip().casefold()
    if len(name) > 3 and name[0] == name[2] == "/":
        name = name[3:]
    return " ".join(name.translate(str.maketrans("_-/", "   ")).split())


def logit_agreement(
    model: Model,
    dataset: ConceptDataset,
    *,
    quantile: float | None = None,
    stands_for: Mapping[str, Collection[str]] | None = None,
    **options: Any,
) -> LogitAgreement:
    """Names the units of the class scores and compares with the classes.

    Args:
        model: a classifier whose classes have names.
        dataset: images with labels, most simply one label of the whole image that is its class.
        quantile: q; 1 / (number of classes tested) if not given.
        stands_for: see `accepted_names`.
        options: for `neuro_explain.names.dissect`.

    Raises:
        ValueError: no module puts out the scores; no class's name is among the concepts.
    """
    layer = score_layer(model)
    concepts = tuple(dataset.concepts)
    accepted = accepted_names(model.classes, concepts, stands_for=stands_for)
    if not accepted:
        raise ValueError(
            f"none of the {len(model.classes)} classes of {model.name} ({', '.join(model.classes[:3])}, …) is among "
            f"the {len(concepts)} concepts ({', '.join(str(concept) for concept in concepts[:3])}, …); a set whose "
            "labels are names of classes was expected"
        )
    scores = Model(
        model.net, preprocess=model.preprocess, classes=model.classes, layer=layer, name=model.name
    )
    # The float next above 1 / T: of T images, ⌊q · T⌋ = 1 may be active, which a float below 1 / T would make none.
    share = math.nextafter(1 / max(2, len(accepted)), 1) if quantile is None else quantile
    names = dissect(scores, dataset, quantile=share, exemplars=0, **options)
    ious = names.iou
    ranked = ranked_labels(ious, names.category_of, PRESETS[names.preset].ties)[:, :TOP]
    hits = {
        k: [int(concept) in right and bool(ious[k, concept] > 0) for concept in ranked[k]]
        for k, right in accepted.items()
    }
    named = {k for k in accepted if names[k].concept is not None}
    return LogitAgreement(
        layer=layer,
        classes=len(model.classes),
        tested=len(accepted),
        concepts=len(concepts),
        images=names.images,
        quantile=share,
        labels_met=float(np.median((ious[sorted(accepted)] > 0).sum(axis=1))),
        top1=share_of([hit[0] for hit in hits.values()]),
        top1_chance=_by_chance(accepted, len(concepts), 1),
        top5=share_of([any(hit) for hit in hits.values()]),
        top5_chance=_by_chance(accepted, len(concepts), TOP),
        named=len(named),
        named_right=sum(hits[k][0] for k in named),
    )


def _by_chance(accepted: Mapping[int, frozenset[int]], concepts: int, drawn: int) -> float:
    """How often one of so many labels drawn without replacement is right, the mean over classes."""
    drawn = min(drawn, concepts)
    missed = [
        math.comb(concepts - len(right), drawn) / math.comb(concepts, drawn) for right in accepted.values()
    ]
    return float(1 - np.mean(missed))
