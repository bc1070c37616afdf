"""Pages and key: what a page holds and what it cannot tell, the artifact, and the answers that come back."""

from __future__ import annotations

import base64
import html
import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from study_toys import METHODS, discrimination, trust

from dissection.artifact import ArtifactError, read_artifact
from neuro_explain.study.answers import Rating, read_answers
from neuro_explain.study.folder import Study, load_key, make_study
from neuro_explain.study.question import Material, Network, Question
from neuro_explain.study.simulation import simulate, write_simulated
from reports.contract import ReportError
from reports.survey_page import survey_page


def pages(study: Study) -> dict[str, bytes]:
    return {rater: study.page(rater) for rater in study.key.sheets}


def other_truth(question: Question, generator: random.Random) -> Question:
    return replace(question, truth=generator.randrange(2))


def swapped_class(question: Question, swapped: set[str]) -> Question:
    if question.image not in swapped or question.truth is None:
        return question
    truth = 1 - question.truth
    return replace(question, truth=truth, category=question.choices[truth])


@pytest.mark.parametrize("seed", range(3))
def test_with_other_answers_the_pages_are_the_same_bytes(seed: int) -> None:
    material, generator = discrimination(), random.Random(seed)
    before = pages(make_study(material, ratings=3, raters=24, seed=4))
    assert len(before) == 24
    any_truth = [other_truth(one, generator) for one in material.questions]
    swapped = {one.image for one in material.questions if generator.random() < 0.5}
    whole = [swapped_class(one, swapped) for one in material.questions]
    for questions in (any_truth, whole):
        truths = [one.truth for one in questions]
        assert truths != [one.truth for one in material.questions]
        made = make_study(replace(material, questions=tuple(questions)), ratings=3, raters=24, seed=4)
        assert pages(made) == before
        assert [one.truth for one in made.key.questions] == truths  # only the key knows


@pytest.mark.parametrize("material", [discrimination(), trust()])
def test_with_other_methods_and_networks_the_pages_are_the_same_bytes(material: Material) -> None:
    before = pages(make_study(material, ratings=3, seed=4))
    renamed = tuple(replace(one, method=one.method[::-1]) for one in material.questions)
    networks = tuple(Network("other", "l", "2" * 64, 0.1) for _ in material.networks)
    made = make_study(replace(material, questions=renamed, networks=networks), ratings=3, seed=4)
    assert pages(made) == before


@pytest.mark.parametrize("material", [discrimination(), trust()])
def test_a_page_holds_tokens_pictures_and_choices_alone(material: Material) -> None:
    study = make_study(material, ratings=3, seed=1)
    tokens: list[str] = []
    for rater, page in pages(study).items():
        text = page.decode()
        for word in (*METHODS, "zebranet", "quaggaloo", "photo-", "truth", "flipped", "layer", "toys"):
            assert word not in text, word
        assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:)""", text)
        assert "default-src 'none'; img-src data:;" in html.unescape(text)
        sheet = study.key.sheets[rater]
        found = re.findall(r'data-token="([0-9a-f]{16})"', text)
        assert found == [placed.token for placed in sheet]
        tokens += found
        shown = [base64.b64decode(uri) for uri in re.findall(r'src="data:image/png;base64,([^"]+)"', text)]
        wanted = [
            picture
            for placed in sheet
            for picture in study.material.questions[placed.question].pictures[:: -1 if placed.flipped else 1]
        ]
        assert shown == wanted
        alts = re.findall(r'alt="([^"]*)"', text)
        assert {re.sub(r"\d+", "", alt) for alt in alts} <= {
            "Picture of question ",
            "Picture A of question ",
            "Picture B of question ",
        }
        labels = re.findall(r"<bdi>(cat|sofa)</bdi></span></label>", text)
        if material.task == "discrimination":
            assert labels == [
                choice
                for placed in sheet
                for choice in (("sofa", "cat") if placed.flipped else ("cat", "sofa"))
            ]
        else:
            assert "Both programs say <strong><bdi>kitchen</bdi>" in text
    assert len(set(tokens)) == len(tokens)  # no token is on two pages, so pages cannot be compared by them


def test_the_right_choice_is_first_half_of_the_time() -> None:
    study = make_study(discrimination(), ratings=9, seed=2)
    for number, question in enumerate(study.key.questions):
        first = [
            int(placed.flipped) == question.truth
            for sheet in study.key.sheets.values()
            for placed in sheet
            if placed.question == number
        ]
        assert len(first) == 9 and sum(first) in (4, 5)


def test_raters_are_so_many_that_none_sees_a_photograph_twice() -> None:
    study = make_study(discrimination(4), ratings=3)
    assert len(study.key.sheets) == 24 and next(iter(study.key.sheets)) == "rater-01"
    for sheet in study.key.sheets.values():
        images = [study.key.questions[placed.question].image for placed in sheet]
        assert len(set(images)) == len(images) == 4


def test_the_artifact_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_study(discrimination(3), ratings=2, seed=5)
    folder = tmp_path / "study"
    assert study.save(folder, command=["neuro-explain"]) == folder / "pages"
    manifest = read_artifact(folder, "study")
    assert manifest["options"]["task"] == "discrimination" and manifest["options"]["ratings"] == 2
    assert sorted(manifest["files"]) == sorted(
        ["private/key.json", *(f"pages/{rater}.html" for rater in study.key.sheets)]
    )
    assert {path.name for path in (folder / "pages").iterdir()} == {
        f"{rater}.html" for rater in study.key.sheets
    }
    loaded = load_key(folder)
    assert loaded.to_dict() == study.key.to_dict()
    assert loaded.questions == study.key.questions and loaded.sheets == study.key.sheets
    with pytest.raises(ArtifactError, match="already holds an artifact"):
        study.save(folder)

    def fails(self: Study, rater: str) -> bytes:
        raise OSError("no space")

    monkeypatch.setattr(Study, "page", fails)
    with pytest.raises(OSError, match="no space"):
        study.save(folder, overwrite=True)
    with pytest.raises(OSError, match="no space"):
        study.save(tmp_path / "new")
    assert load_key(folder).study == study.key.study and [path.name for path in tmp_path.iterdir()] == [
        "study"
    ]


def test_a_damaged_key_is_one_sentence(tmp_path: Path) -> None:
    study = make_study(discrimination(3), ratings=2)
    study.save(tmp_path / "study")
    (tmp_path / "study" / "private" / "key.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"key\.json differs"):
        load_key(tmp_path / "study")


def test_answers_are_turned_the_right_way_round(tmp_path: Path) -> None:
    for material, value, other in ((discrimination(3), 0, 1), (trust(3), 2, -2)):
        key = make_study(material, ratings=2).key
        rater, sheet = next(iter(key.sheets.items()))
        given = [{"question": placed.token, "answer": value} for placed in sheet]
        file = tmp_path / f"{key.task}.json"
        file.write_text(json.dumps({"study": key.study, "rater": rater, "answers": given}))
        assert {placed.flipped for placed in sheet} == {True, False}
        assert read_answers(key, [file]).ratings == tuple(
            Rating(rater, placed.question, other if placed.flipped else value) for placed in sheet
        )


Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda facts: facts.update(study="f" * 16), "it answers the study"),
        (lambda facts: facts.update(rater="rater-99"), "there is no rater 'rater-99'"),
        (lambda facts: facts.update(rater=None), "expected the keys study, rater and answers"),
        (lambda facts: facts["answers"].append(facts["answers"][0]), "answered twice"),
        (lambda facts: facts["answers"][1].update(question="0" * 16), "was not asked of rater-01"),
        (lambda facts: facts["answers"][1].update(answer=2), "from 0 to 1, got 2"),
        (lambda facts: facts["answers"][1].update(answer=True), "from 0 to 1, got True"),
        (lambda facts: facts["answers"][1].pop("answer"), "from 0 to 1, got None"),
        (lambda facts: facts["answers"].append("cat"), "expected a question and an answer"),
    ],
)
def test_what_does_not_fit_is_refused(change: Change, message: str, tmp_path: Path) -> None:
    key = make_study(discrimination(3), ratings=2).key
    facts = simulate(key, accuracy=0.7, raters=1)["rater-01"]
    file = tmp_path / "answers.json"
    file.write_text(json.dumps(facts))
    assert len(read_answers(key, [file]).ratings) == len(facts["answers"])
    change(facts)
    file.write_text(json.dumps(facts))
    with pytest.raises(ValueError, match=message):
        read_answers(key, [file])


def test_files_that_are_none_and_raters_twice_are_refused(tmp_path: Path) -> None:
    key = make_study(discrimination(3), ratings=2).key
    (first,) = write_simulated(simulate(key, accuracy=1, raters=1), tmp_path / "back")
    again = tmp_path / "again.json"
    again.write_bytes(first.read_bytes())
    with pytest.raises(ValueError, match="rater-01 has answered in .* already"):
        read_answers(key, [first, again])
    (tmp_path / "page.json").write_text("<html>")
    with pytest.raises(ValueError, match="it is not JSON"):
        read_answers(key, [tmp_path / "page.json"])
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        read_answers(key, [tmp_path / "none.json"])
    with pytest.raises(ValueError, match="no returned file"):
        read_answers(key, [])
    with pytest.raises(ValueError, match="is there already"):
        write_simulated(simulate(key, accuracy=1, raters=1), tmp_path / "back")


def test_a_page_takes_its_own_kind_of_question_alone() -> None:
    good = {"token": "1", "pictures": ["data:image/png;base64,"], "choices": ["a", "b"]}
    for wrong in ({"pictures": []}, {"choices": ["a"]}, {"pictures": ["http://x/y.png"]}):
        with pytest.raises(ReportError, match="question 1: expected"):
            survey_page(study="s", rater="r", task="discrimination", questions=[{**good, **wrong}])


def test_names_of_categories_are_text() -> None:
    hostile = "<script>alert(1)</script>&\u202e\"'"
    questions = tuple(
        replace(one, choices=tuple(name.replace("sofa", hostile) for name in one.choices))
        for one in discrimination(2).questions
    )
    study = make_study(replace(discrimination(2), questions=questions), ratings=1)
    page = study.page("rater-01").decode()
    assert "<script>alert" not in page and html.escape(hostile, quote=False)[:20] in page


def test_a_question_is_of_one_task() -> None:
    with pytest.raises(ValueError, match="expected one picture, two choices and a truth"):
        Question("a", "b", "c", (b"", b""), ("d", "e"), 0)
    with pytest.raises(ValueError, match="expected questions of one task"):
        replace(trust(1), networks=trust(1).networks[:1])
