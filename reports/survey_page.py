"""A page that asks one rater questions about pictures, and gives the answers as a file.

    survey_page(study="3f…", rater="rater-01", task="discrimination", questions=[
        {"token": "9c…", "pictures": ["data:image/webp;base64,…"], "choices": ["cat", "sofa"]},
    ])

The page sends nothing. It knows no right answer: whoever reads its source finds tokens, pictures and choices.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Literal

from reports.contract import ReportError, Row
from reports.draw import image_size
from reports.shell import island, render_alone

_SCALE = (
    (2, "A is clearly more reliable"),
    (1, "A is slightly more reliable"),
    (0, "Both are about equal"),
    (-1, "B is slightly more reliable"),
    (-2, "B is clearly more reliable"),
)


def survey_page(
    *, study: str, rater: str, task: Literal["discrimination", "trust"], questions: Sequence[Row]
) -> bytes:
    """The bytes of one HTML file.

    Args:
        study, rater: what the answers will bear.
        task: what is asked.
        questions: in order, each with `token` and `pictures`, `data:` addresses in the order shown; and two `choices`
            for discrimination, or the `category` that both networks saw for trust.

    Raises:
        ReportError: a question with another number of pictures or choices, or a picture that is not inlined.
    """
    return render_alone(
        "survey.html",
        {
            "title": "Which is it?" if task == "discrimination" else "Which is more reliable?",
            "task": task,
            "study": study,
            "rater": rater,
            "questions": [_question(question, task) for question in questions],
            "facts": island({"study": study, "rater": rater}),
        },
        styles=["survey.css"],
        scripts=["survey.js"],
    )


def _question(question: Row, task: str) -> Row:
    pictures, choices = question["pictures"], question.get("choices") or []
    expected = (1, 2) if task == "discrimination" else (2, 0)
    if (len(pictures), len(choices)) != expected:
        raise ReportError(
            f"question {question['token']}: expected {expected[0]} pictures and {expected[1]} choices, got "
            f"{len(pictures)} and {len(choices)}"
        )
    if not all(picture.startswith("data:image/") for picture in pictures):
        raise ReportError(f"question {question['token']}: expected pictures as data: addresses")
    answers = list(enumerate(choices)) if choices else list(_SCALE)
    return {
        "token": question["token"],
        "category": question.get("category"),
        "pictures": [{"uri": picture, **_size(picture)} for picture in pictures],
        "answers": [{"value": value, "label": label} for value, label in answers],
    }


def _size(picture: str) -> Row:
    width, height = image_size(base64.b64decode(picture.partition(",")[2]))
    return {"width": width, "height": height}
