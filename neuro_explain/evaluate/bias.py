"""Can a bias be found in the names of the units, and mended? The Grad-CAM paper's Sec. 6.3, from end to end.

    story = bias_story("runs/bias")
    print("\\n".join(story.lines()))

The paper's network told doctors from nurses by the face and the hair, since most doctors of its training set were men.
Here `diorama-biased` tells offices from classrooms, and in its training set plants stand in offices alone.

1. Found: on pictures like those that it has learned from it is nearly always right. The profile of its named units says
   by what.
2. Tested: the same scenes are drawn with plants and without. Where these say the wrong class, it fails.
3. Mended: counterexamples are added to its training set, as many as it has scenes, and what follows the units learns
   anew. Profile and test are made once more.

Everything goes the way that a user's own pictures go: `dissect`, `explain_batch`, `profile_batch`, `explain`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from dissection.artifact import check_writable
from neuro_explain.batch import explain_batch
from neuro_explain.diorama.networks import SceneNet
from neuro_explain.diorama.render import Rendered
from neuro_explain.diorama.tasks import NUISANCE, PAIR, TASKS
from neuro_explain.diorama.train import PLANS, fit_head, halve, save
from neuro_explain.document import KIND
from neuro_explain.evaluate.estimate import Estimate, share_of
from neuro_explain.inputs import open_inputs
from neuro_explain.model import Model
from neuro_explain.names import dissect, open_concepts
from neuro_explain.profile import profile_batch
from neuro_explain.profile.result import Profile
from neuro_explain.recipes import reproducible
from neuro_explain.report import write_report
from neuro_explain.zoo import load_model

NETWORK = "diorama-biased"
COLUMN = NUISANCE.name + "s"
"""The list's column that says whether a picture shows the nuisance."""

TEST_SEED, EXTRA_SEED = 4002, 3002
"""The worlds of the pictures that are looked at, and of the counterexamples."""

_WITH, _WITHOUT = "yes", "no"


@dataclass(frozen=True, eq=False)
class Stage:
    """What was found of the network at one stage of the story.

    Attributes:
        title: "before" or "after"; also its folder.
        model: the network.
        named, units: units with a name, and all.
        nuisance_units: units named after the nuisance.
        usual: the profile over pictures like those that it first learned from.
        tested: the profile over the same scenes with the nuisance and without.
        right: by class, and whether the picture shows the nuisance, how many it gets right, and of how many.
    """

    title: str
    model: Model
    named: int
    units: int
    nuisance_units: tuple[int, ...]
    usual: Profile
    tested: Profile
    right: dict[tuple[str, bool], tuple[int, int]]

    @property
    def usual_right(self) -> Estimate:
        """The share of the usual pictures that it gets right: the nuisance stands with the second class alone."""
        return share_right(self.right[PAIR[0], False], self.right[PAIR[1], True])

    @property
    def opposite_right(self) -> Estimate:
        """The share of the pictures that it gets right in which the nuisance says the wrong class."""
        return share_right(self.right[PAIR[0], True], self.right[PAIR[1], False])

    def strongest(self, count: int = 5) -> dict[str, list[tuple[str, float]]]:
        """For each class the concepts that speak most for it on the usual pictures, with their share of all said."""
        found = {}
        for one in self.usual.classes:
            places = self.usual.strongest(one, "for")[:count]
            found[one.name] = [(_name(self.usual, place), float(one.share[place])) for place in places]
        return found

    def nuisance(self) -> tuple[int | None, float]:
        """For the second class: the nuisance's place among the concepts for it, from 1, and its share of all said."""
        (one,) = [each for each in self.usual.classes if each.name == PAIR[1]]
        places = [place for place, concept in enumerate(self.usual.concepts) if concept == NUISANCE]
        if not places:
            return None, 0.0
        order = [place for place in np.argsort(-one.mean, kind="stable") if one.mean[place] > 0]
        rank = order.index(places[0]) + 1 if places[0] in order else None
        return rank, float(one.share[places[0]])


@dataclass(frozen=True, eq=False)
class BiasStory:
    """The story's two stages, and what was done in between.

    Attributes:
        folder: of everything.
        before, after: the stages.
        scenes: test scenes, each drawn twice.
        learned: scenes of the network's first training set.
        added: counterexamples.
        mended: (picture, class) of the pictures that were wrong before and are right after, in the list's order.
    """

    folder: Path
    before: Stage
    after: Stage
    scenes: int
    learned: int
    added: int
    mended: tuple[tuple[str, str], ...]

    def lines(self) -> list[str]:
        """The story for people."""
        lines = [
            f"{NETWORK} learned {self.learned:,} scenes, {PAIR[0]} or {PAIR[1]}, {COLUMN} only with the second; tried "
            f"on {self.scenes:,} fresh scenes, each drawn with {COLUMN} and without"
        ]
        for stage in (self.before, self.after):
            title = stage.title
            if stage is self.after:
                title += f", with {self.added:,} counterexamples"
            lines.append(f"{title}: right on {shown(stage.usual_right)} of the usual pictures")
            for name, concepts in stage.strongest().items():
                said = ", ".join(f"{concept} {share:.0%}" for concept, share in concepts)
                lines.append(f"  speaks for {name}: {said}")
            rank, share = stage.nuisance()
            place = "not among those" if rank is None else f"number {rank} of those"
            lines.append(
                f"  {NUISANCE.name}: {place} that speak for {PAIR[1]}, {share:.0%} of all that is said"
            )
            lines.append(f"  right where {COLUMN} say the wrong class: {shown(stage.opposite_right)}")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "network": NETWORK,
            "nuisance": NUISANCE.name,
            "scenes": self.scenes,
            "learned": self.learned,
            "added": self.added,
            "stages": [
                {
                    "title": stage.title,
                    "usual_right": stage.usual_right.value,
                    "opposite_right": stage.opposite_right.value,
                    "right": [
                        {"class": name, COLUMN: there, "right": right, "images": images}
                        for (name, there), (right, images) in stage.right.items()
                    ],
                    "strongest": {
                        name: [{"concept": concept, "share": share} for concept, share in concepts]
                        for name, concepts in stage.strongest().items()
                    },
                    "nuisance_rank": stage.nuisance()[0],
                    "nuisance_share": stage.nuisance()[1],
                    "nuisance_units": list(stage.nuisance_units),
                }
                for stage in (self.before, self.after)
            ],
            "mended": [{"image": image, "class": name} for image, name in self.mended],
        }


def bias_story(
    out: str | os.PathLike[str],
    *,
    scenes: int = 200,
    learned: int | None = None,
    concepts: int = 400,
    workers: int = 2,
    seed: int = 0,
    progress: bool | None = None,
) -> BiasStory:
    """Finds the bias, tests it, mends it, and looks again; all that it makes stays in `out`.

    Args:
        out: folder; new, or one that holds no artifact.
        scenes: test scenes; each is drawn with the nuisance and without.
        learned: scenes to learn from, and as many counterexamples; the network's own number if not given.
        concepts: scenes that name the units.
        workers: processes that draw and read.
        seed: of the first weights and the order in which it learns.
        progress: show bars; None: only on a terminal.

    Raises:
        ArtifactError: `out` holds an artifact.
        ValueError: fewer than 80 scenes, of which no profile could be compared.
    """
    if scenes < 80:
        raise ValueError(
            f"scenes: expected at least 80, so that each group holds enough pictures, got {scenes}"
        )
    folder = Path(out)
    check_writable(folder, kind=KIND, overwrite=False)
    lists = _draw(folder, scenes, workers)
    plan = PLANS[NETWORK]
    count = plan.scenes if learned is None else learned
    before = _look(folder, "before", load_model(NETWORK), lists, concepts, workers, progress)
    own = TASKS["biased"].render(plan.seed, count, workers=workers)
    extra = TASKS["opposite"].render(EXTRA_SEED, count, workers=workers)
    net = relearned(before.model, [own, extra], seed=seed, progress=bool(progress))
    save(net, folder, "retrained", {"base": NETWORK, "scenes": count, "counterexamples": count, "seed": seed})
    mended = load_model(NETWORK, weights=folder / "retrained.safetensors")
    after = _look(folder, "after", mended, lists, concepts, workers, progress)
    return BiasStory(folder, before, after, scenes, count, count, _mended(folder, lists["all"]))


def relearned(model: Model, parts: Sequence[Rendered], *, seed: int = 0, progress: bool = False) -> SceneNet:
    """The network with its convolutions as they are, and what follows the units learned anew.

    Args:
        model: of the diorama; stays as it is.
        parts: scenes to learn from.
        seed: of the order of the scenes.
        progress: whether to draw bars.
    """
    base = model.net
    assert isinstance(base, SceneNet)
    with reproducible():
        net = SceneNet(len(model.classes))
    net.features.load_state_dict(base.features.state_dict())
    whole = Rendered(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    fit_head(net, whole, PLANS[NETWORK], seed=seed, progress=progress)
    halve(net)
    return net


def share_right(*counts: tuple[int, int]) -> Estimate:
    """The share of pictures that are right, from (right, all) of some groups."""
    right, images = (sum(one) for one in zip(*counts, strict=True))
    return share_of([True] * right + [False] * (images - right))


def shown(one: Estimate) -> str:
    """A share with its interval, for people."""
    return f"{one.value:.1%} ({one.low:.1%} to {one.high:.1%})" if one.value is not None else "none"


def _draw(folder: Path, scenes: int, workers: int) -> dict[str, Path]:
    """Draws every test scene with the nuisance and without; writes the two lists."""
    (folder / "scenes").mkdir(parents=True, exist_ok=True)
    rows = []
    for usual, task in ((True, "biased"), (False, "opposite")):
        drawn = TASKS[task].render(TEST_SEED, scenes, workers=workers)
        for number, (image, label) in enumerate(zip(drawn.images, drawn.labels, strict=True)):
            there = (label == 1) == usual
            path = f"scenes/{number:04}-{'with' if there else 'without'}-{COLUMN}.png"
            Image.fromarray(image).save(folder / path)
            rows.append((path, PAIR[label], _WITH if there else _WITHOUT, usual))
    table = pd.DataFrame(rows, columns=["image", "label", COLUMN, "usual"]).sort_values("image")
    lists = {"usual": folder / "usual.csv", "all": folder / "all.csv"}
    table[table.usual].drop(columns="usual").to_csv(lists["usual"], index=False)
    table.drop(columns="usual").to_csv(lists["all"], index=False)
    return lists


def _look(
    folder: Path,
    title: str,
    model: Model,
    lists: dict[str, Path],
    concepts: int,
    workers: int,
    progress: bool | None,
) -> Stage:
    """Names the units, explains all pictures, and sums up."""
    names = dissect(model, open_concepts(f"diorama:1:{concepts}"))
    names.save(folder / title / "dissection")
    write_report(folder / title / "dissection")
    profiles = {}
    for which, path in lists.items():
        inputs = open_inputs(str(path), classes=model.classes)
        run = folder / title / which
        explain_batch(model, inputs, names, run, workers=workers, progress=progress)
        write_report(run)
        compare = f"{COLUMN}={_WITH},{_WITHOUT}" if which == "all" else None
        profiles[which] = profile_batch(run, of="label" if which == "all" else "predicted", compare=compare)
        profiles[which].save(folder / title / f"{which}-profile")
        write_report(folder / title / f"{which}-profile")
    right = {
        (one.name, there): (side.right, side.labelled)
        for one in profiles["all"].comparisons[0].classes
        for there, side in ((True, one.first), (False, one.second))
    }
    found = tuple(name.unit for name in names if name.concept == NUISANCE)
    return Stage(title, model, names.named, len(names), found, profiles["usual"], profiles["all"], right)


def _mended(folder: Path, listed: Path) -> tuple[tuple[str, str], ...]:
    """Pictures that were wrong before and are right after, with their class."""
    right = [
        pd.read_parquet(folder / title / "all" / "predictions", columns=["id", "right"]).set_index("id").right
        for title in ("before", "after")
    ]
    labels = pd.read_csv(listed).set_index("image").label
    changed = labels[~right[0].reindex(labels.index) & right[1].reindex(labels.index)]
    return tuple((str(image), str(label)) for image, label in changed.items())


def _name(profile: Profile, place: int) -> str:
    concept = profile.concepts[place]
    return "(unnamed)" if concept is None else concept.name
