"""Which units spoke for a score, and which against it? Ranking, and what is said of each unit.

The ranking runs over all units, by alpha (the paper) or by contribution `alpha_k · Σ_ij A^k_ij`; ties go to
the smaller unit number. On a network that ends in global pooling and one linear layer alpha is the same for
every image, and the contributions add up to the score minus its bias: then the contribution says what
happened *here*. Unnamed units keep their places, so that a reader sees how much of the decision they carry. A unit
stands on the side to which it pulls, and one that pulls nowhere on neither: on a narrow layer a side may be short.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dissection.concepts import Concept
from dissection.names import Names, UnitName
from neuro_explain.targets import Target

RankBy = Literal["alpha", "contribution"]


@dataclass(frozen=True, eq=False)
class UnitEvidence:
    """What one unit said about one target on one image.

    Attributes:
        name: the unit's name, its IoU with interval, its runner-up, and what chance says of it.
        rank: place in its direction, from 1.
        alpha: eq. 1.
        activation: mean of its map.
        contribution: alpha · Σ of its map.
        silent: True if its map is zero everywhere, so that it changed nothing here.
        above_threshold: share of the map's cells above T_k, in 0…1: where the concept it is named after would
            be seen; None if T_k is unknown.
        activation_map: A^k, float32 `[h, w]`.
    """

    name: UnitName
    rank: int
    alpha: float
    activation: float
    contribution: float
    silent: bool
    above_threshold: float | None
    activation_map: NDArray[np.float32]

    @property
    def index(self) -> int:
        """The unit's number, from 0."""
        return self.name.unit

    @property
    def concept(self) -> Concept | None:
        """What it detects; None if it is unnamed."""
        return self.name.concept

    @property
    def iou(self) -> float | None:
        """IoU of its best label."""
        return self.name.iou

    @property
    def margin(self) -> float | None:
        """IoU of its best label minus that of the runner-up."""
        return self.name.margin

    @property
    def q(self) -> float | None:
        """False discovery rate of its best label; None if the names were not tested against chance."""
        return self.name.q


@dataclass(frozen=True, eq=False)
class TargetEvidence:
    """What all units said about one target.

    Attributes:
        label, kind, index, versus: of the `Target`.
        score: y.
        probability: softmax of the class; None for a contrast and other targets.
        alpha: float32 `[U]`.
        signed_map: Σ_k alpha_k A^k, float32 `[h, w]`.
        top, bottom: the strongest units for it (of a value above 0) and against it (below 0), strongest first; fewer
            than were asked for, or none, where fewer pull that way.
        named_alpha_share, named_contribution_share: share of Σ|alpha| and of Σ|contribution| that named units
            carry; None where the sum is 0.
        silent_units: units whose map is zero everywhere on this image.
        sentence: the evidence in words.
    """

    label: str
    kind: str
    index: int | None
    versus: int | None
    score: float
    probability: float | None
    alpha: NDArray[np.float32]
    signed_map: NDArray[np.float32]
    top: tuple[UnitEvidence, ...]
    bottom: tuple[UnitEvidence, ...]
    named_alpha_share: float | None
    named_contribution_share: float | None
    silent_units: int
    sentence: str

    @property
    def map(self) -> NDArray[np.float32]:
        """ReLU of the signed map (eq. 2), raw."""
        return np.maximum(self.signed_map, 0)

    @property
    def zero_map(self) -> bool:
        """True if the weighted sum is at most 0 everywhere, so that the map is blank."""
        return bool((self.signed_map <= 0).all())


@dataclass(frozen=True, eq=False)
class Ranking:
    """All units in the order of their weight for a target.

    Attributes:
        order: unit numbers, strongest for the target first.
        value: what was ranked, alpha or contribution, float64 `[U]`.
        names: of the units.
    """

    order: NDArray[np.int64]
    value: NDArray[np.float64]
    names: Names

    @property
    def reverse(self) -> NDArray[np.int64]:
        """Unit numbers, strongest against the target first; ties go to the smaller number here too."""
        members = np.sort(self.order)
        return members[np.argsort(self.value[members], kind="stable")]

    def strongest(self, count: int, sign: Literal[1, -1]) -> list[int]:
        """At most `count` units that pull for the target (1) or against it (-1), strongest first."""
        order = self.order if sign > 0 else self.reverse
        return [unit for unit in order[:count].tolist() if sign * self.value[unit] > 0]


def rank_units(value: NDArray[np.float64], names: Names, *, named_only: bool = False) -> Ranking:
    """Ranks units by `value` `[U]`, largest first; `named_only` leaves out those without a name."""
    members = np.arange(len(value))
    if named_only:
        members = np.array([n.unit for n in names if n.concept is not None], dtype=np.int64)
    return Ranking(members[np.argsort(-value[members], kind="stable")], value, names)


def weigh(
    target: Target,
    *,
    score: float,
    probability: float | None,
    alpha: NDArray[np.float32],
    activations: NDArray[np.float32],
    signed_map: NDArray[np.float32],
    names: Names,
    top: int,
    rank_by: RankBy,
    named_only: bool,
) -> TargetEvidence:
    """The evidence for one target on one image.

    Args:
        target: what is explained; score and probability are its values.
        alpha: `[U]`.
        activations: A, `[U, h, w]`.
        signed_map: `[h, w]`.
        names: of the U units.
        top: how many units to show in each direction, at most.
        rank_by: what to rank by.
        named_only: rank named units alone.
    """
    from neuro_explain.sentence import target_sentence

    total = activations.astype(np.float64).sum(axis=(1, 2))
    contribution = alpha.astype(np.float64) * total
    silent: NDArray[np.bool_] = ~np.any(activations, axis=(1, 2))
    value = alpha.astype(np.float64) if rank_by == "alpha" else contribution
    ranking = rank_units(value, names, named_only=named_only)
    cells = activations[0].size

    def evidence(unit: int, rank: int) -> UnitEvidence:
        name = names[unit]
        above = None
        if name.threshold is not None:
            above = float((activations[unit] > np.float32(name.threshold)).mean())
        return UnitEvidence(
            name,
            rank,
            float(alpha[unit]),
            float(total[unit] / cells),
            float(contribution[unit]),
            bool(silent[unit]),
            above,
            activations[unit],
        )

    named = np.array([name.concept is not None for name in names])

    def share(weights: NDArray[np.float64]) -> float | None:
        whole = float(np.abs(weights).sum())
        return float(np.abs(weights[named]).sum()) / whole if whole > 0 else None

    return TargetEvidence(
        target.label,
        target.kind,
        target.index,
        target.versus,
        score,
        probability,
        alpha,
        signed_map,
        tuple(evidence(unit, rank) for rank, unit in enumerate(ranking.strongest(top, 1), 1)),
        tuple(evidence(unit, rank) for rank, unit in enumerate(ranking.strongest(top, -1), 1)),
        share(alpha.astype(np.float64)),
        share(contribution),
        int(silent.sum()),
        target_sentence(target, probability, ranking, top),
    )
