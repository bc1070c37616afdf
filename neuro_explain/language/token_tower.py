"""What does an image tower of Hugging Face's put out, and which of its layers is meant?

`TokenAdapter` is what the captioners and answerers of that kind share: their units are those of image tokens, so the
layer is found by `token_grid`, with the whole model run and the tower watched. `Sight` is the tower alone, as it is
dissected: it takes images and nothing else.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, cast

from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from dissection.recording import evaluating
from neuro_explain.adapter import Adapter
from neuro_explain.token_grid import find_token_layer
from neuro_explain.tower import Tower, example_input


class Sight(nn.Module):
    """An image tower that takes nothing but images. It has the tower's own parts and weights, under their own names.

    So layers and the fingerprint are those of the tower itself.
    """

    def __init__(self, net: nn.Module, see: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        for name, child in net.named_children():
            self.add_module(name, child)
        for name, weight in net.named_parameters(recurse=False):
            self.register_parameter(name, weight)
        for name, buffer in net.named_buffers(recurse=False):
            self.register_buffer(name, buffer, persistent=name not in net._non_persistent_buffers_set)
        self._net = [net]  # in a list, for as a child its parts would have two names
        self._see = see

    def forward(self, images: Tensor) -> Tensor:
        """The last tokens `[N, T, D]`."""
        with plain_attention():
            return self._see(self._net[0], images)


class TokenAdapter(Adapter):
    """What the adapters share: the layer is found among the tokens of the image tower."""

    def _see(self, net: nn.Module, **facts: Any) -> Tower:
        sight = Sight(net, self._sight())
        try:
            with evaluating(self.net):
                example = example_input(net, facts["preprocess"])
                found = find_token_layer(lambda: self._try(example), net, layer=facts["layer"])
        except ValueError as error:
            raise ValueError(f"{facts['name']}: {error}") from error
        tower = Tower(sight, **{**facts, "layer": found.name})
        object.__setattr__(tower, "layer_reason", found.reason)
        return tower

    def _sight(self) -> Callable[[Any, Tensor], Tensor]:
        """What the tower makes of images, without the rest of the model."""
        return tokens_of

    def _try(self, images: Tensor) -> Tensor:
        """Some scores of the whole model, to see which layer they depend on."""
        raise NotImplementedError


def tokens_of(tower: Any, images: Tensor) -> Tensor:
    """The last tokens of an image tower `[N, T, D]`, its positions interpolated if the images need it."""
    larger = {}
    accepts = inspect.signature(tower.forward).parameters
    if tuple(images.shape[2:]) != image_size(tower) and "interpolate_pos_encoding" in accepts:
        larger["interpolate_pos_encoding"] = True
    return cast(Tensor, tower(pixel_values=images, return_dict=True, **larger).last_hidden_state)


def decoded(decoder: Any, encoded: Tensor, tokens: Tensor) -> Tensor:
    """Scores `[N, T, V]` of what follows each of the tokens `[N, T]`, from a decoder that attends to `[N, S, D]`."""
    with plain_attention():
        # GPT-2 looks at both as if they were laid out in full, and repeated ones are not
        encoded, tokens = encoded.contiguous(), tokens.contiguous()
        out = decoder(input_ids=tokens, encoder_hidden_states=encoded, use_cache=False, return_dict=True)
        return cast(Tensor, out.logits)


def plain_attention() -> AbstractContextManager[None]:
    """Attention by plain products: its quick forms have no batched backward pass, and would warn of it."""
    return cast("AbstractContextManager[None]", sdpa_kernel(SDPBackend.MATH))


def image_size(model: Any) -> tuple[int, int]:
    """(height, width) of the images that a model, or its tower, was made for."""
    config = model.config
    for part in ("encoder", "vision_config"):
        config = getattr(config, part, config)
    size = config.image_size
    return (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))
