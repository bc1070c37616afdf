"""Compositional names of many units: how long, how many patterns, how much memory.

    python -m benchmarks.compositions [--units 512] [--images 1000] [--length 3] [--beam 5] [--noise]

A made-up set of 150 labels on 112 × 112 pixels: 90 things in large segments, 30 parts within them, a colour for every
pixel (eleven, by smaller segments with a noisy edge), 10 scenes and 9 textures of whole images; textures and parts are
looked for on some images only. A unit fires in blobs, where its 7 × 7 map exceeds T_k, in 0.5 % of all positions.
`--noise` labels every pixel in every layer at random: the most patterns that so many labels in three layers can make.
Collecting is timed beside the plain count of the same masks.
"""

from __future__ import annotations

import argparse
import resource
import time
from statistics import NormalDist

import numpy as np
import torch
from numpy.typing import NDArray

from dissection.compositions import BEAM, LENGTH, compositions
from dissection.concepts import NO_LABEL, Concept, Labels, by_category
from dissection.overlap import Overlap, PackedLabels
from dissection.patterns import Patterns

SIZE, CELLS, QUANTILE = 112, 7, 0.005
KINDS = {"object": 90, "part": 30, "color": 11, "scene": 10, "texture": 9}
CONCEPTS = [Concept(f"{kind} {n}", kind) for kind, count in KINDS.items() for n in range(count)]
FIRST = {kind: sum(list(KINDS.values())[:place]) for place, kind in enumerate(KINDS)}


def segments(rng: np.random.Generator, count: int, rough: float) -> NDArray[np.int64]:
    """The number of the nearest of `count` points at each pixel, `[S, S]`; `rough` pixels of noise at the edges."""
    points = rng.uniform(0, SIZE, (count, 2))
    y, x = np.indices((SIZE, SIZE)) + rng.normal(0, rough, (2, SIZE, SIZE))
    far = (y[..., None] - points[:, 0]) ** 2 + (x[..., None] - points[:, 1]) ** 2
    nearest: NDArray[np.int64] = far.argmin(axis=2)
    return nearest


def drawn(rng: np.random.Generator, kind: str, count: int, at: NDArray[np.int64]) -> NDArray[np.int32]:
    """A layer in which every segment has one label; the first labels of a kind are the common ones."""
    share = 1 / (1 + np.arange(KINDS[kind]))
    labels = rng.choice(KINDS[kind], count, p=share / share.sum()) + FIRST[kind]
    return labels[at].astype(np.int32)


def made_up(rng: np.random.Generator, *, noise: bool) -> Labels:
    """The labels of one image."""
    kinds = {"object", "color", "scene"}
    if noise:
        layers = [
            rng.integers(FIRST[kind], FIRST[kind] + KINDS[kind], (SIZE, SIZE)).astype(np.int32)
            for kind in ("object", "part", "color")
        ]
        kinds |= {"part"}
    else:
        at = segments(rng, 10, 0.5)
        things = drawn(rng, "object", 10, at)
        things[at == 0] = NO_LABEL
        layers = [things, drawn(rng, "color", 40, segments(rng, 40, 1.5))]
        if rng.random() < 0.5:
            kinds |= {"part"}
            of = segments(rng, 30, 0.5)
            parts = drawn(rng, "part", 30, of)
            parts[(of % 3 > 0) | (at % 2 > 0)] = NO_LABEL
            layers.append(parts)
    whole = [int(rng.integers(KINDS["scene"])) + FIRST["scene"]]
    if rng.random() < 0.3:
        kinds |= {"texture"}
        whole.append(int(rng.integers(KINDS["texture"])) + FIRST["texture"])
    return Labels(np.stack(layers), tuple(whole), frozenset(kinds))


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--units", type=int, default=512)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--length", type=int, default=LENGTH)
    parser.add_argument("--beam", type=int, default=BEAM)
    parser.add_argument("--noise", action="store_true")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    generator = torch.Generator().manual_seed(0)
    categories, category_of = by_category(CONCEPTS)
    threshold = torch.full((options.units,), NormalDist().inv_cdf(1 - QUANTILE))
    overlap = Overlap(options.units, CONCEPTS, SIZE)
    again = Overlap(options.units, CONCEPTS, SIZE)
    patterns = Patterns(options.units, CONCEPTS, SIZE)
    plain, collecting = np.zeros(2), np.zeros(2)
    for image in range(options.images):
        labels = PackedLabels.pack(made_up(rng, noise=options.noise), SIZE, categories, category_of)
        maps = torch.randn(options.units, CELLS, CELLS, generator=generator)
        units = (maps.amax(dim=(1, 2)) > threshold).nonzero().flatten()
        times = [(time.perf_counter(), time.process_time())]
        for counted, watcher in ((overlap, None), (again, patterns.of(image))):
            counted.add(labels, units, maps[units], threshold, watcher=watcher)
            times.append((time.perf_counter(), time.process_time()))
        plain += np.subtract(times[1], times[0])
        collecting += np.subtract(times[2], times[1])
    before = time.perf_counter(), time.process_time()
    table = patterns.table()
    found = compositions(table, CONCEPTS, length=options.length, beam=options.beam)
    search = np.subtract((time.perf_counter(), time.process_time()), before)
    print(f"{options.units} units, {len(CONCEPTS)} labels, {options.images} images of {SIZE} × {SIZE}")
    print(f"patterns: {len(patterns):,}; units meet {table.active.nnz:,} of them")
    print("seconds (of them processor time of all threads):")
    told = {
        "the count alone": plain,
        "the count with patterns": collecting,
        f"search, length {options.length}, beam {options.beam}": search,
        "patterns and search": collecting - plain + search,
    }
    for what, (wall, processor) in told.items():
        print(f"  {what}: {wall:.1f} ({processor:.1f})")
    longer = sum(len(one.parts) > 1 for one in found)
    gain = float(np.mean([one.gain for one in found]))
    print(
        f"{longer} units fire anywhere, and have a better formula than one label; mean gain by chance {gain:.3f}"
    )
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
