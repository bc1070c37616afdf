"""What was a network asked that does more than classify? The caption with its words, or the question.

A captioner's page shows its caption, each word with its probability, and the other captions that it considered; a page
of a question shows the question. What the targets are called is the matter of `headings`.
"""

from __future__ import annotations

from reports import words
from reports.contract import Row
from reports.headings import after

NAMES = 3  # units' names that a row of the table of words shows


def asked_view(facts: Row) -> Row | None:
    """The template's variables for what was asked; None for a classifier."""
    asked: Row | None = facts.get("asked")
    if asked is None or asked["task"] == "answer":
        return asked
    targets = facts["targets"]
    whole = next(number for number, target in enumerate(targets) if target["kind"] == "caption")
    score = targets[whole]["score"]
    rows = [
        {"text": row["label"], "score": words.logarithm(row["score"]), "rank": str(rank)}
        for rank, row in enumerate(facts["predictions"], start=1)
    ]
    if asked["text"] not in [row["label"] for row in facts["predictions"]]:
        rows.append({"text": asked["text"], "score": words.logarithm(score), "rank": "given"})
    return {
        "task": "caption",
        "text": asked["text"],
        "who": "A caption that was given, not generated" if asked["forced"] else "The network’s caption",
        "forced": asked["forced"],
        "score": words.logarithm(score),
        "whole": whole,
        "words": [_word(place, facts) for place in range(len(asked["words"]))],
        "captions": [{**row, "explained": row["text"] == asked["text"]} for row in rows],
    }


def _word(place: int, facts: Row) -> Row:
    caption = facts["asked"]["words"]
    word, target = caption[place], facts["targets"][caption[place]["target"]]
    likely = words.percent(word["probability"])
    names = [
        unit["concept"]
        for unit in target["for"]
        if unit["concept"] is not None and not unit["silent"] and unit[facts["rank_by"]] > 0
    ]
    return {
        "text": word["text"],
        "target": word["target"],
        "share": word["probability"],
        "likely": likely,
        "title": f"{after(caption, place)}: probability {likely}",
        "score": words.logarithm(target["score"]),
        "names": list(dict.fromkeys(names))[:NAMES],
    }
