"""How do other people's captioners and question answerers, trained in Lua Torch, become networks of ours?

    told = convert_neuraltalk2("model_id1.t7")
    told.net, told.vocabulary, told.start, told.end, told.preprocess

    asked = convert_vqa_lstm_cnn("lstm.t7", "data_prepro.json", cnn=vgg19_up_to_fc7)
    asked.net, asked.vocabulary, asked.answers, asked.preprocess

Nothing of the files is run, and every weight must fit its place. Torch counts from 1 and we from 0, so word i of ours
is their word i + 1; NeuralTalk2's START and END, its number V + 1, become V. Both keep the gates in the order in,
forget, out, write, as `lstm.Core` does, so weights are copied as they are. `docs/converters.md` tells what the files
look like.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from neuro_explain.checkpoint import existing_file
from neuro_explain.language.lstm_cnn import LstmCnnVqa
from neuro_explain.language.question_words import UNKNOWN, QuestionWords
from neuro_explain.language.show_and_tell import LanguageModel, ShowAndTell
from neuro_explain.language.torch7 import Torch7Object, read_torch7
from neuro_explain.language.torch7_layers import dropout, fill, kind, linear, sequential, weight, whole
from neuro_explain.language.vocabulary import Vocabulary
from neuro_explain.preprocess import CAFFE_MEAN, Preprocess

NEURALTALK2_INPUT = Preprocess(
    resize=(256, 256), channels="RGB", scale=False, mean=CAFFE_MEAN[::-1], std=(1.0, 1.0, 1.0)
)
"""Squashed to 256×256, the centre cut out, the mean subtracted; red first, for which its first kernels were turned."""

VQA_LSTM_CNN_INPUT = Preprocess(
    resize=(224, 224), channels="BGR", scale=False, mean=CAFFE_MEAN, std=(1.0, 1.0, 1.0)
)
"""Squashed to 224×224, the mean subtracted, blue first."""


@dataclass(frozen=True, eq=False)
class ConvertedCaptioner:
    """A captioner out of a NeuralTalk2 checkpoint.

    Attributes:
        net: the network, in eval mode.
        vocabulary: its V words.
        start: the token before the first word, V.
        end: the token after the last word, V too.
        longest: words of a caption at most, as in its training.
        preprocess: how an image becomes its input.
    """

    net: ShowAndTell
    vocabulary: Vocabulary
    start: int
    end: int
    longest: int
    preprocess: Preprocess


@dataclass(frozen=True, eq=False)
class ConvertedAnswerer:
    """A network that answers questions, out of the files of VQA_LSTM_CNN.

    Attributes:
        net: the network, in eval mode.
        vocabulary: the words of its questions.
        answers: its answers, in the order of its scores.
        preprocess: how an image becomes its input.
    """

    net: LstmCnnVqa
    vocabulary: QuestionWords
    answers: tuple[str, ...]
    preprocess: Preprocess


def convert_neuraltalk2(path: str | Path) -> ConvertedCaptioner:
    """The captioner that a NeuralTalk2 checkpoint holds.

    Args:
        path: a `.t7` file of its `train.lua`, from a GPU or not.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no such checkpoint, or one whose parts do not fit together.
    """
    checkpoint = read_torch7(path)
    try:
        protos = _table(_table(checkpoint, "the file").get("protos"), "protos")
        words = _counted(checkpoint.get("vocab"), "vocab")
        return _captioner(protos, words)
    except ValueError as error:
        raise ValueError(f"{path}: not a checkpoint of NeuralTalk2 as expected: {error}") from None


def _captioner(protos: dict[Any, Any], words: list[str]) -> ConvertedCaptioner:
    told = protos.get("lm")
    if not isinstance(told, Torch7Object) or told.class_name != "nn.LanguageModel":
        raise ValueError(f"protos.lm: expected an nn.LanguageModel, got {kind(told)}")
    if (count := whole(told.fields, "vocab_size")) != len(words):
        raise ValueError(f"vocab: expected the {count:,} words of protos.lm, got {len(words):,}")
    parts = _annotated(told.fields.get("core"))
    layers = whole(told.fields, "num_layers")
    top, table = parts.get("decoder"), told.fields.get("lookup_table")
    if not isinstance(top, Torch7Object) or not isinstance(table, Torch7Object):
        raise ValueError(
            f"protos.lm: expected a decoder and a lookup_table, got {kind(top)} and {kind(table)}"
        )
    rnn_size = linear(top.fields).in_features
    vectors = weight(table.fields.get("weight"), "protos.lm.lookup_table.weight")
    if vectors.dim() != 2:
        raise ValueError(f"protos.lm.lookup_table.weight: expected a matrix, got {list(vectors.shape)}")
    cnn = sequential(protos.get("cnn"), "protos.cnn")
    encodings = [layer.out_features for layer in cnn if isinstance(layer, nn.Linear)]
    if encodings[-1:] != [vectors.shape[1]]:
        raise ValueError(
            f"protos.cnn: expected a last linear layer of {vectors.shape[1]} outputs, as wide as a word's vector, "
            f"got {encodings[-1] if encodings else 'no linear layer'}"
        )
    drop = parts.get("drop_final")
    share = dropout(drop.fields).p if isinstance(drop, Torch7Object) else 0.0
    if not 1 <= layers <= len(parts):
        raise ValueError(
            f"num_layers: expected from 1 to the {len(parts)} named parts of the core, got {layers}"
        )
    lm = LanguageModel(len(words), vectors.shape[1], rnn_size, layers=layers, dropout=share)
    fill(lm.lookup_table.weight, table.fields.get("weight"), "protos.lm.lookup_table.weight")
    ours = {"decoder": lm.decoder} | {
        f"{side}_{layer}": lm.core.get_submodule(f"{side}_{layer}")
        for layer in range(1, layers + 1)
        for side in ("i2h", "h2h")
    }
    for name, module in ours.items():
        theirs = parts.get(name)
        if not isinstance(theirs, Torch7Object) or theirs.class_name != "nn.Linear":
            raise ValueError(f"protos.lm.core: expected an nn.Linear named {name!r}, got {kind(theirs)}")
        for key, parameter in module.named_parameters():
            fill(parameter, theirs.fields.get(key), f"protos.lm.core, {name}, {key}")
    return ConvertedCaptioner(
        ShowAndTell(cnn, lm).eval(),
        Vocabulary(words, unknown=words.index(UNKNOWN) if UNKNOWN in words else None),
        start=len(words),
        end=len(words),
        longest=whole(told.fields, "seq_length"),
        preprocess=NEURALTALK2_INPUT,
    )


def _annotated(core: object) -> dict[str, Any]:
    """The modules of a graph by the names that nngraph's `annotate` gave their nodes."""
    if not isinstance(core, Torch7Object) or core.class_name != "nn.gModule":
        raise ValueError(f"protos.lm.core: expected an nn.gModule, got {kind(core)}")
    nodes = core.fields.get("forwardnodes")
    if not isinstance(nodes, list):
        raise ValueError(f"protos.lm.core.forwardnodes: expected a list of nodes, got {kind(nodes)}")
    found: dict[str, Any] = {}
    for node in nodes:
        data = node.fields.get("data") if isinstance(node, Torch7Object) else None
        notes = data.get("annotations") if isinstance(data, dict) else None
        name = notes.get("name") if isinstance(notes, dict) else None
        if isinstance(data, dict) and isinstance(name, str):
            found[name] = data.get("module")
    return found


def convert_vqa_lstm_cnn(
    path: str | Path,
    vocabulary: str | Path,
    *,
    cnn: nn.Module,
    image_size: int = 4096,
    embedding_size: int = 200,
    rnn_size: int = 512,
    layers: int = 2,
    common_size: int = 1024,
) -> ConvertedAnswerer:
    """The network whose weights VQA_LSTM_CNN keeps in one file and whose words it keeps in another.

    Args:
        path: its `lstm.t7`.
        vocabulary: its `data_prepro.json`.
        cnn: the image tower, which is in neither file: images `[N, 3, 224, 224]` to features `[N, image_size]`.
        image_size: width of those features.
        embedding_size, rnn_size, layers, common_size: as it was trained; the defaults are its own.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: another kind of file, or numbers of weights that these sizes do not explain.
    """
    if not isinstance(cnn, nn.Module):
        raise ValueError(f"cnn: expected the image tower, a torch.nn.Module, got {type(cnn).__name__}")
    sizes = {
        "image_size": image_size,
        "embedding_size": embedding_size,
        "rnn_size": rnn_size,
        "layers": layers,
    }
    for name, size in {**sizes, "common_size": common_size}.items():
        if size < 1:
            raise ValueError(f"{name}: expected a whole number above 0, got {size}")
    words, answers = _words_and_answers(existing_file(vocabulary))
    weights = read_torch7(path)
    net = LstmCnnVqa(
        cnn,
        words=len(words),
        answers=len(answers),
        image_size=image_size,
        embedding_size=embedding_size,
        rnn_size=rnn_size,
        layers=layers,
        common_size=common_size,
    )
    encoder = [
        parameter
        for layer in range(1, layers + 1)
        for side in ("i2h", "h2h")
        for parameter in net.encoder_net_q.get_submodule(f"{side}_{layer}").parameters()
    ]
    multimodal = net.multimodal_net
    heads = [*multimodal.question.parameters(), *multimodal.image.parameters()]
    try:
        table = _table(weights, "the file")
        given = f"{len(words):,} words and embedding_size {embedding_size}"
        _pour(table, "embedding_w_q", list(net.embedding_net_q.parameters()), 0, given)
        # the original's LSTM has an output that nothing uses, one number from the top state
        given = f"embedding_size {embedding_size}, rnn_size {rnn_size} and {layers} layers"
        _pour(table, "encoder_w_q", encoder, rnn_size + 1, given)
        given = (
            f"rnn_size {rnn_size}, {layers} layers, image_size {image_size}, common_size {common_size} and "
            f"{len(answers):,} answers"
        )
        _pour(table, "multimodal_w", [*heads, *multimodal.classifier.parameters()], 0, given)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return ConvertedAnswerer(net.eval(), QuestionWords(words), tuple(answers), VQA_LSTM_CNN_INPUT)


def _pour(table: dict[Any, Any], name: str, parameters: Sequence[Tensor], unused: int, given: str) -> None:
    """Fills parameters one after the other from a vector of all their numbers."""
    numbers = weight(table.get(name), name)
    needed = sum(parameter.numel() for parameter in parameters) + unused
    if numbers.dim() != 1 or len(numbers) != needed:
        raise ValueError(
            f"{name}: expected a vector of {needed:,} numbers for {given}, got {list(numbers.shape)}; "
            "give the sizes that it was trained with, and its own words"
        )
    start = 0
    with torch.no_grad():
        for parameter in parameters:
            parameter.copy_(numbers[start : start + parameter.numel()].view(parameter.shape))
            start += parameter.numel()


def _words_and_answers(path: Path) -> tuple[list[str], list[str]]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(table, dict):
            raise ValueError(f"expected an object, got {type(table).__name__}")
        return _counted(table.get("ix_to_word"), "ix_to_word"), _counted(table.get("ix_to_ans"), "ix_to_ans")
    except ValueError as error:
        raise ValueError(f"{path}: not the words of VQA_LSTM_CNN (data_prepro.json): {error}") from None


def _table(value: object, what: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what}: expected a table with names, got {kind(value)}")
    return value


def _counted(value: object, what: str) -> list[str]:
    """The words of a table from "1" to "n", in that order."""
    table = {str(i): word for i, word in enumerate(value, 1)} if isinstance(value, list) else value
    if not isinstance(table, dict) or not table:
        raise ValueError(f'{what}: expected words under "1" to "n", got {kind(value)}')
    words = [table.get(str(index)) for index in range(1, len(table) + 1)]
    if not all(isinstance(word, str) for word in words):
        raise ValueError(f'{what}: expected words under "1" to "{len(table)}", got other keys or no words')
    return [str(word) for word in words]
