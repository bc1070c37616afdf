"""Why did the network say so? An image in, an explanation in named units out.

    why = explain(model, "kitchen.jpg", names)
    print(why.text)

One forward pass and one batched backward pass of the head give every target its alphas; a second pass of the
head checks the first target by ablation. The names must belong to the model's layer and weights: names of
another network would label units at random, so they are refused.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, overload

from PIL import Image
from torch import Tensor

from dissection.artifact import ArtifactError
from dissection.fingerprint import weights_fingerprint
from dissection.images import read_image
from dissection.names import Names
from neuro_explain.ablation import DRAWS, check_by_ablation
from neuro_explain.evidence import RankBy, TargetEvidence, weigh
from neuro_explain.explanation import PHOTOGRAPH_SIDE, Explained, Explanation, NamesUsed, Prediction
from neuro_explain.gradcam import grad_cam
from neuro_explain.model import Model
from neuro_explain.names import load_names
from neuro_explain.targets import Target, class_probabilities, softmax_note

BEST = 5  # classes that are listed and explained

ImageSource: TypeAlias = str | os.PathLike[str] | Image.Image


def check_names(model: Model, names: Names, fingerprint: str) -> bool:
    """True if the names carry the fingerprint of the model's weights; False if they carry none.

    Raises:
        ArtifactError: names of another layer, of other weights, or of another number of units.
    """
    if names.layer is not None and names.layer != model.layer:
        raise ArtifactError(
            f"the names ({names.source}) are those of layer {names.layer!r}, the model explains layer "
            f"{model.layer!r}; dissect that layer, or load the model with layer={names.layer!r}"
        )
    if names.fingerprint is not None and names.fingerprint != fingerprint:
        raise ArtifactError(
            f"the names ({names.source}) were made with the weights {names.fingerprint[:19]}…, the model "
            f"{model.name} has {fingerprint[:19]}…; dissect this model, or load the weights that were dissected"
        )
    return names.fingerprint is not None


@overload
def explain(  # type: ignore[overload-overlap]  # a str is a sequence of str; it means one path here
    model: Model,
    images: ImageSource,
    names: Names | str | os.PathLike[str],
    *,
    target: str | int | None = None,
    versus: str | int | None = None,
    top: int = 5,
    rank_by: RankBy = "alpha",
    named_only: bool = False,
    check: bool = True,
    draws: int = DRAWS,
    seed: int = 0,
) -> Explanation: ...


@overload
def explain(
    model: Model,
    images: Sequence[ImageSource],
    names: Names | str | os.PathLike[str],
    *,
    target: str | int | None = None,
    versus: str | int | None = None,
    top: int = 5,
    rank_by: RankBy = "alpha",
    named_only: bool = False,
    check: bool = True,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[Explanation]: ...


def explain(
    model: Model,
    images: ImageSource | Sequence[ImageSource],
    names: Names | str | os.PathLike[str],
    *,
    target: str | int | None = None,
    versus: str | int | None = None,
    top: int = 5,
    rank_by: RankBy = "alpha",
    named_only: bool = False,
    check: bool = True,
    draws: int = DRAWS,
    seed: int = 0,
) -> Explanation | list[Explanation]:
    """Explains one image, or each of several.

    Args:
        model: the network with its layer, preprocessing and class names.
        images: a path, an upright `PIL.Image`, or a sequence of these.
        names: of the units of the model's layer, or where `load_names` finds them.
        target: the class to explain, by name or number; default: the predicted one.
        versus: explain the target's score minus this class's ("why this one rather than that one").
        top: how many units to show in each direction.
        rank_by: "alpha" (the paper) or "contribution" (what happened on this image).
        named_only: rank named units alone.
        check: run the ablation check.
        draws: random draws of the check.
        seed: of the draws.

    Returns:
        One `Explanation`, or a list of them for a sequence.

    Raises:
        ArtifactError: the names are of another layer or of other weights.
        ValueError: an unknown class, an unreadable image, scores that are not finite.
    """
    if not isinstance(names, Names):
        names = load_names(names)
    if not 1 <= top <= max(1, len(names) // 2):
        raise ValueError(
            f"top: expected 1 to {max(1, len(names) // 2)} units on each side, half of the {len(names)}, got {top}"
        )
    if draws < 1:
        raise ValueError(f"draws: expected at least 1, got {draws}")
    if rank_by not in ("alpha", "contribution"):
        raise ValueError(f"rank_by: expected 'alpha' or 'contribution', got {rank_by!r}")
    index = None if target is None else model.class_index(target)
    other = None if versus is None else model.class_index(versus)
    if index is not None and index == other:
        raise ValueError(
            f"target and versus are the same class, {model.classes[index]!r}; give two different ones"
        )
    fingerprint = weights_fingerprint(model.net)
    verified = check_names(model, names, fingerprint)

    request = _Request(
        model,
        names,
        index,
        other,
        top,
        rank_by,
        named_only,
        draws if check else 0,
        seed,
        fingerprint,
        verified,
    )
    if isinstance(images, (str, os.PathLike, Image.Image)):
        return _explain_one(request, images)
    return [_explain_one(request, source) for source in images]


@dataclass(frozen=True)
class _Request:
    """What is asked of each image; see `explain`. No draws: no check."""

    model: Model
    names: Names
    index: int | None
    versus: int | None
    top: int
    rank_by: RankBy
    named_only: bool
    draws: int
    seed: int
    fingerprint: str
    verified: bool


def printable(name: str) -> str:
    """A file name that can be written as UTF-8; bytes of it that are none show as �."""
    return os.fsencode(name).decode("utf-8", "replace")


def _read(source: ImageSource) -> tuple[str, Image.Image, str]:
    """(name, upright RGB image, fingerprint)."""
    if isinstance(source, Image.Image):
        image = source.convert("RGB")
        return "image", image, f"sha256:{hashlib.sha256(image.tobytes()).hexdigest()}"
    path = Path(source)
    image = read_image(path)
    return printable(path.name), image, f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def _targets(model: Model, ranked: list[int], index: int | None, versus: int | None) -> list[Target]:
    """The explained target, the other best classes, the contrast with the runner-up, the counterfactual."""
    label = model.classes
    chosen = ranked[0] if index is None else index
    if chosen == versus:
        raise ValueError(
            f"the network's answer is {label[chosen]!r} itself, the class given as versus; "
            "give another one, or the target to compare with it"
        )

    def contrast(a: int, b: int) -> Target:
        return Target.contrast(a, b, f"{label[a]} rather than {label[b]}")

    targets = [Target.of_class(chosen, label[chosen])]
    if versus is not None:
        targets = [contrast(chosen, versus), *targets, Target.of_class(versus, label[versus])]
    targets += [
        Target.of_class(c, label[c])
        for c in ranked
        if all(c != t.index for t in targets if t.kind == "class")
    ]
    rival = next((c for c in ranked if c != chosen), None)
    if versus is None and rival is not None:
        targets.append(contrast(chosen, rival))
    targets.append(Target.against(chosen, f"anything but {label[chosen]}"))
    return targets


def _explain_one(ask: _Request, source: ImageSource) -> Explanation:
    model, names = ask.model, ask.names
    image_name, image, image_fingerprint = _read(source)
    prepared = model.preprocess(image).unsqueeze(0).to(model.device, model.dtype)
    ranked: list[int] = []
    targets: list[Target] = []

    def choose(output: Tensor) -> list[list[Target]]:
        # The best classes are known after the forward pass, and explained in the same pass.
        if not bool(output.isfinite().all()):
            raise ValueError(
                f"{model.name} answers {image_name} with NaN or infinity, so there is nothing to explain; "
                "check its weights, its preprocessing and its precision"
            )
        ranked.extend(output[0].float().topk(min(BEST, output.shape[1])).indices.tolist())
        targets.extend(_targets(model, ranked, ask.index, ask.versus))
        return [targets]

    cam = grad_cam(model.net, prepared, choose, layer=model.layer)
    if cam.alpha.shape[-1] != len(names):
        raise ArtifactError(
            f"the names ({names.source}) are those of {len(names)} units, layer {model.layer!r} of {model.name} "
            f"has {cam.alpha.shape[-1]}; use the names of this layer"
        )
    output = cam.output.float().cpu()
    probabilities = class_probabilities(output)[0].double().tolist()
    scores = output[0].double().tolist()
    activations = cam.activations[0].float().cpu().numpy()
    alpha, signed_map = cam.alpha[0].float().cpu().numpy(), cam.signed_map[0].float().cpu().numpy()
    evidence = [
        weigh(
            target,
            score=float(cam.scores[0, i]),
            probability=probabilities[target.index]
            if target.kind == "class" and target.index is not None
            else None,
            alpha=alpha[i],
            activations=activations,
            signed_map=signed_map[i],
            names=names,
            top=ask.top,
            rank_by=ask.rank_by,
            named_only=ask.named_only,
        )
        for i, target in enumerate(targets)
    ]
    first = evidence[0]
    check = None
    if ask.draws and first.top:
        check = check_by_ablation(
            model.net,
            prepared,
            model.layer,
            [one.index for one in first.top],
            activations,
            targets[0],
            score=first.score,
            probability=first.probability,
            draws=ask.draws,
            seed=ask.seed,
        )
    photograph = image.copy()
    photograph.thumbnail((PHOTOGRAPH_SIDE, PHOTOGRAPH_SIDE), Image.Resampling.LANCZOS)
    shown = {one.index for one in (*first.top, *first.bottom)}
    return Explanation(
        image_name=image_name,
        image_size=image.size,
        crop=model.preprocess.crop(image.size),
        photograph=photograph,
        image_fingerprint=image_fingerprint,
        model=Explained(
            model.name,
            model.layer,
            model.layer_reason,
            model.origin,
            model.licence,
            ask.fingerprint,
            activations.shape[0],
            (activations.shape[1], activations.shape[2]),
            model.layer_rectified,
        ),
        names=NamesUsed(
            names.source,
            names.concept_sets,
            names.quantile,
            names.min_iou,
            len(names),
            names.named,
            ask.verified,
        ),
        rank_by=ask.rank_by,
        top=ask.top,
        named_only=ask.named_only,
        seed=ask.seed,
        activation=activations.mean(axis=(1, 2)),
        predictions=tuple(Prediction(c, model.classes[c], scores[c], probabilities[c]) for c in ranked),
        targets=tuple(evidence),
        check=check,
        text=first.sentence if check is None else f"{first.sentence} {check.text}",
        notes=_notes(ask, first, output),
        exemplars={unit: names.exemplars[unit] for unit in sorted(shown) if unit in names.exemplars},
    )


def _notes(ask: _Request, first: TargetEvidence, output: Tensor) -> tuple[str, ...]:
    """What a reader must know before believing the rest."""
    notes = []
    if not ask.verified:
        notes.append(
            f"The names ({ask.names.source}) carry no fingerprint, so it is not verified that they were made "
            "with this model's weights."
        )
    if first.zero_map:
        notes.append(
            f"The weighted sum is ≤ 0 everywhere, so the map for {first.label} is blank; "
            "the signed map shows where it is least negative."
        )
    if not ask.model.layer_rectified:
        notes.append(
            f"The maps of {ask.model.layer} can be negative, so a positive alpha can go with a negative contribution."
        )
    if note := softmax_note(output):
        notes.append(f"{note[0].upper()}{note[1:]}.")
    if ask.names.named == 0:
        notes.append("No unit of this layer has a name, so the explanation can only give numbers.")
    return tuple(notes)
