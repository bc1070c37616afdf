"""Any concept set as a folder that others read.

    export_concepts(open_concepts(["coco:data/coco", "colors"]), Path("data/mine"), layout="broden")
    build_concepts(["coco:data/coco", "dtd:data/dtd"], Path("data/mine"))

Export hands a set on as it is; build makes the one folder to dissect with, like Broden's own: images of one size,
labels of one size, colours, and a train and val split. Both write Broden's layout by `write_broden`, other names kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from dissection.concepts import ConceptDataset
from dissection.readers import Spec
from dissection.readers.errors import ConceptSetError
from dissection.writers import Written, check_new, synonyms_of, write_broden, write_coco_panoptic
from neuro_explain.names import open_concepts, set_names

Layout = Literal["broden", "coco"]
LABEL_SIZE = 112  # these two as in Broden's broden1_224
IMAGE_SIZE = 224
VAL_SHARE = 0.3
_COLORS = "colors"


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
        return write_broden(dataset, out, size=size, synonyms=synonyms_of(dataset), progress=_bar)
    panoptic = getattr(dataset, "panoptic", None)
    if panoptic is None:
        raise ConceptSetError(
            f"{' + '.join(set_names(dataset))} has labels but no segments, which COCO's panoptic layout needs; "
            "diorama:SEED:COUNT alone has them, and any set of your own with a method panoptic(index); "
            "--as broden takes every set"
        )
    images = (panoptic(index) for index in _bar(range(len(dataset))))
    return write_coco_panoptic(images, dataset.concepts, out)


def build_concepts(
    specs: Sequence[Spec],
    out: Path,
    *,
    size: int = LABEL_SIZE,
    image_size: int | None = IMAGE_SIZE,
    val_share: float = VAL_SHARE,
    colors: bool = True,
) -> Written:
    """Joins concept sets into one new folder in Broden's layout, with a bar for the progress.

    `broden:OUT` gives the same labels as the joined sets, to the last pixel, at `size`.

    Args:
        specs: the sets, in the order that decides the numbers of concepts; see `dissection.readers`.
        out: a path where nothing is yet.
        size: side in pixels of all label maps.
        image_size: side to which the images are squashed, as a network is shown them; None keeps each as it is.
        val_share: the share of images in split "val"; see `write_broden` for which.
        colors: whether images get the eleven colour names, where they carry no colours of their own.

    Raises:
        ValueError: `out` exists, or what `open_concepts` and `write_broden` refuse.
    """
    check_new(out)  # before the sets are read
    wanted = list(specs)
    if colors and _COLORS not in wanted:
        wanted.append(_COLORS)
    dataset = open_concepts(wanted)
    return write_broden(
        dataset,
        out,
        size=size,
        image_size=image_size,
        val_share=val_share,
        synonyms=synonyms_of(dataset),
        progress=_bar,
    )


def build_lines(written: Written) -> Iterator[str]:
    """A summary of what was built, a line for each category."""
    yield (
        f"{written.images} images ({written.images - written.val} train, {written.val} val), {written.concepts} "
        f"concepts in {written.categories} categories"
    )
    for group in written.groups:
        yield f"  {group.category}: {group.seen} of {group.concepts} concepts seen, on {group.images} images"
    yield f"--concepts broden:{written.folder} opens them"


def _bar(numbers: Iterable[int]) -> Iterable[int]:
    from tqdm import tqdm

    return tqdm(numbers, desc="writing", unit="image", disable=None, delay=1)
