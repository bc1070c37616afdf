"""Do maps of two classes in one picture differ, and does each lie on its own class?

    measure = Discrimination(net, [METHODS["grad-cam"]], layer="layer4")
    measure.add(0, image, Target.of_class(281), Target.of_class(207))
    measure.add(1, image, cat, dog, regions=(cat_pixels, dog_pixels))
    measure.report("ResNet-18").lines()

A method that draws the same map whatever is asked explains no class (Selvaraju et al. 2019, Sec. 5.1, of guided
backpropagation): the rank correlation of its two maps is 1. With regions, an image is told apart if of both maps more
of the mass falls on the own class's region than on the other's. One map for both never does that, whatever the sizes of
the regions; a point at random in each does in one case of four, at most. What both regions cover counts for neither.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dissection.resize import resize
from neuro_explain.evaluate.annotations import Box, box_pixels
from neuro_explain.evaluate.estimate import share_of
from neuro_explain.evaluate.map_report import MapReport
from neuro_explain.evaluate.map_source import NO_ORDER, MapSource
from neuro_explain.evaluate.ranks import rank_correlation
from neuro_explain.evaluate.tally import Figure, Tally
from neuro_explain.methods.saliency import Method
from neuro_explain.targets import Target

ALIKE = "rank correlation of the maps of two classes"
APART = "share of images with both maps on their own class"
OWN = "share of maps more on their own class"
_ZERO = "zero map, a miss"
_ONE_REGION = "image with a region that the other covers"

Regions = tuple[NDArray[np.bool_], NDArray[np.bool_]]


class Discrimination:
    """How far maps tell two classes apart, over images.

    Args:
        net: any module; comes back as it was.
        methods: those whose maps are measured.
        layer: that they explain.

    Raises:
        ValueError: no methods.
    """

    def __init__(self, net: nn.Module, methods: Sequence[Method], *, layer: str) -> None:
        self.source = MapSource(net, methods, layer=layer)
        self._alike = {title: Tally() for title in self.source.titles}
        self._own = {title: Tally() for title in self.source.titles}
        self._both: dict[str, list[bool]] = {title: [] for title in self.source.titles}
        self._placed = False  # whether any image came with regions

    def add(
        self, number: int, image: Tensor, first: Target, second: Target, *, regions: Regions | None = None
    ) -> dict[str, float | None]:
        """Measures one image.

        Args:
            number: of the image.
            image: prepared, `[1, 3, H, W]`.
            first, second: two classes.
            regions: where each of them is, `[H, W]`, in the frame of the prepared image (`box_region`).

        Returns:
            The rank correlation of the two maps by the method's title; None if one of them has no order.

        Raises:
            ValueError: the same class twice; regions of another shape; what is not finite.
        """
        if first.kind == second.kind == "class" and first.index == second.index:
            raise ValueError(f"second: expected another class than first, got {second.label!r} twice")
        if regions is not None:
            _check_regions(regions, (image.shape[2], image.shape[3]))
            self._placed = True
        # two images, and not two targets: every method takes one target for an image
        maps = self.source.maps(image.expand(2, *image.shape[1:]), [first, second])
        found: dict[str, float | None] = {}
        for title, pair in maps.items():
            found[title] = rank_correlation(pair[0], pair[1])
            value = found[title]
            if value is None:
                self._alike[title].note(NO_ORDER)
            else:
                self._alike[title].add(number, value)
            if regions is not None:
                self._place(title, number, pair, regions)
        return found

    def _place(self, title: str, number: int, pair: NDArray[np.float64], regions: Regions) -> None:
        alone = (regions[0] & ~regions[1], regions[1] & ~regions[0])
        if not (alone[0].any() and alone[1].any()):
            self._own[title].note(_ONE_REGION)
            return
        height, width = regions[0].shape
        pictures = resize(torch.from_numpy(pair), (height, width)).numpy()
        hits = []
        for own, picture in enumerate(pictures):
            if picture.max() <= 0:
                self._own[title].note(_ZERO)
            hits.append(bool(picture[alone[own]].sum() > picture[alone[1 - own]].sum()))
            self._own[title].add(number, float(hits[-1]), chance=0.5)
        self._both[title].append(all(hits))

    def report(self, network: str = "") -> MapReport:
        """What was found so far, of a network of this name."""
        figures = [tally.figure(ALIKE, network, title, median=False) for title, tally in self._alike.items()]
        notes = ["maps of two classes: 1 is the same order, so that nothing of the class is in the map"]
        if self._placed:
            for title, hits in self._both.items():
                share = share_of(hits)
                figures.append(
                    Figure(
                        APART,
                        network,
                        title,
                        share.value,
                        share.low,
                        share.high,
                        count=share.count,
                        scenes=share.count,
                        chance=0.25 if hits else None,
                    )
                )
                figures.append(self._own[title].figure(OWN, network, title, median=False))
            notes.append(
                "on their own class: more mass on the own region than on the other's, what both cover left out; one "
                "map for both classes is on its own half of the time, and never both times"
            )
        return MapReport("class discrimination", tuple(figures), (*notes, *self.source.notes))


def box_region(box: Box, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels `[H, W]` whose centres lie in a box.

    Args:
        box: left, top, right, bottom in pixels of the prepared image; it may reach beyond.
        size: (H, W).

    Raises:
        ValueError: a box that ends before it begins, or is not finite.
    """
    left, top, right, bottom = box
    if not (np.isfinite(box).all() and left < right and top < bottom):
        raise ValueError(f"box: expected left < right and top < bottom, got {box}")
    return box_pixels(box, size[1], size[0])


def _check_regions(regions: Regions, size: tuple[int, int]) -> None:
    for region in regions:
        if not isinstance(region, np.ndarray) or region.dtype != np.bool_ or region.shape != size:
            got = f"{region.dtype} {list(region.shape)}" if isinstance(region, np.ndarray) else type(region)
            raise ValueError(
                f"regions: expected two arrays of true and false {list(size)}, as the image, got {got}"
            )
