"""`neuro-explain evaluate localisation`, `pointing`, `seeds`: do maps lie where the annotated things are?"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neuro_explain.commands.options import (
    echo_lines,
    known_methods,
    model_options,
    open_model,
    print_json,
    usage,
    with_options,
)
from neuro_explain.config import config_option

if TYPE_CHECKING:
    from neuro_explain.evaluate.map_report import MapReport


class _Number(click.FloatRange):
    """A number in a range; NaN is in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, refused where it is none."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


_SHARE = _Number(min=0, max=1, min_open=True)


def _map_options(view: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """What the three commands share; `_material` takes their values."""
    return with_options(
        [
            click.option(
                "--images",
                "spec",
                required=True,
                help="Annotated photographs: coco:DIR, voc:DIR, ilsvrc:DIR.",
            ),
            click.option(
                "--method",
                "method_names",
                multiple=True,
                default=("grad-cam",),
                callback=known_methods,
                help="A method whose maps are measured; may be repeated.",
            ),
            click.option(
                "--class-map",
                "table",
                help="CSV (category, class): which classes stand for which category; imagenet-coco is shipped. "
                "A category without a row stands for the class of equal name; a row whose category is none of the "
                "photographs' is an error.",
            ),
            click.option(
                "--first", type=click.IntRange(min=1), help="Only so many photographs, from the first."
            ),
            click.option(
                "--view",
                type=click.Choice(["crop", "whole"]),
                default=view,
                help="Show the network the centre crop of its preprocessing, or the whole photograph, squashed.",
            ),
            click.option(
                "--batch-size", type=click.IntRange(min=1), default=16, help="Images per forward pass."
            ),
            click.option("--json", "as_json", is_flag=True, help="Machine-readable output."),
            config_option,
        ]
    )


@click.command("localisation")
@model_options
@click.option("--share", type=_SHARE, default=0.15, help="Of its maximum, what a pixel of a map must reach.")
@click.option("--min-iou", type=_SHARE, default=0.5, help="IoU that a right box has.")
@click.option("--difficult", is_flag=True, help="Ask for things that are marked difficult, too.")
@_map_options("crop")
def evaluate_localisation(as_json: bool, **options: Any) -> None:
    """Do maps find the whole thing? Errors of the box around a map's largest part: top-1, top-5, class given."""
    from neuro_explain.evaluate.localisation import localisation_report

    _print(localisation_report(**_material(options)), as_json=as_json)


@click.command("pointing")
@model_options
@click.option(
    "--tolerance",
    type=_Number(min=0, max=math.inf, max_open=True),
    default=0.0,
    help="Pixels by which a point may miss; TorchRay takes 15.",
)
@click.option("--difficult", is_flag=True, help="Ask for things that are marked difficult, too.")
@click.option(
    "--reject-below",
    type=_Number(min=0),
    help="Variant with recall: maximum under which a map rejects its class. If not given, it is chosen on half of "
    "the photographs, of which there must be ten.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of the halves.")
@_map_options("crop")
def evaluate_pointing(as_json: bool, **options: Any) -> None:
    """Do maps point at the thing? The pointing game, its difficult subset, and its variant with recall."""
    from neuro_explain.evaluate.pointing import pointing_report

    _print(pointing_report(**_material(options)), as_json=as_json)


@click.command("seeds")
@model_options
@click.option("--share", type=_SHARE, default=0.2, help="Of its maximum, what a pixel of a map must reach.")
@click.option(
    "--background-share",
    type=_Number(min=0, max=1),
    default=0.05,
    help="With --out: under which all maps are where the background is; --share at most.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="New folder for the cues, for training that reads SEC's."
)
@_map_options("whole")
def evaluate_seeds(as_json: bool, **options: Any) -> None:
    """Do maps tell which pixels are which class? Mean IoU of the seeds of weakly supervised segmentation."""
    from neuro_explain.evaluate.segmentation import seeds_report

    if options["background_share"] > options["share"]:
        raise click.UsageError(
            f"--background-share: expected at most --share, {options['share']:g}, got {options['background_share']:g}"
        )
    _print(seeds_report(**_material(options, pixels=options["out"] is None)), as_json=as_json)


MAP_COMMANDS = (evaluate_localisation, evaluate_pointing, evaluate_seeds)


def _material(options: dict[str, Any], *, pixels: bool = False) -> dict[str, Any]:
    """Opens the network, the photographs, the methods and the class map; the other options stay as they are.

    The network comes last: what is wrong with the others is said without waiting for it.

    Args:
        options: of the command.
        pixels: whether it must be known which pixels are what.
    """
    from neuro_explain.evaluate.annotated import layout_of, open_annotated
    from neuro_explain.evaluate.class_map import class_map, table_path
    from neuro_explain.methods import method_named

    spec, table = options.pop("spec"), options.pop("table")
    with usage():
        layout_of(spec)
    try:
        if table is not None:
            table_path(table)
    except FileNotFoundError as error:
        raise click.UsageError(f"--class-map: {error}") from error
    methods = [method_named(name) for name in dict.fromkeys(options.pop("method_names"))]
    images = open_annotated(spec)
    first = options.pop("first")
    images = images if first is None else images.first(first)
    if pixels:
        images.need_pixels()
    names = ("model", "weights", "layer", "classes", "preprocess", "device", "download")
    model = open_model(**{name: options.pop(name) for name in names})
    classes = class_map(images.categories, model.classes, table, kind=images.kind)
    return {"model": model, "images": images, "methods": methods, "classes": classes, **options}


def _print(report: MapReport, *, as_json: bool) -> None:
    if as_json:
        print_json(report.to_dict())
    else:
        echo_lines(report.lines())
