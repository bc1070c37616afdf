"""A network whose units are known: dissection must find every planted detector and name no noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import neuro_explain as nx
from dissection.result import Dissection
from neuro_explain.diorama.planted import KeyedDiorama, key, planted_network
from neuro_explain.diorama.words import KINDS
from neuro_explain.preprocess import Preprocess

# one worker, so that what the tests share is made once
pytestmark = pytest.mark.xdist_group("diorama planted")

NOISE = 24
CLASSES = 5
SCENES = 480
PREPROCESS = Preprocess(input_size=(128, 128), resize=128, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


@pytest.fixture(scope="module")
def kinds() -> tuple[str, ...]:
    """The kinds that cover 0.1 % to 2 % of all pixels.

    Of larger ones more cells are full than may be active at q = 0.005: the mask is then a few single cells, which the
    upsampling shrinks, and the IoU falls under 0.05. Smaller ones fill no cell.
    """
    world = KeyedDiorama(3, SCENES)
    counts = np.zeros(len(world.concepts), np.int64)
    for index in range(0, SCENES, 2):
        layer = world.labels(index, 128).layers[0]
        counts += np.bincount(layer[layer >= 0], minlength=len(counts))
    share = counts / counts.sum()
    found = [c.name for c, s in zip(world.concepts, share, strict=True) if 0.001 <= s <= 0.02]
    assert len(found) >= 30
    return tuple(found)


def planted_model(kinds: tuple[str, ...]) -> nx.Model:
    weights = np.random.RandomState(5).standard_normal((CLASSES, len(kinds) + NOISE)).astype(np.float32)
    net = planted_network(kinds, NOISE, weights)
    return nx.Model(
        net, preprocess=PREPROCESS, classes=[f"class {c}" for c in range(CLASSES)], name="planted"
    )


@pytest.fixture(scope="module")
def named(kinds: tuple[str, ...]) -> tuple[nx.Model, Dissection]:
    model = planted_model(kinds)
    return model, nx.dissect(model, KeyedDiorama(3, SCENES), exemplars=0, progress=False)


def test_every_kind_has_a_key_of_its_own() -> None:
    keys = [key(kind) for kind in KINDS]
    assert len(set(keys)) == len(KINDS)
    assert (0, 0) not in keys
    with pytest.raises(KeyError):
        key("unicorn")


def test_the_layer_of_units_is_found(kinds: tuple[str, ...]) -> None:
    model = planted_model(kinds)
    assert (model.layer, model.map_size, model.units) == ("units", (8, 8), len(kinds) + NOISE)
    assert model.layer_rectified


def test_a_detector_is_the_share_of_a_cell(kinds: tuple[str, ...]) -> None:
    world = KeyedDiorama(3, 4)
    model = planted_model(kinds)
    image = PREPROCESS(world.image(1))[None]
    cam = nx.grad_cam(model.net, image, [0], layer=model.layer)
    layer = world.labels(1, 128).layers[0]
    blue = np.asarray(world.image(1))[..., 2].reshape(8, 16, 8, 16).mean((1, 3)) / 255
    for unit, kind in enumerate(kinds):
        shown = layer == world.concepts.index(nx.Concept(kind, "object"))
        expected = shown.reshape(8, 16, 8, 16).mean((1, 3)) * (1 + blue / 10)
        # float32 sums of 256 values in 0..1
        np.testing.assert_allclose(cam.activations[0, unit].numpy(), expected, atol=1e-5)


def test_every_planted_unit_gets_its_name_and_no_noise_unit_any(
    kinds: tuple[str, ...], named: tuple[nx.Model, Dissection]
) -> None:
    _, names = named
    expected = [nx.Concept(kind, "object") for kind in kinds] + [None] * NOISE
    assert [name.concept for name in names] == expected


def test_shuffled_labels_name_nothing(kinds: tuple[str, ...]) -> None:
    model = planted_model(kinds)
    # chance hits grow rarer with the number of scenes
    names = nx.dissect(model, KeyedDiorama(3, 2 * SCENES, shuffled=True), exemplars=0, progress=False)
    named = [name for name in names if name.concept is not None]
    assert not named, f"named by other images' labels: {named}"


def test_alpha_ranks_as_computed_on_paper(kinds: tuple[str, ...], named: tuple[nx.Model, Dissection]) -> None:
    model, names = named
    head = model.net.get_submodule("head")
    assert isinstance(head, torch.nn.Linear)
    weights = head.weight.detach().double().numpy()
    world = KeyedDiorama(4, 6)
    for index in range(len(world)):
        why = nx.explain(model, world.image(index), names, target="class 2", check=False)
        evidence = why.targets[0]
        # one linear layer behind the mean of 64 cells: alpha = W / 64, for every image
        np.testing.assert_allclose(evidence.alpha, weights[2] / 64, rtol=1e-5)
        order = np.argsort(-weights[2], kind="stable")
        assert [unit.index for unit in evidence.top] == order[:5].tolist()
        assert [unit.index for unit in evidence.bottom] == order[::-1][:5].tolist()
        assert [unit.concept for unit in evidence.top] == [
            nx.Concept(kinds[unit], "object") if unit < len(kinds) else None for unit in order[:5]
        ]


def test_contributions_add_up_to_the_score(named: tuple[nx.Model, Dissection]) -> None:
    model, names = named
    why = nx.explain(model, KeyedDiorama(4, 1).image(0), names, rank_by="contribution", top=5, check=False)
    image = PREPROCESS(KeyedDiorama(4, 1).image(0))[None]
    cam = nx.grad_cam(model.net, image, [why.targets[0].index or 0], layer=model.layer)
    total = float((cam.alpha.double() * cam.activations.double().sum((2, 3))).sum())
    assert total == pytest.approx(float(cam.scores[0]), rel=1e-5)  # no bias in the head


def test_weights_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"weights: expected \[C, 3\], got \[2, 4\]"):
        planted_network(["bed"], 2, np.zeros((2, 4), np.float32))
