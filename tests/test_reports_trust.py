"""What pages say of how far to trust a name: numbers, reasons, counts under each rule, crops on both sides."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from artifacts_for_pages import Q, crops_of, write_collection, write_dissection, write_explanation
from test_reports_read import change_json, refusal, rewrite
from test_reports_write import Page

from reports import trust, why, words
from reports.contract import COLUMNS
from reports.read import read_artifact
from reports.write import BYTES_OF_EVIDENCE, BYTES_OF_EXPLANATION, write_report


def row(**changes: Any) -> dict[str, Any]:
    """Unit evidence of a named unit; None as a value leaves the key away, as an older folder does."""
    values = {
        "concept": "cat", "iou": 0.2212, "margin": 0.012, "runner_up": "dog", "note": "", "best_concept": "cat",
        "q": 0.0031, "iou_low": 0.18, "iou_high": 0.2511,
    }  # fmt: skip
    return {**values, **changes}


def test_a_false_discovery_rate_in_words() -> None:
    said = [words.chance(q) for q in (None, 0.0, 0.00099, 0.001, 0.0031, 0.0994, 0.0996, 0.4, 1.0)]
    assert said == [
        "q not tested", "q < 0.001", "q < 0.001", "q 0.001", "q 0.003", "q 0.099", "q 0.10", "q 0.40", "q 1.00",
    ]  # fmt: skip


def test_how_sure_a_name_is() -> None:
    assert trust.sure(row()) == "IoU 0.221 (0.180–0.251), 0.012 above “dog”, q 0.003"
    old = {key: value for key, value in row().items() if key not in ("q", "iou_low", "iou_high")}
    assert trust.sure(old) == "IoU 0.221, 0.012 above “dog”"
    assert trust.sure(row(margin=None, runner_up=None, q=0.0)) == "IoU 0.221 (0.180–0.251), q < 0.001"
    assert trust.sure(row(iou=None)) == "named without an IoU"
    assert trust.sure(row(iou=None, concept=None)) == "no IoU"
    assert trust.sure(row(iou=None, score=0.314)) == "score 0.31"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iou": 0.03, "q": 0.01}, "IoU 0.030 below 0.05"),
        ({"iou": 0.04996, "q": 0.01}, "IoU 0.04996 below 0.05"),  # never "0.050 below 0.05"
        ({"iou": 0.2, "q": 0.4}, "chance gives as good a label: q 0.40"),
        ({"iou": 0.2, "q": 0.0504}, "chance gives as good a label: q 0.0504"),
        ({"iou": 0.03, "q": 0.4}, "IoU 0.030 below 0.05; chance gives as good a label: q 0.40"),
        ({"iou": 0.05, "q": 0.05}, ""),  # it reaches both limits: nothing that is known says why
        ({"iou": 0.03, "q": None}, "IoU 0.030 below 0.05"),
        ({"iou": None, "best_concept": None}, "no concept overlaps"),
        ({"iou": None, "q": 1.0, "note": "dead"}, "dead: it never fires on the images of the concept set"),
        ({"concept": "cat", "iou": 0.03}, ""),
    ],
)
def test_why_a_unit_has_no_name(changes: dict[str, Any], reason: str) -> None:
    assert trust.unnamed_because(row(**{"concept": None, **changes}), 0.05, 0.05) == reason


def test_reasons_of_names_that_say_no_limit() -> None:
    assert trust.unnamed_because(row(concept=None, iou=0.01, q=0.9), None, None) == ""


def test_limits_are_stricter_than_what_was_asked() -> None:
    assert [limit["text"] for limit in trust.limits(0.05)] == ["0.01", "0.001"]
    assert [limit["value"] for limit in trust.limits(None)] == ["0.1", "0.05", "0.01", "0.001"]


def test_crops_on_both_sides() -> None:
    crops = crops_of(2)  # three for it, one against it
    on, off = why.crop_rows(crops, 2, "cat")
    assert (on["title"], on["start"], on["count"], off["title"], off["start"], off["count"]) == (
        "fires on it", 0, 3, "fires beside it", 3, 1,
    )  # fmt: skip
    # 100 of 400, 160 of 350 and 220 of 300 pixels
    assert on["says"] == "“cat” is 25 to 73 % of its mask there"
    assert on["alt"] == (
        "Unit 2 fires on “cat”: images/002-for-0.jpg, 25 % of its mask; images/002-for-1.jpg, 46 % of its mask; "
        "images/002-for-2.jpg, 73 % of its mask"
    )
    assert off["alt"] == "Unit 2 fires beside “cat”: images/002-against-3.jpg, 0 % of its mask"
    assert on["all"] == off["all"] == 4 and on["room"] == off["room"] == 4
    assert [one["room"] for one in why.crop_rows(crops_of(0), 0, "cat")] == [2, 2]  # side by side
    (only,) = why.crop_rows(crops_of(3), 3, "cat")
    assert (only["kind"], only["count"]) == ("for", 3)
    assert why.crop_rows([], 0, "cat") == []


def test_a_share_is_whole_only_where_that_is_true() -> None:
    crops = [{**crops_of(0)[0], "active": 1000, "labelled": labelled} for labelled in (1, 1000)]
    assert why.crop_rows(crops, 0, "x")[0]["says"] == "“x” is 0.10 to 100 % of its mask there"


def test_nothing_against_a_name_is_said() -> None:
    assert (
        why.nothing_against(crops_of(3), "cat")
        == "On no image where “cat” was looked for does it fire mostly beside it."
    )
    assert why.nothing_against(crops_of(2), "cat") == why.nothing_against([], "cat") == ""


def test_further_labels_and_compositions() -> None:
    labels = [
        {"rank": rank, "concept": name, "category": category, "iou": iou, "best_of_category": best}
        for rank, name, category, iou, best in (
            (1, "dog", "object", 0.1, False), (0, "cat", "object", 0.2, True), (2, "wheel", "part", 0.05, True),
        )
    ]  # fmt: skip
    assert why.also_fires_for(labels, ("cat", "object")) == "dog 0.100, wheel 0.050"
    assert why.by_category(labels) == "object: cat 0.200, part: wheel 0.050"
    assert why.by_category(labels[:2]) == ""
    many = [{**labels[0], "concept": f"dog {i}", "rank": i} for i in range(9)]
    assert why.also_fires_for(many, ("cat", "object")).count(",") == why.LABELS - 1
    pair = {"formula": "cat AND NOT dog", "iou": 0.31, "length": 2, "single_iou": 0.2}
    assert why.composed(pair) == "cat AND NOT dog, IoU 0.310 (one label alone: 0.200)"
    assert why.composed({**pair, "length": 1}) == why.composed(None) == ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dissection(tmp_path_factory.mktemp("page") / "names", tested=True)


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page(write_report(folder))


def card(page: Page, unit: int) -> str:
    """The text of a unit's card."""
    found = re.search(rf'<li class="card[^>]* id="unit-{unit}">(.*?)</li>', page.source, re.DOTALL)
    assert found is not None
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", found[1])).strip())


def test_the_head_counts_each_rule(page: Page, folder: Path) -> None:
    units = read_artifact(folder).tables["units"]
    reach = [row for row in units if (row["iou"] or 0) >= 0.05]
    both = [row for row in reach if row["q"] <= 0.05]
    assert len(units) > len(reach) > len(both) > 0
    assert (
        f"{len(reach)} units reach IoU 0.05, {len(both)} of them stand out from chance (q ≤ 0.05)"
        in page.text
    )
    # unit 3 alone: its IoU is too small, its q is not
    assert "; 1 more stands out with a smaller IoU." in page.text
    assert "exchanged 100 times" in page.text and "could reach q 0.002" in page.text
    assert "off by 0.003 on average" in page.text
    assert "and chance would hardly give as good a label (q up to 0.05)" in page.text


def test_every_card_says_how_sure_it_is(page: Page, folder: Path) -> None:
    for unit in read_artifact(folder).tables["units"]:
        text = card(page, unit["unit"])
        if unit["iou"] is None:
            assert "margin" not in text and "it never fires on these images" in text
            continue
        assert f"IoU {words.overlap(unit['iou'])} {trust.interval(unit)} margin" in text
        assert f"margin {words.overlap(unit['margin'])} above “dog” q {words.chance(unit['q'])[2:]} " in text
        assert ("why this name" if unit["concept"] else "why no name") in text
        assert "13 % of its active pixels lie on" in text and "(recall)" in text
    assert (
        "IoU 0.048" not in card(page, 3) and "below 0.05" in card(page, 3) and "chance" not in card(page, 3)
    )
    assert "chance gives as good a label: q 0.30" in card(page, 6) and "below" not in card(page, 6)
    assert "also fires for" in card(page, 0) and "as a composition" in card(page, 1)


def test_every_bar_says_how_sure_its_best_unit_is(page: Page, folder: Path) -> None:
    units = read_artifact(folder).tables["units"]
    bars = re.findall(r'data-concept="(.*?)" data-category="(.*?)">.*?<small>(.*?)</small>', page.source)
    assert len(bars) == page.twin["summary"]["distinct"] > 1
    for concept, category, said in bars:
        named = [row for row in units if (row["concept"], row["category"]) == (concept, category)]
        best = max(named, key=lambda row: row["iou"])
        expected = f"IoU {best['iou']:.3f} · margin {best['margin']:.3f} · {words.chance(best['q'])}"
        assert said.replace("&lt;", "<") == ("best: " if len(named) > 1 else "") + expected


def test_unnamed_units_are_greyed_and_present(page: Page, folder: Path) -> None:
    units = read_artifact(folder).tables["units"]
    cards = [a for a in page.all("li") if (a.get("id") or "").startswith("unit-")]
    assert len(cards) == len(units)
    for attributes, unit in zip(cards, units, strict=True):
        assert ("unnamed" in str(attributes["class"])) is not bool(unit["concept"])


def test_crops_are_stored_once_and_shown_twice(page: Page) -> None:
    images = [a for a in page.all("image") if (a.get("id") or "").startswith("crops-")]
    used = [a["href"] for a in page.all("use")]
    assert len(images) == 23 and len({a["id"] for a in images}) == 23
    both = [unit for unit in range(24) if unit != 5 and len({c["kind"] for c in crops_of(unit)}) == 2]
    assert used == [f"#crops-{unit}" for unit in both]


def test_an_older_dissection_still_has_its_page(tmp_path: Path) -> None:
    old = Page(write_report(write_dissection(tmp_path / "old")))
    assert old.text.count("were not tested against chance") == 1 and "not tested" not in card(old, 0)
    assert "why this name" not in old.text and 'id="q"' not in old.source
    # as NetDissect's own result: no exemplars, no test
    bare = Page(write_report(write_dissection(tmp_path / "bare", with_exemplars=False)))
    assert "margin" in card(bare, 0) and "not tested" not in card(bare, 0)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"0,0,for", b"0,0,why", "expected crops 'for' and then crops 'against'"),
        (b"0,0,for", b"0,0,against", "got against, for, against, against"),
        (b"0,1,for", b"0,2,for", "expected the rank 1"),
        (b"400,100", b"400,401", "with 401 of 400"),
        (b"0,0,for", b"77,0,for", "unit 77 of 24"),
        (
            b"0,3,against,images/000-against-3.jpg,250,0\r\n",
            b"",
            "3 crops do not fit its picture of 384 × 96 pixels",
        ),
        (b"labelled", b"carrying", "expected the column labelled"),
    ],
)
def test_crops_that_break_the_contract(tmp_path: Path, old: bytes, new: bytes, expected: str) -> None:
    folder = write_dissection(tmp_path / "x", tested=True)
    data = (folder / "evidence.csv").read_bytes()
    assert old in data
    rewrite(folder, "evidence.csv", data.replace(old, new, 1))
    assert expected in refusal(folder)


def test_a_summary_that_says_half_of_chance(tmp_path: Path) -> None:
    folder = write_dissection(tmp_path / "x", tested=True)
    change_json(folder, "summary.json", lambda f: f["chance"].pop("max_q"))
    assert "chance: expected the key 'max_q'" in refusal(folder)


def test_columns_that_came_later_may_be_missing(tmp_path: Path) -> None:
    units = read_artifact(write_dissection(tmp_path / "x", 3)).tables["units"]
    later = {"precision", "recall", "f1", "p", "q", "iou_low", "iou_high"}
    assert set(units[0]) == set(COLUMNS["units"]) | later
    assert all(row[name] is None for row in units for name in later)


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(write_report(write_explanation(tmp_path_factory.mktemp("page") / "cat", tested=True)))


def test_every_card_of_an_explanation_says_how_sure_it_is(explained: Page) -> None:
    first = explained.twin["explanation"]["targets"][0]
    said = re.findall(r'data-field="sure">(.*?)</p>', explained.source)
    expected = []
    for side in ("for", "against"):
        for i in range(5):
            unit = {name: column[i] for name, column in first[side].items()}
            assert unit["q"] in (*Q, 0.4)
            expected.append(trust.sure(unit).replace("<", "&lt;"))
    assert said == expected
    assert "(closest: dog) IoU 0.021 below 0.05; chance gives as good a label: q 0.40" in explained.text
    assert (
        "and if chance would hardly give as good a label (q up to 0.05); 212 of 320 units are."
        in explained.text
    )
    # a row of every table says the same
    assert len(re.findall("IoU 0.021 below 0.05; chance", explained.source)) == 14 + 2


def test_crops_of_an_explanation(explained: Page) -> None:
    images = [a for a in explained.all("image") if (a.get("id") or "").startswith("crops-")]
    assert len(images) == 10
    assert explained.text.count("fires on it") == 10
    assert 0 < explained.text.count("fires beside it") == 10 - explained.text.count("On no image where")


def test_an_older_explanation_still_has_its_page(tmp_path: Path) -> None:
    old = Page(write_report(write_explanation(tmp_path / "x")))
    assert "IoU 0.220, 0.012 above “dog” " in old.text
    # once, and not on every card
    assert old.text.count("q not tested") == old.text.count("some of them may be chance") == 1
    assert "why this name" not in old.text and 'id="q"' not in old.source


def test_crops_of_an_explanation_must_fit_their_pictures(tmp_path: Path) -> None:
    folder = write_explanation(tmp_path / "x", tested=True)
    change_json(folder, "explanation.json", lambda f: f["evidence"].pop())
    assert "explanation.json: evidence" in refusal(folder) and "do not fit its picture" in refusal(folder)


@pytest.mark.parametrize("name", ["chelsea", "astronaut", "coffee"])
def test_crops_add_little_to_an_explanation(tmp_path: Path, name: str) -> None:
    photograph = getattr(pytest.importorskip("skimage.data"), name)()
    options: dict[str, Any] = {"photograph": photograph, "crops_from": [photograph], "shape": (14, 14)}
    folder = write_explanation(tmp_path / name, tested=True, **options)
    assert sum(p.stat().st_size for p in folder.glob("evidence/*")) > BYTES_OF_EVIDENCE
    page = Page(write_report(folder))
    crops = [a["href"] or "" for a in page.all("image") if (a.get("id") or "").startswith("crops-")]
    added = sum(map(len, crops))
    assert len(crops) == 10 and 10_000 < added <= BYTES_OF_EVIDENCE
    assert len(page.source.encode()) - added <= BYTES_OF_EXPLANATION == 250_000


def test_names_on_a_collection_say_how_sure_they_are(tmp_path: Path) -> None:
    folder = write_collection(tmp_path / "x", labels=["kitchen"], dissection=None)
    page = Page(write_report(folder))
    target = json.loads((folder / "scene-0/explanation.json").read_text())["targets"][0]
    titles = [a["title"] for a in page.all("li") if (a.get("class") or "").startswith("chip")]
    for unit in target["for"] + target["against"]:
        assert any(f"unit {unit['unit']}: {trust.sure(unit)}" in str(title) for title in titles)


def test_crops_of_a_large_dissection_are_made_lighter(
    folder: Path, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.write.BYTES_OF_CROPS", 30_000)
    lighter = Page(write_report(folder))
    assert len(lighter.source) < len(page.source) - 50_000
    assert "the originals lie in evidence/ beside it" in lighter.text
    assert "the originals lie" not in page.text
