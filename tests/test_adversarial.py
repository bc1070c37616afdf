"""Perturbations that fool a network: the method on small nets by hand, its bounds, and what the page says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import neuro_explain as nx
from dissection.artifact import read_artifact
from neuro_explain.cli import run
from neuro_explain.diorama.scene import make_scene
from neuro_explain.document import KIND
from neuro_explain.evaluate.adversarial import (
    as_picture,
    change_picture,
    perturb,
    pixel_range,
)
from neuro_explain.evaluate.adversarial_effect import NotReachedError, fool, percent_over
from neuro_explain.evaluate.adversarial_page import save_fooled
from neuro_explain.evaluate.ranks import rank_correlation
from neuro_explain.preprocess import CAFFE_MEAN, Preprocess

SEED = 4_711


class Linear(nn.Module):
    """Scores (0, w · x): the gradient of log p(1) has the sign of w everywhere."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        score = (x * self.weight).sum(dim=(1, 2, 3))
        return torch.stack([torch.zeros_like(score), score], dim=1)


def toy(preprocess: Preprocess, *, scale: float = 1e-3) -> tuple[Linear, Tensor, Tensor, Tensor]:
    """A linear net, an image of middling values, and what its values can be."""
    low, high = pixel_range(preprocess)
    net = Linear(scale * torch.randn(low.shape))
    return net, (low + (high - low) * (0.3 + 0.4 * torch.rand(low.shape)))[None], low, high


PREPROCESSES = {
    "imagenet": Preprocess((6, 5)),
    "caffe": Preprocess((6, 5), channels="BGR", scale=False, mean=CAFFE_MEAN, std=(1.0, 1.0, 1.0)),
    "mean image": Preprocess((6, 5), mean_image=torch.rand(3, 6, 5)),
}


@pytest.mark.parametrize("preprocess", PREPROCESSES.values(), ids=PREPROCESSES)
def test_on_a_linear_net_it_is_epsilon_times_the_sign(preprocess: Preprocess) -> None:
    net, image, low, high = toy(preprocess)
    epsilon = 8 / 255
    found = perturb(
        net, image, 1, low=low, high=high, epsilon=epsilon, step=3 / 255, steps=10, confidence=0.9999999
    )
    expected = image[0].double() + epsilon * net.weight.sign().double() * (high - low).double()
    torch.testing.assert_close(
        found.image[0].double(), expected.detach(), rtol=0, atol=1e-5 * float(high.max())
    )
    torch.testing.assert_close(found.change[0], 8 * net.weight.sign().detach(), rtol=0, atol=1e-3)
    assert not found.reached
    assert found.before == pytest.approx(
        float(torch.sigmoid((image[0] * net.weight.detach()).sum())), rel=1e-4
    )
    assert found.probability > found.before


def test_it_stays_within_what_pixels_can_be() -> None:
    preprocess = PREPROCESSES["imagenet"]
    low, high = pixel_range(preprocess)
    net = Linear(torch.ones_like(low) * 1e-3)
    image = (high - 2 / 255 * (high - low))[None]
    found = perturb(net, image, 1, low=low, high=high, epsilon=8 / 255, confidence=0.999999, steps=12)
    assert bool((found.image <= high).all() and (found.image >= low).all())
    torch.testing.assert_close(found.change, torch.full_like(image, 2.0), rtol=0, atol=1e-3)


def test_pixel_range_is_that_of_every_picture() -> None:
    for preprocess in PREPROCESSES.values():
        low, high = pixel_range(preprocess)
        pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels)
        prepared = preprocess.probe(picture)
        assert bool((prepared >= low).all() and (prepared <= high).all())
        assert np.array_equal(np.asarray(as_picture(prepared[None], preprocess)), pixels)  # there and back
        change = torch.zeros(1, 3, 6, 5)
        change[0, 2 if preprocess.channels == "BGR" else 0, 0, 0] = 4.0  # red
        shown = np.asarray(change_picture(change, preprocess))
        assert shown[0, 0].tolist() == [255, 128, 128] and shown[5, 4].tolist() == [128, 128, 128]


def test_it_takes_as_many_steps_as_it_needs() -> None:
    net, image, low, high = toy(PREPROCESSES["imagenet"], scale=0.02)
    probabilities = []
    for steps in range(1, 9):
        found = perturb(net, image, 1, low=low, high=high, epsilon=1.0, steps=steps, confidence=1 - 1e-7)
        assert found.steps == steps
        probabilities.append(found.probability)
    assert probabilities == sorted(probabilities) and probabilities[0] < probabilities[-1]
    asked = (probabilities[4] + probabilities[5]) / 2
    found = perturb(net, image, 1, low=low, high=high, epsilon=1.0, steps=100, confidence=asked)
    assert (found.reached, found.steps, found.probability) == (True, 6, probabilities[5])
    already = perturb(net, image, 1, low=low, high=high, confidence=found.before / 2)
    assert (already.reached, already.steps) == (True, 0)
    assert torch.equal(already.image, image) and not bool(already.change.any())


def test_a_net_that_does_not_look() -> None:
    preprocess = PREPROCESSES["imagenet"]
    low, high = pixel_range(preprocess)
    found = perturb(Linear(torch.zeros_like(low)), ((low + high) / 2)[None], 1, low=low, high=high)
    assert (found.reached, found.steps, found.probability) == (False, 0, 0.5)


@pytest.fixture(scope="module")
def model() -> nx.Model:
    return nx.load_model("diorama-scenes")


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scenes") / "kitchen.png"
    make_scene(SEED, 0, category="kitchen").image().save(path)
    return path


@pytest.fixture(params=["eval", "train", "frozen", "no_grad", "inference_mode"])
def state(request: pytest.FixtureRequest, model: nx.Model) -> Iterator[str]:
    net = model.net
    net.train(request.param == "train")
    net.requires_grad_(request.param != "frozen")
    yield request.param
    net.eval().requires_grad_(True)


def test_a_real_network_is_fooled_and_left_as_it_was(model: nx.Model, photograph: Path, state: str) -> None:
    low, high = pixel_range(model.preprocess)
    image = model.prepare(Image.open(photograph).convert("RGB"))
    index = model.class_index("waterfall")
    weights = {name: value.clone() for name, value in model.net.state_dict().items()}
    modes = [module.training for module in model.net.modules()]
    modes_of_gradient = {"no_grad": torch.no_grad, "inference_mode": torch.inference_mode}
    with modes_of_gradient.get(state, torch.enable_grad)():
        found = perturb(model.net, image, index, low=low, high=high)
        again = perturb(model.net, image, index, low=low, high=high)
    assert found.reached and found.probability > 0.9999
    assert torch.equal(found.image, again.image) and found.steps == again.steps
    assert float(found.change.abs().max()) <= 8 + 1e-3
    assert bool((found.image >= low).all() and (found.image <= high).all())
    with torch.no_grad():
        model.net.eval()
        said = model.net(found.image).softmax(dim=1)[0, index]
    assert float(said) == pytest.approx(found.probability, abs=1e-6)
    model.net.train(state == "train")
    assert [module.training for module in model.net.modules()] == modes
    assert all(torch.equal(value, weights[name]) for name, value in model.net.state_dict().items())
    assert all(parameter.grad is None for parameter in model.net.parameters())
    assert all(parameter.requires_grad == (state != "frozen") for parameter in model.net.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": 0.0}, "epsilon: expected a share"),
        ({"epsilon": float("nan")}, "epsilon: expected a share"),
        ({"step": 2.0}, "step: expected a share"),
        ({"steps": 0}, "steps: expected at least 1"),
        ({"confidence": 1.0}, "confidence: expected a probability"),
    ],
)
def test_arguments_are_checked(options: dict[str, float], message: str) -> None:
    net, image, low, high = toy(PREPROCESSES["imagenet"])
    with pytest.raises(ValueError, match=message):
        perturb(net, image, 1, low=low, high=high, **options)  # type: ignore[arg-type]


def test_what_is_given_must_fit() -> None:
    net, image, low, high = toy(PREPROCESSES["imagenet"])
    with pytest.raises(ValueError, match="index: expected a class among scores"):
        perturb(net, image, 2, low=low, high=high)
    with pytest.raises(ValueError, match=r"image: expected one prepared image"):
        perturb(net, image[0], 1, low=low, high=high)
    with pytest.raises(ValueError, match="image: expected values within low and high"):
        perturb(net, image + 100, 1, low=low, high=high)
    with pytest.raises(ValueError, match="low: expected values below"):
        perturb(net, image, 1, low=high, high=low)
    with pytest.raises(ValueError, match="NaN or infinite"):
        perturb(Linear(net.weight.detach() * float("nan")), image, 1, low=low, high=high)
    with pytest.raises(ValueError, match="do not depend on the image"):
        perturb(Detached(net), image, 1, low=low, high=high)


class Detached(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.net(x).detach()
        return output


def test_before_and_after(model: nx.Model, photograph: Path) -> None:
    found = fool(model, photograph, "waterfall", present=["kitchen", "office"])
    assert [one.before.label for one in found.classes] == ["kitchen", "office", "waterfall"]
    assert [one.absent for one in found.classes] == [False, False, True]
    assert found.absent.after.probability == pytest.approx(found.perturbed.probability, abs=1e-6)
    assert found.said[0] == "kitchen"
    for one in found.classes:
        before = nx.grad_cam(
            model.net,
            model.prepare(Image.open(photograph).convert("RGB")),
            [one.before.index],
            layer=model.layer,
        )
        after = nx.grad_cam(model.net, found.perturbed.image, [one.before.index], layer=model.layer)
        assert one.correlation == pytest.approx(
            rank_correlation(before.map[0].numpy(), after.map[0].numpy()), abs=1e-3
        )
        strongest = []
        for cam in (before, after):
            contribution = cam.alpha[0].double() * cam.activations[0].double().sum(dim=(1, 2))
            strongest.append(set(contribution.topk(5).indices.tolist()))
        assert {unit.index for unit in one.entered} == strongest[1] - strongest[0]
        assert {unit.index for unit in one.left} == strongest[0] - strongest[1]
    assert {len(one.entered) for one in found.classes} != {0}
    assert np.abs(np.asarray(found.after).astype(int) - np.asarray(found.before)).max() <= 8
    by_default = fool(model, photograph, "waterfall")
    assert by_default.classes[0].before.label == "kitchen" and len(by_default.classes) == 3


def test_a_class_must_be_absent(model: nx.Model, photograph: Path) -> None:
    with pytest.raises(ValueError, match="the network says 'kitchen' of it anyway"):
        fool(model, photograph, "kitchen")
    with pytest.raises(ValueError, match="present: 'waterfall' cannot be absent too"):
        fool(model, photograph, "waterfall", present=["waterfall"])
    with pytest.raises(
        NotReachedError, match=r"after 1 steps the network gives 'waterfall' .* not over 99.99 %"
    ):
        fool(model, photograph, "waterfall", steps=1, epsilon=1 / 255)


def test_the_command(photograph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    call = ["evaluate", "adversarial", str(photograph), "--model", "diorama-scenes", "--out", str(out)]
    assert run([*call, "--class", "waterfall", "--epsilon", "1/255", "--steps", "2"]) == 1
    assert "not over 99.99 %; allow more steps or a larger epsilon" in capsys.readouterr().err
    assert not out.exists() and list(tmp_path.iterdir()) == []
    assert run([*call, "--class", "waterfall", "--epsilon", "much"]) == 2
    assert "expected a share such as 8/255" in capsys.readouterr().err
    assert run([*call, "--class", "waterfall", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (one,) = found["images"]
    assert one["probability"] > 0.9999 and one["largest_change"] <= 8.001
    page = Path(found["page"]).read_text(encoding="utf-8")
    assert "Made to say waterfall" in page and page.count("data:image/webp") == 3 + 6
    assert json.loads((out / "data.json").read_text())["images"] == found["images"]
    with np.load(out / "arrays.npz") as arrays:
        assert float(np.abs(arrays["change_0"]).max()) == pytest.approx(one["largest_change"])
    assert run([*call, "--class", "waterfall"]) == 1
    assert "already holds an artifact" in capsys.readouterr().err


def test_the_manifest_knows_the_photographs_and_the_page_says_what_was_exceeded(
    photograph: Path, tmp_path: Path, model: nx.Model
) -> None:
    options = {"present": (), "confidence": 0.9, "epsilon": 8 / 255, "step": 1 / 255, "steps": 100, "top": 5}
    one = fool(model, photograph, "waterfall", confidence=0.9)
    digest = "sha256:" + hashlib.sha256(photograph.read_bytes()).hexdigest()
    # a probability that rounds to what was asked for
    near = replace(one, perturbed=replace(one.perturbed, probability=0.90004))
    page = save_fooled([near], model, tmp_path / "one", options=options).read_text(encoding="utf-8")
    assert read_artifact(tmp_path / "one", KIND)["data_fingerprint"] == digest == one.fingerprint
    assert "The network gives waterfall 90.004 %." in page and "waterfall 90.004 % after" not in page
    assert "90.004 % after" in near.lines()[0]
    other = replace(one, fingerprint="sha256:0")
    prints = []
    for place, found in enumerate(([one, other], [other, one])):
        save_fooled(found, model, tmp_path / f"two-{place}", options=options)
        prints.append(read_artifact(tmp_path / f"two-{place}", KIND)["data_fingerprint"])
    assert len({*prints, digest}) == 3


@pytest.mark.parametrize(
    ("probability", "threshold", "said"),
    [
        (0.99991, 0.9999, "99.991 %"),
        (0.9999000001, 0.9999, "over 99.99 %"),
        (0.9999999, 0.9999, "over 99.9999 %"),
        (0.99995, 0.9999, "99.995 %"),
        (0.95, 0.9, "95.0 %"),
        (0.5, 0.9, "50.0 %"),
        (0.9, 0.9, "90.0 %"),
    ],
)
def test_what_exceeds_a_threshold_reads_above_it(probability: float, threshold: float, said: str) -> None:
    assert percent_over(probability, threshold) == said


@pytest.mark.parametrize(
    "wrong",
    ["--confidence 1", "--epsilon 0", "--step 2", "--steps 0", "--top 0", "--epsilon 1/0"],
)
def test_wrong_values_are_usage_errors_before_a_network_is_loaded(
    wrong: str, photograph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["evaluate", "adversarial", str(photograph), "--model", "nowhere:nothing", "--class", "waterfall"]
    assert run([*call, "--out", str(tmp_path / "run"), *wrong.split()]) == 2
    assert wrong.split()[0] in capsys.readouterr().err


def test_no_change_is_needed(photograph: Path, tmp_path: Path, model: nx.Model) -> None:
    before = fool(model, photograph, "waterfall").perturbed.before
    out = tmp_path / "run"
    call = ["evaluate", "adversarial", str(photograph), "--model", "diorama-scenes", "--out", str(out)]
    assert run([*call, "--class", "waterfall", "--confidence", str(before / 2)]) == 0
    assert "No change was needed" in (out / "index.html").read_text(encoding="utf-8")


def test_one_of_two_is_not_reached(
    photograph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], model: nx.Model
) -> None:
    easy, hard = fool(model, photograph, "office"), fool(model, photograph, "waterfall")
    assert easy.perturbed.steps != hard.perturbed.steps
    other = tmp_path / "other.png"
    make_scene(SEED, 1, category="coast").image().save(other)
    steps = {path: fool(model, path, "waterfall").perturbed.steps for path in (photograph, other)}
    assert len(set(steps.values())) == 2
    out, limit = tmp_path / "run", min(steps.values())
    call = ["evaluate", "adversarial", *map(str, steps), "--model", "diorama-scenes", "--out", str(out)]
    assert run([*call, "--class", "waterfall", "--steps", str(limit)]) == 1
    missed = max(steps, key=lambda path: steps[path])
    assert f"{missed.name}: after {limit} steps" in capsys.readouterr().err
    assert f"{missed.name}: after {limit} steps" in (out / "index.html").read_text(encoding="utf-8")
