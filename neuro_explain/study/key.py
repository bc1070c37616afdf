"""What stands behind each question of each page? The key, which no rater may see.

    key.sheets["rater-01"][0]           # Placed(token="9f2c…", question=17, flipped=True)
    key.questions[17].truth

A page knows its questions only by tokens, made by chance for each rater anew. The key says what they mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from neuro_explain.study.question import TASKS, Network, Task


@dataclass(frozen=True)
class Known:
    """What is known of a question; see `question.Question`, which also has the pictures."""

    image: str
    category: str
    method: str
    choices: tuple[str, ...] = ()
    truth: int | None = None


@dataclass(frozen=True)
class Placed:
    """A question on a rater's page.

    Attributes:
        token: by which page and answers call it.
        question: its number in the key.
        flipped: whether the second choice, or the second network's picture, comes first.
    """

    token: str
    question: int
    flipped: bool


@dataclass(frozen=True, eq=False)
class Key:
    """All that is needed to score answers.

    Attributes:
        study: which study; all its pages and answers bear it.
        task: what is asked.
        questions: in the order of their numbers.
        sheets: what each rater is asked, in order.
        networks: one, or the first and the second.
        source: which images.
        notes: sentences on what was left out.
    """

    study: str
    task: Task
    questions: tuple[Known, ...]
    sheets: Mapping[str, tuple[Placed, ...]]
    networks: tuple[Network, ...]
    source: str
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The content of `key.json`."""
        return {
            "warning": "this file holds the answers: do not send it to raters",
            "study": self.study,
            "task": self.task,
            "source": self.source,
            "networks": [asdict(network) for network in self.networks],
            "notes": list(self.notes),
            "questions": [{**asdict(one), "choices": list(one.choices)} for one in self.questions],
            "raters": {rater: [asdict(one) for one in sheet] for rater, sheet in self.sheets.items()},
        }

    @staticmethod
    def from_dict(facts: Mapping[str, Any]) -> Key:
        """The key that `to_dict` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is damaged.
        """
        if facts["task"] not in TASKS:
            raise ValueError(f"task: expected {' or '.join(TASKS)}, got {facts['task']!r}")
        return Key(
            facts["study"],
            facts["task"],
            tuple(Known(**{**one, "choices": tuple(one["choices"])}) for one in facts["questions"]),
            {rater: tuple(Placed(**one) for one in sheet) for rater, sheet in facts["raters"].items()},
            tuple(Network(**one) for one in facts["networks"]),
            facts["source"],
            tuple(facts["notes"]),
        )
