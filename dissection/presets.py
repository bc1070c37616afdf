"""Whose rules? Ours, or to the letter those of one of the three programs that dissected networks before.

    rules = PRESETS["netdissect2017"]
    survey = Survey(units, map_size, images, quantile=rules.quantile, label_size=rules.label_size, rules=rules)
    count = count_all(survey.best, kept, concepts, rules.label_size, threshold, rules=rules)
    best_labels(iou, category_of, rules.ties)        # [U, 2]

| | ours | netdissect2017 | netdissect-lite | dissect2020 |
|---|---|---|---|---|
| T_k stands at (`threshold.Place`) | ⌊q·n⌋ | point 994 of 0…999 | the same | 99 % of the midpoints |
| of maps | as they are | as they are | as they are | resized to S × S |
| resized (`resize.Centres`) | half pixels | whole pixels | half pixels | zeros outside |
| A counts active pixels of images | that carry the category | with a label of it | where they touch one | all |
| a label twice in a pixel | once | twice | twice | once |
| ties go to | the lower number | the later category | the later category | the lower number |

The programs: CSAILVision/NetDissect (`labelprobe`, `upsample.centered_arange` as `netprobe_pytorch` feeds it,
`makeresult.count_act_with_labelcat`), CSAILVision/NetDissect-Lite (`feature_operation`), davidbau/dissect
(`dissect_experiment`, `upsample`, `runningstats.RunningQuantile`). Their sketches of the quantile are replaced by the
value that they estimate. What a preset does not change: which images are looked at (those with a label), the probe
image, and what chance is compared with (`chance`), where a label stands once in a pixel and A is ours.

Label 0 is absence here, and no image can have it as a whole. So it belongs to no category under any rules: an image
that carries a category without any label of it adds nothing to A of the two older programs. Lite forgets to say so of
the number 0 given for a whole image, and counts it as a label of the last category; it has nothing to forget here.

A word in two categories is two concepts here; the older two programs make it one, of the category where it covers most.
Where labels count twice an IoU can exceed 1, as it could there. A name needs an IoU of `min_iou` or more under all
rules (dissect2020 asked for more than that).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # names need rules, but not torch
    from dissection.resize import Centres
    from dissection.threshold import Place

Area: TypeAlias = Literal["carried", "labelled", "touched", "all"]
"""Of which images A(k, category) counts the active pixels: those that carry the category, those with a label of it,
those where an active pixel of unit k has one, or all."""
Ties: TypeAlias = Literal["number", "category"]
"""Among equal IoUs: the lower concept number, or first the later category and in it the lower number."""


@dataclass(frozen=True)
class Rules:
    """How thresholds, masks, areas and names are made.

    Attributes:
        name: of the preset.
        quantile: q if none is given.
        label_size: S if none is given, in pixels.
        min_iou: the IoU that a name needs if none is given.
        max_q: the false discovery rate that a name may have if none is given; 1 where nobody asked for one.
        place: where T_k stands among a unit's values.
        resized: whether these are the values of maps resized to S × S.
        centres: how a map becomes a mask's size.
        area: of which images A counts the active pixels.
        twice: whether a pixel that has a label in two layers counts twice for it, in I and G.
        ties: which of two labels with the same IoU is the better one.
    """

    name: str
    quantile: float = 0.005
    label_size: int = 112
    min_iou: float = 0.05
    max_q: float = 0.05
    place: Place = "index"
    resized: bool = False
    centres: Centres = "half pixels"
    area: Area = "carried"
    twice: bool = False
    ties: Ties = "number"


OURS = Rules("ours")
PRESETS = MappingProxyType(
    {
        rules.name: rules
        for rules in (
            OURS,
            Rules(
                "netdissect2017",
                min_iou=0.04,
                max_q=1.0,
                place="readout",
                centres="whole pixels",
                area="labelled",
                twice=True,
                ties="category",
            ),
            Rules(
                "netdissect-lite",
                min_iou=0.04,
                max_q=1.0,
                place="readout",
                area="touched",
                twice=True,
                ties="category",
            ),
            Rules(
                "dissect2020",
                quantile=0.01,
                label_size=56,
                min_iou=0.04,
                max_q=1.0,
                place="midpoints",
                resized=True,
                centres="zeros outside",
                area="all",
            ),
        )
    }
)
"""Rules by name."""


def preset(name: str) -> Rules:
    """The rules of that name.

    Raises:
        ValueError: there are none.
    """
    if not isinstance(name, str) or name not in PRESETS:
        raise ValueError(f"preset: expected one of {', '.join(PRESETS)}, got {name!r}")
    return PRESETS[name]


def best_labels(iou: NDArray[np.float64], category_of: NDArray[np.int64], ties: Ties) -> NDArray[np.int64]:
    """The two best labels of each unit, the best first, int64 `[U, 2]` (`[U, 1]` if there is one label).

    Args:
        iou: float64 `[U, C]`.
        category_of: index of each concept's category `[C]`.
        ties: which of two equal ones is better.
    """
    return ranked_labels(iou, category_of, ties)[:, :2]


def ranked_labels(iou: NDArray[np.float64], category_of: NDArray[np.int64], ties: Ties) -> NDArray[np.int64]:
    """All labels of each unit, the best first, int64 `[U, C]`; see `best_labels`."""
    # A stable sort keeps the smaller concept number first among equals.
    if ties == "number":
        return np.argsort(-iou, axis=1, kind="stable")
    later = np.argsort(-category_of, kind="stable")  # concepts, those of the last category first
    best: NDArray[np.int64] = later[np.argsort(-iou[:, later], axis=1, kind="stable")]
    return best
