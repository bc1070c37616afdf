"""timm's classifiers: `timm:NAME`, weights from a file, downloaded on request, or random."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import nn

from neuro_explain.checkpoint import class_count, existing_file, fit, read_state_dict
from neuro_explain.preprocess import Preprocess
from neuro_explain.recipes import (
    RANDOM,
    Loaded,
    ModelEntry,
    imagenet_classes,
    near,
    reproducible,
    untrained,
)

PREFIX = "timm:"
_LICENCE = "Apache-2.0 (timm)"


def import_timm(extra: str) -> Any:
    """The library, or one sentence that says how to get it."""
    try:
        import timm
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'timm is not installed: pip install "neuro-explain[{extra}]"', name="timm"
        ) from error
    return timm


def preprocess_of(config: Mapping[str, Any]) -> Preprocess:
    """timm's data configuration as ours.

    Raises:
        ValueError: a configuration that ours cannot say: a `crop_mode` other than `center` and `squash`,
            `center` for an input that is not square, other than three channels.
    """
    channels, h, w = config["input_size"]
    mode = config.get("crop_mode") or "center"
    if channels != 3:
        raise ValueError(f"input_size: expected an input of 3 channels, the network's has {channels}")
    if mode not in ("center", "squash") or (mode == "center" and h != w):
        raise ValueError(
            f"crop_mode: expected squash, or center and a square input; the network's is {mode}, {h}×{w}; "
            "say with preprocess= how its input is made"
        )
    share = config.get("crop_pct") or 0.875
    scaled = (math.floor(h / share), math.floor(w / share))
    return Preprocess(
        input_size=(h, w),
        resize=scaled if mode == "squash" else scaled[0],
        interpolation=config["interpolation"],
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )


def load(name: str, weights: str | Path | None, download: bool) -> Loaded:
    """One of timm's classifiers.

    Args:
        name: `timm:NAME`.
        weights: a file, `"random"`, or None for timm's own, which needs `download`.
        download: let timm fetch its weights (it uses a copy it already has).

    Raises:
        ModuleNotFoundError: timm is not installed.
        FileNotFoundError: no weights were given, or no such file.
        ValueError: no such network, or a file that does not fit.
    """
    timm = import_timm("timm")
    arch = name.removeprefix(PREFIX)
    known = timm.list_models() if "." not in arch else timm.list_pretrained()
    if arch not in known:
        raise ValueError(f"timm has no network {arch!r}{near(arch, known)}")

    def make(classes: int | None = None, pretrained: bool = False) -> nn.Module:
        options = {} if classes is None else {"num_classes": classes}
        with reproducible():
            net: nn.Module = timm.create_model(arch, pretrained=pretrained, **options)
        return net

    licence = _LICENCE
    if weights is None:
        if not download:
            raise FileNotFoundError(
                f"{name}: no weights: give a file with weights=, or let timm download its own: download=True"
            )
        try:
            net = make(pretrained=True)
        except OSError as error:
            raise ConnectionError(f"{name}: timm could not download the weights: {error}") from error
        except RuntimeError as error:  # timm has none
            raise ValueError(f"{name}: {error}") from error
        cfg: Any = getattr(net, "pretrained_cfg", {})
        which, origin = str(cfg.get("tag") or "pretrained"), f"timm, {cfg.get('hf_hub_id') or cfg.get('url')}"
        licence = str(cfg.get("license") or licence)
        shown = name
    elif weights == RANDOM:
        net, which, origin = make(), "random (seed 0), never trained", "timm's architecture"
        shown = untrained(name)
    else:
        path = existing_file(weights)
        state = read_state_dict(path)
        net = make(class_count(make, state))
        fit(net, state, source=path.name)
        which, origin = path.name, f"timm's architecture, weights from the file {path.name}"
        licence = f"{_LICENCE} for the architecture; the file's own for the weights"
        shown = name
    preprocess = preprocess_of(timm.data.resolve_data_config({}, model=net))
    classes = imagenet_classes() if getattr(net, "num_classes", None) == 1000 else None
    return Loaded(net, preprocess, classes, shown, which, origin, licence)


def entries() -> Iterator[ModelEntry]:
    """The list's line."""
    there = find_spec("timm") is not None
    yield ModelEntry(
        "timm:NAME",
        "timm",
        "any classifier of timm that ends in maps, or in the tokens of a vision transformer",
        False,
        "give a file, or download" if there else 'timm is missing: pip install "neuro-explain[timm]"',
        _LICENCE,
    )
