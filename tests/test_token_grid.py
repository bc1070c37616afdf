"""The image's tokens are found by the patch embedding, and the layer by what the score still reads."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_nets import State, images
from torch import Tensor, nn
from torchvision.models import VisionTransformer

from dissection.recording import record
from neuro_explain.gradcam import grad_cam
from neuro_explain.token_grid import TokenLayer, find_token_layer


class Attention(nn.Module):
    """One head; `values` is a container, and must not pass for a layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)  # of the queries, as some have it
        self.values = nn.Sequential(nn.Linear(width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        weights = (self.norm(tokens) @ tokens.transpose(1, 2)).softmax(dim=2)
        return weights @ self.values(tokens)


class ResidualAttentionBlock(nn.Module):
    """Pre-norm, named as in CLIP; returns a tuple if it is told to."""

    def __init__(self, width: int, *, pair: bool = False) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.pair = pair

    def forward(self, tokens: Any) -> Any:
        tokens = tokens[0] if isinstance(tokens, tuple) else tokens
        tokens = tokens + self.attn(self.norm1(tokens))
        tokens = tokens + self.mlp(self.norm2(tokens))
        return (tokens, None) if self.pair else tokens


class Tower(nn.Module):
    """Patches, `others` tokens before them, blocks, perhaps a last normalisation."""

    def __init__(
        self,
        patch: tuple[int, int] = (4, 4),
        others: int = 1,
        *,
        width: int = 6,
        last: bool = True,
        pair: bool = False,
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, stride=patch)
        self.others = nn.Parameter(torch.randn(1, others, width))
        self.blocks = nn.Sequential(*(ResidualAttentionBlock(width, pair=pair) for _ in range(2)))
        self.last = nn.LayerNorm(width) if last else None

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = self.blocks(torch.cat([self.others.expand(len(x), -1, -1), tokens], dim=1))
        tokens = tokens[0] if isinstance(tokens, tuple) else tokens
        return tokens if self.last is None else self.last(tokens)


class Whole(nn.Module):
    """A tower, and a head that reads its first token, its mean, or all of it."""

    def __init__(self, read: str, **options: Any) -> None:
        super().__init__()
        self.tower = Tower(**options)
        self.read = read
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.tower(x)
        return self.head(tokens[:, 0] if self.read == "class" else tokens.mean(dim=1))


def found_in(net: Whole, x: Tensor, **options: Any) -> TokenLayer:
    net.eval()
    return find_token_layer(lambda: net(x), net.tower, **options)


@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize(
    ("read", "last", "name"),
    [
        ("class", True, "blocks.1.norm1"),
        ("class", False, "blocks.1.norm1"),
        ("mean", True, "last"),
        ("mean", False, "blocks.1"),
    ],
)
def test_the_last_layer_whose_image_tokens_are_read(read: str, last: bool, name: str, pair: bool) -> None:
    net = Whole(read, last=last, pair=pair)
    state = State(net.eval())
    found = found_in(net, images(size=(8, 12)))
    state.assert_same()
    assert (found.name, found.map_size, found.units, found.others) == (f"{name}+2x3", (2, 3), 6, 1)
    assert f"{name}+2x3: the last layer" in found.reason
    assert "6 units of 2×3, behind 1 other token" in found.reason
    cam = grad_cam(net, images(size=(8, 12)), [0, 1], layer=f"tower.{found.name}")
    assert cam.map.shape == (2, 2, 3)
    assert float(cam.alpha.abs().amin(dim=1).min()) > 0


def test_what_comes_behind_is_really_not_read() -> None:
    net, x = Whole("class").eval(), images(size=(8, 12))
    want = net(x)
    for layer, same in (
        ("last", True),
        ("blocks.1", True),
        ("blocks.1.norm2", True),
        ("blocks.1.norm1", False),
    ):
        with record(net.tower, f"{layer}+2x3", edit=lambda maps: maps + torch.randn_like(maps)):
            got = net(x)
        assert torch.allclose(got, want) is same, layer


@settings(max_examples=40)
@given(
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 4),
    st.integers(1, 2),
)
def test_the_grid_is_the_images_in_patches(
    h: int, w: int, high: int, wide: int, others: int, count: int
) -> None:
    net = Whole("mean", patch=(high, wide), others=others)
    x = torch.randn(count, 3, h * high, w * wide)
    if h * w == 1:
        with pytest.raises(ValueError, match="no convolution of the image tower makes patches"):
            found_in(net, x)
        return
    found = found_in(net, x)
    assert (found.map_size, found.others) == ((h, w), others)
    # Cell (i, j) is the patch (i, j): another picture there changes, before any block, that cell alone.
    layer = f"blocks.0.norm1+{h}x{w}"
    with torch.no_grad(), record(net.tower, layer) as before:
        net(x)
    i, j = h - 1, w // 2
    other = x.clone()
    other[:, :, i * high : (i + 1) * high, j * wide : (j + 1) * wide] *= -1
    with torch.no_grad(), record(net.tower, layer) as after:
        net(other)
    changed = (before.output != after.output).any(dim=1)
    assert changed.nonzero().tolist() == [[n, i, j] for n in range(count)]


def test_a_named_layer_gets_its_grid() -> None:
    net, x = Whole("class"), images(size=(8, 12))
    found = found_in(net, x, layer="blocks.0")
    assert found == TokenLayer(
        "blocks.0+2x3", "blocks.0+2x3: as given, 6 units of 2×3, behind 1 other token", (2, 3), 6, 1
    )
    assert found_in(net, x, layer="blocks.0+3x2").map_size == (3, 2)
    assert found_in(net, x, layer="blocks.0+1x7").others == 0


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("block.0", "did you mean"),
        ("patches", r"layer 'patches' puts out a Tensor, expected tokens"),
        ("blocks.0+4x2", r"layer 'blocks\.0\+4x2' puts out \[2, 7, 6\], expected tokens"),
    ],
)
def test_named_layers_without_the_grid_are_refused(layer: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        found_in(Whole("class"), images(size=(8, 12)), layer=layer)


def test_a_layer_that_runs_twice_is_passed_over_and_refused_by_name() -> None:
    net = Whole("mean")
    last = net.tower.last
    assert last is not None
    net.tower.forward = lambda x: last(last(Tower.forward(net.tower, x)))  # type: ignore[method-assign]
    x = images(size=(8, 12))
    assert found_in(net, x).name == "blocks.1+2x3"
    with pytest.raises(ValueError, match="layer 'last' runs 3 times in one forward pass, expected once"):
        found_in(net, x, layer="last")


def test_several_grids_are_an_error_that_lists_them() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fine, self.coarse = nn.Conv2d(3, 6, 2, stride=2), nn.Conv2d(3, 6, 4, stride=4)
            self.norm = nn.LayerNorm(6)

        def forward(self, x: Tensor) -> Tensor:
            maps = [self.fine(x).flatten(2), self.coarse(x).flatten(2)]
            return self.norm(torch.cat(maps, dim=2).transpose(1, 2)).sum(dim=1)

    net = Two()
    with pytest.raises(
        ValueError, match=r"several convolutions .* fine \(4x6\), coarse \(2x3\); name a layer"
    ):
        find_token_layer(lambda: net(images(size=(8, 12))), net)
    found = find_token_layer(lambda: net(images(size=(8, 12))), net, layer="norm+2x3")
    assert (found.map_size, found.others) == ((2, 3), 24)


def test_a_stem_of_several_convolutions_is_one_patch_embedding() -> None:
    net = Whole("mean")
    net.tower.patches = nn.Sequential(  # type: ignore[assignment]
        nn.Conv2d(3, 6, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, stride=2, padding=1),
        nn.Conv2d(6, 6, 1),
    )
    assert found_in(net, images(size=(8, 12))).name == "last+2x3"


def test_convolutional_networks_have_no_tokens() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    with pytest.raises(ValueError, match=r"no convolution .* '.*\+14x14'"):
        find_token_layer(lambda: net(images()), net)


def test_a_score_that_does_not_read_the_tower_is_an_error() -> None:
    net, x = Whole("mean").eval(), images(size=(8, 12))
    with pytest.raises(ValueError, match="the score depends on none of the 9 layers"):
        find_token_layer(lambda: net(x).detach(), net.tower)
    with pytest.raises(ValueError, match="run: expected a function that returns a floating-point tensor"):
        find_token_layer(lambda: net(x).argmax(1), net.tower)


def test_a_sum_that_never_changes_does_not_hide_the_layer() -> None:
    net, x = Whole("mean").eval(), images(size=(8, 12))
    assert find_token_layer(lambda: nn.functional.layer_norm(net(x), [3]), net.tower).name == "last+2x3"


def test_torchvision() -> None:
    net = VisionTransformer(image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32)
    nn.init.normal_(net.heads.head.weight)
    found = find_token_layer(lambda: net(images(size=(32, 32))), net.eval())
    assert (found.name, found.others) == ("encoder.layers.encoder_layer_1.ln_1+4x4", 1)


@pytest.mark.parametrize(
    ("pool", "name", "registers"), [("token", "blocks.1.norm1+2x5", 0), ("avg", "norm+2x5", 3)]
)
def test_timm_with_registers_on_an_image_that_is_not_square(pool: str, name: str, registers: int) -> None:
    net = timm.models.vision_transformer.VisionTransformer(
        img_size=(16, 40),
        patch_size=8,
        embed_dim=16,
        depth=2,
        num_heads=2,
        num_classes=4,
        global_pool=pool,
        reg_tokens=registers,
        fc_norm=False,
        weight_init="jax",
    ).eval()
    nn.init.normal_(net.head.weight)
    found = find_token_layer(lambda: net(images(size=(16, 40))), net)
    assert (found.name, found.others) == (name, 1 + registers)
