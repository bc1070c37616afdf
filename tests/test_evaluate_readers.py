"""Readers of what users bring: human attention maps, and tables of words and categories."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neuro_explain.evaluate.attention_maps import (
    open_attention,
    rank_correlation_with_attention,
    read_attention,
    to_cells,
)
from neuro_explain.evaluate.ranks import rank_correlation
from neuro_explain.evaluate.word_table import Naming, WordTable, read_word_table


def save(path: Path, values: np.ndarray) -> None:
    Image.fromarray(values).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("10_1", "10_2", "9_1", "10_10"):
        save(tmp_path / f"{name}.png", rng.integers(0, 256, (30, 40), dtype=np.uint8))
    (tmp_path / "readme.txt").write_text("not a map")
    return tmp_path


# --- human attention maps ---


def test_questions_and_people_are_in_the_order_of_their_numbers(folder: Path) -> None:
    maps = open_attention(folder)
    assert list(maps) == [9, 10]
    assert len(maps) == 2
    assert [one.shape for one in maps[10]] == [(30, 40)] * 3
    for number, person in enumerate(("1", "2", "10")):
        expected = np.asarray(Image.open(folder / f"10_{person}.png"))
        np.testing.assert_array_equal(maps[10][number], expected)
    with pytest.raises(KeyError):
        maps[11]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "I;16"])
def test_a_grey_map_is_read_from_any_kind_of_png(tmp_path: Path, mode: str) -> None:
    values = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    grey = Image.fromarray(values)
    image = Image.fromarray(values.astype(np.uint16)) if mode == "I;16" else grey.convert(mode)
    image.save(tmp_path / "1_1.png")
    got = read_attention(tmp_path / "1_1.png")
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, values)


def test_folders_without_maps_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere is no folder"):
        open_attention(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="has no human attention maps; expected files such as 1410012_1.png"):
        open_attention(tmp_path)
    save(tmp_path / "COCO_val2014_000000000042.png", np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match=r"COCO_val2014_000000000042.png: expected a name such as"):
        open_attention(tmp_path)


def test_the_same_person_twice_is_refused(folder: Path) -> None:
    save(folder / "010_1.png", np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match="same question and person"):
        open_attention(folder)


def test_a_broken_file_is_named_when_it_is_read(folder: Path) -> None:
    (folder / "9_1.png").write_bytes(b"no picture")
    maps = open_attention(folder)
    with pytest.raises(ValueError, match="9_1.png: expected a picture"):
        maps[9]
    (folder / "9_1.png").write_bytes((folder / "10_1.png").read_bytes()[:200])
    with pytest.raises(ValueError, match="9_1.png: expected a picture"):
        maps[9]


def test_a_cell_is_the_mean_of_what_it_covers() -> None:
    values = np.random.default_rng(1).random((28, 42))
    expected = values.reshape(14, 2, 14, 3).mean((1, 3))
    np.testing.assert_allclose(to_cells(values, (14, 14)), expected, atol=1e-8)  # kept to nine digits
    np.testing.assert_allclose(to_cells(expected, (14, 14)), expected, atol=1e-8)
    with pytest.raises(ValueError, match=r"expected \[H, W\], got \[3\]"):
        to_cells(np.zeros(3), (2, 2))


def test_equal_cells_stay_equal() -> None:
    assert len(np.unique(to_cells(np.full((31, 45), 0.1), (14, 14)))) == 1
    assert not to_cells(np.zeros((31, 45)), (14, 14)).any()


def test_a_map_agrees_with_itself_and_not_with_its_opposite() -> None:
    human = np.random.default_rng(2).random((14, 14))
    large = np.kron(human, np.ones((20, 30)))
    assert rank_correlation_with_attention(human, large) == pytest.approx(1.0, abs=1e-12)
    assert rank_correlation_with_attention(1 - human, large) == pytest.approx(-1.0, abs=1e-12)


def test_the_correlation_is_averaged_over_people() -> None:
    rng = np.random.default_rng(4)
    own, people = rng.random((14, 14)), [rng.random((14, 14)) for _ in range(3)]
    expected = np.mean([rank_correlation(own, one) for one in people])
    assert rank_correlation_with_attention(own, people) == pytest.approx(expected, abs=1e-12)
    assert rank_correlation_with_attention(own, (*people, np.zeros((14, 14)))) == pytest.approx(expected)


def test_maps_without_order_have_no_correlation() -> None:
    human = np.random.default_rng(5).random((14, 14))
    assert rank_correlation_with_attention(np.zeros((8, 8)), human) is None
    assert rank_correlation_with_attention(human, np.full((40, 50), 0.7)) is None
    with pytest.raises(ValueError, match="human: expected at least one map"):
        rank_correlation_with_attention(human, [])


def test_another_grid_may_be_asked_for() -> None:
    human, own = np.random.default_rng(6).random((2, 16, 16))
    got = rank_correlation_with_attention(own, human, cells=(8, 8))
    halved = [one.reshape(8, 2, 8, 2).mean((1, 3)) for one in (own, human)]
    assert got == pytest.approx(rank_correlation(*halved), abs=1e-12)


# --- words and categories ---


def table(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_longest_name_counts() -> None:
    words = WordTable({"light": "lamp", "traffic light": "traffic light", "Traffic Lights": "traffic light"})
    assert words.find(["a", "Light", "on", "two", "traffic", "lights", "and", "traffic"]) == [
        Naming(1, 2, "lamp"),
        Naming(4, 6, "traffic light"),
    ]
    assert words.find([]) == []
    assert len(words) == 3
    assert words.categories == ("lamp", "traffic light")


def test_a_csv_is_read(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "words.csv",
        "\ufeffWord, Category\nman,person\n traffic  light ,traffic light\n\nMAN,person\n",
    )
    words = read_word_table(path)
    assert len(words) == 2
    assert words.find(["the", "man", "traffic", "light"]) == [
        Naming(1, 2, "person"),
        Naming(2, 4, "traffic light"),
    ]


def test_a_line_per_category_is_read(tmp_path: Path) -> None:
    path = table(tmp_path, "synonyms.txt", "person, child, man,\n\nbus, coach\nbench\n")
    words = read_word_table(path)
    assert words.categories == ("bench", "bus", "person")
    assert [
        one.category for one in words.find(["child", "man", "person", "coach", "bus", "bench", "dog"])
    ] == [
        *["person"] * 3,
        *["bus"] * 2,
        "bench",
    ]


def test_a_word_of_two_categories_is_an_error_or_left_out(tmp_path: Path) -> None:
    path = table(tmp_path, "words.csv", "word,category\nmouse,animal\ncat,animal\nmouse,computer mouse\n")
    with pytest.raises(
        ValueError, match=r"'mouse' stands for 'animal' \(line 2\) and for 'computer mouse' \(line 4\)"
    ):
        read_word_table(path)
    words = read_word_table(path, conflicts="leave out")
    assert words.find(["mouse", "cat"]) == [Naming(1, 2, "animal")]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "noun,class\nman,person\n", "expected the columns word and category, got noun, class"),
        ("a.csv", "", "expected the columns word and category, got none"),
        ("a.csv", "word,category\nman,\n", "line 2: expected a word and its category"),
        ("a.csv", "word,category\n", "found none that could be kept"),
        ("a.txt", "person, , man\n", "line 1: expected a category and its words with commas between"),
        ("a.txt", "\n\n", "found none that could be kept"),
        (
            "a.txt",
            "person, mouse\nanimal, person\n",
            r"'person' stands for 'person' \(line 1\) and for 'animal'",
        ),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_word_table(table(tmp_path, name, text))


def test_missing_files_and_other_encodings(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="words.csv"):
        read_word_table(tmp_path / "words.csv")
    (tmp_path / "words.csv").write_bytes("word,category\nbär,animal\n".encode("latin-1"))
    with pytest.raises(ValueError, match="expected a table in UTF-8"):
        read_word_table(tmp_path / "words.csv")


def test_empty_words_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at least one word"):
        WordTable({})
    with pytest.raises(ValueError, match="expected words and categories, got ' ': 'a'"):
        WordTable({" ": "a"})
