"""Where did people look to answer a question, and does a network's map agree?

    human = open_attention("vqahat_val")               # files 1410012_1.png, 1410012_2.png, …: question, person
    rank_correlation_with_attention(cam.map[0], human[1410012])

The layout is that of VQA-HAT (Das et al. 2016): a grey PNG for each question and person, bright where a person
sharpened a blurred picture. Its protocol: both maps are brought to 14 × 14 cells, and the rank correlation is averaged
over a question's people. Grad-CAM reached 0.136 on 1,374 questions of its validation part, with the network of Lu et
al. 2015 (Selvaraju et al. 2019, Sec. 8.2). Human maps cover the whole picture, so the network must see it whole:
squash pictures to its input, do not crop them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image, UnidentifiedImageError

from dissection.resize import resize
from neuro_explain.evaluate.ranks import rank_correlation

CELLS = (14, 14)
"""The grid on which VQA-HAT compares maps."""

_DIGITS = 9  # of a cell, as a share of the largest: what was equal stays equal, and shares a rank
_NAME = re.compile(r"([0-9]+)_([0-9]+)\.png", re.IGNORECASE)


class AttentionMaps(Mapping[int, tuple[NDArray[np.float64], ...]]):
    """Human attention maps by question number; read when they are asked for.

    Args:
        files: for each question its files, one for each person.
    """

    def __init__(self, files: Mapping[int, Sequence[Path]]) -> None:
        self._files = {question: tuple(paths) for question, paths in sorted(files.items())}

    def __getitem__(self, question: int) -> tuple[NDArray[np.float64], ...]:
        """The maps `[H, W]` of a question, 0 and more, in the order of the people's numbers.

        Raises:
            KeyError: no map of this question.
            ValueError: a file that is no picture.
        """
        return tuple(read_attention(path) for path in self._files[question])

    def __iter__(self) -> Iterator[int]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def open_attention(folder: str | Path) -> AttentionMaps:
    """The human attention maps in a folder; see the module's docstring for its layout.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it has no such files, or PNG files of other names.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} is no folder; expected one with human attention maps, such as vqahat_val"
        )
    files: dict[int, dict[int, Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() != ".png" or path.name.startswith("."):
            continue
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise ValueError(f"{path}: expected a name such as 1410012_1.png: question, person")
        people = files.setdefault(int(match[1]), {})
        if (person := int(match[2])) in people:
            raise ValueError(
                f"{path} and {people[person].name} are of the same question and person; remove one"
            )
        people[person] = path
    if not files:
        raise ValueError(f"{folder} has no human attention maps; expected files such as 1410012_1.png")
    return AttentionMaps(
        {question: [path for _, path in sorted(people.items())] for question, people in files.items()}
    )


def read_attention(path: str | Path) -> NDArray[np.float64]:
    """One human attention map `[H, W]`, 0 and more, as bright as in its file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no picture.
    """
    try:
        with Image.open(path) as image:
            grey = (
                image
                if image.mode in ("1", "L", "I", "F") or image.mode.startswith("I;")
                else image.convert("L")
            )
            return np.asarray(grey, np.float64)
    except FileNotFoundError:
        raise
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
    ) as error:  # Pillow calls a broken PNG a syntax error
        raise ValueError(f"{path}: expected a picture, cannot read it ({error})") from error


def to_cells(map: ArrayLike, cells: tuple[int, int]) -> NDArray[np.float64]:
    """A map `[H, W]` on a grid of (h, w) cells, each the mean of the part of the map that it covers."""
    values = torch.tensor(np.asarray(map), dtype=torch.float64)
    if values.dim() != 2 or not values.numel():
        raise ValueError(f"map: expected [H, W], got {list(values.shape)}")
    # a bilinear resize alone would read single pixels of a large map: so many points per cell that none is missed
    fine = [-(-have // want) for have, want in zip(values.shape, cells, strict=True)]
    points = resize(values[None], (cells[0] * fine[0], cells[1] * fine[1]))[0]
    means: NDArray[np.float64] = points.reshape(cells[0], fine[0], cells[1], fine[1]).mean(dim=(1, 3)).numpy()
    scale = float(np.abs(means).max()) or 1.0
    return np.round(means / scale, _DIGITS) * scale


def rank_correlation_with_attention(
    map: ArrayLike, human: ArrayLike | Sequence[ArrayLike], *, cells: tuple[int, int] = CELLS
) -> float | None:
    """Spearman's rank correlation of a map with where people looked, averaged over the people.

    Args:
        map: `[h, w]`, of the whole picture.
        human: one map `[H, W]`, or several of the same question.
        cells: the grid on which they are compared.

    Returns:
        -1 to 1; None where the map is constant, or all human maps are.

    Raises:
        ValueError: no human map, or maps of another shape.
    """
    people: Sequence[ArrayLike] = human if isinstance(human, (list, tuple)) else [np.asarray(human)]
    if not people:
        raise ValueError("human: expected at least one map of this question, got none")
    own = to_cells(map, cells)
    found = [rank_correlation(own, to_cells(one, cells)) for one in people]
    known = [one for one in found if one is not None]
    return float(np.mean(known)) if known else None
