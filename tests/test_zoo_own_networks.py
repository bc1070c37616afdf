"""Networks from the user's own code: `package.module:callable`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from neuro_explain.model import Model
from neuro_explain.preprocess import Preprocess
from neuro_explain.zoo import load_model


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


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module `own_nets` in the current folder, which is not on the path."""
    (tmp_path / "own_nets.py").write_text(
        "import neuro_explain.model as m, neuro_explain.preprocess as p\n"
        "from torch import nn\n"
        "def net():\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), "
        "nn.Linear(4, 2))\n"
        "def model():\n"
        "    return m.Model(net(), preprocess=p.Preprocess((16, 16), 16), classes=['a', 'b'], name='mine')\n"
        "def plain():\n"
        "    return m.Model(net(), preprocess=p.Preprocess((16, 16), 16))\n"
        "def asked():\n"
        "    return m.Model(net(), preprocess=p.Preprocess((16, 16), 16), layer='0')\n"
        "def needs(size): return None\n"
        "def nothing(): return None\n"
        "number = 3\n"
    )
    (tmp_path / "own_broken.py").write_text("import a_library_that_is_missing\n")
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    yield tmp_path
    assert sys.path == path
    for module in ("own_nets", "own_broken"):
        sys.modules.pop(module, None)


def test_a_callable_of_your_own(own: Path) -> None:
    model = load_model("own_nets:model")
    assert isinstance(model, Model) and (model.name, model.classes, model.layer) == ("mine", ("a", "b"), "1")
    assert load_model("own_nets:model", layer="0").layer == "0"
    bare = load_model("own_nets:net", preprocess=Preprocess((16, 16), 16), classes=["x", "y"])
    assert (bare.name, bare.classes, bare.net.training) == ("own_nets:net", ("x", "y"), False)


def test_what_a_callable_left_open_is_said_to_be_found(own: Path) -> None:
    found, asked = load_model("own_nets:plain"), load_model("own_nets:asked")
    assert found.layer_reason.startswith("1: the last spatial map before pooling") and not found.layer_given
    assert asked.layer_reason.startswith("0: as given") and asked.layer_given
    # not "Sequential", which both are
    assert (found.name, asked.name) == ("own_nets:plain", "own_nets:asked")


def test_weights_for_a_callable_of_your_own(own: Path) -> None:
    net = saved(own / "w.safetensors", load_model("own_nets:model").net)
    model = load_model("own_nets:model", weights=own / "w.safetensors")
    assert equal(model.net, net) and model.weights == "w.safetensors"
    saved(own / "other.pth", nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"other\.pth does not fit Sequential"):
        load_model("own_nets:model", weights=own / "other.pth")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_nets:net", "is not known: let the callable return a neuro_explain.Model, or give preprocess="),
        ("own_nets:modle", "own_nets has no 'modle'; did you mean model"),
        ("own_netz:model", "there is no module 'own_netz', neither installed nor in the current folder"),
        ("own_nets.inner:model", "there is no module 'own_nets.inner'"),
        ("own_nets:needs", "expected a callable without arguments, this one needs size"),
        ("own_nets:nothing", "expected the callable to return .* got a NoneType"),
        ("own_nets:number", "expected a callable without arguments, got a int"),
        ("own nets:model", "expected package.module:callable"),
        (":model", "expected package.module:callable"),
    ],
)
def test_what_is_wrong_with_a_callable(own: Path, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_model(name)
    with pytest.raises(ValueError, match="weights= takes a file here"):
        load_model("own_nets:model", weights="random")


def test_a_library_that_the_users_module_misses_is_the_users_error(own: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_missing"):
        load_model("own_broken:model")
