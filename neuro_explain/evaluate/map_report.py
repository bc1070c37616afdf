"""What did a measurement of maps find? One table, and what its columns mean.

MapReport("faithfulness", figures, ("occlusion: …",)).lines()
MapReport("faithfulness", figures).to_dict()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from neuro_explain.evaluate.counted import counted
from neuro_explain.evaluate.tally import Figure
from neuro_explain.text_table import text_table

_HEADER = ("measure", "maps", "mean", "95 %", "n", "chance", "counted apart")
_LEFT = tuple(map(_HEADER.index, ("measure", "maps", "counted apart")))  # columns of text


@dataclass(frozen=True)
class MapReport:
    """The figures of one measurement.

    Attributes:
        title: what was measured, of which network and layer, on which images.
        figures: the rows.
        notes: sentences below the table.
        more: other plain data for `to_dict`.
    """

    title: str
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The report for people."""
        table = text_table([_HEADER, *map(_row, self.figures)], left=_LEFT)
        return [self.title, *table, *self.notes]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "title": self.title,
            "figures": [figure.to_dict() for figure in self.figures],
            "notes": list(self.notes),
            **self.more,
        }


def joined(title: str, parts: Sequence[MapReport]) -> MapReport:
    """Several reports under one title; a note that all of them have stands once."""
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    more = {key: value for part in parts for key, value in part.more.items()}
    return MapReport(title, tuple(figure for part in parts for figure in part.figures), tuple(notes), more)


def something_measured(set_name: str, count: int, apart: Mapping[str, int]) -> None:
    """Sees to it that a table is not of dashes alone.

    Args:
        set_name: of the photographs.
        count: how much was measured.
        apart: how many things were left out, by the reason.

    Raises:
        ValueError: nothing was; the message says what was left out.
    """
    if not count:
        why = "; ".join(counted(number, reason) for reason, number in apart.items())
        raise ValueError(f"{set_name}: nothing could be measured: {why or 'nothing in it may be asked for'}")


def _row(figure: Figure) -> tuple[str, ...]:
    def shown(value: float | None) -> str:
        return "" if value is None else f"{value:.3f}"

    return (
        figure.measure,
        figure.method,
        shown(figure.mean) or "–",
        "" if figure.low is None else f"{shown(figure.low)} to {shown(figure.high)}",
        str(figure.count),
        shown(figure.chance),
        "; ".join(f"{count} {reason}" for reason, count in figure.apart.items()),
    )
