"""`hf:PATH`: data sets of Hugging Face's `datasets` that lie here, with a column of images and one of masks.

    hf:data/scenes              a folder that `save_to_disk` wrote, or one that `datasets.load_dataset` reads
    hf:data/scenes.parquet      one file
    HuggingFaceMasks(dataset, image="photo", mask="regions", names={1: "wheel"}, category="part")

Nothing is fetched: what is not at PATH is an error. (`load_dataset` keeps a converted copy in its own cache.) All
splits are read, one after the other. Which columns: the image is "image", "img" or "pixel_values", else the only
column of images that has no name of a mask; the mask is "mask", "annotation", "label", "labels", "segmentation",
"segmentation_mask" or "label_map", else the only column of images that has no name of an image.

What the mask's values mean is said by the first of these that is there:

1. `names`, given from Python; a value without one is no label;
2. `labels.csv` (value,name,category) in the folder, or beside the file; a value without a row is no label;
3. the only column of lists of classes, `List(ClassLabel)`: value 3 is its class 3, of category "object". Classes
   called background, unlabeled, void, ignore or unknown are no labels, nor is 255; other values are an error.

A mask has one channel, or palette indices, and the size of its upright image. It is read from the bytes as they are
kept, not through the library's decoding, and so exact. Needs `pip install "neuro-explain[datasets]"`.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from dissection.concepts import Concept, Labels
from dissection.images import ImageError, read_image, upright_size
from dissection.readers import hugging_face_columns, masks
from dissection.readers.errors import ConceptSetError, MissingFileError
from dissection.readers.value_table import values_from_csv

CATEGORY = "object"


def open_hugging_face(path: str | os.PathLike[str]) -> HuggingFaceMasks:
    """Opens `hf:PATH`.

    Raises:
        ModuleNotFoundError: `datasets` is not installed.
        ConceptSetError: nothing is there, it cannot be read, or as for `HuggingFaceMasks`.
    """
    place = Path(path).expanduser()
    dataset = hugging_face_columns.load(place)
    folder = place if place.is_dir() else place.parent
    table = folder / "labels.csv"
    names = values_from_csv(table) if table.is_file() else None
    return HuggingFaceMasks(dataset, names=names, root=folder, name=place.resolve().stem)


class HuggingFaceMasks:
    """A `datasets.Dataset`, or a `DatasetDict` of splits, with images and masks; a `ConceptDataset`.

    Args:
        dataset: the data set.
        image: its column of images, found by name if not given.
        mask: its column of masks, likewise.
        names: what each value of a mask means, a name or a `Concept`; from the columns if not given.
        category: of names that are no `Concept`.
        root: only files below this folder are read where a column holds paths; anywhere if not given.
        name: what to call the set.

    Raises:
        ModuleNotFoundError: `datasets` is not installed.
        ConceptSetError: no such column, no image, or nothing says what the values mean.
    """

    def __init__(
        self,
        dataset: Any,
        *,
        image: str | None = None,
        mask: str | None = None,
        names: Mapping[int, str] | Mapping[int, Concept] | None = None,
        category: str = CATEGORY,
        root: Path | None = None,
        name: str = "hf",
    ) -> None:
        splits = hugging_face_columns.splits(dataset, name)
        features = next(iter(splits.values())).features
        self.name, self.root = name, root
        self._columns = hugging_face_columns.columns(features, image, mask, name)
        self._silent: frozenset[int] | None = None  # values that are no label; None if all without a name are
        values: Mapping[int, str] | Mapping[int, Concept] | None = names
        if values is None:
            values, self._silent = hugging_face_columns.class_names(features, name)
        self._values = {
            value: known if isinstance(known, Concept) else Concept(known, category)
            for value, known in values.items()
        }
        self._concepts = tuple(dict.fromkeys(self._values.values()))
        number = {concept: place for place, concept in enumerate(self._concepts)}
        self._numbers = masks.NumberTable({value: number[one] for value, one in self._values.items()})
        self._categories = frozenset(concept.category for concept in self._concepts)
        self._splits = {
            split: hugging_face_columns.undecoded(rows, self._columns) for split, rows in splits.items()
        }
        self._rows = [(split, row) for split, rows in splits.items() for row in range(len(rows))]
        if not self._rows or not self._concepts:
            raise ConceptSetError(
                f"{name}: has {len(self._rows)} images and {len(self._concepts)} labels; one of each was expected"
            )

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """All concepts, in the order of the table that names them."""
        return self._concepts

    @cached_property
    def fingerprint(self) -> str:
        """`sha256:…` of what the values mean, of the masks and of the images' sizes, wherever the set lies."""
        digest = hashlib.sha256(ascii((self._columns, sorted(self._values.items()))).encode())
        for index in range(len(self)):
            image, mask = (self._bytes(index, column) for column in self._columns)
            digest.update(f"{len(image)} {hashlib.sha256(mask).hexdigest()}\n".encode())
        return f"sha256:{digest.hexdigest()}"

    def __len__(self) -> int:
        """The number of images."""
        return len(self._rows)

    def image_id(self, index: int) -> str:
        """The split and the number of the row in it: `train/17`."""
        split, row = self._rows[index]
        return f"{split}/{row}"

    def image(self, index: int) -> Image.Image:
        """The image, RGB and upright."""
        with self._file(index, self._columns[0]) as path:
            return read_image(path)

    def labels(self, index: int, size: int) -> Labels:
        """The labels of an image, one layer.

        Raises:
            ConceptSetError: a mask of another size than its image, or a value that no class has.
            ImageError: the mask cannot be read.
        """
        image, mask = self._columns
        with self._file(index, mask) as path:
            values = masks.one_channel(path)
        with self._file(index, image) as path:
            width, height = upright_size(path)
        if values.shape != (height, width):
            raise ConceptSetError(
                f"{self._where(index, mask)}: the mask is {values.shape[1]} × {values.shape[0]} pixels, its upright "
                f"image is {width} × {height}; they must be equal"
            )
        small = masks.nearest(values, size)
        numbers = self._numbers.look_up(small)
        for value in self._numbers.strangers(small, numbers):
            if self._silent is not None and value not in self._silent:
                raise ConceptSetError(
                    f"{self._where(index, mask)}: value {value} is no class of the data set; say what the values mean "
                    "in labels.csv (value,name,category)"
                )
        return Labels(numbers[None], (), self._categories)

    def _where(self, index: int, column: str) -> str:
        return f"{self.name}, {self.image_id(index)}, column {column!r}"

    def _cell(self, index: int, column: str) -> bytes | Path:
        """An image file's contents, or where it is."""
        split, row = self._rows[index]
        cell = self._splits[split][row][column]
        where = self._where(index, column)
        if cell is not None and cell["bytes"] is not None:
            return bytes(cell["bytes"])
        if cell is None or not cell["path"]:
            raise ConceptSetError(f"{where}: is empty, an image was expected; leave the row out")
        path = Path(cell["path"])
        if self.root is not None and not path.resolve().is_relative_to(self.root.resolve()):
            raise ConceptSetError(
                f"{where}: {cell['path']!r} points outside the set; only files in its own folder are read"
            )
        if not path.is_file():  # an address on the network is none either
            raise MissingFileError(f"{where}: {cell['path']!r} does not exist on this machine")
        return path

    def _bytes(self, index: int, column: str) -> bytes:
        cell = self._cell(index, column)
        return cell.read_bytes() if isinstance(cell, Path) else cell

    @contextmanager
    def _file(self, index: int, column: str) -> Iterator[Path]:
        """The cell as a file, which is what images and masks are read from; errors name the cell."""
        cell = self._cell(index, column)
        if isinstance(cell, Path):
            yield cell
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "cell"
            path.write_bytes(cell)
            try:
                yield path
            except ImageError as error:
                raise ImageError(str(error).replace(str(path), self._where(index, column))) from error
