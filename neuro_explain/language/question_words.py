"""Which words does VQA_LSTM_CNN see in a question? Its punctuation marks are words too, and the last is mostly "?".

    QuestionWords(["is", "there", "a", "lamp", "?", "UNK"]).read("Is there a lamp?").tokens      # (0, 1, 2, 3, 4)

Questions are put in lower case and cut as NLTK's tokeniser of the Penn Treebank cuts them, as far as questions go:
marks stand alone, "isn't" is "is" and "n't", "dog's" is "dog" and "'s", "t-shirt" and "7:30" are whole, and
quotation marks become `` and ''.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from neuro_explain.language.vocabulary import Vocabulary

UNKNOWN = "UNK"

_PIECE = re.compile(
    r"""
    \w+(?=n't\b) | n't\b                 # is, n't
    | can(?=not\b)
    | '(?:s|m|d|ll|re|ve)\b
    | \w+(?:[-./&]\w+|(?<=\d)[,:]\d+|'(?!(?:s|m|d|ll|re|ve)\b)\w+)*   # t-shirt, 1,000, 7:30, o'clock
      (?:\.(?=\s+\S))?                   # a.m., but not at the end
    | \.\.\. | `` | '' | \S
    """,
    re.VERBOSE,
)
_OPENING = re.compile(r'(?:(?<=[\s(])|^)"')


def _pieces(text: str) -> list[str]:
    plain = re.sub("[“”]", '"', text.lower().strip().replace("’", "'"))
    return _PIECE.findall(_OPENING.sub("``", plain).replace('"', "''"))


class QuestionWords(Vocabulary):
    """Whole words and punctuation marks, one token each; what is not known is read as "UNK", if that is there.

    Args:
        words: word i has the token i.

    Raises:
        ValueError: no words, or the same one twice.
    """

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(words, unknown=words.index(UNKNOWN) if UNKNOWN in words else None)

    def _cut(self, text: str) -> list[str]:
        """The question's words and marks, known or not."""
        return _pieces(text)
