"""Everything around the counting: bad input, failures in the middle, threads, the caller's settings."""

from __future__ import annotations

import threading
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from probes import (
    Given,
    Integers,
    MemorySet,
    arrays_of,
    dissect_by_iou,
    giving,
    hooks,
    labelled_everywhere,
    no_layers,
    noise_set,
    number_of,
    some_concepts,
    to_tensor,
)
from torch import Tensor, nn

from dissection.concepts import Concept, Labels
from dissection.result import Dissection

OBJECT = frozenset({"object"})


def run_given(
    maps: np.ndarray[Any, Any], *, size: int = 4, quantile: float = 0.005, **options: Any
) -> Dissection:
    known = [Concept(f"thing {i}", "object") for i in range(3)]
    dataset = MemorySet(known, [labelled_everywhere(3, size)] * len(maps))
    preprocess = giving(torch.from_numpy(maps).float())
    return dissect_by_iou(Given(), "maps", preprocess, dataset, label_size=size, quantile=quantile, **options)


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
def test_options_outside_their_range_stop_it_before_any_image_is_read(
    options: dict[str, Any], message: str
) -> None:
    dataset = MemorySet([Concept("thing", "object")], [labelled_everywhere(1, 4)])
    with pytest.raises(ValueError, match=message):
        dissect_by_iou(
            Given(), "maps", giving(torch.ones(1, 1, 2, 2)), dataset, **{"label_size": 4, **options}
        )
    assert not dataset.images_read and not dataset.labels_read


def test_sets_with_nothing_to_name() -> None:
    preprocess = giving(torch.ones(1, 1, 2, 2))
    with pytest.raises(ValueError, match="no concepts"):
        dissect_by_iou(Given(), "maps", preprocess, MemorySet([], [labelled_everywhere(0 + 1, 4)]))
    with pytest.raises(ValueError, match="none of the 0 images"):
        dissect_by_iou(Given(), "maps", preprocess, MemorySet([Concept("a", "object")], []))
    unlabelled = Labels(no_layers(4), (), OBJECT)
    with pytest.raises(ValueError, match="none of the 2 images"):
        dissect_by_iou(Given(), "maps", preprocess, MemorySet([Concept("a", "object")], [unlabelled] * 2))
    with pytest.raises(ValueError, match=r"a \(object\) stands there 2 times"):
        dissect_by_iou(Given(), "maps", preprocess, MemorySet([Concept("a", "object")] * 2, [unlabelled]))


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
        ("unused", "layer 'unused' did not run"),
        ("twice", "layer 'twice' runs more than once"),
        ("twcie", "layer 'twcie' is not in Shapes: did you mean twice"),
    ],
)
def test_a_layer_without_maps(layer: str, message: str) -> None:
    dataset = MemorySet([Concept("a", "object")], [labelled_everywhere(1, 4)] * 2)
    net = Shapes()
    with pytest.raises(ValueError, match=message):
        dissect_by_iou(net, layer, giving(torch.ones(2, 3, 2, 2)), dataset, label_size=4)
    assert hooks(net) == 0


def test_a_map_that_changes_its_size_is_refused() -> None:
    dataset = MemorySet([Concept("a", "object")], [labelled_everywhere(1, 4)] * 2)

    def preprocess(image: Image.Image) -> Tensor:
        return torch.ones(1, 2, 2 + number_of(image))

    with pytest.raises(ValueError, match=r"shape \[1, 1, 2, 2\].*got \[1, 1, 2, 3\].*same size"):
        dissect_by_iou(Given(), "maps", preprocess, dataset, label_size=4, batch_size=1)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            Labels(np.full((1, 4, 4), 7, np.int32), (), OBJECT),
            r"images/0001\.png: labels: expected concept numbers",
        ),
        (Labels(no_layers(4), (-1,), OBJECT), r"images/0001\.png: labels: expected concept numbers"),
        (
            Labels(np.zeros((1, 5, 5), np.int32), (), OBJECT),
            r"images/0001\.png: labels: expected 4 × 4 pixels",
        ),
        (
            Labels(no_layers(4), (0,), frozenset({"scene"})),
            r"images/0001\.png: labels: there are labels of object",
        ),
    ],
)
def test_labels_that_cannot_be_counted_name_the_image(labels: Labels, message: str) -> None:
    dataset = MemorySet([Concept("a", "object")], [labelled_everywhere(1, 4), labels])
    with pytest.raises(ValueError, match=message):
        dissect_by_iou(Given(), "maps", giving(torch.ones(2, 1, 2, 2)), dataset, label_size=4)


class Trouble(Exception):
    """What a broken data set raises."""


@pytest.mark.parametrize("error", [Trouble, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["image", "network"])
def test_a_failure_in_the_middle_leaves_everything_as_it_was(
    tmp_path: Path, error: type[BaseException], where: str
) -> None:
    known = some_concepts(4, 2)
    dataset, net = noise_set(100, 8, known), Integers()
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
        dissect_by_iou(
            net,
            "last",
            to_tensor,
            dataset,
            label_size=8,
            quantile=0.5,
            batch_size=4,
            memory=1,
            scratch=tmp_path,
        )
    assert list(tmp_path.iterdir()) == []
    assert hooks(net) == 0
    assert {name: module.training for name, module in net.named_modules()} == modes
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    assert torch.is_grad_enabled()
    assert threading.active_count() == threads
    assert max(dataset.images_read) < 75  # it did not go on reading


def test_spilled_files_are_there_during_the_run_and_gone_after_it(tmp_path: Path) -> None:
    known, seen = some_concepts(4, 2), []
    dataset = noise_set(24, 8, known)

    def look(_index: int) -> None:
        seen.append(len(list(tmp_path.glob(".dissecting-*/0/kept-*.bin"))))

    dataset.before_image = look
    net = Integers().train()
    dissect_by_iou(
        net, "last", to_tensor, dataset, label_size=8, quantile=0.5, batch_size=2, memory=1, scratch=tmp_path
    )
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
        dissect_by_iou(
            Integers(), "last", to_tensor, dataset, label_size=8, memory=1, scratch=tmp_path, quantile=0.1
        )
    assert list(tmp_path.iterdir()) == []


def test_each_image_is_read_once_and_exemplars_once_more() -> None:
    dataset = noise_set(30, 8, some_concepts(4, 2))
    result = dissect_by_iou(
        Integers(),
        "last",
        to_tensor,
        dataset,
        label_size=8,
        quantile=0.1,
        batch_size=4,
        workers=3,
        exemplars=2,
    )
    used = {i for i in range(30) if not dataset.answers[i].empty}
    drawn = {int(Path(image).stem) for _, _, image, _ in result.best_images}
    drawn |= {int(Path(image).stem) for _, _, _, image, _, _ in result.witnesses}
    assert result.witnesses and set(dataset.images_read) == used
    assert {i for i, count in dataset.images_read.items() if count == 2} == drawn
    assert max(dataset.images_read.values()) == 2
    assert dataset.labels_read == dict.fromkeys(range(30), 1)
    without = noise_set(30, 8, some_concepts(4, 2))
    dissect_by_iou(Integers(), "last", to_tensor, without, label_size=8, quantile=0.1, exemplars=0)
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

    class Sleeping(Given):
        def forward(self, x: Tensor) -> Tensor:
            time.sleep(0.005)  # the readers run as far ahead as they may
            return super().forward(x)

    dataset = MemorySet([Concept("a", "object")], [labelled_everywhere(1, 2)] * 40)
    net = Sleeping()
    dissect_by_iou(
        net, "maps", preprocess, dataset, label_size=2, batch_size=batch_size, workers=workers, exemplars=0
    )
    assert most <= 2 * batch_size + workers
    assert alive == 0
    assert sum(count for _, count in net.seen) == 40
    assert {count for _, count in net.seen[:-1]} == {batch_size}  # batches are full


@pytest.mark.parametrize("setting", ["inference", "no_grad", "float64"])
def test_the_caller_s_settings_change_nothing(setting: str) -> None:
    known = some_concepts(6, 3)

    def run() -> Dissection:
        return dissect_by_iou(
            Integers(), "last", to_tensor, noise_set(9, 8, known), quantile=0.1, label_size=8
        )

    plain = run()
    if setting == "float64":
        torch.set_default_dtype(torch.float64)
        try:
            other = run()
        finally:
            torch.set_default_dtype(torch.float32)
    else:
        with torch.inference_mode() if setting == "inference" else torch.no_grad():
            other = run()
    assert arrays_of(plain) == arrays_of(other)
    assert {k: getattr(other, k).dtype for k in arrays_of(other)} == {
        k: getattr(plain, k).dtype for k in arrays_of(plain)
    }
    assert plain.best_images == other.best_images


def test_progress_bars_are_shown_only_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    run_given(np.ones((2, 1, 2, 2)))
    run_given(np.ones((2, 1, 2, 2)), progress=False)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
