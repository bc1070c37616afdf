"""Over twenty worlds whose units are known: detectors are named, and what is named is hardly ever chance."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1]))  # benchmarks are not installed
import neuro_explain as nx
from benchmarks.significance import IN_JOINED, NOISE, Outcome, Scenes, Sets, outcomes
from dissection.summary import chance_lines, summary_of

# one worker, so that the worlds are made once
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("significance calibration")]

WORLDS, IMAGES = 20, 60
UNITS = {
    "half": (40, dict.fromkeys(NOISE, 10)),
    "one in ten": (6, dict.fromkeys(NOISE, 14)),
    "none": (0, dict.fromkeys(NOISE, 15)),
    "shuffled": (40, {}),
    "joined, half": (40, dict.fromkeys(IN_JOINED, 9)),
    "joined, none": (0, dict.fromkeys(IN_JOINED, 12)),
}
CHANCE = ("none", "shuffled", "joined, none")  # nothing can be found in these
RULES = ("IoU and q", "q alone")


@pytest.fixture(scope="module")
def worlds() -> dict[tuple[str, str], list[Outcome]]:
    """What each rule names in each world."""
    found: dict[tuple[str, str], list[Outcome]] = {}
    for seed in range(WORLDS):
        scenes = Scenes(seed, IMAGES)
        for about, (planted, noise) in UNITS.items():
            sets: Sets = "joined" if about.startswith("joined") else "one"
            units = scenes.units(planted, noise, shuffled=about == "shuffled", sets=sets)
            assert len(units.truth) == planted + sum(noise.values())
            for rule, one in outcomes(units, seed=seed).items():
                found.setdefault((rule, about), []).append(one)
    return found


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    # in joined sets a label is on half of the images: 30 are few
    ("about", "power"),
    [("half", 0.9), ("one in ten", 0.8), ("joined, half", 0.65)],
)
def test_detectors_are_named_and_false_names_are_few(
    worlds: dict[tuple[str, str], list[Outcome]], rule: str, about: str, power: float
) -> None:
    ours = worlds[rule, about]
    false = np.array([one.false for one in ours])
    assert len(false) == WORLDS
    assert false.mean() <= 0.05 + 3 * false.std(ddof=1) / np.sqrt(WORLDS)
    assert np.mean([one.power for one in ours]) >= power


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("about", CHANCE)
def test_where_nothing_can_be_found_hardly_a_world_has_a_name(
    worlds: dict[tuple[str, str], list[Outcome]], rule: str, about: str
) -> None:
    with_names = sum(one.names > 0 for one in worlds[rule, about])
    assert with_names <= WORLDS * (0.05 + 3 * np.sqrt(0.05 * 0.95 / WORLDS))


@pytest.mark.parametrize("about", CHANCE)
def test_iou_alone_names_noise(worlds: dict[tuple[str, str], list[Outcome]], about: str) -> None:
    """So the worlds are no easy ones."""
    named = [
        np.mean([share for name, share in one.noise.items() if name != "blue"])
        for one in worlds["IoU alone", about]
    ]
    assert np.mean(named) > 0.4


def test_joined_sets_share_no_label_and_some_noise_knows_which_is_which() -> None:
    """Were they taken for one set, to know the set would be enough for a name: so the worlds are no easy ones."""
    images, each = 200, 15  # on fewer the control has no power
    scenes, noise = Scenes(0, images), dict.fromkeys(IN_JOINED, each)
    units = scenes.units(0, noise, sets="joined")
    at, labels = units.cells.labels().nonzero()
    second = at >= images // 2 * len(units.cells.pixels)
    assert not set(labels[second]) & set(labels[~second]) and len(set(labels)) > 20
    assert [len(places) for places in units.cells.sources()] == [images // 2, images // 2]
    image, _, unit, _ = units.cells.masks()
    marked = unit >= 4 * each
    for which in (0, 1):  # every third unit fires on one half alone
        assert set((image >= images // 2)[marked & (unit % each % 3 == which)]) == {bool(which)}
    assert outcomes(units)["q alone"].noise["marked"] <= 0.05
    taken = scenes.units(0, noise, sets="joined, taken for one")
    assert len(taken.cells.sources()) == 1
    assert outcomes(taken)["q alone"].noise["marked"] > 0.5


def dissected(model: str, weights: str | None, *concepts: str) -> nx.Dissection:
    return nx.dissect(
        nx.load_model(model, weights=weights), nx.open_concepts(concepts), exemplars=0, progress=False
    )


def test_a_network_that_was_never_trained_is_nearly_all_unnamed() -> None:
    """Of 128 units each: 2 have a name in the random network, 126 in the trained one."""
    random = dissected("diorama-scenes", "random", "diorama:7:200")
    trained = dissected("diorama-scenes", None, "diorama:7:200")
    assert len(random) == len(trained) == 128
    assert random.named <= 0.05 * 128 and trained.named >= 0.8 * 128
    (line,) = chance_lines(random)
    told = summary_of(random)["chance"]
    # a single unit that stands out above all values of the pool: 128 ÷ (1 + 128 × 100) if all are active
    assert (
        told["smallest_q"] == pytest.approx(0.01, abs=1e-4) and "that of a single one could be 0.01;" in line
    )
    assert "coarse cells put IoU off by" in line
    assert 0 < told["coarse_error"] < 0.01


@pytest.mark.data
def test_no_unit_of_a_random_network_is_named_after_photographs(data_dir: Path) -> None:
    """SqueezeNet, 512 units, 200 photographs: 0 have a name."""
    random = dissected("squeezenet-places365", "random", f"coco:{data_dir / 'coco_panoptic256'}")
    assert len(random) == 512 and random.images == 200
    assert random.named <= 0.01 * 512
