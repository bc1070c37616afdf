"""How sure names are, in a real browser: filters, greyed names, and what speaks for and against each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from test_pages_browser_units import units_shown

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest_plugins = ("pages_in_browser",)
pytestmark = pytest.mark.browser


def rows_of(page: Page) -> list[dict[str, Any]]:
    units = page.evaluate("JSON.parse(document.getElementById('twin').textContent).units")
    return [dict(zip(units, cells, strict=True)) for cells in zip(*units.values(), strict=True)]


def test_filters_of_a_dissection(show: Any) -> None:
    page = show("tested units")
    rows = rows_of(page)
    for most in ("0.1", "0.05", "0.01", "0.001"):
        page.locator("#q").select_option(most)
        assert units_shown(page) == [row["unit"] for row in rows if row["q"] <= float(most)] != []
    page.locator("#category").select_option("named")
    assert units_shown(page) == [row["unit"] for row in rows if row["q"] <= 0.001 and row["concept"]]
    page.get_by_role("button", name="clear").click()
    page.wait_for_function("document.getElementById('count').textContent.startsWith('64')")

    page.locator("#margin").fill("0.02")
    assert page.locator("#apart").inner_text() == "0.02"
    assert units_shown(page) == [row["unit"] for row in rows if (row["margin"] or 0) >= 0.02] != []
    # a bar shows all the units that it counts, whatever the filters say
    bar = page.locator("a[data-concept]").first
    bar.click()
    assert page.locator("#count").inner_text() == f"{bar.locator('.n').inner_text()} of 64 units"


def test_sorting_a_dissection(show: Any) -> None:
    page = show("tested units")
    rows = rows_of(page)
    page.locator("#sort").select_option("q")
    expected = sorted(rows, key=lambda row: (row["q"], -(row["iou"] or 0), row["unit"]))
    assert units_shown(page) == [row["unit"] for row in expected]
    page.locator("#sort").select_option("margin")
    expected = sorted(rows, key=lambda row: (-(row["margin"] or 0), row["unit"]))
    assert units_shown(page) == [row["unit"] for row in expected]


def test_filters_of_names_that_were_not_tested(show: Any) -> None:
    page = show("units")
    assert page.locator("#q").count() == 0
    page.locator("#margin").fill("0.01")
    wanted = [row["unit"] for row in rows_of(page) if (row["margin"] or 0) >= 0.01]
    assert units_shown(page) == wanted != []


def test_filters_with_the_keyboard(show: Any) -> None:
    page = show("tested units")
    page.locator("#q").focus()
    page.keyboard.press("ArrowDown")
    assert page.locator("#q").input_value() == "0.1"
    shown = len(units_shown(page))
    assert shown < 64
    page.locator("#margin").focus()
    page.keyboard.press("End")
    assert len(units_shown(page)) < shown


PICTURE = """(svg) => {
  const box = svg.getBoundingClientRect();
  const inner = svg.querySelector("svg");
  const shown = inner.viewBox.baseVal;
  return [box.width, box.height, inner.width.baseVal.value, shown.x, shown.width, getComputedStyle(inner).overflow];
}"""


def test_why_a_unit_of_a_dissection_has_its_name(show: Any) -> None:
    page = show("tested units", "#unit-2")
    why = page.locator("#unit-2 .why")
    assert why.evaluate("element => element.open")  # a link to the unit opens it
    on, off = why.locator("figure").all()
    assert on.inner_text().startswith("fires on it: ") and off.inner_text().startswith("fires beside it: ")
    # three crops and one, all of one size: a row has room for four
    for figure, start, crops in ((on, 0, 3), (off, 3, 1)):
        width, height, room, x, shown, overflow = figure.locator("svg.strip").evaluate(PICTURE)
        assert width == pytest.approx(4 * height, rel=0.02)
        assert (room, x, shown, overflow) == (crops, start, crops, "hidden")
    # two and two stand beside one another
    page.locator("#unit-0 .why summary").click()
    left, right = (figure.bounding_box() for figure in page.locator("#unit-0 .why figure").all())
    assert (
        left is not None
        and right is not None
        and left["x"] + left["width"] < right["x"]
        and left["y"] == right["y"]
    )


def doubted(page: Page) -> list[int]:
    """Places of the greyed cards."""
    return page.evaluate(
        "[...document.querySelectorAll('#cards .card')].flatMap((card, i) => card.matches('.doubted') ? [i] : [])"
    )


def units_of(page: Page, target: int) -> list[dict[str, Any]]:
    found = page.evaluate(
        f"JSON.parse(document.getElementById('twin').textContent).explanation.targets[{target}]"
    )
    return [
        dict(zip(found[side], cells, strict=True))
        for side in ("for", "against")
        for cells in zip(*found[side].values(), strict=True)
    ]


def test_names_that_a_reader_does_not_trust_are_greyed(show: Any) -> None:
    page = show("tested cat")
    assert doubted(page) == [] and page.locator("#doubted").inner_text() == ""
    colour = "element => getComputedStyle(element).color"
    unnamed = page.locator(".card.unnamed bdi").first.evaluate(colour)

    def expected(target: int, most: float, least: float) -> list[int]:
        return [
            i
            for i, unit in enumerate(units_of(page, target))
            if unit["concept"] is not None and (unit["q"] > most or unit["margin"] < least)
        ]

    page.locator("#q").select_option("0.01")
    first = expected(0, 0.01, 0)
    assert doubted(page) == first != []
    assert page.locator("#doubted").inner_text() == f"{len(first)} of 8 names here are greyed"
    card = page.locator("#cards .card").nth(first[0])
    assert card.locator("bdi").evaluate(colour) == unnamed
    assert card.locator(".doubt").inner_text() == f"greyed: q {units_of(page, 0)[first[0]]['q']:.2g}"
    # It holds for the other targets and in their tables.
    page.locator(".answers a[href='#target-1']").click()
    assert doubted(page) == expected(1, 0.01, 0)
    table = page.evaluate(
        "[...document.querySelectorAll('#target-1 tr.unit')].flatMap((row, i) => row.matches('.doubted') ? [i] : [])"
    )
    assert table == expected(1, 0.01, 0)
    page.locator("#q").select_option("")
    assert doubted(page) == []
    page.locator("#margin").fill("0.014")
    assert doubted(page) == expected(1, 1, 0.014) != []
    assert page.locator("#apart").inner_text() == "0.014"
    assert "greyed: margin 0.012" in page.locator("#cards .card.doubted").first.inner_text()


def test_names_that_were_not_tested_can_be_greyed_by_margin(show: Any) -> None:
    page = show("cat")
    assert page.locator("#q").count() == 0
    page.locator("#margin").fill("0.014")
    assert doubted(page) != []


def test_why_a_unit_of_an_explanation_has_its_name(show: Any) -> None:
    page = show("tested cat")
    assert page.locator("#cards .why").count() == 10
    first = page.locator("#cards .card").first
    first.locator(".why summary").click()
    assert first.locator("figure").first.is_visible()
    text = first.inner_text()
    page.locator(".answers a[href='#target-1']").click()
    shown = {unit["unit"] for unit in units_of(page, 0)}
    for card, unit in zip(page.locator("#cards .card").all(), units_of(page, 1), strict=True):
        assert card.locator(".why").count() == (unit["unit"] in shown)
    page.locator(".answers a[href='#target-0']").click()
    first.locator(".why summary").click()
    assert first.inner_text() == text


@pytest.mark.parametrize("name", ["tested cat", "tested units"])
def test_a_phone_needs_no_sideways_scrolling(show: Any, name: str) -> None:
    page = show(name, width=390, height=844)
    page.evaluate("document.querySelectorAll('details.why').forEach((details) => { details.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_without_a_script_everything_is_there(show: Any) -> None:
    page = show("tested cat", java_script_enabled=False)
    assert page.locator("#doubts:visible").count() == 0
    assert page.locator(".card .why summary:visible").count() == 10
    units = show("tested units", java_script_enabled=False)
    assert units.locator(".units .card").count() == 64
    assert units.locator(".card .trust:visible").count() == 63
    units.locator("#unit-0 .why summary").click()
    assert units.locator("#unit-0 figure").first.is_visible()


@pytest.mark.parametrize("name", ["tested cat", "tested units"])
def test_paper_shows_the_crops(show: Any, name: str) -> None:
    page = show(name)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert page.locator(".why figure").first.is_visible()
