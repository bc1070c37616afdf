"""`neuro-explain explain`: explain a classifier's answers in named units."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from neuro_explain.commands.explaining import explain_all, explaining_options
from neuro_explain.commands.options import model_options, open_model


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
@click.option("--target", help="Class to explain, by name or number; the predicted one if not given.")
@click.option("--versus", help="Explain the target rather than this class.")
@explaining_options("alpha")
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
    from neuro_explain.explain import explain as explain_image
    from neuro_explain.names import load_names
    from neuro_explain.runs import output_folders

    folders = output_folders(images, out, overwrite=overwrite)
    names = load_names(names_source)
    loaded = open_model(
        model=model,
        weights=weights,
        layer=layer,
        classes=classes,
        preprocess=preprocess,
        device=device,
        download=download,
    )
    return explain_all(
        lambda image: explain_image(loaded, image, names, **options),
        folders,
        overwrite=overwrite,
        as_json=as_json,
    )
