"""What the dissection page says: the counts, the bar graph of units per concept, and a card for each unit."""

from __future__ import annotations

from collections import Counter, defaultdict

from reports import words
from reports.contract import Row
from reports.read import Artifact

BARS = 24  # bars that a category shows at first


def dissection_view(artifact: Artifact) -> Row:
    """The template's variables for a dissection, but for the pictures."""
    facts, tables = artifact.facts, artifact.tables
    units = tables["units"]
    images: dict[int, list[str]] = defaultdict(list)
    for row in sorted(tables.get("exemplars", []), key=lambda row: (row["unit"], row["rank"])):
        images[row["unit"]].append(row["image"])
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
    return {
        "title": f"What the units of {artifact.manifest['model']} detect",
        "manifest": artifact.manifest,
        "facts": facts,
        "named_share": words.percent(facts["named"] / facts["units"]) if facts["units"] else "none",
        "quantile": f"{100 * facts['quantile']:g} %",
        "min_iou": words.plain(facts["min_iou"]),
        "map_cells": f"{width} × {height}",
        "graph": _graph(units, facts["categories"]),
        "categories": facts["categories"],
        "cards": [_card(row, images[row["unit"]], facts["min_iou"]) for row in units],
        "largest_iou": f"{max((row['iou'] or 0.0 for row in units), default=0.0):.3f}",
        "out_of_reach": out_of_reach,
        "dead": sum(row["note"] == "dead" for row in units),
    }


def _graph(units: list[Row], categories: list[Row]) -> list[Row]:
    """Units per concept, the most frequent first, a panel for each category that has any."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in units:
        if row["concept"]:
            counts[row["category"]][row["concept"]] += 1
    order = {category["category"]: i for i, category in enumerate(categories)}
    longest = max((n for counter in counts.values() for n in counter.values()), default=1)
    panels = []
    for name in sorted(counts, key=lambda name: (order.get(name, len(order)), name)):
        bars = [
            {"concept": concept, "units": n, "share": n / longest}
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


def _card(row: Row, images: list[str], min_iou: float) -> Row:
    named, dead = bool(row["concept"]), row["note"] == "dead"
    if named:
        title, who = row["concept"], f"unit {row['unit']} · {row['category']}"
    elif dead:
        title, who = f"unit {row['unit']}, dead", "it never fires on these images"
    else:
        closest = f"closest: {row['best_concept']}" if row["best_concept"] else "no concept overlaps"
        title, who = f"unit {row['unit']}, unnamed", f"({closest})"
    sure = ""
    if row["runner_up"] and row["margin"] is not None:
        sure = f"{words.overlap(row['margin'])} above “{row['runner_up']}”"
    counts = [row[name] for name in ("intersection", "activation_area", "concept_area")]
    return {
        "unit": row["unit"],
        "named": named,
        "title": title,
        "who": who,
        "iou": "no IoU" if row["iou"] is None else f"IoU {words.overlap(row['iou'])}",
        "iou_share": min(1.0, row["iou"] or 0.0),
        "sure": sure,
        "threshold": words.number(row["threshold"]),
        "active": words.number(row["active_pixels"]),
        "counts": None if None in counts else [words.number(value) for value in counts],
        "note": "its threshold is not above zero" if row["note"] == "threshold <= 0" else "",
        "images": images,
    }
