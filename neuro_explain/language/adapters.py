"""Our own networks that speak, made explainable: a dozen lines each, as for anybody's network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neuro_explain.adapter import count_of
from neuro_explain.captioning import Captioner
from neuro_explain.language.coattention import CoAttentionVqa
from neuro_explain.language.lstm_cnn import LstmCnnVqa
from neuro_explain.language.show_and_tell import ShowAndTell
from neuro_explain.vqa import QuestionAnswerer


class ShowAndTellCaptioner(Captioner):
    """Explains a `ShowAndTell`."""

    net: ShowAndTell

    def encode(self, images: Tensor) -> Tensor:
        """Encodings `[N, E]`."""
        encoding: Tensor = self.net.cnn(images)
        return encoding

    def logits(self, encoded: Any, tokens: Tensor) -> Tensor:
        """Scores `[N, T, V + 1]`."""
        scores: Tensor = self.net.lm(encoded, tokens)
        return scores


class LstmCnnAnswerer(QuestionAnswerer):
    """Explains an `LstmCnnVqa`."""

    net: LstmCnnVqa

    def scores(self, images: Tensor, question: Any) -> Tensor:
        """Scores of the answers `[N, A]`."""
        feature = self.net.cnn(images)
        return self.net.answer(self.net.encode_question(question).expand(count_of(feature), -1), feature)


class CoAttentionAnswerer(QuestionAnswerer):
    """Explains a `CoAttentionVqa`."""

    net: CoAttentionVqa

    def scores(self, images: Tensor, question: Any) -> Tensor:
        """Scores of the answers `[N, A]`."""
        maps = self.net.cnn(images)
        of = torch.arange(len(maps), device=maps.device)
        return self.net.answer(maps, question.expand(len(maps), -1), of)
