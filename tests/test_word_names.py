"""Units named by words: found where embeddings know them, quiet where they do not, kept in a folder."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from word_worlds import (
    COLOURS,
    NOISE_UNITS,
    SIZE,
    WORDS,
    Ignorant,
    Knowing,
    Painted,
    colour_tower,
    small_clip,
)

from dissection.artifact import ArtifactError
from dissection.concepts import Concept
from dissection.fingerprint import weights_fingerprint
from neuro_explain.cli import run
from neuro_explain.preprocess import Preprocess
from neuro_explain.tower import Tower
from neuro_explain.word_inputs import open_images, open_words, spoken
from neuro_explain.word_names import WordNames, is_word_names, name_by_words, word_lines

NOISE = range(len(COLOURS), len(COLOURS) + NOISE_UNITS)
SILENT = len(COLOURS) + NOISE_UNITS


@pytest.fixture(scope="module")
def names() -> WordNames:
    return name_by_words(colour_tower(), Painted(), WORDS, clip=Knowing(), draws=1000, word_sets=["all.txt"])


def test_units_get_the_words_of_what_they_fire_on(names: WordNames) -> None:
    found = [name.concept for name in names][: len(COLOURS)]
    assert found == [Concept(colour, "word") for colour in COLOURS]
    for name in list(names)[: len(COLOURS)]:
        assert name.iou is None and name.margin is None
        assert name.score is not None and name.score > 0
        assert name.q is not None and name.q <= 0.05
        assert str(name) == f"unit {name.unit}: {COLOURS[name.unit]} (word), score {name.score:.2f}"


def test_units_that_fire_on_anything_are_unnamed_and_the_silent_one_is_dead(names: WordNames) -> None:
    noise = [names[unit] for unit in NOISE]
    assert all(name.best is not None and name.score is not None for name in noise)
    assert sum(name.concept is not None for name in noise) <= 1
    assert (names[SILENT].concept, names[SILENT].best, names[SILENT].note) == (None, None, "dead")
    assert names.chance is not None and names.chance.q[SILENT] == 1


def test_power_and_false_discoveries_over_seeds() -> None:
    found = false = named = 0
    seeds = 6
    for seed in range(seeds):
        got = name_by_words(
            colour_tower(), Painted(seed=seed), WORDS, clip=Knowing(seed=seed), draws=500, turns=20, seed=seed
        )
        found += sum(got[unit].concept == Concept(COLOURS[unit], "word") for unit in range(len(COLOURS)))
        false += sum(got[unit].concept is not None for unit in NOISE)
        named += got.named
    assert found >= 0.9 * seeds * len(COLOURS)
    assert false <= 0.05 * named + 3 * math.sqrt(0.05 * named)


def test_embeddings_that_know_no_word_name_nothing_though_images_alone_would_let_them() -> None:
    asked = {"draws": 500, "seed": 0}
    clip = Ignorant()
    got = name_by_words(colour_tower(), Painted(), WORDS, clip=clip, turns=30, **asked)  # type: ignore[arg-type]
    only_images = name_by_words(colour_tower(), Painted(), WORDS, clip=clip, turns=0, **asked)  # type: ignore[arg-type]
    assert got.named <= 1
    assert only_images.named >= len(COLOURS) / 2  # which is why words are turned, too


@pytest.mark.slow
def test_a_random_clip_names_nearly_nothing(tmp_path: Path) -> None:
    pytest.importorskip("open_clip", reason="open_clip is not installed")
    from neuro_explain.clip import load_clip

    clip = load_clip(small_clip(tmp_path / "small"), weights="random")
    got = name_by_words(colour_tower(), Painted(), WORDS, clip=clip, draws=500, turns=30)
    assert len(got) == SILENT + 1
    assert got.named <= 1


def test_without_asking_chance_every_unit_that_changes_is_named() -> None:
    got = name_by_words(colour_tower(), Painted(), WORDS, clip=Knowing(), draws=0)
    assert got.chance is None
    assert got.named == len(got) - 1
    assert {name.q for name in got} == {None}
    all_ = name_by_words(colour_tower(), Painted(), WORDS, clip=Knowing(), draws=100, turns=2, max_q=1)
    assert [name.concept for name in all_] == [name.concept for name in got]


def test_they_are_names_like_any_other(names: WordNames) -> None:
    assert [name.unit for name in names.find("red")] == [4]
    assert names.find("thing_3") == []
    with pytest.raises(ValueError, match="'purple' is not among the concepts"):
        names.find("purple")
    frame = names.to_frame()
    assert list(frame.index) == list(range(SILENT + 1))
    assert frame["concept"].iloc[4] == "red"
    assert frame["score"].iloc[4] == pytest.approx(names[4].score)
    assert frame["score"].iloc[4] > frame["runner_up_score"].iloc[4]
    assert frame[["score", "iou", "fit"]].iloc[SILENT].isna().all()


def test_the_network_is_left_as_it_was_and_each_picture_is_embedded_once() -> None:
    tower, clip = colour_tower(), Knowing()
    tower.net.train()
    before = weights_fingerprint(tower.net)
    name_by_words(tower, Painted(50), WORDS, clip=clip, draws=0, batch_size=7)
    assert clip.pictures_seen == 50
    assert tower.net.training
    assert weights_fingerprint(tower.net) == before
    assert not tower.net.maps._forward_hooks  # type: ignore[union-attr]


def test_batches_do_not_matter() -> None:
    one, other = (
        name_by_words(colour_tower(), Painted(60), WORDS, clip=Knowing(), draws=50, turns=3, batch_size=size)
        for size in (7, 60)
    )
    assert [(n.best, n.runner_up) for n in one][:8] == [(n.best, n.runner_up) for n in other][:8]
    np.testing.assert_allclose(one.largest, other.largest, rtol=1e-5)


def test_a_template_is_filled_with_the_word_as_one_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    own = Knowing.embed_texts
    monkeypatch.setattr(Knowing, "embed_texts", lambda self, texts: heard.extend(texts) or own(self, texts))
    name_by_words(
        colour_tower(), Painted(40), ["red", "dining_table"], clip=Knowing(), draws=0, template="a {} here"
    )
    assert heard == ["a red here", "a dining table here"]
    assert spoken("a__b  c_") == "a b c"


def test_what_cannot_be_named_is_refused() -> None:
    tower, clip = colour_tower(), Knowing()
    with pytest.raises(ValueError, match="at least two, each once, got 1"):
        name_by_words(tower, Painted(), ["red"], clip=clip)
    with pytest.raises(ValueError, match="at least 20, .* got 19"):
        name_by_words(tower, Painted(19), WORDS, clip=clip)
    with pytest.raises(ValueError, match=r"template: expected a text with \{\}"):
        name_by_words(tower, Painted(), WORDS, clip=clip, template="a photo")
    with pytest.raises(ValueError, match="top: expected 1 to 40"):
        name_by_words(tower, Painted(40), WORDS, clip=clip, top=41)
    with torch.no_grad():
        tower.net.corners.fill_(float("nan"))  # type: ignore[operator,union-attr]
    with pytest.raises(ValueError, match=r"NaN or infinity on 000\.png"):
        name_by_words(tower, Painted(), WORDS, clip=clip)


def test_saved_and_loaded_they_are_the_same(names: WordNames, tmp_path: Path) -> None:
    folder = names.save(tmp_path / "words", command=["name-words"])
    assert is_word_names(folder) and not is_word_names(tmp_path)
    back = WordNames.load(folder)
    assert back.units == names.units
    assert back.words == names.words
    assert back.summary() == names.summary()
    assert (back.layer, back.fingerprint, back.images) == ("maps", names.fingerprint, 240)
    assert back.concept_sets == ("all.txt",)
    np.testing.assert_array_equal(back.candidates, names.candidates)
    with pytest.raises(ArtifactError, match="already holds an artifact"):
        names.save(folder)
    names.save(folder, overwrite=True)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["kind"], manifest["command"]) == ("word-names", None)
    assert sorted(manifest["files"]) == ["arrays.npz", "summary.json", "units.csv", "words.csv"]
    without = name_by_words(colour_tower(), Painted(), WORDS, clip=Knowing(), draws=0)
    assert WordNames.load(without.save(tmp_path / "without")).units == without.units


def test_a_damaged_folder_is_said(names: WordNames, tmp_path: Path) -> None:
    folder = names.save(tmp_path / "words")
    (folder / "units.csv").write_text("unit\n")
    with pytest.raises(ArtifactError, match=r"units\.csv differs from what its manifest recorded"):
        WordNames.load(folder)
    (tmp_path / "none").mkdir()
    with pytest.raises(ArtifactError, match=r"has no manifest\.json"):
        WordNames.load(tmp_path / "none")


def test_words_come_from_files_and_from_concept_sets(tmp_path: Path) -> None:
    (tmp_path / "nouns.txt").write_text("# nouns\nred\n\nDining table\nlamp\n", encoding="utf-8")
    sheet = tmp_path / "set/labels.csv"
    sheet.parent.mkdir()
    Image.new("RGB", (8, 8)).save(sheet.parent / "1.png")
    sheet.write_text("image,texture\n1.png,dining_table;dotted\n")
    assert open_words([str(tmp_path / "nouns.txt"), f"labels:{sheet}"]) == (
        Concept("red", "word"),
        Concept("Dining table", "word"),
        Concept("lamp", "word"),
        Concept("dotted", "texture"),
    )
    with pytest.raises(FileNotFoundError, match="expected a text file with a word per line"):
        open_words([str(tmp_path / "nothing.txt")])
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not a text file in UTF-8"):
        open_words([str(tmp_path / "bad.txt")])
    (tmp_path / "one.txt").write_text("a\nA\n")
    with pytest.raises(ValueError, match="at least two different words, got 1"):
        open_words([str(tmp_path / "one.txt")])


def test_images_come_from_a_folder_or_a_pattern(tmp_path: Path) -> None:
    for i in range(3):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(tmp_path / f"{i}.png")
    (tmp_path / "note.txt").write_text("x")
    folder, pattern = open_images(str(tmp_path)), open_images(str(tmp_path / "*"))
    for images in (folder, pattern):
        assert [images.image_id(i) for i in range(len(images))] == ["0.png", "1.png", "2.png"]
        assert images.image(2).getpixel((0, 0)) == (2, 0, 0)
        assert images.fingerprint.startswith("sha256:")
    with pytest.raises(FileNotFoundError, match="nothing of the kind is there"):
        open_images(str(tmp_path / "*.jpg"))


def test_files_of_another_content_are_other_images(tmp_path: Path) -> None:
    for name in ("a.bmp", "b.bmp"):
        Image.new("RGB", (8, 8), (9, 9, 9)).save(tmp_path / name)
    pattern = str(tmp_path / "*.bmp")
    before, size = open_images(pattern).fingerprint, (tmp_path / "b.bmp").stat().st_size
    assert open_images(pattern).fingerprint == before
    Image.new("RGB", (8, 8), (9, 9, 8)).save(tmp_path / "b.bmp")
    assert (tmp_path / "b.bmp").stat().st_size == size
    assert open_images(pattern).fingerprint != before


def colour_model() -> Tower:
    from torch import nn

    from neuro_explain.model import Model

    recipe = Preprocess(input_size=(SIZE, SIZE), resize=(SIZE, SIZE), mean=(0, 0, 0), std=(1, 1, 1))
    return Model(nn.Sequential(colour_tower().net), preprocess=recipe, layer="0.maps", name="colours")


def test_the_command_names_saves_and_says_what_chance_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pictures = Painted(40)
    Path("photographs").mkdir()
    for i in range(len(pictures)):
        pictures.image(i).save(f"photographs/{i:03d}.png")
    Path("words.txt").write_text("\n".join(WORDS))
    clip = Knowing()
    clip.note = "a note"  # type: ignore[attr-defined]
    monkeypatch.setattr("neuro_explain.clip.load_clip", lambda *_args, **_options: clip)
    fixed = ["name-words", "--model", "test_word_names:colour_model", "--images", "photographs"]
    fixed += ["--words", "words.txt", "--clip", "ARCH", "--clip-weights", "w.pt", "--out", "runs/words"]
    fixed += ["--draws", "300", "--turns", "10"]
    assert run(fixed) == 0
    out, err = capsys.readouterr()
    assert "300 draws of images and 10 turns of words; smallest q" in out
    assert f"of {SILENT + 1} units named" in out and f"40 images and {len(WORDS)} words" in out
    assert "note: a note" in err
    saved = WordNames.load("runs/words")
    assert saved.named > 0 and saved.concept_sets == ("words.txt",)
    assert str(tmp_path) not in (tmp_path / "runs/words/manifest.json").read_text()
    assert run(fixed) == 1
    assert "already holds an artifact" in capsys.readouterr().err
    assert run([*fixed, "--overwrite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["units"] == SILENT + 1


def test_it_is_said_where_one_unit_alone_cannot_be_named() -> None:
    few = name_by_words(colour_tower(), Painted(), WORDS, clip=Knowing(), draws=9, turns=0, progress=False)
    changing = int((few.largest > few.smallest).sum())
    assert changing == SILENT and few.named == 0
    # p is 1/10 at least, and so is q of all of them together
    assert word_lines(few)[1] == (
        f"no unit can be named: q would exceed 0.05 even if all {changing} stood out; use more draws"
    )
    some = name_by_words(colour_tower(), Painted(), WORDS, clip=Knowing(), draws=99, turns=0, progress=False)
    together = math.ceil(changing / 100 / 0.05)
    assert 1 < together <= changing
    assert word_lines(some)[1].startswith(
        f"a unit that stands out alone cannot be named: {together} or more of {changing} must"
    )


def test_nothing_is_said_where_a_unit_alone_can_be_named(names: WordNames) -> None:
    assert len(word_lines(names)) == 2


def test_the_command_without_weights_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("open_clip", reason="open_clip is not installed")
    monkeypatch.chdir(tmp_path)
    Painted(1).image(0).save("a.png")
    Path("words.txt").write_text("red\nblue\n")
    fixed = [
        "name-words",
        "--model",
        "test_word_names:colour_model",
        "--images",
        "*.png",
        "--words",
        "words.txt",
    ]
    assert run([*fixed, "--clip", "ViT-B-32:openai", "--out", "o"]) == 1
    assert (
        "give a file with --clip-weights, or let open_clip download them: --download"
        in capsys.readouterr().err
    )
    assert not Path("o").exists()
