"""Answers explained: numbers from the definition, forced answers, refusals."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from toy import photograph
from toy_speakers import ANSWERS, names_for, toy_answerer, toy_captioner

import neuro_explain as nx
from neuro_explain.language.lstm_cnn import PAD
from neuro_explain.vqa import QuestionAnswerer

QUESTION = "What colour is the lamp?"


def slow(answerer: QuestionAnswerer, tokens: list[int]) -> tuple[Tensor, Tensor]:
    """Scores and the maps they come from, by the equations, in float64."""
    net = copy.deepcopy(answerer.net).double()
    maps = net.cnn[0](answerer.prepare(photograph()).double()).detach().requires_grad_()
    zero = maps.new_zeros(1, 4)
    state = [(zero, zero), (zero, zero)]
    for token in tokens:
        v = (net.embedding_net_q.linear.weight[:, token] + net.embedding_net_q.linear.bias).tanh()[None]
        for layer in (0, 1):
            i2h, h2h = (getattr(net.encoder_net_q, f"{kind}_{layer + 1}") for kind in ("i2h", "h2h"))
            c, h = state[layer]
            i, f, o, g = (i2h(v) + h2h(h)).reshape(4, 1, 4)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            v = o.sigmoid() * c.tanh()
            state[layer] = (c, v)
    q = torch.cat([part for pair in state for part in pair], 1)
    x = net.cnn[1:](maps)
    x = x / x.square().sum().sqrt()
    m = net.multimodal_net
    return m.classifier(m.question(q).tanh() * m.image(x).tanh())[0], maps


def test_scores_alphas_and_contrasts_follow_from_the_definition() -> None:
    answerer = toy_answerer()
    why = nx.explain_answer(answerer, photograph(), QUESTION, names_for(answerer), top=4)
    scores, maps = slow(answerer, [4, 5, 0, 6, 3])
    order = scores.argsort(descending=True).tolist()
    assert [one.index for one in why.predictions] == order
    for one in why.predictions:
        assert one.score == pytest.approx(scores[one.index].item(), rel=1e-4)
        assert one.probability == pytest.approx(scores.softmax(0)[one.index].item(), rel=1e-4)
    for target in why.targets:
        y = {
            "class": lambda t: scores[t.index],
            "contrast": lambda t: scores[t.index] - scores[t.versus],
            "counterfactual": lambda t: -scores[t.index],
        }[target.kind](target)
        (gradient,) = torch.autograd.grad(y, maps, retain_graph=True)
        alpha = gradient[0].mean((1, 2)).numpy()
        np.testing.assert_allclose(target.alpha, alpha, rtol=1e-3, atol=1e-5 * abs(alpha).max())


def test_a_forced_answer_is_explained_and_marked() -> None:
    answerer = toy_answerer()
    free = nx.explain_answer(answerer, photograph(), QUESTION, names_for(answerer), top=4)
    assert free.asked is not None and not free.asked.forced
    assert (free.asked.task, free.asked.text, free.asked.question) == (
        "answer",
        free.predictions[0].label,
        QUESTION,
    )
    last = free.predictions[-1].label
    forced = nx.explain_answer(answerer, photograph(), QUESTION, names_for(answerer), answer=last, top=4)
    assert forced.asked is not None and forced.asked.forced and forced.asked.text == last
    assert forced.targets[0].label == last
    same = nx.explain_answer(
        answerer, photograph(), QUESTION, names_for(answerer), answer=free.asked.text, top=4
    )
    assert same.asked is not None and not same.asked.forced
    contrast = nx.explain_answer(answerer, photograph(), QUESTION, names_for(answerer), versus=last, top=4)
    assert contrast.targets[0].label == f"{free.asked.text} rather than {last}"


def test_answer_gives_the_best_answers_with_their_probabilities() -> None:
    answerer = toy_answerer()
    best = answerer.answer(photograph(), QUESTION, best=3)
    scores, _ = slow(answerer, [4, 5, 0, 6, 3])
    expected = scores.softmax(0).topk(3)
    assert [text for text, _ in best] == [ANSWERS[i] for i in expected.indices]
    np.testing.assert_allclose([p for _, p in best], expected.values.detach(), rtol=1e-4)


def test_bad_questions_and_answers_are_refused_with_what_to_do() -> None:
    answerer = toy_answerer()
    for empty in ("", "???", "zebra crossing"):
        with pytest.raises(ValueError, match="has no word that toy-answerer knows"):
            answerer.read(empty)
    with pytest.raises(ValueError, match="has 9 tokens, toy-answerer takes at most 8; shorten it"):
        answerer.read("a " * 9)
    with pytest.raises(
        ValueError, match=r"answer 'bleu' is none of toy-answerer's 5 answers: did you mean blue"
    ):
        answerer.answer_index("bleu")
    with pytest.raises(ValueError, match="answer '3' is none of"):
        answerer.answer_index("3")  # digits are words here, not numbers of answers
    assert answerer.answer_index("2") == 4
    with pytest.raises(ValueError, match="answer and versus are the same, 'red'"):
        nx.explain_answer(
            answerer, photograph(), QUESTION, names_for(answerer), answer="red", versus="Red", top=4
        )


def test_unknown_words_of_a_question_are_named_in_a_note() -> None:
    answerer = toy_answerer()
    why = nx.explain_answer(answerer, photograph(), "is there a giraffe lamp", names_for(answerer), top=4)
    assert any("“giraffe” is not among the 8 words" in note for note in why.notes)


def test_padding_on_the_left_changes_nothing() -> None:
    net = toy_answerer().net
    x = torch.rand(2, 3, 32, 32)
    short, padded = torch.tensor([[4, 5, 0]] * 2), torch.tensor([[PAD, PAD, 4, 5, 0]] * 2)
    with torch.no_grad():
        assert torch.equal(net(x, short), net(x, padded))


def test_scores_of_the_wrong_shape_are_named() -> None:
    class Wrong(type(toy_answerer())):  # type: ignore[misc]
        def scores(self, images: Tensor, question: Any) -> Tensor:
            return super().scores(images, question)[:, :2]

    kept = toy_answerer()
    wrong = Wrong(
        kept.net, preprocess=kept.tower.preprocess, vocabulary=kept.vocabulary, answers=ANSWERS, tower="cnn.0"
    )
    with pytest.raises(ValueError, match=r"scores\(\) of LstmCnnVqa returned \[1, 2\], expected \[N, 5\]"):
        wrong.answer(photograph(), QUESTION)
    with pytest.raises(ValueError, match="expected the network's answers"):
        toy_answerer(answers=())


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_answers_are_explained_under_inference_mode_too(mode: Any) -> None:
    answerer = toy_answerer()
    names = names_for(answerer)
    want = nx.explain_answer(answerer, photograph(), QUESTION, names, top=4)
    with mode():
        got = nx.explain_answer(answerer, photograph(), QUESTION, names, top=4)
        assert torch.is_inference_mode_enabled() == (mode is torch.inference_mode)
        assert not torch.is_grad_enabled()
    assert got.text == want.text
    np.testing.assert_array_equal(got.targets[0].alpha, want.targets[0].alpha)


def test_an_answer_twice_and_answers_that_are_one_text_are_refused() -> None:
    with pytest.raises(ValueError, match="answers: expected each once, got 5 of which 4 differ; 'no' stands"):
        toy_answerer(answers=("yes", "no", "red", "no", "2"))
    with pytest.raises(ValueError, match="answers: expected the network's answers .*, got 'yes'"):
        toy_answerer(answers="yes")


def test_what_cannot_be_asked_is_refused_with_what_it_is() -> None:
    answerer, captioner = toy_answerer(), toy_captioner()
    names = names_for(answerer)
    with pytest.raises(
        ValueError,
        match=r"answerer: expected a neuro_explain.QuestionAnswerer, got a .*; explain_caption explains",
    ):
        nx.explain_answer(captioner, photograph(), QUESTION, names)  # type: ignore[call-overload]
    with pytest.raises(
        ValueError,
        match=r"captioner: expected a neuro_explain.Captioner, got a .*; explain_answer explains it",
    ):
        nx.explain_caption(answerer, photograph(), names)  # type: ignore[call-overload]
    with pytest.raises(
        ValueError, match=r"answerer: expected a neuro_explain.QuestionAnswerer, got a Tower$"
    ):
        nx.explain_answer(answerer.tower, photograph(), QUESTION, names)  # type: ignore[call-overload]
    for given, got in ((captioner, "a .*Captioner; explain_caption"), (answerer, "a .*; explain_answer")):
        with pytest.raises(
            ValueError, match=f"model: expected a neuro_explain.Model, got {got} explains it$"
        ):
            nx.explain(given, photograph(), names)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="model: .*, got a str; load_model gives one by its name$"):
        nx.explain("resnet18", photograph(), names)  # type: ignore[call-overload]
    for nothing, got in ((None, "None"), (7, "a int")):
        with pytest.raises(
            ValueError, match=f"names: expected those of the units of layer .*, got {got}; make"
        ):
            nx.explain_answer(answerer, photograph(), QUESTION, nothing)  # type: ignore[call-overload]
        with pytest.raises(
            ValueError, match=f"names: expected those of the units of layer .*, got {got}; make"
        ):
            nx.explain_caption(captioner, photograph(), nothing)  # type: ignore[call-overload]


def test_messages_offer_words_and_answers_and_repeat_little() -> None:
    answerer = toy_answerer()
    with pytest.raises(
        ValueError, match="Give at least one word of its vocabulary, such as there, lamp, what, colour"
    ):
        answerer.read("")
    with pytest.raises(ValueError) as caught:
        answerer.read(" ".join(f"zebra{number}" for number in range(60)))
    assert len(str(caught.value)) < 450 and "and 52 more are not among" in str(caught.value)
    with pytest.raises(ValueError) as caught:
        answerer.read("z" * 300)
    assert "z" * 79 + "…" in str(caught.value) and "z" * 81 not in str(caught.value)
    with pytest.raises(ValueError, match="'xyzzy' is none of .* All of them: yes, no, red, blue, 2$"):
        answerer.answer_index("xyzzy")
    many = toy_answerer()
    many.answers = tuple(f"answer {number}" for number in range(101))
    with pytest.raises(ValueError, match="none of .*101 answers: .* Its attribute `answers` lists them$"):
        many.answer_index("xyzzy")


def test_versus_the_networks_own_answer_is_refused_in_words_that_fit_both_programs() -> None:
    answerer = toy_answerer()
    best, _ = answerer.answer(photograph(), QUESTION)[0]
    with pytest.raises(
        ValueError, match=f"versus is '{best}', the network's own answer; give another"
    ) as caught:
        nx.explain_answer(answerer, photograph(), QUESTION, names_for(answerer), versus=best, top=4)
    assert "target" not in str(caught.value)


def test_scores_that_are_probabilities_still_warn() -> None:
    class Shares(type(toy_answerer())):  # type: ignore[misc]
        def scores(self, images: Tensor, question: Any) -> Tensor:
            return super().scores(images, question).softmax(1)

    kept = toy_answerer()
    shares = Shares(
        kept.net, preprocess=kept.tower.preprocess, vocabulary=kept.vocabulary, answers=ANSWERS, tower="cnn.0"
    )
    with pytest.warns(UserWarning, match="looks like probabilities"):
        why = nx.explain_answer(shares, photograph(), QUESTION, names_for(shares), top=4)
    assert any("looks like probabilities" in note for note in why.notes)
