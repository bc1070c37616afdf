"""`neuro-explain evaluate bias|failures|adversarial`: what is wrong with a network, told by its named units."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neuro_explain.commands.options import echo_lines, model_options, open_model, print_json
from neuro_explain.config import config_option

if TYPE_CHECKING:
    from dissection.names import Names

_rank_by = click.option(
    "--rank-by",
    type=click.Choice(["alpha", "contribution"]),
    default="contribution",
    help="What makes a unit strong.",
)
_top = click.option("--top", default=5, type=click.IntRange(min=1), help="How many units count as strongest.")
_overwrite = click.option("--overwrite", is_flag=True, help="Replace what is in the folder.")
_json = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


class _Share(click.ParamType):  # type: ignore[type-arg]  # a class of one argument in new versions of click only
    """A share above 0 and up to 1, as a fraction (8/255) or a decimal."""

    name = "SHARE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        try:
            share = float(Fraction(str(value)))
        except (ValueError, ZeroDivisionError, OverflowError):
            share = 0.0
        if not 0 < share <= 1:
            self.fail(f"expected a share such as 8/255 or 0.03, above 0 up to 1, got {value!r}", param, ctx)
        return share


def _check_top(top: int, names: Names) -> None:
    most = max(1, len(names) // 2)
    if top > most:
        raise click.BadParameter(
            f"expected 1 to {most} units, half of the {len(names)} that the names are of, got {top}",
            param_hint="--top",
        )


@click.command("bias")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for everything.")
@click.option("--scenes", default=200, help="Test scenes; each is drawn twice.")
@click.option(
    "--learned", type=int, help="Scenes to learn from, and as many counterexamples; 1,500 if not given."
)
@click.option("--concepts", default=400, help="Scenes that name the units.")
@click.option("--workers", default=2, help="Processes that draw and read.")
@click.option("--seed", default=0, help="Of the first weights and the order in which it learns.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@config_option
def evaluate_bias(
    out: Path, scenes: int, learned: int | None, concepts: int, workers: int, seed: int, as_json: bool
) -> None:
    """On a drawn world: find a bias by named units, add counterexamples, and see it gone (Grad-CAM paper, Sec. 6.3)."""
    from neuro_explain.evaluate.bias import bias_story
    from neuro_explain.evaluate.bias_page import save_story
    from neuro_explain.runs import command_line

    story = bias_story(out, scenes=scenes, learned=learned, concepts=concepts, workers=workers, seed=seed)
    page = save_story(story, command=command_line(sys.argv[1:]))
    if as_json:
        print_json(story.to_dict())
    else:
        echo_lines([*story.lines(), str(page)])


@click.command("failures")
@click.argument("source", metavar="IMAGES")
@model_options
@click.option(
    "--names",
    "names_source",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of a dissection, or a NetDissect CSV.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the page.")
@click.option("--root", type=click.Path(path_type=Path), help="Folder that a list's paths start from.")
@click.option("--label-column", default="label", help="Column of a .csv list that holds the labels.")
@click.option(
    "--label-classes",
    type=click.Path(path_type=Path),
    help="JSON file that says of each label which classes it stands for.",
)
@click.option("--limit", default=12, type=click.IntRange(min=0), help="How many wrong images to show.")
@click.option(
    "--most",
    default=1000,
    type=click.IntRange(min=1),
    help="How many wrong images to ask what spoke for the wrong class, at most.",
)
@_top
@_rank_by
@click.option("--batch-size", default=16, type=click.IntRange(min=1), help="Images per forward pass.")
@_overwrite
@_json
@config_option
def evaluate_failures(
    source: str,
    names_source: Path,
    out: Path,
    root: Path | None,
    label_column: str,
    label_classes: Path | None,
    limit: int,
    most: int,
    top: int,
    rank_by: Any,
    batch_size: int,
    overwrite: bool,
    as_json: bool,
    **model_of: Any,
) -> None:
    """What does the network get wrong of the labelled IMAGES, and which named units speak for the wrong class?"""
    from dissection.artifact import check_writable
    from neuro_explain.document import KIND
    from neuro_explain.evaluate.failures import find_failures
    from neuro_explain.evaluate.failures_page import save_failures
    from neuro_explain.inputs import open_inputs
    from neuro_explain.names import load_names
    from neuro_explain.runs import command_line

    check_writable(out, kind=KIND, overwrite=overwrite)
    names = load_names(names_source)
    _check_top(top, names)
    model = open_model(**model_of)
    inputs = open_inputs(
        source,
        classes=model.classes,
        root=root,
        label_column=label_column,
        label_classes=label_classes,
    )
    if inputs.note:
        click.echo(inputs.note, err=True)
    found = find_failures(
        model, inputs, names, top=top, rank_by=rank_by, most=most, batch_size=batch_size, progress=True
    )
    page = save_failures(
        found,
        model,
        inputs,
        names,
        out,
        limit=limit,
        rank_by=rank_by,
        overwrite=overwrite,
        command=command_line(sys.argv[1:]),
    )
    if as_json:
        print_json({"page": str(page), **found.to_dict()})
        return
    echo_lines([*found.lines(), str(page)])


@click.command("adversarial")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@model_options
@click.option("--class", "absent", required=True, help="Class that no image shows, by name or number.")
@click.option(
    "--present",
    multiple=True,
    help="Class that the images show; may be repeated. The network's two best of each if not given.",
)
@click.option(
    "--names",
    "names_source",
    type=click.Path(path_type=Path),
    help="Folder of a dissection, or a NetDissect CSV.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the page.")
@click.option(
    "--confidence",
    default=0.9999,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="The probability to exceed.",
)
@click.option(
    "--epsilon",
    type=_Share(),
    default="8/255",
    help="Largest change of a pixel, as a share of its range: 8/255 is 8 steps of an 8-bit picture.",
)
@click.option("--step", type=_Share(), default="1/255", help="Change of a pixel in one step, likewise.")
@click.option("--steps", default=100, type=click.IntRange(min=1), help="How many steps at most.")
@_top
@_rank_by
@_overwrite
@_json
@config_option
def evaluate_adversarial(
    images: tuple[Path, ...],
    absent: str,
    present: tuple[str, ...],
    names_source: Path | None,
    out: Path,
    overwrite: bool,
    as_json: bool,
    confidence: float,
    epsilon: float,
    step: float,
    steps: int,
    top: int,
    rank_by: Any,
    **model_of: Any,
) -> int:
    """Make the network sure of an absent class by a change that is hard to see: do maps and units follow?

    The Grad-CAM paper's Fig. 7.
    """
    from dissection.artifact import check_writable
    from neuro_explain.document import KIND
    from neuro_explain.evaluate.adversarial_effect import NotReachedError, fool
    from neuro_explain.evaluate.adversarial_page import save_fooled
    from neuro_explain.names import load_names
    from neuro_explain.runs import command_line

    check_writable(out, kind=KIND, overwrite=overwrite)
    names = None if names_source is None else load_names(names_source)
    if names is not None:
        _check_top(top, names)
    model = open_model(**model_of)
    options: dict[str, Any] = {
        "present": present,
        "confidence": confidence,
        "epsilon": epsilon,
        "step": step,
        "steps": steps,
        "top": top,
        "rank_by": rank_by,
    }
    found, missed = [], []
    for image in images:
        try:
            found.append(fool(model, image, absent, names, **options))
        except NotReachedError as error:
            missed.append(str(error))
    if not found:
        raise NotReachedError("; ".join(missed))
    for sentence in missed:
        click.echo(f"neuro-explain: {sentence}", err=True)
    page = save_fooled(
        found,
        model,
        out,
        options=options,
        missed=missed,
        named=names is not None,
        overwrite=overwrite,
        command=command_line(sys.argv[1:]),
    )
    if as_json:
        print_json({"page": str(page), "images": [one.to_dict() for one in found], "missed": missed})
    else:
        echo_lines([*(line for one in found for line in one.lines()), str(page)])
    return 1 if missed else 0


DIAGNOSES = (evaluate_bias, evaluate_failures, evaluate_adversarial)
"""The commands of this module."""
