"""Do maps change when what the network has learned is taken out of it? The sanity check of Adebayo et al. 2018.

    report = randomisation(net, images, targets, [METHODS["grad-cam"]], layer="layer4")
    print("\\n".join(report.lines()))

Layers get fresh weights from the top, the class scores, to the bottom: cascading (all layers down to here) and
independently (these alone). After each stage the maps of the same targets are made again, and compared with the
original's by rank correlation. A method whose maps keep their order shows the picture's edges, and not what the network
knows; guided backpropagation is known for it.

Fresh weights are those of each module's own `reset_parameters`, under a seed; a normalisation forgets its running mean
and variance too. Modules with weights and without that function stay as they are, and the report says so. All this
happens in copies: the network that is given is never touched.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dissection.recording import named_layers, trace, unwrap
from neuro_explain.evaluate.map_report import MapReport
from neuro_explain.evaluate.map_source import NO_ORDER, MapSource
from neuro_explain.evaluate.ranks import rank_correlation
from neuro_explain.evaluate.tally import Figure, Tally
from neuro_explain.methods.saliency import Method
from neuro_explain.targets import Target

STAGES = 8
UNCHANGED = 0.7
"""A mean rank correlation from which on maps count as hardly changed."""
_NO_MAP = "image without a finite score or map once weights are random"

Kind = Literal["cascading", "independent"]
KINDS: tuple[Kind, ...] = ("cascading", "independent")


@dataclass(frozen=True)
class Stage:
    """Some layers that get fresh weights together.

    Attributes:
        kind: whether those above have them too.
        layers: dotted names, the topmost first.
        lowest: the last of its own group, after which it is called.
    """

    kind: Kind
    layers: tuple[str, ...]
    lowest: str

    @property
    def title(self) -> str:
        """For people."""
        if self.kind == "cascading":
            return f"all down to {self.lowest} ({len(self.layers)})"
        own = f"{self.layers[0]} … {self.lowest}" if len(self.layers) > 1 else self.lowest
        return f"{own} alone ({len(self.layers)})"


def learned_layers(net: nn.Module, image: Tensor) -> tuple[list[str], list[str]]:
    """The layers that can get fresh weights, from the top down, and the weights that cannot.

    Args:
        net: any module; comes back as it was.
        image: one prepared image `[1, 3, H, W]`, to see in which order the layers run.

    Returns:
        Dotted names of modules with weights of their own and `reset_parameters`, the last to run first; dotted names
        of weights that belong to no such module.
    """
    order = [call.name for call in trace(net, image.clone()).calls]
    modules = named_layers(net)
    fresh = [
        name
        for name in dict.fromkeys(reversed(order))
        if callable(getattr(modules[name], "reset_parameters", None))
        and next(modules[name].parameters(recurse=False), None) is not None
    ]
    covered = {id(weight) for name in fresh for weight in modules[name].parameters()}
    left = [name for name, weight in unwrap(net).named_parameters() if id(weight) not in covered]
    return fresh, left


def stages(layers: Sequence[str], kind: Kind, count: int = STAGES) -> list[Stage]:
    """The topmost layer alone, and the others in groups of nearly the same size, `count` stages at most."""
    groups = [[layers[0]]]
    rest = list(layers[1:])
    wanted = min(count - 1, len(rest))
    edges = [round(edge * len(rest) / wanted) for edge in range(wanted + 1)] if wanted else []
    groups += [rest[low:high] for low, high in pairwise(edges)]
    found, above = [], []
    for group in groups:
        above += group
        found.append(Stage(kind, tuple(above if kind == "cascading" else group), group[-1]))
    return found


def randomised(net: nn.Module, layers: Sequence[str], *, seed: int) -> nn.Module:
    """A copy of a network in which these layers have fresh weights.

    The caller's random numbers go on as if nothing had been drawn.

    Args:
        net: any module; a wrapper such as `DataParallel` is left out of the copy.
        layers: dotted names of modules with `reset_parameters`.
        seed: of the weights.

    Raises:
        ValueError: a network that cannot be copied.
    """
    with torch.inference_mode(False), torch.no_grad():
        try:
            fresh = copy.deepcopy(unwrap(net))
        except Exception as error:
            raise ValueError(f"the network cannot be copied, and is not changed itself: {error}") from error
        modules = named_layers(fresh)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            for name in layers:
                module = modules[name]
                device = next(module.parameters()).device
                # on the processor, so that the same seed gives the same weights everywhere
                module.cpu().reset_parameters()  # type: ignore[operator]
                module.to(device)
    return fresh


def randomisation(
    net: nn.Module,
    images: Tensor,
    targets: Sequence[Target],
    methods: Sequence[Method],
    *,
    layer: str,
    network: str = "",
    kinds: Sequence[Kind] = KINDS,
    count: int = STAGES,
    seed: int = 0,
    batch: int = 16,
    progress: bool = False,
) -> MapReport:
    """Compares maps with those of copies of the network that have fresh weights.

    Args:
        net: any module; comes back as it was.
        images: prepared, `[N, 3, H, W]`; they stay in memory.
        targets: one for each, of the network as it is.
        methods: those whose maps are measured.
        layer: that they explain.
        network: what to call it.
        kinds: of randomisation.
        count: stages of each kind, at most the number of layers.
        seed: of the weights.
        batch: images that are explained at once.
        progress: show a bar on a terminal.

    Returns:
        A row for each stage and method; `more["flagged"]` names, by method, the lowest layer of the cascade down to
        which its maps hardly changed.

    Raises:
        ValueError: no images, another number of targets, no layer that could get fresh weights; a layer that a method
            cannot explain; what is not finite in the network as it is.
    """
    if images.dim() != 4 or not len(images) or len(images) != len(targets):
        raise ValueError(
            f"targets: expected one for each image of [N, 3, H, W], got {len(targets)} for {list(images.shape)}"
        )
    if count < 1:
        raise ValueError(f"count: expected at least one stage, got {count}")
    from tqdm import tqdm

    source = MapSource(net, methods, layer=layer)
    original = _maps(source, images, targets, batch)
    layers, left = learned_layers(net, images[:1])
    if not layers:
        raise ValueError(
            "the network has no layer with weights and reset_parameters, so nothing can be random"
        )
    figures: list[Figure] = []
    kept: dict[str, str] = {}
    plan = [stage for kind in kinds for stage in stages(layers, kind, count)]
    unchanged = dict.fromkeys(source.titles, True)
    for stage in tqdm(plan, desc="fresh weights", unit="stage", disable=None if progress else True, delay=1):
        other = MapSource(randomised(net, stage.layers, seed=seed), methods, layer=layer)
        for title, tally in _compared(original, other, images, targets, batch).items():
            figure = tally.figure(f"{stage.kind}: {stage.title}", network, title, median=False)
            figures.append(figure)
            if stage.kind == "cascading" and unchanged[title]:
                unchanged[title] = figure.mean is not None and figure.mean >= UNCHANGED
                if unchanged[title]:
                    kept[title] = stage.lowest
    return MapReport(
        "model randomisation",
        tuple(figures),
        _notes(kept, layers, left, seed) + source.notes,
        {"flagged": kept, "layers": len(layers), "left": left},
    )


def _notes(kept: dict[str, str], layers: Sequence[str], left: Sequence[str], seed: int) -> tuple[str, ...]:
    notes = [
        f"rank correlation with the map of the network as it is, the same class asked; {len(layers)} layers, from the "
        f"top, fresh weights by each layer's own reset_parameters, seed {seed}"
    ]
    if left:
        notes.append(
            f"{len(left)} weights belong to no layer that can start anew, and stayed: {', '.join(left[:3])}"
            f"{', …' if len(left) > 3 else ''}"
        )
    notes += [
        f"FLAGGED: {title} hardly changes (mean at least {UNCHANGED}) when all layers down to {lowest} are random: its "
        "maps do not show what these have learned"
        for title, lowest in kept.items()
    ]
    return tuple(notes)


def _maps(
    source: MapSource, images: Tensor, targets: Sequence[Target], batch: int
) -> dict[str, list[NDArray[np.float64]]]:
    """The maps of all images by title."""
    found: dict[str, list[NDArray[np.float64]]] = {title: [] for title in source.titles}
    for start in range(0, len(images), batch):
        part = source.maps(images[start : start + batch], targets[start : start + batch])
        for title, maps in part.items():
            found[title] += list(maps)
    return found


def _compared(
    original: dict[str, list[NDArray[np.float64]]],
    other: MapSource,
    images: Tensor,
    targets: Sequence[Target],
    batch: int,
) -> dict[str, Tally]:
    """The correlations of all images with the original, by title."""
    tallies = {title: Tally() for title in original}
    for start in range(0, len(images), batch):
        numbers = range(start, min(start + batch, len(images)))
        for number, maps in _one_by_one(other, images, targets, numbers).items():
            for title, tally in tallies.items():
                if maps is None:
                    tally.note(_NO_MAP)
                elif (value := rank_correlation(original[title][number], maps[title])) is None:
                    tally.note(NO_ORDER)
                else:
                    tally.add(number, value, chance=0.0)
    return tallies


def _one_by_one(
    other: MapSource, images: Tensor, targets: Sequence[Target], numbers: range
) -> dict[int, dict[str, NDArray[np.float64]] | None]:
    """The maps of some images by number; None where random weights leave nothing finite."""
    try:
        made = _maps(
            other, images[numbers.start : numbers.stop], targets[numbers.start : numbers.stop], len(numbers)
        )
    except ValueError:  # the network as it is was explained without one, so the weights are the reason
        if len(numbers) == 1:
            return {numbers.start: None}
        return {
            key: value
            for number in numbers
            for key, value in _one_by_one(other, images, targets, range(number, number + 1)).items()
        }
    return {
        number: {title: maps[place] for title, maps in made.items()} for place, number in enumerate(numbers)
    }
