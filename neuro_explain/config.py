"""Options from a file: `--config run.toml` sets what the command line does not.

Keys are the long option names of the command (`rank-by` or `rank_by`), one value each, a list where the option
may be repeated or takes several values. Flags on the command line win: also one that stands in place of another
option, which the file sets (`flags_win`). An unknown key is an error that lists the valid ones.
"""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class Names(click.ParamType):  # type: ignore[type-arg]  # a class of one argument in new versions of click only
    """Several different names in one value, with commas between them; a list of them in a file."""

    name = "NAME,NAME"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The names, of which there is one at least, without the space around them."""
        parts = value.split(",") if isinstance(value, str) else value
        names = tuple(part.strip() for part in parts if part.strip())
        if not names or len(set(names)) < len(names):
            self.fail(f"expected different names, at least one, got {', '.join(names) or 'none'}", param, ctx)
        return names


def flags_win(context: click.Context, *names: str) -> set[str]:
    """Of parameters that exclude each other, those that hold: what stands in a file counts for nothing beside a flag.

    Args:
        context: of the command that runs.
        names: of its parameters.

    Raises:
        click.UsageError: two of them are on the command line, or in the file.
    """
    given = [name for name in names if context.params[name] is not None]
    flags = [name for name in given if context.get_parameter_source(name) is not ParameterSource.DEFAULT_MAP]
    held = flags or given
    if len(held) > 1:
        where = "" if flags else " in the file of --config"
        keys = {parameter.name: _key(parameter) for parameter in context.command.params}
        raise click.UsageError(f"give {' or '.join(f'--{keys[name]}' for name in held)}, not both{where}")
    return set(held)


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
        options[parameter.name or ""] = _as_given(parameter, value, f"--config {path}: {key!r}")
    return options


def _as_given(parameter: click.Parameter, value: Any, where: str) -> Any:
    """A value of a file as the command line would give it, so that one rule judges both."""
    several = parameter.multiple if isinstance(parameter, click.Option) else parameter.nargs == -1
    if isinstance(parameter.type, Names) and isinstance(value, list):
        if not all(isinstance(one, str) for one in value):
            raise click.UsageError(f"{where} takes a list of texts, or one with commas")
        return value
    if several != isinstance(value, list) and not (several and isinstance(value, str)):
        raise click.UsageError(f"{where} takes {'a list' if several else 'one value'}")
    if several:
        return [value] if isinstance(value, str) else [_text(one, where) for one in value]
    if isinstance(parameter, click.Option) and parameter.is_flag:
        if not isinstance(value, bool):
            raise click.UsageError(f"{where} takes true or false")
        return value
    return _text(value, where)


def _text(value: Any, where: str) -> str:
    """A text, or a number as it would be typed: 2.5 for a whole number must not silently become 2."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    raise click.UsageError(f"{where} takes a text or a number, got {value!r}")


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
