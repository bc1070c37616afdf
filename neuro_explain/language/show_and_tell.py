"""A captioner without attention: the image goes in once, at the first step (Show and Tell, Vinyals et al. 2015).

The parts are called and shaped as in NeuralTalk2, so that its checkpoints fit: `cnn` ends in a linear layer and a
ReLU that make the image's encoding; `lm` is the language model. Word ids run from 0 to V − 1; id V means START as an
input and END as an output.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neuro_explain.language.lstm import Core


class LanguageModel(nn.Module):
    """What word follows?

    Args:
        words: V, without START and END.
        encoding_size: width of the image's encoding and of the words' vectors.
        rnn_size: width of the LSTM.
        layers: of the LSTM.
        dropout: before the decoder and between layers, while training.

    Attributes:
        lookup_table: a vector for each word, and for START.
        core: the LSTM.
        decoder: from its top to scores of the V words and END.
    """

    def __init__(
        self, words: int, encoding_size: int, rnn_size: int, *, layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.lookup_table = nn.Embedding(words + 1, encoding_size)
        self.core = Core(encoding_size, rnn_size, layers=layers, dropout=dropout)
        self.drop_final = nn.Dropout(dropout)
        self.decoder = nn.Linear(rnn_size, words + 1)

    def forward(self, encoding: Tensor, tokens: Tensor) -> Tensor:
        """Scores of what follows each token, `[N, T, V + 1]`.

        Args:
            encoding: of the images `[N, E]`, the input of the first step.
            tokens: ids `[N, T]`, the first of which is START.
        """
        state = self.core(encoding, self.core.zero_state(encoding))
        tops = []
        for step in range(tokens.shape[1]):
            state = self.core(self.lookup_table(tokens[:, step]), state)
            tops.append(state[-1][1])
        scores: Tensor = self.decoder(self.drop_final(torch.stack(tops, dim=1)))
        return scores


class ShowAndTell(nn.Module):
    """A network that describes an image.

    Args:
        cnn: from images `[N, 3, H, W]` to encodings `[N, E]`.
        lm: the language model.
    """

    def __init__(self, cnn: nn.Module, lm: LanguageModel) -> None:
        super().__init__()
        self.cnn = cnn
        self.lm = lm

    def forward(self, images: Tensor, tokens: Tensor) -> Tensor:
        """Scores of what follows each token, `[N, T, V + 1]`."""
        scores: Tensor = self.lm(self.cnn(images), tokens)
        return scores
