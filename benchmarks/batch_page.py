"""The index page of a batch run of 36,500 images and 365 classes: how large it is, and when it can be used.

python -m benchmarks.batch_page [--rows 36500] [--rounds 5]

Made-up predictions; ids as those of the Places365 validation set. The time is that from asking for the page, over
`file://`, until its script has counted, sorted and shown the first images, in a fresh headless Chromium each time.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from reports.batch_page import write_batch_page

sys.path.append(str(Path(__file__).parents[1] / "tests"))


def make(folder: Path, rows: int) -> Path:
    """A run of that many images."""
    from batch_toy import make_batch

    return make_batch(
        folder,
        rows=rows,
        units=512,
        classes=[f"scene category {number}" for number in range(365)],
        concepts=150,
        explained=1,
        top=5,
        ids=[f"Places365_val_{number:08d}.jpg" for number in range(1, rows + 1)],
    )


def interactive(page: Path, browser_path: str) -> float:
    """Seconds until the page can be used, in a fresh browser."""
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=browser_path, args=flags)
        tab = browser.new_page()
        tab.goto(page.as_uri())
        ready: float = tab.evaluate("performance.getEntriesByName('interactive')[0].startTime")
        browser.close()
    return ready / 1000


def main() -> None:
    """Prints the page's size, how long it took to write, and the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=36_500)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    found = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    browser_path = next(found, None)
    if browser_path is None:
        parser.error("no browser: none of chromium, chromium-browser, google-chrome is installed")
    with tempfile.TemporaryDirectory() as work:
        folder = make(Path(work) / "run", options.rows)
        began = time.perf_counter()
        page = write_batch_page(folder)
        print(f"{options.rows:,} images: written in {time.perf_counter() - began:.1f} s")
        print(f"index.html: {page.stat().st_size / 1e6:.2f} MB (at most 25)")
        times = [interactive(page, browser_path) for _ in range(options.rounds)]
    print(
        f"interactive after {statistics.median(times):.2f} s (at most 2); median of {options.rounds}, "
        f"{min(times):.2f} to {max(times):.2f}"
    )


if __name__ == "__main__":
    main()
