"""`neuro-explain name-words`: name the units of a layer by any words."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from neuro_explain.commands.options import echo_lines, model_options, open_tower, print_json
from neuro_explain.config import config_option


@click.command("name-words")
@model_options
@click.option(
    "--images", required=True, help="A folder, a quoted pattern, or a concept set such as coco:DIR."
)
@click.option(
    "--words",
    "sources",
    multiple=True,
    required=True,
    help="Text file with a word per line, or a concept set, whose names are the words; repeat it to join several.",
)
@click.option(
    "--clip", "clip_name", required=True, help="ARCH or ARCH:TAG of open_clip, or a folder with its config."
)
@click.option("--clip-weights", help="A weights file, or 'random'.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the names.")
@click.option("--overwrite", is_flag=True, help="Replace an artifact that is there.")
@click.option("--template", default="{}", help="Text that each word is put into, at {}.")
@click.option("--top", type=int, help="Images of a unit that count; 100, at most a tenth, if not given.")
@click.option("--max-q", default=0.05, help="False discovery rate that a name may have; 1 admits all.")
@click.option(
    "--draws",
    type=int,
    help="Draws of any images, to see what chance gives; 2000, or 25 per unit; 0: not asked.",
)
@click.option(
    "--turns", default=50, help="Turns of the words into others without meaning, likewise; 0 does not ask."
)
@click.option("--seed", default=0, help="Of both.")
@click.option("--batch-size", default=32, help="Images per forward pass.")
@click.option("--workers", default=2, help="Threads that read images.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@config_option
def name_words(
    images: str,
    sources: tuple[str, ...],
    clip_name: str,
    clip_weights: str | None,
    out: Path,
    overwrite: bool,
    template: str,
    top: int | None,
    max_q: float,
    draws: int | None,
    turns: int,
    seed: int,
    batch_size: int,
    workers: int,
    as_json: bool,
    **model: Any,
) -> None:
    """Name units by any words: which fits the images best on which a unit fires? CLIP says so."""
    from dissection.artifact import check_writable
    from neuro_explain.clip import load_clip
    from neuro_explain.runs import command_line
    from neuro_explain.word_inputs import open_images, open_words
    from neuro_explain.word_names import KIND, name_by_words, word_lines

    check_writable(out, kind=KIND, overwrite=overwrite)
    words, pictures = open_words(sources), open_images(images)
    clip = load_clip(clip_name, weights=clip_weights, device=model["device"], download=model["download"])
    if clip.note:
        click.echo(f"note: {clip.note}", err=True)
    names = name_by_words(
        open_tower(**model),
        pictures,
        words,
        clip=clip,
        template=template,
        top=top,
        max_q=max_q,
        draws=draws,
        turns=turns,
        seed=seed,
        batch_size=batch_size,
        workers=workers,
        word_sets=tuple(Path(source).name for source in sources),
    )
    names.save(out, overwrite=overwrite, command=command_line(sys.argv[1:]))
    if as_json:
        print_json({"folder": str(out), **names.summary()})
        return
    echo_lines(word_lines(names))
    click.echo(out)
