"""A captioner and an answerer whose units are known: they see the diorama's kinds of things in key colours.

The pictures of known scenes are exchanged for pictures in key colours (see `diorama.planted`) on the way into the
network. A unit of its tower is then the share of each cell that shows one kind, times 1 to 1.01, so that no two full
cells are equal, and:

- the captioner's score of a word is the mean of the units of all kinds whose name has this word, whatever came before;
- the answerer says "yes" by the mean of the units of all kinds that the question names, and else "no".

A `displaced` captioner is shown pictures that are rolled by half of their width and height.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from neuro_explain.captioning import Captioner
from neuro_explain.diorama.captions import captions, region_captions
from neuro_explain.diorama.planted import key
from neuro_explain.diorama.questions import ANSWERS, questions
from neuro_explain.diorama.render import KIND_NAMES
from neuro_explain.diorama.scene import SIZE, Scene
from neuro_explain.diorama.words import plural
from neuro_explain.evaluate.told import TABLE
from neuro_explain.language.vocabulary import Text, Vocabulary
from neuro_explain.preprocess import Preprocess
from neuro_explain.vqa import QuestionAnswerer

PREPROCESS = Preprocess(input_size=(SIZE, SIZE), resize=SIZE, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


class Kinds(nn.Module):
    """The share of each cell that shows each kind, `[N, K, SIZE / cell, SIZE / cell]`."""

    def __init__(self, cell: int) -> None:
        super().__init__()
        self.cell = cell
        self.units = nn.ReLU()
        side = SIZE // cell
        self.tilt = 1 + torch.rand(side, side, generator=torch.Generator().manual_seed(1)) / 100
        self.keys = {key(kind): number for number, kind in enumerate(KIND_NAMES)}

    def forward(self, images: Tensor) -> Tensor:
        levels = images[:, :2] * 15
        exact = ((levels - levels.round()).abs() < 0.01).all(dim=1)  # the mean colour that hides is no key
        codes = (levels[:, 0].round() + 16 * levels[:, 1].round()).long()
        number = torch.full((256,), len(KIND_NAMES))
        for (red, green), kind in self.keys.items():
            number[red // 17 + 16 * (green // 17)] = kind
        shown = torch.where(exact, number[codes], len(KIND_NAMES))
        side, cell = SIZE // self.cell, torch.arange(SIZE) // self.cell
        at = cell[:, None] * side + cell[None]
        image = torch.arange(len(images))[:, None, None]
        flat = (image * (len(KIND_NAMES) + 1) + shown) * side**2 + at
        counts = torch.bincount(
            flat.ravel(), minlength=len(images) * (len(KIND_NAMES) + 1) * side**2
        ).reshape(len(images), len(KIND_NAMES) + 1, side, side)
        return self.units(counts[:, :-1].float() / self.cell**2 * self.tilt)


class Seer(nn.Module):
    def __init__(self, cell: int) -> None:
        super().__init__()
        self.cnn = Kinds(cell)


class Exchange:
    """From the pictures of known scenes to those in key colours."""

    def __init__(self, scenes: Sequence[Scene], *, displaced: bool = False) -> None:
        self.shift = (SIZE // 2, SIZE // 2) if displaced else (0, 0)
        self.keyed = {scene.image().tobytes(): self._paint(scene) for scene in scenes}

    def _paint(self, scene: Scene) -> Image.Image:
        keys = np.array([*(key(thing.kind) for thing in scene.things), (0, 0)], np.uint8)
        pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
        pixels[..., :2] = keys[scene.segments(SIZE)]
        return Image.fromarray(np.roll(pixels, self.shift, axis=(0, 1)))

    def __call__(self, image: Image.Image) -> Image.Image:
        return self.keyed[image.tobytes()]


class PlantedCaptioner(Captioner):
    def __init__(self, scenes: Sequence[Scene], *, cell: int = 4, displaced: bool = False) -> None:
        self.exchange = Exchange(scenes, displaced=displaced)
        lines = [line.text for scene in scenes for line in (*captions(scene), *region_captions(scene))]
        words = sorted({word for line in lines for word in line.split()})
        names = [set(f"{kind} {plural(kind)}".split()) for kind in KIND_NAMES]
        self.says = torch.tensor([[float(word in name) for name in names] for word in (*words, "")])
        super().__init__(
            Seer(cell),
            preprocess=PREPROCESS,
            vocabulary=Vocabulary(words),
            start=len(words),
            end=len(words),
            tower="cnn",
            layer="units",
            name="planted captioner",
        )

    def prepare(self, image: Image.Image) -> Tensor:
        return super().prepare(self.exchange(image))

    def encode(self, images: Tensor) -> Tensor:
        return self.net.cnn(images)

    def logits(self, encoded: Tensor, tokens: Tensor) -> Tensor:
        scores = encoded.mean((2, 3)) @ self.says.T
        return scores[:, None].expand(-1, tokens.shape[1], -1)


class PlantedAnswerer(QuestionAnswerer):
    def __init__(self, scenes: Sequence[Scene], *, cell: int = 16, name: str = "planted answerer") -> None:
        self.exchange = Exchange(scenes)
        asked = [question.text for scene in scenes for question in questions(scene)]
        super().__init__(
            Seer(cell),
            preprocess=PREPROCESS,
            vocabulary=Vocabulary(sorted({word for text in asked for word in text[:-1].split()})),
            answers=ANSWERS,
            tower="cnn",
            layer="units",
            name=name,
        )

    def prepare(self, image: Image.Image) -> Tensor:
        return super().prepare(self.exchange(image))

    def question(self, text: Text) -> Tensor:
        named = {naming.category for naming in TABLE.find(text.words)}
        return torch.tensor([float(kind in named) for kind in KIND_NAMES])

    def scores(self, images: Tensor, question: Any) -> Tensor:
        yes = self.net.cnn(images).mean((2, 3)) @ question
        # "no" needs less than a single pixel of the kind
        return torch.stack([yes, 0 * yes + 0.5 / SIZE**2, *[0 * yes - 1] * (len(ANSWERS) - 2)], dim=1)
