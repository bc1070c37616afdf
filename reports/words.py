"""Numbers and places in words: how a page says "0.0123", "61 %" and "hot in the upper left".

Every number that a person reads on a page passes through here once, so a card, a table and an alternative
text never disagree. The minus is the true minus sign, and a sign is always written where it has a meaning.

    >>> number(0.012345), signed(-2.5), percent(0.6131)
    ('0.0123', '−2.50', '61 %')
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

MINUS = "\u2212"
NO_PLACES = "this layer has no places: a unit gives one number for the whole photograph"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_ROWS = ("upper", "centre", "lower")
_COLUMNS = ("left", "centre", "right")


def number(value: float | None, digits: int = 3) -> str:
    """A number with `digits` significant digits; very large and very small ones as powers of ten.

    A whole part is never rounded. Integers below a million are written in full with thousands separated. None
    is "unknown".
    """
    if value is None:
        return "unknown"
    if value == 0:
        return "0"
    if isinstance(value, int) and abs(value) < 1_000_000:
        return f"{value:,}".replace("-", MINUS)
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = int(exponent)
    if -4 < power < 6:
        text = f"{value:,.{max(0, digits - 1 - power)}f}"
    else:
        text = f"{mantissa} × 10{str(power).translate(_SUPERSCRIPT)}"
    return text.replace("-", MINUS)


def signed(value: float | None, digits: int = 3) -> str:
    """The same with a sign in front, "+" too; zero has none."""
    text = number(value, digits)
    return f"+{text}" if value is not None and value > 0 else text


def plain(value: float | None) -> str:
    """A setting as it was given: "0.05", not "0.0500"."""
    return "unknown" if value is None else f"{value:g}"


def overlap(iou: float) -> str:
    """An IoU or a difference of two: always three decimals, so that a column of them can be compared."""
    return f"{iou:.3f}".replace("-", MINUS)


def chance(q: float | None) -> str:
    """A false discovery rate: "q 0.003", "q < 0.001", "q not tested"."""
    if q is None:
        return "q not tested"
    if q < 0.001:
        return "q < 0.001"
    return f"q {q:.{3 if q < 0.0995 else 2}f}"


def logarithm(value: float) -> str:
    """The logarithm of a probability: always two decimals, so that a column of them can be compared."""
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", MINUS)


def percent(share: float | None) -> str:
    """A share as a percentage: whole numbers in the middle, more digits at both ends.

    Never "0 %" or "100 %" for a share that is not exactly 0 or 1.
    """
    if share is None:
        return "unknown"
    value = 100.0 * share
    if value in (0.0, 100.0):
        return f"{value:.0f} %"
    if 0 < value < 0.01:
        return "less than 0.01 %"
    if 99.99 < value < 100:
        return "more than 99.99 %"
    rest = min(abs(value), abs(100.0 - value))
    digits = 0 if rest >= 9.5 else 1 if rest >= 0.95 else 2
    return f"{value:.{digits}f} %".replace("-", MINUS)


def count(value: int, noun: str) -> str:
    """A number and its noun, in the plural if it is not one: "1 unit", "1,280 units"."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def place(x: float, y: float) -> str:
    """Which ninth of a picture a point lies in; `x`, `y` in 0…1 from the left and from the top."""
    row = _ROWS[min(2, max(0, int(3 * y)))]
    column = _COLUMNS[min(2, max(0, int(3 * x)))]
    return "the centre" if row == column else f"the {row} {column}"


def where_hot(
    cells: NDArray[np.float32], crop: tuple[float, float, float, float], width: float, height: float
) -> str:
    """Where a map is hot, as a clause for alternative texts and tables.

    Args:
        cells: the map `[h, w]`; its largest cell is what counts, the first of several. A single cell is no map.
        crop: left, top, right, bottom of the map in the photograph's pixels.
        width: width of the photograph.
        height: height of the photograph.
    """
    if cells.size == 1:
        return NO_PLACES
    peak = float(cells.max())
    if peak <= 0:
        return "not above zero anywhere"
    i, j = divmod(int(cells.argmax()), cells.shape[1])
    left, top, right, bottom = crop
    x = (left + (j + 0.5) / cells.shape[1] * (right - left)) / width
    y = (top + (i + 0.5) / cells.shape[0] * (bottom - top)) / height
    warm = percent(float((cells >= peak / 2).mean()))
    return (
        f"hot in {place(x, y)}, strongest at about {_tens(x)} from the left and {_tens(y)} from the top; "
        f"{warm} of its cells are at least half as strong"
    )


def _tens(share: float) -> str:
    """A position to the nearest five per cent: a coarse cell says no more."""
    return f"{min(100, max(0, 5 * math.floor(20 * share + 0.5)))} %"
