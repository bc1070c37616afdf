"""Captions and each of their words explained: numbers from the definition, options, refusals."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from toy import photograph
from toy_speakers import WORDS, names_for, toy_captioner

import neuro_explain as nx
from dissection.artifact import ArtifactError
from neuro_explain.captioning import Captioner
from neuro_explain.gradcam import grad_cam


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
