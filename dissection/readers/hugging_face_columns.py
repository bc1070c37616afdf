"""Which columns of a Hugging Face data set hold images and masks, what the masks mean, and how a set is opened.

The rules stand at the top of `dissection.readers.hugging_face`. `datasets` is imported when a set is opened.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from dissection.readers.errors import ConceptSetError, MissingFileError, hint

IMAGES = ("image", "img", "pixel_values")
MASKS = ("mask", "annotation", "label", "labels", "segmentation", "segmentation_mask", "label_map")
NOTHING = frozenset(("background", "unlabeled", "unlabelled", "void", "ignore", "unknown"))
IGNORED = 255  # what masks of 8 bits hold where nothing counts


def library() -> Any:
    """The package `datasets`.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    try:
        return import_module("datasets")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'datasets is not installed: pip install "neuro-explain[datasets]"', name="datasets"
        ) from error


def load(path: Path) -> Any:
    """What `datasets` reads at a path of this machine: a `Dataset`, or a `DatasetDict` of splits.

    Raises:
        ConceptSetError: nothing is there, or `datasets` cannot read it.
    """
    if not path.exists():
        raise MissingFileError(
            f"{path}: no such folder or file, a data set of Hugging Face was expected there; nothing is fetched, save "
            "it with save_to_disk first"
        )
    datasets = library()
    try:
        with _quiet(datasets):
            if path.is_file():
                return datasets.load_dataset("parquet", data_files=str(path.resolve()))
            if any((path / mark).is_file() for mark in ("state.json", "dataset_dict.json")):
                return datasets.load_from_disk(str(path))
            if (path / "labels.csv").is_file() and any(path.rglob("*.parquet")):
                # the library would take our table for a part of the data
                return datasets.load_dataset("parquet", data_files=_by_split(path))
            return datasets.load_dataset(str(path.resolve()))
    except Exception as error:  # readers of many formats raise whatever broken files lead them to
        raise ConceptSetError(f"{path}: datasets cannot read it ({type(error).__name__}: {error})") from error


def splits(dataset: Any, name: str) -> dict[str, Any]:
    """The splits by name; a set without splits is one, "row".

    Raises:
        ConceptSetError: another object than a `Dataset` or `DatasetDict`, or splits with other columns.
    """
    datasets = library()
    if isinstance(dataset, datasets.Dataset):
        return {str(dataset.split or "row"): dataset}
    if not isinstance(dataset, datasets.DatasetDict) or not dataset:
        raise ConceptSetError(
            f"{name}: is a {type(dataset).__name__}, a datasets.Dataset or DatasetDict was expected (a stream has no "
            "rows to come back to; load it whole)"
        )
    first = next(iter(dataset.values())).features
    for split, rows in dataset.items():
        if rows.features != first:
            raise ConceptSetError(
                f"{name}: split {split!r} has other columns than the first; open one at a time"
            )
    return dict(dataset)


def columns(features: Mapping[str, Any], image: str | None, mask: str | None, name: str) -> tuple[str, str]:
    """The columns of the images and of the masks, by name where they are not given.

    Raises:
        ConceptSetError: no such column of images, or several that might be meant.
    """
    datasets = library()
    pictures = [column for column, feature in features.items() if isinstance(feature, datasets.Image)]
    for wanted in (image, mask):
        if wanted is not None and wanted not in pictures:
            raise ConceptSetError(f"{name}: has no column {wanted!r} of images; {hint(wanted, pictures)}")
    drawn = mask or _one([column for column in pictures if column != image], MASKS, IMAGES)
    photo = image or _one([column for column in pictures if column != drawn], IMAGES, MASKS)
    if drawn is None or photo is None or drawn == photo:
        raise ConceptSetError(
            f"{name}: its columns of images are {', '.join(pictures) or 'none'}; one of images and one of masks were "
            "expected, say which they are: HuggingFaceMasks(dataset, image=…, mask=…)"
        )
    return photo, drawn


def _one(candidates: list[str], known: tuple[str, ...], other: tuple[str, ...]) -> str | None:
    """The candidate with the first of the known names, else the only one with none of the other names."""
    named = next((word for word in known if word in candidates), None)
    rest = [column for column in candidates if column not in other]
    return named or (rest[0] if len(rest) == 1 else None)


def class_names(features: Mapping[str, Any], name: str) -> tuple[dict[int, str], frozenset[int]]:
    """The name of each value by the only column of lists of classes, and the values that are no label.

    Raises:
        ConceptSetError: no such column, or several.
    """
    datasets = library()
    lists = {
        column: _inner(feature)
        for column, feature in features.items()
        if isinstance(_inner(feature), datasets.ClassLabel)
    }
    if len(lists) != 1:
        raise ConceptSetError(
            f"{name}: {'several columns say' if lists else 'no column says'} what the values of the masks mean; write "
            "labels.csv (value,name,category) beside it, or HuggingFaceMasks(dataset, names={value: name})"
        )
    ((_, feature),) = lists.items()
    silent = {value for value, word in enumerate(feature.names) if word.casefold() in NOTHING}
    named = {value: word for value, word in enumerate(feature.names) if value not in silent}
    return named, frozenset(silent | ({IGNORED} - set(named)))


def _inner(feature: Any) -> Any:
    """What a list holds, None of anything else."""
    if isinstance(feature, list):
        return feature[0]
    return getattr(feature, "feature", None)


def undecoded(rows: Any, wanted: tuple[str, ...]) -> Any:
    """The rows with only these columns of images, each cell a file's bytes or its path."""
    datasets = library()
    bare = rows.with_format(None).select_columns(list(wanted))
    for column in wanted:
        bare = bare.cast_column(column, datasets.Image(decode=False))
    return bare


def _by_split(path: Path) -> dict[str, list[str]]:
    """The Parquet files of a folder by the split that their names begin with ("train-00000-of-00001.parquet")."""
    files: dict[str, list[str]] = {}
    for part in sorted(path.rglob("*.parquet")):
        files.setdefault(part.stem.split("-")[0], []).append(str(part.resolve()))
    return files


@contextmanager
def _quiet(datasets: Any) -> Iterator[None]:
    """No bars of the library's own, and none of its complaints about files that it leaves open itself."""
    bars = datasets.utils.logging
    before = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            try:
                yield
            finally:
                gc.collect()  # closes them now, not while somebody else's warnings are errors
    finally:
        if before:
            bars.enable_progress_bar()
