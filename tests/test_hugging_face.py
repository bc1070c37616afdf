"""Models of Hugging Face say what they say themselves, and their words light the patches that they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hugging_face_models import (
    CLS,
    PIECES,
    SEP,
    Processor,
    blip,
    encoder_decoder,
    livened,
    tokenizer,
    transformers,
    vilt,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from probes import MemorySet, labelled_everywhere
from small_nets import State
from torch import Tensor, nn

from dissection.concepts import Concept
from dissection.dissect import dissect
from dissection.fingerprint import weights_fingerprint
from dissection.recording import evaluating, get_layer, record
from neuro_explain.ablation import ablated_outputs
from neuro_explain.captioning import Captioner
from neuro_explain.gradcam import grad_cam
from neuro_explain.language.hugging_face import KNOWN, hugging_face, load_hugging_face
from neuro_explain.language.token_answerers import COMMON_ANSWERS
from neuro_explain.preprocess import Preprocess
from neuro_explain.vqa import QuestionAnswerer

QUESTION = "is there a red lamp?"
ANSWERS = ("yes", "no", "two red lamps")
CAPTION = "two lamps next to a table"


def photo(seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def sized(h: int, w: int) -> Preprocess:
    return Preprocess((h, w), (h, w), mean=(0.5,) * 3, std=(0.5,) * 3)


def captioner(kind: str, **options: Any) -> Captioner:
    if kind == "blip":
        made = hugging_face(blip("BlipForConditionalGeneration"), Processor(), **options)
    else:
        made = hugging_face(encoder_decoder(*kind.split("-")), Processor(), **options)
    assert isinstance(made, Captioner)
    return made


def answerer(kind: str, **options: Any) -> QuestionAnswerer:
    if kind == "blip":
        options = {"answers": ANSWERS, **options}
        made = hugging_face(blip("BlipForQuestionAnswering"), Processor(), **options)
    else:
        made = hugging_face(vilt(), Processor(), **options)
    assert isinstance(made, QuestionAnswerer)
    return made


def own_logits(net: Any, x: Tensor, tokens: list[int]) -> Tensor:
    """The model's own forward pass: scores of what follows the last token."""
    ids = torch.tensor([tokens]).expand(len(x), -1)
    if hasattr(net, "decoder"):
        return net(pixel_values=x, decoder_input_ids=ids).logits[:, -1]
    return net(pixel_values=x, input_ids=ids).logits[:, -1]


CAPTIONERS = ["vit-gpt2", "vit-bert", "deit-gpt2", "registers-bert", "swin-gpt2", "blip"]


@pytest.mark.parametrize(
    ("kind", "layer", "size", "others"),
    [
        ("vit-gpt2", "encoder.layernorm+4x4", (4, 4), 1),
        ("deit-bert", "encoder.layernorm+4x4", (4, 4), 2),
        ("registers-gpt2", "encoder.layernorm+4x4", (4, 4), 4),
        ("swin-bert", "encoder.layernorm+8x8", (8, 8), 0),
        # its last normalisation runs twice, and has no single map
        ("blip", "vision_model.encoder.layers.1+4x4", (4, 4), 1),
    ],
)
def test_the_layer_of_a_captioner(kind: str, layer: str, size: tuple[int, int], others: int) -> None:
    made = captioner(kind)
    assert (made.layer, made.tower.map_size, made.tower.units) == (layer, size, 16)
    assert made.tower.layer_reason.startswith(f"{made.tower.layer}: the last layer of tokens, 16 units")
    assert (f"behind {others} other token" in made.tower.layer_reason) == (others > 0)


@pytest.mark.parametrize(
    ("kind", "layer"),
    [
        ("blip", "vision_model.encoder.layers.1+4x4"),
        ("vilt", "vilt.encoder.layer.1.layernorm_before+4x4"),  # the text's first token is all that is read
    ],
)
def test_the_layer_of_an_answerer(kind: str, layer: str) -> None:
    assert answerer(kind).layer == layer


def test_a_layer_of_ones_own_gets_its_grid() -> None:
    name = next(n for n, m in encoder_decoder().encoder.named_modules() if type(m).__name__ == "ViTLayer")
    assert captioner("vit-gpt2", layer=name).layer == f"encoder.{name}+4x4"
    with pytest.raises(ValueError, match="VisionEncoderDecoderModel: layer 'nowhere' is not in ViTModel"):
        captioner("vit-gpt2", layer="nowhere")


@pytest.mark.parametrize("kind", CAPTIONERS)
def test_each_words_score_restated_with_a_whole_pass_per_token(kind: str) -> None:
    made = captioner(kind)
    text = made.read(CAPTION)
    assert len(text.tokens) == 8 and len(text.words) == 6  # lamp-s and ta-ble
    telling = made.telling(text)
    x = torch.cat([made.prepare(photo(1)), made.prepare(photo(2))])
    state = State(made.net)
    with evaluating(telling), torch.no_grad():
        output = telling(x)
        said = [made.start]
        want = []
        for token in [*text.tokens, made.end]:
            want.append(own_logits(made.net, x, said).double().log_softmax(dim=1)[:, token])
            said.append(token)
    state.assert_same()
    assert (made.start, made.end) == (CLS, SEP)
    torch.testing.assert_close(output.double(), torch.stack(want, dim=1), rtol=1e-4, atol=1e-4)
    for word in range(6):
        mine = [w for w, owner in zip(want, text.word_of, strict=False) if owner == word]
        got = telling.word_target(word, "word")(output)
        torch.testing.assert_close(got.double(), sum(mine), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        telling.caption_target("all")(output).double(), sum(want), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("kind", CAPTIONERS)
def test_captions_are_as_likely_as_the_model_says(kind: str) -> None:
    made = captioner(kind, longest=7)
    for seed in range(2):
        x = made.prepare(photo(seed))
        captions = made.caption(photo(seed))
        for found in captions:
            total, said = 0.0, [made.start]
            for token in [*found.text.tokens, *([made.end] if found.ended else [])]:
                with torch.no_grad():
                    total += float(own_logits(made.net, x, said).log_softmax(dim=1)[0, token])
                said.append(token)
            assert found.log_probability == pytest.approx(total, rel=1e-4)
        assert len({found.text.tokens for found in captions}) == len(captions) > 0


@pytest.mark.parametrize("kind", CAPTIONERS)
def test_alpha_and_map_of_a_word_restated(kind: str) -> None:
    made = captioner(kind)
    text = made.read(CAPTION)
    telling = made.telling(text)
    x = made.prepare(photo())
    state = State(made.net)
    targets = telling.targets(text.words, CAPTION)
    cam = grad_cam(telling, x, [targets], layer=telling.layer)
    state.assert_same()
    h, w = made.tower.map_size

    kept: list[Tensor] = []
    module = get_layer(made.net, made.layer)
    handle = module.register_forward_hook(lambda _m, _i, out: kept.append(out))
    lamps = sum(
        own_logits(made.net, x, [made.start, *text.tokens[:at]]).log_softmax(dim=1)[0, text.tokens[at]]
        for at in (1, 2)
    )
    handle.remove()
    assert len(kept) == 2  # one whole pass for each piece: the gradients add up
    gradient = sum(torch.autograd.grad(lamps, kept))[0, -h * w :].detach()
    tokens = kept[0][0, -h * w :].detach()
    alpha = gradient.sum(dim=0) / (h * w)
    assert float(alpha.abs().max()) > 1e-4
    scale = float(alpha.abs().max())
    torch.testing.assert_close(cam.alpha[0, 2], alpha, rtol=1e-3, atol=1e-4 * scale)
    for i in range(h):
        for j in range(w):
            want = alpha @ tokens[i * w + j]
            torch.testing.assert_close(cam.signed_map[0, 2, i, j], want, rtol=1e-3, atol=1e-3 * scale)


@pytest.mark.parametrize("kind", ["vit-gpt2", "deit-gpt2", "registers-bert", "blip"])
def test_images_that_are_not_square(kind: str) -> None:
    made = captioner(kind, preprocess=sized(16, 40))
    assert made.tower.map_size == (2, 5)
    telling = made.telling(made.read(CAPTION))
    x = made.prepare(photo())
    cam = grad_cam(telling, x, [telling.caption_target("all")], layer=telling.layer)
    assert cam.map.shape == (1, 2, 5)
    assert float(cam.signed_map.abs().max()) > 0
    assert made.caption(photo())[0].text.words


def test_swin_on_images_that_are_not_square() -> None:
    made = captioner("swin-gpt2", preprocess=sized(16, 32))
    assert made.tower.map_size == (4, 8)


@settings(max_examples=8)
@given(st.integers(1, 4), st.integers(2, 4), st.sampled_from(["registers-bert", "blip", "vilt", "blip-vqa"]))
def test_the_grid_is_the_image_in_patches(h: int, w: int, kind: str) -> None:
    torch.manual_seed(0)
    recipe = sized(8 * h, 8 * w)
    made: Any = (
        answerer(kind.removesuffix("-vqa"), preprocess=recipe)
        if kind in ("vilt", "blip-vqa")
        else captioner(kind, preprocess=recipe)
    )
    assert made.tower.map_size == (h, w)
    # Before any token has seen another, a patch of the image changes its own cell and no other.
    blocks = [n for n, m in made.tower.net.named_modules() if type(m).__name__.endswith("Layer")]
    first = next(
        n
        for n, m in made.tower.net.named_modules()
        if n.startswith(blocks[0]) and "norm" in n and isinstance(m, nn.LayerNorm)
    )
    x = made.prepare(photo())
    i, j = h - 1, w - 2
    other = x.clone()
    other[:, :, 8 * i : 8 * i + 8, 8 * j : 8 * j + 8] += 1
    maps = []
    for images in (x, other):
        with evaluating(made.tower.net) as net, torch.no_grad(), record(net, f"{first}+{h}x{w}") as seen:
            net(images)
        maps.append(seen.output)
    assert (maps[0] != maps[1]).any(dim=1).nonzero().tolist() == [[0, i, j]]


def own_vilt(net: Any, x: Tensor, question: Tensor) -> Tensor:
    mask = torch.ones(len(x), *x.shape[2:], dtype=torch.int64)
    return net(input_ids=question.expand(len(x), -1), pixel_values=x, pixel_mask=mask).logits


@pytest.mark.parametrize("size", [(32, 32), (16, 40), (48, 24)])
def test_vilt_in_order_says_what_it_says_in_any_order(size: tuple[int, int]) -> None:
    made = answerer("vilt", preprocess=sized(*size))
    question = made.question(made.read(QUESTION))
    assert [PIECES[t] for t in question[0]] == ["[CLS]", "is", "there", "a", "red", "lamp", "?", "[SEP]"]
    x = torch.cat([made.prepare(photo(1)), made.prepare(photo(2))])
    with torch.no_grad():
        got = made.answering(made.read(QUESTION))(x)
        want = own_vilt(made.net, x, question)
    # the order of summation differs
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(got[0], got[1], atol=1e-3)
    assert made.answers == ("yes", "no", "lamp", "two")


def test_a_patch_lights_its_own_cell_in_vilt_and_would_not_in_its_own_order() -> None:
    made = answerer("vilt")
    asking = made.answering(made.read(QUESTION))
    dark = torch.zeros(1, 3, 32, 32)
    layer = "net.vilt.encoder.layer.0.layernorm_before+4x4"
    wrong = 0
    for cell in range(16):
        i, j = divmod(cell, 4)
        lit = dark.clone()
        lit[:, :, 8 * i : 8 * i + 8, 8 * j : 8 * j + 8] = 1
        maps = []
        for x in (dark, lit):
            with torch.no_grad(), record(asking, layer) as seen:
                asking(x)
            maps.append(seen.output)
        assert (maps[0] != maps[1]).any(dim=1).nonzero().tolist() == [[0, i, j]]
        with torch.no_grad(), record(asking, layer) as seen:
            own_vilt(made.net, lit, made.question(made.read(QUESTION)))
        wrong += not torch.allclose(seen.output[0, :, i, j], maps[1][0, :, i, j], atol=1e-5)
    assert wrong >= 8  # of 16 at random one would be right by chance


def test_blips_answers_restated_one_by_one() -> None:
    made = answerer("blip")
    net: Any = made.net
    question = made.question(made.read(QUESTION))
    x = torch.cat([made.prepare(photo(1)), made.prepare(photo(2))])
    with torch.no_grad():
        got = made.answering(made.read(QUESTION))(x)
        for n in range(2):
            for a, answer in enumerate(ANSWERS):
                tokens = [CLS, *tokenizer()(answer, add_special_tokens=False)["input_ids"], SEP]
                # the model's own loss is the mean of −log p over the answer's tokens and the end
                loss = net(
                    input_ids=question,
                    attention_mask=torch.ones_like(question),
                    pixel_values=x[n : n + 1],
                    labels=torch.tensor([tokens]),
                ).loss
                assert float(got[n, a]) == pytest.approx(-float(loss) * (len(tokens) - 1), rel=1e-3)
    assert [len(tokenizer()(a, add_special_tokens=False)["input_ids"]) for a in ANSWERS] == [1, 1, 4]


def test_any_text_can_be_an_answer_of_blips() -> None:
    made = answerer("blip")
    x, text = made.prepare(photo()), made.read(QUESTION)
    with torch.no_grad():
        before = made.answering(text)(x)
        assert made.answer_index("no") == 1
        assert made.answer_index("left table") == 3
        after = made.answering(text)(x)
    assert made.answers == (*ANSWERS, "left table")
    assert after.shape == (1, 4)
    torch.testing.assert_close(after[:, :3], before, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="answers: '' has no words"):
        made.answer_index("")


@pytest.mark.parametrize("kind", ["blip", "vilt"])
def test_grad_cam_and_ablation_of_an_answer(kind: str) -> None:
    made = answerer(kind)
    asking = made.answering(made.read(QUESTION))
    x = made.prepare(photo())
    state = State(made.net)
    cam = grad_cam(asking, x, [[0, 1, 2]], layer=asking.layer)
    assert cam.map.shape == (1, 3, 4, 4)
    assert float(cam.alpha.abs().amin(dim=1).min()) >= 0 and float(cam.alpha.abs().max()) > 0
    outputs = ablated_outputs(asking, x, asking.layer, [[], [0, 3], list(range(16))])
    state.assert_same()
    torch.testing.assert_close(outputs[0], cam.output[0], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(outputs[0], outputs[1], atol=1e-4)
    # one target alone gives the same as several in one batched backward pass
    single = grad_cam(asking, x, [1], layer=asking.layer)
    torch.testing.assert_close(single.alpha, cam.alpha[:, 1], rtol=1e-4, atol=1e-6)
    name, value = made.answer(photo(), QUESTION)[0]
    assert name in made.answers and 0 < value <= 1


@pytest.mark.parametrize("kind", CAPTIONERS)
def test_ablation_of_a_caption(kind: str) -> None:
    made = captioner(kind)
    telling = made.telling(made.read(CAPTION))
    x = made.prepare(photo())
    outputs = ablated_outputs(telling, x, telling.layer, [[], [1], list(range(16))])
    with torch.no_grad():
        torch.testing.assert_close(outputs[0], telling(x)[0], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(outputs[0], outputs[2], atol=1e-4)


@pytest.mark.parametrize("kind", ["registers-gpt2", "swin-gpt2", "blip", "vilt"])
def test_the_tower_alone_can_be_dissected_and_is_the_models_own(kind: str) -> None:
    made: Any = answerer("vilt") if kind == "vilt" else captioner(kind)
    own = made.net.get_submodule(made.layer.split(".")[0])
    assert weights_fingerprint(made.tower.net) == weights_fingerprint(own)
    assert get_layer(made.tower.net, made.tower.layer) is get_layer(made.net, made.layer)

    dataset = MemorySet([Concept("thing", "object")], [labelled_everywhere(1, 8)] * 3)
    found = dissect(
        made.tower.net, made.tower.layer, made.tower.preprocess.probe, dataset, label_size=8, batch_size=2
    )
    assert found.intersection.shape == (16, 1)
    x = made.prepare(photo())
    with torch.no_grad(), record(made.tower.net, made.tower.layer) as alone:
        made.tower.net(x)
    if kind != "vilt":  # there the question is seen too
        telling = made.telling(made.read(CAPTION))
        with torch.no_grad(), record(telling, telling.layer) as whole:
            telling(x)
        assert torch.equal(alone.output, whole.output)


def test_a_quick_attention_of_the_models_stays_its_own() -> None:
    model = encoder_decoder()
    before = (model.encoder.config._attn_implementation, torch.backends.cuda.flash_sdp_enabled())
    made = hugging_face(model, Processor())
    telling = made.telling(made.read(CAPTION))  # type: ignore[union-attr]
    grad_cam(telling, made.prepare(photo()), [telling.targets(["a"] * 6, "all")], layer=telling.layer)
    assert (model.encoder.config._attn_implementation, torch.backends.cuda.flash_sdp_enabled()) == before


def test_what_cannot_be_adapted_says_why() -> None:
    known = ", ".join(KNOWN)
    with pytest.raises(ValueError, match=f"model: Linear is not among the known classes {known}"):
        hugging_face(nn.Linear(2, 2), Processor())
    model = encoder_decoder()
    with pytest.raises(ValueError, match=r"preprocess: a \w+ alone does not say"):
        hugging_face(model, tokenizer())
    assert hugging_face(model, tokenizer(), preprocess=sized(32, 32)).layer == "encoder.layernorm+4x4"
    with pytest.raises(ValueError, match="preprocess: expected one of imagenet"):
        hugging_face(model, tokenizer(), preprocess="imagenett")
    with pytest.raises(ValueError, match="answers: VisionEncoderDecoderModel takes none, got 2"):
        hugging_face(model, Processor(), answers=["a", "b"])
    with pytest.raises(
        ValueError, match=r"start: VisionEncoderDecoderModel says 25, expected a token from 0 to 24"
    ):
        hugging_face(model, Processor(), start=25)
    with pytest.raises(ValueError, match="answers: expected a list of candidates, got 'yes'"):
        answerer("blip", answers="yes")
    assert answerer("blip", answers=None).answers == COMMON_ANSWERS


def test_a_subclass_is_known_too_and_may_have_its_own_ends() -> None:
    class Mine(transformers.VisionEncoderDecoderModel):  # type: ignore[misc, name-defined]
        pass

    made = hugging_face(livened(Mine(config=encoder_decoder().config)), Processor(), start=5, end=[6, 7])
    assert isinstance(made, Captioner)
    assert (made.start, made.end, made.name) == (5, 6, "Mine")


@pytest.mark.parametrize("kind", ["vit-gpt2", "blip-vqa", "vilt"])
def test_a_saved_model_comes_back(kind: str, tmp_path: Path) -> None:
    made: Any = captioner(kind) if kind == "vit-gpt2" else answerer(kind.removesuffix("-vqa"))
    folder = tmp_path / "mine"
    made.net.save_pretrained(folder)
    Processor().tokenizer.save_pretrained(folder)
    Processor().image_processor.save_pretrained(folder)
    answers = ANSWERS if kind == "blip-vqa" else None
    again: Any = load_hugging_face(folder, answers=answers)
    assert (again.name, again.tower.origin, again.layer) == ("mine", "Hugging Face, mine", made.layer)
    assert weights_fingerprint(again.net) == weights_fingerprint(made.net)
    if kind == "vit-gpt2":
        assert again.caption(photo())[0].text == made.caption(photo())[0].text
    else:
        assert again.answer(photo(), QUESTION) == made.answer(photo(), QUESTION)


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder with a model"):
        load_hugging_face("nowhere")
    model = transformers.ViTModel(encoder_decoder().encoder.config)
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="a model of class ViTModel, expected one of VisionEncoderDecoder"):
        load_hugging_face(tmp_path)


@pytest.mark.parametrize("enabled", [True, False])
def test_loading_shows_no_bars_of_the_library_and_leaves_them_as_they_were(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], enabled: bool
) -> None:
    bars = transformers.utils.logging
    captioner("vit-gpt2").net.save_pretrained(tmp_path)
    Processor().tokenizer.save_pretrained(tmp_path)
    Processor().image_processor.save_pretrained(tmp_path)
    before = bars.is_progress_bar_enabled()
    try:
        (bars.enable_progress_bar if enabled else bars.disable_progress_bar)()
        capfd.readouterr()
        load_hugging_face(tmp_path)
        assert "%|" not in capfd.readouterr().err
        assert bars.is_progress_bar_enabled() is enabled
    finally:
        (bars.enable_progress_bar if before else bars.disable_progress_bar)()


def test_candidates_made_under_inference_mode_can_be_differentiated() -> None:
    made = answerer("blip")
    with torch.inference_mode():
        index = made.answer_index("left table")
        asking = made.answering(made.read(QUESTION))
    assert float(grad_cam(asking, made.prepare(photo()), [index], layer=asking.layer).alpha.abs().max()) > 0


def test_a_model_of_the_other_kind_says_what_it_is(tmp_path: Path) -> None:
    from neuro_explain.zoo import load_answerer, load_captioner

    answerer("vilt").net.save_pretrained(tmp_path / "asks")
    captioner("vit-gpt2").net.save_pretrained(tmp_path / "tells")
    for name in ("asks", "tells"):
        Processor().tokenizer.save_pretrained(tmp_path / name)
        Processor().image_processor.save_pretrained(tmp_path / name)
    with pytest.raises(ValueError, match="asks answers questions: load_answerer, .* `neuro-explain ask`"):
        load_captioner(f"hf:{tmp_path / 'asks'}")
    with pytest.raises(ValueError, match="tells is a captioner: load_captioner, .* `neuro-explain caption`"):
        load_answerer(f"hf:{tmp_path / 'tells'}")
