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

from dissection.chance import PERMUTATIONS
from dissection.concepts import Concept, ConceptDataset
from dissection.presets import preset as rules_of
from dissection.readers.subset import halves
from dissection.result import Dissection
from dissection.summary import chance_lines
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
        min_iou, max_q: the rule of names; max_q is 1 where chance has no say in them.
        preset, permutations, seed: whose rules hold, and how chance was asked.
        logits: of the class scores.
        simulation: for named and for unnamed units.
        stability: by IoU alone, and by the rule if that asks chance.
        skipped: measures that are not there, and why.
        notes: what stood in the way of names.
    """

    model: str
    layer: str
    images: tuple[int, ...]
    concepts: int
    min_iou: float
    max_q: float
    preset: str
    permutations: int
    seed: int
    logits: LogitAgreement | None
    simulation: tuple[Simulation, ...]
    stability: tuple[Stability, ...]
    skipped: Mapping[str, str]
    notes: tuple[str, ...] = ()

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
    preset: str = "ours",
    quantile: float | None = None,
    label_size: int | None = None,
    min_iou: float | None = None,
    max_q: float | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
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
        preset: whose rules hold; what is None below is as they have it.
        quantile, label_size, min_iou, max_q, permutations, seed: as for `neuro_explain.names.dissect`.
        batch_size, workers, progress: likewise.

    Raises:
        ValueError: no set at all; a half without labels; no class among the concepts of the class set; what `dissect`
            refuses.
    """
    if concepts is None and class_set is None:
        raise ValueError("concepts: expected a concept set, or class_set, or both; got neither")
    rules = rules_of(preset)
    rule: dict[str, Any] = {
        "preset": preset,
        "label_size": rules.label_size if label_size is None else label_size,
        "min_iou": rules.min_iou if min_iou is None else min_iou,
        "max_q": max_q,
        "permutations": permutations,
        "seed": seed,
    }
    allowed = (rules.max_q if max_q is None else max_q) if permutations else 1.0
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
    notes: tuple[str, ...] = ()
    if concepts is None:
        skipped["simulation and stability"] = "no concept set was given (--concepts)"
    else:
        parts = halves(concepts)
        first, second = (
            dissect(model, half, quantile=quantile, exemplars=0, **rule, **run) for half in parts
        )
        seen = [look(model, half, label_size=rule["label_size"], **run) for half in parts]
        crossed = [(first, seen[1]), (second, seen[0])]
        told = (simulation(crossed), simulation(crossed, names_of="unnamed"))
        least = rule["min_iou"]
        stable = (stability(_by_iou(first, least), _by_iou(second, least), "IoU alone"),)
        if allowed < 1:
            rule_of = f"q ≤ {allowed:g}"
            stable += (stability([n.concept for n in first], [n.concept for n in second], rule_of),)
        images = (first.images, second.images)
        notes = tuple(
            f"on the {which} half {line}"
            for which, half in (("first", first), ("second", second))
            for line in chance_lines(half)[1:]
        )
    return NamesReport(
        model=model.name,
        layer=model.layer,
        images=images,
        concepts=0 if concepts is None else len(concepts.concepts),
        min_iou=rule["min_iou"],
        max_q=allowed,
        preset=preset,
        permutations=permutations,
        seed=seed,
        logits=logits,
        simulation=told,
        stability=stable,
        skipped=skipped,
        notes=notes,
    )


def _by_iou(names: Dissection, min_iou: float) -> list[Concept | None]:
    """The names that IoU alone would give."""
    return [name.best if name.iou is not None and name.iou >= min_iou else None for name in names]
