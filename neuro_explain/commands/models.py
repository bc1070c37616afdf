"""`neuro-explain models`: what networks there are, and fetching the weights of one."""

from __future__ import annotations

import click

from neuro_explain.commands.options import echo_lines, print_json


@click.group()
def models() -> None:
    """What networks there are, and fetching their weights."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def models_list(as_json: bool) -> None:
    """Show the known networks, and what is missing where."""
    from dataclasses import asdict

    from neuro_explain.model_view import model_lines
    from neuro_explain.zoo import list_models

    entries = list_models()
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    echo_lines(model_lines(entries))


@models.command("fetch")
@click.argument("name")
def models_fetch(name: str) -> None:
    """Download the weights of the network NAME and check them.

    What breaks off is taken up again by the next call. Files go into the folder NEURO_EXPLAIN_CACHE names, otherwise
    into the user's cache; weights of torchvision, timm and Hugging Face into the caches of those libraries.
    """
    from neuro_explain.zoo import fetch_model

    try:
        files, note = fetch_model(name)
    except KeyboardInterrupt as error:
        raise click.ClickException("interrupted; the next call goes on from what has come") from error
    if not files:
        click.echo(f"{name}: {note}")
    for file in files:
        whose = "as published" if file.published else "recorded at first use; none was published"
        click.echo(f"{file.path}\n  {file.size:,} bytes, SHA-256 {file.sha256} ({whose})")
