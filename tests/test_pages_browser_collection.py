"""A set of pages in a real browser: filters, the way there and back, links to units, a phone, a printer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from artifacts_for_pages import HOSTILE, write_collection
from test_reports_collection import hostile

from reports.write import write_report

if TYPE_CHECKING:
    from pages_in_browser import Opened
    from playwright.sync_api import Browser, Page

pytest_plugins = ("pages_in_browser",)
pytestmark = pytest.mark.browser

LABELS = ("kitchen", "kitchen", "street", None, "attic", "nowhere")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("sets")
    return {
        "scenes": write_report(write_collection(root / "a set #1", labels=LABELS)),
        "unlabelled": write_report(write_collection(root / "plain", labels=[None], dissection=None)),
        "hostile": write_report(hostile(root / "hostile")),
    }


@pytest.fixture
def visit(browser: Browser, sets: dict[str, Path]) -> Iterator[Any]:
    """Open a set; at the end nothing may have gone wrong, and nothing but its own pages been asked for."""
    from pages_in_browser import Opened  # not above: pytest must load the plugin first

    opened: list[tuple[Opened, str]] = []

    def open_set(name: str, page: str = "", *, width: int = 1280, height: int = 800, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        home = sets[name].parent.as_uri()
        watched = Opened(context.new_page())
        watched.page.goto(f"{home}/{page}" if page else sets[name].as_uri())
        opened.append((watched, home))
        return watched.page

    yield open_set
    for watched, home in opened:
        watched.page.context.close()
        assert watched.trouble == []
        asked = {url.split("#")[0] for url in watched.requests if not url.startswith("data:")}
        assert asked and all(url.startswith(home) and url.endswith("/index.html") for url in asked), asked


def shown(page: Page) -> list[str]:
    return page.evaluate("[...document.querySelectorAll('.scene:not([hidden])')].map((card) => card.id)")


def test_the_filter(visit: Any) -> None:
    page = visit("scenes")
    assert shown(page) == [f"image-{i}" for i in range(1, 7)]
    texts = page.locator("#filter label").all_inner_texts()
    assert [text.strip() for text in texts] == ["all 6", "right 3", "wrong 2"]
    page.locator("#filter").get_by_text("wrong").click()
    assert shown(page) == ["image-2", "image-6"]
    assert page.locator("#count").inner_text() == "2 of 6 images"
    assert page.locator(".verdict:visible strong").all_inner_texts() == ["wrong", "wrong"]
    # The keyboard does the same.
    page.keyboard.press("ArrowLeft")
    assert shown(page) == ["image-1", "image-3", "image-5"]
    page.keyboard.press("ArrowLeft")
    assert len(shown(page)) == 6
    assert visit("unlabelled").locator("#filter").count() == 0


def test_there_and_back(visit: Any) -> None:
    page = visit("scenes")
    page.locator("#image-2").click(position={"x": 60, "y": 60})  # the whole card is the link
    assert page.url.endswith("/scene-1/index.html")
    assert page.locator("h1").inner_text() == "Why “bedroom”?"
    page.get_by_text("all explanations").click()
    assert page.locator("h1").inner_text() == "A few scenes"
    page.get_by_text("What each unit detects").click()
    assert page.locator("#unit-12").count() == 1
    page.get_by_text("all explanations").click()
    assert page.locator("h1").inner_text() == "A few scenes"


def test_a_unit_leads_to_its_card(visit: Any) -> None:
    page = visit("scenes", "scene-1/index.html")
    card = page.locator(".side.for .card").nth(2)
    unit = card.get_attribute("data-unit")
    card.get_by_role("link", name=f"unit {unit}", exact=True).click()
    assert page.url.endswith(f"/dissection/index.html#unit-{unit}")
    page.locator(f"#unit-{unit}.visited").wait_for(timeout=5000)
    page.go_back()
    assert page.locator("h1").inner_text() == "Why “bedroom”?"

    page = visit("scenes")
    link = page.locator(".which a").first
    unit = link.inner_text()
    link.click()
    page.locator(f"#unit-{unit}.visited").wait_for(timeout=5000)


def test_links_follow_the_target(visit: Any) -> None:
    """Cards are refilled with other units; each still links to the unit it shows, named or not."""
    page = visit("scenes", "scene-0/index.html")
    seen = set()
    for number in range(7):
        page.evaluate(f"location.hash = '#target-{number}'")
        page.wait_for_function(
            f"document.querySelector('.answers [aria-current]').hash === '#target-{number}'"
        )
        cards = page.locator("#cards .card")
        assert cards.count() == 10
        for card in cards.all():
            unit = card.get_attribute("data-unit")
            (link,) = card.locator("a").all()
            assert link.inner_text() == f"unit {unit}"
            assert link.get_attribute("href") == f"../dissection/index.html#unit-{unit}"
            unnamed = "unnamed" in card.get_attribute("class")
            field = card.locator("[data-field=title]" if unnamed else "[data-field=who]")
            assert field.inner_text().startswith(f"unit {unit}" + (", unnamed" if unnamed else " · "))
            seen.add(unit)
    assert len(seen) > 30


def test_the_same_without_a_script(visit: Any) -> None:
    page = visit("scenes", "scene-0/index.html", java_script_enabled=False)
    assert page.locator("#cards .card a").count() == 10
    page.get_by_text("all explanations").click()
    assert page.locator(".scene:visible").count() == 6
    assert page.locator("#filter:visible, #theme:visible").count() == 0


@pytest.mark.parametrize("place", ["", "scene-0/index.html", "dissection/index.html"])
def test_a_phone_needs_no_sideways_scrolling(visit: Any, place: str) -> None:
    page = visit("scenes", place, width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_hostile_names_are_shown_as_text(visit: Any) -> None:
    page = visit("hostile", width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.get_by_text(HOSTILE).first.is_visible()
    assert page.locator("script").count() == 3
    for number in (1, 2, 3):
        page.locator(f"#image-{number} h3 a").click()
        assert page.locator(".home a").is_visible()
        page.locator(".home a").click()
        assert page.locator(".scene").count() == 3


def test_light_and_dark(visit: Any) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = (visit("scenes", color_scheme=scheme) for scheme in ("light", "dark"))
    assert light.evaluate(ground) != dark.evaluate(ground)
    dark_ground = dark.evaluate(ground)
    light.locator("#theme").click()
    assert light.evaluate(ground) == dark_ground


def test_tab_reaches_every_card_with_a_visible_focus(visit: Any) -> None:
    page = visit("scenes")
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        what = page.evaluate("document.activeElement.closest('.scene')?.id ?? document.activeElement.tagName")
        if what == "BODY":
            break
        if what.startswith("image-"):
            outline = page.evaluate("getComputedStyle(document.activeElement, '::after').outlineStyle")
        else:
            outline = page.evaluate(
                "getComputedStyle(document.activeElement.matches('.segments input') ? "
                "document.activeElement.nextElementSibling : document.activeElement).outlineStyle"
            )
        assert outline != "none", what
        reached.append(what)
    assert what == "BODY", "the focus leaves the page at its end"
    assert [x for x in reached if x.startswith("image-")] == [f"image-{i}" for i in range(1, 7)]
    assert {"INPUT", "BUTTON", "A", "SUMMARY"} <= set(reached)


def test_paper_is_light_and_shows_all(visit: Any) -> None:
    page = visit("scenes", color_scheme="dark")
    page.locator("#filter").get_by_text("wrong").click()
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".scene:visible").count() == 6
    assert page.locator("#filter:visible, #theme:visible").count() == 0
    assert page.pdf().startswith(b"%PDF")
