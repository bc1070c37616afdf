"""Which pixels of a photograph does a map claim for its class? Seeds, and the cues that training by seeds reads.

    seed_labels({3: picture}, (640, 480))        # [480, 640]: 3 where the map is high, else 0

Cues are SEC's (Kolesnikov & Lampert 2016), in its keys and on its grid:

    OUT/METHOD/localization_cues.npz     "7_labels": numbers of the classes in image 7, background 0 not among them
                                         "7_cues": int16 [3, n], class, row and column of each cue on a 41 × 41 grid
    OUT/METHOD/input_list.txt            "JPEGImages/2007_000032.jpg 7": which image has which number;
                                         photographs that were left out are not among them
    OUT/METHOD/classes.txt               "1 aeroplane"

SEC's own file is a pickle of the same dictionary. A pickle that the numpy of today writes cannot be read by that of
SEC's time, so it is made where it is used:

    pickle.dump(dict(numpy.load("localization_cues.npz")), open("localization_cues.pickle", "wb"), 2)

The grid covers the whole photograph, which SEC squashes to 321 × 321. A cell is a cue for background where all maps are
under a small share of their maxima: SEC takes its background from a saliency map instead.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray

from neuro_explain.evaluate.annotations import AnnotatedSet
from neuro_explain.evaluate.regions import on_image

SHARE = 0.2
BACKGROUND_SHARE = 0.05
GRID = 41
FILE = "localization_cues.npz"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # no clock in the file: equal cues, equal bytes


def seed_labels(
    pictures: Mapping[int, NDArray[np.float64]], size: tuple[int, int], share: float = SHARE
) -> NDArray[np.int32]:
    """The category of each pixel, by maps.

    Args:
        pictures: by the category's number, above 0: `[height, width]`, NaN where it is not known.
        size: (width, height).
        share: of its maximum, what a pixel must reach.

    Returns:
        `[height, width]`; 0 where none does. Of categories that claim equally many pixels, the lower number has them.
    """
    labels = np.zeros((size[1], size[0]), np.int32)
    claims = {}
    for number, picture in pictures.items():
        known = np.where(np.isfinite(picture), picture, 0.0)
        if known.max() > 0:
            claims[number] = known >= share * known.max()
    # the largest first, so that smaller ones lie on top
    for number in sorted(claims, key=lambda one: (-int(claims[one].sum()), -one)):
        labels[claims[number]] = number
    return labels


def cues_of(
    maps: Mapping[int, NDArray[np.float64]],
    crop: tuple[float, float, float, float],
    size: tuple[int, int],
    share: float = SHARE,
    background_share: float = BACKGROUND_SHARE,
) -> NDArray[np.int16]:
    """The cues of a photograph.

    Args:
        maps: by the class's number, above 0; raw, `[h, w]`.
        crop: what the network sees, in pixels of the photograph.
        size: (width, height) of the photograph.
        share: of its maximum, what a cell must reach to be a cue of the class.
        background_share: under which all maps must be where the background is.

    Returns:
        `[3, n]`: class, row, column, in this order sorted. Without a map that has a positive value there are none.
    """
    sides = (GRID / size[0], GRID / size[1], GRID / size[0], GRID / size[1])
    scaled = tuple(edge * side for edge, side in zip(crop, sides, strict=True))
    left, top, right, bottom = scaled
    pictures = {
        number: on_image(torch.from_numpy(map), (left, top, right, bottom), (GRID, GRID))
        for number, map in maps.items()
        if map.max() > 0
    }
    labels = seed_labels(pictures, (GRID, GRID), share)
    found = [np.stack([labels[labels > 0], *np.nonzero(labels)])]
    if pictures:
        # NaN, where the network does not see, is under no share; shares are of the map's own maximum, before resizing
        low = np.all([picture < background_share for picture in pictures.values()], axis=0) & (labels == 0)
        found.append(np.stack([np.zeros(int(low.sum()), np.int64), *np.nonzero(low)]))
    cues = np.concatenate(found, axis=1)
    ordered: NDArray[np.int16] = cues[:, np.lexsort(cues[::-1])].astype(np.int16)
    return ordered


class CueWriter:
    """Writes cues as they come; the folder appears when all is written, and not at all if something fails.

    Args:
        out: a folder that does not exist yet.
        methods: names of its subfolders.
        images: the photographs.
        numbers: of the categories, from 1.

    Raises:
        FileExistsError: the folder is there.
    """

    def __init__(
        self, out: Path, methods: Sequence[str], images: AnnotatedSet, numbers: Mapping[str, int]
    ) -> None:
        self._out = Path(out)
        if self._out.exists():
            raise FileExistsError(f"{out}: is there already; give a new folder")
        self._methods, self._images, self._numbers = tuple(methods), images, dict(numbers)

    def __enter__(self) -> CueWriter:
        """Opens a folder beside the one that is to be."""
        self._out.parent.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix=f".{self._out.name}-", dir=self._out.parent))
        self._files: dict[str, zipfile.ZipFile] = {}
        self._written: dict[str, list[int]] = {method: [] for method in self._methods}
        try:
            for method in self._methods:
                (self._folder / method).mkdir()
                self._files[method] = zipfile.ZipFile(self._folder / method / FILE, "w", zipfile.ZIP_DEFLATED)
        except BaseException:
            self._remove()
            raise
        return self

    def add(self, method: str, number: int, labels: Iterable[int], cues: NDArray[np.int16]) -> None:
        """Writes the cues of a photograph."""
        for key, values in (("labels", np.array(sorted(labels), np.int64)), ("cues", cues)):
            member = zipfile.ZipInfo(f"{number}_{key}.npy", _EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            with self._files[method].open(member, "w") as file:
                np.lib.format.write_array(file, values, allow_pickle=False)
        self._written[method].append(number)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Gives the folder its name, or removes it."""
        if kind is not None:
            self._remove()
            return
        try:
            self._finish()
        except BaseException:
            self._remove()
            raise

    def _finish(self) -> None:
        named = [f"{number} {category}" for category, number in self._numbers.items()]
        for method, file in self._files.items():
            file.close()
            # photographs that were left out have no cues, and training would look for them
            lines = [f"{self._images[number].id} {number}" for number in self._written[method]]
            for name, text in (("input_list.txt", lines), ("classes.txt", named)):
                (self._folder / method / name).write_text(
                    "".join(f"{line}\n" for line in text), encoding="utf-8"
                )
        self._folder.chmod(0o755)
        self._folder.rename(self._out)

    def _remove(self) -> None:
        for file in self._files.values():
            with suppress(OSError):
                file.close()
        shutil.rmtree(self._folder, ignore_errors=True)
