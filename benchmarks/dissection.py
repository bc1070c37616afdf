"""A whole dissection ÷ the bare forward pass, and its tally against the dense form.

    NEURO_EXPLAIN_DATA=… python -m benchmarks.dissection [--rounds 3] [--dense-images 100]

EfficientNet-Lite0 (1,280 units of 7 × 7) over 600 photographs: 200 with 133 COCO labels, 400 with 10 textures,
all with colours. Significance is what `dissect` does by default: masks and labels kept on coarse cells, 100 exchanges,
and the intervals. Images are prepared and labels decoded beforehand; both are timed apart and printed, as are
the exemplars.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.ratios import seconds
from dissection.chance import significance
from dissection.concepts import ConceptDataset, by_category
from dissection.exemplars import draw_strips
from dissection.kept import KeptMaps
from dissection.options import MEMORY
from dissection.overlap import Overlap, PackedLabels, iou
from dissection.recording import evaluating, record
from dissection.resize import resize
from dissection.tally import LABEL_SIZE, Count, Survey, count_all, shown
from neuro_explain import load_model, open_concepts
from neuro_explain.model import Model

BATCH = 32


def prepare(model: Model, concepts: ConceptDataset) -> tuple[Tensor, list[PackedLabels]]:
    """All inputs and labels, decoded, with the time that it took."""
    categories, category_of = by_category(concepts.concepts)
    start = time.perf_counter()
    labels = [
        PackedLabels.pack(concepts.labels(i, 112), 112, categories, category_of) for i in range(len(concepts))
    ]
    print(f"label decoding (with colours): {time.perf_counter() - start:.1f} s, apart")
    start = time.perf_counter()
    images = torch.stack([model.preprocess.probe(concepts.image(i)) for i in range(len(concepts))])
    print(f"image decoding and resizing: {time.perf_counter() - start:.1f} s, apart")
    return images, labels


def forward(model: Model, images: Tensor) -> None:
    """The bare forward pass."""
    with evaluating(model.net) as net, torch.no_grad():
        for batch in images.split(BATCH):
            net(batch)


def dissect(
    model: Model,
    concepts: ConceptDataset,
    images: Tensor,
    labels: list[PackedLabels],
    *,
    chance: bool = False,
) -> tuple[Survey, KeptMaps, Count, Tensor]:
    """The forward pass with everything that a dissection does in it and after it, but the exemplars.

    Args:
        model, concepts: which units, which labels.
        images, labels: prepared.
        chance: with significance too.
    """
    with tempfile.TemporaryDirectory() as scratch, evaluating(model.net) as net, torch.no_grad():
        survey = Survey(model.units, model.map_size, len(images))
        kept = KeptMaps(MEMORY, Path(scratch))
        for start in range(0, len(images), BATCH):
            with record(net, model.layer) as seen:
                net(images[start : start + BATCH])
            some = labels[start : start + BATCH]
            batch = survey.add(range(start, start + len(some)), seen.output, some)
            kept.add(batch, survey.bound)
        threshold = survey.threshold()
        count = count_all(survey.best, kept, concepts.concepts, LABEL_SIZE, threshold, chance=chance)
        if count.cells is not None:
            significance(count.cells, ious_of(count.overlap))
        return survey, kept, count, threshold


def ious_of(overlap: Overlap) -> NDArray[np.float64]:
    """IoUs from counts, float64 `[U, C]`."""
    counted = (overlap.intersection, overlap.activation_area, overlap.concept_area, overlap.category_of)
    return iou(*(one.numpy() for one in counted))


def dense(activations: Tensor, labels: list[PackedLabels], overlap: Overlap, threshold: Tensor) -> Tensor:
    """I by the dense form: every map resized, mask × one-hot product with all concepts."""
    total = torch.zeros(overlap.intersection.shape, dtype=torch.int64)
    concepts = total.shape[1]
    for maps, one in zip(activations, labels, strict=True):
        mask = (resize(maps - threshold[:, None, None], (overlap.size, overlap.size)) > 0).flatten(1).float()
        one_hot = torch.zeros(overlap.size**2, concepts)
        one_hot[:, torch.from_numpy(one.present)] = one.incidence(overlap.size)[:, :-1]
        total += (mask @ one_hot).long()
    return total


def sparse(activations: Tensor, labels: list[PackedLabels], overlap: Overlap, threshold: Tensor) -> None:
    """The same by the tally: only maps that exceed T_k, only concepts that are there."""
    for maps, one in zip(activations, labels, strict=True):
        units = (maps.flatten(1).amax(dim=1) > threshold).nonzero().flatten()
        overlap.add(one, units, maps[units], threshold)


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dense-images", type=int, default=100)
    options = parser.parse_args()
    data = Path(os.environ["NEURO_EXPLAIN_DATA"])
    model = load_model("efficientnet-lite0")
    concepts = open_concepts(
        [f"coco:{data / 'coco_panoptic256'}", f"labels:{data / 'dtd10_textures/labels.csv'}", "colors"]
    )
    print(
        f"{len(concepts)} images, {len(concepts.concepts)} concepts, {model.units} units of {model.map_size}"
    )
    images, labels = prepare(model, concepts)

    forward(model, images[: 4 * BATCH])
    survey, kept, count, threshold = dissect(model, concepts, images[: 4 * BATCH], labels)
    ratios: dict[bool, list[float]] = {False: [], True: []}
    times = []
    before = seconds(lambda: forward(model, images))
    for _ in range(options.rounds):
        for chance, found in ratios.items():
            start = time.perf_counter()
            survey, kept, count, threshold = dissect(model, concepts, images, labels, chance=chance)
            took = time.perf_counter() - start
            after = seconds(lambda: forward(model, images))
            found.append(took / ((before + after) / 2))
            times.append(after)
            before = after
    print(f"bare forward {statistics.median(times):.1f} s; whole dissection ÷ forward:")
    for chance, found in ratios.items():
        print(
            f"  {'with' if chance else 'without'} significance: {statistics.median(found):.3f} "
            f"({min(found):.3f} to {max(found):.3f})"
        )
    assert count.cells is not None
    cells, ious = count.cells, ious_of(count.overlap)
    print(f"exchanges and intervals: {seconds(lambda: significance(cells, ious)):.1f} s of these")
    maps = sum(len(batch.unit) for batch in kept)
    print(f"maps kept: {100 * maps / (len(images) * model.units):.1f} %")
    chosen, crops = shown(survey, count)
    start = time.perf_counter()
    draw_strips(crops, concepts.image)
    print(f"exemplars ({len(chosen)} crops): {time.perf_counter() - start:.1f} s, apart")

    some = options.dense_images
    with evaluating(model.net) as net, torch.no_grad():
        parts = []
        for batch in images[:some].split(BATCH):
            with record(net, model.layer) as seen:
                net(batch)
            parts.append(seen.output)
    activations = torch.cat(parts)
    overlap = Overlap(model.units, concepts.concepts, 112)
    fast = seconds(lambda: sparse(activations, labels[:some], overlap, threshold))
    wanted: list[Tensor] = []
    slow = seconds(lambda: wanted.append(dense(activations, labels[:some], overlap, threshold)))
    equal = bool((wanted[0] == overlap.intersection).all())
    print(
        f"tally over {some} images: {fast:.2f} s, dense form {slow:.2f} s: {slow / fast:.1f}× faster, "
        f"counts equal: {equal}"
    )


if __name__ == "__main__":
    main()
