"""`neuro-explain models`: what networks there are."""

from __future__ import annotations

import click

from neuro_explain.commands.options import echo_lines, print_json


@click.group()
def models() -> None:
    """What networks there are."""


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
