"""Captioners of Hugging Face's whose decoder attends to the image's tokens: encode, and score what follows.

Both halves are called as the models' own `forward` calls them, without caches. `hugging_face` chooses among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor

from neuro_explain.captioning import Captioner
from neuro_explain.language.pieces import Pieces
from neuro_explain.language.token_tower import TokenAdapter, decoded, plain_attention, tokens_of


class TokenCaptioner(TokenAdapter, Captioner):
    """A captioner whose decoder attends to the image's tokens."""

    def __init__(
        self,
        model: Any,
        pieces: Pieces,
        *,
        tower: str,
        start: object,
        end: object,
        words: int,
        **options: Any,
    ) -> None:
        # needed before the layer is looked for
        self.start, self.end = (_token(model, *one, words) for one in (("start", start), ("end", end)))
        super().__init__(model, vocabulary=pieces, tower=tower, start=self.start, end=self.end, **options)

    def _try(self, images: Tensor) -> Tensor:
        return self.logits(self.encode(images), self.tokens([self.start]).expand(len(images), -1))


class EncoderDecoder(TokenCaptioner):
    """`VisionEncoderDecoderModel`: an image tower, and a language model that attends to its tokens."""

    def __init__(
        self, model: Any, pieces: Pieces, *, start: Any = None, end: Any = None, **options: Any
    ) -> None:
        places = (model.generation_config, model.config, model.decoder.config)
        if start is None:
            start = _first(places, "decoder_start_token_id", "bos_token_id")
        if end is None:
            end = _first(places, "eos_token_id")
        words = model.decoder.config.vocab_size
        super().__init__(model, pieces, tower="encoder", start=start, end=end, words=words, **options)

    def encode(self, images: Tensor) -> Tensor:
        """The tower's tokens in the decoder's width, `[N, T, D]`."""
        net: Any = self.net
        with plain_attention():
            tokens = tokens_of(net.encoder, images)
            # there only if the widths differ
            return cast(Tensor, net.enc_to_dec_proj(tokens)) if hasattr(net, "enc_to_dec_proj") else tokens

    def logits(self, encoded: Tensor, tokens: Tensor) -> Tensor:
        """Scores of what follows each token, `[N, T, V]`."""
        net: Any = self.net
        return decoded(net.decoder, encoded, tokens)


class BlipCaptioner(TokenCaptioner):
    """`BlipForConditionalGeneration`."""

    def __init__(
        self, model: Any, pieces: Pieces, *, start: Any = None, end: Any = None, **options: Any
    ) -> None:
        config = model.config.text_config
        super().__init__(
            model,
            pieces,
            tower="vision_model",
            start=config.bos_token_id if start is None else start,
            end=config.sep_token_id if end is None else end,
            words=config.vocab_size,
            **options,
        )

    def encode(self, images: Tensor) -> Tensor:
        """The tower's tokens `[N, T, D]`."""
        net: Any = self.net
        with plain_attention():
            return tokens_of(net.vision_model, images)

    def logits(self, encoded: Tensor, tokens: Tensor) -> Tensor:
        """Scores of what follows each token, `[N, T, V]`."""
        net: Any = self.net
        return decoded(net.text_decoder, encoded, tokens)


def _first(places: Sequence[Any], *names: str) -> Any:
    """The first that is not None of some attributes, each looked for in all places."""
    values = (getattr(place, name, None) for name in names for place in places)
    return next((value for value in values if value is not None), None)


def _token(model: object, what: str, token: object, words: int) -> int:
    """A token that a configuration names; of several the first."""
    if isinstance(token, (list, tuple)) and token:
        token = token[0]
    if isinstance(token, bool) or not isinstance(token, int) or not 0 <= token < words:
        raise ValueError(
            f"{what}: {type(model).__name__} says {token!r}, expected a token from 0 to {words - 1}; give {what}= "
            "as in its training"
        )
    return token
