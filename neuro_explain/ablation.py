"""Is the explanation true? Take its units away and see what the network says.

The strongest units of the explained target are set to zero in the layer's output, and the rest of the
network runs on; 100 seeded draws of as many *other* units that fire show what losing any such units costs.
Where fewer others fire than were zeroed there is no fair comparison, and none is made. A unit that is silent
on the image is reported as such: zeroing it changes nothing. The network is not split: the layer's hook hands
on a batch of ablated copies of one image's maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dissection.recording import evaluating, record
from neuro_explain.sentence import check_sentence
from neuro_explain.targets import Target

DRAWS = 100
_COPY_BYTES = 64 << 20  # maps of so many ablated copies at once


@dataclass(frozen=True)
class Spread:
    """Mean, 5th and 95th percentile over the draws."""

    mean: float
    p5: float
    p95: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Spread:
        """The spread of some values."""
        low, high = np.percentile(values, [5, 95])
        return cls(float(values.mean()), float(low), float(high))


@dataclass(frozen=True)
class AblationCheck:
    """What zeroing the explanation's units does.

    Attributes:
        units: the units that were zeroed together.
        silent: those of them that are zero on this image anyway.
        score, probability: of the target before; the probability is None for a contrast.
        score_without, probability_without: after.
        draws: number of random draws.
        drawn_units: units in each draw: as many as were zeroed, or 0 without draws.
        firing: units beside the zeroed ones that fire on this image, from which the draws are taken.
        random_score, random_probability: spread after zeroing the draws; None if too few other units fire.
        seed: of the draws.
        text: all this in words.
    """

    units: tuple[int, ...]
    silent: tuple[int, ...]
    score: float
    score_without: float
    probability: float | None
    probability_without: float | None
    draws: int
    drawn_units: int
    firing: int
    random_score: Spread | None
    random_probability: Spread | None
    seed: int
    text: str


def other_units(fires: NDArray[np.bool_], tested: Sequence[int]) -> NDArray[np.int64]:
    """The units that fire, by a flag for each of U, but for the tested ones: what those are compared with."""
    others = fires.copy()
    others[list(tested)] = False
    return np.flatnonzero(others)


def draw_units(others: NDArray[np.int64], count: int, draws: int, seed: int) -> list[list[int]]:
    """`draws` sets of `count` different units; none where there are fewer: losing fewer costs less."""
    if not 0 < count <= len(others):
        return []
    generator = np.random.default_rng(seed)
    return [sorted(generator.choice(others, count, replace=False).tolist()) for _ in range(draws)]


def ablated_outputs(
    net: nn.Module, image: Tensor, layer: str, sets: Sequence[Sequence[int]], *, copies: int = 32
) -> Tensor:
    """What the network puts out when each set of units is zero in `layer`.

    Args:
        net: any module; comes back as it was.
        image: one prepared image `[1, 3, H, W]`.
        layer: dotted name of a layer that puts out `[1, U, h, w]`.
        sets: S sets of unit numbers, at least one.
        copies: ablated copies of the maps that go through the rest of the network at once.

    Returns:
        `[S, C]`, on the CPU.

    Raises:
        ValueError: a layer that runs twice, not at all, or without maps; units that it does not have.
    """
    parts = [sets[start : start + copies] for start in range(0, len(sets), copies)]
    with evaluating(net) as plain, torch.no_grad():
        return torch.cat([_ablated(plain, image, layer, part).cpu() for part in parts])


def _ablated(net: nn.Module, image: Tensor, layer: str, sets: Sequence[Sequence[int]]) -> Tensor:
    def without(maps: Tensor) -> Tensor:
        if maps.dim() != 4:
            raise ValueError(
                f"layer {layer!r} puts out {list(maps.shape)}, expected maps [N, U, h, w]; choose a "
                "spatial layer"
            )
        for unit in (unit for units in sets for unit in units):
            if not 0 <= unit < maps.shape[1]:
                raise ValueError(f"unit {unit} does not exist: layer {layer!r} has 0 to {maps.shape[1] - 1}")
        gone = torch.zeros((len(sets), maps.shape[1], 1, 1), dtype=torch.bool)
        for row, units in enumerate(sets):
            gone[row, list(units)] = True
        return maps.masked_fill(gone.to(maps.device), 0)

    def run(images: Tensor) -> Tensor:
        with record(net, layer, edit=without):
            output: Tensor = net(images.clone())  # a network may write into its input
        return output

    with suppress(Exception):
        output = run(image)
        if len(output) == len(sets):
            return output
    # The rest of the network remembers that it was given one image: give it as many as there are copies.
    # What is wrong with the network itself goes wrong here again.
    return run(image.expand(len(sets), *image.shape[1:]))


def check_by_ablation(
    net: nn.Module,
    image: Tensor,
    layer: str,
    units: Sequence[int],
    activations: NDArray[np.float32],
    target: Target,
    *,
    score: float,
    probability: float | None,
    draws: int = DRAWS,
    seed: int = 0,
) -> AblationCheck:
    """Runs the check.

    Args:
        net, image, layer: as in `ablated_outputs`.
        units: the units to take away together.
        activations: A of this image, `[U, h, w]`.
        target: what to read off the outputs.
        score, probability: its values with all units in place; no probability, none afterwards.
        draws: number of random draws.
        seed: of the draws.

    Raises:
        ValueError: as `ablated_outputs`; scores that are not finite once units are gone.
    """
    fires: NDArray[np.bool_] = np.any(activations, axis=(1, 2))
    others = other_units(fires, units)
    random_sets = draw_units(others, len(units), draws, seed)
    copies = max(1, _COPY_BYTES // activations.nbytes)
    outputs = ablated_outputs(net, image, layer, [list(units), *random_sets], copies=copies)
    scores = target(outputs).double().numpy()
    if not np.isfinite(scores).all():
        raise ValueError(
            f"the score of {target.label!r} is NaN or infinite once units of layer {layer!r} are zero, so "
            "the ablation check has no answer; explain without the check"
        )
    probabilities = None
    if probability is not None and target.probability is not None:
        probabilities = target.probability(outputs).double().numpy()
    check = AblationCheck(
        units=tuple(units),
        silent=tuple(unit for unit in units if not fires[unit]),
        score=score,
        score_without=float(scores[0]),
        probability=probability,
        probability_without=None if probabilities is None else float(probabilities[0]),
        draws=len(random_sets),
        drawn_units=len(units) if random_sets else 0,
        firing=len(others),
        random_score=Spread.of(scores[1:]) if random_sets else None,
        random_probability=Spread.of(probabilities[1:])
        if random_sets and probabilities is not None
        else None,
        seed=seed,
        text="",
    )
    return replace(check, text=check_sentence(check, target))
