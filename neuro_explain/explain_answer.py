"""Why this answer? An image and a question in, the answer explained in named units.

    why = explain_answer(answerer, "street.jpg", "what colour is the umbrella?", names)
    why = explain_answer(answerer, "street.jpg", "what colour is the umbrella?", names, answer="yellow")

With its question fixed the network is a classifier whose classes are the answers: y is the score of an answer before
softmax, also of one that the network did not give ("if it had to say yellow"), or the difference of two answers
(Selvaraju et al. 2019, Sec. 8.2).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import overload

from PIL import Image
from torch import Tensor

from dissection.fingerprint import weights_fingerprint
from neuro_explain.ablation import DRAWS
from neuro_explain.evidence import RankBy
from neuro_explain.explain import best_classes, class_targets, score_notes
from neuro_explain.explanation import Asked, Explanation, Prediction
from neuro_explain.inquiry import ImageSource, Inquiry, NamesSource, open_inquiry, read_photo
from neuro_explain.speaking import check_speaker
from neuro_explain.targets import Target
from neuro_explain.vqa import QuestionAnswerer


@overload
def explain_answer(  # type: ignore[overload-overlap]  # a str is a sequence of str; it means one path here
    answerer: QuestionAnswerer,
    images: ImageSource,
    question: str,
    names: NamesSource,
    *,
    answer: str | int | None = None,
    versus: str | int | None = None,
    top: int = 5,
    rank_by: RankBy = "contribution",
    named_only: bool = False,
    check: bool = True,
    draws: int = DRAWS,
    seed: int = 0,
) -> Explanation: ...


@overload
def explain_answer(
    answerer: QuestionAnswerer,
    images: Sequence[ImageSource],
    question: str,
    names: NamesSource,
    *,
    answer: str | int | None = None,
    versus: str | int | None = None,
    top: int = 5,
    rank_by: RankBy = "contribution",
    named_only: bool = False,
    check: bool = True,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[Explanation]: ...


def explain_answer(
    answerer: QuestionAnswerer,
    images: ImageSource | Sequence[ImageSource],
    question: str,
    names: NamesSource,
    *,
    answer: str | int | None = None,
    versus: str | int | None = None,
    top: int = 5,
    rank_by: RankBy = "contribution",
    named_only: bool = False,
    check: bool = True,
    draws: int = DRAWS,
    seed: int = 0,
) -> Explanation | list[Explanation]:
    """Explains the answer to a question about one image, or about each of several.

    Args:
        answerer: the network.
        images: a path, an upright `PIL.Image`, or a sequence of these.
        question: what is asked.
        names: of the units of its image tower's layer, or where `load_names` finds them.
        answer: the answer to explain; the network's best one if not given.
        versus: explain the answer's score minus this one's.
        rank_by: "contribution" or "alpha". Behind the layer such networks normalise what they see, which gives a large
            alpha to units that are silent on the image; so contribution is the default here.
        top, named_only, check, draws, seed: as for `explain`.

    Returns:
        One `Explanation`, or a list of them for a sequence.

    Raises:
        ArtifactError: the names are of another layer or of other weights.
        ValueError: no question answerer; a question without a known word, or too long a one; an answer that the network
            cannot give; an unreadable image; scores that are not finite.
    """
    check_speaker(answerer, QuestionAnswerer, names)
    index = None if answer is None else answerer.answer_index(answer)
    other = None if versus is None else answerer.answer_index(versus)
    if index is not None and index == other:
        raise ValueError(
            f"answer and versus are the same, {answerer.answers[index]!r}; give two different ones"
        )
    inquiry = open_inquiry(
        answerer.tower,
        names,
        top=top,
        rank_by=rank_by,
        named_only=named_only,
        check=check,
        draws=draws,
        seed=seed,
    )
    fingerprint = weights_fingerprint(answerer.net)

    def one(source: ImageSource) -> Explanation:
        return _explain_one(inquiry, answerer, source, question, index, other, fingerprint)

    if isinstance(images, (str, os.PathLike, Image.Image)):
        return one(images)
    return [one(source) for source in images]


def _explain_one(
    inquiry: Inquiry,
    answerer: QuestionAnswerer,
    source: ImageSource,
    question: str,
    index: int | None,
    versus: int | None,
    fingerprint: str,
) -> Explanation:
    photo = read_photo(source)
    text = answerer.read(question)
    answering = answerer.answering(text)
    predictions: list[Prediction] = []

    def choose(output: Tensor) -> list[Target]:
        predictions.extend(best_classes(answerer.answers, output))
        if index is None and predictions[0].index == versus:
            raise ValueError(
                f"versus is {predictions[0].label!r}, the network's own answer; give another versus, or also the "
                "answer to compare with it"
            )
        return class_targets(answerer.answers, [one.index for one in predictions], index, versus)

    found = inquiry.examine(
        answering, answerer.prepare(photo.image), answering.layer, choose, image_name=photo.name
    )
    chosen = predictions[0].index if index is None else index
    return inquiry.explanation(
        photo,
        found,
        predictions=predictions,
        asked=Asked(
            "answer",
            answerer.answers[chosen],
            question.strip(),
            chosen != predictions[0].index,
            (),
            fingerprint,
        ),
        notes=[*([text.note] if text.note else []), *score_notes(found.cam.output)],
    )
