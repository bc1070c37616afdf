"""Two namers, unit by unit: same, renamed, gained, lost."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from dissection.concepts import Concept
from dissection.names import Names, UnitName
from neuro_explain.cli import run
from neuro_explain.name_compare import NameChanges, compare_names

BED, SCENE, LAMP, WORD = (
    Concept("bed", "object"),
    Concept("bed", "scene"),
    Concept("dining_table", "object"),
    Concept("Dining table", "word"),
)


def names_of(*units: UnitName, **more: object) -> Names:
    fixed: dict[str, object] = {
        "layer": "layer4",
        "fingerprint": "sha256:" + "a" * 64,
        "source": "some names",
        "concept_sets": ("coco",),
        "quantile": 0.005,
        "min_iou": 0.05,
        "exemplars": {},
    }
    return Names(units=units, **(fixed | more))  # type: ignore[arg-type]


BEFORE = (
    UnitName(0, BED, 0.2, BED, q=0.01),
    UnitName(1, BED, 0.3, BED),
    UnitName(2, None, 0.04, LAMP),
    UnitName(3, LAMP, 0.1, LAMP),
    UnitName(4, None, note="dead"),
    UnitName(5, BED, 0.1, BED),
)
AFTER = (
    UnitName(0, BED, 0.25, BED, q=0.02),
    UnitName(1, LAMP, 0.1, LAMP, q=0.001),
    UnitName(2, LAMP, 0.06, LAMP),
    UnitName(3, None, 0.04, BED),
    UnitName(4, None),
    UnitName(5, SCENE, 0.1, SCENE),
)


@pytest.fixture
def changes() -> NameChanges:
    return compare_names(names_of(*BEFORE), names_of(*AFTER, source="other names", quantile=0.01))


def test_each_unit_has_its_kind(changes: NameChanges) -> None:
    assert [one.kind for one in changes.units] == ["same", "renamed", "gained", "lost", "unnamed", "renamed"]
    assert changes.counts == {"same": 1, "renamed": 2, "gained": 1, "lost": 1, "unnamed": 1}
    assert sum(changes.counts.values()) == 6
    assert changes.agreement == pytest.approx(1 / 3)
    # named by both: bed, bed, bed and bed, dining_table, bed (scene); dealt out anew, a third of pairs would agree
    assert changes.expected == pytest.approx(1 / 3)


def test_what_is_said(changes: NameChanges) -> None:
    assert list(changes.lines()) == [
        "from some names to other names, which differ in:",
        "  quantile: 0.005 → 0.01",
        "6 units: 1 same, 2 renamed, 1 gained, 1 lost, 1 unnamed in both",
        "of 3 units named by both, 33 % agree; 33 % would by chance",
        "unit 1: bed (object), IoU 0.300 → dining_table (object), IoU 0.100, q 0.001",
        "unit 2: unnamed (closest: dining_table (object), IoU 0.040) → dining_table (object), IoU 0.060",
        "unit 3: dining_table (object), IoU 0.100 → unnamed (closest: bed (object), IoU 0.040)",
        "unit 5: bed (object), IoU 0.100 → bed (scene), IoU 0.100",
    ]
    assert str(changes.units[0]) == "unit 0: bed (object) stays, IoU 0.200, q 0.01 → IoU 0.250, q 0.02"
    assert str(changes.units[4]) == "unit 4: unnamed (dead) → unnamed"


def test_as_a_table_and_as_json(changes: NameChanges) -> None:
    frame = changes.to_frame()
    assert list(frame.index) == list(range(6))
    assert list(frame["kind"]) == [one.kind for one in changes.units]
    assert frame["before_iou"].iloc[1] == 0.3 and frame["after_q"].iloc[1] == 0.001
    assert frame["after_concept"].isna().tolist() == [False, False, False, True, True, False]
    empty = compare_names(names_of(UnitName(0, None)), names_of(UnitName(0, None))).to_frame()
    assert dict(empty.dtypes) == dict(frame.dtypes)
    data = json.loads(json.dumps(changes.to_dict()))
    assert data["counts"]["renamed"] == 2
    assert data["differences"] == [{"setting": "quantile", "before": "0.005", "after": "0.01"}]
    assert data["units"][3]["before_concept"] == "dining_table" and data["units"][3]["after_concept"] is None


def test_words_have_no_category_so_that_of_labels_does_not_count() -> None:
    labels = names_of(UnitName(0, LAMP, 0.1, LAMP), UnitName(1, BED, 0.1, BED))
    words = names_of(
        UnitName(0, WORD, best=WORD, score=1.5, q=0.01),
        UnitName(1, WORD, best=WORD, score=1.0),
        source="words",
    )
    changes = compare_names(labels, words)
    assert [one.kind for one in changes.units] == ["same", "renamed"]
    assert not changes.by_category
    lines = list(changes.lines())
    assert "of 2 units named by both, 50 % agree; 50 % would by chance (whatever the category)" in lines
    assert lines[-1] == "unit 1: bed (object), IoU 0.100 → Dining table (word), score 1.00"
    assert [one.kind for one in compare_names(labels, words, by_category=True).units] == ["renamed"] * 2
    scenes = names_of(UnitName(0, BED, 0.1, BED), UnitName(1, SCENE, 0.1, SCENE))
    either = compare_names(
        scenes, names_of(*(dataclasses.replace(scenes[1 - n.unit], unit=n.unit) for n in scenes))
    )
    assert either.counts["renamed"] == 2 and either.by_category


def test_what_differs_is_named_and_hashes_are_short() -> None:
    one = names_of(UnitName(0, None))
    other = names_of(
        UnitName(0, None), layer=None, fingerprint="sha256:" + "b" * 64, concept_sets=("coco", "colors")
    )
    told = list(compare_names(one, other).lines())
    assert told[:4] == [
        "from some names (first) to some names (second), which differ in:",
        "  layer: layer4 → not told",
        "  weights: sha256:aaaaaaaaaaaa… → sha256:bbbbbbbbbbbb…",
        "  concept sets: coco → coco, colors",
    ]
    same = compare_names(one, one)
    assert next(same.lines()).endswith("which differ in nothing that they tell")
    assert (same.agreement, same.expected) == (None, None)


def test_words_and_labels_differ_in_what_both_tell() -> None:
    class Words(Names):
        clip = "ViT-B-32"

    labels = names_of(UnitName(0, BED, 0.1, BED))
    words = Words(**(vars(labels) | {"units": (UnitName(0, WORD, best=WORD, score=1.0),), "quantile": None}))
    told = compare_names(labels, dataclasses.replace(words, fingerprint=None)).differences
    assert [(one.setting, one.before, one.after) for one in told] == [
        ("named by", "labels", "words"),
        ("weights", "sha256:aaaaaaaaaaaa…", "not told"),
    ]


def test_another_number_of_units_is_refused() -> None:
    with pytest.raises(
        ValueError, match="some names names 6 units and some names 1: only namers of as many units"
    ):
        compare_names(names_of(*BEFORE), names_of(UnitName(0, None)))


def write_csv(path: Path, *labels: tuple[str, float]) -> str:
    lines = [f"{n},object,{label},{score}" for n, (label, score) in enumerate(labels, 1)]
    path.write_text("\n".join(["unit,category,label,score", *lines]) + "\n")
    return str(path)


@pytest.fixture
def sources(tmp_path: Path) -> list[str]:
    return [
        write_csv(tmp_path / "a.csv", ("bed", 0.2), ("lamp", 0.1), ("lamp", 0.01), ("sky", 0.3)),
        write_csv(tmp_path / "b.csv", ("bed", 0.3), ("bed", 0.1), ("lamp", 0.07), ("sky", 0.04)),
    ]


def test_the_command_takes_both_sources_before_or_after_the_option(
    sources: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = sources
    said = []
    for words in (["--compare", a, b], [a, "--compare", b], [a, b, "--compare"]):
        assert run(["names", *words]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] == said[2]
    assert said[0].splitlines() == [
        "from a.csv to b.csv, which differ in nothing that they tell",
        "4 units: 1 same, 1 renamed, 1 gained, 1 lost, 0 unnamed in both",
        "of 2 units named by both, 50 % agree; 50 % would by chance",
        "unit 1: lamp (object), IoU 0.100 → bed (object), IoU 0.100",
        "unit 2: unnamed (closest: lamp (object), IoU 0.010) → lamp (object), IoU 0.070",
        "unit 3: sky (object), IoU 0.300 → unnamed (closest: sky (object), IoU 0.040)",
    ]


def test_the_command_can_be_asked_for_some(sources: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["names", "--compare", *sources, "0", "3"]) == 0
    assert [line[:6] for line in capsys.readouterr().out.splitlines()[3:]] == ["unit 0", "unit 3"]
    assert run(["names", "--compare", *sources, "--concept", "Lamp"]) == 0
    assert [line[:6] for line in capsys.readouterr().out.splitlines()[3:]] == ["unit 1", "unit 2"]
    assert run(["names", "--compare", *sources, "--json", "--concept", "sky"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [row["unit"] for row in data["units"]] == [3] and data["counts"]["same"] == 1


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        (["9"], 1, "unit 9: expected units 0 to 3"),
        (["--concept", "moon"], 1, "neither a.csv nor b.csv names one of these units 'moon'"),
        (["0", "--concept", "bed"], 2, "units or --concept"),
        (["--netdissect-csv", "x.csv"], 2, "leave out --compare"),
        (["bed"], 2, "'bed' is not a valid integer"),
    ],
)
def test_mistakes_are_said(
    sources: list[str], capsys: pytest.CaptureFixture[str], more: list[str], status: int, said: str
) -> None:
    assert run(["names", "--compare", *sources, *more]) == status
    assert said in capsys.readouterr().err


def test_one_source_alone_cannot_be_compared(sources: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["names", "--compare", sources[0]]) == 2
    assert "--compare needs two sources" in capsys.readouterr().err
    assert run(["names", sources[0], "one"]) == 2
    assert "'one' is not a valid integer" in capsys.readouterr().err
