"""A count and its noun: one of it is in the singular, with its verb."""

from __future__ import annotations

import pytest

from neuro_explain.evaluate.counted import counted


@pytest.mark.parametrize(
    ("count", "what", "said"),
    [
        (0, "boxes", "0 boxes"),
        (
            1,
            "boxes that reached beyond their image were clipped",
            "1 box that reached beyond its image was clipped",
        ),
        (
            2,
            "boxes that reached beyond their image were clipped",
            "2 boxes that reached beyond their image were clipped",
        ),
        (1, "categories have no class and are left out", "1 category has no class and is left out"),
        (1, "classes stand for", "1 class stands for"),
        (1234, "photographs", "1,234 photographs"),
        (
            1,
            "maps of another kind were seen",
            "1 maps of another kind were seen",
        ),  # an unknown noun stays as it is
    ],
)
def test_one_is_said_in_the_singular(count: int, what: str, said: str) -> None:
    assert counted(count, what) == said
