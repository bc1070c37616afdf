"""Cityscapes' folders, and others that are laid out the same way with a table of their own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from concept_sets import write_csv, write_mask, write_photo
from PIL import Image

from dissection.concepts import NO_LABEL, Concept, ConceptDataset
from dissection.readers import open_concepts
from dissection.readers.cityscapes import LABELS, VOID, Cityscapes
from dissection.readers.errors import ConceptSetError, MissingFileError

FRAMES = ("train/aachen/aachen_000000_000019", "val/ulm/ulm_000001_000019")
MASK = ((0, 7, 7, 26), (255, 4, 33, 23))


def write_cityscapes(root: Path, kind: str = "gtFine") -> Path:
    """Two annotated frames of 4 × 2, one without labels; beside the masks what else the archive holds."""
    for seed, frame in enumerate((*FRAMES, "test/bonn/bonn_000000_000019")):
        write_photo(root / f"leftImg8bit/{frame}_leftImg8bit.png", 4, 2, seed)
    for frame in FRAMES:
        write_mask(root / f"{kind}/{frame}_{kind}_labelIds.png", MASK)
        write_mask(root / f"{kind}/{frame}_{kind}_instanceIds.png", MASK, np.uint16)
        write_mask(root / f"{kind}/{frame}_{kind}_color.png", np.zeros((2, 4, 4)))
        (root / f"{kind}/{frame}_{kind}_polygons.json").write_text("{}")
    return root


def seen(dataset: ConceptDataset, index: int, size: int) -> list[list[str | None]]:
    (layer,) = dataset.labels(index, size).layers.tolist()
    return [[dataset.concepts[n].name if n != NO_LABEL else None for n in row] for row in layer]


def test_the_published_layout(tmp_path: Path) -> None:
    street = open_concepts(f"cityscapes:{write_cityscapes(tmp_path)}")
    assert isinstance(street, Cityscapes) and isinstance(street, ConceptDataset)
    assert [street.image_id(i) for i in range(len(street))] == [
        f"leftImg8bit/{frame}_leftImg8bit.png" for frame in FRAMES
    ]
    top, bottom = [None, "road", "road", "car"], [None, None, "bicycle", "sky"]
    assert seen(street, 0, 4) == [top, top, bottom, bottom]
    assert seen(street, 1, 2) == [["road", "car"], [None, "sky"]], "the pixels that Pillow's nearest takes"
    labels = street.labels(0, 4)
    assert labels.categories == {"object"} and labels.whole == () and street.notes == ()


def test_the_table_is_whole() -> None:
    """34 ids from 0 on: each a label or void; and 255."""
    assert set(LABELS) | VOID == {*range(34), 255} and not set(LABELS) & VOID
    assert len(set(LABELS.values())) == len(LABELS) == 27
    # the numbers that nineteen of them have in every paper's table
    assert [
        LABELS[i] for i in (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
    ] == [
        *("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign"),
        *("vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle"),
        "bicycle",
    ]


def test_coarse_masks_only_where_there_are_no_fine_ones(tmp_path: Path) -> None:
    coarse = Cityscapes(write_cityscapes(tmp_path / "a", "gtCoarse"))
    assert seen(coarse, 0, 2) == [["road", "car"], [None, "sky"]] and coarse.notes == ()
    write_cityscapes(tmp_path / "a")
    write_mask(tmp_path / f"a/gtFine/{FRAMES[0]}_gtFine_labelIds.png", np.full((2, 4), 8))
    both = Cityscapes(tmp_path / "a")
    assert seen(both, 0, 1) == [["sidewalk"]]
    assert both.notes == ("gtCoarse/: left out, gtFine/ is read",)


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    write_cityscapes(tmp_path)
    entries = [{"id": 7, "name": "street"}, {"id": 26, "name": "tram", "category": "vehicle"}]
    void = [{"id": 23, "name": "sky", "void": True}, {"id": -1, "name": "plate"}]
    (tmp_path / "labels.json").write_text(json.dumps([*entries, *void]))
    mine = Cityscapes(tmp_path)
    assert list(mine.concepts) == [Concept("street", "object"), Concept("tram", "vehicle")]
    assert seen(mine, 0, 2) == [["street", "tram"], [None, None]], "33 has no entry, and is no label"
    assert mine.labels(0, 2).categories == {"object", "vehicle"}
    before = mine.fingerprint
    write_csv(tmp_path / "labels.csv", [("value", "name", "category"), (0, "nought", "object")])
    table = Cityscapes(tmp_path)
    assert seen(table, 0, 4)[0] == ["nought", None, None, None], "0 is a label if it has a row"
    assert table.fingerprint != before


def test_ids_that_cityscapes_lacks(tmp_path: Path) -> None:
    street = Cityscapes(write_cityscapes(tmp_path))
    write_mask(tmp_path / f"gtFine/{FRAMES[0]}_gtFine_labelIds.png", np.full((2, 4), 34))
    with pytest.raises(
        ConceptSetError, match=r"labelIds\.png: label id 34 is none of Cityscapes', .* labels\.csv"
    ):
        street.labels(0, 4)


def test_a_mask_of_another_size(tmp_path: Path) -> None:
    street = Cityscapes(write_cityscapes(tmp_path))
    write_mask(tmp_path / f"gtFine/{FRAMES[0]}_gtFine_labelIds.png", np.full((4, 4), 7))
    with pytest.raises(ConceptSetError, match=r"the mask is 4 × 4 pixels, its upright image .* is 4 × 2"):
        street.labels(0, 4)


def test_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"no such folder"):
        Cityscapes(tmp_path / "no")
    with pytest.raises(MissingFileError, match=r"holds no gtFine/SPLIT/CITY/…_gtFine_labelIds\.png"):
        Cityscapes(tmp_path)
    write_cityscapes(tmp_path)
    (tmp_path / f"leftImg8bit/{FRAMES[1]}_leftImg8bit.png").unlink()
    with pytest.raises(
        MissingFileError, match=r"ulm_000001_000019_gtFine_labelIds\.png has no image .*\(1 masks have none\)"
    ):
        Cityscapes(tmp_path)


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    write_cityscapes(tmp_path / "set")
    write_photo(tmp_path / "private.png", 4, 2)
    link = tmp_path / f"set/leftImg8bit/{FRAMES[0]}_leftImg8bit.png"
    link.unlink()
    link.symlink_to(tmp_path / "private.png")
    with pytest.raises(ConceptSetError, match="points outside the set"):
        Cityscapes(tmp_path / "set")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", r"labels\.json: is not JSON"),
        ("[]", "a list of entries with 'id' and 'name' was expected"),
        ('["road"]', r"labels\.json, entry 1: is 'road', an object"),
        ('[{"name": "road"}]', "entry 1: 'id' is None, a whole number"),
        ('[{"id": true, "name": "road"}]', "entry 1: 'id' is True"),
        ('[{"id": 7}]', "entry 1: 'name' is None, a name was expected"),
        ('[{"id": 7, "name": "a"}, {"id": 7, "name": "b"}]', "entry 2: id 7 is there twice"),
        ('[{"id": 7, "name": "a", "void": 1}]', "entry 1: 'void' is 1, true or false"),
        ('[{"id": 7, "name": "a", "category": ""}]', "entry 1: 'category' is ''"),
        ('[{"id": 7, "name": "a", "void": true}]', "all its entries are void"),
    ],
)
def test_a_broken_table(tmp_path: Path, content: str, sentence: str) -> None:
    write_cityscapes(tmp_path)
    (tmp_path / "labels.json").write_text(content)
    with pytest.raises(ConceptSetError, match=sentence):
        Cityscapes(tmp_path)


def test_a_csv_value_twice(tmp_path: Path) -> None:
    write_cityscapes(tmp_path)
    write_csv(tmp_path / "labels.csv", [("value", "name", "category"), (1, "a", "x"), (1, "b", "x")])
    with pytest.raises(ConceptSetError, match=r"labels\.csv, line 3: value 1 is there twice"):
        Cityscapes(tmp_path)


def test_a_bare_path_is_guessed(tmp_path: Path) -> None:
    write_cityscapes(tmp_path)
    with pytest.raises(ConceptSetError, match="did you mean 'cityscapes:"):
        open_concepts(str(tmp_path))


def test_nearest_is_pillows(tmp_path: Path) -> None:
    """Random ids on a larger mask, against Pillow's own resize, value by value."""
    values = np.random.default_rng(0).choice([*LABELS, *VOID], (37, 53)).astype(np.uint8)
    frame = "train/x/x_1_2"
    write_photo(tmp_path / f"leftImg8bit/{frame}_leftImg8bit.png", 53, 37)
    write_mask(tmp_path / f"gtFine/{frame}_gtFine_labelIds.png", values)
    kept = np.asarray(Image.fromarray(values).resize((11, 11), Image.Resampling.NEAREST))
    assert seen(Cityscapes(tmp_path), 0, 11) == [[LABELS.get(int(v)) for v in row] for row in kept]
