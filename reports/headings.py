"""What is a target called on a page? Its question, its two sides, and what its map shows.

    wording(facts["targets"][0], facts).heading        # "Why “kitchen”?", "Why “lamp”?", "Why this caption?"

A class, an answer, a caption and a word of one are asked about in different words; every page takes them from here.
"""

from __future__ import annotations

from dataclasses import dataclass

from reports import words
from reports.contract import Row


@dataclass(frozen=True)
class Wording:
    """A target in words.

    Attributes:
        name: what is explained, to stand between quotation marks.
        heading: the question that the evidence answers.
        sides: titles of the units that speak for it and against it.
        shown: what its map shows, to follow "chelsea.png, ".
        context: a sentence that the reader needs first; empty if there is none.
        score: what its score is called.
    """

    name: str
    heading: str
    sides: tuple[str, str]
    shown: str
    context: str = ""
    score: str = "score"


def wording(target: Row, facts: Row) -> Wording:
    """The words for one of an explanation's targets."""
    if target["kind"] == "caption":
        return Wording(
            facts["asked"]["text"],
            "Why this caption?",
            ("For this caption", "Against this caption"),
            "Grad-CAM for the whole caption",
            score="log-probability",
        )
    if target["kind"] == "word":
        return _of_word(target, facts["asked"]["words"])
    return _of_class(target, facts)


def _of_word(target: Row, caption: list[Row]) -> Wording:
    word = caption[target["index"]]
    what = word["text"]
    score = words.logarithm(target["score"])
    return Wording(
        what,
        f"Why “{what}”?",
        (f"For “{what}”", f"Against “{what}”"),
        f"Grad-CAM for “{what}”",
        f"{after(caption, target['index'])} it has a probability of {words.percent(word['probability'])} "
        f"(log-probability {score}).",
        "log-probability",
    )


def after(caption: list[Row], place: int) -> str:
    """What the network had said before a word: "After “a red”", or "As the first word"."""
    said = " ".join(word["text"] for word in caption[:place])
    return f"After “{said}”" if place else "As the first word"


def _of_class(target: Row, facts: Row) -> Wording:
    """A class or an answer, two of them compared, or the counterfactual."""
    answers = facts.get("asked") is not None
    labels: dict[int, str] = {p["index"]: p["label"] for p in facts["predictions"]}
    labels |= {t["index"]: t["label"] for t in facts["targets"] if t["kind"] == "class"}
    what = str(labels.get(target["index"], target["label"]))
    if target["kind"] == "contrast":
        other = labels.get(target["versus"], "the other answer" if answers else "the other class")
        return Wording(
            target["label"],
            f"Why “{what}” rather than “{other}”?",
            (f"For “{what}”", f"For “{other}”"),
            f"what speaks for “{what}” rather than “{other}”",
        )
    if target["kind"] == "counterfactual":
        return Wording(
            target["label"],
            f"What speaks against “{what}”?",
            (f"Against “{what}”", f"For “{what}”"),
            f"what speaks against “{what}” (counterfactual)",
        )
    heading, context = f"Why “{what}”?", ""
    best = facts["predictions"][0] if facts["predictions"] else None
    if answers and best is not None and best["index"] != target["index"]:
        heading = f"If it had to say “{what}”: why?"
        context = f"The network’s own answer is “{best['label']}” ({words.percent(best['probability'])})."
    return Wording(what, heading, (f"For “{what}”", f"Against “{what}”"), f"Grad-CAM for “{what}”", context)
