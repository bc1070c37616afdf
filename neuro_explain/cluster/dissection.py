"""Layers dissected by a cluster: the same thresholds and counts as in one process, to the last integer.

Labels are read first, since batches are made of the images that have some, and what else is in a batch may change an
activation in its last digit. Then the network looks at shares of these batches; each gives its largest values, by which
later ones know what cannot matter, and keeps the maps that may matter where it was done. At the end T_k is known, and
what was kept is counted where it lies.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from torch import Tensor

from dissection.dissect import Bar, Found, no_labels
from dissection.exemplars import BestImages
from dissection.kept import KeptBatch
from dissection.overlap import PackedLabels
from dissection.tally import Count, Survey, count_all
from dissection.work import Work
from neuro_explain.cluster import Cluster
from neuro_explain.cluster.pool import Pool, held, joined

_IMAGES = 512  # of a share, about
_COUNTED = 8  # shares whose kept maps are counted at once: counts are many numbers, however few the images


def found_on(cluster: Cluster, work: Work, bar: Bar) -> list[Found]:
    """Does the work on a cluster, whose machines must find the data set's files under the same paths.

    Args:
        cluster: which.
        work: the layers and the data set.
        bar: makes progress bars.

    Raises:
        Exception: what goes wrong in a share, as it was raised there.
        OSError: a share was lost too often.
    """
    with joined(cluster) as pool:
        return _Shares(pool, work, bar).found()


class _Shares:
    def __init__(self, pool: Pool, work: Work, bar: Bar) -> None:
        self.pool, self.work, self.bar = pool, work, bar
        self.how = (pool.hold(work), pool.cluster.cpus, pool.cluster.device)
        self.size = work.batch_size * max(1, _IMAGES // work.batch_size)

    def found(self) -> list[Found]:
        """All of it, of each layer."""
        labelled, packed = self._labels()
        surveys, kept = self._survey(labelled, packed)
        found = []
        for survey, of_layer in zip(surveys, kept, strict=True):
            threshold = survey.threshold()
            found.append(Found(survey, threshold, self._count(survey, of_layer, threshold)))
        return found

    def _labels(self) -> tuple[list[int], list[Any]]:
        """The images that have labels, and references to the labels of each `size` images of the set."""
        total = len(self.work.dataset)
        ranges = [range(at, min(at + self.size, total)) for at in range(0, total, self.size)]
        labelled: list[list[int]] = [[] for _ in ranges]
        packed: list[Any] = [None] * len(ranges)
        shares = ((number, (*self.how, numbers)) for number, numbers in enumerate(ranges))
        with self.bar(total=total, desc="reading labels", unit="image") as bar:
            for number, (numbers, labels) in self.pool.each(_pack, shares, gives=2):
                labelled[number], packed[number] = self.pool.get(numbers), labels
                bar.update(len(ranges[number]))
        return [one for some in labelled for one in some], packed

    def _survey(self, labelled: list[int], packed: list[Any]) -> tuple[list[Survey], list[list[Any]]]:
        """Of each layer: what all images say together, and references to what is kept of each share."""
        shares = [labelled[at : at + self.size] for at in range(0, len(labelled), self.size)]
        if not shares:
            raise no_labels(self.work.dataset)
        surveys: list[Survey] = []
        layers = len(self.work.layers)
        kept: list[list[Any]] = [[None] * len(shares) for _ in range(layers)]

        def calls() -> Iterator[tuple[int, tuple[Any, ...]]]:
            for number, images in enumerate(shares):
                needed = sorted({image // self.size for image in images})
                labels = [packed[one] for one in needed]
                # whoever begins later knows more of what cannot matter
                floors = [survey.floor for survey in surveys] or None
                yield number, (*self.how, images, labels, floors)

        with self.bar(total=len(labelled), desc="dissecting", unit="image") as bar:
            for number, (said, *maps) in self.pool.each(_survey, calls(), gives=1 + layers):
                parts = self.pool.get(said)
                for layer in range(layers):
                    kept[layer][number] = maps[layer]
                    if surveys:
                        surveys[layer].merge(parts[layer])
                surveys = surveys or parts
                bar.update(len(shares[number]))
        return surveys, kept

    def _count(self, survey: Survey, kept: list[Any], threshold: Tensor) -> Count:
        empty = partial(
            Count,
            survey.best,
            self.work.dataset.concepts,
            self.work.label_size,
            threshold,
            rules=self.work.rules,
            chance=self.work.chance,
            compositions=self.work.compositions,
        )
        total = empty()
        groups = [kept[at : at + _COUNTED] for at in range(0, len(kept), _COUNTED)]
        shares = enumerate((*self.how, survey.best, threshold, *group) for group in groups)
        with self.bar(total=len(groups), desc="counting", unit="share") as bar:
            for _number, (part,) in self.pool.each(_count, shares):
                total.merge(self.pool.get(part))
                bar.update()
        return total


def _pack(
    box: list[Any], cpus: int, device: str, numbers: range
) -> tuple[list[int], dict[int, PackedLabels]]:
    work: Work = held(box, cpus, device)
    packed = {number: labels for number in numbers if (labels := work.pack(number)) is not None}
    return list(packed), packed


def _survey(
    box: list[Any],
    cpus: int,
    device: str,
    images: list[int],
    labels: list[Any],
    floors: list[Tensor | None] | None,
) -> tuple[list[Survey] | list[KeptBatch], ...]:
    import ray

    work: Work = held(box, cpus, device)
    packed: dict[int, PackedLabels] = {}
    for some in ray.get(labels):
        packed.update(some)
    seen = list(work.survey(images, pack=packed.__getitem__, floors=floors))
    surveys = [survey.on("cpu") for survey, _ in seen[-1]]
    kept = [
        [batches[layer][1].above(survey.bound) for batches in seen] for layer, survey in enumerate(surveys)
    ]
    return surveys, *kept


def _count(
    box: list[Any], cpus: int, device: str, best: BestImages, threshold: Tensor, *kept: list[KeptBatch]
) -> Count:
    work: Work = held(box, cpus, device)
    concepts, size = work.dataset.concepts, work.label_size
    batches = (batch for share in kept for batch in share)
    asked: dict[str, Any] = {"rules": work.rules, "chance": work.chance, "compositions": work.compositions}
    counted = count_all(best, batches, concepts, size, threshold, device=device, **asked)
    total = Count(best, concepts, size, threshold, **asked)
    total.merge(counted)
    return total
