"""Describable Textures: folders of textures, and a table of further names."""

from __future__ import annotations

from pathlib import Path

import pytest
from concept_sets import write_photo

from dissection.concepts import Concept, ConceptDataset
from dissection.readers import open_concepts
from dissection.readers.dtd import DescribableTextures
from dissection.readers.errors import ConceptSetError, MissingFileError

JOINT = "banded/banded_0002.jpg banded lined \nzigzagged/zigzagged_0001.jpg zigzagged\n\n"


def write_dtd(root: Path, joint: str | None = JOINT) -> Path:
    for seed, name in enumerate(("banded/banded_0002", "banded/banded_0004", "zigzagged/zigzagged_0001")):
        write_photo(root / f"images/{name}.jpg", seed=seed)
    (root / "images/banded/.directory").write_text("left by a file manager")
    (root / "labels").mkdir()
    (root / "labels/train1.txt").write_text("banded/banded_0002.jpg\n")
    if joint is not None:
        (root / "labels/labels_joint_anno.txt").write_text(joint)
    return root


def textures(dataset: ConceptDataset) -> list[list[str]]:
    return [[dataset.concepts[n].name for n in dataset.labels(i, 3).whole] for i in range(len(dataset))]


def test_the_published_layout(tmp_path: Path) -> None:
    dtd = open_concepts(f"dtd:{write_dtd(tmp_path)}")
    assert isinstance(dtd, DescribableTextures) and isinstance(dtd, ConceptDataset)
    assert list(dtd.concepts) == [Concept(name, "texture") for name in ("banded", "lined", "zigzagged")]
    assert [dtd.image_id(i) for i in range(3)] == [
        *("images/banded/banded_0002.jpg", "images/banded/banded_0004.jpg"),
        "images/zigzagged/zigzagged_0001.jpg",
    ]
    assert textures(dtd) == [["banded", "lined"], ["banded"], ["zigzagged"]]
    labels = dtd.labels(0, 3)
    assert labels.layers.shape == (0, 3, 3) and labels.categories == {"texture"} and not labels.empty


def test_the_folder_is_always_a_texture(tmp_path: Path) -> None:
    """Also where the table does not repeat it; and a name twice is one label."""
    dtd = DescribableTextures(write_dtd(tmp_path, "banded/banded_0002.jpg lined lined\n"))
    assert textures(dtd)[0] == ["banded", "lined"]


def test_without_the_table(tmp_path: Path) -> None:
    with_it = DescribableTextures(write_dtd(tmp_path / "a"))
    without = DescribableTextures(write_dtd(tmp_path / "b", None))
    assert textures(without) == [["banded"], ["banded"], ["zigzagged"]]
    assert without.fingerprint != with_it.fingerprint
    assert DescribableTextures(write_dtd(tmp_path / "c")).fingerprint == with_it.fingerprint


@pytest.mark.parametrize(
    ("joint", "sentence"),
    [
        (
            "banded/no.jpg banded",
            r"labels_joint_anno\.txt, line 1: image 'images/banded/no\.jpg' does not exist",
        ),
        ("\nbanded/banded_0002.jpg", r"line 2: 'banded/banded_0002\.jpg' has no name after it"),
        ("../labels/train1.txt banded", r"line 1: '\.\./labels/train1\.txt' is no image in a folder"),
        ("../../x banded", r"line 1: image 'images/\.\./\.\./x' points outside the set"),
    ],
)
def test_a_broken_table(tmp_path: Path, joint: str, sentence: str) -> None:
    write_dtd(tmp_path, joint)
    with pytest.raises(ConceptSetError, match=sentence):
        DescribableTextures(tmp_path)


def test_a_table_that_is_no_text(tmp_path: Path) -> None:
    write_dtd(tmp_path, "")
    (tmp_path / "labels/labels_joint_anno.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ConceptSetError, match=r"labels_joint_anno\.txt: cannot be read as UTF-8"):
        DescribableTextures(tmp_path)


def test_images_in_no_texture(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"holds no images/TEXTURE/….jpg"):
        DescribableTextures(tmp_path)
    write_photo(tmp_path / "images/a.jpg")
    with pytest.raises(ConceptSetError, match=r"images/a\.jpg is not in images/TEXTURE/"):
        DescribableTextures(tmp_path)


def test_a_bare_path_is_guessed(tmp_path: Path) -> None:
    write_dtd(tmp_path)
    with pytest.raises(ConceptSetError, match="did you mean 'dtd:"):
        open_concepts(str(tmp_path))
