"""What belongs to a network so that its answers can be explained? One record, `Model`.

    model = Model(net, preprocess=Preprocess(), classes=["cat", "dog"])
    model.layer, model.layer_reason       # chosen automatically, and why
    model.class_index("dog")              # 1

A network alone cannot be explained: it needs its true preprocessing, the names of its classes, and the layer
whose units are meant. `neuro_explain.load_model` makes the record for known networks; for your own, make
it yourself. The network is held as it is: its mode, its gradients and its weights are never changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from neuro_explain.classes import find_class, numbered, read_classes
from neuro_explain.layer import find_layer
from neuro_explain.preprocess import Preprocess, preprocess_named


@dataclass(frozen=True, eq=False, init=False)
class Model:
    """A classifier with all that an explanation of it needs.

    Attributes:
        net: the network; `[N, 3, h, w]` in, class scores before softmax `[N, C]` out.
        preprocess: how an image becomes its input.
        classes: C display names.
        layer: dotted name of the layer whose units are meant.
        name: what the model is called in results.
        weights: which weights it has.
        origin: where they come from.
        licence: under which terms.
        layer_reason: why this layer, and what its map is.
        layer_rectified: the layer's map is never negative.
        map_size: (h, w) of the layer's map.
        units: its number of channels, U.
    """

    net: nn.Module
    preprocess: Preprocess
    classes: tuple[str, ...]
    layer: str
    name: str
    weights: str
    origin: str
    licence: str
    layer_reason: str = field(init=False)
    layer_rectified: bool = field(init=False)
    map_size: tuple[int, int] = field(init=False)
    units: int = field(init=False)

    def __init__(
        self,
        net: nn.Module,
        *,
        preprocess: Preprocess | str | None = None,
        classes: Sequence[str] | str | Path | None = None,
        layer: str | None = None,
        name: str | None = None,
        weights: str = "as given",
        origin: str = "the caller's network",
        licence: str = "not stated",
    ) -> None:
        """Looks at one forward pass to find or check the layer and to count the classes.

        Args:
            net: the network.
            preprocess: the recipe, or the name of one of `preprocess.PRESETS`.
            classes: names, or a text file with one per line; numbered if not given.
            layer: a dotted name; chosen automatically if not given.
            name: the class name of the network if not given.
            weights: which weights these are.
            origin: where they come from.
            licence: under which terms.

        Raises:
            ValueError: no module; another number of names than of scores; no spatial layer; see `find_layer`.
        """
        if not isinstance(net, nn.Module):
            raise ValueError(f"net: expected a torch.nn.Module, got {type(net).__name__}")
        recipe = preprocess_named(preprocess) if isinstance(preprocess, str) else preprocess
        if not isinstance(recipe, Preprocess):
            raise ValueError(
                "preprocess: expected a neuro_explain.Preprocess, which says how the network's input is made, "
                f"got {'nothing' if preprocess is None else type(preprocess).__name__}"
            )
        name = name or type(net).__name__
        try:
            found = find_layer(net, _example(net, recipe), layer=layer)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        names = numbered(found.scores) if classes is None else read_classes(classes)
        if len(names) != found.scores:
            raise ValueError(
                f"classes: {name} gives {found.scores} scores, but there are {len(names)} class names; "
                "give one name for each score"
            )
        for attribute, value in {
            "net": net,
            "preprocess": recipe,
            "classes": names,
            "layer": found.name,
            "name": name,
            "weights": weights,
            "origin": origin,
            "licence": licence,
            "layer_reason": found.reason,
            "layer_rectified": found.rectified,
            "map_size": found.map_size,
            "units": found.units,
        }.items():
            object.__setattr__(self, attribute, value)

    @property
    def device(self) -> torch.device:
        """Where the network's weights are; the CPU if it has none."""
        return _home(self.net)[0]

    @property
    def dtype(self) -> torch.dtype:
        """The number type of the network's weights, which its input must have; float32 if it has none."""
        return _home(self.net)[1]

    def class_index(self, wanted: str | int) -> int:
        """The number of a class given by name or number.

        Names are matched exactly first, then without regard to capitals, underscores and the letter folder of
        Places names; digits are a number if no class is named so.

        Raises:
            ValueError: no such class (near names are offered), or several of that name.
        """
        return find_class(self.classes, wanted)


def _home(net: nn.Module) -> tuple[torch.device, torch.dtype]:
    for weight in net.parameters():
        if weight.is_floating_point():
            return weight.device, weight.dtype
    return torch.device("cpu"), torch.float32


def _example(net: nn.Module, preprocess: Preprocess) -> Tensor:
    """An input `[1, 3, h, w]` of noise, the same on every machine, made as the network's inputs are made."""
    h, w = preprocess.input_size
    pixels = np.random.default_rng(0).integers(0, 256, (h, w, 3), dtype=np.uint8)
    device, dtype = _home(net)
    return preprocess.probe(Image.fromarray(pixels))[None].to(device, dtype)
