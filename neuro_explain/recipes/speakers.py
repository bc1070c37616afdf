"""Which captioners and question answerers can be loaded by name, and how?

    load_captioner("diorama-captioner")
    load_captioner("neuraltalk2", weights="model_id1-501-1448236541.t7")
    load_answerer("hf:dandelin/vilt-b32-finetuned-vqa", download=True)
    load_answerer("my_package.nets:answerer")

A name stands for a network with its words, its preprocessing and its layer. Nothing is downloaded unless
`download=True`, and no file's code is ever run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import torch

from neuro_explain.adapter import Adapter
from neuro_explain.captioning import Captioner
from neuro_explain.recipes import diorama_speakers, near, timm_nets
from neuro_explain.recipes.your_nets import call
from neuro_explain.vqa import QuestionAnswerer

HUGGING_FACE = "hf:"
NEURALTALK2 = "neuraltalk2"

Kind = TypeVar("Kind", bound=Adapter)

_KNOWN: dict[type[Adapter], tuple[str, ...]] = {
    Captioner: (*diorama_speakers.CAPTIONERS, NEURALTALK2),
    QuestionAnswerer: diorama_speakers.ANSWERERS,
}
_IS: dict[type[Adapter], str] = {
    Captioner: "is a captioner: load_captioner, on the command line `neuro-explain caption`",
    QuestionAnswerer: "answers questions: load_answerer, on the command line `neuro-explain ask`",
}


def load_captioner(
    name: str,
    *,
    weights: str | Path | None = None,
    device: str | torch.device = "cpu",
    download: bool = False,
) -> Captioner:
    """A captioner by name, in eval mode.

    Args:
        name: `diorama-captioner`, `neuraltalk2` with a Torch7 checkpoint as `weights`, `hf:NAME-OR-FOLDER`, or
            `package.module:callable`.
        weights: a file of weights in place of its own, or `"random"`.
        device: where the network goes.
        download: whether missing weights may be fetched.

    Raises:
        FileNotFoundError, ModuleNotFoundError, ValueError: as `load_model`.
    """
    check_name(name, Captioner)
    if name in diorama_speakers.CAPTIONERS:
        return _on(diorama_speakers.load_captioner(name, weights), device)
    if name == NEURALTALK2:
        from neuro_explain.language.adapters import ShowAndTellCaptioner
        from neuro_explain.language.convert import convert_neuraltalk2

        if weights is None:
            raise ValueError(f"{name}: expected weights=, its checkpoint (a .t7 file)")
        told = convert_neuraltalk2(weights)
        return _on(
            ShowAndTellCaptioner(
                told.net,
                preprocess=told.preprocess,
                vocabulary=told.vocabulary,
                start=told.start,
                end=told.end,
                longest=told.longest,
                tower="cnn",
                name=name,
                weights=Path(weights).name,
                origin=f"the file {Path(weights).name}, converted from Torch7",
            ),
            device,
        )
    captioner: Captioner = _made(name, Captioner, weights, download)
    return _on(captioner, device)


def load_answerer(
    name: str,
    *,
    weights: str | Path | None = None,
    device: str | torch.device = "cpu",
    download: bool = False,
) -> QuestionAnswerer:
    """A network that answers questions, by name, in eval mode.

    Args:
        name: `diorama-vqa`, `diorama-vqa-coattention`, `hf:NAME-OR-FOLDER`, or `package.module:callable`.
        weights: a file of weights in place of its own, or `"random"`.
        device: where the network goes.
        download: whether missing weights may be fetched.

    Raises:
        FileNotFoundError, ModuleNotFoundError, ValueError: as `load_model`.
    """
    check_name(name, QuestionAnswerer)
    if name in diorama_speakers.ANSWERERS:
        return _on(diorama_speakers.load_answerer(name, weights), device)
    answerer: QuestionAnswerer = _made(name, QuestionAnswerer, weights, download)
    return _on(answerer, device)


def load_speaker(
    name: str,
    *,
    weights: str | Path | None = None,
    device: str | torch.device = "cpu",
    download: bool = False,
) -> Adapter | None:
    """Whatever speaks under this name, a captioner or an answerer; None for a name that may be a classifier's.

    Raises:
        FileNotFoundError, ModuleNotFoundError, ValueError: as `load_captioner` and `load_answerer`.
    """
    if name in (*diorama_speakers.CAPTIONERS, NEURALTALK2):
        return load_captioner(name, weights=weights, device=device, download=download)
    if name in diorama_speakers.ANSWERERS:
        return load_answerer(name, weights=weights, device=device, download=download)
    if name.startswith(HUGGING_FACE):
        speaker: Adapter = _made(name, Adapter, weights, download)
        return _on(speaker, device)
    if ":" in name and not name.startswith(timm_nets.PREFIX):
        made = call(name)
        return _on(made, device) if isinstance(made, Adapter) and weights is None else None
    return None


def check_name(name: str, kind: type[Captioner] | type[QuestionAnswerer]) -> None:
    """Refuses, before anything is loaded, a name that cannot be one of this kind.

    Raises:
        ValueError: it is known as something else, and as what; or not at all, and then near names are offered.
    """
    known = _KNOWN[kind]
    if name in known or (":" in name and not name.startswith(timm_nets.PREFIX)):
        return
    for other, names in _KNOWN.items():
        if name in names:
            raise ValueError(f"{name} {_IS[other]}")
    from neuro_explain.zoo import list_models  # which knows this module too

    if name.startswith(timm_nets.PREFIX) or any(entry.name == name for entry in list_models()):
        raise ValueError(f"{name} is a classifier: load_model, on the command line `neuro-explain explain`")
    raise ValueError(
        f"network {name!r} is unknown{near(name.lower(), known)}; expected {', '.join(known)}, hf:NAME-OR-FOLDER, or "
        "package.module:callable"
    )


def _made(name: str, kind: Any, weights: str | Path | None, download: bool) -> Any:
    """What a library or the user's own code makes of a name."""
    if weights is not None:
        raise ValueError(f"{name}: its weights come with it; leave weights= out")
    if name.startswith(HUGGING_FACE):
        from neuro_explain.language.hugging_face import load_hugging_face

        made: object = load_hugging_face(name.removeprefix(HUGGING_FACE), download=download)
    else:
        made = call(name)
    for other, what in _IS.items():
        if isinstance(made, other) and not issubclass(other, kind):
            raise ValueError(f"{name} {what}")
    if not isinstance(made, kind):
        raise ValueError(f"{name}: expected a neuro_explain.{kind.__name__}, got a {type(made).__name__}")
    return made


def _on(adapter: Kind, device: str | torch.device) -> Kind:
    from neuro_explain.zoo import device_named

    adapter.net.eval().to(device_named(device))
    return adapter
