"""Where do known networks come from? One module for each source, all of the same shape.

A source makes a `Loaded`: the network with its weights in it, and what is known of them. `neuro_explain.zoo`
puts a target layer to it and hands out a `Model`. Nothing is downloaded here unless `download` says so, or `fetch` is
called, which the sources have whose weights can be fetched.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from neuro_explain.download import checksum
from neuro_explain.preprocess import Preprocess

RANDOM = "random"
"""What `weights` says for a network that was never trained."""


@dataclass(frozen=True)
class Loaded:
    """A network with weights, and what is known of them; `None` where the source does not know.

    Attributes:
        net: the network.
        preprocess: its input's recipe.
        classes: its class names.
        name: what to call it.
        weights: which weights it has.
        origin: where they come from.
        licence: under which terms.
        layer: its target layer, where the source says so; otherwise it is found.
    """

    net: nn.Module
    preprocess: Preprocess | None
    classes: tuple[str, ...] | None
    name: str
    weights: str
    origin: str
    licence: str
    layer: str | None = None


@dataclass(frozen=True)
class ModelEntry:
    """A line of the list of models.

    Attributes:
        name: what `load_model` takes.
        family: the source: `"package"`, `"places365"`, `"torchvision"`, `"timm"` or `"yours"`.
        about: what it is.
        ready: whether `load_model(name)` works as things are.
        weights: where the weights are, or what is missing and where it would go.
        licence: under which terms.
    """

    name: str
    family: str
    about: str
    ready: bool
    weights: str
    licence: str


@contextmanager
def reproducible() -> Iterator[None]:
    """Networks made inside get the same random weights every time; the caller's random state stays."""
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(0)  # the CPU's alone: torch.manual_seed would touch every device
    try:
        yield
    finally:
        torch.set_rng_state(state)


def untrained(name: str) -> str:
    """The name of a network with random weights, which must never pass for a trained one."""
    return f"{name} (random weights)"


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal: whether it is the one that was published."""
    return checksum(path)


def near(wanted: str, names: Iterable[str]) -> str:
    """`"; did you mean …?"`, or nothing if no name is near."""
    close = difflib.get_close_matches(wanted, list(names), n=4, cutoff=0.5)
    return f"; did you mean {', '.join(close)}?" if close else ""


def imagenet_classes() -> tuple[str, ...]:
    """The thousand names that torchvision gives the ImageNet classes."""
    from torchvision.models import ResNet18_Weights

    return tuple(ResNet18_Weights.IMAGENET1K_V1.meta["categories"])
