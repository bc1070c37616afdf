"""How is a table printed on a terminal? Cells under each other, text to the left and numbers to the right.

text_table([("maps", "mean"), ("Grad-CAM", "0.25")], left=(0,))
"""

from __future__ import annotations

from collections.abc import Container, Sequence


def text_table(rows: Sequence[Sequence[str]], *, left: Container[int]) -> list[str]:
    """A line for each row, without spaces at its end.

    Args:
        rows: of as many cells each, the header first; at least one.
        left: numbers of the columns of text; the others hold numbers.
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
