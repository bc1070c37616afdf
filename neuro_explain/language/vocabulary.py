"""Which number stands for which word? Text in, tokens out, and back; what is not known is named.

    vocabulary = Vocabulary(["a", "lamp", "red"])
    vocabulary.read("A red zebra").tokens        # (0, 2): what became of "zebra" stands in .note

A word is what stands between spaces, in lower case and without punctuation around it. Networks whose tokens are pieces
of words have a vocabulary of their own kind: then several tokens make a word, and `Text.word_of` says which.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

_AROUND = ".,;:!?\"'()[]{}“”‘’…"
_ECHOED = 80  # characters of a person's text that a message repeats
_LISTED = 8  # unknown words that a note lists


@dataclass(frozen=True)
class Text:
    """Words and the tokens that stand for them.

    Attributes:
        words: as they are shown.
        tokens: without those for the start and the end.
        word_of: for each token the place of its word.
        unknown: words of the text that the vocabulary does not have.
        note: what was done with them, a sentence; empty if there are none.
    """

    words: tuple[str, ...]
    tokens: tuple[int, ...]
    word_of: tuple[int, ...]
    unknown: tuple[str, ...] = ()
    note: str = ""

    def __str__(self) -> str:
        """The words with spaces between them."""
        return " ".join(self.words)


class Reader(Protocol):
    """What turns text into tokens and tokens into text."""

    def read(self, text: str) -> Text:
        """The text's words that are known, and their tokens."""
        ...

    def write(self, tokens: Sequence[int]) -> Text:
        """The words that tokens, without start and end, stand for."""
        ...


def shortened(text: str, longest: int = _ECHOED) -> str:
    """A text as a message repeats it: cut where it is long."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def none_known(what: str, given: str, read: Text, *, reader: Reader, owner: str) -> str:
    """The message for a text without a word that is known; it offers some that are.

    Args:
        what: "question" or "caption".
        given: the text.
        read: what the reader made of it.
        reader: the words.
        owner: the network's name.
    """
    words = [word for word in getattr(reader, "words", ()) if word.isalpha() and len(word) > 2]
    some = words[:: max(1, len(words) // 4)][:4]
    advice = (
        f"at least one word of its vocabulary, such as {', '.join(some)}" if some else "at least one word"
    )
    return (
        f"{what} {shortened(given)!r} has no word that {owner} knows. {read.note or 'It has no words.'} "
        f"Give {advice}."
    )


class Vocabulary:
    """Whole words, one token each.

    Args:
        words: word i has the token i.
        unknown: the token that stands for words that are not there; without one they are left out.

    Raises:
        ValueError: no words, the same one twice, or an `unknown` out of range.
    """

    def __init__(self, words: Sequence[str], *, unknown: int | None = None) -> None:
        self.words = tuple(words)
        self.unknown = unknown
        self._token = {word: token for token, word in enumerate(self.words)}
        if not self.words or len(self._token) != len(self.words):
            raise ValueError(
                f"vocabulary: expected at least one word and each once, got {len(self.words)} of which "
                f"{len(self._token)} differ"
            )
        if unknown is not None and not 0 <= unknown < len(self.words):
            raise ValueError(f"unknown: expected a token from 0 to {len(self.words) - 1}, got {unknown}")

    def __len__(self) -> int:
        return len(self.words)

    def read(self, text: str) -> Text:
        """The text's words that are known, and their tokens."""
        asked = self._cut(text)
        missing = tuple(dict.fromkeys(word for word in asked if word not in self._token))
        if self.unknown is None:
            asked = [word for word in asked if word in self._token]
        tokens = tuple(self._token.get(word, -1) for word in asked)
        if self.unknown is not None:
            tokens = tuple(self.unknown if token < 0 else token for token in tokens)
        return Text(tuple(asked), tokens, tuple(range(len(tokens))), missing, self._note(missing))

    def _cut(self, text: str) -> list[str]:
        """The text's words, known or not."""
        return [word for piece in text.lower().split() if (word := piece.strip(_AROUND))]

    def write(self, tokens: Sequence[int]) -> Text:
        """The words that tokens, without start and end, stand for."""
        words = tuple(self.words[token] for token in tokens)
        return Text(words, tuple(tokens), tuple(range(len(words))))

    def _note(self, missing: Sequence[str]) -> str:
        if not missing:
            return ""
        which = ", ".join(f"“{shortened(word, 40)}”{self._near(word)}" for word in missing[:_LISTED])
        if len(missing) > _LISTED:
            which += f" and {len(missing) - _LISTED} more"
        is_not, was = ("is not", "it was") if len(missing) == 1 else ("are not", "they were")
        done = "left out" if self.unknown is None else f"read as “{self.words[self.unknown]}”"
        return f"{which} {is_not} among the {len(self.words)} words that the network knows; {was} {done}."

    def _near(self, word: str) -> str:
        close = difflib.get_close_matches(word, self.words, n=3, cutoff=0.75)
        return f" (near: {', '.join(close)})" if close else ""
