"""The bias story as a page: what spoke for each class, the test, what was mended, and pictures of it.

save_story(story)                       # story.folder/index.html, with links to every run on the way
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from dissection.fingerprint import weights_fingerprint
from neuro_explain.diorama.tasks import NUISANCE, PAIR
from neuro_explain.document import Block, Document, Fact, Links, Picture, Pictures, Section, Table, Text
from neuro_explain.evaluate.bias import COLUMN, NETWORK, BiasStory, Stage, share_right, shown
from neuro_explain.explain import explain
from neuro_explain.explanation import Explanation
from neuro_explain.names import load_names
from neuro_explain.report import write_report
from reports.draw import thumbnail

EXAMPLES = 4


def save_story(story: BiasStory, *, command: list[str] | None = None) -> Path:
    """Explains a few of the mended pictures before and after, writes the document and its page; returns the page."""
    before, after = story.before, story.after
    document = Document(
        f"Why does {NETWORK} take a room for an {PAIR[1]}?",
        f"In the pictures that it learned from, {COLUMN} stand in {PAIR[1]}s alone. Its named units show that it goes "
        "by them, a test shows that it fails without, and counterexamples mend it.",
        figures=[
            Fact("right, usual pictures", _percent(before), "Nothing seems wrong."),
            Fact(
                f"right where {COLUMN} say the wrong class",
                _percent(before, opposite=True),
                "The same scenes, drawn the other way.",
            ),
            Fact(
                "the same, after counterexamples",
                _percent(after, opposite=True),
                f"{story.added:,} more scenes to learn from.",
            ),
        ],
        sections=[
            Section(
                "Found: what speaks for each class",
                [
                    _strongest(before),
                    Text(_nuisance(before)),
                    Links(
                        [
                            ("The profile of the usual pictures", "before/usual-profile/index.html"),
                            ("All usual pictures, one by one", "before/usual/index.html"),
                            ("What each unit detects", "before/dissection/index.html"),
                        ]
                    ),
                ],
                lead=f"On {story.scenes} pictures like those that it has learned from: the concepts of its named "
                "units, by their mean contribution, with their share of all that is said for or against.",
            ),
            Section(
                f"Tested: every scene with {COLUMN} and without",
                [
                    _accuracy(before, "Before: pictures that are right"),
                    Links([("The two groups compared", "before/all-profile/index.html")]),
                ],
                lead="All else in the picture is equal, so whatever differs is the effect of these alone.",
            ),
            Section(
                "Mended: the counterexamples learned",
                [
                    Text(
                        f"To the {story.learned:,} scenes {story.added:,} were added in which {COLUMN} stand in "
                        f"{PAIR[0]}s alone; the units stayed as they are, and what follows them learned anew. "
                        f"On the usual pictures, where {COLUMN} helped, it is right on {_percent(after)} now."
                    ),
                    _accuracy(after, "After: pictures that are right"),
                    _strongest(after),
                    Text(_nuisance(after)),
                    Links(
                        [
                            ("The profile of the usual pictures, after", "after/usual-profile/index.html"),
                            ("The two groups compared, after", "after/all-profile/index.html"),
                        ]
                    ),
                ],
            ),
            Section(
                "Pictures that were wrong and are right now",
                _examples(story, command),
                lead=f"{len(story.mended)} of {2 * story.scenes} pictures. The map shows where the evidence for the "
                "answer lies (Grad-CAM).",
            ),
        ],
        data=story.to_dict(),
    )
    document.save(
        story.folder,
        model=NETWORK,
        layer=before.model.layer,
        options={"scenes": story.scenes, "learned": story.learned, "added": story.added},
        weights_fingerprint=weights_fingerprint(before.model.net),
        command=command,
    )
    return write_report(story.folder)


def _percent(stage: Stage, *, opposite: bool = False) -> str:
    value = (stage.opposite_right if opposite else stage.usual_right).value
    return "none" if value is None else f"{value:.1%}"


def _nuisance(stage: Stage) -> str:
    rank, share = stage.nuisance()
    units = ", ".join(map(str, stage.nuisance_units)) or "none"
    place = (
        f"does not speak for {PAIR[1]} on the whole"
        if rank is None
        else f"is number {rank} of what speaks for {PAIR[1]}"
    )
    return (
        f"{NUISANCE.name.capitalize()} {place}: {share:.0%} of all that is said. Units of that name: {units}."
    )


def _strongest(stage: Stage) -> Table:
    found = stage.strongest()
    longest = max(map(len, found.values()), default=0)
    rows = [
        [
            str(place + 1),
            *(
                f"{named[place][0]} ({named[place][1]:.0%})" if place < len(named) else ""
                for named in found.values()
            ),
        ]
        for place in range(longest)
    ]
    strong = [
        number for number, row in enumerate(rows) if any(cell.startswith(NUISANCE.name) for cell in row[1:])
    ]
    columns = ("", *(f"for {name}" for name in found))
    return Table(
        f"{stage.title.capitalize()}: the strongest concepts", columns, rows, strong, range(len(columns))
    )


def _accuracy(stage: Stage, caption: str) -> Table:
    rows = []
    for name in PAIR:
        cells = [shown(share_right(stage.right[name, there])) for there in (True, False)]
        rows.append((name, *cells))
    return Table(caption, ("class", f"with {COLUMN}", f"without {COLUMN}"), rows)


def _examples(story: BiasStory, command: list[str] | None) -> Sequence[Block]:
    """For a few pictures, of both classes where there are such, the answer and the map before and after."""
    by_class = {name: [image for image, label in story.mended if label == name] for name in PAIR}
    chosen = [image for pair in zip(*by_class.values(), strict=False) for image in pair][:EXAMPLES]
    chosen += [image for image, _ in story.mended if image not in chosen][: EXAMPLES - len(chosen)]
    if not chosen:
        return [Text("None.")]
    blocks: list[Block] = []
    for number, image in enumerate(chosen, 1):
        pictures, links = [], []
        for stage in (story.before, story.after):
            folder = story.folder / stage.title / f"why-{number}"
            names = load_names(story.folder / stage.title / "dissection")
            why = explain(stage.model, story.folder / image, names, rank_by="contribution")
            why.save(folder, command=command)
            write_report(folder)
            pictures.append(_picture(stage.title, why))
            links.append((f"{stage.title}: the whole explanation", f"{stage.title}/why-{number}/index.html"))
        blocks += [Pictures(pictures, caption=image), Links(links)]
    return blocks


def _picture(title: str, why: Explanation) -> Picture:
    best = why.predictions[0]
    buffer = io.BytesIO()
    why.photograph.save(buffer, "PNG")
    return Picture(
        thumbnail(buffer.getvalue(), why.targets[0].map, "heat"),
        f"{title}: {best.label}",
        f"The picture, with the map of the evidence for {best.label} {title} the counterexamples.",
        why.targets[0].sentence,
    )
