"""Which photographs ask "which of two networks is more reliable"? Those that both get right (Sec. 5.2).

material = trust_questions(first, second, open_inputs("photographs", classes=first.classes), methods, seed=0)

Both networks give the same answer, the photograph's label; so people judge the pictures, and no answers. Both pictures
show the same part of the photograph, what both networks see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from PIL import Image

from dissection.fingerprint import weights_fingerprint
from dissection.images import ImageError, read_image
from dissection.recording import evaluating
from neuro_explain.evaluate.map_source import MapSource
from neuro_explain.image_lists import UNKNOWN
from neuro_explain.inputs import Inputs
from neuro_explain.methods.saliency import Method
from neuro_explain.model import Model
from neuro_explain.study.drawing import common_frame, draw_map
from neuro_explain.study.question import Material, Network, Question
from neuro_explain.targets import Target

METHODS = ("guided-backprop", "guided-grad-cam")
"""The paper's."""

PHOTOGRAPHS = 30
BATCH = 16  # photographs that go through a network at once


def trust_questions(
    first: Model,
    second: Model,
    inputs: Inputs,
    methods: Sequence[Method],
    *,
    photographs: int = PHOTOGRAPHS,
    seed: int = 0,
) -> Material:
    """One question for each photograph and method.

    Args:
        first, second: networks of the same classes; they come back as they were.
        inputs: labelled photographs. The accuracy of both is measured on all of them.
        methods: whose maps are shown.
        photographs: how many to take, by chance among those that both get right.
        seed: of the choice.

    Raises:
        ValueError: other classes, no labels, nothing that both get right, photographs below 1.
    """
    if first.classes != second.classes:
        raise ValueError(
            f"classes: {first.name} and {second.name} must have the same classes in the same order to be compared; "
            f"they have {len(first.classes)} and {len(second.classes)}"
        )
    if photographs < 1:
        raise ValueError(f"photographs: expected at least 1, got {photographs}")
    if inputs.labels is None or inputs.accepted is not None:
        raise ValueError(
            "images: whether a network is right needs labels: a folder with a subfolder for each class, or a list"
        )
    right, apart = _right((first, second), inputs)
    measured = len(right)
    both = [number for number, hits in right.items() if all(hits)]
    if not both:
        raise ValueError(f"images: there is none of {measured:,} that both networks get right")
    order = np.random.default_rng(seed).permutation(len(both))
    chosen = [both[place] for place in order[:photographs]]
    sources = [MapSource(model.net, methods, layer=model.layer) for model in (first, second)]
    questions = [
        question
        for number in chosen
        for question in _questions((first, second), sources, inputs, number, apart)
    ]
    networks = [
        Network(
            model.name,
            model.layer,
            weights_fingerprint(model.net),
            sum(hits[place] for hits in right.values()) / measured,
            measured,
        )
        for place, model in enumerate((first, second))
    ]
    said = (
        f"{len(chosen):,} photographs of the {len(both):,} that both get right, of {measured:,} with a label"
    )
    notes = [
        f"{model.name}: {note}"
        for model, source in zip((first, second), sources, strict=True)
        for note in source.notes
    ]
    return Material(
        tuple(questions),
        (networks[0], networks[1]),
        inputs.folder.name,
        inputs.fingerprint,
        (said, *(f"{count:,} {reason}" for reason, count in apart.items()), *notes),
    )


def _right(models: tuple[Model, Model], inputs: Inputs) -> tuple[dict[int, tuple[bool, ...]], Counter[str]]:
    """Whether each network is right, by the image's number; and what was left out."""
    assert inputs.labels is not None
    apart: Counter[str] = Counter()
    right: dict[int, tuple[bool, ...]] = {}
    readable = _readable(inputs, apart)
    while batch := list(islice(readable, BATCH)):
        photos = [photo for _, photo in batch]
        answers = [_answers(model, photos) for model in models]
        for place, (number, _) in enumerate(batch):
            right[number] = tuple(own[place] == inputs.labels[number] for own in answers)
    return right, apart


def _readable(inputs: Inputs, apart: Counter[str]) -> Iterator[tuple[int, Image.Image]]:
    """The labelled photographs with their numbers; what is left out is counted."""
    assert inputs.labels is not None
    for number, label in enumerate(inputs.labels.tolist()):
        if label == UNKNOWN:
            apart["photographs without a label, left out"] += 1
            continue
        try:
            photo = read_image(inputs.paths[number])
        except ImageError:
            apart["photographs that cannot be read, left out"] += 1
            continue
        yield number, photo


def _answers(model: Model, photos: Sequence[Image.Image]) -> list[int]:
    with evaluating(model.net) as plain, torch.no_grad():
        scores = plain(torch.cat([model.prepare(photo) for photo in photos])).float()
    if not bool(scores.isfinite().all()):
        raise ValueError(f"{model.name}: its scores are NaN or infinite for at least one photograph")
    return [int(best) for best in scores.argmax(dim=1)]


def _questions(
    models: tuple[Model, Model],
    sources: Sequence[MapSource],
    inputs: Inputs,
    number: int,
    apart: Counter[str],
) -> list[Question]:
    assert inputs.labels is not None
    label = int(inputs.labels[number])
    name = models[0].classes[label]
    photo = read_image(inputs.paths[number])
    crops = [model.preprocess.crop(photo.size) for model in models]
    frame = common_frame(crops[0], crops[1])
    maps = [
        source.maps(model.prepare(photo), [Target.of_class(label, name)])
        for model, source in zip(models, sources, strict=True)
    ]
    made = []
    for method in sources[0].methods:
        cells = [own[method.title][0] for own in maps]
        if zero := sum(not one.max() > 0 for one in cells):
            apart[f"pictures by {method.title} of a map that is zero everywhere, shown black"] += zero
        pictures = [
            draw_map(photo, one, crop, frame, pixels=method.pixels)
            for one, crop in zip(cells, crops, strict=True)
        ]
        made.append(Question(inputs.ids[number], name, method.name, (pictures[0], pictures[1])))
    return made
