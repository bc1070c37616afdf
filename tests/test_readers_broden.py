"""Broden's layout, label by label."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from concept_sets import (
    BRODEN_CATEGORIES,
    BRODEN_LABELS,
    write_broden,
    write_csv,
    write_photo,
    write_rgb_mask,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dissection.concepts import NO_LABEL, Concept, ConceptDataset
from dissection.images import ImageError
from dissection.readers.broden import Broden, broden_name, concept_from_broden
from dissection.readers.errors import ConceptSetError, MissingFileError

CONCEPTS = [
    Concept("black", "color"),
    Concept("car", "object"),
    Concept("street", "object"),
    Concept("car", "part"),
    Concept("wheel", "part"),
    Concept("street", "scene"),
    Concept("grid", "texture"),
    Concept("dotted", "texture"),
]


def test_what_is_in_the_set(tmp_path: Path) -> None:
    broden = Broden(write_broden(tmp_path))
    assert isinstance(broden, ConceptDataset)
    assert len(broden) == 3 and broden.image_id(1) == "images/dtd/b.png"
    assert list(broden.concepts) == CONCEPTS
    assert broden.image(0).size == (8, 6)


def test_pixels_count_for_the_category_of_their_column(tmp_path: Path) -> None:
    labels = Broden(write_broden(tmp_path)).labels(0, 4)
    black, car, street, car_part, wheel, scene = range(6)
    none = NO_LABEL
    assert labels.layers[:, 0].tolist() == [
        [black] * 4,
        [none, car, car, street],
        [none, wheel, none, none],
        [car_part, car_part, none, none],
    ]
    assert labels.layers.shape == (4, 4, 4) and labels.layers.dtype == np.int32
    assert labels.whole == (scene,)
    assert labels.categories == {"color", "object", "part", "scene"}


def test_whole_images_and_empty_cells(tmp_path: Path) -> None:
    broden = Broden(write_broden(tmp_path))
    textures = broden.labels(1, 5)
    assert [broden.concepts[n].name for n in textures.whole] == ["dotted", "grid"]
    assert textures.categories == {"texture"} and textures.layers.shape == (0, 5, 5) and not textures.empty
    nothing = broden.labels(2, 5)  # its scene is 0: somebody looked and found no label
    assert nothing.empty and nothing.categories == {"scene"}


def test_codes_decide_the_order_and_what_belongs_to_a_category(tmp_path: Path) -> None:
    broden = Broden(write_broden(tmp_path, codes={"texture": [303, 302], "object": [300, 2]}))
    named = [c for c in broden.concepts if c.category in ("texture", "object")]
    assert [c.name for c in named] == ["street", "car", "dotted", "grid"]


def test_names_and_back() -> None:
    for name, category in (
        ("black-c", "color"),
        ("street-s", "scene"),
        ("pass-s", "object"),
        ("grid", "texture"),
    ):
        assert broden_name(concept_from_broden(name, category)) == name
    assert concept_from_broden("street-s", "scene") == Concept("street", "scene")
    assert concept_from_broden("street", "scene") == Concept("street", "scene")


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 12), st.integers(0, 2**31))
def test_labels_equal_a_loop_over_pixels(
    tmp_path: Path, height: int, width: int, size: int, seed: int
) -> None:
    root = write_broden(tmp_path)
    numbers = np.random.default_rng(seed).choice([0, 2, 300], (height, width))
    write_rgb_mask(root / "images/one.png", numbers)
    write_csv(
        root / "index.csv",
        [("image", "sh", "sw", *BRODEN_CATEGORIES), ("dtd/b.png", height, width, "", "one.png", "", "", "")],
    )
    found = Broden(root).labels(0, size).layers[0]
    kept = np.asarray(
        Image.fromarray(numbers.astype(np.int32)).resize((size, size), Image.Resampling.NEAREST)
    )
    concept = {0: NO_LABEL, 2: 1, 300: 2}
    for y in range(size):
        for x in range(size):
            assert found[y, x] == concept[int(kept[y, x])]


def index_rows(root: Path, **cells: object) -> None:
    row = dict.fromkeys(BRODEN_CATEGORIES, "") | {"image": "dtd/b.png", "sh": 3, "sw": 4} | cells
    write_csv(root / "index.csv", [list(row), list(row.values())])


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ({"image": "../../a.png"}, r"index\.csv, line 2: image 'images/../../a\.png' points outside the set"),
        ({"image": "/etc/passwd"}, r"index\.csv, line 2: image '/etc/passwd' points outside the set"),
        ({"part": "ade/a_part_1.png;/x.png"}, r"index\.csv, line 2: part '/x\.png' points outside the set"),
        ({"image": "dtd/no.png"}, r"index\.csv, line 2: image 'images/dtd/no\.png' does not exist"),
        ({"image": ""}, r"index\.csv, line 2: column 'image' is empty"),
        (
            {"part": "no.png;no2.png"},
            r"index\.csv, line 2: part 'images/no\.png' does not exist.*2 files are missing",
        ),
        ({"sh": "x"}, r"index\.csv, line 2: sh is 'x', a whole number from 1"),
        ({"sw": 0}, r"index\.csv, line 2: sw is '0', a whole number from 1"),
        ({"scene": "999"}, r"index\.csv, line 2: label number 999 is not in label\.csv for category 'scene'"),
        ({"scene": "2"}, r"index\.csv, line 2: label number 2 is not in label\.csv for category 'scene'"),
        ({"scene": "9" * 40}, r"index\.csv, line 2: scene 'images/9+' does not exist"),
    ],
)
def test_broken_rows(tmp_path: Path, cells: dict[str, object], sentence: str) -> None:
    root = write_broden(tmp_path)
    index_rows(root, **cells)
    with pytest.raises(ConceptSetError, match=sentence):
        Broden(root)


def test_broken_tables(tmp_path: Path) -> None:
    root = write_broden(tmp_path)
    write_csv(root / "category.csv", [("name",), ("objct",)])
    with pytest.raises(ConceptSetError, match=r"index\.csv: has no column 'objct'; did you mean 'object'\?"):
        Broden(root)
    write_csv(root / "category.csv", [("name",), ("object",), ("object",)])
    with pytest.raises(ConceptSetError, match=r"category\.csv, line 3: category 'object' is there twice"):
        Broden(root)
    write_csv(root / "category.csv", [("name",), ("../object",)])
    with pytest.raises(
        ConceptSetError, match=r"category\.csv, line 2: category '\.\./object' .* has a slash"
    ):
        Broden(root)
    write_csv(root / "category.csv", [("name",), ("object",)])
    write_csv(root / "label.csv", [("number", "name", "category"), *BRODEN_LABELS[:2], BRODEN_LABELS[1]])
    with pytest.raises(ConceptSetError, match=r"label\.csv, line 4: label number 2 is there twice"):
        Broden(root)
    (root / "label.csv").unlink()
    with pytest.raises(MissingFileError, match=r"label\.csv: no such file"):
        Broden(root)


def test_a_code_without_a_label(tmp_path: Path) -> None:
    root = write_broden(tmp_path, codes={"texture": [302, 77]})
    with pytest.raises(
        ConceptSetError, match=r"c_texture\.csv, line 3: label number 77 is not in label\.csv"
    ):
        Broden(root)


def test_columns_that_no_category_names_are_not_read(tmp_path: Path) -> None:
    root = write_broden(tmp_path)
    write_csv(root / "category.csv", [("name",), ("object",)])
    assert Broden(root).labels(0, 4).categories == {"object"}


def test_a_number_that_the_table_lacks(tmp_path: Path) -> None:
    root = write_broden(tmp_path)
    write_rgb_mask(root / "images/ade/a_object.png", [[0, 2, 2, 513]] * 3)
    broden = Broden(root)
    with pytest.raises(
        ConceptSetError, match=r"a_object\.png: label number 513 is not in label\.csv for category 'o"
    ):
        broden.labels(0, 4)
    write_rgb_mask(root / "images/ade/a_object.png", [[0, 2, 2, 3]] * 3)  # a label, but of parts only
    with pytest.raises(
        ConceptSetError, match=r"a_object\.png: label number 3 is not in label\.csv for category 'obj"
    ):
        broden.labels(0, 4)


def test_a_mask_of_another_size_or_kind(tmp_path: Path) -> None:
    root = write_broden(tmp_path)
    broden = Broden(root)
    write_rgb_mask(root / "images/ade/a_object.png", [[0] * 5] * 6)
    with pytest.raises(
        ConceptSetError, match=r"a_object\.png: is 5 × 6 pixels, index\.csv states sw × sh = 4 × 3"
    ):
        broden.labels(0, 4)
    Image.new("L", (4, 3)).save(root / "images/ade/a_object.png")
    with pytest.raises(ImageError, match=r"a_object\.png: has one channel, an RGB label image was expected"):
        broden.labels(0, 4)
    (root / "images/ade/a_object.png").write_bytes(b"")
    with pytest.raises(ImageError, match=r"a_object\.png: is empty"):
        broden.labels(0, 4)


def test_fingerprint(tmp_path: Path) -> None:
    one, two = write_broden(tmp_path / "one"), write_broden(tmp_path / "two")
    before = Broden(one).fingerprint
    assert before.startswith("sha256:") and len(before) == 71
    assert Broden(two).fingerprint == before, "a copy elsewhere is the same set"
    write_photo(two / "images/unlisted.png")
    assert Broden(two).fingerprint == before, "a file that no row names is no part of the set"
    write_rgb_mask(two / "images/ade/a_object.png", [[2, 0, 2, 300]] * 3)
    changed = Broden(two).fingerprint
    assert changed != before
    write_csv(two / "label.csv", [("number", "name", "category"), *BRODEN_LABELS, (9, "x", "object(1)")])
    assert Broden(two).fingerprint not in (before, changed)
    assert json.dumps(before)
