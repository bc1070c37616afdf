"""What would raters of a known accuracy answer? Returned files that no person gave, to try out pages and statistics.

    simulate(key, accuracy=0.7, raters=9, seed=0)["rater-01"]       # the content of its answers-rater-01.json

Of discrimination each answer is right with the probability `accuracy`. Of trust it is for the first network with that
probability, else for the second, and 1 or 2 equally often: the mean preference is 1.5 · (2 · accuracy − 1).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from dissection.artifact import write_json
from neuro_explain.study.answers import unflipped
from neuro_explain.study.key import Key


def simulate(key: Key, *, accuracy: float, raters: int, seed: int = 0) -> dict[str, dict[str, Any]]:
    """The files of the first so many raters, by their names.

    Raises:
        ValueError: an accuracy that is no probability, or more raters than there are pages.
    """
    if not 0 <= accuracy <= 1:
        raise ValueError(f"accuracy: expected from 0 to 1, got {accuracy}")
    if not 1 <= raters <= len(key.sheets):
        raise ValueError(
            f"raters: expected from 1 to {len(key.sheets)}, as many as have a page, got {raters}"
        )
    generator = np.random.default_rng(seed)
    files = {}
    for rater in list(key.sheets)[:raters]:
        answers = []
        for placed in key.sheets[rater]:
            good, strong = generator.random() < accuracy, generator.random() < 0.5
            truth = key.questions[placed.question].truth
            preference = (1 if good else -1) * (2 if strong else 1)
            value = preference if truth is None else truth if good else 1 - truth
            answers.append({"question": placed.token, "answer": unflipped(key, placed, value)})
        files[rater] = {"study": key.study, "rater": rater, "simulated": True, "answers": answers}
    return files


def write_simulated(files: dict[str, dict[str, Any]], folder: str | os.PathLike[str]) -> list[Path]:
    """Writes simulated files into a new folder, all or none.

    Raises:
        ValueError: the folder is there already.
    """
    path = Path(folder)
    if path.exists():
        raise ValueError(f"{path} is there already; name a new folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{path.name}.writing-", dir=path.parent))
    try:
        for rater, content in files.items():
            write_json(draft / f"answers-{rater}.json", content)
        draft.chmod(0o755)
        draft.rename(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return [path / f"answers-{rater}.json" for rater in files]
