"""The four torchvision networks that were released with Places365 weights: `resnet18-places365` and the like.

Their files are checkpoints of a training run (`resnet18_places365.pth.tar`); nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from neuro_explain import places365
from neuro_explain.checkpoint import existing_file
from neuro_explain.preprocess import Preprocess
from neuro_explain.recipes import Loaded, ModelEntry, torchvision_nets

SUFFIX = "-places365"
ARCHITECTURES = ("alexnet", "resnet18", "resnet50", "densenet161")
SOURCE = "https://github.com/CSAILVision/places365"
PREPROCESS = Preprocess(resize=(256, 256))
_LICENCE = "CC BY (weights), BSD-3-Clause (torchvision's architecture)"


def load(name: str, weights: str | Path | None, download: bool) -> Loaded:
    """A Places365 network from a file.

    Raises:
        FileNotFoundError: no weights given.
        ValueError: a file that is damaged or does not fit.
    """
    arch = name.removesuffix(SUFFIX)
    if weights is None:
        raise FileNotFoundError(
            f"{name}: give with weights= the file {arch}_places365.pth.tar of {SOURCE}; it is not downloaded"
        )
    path = existing_file(weights)
    net = torchvision_nets.with_file(arch, path, classes=len(places365.names()))
    return Loaded(net, PREPROCESS, places365.names(), name, path.name, SOURCE, _LICENCE)


def entries() -> Iterator[ModelEntry]:
    """The list's lines."""
    for arch in ARCHITECTURES:
        yield ModelEntry(
            arch + SUFFIX,
            "places365",
            "Places365 classifier",
            False,
            f"give the file {arch}_places365.pth.tar; source: {SOURCE}",
            _LICENCE,
        )
