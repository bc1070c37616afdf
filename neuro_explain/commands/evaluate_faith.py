"""`neuro-explain evaluate faithfulness|ablation|discrimination|sanity`: do maps and units tell the truth?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neuro_explain.commands.options import (
    echo_lines,
    known_methods,
    model_options,
    open_model,
    print_json,
    with_options,
)
from neuro_explain.config import config_option

if TYPE_CHECKING:
    from neuro_explain.evaluate.image_sample import ImageSample, Sampled
    from neuro_explain.evaluate.map_report import MapReport
    from neuro_explain.methods.saliency import Method
    from neuro_explain.model import Model


def _image_options(function: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        click.option(
            "--images", required=True, help="Folder, list of files (.txt, .csv), pattern, or image."
        ),
        click.option(
            "--root", type=click.Path(path_type=Path), help="Folder that a list's paths start from."
        ),
        click.option("--label-column", default="label", help="Column of a .csv list that holds the labels."),
        click.option(
            "--explained",
            type=click.Choice(["predicted", "label"]),
            default="predicted",
            help="Which class of each image is explained.",
        ),
        click.option(
            "--limit",
            default=100,
            type=click.IntRange(min=0),
            help="How many images to take, evenly over the list; 0 is all.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Machine-readable output."),
        config_option,
    ]
    return with_options(options)(function)


_method_option = click.option(
    "--method",
    "names",
    multiple=True,
    default=("grad-cam",),
    callback=known_methods,
    help="Method to measure; may be repeated.",
)
_seed_option = click.option("--seed", default=0, type=click.IntRange(min=0), help="Of all that is drawn.")


@click.command("faithfulness")
@model_options
@_method_option
@click.option(
    "--cells",
    default=14,
    type=click.IntRange(min=2),
    help="Rows and columns of the grid whose cells are hidden; at least 2.",
)
@click.option(
    "--steps",
    default=49,
    type=click.IntRange(min=1),
    help="Steps of the insertion and the deletion curve; at least 1.",
)
@_seed_option
@_image_options
def evaluate_faithfulness(names: tuple[str, ...], cells: int, steps: int, seed: int, **options: Any) -> None:
    """Maps against occlusion, and by insertion and deletion: do the places that they show carry the answer?"""
    from neuro_explain.evaluate.faithfulness import Faithfulness
    from neuro_explain.evaluate.insertion_deletion import InsertionDeletion
    from neuro_explain.evaluate.map_report import joined

    model, sample, as_json = _open(**options)
    methods, grid = _methods(names), (cells, cells)
    rank = Faithfulness(model.net, methods, layer=model.layer, cells=grid)
    curves = InsertionDeletion(model.net, methods, layer=model.layer, cells=grid, steps=steps, seed=seed)
    for one in _each(sample):
        with _said_of(one):
            rank.add(one.number, one.image, one.target)
            curves.add(one.number, one.image, one.target)
    found = joined("faithfulness", [rank.report(model.name), curves.report(model.name)])
    _show(model, sample, found, as_json)


@click.command("ablation")
@model_options
@click.option("--top", default=5, type=click.IntRange(min=1), help="How many units to set to zero.")
@click.option(
    "--rank-by",
    type=click.Choice(["alpha", "contribution"]),
    default="contribution",
    help="What the units' ranking sorts by.",
)
@click.option(
    "--names",
    "names_source",
    type=click.Path(path_type=Path),
    help="Folder of a dissection, or a NetDissect CSV: take named units alone.",
)
@click.option(
    "--draws",
    default=100,
    type=click.IntRange(min=20),
    help="Random draws for each image; at least 20, of which the 95th percentile is one.",
)
@_seed_option
@_image_options
def evaluate_ablation(
    top: int, rank_by: Any, names_source: Path | None, draws: int, seed: int, **options: Any
) -> None:
    """Units of the explanation set to zero, against random units that fire: does the score hang on them?"""
    import numpy as np

    from dissection.fingerprint import weights_fingerprint
    from neuro_explain.evaluate.unit_ablation import UnitAblation
    from neuro_explain.inquiry import check_names
    from neuro_explain.names import load_names

    model, sample, as_json = _open(**options)
    named = None
    if names_source is not None:
        names = load_names(names_source)
        check_names(model, names, weights_fingerprint(model.net))
        named = np.array([name.concept is not None for name in names])
    measure = UnitAblation(
        model.net, layer=model.layer, units=top, rank_by=rank_by, named=named, draws=draws, seed=seed
    )
    for one in _each(sample):
        with _said_of(one):
            measure.add(one.number, one.image, one.target)
    _show(model, sample, measure.report(model.name), as_json)


@click.command("discrimination")
@model_options
@_method_option
@_image_options
def evaluate_discrimination(names: tuple[str, ...], **options: Any) -> None:
    """Maps of the explained class and of the best other class: does a method draw the same for both?"""
    from neuro_explain.evaluate.discrimination import Discrimination

    model, sample, as_json = _open(**options)
    if len(model.classes) < 2:
        raise click.UsageError(f"{model.name} has one class, so there are no two to tell apart")
    measure = Discrimination(model.net, _methods(names), layer=model.layer)
    for one in _each(sample):
        assert one.second is not None
        with _said_of(one):
            measure.add(one.number, one.image, one.target, one.second)
    _show(model, sample, measure.report(model.name), as_json)


@click.command("sanity")
@model_options
@_method_option
@click.option(
    "--stages", default=8, type=click.IntRange(min=1), help="In how many stages layers get fresh weights."
)
@_seed_option
@_image_options
def evaluate_sanity(names: tuple[str, ...], stages: int, seed: int, **options: Any) -> None:
    """Maps with fresh weights in the layers: does a method show what the network has learned?"""
    import torch

    from neuro_explain.evaluate.randomisation import randomisation

    model, sample, as_json = _open(**options)
    methods = _methods(names)
    images = list(_each(sample))
    found = randomisation(
        model.net,
        torch.cat([one.image for one in images]),
        [one.target for one in images],
        methods,
        layer=model.layer,
        network=model.name,
        count=stages,
        seed=seed,
        progress=True,
    )
    _show(model, sample, found, as_json)


FAITH: Sequence[click.Command] = (
    evaluate_faithfulness,
    evaluate_ablation,
    evaluate_discrimination,
    evaluate_sanity,
)
"""What the group `evaluate` takes in."""


def _open(
    images: str,
    root: Path | None,
    label_column: str,
    explained: Any,
    limit: int,
    as_json: bool,
    **model_of: Any,
) -> tuple[Model, ImageSample, bool]:
    from neuro_explain.evaluate.image_sample import ImageSample
    from neuro_explain.inputs import open_inputs

    model = open_model(**model_of)
    inputs = open_inputs(images, classes=model.classes, root=root, label_column=label_column)
    if inputs.note and explained == "label":
        click.echo(inputs.note, err=True)
    return model, ImageSample(model, inputs, limit=limit or None, explained=explained), as_json


def _methods(names: Iterable[str]) -> list[Method]:
    from neuro_explain.methods import method_named

    return [method_named(name) for name in dict.fromkeys(names)]


def _each(sample: ImageSample) -> Iterator[Sampled]:
    from tqdm import tqdm

    yield from tqdm(sample, desc="explaining", unit="image", disable=None, delay=1)


@contextmanager
def _said_of(one: Sampled) -> Iterator[None]:
    """An error says with which image it came."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{one.name}: {error}") from error


def _show(model: Model, sample: ImageSample, found: MapReport, as_json: bool) -> None:
    report = replace(
        found,
        title=f"{found.title}: {model.name}, layer {model.layer}",
        notes=(
            *sample.notes(),
            *found.notes,
            "95 %: a bootstrap over images, or Wilson's interval of a share",
        ),
    )
    if as_json:
        print_json(report.to_dict())
    else:
        echo_lines(report.lines())
