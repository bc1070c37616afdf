"""All methods of one image side by side: what is saved, what the page shows, and what the command says."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_nets import LAYER, State, deep_head_net, gap_net
from torch import nn

from dissection.artifact import read_artifact
from neuro_explain import cli
from neuro_explain.document import KIND
from neuro_explain.gradcam import grad_cam
from neuro_explain.method_strip import method_strip
from neuro_explain.methods import METHODS
from neuro_explain.model import Model
from neuro_explain.preprocess import Preprocess
from neuro_explain.report import write_report
from reports.draw import pixel_picture

NAMES = [f"class <{n}>" for n in range(6)]


def model(net: nn.Module) -> Model:
    return Model(net, preprocess=Preprocess(input_size=(9, 11)), classes=NAMES, layer=LAYER, name="toy")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "cat & dog.png")
    return tmp_path / "cat & dog.png"


def test_maps_are_the_methods_own(photo: Path) -> None:
    one = model(gap_net(units=16))
    state = State(one.net)
    strip = method_strip(one, photo, classes=["class <2>", 4])
    state.assert_same()
    assert strip.classes == (2, 4) and strip.labels == ("class <2>", "class <4>")
    assert list(strip.maps) == list(METHODS) and not strip.refused
    with Image.open(photo) as image:
        x = one.prepare(image.convert("RGB"))
    for place, number in enumerate(strip.classes):
        for name, maps in strip.maps.items():
            want = METHODS[name](one.net, x, [number], layer=LAYER).map[0].numpy()
            np.testing.assert_allclose(maps[place], want, rtol=1e-4, atol=1e-6 + 1e-5 * want.max())
        for layer, maps in strip.layers.items():
            want = grad_cam(one.net, x, [number], layer=layer).map[0].numpy()
            np.testing.assert_allclose(maps[place], want, rtol=1e-4, atol=1e-6)
    assert list(strip.layers) == ["backbone.1", "backbone.3"]
    assert abs(sum(strip.probabilities)) < 1
    torch.testing.assert_close(torch.tensor(strip.scores), one.net(x)[0, [2, 4]].detach())


def test_maps_that_are_grad_cams_own_are_marked(photo: Path, tmp_path: Path) -> None:
    names = ["grad-cam", "grad-cam-guided-relu", "grad-cam-deconvolution-relu", "grad-cam-no-relu"]
    said = "as Grad-CAM: no ReLU follows the layer"
    early = Model(
        gap_net(), preprocess=Preprocess(input_size=(9, 11)), classes=NAMES, layer="backbone.1", name="toy"
    )
    for place, (one, marked) in enumerate(((model(gap_net()), 2), (early, 0))):
        strip = method_strip(one, photo, methods=names)
        same = [np.array_equal(strip.maps[name], strip.maps["grad-cam"]) for name in names[1:3]]
        assert sum(same) == marked
        page = write_report(strip.save(tmp_path / str(place))).read_text(encoding="utf-8")
        assert page.count(f">{said}<") == marked


class Tokens(nn.Module):
    """Patches, a block of tokens, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.norm, self.head = nn.Conv2d(3, 4, 3, stride=3), nn.LayerNorm(4), nn.Linear(4, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens: torch.Tensor = self.norm(self.patches(x).flatten(2).transpose(1, 2))
        out: torch.Tensor = self.head(tokens.mean(1))
        return out


def test_layers_of_tokens_are_told_of(photo: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = Tokens().eval()
    tokens = Model(
        net, preprocess=Preprocess(input_size=(9, 12)), classes=NAMES, layer="norm+3x4", name="toy"
    )
    strip = method_strip(tokens, photo, methods=["grad-cam"])
    assert list(strip.layers) == ["patches"] and strip.maps["grad-cam"].shape == (1, 3, 4)
    said = "Layers of tokens, as norm+3x4, are not among those at which Grad-CAM is shown."
    assert f"  {said}" in strip.lines()
    page = write_report(strip.save(tmp_path / "tokens")).read_text(encoding="utf-8")
    assert said in page and "to the last one that puts out maps." in page
    plain = method_strip(model(gap_net()), photo, methods=["grad-cam"])
    assert not any("tokens" in line for line in plain.lines())


def test_the_page_shows_every_map_and_says_what_does_not_apply(photo: Path, tmp_path: Path) -> None:
    strip = method_strip(model(deep_head_net()), photo, methods=["grad-cam", "cam", "gradient"])
    assert list(strip.maps) == ["grad-cam", "gradient"] and "expects a network" in strip.refused["cam"]
    folder = strip.save(tmp_path / "out", command=["neuro-explain", "methods"])
    manifest = read_artifact(folder, KIND)
    assert manifest["layer"] == LAYER
    page = write_report(folder).read_text(encoding="utf-8")
    assert "CAM has no map here. CAM expects a network that ends in global average pooling" in page
    assert page.count("<img ") == 3 + len(strip.layers)  # photograph, two maps, the strip
    assert page.count('alt="Grad-CAM for class &lt;') == 1 + len(strip.layers)
    assert "class <" not in page.split("<script")[0]
    with np.load(folder / "arrays.npz") as arrays:
        assert sorted(arrays) == sorted(
            ["maps/grad-cam", "maps/gradient", *(f"layers/{name}" for name in strip.layers)]
        )
        np.testing.assert_array_equal(arrays["maps/gradient"], strip.maps["gradient"])
    data = json.loads((folder / "data.json").read_text(encoding="utf-8"))
    assert data == json.loads(json.dumps(strip.to_dict()))
    assert [row["array"] for row in data["methods"]] == ["maps/grad-cam", "maps/gradient", None]


def test_what_is_unknown_is_refused_before_anything_runs(photo: Path) -> None:
    one = model(gap_net())
    with pytest.raises(ValueError, match="method 'gradcam' does not exist: did you mean grad-cam"):
        method_strip(one, photo, methods=["gradcam"])
    with pytest.raises(ValueError, match="cat"):
        method_strip(one, photo, classes=["cat"])
    with pytest.raises(ValueError, match="expects a network that ends"):
        method_strip(model(deep_head_net()), photo, methods=["cam"])  # nothing to show


def test_the_command_writes_the_page(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["methods", str(photo), "--model", "diorama-scenes", "--out", str(tmp_path / "out")]
    arguments += ["--class", "0", "--class", "1", "--method", "c-mwp", "--method", "layer-cam", "--json"]
    assert cli.run(arguments) == 0
    said = json.loads(capsys.readouterr().out)
    assert Path(said["page"]).is_file() and [row["index"] for row in said["classes"]] == [0, 1]
    assert [row["name"] for row in said["methods"]] == ["c-mwp", "layer-cam"] and said["layers"]
    assert cli.run(arguments) == 1  # it is there
    assert "already holds an artifact" in capsys.readouterr().err
    assert cli.run([*arguments[:-1], "--overwrite"]) == 0
    assert "2 methods; Grad-CAM at" in capsys.readouterr().out


def test_a_map_of_pixels_is_as_large_as_a_thumbnail_and_brightest_where_it_is_largest() -> None:
    cells = np.zeros((20, 40), np.float32)
    cells[5, 10] = 7.0
    with Image.open(io.BytesIO(pixel_picture(cells, (640, 320)))) as image:
        assert image.size == (320, 160)
        light = np.asarray(image.convert("L"), dtype=float)
    row, column = np.unravel_index(light.argmax(), light.shape)
    assert 40 <= row < 48 and 80 <= column < 88  # cell (5, 10) of 8 pixels
    assert pixel_picture(np.zeros((4, 4), np.float32), (30, 30))  # nothing to show is no error
