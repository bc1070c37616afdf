"""`neuro-explain batch`: explain many images into Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from neuro_explain.commands.options import cluster_of, cluster_options, model_options, open_model, print_json
from neuro_explain.config import config_option


@click.command()
@click.argument("source", metavar="INPUT")
@model_options
@click.option(
    "--names",
    "names_source",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of a dissection, or a NetDissect CSV.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the run.")
@click.option("--root", type=click.Path(path_type=Path), help="Folder that a list's paths start from.")
@click.option("--label-column", default="label", help="Column of a .csv list that holds the labels.")
@click.option(
    "--label-classes",
    type=click.Path(path_type=Path),
    help="JSON file that says of each label which classes it stands for.",
)
@click.option(
    "--best", default=1, type=click.IntRange(min=1), help="How many of each image's best classes to explain."
)
@click.option("--top", default=5, type=click.IntRange(min=1), help="Units to keep in each direction.")
@click.option(
    "--rank-by",
    type=click.Choice(["alpha", "contribution"]),
    default="contribution",
    help="What the ranking sorts by.",
)
@click.option("--named-only", is_flag=True, help="Rank named units alone.")
@click.option("--batch-size", default=32, type=click.IntRange(min=1), help="Images per forward pass.")
@click.option("--workers", default=2, type=click.IntRange(min=0), help="Processes that read images.")
@click.option("--thumbnails/--no-thumbnails", default=True, help="Keep a small picture of each image.")
@cluster_options
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@config_option
def batch(
    source: str,
    names_source: Path,
    out: Path,
    root: Path | None,
    label_column: str,
    label_classes: Path | None,
    as_json: bool,
    model: str,
    weights: str | None,
    layer: str | None,
    classes: Path | None,
    preprocess: str | None,
    device: str,
    download: bool,
    **options: Any,
) -> None:
    """Explain every image of INPUT: a folder, a list of files (.txt, .csv), or a pattern in quotes.

    Rows go to Parquet files in the folder given by --out; an image that cannot be read is a row that says why.
    """
    from neuro_explain.batch import explain_batch
    from neuro_explain.inputs import open_inputs
    from neuro_explain.report import write_report

    cluster, options = cluster_of(**options)
    opened = {
        "model": model,
        "weights": weights,
        "layer": layer,
        "classes": None if classes is None else str(classes),
        "preprocess": preprocess,
    }
    loaded = open_model(**{**opened, "classes": classes}, device=device, download=download)
    inputs = open_inputs(
        source,
        classes=loaded.classes,
        root=root,
        label_column=label_column,
        label_classes=label_classes,
    )
    if inputs.note:
        click.echo(inputs.note, err=True)
    if options["resume"] and not (out / "run.json").is_file():
        click.echo(f"{out} holds no run that could be resumed; this one begins anew", err=True)
    run = explain_batch(
        loaded,
        inputs,
        names_source,
        out,
        reopen={**opened, "names": str(names_source), "images": str(inputs.folder)},
        cluster=cluster,
        **options,
    )
    page = write_report(run.folder)
    if as_json:
        print_json(
            {
                "folder": str(run.folder),
                "page": str(page),
                "images": run.images,
                "errors": run.errors,
                "labelled": run.labelled,
                "right": run.right,
            }
        )
        return
    fine = run.images - run.errors
    reason = f"; the first of them: {run.first_error()}" if run.errors else ""
    click.echo(f"{fine:,} image{'s' * (fine != 1)} explained, {run.errors:,} could not be{reason}")
    if run.labelled:
        click.echo(
            f"{run.right:,} of {run.labelled:,} labelled images named rightly: {run.right / run.labelled:.1%}"
        )
    click.echo(page)
