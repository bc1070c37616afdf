"""The command line: parse, call, print a path. Every command's work is done elsewhere.

Exit status: 0; 1 for a failure, one sentence on the standard error; 2 for wrong usage.
"""

from __future__ import annotations

import errno
import json
import signal
import sys
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neuro_explain.config import config_option

if TYPE_CHECKING:
    from dissection.names import Names
    from neuro_explain.model import Model

# torch takes a second to import: each command imports what it needs, so that --help and wrong usage answer at once.


class _Program(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order in which one uses them


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(package_name="neuro-explain")
def cli() -> None:
    """Which named neurons decided? Explanations of a network's answers in units that have names."""


def main() -> None:
    """Runs the program; see the module's docstring for the exit status."""
    # A polite kill cleans up as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Runs the program with these arguments and returns its exit status."""
    try:
        with warnings.catch_warnings():
            # What matters to a reader is among an explanation's notes, which are printed.
            warnings.simplefilter("ignore", UserWarning)
            result = cli.main(arguments, prog_name="neuro-explain", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("neuro-explain: interrupted; nothing half-written was kept", err=True)
        return 1
    except OSError as error:
        what = f"{error.strerror}: {error.filename}" if error.strerror and error.filename else str(error)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        click.echo(f"neuro-explain: {what}{'; nothing half-written was kept' if full else ''}", err=True)
        return 1
    except (ValueError, ImportError) as error:
        click.echo(f"neuro-explain: {error}", err=True)
        return 1


def _model_options(function: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        click.option(
            "--model", required=True, help="A name from `models list`, timm:NAME, or package.module:callable."
        ),
        click.option("--weights", help="A weights file, a torchvision weights name, or 'random'."),
        click.option("--layer", help="Dotted name of the layer whose units explain; automatic if not given."),
        click.option(
            "--classes", type=click.Path(path_type=Path), help="Text file with one class name per line."
        ),
        click.option(
            "--preprocess", help="Named preprocessing, where the model's own does not fit the weights."
        ),
        click.option("--device", default="cpu", help="Where the network runs: cpu, cuda, cuda:1, mps."),
        click.option(
            "--download", is_flag=True, help="Fetch missing weights; nothing is downloaded without this."
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def _load_model(
    model: str,
    weights: str | None,
    layer: str | None,
    classes: Path | None,
    preprocess: str | None,
    device: str,
    download: bool,
) -> Model:
    from neuro_explain.zoo import load_model

    loaded = load_model(
        model,
        weights=weights,
        layer=layer,
        classes=classes,
        preprocess=preprocess,
        device=device,
        download=download,
    )
    click.echo(f"{loaded.name}: {loaded.layer_reason}", err=True)
    return loaded


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=1))


@cli.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs/demo"), help="Folder for the pages."
)
@click.option(
    "--concepts", multiple=True, help="Concept set, as for dissect; colours of the photographs if not given."
)
@click.option("--model", default="efficientnet-lite0", help="A name from `models list`.")
@click.option("--weights", help="Its weights, where the model needs a file.")
@config_option
def demo(out: Path, concepts: tuple[str, ...], model: str, weights: str | None) -> None:
    """Explain the photographs that scikit-image ships, from dissection to pages."""
    from neuro_explain.demo import run_demo

    for line in run_demo(out, concepts, model_name=model, weights=weights):
        click.echo(line)


@cli.group()
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
        _print_json([asdict(entry) for entry in entries])
        return
    _echo_lines(model_lines(entries))


@cli.group()
def concepts() -> None:
    """Sets of images with concept labels."""


@concepts.command("show")
@click.argument("specs", nargs=-1, required=True)
@click.option("--label", help="Show the images that have this label, most pixels first.")
@click.option("--category", help="Only this category.")
@click.option("--limit", default=10, help="At most so many images.")
@click.option("--size", default=112, help="Side in pixels at which labels are counted.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def concepts_show(
    specs: tuple[str, ...], label: str | None, category: str | None, limit: int, size: int, as_json: bool
) -> None:
    """Show what a concept set holds, which images have a label, and what is broken."""
    from neuro_explain.concept_view import show_concepts

    lines, data = show_concepts(specs, label=label, category=category, limit=limit, size=size)
    if as_json:
        _print_json(data)
    else:
        _echo_lines(lines)


@cli.command()
@_model_options
@click.option(
    "--concepts", "specs", multiple=True, required=True, help="Concept set; repeat it to join several."
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder for the names and their page."
)
@click.option("--overwrite", is_flag=True, help="Replace an artifact that is there.")
@click.option("--quantile", default=0.005, help="Share of positions in which a unit may be active.")
@click.option("--min-iou", default=0.05, help="IoU that a name needs.")
@click.option(
    "--label-size", default=112, help="Side in pixels of the square on which masks and labels meet."
)
@click.option("--exemplars", default=4, help="Example crops per unit.")
@click.option("--batch-size", default=32, help="Images per forward pass.")
@click.option("--workers", default=2, help="Threads that read images.")
@click.option(
    "--memory", default=1024, help="MiB of maps and labels in memory; more goes to disk, beside --out."
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@config_option
def dissect(
    specs: tuple[str, ...],
    out: Path,
    overwrite: bool,
    quantile: float,
    min_iou: float,
    label_size: int,
    exemplars: int,
    batch_size: int,
    workers: int,
    memory: int,
    as_json: bool,
    **model: Any,
) -> None:
    """Name the units of a network's layer: which concept does each detect?"""
    from dissection.artifact import check_writable
    from neuro_explain.names import dissect as dissect_model
    from neuro_explain.names import open_concepts
    from neuro_explain.report import write_report
    from neuro_explain.runs import command_line

    check_writable(out, kind="dissection", overwrite=overwrite)
    opened = open_concepts(list(specs))
    loaded = _load_model(**model)
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    names = dissect_model(
        loaded,
        opened,
        quantile=quantile,
        label_size=label_size,
        min_iou=min_iou,
        exemplars=exemplars,
        batch_size=batch_size,
        workers=workers,
        memory=memory << 20,
        scratch=out.absolute().parent,
    )
    names.save(out, overwrite=overwrite, command=command_line(sys.argv[1:]))
    page = write_report(out)
    if as_json:
        _print_json({"folder": str(out), "page": str(page), **names.summary()})
        return
    click.echo(
        f"{names.named} of {len(names)} units named ({names.distinct} different names) from {names.images} images"
    )
    click.echo(page)


@cli.command("names")
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
        _print_json([unit_row(name) for name in chosen])
        return
    if not units and concept is None:
        click.echo(f"{names.named} of {len(names)} units named ({names.distinct} different names)")
    if concept is not None and not chosen:
        click.echo(f"no unit is named {concept}")
    _echo_lines(name_lines(chosen))


def _write_netdissect_csv(names: Names, path: Path) -> None:
    from dissection.netdissect_csv import write_netdissect_csv
    from dissection.result import Dissection

    if path.exists():
        raise click.ClickException(f"{path} exists already; choose another file")
    if not isinstance(names, Dissection):
        raise click.UsageError("--netdissect-csv needs a dissection's folder as its source")
    write_netdissect_csv(names, path)
    click.echo(path, err=True)


@cli.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@_model_options
@click.option(
    "--names",
    "names_source",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of a dissection, or a NetDissect CSV.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder for the explanation; with several images, of their folders.",
)
@click.option("--overwrite", is_flag=True, help="Replace artifacts that are there.")
@click.option("--target", help="Class to explain, by name or number; the predicted one if not given.")
@click.option("--versus", help="Explain the target rather than this class.")
@click.option("--top", default=5, help="Units to show in each direction.")
@click.option(
    "--rank-by",
    type=click.Choice(["alpha", "contribution"]),
    default="alpha",
    help="What the ranking sorts by.",
)
@click.option("--named-only", is_flag=True, help="Rank named units alone.")
@click.option("--check/--no-check", default=True, help="Zero the strongest units and see what changes.")
@click.option("--seed", default=0, help="Seed of the check's random draws.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@config_option
def explain(
    images: tuple[Path, ...],
    names_source: Path,
    out: Path,
    overwrite: bool,
    as_json: bool,
    model: str,
    weights: str | None,
    layer: str | None,
    classes: Path | None,
    preprocess: str | None,
    device: str,
    download: bool,
    **options: Any,
) -> int:
    """Explain a network's answer to each image, in named units."""
    from neuro_explain.names import load_names
    from neuro_explain.runs import Failed, explain_to_folders, output_folders

    folders = output_folders(images, out, overwrite=overwrite)
    names = load_names(names_source)
    loaded = _load_model(model, weights, layer, classes, preprocess, device, download)
    results, failed = [], 0
    for done in explain_to_folders(
        loaded, folders, names, overwrite=overwrite, arguments=sys.argv[1:], options=options
    ):
        if isinstance(done, Failed):
            failed += 1
            click.echo(f"neuro-explain: {done.error}", err=True)
        elif as_json:
            results.append({"folder": str(done.folder), "page": str(done.page), **done.explanation.to_dict()})
        else:
            _echo_lines(
                [done.explanation.text, *(f"  note: {n}" for n in done.explanation.notes), str(done.page)]
            )
    if as_json:
        _print_json(results)
    return 1 if failed else 0


@cli.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--colors",
    type=click.Choice(["perceptual", "paper"]),
    default="perceptual",
    help="Colours of the maps at first sight.",
)
def report(folders: tuple[Path, ...], colors: str) -> None:
    """Render the page of an explanation or a dissection again."""
    from neuro_explain.report import write_report

    for folder in folders:
        click.echo(write_report(folder, colors=colors))  # type: ignore[arg-type]  # click checked the choice


def _echo_lines(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)
