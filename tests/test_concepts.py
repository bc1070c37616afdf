"""What a concept may be called: anything that a line of text can show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from concept_sets import write_photo

from dissection.concepts import Concept, ConceptNameError
from dissection.readers import ConceptSetError, MissingFileError, open_concepts
from neuro_explain.cli import run
from neuro_explain.names import open_concepts as open_with_diorama


@pytest.mark.parametrize(
    "name",
    [
        "",
        " padded ",
        "<b>",
        "dining table",
        "\u00a0",
        "é",
        "e\u0301",
        "猫",
        "🛏️",
        "👩\u200d🦰",
        "עברית\u200f",
        "می\u200cخواهم",
        "\ufffd",
    ],
)
def test_letters_of_any_script_are_a_name(name: str) -> None:
    assert Concept(name, name).name == name


@pytest.mark.parametrize(
    ("character", "told"),
    [
        ("\n", "U+000A (a control character)"),
        ("\r", "U+000D"),
        ("\t", "U+0009"),
        ("\0", "U+0000"),
        ("\x1b", "U+001B"),
        ("\x7f", "U+007F"),
        ("\x85", "U+0085"),
        ("\u2028", "U+2028 (LINE SEPARATOR)"),
        ("\u2029", "U+2029 (PARAGRAPH SEPARATOR)"),
        ("\udce9", "U+DCE9"),
        *((chr(code), f"U+{code:04X} (") for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))),
    ],
)
def test_what_breaks_or_turns_a_line_is_refused(character: str, told: str) -> None:
    for name, category, what in (("a" + character, "b", "name"), ("a", character + "b", "category")):
        with pytest.raises(ConceptNameError, match=re.escape(told)) as caught:
            Concept(name, category)
        assert str(caught.value).startswith(f"{what} ") and str(caught.value).isascii()


def mask_folder(folder: Path, row: str) -> Path:
    folder.mkdir()
    (folder / "labels.csv").write_text(f"value,name,category\n{row}\n", encoding="utf-8")
    return folder


def test_an_error_names_the_set_and_its_folder(tmp_path: Path) -> None:
    """One of several may have it, and the tables of all have the same name."""
    broken = {
        "turned": ("1,\u202ecat,object", r"name '\\u202ecat': holds U\+202E \(RIGHT-TO-LEFT OVERRIDE\)"),
        "empty": ("1,,object", r"labels\.csv, line 2: column 'name' is empty"),
    }
    for name, (row, said) in broken.items():
        spec = f"folder:{mask_folder(tmp_path / name, row)}"
        for opened in (open_concepts, open_with_diorama):
            with pytest.raises(ConceptSetError, match=f"^{re.escape(spec)}: {said}"):
                opened(spec)
    spec = f"folder:{tmp_path / 'none'}"
    with pytest.raises(
        MissingFileError, match=f"^{re.escape(str(tmp_path / 'none'))}: no such folder"
    ) as caught:
        open_concepts(spec)  # said by the reader itself, so not said twice
    assert str(caught.value).count("none") == 1


def test_concepts_show_names_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = f"folder:{mask_folder(tmp_path / 'mine', '1,,object')}"
    assert run(["concepts", "show", spec]) == 1
    assert f"{spec}: labels.csv, line 2" in capsys.readouterr().err
    write_photo(tmp_path / "photos" / "a.png")
    (tmp_path / "photos" / "labels.csv").write_text("image,scene\na.png,street\n")
    spec = f"labels:{tmp_path / 'photos' / 'labels.csv'}"
    for asked in (["--label", "wheel"], ["--category", "part"], ["--label", "street", "--category", "part"]):
        assert run(["concepts", "show", spec, *asked]) == 1
        assert f"{spec}: " in capsys.readouterr().err
    assert run(["concepts", "show", spec, "--label", "street"]) == 0
