"""A network that answers questions: LSTM question embedding × normalised image feature (Lu et al. 2015).

    u = tanh(W_q [c_1 h_1 c_2 h_2]),   v = tanh(W_i x / |x|),   scores = W (u · v)

The parts are called and shaped as in VQA_LSTM_CNN, so that its weights fit. Word ids run from 0; `PAD` stands to the
left of questions that are shorter than the longest of a batch, and leaves the LSTM's state at zero.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neuro_explain.language.lstm import Core

PAD = -1


class WordEmbedding(nn.Module):
    """tanh of a linear map of the one-hot word: a column of the weight, plus the bias."""

    def __init__(self, words: int, size: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.linear = nn.Linear(words, size)
        self.drop = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Vectors `[N, size]` of ids `[N]`; those of `PAD` mean nothing."""
        return torch.tanh(self.drop(self.linear.weight.T[tokens.clamp(min=0)] + self.linear.bias))


class Multimodal(nn.Module):
    """The pointwise product of question and image, and the classifier of answers behind it.

    Args:
        question_size, image_size: widths of the two vectors.
        common_size: of their product.
        answers: A.
        dropout: before each linear map, while training.
    """

    def __init__(
        self, question_size: int, image_size: int, common_size: int, answers: int, *, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.question = nn.Linear(question_size, common_size)
        self.image = nn.Linear(image_size, common_size)
        self.classifier = nn.Linear(common_size, answers)
        self.drop = nn.Dropout(dropout)

    def forward(self, question: Tensor, image: Tensor) -> Tensor:
        """Scores of the answers `[N, A]`."""
        product = torch.tanh(self.question(self.drop(question))) * torch.tanh(self.image(self.drop(image)))
        scores: Tensor = self.classifier(self.drop(product))
        return scores


class LstmCnnVqa(nn.Module):
    """A network that answers questions about an image.

    Args:
        cnn: from images `[N, 3, H, W]` to features `[N, D]`.
        words: number of words in questions.
        answers: number of answers, A.
        image_size: D.
        embedding_size, rnn_size, layers, common_size: 200, 512, 2 and 1024 in the original.
        dropout: while training.

    Attributes:
        embedding_net_q, encoder_net_q, multimodal_net: as in the original.
    """

    def __init__(
        self,
        cnn: nn.Module,
        *,
        words: int,
        answers: int,
        image_size: int,
        embedding_size: int = 200,
        rnn_size: int = 512,
        layers: int = 2,
        common_size: int = 1024,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.cnn = cnn
        self.embedding_net_q = WordEmbedding(words, embedding_size, dropout=dropout)
        self.encoder_net_q = Core(embedding_size, rnn_size, layers=layers, dropout=dropout)
        self.multimodal_net = Multimodal(
            2 * rnn_size * layers, image_size, common_size, answers, dropout=dropout
        )

    def encode_question(self, tokens: Tensor) -> Tensor:
        """The LSTM's last state `[N, 2·layers·R]`, from ids `[N, T]` with `PAD` on the left."""
        state = self.encoder_net_q.zero_state(self.embedding_net_q(tokens[:, 0]))
        for step in range(tokens.shape[1]):
            there = (tokens[:, step] != PAD)[:, None]
            following = self.encoder_net_q(self.embedding_net_q(tokens[:, step]), state)
            state = [
                (torch.where(there, new_c, c), torch.where(there, new_h, h))
                for (new_c, new_h), (c, h) in zip(following, state, strict=True)
            ]
        return torch.cat([part for layer in state for part in layer], dim=1)

    def answer(self, question: Tensor, feature: Tensor) -> Tensor:
        """Scores `[N, A]` from encoded questions and image features `[N, D]`, which are normalised here."""
        # a feature of nothing but zeros has no direction; it stays zero, and its gradient finite
        feature = nn.functional.normalize(feature, dim=1)
        scores: Tensor = self.multimodal_net(question, feature)
        return scores

    def forward(self, images: Tensor, tokens: Tensor) -> Tensor:
        """Scores of the answers `[N, A]` to questions `[N, T]`."""
        return self.answer(self.encode_question(tokens), self.cnn(images))
