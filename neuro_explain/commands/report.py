"""`neuro-explain report`: render a page again, or make that of one image of a batch."""

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
@click.option("--image", help="Id of an image of a batch run: explain it on a page of its own.")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    help="With --image: the image, if it is no longer where it was.",
)
@click.option("--model", help="With --image: the network, if it cannot be opened as it was.")
@click.option("--weights", help="With --image and --model: its weights.")
@click.option(
    "--names",
    "names_source",
    type=click.Path(path_type=Path),
    help="With --image: the names, if they are no longer where they were.",
)
def report(
    folders: tuple[Path, ...],
    colors: str,
    image: str | None,
    file: Path | None,
    model: str | None,
    weights: str | None,
    names_source: Path | None,
) -> None:
    """Render the pages of explanations, dissections, batch runs or whole sets of explanations again.

    With --image the page of one image of a batch run is made.
    """
    if image is None:
        if (file, model, weights, names_source) != (None, None, None, None):
            raise click.UsageError("--file, --model, --weights and --names go with --image")
        from neuro_explain.report import write_report

        for folder in folders:
            click.echo(write_report(folder, colors=colors))  # type: ignore[arg-type]  # click checked the choice
        return
    if len(folders) != 1:
        raise click.UsageError(f"--image takes the folder of one run, got {len(folders)}")
    from neuro_explain.batch.page import explanation_page
    from neuro_explain.names import load_names
    from neuro_explain.zoo import load_model

    page = explanation_page(
        folders[0],
        image,
        model=None if model is None else load_model(model, weights=weights),
        names=None if names_source is None else load_names(names_source),
        file=file,
    )
    click.echo(page)
