"""How does a model from Hugging Face become a captioner, or one that answers questions, that can be explained?

    from transformers import BlipForConditionalGeneration, BlipProcessor
    captioner = hugging_face(BlipForConditionalGeneration.from_pretrained(…), BlipProcessor.from_pretrained(…))
    captioner.caption(image)[0].text

    answerer = load_hugging_face("dandelin/vilt-b32-finetuned-vqa", download=True)

Known are the classes of `KNOWN`, and their subclasses. The model is held as it is. Its units are those of image tokens
(see `token_grid`); its words are made of pieces (see `pieces`). Transformers is the extra `language`, and imported only
to load a model by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn

from neuro_explain.captioning import Captioner
from neuro_explain.language.image_processor import preprocess_of
from neuro_explain.language.pieces import Pieces
from neuro_explain.language.token_answerers import BlipAnswerer, ViltAnswerer
from neuro_explain.language.token_captioners import BlipCaptioner, EncoderDecoder
from neuro_explain.language.token_tower import image_size
from neuro_explain.preprocess import Preprocess, preprocess_named
from neuro_explain.vqa import QuestionAnswerer


def hugging_face(
    model: nn.Module,
    processor: Any,
    *,
    preprocess: Preprocess | str | None = None,
    answers: Sequence[str] | None = None,
    **options: Any,
) -> Captioner | QuestionAnswerer:
    """The adapter that fits the model's class.

    Args:
        model: a model of transformers, of one of the classes in `KNOWN`.
        processor: its processor, or its tokenizer alone.
        preprocess: how an image becomes its input, instead of what the processor says; needed with a tokenizer alone.
            An `input_size` other than the model was made for is allowed where its positions can be interpolated.
        answers: for `BlipForQuestionAnswering`, whose answers are free text: the candidates among which it chooses;
            `token_answerers.COMMON_ANSWERS` if not given.
        options: `layer`, `longest`, `name`, `weights`, `origin`, `licence` as in `Captioner`; `start` and `end` of a
            captioner, where its configuration is silent or wrong.

    Raises:
        ValueError: an unknown class; no tokenizer or no recipe of the input; answers where they are not wanted;
            tokens out of range; no grid of image tokens.
    """
    for cls in type(model).__mro__:
        make = KNOWN.get(cls.__name__)
        if make is not None:
            break
    else:
        raise ValueError(
            f"model: {type(model).__name__} is not among the known classes {', '.join(KNOWN)}; for another one "
            "subclass neuro_explain.Captioner or neuro_explain.QuestionAnswerer"
        )
    tokenizer = getattr(processor, "tokenizer", processor)
    if preprocess is None:
        images = getattr(processor, "image_processor", None)
        if images is None:
            raise ValueError(
                f"preprocess: a {type(processor).__name__} alone does not say how an image becomes the input; "
                "give preprocess= or the model's whole processor"
            )
        preprocess = preprocess_of(images, image_size=image_size(model))
    elif isinstance(preprocess, str):
        preprocess = preprocess_named(preprocess)
    if make is BlipAnswerer:
        options["answers"] = answers
    elif answers is not None:
        raise ValueError(f"answers: {type(model).__name__} takes none, got {len(answers)}")
    return make(model, Pieces(tokenizer), preprocess=preprocess, **options)


def load_hugging_face(
    name: str | Path,
    *,
    download: bool = False,
    answers: Sequence[str] | None = None,
    **options: Any,
) -> Captioner | QuestionAnswerer:
    """A published model with its tokenizer and image processor, in eval mode.

    Args:
        name: of the model on the hub, or the folder that holds all three.
        download: whether what is missing may be fetched; else only what is there already is read.
        answers: see `hugging_face`.
        options: see `hugging_face`.

    Raises:
        ModuleNotFoundError: transformers is not installed.
        FileNotFoundError: it is not there, and was not to be fetched.
        ConnectionError: it could not be fetched.
        ValueError: a model of an unknown class, or with weights missing; and as `hugging_face`.
    """
    try:
        transformers: Any = import_module("transformers")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'transformers is not installed: pip install "neuro-explain[language]"', name="transformers"
        ) from error
    shown = Path(name).name if Path(name).is_dir() else str(name)
    where: dict[str, Any] = {"pretrained_model_name_or_path": str(name), "local_files_only": not download}
    try:
        with _without_progress_bars():
            made_as = transformers.AutoConfig.from_pretrained(**where).architectures or ["none"]
            if made_as[0] not in KNOWN:
                raise ValueError(
                    f"{shown}: a model of class {made_as[0]}, expected one of {', '.join(KNOWN)}"
                )
            model, found = getattr(transformers, made_as[0]).from_pretrained(
                **where, output_loading_info=True
            )
            parts = _Parts(
                transformers.AutoTokenizer.from_pretrained(**where),
                transformers.AutoImageProcessor.from_pretrained(**where),
            )
    except OSError as error:
        if download and not Path(name).is_dir():
            raise ConnectionError(f"{shown}: transformers could not download it: {error}") from error
        raise FileNotFoundError(
            f"{shown}: no such folder with a model, its tokenizer and its image processor, and nothing of that name "
            "was downloaded before; give a folder, or let it be downloaded: download=True"
        ) from error
    missing = sorted(found["missing_keys"])
    if missing:
        raise ValueError(f"{shown}: {len(missing)} weights are missing, {missing[0]} among them")
    facts = {"name": shown, "weights": "pretrained", "origin": f"Hugging Face, {shown}", **options}
    return hugging_face(model.eval(), parts, answers=answers, **facts)


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    """Silences the library's own progress bars, which would stand among our lines; they are as before afterwards."""
    bars: Any = import_module("transformers.utils.logging")
    before = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if before:
            bars.enable_progress_bar()


@dataclass(frozen=True)
class _Parts:
    """What a processor holds."""

    tokenizer: Any
    image_processor: Any


KNOWN: dict[str, Callable[..., Captioner | QuestionAnswerer]] = {
    "VisionEncoderDecoderModel": EncoderDecoder,
    "BlipForConditionalGeneration": BlipCaptioner,
    "BlipForQuestionAnswering": BlipAnswerer,
    "ViltForQuestionAnswering": ViltAnswerer,
}
"""Adapters by the name of the model's class."""
