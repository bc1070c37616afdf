"""The pages in a real browser: every control, both schemes, a phone, a printer, no script, no request."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from artifacts_for_pages import HOSTILE
from PIL import Image

from reports import draw

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest_plugins = ("pages_in_browser",)
pytestmark = pytest.mark.browser


def map_pixels(page: Page, selector: str = "svg.main") -> np.ndarray | None:
    """The map on a photograph as `[H, W, 4]`, or None if there is none."""
    address = page.locator(f"{selector} image.map").first.get_attribute("href")
    if address is None:
        return None
    picture = Image.open(io.BytesIO(base64.b64decode(address.split(",", 1)[1])))
    return np.asarray(picture.convert("RGBA"), int)


def maps_in(path: Path) -> dict[str, np.ndarray]:
    with np.load(path.parent / "arrays.npz") as arrays:
        return dict(arrays)


def enlarged(cells: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear, half-pixel centres, edges clamped: written out for each pixel."""
    h, w = cells.shape
    out = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            i = min(max((y + 0.5) * h / height - 0.5, 0), h - 1)
            j = min(max((x + 0.5) * w / width - 0.5, 0), w - 1)
            i0, j0 = int(i), int(j)
            i1, j1 = min(i0 + 1, h - 1), min(j0 + 1, w - 1)
            v, u = i - i0, j - j0
            upper = cells[i0, j0] * (1 - u) + cells[i0, j1] * u
            lower = cells[i1, j0] * (1 - u) + cells[i1, j1] * u
            out[y, x] = upper * (1 - v) + lower * v
    return out


def test_enlarging_follows_the_definition(show: Any) -> None:
    page = show("cat")
    rng = np.random.default_rng(0)
    for shape, size in (
        ((3, 4), (10, 9)),
        ((1, 1), (3, 3)),
        ((1, 5), (2, 7)),
        ((7, 7), (7, 7)),
        ((4, 4), (3, 2)),
    ):
        cells = rng.normal(size=shape)
        found = page.evaluate(
            "([cells, shape, size]) => [...maps.resize(cells, shape, size)]",
            [cells.ravel().tolist(), shape, size],
        )
        np.testing.assert_allclose(np.reshape(found, size), enlarged(cells, *size), atol=1e-12)


@pytest.mark.parametrize(("name", "paper"), [("cat", False), ("cat", True), ("fine", False)])
def test_the_hottest_pixel_has_the_hottest_colour(
    show: Any, pages: dict[str, Path], name: str, paper: bool
) -> None:
    page = show(name)
    page.locator("#paper").set_checked(paper)
    pixels = map_pixels(page)
    assert pixels is not None
    table = draw.colour_table("paper" if paper else "heat").astype(int)
    cells = np.clip(maps_in(pages[name])["signed_map"][0], 0, None)
    expected = enlarged(cells, *pixels.shape[:2])
    hottest = np.unravel_index(expected.argmax(), expected.shape)
    assert np.abs(pixels[hottest][:3] - table[255]).max() <= 3  # the neighbour within the rounding of a cell
    assert pixels[hottest][3] == 255
    # Nothing wraps around: each pixel's colour is that of its value, to the rounding of cells to 127 steps.
    index = np.rint(255 * expected / expected.max()).astype(int)
    opaque = pixels[..., 3] > 200
    near = [np.abs(pixels[..., :3] - table[np.clip(index + d, 0, 255)]).max(axis=2) for d in range(-3, 4)]
    assert np.min(near, axis=0)[opaque].max() <= 6


def test_the_colour_of_a_value(show: Any) -> None:
    page = show("cat")
    ask = "([value, peak, signed]) => maps.colourOf(value, peak, signed)"
    assert [page.evaluate(ask, [v, 2.0, False]) for v in (-1, 0, 1, 2, 2.000001)] == [0, 0, 128, 255, 255]
    assert [page.evaluate(ask, [v, 2.0, True]) for v in (-2, 0, 2)] == [0, 128, 255]


def test_coarse_cells_show_each_cell_as_one_colour(show: Any) -> None:
    page = show("cat")
    smooth = map_pixels(page)
    page.locator("#coarse").check()
    coarse = map_pixels(page)
    assert smooth is not None and coarse is not None
    side = coarse.shape[0] // 7
    blocks = coarse.reshape(7, side, 7, side, 4)
    assert (blocks == blocks[:, :1, :, :1]).all()
    assert len(np.unique(coarse.reshape(-1, 4), axis=0)) <= 49 < len(np.unique(smooth.reshape(-1, 4), axis=0))
    assert map_pixels(page, ".card").shape == coarse.shape  # type: ignore[union-attr]


def test_opacity_and_switching_off(show: Any) -> None:
    page = show("cat")
    look = "getComputedStyle(document.querySelector('svg.main image.map'))"
    assert page.evaluate(f"{look}.opacity") == "0.8"
    page.locator("#opacity").fill("30")
    assert page.evaluate(f"{look}.opacity") == "0.3"
    page.get_by_text("off", exact=True).click()
    assert page.evaluate(f"{look}.visibility") == "hidden"
    page.get_by_text("Grad-CAM", exact=True).click()
    assert page.evaluate(f"{look}.visibility") == "visible"


def test_the_signed_map_tells_signs_without_colour(show: Any) -> None:
    page = show("cat")
    page.get_by_text("signed sum", exact=True).click()
    assert page.locator("#low").inner_text() == "−" and page.locator("#high").inner_text() == "+"
    assert (
        "Plus: For “tiger cat”. Minus, hatched: Against “tiger cat”." in page.locator("#where").inner_text()
    )
    assert page.locator("#shown").inner_text() == "Signed sum for “tiger cat”"
    pixels = map_pixels(page)
    assert pixels is not None
    # The negative hill lies at the lower right: dark stripes cross it, and none crosses the positive one.
    light = pixels[..., :3].sum(axis=2)
    height, width = light.shape
    negative = light[int(0.75 * height) :, int(0.7 * width) :]
    positive = light[int(0.2 * height) : int(0.4 * height), int(0.05 * width) : int(0.25 * width)]
    assert np.abs(np.diff(negative, axis=1)).max() > 150 > np.abs(np.diff(positive, axis=1)).max()


def test_the_map_covers_the_crop_and_no_more(show: Any) -> None:
    page = show("cat")
    stage = page.locator("svg.main").bounding_box()
    assert stage is not None
    scale = stage["width"] / 451
    box = page.evaluate(
        "(() => { const r = document.querySelector('svg.main image.map').getBoundingClientRect();"
        " return [r.left, r.top, r.width, r.height]; })()"
    )
    expected = [stage["x"] + 75.5 * scale, stage["y"], 300 * scale, 300 * scale]
    np.testing.assert_allclose(box, expected, atol=0.6)  # layout rounds to a fraction of a pixel
    assert page.locator("svg.main .unseen").count() == 1


# What a card says in its fields, a row says under the heads of its table.
TEXTS = """([root, selector]) => {
  const heads = {rank: "Rank", title: "Unit", who: "Number, category", sure: "How sure", alpha: "alpha",
                 contribution: "Contribution", fires: "Here"};
  const text = (element, field) => {
    if (element.tagName !== "TR") return element.querySelector(`[data-field="${field}"]`).textContent;
    const columns = [...element.closest("table").tHead.rows[0].cells].map((cell) => cell.textContent);
    return element.cells[columns.indexOf(heads[field])].textContent;
  };
  return [...document.querySelectorAll(`${root} ${selector}`)].map((element) => ({
    unit: element.dataset.unit,
    ...Object.fromEntries(Object.keys(heads).map((field) => [field, text(element, field)])),
  }));
}"""


def test_other_targets_are_one_click_away(show: Any) -> None:
    page = show("cat")
    first = page.locator("#cards").inner_text()
    picture = map_pixels(page)
    for number, heading in ((1, "Why “Egyptian cat”?"), (5, "Why “tiger cat” rather than “Egyptian cat”?"),
                            (6, "What speaks against “tiger cat”?")):  # fmt: skip
        page.locator(f".answers a[href='#target-{number}']").click()
        assert page.locator("article:visible").count() == 1
        article = page.locator(f"#target-{number}")
        assert article.locator(".question").inner_text() == heading
        assert page.locator(".answers [aria-current]").get_attribute("href") == f"#target-{number}"
        assert page.locator("svg.main").get_attribute("data-showing") == f"target-{number}"
        assert not np.array_equal(map_pixels(page), picture)
        # Cards say what the table says.
        article.locator("summary").click()
        rows, cards = (
            page.evaluate(TEXTS, [f"#target-{number}", "tr.unit"]),
            page.evaluate(TEXTS, ["#cards", ".card"]),
        )
        assert len(rows) == 10 and rows == cards
        bars = page.locator("#cards [data-bar=alpha] rect").evaluate_all(
            "all => all.map((bar) => bar.className.baseVal)"
        )
        assert bars == ["minus" if row["alpha"].startswith("−") else "plus" for row in cards]
    page.locator(".answers a[href='#target-0']").click()
    assert page.locator("#cards").inner_text() == first
    assert np.array_equal(map_pixels(page), picture)


def test_a_target_with_fewer_units_and_back(show: Any) -> None:
    page = show("zero", "#target-2")
    assert page.locator(".side.for .card").count() == 3
    page.locator(".answers a[href='#target-1']").click()
    assert page.locator(".side.for .card").count() == 5
    page.locator(".side.for .card").nth(4).hover()
    assert page.locator("svg.main").get_attribute("data-showing").startswith("unit-")


def test_a_card_lights_its_map(show: Any) -> None:
    page = show("cat")
    target = map_pixels(page)
    card = page.locator(".side.against .card").first
    unit = card.get_attribute("data-unit")
    main = page.locator("svg.main")
    card.hover()
    assert main.get_attribute("data-showing") == f"unit-{unit}"
    assert f"unit {unit}" in page.locator("#shown").inner_text()
    assert f"unit {unit}" in main.get_attribute("aria-label")
    lit = map_pixels(page)
    assert not np.array_equal(lit, target)
    assert np.array_equal(lit, map_pixels(page, f".card[data-unit='{unit}']"))
    page.mouse.move(2, 2)
    assert main.get_attribute("data-showing") == "target-0"
    # The keyboard does the same, and Enter keeps the map.
    button = card.locator("button.look")
    button.focus()
    assert main.get_attribute("data-showing") == f"unit-{unit}"
    page.keyboard.press("Enter")
    button.evaluate("element => element.blur()")
    assert main.get_attribute("data-showing") == f"unit-{unit}"
    assert button.get_attribute("aria-pressed") == "true"
    page.keyboard.press("Shift")
    button.click()
    button.evaluate("element => element.blur()")
    page.mouse.move(2, 2)
    assert main.get_attribute("data-showing") == "target-0"


def test_a_silent_unit_has_no_map(show: Any) -> None:
    page = show("cat")
    silent = page.locator(".card.silent").first
    assert map_pixels(page, ".card.silent") is None
    silent.hover()
    assert page.locator("#where").inner_text() == "Not above zero anywhere."


def test_a_zero_map_offers_the_signed_one(show: Any) -> None:
    page = show("zero")
    assert map_pixels(page) is None
    assert "The weighted sum is ≤ 0 everywhere" in page.locator("#zero").inner_text()
    page.locator("#offer").click()
    assert map_pixels(page) is not None
    assert page.locator("input[value=signed]").is_checked()
    page.locator(".answers a[href='#target-1']").click()
    assert page.locator("#zero").is_hidden()


def test_light_and_dark(show: Any) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = show("cat", color_scheme="light"), show("cat", color_scheme="dark")
    colours = [light.evaluate(ground), dark.evaluate(ground)]
    assert colours[0] != colours[1]
    for page, other in ((light, colours[1]), (dark, colours[0])):
        before = page.evaluate(ground)
        page.locator("#theme").click()
        assert page.evaluate(ground) == other
        page.locator("#theme").click()
        assert page.evaluate(ground) == before


FOCUSED = """(() => {
  const element = document.activeElement;
  const shown = element.matches(".segments input") ? element.nextElementSibling : element;
  const name = element.id || element.name || element.classList[0];
  return [element === document.body ? "BODY" : name || element.tagName, getComputedStyle(shown).outlineStyle];
})()"""


def test_tab_reaches_controls_with_a_visible_focus(show: Any) -> None:
    page = show("cat")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        what, outline = page.evaluate(FOCUSED)
        if what == "BODY":
            break
        assert outline != "none", what
        reached.add(what)
    assert what == "BODY", "the focus leaves the page at its end"
    assert {"theme", "mode", "opacity", "coarse", "paper", "answer", "look", "SUMMARY"} <= reached


@pytest.mark.parametrize("name", ["cat", "fine", "zero", "hostile", "units", "hostile units"])
def test_a_phone_needs_no_sideways_scrolling(show: Any, name: str) -> None:
    page = show(name, width=390, height=844)
    for details in page.locator(
        "section > details > summary, article:not([hidden]) > details > summary"
    ).all():
        details.click()
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_without_a_script_everything_is_there(show: Any) -> None:
    page = show("cat", java_script_enabled=False)
    assert page.locator("svg.main image.map").get_attribute("href").startswith("data:image/png")
    assert page.locator("article:visible").count() == 7
    assert page.locator("article .static image.map").count() == 6
    assert page.locator(".card:visible").count() == 10
    assert page.locator("table.evidence").count() == 7
    assert page.locator(".tools:visible, #theme:visible, .look:visible, .hint:visible").count() == 0
    units = show("units", java_script_enabled=False)
    assert units.locator(".units .card").count() == 64
    assert units.locator("#filters:visible").count() == 0


@pytest.mark.parametrize("name", ["hostile", "hostile units"])
def test_hostile_names_are_shown_as_text(show: Any, name: str) -> None:
    page = show(name)
    if name == "hostile":
        for link in page.locator(".answers a").all():
            link.click()
        page.locator(".card").first.hover()
    else:
        page.locator("a[data-concept]").first.click()
        assert int(page.locator("#count").inner_text().split()[0]) > 0
    assert page.get_by_text(HOSTILE).first.is_visible()
    assert page.locator("script").count() == 3


@pytest.mark.parametrize("name", ["cat", "units"])
def test_paper_is_light_and_open(show: Any, name: str) -> None:
    page = show(name, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("details:not([open])").count() == 0
    if name == "cat":
        assert page.locator("article:visible").count() == 7
        assert page.locator(".static:visible").count() == 6
        assert page.locator(".tools:visible").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0
    assert page.pdf().startswith(b"%PDF")


def test_screens_are_not_blank(show: Any) -> None:
    for name in ("cat", "units"):
        assert len(show(name).screenshot()) > 20_000
