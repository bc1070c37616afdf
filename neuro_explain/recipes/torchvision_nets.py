"""torchvision's classifiers, with weights of its own (by enum name) or from a file.

A weights file is one of torchvision's if it is called as torchvision calls it and has the hash that is part
of that name; then that record's preprocessing and class names hold. Any other file gets those of
`IMAGENET1K_V1`, the recipe that most training scripts start from; `load_model(..., preprocess=...)` says
otherwise. The head is made for as many classes as the file has.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from neuro_explain.checkpoint import StateDict, class_count, existing_file, fit, read_state_dict
from neuro_explain.download import Fetched
from neuro_explain.preprocess import Preprocess
from neuro_explain.recipes import (
    RANDOM,
    Loaded,
    ModelEntry,
    imagenet_classes,
    near,
    reproducible,
    sha256,
    untrained,
)

_LICENCE = "BSD-3-Clause (torchvision)"
# Heads that only training uses, and the input's renormalisation that their trained weights expect.
_INCEPTIONS: dict[str, dict[str, Any]] = {
    name: {"aux_logits": False, "transform_input": True, "init_weights": False}
    for name in ("googlenet", "inception_v3")
}
_TRAINING_HEADS = ("aux1.", "aux2.", "AuxLogits.")
# DenseNet's layers were numbered with a dot when its weights were saved.
_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)$")


def names() -> list[str]:
    """The classifiers that torchvision has."""
    from torchvision import models

    return list(models.list_models(module=models))


def weights_of(name: str) -> dict[str, Any]:
    """The records of a classifier's trained weights by name, the default first."""
    from torchvision import models

    enum = models.get_model_weights(name)
    default = [enum.DEFAULT] if "DEFAULT" in enum.__members__ else []
    # Some records hold a backbone for detectors: their head is empty.
    return {w.name: w for w in (*default, *enum) if w.meta.get("categories")}


def preprocess_of(weight: Any) -> Preprocess:
    """torchvision's inference transform of a weights record, as ours."""
    theirs = weight.transforms()
    (crop,), (resize,) = theirs.crop_size, theirs.resize_size
    return Preprocess(
        input_size=(crop, crop),
        resize=resize,
        interpolation=theirs.interpolation.value,
        mean=tuple(theirs.mean),
        std=tuple(theirs.std),
    )


def cached(weight: Any) -> Path:
    """Where torch keeps the file of a weights record once it is downloaded."""
    return Path(torch.hub.get_dir()) / "checkpoints" / str(weight.url).rsplit("/", 1)[-1]


def build(name: str, classes: int, weight: Any = None) -> nn.Module:
    """The network without trained weights."""
    from torchvision import models

    options = dict(_INCEPTIONS.get(name, {}))
    if name.startswith("vit_") and weight is not None:
        options["image_size"] = weight.meta["min_size"][0]
    with reproducible():
        net: nn.Module = models.get_model(name, weights=None, num_classes=classes, **options)
    return net


def load(name: str, weights: str | Path | None, download: bool) -> Loaded:
    """One of torchvision's classifiers.

    Args:
        name: as torchvision names it.
        weights: a record's name, a file, `"random"`, or None for the default record.
        download: fetch a record's file if it is not there.

    Raises:
        FileNotFoundError: the record's file is not there.
        ValueError: no such record or file, or a file that does not fit.
    """
    records = weights_of(name)
    if weights == RANDOM:
        first = next(iter(records.values()))
        return Loaded(
            build(name, 1000, first),
            preprocess_of(first),
            imagenet_classes(),
            untrained(name),
            "random (seed 0), never trained",
            "torchvision's architecture",
            _LICENCE,
        )
    record = _record(name, weights, records)
    if record is not None:
        return _trained(name, record, _fetched(name, record, records, download))
    assert weights is not None
    path = _given_file(name, weights, records)
    of_file = {cached(w).name: w for w in records.values()}.get(path.name)
    if of_file is not None and _is_published(path):
        return _trained(name, of_file, path)
    weight = records.get("IMAGENET1K_V1") or next(iter(records.values()))
    state = _todays(read_state_dict(path))
    count = class_count(lambda n: build(name, n, weight), state) or 1000
    return Loaded(
        _filled(name, state, count, weight, path),
        preprocess_of(weight),
        imagenet_classes() if count == 1000 else None,
        name,
        path.name,
        f"torchvision's architecture, weights from the file {path.name}",
        f"{_LICENCE} for the architecture; the file's own for the weights",
    )


def _record(name: str, weights: str | Path | None, records: dict[str, Any]) -> Any:
    """The record that `weights` names, or None if it is to be a file."""
    if weights is None:
        return next(iter(records.values()))
    if not isinstance(weights, str):
        return None
    wanted = weights.rsplit(".", 1)[-1] if "_Weights." in weights else weights
    if wanted == "DEFAULT":
        return next(iter(records.values()))
    if wanted in records:
        return records[wanted]
    from torchvision import models

    if wanted in models.get_model_weights(name).__members__:
        raise ValueError(f"{name}: the weights {wanted} have no classifier; use one of {', '.join(records)}")
    return None


def _given_file(name: str, weights: str | Path, records: dict[str, Any]) -> Path:
    try:
        return existing_file(weights)
    except FileNotFoundError as error:
        if Path(weights).suffix:
            raise
        raise ValueError(
            f"{name}: weights {str(weights)!r} is neither a file nor one of {', '.join(records)}, DEFAULT, "
            f"{RANDOM}{near(str(weights).upper(), records)}"
        ) from error


def _fetched(name: str, weight: Any, records: dict[str, Any], download: bool) -> Path:
    path = cached(weight)
    if path.is_file():
        if _is_published(path):
            return path
        raise ValueError(
            f"{path} is not the file that torchvision published under this name (its hash differs): remove "
            "it and fetch it again, or give it as your own with weights=, under another name"
        )
    if not download:
        others = [w.name for w in records.values() if cached(w).is_file()]
        hint = f" (there is {', '.join(others)}: weights={others[0]!r})" if others else ""
        raise FileNotFoundError(
            f"{name}: the weights {weight.name} are not on this machine{hint}: put {weight.url} at {path}, "
            "give another file with weights=, or let it be downloaded with download=True"
        )
    try:
        weight.get_state_dict(progress=True, check_hash=True, weights_only=True, map_location="cpu")
    except OSError as error:
        raise ConnectionError(f"{name}: could not download {weight.url}: {error}") from error
    except RuntimeError as error:  # the hash
        raise ValueError(f"{name}: what came from {weight.url} is damaged: {error}") from error
    return path


def fetch(name: str) -> list[Fetched]:
    """Brings the default weights into torch's own cache, where torchvision finds them too.

    What is published of their checksum are the digits in the file's name; they are compared.

    Raises:
        ConnectionError: the download failed.
        ValueError: what came, or the file that is there, has another checksum.
    """
    records = weights_of(name)
    path = _fetched(name, next(iter(records.values())), records, True)
    return [Fetched(path, path.stat().st_size, sha256(path), published=True)]


def _is_published(path: Path) -> bool:
    """Whether a file has the hash that torchvision writes into its name (`resnet18-f37072fd.pth`)."""
    return sha256(path).startswith(path.stem.rsplit("-", 1)[-1])


def _trained(name: str, weight: Any, path: Path) -> Loaded:
    classes = tuple(weight.meta["categories"])
    return Loaded(
        _filled(name, _todays(read_state_dict(path)), len(classes), weight, path),
        preprocess_of(weight),
        classes,
        name,
        weight.name,
        f"torchvision, {type(weight).__name__}.{weight.name} ({path.name}), trained on ImageNet-1k",
        str(weight.meta.get("license", _LICENCE)),
    )


def with_file(name: str, path: Path, *, classes: int) -> nn.Module:
    """The network with the weights of a file whose number of classes is known."""
    return _filled(name, _todays(read_state_dict(path)), classes, None, path)


def _filled(name: str, state: StateDict, classes: int, weight: Any, path: Path) -> nn.Module:
    net = build(name, classes, weight)
    fit(net, state, source=path.name)
    return net


def _todays(state: StateDict) -> StateDict:
    """The weights under the names that today's classes use, heads of training left out."""
    renamed = OrderedDict(
        (_OLD_DENSENET.sub(r"\1\2", name), tensor)
        for name, tensor in state.items()
        if not name.removeprefix("module.").startswith(_TRAINING_HEADS)
    )
    if hasattr(state, "_metadata"):
        renamed._metadata = state._metadata  # type: ignore[attr-defined]
    return renamed


def entries() -> Iterator[ModelEntry]:
    """The list's lines, one for each classifier."""
    for name in names():
        records = weights_of(name)
        there = [w.name for w in records.values() if cached(w).is_file()]
        default = next(iter(records.values()))
        yield ModelEntry(
            name,
            "torchvision",
            "ImageNet-1k classifier",
            cached(default).is_file(),
            f"{', '.join(there)} in {cached(default).parent}" if there else f"missing: {cached(default)}",
            str(default.meta.get("license", _LICENCE)),
        )
