"""What an answer hangs on, by taking one kind of thing away: restated by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import neuro_explain as nx
from dissection.concepts import Concept
from neuro_explain.diorama.scene import make_scene
from neuro_explain.evaluate.absence import ABSENCE, Absence
from neuro_explain.methods import METHODS, Method, Saliency
from neuro_explain.targets import Targets

SCENES = 3


def pointing_at(title: str, row: int, column: int) -> Method:
    """A method whose map has its maximum at one pixel of 128 × 128."""

    def run(net: nn.Module, images: Tensor, targets: Targets, *, layer: str) -> Saliency:
        signed = torch.zeros(len(images), 128, 128)
        signed[:, row, column] = 1
        return Saliency(signed, torch.zeros(len(images)))

    return Method(title, title, run, False, "this test")


def test_the_kind_that_costs_most_is_what_is_pointed_at() -> None:
    model = nx.load_model("diorama-scenes")
    for index in range(SCENES):
        scene = make_scene(77, index)
        whole = model.net(model.prepare(scene.image())).detach()[0]
        answer = int(whole.argmax())
        costs = {}
        for kind in {thing.kind for thing in scene.things}:
            if Concept(kind, "object") in scene.concepts(30):
                without = model.net(model.prepare(scene.image(without={Concept(kind, "object")}))).detach()[0]
                costs[kind] = float(whole[answer] - without[answer])
        worst = max(costs, key=lambda kind: costs[kind])
        numbers = [number for number, thing in enumerate(scene.things) if thing.kind == worst]
        pixels = np.isin(scene.segments(128), numbers)
        inside, outside = np.argwhere(pixels)[0], np.argwhere(~pixels)[0]
        measure = Absence(model, [pointing_at("in", *inside), pointing_at("out", *outside)])
        found = measure.look_at(scene, index)
        assert set(found) == set(costs)
        # batches differ from single pictures in their last digits
        assert all(found[kind] == pytest.approx(costs[kind], abs=1e-3) for kind in costs)
        hit, miss = measure.report().figures
        assert (hit.measure, hit.mean) == (ABSENCE, 1.0)
        assert hit.chance == pytest.approx(pixels.mean())
        assert miss.mean == 0.0


def test_an_answer_that_hangs_on_nothing_is_counted_apart() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.maps = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())

        def forward(self, images: Tensor) -> Tensor:
            pooled: Tensor = self.maps(images).mean((2, 3))
            return 0 * pooled[:, :2] + torch.tensor([1.0, 2.0])

    plain = nx.load_model("diorama-scenes")
    model = nx.Model(Constant(), preprocess=plain.preprocess, classes=["a", "b"], layer="maps.1")
    measure = Absence(model, [METHODS["grad-cam"]])
    measure.look_at(make_scene(77, 0), 0)
    (row,) = measure.report().figures
    assert (row.mean, row.count, row.apart) == (None, 0, {"no kind whose absence costs anything": 1})
