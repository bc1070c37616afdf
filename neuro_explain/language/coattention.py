"""Hierarchical question–image co-attention (Lu et al. 2016), the parallel form, on a map of image features.

At each of three levels (words, phrases, the question) question and image attend to each other:

    C = tanh(Q W_c Vᵀ)
    a_v = softmax(w_v tanh(V W_v + Cᵀ (Q W_q))),   a_q = softmax(w_q tanh(Q W_q + C (V W_v)))
    v̂ = a_v V,   q̂ = a_q Q

and the attended vectors are added up from the words to the question. The parts are called as in HieCoAttenVQA.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neuro_explain.language.lstm import Core
from neuro_explain.language.lstm_cnn import PAD


class ParallelAttention(nn.Module):
    """Question and image attend to each other.

    Args:
        size: d, width of both.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.correlate = nn.Linear(size, size)
        self.question = nn.Linear(size, size)
        self.image = nn.Linear(size, size)
        self.question_weight = nn.Linear(size, 1)
        self.image_weight = nn.Linear(size, 1)

    def forward(self, question: Tensor, image: Tensor, there: Tensor, of: Tensor) -> tuple[Tensor, Tensor]:
        """The attended question and image, each `[N, d]`.

        Args:
            question: `[N, T, d]`.
            image: `[M, Z, d]`, the cells of M images.
            there: `[N, T]`, False where the question has no word.
            of: `[N]`, which image each question is about.
        """
        affinity = torch.tanh(question @ self.correlate(image)[of].transpose(1, 2))
        q, v, image = self.question(question), self.image(image)[of], image[of]
        of_words = self.question_weight(torch.tanh(q + affinity @ v)).squeeze(2)
        of_cells = self.image_weight(torch.tanh(v + affinity.transpose(1, 2) @ q)).squeeze(2)
        words = of_words.masked_fill(~there, -torch.inf).softmax(dim=1)
        cells = of_cells.softmax(dim=1)
        return (words[:, None] @ question).squeeze(1), (cells[:, None] @ image).squeeze(1)


class WordLevel(nn.Module):
    """Vectors of the words and of the image's cells, and their attention.

    Attributes:
        lookup_table, cnn: the two embeddings, each followed by tanh.
        atten: the attention.
    """

    def __init__(self, words: int, channels: int, size: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.lookup_table = nn.Embedding(words, size)
        self.cnn = nn.Linear(channels, size)
        self.atten = ParallelAttention(size)
        self.drop = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, maps: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """The words' vectors `[N, T, d]`, zero where there is none, and the cells' `[M, Z, d]`."""
        question = torch.tanh(self.lookup_table(tokens.clamp(min=0))) * there[:, :, None]
        image = torch.tanh(self.cnn(maps.flatten(2).transpose(1, 2)))
        return self.drop(question), self.drop(image)


class PhraseLevel(nn.Module):
    """Windows of one, two and three words; at each place and in each direction the strongest counts.

    Attributes:
        unigram, bigram, trigram: the convolutions over time.
        atten: the attention.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.unigram = nn.Conv1d(size, size, 1)
        self.bigram = nn.Conv1d(size, size, 2, padding=1)
        self.trigram = nn.Conv1d(size, size, 3, padding=1)
        self.atten = ParallelAttention(size)

    def forward(self, question: Tensor, there: Tensor) -> Tensor:
        """The phrases' vectors `[N, T, d]`."""
        x = question.transpose(1, 2)
        length = x.shape[2]
        windows = torch.stack([self.unigram(x), self.bigram(x)[:, :, :length], self.trigram(x)])
        return torch.tanh(windows.amax(0)).transpose(1, 2) * there[:, :, None]


class QuestionLevel(nn.Module):
    """The phrases read one after the other.

    Attributes:
        core: the LSTM.
        atten: the attention.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.core = Core(size, size)
        self.atten = ParallelAttention(size)

    def forward(self, phrases: Tensor, there: Tensor) -> Tensor:
        """The LSTM's tops `[N, T, d]`, zero before the question begins."""
        state = self.core.zero_state(phrases[:, 0])
        tops = []
        for step in range(phrases.shape[1]):
            reading = there[:, step, None]
            ((new_c, new_h),) = self.core(phrases[:, step], state)
            ((c, h),) = state
            state = [(torch.where(reading, new_c, c), torch.where(reading, new_h, h))]
            tops.append(state[0][1])
        return torch.stack(tops, dim=1)


class AttenEncode(nn.Module):
    """From the attended vectors of the three levels to the answers' scores.

    Args:
        size: d of the levels.
        last: width of the last hidden vector.
        answers: A.
    """

    def __init__(self, size: int, last: int, answers: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.word = nn.Linear(size, size)
        self.phrase = nn.Linear(2 * size, size)
        self.question = nn.Linear(2 * size, last)
        self.classifier = nn.Linear(last, answers)
        self.drop = nn.Dropout(dropout)

    def forward(self, word: Tensor, phrase: Tensor, question: Tensor) -> Tensor:
        """Scores `[N, A]` from q̂ + v̂ of each level, `[N, d]`."""
        hidden = torch.tanh(self.word(self.drop(word)))
        hidden = torch.tanh(self.phrase(self.drop(torch.cat([phrase, hidden], dim=1))))
        hidden = torch.tanh(self.question(self.drop(torch.cat([question, hidden], dim=1))))
        scores: Tensor = self.classifier(self.drop(hidden))
        return scores


class CoAttentionVqa(nn.Module):
    """A network that answers questions about an image by attending to both.

    Args:
        cnn: from images `[N, 3, H, W]` to maps `[N, channels, h, w]`.
        words: number of words in questions.
        answers: number of answers.
        channels: of the maps; 512 or 2048 in the original.
        size: d; 512 in the original.
        last: width of the last hidden vector; 1024 in the original.
        dropout: while training.
    """

    def __init__(
        self,
        cnn: nn.Module,
        *,
        words: int,
        answers: int,
        channels: int,
        size: int = 512,
        last: int = 1024,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.cnn = cnn
        self.word_level = WordLevel(words, channels, size, dropout=dropout)
        self.phrase_level = PhraseLevel(size)
        self.ques_level = QuestionLevel(size)
        self.atten_encode = AttenEncode(size, last, answers, dropout=dropout)

    def answer(self, maps: Tensor, tokens: Tensor, of: Tensor) -> Tensor:
        """Scores `[N, A]` of the answers to N questions about M images.

        Args:
            maps: of the images `[M, channels, h, w]`.
            tokens: of the questions `[N, T]`, with `PAD` on the left.
            of: `[N]`, which image each question is about.
        """
        there = tokens != PAD
        words, image = self.word_level(tokens, maps, there)
        phrases = self.phrase_level(words, there)
        question = self.ques_level(phrases, there)
        levels = (
            (self.word_level.atten, words),
            (self.phrase_level.atten, phrases),
            (self.ques_level.atten, question),
        )
        attended = [sum(atten(read, image, there, of)) for atten, read in levels]
        scores: Tensor = self.atten_encode(*attended)
        return scores

    def forward(self, images: Tensor, tokens: Tensor) -> Tensor:
        """Scores of the answers `[N, A]` to questions `[N, T]`, one about each image."""
        return self.answer(self.cnn(images), tokens, torch.arange(len(images), device=images.device))
