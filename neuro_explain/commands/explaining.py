"""What the commands that explain have in common: their options, and the loop over images that ends in pages."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neuro_explain.commands.options import echo_lines, print_json, with_options
from neuro_explain.config import config_option

if TYPE_CHECKING:
    from neuro_explain.explanation import Explanation


def explaining_options(rank_by: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds the options that every explaining command takes, last of them `--config`; `rank_by` is the default."""
    options = [
        click.option(
            "--out",
            required=True,
            type=click.Path(path_type=Path),
            help="Folder for the explanation; with several images, of their folders.",
        ),
        click.option("--overwrite", is_flag=True, help="Replace artifacts that are there."),
        click.option("--top", default=5, type=click.IntRange(min=1), help="Units to show in each direction."),
        click.option(
            "--rank-by",
            type=click.Choice(["alpha", "contribution"]),
            default=rank_by,
            help="What the ranking sorts by.",
        ),
        click.option("--named-only", is_flag=True, help="Rank named units alone."),
        click.option(
            "--check/--no-check", default=True, help="Zero the strongest units and see what changes."
        ),
        click.option(
            "--seed", default=0, type=click.IntRange(min=0), help="Seed of the check's random draws."
        ),
        click.option("--json", "as_json", is_flag=True, help="Machine-readable output."),
        config_option,
    ]
    return with_options(options)


def explain_all(
    explain: Callable[[Path], Explanation],
    folders: Sequence[tuple[Path, Path]],
    *,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Explains each image into its folder, prints what was found, and returns the exit status."""
    from neuro_explain.runs import Failed, explain_to_folders

    results, failed = [], 0
    for done in explain_to_folders(explain, folders, overwrite=overwrite, arguments=sys.argv[1:]):
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
