"""The run against the definition, restated slowly; and everything that may go wrong around it."""

from __future__ import annotations

import threading
import time
import weakref
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
    MemorySet,
    Slow,
    arrays_of,
    giving,
    labelled_everywhere,
    no_layers,
    number_of,
    random_labels,
    ranking,
    slow_best_images,
    slow_dissection,
    some_concepts,
)
from torch import Tensor, nn

from dissection import kept
from dissection.concepts import NO_LABEL, Concept, ConceptDataset, Labels
from dissection.dissect import Tally, dissect
from dissection.images import squash
from dissection.overlap import PackedLabels, by_category
from dissection.result import Dissection

OBJECT = frozenset({"object"})


def assert_equals(result: Dissection, slow: Slow, maps: np.ndarray[Any, Any], min_iou: float, count: int) -> None:
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


@settings(max_examples=120, deadline=None)
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
            dissect(Given(), "maps", preprocess, dataset, **options)
        return
    result = dissect(Given(), "maps", preprocess, dataset, **options)
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
    result = dissect(
        Given(), "maps", giving(torch.from_numpy(maps).float()), MemorySet(known, labels), quantile=0.1, label_size=size
    )
    assert_equals(result, slow, maps, 0.05, 4)


class Integers(nn.Module):
    """A small real network with whole-number weights, so that its output does not depend on the batch."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.conv = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.drop = nn.Dropout(0.5)
        self.last = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        for module in (self.conv, self.last):
            module.weight.data = torch.randint(-2, 3, module.weight.shape, generator=generator).float()
            module.bias.data = torch.randint(-2, 3, module.bias.shape, generator=generator).float()

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu_(self.last(self.drop(F.relu(self.conv(x)))))  # in place: whoever keeps no copy sees zeros
        return x.amax(dim=(2, 3))


def noise_set(images: int, size: int, known: list[Concept], seed: int = 0) -> MemorySet:
    class Noise(MemorySet):
        def image(self, index: int) -> Image.Image:
            super().image(index)
            pixels = np.random.default_rng([seed, index]).integers(0, 8, (9, 13, 3), dtype=np.uint8)
            return Image.fromarray(pixels)

    rng = np.random.default_rng(seed)
    return Noise(known, [random_labels(rng, known, size) for _ in range(images)])


def to_tensor(image: Image.Image) -> Tensor:
    pixels = np.asarray(image.resize((16, 16), Image.Resampling.NEAREST))
    return torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)


@pytest.mark.parametrize(
    ("batch_size", "workers", "memory"), [(1, 1, 1), (3, 2, 3_000), (8, 3, 20_000), (50, 1, 1 << 30)]
)
def test_the_result_does_not_depend_on_batches_threads_or_memory(
    batch_size: int, workers: int, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = some_concepts(6, 3)

    def run(**options: Any) -> Dissection:
        return dissect(
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
    result = dissect(net, "last", to_tensor, dataset, quantile=quantile, label_size=size)

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
            one_hot[row, c] = int(c in labels.whole) | torch.from_numpy((labels.layers == c).any(axis=0)).long()
        carries[row] = torch.tensor([int(name in labels.categories) for name in categories])
    assert result.threshold.tolist() == threshold.tolist()
    assert result.intersection.tolist() == torch.einsum("nuyx,ncyx->uc", mask, one_hot).tolist()
    assert result.activation_area.tolist() == torch.einsum("nuyx,nk->uk", mask, carries).tolist()
    assert result.concept_area.tolist() == one_hot.sum(dim=(0, 2, 3)).tolist()
    assert result.category_of.tolist() == category_of.tolist()


def run_given(maps: np.ndarray[Any, Any], *, size: int = 4, quantile: float = 0.005, **options: Any) -> Dissection:
    known = [Concept(f"thing {i}", "object") for i in range(3)]
    dataset = MemorySet(known, [labelled_everywhere(3, size)] * len(maps))
    preprocess = giving(torch.from_numpy(maps).float())
    return dissect(Given(), "maps", preprocess, dataset, label_size=size, quantile=quantile, **options)


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
    result = dissect(Given(), "maps", lambda _image: torch.ones(1, 1, 1), dataset, label_size=1)
    assert (result.threshold.tolist(), result.peak.tolist()) == ([1.0], [1.0])
    assert (result.map_size, result.images, result.concept_area.tolist()) == ((1, 1), 1, [1])


def test_images_without_labels_are_left_out_before_anything_is_counted() -> None:
    maps = np.full((3, 1, 2, 2), 1.0)
    maps[1] = 1000.0  # the unlabelled image fires most
    empty = Labels(np.full((1, 2, 2), NO_LABEL, np.int32), (), OBJECT)
    labels = [labelled_everywhere(1, 2), empty, labelled_everywhere(1, 2)]
    dataset = MemorySet([Concept("thing", "object")], labels)
    result = dissect(Given(), "maps", giving(torch.from_numpy(maps).float()), dataset, label_size=2)
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
    result = dissect(
        net, "maps", giving(torch.from_numpy(maps).float()), MemorySet(known, labels), label_size=4, quantile=0.2
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
    result = dissect(net, "maps", giving(maps.double()), dataset, label_size=4)
    assert {dtype for dtype, _ in net.seen} == {torch.float32}
    assert arrays_of(result) == arrays_of(run)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_value_that_is_not_finite_names_the_image(bad: float) -> None:
    maps = np.ones((9, 2, 2, 2))
    maps[5, 1, 0, 1] = bad
    with pytest.raises(ValueError, match=r"layer 'maps' puts out NaN or infinity on images/0005\.png"):
        run_given(maps, batch_size=4)
    maps[5, 1, 1, 1] = -bad  # the two must not cancel
    with pytest.raises(ValueError, match=r"images/0005\.png"):
        run_given(maps, batch_size=4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantile": 0.0}, "quantile"),
        ({"quantile": 1.0}, "quantile"),
        ({"quantile": -0.1}, "quantile"),
        ({"quantile": float("nan")}, "quantile"),
        ({"min_iou": -0.01}, "min_iou: expected 0 to 1, got -0.01"),
        ({"min_iou": 1.01}, "min_iou"),
        ({"min_iou": float("nan")}, "min_iou"),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"workers": 0}, "workers: expected at least 1, got 0"),
        ({"exemplars": -1}, "exemplars: expected at least 0, got -1"),
        ({"memory": 0}, "memory: expected at least 1, got 0"),
        ({"label_size": 0}, "label_size: expected 1 to 4096 pixels, got 0"),
        ({"label_size": 5000}, "label_size"),
    ],
)
def test_options_outside_their_range_stop_it_before_any_image_is_read(options: dict[str, Any], message: str) -> None:
    dataset = MemorySet([Concept("thing", "object")], [labelled_everywhere(1, 4)])
    with pytest.raises(ValueError, match=message):
        dissect(Given(), "maps", giving(torch.ones(1, 1, 2, 2)), dataset, **{"label_size": 4, **options})
    assert not dataset.images_read and not dataset.labels_read


def test_sets_with_nothing_to_name() -> None:
    preprocess = giving(torch.ones(1, 1, 2, 2))
    with pytest.raises(ValueError, match="no concepts"):
        dissect(Given(), "maps", preprocess, MemorySet([], [labelled_everywhere(0 + 1, 4)]))
    with pytest.raises(ValueError, match="none of the 0 images"):
        dissect(Given(), "maps", preprocess, MemorySet([Concept("a", "object")], []))
    unlabelled = Labels(no_layers(4), (), OBJECT)
    with pytest.raises(ValueError, match="none of the 2 images"):
        dissect(Given(), "maps", preprocess, MemorySet([Concept("a", "object")], [unlabelled] * 2))
    with pytest.raises(ValueError, match=r"a \(object\) stands there 2 times"):
        dissect(Given(), "maps", preprocess, MemorySet([Concept("a", "object")] * 2, [unlabelled]))


class Shapes(nn.Module):
    """Layers that put out things that are no maps."""

    def __init__(self) -> None:
        super().__init__()
        self.flat = nn.Flatten()
        self.twice = nn.Identity()
        self.folded = nn.Identity()
        self.unused = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        self.twice(x), self.twice(x)
        self.folded(torch.cat([x, x]))
        return self.flat(x)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("flat", r"layer 'flat' puts out \[2, 12\] for 2 images, expected maps \[N, U, h, w\]"),
        ("folded", r"layer 'folded' puts out \[4, 3, 2, 2\] for 2 images"),
        ("twice", "layer 'twice' runs more than once"),
        ("twcie", "layer 'twcie' is not in Shapes: did you mean twice"),
    ],
)
def test_a_layer_without_maps(layer: str, message: str) -> None:
    dataset = MemorySet([Concept("a", "object")], [labelled_everywhere(1, 4)] * 2)
    net = Shapes()
    with pytest.raises(ValueError, match=message):
        dissect(net, layer, giving(torch.ones(2, 3, 2, 2)), dataset, label_size=4)
    assert hooks(net) == 0


def test_a_map_that_changes_its_size_is_refused() -> None:
    dataset = MemorySet([Concept("a", "object")], [labelled_everywhere(1, 4)] * 2)

    def preprocess(image: Image.Image) -> Tensor:
        return torch.ones(1, 2, 2 + number_of(image))

    with pytest.raises(ValueError, match=r"shape \[1, 1, 2, 2\].*got \[1, 1, 2, 3\].*same size"):
        dissect(Given(), "maps", preprocess, dataset, label_size=4, batch_size=1)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (Labels(np.full((1, 4, 4), 7, np.int32), (), OBJECT), r"images/0001\.png: labels: expected concept numbers"),
        (Labels(no_layers(4), (-1,), OBJECT), r"images/0001\.png: labels: expected concept numbers"),
        (Labels(np.zeros((1, 5, 5), np.int32), (), OBJECT), r"images/0001\.png: labels: expected 4 × 4 pixels"),
        (Labels(no_layers(4), (0,), frozenset({"scene"})), r"images/0001\.png: labels: there are labels of object"),
    ],
)
def test_labels_that_cannot_be_counted_name_the_image(labels: Labels, message: str) -> None:
    dataset = MemorySet([Concept("a", "object")], [labelled_everywhere(1, 4), labels])
    with pytest.raises(ValueError, match=message):
        dissect(Given(), "maps", giving(torch.ones(2, 1, 2, 2)), dataset, label_size=4)


def hooks(net: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in net.modules())


class Trouble(Exception):
    """What a broken data set raises."""


@pytest.mark.parametrize("error", [Trouble, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["image", "network"])
def test_a_failure_in_the_middle_leaves_everything_as_it_was(
    tmp_path: Path, error: type[BaseException], where: str
) -> None:
    known = some_concepts(4, 2)
    dataset, net = noise_set(60, 8, known), Integers()
    net.norm.eval()  # a frozen part stays frozen, the rest stays in training mode
    modes = {name: module.training for name, module in net.named_modules()}
    state = {name: value.clone() for name, value in net.state_dict().items()}
    threads = threading.active_count()
    calls = 0

    def at_37(index: int) -> None:
        if where == "image" and index >= 37:
            raise error("at image 37")

    class Stops(Integers):
        def forward(self, x: Tensor) -> Tensor:
            nonlocal calls
            calls += 1
            if where == "network" and calls == 9:
                raise error("in the network")
            assert list(tmp_path.iterdir()), "scratch lies in the folder that was given"
            return super().forward(x)

    net.__class__ = Stops
    dataset.before_image = at_37
    with pytest.raises(error):
        dissect(
            net, "last", to_tensor, dataset, label_size=8, quantile=0.5, batch_size=4, memory=1, scratch=tmp_path
        )
    assert list(tmp_path.iterdir()) == []
    assert hooks(net) == 0
    assert {name: module.training for name, module in net.named_modules()} == modes
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    assert torch.is_grad_enabled()
    assert threading.active_count() == threads
    assert max(dataset.images_read) < 60 - 4  # it did not go on reading


def test_spilled_files_are_there_during_the_run_and_gone_after_it(tmp_path: Path) -> None:
    known, seen = some_concepts(4, 2), []
    dataset = noise_set(24, 8, known)

    def look(_index: int) -> None:
        seen.append(len(list(tmp_path.glob(".dissecting-*/kept-*.bin"))))

    dataset.before_image = look
    net = Integers().train()
    dissect(net, "last", to_tensor, dataset, label_size=8, quantile=0.5, batch_size=2, memory=1, scratch=tmp_path)
    assert max(seen) > 3
    assert list(tmp_path.iterdir()) == []
    assert all(module.training for module in net.modules())
    assert hooks(net) == 0


def test_a_failure_while_drawing_cleans_up_too(tmp_path: Path) -> None:
    dataset = noise_set(12, 8, some_concepts(4, 2))

    def second_time(index: int) -> None:
        if dataset.images_read[index] == 2:
            raise Trouble

    dataset.before_image = second_time
    with pytest.raises(Trouble):
        dissect(Integers(), "last", to_tensor, dataset, label_size=8, memory=1, scratch=tmp_path, quantile=0.1)
    assert list(tmp_path.iterdir()) == []


def test_each_image_is_read_once_and_exemplars_once_more() -> None:
    dataset = noise_set(30, 8, some_concepts(4, 2))
    result = dissect(
        Integers(), "last", to_tensor, dataset, label_size=8, quantile=0.1, batch_size=4, workers=3, exemplars=2
    )
    used = {i for i in range(30) if not dataset.answers[i].empty}
    drawn = {int(Path(image).stem) for _, _, image, _ in result.best_images}
    assert set(dataset.images_read) == used
    assert {i for i, count in dataset.images_read.items() if count == 2} == drawn
    assert max(dataset.images_read.values()) == 2
    assert dataset.labels_read == {i: 1 for i in range(30)}
    without = noise_set(30, 8, some_concepts(4, 2))
    dissect(Integers(), "last", to_tensor, without, label_size=8, quantile=0.1, exemplars=0)
    assert max(without.images_read.values()) == 1


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 1), (3, 2), (4, 3)])
def test_few_prepared_images_are_alive_at_any_time(batch_size: int, workers: int) -> None:
    lock, alive, most = threading.Lock(), 0, 0

    def gone() -> None:
        nonlocal alive
        with lock:
            alive -= 1

    def preprocess(image: Image.Image) -> Tensor:
        nonlocal alive, most
        tensor = torch.full((1, 2, 2), float(number_of(image)))
        weakref.finalize(tensor, gone)
        with lock:
            alive += 1
            most = max(most, alive)
        return tensor

    class Slow(Given):
        def forward(self, x: Tensor) -> Tensor:
            time.sleep(0.005)  # the readers run as far ahead as they may
            return super().forward(x)

    dataset = MemorySet([Concept("a", "object")], [labelled_everywhere(1, 2)] * 40)
    net = Slow()
    dissect(net, "maps", preprocess, dataset, label_size=2, batch_size=batch_size, workers=workers, exemplars=0)
    assert most <= 2 * batch_size + workers
    assert alive == 0
    assert sum(count for _, count in net.seen) == 40
    assert {count for _, count in net.seen[:-1]} == {batch_size}  # batches are full


def test_unlabelled_images_do_not_thin_the_batches() -> None:
    empty = Labels(no_layers(2), (), OBJECT)
    labels = [labelled_everywhere(1, 2) if i % 3 == 0 else empty for i in range(30)]
    net = Given()
    result = dissect(
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
    result = dissect(Integers(), "last", preprocess, dataset, label_size=8, quantile=0.3)
    assert result.images == 4
    assert all(Image.open(__import__("io").BytesIO(picture)).height == 96 for picture in result.exemplars.values())


def test_forty_images_and_sixty_four_units() -> None:
    rng, known = np.random.default_rng(9), some_concepts(20, 3)
    labels = [random_labels(rng, known, 28) for _ in range(40)]
    maps = torch.from_numpy(rng.random((40, 64, 7, 7))).float()
    result = dissect(Given(), "maps", giving(maps), MemorySet(known, labels), label_size=28)
    assert len(result) == 64
    index = int(Fraction("0.005") * result.images * 49)
    assert result.summary()["positions"] == result.images * 49
    used = [i for i, one in enumerate(labels) if not one.empty]
    expected = maps[used].transpose(0, 1).flatten(1).sort(dim=1, descending=True).values[:, index]
    assert result.threshold.tolist() == expected.tolist()
    assert (result.intersection <= result.activation_area[:, result.category_of]).all()
    assert (result.intersection <= result.concept_area).all()
    assert (result.activation_area <= result.active_pixels[:, None]).all()


def test_progress_bars_are_shown_only_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    run_given(np.ones((2, 1, 2, 2)))
    run_given(np.ones((2, 1, 2, 2)), progress=False)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_a_tally_can_be_fed_without_a_network(tmp_path: Path) -> None:
    rng, known = np.random.default_rng(2), some_concepts(5, 2)
    labels = [random_labels(rng, known, 4, unlabelled=0) for _ in range(9)]
    labels = [one for one in labels if not one.empty]
    maps = rng.integers(0, 9, (len(labels), 3, 2, 2)).astype(np.float64)
    dataset = MemorySet(known, labels)
    # Announced were more images than came: T_k follows from those that came.
    tally = Tally(dataset, 3, (2, 2), 100, scratch=tmp_path, quantile=0.2, label_size=4, memory=1)
    packed = [PackedLabels.pack(one, 4, *by_category(known)) for one in labels]
    for start in range(0, len(labels), 2):
        tally.add(torch.from_numpy(maps[start : start + 2]).float(), packed[start : start + 2])
    counted: list[int] = []
    threshold = tally.finish(counted.append)
    slow = slow_dissection(maps, labels, known, "0.2", 4)
    assert threshold.tolist() == [float(t) for t in slow.threshold]
    assert tally.overlap.intersection.tolist() == slow.intersection
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
    result = dissect(net, "last", to_tensor, dataset, label_size=size, quantile=0.05)
    assert result.intersection.tolist() == slow.intersection
    assert result.activation_area.tolist() == slow.activation_area
    assert result.concept_area.tolist() == slow.concept_area
