"""Made-up folders of a batch run: every column and file of the layout, as many rows as a test or benchmark wants.

    make_batch(tmp_path / "run", rows=600, units=24, classes=3, metadata={"gender": ("f", "m")},
               planted=[Planted("class 0", "concept 1", "gender", "m", 2.0)])

No network stands behind it. A unit's activation S is half-normal, the alpha of each class is drawn once, and the
contribution of a unit is alpha · S, to which planted effects are added (so there it is no product any more).
Everything follows from the seed; parts are drawn one after the other, so the first parts of a longer run are the same.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from dissection.artifact import describe_run, file_record, write_json

TILE, TILES = 64, 32  # side of a thumbnail, and thumbnails in a row of a sheet
_UNIT = pa.struct(
    [
        ("unit", pa.int32()),
        ("concept", pa.string()),
        ("category", pa.string()),
        ("iou", pa.float32()),
        ("alpha", pa.float32()),
        ("contribution", pa.float32()),
    ]
)
_EXPLAINED = pa.struct(
    [
        ("class", pa.int32()),
        ("score", pa.float32()),
        ("probability", pa.float32()),
        ("top", pa.list_(_UNIT)),
        ("bottom", pa.list_(_UNIT)),
        ("map", pa.list_(pa.float32())),
    ]
)
_FLOATS = pa.list_(pa.float32())


@dataclass(frozen=True)
class Planted:
    """For images of this class whose metadata column has this value, the concept contributes `size` more to it."""

    of: str
    concept: str
    column: str
    value: str
    size: float


def make_batch(
    folder: Path,
    *,
    rows: int = 100,
    units: int = 16,
    classes: int | Sequence[str] = 4,
    concepts: int | Sequence[tuple[str, str]] = 6,
    seed: int = 0,
    unnamed: float = 0.25,
    labelled: float = 1.0,
    accuracy: float = 0.7,
    errors: float = 0.0,
    metadata: Mapping[str, Sequence[str | None]] | None = None,
    planted: Sequence[Planted] = (),
    alpha_varies: bool = False,
    thumbnails: bool = True,
    ids: Sequence[str] | None = None,
    explained: int = 3,
    top: int = 3,
    map_size: tuple[int, int] = (2, 3),
    batch: int = 64,
    part: int = 512,
    finished: bool = True,
) -> Path:
    """Writes the folder of a batch run and returns it.

    Args:
        folder: a new folder.
        rows: images.
        units: units of the layer.
        classes: names of the classes, or how many ("class 0", "class 1", …).
        concepts: names and categories of the concepts, or how many ("concept 0", …, of category "object" or "part").
        seed: of everything drawn.
        unnamed: share of the units that have no name; the others take the concepts in turn.
        labelled: share of the images that have a label.
        accuracy: share of the labelled images that are predicted as labelled.
        errors: share of the images that could not be read.
        metadata: the values that each metadata column takes, drawn alike often; None is a missing one.
        planted: what is to be found.
        alpha_varies: alpha of each image its own (then a column) instead of each class (then a file).
        thumbnails: write the sheets.
        ids: of the images; "LABEL or unlabelled/NUMBER.jpg" if not given.
        explained: classes explained per image (K); the label comes on top.
        top: units per side and class.
        map_size: h, w.
        batch: images in a forward batch.
        part: images in a part.
        finished: whether there is a manifest.
    """
    names = tuple(f"class {c}" for c in range(classes)) if isinstance(classes, int) else tuple(classes)
    if isinstance(concepts, int):
        concepts = [(f"concept {g}", ("object", "part")[g % 2]) for g in range(concepts)]
    rng = np.random.default_rng([seed, 0])
    drawn = _Drawn(names, _units(units, concepts, unnamed, rng), rng.normal(0, 1, (len(names), units)))
    columns = dict(metadata or {})
    (folder / "predictions").mkdir(parents=True)
    run: dict[str, Any] = {
        "schema_version": 1,
        "kind": "batch",
        "model": "toy",
        "layer": "layer4",
        "weights_fingerprint": "0" * 64,
        "names": {"source": "names of a toy", "fingerprint": "1" * 64},
        "inputs": {
            "source": "photographs",
            "count": rows,
            "fingerprint": "2" * 64,
            "labelled": labelled > 0,
            "metadata": list(columns),
        },
        "classes": list(names),
        "units": units,
        "map": list(map_size),
        "options": {
            "top": top,
            "explained": explained,
            "rank_by": "contribution",
            "named_only": False,
            "batch": batch,
            "part": part,
            "thumbnails": thumbnails,
        },
        "alpha_varies": alpha_varies,
        "preprocess": {"size": [224, 224]},
    }
    described = describe_run(
        "batch",
        model="toy",
        layer="layer4",
        weights_fingerprint="0" * 64,
        data_fingerprint="2" * 64,
        options=run["options"],
        seed=seed,
        command=["neuro-explain", "batch", "photographs", "--out", folder.name],
    )
    run |= {"seed": seed, "versions": described["versions"]}
    write_json(folder / "run.json", run)
    _write_units(folder / "units.csv", drawn.names)
    if not alpha_varies:
        np.save(folder / "class_alpha.npy", drawn.alpha)
    summary = dict.fromkeys(("images", "errors", "labelled", "right"), 0)
    for number, start in enumerate(range(0, rows, part)):
        count = min(part, rows - start)
        table = drawn.part(
            np.random.default_rng([seed, 1, number]),
            np.arange(start, start + count),
            ids=ids,
            shares=(labelled, accuracy, errors),
            metadata=columns,
            planted=planted,
            alpha_varies=alpha_varies,
            explained=min(explained, len(names)),
            top=min(top, units),
            map_size=map_size,
            batch=batch,
        )
        strings = ["id", "error", *(f"meta.{name}" for name in columns)]
        path = folder / "predictions" / f"part-{number:06d}.parquet"
        pq.write_table(table, path, compression="zstd", compression_level=1, use_dictionary=strings)
        if thumbnails:
            (folder / "thumbnails").mkdir(exist_ok=True)
            bad = tuple(np.flatnonzero(table["error"].is_valid().to_numpy()))
            (folder / "thumbnails" / f"part-{number:06d}.webp").write_bytes(_sheet(count, bad))
        summary["images"] += count
        summary["errors"] += count - table["error"].null_count
        summary["labelled"] += count - table["label"].null_count
        summary["right"] += sum(value is True for value in table["right"].to_pylist())
    if finished:
        files = {
            path.relative_to(folder).as_posix(): file_record(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        write_json(folder / "manifest.json", {**described, **run, "summary": summary, "files": files})
    return folder


@dataclass(frozen=True)
class _Names:
    """Of each unit: concept, category, IoU (NaN if unnamed), threshold."""

    concept: pa.Array
    category: pa.Array
    iou: np.ndarray
    threshold: np.ndarray


def _units(
    units: int, concepts: Sequence[tuple[str, str]], unnamed: float, rng: np.random.Generator
) -> _Names:
    bare = np.zeros(units, bool)
    bare[rng.permutation(units)[: round(unnamed * units) if concepts else units]] = True
    turn = np.cumsum(~bare) - 1
    named = [None if bare[k] else concepts[turn[k] % len(concepts)] for k in range(units)]
    return _Names(
        pa.array([one and one[0] for one in named], pa.string()),
        pa.array([one and one[1] for one in named], pa.string()),
        np.where(bare, np.nan, rng.uniform(0.04, 0.3, units)).astype(np.float32),
        rng.uniform(0.5, 3, units).astype(np.float32),
    )


def _write_units(path: Path, names: _Names) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["unit", "concept", "category", "iou", "threshold"])
        concepts, categories = names.concept.to_pylist(), names.category.to_pylist()
        for unit, (concept, category) in enumerate(zip(concepts, categories, strict=True)):
            iou = "" if concept is None else f"{names.iou[unit]:.6f}"
            writer.writerow([unit, concept, category, iou, f"{names.threshold[unit]:.6f}"])


class _Drawn:
    """What is drawn once for the run, and its parts."""

    def __init__(self, classes: tuple[str, ...], names: _Names, alpha: np.ndarray) -> None:
        self.classes, self.names, self.alpha = classes, names, alpha.astype(np.float32)

    def part(
        self,
        rng: np.random.Generator,
        numbers: np.ndarray,
        *,
        ids: Sequence[str] | None,
        shares: tuple[float, float, float],
        metadata: Mapping[str, Sequence[str | None]],
        planted: Sequence[Planted],
        alpha_varies: bool,
        explained: int,
        top: int,
        map_size: tuple[int, int],
        batch: int,
    ) -> pa.Table:
        """The rows of these images."""
        n, classes = len(numbers), len(self.classes)
        labelled, accuracy, errors = shares
        bad, has_label = rng.random(n) < errors, rng.random(n) < labelled
        label = rng.integers(0, classes, n)
        other = (label + rng.integers(1, max(2, classes), n)) % classes
        predicted = np.where(rng.random(n) < accuracy, label, other)
        meta = {name: rng.integers(0, len(values), n) for name, values in metadata.items()}
        activation = np.abs(rng.standard_normal((n, len(self.names.iou)), dtype=np.float32))
        noise = np.float32(1)
        if alpha_varies:
            noise = rng.uniform(0.5, 1.5, activation.shape).astype(np.float32)
        probability = rng.uniform(0.2, 1, n)

        def alphas(rows: np.ndarray, of: np.ndarray) -> np.ndarray:
            return self.alpha[of] * (noise[rows] if alpha_varies else noise)

        def contributions(rows: np.ndarray, of: np.ndarray) -> np.ndarray:
            values = alphas(rows, of) * activation[rows]
            for effect in planted:
                its_units = np.flatnonzero(
                    self.names.concept.to_numpy(zero_copy_only=False) == effect.concept
                )
                value = metadata[effect.column].index(effect.value)
                its_rows = (of == self.classes.index(effect.of)) & (meta[effect.column][rows] == value)
                values[np.ix_(its_rows, its_units)] += effect.size / len(its_units)
            return values

        good = np.flatnonzero(~bad)
        wrong = np.flatnonzero(~bad & has_label & (label != predicted))
        columns: dict[str, pa.Array] = {
            "id": pa.array(
                [
                    ids[i] if ids is not None else f"{self.classes[c] if known else 'unlabelled'}/{i:06d}.jpg"
                    for i, c, known in zip(numbers.tolist(), label, has_label, strict=True)
                ]
            ),
            "batch": pa.array((numbers // batch).astype(np.int32)),
            "error": pa.array(["cannot be read: truncated" if one else None for one in bad], pa.string()),
            "label": pa.array(label.astype(np.int32), mask=~has_label),
            "predicted": pa.array(predicted.astype(np.int32), mask=bad),
        }
        mine = contributions(good, predicted[good])
        score = np.zeros(n, np.float32)
        score[good] = mine.sum(axis=1)
        columns |= {
            "probability": pa.array(probability.astype(np.float32), mask=bad),
            "score": pa.array(score, mask=bad),
            "right": pa.array(label == predicted, mask=bad | ~has_label),
            "width": pa.array(rng.integers(200, 2000, n).astype(np.int32), mask=bad),
            "height": pa.array(rng.integers(200, 2000, n).astype(np.int32), mask=bad),
        }
        # The predicted class first, then others at random, then the label if it is not among them.
        key = rng.random((n, classes))
        key[np.arange(n), predicted] = -1
        order = np.argsort(key, axis=1)[:, :explained]
        keep = np.concatenate(
            [np.ones((n, explained), bool), (has_label & ~(order == label[:, None]).any(axis=1))[:, None]], 1
        )
        keep[bad] = False
        rows, slots = np.nonzero(keep)
        of = np.concatenate([order, label[:, None]], axis=1)[rows, slots]
        values, alpha = contributions(rows, of), alphas(rows, of)
        maps = values.sum(axis=1)[:, None] * rng.dirichlet(np.ones(map_size[0] * map_size[1]), len(rows))
        structs = pa.StructArray.from_arrays(
            [
                pa.array(of.astype(np.int32)),
                pa.array((score[rows] - slots).astype(np.float32)),
                pa.array(_falling(probability[rows], slots).astype(np.float32)),
                self._units(_strongest(-values, top), alpha, values),
                self._units(_strongest(values, top), alpha, values),
                _lists(maps.astype(np.float32), np.ones(len(rows), bool)),
            ],
            fields=list(_EXPLAINED),
        )
        columns["explained"] = _ragged(structs, keep.sum(axis=1), ~bad)
        columns["contribution"] = _lists(mine, ~bad)
        columns["alpha"] = _lists(alphas(good, predicted[good]), ~bad) if alpha_varies else _nulls(n)
        has_wrong = np.zeros(n, bool)
        has_wrong[wrong] = True
        columns["label_contribution"] = _lists(contributions(wrong, label[wrong]), has_wrong)
        columns["label_alpha"] = _lists(alphas(wrong, label[wrong]), has_wrong) if alpha_varies else _nulls(n)
        for name, values_of in metadata.items():
            columns[f"meta.{name}"] = pa.array([values_of[v] for v in meta[name]], pa.string())
        return pa.table(columns)

    def _units(self, which: np.ndarray, alpha: np.ndarray, values: np.ndarray) -> pa.Array:
        """Of each row, these units as a list of structs."""
        flat = which.ravel()
        rows = np.repeat(np.arange(len(which)), which.shape[1])
        iou = self.names.iou[flat]
        structs = pa.StructArray.from_arrays(
            [
                pa.array(flat.astype(np.int32)),
                self.names.concept.take(pa.array(flat)),
                self.names.category.take(pa.array(flat)),
                pa.array(iou, mask=np.isnan(iou)),
                pa.array(alpha[rows, flat]),
                pa.array(values[rows, flat]),
            ],
            fields=list(_UNIT),
        )
        return _ragged(structs, np.full(len(which), which.shape[1]), np.ones(len(which), bool))


def _strongest(values: np.ndarray, top: int) -> np.ndarray:
    """Of each row, the places of its smallest values, smallest first."""
    few = np.argpartition(values, top - 1, axis=1)[:, :top]
    return np.take_along_axis(few, np.take_along_axis(values, few, axis=1).argsort(axis=1), axis=1)


def _falling(probability: np.ndarray, slots: np.ndarray) -> np.ndarray:
    """The first class has `probability`; each later one half of what the earlier ones leave, or of the first's."""
    return np.where(slots == 0, probability, np.minimum(probability, 1 - probability) / 2.0**slots)


def _ragged(values: pa.Array, lengths: np.ndarray, valid: np.ndarray) -> pa.Array:
    """Lists of these lengths over the values; null where not valid (whose length must be 0)."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets, mask=np.concatenate([~valid, [False]])), values)


def _lists(values: np.ndarray, valid: np.ndarray) -> pa.Array:
    """The rows of a matrix as lists, one for each valid place, null between."""
    return _ragged(pa.array(values.astype(np.float32).ravel()), np.where(valid, values.shape[1], 0), valid)


def _nulls(n: int) -> pa.Array:
    return pa.nulls(n, _FLOATS)


@cache
def _sheet(count: int, bad: tuple[int, ...]) -> bytes:
    """Tiles whose colour tells their place: red grows to the right, green downwards, blue with the row's parity."""
    number = np.arange(-(-count // TILES) * TILES)
    across, down = number % TILES, number // TILES
    colour = np.stack([across * 8, down * 15 % 256, 200 * (number % 2)], axis=1).astype(np.uint8)
    colour[count:] = 255
    colour[list(bad)] = 255
    sheet = colour.reshape(-1, TILES, 3).repeat(TILE, axis=0).repeat(TILE, axis=1)
    stream = io.BytesIO()
    Image.fromarray(sheet).save(stream, "WEBP", quality=60, method=0)
    return stream.getvalue()


def read_json(path: Path) -> Any:
    """What a file of the folder holds."""
    return json.loads(path.read_text(encoding="utf-8"))
