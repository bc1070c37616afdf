"""Any concept set as a folder in the layout of Broden 1, which `dissection.readers.broden.Broden` reads back.

    write_broden(open_concepts(["coco:data/coco", "colors"]), "data/mine", size=112, image_size=224)

| file | columns |
|---|---|
| `index.csv` | image, split, ih, iw, sh, sw, a column per category |
| `category.csv` | name, first, last, count, frequency |
| `label.csv` | number, name, category, frequency, coverage, syns |
| `c_CATEGORY.csv` | code, number, name, frequency, coverage |
| `images/` | the images and the label maps, all PNG and so without loss |

Of an image, ih × iw is its size, sh × sw = S × S that of its label maps. Its split is "train" or "val", since a
concept set knows of none: "val" if the SHA-256 of its pixels, read as a fraction of 1, is below the wanted share. So
the split is the same on every machine, does not change when sets are added, and keeps a picture that two sets hold on
one side. A category's cell is empty where the image does not carry the category, "0" where it does and has no
label of it; otherwise its items stand there with `;` between: the numbers of whole-image labels, and PNGs whose
pixels are red + 256 · green. A PNG holds labels of one category; layers that overlap go into several.

Labels are numbered from 1, 0 is none. One Broden name is one number, in however many categories: scenes and colours
get Broden's suffix ("street-s"), others share ("grid" as object and as texture). A label's frequency in a category
is the number of images that have it there, which `label.csv` gives as `object(120);part(3)`; its coverage is the
sum over images of the share of pixels that it covers, 1 for a whole image. `label.csv` adds both up over the
categories, and `category.csv` adds frequencies up over its labels, as Broden does. Other than in Broden, where
frequent labels come first, numbers and codes follow the order of the set.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dissection.artifact import write_csv
from dissection.concepts import Concept, ConceptDataset, Labels
from dissection.images import squash
from dissection.readers.errors import ConceptSetError
from dissection.writers.broden_tables import COLUMNS, Tables
from dissection.writers.folder import Written, file_stem, new_folder, plain, save_image, save_numbers

SIZE = 112  # of the label maps of an image that is not square; Broden's own


def write_broden(
    dataset: ConceptDataset,
    folder: str | os.PathLike[str],
    *,
    size: int | None = None,
    image_size: int | None = None,
    val_share: float = 0.0,
    synonyms: Mapping[Concept, Sequence[str]] | None = None,
    progress: Callable[[Iterable[int]], Iterable[int]] | None = None,
) -> Written:
    """Writes a concept set as a new Broden folder.

    Args:
        dataset: the set; its images and labels are read once, one image at a time.
        folder: a path where nothing is yet.
        size: S, at which labels are asked for and written; an image's own side if it is square, else 112.
        image_size: side to which images are squashed (bilinear), whole, so that labels stay aligned; each image's
            own size if not given. The labels come from the set, and do not depend on it.
        val_share: 0 to 1, the share of images that are to be in split "val"; the hash gives about so many.
        synonyms: other names of concepts, for the column `syns` of `label.csv`, where `;` stands between them.
        progress: wraps the numbers of the images as they are gone through, as `tqdm` does.

    Raises:
        ArtifactError: `folder` exists or cannot be created.
        ConceptSetError: no image or no concept, a name that the layout cannot hold, more than 65535 names, or labels
            that do not fit the set's concepts or the image's categories.
        ValueError: `size` or `image_size` is less than 1, or `val_share` is not in 0 to 1.
    """
    for name, side_wanted in (("size", size), ("image_size", image_size)):
        if side_wanted is not None and side_wanted < 1:
            raise ValueError(f"{name}: expected at least 1 pixel, got {side_wanted}")
    if not 0 <= val_share <= 1:
        raise ValueError(f"val_share: expected a share from 0 to 1, got {val_share}")
    if not len(dataset) or not dataset.concepts:
        raise ConceptSetError(
            f"the set has {len(dataset)} images and {len(dataset.concepts)} concepts; Broden's layout needs at least "
            "one of each (`colors` gives concepts to any images)"
        )
    tables = Tables(dataset.concepts, synonyms)
    rows: list[dict[str, Any]] = []
    with new_folder(folder) as draft:
        (draft / "images").mkdir()
        numbers: Iterable[int] = range(len(dataset))
        for index in progress(numbers) if progress else numbers:
            image = dataset.image(index)
            side = size if size is not None else image.height if image.height == image.width else SIZE
            labels = dataset.labels(index, side)
            tables.add(dataset.image_id(index), labels, side)
            stem = file_stem(index, len(dataset), dataset.image_id(index))
            split = split_of(image, val_share)
            if image_size is not None:
                image = squash(image, image_size)
            save_image(draft / "images" / f"{stem}.png", image)
            row = {"image": f"{stem}.png", "split": split, "ih": image.height, "iw": image.width}
            cells = _cells(tables, labels, draft / "images", stem)
            rows.append({**row, "sh": side, "sw": side, **cells})
        write_csv(draft / "index.csv", rows, columns=(*COLUMNS, *tables.categories))
        tables.write(draft)
    val = sum(row["split"] == "val" for row in rows)
    return Written(
        Path(folder), len(rows), len(dataset.concepts), len(tables.categories), val, tables.groups()
    )


def split_of(image: Image.Image, val_share: float) -> str:
    """`"val"` for about this share of images, and always for the same ones; else `"train"`."""
    if not val_share:
        return "train"
    digest = hashlib.sha256(
        f"{image.width} {image.height} ".encode() + image.convert("RGB").tobytes()
    ).digest()
    return "val" if int.from_bytes(digest[:8], "big") < val_share * 2**64 else "train"


def _cells(tables: Tables, labels: Labels, folder: Path, stem: str) -> dict[str, str]:
    """Writes an image's label maps and gives its cells of `index.csv`, one per category that it carries."""
    cells = {}
    for place, (category, numbers) in enumerate(tables.categories.items()):
        if category not in labels.categories:
            continue
        items: list[str] = []
        for sheet in _sheets(numbers[labels.layers]):
            items.append(f"{stem}_{place}-{plain(category)}-{len(items)}.png")
            save_numbers(folder / items[-1], sheet)
        items += [str(numbers[number]) for number in dict.fromkeys(labels.whole) if numbers[number]]
        cells[category] = ";".join(items) or "0"
    return cells


def _sheets(layers: NDArray[np.int32]) -> list[NDArray[np.int32]]:
    """Layers of label numbers, 0 for none, on as few maps as it takes if each goes on the first that is free there."""
    sheets: list[NDArray[np.int32]] = []
    for layer in layers:
        if not layer.any():
            continue
        free = (sheet for sheet in sheets if not ((sheet != 0) & (layer != 0)).any())
        sheet = next(free, None)
        if sheet is None:
            sheets.append(layer.copy())
        else:
            sheet += layer
    return sheets
