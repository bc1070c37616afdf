"""The report of Sec. 8, on networks about which the answer is known beforehand."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from planted_speakers import PlantedAnswerer, PlantedCaptioner
from torch import Tensor, nn

from neuro_explain.captioning import Captioner
from neuro_explain.cli import run
from neuro_explain.diorama.captions import captions, region_captions
from neuro_explain.diorama.looks import look_at
from neuro_explain.diorama.networks import PREPROCESS, SceneNet
from neuro_explain.diorama.questions import ANSWERS, questions
from neuro_explain.diorama.scene import Scene, make_scene
from neuro_explain.evaluate import answered, told
from neuro_explain.evaluate.answered import Answered
from neuro_explain.evaluate.language import LanguageReport, language_report
from neuro_explain.evaluate.regions import area
from neuro_explain.evaluate.tally import Figure
from neuro_explain.evaluate.told import Told
from neuro_explain.language.lstm_cnn import LstmCnnVqa
from neuro_explain.language.show_and_tell import LanguageModel, ShowAndTell
from neuro_explain.language.vocabulary import Vocabulary
from neuro_explain.methods.saliency import Method, Saliency
from neuro_explain.targets import Targets
from neuro_explain.vqa import QuestionAnswerer

# one worker, so that what the tests share is made once
pytestmark = pytest.mark.xdist_group("language report")

SEED = 9002
SCENES = 8


@pytest.fixture(scope="module")
def world() -> tuple[Scene, ...]:
    return tuple(make_scene(SEED, index) for index in range(SCENES))


@pytest.fixture(scope="module")
def report(world: tuple[Scene, ...]) -> LanguageReport:
    # these networks know a scene by its bytes: nothing can be differentiated down to the pixels
    return language_report(
        PlantedCaptioner(world),
        [PlantedAnswerer(world)],
        seed=SEED,
        scenes=SCENES,
        methods=["grad-cam"],
        progress=False,
    )


def row(report: LanguageReport, measure: str, method: str = "Grad-CAM") -> Figure:
    (found,) = [one for one in report.figures if (one.measure, one.method) == (measure, method)]
    return found


def method(title: str, maps: Callable[[int], Tensor]) -> Method:
    """A method that looks at nothing; from the number of images to maps."""

    def run(net: nn.Module, images: Tensor, targets: Targets, *, layer: str) -> Saliency:
        return Saliency(maps(len(images)), torch.zeros(len(images)))

    return Method(title, title, run, False, "this test")


NOISE = method("noise", lambda images: torch.rand(images, 8, 8))


# --- networks whose truth is known ---


def test_every_word_points_at_its_thing(report: LanguageReport) -> None:
    words = row(report, told.WORDS)
    assert words.mean == 1.0
    assert words.count > 50
    assert words.scenes == SCENES
    assert words.chance is not None and 0.02 < words.chance < 0.2


def test_every_phrase_lies_in_its_box(report: LanguageReport, world: tuple[Scene, ...]) -> None:
    phrases = row(report, told.REGIONS)
    fitting = [[one for one in region_captions(scene) if area(one.mentions[0].box) <= 0.5] for scene in world]
    infinite = phrases.apart.get("nothing outside, infinite", 0)
    assert phrases.count + infinite == sum(min(5, len(some)) for some in fitting)
    too_large = sum(len(region_captions(scene)) for scene in world) - sum(map(len, fitting))
    assert phrases.apart["box over half of the frame"] == too_large > 0
    # nearly all of the map lies inside boxes that cover a few per cent of the frame
    assert phrases.mean is not None and phrases.mean > 100
    assert phrases.median is not None and phrases.median > 100
    assert phrases.low is not None and phrases.high is not None and phrases.low < phrases.mean < phrases.high


def test_displaced_maps_are_found_out(world: tuple[Scene, ...]) -> None:
    wrong = language_report(
        PlantedCaptioner(world, displaced=True),
        seed=SEED,
        scenes=SCENES,
        methods=["grad-cam"],
        progress=False,
    )
    phrases, words = row(wrong, told.REGIONS), row(wrong, told.WORDS)
    assert phrases.mean is not None and phrases.mean < 0.5
    assert words.mean is not None and words.chance is not None and words.mean < words.chance


def test_noise_reaches_chance() -> None:
    scenes = tuple(make_scene(SEED, index) for index in range(40))
    torch.manual_seed(0)
    blind = language_report(
        PlantedCaptioner(scenes),
        [PlantedAnswerer(scenes, cell=64)],  # 2 × 2 cells: occlusion is not what is meant here
        seed=SEED,
        scenes=len(scenes),
        methods=[NOISE],
        progress=False,
    )
    for measure in (told.WORDS, answered.THINGS):
        hits = row(blind, measure, "noise")
        assert hits.mean is not None and hits.chance is not None
        # four standard errors of a share
        assert abs(hits.mean - hits.chance) < 4 * math.sqrt(hits.chance * (1 - hits.chance) / hits.count)
    phrases = row(blind, told.REGIONS, "noise")
    assert phrases.count > 150
    # a mean of ratios lies a little above 1; the sum of its errors is far smaller than the paper's 3.27
    assert phrases.mean == pytest.approx(1.0, abs=0.1)
    order = row(blind, answered.OCCLUSION, "noise")
    assert order.mean is not None and abs(order.mean) < 0.5


def test_a_uniform_map_gives_one_everywhere(world: tuple[Scene, ...]) -> None:
    seen = Told(PlantedCaptioner(world), [method("uniform", lambda images: torch.full((images, 8, 8), 0.3))])
    for number, scene in enumerate(world):
        seen.look_at(scene, number)
    phrases, words = seen.figures()
    assert (phrases.mean, phrases.median, phrases.low, phrases.high) == (1.0, 1.0, 1.0, 1.0)
    assert words.mean == 0.0  # it points nowhere
    assert words.apart == {"zero map or several maxima, a miss": words.count}


def test_zero_maps_are_counted(world: tuple[Scene, ...]) -> None:
    seen = Told(PlantedCaptioner(world), [method("zero", lambda images: torch.zeros(images, 8, 8))])
    seen.look_at(world[0], 0)
    phrases, words = seen.figures()
    assert (phrases.mean, phrases.count) == (None, 0)
    assert phrases.apart["zero map"] == 5
    assert words.mean == 0.0 and words.count > 0


def test_an_answer_that_adds_up_cells_agrees_with_its_occlusion(report: LanguageReport) -> None:
    order = row(report, answered.OCCLUSION)
    # y is a weighted sum of the cells: what hiding one costs is its value in the map
    assert order.mean == pytest.approx(1.0, abs=1e-6)  # the network counts in float32
    assert order.count >= 8
    assert order.count + order.apart["constant map, without order"] == 2 * SCENES


def test_answers_point_at_what_justifies_them(report: LanguageReport, world: tuple[Scene, ...]) -> None:
    boxes, things, right = (
        row(report, answered.BOXES),
        row(report, answered.THINGS),
        row(report, answered.RIGHT, ""),
    )
    asked = [question for scene in world for question in questions(scene)]
    assert right.count == len(asked)
    assert things.count + sum(things.apart.values()) == len(asked)
    assert things.apart["answer from the whole picture"] == sum(not question.things for question in asked)
    # at 16 × 16 pixels the middle of the fullest cell may lie beside a thing that does not fill it
    assert things.mean is not None and things.mean > 0.7
    assert boxes.mean is not None and boxes.mean > 10
    assert things.chance is not None and things.chance < 0.1


def test_the_planted_answerer_is_right_where_yes_or_no_is_asked(world: tuple[Scene, ...]) -> None:
    answerer = PlantedAnswerer(world)
    asked = [(scene, question) for scene in world for question in questions(scene)]
    plain = [(scene, question) for scene, question in asked if question.kind == "presence"]
    assert len(plain) > 10
    for scene, question in plain:
        assert answerer.answer(scene.image(), question.text)[0][0] == question.answer, question


# --- what the words speak of ---


def test_words_that_name_kinds_are_those_of_the_mentions() -> None:
    """The table finds the kind of each mention at its end, and nothing else but what names the place."""
    seen = 0
    for index in range(60):
        scene = make_scene(SEED, index)
        for caption in captions(scene):
            found = [
                naming
                for naming in told.TABLE.find(caption.text.split())
                if not told._of_the_place(caption, naming.start)
            ]
            mentions = [mention for mention in caption.mentions if mention.things]
            assert [naming.category for naming in found] == [
                scene.things[mention.things[0]].kind for mention in mentions
            ]
            for naming, mention in zip(found, mentions, strict=True):
                assert len(caption.text[: mention.end].split()) == naming.end
                assert set(mention.things) <= set(look_at(scene).kinds[naming.category].things)
                seen += 1
    assert seen > 300


def test_the_target_of_a_name_is_the_sum_over_its_words(world: tuple[Scene, ...]) -> None:
    captioner = PlantedCaptioner(world)
    text = captioner.vocabulary.read(captions(world[0])[1].text)
    telling = captioner.telling(text)
    output = telling(captioner.prepare(world[0].image()))
    target = told._name_target(telling, range(1, 4), "thing")
    torch.testing.assert_close(target(output), output[:, 1] + output[:, 2] + output[:, 3])


def test_captions_with_unknown_words_are_counted(world: tuple[Scene, ...]) -> None:
    captioner = PlantedCaptioner(world)
    known = [word for word in captioner.vocabulary.words if word not in ("a", "the")]
    captioner.vocabulary = Vocabulary(known)
    seen = Told(captioner, [NOISE])
    for number, scene in enumerate(world):
        seen.look_at(scene, number)
    _, words = seen.figures()
    lines = [line.text.split() for scene in world for line in captions(scene)]
    without = sum(bool({"a", "the"} & set(line)) for line in lines)
    assert words.apart["caption with words that it does not know"] == without > 0


def test_questions_with_unknown_words_are_counted(world: tuple[Scene, ...]) -> None:
    answerer = PlantedAnswerer(world)
    answerer.vocabulary = Vocabulary([word for word in answerer.vocabulary.words if word != "there"])
    seen = Answered(answerer, [NOISE])
    seen.look_at(world[0], 0)
    right = seen.figures()[0]
    strange = sum("there" in question.text for question in questions(world[0]))
    assert right.apart == {"question with words that it does not know": strange}
    assert right.count == len(questions(world[0])) - strange


# --- the networks of the language package, untrained ---


class Teller(Captioner):
    def encode(self, images: Tensor) -> Tensor:
        return self.net.cnn(images)

    def logits(self, encoded: Tensor, tokens: Tensor) -> Tensor:
        return self.net.lm(encoded, tokens)


class Answers(QuestionAnswerer):
    def scores(self, images: Tensor, question: Tensor) -> Tensor:
        return self.net(images, question.expand(len(images), -1))


def untrained(scenes: tuple[Scene, ...]) -> tuple[Teller, Answers]:
    lines = [line.text for scene in scenes for line in (*captions(scene), *region_captions(scene))]
    words = sorted({word for line in lines for word in line.split()})
    asked = sorted({word for scene in scenes for one in questions(scene) for word in one.text[:-1].split()})
    teller = Teller(
        ShowAndTell(SceneNet(32, head="dense"), LanguageModel(len(words), 32, 48)),
        preprocess=PREPROCESS,
        vocabulary=Vocabulary(words),
        start=len(words),
        end=len(words),
        tower="cnn",
        name="untrained teller",
    )
    answers = Answers(
        LstmCnnVqa(
            SceneNet(32, head="dense"),
            words=len(asked),
            answers=len(ANSWERS),
            image_size=32,
            embedding_size=16,
            rnn_size=24,
            common_size=32,
        ),
        preprocess=PREPROCESS,
        vocabulary=Vocabulary(asked),
        answers=ANSWERS,
        tower="cnn",
        name="untrained answers",
    )
    return teller, answers


@pytest.mark.slow
def test_untrained_networks_reach_no_more_than_chance() -> None:
    scenes = tuple(make_scene(SEED, index) for index in range(6))
    teller, answers = untrained(scenes)
    got = language_report(teller, [answers], seed=SEED, scenes=len(scenes), progress=False)
    words, right = row(got, told.WORDS), row(got, answered.RIGHT, "")
    assert words.count > 30
    assert words.mean is not None and words.mean < 0.3
    assert right.mean is not None and right.mean < 0.5
    order = row(got, answered.OCCLUSION)
    assert order.count + order.apart.get("constant map, without order", 0) == 12
    # the methods that the paper measured are measured
    of = {(one.measure, one.method): one for one in got.figures}
    for place, paper in (told.PAPER | answered.PAPER).items():
        assert of[place].count > 0 and of[place].paper == paper, place


# --- the report ---


def test_the_report_is_one_table(report: LanguageReport) -> None:
    about, header, *rows, paper, chance = report.lines()
    assert f"{SCENES} drawn scenes of world {SEED}" in about
    assert header.split()[:3] == ["network", "measure", "maps"]
    assert len(rows) == len(report.figures)
    assert "other data and other networks" in paper and "uniform map" in chance
    (phrases,) = [line for line in rows if told.REGIONS in line and "Grad-CAM " in line and "3.27" in line]
    assert "box over half of the frame" in phrases
    (words,) = [line for line in rows if told.WORDS in line]
    assert "100.0%" in words and "30.0%" in words
    column = header.index("counted apart")
    assert all(len(line) <= column or line[column - 1] == " " for line in rows)


def test_methods_are_chosen(world: tuple[Scene, ...]) -> None:
    got = language_report(
        PlantedCaptioner(world), seed=SEED, scenes=1, methods=["grad-cam", NOISE], progress=False
    )
    assert {one.method for one in got.figures} == {"Grad-CAM", "noise"}
    with pytest.raises(ValueError, match="method 'guided' does not exist: did you mean guided-"):
        language_report(PlantedCaptioner(world), scenes=1, methods=["guided"])


def test_the_paper_s_figures() -> None:
    assert told.PAPER == {
        (told.REGIONS, "Grad-CAM"): 3.27,
        (told.REGIONS, "guided backprop"): 2.32,
        (told.REGIONS, "Guided Grad-CAM"): 6.38,
        (told.WORDS, "Grad-CAM"): 0.300,
    }
    assert answered.PAPER == {
        (answered.OCCLUSION, "Grad-CAM"): 0.60,
        (answered.OCCLUSION, "guided backprop"): 0.42,
    }


def test_the_report_as_data(report: LanguageReport) -> None:
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert (data["seed"], data["scenes"]) == (SEED, SCENES)
    assert len(data["figures"]) == len(report.figures)
    assert {one["measure"] for one in data["figures"]} >= {told.REGIONS, told.WORDS, answered.RIGHT}


def test_the_same_seed_gives_the_same_report(report: LanguageReport, world: tuple[Scene, ...]) -> None:
    again = language_report(
        PlantedCaptioner(world), seed=SEED, scenes=SCENES, methods=["grad-cam"], progress=False
    )
    assert again.figures == tuple(one for one in report.figures if one.network == "planted captioner")


def test_what_cannot_be_measured_is_refused(world: tuple[Scene, ...]) -> None:
    captioner = PlantedCaptioner(world)
    with pytest.raises(ValueError, match="scenes: expected at least 1, got 0"):
        language_report(captioner, scenes=0)
    with pytest.raises(ValueError, match="expected one, or at least one answerer"):
        language_report(None)
    two = [PlantedAnswerer(world, name="one"), PlantedAnswerer(world, name="one")]
    with pytest.raises(ValueError, match="expected networks of different names, got one, one"):
        language_report(None, two)


# --- the command ---


def test_the_command_prints_it(
    world: tuple[Scene, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def load_answerer(name: str) -> QuestionAnswerer:
        asked.append(name)
        return PlantedAnswerer(world, name=name)

    monkeypatch.setattr(
        "neuro_explain.zoo.load_captioner", lambda name: PlantedCaptioner(world), raising=False
    )
    monkeypatch.setattr("neuro_explain.zoo.load_answerer", load_answerer, raising=False)
    command = ["evaluate", "language", "--scenes", "1", "--seed", str(SEED), "--method", "grad-cam"]
    assert run([*command, "--answerer", "mine", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert asked == ["mine"]
    assert {one["network"] for one in data["figures"]} == {"planted captioner", "mine"}
    assert run(command) == 0
    assert asked[1:] == ["diorama-vqa"]
    assert "1 drawn scenes" in capsys.readouterr().out


def test_scenes_of_the_report_are_not_those_of_the_truth_report() -> None:
    assert not np.array_equal(
        np.asarray(make_scene(9001, 0).image()), np.asarray(make_scene(SEED, 0).image())
    )
