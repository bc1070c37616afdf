"""Class names from files and lists, and finding the class that a person means."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuro_explain.classes import find_class, numbered, read_classes

PETS = ("tabby cat", "Cardigan", "cardigan", "golden_retriever", "crane", "bookstore", "crane", "7")


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        ("tabby cat", 0),
        ("Tabby_Cat", 0),
        ("Cardigan", 1),
        ("cardigan", 2),
        ("golden retriever", 3),
        ("/b/bookstore", 5),
        ("bookstore", 5),
        (" bookstore ", 5),
        (4, 4),
        ("6", 6),
        ("7", 7),  # a class of that name comes before the number
        (7, 7),
        ("0", 0),
    ],
)
def test_a_class_is_found(wanted: str | int, number: int) -> None:
    assert find_class(PETS, wanted) == number


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("crane", r"several.*4 \(crane\), 6 \(crane\)"),
        ("CARDIGAN", r"several.*1 \(Cardigan\), 2 \(cardigan\)"),
        ("golden retreiver", "did you mean golden_retriever"),
        ("cat", "did you mean .*tabby cat"),
        ("zzzzz", "none of the model's 8 classes"),
        ("8", "numbered from 0 to 7"),
        (-1, "numbered from 0 to 7"),
        (True, "expected a name or a number, got True"),
        (1.5, "expected a name or a number"),
        ("", "none of the model's 8 classes"),
    ],
)
def test_what_is_not_found_says_why(wanted: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_class(PETS, wanted)  # type: ignore[arg-type]


def test_names_of_imagenet() -> None:
    from neuro_explain.recipes import imagenet_classes

    names = imagenet_classes()
    assert find_class(names, "tiger cat") == 282 and find_class(names, "282") == 282
    assert find_class(names, "Cardigan") != find_class(names, "cardigan")


def test_names_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_bytes("\ufeffcat\r\n<b>dog</b> 🐶\r\nكلب\r\n\r\n".encode())
    assert read_classes(file) == ("cat", "<b>dog</b> 🐶", "كلب")
    assert read_classes(str(file)) == read_classes(["cat", " <b>dog</b> 🐶", "كلب"])


def test_bad_files_are_named(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("cat\n\ndog\n")
    with pytest.raises(ValueError, match="the name of class 1 is empty"):
        read_classes(file)  # skipping the line would give the dog the cat's neighbour's number
    file.write_text("")
    with pytest.raises(ValueError, match="the name of class 0 is empty"):
        read_classes(file)
    file.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ValueError, match="not a text file in UTF-8"):
        read_classes(file)
    with pytest.raises(ValueError, match="is a folder"):
        read_classes(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"none\.txt: there is no such file"):
        read_classes(tmp_path / "none.txt")
    with pytest.raises(ValueError, match="expected names, got 3"):
        read_classes(["cat", 3])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="got none"):
        read_classes([])


def test_numbered() -> None:
    assert numbered(2) == ("class 0", "class 1")
