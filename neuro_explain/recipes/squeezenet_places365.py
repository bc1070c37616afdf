"""SqueezeNet for Places365: the network, and its weights from the original pickle or from safetensors.

SqueezeNet 1.1 with batch normalisation after every convolution but the last and a leaky ReLU (slope 0.55).
The original weights are a pickled list of arrays written by another library; a pickle can call anything, so
this reader knows the three NumPy names that arrays need and refuses every other. That library computes
true convolutions: kernels are turned by 180° for torch.

The input has the mean image of Places subtracted, which lies beside the weights file, in Caffe's format or
as an array, or in the cache.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neuro_explain import places365
from neuro_explain.checkpoint import StateDict, existing_file, fit, read_state_dict
from neuro_explain.download import Fetched
from neuro_explain.preprocess import Preprocess
from neuro_explain.recipes import RANDOM, Loaded, ModelEntry, reproducible, sha256, untrained
from neuro_explain.recipes.places365_mean import MEAN, MEAN_FILES, MEAN_PIXEL, mean_near
from neuro_explain.recipes.published import PublishedFile, fetch_all, needed, whereabouts

NAME = "squeezenet-places365"
SOURCE = "https://github.com/urbste/squeezenet_places365"
WEIGHTS = PublishedFile(
    "squeezenet_weights_places365.params",
    # At the one commit of its source that ever changed it.
    "https://raw.githubusercontent.com/urbste/squeezenet_places365/3a15dd20cb86865c12b8dd8aa8b5309b83509b4d/"
    "squeezenet_weights_places365.params",
    "162b88966e38f586d4224bcc4324078e32fc484ac1824cc73876e9775b0fcc16",
)
FILES = (WEIGHTS, MEAN)
# The original and its conversion to safetensors.
_PUBLISHED = {WEIGHTS.sha256, "af7716a6f111223c0958ca39fcb60daf7afbd4b707facda410a6cc95371f11c2"}
_INPUT = 224
_LICENCE = "none stated by its source"


class _ConvUnit(nn.Module):
    """Convolution, batch normalisation, leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2)
        # The saved deviations have the usual epsilon in them.
        self.bn = nn.BatchNorm2d(outputs, eps=0.0)
        self.act = nn.LeakyReLU(0.55)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))  # type: ignore[no-any-return]


class _Fire(nn.Module):
    """Few channels, then many: 1×1 and 3×3 side by side."""

    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = _ConvUnit(inputs, squeezed, 1)
        self.expand1x1 = _ConvUnit(squeezed, expanded, 1)
        self.expand3x3 = _ConvUnit(squeezed, expanded, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x)
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], 1)


class SqueezeNetPlaces365(nn.Module):
    """`[N, 3, 224, 224]` in, 365 scores out; fire9 is `features.11`, 512 units of 13×13."""

    def __init__(self) -> None:
        super().__init__()

        def pool() -> nn.Module:
            return nn.MaxPool2d(3, 2)

        self.features = nn.Sequential(
            _ConvUnit(3, 64, 3, stride=2),
            pool(),
            _Fire(64, 16, 64),
            _Fire(128, 16, 64),
            pool(),
            _Fire(128, 32, 128),
            _Fire(256, 32, 128),
            pool(),
            _Fire(256, 48, 192),
            _Fire(384, 48, 192),
            _Fire(384, 64, 256),
            _Fire(512, 64, 256),
        )
        self.classifier = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(512, 365, 1), nn.LeakyReLU(0.55))

    def forward(self, x: Tensor) -> Tensor:
        """Class scores before softmax."""
        x = self.classifier(self.features(x))
        return x.mean((2, 3))


def _array_parts() -> dict[tuple[str, str], Any]:
    # An array says itself how it is rebuilt; the function lives under a private name that has moved.
    rebuild = np.empty(0).__reduce__()[0]
    parts: dict[tuple[str, str], Any] = {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype}
    return parts | {(f"numpy.{core}.multiarray", "_reconstruct"): rebuild for core in ("core", "_core")}


class _Refused(Exception):
    """The pickle asks for something that arrays do not need."""


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        part = _array_parts().get((module, name))
        if part is None:
            raise _Refused(f"{module}.{name}")
        return part


def read_pickled_arrays(path: Path) -> list[NDArray[np.float32]]:
    """The arrays of a pickled list, read without running anything but NumPy's own array building.

    Raises:
        ValueError: the pickle asks for anything else, is damaged, or holds no list of float arrays.
    """
    try:
        with path.open("rb") as file:
            content = _ArraysOnly(file, encoding="latin1").load()
    except _Refused as error:
        raise ValueError(
            f"{path}: refused, because it asks for {error}, which a list of NumPy arrays does not need and "
            "which could run code"
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        raise ValueError(f"{path}: damaged or cut short: {error}") from error
    if not isinstance(content, list) or not all(
        isinstance(a, np.ndarray) and a.dtype.kind == "f" for a in content
    ):
        raise ValueError(f"{path}: expected a pickled list of float arrays, got a {type(content).__name__}")
    return content


def from_lasagne(arrays: list[NDArray[np.float32]], source: str) -> StateDict:
    """The original's arrays under the network's names.

    Each convolution has W and b, and all but the last beta, gamma, mean and the inverse deviation.
    """
    units = [name for name, module in SqueezeNetPlaces365().named_modules() if isinstance(module, _ConvUnit)]
    expected = 6 * len(units) + 2
    if len(arrays) != expected:
        raise ValueError(f"{source}: expected {expected} arrays, got {len(arrays)}")
    state: StateDict = OrderedDict()

    def put(name: str, array: NDArray[Any]) -> None:
        state[name] = torch.from_numpy(np.array(array, dtype=np.float32))

    def put_convolution(name: str, weight: NDArray[Any], bias: NDArray[Any]) -> None:
        if weight.ndim != 4:
            raise ValueError(f"{source}: {name}: expected kernels [out, in, h, w], got {list(weight.shape)}")
        put(f"{name}.weight", weight[:, :, ::-1, ::-1])
        put(f"{name}.bias", bias)

    for at, unit in enumerate(units):
        weight, bias, beta, gamma, mean, inverse_deviation = arrays[6 * at : 6 * at + 6]
        put_convolution(f"{unit}.conv", weight, bias)
        put(f"{unit}.bn.bias", beta)
        put(f"{unit}.bn.weight", gamma)
        put(f"{unit}.bn.running_mean", mean)
        put(f"{unit}.bn.running_var", 1 / np.square(inverse_deviation.astype(np.float64)))
    put_convolution("classifier.1", *arrays[-2:])
    return state


def load(name: str, weights: str | Path | None, download: bool) -> Loaded:
    """SqueezeNet for Places365 with the weights of a file or of the cache, or `"random"` ones.

    Raises:
        ConnectionError: the download failed.
        FileNotFoundError: no weights given and none in the cache, or no mean image beside them or there.
        ValueError: a file that is damaged or altered or does not fit.
    """
    with reproducible():
        net = SqueezeNetPlaces365()
    if weights == RANDOM:
        preprocess = _preprocess(mean=MEAN_PIXEL)
        which, origin, shown = "random (seed 0), never trained", "this package", untrained(NAME)
        return Loaded(net, preprocess, places365.names(), shown, which, origin, "Apache-2.0")
    path = needed(NAME, FILES, download=download)[0] if weights is None else existing_file(weights)
    with path.open("rb") as file:
        pickled = file.read(1) == b"\x80"
    state = from_lasagne(read_pickled_arrays(path), path.name) if pickled else read_state_dict(path)
    fit(net, state, source=path.name)
    preprocess = _preprocess(mean_image=_mean_beside(path))
    if sha256(path) in _PUBLISHED:
        origin, licence = SOURCE, _LICENCE
    else:
        origin, licence = f"the file {path.name}, not one published with the network", "the file's own"
    return Loaded(net, preprocess, places365.names(), NAME, path.name, origin, licence)


def _preprocess(
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0), mean_image: Tensor | None = None
) -> Preprocess:
    return Preprocess(
        (_INPUT, _INPUT),
        (256, 256),
        channels="BGR",
        scale=False,
        mean=mean,
        std=(255.0, 255.0, 255.0),
        mean_image=mean_image,
    )


def _mean_beside(weights: Path) -> Tensor:
    """The centre of the Places mean image, BGR `[3, 224, 224]`, from the folder of the weights or from the cache."""
    image = mean_near(weights, _INPUT)
    if image is None:
        raise FileNotFoundError(
            f"{NAME}: the mean image is missing: put {' or '.join(MEAN_FILES)} beside {weights} (it is at {MEAN.url}), "
            f"or fetch it with `neuro-explain models fetch {NAME}`"
        )
    return image


def fetch(name: str) -> list[Fetched]:
    """Brings the weights and the mean image into the cache; errors as `neuro_explain.download.fetch`."""
    return fetch_all(FILES)


def entries() -> Iterator[ModelEntry]:
    """The list's line."""
    yield ModelEntry(
        NAME,
        "places365",
        "Places365 classifier, 512 units of 13×13",
        all(file.here for file in FILES),
        whereabouts(NAME, FILES),
        _LICENCE,
    )
