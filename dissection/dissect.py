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
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from PIL import Image
from torch import Tensor, nn

from dissection.chance import significance
from dissection.compositions import compositions as compose
from dissection.concepts import ConceptDataset, by_category
from dissection.exemplars import Crop, draw_strips
from dissection.fingerprint import weights_fingerprint
from dissection.kept import KeptMaps
from dissection.names import name_units
from dissection.options import Options, choose
from dissection.overlap import iou
from dissection.presets import best_labels
from dissection.result import Dissection
from dissection.tally import Count, Survey, count_all, shown
from dissection.witnesses import witnesses
from dissection.work import Work

if TYPE_CHECKING:
    from tqdm import tqdm
    from typing_extensions import Unpack


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
Engine: TypeAlias = Callable[[Work, Bar], Iterable[Found]]
"""Who does the work: what was found of each layer, perhaps of one when it is asked for."""


def dissect(
    net: nn.Module,
    layer: str,
    preprocess: Callable[[Image.Image], Tensor],
    dataset: ConceptDataset,
    *,
    engine: Engine | None = None,
    model_name: str = "",
    layer_reason: str = "",
    concept_sets: tuple[str, ...] = (),
    **options: Unpack[Options],
) -> Dissection:
    """Names the units of one layer; see `dissect_layers`."""
    found = dissect_layers(
        net,
        [layer],
        preprocess,
        dataset,
        engine=engine,
        model_name=model_name,
        layer_reason=layer_reason,
        concept_sets=concept_sets,
        **options,
    )
    return found[layer]


def dissect_layers(
    net: nn.Module,
    layers: Sequence[str],
    preprocess: Callable[[Image.Image], Tensor],
    dataset: ConceptDataset,
    *,
    engine: Engine | None = None,
    model_name: str = "",
    layer_reason: str | Mapping[str, str] = "",
    concept_sets: tuple[str, ...] = (),
    **options: Unpack[Options],
) -> dict[str, Dissection]:
    """Names the units of layers (Bau et al. 2017, Sec. 2), in one pass over the images.

    Args:
        net: any module; comes back as it was.
        layers: dotted names of layers that put out `[N, U, h, w]`.
        preprocess: an upright RGB image to the network's input `[3, H, W]`, the *whole* image squashed to
            H × W, so that pixels and labels stay aligned.
        dataset: images with concept labels; images without any label are left out.
        engine: who does the work, in place of this process; `memory` and `scratch` are of no use then.
        model_name, layer_reason (perhaps of each layer), concept_sets: carried into the result, for people.
        options: see `options.Options`.

    Raises:
        TypeError: an unknown option, or one of the wrong kind.
        ValueError: no such layer, or one named twice, maps of another shape, a value that is not finite, no
            labelled image, an option out of range.

    Warns:
        UserWarning: so few permutations that no unit can be named alone.
    """
    if isinstance(layers, str):
        raise ValueError(f"layers: expected a list of names, got the text {layers!r}")
    if not layers or len(set(layers)) < len(layers):
        raise ValueError(f"layers: expected different names, at least one, got {', '.join(layers) or 'none'}")
    chosen = choose(options)
    if chosen.warning:  # before the work, which may take hours
        warnings.warn(chosen.warning, stacklevel=2)
    concepts = tuple(dataset.concepts)
    if not concepts:
        raise ValueError(
            "the concept set has no concepts, so nothing can be named; add one with labels, or colors"
        )
    by_category(concepts)  # says so if one stands there twice
    from tqdm import tqdm

    hidden = None if chosen.progress is None else not chosen.progress
    bar = partial(tqdm, disable=hidden, delay=1)
    work = Work(
        net,
        tuple(layers),
        preprocess,
        dataset,
        chosen.quantile,
        chosen.label_size,
        chosen.exemplars,
        chosen.batch_size,
        chosen.workers,
        chosen.permutations > 0,
        chosen.rules,
        chosen.compositions > 0,
    )
    results = {}
    ids: dict[int, str] = {}

    def drawn(number: int) -> Image.Image:
        # A set that makes its images knows what one is called only when it is there.
        image = dataset.image(number)
        ids[number] = dataset.image_id(number)
        return image

    fingerprint = weights_fingerprint(net)
    with ExitStack() as until_named:
        if engine is not None:
            everything: Iterator[Found] = iter(engine(work, bar))
        else:
            here = _here(work, bar, memory=chosen.memory, scratch=chosen.scratch)
            everything = until_named.enter_context(closing(here))
        for layer in layers:
            found = next(everything)
            survey, threshold, overlap = found.survey, found.threshold, found.count.overlap
            intersection, activation_area = (
                overlap.intersection.cpu().numpy(),
                overlap.activation_area.cpu().numpy(),
            )
            concept_area, category_of = overlap.concept_area.cpu().numpy(), overlap.category_of.numpy()
            ious = iou(intersection, activation_area, concept_area, category_of)
            cells = found.count.cells
            best = best_labels(ious, category_of, chosen.rules.ties)[:, 0]
            chance = None
            if cells is not None:
                chance = significance(
                    cells, ious, best=best, permutations=chosen.permutations, seed=chosen.seed
                )
            units = name_units(
                ious,
                concepts,
                threshold.numpy(),
                survey.peak.numpy(),
                min_iou=chosen.min_iou,
                chance=chance,
                max_q=chosen.max_q,
                ties=chosen.rules.ties,
            )
            best_images, crops = shown(survey, found.count)
            reaching = [
                name.unit for name in units if (name.iou or 0.0) >= chosen.min_iou and name.best is not None
            ]
            seen = [] if cells is None or not chosen.exemplars else witnesses(cells, best, reaching)
            crops += [Crop(("evidence", one.unit), one.rank, one.image, one.above) for one in seen]
            with bar(total=len(crops), desc="drawing examples", unit="crop") as drawing:
                strips = draw_strips(crops, drawn, workers=chosen.workers, done=drawing.update)
            patterns = found.count.patterns
            del found, cells  # the next layer needs the room
            composed = (
                () if patterns is None else compose(patterns.table(), concepts, length=chosen.compositions)
            )
            results[layer] = Dissection(
                units=units,
                layer=layer,
                fingerprint=fingerprint,
                source=f"the dissection of {model_name or type(net).__name__} {layer}",
                concept_sets=concept_sets,
                quantile=chosen.quantile,
                min_iou=chosen.min_iou,
                max_q=chosen.max_q,
                chance=chance,
                preset=chosen.preset,
                compositions=composed,
                exemplars=_of_kind("exemplars", strips),
                evidence=_of_kind("evidence", strips),
                model_name=model_name or type(net).__name__,
                layer_reason=layer_reason if isinstance(layer_reason, str) else layer_reason[layer],
                data_fingerprint=dataset.fingerprint,
                concepts=concepts,
                categories=overlap.categories,
                map_size=survey.map_size,
                label_size=chosen.label_size,
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
                best_images=tuple((one.unit, one.rank, ids[one.image], one.peak) for one in best_images),
                witnesses=tuple(
                    (one.unit, one.rank, one.kind, ids[one.image], one.active, one.labelled) for one in seen
                ),
                options={name: getattr(chosen, name) for name in ("batch_size", "exemplars", "compositions")},
            )
    return results


def _of_kind(kind: str, strips: Mapping[tuple[str, int], bytes]) -> dict[int, bytes]:
    return {unit: picture for (of, unit), picture in strips.items() if of == kind}


def _here(work: Work, bar: Bar, *, memory: int, scratch: Path | None) -> Generator[Found]:
    """Does the work in this process; what is found of a layer is counted when it is asked for."""
    surveys: list[Survey] = []
    with tempfile.TemporaryDirectory(prefix=".dissecting-", dir=scratch) as temporary:
        for_cells = memory // 4 if work.chance else 0
        share = max(1, (memory - for_cells) // len(work.layers))
        kept = [KeptMaps(share, Path(temporary) / str(number)) for number in range(len(work.layers))]
        with bar(total=len(work.dataset), desc="dissecting", unit="image") as looking:
            for seen in work.survey(range(len(work.dataset)), done=looking.update):
                surveys = [survey for survey, _ in seen]
                for pile, (survey, batch) in zip(kept, seen, strict=True):
                    pile.add(batch, survey.bound)
        if not surveys:
            raise no_labels(work.dataset)
        for number, survey in enumerate(surveys):
            threshold = survey.threshold()
            with bar(total=survey.images, desc="counting", unit="image") as counting:
                # no name for it here: what one layer needs is gone when the next one is counted
                yield Found(
                    survey,
                    threshold,
                    count_all(
                        survey.best,
                        kept.pop(0),
                        work.dataset.concepts,
                        work.label_size,
                        threshold,
                        device=survey.device,
                        rules=work.rules,
                        chance=work.chance,
                        compositions=work.compositions,
                        budget=for_cells,
                        folder=Path(temporary) / f"cells-{number}",
                        done=counting.update,
                    ),
                )


def no_labels(dataset: ConceptDataset) -> ValueError:
    """What to say of a data set without a label."""
    return ValueError(
        f"none of the {len(dataset)} images of the concept set has a label; "
        "`neuro-explain concepts show SPEC` says what is in it"
    )
