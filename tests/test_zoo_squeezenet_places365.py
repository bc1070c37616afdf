"""The Places network: the original pickle, the mean image, and what is refused."""

from __future__ import annotations

import json
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from neuro_explain import cache
from neuro_explain.recipes import squeezenet_places365
from neuro_explain.recipes.caffe import read_mean
from neuro_explain.zoo import load_model


@pytest.fixture(autouse=True)
def _empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path_factory.mktemp("cache")))


def equal(a: nn.Module, b: nn.Module) -> bool:
    x, y = a.state_dict(), b.state_dict()
    return x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x)


def places_arrays(state: dict[str, torch.Tensor]) -> list[np.ndarray]:
    """Weights in the order and orientation of the original, from our network's."""
    arrays = []
    net = squeezenet_places365.SqueezeNetPlaces365()
    for name, _ in net.named_modules():
        if name.endswith(".conv"):
            unit = name.removesuffix(".conv")
            arrays += [state[f"{name}.weight"].flip(2, 3), state[f"{name}.bias"], state[f"{unit}.bn.bias"]]
            arrays += [state[f"{unit}.bn.weight"], state[f"{unit}.bn.running_mean"]]
            arrays.append(state[f"{unit}.bn.running_var"].double().rsqrt().float())
        elif name == "classifier.1":
            arrays += [state[f"{name}.weight"].flip(2, 3), state[f"{name}.bias"]]
    return [np.asarray(a) for a in arrays]


def varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def blob(image: np.ndarray, new: bool) -> bytes:
    """A BlobProto, written by the format's own rules."""
    if new:
        dims = b"".join(varint(d) for d in image.shape)
        head = varint(7 << 3 | 2) + varint(len(dims) + 1 + len(varint(len(dims))))
        head += varint(1 << 3 | 2) + varint(len(dims)) + dims
    else:
        sizes = (1, *image.shape)
        head = b"".join(varint(field << 3) + varint(size) for field, size in enumerate(sizes, 1))
    data = image.astype("<f4").tobytes()
    return head + varint(5 << 3 | 2) + varint(len(data)) + data


@pytest.mark.parametrize("new", [False, True])
def test_mean_images_of_caffe(tmp_path: Path, new: bool) -> None:
    image = np.random.default_rng(0).random((3, 5, 300)).astype(np.float32)
    (tmp_path / "mean.binaryproto").write_bytes(blob(image, new))
    assert np.array_equal(read_mean(tmp_path / "mean.binaryproto"), image)
    np.save(tmp_path / "mean.npy", image)
    assert np.array_equal(read_mean(tmp_path / "mean.npy"), image)
    whole = blob(image, new)
    for damaged in (whole[:-5], whole[:3], b"", b"\xff" * 30, b"hello there"):
        (tmp_path / "mean.binaryproto").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"mean\.binaryproto: damaged"):
            read_mean(tmp_path / "mean.binaryproto")
    (tmp_path / "mean.npy").write_bytes(pickle.dumps([1]))
    with pytest.raises(ValueError, match=r"mean\.npy: damaged"):
        read_mean(tmp_path / "mean.npy")


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, nn.Module]:
    """A pickle like the original's, with small changes to random weights, and a mean image beside it."""
    net = squeezenet_places365.SqueezeNetPlaces365().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean += torch.rand_like(module.running_mean)  # type: ignore[arg-type,operator]
    path = tmp_path / "squeezenet_weights_places365.params"
    arrays = places_arrays(dict(net.state_dict()))
    # as the original names NumPy's function
    path.write_bytes(pickle.dumps(arrays, protocol=3).replace(b"numpy._core.", b"numpy.core."))
    mean = np.random.default_rng(0).random((3, 256, 256)).astype(np.float32) * 255
    (tmp_path / "places365CNN_mean.binaryproto").write_bytes(blob(mean, new=False))
    return path, net


def test_the_original_pickle_is_read_without_running_it(places: tuple[Path, nn.Module]) -> None:
    path, net = places
    model = load_model("squeezenet-places365", weights=path)
    assert equal(model.net, net)
    assert (model.layer, model.units, model.map_size) == ("features.11", 512, (13, 13))
    assert not model.layer_rectified and "the block's output" in model.layer_reason
    assert model.class_index("bookstore") == 60 and len(model.classes) == 365
    assert "not one published" in model.origin and model.licence == "the file's own"


def test_places_input_by_the_formula(places: tuple[Path, nn.Module]) -> None:
    path, _ = places
    model = load_model("squeezenet-places365", weights=path)
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (200, 310, 3), dtype=np.uint8))
    pixels = np.asarray(image.resize((256, 256), Image.Resampling.BILINEAR), dtype=np.float64)
    mean = read_mean(path.parent / "places365CNN_mean.binaryproto").astype(np.float64)
    expected = (pixels[16:240, 16:240, ::-1].transpose(2, 0, 1) - mean[:, 16:240, 16:240]) / 255
    np.testing.assert_allclose(model.preprocess(image).numpy(), expected, atol=1e-6)


def test_a_places_pickle_that_asks_for_more_is_refused(
    places: tuple[Path, nn.Module], tmp_path: Path
) -> None:
    path, _ = places
    victim = tmp_path / "victim"

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.mkdir, (victim,))

    for content, message in [
        (pickle.dumps([Evil()]), r"refused, because it asks for \w+\."),
        (pickle.dumps([OrderedDict()]), "asks for collections.OrderedDict"),
        (pickle.dumps({"a": 1}), "expected a pickled list of float arrays, got a dict"),
        (pickle.dumps([np.array(["a"])]), "expected a pickled list of float arrays"),
        (pickle.dumps([np.ones(2)]), "expected 152 arrays, got 1"),
        (path.read_bytes()[:-100], "damaged"),
        (path.read_bytes()[:1], "damaged"),
    ]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            load_model("squeezenet-places365", weights=path)
    assert not victim.exists()


def test_the_mean_image_must_be_beside_the_weights(places: tuple[Path, nn.Module]) -> None:
    path, _ = places
    (path.parent / "places365CNN_mean.binaryproto").unlink()
    with pytest.raises(FileNotFoundError, match=r"put places365CNN_mean\.binaryproto or .*npy beside"):
        load_model("squeezenet-places365", weights=path)
    np.save(path.parent / "places365_mean_bgr_u8.npy", np.zeros((3, 100, 100), np.uint8))
    with pytest.raises(ValueError, match="expected a mean image of 3×256×256"):
        load_model("squeezenet-places365", weights=path)
    assert load_model("squeezenet-places365", weights="random").name.endswith("(random weights)")


@pytest.mark.data
def test_the_original_and_its_conversion_are_the_same_weights(data_dir: Path) -> None:
    folder = data_dir / "models" / "places365_squeezenet"
    original, converted = (
        load_model("squeezenet-places365", weights=folder / file)
        for file in ("squeezenet_weights_places365.params", "places365_squeezenet.safetensors")
    )
    assert equal(original.net, converted.net)
    assert original.preprocess == converted.preprocess
    assert original.origin == converted.origin == squeezenet_places365.SOURCE
    facts = json.loads((folder / "places365_squeezenet.json").read_text())
    assert tuple(c[3:] for c in facts["categories"]) == original.classes
