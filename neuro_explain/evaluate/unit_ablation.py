"""Are the units that an explanation names those on which the score hangs? The ablation check, over a set of images.

    measure = UnitAblation(net, layer="layer4", units=5)
    measure.add(0, image, Target.of_class(281))
    measure.report("ResNet-18").lines()

On each image the strongest units of the explanation are set to zero together, and the fall of the score before softmax
is held against that of draws of as many other units that fire there (`neuro_explain.ablation`, which has the check of
one image). An image beats chance if its fall is larger than the 95th percentile of its draws, so that of units named
without any reason about one image in twenty does. Where fewer other units fire than were zeroed there is no fair
comparison: such images are counted apart, as are those without any unit that pulls towards the target.
"""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from neuro_explain.ablation import DRAWS, ablated_outputs, draw_units, other_units
from neuro_explain.evaluate.estimate import share_of
from neuro_explain.evaluate.map_report import MapReport
from neuro_explain.evaluate.tally import Figure, Tally
from neuro_explain.evidence import RankBy
from neuro_explain.gradcam import GradCAM, grad_cam
from neuro_explain.targets import Target

UNITS = 5
FALL, CHANCE_FALL, GAIN = "fall of the score", "fall with random units", "fall beyond random units"
P_FALL, P_GAIN = "fall of the probability", "fall of the probability beyond random units"
SHARE = "share of images beyond 95 % of random draws"
FEW, NONE = "image where too few other units fire", "image without a unit for the target"
_BEYOND = 95  # per cent
_COPY_BYTES = 64 << 20  # maps of so many ablated copies at once


@dataclass(frozen=True)
class Ablated:
    """What zeroing the explanation's units did to one image.

    Attributes:
        units: those that were zeroed, strongest first.
        fall, random_falls: of the score, with them and with each draw, `[draws]`.
        probability_fall, random_probability_falls: the same of the probability; None for a target that has none.
    """

    units: tuple[int, ...]
    fall: float
    random_falls: NDArray[np.float64]
    probability_fall: float | None
    random_probability_falls: NDArray[np.float64] | None

    @property
    def beyond(self) -> bool:
        """Whether the fall is larger than the 95th percentile of the draws."""
        return self.fall > float(np.percentile(self.random_falls, _BEYOND))


class UnitAblation:
    """The ablation check over images.

    Args:
        net: any module; comes back as it was.
        layer: whose units explain.
        units: how many are zeroed; fewer on an image where fewer pull towards the target.
        rank_by: what the explanation ranks them by.
        named: for each unit whether it has a name, to zero named units alone; None for all.
        draws: of random units for each image.
        seed: of the draws, together with the image's number.

    Raises:
        ValueError: no units, or too few draws for a percentile.
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        layer: str,
        units: int = UNITS,
        rank_by: RankBy = "contribution",
        named: NDArray[np.bool_] | None = None,
        draws: int = DRAWS,
        seed: int = 0,
    ) -> None:
        if units < 1:
            raise ValueError(f"units: expected at least 1, got {units}")
        if draws < 20:
            raise ValueError(f"draws: expected at least 20, of which the 95th percentile is one, got {draws}")
        if rank_by not in ("alpha", "contribution"):
            raise ValueError(f"rank_by: expected 'alpha' or 'contribution', got {rank_by!r}")
        self.net, self.layer, self.units, self.rank_by = net, layer, units, rank_by
        self.named, self.draws, self.seed = named, draws, seed
        self._tallies = {measure: Tally() for measure in (FALL, CHANCE_FALL, GAIN, P_FALL, P_GAIN)}
        self._beyond: list[bool] = []
        self._apart: Counter[str] = Counter()
        self._short = self._silent = 0

    def add(self, number: int, image: Tensor, target: Target) -> Ablated | None:
        """Measures one image.

        Args:
            number: of the image.
            image: prepared, `[1, 3, H, W]`.
            target: the score that is explained.

        Returns:
            None where there is nothing to compare.

        Raises:
            ValueError: a layer without maps, or one of another number of units than there are names; scores that are
                not finite, before or without some units.
        """
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", UserWarning
            )  # of outputs that are probabilities, for each image again
            cam = grad_cam(self.net, image, [target], layer=self.layer)
        units = self._strongest(cam)
        fires: NDArray[np.bool_] = (cam.activations[0] != 0).flatten(1).any(dim=1).cpu().numpy()
        random_sets = draw_units(other_units(fires, units), len(units), self.draws, self.seed + number)
        if not units or not random_sets:
            self._apart[FEW if units else NONE] += 1
            return None
        self._short += len(units) < self.units
        self._silent += not fires[units].all()
        copies = max(1, _COPY_BYTES // cam.activations.nbytes)
        outputs = ablated_outputs(self.net, image, self.layer, [[], units, *random_sets], copies=copies)
        scores = target(outputs).double().numpy()
        probabilities = None if target.probability is None else target.probability(outputs).double().numpy()
        for values in (scores, probabilities):
            if values is not None and not np.isfinite(values).all():
                raise ValueError(
                    f"the score of {target.label!r} is NaN or infinite once units of layer {self.layer!r} are zero"
                )
        found = Ablated(
            tuple(units),
            float(scores[0] - scores[1]),
            scores[0] - scores[2:],
            None if probabilities is None else float(probabilities[0] - probabilities[1]),
            None if probabilities is None else probabilities[0] - probabilities[2:],
        )
        self._take(number, found)
        return found

    def _strongest(self, cam: GradCAM) -> list[int]:
        """The explanation's units, strongest first."""
        value = cam.alpha[0].double()
        if self.rank_by == "contribution":
            value = value * cam.activations[0].double().sum(dim=(1, 2))
        weights: NDArray[np.float64] = value.cpu().numpy()
        allowed = weights > 0
        if self.named is not None:
            if len(self.named) != len(weights):
                raise ValueError(
                    f"named: layer {self.layer!r} has {len(weights)} units, but {len(self.named)} are told of; take "
                    "names of this layer"
                )
            allowed &= self.named
        order = np.argsort(-weights, kind="stable")
        return [int(unit) for unit in order[allowed[order]][: self.units]]

    def _take(self, number: int, found: Ablated) -> None:
        self._beyond.append(found.beyond)
        mean = float(found.random_falls.mean())
        self._tallies[FALL].add(number, found.fall, chance=mean)
        self._tallies[CHANCE_FALL].add(number, mean)
        self._tallies[GAIN].add(number, found.fall - mean, chance=0.0)
        if found.probability_fall is not None and found.random_probability_falls is not None:
            mean = float(found.random_probability_falls.mean())
            self._tallies[P_FALL].add(number, found.probability_fall, chance=mean)
            self._tallies[P_GAIN].add(number, found.probability_fall - mean, chance=0.0)

    def report(self, network: str = "") -> MapReport:
        """What was found so far, of a network of this name."""
        method = f"{self.units} {'named ' * (self.named is not None)}units by {self.rank_by}"
        share = share_of(self._beyond)
        figures = [
            Figure(
                SHARE,
                network,
                method,
                share.value,
                share.low,
                share.high,
                count=share.count,
                scenes=share.count,
                chance=(100 - _BEYOND) / 100 if share.count else None,
                apart=dict(self._apart),
            )
        ]
        figures += [
            tally.figure(measure, network, method, median=False) for measure, tally in self._tallies.items()
        ]
        short = f"; on {self._short} of the images fewer units pull towards the target" if self._short else ""
        silent = (
            f"; on {self._silent} of the images some of the units are silent, and zeroing those changes nothing"
            if self._silent
            else ""
        )
        return MapReport(
            "ablation of units",
            tuple(figures),
            (
                f"ablation: the strongest units of layer {self.layer} set to zero together; random: {self.draws} draws "
                f"for each image of as many other units that fire there, seed {self.seed}{short}{silent}",
            ),
        )
