"""How often is a name chance, and how many true ones are found? Over worlds where both are known.

    python -m benchmarks.significance [--worlds 20] [--images 50 100 200] [--permutations 100] [--only joined]

The scenes of `diorama.planted` are drawn in key colours; planted units are its detectors, each of one kind. The other
units know nothing of the scene: "blue" ones (its noise units, each cell by itself), "smooth" ones (blobs anywhere),
"corner" ones (blobs always near one place), and "few" ones (two large blobs in all, on two images).

Joined sets are two halves of the scenes, whose labels are of the same categories and have other names: what stands on
one half's images stands on none of the other's. All images of a half have its mark, a label that always stands in the
same place, and "marked" noise units fire near there. A third of the noise units of each kind fires on the one half
alone, another third on the other half, so that they know which set an image is from, and nothing else. As a control the
two are also counted as if they were one set: then knowing the set is enough for a name.

A name is false if the unit is no detector, or if it is named after another kind. Printed are, over the worlds, the
power (share of detectors that are named after their kind), the mean share of false names among all names with its
standard error, the share of worlds with any false name, and the share of each kind of noise units that got a name.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dissection.cells import Cells
from dissection.chance import PERMUTATIONS, significance
from dissection.concepts import NO_LABEL, Concept, Labels, by_category
from dissection.names import MAX_Q, MIN_IOU
from dissection.overlap import PackedLabels, iou
from dissection.tally import Survey, count_all
from neuro_explain.diorama.planted import KeyedDiorama, planted_network

SIDE = 8
"""Cells along a side of every unit's map."""
NOISE = ("blue", "smooth", "corner", "few")
IN_JOINED = (*NOISE, "marked")
MARK = 1
"""Cells along a side of the mark of a joined set, in the upper left corner."""
DETECTORS, BLUE = 60, 40
"""Units of the network: detectors of kinds drawn at random, and noise."""
LEAST, MOST = 0.001, 0.02
"""Kinds that cover less of all pixels fill no cell of a map; more than q of it, no mask of a detector covers."""
Sets: TypeAlias = Literal["one", "joined", "joined, taken for one"]


class Scenes:
    """Scenes in key colours, and what detectors of all kinds that they show put out.

    Args:
        seed, images: which, and how many.
        size: S.
    """

    def __init__(self, seed: int, images: int, *, size: int = 56) -> None:
        self.seed, self.images, self.size = seed, images, size
        world = KeyedDiorama(seed, images)
        self.concepts = world.concepts
        categories, category_of = by_category(self.concepts)
        self._given = [world.labels(i, size) for i in range(images)]
        self.labels = [PackedLabels.pack(one, size, categories, category_of) for one in self._given]
        pictures = torch.stack([torch.from_numpy(np.array(world.image(i))) for i in range(images)])
        area = np.zeros(len(self.concepts))
        for one in self.labels:
            area[one.present] += one.incidence(size)[:, :-1].sum(dim=0).numpy()
        share = area / (images * size**2)
        kinds = np.flatnonzero((share >= LEAST) & (share <= MOST))
        self.kinds = np.random.default_rng(seed).permutation(kinds)[:DETECTORS]
        words = [self.concepts[kind].name for kind in self.kinds]
        net = planted_network(words, BLUE, np.zeros((1, len(words) + BLUE), np.float32), seed=seed)
        with torch.no_grad():
            maps = torch.cat([self._units(net, some) for some in pictures.split(2)])
        self._detectors, self._blue = maps[:, : len(words)], maps[:, len(words) :]

    @staticmethod
    def _units(net: torch.nn.Sequential, pictures: Tensor) -> Tensor:
        maps = pictures.permute(0, 3, 1, 2) / 255
        for name, module in net.named_children():
            maps = module(maps)
            if name == "units":
                return maps
        raise ValueError("expected a network with a layer 'units'")

    def _two_sets(
        self, of_second: NDArray[np.bool_], *, told: bool
    ) -> tuple[list[Concept], list[PackedLabels]]:
        """Concepts and labels of two sets, each with names of its own and its mark."""
        names = [*self.concepts, Concept("mark", self.concepts[0].category)]
        concepts = [*names, *(Concept(f"second {one.name}", one.category) for one in names)]
        mark = np.full((1, self.size, self.size), NO_LABEL, np.int32)
        side = MARK * self.size // SIDE
        mark[:, :side, :side] = len(names) - 1
        packed = []
        for number, second in enumerate(of_second.tolist()):
            given = self._given[number]
            layers = np.concatenate([given.layers, mark])
            more = len(names) * second
            layers[layers != NO_LABEL] += more
            moved = Labels(layers, tuple(label + more for label in given.whole), given.categories)
            source = int(second and told)
            packed.append(PackedLabels.pack(moved, self.size, *by_category(concepts), source))
        return concepts, packed

    def units(
        self, planted: int, noise: Mapping[str, int], *, shuffled: bool = False, sets: Sets = "one"
    ) -> Units:
        """Units, counted on all scenes.

        Args:
            planted: how many detectors, of kinds drawn at random.
            noise: how many noise units of each kind.
            shuffled: give each image the labels of another one: then detectors are noise too.
            sets: whether the scenes are two joined sets, which some of the noise units know, and whether the images'
                `source` tells.
        """
        if shuffled and sets != "one":
            raise ValueError("shuffled: expected one set of scenes, got joined ones")
        half = self.images // 2 if shuffled else 0
        labels = self.labels[half:] + self.labels[:half]
        of_second = np.arange(self.images) >= self.images // 2
        concepts: Sequence[Concept] = self.concepts
        if sets != "one":
            concepts, labels = self._two_sets(of_second, told=sets == "joined")
        rng = np.random.default_rng([self.seed, planted])
        kinds = self.kinds[:planted]
        maps = [self._detectors[:, :planted]]
        for name, count in noise.items():
            some = self._blue[:, :count] if name == "blue" else noise_maps(rng, name, self.images, count)
            if sets != "one":
                some = some.clone()
                some[of_second, ::3] *= 0.01
                some[~of_second, 1::3] *= 0.01
            maps.append(some)
        given = torch.cat(maps, dim=1)
        survey = Survey(given.shape[1], (SIDE, SIDE), self.images, exemplars=0)
        kept = survey.add(range(self.images), given, labels)
        counted = count_all(survey.best, [kept], concepts, self.size, survey.threshold(), chance=True)
        found = counted.overlap
        ious = iou(
            found.intersection.numpy(),
            found.activation_area.numpy(),
            found.concept_area.numpy(),
            found.category_of.numpy(),
        )
        assert counted.cells is not None
        truth = np.full(given.shape[1], -1)
        if not shuffled:
            truth[: len(kinds)] = kinds
        families = ["planted"] * len(kinds) + [name for name, count in noise.items() for _ in range(count)]
        kind_of = np.arange(len(concepts)) % max(len(self.concepts), len(concepts) // 2)
        return Units(counted.cells, ious, truth, np.array(families), kind_of)


@dataclass(frozen=True, eq=False)
class Units:
    """Units whose truth is known, counted.

    Attributes:
        cells: their masks and the labels.
        iou: float64 `[U, C]`.
        truth: int64 `[U]`, the kind of each; -1 where there is none.
        family: `[U]`, "planted" or a kind of noise.
        kind_of: int64 `[C]`, the kind that a concept is a name of; in joined sets, each has two.
    """

    cells: Cells
    iou: NDArray[np.float64]
    truth: NDArray[np.int64]
    family: NDArray[np.str_]
    kind_of: NDArray[np.int64]


def noise_maps(rng: np.random.Generator, name: str, images: int, count: int) -> Tensor:
    """Maps `[N, count, 8, 8]` of units that know nothing of the scene."""
    across = np.arange(SIDE)

    def blob(centre: NDArray[np.float64], width: NDArray[np.float64]) -> NDArray[np.float64]:
        """1 at the centre `[…, 2]`, falling off over the width `[…]`."""
        away = [(across - centre[..., axis, None]) ** 2 for axis in (0, 1)]
        bell: NDArray[np.float64] = np.exp(
            -(away[0][..., :, None] + away[1][..., None, :]) / (2 * width[..., None, None] ** 2)
        )
        return bell

    strength = rng.gamma(1, 1, (images, count, 1, 1))
    if name == "smooth":
        centre = rng.uniform(0, SIDE - 1, (images, count, 2))
    elif name == "corner":
        centre = rng.uniform(0, SIDE - 1, (1, count, 2)) + rng.normal(0, 0.7, (images, count, 2))
    elif name == "marked":
        centre = (MARK - 1) / 2 + rng.normal(0, 0.7, (images, count, 2))
    elif name == "few":
        centre = rng.uniform(0, SIDE - 1, (images, count, 2))
        chosen = rng.random((images, count)).argsort(axis=0) < 2
        strength = np.where(chosen, 100, 0.01)[..., None, None] * rng.uniform(0.9, 1, (images, count, 1, 1))
    else:
        raise ValueError(f"noise {name!r}: expected one of {', '.join(IN_JOINED)}")
    width = rng.uniform(0.7, 2, (images, count))
    return torch.from_numpy(blob(centre, width) * strength).float()


@dataclass(frozen=True)
class Outcome:
    """What a rule named in one world.

    Attributes:
        names: how many.
        chance: names of units that detect nothing.
        other: detectors that are named after another kind.
        power: share of the detectors that are named after their kind; NaN without detectors.
        noise: for each kind of noise, the share of its units that are named.
    """

    names: int
    chance: int
    other: int
    power: float
    noise: dict[str, float]

    @classmethod
    def of(cls, units: Units, named: NDArray[np.bool_]) -> Outcome:
        """Judges the names of the units in `named` by their best label."""
        right = units.kind_of[units.iou.argmax(axis=1)] == units.truth
        planted = units.truth >= 0
        return cls(
            names=int(named.sum()),
            chance=int((named & ~planted).sum()),
            other=int((named & planted & ~right).sum()),
            power=float((named & right)[planted].mean()) if planted.any() else float("nan"),
            noise={
                str(name): float(named[units.family == name].mean())
                for name in dict.fromkeys(units.family)
                if (units.truth[units.family == name] < 0).all()
            },
        )

    @property
    def false(self) -> float:
        """The share of false names among the names, of units that detect nothing and after other kinds."""
        return (self.chance + self.other) / max(1, self.names)


def outcomes(
    units: Units, *, permutations: int = PERMUTATIONS, seed: int = 0, max_q: float = MAX_Q
) -> dict[str, Outcome]:
    """What each rule names."""
    q = significance(units.cells, units.iou, permutations=permutations, seed=seed).q
    best = units.iou.max(axis=1)
    rules = {
        "IoU and q": (best >= MIN_IOU) & (q <= max_q),
        "q alone": q <= max_q,
        "IoU alone": best >= MIN_IOU,
    }
    return {name: Outcome.of(units, named) for name, named in rules.items()}


def line(about: str, worlds: Sequence[Outcome]) -> str:
    """A row of the table."""
    false = np.array([one.false for one in worlds])
    error = false.std(ddof=1) / np.sqrt(len(false))
    power, names, other = (
        float(np.mean([getattr(one, name) for one in worlds])) for name in ("power", "names", "other")
    )
    noise = "  ".join(
        f"{name} {100 * np.mean([one.noise[name] for one in worlds]):.2f}" for name in worlds[0].noise
    )
    any_chance = 100 * np.mean([one.chance > 0 for one in worlds])
    return (
        f"{about:<40} {100 * power:5.1f} {100 * false.mean():7.2f} ± {100 * error:4.2f} {names:6.1f} {other:6.2f} "
        f"{any_chance:5.0f}   {noise}"
    )


JOINED = "joined sets, half planted"
JOINED_NOISE = "joined sets, none planted"
TAKEN_FOR_ONE = "joined sets taken for one, none planted"
SHUFFLED = "detectors, labels of other images"
MIXTURES: dict[str, tuple[int, dict[str, int]]] = {
    "all planted": (DETECTORS, {}),
    "half planted, noise of all kinds": (DETECTORS, dict.fromkeys(NOISE, 15)),
    "one in ten planted, noise of all kinds": (12, dict.fromkeys(NOISE, 27)),
    "none planted, noise of all kinds": (0, dict.fromkeys(NOISE, 30)),
    **{f"half planted, {name} noise": (40, {name: 40}) for name in NOISE},
    **{f"none planted, {name} noise": (0, {name: 40}) for name in NOISE},
    SHUFFLED: (DETECTORS, {}),
    JOINED: (DETECTORS, dict.fromkeys(IN_JOINED, 12)),
    JOINED_NOISE: (0, dict.fromkeys(IN_JOINED, 24)),
    TAKEN_FOR_ONE: (0, dict.fromkeys(IN_JOINED, 24)),
}
SETS: dict[str, Sets] = {JOINED: "joined", JOINED_NOISE: "joined", TAKEN_FOR_ONE: "joined, taken for one"}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--images", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--permutations", type=int, default=PERMUTATIONS)
    parser.add_argument("--only", default="", help="rows with this text in their name")
    options = parser.parse_args()
    mixtures = {about: units for about, units in MIXTURES.items() if options.only in about}
    if not mixtures:
        parser.error(f"--only: {options.only!r} is in none of {', '.join(map(repr, MIXTURES))}")
    for images in options.images:
        start = time.perf_counter()
        rows: dict[tuple[str, str], list[Outcome]] = {}
        for seed in range(options.worlds):
            scenes = Scenes(seed, images)
            for about, (planted, noise) in mixtures.items():
                sets = SETS.get(about, "one")
                units = scenes.units(planted, noise, shuffled=about == SHUFFLED, sets=sets)
                for rule, one in outcomes(units, permutations=options.permutations, seed=seed).items():
                    rows.setdefault((rule, about), []).append(one)
        print(f"\n{images} images, {options.worlds} worlds ({time.perf_counter() - start:.0f} s)")
        header = f"{'':<42} power   false names %  names  other  any %  noise units named, %"
        for rule in ("IoU and q", "q alone", "IoU alone"):
            print(f"{rule}:\n{header}")
            for (which, about), worlds in rows.items():
                if which == rule:
                    print("  " + line(about, worlds))


if __name__ == "__main__":
    main()
