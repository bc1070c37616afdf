"""What captioners and networks that answer questions have in common: an image tower somewhere inside.

Both say of which module the tower is and which of its layers is meant; the tower can be dissected alone, and the
explanation of the whole network refers to the tower's units.
"""

from __future__ import annotations

from abc import ABC
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from dissection.recording import get_layer
from neuro_explain.preprocess import Preprocess
from neuro_explain.tower import Tower, home


class Adapter(ABC):
    """A network with an image tower inside.

    Args:
        net: the whole network; held as it is.
        preprocess: how an image becomes its input, or the name of a recipe.
        tower: dotted name of the module in `net` that sees the image and takes nothing but images; "" is `net` itself.
        layer: dotted name, within the tower, of the layer whose units are meant; chosen automatically if not given.
        name: what the network is called; its class name if not given.
        weights, origin, licence: of the weights, for people.

    Attributes:
        net: the whole network.
        tower: the `Tower`.

    Raises:
        ValueError: no such module; no spatial layer in it.
    """

    net: nn.Module
    tower: Tower

    def __init__(
        self,
        net: nn.Module,
        *,
        preprocess: Preprocess | str,
        tower: str = "",
        layer: str | None = None,
        name: str | None = None,
        weights: str = "as given",
        origin: str = "the caller's network",
        licence: str = "not stated",
    ) -> None:
        if not isinstance(net, nn.Module):
            raise ValueError(f"net: expected a torch.nn.Module, got {type(net).__name__}")
        self.net = net
        self._place = tower
        self.tower = self._see(
            get_layer(net, tower) if tower else net,
            preprocess=preprocess,
            layer=layer,
            name=name or type(net).__name__,
            weights=weights,
            origin=origin,
            licence=licence,
        )

    def _see(self, net: nn.Module, **facts: Any) -> Tower:
        """The tower; a subclass whose units are tokens finds its layer in another way."""
        return Tower(net, **facts)

    @property
    def name(self) -> str:
        """What the network is called."""
        return self.tower.name

    @property
    def layer(self) -> str:
        """The layer's dotted name in the whole network."""
        return f"{self._place}.{self.tower.layer}" if self._place else self.tower.layer

    def prepare(self, image: Image.Image) -> Tensor:
        """An upright image as the network's input `[1, 3, h, w]`, on its device and in its number type."""
        device, dtype = home(self.net)
        return self.tower.preprocess(image).unsqueeze(0).to(device, dtype)

    def tokens(self, tokens: tuple[int, ...] | list[int]) -> Tensor:
        """Tokens as `[1, T]`, on the network's device."""
        return torch.tensor([list(tokens)], dtype=torch.int64, device=home(self.net)[0])


def repeat(encoded: Any, count: int) -> Any:
    """One image's encoding, `count` times: in each tensor's first dimension, inside lists, tuples and dictionaries too.

    Raises:
        ValueError: something else than tensors in it.
    """
    if isinstance(encoded, Tensor):
        return encoded.expand(count, *encoded.shape[1:])
    if encoded is None:
        return None
    if isinstance(encoded, dict):
        return type(encoded)(**{key: repeat(value, count) for key, value in encoded.items()})
    if isinstance(encoded, (list, tuple)):
        return type(encoded)(repeat(one, count) for one in encoded)
    raise ValueError(
        f"encode() returned a {type(encoded).__name__}, expected a tensor, or tensors in a list, tuple or "
        "dictionary, each with the images first"
    )


def count_of(encoded: Any) -> int:
    """How many images an encoding is of: the first dimension of its first tensor."""
    if isinstance(encoded, Tensor):
        return len(encoded)
    parts = encoded.values() if isinstance(encoded, dict) else encoded or ()
    for part in parts:
        if part is not None:
            return count_of(part)
    raise ValueError("encode() returned no tensor, expected at least one with the images first")
