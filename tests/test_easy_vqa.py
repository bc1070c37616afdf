"""The training on easy-VQA: its pictures are seen rightly, questions are asked in batches, the pages get written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import easy_vqa
import numpy as np
import pytest
import torch
from PIL import Image

from dissection.readers import open_concepts
from neuro_explain.diorama.train import to_input
from neuro_explain.explanation import load_explanation
from neuro_explain.language.vocabulary import Vocabulary
from neuro_explain.names import load_names

sys.path.append(str(Path(__file__).resolve().parents[1]))  # benchmarks are not installed
from benchmarks import easy_vqa as benchmark
from benchmarks.easy_vqa import COLORS, KINDS, SHAPES, Asker, Part, kind_of, look, words_of

ANSWERS = easy_vqa.get_answers()


@pytest.fixture(scope="module")
def some() -> Part:
    return benchmark.load("test", images=60)


def vocabulary_of(part: Part) -> Vocabulary:
    return Vocabulary(sorted({word for text in part.questions for word in words_of(text)}))


def test_the_parts_are_those_of_the_package(some: Part) -> None:
    texts, answers, ids = easy_vqa.get_test_questions()
    paths = easy_vqa.get_test_image_paths()
    for picture in range(60):
        np.testing.assert_array_equal(
            some.images[picture], np.asarray(Image.open(paths[picture]).convert("RGB"))
        )
        begin, end = some.first[picture : picture + 2].tolist()
        asked = [
            (text, answer) for text, answer, of in zip(texts, answers, ids, strict=True) if of == picture
        ]
        assert asked
        here = zip(some.questions[begin:end], some.answers[begin:end].tolist(), strict=True)
        assert [(text, ANSWERS[number]) for text, number in here] == asked
    assert end == len(some.questions) == len(some.answers)


def test_what_a_picture_shows_is_what_the_answers_say() -> None:
    part = benchmark.load("test")
    held = dict.fromkeys(KINDS, 0)
    for picture, image in enumerate(part.images):
        shape, color, _ = look(image)
        begin, end = part.first[picture : picture + 2].tolist()
        for text, number in zip(part.questions[begin:end], part.answers[begin:end].tolist(), strict=True):
            words, answer = words_of(text), ANSWERS[number]
            kind = kind_of(answer)
            if kind == "yes-no":
                (thing,) = (word for word in words if word in SHAPES or word in COLORS)
                denied = "not" in words or "no" in words
                assert (answer == "yes") == ((thing in (shape, color)) != denied), (picture, text)
            else:
                assert answer == {"shape": shape, "color": color}[kind], (picture, text)
            held[kind] += 1
    assert held == {"yes-no": 7_136, "shape": 1_257, "color": 1_280}


def test_a_mask_is_the_shape() -> None:
    image = np.full((64, 64, 3), (240, 250, 245), dtype=np.uint8)
    image[10:20, 30:50] = COLORS["teal"]
    image[20, 30:50] = (144, 200, 196)  # four tenths of it are teal
    image[9, 30:50] = (96, 176, 172)  # six tenths
    shape, color, mask = look(image)
    assert (shape, color) == ("rectangle", "teal")
    wanted = np.zeros((64, 64), dtype=bool)
    wanted[9:20, 30:50] = True
    np.testing.assert_array_equal(mask, wanted)


def test_a_picture_without_a_color_is_refused() -> None:
    with pytest.raises(ValueError, match="no pixel of black, blue"):
        look(np.full((64, 64, 3), 240, dtype=np.uint8))


def test_training_sees_what_the_explanation_sees(some: Part) -> None:
    shown = torch.stack([benchmark.PREPROCESS(Image.fromarray(image)) for image in some.images[:3]])
    # the order of two divisions differs: a step of float32 at 2
    torch.testing.assert_close(to_input(some.images[:3]), shown, rtol=0, atol=5e-7)


def test_questions_asked_together_are_answered_as_alone(some: Part) -> None:
    words = vocabulary_of(some)
    net = benchmark.make_net(len(words), seed=1).eval()
    pictures = torch.tensor([7, 2, 30])
    with torch.no_grad():
        scores, places = Asker(net, some, words).ask(pictures)
        want = [
            (place, picture)
            for picture in pictures.tolist()
            for place in range(int(some.first[picture]), int(some.first[picture + 1]))
        ]
        assert places.tolist() == [place for place, _ in want]
        for row, (place, picture) in zip(scores, want, strict=True):
            tokens = torch.tensor([words.read(some.questions[place]).tokens])
            alone = net(to_input(some.images[[picture]]), tokens)[0]
            torch.testing.assert_close(row, alone, rtol=1e-4, atol=1e-5)  # float32, sums in another order
    assert len({some.questions[place] for place, _ in want}) < len(want), "no question is asked twice"


def test_the_blind_network_sees_nothing(some: Part) -> None:
    words = vocabulary_of(some)
    net = benchmark.make_net(len(words), seed=1).eval()
    rows: dict[str, list[torch.Tensor]] = {}
    with torch.no_grad():
        blind, places = Asker(net, some, words, blind=True).ask(torch.arange(20))
        sighted, _ = Asker(net, some, words).ask(torch.arange(20))
    for row, place in zip(blind, places.tolist(), strict=True):
        rows.setdefault(some.questions[place], []).append(row)
    assert any(len(same) > 2 for same in rows.values())
    for same in rows.values():
        torch.testing.assert_close(torch.stack(same), same[0].expand(len(same), -1), rtol=0, atol=0)
    assert not torch.equal(blind, sighted)


def test_it_learns_what_it_is_shown() -> None:
    part = benchmark.load("train", images=8)
    words = vocabulary_of(part)
    asker = Asker(benchmark.make_net(len(words)), part, words)
    before = asker.accuracy()
    asker.train(epochs=80, batch=8)
    after = asker.accuracy()
    assert before["all"] < 0.5
    assert after["all"] > 0.9  # by heart
    counts = {kind: sum(kind_of(ANSWERS[n]) == kind for n in part.answers.tolist()) for kind in KINDS}
    mean = sum(after[kind] * counts[kind] for kind in KINDS) / sum(counts.values())
    assert after["all"] == pytest.approx(mean)


def test_names_and_pages_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    out = tmp_path / "easy"
    benchmark.main(["--out", str(out), "--images", "40", "--epochs", "1"])
    printed = capsys.readouterr().out
    assert "the question alone" in printed
    assert "question and picture" in printed
    part = benchmark.load("test", images=40)
    for folder, known in (("shapes", SHAPES), ("colors", tuple(COLORS))):
        concepts = open_concepts(f"folder:{out / folder}")
        assert [concept.name for concept in concepts.concepts] == list(known)
        for number in (0, 17, 39):
            shape, color, mask = look(part.images[number])
            label = known.index(shape if folder == "shapes" else color)
            np.testing.assert_array_equal(concepts.labels(number, 64).layers[0], np.where(mask, label, -1))
    names = load_names(out / "dissection")
    assert len(names) == 96
    for kind in KINDS:
        why = load_explanation(out / kind)
        assert why.asked is not None
        assert (
            kind_of(
                next(
                    a
                    for q, a, _ in zip(*easy_vqa.get_test_questions(), strict=True)
                    if q == why.asked.question
                )
            )
            == kind
        )
        assert why.names.verified
        assert "<html" in (out / kind / "index.html").read_text(encoding="utf-8")
    manifest = json.loads((out / "dissection" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["layer"] == "relu5"


def test_a_folder_that_exists_is_refused_before_the_training(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="exists already"):
        benchmark.main(["--out", str(tmp_path)])
