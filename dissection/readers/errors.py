"""What is wrong with a concept set, in one sentence that names the file and the row."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ConceptSetError(ValueError):
    """A concept set that cannot be used as it is; the message names the file and the row or number."""


class MissingFileError(ConceptSetError, FileNotFoundError):
    """A table, image or mask that a concept set needs and that is not there."""


def hint(word: str, known: Iterable[str], shown: int = 12) -> str:
    """`did you mean 'wheel'?`, or what there is if nothing is near."""
    names = list(dict.fromkeys(known))
    lowered = {name.casefold(): name for name in reversed(names)}
    near = difflib.get_close_matches(word.casefold(), list(lowered), n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(repr(lowered[name]) for name in near)}?"
    rest = f", … ({len(names)} in all)" if len(names) > shown else ""
    return f"there is {', '.join(repr(name) for name in names[:shown])}{rest}"
