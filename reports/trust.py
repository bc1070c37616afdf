"""How far can a unit's name be trusted, and why has another none? The numbers behind a name, in words.

    sure(row)                                   # "IoU 0.221 (0.180–0.251), 0.012 above “dog”, q 0.003"
    unnamed_because(row, 0.05, 0.05)            # "IoU 0.081, but chance gives as good a label: q 0.40"

A row is one of `units.csv`, or the evidence of a unit in `explanation.json`: both call the numbers alike, and either
may lack those that a dissection without a test of chance does not give.
"""

from __future__ import annotations

from reports import words
from reports.contract import Row

LIMITS = (0.1, 0.05, 0.01, 0.001)  # of q, that a reader can choose


def interval(row: Row) -> str:
    """Where 95 % of the IoU lies over images drawn with replacement; empty if that is unknown."""
    low, high = row.get("iou_low"), row.get("iou_high")
    return "" if low is None or high is None else f"{words.overlap(low)}–{words.overlap(high)}"


def sure(row: Row) -> str:
    """IoU, margin and q in one line, as far as they are known."""
    if row["iou"] is None and row.get("score") is not None:
        return f"score {row['score']:.2f}"
    if row["iou"] is None:
        return "named without an IoU" if row["concept"] else "no IoU"
    parts = [f"IoU {words.overlap(row['iou'])}"]
    if interval(row):
        parts[0] += f" ({interval(row)})"
    if row["margin"] is not None and row["runner_up"]:
        parts.append(f"{words.overlap(row['margin'])} above “{row['runner_up']}”")
    if row.get("q") is not None:  # where no name was tested, a page says so once
        parts.append(words.chance(row["q"]))
    return ", ".join(parts)


def unnamed_because(row: Row, min_iou: float | None, max_q: float | None) -> str:
    """Why a unit has no name; empty if it has one, or if nothing that is known says why."""
    if row["concept"]:
        return ""
    if row["note"] == "dead":
        return "dead: it never fires on the images of the concept set"
    iou, q = row["iou"], row.get("q")
    if iou is None:
        return "" if row["best_concept"] else "no concept overlaps"
    reasons = []
    if min_iou is not None and iou < min_iou:
        reasons.append(f"IoU {_on_this_side(iou, min_iou)} below {words.plain(min_iou)}")
    if max_q is not None and q is not None and q > max_q:
        reasons.append(f"chance gives as good a label: q {_on_this_side(q, max_q)}")
    return "; ".join(reasons)


def _on_this_side(value: float, limit: float) -> str:
    """A number with as many decimals, from three on (two from 0.1 on), as it takes to look other than the limit."""
    for digits in range(2 if limit < value >= 0.1 else 3, 9):
        text = f"{value:.{digits}f}"
        if (float(text) < limit) == (value < limit) and float(text) != limit:
            break
    return text


def limits(asked: float | None) -> list[Row]:
    """The false discovery rates that a reader can choose, each smaller than what the names were made with."""
    return [
        {"value": f"{limit:g}", "text": words.plain(limit)}
        for limit in LIMITS
        if asked is None or limit < asked
    ]


def rules(units: list[Row], facts: Row) -> Row | None:
    """How many units each rule of naming lets through; None if the names were not tested against chance."""
    asked = facts.get("chance")
    if asked is None:
        return None
    if asked["max_q"] >= 1:
        return {"not_asked": True, "max_q": words.plain(asked["max_q"])}
    reach = [row for row in units if row["iou"] is not None and row["iou"] >= facts["min_iou"]]
    both = [row for row in reach if row["q"] is not None and row["q"] <= asked["max_q"]]
    return {
        "not_asked": False,
        "reach": words.count(asked["named_by_iou_alone"], "unit"),
        "one_reaches": asked["named_by_iou_alone"] == 1,
        "stand_out": f"{len(both):,}",
        "one_stands_out": len(both) == 1,
        "without_iou": asked["named_by_q_alone"] - len(both),
        "max_q": words.plain(asked["max_q"]),
        "permutations": f"{asked['permutations']:,}",
        "smallest_q": words.number(asked["smallest_q"], 1),
        "coarse_error": words.number(asked["coarse_error"], 1),
    }
