"""The paper's tables beside ours: what is said of an ordering, and that each is of a measure that there is."""

from __future__ import annotations

import sys
from pathlib import Path

from neuro_explain.evaluate.absence import ABSENCE
from neuro_explain.evaluate.answered import OCCLUSION
from neuro_explain.evaluate.faithfulness import MEASURE
from neuro_explain.evaluate.recall import REJECTING
from neuro_explain.evaluate.tally import Figure
from neuro_explain.evaluate.told import REGIONS
from neuro_explain.methods import METHODS
from neuro_explain.zoo import load_model

sys.path.append(str(Path(__file__).resolve().parents[1]))  # benchmarks are not installed
from benchmarks.paper import CLAIMS, PAPER, Claim, applicable, judged, with_paper


def _figure(
    method: str, mean: float | None, low: float | None = None, high: float | None = None, network: str = "net"
) -> Figure:
    return Figure("m", network, method, mean, low, high)


def test_orderings_are_of_measures_and_methods_that_there_are() -> None:
    measures = {ABSENCE, "localisation error, class given", REJECTING, MEASURE, REGIONS, OCCLUSION}
    titles = {method.title for method in METHODS.values()}
    assert {claim.measure for claim in CLAIMS} == measures
    assert {name for claim in CLAIMS for name in (claim.better, claim.worse)} <= titles
    assert {method for _, method in PAPER} <= titles


def test_what_is_said_of_an_ordering() -> None:
    claim = Claim("m", "A", "B")
    less = Claim("m", "A", "B", larger=False)
    apart = [_figure("A", 0.5, 0.45, 0.55), _figure("B", 0.3, 0.25, 0.35)]
    assert judged(claim, apart) == ["HOLDS: A 0.500, B 0.300: m, net"]
    assert judged(less, apart) == ["FAILS: A 0.500, B 0.300: m, net"]
    wide = [_figure("A", 0.5, 0.3, 0.7), _figure("B", 0.4, 0.2, 0.6)]
    assert judged(claim, wide) == ["HOLDS (intervals overlap): A 0.500, B 0.400: m, net"]
    assert judged(claim, [_figure("A", 0.5), _figure("B", 0.5)])[0].startswith("as good: ")
    two = [*apart, _figure("A", 0.1, network="other"), _figure("B", 0.2, network="other")]
    assert [line.split(":")[0] for line in judged(claim, two)] == ["HOLDS", "FAILS"]


def test_an_ordering_that_nobody_measured_is_told() -> None:
    for figures in ([], [_figure("A", 0.5)], [_figure("A", 0.5), _figure("B", None)]):
        assert judged(Claim("m", "A", "B"), figures) == ["NOT MEASURED: A against B: m"]


def test_the_papers_figures_stand_beside_their_own_measure_alone() -> None:
    top = Figure("localisation error, top-1", "net", "Grad-CAM", 0.5, paper=0.5651)
    no_relu = Figure("localisation error, top-1", "net", "Grad-CAM without ReLU", 0.5)
    given = Figure("localisation error, class given", "net", "Grad-CAM without ReLU", 0.5)
    assert [one.paper for one in with_paper([top, no_relu, given])] == [0.5651, 0.7498, None]


def test_an_ablation_that_replaces_nothing_is_no_method_of_its_own() -> None:
    names = ("grad-cam", "grad-cam-no-relu", "grad-cam-deconvolution-relu", "cam")
    said: list[str] = []
    pool = applicable(load_model("diorama-scenes"), names, said.append)
    assert [method.name for method in pool] == ["grad-cam", "grad-cam-no-relu", "cam"]
    assert said == [
        "Grad-CAM, deconvolution ReLU is Grad-CAM on diorama-scenes: no ReLU follows the layer; left out"
    ]
    dense = applicable(load_model("diorama-scenes-dense"), names, said.append)
    assert [method.name for method in dense] == [
        "grad-cam",
        "grad-cam-no-relu",
        "grad-cam-deconvolution-relu",
    ]
    assert said[1].startswith("CAM leaves diorama-scenes-dense out: ")
