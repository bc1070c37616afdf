"""The explanation of one image: predictions, evidence for each target, the check; saved to a folder and read back.

    why.text
    why.targets[0].top[0].concept, why.targets[0].top[0].contribution
    why.save("runs/kitchen")
    why = load_explanation("runs/kitchen")

The folder's files and keys stand in docs/artifacts.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dissection.artifact import ArtifactError, describe_run, new_artifact, read_artifact, write_json
from dissection.concepts import Concept
from dissection.names import UnitName
from dissection.result import UnitPictures, evidence_name, exemplar_name
from neuro_explain.ablation import AblationCheck, Spread
from neuro_explain.evidence import RankBy, TargetEvidence, UnitEvidence

KIND = "explanation"
PHOTOGRAPH_SIDE = 640

Witness = tuple[int, int, str, str, int, int]
_WITNESS = ("unit", "rank", "kind", "image", "active", "labelled")


@dataclass(frozen=True)
class Prediction:
    """One of the network's best classes: number, label, score before softmax, probability in 0…1."""

    index: int
    label: str
    score: float
    probability: float


@dataclass(frozen=True)
class Explained:
    """What was explained: the model, its layer, and the image.

    Attributes:
        name, layer, layer_reason, origin, licence: of the model, for people.
        fingerprint: of its weights.
        units: U.
        map_size: (h, w) of the layer's maps.
        rectified: whether the layer's maps are at least 0 by construction.
    """

    name: str
    layer: str
    layer_reason: str
    origin: str
    licence: str
    fingerprint: str
    units: int
    map_size: tuple[int, int]
    rectified: bool


@dataclass(frozen=True)
class Word:
    """A word of a caption: its text, its target's place among the targets, its probability given what came before."""

    text: str
    target: int
    probability: float


@dataclass(frozen=True)
class Asked:
    """What a captioner or a question answerer said, if it was one.

    Attributes:
        task: which of the two.
        text: the caption, or the answer, that is explained.
        question: that was asked.
        forced: the caption was given, or the answer is not the network's best one.
        words: of the caption.
        fingerprint: of the whole network; that of its image tower is the model's.
    """

    task: Literal["caption", "answer"]
    text: str
    question: str | None
    forced: bool
    words: tuple[Word, ...]
    fingerprint: str


@dataclass(frozen=True)
class NamesUsed:
    """Where the names came from; `verified` if they were made with this model's weights, as far as known.

    `max_q` is the false discovery rate that a name may have; None if they were not tested against chance.
    """

    source: str
    concept_sets: tuple[str, ...]
    quantile: float | None
    min_iou: float | None
    units: int
    named: int
    verified: bool
    max_q: float | None = None


@dataclass(frozen=True)
class Explanation:
    """Why the network answered as it did, in named units.

    Attributes:
        image_name: the image's file name, without folders.
        image_size: (width, height) of the upright original.
        crop: (left, top, right, bottom) of what the network saw, in the original's pixels.
        photograph: the upright image, long side at most 640.
        image_fingerprint: of the file's bytes or the pixels given.
        model: what was explained.
        names: where the names came from.
        rank_by, top, named_only, seed: the options.
        activation: mean of every unit's map on this image, float32 `[U]`; `alpha · Z · activation` is a unit's
            contribution, Z the number of cells.
        predictions: the best five classes, best first.
        targets: the explained target first, then the other classes, the contrast with the runner-up, and the
            counterfactual.
        check: the ablation check of the first target, or None.
        text: the first target's sentence and the check's.
        notes: what a reader must know.
        exemplars: pictures of the first target's units, by unit.
        asked: the caption or the question and answer, where the network is no classifier.
        evidence: pictures that speak for and against the names of the first target's units, by unit.
        witnesses: (unit, rank, kind, image, active, labelled) of their crops, as `Dissection` has them.
    """

    image_name: str
    image_size: tuple[int, int]
    crop: tuple[float, float, float, float]
    photograph: Image.Image
    image_fingerprint: str
    model: Explained
    names: NamesUsed
    rank_by: RankBy
    top: int
    named_only: bool
    seed: int
    activation: NDArray[np.float32]
    predictions: tuple[Prediction, ...]
    targets: tuple[TargetEvidence, ...]
    check: AblationCheck | None
    text: str
    notes: tuple[str, ...]
    exemplars: Mapping[int, bytes]
    asked: Asked | None = None
    evidence: Mapping[int, bytes] = field(default_factory=dict)
    witnesses: tuple[Witness, ...] = ()

    def _units(self) -> dict[int, UnitEvidence]:
        """The units shown anywhere, by number, in ascending order."""
        shown = {one.index: one for target in self.targets for one in (*target.top, *target.bottom)}
        return dict(sorted(shown.items()))

    def to_dict(self) -> dict[str, Any]:
        """The content of `explanation.json`."""
        rows = {unit: row for row, unit in enumerate(self._units())}
        width, height = self.image_size
        return {
            "image": {"name": self.image_name, "width": width, "height": height, "crop": list(self.crop)},
            "model": {**asdict(self.model), "map_size": list(self.model.map_size)},
            "names": {**asdict(self.names), "concept_sets": list(self.names.concept_sets)},
            "rank_by": self.rank_by,
            "top": self.top,
            "named_only": self.named_only,
            "predictions": [asdict(one) for one in self.predictions],
            "targets": [_target_to_dict(target, rows) for target in self.targets],
            "check": None if self.check is None else _check_to_dict(self.check),
            "text": self.text,
            "notes": list(self.notes),
            "asked": None if self.asked is None else _asked_to_dict(self.asked),
            "evidence": [dict(zip(_WITNESS, one, strict=True)) for one in self.witnesses],
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
        manifest = describe_run(
            KIND,
            model=self.model.name,
            layer=self.model.layer,
            weights_fingerprint=self.model.fingerprint,
            data_fingerprint=self.image_fingerprint,
            options={
                "target": self.targets[0].label,
                "rank_by": self.rank_by,
                "top": self.top,
                "named_only": self.named_only,
                "check": self.check is not None,
                "names": self.names.source,
            },
            seed=self.seed,
            command=command,
        )
        units = self._units()
        maps = [one.activation_map for one in units.values()]
        with new_artifact(folder, manifest, overwrite=overwrite) as draft:
            write_json(draft / "explanation.json", self.to_dict())
            np.savez_compressed(
                draft / "arrays.npz",
                alpha=np.stack([target.alpha for target in self.targets]),
                signed_map=np.stack([target.signed_map for target in self.targets]),
                activation=self.activation,
                unit=np.array(list(units), np.int64),
                unit_map=np.array(maps, np.float32).reshape(len(maps), *self.model.map_size),
            )
            self.photograph.save(draft / "image.webp", "WEBP", quality=80, method=4)
            (draft / "exemplars").mkdir()
            for unit, picture in self.exemplars.items():
                (draft / exemplar_name(unit)).write_bytes(picture)
            if self.evidence:
                (draft / "evidence").mkdir()
            for unit, picture in self.evidence.items():
                (draft / evidence_name(unit)).write_bytes(picture)
        return Path(folder)


def _target_to_dict(target: TargetEvidence, rows: Mapping[int, int]) -> dict[str, Any]:
    return {
        "kind": target.kind,
        "label": target.label,
        "index": target.index,
        "versus": target.versus,
        "score": target.score,
        "probability": target.probability,
        "sentence": target.sentence,
        "zero_map": target.zero_map,
        "named_alpha_share": target.named_alpha_share,
        "named_contribution_share": target.named_contribution_share,
        "silent_units": target.silent_units,
        "for": [_unit_to_dict(one, rows) for one in target.top],
        "against": [_unit_to_dict(one, rows) for one in target.bottom],
    }


def _unit_to_dict(one: UnitEvidence, rows: Mapping[int, int]) -> dict[str, Any]:
    name = one.name

    def parts(concept: Concept | None) -> tuple[str | None, str | None]:
        return (None, None) if concept is None else (concept.name, concept.category)

    (concept, category), (best, best_category) = parts(name.concept), parts(name.best)
    runner_up, runner_up_category = parts(name.runner_up)
    return {
        "unit": one.index,
        "rank": one.rank,
        "concept": concept,
        "category": category,
        "iou": name.iou,
        "margin": name.margin,
        "best_concept": best,
        "best_category": best_category,
        "runner_up": runner_up,
        "runner_up_category": runner_up_category,
        "runner_up_iou": name.runner_up_iou,
        "threshold": name.threshold,
        "note": name.note,
        "p": name.p,
        "q": name.q,
        "iou_low": name.low,
        "iou_high": name.high,
        "score": name.score,
        "alpha": one.alpha,
        "activation": one.activation,
        "contribution": one.contribution,
        "silent": one.silent,
        "above_threshold": one.above_threshold,
        "map": rows[one.index],
    }


def _asked_to_dict(asked: Asked) -> dict[str, Any]:
    return {**asdict(asked), "words": [asdict(word) for word in asked.words]}


def _asked_from_dict(data: Mapping[str, Any]) -> Asked:
    return Asked(**{**data, "words": tuple(Word(**word) for word in data["words"])})


def _check_to_dict(check: AblationCheck) -> dict[str, Any]:
    return {**asdict(check), "units": list(check.units), "silent": list(check.silent)}


def load_explanation(folder: str | os.PathLike[str]) -> Explanation:
    """Reads an artifact folder back.

    Raises:
        ArtifactError: not a whole explanation, or damaged.
    """
    path = Path(folder)
    manifest = read_artifact(path, KIND)
    try:
        data = json.loads((path / "explanation.json").read_text(encoding="utf-8"))
        with np.load(path / "arrays.npz", allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        with Image.open(path / "image.webp") as image:
            photograph = image.convert("RGB")
        image_data, model, names, check = data["image"], data["model"], data["names"], data["check"]
        return Explanation(
            image_name=image_data["name"],
            image_size=(image_data["width"], image_data["height"]),
            crop=tuple(image_data["crop"]),
            photograph=photograph,
            image_fingerprint=manifest["data_fingerprint"],
            model=Explained(**{**model, "map_size": tuple(model["map_size"])}),
            names=NamesUsed(**{**names, "concept_sets": tuple(names["concept_sets"])}),
            rank_by=data["rank_by"],
            top=data["top"],
            named_only=data["named_only"],
            seed=manifest["seed"],
            activation=arrays["activation"],
            predictions=tuple(Prediction(**one) for one in data["predictions"]),
            targets=tuple(
                _target_from_dict(one, arrays["alpha"][i], arrays["signed_map"][i], arrays["unit_map"])
                for i, one in enumerate(data["targets"])
            ),
            check=None if check is None else _check_from_dict(check),
            text=data["text"],
            notes=tuple(data["notes"]),
            exemplars=dict(UnitPictures(path / "exemplars")),
            asked=None if data.get("asked") is None else _asked_from_dict(data["asked"]),
            evidence=dict(UnitPictures(path / "evidence")),
            witnesses=tuple(tuple(one[key] for key in _WITNESS) for one in data.get("evidence", ())),
        )
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ArtifactError(f"{path} cannot be read as an explanation ({error}); make it again") from error


def _target_from_dict(data: Mapping[str, Any], alpha: Any, signed_map: Any, unit_map: Any) -> TargetEvidence:
    return TargetEvidence(
        **{
            key: data[key] for key in ("label", "kind", "index", "versus", "score", "probability", "sentence")
        },
        **{key: data[key] for key in ("named_alpha_share", "named_contribution_share", "silent_units")},
        alpha=alpha,
        signed_map=signed_map,
        top=tuple(_unit_from_dict(one, unit_map) for one in data["for"]),
        bottom=tuple(_unit_from_dict(one, unit_map) for one in data["against"]),
    )


def _unit_from_dict(data: Mapping[str, Any], unit_map: Any) -> UnitEvidence:
    def concept(name: str, category: str) -> Concept | None:
        return None if data[name] is None else Concept(data[name], data[category])

    name = UnitName(
        unit=data["unit"],
        concept=concept("concept", "category"),
        iou=data["iou"],
        best=concept("best_concept", "best_category"),
        runner_up=concept("runner_up", "runner_up_category"),
        runner_up_iou=data["runner_up_iou"],
        threshold=data["threshold"],
        note=data["note"],
        # An older folder has none of these.
        p=data.get("p"),
        q=data.get("q"),
        low=data.get("iou_low"),
        high=data.get("iou_high"),
        score=data.get("score"),
    )
    keys = ("rank", "alpha", "activation", "contribution", "silent", "above_threshold")
    return UnitEvidence(name=name, **{key: data[key] for key in keys}, activation_map=unit_map[data["map"]])


def _check_from_dict(data: Mapping[str, Any]) -> AblationCheck:
    spreads = {
        key: None if data[key] is None else Spread(**data[key])
        for key in ("random_score", "random_probability")
    }
    return AblationCheck(
        **{**data, **spreads, "units": tuple(data["units"]), "silent": tuple(data["silent"])}
    )
