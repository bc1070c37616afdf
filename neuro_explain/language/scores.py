"""Do the scores of a captioner fit its words? What `logits`, `start` and `end` must be, said before anything breaks.

    token = checked_token(start, "start", vocabulary)
    check_scores(logits, tokens, vocabulary, start=0, end=1, owner="my captioner")

A network scores its words, and often the end, and sometimes the start: each token that is scored must be one of these,
for it may be spoken. How many words there are is known of a `Vocabulary`, and not of a tokenizer that cuts words.
"""

from __future__ import annotations

import numbers

from torch import Tensor

from neuro_explain.language.vocabulary import Reader, shortened


def words_of(vocabulary: Reader) -> tuple[str, ...]:
    """The words of a vocabulary, by token; empty if it does not list them."""
    return tuple(getattr(vocabulary, "words", ()))


def checked_token(token: object, what: str, vocabulary: Reader) -> int:
    """The token for the start or the end of a caption.

    Args:
        token: as it was given.
        what: "start" or "end", for the message.
        vocabulary: the words; both tokens may also stand behind them.

    Raises:
        ValueError: no whole number, or out of range.
    """
    words = words_of(vocabulary)
    if isinstance(token, str) and token in words:
        raise ValueError(
            f"{what}: expected a token, a whole number, got {token!r}; that word has {words.index(token)}"
        )
    if isinstance(token, bool) or not isinstance(token, numbers.Integral):
        raise ValueError(f"{what}: expected a token, a whole number, got {shortened(repr(token))}")
    last = f"to {len(words) + 1}, the two behind its {len(words)} words included" if words else "on"
    number = int(token)
    if number < 0 or (words and number > len(words) + 1):
        raise ValueError(f"{what}: expected a token of the vocabulary, from 0 {last}, got {number}")
    return number


def check_scores(
    logits: object, tokens: Tensor, vocabulary: Reader, *, start: int, end: int, owner: str
) -> None:
    """Refuses scores that are not those of the vocabulary's words.

    Args:
        logits: what `logits` returned for `tokens` `[N, T]`; to be `[N, T, V]`.
        tokens: what it was given.
        vocabulary: the words.
        start, end: their tokens.
        owner: the network's name.

    Raises:
        ValueError: another shape; a token is scored that is neither a word nor one of the two; a word or the end is
            not scored.
    """
    if not isinstance(logits, Tensor) or logits.dim() != 3 or logits.shape[:2] != tokens.shape:
        got = list(logits.shape) if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
        raise ValueError(
            f"logits() of {owner} returned {got} for tokens {list(tokens.shape)}, expected [N, T, V], the scores of "
            "what follows each token"
        )
    width, words = logits.shape[2], words_of(vocabulary)
    if end >= width:
        raise ValueError(
            f"end: {owner} scores the tokens 0 to {width - 1}, and {end} is none of them; give the token that its "
            "captions end with"
        )
    if not words:
        return
    wordless = [token for token in range(len(words), width) if token not in (start, end)]
    unscored = [token for token in range(width, len(words)) if token != start]
    if wordless or unscored:
        wrong = f"token {wordless[0]} has no word" if wordless else f"“{words[unscored[0]]}” has no score"
        raise ValueError(
            f"logits() of {owner} returned {width} scores for each token, its vocabulary has {len(words)} words "
            f"(start is {start}, end {end}): {wrong}; give the vocabulary that it was trained with"
        )
