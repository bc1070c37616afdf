"""Any concept set as a folder that others read.

export_concepts(open_concepts(["coco:data/coco", "colors"]), Path("data/mine"), layout="broden")
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from dissection.concepts import ConceptDataset
from dissection.readers.errors import ConceptSetError
from dissection.writers import Written, write_broden, write_coco_panoptic
from neuro_explain.names import set_names

Layout = Literal["broden", "coco"]


def export_concepts(
    dataset: ConceptDataset, out: Path, *, layout: Layout, size: int | None = None
) -> Written:
    """Writes a concept set in the layout of Broden or of COCO's panoptic annotations, with a bar for the progress.

    Args:
        dataset: the set; for "coco" it needs a method `panoptic(index) -> PanopticImage`.
        out: a path where nothing is yet.
        layout: "broden" takes every category and any set, "coco" segments.
        size: side in pixels of Broden's label maps; see `write_broden`.

    Raises:
        ValueError: `out` exists, the set has no segments for "coco", or what `write_broden` and
            `write_coco_panoptic` refuse.
    """
    if layout == "broden":
        return write_broden(dataset, out, size=size, progress=_bar)
    panoptic = getattr(dataset, "panoptic", None)
    if panoptic is None:
        raise ConceptSetError(
            f"{' + '.join(set_names(dataset))} has labels but no segments, which COCO's panoptic layout needs; "
            "diorama:SEED:COUNT alone has them, and any set of your own with a method panoptic(index); "
            "--as broden takes every set"
        )
    images = (panoptic(index) for index in _bar(range(len(dataset))))
    return write_coco_panoptic(images, dataset.concepts, out)


def _bar(numbers: Iterable[int]) -> Iterable[int]:
    from tqdm import tqdm

    return tqdm(numbers, desc="writing", unit="image", disable=None, delay=1)
