"""Do maps tell which pixels are which class? Seeds of weakly supervised segmentation, and their mean IoU.

    seeds_report(model, images, [METHODS["grad-cam"], METHODS["cam"]], classes).lines()

For each category that is in a photograph, the map of its class is resized to the photograph, once. Pixels of at least
20 % of its maximum are the category's (Zhou et al. 2016, Sec. 3.2, for CAM; Kolesnikov & Lampert 2016, who seed SEC
so); where several claim a pixel, the category that claims fewer pixels has it. All others are background: SEC takes its
background from another saliency map, of which there is none here. Zero maps seed nothing.

IoU of a category = pixels that are seeds and truth / pixels that are one of the two, summed over all photographs; their
mean runs over background and all categories that occur on either side. Void pixels are left out, and those that the
network does not see; so the whole photograph is shown, squashed, if nothing else is asked for. Photographs of which
only boxes are known are not judged; their cues are written all the same, and with no other photographs but such
nothing is measured unless cues are wanted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuro_explain.evaluate.annotations import VOID, AnnotatedImage, AnnotatedSet
from neuro_explain.evaluate.class_map import ClassMap
from neuro_explain.evaluate.counted import counted
from neuro_explain.evaluate.map_report import MapReport, something_measured
from neuro_explain.evaluate.map_source import MapSource
from neuro_explain.evaluate.seeds import BACKGROUND_SHARE, SHARE, CueWriter, cues_of, seed_labels
from neuro_explain.evaluate.shown import View, show
from neuro_explain.evaluate.tally import Figure, drawn_interval
from neuro_explain.methods.saliency import Method
from neuro_explain.model import Model

ZERO = "zero map, no seeds"
UNKNOWN = "photographs with boxes alone, not judged"
NO_CLASS = "categories in photographs without a class, their pixels void"


@dataclass(frozen=True, eq=False)
class _Counts:
    """Of one photograph: the numbers that occur `[n]`, and for each of them I, A, G `[n, 3]` in pixels."""

    numbers: NDArray[np.int64]
    counts: NDArray[np.int64]


def overlaps(labels: NDArray[np.int32], truth: NDArray[np.int32], judged: NDArray[np.bool_]) -> _Counts:
    """Pixels that are both, that are seeds, and that are truth, for each number; void and unjudged ones left out."""
    use = judged & (truth != VOID)
    said, true = labels[use], truth[use]
    most = int(max(said.max(initial=0), true.max(initial=0))) + 1
    both = np.bincount(said[said == true], minlength=most)
    table = np.stack([both, np.bincount(said, minlength=most), np.bincount(true, minlength=most)], axis=1)
    numbers = np.flatnonzero(table.any(axis=1))
    return _Counts(numbers, table[numbers])


def seeds_report(
    model: Model,
    images: AnnotatedSet,
    methods: Sequence[Method],
    classes: ClassMap,
    *,
    share: float = SHARE,
    background_share: float = BACKGROUND_SHARE,
    view: View = "whole",
    batch_size: int = 16,
    out: Path | None = None,
) -> MapReport:
    """Mean IoU of the seeds of some methods; and their cues in a folder, for training that reads SEC's.

    Args:
        model: the network.
        images: annotated photographs, with masks or with segmentations.
        methods: at least one.
        classes: which of the network's classes stand for which category.
        share: of its maximum, what a pixel must reach to be a seed.
        background_share: under which all maps must be where the cues say background; see `seeds`.
        view: what the network is shown.
        batch_size: images that go through the network at once.
        out: a new folder, with a subfolder for each method.

    Raises:
        FileExistsError: the folder exists.
        ValueError: shares that are none; nothing could be measured, and no cues written; see `show`.
    """
    if not (0 < share <= 1 and 0 <= background_share <= share):
        raise ValueError(
            "share: expected above 0 and up to 1, and background_share from 0 up to it, "
            f"got {share} and {background_share}"
        )
    if out is None:
        images.need_pixels()
    source = MapSource(model.net, methods, layer=model.layer)
    numbers = {category: place for place, category in enumerate(images.categories, start=1)}
    overlapping: dict[str, list[_Counts]] = {title: [] for title in source.titles}
    zeros: Counter[str] = Counter()
    apart: Counter[str] = Counter()
    asked = 0  # categories of photographs that are judged, or have cues

    def wanted(image: AnnotatedImage, scores: NDArray[np.float64]) -> list[int]:
        return [classes.best(category, scores) for category in image.categories if category in classes.of]

    with ExitStack() as stack:
        writer = None
        if out is not None:
            names = [method.name for method in methods]
            writer = stack.enter_context(CueWriter(out, names, images, numbers))
        for shown in show(model, images, source, wanted, view=view, batch_size=batch_size, apart=apart):
            chosen = {
                numbers[category]: classes.best(category, shown.scores)
                for category in shown.image.categories
                if category in classes.of
            }
            known = shown.image.has_pixels
            asked += len(chosen) if known or writer is not None else 0
            truth = shown.image.segmented(numbers)
            if not known:
                apart[UNKNOWN] += 1
            for category in shown.image.categories:
                if category not in classes.of:
                    apart[NO_CLASS] += 1
                    truth[truth == numbers[category]] = VOID
            for method, title in zip(methods, source.titles, strict=True):
                pictures = {place: shown.picture(title, one) for place, one in chosen.items()}
                zeros[title] += sum(not np.nanmax(picture) > 0 for picture in pictures.values())
                if known:
                    labels = seed_labels(pictures, shown.image.size, share)
                    overlapping[title].append(overlaps(labels, truth, shown.seen()))
                if writer is not None:
                    maps = {place: shown.maps[title][one] for place, one in chosen.items()}
                    cues = cues_of(maps, shown.crop, shown.image.size, share, background_share)
                    writer.add(method.name, shown.number, chosen, cues)
        figures = []
        for title, counts in overlapping.items():
            figure = _figure(counts, model.name, title, len(images.categories) + 1)
            figures.append(replace(figure, apart={ZERO: zeros[title]} if zeros[title] else {}))
        something_measured(images.name, asked, apart)
    notes = [
        f"seeds: pixels of at least {share:.0%} of the map's maximum, all others background; n: classes that occur, "
        "background among them; chance: everything background",
        *classes.sentences(),
        *images.notes,
        *(counted(count, reason) for reason, count in apart.items()),
        *source.notes,
    ]
    title = (
        f"seeds: {model.name}, {model.layer}, on {counted(len(images), 'photographs')} of {images.name}, "
        f"view {view}"
    )
    return MapReport(title, tuple(figures), tuple(notes))


def mean_iou(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean IoU over classes that occur, from I, A, G: `[..., C, 3]` gives `[...]`."""
    union = table[..., 1] + table[..., 2] - table[..., 0]
    there = union > 0
    ious = np.divide(table[..., 0], union, out=np.zeros_like(union), where=there)
    means: NDArray[np.float64] = ious.sum(axis=-1) / np.maximum(there.sum(axis=-1), 1)
    return means


def _figure(counts: Sequence[_Counts], network: str, title: str, classes: int) -> Figure:
    """The mean IoU with its interval over photographs."""
    from scipy import sparse

    images = len(counts)
    plain = Figure("mean IoU of seeds", network, title, scenes=images)
    if not images:
        return plain
    rows = np.repeat(np.arange(images), [len(one.numbers) for one in counts])
    columns = np.concatenate([one.numbers for one in counts])
    values = np.concatenate([one.counts for one in counts]).astype(np.float64)
    parts = [
        sparse.csr_array((values[:, part], (rows, columns)), shape=(images, classes)) for part in range(3)
    ]

    def means(weights: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
        return mean_iou(np.stack([weights @ part for part in parts], axis=-1))

    once = np.ones((1, images))
    table = np.stack([once @ part for part in parts], axis=-1)[0]
    # everything background: its IoU is its share of the judged pixels, that of all others 0
    true = table[:, 2]
    low, high = None, None
    if images > 1:
        low, high = drawn_interval(images, means)
    return replace(
        plain,
        mean=float(means(once)[0]),
        low=low,
        high=high,
        count=int((table[:, 1:].sum(axis=1) > 0).sum()),
        chance=float(true[0] / true.sum() / max(int((true > 0).sum()), 1)) if true.sum() else None,
    )
