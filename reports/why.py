"""Why does a unit carry this name? Crops where it fires on the label and where it fires beside it, and other labels.

The crops of a unit lie in one picture, side by side. A page shows it twice: first the crops on which most of the mask
lies on the label, then those on which most of it lies beside the label, which was looked for there: the best and
the most damning.
"""

from __future__ import annotations

from collections.abc import Sequence

from reports import words
from reports.contract import KINDS, Row

LABELS = 5  # further labels that are listed
PAIR = 2  # as many crops on each side stand in one row, both sides beside one another
ROOM = 4  # else a row has room for so many
TITLES = {"for": "fires on it", "against": "fires beside it"}


def crop_rows(rows: Sequence[Row], unit: int, label: str) -> list[Row]:
    """The rows of crops of one unit's picture, with where they begin, how many there are, and what is seen on them.

    Args:
        rows: of `evidence.csv`, of this unit alone.
        unit: its number.
        label: its best label.
    """
    most = max((sum(row["kind"] == kind for row in rows) for kind in KINDS), default=0)
    shown_kinds = {row["kind"] for row in rows}
    shown = []
    for kind in KINDS:
        crops = [row for row in rows if row["kind"] == kind]
        if crops:
            shown.append(
                {
                    "kind": kind,
                    "title": TITLES[kind],
                    "says": _says(crops, kind, label),
                    "start": rows.index(crops[0]),
                    "count": len(crops),
                    "most": most,
                    "room": most if most <= PAIR and len(shown_kinds) == 2 else max(most, ROOM),
                    "all": len(rows),
                    "alt": f"Unit {unit} {_where(kind, label)}: {'; '.join(map(_crop, crops))}",
                }
            )
    return shown


def nothing_against(rows: Sequence[Row], label: str) -> str:
    """What to say of a unit of which there are crops for its label, and none against it; else empty."""
    kinds = {row["kind"] for row in rows}
    if kinds != {"for"}:
        return ""
    return f"On no image where “{label}” was looked for does it fire mostly beside it."


def _where(kind: str, label: str) -> str:
    return f"fires on “{label}”" if kind == "for" else f"fires beside “{label}”"


def _crop(row: Row) -> str:
    return f"{row['image']}, {_percent(_share(row))} of its mask"


def _percent(share: float) -> str:
    """Whole numbers where that is no lie: a range reads better without decimals on one end."""
    return f"{100 * share:.0f} %" if 0.005 <= share < 0.995 else words.percent(share)


def _share(row: Row) -> float:
    return float(row["labelled"] / row["active"]) if row["active"] else 0.0


def _says(crops: Sequence[Row], kind: str, label: str) -> str:
    if kind == "against" and not any(row["labelled"] for row in crops):
        return f"“{label}”, looked for there, is nowhere under its mask"
    least, most = (_percent(pick(map(_share, crops))) for pick in (min, max))
    share = least if least == most else f"{least.removesuffix(' %')} to {most}"
    return f"“{label}” is {share} of its mask there"


def agreement(row: Row) -> str:
    """Precision and recall of the best label in words; empty if they are unknown."""
    precision, recall, label = row["precision"], row["recall"], row["best_concept"]
    if precision is None or recall is None:
        return ""
    return (
        f"{_percent(precision)} of its active pixels lie on “{label}” (precision); {_percent(recall)} of "
        f"“{label}” lies under its mask (recall)."
    )


def also_fires_for(rows: Sequence[Row], best: tuple[str, str]) -> str:
    """The further labels of a unit, the strongest first, as one line."""
    others = [row for row in sorted(rows, key=lambda row: row["rank"]) if _named(row) != best]
    return ", ".join(f"{row['concept']} {_overlap(row['iou'])}".strip() for row in others[:LABELS])


def by_category(rows: Sequence[Row]) -> str:
    """The best label in each category, as one line; empty if there is only one category."""
    best = [row for row in sorted(rows, key=lambda row: row["rank"]) if row["best_of_category"]]
    if len(best) < 2:
        return ""
    return ", ".join(f"{row['category']}: {row['concept']} {_overlap(row['iou'])}".strip() for row in best)


def composed(row: Row | None) -> str:
    """A unit's composition, as one line; empty if it has none, or one that is its label alone."""
    if row is None or row["length"] < 2:
        return ""
    if row["single_iou"] is not None and _overlap(row["iou"]) == _overlap(row["single_iou"]):
        return ""  # no more than its label alone
    alone = f" (one label alone: {_overlap(row['single_iou'])})" if row["single_iou"] is not None else ""
    return f"{row['formula']}, IoU {_overlap(row['iou'])}{alone}"


def _named(row: Row) -> tuple[str, str]:
    return row["concept"], row["category"]


def _overlap(iou: float | None) -> str:
    return "" if iou is None else words.overlap(iou)
