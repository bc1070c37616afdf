"""`neuro-explain dissect`: name the units of a layer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from neuro_explain.commands.options import cluster_of, cluster_options, model_options, open_tower, print_json
from neuro_explain.config import config_option


@click.command()
@model_options
@click.option(
    "--concepts", "specs", multiple=True, required=True, help="Concept set; repeat it to join several."
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder for the names and their page."
)
@click.option("--overwrite", is_flag=True, help="Replace an artifact that is there.")
@click.option("--quantile", default=0.005, help="Share of positions in which a unit may be active.")
@click.option("--min-iou", default=0.05, help="IoU that a name needs.")
@click.option("--max-q", default=0.05, help="False discovery rate that a name may have; 1 admits all.")
@click.option(
    "--permutations",
    default=100,
    help="How often labels are exchanged between images to see what chance gives; 0 does not ask.",
)
@click.option("--seed", default=0, help="Of these exchanges.")
@click.option(
    "--label-size", default=112, help="Side in pixels of the square on which masks and labels meet."
)
@click.option("--exemplars", default=4, help="Example crops per unit.")
@click.option("--batch-size", default=32, help="Images per forward pass.")
@click.option("--workers", default=2, help="Threads that read images.")
@click.option(
    "--memory", default=1024, help="MiB of maps and labels in memory; more goes to disk, beside --out."
)
@cluster_options
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@config_option
def dissect(
    specs: tuple[str, ...],
    out: Path,
    overwrite: bool,
    quantile: float,
    min_iou: float,
    max_q: float,
    permutations: int,
    seed: int,
    label_size: int,
    exemplars: int,
    batch_size: int,
    workers: int,
    memory: int,
    as_json: bool,
    **others: Any,
) -> None:
    """Name the units of a network's layer: which concept does each detect?"""
    from dissection.artifact import check_writable
    from dissection.summary import chance_lines
    from neuro_explain.names import dissect as dissect_model
    from neuro_explain.names import open_concepts
    from neuro_explain.report import write_report
    from neuro_explain.runs import command_line

    cluster, model = cluster_of(**others)
    check_writable(out, kind="dissection", overwrite=overwrite)
    opened = open_concepts(list(specs))
    loaded = open_tower(**model)
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    names = dissect_model(
        loaded,
        opened,
        quantile=quantile,
        label_size=label_size,
        min_iou=min_iou,
        max_q=max_q,
        permutations=permutations,
        seed=seed,
        exemplars=exemplars,
        batch_size=batch_size,
        workers=workers,
        memory=memory << 20,
        scratch=out.absolute().parent,
        cluster=cluster,
    )
    names.save(out, overwrite=overwrite, command=command_line(sys.argv[1:]))
    page = write_report(out)
    if as_json:
        print_json({"folder": str(out), "page": str(page), **names.summary()})
        return
    for line in chance_lines(names):
        click.echo(line)
    click.echo(
        f"{names.named} of {len(names)} units named ({names.distinct} different names) from {names.images} images"
    )
    click.echo(page)
