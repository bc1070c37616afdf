"""How does pandas see a profile? A row for each class and concept; missing is what cannot be said.

frame = profile.to_frame()
frame[frame["class"] == "nurse"].nlargest(5, "mean")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from neuro_explain.profile.result import ClassProfile, Difference, Profile

MEANS = ("mean", "low", "high", "share", "positive")
DIFFERENCES = ("first_mean", "second_mean", "difference", "low", "high", "p", "q", "d")


def means_frame(profile: Profile) -> pd.DataFrame:
    """What speaks for and against each class."""
    columns = {"images": _counts([one.images for one in profile.classes], profile)}
    columns |= {name: _joined([getattr(one, name) for one in profile.classes]) for name in MEANS}
    frame: pd.DataFrame = pd.DataFrame({**_keys(profile, profile.classes), **columns})
    return frame


def differences_frame(profile: Profile) -> pd.DataFrame:
    """What was compared, the first comparison first."""
    frames = []
    for comparison in profile.comparisons or [None]:
        rows: Sequence[Difference] = () if comparison is None else comparison.classes
        said = (
            {}
            if comparison is None
            else {key: getattr(comparison, key) for key in ("name", "first", "second")}
        )
        columns: dict[str, Any] = {
            "comparison": said.get("name"),
            "first": said.get("first"),
            "second": said.get("second"),
            **_keys(profile, rows),
            "first_images": _counts([one.first.images for one in rows], profile),
            "second_images": _counts([one.second.images for one in rows], profile),
            **{name: _joined([getattr(one, name) for one in rows]) for name in DIFFERENCES},
        }
        frames.append(pd.DataFrame(columns))
    joined: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return joined


def _keys(profile: Profile, rows: Sequence[ClassProfile | Difference]) -> Mapping[str, Any]:
    """The columns that say which class and which concept."""
    width = len(profile.concepts)
    return {
        "class": pd.Series([one.name for one in rows for _ in range(width)], dtype="string"),
        "number": _counts([one.number for one in rows], profile),
        "concept": pd.Series([one and one.name for one in profile.concepts] * len(rows), dtype="string"),
        "category": pd.Series([one and one.category for one in profile.concepts] * len(rows), dtype="string"),
        "units": np.tile(profile.units, len(rows)),
    }


def _counts(values: Sequence[int], profile: Profile) -> Any:
    """Each value once for every concept."""
    return np.repeat(np.array(values, np.int64), len(profile.concepts))


def _joined(arrays: Sequence[Any]) -> Any:
    return np.concatenate(arrays) if arrays else np.zeros(0)
