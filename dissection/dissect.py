"""The run: which concept does each unit of a layer detect? One forward pass over a concept data set.

    result = dissect(net, "layer4", preprocess, concepts)
    result[312].concept
    results = dissect_layers(net, ["layer3", "layer4"], preprocess, concepts)    # still one pass

Thresholds and counts are exact. While the network runs, each unit's largest values give a lower bound of its
T_k, and only maps that exceed it are kept; at the end T_k is known and the kept maps, with the labels, are
all that the count needs. There is no second pass over the network.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from PIL import Image
from torch import Tensor, nn

from dissection.chance import PERMUTATIONS, significance
from dissection.compositions import compositions as compose
from dissection.concepts import ConceptDataset, by_category
from dissection.exemplars import Crop, draw_strips
from dissection.fingerprint import weights_fingerprint
from dissection.kept import KeptMaps
from dissection.names import name_units
from dissection.overlap import checked_label_size, iou
from dissection.presets import best_labels
from dissection.presets import preset as rules_of
from dissection.result import Dissection
from dissection.tally import Count, Survey, count_all, shown
from dissection.threshold import threshold_index
from dissection.witnesses import witnesses
from dissection.work import Work

if TYPE_CHECKING:
    from tqdm import tqdm

MEMORY = 1 << 30


@dataclass(frozen=True, eq=False)
class Found:
    """What a data set says of one layer.

    Attributes:
        survey: of all its images.
        threshold: T_k `[U]`.
        count: what was counted.
    """

    survey: Survey
    threshold: Tensor
    count: Count


Bar: TypeAlias = "Callable[..., tqdm[Any]]"
"""Makes a progress bar of a total, a description and a unit."""
Engine: TypeAlias = Callable[[Work, Bar], list[Found]]
"""Who does the work: what was found of each layer."""


def dissect(
    net: nn.Module,
    layer: str,
    preprocess: Callable[[Image.Image], Tensor],
    dataset: ConceptDataset,
    **options: Any,
) -> Dissection:
    """Names the units of one layer; the options are those of `dissect_layers`."""
    return dissect_layers(net, [layer], preprocess, dataset, **options)[layer]


def dissect_layers(
    net: nn.Module,
    layers: Sequence[str],
    preprocess: Callable[[Image.Image], Tensor],
    dataset: ConceptDataset,
    *,
    preset: str = "ours",
    quantile: float | None = None,
    label_size: int | None = None,
    min_iou: float | None = None,
    max_q: float | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    compositions: int = 0,
    exemplars: int = 4,
    batch_size: int = 32,
    workers: int = 2,
    memory: int = MEMORY,
    scratch: Path | None = None,
    engine: Engine | None = None,
    model_name: str = "",
    layer_reason: str | Mapping[str, str] = "",
    concept_sets: tuple[str, ...] = (),
    progress: bool | None = None,
) -> dict[str, Dissection]:
    """Names the units of layers (Bau et al. 2017, Sec. 2), in one pass over the images.

    Args:
        net: any module; comes back as it was.
        layers: dotted names of layers that put out `[N, U, h, w]`.
        preprocess: an upright RGB image to the network's input `[3, H, W]`, the *whole* image squashed to
            H × W, so that pixels and labels stay aligned.
        dataset: images with concept labels; images without any label are left out.
        preset: whose rules hold (`presets`); what is None below is as they have it.
        quantile: q, the share of positions in which a unit may be active.
        label_size: S, the side of the square on which masks and labels meet, in pixels.
        min_iou: the IoU that a name needs.
        max_q: the false discovery rate that a name may have (`chance`); 1 admits every one.
        permutations: how often labels are exchanged to see what chance gives; 0 does not ask.
        seed: of these exchanges.
        compositions: name units also by formulas of up to so many labels (`compositions`); 0 does not.
        exemplars: how many example crops to keep per unit; 0 for none.
        batch_size: images per forward pass.
        workers: threads that read images and labels.
        memory: bytes of kept maps and labels before they go to disk, of all layers together.
        scratch: an existing folder in which they go to a temporary folder, removed at the end; default: the
            system's place for temporary files.
        engine: who does the work, in place of this process; `memory` and `scratch` are of no use then.
        model_name, layer_reason (perhaps of each layer), concept_sets: carried into the result, for people.
        progress: show progress bars; None: only on a terminal.

    Raises:
        ValueError: no such layer, or one named twice, maps of another shape, a value that is not finite, no
            labelled image.
    """
    if isinstance(layers, str):
        raise ValueError(f"layers: expected a list of names, got the text {layers!r}")
    if not layers or len(set(layers)) < len(layers):
        raise ValueError(f"layers: expected different names, at least one, got {', '.join(layers) or 'none'}")
    rules = rules_of(preset)
    if permutations == 0 and max_q is not None and max_q < 1:
        raise ValueError(
            f"max_q: {max_q} asks what chance gives, but permutations is 0, which does not ask; leave one out"
        )
    quantile = rules.quantile if quantile is None else quantile
    label_size = rules.label_size if label_size is None else label_size
    min_iou = rules.min_iou if min_iou is None else min_iou
    max_q = rules.max_q if max_q is None else max_q
    least = {"batch_size": 1, "workers": 1, "exemplars": 0, "memory": 1, "compositions": 0}
    given = {
        "batch_size": batch_size,
        "workers": workers,
        "exemplars": exemplars,
        "memory": memory,
        "compositions": compositions,
    }
    for name, value in given.items():
        if value < least[name]:
            raise ValueError(f"{name}: expected at least {least[name]}, got {value}")
    if not 0 <= min_iou <= 1:
        raise ValueError(f"min_iou: expected 0 to 1, got {min_iou}; 0.05 is usual")
    if not 0 < max_q <= 1:
        raise ValueError(
            f"max_q: expected a false discovery rate above 0, up to 1, got {max_q}; 0.05 is usual"
        )
    if permutations < 0 or permutations == 1:
        raise ValueError(f"permutations: expected at least 2, or 0 for none, got {permutations}")
    if seed < 0:
        raise ValueError(f"seed: expected 0 or more, got {seed}")
    threshold_index(quantile, 1)
    checked_label_size(label_size)
    concepts = tuple(dataset.concepts)
    if not concepts:
        raise ValueError(
            "the concept set has no concepts, so nothing can be named; add one with labels, or colors"
        )
    by_category(concepts)  # says so if one stands there twice
    from tqdm import tqdm

    bar = partial(tqdm, disable=None if progress is None else not progress, delay=1)
    work = Work(
        net,
        tuple(layers),
        preprocess,
        dataset,
        quantile,
        label_size,
        exemplars,
        batch_size,
        workers,
        permutations > 0,
        rules,
        compositions > 0,
    )
    everything = _here(work, bar, memory=memory, scratch=scratch) if engine is None else engine(work, bar)
    results = {}
    fingerprint = weights_fingerprint(net)
    for layer, found in zip(layers, everything, strict=True):
        survey, threshold, overlap = found.survey, found.threshold, found.count.overlap
        intersection, activation_area = (
            overlap.intersection.cpu().numpy(),
            overlap.activation_area.cpu().numpy(),
        )
        concept_area, category_of = overlap.concept_area.cpu().numpy(), overlap.category_of.numpy()
        ious = iou(intersection, activation_area, concept_area, category_of)
        cells = found.count.cells
        best = best_labels(ious, category_of, rules.ties)[:, 0]
        chance = None
        if cells is not None:
            chance = significance(cells, ious, best=best, permutations=permutations, seed=seed)
        units = name_units(
            ious,
            concepts,
            threshold.numpy(),
            survey.peak.numpy(),
            min_iou=min_iou,
            chance=chance,
            max_q=max_q,
            ties=rules.ties,
        )
        chosen, crops = shown(survey, found.count)
        reaching = [name.unit for name in units if (name.iou or 0.0) >= min_iou and name.best is not None]
        seen = [] if cells is None or not exemplars else witnesses(cells, best, reaching)
        crops += [Crop(("evidence", one.unit), one.rank, one.image, one.above) for one in seen]
        with bar(total=len(crops), desc="drawing examples", unit="crop") as drawing:
            strips = draw_strips(crops, dataset.image, workers=workers, done=drawing.update)
        patterns = found.count.patterns
        composed = () if patterns is None else compose(patterns.table(), concepts, length=compositions)
        results[layer] = Dissection(
            units=units,
            layer=layer,
            fingerprint=fingerprint,
            source=f"the dissection of {model_name or type(net).__name__} {layer}",
            concept_sets=concept_sets,
            quantile=quantile,
            min_iou=min_iou,
            max_q=max_q,
            chance=chance,
            preset=preset,
            compositions=composed,
            exemplars=_of_kind("exemplars", strips),
            evidence=_of_kind("evidence", strips),
            model_name=model_name or type(net).__name__,
            layer_reason=layer_reason if isinstance(layer_reason, str) else layer_reason[layer],
            data_fingerprint=dataset.fingerprint,
            concepts=concepts,
            categories=overlap.categories,
            map_size=survey.map_size,
            label_size=label_size,
            images=survey.images,
            images_left_out=len(dataset) - survey.images,
            threshold=threshold.numpy(),
            peak=survey.peak.numpy(),
            intersection=intersection,
            activation_area=activation_area,
            concept_area=concept_area,
            concept_images=overlap.concept_images.cpu().numpy(),
            category_of=category_of,
            category_area=overlap.category_area.cpu().numpy(),
            active_pixels=overlap.active_pixels.cpu().numpy(),
            best_images=tuple((one.unit, one.rank, dataset.image_id(one.image), one.peak) for one in chosen),
            witnesses=tuple(
                (one.unit, one.rank, one.kind, dataset.image_id(one.image), one.active, one.labelled)
                for one in seen
            ),
            options={"batch_size": batch_size, "exemplars": exemplars, "compositions": compositions},
        )
    return results


def _of_kind(kind: str, strips: Mapping[tuple[str, int], bytes]) -> dict[int, bytes]:
    return {unit: picture for (of, unit), picture in strips.items() if of == kind}


def _here(work: Work, bar: Bar, *, memory: int, scratch: Path | None) -> list[Found]:
    """Does the work in this process."""
    surveys: list[Survey] = []
    found = []
    with tempfile.TemporaryDirectory(prefix=".dissecting-", dir=scratch) as temporary:
        share = max(1, memory // len(work.layers))
        kept = [KeptMaps(share, Path(temporary) / str(number)) for number in range(len(work.layers))]
        with bar(total=len(work.dataset), desc="dissecting", unit="image") as looking:
            for seen in work.survey(range(len(work.dataset)), done=looking.update):
                surveys = [survey for survey, _ in seen]
                for pile, (survey, batch) in zip(kept, seen, strict=True):
                    pile.add(batch, survey.bound)
        if not surveys:
            raise no_labels(work.dataset)
        with bar(total=surveys[0].images * len(surveys), desc="counting", unit="image") as counting:
            for survey, pile in zip(surveys, kept, strict=True):
                threshold = survey.threshold()
                count = count_all(
                    survey.best,
                    pile,
                    work.dataset.concepts,
                    work.label_size,
                    threshold,
                    device=survey.device,
                    rules=work.rules,
                    chance=work.chance,
                    compositions=work.compositions,
                    done=counting.update,
                )
                found.append(Found(survey, threshold, count))
    return found


def no_labels(dataset: ConceptDataset) -> ValueError:
    """What to say of a data set without a label."""
    return ValueError(
        f"none of the {len(dataset)} images of the concept set has a label; "
        "`neuro-explain concepts show SPEC` says what is in it"
    )
