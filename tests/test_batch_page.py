"""The index page of a batch run as a file: what it carries of each image, what it says, what it refuses."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from artifacts_for_pages import HOSTILE
from batch_toy import make_batch
from test_reports_write import Page

from reports import batch_page
from reports.batch_page import page_slug, write_batch_page
from reports.batch_rows import Rows, packed, packed_names, unpacked, unpacked_names
from reports.contract import ReportError

NASTY = (
    HOSTILE, "</script><script>alert(1)</script>", "\u2028line\u2029", "<!--", "-starts/with dash",
    "a b/c'd\"e$(f)`g`.jpg",
    "שלום/😀😀.jpg", "שלום/😀😁.jpg", "new\nline", "&amp;#x3c;", "%41.jpg", "x+y=z&w.jpg",
)  # fmt: skip


def frame(folder: Path) -> pd.DataFrame:
    """All rows of the run, in order, as pandas reads them."""
    parts = sorted((folder / "predictions").glob("*.parquet"))
    return pd.concat([pq.read_table(part).to_pandas() for part in parts], ignore_index=True)


def speaking(row: Any, side: str, rank_by: str = "contribution") -> list[int]:
    """The definition, slowly: listed units whose value has the right sign, and which contribute at all."""
    if row.explained is None:
        return []
    sign = 1 if side == "for" else -1
    listed = row.explained[0]["top" if side == "for" else "bottom"]
    return [unit["unit"] for unit in listed if sign * unit[rank_by] > 0 and unit["contribution"] != 0]


def change_run(folder: Path, **changes: Any) -> None:
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}), encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("batch")
    return make_batch(root / "a run", rows=330, units=40, labelled=0.8, errors=0.05, part=128, top=4)


def test_the_page_carries_what_the_parts_hold(folder: Path) -> None:
    twin, rows = Page(write_batch_page(folder)).twin, frame(folder)
    assert unpacked_names(twin["ids"]) == rows["id"].tolist()
    for name in ("label", "predicted"):
        assert unpacked(twin[name]).tolist() == rows[name].fillna(-1).astype(int).tolist()
    np.testing.assert_array_equal(unpacked(twin["probability"]), rows["probability"].to_numpy(np.float32))
    assert {int(k): v for k, v in twin["errors"].items()} == rows["error"].dropna().to_dict() != {}
    names = pd.read_csv(folder / "units.csv", keep_default_na=False)
    unit_concept = unpacked(twin["unit_concept"])
    for unit, (concept, category) in enumerate(zip(names["concept"], names["category"], strict=True)):
        assert [*twin["concepts"], ["", ""]][unit_concept[unit]] == [concept, category]
    assert "" in set(names["concept"]) and len(twin["concepts"]) == 6
    for side in ("for", "against"):
        table = unpacked(twin["speaking"][side]).reshape(330, 4)
        for row, units in zip(rows.itertuples(), table.tolist(), strict=True):
            assert [unit for unit in units if unit >= 0] == speaking(row, side)
            assert units == sorted(units, key=lambda unit: unit < 0), "−1 only at the end"
    assert twin["parts"] == [128, 128, 74] and twin["number"] is None
    assert twin["sheets"] == [f"thumbnails/part-00000{i}.webp" for i in range(3)]
    assert all((folder / sheet).is_file() for sheet in twin["sheets"])
    assert twin["command"] == ["neuro-explain", "report", "a run", "--image"] and twin["pages"] == {}


def test_silent_units_and_those_of_the_other_sign_do_not_speak(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "run", rows=40, units=8, top=8)
    rows = frame(folder)
    # All eight units stand in both lists, so that half of each pulls the other way; and unit 3 falls silent.
    path = folder / "predictions" / "part-000000.parquet"
    table = pq.read_table(path)
    column = table["explained"].to_pylist()
    for image in column:
        for side in ("top", "bottom"):
            for unit in image[0][side]:
                unit["contribution"] *= unit["unit"] != 3
    position = table.schema.get_field_index("explained")
    kind = table.schema.field("explained").type
    pq.write_table(table.set_column(position, "explained", [pa.array(column, kind)]), path)
    change_run(
        folder, options={**json.loads((folder / "run.json").read_text())["options"], "rank_by": "alpha"}
    )
    rows = frame(folder)
    twin = Page(write_batch_page(folder)).twin
    for side in ("for", "against"):
        table = unpacked(twin["speaking"][side]).reshape(40, 8)
        wanted = [speaking(row, side, "alpha") for row in rows.itertuples()]
        assert [[unit for unit in units if unit >= 0] for units in table.tolist()] == wanted
        assert 3 not in table and 0 < (table >= 0).sum() < 40 * 7


def test_without_a_script_there_are_counts(folder: Path) -> None:
    page, rows = Page(write_batch_page(folder)), frame(folder)
    read = rows[rows["error"].isna()]
    judged = read[read["label"].notna()]
    right = int((judged["predicted"] == judged["label"]).sum())
    assert "What did toy say of 330 images?" in page.text
    assert f"{right} {100 * right / len(judged):.0f} %" in page.text
    wanted = {
        f"class {c} {(read.predicted == c).sum()} {(judged.label == c).sum()} "
        f"{((judged.label == c) & (judged.predicted == c)).sum()}"
        for c in range(4)
    }
    text = re.sub(r"(<[^>]+>|\s)+", " ", page.source)
    assert set(re.findall(r"class \d \d+ \d+ \d+", text)) == wanted
    assert "needs JavaScript" in page.text
    assert re.search(r"This page is (less than )?0\.1 MB large", page.text)


def test_the_same_folder_gives_the_same_bytes(folder: Path) -> None:
    first = write_batch_page(folder).read_bytes()
    assert write_batch_page(str(folder)).read_bytes() == first
    assert [path.name for path in folder.glob(".index*")] == []


def test_it_says_its_size(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_page, "_megabytes", lambda size: f"{size} bytes")
    page = write_batch_page(folder)
    text = Page(page).text
    stated = int(re.search(r"This page is (\d+) bytes large", text)[1])  # type: ignore[index]
    # To the byte but for the digits that the first writing did not have; in megabytes that is nothing.
    assert abs(stated - page.stat().st_size) <= 8
    sheets = sum(path.stat().st_size for path in (folder / "thumbnails").iterdir())
    assert f"the thumbnails beside it {sheets} bytes" in text


def test_the_policy_lets_in_this_script_and_pictures_beside(folder: Path) -> None:
    page = Page(write_batch_page(folder))
    (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    parts = dict(part.split(" ", 1) for part in str(policy).split("; "))
    assert parts["default-src"] == "'none'" and parts["img-src"] == "'self' data:"
    scripts = [text for text in page.raw["script"] if '"classes":' not in text]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    assert parts["script-src"].split() == [f"'sha256-{one}'" for one in hashes] and len(hashes) == 2
    assert "style" not in {name for _, attributes in page.tags for name in attributes}


def test_hostile_names(tmp_path: Path) -> None:
    ids = [f"{i}{name}" for i, name in enumerate(NASTY)] + list(NASTY)
    folder = make_batch(
        tmp_path / "a 'run' <b>",
        rows=24,
        ids=ids,
        classes=[HOSTILE, "plain"],
        concepts=[(HOSTILE, NASTY[1])],
        top=2,
    )
    path = write_batch_page(folder)
    page = Page(path)
    assert unpacked_names(page.twin["ids"]) == ids
    assert page.twin["classes"] == [HOSTILE, "plain"] and page.twin["concepts"] == [[HOSTILE, NASTY[1]]]
    assert page.twin["command"][2] == "a 'run' <b>"
    assert len(page.all("script")) == 3 and page.source.count("alert(1)</script>") == 0
    assert "\u2028" not in page.source.split('id="twin">')[1].split("</script>")[0]


@pytest.mark.parametrize("options", [
    {"rows": 1, "labelled": 1.0},
    {"rows": 1, "errors": 1.0},
    {"rows": 20, "errors": 1.0, "labelled": 0.0},
    {"rows": 20, "labelled": 0.0},
    {"rows": 20, "thumbnails": False},
    {"rows": 20, "unnamed": 1.0},
    {"rows": 20, "classes": 1},
    {"rows": 20, "concepts": 0},
    {"rows": 20, "alpha_varies": True, "metadata": {"id": ("a", None), "label": ("b",)}},
])  # fmt: skip
def test_small_and_empty_runs(tmp_path: Path, options: dict[str, Any]) -> None:
    folder = make_batch(tmp_path / "run", **options)
    page, rows = Page(write_batch_page(folder)), frame(folder)
    assert unpacked_names(page.twin["ids"]) == rows["id"].tolist()
    assert len(page.twin["errors"]) == rows["error"].notna().sum()
    assert (page.twin["sheets"] is None) == (not options.get("thumbnails", True))
    judged = (rows["error"].isna() & rows["label"].notna()).any()
    assert ("Share found" in page.text) == judged
    assert ("could not be read" in page.text) == bool(rows["error"].notna().any())


def test_explanations_that_are_there_are_listed(folder: Path, tmp_path: Path) -> None:
    copy = make_batch(tmp_path / "run", rows=30)
    ids = frame(copy)["id"]
    assert page_slug(ids[7]) == hashlib.sha256(ids[7].encode()).hexdigest()[:16]
    for name in (page_slug(ids[7]), "other"):
        (copy / "pages" / name).mkdir(parents=True)
        (copy / "pages" / name / "index.html").write_text("here")
    (copy / "pages" / page_slug(ids[8])).mkdir()  # unfinished
    assert Page(write_batch_page(copy)).twin["pages"] == {"7": page_slug(ids[7])}


def test_a_long_run_lists_the_most_surprising(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_page, "LISTED", 50)
    page, rows = Page(write_batch_page(folder)), frame(folder)
    wrong = rows["label"].notna() & rows["predicted"].notna() & (rows["label"] != rows["predicted"])
    rows["group"] = np.where(rows["predicted"].isna(), 2, np.where(wrong, 0, 1))
    rows["key"] = np.where(wrong, -rows["probability"], rows["probability"])
    wanted = sorted(rows.sort_values(["group", "key"], kind="stable").index[:50])
    assert unpacked(page.twin["number"]).tolist() == wanted
    assert unpacked_names(page.twin["ids"]) == rows.loc[wanted, "id"].tolist()
    assert unpacked(page.twin["label"]).tolist() == rows.loc[wanted, "label"].fillna(-1).astype(int).tolist()
    assert "It lists the 50 most surprising images; all 330" in page.text
    write_batch_page(folder)


def test_labels_that_are_no_classes(tmp_path: Path) -> None:
    folder = make_batch(
        tmp_path / "run", rows=90, errors=0.1, thumbnails=False, metadata={"where": ("sea", "<b>", None)}
    )
    inputs = json.loads((folder / "run.json").read_text())["inputs"]
    names = ["never", "<b>", "sea"]
    change_run(folder, inputs={**inputs, "own_labels": {"column": "where", "names": names}})
    page, rows = Page(write_batch_page(folder)), frame(folder)
    said = [
        names.index(text) if text else -1 for text in rows["meta.where"].where(rows["meta.where"].notna(), "")
    ]
    assert page.twin["labels"] == names and unpacked(page.twin["own"]).tolist() == said
    table = page.source.split("<caption>Counts per label")[1].split("</table>")[0]
    right = (rows["predicted"] == rows["label"]) & rows["predicted"].notna()
    counts = []
    for number in range(3):
        here = (np.array(said) == number) & rows["predicted"].notna()
        counts += [str(int(here.sum())), str(int((here & right).sum()))]
    assert [int(one) for one in re.findall(r'<td class="n">(\d+)</td>', table)] == [
        int(one) for one in counts
    ]
    assert "<bdi>&lt;b&gt;</bdi>" in table and "Labelled" not in page.text
    plain = Page(write_batch_page(make_batch(tmp_path / "plain", rows=20, thumbnails=False)))
    assert plain.twin["own"] is None and plain.twin["labels"] == plain.twin["classes"]
    assert "Counts per label" not in plain.text


def test_the_most_surprising_first() -> None:
    def rows(label: list[int], predicted: list[int], probability: list[float]) -> Rows:
        n, none = len(label), np.zeros((len(label), 1), np.int32)
        return Rows(
            np.arange(n, dtype=np.int32), [str(i) for i in range(n)], {}, np.array(label, np.int32), None,
            np.array(predicted, np.int32), np.array(probability, np.float32), {"for": none, "against": none}, (n,),
        )  # fmt: skip

    nan = float("nan")
    order = rows(
        [0, 0, 0, -1, 0, 1, 1, 0], [0, 1, 1, 0, -1, 1, 0, 0], [0.9, 0.4, 0.8, 0.5, nan, 0.3, 0.8, 0.5]
    )
    assert order.surprising().tolist() == [2, 6, 1, 5, 3, 7, 0, 4]


@pytest.mark.parametrize("values", [[], [0], [-1, 127], [-1, 128], [32767, -1], [32768, -1], [2**31 - 1]])
def test_packed_integers(values: list[int]) -> None:
    column = packed(np.array(values, np.int64))
    assert unpacked(column).tolist() == values
    largest = max([abs(value) for value in values], default=0)
    assert column["type"] == ("i1" if largest <= 127 else "i2" if largest <= 32767 else "i4")


def test_packed_names() -> None:
    names = [
        "",
        "a",
        "ab/c",
        "ab/d",
        "ab/d",
        "ab",
        "",
        "😀a",
        "😀b",
        "x😀a",
        "x😀b",
        "é",
        "e\u0301",
        "z" * 70_000,
        "z" * 70_001,
    ]
    column = packed_names(names)
    assert unpacked_names(column) == names and unpacked_names(packed_names([])) == []
    assert column["rest"][3:6] == ["d", "", ""] and column["rest"][8] == "😀b" and column["rest"][10] == "😀b"


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"holds no batch run: it has no run\.json"):
        write_batch_page(tmp_path)
    unfinished = make_batch(tmp_path / "unfinished", rows=5, finished=False)
    with pytest.raises(ReportError, match=r"not finished .*--out unfinished --resume"):
        write_batch_page(unfinished)
    assert not (unfinished / "index.html").exists()

    def broken(name: str, change: Any) -> Path:
        folder = make_batch(tmp_path / name, rows=5)
        change(folder)
        return folder

    cases = {
        "other kind": (lambda f: change_run(f, kind="profile"), "expected kind 'batch', got 'profile'"),
        "newer": (lambda f: change_run(f, schema_version=9), "schema_version from 1 to 1, got 9"),
        "no json": (lambda f: (f / "run.json").write_text("{"), "not readable JSON"),
        "no key": (lambda f: change_run(f, options={}), "expected the key 'top', 'rank_by'"),
        "few classes": (lambda f: change_run(f, classes=[]), r"label: expected numbers below 0, as run\.json says"),
        "few units": (lambda f: change_run(f, units=1), "unit: expected numbers below 1"),
        "no part": (lambda f: (f / "predictions/part-000000.parquet").unlink(), "cannot be read as a part"),
        "cut": (lambda f: (f / "predictions/part-000000.parquet").write_bytes(b"PAR1"), "cannot be read as a part"),
        "no sheet": (lambda f: (f / "thumbnails/part-000000.webp").unlink(), "is missing, although"),
        "no names": (lambda f: (f / "units.csv").write_text("unit,concept,category\n0,a,b\n"), "a row for each of 16"),
    }  # fmt: skip
    for name, (change, message) in cases.items():
        folder = broken(name, change)
        with pytest.raises(ReportError, match=message):
            write_batch_page(folder)
        assert not (folder / "index.html").exists(), name


def test_rows_must_be_as_many_as_the_manifest_says(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "run", rows=5)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["summary"]["images"] = 6
    path.write_text(json.dumps(manifest))
    with pytest.raises(ReportError, match=r"expected 6 images, as manifest\.json says, got 5 rows"):
        write_batch_page(folder)


@pytest.mark.slow
def test_the_other_pages_need_no_parquet() -> None:
    code = "import sys, reports.batch_page; assert not {'pyarrow', 'pandas', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
