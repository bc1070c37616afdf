"""Options from a file: `--config run.toml` sets what the command line does not.

Keys are the long option names of the command (`rank-by` or `rank_by`), one value each, a list where the option
may be repeated. Flags on the command line win. An unknown key is an error that lists the valid ones.
"""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import Any

import click

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_config(path: Path, command: click.Command) -> dict[str, Any]:
    """The options that a file sets, by parameter name.

    Raises:
        click.UsageError: not TOML, or a key that the command does not have.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise click.UsageError(f"--config {path}: cannot be read as TOML ({error})") from error
    valid = {_key(p): p for p in command.params if p.name not in (None, "config", "help")}
    options: dict[str, Any] = {}
    for key, value in values.items():
        written = key.replace("_", "-")
        if written not in valid:
            shown = sorted(valid)
            near = difflib.get_close_matches(written, shown, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise click.UsageError(
                f"--config {path}: unknown key {key!r}; {hint}{command.name} takes {', '.join(shown)}"
            )
        parameter = valid[written]
        several = parameter.multiple if isinstance(parameter, click.Option) else parameter.nargs == -1
        if several != isinstance(value, list) and not (several and isinstance(value, str)):
            raise click.UsageError(f"--config {path}: {key!r} takes {'a list' if several else 'one value'}")
        options[parameter.name or ""] = [value] if several and isinstance(value, str) else value
    return options


def _key(parameter: click.Parameter) -> str:
    """What a file calls a parameter: its long option without the dashes, or the argument's name."""
    if isinstance(parameter, click.Option):
        return next(text for text in parameter.opts if text.startswith("--")).removeprefix("--")
    return parameter.name or ""


def _apply(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    if path is not None:
        context.default_map = {**(context.default_map or {}), **read_config(path, context.command)}


def config_option(function: Any) -> Any:
    """Adds `--config FILE` to a command."""
    return click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        is_eager=True,  # before the other options look for their defaults
        expose_value=False,
        callback=_apply,
        help="TOML file with options of this command; flags win.",
    )(function)
