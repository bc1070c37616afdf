"""A survey page in a real browser: answered by keys and by clicks, left and taken up again, saved, and scored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from study_toys import discrimination, trust

from neuro_explain.study.answers import read_answers
from neuro_explain.study.folder import Study, make_study

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytest_plugins = ("pages_in_browser",)
pytestmark = pytest.mark.browser

RATER = "rater-01"


@pytest.fixture(scope="module")
def studies() -> dict[str, Study]:
    made = {material.task: make_study(material, ratings=1) for material in (discrimination(4), trust(4))}
    assert all(RATER in study.key.sheets for study in made.values())
    return made


@pytest.fixture
def context(browser: Any) -> Iterator[BrowserContext]:
    own = browser.new_context(viewport={"width": 390, "height": 800}, accept_downloads=True)
    yield own
    own.close()


@pytest.fixture
def open_survey(context: BrowserContext, studies: dict[str, Study], tmp_path: Path) -> Iterator[Any]:
    trouble: list[str] = []
    asked_for: list[str] = []
    files: list[str] = []

    def open_page(task: str) -> Page:
        file = tmp_path / f"{task}.html"
        file.write_bytes(studies[task].page(RATER))
        files.append(file.as_uri())
        page = context.new_page()
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("request", lambda request: asked_for.append(request.url))
        page.goto(file.as_uri())
        return page

    yield open_page
    assert trouble == []
    assert {url for url in asked_for if not url.startswith(("data:", "blob:"))} == set(files)


def shown(page: Page) -> str:
    """The token of the question on the screen."""
    token = page.locator(".ask:visible").get_attribute("data-token")
    assert token is not None
    return token


def test_a_survey_by_keys(open_survey: Any, studies: dict[str, Study], tmp_path: Path) -> None:
    study = studies["discrimination"]
    sheet = study.key.sheets[RATER]
    page = open_survey("discrimination")
    assert page.locator(".ask:visible").count() == 0
    page.locator("#begin").press("Enter")
    wanted = []
    for place, placed in enumerate(sheet):
        assert shown(page) == placed.token and page.locator(".ask:visible").count() == 1
        page.keyboard.press("12"[place % 2])
        wanted.append({"question": placed.token, "answer": place % 2})
        assert page.locator("#count").inner_text() == f"{place + 1} of {len(sheet)} answered"
        page.keyboard.press("Enter" if place % 2 else "ArrowRight")
    assert page.locator("#sum").inner_text() == "You have answered all questions."
    assert json.loads(page.locator("#text").input_value()) == {
        "study": study.key.study,
        "rater": RATER,
        "answers": wanted,
    }
    with page.expect_download() as saving:
        page.locator("#save").click()
    assert saving.value.suggested_filename == f"answers-{RATER}.json"
    saving.value.save_as(tmp_path / "back.json")
    ratings = read_answers(study.key, [tmp_path / "back.json"]).ratings
    assert [rating.question for rating in ratings] == [placed.question for placed in sheet]
    assert [rating.value for rating in ratings] == [
        place % 2 ^ placed.flipped for place, placed in enumerate(sheet)
    ]


def test_an_answer_is_changed_skipped_and_taken_up_again(open_survey: Any, studies: dict[str, Study]) -> None:
    sheet = studies["trust"].key.sheets[RATER]
    assert len(sheet) == 4
    page = open_survey("trust")
    page.locator("#begin").click()
    page.get_by_text("A is clearly more reliable").locator("visible=true").click()
    page.locator("#next").click()
    assert page.locator("#next").inner_text() == "Skip →"
    page.locator("#next").click()
    page.locator("#back").click()
    page.locator("#back").click()
    assert page.locator(".ask:visible input:checked").get_attribute("value") == "2"
    page.keyboard.press("4")
    page.keyboard.press("ArrowRight")
    page.locator("#back").click()
    page.get_by_text("B is slightly more reliable").locator("visible=true").click()
    page.keyboard.press("ArrowRight")  # goes on, though a choice has the focus, and does not change it

    page.close()
    page = open_survey("trust")  # where it was left, with what was answered
    assert shown(page) == sheet[1].token and page.locator("#count").inner_text() == "1 of 4 answered"
    for _ in range(3):
        page.locator("#next").click()
    assert "You have answered 1 of 4 questions" in page.locator("#sum").inner_text()
    assert json.loads(page.locator("#text").input_value())["answers"] == [
        {"question": sheet[0].token, "answer": -1}
    ]
    page.locator("#missing").click()
    assert shown(page) == sheet[1].token
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_browser_that_keeps_nothing_is_enough(
    context: BrowserContext, open_survey: Any, studies: dict[str, Study]
) -> None:
    context.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } })"
    )
    page = open_survey("discrimination")
    assert page.locator("#kept").inner_text().startswith("This browser keeps nothing of this page")
    page.locator("#begin").click()
    for _ in studies["discrimination"].key.sheets[RATER]:
        page.keyboard.press("1")
        page.keyboard.press("Enter")
    assert page.locator("#sum").inner_text() == "You have answered all questions."
