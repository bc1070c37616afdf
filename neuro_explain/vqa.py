"""What does a network answer to a question about an image?

    class Mine(QuestionAnswerer):
        def scores(self, images, question):
            return self.net(images, question.expand(len(images), -1))

    answerer = Mine(net, preprocess=Preprocess(), tower="cnn", vocabulary=Vocabulary(words), answers=["yes", "no"])
    answerer.answer(image, "is there a lamp?")[0]          # ("yes", 0.93)

That one method is all that a network of one's own must offer: the scores of its answers. With the question fixed it is
a classifier of images whose classes are the answers, and is explained as one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from dissection.recording import evaluating
from neuro_explain.adapter import Adapter
from neuro_explain.classes import find_class
from neuro_explain.language.outside_inference import outside_inference_mode
from neuro_explain.language.vocabulary import Reader, Text, none_known, shortened
from neuro_explain.preprocess import Preprocess
from neuro_explain.targets import class_probabilities

LONGEST = 26  # tokens of a question, as in VQA_LSTM_CNN
_LISTED = 100  # answers that a message lists


class QuestionAnswerer(Adapter):
    """A network that answers questions about images. Subclass it with `scores`.

    Args:
        net, preprocess, tower, layer, name, weights, origin, licence: see `adapter.Adapter`.
        vocabulary: the words of its questions.
        answers: its answers, in the order of the scores.
        longest: tokens that a question may have.

    Raises:
        ValueError: as `Adapter`; no answers, or one of them twice.
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        preprocess: Preprocess | str,
        vocabulary: Reader,
        answers: Sequence[str],
        tower: str = "",
        layer: str | None = None,
        longest: int = LONGEST,
        name: str | None = None,
        weights: str = "as given",
        origin: str = "the caller's network",
        licence: str = "not stated",
    ) -> None:
        super().__init__(
            net,
            preprocess=preprocess,
            tower=tower,
            layer=layer,
            name=name,
            weights=weights,
            origin=origin,
            licence=licence,
        )
        if isinstance(answers, str) or not answers:
            got = repr(shortened(str(answers))) if answers else "none"
            raise ValueError(f"answers: expected the network's answers in the order of its scores, got {got}")
        twice = [answer for answer, count in Counter(answers).items() if count > 1]
        if twice:
            raise ValueError(
                f"answers: expected each once, got {len(answers)} of which {len(set(answers))} differ; "
                f"{twice[0]!r} stands there more than once"
            )
        self.vocabulary = vocabulary
        self.answers = tuple(answers)
        self.longest = longest

    @abstractmethod
    def scores(self, images: Tensor, question: Any) -> Tensor:
        """Scores of the answers, before softmax.

        Args:
            images: `[N, 3, h, w]`.
            question: what `question` made of the question's text; by default tokens `[1, T]`.

        Returns:
            `[N, A]`.
        """

    def question(self, text: Text) -> Any:
        """What `scores` is given for a question; by default its tokens `[1, T]`."""
        return self.tokens(text.tokens)

    def read(self, question: str) -> Text:
        """A question in the network's words.

        Raises:
            ValueError: it has no word that is known, or is too long.
        """
        text = self.vocabulary.read(question)
        if not text.tokens:
            raise ValueError(none_known("question", question, text, reader=self.vocabulary, owner=self.name))
        if len(text.tokens) > self.longest:
            raise ValueError(
                f"the question has {len(text.tokens)} tokens, {self.name} takes at most {self.longest}; shorten it"
            )
        return text

    def answer_index(self, wanted: str | int) -> int:
        """The number of an answer.

        Raises:
            ValueError: none of the network's answers; near ones are offered, and all where they are few.
        """
        try:
            return find_class(self.answers, wanted, what="answer", owner=self.name, digits=False)
        except ValueError as error:
            few = len(self.answers) <= _LISTED
            all_of_them = (
                f"All of them: {', '.join(self.answers)}" if few else "Its attribute `answers` lists them"
            )
            stop = "" if str(error).endswith("?") else "."
            raise ValueError(f"{error}{stop} {all_of_them}") from error

    def answering(self, text: Text) -> Answering:
        """The network as it answers this question; see `Answering`."""
        return Answering(self, text)

    def answer(self, image: Image.Image, question: str, *, best: int = 5) -> list[tuple[str, float]]:
        """The best answers to a question about an upright image, with their probabilities.

        Raises:
            ValueError: as `read`.
        """
        net = self.answering(self.read(question))
        with evaluating(net), torch.no_grad():
            probabilities = class_probabilities(net(self.prepare(image)))[0]
        top = probabilities.topk(min(best, len(self.answers)))
        return [
            (self.answers[index], share)
            for index, share in zip(top.indices.tolist(), top.values.tolist(), strict=True)
        ]


class Answering(nn.Module):
    """A network that is asked one question: from images alone to the scores of its answers.

    The whole network is its child `net`, so that layers keep their names behind that prefix (`layer`).

    Attributes:
        layer: the answerer's layer, as this module names it.
    """

    def __init__(self, answerer: QuestionAnswerer, text: Text) -> None:
        super().__init__()
        self.net = answerer.net
        self.layer = f"net.{answerer.layer}"
        self._answerer = answerer
        with outside_inference_mode():
            self._question = answerer.question(text)

    def forward(self, images: Tensor) -> Tensor:
        """Scores of the answers `[N, A]`."""
        scores = self._answerer.scores(images, self._question)
        if scores.dim() != 2 or scores.shape[1] != len(self._answerer.answers):
            raise ValueError(
                f"scores() of {self._answerer.name} returned {list(scores.shape)}, expected "
                f"[N, {len(self._answerer.answers)}], one for each answer"
            )
        return scores
