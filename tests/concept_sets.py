"""Tiny concept sets on disk in each documented layout, and image files that Pillow itself cannot write."""

from __future__ import annotations

import csv
import json
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dissection.concepts import Concept, ConceptNameError


def png_bytes(width: int, height: int, depth: int, color: int, rows: Sequence[bytes]) -> bytes:
    """A PNG with the given bit depth and colour type (0 grey, 2 RGB), one bytes object per packed row."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def write_csv(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def write_photo(path: Path, width: int = 6, height: int = 4, seed: int = 0) -> NDArray[np.uint8]:
    """A lossless photograph of random pixels; returns them."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def write_mask(path: Path, values: Any, dtype: Any = np.uint8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, dtype=dtype)).save(path)


def write_rgb_mask(path: Path, values: Any) -> None:
    """Numbers spread over red, green and blue, as Broden and COCO do."""
    numbers = np.asarray(values, dtype=np.int64)
    channels = np.stack([numbers % 256, numbers // 256 % 256, numbers // 65536], axis=-1)
    write_mask(path, channels)


BRODEN_CATEGORIES = ("color", "object", "part", "scene", "texture")
BRODEN_LABELS = (
    (1, "black-c", "color(2)"),
    (2, "car", "object(2);part(1)"),
    (3, "wheel", "part(1)"),
    (300, "street", "object(1)"),
    (301, "street-s", "scene(1)"),
    (302, "grid", "texture(1)"),
    (303, "dotted", "texture(1)"),
)


def write_broden(root: Path, codes: Mapping[str, Sequence[int]] | None = None) -> Path:
    """Three images of 8 × 6, labels of 4 × 3: pixels in layers, a scene, textures, one without any label."""
    for seed, name in enumerate(("ade/a.png", "dtd/b.png", "dtd/c.png")):
        write_photo(root / "images" / name, 8, 6, seed)
    write_rgb_mask(root / "images/ade/a_color.png", [[1, 1, 1, 1]] * 3)
    write_rgb_mask(root / "images/ade/a_object.png", [[0, 2, 2, 300]] * 3)
    write_rgb_mask(root / "images/ade/a_part_1.png", [[0, 3, 0, 0]] * 3)
    write_rgb_mask(root / "images/ade/a_part_2.png", [[2, 2, 0, 0]] * 3)
    write_csv(
        root / "index.csv",
        [
            ("image", "split", "ih", "iw", "sh", "sw", *BRODEN_CATEGORIES),
            (
                *("ade/a.png", "train", 6, 8, 3, 4, "ade/a_color.png", "ade/a_object.png"),
                *("ade/a_part_1.png;ade/a_part_2.png", "301", ""),
            ),
            ("dtd/b.png", "val", 6, 8, 3, 4, "", "", "", "", "303;302"),
            ("dtd/c.png", "val", 6, 8, 3, 4, "", "", "", "0", ""),
        ],
    )
    write_csv(root / "category.csv", [("name", "first"), *((name, 1) for name in BRODEN_CATEGORIES)])
    write_csv(root / "label.csv", [("number", "name", "category"), *BRODEN_LABELS])
    for category, numbers in (codes or {}).items():
        rows = [(code, number) for code, number in enumerate(numbers, start=1)]
        write_csv(root / f"c_{category}.csv", [("code", "number"), *rows])
    return root


COCO_CATEGORIES = [
    {"id": 1, "name": "person", "isthing": 1},
    {"id": 44, "name": "bottle", "isthing": 1},
    {"id": 187, "name": "sky-other-merged", "isthing": 0},
]
COCO_MASK = ((0, 1, 1, 187), (44, 1, 1, 187))


def write_coco_masks(root: Path) -> Path:
    """One annotated image of 4 × 2 and one without a mask."""
    write_photo(root / "images/val2017/000000000001.png", 4, 2)
    write_photo(root / "images/val2017/000000000002.png", 4, 2)
    write_mask(root / "semantic_segmentation/masks/val2017/000000000001.png", COCO_MASK)
    (root / "categories.json").write_text(json.dumps(COCO_CATEGORIES))
    return root


def panoptic_json() -> dict[str, Any]:
    segments = [
        {"id": 7, "category_id": 1},
        {"id": 70_000, "category_id": 187},
        {"id": 300, "category_id": 44},
    ]
    return {
        "images": [
            {"id": 1, "file_name": "000000000001.png", "width": 4, "height": 2},
            {"id": 2, "file_name": "000000000002.png", "width": 4, "height": 2},
        ],
        "annotations": [{"image_id": 1, "file_name": "000000000001.png", "segments_info": segments}],
        "categories": COCO_CATEGORIES,
    }


def write_coco_panoptic(root: Path, images: str = "images/val2017") -> Path:
    """The same labels as `write_coco_masks`, as segments."""
    write_photo(root / images / "000000000001.png", 4, 2)
    write_photo(root / images / "000000000002.png", 4, 2)
    segment = {0: 0, 1: 7, 187: 70_000, 44: 300}
    write_rgb_mask(
        root / "annotations/panoptic_val2017/000000000001.png",
        [[segment[value] for value in row] for row in COCO_MASK],
    )
    (root / "annotations/panoptic_val2017.json").write_text(json.dumps(panoptic_json()))
    return root


FOLDER_LABELS = ((0, "road", "object"), (3, "wheel", "part"), (7, "car", "object"))
FOLDER_MASK = ((0, 3, 7, 9), (9, 9, 3, 0))


def write_folder(root: Path, *, index: bool = True) -> Path:
    """Two images of 4 × 2; value 0 is a label, 9 is none."""
    for seed, stem in enumerate(("a", "b")):
        write_photo(root / f"images/{stem}.png", 4, 2, seed)
        write_mask(root / f"masks/{stem}.png", FOLDER_MASK)
    write_csv(root / "labels.csv", [("value", "name", "category"), *FOLDER_LABELS])
    if index:
        rows = [(f"images/{stem}.png", f"masks/{stem}.png") for stem in ("b", "a")]
        write_csv(root / "index.csv", [("image", "mask"), *rows])
    return root


def write_image_labels(root: Path) -> Path:
    """Three images; the last two lack a mood."""
    for seed, stem in enumerate(("1", "2", "3")):
        write_photo(root / f"photos/{stem}.png", seed=seed)
    path = root / "labels.csv"
    write_csv(
        path,
        [
            ("image", "scene", "mood"),
            ("photos/1.png", "street", "busy;loud"),
            ("photos/2.png", "beach", ""),
            ("photos/3.png", "", ""),
        ],
    )
    return path


def may_be_a_name(text: str) -> bool:
    """Whether a concept may be called so."""
    try:
        Concept(text, "object")
    except ConceptNameError:
        return False
    return True
