"""`neuro-explain methods`: what all methods say of one image, side by side."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from neuro_explain.commands.options import echo_lines, model_options, open_model, print_json
from neuro_explain.config import config_option


@click.command("methods")
@click.argument("image", type=click.Path(path_type=Path))
@model_options
@click.option(
    "--class", "asked", multiple=True, help="Class of the maps, by name or number; may be repeated."
)
@click.option("--method", "methods", multiple=True, help="Only this method; may be repeated.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder for the maps and their page."
)
@click.option("--overwrite", is_flag=True, help="Replace a strip that is there.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@config_option
def methods_command(
    image: Path,
    asked: tuple[str, ...],
    methods: tuple[str, ...],
    out: Path,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Show the maps of all methods for one image, and Grad-CAM at every layer.

    Without --class the maps are those of the network's answer. A method that does not apply to the network says so.
    """
    from dissection.artifact import check_writable
    from neuro_explain.document import KIND
    from neuro_explain.method_strip import method_strip
    from neuro_explain.methods.registry import method_named
    from neuro_explain.report import write_report
    from neuro_explain.runs import command_line

    check_writable(out, kind=KIND, overwrite=overwrite)
    for name in methods:
        method_named(name)  # a misspelling shows before the network is loaded
    strip = method_strip(open_model(**options), image, classes=asked, methods=methods)
    strip.save(out, overwrite=overwrite, command=command_line(sys.argv[1:]))
    page = write_report(out)
    if as_json:
        print_json({"folder": str(out), "page": str(page), **strip.to_dict()})
    else:
        echo_lines([*strip.lines(), str(page)])
