"""`concepts build`: what a user has, joined into one folder that `broden:DIR` opens with the same labels."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from concept_sets import (
    write_broden,
    write_coco_masks,
    write_csv,
    write_folder,
    write_image_labels,
    write_mask,
    write_photo,
)
from PIL import Image

from dissection.artifact import ArtifactError
from dissection.concepts import NO_LABEL, Concept, ConceptDataset, Labels
from dissection.readers import open_concepts
from dissection.readers.broden import Broden
from dissection.readers.colors import NAMES
from dissection.readers.errors import ConceptSetError
from dissection.readers.merged import HYPERNYM, SYNONYM, Rule
from dissection.writers import synonyms_of
from dissection.writers import write_broden as write
from dissection.writers.broden import split_of
from neuro_explain.cli import run
from neuro_explain.concept_export import build_concepts, build_lines

CAR, SKY = Concept("car", "object"), Concept("sky", "object")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def pixels(dataset: ConceptDataset, index: int, size: int) -> dict[Concept, bytes]:
    """Where each concept is, whole-image ones everywhere: what a dissection counts."""
    labels = dataset.labels(index, size)
    found = {}
    for number, concept in enumerate(dataset.concepts):
        there = (labels.layers == number).any(axis=0) | (number in labels.whole)
        if there.any():
            found[concept] = there.tobytes()
    return found


@pytest.fixture
def specs(tmp_path: Path) -> list[str]:
    """A set of each kind that lies in folders: pixels, parts, scenes, textures, colours, void."""
    city = tmp_path / "city"
    write_photo(city / "leftImg8bit/train/ulm/ulm_1_2_leftImg8bit.png", 9, 5, 7)
    values = np.random.default_rng(3).choice([0, 7, 26, 23, 255], (5, 9))
    write_mask(city / "gtFine/train/ulm/ulm_1_2_gtFine_labelIds.png", values)
    write_photo(tmp_path / "dtd/images/banded/banded_0001.png", 5, 5, 8)
    return [
        f"broden:{write_broden(tmp_path / 'broden')}",
        f"coco:{write_coco_masks(tmp_path / 'coco')}",
        f"folder:{write_folder(tmp_path / 'masks')}",
        f"labels:{write_image_labels(tmp_path / 'scenes')}",
        f"cityscapes:{city}",
        f"dtd:{tmp_path / 'dtd'}",
    ]


def test_the_same_labels_to_the_last_pixel(tmp_path: Path, specs: list[str]) -> None:
    written = build_concepts(specs, tmp_path / "out", size=11, image_size=16)
    joined, read = open_concepts([*specs, "colors"]), Broden(tmp_path / "out")
    assert written.images == len(read) == len(joined) == 11
    assert set(read.concepts) == set(joined.concepts) and written.concepts == len(joined.concepts)
    labelled: Counter[str] = Counter()
    for index in range(len(joined)):
        there = pixels(joined, index, 11)
        assert pixels(read, index, 11) == there
        assert read.labels(index, 11).categories == joined.labels(index, 11).categories
        labelled.update({concept.category for concept in there})
        picture = read.image(index)
        squashed = joined.image(index).resize((16, 16), Image.Resampling.BILINEAR)
        assert picture.size == (16, 16) and picture.tobytes() == squashed.tobytes()
    assert set(labelled) == {"color", "object", "part", "scene", "texture", "mood"}
    assert labelled["color"] == 11, "every image has colours: its own, or computed ones"
    assert {concept.name for concept in read.concepts if concept.category == "color"} >= set(NAMES)


def test_sizes_and_splits_of_the_table(tmp_path: Path, specs: list[str]) -> None:
    build_concepts(specs, tmp_path / "out")
    rows = table(tmp_path / "out/index.csv")
    assert {(row["ih"], row["iw"], row["sh"], row["sw"]) for row in rows} == {("224", "224", "112", "112")}
    build_concepts(specs, tmp_path / "kept", image_size=None, size=5)
    kept = table(tmp_path / "kept/index.csv")
    joined = open_concepts(specs)
    sizes = [(str(joined.image(i).height), str(joined.image(i).width), "5", "5") for i in range(len(joined))]
    assert [(row["ih"], row["iw"], row["sh"], row["sw"]) for row in kept] == sizes
    assert len(set(sizes)) > 1
    # an image's split is that of its own pixels, whatever size it is written at
    assert [row["split"] for row in kept] == [row["split"] for row in rows]
    assert [row["split"] for row in rows] == [split_of(joined.image(i), 0.3) for i in range(len(joined))]


def test_the_splits_rule() -> None:
    """The documented one, restated; and about the wanted share."""
    images = [
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (2, 3, 3), dtype=np.uint8))
        for i in range(400)
    ]
    for image in images[:20]:
        digest = hashlib.sha256(b"3 2 " + np.asarray(image).tobytes()).hexdigest()
        fraction = int(digest[:16], 16) / 16**16
        assert split_of(image, 0.3) == ("val" if fraction < 0.3 else "train")
    val = [i for i, image in enumerate(images) if split_of(image, 0.3) == "val"]
    assert 84 <= len(val) <= 156, "120 expected of 400, four standard deviations are 37"
    assert set(val) <= {i for i, image in enumerate(images) if split_of(image, 0.5) == "val"}
    assert {split_of(image, 0) for image in images} == {"train"}
    assert {split_of(image, 1) for image in images} == {"val"}


def test_a_picture_in_two_sets_is_on_one_side(tmp_path: Path) -> None:
    specs = []
    for name in ("one", "two"):
        for seed in range(12):
            write_photo(tmp_path / f"{name}/{name}-{seed}.png", 4, 4, seed)
        specs.append(f"images:{tmp_path / name}")
    written = build_concepts(specs, tmp_path / "out", size=4, val_share=0.5)
    splits = [row["split"] for row in table(tmp_path / "out/index.csv")]
    assert splits[:12] == splits[12:] and set(splits) == {"train", "val"}
    assert written.val == splits.count("val")


def test_without_colors(tmp_path: Path, specs: list[str]) -> None:
    build_concepts(specs[1:2], tmp_path / "out", colors=False)
    assert {concept.category for concept in Broden(tmp_path / "out").concepts} == {"object"}
    with_both = build_concepts([*specs[1:2], "colors"], tmp_path / "named")
    assert with_both.categories == 2, "named and wanted is once"


def test_synonyms_are_kept(tmp_path: Path) -> None:
    """Of Broden's table and of any set that has some, once each, through a second build too."""
    broden = write_broden(tmp_path / "broden")
    rows = [(*row, "auto;motorcar" if row[1] == "car" else "") for row in table_rows(broden / "label.csv")]
    write_csv(broden / "label.csv", [("number", "name", "category", "syns"), *rows])

    class Own:
        concepts = (CAR, SKY)
        fingerprint = "sha256:own"
        merge_rules = (
            Rule("motorcar", "object", "car", SYNONYM),
            Rule("vehicle", "object", "car", SYNONYM),
            Rule("firmament", "object", "sky", SYNONYM),
            Rule("car", "object", "thing", HYPERNYM),
        )

        def __len__(self) -> int:
            return 1

        def image_id(self, index: int) -> str:
            return "sky"

        def image(self, index: int) -> Image.Image:
            return Image.new("RGB", (4, 4))

        def labels(self, index: int, size: int) -> Labels:
            return Labels(np.ones((1, size, size), np.int32), (), frozenset({"object"}))

    expected = {
        CAR: ("auto", "motorcar", "vehicle"),
        SKY: ("firmament",),
        Concept("car", "part"): ("auto", "motorcar"),
    }
    joined = open_concepts([f"broden:{broden}", Own(), "colors"])
    assert synonyms_of(joined) == expected
    build_concepts([f"broden:{broden}", Own()], tmp_path / "out", size=4)
    written = {row["name"]: row["syns"] for row in table(tmp_path / "out/label.csv")}
    assert written["car"] == "auto;motorcar;vehicle" and written["sky"] == "firmament"
    assert written["wheel"] == ""
    # Broden has one row a name: what was said of the object is then said of the part of that name too
    again = build_concepts([f"broden:{tmp_path / 'out'}"], tmp_path / "again", size=4)
    assert again.concepts == len(joined.concepts)
    assert {row["name"]: row["syns"] for row in table(tmp_path / "again/label.csv")} == written


def table_rows(path: Path) -> list[tuple[str, ...]]:
    return [tuple(row.values()) for row in table(path)]


@pytest.mark.parametrize("synonym", ["", " auto", "a;b", "nul\0"])
def test_synonyms_that_the_table_cannot_hold(tmp_path: Path, synonym: str) -> None:
    dataset = open_concepts(f"coco:{write_coco_masks(tmp_path / 'coco')}")
    with pytest.raises(ConceptSetError, match="synonym"):
        write(dataset, tmp_path / "out", synonyms={dataset.concepts[0]: [synonym]})
    assert not (tmp_path / "out").exists()


def test_a_build_of_a_build_is_the_same(tmp_path: Path, specs: list[str]) -> None:
    build_concepts(specs, tmp_path / "one", size=8, image_size=8)
    build_concepts([f"broden:{tmp_path / 'one'}"], tmp_path / "two", size=8, image_size=8)
    first, second = Broden(tmp_path / "one"), Broden(tmp_path / "two")
    for index in range(len(first)):
        assert pixels(first, index, 8) == pixels(second, index, 8)
        assert first.image(index).tobytes() == second.image(index).tobytes()


def test_the_command(tmp_path: Path, specs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    arguments = ["concepts", "build", *specs[1:3], "--out", str(out), "--size", "6", "--image-size", "8"]
    assert run([*arguments, "--val", "1"]) == 0
    shown, silent = capsys.readouterr()
    assert shown.splitlines() == [
        "3 images (0 train, 3 val), 17 concepts in 3 categories",
        "  object: 5 of 5 concepts seen, on 3 images",
        "  part: 1 of 1 concepts seen, on 2 images",
        f"  color: {seen_colors(out)} of 11 concepts seen, on 3 images",
        f"--concepts broden:{out} opens them",
        str(out),
    ]
    assert silent == ""
    read = open_concepts(f"broden:{out}")
    assert [read.image(i).size for i in range(3)] == [(8, 8)] * 3
    assert pixels(read, 0, 6) == pixels(open_concepts([*specs[1:3], "colors"]), 0, 6)
    # a second time it is refused, before the sets are even opened
    assert run(["concepts", "build", "coco:nowhere", "--out", str(out)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert run(["concepts", "build", specs[1], "--out", str(tmp_path / "kept"), "--keep-images"]) == 0
    capsys.readouterr()
    assert open_concepts(f"broden:{tmp_path / 'kept'}").image(0).size == (4, 2)


def seen_colors(folder: Path) -> int:
    read = Broden(folder)
    numbers = {n for i in range(len(read)) for n in np.unique(read.labels(i, 6).layers).tolist()} - {NO_LABEL}
    return sum(read.concepts[n].category == "color" for n in numbers)


def test_wrong_usage(tmp_path: Path, specs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "out")]
    assert run(["concepts", "build", *out]) == 2
    assert run(["concepts", "build", specs[1]]) == 2
    for option in (["--val", "1.5"], ["--size", "0"], ["--image-size", "0"]):
        assert run(["concepts", "build", specs[1], *out, *option]) == 2
    capsys.readouterr()
    assert run(["concepts", "build", "coco:nowhere", *out]) == 1
    assert run(["concepts", "build", "colors", *out]) == 1
    assert not (tmp_path / "out").exists()


def test_wrong_arguments(tmp_path: Path, specs: list[str]) -> None:
    dataset = open_concepts(specs[1])
    with pytest.raises(ValueError, match="image_size: expected at least 1 pixel, got 0"):
        write(dataset, tmp_path / "out", image_size=0)
    with pytest.raises(ValueError, match=r"val_share: expected a share from 0 to 1, got 1\.5"):
        write(dataset, tmp_path / "out", val_share=1.5)
    (tmp_path / "out").mkdir()
    with pytest.raises(ArtifactError, match="exists already"):
        build_concepts(specs, tmp_path / "out")


def test_help_says_how_it_differs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["concepts", "build", "--help"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "`concepts export --as broden` writes the same layout but hands a set on as it is" in out
    for option, default in (("--size", 112), ("--image-size", 224), ("--val", 0.3)):
        assert option in out and f"default: {default}" in out


@pytest.mark.data
def test_real_photographs(tmp_path: Path, data_dir: Path) -> None:
    """Objects, textures and colours: every image once, and some pixel for pixel."""
    textures = data_dir / "dtd10_textures/labels.csv"
    specs = [f"coco:{data_dir / 'coco_panoptic256'}", f"labels:{textures}"]
    parts = [open_concepts(spec) for spec in specs]
    picked = [_First(part, 15) for part in parts]
    written = build_concepts(picked, tmp_path / "out")
    joined, read = open_concepts([*picked, "colors"]), Broden(tmp_path / "out")
    assert len(read) == 30 and 0 < written.val < 30
    for index in range(30):
        assert pixels(read, index, 112) == pixels(joined, index, 112)
    assert next(iter(build_lines(written))).startswith("30 images (")


class _First:
    """The first images of a set."""

    def __init__(self, base: ConceptDataset, count: int) -> None:
        self.base, self.count = base, count

    @property
    def concepts(self) -> object:
        return self.base.concepts

    @property
    def fingerprint(self) -> str:
        return self.base.fingerprint

    def __len__(self) -> int:
        return self.count

    def image_id(self, index: int) -> str:
        return self.base.image_id(index)

    def image(self, index: int) -> Image.Image:
        return self.base.image(index)

    def labels(self, index: int, size: int) -> Labels:
        return self.base.labels(index, size)
