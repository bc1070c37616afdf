"""`neuro-explain caption` and `neuro-explain ask`: explain what a network says of an image, in named units."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neuro_explain.commands.explaining import explain_all, explaining_options
from neuro_explain.commands.options import with_options

if TYPE_CHECKING:
    from neuro_explain.adapter import Adapter
    from neuro_explain.inquiry import NamesSource


def _speaker_options(default: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds the options that name a network that speaks, and the names of its units."""
    options = [
        click.option(
            "--model",
            default=default,
            help="A name from `models list`, hf:NAME-OR-FOLDER, or package.module:callable.",
        ),
        click.option("--weights", help="A file of weights, or 'random'; the network's own if not given."),
        click.option("--device", default="cpu", help="Where the network runs: cpu, cuda, cuda:1, mps."),
        click.option(
            "--download", is_flag=True, help="Fetch missing weights; nothing is downloaded without this."
        ),
        click.option(
            "--names",
            "names_source",
            type=click.Path(path_type=Path),
            help="Folder of a dissection of the image tower, or a NetDissect CSV; what comes with the network if not "
            "given.",
        ),
    ]
    return with_options(options)


@click.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@_speaker_options("diorama-captioner")
@click.option("--caption", "given", help="Explain this caption; the network's best one if not given.")
@click.option("--word", help="Explain this word of the caption first, and check it by ablation.")
@click.option("--beams", default=3, help="Captions that the search follows at once; 1 is greedy.")
@explaining_options("contribution")
def caption(
    images: tuple[Path, ...],
    model: str,
    weights: str | None,
    device: str,
    download: bool,
    names_source: Path | None,
    given: str | None,
    out: Path,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Explain a captioner's caption of each image, and each of its words."""
    from neuro_explain.captioning import Captioner
    from neuro_explain.explain_caption import explain_caption
    from neuro_explain.recipes.speakers import check_name
    from neuro_explain.runs import output_folders
    from neuro_explain.zoo import load_captioner

    folders = output_folders(images, out, overwrite=overwrite)
    check_name(model, Captioner)
    names = _names(model, names_source)  # before the network is loaded, which may take long
    captioner = load_captioner(model, weights=weights, device=device, download=download)
    _tell_layer(captioner)
    return explain_all(
        lambda image: explain_caption(captioner, image, names, caption=given, **options),
        folders,
        overwrite=overwrite,
        as_json=as_json,
    )


@click.command()
@click.argument("arguments", nargs=-1, required=True, metavar="IMAGES... QUESTION")
@_speaker_options("diorama-vqa")
@click.option("--answer", help="Explain this answer; the network's best one if not given.")
@click.option("--versus", help="Explain the answer rather than this one.")
@explaining_options("contribution")
def ask(
    arguments: tuple[str, ...],
    model: str,
    weights: str | None,
    device: str,
    download: bool,
    names_source: Path | None,
    out: Path,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Ask a question about each image, and explain the answer."""
    from neuro_explain.explain_answer import explain_answer
    from neuro_explain.language.vocabulary import shortened
    from neuro_explain.recipes.speakers import check_name
    from neuro_explain.runs import output_folders
    from neuro_explain.vqa import QuestionAnswerer
    from neuro_explain.zoo import load_answerer

    *paths, question = arguments
    if not paths:
        raise click.UsageError(
            f"expected one image or more and then a question, got only {shortened(question)!r}; "
            'for example: neuro-explain ask street.jpg "what colour is the umbrella?" --out runs/street'
        )
    if _is_file(question):
        raise click.UsageError(f"the last argument is the question, but {question!r} is a file")
    folders = output_folders([Path(path) for path in paths], out, overwrite=overwrite)
    check_name(model, QuestionAnswerer)
    names = _names(model, names_source)  # before the network is loaded, which may take long
    answerer = load_answerer(model, weights=weights, device=device, download=download)
    _tell_layer(answerer)
    answerer.read(question)  # what is wrong with it is wrong for every image
    return explain_all(
        lambda image: explain_answer(answerer, image, question, names, **options),
        folders,
        overwrite=overwrite,
        as_json=as_json,
    )


def _is_file(text: str) -> bool:
    """Whether a text is the path of a file; a question can be too long to be a path at all."""
    try:
        return Path(text).is_file()
    except OSError:
        return False


def _tell_layer(adapter: Adapter) -> None:
    click.echo(f"{adapter.name}: {adapter.tower.layer_reason}", err=True)


def _names(model: str, source: Path | None) -> NamesSource:
    """The names that are given, or those that come with the network."""
    if source is not None:
        return source
    from neuro_explain.shipped_names import has_shipped_names, shipped_names

    if not has_shipped_names(model):
        raise ValueError(
            f"no names of {model}'s units come with this package: make them with `neuro-explain dissect --model "
            f"{model} --concepts coco:DIR --out DIR`, on this or another concept set, and give --names DIR"
        )
    return shipped_names(model)
