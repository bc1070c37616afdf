"""The shipped tables of Places365."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from neuro_explain import places365


def test_names_lose_their_letter_folder_and_stay_distinct() -> None:
    names = places365.names()
    assert len(names) == len(set(names)) == 365
    assert (names[0], names[60], names[364]) == ("airfield", "bookstore", "zen_garden")
    assert "apartment_building/outdoor" in names
    assert not any(name.startswith("/") for name in names)


def test_indoors() -> None:
    indoor = dict(zip(places365.names(), places365.indoor(), strict=True))
    assert indoor["bookstore"] and indoor["kitchen"] and not indoor["airfield"] and not indoor["glacier"]


def test_the_notice_is_beside_them() -> None:
    notice = (files("neuro_explain") / "data" / "NOTICE").read_text(encoding="utf-8")
    assert "Permission is hereby granted" in notice and "Bolei Zhou" in notice
    assert "categories_places365.txt" in notice and "IO_places365.txt" in notice


@pytest.mark.data
def test_tables_are_the_originals(data_dir: Path) -> None:
    for file in ("categories_places365.txt", "IO_places365.txt"):
        shipped = (files("neuro_explain") / "data" / file).read_bytes()
        assert shipped == (data_dir / "reference" / file).read_bytes()
