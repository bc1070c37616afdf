"""What the dissection page says: the counts, the bar graph of units per concept, and a card for each unit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction

from reports import draw, trust, why, words
from reports.contract import Row
from reports.read import Artifact

BARS = 24  # bars that a category shows at first
_OF_A_UNIT = ("exemplars", "evidence", "labels", "compositions")


def dissection_view(artifact: Artifact) -> Row:
    """The template's variables for a dissection, but for the pictures."""
    facts, tables = artifact.facts, artifact.tables
    units = tables["units"]
    chance = facts.get("chance")
    of_unit = {name: _by_unit(tables.get(name, [])) for name in _OF_A_UNIT}
    of_unit["evidence"] = _by_unit(
        [row for row in tables.get("evidence", []) if row["unit"] in artifact.evidence]
    )
    out_of_reach = [
        {
            "name": row["name"],
            "category": row["category"],
            "share": words.percent(row["share"]),
            "ceiling": words.overlap(row["ceiling"]),
        }
        for row in tables["concepts"]
        if not row["reachable"]
    ]
    height, width = facts["map_size"]
    active = int(Fraction(repr(float(facts["quantile"]))) * facts["positions"])  # ⌊q·n⌋, exactly
    return {
        "title": f"What the units of {artifact.manifest['model']} detect",
        "manifest": artifact.manifest,
        "facts": facts,
        "named_share": words.percent(facts["named"] / facts["units"]) if facts["units"] else "none",
        "quantile": f"{100 * facts['quantile']:g} %",
        "min_iou": words.plain(facts["min_iou"]),
        "map_cells": f"{width} × {height}",
        "rules": trust.rules(units, facts),
        "none_active": active == 0,
        "limits": trust.limits(None) if chance else [],
        "graph": _graph(units, facts["categories"]),
        "categories": facts["categories"],
        "cards": [
            _card(row, facts, {name: rows[row["unit"]] for name, rows in of_unit.items()}) for row in units
        ],
        "largest_iou": f"{max((row['iou'] or 0.0 for row in units), default=0.0):.3f}",
        "largest_margin": f"{max((row['margin'] or 0.0 for row in units), default=0.0):.3f}",
        "out_of_reach": out_of_reach,
        "dead": sum(row["note"] == "dead" for row in units),
    }


def _by_unit(rows: list[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["unit"]].append(row)
    return found


def _graph(units: list[Row], categories: list[Row]) -> list[Row]:
    """Units per concept, the most frequent first, a panel for each category that has any."""
    named: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in units:
        if row["concept"]:
            named[row["category"]][row["concept"]].append(row)
    counts = {category: {name: len(rows) for name, rows in of.items()} for category, of in named.items()}
    order = {category["category"]: i for i, category in enumerate(categories)}
    longest = max((n for counter in counts.values() for n in counter.values()), default=1)
    panels = []
    for name in sorted(counts, key=lambda name: (order.get(name, len(order)), name)):
        bars = [
            {"concept": concept, "units": n, "share": n / longest, "best": _best(named[name][concept])}
            for concept, n in sorted(counts[name].items(), key=lambda item: (-item[1], item[0]))
        ]
        panels.append(
            {
                "category": name,
                "units": words.count(sum(counts[name].values()), "unit"),
                "names": words.count(len(bars), "name"),
                "first": bars[:BARS],
                "more": bars[BARS:],
            }
        )
    return panels


def _best(rows: list[Row]) -> str:
    """How sure the surest unit of a name is: that with the largest IoU."""
    best = max(rows, key=lambda row: (row["iou"] or 0.0, -row["unit"]))
    if best["iou"] is None:
        return "named without an IoU"
    margin = "" if best["margin"] is None else f" · margin {words.overlap(best['margin'])}"
    chance = "" if best["q"] is None else f" · {words.chance(best['q'])}"
    return f"IoU {words.overlap(best['iou'])}{margin}{chance}"


def _card(row: Row, facts: Row, of_unit: Mapping[str, list[Row]]) -> Row:
    named, dead = bool(row["concept"]), row["note"] == "dead"
    chance = facts.get("chance")
    because = trust.unnamed_because(row, facts["min_iou"], chance["max_q"] if chance else None)
    if named:
        title, who = row["concept"], f"unit {row['unit']} · {row['category']}"
    elif dead:
        title, who, because = f"unit {row['unit']}, dead", "it never fires on these images", ""
    elif row["best_concept"]:
        title, who = f"unit {row['unit']}, unnamed", f"closest: {row['best_concept']}"
    else:
        title, who, because = f"unit {row['unit']}, unnamed", "no concept overlaps", ""
    counts = [row[name] for name in ("intersection", "activation_area", "concept_area")]
    return {
        "unit": row["unit"],
        "named": named,
        "title": title,
        "who": who,
        "because": because,
        "iou": None if row["iou"] is None else words.overlap(row["iou"]),
        "interval": trust.interval(row),
        "bar": draw.iou_bar(row["iou"] or 0.0, row["iou_low"], row["iou_high"], "plus" if named else "quiet"),
        "margin": None if row["margin"] is None else words.overlap(row["margin"]),
        "runner_up": row["runner_up"],
        "q": words.chance(row["q"]).removeprefix("q ") if chance else None,
        "p": None if row["p"] is None else words.chance(row["p"]).removeprefix("q "),
        "f1": None if row["f1"] is None else words.overlap(row["f1"]),
        "why": _why(row, of_unit),
        "threshold": words.number(row["threshold"]),
        "active": words.number(row["active_pixels"]),
        "counts": None if None in counts else [words.number(value) for value in counts],
        "note": "its threshold is not above zero" if row["note"] == "threshold <= 0" else "",
        "images": [one["image"] for one in sorted(of_unit["exemplars"], key=lambda one: int(one["rank"]))],
    }


def _why(row: Row, of_unit: Mapping[str, list[Row]]) -> Row | None:
    """What stands under "why this name"; None if there is nothing to say."""
    label, labels = row["best_concept"], of_unit["labels"]
    lines = [
        ("also fires for", why.also_fires_for(labels, (label, row["best_category"]))),
        ("best in each category", why.by_category(labels)),
        ("as a composition", why.composed(next(iter(of_unit["compositions"]), None))),
    ]
    said = {
        "heading": "why this name" if row["concept"] else "why no name",
        "crops": why.crop_rows(of_unit["evidence"], row["unit"], label),
        "nothing_against": why.nothing_against(of_unit["evidence"], label),
        "agreement": why.agreement(row),
        "lines": [(term, text) for term, text in lines if text],
    }
    return said if said["crops"] or said["agreement"] or said["lines"] else None
