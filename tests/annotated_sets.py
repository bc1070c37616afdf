"""Annotated photographs for tests: the layouts on disk, and a network whose maps are the colours of the picture.

`color_model` has the classes red, green and blue; the map of "red" is the picture's red channel, pixel by pixel, so
what any score must be can be told from the rectangles that were painted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from neuro_explain.model import Model
from neuro_explain.preprocess import Preprocess

COLORS = {"red": 0, "green": 1, "blue": 2}


def color_model(size: tuple[int, int] = (32, 32), **recipe: Any) -> Model:
    """Scores are the mean of each channel; shows the whole picture, at its own size if that is (height, width)."""
    conv, head = nn.Conv2d(3, 3, 1, bias=False), nn.Linear(3, 3, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.eye(3)[:, :, None, None])
        head.weight.copy_(torch.eye(3))
    net = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head).eval()
    options: dict[str, Any] = {"resize": size, "interpolation": "nearest", **recipe}
    preprocess = Preprocess(size, mean=(0, 0, 0), std=(1, 1, 1), **options)
    return Model(net, preprocess=preprocess, classes=list(COLORS), layer="1", name="colours")


def painted(
    width: int, height: int, rectangles: Sequence[tuple[str, tuple[int, int, int, int], int]]
) -> Image.Image:
    """Black, with rectangles (color, (left, top, right, bottom), brightness) that add up in their channels."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for color, (left, top, right, bottom), value in rectangles:
        pixels[top:bottom, left:right, COLORS[color]] = value
    return Image.fromarray(pixels)


def write_coco(
    root: Path,
    images: Sequence[tuple[Image.Image, Sequence[dict[str, Any]]]],
    categories: Sequence[str] = ("red", "green", "blue"),
) -> Path:
    """The instances layout: each image with its annotations, whose `category` is a name."""
    (root / "annotations").mkdir(parents=True)
    (root / "val").mkdir()
    numbers = {name: 3 * place + 1 for place, name in enumerate(categories)}  # with gaps, as in COCO
    table: dict[str, Any] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": number, "name": name} for name, number in numbers.items()],
    }
    for key, (image, things) in enumerate(images, start=10):
        image.save(root / "val" / f"{key}.png")
        width, height = image.size
        table["images"].append({"id": key, "file_name": f"{key}.png", "width": width, "height": height})
        for thing in things:
            record = {"id": len(table["annotations"]), "image_id": key, "iscrowd": 0, **thing}
            record["category_id"] = numbers[record.pop("category")]
            table["annotations"].append(record)
    (root / "annotations" / "instances_val.json").write_text(json.dumps(table))
    return root


def xml(size: tuple[int, int], objects: Sequence[tuple[str, tuple[float, ...], bool]]) -> str:
    """An annotation in XML: (width, height), and objects (name, (xmin, ymin, xmax, ymax), difficult)."""
    things = "".join(
        f"<object><name>{name}</name><difficult>{int(difficult)}</difficult><part><name>head</name><bndbox><xmin>1</xmin>"
        "<ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part><bndbox>"
        + "".join(
            f"<{corner}>{value}</{corner}>"
            for corner, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
        )
        + "</bndbox></object>"
        for name, box, difficult in objects
    )
    return f"<annotation><size><width>{size[0]}</width><height>{size[1]}</height></size>{things}</annotation>"


def write_voc(
    root: Path,
    images: dict[str, tuple[Image.Image, Sequence[tuple[str, tuple[float, ...], bool]]]],
    segmentations: dict[str, np.ndarray] | None = None,
) -> Path:
    """One year's folder."""
    for folder in ("Annotations", "JPEGImages", "SegmentationClass", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    for stem, (image, objects) in images.items():
        image.save(root / "JPEGImages" / f"{stem}.png")
        (root / "Annotations" / f"{stem}.xml").write_text(xml(image.size, objects))
    for stem, values in (segmentations or {}).items():
        palette = Image.fromarray(values.astype(np.uint8), "L").convert("P")
        palette.putdata(values.astype(np.uint8).ravel().tolist())
        palette.save(root / "SegmentationClass" / f"{stem}.png")
    return root
