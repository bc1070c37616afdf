"""`neuro-explain profile`: what speaks for and against each class, over all images of a batch run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from neuro_explain.commands.options import echo_lines, print_json
from neuro_explain.config import config_option


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--class", "classes", multiple=True, help="Only this class, by name or number; may be repeated."
)
@click.option(
    "--of",
    type=click.Choice(["predicted", "label"]),
    default="predicted",
    help="Take images predicted as a class, or labelled as it.",
)
@click.option("--compare", help="'right' (against wrong), a metadata column with two values, or COLUMN=A,B.")
@click.option("--top", default=5, help="Concepts to show for and against a class.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for profile.json and its page.")
@click.option("--overwrite", is_flag=True, help="Replace a profile that is there.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@config_option
def profile(folder: Path, out: Path | None, overwrite: bool, as_json: bool, **options: Any) -> None:
    """Show which concepts speak for and against each class in a batch run, and how two groups of images differ.

    The contribution of a concept to a class is the sum over the units of that name of alpha times activation; its
    mean over the class's images is shown with a 95 % interval, and its share of all that is said for or against.
    """
    from dissection.artifact import check_writable
    from neuro_explain.profile import profile_batch
    from neuro_explain.profile.result import KIND
    from neuro_explain.report import write_report
    from neuro_explain.runs import command_line

    if out is not None:
        check_writable(out, kind=KIND, overwrite=overwrite)
    made = profile_batch(folder, **options)
    page = None
    if out is not None:
        made.save(out, overwrite=overwrite, command=command_line(sys.argv[1:]))
        page = write_report(out)
    if as_json:
        print_json(made.to_dict())
    else:
        echo_lines([*made.lines(), *([] if page is None else [str(page)])])
