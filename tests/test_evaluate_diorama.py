"""The truth report, on networks about which the answer is known beforehand."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import neuro_explain as nx
from dissection.concepts import Concept
from dissection.names import Names, UnitName
from neuro_explain.cli import run
from neuro_explain.diorama.networks import PREPROCESS, SceneNet
from neuro_explain.diorama.scene import make_scene
from neuro_explain.diorama.words import SCENES
from neuro_explain.evaluate import diorama as truth

# one worker, so that what the tests share is made once
pytestmark = pytest.mark.xdist_group("diorama truth")


@pytest.fixture(scope="module")
def model() -> nx.Model:
    return nx.load_model("diorama-scenes")


@pytest.fixture(scope="module")
def names(model: nx.Model) -> Names:
    return nx.dissect(model, "diorama:7:250", exemplars=0, progress=False)


def renamed(names: Names, concept: Concept) -> Names:
    """Every named unit under one and the same name."""
    units = tuple(
        UnitName(
            n.unit, concept if n.concept else None, n.iou, n.best, n.runner_up, n.runner_up_iou, n.threshold
        )
        for n in names
    )
    return Names(units, names.layer, names.fingerprint, "renamed", (), None, None, {})


@pytest.mark.slow
def test_the_figures_add_up(model: nx.Model, names: Names) -> None:
    report = truth.truth_report(model, names, scenes=28, draws=5, tries=7)
    assert report.units == len(names)
    assert report.named == names.named
    assert len(report.interventions) + report.not_switchable == names.named
    assert report.right <= report.judged <= len(report.interventions)
    assert sum(each.scenes for each in report.categories) == report.correct <= report.scenes == 28
    assert 0 <= report.present <= 1
    text = "\n".join(report.lines())
    assert f"{report.named} of {report.units}" in text
    assert json.loads(json.dumps(report.to_dict()))["right"] == report.right


@pytest.mark.slow
def test_wrong_names_are_found_out(model: nx.Model, names: Names) -> None:
    """Under a name that has nothing to do with it, hardly a unit is confirmed, and hardly a top unit is present."""
    wrong = truth.truth_report(model, renamed(names, Concept("cloud", "object")), scenes=140, draws=2)
    true = truth.truth_report(model, names, scenes=140, draws=2)
    assert wrong.right <= 0.05 * len(wrong.interventions)
    assert wrong.present < 0.4 < true.present
    assert true.right > 0.5 * true.judged


def test_a_network_of_other_classes_is_refused() -> None:
    net = nx.Model(SceneNet(3), preprocess=PREPROCESS, classes=["a", "b", "c"], name="other")
    names = Names(tuple(UnitName(k, None) for k in range(net.units)), None, None, "none", (), None, None, {})
    with pytest.raises(ValueError, match=r"other has the classes a, b, c; a network of"):
        truth.truth_report(net, names, scenes=4)


def test_names_of_another_network_are_refused(model: nx.Model) -> None:
    units = tuple(UnitName(k, Concept("bed", "object")) for k in range(128))
    other = Names(units, model.layer, "sha256:other", "elsewhere", (), None, None, {})
    with pytest.raises(ValueError, match="elsewhere"):
        truth.truth_report(model, other, scenes=4)


def test_no_scenes_are_refused(model: nx.Model) -> None:
    names = Names(tuple(UnitName(k, None) for k in range(128)), None, None, "none", (), None, None, {})
    with pytest.raises(ValueError, match="scenes: expected at least 1, got 0"):
        truth.truth_report(model, names, scenes=0)


def test_the_sign_test_is_the_binomial_tail() -> None:
    assert truth._sign_test(0, 7) == 1.0
    assert truth._sign_test(7, 7) == 0.5**7
    assert truth._sign_test(6, 7) == 8 / 128


def test_activations_are_summed_over_the_map() -> None:
    torch.manual_seed(0)
    model = nx.Model(SceneNet(len(SCENES)), preprocess=PREPROCESS, classes=list(SCENES), name="untrained")
    images = [make_scene(1, k).image() for k in range(3)]
    batch = torch.stack([PREPROCESS(image) for image in images])
    with torch.no_grad():
        expected = model.net.eval().features(batch).double().sum((2, 3)).numpy()
    np.testing.assert_array_equal(truth._summed(model, images), expected)


@pytest.mark.slow
def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "diorama", "--scenes", "28", "--concepts", "diorama:7:150", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["scenes"] == 28
    assert data["units"] == 128
