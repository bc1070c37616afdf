"""What does a page say of each image of a batch run? Read from its Parquet parts, packed for the page, and unpacked.

    rows = read_rows(folder, parts, classes=365, units=512, top=5, rank_by="contribution")
    rows.predicted[7]                            # class number of the eighth image, −1 if it could not be read
    rows.speaking["for"][7]                      # the units that speak for that class, strongest first, then −1
    unpacked(packed(rows.predicted))             # as the page's script reads them

A unit speaks for the predicted class if it is in the run's list of strongest units, its value in the ranking is above
zero, and it contributes at all on that image; against it, if its value is below zero. The lists of an
older run may end in units that pull in neither direction, and a ranking by alpha may list units that are silent on
the image.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.contract import ReportError, Row

SIDES = {"for": "top", "against": "bottom"}  # of the page, and of the tables
_WHOLE = ("id", "error", "label", "predicted", "probability")
_OF_A_UNIT = ("unit", "alpha", "contribution")


@dataclass(frozen=True)
class Rows:
    """N images of a batch run, in the order of its inputs.

    Attributes:
        number: place of each in the run, int32 `[N]`; counts up, with gaps if some were left out.
        ids: of each.
        errors: why it could not be read, by place among these N.
        label: class number, int32 `[N]`; −1 where there is none.
        own: number of the label itself, int32 `[N]`, −1 where there is none; None where labels are classes.
        predicted: class number, int32 `[N]`; −1 where it could not be read.
        probability: of the predicted class, float32 `[N]` in 0…1; NaN where it could not be read.
        speaking: for each of the two `SIDES`, unit numbers int32 `[N, top]`, strongest first, then −1.
        parts: how many images of the run each part holds.
    """

    number: NDArray[np.int32]
    ids: list[str]
    errors: dict[int, str]
    label: NDArray[np.int32]
    own: NDArray[np.int32] | None
    predicted: NDArray[np.int32]
    probability: NDArray[np.float32]
    speaking: Mapping[str, NDArray[np.int32]]
    parts: tuple[int, ...]

    def surprising(self) -> NDArray[np.intp]:
        """Places `[N]`, the most surprising first; equals stay in order.

        Wrong answers come first, the surest at the top; then all others, the least sure first; last what could not
        be read.
        """
        wrong = (self.label >= 0) & (self.predicted >= 0) & (self.label != self.predicted)
        group = np.where(self.predicted < 0, 2, np.where(wrong, 0, 1))
        return np.lexsort((np.where(wrong, -self.probability, self.probability), group))

    def take(self, places: NDArray[np.intp]) -> Rows:
        """These images alone; `places` count up."""
        kept = places.tolist()
        return Rows(
            self.number[places],
            [self.ids[place] for place in kept],
            {new: self.errors[old] for new, old in enumerate(kept) if old in self.errors},
            self.label[places],
            None if self.own is None else self.own[places],
            self.predicted[places],
            self.probability[places],
            {side: units[places] for side, units in self.speaking.items()},
            self.parts,
        )


def read_rows(
    paths: Sequence[Path],
    *,
    classes: int,
    units: int,
    top: int,
    rank_by: str,
    own_labels: Mapping[str, Any] | None = None,
) -> Rows:
    """The rows of a run's parts, of which only the columns that a page needs are read.

    Args:
        paths: the parts, in order.
        classes: how many classes there are.
        units: how many units the layer has.
        top: how many units each list of strongest units may hold.
        rank_by: what the run ranks units by, `"contribution"` or `"alpha"`.
        own_labels: the column that holds labels which are no classes, and their names.

    Raises:
        ReportError: a part is missing, damaged, or not as the run says.
    """
    column = None if own_labels is None else f"meta.{own_labels['column']}"
    parts = [_part(path, rank_by=rank_by, top=top, column=column) for path in paths]
    own = None
    if own_labels is not None:
        number_of = {name: number for number, name in enumerate(own_labels["names"])}
        said = [text for part in parts for text in part["own"]]
        own = np.array([number_of.get(text, -1) for text in said], np.int32)
    whole: dict[str, Any] = {
        name: np.concatenate([np.zeros(0, kind), *(part[name] for part in parts)])
        for name, kind in (("label", np.int32), ("predicted", np.int32), ("probability", np.float32))
    }
    none = np.zeros((0, top), np.int32)
    speaking = {side: np.concatenate([none, *(part[side] for part in parts)]) for side in SIDES}
    ids = [name for part in parts for name in part["ids"]]
    errors = [text for part in parts for text in part["errors"]]
    for name, numbers, end in (
        ("label", whole["label"], classes),
        ("predicted", whole["predicted"], classes),
        *(("unit", numbers, units) for numbers in speaking.values()),
    ):
        if numbers.size and not -1 <= numbers.min() <= numbers.max() < end:
            raise ReportError(
                f"{paths[0].parent}: {name}: expected numbers below {end}, as run.json says, got "
                f"{numbers.min()} to {numbers.max()}; make the run again"
            )
    likely = whole["probability"][whole["predicted"] >= 0]
    if not ((likely >= 0) & (likely <= 1)).all():
        raise ReportError(
            f"{paths[0].parent}: probability: expected 0 to 1 for each image that could be read"
        )
    return Rows(
        number=np.arange(len(ids), dtype=np.int32),
        ids=ids,
        errors={place: text for place, text in enumerate(errors) if text is not None},
        own=own,
        speaking=speaking,
        parts=tuple(len(part["ids"]) for part in parts),
        **whole,
    )


def _part(path: Path, *, rank_by: str, top: int, column: str | None) -> Row:
    """The columns of one part."""
    # Here, because the other pages need no Parquet; and it has no types that every version of mypy finds.
    import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]
    import pyarrow.parquet as pq  # type: ignore[import-untyped, unused-ignore]

    try:
        with pq.ParquetFile(path) as file:
            leaves = [file.schema.column(i).path for i in range(len(file.schema))]
            table = file.read(columns=[leaf for leaf in leaves if leaf == column or _is_wanted(leaf)])
        columns = {name: table[name].combine_chunks() for name in (*_WHOLE, "explained")}
        unread = columns["predicted"].is_null().to_numpy(zero_copy_only=False)
        rows = {
            "ids": columns["id"].to_pylist(),
            "errors": columns["error"].to_pylist(),
            "label": columns["label"].fill_null(-1).to_numpy(),
            "predicted": columns["predicted"].fill_null(-1).to_numpy(),
            "probability": columns["probability"].fill_null(float("nan")).to_numpy(),
            "own": None if column is None else table[column].to_pylist(),
        }
        starts, ends = (
            columns["explained"].offsets.to_numpy()[:-1],
            columns["explained"].offsets.to_numpy()[1:],
        )
        if not (ends > starts)[~unread].all():
            raise ReportError(
                f"{path}: explained: expected the predicted class of each image that could be read"
            )
        first = columns["explained"].values.take(pa.array(starts[~unread]))
        for side, name in SIDES.items():
            rows[side] = np.full((len(unread), top), -1, np.int32)
            rows[side][~unread] = _speaking(first.field(name), 1 if side == "for" else -1, rank_by, top)
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        if isinstance(error, ReportError):
            raise
        raise ReportError(
            f"{path} cannot be read as a part of a batch run ({error}); make it again"
        ) from error
    return rows


def _is_wanted(leaf: str) -> bool:
    """Whether a column is needed, of which this is the path: "explained.list.element.top.list.element.unit", say."""
    steps = leaf.split(".")
    if len(steps) == 1:
        return leaf in _WHOLE
    return (steps[0], steps[-1]) in [("explained", one) for one in _OF_A_UNIT] and steps[3] in SIDES.values()


def _speaking(lists: Any, sign: int, rank_by: str, top: int) -> NDArray[np.int32]:
    """Of each list of units those that speak in a direction, `[V, top]`, then −1."""
    lengths = np.diff(lists.offsets.to_numpy())
    each = lists.flatten()
    unit, value, contribution = (
        each.field(name).to_numpy(zero_copy_only=False) for name in ("unit", rank_by, "contribution")
    )
    keep = (sign * value > 0) & (contribution != 0)
    row = np.repeat(np.arange(len(lengths)), lengths)[keep]
    column = np.arange(len(row)) - np.searchsorted(row, row)
    if len(column) and column.max() >= top:
        raise ReportError(
            f"expected at most {top} units in a list, got {column.max() + 1}; make the run again"
        )
    table = np.full((len(lengths), top), -1, np.int32)
    table[row, column] = unit[keep]
    return table


def packed(numbers: NDArray[Any]) -> Row:
    """Numbers as the page carries them: little-endian, as few bytes each as hold them all, in base64.

    Integers take 1, 2 or 4 bytes with a sign; others are float32. Rows of a table follow one another.
    """
    kind = "f4"
    if np.issubdtype(numbers.dtype, np.integer):
        largest = int(np.abs(numbers).max(initial=0))
        kind = "i1" if largest < 2**7 else "i2" if largest < 2**15 else "i4"
    data = np.ascontiguousarray(numbers, dtype=f"<{kind}").tobytes()
    return {"type": kind, "data": base64.b64encode(data).decode("ascii")}


def unpacked(column: Row) -> NDArray[Any]:
    """The numbers of a packed column, in one row."""
    return np.frombuffer(base64.b64decode(column["data"]), dtype=f"<{column['type']}")


def packed_names(names: Sequence[str]) -> Row:
    """Strings, each as how many signs it shares with the one before it, and the rest.

    Only signs that are one 16-bit unit long count as shared, so that Python and a browser count alike.
    """
    shared = [0, *(_shared(one, two) for one, two in pairwise(names))][: len(names)]
    rest = [name[start:] for name, start in zip(names, shared, strict=True)]
    return {"shared": packed(np.array(shared, np.int32)), "rest": rest}


def unpacked_names(column: Row) -> list[str]:
    """The strings of a packed column."""
    names: list[str] = []
    for start, rest in zip(unpacked(column["shared"]).tolist(), column["rest"], strict=True):
        names.append((names[-1][:start] if start else "") + rest)
    return names


def _shared(one: str, two: str) -> int:
    for place, (a, b) in enumerate(zip(one, two, strict=False)):
        if a != b or a > "\uffff":
            return place
    return min(len(one), len(two))
