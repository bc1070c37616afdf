"""The bias story: what it does to the network, what it counts, and, on a small world, how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import neuro_explain as nx
from dissection.artifact import ArtifactError
from neuro_explain.cli import run
from neuro_explain.diorama.networks import SceneNet
from neuro_explain.diorama.tasks import NUISANCE, PAIR, TASKS
from neuro_explain.diorama.train import accuracy
from neuro_explain.evaluate.bias import NETWORK, BiasStory, bias_story, relearned, share_right
from neuro_explain.evaluate.bias_page import save_story

# one worker, so that what the tests share is made once
pytestmark = pytest.mark.xdist_group("bias story")


def test_shares_of_several_groups_count_pictures() -> None:
    one = share_right((3, 4), (1, 6))
    assert (one.value, one.count) == (0.4, 10)
    assert share_right((0, 0)).value is None


def test_relearning_keeps_the_units() -> None:
    model = nx.load_model(NETWORK)
    before = {name: value.clone() for name, value in model.net.state_dict().items()}
    parts = [TASKS[task].render(5, 8, workers=0) for task in ("biased", "opposite")]
    net = relearned(model, parts)
    assert isinstance(net, SceneNet) and isinstance(model.net, SceneNet)
    for name, value in model.net.state_dict().items():
        assert torch.equal(value, before[name]), name  # the network that was given stays as it is
        if name.startswith("features."):
            assert torch.equal(net.state_dict()[name], value.half().to(value.dtype)), name
    assert any(
        not torch.equal(net.state_dict()[name], before[name]) for name in before if name.startswith("head.")
    )
    again = relearned(model, parts)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))


def test_too_few_scenes_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="scenes: expected at least 80"):
        bias_story(tmp_path / "run", scenes=20)
    assert run(["evaluate", "bias", "--out", str(tmp_path / "run"), "--scenes", "20"]) == 1
    assert "expected at least 80" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_another_artifact_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"kind": "dissection"}))
    with pytest.raises(ArtifactError, match="already holds an artifact"):
        bias_story(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> BiasStory:
    folder = tmp_path_factory.mktemp("bias") / "run"
    return bias_story(folder, scenes=80, learned=300, concepts=300, workers=0, progress=False)


@pytest.mark.slow
def test_the_bias_is_found_by_a_name_and_gone_afterwards(story: BiasStory) -> None:
    rank, share = story.before.nuisance()
    later_rank, later_share = story.after.nuisance()
    assert rank == 1 and share > 0.2
    assert story.before.strongest()[PAIR[1]][0][0] == NUISANCE.name
    assert (later_rank is None or later_rank > 3) and later_share < share / 3
    before, after = story.before.opposite_right.value, story.after.opposite_right.value
    assert before is not None and after is not None
    assert after > before + 0.15
    usual = story.before.usual_right.value
    assert usual is not None and usual > 0.9
    assert story.before.nuisance_units == story.after.nuisance_units != ()


@pytest.mark.slow
def test_its_counts_are_those_of_the_pictures(story: BiasStory) -> None:
    for stage in (story.before, story.after):
        right = sum(right for right, _ in stage.right.values())
        assert sum(images for _, images in stage.right.values()) == 160
        drawn = [TASKS[task].render(4002, 80, workers=0) for task in ("biased", "opposite")]
        images = np.concatenate([one.images for one in drawn])
        labels = np.concatenate([one.labels for one in drawn])
        # scores of other batches differ in their last digits, which may turn a tie
        assert right == pytest.approx(160 * accuracy(stage.model.net, images, labels), abs=1)


@pytest.mark.slow
def test_its_page_shows_both_stages(story: BiasStory) -> None:
    page = save_story(story).read_text(encoding="utf-8")
    assert "Why does diorama-biased take a room for an office?" in page
    facts = json.loads((story.folder / "data.json").read_text(encoding="utf-8"))
    assert [stage["title"] for stage in facts["stages"]] == ["before", "after"]
    document = json.loads((story.folder / "document.json").read_text(encoding="utf-8"))
    links = [
        link["path"]
        for section in document["sections"]
        for block in section["blocks"]
        if block["kind"] == "links"
        for link in block["links"]
    ]
    assert len(links) >= 6
    assert all((story.folder / path).is_file() for path in links)
    assert story.mended
    assert "before: office" in page or "before: classroom" in page
    lines = story.lines()
    assert any(line.startswith("after, with 300 counterexamples") for line in lines)
