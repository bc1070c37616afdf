"""`neuro-explain demo`: the whole road, offline."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from neuro_explain.config import config_option


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs/demo"), help="Folder for the pages."
)
@click.option(
    "--model",
    default="diorama-scenes",
    help="A name from `models list`: the diorama's networks explain drawn scenes, others photographs.",
)
@click.option("--weights", help="Its weights, where the model needs a file.")
@click.option("--concepts", multiple=True, help="Concept set to name the units by, as for dissect.")
@config_option
def demo(out: Path, concepts: tuple[str, ...], model: str, weights: str | None) -> None:
    """Name a network's units, explain a dozen images, write linked pages: offline, in under a minute."""
    from neuro_explain.demo import run_demo
    from neuro_explain.runs import command_line

    for line in run_demo(
        out, model_name=model, weights=weights, concepts=concepts, command=command_line(sys.argv[1:])
    ):
        click.echo(line)
