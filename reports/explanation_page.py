"""What the explanation page says: from the artifact's facts and maps to words, bars and overlays.

Everything that the template prints is prepared here, so the template only arranges. The unit evidence of
every target is worded once, in a table; the cards repeat the table of the first target, and the page's script
refills them from the table when another target is chosen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reports import draw, trust, why, words
from reports.asked import asked_view
from reports.contract import Row
from reports.headings import wording
from reports.read import Artifact

_AXIS_ENDS = (0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, float("inf"))  # of probabilities in a chart
_RANKING = {
    "alpha": (
        "Units are ranked by alpha, the mean gradient of the score: how much the score would rise if the "
        "unit fired more. It does not say whether the unit fires on this photograph; its contribution does."
    ),
    "contribution": (
        "Units are ranked by contribution, alpha times the unit's summed activation: what the unit adds to "
        "this score on this photograph."
    ),
}


def explanation_view(artifact: Artifact, colours: str) -> Row:
    """The template's variables for an explanation, but for the pictures.

    Args:
        artifact: an explanation.
        colours: `heat` or `paper`, for the overlays that are there without a script.
    """
    facts = artifact.facts
    image, model, names = facts["image"], facts["model"], facts["names"]
    left, top, right, bottom = image["crop"]
    stage = {
        "width": image["width"],
        "height": image["height"],
        "crop": {"x": left, "y": top, "width": right - left, "height": bottom - top},
        "cut": left > 0.5 or top > 0.5 or right < image["width"] - 0.5 or bottom < image["height"] - 0.5,
        "places": _has_places(facts),
    }
    targets = [_target(number, artifact, colours) for number in range(len(facts["targets"]))]
    first = facts["targets"][0]
    rest = facts["text"].removeprefix(first["sentence"]).strip()
    return {
        "title": f"{_topic(facts, targets[0]['heading'])} — {image['name']}",
        "asked": asked_view(facts),
        "image": image,
        "model": model,
        "names": names,
        "stage": stage,
        "targets": targets,
        "spare": _spare(targets),
        "answers": _answers(facts),
        "rest": rest,
        "unverified": names["named"] > 0 and not names["verified"],
        "untested": names["named"] > 0 and names.get("max_q") is None and not _tested(facts),
        "check": None if facts["check"] is None else _check(facts["check"], wording(first, facts).score),
        "meters": _meters(first),
        "honesty": _honesty(facts),
        "notes": facts["notes"],
        "cell": _cell(image, model),
        "asked_q": names.get("max_q"),
        "limits": _limits(facts),
        "largest_margin": _largest_margin(facts),
        "named_units": f"{names['named']:,} of {names['units']:,} units named",
    }


def _has_places(facts: Row) -> bool:
    """Whether the maps have several cells; a map of one says nothing of where."""
    return list(facts["model"]["map_size"]) != [1, 1]


def _limits(facts: Row) -> list[Row]:
    """The false discovery rates that a reader can choose; none if no name was tested against chance."""
    return trust.limits(facts["names"].get("max_q")) if _tested(facts) else []


def _tested(facts: Row) -> bool:
    return any(unit.get("q") is not None for unit in _units(facts))


def _largest_margin(facts: Row) -> str | None:
    """The end of the slider of margins; None where no name on the page has one."""
    margins = [unit["margin"] for unit in _units(facts) if unit["concept"] is not None]
    largest = max((margin for margin in margins if margin is not None), default=None)
    return None if largest is None else f"{largest:.3f}"


def _units(facts: Row) -> list[Row]:
    return [unit for target in facts["targets"] for side in ("for", "against") for unit in target[side]]


def explanation_maps(artifact: Artifact) -> Row:
    """The raw cells of all maps and the colour tables, for the page's script."""
    signed, units = artifact.arrays["signed_map"], artifact.arrays["unit_map"]
    return {
        "shape": list(signed.shape[1:]),
        "targets": [draw.pack(cells) for cells in signed],
        "units": [draw.pack(cells) for cells in units],
    }


def _topic(facts: Row, heading: str) -> str:
    """What the page is about, for its title: a caption or a question stands before what is asked of it."""
    asked = facts.get("asked")
    if asked is None:
        return heading
    return f"{asked['question']} {heading}" if asked["task"] == "answer" else f"“{asked['text']}”: {heading}"


def _target(number: int, artifact: Artifact, colours: str) -> Row:
    target = artifact.facts["targets"][number]
    said = wording(target, artifact.facts)
    cells = np.clip(artifact.arrays["signed_map"][number], 0, None)
    units, places = target["for"] + target["against"], _has_places(artifact.facts)
    scale = {key: max((abs(unit[key]) for unit in units), default=0.0) for key in ("alpha", "contribution")}
    return {
        "id": f"target-{number}",
        "kind": target["kind"],
        "name": said.name,
        "heading": said.heading,
        "shown": said.shown if places else "the photograph, without a heatmap",
        "context": said.context,
        "sentence": target["sentence"],
        "zero": target["zero_map"] and places,
        "where": _where(cells, artifact.facts["image"]),
        "overlay": draw.data_uri(draw.overlay(cells, colours)) if places else None,
        "shares": _shares(target, artifact.facts["model"]["units"]),
        "columns": [
            {
                "title": title,
                "units": [_unit(unit, scale, artifact) for unit in target[side]],
                "side": side,
                "few": _few(len(target[side]), artifact.facts),
            }
            for title, side in zip(said.sides, ("for", "against"), strict=True)
        ],
    }


def _spare(targets: list[Row]) -> Row | None:
    """A unit whose card the script copies for other targets, where the first target has none of its own."""
    shown = [[unit for column in target["columns"] for unit in column["units"]] for target in targets]
    return None if shown[0] else next((units[0] for units in shown if units), None)


def _few(shown: int, facts: Row) -> str:
    """What to say of a side with fewer units than were asked for, as no others pull that way; else empty."""
    if shown >= facts["top"]:
        return ""
    kind = "named unit" if facts["named_only"] else "unit"
    if not shown:
        return f"No {kind} speaks on this side."
    return f"Only {words.count(shown, kind)} {'speaks' if shown == 1 else 'speak'} on this side."


def _unit(unit: Row, scale: dict[str, float], artifact: Artifact) -> Row:
    named, names = unit["concept"] is not None, artifact.facts["names"]
    closest = f"(closest: {unit['best_concept']})" if unit["best_concept"] else ""
    crops = _crops(unit, artifact)
    because = trust.unnamed_because(unit, names["min_iou"], names.get("max_q"))
    cells = artifact.arrays["unit_map"][unit["map"]]
    state, fires = _fires(unit, one_cell=cells.size == 1)
    return {
        "unit": unit["unit"],
        "map": unit["map"],
        "rank": unit["rank"],
        "named": named,
        "title": unit["concept"] if named else f"unit {unit['unit']}, unnamed",
        "who": f"unit {unit['unit']} · {unit['category']}" if named else f"{closest} {because}".strip(),
        "sure": trust.sure(unit),
        "alpha": words.signed(unit["alpha"]),
        "activation": words.number(unit["activation"]),
        "contribution": words.signed(unit["contribution"]),
        "alpha_share": unit["alpha"] / (scale["alpha"] or 1.0),
        "contribution_share": unit["contribution"] / (scale["contribution"] or 1.0),
        "state": state,
        "fires": fires,
        "where": _where(cells, artifact.facts["image"]),
        "strip": unit["unit"] in artifact.strips,
        "why": "why this name" if named else "why no name",
        "crops": why.crop_rows(crops, unit["unit"], unit["best_concept"]),
        "nothing_against": why.nothing_against(crops, unit["best_concept"]),
    }


def _crops(unit: Row, artifact: Artifact) -> list[Row]:
    if unit["unit"] not in artifact.evidence:
        return []
    return [row for row in artifact.facts["evidence"] if row["unit"] == unit["unit"]]


def _fires(unit: Row, *, one_cell: bool) -> tuple[str, str]:
    share = unit["above_threshold"]
    if unit["silent"]:
        return "silent", "silent on this photograph"
    if share is None:
        return "fires", f"fires here: mean activation {words.number(unit['activation'])}"
    if share == 0:
        return "below", "below its threshold here"
    if one_cell:
        return "fires", "fires here: above its threshold"
    return "fires", f"fires here: {words.percent(share)} of cells above its threshold"


def _where(cells: NDArray[np.float32], image: Row) -> str:
    left, top, right, bottom = image["crop"]
    return words.where_hot(cells, (left, top, right, bottom), image["width"], image["height"])


def _answers(facts: Row) -> list[Row]:
    """The predicted classes with their targets, and the explained class where it is none of them."""
    by_class = {t["index"]: i for i, t in reversed(list(enumerate(facts["targets"]))) if t["kind"] == "class"}
    known = {p["index"] for p in facts["predictions"]}
    first = facts["targets"][0]
    asked = [first] if first["kind"] == "class" and first["index"] not in known else []
    return [
        {
            "label": row["label"],
            "target": by_class.get(row["index"]),
            "probability": words.percent(row["probability"]),
            "share": row["probability"] or 0.0,
            "score": words.number(row["score"]),
        }
        for row in [*facts["predictions"], *asked]
    ]


def _shares(target: Row, units: int) -> str:
    alpha, contribution = target["named_alpha_share"], target["named_contribution_share"]
    parts = []
    if alpha is not None:
        parts.append(f"{words.percent(alpha)} of Σ|alpha|")
    if contribution is not None:
        parts.append(f"{words.percent(contribution)} of Σ|contribution|")
    carried = f"Named units carry {' and '.join(parts)}" if parts else "No unit has an alpha other than zero"
    return f"{carried}; {_silent(target, units)}."


def _silent(target: Row, units: int) -> str:
    return f"{target['silent_units']:,} of {words.count(units, 'unit')} are silent on this photograph"


def _meters(target: Row) -> list[Row]:
    return [
        {"share": target[key], "text": words.percent(target[key]), "of": of}
        for key, of in (("named_alpha_share", "Σ|alpha|"), ("named_contribution_share", "Σ|contribution|"))
        if target[key] is not None
    ]


def _check(check: Row, score: str) -> Row:
    """The ablation check as rows of a chart, on an axis from zero that holds them all; `score`: what a score is."""
    likely = check["probability"] is not None
    key, what = ("probability", "probability") if likely else ("score", score)
    say = words.percent if likely else words.number
    values: list[tuple[str, float, float, float]] = [
        ("the network as it is", check[key], check[key], check[key]),
        (
            f"without the {words.count(len(check['units']), 'top unit')}",
            check[f"{key}_without"],
            check[f"{key}_without"],
            check[f"{key}_without"],
        ),
    ]
    random = check[f"random_{key}"]
    if random is not None:
        drawn = f"without {words.count(check['drawn_units'], 'random firing unit')}"
        values.append((drawn, random["mean"], random["p5"], random["p95"]))
    ends = [v for row in values for v in row[1:]]
    start, end = min(0.0, *ends), max(0.0, *ends)
    if likely:
        end = next(limit for limit in _AXIS_ENDS if limit >= end)
    return {
        "text": check["text"],
        "what": what,
        "start": say(start),
        "end": say(end),
        "rows": [
            {
                "label": label,
                "value": say(value),
                "reach": f"{say(low)} to {say(high)}" if low != high else "",
                "bar": draw.interval_bar(value, low, high, start, end),
            }
            for label, value, low, high in values
        ],
        "units": ", ".join(str(unit) for unit in check["units"]),
        "silent": ", ".join(str(unit) for unit in check["silent"]),
        "one_silent": len(check["silent"]) == 1,
        "draws": check["draws"] if random is not None else None,
        "firing": check["firing"],
    }


def _cell(image: Row, model: Row) -> str:
    left, top, right, bottom = image["crop"]
    height, width = model["map_size"]
    return f"{(right - left) / width:.0f} × {(bottom - top) / height:.0f}"


def _chance(names: Row) -> str:
    if names.get("max_q") is None or names["max_q"] >= 1:
        return ""
    return f" and if chance would hardly give as good a label (q up to {words.plain(names['max_q'])})"


def _honesty(facts: Row) -> list[str]:
    model, image, names, first = facts["model"], facts["image"], facts["names"], facts["targets"][0]
    (height, width), places = model["map_size"], _has_places(facts)
    lines = [
        f"{_silent(first, model['units'])}: whatever their alpha, they add nothing to a score here.",
        _RANKING[facts["rank_by"]],
    ]
    if places:
        lines.insert(
            1,
            f"The maps have {width} × {height} cells. One cell covers about {_cell(image, model)} pixels of the "
            f"photograph ({image['width']:,} × {image['height']:,}); detail finer than that is interpolation.",
        )
    if facts["named_only"]:
        lines.append("Only named units were ranked; unnamed ones are left out of the lists above.")
    if names["min_iou"] is not None:
        named = f"{names['named']:,} of {words.count(names['units'], 'unit')} are"
        lines.append(
            "A unit is named if the region where it fires most overlaps a concept with an IoU of at "
            f"least {words.plain(names['min_iou'])}{_chance(names)}; {named}."
        )
    asked = facts.get("asked")
    if asked is not None and asked["task"] == "caption":
        lines.append(
            "A word’s probability is that of the word after the ones before it, whoever said those. Some words (“of”, "
            "“a”) follow from them almost by themselves; the map of such a word may say little about the photograph."
        )
    if not model["rectified"]:
        lines.append(
            "The layer's output is not rectified: units can be negative"
            + (", and a heatmap shows their positive part." if places else ".")
        )
    return lines
