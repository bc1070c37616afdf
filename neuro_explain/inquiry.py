"""What is asked of each image, whatever the network says of it: the part that all explanations have in common.

    inquiry = open_inquiry(tower, names, top=5, …)
    found = inquiry.examine(net, prepared, layer, choose)
    inquiry.explanation(photo, found, predictions=…, text=…)

One forward pass and one batched backward pass of what follows the layer give every target its alphas; a second pass
of that part checks the first target by ablation. The names must belong to the tower's layer and weights: names of
another network would label units at random, so they are refused.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from PIL import Image
from torch import Tensor, nn

from dissection.artifact import ArtifactError
from dissection.fingerprint import weights_fingerprint
from dissection.images import read_image
from dissection.names import Names
from neuro_explain.ablation import AblationCheck, check_by_ablation
from neuro_explain.evidence import RankBy, TargetEvidence, weigh
from neuro_explain.explanation import (
    PHOTOGRAPH_SIDE,
    Asked,
    Explained,
    Explanation,
    NamesUsed,
    Prediction,
)
from neuro_explain.gradcam import GradCAM, grad_cam
from neuro_explain.names import load_names
from neuro_explain.targets import Target
from neuro_explain.tower import Tower

ImageSource: TypeAlias = str | os.PathLike[str] | Image.Image
NamesSource: TypeAlias = Names | str | os.PathLike[str]


def check_names(tower: Tower, names: Names, fingerprint: str) -> bool:
    """True if the names carry the fingerprint of the tower's weights; False if they carry none.

    Raises:
        ArtifactError: names of another layer, of other weights, or of another number of units.
    """
    if names.layer is not None and names.layer != tower.layer:
        raise ArtifactError(
            f"the names ({names.source}) are those of layer {names.layer!r}, the model explains layer "
            f"{tower.layer!r}; dissect that layer, or load the model with layer={names.layer!r}"
        )
    if names.fingerprint is not None and names.fingerprint != fingerprint:
        raise ArtifactError(
            f"the names ({names.source}) were made with the weights {names.fingerprint[:19]}…, the model "
            f"{tower.name} has {fingerprint[:19]}…; dissect this model, or load the weights that were dissected"
        )
    return names.fingerprint is not None


@dataclass(frozen=True)
class Photo:
    """An image that is explained: its name, the upright RGB image, and the fingerprint of its bytes."""

    name: str
    image: Image.Image
    fingerprint: str


def printable(name: str) -> str:
    """A file name that can be written as UTF-8; bytes of it that are none show as �."""
    return os.fsencode(name).decode("utf-8", "replace")


def read_photo(source: ImageSource) -> Photo:
    """An image from a file, or as it is given.

    Raises:
        FileNotFoundError: there is no such file.
        ImageError: it cannot be read as an image.
    """
    if isinstance(source, Image.Image):
        image = source.convert("RGB")
        return Photo("image", image, f"sha256:{hashlib.sha256(image.tobytes()).hexdigest()}")
    path = Path(source)
    image = read_image(path)
    return Photo(printable(path.name), image, f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}")


@dataclass(frozen=True, eq=False)
class Findings:
    """What one image's passes gave: Grad-CAM, the evidence for each target, the check of the first."""

    cam: GradCAM
    evidence: tuple[TargetEvidence, ...]
    check: AblationCheck | None


@dataclass(frozen=True)
class Inquiry:
    """The options of an explanation, checked; from `open_inquiry`. No draws: no check."""

    tower: Tower
    names: Names
    top: int
    rank_by: RankBy
    named_only: bool
    draws: int
    seed: int
    fingerprint: str
    verified: bool

    def examine(
        self,
        net: nn.Module,
        prepared: Tensor,
        layer: str,
        choose: Callable[[Tensor], Sequence[Target]],
        *,
        image_name: str,
    ) -> Findings:
        """Runs the network on one image.

        Args:
            net: from images to `[N, C]`.
            prepared: `[1, 3, h, w]`.
            layer: the tower's layer, as `net` names it.
            choose: the targets, from the network's output `[1, C]`; the first one is checked.
            image_name: for messages.

        Raises:
            ArtifactError: as many names as the layer has not units.
            ValueError: scores that are not finite; see `grad_cam`.
        """
        targets: list[Target] = []

        def chosen(output: Tensor) -> list[list[Target]]:
            # The best answers are known after the forward pass, and explained in the same pass.
            if not bool(output.isfinite().all()):
                raise ValueError(
                    f"{self.tower.name} answers {image_name} with NaN or infinity, so there is nothing to explain; "
                    "check its weights, its preprocessing and its precision"
                )
            targets.extend(choose(output))
            return [targets]

        cam = grad_cam(net, prepared, chosen, layer=layer)
        if cam.alpha.shape[-1] != len(self.names):
            raise ArtifactError(
                f"the names ({self.names.source}) are those of {len(self.names)} units, layer {self.tower.layer!r} "
                f"of {self.tower.name} has {cam.alpha.shape[-1]}; use the names of this layer"
            )
        output = cam.output.float().cpu()
        activations = cam.activations[0].float().cpu().numpy()
        alpha, signed_map = cam.alpha[0].float().cpu().numpy(), cam.signed_map[0].float().cpu().numpy()
        evidence = tuple(
            weigh(
                target,
                score=float(cam.scores[0, i]),
                probability=None if target.probability is None else float(target.probability(output)[0]),
                alpha=alpha[i],
                activations=activations,
                signed_map=signed_map[i],
                names=self.names,
                top=self.top,
                rank_by=self.rank_by,
                named_only=self.named_only,
            )
            for i, target in enumerate(targets)
        )
        first = evidence[0]
        check = None
        if self.draws and first.top:
            check = check_by_ablation(
                net,
                prepared,
                layer,
                [one.index for one in first.top],
                activations,
                targets[0],
                score=first.score,
                probability=first.probability,
                draws=self.draws,
                seed=self.seed,
            )
        return Findings(cam, evidence, check)

    def explanation(
        self,
        photo: Photo,
        found: Findings,
        *,
        predictions: Sequence[Prediction],
        asked: Asked | None = None,
        notes: Sequence[str] = (),
    ) -> Explanation:
        """Everything that was found, as the explanation of the image.

        Args:
            photo: the image.
            found: from `examine`.
            predictions: what the network says of it, best first.
            asked: the caption or the question.
            notes: what a reader must know besides what is known here.
        """
        tower, names, image = self.tower, self.names, photo.image
        first = found.evidence[0]
        activations = found.cam.activations[0].float().cpu().numpy()
        photograph = image.copy()
        photograph.thumbnail((PHOTOGRAPH_SIDE, PHOTOGRAPH_SIDE), Image.Resampling.LANCZOS)
        shown = {one.index for one in (*first.top, *first.bottom)}
        # Names from elsewhere than a dissection have no pictures that speak for and against them.
        seen = getattr(names, "witnesses", ())
        witnesses = tuple(one for one in seen if one[0] in shown and one[0] in names.evidence)
        return Explanation(
            image_name=photo.name,
            image_size=image.size,
            crop=tower.preprocess.crop(image.size),
            photograph=photograph,
            image_fingerprint=photo.fingerprint,
            model=Explained(
                tower.name,
                tower.layer,
                tower.layer_reason,
                tower.origin,
                tower.licence,
                self.fingerprint,
                activations.shape[0],
                (activations.shape[1], activations.shape[2]),
                tower.layer_rectified,
            ),
            names=NamesUsed(
                names.source,
                names.concept_sets,
                names.quantile,
                names.min_iou,
                len(names),
                names.named,
                self.verified,
                _max_q(names),
            ),
            rank_by=self.rank_by,
            top=self.top,
            named_only=self.named_only,
            seed=self.seed,
            activation=activations.mean(axis=(1, 2)),
            predictions=tuple(predictions),
            targets=found.evidence,
            check=found.check,
            text=first.sentence if found.check is None else f"{first.sentence} {found.check.text}",
            notes=(*self._notes(first), *notes),
            exemplars={unit: names.exemplars[unit] for unit in sorted(shown) if unit in names.exemplars},
            asked=asked,
            evidence={unit: names.evidence[unit] for unit in sorted({one[0] for one in witnesses})},
            witnesses=witnesses,
        )

    def _notes(self, first: TargetEvidence) -> list[str]:
        """What a reader must know before believing the rest."""
        notes = []
        if not self.verified:
            notes.append(
                f"The names ({self.names.source}) carry no fingerprint, so it is not verified that they were made "
                "with this model's weights."
            )
        if untested := _chance_note(self.names):
            notes.append(untested)
        if first.zero_map and first.signed_map.size > 1:  # a single cell is no map
            notes.append(
                f"The weighted sum is ≤ 0 everywhere, so the map for {first.label} is blank; "
                "the signed map shows where it is least negative."
            )
        if not self.tower.layer_rectified:
            notes.append(
                f"The maps of {self.tower.layer} can be negative, so a positive alpha can go with a negative "
                "contribution."
            )
        if self.names.named == 0:
            notes.append("No unit of this layer has a name, so the explanation can only give numbers.")
        if self.draws and not first.top:
            notes.append(
                f"No unit speaks for {first.label}, so there is none to take away for the ablation check."
            )
        return notes


def _max_q(names: Names) -> float | None:
    """The false discovery rate that a name may have; None if no unit was tested, or the rule is not known."""
    tested = any(name.q is not None for name in names)
    return getattr(names, "max_q", None) if tested else None


def _chance_note(names: Names) -> str:
    """That no test against chance stands behind the names; empty if one does, or if there are no names."""
    max_q = _max_q(names)
    if names.named == 0 or (max_q is not None and max_q < 1):
        return ""
    tested = any(name.q is not None for name in names)
    said = "were given whatever chance says of them (q)" if tested else "were not tested against chance"
    return f"The names ({names.source}) {said}, so some of them may be chance."


def open_inquiry(
    tower: Tower,
    names: NamesSource,
    *,
    top: int,
    rank_by: RankBy,
    named_only: bool,
    check: bool,
    draws: int,
    seed: int,
) -> Inquiry:
    """Checks the options and the names.

    Args:
        tower: what sees the image.
        names: of the units of its layer, or where `load_names` finds them.
        top: how many units to show in each direction, at most.
        rank_by: what to rank by.
        named_only: rank named units alone.
        check: run the ablation check.
        draws: its random draws.
        seed: of the draws.

    Raises:
        ArtifactError: the names are of another layer or of other weights.
        ValueError: an option out of range.
    """
    if not isinstance(names, Names):
        names = load_names(names)
    if not 1 <= top <= max(1, len(names) // 2):
        raise ValueError(
            f"top: expected 1 to {max(1, len(names) // 2)} units on each side, half of the {len(names)}, got {top}"
        )
    if draws < 1:
        raise ValueError(f"draws: expected at least 1, got {draws}")
    if rank_by not in ("alpha", "contribution"):
        raise ValueError(f"rank_by: expected 'alpha' or 'contribution', got {rank_by!r}")
    fingerprint = weights_fingerprint(tower.net)
    verified = check_names(tower, names, fingerprint)
    return Inquiry(tower, names, top, rank_by, named_only, draws if check else 0, seed, fingerprint, verified)
