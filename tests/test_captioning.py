"""Captions and each of their words explained: numbers from the definition, options, refusals."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from toy import photograph
from toy_speakers import PREPROCESS, WORDS, names_for, toy_captioner

import neuro_explain as nx
from dissection.artifact import ArtifactError
from neuro_explain.captioning import Captioner
from neuro_explain.gradcam import grad_cam
from neuro_explain.language.vocabulary import Vocabulary
from neuro_explain.sentence import percent
from neuro_explain.targets import softmax_note


def slow(captioner: Captioner, tokens: list[int]) -> tuple[list[float], list[np.ndarray], np.ndarray]:
    """Log p of each token, its alpha, and the maps: one backward pass per token, in float64, the LSTM by hand."""
    net = copy.deepcopy(captioner.net).double()
    x = captioner.prepare(photograph()).double()
    maps = net.cnn[0](x).detach().requires_grad_()
    lm, zero = net.lm, maps.new_zeros(1, net.lm.core.rnn_size)
    state = [(zero, zero)] * lm.core.layers

    def step(v: Tensor) -> None:
        for layer in range(lm.core.layers):
            i2h, h2h = (getattr(lm.core, f"{kind}_{layer + 1}") for kind in ("i2h", "h2h"))
            c, h = state[layer]
            i, f, o, g = (v @ i2h.weight.T + i2h.bias + h @ h2h.weight.T + h2h.bias).reshape(4, -1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            v = o.sigmoid() * c.tanh()
            state[layer] = (c, v)

    step(net.cnn[1:](maps))
    found, alphas = [], []
    for before, token in zip([captioner.start, *tokens], [*tokens, captioner.end], strict=True):
        step(lm.lookup_table.weight[[before]])
        log_p = (state[-1][1] @ lm.decoder.weight.T + lm.decoder.bias).log_softmax(1)[0, token]
        (gradient,) = torch.autograd.grad(log_p, maps, retain_graph=True)
        found.append(log_p.item())
        alphas.append(gradient[0].mean((1, 2)).numpy())
    return found, alphas, maps[0].detach().numpy()


def test_every_words_alpha_and_map_follow_from_the_definition() -> None:
    captioner = toy_captioner()
    why = nx.explain_caption(captioner, photograph(), names_for(captioner), caption="a red lamp", top=4)
    log_p, alphas, maps = slow(captioner, [0, 2, 1])
    caption, *words = why.targets
    assert caption.kind == "caption" and [word.kind for word in words] == ["word"] * 3
    assert caption.score == pytest.approx(sum(log_p), rel=1e-5)
    np.testing.assert_allclose(caption.alpha, sum(alphas), rtol=1e-4, atol=1e-8)
    for place, word in enumerate(words):
        assert word.index == place
        assert word.score == pytest.approx(log_p[place], rel=1e-5)
        assert word.probability == pytest.approx(np.exp(log_p[place]), rel=1e-5)
        # float32 against float64, relative to the largest alpha
        np.testing.assert_allclose(word.alpha, alphas[place], rtol=1e-4, atol=1e-5 * abs(alphas[place]).max())
        expected = np.einsum("u,uhw->hw", alphas[place], maps)
        np.testing.assert_allclose(word.signed_map, expected, rtol=1e-4, atol=1e-5 * abs(expected).max())


def test_the_caption_found_is_the_likeliest_and_its_words_multiply_to_it() -> None:
    captioner = toy_captioner()
    why = nx.explain_caption(captioner, photograph(), names_for(captioner), top=4, beams=4)
    assert why.asked is not None and why.asked.task == "caption" and not why.asked.forced
    assert why.predictions[0].label == why.asked.text
    scores = [one.score for one in why.predictions]
    assert scores == sorted(scores, reverse=True)
    assert why.predictions[0].score == pytest.approx(why.targets[0].score, rel=1e-5)
    assert " ".join(word.text for word in why.asked.words) == why.asked.text
    for place, word in enumerate(why.asked.words):
        target = why.targets[word.target]
        assert (target.kind, target.index) == ("word", place)
        assert target.probability == word.probability


def test_an_asked_word_comes_first_and_is_the_one_that_is_checked() -> None:
    captioner = toy_captioner()
    options: dict[str, Any] = {"caption": "a red lamp", "top": 4}
    why = nx.explain_caption(captioner, photograph(), names_for(captioner), word="lamp", **options)
    assert [target.label for target in why.targets] == ["“lamp”", "“a red lamp”", "“a”", "“red”"]
    assert why.asked is not None
    assert [word.target for word in why.asked.words] == [2, 3, 0]
    assert why.text.startswith("“lamp” (")
    assert why.check is not None and "p(“lamp”)" in why.check.text
    by_place = nx.explain_caption(captioner, photograph(), names_for(captioner), word=2, **options)
    assert by_place.text == why.text
    for wrong in ("zebra", 3, -1, True):
        with pytest.raises(ValueError, match="is not in the caption"):
            nx.explain_caption(captioner, photograph(), names_for(captioner), word=wrong, **options)


def test_zeroed_units_change_the_words_probability_as_the_check_says() -> None:
    captioner = toy_captioner()
    why = nx.explain_caption(
        captioner, photograph(), names_for(captioner), caption="a red lamp", word="red", top=2
    )
    assert why.check is not None
    net = captioner.net
    x = captioner.prepare(photograph())
    with torch.no_grad():
        maps = net.cnn[0](x)
        maps[:, list(why.check.units)] = 0
        logits = net.lm(net.cnn[1:](maps), torch.tensor([[len(WORDS), 0, 2, 1]]))
    p = logits.softmax(2)[0, 1, 2].item()
    assert why.check.probability_without == pytest.approx(p, rel=1e-5)


def test_one_pass_of_the_image_serves_all_words() -> None:
    captioner = toy_captioner()
    calls = []
    eye = captioner.net.cnn[0]
    forward = eye.forward
    eye.forward = lambda x: calls.append(len(x)) or forward(x)  # type: ignore[func-returns-value,assignment]
    telling = captioner.telling(captioner.read("a red lamp next to two"))
    targets = telling.targets(["w"] * 6, "caption")
    cam = grad_cam(telling, captioner.prepare(photograph()), [targets], layer=telling.layer)
    assert cam.alpha.shape == (1, 7, 8)
    assert calls == [1]


def test_unknown_words_are_named_in_a_note_and_a_caption_without_known_ones_is_refused() -> None:
    captioner = toy_captioner()
    why = nx.explain_caption(captioner, photograph(), names_for(captioner), caption="A red zebra", top=4)
    assert why.asked is not None and why.asked.text == "a red" and why.asked.forced
    assert any("“zebra” is not among the 8 words" in note and "left out" in note for note in why.notes)
    for empty in ("", "  ?", "zebra"):
        with pytest.raises(ValueError, match="has no word that toy-captioner knows"):
            captioner.read(empty)
    with pytest.raises(ValueError, match="has 7 tokens, toy-captioner takes at most 6"):
        captioner.read("a a a a a a a")


def test_names_of_another_network_are_refused() -> None:
    captioner = toy_captioner()
    names = names_for(captioner)
    with torch.no_grad():
        captioner.net.cnn[0].see.weight[0, 0, 0, 0] += 1
    with pytest.raises(ArtifactError, match="were made with the weights"):
        nx.explain_caption(captioner, photograph(), names, top=4)


def test_names_of_the_eye_fit_whatever_stands_behind_it() -> None:
    captioner = toy_captioner()
    names = names_for(captioner)
    with torch.no_grad():
        captioner.net.lm.decoder.bias[0] += 1
    before = nx.explain_caption(toy_captioner(), photograph(), names, caption="a lamp", top=4)
    after = nx.explain_caption(captioner, photograph(), names, caption="a lamp", top=4)
    assert after.names.verified
    assert before.asked is not None and after.asked is not None
    assert before.asked.fingerprint != after.asked.fingerprint
    assert before.model.fingerprint == after.model.fingerprint


def test_a_network_without_a_spatial_layer_is_refused() -> None:
    class Flat(Captioner):
        def encode(self, images: Tensor) -> Tensor:
            return self.net(images)

        def logits(self, encoded: Tensor, tokens: Tensor) -> Tensor:
            raise AssertionError

    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 4))
    kept = toy_captioner()
    with pytest.raises(ValueError, match="no spatial convolutional layer"):
        Flat(flat, preprocess=kept.tower.preprocess, vocabulary=kept.vocabulary, start=8, end=8)
    with pytest.raises(ValueError, match="'cmm' is not in ShowAndTell"):
        toy_captioner(tower="cmm")


def test_logits_of_the_wrong_shape_are_named() -> None:
    class Wrong(type(toy_captioner())):  # type: ignore[misc]
        def logits(self, encoded: Tensor, tokens: Tensor) -> Tensor:
            return super().logits(encoded, tokens)[:, 0]

    kept = toy_captioner()
    wrong = Wrong(
        kept.net, preprocess=kept.tower.preprocess, vocabulary=kept.vocabulary, start=8, end=8, tower="cnn.0"
    )
    with pytest.raises(ValueError, match=r"logits\(\) of ShowAndTell returned \[1, 9\]"):
        wrong.telling(wrong.read("a lamp"))(wrong.prepare(photograph()))


def test_the_caption_survives_saving(tmp_path: Any) -> None:
    captioner = toy_captioner()
    why = nx.explain_caption(captioner, photograph(), names_for(captioner), caption="a lamp", top=4)
    why.save(tmp_path / "why")
    again = nx.load_explanation(tmp_path / "why")
    assert again.asked == why.asked
    assert again.to_dict() == why.to_dict()


def test_several_images_give_several_explanations() -> None:
    captioner = toy_captioner()
    both = nx.explain_caption(captioner, [photograph(), photograph()], names_for(captioner), top=4)
    assert [one.text for one in both] == [both[0].text] * 2


def test_the_network_comes_back_as_it_was() -> None:
    captioner = toy_captioner()
    captioner.net.train()
    nx.explain_caption(captioner, photograph(), names_for(captioner), caption="a lamp", top=4)
    assert captioner.net.training and captioner.net.lm.core.training
    assert all(p.grad is None and p.requires_grad for p in captioner.net.parameters())


class Fixed(Captioner):
    """Says what its scores say, whatever was said before: word i has the i-th of them plus a trace of the image."""

    def __init__(self, scores: list[float], **options: Any) -> None:
        self.fixed = torch.tensor(scores)
        given = {"preprocess": PREPROCESS, "tower": "cnn.0", "name": "fixed", "longest": 3, **options}
        super().__init__(toy_captioner().net, **given)

    def encode(self, images: Tensor) -> Tensor:
        return self.net.cnn[0](images)

    def logits(self, encoded: Tensor, tokens: Tensor) -> Tensor:
        seen = encoded.mean((1, 2, 3))[:, None, None] / 100
        steps = torch.arange(len(self.fixed))
        return (self.fixed + seen * steps).expand(-1, tokens.shape[1], -1)


MARKED = Vocabulary(["<s>", "</s>", "a", "lamp"])


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
@pytest.mark.parametrize("given", [None, "a red lamp"])
def test_captions_are_explained_under_inference_mode_too(mode: Any, given: str | None) -> None:
    captioner = toy_captioner()
    names = names_for(captioner)
    want = nx.explain_caption(captioner, photograph(), names, caption=given, top=4)
    with mode():
        got = nx.explain_caption(captioner, photograph(), names, caption=given, top=4)
        assert torch.is_inference_mode_enabled() == (mode is torch.inference_mode)
        assert not torch.is_grad_enabled()
    assert got.text == want.text
    np.testing.assert_array_equal(got.targets[0].alpha, want.targets[0].alpha)


def test_a_place_may_be_digits_and_a_word_that_stands_there_twice_is_noted() -> None:
    captioner = toy_captioner()
    options: dict[str, Any] = {"caption": "a red lamp a lamp", "top": 4, "check": False}

    def why(word: str | int) -> nx.Explanation:
        return nx.explain_caption(captioner, photograph(), names_for(captioner), word=word, **options)

    assert [target.index for target in why("3").targets] == [3, None, 0, 1, 2, 4]
    assert why("3").to_dict() == why(3).to_dict()
    notes = [note for note in why("lamp").notes if "stands in the caption" in note]
    assert notes == [
        "“lamp” stands in the caption at the places 2 and 4, counted from 0; the first is explained. For the next one "
        "give its place: word=4, on the command line --word 4."
    ]
    assert why("lamp").targets[0].index == 2
    for clear in ("red", "4", 4):
        assert not [note for note in why(clear).notes if "stands in the caption" in note]
    with pytest.raises(
        ValueError, match="word 'lapm' is not in the caption .* from 0 to 4; did you mean lamp?"
    ):
        why("lapm")
    with pytest.raises(ValueError, match="word 5 is not in the caption"):
        why("5")


def test_digits_that_are_a_word_are_the_word() -> None:
    captioner = toy_captioner(vocabulary=Vocabulary(("a", "0", *WORDS[2:])))
    why = nx.explain_caption(
        captioner, photograph(), names_for(captioner), caption="a red 0", word="0", top=4, check=False
    )
    assert why.targets[0].index == 2


def test_start_and_end_are_tokens_of_the_vocabulary() -> None:
    for wrong, message in (
        (70, r"start: expected a token of the vocabulary, from 0 to 5, the two behind its 4 words.*, got 70"),
        (-1, r"start: .* got -1"),
        ("<s>", r"start: expected a token, a whole number, got '<s>'; that word has 0"),
        ("begin", r"start: expected a token, a whole number, got 'begin'"),
        (True, r"start: expected a token, a whole number, got True"),
        (1.0, r"start: expected a token, a whole number, got 1\.0"),
    ):
        with pytest.raises(ValueError, match=message):
            Fixed([0, 0, 1, 2], vocabulary=MARKED, start=wrong, end=1)
        with pytest.raises(ValueError, match=message.replace("start", "end")):
            Fixed([0, 0, 1, 2], vocabulary=MARKED, start=0, end=wrong)
    assert Fixed([0, 0, 1, 2], vocabulary=MARKED, start=np.int64(0), end=1).start == 0
    behind = Fixed([0, 0, 1, 2], vocabulary=MARKED, start=0, end=4)
    with pytest.raises(ValueError, match="end: fixed scores the tokens 0 to 3, and 4 is none of them"):
        behind.caption(photograph())


def test_a_start_that_the_network_does_not_have_is_named_at_its_first_use() -> None:
    captioner = toy_captioner(start=len(WORDS) + 1)  # its table of words ends before
    with pytest.raises(
        ValueError, match=r"cannot take the tokens 9 to 9 \(start is 9, end 8\): index out of range"
    ):
        captioner.caption(photograph())


@pytest.mark.parametrize("given", [None, "a"])
def test_a_vocabulary_of_another_length_than_the_scores_is_refused(given: str | None) -> None:
    def explain(count: int, words: int) -> None:
        vocabulary = Vocabulary(["<s>", "</s>", "a", "lamp", "red"][:words])
        captioner = Fixed([0.0] * count, vocabulary=vocabulary, start=0, end=1)
        nx.explain_caption(captioner, photograph(), names_for(captioner), caption=given, top=4)

    with pytest.raises(
        ValueError,
        match=r"returned 6 scores for each token, its vocabulary has 5 words .*: token 5 has no word",
    ):
        explain(6, 5)
    with pytest.raises(
        ValueError, match="returned 4 scores .* 5 words .*: “red” has no score; give the vocabulary"
    ):
        explain(4, 5)
    explain(5, 5)


@pytest.mark.parametrize("given", [None, "a"])
def test_scores_of_another_rank_are_named_wherever_they_come(given: str | None) -> None:
    class Last(Fixed):
        def logits(self, encoded: Tensor, tokens: Tensor) -> Any:
            return self.out(super().logits(encoded, tokens))

    captioner = Last([0, 0, 1, 2], vocabulary=MARKED, start=0, end=1)
    for out, got in ((lambda s: s[:, -1], r"\[\d, 4\]"), (lambda s: s.tolist(), "a list")):
        captioner.out = out  # type: ignore[attr-defined]
        with pytest.raises(ValueError, match=rf"logits\(\) of fixed returned {got} .* expected \[N, T, V\]"):
            nx.explain_caption(captioner, photograph(), names_for(captioner), caption=given, top=4)


@pytest.mark.parametrize("beams", [1, 2, 3])
def test_the_start_is_never_spoken_and_keeps_its_share(beams: int) -> None:
    captioner = Fixed([9, 0, 1, 2], vocabulary=MARKED, start=0, end=1)
    captions = captioner.caption(photograph(), beams=beams)
    assert captions and all(0 not in caption.text.tokens for caption in captions)
    encoded = captioner.encode(captioner.prepare(photograph()))
    log_p = captioner.logits(encoded, torch.zeros(1, 1, dtype=torch.int64)).double().log_softmax(2)[0, 0]
    for caption in captions:
        want = sum(log_p[token].item() for token in (*caption.text.tokens, *([1] if caption.ended else [])))
        assert caption.log_probability == pytest.approx(want, rel=1e-5)


def test_a_given_caption_has_no_marks_in_it() -> None:
    captioner = Fixed([0, 0, 1, 2], vocabulary=MARKED, start=0, end=1)
    for caption, mark, which in (
        ("a </s> lamp", "</s>", "end"),
        ("a <s> lamp", "<s>", "start"),
        ("<s> a lamp", "<s>", "start"),
    ):
        with pytest.raises(
            ValueError, match=f"“{mark}” is no word to fixed but the mark of its {which}.*leave it"
        ):
            captioner.read(caption)
    assert captioner.read("a lamp").tokens == (2, 3)


def test_a_network_that_would_rather_say_nothing_is_quoted_with_that() -> None:
    captioner = Fixed([0, 5, 1, 2], vocabulary=MARKED, start=0, end=1)
    why = nx.explain_caption(captioner, photograph(), names_for(captioner), top=4)
    found = captioner.caption(photograph())[0]
    assert found.silence is not None and found.silence > found.log_probability
    (note,) = [note for note in why.notes if "rather" in note]
    assert note == (
        f"The network would rather have said nothing: that has a probability of {percent(np.exp(found.silence))}, this "
        f"caption {percent(np.exp(found.log_probability))}."
    )
    encoded = captioner.encode(captioner.prepare(photograph()))
    first = captioner.logits(encoded, torch.zeros(1, 1, dtype=torch.int64)).softmax(2)[0, 0, 1].item()
    assert np.exp(found.silence) == pytest.approx(first, rel=1e-5)

    class EndsAfterAWord(Fixed):
        def logits(self, encoded: Tensor, tokens: Tensor) -> Tensor:
            scores = super().logits(encoded, tokens).clone()
            scores[:, 1:, 1] += 10
            return scores

    talkative = EndsAfterAWord([0, -2, 1, 2], vocabulary=MARKED, start=0, end=1)
    assert talkative.caption(photograph())[0].silence is None
    free = nx.explain_caption(talkative, photograph(), names_for(talkative), top=4)
    assert not any("rather" in note for note in free.notes)


def test_a_given_caption_is_explained_though_the_network_says_nothing(tmp_path: Any) -> None:
    captioner = Fixed([0, 5, 1, 2], vocabulary=MARKED, start=0, end=1)
    with pytest.raises(
        ValueError, match="fixed has nothing to say .* let it follow more beams, or give a caption"
    ):
        captioner.caption(photograph(), beams=1)
    why = nx.explain_caption(captioner, photograph(), names_for(captioner), caption="a lamp", beams=1, top=4)
    assert why.predictions == () and why.asked is not None and why.asked.text == "a lamp"
    assert not any("rather" in note for note in why.notes)
    why.save(tmp_path / "why")
    assert nx.load_explanation(tmp_path / "why").to_dict() == why.to_dict()
    assert "a lamp" in nx.write_report(tmp_path / "why").read_text(encoding="utf-8")


def test_logarithms_that_this_package_makes_are_no_reason_to_warn() -> None:
    """The shares of these two tokens add up to 1, as a distribution's do. Warnings are errors in tests."""
    captioner = Fixed([-50, 0, 0, -50], vocabulary=MARKED, start=0, end=1)
    telling = captioner.telling(captioner.read("a"))
    with torch.no_grad():
        assert softmax_note(telling(captioner.prepare(photograph()))) is not None
    why = nx.explain_caption(captioner, photograph(), names_for(captioner), caption="a", top=4)
    assert why.text


def test_beams_and_length_are_told_apart() -> None:
    with pytest.raises(ValueError, match="^beams: expected at least 1, got 0$"):
        toy_captioner().caption(photograph(), beams=0)
    with pytest.raises(ValueError, match="^longest: expected at least 1 token, got 0$"):
        toy_captioner(longest=0)
