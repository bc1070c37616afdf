"""`neuro-explain report`: render a page again."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--colors",
    type=click.Choice(["perceptual", "paper"]),
    default="perceptual",
    help="Colours of the maps at first sight.",
)
def report(folders: tuple[Path, ...], colors: str) -> None:
    """Render the pages of explanations, dissections or whole sets of explanations again."""
    from neuro_explain.report import write_report

    for folder in folders:
        click.echo(write_report(folder, colors=colors))  # type: ignore[arg-type]  # click checked the choice
