"""`neuro-explain dissect`: name the units of a layer."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dissection.presets import PRESETS
from neuro_explain.commands.options import (
    cluster_of,
    cluster_options,
    model_options,
    open_tower,
    print_json,
    usage,
    with_flags,
)
from neuro_explain.config import Names, config_option, flags_win

if TYPE_CHECKING:
    from dissection.options import Options
    from dissection.result import Dissection


@click.command()
@model_options
@click.option(
    "--layers",
    type=Names(),
    metavar="NAME,NAME",
    help="Several layers in one pass, in place of --layer; each gets a folder of its name in --out.",
)
@click.option(
    "--concepts", "specs", multiple=True, required=True, help="Concept set; repeat it to join several."
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder for the names and their page."
)
@click.option("--overwrite", is_flag=True, help="Replace an artifact that is there.")
@click.option(
    "--preset",
    type=click.Choice(tuple(PRESETS)),
    default="ours",
    help="Whose rules hold; what is not given below is as they have it.",
)
@click.option(
    "--quantile", type=float, help="Share of positions in which a unit may be active; ours is 0.005."
)
@click.option("--min-iou", type=float, help="IoU that a name needs; ours is 0.05.")
@click.option(
    "--max-q", type=float, help="False discovery rate that a name may have; ours is 0.05, 1 admits all."
)
@click.option(
    "--permutations",
    default=100,
    help="How often labels are exchanged between images to see what chance gives; 0 does not ask.",
)
@click.option("--seed", default=0, help="Of these exchanges.")
@click.option(
    "--label-size",
    type=int,
    help="Side in pixels of the square on which masks and labels meet; ours is 112.",
)
@click.option(
    "--compositions",
    default=0,
    help="Name units also by formulas of up to so many labels (and, or, and not); 3 is usual.",
)
@click.option(
    "--merge",
    metavar="own|FILE",
    help="Merge synonyms and add broader concepts: by the sets' own table, or a CSV (name, category, into, kind: "
    "synonym or hypernym).",
)
@click.option("--exemplars", default=4, help="Example crops per unit.")
@click.option("--batch-size", default=32, help="Images per forward pass.")
@click.option("--workers", default=2, help="Threads that read images.")
@click.option(
    "--memory", default=1024, help="MiB of maps and labels in memory; more goes to disk, beside --out."
)
@cluster_options
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@config_option
@click.pass_context
def dissect(
    context: click.Context,
    /,
    layers: tuple[str, ...] | None,
    specs: tuple[str, ...],
    out: Path,
    overwrite: bool,
    preset: str,
    quantile: float | None,
    min_iou: float | None,
    max_q: float | None,
    permutations: int,
    seed: int,
    label_size: int | None,
    compositions: int,
    merge: str | None,
    exemplars: int,
    batch_size: int,
    workers: int,
    memory: int,
    as_json: bool,
    **others: Any,
) -> None:
    """Name the units of a network's layer: which concept does each detect?"""
    from dissection.artifact import MANIFEST, check_writable
    from dissection.options import choose
    from dissection.readers.merged import merged
    from neuro_explain.names import dissect as dissect_model
    from neuro_explain.names import dissect_layers, open_concepts

    cluster, model = cluster_of(**others)
    held = flags_win(context, "layer", "layers")
    if "layers" not in held:
        layers = None
    if "layer" not in held:
        model["layer"] = None
    options: Options = {
        "preset": preset,
        "quantile": quantile,
        "label_size": label_size,
        "min_iou": min_iou,
        "max_q": max_q,
        "permutations": permutations,
        "seed": seed,
        "compositions": compositions,
        "exemplars": exemplars,
        "batch_size": batch_size,
        "workers": workers,
        "memory": memory << 20,
    }
    with usage():
        if warning := choose(options).warning:
            click.echo(f"note: {with_flags(warning, context.command)}", err=True)
    if layers is None:
        check_writable(out, kind="dissection", overwrite=overwrite)
    else:
        if (out / MANIFEST).exists():
            raise click.UsageError(
                f"{out} is a result itself; with --layers give a folder to hold one of each layer"
            )
        for layer in layers:
            check_writable(out / layer, kind="dissection", overwrite=overwrite)
        if others_there := [name for name in _dissections_in(out) if name not in layers]:
            click.echo(f"note: {out} holds names of other layers too: {', '.join(others_there)}", err=True)
    opened = open_concepts(list(specs))
    if merge is not None:
        opened = merged(opened, merge)
    loaded = open_tower(**model)
    scratch = out.absolute().parent
    scratch.mkdir(parents=True, exist_ok=True)
    options["scratch"] = scratch
    if layers is None:
        found = {out: dissect_model(loaded, opened, cluster=cluster, **options)}
    else:
        by_layer = dissect_layers(loaded, opened, layers, cluster=cluster, **options)
        found = {out / layer: names for layer, names in zip(layers, by_layer.values(), strict=True)}
    several = layers is not None
    told = [
        _saved(names, folder, several=several, overwrite=overwrite, as_json=as_json)
        for folder, names in found.items()
    ]
    if as_json:
        print_json(told[0] if layers is None else told)


def _dissections_in(folder: Path) -> list[str]:
    """The folders in a folder that hold a dissection."""
    from dissection.artifact import MANIFEST
    from dissection.result import KIND

    found = []
    for manifest in sorted(folder.glob(f"*/{MANIFEST}")):
        try:
            kind = json.loads(manifest.read_text(encoding="utf-8")).get("kind")
        except (OSError, ValueError, AttributeError):  # what cannot be read is none
            continue
        if kind == KIND:
            found.append(manifest.parent.name)
    return found


def _saved(
    names: Dissection, folder: Path, *, several: bool, overwrite: bool, as_json: bool
) -> dict[str, Any]:
    """Saves the names of a layer, and says what they come to."""
    from dissection.summary import chance_lines
    from neuro_explain.report import write_report
    from neuro_explain.runs import command_line

    names.save(folder, overwrite=overwrite, command=command_line(sys.argv[1:]))
    page = write_report(folder)
    if not as_json:
        if several:
            click.echo(names.layer_reason)
        for line in chance_lines(names):
            click.echo(line)
        click.echo(
            f"{names.named} of {len(names)} units named ({names.distinct} different names) from {names.images} images"
        )
        click.echo(page)
    return {"folder": str(folder), "page": str(page), **names.summary()}
