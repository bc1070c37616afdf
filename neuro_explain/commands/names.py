"""`neuro-explain names`: look names up in a dissection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from neuro_explain.commands.options import echo_lines, print_json

if TYPE_CHECKING:
    from dissection.names import Names


@click.command("names")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("units", nargs=-1, type=int)
@click.option("--concept", help="The units that detect this concept.")
@click.option("--category", help="Only this category.")
@click.option("--netdissect-csv", type=click.Path(path_type=Path), help="Write NetDissect's result CSV here.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def names_command(
    source: Path,
    units: tuple[int, ...],
    concept: str | None,
    category: str | None,
    netdissect_csv: Path | None,
    as_json: bool,
) -> None:
    """Show what units detect: all, some, or those of a concept. SOURCE is a folder or a NetDissect CSV."""
    from dissection.names import unit_row
    from neuro_explain.name_view import choose_names, name_lines
    from neuro_explain.names import load_names

    if units and concept is not None:
        raise click.UsageError("give units or --concept, not both")
    names = load_names(source)
    if netdissect_csv is not None:
        _write_netdissect_csv(names, netdissect_csv)
    try:
        chosen = choose_names(names, units, concept, category)
    except IndexError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        print_json([unit_row(name) for name in chosen])
        return
    if not units and concept is None:
        click.echo(f"{names.named} of {len(names)} units named ({names.distinct} different names)")
    if concept is not None and not chosen:
        click.echo(f"no unit is named {concept}")
    echo_lines(name_lines(chosen))


def _write_netdissect_csv(names: Names, path: Path) -> None:
    from dissection.netdissect_csv import write_netdissect_csv
    from dissection.result import Dissection

    if path.exists():
        raise click.ClickException(f"{path} exists already; choose another file")
    if not isinstance(names, Dissection):
        raise click.UsageError("--netdissect-csv needs a dissection's folder as its source")
    write_netdissect_csv(names, path)
    click.echo(path, err=True)
