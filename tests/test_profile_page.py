"""The page of a profile: what it says, that nothing can leave it, and how it behaves in a real browser."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import test_reports_write as written
from artifacts_for_pages import HOSTILE
from batch_toy import Planted, make_batch, read_json
from test_reports_write import Page as Read

from dissection.artifact import file_record
from neuro_explain.profile import profile_batch
from neuro_explain.report import write_report
from reports import words
from reports.contract import ReportError
from reports.profile_page import FEW, MORE, OF_CLASS
from reports.write import write_report as render

if TYPE_CHECKING:
    from pages_in_browser import Opened
    from playwright.sync_api import Browser, Page

pytest_plugins = ("pages_in_browser",)

MANY = 9


@pytest.fixture(scope="module")
def profiles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of profiles with their pages."""
    root = tmp_path_factory.mktemp("profiles")
    audit = make_batch(
        root / "audit", rows=600, units=20, classes=("nurse", "doctor"), concepts=7, errors=0.02, labelled=0.9,
        metadata={"gender": "fm"}, planted=[Planted("nurse", "concept 3", "gender", "f", 2.0)], thumbnails=False,
    )  # fmt: skip
    many = make_batch(
        root / "many",
        rows=700,
        units=30,
        classes=MANY,
        metadata={"camera": "ab"},
        labelled=0.5,
        thumbnails=False,
    )
    hostile = make_batch(
        root / "hostile", rows=90, units=12, classes=(HOSTILE, "onerror=alert(1)"), metadata={HOSTILE: (HOSTILE, "a,")},
        concepts=[(HOSTILE, HOSTILE), ("“שלום", "&amp;"), ("third", "object")], thumbnails=False,
    )  # fmt: skip
    bare = make_batch(root / "bare", rows=8, labelled=0, thumbnails=False)
    made = {
        "audit": profile_batch(audit, compare="gender"),
        "right": profile_batch(audit, compare="right"),
        "many": profile_batch(many, compare="camera", top=3),
        "hostile": profile_batch(hostile, compare=HOSTILE),
        "bare": profile_batch(bare),
        "few": profile_batch(bare, classes=[_predicted(bare)]),
    }
    for name, profile in made.items():
        profile.save(root / f"{name} page", command=["neuro-explain", "profile", HOSTILE])
        write_report(root / f"{name} page")
    return {name: root / f"{name} page" for name in made}


def _predicted(folder: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_table(folder / "predictions" / "part-000000.parquet")["predicted"][0].as_py())


@pytest.fixture(params=["audit", "right", "many", "hostile", "bare", "few"])
def profiled(profiles: dict[str, Path], request: pytest.FixtureRequest) -> Read:
    return Read(profiles[request.param] / "index.html")


def test_sound_and_closed(profiled: Read, request: pytest.FixtureRequest) -> None:
    written.test_nothing_can_leave_the_page("profiled", request)
    written.test_the_page_is_sound_html("profiled", request)


def test_the_same_folder_gives_the_same_bytes(profiles: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(profiles["many"], tmp_path / "x")
    assert render(tmp_path / "x").read_bytes() == (profiles["many"] / "index.html").read_bytes()


def test_what_it_says(profiles: dict[str, Path]) -> None:
    facts, page = read_json(profiles["audit"] / "profile.json"), Read(profiles["audit"] / "index.html")
    for said in (
        "600 images",
        "2 of 2",
        "gender: f − m",
        "Class by class",
        "nurse",
        "doctor",
        "not why",
        "(unnamed)",
    ):
        assert said in page.text or said.replace(" images", "") in page.text, said
    for one in facts["classes"]:
        for place in (*one["for"], *one["against"]):
            assert facts["concepts"][place]["name"] in page.text
            for name in ("mean", "low", "high"):
                assert words.signed(one[name][place]) in page.text
    assert "nan" not in page.text.lower().split() and "None" not in page.text
    few = Read(profiles["few"] / "index.html")
    assert "Fewer than 10 images" in few.text and not [a for a in few.all("line") if a["class"] == "whisker"]
    assert "No class has 10 images" in Read(profiles["bare"] / "index.html").text


def test_the_twin_holds_what_is_shown(profiles: dict[str, Path]) -> None:
    facts, twin = read_json(profiles["many"] / "profile.json"), Read(profiles["many"] / "index.html").twin
    for one, shown in zip(facts["classes"], twin["profile"]["classes"], strict=True):
        assert set(shown["concepts"]) >= {*one["for"], *one["against"]}
        assert shown["mean"] == [one["mean"][place] for place in shown["concepts"]]
    (comparison,) = twin["profile"]["comparisons"]
    assert comparison["ranked"] == facts["comparisons"][0]["ranked"][:MORE]
    for one, shown in zip(facts["comparisons"][0]["classes"], comparison["classes"], strict=True):
        assert len(shown["concepts"]) >= OF_CLASS
        assert shown["q"] == [one["q"][place] for place in shown["concepts"]]


def test_hostile_text_stays_text(profiles: dict[str, Path]) -> None:
    page = Read(profiles["hostile"] / "index.html")
    assert "<script>alert" not in page.source
    assert len(page.all("script")) == 3
    assert page.text.count(HOSTILE) >= 5


def test_a_damaged_profile_has_no_page(profiles: dict[str, Path], tmp_path: Path) -> None:
    def broken(change: Any) -> Path:
        folder = tmp_path / "x"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(profiles["audit"], folder)
        facts, manifest = read_json(folder / "profile.json"), read_json(folder / "manifest.json")
        change(facts)
        (folder / "profile.json").write_text(json.dumps(facts))
        manifest["files"]["profile.json"] = file_record(folder / "profile.json")
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

    cases = (
        (lambda facts: facts.pop("classes"), "'classes'"),
        (lambda facts: facts["classes"][0]["mean"].pop(), "mean: expected 8 numbers, got 7"),
        (lambda facts: facts["classes"][1].update({"for": [99]}), "for: expected places of 8 concepts"),
        (lambda facts: facts["comparisons"][0]["classes"][0].pop("q"), "'q'"),
        (lambda facts: facts["comparisons"][0].update(ranked=[[0, 44]]), "ranked"),
    )
    render(broken(lambda facts: None))
    for change, said in cases:
        with pytest.raises(ReportError, match=said):
            render(broken(change))


# --- in a browser ---


@pytest.fixture
def visit(browser: Browser, profiles: dict[str, Path]) -> Iterator[Any]:
    """Open a profile; at the end nothing may have gone wrong on it, and nothing else been asked for."""
    from pages_in_browser import Opened  # not above: pytest must load the plugin first

    opened: list[tuple[Opened, str]] = []

    def open_page(name: str, anchor: str = "", *, width: int = 1280, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        address = (profiles[name] / "index.html").as_uri()
        watched = Opened(context.new_page())
        watched.page.goto(address + anchor)
        opened.append((watched, address))
        return watched.page

    yield open_page
    for watched, address in opened:
        watched.page.context.close()
        assert watched.trouble == []
        assert {url.split("#")[0] for url in watched.requests if not url.startswith("data:")} == {address}


def classes_shown(page: Page) -> list[int]:
    return page.evaluate(
        "[...document.querySelectorAll('.klass:not([hidden])')].map((card) => Number(card.id.slice(6)))"
    )


@pytest.mark.browser
def test_find_and_sort(visit: Any, profiles: dict[str, Path]) -> None:
    facts = read_json(profiles["many"] / "profile.json")
    page = visit("many")
    numbers = [one["number"] for one in facts["classes"]]
    assert classes_shown(page) == numbers == list(range(MANY))
    assert page.locator("#count").inner_text() == f"{MANY} of {MANY} classes"
    page.locator("#wanted").fill("CLASS 4")
    assert classes_shown(page) == [4]
    assert page.locator("#count").inner_text() == f"1 of {MANY} classes"
    page.locator("#wanted").fill("no such thing")
    assert classes_shown(page) == [] and page.locator("#empty").is_visible()
    page.get_by_role("button", name="clear").click()
    page.wait_for_function(f"document.getElementById('count').textContent.startsWith('{MANY}')")
    page.locator("#sort").select_option("images")
    by_images = sorted(facts["classes"], key=lambda one: (-one["images"], one["number"]))
    assert classes_shown(page) == [one["number"] for one in by_images]
    page.locator("#sort").select_option("right")
    by_right = sorted(facts["classes"], key=lambda one: (one["right"] / one["labelled"], one["number"]))
    assert classes_shown(page) == [one["number"] for one in by_right]
    assert visit("few").locator("#filters").count() == 0


@pytest.mark.browser
def test_links_open_a_class(visit: Any) -> None:
    page = visit("many", "#class-5")
    assert page.locator("details.klass[open]").count() == 1
    assert page.evaluate(
        "(() => { const r = document.querySelector('#class-5').getBoundingClientRect();"
        " return r.top >= 0 && r.top < innerHeight; })()"
    )
    page.locator("#wanted").fill("class 1")
    link = page.locator(".comparison .gaps a:visible", has_not_text="class 1").first
    number = link.get_attribute("href").removeprefix("#class-")
    link.click()
    page.locator(f"#class-{number}.visited[open]").wait_for(timeout=5000)
    assert len(classes_shown(page)) == MANY
    assert page.locator(".comparison > .scroll .gaps tbody tr").count() == FEW


@pytest.mark.browser
@pytest.mark.parametrize("name", ["audit", "right", "many", "hostile", "bare", "few"])
def test_on_a_phone_nothing_scrolls_sideways(visit: Any, name: str) -> None:
    page = visit(name, width=390)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    tables = "[...document.querySelectorAll('.spoken-table, .gaps')]"
    assert page.evaluate(f"{tables}.filter((table) => table.scrollWidth > table.clientWidth + 1).length") == 0


@pytest.mark.browser
def test_bars_stand_where_the_numbers_say(visit: Any, profiles: dict[str, Path]) -> None:
    one = read_json(profiles["audit"] / "profile.json")["classes"][0]
    page = visit("audit")
    rows = page.locator("#class-0 tbody.for tr:has(rect), #class-0 tbody.against tr:has(rect)")
    shown = [*one["for"], *one["against"]]
    assert rows.count() == len(shown)
    widths = []
    for row, place in zip(rows.all(), shown, strict=True):
        bar, axis = (row.locator(part).bounding_box() for part in ("rect", "line.axis"))
        centre = bar["x"] + bar["width"] / 2
        assert (centre > axis["x"]) == (one["mean"][place] > 0)
        widths.append(bar["width"] / abs(one["mean"][place]))
    assert max(widths) == pytest.approx(min(widths), rel=0.1)


@pytest.mark.browser
def test_schemes_print_and_no_script(visit: Any) -> None:
    page = visit("many", color_scheme="dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    page.locator("#wanted").fill("class 3")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".klass:visible").count() == MANY
    plain = visit("many", java_script_enabled=False)
    assert plain.locator("#filters:visible").count() == 0
    plain.locator("#class-2 summary").click()
    assert plain.locator("#class-2 .spoken-table").is_visible()
