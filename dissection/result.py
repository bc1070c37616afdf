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

from dissection.artifact import ArtifactError, describe_run, new_artifact, read_artifact, write_json
from dissection.concepts import Concept
from dissection.names import Names, name_units, unit_row, units_frame
from dissection.overlap import iou, iou_ceiling

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


class ExemplarFiles(Mapping[int, bytes]):
    """The exemplar pictures of a saved dissection, read when asked for."""

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
        options: how it was run.
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
        index = {concept: number for number, concept in enumerate(self.concepts)}
        rows = []
        for name in self.units:
            row = unit_row(name)
            best = None if name.best is None else index[name.best]
            row["active_pixels"] = int(self.active_pixels[name.unit])
            row["intersection"] = None if best is None else int(self.intersection[name.unit, best])
            row["activation_area"] = (
                None if best is None else int(self.activation_area[name.unit, self.category_of[best]])
            )
            row["concept_area"] = None if best is None else int(self.concept_area[best])
            rows.append(row)
        counts = dict.fromkeys(("intersection", "activation_area", "concept_area"), "Int64")
        frame: pd.DataFrame = units_frame(rows).astype(counts)
        return frame

    def concepts_frame(self) -> pd.DataFrame:
        """A row per concept with the columns of `concepts.csv`, indexed by its number."""
        import pandas as pd

        carried = self.category_area[self.category_of]
        share = np.divide(self.concept_area, carried, out=np.zeros(len(carried)), where=carried > 0)
        pixels = self.images * self.label_size**2
        ceiling = [
            iou_ceiling(int(labelled), int(known), pixels, self.quantile or 0.0)
            for labelled, known in zip(self.concept_area, carried, strict=True)
        ]
        named = Counter(name.concept for name in self.units)
        frame: pd.DataFrame = pd.DataFrame(
            {
                "name": [c.name for c in self.concepts],
                "category": [c.category for c in self.concepts],
                "pixels": self.concept_area,
                "images": self.concept_images,
                "share": share,
                "ceiling": ceiling,
                "reachable": [c >= (self.min_iou or 0.0) for c in ceiling],
                "units": [named[c] for c in self.concepts],
            },
            index=pd.RangeIndex(len(self.concepts), name="concept"),
        )
        return frame

    def summary(self) -> dict[str, Any]:
        """The content of `summary.json`."""
        ious = self.iou
        categories = []
        for number, category in enumerate(self.categories):
            members = np.flatnonzero(self.category_of == number)
            within = ious[:, members]
            strongest = within.max(axis=1, initial=0.0)
            detects = (strongest > 0) & (strongest >= (self.min_iou or 0.0))
            overall = [
                n.concept for n in self.units if n.concept is not None and n.concept.category == category
            ]
            best = within[detects].argmax(axis=1) if detects.any() else np.zeros(0, int)
            categories.append(
                {
                    "category": category,
                    "units": len(overall),
                    "distinct": len(set(overall)),
                    "detectors": int(detects.sum()),
                    "unique_detectors": len(set(best.tolist())),
                    "concepts": len(members),
                    "pixels": int(self.category_area[number]),
                    "images": int(self.category_area[number]) // self.label_size**2,
                }
            )
        return {
            "units": len(self.units),
            "images": self.images,
            "images_left_out": self.images_left_out,
            "positions": self.images * self.map_size[0] * self.map_size[1],
            "map_size": list(self.map_size),
            "quantile": self.quantile,
            "label_size": self.label_size,
            "min_iou": self.min_iou,
            "named": self.named,
            "distinct": self.distinct,
            "categories": categories,
            "layer_reason": self.layer_reason,
            "concept_sets": list(self.concept_sets),
        }

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
        import pandas as pd

        options = {
            "quantile": self.quantile,
            "label_size": self.label_size,
            "min_iou": self.min_iou,
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
            command=command,
        )
        with new_artifact(folder, manifest, overwrite=overwrite) as draft:
            write_json(draft / "summary.json", self.summary())
            # Hours of work are not lost over an image's file name that is not UTF-8: it is written escaped.
            self.to_frame().to_csv(draft / "units.csv", errors="backslashreplace")
            self.concepts_frame().to_csv(draft / "concepts.csv", errors="backslashreplace")
            best = pd.DataFrame(self.best_images, columns=["unit", "rank", "image", "peak"])
            best.to_csv(draft / "exemplars.csv", index=False, errors="backslashreplace")
            arrays = {name: getattr(self, name) for name in _ARRAYS}
            np.savez_compressed(draft / "arrays.npz", **arrays)
            (draft / "exemplars").mkdir()
            for unit, picture in self.exemplars.items():
                (draft / exemplar_name(unit)).write_bytes(picture)
        return Path(folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Dissection:
        """Reads an artifact folder back; names follow from its counts.

        Raises:
            ArtifactError: not a whole dissection, or damaged.
        """
        import pandas as pd

        path = Path(folder)
        manifest = read_artifact(path, KIND)
        try:
            summary = json.loads((path / "summary.json").read_text(encoding="utf-8"))
            with np.load(path / "arrays.npz", allow_pickle=False) as file:
                arrays = {name: file[name] for name in _ARRAYS}
            # A concept or an image may be called "null" or "NA".
            table = pd.read_csv(
                path / "concepts.csv", dtype={"name": str, "category": str}, keep_default_na=False
            )
            best = pd.read_csv(
                path / "exemplars.csv",
                dtype={"image": str},
                keep_default_na=False,
                converters={"peak": float},  # pandas' own parser may be off in the last digit
            )
            concepts = tuple(Concept(*pair) for pair in zip(table["name"], table["category"], strict=True))
            ious = iou(
                *(arrays[n] for n in ("intersection", "activation_area", "concept_area", "category_of"))
            )
            names = name_units(
                ious, concepts, arrays["threshold"], arrays["peak"], min_iou=summary["min_iou"]
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
                exemplars=ExemplarFiles(path / "exemplars"),
                model_name=manifest["model"],
                layer_reason=summary["layer_reason"],
                data_fingerprint=manifest["data_fingerprint"],
                concepts=concepts,
                categories=tuple(one["category"] for one in summary["categories"]),
                map_size=tuple(summary["map_size"]),
                label_size=summary["label_size"],
                images=summary["images"],
                images_left_out=summary["images_left_out"],
                concept_images=table["images"].to_numpy(np.int64),
                category_area=np.array([one["pixels"] for one in summary["categories"]], np.int64),
                best_images=tuple(best.itertuples(index=False, name=None)),
                options={key: options[key] for key in ("batch_size", "exemplars")},
                **arrays,
            )
        except (KeyError, ValueError, TypeError) as error:
            raise ArtifactError(f"{path} cannot be read as a dissection ({error}); make it again") from error
