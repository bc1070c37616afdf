"""The failures of a network as a page: how many, which, what speaks for the wrong class, and pictures of them.

save_failures(found, model, inputs, names, "runs/failures", limit=12)
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

from dissection.artifact import check_writable
from dissection.names import Names
from neuro_explain.document import KIND, Block, Document, Fact, Links, Picture, Pictures, Section, Table, Text
from neuro_explain.evaluate.failures import Failure, Failures
from neuro_explain.evidence import RankBy, TargetEvidence
from neuro_explain.explain import explain
from neuro_explain.explanation import KIND as EXPLANATION
from neuro_explain.explanation import Explanation
from neuro_explain.inputs import Inputs
from neuro_explain.model import Model
from neuro_explain.report import write_report
from reports.draw import thumbnail

LIMIT = 12  # images that are shown
ROWS = 15  # of a table


def save_failures(
    found: Failures,
    model: Model,
    inputs: Inputs,
    names: Names,
    folder: str | os.PathLike[str],
    *,
    limit: int = LIMIT,
    rank_by: RankBy = "contribution",
    overwrite: bool = False,
    command: list[str] | None = None,
) -> Path:
    """Explains the most confident of the wrong images, writes the document and its page; returns the page.

    Args:
        found: from `find_failures`.
        model, inputs, names: what it was found with.
        folder: where to; each image shown has its whole explanation in `wrong-1`, `wrong-2` … inside.
        limit: how many to show.
        rank_by: what makes a unit strong.
        overwrite: replace what is there.
        command: the command line.

    Raises:
        ArtifactError: the folder, or one inside it, holds another artifact.
    """
    if limit < 0:
        raise ValueError(f"limit: expected 0 images or more, got {limit}")
    place = Path(folder)
    shown = found.wrong[:limit]
    check_writable(place, kind=KIND, overwrite=overwrite)
    for number in range(1, len(shown) + 1):
        check_writable(place / f"wrong-{number}", kind=EXPLANATION, overwrite=overwrite)
    examples: list[Block] = []
    fingerprint = None
    for number, one in enumerate(shown, 1):
        why = explain(
            model,
            inputs.paths[one.number],
            names,
            target=one.said,
            versus=one.true,
            top=found.top,
            rank_by=rank_by,
        )
        fingerprint = why.model.fingerprint
        why.save(place / f"wrong-{number}", overwrite=overwrite, command=command)
        write_report(place / f"wrong-{number}")
        examples += _example(one, why, f"wrong-{number}/index.html")
    document = Document(
        f"What does {model.name} get wrong, and what speaks for the wrong class?",
        _lead(found),
        figures=_figures(found),
        sections=[
            Section(
                "What is taken for what",
                [_confusions(found) if found.wrong else Text("No image is named wrongly.")],
            ),
            *([_concepts(found)] if found.wrong else []),
            *([_examples(examples, len(shown), found)] if shown else []),
            *([_unreadable(found)] if found.unreadable else []),
        ],
        data=found.to_dict(),
    )
    document.save(
        place,
        model=model.name,
        layer=model.layer,
        options={"limit": limit, "top": found.top, "rank_by": rank_by, "names": names.source},
        weights_fingerprint=fingerprint,
        data_fingerprint=inputs.fingerprint,
        overwrite=overwrite,
        command=command,
    )
    return write_report(place)


def _lead(found: Failures) -> str:
    if not found.wrong:
        return f"None of the {_images(found.judged)} with a label is named wrongly."
    (label, said, count), *_ = found.confusions()
    text = (
        f"{len(found.wrong):,} of {found.judged:,} labelled images are named wrongly; {label} is taken for {said} most "
        f"often ({_images(count)})."
    )
    if found.concepts:
        first = found.concepts[0]
        text += f" {first.concept.name} speaks for the wrong class in {first.count:,} of {found.asked:,}."
    return text


def _images(count: int) -> str:
    return f"{count:,} image{'s' * (count != 1)}"


def _figures(found: Failures) -> list[Fact]:
    share = found.share()
    assert (
        share.value is not None and share.low is not None and share.high is not None
    )  # at least one was judged
    figures = [
        Fact("wrong", f"{len(found.wrong):,} of {found.judged:,}", "Images with a label that can be read."),
        Fact("share", f"{share.value:.1%}", f"95 %: {share.low:.1%} to {share.high:.1%}, Wilson's interval."),
    ]
    if found.unreadable:
        figures.append(Fact("could not be read", f"{len(found.unreadable):,}", "Counted neither way."))
    if found.unlabelled:
        figures.append(Fact("without a label", f"{found.unlabelled:,}", "Counted neither way."))
    return figures


def _confusions(found: Failures) -> Table:
    every = found.confusions()
    rows = [(label, said, f"{count:,}") for label, said, count in every[:ROWS]]
    caption = "The commonest confusions"
    if len(every) > ROWS:
        caption += f", {ROWS} of {len(every):,}"
    return Table(caption, ("it is", "taken for", "images"), rows, left=(0, 1))


def _concepts(found: Failures) -> Section:
    asked = f"{found.asked:,} of the {len(found.wrong):,} wrong images, evenly over the list"
    if found.asked == len(found.wrong):
        asked = "the wrong image" if found.asked == 1 else f"all {found.asked:,} wrong images"
    lead = (
        f"For {asked}: the concepts among the {found.top} units that speak most for the class said, "
        "rather than the true one."
    )
    if not found.concepts:
        return Section("What speaks for the wrong class", [Text("No named unit is among them.")], lead)
    rows = [
        (
            one.concept.name,
            f"{one.count:,}",
            f"{one.count / found.asked:.0%}",
            f"{one.label}, taken for {one.said} ({one.of_these:,})",
        )
        for one in found.concepts[:ROWS]
    ]
    caption = "Named concepts"
    if len(found.concepts) > ROWS:
        caption += f", {ROWS} of {len(found.concepts):,}"
    table = Table(caption, ("concept", "images", "share", "most often in"), rows, left=(0, 3))
    return Section("What speaks for the wrong class", [table], lead)


def _examples(examples: Sequence[Block], shown: int, found: Failures) -> Section:
    lead = (
        f"{shown:,} of {len(found.wrong):,}. The map shows where the evidence for each class lies (Grad-CAM)."
    )
    return Section("The most confident ones", examples, lead)


def _example(one: Failure, why: Explanation, page: str) -> list[Block]:
    contrast, said, true = why.targets[:3]
    pictures = [
        _picture(why, said, f"Said: {said.label}"),
        _picture(why, true, f"True: {true.label}"),
    ]
    return [
        Pictures(pictures, caption=one.name),
        Text(contrast.sentence),
        Links([("The whole explanation", page)]),
    ]


def _picture(why: Explanation, evidence: TargetEvidence, label: str) -> Picture:
    buffer = io.BytesIO()
    why.photograph.save(buffer, "PNG")
    width, height = why.image_size
    left, top, right, bottom = why.crop
    crop = (left / width, top / height, right / width, bottom / height)
    alt = f"The picture, with the map of the evidence for {evidence.label}."
    if evidence.zero_map:
        alt = f"The picture; the map for {evidence.label} is blank."
    return Picture(thumbnail(buffer.getvalue(), evidence.map, "heat", crop), label, alt, evidence.sentence)


def _unreadable(found: Failures) -> Section:
    rows = list(found.unreadable.items())[:ROWS]
    caption = "Images that could not be read"
    if len(found.unreadable) > ROWS:
        caption += f", {ROWS} of {len(found.unreadable):,}"
    return Section("Not read", [Table(caption, ("image", "why"), rows, left=(0, 1))])
