"""The run against the definition, restated slowly, and against the dense form."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from probes import (
    Given,
    Integers,
    MemorySet,
    Slow,
    arrays_of,
    dissect_by_iou,
    giving,
    labelled_everywhere,
    no_layers,
    noise_set,
    random_labels,
    ranking,
    slow_best_images,
    slow_dissection,
    some_concepts,
    to_tensor,
)
from torch import Tensor, nn

from dissection import kept
from dissection.concepts import NO_LABEL, Concept, ConceptDataset, Labels, by_category
from dissection.images import squash
from dissection.kept import KeptMaps
from dissection.overlap import PackedLabels
from dissection.result import Dissection
from dissection.tally import Survey, count_all

OBJECT = frozenset({"object"})


def assert_equals(
    result: Dissection, slow: Slow, maps: np.ndarray[Any, Any], min_iou: float, count: int
) -> None:
    assert result.images == len(slow.images)
    assert result.images_left_out == len(maps) - len(slow.images)
    assert result.categories == tuple(slow.categories)
    assert result.threshold.tolist() == [float(t) for t in slow.threshold]
    assert result.peak.tolist() == [float(p) for p in slow.peak]
    assert result.intersection.tolist() == slow.intersection
    assert result.activation_area.tolist() == slow.activation_area
    assert result.concept_area.tolist() == slow.concept_area
    assert result.concept_images.tolist() == slow.concept_images
    assert result.category_area.tolist() == slow.category_area
    assert result.active_pixels.tolist() == slow.active_pixels
    for name, row in zip(result, slow.iou, strict=True):
        order = ranking(row)
        assert name.best == (result.concepts[order[0]] if order else None)
        assert name.iou == (float(row[order[0]]) if order else None)
        assert name.runner_up == (result.concepts[order[1]] if len(order) > 1 else None)
        named = bool(order) and row[order[0]] >= Fraction(str(min_iou))
        assert name.concept == (name.best if named else None)
    expected = slow_best_images(maps, slow, count)
    assert result.best_images == tuple((u, r, f"images/{i:04d}.png", p) for u, r, i, p in expected)
    assert set(result.exemplars) == {u for u, *_ in expected}


def activations(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Integers, so that every sum is exact; ties are the point of most kinds."""
    if kind == "few levels":
        values = rng.integers(0, 4, shape)
    elif kind == "saturated":  # ReLU6: a plateau at 6 that is often T_k itself
        values = rng.integers(-3, 14, shape).clip(0, 6)
    elif kind == "all equal":
        values = np.full(shape, rng.integers(-2, 3))
    elif kind == "sparse":
        values = rng.integers(1, 50, shape) * (rng.random(shape) < 0.1)
    elif kind == "negative":
        values = rng.integers(-90, 0, shape)
    else:
        values = rng.integers(-1000, 1000, shape)
    dead = rng.random(shape[1]) < 0.2
    values[:, dead] = 0
    return values.astype(np.float64)


# Map sides and label sizes whose bilinear weights are binary fractions: float32 is exact, ties included.
GRIDS = [
    *((h, w, s) for h in (1, 2, 4) for w in (1, 2, 4) for s in (1, 2, 4, 8)),
    *((3, 3, 3), (3, 6, 6), (6, 3, 12), (3, 12, 6), (5, 5, 10), (7, 7, 7)),
]


@settings(max_examples=70, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["few levels", "saturated", "all equal", "sparse", "negative", "wide"]),
    grid=st.sampled_from(GRIDS),
    images=st.integers(1, 6),
    units=st.integers(1, 4),
    concepts=st.integers(1, 6),
    categories=st.integers(1, 3),
    quantile=st.sampled_from(["0.005", "0.04", "0.1", "0.25", "0.5", "0.95"]),
    min_iou=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    batch_size=st.integers(1, 4),
    workers=st.integers(1, 3),
    memory=st.sampled_from([1, 700, 1 << 20]),
    exemplars=st.integers(0, 3),
)
def test_dissect_is_the_definition_to_the_last_integer(
    seed: int,
    kind: str,
    grid: tuple[int, int, int],
    images: int,
    units: int,
    concepts: int,
    categories: int,
    quantile: str,
    min_iou: float,
    batch_size: int,
    workers: int,
    memory: int,
    exemplars: int,
) -> None:
    rng, (height, width, size) = np.random.default_rng(seed), grid
    known = some_concepts(concepts, categories)
    labels = [random_labels(rng, known, size) for _ in range(images)]
    maps = activations(rng, kind, (images, units, height, width))
    dataset = MemorySet(known, labels)
    assert isinstance(dataset, ConceptDataset)
    options: dict[str, Any] = {
        "quantile": float(quantile),
        "label_size": size,
        "min_iou": min_iou,
        "exemplars": exemplars,
        "batch_size": batch_size,
        "workers": workers,
        "memory": memory,
    }
    preprocess = giving(torch.from_numpy(maps).float())
    if all(one.empty for one in labels):
        with pytest.raises(ValueError, match=f"none of the {images} images"):
            dissect_by_iou(Given(), "maps", preprocess, dataset, **options)
        return
    result = dissect_by_iou(Given(), "maps", preprocess, dataset, **options)
    assert_equals(result, slow_dissection(maps, labels, known, quantile, size), maps, min_iou, exemplars)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    size=st.integers(1, 11),
    images=st.integers(1, 5),
)
def test_dissect_is_the_definition_on_grids_of_any_shape(
    seed: int, height: int, width: int, size: int, images: int
) -> None:
    rng, known = np.random.default_rng(seed), some_concepts(4, 2)
    labels = [random_labels(rng, known, size, unlabelled=0) for _ in range(images)]
    assume(not all(one.empty for one in labels))
    maps = rng.integers(-500, 500, (images, 3, height, width)).astype(np.float64)
    slow = slow_dissection(maps, labels, known, "0.1", size)
    assume(not slow.near_tie)
    result = dissect_by_iou(
        Given(),
        "maps",
        giving(torch.from_numpy(maps).float()),
        MemorySet(known, labels),
        quantile=0.1,
        label_size=size,
    )
    assert_equals(result, slow, maps, 0.05, 4)


@pytest.mark.parametrize(
    ("batch_size", "workers", "memory"), [(1, 1, 1), (3, 2, 3_000), (8, 3, 20_000), (50, 1, 1 << 30)]
)
def test_the_result_does_not_depend_on_batches_threads_or_memory(
    batch_size: int, workers: int, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = some_concepts(6, 3)

    def run(**options: Any) -> Dissection:
        return dissect_by_iou(
            Integers(), "last", to_tensor, noise_set(20, 8, known), quantile=0.05, label_size=8, **options
        )

    first = run()
    monkeypatch.setattr(kept, "_FIRST_PRUNE", 1_000)
    other = run(batch_size=batch_size, workers=workers, memory=memory)
    assert arrays_of(first) == arrays_of(other)
    assert first.units == other.units
    assert first.best_images == other.best_images
    assert dict(first.exemplars) == dict(other.exemplars)
    assert first.fingerprint == other.fingerprint


def test_the_result_equals_the_dense_form_on_a_real_network() -> None:
    known, size, quantile = some_concepts(6, 3), 8, 0.05
    dataset, net = noise_set(20, size, known), Integers().eval()
    result = dissect_by_iou(net, "last", to_tensor, dataset, quantile=quantile, label_size=size)

    used = [i for i in range(20) if not dataset.labels(i, size).empty]
    with torch.no_grad():
        inputs = torch.stack([to_tensor(dataset.image(i)) for i in used])
        maps = net.last(F.relu(net.conv(inputs)))
    values = maps.transpose(0, 1).flatten(1).sort(dim=1, descending=True).values
    threshold = values[:, int(Fraction(str(quantile)) * values.shape[1])]
    full = F.interpolate(maps.double(), (size, size), mode="bilinear", align_corners=False)
    mask = (full > threshold[:, None, None]).long()
    categories, category_of = by_category(known)
    one_hot = torch.zeros(len(used), len(known), size, size, dtype=torch.int64)
    carries = torch.zeros(len(used), len(categories), dtype=torch.int64)
    for row, i in enumerate(used):
        labels = dataset.labels(i, size)
        for c in range(len(known)):
            one_hot[row, c] = (
                int(c in labels.whole) | torch.from_numpy((labels.layers == c).any(axis=0)).long()
            )
        carries[row] = torch.tensor([int(name in labels.categories) for name in categories])
    assert result.threshold.tolist() == threshold.tolist()
    assert result.intersection.tolist() == torch.einsum("nuyx,ncyx->uc", mask, one_hot).tolist()
    assert result.activation_area.tolist() == torch.einsum("nuyx,nk->uk", mask, carries).tolist()
    assert result.concept_area.tolist() == one_hot.sum(dim=(0, 2, 3)).tolist()
    assert result.category_of.tolist() == category_of.tolist()


def run_given(
    maps: np.ndarray[Any, Any], *, size: int = 4, quantile: float = 0.005, **options: Any
) -> Dissection:
    known = [Concept(f"thing {i}", "object") for i in range(3)]
    dataset = MemorySet(known, [labelled_everywhere(3, size)] * len(maps))
    preprocess = giving(torch.from_numpy(maps).float())
    return dissect_by_iou(Given(), "maps", preprocess, dataset, label_size=size, quantile=quantile, **options)


def test_a_plateau_at_the_threshold_is_inactive() -> None:
    maps = np.zeros((2, 3, 4, 4))
    maps[:, 0] = 6  # saturated everywhere
    maps[0, 1, :2] = 6  # saturated on a quarter of all positions, more than q allows
    maps[0, 2, 0, 0] = 6  # one position; ⌊0.1 · 32⌋ = 3 others lie at T_k = 0
    result = run_given(maps, quantile=0.1)
    assert result.threshold.tolist() == [6, 6, 0]
    assert result.active_pixels.tolist() == [0, 0, 1]
    assert [name.note for name in result] == ["", "", "threshold <= 0"]
    assert [name.best is None for name in result] == [True, True, False]
    assert set(result.exemplars) == {2}


def test_dead_units_are_called_so() -> None:
    maps = np.zeros((1, 3, 2, 2))
    maps[0, 1] = -1
    maps[0, 2] = 1
    result = run_given(maps)
    assert [name.note for name in result] == ["dead", "dead", ""]
    assert result.named == 0
    assert result.best_images == ()
    assert dict(result.exemplars) == {}


def test_few_positions_make_the_threshold_the_largest_value() -> None:
    maps = np.arange(16.0).reshape(1, 1, 4, 4)  # ⌊0.005 · 16⌋ = 0
    result = run_given(maps)
    assert result.threshold.tolist() == [15.0]
    assert result.active_pixels.tolist() == [0]
    assert result.units[0].best is None


def test_one_image_one_unit_one_concept_one_cell() -> None:
    dataset = MemorySet([Concept("all", "object")], [Labels(no_layers(1), (0,), OBJECT)], size=(1, 1))
    result = dissect_by_iou(Given(), "maps", lambda _image: torch.ones(1, 1, 1), dataset, label_size=1)
    assert (result.threshold.tolist(), result.peak.tolist()) == ([1.0], [1.0])
    assert (result.map_size, result.images, result.concept_area.tolist()) == ((1, 1), 1, [1])


def test_images_without_labels_are_left_out_before_anything_is_counted() -> None:
    maps = np.full((3, 1, 2, 2), 1.0)
    maps[1] = 1000.0  # the unlabelled image fires most
    empty = Labels(np.full((1, 2, 2), NO_LABEL, np.int32), (), OBJECT)
    labels = [labelled_everywhere(1, 2), empty, labelled_everywhere(1, 2)]
    dataset = MemorySet([Concept("thing", "object")], labels)
    result = dissect_by_iou(Given(), "maps", giving(torch.from_numpy(maps).float()), dataset, label_size=2)
    assert (result.images, result.images_left_out) == (2, 1)
    assert result.peak.tolist() == [1.0]
    assert result.category_area.tolist() == [8]
    assert 1 not in dataset.images_read  # nobody looks at its photograph


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float32])
def test_images_go_to_the_network_in_its_own_precision(dtype: torch.dtype) -> None:
    rng, known = np.random.default_rng(5), some_concepts(4, 2)
    labels = [random_labels(rng, known, 4, unlabelled=0) for _ in range(5)] + [labelled_everywhere(1, 4)]
    labels[-1] = Labels(labels[-1].layers, (), frozenset({known[0].category}))
    maps = rng.integers(0, 120, (6, 3, 2, 2)).astype(np.float64)  # exact in eight bits of mantissa
    net = Given().to(dtype)
    result = dissect_by_iou(
        net,
        "maps",
        giving(torch.from_numpy(maps).float()),
        MemorySet(known, labels),
        label_size=4,
        quantile=0.2,
    )
    assert {seen for seen, _ in net.seen} == {dtype}
    assert result.threshold.dtype == result.peak.dtype == np.float32
    assert_equals(result, slow_dissection(maps, labels, known, "0.2", 4), maps, 0.05, 4)


def test_the_first_floating_parameter_decides_and_a_network_may_have_none() -> None:
    class Mixed(Given):
        def __init__(self) -> None:
            super().__init__()
            del self.scale
            self.scale = torch.ones(())
            self.number = nn.Parameter(torch.zeros(1, dtype=torch.int64), requires_grad=False)

    net = Mixed()
    run = run_given(np.random.default_rng(0).integers(0, 9, (2, 2, 2, 2)).astype(float))
    dataset = MemorySet(list(run.concepts), [labelled_everywhere(3, 4)] * 2)
    maps = torch.from_numpy(np.random.default_rng(0).integers(0, 9, (2, 2, 2, 2)))
    result = dissect_by_iou(net, "maps", giving(maps.double()), dataset, label_size=4)
    assert {dtype for dtype, _ in net.seen} == {torch.float32}
    assert arrays_of(result) == arrays_of(run)


def test_unlabelled_images_do_not_thin_the_batches() -> None:
    empty = Labels(no_layers(2), (), OBJECT)
    labels = [labelled_everywhere(1, 2) if i % 3 == 0 else empty for i in range(30)]
    net = Given()
    result = dissect_by_iou(
        net, "maps", giving(torch.ones(30, 1, 2, 2)), MemorySet([Concept("a", "object")], labels),
        label_size=2, batch_size=4,
    )  # fmt: skip
    assert [count for _, count in net.seen] == [4, 4, 2]
    assert (result.images, result.images_left_out) == (10, 20)


def test_tiny_and_extreme_images() -> None:
    class Sizes(MemorySet):
        def image(self, index: int) -> Image.Image:
            return Image.new("RGB", [(1, 1), (1, 500), (500, 1), (3, 2)][index], (index * 60, 7, 7))

    def preprocess(image: Image.Image) -> Tensor:
        pixels = torch.from_numpy(np.asarray(squash(image, 16)).astype(np.float32)).permute(2, 0, 1)
        return pixels + torch.arange(256.0).reshape(1, 16, 16) / 1000

    dataset = Sizes([Concept("a", "object")], [labelled_everywhere(1, 8)] * 4)
    result = dissect_by_iou(Integers(), "last", preprocess, dataset, label_size=8, quantile=0.3)
    assert result.images == 4
    assert all(Image.open(io.BytesIO(picture)).height == 96 for picture in result.exemplars.values())


def test_forty_images_and_sixty_four_units() -> None:
    rng, known = np.random.default_rng(9), some_concepts(20, 3)
    labels = [random_labels(rng, known, 28) for _ in range(40)]
    maps = torch.from_numpy(rng.random((40, 64, 7, 7))).float()
    result = dissect_by_iou(Given(), "maps", giving(maps), MemorySet(known, labels), label_size=28)
    assert len(result) == 64
    index = int(Fraction("0.005") * result.images * 49)
    assert result.summary()["positions"] == result.images * 49
    used = [i for i, one in enumerate(labels) if not one.empty]
    expected = maps[used].transpose(0, 1).flatten(1).sort(dim=1, descending=True).values[:, index]
    assert result.threshold.tolist() == expected.tolist()
    assert (result.intersection <= result.activation_area[:, result.category_of]).all()
    assert (result.intersection <= result.concept_area).all()
    assert (result.activation_area <= result.active_pixels[:, None]).all()


def test_a_survey_can_be_fed_without_a_network(tmp_path: Path) -> None:
    rng, known = np.random.default_rng(2), some_concepts(5, 2)
    labels = [random_labels(rng, known, 4, unlabelled=0) for _ in range(9)]
    labels = [one for one in labels if not one.empty]
    maps = rng.integers(0, 9, (len(labels), 3, 2, 2)).astype(np.float64)
    # Announced were more images than came: T_k follows from those that came.
    survey, kept = Survey(3, (2, 2), 100, quantile=0.2), KeptMaps(1, tmp_path)
    packed = [PackedLabels.pack(one, 4, *by_category(known)) for one in labels]
    for start in range(0, len(labels), 2):
        some = torch.from_numpy(maps[start : start + 2]).float()
        kept.add(survey.add(range(start, start + len(some)), some, packed[start : start + 2]), survey.bound)
    counted: list[int] = []
    threshold = survey.threshold()
    count = count_all(survey.best, kept, known, 4, threshold, done=counted.append)
    slow = slow_dissection(maps, labels, known, "0.2", 4)
    assert threshold.tolist() == [float(t) for t in slow.threshold]
    assert count.overlap.intersection.tolist() == slow.intersection
    assert sum(counted) == len(labels)


@pytest.mark.data
def test_two_real_images_with_textures_and_colours(data_dir: Path) -> None:
    from dissection.readers import open_concepts

    opened = open_concepts([f"coco:{data_dir / 'coco_panoptic256'}", "colors"])

    class First(MemorySet):
        def image(self, index: int) -> Image.Image:
            return opened.image(index)

        def image_id(self, index: int) -> str:
            return opened.image_id(index)

    size = 16
    labels = [opened.labels(i, size) for i in range(3)]
    dataset = First(opened.concepts, labels)
    inputs = torch.stack([to_tensor(opened.image(i)) for i in range(3)])
    net = Integers().eval()
    with torch.no_grad():
        maps = net.last(F.relu(net.conv(inputs))).double().numpy()
    slow = slow_dissection(maps, labels, list(opened.concepts), "0.05", size)
    result = dissect_by_iou(net, "last", to_tensor, dataset, label_size=size, quantile=0.05)
    assert result.intersection.tolist() == slow.intersection
    assert result.activation_area.tolist() == slow.activation_area
    assert result.concept_area.tolist() == slow.concept_area
