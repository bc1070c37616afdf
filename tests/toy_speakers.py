"""A small captioner and a small network that answers questions, random and untrained, on the toy classifier's eye."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from toy import ColourNet

from dissection.names import Names
from neuro_explain.captioning import Captioner
from neuro_explain.language.adapters import LstmCnnAnswerer, ShowAndTellCaptioner
from neuro_explain.language.lstm_cnn import LstmCnnVqa
from neuro_explain.language.show_and_tell import LanguageModel, ShowAndTell
from neuro_explain.language.vocabulary import Vocabulary
from neuro_explain.preprocess import Preprocess
from neuro_explain.vqa import QuestionAnswerer

PREPROCESS = Preprocess(input_size=(32, 32), resize=32, mean=(0, 0, 0), std=(1, 1, 1))
WORDS = ("a", "lamp", "red", "blue", "next", "to", "two", "chairs")
ASKING = ("is", "there", "a", "lamp", "what", "colour", "the", "sea")
ANSWERS = ("yes", "no", "red", "blue", "2")


class Eye(nn.Module):
    """The toy classifier's convolutions: 8 units of 8 × 8, the last part of which is `fire`."""

    def __init__(self) -> None:
        super().__init__()
        for name, part in list(ColourNet().named_children())[:-1]:
            self.add_module(name, part)

    def forward(self, images: Tensor) -> Tensor:
        x = images
        for part in self.children():
            x = part(x)
        return x


def _cnn(width: int) -> nn.Sequential:
    eye = Eye()
    return nn.Sequential(eye, nn.Flatten(), nn.Linear(8 * 64, width), nn.Tanh())


def toy_captioner(**options: Any) -> Captioner:
    torch.manual_seed(1)
    net = ShowAndTell(_cnn(6), LanguageModel(len(WORDS), 6, 7, layers=2)).eval()
    with torch.no_grad():
        for weight in net.lm.parameters():
            weight.mul_(3)  # so that the words differ from image to image
    return ShowAndTellCaptioner(
        net,
        **{
            "preprocess": PREPROCESS,
            "vocabulary": Vocabulary(WORDS),
            "start": len(WORDS),
            "end": len(WORDS),
            "tower": "cnn.0",
            "longest": 6,
            "name": "toy-captioner",
            **options,
        },
    )


def toy_answerer(**options: Any) -> QuestionAnswerer:
    torch.manual_seed(2)
    net = LstmCnnVqa(
        _cnn(6),
        words=len(ASKING),
        answers=len(ANSWERS),
        image_size=6,
        embedding_size=5,
        rnn_size=4,
        common_size=9,
    ).eval()
    with torch.no_grad():
        net.multimodal_net.image.weight.mul_(4)
    return LstmCnnAnswerer(
        net,
        **{
            "preprocess": PREPROCESS,
            "vocabulary": Vocabulary(ASKING),
            "answers": ANSWERS,
            "tower": "cnn.0",
            "longest": 8,
            "name": "toy-answerer",
            **options,
        },
    )


def names_for(speaker: Captioner | QuestionAnswerer) -> Names:
    """Names of the eye's units, with the fingerprint of its weights."""
    from toy import toy_names

    return toy_names(speaker.tower)  # type: ignore[arg-type]  # a tower has all that they need
