"""What several commands share: the options that name a model, and how results are printed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from neuro_explain.cluster import Cluster
    from neuro_explain.model import Model
    from neuro_explain.tower import Tower


AnyTower = TypeVar("AnyTower", bound="Tower")


def model_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that say which network, which layer and where; `open_model` takes their values."""
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
    return with_options(options)(function)


def cluster_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that say which machines share the work; `cluster_of` takes their values."""
    options = [
        click.option(
            "--cluster",
            metavar="ADDRESS",
            help="Share the work over a Ray cluster: auto, HOST:PORT, or local.",
        ),
        click.option(
            "--cpus-per-share", default=1, help="With --cluster: processors of a share of the work."
        ),
        click.option("--gpus-per-share", default=0.0, help="With --cluster: accelerators of a share."),
    ]
    return with_options(options)(function)


def cluster_of(
    cluster: str | None, cpus_per_share: int, gpus_per_share: float, **others: Any
) -> tuple[Cluster | None, dict[str, Any]]:
    """The cluster that the options name, None without one; and the other options."""
    if cluster is None:
        if cpus_per_share != 1 or gpus_per_share != 0:
            raise click.UsageError(
                "--cpus-per-share and --gpus-per-share are for work on a cluster; add --cluster"
            )
        return None, others
    from neuro_explain.cluster import Cluster

    return Cluster(cluster, cpus=cpus_per_share, gpus=gpus_per_share), others


def with_options(options: Sequence[Callable[..., Any]]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that adds all of these options, listed by `--help` in this order."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def with_flags(message: str, command: click.Command) -> str:
    """A message of the library, whose arguments are options here: `max_q: …` is `--max-q: …`, `seed=1` `--seed 1`."""
    flags = {
        text.removeprefix("--").replace("-", "_"): text
        for parameter in command.params
        for text in (*parameter.opts, *parameter.secondary_opts)
        if isinstance(parameter, click.Option) and text.startswith("--")
    }
    if not flags:
        return message
    any_of = "|".join(sorted(flags, key=len, reverse=True))
    message = re.sub(rf"^({any_of})(?=: )", lambda found: flags[found[1]], message)
    message = re.sub(
        rf"(?<![\w?&.'\"-])({any_of})=(?:True\b)?(?=(\S?))",
        lambda found: f"{flags[found[1]]}{' ' if found[2].strip(',;.)') else ''}",
        message,
    )
    # a name of two words is no word of a sentence, so it is the argument wherever it stands
    joined = "|".join(name for name in flags if "_" in name)
    if not joined:
        return message
    return re.sub(rf"(?<![\w/.'\"-])({joined})(?![\w/.'\"=(])", lambda found: flags[found[1]], message)


@contextmanager
def usage() -> Iterator[None]:
    """What the library says inside is wrong with what was typed: the option is named, and the status is 2."""
    try:
        yield
    except (TypeError, ValueError) as error:
        context = click.get_current_context()
        raise click.UsageError(with_flags(str(error), context.command), context) from error


def known_methods(context: click.Context, option: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    """Callback of an option that takes names of methods: an unknown one is told before a network is loaded."""
    from neuro_explain.methods import method_named

    for name in () if context.resilient_parsing else names:
        try:
            method_named(name)
        except ValueError as error:
            raise click.BadParameter(str(error), context, option) from error
    return names


def open_model(**options: Any) -> Model:
    """Loads the model that the options name, and says on the standard error which layer was chosen and why."""
    from neuro_explain.zoo import load_model

    return _told(load_model(options.pop("model"), **options))


def open_tower(**options: Any) -> Tower:
    """As `open_model`, but the image tower of a network that speaks will do too."""
    from neuro_explain.zoo import load_tower

    return _told(load_tower(options.pop("model"), **options))


def _told(loaded: AnyTower) -> AnyTower:
    click.echo(f"{loaded.name}: {loaded.layer_reason}", err=True)
    return loaded


def print_json(value: Any) -> None:
    """One value as JSON, for programs."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=1))


def echo_lines(lines: Iterable[str]) -> None:
    """Lines for people."""
    for line in lines:
        click.echo(line)
