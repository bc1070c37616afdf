"""`neuro-explain study`: ask people what they see in maps, and score what they say."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
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
    from neuro_explain.methods.saliency import Method
    from neuro_explain.study.question import Material

_MODEL = ("model", "weights", "layer", "classes", "preprocess", "device", "download")


@click.group("study")
def study() -> None:
    """Ask people: which class do the maps show, which network is more reliable?"""


@study.group("make")
def make() -> None:
    """Write the pages of a survey, one for each rater, and the key to them."""


def _make_options(methods: str, photographs: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return with_options(
        [
            click.option(
                "--method",
                "method_names",
                multiple=True,
                default=methods.split(),
                callback=known_methods,
                help="A method whose maps are shown; may be repeated.",
            ),
            click.option(
                "--photographs",
                default=photographs,
                help="How many to ask about, by chance among those that fit.",
            ),
            click.option("--ratings", default=9, help="Raters of each question."),
            click.option(
                "--raters", type=int, help="Pages to write; if not given, none shows a photograph twice."
            ),
            click.option("--seed", default=0, help="Of all that is left to chance."),
            click.option(
                "--out", required=True, type=click.Path(path_type=Path), help="Folder for pages and key."
            ),
            click.option("--overwrite", is_flag=True, help="Replace a study that is there."),
            click.option("--json", "as_json", is_flag=True, help="Machine-readable output."),
            config_option,
        ]
    )


@make.command("discrimination")
@model_options
@click.option("--images", "spec", required=True, help="Annotated photographs: coco:DIR, voc:DIR, ilsvrc:DIR.")
@click.option(
    "--class-map",
    "table",
    help="CSV (category, class): which classes stand for which category; imagenet-coco is shipped.",
)
@click.option(
    "--view",
    type=click.Choice(["crop", "whole"]),
    default="crop",
    help="Show the network the centre crop of its preprocessing, or the whole photograph, squashed.",
)
@_make_options("guided-backprop guided-grad-cam deconvolution deconvolution-grad-cam", 45)
def discrimination(
    spec: str, table: str | None, view: Any, method_names: tuple[str, ...], **options: Any
) -> None:
    """Which of two classes is this picture of? On photographs with exactly two annotated categories."""
    from neuro_explain.evaluate.annotated import open_annotated
    from neuro_explain.evaluate.class_map import class_map
    from neuro_explain.study.discrimination import discrimination_questions

    methods = _checked(method_names, options)
    images = open_annotated(spec)
    model = open_model(**{name: options[name] for name in _MODEL})
    material = discrimination_questions(
        model,
        images,
        methods,
        class_map(images.categories, model.classes, table, kind=images.kind),
        photographs=options["photographs"],
        view=view,
        seed=options["seed"],
    )
    _write(material, options, {"method": list(method_names), "view": view, "class_map": table})


@make.command("trust")
@model_options
@click.option("--against", required=True, help="The second network, of the same classes.")
@click.option("--against-weights", help="As --weights, of the second network.")
@click.option("--against-layer", help="As --layer, of the second network.")
@click.option("--against-preprocess", help="As --preprocess, of the second network.")
@click.option(
    "--images", "source", required=True, help="Labelled photographs: a folder of class folders, or a list."
)
@click.option("--root", type=click.Path(path_type=Path), help="Folder that a list's paths start from.")
@click.option("--label-column", default="label", help="Column of a .csv list that holds the labels.")
@_make_options("guided-backprop guided-grad-cam", 30)
def trust(
    against: str,
    against_weights: str | None,
    against_layer: str | None,
    against_preprocess: str | None,
    source: str,
    root: Path | None,
    label_column: str,
    method_names: tuple[str, ...],
    **options: Any,
) -> None:
    """Which of two networks is more reliable? On photographs that both get right."""
    from neuro_explain.inputs import open_inputs
    from neuro_explain.study.trust import trust_questions

    methods = _checked(method_names, options)
    first = open_model(**{name: options[name] for name in _MODEL})
    second = open_model(
        model=against,
        weights=against_weights,
        layer=against_layer,
        preprocess=against_preprocess,
        **{name: options[name] for name in ("classes", "device", "download")},
    )
    inputs = open_inputs(source, classes=first.classes, root=root, label_column=label_column)
    material = trust_questions(
        first, second, inputs, methods, photographs=options["photographs"], seed=options["seed"]
    )
    _write(material, options, {"method": list(method_names)})


def _checked(names: Sequence[str], options: dict[str, Any]) -> list[Method]:
    """The methods; what would stop the study from being written shows before a network is loaded."""
    from dissection.artifact import check_writable
    from neuro_explain.methods import method_named
    from neuro_explain.study.folder import KIND

    check_writable(options["out"], kind=KIND, overwrite=options["overwrite"])
    for name in ("photographs", "ratings", "raters"):
        if options[name] is not None and options[name] < 1:
            with usage():
                raise ValueError(f"{name}: expected at least 1, got {options[name]}")
    if options["raters"] is not None and options["ratings"] > options["raters"]:
        with usage():
            raise ValueError(
                f"ratings: expected at most {options['raters']}, as many as there are raters, got {options['ratings']}"
            )
    return [method_named(name) for name in dict.fromkeys(names)]


def _write(material: Material, options: dict[str, Any], typed: dict[str, Any]) -> None:
    from dataclasses import replace

    from neuro_explain.runs import command_line
    from neuro_explain.study.folder import KEY, make_study

    made = make_study(
        replace(material, options={**typed, "photographs": options["photographs"]}),
        ratings=options["ratings"],
        raters=options["raters"],
        seed=options["seed"],
    )
    pages = made.save(options["out"], overwrite=options["overwrite"], command=command_line(sys.argv[1:]))
    loads = [len(sheet) for sheet in made.key.sheets.values()]
    if options["as_json"]:
        print_json(
            {
                "folder": str(options["out"]),
                "pages": str(pages),
                "key": str(options["out"] / KEY),
                "study": made.key.study,
                "questions": len(material.questions),
                "raters": len(loads),
                "questions_per_rater": [min(loads), max(loads)],
                "notes": list(material.notes),
            }
        )
        return
    each = f"{min(loads)}" if min(loads) == max(loads) else f"{min(loads)} to {max(loads)}"
    echo_lines(
        [
            f"{len(material.questions):,} questions, {options['ratings']} raters for each: {len(loads)} pages of "
            f"{each}",
            *material.notes,
            f"send each rater one file of {pages}, and nothing else: {options['out'] / KEY} holds the answers",
        ]
    )


@study.command("score")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument(
    "returned", metavar="FILE_OR_FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def score_command(folder: Path, returned: tuple[Path, ...], as_json: bool) -> None:
    """Score what raters of the study in FOLDER have returned: files, or a folder with all its .json files."""
    from neuro_explain.study.answers import read_answers
    from neuro_explain.study.folder import load_key
    from neuro_explain.study.score import score

    key = load_key(folder)
    report = score(key, read_answers(key, returned))
    if as_json:
        print_json(report.to_dict())
    else:
        echo_lines(report.lines())


@study.command("simulate")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--accuracy", default=0.7, help="Share of right answers; of trust, of answers for the first network."
)
@click.option("--raters", type=int, help="How many answer; all if not given.")
@click.option("--seed", default=0, help="Of the answers.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="New folder for the returned files."
)
def simulate_command(folder: Path, accuracy: float, raters: int | None, seed: int, out: Path) -> None:
    """Answer the study in FOLDER by chance, with a known accuracy: to try out its statistics."""
    from neuro_explain.study.folder import load_key
    from neuro_explain.study.simulation import simulate, write_simulated

    key = load_key(folder)
    count = len(key.sheets) if raters is None else raters
    with usage():
        files = simulate(key, accuracy=accuracy, raters=count, seed=seed)
    written = write_simulated(files, out)
    echo_lines([f"{len(written)} files of simulated raters in {out}"])
