"""Networks from the user's own code: `package.module:callable`.

The callable takes nothing and returns a `Model`, or a network alone if `preprocess` is given beside the name.
Its module is looked for among the installed packages and then in the current folder.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from neuro_explain.checkpoint import existing_file, fit, read_state_dict
from neuro_explain.model import Model
from neuro_explain.recipes import RANDOM, Loaded, ModelEntry, near


def load(name: str, weights: str | Path | None, download: bool) -> Loaded:
    """What the callable makes, with the weights of a file put in if one is given.

    Raises:
        FileNotFoundError: no such weights file.
        ValueError: no such module or callable; neither a `Model` nor a network came back.
    """
    made = call(name)
    if isinstance(made, Model):
        loaded = Loaded(
            made.net,
            made.preprocess,
            made.classes,
            # a name that nobody gave tells two callables that make the same kind of network not apart
            name if made.name == type(made.net).__name__ else made.name,
            made.weights,
            made.origin,
            made.licence,
            made.layer if made.layer_given else None,
        )
    elif isinstance(made, nn.Module):
        loaded = Loaded(made, None, None, name, "as made by the callable", name, "not stated")
    else:
        raise ValueError(
            f"{name}: expected the callable to return a neuro_explain.Model or a torch.nn.Module, "
            f"got a {type(made).__name__}"
        )
    if weights is None:
        return loaded
    if weights == RANDOM:
        raise ValueError(f"{name}: the callable decides on the weights; weights= takes a file here")
    path = existing_file(weights)
    fit(loaded.net, read_state_dict(path), source=path.name)
    return Loaded(
        loaded.net,
        loaded.preprocess,
        loaded.classes,
        loaded.name,
        path.name,
        loaded.origin,
        loaded.licence,
        loaded.layer,
    )


def call(name: str) -> object:
    """What the callable makes.

    Raises:
        ValueError: no such module or callable; it needs arguments; it raised an error.
    """
    with _current_folder():
        function = _callable(name)
        try:
            return function()
        except Exception as error:  # it is the user's code: whatever it raises, the model cannot be had
            raise ValueError(f"{name}: the callable raised {type(error).__name__}: {error}") from error


@contextmanager
def _current_folder() -> Iterator[None]:
    """The current folder can be imported from; last, so that no file in it hides an installed package."""
    here = str(Path.cwd())
    sys.path.append(here)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(here)


def _callable(name: str) -> Callable[[], object]:
    module_name, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), *attribute.split("."))):
        raise ValueError(f"model {name!r}: expected package.module:callable")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the user's module was found, and misses something itself
        raise ValueError(
            f"{name}: there is no module {error.name!r}, neither installed nor in the current folder"
        ) from error
    found: object = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ValueError(f"{name}: {module_name} has no {attribute!r}{near(part, dir(found))}")
        found = getattr(found, part)
    if not callable(found):
        raise ValueError(f"{name}: expected a callable without arguments, got a {type(found).__name__}")
    wanted = [p.name for p in _required(found)]
    if wanted:
        raise ValueError(f"{name}: expected a callable without arguments, this one needs {', '.join(wanted)}")
    return found


def _required(found: Callable[..., object]) -> list[inspect.Parameter]:
    """The arguments that a callable cannot do without, as far as its signature can be read."""
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p for p in parameters if p.default is inspect.Parameter.empty and p.kind not in optional]


def entries() -> Iterator[ModelEntry]:
    """The list's line."""
    yield ModelEntry(
        "package.module:callable",
        "yours",
        "your own code: a callable that returns a neuro_explain.Model",
        False,
        "whatever the callable loads, or a file",
        "yours",
    )
