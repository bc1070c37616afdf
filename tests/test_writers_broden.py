"""Whatever is written in Broden's layout is read back as it was; and what the tables say is counted by hand."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from concept_sets import may_be_a_name, write_coco_masks, write_folder, write_image_labels
from concept_sets import write_broden as a_broden_folder
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dissection.artifact import ArtifactError
from dissection.concepts import NO_LABEL, Concept, ConceptDataset, Labels
from dissection.readers import open_concepts
from dissection.readers.broden import Broden
from dissection.readers.errors import ConceptSetError
from dissection.writers import write_broden

ROAD, CAR, WHEEL, GRID = (
    Concept("road", "object"),
    Concept("car", "object"),
    Concept("wheel", "part"),
    Concept("grid", "texture"),
)


@dataclass
class Square:
    """One image: its layers of S × S concept numbers, whole-image labels, and categories."""

    layers: Sequence[Sequence[Sequence[int]]] = ()
    whole: tuple[int, ...] = ()
    carried: frozenset[str] = frozenset()
    width: int = 5
    height: int = 5
    image_id: str = "photo.jpg"


@dataclass
class OwnSet:
    """A concept set in memory, with label maps of `side` that Pillow resizes by nearest neighbour."""

    concepts: Sequence[Concept]
    squares: Sequence[Square]
    side: int
    fingerprint: str = "sha256:0"
    asked: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.squares)

    def image_id(self, index: int) -> str:
        return self.squares[index].image_id

    def image(self, index: int) -> Image.Image:
        one = self.squares[index]
        pixels = np.random.default_rng(index).integers(0, 256, (one.height, one.width, 3), dtype=np.uint8)
        return Image.fromarray(pixels)

    def labels(self, index: int, size: int) -> Labels:
        self.asked.append(size)
        one = self.squares[index]
        layers = [
            np.asarray(
                Image.fromarray(np.array(layer, np.int32)).resize((size, size), Image.Resampling.NEAREST)
            )
            for layer in one.layers
        ]
        stack = np.stack(layers) if layers else np.empty((0, size, size), np.int32)
        return Labels(stack.astype(np.int32), one.whole, one.carried)


def what_is_there(
    dataset: ConceptDataset, index: int, size: int
) -> tuple[dict[Concept, bytes], set[Concept], set[str]]:
    """The pixels of each concept, the concepts of the whole image, and the categories."""
    labels = dataset.labels(index, size)
    assert labels.layers.shape[1:] == (size, size)
    pixels = {
        dataset.concepts[number]: (labels.layers == number).any(axis=0).tobytes()
        for number in np.unique(labels.layers[labels.layers != NO_LABEL]).tolist()
    }
    return pixels, {dataset.concepts[number] for number in labels.whole}, set(labels.categories)


def assert_equal(read: ConceptDataset, written: ConceptDataset, sizes: Sequence[int]) -> None:
    assert len(read) == len(written) > 0
    assert set(read.concepts) == set(written.concepts) and len(read.concepts) == len(written.concepts)
    for index in range(len(written)):
        assert read.image(index).tobytes() == written.image(index).tobytes()
        assert read.image(index).size == written.image(index).size
        for size in sizes:
            assert what_is_there(read, index, size) == what_is_there(written, index, size)


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


# Commas, quotes, semicolons, other scripts, Broden's own suffixes: all but what the layout refuses.
_CHARACTERS = st.one_of(
    st.sampled_from(list(",;\"'()0-sc /é猫🐱\u200f")),
    st.characters().filter(may_be_a_name),
)
NAMES = st.text(_CHARACTERS, min_size=1, max_size=8).map(str.strip).filter(bool)
CATEGORIES = st.one_of(
    st.sampled_from(["object", "part", "scene", "color", "texture", "x(3)", "a,b", 'so "called"']),
    NAMES.filter(lambda name: not set(name) & set("/\\;") and name not in ("sh", "sw", "ih", "iw")),
)


@st.composite
def own_sets(draw: st.DrawFn) -> OwnSet:
    categories = draw(st.lists(CATEGORIES, min_size=1, max_size=4, unique=True))
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    pairs = [Concept(name, category) for name in names for category in categories]
    concepts = draw(st.lists(st.sampled_from(pairs), min_size=1, unique=True))
    side = draw(st.integers(1, 5))
    squares = []
    for _ in range(draw(st.integers(1, 3))):
        number = st.integers(NO_LABEL, len(concepts) - 1)
        row = st.lists(number, min_size=side, max_size=side)
        layers = draw(st.lists(st.lists(row, min_size=side, max_size=side), max_size=3))
        whole = draw(st.lists(st.integers(0, len(concepts) - 1), max_size=2).map(tuple))
        seen = {n for layer in layers for line in layer for n in line} | set(whole)
        needed = {concepts[n].category for n in seen - {NO_LABEL}}
        more = draw(st.sets(st.sampled_from(categories)))
        width = draw(st.integers(1, 6))
        squares.append(Square(layers, whole, frozenset(needed | more), width, image_id=draw(NAMES)))
    return OwnSet(concepts, squares, side)


@settings(max_examples=120)
@given(own_sets(), st.integers(1, 11))
def test_any_set_comes_back_at_its_size_and_at_every_other(own: OwnSet, other: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out"
        written = write_broden(own, path, size=own.side)
        assert (written.folder, written.images, written.concepts) == (path, len(own), len(own.concepts))
        assert listed(Path(folder)) == ["out"]
        assert_equal(Broden(path), own, [own.side, other])


def test_sets_of_all_kinds_joined(tmp_path: Path) -> None:
    write_image_labels(tmp_path / "labels")
    specs = [
        f"broden:{a_broden_folder(tmp_path / 'broden')}",
        f"coco:{write_coco_masks(tmp_path / 'coco')}",
        f"folder:{write_folder(tmp_path / 'folder')}",
        f"labels:{tmp_path / 'labels/labels.csv'}",
        "colors",
    ]
    joined = open_concepts(specs)
    write_broden(joined, tmp_path / "out", size=12)
    read = Broden(tmp_path / "out")
    assert_equal(read, joined, [12])
    # once more: what was read is written again as it is
    write_broden(read, tmp_path / "again", size=12)
    assert_equal(Broden(tmp_path / "again"), read, [12, 5, 24])


def test_layers_that_overlap_become_items_and_others_share_one(tmp_path: Path) -> None:
    layers = [
        [[0, 0], [-1, -1]],
        [[-1, -1], [1, 2]],  # road and car touch nowhere; wheel is of another category
        [[1, -1], [-1, -1]],  # car upon road
    ]
    own = OwnSet([ROAD, CAR, WHEEL], [Square(layers, (), frozenset({"object", "part"}))], 2)
    write_broden(own, tmp_path / "out", size=2)
    (row,) = table(tmp_path / "out/index.csv")
    assert len(row["object"].split(";")) == 2 and len(row["part"].split(";")) == 1
    first, second = (np.asarray(Image.open(tmp_path / "out/images" / n)) for n in row["object"].split(";"))
    assert first[..., 0].tolist() == [[1, 1], [2, 0]]
    assert second[..., 0].tolist() == [[2, 0], [0, 0]]
    assert not first[..., 1:].any() and len(listed(tmp_path / "out/images")) == 4
    assert_equal(Broden(tmp_path / "out"), own, [2, 7])


def test_the_tables_counted_on_paper(tmp_path: Path) -> None:
    concepts = [ROAD, WHEEL, Concept("road", "scene"), Concept("wheel", "object"), GRID]
    both = frozenset({"object", "part", "scene"})
    squares = [
        Square([[[0, 0], [0, 1]], [[0, -1], [3, -1]]], (2,), both, 6, 4, "a/kitchen sink.jpg"),
        Square([[[1, 1], [-1, -1]]], (), both, 5, 5, "b"),
        Square((), (), frozenset(), 5, 5, "c"),
    ]
    write_broden(OwnSet(concepts, squares, 2), tmp_path / "out", size=2)
    rows = table(tmp_path / "out/index.csv")
    assert list(rows[0]) == ["image", "split", "ih", "iw", "sh", "sw", "object", "part", "scene", "texture"]
    assert [list(row.values())[:6] for row in rows] == [
        ["0-kitchen-sink.png", "train", "4", "6", "2", "2"],
        ["1-b.png", "train", "5", "5", "2", "2"],
        ["2-c.png", "train", "5", "5", "2", "2"],
    ]
    assert [row["scene"] for row in rows] == ["3", "0", ""]
    assert [row["object"].count(".png") for row in rows] == [2, 0, 0]
    assert [row["object"] for row in rows][1:] == ["0", ""]
    assert {row["texture"] for row in rows} == {""}
    # road covers 3 of 4 pixels; wheel as part 1 of 4 and 2 of 4, as object 1 of 4; the scene all
    assert [list(row.values()) for row in table(tmp_path / "out/label.csv")] == [
        ["1", "road", "object(1)", "1", "0.750000", ""],
        ["2", "wheel", "part(2);object(1)", "3", "1.000000", ""],
        ["3", "road-s", "scene(1)", "1", "1.000000", ""],
        ["4", "grid", "texture(0)", "0", "0.000000", ""],
    ]
    assert [list(row.values()) for row in table(tmp_path / "out/category.csv")] == [
        ["object", "1", "2", "2", "2"],
        ["part", "2", "2", "1", "2"],
        ["scene", "3", "3", "1", "1"],
        ["texture", "4", "4", "1", "0"],
    ]
    assert [list(row.values()) for row in table(tmp_path / "out/c_object.csv")] == [
        ["1", "1", "road", "1", "0.750000"],
        ["2", "2", "wheel", "1", "0.250000"],
    ]


def test_a_category_that_is_carried_and_has_no_concept(tmp_path: Path) -> None:
    own = OwnSet([ROAD], [Square([[[0]]], (), frozenset({"object"})), Square((), (), frozenset({"mood"}))], 1)
    assert write_broden(own, tmp_path / "out", size=1).categories == 2
    assert_equal(Broden(tmp_path / "out"), own, [1, 3])
    assert Broden(tmp_path / "out").labels(1, 3).categories == {"mood"}


def test_more_names_than_one_channel_holds(tmp_path: Path) -> None:
    concepts = [Concept(f"thing {number}", "object") for number in range(600)]
    layer = np.arange(600).reshape(20, 30)[:, :20]
    own = OwnSet(concepts, [Square([layer.tolist()], (599,), frozenset({"object"}))], 20)
    write_broden(own, tmp_path / "out", size=20)
    assert_equal(Broden(tmp_path / "out"), own, [20, 9])
    many = OwnSet([Concept(str(number), "object") for number in range(65536)], own.squares, 20)
    with pytest.raises(ConceptSetError, match="65536 names.*65535"):
        write_broden(many, tmp_path / "many")


def test_the_size_is_the_image_s_own_if_it_is_square(tmp_path: Path) -> None:
    layer = np.zeros((5, 5), int).tolist()
    squares = [Square([layer], (), frozenset({"object"}), width, 5) for width in (5, 6)]
    own = OwnSet([ROAD], squares, 5)
    write_broden(own, tmp_path / "out")
    assert own.asked == [5, 112]
    assert [(row["sh"], row["sw"]) for row in table(tmp_path / "out/index.csv")] == [
        ("5", "5"),
        ("112", "112"),
    ]
    with pytest.raises(ValueError, match="size: expected at least 1 pixel, got 0"):
        write_broden(own, tmp_path / "none", size=0)


class _Tagged(OwnSet):
    """Its images carry what a PNG could pass on: a transparent colour and a rotation."""

    def image(self, index: int) -> Image.Image:
        image = super().image(index)
        image.putpixel((0, 0), (1, 2, 3))
        image.info["transparency"] = (1, 2, 3)
        image.getexif()[0x0112] = 6
        return image


def test_only_pixels_of_an_image_are_kept(tmp_path: Path) -> None:
    own = _Tagged([ROAD], [Square((), (0,), frozenset({"object"}), 4, 5)], 1)
    write_broden(own, tmp_path / "out", size=1)
    assert_equal(Broden(tmp_path / "out"), own, [1])


def _with(
    concepts: Sequence[Concept] = (ROAD,),
    layers: Sequence[Sequence[Sequence[int]]] = (),
    whole: tuple[int, ...] = (),
    carried: frozenset[str] = frozenset({"object"}),
) -> OwnSet:
    return OwnSet(concepts, [Square(layers, whole, carried)], 1)


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (OwnSet([ROAD], [], 1), "0 images and 1 concepts"),
        (_with(()), "1 images and 0 concepts"),
        (_with((ROAD, CAR, ROAD)), r"road \(object\) is in the set 2 times"),
        (_with((Concept("road ", "object"),)), "'road '.*white space"),
        (_with((Concept("", "object"),)), "''.*white space"),
        (_with(carried=frozenset({"object", "a\0b"})), "UTF-8"),
        (_with(carried=frozenset({"object", "a\udce9"})), "UTF-8"),
        (_with((Concept("road", "a/b"),)), "'a/b'.*slash"),
        (_with((Concept("road", "a;b"),)), "'a;b'.*semicolon"),
        (_with((Concept("road", "sh"),)), "'sh'.*columns"),
        (_with((Concept("road", ""),)), "category ''"),
        (_with(carried=frozenset({"object", "a\\b"})), "slash"),
        (_with(layers=[[[1]]]), "photo.jpg: has labels numbered 1 to 1.*0 to 0"),
        (_with(layers=[[[-2]]]), "numbered -2"),
        (_with(whole=(-1,)), "numbered -1"),
        (_with(whole=(0,), carried=frozenset()), "photo.jpg: has a label of category 'object'.*none"),
        (_with(layers=[[[0]]], carried=frozenset({"part"})), "'object'.*part"),
    ],
)
def test_what_the_layout_cannot_hold_is_refused_and_leaves_nothing(
    tmp_path: Path, own: OwnSet, words: str
) -> None:
    with pytest.raises(ConceptSetError, match=words):
        write_broden(own, tmp_path / "out", size=1)
    assert listed(tmp_path) == []


def test_labels_of_another_size_are_refused(tmp_path: Path) -> None:
    class Deaf(OwnSet):
        def labels(self, index: int, size: int) -> Labels:
            return super().labels(index, 3)

    own = Deaf([ROAD], [Square([[[0]]], (), frozenset({"object"}))], 1)
    with pytest.raises(ConceptSetError, match=r"\[1, 3, 3\], \[L, 2, 2\] was expected"):
        write_broden(own, tmp_path / "out", size=2)
    assert listed(tmp_path) == []


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_exists_is_never_replaced(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    if kind == "folder":
        out.mkdir()
    elif kind == "file":
        out.write_text("mine")
    else:
        out.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ArtifactError, match="out exists already; .*choose another"):
        write_broden(_with(whole=(0,)), out)
    assert listed(tmp_path) == ["out"]


def test_a_folder_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    class Slow(OwnSet):
        def image(self, index: int) -> Image.Image:
            (tmp_path / "out").mkdir()
            return super().image(index)

    with pytest.raises(ArtifactError, match="exists already"):
        write_broden(Slow([ROAD], [Square()], 1), tmp_path / "out", size=1)
    assert listed(tmp_path) == ["out"] and listed(tmp_path / "out") == []


@pytest.mark.parametrize(
    "failure", [KeyboardInterrupt(), OSError(28, "No space left on device"), ConceptSetError("bad")]
)
def test_a_failure_half_way_leaves_nothing(tmp_path: Path, failure: BaseException) -> None:
    there: list[list[str]] = []

    class Broken(OwnSet):
        def image(self, index: int) -> Image.Image:
            if index == 1:
                there.append(listed(tmp_path))
                raise failure
            return super().image(index)

    own = Broken([ROAD], [Square(), Square()], 1)
    with pytest.raises(type(failure)):
        write_broden(own, tmp_path / "out", size=1)
    assert len(there) == 1 and len(there[0]) == 1  # the draft was there
    assert listed(tmp_path) == []


def test_progress_wraps_the_images_and_parents_are_made(tmp_path: Path) -> None:
    own = OwnSet([ROAD], [Square(), Square()], 1)
    seen: list[int] = []

    def watch(numbers):  # type: ignore[no-untyped-def]
        for number in numbers:
            seen.append(number)
            yield number

    write_broden(own, tmp_path / "a/b", size=1, progress=watch)
    assert seen == [0, 1] and len(Broden(tmp_path / "a/b")) == 2
