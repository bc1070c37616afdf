"""Which photographs ask "for which of the two is this picture"? Those with exactly two annotated categories (Sec. 5.1).

material = discrimination_questions(model, open_annotated("coco:DIR"), methods, classes, photographs=45, seed=0)

Both categories need a class of the network, and at least half of the largest box of each must lie in what the network
sees. Each is asked for, under every method: 45 photographs are the paper's 90 pairs.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dissection.fingerprint import weights_fingerprint
from dissection.images import read_image
from neuro_explain.evaluate.annotations import AnnotatedImage, AnnotatedSet, Box
from neuro_explain.evaluate.class_map import ClassMap
from neuro_explain.evaluate.map_source import MapSource
from neuro_explain.evaluate.shown import View, show
from neuro_explain.methods.saliency import Method
from neuro_explain.model import Model
from neuro_explain.study.drawing import draw_map
from neuro_explain.study.question import Material, Network, Question

METHODS = ("guided-backprop", "guided-grad-cam", "deconvolution", "deconvolution-grad-cam")
"""The paper's."""

PHOTOGRAPHS = 45
_SEEN = 0.5  # share of the largest box of a category


def discrimination_questions(
    model: Model,
    images: AnnotatedSet,
    methods: Sequence[Method],
    classes: ClassMap,
    *,
    photographs: int = PHOTOGRAPHS,
    view: View = "crop",
    seed: int = 0,
) -> Material:
    """Two questions for each photograph and method.

    Args:
        model: the network; comes back as it was.
        images: annotated photographs.
        methods: whose maps are shown.
        classes: which of the network's classes stand for which category; of several the highest score is explained.
        photographs: how many to take, by chance among those that fit; fewer if fewer fit.
        view: what the network is shown of each.
        seed: of the choice.

    Raises:
        ValueError: no photograph fits; photographs below 1; what `show` and the methods say.
    """
    if photographs < 1:
        raise ValueError(f"photographs: expected at least 1, got {photographs}")
    apart: Counter[str] = Counter()
    fitting = [image for image in images if _fits(image, model, classes, view, apart)]
    if not fitting:
        raise ValueError(
            f"{images.name}: no photograph has exactly two categories that both have a class and are seen by the "
            f"network ({_counted(apart)}); give more photographs, or --class-map"
        )
    order = np.random.default_rng(seed).permutation(len(fitting))
    source = MapSource(model.net, methods, layer=model.layer)

    def both(image: AnnotatedImage, scores: NDArray[np.float64]) -> list[int]:
        return [classes.best(category, scores) for category in image.categories]

    questions: list[Question] = []
    taken: list[AnnotatedImage] = []
    for shown in show(
        model,
        [fitting[place] for place in order],
        source,
        both,
        view=view,
        batch_size=min(8, photographs),
        apart=apart,
    ):
        numbers = both(shown.image, shown.scores)
        if numbers[0] == numbers[1]:
            apart["photographs whose two categories are one class, left out"] += 1
            continue
        photo = read_image(shown.image.path)
        choices = tuple(sorted(shown.image.categories))
        for category, number in zip(shown.image.categories, numbers, strict=True):
            for method in source.methods:
                cells = shown.maps[method.title][number]
                if not cells.max() > 0:
                    apart[f"pictures by {method.title} of a map that is zero everywhere, shown black"] += 1
                picture = draw_map(photo, cells, shown.crop, shown.crop, pixels=method.pixels)
                truth = choices.index(category)
                questions.append(Question(shown.image.id, category, method.name, (picture,), choices, truth))
        taken.append(shown.image)
        if len(taken) == photographs:
            break
    if not taken:
        raise ValueError(f"{images.name}: no photograph that fits could be used ({_counted(apart)})")
    return Material(
        tuple(questions),
        (Network(model.name, model.layer, weights_fingerprint(model.net)),),
        images.name,
        _fingerprint(taken),
        (
            f"{len(taken):,} photographs of the {len(fitting):,} that fit, of {len(images):,}",
            *classes.sentences(),
            *images.notes,
            *(f"{count:,} {reason}" for reason, count in apart.items()),
            *source.notes,
        ),
    )


def _fits(image: AnnotatedImage, model: Model, classes: ClassMap, view: View, apart: Counter[str]) -> bool:
    # what is anywhere in the picture counts, crowds and difficult ones too: a rater may see them
    categories = dict.fromkeys([*image.categories, *(one.category for one in image.instances)])
    width, height = map(float, image.size)
    crop = (0.0, 0.0, width, height) if view == "whole" else model.preprocess.crop(image.size)
    if len(categories) != 2 or len(image.categories) != 2:
        apart["photographs of fewer or more categories than two, left out"] += 1
    elif any(category not in classes.of for category in categories):
        apart["photographs with a category that no class stands for, left out"] += 1
    elif any(_seen(image, category, crop) < _SEEN for category in categories):
        apart["photographs with a category of which the network sees less than half, left out"] += 1
    else:
        return True
    return False


def _seen(image: AnnotatedImage, category: str, crop: Box) -> float:
    """The share of a category's largest box that lies in the crop."""
    shares = []
    for one in image.of(category):
        left, top, right, bottom = one.box
        width = max(0.0, min(right, crop[2]) - max(left, crop[0]))
        height = max(0.0, min(bottom, crop[3]) - max(top, crop[1]))
        whole = (right - left) * (bottom - top)
        shares.append((whole, width * height / whole))
    return max(shares)[1] if shares else 0.0


def _counted(apart: Counter[str]) -> str:
    return "; ".join(f"{count:,} {reason}" for reason, count in apart.items()) or "nothing was left out"


def _fingerprint(images: Sequence[AnnotatedImage]) -> str:
    text = "\n".join(f"{image.id}\t{','.join(image.categories)}" for image in images)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
