"""Made-up pages, opened in headless Chromium and watched: fixtures of the tests `test_pages_browser*.py`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from artifacts_for_pages import write_dissection, write_explanation
from test_reports_write import hostile_dissection, hostile_explanation

from reports.write import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(names)} is installed")
    with sync_api.sync_playwright() as playwright:
        # Tests may run as root in a container, where Chromium's sandbox and shared memory are not to be had.
        flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        yield playwright.chromium.launch(executable_path=path, args=flags)


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pages")

    def zero(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        facts["targets"][0]["zero_map"] = True
        arrays["signed_map"][0] = -np.abs(arrays["signed_map"][0]) - 0.1
        facts["targets"][2]["for"] = facts["targets"][2]["for"][:3]
        facts["check"] = None

    def empty(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        for side in ("for", "against"):
            facts["targets"][0][side] = []
        facts["targets"][1]["for"] = facts["targets"][1]["for"][:1]
        facts["check"] = None

    kinds = (("cat", "object"), ("red", "color"))
    concepts = [(f"{name} {i}", category) for i in range(9) for name, category in kinds]
    return {
        "cat": write_report(write_explanation(root / "cat")),
        "fine": write_report(write_explanation(root / "fine", shape=(14, 14), width=300, height=451)),
        "zero": write_report(write_explanation(root / "zero", change=zero, with_strips=False)),
        "empty": write_report(write_explanation(root / "empty", change=empty, with_strips=False)),
        "one cell": write_report(write_explanation(root / "one cell", shape=(1, 1))),
        "tested cat": write_report(write_explanation(root / "tested cat", tested=True)),
        "tested units": write_report(write_dissection(root / "tested units", 64, tested=True)),
        "hostile": write_report(hostile_explanation(root / "hostile")),
        "units": write_report(write_dissection(root / "units", 64, concepts=concepts)),
        "hostile units": write_report(hostile_dissection(root / "hostile units")),
    }


class Opened:
    """A page with what went wrong on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.trouble: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.trouble.append(message.text))
        page.on("pageerror", lambda error: self.trouble.append(str(error)))
        page.on("dialog", lambda dialog: (self.trouble.append(dialog.message), dialog.dismiss()))


@pytest.fixture
def show(browser: Browser, pages: dict[str, Path]) -> Iterator[Any]:
    """Open a page; at the end nothing may have gone wrong on it, and nothing else asked for."""
    opened: list[tuple[Opened, str]] = []

    def open_page(
        name: str, anchor: str = "", *, width: int = 1280, height: int = 800, **options: Any
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        address = pages[name].as_uri()
        context.route(
            "**/*", lambda route: route.continue_() if route.request.url == address else route.abort()
        )
        watched = Opened(context.new_page())
        watched.page.goto(address + anchor)
        opened.append((watched, address))
        return watched.page

    yield open_page
    for watched, address in opened:
        watched.page.context.close()
        assert watched.trouble == []
        assert {url.split("#")[0] for url in watched.requests if not url.startswith("data:")} == {address}
