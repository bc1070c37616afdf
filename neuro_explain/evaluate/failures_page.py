"""The failures of a network as a page: how many, which, what speaks for the wrong class, and pictures of them.

save_failures(found, model, inputs, names, "runs/failures", limit=12)
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dissection.artifact import check_writable
from dissection.fingerprint import weights_fingerprint
from dissection.names import Names
from neuro_explain.document import KIND, Block, Document, Fact, Links, Picture, Pictures, Section, Table, Text
from neuro_explain.evaluate.failures import Failure, Failures
from neuro_explain.evaluate.linked_folders import linked_explanations, put_inside
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
        overwrite: replace what is there, with all explanations that it links.
        command: the command line.

    Raises:
        ArtifactError: the folder, or one inside it, holds another artifact.
    """
    if limit < 0:
        raise ValueError(f"limit: expected 0 images or more, got {limit}")
    place = Path(folder).resolve()
    shown = found.wrong[:limit]
    check_writable(place, kind=KIND, overwrite=overwrite)
    for number in range(1, len(shown) + 1):
        check_writable(place / f"wrong-{number}", kind=EXPLANATION, overwrite=overwrite)
    place.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{place.name}.writing-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=place.parent, ignore_cleanup_errors=True) as work:
        draft = Path(work) / "new"
        draft.mkdir()
        examples: list[Block] = []
        for number, one in enumerate(shown, 1):
            why = _explained(found, model, inputs, names, one, rank_by)
            why.save(draft / f"wrong-{number}", command=command)
            write_report(draft / f"wrong-{number}")
            examples += _example(one, why, f"wrong-{number}/index.html")
        # those that the document there links go with it
        with put_inside(draft, place, linked_explanations(place), Path(work) / "old"):
            _document(found, model, examples, len(shown)).save(
                place,
                model=model.name,
                layer=model.layer,
                options={"limit": limit, "top": found.top, "rank_by": rank_by, "names": names.source},
                weights_fingerprint=weights_fingerprint(model.net),
                data_fingerprint=inputs.fingerprint,
                overwrite=overwrite,
                command=command,
            )
    return write_report(folder)


def _explained(
    found: Failures, model: Model, inputs: Inputs, names: Names, one: Failure, rank_by: RankBy
) -> Explanation:
    return explain(
        model,
        inputs.paths[one.number],
        names,
        target=one.said,
        versus=one.true,
        top=found.top,
        rank_by=rank_by,
    )


def _document(found: Failures, model: Model, examples: Sequence[Block], shown: int) -> Document:
    return Document(
        f"What does {model.name} get wrong, and what speaks for the wrong class?",
        _lead(found),
        figures=_figures(found),
        sections=[
            Section(
                "What is taken for what",
                [_confusions(found) if found.wrong else Text("No image is named wrongly.")],
            ),
            *([_concepts(found)] if found.wrong else []),
            *([_examples(examples, shown, found)] if shown else []),
            *([_unreadable(found)] if found.unreadable else []),
        ],
        data=found.to_dict(),
    )


def _lead(found: Failures) -> str:
    if not found.wrong:
        return f"None of the {_images(found.judged)} with a label is named wrongly."
    number = len(found.wrong)
    text = f"{number:,} of {found.judged:,} labelled images {'is' if number == 1 else 'are'} named wrongly"
    (label, said, count), *others = found.confusions()
    if not others:
        text += f": {label} is taken for {said}."
    elif count > others[0][2]:
        text += f"; {label} is taken for {said} most often ({_images(count)})."
    elif count == 1:
        text += ", no two of them in the same way."
    else:
        same = 1 + sum(other[2] == count for other in others)
        text += f"; {same} confusions are the commonest, with {_images(count)} each."
    if found.concepts:
        first, *rest = found.concepts
        text += f" {first.concept.name} speaks for the wrong class in {first.count:,} of {found.asked:,}"
        if same := sum(one.count == first.count for one in rest):
            text += f", and so {'does' if same == 1 else 'do'} {same:,} other concept{'s' * (same != 1)}"
        text += "."
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
        # the sentence beneath begins with the class
        _picture(why, said, "Said"),
        _picture(why, true, "True"),
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
