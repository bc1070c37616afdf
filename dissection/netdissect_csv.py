"""Names in the layout of NetDissect's own result CSV: read as names, written from a dissection.

A row per unit, best first, units numbered from 1: `unit, category, label, score`, then for each category
`CAT-label, CAT-truth, CAT-activation, CAT-intersect, CAT-iou`: its best label there, and G, A, I and IoU of
it. Broden tells equal words apart by a suffix (`street-s` the scene, `black-c` the colour); here the category
does, so the suffix is taken off on reading and put back on writing.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np

from dissection.artifact import ArtifactError
from dissection.names import MIN_IOU, Names, UnitName
from dissection.readers.broden import broden_name, concept_from_broden
from dissection.result import Dissection

_FIELDS = ("label", "truth", "activation", "intersect", "iou")

_MOST = 2  # where a label counts twice in a pixel, as there, an IoU may exceed 1


def read_netdissect_csv(path: str | os.PathLike[str], *, min_iou: float = MIN_IOU) -> Names:
    """Names from a result CSV. They carry neither layer nor weights, so they cannot be verified.

    Args:
        path: the file.
        min_iou: the IoU that a name needs; NetDissect itself printed 0.04.

    Raises:
        ArtifactError: not such a file; units that are missing or twice.
    """
    file = Path(path)
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            columns = list(reader.fieldnames or ())
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ArtifactError(f"{file} cannot be read as a NetDissect result CSV ({error})") from error
    if not {"unit", "category", "label", "score"} <= set(columns):
        raise ArtifactError(
            f"{file} is not a NetDissect result CSV: expected the columns unit, category, label, score; "
            f"got {', '.join(columns[:6]) or 'none'}"
        )
    categories = [name.removesuffix("-label") for name in columns if name.endswith("-label")]
    units: dict[int, UnitName] = {}
    for line, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise ArtifactError(f"{file}, line {line}: expected {len(columns)} cells, got more or fewer")
        try:
            number, score = int(row["unit"]) - 1, _share(row["score"])
            scored = [(_share(row[f"{cat}-iou"]), cat, row[f"{cat}-label"]) for cat in categories]
        except (ValueError, TypeError, KeyError) as error:
            raise ArtifactError(f"{file}, line {line}: not a unit's numbers ({error})") from error
        if number in units:
            raise ArtifactError(f"{file}, line {line}: unit {number + 1} stands there twice")
        # The layout has a label in every row, also where nothing overlaps.
        best = concept_from_broden(row["label"], row["category"]) if score > 0 else None
        others = [(iou, concept_from_broden(label, cat)) for iou, cat, label in scored if label]
        # The table keeps one label per category, so this is the best label of another category.
        runner = max((o for o in others if o[1] != best and o[0] > 0), key=lambda o: o[0], default=None)
        units[number] = UnitName(
            unit=number,
            concept=best if score >= min_iou else None,
            iou=None if best is None else score,
            best=best,
            runner_up=None if runner is None else runner[1],
            runner_up_iou=None if runner is None else runner[0],
        )
    if sorted(units) != list(range(len(units))) or not units:
        raise ArtifactError(
            f"{file}: expected the units 1 to {max(len(units), 1)}, each once; some are missing"
        )
    return Names(
        units=tuple(units[number] for number in range(len(units))),
        layer=None,
        fingerprint=None,
        source=file.name,
        concept_sets=(),
        quantile=None,
        min_iou=min_iou,
        exemplars={},
    )


def _share(cell: str) -> float:
    value = float(cell)
    if not 0 <= value <= _MOST:
        raise ValueError(f"expected an IoU from 0 to 1 (to 2 where labels count twice), got {cell}")
    return value


def write_netdissect_csv(names: Dissection, path: str | os.PathLike[str]) -> None:
    """Writes a dissection in NetDissect's layout, best units first.

    The layout knows no empty cells: where nothing overlaps, the first label stands there with IoU 0.
    """
    ious = names.iou
    members = [np.flatnonzero(names.category_of == k) for k in range(len(names.categories))]
    rows: list[dict[str, object]] = []
    for name in sorted(names, key=lambda name: -(name.iou or 0.0)):
        best = name.best or names.concepts[0]
        row: dict[str, object] = {
            "unit": name.unit + 1,
            "category": best.category,
            "label": broden_name(best),
            "score": name.iou or 0.0,
        }
        for k, category in enumerate(names.categories):
            number = members[k][ious[name.unit, members[k]].argmax()]
            cells = (
                broden_name(names.concepts[number]),
                int(names.concept_area[number]),
                float(names.activation_area[name.unit, k]),
                int(names.intersection[name.unit, number]),
                float(ious[name.unit, number]),
            )
            row |= {f"{category}-{field}": cell for field, cell in zip(_FIELDS, cells, strict=True)}
        rows.append(row)
    with Path(path).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
