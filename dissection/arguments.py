"""Is an argument of the kind that it should be? If not: a sentence that names it, and says what to do.

    permutations = whole_number("permutations", 2.5)    # TypeError: permutations: expected a whole number, got 2.5; …
    shown("0.1")                                        # "the text '0.1'"

What Python and NumPy take for a whole number or a number is one here; a truth value is none.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from contextlib import suppress
from numbers import Integral, Real

_LONGEST = 60  # characters of a value that a message repeats


def whole_number(name: str, value: object) -> int:
    """The argument `name` as an int.

    Raises:
        TypeError: it is no whole number.
    """
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    raise TypeError(
        f"{name}: expected a whole number, got {shown(value)}; {_instead(name, value, whole=True)}"
    )


def number(name: str, value: object) -> float:
    """The argument `name` as a float.

    Raises:
        TypeError: it is no number.
    """
    if isinstance(value, Real) and not isinstance(value, bool):
        return float(value)
    raise TypeError(f"{name}: expected a number, got {shown(value)}; {_instead(name, value, whole=False)}")


def shown(value: object) -> str:
    """A value as a message names it: a text or number as it is, anything else by its type."""
    if isinstance(value, str):
        return f"the text {value if len(value) <= _LONGEST else value[:_LONGEST] + '…'!r}"
    if value is None or isinstance(value, Real):
        return repr(value)
    return f"a value of type {type(value).__name__}"


def near(word: str, known: Iterable[str]) -> str:
    """`did you mean …?`, or what there is."""
    listed = sorted(known)
    found = difflib.get_close_matches(word, listed, n=1)
    return f"did you mean {found[0]!r}?" if found else f"expected one of {', '.join(listed)}"


def _instead(name: str, value: object, *, whole: bool) -> str:
    """What to write in place of a value."""
    meant: float | None = None
    if isinstance(value, str | Real):
        with suppress(ValueError):
            meant = float(value)
    usable = meant is not None and abs(meant) < 1e15 and not isinstance(value, bool)  # nor is NaN below it
    if usable and meant is not None:
        return f"write {name}={round(meant) if whole else format(meant, 'g')}"
    return f"give {name} one, such as {'5' if whole else '0.05'}, or leave it out"
