"""The perturbations that fooled a network as a page: what changed in the picture, in the maps, in the units.

save_fooled(fooled, model, "airliner", "runs/adversarial", epsilon=8 / 255, confidence=0.9999, …)
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dissection.fingerprint import weights_fingerprint
from neuro_explain.document import Block, Document, Fact, Picture, Pictures, Section, Table, Text
from neuro_explain.evaluate.adversarial import LEVELS, change_picture
from neuro_explain.evaluate.adversarial_effect import ClassEffect, Fooled, percent_over
from neuro_explain.evidence import TargetEvidence, UnitEvidence
from neuro_explain.model import Model
from neuro_explain.report import write_report
from neuro_explain.sentence import listing, percent
from reports.draw import thumbnail

NO_ORDER = "no order"  # of a map that is zero or the same everywhere


def save_fooled(
    found: Sequence[Fooled],
    model: Model,
    folder: str | os.PathLike[str],
    *,
    options: Mapping[str, Any],
    missed: Sequence[str] = (),
    named: bool = False,
    overwrite: bool = False,
    command: list[str] | None = None,
) -> Path:
    """Writes the document and its page; returns the page.

    Args:
        found: the images, at least one.
        model: the network.
        folder: where to.
        options: of `fool`: present, epsilon, step, steps, confidence, top, rank_by.
        missed: sentences on images for which the network did not become so confident.
        named: whether the units have names.
        overwrite: replace a document that is there.
        command: the command line.

    Raises:
        ArtifactError: the folder holds another artifact.
    """
    absent = found[0].absent.before.label
    document = Document(
        f"Made to say {absent}: does Grad-CAM still show what is there?",
        _lead(found, model, options),
        figures=[
            Fact(f"{absent}, before", _span([one.perturbed.before for one in found])),
            Fact(
                f"{absent}, after", _span([one.perturbed.probability for one in found], options["confidence"])
            ),
            Fact(
                "largest change",
                f"{max(one.largest for one in found):.1f}",
                f"Steps of an 8-bit picture, which has {LEVELS}; allowed were {LEVELS * options['epsilon']:.3g}.",
            ),
            Fact("maps of present classes", _correlations(found), "Rank correlation, before with after."),
        ],
        sections=[
            *([Section("Not reached", [Text(one, note=True) for one in missed])] if missed else []),
            *(_section(one, model, named, int(options["top"])) for one in found),
        ],
        data={
            "absent": absent,
            "images": [one.to_dict() for one in found],
            "missed": list(missed),
            "options": dict(options),
        },
        arrays={
            f"change_{number}": one.perturbed.change[0].cpu().numpy() for number, one in enumerate(found)
        },
    )
    document.save(
        folder,
        model=model.name,
        layer=model.layer,
        options={**options, "absent": absent},
        weights_fingerprint=weights_fingerprint(model.net),
        data_fingerprint=_fingerprint(found),
        overwrite=overwrite,
        command=command,
    )
    return write_report(folder)


def _lead(found: Sequence[Fooled], model: Model, options: Mapping[str, Any]) -> str:
    absent = found[0].absent.before.label
    count = "One picture was" if len(found) == 1 else f"{len(found)} pictures were"
    present = "" if options["present"] else "; the network's best classes before count as present"
    return (
        f"{count} changed until {model.name} said {absent} with over {percent(options['confidence'])}, in steps along "
        f"the sign of the gradient of the input ({LEVELS * options['step']:.3g} of {LEVELS} each, at most "
        f"{options['steps']}), no value by more than {LEVELS * options['epsilon']:.3g} of {LEVELS}. The Grad-CAM "
        f"maps of the present classes have a rank correlation of {_correlations(found)} with those before, on average, "
        f"that of {absent} one of {_correlations(found, absent=True)}{present}."
    )


def _fingerprint(found: Sequence[Fooled]) -> str:
    """Of the photographs' bytes; of several, of all their fingerprints in order."""
    if len(found) == 1:
        return found[0].fingerprint
    return f"sha256:{hashlib.sha256(' '.join(one.fingerprint for one in found).encode()).hexdigest()}"


def _span(values: Sequence[float], threshold: float = 1.0) -> str:
    low, high = (percent_over(value, threshold) for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _correlations(found: Sequence[Fooled], *, absent: bool = False) -> str:
    """The mean over the maps of the present classes, or of the absent one, that have an order."""
    all_of_them = [effect.correlation for one in found for effect in one.classes if effect.absent == absent]
    values = [value for value in all_of_them if value is not None]
    return _number(float(np.mean(values)) if values else None)


def _number(correlation: float | None) -> str:
    return NO_ORDER if correlation is None else f"{correlation:.2f}".replace("-", "−")


def _section(one: Fooled, model: Model, named: bool, top: int) -> Section:
    label, probability = one.said
    absent = one.absent.before.label
    return Section(
        one.name,
        [
            Pictures(
                [
                    Picture(
                        one.before,
                        "Before",
                        f"{one.name} as the network sees it.",
                        f"The network says {label}, {percent(probability)}.",
                    ),
                    Picture(
                        one.after,
                        "After",
                        f"{one.name} with the change, as the network sees it.",
                        f"The network gives {absent} {percent_over(one.perturbed.probability, one.confidence)}.",
                    ),
                    Picture(
                        change_picture(one.perturbed.change, model.preprocess),
                        _enlarged(one.largest),
                        "What was added to the picture; grey is nothing.",
                    ),
                ]
            ),
            Text(
                f"Steps taken: {one.perturbed.steps}. Largest change of a value {one.largest:.1f}, mean "
                f"{one.mean:.1f} of {LEVELS}. Rounded to an 8-bit picture it gives {absent} "
                f"{percent_over(one.rounded, one.confidence)}."
            ),
            _table(one),
            *(_maps(one, effect) for effect in one.classes),
            *_units(one, named, top),
        ],
    )


def _enlarged(largest: float) -> str:
    return f"The change, enlarged {127.5 / largest:.0f} times" if largest > 0 else "No change was needed"


def _table(one: Fooled) -> Table:
    rows = [
        (
            _title(effect),
            percent(effect.before.probability or 0.0),
            percent_over(effect.after.probability or 0.0, one.confidence if effect.absent else 1.0),
            _number(effect.correlation),
        )
        for effect in one.classes
    ]
    return Table(
        "Each class before and after; the rank correlation is that of its two maps",
        ("class", "before", "after", "rank correlation"),
        rows,
        strong=[len(rows) - 1],
    )


def _title(effect: ClassEffect) -> str:
    return f"{effect.before.label} (made to say)" if effect.absent else effect.before.label


def _maps(one: Fooled, effect: ClassEffect) -> Pictures:
    label = effect.before.label
    return Pictures(
        [
            _map(one.before, effect.before, f"{label}, before", f"The map of {label} before the change."),
            _map(one.after, effect.after, f"{label}, after", f"The map of {label} after the change."),
        ]
    )


def _map(picture: Image.Image, evidence: TargetEvidence, label: str, alt: str) -> Picture:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    note = "The map is blank: the weighted sum is at most 0 everywhere." if evidence.zero_map else None
    return Picture(thumbnail(buffer.getvalue(), evidence.map, "heat"), label, alt, note)


def _units(one: Fooled, named: bool, top: int) -> list[Block]:
    """Which units are new among the strongest for each class, and which are no longer among them."""
    rows = [(_title(effect), _list(effect.entered), _list(effect.left)) for effect in one.classes]
    caption = f"Units that came into the {top} strongest for a class, and that dropped out of them"
    blocks: list[Block] = [Table(caption, ("class", "came in", "dropped out"), rows, left=(0, 1, 2))]
    if not named:
        return blocks
    return [
        *blocks,
        *(Text(f"{when}: {evidence.sentence}") for when, evidence in _sentences(one)),
    ]


def _sentences(one: Fooled) -> list[tuple[str, TargetEvidence]]:
    return [pair for effect in one.classes for pair in (("Before", effect.before), ("After", effect.after))]


def _list(units: Sequence[UnitEvidence]) -> str:
    words = [f"unit {one.index}" + (f" ({one.concept.name})" if one.concept else "") for one in units]
    return listing(words) if words else "none"
