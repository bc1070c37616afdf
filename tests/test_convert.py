"""Checkpoints of NeuralTalk2 and VQA_LSTM_CNN: what comes out equals their equations, written again in float64."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch7_writer import Function, Lua, Pairs, Storage, Tensor, tensor, write

from neuro_explain.language.convert import convert_neuraltalk2, convert_vqa_lstm_cnn
from neuro_explain.language.lstm_cnn import PAD
from neuro_explain.language.question_words import QuestionWords

DOC = Path(__file__).resolve().parents[1] / "docs" / "converters.md"
# float32 sums of fewer than a thousand products of numbers around 1, against float64
CLOSE = {"rtol": 1e-4, "atol": 1e-4}

WORDS = ["a", "lamp", "red", "UNK", "two"]
ENCODING, RNN = 6, 5


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm(
    weights: dict[str, np.ndarray], layers: int, x: np.ndarray, state: list[np.ndarray]
) -> list[np.ndarray]:
    """One step: [c_1, h_1, c_2, h_2, …] from the same of the step before; gates in, forget, out, write."""
    following: list[np.ndarray] = []
    for layer in range(1, layers + 1):
        c, h = state[2 * layer - 2], state[2 * layer - 1]
        sums = (
            weights[f"i2h_{layer}.weight"] @ x + weights[f"i2h_{layer}.bias"]
            + weights[f"h2h_{layer}.weight"] @ h + weights[f"h2h_{layer}.bias"]
        )  # fmt: skip
        n1, n2, n3, n4 = sums.reshape(4, -1)
        c = sigmoid(n2) * c + sigmoid(n1) * np.tanh(n4)
        x = sigmoid(n3) * np.tanh(c)
        following += [c, x]
    return following


def drawn(shapes: dict[str, tuple[int, ...]], seed: int, scale: float = 0.7) -> dict[str, np.ndarray]:
    """Weights that float32 holds exactly, in float64."""
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, scale, shape).astype("f4").astype("f8") for name, shape in shapes.items()}


# NeuralTalk2


def told_weights(layers: int) -> dict[str, np.ndarray]:
    shapes: dict[str, tuple[int, ...]] = {
        "conv1": (4, 3, 16, 16), "conv1.bias": (4,), "conv2": (6, 4, 3, 3), "conv2.bias": (6,),
        "fc6": (8, 24), "fc6.bias": (8,), "fc7": (7, 8), "fc7.bias": (7,),
        "top": (ENCODING, 7), "top.bias": (ENCODING,),
        "lookup": (len(WORDS) + 1, ENCODING), "decoder": (len(WORDS) + 1, RNN), "decoder.bias": (len(WORDS) + 1,),
    }  # fmt: skip
    for layer in range(1, layers + 1):
        shapes[f"i2h_{layer}.weight"] = (4 * RNN, ENCODING if layer == 1 else RNN)
        shapes[f"h2h_{layer}.weight"] = (4 * RNN, RNN)
        shapes[f"i2h_{layer}.bias"] = shapes[f"h2h_{layer}.bias"] = (4 * RNN,)
    weights = drawn(shapes, seed=layers)
    weights["conv1"] = weights["conv1"] / 1024  # inputs reach 150
    return weights


def told_checkpoint(weights: dict[str, np.ndarray], layers: int, *, gpu: bool) -> dict[str, Any]:
    """A checkpoint as `train.lua` saves it: all weights of a network in one storage, as getParameters leaves them."""
    maker = "cudnn" if gpu else "nn"
    kind = "Cuda" if gpu else "Float"
    flat = np.concatenate([np.zeros(3), *(one.ravel() for one in weights.values())]).astype("f4")
    storage = Storage(flat, f"torch.{kind}Storage")
    places, start = {}, 3
    for name, one in weights.items():
        strides = tuple(step // 8 for step in one.strides)
        places[name] = Tensor(storage, one.shape, strides, start)
        start += one.size

    def layer(class_name: str, name: str = "", **fields: Any) -> Lua:
        if name:
            fields["name"] = name
        output = Tensor(None, (), (), class_name=f"torch.{kind}Tensor")
        return Lua(class_name, {"output": output, "gradInput": output, "train": False, **fields})

    def dense(name: str) -> Lua:
        return layer("nn.Linear", weight=places[name], bias=places[f"{name}.bias"])

    def conv(name: str, size: int, step: int, pad: int) -> Lua:
        weight = places[name]
        if gpu:
            fields: dict[str, Any] = {"groups": 1}
        else:  # SpatialConvolutionMM
            inner = int(np.prod(weight.sizes[1:]))
            weight, fields = Tensor(storage, (weight.sizes[0], inner), (inner, 1), weight.offset), {}
        return layer(
            "cudnn.SpatialConvolution" if gpu else "nn.SpatialConvolutionMM",
            name, weight=weight, bias=places[f"{name}.bias"], kW=size, kH=size, dW=step, dH=step, padW=pad, padH=pad,
            nInputPlane=weights[name].shape[1], nOutputPlane=weights[name].shape[0], **fields,
        )  # fmt: skip

    def drop() -> Lua:
        return layer("nn.Dropout", p=0.5, v2=True, noise=tensor(np.zeros(1, "f4")))

    chain = [
        conv("conv1", 16, 16, 0), layer(f"{maker}.ReLU", "relu1", inplace=True), conv("conv2", 3, 1, 1),
        layer(f"{maker}.ReLU", "relu2", threshold=0, val=0),
        layer(f"{maker}.SpatialMaxPooling", "pool2", kW=7, kH=7, dW=7, dH=7, padW=0, padH=0, ceil_mode=True),
        layer("nn.View", size=Storage(np.array([-1], "i8")), numElements=-1, numInputDims=3),
        dense("fc6"), layer(f"{maker}.ReLU"), drop(), dense("fc7"), layer(f"{maker}.ReLU"), drop(), dense("top"),
        layer(f"{maker}.ReLU", "forward"),  # a name that a chain of ours cannot have
    ]  # fmt: skip
    return {
        "opt": {"rnn_size": RNN, "backend": maker, "id": "1-501"},
        "iter": 2500,
        "loss_history": {0: 9.1, 25: 8.0},
        "val_predictions": [{"image_id": 1, "caption": "a red lamp"}],
        "protos": {
            "cnn": layer("nn.Sequential", modules=chain, forward=Function(b"\x1bLJ", [])),
            "lm": told_lm(layers, places, layer, drop),
        },
        "vocab": {str(index): word for index, word in enumerate(WORDS, 1)},
    }


def told_lm(layers: int, places: dict[str, Tensor], layer: Any, drop: Any) -> Lua:
    nodes: list[Lua] = []

    def node(module: Lua | None, name: str | None, *inputs: Lua) -> Lua:
        """As nngraph keeps it: tables are keys of tables, and all of it goes round in circles."""
        notes = {"_debugLabel": "[LSTM.lua]:1"} | ({"name": name} if name else {})
        order = [(index, one.fields["data"]) for index, one in enumerate(inputs, 1)]
        data = {"annotations": notes, "mapindex": Pairs([*order, *((one, index) for index, one in order)])}
        if module:
            data["module"] = module
        made = Lua("nngraph.Node", {"data": data, "id": len(nodes) + 1, "visited": False, "marked": False})
        data["reverseMap"] = Pairs([(made, True)])
        made.fields["children"] = Pairs(
            [*enumerate(inputs, 1), *((one, i) for i, one in enumerate(inputs, 1))]
        )
        nodes.append(made)
        return made

    def dense(weight: str, bias: str) -> Lua:
        return layer("nn.Linear", weight=places[weight], bias=places[bias])

    last = node(layer("nn.Identity"), None)
    for index in range(1, layers + 1):
        if index > 1:
            last = node(drop(), f"drop_{index}", last)
        a, b = (
            node(dense(f"{side}_{index}.weight", f"{side}_{index}.bias"), f"{side}_{index}", last)
            for side in ("i2h", "h2h")
        )
        last = node(layer("nn.CAddTable"), None, a, b)
    top = node(drop(), "drop_final", last)
    out = node(layer("nn.LogSoftMax"), None, node(dense("decoder", "decoder.bias"), "decoder", top))
    modules = [one.fields["data"]["module"] for one in nodes if "module" in one.fields["data"]]
    core = layer("nn.gModule", forwardnodes=nodes, outnode=out, modules=modules)
    return Lua(
        "nn.LanguageModel",
        {
            "vocab_size": len(WORDS), "input_encoding_size": ENCODING, "rnn_size": RNN, "num_layers": layers,
            "seq_length": 16, "core": core, "lookup_table": layer("nn.LookupTable", weight=places["lookup"]),
            "init_state": [tensor(np.zeros((1, RNN), "f4"))] * 2 * layers, "num_state": 2 * layers,
        },
    )  # fmt: skip


def told_encoding(weights: dict[str, np.ndarray], image: np.ndarray) -> np.ndarray:
    """The image's encoding, from `[3, 224, 224]`."""
    first = np.zeros((4, 14, 14))
    for y in range(14):
        for x in range(14):
            window = image[:, 16 * y : 16 * y + 16, 16 * x : 16 * x + 16]
            first[:, y, x] = (weights["conv1"] * window).sum((1, 2, 3)) + weights["conv1.bias"]
    padded = np.pad(first.clip(0), ((0, 0), (1, 1), (1, 1)))
    second = np.zeros((6, 14, 14))
    for y in range(14):
        for x in range(14):
            window = padded[:, y : y + 3, x : x + 3]
            second[:, y, x] = (weights["conv2"] * window).sum((1, 2, 3)) + weights["conv2.bias"]
    pooled = second.clip(0).reshape(6, 2, 7, 2, 7).max((2, 4)).ravel()
    for name in ("fc6", "fc7", "top"):
        pooled = (weights[name] @ pooled + weights[f"{name}.bias"]).clip(0)
    return pooled


def told_log_probabilities(
    weights: dict[str, np.ndarray], layers: int, image: np.ndarray, theirs: list[int]
) -> np.ndarray:
    """What follows START and each of their words, counted from 1: the steps 2, 3, … of LanguageModel.lua."""
    state = [np.zeros(RNN)] * 2 * layers
    state = lstm(weights, layers, told_encoding(weights, image), state)
    rows = []
    for token in [len(WORDS) + 1, *theirs]:
        state = lstm(weights, layers, weights["lookup"][token - 1], state)
        scores = weights["decoder"] @ state[-1] + weights["decoder.bias"]
        rows.append(scores - np.log(np.exp(scores).sum()))
    return np.array(rows)


@pytest.mark.parametrize("gpu", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_neuraltalk2_is_what_it_was(tmp_path: Path, layers: int, gpu: bool) -> None:
    weights = told_weights(layers)
    told = convert_neuraltalk2(write(tmp_path / "model.t7", told_checkpoint(weights, layers, gpu=gpu)))
    assert told.vocabulary.words == tuple(WORDS) and told.vocabulary.unknown == 3
    assert told.start == told.end == len(WORDS) and told.longest == 16
    assert not told.net.training and told.net.lm.drop_final.p == 0.5

    image = np.random.default_rng(1).uniform(-120, 150, (3, 224, 224)).astype("f4")
    theirs = [3, 2, 5, 1]
    tokens = torch.tensor([[told.start, *(word - 1 for word in theirs)]])
    with torch.no_grad():
        encoding = told.net.cnn(torch.from_numpy(image)[None])
        found = told.net(torch.from_numpy(image)[None], tokens)[0].log_softmax(1)
    wanted = told_encoding(weights, image.astype("f8"))
    assert (wanted > 0).any()  # so that the ReLU leaves something to compare
    np.testing.assert_allclose(encoding[0].numpy(), wanted, **CLOSE)
    wanted = told_log_probabilities(weights, layers, image.astype("f8"), theirs)
    np.testing.assert_allclose(found.numpy(), wanted, **CLOSE)
    assert np.ptp(wanted, axis=0).max() > 0.1  # what follows depends on what came before


def test_neuraltalk2_layers_keep_their_names(tmp_path: Path) -> None:
    told = convert_neuraltalk2(write(tmp_path / "m.t7", told_checkpoint(told_weights(1), 1, gpu=True)))
    assert [name for name, _ in told.net.cnn.named_children()] == [
        "conv1", "relu1", "conv2", "relu2", "pool2", "flatten_6", "linear_7", "relu_8", "dropout_9", "linear_10",
        "relu_11", "dropout_12", "linear_13", "relu_14",
    ]  # fmt: skip
    assert all(parameter.is_contiguous() for parameter in told.net.parameters())


def test_neuraltalk2_input(tmp_path: Path) -> None:
    told = convert_neuraltalk2(write(tmp_path / "m.t7", told_checkpoint(told_weights(1), 1, gpu=True)))
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    wanted = pixels[16:240, 16:240].astype("f8") - [123.68, 116.779, 103.939]
    found = told.preprocess(Image.fromarray(pixels)).numpy()
    np.testing.assert_allclose(found, wanted.transpose(2, 0, 1), rtol=0, atol=1e-4)  # float32 up to 255
    assert told.preprocess(Image.new("RGB", (640, 100))).shape == (3, 224, 224)
    assert told.preprocess.crop((512, 256)) == (32, 16, 480, 240)


def broken(change: Any) -> dict[str, Any]:
    checkpoint = told_checkpoint(told_weights(1), 1, gpu=True)
    change(checkpoint)
    return checkpoint


def core_of(checkpoint: dict[str, Any], name: str) -> dict[str, Any]:
    nodes = checkpoint["protos"]["lm"].fields["core"].fields["forwardnodes"]
    (data,) = (n.fields["data"] for n in nodes if n.fields["data"]["annotations"].get("name") == name)
    return data


def chain_of(checkpoint: dict[str, Any]) -> list[Lua]:
    chain: list[Lua] = checkpoint["protos"]["cnn"].fields["modules"]
    return chain


def fields_of(checkpoint: dict[str, Any], name: str) -> dict[str, Any]:
    fields: dict[str, Any] = core_of(checkpoint, name)["module"].fields
    return fields


ONES = tensor(np.ones((3, 4), "f4"))
SEVEN = tensor(np.ones((7, 6), "f4"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("protos"), "protos: expected a table with names, got nothing"),
        (lambda c: c.pop("vocab"), 'vocab: expected words under "1" to "n", got nothing'),
        (lambda c: c["vocab"].update({"9": "x"}), 'vocab: expected words under "1" to "6"'),
        (lambda c: c["vocab"].update({"6": "x"}), "vocab: expected the 5 words of protos.lm, got 6"),
        (lambda c: c["vocab"].update({"5": "a"}), "each once"),
        (lambda c: c["protos"].update(lm=ONES), r"protos.lm: expected an nn.LanguageModel, got a tensor \[3, 4\]"),
        (lambda c: c["protos"].update(cnn=Lua("nn.gModule", {})), "expected an nn.Sequential, got nn.gModule"),
        (lambda c: chain_of(c).insert(2, Lua("nn.Tanh", {})), "layer 3: expected one of .* got nn.Tanh"),
        (lambda c: chain_of(c)[0].fields.pop("kW"), r"layer 1 \(cudnn.Spatial.*\): kW: expected a whole number"),
        (lambda c: chain_of(c)[0].fields.update(kW=15), r"weight: expected \[4, 3, 16, 15\], got \[4, 3, 16, 16\]"),
        (lambda c: chain_of(c)[0].fields.update(groups=2), "divisor of 3 input and 4 output planes, got 2"),
        (lambda c: chain_of(c)[0].fields.update(bias=ONES), r"bias: expected \[4\], got \[3, 4\]"),
        (lambda c: chain_of(c)[4].fields.update(dW=0), "dH and dW: expected whole numbers above 0, got 7 and 0"),
        (lambda c: chain_of(c)[5].fields.update(size=Storage(np.array([2, -1]))), "size: expected one number"),
        (lambda c: chain_of(c)[8].fields.update(v2=False), "expected dropout of version 2"),
        (lambda c: chain_of(c)[12].fields.update(weight=None), "weight: expected a tensor .* got nothing"),
        (lambda c: chain_of(c).pop(12), "last linear layer of 6 outputs, as wide as a word's vector, got 7"),
        (lambda c: core_of(c, "h2h_1")["annotations"].pop("name"), "expected an nn.Linear named 'h2h_1', got nothing"),
        (lambda c: core_of(c, "decoder")["annotations"].pop("name"), "expected a decoder"),
        (lambda c: fields_of(c, "i2h_1").update(weight=ONES), r"i2h_1, weight: .* shape \[20, 6\], got \[3, 4\]"),
        (lambda c: setattr(fields_of(c, "i2h_1")["weight"], "strides", (1, 1)), "i2h_1, weight: expected a contiguous"),
        (lambda c: fields_of(c, "drop_final").pop("v2"), "expected dropout of version 2"),
        (lambda c: c["protos"]["lm"].fields.update(num_layers=2), "named 'i2h_2', got nothing"),
        (lambda c: c["protos"]["lm"].fields.update(num_layers=2**30), "num_layers: expected from 1 to the 4 named"),
        (lambda c: c["protos"]["lm"].fields.update(vocab_size=5.5), "vocab_size: expected a whole number"),
        (lambda c: c["protos"]["lm"].fields["lookup_table"].fields.update(weight=SEVEN), r"\[6, 6\], got \[7, 6\]"),
    ],
)  # fmt: skip
def test_neuraltalk2_that_does_not_fit(tmp_path: Path, change: Any, message: str) -> None:
    path = write(tmp_path / "model.t7", broken(change))
    with pytest.raises(
        ValueError, match=r"model\.t7: not a checkpoint of NeuralTalk2 as expected: .*" + message
    ):
        convert_neuraltalk2(path)


# VQA_LSTM_CNN

QUESTION_WORDS = ["is", "there", "a", "lamp", "?", "UNK", "red"]
ANSWERS = ["yes", "no", "two"]
SIZES = {"image_size": 6, "embedding_size": 4, "rnn_size": 5, "common_size": 8}


def asked_weights(layers: int) -> dict[str, dict[str, np.ndarray]]:
    """In the order of the networks' parameters."""
    words, answers, size, rnn = len(QUESTION_WORDS), len(ANSWERS), SIZES["embedding_size"], SIZES["rnn_size"]
    encoder: dict[str, tuple[int, ...]] = {}
    for layer in range(1, layers + 1):
        encoder[f"i2h_{layer}.weight"] = (4 * rnn, size if layer == 1 else rnn)
        encoder[f"i2h_{layer}.bias"] = (4 * rnn,)
        encoder[f"h2h_{layer}.weight"] = (4 * rnn, rnn)
        encoder[f"h2h_{layer}.bias"] = (4 * rnn,)
    common = SIZES["common_size"]
    return {
        "embedding_w_q": drawn({"weight": (size, words), "bias": (size,)}, 1),
        "encoder_w_q": drawn(encoder | {"dummy": (1, rnn), "dummy.bias": (1,)}, 2),
        "multimodal_w": drawn(
            {
                "q": (common, 2 * layers * rnn), "q.bias": (common,), "i": (common, SIZES["image_size"]),
                "i.bias": (common,), "top": (answers, common), "top.bias": (answers,),
            },
            3,
        ),
    }  # fmt: skip


def asked_files(folder: Path, layers: int = 2) -> tuple[Path, Path]:
    flat = {
        name: tensor(np.concatenate([one.ravel() for one in net.values()]).astype("f4"), cuda=True)
        for name, net in asked_weights(layers).items()
    }
    table = {
        "ix_to_word": {str(i): word for i, word in enumerate(QUESTION_WORDS, 1)},
        "ix_to_ans": {str(i): answer for i, answer in enumerate(ANSWERS, 1)},
        "unique_img_train": ["train2014/COCO_train2014_000000000009.jpg"],
    }
    (folder / "data_prepro.json").write_text(json.dumps(table))
    return write(folder / "lstm.t7", flat), folder / "data_prepro.json"


def asked_scores(layers: int, theirs: list[int], feature: np.ndarray) -> np.ndarray:
    """The scores of the answers to a question in their words, counted from 1."""
    nets = asked_weights(layers)
    state = [np.zeros(SIZES["rnn_size"])] * 2 * layers
    for word in theirs:
        one_hot = np.zeros(len(QUESTION_WORDS))
        one_hot[word - 1] = 1
        vector = np.tanh(nets["embedding_w_q"]["weight"] @ one_hot + nets["embedding_w_q"]["bias"])
        state = lstm(nets["encoder_w_q"], layers, vector, state)
    net = nets["multimodal_w"]
    feature = feature / np.sqrt((feature * feature).sum())
    product = np.tanh(net["q"] @ np.concatenate(state) + net["q.bias"]) * np.tanh(
        net["i"] @ feature + net["i.bias"]
    )
    scores: np.ndarray = net["top"] @ product + net["top.bias"]
    return scores


class Cnn(nn.Module):
    """Six numbers of an image."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.adaptive_avg_pool2d(images, (1, 2)).flatten(1)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_vqa_lstm_cnn_is_what_it_was(tmp_path: Path, layers: int) -> None:
    asked = convert_vqa_lstm_cnn(*asked_files(tmp_path, layers), cnn=Cnn(), layers=layers, **SIZES)
    assert asked.vocabulary.words == tuple(QUESTION_WORDS) and asked.answers == tuple(ANSWERS)
    assert not asked.net.training
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 5
    features = Cnn()(images).double().numpy()
    long, short = [1, 2, 3, 4, 5], [7, 6]
    tokens = torch.tensor([[word - 1 for word in long], [PAD] * 3 + [word - 1 for word in short]])
    with torch.no_grad():
        found = asked.net(images, tokens)
        alone = asked.net(images[1:], tokens[1:, 3:])
    wanted = np.stack([asked_scores(layers, long, features[0]), asked_scores(layers, short, features[1])])
    np.testing.assert_allclose(found.numpy(), wanted, **CLOSE)
    np.testing.assert_allclose(alone.numpy(), wanted[1:], **CLOSE)
    assert np.abs(asked_scores(layers, long[::-1], features[0]) - wanted[0]).max() > 0.01


def test_vqa_lstm_cnn_input(tmp_path: Path) -> None:
    asked = convert_vqa_lstm_cnn(*asked_files(tmp_path), cnn=Cnn(), **SIZES)
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    wanted = pixels[..., ::-1].astype("f8") - [103.939, 116.779, 123.68]
    found = asked.preprocess(Image.fromarray(pixels)).numpy()
    np.testing.assert_allclose(found, wanted.transpose(2, 0, 1), rtol=0, atol=1e-4)  # float32 up to 255
    assert asked.preprocess.crop((640, 480)) == (0, 0, 640, 480)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"embedding_size": 5}, r"embedding_w_q: expected .* 40 numbers for 7 words and embedding_size 5, got \[32\]"),
        ({"rnn_size": 6}, r"encoder_w_q: expected a vector of 631 numbers for .* rnn_size 6 and 2 layers, got \[466\]"),
        ({"layers": 1}, r"encoder_w_q: expected a vector of 226 numbers for .* 1 layers, got \[466\]"),
        ({"image_size": 7}, r"multimodal_w: expected a vector of 259 numbers for .* 3 answers, got \[251\]"),
        ({"common_size": 9}, r"multimodal_w: expected a vector of 282 numbers for .* common_size 9 .*, got \[251\]"),
        ({"common_size": 0}, "common_size: expected a whole number above 0, got 0"),
        ({"cnn": "vgg"}, "cnn: expected the image tower, a torch.nn.Module, got str"),
    ],
)  # fmt: skip
def test_vqa_lstm_cnn_of_other_sizes(tmp_path: Path, sizes: dict[str, Any], message: str) -> None:
    files = asked_files(tmp_path)
    with pytest.raises(ValueError, match=message):
        convert_vqa_lstm_cnn(*files, **({"cnn": Cnn(), **SIZES} | sizes))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "expected an object, got list"),
        ("{", "Expecting property name"),
        ('{"ix_to_word": {}, "ix_to_ans": {"1": "yes"}}', "ix_to_word: expected words"),
        (
            '{"ix_to_word": {"0": "a"}, "ix_to_ans": {"1": "yes"}}',
            'ix_to_word: expected words under "1" to "1"',
        ),
        ('{"ix_to_word": {"1": "a"}, "ix_to_ans": {"1": 5}}', "ix_to_ans: expected words"),
    ],
)
def test_vqa_lstm_cnn_words_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    weights, words = asked_files(tmp_path)
    words.write_text(text)
    with pytest.raises(ValueError, match=r"data_prepro\.json: not the words of VQA_LSTM_CNN.*" + message):
        convert_vqa_lstm_cnn(weights, words, cnn=Cnn(), **SIZES)


def test_vqa_lstm_cnn_files_that_are_none(tmp_path: Path) -> None:
    weights, words = asked_files(tmp_path)
    with pytest.raises(ValueError, match=r"lstm\.t7: the file: expected a table with names, got a list"):
        convert_vqa_lstm_cnn(write(weights, [1, 2]), words, cnn=Cnn(), **SIZES)
    with pytest.raises(ValueError, match=r"lstm\.t7: embedding_w_q: expected a tensor .* got nothing"):
        convert_vqa_lstm_cnn(write(weights, {"a": 1}), words, cnn=Cnn(), **SIZES)
    words.unlink()
    with pytest.raises(FileNotFoundError, match=r"data_prepro\.json: there is no such file"):
        convert_vqa_lstm_cnn(weights, words, cnn=Cnn(), **SIZES)


# the words of questions


@pytest.mark.parametrize(
    ("question", "pieces"),
    [
        # as nltk.tokenize.NLTKWordTokenizer 3.10 cuts them, in lower case
        ("What color is the man's shirt?", "what color is the man 's shirt ?"),
        ("Isn't this a t-shirt?", "is n't this a t-shirt ?"),
        ("Does the clock say 7:30, or 1,000?", "does the clock say 7:30 , or 1,000 ?"),
        ("They're at St. Louis, aren't they?", "they 're at st. louis , are n't they ?"),
        ('What\'s on the sign "stop"?', "what 's on the sign `` stop '' ?"),
        ("Can't you see... it?", "ca n't you see ... it ?"),
        ("Who won (the game)?", "who won ( the game ) ?"),
        ("Is it 3.5 ft or 50% o'clock??", "is it 3.5 ft or 50 % o'clock ? ?"),
        ("Cannot he swim at 7 a.m. or p.m.?", "can not he swim at 7 a.m. or p.m . ?"),
    ],
)
def test_questions_are_cut_as_in_the_training(question: str, pieces: str) -> None:
    words = QuestionWords(sorted(set(pieces.split())))
    read = words.read(question)
    assert " ".join(read.words) == pieces and not read.unknown
    assert [words.words[token] for token in read.tokens] == pieces.split()
    assert read.word_of == tuple(range(len(read.tokens)))


def test_unknown_words_of_questions() -> None:
    read = QuestionWords(QUESTION_WORDS).read("Is there a zebra?")
    assert read.tokens == (0, 1, 2, 5, 4) and read.unknown == ("zebra",)
    assert "“UNK”" in read.note
    read = QuestionWords(["is", "there", "?"]).read("Is there a zebra?")
    assert read.tokens == (0, 1, 2) and read.unknown == ("a", "zebra")
    assert read.words == ("is", "there", "?")


# the page


class SmallTower(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 6, 16, 16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def test_the_lines_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, tower, asked = re.findall(r"```python\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    write(Path("model_id1-501-1448236541.t7"), told_checkpoint(told_weights(1), 1, gpu=True))
    asked_files(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("kitchen.png")

    names: dict[str, Any] = {}
    exec(told, names)
    assert names["captioner"].tower.layer == "relu2"
    for caption in names["captions"]:
        assert set(caption.text.words) <= set(WORDS)

    with torch.device("meta"):  # VGG-19's weights take half a gigabyte
        names = {}
        exec(re.sub(r"(?m)^.*load_state_dict.*\n", "", tower), names)
        assert names["cnn"](torch.zeros(1, 3, 224, 224)).shape == (1, 4096)

    small = asked.replace("cnn=cnn", f"cnn=cnn, **{SIZES}")
    assert small != asked
    names = {"cnn": SmallTower()}
    exec(small, names)
    assert names["best"][0][0] in ANSWERS
