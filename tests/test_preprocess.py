"""Preprocessing against torchvision's and timm's own transforms, and crops against counted pixels."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from neuro_explain.preprocess import PRESETS, Preprocess, preprocess_named

SIZES = [(1, 1), (3, 500), (333, 257), (256, 256), (224, 301), (641, 479), (255, 254), (90, 61)]


def noise(size: tuple[int, int], seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "weights",
    [
        "ResNet18_Weights.IMAGENET1K_V1",
        "ResNet50_Weights.IMAGENET1K_V2",
        "EfficientNet_B3_Weights.IMAGENET1K_V1",
        "Inception_V3_Weights.IMAGENET1K_V1",
        "EfficientNet_V2_S_Weights.IMAGENET1K_V1",
        "Swin_V2_T_Weights.IMAGENET1K_V1",
    ],
)
def test_equals_torchvision_presets_bit_by_bit(weights: str, size: tuple[int, int]) -> None:
    from torchvision.models import get_weight

    from neuro_explain.recipes.torchvision_nets import preprocess_of

    weight = get_weight(weights)
    image = noise(size)
    ours = preprocess_of(weight)(image)
    assert ours.dtype == torch.float32
    assert torch.equal(ours, weight.transforms()(image))


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 120),
    height=st.integers(1, 120),
    resize=st.one_of(st.integers(1, 90), st.tuples(st.integers(1, 90), st.integers(1, 90))),
    h=st.integers(1, 90),
    w=st.integers(1, 90),
    interpolation=st.sampled_from(["nearest", "bilinear", "bicubic"]),
)
def test_geometry_equals_torchvision(
    width: int, height: int, resize: int | tuple[int, int], h: int, w: int, interpolation: str
) -> None:
    from torchvision.transforms import CenterCrop, Compose, InterpolationMode, PILToTensor, Resize

    image = noise((width, height))
    filter_ = InterpolationMode(interpolation)
    theirs = Compose([Resize(resize, filter_), CenterCrop((h, w)), PILToTensor()])(image)
    recipe = Preprocess((h, w), resize, interpolation, scale=False, mean=(0, 0, 0), std=(1, 1, 1))  # type: ignore[arg-type]
    assert torch.equal(recipe(image), theirs.float())


@pytest.mark.parametrize("name", ["resnet50.a1_in1k", "tf_efficientnet_lite0.in1k", "convnext_atto.d2_in1k"])
@pytest.mark.parametrize("size", [(333, 257), (100, 641), (224, 224)])
def test_equals_timm_transforms(name: str, size: tuple[int, int]) -> None:
    timm = pytest.importorskip("timm")
    from neuro_explain.recipes.timm_nets import preprocess_of

    config = timm.data.resolve_data_config({}, pretrained_cfg=timm.get_pretrained_cfg(name).to_dict())
    image = noise(size)
    assert torch.equal(preprocess_of(config)(image), timm.data.create_transform(**config)(image))


def test_timm_squash_mode() -> None:
    timm = pytest.importorskip("timm")
    from neuro_explain.recipes.timm_nets import preprocess_of

    config = {
        "input_size": (3, 64, 96),
        "interpolation": "bicubic",
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
        "crop_pct": 0.9,
        "crop_mode": "squash",
    }
    image = noise((131, 77))
    assert torch.equal(preprocess_of(config)(image), timm.data.create_transform(**config)(image))
    for bad in (config | {"crop_mode": "border"}, config | {"crop_mode": "center"}):
        with pytest.raises(ValueError, match="crop_mode"):
            preprocess_of(bad)


def test_values_follow_the_formula() -> None:
    image = noise((8, 6))
    rgb = torch.from_numpy(np.array(image)).permute(2, 0, 1).double()
    mean_image = torch.rand(3, 6, 8, dtype=torch.float64) * 255
    recipe = Preprocess(
        (6, 8), (6, 8), channels="BGR", scale=False, mean=(1, 2, 3), std=(4, 5, 6), mean_image=mean_image
    )
    mean = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)[:, None, None]
    std = torch.tensor([4.0, 5.0, 6.0], dtype=torch.float64)[:, None, None]
    expected = (rgb[[2, 1, 0]] - mean_image - mean) / std
    # float32 holds values up to 255 to 1.5e-5; three operations
    torch.testing.assert_close(recipe(image).double(), expected, rtol=1e-6, atol=5e-5)


def test_caffe_preset_by_hand() -> None:
    image = Image.new("RGB", (300, 300), (10, 20, 30))
    shown = PRESETS["caffe-227"](image)
    assert shown.shape == (3, 227, 227)
    expected = torch.tensor([30 - 103.939, 20 - 116.779, 10 - 123.68])
    torch.testing.assert_close(shown[:, 5, 5], expected, rtol=1e-6, atol=1e-5)


def test_probe_shows_the_whole_image() -> None:
    image = noise((300, 100))
    recipe = Preprocess((32, 48), 60, "bicubic")
    squashed = image.resize((48, 32), Image.Resampling.BILINEAR)
    # a recipe without cropping at that size normalises alike
    assert torch.equal(recipe.probe(image), Preprocess((32, 48), (32, 48))(squashed))


def seen_columns(recipe: Preprocess, width: int, height: int) -> set[int]:
    """Which columns of the original contribute to the input: paint each with its own number, and look."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, :, 0] = np.arange(1, width + 1)
    shown = recipe(Image.fromarray(pixels))
    return {int(v) - 1 for v in shown[0].flatten().tolist() if v > 0}


@settings(max_examples=60, deadline=None)
@given(width=st.integers(1, 200), height=st.integers(1, 200), side=st.integers(1, 64), zoom=st.integers(1, 4))
def test_crop_holds_exactly_the_pixels_seen(width: int, height: int, side: int, zoom: int) -> None:
    # The nearest filter takes the pixel under each sample's centre: what is seen must lie in the rectangle,
    # and with an enlargement (every original pixel sampled) nothing in the rectangle's inside is missing.
    resize = max(1, min(width, height) * zoom)
    recipe = Preprocess((side, side), resize, "nearest", scale=False, mean=(0, 0, 0), std=(1, 1, 1))
    left, top, right, bottom = recipe.crop((width, height))
    seen = seen_columns(recipe, width, height)
    inside = {x for x in range(width) if x + 1 > left + 1e-9 and x < right - 1e-9}
    assert seen <= inside
    whole = {x for x in inside if x >= left - 1e-9 and x + 1 <= right + 1e-9}
    assert whole <= seen
    # the scale is that of the resizing, and the crop as large as the input
    rw, rh = (
        (resize, int(resize * height / width)) if width <= height else (int(resize * width / height), resize)
    )
    assert right - left == pytest.approx(side * width / rw)
    assert bottom - top == pytest.approx(side * height / rh)


@pytest.mark.parametrize(
    ("recipe", "size", "expected"),
    [
        (Preprocess(), (256, 256), (16, 16, 240, 240)),
        (Preprocess(), (512, 512), (32, 32, 480, 480)),
        (Preprocess((224, 224), (256, 256)), (512, 256), (32, 16, 480, 240)),
        (Preprocess((4, 4), 2), (2, 2), (-1, -1, 3, 3)),
        (Preprocess((4, 4), 3), (3, 3), (0, 0, 4, 4)),
        (Preprocess((2, 2), 5), (5, 5), (2, 2, 4, 4)),
    ],
)
def test_crop_by_hand(recipe: Preprocess, size: tuple[int, int], expected: tuple[int, ...]) -> None:
    assert recipe.crop(size) == expected


def test_crop_of_a_squash_without_cropping_is_the_image() -> None:
    assert Preprocess((224, 224), (224, 224)).crop((641, 333)) == (0, 0, 641, 333)


def test_describe_is_json_and_decides_equality() -> None:
    a = Preprocess(mean_image=torch.ones(3, 224, 224))
    b = Preprocess(mean_image=torch.ones(3, 224, 224))
    assert json.loads(json.dumps(a.describe())) == a.describe()
    assert a == b and hash(a) == hash(b)
    assert a != Preprocess() and a != Preprocess(mean_image=torch.zeros(3, 224, 224))
    assert Preprocess() == PRESETS["imagenet"]


def test_the_callers_mean_image_is_copied() -> None:
    mean_image = torch.zeros(3, 224, 224)
    recipe = Preprocess(mean_image=mean_image)
    mean_image += 7
    assert recipe == Preprocess(mean_image=torch.zeros(3, 224, 224))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"input_size": (0, 224)}, "input_size: expected"),
        ({"input_size": 224}, "input_size: expected"),
        ({"input_size": (224.0, 224)}, "input_size: expected"),
        ({"resize": 0}, "resize: expected"),
        ({"resize": True}, "resize: expected"),
        ({"resize": (1, 2, 3)}, "resize: expected"),
        ({"interpolation": "cubic"}, "interpolation: expected one of .*bicubic"),
        ({"channels": "rgb"}, "channels: expected one of RGB, BGR"),
        ({"mean": (0.1, 0.2)}, "mean: expected three"),
        ({"mean": (0.1, 0.2, float("nan"))}, "mean: expected three"),
        ({"std": (1, 0, 1)}, "std: expected three numbers above 0"),
        ({"std": (1, "1", 1)}, "std: expected three"),
        ({"mean_image": torch.zeros(3, 10, 10)}, r"mean_image: .*\[3, 224, 224\].*\[3, 10, 10\]"),
        ({"mean_image": torch.full((3, 224, 224), float("inf"))}, "mean_image: expected finite"),
    ],
)
def test_bad_numbers_are_named(bad: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Preprocess(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "I;16"])
def test_other_modes_are_refused(mode: str) -> None:
    with pytest.raises(ValueError, match=f"got mode {mode}"):
        Preprocess()(Image.new(mode, (10, 10)))
    with pytest.raises(ValueError, match=f"got mode {mode}"):
        Preprocess().probe(Image.new(mode, (10, 10)))


def test_an_endless_strip_is_refused_before_it_fills_the_memory() -> None:
    with pytest.raises(ValueError, match="cut out the part"):
        Preprocess()(Image.new("RGB", (10_000, 1)))


def test_presets_by_name() -> None:
    assert preprocess_named("caffe") is PRESETS["caffe"]
    with pytest.raises(ValueError, match="did you mean 'imagenet'"):
        preprocess_named("ImageNet1k")
