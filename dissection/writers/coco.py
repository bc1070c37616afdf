"""Images with segments in COCO's panoptic layout, which `dissection.readers.coco.open_coco` reads back.

    write_coco_panoptic((scene.panoptic(k) for k in range(100)), scene.concepts, "data/mine")

| path | holds |
|---|---|
| `images/all/NAME.png` | the images |
| `annotations/panoptic_all/NAME.png` | the segment of each pixel: red + 256 · green + 65536 · blue, 0 is none |
| `annotations/panoptic_all.json` | what the images and segments are |

The JSON has `images` (id, file_name, width, height), `annotations` (image_id, file_name, segments_info: id,
category_id, area in pixels, bbox as [left, top, width, height], iscrowd) and `categories` (id, name, supercategory,
isthing). A category's id is its concept's place in the given list, from 1; its supercategory is the concept's
category. The reader knows panoptic categories by their name alone and calls them all objects.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dissection.artifact import write_json
from dissection.concepts import Concept
from dissection.readers.errors import ConceptSetError
from dissection.writers.folder import Written, check_text, file_stem, new_folder, save_image, save_numbers

SPLIT = "all"
_LARGEST = 2**24 - 1  # red + 256 · green + 65536 · blue
_NUMBERED = 10**6  # images are written as they come, so how many digits their numbers need is not known


@dataclass(frozen=True)
class PanopticImage:
    """An image in which every pixel belongs to one segment or to none.

    Attributes:
        image_id: a name that a person can find the image by.
        image: RGB and upright.
        segment_map: integers `[H, W]` of the image's own size; the segment of each pixel, 0 for none.
        segments: by the number of the segment, 1 to 2²⁴ − 1, its concept and whether it is a thing (one that can
            be counted: a cup) rather than stuff (sky). Every number in the map is here; a segment that no pixel
            shows, since others hide it, may be.
    """

    image_id: str
    image: Image.Image
    segment_map: NDArray[np.integer[Any]]
    segments: Mapping[int, tuple[Concept, bool]]

    def __post_init__(self) -> None:
        expected = (self.image.height, self.image.width)
        if self.segment_map.shape != expected or not np.issubdtype(self.segment_map.dtype, np.integer):
            raise ConceptSetError(
                f"{self.image_id}: segment_map is {self.segment_map.dtype} {list(self.segment_map.shape)}, integers "
                f"{list(expected)}, the size of the image, were expected"
            )
        odd = [number for number in self.segments if not 1 <= number <= _LARGEST]
        if odd:
            raise ConceptSetError(
                f"{self.image_id}: segment {odd[0]}, 1 to {_LARGEST} was expected; number them anew"
            )
        strange = set(np.unique(self.segment_map).tolist()) - {0, *self.segments}
        if strange:
            raise ConceptSetError(
                f"{self.image_id}: segment {min(strange)} is in the map, but not among the segments"
            )


def write_coco_panoptic(
    images: Iterable[PanopticImage], categories: Sequence[Concept], folder: str | os.PathLike[str]
) -> Written:
    """Writes images with segments as a new folder in COCO's panoptic layout.

    Args:
        images: gone through once, one at a time.
        categories: the concepts that segments may have. One that no segment has is left out: nothing says
            whether it is a thing.
        folder: a path where nothing is yet.

    Raises:
        ArtifactError: `folder` exists or cannot be created.
        ConceptSetError: no image or no segment, a concept that is not among the categories, one that is a thing here
            and stuff there, or a name that the layout cannot hold.
    """
    known = _Categories(categories)
    records: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    with new_folder(folder) as draft:
        pictures, maps = draft / "images" / SPLIT, draft / "annotations" / f"panoptic_{SPLIT}"
        pictures.mkdir(parents=True)
        maps.mkdir(parents=True)
        for index, one in enumerate(images):
            name = f"{file_stem(index, _NUMBERED, one.image_id)}.png"
            segments = _segments(one, known)
            save_image(pictures / name, one.image)
            save_numbers(maps / name, one.segment_map)
            size = {"width": one.image.width, "height": one.image.height}
            records.append({"id": index + 1, "file_name": name, **size})
            annotations.append({"image_id": index + 1, "file_name": name, "segments_info": segments})
        used = known.records()
        if not used:
            raise ConceptSetError(
                f"{len(records)} images with no segment were given; COCO's layout needs at least one of each"
            )
        table = {"images": records, "annotations": annotations, "categories": used}
        write_json(maps.with_suffix(".json"), table)
    return Written(Path(folder), len(records), len(used), len({record["supercategory"] for record in used}))


class _Categories:
    """The ids of the concepts, and which of them are things.

    Args:
        concepts: all that may come.
    """

    def __init__(self, concepts: Sequence[Concept]) -> None:
        for concept in concepts:
            check_text(f"concept of category {concept.category!r},", concept.name)
        self.ids = {concept: number for number, concept in enumerate(concepts, start=1)}
        self.things: dict[Concept, bool] = {}

    def use(self, concept: Concept, is_thing: bool, where: str) -> int:
        """The id of a segment's concept."""
        if concept not in self.ids:
            raise ConceptSetError(f"{where}: {concept} is not among the categories; add it to them")
        if self.things.setdefault(concept, is_thing) != is_thing:
            raise ConceptSetError(
                f"{where}: {concept} is both a thing and stuff; decide for one in all images"
            )
        return self.ids[concept]

    def records(self) -> list[dict[str, Any]]:
        """The categories that were used, in the order of their ids."""
        return [
            {
                "id": number,
                "name": concept.name,
                "supercategory": concept.category,
                "isthing": int(self.things[concept]),
            }
            for concept, number in self.ids.items()
            if concept in self.things
        ]


def _segments(one: PanopticImage, known: _Categories) -> list[dict[str, Any]]:
    """The `segments_info` of an image: its segments that are to be seen."""
    found = []
    for number, (concept, is_thing) in one.segments.items():
        category = known.use(concept, bool(is_thing), f"{one.image_id}, segment {number}")
        rows, columns = np.nonzero(one.segment_map == number)
        if not len(rows):
            continue
        left, top = int(columns.min()), int(rows.min())
        found.append(
            {
                "id": int(number),
                "category_id": category,
                "area": len(rows),
                "bbox": [left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1],
                "iscrowd": 0,
            }
        )
    return found
