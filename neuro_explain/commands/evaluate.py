"""`neuro-explain evaluate`: is it true?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dissection.presets import PRESETS
from neuro_explain.commands.evaluate_diagnosis import DIAGNOSES
from neuro_explain.commands.evaluate_faith import FAITH
from neuro_explain.commands.evaluate_maps import MAP_COMMANDS
from neuro_explain.commands.options import echo_lines, model_options, open_tower, print_json
from neuro_explain.config import config_option


@click.group()
def evaluate() -> None:
    """Measure names and explanations against what is known."""


for _command in (*MAP_COMMANDS, *FAITH, *DIAGNOSES):
    evaluate.add_command(_command)


@evaluate.command("diorama")
@click.option("--model", default="diorama-scenes", help="A network of scene categories.")
@click.option("--weights", help="Its weights, if not its own, or 'random'.")
@click.option(
    "--names",
    "names_source",
    type=click.Path(path_type=Path),
    help="Folder of its dissection; made here on --concepts if not given.",
)
@click.option("--concepts", default="diorama:7:1000", help="Concept set to name its units by.")
@click.option("--scenes", default=560, help="Fresh scenes, over all categories alike.")
@click.option("--seed", default=9001, help="World of the fresh scenes.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@config_option
def evaluate_diorama(
    model: str,
    weights: str | None,
    names_source: Path | None,
    concepts: str,
    scenes: int,
    seed: int,
    as_json: bool,
) -> None:
    """In drawn scenes, whose truth is known: are the names right, and do explanations speak of what is there?"""
    from neuro_explain.evaluate.diorama import truth_report
    from neuro_explain.names import dissect, load_names
    from neuro_explain.recipes.diorama_nets import NAMES, card
    from neuro_explain.zoo import load_model

    loaded = load_model(model, weights=weights)
    names = load_names(names_source) if names_source else dissect(loaded, concepts, exemplars=0)
    # other weights of the same name were taught who knows what
    taught = card(model)["taught"] if model in NAMES and weights is None else ()
    report = truth_report(loaded, names, taught=taught, seed=seed, scenes=scenes)
    if as_json:
        print_json(report.to_dict())
    else:
        echo_lines(report.lines())


@evaluate.command("language")
@click.option("--captioner", default="diorama-captioner", help="A captioner of the diorama.")
@click.option(
    "--answerer",
    "answerers",
    multiple=True,
    default=("diorama-vqa",),
    help="A network that answers questions about the diorama; may be repeated.",
)
@click.option("--scenes", default=100, help="Fresh scenes.")
@click.option("--seed", default=9002, help="World of the fresh scenes.")
@click.option(
    "--method",
    "methods",
    multiple=True,
    default=("grad-cam", "guided-backprop", "guided-grad-cam"),
    help="A method whose maps are measured; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@config_option
def evaluate_language(
    captioner: str,
    answerers: tuple[str, ...],
    scenes: int,
    seed: int,
    methods: tuple[str, ...],
    as_json: bool,
) -> None:
    """In drawn scenes, whose truth is known: do the maps of words and answers lie where they should?"""
    from neuro_explain.evaluate.language import language_report
    from neuro_explain.zoo import load_answerer, load_captioner

    report = language_report(
        load_captioner(captioner),
        [load_answerer(name) for name in answerers],
        seed=seed,
        scenes=scenes,
        methods=methods,
    )
    if as_json:
        print_json(report.to_dict())
    else:
        echo_lines(report.lines())


@evaluate.command("names")
@model_options
@click.option(
    "--concepts", "specs", multiple=True, help="Concept set to cut into halves; repeat it to join several."
)
@click.option(
    "--class-set",
    "class_specs",
    multiple=True,
    help="Concept set whose labels are the network's classes, such as labels:FILE.csv; may be repeated.",
)
@click.option(
    "--preset",
    type=click.Choice(tuple(PRESETS)),
    default="ours",
    help="Whose rules hold; what is not given below is as they have it.",
)
@click.option(
    "--quantile", type=float, help="Share of positions in which a unit may be active; ours is 0.005."
)
@click.option(
    "--class-quantile",
    type=float,
    help="The same for the units of the class scores; 1 / (number of classes tested) if not given.",
)
@click.option(
    "--label-size",
    type=int,
    help="Side in pixels of the square on which masks and labels meet; ours is 112.",
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
@click.option("--batch-size", default=32, help="Images per forward pass.")
@click.option("--workers", default=2, help="Threads that read images.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@config_option
def evaluate_names(
    specs: tuple[str, ...],
    class_specs: tuple[str, ...],
    preset: str,
    quantile: float | None,
    class_quantile: float | None,
    label_size: int | None,
    min_iou: float | None,
    max_q: float | None,
    permutations: int,
    seed: int,
    batch_size: int,
    workers: int,
    as_json: bool,
    **model: Any,
) -> None:
    """Can names be trusted? Class scores named as their class, names that tell held-out activations, stable names."""
    from neuro_explain.evaluate.names import names_report
    from neuro_explain.names import open_concepts

    if not specs and not class_specs:
        raise click.UsageError(
            "give --concepts to try the names of units, or --class-set to try those of class scores"
        )
    concepts = open_concepts(list(specs)) if specs else None
    class_set = open_concepts(list(class_specs)) if class_specs else None
    report = names_report(
        open_tower(**model),
        concepts,
        class_set=class_set,
        class_quantile=class_quantile,
        preset=preset,
        quantile=quantile,
        label_size=label_size,
        min_iou=min_iou,
        max_q=max_q,
        permutations=permutations,
        seed=seed,
        batch_size=batch_size,
        workers=workers,
    )
    if as_json:
        print_json(report.to_dict())
    else:
        echo_lines(report.lines())
