"""Which networks can be loaded by name, and how? `load_model` and the list of what there is.

    model = load_model("efficientnet-lite0")
    model = load_model("resnet18", weights="resnet18.pth")
    model = load_model("my_package.nets:bird_classifier")

A name stands for an architecture together with all that its weights need: preprocessing, class names, target
layer, origin and licence. Weights come from an installed package, from a cache or from a file; nothing is
downloaded unless `download=True` or by `fetch_model`, and no file's code is ever run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from neuro_explain.download import Fetched
from neuro_explain.model import Model
from neuro_explain.preprocess import Preprocess
from neuro_explain.recipes import (
    Loaded,
    ModelEntry,
    diorama_nets,
    diorama_speakers,
    efficientnet_lite0,
    near,
    places365_nets,
    squeezenet_places365,
    timm_nets,
    torchvision_nets,
    vgg16_places365,
    your_nets,
)
from neuro_explain.recipes.speakers import (
    HUGGING_FACE,
    NEURALTALK2,
    load_answerer,
    load_captioner,
    load_speaker,
)
from neuro_explain.tower import Tower

__all__ = [
    "ModelEntry",
    "device_named",
    "fetch_model",
    "list_models",
    "load_answerer",
    "load_captioner",
    "load_model",
    "load_tower",
]

_Loader = Callable[[str, str | Path | None, bool], Loaded]
_WEIGHT_FILES = {".pt", ".pth", ".tar", ".bin", ".safetensors", ".params", ".ckpt", ".caffemodel"}


def load_model(
    name: str,
    *,
    weights: str | Path | None = None,
    layer: str | None = None,
    classes: Sequence[str] | str | Path | None = None,
    preprocess: Preprocess | str | None = None,
    device: str | torch.device = "cpu",
    download: bool = False,
) -> Model:
    """A network by name, in eval mode, with all that an explanation of it needs.

    Args:
        name: a torchvision classifier (`resnet18`), `diorama-scenes`, `efficientnet-lite0`, `squeezenet-places365`,
            `vgg16-places365`, `resnet18-places365` and its like, `timm:NAME`, or `package.module:callable`; see
            `list_models`.
        weights: a file (safetensors or a state dict of torch), the name of one of torchvision's weights, or
            `"random"` for an untrained network; the name's own weights if not given.
        layer: the layer whose units are meant; chosen automatically if not given.
        classes: names, or a text file with one per line, in place of the known ones.
        preprocess: a recipe, or the name of one (`imagenet`, `caffe`, `caffe-227`), if not the known one.
        device: where the network goes.
        download: whether missing weights may be fetched.

    Raises:
        ConnectionError: a download failed.
        FileNotFoundError: the weights are not there; the message says which, and where they go.
        ModuleNotFoundError: an optional library is missing; the message has the line that installs it.
        ValueError: an unknown name, layer or device; a damaged or refused file; weights of another
            architecture; another number of class names than of classes.
    """
    target = device_named(device)
    loaded = _loader(name)(name, weights, download)
    recipe = preprocess if preprocess is not None else loaded.preprocess
    if recipe is None:
        raise ValueError(
            f"{name}: how its input is made is not known: let the callable return a neuro_explain.Model, or "
            "give preprocess="
        )
    return Model(
        loaded.net.eval().to(target),
        preprocess=recipe,
        classes=classes if classes is not None else loaded.classes,
        layer=layer if layer is not None else loaded.layer,
        name=loaded.name,
        weights=loaded.weights,
        origin=loaded.origin,
        licence=loaded.licence,
    )


def load_tower(
    name: str,
    *,
    weights: str | Path | None = None,
    layer: str | None = None,
    classes: Sequence[str] | str | Path | None = None,
    preprocess: Preprocess | str | None = None,
    device: str | torch.device = "cpu",
    download: bool = False,
) -> Tower:
    """What sees the image: a classifier as `load_model` has it, or the image tower of one that speaks.

    Args:
        name, weights, layer, classes, preprocess, device, download: as for `load_model`; the networks that speak have
            their own layer, preprocessing and words.

    Raises:
        ValueError: as `load_model`; an option that does not go with a network that speaks.
    """
    speaker = load_speaker(name, weights=weights, device=device, download=download)
    if speaker is None:
        return load_model(
            name,
            weights=weights,
            layer=layer,
            classes=classes,
            preprocess=preprocess,
            device=device,
            download=download,
        )
    if classes is not None or preprocess is not None or layer is not None:
        raise ValueError(f"{name}: it comes with its layer, words and preprocessing; leave those options out")
    return speaker.tower


def list_models() -> list[ModelEntry]:
    """What `load_model` takes, and which weights are there or missing; nothing is loaded or downloaded."""
    return list(_entries())


def fetch_model(name: str) -> tuple[list[Fetched], str]:
    """Brings a network's weights onto this machine, so that `load_model(name)` works without a connection.

    Args:
        name: as for `load_model`, or a network that speaks.

    Returns:
        The files, which are here and checked; and what to say where there are none: that nothing need be fetched, or
        that another library has fetched them into a cache of its own.

    Raises:
        ConnectionError: a download failed; the message says which file to put where.
        ModuleNotFoundError: the optional library that would fetch them is missing.
        OSError: the disk is full, or the cache cannot be written to.
        ValueError: an unknown name; a file with another checksum than it must have.
    """
    if name.startswith(HUGGING_FACE):
        load_speaker(name, download=True)
        return [], "Hugging Face's library has its files now, in its own cache"
    if name == NEURALTALK2:
        return [], "nothing to fetch by name: give its checkpoint, a .t7 file, with --weights"
    if name in (*diorama_speakers.CAPTIONERS, *diorama_speakers.ANSWERERS):
        return [], _SHIPPED
    loader = _loader(name)
    if loader is timm_nets.load:
        loader(name, None, True)
        return [], "timm has its weights now, in its own cache"
    if loader is your_nets.load:
        return [], "your own code: it loads whatever it loads, nothing to fetch"
    if loader is efficientnet_lite0.load:
        efficientnet_lite0.packaged_weights()
    fetch = _FETCHERS.get(loader)
    return (fetch(name), "") if fetch else ([], _SHIPPED)


_SHIPPED = "comes with the package, nothing to fetch"
_FETCHERS: dict[_Loader, Callable[[str], list[Fetched]]] = {
    places365_nets.load: places365_nets.fetch,
    vgg16_places365.load: vgg16_places365.fetch,
    squeezenet_places365.load: squeezenet_places365.fetch,
    torchvision_nets.load: torchvision_nets.fetch,
}


def _entries() -> Iterator[ModelEntry]:
    yield from diorama_nets.entries()
    yield from diorama_speakers.entries()
    yield from efficientnet_lite0.entries()
    yield from squeezenet_places365.entries()
    yield from vgg16_places365.entries()
    yield from places365_nets.entries()
    yield from torchvision_nets.entries()
    yield from timm_nets.entries()
    yield from your_nets.entries()


def _loader(name: str) -> _Loader:
    if name.startswith(timm_nets.PREFIX):
        return timm_nets.load
    if ":" in name:
        return your_nets.load
    known: dict[str, _Loader] = {
        **dict.fromkeys(diorama_nets.NAMES, diorama_nets.load),
        efficientnet_lite0.NAME: efficientnet_lite0.load,
        squeezenet_places365.NAME: squeezenet_places365.load,
        vgg16_places365.NAME: vgg16_places365.load,
        **{a + places365_nets.SUFFIX: places365_nets.load for a in places365_nets.ARCHITECTURES},
    }
    if name not in known:
        known |= dict.fromkeys(torchvision_nets.names(), torchvision_nets.load)
    if name in known:
        return known[name]
    if Path(name).suffix in _WEIGHT_FILES:
        raise ValueError(
            f"model {name!r}: expected the name of a network; a file of weights goes beside it, into weights="
        )
    hint = near(name.lower().replace("_", ""), known) or near(name.lower(), known)
    raise ValueError(f"model {name!r} is unknown{hint}; `neuro-explain models list` shows all")


def device_named(device: str | torch.device) -> torch.device:
    """The device, if it is there.

    Raises:
        ValueError: it cannot be used here.
    """
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {str(device)!r} cannot be used here: {reason}") from error
    return place
