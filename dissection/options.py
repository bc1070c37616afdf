"""What can be chosen of a dissection, what holds where nothing is, and what is out of range?

    def dissect(…, **options: Unpack[Options]) -> Dissection:
        chosen = choose(options)
        chosen.quantile, chosen.max_q          # of the preset, where none was given

Everything is checked here, before anything is read or run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from dissection.arguments import near, number, shown, whole_number
from dissection.chance import PERMUTATIONS
from dissection.overlap import checked_label_size
from dissection.presets import Rules
from dissection.presets import preset as rules_of
from dissection.threshold import threshold_index

MEMORY = 1 << 30


class Options(TypedDict, total=False):
    """What `dissect` takes by keyword; what is left out is as in `DEFAULTS`.

    Keys:
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
        progress: show progress bars; None: only on a terminal.
    """

    preset: str
    quantile: float | None
    label_size: int | None
    min_iou: float | None
    max_q: float | None
    permutations: int
    seed: int
    compositions: int
    exemplars: int
    batch_size: int
    workers: int
    memory: int
    scratch: Path | None
    progress: bool | None


DEFAULTS: Options = {
    "preset": "ours",
    "quantile": None,
    "label_size": None,
    "min_iou": None,
    "max_q": None,
    "permutations": PERMUTATIONS,
    "seed": 0,
    "compositions": 0,
    "exemplars": 4,
    "batch_size": 32,
    "workers": 2,
    "memory": MEMORY,
    "scratch": None,
    "progress": None,
}
_LEAST = {"seed": 0, "compositions": 0, "exemplars": 0, "batch_size": 1, "workers": 1, "memory": 1}


@dataclass(frozen=True)
class Chosen:
    """The options of a dissection, checked and complete.

    Attributes:
        rules: those of the preset.
        preset, quantile, …: see `Options`.
    """

    rules: Rules
    preset: str
    quantile: float
    label_size: int
    min_iou: float
    max_q: float
    permutations: int
    seed: int
    compositions: int
    exemplars: int
    batch_size: int
    workers: int
    memory: int
    scratch: Path | None
    progress: bool | None

    @property
    def warning(self) -> str:
        """That a unit cannot be named alone with so few exchanges; empty if it can.

        Of R exchanges a unit that stands out alone reaches q = U / (1 + R U) (`chance`), a little less than 1 / R.
        """
        if self.permutations == 0 or self.max_q >= 1 or self.permutations * self.max_q >= 1 - 1e-9:
            return ""
        return (
            f"permutations: with {self.permutations} a unit that stands out alone has a q of about "
            f"{1 / self.permutations:.2g}, and max_q is {self.max_q:g}, so it gets a name only where others stand "
            f"out with it; expected at least {math.ceil(1 / self.max_q - 1e-9)}, 100 is usual"
        )


def choose(options: Mapping[str, Any]) -> Chosen:
    """The options as they hold.

    Raises:
        TypeError: an unknown option, or a value of the wrong kind.
        ValueError: a value out of range, or two that contradict each other.
    """
    for name in options:
        if name not in DEFAULTS:
            raise TypeError(
                f"{name}: expected an option of dissect, got an unknown one; {near(name, DEFAULTS)}"
            )
    asked = {**DEFAULTS, **options}
    rules = rules_of(asked["preset"])
    whole = {name: whole_number(name, asked[name]) for name in ("permutations", *_LEAST)}
    given = {name: asked[name] for name in ("quantile", "label_size", "min_iou", "max_q")}
    own = {name: getattr(rules, name) if value is None else value for name, value in given.items()}
    quantile, min_iou, max_q = (number(name, own[name]) for name in ("quantile", "min_iou", "max_q"))
    label_size = whole_number("label_size", own["label_size"])
    for name, least in _LEAST.items():
        if whole[name] < least:
            raise ValueError(f"{name}: expected at least {least}, got {whole[name]}")
    threshold_index(quantile, 1)
    checked_label_size(label_size)
    if not 0 <= min_iou <= 1:
        raise ValueError(f"min_iou: expected 0 to 1, got {min_iou}; 0.05 is usual")
    if not 0 < max_q <= 1:
        raise ValueError(
            f"max_q: expected a false discovery rate above 0, up to 1, got {max_q}; 0.05 is usual"
        )
    if whole["permutations"] < 0 or whole["permutations"] == 1:
        raise ValueError(f"permutations: expected at least 2, or 0 for none, got {whole['permutations']}")
    if whole["permutations"] == 0 and given["max_q"] is not None and max_q < 1:
        raise ValueError(
            f"max_q: {max_q} asks what chance gives, but permutations=0 does not ask; leave one out"
        )
    if asked["progress"] not in (None, True, False):
        raise TypeError(
            f"progress: expected True, False or None, got {shown(asked['progress'])}; leave it out"
        )
    return Chosen(
        rules,
        preset=asked["preset"],
        quantile=quantile,
        label_size=label_size,
        min_iou=min_iou,
        max_q=max_q,
        scratch=_folder(asked["scratch"]),
        progress=asked["progress"],
        **whole,
    )


def _folder(given: Any) -> Path | None:
    if given is None:
        return None
    try:
        folder = Path(given)
    except TypeError:
        raise TypeError(
            f"scratch: expected a folder, got {shown(given)}; give its path, or leave it out"
        ) from None
    if not folder.is_dir():
        raise ValueError(
            f"scratch: expected an existing folder, got {folder}; make it first, or leave it out"
        )
    return folder
