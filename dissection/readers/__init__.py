"""Concept sets by name: one string each, several joined.

    concepts = open_concepts("broden:data/broden1_224")
    concepts = open_concepts(["coco:data/coco", "labels:data/dtd/labels.csv", "colors"])

| spec | a set of |
|---|---|
| `broden:DIR` | Broden 1: pixels, parts, whole images in up to six categories |
| `coco:DIR` | COCO panoptic: things and stuff |
| `ade20k:DIR` | ADE20K: SceneParse150, or the full set with parts |
| `voc:DIR` | PASCAL VOC: twenty classes |
| `voc-context:DIR` | PASCAL-Context: things and stuff on VOC's photographs |
| `voc-part:DIR` | PASCAL-Part: objects and their parts on VOC's photographs |
| `cityscapes:DIR` | Cityscapes, and street scenes in its layout |
| `labelme:DIR` | outlines drawn with LabelMe, XML or JSON |
| `dtd:DIR` | Describable Textures: whole-image labels |
| `hf:PATH` | a data set of Hugging Face with a column of masks |
| `folder:DIR` | your images and masks, with `labels.csv` |
| `labels:FILE.csv` | images with whole-image labels |
| `images:DIR` | photographs without labels |
| `colors` | the eleven colour names of every image of the other sets |

Each kind's layout stands at the top of its module. A set of your own is any object with the members of
`ConceptDataset`, and may stand in the list beside specs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dissection.concepts import ConceptDataset, ConceptNameError
from dissection.readers.ade20k import open_ade20k
from dissection.readers.broden import Broden, broden_name, concept_from_broden
from dissection.readers.cityscapes import Cityscapes
from dissection.readers.coco import open_coco
from dissection.readers.colors import WithColors
from dissection.readers.dtd import DescribableTextures
from dissection.readers.errors import ConceptSetError, MissingFileError, hint
from dissection.readers.folder import MaskFolder
from dissection.readers.hugging_face import open_hugging_face
from dissection.readers.image_labels import ImageLabels
from dissection.readers.labelme import LabelMe
from dissection.readers.photographs import Photographs
from dissection.readers.union import Union
from dissection.readers.voc import Voc
from dissection.readers.voc_context import VocContext
from dissection.readers.voc_part import VocPart

__all__ = [
    "READERS",
    "Broden",
    "ConceptSetError",
    "MissingFileError",
    "Spec",
    "Union",
    "WithColors",
    "broden_name",
    "concept_from_broden",
    "open_concepts",
]

Spec = str | os.PathLike[str] | ConceptDataset

READERS: Mapping[str, Callable[[str], ConceptDataset]] = {
    "broden": Broden,
    "coco": open_coco,
    "ade20k": open_ade20k,
    "voc": Voc,
    "voc-context": VocContext,
    "voc-part": VocPart,
    "cityscapes": Cityscapes,
    "labelme": LabelMe,
    "dtd": DescribableTextures,
    "hf": open_hugging_face,
    "folder": MaskFolder,
    "labels": ImageLabels,
    "images": Photographs,
}

_COLORS = "colors"
_MEMBERS = ("concepts", "fingerprint", "__len__", "image_id", "image", "labels")


def open_concepts(
    specs: Spec | Sequence[Spec], *, more: Mapping[str, Callable[[str], ConceptDataset]] | None = None
) -> ConceptDataset:
    """Open one concept set, or several as one.

    Args:
        specs: "KIND:PATH" or "colors", a set of your own, or a sequence of these. The order decides the
            numbers of the concepts; `colors` always comes last, since it labels the images of all others.
        more: further kinds, from the word before the colon to a function of what stands after it.

    Raises:
        ConceptSetError: an unknown kind, no set, a set named twice, `colors` alone, or a broken set.
    """
    readers = {**READERS, **(more or {})}
    several = isinstance(specs, Sequence) and not isinstance(specs, str)
    listed: list[Spec] = list(specs) if several else [specs]  # type: ignore[arg-type,list-item]
    sets: list[ConceptDataset] = []
    names: list[str] = []
    seen: set[str] = set()
    colors = False
    for spec in listed:
        if isinstance(spec, (str, os.PathLike)):
            text = os.fspath(spec)
            kind, path = _parse(text, readers)
            key = f"{kind}:{Path(path).expanduser().resolve()}"
            if key in seen:
                raise ConceptSetError(f"concept set {text!r} is named twice; its images would count twice")
            seen.add(key)
            colors |= kind == _COLORS
            if kind == _COLORS:
                continue
            opened = _opened(readers[kind], path, text)
        else:
            opened = _own(spec)
        sets.append(opened)
        names.append(str(getattr(opened, "name", type(opened).__name__.lower())))
    if not sets:
        raise ConceptSetError(
            "'colors' labels the images of other sets: name one beside it, such as 'images:DIR'"
            if colors
            else f"no concept set was named; one of {', '.join(f'{kind}:…' for kind in readers)} was expected"
        )
    joined = sets[0] if len(sets) == 1 else Union(sets, names)
    return WithColors(joined) if colors else joined


def _opened(reader: Callable[[str], ConceptDataset], path: str, spec: str) -> ConceptDataset:
    """A set; an error names its folder, of which there may be several."""
    try:
        return reader(path)
    except (ConceptSetError, ConceptNameError) as error:
        if str(error).startswith((path, str(Path(path).expanduser()), spec)):
            raise
        kind = type(error) if isinstance(error, ConceptSetError) else ConceptSetError
        raise kind(f"{spec}: {error}") from error


def _parse(text: str, readers: Mapping[str, object]) -> tuple[str, str]:
    """The kind and what stands after its colon."""
    kind, colon, path = text.partition(":")
    if kind == _COLORS:
        if path:
            raise ConceptSetError(
                f"concept set {text!r}: 'colors' stands alone, it labels all the other sets"
            )
        return kind, ""
    if kind in readers:
        if not path:
            raise ConceptSetError(f"concept set {text!r}: a path was expected after '{kind}:'")
        return kind, path
    known = [*(f"{name}:…" for name in readers), _COLORS]
    if not colon:
        guess = _guess(Path(text).expanduser())
        meant = f"did you mean {guess!r}?" if guess else hint(kind, [*readers, _COLORS])
        raise ConceptSetError(f"concept set {text!r} does not say its kind ({', '.join(known)}); {meant}")
    raise ConceptSetError(
        f"concept set {text!r}: {kind!r} is no kind of set; {', '.join(known)} was expected; "
        f"{hint(kind, [*readers, _COLORS])}"
    )


def _guess(path: Path) -> str | None:
    """The spec that a bare path might be meant as, for an error message only."""
    if path.is_file():
        return f"labels:{path}" if path.suffix == ".csv" else None
    if not path.is_dir():
        return None
    marks = {
        "category.csv": f"broden:{path}",
        "objectInfo150.txt": f"ade20k:{path}",
        "images/ADE": f"ade20k:{path}",
        "SegmentationClass": f"voc:{path}",
        "59_labels.txt": f"voc-context:{path}",
        "Annotations_Part": f"voc-part:{path}",
        "categories.json": f"coco:{path}",
        "annotations": f"coco:{path}",
        "leftImg8bit": f"cityscapes:{path}",
        "labels/labels_joint_anno.txt": f"dtd:{path}",
        "dataset_dict.json": f"hf:{path}",
        "state.json": f"hf:{path}",
        "masks": f"folder:{path}",
        "index.csv": f"folder:{path}",
        "labels.csv": f"labels:{path / 'labels.csv'}",
        "Annotations": f"labelme:{path}",
    }
    return next((spec for mark, spec in marks.items() if (path / mark).exists()), f"images:{path}")


def _own(spec: object) -> ConceptDataset:
    # not isinstance(spec, ConceptDataset): that would compute the fingerprint on older Pythons
    has = {*dir(type(spec)), *getattr(spec, "__dict__", {})}
    lacking = [name for name in _MEMBERS if name not in has]
    if lacking:
        raise ConceptSetError(
            f"{type(spec).__name__} is no concept set, it lacks {', '.join(lacking)}; "
            "dissection.concepts.ConceptDataset lists what a set needs"
        )
    return spec  # type: ignore[return-value]
