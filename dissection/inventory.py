"""What is in a concept set, and what is broken in it?

    stock = inventory(open_concepts("coco:data/coco"))
    stock.categories, stock.labels             # counts, a row each
    stock.examples("wheel", limit=5)           # which images have a wheel? most of it first
    stock.problems                             # one sentence for everything that is wrong

Every image and every label map is read once. A file that cannot be read does not stop the count: it becomes a
problem and its image counts nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dissection.concepts import Concept, ConceptDataset, Labels
from dissection.readers.errors import ConceptSetError, hint

if TYPE_CHECKING:
    import pandas as pd

_NAMED = 10  # how many names or images a sentence lists before it only counts


@dataclass(frozen=True)
class LabelCount:
    """One label: how many images have it, and how many pixels of them, all squashed to S × S."""

    concept: Concept
    images: int
    pixels: int


@dataclass(frozen=True)
class CategoryCount:
    """One category.

    Attributes:
        category: its name.
        concepts: labels that it has.
        seen: labels of it that occur in an image.
        images: images that carry it, with or without a label of it.
        pixels: the sum of its labels' pixels; a pixel with two labels of it counts for both.
    """

    category: str
    concepts: int
    seen: int
    images: int
    pixels: int


@dataclass(frozen=True)
class Example:
    """An image with a label, and how many of its S × S pixels have it."""

    index: int
    image: str
    concept: Concept
    pixels: int


@dataclass(frozen=True)
class Inventory:
    """What a concept set holds.

    Attributes:
        size: S; pixels are counted on label maps of S × S.
        images: images of the set, broken ones included.
        unlabelled: readable images without any label; a dissection leaves them out.
        broken: images that cannot be read, or whose labels cannot.
        categories: a count per category, by first appearance.
        labels: a count per concept, in the order of the numbers.
        problems: sentences on what is wrong, in the order of the images; then what concerns the whole set.
        occurrences: int64 `[N, 3]`, rows of image, concept number, pixels.
        image_ids: the id of each image.
    """

    size: int
    images: int
    unlabelled: int
    broken: int
    categories: tuple[CategoryCount, ...]
    labels: tuple[LabelCount, ...]
    problems: tuple[str, ...]
    occurrences: NDArray[np.int64]
    image_ids: tuple[str, ...]

    def examples(self, name: str, category: str | None = None, limit: int | None = 10) -> list[Example]:
        """The images that have a label, most pixels first, then by image number.

        Args:
            name: the label; upper and lower case are one.
            category: only in this category; a name may occur in several.
            limit: at most so many; None for all.

        Raises:
            ConceptSetError: the set has no such label; the message offers near names.
        """
        concepts = [count.concept for count in self.labels]
        among = {
            number: concept
            for number, concept in enumerate(concepts)
            if category is None or concept.category.casefold() == category.casefold()
        }
        if not among and category is not None:
            known = hint(category, [count.category for count in self.categories])
            raise ConceptSetError(f"category {category!r} is not in this set; {known}")
        wanted = [number for number, concept in among.items() if concept.name.casefold() == name.casefold()]
        if not wanted:
            known = hint(name, [concept.name for concept in among.values()])
            raise ConceptSetError(f"label {name!r} is not in this set; {known}")
        rows = self.occurrences[np.isin(self.occurrences[:, 1], wanted)]
        order = np.lexsort((rows[:, 1], rows[:, 0], -rows[:, 2]))[:limit]
        return [
            Example(image, self.image_ids[image], concepts[number], pixels)
            for image, number, pixels in rows[order].tolist()
        ]

    def to_frame(self) -> pd.DataFrame:
        """A row per label: `concept` (number), `name`, `category`, `images`, `pixels`."""
        import pandas as pd

        rows = [(c.concept.name, c.concept.category, c.images, c.pixels) for c in self.labels]
        frame: pd.DataFrame = pd.DataFrame(rows, columns=["name", "category", "images", "pixels"])
        frame.insert(0, "concept", range(len(rows)))
        return frame


def inventory(
    dataset: ConceptDataset,
    size: int = 112,
    progress: Callable[[Iterable[int]], Iterable[int]] | None = None,
) -> Inventory:
    """Count the labels of a set and collect what is broken.

    Args:
        dataset: the set.
        size: S, the side of the label maps.
        progress: wraps the numbers of the images as they are gone through, as `tqdm` does.
    """
    concepts = tuple(dataset.concepts)
    numbers = range(len(dataset))
    problems: list[str] = []
    found: list[NDArray[np.int64]] = []
    carried: dict[str, int] = {}
    empty: list[int] = []
    broken = 0
    for index in progress(numbers) if progress else numbers:
        try:
            dataset.image(index)
            labels = _checked(dataset.labels(index, size), len(concepts))
        except (ValueError, OSError) as error:
            problems.append(_naming(dataset.image_id(index), str(error)))
            broken += 1
            continue
        for category in labels.categories:
            carried[category] = carried.get(category, 0) + 1
        if labels.empty:
            empty.append(index)
        counts = _count(labels, len(concepts))
        seen = np.flatnonzero(counts)
        found.append(np.stack([np.full_like(seen, index), seen, counts[seen]], axis=1))
    occurrences = np.concatenate([np.empty((0, 3), np.int64), *found])
    counted = tuple(
        LabelCount(concept, int(images), int(pixels))
        for concept, images, pixels in zip(concepts, *_totals(occurrences, len(concepts)), strict=True)
    )
    ids = tuple(dataset.image_id(index) for index in numbers)
    if empty:
        some = _some([ids[index] for index in empty])
        problems.append(f"{_images(len(empty))} no label and will be left out of a dissection: {some}")
    problems += _never_seen(counted)
    problems += getattr(dataset, "notes", ())
    return Inventory(
        size=size,
        images=len(ids),
        unlabelled=len(empty),
        broken=broken,
        categories=_by_category(counted, carried),
        labels=counted,
        problems=tuple(problems),
        occurrences=occurrences,
        image_ids=ids,
    )


def _checked(labels: Labels, concepts: int) -> Labels:
    """The labels, if all their numbers are those of concepts."""
    strange = [n for n in (*np.unique(labels.layers), *labels.whole) if not -1 <= n < concepts]
    if strange:
        raise ConceptSetError(
            f"has a label numbered {strange[0]}, but the set has the concepts 0 to {concepts - 1}"
        )
    return labels


def _count(labels: Labels, concepts: int) -> NDArray[np.int64]:
    """Pixels of each concept: int64 `[C]`; a pixel that has it in two layers counts once."""
    per_layer = np.zeros((len(labels.layers), concepts), np.int64)
    for row, layer in zip(per_layer, labels.layers, strict=True):
        row[:] = np.bincount(layer.ravel() + 1, minlength=concepts + 1)[1:]
    counts: NDArray[np.int64] = per_layer.sum(axis=0, dtype=np.int64)
    for number in np.flatnonzero((per_layer > 0).sum(axis=0) > 1):
        counts[number] = np.count_nonzero((labels.layers == number).any(axis=0))
    counts[list(labels.whole)] = labels.layers.shape[1] * labels.layers.shape[2]
    return counts


def _totals(occurrences: NDArray[np.int64], concepts: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Images and pixels of each concept."""
    images = np.bincount(occurrences[:, 1], minlength=concepts)
    pixels = np.zeros(concepts, np.int64)
    np.add.at(pixels, occurrences[:, 1], occurrences[:, 2])
    return images, pixels


def _by_category(labels: Sequence[LabelCount], carried: dict[str, int]) -> tuple[CategoryCount, ...]:
    names = dict.fromkeys([*(count.concept.category for count in labels), *sorted(carried)])
    groups = {name: [count for count in labels if count.concept.category == name] for name in names}
    return tuple(
        CategoryCount(
            name,
            len(group),
            sum(count.images > 0 for count in group),
            carried.get(name, 0),
            sum(count.pixels for count in group),
        )
        for name, group in groups.items()
    )


def _never_seen(labels: Sequence[LabelCount]) -> list[str]:
    sentences = []
    for category in dict.fromkeys(count.concept.category for count in labels):
        group = [count for count in labels if count.concept.category == category]
        unseen = [count.concept.name for count in group if not count.images]
        if unseen:
            some = _some(unseen)
            sentences.append(
                f"{len(unseen)} of the {len(group)} labels of category {category} are never seen: {some}"
            )
    return sentences


def _naming(image: str, sentence: str) -> str:
    """The sentence, with the image in front unless it is named in it already."""
    return sentence if image in sentence else f"{image}: {sentence}"


def _some(names: Sequence[str]) -> str:
    rest = f" … and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + rest


def _images(count: int) -> str:
    return "1 image has" if count == 1 else f"{count} images have"
