"""Sets by name, joined by Broden's rule, with colours."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from concept_sets import (
    write_broden,
    write_coco_masks,
    write_folder,
    write_image_labels,
    write_mask,
    write_photo,
)
from PIL import Image

from dissection.concepts import NO_LABEL, Concept, ConceptDataset, Labels
from dissection.images import squash
from dissection.readers import MissingFileError, Union, WithColors, open_concepts
from dissection.readers.colors import NAMES, color_indices, color_table
from dissection.readers.errors import ConceptSetError


class Own:
    """A set of somebody's own: three squares, of which the middle has a label."""

    concepts = (Concept("square", "object"), Concept("car", "object"))
    fingerprint = "sha256:own"

    def __len__(self) -> int:
        return 3

    def image_id(self, index: int) -> str:
        return f"square-{index}"

    def image(self, index: int) -> Image.Image:
        return Image.new("RGB", (4, 4), (0, 0, 0))

    def labels(self, index: int, size: int) -> Labels:
        number = 0 if index == 1 else NO_LABEL
        return Labels(np.full((1, size, size), number, np.int32), (), frozenset({"object"}))


@pytest.fixture
def specs(tmp_path: Path) -> list[str]:
    return [
        f"folder:{write_folder(tmp_path / 'masks')}",
        f"broden:{write_broden(tmp_path / 'broden')}",
        f"labels:{write_image_labels(tmp_path / 'scenes')}",
        f"coco:{write_coco_masks(tmp_path / 'coco')}",
    ]


def names(dataset: ConceptDataset, numbers: Sequence[int]) -> list[str]:
    return [str(dataset.concepts[n]) if n >= 0 else "" for n in numbers]


def test_one_spec_is_the_set_itself(specs: list[str]) -> None:
    assert len(open_concepts(specs[1])) == 3
    assert open_concepts([specs[1]]).concepts == open_concepts(specs[1]).concepts
    own = Own()
    assert open_concepts(own) is own


def test_joined_concepts_and_images(specs: list[str]) -> None:
    union = open_concepts(specs)
    assert isinstance(union, Union) and isinstance(union, ConceptDataset)
    parts = [open_concepts(spec) for spec in specs]
    assert list(union.concepts) == list(dict.fromkeys(c for part in parts for c in part.concepts))
    assert len(set(union.concepts)) == len(union.concepts)
    assert union.concepts.count(Concept("car", "object")) == 1 and Concept("car", "part") in union.concepts
    assert union.concepts.count(Concept("street", "scene")) == 1, (
        "Broden's street-s and the table's street are one"
    )
    assert [union.image_id(i) for i in range(len(union))] == [
        *("masks/images/b.png", "masks/images/a.png"),
        *("broden/images/ade/a.png", "broden/images/dtd/b.png", "broden/images/dtd/c.png"),
        *("scenes/photos/1.png", "scenes/photos/2.png", "scenes/photos/3.png"),
        "coco/images/val2017/000000000001.png",
    ]
    assert [union.source(i) for i in range(len(union))] == [0, 0, 1, 1, 1, 2, 2, 2, 3]


def test_joined_labels_mean_the_same_concepts(specs: list[str]) -> None:
    union = open_concepts(specs)
    index = 0
    for spec in specs:
        part = open_concepts(spec)
        for own in range(len(part)):
            alone, joined = part.labels(own, 5), union.labels(index, 5)
            assert joined.layers.shape == alone.layers.shape and joined.layers.dtype == np.int32
            for a, b in zip(alone.layers.ravel().tolist(), joined.layers.ravel().tolist(), strict=True):
                assert names(part, [a]) == names(union, [b])
            assert names(part, alone.whole) == names(union, joined.whole)
            assert joined.categories == alone.categories, "what another set looks for is unlabelled here"
            assert union.image(index).tobytes() == part.image(own).tobytes()
            index += 1
    for outside in (-1, len(union)):
        with pytest.raises(IndexError, match="index: expected 0 to 8"):
            union.image(outside)


def test_own_sets_join(specs: list[str]) -> None:
    union = open_concepts([Own(), specs[0], Path(specs[3])])
    assert union.concepts[:2] == Own.concepts and union.image_id(1) == "own/square-1"
    assert names(union, union.labels(1, 2).layers.ravel().tolist()) == ["square (object)"] * 4
    assert union.labels(0, 2).empty
    assert "car (object)" in names(union, union.labels(3, 4).layers.ravel().tolist())
    assert sum(c == Concept("car", "object") for c in union.concepts) == 1


def test_two_of_the_same_name(tmp_path: Path) -> None:
    one, two = (write_image_labels(tmp_path / side / "set") for side in ("left", "right"))
    union = open_concepts([f"labels:{one}", f"labels:{two}"])
    assert [union.image_id(0), union.image_id(3)] == ["set/photos/1.png", "set-2/photos/1.png"]


def test_numbers_out_of_range_are_refused() -> None:
    class Wrong(Own):
        def labels(self, index: int, size: int) -> Labels:
            return Labels(np.full((1, size, size), 2, np.int32), (), frozenset())

    with pytest.raises(
        ConceptSetError, match=r"wrong/square-0: has labels numbered -1 to 2, but wrong has .* 0 to 1"
    ):
        Union([Wrong(), Own()], ["wrong", "own"]).labels(0, 2)


def test_fingerprint_depends_on_every_part(specs: list[str], tmp_path: Path) -> None:
    before = open_concepts(specs).fingerprint
    assert open_concepts(specs).fingerprint == before
    assert open_concepts(specs[::-1]).fingerprint != before
    assert open_concepts([*specs, "colors"]).fingerprint != before
    write_mask(tmp_path / "masks/masks/a.png", np.zeros((2, 4)))
    assert open_concepts(specs).fingerprint != before


def test_notes_of_the_parts_are_kept(specs: list[str]) -> None:
    joined = open_concepts([*specs[:2], "colors"])
    assert joined.notes == ()  # type: ignore[attr-defined]
    noted = open_concepts(specs[0])
    noted.notes = ("unpack it",)  # type: ignore[attr-defined]
    assert open_concepts([noted, specs[1], "colors"]).notes == ("unpack it",)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (
            "brodn:x",
            r"concept set 'brodn:x': 'brodn' is no kind of set; broden:…, coco:…, .*did you mean 'broden'\?",
        ),
        ("C:\\data", r"'C' is no kind of set"),
        ("broden:", r"concept set 'broden:': a path was expected after 'broden:'"),
        ("colors:x", "concept set 'colors:x': 'colors' stands alone, it labels all the other sets"),
        ("color", r"concept set 'color' does not say its kind .*did you mean 'colors'"),
        ("", "does not say its kind"),
        ("colors", r"'colors' labels the images of other sets: name one beside it, such as 'images:DIR'"),
    ],
)
def test_bad_specs(spec: str, sentence: str) -> None:
    with pytest.raises(ConceptSetError, match=sentence):
        open_concepts(spec)


def test_no_spec_and_wrong_objects() -> None:
    with pytest.raises(ConceptSetError, match=r"no concept set was named; one of broden:…, .* was expected"):
        open_concepts([])
    with pytest.raises(ConceptSetError, match="int is no concept set, it lacks concepts, fingerprint"):
        open_concepts([3])  # type: ignore[list-item]
    with pytest.raises(MissingFileError, match="no such folder"):
        open_concepts("broden:/no/such/place")


def test_a_bare_path_gets_its_kind_offered(specs: list[str]) -> None:
    for spec in specs:
        path = spec.partition(":")[2]
        with pytest.raises(ConceptSetError, match=f"did you mean '{spec}'"):
            open_concepts(path)
    scenes = Path(specs[2].partition(":")[2]).parent
    with pytest.raises(ConceptSetError, match=f"did you mean '{specs[2]}'"):
        open_concepts(scenes)
    with pytest.raises(ConceptSetError, match=f"did you mean 'images:{scenes}/photos'"):
        open_concepts(scenes / "photos")


def test_named_twice(specs: list[str]) -> None:
    with pytest.raises(ConceptSetError, match="is named twice; its images would count twice"):
        open_concepts([specs[0], specs[0] + "/."])


def test_more_kinds() -> None:
    opened = open_concepts("mine:7", more={"mine": lambda rest: Own()})
    assert isinstance(opened, Own)
    with pytest.raises(ConceptSetError, match=r"did you mean 'mine'"):
        open_concepts("mime:7", more={"mine": lambda rest: Own()})


# Colours


def test_the_colour_table() -> None:
    table = color_table()
    assert table.shape == (32, 32, 32) and table.dtype == np.uint8 and table.max() == len(NAMES) - 1
    shades = {(0, 0, 0): "black", (255, 255, 255): "white", (255, 0, 0): "red", (0, 0, 255): "blue"}
    shades |= {
        (128, 128, 128): "grey",
        (255, 255, 0): "yellow",
        (0, 200, 0): "green",
        (255, 128, 0): "orange",
    }
    for shade, name in shades.items():
        assert NAMES[color_indices(Image.new("RGB", (1, 1), shade))[0, 0]] == name


def test_colours_are_read_on_the_squashed_image(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.png", 9, 5)
    photos = open_concepts([f"images:{tmp_path}", "colors"])
    assert list(photos.concepts) == [Concept(name, "color") for name in NAMES]
    labels = photos.labels(0, 4)
    assert labels.categories == {"color"} and labels.layers.shape == (1, 4, 4)
    square = squash(photos.image(0), 4)
    for y in range(4):
        for x in range(4):
            r, g, b = square.getpixel((x, y))
            assert labels.layers[0, y, x] == color_table()[r // 8, g // 8, b // 8]


def test_colours_come_last_and_leave_other_numbers_alone(specs: list[str]) -> None:
    plain = open_concepts([specs[0], specs[2]])
    colored = open_concepts(["colors", specs[0], specs[2]])
    assert isinstance(colored, WithColors)
    assert list(colored.concepts) == [*plain.concepts, *(Concept(name, "color") for name in NAMES)]
    for index in range(len(plain)):
        below, labels = plain.labels(index, 3), colored.labels(index, 3)
        np.testing.assert_array_equal(labels.layers[:-1], below.layers)
        assert labels.layers[-1].min() >= len(plain.concepts)
        assert labels.whole == below.whole and labels.categories == below.categories | {"color"}
        assert colored.image_id(index) == plain.image_id(index)


def test_brodens_own_colours_stay(tmp_path: Path) -> None:
    broden = open_concepts(f"broden:{write_broden(tmp_path)}")
    colored = open_concepts([f"broden:{tmp_path}", "colors"])
    assert [c.name for c in colored.concepts if c.category == "color"] == list(NAMES), (
        "its black is our black"
    )
    np.testing.assert_array_equal(colored.labels(0, 4).layers, broden.labels(0, 4).layers)
    assert colored.labels(1, 4).layers.shape == (1, 4, 4), "this image has no colours of Broden's"


def test_several_threads_get_the_same(specs: list[str]) -> None:
    union = open_concepts([*specs, "colors"])

    def read(index: int) -> tuple[bytes, bytes]:
        return union.image(index).tobytes(), union.labels(index, 16).layers.tobytes()

    alone = [read(index) for index in range(len(union))]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, [*range(len(union))] * 8)) == alone * 8


@pytest.mark.data
def test_real_sets_together(data_dir: Path) -> None:
    union = open_concepts(
        [
            f"coco:{data_dir / 'coco_panoptic256'}",
            f"labels:{data_dir / 'dtd10_textures/labels.csv'}",
            f"labels:{data_dir / 'intel_scenes6/labels.csv'}",
            "colors",
        ]
    )
    assert len(union) == 200 + 400 + 360 and len(union.concepts) == 133 + 10 + 6 + 11
    assert union.labels(3, 112).categories == {"object", "color"}
    assert union.labels(300, 112).categories == {"texture", "color"}
    assert union.labels(700, 112).categories == {"scene", "color"}
