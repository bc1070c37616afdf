"""Does the maximum of a map lie on the thing? The pointing game (Zhang et al. 2016), and its variant with recall.

    pointing_report(model, images, [METHODS["grad-cam"]], classes, tolerance=15).lines()

For each category that is in a photograph, the map of its class is resized to the photograph, once. Its maximum points
at the thing if an annotated pixel of the category lies within `tolerance` pixels of it (distance of centres; 0 by
default: the pixel itself; TorchRay takes 15). Resizing makes plateaus, of which the centroid counts. Zero maps, several
separate maxima, and things out of the network's sight are misses. Crowds are of their category; pixels of what is
marked difficult count only on demand. Without masks, boxes are the things.

The difficult subset, as in Zhang et al. 2016, Sec. 4.1: the boxes of the category cover less than a quarter of the
photograph together, and another category is in it too.

Two players need no network: a point drawn at random in what the network sees (the column "chance"), and its centre.
The variant with recall is `recall`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neuro_explain.evaluate.annotations import AnnotatedImage, AnnotatedSet
from neuro_explain.evaluate.class_map import ClassMap
from neuro_explain.evaluate.counted import counted
from neuro_explain.evaluate.map_report import MapReport, something_measured
from neuro_explain.evaluate.map_source import MapSource
from neuro_explain.evaluate.recall import TOP, Recall
from neuro_explain.evaluate.regions import maximum_point
from neuro_explain.evaluate.shares import Shares
from neuro_explain.evaluate.shown import Shown, View, best_classes, show
from neuro_explain.evaluate.tally import Figure
from neuro_explain.methods.saliency import Method
from neuro_explain.model import Model

CENTRE = "centre of what is seen"
DIFFICULT_AREA = 0.25
NO_POINT = "zero map or several maxima, a miss"
UNSEEN = "out of the network's sight, a miss"
NO_CLASS = "categories in photographs without a class"
ONLY_DIFFICULT = "categories in photographs with nothing but difficult ones"


def target_pixels(
    image: AnnotatedImage, category: str, *, difficult: bool = False
) -> NDArray[np.bool_] | None:
    """The pixels of a category in a photograph, `[height, width]`; None if nothing of it may be asked for."""
    width, height = image.size
    asked = [one for one in image.of(category) if difficult or not one.difficult]
    if not asked:
        return None
    pixels = np.zeros((height, width), np.bool_)
    for one in asked:
        pixels |= one.pixels(width, height)
    return pixels


def within(pixels: NDArray[np.bool_], tolerance: float) -> NDArray[np.bool_]:
    """The pixels that have one of these within so many pixels, their own place included; `[H, W]`."""
    if tolerance == 0 or not pixels.any():
        return pixels
    from scipy import ndimage

    near: NDArray[np.bool_] = ndimage.distance_transform_edt(~pixels) <= tolerance
    return near


def centre_of(seen: NDArray[np.bool_]) -> tuple[int, int]:
    """Row and column of the middle of what the network sees; of an even number of rows the lower one."""
    rows, columns = np.nonzero(seen)
    return (int(rows.min()) + int(rows.max()) + 1) // 2, (int(columns.min()) + int(columns.max()) + 1) // 2


def is_difficult(image: AnnotatedImage, category: str) -> bool:
    """Whether a category is in the difficult subset of its photograph: small, and not alone."""
    boxes = [one.box for one in image.of(category)]
    area = sum((right - left) * (bottom - top) for left, top, right, bottom in boxes)
    return area < DIFFICULT_AREA * image.size[0] * image.size[1] and len(image.categories) > 1


def pointing_report(
    model: Model,
    images: AnnotatedSet,
    methods: Sequence[Method],
    classes: ClassMap,
    *,
    tolerance: float = 0.0,
    difficult: bool = False,
    reject_below: float | None = None,
    view: View = "crop",
    batch_size: int = 16,
    seed: int = 0,
) -> MapReport:
    """How often the maps of some methods point at the thing.

    Args:
        model: the network.
        images: annotated photographs.
        methods: at least one.
        classes: which of the network's classes stand for which category.
        tolerance: in pixels of the photograph, 0 or more.
        difficult: whether to ask for difficult ones.
        reject_below: of the variant with recall; chosen on half of the photographs if not given.
        view: what the network is shown.
        batch_size: images that go through the network at once.
        seed: of the halves.

    Raises:
        ValueError: a negative tolerance or threshold; nothing could be measured; see `show`.
    """
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(f"tolerance: expected 0 pixels or more, got {tolerance}")
    if reject_below is not None and not reject_below >= 0:
        raise ValueError(f"reject_below: expected 0 or more, got {reject_below}")
    source = MapSource(model.net, methods, layer=model.layer)
    game = _Game(source.titles, classes, tolerance, difficult=difficult)
    recall = Recall(source.titles)

    def wanted(image: AnnotatedImage, scores: NDArray[np.float64]) -> list[int]:
        given = [classes.best(name, scores) for name in image.categories if name in classes.of]
        best = best_classes(scores, TOP)
        return given + [number for number in best if classes.categories_of(number)]

    for shown in show(model, images, source, wanted, view=view, batch_size=batch_size, apart=game.apart):
        points = {
            (title, number): maximum_point(shown.picture(title, number))
            for title, maps in shown.maps.items()
            for number in maps
        }
        game.take_in(shown, points)
        recall.take_in(shown, points, classes, game.pixels)
    recalled = recall.judged(model.name, reject_below, len(images), seed)
    figures = (*game.figures(model.name), *recalled.figures)
    something_measured(images.name, sum(figure.count for figure in figures), game.apart)
    notes = [
        f"a hit: a pixel of the category within {tolerance:g} pixels of the map's maximum; chance: a point drawn at "
        "random in what the network sees",
        *recalled.notes,
        *classes.sentences(),
        *images.notes,
        *(counted(count, reason) for reason, count in game.apart.items()),
        *source.notes,
    ]
    title = (
        f"pointing: {model.name}, {model.layer}, on {counted(len(images), 'photographs')} of {images.name}, "
        f"view {view}"
    )
    return MapReport(title, figures, tuple(notes), recalled.more)


class _Game:
    """Collects hits and misses."""

    def __init__(
        self, titles: Sequence[str], classes: ClassMap, tolerance: float, *, difficult: bool
    ) -> None:
        self.apart: Counter[str] = Counter()
        self.pixels: dict[str, NDArray[np.bool_] | None] = {}
        self._classes, self._tolerance, self._difficult = classes, tolerance, difficult
        self._shares = {
            (subset, title): Shares()
            for subset in ("pointing", "pointing, difficult subset")
            for title in (*titles, CENTRE)
        }

    def take_in(self, shown: Shown, points: dict[tuple[str, int], tuple[int, int] | None]) -> None:
        """Judges each category of a photograph; `pixels` then holds where each counts as hit."""
        self.pixels = {}
        seen = shown.seen()
        for category in shown.image.categories:
            pixels = target_pixels(shown.image, category, difficult=self._difficult)
            self.pixels[category] = None if pixels is None else within(pixels, self._tolerance)
            if category not in self._classes.of:
                self.apart[NO_CLASS] += 1
            elif pixels is None:
                self.apart[ONLY_DIFFICULT] += 1
            else:
                self._judge(shown, category, seen, points)

    def _judge(
        self,
        shown: Shown,
        category: str,
        seen: NDArray[np.bool_],
        points: dict[tuple[str, int], tuple[int, int] | None],
    ) -> None:
        hits = self.pixels[category]
        assert hits is not None
        number = self._classes.best(category, shown.scores)
        subsets = ["pointing"]
        if is_difficult(shown.image, category):
            subsets.append("pointing, difficult subset")
        chance = float(hits[seen].mean())
        players = {title: points[title, number] for title in shown.maps} | {CENTRE: centre_of(seen)}
        for title, point in players.items():
            for subset in subsets:
                collected = self._shares[subset, title]
                hit = point is not None and bool(hits[point])
                collected.add(shown.number, category, float(hit), chance=chance)
                if point is None:
                    collected.note(NO_POINT)
                elif not hits[seen].any():
                    collected.note(UNSEEN)

    def figures(self, network: str) -> tuple[Figure, ...]:
        """The rows."""
        return tuple(
            figure
            for (subset, title), collected in self._shares.items()
            for figure in collected.figures(subset, network, title)
        )
