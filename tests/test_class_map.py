"""Which classes stand for which category: equal names, tables, synsets; what has none is said."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from neuro_explain.evaluate.class_map import SHIPPED, are_imagenet, class_map, synset_numbers


@pytest.fixture(scope="module")
def imagenet() -> list[str]:
    from torchvision.models._meta import _IMAGENET_CATEGORIES

    return list(_IMAGENET_CATEGORIES)


def _table(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_equal_names_need_no_table() -> None:
    found = class_map(["dog", "Cat", "cow"], ["cat", "dog", "cow", "cow"])
    assert found.of == {"dog": (1,)}  # names are exact, and of two cows neither is meant
    assert found.without == ("Cat", "cow")
    assert found.sentences() == [
        "1 class stands for 1 category, by equal names",
        "2 categories have no class and are left out: Cat, cow",
    ]


def test_a_table_of_names_numbers_and_none(tmp_path: Path) -> None:
    table = _table(tmp_path / "map.csv", "category,class,why\ndog,whippet,\ndog,0,\nkite,,a bird\n")
    found = class_map(["dog", "kite", "cat"], ["pug", "whippet", "kite", "cat"], table)
    assert found.of == {"dog": (0, 1), "cat": (3,)}  # cat has no row, so its equal name counts
    assert found.without == ("kite",)
    assert found.categories_of(1) == ("dog",) and found.categories_of(2) == ()
    assert found.best("dog", np.array([1.0, 3.0, 9.0, 9.0])) == 1
    assert found.best("dog", np.array([3.0, 3.0, 9.0, 9.0])) == 0  # equal: the lower number


def test_bad_tables_are_named(tmp_path: Path) -> None:
    classes = ["pug", "whippet"]
    with pytest.raises(
        FileNotFoundError, match="none.csv: there is no such file; shipped class maps: imagenet-coco"
    ):
        class_map(["dog"], classes, tmp_path / "none.csv")
    for text, message in (
        ("dog,pug\n", "expected the columns category and class"),
        ("category,class\ndog,wippet\n", "line 2: class 'wippet' is none of .* did you mean whippet"),
        ("category,class\n,pug\n", "line 2: the category is empty"),
        ("category,class\ndog,7\n", "line 2: class 7: .* numbered from 0 to 1"),
        ("category,class\ndog,n02085620\n", "n02085620 is a synset, and the network's 2 classes"),
        (
            "category,class\ndog,\n",
            r"none of the network's 2 classes stands for any of the 1 category \(dog\);",
        ),
        (
            "category,class\ndog,pug\nkat,pug\n",
            r"bad.csv, line 3: category 'kat' is none of the 1 .* \(dog\)$",
        ),
        (
            "category,class\nDog,pug\n",
            r"bad.csv, line 2: category 'Dog' is none of the 1 .*: did you mean dog\?",
        ),
        ("category,class\ndoog,pug\n", r"line 2: category 'doog' .*: did you mean dog\?"),
        ("", "bad.csv: is empty; expected a CSV with the columns category and class"),
        ("category,class\n", "bad.csv: is empty below its header"),
    ):
        with pytest.raises(ValueError, match=message):
            class_map(["dog"], classes, _table(tmp_path / "bad.csv", text))


def test_the_sentences_tell_a_table_from_equal_names(tmp_path: Path) -> None:
    table = _table(tmp_path / "map.csv", "category,class\ndog,pug\ndog,whippet\n")
    found = class_map(["dog", "cat", "cow"], ["pug", "whippet", "cat", "cow"], table)
    assert found.equal == ("cat", "cow")
    assert found.sentences() == ["4 classes stand for 3 categories: 1 by map.csv, 2 by equal names"]
    assert class_map(["dog"], ["pug", "whippet"], table).sentences() == [
        "2 classes stand for 1 category, by map.csv"
    ]


def test_a_class_of_several_categories_is_said(tmp_path: Path) -> None:
    table = _table(tmp_path / "map.csv", "category,class\ndog,pug\npet,pug\npet,cat\n")
    found = class_map(["dog", "pet", "cat"], ["cat", "pug"], table)
    assert found.sentences()[1:] == [
        "2 classes stand for several categories, in each of which its map is measured: "
        "class 0 for pet and cat; class 1 for dog and pet"
    ]


def test_categories_that_a_smaller_set_lacks_are_no_error(imagenet: list[str], tmp_path: Path) -> None:
    assert class_map(["dog"], imagenet, "imagenet-coco").source == "imagenet-coco"
    table = _table(tmp_path / "map.csv", "category,class\nn02123045,281\nn01440764,0\n")
    assert class_map(["n02123045"], imagenet, table, kind="ilsvrc").of == {"n02123045": (281,)}
    with pytest.raises(ValueError, match="line 3: category 'n01440764' is none of the 1"):
        class_map(["n02123045"], imagenet, table, kind="voc")
    _table(tmp_path / "map.csv", "category,class\nn02123045,281\nn99999999,0\n")
    with pytest.raises(ValueError, match="line 3: category 'n99999999' is none of the 1"):
        class_map(["n02123045"], imagenet, table, kind="ilsvrc")


@pytest.mark.data
def test_synsets_stand_in_the_order_of_imagenet(imagenet: list[str], data_dir: Path) -> None:
    with (data_dir / "imagenet1k_samples" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert synset_numbers() == {row["wnid"]: int(row["index"]) for row in rows}
    assert list(synset_numbers()) == sorted(synset_numbers()) and len(synset_numbers()) == 1000
    found = class_map(["n02123045", "n99999999"], imagenet)
    assert found.of == {"n02123045": (281,)} and found.without == ("n99999999",)


def test_the_shipped_table_of_coco(imagenet: list[str]) -> None:
    assert are_imagenet(imagenet) and not are_imagenet(imagenet[::-1]) and not are_imagenet(imagenet[1:])
    with SHIPPED["imagenet-coco"].open() as file:
        rows = list(csv.DictReader(file))
    numbers = synset_numbers()
    for row in rows:  # the names for people are those of the synsets
        assert not row["class"] or imagenet[numbers[row["class"]]] == row["name"], row
    categories = list(dict.fromkeys(row["category"] for row in rows))
    assert len(categories) == 80
    given = [row["class"] for row in rows if row["class"]]
    assert len(set(given)) == len(given)  # no class stands for two things
    found = class_map(categories, imagenet, kind="coco")  # taken without being asked for
    assert found.source == "imagenet-coco"
    assert len(found.of) == 63 and len(found.of["dog"]) == 118 and len(found.of["bird"]) == 59
    assert "kite" in found.without and "giraffe" in found.without
    # another layout takes it only when asked to: then ImageNet's kite would be COCO's
    assert class_map(categories, imagenet, kind="voc").of["kite"] == (21,)


@pytest.mark.data
def test_the_shipped_table_knows_cocos_names(data_dir: Path) -> None:
    import json

    things = json.loads((data_dir / "coco_panoptic256" / "categories.json").read_text())
    with SHIPPED["imagenet-coco"].open() as file:
        categories = {row["category"] for row in csv.DictReader(file)}
    assert categories == {thing["name"] for thing in things if thing["isthing"]}
