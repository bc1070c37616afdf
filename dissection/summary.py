"""What does a dissection come to? Counts of units, names and detectors, and what chance leaves of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dissection.presets import PRESETS
from dissection.significance import out_of_reach
from dissection.threshold import threshold_index

if TYPE_CHECKING:
    from dissection.result import Dissection


def summary_of(names: Dissection) -> dict[str, Any]:
    """The content of `summary.json`."""
    ious = names.iou
    categories = []
    for number, category in enumerate(names.categories):
        members = np.flatnonzero(names.category_of == number)
        within = ious[:, members]
        strongest = within.max(axis=1, initial=0.0)
        detects = (strongest > 0) & (strongest >= (names.min_iou or 0.0))
        overall = [n.concept for n in names.units if n.concept is not None and n.concept.category == category]
        best = within[detects].argmax(axis=1) if detects.any() else np.zeros(0, int)
        categories.append(
            {
                "category": category,
                "units": len(overall),
                "distinct": len(set(overall)),
                "detectors": int(detects.sum()),
                "unique_detectors": len(set(best.tolist())),
                "concepts": len(members),
                "pixels": int(names.category_area[number]),
                "images": int(names.category_area[number]) // names.label_size**2,
            }
        )
    return {
        "units": len(names.units),
        "images": names.images,
        "images_left_out": names.images_left_out,
        "max_q": names.max_q,
        "preset": names.preset,
        "positions": names.images * _positions(names),
        "map_size": list(names.map_size),
        "quantile": names.quantile,
        "label_size": names.label_size,
        "min_iou": names.min_iou,
        "named": names.named,
        "distinct": names.distinct,
        "chance": _chance(names),
        "categories": categories,
        "layer_reason": names.layer_reason,
        "concept_sets": list(names.concept_sets),
    }


def _positions(names: Dissection) -> int:
    """How many values a unit has on an image, of which T_k is one."""
    if PRESETS[names.preset].resized:
        return names.label_size**2
    return names.map_size[0] * names.map_size[1]


def chance_lines(names: Dissection) -> list[str]:
    """How many units each rule would name, in words."""
    told = _chance(names)
    positions = names.images * _positions(names)
    if names.quantile is not None and threshold_index(names.quantile, positions) == 0:
        return [
            f"no unit can be active: {100 * names.quantile:g} % of {positions} positions is none; use more "
            "images, or a larger quantile"
        ]
    if told is None:
        return ["these names were not tested against chance"]
    if names.max_q >= 1:  # whatever chance says
        return [
            f"{told['named_by_iou_alone']} units reach IoU {names.min_iou:g}; chance has no say in names here"
        ]
    tested = int((names.active_pixels > 0).sum())
    return [
        f"{told['named_by_iou_alone']} units reach IoU {names.min_iou:g}; {told['named_by_q_alone']} have a label "
        f"that chance would hardly give (q up to {names.max_q:g}; that of a single one could be "
        f"{told['smallest_q']:.2g}; coarse cells put IoU off by {told['coarse_error']:.2g})",
        *out_of_reach(
            told["smallest_q"] / max(1, tested), names.max_q, tested=tested, more="permutations or images"
        ),
    ]


def _chance(names: Dissection) -> dict[str, Any] | None:
    if names.chance is None:
        return None
    enough = [
        name for name in names.units if (name.iou or 0.0) >= (names.min_iou or 0.0) and name.best is not None
    ]
    return {
        "max_q": names.max_q,
        "permutations": names.chance.permutations,
        "seed": names.chance.seed,
        "smallest_q": names.chance.smallest_q,
        "coarse_error": names.chance.error,
        "named_by_iou_alone": len(enough),
        "named_by_q_alone": int((names.chance.q <= names.max_q).sum()),
    }
