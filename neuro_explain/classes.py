"""Which class does a person mean by "bookstore"? The names of a classifier's classes, and finding one.

Class names come from the weights or from a text file with one name per line. A class is found by its number,
by its name, or by its name written otherwise (`/b/bookstore`, `golden_retriever`, other capitals). Two
classes can bear one name; then only the number tells them apart, and the message lists them.
"""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Sequence
from pathlib import Path


def numbered(count: int) -> tuple[str, ...]:
    """Names for classes of which only the number is known."""
    return tuple(f"class {i}" for i in range(count))


def read_classes(source: str | Path | Sequence[str]) -> tuple[str, ...]:
    """Class names in the order of their numbers.

    Args:
        source: the names, or the path of a UTF-8 text file with one name per line.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a folder, a file that is not text, an empty name, no names at all.
    """
    if not isinstance(source, str | Path):
        names, where = list(source), "classes"
        if not all(isinstance(name, str) for name in names):
            raise ValueError(
                f"classes: expected names, got {next(n for n in names if not isinstance(n, str))!r}"
            )
    else:
        path, where = Path(source), str(source)
        if path.is_dir():
            raise ValueError(f"classes: {path} is a folder; expected a text file with one name per line")
        if not path.exists():
            raise FileNotFoundError(f"classes: {path}: there is no such file")
        try:
            names = path.read_text(encoding="utf-8-sig").rstrip().split("\n")
        except UnicodeDecodeError as error:
            raise ValueError(f"classes: {path} is not a text file in UTF-8") from error
    names = [name.strip() for name in names]
    for number, name in enumerate(names):
        if not name:
            raise ValueError(f"{where}: the name of class {number} is empty")
    if not names:
        raise ValueError(f"{where}: expected class names, got none")
    return tuple(names)


def find_class(
    classes: Sequence[str],
    wanted: str | int,
    *,
    what: str = "class",
    owner: str = "the model",
    digits: bool = True,
) -> int:
    """The number of the class that `wanted` names or is.

    Args:
        classes: the names.
        wanted: a name or a number.
        what, owner: how messages call one of them, and whose they are.
        digits: whether a text of digits that is no name is a number; not where names may be numbers themselves.

    Raises:
        ValueError: no such class (near names are offered), or several.
    """
    if isinstance(wanted, numbers.Integral) and not isinstance(wanted, bool):
        return _in_range(classes, int(wanted), what, owner)
    if not isinstance(wanted, str):
        raise ValueError(f"{what}: expected a name or a number, got {wanted!r}")
    for spelled in (str, _loosely):
        # Exactly first: ImageNet has both a "Cardigan" (a dog) and a "cardigan".
        hits = [i for i, name in enumerate(classes) if spelled(name) == spelled(wanted)]
        if len(hits) == 1:
            return hits[0]
        if hits:
            which = ", ".join(f"{i} ({classes[i]})" for i in hits)
            raise ValueError(f"{what} {wanted!r}: several are named so; give one of the numbers {which}")
    if digits and wanted.strip().isdecimal():
        return _in_range(classes, int(wanted), what, owner)
    by_loose = {_loosely(name): name for name in classes}
    near = difflib.get_close_matches(_loosely(wanted), by_loose, n=4, cutoff=0.5)
    near += [loose for loose in by_loose if _loosely(wanted) in loose and loose not in near][: 4 - len(near)]
    hint = (
        f"did you mean {', '.join(by_loose[n] for n in near)}?"
        if near
        else f"the first are {_first(classes)}"
    )
    raise ValueError(f"{what} {wanted!r} is none of {owner}'s {len(classes)} {_plural(what)}: {hint}")


def _in_range(classes: Sequence[str], number: int, what: str, owner: str) -> int:
    if 0 <= number < len(classes):
        return number
    raise ValueError(f"{what} {number}: {owner}'s {_plural(what)} are numbered from 0 to {len(classes) - 1}")


def _plural(what: str) -> str:
    return f"{what}es" if what.endswith("s") else f"{what}s"


def _first(classes: Sequence[str]) -> str:
    return ", ".join(classes[:4])


def _loosely(name: str) -> str:
    """A name without what people write differently: capitals, underscores, the letter folder of Places."""
    name = name.strip().casefold().replace("_", " ")
    return name[3:] if len(name) > 3 and name[0] == name[2] == "/" else name
