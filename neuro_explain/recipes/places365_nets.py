"""The four torchvision networks that were released with Places365 weights: `resnet18-places365` and the like.

Their files (`resnet18_places365.pth.tar`) are checkpoints of training runs under Python 2 and an early PyTorch: pickles
with the network's names prefixed by `module.`, in AlexNet `features.module.`, and in DenseNet with the layer names of
that time. They are read by torch's restricted reader like any other file, and the names are brought up to date.

The addresses, the input (256×256, the centre's 224×224, ImageNet's mean and deviation) and the licence are those of
the README and of `run_placesCNN_basic.py` in github.com/CSAILVision/places365. No checksums were published.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from neuro_explain import places365
from neuro_explain.checkpoint import existing_file
from neuro_explain.download import Fetched
from neuro_explain.preprocess import Preprocess
from neuro_explain.recipes import Loaded, ModelEntry, torchvision_nets
from neuro_explain.recipes.published import PublishedFile, fetch_all, needed, whereabouts

SUFFIX = "-places365"
ARCHITECTURES = ("alexnet", "resnet18", "resnet50", "densenet161")
SOURCE = "https://github.com/CSAILVision/places365"
FOLDER = "http://places2.csail.mit.edu/models_places365"
FILES = {
    arch: PublishedFile(f"{arch}_places365.pth.tar", f"{FOLDER}/{arch}_places365.pth.tar")
    for arch in ARCHITECTURES
}
PREPROCESS = Preprocess(resize=(256, 256))
LICENCE = "CC BY (weights), BSD-3-Clause (torchvision's architecture)"


def load(name: str, weights: str | Path | None, download: bool) -> Loaded:
    """A Places365 network from a file, or from the cache.

    Raises:
        ConnectionError: the download failed.
        FileNotFoundError: no weights given, and none in the cache.
        ValueError: a file that is damaged or altered or does not fit.
    """
    arch = name.removesuffix(SUFFIX)
    if weights is None:
        (path,) = needed(name, [FILES[arch]], download=download)
    else:
        path = existing_file(weights)
    net = torchvision_nets.with_file(arch, path, classes=len(places365.names()))
    return Loaded(net, PREPROCESS, places365.names(), name, path.name, SOURCE, LICENCE)


def fetch(name: str) -> list[Fetched]:
    """Brings the network's file into the cache; errors as `neuro_explain.download.fetch`."""
    return fetch_all([FILES[name.removesuffix(SUFFIX)]])


def entries() -> Iterator[ModelEntry]:
    """The list's lines."""
    for arch, file in FILES.items():
        name = arch + SUFFIX
        yield ModelEntry(
            name, "places365", "Places365 classifier", file.here, whereabouts(name, [file]), LICENCE
        )
