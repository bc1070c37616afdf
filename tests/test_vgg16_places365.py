"""VGG-16 of Places: Caffe's files in both layouts, where each weight goes, and the input by its formula."""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torchvision.models.vgg import make_layers

from neuro_explain import cache
from neuro_explain.recipes import vgg16_places365
from neuro_explain.recipes.caffe import read_layers
from neuro_explain.recipes.places365_mean import MEAN, MEAN_PIXEL
from neuro_explain.zoo import list_models, load_model

Layers = Mapping[str, list[NDArray[np.float32]]]
DEPLOY = [
    "conv1_1",
    "conv1_2",
    "conv2_1",
    "conv2_2",
    "conv3_1",
    "conv3_2",
    "conv3_3",
    "conv4_1",
    "conv4_2",
    "conv4_3",
    "conv5_1",
    "conv5_2",
    "conv5_3",
    "fc6",
    "fc7",
    "fc8a",
]  # the layers with weights in deploy_vgg16_places365.prototxt, in its order


@pytest.fixture(autouse=True)
def _empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path_factory.mktemp("cache")))


def varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def message(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def blob(array: NDArray[np.float32], layout: str) -> bytes:
    """A BlobProto by the format's own rules: of today, of old, with loose numbers, or with 64-bit ones."""
    if layout == "old":
        sizes = (1,) * (4 - array.ndim) + array.shape
        head = b"".join(varint(field << 3) + varint(size) for field, size in enumerate(sizes, 1))
    else:
        head = message(7, message(1, b"".join(varint(size) for size in array.shape)))
    if layout == "loose":
        return head + b"".join(
            varint(5 << 3 | 5) + number.tobytes() for number in array.astype("<f4").ravel()
        )
    if layout == "double":
        return head + message(8, array.astype("<f8").tobytes())
    return message(5, array.astype("<f4").tobytes()) + head  # fields may come in any order


def caffemodel(layers: Layers, layout: str) -> bytes:
    """A NetParameter, with what else such files hold: the network's name, layers without weights, types."""
    out = message(1, b"VGG-Places365")
    old = layout == "old"
    for name, blobs in {"data": [], **layers, "prob": []}.items():
        inner = message(4 if old else 1, name.encode())
        inner += varint(5 << 3) + varint(4) if old else message(2, b"Convolution")
        inner += b"".join(message(6 if old else 7, blob(array, layout)) for array in blobs)
        out += message(2 if old else 100, inner)
    return out


LAYOUTS = ["new", "old", "loose", "double"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layers_of_caffe(tmp_path: Path, layout: str) -> None:
    draw = np.random.default_rng(0)
    layers = {
        "conv": [draw.standard_normal((5, 3, 3, 3), np.float32), draw.standard_normal(5, np.float32)],
        "fc": [draw.standard_normal((300, 7), np.float32), draw.standard_normal(300, np.float32)],
    }
    (tmp_path / "w.caffemodel").write_bytes(caffemodel(layers, layout))
    read = read_layers(tmp_path / "w.caffemodel")
    assert list(read) == ["conv", "fc"]
    for name, blobs in layers.items():
        assert len(read[name]) == 2
        for found, expected in zip(read[name], blobs, strict=True):
            shape = (1,) * (4 - expected.ndim) + expected.shape if layout == "old" else expected.shape
            assert found.shape == shape and found.dtype == np.float32
            assert np.array_equal(found.ravel(), expected.ravel())


def test_numbers_are_windows_of_the_file_and_outlive_the_call(tmp_path: Path) -> None:
    weight = np.arange(70_000, dtype=np.float32)
    (tmp_path / "w").write_bytes(caffemodel({"fc": [weight]}, "new"))
    (found,) = read_layers(tmp_path / "w")["fc"]
    gc.collect()
    assert not found.flags.owndata and not found.flags.writeable and np.array_equal(found, weight)


@pytest.mark.parametrize("layout", ["new", "old"])
def test_damaged_files_of_caffe_give_one_sentence(tmp_path: Path, layout: str) -> None:
    whole = caffemodel({"fc": [np.ones((3, 4), np.float32)]}, layout)
    lied = caffemodel({"fc": [np.ones((3, 4), np.float32)]}, "new").replace(bytes([3, 4]), bytes([3, 5]))
    path = tmp_path / "w.caffemodel"
    cases = [
        whole[:-5],
        whole[: len(whole) // 2],
        b"\xff" * 40,
        b"hello, this is text",
        lied,
        message(1, b"VGG"),
    ]
    for damaged in cases:
        path.write_bytes(damaged)
        with pytest.raises(
            ValueError, match=r"w\.caffemodel: (damaged, or not a|no) network of Caffe"
        ) as error:
            read_layers(path)
        assert "\n" not in str(error.value)
    path.write_bytes(caffemodel({"fc": [np.ones(3, np.float32)]}, layout) * 2)
    with pytest.raises(ValueError, match="two layers are called 'fc'"):
        read_layers(path)


class Narrow(nn.Module):
    """torchvision's VGG-16 with few channels: the same names, the same depth."""

    def __init__(self) -> None:
        super().__init__()
        widths = [2, 3, "M", 4, 5, "M", 6, 7, 8, "M", 9, 10, 11, "M", 12, 13, 14, "M"]
        self.features = make_layers(widths)
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(14 * 49, 15), nn.ReLU(True), nn.Dropout(),
            nn.Linear(15, 16), nn.ReLU(True), nn.Dropout(), nn.Linear(16, 365),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.classifier(self.avgpool(self.features(x)).flatten(1))
        return scores


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> tuple[nn.Module, dict[str, list[NDArray[np.float32]]]]:
    """A trained narrow network, and its weights under Caffe's names; the recipe makes untrained ones like it."""
    torch.manual_seed(1)
    net = Narrow().eval()
    monkeypatch.setattr(vgg16_places365, "build", Narrow)
    parts = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    layers = {
        name: [part.weight.detach().numpy(), part.bias.detach().numpy()]
        for name, part in zip(DEPLOY, parts, strict=True)
    }
    return net, layers


def equal(a: nn.Module, b: nn.Module) -> bool:
    x, y = a.state_dict(), b.state_dict()
    return x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x)


@pytest.mark.parametrize("layout", ["new", "old"])
def test_every_layer_goes_to_its_place(
    tmp_path: Path, narrow: tuple[nn.Module, dict[str, list[NDArray[np.float32]]]], layout: str
) -> None:
    net, layers = narrow
    backwards = dict(reversed(layers.items()))  # names decide, not the order
    (tmp_path / "w.caffemodel").write_bytes(caffemodel(backwards, layout))
    model = load_model("vgg16-places365", weights=tmp_path / "w.caffemodel")
    assert equal(model.net, net)
    assert (model.layer, model.units, model.map_size) == ("features.29", 14, (14, 14))
    assert model.layer_rectified and model.classes[60] == "bookstore" and len(model.classes) == 365
    assert model.name == "vgg16-places365" and "CSAILVision" in model.origin


def test_the_real_networks_places_have_the_shapes_of_the_deploy_file() -> None:
    with torch.device("meta"):
        from torchvision.models import vgg16

        state = vgg16(weights=None, num_classes=365).state_dict()
    shapes = {name: tuple(state[f"{ours}.weight"].shape) for name, ours in vgg16_places365._PLACES.items()}
    widths = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    expected = {name: (widths[i + 1], widths[i], 3, 3) for i, name in enumerate(DEPLOY[:13])}
    expected |= {"fc6": (4096, 512 * 7 * 7), "fc7": (4096, 4096), "fc8": (365, 4096)}
    assert shapes == expected
    assert 2 * len(shapes) == len(state)


def test_conversions_to_torchvisions_names(
    tmp_path: Path, narrow: tuple[nn.Module, dict[str, list[NDArray[np.float32]]]]
) -> None:
    net, _ = narrow
    save_file(net.state_dict(), tmp_path / "w.safetensors")
    torch.save({"state_dict": net.state_dict()}, tmp_path / "w.pth")
    for file in ("w.safetensors", "w.pth"):
        model = load_model("vgg16-places365", weights=tmp_path / file)
        assert equal(model.net, net) and model.weights.startswith(file)
        assert model.preprocess.channels == "BGR" and not model.preprocess.scale


def test_what_does_not_fit_is_named(
    tmp_path: Path, narrow: tuple[nn.Module, dict[str, list[NDArray[np.float32]]]]
) -> None:
    _, layers = narrow
    path = tmp_path / "w.caffemodel"

    def refused(changed: Layers, expected: str) -> None:
        path.write_bytes(caffemodel(changed, "new"))
        with pytest.raises(ValueError, match=expected) as error:
            load_model("vgg16-places365", weights=path)
        assert "\n" not in str(error.value)

    refused(
        {k: v for k, v in layers.items() if k != "conv3_2"},
        "one layer conv3_2 with weights, got none; those in",
    )
    refused({**layers, "fc8b": layers["fc8a"]}, "one layer fc8 with weights, got fc8a, fc8b")
    wide = [np.zeros((1365, 16), np.float32), np.zeros(1365, np.float32)]
    refused(
        {**layers, "fc8a": wide}, r"layer fc8a: expected a weight of \[365, 16\].*got \[1365, 16\], \[1365\]"
    )
    refused(
        {**layers, "fc6": layers["fc6"][:1]},
        r"layer fc6: expected a weight of .* and a bias of \[15\], got \[15, 686\]$",
    )
    turned = [layers["fc7"][0].T.copy(), layers["fc7"][1]]
    refused({**layers, "fc7": turned}, r"layer fc7: .*\[16, 15\].*got \[15, 16\]")


def pixels_of(image: Image.Image) -> NDArray[np.float64]:
    small = image.resize((256, 256), Image.Resampling.BILINEAR)
    return np.asarray(small, dtype=np.float64)[16:240, 16:240, ::-1].transpose(2, 0, 1)


def test_the_input_is_bgr_minus_the_mean_image(
    tmp_path: Path, narrow: tuple[nn.Module, dict[str, list[NDArray[np.float32]]]]
) -> None:
    _, layers = narrow
    (tmp_path / "w.caffemodel").write_bytes(caffemodel(layers, "new"))
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (200, 310, 3), dtype=np.uint8))
    draw = np.random.default_rng(2)
    means = [draw.random((3, 256, 256)).astype(np.float32) * 255 for _ in range(2)]

    without = load_model("vgg16-places365", weights=tmp_path / "w.caffemodel")
    expected = pixels_of(image) - np.array(MEAN_PIXEL)[:, None, None]
    # float32 of numbers up to 255
    np.testing.assert_allclose(without.preprocess(image).numpy(), expected, atol=1e-4)
    assert without.weights == "w.caffemodel, with the mean pixel of Places in place of its mean image"

    MEAN.path.parent.mkdir(parents=True)
    MEAN.path.write_bytes(blob(means[0], "old"))
    cached = load_model("vgg16-places365", weights=tmp_path / "w.caffemodel")
    expected = pixels_of(image) - means[0][:, 16:240, 16:240]
    np.testing.assert_allclose(cached.preprocess(image).numpy(), expected, atol=1e-4)
    assert cached.weights == "w.caffemodel"

    (tmp_path / MEAN.name).write_bytes(blob(means[1], "new"))
    beside = load_model("vgg16-places365", weights=tmp_path / "w.caffemodel")
    expected = pixels_of(image) - means[1][:, 16:240, 16:240]
    np.testing.assert_allclose(beside.preprocess(image).numpy(), expected, atol=1e-4)

    (tmp_path / MEAN.name).write_bytes(blob(np.ones((3, 20, 20), np.float32), "new"))
    with pytest.raises(ValueError, match="expected a mean image of 3×256×256"):
        load_model("vgg16-places365", weights=tmp_path / "w.caffemodel")


@pytest.mark.data
def test_the_mean_pixel_is_that_of_the_mean_image(data_dir: Path) -> None:
    from neuro_explain.recipes.caffe import read_mean

    image = read_mean(data_dir / "models" / "places365_squeezenet" / MEAN.name)
    # the constant has three decimals
    np.testing.assert_allclose(image.astype(np.float64).mean((1, 2)), MEAN_PIXEL, atol=5e-4)


def test_the_cache_is_looked_into(
    narrow: tuple[nn.Module, dict[str, list[NDArray[np.float32]]]],
) -> None:
    net, layers = narrow
    weights = cache.weights("vgg16_places365.caffemodel")
    with pytest.raises(FileNotFoundError, match="neuro-explain models fetch vgg16-places365") as error:
        load_model("vgg16-places365")
    assert str(weights.parent) in str(error.value) and "\n" not in str(error.value)
    assert not {e.name: e for e in list_models()}["vgg16-places365"].ready
    weights.parent.mkdir(parents=True)
    weights.write_bytes(caffemodel(layers, "new"))
    with pytest.raises(FileNotFoundError, match=r"put places365CNN_mean\.binaryproto of https"):
        load_model("vgg16-places365")
    MEAN.path.write_bytes(blob(np.ones((3, 256, 256), np.float32), "new"))
    assert equal(load_model("vgg16-places365").net, net)
    entry = {e.name: e for e in list_models()}["vgg16-places365"]
    assert entry.ready and str(weights.parent) in entry.weights


def test_random_weights(narrow: tuple[nn.Module, dict[str, list[NDArray[np.float32]]]]) -> None:
    model = load_model("vgg16-places365", weights="random")
    assert "random weights" in model.name and "never trained" in model.weights
    state: OrderedDict[str, torch.Tensor] = OrderedDict(model.net.state_dict())
    assert len(state) == 32
