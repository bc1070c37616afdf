"""Pages with little to show, in a real browser: sides with few units or none, and layers without places."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest_plugins = ("pages_in_browser",)
pytestmark = pytest.mark.browser


def said(page: Page) -> list[tuple[str, int]]:
    """What the page says of each side's number of units, "" for nothing, and how many cards there are."""
    return [
        (few.inner_text() if few.is_visible() else "", side.locator(".card").count())
        for side in page.locator("#cards .side").all()
        for few in [side.locator(".few")]
    ]


def test_a_side_with_few_units_says_so_for_as_long_as_it_is_shown(show: Any) -> None:
    page = show("zero")
    assert said(page) == [("", 5), ("", 5)]
    page.locator('nav a[href="#target-2"]').click()
    assert said(page) == [("Only 3 units speak on this side.", 3), ("", 5)]
    page.locator('nav a[href="#target-1"]').click()
    assert said(page) == [("", 5), ("", 5)]


def test_a_first_target_without_units(show: Any, pages: dict[str, Path]) -> None:
    page = show("empty")
    assert said(page) == 2 * [("No unit speaks on this side.", 0)]
    page.locator('nav a[href="#target-1"]').click()
    assert said(page) == [("Only 1 unit speaks on this side.", 1), ("", 5)]
    facts = json.loads((pages["empty"].parent / "explanation.json").read_text())["targets"][1]
    units = [unit["unit"] for side in ("for", "against") for unit in facts[side]]
    assert [int(card.get_attribute("data-unit")) for card in page.locator("#cards .card").all()] == units
    # a card is as good as one that was there from the first: it shows its unit's map
    page.locator("#cards .look").first.click()
    assert page.locator("svg.main").get_attribute("data-showing") == f"unit-{units[0]}"
    page.locator('nav a[href="#target-0"]').click()
    assert said(page) == 2 * [("No unit speaks on this side.", 0)]


@pytest.mark.parametrize("script", [True, False])
def test_a_layer_without_places_has_no_heatmap(show: Any, script: bool) -> None:
    page = show("one cell", java_script_enabled=script)
    assert page.locator("#where").inner_text() == (
        "This layer has no places: a unit gives one number for the whole photograph."
    )
    assert page.locator("image.map[href]").count() == 0
    assert page.locator(".tools, .look, .hint, .static").count() == 0
    assert "hot in" not in page.locator("body").inner_text().lower()
    assert page.locator("#cards .card").count() == 10
    if script:
        page.locator('nav a[href="#target-2"]').click()
        assert page.locator("svg.main").get_attribute("data-showing") == "target-2"
        page.locator("#cards .card").first.hover()
        assert page.locator("image.map[href]").count() == 0
        assert "no places" in str(page.locator("svg.main").get_attribute("aria-label"))
