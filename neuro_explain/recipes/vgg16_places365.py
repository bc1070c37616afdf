"""VGG-16 for Places365: `vgg16-places365`, the network of the Network Dissection paper, from its Caffe file.

The file names its layers conv1_1 … conv5_3, fc6, fc7, fc8a; here they fill torchvision's VGG-16, number by number:

| Caffe | torchvision |
|---|---|
| conv1_1 … conv5_3, weight `[out, in, 3, 3]` | the thirteen convolutions of `features` |
| fc6, fc7, fc8a, weight `[out, in]` | `classifier.0`, `classifier.3`, `classifier.6` |

fc6 reads pool5 flattened as channel, row, column in both. Caffe's pooling rounds sizes up where torchvision's rounds
them down; at 224 pixels every size on the way is even (224, 112, 56, 28, 14, 7), so they agree. Both frameworks
compute correlations: no kernel is turned.

Input: 256×256 pixels, BGR, 0 to 255, minus the mean image of Places, of which the centre's 224×224; no division.
The layer is the rectified conv5_3, `features.29`: 512 units of 14×14. Names, shapes and input are those of
`deploy_vgg16_places365.prototxt` and `train_val_vgg16.prototxt` in github.com/CSAILVision/places365.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neuro_explain import places365
from neuro_explain.checkpoint import StateDict, existing_file, fit, read_state_dict
from neuro_explain.download import Fetched
from neuro_explain.preprocess import Preprocess
from neuro_explain.recipes import RANDOM, Loaded, ModelEntry, torchvision_nets, untrained
from neuro_explain.recipes.caffe import read_layers
from neuro_explain.recipes.places365_mean import MEAN, MEAN_PIXEL, mean_near
from neuro_explain.recipes.places365_nets import FOLDER, LICENCE, SOURCE
from neuro_explain.recipes.published import PublishedFile, fetch_all, needed, whereabouts

NAME = "vgg16-places365"
LAYER = "features.29"
WEIGHTS = PublishedFile("vgg16_places365.caffemodel", f"{FOLDER}/vgg16_places365.caffemodel")
FILES = (WEIGHTS, MEAN)

_INPUT = 224
_CONVOLUTIONS = [f"conv{block}_{i}" for block, n in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, n + 1)]
_FEATURES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
_PLACES = {
    **{name: f"features.{i}" for name, i in zip(_CONVOLUTIONS, _FEATURES, strict=True)},
    "fc6": "classifier.0",
    "fc7": "classifier.3",
    "fc8": "classifier.6",
}


def build() -> nn.Module:
    """The network without trained weights."""
    return torchvision_nets.build("vgg16", len(places365.names()))


def from_caffe(layers: Mapping[str, list[NDArray[np.float32]]], net: nn.Module, source: str) -> StateDict:
    """Caffe's weights under torchvision's names.

    Args:
        layers: as `read_layers` gives them. The last layer may be called anything that begins with fc8.
        net: what they are for; it says which shapes are expected.
        source: the file's name, for messages.

    Raises:
        ValueError: a layer is missing, or has other than a weight and a bias of the expected shapes.
    """
    expected = net.state_dict()
    state: StateDict = OrderedDict()
    for caffe, ours in _PLACES.items():
        found = [name for name in layers if name == caffe or (caffe == "fc8" and name.startswith(caffe))]
        if len(found) != 1:
            raise ValueError(
                f"{source}: expected one layer {caffe} with weights, got {', '.join(found) or 'none'}; those in the "
                f"file are {', '.join(layers)}"
            )
        blobs = layers[found[0]]
        wanted = [expected[f"{ours}.{kind}"].shape for kind in ("weight", "bias")]
        # Old files write every array with four sizes, those that are missing in front as ones.
        if len(blobs) != 2 or any(
            blob.shape != (1,) * (blob.ndim - len(shape)) + tuple(shape)
            for blob, shape in zip(blobs, wanted, strict=True)
        ):
            raise ValueError(
                f"{source}: layer {found[0]}: expected a weight of {list(wanted[0])} and a bias of "
                f"{list(wanted[1])}, got {', '.join(str(list(blob.shape)) for blob in blobs)}"
            )
        for kind, blob, shape in zip(("weight", "bias"), blobs, wanted, strict=True):
            # A copy: the blob is a window of the file, which may begin between two numbers.
            state[f"{ours}.{kind}"] = torch.from_numpy(np.array(blob, dtype=np.float32)).reshape(shape)
    return state


def load(name: str, weights: str | Path | None, download: bool) -> Loaded:
    """VGG-16 from Caffe's file or from its conversion to torchvision's names, or with `"random"` weights.

    The mean image is looked for beside the file, then in the cache. Without it the mean pixel of that image is
    subtracted, which differs from it by little, and `Loaded.weights` says so. A conversion is taken to expect the
    same input: BGR, 0 to 255.

    Raises:
        ConnectionError: the download failed.
        FileNotFoundError: no weights given, and none in the cache.
        ValueError: a file that is damaged or altered or does not fit.
    """
    net, classes = build(), places365.names()
    if weights == RANDOM:
        which = "random (seed 0), never trained"
        return Loaded(
            net,
            _preprocess(None),
            classes,
            untrained(NAME),
            which,
            "torchvision's architecture",
            LICENCE,
            LAYER,
        )
    path = needed(NAME, FILES, download=download)[0] if weights is None else existing_file(weights)
    state = from_caffe(read_layers(path), net, path.name) if _is_caffe(path) else read_state_dict(path)
    fit(net, state, source=path.name)
    preprocess = _preprocess(path)
    which = (
        path.name
        if preprocess.mean_image is not None
        else f"{path.name}, with the mean pixel of Places in place of its mean image"
    )
    return Loaded(net, preprocess, classes, NAME, which, SOURCE, LICENCE, LAYER)


def _is_caffe(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(9)
    return not (start[8:9] == b"{" or start[:1] == b"\x80" or start[:4] == b"PK\x03\x04")


def _preprocess(weights: Path | None) -> Preprocess:
    image = mean_near(weights, _INPUT) if weights is not None else None
    return Preprocess(
        (_INPUT, _INPUT),
        (256, 256),
        channels="BGR",
        scale=False,
        mean=MEAN_PIXEL if image is None else (0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        mean_image=image,
    )


def fetch(name: str) -> list[Fetched]:
    """Brings the weights and the mean image into the cache; errors as `neuro_explain.download.fetch`."""
    return fetch_all(FILES)


def entries() -> Iterator[ModelEntry]:
    """The list's line."""
    yield ModelEntry(
        NAME,
        "places365",
        "Places365 classifier, 512 units of 14×14",
        all(file.here for file in FILES),
        whereabouts(NAME, FILES),
        LICENCE,
    )
