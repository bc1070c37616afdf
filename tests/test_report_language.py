"""The page of a caption and that of an answer, as files; and what their artifacts must hold."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from artifacts_for_pages import HOSTILE, save, write_explanation
from language_artifacts import BEAM, CAPTION, LIKELY, QUESTION, long_caption, write_answer, write_caption
from test_reports_read import change_json, refusal
from test_reports_write import Page

from reports import words
from reports.contract import ASKED, TARGET_KINDS, WORD
from reports.headings import wording
from reports.write import BYTES_OF_EXPLANATION, write_report

ROOT = Path(__file__).resolve().parents[1]
WORDS = CAPTION.split()


@pytest.fixture(scope="module")
def captioned(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(write_report(write_caption(tmp_path_factory.mktemp("pages") / "caption")))


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(write_report(write_answer(tmp_path_factory.mktemp("pages") / "answer")))


def links(page: Page, kind: str) -> list[dict[str, str | None]]:
    return [a for a in page.all("a") if (a.get("class") or "") == kind]


def part(page: Page, tag: str, name: str) -> str:
    """The source of the element with this id, which holds no other of its kind."""
    found = re.search(rf'<{tag}[^>]* id="{name}".*?</{tag}>', page.source, re.DOTALL)
    assert found is not None, name
    return found[0]


def test_the_page_of_a_caption_says_everything(captioned: Page) -> None:
    for said in (
        "The network’s caption log-probability −4.94",
        "Why this caption?",
        "For this caption",
        "Against this caption",
        "Grad-CAM for the whole caption",
        "Why “lamp”?",
        "For “lamp”",
        "Against “lamp”",
        "After “a red” it has a probability of 73 % (log-probability −0.31).",
        "As the first word it has a probability of 98.1 %",
        "“chairs”: lamp and chair speak for it; road speaks against it.",
        "the whole caption",
        "Word by word",
        "Captions that the network found",
        "two chairs and a red lamp",
        "−6.21",
        f"The log-probability of “{CAPTION}”, axis from −7.90 to 0",
        "the map of such a word may say little about the photograph",
        f"Whole network’s fingerprintsha256:{'2b' * 32}",
    ):
        assert said in captioned.text, said
    for absent in ("The network’s answers", "given, not generated", "class"):
        assert absent not in captioned.text, absent
    assert f"“{CAPTION}”: Why this caption? — chelsea.png" in captioned.text


def test_every_word_leads_to_its_target(captioned: Page) -> None:
    words_shown = links(captioned, "word")
    assert [a["href"] for a in words_shown] == [f"#target-{i}" for i in range(1, 8)]
    assert words_shown[2]["title"] == "After “a red”: probability 73 %"
    nav = part(captioned, "nav", "caption")
    assert re.findall(r"<bdi>(.*?)</bdi>", nav) == WORDS
    # Its line is as long as it is likely, and the same is said to those who do not see it.
    lengths = re.findall(r'<rect class="plus" width="([\d.]+)"', nav)
    assert [float(x) for x in lengths] == [pytest.approx(100 * p, abs=0.05) for p in LIKELY]
    assert re.findall(r'unseen-text"> \((.*?)\)', nav) == [words.percent(p) for p in LIKELY]


def test_what_remains_without_a_script(captioned: Page) -> None:
    """The caption, a table of its words, and each word's overlay and sentence, in the page itself."""
    rows = re.findall(r"<tr><th.*?</tr>", part(captioned, "section", "words"), re.DOTALL)[1:]
    assert [re.search(r"<bdi>(.*?)</bdi>", row)[1] for row in rows] == WORDS  # type: ignore[index]
    assert [re.search(r'"n">(.*?)<', row)[1] for row in rows] == [words.percent(p) for p in LIKELY]  # type: ignore[index]
    articles = re.findall(r"<article.*?</article>", captioned.source, re.DOTALL)
    assert len(articles) == 8
    for word, article in zip(WORDS, articles[1:], strict=True):
        assert f"Why “{word}”?" in article and f"“{word}”: lamp and chair speak for it" in article
        assert re.search(r'<div class="static">.*?href="data:image/png', article, re.DOTALL)
        assert article.count('<tr class="unit ') == 10


def test_units_that_speak_for_a_word_are_named_firing_and_positive(tmp_path: Path) -> None:
    def change(facts: dict[str, Any], _: dict[str, np.ndarray]) -> None:
        spoken = facts["targets"][1]["for"]
        names = ("sofa", None, "lamp", "sofa", "wall")
        for unit, name in zip(spoken, names, strict=True):
            unit.update(concept=name, silent=name == "lamp", alpha=-1.0 if name == "wall" else 0.1)

    page = Page(write_report(write_caption(tmp_path / "x", then=change)))
    row = re.findall(r"<tr><th.*?</tr>", part(page, "section", "words"), re.DOTALL)[1]
    assert re.findall(r"<bdi>(.*?)</bdi>", row) == ["a", "sofa"]


def test_the_other_captions_are_listed_in_their_order(captioned: Page) -> None:
    rows = re.findall(r"<tr.*?</tr>", part(captioned, "section", "captions"), re.DOTALL)[1:]
    assert [re.search(r"<bdi>(.*?)</bdi>", row)[1] for row in rows] == [text for text, _ in BEAM]  # type: ignore[index]
    assert ["explained here" in row for row in rows] == [True, False, False]
    assert [re.search(r'"n">(.*?)<', row)[1] for row in rows] == ["−4.41", "−4.93", "−6.21"]  # type: ignore[index]


def test_a_single_caption_has_no_list(tmp_path: Path) -> None:
    assert 'id="captions"' not in Page(write_report(write_caption(tmp_path / "x", beam=BEAM[:1]))).source


def test_a_word_that_was_asked_for_comes_first(tmp_path: Path) -> None:
    page = Page(write_report(write_caption(tmp_path / "x", first=2)))
    assert [a["href"] for a in links(page, "word")] == [f"#target-{i}" for i in (2, 3, 0, 4, 5, 6, 7)]
    assert [a["href"] for a in links(page, "word") if a.get("aria-current")] == ["#target-0"]
    whole = next(a for a in page.all("a") if a.get("id") == "whole")
    assert whole["href"] == "#target-1" and "aria-current" not in whole
    assert re.search(r"<h1[^>]*>Why “lamp”\?</h1>", page.source)
    assert "The probability of “lamp”, axis" in page.text and "““" not in page.text


def test_a_given_caption_says_so(tmp_path: Path) -> None:
    given = {"text": "two lamps", "likely": (0.5, 0.25), "forced": True}
    page = Page(write_report(write_caption(tmp_path / "x", **given)))
    assert "A caption that was given, not generated" in page.text and "The network’s caption" not in page.text
    rows = re.findall(r"<tr.*?</tr>", part(page, "section", "captions"), re.DOTALL)[1:]
    assert len(rows) == 4 and "<td>given</td>" in rows[3] and "two lamps" in rows[3]
    assert ["explained here" in row for row in rows] == [False, False, False, True]
    # One that the network found too is not listed twice.
    page = Page(write_report(write_caption(tmp_path / "y", forced=True)))
    rows = re.findall(r"<tr.*?</tr>", part(page, "section", "captions"), re.DOTALL)[1:]
    assert len(rows) == 3 and "explained here, given" in rows[0]


def test_a_caption_without_words_is_still_a_page(tmp_path: Path) -> None:
    page = Page(write_report(write_caption(tmp_path / "x", text="", likely=(), forced=True)))
    assert 'id="words"' not in page.source and "Why this caption?" in page.text


def test_the_page_of_an_answer_says_everything(answered: Page) -> None:
    for said in (
        f"Q: {QUESTION}",
        f"{QUESTION} Why “red”? — chelsea.png",
        "The network’s answers",
        "Why “red”?",
        "Why “red” rather than “yellow”?",
        "What speaks against “red”?",
        "If it had to say “yellow”: why?",
        "The network’s own answer is “red” (61 %).",
    ):
        assert said in answered.text, said
    assert re.search(r"<h1[^>]*>Why “red”\?</h1>", answered.source)
    assert [a["href"] for a in links(answered, "answer")] == [f"#target-{i}" for i in range(5)]
    for absent in ("class", "caption", "Word by word"):
        assert absent not in answered.text, absent
    assert "targets.showChosen()" not in answered.source  # the script of captions is theirs alone


def test_a_forced_answer_says_so(tmp_path: Path) -> None:
    page = Page(write_report(write_answer(tmp_path / "x", forced=True)))
    assert re.search(r"<h1[^>]*>If it had to say “yellow”: why\?</h1>", page.source)
    assert page.text.count("The network’s own answer is “red” (61 %).") == 4
    assert "Why “red”?" in page.text and "If it had to say “red”" not in page.text
    assert "Why “yellow” rather than “red”?" in page.text
    assert [a["href"] for a in links(page, "answer") if a.get("aria-current")] == ["#target-0"]


def test_a_comparison_with_an_answer_out_of_sight_does_not_call_it_a_class() -> None:
    contrast = {"kind": "contrast", "label": "red rather than blue", "index": 0, "versus": 77}
    best = {"index": 0, "label": "red", "score": 2.0, "probability": 0.5}
    facts = {"asked": {"task": "answer"}, "predictions": [best], "targets": [contrast]}
    assert wording(contrast, facts).heading == "Why “red” rather than “the other answer”?"
    assert wording(contrast, {**facts, "asked": None}).heading == "Why “red” rather than “the other class”?"


@pytest.mark.parametrize("asked", ["missing", "null"])
def test_a_classifier_page_has_nothing_of_it(tmp_path: Path, asked: str) -> None:
    def change(facts: dict[str, Any], _: dict[str, np.ndarray]) -> None:
        if asked == "null":
            facts["asked"] = None

    page = Page(write_report(write_explanation(tmp_path / "x", change=change)))
    assert "Why “tiger cat”?" in page.text
    for absent in ("Q:", "If it had to", "log-probability", "Word by word", 'class="asked"', "showChosen()"):
        assert absent not in page.source, absent


@pytest.mark.parametrize("write", [write_caption, write_answer])
def test_the_same_folder_gives_the_same_bytes(tmp_path: Path, write: Callable[..., Path]) -> None:
    first = write_report(write(tmp_path / "x")).read_bytes()
    code = f"from reports.write import write_report; write_report({str(tmp_path / 'x')!r})"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    assert (tmp_path / "x" / "index.html").read_bytes() == first


def hostile_caption(folder: Path) -> Path:
    """Two words that are no words, as the caption and as others."""

    def change(facts: dict[str, Any], _: dict[str, np.ndarray]) -> None:
        facts["asked"].update(text=HOSTILE, fingerprint=HOSTILE)
        for word in facts["asked"]["words"]:
            word["text"] = HOSTILE
        for target in facts["targets"]:
            target.update(label=HOSTILE, sentence=HOSTILE)
            for unit in target["for"] + target["against"]:
                unit["concept"] = HOSTILE if unit["concept"] else None

    beam = ((HOSTILE, -1.0), ("</script><script>alert(2)</script>", -2.0))
    return write_caption(folder, text="x y", likely=(0.5, 0.5), beam=beam, then=change)


def hostile_answer(folder: Path) -> Path:
    classes = (HOSTILE, "</script>", "c", "d", "e")
    return write_answer(folder, question=HOSTILE, classes=classes, forced=True)


@pytest.mark.parametrize("write", [hostile_caption, hostile_answer])
def test_hostile_text_stays_text(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    page = Page(write_report(write(tmp_path / "x")))
    assert "<script>alert" not in page.source and len(page.all("script")) == 3
    assert page.text.count(HOSTILE) >= 5
    assert all("style" not in a and not any(name.startswith("on") for name in a) for _, a in page.tags)


@pytest.mark.parametrize("which", ["captioned", "answered"])
def test_the_page_is_sound_html(which: str, request: pytest.FixtureRequest) -> None:
    page: Page = request.getfixturevalue(which)
    ids = [a["id"] for _, a in page.tags if a.get("id")]
    assert len(ids) == len(set(ids)) and len(page.all("h1")) == 1
    to = {a["href"] for tag, a in page.tags if tag in ("a", "use") and a.get("href")}
    assert to and {link[1:] for link in to if link} <= set(ids)
    assert all(a.get("aria-label") or a.get("aria-hidden") for a in page.all("svg"))
    assert all(a.get("scope") for a in page.all("th"))


def test_a_long_caption_stays_below_its_size(tmp_path: Path) -> None:
    """Twenty words, 21 targets with 210 different units on 14 × 14 cells, and real pictures: the most there is."""
    photograph = pytest.importorskip("skimage.data").coffee()
    folder = write_caption(tmp_path / "x", photograph=photograph, crops_from=[photograph], **long_caption())
    path = write_report(folder)
    size = path.stat().st_size
    assert size <= 400_000
    facts = json.loads((folder / "explanation.json").read_text(encoding="utf-8"))
    units = {unit["unit"] for t in facts["targets"] for unit in t["for"] + t["against"]}
    assert len(facts["targets"]) == 21 and len(units) == 210
    # Pictures are there, and not crushed.
    pictures = re.findall(r'"data:image/webp;base64,([^"]+)"', path.read_text(encoding="utf-8"))
    assert len(pictures) == 11 and sum(map(len, pictures)) > 60_000


def test_a_short_caption_is_no_larger_than_a_page_of_classes(tmp_path: Path) -> None:
    photograph = pytest.importorskip("skimage.data").coffee()
    folder = write_caption(tmp_path / "x", photograph=photograph, crops_from=[photograph], shape=(14, 14))
    assert write_report(folder).stat().st_size <= BYTES_OF_EXPLANATION == 250_000


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.update(asked=[]), "asked: expected dict, got list"),
        (lambda f: f["asked"].pop("forced"), "asked: expected the key 'forced'"),
        (
            lambda f: f["asked"].update(task="essay"),
            "asked: expected a task among 'caption', 'answer', got 'essay'",
        ),
        (lambda f: f["asked"].update(task=["caption"]), "got ['caption']"),
        (lambda f: f["asked"].update(task="answer"), "targets[0]: expected a kind of the task 'answer'"),
        (lambda f: f.update(asked=None), "targets[0]: expected a kind of a classifier, 'class', 'contrast'"),
        (lambda f: f["asked"].update(text=None), "text: expected str"),
        (lambda f: f["asked"].update(forced=1), "forced: expected bool"),
        (lambda f: f["asked"].update(words={}), "words: expected list"),
        (lambda f: f["asked"].update(question="why?"), "question: expected null for a caption"),
        (lambda f: f["asked"]["words"][3].pop("probability"), "words[3]: expected the key 'probability'"),
        (
            lambda f: f["asked"]["words"][3].update(probability=1.5),
            "words[3]: expected a probability from 0 to 1",
        ),
        (lambda f: f["asked"]["words"][3].update(probability=None), "words[3]: expected a probability"),
        (lambda f: f["asked"]["words"][3].update(text=3), "words[3]: text: expected str"),
        (lambda f: f["asked"]["words"][3].update(target=8), "words[3]: target 8 of 8"),
        (lambda f: f["asked"]["words"][3].update(target=-1), "words[3]: target -1 of 8"),
        (lambda f: f["asked"]["words"][3].update(target="4"), "words[3]: target: expected int"),
        (lambda f: f["asked"]["words"][3].update(target=0), "words[3]: expected the target of kind 'word'"),
        (
            lambda f: f["asked"]["words"].reverse(),
            "words[0]: expected the target of kind 'word' with index 0",
        ),
        (lambda f: f["asked"]["words"].pop(), "one of kind 'word' for each of 6 words, got 1 and 7"),
        (lambda f: f["targets"][0].update(kind="word"), "for each of 7 words, got 0 and 8"),
    ],
)
def test_a_caption_that_breaks_the_contract(tmp_path: Path, change: Callable[[Any], None], said: str) -> None:
    folder = write_caption(tmp_path / "x", with_strips=False)
    change_json(folder, "explanation.json", change)
    assert said in refusal(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f["asked"].update(question=None), "question: expected str"),
        (lambda f: f["asked"].update(words=[{}]), "words: expected none for an answer, got 1"),
        (lambda f: f["targets"][0].update(kind="caption"), "got 'caption'"),
    ],
)
def test_an_answer_that_breaks_the_contract(tmp_path: Path, change: Callable[[Any], None], said: str) -> None:
    folder = write_answer(tmp_path / "x", with_strips=False)
    change_json(folder, "explanation.json", change)
    assert said in refusal(folder)


def test_the_document_names_the_keys_and_kinds() -> None:
    text = (ROOT / "docs" / "artifacts.md").read_text(encoding="utf-8").split("## kind `explanation`")[1]
    text = text.split("## kind")[0]
    documented = set(re.findall(r"`\"?(\w+)\"?`", text)) | set(
        re.findall(r"\w+", text.split("`{text")[1].split("}")[0])
    )
    wanted = {
        *ASKED,
        *WORD,
        "asked",
        "text",
        "caption",
        "answer",
        *(k for kinds in TARGET_KINDS.values() for k in kinds),
    }
    assert wanted <= documented


def in_a_set(root: Path, **options: Any) -> Path:
    """A collection whose only member is of `options["write"]`."""
    options.pop("write")(root / "one", with_strips=False, **options)
    facts = {"title": "A set", "intro": "", "members": [{"folder": "one", "label": None, "note": None}]}
    return save(root, "collection", {"collection.json": json.dumps({**facts, "dissection": None}).encode()})


def test_a_caption_in_a_set(tmp_path: Path) -> None:
    page = Page(write_report(in_a_set(tmp_path / "x", write=write_caption)))
    assert re.search(rf'<h3><a href="one/index.html"><bdi>{CAPTION}</bdi>', page.source)
    assert "what the network said" in page.text and "network’s caption, and fires there" in page.text
    assert "Explained here" not in page.text and "Q:" not in page.text and "network’s answer" not in page.text
    assert "No named unit spoke" not in page.text  # the caption's units are counted
    assert page.all("img")[0]["alt"].startswith(f"chelsea.png with the Grad-CAM map for “{CAPTION}”: hot")  # type: ignore[union-attr]
    assert page.twin["members"][0]["predicted"] == CAPTION and page.twin["members"][0]["question"] is None


def test_a_word_and_a_given_caption_in_a_set(tmp_path: Path) -> None:
    page = Page(write_report(in_a_set(tmp_path / "x", write=write_caption, first=2)))
    assert "Explained here: “lamp”" in page.text and "No named unit spoke" not in page.text
    given = {"text": "two lamps", "likely": (0.5, 0.25), "forced": True}
    page = Page(write_report(in_a_set(tmp_path / "y", write=write_caption, **given)))
    assert f"<bdi>{CAPTION}</bdi>" in page.source and "Explained here: “two lamps”" in page.text
    assert "No named unit spoke on any image." in page.text


def test_an_answer_in_a_set(tmp_path: Path) -> None:
    page = Page(write_report(in_a_set(tmp_path / "x", write=write_answer)))
    assert f"Q: {QUESTION} red61 %" in page.text and "Explained here" not in page.text
    assert page.twin["members"][0]["question"] == QUESTION
    page = Page(write_report(in_a_set(tmp_path / "y", write=write_answer, forced=True)))
    assert f"Q: {QUESTION} red61 %" in page.text and "Explained here: “yellow”" in page.text
    page = Page(write_report(in_a_set(tmp_path / "z", write=write_answer, question=HOSTILE)))
    assert HOSTILE in page.text and "<script>alert" not in page.source and len(page.all("script")) == 3
