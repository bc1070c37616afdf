"""Are the maps of a network's answers faithful, and do they lie where the answer is to be seen? On known scenes.

    answered = Answered(answerer, [METHODS["grad-cam"]])
    for index in range(100):
        answered.look_at(make_scene(9002, index), index)
    answered.figures()

- Answers that are right: the share of all questions, so that the rest can be judged.
- Faithfulness (Selvaraju et al. 2019, Sec. 8.2): the rank correlation of the map of the network's own answer, right
  or wrong, with the occlusion map of that answer's score, on the cells of the network's layer, at most 8 × 8 of them:
  a square of 8 × 8 pixels hides next to nothing. Two questions of each scene, since occlusion is slow.
- Place: of the answers that are right and follow from certain things ("what colour is the lamp?"), not from the whole
  picture, the map's mean inside the box of these things over that outside, and whether its maximum falls on one of
  them. A wrong answer's map should lie elsewhere, if anywhere; boxes of more than half of the frame have too little
  outside. Both are counted apart.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from dissection.recording import evaluating
from neuro_explain.diorama.questions import Question, questions
from neuro_explain.diorama.scene import SIZE, Scene
from neuro_explain.evaluate.attention_maps import to_cells
from neuro_explain.evaluate.ranks import rank_correlation
from neuro_explain.evaluate.regions import area, framed_pixels, on_picture
from neuro_explain.evaluate.tally import LARGEST, TOO_LARGE, Figure, Tally
from neuro_explain.methods.occlusion import occlusion_map
from neuro_explain.methods.saliency import Method
from neuro_explain.targets import Target
from neuro_explain.vqa import Answering, QuestionAnswerer

RIGHT = "answers that are right"
OCCLUSION = "answer: rank correlation with occlusion"
BOXES = "answer: map inside its box / outside"
THINGS = "answer: maximum on its things"
PAPER = {(OCCLUSION, "Grad-CAM"): 0.60, (OCCLUSION, "guided backprop"): 0.42}
"""The paper's figures: the network of Lu et al. 2015 on VQA."""

OCCLUDED = 2  # questions of a scene
SQUARES = 8  # hidden in each direction, at most
CONSTANT = "constant map, without order"
WRONG, WHOLE = "wrong answer", "answer from the whole picture"
UNKNOWN = "question with words that it does not know"


class Answered:
    """The figures of one network that answers questions, scene after scene.

    Args:
        answerer: the network.
        methods: the methods whose maps are measured.
    """

    def __init__(self, answerer: QuestionAnswerer, methods: Sequence[Method]) -> None:
        self.answerer = answerer
        self.methods = {method.title: method for method in methods}
        self._right = Tally()
        self._tallies: dict[tuple[str, str], Tally] = defaultdict(Tally)

    def look_at(self, scene: Scene, number: int) -> None:
        """Measures one scene; `number` tells it from the others."""
        image = scene.image()
        prepared = self.answerer.prepare(image)
        asked = questions(scene)
        rng = random.Random(f"occluded {scene.seed} {scene.index}")
        occluded = set(rng.sample(range(len(asked)), min(OCCLUDED, len(asked))))
        for place, question in enumerate(asked):
            net = self._asked(question)
            if net is None:
                self._right.note(UNKNOWN)
                continue
            with evaluating(net), torch.no_grad():
                index = int(net(prepared)[0].argmax())
            answer = self.answerer.answers[index]
            right = answer == question.answer
            self._right.add(number, float(right))
            reason = WHOLE if not question.things else None if right else WRONG
            if reason is not None:
                for measure in (BOXES, THINGS):
                    self._note(measure, reason)
            if reason is not None and place not in occluded:
                continue
            target = Target.of_class(index, answer)
            saliency = {
                title: method(net, prepared, target, layer=net.layer).map[0]
                for title, method in self.methods.items()
            }
            if reason is None:
                self._place(scene, number, question, image, saliency)
            if place in occluded:
                self._occlude(number, net, prepared, target, saliency)

    def figures(self) -> list[Figure]:
        """A row for each measure and method; see `Figure`."""
        name = self.answerer.name
        rows = [self._right.figure(RIGHT, name, "", median=False)]
        for measure, chance in ((OCCLUSION, 0.0), (BOXES, 1.0), (THINGS, None)):
            rows += [
                self._tallies[measure, method].figure(
                    measure,
                    name,
                    method,
                    chance=chance,
                    median=measure != THINGS,
                    paper=PAPER.get((measure, method)),
                )
                for method in self.methods
            ]
        return rows

    def _asked(self, question: Question) -> Answering | None:
        """The network with its question; None if it does not know all its words."""
        try:
            text = self.answerer.read(question.text)
        except ValueError:  # no word of it, or too long
            return None
        return None if text.unknown else self.answerer.answering(text)

    def _place(
        self,
        scene: Scene,
        number: int,
        question: Question,
        image: Image.Image,
        saliency: Mapping[str, Tensor],
    ) -> None:
        crop = self.answerer.tower.preprocess.crop(image.size)
        things = np.isin(scene.segments(SIZE), question.things)
        for method, map in saliency.items():
            picture = on_picture(map, crop, SIZE)
            self._tallies[THINGS, method].add_hit(number, picture, things)
            if area(question.box) > LARGEST:
                self._tallies[BOXES, method].note(TOO_LARGE)
            else:
                self._tallies[BOXES, method].add_ratio(number, picture, framed_pixels(question.box, SIZE))

    def _occlude(
        self, number: int, net: Answering, prepared: Tensor, target: Target, saliency: Mapping[str, Tensor]
    ) -> None:
        h, w = self.answerer.tower.map_size
        drops = occlusion_map(net, prepared, target, (min(h, SQUARES), min(w, SQUARES)))
        for method, map in saliency.items():
            correlation = rank_correlation(_on_cells(map, drops.shape), drops)
            if correlation is None:
                self._tallies[OCCLUSION, method].note(CONSTANT)
            else:
                self._tallies[OCCLUSION, method].add(number, correlation)

    def _note(self, measure: str, reason: str) -> None:
        for method in self.methods:
            self._tallies[measure, method].note(reason)


def _on_cells(map: Tensor, cells: tuple[int, ...]) -> NDArray[np.float64]:
    """A map on the cells of the occlusion map: as it is if it has them already."""
    values: NDArray[np.float64] = map.detach().cpu().double().numpy()
    return values if values.shape == cells else to_cells(values, (cells[0], cells[1]))
