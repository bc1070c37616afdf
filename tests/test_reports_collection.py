"""The page of a collection as a file, and the links that its members' pages get."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from artifacts_for_pages import HOSTILE, scene, webp, write_collection, write_dissection, write_explanation
from PIL import Image
from test_reports_write import Page

from reports import draw
from reports.contract import ReportError
from reports.place import Place, find_place
from reports.write import write_report

ODD = "a b#c?d%41 <é>"  # every sign of it must be escaped in an address


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages") / "demo"
    labels = ["kitchen", "kitchen", "nowhere", None]
    names = ["kitchen", "attic", ODD, "last"]
    write_collection(folder, labels=labels, names=names, notes=["the first"])
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def page(root: Path) -> Page:
    return Page(root / "index.html")


def links_of(path: Path) -> list[str]:
    return [str(a["href"]) for a in Page(path).all("a") if a.get("href")]


def test_the_page_says_everything(page: Page) -> None:
    for part in (
        "A few scenes",
        "What the network sees in them.",
        "And why.",
        "efficientnet-lite0 · layer bn2.act",
        "images explained4",  # a term and its value, without a space in the source
        "right1 of 3 with a label",
        "wrong2 of 3 with a label",
        "units named212 of 320",
        "all 4",
        "wrong: the label is “kitchen”, the 5th answer, less than 0.01 %",
        "wrong: the label is “nowhere”, not among the 5 best answers",
        "The score of “kitchen” rests most on units 14 (cat)",
        "61 %",
        "the first",
        "scene-3.png",
        "1 unnamed",
        "sky (silent on this image)",
        f"sha256:{'0f' * 32}",
    ):
        assert part in page.text, part
    cards = [a for a in page.all("li") if "scene" in (a.get("class") or "")]
    assert [card.get("data-verdict") for card in cards] == ["right", "wrong", "wrong", None]


def test_the_order_is_the_given_one(page: Page) -> None:
    assert re.findall(r"scene-\d\.png", page.text) == [f"scene-{i}.png" for i in range(4)]


def test_without_labels_there_is_no_verdict_and_no_filter(tmp_path: Path) -> None:
    page = Page(write_report(write_collection(tmp_path / "x", labels=[None, None], dissection=None)))
    assert page.all("form") == [] and page.all("a") != []
    assert not re.search(r"\b(right|wrong|label)\b", page.text)
    assert not [a for a in page.all("a") if "unit-" in str(a.get("href"))]


def test_concepts_are_counted_by_the_definition(root: Path, page: Page) -> None:
    """Images on which a firing unit of that name is listed, with the sign of its side, for the first answer."""
    expected: dict[tuple[str, str], list[set[str]]] = {}
    for member in json.loads((root / "collection.json").read_text())["members"]:
        facts = json.loads((root / member["folder"] / "explanation.json").read_text())
        (target,) = (
            t
            for t in facts["targets"]
            if t["kind"] == "class" and t["label"] == facts["predictions"][0]["label"]
        )
        for number, (side, sign) in enumerate((("for", 1), ("against", -1))):
            for unit in target[side]:
                if unit["concept"] and not unit["silent"] and sign * unit["alpha"] > 0:
                    sets = expected.setdefault((unit["concept"], unit["category"]), [set(), set()])
                    sets[number].add(member["folder"])
    table = re.search(r'<table class="spoke">(.*?)</table>', page.source, re.DOTALL)
    assert table is not None
    found = re.findall(
        r'<th scope="row"><bdi>(.*?)</bdi></th><td class="kind"><bdi>(.*?)</bdi></td>\s*'
        r'<td class="images"><div><span class="n">(\d+)</span>.*?<span class="n">(\d+)</span>',
        table[1],
        re.DOTALL,
    )
    assert len(found) >= 5
    assert {(name, kind): (int(a), int(b)) for name, kind, a, b in found} == {
        concept: (len(a), len(b)) for concept, (a, b) in expected.items()
    }
    sums = [int(a) + int(b) for _, _, a, b in found]
    assert sums == sorted(sums, reverse=True)


def test_units_of_the_wrong_sign_do_not_speak(tmp_path: Path) -> None:
    def change(facts: dict[str, Any], _: dict[str, np.ndarray]) -> None:
        for target in facts["targets"]:
            for unit in target["for"]:
                unit["alpha"] = -0.1

    page = Page(write_report(write_collection(tmp_path / "x", change=change, labels=[None])))
    assert 'class="for"' not in page.source and 'class="against"' in page.source


def test_thumbnails_are_small_and_carry_the_map(page: Page) -> None:
    pictures = page.all("img")
    assert len(pictures) == 4
    for picture in pictures:
        data = base64.b64decode(str(picture["src"]).removeprefix("data:image/webp;base64,"))
        assert 500 < len(data) <= draw.THUMBNAIL_BYTES == 6_000
        assert draw.image_size(data) == (int(str(picture["width"])), int(str(picture["height"])))
        assert "Grad-CAM map for" in str(picture["alt"]) and "hot in" in str(picture["alt"])


def test_a_thumbnail_lies_where_the_crop_is() -> None:
    photograph = webp(np.full((120, 240, 3), 128, np.uint8), 95)
    cells = np.zeros((4, 4), np.float32)
    cells[0, 3] = 2.0  # the crop's upper right
    data = draw.thumbnail(photograph, cells, "heat", (0.25, 0.0, 0.75, 1.0))
    with Image.open(io.BytesIO(data)) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert pixels.shape == (120, 240, 3)
    expected = 0.8 * draw.colour_table("heat")[255] + 0.2 * 128
    assert np.abs(pixels[4, 174] - expected).max() < 30  # WebP is not exact
    dimmed = 0.38 * 128 + 0.62 * np.array([13, 11, 16])
    assert np.abs(pixels[60, 20] - dimmed).max() < 12 and np.abs(pixels[60, 220] - dimmed).max() < 12
    zero = draw.thumbnail(photograph, -cells, "heat")
    with Image.open(io.BytesIO(zero)) as image:
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - 128).max() < 6


def test_a_thumbnail_of_noise_is_small_too() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (400, 600, 3), dtype=np.uint8)
    data = draw.thumbnail(webp(noise), np.eye(7, dtype=np.float32), "paper")
    assert len(data) <= draw.THUMBNAIL_BYTES


def test_links_resolve_to_files_and_elements(root: Path) -> None:
    pages = {path: Page(path) for path in sorted(root.rglob("index.html"))}
    ids = {path: {a["id"] for _, a in page.tags if a.get("id")} for path, page in pages.items()}
    assert len(pages) == 6
    checked = 0
    for path, page in pages.items():
        for link in (str(a["href"]) for a in page.all("a")):
            name, _, element = link.partition("#")
            target = (path.parent / unquote(name)).resolve() if name else path
            assert target.is_file(), (path, link)
            if element:
                assert element in ids[target.resolve()], (path, link)
                checked += "unit-" in element and target.parent.name == "dissection" != path.parent.name
    assert checked >= 4 * 10
    to_members = [link for link in links_of(root / "index.html") if not link.startswith("dissection/")]
    assert [unquote(link) for link in to_members] == [
        f"{name}/index.html" for name in ("kitchen", "attic", ODD, "last")
    ]
    assert not re.search(r"[ ?#<>]", "".join(to_members))


def test_members_link_home_and_to_their_units(root: Path) -> None:
    links = links_of(root / "attic" / "index.html")
    assert links[0] == "../index.html"
    facts = json.loads((root / "attic" / "explanation.json").read_text())
    units = [unit["unit"] for side in ("for", "against") for unit in facts["targets"][0][side]]
    assert [x for x in links if "unit-" in x] == [f"../dissection/index.html#unit-{u}" for u in units]
    assert "← all explanations" in Page(root / "attic" / "index.html").text
    dissection = links_of(root / "dissection" / "index.html")
    assert dissection[0] == "../index.html" and sum(".." in link for link in dissection) == 1


def test_a_member_rendered_alone_is_linked_the_same(root: Path) -> None:
    for name in ("attic", "dissection", ODD):
        before = (root / name / "index.html").read_bytes()
        write_report(root / name)
        assert (root / name / "index.html").read_bytes() == before


def test_no_set_no_links(tmp_path: Path) -> None:
    """A page is the same bytes wherever its folder lies, unless a collection lists it."""
    alone = write_report(write_explanation(tmp_path / "alone" / "cat")).read_bytes()
    root = write_collection(tmp_path / "set", labels=["kitchen"], names=["scene"], dissection=None)
    text = (root / "manifest.json").read_text()
    manifests = {
        "unlisted": text,
        "not ours": "[]",
        "not JSON": text[:-9],
        "newer": text.replace('"schema_version": 1', '"schema_version": 9'),
        "changed": text.replace('"sha256": "', '"sha256": "0'),
    }
    for parent, manifest in manifests.items():
        assert parent == "unlisted" or manifest != text
        folder = tmp_path / parent
        shutil.copytree(root, folder)
        (folder / "manifest.json").write_text(manifest)
        name = "cat" if parent == "unlisted" else "scene"
        shutil.rmtree(folder / "scene")
        assert write_report(write_explanation(folder / name)).read_bytes() == alone, parent
    write_dissection(tmp_path / "other kind", 2)
    assert write_report(write_explanation(tmp_path / "other kind" / "cat")).read_bytes() == alone
    assert find_place(root / "scene") == Place("../index.html", None)
    shutil.rmtree(root / "scene")
    assert write_report(write_explanation(root / "scene")).read_bytes() != alone
    assert b"all explanations" not in alone and b"MutationObserver" not in alone


def test_the_place_is_found_from_inside_the_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root / "attic")
    assert find_place(".") == Place("../index.html", "../dissection/index.html")
    assert find_place("../dissection") == Place("../index.html", None)
    assert find_place(root) == Place()


def test_the_same_folder_gives_the_same_bytes(root: Path) -> None:
    pages = sorted(root.rglob("index.html"))
    before = [path.read_bytes() for path in pages]
    code = f"from reports.write import write_report; write_report({str(root)!r})"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])
    assert [path.read_bytes() for path in pages] == before


def test_colours_reach_every_page(tmp_path: Path) -> None:
    root = write_collection(tmp_path / "x", labels=["kitchen"])
    first = write_report(root).read_bytes()
    assert write_report(root, colors="paper").read_bytes() != first
    assert 'id="paper" checked' in (root / "scene-0" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("which", ["index.html", "attic/index.html", "dissection/index.html"])
def test_nothing_can_leave_the_page(root: Path, which: str) -> None:
    page = Page(root / which)
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    kinds = [a.get("type") for a in page.all("script")]
    scripts = [text for text, kind in zip(page.raw["script"], kinds, strict=True) if kind is None]
    assert len(scripts) == 2 and len(page.raw["style"]) == 1
    for text in (*page.raw["style"], *scripts):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    for tag, attributes in page.tags:
        assert "style" not in attributes and not any(name.startswith("on") for name in attributes), tag
        for name in ("src", "href", "action", "srcset", "data", "poster"):
            value = attributes.get(name)
            relative = tag == "a" and value is not None and re.fullmatch(r"[\w./%-]+(#[\w-]+)?", value)
            assert value is None or value.startswith(("data:", "#")) or relative, (tag, name, value)
    assert not re.search(r"https?://|url\((?!#hatch)|@import|fetch\(|XMLHttpRequest|WebSocket", page.source)


def test_the_page_is_sound_html(page: Page) -> None:
    ids = [a["id"] for _, a in page.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    assert page.all("html")[0]["lang"] == "en" and len(page.all("h1")) == 1
    assert all(a.get("alt") for a in page.all("img"))
    assert all(a.get("aria-label") or a.get("aria-hidden") for a in page.all("svg"))
    assert all(a.get("scope") for a in page.all("th"))


def test_the_twin_holds_the_cards(root: Path, page: Page) -> None:
    assert page.twin["collection"] == json.loads((root / "collection.json").read_text())
    assert page.twin["manifest"] == json.loads((root / "manifest.json").read_text())
    assert [m["verdict"] for m in page.twin["members"]] == ["right", "wrong", "wrong", None]
    assert page.twin["members"][1]["predicted"] == "bedroom"


def hostile(folder: Path) -> Path:
    def change(facts: dict[str, Any], _: dict[str, np.ndarray]) -> None:
        facts["image"]["name"] = HOSTILE
        for row in (facts["predictions"][0], *facts["targets"]):
            row["label"] = HOSTILE
        for target in facts["targets"]:
            target["sentence"] = HOSTILE
            for unit in target["for"] + target["against"]:
                if unit["concept"]:
                    unit.update(concept=HOSTILE, category=HOSTILE)

    return write_collection(
        folder,
        labels=[HOSTILE, "“" + HOSTILE, None],
        notes=[HOSTILE] * 3,
        title=HOSTILE,
        intro=HOSTILE,
        names=["' onclick='alert(1)'", '"><script>alert(1)<', "javascript&colon;alert(1)"],
        dissection="<script>alert(2)<",
        dissection_concepts=((HOSTILE, HOSTILE),),
        change=change,
        manifest={"model": HOSTILE, "layer": HOSTILE, "options": {HOSTILE: HOSTILE}, "command": [HOSTILE]},
    )


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    path = write_report(hostile(tmp_path / "x"))
    page = Page(path)
    assert "<script>alert" not in page.source and len(page.all("script")) == 3
    assert page.text.count(HOSTILE) >= 10
    for link in links_of(path):
        assert re.fullmatch(r"[\w./%~-]+/index\.html(#unit-\d+)?", link), link
        assert (path.parent / unquote(link.split("#")[0])).is_file()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"members": []}, "at least one"),
        ({"members": [{"folder": "../x", "label": None, "note": None}]}, "bare name"),
        ({"members": [{"folder": "kitchen", "label": None}]}, "'note'"),
        ({"members": [{"folder": "gone", "label": None, "note": None}]}, "gone does not exist"),
        ({"members": [{"folder": "dissection", "label": None, "note": None}], "dissection": None}, "kind"),
        ({"dissection": "attic", "members": [{"folder": "kitchen", "label": None, "note": None}]}, "kind"),
        ({"dissection": 3}, "expected str"),
        ({"title": 3}, "title: expected str"),
    ],
)
def test_a_faulty_collection_gets_one_sentence_and_no_page(
    root: Path, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(root, folder, ignore=shutil.ignore_patterns("index.html"))
    facts = json.loads((folder / "collection.json").read_text()) | change
    data = json.dumps(facts).encode()
    (folder / "collection.json").write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["collection.json"] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ReportError) as caught:
        write_report(folder)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert not list(folder.rglob("index.html"))


def test_an_explanation_of_something_else_than_the_answer_says_so(tmp_path: Path) -> None:
    def change(facts: dict[str, Any], _: dict[str, np.ndarray]) -> None:
        facts["targets"] = facts["targets"][1:]

    page = Page(write_report(write_collection(tmp_path / "x", labels=["kitchen"], change=_and(change))))
    assert "Explained here: “bedroom”" in page.text
    # There is no evidence for the answer itself, so no concept is counted for it.
    assert "No named unit spoke on any image." in page.text


def _and(change: Any) -> Any:
    def both(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        change(facts, arrays)
        arrays["signed_map"] = arrays["signed_map"][1:]

    return both


def test_photographs_of_other_shapes_keep_them(tmp_path: Path) -> None:
    photographs = [scene(300, 300), scene(200, 400)]
    page = Page(write_report(write_collection(tmp_path / "x", labels=[None] * 2, photographs=photographs)))
    shapes = [int(str(a["width"])) / int(str(a["height"])) for a in page.all("img")]
    assert shapes[0] == 1 and abs(shapes[1] - 0.5) < 0.02
