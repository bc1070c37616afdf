"""Do the Grad-CAM paper's experiments come out the same way here? Each of its tables beside ours.

    python -m benchmarks.paper --data DIR [--photographs 200] [--occluded 60] [--scenes 40] [--json FILE]

DIR holds the photographs and networks of the tests. The data are others than the paper's (200 COCO photographs with
masks in place of ImageNet, VOC and COCO captions), and so are the networks (EfficientNet-Lite0 and a SqueezeNet 1.1 in
place of VGG-16; drawn scenes for captions and questions): figures cannot be compared one by one. What can be compared
is which method is the better one, and that is said at the end, also where it comes out differently. Of localisation it
is judged with the class given, so that what a network takes for something else does not blur it.

Tables: localisation error (Sec. 4.1) with the ablations of App. B, pointing game (Sec. 4.3), seeds of weakly supervised
segmentation (Sec. 4.2), rank correlation with occlusion (Sec. 5.3), captions and answers (Sec. 8); and on drawn scenes
whether maps point at what the answer hangs on, which is known there exactly. People's ratings
(Sec. 5.1, 5.2) need people: `neuro-explain study`. The bias story (Sec. 6.3): `neuro-explain evaluate bias`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from neuro_explain.diorama.scene import make_scene
from neuro_explain.evaluate.absence import ABSENCE, Absence
from neuro_explain.evaluate.annotated import open_annotated
from neuro_explain.evaluate.annotations import AnnotatedSet
from neuro_explain.evaluate.answered import OCCLUSION
from neuro_explain.evaluate.class_map import ClassMap, class_map
from neuro_explain.evaluate.faithfulness import MEASURE, Faithfulness
from neuro_explain.evaluate.image_sample import ImageSample
from neuro_explain.evaluate.language import language_report
from neuro_explain.evaluate.localisation import localisation_report
from neuro_explain.evaluate.map_report import MapReport
from neuro_explain.evaluate.pointing import pointing_report
from neuro_explain.evaluate.recall import REJECTING
from neuro_explain.evaluate.segmentation import seeds_report
from neuro_explain.evaluate.tally import Figure
from neuro_explain.evaluate.told import REGIONS
from neuro_explain.inputs import open_inputs
from neuro_explain.methods import METHODS, Method
from neuro_explain.methods.rectifiers import NONE_REPLACED
from neuro_explain.model import Model
from neuro_explain.targets import Target
from neuro_explain.text_table import text_table
from neuro_explain.zoo import load_answerer, load_captioner, load_model

ABLATIONS = (
    "grad-cam-no-relu",
    "grad-cam-absolute-gradient",
    "grad-cam-max-pooled",
    "grad-cam-guided-relu",
    "grad-cam-deconvolution-relu",
)
LOCALISED = ("grad-cam", "gradient", "guided-backprop", "c-mwp", "cam", *ABLATIONS)
POINTED = ("grad-cam", "gradient", "guided-grad-cam", "excitation-backprop", "c-mwp", "cam")
OCCLUDED = ("grad-cam", "guided-backprop", "guided-grad-cam", "c-mwp", "cam")
SEEDED = ("grad-cam", "cam")
DRAWN = (*LOCALISED, "guided-grad-cam")

LOCALISATION = "localisation error, class given"
PROTOCOLS = (
    "paper, localisation: Grad-CAM's 0.565 and 0.464 are of ten crops; the ablations are of single crops, where "
    "Grad-CAM itself has 0.597"
)
# Selvaraju et al. 2019: App. B (top-1 error, VGG-16), Sec. 4.3, Sec. 5.3; Grad-CAM's own come with the reports
PAPER = {
    ("localisation error, top-1", "Grad-CAM without ReLU"): 0.7498,
    ("localisation error, top-1", "Grad-CAM of |gradient|"): 0.5819,
    ("localisation error, top-1", "Grad-CAM, max-pooled"): 0.5996,
    ("localisation error, top-1", "Grad-CAM, guided ReLU"): 0.5914,
    ("localisation error, top-1", "Grad-CAM, deconvolution ReLU"): 0.8395,
    (REJECTING, "c-MWP"): 0.6030,
    (MEASURE, "Grad-CAM"): 0.254,
    (MEASURE, "Guided Grad-CAM"): 0.261,
    (MEASURE, "guided backprop"): 0.168,
    (MEASURE, "c-MWP"): 0.220,
    (MEASURE, "CAM"): 0.208,
}


@dataclass(frozen=True)
class Claim:
    """An ordering that the paper reports: one method does better than another, here by this measure."""

    measure: str
    better: str
    worse: str
    larger: bool = True


CLAIMS = (
    Claim(ABSENCE, "Grad-CAM", "gradient"),
    Claim(ABSENCE, "Grad-CAM", "c-MWP"),
    Claim(ABSENCE, "Grad-CAM", "Grad-CAM without ReLU"),
    Claim(ABSENCE, "Grad-CAM without ReLU", "Grad-CAM, deconvolution ReLU"),
    Claim(LOCALISATION, "Grad-CAM", "gradient", larger=False),
    Claim(LOCALISATION, "Grad-CAM", "c-MWP", larger=False),
    Claim(LOCALISATION, "Grad-CAM", "Grad-CAM without ReLU", larger=False),
    Claim(LOCALISATION, "Grad-CAM without ReLU", "Grad-CAM, deconvolution ReLU", larger=False),
    Claim(REJECTING, "Grad-CAM", "c-MWP"),
    Claim(MEASURE, "Grad-CAM", "guided backprop"),
    Claim(MEASURE, "Guided Grad-CAM", "guided backprop"),
    Claim(MEASURE, "Grad-CAM", "c-MWP"),
    Claim(REGIONS, "Grad-CAM", "guided backprop"),
    Claim(REGIONS, "Guided Grad-CAM", "Grad-CAM"),
    Claim(OCCLUSION, "Grad-CAM", "guided backprop"),
)


def networks(data: Path) -> list[Model]:
    """The ImageNet networks at hand."""
    squeezenet = data / "models" / "imagenet_squeezenet" / "squeezenet1_1_ndf.safetensors"
    return [
        load_model("efficientnet-lite0"),
        load_model("squeezenet1_1", weights=squeezenet, preprocess="caffe-227"),
    ]


def applicable(model: Model, names: Iterable[str], say: Callable[[str], None]) -> list[Method]:
    """The methods that this network can be explained by; of the others it is said why not."""
    width, height = model.preprocess.input_size
    image = torch.zeros(1, 3, height, width)
    methods = []
    for name in names:
        try:
            notes = METHODS[name](model.net, image, [0], layer=model.layer).notes
        except ValueError as error:
            say(f"{METHODS[name].title} leaves {model.name} out: {error}")
            continue
        if name in ABLATIONS and NONE_REPLACED in notes:
            say(f"{METHODS[name].title} is Grad-CAM on {model.name}: no ReLU follows the layer; left out")
        else:
            methods.append(METHODS[name])
    return methods


def occluded(model: Model, data: Path, methods: Sequence[Method], count: int) -> MapReport:
    """Rank correlation with occlusion, on ImageNet photographs, of the predicted class."""
    measure = Faithfulness(model.net, methods, layer=model.layer)
    inputs = open_inputs(str(data / "imagenet1k_samples" / "images"), classes=model.classes)
    for one in ImageSample(model, inputs, limit=count):
        measure.add(one.number, one.image, one.target)
    return measure.report(model.name)


def drawn(name: str, scenes: int, say: Callable[[str], None]) -> list[MapReport]:
    """A network of the diorama, whose truth is exact: what its answer hangs on; and rank correlation with occlusion."""
    model = load_model(name)
    methods = applicable(model, DRAWN, say)
    absence = Absence(model, methods)
    order = Faithfulness(model.net, methods, layer=model.layer, cells=(8, 8))
    for index in range(scenes):
        scene = make_scene(9003, index)
        absence.look_at(scene, index)
        prepared = model.prepare(scene.image())
        with torch.no_grad():
            answer = int(model.net(prepared)[0].argmax())
        order.add(index, prepared, Target.of_class(answer, model.classes[answer]))
    return [absence.report(), order.report(model.name)]


def judged(claim: Claim, figures: Sequence[Figure]) -> list[str]:
    """Whether a claim holds for each network on which both methods were measured; if on none, that."""
    said = []
    for network in dict.fromkeys(figure.network for figure in figures):
        own = {one.method: one for one in figures if (one.measure, one.network) == (claim.measure, network)}
        better, worse = own.get(claim.better), own.get(claim.worse)
        if better is None or worse is None or better.mean is None or worse.mean is None:
            continue
        gap = better.mean - worse.mean if claim.larger else worse.mean - better.mean
        verdict = "HOLDS" if gap > 0 else "as good" if gap == 0 else "FAILS"
        if gap != 0 and _overlap(better, worse):
            verdict += " (intervals overlap)"
        said.append(
            f"{verdict}: {claim.better} {better.mean:.3f}, {claim.worse} {worse.mean:.3f}: {claim.measure}, {network}"
        )
    return said or [f"NOT MEASURED: {claim.better} against {claim.worse}: {claim.measure}"]


def _overlap(a: Figure, b: Figure) -> bool:
    return None not in (a.low, a.high, b.low, b.high) and a.low <= b.high and b.low <= a.high  # type: ignore[operator]


def with_paper(figures: Sequence[Figure]) -> list[Figure]:
    """The figures with the paper's beside them."""
    return [replace(one, paper=one.paper or PAPER.get((one.measure, one.method))) for one in figures]


def table(figures: Sequence[Figure]) -> list[str]:
    """One line for each figure."""
    rows = [("measure", "network", "maps", "ours", "95 %", "n", "chance", "paper")]
    for one in figures:
        number = "{:.3f}".format
        rows.append(
            (
                one.measure,
                one.network,
                one.method,
                "–" if one.mean is None else number(one.mean),
                "" if one.low is None or one.high is None else f"{one.low:.3f} to {one.high:.3f}",
                str(one.count),
                "" if one.chance is None else number(one.chance),
                "" if one.paper is None else number(one.paper),
            )
        )
    return text_table(rows, left=range(3))


def photographs(
    model: Model, images: AnnotatedSet, classes: ClassMap, say: Callable[[str], None]
) -> list[MapReport]:
    """Localisation, pointing and seeds of one network."""
    return [
        localisation_report(model, images, applicable(model, LOCALISED, say), classes),
        pointing_report(model, images, applicable(model, POINTED, lambda _: None), classes, tolerance=15),
        seeds_report(model, images, applicable(model, SEEDED, lambda _: None), classes),
    ]


def main() -> None:
    """Prints the tables and the orderings."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="photographs and networks of the tests")
    parser.add_argument("--photographs", type=int, help="of COCO; all if not given")
    parser.add_argument("--occluded", type=int, default=60, help="photographs that are hidden part by part")
    parser.add_argument(
        "--scenes", type=int, default=40, help="drawn, for all that needs an exact truth; 0 leaves them out"
    )
    parser.add_argument("--json", type=Path, help="file for all figures")
    options = parser.parse_args()

    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    start = time.monotonic()
    images = open_annotated(f"coco:{options.data / 'coco_panoptic256'}")
    if options.photographs:
        images = images.first(options.photographs)
    figures: list[Figure] = []
    say("OTHER DATA AND OTHER NETWORKS than the paper's: compare orderings, not figures")
    for model in networks(options.data):
        classes = class_map(images.categories, model.classes, "imagenet-coco", kind=images.kind)
        reports = photographs(model, images, classes, say)
        reports.append(
            occluded(model, options.data, applicable(model, OCCLUDED, lambda _: None), options.occluded)
        )
        for report in reports:
            found = with_paper([replace(one, network=model.name) for one in report.figures])
            figures += found
            say(f"\n{report.title} ({time.monotonic() - start:.0f} s)")
            said = (PROTOCOLS,) if any("localisation" in one.measure for one in found) else ()
            for line in (*table(found), *said, *report.notes):
                say(line)
    for name in ("diorama-scenes", "diorama-scenes-dense") if options.scenes else ():
        for report in drawn(name, options.scenes, say):
            figures += report.figures
            say(f"\n{report.title} ({time.monotonic() - start:.0f} s)")
            for line in (*table(report.figures), *report.notes):
                say(line)
    if options.scenes:
        spoken = language_report(
            load_captioner("diorama-captioner"),
            [load_answerer("diorama-vqa")],
            scenes=options.scenes,
            progress=False,
        )
        figures += spoken.figures
        say("")
        for line in spoken.lines():
            say(line)
    say(f"\norderings that the paper reports ({time.monotonic() - start:.0f} s)")
    for claim in CLAIMS:
        for line in judged(claim, figures):
            say(line)
    if options.json:
        plain: list[dict[str, Any]] = [one.to_dict() for one in figures]
        options.json.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
