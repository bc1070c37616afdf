"""Synonyms and broader concepts by a table: equal to labels merged by hand, and tables that are broken."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from concept_sets import (
    COCO_CATEGORIES,
    panoptic_json,
    write_broden,
    write_coco_masks,
    write_coco_panoptic,
    write_csv,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from probes import Given, MemorySet, arrays_of, dissect_by_iou, giving, random_labels

from dissection.concepts import NO_LABEL, Concept, ConceptDataset, Labels
from dissection.readers import ConceptSetError, MissingFileError, Union, WithColors, open_concepts
from dissection.readers.merged import Merged, Rule, load_table, merged, own_table, write_table
from dissection.result import Dissection
from neuro_explain.cli import run

KNOWN = [
    Concept("couch", "object"),
    Concept("red", "color"),
    Concept("sofa", "object"),
    Concept("chair", "object"),
    Concept("street", "scene"),
    Concept("dog", "object"),
]
TABLE = [
    Rule("couch", "object", "sofa", "synonym"),
    Rule("couch", "object", "furniture", "hypernym"),
    Rule("chair", "object", "furniture", "hypernym"),
    Rule("furniture", "object", "thing", "hypernym"),
    Rule("dog", "object", "thing", "hypernym"),
    Rule("dog", "object", "animal", "hypernym"),
    Rule("red", "color", "warm", "synonym"),
    Rule("street", "scene", "outdoor", "hypernym"),
]
AFTER = ["sofa", "warm", "chair", "street", "dog", "furniture", "thing", "outdoor", "animal"]


def by_hand(names: frozenset[str]) -> frozenset[str]:
    """The names of a pixel after `TABLE`, rule by rule."""
    now = {{"couch": "sofa", "red": "warm"}.get(name, name) for name in names}
    for narrow, wide in (
        ("sofa", "furniture"),
        ("chair", "furniture"),
        ("furniture", "thing"),
        ("dog", "thing"),
        ("dog", "animal"),
        ("street", "outdoor"),
    ):
        if narrow in now:
            now.add(wide)
    return frozenset(now)


def names_at(concepts: Sequence[Concept], labels: Labels, y: int, x: int) -> frozenset[str]:
    numbers = {int(layer[y, x]) for layer in labels.layers} - {NO_LABEL} | set(labels.whole)
    return frozenset(concepts[n].name for n in numbers)


def memory(seed: int, images: int = 8, size: int = 4) -> MemorySet:
    rng = np.random.default_rng(seed)
    return MemorySet(KNOWN, [random_labels(rng, KNOWN, size) for _ in range(images)])


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_every_pixel_is_as_merged_by_hand(seed: int) -> None:
    base = memory(seed)
    one = Merged(base, TABLE)
    assert sorted(c.name for c in one.concepts) == sorted(AFTER)
    for i, before in enumerate(base.answers):
        after = one.labels(i, 4)
        assert after.categories == before.categories and after.empty == before.empty
        assert len(after.whole) == len(set(after.whole))
        for y in range(4):
            for x in range(4):
                assert names_at(one.concepts, after, y, x) == by_hand(names_at(KNOWN, before, y, x))


def test_a_dissection_counts_what_one_of_hand_merged_labels_counts() -> None:
    base = memory(7, images=12)
    one = Merged(base, TABLE)
    place = {concept.name: number for number, concept in enumerate(one.concepts)}
    answers = []
    for before in base.answers:  # a layer for each name of a pixel, written anew
        layers = np.full((len(place), 4, 4), NO_LABEL, np.int32)
        for y in range(4):
            for x in range(4):
                for name in by_hand(names_at(KNOWN, before, y, x)):
                    layers[place[name], y, x] = place[name]
        answers.append(Labels(layers, (), before.categories))
    maps = torch.randn(12, 5, 3, 3)
    args = {"quantile": 0.2, "label_size": 4, "exemplars": 0, "permutations": 0, "workers": 1}
    found, wanted = (
        dissect_by_iou(Given(), "maps", giving(maps), dataset, **args)
        for dataset in (one, MemorySet(one.concepts, answers))
    )
    assert arrays_of(found) == arrays_of(wanted)
    assert found.concept_area.sum() > 0 and found.intersection.sum() > 0
    sofa = place["sofa"]
    assert found.concept_area[sofa] < found.concept_area[place["furniture"]]


def test_the_rest_is_as_below() -> None:
    base = memory(1)
    one = Merged(base, TABLE)
    assert isinstance(one, ConceptDataset) and len(one) == len(base)
    assert one.image_id(3) == base.image_id(3) and one.image(2).getpixel((0, 0)) == (2, 0, 99)
    assert one.notes == ()
    again, fewer = Merged(memory(2), list(TABLE)), Merged(base, TABLE[:-1])
    assert one.fingerprint == again.fingerprint != fewer.fingerprint != base.fingerprint
    assert Merged(base, []).fingerprint != one.fingerprint
    assert list(Merged(base, []).concepts) == KNOWN


def test_numbers_that_are_none_are_named() -> None:
    layer = np.full((1, 2, 2), 6, np.int32)
    one = Merged(MemorySet(KNOWN, [Labels(layer, (), frozenset())]), TABLE)
    with pytest.raises(ConceptSetError, match=r"0000.png: has labels numbered -?\d to 6, .* concepts 0 to 5"):
        one.labels(0, 2)


def rule(text: str) -> Rule:
    return Rule(*text.split(","))


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (["cuoch,object,sofa,synonym"], "the set has no object 'cuoch'; did you mean 'couch'"),
        (["street,object,road,synonym"], "no object 'street'; 'street' is there as scene"),
        (["x,smell,y,synonym"], "no smell 'x'; there is"),
        (["couch,object,sofa,synonim"], "the kind is 'synonym' or 'hypernym'; did you mean 'synonym'"),
        (["couch,object,sofa,synonym"] * 2, "it is there twice; drop one"),
        (
            ["couch,object,sofa,synonym", "couch,object,chair,synonym"],
            "'couch' becomes 'sofa' already; a name has one synonym",
        ),
        (["couch,object,couch,synonym"], "leads in a circle back to 'couch'"),
        (["couch,object,sofa,synonym", "sofa,object,couch,synonym"], "in a circle back to 'sofa'"),
        (["couch,object,couch,hypernym"], "makes 'couch' broader than itself"),
        (["couch,object,sofa,synonym", "couch,object,sofa,hypernym"], "'sofa' broader than itself"),
        (
            ["couch,object,a,hypernym", "a,object,b,hypernym", "b,object,couch,hypernym"],
            "makes 'b' broader than itself",
        ),
    ],
)
def test_tables_that_make_no_sense(rules: list[str], said: str) -> None:
    with pytest.raises(ConceptSetError) as error:
        Merged(memory(0), [rule(text) for text in rules])
    assert said in str(error.value)


def test_a_table_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_csv(path, [("name", "category", "into", "kind"), ("couch", "object", "sofa", "synonym")])
    one = merged(memory(0), path)
    assert [c.name for c in one.concepts] == ["sofa", "red", "chair", "street", "dog"]
    write_csv(path, [("name", "category", "into", "kind"), *[("couch", "object", "sofa", "synonym")] * 2])
    with pytest.raises(ConceptSetError, match=r"table.csv, line 3: .* table.csv, line 2 says it already"):
        merged(memory(0), path)
    write_csv(path, [("name", "category", "into", "kind"), ("couch", "object", "", "synonym")])
    with pytest.raises(ConceptSetError, match="table.csv, line 2: column 'into' is empty"):
        load_table(path)
    write_csv(path, [("name", "category", "kind"), ("couch", "object", "synonym")])
    with pytest.raises(ConceptSetError, match="has no column 'into'"):
        load_table(path)
    with pytest.raises(MissingFileError, match="no such file"):
        merged(memory(0), tmp_path / "none.csv")


def with_supercategories(categories: list[dict[str, object]]) -> list[dict[str, object]]:
    broader = {"person": "person", "bottle": "kitchen", "sky-other-merged": "sky"}
    return [{**one, "supercategory": broader[str(one["name"])]} for one in categories]


@pytest.mark.parametrize("layout", ["masks", "panoptic"])
def test_supercategories_of_coco(tmp_path: Path, layout: str) -> None:
    if layout == "masks":
        root = write_coco_masks(tmp_path)
        (root / "categories.json").write_text(json.dumps(with_supercategories(COCO_CATEGORIES)))
    else:
        root = write_coco_panoptic(tmp_path)
        data = {**panoptic_json(), "categories": with_supercategories(COCO_CATEGORIES)}
        (root / "annotations/panoptic_val2017.json").write_text(json.dumps(data))
    opened = open_concepts([f"coco:{root}", "colors"])
    assert own_table(opened) == [
        Rule("bottle", "object", "kitchen", "hypernym"),
        Rule("sky-other-merged", "object", "sky", "hypernym"),
    ]
    one = merged(opened, "own")
    labels = one.labels(0, 4)
    assert names_at(one.concepts, labels, 0, 3) > {"sky-other-merged", "sky"}
    assert "kitchen" in names_at(one.concepts, labels, 3, 0)
    assert not {"person", "kitchen", "sky"} <= names_at(one.concepts, labels, 0, 1)


def broden_with_synonyms(root: Path) -> Path:
    write_broden(root)
    with (root / "label.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    syns = {"car": "auto;wheel;car", "wheel": "car", "street-s": "road-s", "grid": "dotted; lattice"}
    write_csv(root / "label.csv", [[*rows[0], "syns"], *([*row, syns.get(row[1], "")] for row in rows[1:])])
    return root


def test_synonyms_of_broden_alone_and_joined(tmp_path: Path) -> None:
    root = broden_with_synonyms(tmp_path / "broden")
    opened = open_concepts(f"broden:{root}")
    # "wheel" is another name of the part car, and "car" of the part wheel: the first one counts
    wanted = [Rule("wheel", "part", "car", "synonym"), Rule("dotted", "texture", "grid", "synonym")]
    assert own_table(opened) == wanted
    names = [str(c) for c in merged(opened, "own").concepts]
    assert "wheel (part)" not in names and "car (part)" in names and "dotted (texture)" not in names
    other = MemorySet(
        [Concept("auto", "object"), Concept("road", "scene")],
        [Labels(np.zeros((1, 4, 4), np.int32), (1,), frozenset({"object", "scene"}))],
    )
    joined = WithColors(Union([opened, other], ["broden", "own"]))
    assert set(own_table(joined)) == {
        *wanted,
        Rule("auto", "object", "car", "synonym"),
        Rule("road", "scene", "street", "synonym"),
    }
    one = merged(joined, "own")
    assert names_at(one.concepts, one.labels(3, 4), 0, 0) > {"car", "street"}


def test_a_set_without_a_table(tmp_path: Path) -> None:
    for call in (lambda: merged(memory(0), "own"), lambda: write_table(memory(0), tmp_path / "t.csv")):
        with pytest.raises(ConceptSetError, match="carries no table"):
            call()
    assert own_table(memory(0)) == [] and not (tmp_path / "t.csv").exists()


def test_the_own_table_written_and_read_is_the_same(tmp_path: Path) -> None:
    opened = open_concepts(f"broden:{broden_with_synonyms(tmp_path / 'broden')}")
    path = write_table(opened, tmp_path / "table.csv")
    assert path.read_text() == (
        "name,category,into,kind\nwheel,part,car,synonym\ndotted,texture,grid,synonym\n"
    )
    assert load_table(path) == own_table(opened)
    assert merged(opened, path).fingerprint == merged(opened, "own").fingerprint
    with pytest.raises(ConceptSetError, match="is there already"):
        write_table(opened, path)
    with pytest.raises(ConceptSetError, match="cannot be written"):
        write_table(opened, tmp_path / "no folder/table.csv")


def test_own_tables_leave_out_what_contradicts() -> None:
    base = memory(0)
    base.merge_rules = (  # type: ignore[attr-defined]
        rule("couch,object,sofa,synonym"),
        rule("sofa,object,couch,synonym"),
        rule("couch,object,chair,synonym"),
        rule("sofa,object,couch,hypernym"),
        rule("dog,object,animal,hypernym"),
        rule("dog,object,animal,hypernym"),
        rule("cat,object,animal,hypernym"),
        rule("chair,object,dog,hypernym"),
    )
    table = own_table(base)
    assert [one.name for one in table] == ["couch", "dog", "chair"]
    assert Merged(base, table).concepts[-1] == Concept("animal", "object")


@pytest.mark.data
def test_real_supercategories(data_dir: Path) -> None:
    opened = open_concepts(f"coco:{data_dir / 'coco_panoptic256'}")
    table = own_table(opened)
    assert len(table) == 132  # of 133: "person" is its own
    one = merged(opened, "own")
    place = {c.name: n for n, c in enumerate(one.concepts)}
    narrow = {place[r.name] for r in table if r.into == "animal"}
    assert len(narrow) == 10 and len(one.concepts) == 133 + 26
    found = 0
    for i in range(40):
        layers = one.labels(i, 56).layers
        animal = (layers == place["animal"]).any(axis=0)
        assert (animal == np.isin(layers, list(narrow)).any(axis=0)).all()
        found += int(animal.sum())
    assert found > 0


def test_the_command_writes_the_table_and_dissect_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, table = f"broden:{broden_with_synonyms(tmp_path / 'broden')}", tmp_path / "table.csv"
    assert run(["concepts", "table", spec, "--out", str(table)]) == 0
    assert capsys.readouterr().out.strip() == str(table)
    rules = load_table(table)
    assert rules == own_table(open_concepts(spec))
    assert run(["concepts", "table", spec, "--out", str(table)]) == 1
    assert "is there already" in capsys.readouterr().err
    common = [
        "dissect",
        "--model",
        "diorama-scenes",
        "--concepts",
        spec,
        "--label-size",
        "8",
        "--quantile",
        "0.1",
    ]
    for merge, out in (("own", "a"), (str(table), "b")):
        assert run([*common, "--merge", merge, "--out", str(tmp_path / out)]) == 0
    one, other = (Dissection.load(tmp_path / out) for out in ("a", "b"))
    assert arrays_of(one) == arrays_of(other) and one.concepts == other.concepts
    assert not {rule.concept for rule in rules if rule.kind == "synonym"} & set(one.concepts)
    assert "merged by a table" in one.concept_sets
    assert run([*common, "--merge", str(tmp_path / "none.csv"), "--out", str(tmp_path / "c")]) == 1
    assert "none.csv" in capsys.readouterr().err
