"""Why did the network say so? An image in, an explanation in named units out.

    why = explain(model, "kitchen.jpg", names)
    print(why.text)

One forward pass and one batched backward pass of the head give every target its alphas; a second pass of the
head checks the first target by ablation. The names must belong to the model's layer and weights: names of
another network would label units at random, so they are refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import overload

from PIL import Image
from torch import Tensor

from dissection.arguments import shown, whole_number
from neuro_explain.ablation import DRAWS
from neuro_explain.evidence import RankBy
from neuro_explain.explanation import Explanation, Prediction
from neuro_explain.inquiry import ImageSource, Inquiry, NamesSource, open_inquiry, read_photo
from neuro_explain.model import Model
from neuro_explain.speaking import check_classifier
from neuro_explain.targets import Target, class_probabilities, softmax_note

BEST = 5  # classes that are listed and explained


@overload
def explain(  # type: ignore[overload-overlap]  # a str is a sequence of str; it means one path here
    model: Model,
    images: ImageSource,
    names: NamesSource,
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
    names: NamesSource,
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
    names: NamesSource,
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
        TypeError: an argument of the wrong kind.
        ValueError: an unknown class, an unreadable image, scores that are not finite.
    """
    check_classifier(model)
    sources = _sources(images)
    numbers = {"top": top, "draws": draws, "seed": seed}
    for name, value in numbers.items():
        whole_number(name, value)
    if seed < 0:
        raise ValueError(f"seed: expected 0 or more, got {seed}")
    index = None if target is None else model.class_index(target)
    other = None if versus is None else model.class_index(versus)
    if index is not None and index == other:
        raise ValueError(
            f"target and versus are the same class, {model.classes[index]!r}; give two different ones"
        )
    inquiry = open_inquiry(
        model,
        names,
        top=top,
        rank_by=rank_by,
        named_only=named_only,
        check=check,
        draws=draws,
        seed=seed,
    )
    found = [_explain_one(inquiry, model, source, index, other) for source in sources]
    return found[0] if _is_source(images) else found


def _is_source(given: object) -> bool:
    return isinstance(given, (str, os.PathLike, Image.Image))


def _sources(images: ImageSource | Sequence[ImageSource]) -> list[ImageSource]:
    """The images one by one.

    Raises:
        TypeError: what is given, or one of several, is neither a path nor a picture.
    """
    several = (
        isinstance(images, Iterable) and not isinstance(images, (Mapping, bytes)) and not _is_source(images)
    )
    # an array or tensor goes over its rows, which are no images
    listed = list(images) if several and not hasattr(images, "shape") else [images]  # type: ignore[arg-type]
    for one in listed:
        if not _is_source(one):
            hint = (
                "Image.fromarray makes a picture of an array"
                if hasattr(one, "shape")
                else "give one of these"
            )
            raise TypeError(
                f"images: expected a path, a PIL.Image, or a list of these, got {shown(one)}; {hint}"
            )
    return listed  # type: ignore[return-value]


def class_targets(
    label: Sequence[str], ranked: Sequence[int], index: int | None, versus: int | None
) -> list[Target]:
    """The explained target, the other best classes, the contrast with the runner-up, the counterfactual.

    Args:
        label: the names of all classes, or answers.
        ranked: the best of them, best first.
        index: the one to explain; the best if None.
        versus: one to compare it with.

    Raises:
        ValueError: the best one is `versus` itself.
    """
    chosen = ranked[0] if index is None else index
    if chosen == versus:
        raise ValueError(
            f"the network's answer is {label[chosen]!r} itself, the one given as versus; "
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


def best_classes(labels: Sequence[str], output: Tensor) -> list[Prediction]:
    """The best of the classes, or answers, best first, from scores `[1, C]`."""
    scores = output[0].float()
    probabilities = class_probabilities(output)[0]
    return [
        Prediction(index, labels[index], float(scores[index]), float(probabilities[index]))
        for index in scores.topk(min(BEST, len(scores))).indices.tolist()
    ]


def score_notes(output: Tensor) -> list[str]:
    """What a reader must know of scores `[1, C]` that look like probabilities; empty otherwise."""
    note = softmax_note(output)
    return [f"{note[0].upper()}{note[1:]}."] if note else []


def _explain_one(
    inquiry: Inquiry, model: Model, source: ImageSource, index: int | None, versus: int | None
) -> Explanation:
    photo = read_photo(source)
    predictions: list[Prediction] = []

    def choose(output: Tensor) -> list[Target]:
        predictions.extend(best_classes(model.classes, output))
        return class_targets(model.classes, [one.index for one in predictions], index, versus)

    found = inquiry.examine(model.net, model.prepare(photo.image), model.layer, choose, image_name=photo.name)
    return inquiry.explanation(photo, found, predictions=predictions, notes=score_notes(found.cam.output))
