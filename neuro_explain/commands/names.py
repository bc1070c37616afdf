"""`neuro-explain names`: look names up in a dissection, or compare two."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neuro_explain.commands.options import echo_lines, print_json

if TYPE_CHECKING:
    from dissection.formulas import Composition
    from dissection.names import Names, UnitName


@click.command("names")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("units", nargs=-1)
@click.option("--concept", help="The units that detect this concept.")
@click.option("--category", help="Only this category.")
@click.option(
    "--compare",
    is_flag=True,
    help="Two sources, and what changed from the first to the second: names A --compare B.",
)
@click.option("--netdissect-csv", type=click.Path(path_type=Path), help="Write NetDissect's result CSV here.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def names_command(
    source: Path,
    units: tuple[str, ...],
    concept: str | None,
    category: str | None,
    compare: bool,
    netdissect_csv: Path | None,
    as_json: bool,
) -> None:
    """Show what units detect: all, some, or those of a concept. SOURCE is a folder or a NetDissect CSV.

    With --compare two sources come before the units: what is the same, renamed, gained and lost.
    """
    from neuro_explain.name_view import choose_names, formulas_of, name_lines
    from neuro_explain.names import load_names

    other = None
    if compare:
        if not units:
            raise click.UsageError("--compare needs two sources: neuro-explain names A --compare B")
        other, units = Path(units[0]), units[1:]
    numbers = [int(click.INT(unit, None, click.get_current_context())) for unit in units]
    if numbers and concept is not None:
        raise click.UsageError("give units or --concept, not both")
    if other is not None:
        if netdissect_csv is not None:
            raise click.UsageError("--netdissect-csv writes the names of one source; leave out --compare")
        _compare(source, other, numbers, concept, category, as_json)
        return
    names = load_names(source)
    if netdissect_csv is not None:
        _write_netdissect_csv(names, netdissect_csv)
    try:
        chosen = choose_names(names, numbers, concept, category)
    except IndexError as error:
        raise click.ClickException(str(error)) from error
    formulas = formulas_of(names)
    if as_json:
        print_json([_row(name, formulas.get(name.unit)) for name in chosen])
        return
    if not numbers and concept is None:
        click.echo(f"{names.named} of {len(names)} units named ({names.distinct} different names)")
    if concept is not None and not chosen:
        click.echo(f"no unit is named {concept}")
    echo_lines(name_lines(chosen, formulas))


def _row(name: UnitName, formula: Composition | None) -> dict[str, Any]:
    from dissection.names import unit_row

    text, iou = (None, None) if formula is None else (formula.text, formula.iou)
    told = {"formula": text, "formula_iou": iou}
    return unit_row(name) | told | ({} if name.score is None else {"score": name.score})


def _compare(
    first: Path, second: Path, units: list[int], concept: str | None, category: str | None, as_json: bool
) -> None:
    from neuro_explain.name_compare import choose_changes, compare_names
    from neuro_explain.names import load_names

    changes = compare_names(load_names(first), load_names(second))
    try:
        chosen = choose_changes(changes, units, concept, category)
    except IndexError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        print_json(changes.to_dict() | {"units": [one.row() for one in chosen]})
        return
    asked = bool(units) or concept is not None
    echo_lines(changes.lines(chosen if asked else [c for c in chosen if c.kind not in ("same", "unnamed")]))


def _write_netdissect_csv(names: Names, path: Path) -> None:
    from dissection.netdissect_csv import write_netdissect_csv
    from dissection.result import Dissection

    if path.exists():
        raise click.ClickException(f"{path} exists already; choose another file")
    if not isinstance(names, Dissection):
        raise click.UsageError("--netdissect-csv needs a dissection's folder as its source")
    write_netdissect_csv(names, path)
    kept_back = sum(
        name.concept is None and (name.iou or 0.0) >= (names.min_iou or 0.0) for name in names if name.best
    )
    if kept_back:
        click.echo(
            f"note: that layout knows no significance; {kept_back} units left unnamed by chance have one there",
            err=True,
        )
    click.echo(path, err=True)
