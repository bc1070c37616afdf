"""Tables are read strictly, and a sentence names the file and the line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from concept_sets import write_photo

from dissection.readers.errors import ConceptSetError, MissingFileError, hint
from dissection.readers.files import files_under, locate, set_folder
from dissection.readers.tables import items, read_table

HOSTILE = ["<script>alert(1)</script>", '"quoted", with a comma', "🚗", "מכונית", "NA", "007", "a\nb", "null"]


def table(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_rows(tmp_path: Path) -> None:
    rows = read_table(table(tmp_path, "value,name\n\n 3 , wheel \n"))
    assert [dict(row.cells) for row in rows] == [{"value": "3", "name": "wheel"}]
    assert rows[0].where == "labels.csv, line 3" and rows[0].integer("value") == 3


def test_names_come_through_verbatim(tmp_path: Path) -> None:
    import csv

    path = tmp_path / "labels.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["name", "x"], *([name, "1"] for name in HOSTILE)])
    assert [row["name"] for row in read_table(path)] == HOSTILE


def test_a_byte_order_mark_is_no_part_of_a_column(tmp_path: Path) -> None:
    assert read_table(table(tmp_path, b"\xef\xbb\xbfvalue\r\n1\r\n"), ("value",))[0]["value"] == "1"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"labels\.csv: is empty, a header and rows were expected"),
        ("\n \n", r"labels\.csv: is empty"),
        ("value,name\n", r"labels\.csv: has a header but no rows"),
        ("vaule,name\n1,a\n", r"labels\.csv: has no column 'value'; did you mean 'vaule'\?"),
        ("value,value\n1,2\n", r"labels\.csv: column 'value' is there 2 times; rename one"),
        (
            "value,name\n1,a,b\n",
            r"labels\.csv, line 2: has 3 cells, the header has 2; a name .* comma needs quotes",
        ),
        ("value,name\n1,a\n2\n", r"labels\.csv, line 3: has 1 cells, the header has 2"),
        (b"value\n\xff\xfe\n", r"labels\.csv: is not UTF-8 text \(.* at byte 6\)"),
        ("value\n" + "x" * 200_000 + "\n", r"labels\.csv: cannot be read as CSV"),
    ],
)
def test_broken_tables(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    with pytest.raises(ConceptSetError, match=sentence) as caught:
        read_table(table(tmp_path, text), ("value",))
    assert "\n" not in str(caught.value)


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(
        MissingFileError, match=r"labels\.csv: no such file, a table was expected there"
    ) as caught:
        read_table(tmp_path / "labels.csv")
    assert isinstance(caught.value, FileNotFoundError) and isinstance(caught.value, ValueError)
    with pytest.raises(ConceptSetError, match="is a folder, a CSV file was expected"):
        read_table(tmp_path)


@pytest.mark.parametrize("cell", ["x", "", "-1", "3.0", "1e3", "1_000", "٣", "+3", "2147483648", "9" * 5000])
def test_bad_whole_numbers(tmp_path: Path, cell: str) -> None:
    row = read_table(table(tmp_path, f"value,name\n{cell},a\n"))[0]
    with pytest.raises(
        ConceptSetError, match=r"labels\.csv, line 2: value is .* a whole number from 0 to 2147483647"
    ):
        row.integer("value")


def test_empty_cells(tmp_path: Path) -> None:
    row = read_table(table(tmp_path, "value,name\n1,\n"))[0]
    with pytest.raises(
        ConceptSetError, match=r"labels\.csv, line 2: column 'name' is empty; fill it in or drop the row"
    ):
        row.text("name")


def test_first_column(tmp_path: Path) -> None:
    with pytest.raises(
        ConceptSetError, match=r"labels\.csv: the first column is 'scene', 'image' was expected"
    ):
        read_table(table(tmp_path, "scene,image\na,b\n"), first="image")


def test_items() -> None:
    assert items(" a;b ; ;c;") == ["a", "b", "c"]
    assert items("") == []


def test_hint_offers_near_names_or_what_there_is() -> None:
    assert hint("weel", ["Wheel", "car"]) == "did you mean 'Wheel'?"
    assert hint("zzz", ["a", "b", "c"], shown=2) == "there is 'a', 'b', … (3 in all)"


def test_locate_finds_and_tidies(tmp_path: Path) -> None:
    write_photo(tmp_path / "images/é 1.png")
    assert (
        locate(tmp_path, [("line 2", "./images//é 1.png"), ("line 3", "images/x/../é 1.png")])
        == ["images/é 1.png"] * 2
    )


@pytest.mark.parametrize(
    "written", ["../secret.png", "images/../../secret.png", "{outside}/secret.png", "a\0b"]
)
def test_paths_that_leave_the_set(tmp_path: Path, written: str) -> None:
    root = tmp_path / "set"
    write_photo(root / "images/a.png")
    write_photo(tmp_path / "secret.png")
    written = written.format(outside=tmp_path)
    with pytest.raises(ConceptSetError, match=r"index\.csv, line 4: image .* points outside the set"):
        locate(root, [("index.csv, line 3: image", "images/a.png"), ("index.csv, line 4: image", written)])


def test_links_that_leave_the_set(tmp_path: Path) -> None:
    root = tmp_path / "set"
    write_photo(root / "images/a.png")
    write_photo(tmp_path / "other/secret.png")
    (root / "images/file.png").symlink_to(tmp_path / "other/secret.png")
    (root / "folder").symlink_to(tmp_path / "other")
    (root / "inside.png").symlink_to("images/a.png")
    (root / "dangling.png").symlink_to("images/none.png")
    for written in ("images/file.png", "folder/secret.png"):
        with pytest.raises(ConceptSetError, match=f"line 2 '{written}' points outside the set"):
            locate(root, [("line 2", written)])
    assert locate(root, [("line 2", "inside.png")]) == ["inside.png"]
    (root / "loop.png").symlink_to("loop.png")
    for written in ("dangling.png", "loop.png"):
        with pytest.raises(MissingFileError, match=f"'{written}' does not exist"):
            locate(root, [("line 2", written)])


def test_a_set_reached_through_a_link_is_fine(tmp_path: Path) -> None:
    write_photo(tmp_path / "set/images/a.png")
    (tmp_path / "link").symlink_to(tmp_path / "set")
    assert locate(tmp_path / "link", [("line 2", "images/a.png")]) == ["images/a.png"]


def test_missing_files_are_named_and_counted(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.png")
    rows = [
        ("line 2", "a.png"),
        ("line 3", "b.png"),
        ("line 4", "no/c.png"),
        ("line 5", "x" * 300 + "/d.png"),
    ]
    with pytest.raises(
        MissingFileError, match=r"line 3 'b\.png' does not exist in .*; 3 files are missing in all"
    ):
        locate(tmp_path, rows)
    with pytest.raises(MissingFileError, match="it is the only missing file"):
        locate(tmp_path, rows[:2])
    with pytest.raises(MissingFileError, match=r"'a\.png/b' does not exist"):
        locate(tmp_path, [("line 2", "a.png/b")])


def test_rows_that_name_no_file(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(ConceptSetError, match="line 2: image is empty; write the file's path"):
        locate(tmp_path, [("line 2: image", "")])
    for written in ("images", "."):
        with pytest.raises(ConceptSetError, match="is a folder, a file was expected"):
            locate(tmp_path, [("line 2: image", written)])


def test_set_folder(tmp_path: Path) -> None:
    assert set_folder(tmp_path) == tmp_path
    with pytest.raises(MissingFileError, match="no: no such folder, a concept set was expected there"):
        set_folder(tmp_path / "no")
    write_photo(tmp_path / "a.png")
    with pytest.raises(ConceptSetError, match=r"a\.png: is a file, the folder of a concept set was expected"):
        set_folder(tmp_path / "a.png")


def test_files_under_are_sorted_and_not_hidden(tmp_path: Path) -> None:
    for name in ("b/2.PNG", "b/10.png", "a.jpg", ".hidden.png", ".git/x.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert files_under(tmp_path, ".", frozenset((".png", ".jpg"))) == ["a.jpg", "b/10.png", "b/2.PNG"]
    assert os.sep == "/" or "\\" not in "".join(files_under(tmp_path, ".", frozenset((".png",))))
