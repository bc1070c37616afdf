"""`neuro-explain explain`: explain answers in named units."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from neuro_explain.commands.options import echo_lines, model_options, open_model, print_json
from neuro_explain.config import config_option


@click.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@model_options
@click.option(
    "--names",
    "names_source",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of a dissection, or a NetDissect CSV.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder for the explanation; with several images, of their folders.",
)
@click.option("--overwrite", is_flag=True, help="Replace artifacts that are there.")
@click.option("--target", help="Class to explain, by name or number; the predicted one if not given.")
@click.option("--versus", help="Explain the target rather than this class.")
@click.option("--top", default=5, help="Units to show in each direction.")
@click.option(
    "--rank-by",
    type=click.Choice(["alpha", "contribution"]),
    default="alpha",
    help="What the ranking sorts by.",
)
@click.option("--named-only", is_flag=True, help="Rank named units alone.")
@click.option("--check/--no-check", default=True, help="Zero the strongest units and see what changes.")
@click.option("--seed", default=0, help="Seed of the check's random draws.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@config_option
def explain(
    images: tuple[Path, ...],
    names_source: Path,
    out: Path,
    overwrite: bool,
    as_json: bool,
    model: str,
    weights: str | None,
    layer: str | None,
    classes: Path | None,
    preprocess: str | None,
    device: str,
    download: bool,
    **options: Any,
) -> int:
    """Explain a network's answer to each image, in named units."""
    from neuro_explain.names import load_names
    from neuro_explain.runs import Failed, explain_to_folders, output_folders

    folders = output_folders(images, out, overwrite=overwrite)
    names = load_names(names_source)
    loaded = open_model(model, weights, layer, classes, preprocess, device, download)
    results, failed = [], 0
    for done in explain_to_folders(
        loaded, folders, names, overwrite=overwrite, arguments=sys.argv[1:], options=options
    ):
        if isinstance(done, Failed):
            failed += 1
            click.echo(f"neuro-explain: {done.error}", err=True)
        elif as_json:
            results.append({"folder": str(done.folder), "page": str(done.page), **done.explanation.to_dict()})
        else:
            echo_lines(
                [done.explanation.text, *(f"  note: {n}" for n in done.explanation.notes), str(done.page)]
            )
    if as_json:
        print_json(results)
    return 1 if failed else 0
