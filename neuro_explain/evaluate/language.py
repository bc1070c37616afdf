"""Do maps of words and answers lie where they should? The Grad-CAM paper's Sec. 8, on scenes whose truth is known.

    report = language_report(captioner, [answerer], seed=9002, scenes=100)
    print("\n".join(report.lines()))

What is measured stands in `told` (captions) and `answered` (questions). The paper's figures are printed beside ours,
and are of other data with other networks: they say what to expect of such a measure, not what to reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from neuro_explain.captioning import Captioner
from neuro_explain.diorama.scene import make_scene
from neuro_explain.evaluate import answered, told
from neuro_explain.evaluate.answered import Answered
from neuro_explain.evaluate.tally import Figure
from neuro_explain.evaluate.told import Told
from neuro_explain.methods.registry import method_named
from neuro_explain.methods.saliency import Method
from neuro_explain.text_table import text_table
from neuro_explain.vqa import QuestionAnswerer

MEASURED = ("grad-cam", "guided-backprop", "guided-grad-cam")
"""The methods whose maps the paper's Sec. 8 measures."""

_HEADER = ("network", "measure", "maps", "mean", "95 %", "median", "n", "chance", "paper", "counted apart")
_LEFT = tuple(map(_HEADER.index, ("network", "measure", "maps", "counted apart")))  # columns of text
_SHARES = frozenset({told.WORDS, answered.RIGHT, answered.THINGS})


@dataclass(frozen=True)
class LanguageReport:
    """All figures.

    Attributes:
        seed: world of the scenes.
        scenes: how many.
        figures: the rows, by network, measure and method.
    """

    seed: int
    scenes: int
    figures: tuple[Figure, ...]

    def lines(self) -> list[str]:
        """The report for people: one table, and what its columns mean."""
        return [
            f"{self.scenes} drawn scenes of world {self.seed}; the interval is a bootstrap over scenes",
            *text_table([_HEADER, *map(_row, self.figures)], left=_LEFT),
            "paper: Selvaraju et al. 2019, Sec. 8, with other data and other networks (DenseCap, COCO and VQA; VGG-16 "
            "and Inception); not to be compared number by number",
            "chance: 1 is a uniform map, 0 no order in common, a share what a point at random would reach",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "seed": self.seed,
            "scenes": self.scenes,
            "figures": [figure.to_dict() for figure in self.figures],
        }


def language_report(
    captioner: Captioner | None,
    answerers: Sequence[QuestionAnswerer] = (),
    *,
    seed: int = 9002,
    scenes: int = 100,
    methods: Sequence[str | Method] = MEASURED,
    progress: bool = True,
) -> LanguageReport:
    """Measures maps of words, phrases and answers on fresh scenes.

    Args:
        captioner: a captioner that knows the diorama's words; None to leave captions out.
        answerers: networks that answer questions about the diorama.
        seed: world of the fresh scenes; not one that the networks have seen.
        scenes: how many.
        methods: those whose maps are measured, or their names in `methods.METHODS`.
        progress: show a bar on a terminal.

    Raises:
        ValueError: fewer than one scene, no network, or the same name twice; a network that cannot be explained;
            no such method.
    """
    if scenes < 1:
        raise ValueError(f"scenes: expected at least 1, got {scenes}")
    names = [network.name for network in (captioner, *answerers) if network is not None]
    if not names:
        raise ValueError("captioner: expected one, or at least one answerer; got neither")
    if len(set(names)) < len(names):
        raise ValueError(f"answerers: expected networks of different names, got {', '.join(names)}")
    from tqdm import tqdm

    chosen = [one if isinstance(one, Method) else method_named(one) for one in methods]
    measured: list[Told | Answered] = [Answered(one, chosen) for one in answerers]
    if captioner is not None:
        measured.insert(0, Told(captioner, chosen))
    bar = tqdm(
        range(scenes), desc="looking at scenes", unit="scene", disable=None if progress else True, delay=1
    )
    for index in bar:
        scene = make_scene(seed, index)
        for each in measured:
            each.look_at(scene, index)
    return LanguageReport(seed, scenes, tuple(row for each in measured for row in each.figures()))


def _row(figure: Figure) -> tuple[str, ...]:
    """A row of the table, cell by cell."""
    share = figure.measure in _SHARES

    def shown(value: float | None) -> str:
        if value is None:
            return ""
        return f"{value:.1%}" if share else f"{value:.2f}"

    interval = "" if figure.low is None else f"{shown(figure.low)} to {shown(figure.high)}"
    apart = "; ".join(f"{count} {reason}" for reason, count in figure.apart.items())
    return (
        figure.network,
        figure.measure,
        figure.method,
        shown(figure.mean) or "–",
        interval,
        shown(figure.median),
        str(figure.count),
        shown(figure.chance),
        shown(figure.paper),
        apart,
    )
