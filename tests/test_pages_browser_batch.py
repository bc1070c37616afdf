"""The index page of a batch run in a real browser: filters and orders as pandas has them, thumbnails, 36,500 rows."""

from __future__ import annotations

import functools
import http.server
import io
import json
import re
import shlex
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest
from batch_toy import make_batch
from PIL import Image
from test_batch_page import NASTY, frame, speaking

from reports import words
from reports.batch_page import page_slug, write_batch_page

if TYPE_CHECKING:
    from pages_in_browser import Opened
    from playwright.sync_api import Browser, Page

pytest_plugins = ("pages_in_browser",)
pytestmark = pytest.mark.browser

CONCEPTS = (("bed", "object"), ("red", "color"), ("red", "object"), ("wheel", "part"))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("batches")
    run = make_batch(
        root / "a run", rows=400, units=20, concepts=CONCEPTS, labelled=0.8, errors=0.05, part=200, top=4
    )
    explained = run / "pages" / page_slug(frame(run)["id"][3])
    explained.mkdir(parents=True)
    (explained / "index.html").write_text(
        "<!doctype html><link rel=icon href='data:,'><h1>The explanation</h1>"
    )
    hostile = make_batch(
        root / "it's <b>", rows=2 * len(NASTY), ids=[*NASTY, *(f"{name}~" for name in NASTY)],
        classes=[NASTY[1], "b" * 90], concepts=[(NASTY[1], NASTY[0]), ("w" * 120, "part")], units=6, errors=0.2,
    )  # fmt: skip
    plain = make_batch(root / "plain", rows=70, labelled=0, thumbnails=False)
    for folder in (run, hostile, plain):
        write_batch_page(folder)
    return root


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[str]:
    """The address at which a local server shows the folders."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(root))
    ) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


@pytest.fixture
def visit(browser: Browser, root: Path) -> Iterator[Any]:
    """Open a run's page; at the end nothing may have gone wrong, and only its own files been asked for."""
    from pages_in_browser import Opened  # not above: pytest must load the plugin first

    opened: list[tuple[Opened, str]] = []

    def open_run(
        name: str = "a run",
        anchor: str = "",
        *,
        base: str = "",
        width: int = 1280,
        height: int = 800,
        **options: Any,
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        home = f"{base or root.as_uri()}/{quote(name)}"
        watched = Opened(context.new_page())
        watched.page.goto(f"{home}/index.html{anchor}")
        opened.append((watched, home))
        return watched.page

    yield open_run
    for watched, home in opened:
        watched.page.context.close()
        assert watched.trouble == []
        asked = {
            url.split("#")[0].removeprefix(home) for url in watched.requests if not url.startswith("data:")
        }
        assert "/index.html" in asked
        others = [
            x
            for x in asked
            if not re.fullmatch(r"/((pages/\w+/)?index\.html|thumbnails/part-\d{6}\.webp)", x)
        ]
        assert others == []


@pytest.fixture(scope="module")
def rows(root: Path) -> pd.DataFrame:
    """The run's images, with the verdict and the concepts that speak, by pandas."""
    rows = frame(root / "a run")
    names = pd.read_csv(root / "a run" / "units.csv", keep_default_na=False)
    name = [
        f"{concept} ({category})" if concept == "red" else concept or "(unnamed)"
        for concept, category in zip(names["concept"], names["category"], strict=True)
    ]
    for side in ("for", "against"):
        rows[side] = [[name[unit] for unit in speaking(row, side)] for row in rows.itertuples()]
    rows["verdict"] = np.select(
        [rows["error"].notna(), rows["label"].isna(), rows["label"] == rows["predicted"]],
        ["unreadable", "unlabelled", "right"], "wrong",
    )  # fmt: skip
    return rows


def ordered(rows: pd.DataFrame, sort: str = "surprising") -> list[int]:
    p = rows["probability"].astype(float)
    if sort == "surprising":
        group = rows["verdict"].map({"wrong": 0, "unreadable": 2}).fillna(1)
        key = np.where(group == 0, -p, p)
    else:
        group = rows["verdict"] == "unreadable"
        key = {"input": rows.index, "sure": -p, "unsure": p}[sort]
        if sort == "input":
            group = 0 * rows.index
    return list(rows.assign(group=group, key=key).sort_values(["group", "key"], kind="stable").index)


def shown(page: Page) -> list[int]:
    return page.evaluate("[...document.querySelectorAll('.shot')].map((card) => Number(card.dataset.row))")


def options_of(page: Page, name: str) -> dict[str, int]:
    texts = page.locator(f"select[name={name}] option").all_inner_texts()[1:]
    return {text.rsplit(" · ", 1)[0]: int(text.rsplit(" · ", 1)[1].replace(",", "")) for text in texts}


def verdict_counts(page: Page) -> dict[str, int]:
    texts = page.locator(".verdicts label").all_inner_texts()
    return {text.split()[0]: int(text.split()[1]) for text in texts}


def test_filters_count_as_pandas_counts(visit: Any, rows: pd.DataFrame) -> None:
    page = visit()

    def check(**masks: pd.Series) -> None:
        """Every count of a filter is of the images that the other filters let through."""
        true = pd.Series(True, index=rows.index)

        def but(name: str) -> pd.DataFrame:
            return rows[np.logical_and.reduce([true, *(m for other, m in masks.items() if other != name)])]

        hits = but("")
        assert page.locator("#count").inner_text() == f"{len(hits)} of 400 images"
        assert shown(page) == ordered(hits)[:60]
        for name in ("predicted", "label"):
            column = but(name)[name].dropna().astype(int)
            for c in range(4):
                assert options_of(page, name)[f"class {c}"] == (column == c).sum(), name
        for side in ("for", "against"):
            found = options_of(page, side)
            lists = but(side)[side]
            assert set(found) == {"bed", "red (color)", "red (object)", "wheel", "(unnamed)"}
            for name, count in found.items():
                assert count == sum(name in one for one in lists), (side, name)
        verdicts = but("verdict")["verdict"]
        wanted = {"all": len(verdicts)} | dict.fromkeys(("right", "wrong", "unlabelled", "unreadable"), 0)
        assert verdict_counts(page) == wanted | verdicts.value_counts().to_dict()
        # The profile counts the images that are shown, and presses lead to them.
        for line in page.locator("#concepts tr").all():
            name = line.locator("th").inner_text().replace("units without a name", "(unnamed)")
            numbers = [int(text) for text in line.locator("button").all_inner_texts()]
            assert numbers == [sum(name in one for one in hits[side]) for side in ("for", "against")]

    check()
    page.locator("[name=predicted]").select_option(
        label=page.locator("[name=predicted] option").nth(2).inner_text()
    )
    predicted = rows["predicted"] == 1
    check(predicted=predicted)
    page.locator("#filters").get_by_text("wrong").click()
    wrong = rows["verdict"] == "wrong"
    check(predicted=predicted, verdict=wrong)
    page.locator("[name=for]").select_option("1")  # red (color)
    red = rows["for"].map(lambda names: "red (color)" in names)
    assert 0 < (predicted & wrong & red).sum() < (predicted & wrong).sum()
    check(predicted=predicted, verdict=wrong, **{"for": red})
    page.get_by_role("button", name="clear").click()
    page.locator("#count", has_text="400 of 400").wait_for(timeout=5000)
    check()
    page.locator("[name=low]").fill("40")
    page.locator("[name=high]").fill("70")
    check(range=rows["probability"].astype(float).between(0.4, 0.7))
    page.locator("[name=high]").fill("30")  # pushes the other end
    assert page.locator("#low-said").inner_text() == "30 %"
    page.locator("[name=low]").fill("0")
    page.locator("[name=high]").fill("100")
    page.locator("[name=text]").fill("CLASS 2/0000")
    check(text=rows["id"].str.contains("class 2/0000"))
    page.locator("[name=text]").fill("no such file")
    assert shown(page) == [] and page.locator("#empty").is_visible()


@pytest.mark.parametrize("sort", ["surprising", "input", "sure", "unsure"])
def test_orders_and_windows(visit: Any, rows: pd.DataFrame, sort: str) -> None:
    page = visit()
    page.locator("[name=sort]").select_option(sort)
    wanted, seen = ordered(rows, sort), []
    next_page = page.get_by_role("button", name="next").first
    for number in range(7):
        assert len(shown(page)) == (60 if number < 6 else 40)
        seen += shown(page)
        if number < 6:
            next_page.press("Enter")
    assert seen == wanted
    assert next_page.is_disabled()
    assert page.locator(".window").first.inner_text() == "361 to 400 of 400"
    page.get_by_role("button", name="First page").last.click()
    assert shown(page) == wanted[:60]
    assert page.locator("#order-said").is_visible() == (sort == "surprising")


def test_a_card_says_what_is_known(visit: Any, rows: pd.DataFrame) -> None:
    page = visit(anchor="#sort=input")
    cards = page.locator(".shot")
    for number, row in enumerate(rows.head(60).itertuples()):
        card = cards.nth(number)
        text = card.inner_text()
        assert row.id in text and row.verdict in card.locator(".verdict").inner_text()
        assert card.locator(".verdict svg").count() == 1, "not by its colour alone"
        if row.verdict == "unreadable":
            assert card.locator(".verdict").inner_text().strip() == f"unreadable: {row.error}"
            assert card.locator("code").count() == 0
            continue
        assert card.locator("h3").inner_text() == f"class {int(row.predicted)}"
        assert card.locator(".answered .n").inner_text() == words.percent(float(row.probability))
        if row.verdict == "wrong":
            assert f"the label is “class {int(row.label)}”" in text
        for side in ("for", "against"):
            names = rows[side][number]
            counts = {name: names.count(name) for name in dict.fromkeys(names)}
            unnamed = counts.pop("(unnamed)", 0)
            chips = [f"{name} ×{count}" if count > 1 else name for name, count in counts.items()]
            chips += [f"{unnamed} unnamed"] if unnamed else []
            assert card.locator(f".{side} .chip").all_inner_texts() == chips
        if number == 3:
            link = card.get_by_role("link", name="explanation")
            assert link.get_attribute("href") == f"pages/{page_slug(row.id)}/index.html"
            assert card.locator("code").count() == 0
        else:
            command = ["neuro-explain", "report", "a run", "--image", row.id]
            assert card.locator("code").inner_text() == shlex.join(command)
    cards.nth(3).get_by_role("link", name="explanation").click()
    assert page.locator("h1").inner_text() == "The explanation"


def test_addresses(visit: Any, rows: pd.DataFrame) -> None:
    page = visit(anchor="#predicted=2&verdict=wrong&low=50&sort=unsure")
    hits = rows[(rows["predicted"] == 2) & (rows["verdict"] == "wrong") & (rows["probability"] >= 0.5)]
    assert shown(page) == ordered(hits, "unsure")[:60] and len(hits) > 3
    page.locator("[name=text]").fill("1 +")
    assert page.evaluate("location.hash") == "#verdict=wrong&predicted=2&low=50&text=1%20%2B&sort=unsure"
    page.locator("[name=text]").fill("")
    page.reload()
    assert shown(page) == ordered(hits, "unsure")[:60]
    page.evaluate("location.hash = 'page=3'")
    page.locator("#count", has_text="400 of 400").wait_for(timeout=5000)
    assert shown(page) == ordered(rows)[120:180]
    # An element of the page is no choice; what does not exist is left out.
    page.evaluate("location.hash = '#classes'")
    page.wait_for_timeout(100)
    assert shown(page) == ordered(rows)[120:180]
    page.evaluate("location.hash = 'predicted=99&verdict=odd&sort=x&page=no'")
    page.locator(f".shot[data-row='{ordered(rows)[0]}']").wait_for(timeout=5000)
    assert shown(page) == ordered(rows)[:60]
    page.locator("#classes a").first.click()
    page.locator("#count:not(:text('400 of 400'))").wait_for(timeout=5000)
    name = page.locator("#classes a").first.inner_text()
    assert page.locator("[name=predicted] option:checked").inner_text().startswith(name)
    assert page.locator("#profile-of").inner_text() == f"“{name}”"


def test_links_to_images(visit: Any, rows: pd.DataFrame) -> None:
    number = ordered(rows)[250]
    page = visit(anchor=f"#id={quote(rows['id'][number])}")
    in_view = """(() => { const r = document.querySelector('.visited').getBoundingClientRect();
        return r.top >= 0 && r.bottom <= innerHeight; })()"""
    assert page.locator(".visited").get_attribute("data-row") == str(number) and page.evaluate(in_view)
    # Filters that hide the image are cleared.
    page.locator("[name=predicted]").select_option(str((int(rows["predicted"][number]) + 1) % 4))
    assert number not in shown(page)
    page.evaluate(f"location.hash = {json.dumps('id=' + rows['id'][number])}")
    page.locator(f".visited[data-row='{number}']").wait_for(timeout=5000)
    assert page.locator("#count").inner_text() == "400 of 400 images"
    page.evaluate("location.hash = 'id=nowhere.jpg'")
    page.locator("#missing").wait_for(timeout=5000)
    assert page.locator("#missing").inner_text() == "This page lists no image “nowhere.jpg”."


def test_hostile_names(visit: Any, root: Path) -> None:
    page = visit("it's <b>", "#sort=input", width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    rows = frame(root / "it's <b>")
    commands = []
    for number, row in enumerate(rows.itertuples()):
        card = page.locator(".shot").nth(number)
        assert card.locator(".file").text_content() == row.id
        if pd.isna(row.error):
            commands.append(card.locator("code").text_content())
            assert shlex.split(commands[-1]) == ["neuro-explain", "report", "it's <b>", "--image", row.id]
    assert len(commands) > len(NASTY)
    addresses = page.evaluate(
        "[...document.querySelectorAll('.file a')].map((link) => link.getAttribute('href'))"
    )
    for number, address in enumerate(addresses):
        page.evaluate(f"location.hash = {json.dumps(address)}")
        page.locator(f".visited[data-row='{number}']").wait_for(timeout=5000)
    assert len(addresses) == 2 * len(NASTY)
    assert page.locator("script").count() == 3


@pytest.mark.parametrize("over", ["file", "http"])
def test_thumbnails_come_from_their_place_in_the_sheets(
    visit: Any, server: str, root: Path, rows: pd.DataFrame, over: str
) -> None:
    page = visit(anchor="#sort=input&page=4", base=server if over == "http" else "")
    page.wait_for_load_state("networkidle")
    # Rows 180 to 239 lie in two parts of 200, and each tile's colour tells its place.
    readable = rows.index[rows["error"].isna()]
    for number in (readable[readable >= 185][0], readable[readable >= 203][0], readable[readable >= 207][0]):
        tile = page.locator(f".shot[data-row='{number}'] .thumbnail")
        tile.scroll_into_view_if_needed()
        page.wait_for_timeout(400)
        picture = np.asarray(Image.open(io.BytesIO(tile.screenshot())).convert("RGB"))
        part, place = divmod(number, 200)
        with Image.open(root / "a run" / "thumbnails" / f"part-{part:06d}.webp") as sheet:
            x, y = 64 * (place % 32), 64 * (place // 32)
            wanted = np.asarray(sheet.convert("RGB"))[y + 32, x + 32]
        assert np.abs(picture[48, 48].astype(int) - wanted).max() <= 6, number


def test_thumbnails_wait_until_they_are_near(browser: Browser, root: Path) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 600})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((root / "a run" / "index.html").as_uri() + "#sort=input&page=4")
    page.wait_for_timeout(300)
    assert not any("thumbnails" in url for url in asked), "the cards are below the fold"
    tiles = "[...document.querySelectorAll('.thumbnail')].filter((tile) => tile.style.backgroundImage).length"
    assert page.evaluate(tiles) == 0
    page.locator(".shot").nth(2).scroll_into_view_if_needed()
    page.locator(".thumbnail[style]").first.wait_for(timeout=5000)
    assert page.evaluate(tiles) < 30
    page.close()


def test_a_run_without_labels_and_thumbnails(visit: Any, root: Path) -> None:
    page = visit("plain", width=390, height=844)
    assert page.locator("#filters .verdicts:visible, [name=label]:visible, .thumbnail").count() == 0
    p = frame(root / "plain")["probability"]
    assert shown(page) == list(p.sort_values(kind="stable").index[:60])
    assert page.locator("#order-said").inner_text() == "Surprising ones first: the least sure at the top."
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_command_can_be_copied_or_is_selected(visit: Any) -> None:
    page = visit()
    card = page.locator(".shot").first
    card.get_by_role("button", name="copy").click()
    card.get_by_role("button", name=re.compile("copied|selected")).wait_for(timeout=5000)
    if card.locator(".copy").inner_text() == "selected":
        assert page.evaluate("getSelection().toString()") == card.locator("code").inner_text()


def test_pressing_a_concept_shows_its_images(visit: Any, rows: pd.DataFrame) -> None:
    page = visit()
    button = page.locator("#concepts button[data-side=against]").first
    count = int(button.inner_text())
    name = page.locator("#concepts th").first.inner_text()
    button.click()
    assert page.locator("#count").inner_text() == f"{count} of 400 images"
    assert page.locator("[name=against] option:checked").inner_text() == f"{name} · {count}"
    assert count == sum(name in names for names in rows["against"])


def test_light_dark_paper_and_phone(visit: Any) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = (visit(color_scheme=scheme, width=390, height=844) for scheme in ("light", "dark"))
    assert light.evaluate("document.documentElement.scrollWidth") == 390
    assert light.evaluate(ground) != dark.evaluate(ground)
    wanted = dark.evaluate(ground)
    light.locator("#theme").click()
    assert light.evaluate(ground) == wanted
    dark.emulate_media(media="print", color_scheme="dark")
    assert dark.evaluate(ground) == "rgb(255, 255, 255)"
    assert dark.locator("#filters:visible, #theme:visible, .pager:visible, .command:visible").count() == 0
    assert dark.locator(".shot:visible").count() == 60
    assert dark.evaluate("document.documentElement.lang") == "en"


def test_without_javascript(visit: Any) -> None:
    page = visit(java_script_enabled=False)
    assert page.locator("#classes table tbody tr").count() == 4
    assert page.get_by_text("needs JavaScript").is_visible()
    assert page.locator("#filters:visible, #profile:visible, .pager:visible").count() == 0


def test_tab_reaches_everything_with_a_visible_focus(visit: Any) -> None:
    page = visit("plain", "#text=000001")
    reached = []
    for _ in range(80):
        page.keyboard.press("Tab")
        what = page.evaluate(
            "(({ tagName, name, className }) => tagName === 'BODY' ? tagName : name || className || tagName)"
            "(document.activeElement)"
        )
        if what == "BODY":
            break
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", what
        reached.append(what)
    assert what == "BODY", "the focus leaves the page at its end"
    assert {"predicted", "for", "against", "low", "high", "text", "sort", "link copy"} <= set(reached)


@pytest.mark.slow
def test_as_many_as_places365_has(browser: Browser, tmp_path: Path) -> None:
    names = [f"scene category number {c}" for c in range(365)]
    folder = make_batch(
        tmp_path / "run", rows=36_500, units=64, classes=names, concepts=150, explained=1, top=5, thumbnails=False,
        ids=[f"Places365_val_{i:08d}.jpg" for i in np.random.default_rng(0).permutation(36_500)],
    )  # fmt: skip
    path = write_batch_page(folder)
    size = path.stat().st_size
    page = browser.new_page()
    page.goto(path.as_uri())
    ready = page.evaluate("performance.getEntriesByName('interactive')[0].startTime")
    began = page.evaluate("performance.now()")
    page.locator("[name=predicted]").select_option("7")
    took = page.evaluate("performance.now()") - began
    print(f"{size / 1e6:.2f} MB, interactive after {ready:.0f} ms, a filter takes {took:.0f} ms")
    assert size <= 25_000_000
    assert ready <= 6000  # 2 s on a quiet machine with two cores; tests run on busy ones
    assert page.evaluate("document.querySelectorAll('#cards *').length") < 60 * 60
    assert page.locator("#count").inner_text().endswith("of 36,500 images")
    page.close()
