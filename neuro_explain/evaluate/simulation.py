"""Can a unit's activation on new images be told from its name alone?

    looks = look(model, held_out)
    found = simulation([(names, looks)], names_of="named")
    found.mean.pearson.value, found.mean.pearson_chance

A name is a prediction: the more of an image its concept covers, the more the unit fires. For each unit the share of
the image that its concept covers, over the images that carry the concept's category, is correlated with what the unit
does there: with the mean over its map, and with the maximum. Pearson's correlation, and Spearman's beside it; their
mean over units. The images must be others than those that the names were made on. Of two halves, each gives names that
are tried on the other; a unit that both name counts twice, and the interval draws units.

The control is what another concept of the same category would give, drawn at random: the mean over all others that
these images show. A unit whose concept they do not show, or show alike everywhere, is counted apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dissection.concepts import Concept, ConceptDataset, by_category
from dissection.names import Names
from dissection.overlap import PackedLabels, checked_label_size
from dissection.recording import evaluating, record
from dissection.tally import LABEL_SIZE
from neuro_explain.evaluate.estimate import Estimate, estimate
from neuro_explain.evaluate.ranks import average_ranks
from neuro_explain.tower import Tower

LEAST = 3  # images: through two any line passes


@dataclass(frozen=True, eq=False)
class Looks:
    """What images show, and what a layer's units do on them.

    Attributes:
        concepts: the C concepts.
        shares: float64 `[N, C]`, 0 to 1: of the image's pixels, those with the concept.
        carried: bool `[N, C]`: the image carries the concept's category.
        mean, maximum: float64 `[N, U]`, of the unit's map.
    """

    concepts: tuple[Concept, ...]
    shares: NDArray[np.float64]
    carried: NDArray[np.bool_]
    mean: NDArray[np.float64]
    maximum: NDArray[np.float64]


@dataclass(frozen=True)
class Correlation:
    """Over units; what stands beside each mean is its control, over the same units."""

    pearson: Estimate
    pearson_chance: Estimate
    spearman: Estimate
    spearman_chance: Estimate


@dataclass(frozen=True)
class Simulation:
    """How well names tell what units do.

    Attributes:
        names_of: which units: those that are named, by their name, or the others, by their best label.
        units: how many there are, those of each part added up.
        unseen: of these, units whose concept the images do not show, or that do not vary on them.
        mean, maximum: of the unit's map.
    """

    names_of: Literal["named", "unnamed"]
    units: int
    unseen: int
    mean: Correlation
    maximum: Correlation


def look(
    model: Tower,
    dataset: ConceptDataset,
    *,
    label_size: int = LABEL_SIZE,
    batch_size: int = 32,
    workers: int = 2,
    progress: bool | None = None,
) -> Looks:
    """Runs the network over images that have labels.

    Args:
        model: with the layer whose units are meant.
        dataset: the images; those without any label are left out.
        label_size: side in pixels of the square on which labels are counted.
        batch_size: images per forward pass.
        workers: threads that read images and labels.
        progress: show a bar; None: only on a terminal.

    Raises:
        ValueError: no image with a label.
    """
    from tqdm import tqdm

    checked_label_size(label_size)
    categories, category_of = by_category(dataset.concepts)

    def prepare(index: int) -> tuple[Tensor, NDArray[np.float64], NDArray[np.bool_]] | None:
        labels = dataset.labels(index, label_size)
        if labels.empty:
            return None
        packed = PackedLabels.pack(labels, label_size, categories, category_of)
        covered = np.zeros(len(category_of))
        covered[packed.present] = packed.incidence(label_size)[:, :-1].double().mean(dim=0).numpy()
        carried = np.isin(category_of, packed.categories)
        return model.preprocess.probe(dataset.image(index)), covered, carried

    shares: list[NDArray[np.float64]] = []
    carries: list[NDArray[np.bool_]] = []
    means, maxima = [], []
    hidden = None if progress is None else not progress
    with (
        ThreadPoolExecutor(workers) as pool,
        evaluating(model.net) as net,
        torch.no_grad(),
        tqdm(total=len(dataset), desc="simulating", unit="image", disable=hidden, delay=1) as bar,
    ):
        for numbers in _batches(len(dataset), batch_size):
            read = [one for one in pool.map(prepare, numbers) if one is not None]
            bar.update(len(numbers))
            if not read:
                continue
            images, covered, carried = zip(*read, strict=True)
            with record(net, model.layer) as seen:
                net(torch.stack(images).to(model.device, model.dtype))
            maps = seen.output.flatten(2).double().cpu()
            shares += covered
            carries += carried
            means.append(maps.mean(dim=2).numpy())
            maxima.append(maps.amax(dim=2).numpy())
    if not shares:
        raise ValueError(f"none of the {len(dataset)} images has a label, so nothing can be told from names")
    concepts = tuple(dataset.concepts)
    return Looks(concepts, np.stack(shares), np.stack(carries), np.concatenate(means), np.concatenate(maxima))


def simulation(
    parts: Sequence[tuple[Names, Looks]], *, names_of: Literal["named", "unnamed"] = "named"
) -> Simulation:
    """How well names tell what units do on images that the names were not made on.

    Args:
        parts: names of the layer's units, and the images to try them on; of the same network.
        names_of: which units.

    Raises:
        ValueError: another number of units.
    """
    told: list[dict[int, int]] = []
    for names, looks in parts:
        if len(names) != looks.mean.shape[1]:
            raise ValueError(
                f"{names.source} names {len(names)} units, but {looks.mean.shape[1]} were looked at"
            )
        place = {concept: number for number, concept in enumerate(looks.concepts)}
        told.append(
            {
                name.unit: place[name.best]
                for name in names
                if name.best is not None and (name.concept is not None) == (names_of == "named")
            }
        )
    all_looks = [looks for _, looks in parts]
    mean = _correlation(told, all_looks, [looks.mean for looks in all_looks])
    maximum = _correlation(told, all_looks, [looks.maximum for looks in all_looks])
    units = sum(map(len, told))
    return Simulation(names_of, units, units - mean.pearson.count, mean, maximum)


def _correlation(
    told: Sequence[dict[int, int]], looks: Sequence[Looks], activations: Sequence[NDArray[np.float64]]
) -> Correlation:
    """Over parts: by unit the concept that it is told from, the images, and what units do there."""
    found: list[Estimate] = []
    for ranked in (False, True):
        own, others = [], []
        for concepts, images, fired in zip(told, looks, activations, strict=True):
            table = correlations(images, fired, ranked=ranked)
            category = np.array([concept.category for concept in images.concepts])
            for unit, concept in concepts.items():
                if np.isnan(table[unit, concept]):
                    continue
                own.append((unit, float(table[unit, concept])))
                same = category == category[concept]
                same[concept] = False
                rest = table[unit, same]
                if not np.isnan(rest).all():
                    others.append((unit, float(np.nanmean(rest))))
        found += [estimate(own), estimate(others)]
    return Correlation(*found)


def correlations(
    looks: Looks, activations: NDArray[np.float64], *, ranked: bool = False
) -> NDArray[np.float64]:
    """Each unit's correlation with each concept's share, over the images that carry the concept's category.

    Args:
        looks: of N images with C concepts.
        activations: `[N, U]`.
        ranked: Spearman's in place of Pearson's: the same of ranks, equal values sharing theirs.

    Returns:
        float64 `[U, C]`; NaN with fewer than three images, or where one of the two does not vary.
    """
    table = np.full((activations.shape[1], len(looks.concepts)), np.nan)
    for carried in np.unique(looks.carried, axis=1).T:
        if carried.sum() < LEAST:
            continue
        columns = np.flatnonzero((looks.carried == carried[:, None]).all(axis=0))
        shares, fired = looks.shares[carried][:, columns], activations[carried]
        if ranked:
            shares, fired = _ranks(shares), _ranks(fired)
        table[:, columns] = _standard(fired).T @ _standard(shares)
    return table


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([average_ranks(column) for column in values.T], axis=1)


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns of mean 0 and length 1; NaN where a column does not vary."""
    away = values - values.mean(axis=0)
    away[:, np.ptp(values, axis=0) == 0] = np.nan
    length: NDArray[np.float64] = away / np.sqrt((away**2).sum(axis=0))
    return length


def _batches(count: int, size: int) -> Iterator[Sequence[int]]:
    for start in range(0, count, size):
        yield range(start, min(start + size, count))
