"""The tally at Broden's size, fed with synthetic maps and labels: peak memory, disk, time per image.

    python -m benchmarks.scale [--images 63305] [--map 7] [--memory 1024]

No network runs. Maps are quiet noise with a strong blob on some of them, so that the share of maps that must be
kept is that of real layers (about 6 % at 7 × 7, a quarter at 14 × 14).
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from dissection.concepts import NO_LABEL, Concept, Labels, by_category
from dissection.kept import KeptMaps
from dissection.overlap import PackedLabels
from dissection.tally import LABEL_SIZE, Survey, count_all

UNITS, CONCEPTS, BATCH, POOL = 512, 1197, 32, 8
CATEGORIES = ("object", "part", "scene", "material", "texture", "color")


KNOWN = tuple(Concept(f"concept {i}", CATEGORIES[i % 6]) for i in range(CONCEPTS))


def synthetic_labels(generator: np.random.Generator) -> PackedLabels:
    """Three layers of blocky labels, as Broden's objects, parts and colours; one scene."""
    small = generator.integers(0, 40, (3, 14, 14)) * 29 % CONCEPTS
    small[generator.random(small.shape) < 0.3] = NO_LABEL
    layers = small.repeat(8, axis=1).repeat(8, axis=2).astype(np.int32)
    labels = Labels(layers, (int(generator.integers(CONCEPTS)),), frozenset(CATEGORIES))
    return PackedLabels.pack(labels, 112, *by_category(KNOWN))


def synthetic_maps(cells: int, share: float, generator: torch.Generator) -> torch.Tensor:
    """`[BATCH, UNITS, cells, cells]`: noise, and a 2 × 2 blob on `share` of the maps."""
    maps = torch.rand((BATCH, UNITS, cells, cells), generator=generator) * 0.5
    lit = torch.rand((BATCH, UNITS), generator=generator) < share
    image, unit = lit.nonzero(as_tuple=True)
    y, x = (torch.randint(0, cells - 1, (2, len(image)), generator=generator)).unbind()
    for dy in (0, 1):
        for dx in (0, 1):
            maps[image, unit, y + dy, x + dx] += 1 + torch.rand(len(image), generator=generator)
    return maps


def peak_mib() -> float:
    """Largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=63305)
    parser.add_argument("--map", type=int, default=7)
    parser.add_argument("--memory", type=int, default=1024, help="MiB of kept maps and labels")
    options = parser.parse_args()
    share = {7: 0.065, 14: 0.25}.get(options.map, 0.1)
    generator = torch.Generator().manual_seed(0)
    pool = [synthetic_maps(options.map, share, generator) for _ in range(POOL)]
    labels = [synthetic_labels(np.random.default_rng(i)) for i in range(512)]
    before = peak_mib()
    with tempfile.TemporaryDirectory() as scratch:
        survey = Survey(UNITS, (options.map, options.map), options.images)
        kept = KeptMaps(options.memory << 20, Path(scratch))
        start = time.perf_counter()
        for first in range(0, options.images, BATCH):
            count = min(BATCH, options.images - first)
            # Units change places from batch to batch, so that no two batches are equal.
            maps = pool[first // BATCH % POOL][:count].roll(first // BATCH, dims=1)
            some = [labels[(first + i) % len(labels)] for i in range(count)]
            kept.add(survey.add(range(first, first + count), maps, some), survey.bound)
        added = time.perf_counter() - start
        count_all(survey.best, kept, KNOWN, LABEL_SIZE, survey.threshold())
        took = time.perf_counter() - start
        disk = kept.spilled_bytes
        maps_kept = sum(len(batch.unit) for batch in kept)
    print(
        f"{options.images} images × {UNITS} units × {options.map}×{options.map}: "
        f"{100 * maps_kept / (options.images * UNITS):.1f} % of the maps kept, "
        f"extra peak memory {peak_mib() - before:.0f} MiB, "
        f"disk {disk / 2**20:.0f} MiB, {1000 * took / options.images:.2f} ms per image "
        f"({1000 * added / options.images:.2f} while the network would run)"
    )


if __name__ == "__main__":
    main()
