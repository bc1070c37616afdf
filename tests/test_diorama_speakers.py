"""The networks that speak of the diorama: what they are taught, how they learn, and what ships."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import neuro_explain as nx
from neuro_explain.diorama.captions import captions
from neuro_explain.diorama.habits import habits
from neuro_explain.diorama.learning import Asked, accuracies, answer, told_tokens, words_of
from neuro_explain.diorama.looks import CLEAR
from neuro_explain.diorama.questions import questions
from neuro_explain.diorama.scene import SIZE, make_scene
from neuro_explain.diorama.speakers import (
    GROUPS,
    PROPERTIES,
    UNITS,
    Bound,
    attending_net,
    captioning_net,
    groups_of_kinds,
    product_net,
)
from neuro_explain.diorama.told import CENTRE, SEEN, Told, shown_in_cells, tell_scenes, unpacked
from neuro_explain.diorama.train_speakers import NAMES, Behind, Plan, look, train
from neuro_explain.diorama.words import CONCEPTS, KINDS, MASSES
from neuro_explain.language.lstm_cnn import PAD
from neuro_explain.recipes.diorama_speakers import ANSWERERS, CAPTIONERS, card

WEIGHTS = Path(nx.__file__).parent / "diorama" / "weights"
ALL = (*CAPTIONERS, *ANSWERERS)


@pytest.fixture(scope="module")
def told() -> Told:
    return tell_scenes(77, range(6), workers=0)


def test_cells_show_what_covers_a_quarter_of_them(told: Told) -> None:
    scene = make_scene(77, 3)
    labels = scene.labels()
    slow = np.zeros((CENTRE + 1, 16, 16), bool)
    for number, concept in enumerate(SEEN):
        layer = {"object": 0, "material": 2, "texture": 3, "color": 4}[concept.category]
        at = labels[layer] == CONCEPTS.index(concept)
        for row in range(16):
            for column in range(16):
                slow[number, row, column] = at[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8].sum() >= 16
    for seen in scene.seen():
        if seen.thing.kind not in MASSES and seen.pixels >= CLEAR:
            rows, columns = np.nonzero(scene.segments() == seen.thing.number)
            middle = (rows.min() + rows.max() + 1) / 2, (columns.min() + columns.max() + 1) / 2
            slow[CENTRE, int(middle[0] * 16 / SIZE), int(middle[1] * 16 / SIZE)] = True
    assert np.array_equal(shown_in_cells(scene), slow)
    assert slow[CENTRE].any() and slow[:CENTRE].any()
    assert np.array_equal(unpacked(told.cells)[3], slow)


def test_what_is_told_does_not_depend_on_the_number_of_processes(told: Told) -> None:
    apart = tell_scenes(77, range(6), workers=2)
    assert np.array_equal(apart.images, told.images)
    assert np.array_equal(apart.cells, told.cells)
    assert apart.captions == told.captions and apart.questions == told.questions
    scene = make_scene(77, 2)
    assert told.captions[2] == captions(scene) and told.questions[2] == questions(scene)


def test_more_draws_ask_more_and_nothing_twice(told: Told) -> None:
    more = tell_scenes(77, range(6), draws=3, workers=0).questions
    for index, (asked, first) in enumerate(zip(more, told.questions, strict=True)):
        texts = [one.text for one in asked]
        assert len(set(texts)) == len(texts)
        assert set(first) <= set(asked)
        drawn = [one for draw in range(3) for one in questions(make_scene(77, index), draw=draw)]
        assert set(asked) == set(drawn)
    assert sum(map(len, more)) > 1.5 * sum(map(len, told.questions))


def test_kinds_of_one_group_are_never_in_one_place() -> None:
    groups = groups_of_kinds()
    assert set(groups) == set(KINDS) and max(groups.values()) + 1 == GROUPS
    for here in habits().counts.values():
        assert len({groups[kind] for kind in here}) == len(here)


def test_pooled_features_are_those_of_the_definition() -> None:
    torch.manual_seed(1)
    bound = Bound().eval()
    bound.begin()
    maps = torch.rand(2, UNITS, 16, 16) * (torch.rand(2, UNITS, 16, 16) < 0.05)
    with torch.no_grad():
        got = bound(maps) * (1 + bound.norm.eps) ** 0.5  # fresh: means 0, variances 1
    a = maps.double().numpy()
    across = np.broadcast_to(np.linspace(-1, 1, 16), (16, 16))
    p, q = (part.weight.detach().double().numpy()[:, :, 0, 0] for part in (bound.group, bound.property))
    for image in range(2):
        seen = np.concatenate([a[image], across[None], across.T[None]])
        for g in range(GROUPS):
            there = np.maximum((p[g][:, None, None] * a[image]).sum(0), 0)
            for t in range(PROPERTIES):
                value = (there * (q[t][:, None, None] * seen).sum(0)).sum()
                value /= 1 if t == 0 else 1 + there.sum()
                assert got[image, UNITS + g * PROPERTIES + t].item() == pytest.approx(value, abs=1e-4)
        np.testing.assert_allclose(got[image, :UNITS].numpy(), a[image].mean((1, 2)), atol=1e-5)


@pytest.mark.parametrize("make", [product_net, attending_net])
def test_answers_from_kept_maps_are_those_of_the_whole_network(make: object, told: Told) -> None:
    words = words_of([one.text for asked in told.questions for one in asked])
    answers = tuple(sorted({one.answer for asked in told.questions for one in asked}))
    torch.manual_seed(0)
    net = make(len(words), len(answers)).eval()  # type: ignore[operator]
    asked = Asked.of(told.questions, words, answers)
    maps = look(net.cnn.features, told.images, progress=False)
    of, tokens, right = asked.about(np.arange(6))
    images = torch.from_numpy(told.images).permute(0, 3, 1, 2).float().div(255).sub(0.5).div(0.25)
    with torch.no_grad():
        whole = net(images[of], tokens)
        kept = answer(net, maps.float(), tokens, of)
    torch.testing.assert_close(kept, whole, rtol=1e-2, atol=1e-2)  # kept maps have half precision
    assert (right >= 0).all()
    found = accuracies(net, maps, asked)
    assert found["overall"] == pytest.approx((kept.argmax(1) == right).float().mean().item())
    kinds = [kind for scene in asked.kinds for kind in scene]
    for kind in set(kinds):
        here = torch.tensor([one == kind for one in kinds])
        assert found[kind] == pytest.approx((kept.argmax(1) == right)[here].float().mean().item())


def test_questions_become_tokens_with_padding_on_the_left(told: Told) -> None:
    words = words_of([one.text for asked in told.questions for one in asked])
    asked = Asked.of(told.questions, words, ("yes", "no"))
    text, row = told.questions[0][0].text, asked.tokens[0][0].tolist()
    spoken = text.rstrip("?").split()
    assert row[: -len(spoken)] == [PAD] * (len(row) - len(spoken))
    assert [words[token] for token in row[-len(spoken) :]] == spoken
    assert asked.answers[0].tolist() == [{"yes": 0, "no": 1}.get(one.answer, -1) for one in told.questions[0]]


def test_captions_become_tokens_between_two_marks(told: Told) -> None:
    words = words_of([one.text for said in told.captions for one in said])
    tables = told_tokens(told.captions, words)
    for said, table in zip(told.captions, tables, strict=True):
        for one, row in zip(said, table.tolist(), strict=True):
            tokens = [token for token in row if token >= 0]
            assert tokens[0] == tokens[-1] == len(words)
            assert " ".join(words[token] for token in tokens[1:-1]) == one.text


@pytest.mark.slow
def test_a_short_training_writes_weights_and_cards(tmp_path: Path) -> None:
    quickly = {name: Behind(epochs=1, rate=1e-3, batch=16) for name in NAMES}
    plan = Plan(scenes=64, draws=2, held_out_scenes=16, tower_epochs=1, behind=quickly)
    train(plan, tmp_path, seed=3, workers=0, progress=False)
    for name in ALL:
        facts = json.loads((tmp_path / f"{name}.json").read_text())
        assert facts["scenes"] == 64 and facts["first_weights"] == 3
        assert (tmp_path / f"{name}.safetensors").stat().st_size > 500_000
        if name in ANSWERERS:
            assert 0 <= facts["accuracy"]["overall"] <= 1
            assert set(facts["accuracy"]) == set(facts["question_only"])


@pytest.mark.parametrize("name", ALL)
def test_what_ships_is_small_and_what_its_card_says(name: str) -> None:
    path = WEIGHTS / f"{name}.safetensors"
    assert path.stat().st_size <= 2_000_000
    import hashlib

    assert hashlib.sha256(path.read_bytes()).hexdigest() == card(name)["sha256"]


def test_the_networks_see_through_the_same_tower() -> None:
    towers = [nx.load_captioner(name).tower for name in CAPTIONERS]
    towers += [nx.load_answerer(name).tower for name in ANSWERERS]
    from dissection.fingerprint import weights_fingerprint

    assert len({weights_fingerprint(tower.net) for tower in towers}) == 1
    assert {tower.layer for tower in towers} == {"units"}
    assert {tower.units for tower in towers} == {UNITS}
    assert all(tower.layer_rectified and tower.map_size == (16, 16) for tower in towers)


def test_sizes_follow_from_words_and_answers() -> None:
    for net in (captioning_net(10), product_net(10, 5), attending_net(10, 5)):
        assert net.cnn.features[-1] is net.cnn.get_submodule("features.units")  # type: ignore[operator,union-attr]


def test_the_captioner_describes_a_fresh_scene() -> None:
    captioner = nx.load_captioner("diorama-captioner")
    named = 0
    for index in range(20):
        scene = make_scene(7_003, index)
        text = str(captioner.caption(scene.image())[0].text)
        named += scene.category in text or any(thing.thing.kind in text for thing in scene.seen())
    assert named >= 18  # nearly every caption names the place or something that is there


@pytest.mark.parametrize(("name", "least"), [("diorama-vqa", 0.85), ("diorama-vqa-coattention", 0.68)])
def test_answers_about_fresh_scenes_are_right(name: str, least: float) -> None:
    answerer = nx.load_answerer(name)
    right = []
    for index in range(20):
        scene = make_scene(7_003, index)
        image = scene.image()
        for question in questions(scene):
            ((best, _share),) = answerer.answer(image, question.text, best=1)
            right.append(best == question.answer)
    assert len(right) > 150 and np.mean(right) >= least


def test_random_weights_are_called_so() -> None:
    assert "random" in nx.load_captioner("diorama-captioner", weights="random").name
    assert "random" in nx.load_answerer("diorama-vqa", weights="random").name


def test_a_name_of_another_kind_of_network_says_what_it_is() -> None:
    with pytest.raises(
        ValueError, match="diorama-vqa answers questions: load_answerer, .*neuro-explain ask`"
    ):
        nx.load_captioner("diorama-vqa")
    for name in ("diorama-captioner", "neuraltalk2"):
        with pytest.raises(
            ValueError, match=f"{name} is a captioner: load_captioner, .*neuro-explain caption`"
        ):
            nx.load_answerer(name)
    for name in ("resnet18", "diorama-scenes", "efficientnet-lite0", "resnet18-places365", "timm:resnet18"):
        with pytest.raises(ValueError, match=f"{name} is a classifier: load_model, .*neuro-explain explain`"):
            nx.load_answerer(name)
    with pytest.raises(ValueError, match="network 'diorama-vqx' is unknown; did you mean diorama-vqa"):
        nx.load_answerer("diorama-vqx")
    with pytest.raises(
        ValueError, match="network 'x' is unknown; expected diorama-captioner, neuraltalk2, hf:"
    ):
        nx.load_captioner("x")


def test_ones_own_network_of_the_other_kind_says_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "speaks_otherwise.py").write_text(
        "import neuro_explain as nx\n"
        "def asked():\n    return nx.load_answerer('diorama-vqa')\n"
        "def tells():\n    return nx.load_captioner('diorama-captioner')\n"
    )
    with pytest.raises(ValueError, match="speaks_otherwise:asked answers questions"):
        nx.load_captioner("speaks_otherwise:asked")
    with pytest.raises(ValueError, match="speaks_otherwise:tells is a captioner"):
        nx.load_answerer("speaks_otherwise:tells")


def test_an_image_of_another_size_is_taken() -> None:
    answerer = nx.load_answerer("diorama-vqa")
    best = answerer.answer(Image.new("RGB", (300, 200), "red"), "what is this place?")
    assert len(best) == 5 and sum(share for _, share in best) <= 1 + 1e-5
