"""The command line: parse, call, print a path. Every command's work is done elsewhere.

The commands stand in `neuro_explain.commands`; here is the program that they belong to, and what becomes of their
errors. Exit status: 0; 1 for a failure, one sentence on the standard error; 2 for wrong usage.
"""

from __future__ import annotations

import errno
import re
import signal
import sys
import warnings
from collections.abc import Sequence

import click

from neuro_explain.commands.batch import batch
from neuro_explain.commands.concepts import concepts
from neuro_explain.commands.demo import demo
from neuro_explain.commands.dissect import dissect
from neuro_explain.commands.evaluate import evaluate
from neuro_explain.commands.explain import explain
from neuro_explain.commands.methods import methods_command
from neuro_explain.commands.models import models
from neuro_explain.commands.names import names_command
from neuro_explain.commands.options import with_flags
from neuro_explain.commands.profile import profile
from neuro_explain.commands.report import report
from neuro_explain.commands.speak import ask, caption
from neuro_explain.commands.study import study
from neuro_explain.commands.words import name_words

# In the order in which one uses them; --help lists them so.
COMMANDS: tuple[click.Command, ...] = (
    demo,
    models,
    concepts,
    dissect,
    name_words,
    names_command,
    explain,
    methods_command,
    caption,
    ask,
    batch,
    profile,
    report,
    evaluate,
    study,
)


class _Program(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # as attached, not by the alphabet


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(package_name="neuro-explain")
def cli() -> None:
    """Which named neurons decided? Explanations of a network's answers in units that have names."""


for _command in COMMANDS:
    cli.add_command(_command)


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
        what = (
            f"{error.strerror}: {error.filename}"
            if error.strerror and error.filename
            else _with_options(error, arguments)
        )
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        click.echo(f"neuro-explain: {what}{'; nothing half-written was kept' if full else ''}", err=True)
        return 1
    except (ValueError, ImportError) as error:
        click.echo(f"neuro-explain: {_with_options(error, arguments)}", err=True)
        return 1


def _with_options(error: Exception, arguments: Sequence[str] = ()) -> str:
    """The message of the library, whose arguments are options of the command: `weights=` is `--weights`."""
    command: click.Command = cli
    for argument in arguments:
        if not isinstance(command, click.Group) or argument not in command.commands:
            break
        command = command.commands[argument]
    said = with_flags(str(error), command)
    # What an earlier command of the road takes is meant as an option too.
    argument = r"(?<!\w)(weights|layer|classes|preprocess|download)=(?:True\b)?(?=('?))"
    return re.sub(argument, lambda found: f"--{found[1]}{' ' if found[2] else ''}", said)
