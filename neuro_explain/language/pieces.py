"""Which pieces of words stand for which word? A tokenizer of Hugging Face's, read word by word.

    pieces = Pieces(tokenizer)
    text = pieces.read("two lamps")
    text.words, text.tokens, text.word_of        # ("two", "lamps"), (8, 6, 7), (0, 1, 1)

A word is what stands between spaces, whatever pieces it is cut into, so the score of a word is the sum of its pieces'.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neuro_explain.language.vocabulary import Text


class Pieces:
    """The words of a tokenizer.

    Args:
        tokenizer: a `transformers` tokenizer that knows where in the text its tokens stand (a "fast" one).

    Raises:
        ValueError: it does not know, or is no tokenizer.
    """

    def __init__(self, tokenizer: Any) -> None:
        if not callable(tokenizer) or not getattr(tokenizer, "is_fast", False):
            raise ValueError(
                "tokenizer: expected a tokenizer of transformers that gives offsets, got a "
                f"{type(tokenizer).__name__}; load it with AutoTokenizer.from_pretrained(…, use_fast=True)"
            )
        self.tokenizer = tokenizer

    def read(self, text: str) -> Text:
        """The text's words and their pieces; words that are only unknown pieces stay, and are named in the note."""
        words = text.split()
        joined = " ".join(words)
        coded = self.tokenizer(joined, add_special_tokens=False, return_offsets_mapping=True)
        tokens = tuple(int(token) for token in coded["input_ids"])
        # The last character of a piece says whose it is: the first may be the space before the word.
        word_of = [joined.count(" ", 0, max(0, end - 1)) for _, end in coded["offset_mapping"]]
        with_pieces = sorted(set(word_of))  # some characters (of control) leave no piece
        word_of = [with_pieces.index(word) for word in word_of]
        words = [words[word] for word in with_pieces]
        unknown = self.tokenizer.unk_token_id
        missing = dict.fromkeys(
            words[word] for word, token in zip(word_of, tokens, strict=True) if token == unknown
        )
        return Text(tuple(words), tokens, tuple(word_of), tuple(missing), self._note(tuple(missing)))

    def write(self, tokens: Sequence[int]) -> Text:
        """The words that tokens, without start and end, stand for."""
        ids = [int(token) for token in tokens]
        word_of: list[int] = []
        for count in range(1, len(ids) + 1):
            # a piece that begins no word belongs to the one before it
            here = len(self._decode(ids[:count]).split()) - 1
            word_of.append(max(here, *word_of[-1:], 0))
        words = self._decode(ids).split()
        words += ["␣"] * (max(word_of, default=-1) + 1 - len(words))  # tokens of nothing but spaces
        return Text(tuple(words), tuple(ids), tuple(word_of))

    def _decode(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, clean_up_tokenization_spaces=False))

    def _note(self, missing: Sequence[str]) -> str:
        if not missing:
            return ""
        which = ", ".join(f"“{word}”" for word in missing)
        is_not, was = ("is not", "it was") if len(missing) == 1 else ("are not", "they were")
        return f"{which} {is_not} in the network's vocabulary; {was} read as “{self.tokenizer.unk_token}”."
