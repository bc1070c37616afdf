"""Through what does a network see? Its image tower: convolutions, a layer whose units are meant, a preprocessing.

    tower = Tower(net.cnn, preprocess=Preprocess())
    tower.layer, tower.layer_reason       # chosen automatically, and why

A classifier is a tower with classes (`Model`). A captioner, or a network that answers questions, has one inside. Its
units are named by dissecting the tower alone, and names fit every network that sees through the same weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from neuro_explain.layer import FoundLayer, find_layer
from neuro_explain.preprocess import Preprocess, preprocess_named


@dataclass(frozen=True, eq=False, init=False)
class Tower:
    """What sees the image, with all that naming its units needs.

    Attributes:
        net: the module; images `[N, 3, h, w]` in, anything out.
        preprocess: how an image becomes its input.
        layer: dotted name of the layer whose units are meant.
        name: what the network is called in results.
        weights: which weights it has.
        origin: where they come from.
        licence: under which terms.
        layer_reason: why this layer, and what its map is.
        layer_rectified: the layer's map is never negative.
        map_size: (h, w) of the layer's map.
        units: its number of channels, U.
        layer_given: whether the layer was asked for, and not found.
    """

    net: nn.Module
    preprocess: Preprocess
    layer: str
    name: str
    weights: str
    origin: str
    licence: str
    layer_reason: str = field(init=False)
    layer_rectified: bool = field(init=False)
    map_size: tuple[int, int] = field(init=False)
    units: int = field(init=False)
    layer_given: bool = field(init=False)

    def __init__(
        self,
        net: nn.Module,
        *,
        preprocess: Preprocess | str | None = None,
        layer: str | None = None,
        name: str | None = None,
        weights: str = "as given",
        origin: str = "the caller's network",
        licence: str = "not stated",
    ) -> None:
        """Looks at one forward pass to find or check the layer.

        Args:
            net: the module.
            preprocess: the recipe, or the name of one of `preprocess.PRESETS`.
            layer: a dotted name; chosen automatically if not given.
            name: the class name of the module if not given.
            weights: which weights these are.
            origin: where they come from.
            licence: under which terms.

        Raises:
            ValueError: no module; no preprocessing; no spatial layer, see `find_layer`.
        """
        self._look(net, preprocess, layer, name, weights, origin, licence, scores=False)

    def _look(
        self,
        net: nn.Module,
        preprocess: Preprocess | str | None,
        layer: str | None,
        name: str | None,
        weights: str,
        origin: str,
        licence: str,
        *,
        scores: bool,
    ) -> FoundLayer:
        """Sets all attributes; with `scores` the module must give class scores."""
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
            found = find_layer(net, example_input(net, recipe), layer=layer, scores=scores)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        for attribute, value in {
            "net": net,
            "preprocess": recipe,
            "layer": found.name,
            "name": name,
            "weights": weights,
            "origin": origin,
            "licence": licence,
            "layer_given": layer is not None,
            "layer_reason": found.reason,
            "layer_rectified": found.rectified,
            "map_size": found.map_size,
            "units": found.units,
        }.items():
            object.__setattr__(self, attribute, value)
        return found

    @property
    def device(self) -> torch.device:
        """Where the weights are; the CPU if there are none."""
        return home(self.net)[0]

    @property
    def dtype(self) -> torch.dtype:
        """The number type of the weights, which the input must have; float32 if there are none."""
        return home(self.net)[1]

    def prepare(self, image: Image.Image) -> Tensor:
        """An upright image as the network's input `[1, 3, h, w]`, on its device and in its number type."""
        return self.preprocess(image).unsqueeze(0).to(self.device, self.dtype)


def home(net: nn.Module) -> tuple[torch.device, torch.dtype]:
    """Device and number type of a module's weights."""
    for weight in net.parameters():
        if weight.is_floating_point():
            return weight.device, weight.dtype
    return torch.device("cpu"), torch.float32


def example_input(net: nn.Module, preprocess: Preprocess) -> Tensor:
    """An input `[1, 3, h, w]` of noise, the same on every machine, made as the network's inputs are made."""
    h, w = preprocess.input_size
    pixels = np.random.default_rng(0).integers(0, 256, (h, w, 3), dtype=np.uint8)
    device, dtype = home(net)
    return preprocess.probe(Image.fromarray(pixels))[None].to(device, dtype)
