"""Does a map point at what the answer hangs on? On drawn scenes, where one kind of thing can be taken away at a time.

    measure = Absence(model, [METHODS["grad-cam"]])
    for index in range(40):
        measure.look_at(make_scene(9003, index), index)
    measure.report().lines()

The scene is drawn again without each kind of object that it shows, all else equal; the kind whose absence lowers the
score of the network's answer most is what the answer hangs on, exactly. A map is right if its maximum lies on a pixel
of that kind. Where no absence lowers the score, there is nothing to point at; such scenes are counted apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from dissection.recording import evaluating
from neuro_explain.diorama.scene import SIZE, Scene
from neuro_explain.evaluate.map_report import MapReport
from neuro_explain.evaluate.map_source import MapSource
from neuro_explain.evaluate.regions import on_picture
from neuro_explain.evaluate.tally import Tally
from neuro_explain.methods.saliency import Method
from neuro_explain.model import Model
from neuro_explain.targets import Target

ABSENCE = "maximum on the kind whose absence costs most"
_LEAST = 30  # pixels of the 128 × 128 that a kind covers, to be worth a look
_NOTHING = "no kind whose absence costs anything"


class Absence:
    """How often the maps of some methods point at what the answer hangs on.

    Args:
        model: a classifier of the diorama's scenes.
        methods: those whose maps are measured.

    Raises:
        ValueError: no methods, or one twice.
    """

    def __init__(self, model: Model, methods: Sequence[Method]) -> None:
        self.model = model
        self.source = MapSource(model.net, methods, layer=model.layer)
        self._tallies = {title: Tally() for title in self.source.titles}

    def look_at(self, scene: Scene, number: int) -> dict[str, float]:
        """Measures one scene; `number` tells it from the others.

        Returns:
            For each kind that the scene shows, how far the score of the network's answer falls without it.
        """
        kinds = sorted(
            (concept for concept in scene.concepts(_LEAST) if concept.category == "object"),
            key=lambda concept: concept.name,
        )
        image = scene.image()
        pictures = [image, *(scene.image(without={kind}) for kind in kinds)]
        inputs = torch.cat([self.model.prepare(picture) for picture in pictures])
        with evaluating(self.model.net) as plain, torch.no_grad():
            scores = plain(inputs).double().cpu().numpy()
        answer = int(scores[0].argmax())
        costs = {
            kind.name: float(scores[0, answer] - without[answer])
            for kind, without in zip(kinds, scores[1:], strict=True)
        }
        worst = max(costs, key=lambda kind: costs[kind], default=None)
        if worst is None or costs[worst] <= 0:
            for tally in self._tallies.values():
                tally.note(_NOTHING)
            return costs
        kind_of = np.array([*(thing.kind for thing in scene.things), ""])  # -1, nothing, is the last
        pixels = kind_of[scene.segments(SIZE)] == worst
        crop = self.model.preprocess.crop(image.size)
        for title, maps in self.source.maps(inputs[:1], [Target.of_class(answer)]).items():
            picture = on_picture(torch.from_numpy(maps[0]), crop, SIZE)
            self._tallies[title].add_hit(number, picture, pixels)
        return costs

    def report(self) -> MapReport:
        """What was found so far."""
        return MapReport(
            f"{ABSENCE}: {self.model.name}, {self.model.layer}, on drawn scenes",
            tuple(
                tally.figure(ABSENCE, self.model.name, title, median=False)
                for title, tally in self._tallies.items()
            ),
            (
                f"each kind of at least {_LEAST} pixels is taken away by itself, all else equal; chance: a point "
                "drawn at random",
                *self.source.notes,
            ),
        )
