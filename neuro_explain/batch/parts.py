"""The files of a batch run: which there are, whether they are whole, and how they come to be.

A part is written under another name, brought to the disk, and renamed: a file with a part's name is a whole part. A
run's `run.json` comes first and its `manifest.json` last, so a folder with the one and without the other is a run that
is not finished.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dissection.artifact import MANIFEST, ArtifactError, write_json
from neuro_explain.batch.decode import THUMBNAIL

if TYPE_CHECKING:
    import pyarrow as pa

RUN = "run.json"
REOPEN = ".reopen.json"
"""How model, names and images are opened again on this machine: paths, so not a part of what is passed on."""
PREDICTIONS, THUMBNAILS = "predictions", "thumbnails"
META = "meta."
"""What the columns of the input list begin with."""
_TEXT = [
    f"explained.list.element.{side}.list.element.{what}"
    for side in ("top", "bottom")
    for what in ("concept", "category")
]
COLUMNS = 32
"""Thumbnails beside each other in a sheet."""


def part_path(folder: Path, number: int) -> Path:
    """Where a part's rows are."""
    return folder / PREDICTIONS / f"part-{number:06d}.parquet"


def sheet_path(folder: Path, number: int) -> Path:
    """Where a part's thumbnails are."""
    return folder / THUMBNAILS / f"part-{number:06d}.webp"


def part_paths(folder: Path) -> list[Path]:
    """The parts that are there, in order."""
    return sorted((folder / PREDICTIONS).glob("part-*.parquet"))


def read_run(folder: str | os.PathLike[str], *, finished: bool = True) -> dict[str, Any]:
    """The plan of the run in a folder.

    Args:
        folder: of the run.
        finished: whether it must be finished.

    Raises:
        ArtifactError: no run there, a damaged one, or one that is not finished.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ArtifactError(f"{folder}: there is no such folder; give that of a batch run")
    if not (path / RUN).is_file():
        raise ArtifactError(f"{folder} has no {RUN}, so it holds no batch run; give the folder of one")
    try:
        plan: dict[str, Any] = json.loads((path / RUN).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArtifactError(f"{path / RUN} is damaged ({error}); choose another folder") from error
    if finished and not (path / MANIFEST).is_file():
        raise ArtifactError(
            f"the run in {folder} is not finished; go on with `neuro-explain batch … --out {folder} --resume`"
        )
    return plan


def write_part(folder: Path, number: int, rows: pa.Table) -> None:
    """Writes a part's rows.

    Raises:
        OSError: the disk is full, or the folder cannot be written to; no file is left.
    """
    import pyarrow.parquet as pq

    def write(path: Path) -> None:
        # dictionaries for text alone: numbers that hardly repeat only grow by them
        metadata = [name for name in rows.column_names if name.startswith(META)]
        pq.write_table(rows, path, compression="zstd", use_dictionary=["error", *metadata, *_TEXT])

    _whole(part_path(folder, number), write)


def sheet(thumbnails: Sequence[NDArray[np.uint8]]) -> bytes:
    """The thumbnails of a part as one WebP picture, `COLUMNS` beside each other.

    Args:
        thumbnails: of its batches, uint8 `[B, 64, 64, 3]` each.
    """
    every = np.concatenate(list(thumbnails))
    lines = -(-len(every) // COLUMNS)
    grid = np.zeros((lines * COLUMNS, THUMBNAIL, THUMBNAIL, 3), np.uint8)
    grid[: len(every)] = every
    grid = grid.reshape(lines, COLUMNS, THUMBNAIL, THUMBNAIL, 3).swapaxes(1, 2)
    picture = Image.fromarray(grid.reshape(lines * THUMBNAIL, COLUMNS * THUMBNAIL, 3))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=70, method=2)
    return buffer.getvalue()


def write_sheet(folder: Path, number: int, picture: bytes) -> None:
    """Writes the picture of a part's thumbnails."""
    _whole(sheet_path(folder, number), lambda path: path.write_bytes(picture))


def is_whole(folder: Path, number: int, rows: int, *, thumbnails: bool) -> bool:
    """Whether a part is there with all its rows and, if there are to be any, its thumbnails."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = part_path(folder, number)
    if not path.is_file() or (thumbnails and not sheet_path(folder, number).is_file()):
        return False
    try:
        return bool(pq.read_metadata(path).num_rows == rows)
    except (OSError, pa.ArrowException):
        return False


def write_plan(folder: Path, plan: dict[str, Any]) -> None:
    """Writes the run's plan."""
    _whole(folder / RUN, lambda path: write_json(path, plan))


def _whole(path: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` make a file under another name; it gets its own once it is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.writing")
    try:
        write(draft)
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
