"""How much do a unit's masks overlap with each concept? Integer counts, added image by image.

For unit k and concept c, over all images on S × S pixels (Bau et al. 2017, Sec. 2.3):

    I(k, c)   pixels active and labelled c
    A(k, cat) active pixels on images that carry category cat
    G(c)      pixels labelled c
    IoU(k, c) = I / (A(k, cat(c)) + G(c) - I)

A pixel is active where the resized map exceeds T_k. Counting is separate from the ratio, so parts of a data
set add up exactly (`merge`). Programs before this one counted otherwise; `presets.Rules` says how.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dissection.concepts import NO_LABEL, Concept, Labels, by_category
from dissection.presets import OURS, Rules
from dissection.resize import resize_as
from dissection.scratch import Scratch

_MAPS_AT_ONCE = 64
_EXACT = 1 << 24  # whole numbers up to here are float32
MAX_LABEL_SIZE = 4096  # S² ≤ 2^24, so that a float32 matrix product of zeros and ones counts exactly


@dataclass(frozen=True)
class PackedLabels:
    """An image's labels, small: numbers of the concepts present, and the layers in terms of these.

    Attributes:
        present: concept numbers `[c]`, ascending, of pixel and whole-image labels.
        whole: those of the whole image.
        categories: indices of the categories that the image carries.
        layers: number of label layers.
        source: which of several joined sets the image comes from.
        packed: zlib of uint16 `[layers, S, S]`, each value an index into `present`, or c where there is none.
    """

    present: NDArray[np.int64]
    whole: tuple[int, ...]
    categories: tuple[int, ...]
    layers: int
    packed: bytes
    source: int = 0

    @classmethod
    def pack(
        cls,
        labels: Labels,
        size: int,
        categories: Sequence[str],
        category_of: NDArray[np.int64],
        source: int = 0,
    ) -> PackedLabels:
        """Packs the labels of one image.

        Args:
            labels: of `size` × `size` pixels.
            size: S.
            categories, category_of: all of them, and that of each concept (see `by_category`).
            source: which of several joined sets the image comes from.

        Raises:
            ValueError: labels of another size, numbers without a concept, or a label whose category the
                image is said not to carry (A would not count what I counts).
        """
        concepts = len(category_of)
        if len(labels.layers) and labels.layers.shape[1:] != (size, size):
            got = list(labels.layers.shape[1:])
            raise ValueError(f"labels: expected {size} × {size} pixels, got {got}")
        for values, least in ((labels.layers, NO_LABEL), (np.array(labels.whole, np.int64), 0)):
            if values.size and not least <= values.min() <= values.max() < concepts:
                raise ValueError(
                    f"labels: expected concept numbers 0 to {concepts - 1}, or {NO_LABEL} at pixels without "
                    f"a label, got {values.min()} to {values.max()}"
                )
        shifted = labels.layers + 1  # NO_LABEL, -1, becomes 0
        seen = np.bincount(shifted.ravel(), minlength=concepts + 1)[1:] > 0
        seen[list(labels.whole)] = True
        present = np.flatnonzero(seen)
        missing = {categories[k] for k in np.unique(category_of[present])} - labels.categories
        if missing:
            raise ValueError(
                f"labels: there are labels of {', '.join(sorted(missing))}, but the image's categories are "
                f"{', '.join(sorted(labels.categories)) or 'none'}"
            )
        local = np.full(concepts + 1, len(present), np.uint16)
        local[present + 1] = np.arange(len(present), dtype=np.uint16)
        packed = zlib.compress(local[shifted].tobytes(), level=1)
        carried = tuple(i for i, name in enumerate(categories) if name in labels.categories)
        return cls(present, tuple(labels.whole), carried, len(labels.layers), packed, source)

    def incidence(self, size: int, scratch: Scratch | None = None, *, twice: bool = False) -> Tensor:
        """float32 `[P, c + 1]`, P = size²: 1 where a pixel has the concept; the last column is all ones.

        A concept in two layers of one pixel stands there once, or if `twice` as often as it is there. The next
        matrix from the same `scratch` overwrites this one.
        """
        scratch = scratch or Scratch()
        count = len(self.present)
        local = np.frombuffer(zlib.decompress(self.packed), np.uint16).reshape(self.layers, size * size)
        index = torch.from_numpy(local.astype(np.int64)).to(scratch.device)
        matrix = scratch.take("incidence", size * size, count + 1).zero_()
        whole = np.searchsorted(self.present, list(self.whole)).tolist()
        if twice:
            for layer in index:  # a pixel has one label in a layer
                matrix.scatter_add_(1, layer[:, None], matrix.new_ones(len(layer), 1))
            for column in whole:
                matrix[:, column] += 1.0
        else:
            if self.layers:
                matrix.scatter_(1, index.T, 1.0)
            if self.whole:
                matrix[:, whole] = 1.0
        matrix[:, count] = 1.0
        return matrix


def checked_label_size(size: int) -> int:
    """S itself, or a ValueError if labels cannot be counted at this size."""
    if not 1 <= size <= MAX_LABEL_SIZE:
        raise ValueError(f"label_size: expected 1 to {MAX_LABEL_SIZE} pixels, got {size}")
    return size


class Watcher(Protocol):
    """Is shown what is counted of an image; it must not keep the tensors, which are used again.

    It sees which labels are at a pixel and which pixels are active, whatever a preset makes of that.
    """

    def labels(self, labels: PackedLabels, incidence: Tensor) -> None:
        """Labels, and their incidence `[S², c + 1]`, 0 or 1."""

    def masks(self, units: Tensor, masks: Tensor) -> None:
        """Masks of some units, 0 or 1, float32 `[M, S, S]`."""


class Overlap:
    """The counts I, A and G of a data set.

    Args:
        units: U.
        concepts: the C concepts, by number.
        size: S, at most 4096.
        rules: which masks and areas are counted.
        device: where the counting runs.

    Attributes:
        categories: names of the K categories, in order of first appearance among the concepts.
        category_of: int64 `[C]`.
        intersection: int64 `[U, C]`, I.
        activation_area: int64 `[U, K]`, A.
        concept_area: int64 `[C]`, G.
        concept_images: int64 `[C]`, images with the concept.
        category_area: int64 `[K]`, pixels of images that carry the category; by rules that count A elsewhere, of
            those on which an active pixel can add to A.
        active_pixels: int64 `[U]`, active pixels on all images.
    """

    def __init__(
        self,
        units: int,
        concepts: Sequence[Concept],
        size: int,
        *,
        rules: Rules = OURS,
        device: torch.device | str = "cpu",
    ) -> None:
        self.size, self.rules = checked_label_size(size), rules
        self.device = device
        self.categories, category_of = by_category(concepts)
        self.category_of = torch.from_numpy(category_of)

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.int64, device=device)

        self.intersection = zeros(units, len(concepts))
        self.activation_area = zeros(units, len(self.categories))
        self.concept_area = zeros(len(concepts))
        self.concept_images = zeros(len(concepts))
        self.category_area = zeros(len(self.categories))
        self.active_pixels = zeros(units)
        self._scratch = Scratch(device)

    def add(
        self,
        labels: PackedLabels,
        units: Tensor,
        maps: Tensor,
        threshold: Tensor,
        *,
        watcher: Watcher | None = None,
    ) -> None:
        """Counts one image.

        Args:
            labels: of this image.
            units: int64 `[M]`, different units: those whose map may exceed their threshold here. All
                others are known to be inactive and need not be given.
            maps: their maps `[M, h, w]`.
            threshold: T_k of all units `[U]`.
            watcher: is shown labels and masks as they are counted.

        Raises:
            ValueError: so many labels count so often that float32 could not add them up.
        """
        present = torch.from_numpy(labels.present).to(self.device)
        counting = torch.tensor(self._counting(labels), dtype=torch.int64, device=self.device)
        incidence = labels.incidence(self.size, self._scratch, twice=self.rules.twice)
        if watcher is not None:
            watcher.labels(labels, incidence.clamp(max=1.0) if self.rules.twice else incidence)
        every_pixel = self._scratch.take("ones", 1, self.size**2).fill_(1)
        self.concept_area[present] += (every_pixel @ incidence)[0, :-1].long()
        self.concept_images[present] += 1
        self.category_area[counting] += self.size**2
        for some, theirs in zip(
            torch.split(units, _MAPS_AT_ONCE), torch.split(maps, _MAPS_AT_ONCE), strict=True
        ):
            if len(some):
                masks = self._masks(theirs, threshold[some, None, None])
                self._add_active(some, masks, present, counting, incidence)
                if watcher is not None:
                    watcher.masks(some, masks)

    def _counting(self, labels: PackedLabels) -> Sequence[int]:
        """The categories for which active pixels of an image can add to A."""
        at_most = labels.layers + len(labels.whole)
        if self.rules.twice and at_most * self.size**2 > _EXACT:
            raise ValueError(
                f"label_size: a label may count {at_most} times in each of {self.size} × {self.size} pixels, which is "
                f"more than the {_EXACT} up to which counts are exact; choose a smaller size"
            )
        if self.rules.area == "carried":
            return labels.categories
        if self.rules.area == "all":
            return range(len(self.categories))
        return tuple(np.unique(self.category_of.numpy()[labels.present]).tolist())

    def _masks(self, maps: Tensor, threshold: Tensor) -> Tensor:
        """Where maps `[M, h, w]` exceed T_k `[M, 1, 1]`: 0 or 1, float32 `[M, S, S]`."""
        out = self._scratch.take("masks", len(maps), self.size, self.size)
        if self.rules.centres == "zeros outside":
            # the zeros are activations, not differences; these values and those that T_k comes from are the same
            pixels = resize_as(self.rules.centres, maps, self.size)
            return out.copy_(pixels > threshold)
        # The difference is resized, not the map: where all cells around a pixel are at or below T_k it comes
        # out at or below 0 whatever the rounding, so a plateau at T_k is never active.
        return resize_as(self.rules.centres, maps - threshold, self.size, out=out).gt_(0)

    def _add_active(
        self, units: Tensor, masks: Tensor, present: Tensor, counting: Tensor, incidence: Tensor
    ) -> None:
        """Counts the active pixels of some units."""
        counts = (masks.flatten(1) @ incidence).long()
        active = counts[:, -1]
        self.intersection[units[:, None], present[None, :]] += counts[:, :-1]
        areas = active[:, None].expand(-1, len(counting))
        if self.rules.area == "touched":
            of = self.category_of.to(self.device)[present]
            touched = (of[:, None] == counting[None, :]).float()  # of each concept and category, [c, k]
            areas = areas * (counts[:, :-1].float() @ touched > 0)
        self.activation_area[units[:, None], counting[None, :]] += areas
        self.active_pixels[units] += active

    def merge(self, other: Overlap) -> None:
        """Adds the counts of another part of the same data set under the same thresholds."""
        if other.size != self.size:
            raise ValueError(f"expected counts on {self.size} × {self.size} pixels, got {other.size}")
        for name in (
            "intersection",
            "activation_area",
            "concept_area",
            "concept_images",
            "category_area",
            "active_pixels",
        ):
            getattr(self, name).add_(getattr(other, name).to(self.device))


def iou(
    intersection: NDArray[np.int64],
    activation_area: NDArray[np.int64],
    concept_area: NDArray[np.int64],
    category_of: NDArray[np.int64],
) -> NDArray[np.float64]:
    """`I / (A(k, cat(c)) + G(c) - I)`, float64 `[U, C]`; 0 where nothing is active and nothing labelled.

    Args:
        intersection: I `[U, C]`.
        activation_area: A `[U, K]`.
        concept_area: G `[C]`.
        category_of: the category of each concept `[C]`.
    """
    union = activation_area[:, category_of] + concept_area[None, :] - intersection
    ratio: NDArray[np.float64] = np.divide(intersection, union, out=np.zeros(union.shape), where=union > 0)
    return ratio


def iou_ceiling(labelled: int, carried: int, pixels: int, quantile: float) -> float:
    """About the largest IoU that a concept can reach where a unit is active on the share q of all pixels.

    A concept that every image could have reaches min/max of its share and q. A category that only some images
    carry may catch all active pixels, or none that the others have room for.

    Args:
        labelled: G, pixels with the concept.
        carried: pixels of images that carry its category.
        pixels: of all images.
        quantile: q.
    """
    active = quantile * pixels
    most, least = min(active, carried), max(0.0, active - (pixels - carried))
    if labelled > most:
        return most / labelled
    return labelled / least if labelled < least else float(labelled > 0)
