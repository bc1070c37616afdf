"""Which photographs are annotated, and how? One string names a set: `coco:DIR`, `voc:DIR`, `ilsvrc:DIR`.

open_annotated("voc:VOCdevkit/VOC2012:val").categories

Each layout is a module; what they give is in `neuro_explain.evaluate.annotations`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from neuro_explain.evaluate.annotated.coco import open_coco
from neuro_explain.evaluate.annotated.ilsvrc import open_ilsvrc
from neuro_explain.evaluate.annotated.voc import open_voc
from neuro_explain.evaluate.annotations import AnnotatedSet

_LAYOUTS: dict[str, Callable[[Path], AnnotatedSet]] = {
    "coco": open_coco,
    "voc": open_voc,
    "ilsvrc": open_ilsvrc,
}


def open_annotated(spec: str) -> AnnotatedSet:
    """The annotated images that a string names.

    Raises:
        FileNotFoundError: folders or files are missing.
        ValueError: no such layout, or what is there is broken; no image has an annotation.
    """
    kind, place = layout_of(spec)
    return _LAYOUTS[kind](place)


def layout_of(spec: str) -> tuple[str, Path]:
    """The layout that a string names, and the place; nothing is opened.

    Raises:
        ValueError: no such layout, or no place.
    """
    kind, colon, place = str(spec).partition(":")
    if not colon or kind not in _LAYOUTS or not place:
        raise ValueError(
            f"images: expected {', '.join(f'{layout}:DIR' for layout in _LAYOUTS)}, got {spec!r}"
        )
    return kind, Path(place).expanduser()
