"""The dissection page in a real browser: filters, sorting, bars, links to units, and two thousand of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from artifacts_for_pages import write_dissection

from reports.write import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytest_plugins = ("pages_in_browser",)
pytestmark = pytest.mark.browser


def units_shown(page: Page) -> list[int]:
    return page.evaluate(
        "[...document.querySelectorAll('.units .card:not([hidden])')].map((card) => Number(card.id.slice(5)))"
    )


def test_filters(show: Any) -> None:
    page = show("units")
    units = page.evaluate("JSON.parse(document.getElementById('twin').textContent).units")
    columns = ("unit", "concept", "category", "iou", "best_concept")
    rows = list(zip(*(units[name] for name in columns), strict=True))
    assert units_shown(page) == list(range(64))
    assert page.locator("#count").inner_text() == "64 of 64 units"

    page.locator("#concept").fill("CAT")
    assert units_shown(page) == [u for u, c, _, _, best in rows if "cat" in (c or best)]
    page.locator("#concept").fill('"cat 0"')
    assert units_shown(page) == [u for u, c, *_ in rows if c == "cat 0"] != []
    page.locator("#concept").fill("unit 63")
    assert units_shown(page) == [63]
    page.locator("#concept").fill("no such thing")
    assert units_shown(page) == [] and page.locator("#empty").is_visible()

    page.get_by_role("button", name="clear").click()
    page.wait_for_function("document.getElementById('count').textContent.startsWith('64')")
    for value, wanted in (("=color", [u for u, _, k, *_ in rows if k == "color"]),
                          ("unnamed", [u for u, c, *_ in rows if not c]),
                          ("named", [u for u, c, *_ in rows if c])):  # fmt: skip
        page.locator("#category").select_option(value)
        assert units_shown(page) == wanted != []
    page.locator("#category").select_option("*")
    page.locator("#iou").fill("0.1")
    assert units_shown(page) == [u for u, _, _, iou, _ in rows if (iou or 0) >= 0.1] != []
    assert page.locator("#least").inner_text() == "0.10"


def test_sorting(show: Any) -> None:
    page = show("units")
    units = page.evaluate("JSON.parse(document.getElementById('twin').textContent).units")
    page.locator("#sort").select_option("iou")
    assert units_shown(page) == sorted(range(64), key=lambda u: (-(units["iou"][u] or 0), u))
    page.locator("#sort").select_option("concept")
    order = units_shown(page)
    names = [units["concept"][u] for u in order]
    named = [name for name in names if name]
    assert named == sorted(named) and names == [*named, *[""] * (64 - len(named))]
    page.locator("#sort").select_option("unit")
    assert units_shown(page) == list(range(64))


def test_a_bar_filters_its_units(show: Any) -> None:
    page = show("units")
    bar = page.locator("a[data-concept]").first
    concept, count = bar.get_attribute("data-concept"), int(bar.locator(".n").inner_text())
    bar.click()
    assert page.locator("#count").inner_text() == f"{count} of 64 units"
    assert set(page.locator(".units .card:not([hidden]) h3").all_text_contents()) == {concept}


def test_links_to_units(show: Any) -> None:
    page = show("units", "#unit-41")
    card = page.locator("#unit-41")
    assert "visited" in card.get_attribute("class")
    assert page.evaluate(
        "(() => { const r = document.querySelector('#unit-41').getBoundingClientRect();"
        " return r.top >= 0 && r.bottom <= innerHeight; })()"
    )
    page.locator("#category").select_option("unnamed")
    named = page.locator("#unit-0")
    assert named.is_hidden()
    page.evaluate("location.hash = '#unit-0'")
    page.wait_for_function("!document.getElementById('unit-0').hidden")
    assert "visited" in named.get_attribute("class") and "visited" not in card.get_attribute("class")
    page.evaluate("location.hash = '#unit-99999'")
    page.evaluate("location.hash = '#graph'")
    assert units_shown(page) == list(range(64))


@pytest.mark.slow
def test_two_thousand_units(browser: Browser, tmp_path: Path) -> None:
    path = write_report(write_dissection(tmp_path / "x", 2048))
    page = browser.new_page()
    page.goto(f"{path.as_uri()}#unit-2000")
    assert page.evaluate(
        "(() => { const r = document.querySelector('#unit-2000').getBoundingClientRect();"
        " return r.top >= 0 && r.bottom <= innerHeight; })()"
    )
    page.locator("#category").select_option("unnamed")
    page.locator("#sort").select_option("iou")
    assert len(units_shown(page)) == 2048 - page.evaluate(
        "JSON.parse(document.getElementById('twin').textContent).summary.named"
    )
    page.close()
