"""What the page of a set of explanations says: a card for each image, counts, the concepts that spoke most often.

Everything about an image comes from its own explanation; the collection adds only its true label and a note.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from reports import draw, words
from reports.contract import Row
from reports.headings import wording
from reports.place import address
from reports.read import Artifact
from reports.trust import sure

CONCEPTS = 12  # rows that the table of concepts shows at first
UNITS = 6  # numbers of units that one of its rows shows

_ORDINALS = ("1st", "2nd", "3rd", "4th", "5th")


def collection_view(artifact: Artifact, members: Sequence[tuple[Row, Artifact]], colours: str) -> Row:
    """The template's variables for a collection.

    Args:
        artifact: a collection.
        members: its rows, each with the explanation it names.
        colours: `heat` or `paper`, for the maps on the thumbnails.
    """
    facts = artifact.facts
    cards = [_card(row, member, colours) for row, member in members]
    counts = {verdict: sum(card["verdict"] == verdict for card in cards) for verdict in ("right", "wrong")}
    shapes = [card["thumbnail"]["width"] / card["thumbnail"]["height"] for card in cards]
    names = members[0][1].facts["names"]
    concepts = _concepts([member.facts for _, member in members])
    return {
        "title": facts["title"],
        "said": "caption" if all(_is_caption(member.facts) for _, member in members) else "answer",
        "paragraphs": [part.strip() for part in facts["intro"].split("\n\n") if part.strip()],
        "manifest": artifact.manifest,
        "cards": cards,
        "counts": counts,
        "labelled": counts["right"] + counts["wrong"],
        "square": all(0.85 < shape < 1.18 for shape in shapes),
        "named": f"{names['named']:,}",
        "units": f"{names['units']:,}",
        "names_page": None if facts["dissection"] is None else address(facts["dissection"]),
        "concepts": {"first": concepts[:CONCEPTS], "more": concepts[CONCEPTS:]},
    }


def collection_twin(artifact: Artifact, cards: Sequence[Row]) -> Row:
    """The page's facts for machines: the collection, and of each card what it says."""
    said = ("folder", "image", "question", "predicted", "probability", "label", "verdict", "sentence")
    members = [{key: card[key] for key in said} for card in cards]
    return {"collection": artifact.facts, "manifest": artifact.manifest, "members": members}


def _card(row: Row, member: Artifact, colours: str) -> Row:
    facts, label = member.facts, row["label"]
    asked, first = facts.get("asked"), facts["targets"][0]
    said = wording(first, facts)
    best = facts["predictions"][0] if facts["predictions"] else None
    predicted = best["label"] if best else None
    verdict = None if label is None or best is None else "right" if label == predicted else "wrong"
    image, cells = facts["image"], np.clip(member.arrays["signed_map"][0], 0, None)
    left, top, right, bottom = image["crop"]
    width, height = image["width"], image["height"]
    if cells.size == 1:  # it says nothing of where
        cells = np.zeros_like(cells)
    picture = draw.thumbnail(
        member.photograph or b"", cells, colours, (left / width, top / height, right / width, bottom / height)
    )
    across, down = draw.image_size(picture)
    where = words.where_hot(cells, (left, top, right, bottom), width, height)
    return {
        "folder": row["folder"],
        "address": address(row["folder"]),
        "image": image["name"],
        "question": asked["question"] if asked else None,
        "predicted": predicted,
        "heading": predicted or said.name,
        # Of a caption it is the product of its words': it says more about its length than about its truth.
        "probability": words.percent(best["probability"]) if best and not _is_caption(facts) else "",
        "label": label,
        "verdict": verdict,
        "rank_of_label": _rank(label, facts) if verdict == "wrong" else "",
        "explained": None if first is _answer(facts) else said.name,
        "sentence": first["sentence"],
        "sides": [
            {"side": side, "chips": _chips(first, side, facts["rank_by"])} for side in ("for", "against")
        ],
        "note": row["note"],
        "thumbnail": {
            "uri": draw.data_uri(picture),
            "width": across,
            "height": down,
            "alt": f"{image['name']} with the Grad-CAM map for “{said.name}”: {where}"
            if cells.size > 1
            else f"{image['name']}: {where}",
        },
    }


def _is_caption(facts: Row) -> bool:
    asked = facts.get("asked")
    return asked is not None and asked["task"] == "caption"


def _rank(label: str, facts: Row) -> str:
    """Which answer the true label was: "the 2nd answer, 21 %", with a space that does not break."""
    noun, predictions = "caption" if _is_caption(facts) else "answer", facts["predictions"]
    for place, row in zip(_ORDINALS, predictions, strict=False):
        if row["label"] == label:
            return f"the {place} {noun}, {words.percent(row['probability'])}".replace(" %", "\u00a0%")
    return f"not among the {words.count(len(predictions), f'best {noun}')}"


def _speaking(target: Row, side: str, rank_by: str) -> list[Row]:
    """The listed units that pull in this direction; an older list may end in units that pull in neither."""
    return [unit for unit in target[side] if (unit[rank_by] > 0 if side == "for" else unit[rank_by] < 0)]


def _chips(target: Row, side: str, rank_by: str) -> list[Row]:
    """The names of the units on one side, strongest first, equal names together, unnamed units last."""
    units: dict[str | None, list[Row]] = defaultdict(list)
    for unit in _speaking(target, side, rank_by):
        units[unit["concept"]].append(unit)
    order = sorted(units, key=lambda name: name is None)
    return [
        {
            "name": name,
            "count": len(units[name]),
            "silent": all(unit["silent"] for unit in units[name]),
            "sure": "; ".join(f"unit {unit['unit']}: {sure(unit)}" for unit in units[name]),
        }
        for name in order
    ]


def _concepts(explanations: Sequence[Row]) -> list[Row]:
    """For each concept, on how many images a firing unit of its name spoke for or against the answer."""
    images: Mapping[str, dict[tuple[str, str], set[int]]] = {
        "for": defaultdict(set),
        "against": defaultdict(set),
    }
    units: dict[tuple[str, str], set[int]] = defaultdict(set)
    for number, facts in enumerate(explanations):
        target = _answer(facts)
        if target is None:
            continue
        for side in images:
            for unit in _speaking(target, side, facts["rank_by"]):
                if unit["concept"] is not None and not unit["silent"]:
                    concept = (unit["concept"], unit["category"])
                    images[side][concept].add(number)
                    units[concept].add(unit["unit"])
    counts = {
        concept: {side: len(images[side].get(concept, ())) for side in images} for concept in units
    }  # fmt: skip
    longest = max((n for count in counts.values() for n in count.values()), default=1)
    order = sorted(
        counts, key=lambda concept: (-sum(counts[concept].values()), -counts[concept]["for"], concept)
    )
    return [
        {
            "name": concept[0],
            "category": concept[1],
            "sides": [
                {"side": side, "images": count, "share": count / longest}
                for side, count in counts[concept].items()
            ],
            "units": sorted(units[concept])[:UNITS],
            "more_units": max(0, len(units[concept]) - UNITS),
        }
        for concept in order
    ]


def _answer(facts: Row) -> Row | None:
    """The evidence for the network's best class, answer or caption, if the explanation holds it."""
    targets: list[Row] = facts["targets"]
    if not facts["predictions"]:
        return None
    best = facts["predictions"][0]
    for target in targets:
        if target["kind"] == "class" and target["index"] == best["index"]:
            return target
        if target["kind"] == "caption" and facts["asked"]["text"] == best["label"]:
            return target
    return None
