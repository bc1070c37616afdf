"""Does a map find the whole thing? Localisation error (Selvaraju et al. 2019, Sec. 4.1; ILSVRC's protocol).

    localisation_report(model, images, [METHODS["grad-cam"]], classes).lines()

A map is resized to the photograph, once; its pixels of at least 15 % of its maximum are kept; the tight box around the
largest connected part of them is the answer. It is right if its IoU with any box of the class is at least 0.5.

    top-1   an error unless the predicted class stands for the category, and the box of its map is right
    top-5   an error unless that holds for one of the five best classes
    given   the class is known: of the classes that stand for the category, the one with the highest score

Pixels hang together at their sides or corners; of parts of equal size the first in reading order is taken. What the
network did not see belongs to no part. A map without a positive value has no box: an error. A photograph with several
categories is asked for each of them. Crowds are no boxes; what is marked difficult is asked for only on demand. Where a
category has nothing else in a photograph, it is left out there and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neuro_explain.evaluate.annotations import AnnotatedImage, AnnotatedSet, Box, box_iou
from neuro_explain.evaluate.class_map import ClassMap
from neuro_explain.evaluate.counted import counted
from neuro_explain.evaluate.map_report import MapReport, something_measured
from neuro_explain.evaluate.map_source import MapSource
from neuro_explain.evaluate.shares import Shares
from neuro_explain.evaluate.shown import Shown, View, best_classes, show
from neuro_explain.methods.saliency import Method
from neuro_explain.model import Model

SHARE = 0.15
MIN_IOU = 0.5
TOP = 5
# Selvaraju et al. 2019, Tab. 1, VGG-16 on ILSVRC's validation images
PAPER = {"top-1": 0.5651, "top-5": 0.4641}

ONLY_APART = "with nothing but crowds or difficult ones"
NO_CLASS = "without a class"
NO_BOX = "no box: a map without a positive value"


def map_box(picture: NDArray[np.float64], share: float = SHARE) -> Box | None:
    """The tight box around the largest part of a map.

    Args:
        picture: `[H, W]`, NaN where it is not known.
        share: of its maximum, what a pixel must reach.

    Returns:
        Its edges, so that one pixel (row 2, column 5) gives (5, 2, 6, 3); None for a map without a positive value.

    Raises:
        ValueError: a share that is not above 0 and up to 1.
    """
    from skimage.measure import label

    if not 0 < share <= 1:
        raise ValueError(f"share: expected above 0 and up to 1, got {share}")
    known = np.where(np.isfinite(picture), picture, 0.0)
    largest = float(known.max())
    if largest <= 0:
        return None
    # numbered from 1 in reading order; argmax takes the first of equals
    parts = label(known >= share * largest, connectivity=2)  # type: ignore[no-untyped-call]
    part = int(np.bincount(parts.ravel())[1:].argmax()) + 1
    rows, columns = np.nonzero(parts == part)
    return (
        float(columns.min()),
        float(rows.min()),
        float(columns.max() + 1),
        float(rows.max() + 1),
    )


def is_right(box: Box | None, truth: Sequence[Box], min_iou: float = MIN_IOU) -> bool:
    """Whether a box meets one of the true ones."""
    return box is not None and any(box_iou(box, one) >= min_iou for one in truth)


def true_boxes(image: AnnotatedImage, category: str, *, difficult: bool = False) -> list[Box]:
    """The boxes of a category that may be asked for: no crowds, and difficult ones only on demand."""
    return [one.box for one in image.of(category) if not one.crowd and (difficult or not one.difficult)]


def localisation_report(
    model: Model,
    images: AnnotatedSet,
    methods: Sequence[Method],
    classes: ClassMap,
    *,
    share: float = SHARE,
    min_iou: float = MIN_IOU,
    difficult: bool = False,
    view: View = "crop",
    batch_size: int = 16,
) -> MapReport:
    """Localisation errors of some methods.

    Args:
        model: the network.
        images: annotated photographs.
        methods: at least one.
        classes: which of the network's classes stand for which category.
        share: of a map's maximum, what a pixel must reach.
        min_iou: that a right box has.
        difficult: whether to ask for difficult ones.
        view: what the network is shown.
        batch_size: images that go through the network at once.

    Raises:
        ValueError: see `show`; shares that are none; nothing could be measured.
    """
    for what, value in (("share", share), ("min_iou", min_iou)):
        if not 0 < value <= 1:
            raise ValueError(f"{what}: expected above 0 and up to 1, got {value}")
    source = MapSource(model.net, methods, layer=model.layer)
    shares = {(title, kind): Shares() for title in source.titles for kind in ("top-1", "top-5", "given")}
    apart: Counter[str] = Counter()

    def wanted(image: AnnotatedImage, scores: NDArray[np.float64]) -> list[int]:
        best = best_classes(scores, TOP)
        asked = [
            name
            for name in image.categories
            if name in classes.of and true_boxes(image, name, difficult=difficult)
        ]
        given = [classes.best(name, scores) for name in asked]
        return given + [number for number in best if set(classes.categories_of(number)) & set(asked)]

    for shown in show(model, images, source, wanted, view=view, batch_size=batch_size, apart=apart):
        for category in shown.image.categories:
            if category not in classes.of:
                apart[f"categories in photographs {NO_CLASS}"] += 1
                continue
            truth = true_boxes(shown.image, category, difficult=difficult)
            if not truth:
                apart[f"categories in photographs {ONLY_APART}"] += 1
                continue
            _judge(shown, category, truth, classes, shares, share=share, min_iou=min_iou)
    figures = [
        figure
        for (title, kind), collected in shares.items()
        for figure in collected.figures(
            f"localisation error, {kind if kind != 'given' else 'class given'}",
            model.name,
            title,
            paper=PAPER.get(kind) if title == "Grad-CAM" else None,
        )
    ]
    something_measured(images.name, sum(figure.count for figure in figures), apart)
    notes = [
        f"a box: pixels of at least {share:.0%} of the map's maximum, their largest part, joined at sides or corners; "
        f"right from IoU {min_iou:g} on; chance: the box around all that the network sees",
        *classes.sentences(),
        *images.notes,
        *(counted(count, reason) for reason, count in apart.items()),
        *source.notes,
    ]
    title = (
        f"localisation: {model.name}, {model.layer}, on {counted(len(images), 'photographs')} of {images.name}, "
        f"view {view}"
    )
    return MapReport(title, tuple(figures), tuple(notes))


def _judge(
    shown: Shown,
    category: str,
    truth: Sequence[Box],
    classes: ClassMap,
    shares: dict[tuple[str, str], Shares],
    *,
    share: float,
    min_iou: float,
) -> None:
    """Takes in what each method's boxes are worth for one category in one photograph."""
    numbers = classes.of[category]
    asked = {
        "top-1": [number for number in shown.ranked(1) if number in numbers],
        "top-5": [number for number in shown.ranked(TOP) if number in numbers],
        "given": [classes.best(category, shown.scores)],
    }
    rows, columns = np.nonzero(shown.seen())
    everything = (
        float(columns.min()),
        float(rows.min()),
        float(columns.max() + 1),
        float(rows.max() + 1),
    )
    blind = is_right(everything, truth, min_iou)
    for title in shown.maps:
        boxes = {
            number: map_box(shown.picture(title, number), share)
            for number in dict.fromkeys(number for some in asked.values() for number in some)
        }
        for kind, some in asked.items():
            right = any(is_right(boxes[number], truth, min_iou) for number in some)
            chance = float(not (some and blind))
            collected = shares[title, kind]
            collected.add(shown.number, category, float(not right), chance=chance)
            if kind == "given" and boxes[some[0]] is None:
                collected.note(NO_BOX)
