"""The page of a caption in a real browser: pointing at words, keeping one, the keyboard, a phone, a printer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from artifacts_for_pages import HOSTILE
from language_artifacts import CAPTION, QUESTION, long_caption, write_answer, write_caption
from test_report_language import hostile_answer, hostile_caption

from reports.write import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest_plugins = ("pages_in_browser",)
pytestmark = pytest.mark.browser

WORDS = CAPTION.split()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages that `show` opens here."""
    root = tmp_path_factory.mktemp("asked")
    return {
        "caption": write_report(write_caption(root / "caption")),
        "word": write_report(write_caption(root / "word", first=2)),
        "long": write_report(write_caption(root / "long", **long_caption())),
        "answer": write_report(write_answer(root / "answer")),
        "forced": write_report(write_answer(root / "forced", forced=True)),
        "hostile caption": write_report(hostile_caption(root / "hostile caption")),
        "hostile answer": write_report(hostile_answer(root / "hostile answer")),
    }


def word(page: Page, place: int) -> Any:
    return page.locator("#caption .word").nth(place)


def shown(page: Page) -> tuple[str, str, str]:
    """Of what the page speaks: the large map, the heading that is visible, the title over the cards."""
    return (
        str(page.locator("svg.main").get_attribute("data-showing")),
        page.locator(".question:visible").inner_text(),
        page.locator("#cards h3").first.inner_text(),
    )


def chosen(page: Page) -> list[str]:
    return page.locator("#caption [aria-current]").all_inner_texts()


WHOLE = ("target-0", "Why this caption?", "For this caption")
LAMP = ("target-3", "Why “lamp”?", "For “lamp”")
CHAIRS = ("target-7", "Why “chairs”?", "For “chairs”")


def test_pointing_at_a_word_shows_it_for_as_long(show: Any) -> None:
    page = show("caption")
    whole = page.locator("svg.main image.map").get_attribute("href")
    units = page.locator("#cards .card").evaluate_all("cards => cards.map((card) => card.dataset.unit)")
    assert shown(page) == WHOLE and chosen(page) == ["the whole caption"]
    word(page, 2).hover()
    assert shown(page) == LAMP and chosen(page) == ["the whole caption"]
    assert page.locator("svg.main image.map").get_attribute("href") != whole
    assert "Grad-CAM for “lamp”" in page.locator("svg.main").get_attribute("aria-label")
    lamps = page.locator("#cards .card").evaluate_all("cards => cards.map((card) => card.dataset.unit)")
    assert len(lamps) == 10 and lamps != units
    page.mouse.move(2, 2)
    assert shown(page) == WHOLE
    assert page.locator("svg.main image.map").get_attribute("href") == whole


def test_pressing_keeps_a_word(show: Any) -> None:
    page = show("caption")
    word(page, 2).click()
    page.mouse.move(2, 2)
    assert shown(page) == LAMP and [text.split()[0] for text in chosen(page)] == ["lamp"]
    assert page.url.endswith("#target-3")
    # Others can be looked at meanwhile.
    word(page, 6).hover()
    assert shown(page) == CHAIRS
    page.mouse.move(2, 2)
    assert shown(page) == LAMP
    page.get_by_text("the whole caption").click()
    assert shown(page) == WHOLE and chosen(page) == ["the whole caption"]
    word(page, 6).click()
    page.keyboard.press("Escape")
    assert shown(page) == WHOLE and chosen(page) == ["the whole caption"]


def test_a_kept_unit_stays_while_its_word_is_pointed_at(show: Any) -> None:
    page = show("caption")
    word(page, 2).click()
    card = page.locator("#cards .card").nth(1)
    card.locator(".look").click()
    unit = f"unit-{card.get_attribute('data-unit')}"
    word(page, 2).hover()
    page.mouse.move(2, 2)
    assert page.locator("svg.main").get_attribute("data-showing") == unit


def test_the_keyboard_goes_from_word_to_word(show: Any) -> None:
    page = show("caption")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    focused = "document.activeElement.querySelector('bdi')?.textContent ?? document.activeElement.id"
    assert page.evaluate(focused) == "a" and shown(page)[1] == "Why “a”?"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(focused) == "a"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == "lamp" and shown(page) == LAMP
    page.keyboard.press("End")
    assert shown(page) == CHAIRS
    page.keyboard.press("ArrowRight")
    assert shown(page) == CHAIRS
    page.keyboard.press("Home")
    assert page.evaluate(focused) == "a"
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    assert chosen(page) == ["the whole caption"]
    page.keyboard.press("Enter")
    assert [text.split()[0] for text in chosen(page)] == ["lamp"]
    # The words are one stop of Tab, and it is where they were left.
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "whole" and shown(page) == LAMP
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(focused) == "lamp"
    page.keyboard.press("Escape")
    assert shown(page) == WHOLE


def test_the_arrows_lead_to_the_words_from_anywhere_but_a_control(show: Any) -> None:
    page = show("caption")
    focused = "document.activeElement.querySelector('bdi')?.textContent"
    page.keyboard.press("End")  # scrolls the page
    assert shown(page) == WHOLE
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == "a" and shown(page)[1] == "Why “a”?"
    page.keyboard.press("ArrowRight")
    assert shown(page)[1] == "Why “red”?"
    page = show("caption", "#target-3")
    page.keyboard.press("ArrowLeft")  # from the word that is shown
    assert page.evaluate(focused) == "red"
    page = show("caption")
    opacity = page.locator("#opacity")
    opacity.focus()
    page.keyboard.press("ArrowLeft")
    assert opacity.input_value() == "79" and shown(page) == WHOLE
    page.locator("#mode input").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#mode input").nth(1).is_checked() and shown(page) == WHOLE


def test_a_word_can_be_linked_to(show: Any) -> None:
    page = show("caption", "#target-7")
    assert shown(page) == CHAIRS and [text.split()[0] for text in chosen(page)] == ["chairs"]
    page.locator("#words a").nth(2).click()
    page.locator("svg.main[data-showing='target-3']").wait_for(timeout=5000)  # the browser tells of it later
    assert shown(page) == LAMP and page.locator(".question:visible").is_visible()


def test_a_word_that_was_asked_for(show: Any) -> None:
    page = show("word")
    assert shown(page) == ("target-0", "Why “lamp”?", "For “lamp”")
    word(page, 1).hover()
    assert shown(page)[1] == "Why “red”?"
    page.keyboard.press("Escape")
    assert shown(page)[:2] == ("target-1", "Why this caption?")


def test_a_finger_keeps_a_word(show: Any) -> None:
    page = show("caption", width=390, height=844, has_touch=True, is_mobile=True)
    word(page, 2).tap()
    assert shown(page) == LAMP and [text.split()[0] for text in chosen(page)] == ["lamp"]
    page.get_by_text("the whole caption").tap()
    assert shown(page) == WHOLE
    assert page.locator(".keys").is_hidden()


@pytest.mark.parametrize(
    "name", ["caption", "word", "long", "answer", "forced", "hostile caption", "hostile answer"]
)
def test_a_phone_needs_no_sideways_scrolling(show: Any, name: str) -> None:
    page = show(name, width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    # The photograph, or its upper part, and all that was asked are above the fold.
    if not name.startswith("hostile"):
        assert page.locator(".asked").bounding_box()["y"] < page.locator("svg.main").bounding_box()["y"] < 600


def test_the_caption_and_the_map_are_above_the_fold(show: Any) -> None:
    for name in ("caption", "long", "answer"):
        page = show(name)
        photograph = page.locator("svg.main").bounding_box()
        assert photograph["y"] + photograph["height"] < 800
        assert page.locator(".asked").bounding_box()["y"] > 0
        assert page.locator(".question:visible").bounding_box()["y"] < 800


def test_without_a_script_everything_is_there(show: Any) -> None:
    page = show("caption", java_script_enabled=False)
    assert [text.split()[0] for text in page.locator("#caption .word").all_inner_texts()] == WORDS
    assert page.locator("article:visible").count() == 8
    assert page.locator("article .static:visible image.map").count() == 7
    assert page.locator("#words tbody tr:visible").count() == 7
    assert page.locator("#captions tbody tr:visible").count() == 3
    assert page.locator("#caption .js-only:visible").count() == 0
    word(page, 2).click()  # a plain link now
    assert page.url.endswith("#target-3")
    assert page.locator("#target-3").bounding_box()["y"] < 800


def test_paper_shows_every_word(show: Any) -> None:
    page = show("caption", color_scheme="dark")
    word(page, 2).click()
    page.mouse.move(2, 2)  # what lies under it may change with the layout
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("article:visible").count() == 8
    assert page.locator(".static:visible").count() == 7
    assert page.locator(".ways:visible").count() == 0
    assert page.locator("svg.main").get_attribute("data-showing") == "target-0"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert shown(page) == LAMP
    assert page.pdf().startswith(b"%PDF")


def test_light_and_dark_are_legible(show: Any) -> None:
    """The caption and the lines under it stand out from the ground in both schemes."""
    ask = """(() => {
      const style = (selector, what) => getComputedStyle(document.querySelector(selector))[what];
      return [style("body", "backgroundColor"), style(".word", "color"), style(".word .plus", "fill")];
    })()"""
    seen = [show("caption", color_scheme=scheme).evaluate(ask) for scheme in ("light", "dark")]
    for colours in seen:
        ground, text, line = (sum(map(int, c[4:-1].split(","))) for c in colours)
        assert abs(ground - text) > 500 and abs(ground - line) > 300
    assert all(a != b for a, b in zip(*seen, strict=True))


def test_alternatives_of_an_answer(show: Any) -> None:
    page = show("answer")
    assert page.locator(".asked").inner_text() == f"Q: {QUESTION}"
    assert shown(page) == ("target-0", "Why “red”?", "For “red”")
    page.locator(".answers a[href='#target-1']").click()
    assert shown(page) == ("target-1", "If it had to say “yellow”: why?", "For “yellow”")
    assert shown(show("forced"))[1] == "If it had to say “yellow”: why?"


def test_hostile_words_are_shown_as_text(show: Any) -> None:
    page = show("hostile caption")
    for place in (0, 1):
        word(page, place).click()
        assert HOSTILE in page.locator(".question:visible").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("script").count() == 3
    page = show("hostile answer")
    assert HOSTILE in page.locator(".asked").inner_text()
    assert page.locator("script").count() == 3
