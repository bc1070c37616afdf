"""Can the names of a network's units be trusted? Three tests that need no one's judgement.

    report = names_report(model, open_concepts(["coco:data/coco", "colors"]), class_set=open_concepts("labels:…"))
    print("\\n".join(report.lines()))

- `logits`: units whose truth is known, those of the class scores, are named and compared with their classes.
- `simulation`: names made on one half of the concept set tell what units do on the other half, both ways.
- `stability`: names made on one half against those made on the other, by IoU alone and by the rule in use.

Halves are dealt out by a hash of the images' ids (`dissection.readers.subset`). A half has half of the evidence: what
is found on it is a little worse than what the whole set gives.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dissection.concepts import Concept, ConceptDataset
from dissection.names import MAX_Q, MIN_IOU
from dissection.readers.subset import halves
from dissection.result import Dissection
from dissection.tally import LABEL_SIZE, QUANTILE
from neuro_explain.evaluate.logits import LogitAgreement, logit_agreement
from neuro_explain.evaluate.names_lines import names_lines
from neuro_explain.evaluate.simulation import Simulation, look, simulation
from neuro_explain.evaluate.stability import Stability, stability
from neuro_explain.model import Model
from neuro_explain.names import dissect
from neuro_explain.tower import Tower


@dataclass(frozen=True)
class NamesReport:
    """All figures; what is None was not asked for, and `skipped` says why.

    Attributes:
        model, layer: whose units.
        images: labelled images of either half; empty without a concept set.
        concepts: of the concept set.
        min_iou, max_q: the rule of names.
        logits: of the class scores.
        simulation: for named and for unnamed units.
        stability: by IoU alone, and by the rule.
        skipped: measures that are not there, and why.
    """

    model: str
    layer: str
    images: tuple[int, ...]
    concepts: int
    min_iou: float
    max_q: float
    logits: LogitAgreement | None
    simulation: tuple[Simulation, ...]
    stability: tuple[Stability, ...]
    skipped: Mapping[str, str]

    def lines(self) -> list[str]:
        """The report for people: a table, the counts behind it, and what each number means."""
        return names_lines(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return asdict(self)


def names_report(
    model: Tower,
    concepts: ConceptDataset | None = None,
    *,
    class_set: ConceptDataset | None = None,
    class_quantile: float | None = None,
    stands_for: Mapping[str, Collection[str]] | None = None,
    quantile: float = QUANTILE,
    label_size: int = LABEL_SIZE,
    min_iou: float = MIN_IOU,
    max_q: float = MAX_Q,
    batch_size: int = 32,
    workers: int = 2,
    progress: bool | None = None,
) -> NamesReport:
    """Measures how far names can be trusted.

    Args:
        model: the network and the layer whose units are named.
        concepts: the set that is cut into halves; None leaves out simulation and stability.
        class_set: images with labels that are the network's classes; None leaves out the class scores.
        class_quantile: q of the class scores; 1 / (number of classes tested) if not given.
        stands_for: names of classes that a concept's name means, see `logits.accepted_names`.
        quantile, label_size, min_iou, max_q, batch_size, workers, progress: as for `neuro_explain.names.dissect`.

    Raises:
        ValueError: no set at all; a half without labels; no class among the concepts of the class set.
    """
    if concepts is None and class_set is None:
        raise ValueError("concepts: expected a concept set, or class_set, or both; got neither")
    rule: dict[str, Any] = {"label_size": label_size, "min_iou": min_iou, "max_q": max_q}
    run: dict[str, Any] = {"batch_size": batch_size, "workers": workers, "progress": progress}
    skipped: dict[str, str] = {}
    logits = None
    if class_set is None:
        skipped["class scores"] = "no set with the classes as labels was given (--class-set)"
    elif not isinstance(model, Model):
        skipped["class scores"] = f"{model.name} gives no class scores"
    else:
        logits = logit_agreement(
            model, class_set, quantile=class_quantile, stands_for=stands_for, **rule, **run
        )
    told: tuple[Simulation, ...] = ()
    stable: tuple[Stability, ...] = ()
    images: tuple[int, ...] = ()
    if concepts is None:
        skipped["simulation and stability"] = "no concept set was given (--concepts)"
    else:
        parts = halves(concepts)
        first, second = (
            dissect(model, half, quantile=quantile, exemplars=0, **rule, **run) for half in parts
        )
        seen = [look(model, half, label_size=label_size, **run) for half in parts]
        crossed = [(first, seen[1]), (second, seen[0])]
        told = (simulation(crossed), simulation(crossed, names_of="unnamed"))
        by_iou = stability(_by_iou(first, min_iou), _by_iou(second, min_iou), "IoU alone")
        by_rule = stability([n.concept for n in first], [n.concept for n in second], f"q ≤ {max_q:g}")
        stable = (by_iou, by_rule)
        images = (first.images, second.images)
    return NamesReport(
        model=model.name,
        layer=model.layer,
        images=images,
        concepts=0 if concepts is None else len(concepts.concepts),
        min_iou=min_iou,
        max_q=max_q,
        logits=logits,
        simulation=told,
        stability=stable,
        skipped=skipped,
    )


def _by_iou(names: Dissection, min_iou: float) -> list[Concept | None]:
    """The names that IoU alone would give."""
    return [name.best if name.iou is not None and name.iou >= min_iou else None for name in names]
