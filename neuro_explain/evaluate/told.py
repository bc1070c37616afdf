"""Do the maps of a captioner's words and phrases lie where these are true? On scenes whose truth is known.

    told = Told(captioner, [METHODS["grad-cam"]])
    for index in range(100):
        told.look_at(make_scene(9002, index), index)
    told.figures()

Two measures (Selvaraju et al. 2019, Sec. 8.1), both with the captions that the scenes themselves know, which the
captioner is made to tell: so every network is asked for the same words, and the truth of each is known.

- Region captions: the map of log p(phrase), its mean inside the phrase's box over that outside. Five phrases of each
  scene, as in the paper. A box of more than half of the frame has too little outside to tell attention from none;
  such are counted apart.
- Words: the map of log p(word) for each word, at its time step, that names a kind of thing ("two lamps", "a traffic
  light": the sum over the words of a name). Does its maximum fall on a pixel of that kind? Words that speak of the
  place as a whole are none of these.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from neuro_explain.captioning import Captioner, Telling
from neuro_explain.diorama.captions import Caption, captions, region_captions
from neuro_explain.diorama.looks import look_at
from neuro_explain.diorama.scene import SIZE, Scene
from neuro_explain.diorama.words import KINDS, plural
from neuro_explain.evaluate.regions import area, framed_pixels, on_picture
from neuro_explain.evaluate.tally import LARGEST, TOO_LARGE, Figure, Tally
from neuro_explain.evaluate.word_table import WordTable
from neuro_explain.language.vocabulary import Text
from neuro_explain.methods.saliency import Method
from neuro_explain.targets import Target

REGIONS = "phrase: map inside its box / outside"
WORDS = "word: maximum on a thing of its kind"
PAPER = {
    (REGIONS, "Grad-CAM"): 3.27,
    (REGIONS, "guided backprop"): 2.32,
    (REGIONS, "Guided Grad-CAM"): 6.38,
    (WORDS, "Grad-CAM"): 0.300,
}
"""The paper's figures: neuraltalk2 on the boxes of DenseCap, Show and Tell on 830 words of COCO's captions."""

PHRASES = 5
UNKNOWN = "caption with words that it does not know"

TABLE = WordTable({**{kind: kind for kind in KINDS}, **{plural(kind): kind for kind in KINDS}})
"""Which words name which kind of thing."""


class Told:
    """The figures of one captioner, scene after scene.

    Args:
        captioner: the network.
        methods: the methods whose maps are measured.
    """

    def __init__(self, captioner: Captioner, methods: Sequence[Method]) -> None:
        self.captioner = captioner
        self.methods = {method.title: method for method in methods}
        self._tallies: dict[tuple[str, str], Tally] = defaultdict(Tally)

    def look_at(self, scene: Scene, number: int) -> None:
        """Measures one scene; `number` tells it from the others."""
        image = scene.image()
        self._phrases(scene, number, image)
        self._words(scene, number, image)

    def figures(self) -> list[Figure]:
        """A row for each measure and method; see `Figure`."""
        name = self.captioner.name
        return [
            self._tallies[measure, method].figure(
                measure,
                name,
                method,
                chance=1.0 if measure == REGIONS else None,
                median=measure == REGIONS,
                paper=PAPER.get((measure, method)),
            )
            for measure in (REGIONS, WORDS)
            for method in self.methods
        ]

    def _phrases(self, scene: Scene, number: int, image: Image.Image) -> None:
        fitting = []
        for phrase in region_captions(scene):
            if area(phrase.mentions[0].box) > LARGEST:
                self._note(REGIONS, TOO_LARGE)
            else:
                fitting.append(phrase)
        rng = random.Random(f"phrases {scene.seed} {scene.index}")
        for phrase in rng.sample(fitting, min(PHRASES, len(fitting))):
            text = self._read(phrase)
            if text is None:
                self._note(REGIONS, UNKNOWN)
                continue
            telling = self.captioner.telling(text)
            inside = framed_pixels(phrase.mentions[0].box, SIZE)
            for method in self.methods:
                picture = self._map(method, telling, telling.caption_target(phrase.text), image)
                self._tallies[REGIONS, method].add_ratio(number, picture, inside)

    def _words(self, scene: Scene, number: int, image: Image.Image) -> None:
        kinds = np.array([*(thing.kind for thing in scene.things), ""])
        at = kinds[scene.segments(SIZE)]  # -1, nothing, is the last
        for caption in captions(scene):
            text = self._read(caption)
            if text is None:
                self._note(WORDS, UNKNOWN)
                continue
            telling = self.captioner.telling(text)
            for naming in TABLE.find(caption.text.split()):
                if _of_the_place(caption, naming.start):
                    continue
                # "lamp" means a ceiling lamp too
                pixels = np.isin(at, sorted(look_at(scene).named(naming.category)))
                target = _name_target(telling, range(naming.start, naming.end), naming.category)
                for method in self.methods:
                    picture = self._map(method, telling, target, image)
                    self._tallies[WORDS, method].add_hit(number, picture, pixels)

    def _read(self, caption: Caption) -> Text | None:
        """The caption in the network's words; None if it does not know them all, one by one."""
        try:
            text = self.captioner.read(caption.text)
        except ValueError:  # no word of it, or too long
            return None
        return text if not text.unknown and text.words == tuple(caption.text.split()) else None

    def _map(self, method: str, telling: Telling, target: Target, image: Image.Image) -> NDArray[np.float64]:
        saliency = self.methods[method](telling, self.captioner.prepare(image), target, layer=telling.layer)
        return on_picture(saliency.map[0], self.captioner.tower.preprocess.crop(image.size), SIZE)

    def _note(self, measure: str, reason: str) -> None:
        for method in self.methods:
            self._tallies[measure, method].note(reason)


def _of_the_place(caption: Caption, word: int) -> bool:
    """Whether a word belongs to the name of the place as a whole: the path of "a forest path"."""
    at = len(" ".join(caption.text.split()[:word])) + (word > 0)
    return any(mention.start <= at < mention.end and not mention.things for mention in caption.mentions)


def _name_target(telling: Telling, words: range, kind: str) -> Target:
    """log p of a name: the sum over its words, each given those before it."""
    places = [place for word in words for place in telling.places[word]]
    return Target(kind, lambda output: output[:, places].sum(dim=1), "word", words.start)
