"""Why does the captioner say so? An image in, the caption and each of its words explained in named units.

    why = explain_caption(captioner, "kitchen.jpg", names)
    print(why.text)
    why.targets[3].top[0].concept        # the unit that spoke loudest for the third word

The scalar is the log-probability of the caption, and for each word that of the word at its time step (Selvaraju et al.
2019, Sec. 8.1). One pass of the image, one of the decoder, and one batched backward pass serve them all.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import overload

from PIL import Image
from torch import Tensor

from dissection.fingerprint import weights_fingerprint
from neuro_explain.ablation import DRAWS
from neuro_explain.captioning import BEAMS, Caption, Captioner
from neuro_explain.evidence import RankBy
from neuro_explain.explanation import Asked, Explanation, Prediction, Word
from neuro_explain.inquiry import ImageSource, Inquiry, NamesSource, open_inquiry, read_photo
from neuro_explain.language.vocabulary import Text
from neuro_explain.recipes import near
from neuro_explain.sentence import listing, percent
from neuro_explain.speaking import check_speaker
from neuro_explain.targets import Target


@overload
def explain_caption(  # type: ignore[overload-overlap]  # a str is a sequence of str; it means one path here
    captioner: Captioner,
    images: ImageSource,
    names: NamesSource,
    *,
    caption: str | None = None,
    word: str | int | None = None,
    beams: int = BEAMS,
    top: int = 5,
    rank_by: RankBy = "contribution",
    named_only: bool = False,
    check: bool = True,
    draws: int = DRAWS,
    seed: int = 0,
) -> Explanation: ...


@overload
def explain_caption(
    captioner: Captioner,
    images: Sequence[ImageSource],
    names: NamesSource,
    *,
    caption: str | None = None,
    word: str | int | None = None,
    beams: int = BEAMS,
    top: int = 5,
    rank_by: RankBy = "contribution",
    named_only: bool = False,
    check: bool = True,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[Explanation]: ...


def explain_caption(
    captioner: Captioner,
    images: ImageSource | Sequence[ImageSource],
    names: NamesSource,
    *,
    caption: str | None = None,
    word: str | int | None = None,
    beams: int = BEAMS,
    top: int = 5,
    rank_by: RankBy = "contribution",
    named_only: bool = False,
    check: bool = True,
    draws: int = DRAWS,
    seed: int = 0,
) -> Explanation | list[Explanation]:
    """Explains the caption of one image, or of each of several.

    Args:
        captioner: the network.
        images: a path, an upright `PIL.Image`, or a sequence of these.
        names: of the units of its image tower's layer, or where `load_names` finds them.
        caption: the caption to explain; the network's best one if not given.
        word: a word of it, or its place from 0 (as a number, or as digits that are no word of it): the word's target
            then comes first, and is checked by ablation. Of a word that stands there several times it is the first.
        beams: captions that the search follows at once; 1 is greedy.
        rank_by: "contribution" or "alpha". Behind the layer such networks normalise what they see, which gives a large
            alpha to units that are silent on the image; so contribution is the default here.
        top, named_only, check, draws, seed: as for `explain`.

    Returns:
        One `Explanation`, or a list of them for a sequence. Its targets are the caption (unless a word was asked for,
        which then comes first) and its words, one after the other; `asked` says which is which.

    Raises:
        ArtifactError: the names are of another layer or of other weights.
        ValueError: no captioner; a caption without a known word, or too long a one; a word that the caption does not
            have; an unreadable image; scores that are not finite or do not fit the vocabulary.
    """
    check_speaker(captioner, Captioner, names)
    inquiry = open_inquiry(
        captioner.tower,
        names,
        top=top,
        rank_by=rank_by,
        named_only=named_only,
        check=check,
        draws=draws,
        seed=seed,
    )
    given = None if caption is None else captioner.read(caption)
    fingerprint = weights_fingerprint(captioner.net)
    if isinstance(images, (str, os.PathLike, Image.Image)):
        return _explain_one(inquiry, captioner, images, given, word, beams, fingerprint)
    return [_explain_one(inquiry, captioner, one, given, word, beams, fingerprint) for one in images]


def _explain_one(
    inquiry: Inquiry,
    captioner: Captioner,
    source: ImageSource,
    given: Text | None,
    word: str | int | None,
    beams: int,
    fingerprint: str,
) -> Explanation:
    photo = read_photo(source)
    if given is None:
        found = captioner.caption(photo.image, beams=beams)
        text, ended = found[0].text, found[0].ended
    else:
        found = captioner.captions_with_words(photo.image, beams=beams)
        text, ended = given, True
    telling = captioner.telling(text, ended=ended)
    targets = telling.targets([f"“{one}”" for one in text.words], f"“{text}”")
    order = list(range(len(targets)))
    notes = _notes(text, None if given is not None else found[0])
    if word is not None:  # the asked word first; the others keep their places
        places = _word_places(text, word)
        order.insert(0, order.pop(1 + places[0]))
        notes += _places_note(text, places)

    def choose(_output: Tensor) -> list[Target]:
        return [targets[place] for place in order]

    with _logarithms_are_right():
        passes = inquiry.examine(
            telling, captioner.prepare(photo.image), telling.layer, choose, image_name=photo.name
        )
    at = {place: row for row, place in enumerate(order)}
    said = tuple(
        Word(one, at[1 + place], passes.evidence[at[1 + place]].probability or 0.0)
        for place, one in enumerate(text.words)
    )
    return inquiry.explanation(
        photo,
        passes,
        predictions=[_prediction(number, one) for number, one in enumerate(found)],
        asked=Asked("caption", str(text), None, given is not None, said, fingerprint),
        notes=notes,
    )


def _prediction(number: int, caption: Caption) -> Prediction:
    return Prediction(number, str(caption.text), caption.log_probability, math.exp(caption.log_probability))


def _notes(text: Text, found: Caption | None) -> list[str]:
    notes = [text.note] if text.note else []
    if found is not None and not found.ended:
        notes.append("The caption was cut off: the network had not come to an end when it reached its limit.")
    if found is not None and found.silence is not None:
        nothing, this = (percent(math.exp(one)) for one in (found.silence, found.log_probability))
        notes.append(
            f"The network would rather have said nothing: that has a probability of {nothing}, this caption {this}."
        )
    return notes


def _word_places(text: Text, word: str | int) -> list[int]:
    """The places of a word in a caption, at least one."""
    places = []
    if isinstance(word, str):
        places = [place for place, one in enumerate(text.words) if one.lower() == word.lower()]
        if not places and word.isdecimal():  # of a command line all is text
            word = int(word)
    if isinstance(word, int) and not isinstance(word, bool):
        places = [word] if 0 <= word < len(text.words) else []
    if not places:
        raise ValueError(
            f"word {word!r} is not in the caption “{text}”, expected one of its words or a place from 0 to "
            f"{len(text.words) - 1}{near(str(word).lower(), dict.fromkeys(text.words))}"
        )
    return places


def _places_note(text: Text, places: Sequence[int]) -> list[str]:
    """That a word stands in the caption several times, and how to choose another one."""
    if len(places) == 1:
        return []
    return [
        f"“{text.words[places[0]]}” stands in the caption at the places {listing([str(place) for place in places])}, "
        f"counted from 0; the first is explained. For the next one give its place: word={places[1]}, on the command "
        f"line --word {places[1]}."
    ]


@contextmanager
def _logarithms_are_right() -> Iterator[None]:
    """No advice to return scores before softmax: a caption's score is the sum of logarithms, and is meant to be."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the network's output looks like logarithms of probabilities")
        yield
