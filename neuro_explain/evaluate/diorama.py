"""Are the names and the sentences true? In a world that is drawn, this can be tried.

    report = truth_report(model, names, seed=9001, scenes=280)
    print("\n".join(report.lines()))

Four questions, on fresh scenes:

- How many units have a name?
- Is a name right? The concept is switched off in scenes that show it, with all else equal. The name is right if the
  unit's activation falls then, in so many scenes that a sign test at 1 % rules out chance, and by at least half
  on average. Beside it stands what switching off another object of the scene does to the same unit.
- Does the explanation speak of what is there? Of the five units with the largest contribution to the predicted
  class, how many are named, and are those concepts present in the scene graph? Beside it: units drawn at random.
- Do these units decide? Zeroing the five, against zeroing as many other units that fire, at random.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from dissection.concepts import Concept
from dissection.fingerprint import weights_fingerprint
from dissection.names import Names
from dissection.recording import evaluating, record
from neuro_explain.ablation import ablated_outputs, draw_units, other_units
from neuro_explain.diorama.scene import ACHROMATIC, Scene, make_scene
from neuro_explain.diorama.words import SCENES
from neuro_explain.gradcam import grad_cam
from neuro_explain.inquiry import check_names
from neuro_explain.model import Model

TOP = 5
_FALL = 0.5
_CHANCE = 0.01
_MIN_PIXELS = 40  # of 128²: a concept that is to be switched off must be seen


@dataclass(frozen=True)
class Intervention:
    """What switching off its concept does to one named unit.

    Attributes:
        unit, concept: which.
        scenes: scenes that show the concept and in which the unit fires, with it or without it.
        fell: scenes in which the activation fell.
        share: how much of its summed activation is lost, 1 is all of it.
        control: how much is lost when another object of the same scenes is switched off instead.
        right: see the module's docstring; None if too few scenes show the concept for a verdict.
    """

    unit: int
    concept: Concept
    scenes: int
    fell: int
    share: float
    control: float
    right: bool | None


@dataclass(frozen=True)
class CategoryTruth:
    """The explanations of one scene category's correctly classified scenes.

    Attributes:
        category: the scene.
        scenes: how many.
        named: named units among the five strongest, mean over the scenes.
        present: share of those names (colours not counted) whose concept is in the scene.
    """

    category: str
    scenes: int
    named: float
    present: float


@dataclass(frozen=True)
class TruthReport:
    """All figures; see the module's docstring.

    Attributes:
        units, named, distinct: of the dissection.
        taught: units that were taught a kind of object; 0 if that is unknown.
        found: those of them that are named after it.
        interventions: one per named unit whose concept can be switched off.
        not_switchable: named units whose concept cannot be: scenes, and black, grey, white.
        scenes, correct: how many fresh scenes, and how many the model got right.
        categories: per scene category.
        present: share of the five strongest units' names, colours not counted, that are in the scene.
        random_present: the same for named units drawn at random.
        drop, random_drop: how far the logit moves without the five, and without as many other random firing units, in
            the scenes in which so many others fire; 0 if there is none.
    """

    units: int
    named: int
    distinct: int
    taught: int
    found: int
    interventions: tuple[Intervention, ...]
    not_switchable: int
    scenes: int
    correct: int
    categories: tuple[CategoryTruth, ...]
    present: float
    random_present: float
    drop: float
    random_drop: float

    @property
    def judged(self) -> int:
        """Named units with a verdict."""
        return sum(each.right is not None for each in self.interventions)

    @property
    def right(self) -> int:
        """Named units whose name is right."""
        return sum(each.right is True for each in self.interventions)

    @property
    def ratio(self) -> float:
        """How many times as far the five move the logit as random units do."""
        return self.drop / self.random_drop if self.random_drop > 0 else math.inf

    def lines(self) -> list[str]:
        """The report for people."""
        shares = [each.share for each in self.interventions if each.right is not None]
        controls = [each.control for each in self.interventions if each.right is not None]
        named = [each.named for each in self.categories]
        lines = [
            f"units named: {self.named} of {self.units} ({_percent(self.named, self.units)}), "
            f"{self.distinct} different names",
            *self._teaching(),
            f"names that are right: {self.right} of {self.judged} ({_percent(self.right, self.judged)}): their "
            f"activation falls when the concept is switched off, all else equal; on the median by "
            f"{_median(shares):.0%}, by {_median(controls):.0%} when another object is switched off instead",
        ]
        unjudged = len(self.interventions) - self.judged
        if unjudged or self.not_switchable:
            lines.append(
                f"without a verdict: {unjudged} whose concept too few scenes show, "
                f"{self.not_switchable} whose concept cannot be switched off (scenes; black, grey, white)"
            )
        lines += [
            f"scenes: {self.correct} of {self.scenes} classified correctly ({_percent(self.correct, self.scenes)})",
            f"of the {TOP} strongest units {np.mean(named):.1f} are named on average, "
            f"{min(named):.1f} in the worst category",
            f"of those names {self.present:.1%} are concepts present in the scene (colours not counted); "
            f"of named units drawn at random {self.random_present:.1%}",
            f"without the {TOP} the logit moves by {self.drop:.2f}, without {TOP} other random firing units by "
            f"{self.random_drop:.2f}: {self.ratio:.1f} times as much",
        ]
        width = max(len(each.category) for each in self.categories)
        lines += [
            f"  {each.category:{width}}  {each.scenes:3d} scenes  {each.named:.1f} named  {each.present:6.1%} present"
            for each in self.categories
        ]
        wrong = [each for each in self.interventions if each.right is False]
        lines += [
            f"  not confirmed: unit {each.unit}, {each.concept}: falls in {each.fell} of {each.scenes} scenes, "
            f"by {each.share:.0%}"
            for each in wrong
        ]
        return lines

    def _teaching(self) -> list[str]:
        if not self.taught:
            return []
        share = _percent(self.found, self.taught)
        return [f"units named after what they were taught: {self.found} of {self.taught} ({share})"]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {**asdict(self), "judged": self.judged, "right": self.right, "ratio": self.ratio}


def truth_report(
    model: Model,
    names: Names,
    *,
    taught: Sequence[str] = (),
    seed: int = 9001,
    scenes: int = 560,
    draws: int = 20,
    tries: int = 12,
) -> TruthReport:
    """Measures names and explanations on fresh scenes.

    Args:
        model: a classifier of scene categories, with its layer.
        names: of the layer's units.
        taught: the kind of object that each of the first units was taught, where the network's card says so.
        seed: world of the fresh scenes; not one that the model or the names have seen.
        scenes: how many, over all categories alike.
        draws: random draws of five other firing units per scene.
        tries: scenes in which each concept is switched off, at most.

    Raises:
        ValueError: the model's classes are not the diorama's categories, the names are those of another network, or no
            scene is classified correctly.
    """
    if scenes < 1:
        raise ValueError(f"scenes: expected at least 1, got {scenes}")
    if not set(model.classes) <= set(SCENES):
        raise ValueError(
            f"{model.name} has the classes {', '.join(model.classes[:5])}; a network of the diorama's scene categories "
            "was expected, such as diorama-scenes"
        )
    check_names(model, names, weights_fingerprint(model.net))
    if len(names) != model.units:
        raise ValueError(f"{names.source} names {len(names)} units, {model.name} has {model.units}")

    # scenes are drawn anew when they are wanted again: so many of them would fill the memory
    def world(index: int) -> Scene:
        return make_scene(seed, index, category=model.classes[index % len(model.classes)])

    evidence, seen = [], []
    for index in range(scenes):
        scene = world(index)
        evidence.append(_weigh(model, names, scene, draws, index))
        seen.append(scene.concepts(_MIN_PIXELS))
    good = [each for each in evidence if each.correct]
    if not good:
        raise ValueError(
            f"{model.name} classifies none of {scenes} scenes correctly; there is nothing to judge"
        )
    interventions, not_switchable = _interventions(model, names, world, seen, tries)
    compared = [each for each in good if each.random_drop is not None]
    by_category: dict[str, list[_Evidence]] = defaultdict(list)
    for each in good:
        by_category[each.category].append(each)
    return TruthReport(
        units=len(names),
        named=names.named,
        distinct=names.distinct,
        taught=len(taught),
        found=sum(names[unit].concept == Concept(kind, "object") for unit, kind in enumerate(taught)),
        interventions=interventions,
        not_switchable=not_switchable,
        scenes=scenes,
        correct=len(good),
        categories=tuple(
            CategoryTruth(category, len(some), float(np.mean([each.named for each in some])), _present(some))
            for category, some in sorted(by_category.items())
        ),
        present=_present(good),
        random_present=float(np.mean([each.random_present for each in good])),
        drop=float(np.mean([each.drop for each in compared])) if compared else 0.0,
        random_drop=float(np.mean([each.random_drop for each in compared])) if compared else 0.0,
    )


@dataclass(frozen=True)
class _Evidence:
    """One scene: is it classified correctly, and what is true of its five strongest units?"""

    category: str
    correct: bool
    named: int
    counted: int
    hits: int
    random_present: float
    drop: float
    random_drop: float | None  # none where fewer other units fire


def _present(evidence: Sequence[_Evidence]) -> float:
    counted = sum(each.counted for each in evidence)
    return sum(each.hits for each in evidence) / counted if counted else 0.0


def _weigh(model: Model, names: Names, scene: Scene, draws: int, seed: int) -> _Evidence:
    image = model.preprocess(scene.image())[None].to(model.device, model.dtype)
    cam = grad_cam(model.net, image, lambda output: output.argmax(1), layer=model.layer)
    activations = cam.activations[0].cpu().double().numpy()
    contribution = cam.alpha[0].reshape(-1).cpu().double().numpy() * activations.sum((1, 2))
    predicted = int(cam.output.argmax(1))
    ranked = np.argsort(-contribution, kind="stable")[:TOP]
    five = ranked[contribution[ranked] > 0]  # as on an explanation's cards
    concepts = scene.concepts()
    counted = [c for unit in five if (c := names[int(unit)].concept) is not None and c.category != "color"]
    everything = [c for name in names if (c := name.concept) is not None and c.category != "color"]
    others = other_units(np.any(activations, axis=(1, 2)), five.tolist())
    sets = [five.tolist(), *draw_units(others, len(five), draws, seed)]
    outputs = ablated_outputs(model.net, image, model.layer, sets)[:, predicted].double().numpy()
    moved = np.abs(outputs - float(cam.output[0, predicted]))
    return _Evidence(
        category=scene.category,
        correct=model.classes[predicted] == scene.category,
        named=sum(names[int(unit)].concept is not None for unit in five),
        counted=len(counted),
        hits=sum(concept in concepts for concept in counted),
        random_present=float(np.mean([concept in concepts for concept in everything])) if everything else 0.0,
        drop=float(moved[0]),
        random_drop=float(moved[1:].mean()) if len(sets) > 1 else None,
    )


def _interventions(
    model: Model, names: Names, world: Callable[[int], Scene], seen: Sequence[frozenset[Concept]], tries: int
) -> tuple[tuple[Intervention, ...], int]:
    """Switches each named concept off; returns the verdicts and the number of units that cannot be judged so.

    `seen` has, for each scene of the world, the concepts that are large enough to be missed.
    """
    units: dict[Concept, list[int]] = defaultdict(list)
    not_switchable = 0
    for name in names:
        if name.concept is None:
            continue
        if name.concept.category == "scene" or (
            name.concept.category == "color" and name.concept.name in ACHROMATIC
        ):
            not_switchable += 1
        else:
            units[name.concept].append(name.unit)
    verdicts = []
    for concept, detectors in sorted(units.items()):
        indices = [index for index, there in enumerate(seen) if concept in there][:tries]
        showing = [world(index) for index in indices]
        if not showing:
            verdicts += [Intervention(unit, concept, 0, 0, 0.0, 0.0, None) for unit in detectors]
            continue
        others = [_other(scene, concept) for scene in showing]
        on = _summed(model, [scene.image() for scene in showing])[:, detectors]
        off = _summed(model, [scene.image(without=concept) for scene in showing])[:, detectors]
        control = _summed(
            model, [scene.image(without=other) for scene, other in zip(showing, others, strict=True)]
        )[:, detectors]
        verdicts += [
            _verdict(unit, concept, on[:, place], off[:, place], control[:, place])
            for place, unit in enumerate(detectors)
        ]
    return tuple(sorted(verdicts, key=lambda each: each.unit)), not_switchable


def _verdict(
    unit: int,
    concept: Concept,
    on: NDArray[np.float64],
    off: NDArray[np.float64],
    control: NDArray[np.float64],
) -> Intervention:
    fires = (on > 0) | (off > 0)
    on, off, control = on[fires], off[fires], control[fires]
    scenes, fell = len(on), int((off < on).sum())
    total = float(on.sum())
    share = 1 - float(off.sum()) / total if total > 0 else 0.0
    lost_to_other = 1 - float(control.sum()) / total if total > 0 else 0.0
    enough = 0.5**scenes <= _CHANCE  # fewer scenes could not pass the test even if all fell
    right = _sign_test(fell, scenes) <= _CHANCE and share >= _FALL if enough else None
    return Intervention(unit, concept, scenes, fell, share, lost_to_other, right)


def _sign_test(fell: int, scenes: int) -> float:
    """Probability of so many falls or more by chance, each as likely as not."""
    return float(sum(math.comb(scenes, count) for count in range(fell, scenes + 1)) / 2**scenes)


def _other(scene: Scene, concept: Concept) -> Concept:
    """Another object of the scene: the largest that is no part of the backdrop and does not carry the concept."""
    carriers = {
        each.thing.kind
        for each in scene.seen()
        if concept.name == each.thing.kind or concept.name in each.parts | each.materials | each.textures
    }
    sizes: dict[str, int] = defaultdict(int)
    for each in scene.seen():
        if math.isfinite(each.thing.order) and each.thing.kind not in carriers:
            sizes[each.thing.kind] += each.pixels
    return Concept(max(sizes, key=lambda kind: sizes[kind]), "object") if sizes else Concept("sun", "object")


def _summed(model: Model, images: Sequence[Image.Image]) -> NDArray[np.float64]:
    """Each unit's activation summed over its map, float64 `[N, U]`."""
    batch: Tensor = torch.stack([model.preprocess(image) for image in images]).to(model.device, model.dtype)
    with evaluating(model.net) as net, torch.no_grad(), record(net, model.layer) as seen:
        net(batch)
    summed: NDArray[np.float64] = seen.output.double().sum((2, 3)).cpu().numpy()
    return summed


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "none"


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else 0.0
