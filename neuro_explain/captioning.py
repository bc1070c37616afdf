"""What does a captioner say of an image, and how sure is it of each word?

    class Mine(Captioner):
        def encode(self, images):
            return self.net.cnn(images)
        def logits(self, encoded, tokens):
            return self.net.decoder(encoded, tokens)

    captioner = Mine(net, preprocess=Preprocess(), tower="cnn", vocabulary=Vocabulary(words), start=0, end=1)
    captioner.caption(image)[0].text              # "a red lamp next to two chairs"

Those two methods are all that a captioner of one's own must offer: what it makes of the image, and the scores of what
follows each token. Decoding, the words' probabilities, and Grad-CAM's targets follow from them.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from dissection.recording import evaluating
from neuro_explain.adapter import Adapter, count_of, repeat
from neuro_explain.language.decoding import beam_search
from neuro_explain.language.outside_inference import outside_inference_mode
from neuro_explain.language.scores import check_scores, checked_token
from neuro_explain.language.vocabulary import Reader, Text, none_known
from neuro_explain.preprocess import Preprocess
from neuro_explain.targets import Target

BEAMS = 3
LONGEST = 20  # tokens of a caption


@dataclass(frozen=True)
class Caption:
    """A caption of an image.

    Attributes:
        text: its words and tokens.
        log_probability: natural logarithm, the end included.
        ended: False if it was cut off because it grew too long.
        silence: log-probability of saying nothing, where the network finds that likelier than this caption; else None.
    """

    text: Text
    log_probability: float
    ended: bool = True
    silence: float | None = None


class Captioner(Adapter):
    """A network that describes images. Subclass it with `encode` and `logits`.

    Args:
        net, preprocess, tower, layer, name, weights, origin, licence: see `adapter.Adapter`.
        vocabulary: its words.
        start: the token that is put before the first word; never spoken, unless it is the end too.
        end: the token that follows the last one.
        longest: tokens after which decoding stops.

    Raises:
        ValueError: as `Adapter`; a limit below 1; a start or end that cannot be a token of the vocabulary.
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        preprocess: Preprocess | str,
        vocabulary: Reader,
        start: int,
        end: int,
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
        if longest < 1:
            raise ValueError(f"longest: expected at least 1 token, got {longest}")
        self.vocabulary = vocabulary
        self.start = checked_token(start, "start", vocabulary)
        self.end = checked_token(end, "end", vocabulary)
        self.longest = longest

    @abstractmethod
    def encode(self, images: Tensor) -> Any:
        """What the network makes of images `[N, 3, h, w]`: a tensor, or several, each with N first."""

    @abstractmethod
    def logits(self, encoded: Any, tokens: Tensor) -> Tensor:
        """Scores of what follows each token.

        Args:
            encoded: of N images.
            tokens: `[N, T]`, the first of which is the start.

        Returns:
            `[N, T, V]`: at t the scores of the token after `tokens[:, t]`, given it and all before it.
        """

    def scored(self, encoded: Any, tokens: Tensor) -> Tensor:
        """What `logits` returns, `[N, T, V]`, once it fits the vocabulary.

        Raises:
            ValueError: it does not; or the network cannot take the tokens.
        """
        try:
            scores = self.logits(encoded, tokens)
        except IndexError as error:
            raise ValueError(
                f"logits() of {self.name} cannot take the tokens {tokens.min()} to {tokens.max()} (start is "
                f"{self.start}, end {self.end}): {error}; are start, end and the vocabulary those of its training?"
            ) from error
        check_scores(scores, tokens, self.vocabulary, start=self.start, end=self.end, owner=self.name)
        return scores

    def caption(self, image: Image.Image, *, beams: int = BEAMS) -> list[Caption]:
        """The best captions of an upright image, best first; `beams=1` is greedy decoding.

        Raises:
            ValueError: no beam; scores that are not finite; a network whose best captions have no words.
        """
        captions = self.captions_with_words(image, beams=beams)
        if not captions:
            raise ValueError(
                f"{self.name} has nothing to say of this image: its best caption has no words; let it follow more "
                "beams, or give a caption"
            )
        return captions

    def captions_with_words(self, image: Image.Image, *, beams: int = BEAMS) -> list[Caption]:
        """As `caption`, but none where the network has nothing to say."""
        with evaluating(self.net), torch.no_grad():
            prepared = self.prepare(image)
            encoded = self.encode(prepared)

            def following(tokens: Tensor) -> Tensor:
                here = tokens.to(prepared.device)
                return self.scored(repeat(encoded, len(here)), here)[:, -1]

            found = beam_search(following, start=self.start, end=self.end, beams=beams, longest=self.longest)
        nothing = max((one.log_probability for one in found if not one.tokens), default=-math.inf)
        return [
            Caption(
                self.vocabulary.write(one.tokens),
                one.log_probability,
                one.ended,
                nothing if nothing > one.log_probability else None,
            )
            for one in found
            if one.tokens
        ]

    def read(self, caption: str) -> Text:
        """A caption that is given, in the network's words.

        Raises:
            ValueError: no word of it is known, one stands for the start or the end, or it is too long.
        """
        text = self.vocabulary.read(caption)
        if not text.tokens:
            raise ValueError(none_known("caption", caption, text, reader=self.vocabulary, owner=self.name))
        for token, word in zip(text.tokens, text.word_of, strict=True):
            if token in (self.start, self.end):
                mark = "start" if token == self.start else "end"
                raise ValueError(
                    f"the caption's “{text.words[word]}” is no word to {self.name} but the mark of its {mark}, which "
                    "is put there anyway; leave it out"
                )
        if len(text.tokens) > self.longest:
            raise ValueError(
                f"the caption has {len(text.tokens)} tokens, {self.name} takes at most {self.longest}; shorten it"
            )
        return text

    def telling(self, text: Text, *, ended: bool = True) -> Telling:
        """The network as it tells this caption; see `Telling`."""
        return Telling(self, text, ended=ended)


class Telling(nn.Module):
    """A captioner that is made to tell one caption: from images alone to the logarithms of its words' probabilities.

    The whole network is its child `net`, so that layers keep their names behind that prefix (`layer`).

    Args:
        captioner: the captioner.
        text: the caption.
        ended: whether the end belongs to it.

    Attributes:
        layer: the captioner's layer, as this module names it.
        places: for each word the columns of the output that are its tokens.
    """

    def __init__(self, captioner: Captioner, text: Text, *, ended: bool = True) -> None:
        super().__init__()
        self.net = captioner.net
        self.layer = f"net.{captioner.layer}"
        self.places = [
            [at for at, owner in enumerate(text.word_of) if owner == word] for word in range(len(text.words))
        ]
        self._captioner = captioner
        with outside_inference_mode():
            self._tokens = captioner.tokens(
                [captioner.start, *text.tokens, *([captioner.end] if ended else [])]
            )

    def forward(self, images: Tensor) -> Tensor:
        """`[N, T]`: log p of each token given the image and those before it; the end is the last, where it belongs."""
        encoded = self._captioner.encode(images)
        tokens = self._tokens.expand(count_of(encoded), -1)
        logits = self._captioner.scored(encoded, tokens[:, :-1])
        return logits.log_softmax(dim=2).gather(2, tokens[:, 1:, None]).squeeze(2)

    def caption_target(self, label: str) -> Target:
        """log p of the caption: the sum over its tokens, the end included."""
        return Target(label, lambda output: output.sum(dim=1), "caption")

    def word_target(self, word: int, label: str) -> Target:
        """log p of a word at its time step: the sum over its tokens."""
        places = self.places[word]
        return Target(
            label,
            lambda output: output[:, places].sum(dim=1),
            "word",
            word,
            probability=lambda output: output[:, places].sum(dim=1).exp(),
        )

    def targets(self, labels: Sequence[str], caption: str) -> list[Target]:
        """The caption's target, then those of its words."""
        return [
            self.caption_target(caption),
            *(self.word_target(word, label) for word, label in enumerate(labels)),
        ]
