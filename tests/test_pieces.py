"""A tokenizer's pieces belong to the words that stand between spaces."""

from __future__ import annotations

import pytest
from hugging_face_models import PIECES, Processor, byte_tokenizer, tokenizer, transformers
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from neuro_explain.language.image_processor import preprocess_of
from neuro_explain.language.pieces import Pieces
from neuro_explain.preprocess import Preprocess

BYTES = Pieces(byte_tokenizer())


def test_the_pieces_of_a_word_are_the_words() -> None:
    text = Pieces(tokenizer()).read("  Two red\nlamps, table?")
    assert text.words == ("Two", "red", "lamps,", "table?")
    assert text.word_of == (0, 1, 2, 2, 2, 3, 3, 3)
    assert [PIECES[token] for token in text.tokens] == [
        "two",
        "red",
        "lamp",
        "##s",
        "[UNK]",
        "ta",
        "##ble",
        "?",
    ]
    assert text.unknown == ("lamps,",)
    assert text.note == "“lamps,” is not in the network's vocabulary; it was read as “[UNK]”."
    assert str(text) == "Two red lamps, table?"


def test_words_are_written_from_pieces() -> None:
    pieces = Pieces(tokenizer())
    tokens = [PIECES.index(piece) for piece in ("two", "lamp", "##s", "##s", "##e", "ta", "##ble", ".")]
    text = pieces.write(tokens)
    assert (text.words, text.word_of) == (("two", "lampsse", "table", "."), (0, 1, 1, 1, 1, 2, 2, 3))
    assert text.tokens == tuple(tokens)
    assert pieces.write([]).words == ()


@given(st.lists(st.sampled_from(["a", "red", "lamps", "next", "dog's", "ﬁé", "日本", "x."]), min_size=1))
def test_bytes_come_back_as_the_same_words(words: list[str]) -> None:
    read = BYTES.read(" ".join(words))
    assert read.words == tuple(words)
    assert sorted(set(read.word_of)) == list(range(len(words)))
    assert list(read.word_of) == sorted(read.word_of)
    assert BYTES.write(read.tokens) == read
    for word, wanted in enumerate(words):
        own = [t for t, owner in zip(read.tokens, read.word_of, strict=True) if owner == word]
        assert BYTES.tokenizer.decode(own).strip() == wanted


@given(st.lists(st.integers(0, 279), max_size=8))
def test_any_tokens_have_words(tokens: list[int]) -> None:
    text = BYTES.write(tokens)
    assert len(text.word_of) == len(tokens)
    assert sorted(set(text.word_of)) == list(range(len(text.words)))
    assert list(text.word_of) == sorted(text.word_of)


def test_text_without_pieces() -> None:
    assert Pieces(tokenizer()).read(" ").tokens == ()
    assert Pieces(tokenizer()).read("\x01 red \x01").words == ("red",)


def test_a_tokenizer_without_offsets_is_refused() -> None:
    with pytest.raises(
        ValueError, match="tokenizer: expected a tokenizer of transformers that gives offsets, got a int"
    ):
        Pieces(3)


def test_the_recipe_of_an_image_processor() -> None:
    made = preprocess_of(Processor().image_processor, image_size=(99, 99))
    assert made == Preprocess((32, 32), (32, 32), "bilinear", mean=(0.5,) * 3, std=(0.5,) * 3)
    image = Image.effect_noise((32, 32), 60).convert("RGB")
    theirs = Processor().image_processor(image, return_tensors="pt").pixel_values[0]
    assert float((made(image) - theirs).abs().max()) < 1e-6


def test_the_recipe_of_one_that_crops_and_of_one_that_keeps_proportions() -> None:
    crops = transformers.CLIPImageProcessor(size={"shortest_edge": 40}, crop_size={"height": 32, "width": 24})
    made = preprocess_of(crops, image_size=(99, 99))
    assert (made.input_size, made.resize, made.interpolation) == ((32, 24), 40, "bicubic")
    image = Image.effect_noise((80, 40), 60).convert("RGB")
    theirs = crops(image, return_tensors="pt").pixel_values[0]
    assert float((made(image) - theirs).abs().max()) < 1e-5

    keeps = transformers.ViltImageProcessor(do_rescale=False, do_normalize=False)
    made = preprocess_of(keeps, image_size=(64, 96))
    assert (made.input_size, made.resize, made.scale) == ((64, 96), (64, 96), False)
    assert (made.mean, made.std) == ((0, 0, 0), (1, 1, 1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rescale_factor": 1 / 127.5}, "ViTImageProcessor multiplies pixels by 0.0078"),
        ({"do_center_crop": True, "size": {"shortest_edge": 40}}, "crops to"),
        ({"resample": 9}, "resizes with 9, expected one of Pillow's filters; give preprocess="),
    ],
)
def test_what_a_recipe_cannot_say_is_refused(changes: dict[str, object], message: str) -> None:
    processor = Processor().image_processor
    for name, value in changes.items():
        setattr(processor, name, value)
    with pytest.raises(ValueError, match=message):
        preprocess_of(processor, image_size=(32, 32))
