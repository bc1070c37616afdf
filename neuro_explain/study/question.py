"""What is asked of raters? A picture and two categories, or two pictures and a scale from -2 to 2.

    Question("val/1.jpg", "cat", "guided-grad-cam", (webp,), choices=("cat", "sofa"), truth=0)
    Question("val/1.jpg", "cat", "guided-grad-cam", (webp_of_first, webp_of_second))

A question with choices is one of class discrimination: for which of the two was this picture made? One without is one
of trust: which of two networks, whose pictures are side by side, is the more reliable?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Task: TypeAlias = Literal["discrimination", "trust"]
TASKS: tuple[Task, ...] = ("discrimination", "trust")


@dataclass(frozen=True, eq=False)
class Question:
    """One thing that several raters are asked.

    Attributes:
        image: id of the photograph; questions on one photograph are not independent.
        category: what the pictures are for, as raters read it.
        method: name of the method that made them.
        pictures: encoded; one, or the first network's and the second's.
        choices: two categories; empty for trust.
        truth: which of the choices is `category`; None for trust.
    """

    image: str
    category: str
    method: str
    pictures: tuple[bytes, ...]
    choices: tuple[str, ...] = ()
    truth: int | None = None

    def __post_init__(self) -> None:
        expected = (1, True) if self.choices else (2, False)
        if (len(self.pictures), self.truth is not None) != expected or len(self.choices) not in (0, 2):
            raise ValueError(
                f"question on {self.image}: expected one picture, two choices and a truth, or two pictures and "
                f"neither; got {len(self.pictures)} pictures, {len(self.choices)} choices and the truth {self.truth}"
            )

    @property
    def task(self) -> Task:
        """Whose question it is."""
        return "discrimination" if self.choices else "trust"


@dataclass(frozen=True)
class Network:
    """A network of a study.

    Attributes:
        name: what it is called.
        layer: that was explained.
        fingerprint: of its weights.
        accuracy: share of the labelled images that it gets right; None where that was not measured.
        images: how many these were.
    """

    name: str
    layer: str
    fingerprint: str
    accuracy: float | None = None
    images: int = 0


@dataclass(frozen=True, eq=False)
class Material:
    """The questions of a study, and what they were made of.

    Attributes:
        questions: all of one task.
        networks: one, or for trust two, the first and the second.
        source: which images.
        fingerprint: of these images' names and labels; None if there is none.
        notes: sentences on what was left out.
        options: as typed, for the manifest.
    """

    questions: tuple[Question, ...]
    networks: tuple[Network, ...]
    source: str
    fingerprint: str | None = None
    notes: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tasks = {question.task for question in self.questions}
        if len(tasks) != 1 or len(self.networks) != (1 if tasks == {"discrimination"} else 2):
            raise ValueError(
                f"study: expected questions of one task, with one network, or two for trust; got {len(self.questions)} "
                f"questions of {', '.join(sorted(tasks)) or 'none'} with {len(self.networks)} networks"
            )

    @property
    def task(self) -> Task:
        """What is asked."""
        return self.questions[0].task


def methods_of(questions: Sequence[Question]) -> list[str]:
    """The names of the methods, by first appearance."""
    return list(dict.fromkeys(question.method for question in questions))
