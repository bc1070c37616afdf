"""Words to tokens and back; what is not known is named, with what was done."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuro_explain.language.vocabulary import Vocabulary

WORDS = ("a", "lamp", "red", "<unk>")


def test_known_words_become_tokens_whatever_their_case_and_punctuation() -> None:
    text = Vocabulary(WORDS).read("  A red, LAMP?! ")
    assert text.tokens == (0, 2, 1)
    assert text.words == ("a", "red", "lamp")
    assert text.word_of == (0, 1, 2)
    assert text.unknown == () and text.note == ""
    assert str(text) == "a red lamp"


def test_an_unknown_word_is_left_out_and_named_with_near_ones() -> None:
    text = Vocabulary(WORDS).read("a zebra lamb")
    assert text.tokens == (0,)
    assert text.unknown == ("zebra", "lamb")
    assert text.note == (
        "“zebra”, “lamb” (near: lamp) are not among the 4 words that the network knows; they were left out."
    )


def test_an_unknown_word_is_read_as_the_token_for_such_words() -> None:
    text = Vocabulary(WORDS, unknown=3).read("a zebra")
    assert text.tokens == (0, 3)
    assert text.words == ("a", "zebra")
    assert text.note == "“zebra” is not among the 4 words that the network knows; it was read as “<unk>”."


@pytest.mark.parametrize("text", ["", "   ", "?!", "zebra"])
def test_nothing_known_gives_no_tokens(text: str) -> None:
    assert Vocabulary(WORDS).read(text).tokens == ()


@given(st.lists(st.sampled_from(WORDS[:3]), max_size=8))
def test_what_is_written_can_be_read(words: list[str]) -> None:
    vocabulary = Vocabulary(WORDS)
    text = vocabulary.read(" ".join(words))
    assert vocabulary.write(text.tokens) == text


@pytest.mark.parametrize(("words", "unknown"), [((), None), (("a", "a"), None), (("a",), 1), (("a",), -1)])
def test_bad_vocabularies_are_refused(words: tuple[str, ...], unknown: int | None) -> None:
    with pytest.raises(ValueError, match="expected"):
        Vocabulary(words, unknown=unknown)
