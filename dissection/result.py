"""The result of a dissection: names with the counts behind them, saved to a folder and read back.

    names.save("runs/resnet18/dissection")
    names = Dissection.load("runs/resnet18/dissection")

The folder's files and columns stand in docs/artifacts.md.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dissection import also, formulas
from dissection.also import label_rows
from dissection.artifact import (
    describe_run,
    new_artifact,
    read_arrays,
    read_artifact,
    read_csv,
    reading,
    write_csv,
    write_json,
)
from dissection.concepts import Concept
from dissection.formulas import Composition, composition_from, composition_row
from dissection.names import MAX_Q, Names, name_units, unit_row, units_frame
from dissection.overlap import iou, iou_ceiling
from dissection.presets import PRESETS
from dissection.significance import Significance
from dissection.summary import summary_of

if TYPE_CHECKING:
    import pandas as pd

KIND = "dissection"
_ARRAYS = (
    "threshold",
    "peak",
    "intersection",
    "activation_area",
    "concept_area",
    "category_of",
    "active_pixels",
)
_RUN = ("batch_size", "exemplars", "compositions")
_CHANCE = ("p", "q", "low", "high")
_EXEMPLAR_COLUMNS = ("unit", "rank", "image", "peak")
_OPTIONAL = ("evidence.csv", "compositions.csv")  # older artifacts, or those without formulas, lack them
_WITNESS_COLUMNS = ("unit", "rank", "kind", "image", "active", "labelled")


class UnitPictures(Mapping[int, bytes]):
    """The pictures of a saved dissection's units in one folder, read when asked for."""

    def __init__(self, folder: Path) -> None:
        self._paths = {
            int(path.stem.removeprefix("unit-")): path for path in sorted(folder.glob("unit-*.webp"))
        }

    def __getitem__(self, unit: int) -> bytes:
        return self._paths[unit].read_bytes()

    def __iter__(self) -> Iterator[int]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def exemplar_name(unit: int) -> str:
    """Where a unit's exemplars lie in an artifact folder."""
    return f"exemplars/unit-{unit:05d}.webp"


def evidence_name(unit: int) -> str:
    """Where the crops that speak for and against a unit's name lie in an artifact folder."""
    return f"evidence/unit-{unit:05d}.webp"


def _agreement(
    both: int | None, active: int | None, labelled: int | None, *, twice: bool
) -> dict[str, float | None]:
    """Precision, recall and F1 of I, A and G; None where there is no label, or nothing to divide by.

    Nor where a label may count twice in a pixel: I is no part of A then.
    """
    if twice or both is None or active is None or labelled is None:
        return dict.fromkeys(("precision", "recall", "f1"))
    return {
        "precision": both / active if active else None,
        "recall": both / labelled if labelled else None,
        "f1": 2 * both / (active + labelled) if active + labelled else None,
    }


@dataclass(frozen=True)
class Dissection(Names):
    """Names, and the counts that they come from.

    Attributes (beside those of `Names`):
        model_name, layer_reason: for people.
        data_fingerprint: of the concept set.
        concepts: the C concepts.
        categories: the K categories.
        map_size: (h, w) of the layer's maps.
        label_size: S.
        images, images_left_out: images used, and images without any label.
        threshold: T_k, float32 `[U]`.
        peak: each unit's largest activation, float32 `[U]`.
        intersection: I, int64 `[U, C]`.
        activation_area: A, int64 `[U, K]`.
        concept_area: G, int64 `[C]`.
        concept_images: images with the concept, int64 `[C]`.
        category_of: index of each concept's category, int64 `[C]`.
        category_area: pixels of images that carry the category, int64 `[K]`.
        active_pixels: int64 `[U]`.
        best_images: (unit, rank, image, peak) of the exemplars.
        witnesses: (unit, rank, kind, image, active, labelled) of what `evidence` shows, see `witnesses.Witness`.
        options: how it was run.
        max_q: the false discovery rate that a name may have.
        chance: what it would have given; None if that was not asked.
        preset: whose rules hold.
        compositions: the best formula over labels of each unit; empty if that was not asked.
    """

    model_name: str
    layer_reason: str
    data_fingerprint: str
    concepts: tuple[Concept, ...]
    categories: tuple[str, ...]
    map_size: tuple[int, int]
    label_size: int
    images: int
    images_left_out: int
    threshold: NDArray[np.float32]
    peak: NDArray[np.float32]
    intersection: NDArray[np.int64]
    activation_area: NDArray[np.int64]
    concept_area: NDArray[np.int64]
    concept_images: NDArray[np.int64]
    category_of: NDArray[np.int64]
    category_area: NDArray[np.int64]
    active_pixels: NDArray[np.int64]
    best_images: tuple[tuple[int, int, str, float], ...]
    options: dict[str, Any]
    max_q: float = MAX_Q
    chance: Significance | None = None
    preset: str = "ours"
    compositions: tuple[Composition, ...] = ()
    witnesses: tuple[tuple[int, int, str, str, int, int], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        units, concepts, categories = len(self.units), len(self.concepts), len(self.categories)
        shapes = {
            "threshold": (units,),
            "peak": (units,),
            "intersection": (units, concepts),
            "activation_area": (units, categories),
            "concept_area": (concepts,),
            "concept_images": (concepts,),
            "category_of": (concepts,),
            "category_area": (categories,),
            "active_pixels": (units,),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name}: expected shape {shape}, got {getattr(self, name).shape}")

    @property
    def iou(self) -> NDArray[np.float64]:
        """IoU of every unit with every concept, float64 `[U, C]`."""
        return iou(self.intersection, self.activation_area, self.concept_area, self.category_of)

    def _known(self) -> tuple[Concept, ...]:
        return self.concepts

    def to_frame(self) -> pd.DataFrame:
        """A row per unit with the columns of `units.csv`, indexed by unit."""
        types = dict.fromkeys(("intersection", "activation_area", "concept_area"), "Int64")
        types |= dict.fromkeys(("precision", "recall", "f1", "formula_iou"), "float64")
        frame: pd.DataFrame = units_frame(self._unit_rows()).astype(types | {"formula": "string"})
        return frame

    def _unit_rows(self) -> list[dict[str, object]]:
        index = {concept: number for number, concept in enumerate(self.concepts)}
        formulas_found = {one.unit: one for one in self.compositions if one.text}
        rows = []
        for name in self.units:
            counts: tuple[int | None, ...] = (None, None, None)
            if name.best is not None:
                best, unit = index[name.best], name.unit
                area = self.activation_area[unit, self.category_of[best]]
                counts = (int(self.intersection[unit, best]), int(area), int(self.concept_area[best]))
            row = unit_row(name)
            row["active_pixels"] = int(self.active_pixels[name.unit])
            row |= zip(("intersection", "activation_area", "concept_area"), counts, strict=True)
            row |= _agreement(*counts, twice=PRESETS[self.preset].twice)
            formula = formulas_found.get(name.unit)
            row["formula"] = None if formula is None else formula.text
            row["formula_iou"] = None if formula is None else formula.iou
            rows.append(row)
        return rows

    def concepts_frame(self) -> pd.DataFrame:
        """A row per concept with the columns of `concepts.csv`, indexed by its number."""
        import pandas as pd

        words = {"name": "string", "category": "string"}
        frame: pd.DataFrame = pd.DataFrame(self._concept_rows()).set_index("concept").astype(words)
        return frame

    def labels_frame(self) -> pd.DataFrame:
        """What each unit also fires for, and its best label of each category: the rows of `labels.csv`."""
        import pandas as pd

        words = {"concept": "string", "category": "string"}
        frame: pd.DataFrame = pd.DataFrame(self._label_rows(), columns=list(also.COLUMNS)).astype(words)
        return frame

    def _label_rows(self) -> list[dict[str, object]]:
        return label_rows(
            self.iou, self.concepts, min_iou=self.min_iou or 0.0, ties=PRESETS[self.preset].ties
        )

    def _concept_rows(self) -> list[dict[str, object]]:
        pixels = self.images * self.label_size**2
        named = Counter(name.concept for name in self.units)
        rows: list[dict[str, object]] = []
        for number, concept in enumerate(self.concepts):
            labelled = int(self.concept_area[number])
            carried = int(self.category_area[self.category_of[number]])
            ceiling = iou_ceiling(labelled, carried, pixels, self.quantile or 0.0)
            rows.append(
                {
                    "concept": number,
                    "name": concept.name,
                    "category": concept.category,
                    "pixels": labelled,
                    "images": int(self.concept_images[number]),
                    "share": labelled / carried if carried else 0.0,
                    "ceiling": ceiling,
                    "reachable": ceiling >= (self.min_iou or 0.0),
                    "units": named[concept],
                }
            )
        return rows

    def summary(self) -> dict[str, Any]:
        """The content of `summary.json`."""
        return summary_of(self)

    def save(
        self,
        folder: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        command: list[str] | None = None,
    ) -> Path:
        """Writes the artifact folder, whole or not at all.

        Raises:
            ArtifactError: an artifact is there and `overwrite` is not given.
        """
        options = {
            "preset": self.preset,
            "quantile": self.quantile,
            "label_size": self.label_size,
            "min_iou": self.min_iou,
            "max_q": self.max_q,
            "permutations": 0 if self.chance is None else self.chance.permutations,
            "concepts": list(self.concept_sets),
            **self.options,
        }
        manifest = describe_run(
            KIND,
            model=self.model_name,
            layer=self.layer or "",
            weights_fingerprint=self.fingerprint,
            data_fingerprint=self.data_fingerprint,
            options=options,
            seed=0 if self.chance is None else self.chance.seed,
            command=command,
        )
        with new_artifact(folder, manifest, overwrite=overwrite) as draft:
            write_json(draft / "summary.json", self.summary())
            write_csv(draft / "units.csv", self._unit_rows())
            write_csv(draft / "concepts.csv", self._concept_rows())
            best = [dict(zip(_EXEMPLAR_COLUMNS, one, strict=True)) for one in self.best_images]
            write_csv(draft / "exemplars.csv", best, columns=_EXEMPLAR_COLUMNS)
            arrays = {name: getattr(self, name) for name in _ARRAYS}
            if self.chance is not None:
                arrays |= {name: getattr(self.chance, name) for name in _CHANCE}
            np.savez_compressed(draft / "arrays.npz", **arrays)
            seen = [dict(zip(_WITNESS_COLUMNS, one, strict=True)) for one in self.witnesses]
            write_csv(draft / "evidence.csv", seen, columns=_WITNESS_COLUMNS)
            write_csv(draft / "labels.csv", self._label_rows(), columns=also.COLUMNS)
            if self.compositions:
                formulas_found = [composition_row(one) for one in self.compositions]
                write_csv(draft / "compositions.csv", formulas_found, columns=formulas.COLUMNS)
            (draft / "exemplars").mkdir()
            for unit, picture in self.exemplars.items():
                (draft / exemplar_name(unit)).write_bytes(picture)
            (draft / "evidence").mkdir()
            for unit, picture in self.evidence.items():
                (draft / evidence_name(unit)).write_bytes(picture)
        return Path(folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Dissection:
        """Reads an artifact folder back; names follow from its counts.

        Raises:
            ArtifactError: not a whole dissection, or damaged.
        """
        path = Path(folder)
        manifest = read_artifact(path, KIND)
        with reading(path, "a dissection"):
            summary = json.loads((path / "summary.json").read_text(encoding="utf-8"))
            arrays = read_arrays(path, _ARRAYS)
            asked = dict(summary).get("chance")
            chance = None
            if asked is not None:
                chance = Significance(
                    **read_arrays(path, _CHANCE),
                    smallest_q=asked["smallest_q"],
                    error=asked["coarse_error"],
                    permutations=asked["permutations"],
                    seed=asked["seed"],
                )
            table = read_csv(path / "concepts.csv")
            concepts = tuple(Concept(row["name"], row["category"]) for row in table)
            best = [
                (int(row["unit"]), int(row["rank"]), row["image"], float(row["peak"]))
                for row in read_csv(path / "exemplars.csv")
            ]
            seen, formulas_found = (
                read_csv(path / name) if (path / name).exists() else [] for name in _OPTIONAL
            )
            witnesses = [
                (int(r["unit"]), int(r["rank"]), r["kind"], r["image"], int(r["active"]), int(r["labelled"]))
                for r in seen
            ]
            ious = iou(
                *(arrays[n] for n in ("intersection", "activation_area", "concept_area", "category_of"))
            )
            preset = str(dict(summary).get("preset", "ours"))
            max_q = float(dict(summary).get("max_q", MAX_Q if asked is None else asked["max_q"]))
            names = name_units(
                ious,
                concepts,
                arrays["threshold"],
                arrays["peak"],
                min_iou=summary["min_iou"],
                chance=chance,
                max_q=max_q,
                ties=PRESETS[preset].ties,
            )
            options = dict(manifest["options"])
            return cls(
                units=names,
                layer=manifest["layer"],
                fingerprint=manifest["weights_fingerprint"],
                source=path.name if path.name != KIND else f"{path.absolute().parent.name}/{path.name}",
                concept_sets=tuple(summary["concept_sets"]),
                quantile=summary["quantile"],
                min_iou=summary["min_iou"],
                exemplars=UnitPictures(path / "exemplars"),
                evidence=UnitPictures(path / "evidence"),
                model_name=manifest["model"],
                layer_reason=summary["layer_reason"],
                data_fingerprint=manifest["data_fingerprint"],
                concepts=concepts,
                categories=tuple(one["category"] for one in summary["categories"]),
                map_size=tuple(summary["map_size"]),
                label_size=summary["label_size"],
                images=summary["images"],
                images_left_out=summary["images_left_out"],
                concept_images=np.array([int(row["images"]) for row in table], np.int64),
                category_area=np.array([one["pixels"] for one in summary["categories"]], np.int64),
                best_images=tuple(best),
                witnesses=tuple(witnesses),
                max_q=max_q,
                chance=chance,
                preset=preset,
                compositions=tuple(composition_from(row) for row in formulas_found),
                options={key: options[key] for key in _RUN if key in options},
                **arrays,
            )
