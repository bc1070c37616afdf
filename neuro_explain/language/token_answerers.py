"""Networks of Hugging Face's that answer questions by attending to the image's tokens.

BLIP's answers are generated text, so candidates are scored; ViLT's are classes. `hugging_face` chooses between them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from neuro_explain.language.outside_inference import outside_inference_mode
from neuro_explain.language.pieces import Pieces
from neuro_explain.language.token_tower import TokenAdapter, decoded, image_size, plain_attention, tokens_of
from neuro_explain.vqa import QuestionAnswerer

COMMON_ANSWERS = (
    *("yes", "no", *(str(number) for number in range(11))),
    *("black", "blue", "brown", "gray", "green", "orange", "pink", "purple", "red", "white", "yellow"),
    *("man", "woman", "left", "right"),
)
"""Frequent answers to questions about photographs: the candidates where none are given."""


class TokenAnswerer(TokenAdapter, QuestionAnswerer):
    """A network that reads the question with its tokenizer's own tokens around it ([CLS] and [SEP])."""

    def __init__(self, model: Any, pieces: Pieces, *, tower: str, **options: Any) -> None:
        self._tokenizer = pieces.tokenizer
        super().__init__(model, vocabulary=pieces, tower=tower, **options)

    def question(self, text: Any) -> Tensor:
        """The question's tokens `[1, T]`, those of its beginning and end included."""
        return self.tokens(self._tokenizer(str(text))["input_ids"])

    def _try(self, images: Tensor) -> Tensor:
        return self.scores(images, self.question("what is this?"))


class BlipAnswerer(TokenAnswerer):
    """`BlipForQuestionAnswering`, whose answers are generated text: a score for each of some candidates.

    An answer's score is its log-probability, log p(answer, end | image, question): the sum over its tokens.
    """

    def __init__(
        self, model: Any, pieces: Pieces, *, answers: Sequence[str] | None = None, **options: Any
    ) -> None:
        self.net = model  # needed before the layer is looked for
        self._pieces = pieces
        candidates = COMMON_ANSWERS if answers is None else answers
        if isinstance(candidates, str) or not candidates:
            raise ValueError(f"answers: expected a list of candidates, got {candidates!r}")
        self._candidates = self._coded(candidates)
        super().__init__(model, pieces, tower="vision_model", answers=candidates, **options)

    def answer_index(self, wanted: str | int) -> int:
        """The number of an answer; any text will do, and becomes a candidate if it is none yet."""
        if isinstance(wanted, str) and wanted not in self.answers:
            self._candidates = self._coded([*self.answers, wanted])
            self.answers = (*self.answers, wanted)
        return super().answer_index(wanted)

    def scores(self, images: Tensor, question: Tensor) -> Tensor:
        """log p of each candidate, `[N, A]`."""
        net: Any = self.net
        with plain_attention():
            seen = tokens_of(net.vision_model, images)
            asked = net.text_encoder(
                input_ids=question.expand(len(seen), -1), encoder_hidden_states=seen
            ).last_hidden_state
        tokens = self._candidates.to(question.device)
        count = len(tokens)
        rows = tokens.repeat(len(asked), 1)  # all candidates of the first image, then of the second
        logits = decoded(net.text_decoder, asked.repeat_interleave(count, dim=0), rows[:, :-1].clamp(min=0))
        following = rows[:, 1:]
        each = logits.log_softmax(dim=2).gather(2, following.clamp(min=0)[:, :, None]).squeeze(2)
        return each.masked_fill(following < 0, 0).sum(dim=1).reshape(len(asked), count)

    def _coded(self, answers: Sequence[str]) -> Tensor:
        """`[A, L]`: start, the answer's tokens, end, then −1 up to the longest."""
        net: Any = self.net
        config = net.config.text_config
        rows = []
        for answer in answers:
            tokens = self._pieces.read(answer).tokens
            if not tokens:
                raise ValueError(f"answers: {answer!r} has no words")
            rows.append([config.bos_token_id, *tokens, config.sep_token_id])
        longest = max(map(len, rows))
        with outside_inference_mode():
            return torch.tensor([row + [-1] * (longest - len(row)) for row in rows])


class ViltAnswerer(TokenAnswerer):
    """`ViltForQuestionAnswering`: one tower for the question and the image; the answers are its classes.

    What the tower makes of the image depends on the question. Dissected alone it reads the empty one.
    """

    def __init__(self, model: Any, pieces: Pieces, **options: Any) -> None:
        labels = model.config.id2label
        answers = [str(labels[index]) for index in sorted(labels)]
        super().__init__(model, pieces, tower="vilt", answers=answers, **options)

    def scores(self, images: Tensor, question: Tensor) -> Tensor:
        """Scores of the answers `[N, A]`."""
        net: Any = self.net
        with plain_attention():
            pooled = _vilt(net.vilt, images, question).pooler_output
            return cast(Tensor, net.classifier(pooled))

    def _sight(self) -> Callable[[Any, Tensor], Tensor]:
        empty = self.question("")
        return lambda net, images: cast(Tensor, _vilt(net, images, empty.to(images.device)).last_hidden_state)


def _vilt(vilt: Any, images: Tensor, question: Tensor) -> Any:
    """ViLT on patches in their own order.

    Its own embedding of an image draws the order of the patches anew at each call, and with it that of the
    tokens, so no token has a place. It is the sum of the same patches and positions otherwise.
    """
    own = vilt.embeddings
    patches = own.patch_embeddings(images)  # [N, D, h, w]
    side = own.patch_embeddings.projection.weight.shape[2:]
    made_for = [length // patch for length, patch in zip(image_size(vilt), side, strict=True)]
    positions = own.position_embeddings[:, 1:].transpose(1, 2).unflatten(2, made_for)
    positions = nn.functional.interpolate(positions, patches.shape[2:], mode="bilinear", align_corners=True)
    tokens = (patches + positions).flatten(2).transpose(1, 2)
    first = (own.cls_token + own.position_embeddings[:, :1]).expand(len(images), -1, -1)
    tokens = own.dropout(torch.cat([first, tokens], dim=1))
    return vilt(
        input_ids=question.expand(len(images), -1),
        image_embeds=tokens,
        pixel_mask=torch.ones(tokens.shape[:2], dtype=torch.int64, device=tokens.device),
        return_dict=True,
    )
