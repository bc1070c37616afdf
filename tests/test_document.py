"""Documents: what an experiment found, as an artifact and a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from dissection.artifact import ArtifactError
from neuro_explain.document import Document, Fact, Links, Picture, Pictures, Section, Table, Text
from neuro_explain.report import write_report


def document() -> Document:
    return Document(
        "Is it <true>?",
        "It is.",
        figures=[Fact("images", "90", "of 100")],
        sections=[
            Section(
                "By method",
                [
                    Text("Read with care.", note=True),
                    Table(
                        "what is right", ("method", "right"), [("Grad-CAM", "61 %"), ("CAM", "")], strong=[0]
                    ),
                    Pictures(
                        [Picture(Image.new("RGB", (40, 30), "red"), "cat & dog", "a red field", "seen")],
                        "two",
                    ),
                    Links([("all scenes", "before/all/index.html")]),
                ],
                lead="In short.",
            )
        ],
        data={"right": 0.61},
    )


def saved(folder: Path, made: Document | None = None) -> Path:
    return (made or document()).save(folder, model="net", layer="layer4", options={"images": 90})


def test_a_document_becomes_a_page(tmp_path: Path) -> None:
    page = write_report(saved(tmp_path / "run")).read_text(encoding="utf-8")
    assert "Is it &lt;true&gt;?" in page and "<true>" not in page.replace("&lt;true&gt;", "")
    for shown in (
        "By method",
        "Read with care.",
        "61 %",
        "cat &amp; dog",
        "a red field",
        "In short.",
        "of 100",
    ):
        assert shown in page
    assert 'href="before/all/index.html"' in page
    assert page.count("data:image/webp") == 1
    assert json.loads((tmp_path / "run" / "data.json").read_text()) == {"right": 0.61}


def test_the_same_folder_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = saved(tmp_path / "run")
    first = write_report(folder).read_bytes()
    assert write_report(folder).read_bytes() == first


def test_other_files_of_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "run" / "before").mkdir(parents=True)
    (tmp_path / "run" / "before" / "kept.txt").write_text("kept")
    saved(tmp_path / "run")
    assert (tmp_path / "run" / "before" / "kept.txt").read_text() == "kept"
    with pytest.raises(ArtifactError, match="already holds an artifact"):
        saved(tmp_path / "run")


@pytest.mark.parametrize(
    "path",
    ["../index.html", "/etc/passwd", "https://example.org/index.html", "a//b.html", "a\\b.html", "", "a\0b"],
)
def test_links_stay_inside(tmp_path: Path, path: str) -> None:
    made = Document("?", "!", sections=[Section("s", [Links([("out", path)])])])
    with pytest.raises(ValueError, match="expected paths inside the document's folder"):
        saved(tmp_path / "run", made)
    assert not (tmp_path / "run").exists()


def test_a_row_has_as_many_cells_as_the_header(tmp_path: Path) -> None:
    made = Document("?", "!", sections=[Section("s", [Table("t", ("a", "b"), [("1",)])])])
    with pytest.raises(ValueError, match="table 't': expected 2 cells in each row, got 1"):
        saved(tmp_path / "run", made)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda facts: facts.pop("lead"), "expected the key 'lead'"),
        (lambda facts: facts["sections"][0]["blocks"][0].update(kind="poem"), "expected a kind among 'text'"),
        (
            lambda facts: facts["sections"][0]["blocks"][1]["rows"][0].pop(),
            "expected 2 cells in each row, got 1",
        ),
        (
            lambda facts: facts["sections"][0]["blocks"][2]["pictures"][0].update(file="pictures/9.webp"),
            "does not list 'pictures/9.webp'",
        ),
        (
            lambda facts: facts["sections"][0]["blocks"][3]["links"][0].update(path="javascript:alert(1)"),
            "expected a path inside the folder",
        ),
    ],
)
def test_a_damaged_document_gives_no_page(tmp_path: Path, change: object, message: str) -> None:
    from dissection.artifact import file_record

    folder = saved(tmp_path / "run")
    path = folder / "document.json"
    facts = json.loads(path.read_text())
    change(facts)  # type: ignore[operator]
    path.write_text(json.dumps(facts))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["document.json"] = file_record(path)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=message):
        write_report(folder)
    assert not (folder / "index.html").exists()
