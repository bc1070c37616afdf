"""How alike are an image and a word? A CLIP of open_clip puts both into one space.

    clip = load_clip("ViT-B-32", weights="open_clip_model.safetensors")
    images = clip.embed_images([picture])          # [1, D], length 1
    words = clip.embed_texts(["bed", "lamp"])      # [2, D], length 1
    images @ words.T                               # cosines

| `load_clip` takes | weights |
|---|---|
| `ARCH`, an architecture of open_clip (`ViT-B-32`) | a file; open_clip's usual preprocessing |
| `ARCH:TAG` (`ViT-B-32:openai`) | a file of these, or a download; their preprocessing and activation |
| a folder with `open_clip_config.json`, as published | the file in it |

Nothing is downloaded unless asked for, and no file's code is run. Other embeddings will do as well: whatever has the
members of `Embedder` names units.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from dissection.fingerprint import weights_fingerprint
from dissection.recording import evaluating
from neuro_explain.checkpoint import existing_file, fit, read_state_dict
from neuro_explain.preprocess import Preprocess
from neuro_explain.recipes import RANDOM, near, reproducible, untrained
from neuro_explain.tower import home
from neuro_explain.zoo import device_named

_CONFIG = "open_clip_config.json"
_IN_FOLDER = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
)
_FROM_ELSEWHERE = ("hf_model_name", "hf_tokenizer_name")  # parts that open_clip fetches by name


class Embedder(Protocol):
    """What puts images and words into one space."""

    @property
    def name(self) -> str:
        """What it is called in results."""
        ...

    @property
    def fingerprint(self) -> str:
        """A hash of its weights."""
        ...

    def embed_images(self, images: Sequence[Image.Image]) -> Tensor:
        """Embeddings of upright RGB images, float32 `[N, D]` of length 1, on the CPU."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Embeddings of texts, float32 `[W, D]` of length 1, on the CPU."""
        ...


@dataclass(frozen=True, eq=False)
class Clip:
    """An `Embedder` made of a network of open_clip.

    Attributes:
        net: with `encode_image` and `encode_text`.
        preprocess: how an image becomes its input.
        tokenize: texts to tokens `[W, L]`.
        name: what it is called in results.
        weights: which weights it has.
        note: what to know about them; may be empty.
    """

    net: nn.Module
    preprocess: Preprocess
    tokenize: Callable[[list[str]], Tensor]
    name: str
    weights: str
    note: str = ""

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the weights."""
        return weights_fingerprint(self.net)

    def embed_images(self, images: Sequence[Image.Image]) -> Tensor:
        """Embeddings `[N, D]` of length 1 of upright RGB images, in one batch."""
        device, dtype = home(self.net)
        batch = torch.stack([self.preprocess(image) for image in images]).to(device, dtype)
        return self._unit("encode_image", batch, "these images")

    def embed_texts(self, texts: Sequence[str], *, batch_size: int = 256) -> Tensor:
        """Embeddings `[W, D]` of length 1 of texts."""
        device, _ = home(self.net)
        parts = []
        for first in range(0, len(texts), batch_size):
            tokens = self.tokenize(list(texts[first : first + batch_size])).to(device)
            parts.append(self._unit("encode_text", tokens, "these words"))
        return torch.cat(parts)

    def _unit(self, method: str, inputs: Tensor, what: str) -> Tensor:
        with torch.no_grad(), evaluating(self.net) as net:
            found = F.normalize(getattr(net, method)(inputs).float(), dim=-1).cpu()
        if not bool(found.isfinite().all()):
            raise ValueError(f"{self.name}: its embeddings of {what} are not finite; check its weights")
        return found


def import_open_clip() -> Any:
    """The library, or one sentence that says how to get it."""
    try:
        import open_clip
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'open_clip is not installed: pip install "neuro-explain[clip]"', name="open_clip"
        ) from error
    return open_clip


def load_clip(
    name: str | Path,
    *,
    weights: str | Path | None = None,
    device: str | torch.device = "cpu",
    download: bool = False,
) -> Clip:
    """A CLIP of open_clip.

    Args:
        name: `ARCH`, `ARCH:TAG`, or a folder with `open_clip_config.json`.
        weights: a file (safetensors or a state dict of torch), or `"random"` for an untrained network.
        device: where it goes.
        download: whether open_clip may fetch the weights of `ARCH:TAG`, and parts that come from elsewhere.

    Raises:
        ConnectionError: a download failed.
        FileNotFoundError: the weights are not there.
        ModuleNotFoundError: open_clip is missing; the message has the line that installs it.
        ValueError: no such architecture or tag; a damaged or refused file; weights of another architecture.
    """
    library = import_open_clip()
    place = device_named(device)
    folder = Path(name)
    if (folder / _CONFIG).is_file():
        source, arch, tag, text = f"local-dir:{folder}", folder.resolve().name, "", folder.resolve().name
        if weights is None:
            weights = next((folder / file for file in _IN_FOLDER if (folder / file).is_file()), None)
    else:
        text = str(name)
        arch, _, tag = text.partition(":")
        source = arch
        _check_known(library, arch, tag)
        elsewhere = [key for key in _FROM_ELSEWHERE if key in library.get_model_config(arch)["text_cfg"]]
        if (elsewhere or "siglip" in arch.lower()) and not download:
            raise FileNotFoundError(
                f"clip {arch}: a part of it comes from elsewhere and would be downloaded: allow it with "
                f"download=True, or give the folder of a copy, with its {_CONFIG} and tokenizer"
            )
    recipe = dict(library.get_pretrained_cfg(arch, tag)) if tag else {}
    fetched = weights is None and bool(tag) and download
    if weights is None and not fetched:
        raise FileNotFoundError(
            f"clip {text}: no weights: give a file with --clip-weights"
            + (", or let open_clip download them: download=True" if tag else "")
        )
    options = {"force_quick_gelu": bool(recipe.get("quick_gelu"))}
    with reproducible(), _quietly():
        try:
            net = library.create_model(
                source,
                tag if fetched else None,
                load_weights=fetched,
                pretrained_text=False,
                **options,
            )
            tokenize = library.get_tokenizer(source)
        except OSError as error:
            raise ConnectionError(f"clip {text}: open_clip could not fetch what it needs: {error}") from error
        except RuntimeError as error:
            raise (ConnectionError if fetched else ValueError)(f"clip {text}: {error}") from error
    if fetched:
        shown, which = text, tag
    elif weights == RANDOM:
        shown, which = untrained(text), "random (seed 0), never trained"
    else:
        path = existing_file(str(weights))
        fit(net, read_state_dict(path), source=path.name)
        shown, which = text, path.name
    return Clip(
        net.eval().to(place),
        _preprocess_of({**getattr(net.visual, "preprocess_cfg", {}), **_images_of(recipe)}),
        tokenize,
        shown,
        which,
        _note(library, arch, tag) if source == arch and weights != RANDOM else "",
    )


def _check_known(library: Any, arch: str, tag: str) -> None:
    known = library.list_models()
    if arch not in known:
        raise ValueError(
            f"clip {arch!r} is no architecture of open_clip{near(arch, known)}; a folder needs its {_CONFIG}"
        )
    tags = library.list_pretrained_tags_by_model(arch)
    if tag and not library.get_pretrained_cfg(arch, tag):
        raise ValueError(f"clip {arch}:{tag}: expected one of {', '.join(tags) or 'no tag'} after the colon")


def _images_of(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {key: recipe[key] for key in ("mean", "std", "interpolation", "resize_mode") if key in recipe}


def _preprocess_of(config: Mapping[str, Any]) -> Preprocess:
    """open_clip's preprocessing as ours. Raises ValueError for what ours cannot say."""
    size = config["size"]
    h, w = (size, size) if isinstance(size, int) else size
    mode = config["resize_mode"]
    if mode not in ("shortest", "squash") or (mode == "shortest" and h != w):
        raise ValueError(
            f"clip: expected an input made by shortest or squash and square, got {mode}, {h}×{w}"
        )
    return Preprocess(
        input_size=(h, w),
        resize=(h, w) if mode == "squash" else h,
        interpolation="bicubic" if config["interpolation"] == "random" else config["interpolation"],
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )


def _note(library: Any, arch: str, tag: str) -> str:
    """A warning where weights of one architecture differ in what a file of weights does not say."""
    if tag:
        return ""
    kinds: dict[str, list[str]] = {}
    for one in library.list_pretrained_tags_by_model(arch):
        recipe = library.get_pretrained_cfg(arch, one)
        kinds.setdefault(
            repr((bool(recipe.get("quick_gelu")), sorted(_images_of(recipe).items()))), []
        ).append(one)
    if len(kinds) < 2:
        return ""
    return (
        f"weights of {arch} differ in activation or preprocessing, which a file does not say; if yours are among "
        f"open_clip's published ones, write {arch}:TAG with one of {', '.join(t for ts in kinds.values() for t in ts)}"
    )


@contextmanager
def _quietly() -> Iterator[None]:
    """open_clip logs through the root logger, which sets up logging for the whole program."""
    root = logging.getLogger()
    handlers, disabled = list(root.handlers), root.manager.disable
    logging.disable(logging.ERROR)
    root.addHandler(logging.NullHandler())
    try:
        yield
    finally:
        root.handlers[:] = handlers
        logging.disable(disabled)
